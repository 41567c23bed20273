"""A person drawn at random: a shape, skin, clothes and hair, as parts to draw."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np

from sa3dhp import errors
from sa3dhp.synthetic.people import body as bodies
from sa3dhp.synthetic.people import clothes, looks, motion, parts, shaders

_BALD = {True: 0.12, False: 0.02}  # share of men and women
_SHORT = ("short", "afro")  # what most men's hair is called
_MANS_SUIT = 0.4  # share of women who wear one: there are more of them
_RECOLOURED = 0.6  # share of suits
# The picture at hand is that of another version of its mesh: worn in one colour.
_PLAIN = ("male_worksuit01",)
_EYES = np.array([[[60, 45, 35, 255]]], np.uint8)
_WHITE = np.full((1, 1, 4), 255, np.uint8)
_WAIST = 0.2  # dm over the lowest joint of the spine

Worn = tuple[clothes.Garment, dict[str, Any]]


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Person:
    """A person at rest.

    Attributes:
        parts: to draw.
        skeleton: bones and joints, metres.
        curl: radians, of the fingers of the left and the right hand.
    """

    parts: tuple[parts.Part, ...]
    skeleton: bodies.Skeleton
    curl: tuple[float, float]


class Cast:
    """Everything that people are made of.

    Attributes:
        body: the base mesh and its rig.
        wardrobe: what they wear.
    """

    def __init__(self, body: pathlib.Path, assets: pathlib.Path) -> None:
        """Reads MakeHuman's `mpfb2` folder and looks into its `assets`.

        Raises:
            InputError: if a file is missing, or the rig has too many bones to draw.
        """
        self.body = bodies.Body(body)
        self.wardrobe = clothes.Wardrobe(assets)
        if len(self.body.rig.names) > shaders.BONES:
            raise errors.InputError(
                f"{body}: a rig of {len(self.body.rig.names)} bones, expected at most "
                f"{shaders.BONES}"
            )

    def draw(self, rng: np.random.Generator) -> Person:
        """Draws a person; without any suit they wear paint."""
        shape = draw_shape(rng)
        vertices = self.body.shaped(shape)  # dm
        worn = self._worn(rng, shape.male > 0.5)
        hidden = np.zeros(len(vertices), bool)
        for garment, _ in worn:
            hidden[garment.fitting.hidden] = True
        made = [self._skin(rng, shape, vertices, hidden), self._eyes(vertices)]
        made += [self._garment(vertices, *item) for item in worn]
        left, right = rng.uniform(0.0, 1.1, size=2)
        return Person(
            tuple(made),
            bodies.skeleton(self.body, vertices * parts.DM),
            (float(left), float(right)),
        )

    def _worn(self, rng: np.random.Generator, male: bool) -> list[Worn]:
        """Draws a suit, shoes and hair, as far as there are any."""
        wardrobe = self.wardrobe
        found = []
        if wardrobe.suits:
            found.append(self._suit(rng, male))
        if wardrobe.shoes:
            grey = float(rng.uniform(0.3, 1.2))
            look = dict(gloss=0.04, paint=np.full(3, grey))
            found.append((wardrobe.garment("shoes", _one(rng, wardrobe.shoes)), look))
        if wardrobe.hairs and rng.uniform() > _BALD[male]:
            names = list(wardrobe.hairs)
            if male and rng.uniform() > 0.12:
                names = [n for n in names if n.startswith(_SHORT)] or names
            look = dict(gloss=0.03, cut=0.45, open=True)
            if rng.uniform() < 0.7:
                look["recolour"] = (*looks.hair(rng), 1.0)
            found.append((wardrobe.garment("hairs", _one(rng, names)), look))
        return found

    def _suit(self, rng: np.random.Generator, male: bool) -> Worn:
        """Draws clothes for trunk and legs, the two often dyed differently."""
        mans = male or rng.uniform() < _MANS_SUIT
        names = list(self.wardrobe.suits)
        names = [
            n for n in names if n.startswith("male" if mans else "female")
        ] or names
        garment = self.wardrobe.garment("suits", _one(rng, names))
        look: dict[str, Any] = dict(gloss=0.02)
        if garment.name in _PLAIN:
            look |= dict(halves=(looks.cloth(rng),) * 2, plain=True)
        elif rng.uniform() < _RECOLOURED:
            bright, share = rng.uniform(1.5, 3.5), float(rng.uniform(0.6, 1.0))
            look["recolour"] = (bright, bright, bright, share)
            look["halves"] = (looks.cloth(rng), looks.cloth(rng))
        return garment, look

    def _skin(
        self,
        rng: np.random.Generator,
        shape: bodies.Shape,
        vertices: np.ndarray,
        hidden: np.ndarray,
    ) -> parts.Part:
        """The surface of the body where it is not `hidden [V]`."""
        tone = "darkskinned" if shape.races[0] > 0.5 else "lightskinned"
        sex = "_male_" if shape.male > 0.5 else "_female_"
        known = self.wardrobe.skins
        names = [n for n in known if tone in n and sex in n] or list(known)
        colour = rng.uniform(0.75, 1.15) * rng.uniform(0.95, 1.05, size=3)
        texture, key = _WHITE, "white"
        if names:
            path = known[_one(rng, names)]
            texture, key = clothes.picture(path), str(path)
        else:
            colour = colour * looks.bare_skin(rng)
        paint = np.broadcast_to(colour, vertices.shape)
        if not self.wardrobe.suits:
            paint = looks.painted(rng, self.body.rig, vertices, colour)
        return parts.make(
            self.body.skin.without(hidden),
            vertices,
            self.body.rig.weights,
            texture=texture,
            key=key,
            paint=paint,
            gloss=0.05,
        )

    def _eyes(self, vertices: np.ndarray) -> parts.Part:
        weights = self.body.rig.weights
        return parts.make(
            self.body.eyes, vertices, weights, texture=_EYES, key="eyes", gloss=0.1
        )

    def _garment(
        self, vertices: np.ndarray, garment: clothes.Garment, look: dict[str, Any]
    ) -> parts.Part:
        """A garment on a body of `vertices [V, 3]`, dm."""
        fitted = garment.fit(vertices)
        look = dict(look)
        paint = np.broadcast_to(look.pop("paint", np.ones(3)), fitted.shape)
        if "halves" in look:
            spine = vertices[self.body.groups["joint-spine-4"], 1].mean()
            upper, lower = look.pop("halves")
            paint = np.where(fitted[:, 1:2] > spine + _WAIST, upper, lower)
        plain = look.pop("plain", False)
        return parts.make(
            garment.mesh,
            fitted,
            garment.weights(self.body.rig.weights),
            texture=_WHITE if plain else clothes.picture(garment.texture),
            key="white" if plain else str(garment.texture),
            paint=paint,
            **look,
        )


def _one(rng: np.random.Generator, names: list[str] | dict[str, pathlib.Path]) -> str:
    return list(names)[rng.integers(len(names))]


def draw_shape(rng: np.random.Generator) -> bodies.Shape:
    """Draws a grown person: mostly young, muscle, weight and height around average."""
    male = float(rng.uniform() < 0.5)
    return bodies.Shape(
        male=float(abs(male - rng.uniform(0.0, 0.15))),
        old=float(rng.beta(1.0, 2.5)),
        muscle=float(rng.beta(3.0, 3.0)),
        weight=float(rng.beta(2.2, 2.2)),
        height=float(np.clip(rng.normal(0.55, 0.15), 0.1, 0.95)),
        races=tuple(float(share) for share in rng.dirichlet(np.full(3, 0.4))),
    )


def bone_matrices(posed: motion.Posed, frame: int) -> np.ndarray:
    """Returns what bends the parts in a frame, `[B, 4, 4]`, float32, metres."""
    out = np.tile(np.eye(4, dtype=np.float32), (posed.turns.shape[1], 1, 1))
    out[:, :3, :3], out[:, :3, 3] = posed.turns[frame], posed.places[frame]
    return out
