"""From configuration to trained networks, stage by stage."""

import pathlib

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.synthetic import world
from sa3dhp.systems.relation_distillation import build, config
from sa3dhp.training import checkpoint, store

ROOT = pathlib.Path(__file__).resolve().parents[3]
SMOKE = ROOT / "configs" / "smoke.yaml"
TINY = (
    "relations.rules=[z3, v3]",
    "relations.pose_widths=[8, 32]",
    "relations.motion_widths=[8, 128]",
    "training.checkpoint_every=2",
)


def _builder(folder, *overrides):
    loaded = config.load(SMOKE, (*TINY, *overrides))
    return build.Builder(loaded, store.Store(folder / "checkpoints"))


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A folder with every network but the relations', as they are made."""
    folder = tmp_path_factory.mktemp("untrained")
    builder, networks = _builder(folder), store.Store(folder / "checkpoints")
    names = ("pose_encoder", "pose_decoder", "motion_encoder", "motion_decoder")
    networks.save({name: builder.network(name) for name in names})
    networks.save_bones(build.SKELETON, world.mean_bone_lengths())
    return folder


def _hashes(folder):
    networks = store.Store(folder / "checkpoints")
    names = sorted(p.stem for p in networks.folder.glob("*.npz"))
    return {name: networks.hash(name) for name in names}


def _train_in_pieces(folder, name, *overrides):
    """Trains a stage with a break, then without; returns the hashes of both."""
    first = _builder(folder, *overrides, f"{name}.steps=3")
    first.train(name, folder / "broken")
    _builder(folder, *overrides).train(name, folder / "broken")
    broken = _hashes(folder)
    _builder(folder, *overrides).train(name, folder / "whole")
    return broken, _hashes(folder)


def test_relation_stage_resumes_to_the_bit_and_says_what_it_stands_on(untrained):
    broken, whole = _train_in_pieces(untrained, "relations", "relations.rules=[z3]")
    assert broken == whole
    meta = checkpoint.read_meta(untrained / "checkpoints" / "relation_z3.npz")
    assert set(meta["trained_on"]) == {"pose_encoder", "pose_decoder"}
    assert (meta["theta_deg"], meta["stage"]) == (50.0, "relation_z3")
    assert set(meta["measured"]) == {
        "non_localness",
        "residual",
        "decoded_mm",
        "reconstructed_mm",
    }
    builder = _builder(untrained, "relations.theta_deg=25")
    with pytest.raises(errors.InputError, match=r"theta_deg: trained with 50\.0"):
        builder.load("relation_z3")
    assert builder.load("pose_encoder").trainable_variables == []


@pytest.mark.slow
def test_every_stage_resumes_to_the_bit(tmp_path):
    for name in build.STAGES:
        broken, whole = _train_in_pieces(tmp_path, name)
        assert broken == whole
    assert len(whole) == 7


def test_initial_weights_are_a_function_of_the_seed_alone(tmp_path):
    def start(name, *overrides):
        return checkpoint.weights_hash(_builder(tmp_path, *overrides).network(name))

    assert start("pose_encoder") == start("pose_encoder")
    assert start("pose_encoder") != start("pose_encoder", "training.seed=1")


def test_stage_without_its_predecessor_names_file_and_command(tmp_path):
    for name in ("motion_autoencoder", "source", "relations"):
        with pytest.raises(
            errors.InputError,
            match=r"(pose_encoder.npz|meta.json): no such checkpoint; run python "
            r"tools/pretrain.py --stage=pose_autoencoder",
        ):
            _builder(tmp_path).train(name, tmp_path)


def test_unknown_rule_is_an_input_error(tmp_path):
    with pytest.raises(errors.InputError, match="got 'z9', expected some of z1, z2"):
        _builder(tmp_path, "relations.rules=[z9]")


def test_learning_rate_follows_the_schedule(tmp_path):
    constant = _builder(tmp_path)._rate(config.Source(learning_rate=0.5))
    assert constant == 0.5
    cosine = _builder(tmp_path, "training.schedule=cosine")._rate(
        config.Source(learning_rate=0.5, steps=100)
    )
    rates = [float(cosine(step)) for step in (0, 50, 100)]
    np.testing.assert_allclose(rates, [0.5, 0.2525, 0.005], rtol=1e-3)


@pytest.mark.slow
def test_source_stage_moves_only_the_image_encoder(untrained):
    (stage,) = _builder(untrained, "source.ema=0.9").stages("source")
    before = _hashes(untrained)
    start = checkpoint.weights_hash(stage.networks["image_encoder"])
    terms = stage.step(next(stage.batches(0)))
    assert set(terms) == {"joints", "latent"}
    assert checkpoint.weights_hash(stage.networks["image_encoder"]) != start
    assert _hashes(untrained) == before
