"""Miniatures of real material with a reference: see `miniature`."""

import json
import pathlib

import miniature_people as people
import numpy as np

from sa3dhp.data import calibration

SIZE = (120, 160)  # pixels
_CAMERA = """<camera active="1" serial="{name}">
<fov_video bottom="{bottom}" left="0" right="{right}" top="0"/>
<transform {turn} x="{at[0]}" y="{at[1]}" z="{at[2]}"/>
<intrinsic centerPointU="{lens[2]}" centerPointV="{lens[3]}" focalLengthU="{lens[0]}"
 focalLengthV="{lens[1]}" radialDistortion1="{bend[0]}" radialDistortion2="{bend[1]}"
 radialDistortion3="{bend[4]}" tangentalDistortion1="{bend[2]}"
 tangentalDistortion2="{bend[3]}"/>
</camera>"""
LANDMARKS = [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]


def camera(number: int) -> calibration.Camera:
    """One of two beside each other, in a world with z up, mm."""
    angle = 0.6 * number
    forward = np.array([-np.cos(angle), -np.sin(angle), 0])
    down = np.array([0, 0, -1.0])
    rotation = np.stack([np.cross(down, forward), down, forward])
    return calibration.Camera(
        f"cam{number + 1:02d}",
        calibration.pinhole(150.0, 151.0, 60.0, 80.0),
        SIZE,
        (-0.02, 0.05, 0.0006, 0.0007, 0.0),
        rotation,
        -rotation @ (-3000.0 * forward),
    )


def real_multiview(folder, frames: int = 124):
    """Writes `SinglePerson_cam0<n>.mp4` at 60 fps; every second frame has a joint."""
    folder = pathlib.Path(folder)
    x, y, z = np.moveaxis(people.person(70, frames, 60.0), -1, 0)
    world = np.stack([x, -z, y], -1)  # z up
    nodes = []
    for number in range(2):
        eye = camera(number)
        images = people.film(eye.from_world(world), eye.project, SIZE, number)
        people.write_video(folder / f"SinglePerson_{eye.name}.mp4", images, 60.0)
        nodes.append(_node(eye))
    text = "".join(nodes)
    (folder / "Calib.qca.txt").write_text(
        "<?xml version='1.0' encoding='ASCII'?>\n"
        f"<calibration><cameras>{text}</cameras></calibration>\n"
    )
    shown = np.arange(0, frames, 2)
    np.savez(
        folder / "SinglePerson_triangulated_blazepose.npz",
        X=people.expand(world[shown], "blazepose12") / 1000.0,
        J=LANDMARKS,
        frames=shown,
        reproj=np.zeros([len(shown), 12, 4]),
    )


def _node(eye: calibration.Camera) -> str:
    """As Qualisys writes a camera: 1/64 pixels, and axes that look along -z."""
    turn = np.diag([1.0, -1.0, -1.0]) @ eye.rotation
    matrix = eye.matrix
    lens = [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]]
    return _CAMERA.format(
        name=eye.name,
        right=SIZE[0] - 1,
        bottom=SIZE[1] - 1,
        turn=" ".join(
            f'r{i + 1}{j + 1}="{turn[i, j]}"' for i in (0, 1, 2) for j in (0, 1, 2)
        ),
        at=-eye.rotation.T @ eye.translation,
        lens=[64 * value for value in lens],
        bend=eye.distortion,
    )


def person_clips(folder, frames: int = 15):
    """Writes `squats_tfjs.mp4` at 5 fps and BlazePose's 33 landmarks of it."""
    folder = pathlib.Path(folder)
    eye = calibration.Camera("a", calibration.pinhole(150.0, 150.0, 60.0, 80.0), SIZE)
    seen = people.towards(people.person(75, frames, 5.0), 3000.0)
    images = people.film(seen, eye.project, SIZE, 75)
    people.write_video(folder / "squats_tfjs.mp4", images, 5.0)
    joints = people.expand(seen, "blazepose12")
    flat, deep = np.zeros([2, frames, 33, 3])
    flat[:, LANDMARKS, :2] = eye.project(joints)
    middle = joints[:, 6:8].mean(axis=1, keepdims=True)
    deep[:, LANDMARKS] = (joints - middle) / 1000.0
    for name, values in (("pose_squats", flat), ("pose_squats_3d", deep)):
        (folder / f"{name}.full.json").write_text(json.dumps(values.tolist()))


def single_frames(folder):
    """Writes an `.npz` of Human3.6M with two pictures, one of MPI-INF-3DHP with one."""
    names = {
        "h36m17": [
            "S1/S1_Walking.54138969/S1_Walking.54138969_000001.jpg",
            "S5/S5_Sitting 1.60457274/S5_Sitting 1.60457274_002061.jpg",
        ],
        "mpi_inf_3dhp17": ["TS1_002001.jpg"],
    }
    eye = calibration.Camera("a", calibration.pinhole(150.0, 150.0, 60.0, 80.0), SIZE)
    for skeleton, images in names.items():
        home = pathlib.Path(folder) / skeleton
        seen = people.towards(people.person(80, len(images)), 3000.0)
        for n, image in enumerate(images):
            picture = people.film(seen[n : n + 1], eye.project, SIZE, n)[0]
            people.write_image(home / image, picture)
        joints = people.expand(seen, skeleton)
        ones = np.ones([*joints.shape[:2], 1])
        np.savez(
            home / "some.npz",
            imgname=np.array(images),
            center=np.full([len(images), 2], 60.0),
            scale=np.full(len(images), 0.5),
            part=np.concatenate([eye.project(joints), ones], -1),
            S=np.concatenate([joints / 1000.0, ones], -1),
        )
        np.savez(home / "other.npz", imgname=np.array(images), center=np.zeros(2))


def own(folder):
    """Writes labels of one's own: a table of two people, and arrays of a third."""
    eye = calibration.Camera("a", calibration.pinhole(150.0, 150.0, 60.0, 80.0), SIZE)
    seen = people.towards(people.person(90, 7), 3000.0)
    names = people.SKELETON.joint_names
    rows = ["image,joint,u,v,x,y,z,subject,sequence,frame,split"]
    images = []
    for n, joints in enumerate(seen):
        image = f"pictures/{n:03d}.jpg"
        home = pathlib.Path(folder) / ("desk" if n < 4 else "hall")
        picture = people.film(seen[n : n + 1], eye.project, SIZE, n)[0]
        people.write_image(home / image, picture)
        images.append(image)
        if n < 4:
            about = ("anna" if n % 2 else "bert", f"walk{n // 2}", n, "train")
            for name, point, place in zip(names, eye.project(joints), joints):
                cells = (image, name, *point, *place, *about)
                rows.append(",".join(map(str, cells)))
    (pathlib.Path(folder) / "desk/labels.csv").write_text("\n".join(rows) + "\n")
    np.savez(
        pathlib.Path(folder) / "hall/labels_test.npz",
        images=np.array(images[4:]),
        skeleton="sa3dhp17",
        keypoints=eye.project(seen[4:]),
        joints=seen[4:],
        splits=np.full(3, "test"),
    )
