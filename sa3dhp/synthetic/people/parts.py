"""Pieces of a person as a rasteriser takes them: corners at rest, and their bones."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from sa3dhp.synthetic.people import makehuman

DM = 0.1  # metres; meshes are in decimetres, parts in metres
VERTEX = np.dtype(
    [
        ("at", np.float32, 3),
        ("normal", np.float32, 3),
        ("uv", np.float32, 2),
        ("bone", np.uint8, 4),
        ("weight", np.float32, 4),
        ("paint", np.float32, 3),
    ]
)


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Part:
    """A piece of a person: skin, a garment, hair.

    Attributes:
        vertices: `[C]` of `VERTEX`, at rest, metres.
        triangles: `[F, 3]` int.
        texture: `[H, W, 4]` uint8 RGBA, the first row at v = 0.
        key: by which the texture is known.
        recolour: RGB that replaces the texture's colour, times its grey, and how much.
        gloss: 0 is matt.
        cut: what is less opaque is left out.
        open: its triangles are seen from behind as well.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    texture: np.ndarray
    key: str
    recolour: tuple[float, ...] = (1.0, 1.0, 1.0, 0.0)
    gloss: float = 0.0
    cut: float = 0.3
    open: bool = False


def make(
    mesh: makehuman.Mesh,
    vertices: np.ndarray,
    weights: np.ndarray,
    *,
    texture: np.ndarray,
    key: str,
    paint: np.ndarray | None = None,
    **look: Any,
) -> Part:
    """Makes a part of a mesh.

    Args:
        mesh: gives corners and triangles.
        vertices: `[V, 3]`, dm, where its vertices are.
        weights: `[V, B]`, of bones.
        texture: see `Part`.
        key: see `Part`.
        paint: `[V, 3]`, RGB, times the texture; white if None.
        **look: the other attributes of `Part`.
    """
    rows = mesh.corners
    packed = np.zeros(len(rows), VERTEX)
    packed["at"], packed["uv"] = vertices[rows] * DM, mesh.uv
    packed["normal"] = normals(vertices, rows[mesh.triangles])[rows]
    packed["bone"], packed["weight"] = strongest(weights[rows])
    packed["paint"] = 1.0 if paint is None else paint[rows]
    return Part(packed, mesh.triangles, texture, key, **look)


def strongest(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keeps the four strongest bones of `[N, B]`: numbers and weights, `[N, 4]`."""
    order = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    kept = np.take_along_axis(weights, order, axis=1)
    return order.astype(np.uint8), kept / kept.sum(axis=1, keepdims=True)


def normals(at: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Returns unit normals of vertices `[V, 3]`: its triangles', by their area."""
    corners = at[triangles]  # [F, 3, 3]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = [
        sum(np.bincount(triangles[:, n], flat[:, axis], len(at)) for n in range(3))
        for axis in range(3)
    ]
    out = np.stack(sums, axis=-1)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
