"""The tables of several people ([P] Tables 2 and 7), by rows; Table 8 elsewhere."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from sa3dhp import errors, files
from sa3dhp.experiments import kept, multi_person_speed
from sa3dhp.synthetic import crowd
from sa3dhp.systems.multi_person import config as configs
from sa3dhp.systems.multi_person import (
    job,
    predictions,
    scoring,
    sources,
    stages,
    teacher,
)
from sa3dhp.systems.multi_person import networks as networks_

NAMES = ("multi_person", "multi_person_teacher")
SIDES = ("source", "target")  # unseen pictures of either place
_TEACHER = "teacher"  # the row that is no student
_MEAN = "mean"  # nor is this
# By table, row and Psi; what the paper does not have says "".
_PAPER: dict[str, dict[str, dict[str, str]]] = {
    # 3DPCK of all people of MuPoTS-3D ([P] Table 2; H' in its supplement).
    "multi_person": {
        "distl": {"artificial": "53.3"},
        "recon": {"artificial": "57.6"},
        "adapt": {"artificial": "61.9"},
        "ss": {"artificial": "64.2", "captured": "66.1"},
        "ws": {"artificial": "66.4", "captured": "67.9"},
        "fs_bare": {"captured": "71.1"},
        "fs": {"captured": "75.8"},
        "refined": {"captured": "76.9"},
    },
    # IoU, error in pixels, PCK in 2D ([P] Table 7).
    "multi_person_teacher": {
        "teacher": {"artificial": "60.1, 38.0, 66.6", "captured": "60.1, 38.0, 66.6"},
        "distl": {"artificial": "51.9, 49.6, 60.3"},
        "fs": {"captured": "81.6, 19.5, 74.7"},
    },
}
_OTHER = {"artificial": "captured", "captured": "artificial"}
_NEEDS: dict[str, tuple[str, ...]] = {
    "poses": (),
    "teacher": (),
    "alignment": ("poses", "teacher"),
    "equivariance": ("alignment",),
    "refinement": ("equivariance",),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        id: of its file.
        title: for people.
        overrides: `section.key=value`, on top of the configuration's.
        stage: after which it is measured; "" where nothing is trained.
        against: the rows that it is compared with.
    """

    id: str
    title: str
    overrides: tuple[str, ...]
    stage: str = "equivariance"
    against: tuple[str, ...] = ()


def rows(name: str, config: configs.Config) -> tuple[Row, ...]:
    """Returns the rows of a table.

    Args:
        name: one of `NAMES`.
        config: that they differ from: its Psi is that of all rows that do not name one.
    """
    own, begun = config.data.poses, bool(config.student.start)
    other = _OTHER[own]
    alike = own == "captured" or begun
    captured = () if alike else ("data.poses=captured",)
    said = "" if alike else ", captured poses"
    bare = ("student.scenes=false", "student.adapt=false")
    flat, labels = ("student.labels=2d",), ("student.labels=3d",)
    distl = Row("distl", "student, L_distl (no D_syn)", bare, "alignment")
    full = Row("fs", "Fs: and 3D labels" + said, (*labels, *captured))
    if name == "multi_person_teacher":
        return (
            Row(_TEACHER, "teacher", (), "teacher"),
            dataclasses.replace(distl, against=(_TEACHER,)),
            Row("ss", "student, Us", (), against=(_TEACHER, "distl")),
            Row("ws", "student, Ws", flat, against=(_TEACHER,)),
            dataclasses.replace(full, title="student, Fs" + said, against=(_TEACHER,)),
        )
    poses, turned = f", {other} poses", (f"data.poses={other}",)
    table = (
        Row(_MEAN, "mean pose of the source, pelvises given", (), stage=""),
        dataclasses.replace(distl, against=(_MEAN,)),
        Row("recon", "+ L_recon", ("student.adapt=false",), "alignment", ("distl",)),
        Row("adapt", "+ L_adapt", (), "alignment", ("recon",)),
        Row("ss", "+ L_ss (Us)", (), against=("adapt", "distl")),
        Row("ss_other", "Us" + poses, turned, against=("ss",)),
        Row("ws", "Ws: and 2D labels", flat, against=("ss",)),
        Row("ws_other", "Ws" + poses, (*flat, *turned), against=("ws",)),
        Row(
            "fs_bare",
            "Fs, no D_syn" + said,
            (*labels, *bare, *captured),
            against=("ws" if alike else "ws_other",),
        ),
        dataclasses.replace(full, against=("fs_bare",)),
        Row(
            "refined",
            "Fs, H' looks again" + said,
            full.overrides,
            "refinement",
            ("fs",),
        ),
    )
    # A student that all go on from speaks of poses by the codes of one Psi.
    return tuple(row for row in table if not begun or not row.id.endswith("_other"))


def run(
    configure: Callable[[Sequence[str]], configs.Config],
    name: str,
    seeds: Sequence[int],
    workdir: str | os.PathLike,
    facts: Mapping,
    start: str | os.PathLike | None = None,
) -> str:
    """Runs a table and writes `<workdir>/<name>.json` and `.md`.

    Args:
        configure: from overrides to a configuration.
        name: of the table.
        seeds: of people, weights and batches.
        workdir: for all that is made; stages that rows share are trained once.
        facts: kept with every row: command, commit and the like.
        start: folder of a teacher and an auto-encoder, which all rows and seeds share
            but for those of the other Psi; None to train them.

    Returns:
        The table as Markdown.

    Raises:
        InputError: if `start` lacks one of them, or is given where nothing trains.
    """
    if name == multi_person_speed.NAME:
        if start is not None:
            raise errors.InputError(
                f"--checkpoints={start}: got it with --table={name}, which needs no "
                "trained networks; leave it out"
            )
        return multi_person_speed.run(configure, workdir, facts)
    workdir, config = pathlib.Path(workdir), configure([f"training.seed={seeds[0]}"])
    table, given = rows(name, config), Given(start, config.data.poses)
    found = kept.records(
        table,
        seeds,
        workdir / name,
        configure,
        lambda row, config: _measure(row, config, workdir / "runs", given),
        facts,
        lambda config: {
            **sources.check(config, *configs.READS.values()),
            **given.hashes(config),
        },
    )
    summary = summarise(name, table, found, config)
    files.write_json(workdir / f"{name}.json", summary)
    text = markdown(summary)
    files.write_text(workdir / f"{name}.md", text)
    return text


@dataclasses.dataclass(frozen=True)
class Given:
    """Networks that a table starts from.

    Attributes:
        folder: of them; None for none.
        poses: the Psi of their auto-encoder.
    """

    folder: str | os.PathLike | None = None
    poses: str = ""

    def has(self, config: configs.Config, stage: str) -> bool:
        """Whether a stage need not be trained."""
        fits = stage == "teacher" or config.data.poses == self.poses
        return self.folder is not None and not _NEEDS[stage] and fits

    def hashes(self, config: configs.Config) -> dict[str, str]:
        """Returns the hashes of those that are used, by name; raises `InputError`."""
        names = {"poses": networks_.POSES, "teacher": networks_.TEACHER}
        store = networks_.Networks(config, self.folder or "").store
        used = [x for stage in names if self.has(config, stage) for x in names[stage]]
        return {name: store.hash(name) for name in used}


def trained(
    config: configs.Config, stage: str, folder: pathlib.Path, given: Given = Given()
) -> pathlib.Path:
    """Trains a stage and those before it, or takes it, see `kept.trained`."""

    def train(name: str, home: pathlib.Path) -> None:
        checkpoints = home / "checkpoints"
        if given.folder is not None and given.has(config, name):
            store = networks_.Networks(config, checkpoints).store
            store.start_from(given.folder, name)
        else:
            stages.make(config, checkpoints).train(name, home)

    return kept.trained(
        stage,
        folder,
        done=lambda name, home: networks_.Networks(config, home).store.complete(name),
        needs=lambda name: _NEEDS[name],
        settings=lambda name: _settings(config, name, given),
        train=train,
    )


def _settings(config: configs.Config, stage: str, given: Given = Given()) -> dict:
    """All that a stage depends on, with what it needs of those before it."""
    if given.has(config, stage):
        return {"given": given.hashes(config), "stage": stage}
    values = dataclasses.asdict(config)
    data, student = values["data"], values["student"]
    own: dict = {"training": values["training"]}
    hashes = sources.check(config, configs.READS[stage])
    if stage == "poses":
        own |= {"poses": values["poses"], "pool": data["pool"], "kind": data["poses"]}
        if data["motions"]:
            own |= {key: data[key] for key in ("motions", "held_out_subjects")}
    elif stage == "teacher":
        left_out = ("target", "poses", "pool", "motions", "held_out_subjects")
        seen = {key: value for key, value in data.items() if key not in left_out}
        own |= {"teacher": values["teacher"], "data": seen}
        hashes = {name: x for name, x in hashes.items() if name == data["source"]}
    else:
        late = {"refinement_steps"} if stage != "refinement" else set()
        if stage == "alignment":
            late |= {"equivariance_steps", "equivariance_rate", "turn_deg", "distils"}
        student = {key: x for key, x in student.items() if key not in late}
        own |= {"student": student, "data": data}
    own["before"] = [_settings(config, name, given) for name in _NEEDS[stage]]
    return kept.with_content(own, hashes)


def _measure(
    row: Row, config: configs.Config, folder: pathlib.Path, given: Given
) -> dict:
    """The numbers of a row on each side, over all people and by picture."""
    information = "L" if row.id == _MEAN else job.target_information(config)
    found: dict = {"target_information": information}
    see = _seer(row, config, folder, given)
    for side, place in zip(SIDES, (config.data.source, config.data.target)):
        seen = sources.crowds(config, place, unseen=True)
        truth, size = sources.people_of(seen), config.data.image_size
        joints, points = see(seen)
        pairs = scoring.match(joints, points, *truth, size)
        overall = scoring.measure_points(pairs, size)
        if row.id != _TEACHER:
            overall = {**scoring.measure(pairs), **overall}
        people = [len(one) for one in truth[0]]
        single = scoring.by_picture(pairs, people)
        flat = scoring.points_by_picture(pairs, people, size)
        found[side] = {
            "overall": overall,
            "per_sequence": {str(n): {**x, **flat[n]} for n, x in single.items()},
        }
    return found


def _seer(
    row: Row, config: configs.Config, folder: pathlib.Path, given: Given
) -> Callable[[crowd.Crowds], tuple[list[np.ndarray], list[np.ndarray]]]:
    """What a row sees in pictures: joints, mm, and points of each, of all people."""
    if row.id == _MEAN:
        return _mean(config, folder)
    home = trained(config, row.stage, folder, given)
    made = networks_.Networks(config, home / "checkpoints")
    taught = made.teacher()

    def of_teacher(seen: crowd.Crowds) -> tuple[list[np.ndarray], list[np.ndarray]]:
        points = _taught(taught, seen.images)
        return [np.zeros((*one.shape[:2], 3)) for one in points], points

    def of_student(seen: crowd.Crowds) -> tuple[list[np.ndarray], list[np.ndarray]]:
        refiner = made.refiner() if row.stage == "refinement" else None
        name = networks_.STUDENT if refiner else configs.STAGES[row.stage]
        return predictions.see(made.trained(name), *taught, seen.images, refiner)

    return of_teacher if row.id == _TEACHER else of_student


def _mean(
    config: configs.Config, folder: pathlib.Path
) -> Callable[[crowd.Crowds], tuple[list[np.ndarray], list[np.ndarray]]]:
    """One pose for everybody: what a number is worth."""
    root = sources.SKELETON.root
    camera = networks_.Networks(config, folder).camera

    def see(seen: crowd.Crowds) -> tuple[list[np.ndarray], list[np.ndarray]]:
        truth, _ = sources.people_of(seen)
        people, _ = sources.people_of(sources.crowds(config, config.data.source))
        everybody = np.concatenate(people)
        pose = (everybody - everybody[:, root, None]).mean(axis=0)
        joints = [pose + one[:, root, None] for one in truth]
        flat = [camera.projected(tf.constant(x, tf.float32)).numpy() for x in joints]
        return joints, flat

    return see


def _taught(
    networks: tuple[teacher.Trunk, teacher.MapReader], images: np.ndarray
) -> list[np.ndarray]:
    """Points of the people that the teacher sees in each picture."""
    trunk, reader = networks
    seen = sources.seen_by_teacher(trunk, reader, images, predictions.MOST)
    return [one[np.isfinite(one[:, reader.layout.root, 0])] for one in seen]


def summarise(
    name: str,
    table: Sequence[Row],
    records: Sequence[Mapping],
    config: configs.Config,
) -> dict:
    """Returns a table's numbers: medians over seeds, comparisons with intervals.

    Args:
        name: of the table.
        table: its rows.
        records: of all rows and seeds.
        config: that the rows differ from.
    """
    found, lines, poses = kept.by_row(records), [], config.data.poses
    metric = "pck_2d" if name == "multi_person_teacher" else "pck_rel"
    for row in table:
        own = found[row.id]
        line: dict = {"id": row.id, "title": row.title, "metric": metric}
        line["target_information"] = own[0]["target_information"]
        for side in SIDES:
            line[side] = kept.spreads([record[side]["overall"] for record in own])
        line["changes"] = {
            other: kept.change(found[other], own, "target", metric, more_is_better=True)
            for other in row.against
        }
        line["paper"] = _paper(name, row, poses)
        lines.append(line)
    return {
        "table": name,
        "poses": poses,
        "start": config.student.start,
        "rows": lines,
        **kept.about(records),
    }


def _paper(name: str, row: Row, poses: str) -> str:
    """What the paper has of a row with its own Psi, or with the one it names."""
    for override in row.overrides:
        poses = override.removeprefix("data.poses=") if "poses=" in override else poses
    numbers = _PAPER[name].get(row.id.removesuffix("_other"), {})
    return numbers.get(poses, "")


_COLUMNS = {
    "multi_person": {
        "3DPCK": "pck_rel",
        "AUC": "auc_rel",
        "3DPCK abs": "pck_abs",
        "recall": "recall",
        "precision": "precision",
        "2D px": "error_2d",
    },
    "multi_person_teacher": {
        "IoU": "iou",
        "2D px": "error_2d",
        "2D PCK": "pck_2d",
        "recall": "recall",
    },
}


def markdown(found: Mapping) -> str:
    """Returns the summary as a Markdown table."""
    columns = _COLUMNS[found["table"]]
    measured = found["rows"][0]["metric"]
    heads = ["row", "knows", *columns, f"change of {measured} on the target", "paper"]
    text = [f"### {found['table']}", "", f"| {' | '.join(heads)} |"]
    text.append("|" + "---|" * len(heads))
    for line in found["rows"]:
        target = line["target"]
        cells = [
            line["title"],
            line["target_information"],
            *(kept.cell(target[x]) if x in target else "" for x in columns.values()),
            kept.changes(line["changes"]),
            line["paper"],
        ]
        text.append(f"| {' | '.join(cells)} |")
    seeds = ", ".join(map(str, found["seeds"]))
    start = found["start"]
    begun = start and (
        f" All students went on from that of `{start}`, which all losses of Us had "
        "trained: a row without one of them says what is forgotten without it."
    )
    text += [
        "",
        f"Unseen pictures of the target; median over seeds {seeds} (least to "
        f"greatest), {found['poses']} poses where a row does not name others. "
        "Percent, over all true people: who is missed is wrong (2D PCK "
        "and IoU in the columns: of matched people). 3DPCK at 150 mm relative to the "
        "pelvis, abs at 250 mm in the camera; pixels of the embedded world's pictures. "
        "*Knows*: raw pictures of the target (R), their 2D (G) or 3D labels (L). "
        "*Mean pose*: stands at the true pelvises; a student that beats it sees poses. "
        "Changes: mean, 95 % interval of a paired bootstrap over pictures, who is "
        "missed is wrong in all of them. Paper: MuPoTS-3D (3DPCK; IoU, pixels, PCK)."
        + begun,
        "",
        f"`{found['command']}`, commit {', '.join(found['commits'])}, "
        f"{found['seconds'] / 60:.0f} minutes.",
        "",
    ]
    return "\n".join(text)
