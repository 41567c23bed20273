"""A person drawn at random: a shape, skin, clothes and hair, as parts to draw."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from sa3dhp import errors
from sa3dhp.synthetic.people import body as bodies
from sa3dhp.synthetic.people import clothes, makehuman, motion, rasteriser

DM = 0.1  # metres
_BALD = 0.06  # share of people
_RECOLOURED = 0.6  # share of suits
# The picture at hand is that of another version of its mesh: worn in one colour.
_PLAIN = ("male_worksuit01",)
_EYES = np.array([[[60, 45, 35, 255]]], np.uint8)
_WHITE = np.full((1, 1, 4), 255, np.uint8)
# Bones whose skin is painted where there are no clothes: trousers, shirt, shoes.
_PAINTED = {
    "trousers": ("Hips", "HipJoint", "UpLeg", "Leg"),
    "shirt": ("LowerBack", "Spine", "Shoulder", "Arm"),
    "shoes": ("Foot", "ToeBase"),
}
_SKIN_TONES = np.array([[0.75, 0.52, 0.42], [0.55, 0.35, 0.25], [0.2, 0.11, 0.07]])


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Person:
    """A person at rest.

    Attributes:
        parts: to draw.
        skeleton: bones and joints, metres.
        height: metres.
        curl: radians, of the fingers.
    """

    parts: tuple[rasteriser.Part, ...]
    skeleton: bodies.Skeleton
    height: float
    curl: tuple[float, float]


class Cast:
    """Everything that people are made of.

    Attributes:
        body: the base mesh and its rig.
        wardrobe: what they wear.
    """

    def __init__(self, body: pathlib.Path, assets: pathlib.Path) -> None:
        """Reads MakeHuman's `mpfb2` folder and looks into its `assets`."""
        self.body = bodies.Body(body)
        self.wardrobe = clothes.Wardrobe(assets)

    def draw(self, rng: np.random.Generator) -> Person:
        """Draws a person."""
        shape = draw_shape(rng)
        vertices = self.body.shaped(shape)  # dm
        male = shape.male > 0.5
        worn = self._worn(rng, male, vertices)
        hidden = np.zeros(len(vertices), bool)
        for garment, _ in worn:
            hidden[garment.fitting.hidden] = True
        parts = [
            self._skin(rng, shape, vertices, hidden, bool(worn)),
            self._eyes(vertices),
        ]
        for garment, look in worn:
            parts.append(self._part(garment, vertices, look))
        surface = vertices[self.body.groups["body"]]
        return Person(
            tuple(parts),
            bodies.skeleton(self.body, vertices * DM),
            float(np.ptp(surface[:, 1])) * DM,
            tuple(rng.uniform(0.0, 1.1, size=2)),
        )

    def _worn(self, rng: np.random.Generator, male: bool, vertices: np.ndarray) -> list:
        """Garments and their looks: a suit of the person's sex, shoes and hair."""
        wardrobe, out = self.wardrobe, []
        sex, other = ("male_", "female_") if male else ("female_", "male_")
        suits = [n for n in wardrobe.suits if n.startswith(sex)]
        # Women wear what men wear, too: there are more of men's.
        if not male and rng.uniform() < 0.4:
            suits = [n for n in wardrobe.suits if n.startswith(other)]
        suits = suits or list(wardrobe.suits)
        if suits:
            look = dict(gloss=0.02)
            if rng.uniform() < _RECOLOURED:
                look["recolour"] = (*_cloth(rng), float(rng.uniform(0.6, 1.0)))
                look["halves"] = (_tint(rng), _tint(rng))
            garment = wardrobe.garment("suits", suits[rng.integers(len(suits))])
            if garment.name in _PLAIN:
                look = dict(gloss=0.02, halves=(_tint(rng),) * 2, plain=True)
            out.append((garment, look))
        if wardrobe.shoes:
            names = list(wardrobe.shoes)
            garment = wardrobe.garment("shoes", names[rng.integers(len(names))])
            grey = rng.uniform(0.3, 1.2)
            out.append((garment, dict(gloss=0.04, paint=np.full(3, grey))))
        if wardrobe.hairs and rng.uniform() > _BALD * (2 if male else 0.3):
            names = [
                n for n in wardrobe.hairs if not male or n.startswith(("short", "afro"))
            ]
            if male and rng.uniform() < 0.12:
                names = list(wardrobe.hairs)
            garment = wardrobe.garment("hairs", names[rng.integers(len(names))])
            look = dict(gloss=0.03, cut=0.45, open=True)
            if rng.uniform() < 0.7:
                look["recolour"] = (*_hair(rng), 1.0)
            out.append((garment, look))
        return out

    def _skin(
        self,
        rng: np.random.Generator,
        shape: bodies.Shape,
        vertices: np.ndarray,
        hidden: np.ndarray,
        dressed: bool,
    ) -> rasteriser.Part:
        """The surface of the body that is not hidden."""
        mesh = self.body.skin.without(hidden)
        dark = shape.races[0] > 0.5
        tone = "darkskinned" if dark else "lightskinned"
        sex = "_male_" if shape.male > 0.5 else "_female_"
        skins = [n for n in self.wardrobe.skins if tone in n and sex in n]
        skins = skins or list(self.wardrobe.skins)
        gain = rng.uniform(0.75, 1.15) * rng.uniform(0.95, 1.05, size=3)
        if skins:
            path = self.wardrobe.skins[skins[rng.integers(len(skins))]]
            texture, key = clothes.picture(path), str(path)
        else:
            texture, key = _WHITE, "white"
            place = rng.uniform(0, 2)
            low = int(place)
            gain = gain * _mix(_SKIN_TONES[low], _SKIN_TONES[low + 1], place - low)
        paint = np.broadcast_to(gain, (len(vertices), 3))
        if not dressed:
            paint = self._painted(rng, paint)
        return self._made(
            mesh, vertices, self.body.rig.weights, texture, key, 0.05, paint
        )

    def _painted(self, rng: np.random.Generator, skin: np.ndarray) -> np.ndarray:
        """Colours `[V, 3]` of a body that wears only paint."""
        names = self.body.rig.names
        out = skin.copy()
        for bones in _PAINTED.values():
            mine = [n for n, name in enumerate(names) if name.endswith(bones)]
            inside = self.body.rig.weights[:, mine].sum(axis=1) > 0.5
            out[inside] = _tint(rng) * 0.7
        return out

    def _eyes(self, vertices: np.ndarray) -> rasteriser.Part:
        return self._made(
            self.body.eyes, vertices, self.body.rig.weights, _EYES, "eyes", 0.1
        )

    def _part(
        self, garment: clothes.Garment, vertices: np.ndarray, look: dict
    ) -> rasteriser.Part:
        """A garment on a body."""
        fitted, plain = garment.fit(vertices), look.get("plain", False)
        paint = np.broadcast_to(look.get("paint", np.ones(3)), (len(fitted), 3))
        if "halves" in look:
            waist = vertices[self.body.groups["joint-spine-4"], 1].mean() + 0.2
            paint = np.where(fitted[:, 1:2] > waist, *look["halves"])
        part = self._made(
            garment.mesh,
            fitted,
            garment.weights(self.body.rig.weights),
            _WHITE if plain else clothes.picture(garment.texture),
            "white" if plain else str(garment.texture),
            look["gloss"],
            paint,
        )
        kept = {k: look[k] for k in ("recolour", "cut", "open") if k in look}
        return dataclasses.replace(part, **kept)

    def _made(
        self,
        mesh: makehuman.Mesh,
        vertices: np.ndarray,
        weights: np.ndarray,
        texture: np.ndarray,
        key: str,
        gloss: float,
        paint: np.ndarray | float = 1.0,
    ) -> rasteriser.Part:
        """A part from a mesh whose vertices, `[V, 3]` dm, are in place."""
        rows = mesh.corners
        normals = rasteriser.normals(vertices, rows[mesh.triangles])
        bones, shares = rasteriser.strongest(weights[rows])
        if isinstance(paint, np.ndarray):
            paint = paint[rows]
        corners = rasteriser.vertices(
            vertices[rows] * DM, normals[rows], mesh.uv, (bones, shares), paint
        )
        return rasteriser.Part(corners, mesh.triangles, texture, key, gloss=gloss)


def draw_shape(rng: np.random.Generator) -> bodies.Shape:
    """Draws a grown person: mostly young, muscle, weight and height around average."""
    male = float(rng.uniform() < 0.5)
    male = abs(male - rng.uniform(0.0, 0.15))
    races = rng.dirichlet(np.full(3, 0.4))
    muscle, weight = rng.beta(3.0, 3.0), rng.beta(2.2, 2.2)
    return bodies.Shape(
        male=float(male),
        old=float(rng.beta(1.0, 2.5)),
        muscle=float(muscle),
        weight=float(weight),
        height=float(np.clip(rng.normal(0.55, 0.15), 0.1, 0.95)),
        races=tuple(float(share) for share in races),
    )


def bone_matrices(posed: motion.Posed, frame: int) -> np.ndarray:
    """Returns what bends the parts in a frame, `[B, 4, 4]`."""
    turns = posed.turns[frame]
    out = np.tile(np.eye(4, dtype=np.float32), (len(turns), 1, 1))
    out[:, :3, :3], out[:, :3, 3] = turns, posed.places[frame]
    return out


def _mix(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    return (1 - share) * a + share * b


def _tint(rng: np.random.Generator) -> np.ndarray:
    """An albedo of cloth: any hue, often grey or dark."""
    value = rng.uniform(0.04, 0.9)
    colour = rng.dirichlet(np.full(3, rng.choice([1.0, 4.0, 20.0])))
    return value * colour / colour.max()


def _cloth(rng: np.random.Generator) -> np.ndarray:
    """What the grey of a suit is multiplied by before its halves are tinted."""
    return np.full(3, rng.uniform(1.5, 3.5))


def _hair(rng: np.random.Generator) -> np.ndarray:
    """Black, brown, blond, red or grey, relative to the grey of the picture."""
    colours = np.array(
        [[0.25] * 3, [0.6, 0.4, 0.28], [1.9, 1.45, 0.9], [1.2, 0.5, 0.25], [1.7] * 3]
    )
    return colours[rng.choice(5, p=[0.3, 0.35, 0.18, 0.07, 0.1])] * rng.uniform(
        0.7, 1.3
    )


def check(cast: Cast) -> None:
    """Raises `InputError` if the rig has more bones than the rasteriser takes."""
    from sa3dhp.synthetic.people import shaders

    if len(cast.body.rig.names) > shaders.BONES:
        raise errors.InputError(
            f"rig: {len(cast.body.rig.names)} bones, expected at most {shaders.BONES}"
        )
