"""Many images on one sheet, and images on disk."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Sequence

import cv2
import numpy as np

from sa3dhp import errors, files

_CAPTION_HEIGHT = 18
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def grid(
    images: Sequence[np.ndarray],
    *,
    columns: int | None = None,
    padding: int = 2,
    background: int = 255,
) -> np.ndarray:
    """Returns images of one size in rows and columns.

    Args:
        images: `[N, H, W, 3]` or a sequence of `[H, W, 3]`, uint8 RGB.
        columns: per row; about as many as rows if None.
        padding: pixels between and around.
        background: grey level of the padding and of empty places.

    Raises:
        errors.InputError: if there is no image, or their shapes differ.
    """
    images = [np.asarray(image) for image in images]
    shapes = {image.shape for image in images}
    if len(shapes) != 1 or len(images[0].shape) != 3:
        raise errors.InputError(
            f"grid: got images of shapes {sorted(shapes)}, expected at least one, all "
            "of one shape [H, W, 3]"
        )
    ((height, width, _),) = shapes
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    columns = min(columns, len(images))
    shape = [n * (s + padding) + padding for n, s in ((rows, height), (columns, width))]
    sheet = np.full((*shape, 3), background, np.uint8)
    for index, image in enumerate(images):
        top = padding + (index // columns) * (height + padding)
        left = padding + (index % columns) * (width + padding)
        sheet[top : top + height, left : left + width] = image
    return sheet


def letterbox(image: np.ndarray, size: int, *, background: int = 255) -> np.ndarray:
    """Returns an image `[size, size, 3]`, scaled to fit, with bars at two sides."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, shape, interpolation=method)
    sheet = np.full((size, size, 3), background, np.uint8)
    top, left = (size - shape[1]) // 2, (size - shape[0]) // 2
    sheet[top : top + shape[1], left : left + shape[0]] = small
    return sheet


def contact_sheet(
    images: Sequence[np.ndarray],
    captions: Sequence[str],
    *,
    size: int = 160,
    columns: int | None = None,
    legend: Sequence[str] = (),
) -> np.ndarray:
    """Returns images of any size as captioned tiles, `[H, W, 3]` uint8 RGB.

    Args:
        images: each `[H, W, 3]` uint8 RGB.
        captions: one line each; what does not fit is cut.
        size: side of a tile, pixels.
        columns: tiles per row.
        legend: lines above them all; what does not fit is cut.

    Raises:
        errors.InputError: if there are not as many captions as images, or none.
    """
    if len(images) != len(captions) or not len(images):
        raise errors.InputError(
            f"contact sheet: got {len(images)} images and {len(captions)} captions, "
            "expected as many of both, at least one"
        )
    tiles = [
        np.concatenate([letterbox(image, size), _line(caption, size)])
        for image, caption in zip(images, captions)
    ]
    sheet = grid(tiles, columns=columns, padding=4)
    return np.concatenate([*(_line(x, sheet.shape[1]) for x in legend), sheet])


def _line(text: str, width: int) -> np.ndarray:
    """A line of text, cut where it does not fit, `[h, width, 3]`."""
    label = np.full((_CAPTION_HEIGHT, width, 3), 255, np.uint8)
    whole = text
    while text and cv2.getTextSize(text, _FONT, 0.4, 1)[0][0] > width - 4:
        text = text[:-1]
    if text != whole:
        text = text[:-2] + ".."
    cv2.putText(label, text, (2, 13), _FONT, 0.4, (40, 40, 40), 1, cv2.LINE_AA)
    return label


def save(path: str | pathlib.Path, image: np.ndarray) -> None:
    """Writes `[H, W, 3]` uint8 RGB as PNG or JPEG (by the name), whole or not at all.

    Raises:
        errors.InputError: if the name says no known format.
    """
    path = pathlib.Path(path)
    try:
        done, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done = False
    if not done:
        raise errors.InputError(f"image {path}: expected a name in .png or .jpg")
    with files.atomic(path) as temporary:
        temporary.write_bytes(data.tobytes())
