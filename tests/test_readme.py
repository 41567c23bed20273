"""Every command of README is run by a test: here, or where this file says."""

import json
import pathlib
import re
import shlex

import miniature_real
import tool_runner

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
HERE = "test_readme.py::test_own_labels_become_what_a_model_is_measured_on"
TESTS = {
    "adapt.py": "test_adapt.py::test_the_result_has_the_documented_keys",
    "adapt.py --videos --workdir": "test_adapt.py::test_videos_run_to_the_end",
    "predict.py --input --output --model": (
        "test_predict.py::test_a_video_becomes_poses_and_a_drawn_video"
    ),
    "evaluate.py --predictions --reference --protocol --diagnose": (
        "evaluation/test_command_line.py::"
        "test_evaluate_prints_card_table_and_diagnosis_and_writes_json"
    ),
    "evaluate.py --workdir": (
        "test_adapt.py::test_the_exported_model_scores_what_the_result_says"
    ),
    "export.py --workdir --output": (
        "export/test_command_line.py::"
        "test_an_adaptation_is_exported_quietly_and_says_what_next"
    ),
    "prepare_data.py --dataset --input --output": HERE,
    "verify_data.py": HERE,
    "pretrain.py --stage --config --start --set --set --workdir": HERE,
    "evaluate.py --model --dataset": HERE,
    "reproduce.py --table --real": (
        "experiments/test_real.py::"
        "test_all_rows_are_measured_by_the_places_card_in_blocks"
    ),
    "reproduce.py --table": (
        "experiments/test_runner.py::"
        "test_every_row_leaves_a_record_of_both_models_on_the_same_sequences"
    ),
    "rules.py --rule": "systems/relation_distillation/test_composed_rules.py::",
}


def _commands():
    """The tools that README runs, each with the names of its flags."""
    found = set()
    for text in re.findall(r"python tools/([^`#\n]*)", README):
        tool, *words = shlex.split(text.replace("'", ""))
        flags = [word.split("=")[0] for word in words if word.startswith("--")]
        found.add(" ".join([tool, *flags]))
    return found


def test_every_command_is_run_somewhere():
    assert _commands() == set(TESTS)
    for place in TESTS.values():
        path, _, name = place.partition("::")
        assert f"def {name}" in (ROOT / "tests" / path).read_text("utf-8")


def test_own_labels_become_what_a_model_is_measured_on(untrained, tmp_path):
    """As a new user would: prepare, verify, train on, export, evaluate."""
    miniature_real.own(tmp_path / "raw")

    def run(tool, *flags):
        done = tool_runner.run(tool, *flags, cwd=tmp_path, small=True)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    sizes = ("--image_size=32", "--stored_size=48")
    flags = ("--dataset=own", "--input=raw", "--output=data/mine")
    run("prepare_data", *flags, *sizes)
    run("verify_data", "data/mine")
    flags = ("--stage=source", f"--start={untrained}", "--workdir=workdir/mine")
    values = ("image_encoder.weights=trained", "data.source_paths=[data/mine]")
    values += ("data.source=prepared", "source.steps=2", "source.batch_size=2")
    sets = (f"--set={value}" for value in values)
    run("pretrain", *flags, f"--config={untrained.parent / 'config.yaml'}", *sets)
    run("export", "--checkpoints=workdir/mine/checkpoints", "--output=model")
    flags = ("--model=model", "--dataset=data/mine", "--output=mine.json")
    assert "MPJPE" in run("evaluate", *flags)
    assert json.loads((tmp_path / "mine.json").read_text())["num_samples"] == 3
