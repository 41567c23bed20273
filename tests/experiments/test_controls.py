"""Averages over looks at a picture: an equivariant model gains nothing, others do."""

import numpy as np
import pytest

from sa3dhp.experiments import controls
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.skeleton import transforms

SKELETON = skeletons.SA3DHP17


class _Equivariant:
    """Reads a direction off the picture: bright spot against the centre."""

    def predict(self, images):
        weight = images[..., 0].astype(np.float64)
        axis = np.arange(images.shape[1]) - (images.shape[1] - 1) / 2
        total = weight.sum((1, 2))
        x = (weight * axis[None, None, :]).sum((1, 2)) / total
        y = (weight * axis[None, :, None]).sum((1, 2)) / total
        joints = np.zeros((len(images), 17, 3), np.float32)
        joints[..., 0], joints[..., 1] = x[:, None], y[:, None]
        return joints


class _Biased(_Equivariant):
    """Is wrong to the right by 9 on every picture."""

    def predict(self, images):
        return super().predict(images) + np.float32([9, 0, 0])


@pytest.fixture
def images():
    """A soft spot somewhere near the middle of 33 pixels."""
    at = np.mgrid[:33, :33].transpose(1, 2, 0)
    spots = [(14, 20), (18, 12), (16, 16)]
    pictures = [200 * np.exp(-((at - spot) ** 2).sum(-1) / 18) for spot in spots]
    return np.stack(pictures)[..., None].repeat(3, -1).astype(np.uint8)


def test_an_equivariant_model_is_its_own_average(images):
    plain = _Equivariant().predict(images)
    flipped = controls.flip_average(_Equivariant(), images)
    np.testing.assert_allclose(flipped, plain, atol=1e-4)
    turned = controls.rotation_average(_Equivariant(), images)
    np.testing.assert_allclose(turned, plain, atol=0.1)


def test_a_bias_to_one_side_is_averaged_away(images):
    plain = _Equivariant().predict(images)
    flipped = controls.flip_average(_Biased(), images)
    np.testing.assert_allclose(flipped, plain, atol=1e-4)
    turned = controls.rotation_average(_Biased(), images, (-90.0, 90.0))
    np.testing.assert_allclose(turned, plain, atol=0.1)


def test_left_and_right_change_places_on_the_way_back(images):
    class Sided(_Equivariant):
        def predict(self, images):
            joints = super().predict(images)
            joints[:, SKELETON.index("left_wrist"), 0] += 5
            return joints

    found = controls.flip_average(Sided(), images)
    plain = Sided().predict(images)
    mirrored = Sided().predict(images[:, :, ::-1])
    expected = (plain + transforms.flip(mirrored, SKELETON).numpy()) / 2
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found[0, SKELETON.index("right_wrist"), 0] < plain[0, 0, 0] - 1
