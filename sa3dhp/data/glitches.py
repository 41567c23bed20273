"""One-frame jumps in motion capture: a marker swapped, a limb teleported.

In the CMU clips a joint sometimes moves by up to 2.6 m between two frames 1/120 s
apart, and moves on from there as if nothing had happened. There is nothing to repair
then: one side of the jump is as credible as the other. So a sequence is *cut* at its
jumps, what is too short to be of use is dropped, and what was dropped is counted.
"""

from __future__ import annotations

import numpy as np

from sa3dhp.data import schema

# Half a metre beyond what the frames around do. Over 131 genuine clips the five with
# known capture faults reach 570 mm and more, no other one more than 385 mm.
MAX_JUMP = 500.0
# Six more clips hold knees that snap by 270-385 mm in one frame (straight legs whose
# markers swap); the next below reaches 135 mm, in a fast dance at 60 fps.
MAX_SNAP = 200.0


def find(joints: np.ndarray, max_jump: float = MAX_JUMP) -> np.ndarray:
    """Finds steps between frames that the frames around them do not explain.

    A step is compared with the median of the five around it, joint by joint: fast
    movements last longer than one frame, and a spike is two large steps out of five.

    Args:
        joints: `[T, J, 3]`, mm.
        max_jump: mm by which a step may exceed that median.

    Returns:
        `[T - 1]`, bool, True where some joint jumps between frame t and t + 1.
    """
    if len(joints) < 2:
        return np.zeros(max(len(joints) - 1, 0), bool)
    steps = np.linalg.norm(np.diff(joints.astype(np.float64), axis=0), axis=-1)
    suspects = steps.max(axis=1) > max_jump
    padded = np.pad(
        steps, ((2, 2), (0, 0)), mode="reflect" if len(steps) > 2 else "edge"
    )
    for t in np.flatnonzero(suspects):
        around = np.median(padded[t : t + 5], axis=0)
        suspects[t] = (steps[t] - around).max() > max_jump
    return suspects


def split(
    sequence: schema.Sequence, max_jump: float = MAX_JUMP, min_seconds: float = 0.5
) -> tuple[list[schema.Sequence], int]:
    """Cuts a sequence at its jumps and drops the pieces that are too short.

    Args:
        sequence: at the rate it was captured at, where a jump stands out most.
        max_jump: mm, see `find`.
        min_seconds: pieces shorter than this are dropped; a sequence without jumps is
            kept whatever its length.

    Returns:
        The pieces, named `<name>+<first frame>` unless nothing was cut, and the number
        of frames dropped.
    """
    cuts = np.flatnonzero(find(sequence.joints, max_jump)) + 1
    if not len(cuts):
        return [sequence], 0
    pieces, dropped = [], 0
    for start, stop in zip([0, *cuts], [*cuts, len(sequence)]):
        if stop - start < min_seconds * sequence.fps:
            dropped += int(stop - start)
        else:
            name = f"{sequence.name}+{start}"
            pieces.append(sequence.window(int(start), int(stop), name))
    return pieces, dropped
