"""3DPW's 14 joints of published numbers, through the reader and the preparation."""

import dataclasses
import functools
import pathlib
import pickle

import miniature_smpl
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import records, verification
from sa3dhp.data.datasets import threedpw
from sa3dhp.data.formats import smpl_files
from sa3dhp.data.preparing import job, local, units
from sa3dhp.evaluation import evaluator, poses, protocol
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons

LSP = skeletons.get("lsp14")
ALONE = functools.partial(local.run, processes=1)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    miniature_smpl.threedpw(folder / "threedpw")
    miniature_smpl.write(folder / "smpl", left_first=True)
    return folder


@pytest.fixture(scope="module")
def bodies(raw):
    return smpl_files.read_folder(raw / "smpl")


def _path(raw, split):
    (path,) = (raw / "threedpw/sequenceFiles" / split).glob("*.pkl")
    return path


def _settings(raw):
    return units.Settings(48, 32, smpl=str(raw / "smpl"))


@pytest.fixture(scope="module")
def prepared(raw):
    folder = raw / "prepared"
    job.run("threedpw", raw / "threedpw", folder, _settings(raw), ALONE)
    return folder


@pytest.mark.parametrize(("split", "seed"), [("train", 0), ("test", 1)])
def test_joints_are_the_mesh_of_the_definition_seen_by_the_camera(
    raw, bodies, split, seed
):
    path = _path(raw, split)
    data = pickle.loads(path.read_bytes())
    (frames,) = threedpw.read_sequence(path, bodies)
    assert (frames.skeleton, frames.mask.all()) == ("lsp14", True)
    # Without a camera in the test's second frame.
    expected = {"train": range(62), "test": [0, 2, 3, 4]}[split]
    assert list(frames.frame_numbers) == list(expected)
    values, rows = miniature_smpl.arrays(seed), miniature_smpl.regressor()
    names = skeletons.get("h36m17").joint_names
    for row, n in list(enumerate(frames.frame_numbers))[
        :: 3 if split == "test" else 40
    ]:
        betas = data["betas"][0][:10]
        body = [data[key][0][n] for key in ("poses", "trans")]
        mesh = miniature_smpl.slow_vertices(values, betas, *body)
        for joint, name in enumerate(LSP.joint_names):
            world = rows[names.index(name)] @ mesh
            seen = data["cam_poses"][n] @ np.append(world, 1.0)
            np.testing.assert_allclose(
                frames.joints[row, joint], 1000 * seen[:3], rtol=0, atol=1e-3
            )


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_24_joints_stay_available_and_lie_nearby(raw, bodies, split):
    path = _path(raw, split)
    (mesh,), (own,) = threedpw.read_sequence(path, bodies), threedpw.read_sequence(path)
    assert own.skeleton == "smpl24"
    assert own.images == mesh.images and own.camera.name == mesh.camera.name
    limbs = [name for name in LSP.joint_names if name.startswith(("left", "right"))]
    theirs = own.joints[:, list(skeletons.get("smpl24").indices(*limbs))]
    gap = np.linalg.norm(mesh.joints[:, list(LSP.indices(*limbs))] - theirs, axis=-1)
    assert 1.0 < gap.mean() < 40.0
    other = [name.replace("left", "x").replace("right", "left") for name in limbs]
    sides = LSP.indices(*[name.replace("x", "right") for name in other])
    crossed = np.linalg.norm(mesh.joints[:, list(sides)] - theirs, axis=-1)
    assert crossed.mean() > 200.0


def _with(raw, tmp_path, **changes):
    data = pickle.loads(_path(raw, "train").read_bytes())
    path = tmp_path / "sequenceFiles/train/a.pkl"
    path.parent.mkdir(parents=True)
    changed = {**data, **changes}.items()
    data = {key: value for key, value in changed if value is not None}
    path.write_bytes(pickle.dumps(data, 2))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(genders=["x"]), "genders expected m or f, got 'x'"),
        (dict(betas=None), "expected the keys .*betas"),
        (dict(trans=[np.zeros((62, 3))]), r"SMPL's joints are \d{4} mm from the file"),
        (dict(trans=[np.zeros((3, 3))]), r"expected \[N, 72\] and \[N, 3\]"),
        (
            dict(jointPositions=[np.zeros((61, 72))]),
            "62 poses of person 0, expected 61",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_refused(
    raw, bodies, tmp_path, changes, message
):
    path = _with(raw, tmp_path, **changes)
    with pytest.raises(errors.InputError, match=message):
        threedpw.read_sequence(path, bodies)


def test_betas_of_the_clothed_body_are_not_used(raw, bodies, tmp_path):
    path = _with(raw, tmp_path, betas_clothed=[np.full(10, 9.0)])
    (ours,) = threedpw.read_sequence(path, bodies)
    (theirs,) = threedpw.read_sequence(_path(raw, "train"), bodies)
    np.testing.assert_array_equal(ours.joints, theirs.joints)


def test_prepared_records_hold_them(raw, bodies, prepared):
    manifest = records.read_manifest(prepared)
    assert {held["skeleton"] for held in manifest.splits.values()} == {"lsp14"}
    for split, count in (("train", 60), ("test", 4)):
        (frames,) = threedpw.read_sequence(_path(raw, split), bodies)
        rows = {
            int(n): joints for n, joints in zip(frames.frame_numbers, frames.joints)
        }
        found = list(records.read_frames(prepared, split))
        assert len(found) == count
        for frame in found:
            np.testing.assert_allclose(frame.joints, rows[frame.frame_number])
            assert frame.mask.all() and frame.skeleton == "lsp14"
            points = frame.joints @ frame.projection.T
            points = points[:, :2] / points[:, 2:]
            assert (points > 0).all() and (points < 48).all()


def test_verification_finds_nothing_wrong_with_them(prepared):
    report, _ = verification.verify(prepared)
    assert not report.faults, report.text()
    checked = {found.check for found in report.findings if found.status == "pass"}
    assert {"joint order", "unit", "up", "left and right", "joint limits"} <= checked


def test_they_are_scored_by_the_published_card(prepared):
    found = list(records.read_frames(prepared, "test"))
    truth = np.stack([frame.joints for frame in found])
    moved = truth + np.array([0.0, 0.0, 30.0])
    pred, _ = conversion.convert(moved, "lsp14", "sa3dhp17")
    pred[:, skeletons.SA3DHP17.index("left_wrist")] += [28.0, 0.0, 0.0]
    labels = {"sequence": np.array([frame.sequence for frame in found])}
    got = evaluator.evaluate(
        poses.Poses(pred, "sa3dhp17", labels=labels),
        poses.Poses(truth, "lsp14", labels=labels),
        protocol.load("3dpw_14"),
    )
    assert got["protocol"] == "3dpw_14" and got["num_samples"] == 4
    assert got["overall"]["mpjpe"] == pytest.approx(28.0 / 14, abs=1e-3)


def test_manifest_and_fingerprint_know_the_model(raw, prepared, tmp_path):
    notes = "\n".join(records.read_manifest(prepared).notes)
    folder, out = raw / "smpl", functools.partial(job.run, "threedpw", raw / "threedpw")
    for path in sorted(folder.iterdir()):
        assert f"of {path.name}, sha256 {records.checksum(path)}" in notes
    other = miniature_smpl.write(tmp_path / "elsewhere", left_first=True)
    moved = dataclasses.replace(_settings(raw), smpl=str(other))
    for path in other.iterdir():
        path.write_bytes((folder / path.name).read_bytes())
    assert out(prepared, moved, ALONE) == records.read_manifest(prepared)
    np.savez(other / "SMPL_MALE.npz", **miniature_smpl.arrays(5))
    for settings in (moved, units.Settings(48, 32)):
        with pytest.raises(errors.InputError, match="with other settings"):
            out(prepared, settings, ALONE)


def test_preparations_without_it_go_on_as_before():
    """What was begun before there was `smpl` keeps its fingerprint."""
    plan = units.Plan(
        "frames", (units.Unit("a", "train", ("b",)),), {"train": "smpl24"}
    )
    expected = "d828b4d0e74a1894982f63c5eaa3d66255c76a25889de741d866a6c7df6ea100"
    assert plan.fingerprint("threedpw", units.Settings(320, 224)) == expected


def test_what_is_wrong_with_the_files_is_said_before_anything_is_written(raw, tmp_path):
    for dataset, smpl, message in (
        ("surreal", raw / "smpl", "of threedpw alone, got --dataset=surreal"),
        ("threedpw", tmp_path, "none of SMPL_MALE.npz"),
    ):
        settings = units.Settings(48, 32, smpl=str(smpl))
        with pytest.raises(errors.InputError, match=message):
            job.run(dataset, raw / "threedpw", tmp_path / "out", settings, ALONE)
        assert not pathlib.Path(tmp_path / "out").exists()
