"""The file of a prediction."""

import numpy as np
import pytest
import small_video

import sa3dhp
from sa3dhp import errors
from sa3dhp.evaluation import poses
from sa3dhp.prediction import prediction


@pytest.fixture
def made():
    rng = np.random.default_rng(0)
    return prediction.Prediction(
        joints=rng.normal(size=(5, 17, 3)).astype(np.float32),
        frame=np.array([0, 0, 1, 2, 2]),
        time=np.array([0, 0, 1, 2, 2]) / 25,
        person=np.array([0, 1, 0, 0, 1]),
        box=rng.uniform(0, 99, (5, 4)).astype(np.float32),
        confidence=np.ones(5, np.float32),
        skeleton="sa3dhp17",
        fps=25.0,
        size=(160, 120),
        source="walk.mp4",
        model="procedural",
        model_hash="abc",
    )


def test_the_file_holds_what_is_documented_without_pickles(made, tmp_path) -> None:
    made.save(tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz", allow_pickle=False) as file:
        arrays = dict(file)
    documented = prediction.__doc__ or ""
    assert set(arrays) == {
        *("joints", "names", "parents", "skeleton", "frame", "time", "person", "box"),
        *("confidence", "fps", "source", "size", "model", "model_hash", "version"),
        *("smoothing", "bridged"),
    }
    for name in arrays:
        assert f"`{name}`" in documented, name
    assert arrays["names"][0] == "pelvis" and len(arrays["names"]) == 17
    assert tuple(arrays["parents"]) == small_video.SKELETON.parents
    assert arrays["joints"].dtype == np.float32
    assert str(arrays["version"]) == sa3dhp.__version__


def test_it_comes_back_as_it_was(made, tmp_path) -> None:
    made.save(tmp_path / "p.npz")
    again = prediction.load(tmp_path / "p.npz")
    for name in ("joints", "frame", "time", "person", "box", "confidence"):
        np.testing.assert_array_equal(getattr(again, name), getattr(made, name))
    assert (again.fps, again.size, again.source) == (25.0, (160, 120), "walk.mp4")
    assert again.num_people == 2 and again.rows(1).tolist() == [1, 4]


def test_the_evaluation_reads_it(made, tmp_path) -> None:
    made.save(tmp_path / "p.npz")
    read = poses.read(tmp_path / "p.npz", "predictions")
    np.testing.assert_array_equal(read.joints, made.joints)
    np.testing.assert_array_equal(read.labels["frame_number"], made.frame)


def test_other_files_are_refused(tmp_path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", joints=np.zeros((1, 17, 3)))
    for name in ("none.npz", "text.npz", "other.npz"):
        with pytest.raises(errors.InputError, match=r"prediction .*; give the poses"):
            prediction.load(tmp_path / name)
