"""The page of a prediction."""

import dataclasses
import json
import re

import browser
import numpy as np
import pytest

from sa3dhp.prediction import prediction, report
from sa3dhp.visualisation import turntable


@pytest.fixture
def made():
    """Person 0 in frames 0 to 3, person 1 in frames 2 and 3."""
    rng = np.random.default_rng(0)
    return prediction.Prediction(
        joints=rng.normal(0, 300, (6, 17, 3)).astype(np.float32),
        frame=np.array([0, 1, 2, 2, 3, 3]),
        time=np.array([0, 1, 2, 2, 3, 3]) / 25,
        person=np.array([0, 0, 0, 1, 0, 1]),
        box=rng.uniform(0, 99, (6, 4)).astype(np.float32),
        confidence=np.full(6, 0.5, np.float32),
        skeleton="sa3dhp17",
        fps=25.0,
        size=(160, 120),
        source="<walk>.mp4",
        model="procedural",
        model_hash="abc",
        bridged=np.array([0, 1, 0, 0, 0, 0], bool),
        notes=("frame rate assumed",),
    )


TOLD = {"model": "procedural", "notes": ["use blazepose"], "poses": "", "commit": "ab1"}


def _page(tmp_path, predictions, **more):
    sources = {"x.mp4": {"skipped": "cannot be decoded"}}
    report.write(tmp_path / "r.html", predictions, {**TOLD, "sources": sources, **more})
    return (tmp_path / "r.html").read_text(encoding="utf-8")


def test_who_is_not_in_a_frame_is_not_shown_in_it(made):
    clip = report.clip(made, 300)
    assert list(clip.poses) == ["person 0", "person 1"]
    np.testing.assert_array_equal(clip.poses["person 0"], made.joints[made.person == 0])
    second = clip.poses["person 1"]
    assert np.isnan(second[:2]).all()
    np.testing.assert_array_equal(second[2:], made.joints[[3, 5]])
    assert clip.times == [f"frame {k}, {k / 25:.2f} s" for k in range(4)]
    assert (clip.pictures, clip.fps) == ((), 25.0)


def test_of_a_long_one_some_frames_are_shown_at_its_speed(made):
    clip = report.clip(made, 2)
    assert clip.times == ["frame 0, 0.00 s", "frame 2, 0.08 s"] and clip.fps == 12.5


def test_pictures_are_shown_beside_their_frames(made):
    pictured = dataclasses.replace(made, pictures={1: b"one", 3: b"three"})
    clip = report.clip(pictured, 300)
    assert list(clip.pictures) == [b"one", b"three"]
    assert [time.split(",")[0] for time in clip.times] == ["frame 1", "frame 3"]


def test_the_page_says_who_was_seen_and_how_it_came_about(made, tmp_path):
    page = _page(tmp_path, [made])
    for words in (
        "6 poses of 2 people in 1 source.",
        "&lt;walk&gt;.mp4, person 0",
        "25 %",  # one of four was bridged
        "&lt;walk&gt;.mp4: frame rate assumed",
        "x.mp4: skipped, cannot be decoded",
        "use blazepose",
        "y down, z away from the camera",
        "ab1",
        "There is no truth here",
    ):
        assert words in page, words
    assert "<walk>" not in page.replace("\\u003cwalk>", "")
    data = re.search(r'<script type="application/json">(.*?)</script>', page, re.S)
    (clip,) = json.loads(data[1])
    assert len(clip["times"]) == 4 and clip["pictures"] == []


@browser.needed
@pytest.mark.parametrize("pictured", [True, False])
def test_in_a_browser_all_of_it_is_there_and_moves(made, tmp_path, pictured):
    small = {
        k: turntable.jpeg(np.full((20, 30, 3), 60 * k, np.uint8)) for k in range(4)
    }
    made = dataclasses.replace(made, pictures=small if pictured else {})
    told = browser.scrubbed(_page(tmp_path, [made]), tmp_path / "watched.html")
    assert (told["errors"], told["loaded"], told["broken"]) == ([], [], 0)
    assert told["frames"] == 4 and told["moved"]
    assert told["names"] == ["person 0", "person 1"]


def test_what_an_adapted_model_is_good_for_is_said(made, tmp_path):
    page = _page(tmp_path, [made], poses="rough: trunk and legs")
    assert "adapted to: rough: trunk and legs" in page and "no truth here" not in page


def test_nobody_is_a_page_too(made, tmp_path):
    rows = {name: getattr(made, name)[:0] for name in prediction.ROWS}
    page = _page(tmp_path, [dataclasses.replace(made, **rows)])
    assert "No person was found." in page and "<script>" not in page


def test_many_sources_share_the_room_for_pictures():
    assert report.budget(1) == 300 and report.budget(6) == 100
    assert report.budget(10_000) == 1
