"""The tables of *Distill Knowledge from NRSfM* ([N] Tables 1, 2, 4), row by row."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sa3dhp import errors, files
from sa3dhp.experiments import kept
from sa3dhp.systems.nrsfm import (
    classical,
    predictions,
    scoring,
    sources,
    stages,
)
from sa3dhp.systems.nrsfm import config as configs
from sa3dhp.systems.nrsfm import networks as networks_

NAMES = ("nrsfm_teacher", "nrsfm_student", "nrsfm_weight")
_WEIGHTS = (0.01, 0.1, 0.3, 0.5)  # [N] Table 4
_SUBJECTS = 3  # with a teacher of their own: those with most frames
SIDES = ("own", "unseen")  # what was trained on, and what never was
_PAPER = {  # depth error, mm, on Human3.6M: [N] Table 1 (own), Table 4 (unseen)
    "teacher": (76.5, None),
    "weaksup": (75.3, 78.0),
    "distilled": (71.2, 73.1),
    "weight_0.01": (None, 79.0),
    "weight_0.1": (None, 74.6),
    "weight_0.3": (None, 73.1),
    "weight_0.5": (None, 76.7),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        id: of its file.
        title: for people.
        method: `rigid`, `low_rank`, `teacher` or `student`.
        overrides: `section.key=value`, on top of the configuration's.
        against: the rows that it is compared with.
        seen: whether x and y of the answer are those of the points, which an
            orthographic camera shows as they are; only depth is lifted then.
    """

    id: str
    title: str
    method: str
    overrides: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    seen: bool = False


Configure = Callable[[Sequence[str]], configs.Config]
_REFERENCES = (
    Row("rigid", "rigid factorisation", "rigid"),
    Row("low_rank", "low rank", "low_rank"),
)
_TEACHER = Row("teacher", "teacher", "teacher", (), ("low_rank",))
_SEEN = tuple(
    dataclasses.replace(
        row,
        id=f"{row.id}_seen",
        title=f"{row.title}, x and y as seen",
        against=tuple(f"{other}_seen" for other in row.against),
        seen=True,
    )
    for row in (*_REFERENCES, _TEACHER)
)
_WEAKSUP = Row("weaksup", "Weaksup-bs", "student", ("student.depth=teacher",))


def rows(name: str, config: configs.Config) -> tuple[Row, ...]:
    """Returns the rows of a table.

    Args:
        name: one of `NAMES`.
        config: that they differ from; its points say who has a teacher of their own.
    """
    if name == "nrsfm_teacher":
        seen = _SEEN if config.data.scale == "one" else ()  # truly orthographic
        return (*_REFERENCES, _TEACHER, *seen, *_per_subject(config))
    if name == "nrsfm_student":
        against = ("teacher", "weaksup")
        return (
            dataclasses.replace(_TEACHER, against=()),
            _WEAKSUP,
            Row("distilled", "distilled", "student", (), against),
            Row("bound", "true depth (a bound)", "student", ("student.depth=truth",)),
        )
    weights = [
        Row(
            f"weight_{weight}",
            f"weight {weight}",
            "student",
            (f"student.l1_weight={weight}",),
            ("weaksup",),
        )
        for weight in _WEIGHTS
    ]
    return (_WEAKSUP, *weights)


def _per_subject(config: configs.Config) -> list[Row]:
    """Each method on the points of one subject alone, as Deep-NRSfM has it."""
    found, counts = np.unique(sources.training(config).subjects, return_counts=True)
    chosen = found[np.argsort(-counts, kind="stable")][:_SUBJECTS]
    if len(found) < 2 or config.data.source == "world":
        return []  # everybody there has a single picture
    return [
        dataclasses.replace(
            row,
            id=f"{row.id}_{subject}",
            title=f"{row.title}, subject {subject} alone",
            overrides=(f"data.subjects=['{subject}']",),
            against=tuple(f"{other}_{subject}" for other in row.against),
        )
        for subject in chosen.tolist()
        for row in (*_REFERENCES, _TEACHER)
    ]


def run(
    configure: Configure,
    name: str,
    seeds: Sequence[int],
    workdir: str | os.PathLike,
    facts: Mapping,
) -> str:
    """Runs a table and writes `<workdir>/<name>.json` and `.md`.

    Each row and seed leaves `<workdir>/<name>/<row>-seed<seed>.json`, which is kept if
    it was made with the same settings; a training that was stopped goes on.

    Args:
        configure: from overrides to a configuration.
        name: of the table.
        seeds: of cameras, pictures, weights and batches.
        workdir: for all that is made.
        facts: kept with every row: command, commit and the like.

    Returns:
        The table as Markdown.
    """
    workdir = pathlib.Path(workdir)
    table = rows(name, configure([f"training.seed={seeds[0]}"]))
    records = kept.records(
        table,
        seeds,
        workdir / name,
        configure,
        lambda row, config: _measure(row, config, workdir / "runs"),
        facts,
        sources.check,
    )
    found = summarise(name, table, records)
    files.write_json(workdir / f"{name}.json", found)
    text = markdown(found)
    files.write_text(workdir / f"{name}.md", text)
    return text


def _measure(row: Row, config: configs.Config, folder: pathlib.Path) -> dict:
    """The errors of a row on each side: overall, and of each sequence."""
    predict = _PREDICTORS[row.method](config, folder)
    found = {}
    own = sources.training(config).evenly(config.data.unseen)
    for name, side in zip(SIDES, (own, sources.unseen(config))):
        if side is None:
            continue
        if side.truth is None or not side.skeleton:
            raise errors.InputError(
                f"{side.source}: has no 3D truth or no skeleton, expected both; such "
                "points can be lifted, not measured"
            )
        joints = predict(side)
        if row.seen:
            joints = joints - joints.mean(axis=1, keepdims=True)
            flat = side.points - side.points.mean(axis=1, keepdims=True)
            joints = np.concatenate([flat, joints[..., 2:]], axis=-1)
        result = scoring.score(
            joints,
            side.truth,
            side.skeleton,
            config.data.evaluation_card,
            labels={"sequence": side.sequences},
            target_information="N" if row.method == "student" else "G",
        )
        found[name] = {
            "overall": {
                **result["overall"],
                "turned_error": scoring.turned_error(joints, side.truth),
            },
            "per_sequence": result["per_sequence"],
            "samples": result["num_samples"],
        }
        found["protocol"] = result["protocol"]
        found["protocol_hash"] = result["protocol_hash"]
    return found


def _reference(method: Callable) -> Callable:
    """A method that learns nothing: it lifts each side from that side's points."""

    def make(config: configs.Config, folder: pathlib.Path) -> Callable:
        del folder

        def predict(side: sources.Projections) -> np.ndarray:
            flat = side.points - side.points.mean(axis=1, keepdims=True)
            joints = method(flat, config)
            assert side.truth is not None  # told before
            return joints * [1, 1, scoring.reflection(joints, side.truth)]

        return predict

    return make


def _low_rank(points: np.ndarray, config: configs.Config) -> np.ndarray:
    c, scaled = config.classical, config.data.scale == "frame"
    return classical.low_rank(points, c.rank, iterations=c.iterations, scaled=scaled)


def _teacher(config: configs.Config, folder: pathlib.Path) -> Callable:
    made = networks_.Networks(config, _trained(config, folder) / "checkpoints")
    lifter = made.lifter()
    return lambda side: lifter.lift(side.points).joints


def _student(config: configs.Config, folder: pathlib.Path) -> Callable:
    teacher = _trained(config, folder)
    known = kept.with_content(dataclasses.asdict(config), sources.check(config))
    home = folder / f"student_{kept.name_of(known)}"
    copy = home / "checkpoints" / "teacher.npz"
    with files.atomic(copy) as temporary:
        shutil.copyfile(teacher / "checkpoints" / "teacher.npz", temporary)
    stages.make(config, copy.parent).train("student", home)
    network = networks_.Networks(config, copy.parent).student()
    return lambda side: predictions.see(network, side)


_PREDICTORS: dict[str, Callable] = {
    "rigid": _reference(
        lambda points, config: classical.rigid(
            points, scaled=config.data.scale == "frame"
        )
    ),
    "low_rank": _reference(_low_rank),
    "teacher": _teacher,
    "student": _student,
}


def _trained(config: configs.Config, folder: pathlib.Path) -> pathlib.Path:
    """The run of the teacher of a configuration, which students share."""
    known = dataclasses.asdict(config)
    for section in ("student", "classical"):
        del known[section]
    known = kept.with_content(known, sources.check(config))
    home = folder / f"teacher_{kept.name_of(known)}"
    stages.make(config, home / "checkpoints").train("teacher", home)
    return home


def summarise(name: str, table: Sequence[Row], records: Sequence[Mapping]) -> dict:
    """Returns a table's numbers: medians over seeds, comparisons with intervals."""
    by_row = kept.by_row(records)
    lines = []
    for row in table:
        own = by_row[row.id]
        line: dict = {"id": row.id, "title": row.title}
        for side in SIDES:
            if side not in own[0]:
                continue
            line[side] = kept.spreads([record[side]["overall"] for record in own])
            line[f"{side}_changes"] = {
                other: kept.change(by_row[other], own, side, "depth_error")
                for other in row.against
            }
        paper = _PAPER.get(row.id, (None, None))
        line["paper"] = dict(zip(SIDES, paper))
        lines.append(line)
    last = records[-1]
    return {
        "table": name,
        "rows": lines,
        "protocol": last["protocol"],
        "protocol_hash": last["protocol_hash"],
        **kept.about(records),
    }


_COLUMNS = {
    "depth_error": "depth error",
    "mpjpe": "MPJPE",
    "pa_mpjpe": "PA-MPJPE",
    "normalised_error": "normalised %",
    "turned_error": "turned %",
}


def markdown(found: Mapping) -> str:
    """Returns the summary as Markdown tables, one for each side."""
    seeds = ", ".join(map(str, found["seeds"]))
    text = [f"### {found['table']}", ""]
    for side in SIDES:
        lines = [line for line in found["rows"] if side in line]
        if not lines:
            continue
        heads = ["row", *_COLUMNS.values(), "change of depth error", "paper (H3.6M)"]
        text += [f"*{side}*", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
        for line in lines:
            cells = [kept.cell(line[side][key]) for key in _COLUMNS]
            paper = line["paper"][side]
            cells = [line["title"], *cells, kept.changes(line[f"{side}_changes"])]
            text.append(f"| {' | '.join([*cells, str(paper or '')])} |")
        text.append("")
    text += [
        f"Millimetres, but for the two last; median over seeds {seeds} (least to "
        "greatest). *Own*: the points or pictures trained on; *unseen*: never. "
        "*Turned*: normalised error after the best orthogonal matrix of each frame, "
        "mirrors included, as public code of Deep-NRSfM has it. Rigid and low rank "
        "learn nothing: they lift each side from its own points, and choose their "
        "reflection on it; the teacher's is that of what it trained on. *As seen*: the "
        "points themselves are x and y, as an orthographic camera shows them; only "
        "depth is lifted. Changes: mean, 95 % interval of a paired bootstrap over "
        "sequences. Paper: depth error on Human3.6M.",
        "",
        f"`{found['command']}`, protocol {found['protocol']} "
        f"({found['protocol_hash']}), commit {', '.join(found['commits'])}, "
        f"{found['seconds'] / 60:.0f} minutes.",
        "",
    ]
    return "\n".join(text)
