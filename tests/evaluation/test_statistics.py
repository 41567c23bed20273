"""The bootstrap says what a slow loop says, and no more than it may."""

import numpy as np
import pytest

from sa3dhp.errors import InputError
from sa3dhp.evaluation import statistics


def _errors(seed, shift=0.0, noise=10.0, count=40):
    rng = np.random.default_rng(seed)
    before = rng.uniform(80, 300, count)
    return before, before + shift + rng.normal(0, noise, count)


def test_interval_is_that_of_a_slow_loop():
    """Of many draws, for the fast one draws in another order."""
    pairs = [_errors(0, count=5), _errors(1, shift=8.0, count=7)]
    before, after = zip(*pairs)
    found = statistics.paired_change(before, after)
    rng = np.random.default_rng(3)
    drawn = []
    for _ in range(20_000):
        means = []
        for seed in rng.integers(2, size=2):
            change = pairs[seed][1] - pairs[seed][0]
            means.append(np.mean(change[rng.integers(len(change), size=len(change))]))
        drawn.append(np.mean(means))
    np.testing.assert_allclose(
        [found.low, found.high], np.percentile(drawn, [2.5, 97.5]), atol=0.3
    )
    plain = np.mean([np.mean(a - b) for b, a in pairs])
    assert found.mean == pytest.approx(plain)


def test_one_good_seed_among_bad_ones_proves_nothing():
    before, _ = _errors(0)
    after = [before - 30.0, before + 1.0, before + 2.0]
    assert statistics.paired_change([before] * 3, after).verdict == "not significant"
    after = [before - 30.0, before - 25.0, before - 20.0]
    found = statistics.paired_change([before] * 3, after)
    assert found.verdict == "improves" and (found.low, found.high) == (-30.0, -20.0)


def test_pairs_show_what_the_spread_of_people_would_hide():
    before, _ = _errors(0)
    found = statistics.paired_change([before], [before - 3.0])
    assert found.mean == pytest.approx(-3) and found.verdict == "improves"
    assert statistics.paired_change([before], [before + 3]).verdict == "worsens"
    shuffled = np.random.default_rng(0).permutation(before) - 3.0
    assert statistics.paired_change([before], [shuffled]).verdict == "not significant"


def test_nothing_changed_is_called_so():
    before, _ = _errors(0)
    assert statistics.paired_change([before], [before]).verdict == "unchanged"


def test_chance_is_rarely_called_an_improvement():
    verdicts = []
    for seed in range(300):
        before, after = _errors(seed)
        found = statistics.paired_change([before], [after], resamples=400, seed=seed)
        verdicts.append(found.verdict)
    assert 0.85 < verdicts.count("not significant") / len(verdicts) < 0.99


def test_nothing_is_claimed_of_a_few_sequences():
    before, _ = _errors(0, count=5)
    found = statistics.paired_change([before], [before - 3.0])
    assert found.high < 0 and found.verdict == "too few sequences"
    found = statistics.paired_change([before] * 2, [before - 3.0] * 2)
    assert found.verdict == "improves" and found.count == 10


def test_repeats_for_a_seed():
    pair = _errors(0)
    first = statistics.paired_change(*([x] for x in pair))
    assert first == statistics.paired_change(*([x] for x in pair))
    assert first != statistics.paired_change(*([x] for x in pair), seed=1)


@pytest.mark.parametrize("after", [[], [np.zeros(3)], [np.zeros(4), np.zeros(4)]])
def test_other_sequences_are_refused(after):
    with pytest.raises(InputError, match="expected the same"):
        statistics.paired_change([np.zeros(4)], after)


def test_spread_is_median_and_extremes():
    assert statistics.spread([3.0, 1.0, 9.0]) == statistics.Spread(3.0, 1.0, 9.0)
