"""The CMU motion-capture database, as ASF/AMC or as one of its BVH conversions.

Checked on 205 genuine clips. ASF/AMC is preferred: the BVH conversions gave the
`thorax` segment zero length, so that neck, head and arms sit 0.11-0.12 m too low. We
put a segment of the usual length back (`THORAX`), and use BVH only for clips that are
not there as AMC.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator

import numpy as np
from absl import logging

from sa3dhp import errors
from sa3dhp.data import glitches, schema
from sa3dhp.data.datasets import dataset
from sa3dhp.data.formats import asf_amc, bvh
from sa3dhp.data.preparing import units
from sa3dhp.skeleton import skeleton as skeletons

FPS = 120.0
SPLIT = "train"  # it has no split of its own; subjects make one
SUBJECTS_AT_60_FPS = frozenset({"60", "61", "88"})  # the database's own table

# The bone that ends in each joint of sa3dhp17. `rfoot` ends in the ball of the foot.
BONES = dict(
    pelvis="root",
    neck="thorax",
    right_shoulder="rclavicle",
    right_elbow="rhumerus",
    right_wrist="rradius",
    left_shoulder="lclavicle",
    left_elbow="lhumerus",
    left_wrist="lradius",
    head_top="head",
    right_hip="rhipjoint",
    right_knee="rfemur",
    right_ankle="rtibia",
    right_foot="rfoot",
    left_hip="lhipjoint",
    left_knee="lfemur",
    left_ankle="ltibia",
    left_foot="lfoot",
)

# The thorax of an average subject, mm, rest pose (x left, y up): 108-125 long in 15
# subjects, within 5 degrees of upright.
THORAX = (0.0, 117.0, 1.0)


def _rig(rig_id: str, names: str, **fields) -> bvh.Rig:
    """A rig from the names of its joints in the order of sa3dhp17."""
    joints = dict(zip(skeletons.SA3DHP17.joint_names, names.split()))
    joints = {k: v.replace("/End", bvh.END_SITE) for k, v in joints.items()}
    return bvh.Rig(rig_id, {**joints, **fields.pop("points", {})}, **fields)


def thorax_segments(rig_id: str, thorax: Iterable[float] = THORAX) -> dict:
    """The segments that put the lost thorax back into a conversion.

    Args:
        rig_id: one of `SAME_SKELETON`, but `amc`.
        thorax: `[3]`, mm, rest pose; the subject's own where its ASF file is at hand.
    """
    joints = {
        "cmu_motionbuilder": ("Neck", "LeftShoulder", "RightShoulder"),
        "cmu_3dsmax": ("lowerneck", "LeftCollar", "RightCollar"),
        "cmu_daz_friendly": ("neck", "lcollar", "rcollar"),
    }[rig_id]
    return dict.fromkeys(joints, tuple(thorax))


RIGS = (
    _rig(
        "cmu_motionbuilder",
        """Hips Neck RightArm RightForeArm RightHand LeftArm LeftForeArm LeftHand
        Head/End RightUpLeg RightLeg RightFoot RightToeBase
        LeftUpLeg LeftLeg LeftFoot LeftToeBase""",
        skip_frames=1,
        segments=thorax_segments("cmu_motionbuilder"),
    ),
    _rig(
        "cmu_3dsmax",
        """Hips lowerneck RightShoulder RightElbow RightWrist
        LeftShoulder LeftElbow LeftWrist Head/End
        RightHip RightKnee RightAnkle RightToe LeftHip LeftKnee LeftAnkle LeftToe""",
        segments=thorax_segments("cmu_3dsmax"),
    ),
    # Lengths ten times those of the others, the root's path not.
    _rig(
        "cmu_daz_friendly",
        """hip neck rshoulder relbow rhand lshoulder lelbow lhand head/End
        rhip rknee rfoot righttoebase lhip lknee lfoot lefttoebase""",
        skip_frames=1,
        segments=thorax_segments("cmu_daz_friendly"),
        unit_mm=asf_amc.INCH / 4.5,
        root_scale=10.0,
    ),
    # A figure of other proportions; its head has no end, so the top is guessed.
    _rig(
        "cmu_daz",
        """hip neck rShldr rForeArm rHand lShldr lForeArm lHand -
        rThigh rShin rFoot rFoot/End lThigh lShin lFoot lFoot/End""",
        points={"head_top": ("neck", "head", 3.0)},
        skip_frames=1,
    ),
)
# The rigs that are the AMC skeleton again; poses of the others are not mixed with it.
SAME_SKELETON = ("amc", "cmu_motionbuilder", "cmu_3dsmax", "cmu_daz_friendly")


def find_rig(motion: bvh.Motion, rigs: Iterable[bvh.Rig] = RIGS) -> bvh.Rig:
    """Returns the first rig whose joints a file has.

    Raises:
        InputError: if none fits.
    """
    names = set(motion.names())
    for rig in rigs:
        if names >= set(rig.sources()):
            return rig
    raise errors.InputError(
        f"{motion.path}: no known rig has joints {', '.join(motion.names())}; give a "
        "joint map (bvh.rig_from_yaml)"
    )


def clip_id(path: pathlib.Path) -> tuple[str, str]:
    """Subject and trial from a file name: `02_01.amc` -> `("02", "01")`."""
    match = re.match(r"(\d+)_(\d+)", path.name)
    if not match:
        raise errors.InputError(
            f"{path}: expected a name like 02_01{path.suffix} (subject_trial)"
        )
    return match[1].zfill(2), match[2].zfill(2)


def skeleton_file(path: pathlib.Path) -> pathlib.Path:
    """The ASF file of an AMC file: `02_01.amc` -> `02.asf`, or `02.ASF`."""
    name = path.name.split("_")[0]
    beside = (path.with_name(name + ending) for ending in (".asf", ".ASF", ".Asf"))
    return next((asf for asf in beside if asf.is_file()), path.with_name(f"{name}.asf"))


def frame_rate(subject: str) -> float:
    """Frames per second at which the database captured a subject."""
    return 60.0 if subject.lstrip("0") in SUBJECTS_AT_60_FPS else FPS


def read_amc(
    path: str | pathlib.Path,
    action: str = "",
    target: skeletons.Skeleton = skeletons.SA3DHP17,
) -> schema.Sequence:
    """Reads a clip, mm, world frame (y down), as captured.

    Its skeleton is `<subject>.asf` in the same folder; `target` says which of its
    joints are returned, those of `sa3dhp17` or all of `cmu31`.
    """
    path = pathlib.Path(path)
    subject, trial = clip_id(path)
    asf = skeleton_file(path)
    if not asf.is_file():
        raise errors.InputError(f"{path}: its skeleton {asf.name} is not beside it")
    skeleton = asf_amc.read_asf(asf)
    bones = [_bone(joint, target) for joint in target.joint_names]
    motion = asf_amc.read_amc(path, skeleton)
    joints = asf_amc.forward_kinematics(skeleton, motion, bones)
    return schema.Sequence(
        f"{subject}_{trial}",
        target.id,
        schema.y_down(joints, "y"),
        "world",
        frame_rate(subject),
        subject,
        action,
        note="amc",
    )


def _bone(joint: str, target: skeletons.Skeleton) -> str:
    """The bone that ends in a joint; in `cmu31` that of `lfemur` is `left_femur`."""
    if target is skeletons.SA3DHP17:
        return BONES[joint]
    return re.sub(r"^(l|r)(eft|ight)_", r"\1", joint)


def read_bvh(
    path: str | pathlib.Path, action: str = "", rig: bvh.Rig | None = None
) -> schema.Sequence:
    """Reads a converted clip as `read_amc` does; the rig is found by its joints.

    The frame rate is the database's, not the file's: some conversions say 25 for 120.
    """
    path = pathlib.Path(path)
    subject, trial = clip_id(path)
    motion = bvh.read(path)
    rig = rig or find_rig(motion)
    return bvh.to_sequence(
        motion,
        rig,
        f"{subject}_{trial}",
        fps=frame_rate(subject),
        subject=subject,
        action=action,
        note=rig.id,
    )


def read_index(path: str | pathlib.Path) -> dict[str, str]:
    """Reads `02_01<tab>walk` lines of the database's list: clip -> description."""
    text = pathlib.Path(path).read_text(encoding="latin-1")
    pairs = re.findall(r"^(\d+_\d+)\s+(\S.*?)\s*$", text, re.MULTILINE)
    return dict(pairs)


def read_folder(
    path: str | pathlib.Path,
    subjects: Collection[str] | None = None,
    index: str | pathlib.Path | None = None,
) -> list[schema.Sequence]:
    """Reads all clips below a folder, as captured: glitches included, 120 or 60 fps.

    Args:
        path: holds `*.amc` with their `*.asf`, or `*.bvh`, at any depth.
        subjects: only these, e.g. `{"02", "16"}`.
        index: the database's list, for `action`.

    Returns:
        One sequence per file, in the order of their paths; a clip that is there in
        several formats is there several times (see `note`).

    Raises:
        InputError: if there is no clip, or one cannot be read.
    """
    actions = read_index(index) if index else {}
    return [
        READERS[file.suffix.lower()](file, actions.get("_".join(clip_id(file)), ""))
        for file in clip_files(path, subjects)
    ]


READERS: dict[str, Callable[..., schema.Sequence]] = {
    ".amc": read_amc,
    ".bvh": read_bvh,
}


def clip_files(
    path: str | pathlib.Path, subjects: Collection[str] | None = None
) -> list[pathlib.Path]:
    """The clips of some subjects below a folder; raises `InputError` if none."""
    files = [
        file
        for file in sorted(pathlib.Path(path).rglob("*"))
        if file.suffix.lower() in READERS
        and (subjects is None or clip_id(file)[0] in subjects)
    ]
    if not files:
        raise errors.InputError(
            f"{path}: no *.amc or *.bvh of {sorted(subjects or ['any subject'])} below "
            "it; unpack the database there"
        )
    return files


def unpaired_sequences(
    path: str | pathlib.Path,
    subjects: Collection[str] | None = None,
    fps: float = 30.0,
    max_jump: float = glitches.MAX_SNAP,
) -> list[schema.Sequence]:
    """Reads motions for the priors: each clip once, without glitches, at 30 fps.

    Args:
        path: as in `read_folder`.
        subjects: only these; a split is made by subject.
        fps: frames per second.
        max_jump: mm, see `glitches.find`.

    Returns:
        `sa3dhp17`, mm, world frame; a clip that was cut gives several. Formats other
        than the AMC skeleton and its conversions (DAZ) are left out.
    """
    once: dict[str, schema.Sequence] = {}
    files = clip_files(path, subjects)
    for file in sorted(files, key=lambda file: file.suffix.lower() != ".amc"):
        if "_".join(clip_id(file)) not in once:
            sequence = READERS[file.suffix.lower()](file)
            if sequence.note in SAME_SKELETON:
                once[sequence.name] = sequence
    kept: list[schema.Sequence] = []
    for _, sequence in sorted(once.items()):
        pieces, dropped = glitches.split(sequence, max_jump)
        if dropped or len(pieces) > 1:
            logging.info(
                "%s: cut into %d at jumps, %d of %d frames dropped",
                sequence.name,
                len(pieces),
                dropped,
                len(sequence),
            )
        kept += [schema.resample(piece, fps) for piece in pieces]
    return kept


def fixed_bone_lengths(sequences: Iterable[schema.Sequence]) -> np.ndarray:
    """Returns the mean length of each limb, each subject counting once.

    Returns:
        `[17]`, float32, mm, from a joint to its parent; 0 for the root.
    """
    parents = list(skeletons.SA3DHP17.parents)
    subjects: dict[str, list[np.ndarray]] = {}
    for sequence in sequences:
        limbs = sequence.joints - sequence.joints[:, parents]
        lengths = np.linalg.norm(limbs.astype(np.float64), axis=-1).mean(axis=0)
        subjects.setdefault(sequence.subject, []).append(lengths)
    if not subjects:
        raise errors.InputError("sequences: expected at least one, got none")
    means = [np.mean(lengths, axis=0) for lengths in subjects.values()]
    return np.mean(means, axis=0).astype(np.float32)


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per clip: the formats it is there in, AMC first, and its skeleton."""
    del settings
    clips: dict[str, list[pathlib.Path]] = {}
    files = clip_files(root)
    for file in sorted(files, key=lambda file: file.suffix.lower() != ".amc"):
        clips.setdefault("_".join(clip_id(file)), []).append(file)
    for formats in clips.values():
        if formats[0].suffix.lower() == ".amc":
            formats.append(skeleton_file(formats[0]))
    made = tuple(units.unit(root, name, SPLIT, *clips[name]) for name in sorted(clips))
    return units.Plan("motions", made, {SPLIT: skeletons.SA3DHP17.id}, per_shard=16)


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Sequence]:
    """The clip in its first format that has the AMC skeleton."""
    del settings
    reasons = []
    for name in unit.files:
        reader = READERS.get(pathlib.Path(name).suffix.lower())
        if reader is None:  # the skeleton of an AMC file
            continue
        try:
            sequence = reader(root / name)
        except (errors.InputError, ValueError) as error:
            reasons.append(str(error))
            continue
        if sequence.note in SAME_SKELETON:
            yield sequence
            return
        reasons.append(f"{name}: the figure of {sequence.note} has other proportions")
    raise errors.InputError("; ".join(reasons))


DATASET = dataset.Dataset(
    plan,
    read,
    "CMU Graphics Lab Motion Capture Database: free to use, also in products; not "
    "to be resold as data; credit mocap.cs.cmu.edu",
    max_jump=glitches.MAX_SNAP,
    published={SPLIT: dataset.Published(sequences=2605)},
    ending=r"\+\d+$",  # the piece between two glitches
)
