"""The bench passes rules that hold and fails those that do not."""

import dataclasses

import pytest
import tensorflow as tf

from sa3dhp.skeleton import transforms
from sa3dhp.systems.relation_distillation import equivariance, rules

COMPOSED = {
    "tilted_backward": {"flip": True, "angle_deg": 25, "backward": True},
    "slow": {"slow": True},
    "turned": {"angle_deg": -120},
    "mirrored_clip": {"flip": True, "space": "motion"},
}


@pytest.mark.parametrize("name", [*rules.table(), *COMPOSED])
def test_rules_hold_in_pixels_and_in_the_representation(name):
    rule = rules.table().get(name) or rules.compose(name, **COMPOSED[name])
    found = equivariance.measure(rule, count=2)
    assert found.passed, found
    assert found.difference < 0.5 * found.unrelated


@dataclasses.dataclass(frozen=True)
class _Wrong(rules.Rule):
    """Turns the pose the other way round, or leaves the sides where they were."""

    fault: str = ""

    def spatial_joints(self, joints, skeleton):
        joints = tf.convert_to_tensor(joints)
        if self.fault == "sides":
            return joints * tf.constant([-1.0, 1.0, 1.0])
        return transforms.rotate_in_plane(joints, -self.angle)


class _Forward(rules.Rule):
    """Says it runs backward, and shows poses forward."""

    def pair_joints(self, clip, skeleton):
        anchor, partner = super().pair_joints(clip, skeleton)
        return anchor, partner[:, ::-1]


@pytest.mark.parametrize(
    "rule",
    [
        _Wrong("a", "a", "pose", angle=0.9, fault="angle"),
        _Wrong("b", "b", "pose", flip=True, fault="sides"),
        _Forward("c", "c", "motion", backward=True),
    ],
    ids=["angle", "sides", "time"],
)
def test_a_fault_in_a_rule_is_found(rule):
    assert not equivariance.measure(rule, count=2).passed
