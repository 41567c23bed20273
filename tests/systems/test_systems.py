"""The list of systems: complete, and each offers what the tools ask for."""

import pathlib
import subprocess
import sys

import pytest

from sa3dhp import errors, systems

FOLDER = pathlib.Path(systems.__file__).parent


def test_every_folder_is_named_once():
    folders = {path.parent.name for path in FOLDER.glob("*/__init__.py")}
    assert sorted(systems.NAMES) == sorted(folders)


@pytest.mark.parametrize("name", systems.NAMES)
def test_a_configuration_is_read_without_tensorflow(name, repo_root):
    code = (
        "import sys; from sa3dhp import systems; "
        f"c = systems.part({name!r}, 'config'); c.load(); "
        "assert len(c.STAGES) and set(c.READS) == set(c.STAGES); "
        "assert set(c.EXPORTS) <= set(c.STAGES); "
        "assert c.MEASURED and c.NEXT.format(config=1, folder=2, workdir=3); "
        "from sa3dhp import files; c.load(files.shipped(c.SHIPPED)); "
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(repo_root)}, cwd=repo_root
    )
    assert done.returncode == 0


@pytest.mark.parametrize("name", systems.NAMES)
def test_every_stage_is_one_that_the_system_trains(name, tmp_path):
    config = systems.part(name, "config")
    trainer = systems.part(name, "stages").make(config.load(), tmp_path)
    assert callable(systems.part(name, "sources").check)
    assert trainer.names == tuple(config.STAGES)


@pytest.mark.parametrize("name", systems.NAMES[1:])
def test_a_network_that_is_missing_names_the_stage_that_makes_it(name, tmp_path):
    config, networks = (systems.part(name, x) for x in ("config", "networks"))
    made = networks.Networks(config.load(), tmp_path)
    for stage, network in config.STAGES.items():
        with pytest.raises(
            errors.InputError, match=f"--system={name} --stage={stage} "
        ):
            made.store.meta(network)


@pytest.mark.parametrize("name", systems.NAMES[1:])
def test_a_folder_without_a_run_says_what_makes_one(name, tmp_path):
    message = f"config.yaml is missing.*--system={name}$"
    with pytest.raises(errors.InputError, match=message):
        systems.part(name, "config").of_run(tmp_path)
