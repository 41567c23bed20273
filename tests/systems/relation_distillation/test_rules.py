"""The rule table of the paper, and what a rule does to a pair."""

import dataclasses
import math

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.geometry import pictures
from sa3dhp.skeleton import skeleton, transforms
from sa3dhp.systems.relation_distillation import rules

BODY = skeleton.SA3DHP17
TABLE = rules.table()


def _clip(rule: rules.Rule, seed: int = 0) -> np.ndarray:
    shape = (2, rule.clip_length, 17, 3)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _video(rule: rules.Rule) -> np.ndarray:
    shape = (2, rule.clip_length, 8, 8, 3)
    return np.random.default_rng(0).uniform(size=shape).astype(np.float32)


def test_table_is_the_papers() -> None:
    assert list(TABLE) == ["z1", "z2", "z3", "v1", "v2", "v3"]
    pieces = {
        key: (
            rule.space,
            rule.view.flip,
            bool(rule.view.angle),
            rule.backward,
            rule.slow,
        )
        for key, rule in TABLE.items()
    }
    assert pieces == {
        "z1": ("pose", True, False, False, False),
        "z2": ("pose", False, True, False, False),
        "z3": ("pose", True, True, False, False),
        "v1": ("motion", True, False, True, False),
        "v2": ("motion", True, True, True, False),
        "v3": ("motion", False, False, True, True),
    }
    assert TABLE["z3"].view.angle == TABLE["v2"].view.angle == math.radians(50)
    assert rules.table(theta=0.3)["v2"].view.angle == 0.3
    assert all(rule.id == key for key, rule in TABLE.items())


def test_an_involution_leads_back_to_the_anchor() -> None:
    assert [key for key, rule in TABLE.items() if rule.involution] == [
        "z1",
        "z3",
        "v1",
        "v2",
    ]
    for rule in TABLE.values():
        anchor, partner = rule.pair_joints(_clip(rule), BODY)
        if not rule.slow:
            again = rule.pair_joints(partner, BODY)[1]
            back = np.allclose(again, anchor, atol=1e-5)
            assert back == rule.involution


def test_frames_of_pose_rules() -> None:
    for key in ("z1", "z2", "z3"):
        rule = TABLE[key]
        assert rule.clip_length == 1
        assert rule.anchor_frames == rule.partner_frames == (0,)


def test_frames_of_backward_rules() -> None:
    for key in ("v1", "v2"):
        rule = TABLE[key]
        assert rule.clip_length == 30
        assert rule.anchor_frames == tuple(range(30))
        assert rule.partner_frames == tuple(range(29, -1, -1))


def test_frames_of_slow_backward() -> None:
    rule = TABLE["v3"]
    assert rule.clip_length == 60
    assert rule.anchor_frames == tuple(range(0, 60, 2))
    assert rule.partner_frames == tuple(range(44, 14, -1))
    assert len(set(rule.anchor_frames) & set(rule.partner_frames)) == 15


@pytest.mark.parametrize("key", TABLE)
def test_pair_is_made_of_the_frames_it_names(key: str) -> None:
    rule = TABLE[key]
    clip, video = _clip(rule), _video(rule)
    anchor, partner = rule.pair_joints(clip, BODY)
    np.testing.assert_array_equal(anchor, clip[:, list(rule.anchor_frames)])
    want = rule.view.joints(clip[:, list(rule.partner_frames)], BODY)
    np.testing.assert_allclose(partner, want, atol=1e-6)
    anchor, partner = rule.pair_images(video)
    np.testing.assert_array_equal(anchor, video[:, list(rule.anchor_frames)])
    want = rule.view.images(video[:, list(rule.partner_frames)])
    np.testing.assert_allclose(partner, want, atol=1e-6)


def test_flip_comes_before_rotation() -> None:
    rule = TABLE["z3"]
    clip, video = _clip(rule), _video(rule)
    want = transforms.rotate_in_plane(transforms.flip(clip, BODY), math.radians(50))
    np.testing.assert_allclose(rule.view.joints(clip, BODY), want, atol=1e-6)
    want = pictures.rotate_in_plane(pictures.flip(video), math.radians(50))
    np.testing.assert_allclose(rule.view.images(video), want, atol=1e-6)


def test_rules_that_mirror_undo_themselves() -> None:
    # (R F)(R F) = R R^-1 F F = 1, and backward twice is nothing.
    for key in ("z1", "z3", "v1", "v2"):
        rule = TABLE[key]
        clip = _clip(rule)
        _, partner = rule.pair_joints(clip, BODY)
        _, again = rule.pair_joints(partner, BODY)
        np.testing.assert_allclose(again, clip, atol=1e-5)


def test_pose_rules_act_on_any_leading_axes() -> None:
    for key in ("z1", "z2", "z3"):
        for shape in ((), (5,), (2, 3)):
            joints = np.random.default_rng(0).normal(size=(*shape, 17, 3))
            images = np.random.default_rng(0).uniform(size=(*shape, 6, 6, 3))
            anchor, partner = TABLE[key].pair_joints(joints, BODY)
            assert anchor.shape == partner.shape == joints.shape
            anchor, partner = TABLE[key].pair_images(images)
            assert anchor.shape == partner.shape == images.shape


def test_motion_rules_act_on_any_leading_axes() -> None:
    rule = TABLE["v3"]
    anchor, partner = rule.pair_joints(np.zeros((60, 17, 3)), BODY)
    assert anchor.shape == partner.shape == (30, 17, 3)
    anchor, partner = rule.pair_images(np.zeros((2, 3, 60, 4, 4, 3)))
    assert anchor.shape == partner.shape == (2, 3, 30, 4, 4, 3)


def test_slow_backward_is_slower_and_reversed() -> None:
    # A pelvis that moves 1 mm per frame: the anchor 2 per frame, the partner -1.
    rule = TABLE["v3"]
    clip = np.zeros((60, 17, 3), np.float32) + np.arange(60)[:, None, None]
    anchor, partner = (x.numpy()[:, 0, 0] for x in rule.pair_joints(clip, BODY))
    assert (np.diff(anchor) == 2).all() and (np.diff(partner) == -1).all()
    assert partner.mean() == pytest.approx(anchor.mean(), abs=0.51)


def test_a_rule_can_be_composed_of_any_pieces() -> None:
    rule = rules.Rule("v9", "slow+flip", "motion", rules.View(flip=True), slow=True)
    assert rule.clip_length == 60
    assert rule.partner_frames == tuple(range(15, 45))
    clip = _clip(rule)
    _, partner = rule.pair_joints(clip, BODY)
    np.testing.assert_allclose(partner, transforms.flip(clip[:, 15:45], BODY))
    nothing = rules.Rule("z0", "identity", "pose")
    anchor, partner = nothing.pair_joints(clip, BODY)
    np.testing.assert_array_equal(anchor, partner)


@dataclasses.dataclass(frozen=True)
class _Dimmed(rules.View):
    """A view with a piece that the project does not know."""

    factor: float = 0.5

    def images(self, images):
        return self.factor * super().images(images)

    @property
    def pieces(self):
        return (*super().pieces, f"light {self.factor:g}")

    @property
    def involution(self):
        return False


def test_a_new_piece_is_a_view_and_nothing_else() -> None:
    rule = rules.Rule("a", "a", "motion", _Dimmed(flip=True), backward=True)
    assert rule.pieces == "motion: flip + light 0.5 + backward"
    assert not rule.empty and not rule.involution
    assert not rules.Rule("a", "a", "pose", _Dimmed()).empty
    video = _video(rule)
    _, partner = rule.pair_images(video)
    np.testing.assert_allclose(partner, 0.5 * video[:, ::-1, :, ::-1])
    _, partner = rule.pair_joints(_clip(rule), BODY)
    np.testing.assert_allclose(partner, transforms.flip(_clip(rule)[:, ::-1], BODY))


def test_views_of_equal_pieces_are_one_and_others_are_not() -> None:
    # Frames that several rules need are encoded once for each view.
    assert rules.View(True, 0.5) == rules.View(True, 0.5)
    views = {rules.View(), rules.PLAIN, rules.View(flip=True), _Dimmed(), _Dimmed()}
    assert len(views) == 3


def test_wrong_rules_and_lengths_are_named() -> None:
    with pytest.raises(errors.InputError, match="'pose' or 'motion', got 'video'"):
        rules.Rule("q1", "q", "video")
    with pytest.raises(errors.InputError, match="no time to reverse"):
        rules.Rule("q1", "q", "pose", backward=True)
    with pytest.raises(errors.InputError, match="no time to reverse"):
        rules.Rule("q1", "q", "pose", slow=True)
    with pytest.raises(errors.InputError, match="angle must be finite"):
        rules.View(angle=math.nan)
    with pytest.raises(
        errors.InputError, match=r"rule v3 expected 60 frames on axis -3"
    ):
        TABLE["v3"].pair_joints(np.zeros((2, 30, 17, 3)), BODY)
    with pytest.raises(
        errors.InputError, match=r"rule v1 expected 30 frames on axis -4"
    ):
        TABLE["v1"].pair_images(np.zeros((8, 8, 3)))


@pytest.mark.parametrize("rule", TABLE.values(), ids=lambda rule: rule.id)
def test_the_anchor_alone_tells_the_partner(rule: rules.Rule) -> None:
    """Of a movement without bends also where slow motion must fill frames in."""
    times = np.arange(rule.clip_length, dtype=np.float32)[:, None, None]
    start, velocity = np.random.default_rng(0).normal(size=(2, 17, 3))
    clip = (start + times * velocity).astype(np.float32)
    anchor, partner = rule.pair_joints(
        clip if rule.space == "motion" else clip[0], BODY
    )
    np.testing.assert_allclose(rule.partner(anchor, BODY), partner, atol=1e-4)
