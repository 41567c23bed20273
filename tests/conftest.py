"""What all tests share: real data where it is at hand, and a quiet TensorFlow."""

import gc
import os
import pathlib

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
if "PYTEST_XDIST_WORKER" in os.environ:  # each has a core: threads would only wait
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# Tracing makes millions of objects that live on: to look at all of them again and again
# took 4 % of the time.
gc.set_threshold(100_000, 50, 100)

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Whole runs, half a minute to five minutes a file: begun last, they would leave the
# other processes idle at the end.
LONG = (
    "test_adapt.py",
    "experiments/test_interventions.py",
    "test_api.py",
    "test_paper_configs.py",
    "export/test_packs.py",
    "experiments/test_runner.py",
    "training/steps/test_motion_autoencoder.py",
    "training/test_replicas.py",
    "systems/interventions/test_stages.py",
    "systems/multi_person/test_stages.py",
    "test_tour.py",
    "test_prepare_data.py",
    "experiments/test_nrsfm.py",
    "experiments/test_multi_person.py",
)


def pytest_collection_modifyitems(items: list) -> None:
    """The files of `LONG` come first, in its order; all others stay as they are."""
    order = {ROOT / "tests" / name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """The folder of real data (motion capture, formats, clips); skips where absent."""
    folder = pathlib.Path(os.environ.get("SA3DHP_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"real data not at hand: {folder}/data does not exist")
    return folder / "data"


@pytest.fixture(scope="session")
def repo_root() -> pathlib.Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder of small networks as they are made, the configuration beside it.

    Whoever loads them opens `small_resnet.used()`.
    """
    import small_resnet

    from sa3dhp.synthetic import world
    from sa3dhp.systems.relation_distillation import config as configs
    from sa3dhp.systems.relation_distillation import networks
    from sa3dhp.training import store

    small = (
        "relations.rules=[z3]",
        "relations.pose_widths=[8, 32]",
        "adaptation.terms=[z3]",
        "adaptation.steps=2",
        "adaptation.evaluate_every=2",
        "adaptation.select=last",
        "training.precision=float32",
    )
    folder = tmp_path_factory.mktemp("untrained")
    config = configs.load(ROOT / "configs" / "smoke.yaml", small)
    made = networks.Networks(config, store.Store(folder / "networks"))
    names = (*networks.POSE, *networks.MOTION, "image_encoder", "relation_z3")
    with small_resnet.used():
        made.store.save({name: made.new(name) for name in names})
    made.store.save_bones(networks.SKELETON, world.mean_bone_lengths())
    configs.dump(config, folder / "config.yaml")
    return folder / "networks"
