"""The pose auto-encoder: trees of dense layers over the body's parts ([S] 5a, [P]).

Poses are local unit vectors, latents lie in [-1, 1]^32. All three networks compute in
float32 whatever the global precision policy: they are small, and the kinematics behind
them is not forgiving.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from sa3dhp.skeleton import skeleton as skeletons

LATENT_SIZE = 32

# The parts of the body by joint, then the parts of each coarser level by finer part.
PARTS = {
    "right_arm": ("neck", "right_shoulder", "right_elbow", "right_wrist"),
    "left_arm": ("neck", "left_shoulder", "left_elbow", "left_wrist"),
    "right_leg": ("right_hip", "right_knee", "right_ankle", "right_foot"),
    "left_leg": ("left_hip", "left_knee", "left_ankle", "left_foot"),
    "trunk": ("pelvis", "neck", "head_top"),
}
TRUNK_AND_LIMB = {
    "trunk_right_arm": ("trunk", "right_arm"),
    "trunk_left_arm": ("trunk", "left_arm"),
    "trunk_right_leg": ("trunk", "right_leg"),
    "trunk_left_leg": ("trunk", "left_leg"),
}
HALVES = {
    "upper_body": ("trunk_right_arm", "trunk_left_arm"),
    "lower_body": ("trunk_right_leg", "trunk_left_leg"),
}
BODY = {"body": ("upper_body", "lower_body")}
PART_UNITS, LIMB_UNITS, HALF_UNITS, BODY_UNITS = 32, 64, 128, 512


def _dense(units: int, name: str) -> tf.keras.layers.Dense:
    """A dense layer with a leaky ReLU (0.2), as everywhere in the trees."""
    return tf.keras.layers.Dense(
        units,
        activation=lambda x: tf.nn.leaky_relu(x, alpha=0.2),
        kernel_initializer="he_uniform",
        dtype="float32",
        name=name,
    )


def _part_indices(skeleton: skeletons.Skeleton) -> dict[str, list[int]]:
    """The joint indices of each part, by joint name."""
    return {part: [skeleton.index(n) for n in names] for part, names in PARTS.items()}


class PoseEncoder(tf.keras.Model):
    """E_p: a local pose to its latent, parts first, the whole body last ([W])."""

    def __init__(
        self,
        skeleton: skeletons.Skeleton = skeletons.SA3DHP17,
        latent_size: int = LATENT_SIZE,
        name: str = "pose_encoder",
    ):
        super().__init__(name=name, dtype="float32")
        self._indices = _part_indices(skeleton)
        self._parts = {part: _dense(PART_UNITS, part) for part in PARTS}
        self._levels = [
            (level, {part: _dense(units, part) for part in level})
            for level, units in ((TRUNK_AND_LIMB, LIMB_UNITS), (HALVES, HALF_UNITS))
        ]
        self._body = [_dense(BODY_UNITS, f"body_{i}") for i in range(2)]
        self._latent = tf.keras.layers.Dense(
            latent_size, activation="tanh", dtype="float32", name="latent"
        )
        self(tf.zeros([1, skeleton.num_joints, 3]))

    def call(self, local: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Encodes local poses.

        Args:
            local: `[B, J, 3]`, unit vectors in the parents' frames; root row zero.
            training: unused; the network is the same in training.

        Returns:
            `[B, D]` latents in (-1, 1), float32.
        """
        features = {}
        for part, indices in self._indices.items():
            joints = tf.gather(local, indices, axis=1)  # [B, j, 3]
            flat = tf.reshape(joints, [-1, 3 * len(indices)])  # [B, 3 j]
            features[part] = self._parts[part](flat)
        for level, layers in self._levels:
            features = {
                part: layers[part](tf.concat([features[c] for c in children], -1))
                for part, children in level.items()
            }
        x = tf.concat([features[part] for part in BODY["body"]], -1)  # [B, 256]
        for layer in self._body:
            x = layer(x)
        return self._latent(x)


class PoseDecoder(tf.keras.Model):
    """D_p: the mirror image of `PoseEncoder` ([W]).

    Each part splits its features evenly among its children; a child of several parents
    (the trunk) adds their slices, a joint of several parts (the neck) adds their
    vectors.
    """

    def __init__(
        self,
        skeleton: skeletons.Skeleton = skeletons.SA3DHP17,
        latent_size: int = LATENT_SIZE,
        name: str = "pose_decoder",
    ):
        super().__init__(name=name, dtype="float32")
        self._body = [_dense(BODY_UNITS, f"body_{i}") for i in range(3)]
        self._levels = [
            (level, {child: _dense(units, child) for child in children})
            for level, children, units in (
                (BODY, HALVES, HALF_UNITS),
                (HALVES, TRUNK_AND_LIMB, LIMB_UNITS),
                (TRUNK_AND_LIMB, PARTS, PART_UNITS),
            )
        ]
        self._leaves = {
            part: tf.keras.layers.Dense(3 * len(names), dtype="float32", name=part)
            for part, names in PARTS.items()
        }
        # Where each joint's vectors lie among the leaves' concatenated output; a joint
        # of two parts has two rows, which are added.
        rows = [joint for part in _part_indices(skeleton).values() for joint in part]
        self._rows = np.eye(skeleton.num_joints, dtype=np.float32)[rows]  # [rows, J]
        self._limb_mask = np.ones([skeleton.num_joints, 1], np.float32)
        self._limb_mask[skeleton.root] = 0.0
        self(tf.zeros([1, latent_size]))

    def call(self, latent: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Decodes latents.

        Args:
            latent: `[B, D]`, in [-1, 1].
            training: unused; the network is the same in training.

        Returns:
            `[B, J, 3]` local unit vectors, float32; the root's row is zero.
        """
        x = tf.cast(latent, tf.float32)
        for layer in self._body:
            x = layer(x)
        features = {"body": x}
        for level, layers in self._levels:
            slices: dict[str, list[tf.Tensor]] = {}
            for parent, children in level.items():
                shares = tf.split(features[parent], len(children), axis=-1)
                for child, share in zip(children, shares):
                    slices.setdefault(child, []).append(share)
            features = {c: layers[c](tf.add_n(s)) for c, s in slices.items()}
        leaves = tf.concat([self._leaves[part](features[part]) for part in PARTS], -1)
        rows = tf.reshape(leaves, [-1, self._rows.shape[0], 3])  # [B, rows, 3]
        vectors = tf.einsum("brc,rj->bjc", rows, self._rows)  # [B, J, 3]
        return tf.math.l2_normalize(vectors, axis=-1, epsilon=1e-8) * self._limb_mask


class PoseDiscriminator(tf.keras.Model):
    """Tells real local poses from decoded ones, by joint, by part and as a whole ([W]).

    The logits are 17 of the joints, 5 of the parts and 1 of the body; `logit_weights`
    gives each of the three groups a third of the say.
    """

    def __init__(
        self,
        skeleton: skeletons.Skeleton = skeletons.SA3DHP17,
        name: str = "pose_discriminator",
    ):
        super().__init__(name=name, dtype="float32")
        joints, parts = skeleton.num_joints, len(PARTS)
        self._indices = _part_indices(skeleton)
        self._shared = [_dense(32, f"joint_{i}") for i in range(2)]
        self._joint_logits = tf.keras.layers.EinsumDense(
            "bjd,jd->bj", joints, bias_axes="j", dtype="float32", name="joint_logits"
        )
        self._parts = {part: _dense(200, part) for part in PARTS}
        self._part_logits = {part: self._logit(f"{part}_logit") for part in PARTS}
        self._body = [_dense(1024, f"body_{i}") for i in range(2)]
        self._body_logit = self._logit("body_logit")
        self.logit_weights = np.array(
            [1 / (3 * joints)] * joints + [1 / (3 * parts)] * parts + [1 / 3],
            np.float32,
        )
        self(tf.zeros([1, joints, 3]))

    @staticmethod
    def _logit(name: str) -> tf.keras.layers.Dense:
        return tf.keras.layers.Dense(1, dtype="float32", name=name)

    def call(self, local: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Judges local poses.

        Args:
            local: `[B, J, 3]` local unit vectors.
            training: unused; the network is the same in training.

        Returns:
            `[B, J + 5 + 1]` logits, trained towards +1 on real and -1 on decoded poses.
        """
        x = local
        for layer in self._shared:
            x = layer(x)  # [B, J, 32]
        logits = [self._joint_logits(x)]
        for part, indices in self._indices.items():
            flat = tf.reshape(tf.gather(x, indices, axis=1), [-1, 32 * len(indices)])
            logits.append(self._part_logits[part](self._parts[part](flat)))
        x = tf.reshape(x, [-1, x.shape[1] * 32])
        for layer in self._body:
            x = layer(x)
        logits.append(self._body_logit(x))
        return tf.concat(logits, -1)
