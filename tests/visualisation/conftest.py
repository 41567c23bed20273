"""Figures as arrays, so that tests can look at them."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from sa3dhp.visualisation import skeleton_plot


@pytest.fixture
def to_image() -> Callable:
    """From a figure to `[H, W, 3]` uint8 RGB, through the PNG that reports hold."""

    def drawn(figure, dpi=110):
        png = np.frombuffer(skeleton_plot.to_png(figure, dpi=dpi), np.uint8)
        return cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    return drawn
