"""Files with poses: what is read, and what is refused with which words."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.evaluation import poses

JOINTS = np.zeros((4, 17, 3), np.float32)
GOOD = {"joints": JOINTS, "skeleton": "sa3dhp17"}


def _write(folder, **arrays):
    path = folder / "poses.npz"
    np.savez(path, **arrays)
    return path


def test_reads_joints_skeleton_and_labels(tmp_path):
    path = _write(
        tmp_path,
        **GOOD,
        mask=np.ones((4, 17)),
        action=["a", "a", "b", "b"],
        sequence=np.array([b"s"] * 4),
        subject=np.array("S9"),
        frame=np.arange(4.0),
        target_information="R",
    )
    got = poses.read(path, "predictions")
    assert got.joints.dtype == np.float64 and got.skeleton == "sa3dhp17"
    assert got.mask.dtype == bool and got.mask.all()
    assert got.labels["sequence"].tolist() == ["s"] * 4
    assert got.labels["subject"].tolist() == ["S9"] * 4
    assert got.labels["frame_number"].tolist() == [0, 1, 2, 3]
    assert got.target_information == "R"
    assert str(path) in got.source and "predictions" in got.source


def test_a_mask_per_joint_holds_for_all_frames(tmp_path):
    path = _write(tmp_path, **GOOD, mask=np.arange(17) > 0)
    assert not poses.read(path, "reference").mask[:, 0].any()


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"joints": JOINTS}, "`skeleton` is missing, got joints; save .*sa3dhp17"),
        ({"skeleton": "sa3dhp17"}, "`joints` is missing"),
        ({}, "`joints` is missing, got nothing"),
        ({**GOOD, "skeleton": "mine"}, "unknown id 'mine'"),
        ({**GOOD, "skeleton": np.arange(3)}, "skeleton has shape"),
        ({**GOOD, "skeleton": "smpl24"}, r"expected \[N, 24, 3\].*17 joints have sa3d"),
        ({**GOOD, "joints": JOINTS[0]}, r"\(17, 3\) of float32, expected \[N, J, 3\]"),
        ({**GOOD, "joints": JOINTS[:0]}, "are empty"),
        ({**GOOD, "joints": np.full((4, 17, 3), "a")}, "expected .* numbers in mm"),
        (
            {**GOOD, "mask": np.full((4, 17), 0.3)},
            "mask has the value 0.3, expected Tr",
        ),
        ({**GOOD, "mask": np.full((4, 17), np.nan)}, "mask has the value nan, expect"),
        ({**GOOD, "joints": np.full((4, 17, 3), 1e300)}, "a joint is beyond 1e.09 mm"),
        ({**GOOD, "mask": np.ones((4, 16))}, r"mask has shape \(4, 16\)"),
        ({**GOOD, "action": ["a"] * 3}, r"action has shape \(3,\), expected \(4,\)"),
        ({**GOOD, "frame_number": np.full(4, 0.5)}, "expected whole numbers"),
        ({**GOOD, "frame_number": ["1"] * 4}, "expected whole numbers"),
        ({**GOOD, "action": np.array([{}] * 4)}, "pickled objects"),
    ],
)
def test_wrong_arrays_are_refused_by_name(tmp_path, arrays, message):
    with pytest.raises(errors.InputError, match=message):
        poses.read(_write(tmp_path, **arrays), "predictions")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_files_that_are_no_archive_are_refused(tmp_path, content):
    path = tmp_path / "poses.npz"
    path.write_bytes(content)
    with pytest.raises(errors.InputError, match=r"reference .*not readable"):
        poses.read(path, "reference")


def test_a_truncated_archive_is_refused(tmp_path):
    path = _write(tmp_path, **GOOD)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(errors.InputError, match="not readable"):
        poses.read(path, "reference")


def test_a_damaged_member_is_refused(tmp_path):
    path = _write(tmp_path, **GOOD)
    content = bytearray(path.read_bytes())
    content[300:340] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(errors.InputError, match="not readable"):
        poses.read(path, "reference")


def test_a_single_array_and_a_missing_file_are_refused(tmp_path):
    path = tmp_path / "poses.npy"
    np.save(path, JOINTS)
    with pytest.raises(errors.InputError, match="holds one array"):
        poses.read(path, "reference")
    with pytest.raises(errors.InputError, match="no file"):
        poses.read(tmp_path / "nothing.npz", "reference")


def test_an_object_array_is_never_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("it was unpickled",))

    path = tmp_path / "poses.npz"
    np.savez(path, joints=np.array([Bomb()], object), skeleton="sa3dhp17")
    with pytest.raises(errors.InputError, match="pickled"):
        poses.read(path, "reference")


def test_frames_that_visibly_differ_are_refused():
    def make(**labels):
        labels = {key: np.array(value) for key, value in labels.items()}
        return poses.Poses(JOINTS, "sa3dhp17", labels=labels)

    poses.check_same_frames(make(action=list("aabb")), make(sequence=list("ssss")))
    with pytest.raises(errors.InputError, match="frame 2 is 7, expected 2"):
        poses.check_same_frames(
            make(frame_number=[0, 1, 7, 3]), make(frame_number=[0, 1, 2, 3])
        )
    with pytest.raises(errors.InputError, match="got 3 frames, expected 4"):
        poses.check_same_frames(poses.Poses(JOINTS[:3], "sa3dhp17"), make())


@pytest.mark.parametrize("unit", list(poses.UNITS_MM))
def test_the_unit_of_a_body_is_found_by_its_size(unit):
    joints = np.zeros((3, 2, 3))
    joints[:, 1, 1] = 2 * 450 / poses.UNITS_MM[unit]
    size = poses.body_size(poses.Poses(joints + 7, "any"))
    assert size == pytest.approx(450 / poses.UNITS_MM[unit])
    assert poses.unit_of(size) == unit


def test_joints_that_do_not_count_have_no_size():
    joints = np.zeros((3, 3, 3))
    joints[:, 1, 0], joints[:, 2] = 200, np.nan
    joints[0, 1] = 1e6
    mask = np.ones((3, 3), bool)
    mask[0] = False
    assert poses.body_size(poses.Poses(joints, "any", mask)) == 100
    nothing = poses.Poses(joints, "any", np.zeros((3, 3), bool))
    assert poses.body_size(nothing) == 0 and poses.unit_of(0.0) == "mm"
