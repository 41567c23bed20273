"""G: its weights, its blocks, what it does to pixels and in which precision."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import image_encoder, integral

SIZE = 32


@pytest.fixture(scope="module")
def encoder():
    tf.keras.utils.set_random_seed(0)
    return image_encoder.ImageEncoder(SIZE)


def _images(count: int = 4) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(0, 1, (count, SIZE, SIZE, 3)).astype(np.float32)


def test_latents_are_float32_within_one(encoder):
    latent = encoder(_images())
    assert latent.shape == (4, 32) and latent.dtype == tf.float32
    assert np.abs(latent).max() < 1.0


def test_latents_of_a_new_network_are_alive_and_not_saturated(encoder):
    latent = encoder(_images(16), training=True).numpy()
    assert 0.01 < latent.std(0).mean() and np.abs(latent).max() < 0.95


def test_images_of_another_size_are_refused(encoder):
    with pytest.raises(errors.InputError, match=r"expected \[B, 32, 32, 3\]"):
        encoder(np.zeros([1, 64, 64, 3], np.float32))


def test_too_small_an_image_is_refused():
    with pytest.raises(errors.InputError, match="image_size 16"):
        image_encoder.ImageEncoder(16)


def test_blocks_are_disjoint_and_res3_is_conv3(encoder):
    blocks = {b: encoder.res_variables(b) for b in ("res2", "res3", "res4")}
    names = {b: {v.name for v in variables} for b, variables in blocks.items()}
    assert all(name.startswith("conv3_block") for name in names["res3"])
    assert [len(names[b]) for b in names] == [40, 52, 76]
    assert len(set.union(*names.values())) == 168
    assert [v.name for v in encoder.res3_variables] == [v.name for v in blocks["res3"]]


def test_batch_norm_block_is_scales_and_offsets(encoder):
    kinds = {v.name.split("/")[-1] for v in encoder.res_variables("batch_norm")}
    assert kinds == {"gamma:0", "beta:0"}
    assert len(encoder.res_variables("all")) == len(encoder.trainable_variables)


def test_unknown_block_is_refused(encoder):
    with pytest.raises(errors.InputError, match="res5"):
        encoder.res_variables("res5")


def test_what_lies_above_a_block_is_the_blocks_after_it_and_the_head():
    encoder = image_encoder.ImageEncoder(32)
    whole = {id(v) for v in encoder.trainable_variables}
    old = {id(v) for v in encoder.backbone.trainable_variables}
    blocks = {b: {id(v) for v in encoder.res_variables(b)} for b in ("res3", "res4")}
    above = {
        b: {id(v) for v in encoder.variables_above(b)}
        for b in ("nothing", "res2", "res3", "res4")
    }
    head = whole - old
    assert above["nothing"] == whole and above["res4"] == head
    assert above["res3"] == head | blocks["res4"]
    assert above["res2"] == head | blocks["res4"] | blocks["res3"]
    with pytest.raises(errors.InputError, match="expected nothing, res2, res3, res4"):
        encoder.variables_above("res5")


def test_head_stride_sets_the_resolution_of_the_head():
    sizes = [
        image_encoder.ImageEncoder(64, head_stride=stride).count_params()
        for stride in (1, 2)
    ]
    # 4 x 4 against 2 x 2 cells of 128 channels into 512 units.
    assert sizes[0] - sizes[1] == 12 * 128 * 512


def test_weights_of_a_file_are_loaded(tmp_path, encoder):
    path = tmp_path / "weights.npz"
    values = {
        f"{layer.name}/{v.name.split('/')[-1][:-2]}": v.numpy() + 1.0
        for layer in encoder.backbone.layers
        for v in layer.weights
    }
    np.savez(path, **values)
    filled = image_encoder.ImageEncoder(SIZE, weights=str(path))
    for mine, theirs in zip(filled.backbone.weights, encoder.backbone.weights):
        np.testing.assert_array_equal(mine, theirs + 1.0)


def test_missing_weights_are_loud(tmp_path):
    with pytest.raises(errors.InputError, match="no file"):
        image_encoder.ImageEncoder(SIZE, weights=str(tmp_path / "absent.h5"))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_keeps_pixels_and_latent_in_float32(policy, encoder):
    tf.keras.mixed_precision.set_global_policy(policy)
    try:
        mixed = image_encoder.ImageEncoder(SIZE)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    mixed.set_weights(encoder.get_weights())
    images = _images()
    latent = mixed(images)
    assert latent.dtype == tf.float32
    assert mixed.backbone.layers[2].compute_dtype == policy.split("_")[1]
    assert all(v.dtype == tf.float32 for v in mixed.trainable_variables)
    np.testing.assert_allclose(latent, encoder(images), atol=0.05)


@pytest.fixture(scope="module")
def pointing():
    tf.keras.utils.set_random_seed(0)
    return image_encoder.ImageEncoder(SIZE, None, 1, (8, 8), 16, head="points")


def test_the_head_that_points_reads_the_expectations_of_its_volumes(pointing):
    features = pointing.features(_images())
    volumes = pointing.volumes(features)
    assert volumes.shape == (4, 17, 4, 4, image_encoder.DEPTH_CELLS)
    assert volumes.dtype == tf.float32
    latent = pointing.latents(integral.expectation(volumes))
    np.testing.assert_allclose(pointing(_images()), latent, atol=1e-6)
    assert latent.shape == (4, 32) and np.abs(latent).max() < 1.0


def test_the_place_of_a_person_in_the_picture_says_nothing(pointing):
    rng = np.random.default_rng(1)
    points = rng.uniform(-1, 1, (2, 17, 3)).astype(np.float32)
    moved = pointing.latents(points + np.float32([0.3, -0.2, 0.1]))
    np.testing.assert_allclose(moved, pointing.latents(points), atol=1e-5)
    assert np.ptp(pointing.latents(points), axis=0).max() > 1e-3


def test_the_deconvolution_belongs_to_the_whole_and_to_batch_norm(pointing):
    names = {v.name for v in pointing.res_variables("batch_norm")}
    assert any("head_deconv_bn" in name for name in names)
    above = {v.name for v in pointing.variables_above("res3")}
    assert sum("head_deconv" in name or "head_volumes" in name for name in above) == 5


def test_another_head_is_refused():
    with pytest.raises(errors.InputError, match="expected one of flat, points"):
        image_encoder.ImageEncoder(SIZE, head="round")
