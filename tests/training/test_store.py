"""The folder of trained networks."""

import json

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.training import store

SKELETON = skeletons.SA3DHP17


def _net(seed):
    tf.keras.utils.set_random_seed(seed)
    return tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(2,))])


@pytest.fixture
def networks(tmp_path):
    made = store.Store(tmp_path / "new")
    made.save({"pose_encoder": _net(1)}, stage="pose_autoencoder", seed=4)
    made.save({"image_encoder": _net(2)}, trained_on=("pose_encoder",), image_size=64)
    return made


def test_loaded_network_is_the_saved_one_and_frozen(networks):
    net = _net(3)
    networks.load("image_encoder", net, image_size=64)
    np.testing.assert_allclose(net.get_weights()[0], _net(2).get_weights()[0], 1e-3)
    assert net.trainable_variables == []


def test_missing_network_names_the_file_and_the_command(networks):
    with pytest.raises(
        errors.InputError,
        match=r"motion_encoder.npz: no such checkpoint; run python tools/pretrain.py "
        r"--stage=motion_autoencoder --checkpoints=.*new$",
    ):
        networks.load("motion_encoder", _net(0))
    with pytest.raises(errors.InputError, match="--stage=relations"):
        networks.load("relation_z3", _net(0))
    with pytest.raises(errors.InputError, match=r"meta.json: no such.*pose_autoenc"):
        networks.bones(SKELETON)


def test_network_of_another_configuration_is_refused(networks):
    with pytest.raises(
        errors.InputError, match="image_size: trained with 64, expected 224"
    ):
        networks.load("image_encoder", _net(0), image_size=224)


def test_network_whose_predecessor_changed_is_refused(networks):
    networks.save({"pose_encoder": _net(9)})
    with pytest.raises(
        errors.InputError, match=r"trained on another pose_encoder.npz .*--stage=source"
    ):
        networks.load("image_encoder", _net(0))


def test_bone_lengths_come_back(networks):
    lengths = np.linspace(0, 500, 17)
    networks.save_bones(SKELETON, lengths)
    np.testing.assert_allclose(networks.bones(SKELETON), lengths, atol=1e-3)
    assert networks.bones(SKELETON).dtype == np.float32


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"skeleton": "smpl24"}, "got smpl24 with 17 bones"),
        ({"bone_lengths_mm": [1, 2]}, "got sa3dhp17 with 2 bones"),
        ({"bone_lengths_mm": "x"}, "damaged"),
    ],
)
def test_bad_bone_lengths_are_input_errors(networks, change, text):
    networks.save_bones(SKELETON, np.ones(17))
    path = networks.folder / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(errors.InputError, match=text):
        networks.bones(SKELETON)


def test_a_floor_is_kept_for_the_weights_it_was_read_of(networks):
    assert networks.floor("image_encoder") == {}
    networks.save_floor("image_encoder", {"z3": 0.123456, "spread": 0.25})
    assert networks.floor("image_encoder") == {"z3": 0.12346, "spread": 0.25}
    assert networks.floor("pose_encoder") == {}
    networks.save_floor("image_encoder", {"z3": 0.5}, ["pose_encoder"])
    assert networks.floor("image_encoder") == {"z3": 0.5}
    (networks.folder / "pose_encoder.npz").rename(networks.folder / "away")
    assert networks.floor("image_encoder") == {}  # nothing to compare it by
    (networks.folder / "away").rename(networks.folder / "pose_encoder.npz")
    assert networks.floor("image_encoder") == {"z3": 0.5}
    networks.save({"image_encoder": _net(8)}, trained_on=("pose_encoder",))
    assert networks.floor("image_encoder") == {}


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"network": "a"}', '{"readings": {"z3": NaN}, "hash": 1}']
)
def test_a_damaged_floor_is_told(networks, text):
    path = networks.folder / store.FLOOR
    path.write_text(text)
    with pytest.raises(errors.InputError, match=r"floor.json.*"):
        networks.floor("image_encoder")


def test_a_run_begins_with_what_another_folder_has_and_keeps_its_own(tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    for folder, names in ((there, ("a.npz", "b.npz", store.BONES)), (here, ("b.npz",))):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(folder.name)
    assert store.Store(here).start_from(there) == ["a.npz", store.BONES]
    told = {path.name: path.read_text() for path in here.iterdir()}
    assert told == {"a.npz": "there", "b.npz": "here", store.BONES: "there"}
    assert store.Store(here).start_from(there) == []
    with pytest.raises(errors.InputError, match="no networks in it; expected a folder"):
        store.Store(here).start_from(tmp_path)


def test_a_run_may_begin_with_what_one_stage_has_made(tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    stages = {"a": "first", "b": "first", "c": "second", "d": "third"}
    there.mkdir()
    for name in "abcx":
        (there / f"{name}.npz").write_text(name)
    started = store.Store(here, stages=stages)
    assert started.start_from(there, "first") == ["a.npz", "b.npz"]
    assert started.complete("first") and not started.complete("second")
    assert started.start_from(there, "second") == ["c.npz"]
    with pytest.raises(errors.InputError, match=r"d\.npz: no such checkpoint; exp"):
        started.start_from(there, "third")
