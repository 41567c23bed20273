"""The algebra of the rules on images, and their agreement with poses in pixels."""

import subprocess
import sys

import cv2
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.geometry import camera, pictures
from sa3dhp.skeleton import skeleton, transforms

BODY = skeleton.SA3DHP17


def _smooth(*shape: int, size: tuple = (40, 40), seed: int = 0) -> np.ndarray:
    """Random images without detail finer than bilinear sampling can carry."""
    noise = np.random.default_rng(seed).normal(size=(*shape, *size, 3))
    flat = noise.reshape(-1, *size, 3)
    blurred = [cv2.GaussianBlur(one, (0, 0), 4) for one in flat]
    return np.reshape(blurred, noise.shape).astype(np.float32)


def _inner(images: np.ndarray) -> np.ndarray:
    """What a rotation cannot fill from beyond the border: the middle third."""
    h, w = images.shape[-3:-1]
    return np.asarray(images)[..., h // 3 : h - h // 3, w // 3 : w - w // 3, :]


def _spots(keypoints: np.ndarray, size: tuple) -> np.ndarray:
    """Draws a soft spot in a channel of its own at each keypoint `[J, 2]`."""
    y, x = np.mgrid[: size[0], : size[1]]
    squared = (x[..., None] - keypoints[:, 0]) ** 2 + (
        y[..., None] - keypoints[:, 1]
    ) ** 2
    return np.exp(-squared / (2 * 1.5**2)).astype(np.float32)


def _centres(images: np.ndarray) -> np.ndarray:
    """Centre of mass of each channel, `[J, 2]` pixels (x, y)."""
    y, x = np.mgrid[: images.shape[0], : images.shape[1]]
    mass = images.sum((0, 1))
    return np.stack(
        [(images * grid[..., None]).sum((0, 1)) / mass for grid in (x, y)], axis=-1
    )


def _disc(size: tuple) -> np.ndarray:
    """`[H, W, 1]`, True where no rotation needs pixels from beyond the border."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in size)
    return (np.hypot(y[:, None], x) < min(size) / 2 - 1)[..., None]


@pytest.mark.parametrize("size", [(64, 64), (48, 80), (65, 64)])
@pytest.mark.parametrize("angle", [np.radians(50), -0.7, np.pi / 2, 3.0])
def test_image_of_rotated_joints_is_the_rotated_image(size, angle) -> None:
    joints = np.random.default_rng(0).uniform(-90, 90, (17, 3)).astype(np.float32)

    def render(joints: np.ndarray) -> np.ndarray:
        width_height = (size[1], size[0])
        pixels = camera.project_orthographic(np.asarray(joints), 0.12, width_height)
        return _spots(pixels, size)

    want = render(transforms.rotate_in_plane(joints, angle)) * _disc(size)
    got = pictures.rotate_in_plane(render(joints), angle).numpy() * _disc(size)
    np.testing.assert_allclose(_centres(got), _centres(want), atol=0.02)
    assert np.abs(got - want).max() < 0.12  # bilinear sampling flattens the peaks


@pytest.mark.parametrize("size", [(64, 64), (48, 80), (65, 63)])
def test_image_of_flipped_joints_is_the_flipped_image(size) -> None:
    joints = np.random.default_rng(0).uniform(-100, 100, (17, 3)).astype(np.float32)

    def render(joints: np.ndarray) -> np.ndarray:
        width_height = (size[1], size[0])
        pixels = camera.project_orthographic(np.asarray(joints), 0.12, width_height)
        return _spots(pixels, size)

    # A spot per joint is not blind to sides: swap the channels as the joints.
    want = render(transforms.flip(joints, BODY))
    got = pictures.flip(render(joints))[..., list(BODY.flip_indices)]
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_quarter_turn_is_clockwise_and_exact() -> None:
    images = np.random.default_rng(0).uniform(size=(2, 12, 12, 3)).astype(np.float32)
    got = pictures.rotate_in_plane(images, np.pi / 2).numpy()
    np.testing.assert_allclose(got, np.rot90(images, -1, axes=(1, 2)), atol=1e-5)
    half = pictures.rotate_in_plane(images, np.pi).numpy()
    np.testing.assert_allclose(half, images[:, ::-1, ::-1], atol=1e-5)


def test_no_angle_changes_nothing() -> None:
    images = _smooth(2)
    np.testing.assert_array_equal(pictures.rotate_in_plane(images, 0.0), images)


def test_matches_an_independent_warp() -> None:
    images, angle = _smooth(1)[0], 0.6
    turn = cv2.getRotationMatrix2D((19.5, 19.5), -np.degrees(angle), 1.0)
    want = cv2.warpAffine(images, turn, (40, 40), borderMode=cv2.BORDER_REFLECT)
    got = pictures.rotate_in_plane(images, angle).numpy()
    np.testing.assert_allclose(got, want, atol=0.01 * np.ptp(images))


def test_corners_mirror_the_border() -> None:
    images = np.full((1, 16, 16, 1), 0.7, np.float32)
    got = pictures.rotate_in_plane(images, np.radians(45))
    np.testing.assert_allclose(got, 0.7, atol=1e-5)


def _warped(image: np.ndarray, angle: float) -> np.ndarray:
    """One picture `[H, W, C]` turned pixel by pixel, float64; the slow reference."""
    height, width, _ = image.shape
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    cos, sin = np.cos(angle), np.sin(angle)
    back = np.array([[cos, sin], [-sin, cos]])  # a turn by -angle: x towards y

    def at(x: int, y: int) -> np.ndarray:
        # The border repeats its own pixel: d c b a | a b c d | d c b a.
        folded = []
        for value, extent in ((x, width), (y, height)):
            value = value % (2 * extent)
            folded.append(min(value, 2 * extent - 1 - value))
        return image[folded[1], folded[0]].astype(np.float64)

    out = np.zeros(image.shape)
    for row in range(height):
        for column in range(width):
            x, y = back @ (np.array([column, row]) - middle) + middle
            left, top = int(np.floor(x)), int(np.floor(y))
            a, b = x - left, y - top
            out[row, column] = (1 - b) * (
                (1 - a) * at(left, top) + a * at(left + 1, top)
            ) + b * ((1 - a) * at(left, top + 1) + a * at(left + 1, top + 1))
    return out


@pytest.mark.parametrize("size", [(12, 12), (9, 14), (15, 8)])
@pytest.mark.parametrize("angle_deg", [50, -50, 131, -8])
def test_turn_is_bilinear_about_the_centre_with_a_mirrored_border(
    size, angle_deg
) -> None:
    images = _smooth(2, size=size)
    angle = np.radians(angle_deg)
    want = [_warped(image, angle) for image in images]
    got = pictures.rotate_in_plane(images, angle)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_turning_warns_of_nothing() -> None:
    program = (
        "import sys; from sa3dhp.geometry import pictures; import numpy as np;"
        "assert 'tensorflow_addons' not in sys.modules;"
        "pictures.rotate_in_plane(np.zeros((4, 4, 3), np.float32), 0.1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Addons" not in done.stderr and "Warning:" not in done.stderr


def test_arrays_stay_arrays_and_share_their_memory() -> None:
    images = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), np.uint8)
    before = images.copy()
    for got in (pictures.flip(images), pictures.center_crop(images, 4)):
        assert isinstance(got, np.ndarray) and np.shares_memory(got, images)
    np.testing.assert_array_equal(images, before)
    tensor = tf.constant(images)
    for array, other in (
        (pictures.flip(images), pictures.flip(tensor)),
        (pictures.center_crop(images, 4), pictures.center_crop(tensor, 4)),
    ):
        assert isinstance(other, tf.Tensor) and other.dtype == tf.uint8
        np.testing.assert_array_equal(array, other)


def test_flip_twice_is_identity() -> None:
    images = np.random.default_rng(0).integers(0, 255, (2, 3, 8, 9, 3), np.uint8)
    flipped = pictures.flip(images)
    np.testing.assert_array_equal(flipped, images[..., ::-1, :])
    np.testing.assert_array_equal(pictures.flip(flipped), images)


@hypothesis.given(st.floats(-4, 4))
@hypothesis.settings(deadline=None, max_examples=20)
def test_flip_after_rotation_is_the_opposite_rotation_after_flip(angle: float) -> None:
    images = _smooth(2)
    np.testing.assert_allclose(
        _inner(pictures.flip(pictures.rotate_in_plane(images, angle))),
        _inner(pictures.rotate_in_plane(pictures.flip(images), -angle)),
        atol=1e-4,
    )


@hypothesis.given(st.floats(-4, 4), st.floats(-4, 4))
@hypothesis.settings(deadline=None, max_examples=20)
def test_rotations_add_up(a: float, b: float) -> None:
    images = _smooth(1)
    twice = pictures.rotate_in_plane(pictures.rotate_in_plane(images, a), b)
    once = pictures.rotate_in_plane(images, a + b)
    # Two bilinear samplings blur a little more than one.
    tolerance = 0.06 * np.ptp(images)
    np.testing.assert_allclose(_inner(twice), _inner(once), atol=tolerance)


def test_backward_twice_is_identity_and_commutes_with_flip() -> None:
    clip = _smooth(2, 5, size=(8, 9))
    np.testing.assert_array_equal(pictures.backward(clip), clip[:, ::-1])
    np.testing.assert_array_equal(pictures.backward(pictures.backward(clip)), clip)
    np.testing.assert_array_equal(
        pictures.flip(pictures.backward(clip)), pictures.backward(pictures.flip(clip))
    )


def test_crop_commutes_with_flip_and_keeps_the_centre() -> None:
    images = _smooth(1)
    crop = pictures.center_crop(images, 24)
    np.testing.assert_array_equal(crop, images[:, 8:32, 8:32])
    np.testing.assert_array_equal(
        pictures.flip(crop), pictures.center_crop(pictures.flip(images), 24)
    )
    turned = pictures.center_crop(pictures.rotate_in_plane(images, np.pi / 2), 24)
    np.testing.assert_allclose(
        turned, pictures.rotate_in_plane(crop, np.pi / 2), atol=1e-5
    )
    assert pictures.center_crop(images, 40).shape == images.shape


def test_each_image_may_have_its_own_angle() -> None:
    images = _smooth(2, 3)
    angles = np.float32([[0.1, 0.2, 0.3], [1, 2, 3]])
    got = pictures.rotate_in_plane(images, angles).numpy()
    for i in np.ndindex(2, 3):
        want = pictures.rotate_in_plane(images[i], angles[i])
        np.testing.assert_allclose(got[i], want, atol=1e-6)


def test_rotation_passes_gradients_and_keeps_half_precision() -> None:
    images = tf.constant(_smooth(2, size=(16, 16)))
    with tf.GradientTape() as tape:
        tape.watch(images)
        middle = pictures.rotate_in_plane(images, 0.5)[:, 6:10, 6:10]
        target = tf.reduce_sum(middle)
    gradient = tape.gradient(target, images).numpy()
    # Every pixel of the middle is a mean of four with weights that add up to 1;
    # TensorFlow's gradient, the warp backwards, is close to that.
    assert gradient.sum() == pytest.approx(2 * 4 * 4 * 3, rel=0.05)
    half = tf.cast(images, tf.float16)
    assert pictures.rotate_in_plane(half, 0.5).dtype == tf.float16


def test_unknown_batch_size_works_in_a_graph() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, None, 40, 40, 3])])
    def run(clips: tf.Tensor) -> tf.Tensor:
        return pictures.center_crop(
            pictures.rotate_in_plane(pictures.flip(clips), 0.5), 24
        )

    assert run(_smooth(2, 3)).shape == (2, 3, 24, 24, 3)


def test_bad_input_is_named() -> None:
    with pytest.raises(errors.InputError, match="floating point, got uint8"):
        pictures.rotate_in_plane(np.zeros((4, 4, 3), np.uint8), 0.1)
    with pytest.raises(errors.InputError, match=r"\[\.\.\., H, W, C\], got \(4, 4\)"):
        pictures.flip(np.zeros((4, 4)))
    with pytest.raises(errors.InputError, match=r"\[\.\.\., H, W, C\], got \(4,\)"):
        pictures.center_crop(tf.zeros(4), 2)
    with pytest.raises(errors.InputError, match=r"T, H, W, C\], got \(4, 4, 3\)"):
        pictures.backward(np.zeros((4, 4, 3)))
    for size in (6, 3):
        with pytest.raises(errors.InputError, match=f"middle {size} x {size}"):
            pictures.center_crop(np.zeros((4, 4, 3)), size)


def test_sizes_that_are_not_known_are_named() -> None:
    def traced(shape: list | None):
        # Autograph would wrap the error.
        run = tf.function(pictures.flip, autograph=False)
        return run.get_concrete_function(tf.TensorSpec(shape))

    with pytest.raises(errors.InputError, match="H, W and C must be known"):
        traced([None, None, 4, 3])
    with pytest.raises(errors.InputError, match="got an unknown shape"):
        traced(None)
