"""BVH files: hand numbers, joint maps, units, and a genuine rig of another maker."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.formats import bvh
from sa3dhp.skeleton import skeleton as skeletons

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Knee
  {
    OFFSET 0 -40 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 -45 0
    }
  }
  JOINT Hand
  {
    OFFSET 99 99 99
    CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  }
}
MOTION
Frames: 2
Frame Time: .0083333
1 2 3 0 0 0 0 0 0 5 6 7 0 0 0
1 2 3 90 0 0 0 90 0 5 6 7 0 0 0
"""
NAMES = ["Hips", "Knee", "Knee/End Site", "Hand"]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "clip.bvh"
    path.write_text(BVH)
    return path


def _rig(**changes):
    joints = dict.fromkeys(skeletons.SA3DHP17.joint_names, "Hips")
    for side in ("left", "right"):
        joints[f"{side}_knee"] = "Knee"
        joints[f"{side}_ankle"] = "Knee/End Site"
    joints.update(changes.pop("joints", {}))
    return bvh.Rig("test", joints, **changes)


def test_joints_are_where_the_formula_says(path):
    motion = bvh.read(path)
    assert motion.fps == 120.0
    places = bvh.forward_kinematics(motion, NAMES)
    # Position channels replace an offset, on the hand too.
    rest = [(1, 2, 3), (1, -38, 3), (1, -83, 3), (6, 8, 10)]
    np.testing.assert_allclose(places[0], rest, atol=1e-9)
    # The root turns x to y; the knee's 90 degrees are about x (its second channel).
    turned = [(1, 2, 3), (41, 2, 3), (41, 2, 3 - 45), (-5, 7, 10)]
    np.testing.assert_allclose(places[1], turned, atol=1e-9)


def test_written_first_is_applied_last(path):
    path.write_text(BVH.replace("1 2 3 90 0 0", "0 0 0 90 90 0"))
    knee = bvh.forward_kinematics(bvh.read(path), ["Knee"])[1, 0]
    # Rz(90) Ry(90) (0, -40, 0): y is not moved by the turn about it, then y -> -x.
    np.testing.assert_allclose(knee, (40, 0, 0), atol=1e-9)


def test_a_lost_segment_can_be_put_back(path):
    places = bvh.forward_kinematics(bvh.read(path), NAMES, {"Knee": (0, -1, 0)})
    np.testing.assert_allclose(places[0, 1:3, 1], (-39, -84), atol=1e-9)


@pytest.mark.parametrize("unit", bvh.UNITS_MM)
def test_the_unit_is_found_by_the_legs(path, unit):
    motion = bvh.read(path)
    scale = 10 / unit
    scaled = bvh.Motion(
        tuple(
            bvh.Joint(j.name, j.parent, j.offset * scale, j.channels, j.first_channel)
            for j in motion.joints
        ),
        motion.values,
        motion.fps,
        motion.path,
    )
    assert bvh.find_unit(scaled, _rig()) == unit


def test_an_unlikely_leg_is_refused(path):
    path.write_text(BVH.replace("-40", "-400"))
    with pytest.raises(errors.InputError, match="give the rig's unit_mm"):
        bvh.to_sequence(bvh.read(path), _rig(), "clip")


def test_a_sequence_is_mm_and_y_down(path):
    sequence = bvh.to_sequence(bvh.read(path), _rig(), "clip", subject="me")
    knee = skeletons.SA3DHP17.index("left_knee")
    np.testing.assert_allclose(sequence.joints[0, 0], (10, -20, -30), atol=1e-4)
    np.testing.assert_allclose(sequence.joints[0, knee], (10, 380, -30), atol=1e-4)
    assert (sequence.subject, sequence.fps, sequence.frame) == ("me", 120.0, "world")
    z_up = bvh.to_sequence(bvh.read(path), _rig(up="z"), "clip")
    np.testing.assert_allclose(z_up.joints[0, 0], (10, -30, 20), atol=1e-4)


def test_a_map_may_interpolate_extrapolate_mask_and_skip(path):
    rig = _rig(joints={"neck": ["Hips", "Hand", 0.5], "head_top": None}, skip_frames=1)
    sequence = bvh.to_sequence(bvh.read(path), rig, "clip")
    assert len(sequence) == 1
    np.testing.assert_allclose(sequence.joints[0, 1], (-20, -45, -65), atol=1e-4)
    assert not sequence.mask[0, skeletons.SA3DHP17.index("head_top")]
    assert sequence.mask.sum() == 16


def test_the_roots_path_can_be_scaled_alone(path):
    plain = bvh.to_sequence(bvh.read(path), _rig(), "clip").joints
    scaled = bvh.to_sequence(bvh.read(path), _rig(root_scale=10.0), "clip").joints
    np.testing.assert_allclose(scaled[:, 0], plain[:, 0] * 10, rtol=1e-6)
    np.testing.assert_allclose(scaled - scaled[:, :1], plain - plain[:, :1], atol=1e-3)


def test_a_map_names_every_joint():
    with pytest.raises(errors.InputError, match=r"missing .*'pelvis'"):
        bvh.rig_from_yaml("{id: a, joints: {neck: Neck, tail: Tail}}")
    with pytest.raises(errors.InputError, match="expected a mapping"):
        bvh.rig_from_yaml("{id: a, joints: {}, units: 3}")
    with pytest.raises(errors.InputError, match="up expected y or z"):
        _rig(up="x")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MOTION", "", "no MOTION"),
        ("Frames: 2", "Frames: 3", "cut short"),
        ("OFFSET 0 -40 0", "OFSET 0 -40 0", "unexpected 'OFSET'"),
    ],
)
def test_a_broken_file_is_refused(path, old, new, message):
    path.write_text(BVH.replace(old, new))
    with pytest.raises(errors.InputError, match=message):
        bvh.read(path)


def test_an_unknown_joint_is_named(path):
    with pytest.raises(errors.InputError, match=r"no joints \['Elbow'\].*Hips, Knee"):
        bvh.forward_kinematics(bvh.read(path), ["Elbow"])


_LOOSE = {
    "blanks in a name": lambda t: t.replace("Knee", "Bip01 R Knee"),
    "a brace on the name's line": lambda t: t.replace("ROOT Hips\n{", "ROOT Hips{"),
    "braces on every name's line": lambda t: t.replace("\n  {", " {"),
    "a byte order mark": lambda t: "\ufeff" + t,
    "an old Mac's line ends": lambda t: t.replace("\n", "\r"),
    "what DOS puts at the end": lambda t: t + "\x1a",
    "windows' line ends": lambda t: t.replace("\n", "\r\n"),
    "keywords in lower case": lambda t: (
        t.replace("ROOT", "Root").replace("JOINT", "joint").replace("MOTION", "Motion")
        .replace("OFFSET", "offset").replace("CHANNELS", "Channels")
        .replace("HIERARCHY", "Hierarchy").replace("End Site", "END SITE")
        .replace("Frame Time:", "FRAME TIME :").replace("Frames:", "frames:")
        .replace("Xposition", "XPOSITION").replace("Zrotation", "zrotation")
    ),
    "an end site with a name": lambda t: t.replace("End Site", "End Site Knee_Nub"),
    "all on one line": lambda t: t.replace("\n", " ", t.index("MOTION") and 12),
}  # fmt: skip


@pytest.mark.parametrize("change", _LOOSE.values(), ids=_LOOSE)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_files_as_loose_as_programs_write_them_read_the_same(path, change, encoding):
    expected = bvh.forward_kinematics(bvh.read(path), NAMES)
    path.write_bytes(change(BVH).encode(encoding))
    motion = bvh.read(path)
    names = [n.replace("Bip01 R ", "") for n in motion.names()]
    assert names == NAMES
    got = bvh.forward_kinematics(motion, motion.names())
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_one_row_more_than_a_file_says_is_read_as_well(path):
    row = BVH.splitlines()[-1]
    path.write_text(BVH + row + "\n")
    assert len(bvh.read(path).values) == 3
    path.write_text(BVH + row + "\n" + row + "\n")
    with pytest.raises(errors.InputError, match="2 frames of 15 numbers expected"):
        bvh.read(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1 2 3 90 0 0", "1,5 2,0 3 90 0 0", "1,5: a decimal comma, expected a point"),
        ("OFFSET 0 -40 0", "OFFSET 0 -40,5 0", "-40,5: a decimal comma"),
        ("1 2 3 90 0 0", "nan 2 3 90 0 0", "not finite"),
        (".0083333", "0", "Frame Time: got 0, expected seconds"),
        (".0083333", "8.3333", "Frame Time: got 8.3333, expected seconds"),
        (".0083333", "120", "Frame Time: got 120, expected seconds"),
        ("1 2 3 90 0 0", "1_0 2 3 90 0 0", "a number with _ in it"),
        ("1 2 3 90 0 0", "1 2 3 1e300 0 0", "beyond 1e.09"),
        ("    OFFSET 0 -40 0\n", "", "Knee: no OFFSET"),
        ("OFFSET 0 -40 0", "OFFSET 0 -1e400 0", "not finite"),
        ("Xrotation Yrotation\n    End", "Xrotation xrotation\n    End", "3 channels"),
        (BVH[: BVH.index("MOTION")], "HIERARCHY\n", "no joint in it"),
        ("CHANNELS 3 Z", "CHANNELS 4 Z", "Knee: 4 channels"),
        ("CHANNELS 3 Z", "CHANNELS 3 Q", "Knee: 3 channels|unexpected"),
        ("  }\n}\nMOTION", "  }\nMOTION", "not closed"),
        ("  }\n}\nMOTION", "  }\n}\n}\nMOTION", "not a BVH file"),
        ("    OFFSET 0 -40 0\n", "    OFFSET 0 -40\n", "unexpected"),
    ],
)
def test_a_damaged_file_is_named(path, old, new, message):
    assert old in BVH
    path.write_text(BVH.replace(old, new, 1))
    with pytest.raises(errors.InputError, match=message):
        bvh.read(path)


@pytest.mark.parametrize(
    "change",
    [{"unit_mm": -1.0}, {"unit_mm": "x"}, {"skip_frames": 1.5}, {"root_scale": None},
     {"segments": {"a": [1, 2]}}, {"segments": 3}, {"joints": {"neck": 5}},
     {"joints": {"neck": ["a", "b", "c"]}}],
)  # fmt: skip
def test_an_attribute_of_a_wrong_kind_is_named(change):
    with pytest.raises(errors.InputError, match=f"rig test: {next(iter(change))} expe"):
        _rig(**change)


def test_two_joints_of_one_name_are_no_joint_to_use(path):
    path.write_text(BVH.replace("JOINT Knee", "JOINT Hand"))
    motion = bvh.read(path)
    assert bvh.forward_kinematics(motion, ["Hips"]).shape == (2, 1, 3)
    with pytest.raises(errors.InputError, match="has several joints Hand"):
        bvh.forward_kinematics(motion, ["Hips", "Hand"])
