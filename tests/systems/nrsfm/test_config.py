"""The configuration of the system and its files."""

import pathlib

import pytest

from sa3dhp import errors
from sa3dhp.systems.nrsfm import config

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "configs"
CONFIGS = sorted(FOLDER.glob("nrsfm*.yaml"))


def test_shipped_configurations_are_found():
    names = {path.stem for path in CONFIGS}
    others = {"nrsfm_h36m", "nrsfm_npz", "nrsfm_real", "nrsfm_world"}
    assert names == {"nrsfm", *others}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_shipped_configuration_loads_and_says_how_it_is_run(path):
    config.load(path)
    text = path.read_text()
    assert text.startswith("# ") and "python tools/pretrain.py --system=nrsfm" in text


def test_defaults_are_the_papers():
    c = config.load()
    assert c.teacher.atoms == (256, 128, 64, 32, 16, 8)
    assert (c.teacher.sparsity, c.student.l1_weight) == (0.01, 0.3)
    assert (c.data.image_size, c.student.batch_size) == (256, 32)
    assert (c.student.learning_rate, c.student.last_rate) == (1e-3, 1e-5)
    assert c.student.weights == "imagenet" and c.student.depth == "distilled"


def test_the_papers_file_changes_nothing_of_the_method():
    paper, plain = config.load(FOLDER / "nrsfm_h36m.yaml"), config.load()
    assert (paper.teacher, paper.student) == (plain.teacher, plain.student)


def test_a_file_for_points_has_ten_lines_of_its_own_at_most():
    lines = (FOLDER / "nrsfm_npz.yaml").read_text().splitlines()
    assert len([x for x in lines if not x.startswith("#")]) <= 10


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "teacher.atoms=[8, 16]",
            "teacher.atoms: got [8, 16], expected at least two s",
        ),
        ("teacher.atoms=[8]", "teacher.atoms: got [8], expected at least two"),
        ("teacher.atoms=[8, 0]", "teacher.atoms: got 0, expected above 0"),
        ("student.strides=[]", "student.strides: got [], expected a 1 or a 2"),
        ("student.strides=[3]", "student.strides: got [3], expected a 1 or a 2"),
        ("student.depth=guessed", "got 'guessed', expected 'distilled' or 'teacher'"),
        ("data.stored_size=100", "expected at least data.image_size = 256"),
        ("data.sorce=npz", "did you mean data.source?"),
    ],
)
def test_bad_values_are_one_line_with_their_remedy(override, message):
    with pytest.raises(errors.InputError) as caught:
        config.load(None, (override,))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_without_a_run_is_told(tmp_path):
    with pytest.raises(errors.InputError, match="give the --workdir of tools/pretrain"):
        config.of_run(tmp_path)
