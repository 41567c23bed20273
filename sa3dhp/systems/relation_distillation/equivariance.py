"""Does a rule do to pictures what it does to poses? Tested on drawn people.

A rule is only of use if render(rule(pose)) = rule(render(pose)): the relation network
learns the left side, the adaptation shows the right one.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import tensorflow as tf

from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import body, domain, mesh, motion, render
from sa3dhp.systems.relation_distillation import rules

SKELETON = skeletons.SA3DHP17
_SIZE = 128  # pixels
_PIXELS_PER_MM = 0.05
_GREY = 90  # the wall
_SHOWN = 8  # frames that are drawn of each clip
MAX_DIFFERENCE = 0.2  # of the person's contrast; edges differ by interpolation
MIN_OVERLAP = 0.85  # of the silhouettes
MAX_MM = 0.1  # of what the pose representation may lose
MAX_DEG = 0.1


@dataclasses.dataclass(frozen=True)
class Result:
    """How a rule fared.

    Attributes:
        bones_mm: largest change of a bone's length.
        round_trip_mm: largest error of a partner taken to local vectors and back.
        facing_deg: largest angle between the way the partner faces, by its named
            joints, and the way its picture does: 180 if a flip map is wrong.
        difference: mean difference of the two pictures, relative to the contrast of the
            person before the wall.
        unrelated: the same of the anchor's picture, which is what a rule that does
            nothing to pictures would show.
        overlap: of the two silhouettes, intersection over union.
    """

    bones_mm: float
    round_trip_mm: float
    facing_deg: float
    difference: float
    unrelated: float
    overlap: float

    @property
    def passed(self) -> bool:
        """Whether poses and pictures agree."""
        exact = max(self.bones_mm, self.round_trip_mm) < MAX_MM
        exact = exact and self.facing_deg < MAX_DEG
        alike = self.difference < MAX_DIFFERENCE and self.overlap > MIN_OVERLAP
        return exact and alike


def measure(rule: rules.Rule, *, count: int = 4, seed: int = 0) -> Result:
    """Draws people by both orders and compares.

    Args:
        rule: any rule.
        count: people, each moving through a clip.
        seed: of their movements.
    """
    joints = _clips(count, max(rule.clip_length, _SHOWN), seed)  # [N, T, J, 3]
    anchor, partner = (x.numpy() for x in rule.pair_joints(joints, SKELETON))
    images = np.stack([_draw(clip) for clip in joints])
    _, expected = rule.pair_images(tf.constant(images))
    chosen = np.linspace(0, partner.shape[1] - 1, _SHOWN).astype(int)
    drawn = np.stack([_draw(clip[chosen]) for clip in partner])
    expected = expected.numpy()[:, chosen]
    plain = np.stack([_draw(clip[chosen]) for clip in anchor])
    contrast = np.abs(drawn - _GREY).mean()
    silhouettes = [np.abs(x - _GREY).max(-1) > 12 for x in (drawn, expected)]
    both, either = np.logical_and(*silhouettes), np.logical_or(*silhouettes)
    return Result(
        bones_mm=_bones(joints, partner),
        round_trip_mm=_round_trip(partner),
        facing_deg=_turned_away(rule, joints, partner),
        difference=float(np.abs(drawn - expected).mean() / contrast),
        unrelated=float(np.abs(plain - expected).mean() / contrast),
        overlap=float(both.sum() / max(1, either.sum())),
    )


def _clips(count: int, length: int, seed: int) -> np.ndarray:
    """People of mean size, each in another movement, `[N, T, J, 3]`, mm."""
    rng = np.random.default_rng(seed)
    lengths = body.mean_lengths()
    clips = []
    for _ in range(count):
        t = rng.uniform(0, 3) + np.arange(length) / 30.0
        clips.append(body.joints(motion.sample(rng, t)[0], lengths))
    return np.stack(clips) @ np.diag([1.0, -1.0, -1.0]).astype(np.float32)


def _draw(joints: np.ndarray) -> np.ndarray:
    """Orthographic pictures about the pelvis, `[T, S, S, 3]`, float32 0..255.

    The light comes from the camera, so that a mirrored or turned person is lit alike.
    """
    look = domain.sample(domain.Domain("bare"), np.random.default_rng(0))
    look = dataclasses.replace(look, light=np.array([0, 0, -1], np.float32))
    surface = mesh.vertices(joints, np.ones(len(joints)))
    pixels = render.project(surface, None, _PIXELS_PER_MM) + (_SIZE - 1) / 2
    canvas = np.full((len(joints), 2 * _SIZE, 2 * _SIZE, 3), _GREY, np.uint8)
    render.bodies(canvas, surface, look, (pixels + 0.5) * 2 - 0.5)
    small = [
        cv2.resize(c, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA) for c in canvas
    ]
    return np.stack(small).astype(np.float32)


def _bones(joints: np.ndarray, partner: np.ndarray) -> float:
    """Largest difference of a bone's length: the people are symmetric."""
    parents = list(SKELETON.parents)
    lengths = [
        np.linalg.norm(x - x[..., parents, :], axis=-1).reshape(-1, len(parents))
        for x in (joints, partner)
    ]
    return float(np.abs(lengths[0][:1] - lengths[1]).max())


def _round_trip(partner: np.ndarray) -> float:
    local = kinematics.to_local(tf.constant(partner, tf.float32), SKELETON)
    again = kinematics.from_local(local, SKELETON, body.mean_lengths())
    relative = partner - partner[..., SKELETON.root : SKELETON.root + 1, :]
    return float(np.linalg.norm(again.numpy() - relative, axis=-1).max())


def _facing(joints: np.ndarray) -> np.ndarray:
    """Where people face, `[..., 3]`, unit length: out of the chest."""
    left, right, neck, pelvis = (
        joints[..., SKELETON.index(name), :]
        for name in ("left_hip", "right_hip", "neck", "pelvis")
    )
    out = np.cross(left - right, neck - pelvis)
    return out / np.linalg.norm(out, axis=-1, keepdims=True)


def _turned_away(rule: rules.Rule, joints: np.ndarray, partner: np.ndarray) -> float:
    """Largest angle, degrees, to where the mirrored and turned picture faces."""
    frames = slice(None) if rule.space == "pose" else list(rule.partner_frames)
    x, y, z = np.moveaxis(_facing(joints[:, frames]), -1, 0)
    x = -x if rule.view.flip else x
    c, s = np.cos(rule.view.angle), np.sin(rule.view.angle)
    expected = np.stack([c * x - s * y, s * x + c * y, z], axis=-1)
    off = np.linalg.norm(expected - _facing(partner), axis=-1)
    return float(np.degrees(2 * np.arcsin(np.clip(off / 2, 0, 1))).max())
