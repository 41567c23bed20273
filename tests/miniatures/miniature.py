"""Small data sets in the genuine formats, of rendered people, for tests.

One function per data set writes a folder that `tools/prepare_data.py --input` takes:

    miniature.cmu(folder)                    # ASF/AMC: 3 subjects x 2 clips, 120 fps
    miniature.bandai_namco(folder)           # BVH: 2 clips, 30 fps
    miniature.surreal(folder)                # *_info.mat + mp4: train 2, test 1
    miniature.human36m(folder, "videopose3d")  # npz + cameras + Videos: S1 (train), S9
    miniature.human36m(folder, "fetch")      # annot.h5 + imageSequence: single pictures
    miniature.human36m(folder, "cdf")        # CDF + Videos; needs cdflib
    miniature.mpi_inf_3dhp(folder)           # S1/Seq1 (8 videos), TS1 and TS5; with
                                             # masks: miniature_muco.muco(folder)
    miniature.threedpw(folder)               # pkl + jpg: train 1, test 1
    miniature.lsp(folder)                    # lsp/ (test with images > 1000), lspet/
    miniature.real_multiview(folder)         # 2 videos, Calib.qca.txt, reference
    miniature.person_clips(folder)           # mp4 + BlazePose's landmarks
    miniature.single_frames(folder)          # npz + jpg of two data sets
    miniature.own(folder)                    # labels.csv, labels_test.npz + jpg
    miniature.videos(folder)                 # 2 mp4, boxes in <folder>/boxes.json

`import miniature` finds this module (`pythonpath` of .pytest.ini). Everything is a
function of the arguments. Only the sizes of pictures differ from the genuine ones, and
focal lengths with them. Videos last 60 frames or more at 30 fps, so that each gives a
clip. A person's left wrist carries a red disc and the right one a blue disc: whoever
reads a picture and its joints can check that they agree (`disc`).
"""

import json
import pathlib
import pickle

import h5py
import miniature_mocap
import miniature_people as people
import miniature_real
import numpy as np
import scipy.io
from scipy.spatial import transform

from sa3dhp.data import calibration
from sa3dhp.data.datasets import surreal as surreal_source
from sa3dhp.data.datasets.human36m import cameras as human36m_cameras
from sa3dhp.skeleton import skeleton as skeletons

H36M_SCALE = 0.2  # of the genuine pictures
MPI_MATRIX, MPI_SIZE = calibration.pinhole(150.0, 150.0, 101.5, 103.0), (204, 204)
RED, BLUE, disc = people.RED, people.BLUE, people.disc
person, expand = people.person, people.expand
cmu, bandai_namco = miniature_mocap.cmu, miniature_mocap.bandai_namco
real_multiview = miniature_real.real_multiview
person_clips, single_frames = miniature_real.person_clips, miniature_real.single_frames
own = miniature_real.own


def surreal(folder, frames: int = 64, parts=("train", "train", "test")):
    """Writes `cmu/<split>/run0/<sequence>/<sequence>_c0001{.mp4,_info.mat}`."""
    source, camera = surreal_source, np.float32([[7], [-1], [0.5]])
    sides = list(skeletons.get(source.SKELETON).flip_indices)
    pinhole = calibration.Camera("blender", source.MATRIX, source.SIZE)
    for number, split in enumerate(parts):
        seen = people.towards(people.person(20 + number, frames), 6500.0)
        name = f"{number + 1:02d}_01_c0001"
        home = pathlib.Path(folder) / f"cmu/{split}/run0/{name[:5]}"
        images = people.film(seen, pinhole.project, source.SIZE, number)
        people.write_video(home / f"{name}.mp4", images, 30.0)
        joints = people.expand(seen, source.SKELETON)
        pixels = np.round(pinhole.project(joints))
        # What the picture shows as left is the body's right: it is a mirror.
        world = (joints / 1000.0)[:, sides] @ source.ROTATION + camera.T
        scipy.io.savemat(
            home / f"{name}_info.mat",
            dict(
                joints3D=world.transpose(2, 1, 0).astype(np.float32),
                joints2D=pixels[:, sides].transpose(2, 1, 0).astype(np.float32),
                camLoc=camera,
            ),
        )


def h36m_camera(number: int) -> calibration.Camera:
    """One of four around a world with z up, mm."""
    name = list(human36m_cameras.SIZES)[number]
    angle = number * np.pi / 2
    forward = np.array([-np.cos(angle), -np.sin(angle), 0])
    down = np.array([0, 0, -1.0])
    rotation = np.stack([np.cross(down, forward), down, forward])
    matrix = calibration.pinhole(*(H36M_SCALE * np.array([1145, 1143, 512, 515.0])))
    bend = (-0.2, 0.24, -0.0014, -0.00098, -0.003)
    place = -rotation @ (-4500 * forward)
    return calibration.Camera(name, matrix, (200, 200), bend, rotation, place)


def human36m(
    folder, layout: str = "videopose3d", frames: int = 101, subjects=("S1", "S9")
):
    """Writes S1 (train) and S9 (test), one action, four cameras, 50 fps.

    Args:
        folder: for `--input`.
        layout: `videopose3d` (`data_3d_h36m.npz`, `camera-parameters.json`, Videos),
            `fetch` (`processed/S1/Walking-1/annot.h5` and pictures) or `cdf`.
        frames: of the videos; of `fetch`, the highest frame number.
        subjects: others than these two.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    cameras = [h36m_camera(n) for n in range(4)]
    worlds = {}
    for number, subject in enumerate(subjects):
        x, y, z = np.moveaxis(people.person(40 + number, frames, 50.0), -1, 0)
        worlds[subject] = np.stack([x, -z, y], -1)  # z up
    {"videopose3d": _h36m_npz, "fetch": _h36m_fetch, "cdf": _h36m_cdf}[layout](
        folder, worlds, cameras
    )


def _h36m_videos(folder, worlds, cameras) -> None:
    for subject, world in worlds.items():
        for number, camera in enumerate(cameras):
            images = people.film(
                camera.from_world(world), camera.project, camera.size, number
            )
            path = folder / f"{subject}/Videos/Walking 1.{camera.name}.mp4"
            people.write_video(path, images, 50.0)


def _h36m_npz(folder, worlds, cameras) -> None:
    _h36m_videos(folder, worlds, cameras)
    positions = {
        subject: {
            "Walking 1": (people.expand(world, "h36m32") / 1000).astype(np.float32)
        }
        for subject, world in worlds.items()
    }
    np.savez(folder / "data_3d_h36m.npz", positions_3d=np.array(positions, object))
    places = {
        c.name: dict(R=c.rotation.tolist(), t=c.translation[:, None].tolist())
        for c in cameras
    }
    lenses = {
        c.name: dict(
            calibration_matrix=c.matrix.tolist(), distortion=list(c.distortion)
        )
        for c in cameras
    }
    extrinsics = dict.fromkeys(worlds, places)
    (folder / "camera-parameters.json").write_text(
        json.dumps(dict(extrinsics=extrinsics, intrinsics=lenses))
    )


def _h36m_fetch(folder, worlds, cameras) -> None:
    """Rows with gaps: only frames in which the person moved; the test every 64th."""
    for subject, world in worlds.items():
        step = 64 if subject == "S9" else 9
        numbers = np.arange(1, len(world) + 1, step)
        home = folder / f"processed/{subject}/Walking-1"
        flat, joints, count = [], [], len(numbers)
        for n, camera in enumerate(cameras):
            seen = camera.from_world(world[numbers - 1])
            images = people.film(seen, camera.project, camera.size, n)
            for number, image in zip(numbers, images):
                where = home / f"imageSequence/{camera.name}/img_{number:06d}.jpg"
                people.write_image(where, image)
            joints.append(people.expand(seen, "h36m32"))
            flat.append(camera.project(joints[-1]))
        with h5py.File(home / "annot.h5", "w") as file:
            file["pose/2d"] = np.concatenate(flat).astype(np.float32)
            for key in ("pose/3d", "pose/3d-univ"):
                file[key] = np.concatenate(joints).astype(np.float32)
            file["camera"] = np.repeat([int(c.name) for c in cameras], count)
            file["frame"] = np.tile(numbers, 4)
            for key, value in (("subject", subject[1:]), ("action", 14)):
                file[key] = np.full(4 * count, int(value))
            file["subaction"] = np.ones(4 * count, int)
            for camera in cameras:
                (fx, _, cx), (_, fy, cy), _ = camera.matrix
                for key in ("intrinsics", "intrinsics-univ"):
                    file[f"{key}/{camera.name}"] = np.array([fx, cx, fy, cy])


def _h36m_cdf(folder, worlds, cameras) -> None:
    from cdflib import cdfwrite

    _h36m_videos(folder, worlds, cameras)
    for subject, world in worlds.items():
        for camera in cameras:
            joints = people.expand(camera.from_world(world), "h36m32")
            for kind, values in (
                ("D3_Positions_mono", joints),
                ("D2_Positions", camera.project(joints)),
            ):
                path = folder / subject / "MyPoseFeatures" / kind
                path.mkdir(parents=True, exist_ok=True)
                values = values.reshape(1, len(values), -1).astype(np.float32)
                file = cdfwrite.CDF(
                    str(path / f"Walking 1.{camera.name}.cdf"),
                    cdf_spec={"Majority": "row_major"},
                )
                spec = dict(
                    Variable="Pose",
                    Data_Type=44,  # CDF_FLOAT
                    Num_Elements=1,
                    Rec_Vary=True,
                    Dim_Sizes=list(values.shape[1:]),
                )
                file.write_var(spec, var_data=values)
                file.close()


def mpi_inf_3dhp(folder, frames: int = 52, test_frames: int = 9):
    """Writes `S1/Seq1` (25 fps) and `mpi_inf_3dhp_test_set/{TS1,TS5}`."""
    folder = pathlib.Path(folder)
    mpi_sequence(folder / "S1/Seq1", 60, frames)
    for number, scene in enumerate(("TS1", "TS5")):
        _mpi_test(folder / "mpi_inf_3dhp_test_set" / scene, 70 + number, test_frames)


def mpi_sequence(
    home,
    seed: int,
    frames: int,
    cameras=(0, 1, 2, 4, 5, 6, 7, 8),
    place: tuple[float, float] = (0.0, 3800.0),
) -> dict:
    """Writes a training sequence of MPI-INF-3DHP, filmed by some cameras.

    `place` is where the person moves about in each of them: mm aside and away.

    Returns:
        Camera -> joints `[T, 17, 3]`, mm, and pictures `[T, H, W, 3]`.
    """
    pinhole = calibration.Camera("a", MPI_MATRIX, MPI_SIZE)
    cells = {key: np.empty((14, 1), object) for key in ("annot2", "annot3", "univ")}
    lines, filmed = ["Skeletool Camera Calibration File V1.0"], {}
    world = people.person(seed, frames, 25.0)
    aside, far = place
    for camera in range(14):
        turn = transform.Rotation.from_euler("y", camera * 2 * np.pi / 14).as_matrix()
        seen = people.towards(world @ turn.T, far) + np.array([aside, 0, 0])
        joints = people.expand(seen, "mpi_inf_3dhp28")
        cells["annot3"][camera, 0] = joints.reshape(frames, 84)
        cells["univ"][camera, 0] = 0.95 * joints.reshape(frames, 84)
        cells["annot2"][camera, 0] = pinhole.project(joints).reshape(frames, 56)
        extrinsic = np.eye(4)
        extrinsic[:3, :3] = np.diag([1.0, -1, -1]) @ turn
        extrinsic[:3, 3] = aside, 0.0, far
        numbers = " ".join(str(v) for v in extrinsic.ravel())
        lines += [
            f"name          {camera}",
            "  sensor      10 10",
            "  size        204 204",
            "  animated    0",
            "  intrinsic   150.0 0 101.5 0 0 150.0 103.0 0 0 0 1 0 0 0 0 1 ",
            f"  extrinsic   {numbers} ",
            "  radial      0",
        ]
        if camera in cameras:
            images = people.film(seen, pinhole.project, pinhole.size, camera)
            people.write_video(home / f"imageSequence/video_{camera}.avi", images, 25.0)
            filmed[camera] = seen, images
    scipy.io.savemat(
        home / "annot.mat",
        dict(
            annot2=cells["annot2"],
            annot3=cells["annot3"],
            univ_annot3=cells["univ"],
            cameras=np.arange(14)[None],
            frames=np.arange(frames)[:, None],
        ),
    )
    (home / "camera.calibration").write_text("\n".join(lines) + "\n")
    return filmed


def _mpi_test(home, seed: int, frames: int) -> None:
    """A scene of which every third frame does not count."""
    size = (192, 108) if home.name == "TS5" else (204, 204)
    pinhole = calibration.Camera(
        "a", calibration.pinhole(150.0, 150.0, size[0] / 2, size[1] / 2), size
    )
    far = 4400.0 if home.name == "TS5" else 3800.0
    seen = people.towards(people.person(seed, frames), far)
    for n, image in enumerate(people.film(seen, pinhole.project, size, seed), 1):
        people.write_image(home / f"imageSequence/img_{n:06d}.jpg", image)
    joints = people.expand(seen, "mpi_inf_3dhp17")
    with h5py.File(home / "annot_data.mat", "w") as file:
        file["annot2"] = pinhole.project(joints)[:, None]
        file["annot3"] = joints[:, None]
        file["univ_annot3"] = 1.05 * joints[:, None]
        file["valid_frame"] = (np.arange(frames) % 3 != 0)[:, None].astype(np.float64)
        activity = np.arange(frames)[:, None] % 7 + 1
        file["activity_annotation"] = activity.astype(float)
        file["bb_crop"] = np.zeros((frames, 34))


def threedpw(folder, frames: int = 64, test_frames: int = 6):
    """Writes `courtyard_arguing_00` (train) and `downtown_walking_00` (test)."""
    folder, size = pathlib.Path(folder), (216, 384)
    matrix = calibration.pinhole(392.0, 392.0, 108.0, 192.0)
    pinhole = calibration.Camera("a", matrix, size)
    for number, (split, sequence, count) in enumerate(
        (
            ("train", "courtyard_arguing_00", frames),
            ("test", "downtown_walking_00", test_frames),
        )
    ):
        seen = people.towards(people.person(80 + number, count), 4500.0)
        for n, image in enumerate(people.film(seen, pinhole.project, size, number)):
            path = folder / f"imageFiles/{sequence}/image_{n:05d}.jpg"
            people.write_image(path, image)
        poses = np.tile(np.eye(4), (count, 1, 1))  # world to camera, metres
        poses[:, :3, :3] = np.diag([1.0, -1.0, -1.0])
        poses[:, 2, 3] = 2.0 + 0.01 * np.arange(count)
        joints = people.expand(seen, "smpl24") / 1000.0
        world = (joints - poses[:, None, :3, 3]) @ poses[0, :3, :3]
        valid = np.ones(count, np.int64)
        valid[1 if split == "test" else count :] = 0
        valid[2:] = 1
        data = dict(
            sequence=sequence,
            poses=[np.zeros((count, 72))],
            betas=[np.zeros(10)],
            trans=[np.zeros((count, 3))],
            jointPositions=[world.reshape(count, 72)],
            poses2d=[np.ones((count, 3, 18))],
            cam_poses=poses,
            campose_valid=[valid],
            cam_intrinsics=matrix,
            genders=["m"],
            img_frame_ids=np.arange(count) * 2,
            texture_maps=[],
        )
        path = folder / "sequenceFiles" / split / f"{sequence}.pkl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(data, 2))


def lsp(folder, images: int = 12, extended: int = 12):
    """Writes `lsp/` and `lspet/`; of LSP, images from the 1001st on are the test.

    The pictures are eight, again and again.
    """
    pinhole = calibration.Camera(
        "a", calibration.pinhole(160.0, 160.0, 75.0, 75.0), (150, 150)
    )
    seen = np.concatenate(
        [people.towards(people.person(s, 1), 2600.0) for s in range(8)]
    )
    pictures = np.concatenate(
        [people.film(seen[n : n + 1], pinhole.project, (150, 150), n) for n in range(8)]
    )
    points = pinhole.project(people.expand(seen, "lsp14")) + 1.0  # counted from 1
    for name, count, digits in (("lsp", images, 4), ("lspet", extended, 5)):
        home = pathlib.Path(folder) / name
        for n in range(1, count + 1):
            path = home / f"images/im{n:0{digits}d}.jpg"
            if n <= 8:
                people.write_image(path, pictures[n - 1])
            else:
                first = home / f"images/im{(n - 1) % 8 + 1:0{digits}d}.jpg"
                path.write_bytes(first.read_bytes())
        rows = np.zeros((count, 14, 3))
        rows[..., :2] = points[np.arange(count) % 8]
        if name == "lsp":  # 1 = occluded
            rows[:, 3, 2] = 1
            rows = rows.transpose(2, 1, 0)
        else:  # 1 = annotated; the rest is junk
            rows[..., 2] = 1
            rows[1::4, 0] = (-900.0, 7.0, 0.0)
            rows = rows.transpose(1, 2, 0)
        scipy.io.savemat(home / "joints.mat", {"joints": rows})


lsp_2d = lsp


def videos(folder, count: int = 2, frames: int = 70) -> pathlib.Path:
    """Writes `walk<n>.mp4`; returns the boxes file beside them."""
    pinhole = calibration.Camera(
        "a", calibration.pinhole(240.0, 240.0, 80.0, 90.0), (160, 180)
    )
    boxes = {}
    for number in range(count):
        seen = people.towards(people.person(90 + number, frames), 4000.0)
        images = people.film(seen, pinhole.project, pinhole.size, number)
        people.write_video(pathlib.Path(folder) / f"walk{number}.mp4", images, 30.0)
        points = pinhole.project(seen)
        low, high = points.min(1) - 4, points.max(1) + 4
        rows = np.concatenate([np.arange(frames)[:, None], low, high - low], axis=1)
        boxes[f"walk{number}.mp4"] = np.round(rows, 2).tolist()
    path = pathlib.Path(folder) / "boxes.json"
    path.write_text(json.dumps(boxes))
    return path
