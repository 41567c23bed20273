"""Real data: prepared crowds, plain pictures, and the paper's configuration on them."""

import dataclasses
import functools
import pathlib

import cv2
import miniature
import miniature_muco
import numpy as np
import pytest
import small_multi_person
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.data import records, shards
from sa3dhp.data.preparing import job as preparing
from sa3dhp.data.preparing import local, units
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.multi_person import config as configs
from sa3dhp.systems.multi_person import folders, job, maps, sources, stages

SKELETON = skeletons.SA3DHP17
SIZES = units.Settings(64, 56, clips=8)  # the margin of 4 px is cut off
ONCE = (
    "poses.steps=1",
    "teacher.steps=1",
    "student.steps=1",
    "student.equivariance_steps=1",
    "student.refinement_steps=1",
)
CONFIG = pathlib.Path(__file__).resolve().parents[3] / "configs/multi_person_muco.yaml"


@pytest.fixture(scope="module")
def muco(tmp_path_factory):
    """Prepared crowds."""
    home = tmp_path_factory.mktemp("muco")
    engine = functools.partial(local.run, processes=1)
    raw = miniature_muco.muco(home / "raw")
    preparing.run("muco", raw, home / "prepared", SIZES, engine)
    return str(home / "prepared")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Prepared pictures of one person each, cut out."""
    home = tmp_path_factory.mktemp("own")
    miniature.own(home / "raw")
    engine = functools.partial(local.run, processes=1)
    preparing.run(
        "own", home / "raw", home / "prepared", units.Settings(64, 56), engine
    )
    return str(home / "prepared")


@pytest.fixture
def plain(tmp_path):
    """Pictures that nobody knows anything of, wide and high ones."""
    for n, shape in enumerate([(30, 60), (60, 30), (40, 40)]):
        path = tmp_path / f"plain/a{n % 2}/{n}.{'jpg' if n else 'PNG'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.full((*shape, 3), 60 * n + 40, np.uint8))
    (tmp_path / "plain/a0/.hidden.jpg").write_bytes(b"no picture")
    return str(tmp_path / "plain")


def _small(muco, *overrides):
    """The paper's configuration, small, on the miniature."""
    base = (*small_multi_person.SMALL, "student.labels=none")
    places = (f"data.source={muco}", f"data.target={muco}")
    return configs.load(CONFIG, [*base, *places, *overrides])


@pytest.fixture
def load_muco(muco):
    """`load_muco(*overrides)`: see `_small`."""
    return functools.partial(_small, muco)


def test_the_papers_settings_are_the_defaults_and_the_commands_are_told():
    paper, plain = configs.load(CONFIG), configs.load()
    for part in ("poses", "teacher", "student", "training"):
        assert getattr(paper, part) == getattr(plain, part)
    assert (paper.student.labels, paper.data.image_size) == ("none", 224)
    text = CONFIG.read_text()
    for tool in ("prepare_data.py --dataset=muco", "pretrain.py", "evaluate.py"):
        assert f"python tools/{tool}" in text


def test_crowds_are_whole_pictures_with_everybody_in_them(muco, load_muco):
    config = load_muco()
    found = sources.crowds(config, muco)
    frames = list(records.read_frames(muco, "train"))
    assert len(found.images) == 8 and found.there.sum() == len(frames)
    assert found.images.shape == (8, 56, 56, 3)
    clips = list(dict.fromkeys(frame.clip for frame in frames))
    for frame in frames:
        n = clips.index(frame.clip)
        image = found.images[np.array([n])][0]
        np.testing.assert_array_equal(image, frame.image[4:-4, 4:-4])
        index = skeletons.get(frame.skeleton).index("left_wrist")
        wrist = SKELETON.index("left_wrist")
        np.testing.assert_allclose(
            found.joints[n, frame.position, wrist], frame.joints[index], atol=1e-2
        )
        np.testing.assert_allclose(
            found.points[n, frame.position, wrist],
            frame.keypoints[index] - 4,
            atol=1e-3,
        )
    assert (np.diff(found.there.astype(int), axis=1) <= 0).all(), "the nearest first"


def test_people_stand_where_the_fixed_camera_sees_them(muco, load_muco):
    """What T_K says of true joints is where the picture shows them."""
    config, found = load_muco(), sources.crowds(load_muco(), muco)
    joints, points = sources.people_of(found)
    camera = stages.networks_.Networks(config, "unused").camera
    for person, flat in zip(np.concatenate(joints), np.concatenate(points)):
        np.testing.assert_allclose(camera.projected(person), flat, atol=0.5)


def test_unseen_people_measure_and_no_more_than_asked_for(muco, load_muco):
    found = sources.crowds(load_muco("data.unseen=1"), muco, unseen=True)
    assert len(found.images) == len(found.there) == 1 and found.there.any()
    assert sources.measured(load_muco()) == {"source": muco, "target": muco}


def test_a_joint_outside_of_the_picture_is_unknown():
    points = np.full((2, 17, 2), 30.0)
    points[1, :, 0] = 56.0
    pictures = folders.labelled.Pictures(
        images=lambda rows: np.zeros((len(rows), 56, 56, 3), np.uint8),
        points=points,
        joints=np.ones((2, 17, 3)),
        skeleton=SKELETON.id,
        subjects=np.array(["a", "b"]),
        sequences=np.array(["a", "b"]),
        clips=np.array(["x", "x"]),
        source="here",
    )
    found = folders._known(pictures, 56, None)
    assert found.there.tolist() == [[True, True]]
    assert np.isfinite(found.points[0, 0]).all() and np.isnan(found.points[0, 1]).all()


def test_nobody_is_known_in_plain_pictures_which_are_made_square(plain, load_muco):
    config = load_muco(f"data.target={plain}")
    found = sources.crowds(config, plain)
    assert len(found.images) == 3 and not found.there.any()
    images = found.images[:]
    assert images.shape == (3, 56, 56, 3)
    np.testing.assert_allclose(images.reshape(3, -1).mean(1), [40, 160, 100], atol=2)
    joints, points = sources.truth_of(np.zeros((3, 2, 17, 2)), found, 56)
    assert np.isnan(joints).all() and np.isnan(points).all()
    with pytest.raises(errors.InputError, match="no labelled pictures that never"):
        sources.crowds(config, plain, unseen=True)
    assert list(sources.measured(config)) == ["source"]


def test_prepared_pictures_of_one_person_are_pictures_without_labels(alone, load_muco):
    config = load_muco(f"data.target={alone}")
    assert set(sources.check(config, "pictures")) == {config.data.source, alone}
    found = sources.crowds(config, alone)
    assert len(found.images) == 4 and not found.there.any()
    assert found.images[:2].shape == (2, 56, 56, 3)
    assert list(sources.measured(config)) == ["source"]


def test_hashes_of_the_folders_are_kept(muco, plain, load_muco):
    config = load_muco(f"data.target={plain}")
    told = sources.check(config, "poses", "pictures")
    assert told[muco] == records.read_manifest(muco).data_hash
    (pathlib.Path(plain) / "more.jpg").write_bytes(b"12")
    folders._pictures.cache_clear()
    assert sources.check(config, "pictures")[plain] != told[plain]
    assert sources.check(config, "poses") == {}


def test_folders_that_cannot_be_used_are_told_before_the_work(
    muco, plain, alone, load_muco, tmp_path
):
    (tmp_path / "empty").mkdir()
    for overrides, message in (
        ([f"data.source={plain}"], "has no manifest, .*--dataset=muco --input=DIR"),
        ([f"data.source={alone}"], "holds own, where a picture is cut out around one"),
        (["data.focal=1.2"], r"data.focal: got 1.2, expected 0.7\d sides"),
        (["data.image_size=112"], "prepared with image_size 56 and stored_size 64"),
        ([f"data.target={tmp_path}/empty"], "no picture in it, expected prepared"),
        ([f"data.target={tmp_path}/none"], "none: not a folder, expected prepared"),
        (["student.labels=2d", f"data.target={plain}"], "has no manifest"),
        (["student.labels=3d", f"data.target={alone}"], "holds own"),
    ):
        with pytest.raises(errors.InputError, match=message):
            sources.check(load_muco(*overrides), "pictures")
    (pathlib.Path(plain) / "b.jpg").write_bytes(b"no picture")
    folders._pictures.cache_clear()
    with pytest.raises(errors.InputError, match=r"b.jpg: cannot be decoded; remove it"):
        sources.crowds(load_muco(f"data.target={plain}"), plain).images[:]


def test_a_camera_beside_the_fixed_one_is_told(muco):
    (frame,) = shards.Split(muco, "train").frames([0], image=False)
    aside = frame.projection + np.float32([[0, 0, 9], [0, 0, 0], [0, 0, 0]])
    object.__setattr__(frame, "projection", aside)
    with pytest.raises(errors.InputError, match=r"expected the middle, 31.5 px"):
        folders._check_camera("x", frame, records.read_manifest(muco), 0.74)


@pytest.fixture(scope="module")
def run(muco, tmp_path_factory):
    """A run of the paper's configuration, and what was measured.

    The teacher sees two people everywhere, whatever it has learnt. Nothing is exported,
    which takes half of the time and knows of no data (`test_stages`).
    """
    workdir = tmp_path_factory.mktemp("run")
    config = _small(muco, *ONCE)

    def seen(trunk, reader, images, people):
        points = np.full((len(images), people, 17, 2), np.nan, np.float32)
        points[:, :2] = sources.crowds(config, muco).points[:1, :1]
        return points

    tf.config.run_functions_eagerly(True)
    configs.begin(config, workdir)
    made = stages.make(config, workdir / "checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "seen_by_teacher", seen)
        patch.setattr(stages, "_exported", lambda *_, **__: None)
        patch.setattr(stages.saved_model, "write", lambda path, described: None)
        rows = [row for name in configs.STAGES for row in made.train(name, workdir)]
    tf.config.run_functions_eagerly(False)
    return workdir, {f"{stage}/{name}": value for stage, name, value in rows}


def test_the_papers_configuration_trains_on_composed_crowds(run, monkeypatch, eagerly):
    workdir, measured = run
    assert np.isfinite(list(measured.values())).all()
    assert {"teacher/source_recall", "equivariance/target_pck_rel"} <= set(measured)
    assert cv2.imread(str(workdir / stages.SHEET)).shape[0] > 3 * 3 * 56
    monkeypatch.setattr(maps, "OWN", dataclasses.replace(maps.OWN, peak=-1e9))
    monkeypatch.setattr(job.scoring, "FAR", 9.0)
    pred, truth, information = job.predicted(workdir)
    assert pred.joints.shape == truth.joints.shape and len(pred.joints)
    assert (information, job.card_of(workdir)) == ("G", "muco"), "the teacher's own"


def test_pictures_without_labels_train_and_nothing_is_claimed_of_them(
    run, plain, load_muco, tmp_path, eagerly
):
    config = load_muco(f"data.target={plain}")
    made = stages.make(config, run[0] / "checkpoints")
    networks = made._networks
    taught = networks.teacher()
    batches = sources.StudentBatches(config, networks.camera, *taught)
    batch = batches.make(0)
    assert batch.images.shape == (2, 56, 56, 3) and batch.turned.shape == (2, 56, 56, 3)
    assert np.isnan(batch.joints).all() and np.isnan(batch.true_points).all()
    assert list(made._places()) == ["source"]
    made._draw(tmp_path / "sheet.png", networks.trained())
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] > 3 * 3 * 56
    assert job.target_information(config) == "R"
    configs.begin(config, tmp_path / "run")
    with pytest.raises(errors.InputError, match="give --dataset=MultiPersonTestSet"):
        job.predicted(tmp_path / "run")
