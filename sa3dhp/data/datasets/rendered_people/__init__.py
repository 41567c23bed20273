"""Rendered people: the turns of captured bones, and how pictures are prepared."""

from sa3dhp.data.datasets.rendered_people.preparation import DATASET

__all__ = ["DATASET"]
