"""Bandai-Namco-Research-Motiondataset: BVH of another rig, checked on four clips."""

from __future__ import annotations

import pathlib

from sa3dhp import errors
from sa3dhp.data import schema
from sa3dhp.data.sources import bvh

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


def read_folder(path: str | pathlib.Path) -> list[schema.Sequence]:
    """Reads all `dataset-<n>_<content>_<style>_<take>.bvh` below a folder.

    The files do not say which of the three actors moves.

    Raises:
        InputError: if there is none.
    """
    files = sorted(pathlib.Path(path).rglob("*.bvh"))
    if not files:
        raise errors.InputError(f"{path}: no *.bvh below it")
    sequences = []
    for file in files:
        _, _, action = file.stem.partition("_")
        motion = bvh.read(file)
        sequences.append(bvh.to_sequence(motion, RIG, file.stem, action=action))
    return sequences
