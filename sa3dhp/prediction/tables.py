"""A prediction as JSON and as CSV, for programs that do not read NumPy's files."""

from __future__ import annotations

import csv
import os

from sa3dhp import files
from sa3dhp.prediction import prediction
from sa3dhp.skeleton import skeleton as skeletons

AXES = "x to the right in the picture, y down, z away from the camera"
ORIGIN = "pelvis"
_MM, _PIXELS, _SECONDS, _SHARE = 2, 1, 5, 3  # digits after the point


def write_json(path: str | os.PathLike, made: prediction.Prediction) -> None:
    """Writes frames, in each its people, in each their joints; whole or not at all.

    Keys of the whole: `skeleton`, `names`, `parents`, `unit`, `axes`, `origin`, `fps`,
    `size`, `source`, `model`, `model_hash`, `frames`; of a frame `frame`, `time`,
    `people`; of a person `person`, `confidence`, `bridged`, `box`, `joints`
    (`[J][3]`); of a model of several people `root` (`[3]`) too, see `prediction`.
    """
    skeleton, bridged = skeletons.get(made.skeleton), _bridged(made)
    frames: dict[int, dict] = {}
    for row, frame in enumerate(made.frame.tolist()):
        time = round(float(made.time[row]), _SECONDS)
        told = frames.setdefault(frame, {"frame": frame, "time": time, "people": []})
        told["people"].append(
            {
                "person": int(made.person[row]),
                "confidence": round(float(made.confidence[row]), _SHARE),
                "bridged": bridged[row],
                "box": made.box[row].astype(float).round(_PIXELS).tolist(),
                "joints": made.joints[row].astype(float).round(_MM).tolist(),
            }
        )
        if made.root is not None:
            place = made.root[row].astype(float).round(_MM).tolist()
            told["people"][-1]["root"] = place
    files.write_json(
        path,
        {
            "skeleton": made.skeleton,
            "names": list(skeleton.joint_names),
            "parents": list(skeleton.parents),
            "unit": "mm",
            "axes": AXES,
            "origin": ORIGIN,
            "fps": made.fps,
            "size": list(made.size),
            "source": made.source,
            "model": made.model,
            "model_hash": made.model_hash,
            "frames": list(frames.values()),
        },
    )


def write_csv(path: str | os.PathLike, made: prediction.Prediction) -> None:
    """Writes one row per person and frame, whole or not at all.

    Columns: `frame, time, person, confidence, x1, y1, x2, y2`, then `<joint>_x`,
    `<joint>_y`, `<joint>_z` in mm, axes and origin as in `poses.npz`, and `bridged`, 0
    or 1; of a model of several people `root_x`, `root_y`, `root_z` too.
    """
    names = skeletons.get(made.skeleton).joint_names
    head = ["frame", "time", "person", "confidence", "x1", "y1", "x2", "y2"]
    head += [f"{name}_{axis}" for name in names for axis in "xyz"] + ["bridged"]
    if made.root is not None:
        head += [f"root_{axis}" for axis in "xyz"]
    bridged = _bridged(made)
    with files.atomic(path) as temporary:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(head)
            for row in range(len(made.frame)):
                table.writerow(
                    [
                        int(made.frame[row]),
                        f"{made.time[row]:.{_SECONDS}f}",
                        int(made.person[row]),
                        f"{made.confidence[row]:.{_SHARE}f}",
                        *(f"{value:.{_PIXELS}f}" for value in made.box[row]),
                        *(f"{value:.{_MM}f}" for value in made.joints[row].ravel()),
                        int(bridged[row]),
                        *(
                            []
                            if made.root is None
                            else (f"{value:.{_MM}f}" for value in made.root[row])
                        ),
                    ]
                )


def _bridged(made: prediction.Prediction) -> list[bool]:
    assert made.bridged is not None  # since it was made
    return made.bridged.tolist()
