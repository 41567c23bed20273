"""What an installation carries, and how it is started from any folder."""

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

from sa3dhp import cli, errors, files

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = sorted(path.stem for path in (ROOT / "tools").glob("*.py"))
_IGNORED = shutil.ignore_patterns("__pycache__", "results", ".*", "*.egg-info")


def _python(code, path, cwd, *argv):
    """Runs code with the package of one folder, and nothing of ours in the way."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *argv],
        env={**env, "PYTHONPATH": str(path)},
        cwd=cwd,
        capture_output=True,
        text=True,
    )


def _start(command, path, cwd, *flags):
    """Starts a console command as its script does."""
    code = (
        "import sys; from sa3dhp import cli; "
        f"sys.argv = [{command!r}, *sys.argv[1:]]; cli.start()"
    )
    return _python(code, path, cwd, *flags)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, unpacked in a folder of its own; its weights are stand-ins."""
    copy = tmp_path_factory.mktemp("clone")
    for name in ("sa3dhp", "configs", "tools", "checkpoints"):
        shutil.copytree(ROOT / name, copy / name, ignore=_IGNORED)
    for name in ("setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for path in copy.rglob("*.npz"):
        path.write_bytes(b"weights")
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "bdist_wheel", "-d", "made"],
        cwd=copy,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (copy / "made").glob("*.whl")
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def _names(folder, pattern):
    return sorted(str(path.relative_to(folder)) for path in folder.glob(pattern))


def test_a_wheel_has_every_configuration_card_weight_and_tool_once(installed):
    packed = installed / "sa3dhp" / "shipped"
    patterns = ("configs/*.yaml", "configs/rules/*.yaml", "checkpoints/*/*")
    for pattern in (*patterns, "tools/*.py"):
        assert _names(packed, pattern) == _names(ROOT, pattern) != []
    cards = "sa3dhp/evaluation/cards/*.yaml"
    assert _names(installed, cards) == _names(ROOT, cards) != []
    weights = [path.parent for path in installed.rglob("*.npz")]
    assert {path.relative_to(packed) for path in weights} == {
        pathlib.Path("checkpoints", name)
        for name in ("multi_person", "people", "procedural")
    }
    top = {path.name.partition("-")[0] for path in installed.iterdir()}
    assert top == {"sa3dhp"}, "nothing of ours beside the package"


def test_a_wheel_has_every_module(installed):
    def modules(folder):
        found = {str(p.relative_to(folder)) for p in folder.rglob("*.py")}
        return {name for name in found if not name.startswith("shipped")}

    assert modules(installed / "sa3dhp") == modules(ROOT / "sa3dhp")


def test_an_installation_finds_what_it_carries_from_an_empty_folder(
    installed, tmp_path
):
    code = (
        "from sa3dhp import files; from sa3dhp.evaluation import protocol;"
        "from sa3dhp.systems.relation_distillation import config;"
        "print(files.shipped('checkpoints/procedural/meta.json'));"
        "protocol.load('h36m_p2'); config.load(files.find('configs/sh2w.yaml'))"
    )
    done = _python(code, installed, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(str(installed))


def test_every_tool_has_a_command(installed):
    (path,) = installed.glob("*.dist-info/entry_points.txt")
    lines = path.read_text().split()
    for name in TOOLS:
        assert f"sa3dhp-{name.replace('_', '-')}" in lines
    assert lines.count("sa3dhp.cli:start") == len(TOOLS)


@pytest.mark.parametrize("tool", TOOLS)
def test_help_speaks_of_the_tool_as_it_was_started(installed, tmp_path, tool):
    command = f"sa3dhp-{tool.replace('_', '-')}"
    ours = _start(f"/usr/bin/{command}", installed, tmp_path, "--help")
    assert (ours.returncode, ours.stderr) == (0, "")
    assert f"    {command}" in ours.stdout and "tools/" not in ours.stdout
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / f"{tool}.py", "--help"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert f"python tools/{tool}.py" in done.stdout
    assert str(ROOT) not in done.stdout, "defaults are those of any machine"
    flags = [line for line in done.stdout.splitlines() if line.startswith("  --")]
    assert flags == [x for x in ours.stdout.splitlines() if x.startswith("  --")]


@pytest.mark.parametrize("tool", TOOLS)
def test_help_needs_no_tensorflow(tool):
    code = (
        "import runpy, sys\n"
        "sys.argv = [sys.argv[1], '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'tensorflow', 'cv2', 'matplotlib', 'scipy'} & set(sys.modules)"
    )
    done = _python(code, ROOT, ROOT, str(ROOT / "tools" / f"{tool}.py"))
    assert (done.returncode, done.stderr) == (0, "")


def test_bad_input_of_a_command_is_one_line_that_names_the_command(installed, tmp_path):
    done = _start("sa3dhp-pretrain", installed, tmp_path, "--stage=sauce")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: flag --stage=sauce: value should be one of "
        "<all|pose_autoencoder|motion_autoencoder|source|relations>, or some, with a "
        "comma between two\n"
    )
    done = _start("sa3dhp-nothing", installed, tmp_path)
    assert done.returncode == 2 and "tools/nothing.py" not in done.stderr
    assert done.stderr.startswith("error: sa3dhp-nothing: does not come with this")


def test_text_is_left_alone_where_no_command_was_given(monkeypatch):
    text = "run python tools/prepare_data.py --x, see tools/adapt.py"
    monkeypatch.setattr(sys, "argv", ["tools/adapt.py"])
    assert cli.as_started(text) == text
    monkeypatch.setattr(sys, "argv", ["/bin/sa3dhp-adapt"])
    assert cli.as_started(text) == "run sa3dhp-prepare-data --x, see sa3dhp-adapt"


def test_the_repository_is_its_own_installation():
    assert files.shipped("configs/procedural.yaml") == ROOT / "configs/procedural.yaml"
    with pytest.raises(errors.InputError, match=r"^configs/none.yaml: does not come"):
        files.shipped("configs/none.yaml")


def test_ones_own_file_goes_before_the_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "configs/smoke.yaml"
    assert files.find(name) == ROOT / name
    assert files.find("configs/none.yaml") == pathlib.Path("configs/none.yaml")
    assert files.find(tmp_path / name) == tmp_path / name
    assert files.find("../configs") == pathlib.Path("../configs")
    (tmp_path / "configs").mkdir()
    (tmp_path / name).write_text("")
    assert files.find(name) == pathlib.Path(name)


def test_importing_the_package_imports_nothing_heavy(tmp_path):
    code = (
        "import sys, sa3dhp; assert sa3dhp.__version__; "
        "assert not {'tensorflow', 'numpy', 'yaml', 'absl'} & set(sys.modules)"
    )
    done = _python(code, ROOT, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_offers_what_its_api_has_and_imports_it_late(tmp_path):
    package = tmp_path / "sa3dhp"
    package.mkdir()
    shutil.copy(ROOT / "sa3dhp" / "__init__.py", package)
    code = (
        "import sys, sa3dhp; names = {'load', 'adapt', 'evaluate'}\n"
        "print(sorted(names & set(dir(sa3dhp))), 'sa3dhp.api' in sys.modules)\n"
        "print(getattr(sa3dhp, 'load', None), hasattr(sa3dhp, 'laod'))"
    )
    (package / "api.py").write_text("load, adapt, evaluate = 1, 2, 3\n")
    late = _python(code, tmp_path, tmp_path)
    assert late.stdout == "['adapt', 'evaluate', 'load'] False\n1 False\n"
    again = _python("from sa3dhp import evaluate; print(evaluate)", tmp_path, tmp_path)
    assert again.stdout == "3\n", again.stderr


def test_the_library_waits_for_no_drawing_and_no_filter(tmp_path):
    """What takes seconds to import is imported where it is used."""
    code = (
        "import sys; from sa3dhp import cli, api; from sa3dhp.prediction import job; "
        "print([m for m in ('matplotlib', 'scipy.signal', 'plotly') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_networks_go_by_folder_or_by_the_name_of_a_shipped_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = files.shipped("checkpoints/procedural")
    assert files.networks("procedural") == shipped
    assert files.networks("checkpoints/procedural") == shipped
    assert files.networks("none") == pathlib.Path("none")
    (tmp_path / "procedural").mkdir()  # one's own goes before
    assert files.networks("procedural") == pathlib.Path("procedural")
