"""Where clips are cut out of labelled pictures, and what is left out."""

import dataclasses
import functools

import miniature
import numpy as np
import pytest

from sa3dhp.data import calibration, schema
from sa3dhp.data.preparing import cutting, units
from sa3dhp.data.videos import people, screening

SETTINGS = units.Settings(96, 64)


def _frames(count=130, **changes) -> schema.Frames:
    """A person 4 m away who stands and drifts."""
    joints = np.tile(miniature.person(3, 1), (count, 1, 1))
    joints = joints * [1, -1, -1] + [0, 0, 4000.0]
    joints = joints + np.arange(count)[:, None, None] * [1.0, 0, 0]
    matrix = calibration.pinhole(500.0, 500.0, 250.0, 250.0)
    fields = dict(
        frame_numbers=np.arange(1, count + 1),
        video="a.mp4",
        video_indices=np.arange(count),
        joints=joints,
        camera=calibration.Camera("a", matrix, (500, 500)),
        fps=30.0,
    )
    return schema.Frames("a", "sa3dhp17", **{**fields, **changes})


def test_a_run_is_covered_by_clips_that_may_overlap() -> None:
    cuts = cutting.cuts(_frames(100), False, units.Report())
    assert [(cut.rows[0], cut.rows[-1]) for cut in cuts] == [(0, 59), (40, 99)]
    assert [cut.name for cut in cuts] == ["a+1", "a+41"]


def test_clips_do_not_cross_gaps_and_jumps() -> None:
    frames, report = _frames(200), units.Report()
    frames.joints[80:] += 900.0
    frames = frames.select(np.r_[0:130, 133:200])
    cuts = cutting.cuts(frames, False, report)
    numbers = [frames.frame_numbers[cut.rows] for cut in cuts]
    assert len(cuts) == 3  # 80 frames, 50 forth and back, 67
    for shown in numbers:
        assert not {80, 81} <= set(shown) and not {130, 134} <= set(shown)
    assert report.counts == {"jumps of the capture, where a video was cut": 1}


def test_what_is_shorter_than_a_second_is_left_out_and_counted() -> None:
    report = units.Report()
    assert cutting.cuts(_frames(29), False, report) == []
    assert report.counts == {"pictures in runs of less than a second, left out": 29}
    assert len(cutting.cuts(_frames(29), True, report)) == 29


def test_people_behind_the_camera_have_no_picture() -> None:
    frames, report = _frames(70), units.Report()
    frames.joints[3, :, 2] -= 4000.0
    assert len(cutting.cuts(frames, True, report)) == 69
    assert report.counts == {"pictures without a usable box, left out": 1}


def test_a_box_holds_the_joints_and_the_flesh_around_them() -> None:
    frames = _frames(5)
    boxes, usable = cutting.boxes(frames)
    points = frames.camera.project(frames.joints)
    assert usable.all()
    flesh = points.min(1) - boxes[:, :2]
    np.testing.assert_allclose(flesh, 60 * 500 / 4000, rtol=0.05)
    np.testing.assert_allclose(boxes[:, 2:] - points.max(1), flesh, rtol=1e-5)


def test_the_box_of_smpl_reaches_to_the_top_of_the_head() -> None:
    """Its highest joint is the base of the skull."""
    frames = _frames(5)
    smpl = miniature.expand(frames.joints.astype(np.float64), "smpl24")
    other = dataclasses.replace(frames, skeleton="smpl24", joints=smpl, mask=None)
    ours, theirs = cutting.boxes(frames)[0], cutting.boxes(other)[0]
    np.testing.assert_allclose(theirs[:, 1], ours[:, 1], atol=8)


def test_a_mask_keeps_junk_out_of_the_box() -> None:
    frames = _frames(5)
    points = frames.camera.project(frames.joints)
    mask = np.ones(points.shape[:2], bool)
    points[2, 4], mask[2, 4] = (9000.0, -9000.0), False
    flat = dataclasses.replace(
        frames, joints=None, camera=None, keypoints=points, mask=mask
    )
    boxes, usable = cutting.boxes(flat)
    assert usable.all() and np.abs(boxes[2]).max() < 600
    mask[3] = False
    assert not cutting.boxes(dataclasses.replace(flat, mask=mask))[1][3]


def test_unknown_joints_do_not_spoil_the_box() -> None:
    frames = _frames(5)
    mask = np.ones(frames.joints.shape[:2], bool)
    mask[:, 4] = mask[3] = False
    frames.joints[~mask] = np.nan
    boxes, usable = cutting.boxes(dataclasses.replace(frames, mask=mask))
    assert usable.tolist() == [True, True, True, False, True]
    assert np.isfinite(boxes[usable]).all()


def test_a_clip_without_one_of_its_pictures_is_left_out_and_counted() -> None:
    frames, report = _frames(120), units.Report()
    cuts = cutting.cuts(frames, False, report)
    picture = np.zeros((500, 500, 3), np.uint8)
    stream = ((row, None if row == 70 else picture) for row in range(120))
    describe = functools.partial(cutting.label, frames)
    made = list(cutting.payloads(cuts, stream, describe, SETTINGS, report))
    assert len(made) == 60 == report.records and report.clips == 1
    assert list(report.counts.values()) == [1]


def test_a_track_in_a_video_is_cut_as_for_adaptation() -> None:
    boxes = np.tile(np.float32([10, 10, 40, 90]), (130, 1))
    scan = people.Scan(
        [screening.Track("a.mp4", np.arange(130), boxes, 1.0, np.ones(130), 30.0)],
        4.3,
        [],
    )
    cuts = cutting.scan_cuts(scan)
    assert [cut.rows[0] for cut in cuts] == [0, 70]
    assert cuts[0].side == pytest.approx(1.25 * 80)
