"""What the teacher is measured against: factorisation, rigid and of low rank; NumPy.

Both see nothing but the projections they are asked to lift, centred, from orthographic
cameras, and answer in the cameras' frames up to one reflection of all depths.
"""

from __future__ import annotations

import numpy as np

from sa3dhp import errors

_CAMERA_STEPS = 5  # of each camera in an iteration of `low_rank`
_REVERSE_EVERY = 10  # iterations between two looks at the reversed cameras
_LEAST_NOISE = 1e-10  # variance, relative to the points'; keeps the posterior proper


def rigid(points: np.ndarray, *, scaled: bool = True) -> np.ndarray:
    """Lifts points as one rigid body (Tomasi and Kanade, IJCV 1992).

    Args:
        points: `[N, P, 2]`, centred; N at least 3, P at least 4.
        scaled: each frame may have a size of its own (weak perspective).

    Returns:
        `[N, P, 3]`, the body as each camera sees it, in the unit of `points`.

    Raises:
        InputError: if the points span no body: all views alike, or all in a plane.
    """
    shape, cameras, sizes = factorised(points, scaled=scaled)
    return _seen(np.broadcast_to(shape, (len(points), *shape.shape)), cameras, sizes)


def factorised(
    points: np.ndarray, *, scaled: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the body `[P, 3]`, cameras `[N, 3, 2]` and sizes `[N]`; see `rigid`."""
    points = np.asarray(points, np.float64)
    rows = points.transpose(0, 2, 1).reshape(-1, points.shape[1])  # [2 N, P]
    values, vectors = np.linalg.eigh(rows.T @ rows)
    basis = vectors[:, -3:]  # [P, 3], of the three largest
    if values[-3] <= 1e-9 * values[-1]:
        raise errors.InputError(
            "rigid factorisation: the projections span no body, expected points that "
            "do not lie in a plane, seen from different sides"
        )
    motion = (rows @ basis).reshape(-1, 2, 3)
    upgrade = _metric_upgrade(motion, scaled)
    motion, shape = motion @ upgrade, basis @ np.linalg.inv(upgrade).T
    cameras, sizes = _polar(motion.transpose(0, 2, 1))
    if not scaled:
        sizes = np.ones_like(sizes)
    return shape, cameras, sizes


def _metric_upgrade(motion: np.ndarray, scaled: bool) -> np.ndarray:
    """The matrix that makes the two rows of each camera orthogonal and alike."""
    first, second = motion[:, 0], motion[:, 1]
    crossed = _products(first, second)
    ones = (_products(first, first), _products(second, second))
    if scaled:  # up to one factor, which the mean size fixes
        mean = (ones[0] + ones[1]).mean(axis=0, keepdims=True) / 2
        lines = np.concatenate([ones[0] - ones[1], crossed, len(motion) * mean])
        wanted = np.zeros(len(lines))
        wanted[-1] = len(motion)
    else:
        lines = np.concatenate([*ones, crossed])
        wanted = np.repeat([1.0, 1.0, 0.0], len(motion))
    a, b, c, d, e, f = np.linalg.lstsq(lines, wanted, rcond=None)[0]
    values, vectors = np.linalg.eigh(np.array([[a, b, c], [b, d, e], [c, e, f]]))
    # Noise can make the solution indefinite: the nearest one that is not.
    return vectors * np.sqrt(np.maximum(values, 1e-6 * values[-1]))


def _products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Coefficients of a symmetric matrix Q in `left' Q right`, `[N, 6]`."""
    outer = left[:, :, None] * right[:, None, :]
    outer = outer + outer.transpose(0, 2, 1)
    (i, j) = np.triu_indices(3)
    return outer[:, i, j] / np.where(i == j, 2.0, 1.0)


def low_rank(
    points: np.ndarray, rank: int, *, iterations: int = 60, scaled: bool = True
) -> np.ndarray:
    """Lifts points as a mean shape that changes in a few ways (Bregler et al., 2000).

    The model is fitted by expectation maximisation with a normal prior of the
    coefficients (Torresani et al., PAMI 2008), from the rigid solution; each camera
    moves by majorised steps, which never make its error larger. What looks alike from
    two sides (the Necker cube) catches such steps: now and then each camera is tried
    reversed along each axis of the mean shape, and the better one stays.

    Args:
        points: `[N, P, 2]`, centred.
        rank: ways to change, 0 or more.
        iterations: of the expectation maximisation.
        scaled: as for `rigid`; the sizes of the rigid solution stay.

    Returns:
        `[N, P, 3]`, camera frame, in the unit of `points`.

    Raises:
        InputError: as `rigid`, or for fewer frames than unknowns of the shapes.
    """
    points = np.asarray(points, np.float64)
    if len(points) < 3 * (rank + 1):
        raise errors.InputError(
            f"low-rank factorisation: got {len(points)} frames for rank {rank}, "
            f"expected at least {3 * (rank + 1)}; give more frames or a lower rank"
        )
    mean, cameras, sizes = factorised(points, scaled=scaled)
    flat = points / sizes[:, None, None]
    noise = float(np.mean((flat - mean @ cameras) ** 2))
    least = _LEAST_NOISE * float(np.mean(flat**2))
    generator = np.random.default_rng(0)
    spread = np.sqrt(max(noise, least) / max(rank, 1))
    shapes = np.concatenate(
        [mean[None], spread * generator.normal(size=(rank, *mean.shape))]
    )  # [1 + K, P, 3]
    for number in range(iterations):
        if number % _REVERSE_EVERY == _REVERSE_EVERY - 1:
            cameras = _reversed(flat, shapes, cameras, max(noise, least))
        code, covariance, error = _codes(flat, shapes, cameras, max(noise, least))
        shapes = _shapes(flat, code, covariance, cameras)
        found = np.einsum("nk,kpc->npc", code, shapes)
        cameras = _cameras(flat, found, cameras)
        noise = float(np.mean((flat - found @ cameras) ** 2)) + error
    code, _, _ = _codes(flat, shapes, cameras, max(noise, least))
    return _seen(np.einsum("nk,kpc->npc", code, shapes), cameras, sizes)


def _codes(
    flat: np.ndarray, shapes: np.ndarray, cameras: np.ndarray, noise: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """The posterior of the coefficients, a 1 for the mean shape before them.

    Returns:
        Mean `[N, 1 + K]`, covariance `[N, 1 + K, 1 + K]`, and what the covariance adds
        to the mean squared error of a coordinate.
    """
    seen = np.einsum("kpc,ncd->nkpd", shapes, cameras)  # [N, 1 + K, P, 2]
    seen = seen.reshape(*seen.shape[:2], -1)
    change = seen[:, 1:]
    left = flat.reshape(len(flat), -1) - seen[:, 0]
    gram = change @ change.transpose(0, 2, 1)  # [N, K, K]
    inner = np.linalg.inv(np.eye(gram.shape[1]) + gram / noise)
    code = np.ones([len(flat), len(shapes)])
    code[:, 1:] = np.einsum("nkl,nlq,nq->nk", inner, change, left, optimize=True)
    code[:, 1:] /= noise
    covariance = np.zeros([len(flat), len(shapes), len(shapes)])
    covariance[:, 1:, 1:] = inner
    added = np.einsum("nkl,nlk->", inner, gram) / left.size
    return code, covariance, float(added)


def _shapes(
    flat: np.ndarray, code: np.ndarray, covariance: np.ndarray, cameras: np.ndarray
) -> np.ndarray:
    """The mean shape and its changes, `[1 + K, P, 3]`, by least squares."""
    second = covariance + code[:, :, None] * code[:, None, :]
    views = cameras @ cameras.transpose(0, 2, 1)  # [N, 3, 3]
    size = 3 * code.shape[1]
    normal = np.einsum("nkl,ncd->kcld", second, views, optimize=True)
    normal = normal.reshape(size, size)
    right = np.einsum("nk,ncd,npd->kcp", code, cameras, flat, optimize=True)
    normal += 1e-9 * np.trace(normal) / size * np.eye(size)
    found = np.linalg.solve(normal, right.reshape(size, -1))
    return found.reshape(code.shape[1], 3, -1).transpose(0, 2, 1)


def _cameras(flat: np.ndarray, shapes: np.ndarray, cameras: np.ndarray) -> np.ndarray:
    """Cameras that see the shapes `[N, P, 3]` a little more as they were seen."""
    gram = shapes.transpose(0, 2, 1) @ shapes
    steepest = np.linalg.eigvalsh(gram)[:, -1][:, None, None]
    wanted = shapes.transpose(0, 2, 1) @ flat
    for _ in range(_CAMERA_STEPS):
        cameras, _ = _polar(steepest * cameras + wanted - gram @ cameras)
    return cameras


def _reversed(
    flat: np.ndarray, shapes: np.ndarray, cameras: np.ndarray, noise: float
) -> np.ndarray:
    """Each camera, or its mirror image along an axis of the mean shape if it fits."""
    _, axes = np.linalg.eigh(shapes[0].T @ shapes[0])
    mirrors = np.eye(3) - 2 * np.einsum("ci,di->icd", axes, axes)
    best, least = cameras, np.full(len(flat), np.inf)
    for mirror in (np.eye(3), *mirrors):
        tried = mirror @ cameras
        for _ in range(2):
            code, _, _ = _codes(flat, shapes, tried, noise)
            found = np.einsum("nk,kpc->npc", code, shapes)
            tried = _cameras(flat, found, tried)
        code, _, _ = _codes(flat, shapes, tried, noise)
        error = flat - np.einsum("nk,kpc->npc", code, shapes) @ tried
        price = np.sum(error**2, axis=(1, 2)) / noise + np.sum(code[:, 1:] ** 2, -1)
        better = price < least
        best = np.where(better[:, None, None], tried, best)
        least = np.where(better, price, least)
    return best


def _polar(motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest cameras of `[N, 3, 2]` and their sizes `[N]`."""
    left, values, right = np.linalg.svd(motion, full_matrices=False)
    return left @ right, values.mean(axis=-1)


def _seen(shapes: np.ndarray, cameras: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Shapes `[N, P, 3]` in the axes of their cameras, centred."""
    depth = np.cross(cameras[..., 0], cameras[..., 1])
    turn = np.concatenate([cameras, depth[..., None]], axis=-1)
    joints = shapes @ turn * sizes[:, None, None]
    return joints - joints.mean(axis=1, keepdims=True)
