"""tools/verify_data.py on miniature data sets that prepare_data wrote."""

import pathlib

import cv2
import miniature
import numpy as np
import pytest
import tool_runner

from sa3dhp.data import records

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _run(tool, *arguments):
    return tool_runner.run(tool, *arguments, cwd=ROOT)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """3DHP, prepared: train clips of eight cameras, two test scenes."""
    source, output = (tmp_path_factory.mktemp(n) for n in ("source", "output"))
    miniature.mpi_inf_3dhp(source)
    got = _run(
        "prepare_data", "--dataset=mpi_inf_3dhp", f"--input={source}",
        f"--output={output}", "--stored_size=96", "--image_size=80", "--processes=1",
    )  # fmt: skip
    assert got.returncode == 0, got.stderr
    return output


def test_clean_data_passes_and_a_swap_of_sides_fails_by_name(prepared, tmp_path):
    swapped = tmp_path / "swapped"
    swapped.mkdir()
    manifest = records.read_manifest(prepared)
    for entry in manifest.splits.values():
        for shard in entry["shards"]:
            payloads = list(records.read_records(prepared / shard))
            records.write_shard(swapped / shard, map(_swap, payloads))
    records.write_manifest(swapped, manifest)
    got = _run("verify_data", prepared, swapped)
    clean, _, wrong = got.stdout.partition("swapped: mpi_inf_3dhp")
    assert got.returncode == 1 and not got.stderr
    assert "0 fail" in clean and "counts of test" in clean and "remedy:" in clean
    assert "SWAPPED LEFT AND RIGHT" in wrong and "0 fail" not in wrong
    for folder in (prepared, swapped):
        sheet = cv2.imread(str(folder / "contact_sheet.png"))
        assert sheet.shape[0] > 200 and len(np.unique(sheet)) > 50
    assert not [p for p in prepared.iterdir() if p.name.startswith(".")]


def _swap(payload):
    frame = records.decode_frame(payload)
    order = list(records.skeletons.get(frame.skeleton).flip_indices)
    object.__setattr__(frame, "joints", frame.joints[order])
    return records.encode_frame(frame)


def test_what_is_not_prepared_data_is_one_line(tmp_path):
    got = _run("verify_data", tmp_path)
    assert got.returncode == 2 and got.stderr.count("\n") == 1
    got = _run("verify_data")
    assert got.returncode == 2 and "nothing to verify" in got.stderr
    got = _run("verify_data", tmp_path, tmp_path, "--sheet=a.png")
    assert got.returncode == 2 and "--sheet" in got.stderr
