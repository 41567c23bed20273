"""The notebook runs from top to bottom, and shows what it says."""

import base64
import pathlib

import cv2
import nbclient
import nbformat
import numpy as np
import pytest
import small_resnet

TOUR = pathlib.Path(__file__).resolve().parent.parent / "tools" / "tour.ipynb"
# The kernel is another process: small networks are put in place there.
SMALL = f"""
import sys
sys.path.insert(0, {str(pathlib.Path(small_resnet.__file__).parent)!r})
import small_resnet
from sa3dhp.models import backbone
backbone.resnet50 = small_resnet.make
"""
SMALLER = {"CLIPS = 12": "CLIPS = 3", "STEPS = 10": "STEPS = 1"}


@pytest.fixture(scope="module")
def tour(untrained):
    """The notebook after it ran, with few clips and small networks."""
    notebook = nbformat.read(TOUR, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs"), "committed without outputs"
    changed = {**SMALLER, '"procedural"': repr(str(untrained))}
    first = notebook.cells[1]
    for old, new in changed.items():
        assert old in first.source
        first.source = first.source.replace(old, new)
    first.source += SMALL
    return nbclient.NotebookClient(notebook, timeout=600).execute()


def _printed(tour):
    outputs = [x for cell in tour.cells for x in cell.get("outputs", [])]
    assert not [x for x in outputs if x.get("name") == "stderr"]
    return "".join(x["text"] for x in outputs if x.output_type == "stream")


def test_every_cell_runs_and_nothing_goes_to_stderr(tour):
    printed = _printed(tour)
    for words in ("crop rule", "saved_model", "before {'mpjpe'", "after {'mpjpe'"):
        assert words in printed, words
    assert "(60, 17, 3) mm; people: [0]" in printed


def test_the_exported_model_says_what_the_adapted_one_said(tour):
    (last,) = tour.cells[-1].outputs
    assert float(last.data["text/plain"]) < 0.1


def test_both_pictures_hold_people_and_skeletons(tour):
    found = [
        x.data["image/png"]
        for cell in tour.cells
        for x in cell.get("outputs", [])
        if "image/png" in x.get("data", {})
    ]
    assert len(found) == 2
    for text in found:
        png = np.frombuffer(base64.b64decode(text), np.uint8)
        assert cv2.imdecode(png, cv2.IMREAD_COLOR).std() > 20
