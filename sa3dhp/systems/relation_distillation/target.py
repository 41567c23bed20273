"""What a model adapts to, and what is known of it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from sa3dhp import errors
from sa3dhp.data import pipeline
from sa3dhp.data.videos import video_folder
from sa3dhp.evaluation import evaluator, poses, prediction, protocol
from sa3dhp.models import mirrored, pose_model
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17
RAW = "R"  # raw pictures are all that is known, see `protocol.TARGET_INFORMATION`
LABELLED = "L"
# Fewer clips of two seconds than this are told to be few: an eighth of what the tables
# adapt to, where seeds differ by as much as adaptation gains.
FEW_CLIPS = 40
_BATCH = 120  # pictures in memory at once
_LOOKED_AT = 16  # clips that a fingerprint is of
_MEASURED = 600  # pictures of the truth that are measured while it runs


class Clips(Protocol):
    """Clips uint8 `[N, 60, S, S, 3]`, at the stored size, in memory or not."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Reads clips `[n, 60, S, S, 3]`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Truth:
    """Labelled pictures that measure an adaptation.

    Attributes:
        images: uint8 `[N, S, S, 3]` as the network sees them, in memory or read when
            asked for.
        poses: of them, in the skeleton of their data set.
        card: the protocol.
    """

    images: np.ndarray | prediction.Pictures
    poses: poses.Poses
    card: protocol.Card

    def predict(
        self, model: mirrored.Model, rows: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns the model's joints of some pictures, or of all, `[N, 17, 3]` mm."""
        rows = np.arange(len(self.images)) if rows is None else rows
        parts = [
            model.predict(self.images[rows[i : i + _BATCH]])
            for i in range(0, len(rows), _BATCH)
        ]
        return np.concatenate(parts)

    def score(
        self,
        joints: np.ndarray,
        information: str = RAW,
        *,
        rows: np.ndarray | None = None,
        card: protocol.Card | None = None,
    ) -> dict:
        """Returns the whole result of predictions.

        Args:
            joints: of the pictures `rows`, or of all, `[n, 17, 3]`, mm.
            information: what was known of the target.
            rows: of the pictures.
            card: another one than its own.
        """
        truth = self.poses if rows is None else _some(self.poses, rows)
        pred = poses.Poses(joints.astype(np.float64), SKELETON.id, labels=truth.labels)
        return evaluator.evaluate(pred, truth, card or self.card, information)

    def error(self, model: pose_model.PoseModel) -> float:
        """Returns the MPJPE of some of the pictures, evenly taken, mm."""
        rows = np.arange(0, len(self.images), max(1, len(self.images) // _MEASURED))
        brief = dataclasses.replace(self.card, metrics=("mpjpe",), headline="mpjpe")
        joints = self.predict(model, rows)
        return self.score(joints, rows=rows, card=brief)["overall"]["mpjpe"]


def _some(whole: poses.Poses, rows: np.ndarray) -> poses.Poses:
    return dataclasses.replace(
        whole,
        joints=whole.joints[rows],
        mask=None if whole.mask is None else whole.mask[rows],
        labels={key: value[rows] for key, value in whole.labels.items()},
        keypoints=None if whole.keypoints is None else whole.keypoints[rows],
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """Unlabelled clips, and whatever measures or helps an adaptation to them.

    Attributes:
        name: in a few words, for people.
        clips: uint8 `[N, 60, S, S, 3]`, at the stored size.
        videos: `[N]` integers, which video each clip is of.
        spans: `[N, 2]`, first and last frame of each clip in its video, in any unit of
            time; None where clips share no frame and follow one another.
        truth: what results are measured on; None where nobody knows any.
        labelled: from the clips that may be trained on to batches of labelled
            pictures; None without labels.
        names: of the clips.
        notes: sentences for the report.
        found: the videos behind the clips, for overlays.
    """

    name: str
    clips: Clips
    videos: np.ndarray
    spans: np.ndarray | None = None
    truth: Truth | None = None
    labelled: Callable[[np.ndarray], pipeline.Batches] | None = None
    names: Sequence[str] = ()
    notes: Sequence[str] = ()
    found: video_folder.VideoSet | None = None

    @property
    def fingerprint(self) -> str:
        """Of the clips: the same for the same ones, by names, videos and some pixels.

        A state that goes on with others would be the adaptation to what it never saw.
        """
        count = len(self.videos)
        digest = hashlib.sha256(f"{count} {list(self.names)}".encode())
        digest.update(np.asarray(self.videos, np.int64).tobytes())
        for row in np.unique(np.linspace(0, count - 1, _LOOKED_AT).astype(int)):
            clip = self.clips[np.array([row])][0]
            shown = np.ascontiguousarray(clip[:: max(len(clip) // 2, 1)])
            digest.update(shown.tobytes())
        return digest.hexdigest()

    @property
    def information(self) -> str:
        """What is known of it: `RAW`, or `LABELLED`."""
        return RAW if self.labelled is None else LABELLED

    @property
    def advice(self) -> str:
        """What a user should know of how much video there is; "" if it is enough."""
        count, videos = len(self.videos), len(np.unique(self.videos))
        said = []
        if count < FEW_CLIPS:
            said.append(
                f"{count} clip{' of 2 s is' if count == 1 else 's of 2 s are'} few: a "
                f"gain is hard to tell from chance then; give {FEW_CLIPS} or more"
            )
        if videos < 2:
            said.append(
                "one video only: L_CR, which tells people of different videos apart, "
                "teaches nothing there; give several"
            )
        return "; ".join(said)

    def split(self, held_out: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the clips to adapt to, and those that only the monitors see.

        Whole videos are held out where there are several; of a single one its end,
        with a gap of half a clip, so that no frame is on both sides.

        Args:
            held_out: share of the latter.
            seed: of the draw.

        Raises:
            InputError: if there is too little video for both.
        """
        count = max(1, round(held_out * len(self.videos)))
        chosen = _videos_held_out(self.videos, count, seed)
        if chosen is None:
            train, kept = self._by_time(count)
        else:
            kept, train = np.flatnonzero(chosen), np.flatnonzero(~chosen)
        if not len(train) or not len(kept):
            raise errors.InputError(
                f"{self.name}: got too little video: some clips are needed to adapt "
                "to, and others, that share no frame with them, to choose the step by; "
                "give ten seconds at least, and a few minutes to gain by it"
            )
        return train, kept

    def _by_time(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The last clips of all are held out, and those beside them left out."""
        order = np.arange(len(self.videos), dtype=float)
        spans = self.spans
        if spans is None:
            spans = np.stack([order, order + 0.9], axis=1)
        by_end = np.argsort(spans[:, 1], kind="stable")
        kept = np.sort(by_end[-count:])
        gap = 0.5 * float(np.median(spans[:, 1] - spans[:, 0]))
        if self.spans is None:
            gap = 0.0
        train = np.flatnonzero(spans[:, 1] + gap < spans[kept, 0].min())
        return train, kept


def _videos_held_out(videos: np.ndarray, count: int, seed: int) -> np.ndarray | None:
    """Which clips are of held-out videos, about `count`; None if no video will do."""
    ids, sizes = np.unique(videos, return_counts=True)
    if len(ids) < 2:
        return None
    order = pipeline.rng(seed, "target", 1 << 30).permutation(len(ids))
    taken: list[int] = []
    total = 0
    for i in order:
        fits = total + sizes[i] <= 1.5 * count and len(taken) < len(ids) - 1
        if fits:
            taken.append(i)
            total += sizes[i]
        if total >= count:
            break
    if not taken:
        smallest = int(np.argmin(sizes))
        if sizes[smallest] > len(videos) // 2:
            return None
        taken = [smallest]
    return np.isin(videos, ids[taken])
