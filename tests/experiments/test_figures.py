"""The papers' figures, with small untrained networks and hand-made priors."""

import json
import types

import miniature
import numpy as np
import pytest
import tensorflow as tf
import tool_runner

from sa3dhp.data.preparing import job, local, units
from sa3dhp.errors import InputError
from sa3dhp.evaluation import poses
from sa3dhp.experiments import figures, real
from sa3dhp.systems.relation_distillation import networks as networks_
from sa3dhp.training import store


@pytest.fixture(scope="module")
def networks(three_blocks, configure, checkpoints):
    return networks_.Networks(configure(), store.Store(checkpoints))


def _shape(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return [int.from_bytes(data[start : start + 4], "big") for start in (16, 20)]


@pytest.mark.parametrize(
    "name", ["pose_space", "motion_space", "motion_rules", "relation_pairs"]
)
def test_a_figure_is_written_with_its_numbers(name, configure, networks, tmp_path):
    numbers = figures.write(name, configure(), networks, tmp_path / "new")
    told = json.loads((tmp_path / "new" / f"{name}.json").read_text())
    assert {**told, **numbers} == told and "commit" in told
    assert min(_shape(tmp_path / "new" / f"{name}.png")) > 300


def test_what_lies_between_four_corners():
    corners = np.array([[0.0, 0], [6, 0], [0, 12], [6, 12]])
    grid = figures._between(corners).reshape(7, 7, 2)
    np.testing.assert_allclose(grid[0, :, 0], range(7), atol=1e-6)
    np.testing.assert_allclose(grid[:, 3, 1], 2 * np.arange(7), atol=1e-6)
    np.testing.assert_allclose(grid[6, 6], [6, 12], atol=1e-6)


def test_speed_is_that_of_the_joints():
    clip = np.zeros((1, 5, 17, 3))
    clip[0, :, :, 0] = 10 * np.arange(5)[:, None]  # 10 mm in 1/30 s
    np.testing.assert_allclose(figures._speed(clip), 300.0)


def test_errors_are_of_the_joints_that_are_known():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(3, 17, 3)) * 300
    joints = truth + rng.normal(size=truth.shape) * 10
    whole = poses.Poses(truth, "sa3dhp17")
    mask = np.ones((3, 17), bool)
    mask[1, 4] = False
    masked = poses.Poses(np.where(mask[..., None], truth, 0.0), "sa3dhp17", mask=mask)
    found = figures._pa_errors(joints, masked, np.arange(3))
    every = figures._pa_errors(joints, whole, np.arange(3))
    assert found[[0, 2]] == pytest.approx(every[[0, 2]]) and found[1] < 25


def test_distances_are_those_of_the_rules(configure):
    """Where z is the height of the right wrist, its mirror image is the left one's."""
    skeleton = networks_.SKELETON
    right, left = skeleton.index("right_wrist"), skeleton.index("left_wrist")

    class Prior:
        @property
        def pose(self):
            return types.SimpleNamespace(skeleton=skeleton)

        @staticmethod
        def encode(joints):
            return tf.cast(joints[:, right, 1:2], tf.float32)

    known = types.SimpleNamespace(prior_of=lambda rule: Prior())
    got = figures._distances(configure(), known, ("z1",))["z1"]
    clips = figures._unseen(configure(), 1)[:, 0]
    expected = np.abs(clips[:, right, 1] - clips[:, left, 1]).mean()
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A set in 3D and one in 2D."""
    root = tmp_path_factory.mktemp("prepared")
    for name in ("real_multiview", "lsp_2d"):
        raw = tmp_path_factory.mktemp(name)
        getattr(miniature, name)(raw)
        job.run(name, raw, root / name, units.Settings(48, 32), local.run)
    return root


def test_people_of_each_folder(configure, networks, prepared, tmp_path):
    in_2d, in_3d = real.measured(prepared)
    got = figures.write("people", configure(), networks, tmp_path, in_3d)
    assert got["pa_mpjpe_mm"] == sorted(got["pa_mpjpe_mm"])
    assert 0 < got["pa_mpjpe_mm"][0] < 1000
    got = figures.write("people", configure(), networks, tmp_path, in_2d)
    assert got == {"folder": "lsp_2d"}


def test_bad_input(configure, networks, prepared, tmp_path):
    with pytest.raises(InputError, match="got pictures of 32 px, expected 64"):
        larger = configure(["data.image_size=64", "data.stored_size=96"])
        figures.write("people", larger, networks, tmp_path, prepared / "lsp_2d")
    with pytest.raises(InputError, match="expected prepared folders with a split test"):
        real.measured(tmp_path)
    assert not any(tmp_path.iterdir())


def test_the_tool_makes_a_figure_and_refuses_two_things_at_once(tmp_path):
    figure = ("--figure=relation_pairs", "--config=configs/smoke.yaml")
    done = tool_runner.run("reproduce", *figure, "--workdir=out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert (tmp_path / "out" / "relation_pairs.png").is_file()
    done = tool_runner.run("reproduce", *figure, "--table=theta", cwd=tmp_path)
    assert done.returncode and "give one of them" in done.stderr
