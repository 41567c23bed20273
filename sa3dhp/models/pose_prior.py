"""What is known of human poses and motions: auto-encoders with their kinematics.

The two priors have one face: `encode` takes joints to latents, `decode` latents to
joints. Relation networks, which live on latents, need to know no more of them.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
import tensorflow as tf

from sa3dhp.models import motion_autoencoder, pose_autoencoder
from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons


class Prior(Protocol):
    """Joints to latents and back; joints are mm, camera frame, root-relative."""

    @property
    def pose(self) -> PosePrior:
        """The prior of single poses that this one stands on, or is."""

    def encode(self, joints: tf.Tensor) -> tf.Tensor:
        """Returns `[N, D]` latents of poses `[N, J, 3]` or clips `[N, T, J, 3]`."""

    def decode(self, latent: tf.Tensor) -> tf.Tensor:
        """Returns the joints of `[N, D]` latents, shaped as `encode` takes them."""


@dataclasses.dataclass(frozen=True, eq=False)
class PosePrior:
    """E_p and D_p with the body they were trained on ([S] 5a, [P] suppl. 1).

    Attributes:
        encoder: E_p.
        decoder: D_p.
        skeleton: of all joints in and out.
        bone_lengths: `[J]`, mm, of every decoded pose; root 0.
    """

    encoder: pose_autoencoder.PoseEncoder
    decoder: pose_autoencoder.PoseDecoder
    skeleton: skeletons.Skeleton
    bone_lengths: np.ndarray

    @property
    def pose(self) -> PosePrior:
        """Itself."""
        return self

    def encode(self, joints: tf.Tensor) -> tf.Tensor:
        """Returns z `[N, D]` of joints `[N, J, 3]`, mm: E_p after T_L."""
        return self.encoder(self.to_local(joints))

    def decode(self, latent: tf.Tensor) -> tf.Tensor:
        """Returns the joints `[N, J, 3]`, mm, of z `[N, D]`: FK after D_p."""
        return self.from_local(self.decoder(latent))

    def to_local(self, joints: tf.Tensor) -> tf.Tensor:
        """Returns joints `[..., J, 3]` as unit vectors in their parents' frames."""
        return kinematics.to_local(joints, self.skeleton)

    def from_local(self, local: tf.Tensor) -> tf.Tensor:
        """Returns the joints, mm, of local vectors `[..., J, 3]`, by these bones."""
        return kinematics.from_local(local, self.skeleton, self.bone_lengths)

    def with_these_bones(self, joints: tf.Tensor) -> tf.Tensor:
        """Returns poses `[..., J, 3]`, mm, as they are with this prior's bones.

        A difference of bone lengths is not the auto-encoder's error.
        """
        return self.from_local(self.to_local(joints))

    def distance(self, latent: tf.Tensor, local: tf.Tensor) -> tf.Tensor:
        """Returns mean |z - E_p D_p z|, small where z is that of a human pose.

        Args:
            latent: `[N, D]`.
            local: `[N, J, 3]`, D_p of it.

        Returns:
            A float32 scalar.
        """
        return tf.reduce_mean(tf.abs(latent - self.encoder(local)))


@dataclasses.dataclass(frozen=True, eq=False)
class MotionPrior:
    """E_m and D_m on top of a pose prior ([S] 5b).

    Attributes:
        encoder: E_m.
        decoder: D_m.
        pose: the prior whose latents they take and give.
    """

    encoder: motion_autoencoder.MotionEncoder
    decoder: motion_autoencoder.MotionDecoder
    pose: PosePrior

    def encode(self, joints: tf.Tensor) -> tf.Tensor:
        """Returns v `[N, V]` of clips `[N, T, J, 3]`, mm."""
        return self.encoder(self.latents(joints))

    def decode(self, latent: tf.Tensor) -> tf.Tensor:
        """Returns clips `[N, T, J, 3]`, mm, of v `[N, V]`."""
        return self.joints(self.decoder(latent))

    def latents(self, joints: tf.Tensor) -> tf.Tensor:
        """Returns z `[N, T, D]` of each frame of clips `[N, T, J, 3]`, mm."""
        frames, count = joints.shape[1:3]
        z = self.pose.encode(tf.reshape(joints, [-1, count, 3]))  # [N T, D]
        return tf.reshape(z, [-1, frames, z.shape[-1]])

    def joints(self, latents: tf.Tensor) -> tf.Tensor:
        """Returns clips `[N, T, J, 3]`, mm, of z `[N, T, D]`."""
        frames, size = latents.shape[1:]
        joints = self.pose.decode(tf.reshape(latents, [-1, size]))  # [N T, J, 3]
        return tf.reshape(joints, [-1, frames, *joints.shape[1:]])
