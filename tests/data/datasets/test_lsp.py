"""LSP and its extension: flags that say the opposite, told apart by their shape."""

import numpy as np
import pytest
import scipy.io

from sa3dhp import errors
from sa3dhp.data.datasets import lsp
from sa3dhp.skeleton import skeleton as skeletons


def test_the_genuine_extension_reads(shared_data):
    folder = shared_data / "formats/lsp_extended"
    (frames,) = lsp.read_folder(folder)
    assert len(frames) == 250 and frames.name == "lsp_extended_train"
    assert frames.images[0] == str(folder / "images/im00001.jpg")
    assert all((folder / "images" / name).exists() for name in frames.images[::50])
    assert 0.85 < frames.mask.mean() < 0.9
    # What is annotated lies in the image or near it; junk does not count.
    points = frames.keypoints[frames.mask]
    assert points.min() > -50 and points.max() < 1000


def test_sides_are_the_persons_own(shared_data):
    """Over upright people the sign of left minus right goes both ways, as they turn."""
    (frames,) = lsp.read_folder(shared_data / "formats/lsp_extended")
    left, right = skeletons.get("lsp14").indices("left_shoulder", "right_shoulder")
    both = frames.mask[:, left] & frames.mask[:, right]
    gap = (frames.keypoints[:, left] - frames.keypoints[:, right])[both, 0]
    assert 0.2 < np.mean(gap > 0) < 0.9


def test_lsp_has_no_missing_joints_and_two_parts(tmp_path):
    joints = np.random.default_rng(0).uniform(1, 150, (3, 14, 1004))
    joints[2] = np.arange(14)[:, None] % 2  # occluded, and good all the same
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": joints})
    train, test = lsp.read_folder(tmp_path)
    assert (train.split, len(train), test.split, len(test)) == (
        "train",
        1000,
        "test",
        4,
    )
    assert train.mask.all() and test.mask.all()
    assert test.images[0].endswith("im1001.jpg")
    assert list(test.frame_numbers) == [1001, 1002, 1003, 1004]
    # Row 0 of the file is x of the right ankle, counted from 1.
    np.testing.assert_allclose(
        test.keypoints[1, 0, 0], joints[0, 0, 1001] - 1, rtol=1e-6
    )


def test_another_form_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match=r"joints\.mat: no such file"):
        lsp.read_folder(tmp_path)
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": np.zeros((16, 3, 2))})
    with pytest.raises(errors.InputError, match=r"got \(16, 3, 2\)"):
        lsp.read_folder(tmp_path)
