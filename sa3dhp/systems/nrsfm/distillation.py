"""What a depth hypothesis costs in the teacher's eyes ([N] 4), as pure functions.

The camera of each sample is fixed and absorbed into the dictionary. A hypothesis z'
then leaves a subspace of codes; the loss is the cost of the code in it that is nearest
to the teacher's, a convex upper bound of the least cost in it.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from sa3dhp.systems.nrsfm import stiefel

# Of the right inverse, relative to the mean eigenvalue of B_z B_z'. Along an eigenvalue
# as large as the mean 0.01 % of the residual stay; along one of zero all of it, where
# the plain inverse is infinite.
DAMPING = 1e-4
_TINY = 1e-12  # under the root of the norm: its gradient at zero is zero


class Basis(NamedTuple):
    """A dictionary as one camera sees it ([N] eq. 7).

    Attributes:
        xy: B_xy, `[B, 2 P, K]`, rows x_1, y_1, x_2, ...
        z: B_z, `[B, P, K]`.
    """

    xy: tf.Tensor
    z: tf.Tensor


def basis(dictionary: tf.Tensor, camera: tf.Tensor) -> Basis:
    """Returns the dictionary turned into each camera's axes ([N] eq. 5-7).

    Args:
        dictionary: D_1, `[P, 3, K]`.
        camera: M, `[B, 3, 2]`, orthonormal columns.
    """
    turned = tf.einsum("pck,bcd->bpdk", dictionary, stiefel.rotation(camera))
    points, atoms = dictionary.shape[0], dictionary.shape[2]
    xy = tf.reshape(turned[:, :, :2], [-1, 2 * points, atoms])
    return Basis(xy, turned[:, :, 2])


def right_inverse(
    matrix: tf.Tensor, residual: tf.Tensor, damping: float = DAMPING
) -> tf.Tensor:
    """Returns `B' (B B' + d I)^-1 r`, the damped right inverse applied ([N] eq. 13).

    Args:
        matrix: B, `[B, P, K]`; its rows need not be independent.
        residual: r, `[B, P]`.
        damping: d, relative to the mean eigenvalue of `B B'`; 0 is the exact inverse.

    Returns:
        `[B, K]`.
    """
    gram = tf.matmul(matrix, matrix, transpose_b=True)  # [B, P, P]
    rows = tf.cast(tf.shape(gram)[-1], gram.dtype)
    floor = damping * tf.linalg.trace(gram) / rows + tf.constant(1e-20, gram.dtype)
    gram += floor[:, None, None] * tf.eye(tf.shape(gram)[-1], dtype=gram.dtype)
    weights = tf.linalg.cholesky_solve(tf.linalg.cholesky(gram), residual[..., None])
    return tf.matmul(matrix, weights, transpose_a=True)[..., 0]


def nearest_code(
    depth: tf.Tensor, code: tf.Tensor, seen: Basis, damping: float = DAMPING
) -> tf.Tensor:
    """Returns the code of a depth hypothesis nearest to the teacher's ([N] eq. 12-13).

    Args:
        depth: z', `[B, P]`, unit of the teacher's points.
        code: phi, `[B, K]`.
        seen: the dictionary in the camera's axes.
        damping: see `right_inverse`; with it the code's depth is z' up to that.

    Returns:
        `[B, K]`, linear in `depth`; may be negative.
    """
    residual = depth - tf.linalg.matvec(seen.z, code)
    return code + right_inverse(seen.z, residual, damping)


def cost(
    code: tf.Tensor, points: tf.Tensor, seen: Basis, l1_weight: float
) -> tf.Tensor:
    """Returns the reprojection error and the regulariser of a code, `[B]` ([N] eq. 9).

    Args:
        code: `[B, K]`.
        points: W, `[B, P, 2]`, unit of the teacher's points.
        seen: the dictionary in the camera's axes.
        l1_weight: of |code|_1; 0.3 in [N].
    """
    flat = tf.reshape(points, [-1, seen.xy.shape[1]])
    error = tf.linalg.matvec(seen.xy, code) - flat
    norm = tf.sqrt(tf.reduce_sum(tf.square(error), axis=-1) + _TINY)
    return norm + l1_weight * tf.reduce_sum(tf.abs(code), axis=-1)


def upper_bound(
    depth: tf.Tensor,
    code: tf.Tensor,
    points: tf.Tensor,
    seen: Basis,
    l1_weight: float,
) -> tf.Tensor:
    """Returns the convex upper bound of the least cost of a hypothesis ([N] eq. 14).

    Args:
        depth: z', `[B, P]`; gradients pass through it.
        code: phi, `[B, K]`, the teacher's.
        points: W, `[B, P, 2]`.
        seen: the dictionary in the camera's axes.
        l1_weight: of |code|_1.

    Returns:
        `[B]`.
    """
    return cost(nearest_code(depth, code, seen), points, seen, l1_weight)
