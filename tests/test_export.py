"""tools/export.py on the shipped networks, and what users get wrong."""

import json

import pytest
import tool_runner

from sa3dhp.export import tflite

SHIPPED = "--checkpoints=checkpoints/procedural"


def test_shipped_networks_become_a_saved_model_and_a_tflite_file(tmp_path):
    done = tool_runner.run(
        "export",
        SHIPPED,
        "--output=model",
        "--tflite=float16",
        cwd=tmp_path,
        fresh=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    about = json.loads((tmp_path / "model/assets.extra/sa3dhp.json").read_text())
    assert set(about["other_inputs"]) == {"frames", "clips"}
    path = tmp_path / "model-float16.tflite"
    assert f"written: {path.name}: " in done.stdout
    assert tflite.describe(path)["image_encoder_hash"] == about["image_encoder_hash"]
    assert {x.name for x in tmp_path.iterdir()} == {"model", path.name}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([SHIPPED], ["--output is missing"]),
        (["--output=out"], ["nothing to export"]),
        ([SHIPPED, "--output=out", "--tflite=int4"], ["got int4, expected some of"]),
        ([SHIPPED, "--output=out", "--tflite=int8"], ["give --calibrate=VIDEOS"]),
        (
            [SHIPPED, "--output=out", "--tflite=int8", "--calibrate=typo.mp4"],
            ["typo.mp4: no such file"],
        ),
        (["--checkpoints=typo", "--output=out"], ["typo: no such folder"]),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_trace(tmp_path, flags, words):
    done = tool_runner.run("export", *flags, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr
    assert not list(tmp_path.iterdir())
