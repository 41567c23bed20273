"""Pictures to joints: G, D_p and the kinematics as one model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.geometry import pictures
from sa3dhp.models import image_encoder, pose_prior

_BATCH = 120  # pictures at once


class PoseModel:
    """Predicts 3D poses of person-centred pictures.

    Attributes:
        encoder: G.
        prior: E_p, D_p, skeleton and bones.
    """

    def __init__(
        self,
        encoder: image_encoder.ImageEncoder,
        prior: pose_prior.PosePrior,
        encode: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ):
        """Keeps the networks; their weights may change later.

        Args:
            encoder: G.
            prior: decodes its latents.
            encode: a faster form of G, see `folded.fold`; it must follow G's weights.
        """
        self.encoder, self.prior = encoder, prior
        self._encode = encode or (lambda images: encoder(images, training=False))

    @property
    def image_size(self) -> int:
        """Side of the pictures that G sees, pixels."""
        return self.encoder.image_size

    def predict(self, images: np.ndarray, batch_size: int = _BATCH) -> np.ndarray:
        """Returns the joints of pictures.

        Args:
            images: uint8 `[N, S, S, 3]`, RGB; of stored pictures the centre is taken.
            batch_size: pictures at once.

        Returns:
            `[N, J, 3]`, mm, camera frame, root-relative.

        Raises:
            InputError: if the pictures have another type or shape, or are smaller than
                G sees them.
        """
        parts = [
            self.decoded(images[i : i + batch_size])["joints"].numpy()
            for i in range(0, len(images), batch_size)
        ]
        joints = self.prior.skeleton.num_joints
        return np.concatenate(parts) if parts else np.zeros([0, joints, 3], np.float32)

    def predict_clips(self, clips: np.ndarray) -> np.ndarray:
        """Returns the joints of clips uint8 `[N, T, S, S, 3]`: `[N, T, J, 3]`, mm."""
        return np.stack([self.predict(clip) for clip in clips])

    def decoded(self, images: np.ndarray) -> dict[str, tf.Tensor]:
        """Returns all that is known of the poses in one batch of pictures.

        Args:
            images: as for `predict`.

        Returns:
            `joints` `[N, J, 3]`, mm; `local` `[N, J, 3]`, unit vectors in the parents'
            frames; `latent` `[N, D]`.
        """
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise errors.InputError(
                f"images: got {images.dtype} {images.shape}, expected uint8 "
                "[N, S, S, 3]; give a batch of RGB crops in 0..255"
            )
        return self._decode(tf.constant(pictures.center_crop(images, self.image_size)))

    @tf.function(reduce_retracing=True, autograph=False)
    def _decode(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        latent = self._encode(tf.cast(images, tf.float32) / 255.0)
        local = self.prior.decoder(latent)
        joints = self.prior.from_local(local)
        return {"joints": joints, "local": local, "latent": latent}
