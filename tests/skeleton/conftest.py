"""Poses that break naive kinematics, and real ones."""

import numpy as np
import pytest

from sa3dhp.skeleton import skeleton

NAMES = skeleton.SA3DHP17.joint_names

# Offsets from the parent, mm, of a person who faces the camera: x left, y down, z back.
_STANDING = {
    "neck": (0, -500, 0),
    "head_top": (0, -250, -30),
    "shoulder": (170, 10, 0),
    "elbow": (20, 290, 20),
    "wrist": (10, 240, -60),
    "hip": (120, 20, 0),
    "knee": (10, 420, -20),
    "ankle": (0, 420, 30),
    "foot": (30, 60, -150),
}
_CHANGES = {
    "standing": {},
    "sitting": {"knee": (20, 0, -420)},
    "kneeling": {"ankle": (0, 10, 420), "foot": (0, 20, 150)},
    "squatting": {"knee": (150, -150, -360), "ankle": (-20, 360, 200)},
    "arms_up": {"elbow": (10, -290, 0), "wrist": (0, -250, 10)},
    "t_pose": {"elbow": (290, 0, 0), "wrist": (250, 0, 0)},
    "folded": {"neck": (0, 20, -500), "knee": (0, 420, 0)},
    # Limbs at the antipodes of their rest directions.
    "broken": {
        "elbow": (-0.7, -0.3, 0.7),
        "knee": (-0.3, -0.8, 0.7),
        "wrist": (100, 0, 0),
        "ankle": (0, -100, -200),
    },
    # No plane of the torso: the hips on the line of the trunk.
    "hips_on_trunk": {"hip": (0, 100, 0)},
    "hips_along": {"neck": (500, 0, 0)},
    "no_arms": {"elbow": (0, 0, 0), "wrist": (0, 0, 0)},
    "no_shoulders": {"shoulder": (0, 0, 0)},
    "no_hips": {"hip": (0, 0, 0)},
    "no_neck": {"neck": (0, 0, 0)},
}


def build(changes: dict) -> np.ndarray:
    """Joints `[17, 3]`, mm, of a symmetric person with changed offsets."""
    offsets = {**_STANDING, **changes}
    joints = np.zeros((17, 3))
    for joint, name in enumerate(NAMES[1:], start=1):
        side, _, part = name.partition("_") if "_" in name else ("", "", name)
        if name == "head_top":
            side, part = "", name
        sign = (-1, 1, 1) if side == "right" else (1, 1, 1)
        parent = skeleton.SA3DHP17.parents[joint]
        joints[joint] = joints[parent] + np.multiply(offsets[part], sign)
    return joints


@pytest.fixture(scope="session")
def poses() -> dict:
    """Named poses `[17, 3]` float32, mm, camera frame, root-relative."""
    named = {name: build(changes) for name, changes in _CHANGES.items()}
    x, y, z = np.moveaxis(named["standing"], -1, 0)
    named["lying"] = np.stack([y, x, z], axis=-1) * (1, 1, -1)
    named["head_to_camera"] = np.stack([x, -z, y], axis=-1)
    named["one_point"] = np.zeros((17, 3))
    one_sided = named["standing"].copy()
    one_sided[NAMES.index("left_hip")] = one_sided[NAMES.index("right_hip")]
    named["both_hips_right"] = one_sided
    return {name: joints.astype(np.float32) for name, joints in named.items()}


@pytest.fixture(scope="session")
def mocap(shared_data) -> np.ndarray:
    """Real joints `[344, 17, 3]` float32, mm, camera frame, root-relative."""
    archive = np.load(shared_data / "mocap_cmu" / "expected_joints17.npz")
    world = np.concatenate([archive[clip] for clip in archive.files])
    joints = (world - world[:, :1]) * np.array([1000.0, -1000.0, -1000.0])
    return joints.astype(np.float32)
