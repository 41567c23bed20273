"""Pictures and labels agree, and crops are those of the crop rule."""

import miniature_makehuman
import numpy as np
import pytest

from sa3dhp.geometry import crop, rotation
from sa3dhp.synthetic.people import body as bodies
from sa3dhp.synthetic.people import motion, parts, picture, scene, shot, stage

SIZES = stage.Sizes(96, 64, 0.06)
AT = bodies.SKELETON.index


@pytest.fixture
def walking(cast, skeleton, average, renderer, monkeypatch):
    """A person of red, white and blue boxes who moves to its left, in memory."""
    monkeypatch.setattr(picture, "draw", lambda rng: picture.Film())
    monkeypatch.setattr(shot, "draw_things", lambda *args: [])
    texture = np.dstack([miniature_makehuman.skin(), np.full((4, 3), 255, np.uint8)])
    vertices, weights = cast.body.shaped(average), cast.body.rig.weights
    look = dict(texture=texture, key="columns")
    renderer.load([parts.make(cast.body.skin, vertices, weights, **look)])
    rig, time = cast.body.rig, np.arange(9) / 30
    turns = {}
    for n, name in enumerate(rig.names):
        swing = 0.5 * np.sin(4 * time + n)[:, None] * [1.0, 0.2, 0.0]
        turns[name] = rotation.from_rotation_vector(swing)
    rest = {
        name: skeleton.heads[rig.index(end)] - skeleton.heads[rig.index(name)]
        for name, end in dict(
            LowerBack="Neck", LeftFoot="LeftToeBase", RightFoot="RightToeBase"
        ).items()
    }
    path = np.stack([0.5 * time, 0 * time, 0 * time], axis=-1)
    return motion.pose(rig, skeleton, motion.Capture(turns, rest, path, skeleton.leg))


def _panorama():
    return scene.lit("dark green", np.full((16, 32, 3), [0.2, 1.0, 0.2], np.float32))


def _take(posed, places, seed):
    rng = np.random.default_rng(seed)
    return list(stage.Stage(rng, posed, places, _panorama(), SIZES).take(rng))


@pytest.mark.parametrize("seed", range(6))
def test_joints_are_where_the_picture_shows_them(walking, seed) -> None:
    for taken in _take(walking, [2, 3, 4, 5, 6], seed):
        assert taken.image.shape == (96, 96, 3) and taken.image.dtype == np.uint8
        points = taken.joints @ taken.projection.T
        points = points[:, :2] / points[:, 2:]
        np.testing.assert_allclose(points, taken.keypoints, atol=1e-6)
        image = taken.image.astype(float)
        gaps = []
        for side, mine, other in (("left", 0, 2), ("right", 2, 0)):
            y, x = np.nonzero(image[..., mine] > 2 * image[..., other] + 40)
            for name in ("elbow", "knee", "ankle") if len(x) > 40 else ():
                point = points[AT(f"{side}_{name}")]
                gaps.append(np.hypot(x - point[0], y - point[1]).min())
        assert np.median(gaps) < 2.0


@pytest.mark.parametrize("seed", range(6))
def test_a_person_fills_the_networks_square_but_for_a_margin(walking, seed) -> None:
    sizes = []
    for taken in _take(walking, [2, 4, 6], seed):
        sizes.append(np.ptp(taken.keypoints, axis=0).max() / SIZES.image)
        assert (taken.keypoints > 10).all() and (taken.keypoints < 86).all()
    assert 0.65 < np.median(sizes) < 0.82


def test_one_camera_takes_a_clip_and_repeats_it(walking) -> None:
    first, again = (_take(walking, [2, 3, 4, 5, 6], 3) for _ in range(2))
    for one, same in zip(first, again):
        np.testing.assert_array_equal(one.image, same.image)
    scales = [taken.projection[0, 0] for taken in first]
    np.testing.assert_allclose(scales, scales[0])
    lengths = [
        np.linalg.norm(taken.joints[AT("left_knee")] - taken.joints[AT("left_hip")])
        for taken in first
    ]
    np.testing.assert_allclose(lengths, lengths[0])
    assert 300 < lengths[0] < 600  # mm


def test_beyond_a_picture_its_edge_is_repeated() -> None:
    whole = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    centre, side = np.array([4.0, 35.0]), 32
    expected = crop.extract(whole, centre, side, side)
    matrix = crop.matrix(centre, side, side)
    # As if more had been drawn than the picture holds.
    wide = np.pad(whole, ((40, 40), (40, 40), (0, 0)))
    drawn = crop.extract(wide, centre + 40, side, side)
    np.testing.assert_array_equal(stage.cut_off(drawn, matrix, (60, 40)), expected)
    inside = crop.extract(whole, np.array([30.0, 20.0]), 16, 16)
    matrix = crop.matrix(np.array([30.0, 20.0]), 16, 16)
    assert stage.cut_off(inside, matrix, (60, 40)) is inside


def test_a_long_exposure_blurs_what_moves(walking, monkeypatch) -> None:
    sharp, long = [], []
    for share, found in ((0.0, sharp), (1.0, long)):
        monkeypatch.setattr(stage, "_BLURRED", share)
        monkeypatch.setattr(stage, "_STILL", 0.1)
        found += _take(walking, [4], 1)
    np.testing.assert_array_equal(sharp[0].joints, long[0].joints)
    gap = np.abs(sharp[0].image.astype(int) - long[0].image)
    assert gap.max() > 10
