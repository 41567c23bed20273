"""Words on a scale: monotone, with a reason, and set by material of known error."""

import itertools

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.systems.relation_distillation import calibration, verdict

SURE = {"spread": 0.4, "prior_distance": 0.2, "acceleration": 4.0, "lcr": 0.3}
GUESS = {"spread": 0.1, "prior_distance": 0.6, "acceleration": 16.0, "lcr": 3.0}
SCALE = verdict.Scale(verdict.measures(SURE), verdict.measures(GUESS), (0.3, 0.7))


def _between(share):
    return {k: SURE[k] ** (1 - share) * GUESS[k] ** share for k in SURE}


def test_words_go_from_good_to_bad_with_the_readings():
    found = [verdict.of(_between(s), SCALE) for s in (-0.2, 0.0, 0.25, 0.5, 0.8, 1.5)]
    assert [f.words for f in found] == [
        *[verdict.GOOD] * 3,
        verdict.ROUGH,
        *[verdict.BAD] * 2,
    ]
    values = [f.badness for f in found]
    assert values == sorted(values) and values[1:4] == [0.0, 0.25, 0.5]


def test_no_measure_alone_outvotes_all_others_but_what_is_not_finite_is_bad():
    loud = {**SURE, "acceleration": 1e9}
    assert verdict.badness(loud, SCALE)["acceleration"] == 3.0
    assert verdict.of(loud, SCALE).words == verdict.BAD
    assert verdict.of({**SURE, "lcr": float("nan")}, SCALE).words == verdict.BAD
    # Relative to no spread at all everything trembles.
    assert verdict.of({**SURE, "spread": 0.0}, SCALE).words == verdict.BAD


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("prior_distance", "unlike those of people"),
        ("acceleration", "tremble"),
        ("lcr", "change with the light"),
    ],
)
def test_what_speaks_against_them_most_is_the_reason(name, words):
    found = verdict.of({**_between(0.5), name: 2 * GUESS[name]}, SCALE)
    assert words in found.reason and words in str(found)
    assert verdict.of(SURE, SCALE).reason == "" and str(verdict.of(SURE)) == "good"
    entry = found.entry()
    assert verdict.Verdict(**entry) == found


def test_words_blame_nobody_and_ask_nothing():
    texts = [*verdict.WORDS, *verdict.REASONS.values()]
    assert verdict.WORDS == ("good", "rough: trunk and legs", "do not use these poses")
    assert not any(word in text for text in texts for word in ("your", "?", "you "))


def test_some_of_the_measures_will_do():
    for kept in itertools.combinations(("prior_distance", "acceleration", "lcr"), 2):
        for readings, words in ((SURE, verdict.GOOD), (GUESS, verdict.BAD)):
            some = {k: readings[k] for k in ("spread", *kept)}
            assert verdict.of(some, SCALE).words == words
    for readings in ({}, {"spread": 0.3}, {"lcr": 1.0, "mpjpe": 3.0}):
        with pytest.raises(errors.InputError, match="expected spread and some of"):
            verdict.of(readings)
    none = verdict.Scale({}, {}, (0, 1))
    with pytest.raises(errors.InputError, match="the scale knows nothing"):
        verdict.of(SURE, none)


def test_one_video_has_no_say_in_the_light():
    alone = {**_between(0.5), "lcr": 0.0}  # eq. 1 has nobody to tell apart
    assert "lcr" not in verdict.measures(alone)
    assert verdict.of(alone, SCALE).badness == pytest.approx(0.5)
    few = {"spread": 0.3, "lcr": 0.0}
    with pytest.raises(errors.InputError, match="expected spread and some of"):
        verdict.of(few, SCALE)


def test_an_error_deserves_its_words():
    found = [verdict.deserved(mm) for mm in (60, 100, 101, 150, 151)]
    assert [verdict.WORDS.index(words) for words in found] == [0, 0, 1, 1, 2]


def _cases(noise=0.0, count=60, seed=0):
    """Errors from 50 to 250 mm, whose readings go with them, and noise."""
    rng = np.random.default_rng(seed)
    cases = []
    for error in rng.uniform(50, 250, count):
        share = (error - 75) / 125
        readings = {
            k: v * np.exp(noise * rng.normal()) for k, v in _between(share).items()
        }
        cases.append(calibration.Case(readings, float(error), "made up"))
    return cases


def test_calibration_finds_a_scale_that_gives_every_case_what_it_deserves():
    cases = _cases()
    scale = calibration.calibrate(cases)
    assert calibration.agreement(cases, scale)["right"] == 1.0
    assert set(scale.good) == set(verdict.MEASURES)
    assert calibration.agreement(_cases(seed=1), scale)["right"] > 0.9
    assert scale.good["spread"] > scale.bad["spread"]


def test_calibration_bears_noise_and_errs_on_the_strict_side():
    scale = calibration.calibrate(_cases(noise=0.3))
    found = calibration.agreement(_cases(noise=0.3, count=300, seed=2), scale)
    assert found["right"] > 0.6
    assert sum(found.values()) == pytest.approx(1.0)


def test_a_measure_that_says_nothing_or_the_opposite_is_left_out():
    cases = [
        calibration.Case(
            {**case.readings, "lcr": 1.0, "prior_distance": 30.0 / case.error_mm},
            case.error_mm,
        )
        for case in _cases()
    ]
    scale = calibration.calibrate(cases)
    assert "lcr" not in scale.good and "acceleration" in scale.good
    still = [calibration.Case({**SURE}, case.error_mm) for case in cases]
    with pytest.raises(errors.InputError, match="no measure tells good"):
        calibration.calibrate(still)


@pytest.mark.parametrize(("low", "high"), [(0, 90), (160, 300)])
def test_material_of_one_kind_is_not_enough(low, high):
    cases = [case for case in _cases() if low <= case.error_mm <= high]
    with pytest.raises(
        errors.InputError, match=r"no case deserves .*add such material"
    ):
        calibration.calibrate(cases)


@pytest.mark.parametrize("source", ["procedural", "prepared"])
def test_each_shipped_scale_is_one(source):
    scale = verdict.scale_of({"data": {"source": source}})
    assert set(scale.good) == set(scale.bad) <= set(verdict.MEASURES)
    assert 0 <= scale.cuts[0] < scale.cuts[1] <= 1
    for name in scale.good:
        assert calibration._apart(name, scale.good[name], scale.bad[name])


def test_the_scale_goes_by_what_the_networks_learnt_from():
    people = verdict.scale_of({"data": {"source": "prepared"}})
    assert people != verdict.SCALE
    for other in ({"data": {"source": "procedural"}}, {}, "c.yaml", None):
        assert verdict.scale_of(other) == verdict.SCALE
    trembling = {"spread": 0.23, "prior_distance": 0.02, "acceleration": 170.0}
    assert verdict.of(trembling, people).words == verdict.BAD
    assert verdict.of(trembling).words != verdict.BAD
