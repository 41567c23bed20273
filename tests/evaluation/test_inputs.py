"""The ways to name what is to be scored: exactly one, each complete."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.evaluation import inputs, poses, prediction

IMAGES = np.zeros((2, 8, 8, 3), np.uint8)
TRUTH = poses.Poses(np.zeros((2, 17, 3)), "sa3dhp17")


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A folder that passes for a finished adaptation, without TensorFlow."""
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "saved_model.pb").touch()
    monkeypatch.setattr(
        prediction,
        "predict",
        lambda folder, images, mirrored: (folder.name, len(images), mirrored),
    )
    np.savez(tmp_path / "data.npz", images=IMAGES[:1], joints=TRUTH.joints[:1])
    return tmp_path


def test_a_workdir_is_scored_on_what_it_did_not_see(model):
    seen = []
    got = inputs.load(
        workdir=str(model), unseen=lambda folder: seen.append(folder) or (IMAGES, TRUTH)
    )
    assert got == (("saved_model", 2, False), TRUTH, "R") and seen == [model]


def test_a_data_set_goes_before_the_unseen_clips(model):
    data = str(model / "data.npz")
    pred, truth, information = inputs.load(
        workdir=str(model), dataset=data, unseen=pytest.fail
    )
    assert pred == ("saved_model", 1, False)
    assert len(truth.joints) == 1 and information == "R"
    folder = str(model / "saved_model")
    how = {"dataset": data, "unseen": pytest.fail, "mirrored": True}
    got = inputs.load(model=folder, **how)
    assert got[0] == ("saved_model", 1, True) and got[2] is None
    assert inputs.load(workdir=str(model), **how)[0] == got[0]


@pytest.mark.parametrize(
    "names, message",
    [
        ({}, "nothing to evaluate"),
        ({"model": "m", "workdir": "w"}, "--model and --workdir"),
        ({"predictions": "p.npz"}, "--reference is missing"),
        ({"model": "m"}, "--dataset is missing"),
        ({"predictions": "p", "reference": "r", "mirrored": True}, "--mirrored: got"),
        ({"workdir": "/nowhere"}, "no SavedModel"),
    ],
)
def test_incomplete_or_double_ways_are_refused(names, message):
    with pytest.raises(errors.InputError, match=message):
        inputs.load(**names, unseen=pytest.fail)
