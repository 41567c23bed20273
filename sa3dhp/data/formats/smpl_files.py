"""The files of SMPL that a user has: two models, and the regressor of Human3.6M.

None of them comes with this package: the models are licensed (smpl.is.tue.mpg.de).
The official pickles hold objects of chumpy and SciPy; of these only the numbers are
taken, and nothing in a file is run.

Two regressors circulate, alike but for the order of the legs: SPIN's has the left leg
first, I2L-MeshNet's ("correct") the right one. Which it is shows on the rest pose.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np

from sa3dhp import errors, files
from sa3dhp.data.formats import restricted_pickle, smpl
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = "lsp14"  # of the joints that `Bodies.published` gives
FILES = {
    "m": ("SMPL_MALE.npz", "SMPL_MALE.pkl", "basic[mM]odel_m_lbs_10_207_0_v*.pkl"),
    "f": ("SMPL_FEMALE.npz", "SMPL_FEMALE.pkl", "basic[mM]odel_f_lbs_10_207_0_v*.pkl"),
    "regressor": ("J_regressor_h36m.npy", "J_regressor_h36m_correct.npy"),
}
_ROWS = skeletons.get("h36m17")
_KEYS = "v_template shapedirs posedirs J_regressor weights kintree_table".split()
_CONVERT = (
    'where chumpy and scipy are installed: python -c "import pickle, numpy as n; '
    "d = pickle.load(open('{0}.pkl', 'rb'), encoding='latin1'); n.savez('{0}.npz', "
    "**{{k: n.array(d[k].toarray() if hasattr(d[k], 'toarray') else d[k]) for k in "
    f"'{' '.join(_KEYS)}'.split()}}}})\""
)
_MEN = (1.0, 2.5)  # m, sizes of a body at rest
_FAR = 0.15  # m, mean distance of regressed joints from SMPL's own
_BATCH = 64  # meshes at a time


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Bodies:
    """What it takes to get the published joints.

    Attributes:
        models: by gender, `m` and `f`.
        regressor: `[14, V]`, rows in the order of `lsp14`.
    """

    models: dict[str, smpl.Model]
    regressor: np.ndarray

    def published(
        self, gender: str, betas: np.ndarray, pose: np.ndarray, trans: np.ndarray
    ) -> np.ndarray:
        """Returns the 14 joints of meshes, `[N, 14, 3]`, m; see `smpl.vertices`."""
        return np.concatenate(
            [
                self.regressor
                @ smpl.vertices(
                    self.models[gender],
                    betas,
                    pose[first : first + _BATCH],
                    trans[first : first + _BATCH],
                )
                for first in range(0, len(pose), _BATCH)
            ]
            or [np.zeros((0, len(self.regressor), 3))]
        )


def find(folder: str | pathlib.Path) -> dict[str, pathlib.Path]:
    """Returns the files by the keys of `FILES`; `InputError` if one is missing."""
    folder, found = pathlib.Path(folder), {}
    for key, patterns in FILES.items():
        paths = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
        if not paths:
            raise errors.InputError(
                f"{folder}: none of {', '.join(patterns)} in it; the 14 joints of "
                "published numbers need the SMPL models of men and women "
                "(smpl.is.tue.mpg.de) and Human3.6M's regressor"
            )
        found[key] = paths[0]
    return found


def read_folder(folder: str | pathlib.Path) -> Bodies:
    """Reads both models and the regressor.

    Raises:
        InputError: if one is missing, not safe to read, or not what it should be.
    """
    paths = find(folder)
    models = {gender: read_model(paths[gender]) for gender in ("m", "f")}
    for model in models.values():
        regressor = read_regressor(paths["regressor"], model)
    return Bodies(models, regressor)


def read_model(path: str | pathlib.Path) -> smpl.Model:
    """Reads a model from an `.npz` file or an official pickle.

    Raises:
        InputError: if it is not SMPL, or not safe to read.
    """
    path = pathlib.Path(path)
    if path.suffix == ".npz":
        data: Any = restricted_pickle.load_npz(path)
    else:
        try:
            data = restricted_pickle.load(path, _REBUILT)
        except errors.InputError as error:
            remedy = _CONVERT.format(path.stem)
            raise errors.InputError(f"{error} {remedy}") from error
    missing = [key for key in _KEYS if not isinstance(data, dict) or key not in data]
    if missing:
        raise errors.InputError(f"{path}: not an SMPL model: has no {missing[0]}")
    with errors.reading(path, "an SMPL model"):
        arrays = [np.asarray(data[key], np.float64) for key in _KEYS]
        template, shapes, corrections, regressor, weights, tree = arrays
        model = smpl.Model(
            template,
            shapes[..., : smpl.NUM_SHAPES],
            corrections,
            regressor,
            weights,
        )
        known = tuple(tree[0, 1:].astype(int)) == smpl.SKELETON.parents[1:]
        size = float(np.ptp(template[:, 1]))
    if not known or not _MEN[0] < size < _MEN[1]:
        raise errors.InputError(
            f"{path}: not an SMPL model: expected its 24 joints and a body of "
            f"{_MEN[0]:g} to {_MEN[1]:g} m along y, got "
            + (f"{size:.3g} m" if known else "another tree of joints")
        )
    return model


def read_regressor(path: str | pathlib.Path, model: smpl.Model) -> np.ndarray:
    """Reads Human3.6M's regressor, `[17, V]` in a `.npy` file.

    Args:
        path: of the file.
        model: whose rest pose tells the sides of its rows.

    Returns:
        `[14, V]`, the rows of the joints of `lsp14`, in that order.

    Raises:
        InputError: if it is not such a file, or its joints are not where SMPL's are.
    """
    with errors.reading(path, "a .npy file"):
        data = pathlib.Path(path).read_bytes()
        rows = np.asarray(files.load_npy(data, "its array"), np.float64)
    expected = (_ROWS.num_joints, len(model.template))
    if rows.shape != expected or not np.isfinite(rows).all():
        raise errors.InputError(
            f"{path}: expected {expected} finite numbers, got {rows.shape}; give the "
            "regressor of Human3.6M's 17 joints for the vertices of SMPL"
        )
    orders = (_ROWS.joint_names, _legs_swapped())
    gap, names = min((_gap(rows, names, model), names) for names in orders)
    if gap > _FAR:
        raise errors.InputError(
            f"{path}: on the rest pose its limbs are {1000 * gap:.0f} mm from those of "
            f"SMPL, expected at most {1000 * _FAR:.0f}; its rows are not the joints "
            f"{', '.join(_ROWS.joint_names)}"
        )
    return rows[[names.index(name) for name in _published()]]


def _published() -> tuple[str, ...]:
    return skeletons.get(SKELETON).joint_names


def _legs_swapped() -> tuple[str, ...]:
    """The names of the rows where the left leg comes first."""
    names, other = list(_ROWS.joint_names), _ROWS.flip_indices
    for row, name in enumerate(_ROWS.joint_names):
        if name.endswith(("hip", "knee", "ankle")):
            names[row] = _ROWS.joint_names[other[row]]
    return tuple(names)


def _gap(rows: np.ndarray, names: tuple[str, ...], model: smpl.Model) -> float:
    """Mean distance of regressed limbs from SMPL's own at rest, m."""
    limbs = [n for n in _published() if n.startswith(("left_", "right_"))]
    theirs = (rows @ model.template)[[names.index(name) for name in limbs]]
    own = (model.regressor @ model.template)[list(smpl.SKELETON.indices(*limbs))]
    return float(np.linalg.norm(theirs - own, axis=-1).mean())


def _select(state: dict) -> np.ndarray:
    """`chumpy.reordering.Select`: a part of another array, by flat indices."""
    return (
        np.asarray(state["a"]).ravel()[state["idxs"]].reshape(state["preferred_shape"])
    )


def _sparse(state: dict) -> np.ndarray:
    """A matrix of SciPy's by columns, as a full one.

    NumPy checks the indices; SciPy, told to trust a file, would write anywhere.
    """
    shape = tuple(int(size) for size in state["_shape"])
    if len(shape) != 2 or not 0 < shape[0] * shape[1] < 10**7:
        raise ValueError(f"a sparse matrix of shape {shape}")
    counts = np.diff(state["indptr"])
    if len(counts) != shape[1] or min(counts) < 0 or sum(counts) > len(state["data"]):
        raise ValueError("a sparse matrix whose columns are not those of its data")
    columns = np.repeat(np.arange(shape[1]), counts)
    full = np.zeros(shape)
    np.add.at(full, (state["indices"], columns), state["data"])
    return full


_REBUILT = {
    "chumpy.ch.Ch": lambda state: np.asarray(state["x"]),
    "chumpy.reordering.Select": _select,
    "scipy.sparse.csc.csc_matrix": _sparse,
    "scipy.sparse._csc.csc_matrix": _sparse,
}
