"""The one list of data sets: what it names is whole, cheap to name, and used by all."""

import dataclasses
import pathlib
import pkgutil
import re
import subprocess
import sys

import pytest

from sa3dhp.data import datasets, shards
from sa3dhp.data.checks import splits
from sa3dhp.data.datasets import dataset
from sa3dhp.data.preparing import units

BESIDE = {"dataset", "mupots"}  # no data set, or none that is prepared


def test_every_module_is_in_the_list():
    found = {module.name for module in pkgutil.iter_modules(datasets.__path__)}
    assert found - BESIDE == set(datasets.DATASETS) == set(dict(datasets.DATASETS))
    assert len(datasets.DATASETS) == len(found - BESIDE)
    assert "dataset" not in datasets.DATASETS and "cmv" not in datasets.DATASETS


def test_names_cost_nothing():
    code = (
        "import sys; from sa3dhp.data import datasets; print(list(datasets.DATASETS));"
        "assert not {'tensorflow', 'cv2', 'scipy'} & set(sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == str(list(datasets.DATASETS))


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_a_data_set_says_all_there_is_to_know(name):
    known = datasets.DATASETS[name]
    assert isinstance(known, dataset.Dataset)
    assert len(known.licence) > 20
    fields = {field.name for field in dataclasses.fields(units.Settings)}
    assert set(known.settings) <= fields
    assert known.shared <= {"subjects", "sequences"}
    re.compile(known.ending)


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_a_missing_folder_of_its_name_is_told_the_command(name, tmp_path):
    with pytest.raises(ValueError, match=f"--dataset={name} "):
        shards.manifest(tmp_path / name)


def test_flags_of_one_data_set_say_so(repo_root):
    text = (repo_root / "tools/prepare_data.py").read_text(encoding="utf-8")
    told = re.findall(r'"(\w+)",\s+(?:"[^"]*"|\d+),\s+((?:"[^"]*"\s*)+)', text)
    flags = {(s, n) for s, words in told for n in re.findall(r"Of (\w+)[:,]", words)}
    owned = {(s, n) for n, known in datasets.DATASETS.items() for s in known.settings}
    assert flags == owned


@pytest.mark.parametrize(
    ("name", "sequence", "own"),
    [
        ("cmu", "01_01+300", "01_01"),
        ("surreal", "ung_104_46_c0003", "ung_104_46"),
        ("mpi_inf_3dhp", "S1_Seq1_Cam4", "S1_Seq1"),
        ("threedpw", "downtown_walking_00_1", "downtown_walking_00"),
        ("human36m", "S1_Photo.54138969", "S1_Photo.54138969"),
        ("no_data_set", "a_c0001", "a_c0001"),
    ],
)
def test_sequences_are_counted_by_their_authors_names(name, sequence, own):
    assert splits.sequence_of(name, sequence) == own


def test_no_other_place_restates_the_list():
    """Names of three data sets in a row are a list of them."""
    root = pathlib.Path(datasets.__file__).resolve().parents[2]
    names = "|".join(datasets.DATASETS)
    row = re.compile(rf'"({names})",?\s+"({names})",?\s+"({names})"')
    holders = [p.name for p in root.rglob("*.py") if row.search(p.read_text("utf-8"))]
    assert holders == ["__init__.py"]
