"""Heat maps and part affinity fields of scenes (Cao et al., CVPR 2017; [P] suppl. 2).

The joints, then x and y of the limbs, by the teacher's `Layout`: of ours 15 joints and
14 limbs, 43 channels, on 28 x 28 cells. Names are those of the project's skeleton.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17
SIGMA = 1.0  # cells, of a peak [D]
WIDTH = 1.0  # cells to each side of a limb [D]


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a teacher's maps show.

    Attributes:
        joints: a map of peaks each.
        limbs: two maps each, x and y of a field, from the first joint to the second.
        cells: of both sides of a map.
        anchor: the joint that says where a person is: s speaks at its cell.
        peak: the least height of a peak that is a joint.
        aligned: the least mean agreement of a limb with its field.
    """

    joints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]
    cells: int
    anchor: str
    peak: float
    aligned: float

    @property
    def channels(self) -> int:
        """Maps in all."""
        return len(self.joints) + 2 * len(self.limbs)

    @property
    def root(self) -> int:
        """The anchor's joint in the skeleton."""
        return SKELETON.index(self.anchor)

    @property
    def root_map(self) -> int:
        """The anchor's channel."""
        return self.joints.index(self.anchor)


OWN = Layout(
    joints=(
        "head_top", "neck", "right_shoulder", "right_elbow", "right_wrist",
        "left_shoulder", "left_elbow", "left_wrist", "pelvis", "right_hip",
        "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    ),
    limbs=(
        ("neck", "head_top"), ("neck", "right_shoulder"),
        ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
        ("neck", "left_shoulder"), ("left_shoulder", "left_elbow"),
        ("left_elbow", "left_wrist"), ("neck", "pelvis"), ("pelvis", "right_hip"),
        ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
        ("pelvis", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
    ),
    cells=28,
    anchor="pelvis",
    peak=0.3,
    aligned=0.35,
)  # fmt: skip
# The part of COCO's that our skeleton has, see `frozen`. The pelvis has no map.
COCO = Layout(
    joints=(
        "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder",
        "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle",
        "left_hip", "left_knee", "left_ankle",
    ),
    limbs=(
        ("neck", "right_shoulder"), ("right_shoulder", "right_elbow"),
        ("right_elbow", "right_wrist"), ("neck", "left_shoulder"),
        ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("neck", "right_hip"), ("right_hip", "right_knee"),
        ("right_knee", "right_ankle"), ("neck", "left_hip"), ("left_hip", "left_knee"),
        ("left_knee", "left_ankle"),
    ),
    cells=56,  # at 28 it sees hardly anybody in a whole picture
    anchor="neck",
    peak=0.15,
    aligned=0.1,
)  # fmt: skip


def draw(points: np.ndarray, layout: Layout = OWN) -> np.ndarray:
    """Returns the maps of the people of a scene.

    Args:
        points: `[N, 17, 2]`, cells, the centre of the first is 0; NaN where a joint is
            not to be seen.
        layout: of the maps.

    Returns:
        `[cells, cells, channels]`, float32: peaks of height 1, the highest of all
        people; unit vectors from parent to child along the limbs, the mean of all
        people whose limb covers a cell.
    """
    along = np.arange(layout.cells)
    grid = np.stack(np.meshgrid(along, along), axis=-1)
    chosen = [SKELETON.index(name) for name in layout.joints]
    return np.concatenate(
        [_peaks(points[:, chosen], grid), _fields(points, grid, layout)], axis=-1
    ).astype(np.float32)


def _peaks(points: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """`[H, W, joints]`; what is not seen has no peak."""
    gap = grid[None, :, :, None] - points[:, None, None]  # [N, H, W, 15, 2]
    heights = np.exp(-np.sum(gap**2, axis=-1) / (2 * SIGMA**2))
    return np.nan_to_num(heights).max(axis=0, initial=0.0)


def _fields(points: np.ndarray, grid: np.ndarray, layout: Layout) -> np.ndarray:
    """`[H, W, 2 limbs]`."""
    parents, children = (
        [SKELETON.index(name) for name in names] for names in zip(*layout.limbs)
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
