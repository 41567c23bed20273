"""How rules show frames to G, and the latents of what they show."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from sa3dhp.geometry import pictures
from sa3dhp.models import image_encoder
from sa3dhp.systems.relation_distillation import rules

Look = tuple[bool, float]  # mirrored?, in-plane angle
PLAIN: Look = (False, 0.0)


def of(rule: rules.Rule) -> Look:
    """Returns how the rule shows the partner's frames."""
    return rule.flip, rule.angle


class Latents:
    """Latents `[V, F, D]` by the look of the frames; picked by frame of the clip."""

    def __init__(
        self, frames: dict[Look, tuple[int, ...]], values: dict[Look, tf.Tensor]
    ):
        self._frames, self._values = frames, values

    def pick(self, look: Look, frames: tuple[int, ...]) -> tf.Tensor:
        """Returns the latents of some frames, in their order."""
        columns = [self._frames[look].index(frame) for frame in frames]
        return tf.gather(self._values[look], columns, axis=1)


def encode(
    encoder: image_encoder.ImageEncoder, shown: list[tf.Tensor]
) -> list[tf.Tensor]:
    """Returns G of several `[V, F, s, s, 3]`, in one batch: as many `[V, F, D]`."""
    images = tf.concat(shown, axis=1)
    flat = tf.reshape(images, [-1, *images.shape[2:]])
    latents = encoder(flat, training=False)
    latents = tf.reshape(latents, [-1, images.shape[1], latents.shape[-1]])
    return tf.split(latents, [part.shape[1] for part in shown], axis=1)


class Looks:
    """Shows clips as rules do, cropped to what G sees, and in another light."""

    def __init__(
        self,
        augmentation: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
        size: int,
    ):
        """Keeps what all frames get.

        Args:
            augmentation: the change of light, see `AdaptationStep`.
            size: side of the crop, pixels.
        """
        self._augmentation, self._size = augmentation, size

    def show(self, clips: tf.Tensor, look: Look, frames: tuple[int, ...]) -> tf.Tensor:
        """Returns frames of clips `[V, T, S, S, 3]` in [0, 1]: `[V, F, s, s, 3]`."""
        images = tf.gather(clips, frames, axis=1)
        mirrored, angle = look
        if mirrored:
            images = pictures.flip(images)
        if angle:
            images = pictures.rotate_in_plane(images, angle)
        return pictures.center_crop(images, self._size)

    def relit(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns frames `[V, F, s, s, 3]`, each in another light."""
        flat = tf.reshape(images, [-1, *images.shape[2:]])
        return tf.reshape(self._augmentation(flat, seed), tf.shape(images))

    def latents(
        self,
        encoder: image_encoder.ImageEncoder,
        clips: tf.Tensor,
        needed: dict[Look, set[int]],
        light: tf.Tensor | None = None,
    ) -> Latents:
        """Encodes each needed frame once, all in one batch.

        Args:
            encoder: G or its teacher.
            clips: `[V, T, S, S, 3]` in [0, 1].
            needed: frames by look.
            light: seed `[2]` of another light; None for the frames as they are.

        Returns:
            Latents `[V, F, D]` of each look.
        """
        frames = {look: tuple(sorted(chosen)) for look, chosen in needed.items()}
        shown = [self.show(clips, look, chosen) for look, chosen in frames.items()]
        if light is not None:
            shown = [self.relit(images, light) for images in shown]
        return Latents(frames, dict(zip(frames, encode(encoder, shown))))
