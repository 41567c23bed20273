"""Two looks at a picture: what an asymmetric model gets wrong is averaged away."""

import numpy as np

from sa3dhp.models import mirrored
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.skeleton import transforms

SKELETON = skeletons.SA3DHP17
IMAGES = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3)).astype(np.uint8)


class _Model:
    """Reads x of each joint off a column of the picture, with a bias of its own."""

    def __init__(self):
        self.description = {"image_size": 8}

    def predict(self, images):
        columns = images.mean(axis=(1, 3))  # [N, 8]
        joints = np.zeros((len(images), 17, 3), np.float32)
        joints[..., 0] = columns[:, np.arange(17) % 8]
        joints[..., 2] = np.arange(17)  # left is not right
        return joints


def test_joints_are_the_mean_of_the_picture_and_of_the_mirror_image_turned_back():
    found = mirrored.Mirrored(_Model()).predict(IMAGES)
    again = _Model().predict(IMAGES[:, :, ::-1])
    expected = (_Model().predict(IMAGES) + transforms.flip(again, SKELETON)) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    wrists = [SKELETON.index(f"{side}_wrist") for side in ("left", "right")]
    np.testing.assert_allclose(found[:, wrists, 2], np.mean(wrists), rtol=1e-6)


def test_its_answer_to_the_mirror_image_is_the_mirror_image_of_its_answer():
    model = mirrored.Mirrored(_Model())
    turned = transforms.flip(model.predict(IMAGES[:, :, ::-1]), SKELETON)
    np.testing.assert_allclose(turned, model.predict(IMAGES), rtol=1e-6)


def test_it_says_of_itself_what_the_model_does_and_that_it_looks_twice():
    model = mirrored.Mirrored(_Model())
    assert model.description == {"image_size": 8, "mirrored": True}
    assert model.skeleton is SKELETON


def test_it_has_the_motions_of_the_model():
    model = _Model()
    assert mirrored.Mirrored(model).motion is None
    model.motion = object()
    assert mirrored.Mirrored(model).motion is model.motion
