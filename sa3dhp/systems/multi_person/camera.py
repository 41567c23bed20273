"""The fixed camera: people to places in it and back ([P] suppl. 2.1c, 2.2).

Depth is one number in (-1, 1), the logarithm of metres between the nearest and the
farthest that people may stand [D]: an error of 10 % counts the same everywhere.
"""

from __future__ import annotations

import dataclasses
import math

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Camera:
    """A pinhole camera whose focal length and centre follow from the picture's size.

    Attributes:
        size: side of the picture, pixels; the centre of the first is 0.
        focal: focal length, sides of the picture.
        near: mm, depth of -1.
        far: mm, depth of +1.
    """

    size: int
    focal: float = 1.2
    near: float = 1500.0
    far: float = 12000.0

    @property
    def middle(self) -> float:
        """The principal point, pixels."""
        return (self.size - 1) / 2

    def depth(self, millimetres: tf.Tensor) -> tf.Tensor:
        """Returns d, in (-1, 1) between `near` and `far`."""
        low, high = math.log(self.near), math.log(self.far)
        return 2.0 * (tf.math.log(millimetres) - low) / (high - low) - 1.0

    def millimetres(self, depth: tf.Tensor) -> tf.Tensor:
        """Returns the distance along the axis of d, mm."""
        low, high = math.log(self.near), math.log(self.far)
        return tf.exp(low + (depth + 1.0) * (high - low) / 2.0)

    def placed(
        self,
        joints: tf.Tensor,
        roots: tf.Tensor,
        depth: tf.Tensor,
        zoom: tf.Tensor | float = 1.0,
    ) -> tf.Tensor:
        """Returns T_G, people in the camera ([P] suppl. 2.1c).

        Args:
            joints: `[..., J, 3]`, mm, root-relative.
            roots: `[..., 2]`, the pelvis in the picture, pixels.
            depth: `[...]`, d of the pelvis, of its distance divided by `zoom`.
            zoom: `[...]`, of a longer lens, see `refinement.Look`.

        Returns:
            `[..., J, 3]`, mm, camera frame.
        """
        along = self.millimetres(depth)[..., None]
        across = (roots - self.middle) / (self.focal * self.size) * along
        # A longer lens shows who is farther away as far from the middle.
        along *= tf.convert_to_tensor(zoom)[..., None]
        return joints + tf.concat([across, along], axis=-1)[..., None, :]

    def projected(self, joints: tf.Tensor, zoom: tf.Tensor | float = 1.0) -> tf.Tensor:
        """Returns T_K, where joints `[..., J, 3]`, mm, fall in the picture, pixels.

        Args:
            joints: camera frame.
            zoom: `[...]`, of a longer lens, see `refinement.Look`.
        """
        along = tf.maximum(joints[..., 2:], 1.0)  # nobody stands behind the camera
        focal = self.focal * self.size * tf.convert_to_tensor(zoom)[..., None, None]
        return self.middle + focal * joints[..., :2] / along
