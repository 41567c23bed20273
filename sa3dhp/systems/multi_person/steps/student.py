"""Cross-modal alignment: L_distl, L_recon, L_adapt ([P] 3.2) and L_ss ([P] 3.3).

One Adam for each loss. A call is two of the paper's iterations: one on pictures
(L_distl or L_ss, labels where there are some), one on scenes (L_recon, L_adapt).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.multi_person import composer as composers
from sa3dhp.systems.multi_person import student, teacher
from sa3dhp.training import optimisation, replicas, shared_norm

SKELETON = skeletons.SA3DHP17
LOSSES = ("distl", "recon", "adapt", "ss", "labels_2d", "labels_3d")


class Batch(NamedTuple):
    """Pictures of D_I with what the teacher sees, and scenes of D_syn.

    Attributes:
        images: `[B, S, S, 3]`, RGB in [0, 1].
        roots: `[B, N, 2]`, pixels, of the people that the teacher sees; any place in
            rows without one.
        points: `[B, N, 17, 2]`, pixels, k_q; NaN where not found, or nobody is.
        turned: `[B, S, S, 3]`, T_s of the images.
        turns: `[B, 2, 3]`, T_s: pixels of the images -> pixels of the turned ones.
        flipped: `[B]`, whether T_s is a mirror too.
        joints: `[B, N, 17, 3]`, mm, camera frame, true for the rows of `roots`; NaN
            where not known.
        true_points: `[B, N, 17, 2]`, pixels, the same in 2D.
        maps: `[B', cells, cells, channels]`, m_syn, by the teacher's layout.
        scene_joints: `[B', N', 17, 3]`, mm, P_syn.
        scene_roots: `[B', N', 2]`, pixels.
        scene_there: `[B', N']`, whether a row is a person.
        zoom: `[B, N]`, of the lens that sees a person; 1 but for H', see `refinement`.
        scene_zoom: `[B', N']`, the same of scenes.
    """

    images: tf.Tensor
    roots: tf.Tensor
    points: tf.Tensor
    turned: tf.Tensor
    turns: tf.Tensor
    flipped: tf.Tensor
    joints: tf.Tensor
    true_points: tf.Tensor
    maps: tf.Tensor
    scene_joints: tf.Tensor
    scene_roots: tf.Tensor
    scene_there: tf.Tensor
    zoom: tf.Tensor
    scene_zoom: tf.Tensor


class StudentStep:
    """Trains H, and in phase 1 G.

    The terms: `distl`, |k_p - k_q|, hundredths of the picture's side; `recon`,
    |P_syn - P~|, of pelvises and of poses relative to them, summed, in units of
    `UNIT_MM`; `adapt`, |F(G(m_syn)) - m_syn|, hundredths;
    `ss`, |T_s k_p(I) - k_p(T_s I)|, as `distl`; `labels_2d` and `labels_3d`, as `distl`
    and `recon`, on true labels.

    With `sized` (ours) who is far weighs as much as who is near: `ss` is in hundredths
    of each person's size, see `own_size`, and pelvises of `recon` and `labels_3d` in
    units of `DISTANCE` of their distance.
    """

    UNIT_MM = 250.0  # a mean |coordinate| of a person's joints
    DISTANCE = 0.2  # of it is the unit of a pelvis, see `sized`: poses weigh as much

    def __init__(
        self,
        composer: composers.Composer,
        map_encoder: student.MapEncoder,
        trunk: teacher.Trunk,
        reader: teacher.MapReader,
        *,
        rates: Mapping[str, Any],
        map_rate: Any = None,
        sized: bool = False,
    ):
        """Builds the optimizers.

        Args:
            composer: M H.
            map_encoder: G.
            trunk: E, frozen.
            reader: F, frozen.
            rates: learning rates, numbers or Keras schedules, of the losses in use,
                some of `LOSSES`; the others are not minimised.
            map_rate: of G where `recon` moves it (phase 1); None: it stays.
            sized: whether errors count in the people's sizes and distances. In pixels
                `ss` is low where people are small: phase 2 moved them away by metres;
                and in millimetres those of pelvises drown those of poses.
        """
        self._composer, self._map_encoder = composer, map_encoder
        self._trunk, self._reader, self._sized = trunk, reader, sized
        shared_norm.synchronise(composer.network)
        own = composer.network.trainable_variables
        maps = map_encoder.trainable_variables
        moved = {
            name: [(rate, maps if name == "adapt" else own)]
            for name, rate in rates.items()
        }
        if map_rate is not None and "recon" in moved:
            moved["recon"].append((map_rate, maps))
        self._groups = {
            name: [(optimisation.adam(rate, group), group) for rate, group in groups]
            for name, groups in moved.items()
        }
        self._strategy = tf.distribute.get_strategy()
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {"student": self._composer.network, "map_encoder": self._map_encoder}

    @property
    def trackables(self) -> dict[str, Any]:
        """All that a checkpoint must hold."""
        named = {
            f"optimizer_{name}_{number}": optimizer
            for name, groups in self._groups.items()
            for number, (optimizer, _) in enumerate(groups)
        }
        return {**self.models, **named, "iteration": self.iteration}

    def terms(self, batch: Batch, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the unweighted terms of the losses in use."""
        batch = Batch(*batch)
        return {
            **self._of_pictures(batch, training),
            **self._of_scenes(batch, training),
        }

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Runs two iterations, on pictures and on scenes; returns the terms before."""
        return replicas.run(self._strategy, self._update, batch)

    def _update(self, batch: Batch) -> dict[str, tf.Tensor]:
        """What one replica does of them."""
        batch, found = Batch(*batch), {}
        for side in (self._of_pictures, self._of_scenes):
            with tf.GradientTape(persistent=True) as tape:
                terms = side(batch, True)
            for name, value in terms.items():
                optimisation.update_groups(self._groups[name], tape, value)
            found.update(terms)
        self.iteration.assign_add(1)
        return found

    def _of_pictures(self, batch: Batch, training: bool) -> dict[str, tf.Tensor]:
        used, see = self._groups.keys(), self._composer
        if not used & {"distl", "ss", "labels_2d", "labels_3d"}:
            return {}

        @replicas.shared
        def people_in(
            images: tf.Tensor, roots: tf.Tensor, zoom: tf.Tensor
        ) -> tf.Tensor:
            features = tf.stop_gradient(self._trunk(images, training=False))
            return see.people(features, roots, training, zoom)

        people = people_in(batch.images, batch.roots, batch.zoom)
        points = see.camera.projected(people, batch.zoom)
        size, terms = see.camera.size, {}
        if "distl" in used:
            terms["distl"] = _points_error(points, batch.points, size)
        if "labels_2d" in used:
            terms["labels_2d"] = _points_error(points, batch.true_points, size)
        if "labels_3d" in used:
            terms["labels_3d"] = self._error_3d(people, batch.joints)
        if "ss" in used:
            expected, roots, seen = self._moved_points(points, batch)
            again = people_in(batch.turned, roots, batch.zoom)
            again = see.camera.projected(again, batch.zoom)
            unseen = tf.where(seen[..., None, None], 0.0, float("nan"))
            if self._sized:
                (again, expected), size = own_size(again, expected), 1
            terms["ss"] = _points_error(again, expected + unseen, size)
        return terms

    def _moved_points(
        self, points: tf.Tensor, batch: Batch
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """T_s of points and roots, and whose root is there and stays in the picture."""
        flip = tf.gather(points, SKELETON.flip_indices, axis=2)
        points = tf.where(batch.flipped[:, None, None, None], flip, points)
        turn, shift = batch.turns[..., :2], batch.turns[..., 2]
        moved = tf.einsum("bij,bnkj->bnki", turn, points) + shift[:, None, None]
        roots = tf.einsum("bij,bnj->bni", turn, batch.roots) + shift[:, None]
        edge = tf.cast(self._composer.camera.size, tf.float32) - 0.5
        inside = tf.reduce_all((roots > -0.5) & (roots < edge), axis=-1)
        root = self._composer.layout.root
        there = tf.math.is_finite(batch.points[:, :, root, 0])
        return moved, roots, inside & there

    def _of_scenes(self, batch: Batch, training: bool) -> dict[str, tf.Tensor]:
        used, terms = self._groups.keys(), {}
        if not used & {"recon", "adapt"}:
            return {}

        @replicas.shared
        def seen(
            maps: tf.Tensor, roots: tf.Tensor, zoom: tf.Tensor
        ) -> dict[str, tf.Tensor]:
            features, found = self._map_encoder(maps), {}
            if "recon" in used:
                found["recon"] = self._composer.people(features, roots, training, zoom)
            if "adapt" in used:
                found["adapt"] = self._reader(features, training=False)
            return found

        found = seen(batch.maps, batch.scene_roots, batch.scene_zoom)
        if "recon" in used:
            nobody = tf.where(batch.scene_there[..., None, None], 0.0, float("nan"))
            truth = batch.scene_joints + nobody
            terms["recon"] = self._error_3d(found["recon"], truth)
        if "adapt" in used:
            error = tf.abs(found["adapt"] - batch.maps)
            terms["adapt"] = 100.0 * tf.reduce_mean(error)
        return terms

    def _error_3d(self, found: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        """Mean |difference| of pelvises and that of poses relative to them, summed.

        Apart [D]: while a distance is off by more than a body is deep, the absolute
        difference tells a joint's depth nothing but which way the person should go.
        """
        root, other = (
            x[..., SKELETON.root : SKELETON.root + 1, :] for x in (found, wanted)
        )
        unit = tf.constant(self.UNIT_MM)
        if self._sized:
            away = self.DISTANCE * other[..., 2:]
            unit = tf.where(tf.math.is_finite(away), away, unit)
        apart = _error(root / unit, other / unit)
        return apart + _error(found - root, wanted - other) / self.UNIT_MM


def own_size(*sides: tf.Tensor) -> list[tf.Tensor]:
    """Returns points in units of how large each person is.

    Args:
        sides: `[B, N, 17, 2]`, pixels, of the same people.

    Returns:
        The same, over the mean distance of a person's points from their middle, of all
        sides; the gradient goes through it, so that a smaller person gains nothing.
    """
    spreads = [
        tf.norm(x - tf.reduce_mean(x, axis=2, keepdims=True), axis=-1) for x in sides
    ]
    size = tf.reduce_mean(tf.add_n(spreads), axis=2) / len(sides)  # [B, N]
    size = tf.maximum(size, 1.0)[..., None, None]
    return [x / size for x in sides]


def _points_error(points: tf.Tensor, wanted: tf.Tensor, size: int) -> tf.Tensor:
    """Mean |difference| of what is known, hundredths of the picture's side."""
    return 100.0 / size * _error(points, wanted)


def _error(found: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Mean |difference| over what is known; 0 if nothing is."""
    known = tf.math.is_finite(wanted)
    # Before the difference: the gradient of a NaN that is left out is a NaN.
    wanted = tf.where(known, wanted, 0.0)
    weight = tf.cast(known, tf.float32)
    total = tf.reduce_sum(weight * tf.abs(found - wanted))
    return total / (tf.reduce_sum(weight) + 1e-9)
