"""The pose doctor finds every planted fault by name, and none where there is none."""

import dataclasses
import time

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.evaluation import doctor, evaluator, poses, protocol
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons

CARD = protocol.load("procedural")
FLIP = list(skeletons.SA3DHP17.flip_indices)
NOISE_MM = 30.0
# One standing person, camera frame (x right, y down, z away), facing the camera.
_STANDING = {
    "pelvis": (0, 0, 0),
    "neck": (0, -480, 0),
    "right_shoulder": (-180, -450, 0),
    "right_elbow": (-230, -180, 30),
    "right_wrist": (-240, 60, -60),
    "left_shoulder": (180, -450, 0),
    "left_elbow": (230, -180, 30),
    "left_wrist": (240, 60, -60),
    "head_top": (0, -720, -20),
    "right_hip": (-110, 0, 0),
    "right_knee": (-120, 430, -10),
    "right_ankle": (-120, 850, 30),
    "right_foot": (-130, 900, -120),
    "left_hip": (110, 0, 0),
    "left_knee": (120, 430, -10),
    "left_ankle": (120, 850, 30),
    "left_foot": (130, 900, -120),
}


def _rotation(axis, angle):
    c, s = np.cos(angle), np.sin(angle)
    i, j = [k for k in range(3) if k != axis]
    matrix = np.eye(3)
    matrix[[i, j, i, j], [i, j, j, i]] = c, c, -s, s
    return matrix


def _people(num=80, seed=0):
    """Upright people of all headings with waving limbs, mm, camera frame."""
    rng = np.random.default_rng(seed)
    body = np.array([_STANDING[n] for n in skeletons.SA3DHP17.joint_names], float)
    joints = np.repeat(body[None], num, axis=0)
    for chain in (
        ("right_elbow", "right_wrist"),
        ("left_elbow", "left_wrist"),
        ("right_knee", "right_ankle", "right_foot"),
        ("left_knee", "left_ankle", "left_foot"),
    ):
        rows = list(skeletons.SA3DHP17.indices(*chain))
        top = skeletons.SA3DHP17.parents[rows[0]]
        for n in range(num):
            swing = _rotation(0, rng.uniform(-1.5, 0.7)) @ _rotation(
                2, rng.uniform(-0.8, 0.8)
            )
            joints[n, rows] = (joints[n, rows] - body[top]) @ swing.T + body[top]
    for n in range(num):
        turn = _rotation(1, rng.uniform(-np.pi, np.pi)) @ _rotation(0, 0.15)
        joints[n] = joints[n] @ turn.T
    return joints


def _diagnose(fault, *, reference=lambda x: x, skeleton="sa3dhp17", card=CARD):
    truth = _people()
    pred = truth + np.random.default_rng(1).normal(size=truth.shape) * NOISE_MM
    sides = (
        poses.Poses(fault(pred), skeleton, source="predictions p.npz"),
        poses.Poses(reference(truth), "sa3dhp17", source="reference r.npz"),
    )
    return doctor.diagnose(*sides, card)


def _axes(matrix):
    return lambda x: x @ np.array(matrix, float).T


FAULTS = {
    "y negated": (lambda x: x * [1, -1, 1], ["y negated"]),
    "z negated": (lambda x: x * [1, 1, -1], ["z negated"]),
    "upside down": (lambda x: x * [-1, -1, 1], ["x and y negated"]),
    "all negated": (lambda x: -x, ["x, y and z negated"]),
    "sides": (lambda x: x[:, FLIP], ["left and right swapped"]),
    "mirrored": (
        lambda x: (x * [-1, 1, 1])[:, FLIP],
        ["x negated", "left and right swapped"],
    ),
    "y up, sides": (
        lambda x: (x * [1, -1, 1])[:, FLIP],
        ["y negated", "left and right swapped"],
    ),
    "metres": (lambda x: x / 1000, ["the predictions in metres"]),
    "centimetres": (lambda x: x / 10, ["the predictions in centimetres"]),
    "inches": (lambda x: x / 25.4, ["the predictions in inches"]),
    "z up": (_axes([[1, 0, 0], [0, 0, 1], [0, 1, 0]]), ["y and z exchanged"]),
    "z up, right-handed": (
        _axes([[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
        ["y and z exchanged", "then y negated"],
    ),
    "cyclic": (
        _axes([[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
        ["the axes in the order z, x, y"],
    ),
    "rows shifted": (
        lambda x: np.roll(x, 1, axis=1),
        ["the joints of the predictions moved up by one row"],
    ),
    "metres, y up, sides": (
        lambda x: (x * [1, -1, 1])[:, FLIP] / 1000,
        ["the predictions in metres", "y negated", "left and right swapped"],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_by_name(name):
    fault, words = FAULTS[name]
    got = _diagnose(fault)
    assert list(got.changes) == words
    assert got.as_given > 2 * got.repaired
    assert 20 < got.repaired < 80  # the planted noise, mean of its length
    for word in words:
        assert word in got.text()


@pytest.mark.parametrize("source", ["h36m17", "mpi_inf_3dhp17"])
def test_a_wrong_joint_order_is_found_by_the_name_of_its_skeleton(source):
    def fault(joints):
        return conversion.convert(joints, "sa3dhp17", source)[0]

    got = _diagnose(fault)
    words = f"the joints of the predictions read in the order of {source}, not sa3dhp17"
    assert got.changes == (words,)


def test_a_wrong_order_of_the_reference_is_told_apart():
    def fault(joints):
        return conversion.convert(joints, "sa3dhp17", "h36m17")[0]

    got = _diagnose(lambda x: x, reference=fault)
    words = "the joints of the reference read in the order of h36m17, not sa3dhp17"
    assert got.changes == (words,)


def test_a_pelvis_that_is_not_where_the_others_say_is_found():
    def fault(joints):
        moved = joints - joints[:, 1:2]  # relative to the neck ...
        moved[:, 0] = 0  # ... with a pelvis that claims the origin
        return moved

    got = _diagnose(fault)
    assert len(got.changes) == 1 and got.as_given > 3 * got.repaired
    assert got.changes[0] == "neck as the root of both"


def test_root_relative_against_absolute_is_found_where_the_card_aligns_nothing():
    card = dataclasses.replace(CARD, alignment="none")
    got = _diagnose(
        lambda x: x - x[:, :1],
        reference=lambda x: x + np.array([200, 0, 4000]),
        card=card,
    )
    assert got.changes == ("pelvis as the root of both",)


@pytest.mark.parametrize(
    "fault, reference, words",
    [
        (lambda x: x, lambda x: x / 1000, "the reference in metres"),
        (lambda x: x / 1000, lambda x: x / 1000, "predictions and reference in metres"),
    ],
)
def test_the_unit_of_the_reference_is_found(fault, reference, words):
    got = _diagnose(fault, reference=reference)
    assert got.changes == (words,) and 20 < got.repaired < 80


def test_sound_predictions_get_no_advice():
    got = _diagnose(lambda x: x)
    assert got.changes == () and not got.rotation
    assert got.as_given == pytest.approx(got.repaired)
    assert "no change of axes" in got.text()


def test_poor_but_sound_predictions_get_no_advice():
    def mean_pose(joints):
        return np.broadcast_to(joints.mean(0), joints.shape)

    assert _diagnose(mean_pose).changes == ()


def test_one_rotation_for_all_frames_is_told_as_another_frame():
    turn = _rotation(0, np.radians(34)) @ _rotation(1, np.radians(25))
    got = _diagnose(lambda x: x @ turn.T)
    assert (
        got.changes == () and "in the camera, the other in the world?" in got.rotation
    )
    assert "one rotation by 42 degrees" in got.text()


def test_a_fault_is_found_between_different_skeletons():
    truth = _people()
    reference, _ = conversion.convert(truth, "sa3dhp17", "h36m17")
    got = doctor.diagnose(
        poses.Poses(truth * [1, -1, 1], "sa3dhp17"),
        poses.Poses(reference, "h36m17"),
        protocol.load("h36m_p1"),
    )
    assert got.changes == ("y negated",)


def test_the_number_as_given_is_that_of_the_evaluation():
    truth = _people()
    sides = poses.Poses(truth[:, FLIP], "sa3dhp17"), poses.Poses(truth, "sa3dhp17")
    want = evaluator.evaluate(*sides, CARD)["overall"]["mpjpe"]
    assert doctor.diagnose(*sides, CARD).as_given == pytest.approx(want)


def test_masked_joints_do_not_disturb():
    truth = _people()
    mask = np.ones(truth.shape[:2], bool)
    mask[::2, 3] = False
    broken = np.where(mask[..., None], truth, np.nan)
    got = doctor.diagnose(
        poses.Poses(truth * [1, -1, 1], "sa3dhp17"),
        poses.Poses(broken, "sa3dhp17", mask),
        CARD,
    )
    assert got.changes == ("y negated",) and got.repaired < 1e-6


def test_too_few_joints_in_common_are_refused():
    truth = _people()
    mask = np.zeros(truth.shape[:2], bool)
    mask[:, :3] = True
    with pytest.raises(errors.InputError, match="fewer than 6 joints"):
        doctor.diagnose(
            poses.Poses(truth, "sa3dhp17", mask), poses.Poses(truth, "sa3dhp17"), CARD
        )


def test_ten_thousand_frames_take_seconds():
    truth = np.tile(_people(100), (100, 1, 1))
    start = time.perf_counter()
    sides = poses.Poses(-truth / 1000, "sa3dhp17"), poses.Poses(truth, "sa3dhp17")
    assert len(doctor.diagnose(*sides, CARD).changes) == 2
    assert time.perf_counter() - start < 20
