"""Human3.6M in its three forms, from files written exactly to their layout."""

import json
import sys
import types

import h5py
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import calibration
from sa3dhp.data.datasets.human36m import cameras as human36m_cameras
from sa3dhp.data.datasets.human36m import readers
from sa3dhp.skeleton import skeleton as skeletons

NAMES = list(human36m_cameras.SIZES)


def _camera(n):
    """A camera 4 m from the origin of a world with z up, at the level of 1 m."""
    angle = n * np.pi / 2
    forward = np.array([-np.cos(angle), -np.sin(angle), 0])
    down = np.array([0, 0, -1.0])
    rotation = np.stack([np.cross(down, forward), down, forward])
    centre = 4000 * -forward + np.array([0, 0, 1000])
    return calibration.Camera(
        NAMES[n],
        calibration.pinhole(1145.0, 1143.0, 512.0, 515.0),
        human36m_cameras.SIZES[NAMES[n]],
        (-0.2, 0.24, -0.0014, -0.00098, -0.003),
        rotation,
        -rotation @ centre,
    )


@pytest.fixture(scope="module")
def cameras():
    return {(s, NAMES[n]): _camera(n) for s in ("S1", "S9") for n in range(4)}


def _write_cameras(root, cameras):
    """`camera-parameters.json` of the cameras."""
    extrinsics, intrinsics = {}, {}
    for (subject, name), camera in cameras.items():
        place = dict(R=camera.rotation.tolist(), t=camera.translation[:, None].tolist())
        extrinsics.setdefault(subject, {})[name] = place
        intrinsics[name] = dict(
            calibration_matrix=camera.matrix.tolist(),
            distortion=list(camera.distortion),
        )
    content = dict(extrinsics=extrinsics, intrinsics=intrinsics)
    (root / "camera-parameters.json").write_text(json.dumps(content))


def _world(frames, seed=0):
    """Somebody near the origin, mm, z up."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-500, 500, (frames, 32, 3)) + np.array([0, 0, 1000])


# --- h36m-fetch -----------------------------------------------------------------------


def _write_annot(path, subject, action, frames, cameras):
    path.parent.mkdir(parents=True)
    joints = [cameras["S1", name].from_world(_world(len(frames))) for name in NAMES]
    flat = [
        calibration.Camera(name, cameras["S1", name].matrix, (1000, 1000))
        for name in NAMES
    ]
    pixels = [camera.project(j) for camera, j in zip(flat, joints)]
    count = 4 * len(frames)
    with h5py.File(path, "w") as file:
        file["pose/2d"] = np.concatenate(pixels).astype(np.float32)
        file["pose/3d"] = np.concatenate(joints).astype(np.float32)
        file["pose/3d-univ"] = np.concatenate(joints).astype(np.float32) * 0.9
        file["camera"] = np.repeat([int(name) for name in NAMES], len(frames))
        file["frame"] = np.tile(frames, 4)
        file["subject"] = np.full(count, subject)
        file["action"] = np.full(count, action)
        file["subaction"] = np.full(count, 2)
        for name in NAMES:
            (fx, _, cx), (_, fy, cy), _ = cameras["S1", name].matrix
            file[f"intrinsics/{name}"] = np.array([fx, cx, fy, cy])
            file[f"intrinsics-univ/{name}"] = np.array([fx, cx, fy, cy])


def test_h36m_fetch_reads_per_camera(tmp_path, cameras, read_all):
    frames = np.array([1, 65, 129])
    path = tmp_path / "processed/S9/TakingPhoto-2/annot.h5"
    _write_annot(path, 9, 12, frames, cameras)
    items = read_all("human36m", tmp_path)
    assert [item.camera.name for item in items] == sorted(NAMES)
    for item in items:
        assert list(item.frame_numbers) == [1, 65, 129]
        assert (item.subject, item.action, item.split) == ("S9", "TakingPhoto", "test")
        np.testing.assert_allclose(
            item.camera.project(item.joints), item.keypoints, atol=1e-2
        )
        assert item.images[1].endswith(
            f"imageSequence/{item.camera.name}/img_000065.jpg"
        )
        assert item.fps == 50.0 and len(item.sequences()) == 3
    universal = readers.read_annot(path, universal=True)
    np.testing.assert_allclose(universal[0].joints, 0.9 * items[0].joints, rtol=1e-5)


def test_every_64th_frame_is_a_matter_of_numbers(tmp_path, cameras, read_all):
    """Training rows have gaps: row 64 is not frame 65."""
    frames = np.r_[1:60:3, 60:140]
    _write_annot(tmp_path / "S9/Walking-2/annot.h5", 9, 14, frames, cameras)
    (item, *_) = readers.read_annot(tmp_path / "S9/Walking-2/annot.h5")
    for kept in read_all("human36m", tmp_path):
        assert list(kept.frame_numbers) == [1, 65, 129]
    assert len(item.sequences()) == 21 and len(item.sequences()[-1]) == 80


def test_a_file_of_another_kind_is_refused(tmp_path, read_all):
    with pytest.raises(errors.InputError, match=r"no Human3\.6M below it: .*annot\.h5"):
        read_all("human36m", tmp_path)
    with h5py.File(tmp_path / "annot.h5", "w") as file:
        file["pose/2d"] = np.zeros((1, 32, 2))
    with pytest.raises(errors.InputError, match=r"not an annot\.h5"):
        readers.read_annot(tmp_path / "annot.h5")


# --- CDF ------------------------------------------------------------------------------


@pytest.fixture
def cdf_poses(monkeypatch):
    """Stands for cdflib where it is not installed: path -> the variable `Pose`."""
    poses = {}

    class File:
        def __init__(self, path):
            self.path = path

        def varget(self, name):
            assert name == "Pose"
            return poses[self.path]

    monkeypatch.setitem(sys.modules, "cdflib", types.SimpleNamespace(CDF=File))
    return poses


def _write_cdf(write, root, style, cameras, frames=6):
    for n, name in enumerate(NAMES):
        camera = cameras["S1", name]
        joints = camera.from_world(_world(frames))
        folder = root / "S1" / ("MyPoseFeatures" if style == "" else "")
        for kind, values in (
            ("D3_Positions_mono", joints),
            ("D3_Positions_mono_universal", 0.9 * joints),
            ("D2_Positions", camera.project(joints)[: frames - (n == 1)]),
        ):
            path = folder / f"{style}{kind}" / f"WalkDog 1.{name}.cdf"
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, values.reshape(1, len(values), -1).astype(np.float32))


def _check_cdf(root, cameras, read_all):
    _write_cameras(root, cameras)
    items = read_all("human36m", root)
    assert [item.name for item in items] == [f"S1_WalkDog 1.{n}" for n in sorted(NAMES)]
    for item in items:
        assert item.action == "WalkingDog" and item.split == "train"
        assert len(item) == (5 if item.camera.name == NAMES[1] else 6)
        assert item.frame_numbers[0] == 1 and item.video_indices[0] == 0
        assert item.video.endswith(f"S1/Videos/WalkDog 1.{item.camera.name}.mp4")
        np.testing.assert_allclose(
            item.camera.project(item.joints), item.keypoints, atol=1e-2
        )
    first = readers.original_files(root, universal=True)[0]
    universal = readers.read_video(first, "S1", cameras)
    np.testing.assert_allclose(universal.joints, 0.9 * items[0].joints, rtol=1e-5)


@pytest.mark.parametrize("style", ["", "Poses_"])
def test_cdf_files_read_as_distributed_and_unpacked(
    tmp_path, cdf_poses, cameras, style, read_all
):
    def write(path, values):
        path.touch()
        cdf_poses[str(path)] = values

    _write_cdf(write, tmp_path, style, cameras)
    fitted = read_all("human36m", tmp_path)[0].camera
    assert fitted.distortion == ()  # the lens is left out, within 3 px
    np.testing.assert_allclose(fitted.matrix[0, 0], 1145, rtol=0.05)
    _check_cdf(tmp_path, cameras, read_all)


def test_genuine_cdf_files_read(tmp_path, cameras, read_all):
    cdfwrite = pytest.importorskip(
        "cdflib.cdfwrite", reason="CDF files need the extra h36m: pip install cdflib"
    )

    def write(path, values):
        file = cdfwrite.CDF(str(path), cdf_spec={"Majority": "row_major"})
        spec = dict(
            Variable="Pose",
            Data_Type=44,  # CDF_FLOAT
            Num_Elements=1,
            Rec_Vary=True,
            Dim_Sizes=list(values.shape[1:]),
        )
        file.write_var(spec, var_data=values)
        file.close()

    _write_cdf(write, tmp_path, "", cameras)
    _check_cdf(tmp_path, cameras, read_all)


def test_without_cdflib_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cdflib", None)
    with pytest.raises(errors.InputError, match="pip install cdflib"):
        readers.read_cdf(tmp_path / "a.cdf")
    with pytest.raises(errors.InputError, match=r"no D3_Positions_mono/\*\.cdf"):
        readers.original_files(tmp_path)


def test_a_pose_of_another_size_is_refused(tmp_path, cdf_poses):
    path = tmp_path / "D3_Positions_mono" / "Walking.54138969.cdf"
    cdf_poses[str(path)] = np.zeros((1, 5, 64))
    with pytest.raises(errors.InputError, match=r"expected \(1, N, 96\)"):
        readers.read_cdf(path)


# --- VideoPose3D ----------------------------------------------------------------------


@pytest.fixture
def videopose3d(tmp_path, cameras):
    worlds = {
        subject: {
            action: (_world(frames, n) / 1000).astype(np.float32)
            for n, (action, frames) in enumerate((("Directions 1", 5), ("Photo", 4)))
        }
        for subject in ("S1", "S9")
    }
    kept = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    pixels = {
        subject: {
            action: [
                # One frame more than the motion capture, as it happens.
                np.concatenate([p, p[-1:]]).astype(np.float32)
                for name in NAMES
                for camera in (cameras[subject, name],)
                for p in (camera.project(camera.from_world(1000.0 * world[:, kept])),)
            ]
            for action, world in actions.items()
        }
        for subject, actions in worlds.items()
    }
    metadata = dict(num_joints=17, keypoints_symmetry=[[4, 5, 6], [1, 2, 3]])
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(worlds, object))
    np.savez(
        tmp_path / "data_2d_h36m_gt.npz",
        positions_2d=np.array(pixels, object),
        metadata=np.array(metadata, object),
    )
    return tmp_path


@pytest.fixture
def filmed(videopose3d, cameras):
    """The same with cameras and (a sign of) the videos."""
    _write_cameras(videopose3d, cameras)
    (videopose3d / "S1/Videos").mkdir(parents=True)
    (videopose3d / "S1/Videos/Photo.54138969.mp4").touch()
    return videopose3d


def test_videopose3d_is_seen_by_four_cameras(filmed, cameras, read_all):
    (filmed / "data_2d_h36m_gt.npz").unlink()
    items = read_all("human36m", filmed)
    assert len(items) == 2 * 2 * 4
    first = items[0]
    assert first.skeleton == "h36m32" and first.name == "S1_Directions 1.54138969"
    assert first.video == str(filmed / "S1/Videos/Directions 1.54138969.mp4")
    expected = cameras["S1", NAMES[0]].from_world(_world(5, 0))
    np.testing.assert_allclose(first.joints, expected, atol=0.01)
    assert {item.action for item in items} == {"Directions", "TakingPhoto"}
    for item in items:
        last = {"Directions": 5, "TakingPhoto": 4}[item.action]
        kept = range(1, last + 1) if item.split == "train" else [1]
        assert list(item.frame_numbers) == list(kept)
    assert {item.split for item in items if item.subject == "S9"} == {"test"}


def test_videopose3ds_key_points_are_where_its_joints_are(filmed, read_all):
    items = read_all("human36m", filmed)
    assert len(items) == 2 * 2 * 4
    for item in items:
        assert item.skeleton == "h36m17" and item.mask.all()
        np.testing.assert_allclose(
            item.camera.project(item.joints), item.keypoints, atol=1e-2
        )


def test_videopose3ds_world_has_z_up(videopose3d, read_all):
    motions = read_all("human36m", videopose3d)
    assert len(motions) == 4 and motions[0].frame == "world"
    world = _world(5, 0)
    expected = np.stack([world[..., 0], -world[..., 2], world[..., 1]], axis=-1)
    np.testing.assert_allclose(motions[0].joints, expected, atol=0.01)


def test_videopose3d_needs_cameras_for_its_videos(filmed, read_all):
    (filmed / "camera-parameters.json").unlink()
    with pytest.raises(errors.InputError, match="world coordinates; put one of"):
        read_all("human36m", filmed)


def test_a_npz_of_another_kind_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", poses=np.zeros(3))
    with pytest.raises(errors.InputError, match="expected positions_3d, got poses"):
        readers.load_object(tmp_path / "a.npz", "positions_3d")
    for value in ({"S1": {}, 2: {}}, {"S1": {"Walk": 0, None: 0}}, {"S1": 3}):
        np.savez(tmp_path / "a.npz", poses=np.array(value, object))
        with pytest.raises(errors.InputError, match="expected subjects with actions"):
            readers.load_object(tmp_path / "a.npz", "poses")


# --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("_ALL 1", "Miscellaneous"),
        ("Photo", "TakingPhoto"),
        ("TakingPhoto 1", "TakingPhoto"),
        ("SittingDown 2", "SittingDown"),
        ("WalkTogether", "WalkingTogether"),
    ],
)
def test_actions_have_one_name(name, action):
    assert readers.action_name(name) == action


def test_every_genuine_file_name_is_an_action(shared_data):
    text = (shared_data / "formats/h36m/metadata.xml").read_text(encoding="utf-8")
    mapping = text[text.index("<mapping>") : text.index("</mapping>")]
    rows = [
        [cell.split("<")[0] for cell in row.split("<td>")[1:]]
        for row in mapping.split("<tr>")[2:]
    ]
    known = [row for row in rows if row[0].isdigit() and 1 <= int(row[0]) <= 16]
    assert len(known) == 32
    for action, _, *names in known:
        for name in names:
            assert readers.action_name(name) == readers.ACTIONS[int(action) - 1]


def test_an_unknown_action_is_refused():
    with pytest.raises(errors.InputError, match="'Swimming 1' expected one of"):
        readers.action_name("Swimming 1")


def test_the_17_joints_are_the_subset_of_the_literature():
    kept = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    names = skeletons.get("h36m32").joint_names
    ours = skeletons.get("h36m17").joint_names
    for index, name in zip(kept, ours):
        assert names[index] == name or {name, names[index]} == {"spine", "spine1"}
