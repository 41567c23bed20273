"""`tools/pack.py`: packs made, looked at, compared, averaged and applied.

With a small ResNet: a pack is a list of arrays, whatever their number.
"""

import json

import numpy as np
import pytest
import small_resnet
import tool_runner

from sa3dhp import api, errors
from sa3dhp.export import domain_pack, packs
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import networks as networks_
from sa3dhp.training import checkpoint, store

LENGTHS = np.float32([0, *np.linspace(100, 400, 16)])


@pytest.fixture(scope="module", autouse=True)
def _small():
    with small_resnet.used():
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory, repo_root):
    """A folder with networks `base`, and two packs of them, `one` and `two`."""
    folder = tmp_path_factory.mktemp("packs")
    config = configs.load(repo_root / "configs" / "smoke.yaml")
    known = store.Store(folder / "base")
    made = networks_.Networks(config, known)
    known.save({n: made.new(n) for n in ("image_encoder", *networks_.POSE)})
    known.save_bones(skeletons.SA3DHP17, LENGTHS)
    configs.begin(config, folder / "base")
    for seed, name in enumerate(("one", "two")):
        encoder = made.load("image_encoder")
        encoder.trainable = True
        rng = np.random.default_rng(seed)
        for weight in encoder.res_variables("res3"):
            weight.assign_add(1e-3 * rng.normal(size=weight.shape).astype(np.float32))
        domain_pack.write(
            folder / name,
            encoder,
            "res3",
            known.hash("image_encoder"),
            target=name,
            monitors={"source_only": {"z3": 2.0}, "adapted": {"z3": 1.5}},
            verdict="kept",
            licence="mine",
            config={},
        )
    return folder


def _run(place, *flags):
    return tool_runner.run("pack", *flags, cwd=place, small=True)


def _weights(place, name):
    """What a folder of networks holds of G: arrays, and their hash."""
    arrays, meta = checkpoint.read_arrays(place / name / packs.NETWORK)
    return arrays, meta["weights_hash"]


def test_applied_is_the_adapted_model_to_the_last_bit_and_makes_the_pack_again(place):
    done = _run(place, "apply", "one", "--checkpoints=base", "--output=adapted")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    about = domain_pack.read(place / "one")
    arrays, _ = checkpoint.read_arrays(place / "one" / domain_pack.WEIGHTS)
    (base, first), (adapted, last) = (_weights(place, x) for x in ("base", "adapted"))
    assert (first, last) == (about["base_hash"], about["adapted_hash"])
    for name, array in adapted.items():
        np.testing.assert_array_equal(array, arrays.get(name, base[name]))
    flags = ("--checkpoints=base", "--adapted=adapted", "--target=a hall")
    done = _run(place, "create", *flags, "--output=again")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    again = domain_pack.read(place / "again")
    for key in ("pack_hash", "base_hash", "adapted_hash", "block"):
        assert again[key] == about[key]
    assert again["target"] == "a hall"


def test_networks_with_a_pack_predict_as_those_it_was_applied_to(place):
    flags = ("--checkpoints=base", "--output=other")
    done = _run(place, "apply", "two", *flags)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    whole = api.load(place / "base", pack=place / "two").predict(images)
    np.testing.assert_array_equal(api.load(place / "other").predict(images), whole)


def test_the_mean_lies_between(place):
    done = _run(place, "average", "one", "two", "--checkpoints=base", "--output=mean")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    one, two, mean = (
        checkpoint.read_arrays(place / name / domain_pack.WEIGHTS)[0]
        for name in ("one", "two", "mean")
    )
    for name in mean:
        np.testing.assert_allclose(mean[name], (one[name] + two[name]) / 2, atol=1e-7)
    about = domain_pack.read(place / "mean")
    assert about["target"] == ["one", "two"] and about["licence"] == "mine"
    encoder = api.encoder(place / "base")[2]
    domain_pack.apply(place / "mean", encoder)  # its hashes are right


def test_inspect_and_diff_say_what_there_is(place):
    done = _run(place, "inspect", "one")
    for words in ("target: one", "block: res3", "z3: 2 -> 1.5", "licence: mine"):
        assert words in done.stdout, words
    done = _run(place, "diff", "one", "two")
    rows = done.stdout.splitlines()[1:]
    assert len(rows) == len(packs.diff(place / "one", place / "two")) > 5
    shares = [float(row.split()[0]) for row in rows]
    assert shares == sorted(shares, reverse=True) and shares[0] > 0
    assert all(share == 0 for _, share, _ in packs.diff(place / "one", place / "one"))


def test_models_that_differ_elsewhere_make_no_pack(place, tmp_path):
    base, other = (api.encoder(place / "base")[2] for _ in range(2))
    with pytest.raises(errors.InputError, match="the same model twice"):
        packs.create(tmp_path / "x", base, other, "res3", target="", licence="")
    for weight in other.weights:
        weight.assign_add(np.ones(weight.shape, np.float32))
    with pytest.raises(errors.InputError, match="weights outside of it"):
        packs.create(tmp_path / "x", base, other, "res3", target="", licence="")
    assert not list(tmp_path.iterdir())


def test_packs_of_another_base_are_neither_compared_nor_averaged(place, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for path in (place / "two").iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    told = json.loads((other / "pack.json").read_text())
    (other / "pack.json").write_text(json.dumps({**told, "base_hash": "0"}))
    with pytest.raises(errors.InputError, match="give packs of one base"):
        packs.diff(place / "one", other)
    base = api.encoder(place / "base")[2]
    with pytest.raises(errors.InputError, match="give packs of one base"):
        packs.average(tmp_path / "x", [place / "one", other], base)
    with pytest.raises(errors.InputError, match="the pack was made for 0"):
        packs.average(tmp_path / "x", [other, other], base)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "got nothing, expected one of: inspect"),
        (["melt", "one"], "got melt one"),
        (["diff", "one"], "got diff one"),
        (["apply", "one"], "apply: --output is missing"),
        (["inspect", "none"], "no such domain pack"),
        (["create", "--checkpoints=base", "--output=x"], "--adapted is missing"),
        (["apply", "one", "--checkpoints=one", "--output=x"], "holds neither"),
        (["apply", "one", "--checkpoints=base", "--output=one"], "holds other things"),
    ],
)
def test_bad_input_is_one_line(place, flags, words):
    done = _run(place, *flags)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert words in done.stderr and not (place / "x").exists()


def test_a_model_that_is_no_base_takes_no_pack(place):
    with pytest.raises(errors.InputError, match="is no base"):
        api.load(place / "one", pack=place / "one")
