"""Arrays of joints in, a result out: what a library's user calls."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.evaluation import evaluator, poses, protocol

N = 12


def _arrays():
    rng = np.random.default_rng(0)
    target = rng.normal(size=(N, 17, 3)) * 300
    return target + rng.normal(size=target.shape) * 60, target


def _poses(joints, skeleton="sa3dhp17", mask=None, **labels):
    labels = {key: np.asarray(value) for key, value in labels.items()}
    return poses.Poses(joints, skeleton, mask, labels)


def test_arrays_give_the_result_of_files():
    pred, target = _arrays()
    labels = {"action": ["a"] * 5 + ["b"] * 7, "frame_number": np.arange(N)}
    got = evaluator.evaluate_arrays(pred, target + 900, labels=labels)
    card = protocol.load("procedural")
    want = evaluator.evaluate(_poses(pred), _poses(target + 900, **labels), card)
    assert got == want and set(got["per_action"]) == {"a", "b"}


def test_arrays_take_a_protocol_a_skeleton_a_mask_and_a_class():
    pred, target = _arrays()
    mask = np.ones((N, 17), bool)
    mask[3, 5] = mask[:4, 9] = False
    target[3, 5] = pred[2, 9] = np.nan
    got = evaluator.evaluate_arrays(
        pred.astype(np.float32),
        target.tolist(),
        "mpi_inf_3dhp",
        skeleton="mpi_inf_3dhp17",
        mask=mask,
        target_information="E",
    )
    rounded = pred.astype(np.float32).astype(np.float64)
    first, second = (_poses(x, "mpi_inf_3dhp17", mask) for x in (rounded, target))
    card = protocol.load("mpi_inf_3dhp")
    assert got == evaluator.evaluate(first, second, card, "E")
    assert got["target_information"] == "E" and got["protocol"] == "mpi_inf_3dhp"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"pred": np.zeros((N, 51))},
            r"pred: joints have shape \(12, 51\).*\[N, J, 3\]",
        ),
        ({"truth": np.zeros((N, 16, 3))}, r"truth: .*\(12, 16, 3\), expected \[N, 17"),
        ({"pred": np.zeros((5, 17, 3))}, "pred: got 5 frames, expected 12 as in truth"),
        ({"truth": np.zeros((0, 17, 3))}, "truth: joints are empty"),
        (
            {"pred": np.full((N, 17, 3), np.nan)},
            "pred: sample 0, joint .* not a finite",
        ),
        ({"skeleton": "stickman"}, "unknown id 'stickman'"),
        ({"protocol": "h36m"}, "unknown card 'h36m'.*did you mean h36m_p"),
        ({"mask": np.ones((N, 3))}, r"mask has shape \(12, 3\), expected \(12, 17\)"),
        ({"labels": {"actions": ["a"] * N}}, "labels: got 'actions', expected some of"),
        ({"labels": {"action": ["a"]}}, r"action has shape \(1,\), expected \(12,\)"),
        ({"target_information": "X"}, "expected one of R, E, G, L, N"),
    ],
)
def test_wrong_arrays_are_named(change, message):
    pred, target = _arrays()
    with pytest.raises(errors.InputError, match=message):
        evaluator.evaluate_arrays(**{"pred": pred, "truth": target, **change})


@pytest.mark.parametrize("unit", ["metres", "centimetres", "inches"])
def test_arrays_in_another_unit_are_refused_with_the_factor(unit):
    pred, target = _arrays()
    factor = poses.UNITS_MM[unit]
    with pytest.raises(errors.InputError, match=f"truth: .*like {unit}, expected mm; "):
        evaluator.evaluate_arrays(pred, target / factor)
    with pytest.raises(errors.InputError, match=f"multiply by {factor:g}"):
        evaluator.evaluate_arrays(pred / factor, target / factor)


def test_predictions_in_metres_are_refused_and_collapsed_ones_are_scored():
    pred, target = _arrays()
    with pytest.raises(errors.InputError, match=r"pred: .* looks like metres"):
        evaluator.evaluate_arrays(pred / 1000, target)
    for size in (0.0, 1e-9, 0.02):  # of what it should be
        got = evaluator.evaluate_arrays(pred * size, target)
        assert got["overall"]["mpjpe"] > 300
