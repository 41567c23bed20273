"""A function of tensors that is exported with its weights and says what it does.

For the networks whose answer is not `Serving`'s: it needs TensorFlow alone and
describes itself (`signatures["describe"]`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from sa3dhp import provenance
from sa3dhp.models import integral
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.training import checkpoint


class Described(tf.Module):
    """A function of tensors with the weights it needs and a description."""

    def __init__(
        self,
        serve: Callable[[tf.Tensor], dict[str, tf.Tensor]],
        spec: tf.TensorSpec,
        weights: Sequence[tf.Variable],
        about: Mapping[str, object],
        name: str = "described",
    ):
        """Keeps the variables alone of the network: reading them back needs no Keras.

        Args:
            serve: from a tensor of `spec` to named tensors.
            spec: of the only argument, which bears its name.
            weights: all variables that `serve` reads.
            about: JSON values.
            name: of the module.
        """
        super().__init__(name=name)
        self.weights = list(weights)
        self._text = json.dumps(
            {
                **about,
                "versions": provenance.describe()["versions"],
                "commit": provenance.commit(),
            }
        )
        self.serve = tf.function(serve, input_signature=[spec], autograph=False)

    @property
    def description(self) -> dict:
        """What the numbers mean, as JSON values."""
        return json.loads(self._text)

    @tf.function(input_signature=[], autograph=False)
    def describe(self) -> dict[str, tf.Tensor]:
        """What the numbers mean: the texts as tensors, everything in `json`."""
        about = self.description
        texts = {k: tf.constant(v) for k, v in about.items() if isinstance(v, str)}
        return {**texts, "json": tf.constant(self._text)}

    @property
    def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
        """What the SavedModel offers, by name."""
        return {"serving_default": self.serve, "describe": self.describe}


def points(skeleton: str) -> dict[str, object]:
    """Returns what names the points of a skeleton, for `about`; "" has no names."""
    if not skeleton:
        return {"skeleton": ""}
    found = skeletons.get(skeleton)
    return {
        "skeleton": skeleton,
        "joint_names": list(found.joint_names),
        "parents": list(found.parents),
    }


def float32_copy(network: integral.IntegralRegressor) -> integral.IntegralRegressor:
    """The same weights, computing in float32; the global policy stays as it is."""
    policy = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("float32")
    try:
        copy = network.new()
    finally:
        tf.keras.mixed_precision.set_global_policy(policy)
    weights = checkpoint.named_weights(network)
    for name, variable in checkpoint.named_weights(copy).items():
        variable.assign(weights[name])
    return copy
