"""What the tool prints at the end: the metrics that the card reports."""

from sa3dhp.evaluation import metrics
from sa3dhp.systems.relation_distillation import outcome, report

BEFORE = {"mpjpe": 200.0, "pa_mpjpe": 150.0, "n_mpjpe": 180.0, "pck": 40.0, "auc": 20.0}
AFTER = {key: value / 2 for key, value in BEFORE.items()}


def _lines(before, after):
    result = {"source_only": before, "adapted": after, "verdict": "kept step 10"}
    return outcome.summary(result).splitlines()


def test_every_metric_is_printed_before_and_after():
    lines = _lines(BEFORE, AFTER)
    assert lines[1].split() == ["MPJPE", "(mm)", "200.0", "100.0", "-50", "%"]
    assert [line.split()[0] for line in lines[1:6]] == [
        metric.title for key, metric in metrics.METRICS.items() if key in BEFORE
    ]
    assert lines[4].split()[1] == "(%)" and lines[-1] == "kept step 10"


def test_a_card_may_report_fewer_metrics():
    lines = _lines({"pck": 40.0}, {"pck": 50.0})
    assert [line.split()[0] for line in lines if line][1:] == ["PCK", "kept"]


def test_a_new_entry_of_the_table_is_printed(monkeypatch):
    metric = metrics.Metric("across", "ACROSS", "mm", "", True, lambda *_: None)
    monkeypatch.setitem(metrics.METRICS, "across", metric)
    lines = _lines({**BEFORE, "across": 8.0}, {**AFTER, "across": 6.0})
    assert lines[6].split() == ["ACROSS", "(mm)", "8.0", "6.0", "-25", "%"]


def test_a_new_entry_of_the_table_is_explained_in_the_report(monkeypatch):
    words = "how far a joint is to the side"
    metric = metrics.Metric("across", "ACROSS", "mm", words, True, lambda *_: None)
    monkeypatch.setitem(metrics.METRICS, "across", metric)
    result = {"source_only": {"across": 8.0}, "adapted": {"across": 6.0}}
    page = report._numbers(result, adapted=True)
    assert '<td class="">ACROSS</td>' in page and words in page
    assert "2.0 mm better" in page
