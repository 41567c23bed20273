"""Bandai-Namco-Research-Motiondataset: BVH of another rig, checked on four clips."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from sa3dhp import errors
from sa3dhp.data import schema
from sa3dhp.data.datasets import dataset
from sa3dhp.data.formats import bvh
from sa3dhp.data.preparing import units
from sa3dhp.skeleton import skeleton as skeletons

SPLIT = "train"  # it has no split of its own

# A joint map as a user would write one. The head's end site has no length: the skull
# goes on by about 180 mm along the axis on which all bones of this rig lie.
RIG = bvh.rig_from_yaml("""
id: bandai_namco
unit_mm: 10
joints:
  pelvis: Hips
  neck: Neck
  right_shoulder: UpperArm_R
  right_elbow: LowerArm_R
  right_wrist: Hand_R
  left_shoulder: UpperArm_L
  left_elbow: LowerArm_L
  left_wrist: Hand_L
  head_top: Head/End Site
  right_hip: UpperLeg_R
  right_knee: LowerLeg_R
  right_ankle: Foot_R
  right_foot: Toes_R
  left_hip: UpperLeg_L
  left_knee: LowerLeg_L
  left_ankle: Foot_L
  left_foot: Toes_L
segments:
  Head/End Site: [180, 0, 0]
""")


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per `dataset-<n>_<content>_<style>_<take>.bvh`."""
    del settings
    files = sorted(f for f in root.rglob("*") if f.suffix.lower() == ".bvh")
    if not files:
        raise errors.InputError(f"{root}: no *.bvh below it; unpack the data set there")
    made = tuple(units.unit(root, file.stem, SPLIT, file) for file in files)
    return units.Plan("motions", made, {SPLIT: skeletons.SA3DHP17.id}, per_shard=64)


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Sequence]:
    """The clip of a file, which does not say which of the three actors moves."""
    del settings
    motion = bvh.read(root / unit.files[0])
    _, _, action = unit.name.partition("_")
    yield bvh.to_sequence(motion, RIG, unit.name, action=action)


DATASET = dataset.Dataset(
    plan, read, "Bandai-Namco-Research-Motiondataset: CC BY-NC 4.0"
)
