"""What can be seen of an adaptation without a label (design 7)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from sa3dhp.geometry import pictures
from sa3dhp.models import image_encoder, pose_autoencoder
from sa3dhp.skeleton import kinematics, limits
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.relation_distillation.steps import adaptation

SKELETON = skeletons.SA3DHP17


class PoseModel:
    """G, D_p and FK: images to joints, with E_p to ask whether a pose is one."""

    def __init__(
        self,
        encoder: image_encoder.ImageEncoder,
        pose_encoder: pose_autoencoder.PoseEncoder,
        pose_decoder: pose_autoencoder.PoseDecoder,
        bone_lengths: np.ndarray,
    ):
        """`bone_lengths`: `[17]`, mm, of the decoded poses."""
        self.encoder, self.decoder = encoder, pose_decoder
        self._pose_encoder = pose_encoder
        self._bone_lengths = bone_lengths

    @tf.function(reduce_retracing=True)
    def _predict(self, images: tf.Tensor) -> tuple:
        latent = self.encoder(tf.cast(images, tf.float32) / 255.0, training=False)
        local = self.decoder(latent)
        joints = kinematics.from_local(local, SKELETON, self._bone_lengths)
        return joints, local, latent

    def joints(self, images: np.ndarray, batch_size: int = 120) -> np.ndarray:
        """Returns the joints of pictures.

        Args:
            images: uint8 `[N, S, S, 3]`; of stored pictures the centre is taken.
            batch_size: pictures at once.

        Returns:
            `[N, 17, 3]`, mm, camera frame, root-relative.
        """
        images = self._cropped(images)
        parts = [
            self._predict(tf.constant(images[i : i + batch_size]))[0].numpy()
            for i in range(0, len(images), batch_size)
        ]
        return np.concatenate(parts)

    def _cropped(self, images: np.ndarray) -> np.ndarray:
        """The middle of stored pictures `[N, S, S, 3]`."""
        return pictures.center_crop(images, self.encoder.image_size)

    def plausibility(self, clips: np.ndarray) -> dict[str, float]:
        """Returns how human the poses of clips `[V, T, S, S, 3]` are and move.

        Returns:
            `within_limits`, share of joints inside the joint limits;
            `prior_distance`, |z - E_p D_p z|, which is small on the prior's manifold;
            `acceleration`, mm per frame squared, mean over joints.
        """
        joints, local, latent = zip(
            *(self._predict(tf.constant(self._cropped(clip))) for clip in clips)
        )
        joints = np.stack([j.numpy() for j in joints])  # [V, T, J, 3]
        again = [self._pose_encoder(part) for part in local]
        gaps = [tf.reduce_mean(tf.abs(a - b)) for a, b in zip(latent, again)]
        inside = [limits.within(part.numpy(), SKELETON) for part in local]
        moved = np.diff(joints, n=2, axis=1)
        return {
            "within_limits": float(np.mean(inside)),
            "prior_distance": float(np.mean(gaps)),
            "acceleration": float(np.linalg.norm(moved, axis=-1).mean()),
        }


def batches(clips: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yields clips in groups of one size, so that nothing is traced twice.

    A rest is left out unless it is all there is: contrastive terms depend on the size.
    """
    size = min(size, len(clips))
    for i in range(0, len(clips) - size + 1, size):
        yield clips[i : i + size]


def relations(
    step: adaptation.AdaptationStep, clips: np.ndarray, size: int
) -> dict[str, float]:
    """Returns the means of `step.residuals` over groups of clips."""
    found = [step.residuals(tf.constant(group)) for group in batches(clips, size)]
    return {k: float(np.mean([float(f[k]) for f in found])) for k in found[0]}
