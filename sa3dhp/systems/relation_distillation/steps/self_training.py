"""A control: self-training on the model's own predictions, without any relation.

A mean teacher (a slow copy of G) looks at the picture as it is, G at the same picture
in another light, and G learns to say what the teacher says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from sa3dhp.geometry import pictures
from sa3dhp.losses import pose as pose_losses
from sa3dhp.models import image_encoder
from sa3dhp.systems.relation_distillation.steps import adaptation
from sa3dhp.training import optimisation

TERM = "self_training"


class SelfTrainingStep:
    """Moves one block of G towards what its slow copy predicts on target pictures."""

    def __init__(
        self,
        encoder: image_encoder.ImageEncoder,
        teacher: image_encoder.ImageEncoder,
        augmentation: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
        looks: adaptation.AdaptationStep,
        *,
        learning_rate: float,
        momentum: float = 0.99,
        trainable_block: str = "res3",
        seed: int = 0,
    ):
        """Builds the optimizer; the teacher gets the weights of G.

        Args:
            encoder: G, started from G^s.
            teacher: of the same shape.
            augmentation: see `AdaptationStep`.
            looks: reads the label-free monitors from the same G.
            learning_rate: of Adam.
            momentum: of the teacher's moving average; 1 keeps the first predictions.
            trainable_block: see `ImageEncoder.res_variables`.
            seed: of the augmentation.
        """
        self._encoder, self._teacher = encoder, teacher
        self._augmentation, self._looks = augmentation, looks
        self._momentum, self._seed = momentum, seed
        teacher.set_weights(encoder.get_weights())
        self._variables = encoder.res_variables(trainable_block)
        self._averages = teacher.res_variables(trainable_block)
        self._optimizer = optimisation.adam(learning_rate, self._variables)
        self.turns = (TERM,)
        self.rule_ids, self.voters = looks.rule_ids, looks.voters
        self.residuals = looks.residuals
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def variables(self) -> Sequence[tf.Variable]:
        """The block's variables."""
        return self._variables

    @property
    def trackables(self) -> dict:
        """All that a checkpoint must hold."""
        return {
            "image_encoder": self._encoder,
            "teacher": self._teacher,
            "optimizer": self._optimizer,
            "iteration": self.iteration,
        }

    def _pictures(self, clips: tf.Tensor) -> tf.Tensor:
        """The middle frames as G sees them, `[V 30, s, s, 3]` in [0, 1]."""
        frames = tf.gather(clips, adaptation.MIDDLE, axis=1)
        images = tf.cast(tf.reshape(frames, [-1, *clips.shape[2:]]), tf.float32)
        images = pictures.center_crop(images, self._encoder.image_size)
        return images / 255.0

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, clips: tf.Tensor) -> dict[str, tf.Tensor]:
        """Runs one iteration on clips, uint8 `[V, 60, S, S, 3]`; returns its loss."""
        plain = self._pictures(clips)
        seed = tf.stack([tf.constant(self._seed, tf.int64), self.iteration])
        target = self._teacher(plain, training=False)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            latent = self._encoder(self._augmentation(plain, seed), training=False)
            loss = pose_losses.absolute_difference(latent, target)
        optimisation.update(self._optimizer, tape, loss, self._variables)
        for average, variable in zip(self._averages, self._variables):
            average.assign_add((1.0 - self._momentum) * (variable - average))
        self.iteration.assign_add(1)
        return {TERM: loss}
