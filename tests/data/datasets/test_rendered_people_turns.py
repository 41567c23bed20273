"""Turns of captured bones, against the joints that `cmu` reads from the same files."""

import dataclasses
import tarfile

import miniature
import miniature_makehuman
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import schema
from sa3dhp.data.datasets import cmu
from sa3dhp.data.datasets.rendered_people import turns
from sa3dhp.data.formats import bvh
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic.people import body as bodies
from sa3dhp.synthetic.people import makehuman, motion

SKELETON = skeletons.SA3DHP17
AT = SKELETON.index
LIMBS = [
    (f"{side}_{end}", f"{side}_{start}")
    for side in ("left", "right")
    for end, start in (
        ("elbow", "shoulder"),
        ("wrist", "elbow"),
        ("knee", "hip"),
        ("ankle", "knee"),
    )
]
SAMPLES = (
    "asf_amc/02/02_01.amc",
    "asf_amc/09/09_01.amc",
    "asf_amc/49/49_07.amc",
    "bvh/02/02_01.bvh",
    "bvh/49/49_07.bvh",
    "bvh_max/39/39_01.bvh",
)


@pytest.fixture(scope="module")
def person(shared_data, tmp_path_factory):
    """MakeHuman's genuine body and a person's skeleton in it."""
    archive = shared_data / "assets/makehuman_cc0.tar.xz"
    if not archive.is_file():
        pytest.skip(f"MakeHuman's files not at hand: {archive} does not exist")
    folder = tmp_path_factory.mktemp("makehuman")
    with tarfile.open(archive, "r:xz") as file:
        wanted = [
            m for m in file.getmembers() if m.name.lstrip("./").startswith("mpfb2")
        ]
        file.extractall(folder, wanted, filter="data")
    body = bodies.Body(folder / "mpfb2")
    shape = bodies.Shape(0.9, 0.2, 0.6, 0.4, 0.5, (0.3, 0.3, 0.4))
    vertices = body.shaped(shape) * np.float32(0.1)
    return body, bodies.skeleton(body, vertices), vertices


def _captured(path, rows):
    """The joints of the person who was captured, metres, y up."""
    joints = cmu.READERS[path.suffix](path).joints[rows]
    return schema.y_down(joints, "y").astype(np.float64) / 1000.0


def _unit(way):
    return way / np.linalg.norm(way, axis=-1, keepdims=True)


@pytest.mark.parametrize("name", SAMPLES)
def test_genuine_motions_are_those_of_the_captures(shared_data, person, name) -> None:
    """Limbs point as the captured ones; joints are near those of a scaled figure."""
    body, skeleton, _ = person
    path = shared_data / "mocap_cmu/samples" / name
    recording = turns.read(path)
    rows = np.arange(0, recording.length, 4)
    capture = recording.capture(rows)
    posed = motion.pose(body.rig, skeleton, capture)
    theirs, ours = _captured(path, rows), posed.joints
    for end, start in LIMBS:
        ways = [_unit(j[:, AT(end)] - j[:, AT(start)]) for j in (theirs, ours)]
        assert (ways[0] * ways[1]).sum(-1).min() > np.cos(np.radians(0.1)), end
    root = [j - j[:, :1] for j in (theirs * skeleton.leg / capture.leg, ours)]
    gap = np.linalg.norm(root[0] - root[1], axis=-1).mean(axis=0)
    legs = ("hip", "knee", "ankle", "foot")
    legs = [n for n, j in enumerate(SKELETON.joint_names) if j.endswith(legs)]
    assert gap[legs].max() < 0.07  # m
    assert gap.max() < 0.25  # the head's top is that of the skull
    path_gap = (theirs[:, 0] - theirs[0, 0]) * skeleton.leg / capture.leg
    np.testing.assert_allclose(ours[:, 0] - ours[0, 0], path_gap, atol=1e-3)


def _figure(source: bvh.Motion, names: dict[str, str], leg: float):
    """The captured figure itself, as a rig and as a skeleton at rest, metres.

    Bones that the rig has are called as there, the others as in the file.
    """
    theirs = {name: ours for ours, name in names.items()}
    inner = [joint for joint in source.joints if joint.channels]
    rows = {id(joint): n for n, joint in enumerate(inner)}
    parents = [
        rows[id(source.joints[joint.parent])] if joint.parent >= 0 else -1
        for joint in inner
    ]
    heads = np.zeros((len(inner), 3))
    for n, joint in enumerate(inner[1:], 1):
        heads[n] = heads[parents[n]] + joint.offset * turns.ASF_UNIT
    known = tuple(theirs.get(joint.name, joint.name) for joint in inner)
    rig = makehuman.Rig(known, np.array(parents), (), (), np.zeros((0, len(inner))))
    bones = dict(bodies.STARTS, pelvis="Hips", neck="Neck", head_top="Head")
    owners = np.array([rig.index(bones[name]) for name in SKELETON.joint_names])
    return rig, bodies.Skeleton(heads, heads, heads[owners], owners, leg, 0.0)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.endswith(".bvh")])
def test_the_captured_figure_moves_as_the_readers_kinematics(shared_data, name) -> None:
    """Nothing is to be aligned or scaled: every bone starts where the file has it."""
    recording = turns.read(shared_data / "mocap_cmu/samples" / name)
    rows = np.arange(0, recording.length, 20)
    capture = recording.capture(rows)
    rig, skeleton = _figure(recording.source, recording.names, capture.leg)
    posed = motion.pose(rig, skeleton, capture, curl=(0.0, 0.0))
    starts = np.einsum("tbij,bj->tbi", posed.turns, skeleton.heads) + posed.places
    bones = [bone for bone in recording.names if bone in rig.names]
    assert len(bones) >= 25
    taken = dataclasses.replace(recording.source, values=recording.source.values[rows])
    theirs = bvh.forward_kinematics(taken, [recording.names[bone] for bone in bones])
    theirs = theirs * turns.ASF_UNIT
    ours = starts[:, [rig.index(bone) for bone in bones]]
    root = bones.index("Hips")
    shift = ours[0, root] - theirs[0, root]  # onto the floor, above the origin
    np.testing.assert_allclose(ours - shift, theirs, atol=1e-5)  # 10 um
    sides = starts[:, rig.index("LeftUpLeg")] - starts[:, rig.index("RightUpLeg")]
    np.testing.assert_allclose(
        posed.joints[:, AT("left_hip")] - posed.joints[:, AT("right_hip")], sides
    )


def test_left_is_left_and_feet_are_on_the_floor(shared_data, person) -> None:
    body, skeleton, _ = person
    recording = turns.read(shared_data / "mocap_cmu/samples" / SAMPLES[0])
    posed = motion.pose(
        body.rig, skeleton, recording.capture(np.arange(0, recording.length, 8))
    )
    joints = posed.joints
    hips = joints[:, AT("left_hip")] - joints[:, AT("right_hip")]
    ahead = np.cross(hips, [0.0, 1.0, 0.0])
    walked = joints[-1, 0] - joints[0, 0]
    assert np.linalg.norm(walked) > 2.0 and (ahead @ walked > 0).all()
    toes = joints[:, list(SKELETON.indices("left_foot", "right_foot")), 1]
    assert (toes.min(axis=1) < 0.1).all()  # the capture's floor rises by 5 cm


def test_the_top_of_the_head_is_on_the_skull(person) -> None:
    body, skeleton, vertices = person
    top = skeleton.joints[AT("head_top")]
    surface = vertices[body.groups["body"]]
    assert np.linalg.norm(surface - top, axis=1).min() < 1e-6
    assert surface[:, 1].max() - top[1] < 0.005
    neck = skeleton.joints[AT("neck")]
    assert 0.3 < top[1] - neck[1] < 0.45


def test_formats_of_one_clip_agree(shared_data) -> None:
    samples = shared_data / "mocap_cmu/samples"
    rows = np.arange(0, 300, 10)
    amc, converted = (
        turns.read(samples / name).capture(rows) for name in (SAMPLES[0], SAMPLES[3])
    )
    assert amc.leg == pytest.approx(converted.leg, rel=1e-3)
    np.testing.assert_allclose(amc.path, converted.path, atol=1e-4)
    for name, mine in amc.turns.items():
        if "Thumb" not in name and "Finger" not in name:
            gap = np.abs(mine - converted.turns[name]).max()
            assert gap < 5e-3, name


def test_a_miniature_capture_is_read(tmp_path) -> None:
    written = miniature.cmu(tmp_path, subjects=("07",), clips=1, frames=40)
    (path,) = tmp_path.rglob("*.amc")
    recording = turns.read(path)
    assert (recording.name, recording.subject) == ("07_01", "07")
    assert (recording.length, recording.fps) == (40, 120.0)
    capture = recording.capture(np.array([3, 3, 20]))
    assert len(capture) == 3 and "LeftFingerBase" not in capture.turns
    np.testing.assert_array_equal(capture.path[0], capture.path[1])
    joints = written["07_01"][[3, 3, 20]]
    limb = _unit(joints[:, AT("left_knee")] - joints[:, AT("left_hip")])
    got = capture.turns["LeftUpLeg"] @ capture.rest["LeftUpLeg"]
    np.testing.assert_allclose(got, limb, atol=1e-4)


def test_a_miniature_conversion_is_read(tmp_path) -> None:
    folder = miniature_makehuman.captures(tmp_path, ("07",), 1, 40)
    recording = turns.read(folder / "07/07_01.bvh")
    assert (recording.length, recording.fps) == (40, 120.0)  # without the T-pose
    rows = np.array([3, 20])
    capture = recording.capture(rows)
    theirs = _captured(folder / "07/07_01.bvh", rows)
    for end, start, bone in (
        ("left_knee", "left_hip", "LeftUpLeg"),
        ("right_wrist", "right_elbow", "RightForeArm"),
    ):
        limb = _unit(theirs[:, AT(end)] - theirs[:, AT(start)])
        got = capture.turns[bone] @ capture.rest[bone]
        np.testing.assert_allclose(got, limb, atol=1e-5)
    np.testing.assert_allclose(
        np.diff(capture.path, axis=0), np.diff(theirs[:, 0], axis=0), atol=1e-5
    )


def test_other_rigs_are_refused(shared_data) -> None:
    rigs = shared_data / "mocap_cmu/samples/bvh/other_rigs"
    with pytest.raises(errors.InputError, match="rig cmu_daz"):
        turns.read(rigs / "10_03_daz.bvh")


def test_recordings_are_frozen(tmp_path) -> None:
    miniature.cmu(tmp_path, subjects=("07",), clips=1, frames=4)
    recording = turns.read(next(tmp_path.rglob("*.amc")))
    with pytest.raises(dataclasses.FrozenInstanceError):
        recording.length = 3
