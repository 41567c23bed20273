"""Scores 3D poses by a protocol card, and finds out what is wrong with them.

    python tools/evaluate.py --predictions=pred.npz --reference=ref.npz [--diagnose]
    python tools/evaluate.py --model=SAVED_MODEL --dataset=prepared/h36m
    python tools/evaluate.py --workdir=WORKDIR
    python tools/evaluate.py --system=nrsfm --workdir=WORKDIR
    python tools/evaluate.py --system=multi_person --workdir=WORKDIR --dataset=FOLDER

Arrays: `joints [N, J, 3]` in mm and `skeleton`; optional `mask`, `action`, `sequence`,
`subject`, `frame_number`. A data set is a folder of prepared data, or an .npz that has
`images` uint8 `[N, H, W, 3]` too; without one, a finished adaptation is scored on what
its configuration names, or on unseen clips of the embedded world. On real pictures:

    python tools/prepare_data.py --dataset=real_multiview --input=DIR --output=OUT
    python tools/evaluate.py --model=SAVED_MODEL --dataset=OUT

A model may also be BlazePose's pose_landmark_full.tflite, for comparison.

With another --system, --workdir is a finished run of its tools/pretrain.py. FOLDER is
MuPoTS-3D's MultiPersonTestSet as it comes, with TS1 to TS20 in it.
"""

from __future__ import annotations

import pathlib
import types

from absl import flags

from sa3dhp import cli, errors, systems

FLAGS = flags.FLAGS
flags.DEFINE_enum("system", systems.NAMES[0], systems.NAMES, "Whose run WORKDIR is.")
flags.DEFINE_string("predictions", None, "An .npz of predicted joints.")
flags.DEFINE_string("reference", None, "An .npz of true joints, row by row the same.")
flags.DEFINE_string(
    "model",
    None,
    "A SavedModel that predicts, or BlazePose's. A SavedModel is a program: it runs "
    "with your rights, so give none that you do not trust.",
)
flags.DEFINE_string("workdir", None, "A finished adaptation; its model is used.")
flags.DEFINE_string(
    "dataset",
    None,
    "A prepared folder, or an .npz with images; of multi_person, MultiPersonTestSet.",
)
flags.DEFINE_string(
    "protocol",
    None,
    "A card's name or .yaml file. [the data set's own, the workdir's, procedural]",
)
flags.DEFINE_enum(
    "target_information",
    None,
    ["R", "E", "G", "L", "N"],
    "What the method knew of the target: raw RGB, estimated 2D, ground-truth 2D, "
    "labels, nothing. [the file's word]",
)
flags.DEFINE_string("output", None, "Writes the result as JSON.")
flags.DEFINE_bool("diagnose", False, "Says what is wrong: axes, sides, unit, order.")
flags.DEFINE_bool(
    "mirrored",
    False,
    "Takes the mean of a picture and of its mirror image, for twice the time.",
)
flags.DEFINE_bool("shared_joints", False, "Scores the joints that both sides have.")


def _job() -> types.ModuleType:
    """TensorFlow, which takes seconds, for those who need it."""
    return systems.part(FLAGS.system, "job")


def _sides() -> tuple:
    """Predictions, truth and what was known of the target, as the flags name them."""
    from sa3dhp.evaluation import inputs

    names = ("predictions", "reference", "model", "workdir", "dataset")
    given = {name: FLAGS[name].value for name in names}
    if FLAGS.system == systems.NAMES[0]:
        return inputs.load(
            **given,
            mirrored=FLAGS.mirrored,
            unseen=lambda workdir: _job().unseen(workdir),
        )
    named = [f"--{name}" for name, value in given.items() if value]
    named += ["--mirrored"] if FLAGS.mirrored else []
    if named != ["--workdir"]:
        raise errors.InputError(
            f"--system={FLAGS.system}: got {' and '.join(named) or 'nothing'}, "
            "expected --workdir alone; files and exported models are evaluated without "
            "--system"
        )
    return _job().predicted(FLAGS.workdir)


def _on_dataset() -> bool:
    """Evaluates a system that has a data set of its own; False for another one."""
    if FLAGS.system == systems.NAMES[0] or not FLAGS.dataset:
        return False
    evaluate = getattr(_job(), "on_dataset", None)
    if evaluate is None:
        return False
    from sa3dhp.evaluation import results

    names = ("predictions", "reference", "model", "protocol", "diagnose", "mirrored")
    named = [f"--{name}" for name in (*names, "shared_joints") if FLAGS[name].value]
    if named or not FLAGS.workdir:
        raise errors.InputError(
            f"--system={FLAGS.system} --dataset: got {' and '.join(named) or 'nothing'}"
            " beside it, expected --workdir, and maybe --output and "
            "--target_information"
        )
    if FLAGS.output:
        results.check_writable(FLAGS.output)
    result, text = evaluate(FLAGS.workdir, FLAGS.dataset, FLAGS.target_information)
    print(text)
    _write(result)
    return True


def _write(result: dict) -> None:
    """Writes a result where the flag says."""
    from sa3dhp.evaluation import results

    if FLAGS.output:
        results.write(FLAGS.output, result)
        print(f"\nwritten: {FLAGS.output}")


def _own_card(dataset: str) -> str | None:
    """The card of a prepared data set's name; only a folder can have one."""
    if not pathlib.Path(dataset).is_dir():
        return None
    from sa3dhp.evaluation import prediction

    return prediction.card_of(dataset)


def main() -> None:
    """Evaluates, prints and writes."""
    if _on_dataset():
        return
    from sa3dhp.evaluation import doctor, evaluator, poses, protocol, results, tables

    name = FLAGS.protocol
    if not name and FLAGS.dataset:
        name = _own_card(FLAGS.dataset)
    if not name and FLAGS.workdir:
        name = _job().card_of(FLAGS.workdir)
    card = protocol.load(name or "procedural")
    if FLAGS.diagnose and card.flat_metrics == card.metrics:
        raise errors.InputError(
            f"--diagnose: looks at joints in 3D, {card.name} at pictures; leave it out"
        )
    if FLAGS.output:
        results.check_writable(FLAGS.output)
    pred, target, information = _sides()
    if not (FLAGS.diagnose or target.flat):  # else: named, with all else that is wrong
        poses.check_units(pred, target, any_size=card.scale == "bones")
    information = FLAGS.target_information or information
    result = evaluator.evaluate(
        pred, target, card, information, shared_joints=FLAGS.shared_joints
    )
    if FLAGS.mirrored:
        result["mirrored"] = True
        print("each picture beside its mirror image, the mean of both")
    print(card.describe(), f"source: {card.citation}", sep="\n")
    print(tables.result_table(result))
    if FLAGS.diagnose:
        result["diagnosis"] = doctor.diagnose(pred, target, card).text()
        print(f"\ndiagnosis: {result['diagnosis']}")
    _write(result)


if __name__ == "__main__":
    cli.run(main)
