"""Genuine formats in, records out, whose pictures and joints agree."""

import functools
import shutil

import miniature
import numpy as np
import pytest

from sa3dhp.data import records, schema
from sa3dhp.data.preparing import job, local, summary, units
from sa3dhp.data.videos import video
from sa3dhp.skeleton import skeleton as skeletons

SETTINGS = units.Settings(96, 64)
ALONE = functools.partial(local.run, processes=1)
# Miniature -> data set, and by split: records, clips, sequences, skeleton.
CASES = {
    "cmu": ("cmu", {"train": (7, 7, 6, "sa3dhp17")}),
    "bandai_namco": ("bandai_namco", {"train": (2, 2, 2, "sa3dhp17")}),
    "surreal": (
        "surreal",
        {"train": (120, 2, 2, "smpl24"), "test": (60, 1, 1, "smpl24")},
    ),
    "h36m_videos": (
        "human36m",
        {"train": (240, 4, 4, "h36m32"), "test": (8, 8, 4, "h36m32")},
    ),
    "h36m_fetch": (
        "human36m",
        {"train": (48, 48, 4, "h36m32"), "test": (8, 8, 4, "h36m32")},
    ),
    "mpi_inf_3dhp": (
        "mpi_inf_3dhp",
        {
            "train": (480, 8, 8, "mpi_inf_3dhp28"),
            "test": (12, 12, 2, "mpi_inf_3dhp17"),
        },
    ),
    "threedpw": (
        "threedpw",
        {"train": (60, 1, 1, "smpl24"), "test": (5, 5, 1, "smpl24")},
    ),
    "lsp": ("lsp", {"train": (24, 24, 2, "lsp14")}),
    "lsp_2d": ("lsp_2d", {"test": (12, 12, 1, "lsp14")}),
    "real_multiview": (
        "real_multiview",
        {"test": (124, 124, 2, "blazepose12"), "train": (120, 2, 2, "sa3dhp17")},
    ),
    "person_clips": (
        "person_clips",
        {"test": (15, 15, 1, "blazepose12"), "train": (120, 2, 1, "sa3dhp17")},
    ),
    "single_frames": ("single_frames", {"test": (3, 3, 3, "sa3dhp17")}),
    "own": (
        "own",
        {"train": (4, 4, 4, "sa3dhp17"), "test": (3, 3, 1, "sa3dhp17")},
    ),
    "videos": ("videos", {"train": (120, 2, 2, "sa3dhp17")}),
}
# Whose clips to adapt to have no label.
UNLABELLED = ("videos", "real_multiview", "person_clips")
PICTURES = [name for name in CASES if name not in ("cmu", "bandai_namco")]


def _run(dataset, source, output):
    return job.run(dataset, source, output, SETTINGS, ALONE)


@pytest.mark.parametrize("name", CASES)
def test_everything_is_there_and_counted(name, prepared) -> None:
    manifest = records.read_manifest(prepared(name))
    dataset, splits = CASES[name]
    assert manifest.dataset == dataset and set(manifest.splits) == set(splits)
    kind = "frames" if name in PICTURES else "motions"
    read = records.read_frames if kind == "frames" else records.read_motions
    assert (manifest.kind, manifest.unit) == (kind, "mm")
    assert manifest.frame == {"frames": "camera", "motions": "world"}[kind]
    for split, (count, clips, sequences, skeleton) in splits.items():
        held = manifest.splits[split]
        assert (held["records"], held["clips"]) == (count, clips)
        assert (held["sequences"], held["skeleton"]) == (sequences, skeleton)
        items = list(read(prepared(name), split))
        assert len(items) == count
        assert {item.skeleton for item in items} == {skeleton}
        assert {item.split for item in items} == {split}
        assert sorted({item.subject for item in items} - {""}) == held["subjects"]
        for shard, checksum in zip(held["shards"], held["checksums"]):
            assert records.checksum(prepared(name) / shard) == checksum
    assert not list(prepared(name).glob(".*"))


@pytest.mark.parametrize("name", CASES)
def test_sources_are_named_with_their_checksums(name, prepared, raw) -> None:
    sources = records.read_manifest(prepared(name)).sources
    files = [key for key in sources if " .. " not in key]
    for key in files:
        assert records.checksum(raw(name) / key) == sources[key]
    assert len(files) >= (1 if name == "lsp_2d" else 2)


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_of_a_clip_lie_in_order(name, prepared) -> None:
    manifest = records.read_manifest(prepared(name))
    for split, held in manifest.splits.items():
        frames = list(records.read_frames(prepared(name), split))
        length = held["records"] // held["clips"]
        assert length in (1, units.CLIP_FRAMES)
        assert len({frame.clip for frame in frames}) == held["clips"]
        for start in range(0, len(frames), length):
            clip = frames[start : start + length]
            assert len({(f.clip, f.sequence, f.subject, f.fps) for f in clip}) == 1
            assert [frame.position for frame in clip] == list(range(length))
            assert clip[0].fps == (30.0 if length > 1 else 0.0)
            assert (np.diff([frame.frame_number for frame in clip]) >= 0).all()


@pytest.mark.parametrize("name", [n for n in PICTURES if n != "videos"])
def test_joints_are_where_the_picture_shows_them(name, prepared) -> None:
    """Left and right, mirrored pictures, crops, clips and rates: all in one."""
    for split in records.read_manifest(prepared(name)).splits:
        if split == "train" and name in UNLABELLED:
            continue
        gaps = []
        for frame in records.read_frames(prepared(name), split):
            points = _points(frame)
            index = skeletons.get(frame.skeleton).index
            for side, color in (("left", miniature.RED), ("right", miniature.BLUE)):
                shown = miniature.disc(frame.image, color)
                if shown is not None:
                    gaps.append(np.abs(shown - points[index(f"{side}_wrist")]).max())
        assert len(gaps) >= 2 and np.median(gaps) < 0.5
        assert np.percentile(gaps, 90) < 1.0


def _points(frame) -> np.ndarray:
    """Key-points; where both exist, they and the projected joints are one."""
    if frame.projection is None:
        return frame.keypoints
    points = frame.joints @ frame.projection.T
    points = points[:, :2] / points[:, 2:]
    if frame.keypoints is not None:
        np.testing.assert_allclose(points, frame.keypoints, atol=0.5)
    return points


@pytest.mark.parametrize("name", ["surreal", "h36m_videos", "threedpw"])
def test_people_face_where_their_feet_point(name, prepared) -> None:
    for frame in records.read_frames(prepared(name), "train"):
        index = skeletons.get(frame.skeleton).index
        at = {n: frame.joints[index(n)] for n in ("neck", "pelvis")}
        left = frame.joints[index("left_hip")] - frame.joints[index("right_hip")]
        forward = np.cross(left, at["neck"] - at["pelvis"])
        toe = "left_toe" if frame.skeleton == "h36m32" else "left_foot"
        foot = frame.joints[index(toe)] - frame.joints[index("left_ankle")]
        assert foot @ forward > 0


@pytest.mark.parametrize("name", PICTURES)
def test_a_person_fills_the_networks_square_but_for_a_margin(name, prepared) -> None:
    if name == "videos":
        return
    sizes = []
    splits = records.read_manifest(prepared(name)).splits
    labelled = name not in UNLABELLED and "train" in splits
    split = "train" if labelled else "test"
    for frame in records.read_frames(prepared(name), split):
        points = _points(frame)[frame.mask]
        sizes.append(np.ptp(points, axis=0).max() / SETTINGS.image_size)
        assert (points > 6).all() and (points < 90).all()
    headless = splits[split]["skeleton"] == "blazepose12"
    low, high = (0.5, 0.7) if headless else (0.65, 0.82)  # the square holds the head
    assert low < np.median(sizes) < high


def test_motions_are_those_captured_at_30_fps(prepared, raw, tmp_path) -> None:
    written = miniature.cmu(tmp_path / "cmu", jump=True)
    motions = {m.name: m for m in records.read_motions(prepared("cmu"), "train")}
    for name, joints in written.items():
        if name != "01_01":
            ours = schema.y_down(motions[name].joints, "y")
            np.testing.assert_allclose(ours, joints[::4], atol=0.05)
            assert motions[name].fps == 30.0 and motions[name].frame == "world"
    assert {m.subject for m in motions.values()} == {"01", "02", "03"}


def test_a_motion_is_cut_at_a_jump_which_is_counted(prepared) -> None:
    motions = {m.name: m for m in records.read_motions(prepared("cmu"), "train")}
    assert len(motions["01_01+0"]) == len(motions["01_01+300"]) == 75
    notes = records.read_manifest(prepared("cmu")).notes
    assert notes == ("1 jumps of the capture, where a motion was cut",)


def test_of_human36m_every_64th_frame_is_tested(prepared) -> None:
    for name in ("h36m_videos", "h36m_fetch"):
        frames = list(records.read_frames(prepared(name), "test"))
        assert [frame.frame_number for frame in frames] == [1, 65] * 4
        assert {frame.subject for frame in frames} == {"S9"}
        assert {frame.action for frame in frames} == {"Walking"}


def test_of_3dhp_the_valid_frames_are_tested_with_their_activity(prepared) -> None:
    frames = list(records.read_frames(prepared("mpi_inf_3dhp"), "test"))
    found = {(f.sequence, f.frame_number): f.label for f in frames}
    numbers = (2, 3, 5, 6, 8, 9)
    assert found == {
        (scene, n): (n - 1) % 7 + 1 for scene in ("TS1", "TS5") for n in numbers
    }


def test_25_fps_become_30_by_showing_pictures_again(prepared) -> None:
    clip = list(records.read_frames(prepared("mpi_inf_3dhp"), "train"))[:60]
    steps = np.diff([frame.frame_number for frame in clip])
    assert set(steps) == {0, 1} and 8 <= (steps == 0).sum() <= 12
    for before, after, step in zip(clip, clip[1:], steps):
        same = np.array_equal(before.image, after.image)
        assert same == np.array_equal(before.joints, after.joints) == (step == 0)


def test_50_fps_become_30(prepared) -> None:
    clip = list(records.read_frames(prepared("h36m_videos"), "train"))[:60]
    numbers = [frame.frame_number for frame in clip]
    assert numbers == [1 + n for n in video.timeline(101, 50.0, 30.0)[:60]]


def test_videos_are_clips_that_nothing_is_known_of(prepared) -> None:
    frames = list(records.read_frames(prepared("videos"), "train"))
    assert {frame.sequence for frame in frames} == {"walk0.mp4", "walk1.mp4"}


@pytest.mark.parametrize("name", UNLABELLED)
def test_of_clips_to_adapt_to_nothing_is_known(name, prepared) -> None:
    frames = list(records.read_frames(prepared(name), "train"))
    assert all(f.joints is None and f.keypoints is None for f in frames)
    assert not any(frame.mask.any() for frame in frames)


def test_joints_that_are_not_annotated_are_masked(prepared) -> None:
    frames = list(records.read_frames(prepared("lsp"), "train"))
    extended = [f for f in frames if f.sequence == "lsp_extended_train"]
    junk = [f.mask[0] for f in extended]
    assert junk.count(False) == 3 and all(f.mask[1:].all() for f in extended)


def test_lsp_has_a_test_half(tmp_path) -> None:
    miniature.lsp(tmp_path / "raw", images=1003, extended=4)
    shutil.rmtree(tmp_path / "raw/lspet")
    for n in range(9, 1001):  # as if they had not been downloaded
        (tmp_path / f"raw/lsp/images/im{n:04d}.jpg").unlink()
    manifest = _run("lsp", tmp_path / "raw", tmp_path / "out")
    assert manifest.splits["test"]["records"] == 3
    assert manifest.splits["train"]["records"] == 8
    numbers = [f.frame_number for f in records.read_frames(tmp_path / "out", "test")]
    assert numbers == [1001, 1002, 1003]
    assert any("pictures that cannot be read" in note for note in manifest.notes)


def test_videopose3d_without_videos_is_motion_capture(raw, tmp_path) -> None:
    (tmp_path / "raw").mkdir()
    shutil.copy(raw("h36m_videos") / "data_3d_h36m.npz", tmp_path / "raw")
    manifest = _run("human36m", tmp_path / "raw", tmp_path / "out")
    assert manifest.kind == "motions" and "no videos" in manifest.notes[0]
    (motion,) = records.read_motions(tmp_path / "out", "test")
    assert (motion.subject, motion.frame, motion.fps) == ("S9", "world", 30.0)
    assert len(motion) == 61  # of 101 at 50 fps
    height = motion.joints[..., 1].max() - motion.joints[..., 1].min()
    assert 1200 < height < 2200


def test_cdf_files_are_prepared(tmp_path) -> None:
    pytest.importorskip("cdflib", reason="CDF files need the extra h36m")
    miniature.human36m(tmp_path / "raw", "cdf")
    manifest = _run("human36m", tmp_path / "raw", tmp_path / "out")
    assert manifest.splits["train"]["records"] == 240
    assert manifest.splits["test"]["records"] == 8


def test_genuine_motions_are_prepared(shared_data, tmp_path) -> None:
    source = shared_data / "mocap_bandai_namco"
    manifest = _run("bandai_namco", source, tmp_path / "out")
    assert manifest.splits["train"]["records"] == 4


def test_the_summary_says_what_is_there(prepared) -> None:
    text = summary.text(records.read_manifest(prepared("surreal")), "data/surreal")
    assert "train  120       2" in text and "mirrored" in text
    assert "non-commercial" in text and text.splitlines()[-1].startswith("data/surreal")
