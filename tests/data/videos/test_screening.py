"""Tracks of things, and tracks that go over to another person, are dropped."""

import cv2
import numpy as np
import pytest

from sa3dhp.data.videos import screening, track_sheet, video

RED, BLUE = (200, 40, 40), (40, 60, 200)


def _film(folder, count=40, *, moves=True, swap=None):
    """A figure on a patterned wall, as a folder of frames; from `swap` on another."""
    folder.mkdir()
    wall = np.random.default_rng(0).integers(60, 120, (12, 16, 3)).astype(np.uint8)
    wall = cv2.resize(wall, (160, 120))
    boxes = []
    for k in range(count):
        frame, x = wall.copy(), 40 + k * moves
        colour = RED if swap is None or k < swap else BLUE
        cv2.rectangle(frame, (x - 10, 30), (x + 10, 90), colour, -1)
        if moves:  # arms
            cv2.line(frame, (x, 45), (x + 20, 45 + 3 * (k % 8)), colour, 5)
        cv2.imwrite(str(folder / f"{k:03}.png"), frame[..., ::-1])
        boxes.append([x - 12, 28, x + 12, 92])
    (source,) = video.discover(folder)
    return source, np.array(boxes, np.float32)


def _track(source, boxes, confidence=0.6, fps=20.0):
    count = len(boxes)
    scores = np.full(count, confidence, np.float32)
    return screening.Track(
        source.name, np.arange(count), boxes, confidence, scores, fps
    )


def _screened(source, boxes, *, judge=True, **options):
    (found,) = screening.screened(
        source, [_track(source, boxes, **options)], judge=judge
    )
    return found


def test_a_person_who_moves_is_kept_with_pictures(tmp_path) -> None:
    found = _screened(*_film(tmp_path / "f"))
    assert found.dropped == ""
    assert len(found.pictures) == len(found.pictured) == screening.FEWEST
    assert found.pictured[0] == 0 and found.pictured[-1] == 39
    middle = found.pictures[:, 60:68, 62:66].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(middle, RED, atol=12)


def test_what_never_moves_is_a_thing_unless_the_detector_is_sure(tmp_path) -> None:
    source, boxes = _film(tmp_path / "f", moves=False)
    found = _screened(source, boxes)
    assert "does not move" in found.dropped
    assert screening.note(found) == (
        "a track of 2.0 s was dropped: it does not move, and the detector is not "
        "sure: a thing"
    )
    assert _screened(source, boxes, confidence=0.9).dropped == ""
    assert _screened(source, boxes, judge=False).dropped == ""


def test_too_few_pictures_cannot_tell_a_thing(tmp_path) -> None:
    source, boxes = _film(tmp_path / "f", moves=False)
    assert _screened(source, boxes[:2]).dropped == ""


def test_a_track_that_goes_over_to_another_person_is_dropped(tmp_path) -> None:
    found = _screened(*_film(tmp_path / "f", 60, swap=30), confidence=0.95)
    assert "from one person to another" in found.dropped


def test_a_reason_that_is_there_stays(tmp_path) -> None:
    source, boxes = _film(tmp_path / "f", moves=False)
    track = screening.dataclasses.replace(_track(source, boxes), dropped="low")
    (found,) = screening.screened(source, [track], judge=True)
    assert found.dropped == "low" and len(found.pictures)


def test_stillness_is_the_largest_mean_difference() -> None:
    pictures = np.zeros((5, 4, 4), np.float32)
    assert screening.stillness(pictures) == 0.0
    pictures[3, :2] = 6.0  # half of one picture
    assert screening.stillness(pictures) == pytest.approx(3.0)


def test_colours_that_come_and_go_are_no_change_and_light_counts_little() -> None:
    rng = np.random.default_rng(0)

    def picture(colour):
        noise = rng.normal(0, 4, (screening.SIDE, screening.SIDE, 3))
        return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)

    same = np.stack([picture(RED) for _ in range(12)])
    swapped = np.stack([picture(RED if k < 6 else BLUE) for k in range(12)])
    mixed = np.stack([picture(RED if k % 2 else BLUE) for k in range(12)])
    darker = np.stack([picture(np.array(RED) * (1 - 0.01 * k)) for k in range(12)])
    assert screening.change(same) < 0.1
    assert screening.change(swapped) > 0.8
    assert screening.change(mixed) < screening.CHANGED
    assert screening.change(darker) < screening.CHANGED
    assert screening.change(swapped[:5]) == 0.0  # too few to tell


def test_the_sheet_has_a_row_for_every_track(tmp_path) -> None:
    source, boxes = _film(tmp_path / "f")
    kept = _screened(source, boxes)
    dropped = screening.dataclasses.replace(kept, dropped="low confidence: 0.42 " * 5)
    none = track_sheet.draw([], [])
    one, two = track_sheet.draw([kept], []), track_sheet.draw([kept], [dropped])
    assert none.shape[1] == one.shape[1] == two.shape[1]
    assert two.shape[0] - one.shape[0] == one.shape[0] - none.shape[0] > 0
    assert (two[:, :330] == np.array(track_sheet._DROPPED)).all(-1).any()
    assert not (one[:, :330] == np.array(track_sheet._DROPPED)).all(-1).any()
    path = tmp_path / "sheet.png"
    track_sheet.write(path, [kept], [dropped])
    np.testing.assert_array_equal(cv2.imread(str(path))[..., ::-1], two)


def test_a_sheet_can_say_which_person_of_its_source_a_track_is(
    tmp_path, monkeypatch
) -> None:
    source, boxes = _film(tmp_path / "f")
    kept = _screened(source, boxes)
    lost = screening.dataclasses.replace(kept, dropped="low")
    other = screening.dataclasses.replace(kept, name="other")
    written = []
    monkeypatch.setattr(track_sheet, "_write", lambda *told: written.append(told[1]))

    def verdicts(**options):
        written.clear()
        track_sheet.draw([kept, kept, other], [lost], **options)
        return [text for text in written if text.startswith(("used", "dropped"))]

    assert verdicts() == ["dropped: low", "used", "used", "used"]
    people = ["used: person 0", "used: person 1", "used: person 0"]
    assert verdicts(numbered=True) == ["dropped: low", *people]


def test_a_sheet_of_many_tracks_shows_all_that_were_dropped(tmp_path) -> None:
    source, boxes = _film(tmp_path / "f")
    kept = _screened(source, boxes)
    row = track_sheet.draw([kept], []).shape[0] - track_sheet.draw([], []).shape[0]
    dropped = [screening.dataclasses.replace(kept, dropped="low")] * 5
    sheet = track_sheet.draw([kept] * 300, dropped)
    assert (sheet.shape[0] - track_sheet.draw([], []).shape[0]) // row == (
        track_sheet.MOST_ROWS
    )
