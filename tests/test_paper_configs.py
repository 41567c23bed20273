"""The paper's settings, as their files say, on miniatures in the genuine formats."""

import json
import pathlib
import re
import shlex
import shutil

import miniature
import numpy as np
import pytest
import small_resnet
import tool_runner

from sa3dhp import errors
from sa3dhp.data import datasets
from sa3dhp.data.datasets import cmu
from sa3dhp.data.preparing import job, local, units
from sa3dhp.systems.relation_distillation import config as configs

ROOT = pathlib.Path(__file__).resolve().parent.parent
SETTINGS = ("s2h", "s2h_semi", "h2m", "s2w", "sh2w")
NETWORKS = """
image_encoder.weights=none image_encoder.head_stride=1 image_encoder.head_units=16
image_encoder.head_channels=[16,16,8] relations.pose_widths=[8,32]
relations.motion_widths=[8,128]
"""
STEPS = """
pose_autoencoder.steps=4 pose_autoencoder.batch_size=8 motion_autoencoder.steps=2
motion_autoencoder.batch_size=2 source.steps=3 source.batch_size=4 relations.pairs=16
relations.steps=3 relations.batch_size=8 adaptation.steps=5
adaptation.clips_per_batch=2 adaptation.evaluate_every=5 training.precision=float32
"""
DATA = "data.image_size=32 data.stored_size=48 data.held_out_subjects=['03']"
SMALL = (*DATA.split(), "data.views=1", *NETWORKS.split(), *STEPS.split())
MINIATURES = {
    "cmu": miniature.cmu,
    "surreal": miniature.surreal,
    "human36m": lambda path: miniature.human36m(path, subjects=("S1", "S5", "S9")),
    "mpi_inf_3dhp": miniature.mpi_inf_3dhp,
    "threedpw": miniature.threedpw,
    "videos": lambda path: miniature.videos(path, count=3),
}
# The card that a setting is measured by, and what it may know of its target.
MEASURED = {
    "s2h": ("h36m_p2", "R"),
    "s2h_semi": ("h36m_p2", "L"),
    "h2m": ("mpi_inf_3dhp", "R"),
    "s2w": ("mpi_inf_3dhp", "R"),
    "sh2w": ("mpi_inf_3dhp", "R"),
}


def _path(name):
    return ROOT / "configs" / f"{name}.yaml"


def _commands(name):
    """The command lines in the header of a configuration."""
    return re.findall(r"^#   (python tools/.*)$", _path(name).read_text(), re.MULTILINE)


def _folders(data):
    return {data.unpaired_path, *data.source_paths, data.target_path} | (
        {data.evaluation_path} - {""}
    )


@pytest.mark.parametrize("name", SETTINGS)
def test_header_prepares_every_folder_that_the_setting_reads(name):
    data, made = configs.load(_path(name)).data, {}
    for command in _commands(name):
        flags = dict(re.findall(r"--(\w+)=(\S+)", command))
        assert (ROOT / command.split()[1]).is_file()
        if "prepare_data" in command:
            assert flags["dataset"] in datasets.DATASETS
            made[flags["output"]] = flags["dataset"]
        elif "config" in flags:
            assert (ROOT / flags["config"]).is_file()
    assert _folders(data) <= set(made)
    assert all(made[folder] == pathlib.Path(folder).name for folder in made)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_measured_by_the_card_of_its_benchmark(name):
    assert configs.load(_path(name)).data.evaluation_card == MEASURED[name][0]


@pytest.mark.parametrize("name", SETTINGS)
def test_missing_data_name_the_command_of_the_header(name, tmp_path, monkeypatch):
    from sa3dhp.systems.relation_distillation import sources

    monkeypatch.chdir(tmp_path)
    loaded, commands = configs.load(_path(name)), " ".join(_commands(name))
    for use in ("unpaired", "source", "target", "evaluation"):
        with pytest.raises(errors.InputError) as caught:
            sources.check(loaded, use)
        command = str(caught.value).partition("make it: ")[2]
        assert command.replace("DIR", "").split("--input=")[0] in commands
        assert command.split()[-1] in commands


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """What S -> H needs, through the preparation and nothing else."""
    folder = tmp_path_factory.mktemp("paper")
    for name in ("cmu", "surreal", "human36m"):
        MINIATURES[name](folder / "raw" / name)
        job.run(
            name,
            folder / "raw" / name,
            folder / "data" / name,
            units.Settings(48, 32),
            lambda tasks, done: local.run(tasks, done, processes=1),
        )
    return folder


def test_prepared_motions_are_those_that_the_reader_gives(prepared):
    from sa3dhp.data import prepared as folders

    given = {s.name: s for s in cmu.unpaired_sequences(prepared / "raw" / "cmu")}
    found = folders.motions(str(prepared / "data" / "cmu"), 30.0)
    assert sorted(s.name for s in found) == sorted(given) and len(given) == 6
    for sequence in found:
        expected = given[sequence.name]
        np.testing.assert_allclose(sequence.joints, expected.joints, atol=0.01)
        assert (sequence.subject, sequence.fps) == (expected.subject, 30.0)


@pytest.fixture(scope="module")
def trained(prepared):
    """In that folder: bones of CMU, G from SURREAL; the prior stays untrained."""
    from sa3dhp.models import backbone
    from sa3dhp.systems.relation_distillation import networks as networks_
    from sa3dhp.systems.relation_distillation import sources, stages
    from sa3dhp.training import store

    few = ("relations.rules=[z3]", "adaptation.terms=[z3, source]")
    config = configs.load(_path("s2h_semi"), (*SMALL, *few))
    known = store.Store(prepared / "checkpoints")
    networks = networks_.Networks(config, known)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(prepared)
        patch.setattr(backbone, "resnet50", small_resnet.make)
        configs.begin(config, "run")
        prior = (*networks_.POSE, *networks_.MOTION, "relation_z3")
        known.save({name: networks.new(name) for name in prior})
        known.save_bones(networks_.SKELETON, sources.unpaired(config).bone_lengths)
        for row in stages.Stages(config, networks).train("source", "run"):
            assert np.isfinite(row[-1]), row
        yield config, networks


def test_semi_supervised_setting_runs_from_files_as_distributed(trained):
    """Adapted to Human3.6M."""
    from sa3dhp.evaluation import evaluator, inputs, protocol
    from sa3dhp.systems.relation_distillation import job as jobs
    from sa3dhp.systems.relation_distillation import outcome, sources

    config, networks = trained
    target = jobs.find_target(config)
    assert target.information == "L"
    work = jobs.Job(config, networks)
    result = outcome.write(work.adapt(target, "run", {"checkpoints": "checkpoints"}))
    assert result["checkpoints"] == "checkpoints"
    labelled, rest = sources.prepared_target(config)
    assert set(labelled.subjects) == {"S1"} and set(rest.subjects) == {"S5"}
    assert result["target_information"] == "L" and result["protocol"] == "h36m_p2"
    assert result["num_samples"] == 8, "frames 1 and 65 of four cameras"
    assert set(result["data"]) == {"data/surreal", "data/human36m"}
    assert np.isfinite(list(result["source_only"].values())).all()
    assert "Walking" in pathlib.Path("run/report.html").read_text()
    pred, truth, information = inputs.load(workdir="run", unseen=jobs.unseen)
    card = protocol.load(jobs.card_of("run"))
    again = evaluator.evaluate(pred, truth, card, information)
    assert information == "L"
    for metric, value in again["overall"].items():
        assert value == pytest.approx(result["adapted"][metric], rel=1e-3, abs=1e-2)


def test_a_table_of_the_paper_runs_on_what_a_setting_names(trained, monkeypatch):
    """Rows of `controls` on Human3.6M; labels of the clips that are no monitor's."""
    from sa3dhp.experiments import real, rows, runner

    few = ("relations.rules=[z3]", "adaptation.terms=[z3]", "adaptation.steps=1")

    def configure(more=()):
        sets = (*SMALL, *few, "adaptation.evaluate_every=1", *more)
        return configs.load(_path("s2h"), sets)

    context = real.PreparedSession(configure, "checkpoints", "reproduce")
    found = {row.id: row for row in context.table("controls").rows}
    assert {"paper", "no_copy"}.isdisjoint(found), "the base is the paper's scheme"
    assert "data.labelled=0.8" in found["bound"].overrides
    some = ("source", "full", "flip", "labels")
    table = rows.Table("controls", "Small", tuple(found[name] for name in some))
    monkeypatch.setattr(rows, "make", lambda name, base: table)
    summed = runner.run(context, "controls", [0], {"commit": "c", "command": "x"})
    assert [row["id"] for row in summed["rows"]] == list(some)
    assert [row["target_information"] for row in summed["rows"]] == [*"NRNL"]
    assert summed["protocol"] == "h36m_p2"
    for row in summed["rows"]:
        assert np.isfinite(row["adapted"]["mpjpe"]["median"])


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """A folder in which the commands of the headers run, word for word."""
    folder = tmp_path_factory.mktemp("tools")
    for name in ("tools", "configs"):
        (folder / name).symlink_to(ROOT / name)
    for name, write in MINIATURES.items():
        write(folder / name.upper())
    return folder


def _run(folder, command):
    """Runs a command of a header with the small sizes, once."""
    words = shlex.split(command)
    output = re.search(r"--output=(\S+)", command)
    if output and (folder / output[1]).exists():
        return ""
    if "prepare_data" in command:
        words += ["--image_size=32", "--stored_size=48", "--processes=1"]
        words += ["--boxes=VIDEOS/boxes.json"] * ("VIDEOS" in command)
    elif "evaluate" not in command:
        words += [f"--set={value}" for value in SMALL]
    tool = pathlib.Path(words[1]).stem
    done = tool_runner.run(tool, *words[2:], cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), f"{command}: {done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_commands_of_the_header_run_from_the_first_to_the_last(name, tools):
    """The settings share one prior; G is trained once for each mix of sources."""
    prior = tools / "workdir" / "s2h" / "checkpoints"
    mine = tools / "workdir" / name / "checkpoints"
    printed = []
    for command in _commands(name):
        if "pretrain" in command and (tools / "workdir" / "s2h").is_dir():
            if f"workdir/{name}" not in command or name == "s2h":
                continue  # S -> H trained it
            shutil.copytree(prior, mine)
            command = command.replace("--stage=all", "--stage=source")
        printed.append(_run(tools, command))
    card, information = MEASURED[name]
    result = json.loads((tools / f"workdir/{name}/adapted/result.json").read_text())
    assert (result["protocol"], result["target_information"]) == (card, information)
    for side in ("source_only", "adapted"):
        assert np.isfinite(list(result[side].values())).all()
    text = "\n".join(printed)
    assert card in text and ("3dpw_smpl" in text) == name.endswith("2w")


@pytest.mark.slow
def test_adaptation_uses_a_real_prior_in_place_of_the_procedural_one(tools):
    """`configs/cmu.yaml`: CMU's motions, pictures of the embedded world."""
    extra = ["data.target_clips=4", "data.evaluation_clips=2"]
    for command in _commands("cmu"):
        sets = [f"--set={value}" for value in extra] * ("prepare" not in command)
        _run(tools, " ".join([command, *sets]))
    result = json.loads((tools / "workdir/cmu/adapted/result.json").read_text())
    assert result["config"]["data"]["unpaired"] == "prepared"
    assert np.isfinite(result["adapted"]["mpjpe"])
    bones = json.loads((tools / "workdir/cmu/checkpoints/meta.json").read_text())
    assert len(bones["bone_lengths_mm"]) == 17
