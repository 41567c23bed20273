"""Files of MakeHuman: meshes, shape targets, clothes and the rig (CC0 assets).

Vertices are decimetres, x to the person's left, y up, z forwards. Faces are quads whose
corners name a vertex and a texture coordinate; we make triangles of them whose corners
are the distinct pairs of both.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import pathlib
import re
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from sa3dhp import documents, errors, files

_Read = TypeVar("_Read", bound=Callable[..., Any])
_MOST = 1 << 24  # bytes of a file, unpacked; the largest, weights, has 3 MB
_VERTICES = 1_000_000  # of a mesh, at most; the base mesh has 19,158


def _reader(what: str) -> Callable[[_Read], _Read]:
    """Makes whatever a damaged file raises an `InputError` that names it."""

    def decorate(read: _Read) -> _Read:
        @functools.wraps(read)
        def named(path: pathlib.Path, *args: Any, **fields: Any) -> Any:
            with errors.reading(path, what):
                return read(path, *args, **fields)

        return named  # type: ignore[return-value]

    return decorate


def _text(path: pathlib.Path) -> str:
    """What a file says, unpacked; not without end."""
    if path.suffix == ".gz":
        with gzip.open(path) as file:
            data = file.read(_MOST + 1)
    else:
        data = files.read_bounded(path, _MOST)
    if len(data) > _MOST:
        raise ValueError(f"more than {_MOST} bytes")
    return data.decode("utf-8", errors="replace")


def _json(path: pathlib.Path) -> Any:
    return documents.parse_json(_text(path), str(path))


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Mesh:
    """Triangles with texture coordinates over the vertices of a file.

    Attributes:
        vertices: `[V, 3]`, dm, as in the file.
        corners: `[C]` int, the vertex of each corner.
        uv: `[C, 2]`, 0 to 1, v upwards.
        triangles: `[F, 3]` int, corners.
    """

    vertices: np.ndarray
    corners: np.ndarray
    uv: np.ndarray
    triangles: np.ndarray

    def without(self, hidden: np.ndarray) -> Mesh:
        """The mesh without the triangles all of whose vertices are `hidden [V]`."""
        keep = ~hidden[self.corners[self.triangles]].all(axis=1)
        used, triangles = np.unique(self.triangles[keep], return_inverse=True)
        return Mesh(
            self.vertices, self.corners[used], self.uv[used], triangles.reshape(-1, 3)
        )

    def coarser(self, cell: float) -> Mesh:
        """A mesh of fewer triangles: vertices that share a cell of a grid become one.

        A face has thousands of vertices that a picture of a whole person cannot show.

        Args:
            cell: side of the grid's cells, dm.
        """
        places = self.vertices[self.corners]
        cells = np.floor(places / cell).astype(np.int64)
        _, group = np.unique(cells, axis=0, return_inverse=True)
        group = group.ravel()
        middles = np.stack([np.bincount(group, places[:, n]) for n in range(3)], axis=1)
        middles = middles / np.bincount(group)[:, None]
        far = np.linalg.norm(places - middles[group], axis=1)
        order = np.lexsort((far, group))
        firsts = order[np.unique(group[order], return_index=True)[1]]
        # A vertex keeps a corner for each of the texture's sheets that meet in it.
        key = np.column_stack([group, self._sheets()])
        found, first, corner = np.unique(
            key, axis=0, return_index=True, return_inverse=True
        )
        triangles = corner.ravel()[self.triangles]
        ends = found[triangles, 0]
        whole = (ends != np.roll(ends, 1, axis=1)).all(axis=1)
        return Mesh(
            self.vertices,
            self.corners[firsts[found[:, 0]]],
            self.uv[first],
            np.unique(triangles[whole], axis=0),
        )

    def _sheets(self) -> np.ndarray:
        """Which connected sheet of the texture each corner lies on, `[C]`."""
        count = len(self.corners)
        ends = self.triangles[:, [0, 1]], self.triangles[:, [1, 2]]
        pairs = np.concatenate(ends).T
        graph = sparse.coo_matrix((np.ones(pairs.shape[1]), pairs), (count, count))
        return csgraph.connected_components(graph, directed=False)[1]


@dataclasses.dataclass(frozen=True, eq=False)
class Fitting:
    """How the vertices of clothes or hair lie on a body (`.mhclo`).

    Attributes:
        vertices: `[N, 3]` int, of the base mesh.
        weights: `[N, 3]`, theirs.
        offsets: `[N, 3]`, in units of the scales.
        scales: per axis two vertices whose distance along it is measured, and that
            distance on the body the clothes were made for, dm.
        hidden: `[H]` int, vertices of the base mesh that lie under them.
    """

    vertices: np.ndarray
    weights: np.ndarray
    offsets: np.ndarray
    scales: tuple[tuple[int, int, float], ...]
    hidden: np.ndarray


@_reader("an OBJ file of MakeHuman")
def read_obj(path: pathlib.Path, groups: Collection[str] | None = None) -> Mesh:
    """Reads an OBJ file; with `groups`, the faces of these alone.

    Raises:
        InputError: if a face has no texture coordinate or there is no face.
    """
    vertices, uv, quads = [], [], []
    wanted = True
    for line in _text(path).splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append(rest.split()[:3])
        elif kind == "vt":
            uv.append(rest.split()[:2])
        elif kind == "g":
            wanted = groups is None or rest.strip() in groups
        elif kind == "f" and wanted:
            quads.append([corner.split("/")[:2] for corner in rest.split()])
    if not quads or len(quads[0][0]) < 2:
        raise errors.InputError(f"{path}: no faces with texture coordinates in it")
    pairs = [
        (quad[0], quad[n], quad[n + 1])
        for quad in quads
        for n in range(1, len(quad) - 1)
    ]
    faces = np.array(pairs, np.int64) - 1  # [F, 3, 2]
    found, triangles = np.unique(faces.reshape(-1, 2), axis=0, return_inverse=True)
    return Mesh(
        np.array(vertices, np.float32),
        found[:, 0],
        np.array(uv, np.float32)[found[:, 1]],
        triangles.reshape(-1, 3),
    )


@_reader("a shape target of MakeHuman")
def read_target(path: pathlib.Path, count: int) -> np.ndarray:
    """Reads a shape target: `[count, 3]`, float32, dm, what it adds to the vertices."""
    lines = _text(path).splitlines()
    words = [line.split() for line in lines if line.strip() and line[0] != "#"]
    table = np.array(words, np.float64).reshape(-1, 4)
    out = np.zeros((count, 3), np.float32)
    out[table[:, 0].astype(int)] = table[:, 1:]
    return out


@_reader("a .mhclo file")
def read_fitting(path: pathlib.Path) -> Fitting:
    """Reads a `.mhclo` file."""
    scales: dict[str, tuple[int, int, float]] = {}
    rows, hidden = [], []
    section = ""
    for line in _text(path).splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] in ("x_scale", "y_scale", "z_scale"):
            scales[words[0]] = (int(words[1]), int(words[2]), float(words[3]))
        elif words[0] in ("verts", "delete_verts"):
            section = words[0]
        elif re.fullmatch(r"[-+.\d]\S*", words[0]) is None:
            continue  # other words may stand within a section
        elif section == "verts":
            # A single number sits on one vertex.
            single = [words[0]] * 3 + ["1", "0", "0", "0", "0", "0"]
            rows.append(words[:9] if len(words) >= 9 else single)
        elif section == "delete_verts":
            hidden += _ranges(words)
    if not rows or len(scales) != 3:
        raise errors.InputError(f"{path}: no vertices or scales; is it a .mhclo file?")
    table = np.array(rows, np.float64)
    return Fitting(
        table[:, :3].astype(np.int64),
        table[:, 3:6].astype(np.float32),
        table[:, 6:].astype(np.float32),
        tuple(scales[f"{axis}_scale"] for axis in "xyz"),
        np.array(hidden, np.int64),
    )


def _vertices(first: int, last: int) -> range:
    """Those from the first to the last; ValueError where no mesh has so many."""
    if last >= _VERTICES:
        raise ValueError(f"vertex {last}, expected less than {_VERTICES}")
    return range(first, last + 1)


def _ranges(words: list[str]) -> list[int]:
    """`3 - 5 8` -> 3, 4, 5, 8."""
    found: list[int] = []
    through = False
    for word in words:
        if word == "-":
            through = True
        elif through:
            found += _vertices(found[-1] + 1, int(word))
            through = False
        else:
            found.append(int(word))
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class Rig:
    """Bones over the base mesh; parents come before their children.

    Attributes:
        names: `B` of them, those of CMU's BVH files.
        parents: `[B]` int, -1 for the root.
        heads: `B` arrays of vertices in whose middle each bone starts.
        tails: the same of where it ends.
        weights: `[V, B]`, float32, rows sum to 1.
    """

    names: tuple[str, ...]
    parents: np.ndarray
    heads: tuple[np.ndarray, ...]
    tails: tuple[np.ndarray, ...]
    weights: np.ndarray

    def index(self, name: str) -> int:
        """The bone of that name."""
        return self.names.index(name)


@_reader("a rig of MakeHuman")
def read_rig(
    rig: pathlib.Path, weights: pathlib.Path, groups: dict[str, np.ndarray], count: int
) -> Rig:
    """Reads a rig and its weights.

    Args:
        rig: JSON of the bones.
        weights: JSON of their weights.
        groups: see `read_groups`.
        count: vertices of the base mesh.
    """
    bones = _json(rig)
    bones = bones.get("bones", bones)
    names: list[str] = []
    waiting = sorted(bones)
    while waiting:
        ready = [n for n in waiting if bones[n]["parent"] in ("", None, *names)]
        if not ready:
            raise errors.InputError(f"{rig}: bones without a root: {waiting}")
        names += ready
        waiting = [name for name in waiting if name not in ready]
    table = _weights(weights, names, count)
    parents = [bones[name]["parent"] for name in names]
    return Rig(
        tuple(names),
        np.array([names.index(parent) if parent else -1 for parent in parents]),
        tuple(_place(bones[name]["head"], groups) for name in names),
        tuple(_place(bones[name]["tail"], groups) for name in names),
        table / np.maximum(table.sum(axis=1, keepdims=True), 1e-6),
    )


@_reader("weights of a rig of MakeHuman")
def _weights(path: pathlib.Path, names: list[str], count: int) -> np.ndarray:
    """How much each bone holds each vertex, `[count, B]`, as in the file."""
    table = np.zeros((count, len(names)), np.float32)
    for name, pairs in _json(path)["weights"].items():
        if name in names:
            rows = np.array(pairs, np.float64).reshape(-1, 2)
            table[rows[:, 0].astype(int), names.index(name)] = rows[:, 1]
    return table


def _place(entry: dict, groups: dict[str, np.ndarray]) -> np.ndarray:
    """The vertices in whose middle an end of a bone lies."""
    if entry["strategy"] == "CUBE":
        return groups[entry["cube_name"]]
    if entry["strategy"] == "VERTEX":
        return np.array([entry["vertex_index"]])
    return np.array(entry["vertex_indices"])


@_reader("groups of vertices of MakeHuman")
def read_groups(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the groups of the base mesh's vertices: name -> `[N]` int."""
    found = {}
    for name, ranges in _json(path).items():
        parts = [_vertices(first, last) for first, last in ranges]
        if sum(map(len, parts)) > _VERTICES:  # each once more and again
            raise ValueError(f"{name}: more than {_VERTICES} vertices")
        found[name] = np.array([v for part in parts for v in part], np.int64)
    return found
