"""M H: features to everybody in the camera, in one call ([P] 3.1.2, 3.2)."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from sa3dhp.models import pose_prior
from sa3dhp.systems.multi_person import camera as cameras
from sa3dhp.systems.multi_person import maps, representation, student


@dataclasses.dataclass(frozen=True, eq=False)
class Composer:
    """H and M with what M is made of.

    Attributes:
        network: H.
        prior: the frozen decoder Psi with its bones, of canonical poses.
        camera: the fixed one.
        layout: of the teacher's maps: its anchor is where a person is.
    """

    network: student.Student
    prior: pose_prior.PosePrior
    camera: cameras.Camera
    layout: maps.Layout = maps.OWN

    def people(
        self,
        features: tf.Tensor,
        roots: tf.Tensor,
        training: bool | None = None,
        zoom: tf.Tensor | float = 1.0,
    ) -> tf.Tensor:
        """Returns P, the people of pictures or scenes.

        Args:
            features: v, `[B, cells, cells, C]`, of E or of G.
            roots: `[B, N, 2]`, pixels; rows without anybody hold any place.
            training: whether batch norm uses the batch's statistics.
            zoom: `[B, N]`, of a longer lens, see `refinement.Look`.

        Returns:
            `[B, N, 17, 3]`, mm, camera frame.
        """
        s = self.network(features, training=training)
        person = representation.pooled(s, roots, self.camera.size)
        return representation.composed(person, roots, self._decoded, self.camera, zoom)

    def _decoded(self, latent: tf.Tensor) -> tf.Tensor:
        """FK Psi, canonical poses around the anchor: a rotation moves that nowhere."""
        joints = self.prior.decode(latent)
        # `[..., root, None, :]` of stacked joints may be rewritten wrongly by Grappler.
        root = self.layout.root
        return joints - joints[..., root : root + 1, :]
