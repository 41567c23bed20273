"""Composed crowds: who covers whom, whose joints are where, what is refused."""

import functools
import shutil

import cv2
import miniature
import miniature_muco
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import records, verification
from sa3dhp.data.datasets import muco
from sa3dhp.data.preparing import job, local, units

SETTINGS = units.Settings(224, 192, clips=24)
ALONE = functools.partial(local.run, processes=1)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return miniature_muco.muco(tmp_path_factory.mktemp("mpi_inf_3dhp"))


@pytest.fixture(scope="module")
def prepared(raw, tmp_path_factory):
    output = tmp_path_factory.mktemp("prepared") / "muco"
    job.run("muco", raw, output, SETTINGS, ALONE)
    return output


def _pictures(folder, split="train"):
    """The records of each picture, in order."""
    found = {}
    for frame in records.read_frames(folder, split):
        found.setdefault(frame.clip, []).append(frame)
    return list(found.values())


def _at(frame, joint):
    """The colour of a picture where a joint of a person is."""
    x, y = np.rint(frame.keypoints[muco.SKELETON.index(joint)]).astype(int)
    return frame.image[y, x].astype(int)


def test_a_picture_holds_people_of_different_sequences_the_nearest_first(prepared):
    manifest = records.read_manifest(prepared)
    assert {n: s["clips"] for n, s in manifest.splits.items()} == {
        "train": 24,
        "val": 2,
    }
    assert manifest.splits["train"]["subjects"] == ["S1", "S2", "S3"]
    assert manifest.splits["val"]["subjects"] == ["S7", "S8"]
    assert (manifest.image_size, manifest.fps) == (192, 0.0)
    counts = set()
    for people in _pictures(prepared):
        counts.add(len(people))
        assert [frame.position for frame in people] == list(range(len(people)))
        assert len({frame.sequence for frame in people}) == len(people)
        depths = [frame.joints[muco.SKELETON.root, 2] for frame in people]
        assert depths == sorted(depths)
        for frame in people:
            np.testing.assert_array_equal(frame.image, people[0].image)
    assert counts == {1, 2, 3}


def test_joints_are_where_the_picture_shows_them_and_the_nearest_is_on_top(prepared):
    hidden = 0
    for people in _pictures(prepared):
        for frame in people:
            flat = frame.joints @ frame.projection.T
            flat = flat[:, :2] / flat[:, 2:]
            np.testing.assert_allclose(flat, frame.keypoints, atol=0.1)
            right, left = _at(frame, "right_wrist"), _at(frame, "left_wrist")
            shown = [right[2] - right[0] > 90, left[0] - left[2] > 90]
            if frame.position == 0 and frame.sequence[:2] != "S3":  # the chair
                assert all(shown)
            hidden += not all(shown)
    assert hidden, "somebody stands before somebody's hand"


def test_every_camera_becomes_the_fixed_one(prepared):
    for frame in records.read_frames(prepared, "train"):
        matrix = frame.projection
        np.testing.assert_allclose(np.diag(matrix)[:2], 0.75 * 192, rtol=0.01)
        np.testing.assert_allclose(matrix[:2, 2], 111.5, atol=1.0)


def test_a_chair_comes_with_its_user(raw, prepared):
    rng = np.random.default_rng(0)
    (person, *_) = muco.cutouts(raw / miniature_muco.SEATED, 0, rng, SETTINGS)
    yellow = (np.abs(person.image - np.int16(miniature_muco.YELLOW)) < 40).all(axis=-1)
    assert yellow.sum() > 50 and person.alpha[yellow].mean() > 200
    height = len(person.alpha)
    assert 0.01 < (person.alpha > 128).mean() < 0.2
    assert not person.alpha[: height // 8].any()


def test_it_passes_verification(prepared):
    report, sheet = verification.verify(prepared)
    assert not report.failed, report.text()
    assert sheet.shape[0] > 200


def test_people_stand_before_the_backgrounds_that_are_there(raw, tmp_path):
    for name in ("S1", "S2", "S7"):
        shutil.copytree(raw / name, tmp_path / "in" / name)
    few = units.Settings(96, 80, clips=2)
    without = muco.plan(tmp_path / "in", few)
    miniature_muco.backgrounds(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/backgrounds/broken.jpg").write_bytes(b"no picture")
    (tmp_path / "in/backgrounds").symlink_to(tmp_path / "elsewhere/backgrounds")
    job.run("muco", tmp_path / "in", tmp_path / "out", few, ALONE)
    corners = []
    for people in _pictures(tmp_path / "out"):
        corners += [people[0].image[y, x] for y in (0, -1) for x in (0, -1)]
        assert np.ptp(people[0].image[..., 0]) > 100, "nobody in it"
    np.testing.assert_allclose(corners, [(0, 0, 160)] * len(corners), atol=8)
    notes = records.read_manifest(tmp_path / "out").notes
    assert any(note.startswith("backgrounds: 7 pictures") for note in notes)
    assert "backgrounds: 0 pictures" in without.notes[-1]


def test_the_same_input_gives_the_same_bytes(raw, prepared, tmp_path):
    again = job.run("muco", raw, tmp_path / "again", SETTINGS, ALONE)
    assert again.data_hash == records.read_manifest(prepared).data_hash


def _cutout(depth, left, right, color):
    alpha = np.zeros((8, 8), np.uint8)
    alpha[:, left:right] = 255
    return muco.Cutout(
        np.full((8, 8, 3), color, np.uint8),
        alpha,
        np.full((28, 3), depth, np.float32),
        np.zeros((28, 2), np.float32),
        np.eye(3, dtype=np.float32),
        *(1, "S1_Seq1_Cam0", "S1", "Seq1"),
    )


def test_the_nearer_covers_the_farther_and_who_is_covered_is_left_out():
    near, far = _cutout(2000.0, 0, 4, 200), _cutout(3000.0, 2, 6, 90)
    behind = _cutout(4000.0, 0, 6, 10)
    room = np.full((8, 8, 3), 255, np.uint8)
    image, seen = muco.compose([far, behind, near], room)
    assert seen == [near, far]
    assert image[0, :, 0].tolist() == [200] * 4 + [90] * 2 + [255] * 2
    assert room.min() == 255, "the input stays"
    image, seen = muco.compose([near, far])
    assert image[0, :, 0].tolist() == [200] * 4 + [90] * 4


def test_a_mask_keeps_what_hangs_together_with_the_joints():
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 15:20] = 255
    mask[10:30, 14] = 90  # a soft edge
    mask[10:30, 26:28] = 255  # somebody else's things
    points = np.stack([np.full(5, 17.0), np.linspace(11, 28, 5)], axis=1)
    found = muco.silhouette(mask, points)
    assert found[20, 17] == 255 and found[20, 14] == 90 and found[20, 27] == 0
    assert muco.silhouette(mask, points + np.array([20.0, 0.0])) is None, (
        "joints beside it"
    )
    assert muco.silhouette(np.full_like(mask, 255), points) is None, "no shape"


def test_four_sequences_are_of_as_many_subjects(tmp_path):
    homes = [tmp_path / f"S{s}/Seq{q}" for s in range(1, 7) for q in (1, 2)]
    for seed in range(5):
        drawn = muco._cast(np.random.default_rng(seed), homes)
        assert len({home.parent for home in drawn}) == len(drawn) == 4
    few = muco._cast(np.random.default_rng(0), homes[:3])
    assert few == homes[:3]


def test_units_are_spread_over_the_cameras(raw, monkeypatch):
    whole = muco.plan(raw, units.Settings(96, 80)).units
    assert whole[-1].name == "val-000003" and len(whole) == 68
    monkeypatch.setattr(muco, "_PICTURES", 10)
    plan = muco.plan(raw, SETTINGS)
    parts = [unit.part for unit in plan.units if unit.split == "train"]
    assert parts == ["0 8", "4 8", "0 8"]


def test_sequences_without_masks_are_refused_with_the_remedy(tmp_path):
    miniature.mpi_sequence(tmp_path / "S1/Seq1", 60, 1, cameras=(0,))
    with pytest.raises(errors.InputError, match=r"none with masks, .*download_masks=1"):
        muco.plan(tmp_path, SETTINGS)
    with pytest.raises(errors.InputError, match=r"no S\*/Seq\*/annot.mat below it"):
        muco.plan(tmp_path / "S1/Seq1/imageSequence", SETTINGS)


def test_masks_of_another_meaning_or_size_are_told(raw, tmp_path):
    home = tmp_path / "S1/Seq1"
    shutil.copytree(raw / "S1/Seq1", home)
    shutil.copy(home / "FGmasks/video_0.avi", home / "ChairMasks/video_0.avi")
    (unit, *_) = muco.plan(tmp_path, SETTINGS).units
    with pytest.raises(errors.InputError, match="nobody can be cut out of 1 sequences"):
        list(muco.read(tmp_path, unit, SETTINGS))
    images = np.zeros((6, 50, 60, 3), np.uint8)
    miniature.people.write_video(home / "FGmasks/video_0.avi", images, 25.0)
    with pytest.raises(
        errors.InputError, match=r"masks of \(50, 60\) and \(204, 204\)"
    ):
        list(muco.read(tmp_path, unit, SETTINGS))


def test_a_folder_of_broken_backgrounds_is_told(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(errors.InputError, match="cannot be decoded; remove the broken"):
        muco._room(np.random.default_rng(0), [tmp_path / "a.jpg"], 32)
    picture = np.zeros((30, 20, 3), np.uint8)
    picture[:, 10:] = 255
    assert cv2.imwrite(str(tmp_path / "b.png"), picture)
    room = muco._room(np.random.default_rng(0), [tmp_path / "b.png"], 20)
    assert room[:, 9].max() == 0 and room[:, 10].min() == 255
