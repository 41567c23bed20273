"""The relation rules of [M] 3.3: what ties an anchor to its partner.

A rule is made of four pieces: mirror, in-plane angle, reversed time, slow motion. Pose
rules pair single frames, motion rules pair clips of 30 frames. The same rule acts on
poses and on images, and by design render(rule(pose)) = rule(render(pose)).
"""

from __future__ import annotations

import dataclasses
import math
import re

import tensorflow as tf

from sa3dhp import errors
from sa3dhp.geometry import pictures
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.skeleton import transforms

MOTION_LENGTH = 30  # frames of one side of a motion rule, T of [M]
_SLOW_LENGTH = 2 * MOTION_LENGTH
# Of an adaptation, beside the rules; see `steps.terms.NAMES`.
_TERMS = ("cr", "lcr", "hcr", "source", "self_training")


@dataclasses.dataclass(frozen=True)
class View:
    """How a rule shows one frame: the same change for its pose and for its picture.

    A new piece of a rule that acts on frames is a field here, with its lines in
    `joints`, `images` and `pieces`, and in `involution` if it does not undo itself.

    Attributes:
        flip: whether it is mirrored.
        angle: radians it is turned in the image plane, after the mirror.
    """

    flip: bool = False
    angle: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.angle):
            raise errors.InputError(
                f"view: angle must be finite, got {self.angle}; give radians"
            )

    def joints(self, joints: tf.Tensor, skeleton: skeletons.Skeleton) -> tf.Tensor:
        """Returns joints `[..., J, 3]`, any unit, as they are shown."""
        if self.flip:
            joints = transforms.flip(joints, skeleton)
        if self.angle:
            joints = transforms.rotate_in_plane(joints, self.angle)
        return tf.convert_to_tensor(joints)

    def images(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images `[..., H, W, C]` of the stored size as they are shown."""
        if self.flip:
            images = pictures.flip(images)
        if self.angle:
            images = pictures.rotate_in_plane(images, self.angle)
        return tf.convert_to_tensor(images)

    @property
    def pieces(self) -> tuple[str, ...]:
        """What it is made of, such as `("flip", "50 degrees")`."""
        names = ("flip",) if self.flip else ()
        turn = (f"{math.degrees(self.angle):g} degrees",) if self.angle else ()
        return names + turn

    @property
    def involution(self) -> bool:
        """Whether it undoes itself: what is shown twice is as it was."""
        return self.flip or not self.angle


PLAIN = View()


@dataclasses.dataclass(frozen=True)
class Rule:
    """A relation between an anchor and a partner made from the same frames.

    Attributes:
        id: short name, `z...` for pose rules, `v...` for motion rules.
        name: the paper's name.
        space: `pose` (frames) or `motion` (clips).
        view: how the partner's frames are shown; the anchor's are shown as they are.
        backward: whether the partner's time is reversed (motion only).
        slow: whether the anchor is 60 frames at half the rate and the partner their
            middle 30 frames (motion only).
    """

    id: str
    name: str
    space: str
    view: View = PLAIN
    backward: bool = False
    slow: bool = False

    def __post_init__(self) -> None:
        if self.space not in ("pose", "motion"):
            raise errors.InputError(
                f"rule {self.id}: space must be 'pose' or 'motion', got {self.space!r}"
            )
        if self.space == "pose" and (self.backward or self.slow):
            raise errors.InputError(
                f"rule {self.id}: a pose rule has no time to reverse or to slow down; "
                "use space='motion'"
            )

    @property
    def pieces(self) -> str:
        """What it is made of, such as `motion: flip + 50 degrees + backward`."""
        return f"{self.space}: {' + '.join(self._names()) or 'nothing'}"

    @property
    def empty(self) -> bool:
        """Whether the partner is the anchor."""
        return not self._names()

    @property
    def involution(self) -> bool:
        """Whether it undoes itself: T of the partner is then the anchor again."""
        return not self.slow and self.view.involution

    @property
    def clip_length(self) -> int:
        """Source frames that one pair needs: 1, 30 or, for slow rules, 60."""
        if self.space == "pose":
            return 1
        return _SLOW_LENGTH if self.slow else MOTION_LENGTH

    @property
    def anchor_frames(self) -> tuple[int, ...]:
        """Indices of the anchor's frames in the clip, in order of time."""
        return tuple(range(0, self.clip_length, 2 if self.slow else 1))

    @property
    def partner_frames(self) -> tuple[int, ...]:
        """Indices of the partner's frames in the clip, in the partner's order."""
        length = len(self.anchor_frames)
        start = (self.clip_length - length) // 2
        frames = tuple(range(start, start + length))
        return frames[::-1] if self.backward else frames

    def pair_joints(
        self, clip: tf.Tensor, skeleton: skeletons.Skeleton
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns anchor and partner of poses ([M] 3.3.2).

        Args:
            clip: motion rules: `[..., clip_length, J, 3]`; pose rules: `[..., J, 3]`,
                every frame for itself.
            skeleton: gives the left/right pairs.

        Returns:
            `[..., 30, J, 3]` twice for motion rules, else `clip`'s shape twice.

        Raises:
            InputError: if the clip has another length.
        """
        anchor, partner = self._split(clip, axis=-3)
        return anchor, self.view.joints(partner, skeleton)

    def partner(self, anchor: tf.Tensor, skeleton: skeletons.Skeleton) -> tf.Tensor:
        """Returns the partner that the anchor alone tells: what T knows at its best.

        Args:
            anchor: motion rules: `[..., 30, J, 3]`; pose rules: `[..., J, 3]`.
            skeleton: gives the left/right pairs.

        Returns:
            The partner, of the anchor's shape. A slow rule's partner has frames that
            its anchor lacks: those are taken halfway between their neighbours.
        """
        if self.space == "motion":
            step = 2 if self.slow else 1
            times = [frame / step for frame in self.partner_frames]
            before, after = map(math.floor, times), map(math.ceil, times)
            sides = [tf.gather(anchor, list(x), axis=-3) for x in (before, after)]
            anchor = 0.5 * (sides[0] + sides[1])
        return self.view.joints(anchor, skeleton)

    def pair_images(self, clip: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns anchor and partner of images ([M] 3.3.2), at the stored size.

        Args:
            clip: motion rules: `[..., clip_length, H, W, C]`; pose rules:
                `[..., H, W, C]`, every frame for itself.

        Returns:
            `[..., 30, H, W, C]` twice for motion rules, else `clip`'s shape twice.

        Raises:
            InputError: if the clip has another length.
        """
        anchor, partner = self._split(clip, axis=-4)
        return anchor, self.view.images(partner)

    def _names(self) -> tuple[str, ...]:
        """The pieces by name."""
        times = tuple(n for n in ("backward", "slow") if getattr(self, n))
        return self.view.pieces + times

    def _split(self, clip: tf.Tensor, axis: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Picks the frames of anchor and partner out of a clip."""
        clip = tf.convert_to_tensor(clip)
        if self.space == "pose":
            return clip, clip
        rank = clip.shape.rank
        if rank is None or rank < -axis or clip.shape[axis] != self.clip_length:
            raise errors.InputError(
                f"clip: rule {self.id} expected {self.clip_length} frames "
                f"on axis {axis}, got {tuple(clip.shape)}"
            )
        return (
            tf.gather(clip, self.anchor_frames, axis=axis),
            tf.gather(clip, self.partner_frames, axis=axis),
        )


def table(theta: float = math.radians(50)) -> dict[str, Rule]:
    """Returns the paper's rules by id; `theta` in radians ([S] Table 2: 50 degrees)."""
    mirror, turn, both = View(flip=True), View(angle=theta), View(True, theta)
    rules = (
        Rule("z1", "pose-flip", "pose", mirror),
        Rule("z2", "in-plane", "pose", turn),
        Rule("z3", "flip+in-plane", "pose", both),
        Rule("v1", "flip-backward", "motion", mirror, backward=True),
        Rule("v2", "flip+in-plane-backward", "motion", both, backward=True),
        Rule("v3", "slow-backward", "motion", backward=True, slow=True),
    )
    return {rule.id: rule for rule in rules}


def compose(
    id: str,
    *,
    flip: bool = False,
    angle_deg: float = 0.0,
    backward: bool = False,
    slow: bool = False,
    space: str = "auto",
) -> Rule:
    """Returns a rule made of named pieces, see `Rule`.

    Args:
        id: small letters, digits and underscores; none of the paper's.
        flip: as in `View`.
        angle_deg: degrees, of the rotation in the image plane.
        backward: as in `Rule`.
        slow: as in `Rule`.
        space: `pose`, `motion`, or `auto`: motion if time changes.

    Raises:
        InputError: for an id that cannot be a name, is the paper's or that of another
            term of the adaptation, for a rule that does nothing, or one of poses with
            pieces of time.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", id) or id in {*table(), *_TERMS}:
        raise errors.InputError(
            f"composed rule: id {id!r}; expected small letters, digits and "
            f"underscores, and none of {', '.join([*table(), *_TERMS])}"
        )
    if space == "auto":
        space = "motion" if backward or slow else "pose"
    view = View(flip, math.radians(angle_deg))
    rule = Rule(id, id, space, view, backward, slow)
    if rule.empty:
        raise errors.InputError(
            f"composed rule {id}: the partner is the anchor; give flip, angle_deg, "
            "backward or slow"
        )
    return rule
