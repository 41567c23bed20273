"""Where people stand: a panorama behind them, and the light it sheds.

A panorama is taken for a dome over a flat floor, seen from the height of its camera:
the floor comes near with the camera and passes under the feet. Its light is a main
direction, that of its brightest part, and the irradiance of all the rest as spherical
harmonics of degree two (Ramamoorthi & Hanrahan, 2001).

World: metres, y up, the floor at zero. An equirectangular panorama has the sky in its
first row; its middle column lies towards -z, its columns go to the right.
"""

from __future__ import annotations

import dataclasses
import pathlib

import cv2
import numpy as np

from sa3dhp import errors

_LIGHT_ROWS = 64  # of the panorama that light is computed from
_BRIGHT = 6.0  # times the mean luminance: what is brighter is the main light's
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
# Cosine-lobe coefficients over pi, by degree.
_LOBE = np.array([1.0, *[2.0 / 3.0] * 3, *[0.25] * 5])


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Panorama:
    """A panorama and its light.

    Attributes:
        name: of its file.
        radiance: `[H, 2 H, 3]`, float32, RGB, linear, mean luminance 1.
        harmonics: `[9, 3]`: `basis(n) @ harmonics` is the radiance of a white surface
            of normal `n [3]` that the main light does not reach.
        towards: `[3]`, unit, where the main light is.
        light: `[3]`, RGB radiance of a white surface that faces the main light.
        typical: geometric mean of its luminance.
        colour: `[3]`, RGB, its mean.
    """

    name: str
    radiance: np.ndarray
    harmonics: np.ndarray
    towards: np.ndarray
    light: np.ndarray
    typical: float
    colour: np.ndarray


def basis(normals: np.ndarray) -> np.ndarray:
    """Returns nine real spherical harmonics at unit vectors, `[..., 3] -> [..., 9]`."""
    x, y, z = np.moveaxis(np.asarray(normals), -1, 0)
    return np.stack(
        [
            0.282095 * np.ones_like(x),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        axis=-1,
    )


def directions(rows: int) -> np.ndarray:
    """Returns where the pixels of a panorama lie, `[rows, 2 rows, 3]`, unit."""
    polar = (np.arange(rows) + 0.5) / rows * np.pi
    around = (np.arange(2 * rows) + 0.5) / rows * np.pi - np.pi
    polar, around = np.meshgrid(polar, around, indexing="ij")
    return np.stack(
        [
            np.sin(polar) * np.sin(around),
            np.cos(polar),
            -np.sin(polar) * np.cos(around),
        ],
        axis=-1,
    )


def read(path: pathlib.Path) -> Panorama:
    """Reads an equirectangular picture: `.hdr` (linear) or 8 bit.

    Raises:
        InputError: if it is not one.
    """
    found = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
    if found is None or found.shape[1] != 2 * found.shape[0]:
        raise errors.InputError(
            f"{path}: expected a picture twice as wide as high (.hdr, .png or .jpg)"
        )
    picture = found[..., ::-1].astype(np.float32)
    if found.dtype != np.float32:
        picture = (picture / np.iinfo(str(found.dtype)).max) ** 2.2
    return lit(path.stem, np.nan_to_num(np.maximum(picture, 0.0)))


def lit(name: str, radiance: np.ndarray) -> Panorama:
    """Computes the light of a panorama, `[H, 2 H, 3]`, linear RGB."""
    size = (2 * _LIGHT_ROWS, _LIGHT_ROWS)
    small = cv2.resize(radiance, size, interpolation=cv2.INTER_AREA)
    where = directions(_LIGHT_ROWS)
    solid = np.sqrt(
        np.maximum(1 - where[..., 1] ** 2, 0)
    )  # a row's share of the sphere
    solid *= 4 * np.pi / solid.sum()
    mean = float((small @ _LUMINANCE * solid).sum() / (4 * np.pi))
    small, radiance = small / mean, radiance / mean
    luminance = small @ _LUMINANCE
    bright = np.maximum(luminance - _BRIGHT, 0.0) / np.maximum(luminance, 1e-6)
    main = small * (bright * solid)[..., None]  # [H, 2 H, 3], flux
    rest = small * ((1 - bright) * solid)[..., None]
    towards = ((main @ _LUMINANCE)[..., None] * where).sum((0, 1))
    length = float(np.linalg.norm(towards))
    if length < 1e-6:
        towards, length = np.array([0.0, 1.0, 0.0]), 1.0
    coefficients = np.einsum("hwk,hwc->kc", basis(where), rest)  # [9, 3]
    return Panorama(
        name,
        radiance.astype(np.float32),
        coefficients * _LOBE[:, None],
        towards / length,
        main.sum((0, 1)) / np.pi,
        float(np.exp((np.log(small @ _LUMINANCE + 1e-3) * solid).sum() / (4 * np.pi))),
        (small * solid[..., None]).sum((0, 1)) / (4 * np.pi),
    )


def turned(panorama: Panorama, yaw: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns harmonics `[9, 3]` and main direction `[3]` of one turned by `yaw`.

    Args:
        panorama: as it was read.
        yaw: radians, about the vertical, z towards x.
    """
    cos, sin = np.cos(yaw), np.sin(yaw)
    turn = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    # Harmonics of a turned function: refitted at enough directions, exactly.
    where = directions(8).reshape(-1, 3)
    values = basis(where @ turn) @ panorama.harmonics  # at turn^-1 of each
    harmonics = np.linalg.lstsq(basis(where), values, rcond=None)[0]
    return harmonics, turn @ panorama.towards
