r"""Scores 3D poses by a protocol card, and finds out what is wrong with them.

    python tools/evaluate.py --predictions=pred.npz --reference=ref.npz \
        --protocol=h36m_p1 [--diagnose] [--output=result.json]
    python tools/evaluate.py --model=SAVED_MODEL --dataset=data.npz
    python tools/evaluate.py --workdir=WORKDIR

Arrays: `joints [N, J, 3]` in mm and `skeleton`; optional `mask`, `action`,
`sequence`, `subject`, `frame_number`. A data set has `images` uint8 `[N, H, W, 3]` too;
without one, a finished adaptation is scored on the embedded world's unseen clips.
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
flags.DEFINE_string("dataset", None, "An .npz of images and joints.")
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


def _unseen_clips(workdir: pathlib.Path) -> tuple:
    """The clips of the embedded world on which an adaptation is measured."""
    from sa3dhp import config as configs
    from sa3dhp.evaluation import prediction
    from sa3dhp.training import data

    path = workdir / "config.yaml"
    if not path.is_file():
        raise errors.InputError(f"{path} is missing: give --dataset, or its workdir")
    config = configs.load(path)
    return prediction.from_clips(data.test_clips(config), config.data.image_size)


def main() -> None:
    """Evaluates, prints and writes."""
    from sa3dhp.evaluation import doctor, evaluator, inputs, protocol, results, tables

    card = protocol.load(FLAGS.protocol)
    if FLAGS.output:
        results.check_writable(FLAGS.output)
    names = ("predictions", "reference", "model", "workdir", "dataset")
    pred, target, information = inputs.load(
        **{name: FLAGS[name].value for name in names}, unseen=_unseen_clips
    )
    information = FLAGS.target_information or information
    result = evaluator.evaluate(
        pred, target, card, information, shared_joints=FLAGS.shared_joints
    )
    print(card.describe(), f"source: {card.citation}", sep="\n")
    print(tables.result_table(result))
    if FLAGS.diagnose:
        result["diagnosis"] = doctor.diagnose(pred, target, card).text()
        print(f"\ndiagnosis: {result['diagnosis']}")
    if FLAGS.output:
        results.write(FLAGS.output, result)
        print(f"\nwritten: {FLAGS.output}")


if __name__ == "__main__":
    cli.run(main)
