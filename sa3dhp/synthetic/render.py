"""Draws bodies: shaded quads, far ones first, over a background.

Pictures are drawn at twice their size and reduced, so that edges are smooth.
"""

from __future__ import annotations

import cv2
import numpy as np

from sa3dhp.synthetic import domain, mesh

_OVERSAMPLING = 2
_SHIFT = 4  # fractional bits of the vertices' pixel coordinates
_CANVAS = 1.5  # the backdrop's side relative to the picture's: room to pan


def project(
    points: np.ndarray, distance: float | None, pixels_per_mm: float
) -> np.ndarray:
    """Returns the image of points, `[..., 2]` in pixels from the optical axis.

    Args:
        points: `[..., 3]`, mm, camera frame with the pelvis at the origin.
        distance: from the camera to the pelvis, mm; None is an orthographic camera.
        pixels_per_mm: at the pelvis' depth.
    """
    if distance is None:
        return points[..., :2] * pixels_per_mm
    depth = np.maximum(points[..., 2:] + distance, 200.0)
    return points[..., :2] * (pixels_per_mm * distance / depth)


def face_colors(look: domain.Look) -> np.ndarray:
    """Returns the unlit colour of every quad, `[Q, 3]`."""
    colors = look.colors[mesh.QUAD_MATERIAL]
    place, angle = mesh.QUAD_PLACE.T
    strength, count = look.stripes[mesh.QUAD_MATERIAL].T
    bands = np.sign(np.sin(2 * np.pi * place * count + 0.5))
    checks = np.sign(np.cos(6 * angle)) * look.checks * (strength > 0)
    return np.clip(colors * (1 + 0.5 * (strength * bands + checks))[:, None], 0, 255)


def _shade(vertices: np.ndarray, look: domain.Look) -> tuple:
    """Colours `[N, Q, 3]` of lit quads, and which face the camera `[N, Q]`."""
    corners = vertices[:, mesh.QUADS]  # [N, Q, 4, 3]
    normal = np.cross(
        corners[:, :, 2] - corners[:, :, 0], corners[:, :, 3] - corners[:, :, 1]
    )
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    middle = corners.mean(2)
    eye = middle + np.array([0, 0, look.distance], np.float32)
    facing = (normal * eye).sum(-1) < 0
    lit = np.maximum(normal @ look.light, 0)
    shade = look.ambient + (1 - look.ambient) * lit
    return face_colors(look) * shade[..., None], facing, middle[..., 2]


def bodies(
    canvases: np.ndarray,
    vertices: np.ndarray,
    look: domain.Look,
    pixels: np.ndarray,
) -> None:
    """Paints bodies on canvases, in place.

    Args:
        canvases: uint8 `[N, H, W, 3]`.
        vertices: `[N, V, 3]`, mm, camera frame.
        look: colours and light.
        pixels: `[N, V, 2]`, where the vertices are on the canvas.
    """
    colors, facing, depth = _shade(vertices, look)
    corners = np.round(pixels * (1 << _SHIFT)).astype(np.int32)[:, mesh.QUADS]
    for n, canvas in enumerate(canvases):
        seen = np.flatnonzero(facing[n])
        order = seen[np.argsort(-depth[n, seen])]
        quads = corners[n, order]
        for quad, color in zip(quads, colors[n, order].tolist()):
            cv2.fillConvexPoly(canvas, quad, color, cv2.LINE_8, _SHIFT)


def _random_color(rng: np.random.Generator) -> tuple:
    return tuple(float(c) for c in rng.uniform(10, 245, 3))


def _thing(canvas: np.ndarray, rng: np.random.Generator, scale: float) -> None:
    """Draws one box, disc or bar somewhere."""
    side = canvas.shape[0]
    x, y = rng.uniform(0, side, 2)
    w, h = rng.uniform(0.04, 0.3, 2) * side * scale
    color = _random_color(rng)
    kind = rng.integers(3)
    if kind == 0:
        a, b = (int(x - w), int(y - h)), (int(x + w), int(y + h))
        cv2.rectangle(canvas, a, b, color, -1)
    elif kind == 1:
        cv2.ellipse(canvas, (int(x), int(y)), (int(w), int(h)), 0, 0, 360, color, -1)
    else:
        turn = rng.uniform(0, np.pi)
        dx, dy = np.cos(turn) * 2 * h, np.sin(turn) * 2 * h
        a, b = (int(x - dx), int(y - dy)), (int(x + dx), int(y + dy))
        cv2.line(canvas, a, b, color, max(1, int(0.35 * w)))


def backdrop(look: domain.Look, size: int, rng: np.random.Generator) -> np.ndarray:
    """Returns a wall, a floor and the clutter, uint8 `[C, C, 3]`, `C` = 1.5 `size`."""
    side = int(_CANVAS * size)
    ramp = np.linspace(1.08, 0.92, side, dtype=np.float32)[:, None, None]
    horizon = int(side * rng.uniform(0.55, 0.8))
    column = np.concatenate([ramp[:horizon] * look.wall, ramp[horizon:] * look.floor])
    column = np.clip(column, 0, 255).astype(np.uint8)  # [C, 1, 3]
    canvas = np.ascontiguousarray(np.broadcast_to(column, (side, side, 3)))
    for _ in range(look.clutter):
        _thing(canvas, rng, 1.0)
    return canvas


def _pan(
    canvas: np.ndarray, size: int, num: int, drift: float, rng: np.random.Generator
) -> np.ndarray:
    """Windows of a slowly passing backdrop, uint8 `[num, size, size, 3]`."""
    room = canvas.shape[0] - size
    start, towards = rng.uniform(0, room, 2), rng.uniform(-1, 1, 2) * drift * size
    path = start + towards * np.arange(num)[:, None] / 30.0
    path = np.abs((path + room) % (2 * room) - room).astype(int)  # there and back
    return np.stack([canvas[y : y + size, x : x + size] for x, y in path])


def scene(
    vertices: np.ndarray,
    pixels: np.ndarray,
    look: domain.Look,
    size: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Returns pictures of one body in one place.

    Args:
        vertices: `[N, V, 3]`, mm, camera frame.
        pixels: `[N, V, 2]`, pixels of the final picture.
        look: the place.
        size: side of the picture.
        rng: for clutter, occluders and noise.

    Returns:
        uint8 RGB `[N, size, size, 3]`.
    """
    big = size * _OVERSAMPLING
    drift = rng.uniform(0, 0.25) if look.clutter else 0.0
    canvases = _pan(backdrop(look, big, rng), big, len(vertices), drift, rng)
    # The centre of pixel (0, 0) is the origin: 2x oversampling moves it half a pixel.
    bodies(canvases, vertices, look, (pixels + 0.5) * _OVERSAMPLING - 0.5)
    front = rng.integers(1 << 31)
    out = np.empty((len(vertices), size, size, 3), np.uint8)
    for n, canvas in enumerate(canvases):
        things = np.random.default_rng(front)  # the same in every frame
        for _ in range(look.occluders):
            _thing(canvas, things, 0.55)
        out[n] = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return _camera(out, look, rng)


def place(look: domain.Look, size: int, rng: np.random.Generator) -> np.ndarray:
    """Returns a canvas of a place without people, for `paint` and `developed`."""
    big = size * _OVERSAMPLING
    return _pan(backdrop(look, big, rng), big, 1, 0.0, rng)[0]


def paint(
    canvas: np.ndarray, vertices: np.ndarray, look: domain.Look, pixels: np.ndarray
) -> None:
    """Paints a body `[1, V, 3]` on a canvas, in place; `pixels` as of `scene`."""
    bodies(canvas[None], vertices, look, (pixels + 0.5) * _OVERSAMPLING - 0.5)


def developed(
    canvas: np.ndarray, look: domain.Look, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns what the camera makes of a canvas, uint8 `[size, size, 3]`."""
    for _ in range(look.occluders):
        _thing(canvas, rng, 0.55)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return _camera(small[None], look, rng)[0]


def _camera(
    images: np.ndarray, look: domain.Look, rng: np.random.Generator
) -> np.ndarray:
    """Defocus, exposure and noise of the camera."""
    sigma = look.blur * images.shape[1] / 100.0
    if sigma > 0.15:
        images = np.stack([cv2.GaussianBlur(image, (0, 0), sigma) for image in images])
    table = np.arange(256, dtype=np.float32)[:, None] * look.gain + look.offset
    table = np.clip(table, 0, 255).astype(np.uint8)[None]
    images = np.stack([cv2.LUT(image, table) for image in images])
    if look.noise >= 0.5:
        noise = np.empty(images.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(1 << 31)))
        for plane in noise:
            cv2.randn(plane, np.zeros(3), np.full(3, look.noise))
        images = np.clip(images + noise, 0, 255).astype(np.uint8)
    return images
