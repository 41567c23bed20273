"""Stage 3: the image encoder on labelled source images ([M] 3.1.3, [S] 5c)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from sa3dhp.losses import pose as pose_losses
from sa3dhp.models import image_encoder, integral, pose_prior
from sa3dhp.training import batch_norm, optimisation, replicas, shared_norm


class SourceLoss:
    """||D_p G(x) - y|| on labelled images, with or without a pull of z to E_p(y).

    The terms: `joints`, the mean distance of all joints but the root, mm; `latent`,
    |G(x) - E_p(y)|, ours, which tells the encoder where on the latent space a pose
    lies before the decoder's gradient can. Of an encoder that reads points, also
    (ours): `points`, their mean absolute difference, half sides of the picture; `heat`,
    of their volumes, see `integral.heat_error`.
    """

    UNIT_MM = 100.0  # of the joint distance in the total
    UNIT_POINTS = 0.1  # of the points' difference in the total, half sides

    def __init__(
        self,
        prior: pose_prior.PosePrior,
        *,
        joints_weight: float,
        latent_weight: float,
        points_weight: float = 0.0,
    ):
        """Keeps the frozen prior.

        Args:
            prior: E_p and D_p, with the skeleton of the labels.
            joints_weight: of `joints`, per `UNIT_MM`.
            latent_weight: of `latent`; 0 is the paper's loss.
            points_weight: of `heat`, and of `points` per `UNIT_POINTS`.
        """
        self._prior, self._points_weight = prior, points_weight
        self._joints_weight, self._latent_weight = joints_weight, latent_weight

    def terms(self, latent: tf.Tensor, joints: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the unweighted terms of `[B, D]` latents and `[B, J, 3]` mm.

        A joint that a data set does not have is NaN: `joints` leaves it out, and
        `latent` the poses that lack one.
        """
        pred = self._prior.decode(latent)
        target = self._prior.encode(joints)
        whole = tf.reduce_all(pose_losses.known_joints(joints), -1, keepdims=True)
        unpulled = tf.stop_gradient(tf.cast(latent, target.dtype))
        target = tf.where(whole, target, unpulled)  # [B, D]
        root = self._prior.skeleton.root
        return {
            "joints": pose_losses.joint_distance(pred, joints, root),
            "latent": pose_losses.absolute_difference(latent, target),
        }

    @staticmethod
    def point_terms(volumes: tf.Tensor, points: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the unweighted terms of volumes `[B, 17, H, W, Z]`.

        Args:
            volumes: logits, see `ImageEncoder.volumes`.
            points: `[B, 17, 3]`, half sides of the picture; unknown = NaN.
        """
        return {
            "points": integral.error(integral.expectation(volumes), points),
            "heat": integral.heat_error(volumes, points),
        }

    def total(self, terms: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the weighted sum."""
        joints = terms["joints"] / self.UNIT_MM
        total = self._joints_weight * joints + self._latent_weight * terms["latent"]
        if "points" in terms:
            points = terms["points"] / self.UNIT_POINTS + terms["heat"]
            total += self._points_weight * points
        return total


class SourceStep:
    """Trains G on labelled images; E_p and D_p stay as they are."""

    def __init__(
        self,
        encoder: image_encoder.ImageEncoder,
        loss: SourceLoss,
        *,
        learning_rate: Any,
        backbone_rate: Any = None,
        clip_norm: float | None,
        ema: float,
        features: Callable[[tf.Tensor], tf.Tensor] | None = None,
        variables: Sequence[tf.Variable] | None = None,
    ):
        """Builds the optimizer.

        Args:
            encoder: G.
            loss: holds the prior and the weights of the terms.
            learning_rate: a number or a Keras schedule.
            backbone_rate: the same, of the backbone; None for one Adam of all.
            clip_norm: largest norm of an Adam's gradient; None for no limit.
            ema: momentum of the moving average that `finalise` puts in; 0 for none.
            features: the backbone with batch norm on fixed statistics, see
                `folded.Folded.features`; without it the backbone's batch norm uses the
                batch's, and keeps a moving average of them, as the head's always does.
                (On fixed ones the head, which is new, runs away from them: after 500
                steps 99 % of its last ReLUs were dead.)
            variables: of G, those that train; all by default.
        """
        self._encoder, self._loss, self._features = encoder, loss, features
        shared_norm.synchronise(encoder)
        self._variables = list(variables or encoder.trainable_variables)
        self._ema, self._strategy = ema, tf.distribute.get_strategy()
        old = encoder.backbone.trainable_variables if backbone_rate is not None else []
        known = {id(variable) for variable in old}
        parts: tuple[list, list] = ([], [])
        for variable in self._variables:
            parts[id(variable) in known].append(variable)
        self._groups = [
            (optimisation.adam(rate, part, clip_norm=clip_norm, ema=ema), part)
            for rate, part in zip((learning_rate, backbone_rate), parts)
            if part
        ]
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {"image_encoder": self._encoder}

    @property
    def trackables(self) -> dict:
        """All that a checkpoint must hold."""
        names = ("optimizer", "backbone_optimizer")
        return {
            **self.models,
            **{name: optimizer for name, (optimizer, _) in zip(names, self._groups)},
            "iteration": self.iteration,
        }

    def terms(
        self, batch: tuple[tf.Tensor, ...], training: bool = False
    ) -> dict[str, tf.Tensor]:
        """Returns the unweighted terms.

        Args:
            batch: images `[B, H, W, 3]`, RGB in [0, 1], and their joints `[B, J, 3]`,
                mm, camera frame, root-relative; for an encoder that reads points also
                those, `[B, 17, 3]`, half sides of the picture, unknown = NaN.
            training: whether batch norm uses the batch's statistics.

        Returns:
            The terms of `SourceLoss`.
        """
        images, joints, *points = batch
        encoder, look = self._encoder, self._features
        if look is None and not points:
            encode = replicas.shared(lambda x: encoder(x, training=training))
            return self._loss.terms(encode(images), joints)
        if look is None:
            look = replicas.shared(lambda x: encoder.features(x, training))
        features = look(images)
        if not points:
            return self._loss.terms(encoder.head(features, training), joints)
        volumes = encoder.volumes(features, training)
        latent = encoder.latents(integral.expectation(volumes))
        found = self._loss.terms(latent, joints)
        return {**found, **self._loss.point_terms(volumes, points[0])}

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, batch: tuple[tf.Tensor, ...]) -> dict[str, tf.Tensor]:
        """Runs one iteration; returns the terms before it."""
        return replicas.run(self._strategy, self._update, batch)

    def _update(self, batch: tuple[tf.Tensor, ...]) -> dict[str, tf.Tensor]:
        """What one replica does of it."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            terms = self.terms(batch, training=True)
            loss = self._loss.total(terms)
        optimisation.update_groups(self._groups, tape, loss)
        self.iteration.assign_add(1)
        return terms

    def finalise(self, batches: Iterable[tuple[tf.Tensor, ...]]) -> None:
        """Puts the moving average of the weights in, if one was kept.

        Batch norm that trained on its batches is estimated anew: the statistics of the
        last weights do not fit the average while these still move fast. (Of one G^s,
        after 900 steps with 0.998, 244 mm became 279.)

        Args:
            batches: as it trained on; read only if there is an average.
        """
        if self._ema > 0:
            for optimizer, variables in self._groups:
                inner = getattr(optimizer, "inner_optimizer", optimizer)
                inner.finalize_variable_values(variables)
            batch_norm.reestimate_by(
                self._encoder, lambda batch: self.terms(batch, training=True), batches
            )
