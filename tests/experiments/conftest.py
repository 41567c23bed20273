"""A configuration of small networks, and the folder that it loads them from."""

import pathlib

import pytest
import small_resnet
from small_nrsfm import eagerly, motions, small_backbone  # noqa: F401

from sa3dhp.synthetic import world
from sa3dhp.systems.relation_distillation import config, networks
from sa3dhp.training import store

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = (
    "relations.rules=[z3]",
    "relations.steps=2",
    "relations.pairs=8",
    "relations.pose_widths=[8, 32]",
    "relations.motion_widths=[8, 128]",
    "adaptation.terms=[z3]",
    "adaptation.steps=2",
    "adaptation.evaluate_every=1",
    "adaptation.pose_frames=5",
    "data.evaluation_clips=2",
    "data.target_clips=3",
    "training.precision=float32",
)


@pytest.fixture(scope="module")
def three_blocks():
    """Image encoders are made of the small ResNet, in the file that asks for it."""
    with small_resnet.used():
        yield


@pytest.fixture(scope="session")
def configure():
    """From overrides to a configuration of a few steps of everything."""

    def make(overrides=()):
        return config.load(ROOT / "configs" / "smoke.yaml", (*SMALL, *overrides))

    return make


@pytest.fixture(scope="session")
def checkpoints(configure, tmp_path_factory):
    """Networks as they are made, but for the relations', with the small ResNet."""
    folder = tmp_path_factory.mktemp("checkpoints")
    known = store.Store(folder)
    made = networks.Networks(configure(), known)
    names = (*networks.POSE, *networks.MOTION)
    known.save({name: made.new(name) for name in names})
    known.save_bones(networks.SKELETON, world.mean_bone_lengths())
    with small_resnet.used():
        known.save({"image_encoder": made.new("image_encoder")}, image_size=32)
    return folder
