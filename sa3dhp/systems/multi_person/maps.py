"""Heat maps and part affinity fields of scenes (Cao et al., CVPR 2017; [P] suppl. 2).

28 x 28 cells; 15 joints, then x and y of 14 limbs: 43 channels. Joints and limbs are
those of the teacher, by their names in the project's skeleton.
"""

from __future__ import annotations

import numpy as np

from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17
JOINTS = (
    "head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder",
    "left_elbow", "left_wrist", "pelvis", "right_hip", "right_knee", "right_ankle",
    "left_hip", "left_knee", "left_ankle",
)  # fmt: skip
LIMBS = (
    ("neck", "head_top"), ("neck", "right_shoulder"), ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"), ("neck", "left_shoulder"),
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("neck", "pelvis"),
    ("pelvis", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
    ("pelvis", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
)  # fmt: skip
CHANNELS = len(JOINTS) + 2 * len(LIMBS)
SIGMA = 1.0  # cells, of a peak [D]
WIDTH = 1.0  # cells to each side of a limb [D]


def draw(points: np.ndarray, cells: int = 28) -> np.ndarray:
    """Returns the maps of the people of a scene.

    Args:
        points: `[N, 17, 2]`, cells, the centre of the first is 0; NaN where a joint is
            not to be seen.
        cells: of both sides.

    Returns:
        `[cells, cells, 43]`, float32: peaks of height 1, the highest of all people;
        unit vectors from parent to child along the limbs, the mean of all people whose
        limb covers a cell.
    """
    grid = np.stack(np.meshgrid(np.arange(cells), np.arange(cells)), axis=-1)
    chosen = [SKELETON.index(name) for name in JOINTS]
    return np.concatenate(
        [_peaks(points[:, chosen], grid), _fields(points, grid)], axis=-1
    ).astype(np.float32)


def _peaks(points: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """`[H, W, 15]`; what is not seen has no peak."""
    gap = grid[None, :, :, None] - points[:, None, None]  # [N, H, W, 15, 2]
    heights = np.exp(-np.sum(gap**2, axis=-1) / (2 * SIGMA**2))
    return np.nan_to_num(heights).max(axis=0, initial=0.0)


def _fields(points: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """`[H, W, 28]`."""
    parents, children = (
        [SKELETON.index(name) for name in names] for names in zip(*LIMBS)
    )
    start, along = points[:, parents], points[:, children] - points[:, parents]
    length = np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-6)
    unit = along / length  # [N, 14, 2]
    gap = grid[None, :, :, None] - start[:, None, None]  # [N, H, W, 14, 2]
    ahead = np.sum(gap * unit[:, None, None], axis=-1)
    across = np.stack([unit[..., 1], -unit[..., 0]], axis=-1)
    beside = np.abs(np.sum(gap * across[:, None, None], axis=-1))
    covered = (ahead >= 0) & (ahead <= length[:, None, None, :, 0]) & (beside <= WIDTH)
    count = np.maximum(covered.sum(axis=0), 1)[..., None]
    vectors = np.nan_to_num(unit)[:, None, None] * covered[..., None]
    return (vectors.sum(axis=0) / count).reshape(*grid.shape[:2], -1)
