"""Miniature data sets as distributed, and prepared, once for all tests."""

import dataclasses
import functools
import pathlib

import miniature
import pytest

from sa3dhp.data.preparing import job, local, units

_HUMAN36M = {"h36m_videos": "videopose3d", "h36m_fetch": "fetch"}


@pytest.fixture(scope="session")
def raw(tmp_path_factory):
    """Writes a miniature once: name -> its folder."""
    root = tmp_path_factory.mktemp("raw")

    @functools.cache
    def write(name: str) -> pathlib.Path:
        if name in _HUMAN36M:
            miniature.human36m(root / name, _HUMAN36M[name])
        elif name == "cmu":
            miniature.cmu(root / name, jump=True)
        else:
            getattr(miniature, name)(root / name)
        return root / name

    return write


@pytest.fixture(scope="session")
def prepared(raw, tmp_path_factory):
    """Prepares a miniature once, in this process: name -> the prepared folder."""
    root = tmp_path_factory.mktemp("prepared")

    @functools.cache
    def prepare(name: str) -> pathlib.Path:
        source, settings = raw(name), units.Settings(96, 64)
        if name == "videos":
            boxes = str(source / "boxes.json")
            settings = dataclasses.replace(settings, boxes=boxes)
        dataset = "human36m" if name in _HUMAN36M else name
        engine = functools.partial(local.run, processes=1)
        job.run(dataset, source, root / name, settings, engine)
        return root / name

    return prepare
