"""Small networks, poses and adaptations, which the tests of the method share."""

from small_adaptation import bench, motion_encoder, relations  # noqa: F401
from small_networks import (  # noqa: F401
    _seeded,
    bone_lengths,
    eagerly,
    pose_networks,
    pose_prior,
    poses,
    skeleton,
    small_encoder,
    snapshot,
    unchanged,
)
