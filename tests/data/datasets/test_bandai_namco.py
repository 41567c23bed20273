"""Bandai-Namco: four genuine clips of another rig become people."""

import numpy as np
import pytest

from sa3dhp.data import schema
from sa3dhp.skeleton import skeleton as skeletons

LEG = ("hip", "knee", "ankle", "foot")


@pytest.fixture(scope="module")
def actors(shared_data, read_all):
    return read_all("bandai_namco", shared_data / "mocap_bandai_namco")


def test_all_genuine_clips_of_another_rig_read(actors):
    assert [(s.action, s.fps, len(s)) for s in actors] == [
        ("bow_normal_001", 30.0, len(actors[0])),
        ("run_active_001", 30.0, 72),
        ("walk_normal_001", 30.0, len(actors[2])),
        ("walk-turn-left_elderly_001", 30.0, len(actors[3])),
    ]


def test_another_rig_becomes_a_person(actors):
    index = skeletons.SA3DHP17.index
    parents = list(skeletons.SA3DHP17.parents)
    for sequence in actors:
        joints = sequence.joints
        limbs = np.linalg.norm(joints - joints[:, parents], axis=-1)
        assert np.ptp(limbs[:, index("left_knee")]) < 1
        assert 350 < limbs[:, index("left_knee")].mean() < 500
        height = joints[:, index("left_ankle"), 1] - joints[:, index("head_top"), 1]
        assert 1200 < np.percentile(height, 90) < 1800
        _assert_chirality(sequence)


def _assert_chirality(sequence: schema.Sequence):
    """Knees bend, and the foot on the ground points, to where left x up points."""
    index = skeletons.SA3DHP17.index
    joints = sequence.joints.astype(np.float64)
    left = joints[:, index("left_hip")] - joints[:, index("right_hip")]
    forward = np.cross(left, joints[:, index("neck")] - joints[:, index("pelvis")])
    sides = np.stack(
        [
            np.stack([joints[:, index(f"{side}_{name}")] for name in LEG], axis=1)
            for side in ("left", "right")
        ]
    )  # [2, T, 4, 3]
    hip, knee, ankle, foot = np.moveaxis(sides, 2, 0)
    bend = knee - (hip + ankle) / 2
    assert np.median(np.sum(bend * forward, -1)) > 0
    lower = np.argmax(ankle[..., 1], axis=0)  # y is down
    toes = np.take_along_axis(foot - ankle, lower[None, :, None], axis=0)[0]
    assert np.mean(np.sum(toes * forward, -1) > 0) > 0.9
