"""Results: sums over frames, joints, actions; what is refused; skeletons."""

import dataclasses
import json
import math

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.evaluation import (
    evaluator,
    metrics,
    poses,
    protocol,
    results,
    tables,
)
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons

N = 12


def _arrays(seed=0, num=N, joints=17, noise=60.0):
    rng = np.random.default_rng(seed)
    target = rng.normal(size=(num, joints, 3)) * 300
    return target + rng.normal(size=target.shape) * noise, target


def _poses(joints, skeleton="sa3dhp17", mask=None, **labels):
    labels = {key: np.asarray(value) for key, value in labels.items()}
    return poses.Poses(joints, skeleton, mask, labels)


def test_overall_is_the_mean_over_frames_of_the_card_joints():
    pred, target = _arrays()
    card = protocol.load("procedural")
    got = evaluator.evaluate(_poses(pred), _poses(target + 500), card)
    index = list(card.joint_indices)
    sides = [metrics.root_relative(x, (0,))[:, index] for x in (pred, target + 500)]
    for name in ("mpjpe", "n_mpjpe", "pa_mpjpe", "pck", "auc"):
        # To the last bit: what tests prove is what users get.
        assert got["overall"][name] == getattr(metrics, name)(*sides).mean()
    assert got["num_samples"] == N and got["num_skipped"] == 0
    assert got["protocol"] == "procedural" and got["protocol_hash"] == card.hash
    assert got["target_information"] == "unstated" and got["notes"] == []
    assert set(got["per_joint"]) == set(card.joints)
    mean = np.mean([v["mpjpe"] for v in got["per_joint"].values()])
    assert mean == pytest.approx(got["overall"]["mpjpe"])
    json.dumps(got)


def test_perfect_predictions_have_no_error():
    _, target = _arrays()
    card = protocol.load("procedural")
    got = evaluator.evaluate(_poses(target), _poses(target), card)["overall"]
    assert got["mpjpe"] == 0 and got["pa_mpjpe"] < 1e-6 and got["pck"] == 100
    assert got["auc"] == pytest.approx(100 * 30 / 31)


def test_batches_give_what_one_call_gives():
    pred, target = _arrays()
    action = np.array(["a"] * 5 + ["b"] * 7)
    card = protocol.load("procedural")
    whole = evaluator.evaluate(_poses(pred), _poses(target, action=action), card, "R")
    parts = evaluator.Evaluator(card, "R")
    for rows in (slice(0, 5), slice(5, 6), slice(6, N)):
        parts.add(_poses(pred[rows]), _poses(target[rows], action=action[rows]))
    assert parts.result() == whole


def test_actions_sequences_and_groups_have_their_own_means():
    pred, target = _arrays()
    labels = {
        "action": ["1"] * 4 + ["2"] * 8,
        "sequence": ["TS1"] * 2 + ["TS2"] * 3 + ["TS5"] * 7,
    }
    convert = conversion.convert
    sides = [convert(x, "sa3dhp17", "mpi_inf_3dhp17")[0] for x in (pred, target)]
    card = protocol.load("mpi_inf_3dhp")
    reference = _poses(sides[1], "mpi_inf_3dhp17", **labels)
    got = evaluator.evaluate(_poses(pred), reference, card)
    assert list(got["per_action"]) == ["Standing/Walking", "Exercising"]
    assert set(got["per_sequence"]) == {"TS1", "TS2", "TS5"}
    assert {k: v["num_samples"] for k, v in got["per_group"].items()} == {
        "green_screen": 5,
        "outdoor": 7,
    }
    frames = [(v["mpjpe"], v["num_samples"]) for v in got["per_sequence"].values()]
    mean = sum(m * n for m, n in frames) / N
    assert mean == pytest.approx(got["overall"]["mpjpe"])


@pytest.mark.parametrize("averaging", ["action", "sequence"])
def test_averaging_over_labels_weighs_each_label_the_same(averaging):
    pred, target = _arrays()
    pred[:3] += np.random.default_rng(1).normal(size=(3, 17, 3)) * 300
    card = dataclasses.replace(protocol.load("procedural"), averaging=averaging)
    labels = {averaging: ["a"] * 3 + ["b"] * 9}
    got = evaluator.evaluate(_poses(pred), _poses(target, **labels), card)
    per = [v["mpjpe"] for v in got[f"per_{averaging}"].values()]
    assert got["overall"]["mpjpe"] == pytest.approx(np.mean(per))
    with pytest.raises(errors.InputError, match=f"add the array `{averaging}`"):
        evaluator.evaluate(_poses(pred), _poses(target), card)


def test_without_alignment_a_shift_counts():
    _, target = _arrays()
    card = dataclasses.replace(protocol.load("procedural"), alignment="none")
    got = evaluator.evaluate(_poses(target + np.eye(3)[0] * 100), _poses(target), card)
    assert got["overall"]["mpjpe"] == pytest.approx(100)
    assert got["overall"]["n_mpjpe"] < 1e-9


def test_frames_are_chosen_by_their_number_and_subject():
    pred, target = _arrays(num=200)
    numbers = np.arange(1, 201)
    card = protocol.load("h36m_p1")
    subject = np.array(["S9"] * 100 + ["S1"] * 100)
    reference = _poses(target, frame_number=numbers, subject=subject)
    got = evaluator.evaluate(_poses(pred), reference, card)
    want = evaluator.evaluate(_poses(pred[[0, 64]]), _poses(target[[0, 64]]), card)
    assert got["num_samples"] == 2 and got["num_skipped"] == 198
    assert got["overall"] == want["overall"]
    assert got["notes"] == []
    assert len(want["notes"]) == 2  # neither subject nor frame number could be checked


def test_frames_none_of_which_count_are_an_error():
    pred, target = _arrays()
    card = protocol.load("h36m_p1")
    reference = _poses(target, subject=["S1"] * N)
    with pytest.raises(errors.InputError, match=r"subject: got S1 .*expected S9, S11"):
        evaluator.evaluate(_poses(pred), reference, card)


def test_masked_joints_do_not_count_even_if_they_are_nan():
    pred, target = _arrays()
    mask = np.ones((N, 17), bool)
    mask[:, 4] = False
    mask[2, 5] = False
    broken = np.where(mask[..., None], target, np.nan)
    card = protocol.load("procedural")
    got = evaluator.evaluate(
        _poses(pred), _poses(broken, mask=mask), card, shared_joints=True
    )
    assert "right_wrist" not in got["per_joint"]
    assert got["protocol"] == "procedural (15 of 16 joints)"
    index = list(protocol.restricted(card, tuple(got["per_joint"])).joint_indices)
    sides = [metrics.root_relative(x, (0,))[:, index] for x in (pred, target)]
    want = metrics.pa_mpjpe(*sides, mask[:, index]).mean()
    assert got["overall"]["pa_mpjpe"] == pytest.approx(want, rel=1e-9)


def test_frames_whose_root_is_unknown_are_left_out_and_counted():
    pred, target = _arrays()
    mask = np.ones((N, 17), bool)
    mask[:3, 0] = False
    card = protocol.load("procedural")
    got = evaluator.evaluate(_poses(pred), _poses(target, mask=mask), card)
    assert (got["num_samples"], got["num_skipped"]) == (N - 3, 3)
    mask[:, 0] = False
    with pytest.raises(errors.InputError, match="has no pelvis"):
        evaluator.evaluate(_poses(pred), _poses(target, mask=mask), card)


@pytest.mark.parametrize("source", ["h36m17", "h36m32", "mpi_inf_3dhp28"])
def test_a_reference_in_another_skeleton_is_compared_by_joint_name(source):
    card = protocol.load("h36m_p1")
    _, truth = _arrays(joints=skeletons.get(source).num_joints)
    pred, _ = conversion.convert(truth, source, "sa3dhp17")
    got = evaluator.evaluate(_poses(pred), _poses(truth, source), card)
    assert got["overall"]["mpjpe"] == 0


def test_joints_that_one_side_lacks_are_named_and_may_be_left_out_on_request():
    pred, _ = _arrays()
    target, _ = conversion.convert(pred, "sa3dhp17", "mpi_inf_3dhp17")
    card = protocol.load("mpi_inf_3dhp_17")
    sides = _poses(pred), _poses(target, "mpi_inf_3dhp17")
    with pytest.raises(errors.InputError, match=r"has no spine, head.*--shared_joints"):
        evaluator.evaluate(*sides, card)
    got = evaluator.evaluate(*sides, card, shared_joints=True)
    assert got["protocol"] == "mpi_inf_3dhp_17 (15 of 17 joints)"
    assert got["protocol_hash"] != card.hash


def test_a_skeleton_without_the_root_is_refused():
    _, target = _arrays()
    card = protocol.load("3dpw_14")
    foreign = _poses(np.zeros((N, 17, 3)), "coco17")
    with pytest.raises(errors.InputError, match="has no head_top"):
        evaluator.evaluate(foreign, _poses(target), card)


@pytest.mark.parametrize(
    ("card", "skeleton"), [("3dpw_smpl", "lsp14"), ("3dpw_14", "smpl24")]
)
def test_joints_that_only_share_their_names_are_refused(card, skeleton):
    pred, _ = _arrays()
    _, target = _arrays(joints=skeletons.get(skeleton).num_joints)
    with pytest.raises(errors.InputError, match=f"got the skeleton {skeleton}"):
        evaluator.evaluate(_poses(pred), _poses(target, skeleton), protocol.load(card))


@pytest.mark.parametrize("name", protocol.names())
def test_every_card_scores_predictions_of_the_project(name):
    card = protocol.load(name)
    num = skeletons.get(card.skeleton).num_joints
    _, target = _arrays(joints=num)
    pred, _ = _arrays()
    reference = _poses(target, card.skeleton)
    if card.flat_metrics:
        reference = dataclasses.replace(reference, keypoints=target[..., :2])
    got = evaluator.evaluate(_poses(pred), reference, card, shared_joints=True)
    assert ("trunk" in got) == bool(card.flat_metrics)
    assert set(got["overall"]) == set(card.metrics)
    text = tables.result_table(got)
    assert got["protocol_hash"] in text and "right_knee" in text
    title = metrics.METRICS[card.headline].title
    assert f"{title} [" in text and text.count("]*") == 1
    assert "* the number of this card" in text


def test_nan_names_side_sample_and_joint():
    pred, target = _arrays()
    pred[7, 3, 0] = np.nan
    card = protocol.load("procedural")
    with pytest.raises(errors.InputError, match="sample 7, joint right_elbow"):
        evaluator.evaluate(_poses(pred), _poses(target), card)


def test_unknown_class_of_information_and_empty_evaluation_are_refused():
    card = protocol.load("procedural")
    with pytest.raises(errors.InputError, match="expected one of R, E, G, L, N"):
        evaluator.Evaluator(card, "X")
    with pytest.raises(errors.InputError, match="no frames"):
        evaluator.Evaluator(card).result()


def test_the_class_of_information_comes_from_the_file_unless_given():
    pred, target = _arrays()
    card = protocol.load("procedural")
    stated = poses.Poses(pred, "sa3dhp17", target_information="E")
    got = evaluator.evaluate(stated, _poses(target), card)
    assert got["target_information"] == "E"
    got = evaluator.evaluate(stated, _poses(target), card, "R")
    assert got["target_information"] == "R"


def test_table_shows_numbers_notes_and_the_class():
    pred, target = _arrays()
    card = protocol.load("h36m_p1")
    got = evaluator.evaluate(_poses(pred), _poses(target, action=["Walking"] * N), card)
    text = tables.result_table(got)
    for word in ("MPJPE [mm]", "PCK [%]", "Walking", "note: no `subject`", "unstated"):
        assert word in text
    assert f"{got['overall']['mpjpe']:.1f}" in text


def _slow(pred, target, mask, metric, index, roots):
    """A metric of one frame from its definition; sides are lists of joints."""
    moved = []
    for side in (pred, target):
        root = [sum(side[r][a] for r in roots) / len(roots) for a in range(3)]
        moved.append([[side[j][a] - root[a] for a in range(3)] for j in index])
    pairs = [(p, t) for p, t, valid in zip(*moved, mask) if valid]
    if metric == "n_mpjpe":
        dot = sum(x * y for p, t in pairs for x, y in zip(p, t))
        scale = dot / sum(x * x for p, _ in pairs for x in p)
        pairs = [([scale * x for x in p], t) for p, t in pairs]
    if metric == "pa_mpjpe":
        p, t = (np.array(side) for side in zip(*pairs))
        p, t_mean = p - p.mean(0), t.mean(0)
        u, stretch, v = np.linalg.svd(p.T @ (t - t_mean))
        sign = np.array([1, 1, np.sign(np.linalg.det(u @ v))])
        scale = (stretch * sign).sum() / (p**2).sum()
        pairs = list(zip(scale * p @ (u * sign) @ v + t_mean, t))
    distances = [math.dist(p, t) for p, t in pairs]
    if metric == "pck":
        distances = [100.0 * (d < 150) for d in distances]
    if metric == "auc":
        distances = [
            sum(100.0 * (d < limit) for limit in range(0, 151, 5)) / 31
            for d in distances
        ]
    return sum(distances) / len(distances)


@pytest.mark.parametrize("name", ["mpi_inf_3dhp", "3dpw_smpl", "procedural"])
def test_a_small_result_is_that_of_a_slow_loop(name):
    card = protocol.load(name)
    pred, target = _arrays(joints=skeletons.get(card.skeleton).num_joints, noise=90)
    mask = np.random.default_rng(2).random(target.shape[:2]) < 0.8
    mask[:, list(card.root_indices)] = True
    sequences = ["TS1"] * 5 + ["TS6"] * 7
    if card.sequences:
        sequences = [card.sequences[0]] * 5 + [card.sequences[1]] * 7
    got = evaluator.evaluate(
        _poses(pred, card.skeleton),
        _poses(target, card.skeleton, mask, sequence=sequences),
        card,
    )
    where = list(card.joint_indices), list(card.root_indices)
    for metric in card.metrics:
        frames = [
            _slow(
                *(x[n].tolist() for x in (pred, target)),
                mask[n, where[0]],
                metric,
                *where,
            )
            for n in range(N)
        ]
        assert got["overall"][metric] == pytest.approx(sum(frames) / N, rel=1e-9)
        first = got["per_sequence"][sequences[0]]
        assert first[metric] == pytest.approx(sum(frames[:5]) / 5, rel=1e-9)
        assert first["num_samples"] == 5


def test_a_new_entry_of_the_table_is_seen_everywhere(tmp_path, monkeypatch):
    def across(pred, target, mask, thresholds):
        return np.abs(pred - target)[..., 0]

    words = "how far a joint is from the truth, seen from above & ahead"
    metric = metrics.Metric("across", "ACROSS", "mm", words, True, across)
    card = protocol.load("procedural")
    wanted = {"metrics": (*card.metrics, "across"), "headline": "across"}
    content = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in {**dataclasses.asdict(card), **wanted}.items()
        if key != "name"
    }
    with pytest.raises(errors.InputError, match="headline is 'across'"):
        protocol.from_dict("mine", content)
    monkeypatch.setitem(metrics.METRICS, "across", metric)
    card = protocol.from_dict("mine", content)
    pred, target = _arrays()
    got = evaluator.evaluate(_poses(pred), _poses(target), card, "R")
    rooted = [x - x[:, :1] for x in (pred, target)]
    want = np.abs(rooted[0] - rooted[1])[:, list(card.joint_indices), 0]
    assert got["overall"]["across"] == pytest.approx(want.mean(), rel=1e-12)
    wrist = card.joints.index("left_wrist")
    got_wrist = got["per_joint"]["left_wrist"]["across"]
    assert got_wrist == pytest.approx(want[:, wrist].mean(), rel=1e-12)
    assert "ACROSS [mm]" in tables.result_table(got)

    better = {**got, "overall": {k: v / 2 for k, v in got["overall"].items()}}
    files = tmp_path / "a.json", tmp_path / "b.json"
    for path, result in zip(files, (got, better)):
        results.write(path, result)
    entries = {**results.read(files[0]), **results.read(files[1])}
    text = results.compare(entries)
    assert "ACROSS [mm]" in text
    assert f"{want.mean() / 2:.1f} (-50 %)" in text


def test_what_predictions_hide_is_told_and_not_compared(tmp_path):
    """The method may not choose what counts: half of the joints, 10 mm."""
    _, target = _arrays(num=10)
    off = np.where(np.arange(17) % 2, 300.0, 10.0) * np.ones((10, 1))
    off[:, 0] = 0
    pred, card = target.copy(), protocol.load("procedural")
    pred[..., 0] += off
    hidden = np.where(off < 100, True, np.arange(10)[:, None] == 0)
    whole = evaluator.evaluate(_poses(pred), _poses(target), card)
    half = evaluator.evaluate(_poses(pred, mask=hidden), _poses(target), card)
    index = list(card.joint_indices)
    assert whole["coverage"] == 1 and whole["notes"] == []
    assert half["coverage"] == pytest.approx(hidden[:, index].mean())
    assert half["notes"][0].startswith("coverage ") and "coverage" in tables.summary(
        half
    )
    for name, result in (("a", whole), ("b", half)):
        results.write(tmp_path / name, result)
    entries = {**results.read(tmp_path / "a"), **results.read(tmp_path / "b")}
    with pytest.raises(errors.InputError, match="different joints"):
        results.compare(entries)
    told = results.compare(entries, allow_different_protocols=True)
    assert "coverage" in told
    # A reference that does not know them: all that is scored is covered.
    same = evaluator.evaluate(_poses(pred), _poses(target, mask=hidden), card)
    assert same["coverage"] == 1 and same["overall"] == half["overall"]


def test_frames_whose_root_the_predictions_hide_lower_the_coverage():
    pred, target = _arrays()
    mask = np.ones((N, 17), bool)
    mask[:3, 0] = False
    card = protocol.load("procedural")
    got = evaluator.evaluate(_poses(pred, mask=mask), _poses(target), card)
    assert got["num_skipped"] == 3 and got["coverage"] == pytest.approx(1 - 3 / N)


def test_predictions_that_are_not_finite_are_not_told_to_hide_them():
    pred, target = _arrays()
    pred[2, 4] = np.nan
    with pytest.raises(errors.InputError, match="every joint that the ref") as error:
        evaluator.evaluate(_poses(pred), _poses(target), protocol.load("procedural"))
    assert "mask" not in str(error.value)


def test_recordings_of_one_action_are_one_action_and_the_mean_over_actions_is_there():
    action = np.repeat(["Walking", "Walking 1", "Photo", "TakingPhoto 1"], [3, 6, 2, 1])
    error = np.repeat([10.0, 40.0, 100.0, 70.0], [3, 6, 2, 1])
    _, target = _arrays()
    pred = target.copy()
    pred[:, 1:, 0] += error[:, None]
    card = protocol.load("procedural")
    got = evaluator.evaluate(_poses(pred), _poses(target, action=action), card)
    rows = {k: (v["mpjpe"], v["num_samples"]) for k, v in got["per_action"].items()}
    # The root is among the card's joints or is not: one factor for all.
    share = got["overall"]["mpjpe"] / error.mean()
    want = {"TakingPhoto": (90.0, 3), "Walking": (30.0, 9)}
    assert {k: v[1] for k, v in rows.items()} == {k: v[1] for k, v in want.items()}
    for name, (value, _) in want.items():
        assert rows[name][0] == pytest.approx(share * value)
    assert got["mean_over_actions"]["mpjpe"] == pytest.approx(share * 60.0)
    assert "mean over actions" in tables.result_table(got)
    by_action = dataclasses.replace(card, averaging="action")
    got = evaluator.evaluate(_poses(pred), _poses(target, action=action), by_action)
    assert got["overall"] == got["mean_over_actions"]
    alike = np.where(action == "Photo", "TakingPhoto", action)
    evaluator.evaluate(_poses(pred, action=alike), _poses(target, action=action), card)


def test_a_card_that_scales_by_limbs_takes_predictions_of_any_size():
    pred, target = _arrays()
    plain = dataclasses.replace(protocol.load("procedural"), scale="bones")
    got, same = (
        evaluator.evaluate(_poses(x), _poses(target), plain, "R")["overall"]
        for x in (pred, 0.01 * pred)
    )
    assert same == pytest.approx(got, rel=1e-9)
    limbs = skeletons.SA3DHP17.limbs
    scaled = metrics.bones_aligned(pred, target, limbs)
    again = dataclasses.replace(plain, scale="given")
    want = evaluator.evaluate(_poses(scaled), _poses(target), again, "R")["overall"]
    assert got == pytest.approx(want, rel=1e-9)
