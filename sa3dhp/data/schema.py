"""The one form all data takes: mocap as `Sequence`, annotated images as `Frames`.

Both are millimetres, right-handed, y **down**. Two frames exist:

* `camera`: x right in the image, y down, z away from the camera.
* `world`: y along gravity (down); where x and z point is the data set's business.

A world frame is thus a camera that stands level: turning it by a yaw and a pitch
(`view_matrix`) is all it takes to look at a motion from somewhere.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from sa3dhp import errors
from sa3dhp.data import calibration
from sa3dhp.geometry import camera
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons

COORDINATE_FRAMES = ("camera", "world")


def _checked_joints(name: str, joints: np.ndarray, skeleton: str, axes: int):
    """Returns `joints` as float32; raises `InputError` unless `[N, J, axes]`."""
    joints = np.asarray(joints, np.float32)
    expected = (skeletons.get(skeleton).num_joints, axes)
    if joints.ndim != 3 or joints.shape[1:] != expected:
        raise errors.InputError(
            f"{name}: expected [N, {expected[0]}, {axes}] for skeleton {skeleton}, "
            f"got {joints.shape}"
        )
    return joints


def _checked_mask(name: str, mask: np.ndarray, shape: tuple) -> np.ndarray:
    """Returns `mask` as bool; raises `InputError` unless of that shape."""
    mask = np.asarray(mask, bool)
    if mask.shape != shape:
        raise errors.InputError(f"{name}: mask expected {shape}, got {mask.shape}")
    return mask


def _check_finite(name: str, values: np.ndarray, mask: np.ndarray | None) -> None:
    bad = ~np.isfinite(values).all(-1)
    if mask is not None:
        bad &= mask
    if bad.any():
        frame = int(np.argwhere(bad)[0, 0])
        raise errors.InputError(
            f"{name}: not a finite number at frame {frame}; mask it or drop the frame"
        )


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Sequence:
    """A motion without images.

    Attributes:
        name: unique in its data set, e.g. `02_01`.
        skeleton: id of a named skeleton, which gives `J`.
        joints: `[T, J, 3]`, float32, mm, root not subtracted.
        frame: `camera` or `world`, see the module.
        fps: frames per second.
        subject: whom it shows; splits are made by it.
        action: what the data set calls it.
        split: the data set's own split, "" if it has none.
        mask: `[T, J]`, True = valid; None = all valid.
        note: where it came from and what was done to it.
    """

    name: str
    skeleton: str
    joints: np.ndarray
    frame: str
    fps: float
    subject: str = ""
    action: str = ""
    split: str = ""
    mask: np.ndarray | None = None
    note: str = ""

    def __post_init__(self) -> None:
        joints = _checked_joints(self.name, self.joints, self.skeleton, 3)
        object.__setattr__(self, "joints", joints)
        if self.mask is not None:
            mask = _checked_mask(self.name, self.mask, joints.shape[:2])
            object.__setattr__(self, "mask", mask)
        if self.frame not in COORDINATE_FRAMES:
            raise errors.InputError(
                f"{self.name}: frame expected one of {COORDINATE_FRAMES}, "
                f"got {self.frame!r}"
            )
        if not self.fps > 0:
            raise errors.InputError(f"{self.name}: fps expected > 0, got {self.fps}")
        _check_finite(self.name, joints, self.mask)

    def __len__(self) -> int:
        return len(self.joints)

    def window(self, start: int, stop: int, name: str | None = None) -> Sequence:
        """The frames `start <= t < stop` as a sequence of their own."""
        return dataclasses.replace(
            self,
            name=self.name if name is None else name,
            joints=self.joints[start:stop],
            mask=None if self.mask is None else self.mask[start:stop],
        )


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Frames:
    """Annotated images of one person, from one camera.

    Attributes:
        name: unique in its data set.
        skeleton: id of a named skeleton, which gives `J`; sides are the person's as
            the image shows them.
        frame_numbers: `[N]`, int, as the data set counts; protocols pick by them.
        images: N paths, or () for frames of a
        video: path, "" for images. Neither is opened here.
        video_indices: `[N]`, int, the frames' places in the video, from 0.
        joints: `[N, J, 3]`, float32, mm, camera frame, *not* root-relative, so that
            `camera.project` finds them in the image; None for 2D data sets.
        keypoints: `[N, J, 2]`, float32, pixels of the whole image, or None.
        mask: `[N, J]`, True = annotated.
        camera: None where nothing is known of it.
        fps: frames per second at which `frame_numbers` count; 0 for single images.
        labels: `[N]`, int, the data set's classes of frames, or None.
        subject: whom it shows.
        action: what the data set calls it.
        split: the data set's own split, "" if it has none.
        mirrored: the images show the world in a mirror (SURREAL).
        note: where it came from and what was done to it.
    """

    name: str
    skeleton: str
    frame_numbers: np.ndarray
    images: tuple[str, ...] = ()
    video: str = ""
    video_indices: np.ndarray | None = None
    joints: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    mask: np.ndarray = None  # type: ignore[assignment]  # all True, once it is made
    camera: calibration.Camera | None = None
    fps: float = 0.0
    labels: np.ndarray | None = None
    subject: str = ""
    action: str = ""
    split: str = ""
    mirrored: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        numbers = np.asarray(self.frame_numbers, np.int64)
        object.__setattr__(self, "frame_numbers", numbers)
        shape = (len(numbers), skeletons.get(self.skeleton).num_joints)
        mask = np.ones(shape, bool) if self.mask is None else self.mask
        mask = _checked_mask(self.name, mask, shape)
        object.__setattr__(self, "mask", mask)
        if self.joints is None and self.keypoints is None:
            raise errors.InputError(f"{self.name}: neither joints nor key-points")
        if len(numbers) and bool(self.images) == bool(self.video):
            raise errors.InputError(f"{self.name}: expected images or a video")
        per_frame = dict(
            images=self.images or None,
            video_indices=self.video_indices,
            joints=self.joints,
            keypoints=self.keypoints,
            labels=self.labels,
        )
        for field, values in per_frame.items():
            if values is not None and len(values) != len(numbers):
                raise errors.InputError(
                    f"{self.name}: {field} expected {len(numbers)}, got {len(values)}"
                )
        if self.video and self.video_indices is None:
            raise errors.InputError(f"{self.name}: a video needs video_indices")
        for field, axes in (("joints", 3), ("keypoints", 2)):
            values = getattr(self, field)
            if values is not None:
                label = f"{self.name}: {field}"
                values = _checked_joints(label, values, self.skeleton, axes)
                object.__setattr__(self, field, values)
                _check_finite(label, values, mask)

    def __len__(self) -> int:
        return len(self.frame_numbers)

    def select(self, keep: np.ndarray | slice) -> Frames:
        """The frames at `keep`: indices, a mask `[N]`, or a slice."""
        keep = np.arange(len(self))[keep]
        pick: dict[str, Any] = {
            field: None if getattr(self, field) is None else getattr(self, field)[keep]
            for field in ("video_indices", "joints", "keypoints", "labels")
        }
        return dataclasses.replace(
            self,
            frame_numbers=self.frame_numbers[keep],
            images=tuple(self.images[n] for n in keep) if self.images else (),
            mask=self.mask[keep],
            **pick,
        )

    def as_skeleton(self, target: str) -> Frames:
        """The same frames with another skeleton's joints; see `conversion.convert`.

        A joint is valid if all joints it is made of are.
        """
        weights, valid = conversion.matrix(self.skeleton, target)
        uses = (weights != 0).astype(int)
        mask = (~self.mask).astype(int) @ uses.T == 0
        pick: dict[str, Any] = {
            field: None
            if getattr(self, field) is None
            else conversion.convert(getattr(self, field), self.skeleton, target)[0]
            for field in ("joints", "keypoints")
        }
        return dataclasses.replace(self, skeleton=target, mask=mask & valid, **pick)

    def sequences(self) -> list[Sequence]:
        """The motions in it: a sequence for each run of frames without a gap.

        Raises:
            InputError: if there are no 3D joints, or these are single images.
        """
        if self.joints is None or not self.fps:
            raise errors.InputError(f"{self.name}: no motion in 2D or single images")
        cuts = np.flatnonzero(np.diff(self.frame_numbers) != 1) + 1
        runs = zip([0, *cuts], [*cuts, len(self)])
        return [
            Sequence(
                f"{self.name}+{self.frame_numbers[start]}",
                self.skeleton,
                self.joints[start:stop],
                "camera",
                self.fps,
                self.subject,
                self.action,
                self.split,
                self.mask[start:stop],
                self.note,
            )
            for start, stop in runs
            if stop > start
        ]


def resample(sequence: Sequence, fps: float = 30.0) -> Sequence:
    """Returns the sequence at another frame rate; the first frame stays the first.

    Every k-th frame where the rates divide (120 -> 30, also 120.00048 -> 30), linear
    interpolation between neighbours elsewhere. Interpolation shortens a limb that
    turns by d radians between two frames by at most d^2 / 8 of its length. A joint is
    valid where both neighbours are.
    """
    if not fps > 0:
        raise errors.InputError(f"fps: expected > 0, got {fps}")
    ratio = sequence.fps / fps
    stride = round(ratio)
    mask = sequence.mask
    if stride >= 1 and abs(ratio - stride) < 1e-3 * stride:
        joints = sequence.joints[::stride]
        mask = None if mask is None else mask[::stride]
    else:
        # The tolerance keeps the last frame where it falls on one of ours exactly.
        count = int(np.floor((len(sequence) - 1) / ratio + 1e-6)) + 1
        time = np.minimum(np.arange(count) * ratio, len(sequence) - 1)
        low = time.astype(int)
        high = np.minimum(low + 1, len(sequence) - 1)
        weight = (time - low)[:, None, None]
        joints = (1 - weight) * sequence.joints[low] + weight * sequence.joints[high]
        mask = None if mask is None else mask[low] & mask[high]
    return dataclasses.replace(sequence, joints=joints, mask=mask, fps=float(fps))


def y_down(points: np.ndarray, up: str) -> np.ndarray:
    """Turns right-handed points `[..., 3]` with `y` or `z` up into our world frame."""
    x, y, z = np.moveaxis(np.asarray(points), -1, 0)
    return np.stack([x, -y, -z] if up == "y" else [x, -z, y], axis=-1)


def view_matrix(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Returns the rotation `[3, 3]` from the world to a camera's axes.

    `x_camera = view_matrix(...) @ x_world`; zero angles leave a point where it is. The
    angles (radians) are those of `camera.world_to_camera`: the camera walks around by
    the yaw, looks down by the pitch, and its picture turns clockwise by the roll.
    """
    y_up = np.diag([1.0, -1.0, -1.0])
    return camera.world_to_camera(*np.array([yaw, pitch, roll])) @ y_up


def to_camera(
    sequence: Sequence, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0
) -> np.ndarray:
    """Returns root-relative joints seen by a camera at that angle.

    Args:
        sequence: in the `world` frame.
        yaw: radians, as are `pitch` and `roll`; see `view_matrix`.

    Returns:
        `[T, J, 3]`, float32, mm, camera frame, root at zero.

    Raises:
        InputError: if the sequence is in a camera's frame already.
    """
    if sequence.frame != "world":
        raise errors.InputError(
            f"{sequence.name}: frame expected 'world', got {sequence.frame!r}: "
            "it has its view already"
        )
    joints = sequence.joints - sequence.joints[:, :1]
    return joints @ view_matrix(yaw, pitch, roll).T.astype(np.float32)


def random_view(
    rng: np.random.Generator,
    max_pitch: float = np.radians(20),
    max_roll: float = np.radians(5),
) -> tuple[float, float, float]:
    """Draws (yaw, pitch, roll): any heading, level on average."""
    return (
        float(rng.uniform(-np.pi, np.pi)),
        float(rng.uniform(-max_pitch, max_pitch)),
        float(rng.uniform(-max_roll, max_roll)),
    )
