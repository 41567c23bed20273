"""Base + pack is the adapted model, bit for bit, or an error."""

import json

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.export import domain_pack
from sa3dhp.models import image_encoder
from sa3dhp.training import checkpoint

ABOUT = {
    "target": {"videos": 12, "name": "street"},
    "monitors": {"z3": [1.84, 1.3], "spread": [0.4, 0.39]},
    "verdict": {"step": 40, "reason": "residuals met the floor"},
    "licence": "own videos; weights Apache-2.0",
    "config": {"training": {"seed": 3}},
}


def _values(encoder):
    named = checkpoint.named_weights(encoder)
    return {name: weight.numpy() for name, weight in named.items()}


def _reset(encoder, values):
    for name, weight in checkpoint.named_weights(encoder).items():
        weight.assign(values[name])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An encoder, its weights before and after adapting, the base's hash, a pack."""
    tf.keras.utils.set_random_seed(0)
    encoder = image_encoder.ImageEncoder(32, None, 1, (8, 8, 8), 16)
    base, base_hash = _values(encoder), checkpoint.weights_hash(encoder)
    rng = np.random.default_rng(0)
    for weight in encoder.res_variables("res3"):
        # Small steps whose bits float16 would lose.
        weight.assign_add(1e-5 * rng.normal(size=weight.shape))
    folder = tmp_path_factory.mktemp("pack") / "domain_pack"
    domain_pack.write(folder, encoder, "res3", base_hash, **ABOUT)
    return encoder, base, _values(encoder), base_hash, folder


@pytest.fixture
def pack(made, tmp_path):
    """A copy of the pack to spoil, and the encoder as the base."""
    encoder, base, _, _, folder = made
    _reset(encoder, base)
    copy = tmp_path / "domain_pack"
    copy.mkdir()
    for item in folder.iterdir():
        (copy / item.name).write_bytes(item.read_bytes())
    return copy, encoder, base


def _same(encoder, values):
    found = _values(encoder)
    assert all((found[name] == values[name]).all() for name in values)


@pytest.mark.parametrize("frozen", [False, True])
def test_base_and_pack_are_the_adapted_model_bit_for_bit(made, frozen):
    encoder, base, adapted, _, folder = made
    _reset(encoder, base)
    encoder.trainable = not frozen  # as a store loads it
    try:
        about = domain_pack.apply(folder, encoder)
    finally:
        encoder.trainable = True
    _same(encoder, adapted)
    assert {key: about[key] for key in ABOUT} == ABOUT


def test_pack_holds_the_block_alone_and_is_small(made):
    _, base, adapted, base_hash, folder = made
    arrays, _ = checkpoint.read_arrays(folder / domain_pack.WEIGHTS)
    assert set(arrays) == {k for k in base if (base[k] != adapted[k]).any()}
    assert sum(item.stat().st_size for item in folder.iterdir()) < 5.5e6
    about = domain_pack.read(folder)
    assert (about["block"], about["base_hash"]) == ("res3", base_hash)
    assert about["num_weights"] == sum(array.size for array in arrays.values())


def test_another_base_is_refused_by_both_hashes(pack, made):
    folder, encoder, _ = pack
    kernel = checkpoint.named_weights(encoder)["_latent/kernel"]
    kernel.assign_add(1e-3 * tf.ones_like(kernel))
    other = _values(encoder)
    found = checkpoint.weights_hash(encoder)
    with pytest.raises(errors.InputError) as caught:
        domain_pack.apply(folder, encoder)
    assert found in str(caught.value) and made[3] in str(caught.value)
    _same(encoder, other)


def test_a_second_application_is_refused_and_says_why(pack, made):
    folder, encoder, _ = pack
    domain_pack.apply(folder, encoder)
    with pytest.raises(errors.InputError, match="has this pack in it already"):
        domain_pack.apply(folder, encoder)
    _same(encoder, made[2])


def _spoil_json(folder, **changes):
    path = folder / domain_pack.DESCRIPTION
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_weights_of_another_pack_are_refused(pack):
    folder, encoder, base = pack
    arrays, _ = checkpoint.read_arrays(folder / domain_pack.WEIGHTS)
    name = next(iter(arrays))
    arrays[name] = arrays[name] + 1
    checkpoint.write_arrays(folder / domain_pack.WEIGHTS, arrays, dtype="float32")
    with pytest.raises(errors.InputError, match="do not belong together"):
        domain_pack.apply(folder, encoder)
    _same(encoder, base)


def test_a_move_outside_the_block_is_found_and_nothing_changes(pack):
    folder, encoder, base = pack
    _spoil_json(folder, adapted_hash="0" * 64)
    with pytest.raises(errors.InputError, match="do not belong together"):
        domain_pack.apply(folder, encoder)
    _same(encoder, base)


def test_damaged_or_missing_packs_are_input_errors(pack, tmp_path):
    folder, encoder, base = pack
    with pytest.raises(errors.InputError, match=r"no such domain pack; run python"):
        domain_pack.apply(tmp_path / "none", encoder)
    weights = folder / domain_pack.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(errors.InputError, match="damaged"):
        domain_pack.apply(folder, encoder)
    _spoil_json(folder, block=None)
    with pytest.raises(errors.InputError, match="damaged"):
        domain_pack.read(folder)
    (folder / domain_pack.DESCRIPTION).write_text("{")
    with pytest.raises(errors.InputError, match="damaged"):
        domain_pack.read(folder)
    _same(encoder, base)


def test_a_frozen_encoder_cannot_be_packed(made, tmp_path):
    encoder = made[0]
    encoder.trainable = False
    try:
        with pytest.raises(ValueError, match="is the encoder frozen"):
            domain_pack.write(tmp_path / "x", encoder, "res3", "", **ABOUT)
    finally:
        encoder.trainable = True
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["run.json", "result.json"])
def test_a_run_names_its_base_networks(tmp_path, name):
    with pytest.raises(errors.InputError, match=r"do not name the base networks; give"):
        domain_pack.base_checkpoints(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / name).write_text('{"checkpoints": "a/b"}')
    assert str(domain_pack.base_checkpoints(tmp_path)) == "a/b"
