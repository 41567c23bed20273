"""The teacher: 2D points to camera and 3D shape by nested dictionaries ([N] 3).

    W [P, 2]    --D_1', ..., D_n'--> blocks of 3 x 2 --> camera M          q_M(W)
    W M' [P, 3] --D_1', ..., D_n'--> phi_n --D_n, ..., D_2--> phi_1       q_phi(W, M)
    S = D_1 phi_1

The dictionaries of both encoders are those of the decoder; encoders and decoder have
biases of their own, which play the part of the sparsity thresholds of ISTA.

[N] leaves the two networks to its supplementary, which is not at hand. Public code of
Deep-NRSfM reads the code off the blocks that give the camera; here, as [N] writes
q_phi(W, M), the points are put into the shape's frame by the camera first, so that the
code need not learn that a turned body is the same body.

Ours: several cameras may be tried for each sample, of which the one is kept whose
camera and code cost least by eq. 4. A body looks alike from two sides (the Necker
cube), and descent cannot walk from one to the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from sa3dhp import errors
from sa3dhp.systems.nrsfm import stiefel


class Teacher(tf.keras.Model):
    """Deep non-rigid structure from motion ([N] eq. 3, 4), in float32."""

    def __init__(
        self,
        num_points: int,
        atoms: Sequence[int],
        *,
        hypotheses: int = 1,
        sparsity: float = 0.01,
        name: str = "teacher",
    ):
        """Builds the network.

        Args:
            num_points: P.
            atoms: sizes of the dictionaries D_1, ..., D_n.
            hypotheses: H, cameras tried for each sample; 1 is [N].
            sparsity: lambda of eq. 4, by which they are compared.
            name: of the model.
        """
        super().__init__(name=name, dtype="float32")
        self.num_points, self.atoms = num_points, tuple(atoms)
        self.hypotheses, self._sparsity = hypotheses, sparsity
        sizes = [3 * num_points, *self.atoms]
        self.dictionaries = [
            self.add_weight(
                f"dictionary_{n}", [rows, columns], initializer="glorot_uniform"
            )
            for n, (rows, columns) in enumerate(zip(sizes, self.atoms), start=1)
        ]
        self.camera_biases = self._biases("camera", self.atoms)
        self.code_biases = self._biases("code", self.atoms)
        self.decoder_biases = self._biases("decoder", self.atoms[:-1])
        self.to_camera = self.add_weight("to_camera", [self.atoms[-1], hypotheses])
        self(tf.zeros([1, num_points, 2]))

    def call(self, points: tf.Tensor) -> dict[str, tf.Tensor]:
        """Reconstructs shapes from their projections.

        Args:
            points: W, `[B, P, 2]`, centred, of about unit size (`points.normalised`).

        Returns:
            `camera` M `[B, 3, 2]`; `code` phi_1 `[B, K_1]`, not negative; `shape` S
            `[B, P, 3]` in the dictionary's frame; `joints` `[B, P, 3]`, the shape in
            the camera's frame, of which x and y are the projection S M. All in the
            unit of `points`.

        Raises:
            InputError: if there is another number of points.
        """
        points = tf.convert_to_tensor(points, tf.float32)
        if points.shape.rank != 3 or points.shape[1:] != (self.num_points, 2):
            raise errors.InputError(
                f"points: expected [B, {self.num_points}, 2], got "
                f"{tuple(points.shape)}; this teacher was trained on "
                f"{self.num_points} points"
            )
        cameras = self.cameras(points)  # [B, H, 3, 2]
        # No gradient passes the choice: the chosen code is computed once more, which is
        # cheaper than the way back through all of them.
        best = self._cheapest(points, cameras)
        camera = tf.gather(cameras, best, axis=1, batch_dims=1)
        code = self.code(points, camera)
        shape = self.shape_of(code)
        joints = tf.matmul(shape, stiefel.rotation(camera))
        return {"camera": camera, "code": code, "shape": shape, "joints": joints}

    @property
    def dictionary(self) -> tf.Tensor:
        """D_1 as `[P, 3, K_1]`."""
        shape = [self.num_points, 3, self.atoms[0]]
        return tf.reshape(self.dictionaries[0], shape)

    def shape_of(self, code: tf.Tensor) -> tf.Tensor:
        """Returns the shapes S = D_1 phi_1 of codes `[B, K_1]`, `[B, P, 3]`."""
        flat = tf.matmul(code, self.dictionaries[0], transpose_b=True)
        return tf.reshape(flat, [-1, self.num_points, 3])

    def cameras(self, points: tf.Tensor) -> tf.Tensor:
        """Returns q_M of W, `[B, P, 2]`: the cameras to try, `[B, H, 3, 2]`.

        Psi_i = relu((D_i (x) I_3)' Psi_(i-1) - b_i), from Psi_0 = W. The last blocks
        are not rectified: about half of so few would be zero for ever.
        """
        first = tf.reshape(self.dictionary, [self.num_points, -1])  # [P, 3 K_1]
        blocks = tf.tensordot(tf.transpose(points, [0, 2, 1]), first, axes=1)
        blocks = tf.reshape(blocks, [-1, 2, 3, self.atoms[0]]) - self.camera_biases[0]
        for dictionary, bias in zip(self.dictionaries[1:], self.camera_biases[1:]):
            blocks = tf.tensordot(tf.nn.relu(blocks), dictionary, axes=1) - bias
        cameras = tf.tensordot(blocks, self.to_camera, axes=1)  # [B, 2, 3, H]
        return stiefel.nearest(tf.transpose(cameras, [0, 3, 2, 1]))

    def code(self, points: tf.Tensor, camera: tf.Tensor) -> tf.Tensor:
        """Returns q_phi(W, M), the codes phi_1, `[B, K_1]`.

        phi_i = relu(D_i' phi_(i-1) - b_i), from phi_0 = W M' to phi_n; then
        phi_(i-1) = relu(D_i phi_i - b_i), down to phi_1.

        Args:
            points: W, `[B, P, 2]`.
            camera: M, `[B, 3, 2]`.
        """
        lifted = tf.matmul(points, camera, transpose_b=True)  # [B, P, 3]
        code = tf.reshape(lifted, [-1, 3 * self.num_points])
        for dictionary, bias in zip(self.dictionaries, self.code_biases):
            code = tf.nn.relu(tf.matmul(code, dictionary) - bias)
        rest = list(zip(self.dictionaries[1:], self.decoder_biases))
        for dictionary, bias in reversed(rest):
            code = tf.nn.relu(tf.matmul(code, dictionary, transpose_b=True) - bias)
        return code

    def _cheapest(self, points: tf.Tensor, cameras: tf.Tensor) -> tf.Tensor:
        """Which of each sample's cameras `[B, H, 3, 2]` costs least by eq. 4, `[B]`."""
        if self.hypotheses == 1:
            return tf.zeros([tf.shape(points)[0]], tf.int64)
        points = tf.repeat(points, self.hypotheses, axis=0)  # [B H, P, 2]
        cameras = tf.reshape(cameras, [-1, 3, 2])
        code = self.code(points, cameras)
        error = reprojection(tf.matmul(self.shape_of(code), cameras), points)
        price = error + self._sparsity * tf.reduce_sum(code, axis=-1)
        return tf.argmin(tf.reshape(price, [-1, self.hypotheses]), axis=1)

    def _biases(self, side: str, sizes: Sequence[int]) -> list[tf.Variable]:
        return [
            self.add_weight(f"{side}_bias_{n}", [size], initializer="zeros")
            for n, size in enumerate(sizes, start=1)
        ]


def reprojection(joints: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Returns ||S M - W|| of each sample, `[B]` ([N] eq. 4, first term).

    Args:
        joints: `[B, P, 2 or 3]`, camera frame; x and y count.
        points: W, `[B, P, 2]`.
    """
    squares = tf.reduce_sum(tf.square(joints[..., :2] - points), axis=[-2, -1])
    return tf.sqrt(squares + 1e-12)  # the gradient at zero is zero
