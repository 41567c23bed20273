"""The library: load a model, predict, adapt it to videos, evaluate.

import sa3dhp

model = sa3dhp.load()  # the shipped one
joints = model.predict(crops)  # uint8 [N, H, W, 3] -> [N, 17, 3], mm
adapted = sa3dhp.adapt("videos/", workdir="workdir/mine")
joints = adapted.model.predict(crops)
poses = sa3dhp.predict("video.mp4", model=adapted.model)
result = sa3dhp.evaluate(joints, truth, "procedural")
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from sa3dhp import errors, files
from sa3dhp.data.videos import video
from sa3dhp.evaluation import evaluator
from sa3dhp.export import domain_pack, saved_model, serving
from sa3dhp.models import image_encoder as image_encoders
from sa3dhp.models import mirrored as mirroring
from sa3dhp.prediction import prediction, predictor
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import job as jobs
from sa3dhp.systems.relation_distillation import networks, outcome, views
from sa3dhp.systems.relation_distillation import target as targets
from sa3dhp.training import precision as precisions
from sa3dhp.training import store

DEFAULT = files.VIDEO_MODEL  # of the shipped models
NAMES = (DEFAULT, "procedural")
_WEIGHTS = "image_encoder.npz"


@dataclasses.dataclass(frozen=True)
class Adapted:
    """What `adapt` returns.

    Attributes:
        model: the model that was kept: adapted, or the source model where no step was
            better.
        result: what `result.json` holds: the verdict, the monitors, and the errors
            where there is a truth.
        workdir: the folder with the report, the exported model and the domain pack.
    """

    model: saved_model.Model
    result: Mapping
    workdir: pathlib.Path


def load(
    source: str | os.PathLike = DEFAULT,
    *,
    config: str | os.PathLike | None = None,
    pack: str | os.PathLike | None = None,
    precision: str = "float32",
) -> saved_model.Model:
    """Loads a model that predicts 3D poses of pictures of persons.

    Args:
        source: the name of a shipped model; the folder of a finished adaptation; of an
            exported SavedModel, or of a run that holds one; or of trained networks.
        config: YAML file that networks were trained with, where they do not lie in the
            folder of their training or are not the shipped ones.
        pack: a domain pack, which turns the networks into the adapted model.
        precision: that G computes in: `float32`, `mixed_bfloat16`, `mixed_float16`, or
            `auto`, the fastest that this machine has. The mixed ones move joints by a
            millimetre or two. Exported models compute in float32.

    Returns:
        The model: `predict(images)`, `skeleton`, `describe()`.

    Raises:
        InputError: if there is no such model, it is damaged, or not the pack's base;
            if it is an exported one and the precision neither float32 nor auto.
    """
    folder, policy = folder_of(source), precisions.policy(precision)
    if pack is not None:
        if not (folder / _WEIGHTS).is_file():
            raise errors.InputError(
                f"model: got {source}, expected the networks that the pack {pack} is "
                f"for, with their {_WEIGHTS}: an exported or adapted model is no base"
            )
        domain_pack.read(pack)  # a missing pack is told before the work
    if not (folder / outcome.PACK).is_dir():  # a run of another system, exported
        inside = folder / outcome.MODEL
        folder = inside if (inside / saved_model.MARKER).is_file() else folder
    if (folder / saved_model.MARKER).is_file():
        if precision not in ("auto", "float32"):
            raise errors.InputError(
                f"precision: got {precision}, expected float32: {source} was exported, "
                "and computes in that; give the run or networks it was made of"
            )
        return saved_model.load(folder)
    if (folder / outcome.PACK).is_dir():
        trained = _networks(
            configs.of_run(folder), domain_pack.base_checkpoints(folder)
        )
        model = trained.pose_model()
        about: Mapping | None = domain_pack.apply(folder / outcome.PACK, model.encoder)
    else:
        loaded = configs.load(config_of(folder, config))
        trained = _networks(loaded, folder)
        model = trained.pose_model()
        about = domain_pack.apply(pack, model.encoder) if pack is not None else None
    known = all(map(trained.store.has, networks.MOTION))
    return saved_model.Model(
        serving.Serving(model, metadata=domain_pack.metadata(about), precision=policy),
        motion=(lambda: trained.motion_prior) if known else None,
    )


def adapt(
    videos: str | os.PathLike | np.ndarray | Sequence[np.ndarray],
    *,
    workdir: str | os.PathLike = "workdir/adapt",
    model: str | os.PathLike = files.VIDEO_MODEL,
    config: str | os.PathLike | None = None,
    overrides: Sequence[str] = (),
    video_ids: Sequence[int] | None = None,
    detector: str = "auto",
    boxes: str | None = None,
    frames: bool = True,
) -> Adapted:
    """Adapts a model to unlabelled videos, as `tools/adapt.py --videos=` does.

    Args:
        videos: a folder of videos, one video, or several with commas between them; or
            clips of one person each, uint8 `[N, 60, S, S, 3]`, RGB, 30 fps, squares
            about the person with the margin of the crop rule.
        workdir: gets everything that the run makes; a run that was stopped goes on.
        model: the networks to start from, by name or folder.
        config: YAML file of the run. [the shipped one of the model]
        overrides: such as `"adaptation.steps=40"`.
        video_ids: which video each clip is of; each of another one by default.
        detector: of people in videos, see `tools/adapt.py`.
        boxes: a boxes file in its place.
        frames: whether outputs may show pixels of people; else skeletons alone.

    Raises:
        InputError: if nothing there is usable.
    """
    folder, workdir = folder_of(model), pathlib.Path(workdir)
    chosen, clips = list(overrides), None
    if isinstance(videos, (str, os.PathLike)):
        named = f"data.target_path={os.fspath(videos)!r}"
        chosen = ["data.target=videos", named, *chosen]
    loaded = configs.load(config_of(folder, config), chosen)
    if not isinstance(videos, (str, os.PathLike)):
        clips = _clips(videos, loaded.data.stored_size)
    jobs.check(loaded, workdir, detector=detector, boxes=boxes)
    with files.claimed(workdir):
        configs.begin(loaded, workdir)
        policy = precisions.set_policy(loaded.training.precision)
        job = jobs.Job(loaded, _networks(loaded, folder))
        if clips is None:
            target = jobs.find_target(loaded, detector=detector, boxes=boxes)
            if target.found:
                target.found.write_sheet(workdir, frames=frames)
        else:
            target = _target(clips, video_ids)
        facts = {"precision": policy, "checkpoints": str(folder.resolve())}
        result = outcome.write(job.adapt(target, workdir, facts), frames=frames)
    return Adapted(saved_model.load(workdir / outcome.MODEL), result, workdir)


def predict(
    source: str | os.PathLike,
    *,
    model: str | os.PathLike | predictor.Model = files.VIDEO_MODEL,
    detector: str | os.PathLike = "auto",
    boxes: str | os.PathLike | None = None,
    smooth: str = "zero_lag",
    mirrored: bool = False,
) -> prediction.Prediction:
    """Predicts the 3D pose of every person in every frame of a video.

    Args:
        source: a video, a folder of its frames, or a single picture.
        model: as `load` takes or returns it.
        detector: of people, see `tools/predict.py`.
        boxes: a boxes file in its place.
        smooth: over time, `zero_lag`, `motion` or `none`, see `tools/predict.py`.
        mirrored: whether the model also looks at each picture's mirror image, and says
            the mean, for twice the time.

    Returns:
        The poses: `joints` `[N, J, 3]` in mm, with `frame`, `person`, `box`, ...;
        `save(path)` writes them.

    Raises:
        InputError: if there is no such video, several, or it cannot be read.
    """
    name = ""
    if isinstance(model, (str, os.PathLike)):
        name, model = os.fspath(model), load(model)
    if mirrored:
        model = mirroring.Mirrored(model, model.skeleton)
    try:
        return predictor.predict_video(
            model,
            source,
            name=name,
            detector=detector,
            boxes=boxes,
            smooth=smooth,
        )
    except video.UnreadableError as error:
        raise errors.InputError(f"{source}: {error}; give another video") from None


evaluate = evaluator.evaluate_arrays


def encoder(
    source: str | os.PathLike, config: str | os.PathLike | None = None
) -> tuple[pathlib.Path, configs.Config, image_encoders.ImageEncoder]:
    """Loads G alone of trained networks; `load` explains the arguments.

    Returns:
        Where they lie, their configuration, and G, frozen.

    Raises:
        InputError: if there are no such networks.
    """
    folder = folder_of(source)
    loaded = configs.load(config_of(folder, config))
    return folder, loaded, _networks(loaded, folder).load("image_encoder")


def folder_of(source: str | os.PathLike) -> pathlib.Path:
    """Returns the folder of a model, of which a bare name is a shipped one.

    Raises:
        InputError: if there is no such folder.
    """
    path = files.networks(source)
    if path.is_dir():
        return path
    raise errors.InputError(
        f"model: got {source}, expected the name of a shipped model "
        f"({', '.join(NAMES)}), or the folder of an adaptation, of an exported model "
        "or of trained networks"
    )


def config_of(folder: pathlib.Path, config: str | os.PathLike | None) -> pathlib.Path:
    """Returns the configuration that the networks in a folder were trained with.

    Args:
        folder: of networks.
        config: another one, own or shipped.

    Raises:
        InputError: if the folder holds none, or does not say.
    """
    if config is not None:
        return files.find(config)
    if not (folder / _WEIGHTS).is_file():
        raise errors.InputError(
            f"model: {folder} holds neither an exported model ({saved_model.MARKER}) "
            f"nor a domain pack nor networks ({_WEIGHTS}); give another folder"
        )
    for path in (folder / "config.yaml", folder.parent / "config.yaml"):
        if path.is_file():
            return path
    try:
        return files.shipped(f"configs/{folder.name}.yaml")
    except errors.InputError:
        raise errors.InputError(
            f"model: {folder} does not say how its networks were trained; give config="
        ) from None


def _networks(config: configs.Config, folder: str | os.PathLike) -> networks.Networks:
    return networks.Networks(config, store.Store(folder))


def _clips(videos: np.ndarray | Sequence[np.ndarray], size: int) -> np.ndarray:
    """Clips at the stored size, uint8 `[N, 60, size, size, 3]`."""
    length = views.CLIP_LENGTH
    found = []
    for number, clip in enumerate(videos):
        clip = np.asarray(clip)
        square = clip.ndim == 4 and clip.shape[1] == clip.shape[2]
        if clip.dtype != np.uint8 or not square or clip.shape[::3] != (length, 3):
            raise errors.InputError(
                f"videos: clip {number}: got {clip.dtype} {clip.shape}, expected uint8 "
                f"[{length}, S, S, 3]: two seconds at 30 fps of RGB squares"
            )
        if clip.shape[1] != size:
            area = cv2.INTER_AREA if clip.shape[1] > size else cv2.INTER_LINEAR
            clip = np.stack(
                [cv2.resize(x, (size, size), interpolation=area) for x in clip]
            )
        found.append(clip)
    if not found:
        raise errors.InputError("videos: got no clip; give some seconds of video")
    return np.stack(found)


def _target(clips: np.ndarray, video_ids: Sequence[int] | None) -> targets.Target:
    videos = np.arange(len(clips)) if video_ids is None else np.asarray(video_ids)
    if videos.shape != (len(clips),):
        raise errors.InputError(
            f"video_ids: got {videos.shape}, expected one number for each of the "
            f"{len(clips)} clips"
        )
    names = [f"clip {number}" for number in range(len(clips))]
    return targets.Target(f"{len(clips)} clips", clips, videos, names=names)
