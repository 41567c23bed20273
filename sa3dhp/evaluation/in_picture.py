"""What an evaluation under a card of `flat` metrics looks at: key-points and trunks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from sa3dhp.evaluation import flat, poses, protocol
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons


@dataclasses.dataclass(frozen=True)
class Seen:
    """The key-points of some frames.

    Attributes:
        points: `[n, J, 2]`, pixels, NaN where they are not known.
        skeleton: id, the card's, which names the `J` joints.
        torso: `[n]`, pixels, 0 where it is not known.
    """

    points: np.ndarray
    skeleton: str
    torso: np.ndarray

    def take(self, rows: np.ndarray) -> Seen:
        """Some of the frames."""
        return Seen(self.points[rows], self.skeleton, self.torso[rows])

    def flat(self, joints: Sequence[int]) -> np.ndarray:
        """Returns key-points as `Metric.per_joint` takes them, `[n, j, 3]`, z = 0."""
        points = np.nan_to_num(self.points[:, list(joints)])
        return np.concatenate([points, np.zeros_like(points[..., :1])], axis=-1)

    def trunk(self, pred: np.ndarray) -> np.ndarray:
        """Returns how trunks of poses `[n, J, 3]` lean, `[n, 2]`, degrees.

        Columns: the angle in the picture between the predicted trunk and the annotated
        one, NaN where that is not known; and that of the predicted trunk from the
        vertical, in 3D, NaN where nobody stands.
        """
        seen = _named(self.points, self.skeleton)
        way = flat.trunk(_named(pred, self.skeleton))
        upright = np.where(flat.standing(seen), flat.tilt_deg(way), np.nan)
        between = flat.between_deg(way[:, :2], flat.trunk(seen))
        return np.stack([between, upright], axis=-1)


def look(
    target: poses.Poses, card: protocol.Card, rows: np.ndarray, known: np.ndarray
) -> Seen | None:
    """Returns the key-points of some frames; None where the card needs none.

    Args:
        target: the truth.
        card: gives the skeleton.
        rows: `[n]`, which frames.
        known: `[n, J]`, joints of the card's skeleton that count.
    """
    if not card.flat_metrics or target.keypoints is None:
        return None
    points = target.keypoints[rows]
    if target.skeleton != card.skeleton:
        points = conversion.convert(points, target.skeleton, card.skeleton)[0]
    points = np.where(known[..., None], points, np.nan)
    return Seen(points, card.skeleton, flat.torso(_named(points, card.skeleton)))


def _named(points: np.ndarray, skeleton: str) -> dict[str, np.ndarray]:
    """Joint -> `[n, 2 or 3]`."""
    names = skeletons.get(skeleton).joint_names
    return {name: points[:, joint] for joint, name in enumerate(names)}


def trunk_summary(found: Sequence[np.ndarray]) -> dict[str, float]:
    """Returns medians over the frames of `Seen.trunk`, of those that are known.

    Returns:
        `standing`, how many people stand by their key-points; `in_picture_deg`, the
        median angle between the predicted trunk and the annotated one;
        `standing_tilt_deg`, how far the predicted trunks of those who stand are from
        the vertical, in 3D. Of nobody there is no median.
    """
    angles = np.concatenate(found)
    seen, upright = (angles[np.isfinite(angles[:, n]), n] for n in range(2))
    told: dict[str, float] = {"standing": len(upright)}
    if len(seen):
        told["in_picture_deg"] = float(np.median(seen))
    if len(upright):
        told["standing_tilt_deg"] = float(np.median(upright))
    return told
