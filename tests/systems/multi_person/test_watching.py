"""Everybody in a video: who is who, where they are in the picture, what is written."""

import json

import cv2
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.videos import video
from sa3dhp.prediction import job, prediction
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.multi_person import watching

SKELETON = skeletons.SA3DHP17
BODY = np.random.default_rng(0).uniform(-400, 400, (17, 3)).astype(np.float32)
BODY -= BODY[SKELETON.root]


def test_whoever_walks_keeps_the_number_and_the_longest_seen_is_first():
    times = np.arange(20) / 10
    walks = [[100.0 * n, 0, 3000] for n in range(20)]
    stands = [[-800.0, 0, 4000]] * 20
    # The order in a frame changes; the one who stands is missed for a while.
    roots = [
        np.array([walk] if n in (0, 1, 6, 7) else [stand, walk][:: 1 - 2 * (n % 2)])
        for n, (walk, stand) in enumerate(zip(walks, stands))
    ]
    names = watching.link(roots, times)
    for n, (root, found) in enumerate(zip(roots, names)):
        for place, name in zip(root.tolist(), found):
            assert name == (0 if place == walks[n] else 1)


def test_after_too_long_a_gap_it_is_somebody_else():
    here = np.array([[0.0, 0, 3000]])
    roots = [here, here, *[here[:0]] * 10, here]
    names = watching.link(roots, np.arange(13) / 10)
    assert [x.tolist() for x in names] == [[0], [0], *[[]] * 10, [1]]


def test_nobody_anywhere_is_no_error():
    assert [x.tolist() for x in watching.link([BODY[:0]] * 3, np.arange(3))] == [[]] * 3


class _Watcher:
    """Sees one person whose place is the bright square in the picture."""

    size = 64
    skeleton = SKELETON

    def __init__(self):
        self.description = {"weights_hash": "abc", "camera": "pinhole"}

    def see(self, images):
        return [self._one(image[..., 0]) for image in images]

    def _one(self, image):
        rows, columns = np.nonzero(image > 180)
        if not len(rows):
            return BODY[None, :0], BODY[None, :0, :2], np.zeros(0)
        middle = (np.array([columns.mean(), rows.mean()]) + 0.5) / self.size
        points = np.repeat(middle[None], 17, axis=0) + BODY[:, :2] / 8000
        place = np.array([*(middle - 0.5) * 3000, 3000.0])
        return (BODY + place)[None], points[None], np.array([0.9])


def _film(path, frames=12):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (160, 90))
    for frame in range(frames):
        picture = np.zeros((90, 160, 3), np.uint8)
        cv2.rectangle(
            picture, (20 + 8 * frame, 40), (31 + 8 * frame, 51), (255,) * 3, -1
        )
        writer.write(picture)
    writer.release()
    return video.discover(path)[0]


def test_people_lie_where_the_picture_has_them(tmp_path):
    made = watching.predict_video(_Watcher(), _film(tmp_path / "a.mp4"), pictures=4)
    assert made.size == (160, 90) and made.num_people == 1 and len(made.frame) == 12
    middle = 25.5 + 8 * made.frame
    root = made.points[:, SKELETON.root]
    np.testing.assert_allclose(root[:, 0], middle, atol=1.5)
    np.testing.assert_allclose(root[:, 1], 45.5, atol=1.5)
    np.testing.assert_allclose(made.root[:, 2], 3000)
    assert not made.joints[:, SKELETON.root].any()
    np.testing.assert_allclose(made.time, made.frame / 10)
    assert len(made.tracks) == 1 and len(made.tracks[0].pictures)
    assert 0 < len(made.pictures) <= 4


def test_whoever_is_seen_for_a_moment_is_left_out(tmp_path):
    source = _film(tmp_path / "a.mp4", frames=1)
    made = watching.predict_video(_Watcher(), source)
    assert not len(made.frame) and "1 person was seen" in made.notes[0]


def test_a_folder_holds_places_in_every_file(tmp_path):
    source = _film(tmp_path / "a.mp4")
    told = job.run(
        _Watcher(),
        [source],
        tmp_path / "out",
        job.Options(),
        everybody=watching.predict_video,
    )
    assert told["sources"]["a.mp4"]["people"] == 1
    again = prediction.load(tmp_path / "out" / "poses.npz")
    assert again.root.shape == (12, 3) and again.points.shape == (12, 17, 2)
    frames = json.loads((tmp_path / "out" / "poses.json").read_text())["frames"]
    np.testing.assert_allclose(frames[3]["people"][0]["root"], again.root[3], atol=0.1)
    head = (tmp_path / "out" / "poses.csv").read_text().splitlines()[0]
    assert head.endswith("root_x,root_y,root_z")
    capture = cv2.VideoCapture(str(tmp_path / "out" / "overlay.mp4"))
    _, frame = capture.read()
    capture.release()
    # The picture, the view from above, and the pose from the front and the side.
    assert frame.shape[1] == 160 + 2 * (90 // 4 * 2)


def test_it_has_no_motions_to_smooth_by(tmp_path):
    source = _film(tmp_path / "a.mp4")
    with pytest.raises(errors.InputError, match="have no such part"):
        watching.predict_video(_Watcher(), source, smooth="motion")


def test_a_model_of_another_kind_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="--system=multi_person --stage=all"):
        watching.load(tmp_path)
