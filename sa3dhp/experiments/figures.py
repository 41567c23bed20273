"""The figures of the papers, from trained networks: numbers first, pictures of them.

Each function returns a figure and the numbers that it shows, as JSON values.
"""

from __future__ import annotations

import os
import pathlib
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib import figure as figures

from sa3dhp import errors, files, provenance
from sa3dhp.evaluation import metrics, poses, prediction
from sa3dhp.geometry import pictures
from sa3dhp.skeleton import conversion
from sa3dhp.synthetic import domain, world
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import networks as networks_
from sa3dhp.systems.relation_distillation import pairs, rules, sources
from sa3dhp.visualisation import skeleton_plot

SKELETON = networks_.SKELETON
_CELLS = 7  # of an interpolation, each way
_CLIPS = 400  # unseen motions that numbers are over
_GENERATED = 400  # motions decoded from random v
_STRIP = 6  # frames that stand for a clip
_SHOWN = 24  # pictures on a sheet
_FLIP, _TURN, _TIME = "#d9821e", "#1f6fb4", "#2e8b57"
_WORSE = "#c62828"

Figure = tuple[figures.Figure, dict[str, Any]]


def pose_space(config: configs.Config, networks: networks_.Networks) -> Figure:
    """[M] Fig. 4A: z between a pose, its mirror image, and both of them turned.

    The four corners are encoded poses; what lies between is decoded from the latents
    between (bilinear). Beside it d^z of each pose rule ([M] 3.3.3).
    """
    prior, known = networks.pose_prior, _rules(config)
    clips = _unseen(config, 1)[:, 0]
    latents, mirrored = pairs.encode(known["z1"], clips, prior)
    pose = clips[np.linalg.norm(latents - mirrored, axis=-1).argmax()][None]
    sides = [pairs.encode(known[name], pose, prior) for name in ("z1", "z2", "z3")]
    corners = [sides[0][0], *(partner for _, partner in sides)]
    decoded = prior.decode(tf.constant(_between(np.concatenate(corners)))).numpy()
    distances = _distances(config, networks, ("z1", "z2", "z3"))
    step = _largest_step(decoded.reshape(_CELLS, _CELLS, -1, 3))

    figure = figures.Figure(figsize=(9.5, 6), layout="constrained")
    left, right = _halves(figure, (2.2, 1))
    grid = left.subplots(_CELLS, _CELLS).reshape(-1)
    extent = skeleton_plot.half_extent(decoded)
    for axes, joints in zip(grid, decoded):
        skeleton_plot.draw(axes, joints, SKELETON, extent=extent, line_width=1.2)
    last = _CELLS - 1
    for place, colour in ((last, _FLIP), (last * _CELLS, _TURN)):
        _boxed(grid[place], colour)
    turn = f"turned by {config.relations.theta_deg:g}°"
    left.suptitle(f"a pose; right: mirrored; down: {turn}", fontsize=9)
    _draw_bars(right.subplots(), distances, "latent distance $d^z$")
    return figure, {"distances": distances, "largest_step_mm": step}


def motion_space(config: configs.Config, networks: networks_.Networks) -> Figure:
    """[M] Fig. 4B: how fast the motions are that v between four motions decodes to.

    The corners are unseen motions, from the slowest to the fastest. The numbers also
    say how fast real motions are, what the auto-encoder makes of them, and what is
    decoded from v drawn from U[-1, 1], which is the prior's word only if the motion
    auto-encoder is an adversarial one, and from a normal distribution of the same
    moments as the encoded motions.
    """
    prior = networks.motion_prior
    clips = _unseen(config, rules.MOTION_LENGTH)
    v = _encoded(prior.encode, clips)
    speeds = _speed(clips)
    order = np.argsort(speeds)
    corners = order[np.linspace(0, len(order) - 1, 4).astype(int)]
    grid = _speed(_decoded(prior.decode, _between(v[corners])))
    rng = np.random.default_rng(0)
    uniform = rng.uniform(-1, 1, (_GENERATED, v.shape[-1]))
    normal = rng.multivariate_normal(v.mean(0), np.cov(v.T), _GENERATED)
    generated = {
        "real": speeds,
        "reconstructed": _speed(_decoded(prior.decode, v)),
        "v of U[-1, 1]": _speed(_decoded(prior.decode, uniform)),
        "v of N(mean, cov)": _speed(_decoded(prior.decode, np.clip(normal, -1, 1))),
    }
    distances = _distances(config, networks, ("v1", "v2", "v3"))
    quartiles = {
        name: [float(x) for x in np.percentile(found, [25, 50, 75])]
        for name, found in generated.items()
    }

    figure = figures.Figure(figsize=(12, 4), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.3, 1.2, 1))
    cells = grid.reshape(_CELLS, _CELLS)
    shown = left.imshow(cells, cmap="viridis")
    for (row, column), speed in np.ndenumerate(cells):
        ink = "white" if speed < cells.mean() else "black"
        left.text(column, row, f"{speed:.0f}", ha="center", va="center", color=ink)
    figure.colorbar(shown, ax=left, label="mean joint speed, mm/s")
    left.set_title("v between four unseen motions", fontsize=9)
    left.set_xticks([])
    left.set_yticks([])
    for place, (low, median, high) in enumerate(quartiles.values()):
        middle.plot([low, high], [place, place], color="#999999", linewidth=7)
        middle.plot(median, place, "o", color="#222222")
    middle.set_yticks(range(len(quartiles)), list(quartiles), fontsize=8)
    middle.set_xlim(left=0)
    middle.invert_yaxis()
    middle.set_xlabel("mean joint speed, mm/s: quartiles, median", fontsize=8)
    middle.tick_params(labelsize=8)
    _draw_bars(right, distances, "latent distance $d^v$")
    return figure, {
        "distances": distances,
        "std_of_v": float(v.std(0).mean()),
        "std_of_uniform": float(1 / np.sqrt(3)),
        "speed_mm_per_s": quartiles,
    }


def motion_rules(config: configs.Config, networks: networks_.Networks) -> Figure:
    """[M] Fig. 4C: where a rule takes a motion, on the two main axes of v (PCA)."""
    prior = networks.motion_prior
    known = {name: _rules(config)[name] for name in ("v1", "v2", "v3")}
    clips = _unseen(config, 2 * rules.MOTION_LENGTH)
    v = _encoded(prior.encode, clips[:, : rules.MOTION_LENGTH])
    middle = v.mean(0)
    _, scales, axes_of_v = np.linalg.svd(v - middle, full_matrices=False)
    places = (v - middle) @ axes_of_v[:2].T
    chosen = np.linalg.norm(places, axis=-1).argmin()
    strips, ends = {}, {}
    for name, rule in known.items():
        clip = tf.constant(clips[chosen : chosen + 1, : rule.clip_length], tf.float32)
        both = [x.numpy() for x in rule.pair_joints(clip, SKELETON)]
        strips[name] = [x[0] for x in both]
        ends[name] = [
            ((_encoded(prior.encode, x) - middle) @ axes_of_v[:2].T)[0] for x in both
        ]
    kept = float((scales[:2] ** 2).sum() / (scales**2).sum())

    figure = figures.Figure(figsize=(11, 5.5), layout="constrained")
    left, right = _halves(figure, (1, 1.2))
    axes = left.subplots()
    axes.scatter(*places.T, s=5, color="#bbbbbb")
    for (name, (start, end)), colour in zip(ends.items(), (_FLIP, _TURN, _TIME)):
        axes.annotate(
            "", end, start, arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.6}
        )
        axes.plot(*start, "o", color="#222222", markersize=4)
        axes.plot(*end, "o", color=colour, markersize=6, label=known[name].name)
    axes.legend(fontsize=8)
    axes.set_title(f"v of {len(v)} motions, {100 * kept:.0f} % of variance", fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    rows = [("anchor", strips["v1"][0])]
    rows += [(f"{name} partner", both[1]) for name, both in strips.items()]
    rows.insert(3, ("v3 anchor", strips["v3"][0]))  # twice as long, at half the rate
    _draw_strips(right, rows)
    return figure, {"variance_shown": kept, "motions": len(v)}


def relation_pairs(config: configs.Config, networks: networks_.Networks) -> Figure:
    """[S] Fig. 3: what v1 and v3 pair, in pictures and in poses of the same clip."""
    del networks  # a rule is no network
    data = config.data
    clip = world.clip(
        domain.get(data.target_domain),
        np.random.default_rng(config.training.seed),
        num_frames=2 * rules.MOTION_LENGTH,
        size=data.stored_size,
        margin=data.stored_size / data.image_size,
    )
    strips: list[tuple[str, np.ndarray]] = []
    for name in ("v1", "v3"):
        rule = _rules(config)[name]
        length = rule.clip_length
        shown = rule.pair_images(tf.constant(clip.images[:length]))
        posed = rule.pair_joints(tf.constant(clip.joints[:length]), SKELETON)
        for side, images, joints in zip(("anchor", "partner"), shown, posed):
            seen = pictures.center_crop(images.numpy(), data.image_size)
            strips += [(f"{name} {side}", seen), (f"{name} {side}", joints.numpy())]
    figure = figures.Figure(figsize=(7.5, 9.5), layout="constrained")
    _draw_strips(figure, strips)
    return figure, {"domain": data.target_domain, "activity": clip.activity}


def people(
    config: configs.Config, networks: networks_.Networks, folder: str | os.PathLike
) -> Figure:
    """[S] Fig. 4 and 5: pictures of a prepared folder, the pose in front and side view.

    Where the pictures have joints in 3D, they are in the order of PA-MPJPE, and the
    worst quarter is framed in red, as the papers show their failures.

    Args:
        config: of the run.
        networks: its networks.
        folder: as tools/prepare_data.py wrote it, with a split `test`.

    Raises:
        InputError: if it is none, or its pictures are of another size.
    """
    images, truth = prediction.read_prepared(pathlib.Path(folder))
    if images.shape[1] != config.data.image_size:
        raise errors.InputError(
            f"{folder}: got pictures of {images.shape[1]} px, expected "
            f"{config.data.image_size} (data.image_size); prepare it with --image_size="
        )
    chosen = np.linspace(0, len(images) - 1, min(_SHOWN, len(images))).astype(int)
    shown = images[chosen]
    joints = networks.pose_model().predict(shown)
    off = None if truth.flat else _pa_errors(joints, truth, chosen)
    order = np.arange(len(chosen)) if off is None else np.argsort(off)
    columns = 3
    figure = figures.Figure(
        figsize=(4 * columns, 1.4 * -(-len(order) // columns)), layout="constrained"
    )
    grid = figure.subplots(-(-len(order) // columns), 3 * columns, squeeze=False)
    extent = skeleton_plot.half_extent(joints)
    cells = grid.reshape(-1, 3)
    for axes in grid.reshape(-1):
        axes.set_axis_off()
    for place, row in enumerate(order):
        picture, front, side = cells[place]
        for axes in cells[place]:
            axes.set_axis_on()
        picture.imshow(shown[row])
        picture.set_xticks([])
        picture.set_yticks([])
        skeleton_plot.draw(front, joints[row], SKELETON, extent=extent)
        skeleton_plot.draw(side, joints[row], SKELETON, view="side", extent=extent)
        if off is not None:
            picture.set_ylabel(f"{off[row]:.0f} mm", fontsize=7)
            if place >= 0.75 * len(order):
                for axes in cells[place]:
                    _boxed(axes, _WORSE)
    numbers: dict[str, Any] = {"folder": pathlib.Path(folder).name}
    if off is not None:
        numbers["pa_mpjpe_mm"] = [float(x) for x in np.sort(off)]
    return figure, numbers


_MAKE: Mapping[str, Callable[..., Figure]] = {
    function.__name__: function
    for function in (pose_space, motion_space, motion_rules, relation_pairs, people)
}
NAMES = tuple(_MAKE)


def write(
    name: str,
    config: configs.Config,
    networks: networks_.Networks,
    workdir: str | os.PathLike,
    *arguments: typing.Any,
) -> dict[str, Any]:
    """Makes a figure; returns its numbers, with what they come from.

    Args:
        name: of `NAMES`.
        config: of the run.
        networks: trained; those that the figure shows are loaded.
        workdir: gets `NAME.png`, and `NAME.json` with the numbers.
        *arguments: of the figure, such as a folder.

    Raises:
        InputError: if a network is missing, and as the figure does.
    """
    figure, numbers = _MAKE[name](config, networks, *arguments)
    folder = pathlib.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    with files.atomic(folder / f"{name}.png") as temporary:
        temporary.write_bytes(skeleton_plot.to_png(figure))
    files.write_json(folder / f"{name}.json", {**provenance.describe(), **numbers})
    return numbers


def _rules(config: configs.Config) -> dict[str, rules.Rule]:
    return rules.table(np.radians(config.relations.theta_deg))


def _unseen(config: configs.Config, length: int) -> np.ndarray:
    """Windows of motions that no network was trained on, `[N, length, 17, 3]`, mm."""
    motions = sources.unpaired(config, held_out=True).motions
    return sources.motion_pairs(config, motions, length, _CLIPS)


def _distances(
    config: configs.Config, networks: networks_.Networks, names: Sequence[str]
) -> dict[str, float]:
    """d of [M] 3.3.3 by rule."""
    found = {}
    for name in names:
        rule = _rules(config)[name]
        clips = _unseen(config, rule.clip_length)
        clips = clips[:, 0] if rule.space == "pose" else clips
        both = pairs.encode(rule, clips, networks.prior_of(rule))
        found[name] = float(pairs.latent_distance(*both))
    return found


def _between(corners: np.ndarray) -> np.ndarray:
    """Latents `[_CELLS ** 2, D]` between four, `[4, D]`: first two on top."""
    down, right = np.meshgrid(*2 * [np.linspace(0, 1, _CELLS)], indexing="ij")
    weights = [(1 - down) * (1 - right), (1 - down) * right]
    weights += [down * (1 - right), down * right]
    mixed = np.einsum("kij,kd->ijd", np.stack(weights), corners)
    return mixed.reshape(_CELLS**2, -1).astype(np.float32)


def _largest_step(poses: np.ndarray) -> float:
    """Largest mean distance, mm, of neighbours in a grid of poses `[R, C, J, 3]`."""
    steps = [
        np.linalg.norm(np.diff(poses, axis=axis), axis=-1).mean(-1).max()
        for axis in (0, 1)
    ]
    return float(max(steps))


def _encoded(encode: Callable, clips: np.ndarray) -> np.ndarray:
    return encode(tf.constant(clips, tf.float32)).numpy()


def _decoded(decode: Callable, v: np.ndarray) -> np.ndarray:
    return decode(tf.constant(v, tf.float32)).numpy()


def _speed(clips: np.ndarray) -> np.ndarray:
    """Mean speed of the joints of clips `[N, T, J, 3]`, mm/s."""
    steps = np.linalg.norm(np.diff(clips, axis=1), axis=-1)
    return world.FPS * steps.mean((1, 2))


def _pa_errors(
    joints: np.ndarray, truth: poses.Poses, chosen: np.ndarray
) -> np.ndarray:
    """PA-MPJPE of each picture, mm, over the joints that both have."""
    given = truth.joints[chosen].astype(np.float64)
    if truth.mask is not None:
        given[~truth.mask[chosen]] = np.nan
    known, valid = conversion.convert(given, truth.skeleton, SKELETON)
    there = np.isfinite(known).all(axis=-1) & valid
    return np.array(
        [
            metrics.pa_mpjpe(one[None, row], true[None, row])[0]
            for one, true, row in zip(joints, known, there)
        ]
    )


def _halves(figure: figures.Figure, widths: tuple[float, float]) -> tuple[Any, Any]:
    left_and_right: Any = figure.subfigures(1, 2, width_ratios=widths)
    return left_and_right[0], left_and_right[1]


def _boxed(axes: Any, colour: str) -> None:
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=2.5)


def _draw_bars(axes: Any, values: Mapping[str, float], title: str) -> None:
    colours = (_FLIP, _TURN, _TIME)
    bars = axes.bar(list(values), list(values.values()), color=colours[: len(values)])
    axes.bar_label(bars, fmt="%.2f", fontsize=8)
    axes.set_title(title, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_strips(figure: Any, rows: Sequence[tuple[str, np.ndarray]]) -> None:
    """Draws clips row under row: pictures `[T, H, W, 3]` or poses `[T, J, 3]`."""
    grid = figure.subplots(len(rows), _STRIP, squeeze=False)
    posed = [clip for _, clip in rows if clip.ndim == 3]
    extent = skeleton_plot.half_extent(np.concatenate(posed))
    for line, (title, clip) in zip(grid, rows):
        chosen = np.linspace(0, len(clip) - 1, _STRIP).astype(int)
        for axes, frame in zip(line, chosen):
            if clip.ndim == 3:
                skeleton_plot.draw(axes, clip[frame], SKELETON, extent=extent)
            else:
                axes.imshow(clip[frame])
            axes.set_xticks([])
            axes.set_yticks([])
        line[0].set_ylabel(title, fontsize=7)
