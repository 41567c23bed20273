"""Colours that people, clothes and hair have; linear RGB albedos."""

from __future__ import annotations

import numpy as np

from sa3dhp.synthetic.people import makehuman

# Light to dark; people lie between neighbours.
_SKINS = np.array([[0.75, 0.52, 0.42], [0.55, 0.35, 0.25], [0.2, 0.11, 0.07]])
# Black, brown, blond, red and grey, relative to the grey of a picture of hair.
_HAIRS = np.array(
    [[0.25] * 3, [0.6, 0.4, 0.28], [1.9, 1.45, 0.9], [1.2, 0.5, 0.25], [1.7] * 3]
)
_HAIR_SHARES = (0.3, 0.35, 0.18, 0.07, 0.1)
_SATURATIONS = (1.0, 4.0, 20.0)  # concentrations of a Dirichlet: vivid to grey
# Ends of the names of the bones whose skin a garment of paint covers.
_TROUSERS = (
    ("Hips", "HipJoint", "UpLeg"),
    ("Leg",),
)  # shorts, and what makes them long
_SHIRT = (("LowerBack", "Spine", "Spine1", "Shoulder"), ("tArm",), ("ForeArm",))
_SHOES = ("Foot", "ToeBase")


def cloth(rng: np.random.Generator) -> np.ndarray:
    """Draws the colour of cloth: any hue, often grey or dark."""
    value = rng.uniform(0.04, 0.9)
    colour = rng.dirichlet(np.full(3, rng.choice(_SATURATIONS)))
    return value * colour / colour.max()


def hair(rng: np.random.Generator) -> np.ndarray:
    """Draws the colour of hair, relative to the grey of its picture."""
    return _HAIRS[rng.choice(len(_HAIRS), p=_HAIR_SHARES)] * rng.uniform(0.7, 1.3)


def bare_skin(rng: np.random.Generator) -> np.ndarray:
    """Draws the colour of skin that has no picture."""
    place = rng.uniform(0, len(_SKINS) - 1)
    low = int(place)
    return _SKINS[low] + (place - low) * (_SKINS[low + 1] - _SKINS[low])


def painted(
    rng: np.random.Generator,
    rig: makehuman.Rig,
    vertices: np.ndarray,
    skin: np.ndarray,
) -> np.ndarray:
    """Paints clothes and hair on a body that has none.

    Args:
        rng: the source of randomness.
        rig: tells the body's regions.
        vertices: `[V, 3]`, dm, of the body.
        skin: `[3]`, the colour of the rest.

    Returns:
        `[V, 3]`, the vertices' colours.
    """
    out = np.tile(skin, (len(vertices), 1))
    long_legs, sleeves = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    for ends in (sum(_TROUSERS[:long_legs], ()), sum(_SHIRT[:sleeves], ()), _SHOES):
        mine = [n for n, name in enumerate(rig.names) if name.endswith(ends)]
        out[rig.weights[:, mine].sum(axis=1) > 0.5] = 0.7 * cloth(rng)
    head = rig.index("Head")
    on_head = rig.weights[:, head] > 0.9
    low = vertices[rig.heads[head]].mean(axis=0)
    high = vertices[on_head].max(axis=0)
    # The scalp: what is high, and lower down what lies behind.
    rise = (vertices[:, 1] - low[1]) / (high[1] - low[1])
    ahead = (vertices[:, 2] - low[2]) / (high[2] - low[2])
    out[on_head & (rise > 0.3 + 0.5 * np.clip(ahead + 0.3, 0.0, 1.0))] = 0.2 * hair(rng)
    return out
