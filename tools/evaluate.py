"""Scores 3D poses by a protocol card, and finds out what is wrong with them.

    python tools/evaluate.py --predictions=pred.npz --reference=ref.npz \
        --protocol=h36m_p1 [--diagnose] [--output=result.json]
    python tools/evaluate.py --model=SAVED_MODEL --dataset=data.npz

Arrays: `joints [N, J, 3]` in mm and `skeleton`; optional `mask`, `action`,
`sequence`, `subject`, `frame_number`. A data set has `images` uint8 `[N, H, W, 3]` too.
"""

from __future__ import annotations

import pathlib

from absl import flags

from sa3dhp import cli, errors

FLAGS = flags.FLAGS
flags.DEFINE_string("predictions", None, "An .npz of predicted joints.")
flags.DEFINE_string("reference", None, "An .npz of true joints, row by row the same.")
flags.DEFINE_string("model", None, "A SavedModel that makes the predictions.")
flags.DEFINE_string("workdir", None, "A finished adaptation; its model is used.")
flags.DEFINE_string("dataset", None, "An .npz of images and joints. [of the workdir]")
flags.DEFINE_string("protocol", "procedural", "A card's name, or a .yaml file.")
flags.DEFINE_enum(
    "target_information",
    None,
    ["R", "E", "G", "L", "N"],
    "What the method knew of the target: raw RGB, estimated 2D, ground-truth 2D, "
    "labels, nothing. [the file's word]",
)
flags.DEFINE_string("output", None, "Writes the result as JSON.")
flags.DEFINE_bool("diagnose", False, "Says what is wrong: axes, sides, unit, order.")
flags.DEFINE_bool("shared_joints", False, "Scores the joints that both sides have.")


def _inputs() -> tuple:
    """Predictions, reference and the default class of information."""
    from sa3dhp.evaluation import poses, prediction

    ways = [name for name in ("predictions", "model", "workdir") if FLAGS[name].value]
    if len(ways) != 1:
        raise errors.InputError(
            f"got {' and '.join(f'--{w}' for w in ways) or 'nothing to evaluate'}, "
            "expected one of --predictions, --model and --workdir"
        )
    if FLAGS.predictions:
        if not FLAGS.reference:
            raise errors.InputError("--reference is missing: give the true joints")
        pred = poses.read(FLAGS.predictions, "predictions")
        return pred, poses.read(FLAGS.reference, "reference"), None
    model, dataset, information = FLAGS.model, FLAGS.dataset, None
    if FLAGS.workdir:
        workdir = pathlib.Path(FLAGS.workdir)
        model, information = workdir / "saved_model", "R"
        held_out = workdir / "evaluation.npz"
        dataset = dataset or (held_out if held_out.is_file() else None)
    if not dataset:
        raise errors.InputError(
            "--dataset is missing: give an .npz of images and joints"
        )
    images, truth = prediction.read_dataset(dataset)
    return prediction.predict(model, images), truth, information


def main() -> None:
    """Evaluates, prints and writes."""
    from sa3dhp.evaluation import doctor, evaluator, protocol, results, tables

    card = protocol.load(FLAGS.protocol)
    if FLAGS.output:
        results.check_writable(FLAGS.output)
    pred, target, information = _inputs()
    information = FLAGS.target_information or information
    result = evaluator.evaluate(
        pred, target, card, information, shared_joints=FLAGS.shared_joints
    )
    print(card.describe(), f"source: {card.citation}", sep="\n")
    print(tables.result_table(result))
    if FLAGS.diagnose:
        found = doctor.diagnose(pred, target, card)
        print(f"\ndiagnosis: {found.text()}")
        result["diagnosis"] = found.text()
    if FLAGS.output:
        results.write(FLAGS.output, result)
        print(f"\nwritten: {FLAGS.output}")


if __name__ == "__main__":
    cli.run(main)
