"""CMU clips against an independent reading of them, and against each other."""

import csv
import dataclasses
import tarfile

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import glitches, schema
from sa3dhp.data.datasets import cmu, surreal
from sa3dhp.data.formats import asf_amc, bvh
from sa3dhp.skeleton import skeleton as skeletons

LEGS = [
    n
    for n, name in enumerate(skeletons.SA3DHP17.joint_names)
    if name.split("_")[-1] in ("pelvis", "hip", "knee", "ankle", "foot")
]


@pytest.fixture(scope="session")
def cmu_folder(shared_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cmu")
    archive = shared_data / "mocap_cmu" / "cmu_mocap_shared.tar.xz"
    with tarfile.open(archive, "r:xz") as file:
        file.extractall(folder, filter="data")
    return folder / "cmu_mocap_shared"


# All with a known glitch, both conversions, 60 fps, odd rigs.
SUBJECTS = {"02", "03", "07", "09", "10", "16", "39", "49", "60", "102", "131"}


@pytest.fixture(scope="session")
def clips(cmu_folder, shared_data):
    index = shared_data / "mocap_cmu" / "cmu-mocap-index-text.txt"
    return cmu.read_folder(cmu_folder, SUBJECTS, index=index)


@pytest.fixture(scope="session")
def manifest(shared_data):
    with open(shared_data / "mocap_cmu" / "manifest.csv", newline="") as file:
        return list(csv.DictReader(file))


def _by_name(clips, note):
    return {clip.name: clip for clip in clips if clip.note == note}


def _check_frames(clips, rows):
    listed = sorted(
        (row["subject"].zfill(2), int(row["trial"]), int(row["frames"]))
        for row in rows
        if row["file"].startswith("asf_amc")
    )
    amc = _by_name(clips, "amc").values()
    assert listed == sorted((c.subject, int(c.name.split("_")[1]), len(c)) for c in amc)


def test_clips_have_the_frames_listed(clips, manifest):
    rows = [row for row in manifest if row["subject"].zfill(2) in SUBJECTS]
    assert len(clips) == len(rows) == 141
    _check_frames(clips, rows)


@pytest.mark.slow
def test_all_205_clips_parse_and_only_the_flagged_jump(cmu_folder, manifest):
    clips = cmu.read_folder(cmu_folder)
    assert len(clips) == len(manifest) == 205
    _check_frames(clips, manifest)
    _check_glitches(clips, manifest)


def test_subjects_at_60_fps_are_known(clips):
    rates = {(clip.subject, clip.fps) for clip in clips if clip.fps != 120}
    assert rates == {("60", 60.0)}


def test_clips_carry_their_description(clips):
    assert _by_name(clips, "amc")["02_10"].action == "wash self"


def test_amc_agrees_with_an_independent_reading(clips, shared_data):
    with np.load(shared_data / "mocap_cmu" / "expected_joints17.npz") as expected:
        assert len(expected.files) == 4
        for name in expected.files:
            ours = schema.y_down(_by_name(clips, "amc")[name].joints[::4], "y")
            np.testing.assert_allclose(ours, expected[name] * 1000, atol=0.01)


@pytest.mark.parametrize("note", ["cmu_motionbuilder", "cmu_3dsmax"])
def test_bvh_agrees_with_amc_up_to_the_chest(clips, note):
    amc, compared = _by_name(clips, "amc"), 0
    for name, clip in _by_name(clips, note).items():
        if name in amc:
            frames = min(len(clip), len(amc[name]))
            ours, reference = clip.joints[:frames], amc[name].joints[:frames]
            compared += 1
            np.testing.assert_allclose(ours[:, LEGS], reference[:, LEGS], atol=0.02)
            # A usual thorax in place of the subject's own.
            assert np.linalg.norm(ours - reference, axis=-1).max() < 15
    assert compared == {"cmu_motionbuilder": 18, "cmu_3dsmax": 1}[note]


@pytest.mark.parametrize(
    ("file", "subject"),
    [
        ("bvh/02/02_01.bvh", "02"),
        ("bvh/49/49_07.bvh", "49"),
        ("bvh/07/07_05.bvh", "07"),
        ("bvh/other_rigs/131_01_max.bvh", "131"),
    ],
)
def test_with_its_own_thorax_bvh_agrees_with_amc(cmu_folder, clips, file, subject):
    skeleton = asf_amc.read_asf(cmu_folder / f"asf_amc/{subject}/{subject}.asf")
    thorax = skeleton.bones[skeleton.index("thorax")].offset
    rig = cmu.find_rig(bvh.read(cmu_folder / file))
    rig = dataclasses.replace(rig, segments=cmu.thorax_segments(rig.id, thorax))
    ours = cmu.read_bvh(cmu_folder / file, rig=rig)
    reference = _by_name(clips, "amc")[ours.name]
    np.testing.assert_allclose(ours.joints, reference.joints, atol=0.03)


def test_without_a_thorax_the_upper_body_is_too_low(cmu_folder, clips):
    """What the correction is for: the same clip, 0.11-0.12 m apart."""
    rig = dataclasses.replace(cmu.RIGS[0], segments={})
    ours = cmu.read_bvh(cmu_folder / "bvh/02/02_01.bvh", rig=rig).joints
    distance = np.linalg.norm(ours - _by_name(clips, "amc")["02_01"].joints, axis=-1)
    upper = np.delete(distance, LEGS, axis=1)
    assert 105 < upper.min() and upper.max() < 125


def _check_glitches(clips, manifest):
    flagged = {
        row["file"].split("/")[-1].split(".")[0]
        for row in manifest
        if "capture glitch" in row["note"]
    }
    found = {
        name
        for name, clip in _by_name(clips, "amc").items()
        if glitches.find(clip.joints).any()
    }
    assert found == flagged
    assert len(flagged) == 5
    # Of the conversions one holds a flagged clip, and one a second frame at the origin.
    conversions = [clip for clip in clips if clip.note != "amc"]
    found = {clip.name for clip in conversions if glitches.find(clip.joints).any()}
    assert found == {"16_15", "07_12"}


def test_glitches_are_found_in_exactly_the_flagged_clips(clips, manifest):
    _check_glitches(clips, manifest)


def test_people_stand_upright_and_knees_bend_forwards(clips):
    index = skeletons.SA3DHP17.index
    for clip in clips:
        joints = clip.joints.astype(np.float64)
        hip, knee, ankle = (
            joints[:, [index(f"left_{name}"), index(f"right_{name}")]]
            for name in ("hip", "knee", "ankle")
        )
        height = ankle[:, 0, 1] - joints[:, index("head_top"), 1]
        assert np.median(height) > 900, clip.name  # y is down
        up = joints[:, index("neck")] - joints[:, index("pelvis")]
        forward = np.cross(hip[:, 0] - hip[:, 1], up)[:, None]
        bend = np.sum((knee - (hip + ankle) / 2) * forward, axis=-1)
        assert bend.mean() > 0, clip.name  # straight legs count little


def test_unpaired_sequences_are_clean_and_at_30_fps(cmu_folder):
    sequences = cmu.unpaired_sequences(cmu_folder, {"03", "07", "16"})
    names = [sequence.name for sequence in sequences]
    assert len(set(names)) == len(names)
    assert {sequence.subject for sequence in sequences} == {"03", "07", "16"}
    for sequence in sequences:
        assert sequence.fps == 30.0
        steps = np.linalg.norm(np.diff(sequence.joints, axis=0), axis=-1)
        assert steps.max() < 450, sequence.name  # 13.5 m/s
    # In both formats: as AMC. Only as BVH: as that. Cut: from where it is good.
    notes = {sequence.name: sequence.note for sequence in sequences}
    assert notes["07_05"] == "amc" and notes["07_01"] == "cmu_motionbuilder"
    assert "03_02+50" in notes and "03_02" not in notes


def test_fixed_bone_lengths_weigh_subjects_alike(clips):
    lengths = cmu.fixed_bone_lengths(_by_name(clips, "amc").values())
    index = skeletons.SA3DHP17.index
    assert lengths.shape == (17,) and lengths.dtype == np.float32
    assert lengths[0] == 0
    assert lengths[index("left_knee")] == pytest.approx(410, abs=10)
    one = clips[0]
    crowd = [one] * 3 + [dataclasses.replace(one, joints=one.joints * 2, subject="x")]
    np.testing.assert_allclose(
        cmu.fixed_bone_lengths(crowd), 1.5 * cmu.fixed_bone_lengths([one]), rtol=1e-5
    )
    with pytest.raises(errors.InputError, match="at least one"):
        cmu.fixed_bone_lengths([])


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(errors.InputError, match="unpack the database"):
        cmu.read_folder(tmp_path)
    (tmp_path / "02_01.amc").write_text("")
    with pytest.raises(errors.InputError, match=r"skeleton 02\.asf"):
        cmu.read_folder(tmp_path)
    (tmp_path / "02_01.amc").rename(tmp_path / "walk.amc")
    with pytest.raises(errors.InputError, match=r"a name like 02_01\.amc"):
        cmu.read_folder(tmp_path)


def test_an_unknown_rig_asks_for_a_map():
    joint = bvh.Joint("Bone", -1, np.zeros(3), (), 0)
    motion = bvh.Motion((joint,), np.zeros((1, 0)), 30.0, "a.bvh")
    with pytest.raises(errors.InputError, match=r"Bone; give a joint map"):
        cmu.find_rig(motion)


def test_a_view_of_a_clip_is_a_pose_as_the_networks_want_it(clips):
    joints = schema.to_camera(schema.resample(clips[0]), yaw=1.0, pitch=0.1)
    assert joints[:, 0].any() == np.False_
    assert (joints[:, skeletons.SA3DHP17.index("head_top"), 1] < 0).mean() > 0.9


def _reach(joints, skeleton):
    """Distances of ankles and wrists from the pelvis, `[T, 4]`."""
    index = skeletons.get(skeleton).index
    ends = [index(f"{s}_{j}") for j in ("ankle", "wrist") for s in ("left", "right")]
    return np.linalg.norm(joints[:, ends] - joints[:, [index("pelvis")]], axis=-1)


def test_surreal_shows_every_fourth_frame_of_cmu(cmu_folder, shared_data):
    """Where its frame rate of 30 comes from, and its sides before the mirror."""
    clip = cmu.read_amc(cmu_folder / "asf_amc/01/01_01.amc")
    rendered = surreal.read_info(shared_data / "formats/surreal/01_01_c0001_info.mat")
    joints = rendered.joints[:, list(skeletons.get("smpl24").flip_indices)]
    theirs = _reach(joints, "smpl24")

    def correlation(stride):
        ours = _reach(clip.joints[: 100 * stride : stride], "sa3dhp17")
        return np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(ours.T, theirs.T)])

    assert correlation(4) > 0.99
    assert max(correlation(stride) for stride in (2, 3, 5, 6)) < 0.8
