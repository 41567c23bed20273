"""Clothes, shoes, hair and skins: what there is, and how it lies on a body."""

from __future__ import annotations

import dataclasses
import functools
import pathlib

import cv2
import numpy as np

from sa3dhp import errors
from sa3dhp.synthetic.people import makehuman

# dm; details that are smaller are left out.
_CELLS = {"suits": 0.2, "shoes": 0.2, "hairs": 0.12}


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Garment:
    """Something that is worn.

    Attributes:
        name: of its folder.
        mesh: as its file has it, without a body.
        fitting: how it lies on one.
        texture: path of its picture.
    """

    name: str
    mesh: makehuman.Mesh
    fitting: makehuman.Fitting
    texture: pathlib.Path

    def fit(self, body: np.ndarray) -> np.ndarray:
        """Returns its vertices `[N, 3]` on the base mesh's `body [V, 3]`, dm."""
        fitting = self.fitting
        scales = [
            abs(body[a, n] - body[b, n]) / length
            for n, (a, b, length) in enumerate(fitting.scales)
        ]
        placed = np.einsum("nk,nkd->nd", fitting.weights, body[fitting.vertices])
        moved = fitting.offsets * np.array(scales, np.float32)
        return (placed + moved).astype(np.float32)

    def weights(self, body: np.ndarray) -> np.ndarray:
        """Returns its bone weights `[N, B]` from those of the base mesh `[V, B]`."""
        mixed = np.einsum(
            "nk,nkb->nb",
            np.maximum(self.fitting.weights, 0),
            body[self.fitting.vertices],
        )
        return mixed / np.maximum(mixed.sum(axis=1, keepdims=True), 1e-6)


class Wardrobe:
    """What can be worn, by kind; files are read when they are first worn.

    Attributes:
        suits: names -> folders, clothes that cover trunk and legs.
        shoes: names -> folders.
        hairs: names -> folders.
        skins: names -> pictures.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        """Looks into MakeHuman's `assets` folder, which need not exist."""
        clothes = _folders(folder / "clothes")
        self.suits = {n: p for n, p in clothes.items() if "suit" in n}
        self.shoes = {n: p for n, p in clothes.items() if "shoes" in n}
        self.hairs = _folders(folder / "hair")
        self.skins = {p.stem: p for p in sorted((folder / "skins").glob("*.png"))}

    @functools.lru_cache(maxsize=128)  # noqa: B019  (lives as long as its process)
    def garment(self, kind: str, name: str) -> Garment:
        """Reads one of `suits`, `shoes` or `hairs`."""
        folder = getattr(self, kind)[name]
        files = [sorted(folder.glob(end)) for end in ("*.mhclo", "*.obj", "*.png")]
        if not all(files):
            raise errors.InputError(
                f"{folder}: expected a .mhclo, an .obj and a .png file in it"
            )
        # Pictures of normals and of ambient occlusion may lie beside that of colours.
        files[2].sort(key=lambda path: "diffuse" not in path.stem)
        fitting, obj, texture = (found[0] for found in files)
        return Garment(
            name,
            makehuman.read_obj(obj).coarser(_CELLS[kind]),
            makehuman.read_fitting(fitting),
            texture,
        )


def _folders(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    if not folder.is_dir():
        return {}
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir()}


@functools.lru_cache(maxsize=64)
def picture(path: pathlib.Path) -> np.ndarray:
    """Reads a texture: `[H, W, 4]` uint8 RGBA, the first row at v = 0 (below)."""
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise errors.InputError(f"{path}: not a picture")
    if found.ndim == 2:
        found = cv2.cvtColor(found, cv2.COLOR_GRAY2BGR)
    code = cv2.COLOR_BGRA2RGBA if found.shape[2] == 4 else cv2.COLOR_BGR2RGBA
    return np.ascontiguousarray(cv2.cvtColor(found, code)[::-1])
