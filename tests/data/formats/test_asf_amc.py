"""ASF and AMC files: a hand-made skeleton by hand numbers, and what is refused."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.formats import asf_amc

ASF = """# comment
:version 1.10
:units
  mass 1.0
  length 0.5
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name hip
     direction 1 0 0
     length 2
     axis 0 0 0  XYZ
  end
  begin
     id 2
     name thigh
     direction 0 -1 0
     length 3
     axis 0 0 90 XYZ
    dof rx rz
    limits (-160.0 20.0)
           (-70.0 70.0)
  end
:hierarchy
  begin
    root hip
    hip thigh
  end
"""
AMC = """#!OML:ASF somewhere
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
thigh 0 0
2
root 1 2 3 0 0 90
thigh 0 1.7e-014
3
root 1 2 3 0 0 0
thigh 90 0
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "01.asf").write_text(ASF)
    (tmp_path / "01_01.amc").write_text(AMC)
    return tmp_path


def _ends(folder, names=("root", "hip", "thigh")):
    skeleton = asf_amc.read_asf(folder / "01.asf")
    motion = asf_amc.read_amc(folder / "01_01.amc", skeleton)
    return asf_amc.forward_kinematics(skeleton, motion, list(names)) / skeleton.unit


def test_bones_end_where_the_formula_says(files):
    assert asf_amc.read_asf(files / "01.asf").unit == pytest.approx(50.8)
    expected = [
        [(1, 2, 3), (3, 2, 3), (3, -1, 3)],  # at rest
        [(1, 2, 3), (1, 4, 3), (4, 4, 3)],  # the root turns x to y: all follow
        # The thigh's axes are turned by 90 degrees about z, so its `rx` is the body's
        # y, along which the thigh lies: nothing moves.
        [(1, 2, 3), (3, 2, 3), (3, -1, 3)],
    ]
    np.testing.assert_allclose(_ends(files), expected, atol=1e-9)


def test_the_order_of_angles_is_the_bones_own(files):
    """`dof rx rz` turns about x first: (0, -1, 0) in a frame turned 90 about z."""
    (files / "01_01.amc").write_text(":DEGREES\n1\nroot 0 0 0 0 0 0\nthigh 90 90\n")
    skeleton = asf_amc.read_asf(files / "01.asf")
    local = np.array([-1.0, 0.0, 0.0])  # C^-1 (0, -1, 0)
    turn_x = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    turn_z = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    expected = np.array([2, 0, 0]) + 3 * turn_z @ (turn_z @ turn_x @ local)
    np.testing.assert_allclose(_ends(files)[0, 2], expected, atol=1e-9)
    assert skeleton.index("thigh") == 2


def test_windows_line_ends_are_the_same(files):
    before = _ends(files)
    for name, text in (("01.asf", ASF), ("01_01.amc", AMC)):
        (files / name).write_bytes(text.replace("\n", "\r\n").encode())
    np.testing.assert_array_equal(_ends(files), before)


def test_only_ancestors_are_computed(files):
    np.testing.assert_array_equal(_ends(files, ["hip"])[:, 0], _ends(files)[:, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "no :DEGREES line"),
        (AMC[:-6], "cut short"),
        (AMC.replace("\n3\n", "\n4\n"), "gap"),
        (AMC.replace("thigh 90", "shin 90"), "different bones"),
        (AMC.replace("thigh", "wing"), r"\['wing'\] are not as its skeleton"),
        (AMC.replace("root", "thorax"), "are not as its skeleton"),
    ],
)
def test_a_broken_motion_is_refused(files, text, message):
    (files / "01_01.amc").write_text(text)
    with pytest.raises(errors.InputError, match=message):
        _ends(files)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (":hierarchy", ":tree", "hierarchy"),
        ("angle deg", "angle rad", "expected deg"),
        ("axis 0 0 90 XYZ", "axis 0 0 90 ZYX", "expected XYZ"),
        ("position 0 0 0", "position 0 1 0", "rest position"),
        ("hip thigh", "knee thigh", "knee -> thigh"),
        ("length 0.5", "length -0.5", "length -0.5, expected above 0"),
        ("direction ", "direction 9", "expected a direction of length 1"),
        ("    length ", "    length -", "no length below 0"),
        ("name thigh", "name hip", "a bone of bonedata comes twice"),
    ],
)
def test_a_broken_skeleton_is_refused(files, old, new, message):
    (files / "01.asf").write_text(ASF.replace(old, new))
    with pytest.raises(errors.InputError, match=message):
        _ends(files)


_LOOSE = {
    "blanks in names": lambda t: t.replace("thigh", "left thigh bone"),
    "a byte order mark": lambda t: "\ufeff" + t,
    "keywords in other cases": lambda t: (
        t.replace("begin", "Begin").replace("end", "END").replace("root", "Root")
        .replace(":bonedata", ":BoneData").replace("direction", "Direction")
        .replace("axis", "AXIS").replace(":DEGREES", ":Degrees")
        .replace("order", "ORDER").replace("dof", "DOF")
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", _LOOSE.values(), ids=_LOOSE)
def test_files_as_loose_as_programs_write_them_read_the_same(files, change):
    expected = _ends(files)
    for name in ("01.asf", "01_01.amc"):
        path = files / name
        path.write_text(change(path.read_text()), encoding="utf-8")
    thigh = "left thigh bone" if "left thigh" in path.read_text() else "thigh"
    np.testing.assert_allclose(_ends(files, ("root", "hip", thigh)), expected)


@pytest.mark.parametrize("name", ["01.asf", "01_01.amc"])
def test_a_decimal_comma_is_named(files, name):
    path = files / name
    text = path.read_text().replace("1.7e-014", "1,7").replace("axis 0", "axis 0,5")
    path.write_text(text)
    with pytest.raises(errors.InputError, match=r"\d,\d: a decimal comma"):
        _ends(files)
