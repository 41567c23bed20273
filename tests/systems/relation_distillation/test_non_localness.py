"""Latent distance: by hand, and over rules with encoders one can see through."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.skeleton import kinematics, skeleton
from sa3dhp.systems.relation_distillation import non_localness, rules

BODY = skeleton.SA3DHP17
TABLE = rules.table()


def _encode_pose(local: tf.Tensor) -> tf.Tensor:
    return tf.reshape(local, [-1, 51])


def _encode_motion(latent: tf.Tensor) -> tf.Tensor:
    return tf.reshape(latent, [-1, 30 * 51])


def _clips(count: int, frames: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, frames, 17, 3)).astype(np.float32) * 200


def test_distance_by_hand() -> None:
    latent = np.array([[[0.0, 0.0], [1.0, 1.0]]])
    partner = np.array([[[3.0, 4.0], [1.0, 0.0]]])
    assert float(non_localness.latent_distance(latent, partner)) == pytest.approx(3.0)


def test_distance_of_equals_is_zero() -> None:
    assert float(non_localness.latent_distance(np.ones((4, 8)), np.ones((4, 8)))) == 0


@pytest.mark.parametrize("key", TABLE)
def test_matches_a_slow_loop(key: str) -> None:
    rule = TABLE[key]
    clips = _clips(3, rule.clip_length)
    if rule.space == "pose":
        clips = clips[:, 0]
    got = non_localness.of_rule(rule, clips, BODY, _encode_pose, _encode_motion)
    distances = []
    for clip in clips:
        sides = rule.pair_joints(clip, BODY)
        a, b = (kinematics.to_local(side, BODY).numpy().ravel() for side in sides)
        distances.append(np.linalg.norm(a - b))
    assert float(got) == pytest.approx(np.mean(distances), rel=1e-5)


def test_the_identity_is_local() -> None:
    rule = rules.Rule("z0", "identity", "pose")
    assert float(non_localness.of_rule(rule, _clips(2, 1), BODY, _encode_pose)) == 0


def test_a_composed_rule_reaches_further_than_its_parts() -> None:
    # People who stand: a roll or a mirror changes less than both together.
    poses = _clips(200, 1)[:, 0]
    poses[:, BODY.index("neck")] = (0, -500, 0)
    poses[:, BODY.index("left_hip")] = (100, 0, 60)
    poses[:, BODY.index("right_hip")] = (-100, 0, -60)
    far = {
        key: float(non_localness.of_rule(TABLE[key], poses, BODY, _encode_pose))
        for key in ("z1", "z2", "z3")
    }
    assert far["z3"] > max(far["z1"], far["z2"])


def test_bad_input_is_named() -> None:
    with pytest.raises(errors.InputError, match="motion rule needs encode_motion"):
        non_localness.of_rule(TABLE["v1"], _clips(1, 30), BODY, _encode_pose)
    with pytest.raises(errors.InputError, match=r"\(2, 8\) and partners \(2, 4\)"):
        non_localness.latent_distance(np.zeros((2, 8)), np.zeros((2, 4)))
