"""Pictures with their truth, and what an exported model makes of them."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.data import records, shards
from sa3dhp.evaluation import blazepose, poses, protocol
from sa3dhp.models import mirrored as mirrored_
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world

_BATCH = 32


class Pictures:
    """The pictures of a prepared split, read when they are asked for.

    Attributes:
        shape: `(N, S, S, 3)`, S = the manifest's `image_size`.
        dtype: uint8.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, split: shards.Split) -> None:
        """Keeps where they are; no picture is read."""
        self._split, size = split, split.manifest.image_size
        self.shape = (len(split), size, size, 3)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Reads pictures, `[n, S, S, 3]`: the middle of the stored crops."""
        from sa3dhp.geometry import pictures  # with TensorFlow, for pictures alone

        found = self._split.frames(np.arange(len(self))[rows])
        stored = np.stack([frame.image for frame in found])
        return pictures.center_crop(stored, self.shape[1])


def read_prepared(
    folder: str | pathlib.Path, split: str = "test"
) -> tuple[Pictures, poses.Poses]:
    """Returns the pictures and the truth of a split of a prepared data set.

    Args:
        folder: as tools/prepare_data.py wrote it.
        split: the one that protocols score.

    Returns:
        `Pictures`, and their `poses.Poses` in the data set's own skeleton, `flat` for
        one in 2D. Where the data set numbers its classes of frames, those are the
        actions.

    Raises:
        errors.InputError: if there is no such split, or some of its pictures alone have
            no 3D joints.
    """
    part = shards.Split(folder, split)
    frames = part.frames(range(len(part)), image=False)
    known = [frame.joints for frame in frames if frame.joints is not None]
    points = [frame.keypoints for frame in frames if frame.keypoints is not None]
    kinds = {frame.skeleton for frame in frames}
    flat = len(frames) - len(known)
    in_2d = flat == len(points) == len(frames) > 0
    if (flat and not in_2d) or len(kinds) != 1:
        raise errors.InputError(
            f"{folder}: {flat} of {len(frames)} pictures of {split} have no 3D "
            f"joints (skeleton: {', '.join(sorted(kinds)) or 'none'}); give a data set "
            "in 3D"
        )
    mask = np.stack([frame.mask for frame in frames])
    labels = {
        key: np.array([getattr(frame, key) for frame in frames])
        for key in ("sequence", "subject", "frame_number")
    }
    labels["action"] = np.array([_action(frame) for frame in frames])
    source, (skeleton,) = f"{folder} ({split})", kinds
    if in_2d:
        return Pictures(part), poses.from_keypoints(
            np.stack(points), skeleton, mask, labels, source=source
        )
    return Pictures(part), poses.Poses(
        np.stack(known).astype(np.float64),
        skeleton,
        mask,
        labels,
        source=source,
        keypoints=np.stack(points) if len(points) == len(frames) else None,
    )


def card_of(dataset: str | pathlib.Path) -> str | None:
    """Returns the card that is named as the data set of a prepared folder is."""
    if not (pathlib.Path(dataset) / records.MANIFEST).is_file():
        return None
    name = records.read_manifest(dataset).dataset
    return name if name in protocol.names() else None


def _action(frame: records.Frame) -> str:
    return frame.action if frame.label < 0 else str(frame.label)


def read_dataset(
    path: str | pathlib.Path,
) -> tuple[np.ndarray | Pictures, poses.Poses]:
    """Returns images and truth of an `.npz` data set, or of a prepared folder.

    Keys: `images` uint8 `[N, H, W, 3]` RGB crops, and those of `poses.read`; `skeleton`
    is the project's own where the file does not name one. Of a prepared folder it is
    the split `test`.

    Raises:
        errors.InputError: if a key is missing or has a wrong shape or type, and as
            `read_prepared`.
    """
    if pathlib.Path(path).is_dir():
        return read_prepared(path)
    arrays = poses.read_arrays(path, "dataset")
    source = f"dataset {path}"
    if "images" not in arrays:
        raise errors.InputError(
            f"{source}: the array `images` is missing, expected uint8 [N, H, W, 3]; "
            f"got {', '.join(sorted(arrays)) or 'nothing'}"
        )
    images = arrays["images"]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise errors.InputError(
            f"{source}: images have shape {images.shape} of {images.dtype}, expected "
            "uint8 [N, H, W, 3] RGB in 0..255"
        )
    arrays.setdefault("skeleton", np.array(skeletons.SA3DHP17.id))
    truth = poses.from_arrays(arrays, source)
    if len(images) != len(truth.joints):
        raise errors.InputError(
            f"{source}: got {len(images)} images and {len(truth.joints)} poses, "
            "expected as many of both"
        )
    return images, truth


def from_clips(
    clips: Sequence[world.Clip], size: int
) -> tuple[np.ndarray, poses.Poses]:
    """Returns images and truth of clips of the embedded world, as `read_dataset` does.

    Args:
        clips: with pictures at least `size` wide.
        size: side of the crops, pixels, cut from the pictures' middle.
    """
    from sa3dhp.geometry import pictures  # with TensorFlow, for pictures alone

    images = np.concatenate([clip.images for clip in clips])
    lengths = [len(clip.images) for clip in clips]
    names = [f"clip_{number:03d}" for number in range(len(clips))]
    truth = poses.Poses(
        np.concatenate([clip.joints for clip in clips]).astype(np.float64),
        skeletons.SA3DHP17.id,
        labels={
            "action": np.repeat([clip.activity for clip in clips], lengths),
            "sequence": np.repeat(names, lengths),
        },
        source="the embedded world",
    )
    return pictures.center_crop(images, size), truth


def check_model(model: str | pathlib.Path) -> pathlib.Path:
    """Returns the folder of a SavedModel; raises InputError if it visibly is none.

    A `.tflite` file is returned as well: see `blazepose`.
    """
    folder = pathlib.Path(model)
    if folder.suffix == blazepose.SUFFIX and folder.is_file():
        return folder
    if not (folder / "saved_model.pb").is_file():
        raise errors.InputError(
            f"model: {folder} is no SavedModel (it has no saved_model.pb); give the "
            "folder that tools/export.py or tools/adapt.py wrote"
        )
    return folder


class _Served:
    """A SavedModel that predicts poses of crops."""

    def __init__(self, serve: Callable) -> None:
        self._serve = serve

    def predict(self, images: np.ndarray) -> np.ndarray:
        return self._serve(images=tf.constant(images))["joints"].numpy()


def predict(
    model: str | pathlib.Path, images: np.ndarray | Pictures, *, mirrored: bool = False
) -> poses.Poses:
    """Returns what an exported model makes of images.

    Args:
        model: folder of a SavedModel whose signature takes `images` uint8
            `[N, H, W, 3]` and gives `joints [N, J, 3]`, of the skeleton that its
            signature `describe` names, else of the project's 17; or
            BlazePose's `.tflite`, see `blazepose.predict`.
        images: uint8 `[N, H, W, 3]`, RGB.
        mirrored: whether it looks at their mirror images too, see `models.mirrored`.

    Raises:
        errors.InputError: if the folder holds no such model, the model refuses the
            images or gives joints of another shape, or BlazePose is to look twice.
    """
    folder = check_model(model)
    if folder.suffix == blazepose.SUFFIX:
        if mirrored:
            raise errors.InputError(
                f"--mirrored: got {folder}, expected a SavedModel; BlazePose is scored "
                "as it comes, leave it out"
            )
        return blazepose.predict(folder, images)
    try:
        loaded = tf.saved_model.load(str(folder))
        serve = loaded.signatures["serving_default"]
        wanted = serve.structured_input_signature[1]["images"]
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise errors.InputError(
            f"model {folder}: not usable ({type(error).__name__}: {error}); export it "
            "again with tools/export.py"
        ) from None
    if wanted.dtype != tf.uint8 or not wanted.shape[1:].is_compatible_with(
        images.shape[1:]
    ):
        raise errors.InputError(
            f"model {folder}: takes images of {wanted.dtype.name} {wanted.shape}, got "
            f"uint8 {images.shape}; resize the crops"
        )
    skeleton, served = _described(loaded), _Served(serve)
    look = mirrored_.Mirrored(served, skeleton) if mirrored else served
    batches = [
        look.predict(images[start : start + _BATCH])
        for start in range(0, len(images), _BATCH)
    ]
    joints = np.concatenate(batches).astype(np.float64)
    num = skeleton.num_joints
    if joints.shape != (len(images), num, 3):
        raise errors.InputError(
            f"model {folder}: gave joints {joints.shape}, expected "
            f"{(len(images), num, 3)}; export it again with tools/export.py"
        )
    return poses.Poses(joints, skeleton.id, source=f"model {folder}")


def _described(loaded: tf.Module) -> skeletons.Skeleton:
    """The skeleton that a model says its joints are of; without a word, the 17."""
    describe = loaded.signatures.get("describe")
    named = describe().get("skeleton") if describe else None
    text = "" if named is None else named.numpy().decode()
    return skeletons.get(text) if text else skeletons.SA3DHP17
