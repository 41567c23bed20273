"""Planted faults are told by name, and clean data is not accused."""

import dataclasses
import json
import re
import tarfile

import miniature_people as people
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import records, schema, verification
from sa3dhp.data.checks import axes, clips, pictures, splits
from sa3dhp.data.datasets import cmu, lsp, surreal
from sa3dhp.data.datasets.human36m import cameras as human36m_cameras
from sa3dhp.data.formats import annotated_npz
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import body, motion

SIDE = 256
LENS = np.array([[1100.0, 0, SIDE / 2], [0, 1100.0, SIDE / 2], [0, 0, 1]])


def _looked_at(clip, pitch):
    """The clip in the frame of a camera that looks down, stated as it was."""
    seed = sum(map(ord, clip.name))
    yaw = np.random.default_rng(seed).uniform(-3, 3)
    turned = clip.turned(schema.view_matrix(yaw, pitch))
    return dataclasses.replace(turned, joints=turned.joints + np.array([0, 0, 4e3]))


def _flip(clip):
    return list(skeletons.get(clip.skeleton).flip_indices)


def _moved(clip, by=1):
    return np.roll(np.arange(clip.joints.shape[1]), by)


# What is wrong -> the name it must be told by, and how to plant it.
FAULTS = {
    "sides": ("swapped left and right", lambda c: c.changed(order=_flip(c))),
    "metres": ("metres for millimetres", lambda c: c.changed(scale=1e-3)),
    "y up": ("y up for y down", lambda c: c.changed(scale=np.array([1.0, -1, -1]))),
    "y negated": ("y up for y down", lambda c: c.changed(scale=np.array([1.0, -1, 1]))),
    "rows down": ("shifted joint order", lambda c: c.changed(order=_moved(c))),
    "rows up": ("shifted joint order", lambda c: c.changed(order=_moved(c, -1))),
}
MOTION_FAULTS = {
    **FAULTS,
    "camera": ("camera for world frame", lambda c: _looked_at(c, np.radians(12))),
    "frames left out": (
        "half the frame rate",
        lambda c: dataclasses.replace(c, joints=c.joints[::2]),
    ),
    "rate halved": (
        "half the frame rate stated",
        lambda c: dataclasses.replace(c, fps=c.fps / 2),
    ),
    "world": (
        "world for camera frame",
        lambda c: dataclasses.replace(c, frame="camera"),
    ),
}


def _blamed(found):
    return {f.fault for f in found if f.status == clips.FAIL}


@pytest.fixture(scope="module")
def mocap(shared_data, tmp_path_factory):
    """Genuine motions: walks, runs, jumps and more, of four people."""
    folder = tmp_path_factory.mktemp("cmu")
    with tarfile.open(shared_data / "mocap_cmu/cmu_mocap_shared.tar.xz") as archive:
        wanted = [
            m
            for m in archive
            if re.search(r"(/\d+|/02_\d+|/(09|131|16)_\d[1357])\.a", m.name)
        ]
        archive.extractall(folder, wanted)
    return [clips.from_sequence(s) for s in cmu.unpaired_sequences(folder)]


def _person(seed, frames=60, yaw=None):
    """One of the embedded world's people about the origin, y down."""
    rng = np.random.default_rng(seed)
    angles, _ = motion.sample(rng, rng.uniform(0, 5) + np.arange(frames) / 30.0)
    lengths = body.sample(rng, 0.06).lengths
    return body.joints(angles, lengths).astype(np.float64) * [1.0, -1.0, -1.0]


@pytest.fixture(scope="module")
def world():
    """Motions of the embedded world, root-relative as it makes them."""
    return [
        clips.Clip(f"m{n}", "sa3dhp17", _person(n), "world", 30.0) for n in range(120)
    ]


def _seen(joints, name, skeleton="sa3dhp17", fps=30.0):
    """Joints in a camera's frame with their key-points."""
    points = joints @ LENS.T
    return clips.Clip(
        name,
        skeleton,
        joints,
        "camera",
        fps,
        points[..., :2] / points[..., 2:],
        np.repeat(LENS[None], len(joints), 0),
        subject=f"person {name}",
        sequence=name,
        size=SIDE,
        rows=np.arange(len(joints)),
    )


@pytest.fixture(scope="module", params=["sa3dhp17", "h36m32", "smpl24"])
def filmed(request):
    """Rendered people in front of a camera, in the order of several data sets."""
    found = []
    for seed in range(10):
        joints = people.towards(people.person(seed, 60), 5000.0)
        joints = people.expand(joints, request.param)
        found.append(_seen(joints, str(seed), request.param))
    return found


@pytest.fixture(scope="module")
def filmed_mocap(mocap):
    """Genuine motions seen by a camera that looks down a little, two seconds each."""
    found = []
    for clip in mocap:
        for start in range(0, len(clip.joints) - 59, 60):
            part = clip.joints[start : start + 60]
            part = (part - part[:, :1].mean(0)) @ schema.view_matrix(start, 0.2).T
            found.append(_seen(part + np.array([0, 0, 5e3]), f"{clip.name}+{start}"))
    return found


def test_genuine_motions_are_not_accused(mocap):
    found = verification.examine(mocap)
    assert {f.status for f in found} <= {"pass", "none"}, found


@pytest.mark.parametrize("fault", MOTION_FAULTS)
def test_faults_of_genuine_motions_are_named(mocap, fault):
    name, plant = MOTION_FAULTS[fault]
    assert _blamed(verification.examine([plant(clip) for clip in mocap])) == {name}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_some_genuine_motions_is_named(mocap, fault):
    name, plant = FAULTS[fault]
    some = [plant(c) if n % 4 == 0 else c for n, c in enumerate(mocap)]
    assert _blamed(verification.examine(some)) == {name}


def test_motions_of_the_embedded_world_are_not_accused(world):
    assert not _blamed(verification.examine(world))


@pytest.mark.parametrize("fault", [*FAULTS, "camera", "frames left out"])
def test_faults_of_the_embedded_world_are_named(world, fault):
    name, plant = MOTION_FAULTS[fault]
    assert _blamed(verification.examine([plant(clip) for clip in world])) == {name}


def test_filmed_people_are_not_accused(filmed):
    assert not _blamed(verification.examine(filmed))


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_filmed_people_are_named(filmed, fault):
    name, plant = FAULTS[fault]
    assert _blamed(verification.examine([plant(clip) for clip in filmed])) == {name}


@pytest.mark.parametrize("fault", ["sides", "rows down"])
def test_a_fault_of_joints_and_key_points_alike_is_named_once(filmed, fault):
    name, plant = FAULTS[fault]
    order = {"sides": _flip, "rows down": _moved}[fault]
    wrong = [
        dataclasses.replace(plant(clip), keypoints=clip.keypoints[:, order(clip)])
        for clip in filmed
    ]
    wrong = [dataclasses.replace(clip, order=None) for clip in wrong]
    assert _blamed(verification.examine(wrong)) == {name}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("swapped left and right", lambda c: c.keypoints[:, _flip(c)]),
        ("swapped left and right", lambda c: c.keypoints * [-1, 1] + [SIDE - 1, 0]),
        ("shifted joint order", lambda c: c.keypoints[:, _moved(c)]),
        ("y up for y down", lambda c: c.keypoints * [1, -1] + [0, SIDE - 1]),
        ("projection of another crop", lambda c: c.keypoints * 1.5 + 40),
    ],
)
def test_faults_of_key_points_are_named(filmed, name, change):
    wrong = [dataclasses.replace(c, keypoints=change(c)) for c in filmed]
    assert _blamed(verification.examine(wrong)) == {name}


def test_joints_of_the_world_in_a_cameras_frame_are_named(filmed):
    turn = schema.view_matrix(1.1, 0.4)
    wrong = [
        dataclasses.replace(c, joints=(c.joints - [0, 0, 5e3]) @ turn) for c in filmed
    ]
    assert _blamed(verification.examine(wrong)) == {"world for camera frame"}


def test_filmed_genuine_motions_are_not_accused(filmed_mocap):
    found = verification.examine(filmed_mocap)
    assert {f.status for f in found} <= {"pass", "none"}, found


def test_half_the_frame_rate_of_filmed_motions_is_named(filmed_mocap):
    halved = [
        dataclasses.replace(
            c,
            joints=c.joints[::2],
            keypoints=c.keypoints[::2],
            projections=c.projections[::2],
        )
        for c in filmed_mocap
    ]
    assert _blamed(verification.examine(halved)) == {"half the frame rate"}


def test_repeated_frames_are_named(mocap):
    twice = [
        dataclasses.replace(c, joints=np.repeat(c.joints[::2], 2, axis=0))
        for c in mocap
    ]
    assert "half the frame rate" in _blamed(verification.examine(twice))


def test_the_rate_is_not_guessed_where_nobody_walks_or_jumps(world):
    still = [
        dataclasses.replace(c, joints=np.repeat(c.joints[:1], 60, 0) + noise)
        for c, noise in zip(world[:9], np.random.default_rng(0).normal(size=(9, 1)))
    ]
    rate = next(f for f in verification.examine(still) if f.check == "frame rate")
    assert rate.status == "none"


@pytest.mark.parametrize("scale", [1e-3, 1e-2, 1e-1, 1 / 25.4, 1 / 56.444])
def test_units_are_told_apart(mocap, scale):
    names = {1e-3: "metres", 1e-2: "decimetres", 1e-1: "centimetres"}
    name = names.get(scale, "inches" if scale > 0.03 else "ASF units")
    blamed = _blamed(verification.examine([c.changed(scale=scale) for c in mocap]))
    assert blamed == {f"{name} for millimetres"}


def test_z_up_is_told_from_y_up(mocap):
    z_up = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    found, repaired = axes.up([clip.turned(z_up) for clip in mocap])
    assert found.fault == "z up for y down"
    for clip, mended in zip(mocap, repaired):
        np.testing.assert_allclose(mended.joints, clip.joints, atol=1e-9)


def test_genuine_pictures_are_not_accused(shared_data):
    folder = shared_data / "formats"
    video = surreal.read_info(folder / "surreal/01_01_c0001_info.mat")
    matrix = np.repeat(surreal.MATRIX[None], len(video), 0)
    home = folder / "h36m"
    poses = annotated_npz.read(home / "h36m_body3d_2samples.npz", "h36m17", home)
    lens = human36m_cameras.read(home / "camera-parameters.json")
    lenses = np.stack([lens[s, "54138969"].matrix for s in ("S1", "S5")])
    for frames, lens, fps, size in (
        (video, matrix, 30.0, 320),
        (poses, lenses, 0.0, 1000),
    ):
        clip = clips.Clip(
            frames.name,
            frames.skeleton,
            frames.joints.astype(np.float64),
            "camera",
            fps,
            frames.keypoints.astype(np.float64),
            lens,
            size=size,
        )
        found = verification.examine([clip])
        assert {f.status for f in found} <= {"pass", "none"}, found
        swapped = clip.changed(order=_flip(clip))
        assert _blamed(verification.examine([swapped])) == {"swapped left and right"}


def test_key_points_without_joints_are_checked(shared_data):
    frames = lsp.read_folder(shared_data / "formats/lsp_extended")[0]
    points = np.where(frames.mask[..., None], frames.keypoints, np.nan)
    clip = clips.Clip("lspet", "lsp14", None, "camera", 0.0, points.astype(float))
    assert not _blamed(verification.examine([clip]))
    for name, wrong in (
        ("shifted joint order", np.roll(points, 1, axis=1)),
        ("y up for y down", 500 - points),
    ):
        clip = dataclasses.replace(clip, keypoints=wrong)
        assert _blamed(verification.examine([clip])) == {name}


def test_half_a_turn_of_a_pose_changes_no_side():
    joints = _person(5)
    turned = joints @ schema.view_matrix(2.0, 1.0, 3.0).T
    score = axes.sides_score(joints)
    np.testing.assert_allclose(axes.sides_score(turned), score, atol=1e-6)
    np.testing.assert_allclose(axes.sides_score(joints * [-1, 1, 1]), -score)
    flip = list(clips.BODY.flip_indices)
    np.testing.assert_allclose(axes.sides_score(joints[:, flip]), -score)


def test_a_rigid_motion_is_undone_to_the_millimetre():
    clip = _seen(people.towards(people.person(0, 8), 4000.0), "a")
    turn = schema.view_matrix(0.7, -0.3)
    wrong = dataclasses.replace(clip, joints=clip.joints @ turn.T - 900.0)
    found, (mended,) = pictures.world_given([wrong])
    assert found.fault == "world for camera frame"
    np.testing.assert_allclose(mended.joints, clip.joints, atol=1.0)


def _split(names, subject, seed=0, count=2):
    rng = np.random.default_rng(seed)
    return [
        clips.Clip(n, "sa3dhp17", rng.normal(size=(count, 17, 3)) * 300, "camera", 0.0,
                   subject=subject, sequence=n)
        for n in names
    ]  # fmt: skip


def test_shared_subjects_sequences_and_poses_are_found():
    train, test = _split("ab", "S1"), _split("cd", "S9", seed=1)
    assert splits.overlap("human36m", {"train": train, "test": test}).status == "pass"
    for other, word in (
        (_split("cd", "S1", seed=1), "1 subjects (S1)"),
        (_split("bc", "S9", seed=1), "1 sequences (b)"),
        (_split("cd", "S9"), "4 of 4 poses"),
    ):
        found = splits.overlap("human36m", {"train": train, "test": other})
        assert found.status == "fail" and word in found.found
    assert splits.overlap("cmu", {"train": train}).status == "none"


def test_counts_are_compared_with_the_published_ones():
    def status(dataset, **found):
        return [f.status for f in splits.counts(dataset, found)]

    whole = [*_split("a", "S9"), *_split("b", "S11")]
    assert status("human36m", test=whole) == ["pass"]
    assert status("human36m", test=whole[:1]) == ["warn"]
    assert status("human36m", test=_split("a", "S1")) == ["fail"]
    assert status("videos", train=whole) == ["none"]
    scene = _split(["TS5"], "TS5", count=276)
    (found,) = splits.counts("mpi_inf_3dhp", {"test": scene})
    assert found.status == "warn" and "276 frames of TS5" not in found.found
    (found,) = splits.counts("mpi_inf_3dhp", {"test": _split(["TS5"], "", count=277)})
    assert found.status == "fail" and "published 276 frames of TS5" in found.found
    names = [f"place_{n:02d}_{person}" for n in range(24) for person in (0, 1)]
    assert status("threedpw", test=_split(names, "")) == ["pass"]


def _prepared(folder, motions):
    """Writes a prepared folder of motions."""
    shard = "train-00000-of-00001.tfrecord"
    records.write_shard(folder / shard, map(records.encode_motion, motions))
    entry = dict(
        shards=[shard], checksums=[records.checksum(folder / shard)],
        records=len(motions), clips=len(motions), sequences=len(motions),
        subjects=sorted({m.subject for m in motions}), skeleton="sa3dhp17",
    )  # fmt: skip
    settings = dict(kind="motions", skeleton="sa3dhp17", fps=30.0, frame="world")
    splits_ = {"train": entry}
    hash_ = records.data_hash(
        splits_, dataset="embedded", kind="motions", fps=30.0, image_size=0,
        stored_size=0, frame="world",
    )  # fmt: skip
    records.write_manifest(
        folder,
        records.Manifest(
            "embedded", splits=splits_, image_size=0, stored_size=0, sources={},
            licence="", data_hash=hash_, **settings,
        ),
    )  # fmt: skip


def _refused(folder, manifest, message):
    """An edited manifest is refused, and its field named."""
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(errors.InputError) as error:
        records.read_manifest(folder)
    assert message in str(error.value)


def test_changed_shards_fail_and_older_manifests_have_nothing_to_check(tmp_path):
    motions = [
        schema.Sequence(f"m{n}", "sa3dhp17", _person(n), "world", 30.0)
        for n in range(12)
    ]
    _prepared(tmp_path, motions)
    shard = tmp_path / "train-00000-of-00001.tfrecord"
    other = [dataclasses.replace(motions[0], name="x1"), *motions[1:]]
    records.write_shard(shard, map(records.encode_motion, other))
    report, _ = verification.verify(tmp_path)
    assert report.faults == {"damaged data"}
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["splits"]["train"]["checksums"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    report, _ = verification.verify(tmp_path)
    assert not report.failed


def test_frames_without_joints_and_infinite_ones_are_named():
    good = clips.from_sequence(
        schema.Sequence("good", "sa3dhp17", _person(0), "world", 30.0)
    )
    assert splits.finite({"train": [good]}).status == "pass"
    for value, words in ((np.inf, "infinite numbers"), (np.nan, "without any joint")):
        joints = good.joints.copy()
        joints[3] = value
        bad = dataclasses.replace(good, joints=joints)
        finding = splits.finite({"train": [good], "test": [bad]})
        assert (finding.status == "fail" and f"{words} in good" in finding.found) or (
            words in finding.found
        )


def test_a_folder_that_lost_records_fails(tmp_path):
    motions = [
        schema.Sequence(f"m{n}", "sa3dhp17", _person(n), "world", 30.0)
        for n in range(12)
    ]
    _prepared(tmp_path, motions)
    report, sheet = verification.verify(tmp_path)
    assert not report.failed and sheet.dtype == np.uint8 and sheet.ndim == 3
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["splits"]["train"]["records"] += 1
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    report, _ = verification.verify(tmp_path)
    assert report.faults == {"incomplete data"}
    manifest["splits"]["train"]["records"] -= 1
    _refused(tmp_path, {**manifest, "fps": 60.0}, "fps: 60.0, expected 30.0")
    _refused(tmp_path, {**manifest, "kind": "frames"}, "kind: 'frames', expected 'mot")
    _refused(tmp_path, {**manifest, "frame": "room"}, "frame: expected camera or world")
    _refused(tmp_path, {**manifest, "fps": "30"}, "fps: expected 0 or above")
    _refused(tmp_path, {**manifest, "splits": {"train": 3}}, "splits.train: expected")
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(errors.InputError, match="not prepared data"):
        verification.verify(tmp_path)
