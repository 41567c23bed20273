"""The sizes of all networks, in one table."""

import tensorflow as tf

from sa3dhp.models import image_encoder, motion_autoencoder, pose_autoencoder
from sa3dhp.systems.relation_distillation import relation_network

COUNTS = {
    "pose_encoder": 462_304,
    "pose_decoder": 631_801,
    "pose_discriminator": 1_734_055,
    "motion_encoder": 592_000,
    "motion_decoder": 667_680,
    "motion_discriminator": 329_217,
    "pose_relation": 148_256,
    "motion_relation": 657_024,
    "image_encoder": 16_902_560,
    "backbone": 8_589_184,
    "res3": 1_223_168,
}


def _size(variables) -> int:
    return sum(int(tf.size(v)) for v in variables)


def test_parameter_counts():
    image = image_encoder.ImageEncoder()
    models = {
        "pose_encoder": pose_autoencoder.PoseEncoder(),
        "pose_decoder": pose_autoencoder.PoseDecoder(),
        "pose_discriminator": pose_autoencoder.PoseDiscriminator(),
        "motion_encoder": motion_autoencoder.MotionEncoder(),
        "motion_decoder": motion_autoencoder.MotionDecoder(),
        "motion_discriminator": motion_autoencoder.MotionDiscriminator(),
        "pose_relation": relation_network.RelationNetwork(),
        "motion_relation": relation_network.RelationNetwork(
            relation_network.MOTION_WIDTHS
        ),
        "image_encoder": image,
        "backbone": image.backbone,
    }
    counts = {name: model.count_params() for name, model in models.items()}
    counts["res3"] = _size(image.res3_variables)
    assert counts == COUNTS
