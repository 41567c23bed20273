"""Labels of the target: only of clips that may be trained on."""

import itertools
import pathlib

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.geometry import pictures
from sa3dhp.systems.relation_distillation import config, sources

ROOT = pathlib.Path(__file__).resolve().parents[3]
SMOKE = ROOT / "configs" / "smoke.yaml"


def _config(*overrides):
    return config.load(SMOKE, ("data.labelled=0.5", "source.batch_size=8", *overrides))


@pytest.fixture(scope="module")
def shown():
    """What the network sees of all four clips of the target."""
    clips = sources.target_clips(_config())
    return pictures.center_crop(clips, 32)


@pytest.mark.parametrize(
    ("rows", "expected"), [([0, 1, 2, 3], {0, 1}), ([3, 1, 2], {1, 2}), ([3], {3})]
)
def test_labels_are_of_the_first_clips_among_the_rows(rows, expected, shown):
    """The monitors' clips, which are no rows, are never among them."""
    batches = sources.labelled_target_batches(_config(), np.array(rows))
    seen = set()
    for images, joints in itertools.islice(batches(0), 4):
        assert images.shape == (8, 32, 32, 3) and joints.shape == (8, 17, 3)
        assert images.dtype == np.float32 and np.isfinite(joints).all()
        for image in np.round(255 * images).astype(np.uint8):
            same = (shown == image).all((2, 3, 4))  # [4, 60]
            assert same.any()
            seen |= set(np.flatnonzero(same.any(1)).tolist())
    assert seen == expected


def test_labelled_batches_are_a_function_of_the_step():
    batches = sources.labelled_target_batches(_config(), np.arange(2))
    third = list(itertools.islice(batches(0), 3))[2]
    for a, b in zip(third, next(batches(2))):
        np.testing.assert_array_equal(a, b)


def test_labels_fit_their_pictures():
    """The same frame has the same joints, whenever it is drawn."""
    batches = sources.labelled_target_batches(_config(), np.array([2]))
    known = {}
    for images, joints in itertools.islice(batches(0), 16):
        for image, pose in zip(images, joints):
            earlier = known.setdefault(image.tobytes(), pose)
            np.testing.assert_array_equal(pose, earlier)
    assert len(known) > 30


def test_no_labels_are_an_input_error():
    with pytest.raises(errors.InputError, match=r"data\.labelled: got 0\.0, expected"):
        sources.labelled_target_batches(_config("data.labelled=0.0"), np.arange(4))
