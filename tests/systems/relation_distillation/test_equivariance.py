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
class _Wrong(rules.View):
    """Turns the pose the other way round, or leaves the sides where they were."""

    fault: str = ""

    def joints(self, joints, skeleton):
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
        rules.Rule("a", "a", "pose", _Wrong(angle=0.9, fault="angle")),
        rules.Rule("b", "b", "pose", _Wrong(flip=True, fault="sides")),
        _Forward("c", "c", "motion", backward=True),
    ],
    ids=["angle", "sides", "time"],
)
def test_a_fault_in_a_rule_is_found(rule):
    assert not equivariance.measure(rule, count=2).passed


@dataclasses.dataclass(frozen=True)
class _Dimmed(rules.View):
    """A new piece, of pictures alone: poses have no light."""

    factor: float = 1.0

    def images(self, images):
        return self.factor * super().images(images)


def test_a_new_piece_of_a_view_is_seen():
    """Nothing but the view knows of it."""
    plain, dimmed = (
        equivariance.measure(rules.Rule("a", "a", "pose", _Dimmed(factor=f)), count=2)
        for f in (1.0, 0.4)
    )
    assert plain.passed and plain.difference < 0.01
    assert not dimmed.passed and dimmed.difference > 0.3
