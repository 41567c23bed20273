"""Predicts 3D poses of the people in videos: files with joints, and drawn videos.

    python tools/predict.py --input=VIDEO --output=DIR
    python tools/predict.py --input=FOLDER --output=DIR --model=workdir/mine
    python tools/predict.py --input=VIDEO --output=DIR --system=multi_person --model=RUN

The input is a video, a folder of videos or of frames, a single picture, a pattern in
quotes ('clips/*.mp4'), several of them with commas between, or the number of a camera
(0), which is watched until Ctrl-C. DIR gets `poses.npz` (joints in mm with names,
frames, times, boxes and confidences; `sa3dhp/prediction/prediction.py` documents each
array), the
same as `poses.json` and `poses.csv`, `person_0.bvh` and so on for animation programs,
`report.html`, where the skeletons can be turned and moved through time,
`overlay.mp4`, `tracks.png` (who was followed, and what was dropped and why) and
`prediction.json`; of several videos each has a folder. With --system=multi_person a
model of several people sees everybody at once, and where they stand; RUN is the workdir
of its training. The drawing over the picture is the 3D pose fitted into the person's
box: it is no detection of joints.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from absl import flags

from sa3dhp import cli, errors, files
from sa3dhp.systems.relation_distillation import config as configs

FLAGS = flags.FLAGS
_ONE, _MANY = "relation_distillation", "multi_person"
flags.DEFINE_enum("system", _ONE, [_ONE, _MANY], "Whose model it is.")
flags.DEFINE_string(
    "input",
    None,
    "A video, a folder of videos or of frames, a picture, a pattern; several with "
    "commas; or the number of a camera.",
)
flags.DEFINE_string(
    "output", None, "Folder to write; an earlier prediction is replaced."
)
flags.DEFINE_string(
    "model",
    files.VIDEO_MODEL,
    "A shipped model's name; or the folder of an adaptation, an exported model or "
    "networks.",
)
flags.DEFINE_string(
    "pack", None, "A domain pack that the model, its base, is to be adapted by."
)
flags.DEFINE_string(
    "detector",
    "auto",
    "Of people: blazepose, hog, a .tflite or .onnx file, or a SavedModel; auto is "
    "blazepose where mediapipe is installed, else hog. A SavedModel is "
    "a program: it runs with your rights, so give none that you do not trust.",
)
flags.DEFINE_string("boxes", None, "JSON or CSV file of the person's boxes instead.")
flags.DEFINE_float("fps", 30.0, "Rate of folders of frames.", lower_bound=1.0)
flags.DEFINE_enum(
    "smooth",
    "zero_lag",
    ["zero_lag", "motion", "none"],
    "Over time: a Butterworth filter of 6 Hz, there and back (of a camera One-Euro, "
    "which knows no future); motion: the model's motion auto-encoder, far calmer, but "
    "it takes away what it does not know; or nothing.",
)
flags.DEFINE_bool(
    "mirrored",
    False,
    "Takes the mean of a picture and of its mirror image, for twice the time.",
)
flags.DEFINE_enum(
    "precision",
    "float32",
    configs.PRECISIONS,
    "That the network computes in; auto is the fastest of this machine. The mixed ones "
    "move joints by a millimetre or two.",
)
flags.DEFINE_list("formats", "json,csv,bvh,html", "What is written beside poses.npz.")
flags.DEFINE_bool("draw", True, "Whether to write drawn videos.")
flags.DEFINE_bool(
    "no_frames", False, "Shows no pixel of people in any output: skeletons alone."
)
flags.DEFINE_float(
    "seconds", None, "How long to watch a camera. [until Ctrl-C]", lower_bound=0.0
)


def main() -> None:
    """Predicts, shows how far it is, and says what came of it."""
    for name in ("input", "output"):
        if not FLAGS[name].value:
            raise errors.InputError(f"--{name}: expected a value, got none")
    from sa3dhp.data.videos import video
    from sa3dhp.prediction import job, live

    camera = live.camera(FLAGS.input)
    if FLAGS.system == _MANY:
        _check_many(camera)
    sources = [] if camera is not None else video.discover(FLAGS.input)
    files.check_folder(FLAGS.output, job.RESULT)
    options = job.Options(
        FLAGS.detector,
        FLAGS.boxes,
        FLAGS.fps,
        FLAGS.smooth,
        tuple(FLAGS.formats),
        FLAGS.draw,
        not FLAGS.no_frames,
    )
    job.check(options)
    if camera is not None:
        _watch(camera, options)
        return
    from sa3dhp import progress

    model: Any
    everybody = None
    if FLAGS.system == _MANY:
        from sa3dhp.systems.multi_person import watching

        model, everybody = watching.load(FLAGS.model), watching.predict_video
    else:
        model = _one()
    stack = contextlib.ExitStack()
    bars: dict[tuple[str, str], progress.Progress] = {}

    def show(source: str, stage: str, done: int, total: int) -> None:
        key = source, stage
        if key not in bars:
            stack.close()
            title = f"{stage} {source}"
            bars[key] = stack.enter_context(progress.Progress(title, 0, max(total, 1)))
        bars[key].update(min(done, max(total, 1)), {})

    with stack:
        told = job.run(
            model,
            sources,
            FLAGS.output,
            options,
            name=FLAGS.model,
            everybody=everybody,
            progress=show,
        )
    print(cli.as_started(job.summary(told, FLAGS.output)))
    if told.get("interrupted"):
        sys.exit(130)


def _watch(camera: int, options: Any) -> None:
    """Predicts what a camera shows, until Ctrl-C or its time is over."""
    from sa3dhp.prediction import job, live, smoothing

    smoothing.refuse_motion(FLAGS.smooth, "a camera's next frames are not known")
    capture = live.open_camera(camera)  # before the model, which takes seconds
    model = _one()
    print("watching; Ctrl-C ends it and keeps what is done", flush=True)
    limit = FLAGS.seconds or float("inf")
    told = live.run(
        model, capture, FLAGS.output, options, name=FLAGS.model, seconds=limit
    )
    print(cli.as_started(job.summary(told, FLAGS.output)))


def _one() -> Any:
    """The model of one person, as the flags name it."""
    from sa3dhp import api
    from sa3dhp.models import mirrored

    model = api.load(FLAGS.model, pack=FLAGS.pack, precision=FLAGS.precision)
    if not FLAGS.mirrored:
        return model
    return mirrored.Mirrored(model, model.skeleton)


def _check_many(camera: int | None) -> None:
    """Refuses what a model that sees everybody has no use for."""
    from sa3dhp.prediction import smoothing

    names = ("pack", "detector", "boxes", "mirrored", "precision")
    given = [n for n in names if FLAGS[n].present]
    given += ["input"] if camera is not None else []
    if given:
        raise errors.InputError(
            f"--{given[0]}={FLAGS[given[0]].value}: got it with --system={_MANY}, "
            "which sees everybody in videos and pictures without it; leave it out"
        )
    smoothing.refuse_motion(FLAGS.smooth, f"--system={_MANY} has no such part")
    if not FLAGS["model"].present:
        raise errors.InputError(
            f"--model: expected the WORKDIR of a --system={_MANY} run, got none; what "
            "is shipped saw drawings alone: train one on pictures, as "
            f"configs/{_MANY}_folder.yaml says"
        )


if __name__ == "__main__":
    cli.run(main)
