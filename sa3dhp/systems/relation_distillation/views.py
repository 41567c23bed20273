"""Target clips as rules show them to G, and the latents of what they show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import tensorflow as tf

from sa3dhp.geometry import pictures
from sa3dhp.systems.relation_distillation import rules

CLIP_LENGTH = 2 * rules.MOTION_LENGTH  # frames of a stored clip
# The frames of the clip that the contrastive terms and the 30-frame rules use: those
# that `slow-backward` takes for its partner.
_START = rules.MOTION_LENGTH // 2
MIDDLE = tuple(range(_START, _START + rules.MOTION_LENGTH))

Encode = Callable[[tf.Tensor], tf.Tensor]
Frames = tuple[int, ...]
Needed = Mapping[rules.View, Iterable[int]]  # frames of the clip by how they are shown


def spread(count: int) -> Frames:
    """Returns `count` of the middle frames, evenly spread; at most all of them."""
    count = min(count, len(MIDDLE))
    return tuple(MIDDLE[i * len(MIDDLE) // count] for i in range(count))


def frames(rule: rules.Rule, pose_frames: Frames) -> tuple[Frames, Frames]:
    """Returns the frames of the 60-frame clip on the anchor's and the partner's side.

    Args:
        rule: of poses or motions.
        pose_frames: those that pose rules look at.
    """
    if rule.space == "pose":
        return pose_frames, pose_frames
    start = (CLIP_LENGTH - rule.clip_length) // 2
    anchor, partner = rule.anchor_frames, rule.partner_frames
    return tuple(start + i for i in anchor), tuple(start + i for i in partner)


def merged(*parts: tuple[rules.View, Frames]) -> dict[rules.View, set[int]]:
    """Returns the frames of several (view, frames) by view, each frame once."""
    needed: dict[rules.View, set[int]] = {}
    for view, chosen in parts:
        needed.setdefault(view, set()).update(chosen)
    return needed


def show(
    clips: tf.Tensor, view: rules.View, chosen: Sequence[int], size: int
) -> tf.Tensor:
    """Returns frames as G sees them.

    Args:
        clips: `[V, T, S, S, 3]` in [0, 1], at the stored size.
        view: how the rule shows them.
        chosen: frames of the clip, F of them.
        size: s, side of the crop, pixels.

    Returns:
        `[V, F, s, s, 3]`.
    """
    images = view.images(tf.gather(clips, list(chosen), axis=1))
    return pictures.center_crop(images, size)


def encode(network: Encode, shown: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns G of several `[V, F, s, s, 3]`, in one batch: as many `[V, F, D]`."""
    images = tf.concat(shown, axis=1)
    flat = tf.reshape(images, [-1, *images.shape[2:]])
    latents = network(flat)
    latents = tf.reshape(latents, [-1, images.shape[1], latents.shape[-1]])
    return tf.split(latents, [part.shape[1] for part in shown], axis=1)


class Latents:
    """Latents `[V, F, D]` by view; each needed frame went through G once."""

    def __init__(
        self,
        network: Encode,
        clips: tf.Tensor,
        needed: Needed,
        size: int,
        relight: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ):
        """Encodes the frames, all in one batch.

        Args:
            network: G or its teacher.
            clips: `[V, T, S, S, 3]` in [0, 1].
            needed: frames by view.
            size: side of the crop, pixels.
            relight: changes the light of `[N, s, s, 3]`; None for frames as they are.
        """
        self._frames = {view: tuple(sorted(set(f))) for view, f in needed.items()}
        shown = [show(clips, view, f, size) for view, f in self._frames.items()]
        if relight is not None:
            shown = [relit(images, relight) for images in shown]
        self._values = dict(zip(self._frames, encode(network, shown)))

    def pick(self, view: rules.View, chosen: Frames) -> tf.Tensor:
        """Returns the latents of some frames, in their order: `[V, F, D]`."""
        columns = [self._frames[view].index(frame) for frame in chosen]
        return tf.gather(self._values[view], columns, axis=1)


def relit(images: tf.Tensor, relight: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """Returns frames `[V, F, s, s, 3]`, each in another light."""
    flat = tf.reshape(images, [-1, *images.shape[2:]])
    return tf.reshape(relight(flat), tf.shape(images))
