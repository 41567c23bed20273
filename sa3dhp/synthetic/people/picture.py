"""What a camera makes of a picture: blur, noise, few pixels, JPEG."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np


@dataclasses.dataclass(frozen=True)
class Film:
    """The faults of a camera.

    Attributes:
        defocus: standard deviation of the blur, pixels of a picture of 192.
        shake: (length, angle) of the blur by the camera's movement, the same pixels
            and radians.
        noise: standard deviation at mid grey, of 255.
        pixels: share of the pixels of the picture that the source had, 0 to 1.
        quality: of its JPEG, 0 for none.
    """

    defocus: float = 0.0
    shake: tuple[float, float] = (0.0, 0.0)
    noise: float = 0.0
    pixels: float = 1.0
    quality: int = 0


def draw(rng: np.random.Generator) -> Film:
    """Draws a camera: most pictures are nearly sharp, some are bad."""
    bad = rng.uniform() < 0.25
    return Film(
        defocus=float(rng.gamma(1.5, 0.5) if bad else rng.uniform(0.0, 0.5)),
        shake=(float(rng.gamma(1.5, 1.5)) if rng.uniform() < 0.15 else 0.0,
               float(rng.uniform(0, np.pi))),
        noise=float(rng.gamma(2.0, 3.0) if bad else rng.uniform(0.5, 4.0)),
        pixels=float(rng.uniform(0.35, 1.0) if rng.uniform() < 0.35 else 1.0),
        quality=int(rng.integers(30, 96)) if rng.uniform() < 0.7 else 0,
    )  # fmt: skip


def develop(image: np.ndarray, film: Film, rng: np.random.Generator) -> np.ndarray:
    """Returns what a camera gives, `[S, S, 3]` uint8 RGB.

    Args:
        image: `[S, S, 3]`, RGB, uint8, or float32 0 to 255 for averages of several.
        film: the camera.
        rng: of the noise.
    """
    size = image.shape[0]
    scale = size / 192
    out = image
    length = film.shake[0] * scale
    if length > 0.5:
        out = cv2.filter2D(out, -1, _line(length, film.shake[1]))
    if film.pixels < 1.0:
        side = max(8, round(size * film.pixels))
        out = cv2.resize(out, (side, side), interpolation=cv2.INTER_AREA)
    sigma = film.defocus * scale * film.pixels
    if sigma > 0.15:
        out = cv2.GaussianBlur(out, (0, 0), sigma)
    if film.noise:
        # Photons: brighter is noisier, less so than its light.
        out = np.asarray(out, np.float32)
        strength = film.noise * np.sqrt(0.3 + out * (0.7 / 128))
        out = out + strength * rng.standard_normal(out.shape, np.float32)
    out = np.clip(np.rint(out), 0, 255).astype(np.uint8)
    if film.quality:
        flags = (cv2.IMWRITE_JPEG_QUALITY, film.quality)
        _, data = cv2.imencode(".jpg", out[..., ::-1], flags)
        out = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    if out.shape[0] != size:
        out = cv2.resize(out, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(out)


def _line(length: float, angle: float) -> np.ndarray:
    """The kernel of a movement along a line, sums to 1."""
    reach = int(np.ceil(length / 2))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along = x * np.cos(angle) + y * np.sin(angle)
    across = -x * np.sin(angle) + y * np.cos(angle)
    kernel = np.clip(1 - np.abs(across), 0, 1) * (np.abs(along) <= length / 2)
    return (kernel / kernel.sum()).astype(np.float32)
