"""Limbs of one captured body on the trunk of another."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import mixing
from sa3dhp.skeleton import kinematics, limits
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world

SKELETON = skeletons.SA3DHP17


@pytest.fixture(scope="module")
def motions():
    made = world.motions(np.random.default_rng(0), count=12, num_frames=40, rolled=0.0)
    return [motion[: 20 + 2 * i] for i, motion in enumerate(made)]


def _mixed(motions, share, seed=0):
    rng = np.random.default_rng(seed)
    return mixing.vary_limbs(motions, rng, SKELETON, mixed=share)


def _local(motion):
    return kinematics.to_local(motion, SKELETON).numpy()


def test_trunks_and_bones_stay_and_limbs_are_somebody_elses(motions):
    others = np.concatenate([_local(motion) for motion in motions])
    columns = list(SKELETON.indices(*mixing.LIMBS[1]))
    for before, after in zip(motions, _mixed(motions, 1.0)):
        assert after.shape == before.shape and after.dtype == np.float32
        np.testing.assert_allclose(
            kinematics.bone_lengths(after, SKELETON),
            kinematics.bone_lengths(before, SKELETON),
            atol=1e-2,
        )
        trunk = list(SKELETON.indices("pelvis", "neck", "left_hip", "right_hip"))
        np.testing.assert_allclose(after[:, trunk], before[:, trunk], atol=1e-2)
        arm = _local(after)[:, columns]
        nearest = np.abs(arm[:, None] - others[:, columns]).max((2, 3)).min(1)
        assert nearest.max() < 1e-4


def test_a_share_is_replaced(motions):
    motions = motions * 10
    ends = list(SKELETON.indices(*(limb[-1] for limb in mixing.LIMBS)))
    changed = [
        np.abs(_local(a) - _local(b)).max((0, 2))[ends] > 0.01
        for a, b in zip(motions, _mixed(motions, 0.3))
    ]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.06)
    for before, after in zip(motions, _mixed(motions, 0.0)):
        np.testing.assert_array_equal(before, after)


def test_time_runs_on_without_jumps(motions):
    def fastest(several):
        return max(np.linalg.norm(np.diff(m, axis=0), axis=-1).max() for m in several)

    # A limb may be swung by its new trunk as well as by its own motion.
    assert fastest(_mixed(motions, 1.0)) < 2.5 * fastest(motions)


def test_joints_stay_inside_their_limits(motions):
    def share(several):
        local = np.concatenate([_local(motion) for motion in several])
        return limits.within(local, SKELETON).mean()

    assert share(_mixed(motions, 1.0)) >= share(motions) - 1e-3


def test_repeats_for_a_seed(motions):
    for one, two in zip(_mixed(motions, 0.5), _mixed(motions, 0.5)):
        np.testing.assert_array_equal(one, two)


def _bent(motions, amount, seed=0):
    rng = np.random.default_rng(seed)
    return mixing.vary_limbs(motions, rng, SKELETON, bent=amount)


def test_bent_limbs_are_held_otherwise_all_the_time(motions):
    torso = list(SKELETON.indices("pelvis", "neck", "left_hip", "right_hip"))
    turned = []
    for before, after in zip(motions, _bent(motions, 0.15)):
        np.testing.assert_allclose(after[:, torso], before[:, torso], atol=1e-2)
        np.testing.assert_allclose(
            kinematics.bone_lengths(after, SKELETON),
            kinematics.bone_lengths(before, SKELETON),
            atol=1e-2,
        )
        one, two = _local(before), _local(after)
        angle = np.arccos(np.clip((one * two).sum(-1), -1, 1))[:, 4:]
        changed = angle.max(0) > 1e-2
        assert (angle[:, changed] > 1e-3).all()  # in all frames or in none
        turned.append(angle[:, changed].mean())
        inside = limits.within(one, SKELETON)
        assert (limits.within(two, SKELETON) | ~inside).all()
    # Of a normal shift of 0.15 in three directions two turn a unit vector.
    assert np.mean(turned) == pytest.approx(0.15 * np.sqrt(np.pi / 2), rel=0.25)


def test_bent_motions_repeat_for_a_seed_and_differ_between_copies(motions):
    twice = _bent([motions[0], motions[0]], 0.15)
    assert np.abs(twice[0] - twice[1]).max() > 10.0
    np.testing.assert_array_equal(twice[0], _bent([motions[0]] * 2, 0.15)[0])


def test_what_cannot_be_is_refused(motions):
    with pytest.raises(errors.InputError, match=r"mixed: got 1\.5"):
        _mixed(motions, 1.5)
    with pytest.raises(errors.InputError, match=r"bent: got -1"):
        _bent(motions, -1)
