"""What all tests share: real data where it is at hand, and a quiet TensorFlow."""

import os
import pathlib

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

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
    "systems/interventions/test_stages.py",
    "systems/multi_person/test_stages.py",
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
