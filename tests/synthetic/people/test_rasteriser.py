"""What is drawn is where it is, lit from where the light is, and repeats."""

import dataclasses

import miniature_makehuman
import numpy as np
import pytest

from sa3dhp.geometry import camera
from sa3dhp.synthetic.people import body as bodies
from sa3dhp.synthetic.people import motion, parts, person, rasteriser, scene, shot

SIZE = 96
AT = bodies.SKELETON.index
EYE = np.array([0.0, 1.0, 4.0])  # in front of a person at the origin


def _view(rotation=None, eye=EYE, focal=80.0):
    if rotation is None:
        rotation = camera.world_to_camera(0.0)
    intrinsics = camera.intrinsics(focal, (SIZE, SIZE))
    return rasteriser.View(intrinsics, rotation, eye, SIZE, np.ones(3))


def _room(picture, yaw=0.0):
    panorama = scene.lit(str(picture.sum()), picture.astype(np.float32))
    return rasteriser.Room(panorama, yaw, np.array([0.0, 1.0, 0.0]), 50.0, 0.0, 1.0)


def _grey():
    return np.full((32, 64, 3), 1.0)


@pytest.fixture
def standing(cast, skeleton, average, renderer):
    """A person of red, white and blue boxes on the floor, in memory; its bones."""
    picture = np.dstack([miniature_makehuman.skin(), np.full((4, 3), 255, np.uint8)])
    vertices = cast.body.shaped(average)
    weights = cast.body.rig.weights
    part = parts.make(cast.body.skin, vertices, weights, texture=picture, key="columns")
    renderer.load([part])
    count = len(cast.body.rig.names)
    turns = np.tile(np.eye(3), (1, count, 1, 1))
    joints = (skeleton.joints - [0.0, skeleton.sole, 0.0])[None]
    return motion.Posed(
        turns, np.tile([0.0, -skeleton.sole, 0.0], (1, count, 1)), joints
    )


def _draw(renderer, posed, view, room, things=()):
    image = renderer.draw(
        person.bone_matrices(posed, 0),
        view,
        room,
        spheres=shot.spheres(posed.joints[0]),
        things=things,
    )
    assert image.dtype == np.uint8 and image.shape == (SIZE, SIZE, 3)
    return (image / 255.0) ** 2  # linear, but for the shoulder


def _middle(mask: np.ndarray) -> np.ndarray:
    """The middle pixel (x, y) of a mask."""
    y, x = np.nonzero(mask)
    return np.array([x.mean(), y.mean()])


def _red(image):
    return image[..., 0] > 3 * image[..., 2] + 0.05


def _blue(image):
    return image[..., 2] > 3 * image[..., 0] + 0.05


@pytest.mark.parametrize("yaw", [0.0, 0.5, np.pi])
def test_each_side_is_drawn_where_its_joints_are(renderer, standing, yaw) -> None:
    rotation = camera.world_to_camera(yaw, 0.1)
    eye = np.array([0.0, 0.9, 0.0]) - rotation.T @ [0.1, -0.1, 4.0]
    view = _view(rotation, eye)
    image = _draw(renderer, standing, view, _room(_grey()))
    seen = (standing.joints[0] - eye) @ rotation.T @ view.intrinsics.T
    points = seen[:, :2] / seen[:, 2:]
    for side, mask in (("left", _red(image)), ("right", _blue(image))):
        mine = [
            points[AT(f"{side}_{name}")]
            for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        ]
        gap = np.abs(_middle(mask) - np.mean(mine, axis=0))
        assert mask.sum() > 80 and gap.max() < 4.0
        for point in mine:  # each joint lies in, or beside, its side's boxes
            y, x = np.nonzero(mask)
            assert np.hypot(x - point[0], y - point[1]).min() < 4.0


def test_the_same_is_drawn_twice(renderer, standing) -> None:
    first, second = (
        _draw(renderer, standing, _view(), _room(_grey())) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_exposure_rises_to_white(renderer, standing) -> None:
    levels = []
    for gain in (0.05, 0.2, 1.0, 10.0):
        view = dataclasses.replace(_view(), gain=np.full(3, gain))
        image = 255 * np.sqrt(_draw(renderer, standing, view, _room(_grey())))
        levels.append(np.median(image[:20]))  # the room, of radiance 1
    assert (np.diff(levels) > 0).all() and levels[-1] == 255
    assert 95 < levels[1] < 125  # mid grey


@pytest.mark.parametrize("yaw", [0.0, 0.3, -0.4])
def test_a_panorama_is_seen_where_it_lies(renderer, standing, yaw) -> None:
    """A red spot in its middle column, which lies towards -z, turned by a yaw."""
    picture = _grey()
    picture[12:14, 31:33] = [8.0, 0.1, 0.1]
    image = _draw(renderer, standing, _view(focal=60.0), _room(picture, yaw))
    there = scene.directions(32)[12:14, 31:33].mean((0, 1))
    turn = np.array(
        [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    )
    view = _view(focal=60.0)
    middle = np.array([0.0, 1.0, 0.0])
    point = middle + 50.0 * turn @ there / np.linalg.norm(there)
    seen = view.intrinsics @ view.rotation @ (point - view.eye)
    spot = image[..., 0] > 2.0 * image[..., 1]
    spot &= ~_red(image) | (image[..., 0] > 1.5)
    assert np.abs(_middle(spot) - seen[:2] / seen[2]).max() < 2.5


def test_light_comes_from_its_side_and_throws_a_shadow(renderer, standing) -> None:
    picture = 0.05 * _grey()
    picture[8, 47:49] = 400.0  # high, towards +x
    room = _room(picture)
    assert room.panorama.towards[0] > 0.5
    image = _draw(renderer, standing, _view(), room)
    head = image[26:34]  # the white head
    white = (head.min(-1) > 0.02) & (np.abs(head[..., 0] - head[..., 2]) < 0.3)
    assert white.any()
    steep = camera.world_to_camera(0.0, 1.2)
    eye = np.array([0.0, 0.9, 0.0]) - steep.T @ [0.0, 0.0, 6.0]
    floor = _draw(renderer, standing, _view(steep, eye, 60.0), room).mean(-1)
    seen = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]) - eye  # right and left of it
    points = seen @ steep.T @ _view(steep, eye, 60.0).intrinsics.T
    (xr, yr), (xl, yl) = np.rint(points[:, :2] / points[:, 2:]).astype(int)
    shadow = floor[yl - 8 : yl + 9, xl - 8 : xl + 9].min()
    assert shadow < 0.7 * np.median(floor[yr - 8 : yr + 9, xr - 8 : xr + 9])


def test_the_side_towards_the_light_is_brighter(renderer, standing) -> None:
    head = (standing.joints[0, AT("head_top")] + standing.joints[0, AT("neck")]) / 2
    near = _view(eye=np.array([0.0, head[1] + 0.05, 2.0]), focal=200.0)
    left, right = [], []  # of the picture
    for column in (47, 15):  # from +x, which is right in the picture; from -x
        picture = 0.05 * _grey()
        picture[14, column : column + 2] = 400.0
        image = _draw(renderer, standing, near, _room(picture))[SIZE // 2 - 3 :][:6]
        left.append(image[:, SIZE // 2 - 6 :][:, :3].mean())
        right.append(image[:, SIZE // 2 + 3 :][:, :3].mean())
    assert right[0] > 1.1 * left[0] and left[1] > 1.1 * right[1]


def test_a_thing_in_front_hides_and_one_behind_does_not(renderer, standing) -> None:
    free = _draw(renderer, standing, _view(), _room(_grey()))
    counts = []
    for z in (1.5, -1.5):
        model = np.diag([0.8, 0.5, 0.1, 1.0])
        model[:3, 3] = [0.0, 1.0, z]
        thing = rasteriser.Thing(model, np.full((2, 3), [0.0, 0.5, 0.0]), np.zeros(3))
        image = _draw(renderer, standing, _view(), _room(_grey()), [thing])
        green = image[..., 1] > 3 * image[..., 0] + 0.02
        assert green.sum() > 150
        counts.append(_red(image).sum())
    assert counts[0] < 0.7 * _red(free).sum() < counts[1] + 20


def test_patterns_change_a_thing(renderer, standing) -> None:
    model = np.diag([0.8, 0.5, 0.1, 1.0])
    model[:3, 3] = [0.0, 1.0, 1.5]
    colours = np.array([[0.1] * 3, [0.8] * 3])
    spread = [
        _draw(
            renderer, standing, _view(), _room(_grey()),
            [rasteriser.Thing(model, colours, np.array([n, 0.0, 0.0]))],
        )[44:52, 30:66].std()
        for n in (0.0, 4.0)
    ]  # fmt: skip
    assert spread[1] > spread[0] + 0.1


def test_textures_are_recoloured_and_cut(renderer, standing, cast, average) -> None:
    vertices, weights = cast.body.shaped(average), cast.body.rig.weights
    look = dict(texture=np.full((2, 2, 4), 128, np.uint8), key="half")
    for change, seen in (
        (dict(recolour=(4.0, 0.0, 0.0, 1.0)), True),
        (dict(cut=0.6), False),
    ):
        made = parts.make(cast.body.skin, vertices, weights, **look, **change)
        renderer.load([made])
        image = _draw(renderer, standing, _view(), _room(_grey()))
        assert (_red(image).sum() > 100) == seen
