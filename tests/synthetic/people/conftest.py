"""A person of boxes, a room, and a renderer where there is OpenGL."""

import miniature_makehuman
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.synthetic.people import body as bodies
from sa3dhp.synthetic.people import person, rasteriser


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """MakeHuman in miniature."""
    return miniature_makehuman.makehuman(tmp_path_factory.mktemp("makehuman"))


@pytest.fixture(scope="session")
def cast(folder):
    """Its body and wardrobe."""
    return person.Cast(folder / "mpfb2", folder / "assets")


@pytest.fixture(scope="session")
def average():
    """An average shape."""
    return bodies.Shape(0.0, 0.0, 0.5, 0.5, 0.5, (0.0, 0.0, 1.0))


@pytest.fixture(scope="session")
def skeleton(cast, average):
    """Bones and joints of an average person, metres."""
    return bodies.skeleton(cast.body, cast.body.shaped(average) * np.float32(0.1))


@pytest.fixture(scope="session")
def renderer():
    """The renderer of this process; skips where there is no OpenGL."""
    pytest.importorskip("moderngl", reason="rendering needs the extra render")
    try:
        return rasteriser.renderer()
    except errors.InputError as error:
        pytest.skip(str(error))
