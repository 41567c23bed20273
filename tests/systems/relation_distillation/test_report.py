"""The report: complete, self-contained, and honest about every outcome."""

import base64
import dataclasses
import html.parser
import re

import browser
import cv2
import numpy as np
import pytest
from plotly import offline

from sa3dhp import errors
from sa3dhp.systems.relation_distillation import (
    adaptation,
    report,
    selection,
    verdict,
)

CLIP = np.random.default_rng(0).normal(size=(2, 17, 3)) * 300
IMAGES = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 3)).astype(np.uint8)
RESULT = {
    "source_only": {"mpjpe": 200.0, "pa_mpjpe": 150.0, "pck": 40.0, "auc": 20.0},
    "adapted": {"mpjpe": 100.0, "pa_mpjpe": 80.0, "pck": 70.0, "auc": 45.0},
    "target": "street",
    "protocol": "procedural",
    "protocol_hash": "26f852d490c8",
    "target_information": "R",
    "seed": 7,
    "commit": "0123abcd",
    "hardware": {"cores": 2},
}
MONITORS = [
    {"step": 0, "z3": 2.0, "v2": 1.0, "spread": 0.4, "implausibility": 20.0},
    {"step": 10, "z3": 1.2, "v2": 0.6, "spread": 0.38, "implausibility": 15.0},
    {"step": 20, "z3": 0.9, "v2": 0.5, "spread": 0.2, "implausibility": 22.0},
]
KEPT = selection.Choice(10, True, "kept step 10: because")
COURSE = adaptation.Course(KEPT, None, MONITORS, {"z3": 1.0, "v2": 0.5})


def _course(step, adapted=True, by_labels=False, other=None):
    choice = selection.Choice(step, adapted, f"kept step {step}", not by_labels)
    return dataclasses.replace(COURSE, choice=choice, label_free=other)


class _Checker(html.parser.HTMLParser):
    """Collects what a browser would load, and checks that tags are closed."""

    def __init__(self):
        super().__init__()
        self.loaded, self.open = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "input"):
            self.open.append(tag)
        self.loaded += [v for k, v in attrs if k in ("src", "href", "data", "srcset")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def _written(tmp_path, result=None, course=COURSE, strips=(), title="Report", **more):
    path = tmp_path / "report.html"
    result = RESULT if result is None else result
    report.write(path, result, course, strips=strips, title=title, **more)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


def _full(tmp_path, course=COURSE, **more):
    strips = [
        report.Strip("walk", {"before": CLIP, "after": CLIP, "truth": CLIP}, IMAGES),
        report.Strip("sit", {"before": CLIP, "after": CLIP}),
    ]
    return _written(tmp_path, course=course, strips=strips, **more)


def test_nothing_is_loaded_from_elsewhere_and_every_picture_opens(tmp_path):
    text = _full(tmp_path)
    checker = _Checker()
    checker.feed(text)
    assert not checker.open and len(checker.loaded) == 3
    for source in checker.loaded:
        head, _, data = source.partition(",")
        assert head == "data:image/png;base64"
        image = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), 1)
        assert image is not None and image.std() > 0
    ours = text.replace(offline.get_plotlyjs(), "")  # a browser looks at that
    assert len(ours) < len(text) / 5
    assert not re.search(r"https?://|@import|url\(|<script src", ours)


@browser.needed
def test_in_a_browser_all_of_it_is_there_and_moves(tmp_path):
    text = _full(tmp_path)
    told = browser.scrubbed(text, tmp_path / "watched.html")
    assert (told["errors"], told["loaded"], told["broken"]) == ([], [], 0)
    assert told["frames"] == 2 and told["moved"]
    assert told["names"] == ["before", "after", "truth"]


def test_headline_numbers_reason_and_origin_are_there(tmp_path):
    text = _full(tmp_path, notes=["2 clips were skipped."])
    for words in (
        "lowered the mean joint error on unseen clips of the target (street): from "
        "200 mm to 100 mm (\N{MINUS SIGN}50 %).",
        "Kept step 10: because.",
        "+30.0 points better",
        "2 clips were skipped.",
        "at step 10",
        "mirror and turn the picture",
        "R: raw RGB of the target",
        "26f852d490c8",
        "cores: 2",
        "tf.saved_model.load",
        "<title>Report</title>",
    ):
        assert words in text, words


def test_a_worse_result_is_called_worse(tmp_path):
    worse = {**RESULT, "adapted": {**RESULT["source_only"], "mpjpe": 220.0}}
    text = _written(tmp_path, worse)
    assert "did not lower" in text and "do not use the adapted model" in text
    assert "+20.0 mm worse" in text


def test_a_source_model_that_was_kept_is_said_to_be_kept(tmp_path):
    text = _full(tmp_path, _course(0, adapted=False))
    assert "The source model was kept: its mean joint error" in text
    assert 'class="verdict kept"' in text


def test_where_nothing_changed_there_is_no_before_and_after(tmp_path):
    text = _full(tmp_path, _course(0, adapted=False))
    assert "What the model sees</h2>" in text and "Before and after" not in text
    assert "at step" not in text and ">adapted</th>" not in text
    text = _full(tmp_path)
    assert "Before and after</h2>" in text and ">adapted</th>" in text


def test_one_reading_is_no_curve(tmp_path):
    course = dataclasses.replace(_course(0, adapted=False), history=MONITORS[:1])
    assert "How it went" not in _written(tmp_path, course=course)


def test_the_readings_stand_beside_their_scale(tmp_path):
    seen = {"spread": 0.3, "prior_distance": 0.12, "acceleration": 30.0}
    history = [{**row, **seen} for row in MONITORS]
    course = dataclasses.replace(COURSE, history=history)
    told = verdict.of(course.kept)
    page = _written(tmp_path, {**RESULT, "poses": told.entry()}, course)
    table = page.split("Of what use the poses are</h2>")[1].split("</table>")[0]
    for words in ("0.4</td>", "0.22</td>", "0.635</td>", verdict.REASONS["spread"]):
        assert words in table, words  # 0.12 / 0.3, and the two ends of its scale
    assert f"lie at {told.badness:.2f}" in table
    assert "Of what use" not in _written(tmp_path)  # without a verdict


def test_without_ground_truth_no_error_is_claimed(tmp_path):
    blind = {"target": "street", "target_information": "R"}
    assert "25 % more plausible" in report.headline(blind, _course(10))
    assert "10 % less plausible" in report.headline(blind, _course(20))
    assert "no error in mm" in report.headline(blind, _course(10))
    assert "no error in mm" in report.headline(blind, _course(0, adapted=False))
    page = _written(tmp_path, blind)
    assert "The numbers</h2>" not in page and " mm to " not in page


def test_a_step_chosen_by_labels_is_called_research(tmp_path):
    assert "No label was used" in _full(tmp_path)
    text = _full(tmp_path, _course(20, by_labels=True))
    assert "No label was used" not in text and "a run for research" in text


def test_what_the_choice_without_labels_would_have_been_is_said(tmp_path):
    assert "Without a label" not in _full(tmp_path)
    text = _full(tmp_path, _course(20, by_labels=True, other=KEPT))
    assert "Kept step 20. Without a label: kept step 10: because." in text


def test_text_of_the_user_is_escaped(tmp_path):
    result = {**RESULT, "config": "<b>&.yaml", "target": "<i>"}
    text = _written(tmp_path, result, title="<script>", notes=["a < b"])
    assert "<script>" not in text and "&lt;script&gt;" in text
    assert "&lt;b&gt;&amp;.yaml" in text and "a &lt; b" in text
    assert "<i>" not in text and "&lt;i&gt;" in text


def test_readings_that_are_not_finite_do_not_stop_the_report(tmp_path):
    history = [{**MONITORS[0], "prior": float("nan")}, {"step": 10, "z3": 1.0}]
    course = dataclasses.replace(COURSE, history=history)
    assert "How it went" in _written(tmp_path, course=course)


def test_a_report_that_fails_leaves_the_old_one(tmp_path):
    old = _written(tmp_path)
    bad = [report.Strip("x", {"before": CLIP, "after": CLIP[:1]})]
    path = tmp_path / "report.html"
    with pytest.raises(errors.InputError, match="as many of each row"):
        report.write(path, RESULT, COURSE, strips=bad, title="")
    assert path.read_text(encoding="utf-8") == old
    with pytest.raises(errors.InputError, match="make it first"):
        report.write(tmp_path / "no" / "r.html", RESULT, COURSE, strips=[], title="")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (verdict.GOOD, "verdict"),
        (verdict.ROUGH, "verdict kept"),
        (verdict.BAD, "verdict bad"),
    ],
)
def test_the_report_says_of_what_use_the_poses_are(tmp_path, words, kind):
    told = verdict.Verdict(words, "" if words == verdict.GOOD else "they tremble", 0.5)
    page = _written(tmp_path, {**RESULT, "poses": told.entry()})
    assert f'<p class="{kind}">The poses on the target: {told}.' in page
