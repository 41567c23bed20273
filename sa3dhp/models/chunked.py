"""G on a few pictures at a time, with the gradient of all of them: memory for time.

A contrastive term needs the latents of all clips at once, but no more of them than the
latents. The forward pass keeps nothing else; the backward pass looks at each few
pictures again. Exact wherever pictures do not touch each other, as on the fixed
statistics of `folded.Folded`.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from sa3dhp import errors


class Chunked:
    """An encoder that sees at most so many pictures at once."""

    def __init__(self, encode: Callable[[tf.Tensor], tf.Tensor], size: int):
        """Wraps an encoder.

        Args:
            encode: images `[N, s, s, 3]` to latents `[N, D]`, each by itself.
            size: pictures at once, at least one.

        Raises:
            InputError: if there are none.
        """
        if size < 1:
            raise errors.InputError(f"pictures at once: got {size}, expected 1 or more")
        self._size, self._encode = size, encode
        self._again = tf.recompute_grad(encode)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Encodes images `[N, s, s, 3]`: `[N, D]`.

        All at once where they are few enough, or N is not known while it is traced.
        """
        count = images.shape[0]
        if count is None or count <= self._size:
            return self._encode(images)
        latents: list[tf.Tensor] = []
        for start in range(0, count, self._size):
            # One after the other, or all would be in memory together all the same.
            with tf.control_dependencies(latents[-1:]):
                part = tf.identity(images[start : start + self._size])
            latents.append(self._again(part))
        return tf.concat(latents, axis=0)
