"""The pose stage: turns, resuming, and that it learns."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import pose_autoencoder, pose_prior
from sa3dhp.training.steps import pose_autoencoder as steps

OPTIONS = {
    "learning_rate": 1e-3,
    "cycle_weight": 100.0,
    "local_weight": 1.0,
    "adversarial_weight": 5.0,
    "noise": 0.0,
    "seed": 0,
}


@pytest.fixture
def make(skeleton, bone_lengths):
    def build(turns=None, **options):
        tf.keras.utils.set_random_seed(0)
        prior = pose_prior.PosePrior(
            pose_autoencoder.PoseEncoder(),
            pose_autoencoder.PoseDecoder(),
            skeleton,
            bone_lengths,
        )
        return steps.PoseAutoencoderStep(
            prior,
            pose_autoencoder.PoseDiscriminator(),
            turns=turns or steps.Turns(0.95, 0.8),
            **{**OPTIONS, **options},
        )

    return build


def _turns(step, batch, count):
    return [int(step(batch)["turn"]) for _ in range(count)]


def test_cycle_gets_better_in_thirty_steps(make, poses):
    step, batch = make(steps.Turns(0.95, 0.8, max_steps=1)), poses(64)
    before = step.terms(batch)
    for _ in range(30):
        terms = step(batch)
        assert all(np.isfinite(value) for value in terms.values())
    for name in ("cycle_joints", "cycle_local", "cycle_latent"):
        assert terms[name] < 0.9 * before[name], name
    assert step.iteration == 30
    assert step.__call__.experimental_get_tracing_count() == 1


def test_turns_end_when_they_have_lasted_long_enough(eagerly, make, poses):
    # No player can ever be good enough.
    step = make(steps.Turns(2.0, 2.0, max_steps=3))
    assert _turns(step, poses(8), 8) == [0, 0, 0, 1, 1, 1, 0, 0]


def test_turns_end_when_the_player_has_done_enough(eagerly, make, poses):
    step = make(steps.Turns(0.0, 0.0, max_steps=20))
    assert _turns(step, poses(8), 4) == [0, 1, 0, 1]


def test_only_the_player_whose_turn_it_is_moves(
    eagerly, make, poses, snapshot, unchanged
):
    step, batch = make(steps.Turns(2.0, 2.0, max_steps=1)), poses(8)
    players = [{"pose_discriminator"}, {"pose_encoder", "pose_decoder"}]
    for turn in (0, 1, 0):
        before = {name: snapshot(model) for name, model in step.models.items()}
        step(batch)
        for name, model in step.models.items():
            same = unchanged(model, before[name])
            assert not any(same) if name in players[turn] else all(same), name


def test_the_same_seed_gives_the_same_run_and_another_does_not(eagerly, make, poses):
    runs = [make(seed=seed) for seed in (3, 3, 4)]
    values = [
        [step(poses(8))["cycle_latent"].numpy() for _ in range(3)] for step in runs
    ]
    assert values[0] == values[1] and values[0] != values[2]


def test_random_latents_differ_from_step_to_step(eagerly, make, poses):
    step, batch = make(learning_rate=0.0), poses(8)
    values = {float(step(batch)["cycle_latent"]) for _ in range(3)}
    assert len(values) == 3


def test_a_resumed_run_ends_where_an_undisturbed_one_ends(
    eagerly, make, poses, tmp_path
):
    def batch(i):
        return poses(8, seed=i)

    whole = make(steps.Turns(0.95, 0.8, max_steps=2))
    for i in range(6):
        last = whole(batch(i))
    first = make(steps.Turns(0.95, 0.8, max_steps=2))
    for i in range(3):
        first(batch(i))
    path = tf.train.Checkpoint(**first.trackables).write(str(tmp_path / "half"))
    second = make(steps.Turns(0.95, 0.8, max_steps=2), seed=0)
    for model in second.models.values():
        model.set_weights([0.0 * w for w in model.get_weights()])
    tf.train.Checkpoint(**second.trackables).read(path).assert_consumed()
    for i in range(3, 6):
        resumed = second(batch(i))
    for name, value in last.items():
        np.testing.assert_allclose(resumed[name], value, rtol=1e-5, err_msg=name)


def test_bones_of_another_length_are_no_error_of_the_cycle(
    eagerly, make, poses, bone_lengths
):
    # 17 joints twice as far apart: the same local vectors, so the same terms.
    step, batch = make(), poses(8)
    first, second = step.terms(batch), step.terms(2.0 * batch)
    for name, value in first.items():
        np.testing.assert_allclose(second[name], value, atol=1e-3, err_msg=name)


def test_noise_blurs_what_the_discriminator_sees_and_nothing_else(make, poses):
    plain, noisy = (make(noise=noise).terms(poses(64)) for noise in (0.0, 0.5))
    judged = {"discriminator", "adversarial"}
    for name, value in plain.items():
        if name in judged:
            assert abs(noisy[name] - value) > 1e-3, name
        elif name not in ("right", "fooled"):
            assert noisy[name] == value, name
    # A function of (seed, iteration).
    step, other = make(noise=0.5), make(noise=0.5)
    assert step.terms(poses(8))["adversarial"] == other.terms(poses(8))["adversarial"]
    other.iteration.assign_add(1)
    again = other.terms(poses(8))["adversarial"]
    assert step.terms(poses(8))["adversarial"] != again


def test_local_weight_zero_is_the_papers_loss(eagerly, make, poses):
    # Then the local term alone cannot make a difference to the encoder.
    weights = []
    for local_weight in (0.0, 1.0):
        step = make(steps.Turns(0.95, 0.8, max_steps=1), local_weight=local_weight)
        for _ in range(2):
            step(poses(8))
        weights.append(step.models["pose_encoder"].get_weights())
    assert step._weights["cycle_local"] == step._weights["cycle_joints"]
    assert any((a != b).any() for a, b in zip(*weights))


def test_joint_error_is_the_mean_of_all_joints_but_the_root(
    eagerly, make, poses, skeleton
):
    step, batch = make(), poses(8)
    prior = step._prior
    pred = prior.decode(prior.encode(batch)).numpy()
    off = np.linalg.norm(pred - prior.with_these_bones(batch), axis=-1)  # [B, J]
    assert not off[:, skeleton.root].any()
    expected = np.delete(off, skeleton.root, axis=1).mean()
    found = step.terms(batch)["joint_error"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
