"""Drawn videos."""

import cv2
import numpy as np
import pytest
import small_video

from sa3dhp.data.videos import video
from sa3dhp.prediction import overlay, predictor
from sa3dhp.visualisation import skeleton_plot


def _made(path, **options):
    (source,) = video.discover(path)
    made = predictor.predict_video(
        small_video.Model(), source, detector=small_video.detect, **options
    )
    return source, made


def _limbs(picture) -> np.ndarray:
    """Where the orange of the right side is drawn."""
    orange = np.array(skeleton_plot._rgb(skeleton_plot.RIGHT))
    return np.argwhere((np.abs(picture.astype(int) - orange) < 8).all(axis=-1))


@pytest.mark.parametrize("size", [(160, 120), (151, 121), (1280, 720)])
def test_the_video_has_every_frame_at_its_rate(tmp_path, size) -> None:
    small_video.write(tmp_path / "v.mp4", 12, 25.0, size=size)
    source, made = _made(tmp_path / "v.mp4")
    name = overlay.write(tmp_path, source, made)
    capture = cv2.VideoCapture(str(tmp_path / name))
    assert name == "overlay.mp4" and capture.get(cv2.CAP_PROP_FPS) == 25.0
    frames = []
    while True:
        good, frame = capture.read()
        if not good:
            break
        frames.append(frame)
    assert len(frames) == 12
    height, width = frames[0].shape[:2]
    assert height % 2 == width % 2 == 0 and height <= 960
    assert width == 2 * round(size[0] * height / size[1] / 2) + height // 4 * 2


def test_the_pose_is_drawn_into_the_box_and_twice_beside(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4", 12)
    _, made = _made(tmp_path / "v.mp4")
    drawn = overlay.Drawing(made)(6, small_video.frame(6))
    assert drawn.shape == (120, 160 + 60, 3)
    inside = _limbs(drawn[:, :160])[:, ::-1]
    low, high = made.box[6].reshape(2, 2)
    longer = (high - low).max()
    middle = (low + high) / 2
    assert (np.abs(inside - middle) <= longer / 2 + 4).all()
    for half in (drawn[:60, 160:], drawn[60:, 160:]):
        assert len(_limbs(half)) and (half[:2] > 200).all()


def test_beside_the_picture_the_pelvis_keeps_its_place(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4", 12)
    _, made = _made(tmp_path / "v.mp4")
    draw = overlay.Drawing(made)
    one, other = (draw(k, small_video.frame(k))[:, 160:] for k in (2, 9))
    assert np.abs(one.astype(int) - other).mean() < 1.0  # one pose, a person who walks


def test_no_more_people_stand_beside_than_there_is_room(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4", 12, size=(640, 120), others=(200, 350, 500))
    _, made = _made(tmp_path / "v.mp4")
    assert made.num_people == 4
    drawn = overlay.Drawing(made)(3, small_video.frame(3, size=(640, 120)))
    assert drawn.shape == (120, 640 + 3 * 60, 3)


def test_a_frame_without_people_is_the_picture(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4", 12)
    _, made = _made(tmp_path / "v.mp4")
    picture = small_video.frame(0)
    drawn = overlay.Drawing(made)(99, picture)
    np.testing.assert_array_equal(drawn[:, :160], picture)
    assert (drawn[:, 160:] == 255).all()


def test_of_a_picture_a_picture_is_drawn(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), small_video.frame(0)[..., ::-1])
    source, made = _made(tmp_path / "p.png")
    assert overlay.write(tmp_path, source, made) == "overlay.png"
    drawn = cv2.imread(str(tmp_path / "overlay.png"))[..., ::-1]
    np.testing.assert_array_equal(drawn, overlay.Drawing(made)(0, small_video.frame(0)))


def test_a_video_that_breaks_off_leaves_nothing(tmp_path, monkeypatch) -> None:
    small_video.write(tmp_path / "in/v.mp4", 12)
    source, made = _made(tmp_path / "in/v.mp4")

    def broken(self, frame, picture):
        raise KeyboardInterrupt

    monkeypatch.setattr(overlay.Drawing, "__call__", broken)
    with pytest.raises(KeyboardInterrupt):
        overlay.write(tmp_path, source, made)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
