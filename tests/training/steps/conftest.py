"""Small networks and poses, which the tests of all training steps share."""

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
