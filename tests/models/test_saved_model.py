"""Every network survives export, under each precision policy."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import image_encoder, motion_autoencoder, pose_autoencoder
from sa3dhp.systems.relation_distillation import relation_network

MODELS = {
    "pose_encoder": (pose_autoencoder.PoseEncoder, (17, 3)),
    "pose_decoder": (pose_autoencoder.PoseDecoder, (32,)),
    "pose_discriminator": (pose_autoencoder.PoseDiscriminator, (17, 3)),
    "motion_encoder": (motion_autoencoder.MotionEncoder, (30, 32)),
    "motion_decoder": (motion_autoencoder.MotionDecoder, (128,)),
    "motion_discriminator": (motion_autoencoder.MotionDiscriminator, (128,)),
    "relation_network": (relation_network.RelationNetwork, (32,)),
    "image_encoder": (lambda: image_encoder.ImageEncoder(32), (32, 32, 3)),
}


@pytest.fixture
def policy(request):
    tf.keras.mixed_precision.set_global_policy(request.param)
    yield request.param
    tf.keras.mixed_precision.set_global_policy("float32")


CASES = [("float32", name) for name in MODELS] + [("mixed_bfloat16", "image_encoder")]


@pytest.mark.parametrize(("policy", "name"), CASES, indirect=["policy"])
def test_saved_model_gives_the_same_numbers(name, policy, tmp_path):
    make, shape = MODELS[name]
    model = make()
    inputs = np.random.default_rng(0).uniform(0, 1, (2, *shape)).astype(np.float32)
    expected = model(inputs).numpy()

    # A plain module holds the variables: Keras' own export would trace every layer.
    module = tf.Module()
    module.variables_of_model = model.variables
    module.serve = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec([None, *shape], tf.float32)],
    )
    path = str(tmp_path / "model")
    tf.saved_model.save(module, path)
    loaded = tf.saved_model.load(path)
    found = loaded.serve(tf.constant(inputs))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16"], indirect=True)
@pytest.mark.parametrize("name", [name for name in MODELS if name != "image_encoder"])
def test_only_the_image_encoder_follows_the_policy(name, policy):
    model = MODELS[name][0]()
    for layer in model._flatten_layers():
        assert layer.compute_dtype == "float32", layer.name
