"""A published teacher says what its graph says, and people what it sees."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import small_graph
import small_multi_person
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.geometry import crop
from sa3dhp.systems.multi_person import config as configs
from sa3dhp.systems.multi_person import (
    frozen,
    grouping,
    job,
    maps,
    networks,
    predictions,
    sources,
    stages,
    watching,
)

SKELETON = maps.SKELETON
COCO = (  # of the photographs' keypoints
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder "
    "left_elbow right_elbow left_wrist right_wrist left_hip right_hip left_knee "
    "right_knee left_ankle right_ankle"
).split()


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return small_graph.write(tmp_path_factory.mktemp("graph") / "graph_opt.pb")


def _images(count, size):
    rng = np.random.default_rng(1)
    return rng.uniform(size=(count, size, size, 3)).astype(np.float32)


@pytest.mark.parametrize("training", [True, False])
def test_it_answers_as_the_graph_does(tmp_path, training):
    path = small_graph.write(tmp_path / "a.pb", training=training)
    trunk, reader = frozen.read(path, 448)
    images = _images(2, 448)
    features = trunk(images)
    shape = (2, 56, 56, small_graph.FEATURES)
    assert features.shape == shape and trunk.features == shape[-1]
    found = reader(features)
    want = small_graph.answers(path, 255.0 * images[..., ::-1])
    chosen = np.take(want, frozen._CHANNELS, axis=-1)
    np.testing.assert_allclose(found, chosen, atol=1e-4 * np.abs(want).max())
    assert not trunk.trainable_weights and not reader.trainable_weights


_AS_THE_TOOLS = """
import sys
from sa3dhp import cli
cli._be_quiet()
import tensorflow as tf
from sa3dhp.systems.multi_person import frozen
from sa3dhp.training import precision
precision.set_seed(0, "teacher")
trunk, reader = frozen.read(sys.argv[1], 448)
maps = tf.function(lambda x: reader(trunk(x)))(tf.zeros([1, 448, 448, 3]))
print(maps.shape)
"""


def test_it_is_traced_as_the_tools_do(graph, repo_root):
    """With oneDNN, whose rewriting of a graph once ended the process here."""
    env = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
    done = subprocess.run(
        [sys.executable, "-c", _AS_THE_TOOLS, graph],
        cwd=repo_root,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "(1, 56, 56, 37)\n"), done.stderr


def test_its_channels_are_those_of_our_joints_and_limbs():
    layout = maps.COCO
    assert layout.channels == 37 == len(set(frozen._CHANNELS))
    heats = frozen._CHANNELS[: len(layout.joints)]
    assert max(heats) < 18 and min(frozen._CHANNELS[len(heats) :]) >= 19
    assert {x for limb in layout.limbs for x in limb} == set(layout.joints)
    assert layout.root == SKELETON.index("neck") and layout.root_map == 0


def test_smaller_pictures_are_brought_to_its_size(graph):
    trunk, _ = frozen.read(graph, 112)
    small = _images(1, 112)
    large = tf.image.resize(small, [448, 448], antialias=True)
    np.testing.assert_allclose(trunk(small), frozen.read(graph, 448)[0](large))


def test_gradients_pass_f_as_l_adapt_needs(graph):
    _, reader = frozen.read(graph, 224)
    features = tf.Variable(tf.random.normal([1, 56, 56, small_graph.FEATURES], seed=0))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(reader(features) ** 2)
    assert float(tf.norm(tape.gradient(loss, features))) > 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sigmoid": True}, "is a Sigmoid, expected convolutions"),
        ({"stages": 1}, "0 nodes go into all of 0 stages"),
        ({"dilation": 2}, "a Conv2D, has another form .* no dilation"),
        ({"minuend": True}, "a Sub, has another form .* constants last"),
        ({"around": True}, "node image leads to Openpose/concat_stage7 past concat"),
    ],
)
def test_another_graph_is_named(tmp_path, changes, reason):
    path = small_graph.write(tmp_path / "a.pb", **changes)
    with pytest.raises(errors.InputError, match=reason):
        frozen.read(path, 224)


def test_another_file_is_named(tmp_path):
    (tmp_path / "a.pb").write_bytes(b"not a graph")
    (tmp_path / "b.pb").write_bytes(b"")
    for name, reason in (
        ("a", "cannot be read as a frozen graph"),
        ("b", "has no node image, expected an OpenPose"),
        ("c", "cannot be read as a frozen graph .*No such file"),
    ):
        with pytest.raises(errors.InputError, match=f"{name}.pb: {reason}"):
            frozen.read(tmp_path / f"{name}.pb", 224)


def test_people_are_grouped_around_their_necks():
    """Two people, drawn; their pelvis, which has no map, is between the hips."""
    rng = np.random.default_rng(0)
    one = rng.uniform(2, 25, (17, 2))
    persons = np.stack([one, 55 - rng.uniform(2, 25, (17, 2))])
    drawn = maps.draw(persons, layout=maps.COCO)
    assert drawn.shape == (56, 56, 37)
    found = grouping.people(drawn, maps.COCO)
    neck, hips = SKELETON.index("neck"), [SKELETON.index(x) for x in
                                          ("left_hip", "right_hip")]  # fmt: skip
    assert len(found) == 2
    for person in found:
        want = persons[
            np.linalg.norm(persons[:, neck] - person[neck], axis=-1).argmin()
        ]
        known = np.isfinite(person[:, 0])
        assert not known[SKELETON.index("head_top")] and known.sum() >= 6
        if known[hips].all():
            middle = person[hips].mean(axis=0)
            np.testing.assert_allclose(person[SKELETON.root], middle)
        np.testing.assert_allclose(person[neck], want[neck], atol=0.3)


@pytest.fixture(scope="module")
def config(graph):
    told = (f"teacher.weights={graph}", f"teacher.features={small_graph.FEATURES}")
    once = ("poses.steps=1", "student.steps=1", "student.equivariance_steps=1")
    return configs.load(None, [*small_multi_person.SMALL, *told, *once])


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    """A run with this teacher, whose graph has learnt nothing: people are given."""
    workdir = tmp_path_factory.mktemp("run")
    configs.begin(config, workdir)
    made = stages.make(config, workdir / "checkpoints")
    tf.config.run_functions_eagerly(True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sources, "seen_by_teacher", small_multi_person.clairvoyant(config)
        )
        some = ("poses", "teacher", "alignment", "equivariance")
        rows = [row for name in some for row in made.train(name, workdir)]
    tf.config.run_functions_eagerly(False)
    return workdir, {f"{stage}/{name}": value for stage, name, value in rows}


def test_the_student_learns_from_it(run, config, graph):
    workdir, measured = run
    assert np.isfinite(list(measured.values())).all()
    assert "teacher/target_recall" in measured
    made = networks.Networks(config, workdir / "checkpoints")
    kept, fresh = made.teacher(), frozen.read(graph, config.data.image_size)
    images = _images(1, config.data.image_size)
    for ours, theirs in zip(kept, fresh):
        for a, b in zip(ours.get_weights(), theirs.get_weights()):
            np.testing.assert_allclose(a, b, rtol=1e-3)  # kept in float16
    assert kept[0](images).shape[-1] == small_graph.FEATURES


def test_the_exported_model_needs_no_other_file(run, config):
    model = watching.load(run[0])
    images = sources.crowds(config, "street", unseen=True).images[:1]
    made = networks.Networks(config, run[0] / "checkpoints")
    shown = sources.pixels(images)
    want = predictions.everybody(made.trained(), *made.teacher(), shown)
    ((joints, _, score),) = model.see(images)
    count = int(want["count"][0])
    assert len(joints) == len(score) == count
    np.testing.assert_allclose(joints, want["joints"][0, :count], atol=1.0)


def test_who_is_found_stands_where_the_neck_is_seen(run, config, eagerly):
    made = networks.Networks(config, run[0] / "checkpoints")
    composer = made.trained()
    roots = tf.constant([[[20.0, 30.0], [40.0, 10.0]]])
    features = tf.random.normal([1, 56, 56, small_graph.FEATURES], seed=0)
    people = composer.people(features, roots)
    neck = composer.camera.projected(people)[:, :, SKELETON.index("neck")]
    np.testing.assert_allclose(neck, roots, atol=0.01)


def test_features_that_the_graph_does_not_have_are_named(graph, tmp_path):
    config = configs.load(None, [*small_multi_person.SMALL, f"teacher.weights={graph}"])
    with pytest.raises(errors.InputError, match="features: got 8, expected 6, as"):
        networks.Networks(config, tmp_path).new_teacher()
    with pytest.raises(errors.InputError, match="features: got 8, expected 6, as"):
        sources.check(config, configs.READS["teacher"])  # before the work


def test_a_folder_of_pictures_is_enough(graph, tmp_path):
    """Nobody in them is labelled: a published teacher needs no source of its own."""
    for n in range(3):
        image = (255 * _images(1, 60)[0]).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{n}.png"), image)
    told = ["student.labels=none", "data.kind=folders"]
    told += [f"data.source={tmp_path}", f"data.target={tmp_path}"]
    own = configs.load(None, [*small_multi_person.SMALL, *told])
    with pytest.raises(errors.InputError, match="has no manifest"):
        sources.check(own, "pictures")
    weights = f"teacher.weights={graph}"
    folder = configs.load(None, [*small_multi_person.SMALL, *told, weights])
    assert list(sources.check(folder, "pictures")) == [str(tmp_path)]
    assert job.target_information(folder) == "R"


def test_a_file_that_is_not_there_is_known_before_the_work(tmp_path):
    told = f"teacher.weights={tmp_path}/none.pb"
    config = configs.load(None, [*small_multi_person.SMALL, told])
    assert not sources.check(config, "poses", "pictures")
    with pytest.raises(errors.InputError, match=r"none\.pb: cannot be read"):
        sources.check(config, "poses", "pictures", configs.READS["teacher"])


def test_photographs_of_people(shared_data):
    """The public graph finds most people that are large in four photographs."""
    path = shared_data / "assets" / "pose_models" / "tfpose_mobilenet_v2_small.pb"
    if not path.is_file():
        pytest.skip(f"{path} is not at hand")
    trunk, reader = frozen.read(path, 448)
    folder = shared_data / "person_clips" / "coco"
    known = json.loads((folder / "test_coco.json").read_text())
    names = {x["id"]: x["file_name"] for x in known["images"]}
    off = []
    for number, name in names.items():
        image = cv2.imread(str(folder / name))[..., ::-1]
        height, width = image.shape[:2]
        middle, side = np.array([width - 1, height - 1]) / 2, max(height, width)
        square = crop.extract(np.ascontiguousarray(image), middle, float(side), 448)
        heat = reader(trunk(sources.pixels(square[None]))).numpy()[0]
        seen = sources.in_pixels(grouping.people(heat, maps.COCO), 448, maps.COCO)
        assert predictions.drawn(square, seen).any()
        for person in known["annotations"]:
            truth = np.reshape(person.get("keypoints", [0] * 51), (17, 3))
            if person["image_id"] != number or (truth[:, 2] > 0).sum() < 8:
                continue
            points = (truth[:, :2] - middle) * (448 / side) + 223.5
            size = np.ptp(points[truth[:, 2] > 0], axis=0).max()
            if size < 120:
                continue
            shown = [
                np.linalg.norm(seen[:, SKELETON.index(x)] - points[n], axis=-1) / size
                for n, x in enumerate(COCO)
                if truth[n, 2] > 0 and x in maps.COCO.joints
            ]
            gaps = np.array(shown)  # [joints, people seen]
            best = np.where(np.isfinite(gaps), gaps, 1.0).mean(axis=0)
            off.append(gaps[:, best.argmin()] if gaps.shape[1] else [1.0])
    off = np.concatenate(off)
    share = np.mean(np.nan_to_num(off, nan=1.0) < 0.1)
    print(
        f"{len(off)} joints of large people, {share:.0%} within a tenth of their size"
    )
    assert len(off) > 30 and share > 0.5
