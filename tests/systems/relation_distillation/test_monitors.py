"""What monitors read without a label, and that they change nothing."""

import dataclasses

import numpy as np
import pytest
import small_adaptation as small
import tensorflow as tf

from sa3dhp.systems.relation_distillation import energies, monitors, rules, selection
from sa3dhp.systems.relation_distillation import views as view_tools

RULES, VIDEOS = small.RULES, small.VIDEOS


@pytest.fixture
def make(bench, pose_prior):
    def build(names=tuple(RULES), seed=0, **options):
        networks = {name: bench.relations[name] for name in names}
        contrast = bench.contrast("cr", **options)
        return monitors.Monitors(
            pose_prior, bench.observer(), contrast, networks, seed=seed
        )

    return build


def test_residuals_are_the_terms_and_update_nothing(make, bench, snapshot, unchanged):
    monitor, step = make(), bench.step((*RULES, "cr"))
    clips, videos = bench.batch.clips.numpy(), bench.batch.videos
    before = snapshot(bench.encoder)
    bench.encoder.frames_seen.clear()
    found = monitor.read(clips, videos, VIDEOS)
    # Plain: 45; rotated, mirrored, and both: 30 each; augmented: 30.
    assert bench.encoder.frames_seen == [(45 + 3 * 30) * VIDEOS, 30 * VIDEOS]
    middle = bench.batch.clips[:, 15:45, 2:14, 2:14].numpy().reshape(-1, 12, 12, 3)
    latent = bench.encode(np.float32(middle) / 255).numpy()
    expected = step.terms(bench.batch)
    expected["spread"] = latent.std(0).mean()
    del expected["cr"]
    others = {"within_limits", "prior_distance", "acceleration", "implausibility"}
    assert found.keys() == expected.keys() | others
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, err_msg=name)
    assert found["implausibility"] == pytest.approx(
        selection.implausibility(found, monitor.voters)
    )
    assert all(unchanged(bench.encoder, before))
    assert monitor.read(clips, videos, VIDEOS) == found  # in the same light


def test_another_seed_is_another_light(make, bench):
    monitor = make(("z3",))
    clips, videos = bench.batch.clips.numpy(), bench.batch.videos
    first = monitor.read(clips, videos, VIDEOS)
    monitor.restart(seed=1)
    second = monitor.read(clips, videos, VIDEOS)
    assert first["lcr"] != second["lcr"] and first["z3"] == second["z3"]
    monitor.restart(seed=0)
    assert monitor.read(clips, videos, VIDEOS) == first


def test_all_clips_are_read_in_groups_of_one_size(make):
    monitor = make(("z3",))
    clips, videos = small.draw_clips(5), np.arange(5)
    found = monitor.read(clips, videos, 2)
    parts = [monitor.read(clips[r], videos[r], 2) for r in ([0, 1], [2, 3], [3, 4])]
    for name in ("z3", "lcr", "hcr", "spread", "acceleration", "prior_distance"):
        expected = np.mean([part[name] for part in parts])
        assert found[name] == pytest.approx(expected, rel=1e-5), name


def test_no_clip_is_left_out_however_many_there_are(make, monkeypatch):
    monitor, seen = make(("z3",)), []

    def group(clips, videos):
        assert len(clips) == 8
        seen.extend(clips[:, 0].tolist())
        assert videos.tolist() == clips[:, 0].tolist()
        return dict.fromkeys((*selection.LEAST, "spread", "z3"), 1.0)

    monkeypatch.setattr(monitor, "_group", group)
    monitor.read(np.arange(21)[:, None], np.arange(21), 8)
    assert set(seen) == set(range(21))


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 21])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_groups_hold_every_row_and_are_of_one_size(count, size):
    found = list(monitors.groups(count, size))
    assert {len(rows) for rows in found} == {min(count, size)}
    assert set(np.concatenate(found)) == set(range(count))
    assert len(found) == -(-count // size)
    assert all(len(set(rows)) == len(rows) for rows in found)


def test_clips_of_one_video_are_no_negatives_of_each_other(make, bench):
    monitor, clips = make(("z3",)), bench.batch.clips.numpy()
    apart = monitor.read(clips, np.arange(VIDEOS), VIDEOS)
    together = monitor.read(clips, np.zeros(VIDEOS, int), VIDEOS)
    assert together["lcr"] == together["hcr"] == 0.0 < apart["lcr"]
    assert together["z3"] == apart["z3"]
    two = monitor.read(clips, np.array([4, 4, 1]), VIDEOS)
    assert 0.0 < two["lcr"] < apart["lcr"]  # fewer to be told from


def test_rules_that_turn_the_picture_vote(make):
    assert make(("z1", "v3", "z3", "v2")).voters == ["z3", "v2"]
    assert make(("z1", "v3")).voters == ["z1", "v3"]  # none of them turns
    monitor = make(("z1", "z3"))
    assert monitor.rule_ids == ["z1", "z3"]
    assert monitor.floor_keys == ("z1", "z3", "spread")


def test_only_the_rules_it_was_given_are_read(make, bench):
    found = make(("z3",)).read(bench.batch.clips.numpy(), bench.batch.videos, VIDEOS)
    assert "z3" in found and not set(RULES) - {"z3"} & set(found)


@dataclasses.dataclass(frozen=True)
class _Dimmed(rules.View):
    """A view with a piece that the project does not know."""

    factor: float = 1.0

    def images(self, images):
        return self.factor * super().images(images)


def test_a_new_piece_of_a_view_is_read(make, bench):
    network = bench.relations["z3"][1]
    rule = rules.Rule("a", "a", "pose", _Dimmed(flip=True, factor=0.3))
    bench.relations = {"z1": (RULES["z1"], network), "a": (rule, network)}
    clips = bench.batch.clips.numpy()
    found = make(("z1", "a")).read(clips, bench.batch.videos, VIDEOS)
    crops = view_tools.show(
        np.float32(clips) / 255, rules.PLAIN, view_tools.MIDDLE, 12
    ).numpy()
    crops = crops.reshape(-1, 12, 12, 3)
    related = network(bench.encode(crops))
    for name, factor in (("a", 0.3), ("z1", 1.0)):
        shown = bench.encode(factor * crops[:, :, ::-1])
        expected = energies.residual(related, shown)
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, err_msg=name)


def test_plausibility_by_hand(pose_prior):
    """Joints that move by t^2 mm, on two clips of four frames."""

    class Prior:
        skeleton = pose_prior.skeleton

        @staticmethod
        def decoder(latent):
            return pose_prior.to_local(poses)

        @staticmethod
        def from_local(local):
            return poses

        @staticmethod
        def distance(latent, local):
            return 0.25

    tall = np.zeros([17, 3], np.float32)
    tall[:] = np.random.default_rng(0).normal(size=(17, 3)) * 200
    time = np.arange(4, dtype=np.float32) ** 2
    moved = tall + np.stack([time, 0 * time])[..., None, None] * [0.0, 1.0, 0.0]
    poses = tf.constant(moved.reshape(-1, 17, 3), tf.float32)
    found = monitors.plausibility(Prior, np.zeros([2, 4, 32], np.float32))
    assert set(found) == {"within_limits", "prior_distance", "acceleration"}
    assert found["acceleration"] == pytest.approx(1.0, rel=1e-3)  # 2 and 0
    assert found["prior_distance"] == 0.25 and 0 <= found["within_limits"] <= 1
