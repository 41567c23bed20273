"""Networks by name: new ones from the seed, trained ones from their folder."""

import pathlib

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.synthetic import world
from sa3dhp.systems.relation_distillation import config, networks, rules
from sa3dhp.training import checkpoint, store

ROOT = pathlib.Path(__file__).resolve().parents[3]
SMOKE = ROOT / "configs" / "smoke.yaml"
CUSTOM = "relations.custom=[{id: a, flip: true, backward: true}]"


def _networks(folder, *overrides):
    loaded = config.load(SMOKE, overrides)
    return networks.Networks(loaded, store.Store(folder))


def test_initial_weights_are_a_function_of_the_seed_alone(tmp_path):
    def start(name, *overrides):
        return checkpoint.weights_hash(_networks(tmp_path, *overrides).new(name))

    assert start("pose_encoder") == start("pose_encoder")
    assert start("pose_encoder") != start("pose_encoder", "training.seed=1")
    rules_ = "relations.rules=[z1, z3]"
    assert start("relation_z1", rules_) != start("relation_z3", rules_)


def test_unknown_rule_is_an_input_error(tmp_path):
    with pytest.raises(errors.InputError, match="got 'z9', expected some of z1, z2"):
        _networks(tmp_path, "relations.rules=[z9]")


def test_two_rules_of_one_name_are_an_input_error(tmp_path):
    twice = "relations.custom=[{id: a, flip: true}, {id: a, slow: true}]"
    with pytest.raises(errors.InputError, match="two rules have id 'a'"):
        _networks(tmp_path, twice)


def test_rules_are_those_of_the_configuration_in_its_order(tmp_path):
    made = _networks(
        tmp_path, CUSTOM, "relations.rules=[v3, a, z3]", "relations.theta_deg=25"
    )
    assert list(made.rules) == ["v3", "a", "z3"]
    assert made.rules["z3"] == rules.table(np.radians(25))["z3"]
    assert made.rules["a"].pieces == "motion: flip + backward"
    assert made.made_of(made.rules["a"]) == {"pieces": "motion: flip + backward"}
    assert made.made_of(made.rules["z3"]) == {
        "theta_deg": 25.0,
        "pieces": "pose: flip + 25 degrees",
    }


def test_relation_networks_have_the_widths_of_their_space(tmp_path):
    made = _networks(
        tmp_path,
        "relations.rules=[z3, v2]",
        "relations.pose_widths=[4, 32]",
        "relations.motion_widths=[5, 6, 128]",
    )
    for rule, sizes in (("z3", [4, 32]), ("v2", [5, 6, 128])):
        network = made.new(networks.relation_name(rule))
        biases = [v.shape[0] for v in network.variables if len(v.shape) == 1]
        assert biases == sizes


def test_trained_networks_are_frozen_and_priors_loaded_once(tmp_path):
    made = _networks(tmp_path)
    with pytest.raises(errors.InputError, match="no such checkpoint"):
        made.load("pose_encoder")
    kept = {name: made.new(name) for name in (*networks.POSE, *networks.MOTION)}
    made.store.save(kept, measured={"joint_error": 5.0})
    bones = world.mean_bone_lengths()
    made.store.save_bones(networks.SKELETON, bones)
    prior = made.pose_prior
    assert prior is made.pose_prior is made.motion_prior.pose
    assert prior.encoder.trainable_variables == []
    for ours, theirs in zip(prior.encoder.variables, kept["pose_encoder"].variables):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)  # kept in float16
    np.testing.assert_allclose(prior.bone_lengths, bones, atol=1e-3)
    table = rules.table()
    assert made.prior_of(table["z3"]) is prior
    assert made.prior_of(table["v3"]) is made.motion_prior
    assert made.measured("pose_decoder") == {"joint_error": 5.0}
