"""The metrics against their definitions, written as loops, and their invariances."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sa3dhp import errors
from sa3dhp.evaluation import metrics

NUM_CASES = 1000


def _cases(seed=0, num=NUM_CASES, joints=14):
    rng = np.random.default_rng(seed)
    target = rng.normal(size=(num, joints, 3)) * 300
    noise = 10 ** rng.uniform(0, 2.5, size=(num, 1, 1))  # from very good to useless
    pred = target + rng.normal(size=target.shape) * noise
    mask = rng.random((num, joints)) < 0.8
    mask[:, :4] = True  # four joints at least: a similarity needs them
    return pred, target, mask


def _rotation(rng):
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def _distance(a, b):
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b)))


def _valid(joints, mask):
    return [[float(x) for x in j] for j, m in zip(joints, mask) if m]


def _slow_mpjpe(pred, target):
    return sum(_distance(a, b) for a, b in zip(pred, target)) / len(pred)


def _slow_n_mpjpe(pred, target):
    dot = sum(x * y for a, b in zip(pred, target) for x, y in zip(a, b))
    square = sum(x * x for a in pred for x in a)
    return _slow_mpjpe([[x * dot / square for x in a] for a in pred], target)


def _slow_pa_mpjpe(pred, target):
    """Horn's quaternion solution: shares no step with the SVD solution."""
    pred, target = np.array(pred), np.array(target)
    a, b = pred - pred.mean(0), target - target.mean(0)
    s = a.T @ b
    k = np.empty((4, 4))
    k[0, 0] = np.trace(s)
    k[0, 1:] = k[1:, 0] = [s[1, 2] - s[2, 1], s[2, 0] - s[0, 2], s[0, 1] - s[1, 0]]
    k[1:, 1:] = s + s.T - np.trace(s) * np.eye(3)
    w, x, y, z = np.linalg.eigh(k)[1][:, -1]
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    turned = a @ rotation.T
    aligned = turned * np.sum(turned * b) / np.sum(a * a) + target.mean(0)
    return _slow_mpjpe(aligned, target)


def _slow_pck(pred, target, threshold=150.0):
    right = sum(1 for a, b in zip(pred, target) if _distance(a, b) < threshold)
    return 100.0 * right / len(pred)


def _slow_auc(pred, target):
    values = [_slow_pck(pred, target, t) for t in range(0, 151, 5)]
    assert len(values) == 31
    return sum(values) / 31


@pytest.mark.parametrize(
    "fast, slow",
    [
        (metrics.mpjpe, _slow_mpjpe),
        (metrics.n_mpjpe, _slow_n_mpjpe),
        (metrics.pa_mpjpe, _slow_pa_mpjpe),
        (metrics.pck, _slow_pck),
        (metrics.auc, _slow_auc),
    ],
)
@pytest.mark.parametrize("masked", [False, True])
def test_agrees_with_a_loop_from_the_definition(fast, slow, masked):
    pred, target, mask = _cases()
    mask = mask if masked else np.ones_like(mask)
    want = [slow(_valid(p, m), _valid(t, m)) for p, t, m in zip(pred, target, mask)]
    got = fast(pred, target, mask if masked else None)
    assert got.dtype == np.float64 and got.shape == (NUM_CASES,)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_the_table_says_everything_of_every_metric():
    assert list(metrics.METRICS) == [
        *("mpjpe", "pa_mpjpe", "n_mpjpe", "pck", "auc"),
        *("depth_error", "normalised_error", "pck_2d"),
    ]
    for key, metric in metrics.METRICS.items():
        assert metric.id == key and metric.unit in ("mm", "%")
        between = " " if metric.flat else "-"
        assert metric.title == key.upper().replace("_", between)
        assert len(metric.explanation) > 20


@pytest.mark.parametrize("name", list(metrics.METRICS))
def test_less_is_better_tells_how_a_better_prediction_changes_the_value(name):
    pred, target, mask = _cases(num=200)
    metric = metrics.METRICS[name]
    limits = metrics.Thresholds(flat=np.full(len(pred), 60.0))
    worse, better = (
        metrics.per_sample(metric, side, target, mask, limits).mean()
        for side in (pred, (pred + target) / 2)
    )
    assert (better < worse) == metric.less_is_better


@pytest.mark.parametrize("name", list(metrics.METRICS))
def test_a_sample_is_the_mean_of_its_joints_that_count(name):
    pred, target, mask = _cases(num=30)
    metric = metrics.METRICS[name]
    sides = metrics.check(pred, target, mask)
    reach = np.linspace(10, 200, len(pred))
    values = metric.per_joint(*sides, metrics.Thresholds(flat=reach))
    assert values.shape == mask.shape
    want = [row[valid].mean() for row, valid in zip(values, mask)]
    more = {"reach": reach} if metric.flat else {}
    got = getattr(metrics, name)(pred, target, mask, **more)
    np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize("threshold", [20.0, 400.0])
def test_thresholds_reach_pck_and_auc(threshold):
    pred, target, _ = _cases(num=50)
    want = [_slow_pck(p, t, threshold) for p, t in zip(pred, target)]
    got = metrics.pck(pred, target, threshold=threshold)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    one = metrics.auc(pred, target, thresholds=[threshold])
    np.testing.assert_allclose(one, want, rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.1, 10))
def test_similarity_of_the_prediction_does_not_change_pa_mpjpe(seed, scale):
    pred, target, _ = _cases(seed, num=5)
    rng = np.random.default_rng(seed)
    moved = scale * pred @ _rotation(rng).T + rng.normal(size=3) * 500
    want = metrics.pa_mpjpe(pred, target)
    np.testing.assert_allclose(metrics.pa_mpjpe(moved, target), want, rtol=1e-8)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.1, 10))
def test_scale_of_the_prediction_does_not_change_n_mpjpe(seed, scale):
    pred, target, _ = _cases(seed, num=5)
    want = metrics.n_mpjpe(pred, target)
    np.testing.assert_allclose(metrics.n_mpjpe(scale * pred, target), want, rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_rotating_both_changes_nothing(seed):
    pred, target, _ = _cases(seed, num=5)
    rotation = _rotation(np.random.default_rng(seed))
    for metric in (metrics.mpjpe, metrics.n_mpjpe, metrics.pa_mpjpe):
        got = metric(pred @ rotation.T, target @ rotation.T)
        np.testing.assert_allclose(got, metric(pred, target), rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_pck_grows_with_the_threshold(seed):
    pred, target, _ = _cases(seed, num=5)
    values = [metrics.pck(pred, target, threshold=t) for t in (0, 50, 150, 1000, 1e9)]
    assert (np.diff(values, axis=0) >= 0).all()
    assert (values[0] == 0).all() and (values[-1] == 100).all()


def test_alignments_minimise_squares_not_more_than_leaving_things_alone():
    pred, target, mask = _cases()
    valid = mask[..., None]
    as_given = np.sum((pred - target) ** 2 * valid, axis=(1, 2))
    scaled = metrics.scale_aligned(pred, target, mask)
    moved = metrics.similarity_aligned(pred, target, mask)
    by_scale = np.sum((scaled - target) ** 2 * valid, axis=(1, 2))
    by_similarity = np.sum((moved - target) ** 2 * valid, axis=(1, 2))
    assert (by_scale <= as_given * (1 + 1e-12)).all()
    assert (by_similarity <= by_scale * (1 + 1e-12)).all()


def test_a_mirrored_body_is_not_repaired_by_pa():
    _, target, _ = _cases(num=20)
    assert metrics.pa_mpjpe(target * [-1, 1, 1], target).min() > 50


def test_thresholds_are_strict():
    target = np.zeros((1, 2, 3))
    pred = np.array([[[150.0, 0, 0], [149.9999, 0, 0]]])
    assert metrics.pck(pred, target)[0] == 50
    perfect = metrics.auc(target, target)[0]
    assert perfect == pytest.approx(100 * 30 / 31)  # nothing is below the threshold 0


def test_hand_numbers():
    target = np.array([[[0.0, 0, 0], [100, 0, 0]]])
    pred = np.array([[[0.0, 30, 40], [150, 0, 0]]])
    assert metrics.mpjpe(pred, target)[0] == 50
    assert metrics.mpjpe(pred, target, [[True, False]])[0] == 50
    # <p, t> = 15000, <p, p> = 25000: scale 0.6.
    assert metrics.n_mpjpe(pred, target)[0] == pytest.approx((30 + 10) / 2)


def test_joints_that_do_not_count_may_be_nan():
    pred, target, mask = _cases(num=30)
    want = [m(pred, target, mask) for m in (metrics.mpjpe, metrics.pa_mpjpe)]
    pred[~mask], target[~mask] = np.nan, np.inf
    got = [m(pred, target, mask) for m in (metrics.mpjpe, metrics.pa_mpjpe)]
    np.testing.assert_array_equal(got, want)


def test_a_collapsed_prediction_gives_a_finite_error():
    _, target, _ = _cases(num=3)
    for metric in (metrics.mpjpe, metrics.n_mpjpe, metrics.pa_mpjpe):
        assert np.isfinite(metric(np.zeros_like(target), target)).all()


def test_root_relative_puts_the_mean_of_the_roots_at_the_origin():
    _, target, _ = _cases(num=3)
    moved = metrics.root_relative(target, (0, 3))
    np.testing.assert_allclose(moved[:, [0, 3]].mean(1), 0, atol=1e-12)


def test_inputs_are_not_changed():
    pred, target, mask = _cases(num=10)
    copies = pred.copy(), target.copy(), mask.copy()
    for metric in (metrics.mpjpe, metrics.pa_mpjpe, metrics.n_mpjpe, metrics.auc):
        metric(pred, target, mask)
    for value, copy in zip((pred, target, mask), copies):
        np.testing.assert_array_equal(value, copy)


@pytest.mark.parametrize(
    "pred, target, mask, message",
    [
        (np.zeros((2, 17)), np.zeros((2, 17, 3)), None, r"\(2, 17\).*\[N, J, 3\]"),
        (
            np.zeros((2, 16, 3)),
            np.zeros((2, 17, 3)),
            None,
            r"\(2, 16, 3\).*\(2, 17, 3\)",
        ),
        (np.zeros((2, 3, 3)), np.zeros((2, 3, 3)), np.ones((2, 4)), "mask: got shape"),
        (np.zeros((2, 3, 3)), np.zeros((2, 3, 3)), np.zeros((2, 3)), "no valid joint"),
        (np.array([["a"]]), np.zeros((2, 3, 3)), None, "expected numbers"),
    ],
)
def test_wrong_input_is_named(pred, target, mask, message):
    with pytest.raises(errors.InputError, match=message):
        metrics.mpjpe(pred, target, mask)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("side", ["predictions", "reference"])
def test_nan_names_the_sample(value, side):
    arrays = {"predictions": np.zeros((5, 3, 3)), "reference": np.zeros((5, 3, 3))}
    arrays[side][3, 1, 0] = value
    with pytest.raises(errors.InputError, match=f"{side}: sample 3, joint 1"):
        metrics.mpjpe(arrays["predictions"], arrays["reference"])


def test_depth_error_sees_nothing_but_depth():
    pred, target = np.zeros((1, 4, 3)), np.zeros((1, 4, 3))
    pred[0, :, :2] = 100.0
    pred[0, 0, 2], pred[0, 1, 2] = 30.0, -10.0
    np.testing.assert_allclose(metrics.depth_error(pred, target), [10.0])


def test_normalised_error_is_a_share_of_the_centred_size():
    target = np.array([[[3.0, 0, 0], [-3.0, 0, 0], [9, 9, 9]]]) + 50.0
    mask = np.array([[True, True, False]])
    pred = np.array([[[4.5, 0, 0], [-4.5, 0, 0], [np.nan] * 3]])
    np.testing.assert_allclose(metrics.normalised_error(pred, target, mask), [50.0])
    np.testing.assert_allclose(metrics.normalised_error(0 * target, target), [100.0])


def test_scaling_by_bones_gives_the_limbs_of_the_truth_and_keeps_the_pose():
    rng = np.random.default_rng(0)
    target = rng.normal(size=(6, 5, 3))
    limbs = ((0, 1), (1, 2), (0, 3), (3, 4))
    sizes = rng.uniform(0.1, 9, size=(6, 1, 1))
    np.testing.assert_allclose(
        metrics.bones_aligned(target * sizes, target, limbs), target
    )
    pred = rng.normal(size=(6, 5, 3))
    got = metrics.bones_aligned(pred, target, limbs)
    for one, two in zip(got, target):
        lengths = [
            sum(np.linalg.norm(x[a] - x[b]) for a, b in limbs) for x in (one, two)
        ]
        np.testing.assert_allclose(*lengths)


def test_only_limbs_with_both_ends_give_the_scale():
    target = np.array([[[0, 0, 0], [2.0, 0, 0], [2, 50.0, 0]]])
    pred = np.array([[[0, 0, 0], [1.0, 0, 0], [np.nan] * 3]])
    mask = np.array([[True, True, False]])
    limbs = ((0, 1), (1, 2))
    got = metrics.bones_aligned(pred, target, limbs, mask)
    np.testing.assert_allclose(got[0, 1], [2.0, 0, 0])
    with pytest.raises(errors.InputError, match="sample 0 has no limb with both"):
        metrics.bones_aligned(pred, target, limbs[1:], mask)


def test_coinciding_joints_have_no_limbs_to_scale_by_and_stay():
    target = np.random.default_rng(0).normal(size=(1, 3, 3))
    got = metrics.bones_aligned(np.zeros((1, 3, 3)), target, ((0, 1), (1, 2)))
    np.testing.assert_array_equal(got, 0.0)
