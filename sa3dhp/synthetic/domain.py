"""Domains of the embedded world: what a place looks like, as dials.

A `Domain` says how far each dial is turned; `sample` draws one scene's `Look` from it.
`STUDIO` is the clean source, `STREET` the far target, `FAR` one that is farther still.
`only` turns one dial alone.
"""

from __future__ import annotations

import colorsys
import dataclasses

import numpy as np

from sa3dhp.errors import InputError
from sa3dhp.synthetic import mesh


@dataclasses.dataclass(frozen=True)
class Domain:
    """How far each dial is turned, 0 (clean) to 1 (far).

    Attributes:
        palette: odd clothes: any hue, dark or pale, close to the background's colour.
        texture: stripes and checks on the clothes.
        background: clutter behind the person.
        light: hard light from the side or above in place of soft light from the front.
        blur: defocus.
        noise: sensor noise.
        contrast: haze, under- and over-exposure, colour cast.
        occluders: things in front of the person.
        camera_pitch: a camera that hangs high and looks down.
        proportions: bodies unlike the average.
        frame_rate: movement faster or slower than real.
    """

    name: str
    palette: float = 0.0
    texture: float = 0.0
    background: float = 0.0
    light: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    contrast: float = 0.0
    occluders: float = 0.0
    camera_pitch: float = 0.0
    proportions: float = 0.0
    frame_rate: float = 0.0


DIALS = tuple(f.name for f in dataclasses.fields(Domain) if f.name != "name")

STUDIO = Domain(
    "studio",
    palette=0.3,
    texture=0.1,
    background=0.1,
    light=0.25,
    blur=0.1,
    noise=0.08,
    contrast=0.15,
    occluders=0.0,
    camera_pitch=0.2,
    proportions=0.3,
    frame_rate=0.1,
)
# As far as this, the shipped source model errs 1.7 times as much as in `studio`; with
# every dial a third further it knew hardly more than the mean pose.
STREET = Domain(
    "street",
    palette=0.65,
    texture=0.55,
    background=0.6,
    light=0.65,
    blur=0.5,
    noise=0.45,
    contrast=0.6,
    occluders=0.2,
    camera_pitch=0.5,
    proportions=0.6,
    frame_rate=0.5,
)
FAR = Domain(  # on from `studio` through `street`, a third further
    "far",
    **{
        dial: getattr(STREET, dial)
        + (getattr(STREET, dial) - getattr(STUDIO, dial)) / 3
        for dial in DIALS
    },
)
# Three more places, each far from `studio` in its own way, none of them `street`.
HALL = dataclasses.replace(
    STUDIO, name="hall", background=0.7, occluders=0.2, texture=0.4, camera_pitch=0.6
)
NIGHT = dataclasses.replace(
    STUDIO, name="night", light=0.8, noise=0.6, contrast=0.6, blur=0.4
)
PARK = dataclasses.replace(
    STUDIO, name="park", palette=0.7, light=0.5, background=0.4, texture=0.3
)
_PRESETS = {d.name: d for d in (STUDIO, STREET, FAR, HALL, NIGHT, PARK)}


def get(name: str) -> Domain:
    """Returns a domain by its name.

    Args:
        name: a preset's, or `studio` with one dial as in `street` (`studio+noise`) or
            as far as said, 0 to 1 (`studio+noise:1.0`).

    Raises:
        InputError: if there is no such domain or dial.
    """
    base, plus, rest = name.partition("+")
    dial, given, strength = rest.partition(":")
    known = base in _PRESETS and (not plus or (base == "studio" and dial in DIALS))
    if not known or (given and not _is_share(strength)):
        raise InputError(
            f"domain: got {name!r}, expected one of {', '.join(_PRESETS)}, studio+DIAL "
            "or studio+DIAL:STRENGTH, such as studio+noise:0.9, with a strength of 0 "
            f"to 1 and DIAL one of {', '.join(DIALS)}"
        )
    if not dial:
        return _PRESETS[base]
    return only(dial, float(strength) if given else None)


def _is_share(text: str) -> bool:
    try:
        return 0.0 <= float(text) <= 1.0
    except ValueError:
        return False


def only(dial: str, strength: float | None = None) -> Domain:
    """Returns `STUDIO` with one dial turned, as far as in `STREET` if not said."""
    if strength is None:
        strength, name = getattr(STREET, dial), f"studio+{dial}"
    else:
        name = f"studio+{dial}:{strength}"
    return dataclasses.replace(STUDIO, name=name, **{dial: strength})


@dataclasses.dataclass(frozen=True)
class Look:
    """One scene, drawn from a domain. Colours are RGB in 0..255.

    Attributes:
        colors: `[materials, 3]`.
        stripes: `[materials, 2]`, strength and rings per limb of horizontal bands.
        checks: strength of the checks that cross the stripes.
        wall, floor: background colours.
        clutter: number of things in the background.
        light: `[3]`, unit vector towards the light, camera frame.
        ambient: share of the light that comes from everywhere.
        blur: standard deviation, in hundredths of the image side.
        noise: standard deviation, 0..255.
        gain, offset: `[3]` each, of the final colours.
        occluders: number of things in front of the person.
        camera_pitch: radians, positive looks down.
        distance: of the camera, mm.
        speed: of the movement relative to real.
        shift: `[2]` and zoom: errors of the person's box, relative to its side.
    """

    colors: np.ndarray
    stripes: np.ndarray
    checks: float
    wall: np.ndarray
    floor: np.ndarray
    clutter: int
    light: np.ndarray
    ambient: float
    blur: float
    noise: float
    gain: np.ndarray
    offset: np.ndarray
    occluders: int
    camera_pitch: float
    distance: float
    speed: float
    shift: np.ndarray
    zoom: float


def _hsv(h: float, s: float, v: float) -> np.ndarray:
    rgb = colorsys.hsv_to_rgb(h % 1.0, min(max(s, 0), 1), min(max(v, 0), 1))
    return 255 * np.array(rgb, np.float32)


def _cloth(rng: np.random.Generator, palette: float, hue: float) -> np.ndarray:
    """Plain saturated cloth of about one hue; anything when the dial is up."""
    spread = 0.08 + 0.42 * palette
    return _hsv(
        hue + rng.uniform(-spread, spread),
        rng.uniform(0.55 - 0.5 * palette, 0.9),
        rng.uniform(0.65 - 0.5 * palette, 0.85 + 0.1 * palette),
    )


def _colors(rng: np.random.Generator, palette: float, wall: np.ndarray) -> np.ndarray:
    colors = np.zeros((len(mesh.MATERIALS), 3), np.float32)

    def put(name: str, color: np.ndarray) -> None:
        colors[mesh.M[name]] = color

    put("skin", _hsv(rng.uniform(0.04, 0.09), rng.uniform(0.3, 0.6), 0.9))
    colors[mesh.M["skin"]] *= rng.uniform(0.85 - 0.5 * palette, 1.0)
    put("hair", _hsv(rng.uniform(0.02, 0.12), rng.uniform(0.3, 0.7), 0.2))
    put("shirt", _cloth(rng, palette, 0.58))
    put("trousers", _cloth(rng, palette, 0.08))
    # The chest mark stands out from the shirt, light on dark or dark on light.
    shirt = colors[mesh.M["shirt"]]
    put("mark", shirt * 0.35 if shirt.mean() > 120 else 140 + 0.45 * shirt)
    put("shoes", _hsv(rng.uniform(), rng.uniform(0, 0.6), rng.uniform(0.1, 0.9)))
    put("eyes", np.array([35, 30, 30], np.float32))
    put("mouth", np.array([150, 60, 60], np.float32))
    if rng.uniform() < 0.5 * palette:  # clothes that hide before the wall
        which = "shirt" if rng.uniform() < 0.5 else "trousers"
        put(which, 0.35 * colors[mesh.M[which]] + 0.65 * wall)
    return colors


def _light(rng: np.random.Generator, light: float) -> np.ndarray:
    """Towards the light: about the camera's own direction, or far from it."""
    towards = np.array([0.0, -0.45, -1.0]) + rng.normal(0, 0.15 + 1.1 * light, 3)
    towards[2] = -abs(towards[2])
    return (towards / np.linalg.norm(towards)).astype(np.float32)


def sample(domain: Domain, rng: np.random.Generator) -> Look:
    """Draws the look of one scene."""
    d = domain
    wall = _hsv(rng.uniform(), rng.uniform(0, 0.25 + 0.4 * d.palette), 0.75)
    wall = wall * rng.uniform(0.9 - 0.7 * d.palette, 1.15)
    stripes = np.zeros((len(mesh.MATERIALS), 2), np.float32)
    for name in ("shirt", "trousers"):
        strength = d.texture * rng.uniform(0, 0.8) * (rng.uniform() < 0.75)
        stripes[mesh.M[name]] = strength, rng.integers(2, 9)
    cast = rng.normal(0, 0.12 * d.contrast, 3)
    gain = (1 - 0.6 * d.contrast * rng.uniform()) * (1 + cast)
    haze = (1 - gain) * 255 * rng.uniform(0.0, 0.9)
    pitch = np.deg2rad(rng.normal(2, 4) + 45 * d.camera_pitch * rng.uniform(-0.1, 1))
    return Look(
        colors=np.clip(_colors(rng, d.palette, wall), 0, 255),
        stripes=stripes,
        checks=d.texture * rng.uniform(0, 0.5),
        wall=np.clip(wall, 0, 255),
        floor=np.clip(wall * rng.uniform(0.55, 0.95), 0, 255),
        clutter=int(rng.uniform(0.3, 1.0) * 34 * d.background),
        light=_light(rng, d.light),
        ambient=float(rng.uniform(0.55 - 0.35 * d.light, 0.7 - 0.2 * d.light)),
        blur=float(1.6 * d.blur * rng.uniform(0.2, 1)),
        noise=float(30 * d.noise * rng.uniform(0.2, 1)),
        gain=gain.astype(np.float32),
        offset=(haze + 25 * d.contrast * rng.uniform(-1, 1)).astype(np.float32),
        occluders=int(rng.poisson(2.0 * d.occluders)),
        camera_pitch=float(pitch),
        distance=float(rng.uniform(3200, 6500)),
        speed=float(np.exp(0.6 * d.frame_rate * rng.uniform(-1, 1))),
        shift=rng.normal(0, 0.02, 2).astype(np.float32),
        zoom=float(np.exp(rng.normal(0, 0.05))),
    )
