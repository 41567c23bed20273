"""No damaged file ends in a stack trace, a hang or a crash: a short run."""

import fuzz


def test_a_few_mutants_of_every_reader_are_right_or_named():
    counts, wrong = fuzz.run(mutants=25, seed=3)
    assert not wrong, "\n".join(wrong)
    assert len(counts) >= 40
    for name, found in counts.items():
        assert sum(found.values()) == 25, name


def test_the_table_counts_by_outcome():
    counts = {"a": fuzz.collections.Counter({"right": 2, "hang": 1, "InputError": 4})}
    assert "| a | 7 | 2 | 4 | 1 |" in fuzz.table(counts)
    assert "| all | 7 | 2 | 4 | 1 |" in fuzz.table(counts)
