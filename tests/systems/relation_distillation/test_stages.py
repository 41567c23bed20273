"""From configuration to trained networks, stage by stage."""

import pathlib

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.synthetic import world
from sa3dhp.systems.relation_distillation import config, networks, rules, stages
from sa3dhp.training import checkpoint, store

ROOT = pathlib.Path(__file__).resolve().parents[3]
SMOKE = ROOT / "configs" / "smoke.yaml"
TINY = (
    "relations.rules=[z3, v3]",
    "relations.pose_widths=[8, 32]",
    "relations.motion_widths=[8, 128]",
    "training.checkpoint_every=2",
)


def _stages(folder, *overrides):
    loaded = config.load(SMOKE, (*TINY, *overrides))
    return stages.make(loaded, folder / "checkpoints")


def _networks(folder, *overrides):
    loaded = config.load(SMOKE, (*TINY, *overrides))
    return networks.Networks(loaded, store.Store(folder / "checkpoints"))


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A folder with every network but the relations', as they are made."""
    folder = tmp_path_factory.mktemp("untrained")
    made = _networks(folder)
    names = (*networks.POSE, *networks.MOTION)
    made.store.save({name: made.new(name) for name in names})
    made.store.save_bones(networks.SKELETON, world.mean_bone_lengths())
    return folder


def _hashes(folder):
    kept = store.Store(folder / "checkpoints")
    names = sorted(p.stem for p in kept.folder.glob("*.npz"))
    return {name: kept.hash(name) for name in names}


def _train_in_pieces(folder, name, *overrides):
    """Trains a stage with a break, then without; returns the hashes of both."""
    first = _stages(folder, *overrides, f"{name}.steps=3")
    first.train(name, folder / "broken")
    _stages(folder, *overrides).train(name, folder / "broken")
    broken = _hashes(folder)
    _stages(folder, *overrides).train(name, folder / "whole")
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
    turned = _networks(untrained, "relations.theta_deg=25")
    with pytest.raises(errors.InputError, match=r"theta_deg: trained with 50\.0"):
        turned.load("relation_z3")
    assert turned.load("pose_encoder").trainable_variables == []
    same = _networks(untrained)
    assert same.measured("relation_z3") == meta["measured"]
    latent = same.load("relation_z3")(np.zeros([1, 32], np.float32))
    assert latent.shape == (1, 32)


@pytest.mark.slow
def test_every_stage_resumes_to_the_bit(tmp_path):
    for name in config.STAGES:
        broken, whole = _train_in_pieces(tmp_path, name)
        assert broken == whole
    assert len(whole) == 7


def test_stage_without_its_predecessor_names_file_and_command(tmp_path):
    for name in ("motion_autoencoder", "source", "relations"):
        with pytest.raises(
            errors.InputError,
            match=r"(pose_encoder.npz|meta.json): no such checkpoint; run python "
            r"tools/pretrain.py --stage=pose_autoencoder",
        ):
            _stages(tmp_path).train(name, tmp_path)


def test_learning_rate_follows_the_schedule(tmp_path):
    constant = _stages(tmp_path)._rate(config.Source(learning_rate=0.5))
    assert constant == 0.5
    cosine = _stages(tmp_path, "training.schedule=cosine")._rate(
        config.Source(learning_rate=0.5, steps=100)
    )
    rates = [float(cosine(step)) for step in (0, 50, 100)]
    np.testing.assert_allclose(rates, [0.5, 0.2525, 0.005], rtol=1e-3)


@pytest.mark.slow
def test_source_stage_moves_only_the_image_encoder(untrained):
    (stage,) = _stages(untrained, "source.ema=0.9").parts("source")
    before = _hashes(untrained)
    start = checkpoint.weights_hash(stage.networks["image_encoder"])
    terms = stage.step(next(stage.batches(0)))
    assert set(terms) == {"joints", "latent"}
    assert checkpoint.weights_hash(stage.networks["image_encoder"]) != start
    assert _hashes(untrained) == before


def test_parts_are_made_one_after_the_other(untrained):
    parts = _stages(untrained).parts("relations")
    first = next(parts)
    assert (first.name, first.trained_on) == ("relation_z3", networks.POSE)
    assert first.meta == {"theta_deg": 50.0, "pieces": "pose: flip + 50 degrees"}
    second = next(parts)
    assert second.trained_on == networks.POSE + networks.MOTION
    assert list(second.networks) == ["relation_v3"]
    assert next(parts, None) is None


def test_frozen_batch_norm_is_a_choice_of_the_configuration(untrained, eagerly):
    """The source stage then trains all but the backbone's statistics."""
    frozen = ("image_encoder.batch_norm=frozen", "source.batch_size=2")
    (stage,) = _stages(untrained, *frozen).parts("source")
    network = stage.networks["image_encoder"]
    statistics = [v.numpy() for v in network.backbone.non_trainable_variables]
    start = checkpoint.weights_hash(network)
    assert set(stage.step(next(stage.batches(0)))) == {"joints", "latent"}
    assert checkpoint.weights_hash(network) != start
    for variable, value in zip(network.backbone.non_trainable_variables, statistics):
        np.testing.assert_array_equal(variable, value)


def test_a_trained_g_is_trained_on(untrained, eagerly, tmp_path):
    """As of a shipped model, on one's own labels."""
    trained = "image_encoder.weights=trained"
    with pytest.raises(errors.InputError, match=r"no image_encoder\.npz; give --start"):
        next(_stages(untrained, trained).parts("source"))
    made = _networks(untrained, "training.seed=5")
    lent, started = tmp_path / "lent", store.Store(tmp_path / "checkpoints")
    store.Store(lent).save({"image_encoder": made.new("image_encoder")})
    started.start_from(lent)
    started.start_from(untrained / "checkpoints")
    frozen = ("image_encoder.batch_norm=frozen", "source.batch_size=2")
    (stage,) = _stages(tmp_path, trained, *frozen).parts("source")
    network = stage.networks["image_encoder"]
    before = checkpoint.weights_hash(network)
    assert before == store.Store(lent).hash("image_encoder")
    stage.step(next(stage.batches(0)))
    assert checkpoint.weights_hash(network) != before


def test_the_non_localness_of_a_rule_needs_no_relation_network(untrained, eagerly):
    making = _stages(untrained, "relations.pairs=4")
    far = making.non_localness(rules.table()["z3"])
    assert 0 < far < 2 * 32**0.5
    assert making.non_localness(rules.Rule("z0", "identity", "pose")) == 0.0


def test_the_labelled_loss_has_the_weights_of_the_configuration(untrained):
    loaded = config.load(
        SMOKE, ("source.joints_weight=2.0", "source.latent_weight=3.0")
    )
    loss = stages.source_loss(loaded, _networks(untrained).pose_prior)
    terms = {"joints": np.float32(100.0), "latent": np.float32(0.5)}
    assert float(loss.total(terms)) == 2.0 + 1.5
