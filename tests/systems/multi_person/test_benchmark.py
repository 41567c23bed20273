"""A model on MuPoTS-3D: its pictures, its camera, what is printed."""

import dataclasses

import miniature_mupots
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import calibration
from sa3dhp.data.datasets import mupots as dataset
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.multi_person import benchmark, mupots


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return miniature_mupots.mupots(tmp_path_factory.mktemp("mupots"))


class _Watcher:
    """Sees in a picture of a certain grey the people who are annotated there."""

    size, focal, skeleton = 32, 1.2, skeletons.SA3DHP17

    def __init__(self):
        self.description, self.missed = {"weights_hash": "abc"}, ()

    def see(self, images):
        assert images.shape[1:] == (32, 32, 3)
        shades = {miniature_mupots.shade(s, f): (s, f) for s, f in np.ndindex(2, 3)}
        greys = [min(shades, key=lambda x: abs(x - image.mean())) for image in images]
        return [self._people(*shades[grey]) for grey in greys]

    def _people(self, number, frame):
        matrix, size = list(miniature_mupots.CAMERAS.values())[number]
        joints = miniature_mupots.people(number)[frame][::-1]
        points = calibration.Camera("a", matrix, size).project(joints)
        middle, side = (np.array(size) - 1) / 2, max(size)
        shares = (points - middle) / side + 0.5
        # The same picture, of somebody at another distance.
        pelvis, true = joints[:, 14:15], np.sqrt(matrix[0, 0] * matrix[1, 1])
        away = pelvis * [[[0, 0, self.focal * side / true]]]
        seen = [
            conversion.convert(x, "mpi_inf_3dhp17", "sa3dhp17")[0].astype(np.float32)
            for x in (joints - pelvis + away, shares)
        ]
        kept = [n for n in range(2) if (number, frame, n) not in self.missed]
        return seen[0][kept], seen[1][kept], np.ones(len(kept))


def test_a_model_that_sees_everybody_has_full_marks(home, capsys):
    watcher = _Watcher()
    told = benchmark.evaluate(watcher, watcher.focal, home)
    assert told["overall"]["pck"] == told["overall"]["pck_abs"] == 100.0
    assert told["num_samples"] == 12 and set(told["per_sequence"]) == {"TS1", "TS6"}
    assert (told["model_hash"], told["focal"]) == ("abc", 1.2)
    np.testing.assert_allclose(
        told["cameras"]["TS6"], miniature_mupots.CAMERAS["TS6"][0], atol=0.1
    )
    assert "6/6" in capsys.readouterr().out
    assert told["notes"][0].startswith("a mean without TS2, TS3,")
    wrong = benchmark.evaluate(watcher, 1.5 * watcher.focal, home)
    assert wrong["overall"]["pck"] == 100.0 and wrong["overall"]["pck_abs"] == 0.0


def test_the_overall_is_the_mean_over_sequences(home):
    watcher = _Watcher()
    watcher.missed = ((0, 0, 0), (0, 1, 0), (0, 2, 0))
    told = benchmark.evaluate(watcher, watcher.focal, home)
    for name in ("pck", "recall"):
        assert told["per_sequence"]["TS1"][name] == 50.0
        assert told["overall"][name] == 75.0
    assert told["overall"]["matched_pck"] == 100.0
    assert {x["pck"] for x in told["per_joint"].values()} == {75.0}
    text = mupots.table(told).splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in text if line}
    assert rows["TS1"][:1] + rows["TS1"][3:] == ["50.0", "100.0", "50.0", "100.0", "6"]
    assert rows["mean"][0] == "75.0" and rows["mean"][-1] == "12"
    assert text[-1].startswith("3DPCK: head 75.0, neck 75.0, shoulders 75.0")
    assert "not the official one" in text[0]


def test_damaged_pictures_are_named(home, tmp_path):
    truth, watcher = dataset.read(home / "TS6"), _Watcher()
    matrix = dataset.camera_of(truth)
    (tmp_path / "a.jpg").write_bytes(b"x")
    broken = dataclasses.replace(truth, images=(tmp_path / "a.jpg",))
    with pytest.raises(errors.InputError, match=r"a\.jpg: cannot be decoded"):
        benchmark.people(watcher, 1.2, broken, matrix)
    other = home / "TS1" / "img_000000.jpg"
    mixed = dataclasses.replace(truth, images=(truth.images[0], other))
    with pytest.raises(errors.InputError, match=r"got 2048 x 2048 .* 1920 x 1080"):
        benchmark.people(watcher, 1.2, mixed, matrix)
