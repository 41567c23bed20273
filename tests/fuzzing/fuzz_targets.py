"""What is fuzzed: one small genuine file per reader, and the reader.

A target is made here from a few numbers; no file of a data set is copied.
"""

import dataclasses
import io
import json
import pathlib
import pickle
from collections.abc import Callable
from typing import Any

import cv2
import h5py
import miniature_mocap
import miniature_smpl
import numpy as np
import scipy.io
import small_nrsfm
import small_onnx
import small_video
import yaml

from sa3dhp import config, errors, files
from sa3dhp.data import records, schema, shards
from sa3dhp.data.datasets import (
    cmu,
    lsp,
    mpi_inf_3dhp,
    mupots,
    person_clips,
    real_multiview,
    single_frames,
    surreal,
    threedpw,
)
from sa3dhp.data.datasets.human36m import cameras, readers
from sa3dhp.data.formats import (
    annotated_npz,
    asf_amc,
    bvh,
    labels,
    restricted_pickle,
    smpl_files,
)
from sa3dhp.data.videos import boxes_file, detection, people, video
from sa3dhp.evaluation import poses, prediction, protocol, results
from sa3dhp.export import domain_pack
from sa3dhp.prediction import prediction as predictions
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.training import checkpoint, store

_RNG = np.random.default_rng(5)


@dataclasses.dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
        name: in the table.
        file: name of the mutated file; others may lie beside it.
        content: what the file says: bytes, or what `dump` turns into bytes.
        read: takes the path of the file.
        dump: None where `content` is bytes.
        others: files beside it, by name.
    """

    name: str
    file: str
    content: Any
    read: Callable[[pathlib.Path], Any]
    dump: Callable[[Any], bytes] | None = None
    others: dict[str, bytes] = dataclasses.field(default_factory=dict)


def _npz(arrays: dict) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{key: np.asarray(value) for key, value in arrays.items()})
    return file.getvalue()


def _objects(arrays: dict) -> bytes:
    """An `.npz` whose values that are containers become arrays of one object."""
    wrapped = {}
    for key, value in arrays.items():
        plain = isinstance(value, np.ndarray)
        wrapped[key] = value if plain else np.empty((), object)
        if not plain:
            wrapped[key][()] = value
    return _npz(wrapped)


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(array))
    return file.getvalue()


def _mat(arrays: dict) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, arrays, do_compression=bool(len(arrays) % 2))
    return file.getvalue()


def _h5(tree: dict) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for key, value in tree.items():
            file[key] = value
    return buffer.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _yaml(value: Any) -> bytes:
    return yaml.safe_dump(value).encode()


def _pickle(value: Any) -> bytes:
    return pickle.dumps(value, 2)


def _numbers(*shape: int) -> np.ndarray:
    return _RNG.normal(size=shape).astype(np.float32) * 300


def all_targets(folder: pathlib.Path) -> list[Target]:
    """Returns every target; what writes files only is written to `folder`."""
    made = [
        *_motions(folder),
        *_texts(),
        *_poses(),
        *_data_sets(),
        *_stored(folder),
        *_videos(folder),
    ]
    assert len({target.name for target in made}) == len(made)
    return made


def _motions(folder: pathlib.Path) -> list[Target]:
    miniature_mocap.cmu(folder / "cmu")
    miniature_mocap.bandai_namco(folder / "bandai", 1, 4)
    amc = sorted((folder / "cmu").rglob("*.amc"))[0]
    asf = next(f for f in amc.parent.glob("*.asf") if amc.name.startswith(f.stem))
    # A few frames: a mutant should hit the header as often as the numbers.
    amc_text = b"\n".join(amc.read_bytes().splitlines()[: 3 + 2 * 30]) + b"\n"
    amc_text = (
        amc_text[: amc_text.rindex(b"\n3\n") + 1]
        if b"\n3\n" in amc_text
        else (amc.read_bytes())
    )
    motion = next((folder / "bandai").rglob("*.bvh")).read_bytes()
    rig = {
        "id": "own",
        "unit_mm": 10.0,
        "joints": {name: name for name in skeletons.SA3DHP17.joint_names},
        "segments": {"neck": [1, 2, 3]},
    }

    def clip(path: pathlib.Path) -> Any:
        return cmu.read_amc(path.parent / "01_01.amc")

    beside_amc, beside_asf = {"01.asf": asf.read_bytes()}, {"01_01.amc": amc_text}
    return [
        Target("asf", "01.asf", asf.read_bytes(), asf_amc.read_asf),
        Target("amc", "01_01.amc", amc_text, clip, others=beside_amc),
        Target("asf of a clip", "01.asf", asf.read_bytes(), clip, others=beside_asf),
        Target("bvh", "01_01.bvh", motion, _read_bvh),
        Target(
            "rig",
            "rig.yaml",
            rig,
            lambda path: bvh.rig_from_yaml(path.read_text(errors="replace")),
            _yaml,
        ),
    ]


def _read_bvh(path: pathlib.Path) -> Any:
    from sa3dhp.data.datasets import bandai_namco

    return bvh.to_sequence(bvh.read(path), bandai_namco.RIG, "clip")


def _texts() -> list[Target]:
    card = yaml.safe_load((protocol._CARDS / "h36m_p1.yaml").read_text())
    settings = yaml.safe_load(files.shipped("configs/procedural.yaml").read_text())
    settings.pop("base", None)
    boxes = {"a.mp4": [[n, 10.0 + n, 20.0, 30.5, 60.0] for n in range(9)]}
    rows = "video,frame,x,y,w,h\n" + "".join(
        f"a.mp4,{n},1.5,2,30,60\n" for n in range(9)
    )
    result = {
        "protocol": "h36m_p1",
        "protocol_hash": "0a" * 6,
        "target_information": "R",
        "overall": {"mpjpe": 50.5, "pa_mpjpe": 40.0},
        "coverage": 0.5,
    }
    bones = [0.0, *map(float, range(200, 216))]
    names = list(skeletons.SA3DHP17.joint_names)
    meta = {"skeleton": "sa3dhp17", "joint_names": names, "bone_lengths_mm": bones}
    pack = {key: "x" for key in domain_pack._KEYS}
    lens = {"calibration_matrix": np.eye(3).tolist(), "distortion": [0.1] * 5}
    place = {"R": np.eye(3).tolist(), "t": [[1.0], [2.0], [3.0]]}
    json_cameras = {
        "extrinsics": {"S1": dict.fromkeys(cameras.SIZES, place)},
        "intrinsics": dict.fromkeys(cameras.SIZES, lens),
    }
    return [
        Target("configuration", "c.yaml", settings, configs.load, _yaml),
        Target(
            "rule",
            "r.yaml",
            {"id": "mine", "flip": True, "angle_deg": 30.0, "space": "pose"},
            lambda path: config.load(configs.ComposedRule, path),
            _yaml,
        ),
        Target("protocol", "p.yaml", card, lambda p: protocol.load(str(p)), _yaml),
        Target("boxes, JSON", "b.json", boxes, boxes_file.read, _json),
        Target("boxes, CSV", "b.csv", rows.encode(), boxes_file.read),
        Target("results", "result.json", result, results.read, _json),
        Target(
            "bones",
            "meta.json",
            meta,
            lambda p: store.Store(p.parent).bones(skeletons.SA3DHP17),
            _json,
        ),
        Target(
            "domain pack",
            domain_pack.DESCRIPTION,
            pack,
            lambda p: domain_pack.read(p.parent),
            _json,
        ),
        Target("h36m cameras, JSON", "c.json", json_cameras, cameras.read, _json),
        Target(
            "landmarks",
            "l.json",
            _numbers(2, 33, 3).tolist(),
            person_clips.read_landmarks,
            _json,
        ),
    ]


def _poses() -> list[Target]:
    count = 4
    given = {
        "joints": _numbers(count, 17, 3),
        "skeleton": np.array("sa3dhp17"),
        "mask": np.ones((count, 17), bool),
        "action": np.array(["walk"] * count),
        "frame_number": np.arange(count),
    }
    images = np.zeros((count, 8, 8, 3), np.uint8)
    people = {
        "joints": _numbers(count, 17, 3),
        "frame": np.arange(count),
        "time": np.arange(count) / 30,
        "person": np.zeros(count, int),
        "box": _numbers(count, 4),
        "confidence": np.ones(count),
        "skeleton": "sa3dhp17",
        "fps": 30.0,
        "size": np.array([64, 48]),
        "source": "a.mp4",
        "model": "m",
        "model_hash": "0a",
    }
    weights = io.BytesIO()
    with np.errstate(all="ignore"):
        np.savez_compressed(weights, **{"meta.json": np.frombuffer(b"{}", np.uint8)})
    return [
        Target("predictions", "p.npz", given, lambda p: poses.read(p, "pred"), _npz),
        Target(
            "pictures with truth",
            "d.npz",
            {**given, "images": images},
            prediction.read_dataset,
            _npz,
        ),
        Target("poses of a video", "v.npz", people, predictions.load, _npz),
    ]


def _own_table() -> bytes:
    """Labels of one's own, three joints in two pictures."""
    lines = ["image,joint,u,v,x,y,z,subject,sequence,frame,split"]
    for n in range(6):
        joint = ("pelvis", "neck", "left_wrist")[n % 3]
        lines.append(f"{n // 3}.jpg,{joint},{n}.5,2,,-1e2,{3000 + n},anna,a,{n // 3},")
    return "\n".join(lines).encode()


def _own_arrays() -> dict[str, np.ndarray]:
    return {
        "images": np.array(["0.jpg", "1.jpg"]),
        "skeleton": np.array("sa3dhp17"),
        "keypoints": _RNG.uniform(0, 99, (2, 17, 2)),
        "joints": _RNG.uniform(-900, 900, (2, 17, 3)),
        "frames": np.arange(2),
        "fps": np.array(25.0),
    }


def _data_sets() -> list[Target]:
    return [
        *_human36m(),
        *_mpi_inf_3dhp(),
        *_smpl(),
        *_real_multiview(),
        *_pictures_with_joints(),
        *_mupots(),
    ]


def _human36m() -> list[Target]:
    rows, names = 8, tuple(cameras.SIZES)
    fetch = {
        "pose/2d": _numbers(rows, 32, 2),
        "pose/3d": _numbers(rows, 32, 3),
        "camera": np.repeat([int(n) for n in names], rows // 4),
        "frame": np.tile([1, 65], 4),
        "subject": np.full(rows, 1),
        "action": np.full(rows, 14),
        "subaction": np.ones(rows, int),
        **{f"intrinsics/{n}": np.array([1e3, 5e2, 1e3, 5e2]) for n in names},
    }
    place = {"R": np.eye(3), "T": np.ones((3, 1)), "k": np.zeros(3), "p": np.zeros(2)}
    place |= {"f": np.full((2, 1), 1e3), "c": np.full((2, 1), 5e2)}
    named = {**place, "Name": np.array([*map(ord, names[0])])}
    h5_cameras = {f"subject1/camera1/{key}": value for key, value in named.items()}
    pickled = {("S1", n): place for n in names}
    walk = {"S1": {"Walking 1": _numbers(3, 32, 3)}}

    def motion(path: pathlib.Path) -> Any:
        for subject, actions in readers.load_object(path, "positions_3d").items():
            for action, world in actions.items():
                readers.motion(subject, action, world)

    return [
        Target("h36m annot.h5", "annot.h5", fetch, readers.read_annot, _h5),
        Target("h36m cameras, HDF5", "c.h5", h5_cameras, cameras.read, _h5),
        Target("h36m cameras, pickle", "c.pkl", pickled, cameras.read, _pickle),
        Target("h36m videopose3d", "d.npz", {"positions_3d": walk}, motion, _objects),
    ]


def _mpi_inf_3dhp() -> list[Target]:
    cells = {}
    for key, width in (("annot2", 56), ("annot3", 84)):
        cells[key] = np.empty((14, 1), object)
        for camera in range(14):
            cells[key][camera, 0] = _numbers(3, width).astype(float)
    scene = {
        "annot2": np.abs(_numbers(3, 1, 17, 2)),
        "annot3": np.abs(_numbers(3, 1, 17, 3)),
        "univ_annot3": np.abs(_numbers(3, 1, 17, 3)),
        "valid_frame": np.ones((3, 1)),
        "activity_annotation": np.ones((3, 1)),
    }
    eye = " ".join("1" if n % 5 == 0 else "0" for n in range(16))
    views = "Skeletool\n" + "".join(
        f"name {n}\n size 204 204\n intrinsic {eye}\n extrinsic {eye}\n"
        for n in range(14)
    )

    def train(path: pathlib.Path) -> Any:
        return mpi_inf_3dhp.read_train_sequence(path.parent)

    def test(path: pathlib.Path) -> Any:
        return mpi_inf_3dhp.read_test_scene(path.parent)

    name, seen = "camera.calibration", views.encode()
    return [
        Target("mpi train", "annot.mat", cells, train, _mat, {name: seen}),
        Target("mpi test", "annot_data.mat", scene, test, _h5),
        Target("mpi cameras", name, seen, mpi_inf_3dhp.read_calibration),
    ]


def _mupots() -> list[Target]:
    joints = np.abs(_numbers(3, 17)) + 9.0
    person = {
        "annot2": 1e3 * joints[:2] / joints[2:],
        "annot3": joints,
        "univ_annot3": _numbers(3, 17),
        "isValidFrame": 1.0,
    }
    cells = np.empty((2, 2), object)
    cells[:] = person

    def read(path: pathlib.Path) -> Any:
        return mupots.camera_of(mupots.read(path.parent))

    pictures = {f"img_{n:06d}.jpg": b"" for n in range(2)}
    arrays = {"annotations": cells}
    return [Target("mupots", "annot.mat", arrays, read, _mat, pictures)]


def _smpl() -> list[Target]:
    body, rows17 = miniature_smpl.arrays(), miniature_smpl.regressor()
    model = miniature_smpl.model()

    def regressor(path: pathlib.Path) -> Any:
        return smpl_files.read_regressor(path, model)

    return [
        Target("smpl npz", "SMPL_MALE.npz", body, smpl_files.read_model, _npz),
        Target("smpl pickle", "SMPL_MALE.pkl", body, smpl_files.read_model, _pickle),
        Target("smpl regressor", "J_regressor_h36m.npy", rows17, regressor, _npy),
    ]


def _real_multiview() -> list[Target]:
    reference = {
        "X": _numbers(2, 12, 3),
        "J": np.array(real_multiview.LANDMARKS),
        "frames": np.arange(2),
    }
    read, calibrated = real_multiview.read_reference, real_multiview.read_calibration
    return [
        Target("multi-view reference", "r.npz", reference, read, _npz),
        Target("multi-view cameras", "Calib.qca.txt", _qualisys(), calibrated),
    ]


def _pictures_with_joints() -> list[Target]:
    spin = {
        "imgname": np.array(["a/b.jpg"] * 3),
        "center": _numbers(3, 2),
        "part": np.abs(_numbers(3, 17, 3)),
        "S": np.abs(_numbers(3, 17, 4)),
    }
    video_info = {
        "joints2D": _numbers(2, 24, 3),
        "joints3D": _numbers(3, 24, 3),
        "camLoc": np.ones((3, 1)),
    }
    outdoors = {
        "sequence": "downtown_walking_00",
        "jointPositions": [_numbers(3, 72)],
        "poses2d": [np.ones((3, 3, 18))],
        "cam_poses": np.tile(np.eye(4), (3, 1, 1)),
        "campose_valid": [np.ones(3, np.int64)],
        "cam_intrinsics": np.eye(3),
        "genders": ["m"],
    }
    flat = {"joints": _numbers(3, 14, 3)}
    extended = {"joints": _numbers(14, 3, 3), "more": np.zeros(2)}
    read_lsp, name = _folder(lsp), "01_01_c0001_info.mat"

    def annotated(path: pathlib.Path) -> Any:
        return annotated_npz.read(path, "h36m17", "images")

    return [
        Target("lsp", "joints.mat", flat, read_lsp, _mat),
        Target("lsp-extended", "joints.mat", extended, read_lsp, _mat),
        Target("surreal", name, video_info, surreal.read_info, _mat),
        Target("own table", "labels.csv", _own_table(), labels.read),
        Target("own arrays", "labels.npz", _own_arrays(), labels.read, _npz),
        Target("annotated npz", "a.npz", spin, annotated, _npz),
        Target("single frames", "a.npz", spin, single_frames.skeleton_of, _npz),
        Target("3dpw", "s.pkl", outdoors, threedpw.read_sequence, _pickle),
        Target("pickle", "a.pkl", [outdoors, {}], restricted_pickle.load, _pickle),
    ]


def _folder(source: Any) -> Callable[[pathlib.Path], Any]:
    return lambda path: source.read_folder(path.parent)


def _qualisys() -> bytes:
    import miniature_real

    nodes = "".join(miniature_real._node(miniature_real.camera(n)) for n in range(2))
    return f"<calibration><cameras>{nodes}</cameras></calibration>".encode()


def _stored(folder: pathlib.Path) -> list[Target]:
    frame = small_nrsfm.frame("S1", 1)
    walk = schema.Sequence("walk", "sa3dhp17", _numbers(3, 17, 3), "camera", 30.0)
    (folder / "pictures").mkdir()
    small_nrsfm.write_pictures(folder / "pictures", [frame], [frame])
    home = folder / "pictures"
    held = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}
    shard = next(name for name in held if name.endswith(".tfrecord"))
    weights = folder / "w.npz"
    checkpoint.write_arrays(weights, {"a/b": _numbers(4, 3), "c": _numbers(3)})
    picture = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()

    def manifest(path: pathlib.Path) -> Any:
        return records.read_manifest(path.parent)

    def pictures(path: pathlib.Path) -> Any:
        split = shard.split("-")[0]
        part = shards.Split(path.parent, split)
        return part.frames(range(len(part)))

    return [
        Target("manifest", records.MANIFEST, json.loads(held[records.MANIFEST]),
               manifest, _json),
        Target("shard", shard, held[shard], pictures, others=held),
        Target("record, picture", "a.bin", records.encode_frame(frame),
               lambda p: records.decode_frame(p.read_bytes())),
        Target("record, motion", "a.bin", records.encode_motion(walk),
               lambda p: records.decode_motion(p.read_bytes())),
        Target("weights", "w.npz", weights.read_bytes(), checkpoint.read_arrays),
        Target("network's meta", "w.npz", weights.read_bytes(),
               lambda p: store.Store(p.parent).meta("w")),
        Target("picture", "a.png", picture, video.read_image),
    ]  # fmt: skip


def _videos(folder: pathlib.Path) -> list[Target]:
    small_video.write(folder / "v.mp4", 12)
    small_onnx.brightness_network(folder / "d.onnx", "rows")

    def watch(path: pathlib.Path) -> Any:
        (source,) = video.discover(path)
        try:
            return people.scan(source, None, 30.0, small_video.detect, None)
        except video.UnreadableError as error:  # the tools go on, and say so
            raise errors.InputError(f"{path}: {error}") from None

    def detect(path: pathlib.Path) -> Any:
        return detection.make(path)(np.zeros((1, 48, 64, 3), np.uint8))

    return [
        Target("video", "v.mp4", (folder / "v.mp4").read_bytes(), watch),
        Target("ONNX detector", "d.onnx", (folder / "d.onnx").read_bytes(), detect),
    ]
