"""Domain packs: the block of a model that an adaptation changed, as a small file.

    python tools/pack.py inspect PACK
    python tools/pack.py diff PACK PACK
    python tools/pack.py apply PACK --checkpoints=BASE --output=DIR
    python tools/pack.py average PACK PACK .. --checkpoints=BASE --output=PACK
    python tools/pack.py create --checkpoints=BASE --adapted=DIR --output=PACK

`tools/adapt.py` leaves a pack in `WORKDIR/domain_pack`; WORKDIR does for PACK. `apply`
writes networks that every tool takes for a model; base + pack is the adapted model to
the last bit. `average` makes one pack of several places, `create` one of two folders of
networks that differ in the block alone.
"""

from __future__ import annotations

import pathlib

from absl import flags

from sa3dhp import cli, errors, files

FLAGS = flags.FLAGS
flags.DEFINE_string("output", None, "What is written; an earlier one is replaced.")
flags.DEFINE_string(
    "checkpoints", files.VIDEO_MODEL, "The base: networks, by name or folder."
)
flags.DEFINE_string("adapted", None, "For create: networks after the adaptation.")
flags.DEFINE_string("config", None, "YAML file of the networks. [theirs]")
flags.DEFINE_string("block", "res3", "For create: what of G may differ.")
flags.DEFINE_string("target", "", "For create: what it was adapted to, in words.")
flags.DEFINE_string("licence", "", "For create: what the pack may be used for.")
_COUNTS = {  # of packs that each takes
    "create": (0, 0),
    "apply": (1, 1),
    "inspect": (1, 1),
    "diff": (2, 2),
    "average": (2, 99),
}
_WRITING = ("create", "apply", "average")


def main(verb: str = "", *named: str) -> None:
    """Does what the first word says."""
    low, high = _COUNTS.get(verb, (0, -1))
    if not low <= len(named) <= high:
        got = " ".join([verb, *named]) or "nothing"
        raise errors.InputError(
            f"got {got}, expected one of: inspect PACK, diff PACK PACK, apply PACK, "
            "average PACK PACK .., create (--help shows each)"
        )
    if verb in _WRITING and not FLAGS.output:
        raise errors.InputError(f"{verb}: --output is missing: name what is written")
    from sa3dhp.export import domain_pack, packs

    chosen = [_pack(name) for name in named]
    for pack in chosen:
        domain_pack.read(pack)  # a missing pack is told before the work
    if verb == "inspect":
        print(packs.summary(chosen[0]))
    elif verb == "diff":
        print("share of norm   most      weight")
        for name, share, most in packs.diff(*chosen):
            print(f"{100 * share:10.4f} %   {most:.2e}  {name}")
    else:
        _write(verb, chosen)


def _write(verb: str, chosen: list[pathlib.Path]) -> None:
    from sa3dhp import api
    from sa3dhp.export import packs
    from sa3dhp.systems.relation_distillation import config as configs

    folder, config, base = api.encoder(FLAGS.checkpoints, FLAGS.config)
    if verb == "create":
        if not FLAGS.adapted:
            raise errors.InputError("create: --adapted is missing: name networks")
        adapted = api.encoder(FLAGS.adapted, FLAGS.config)[2]
        words = {"target": FLAGS.target, "licence": FLAGS.licence}
        packs.create(FLAGS.output, base, adapted, FLAGS.block, **words)
    elif verb == "average":
        packs.average(FLAGS.output, chosen, base)
    else:
        packs.apply(FLAGS.output, chosen[0], folder, base)
        configs.dump(config, pathlib.Path(FLAGS.output) / "config.yaml")
    then = "predict.py --input=VIDEO --output=out --model=" + FLAGS.output
    if verb != "apply":
        then = f"pack.py inspect {FLAGS.output}"
    print(f"written: {FLAGS.output}\nnext: {cli.as_started('python tools/' + then)}")


def _pack(named: str) -> pathlib.Path:
    """A pack, or the one in the folder of an adaptation."""
    path = pathlib.Path(named)
    inner = path / "domain_pack"
    return inner if inner.is_dir() else path


if __name__ == "__main__":
    cli.run(main, operands=True)
