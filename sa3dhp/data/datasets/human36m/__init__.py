"""Human3.6M: its files (`readers`), its cameras, and how it is prepared."""

from sa3dhp.data.datasets.human36m.preparation import DATASET

__all__ = ["DATASET"]
