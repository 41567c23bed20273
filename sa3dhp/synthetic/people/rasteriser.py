"""Draws people with OpenGL, on Mesa's software renderer where there is no other.

One context per process, without a window (EGL). A person is a list of parts that lie in
its memory while several pictures are drawn; bones bend them there. All is in metres, in
a world with y up and the floor at zero.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from sa3dhp import errors
from sa3dhp.synthetic.people import parts, scene, shaders

_SAMPLES = 4  # per pixel
_SHADOW = 256  # side of the shadow map, pixels
_TEXTURES = 96  # kept
_SPHERES = 12  # that keep light from the floor
_REACH = 0.35  # metres that a body reaches beyond the middle of its spheres
_LOWEST_LIGHT = 0.25  # sine; a sun on the horizon would throw endless shadows
_ATTRIBUTES = "3f4 3f4 2f4 4u1 4f4 3f4"


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Thing:
    """A box in the scene.

    Attributes:
        model: `[4, 4]`, from the cube -1 to 1 into the world.
        colours: two RGB albedos.
        pattern: `[3]`, stripes per metre along its axes; zeros are plain.
    """

    model: np.ndarray
    colours: np.ndarray
    pattern: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """A camera and its film.

    Attributes:
        intrinsics: `[3, 3]`, pixels of the square picture (centre of the first is 0).
        rotation: `[3, 3]`, world to camera.
        eye: `[3]`, where it is in the world.
        size: side of the picture, pixels.
        gain: `[3]`, RGB, by which radiance is multiplied before it is exposed.
    """

    intrinsics: np.ndarray
    rotation: np.ndarray
    eye: np.ndarray
    size: int
    gain: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Room:
    """A panorama as it stands around a person.

    Attributes:
        panorama: see there.
        yaw: radians, by which it is turned about the vertical.
        middle: `[3]`, where its camera stood.
        radius: of the dome.
        grain: how much the walls and the floor are mottled, 0 to 1.
        softness: of shadows, 0 is hard.
    """

    panorama: scene.Panorama
    yaw: float
    middle: np.ndarray
    radius: float
    grain: float
    softness: float

    @functools.cached_property
    def harmonics(self) -> np.ndarray:
        """Those of the panorama as it stands here, `[9, 3]`."""
        return scene.turned(self.panorama, self.yaw)[0]

    @functools.cached_property
    def towards(self) -> np.ndarray:
        """Where the main light is, `[3]`, unit; never quite as low as the horizon."""
        way = scene.turned(self.panorama, self.yaw)[1]
        way = np.array([way[0], max(way[1], _LOWEST_LIGHT), way[2]])
        return way / np.linalg.norm(way)


@functools.cache
def renderer() -> Renderer:
    """The renderer of this process.

    Raises:
        InputError: if there is no OpenGL here.
    """
    try:
        import moderngl
    except ImportError:
        raise errors.InputError(
            "rendering needs moderngl: pip install 'sa3dhp[render]'"
        ) from None
    # Cores are shared out by shard: the software renderer is to use none beside.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    chosen: dict[str, Any] = {"backend": "egl"}
    try:
        context = moderngl.create_context(require=330, standalone=True, **chosen)
    except Exception as error:
        raise errors.InputError(
            f"rendering needs OpenGL by EGL, which is not here ({error}); on Debian or "
            "Ubuntu: apt-get install libegl1 libgl1-mesa-dri"
        ) from None
    return Renderer(context)


class Renderer:
    """An OpenGL context, its programs and the person that lies in its memory."""

    def __init__(self, context: Any) -> None:
        """Compiles the programs for a `moderngl.Context`."""
        self._gl = context
        make = context.program
        self._person = make(
            vertex_shader=shaders.PERSON_VERTEX, fragment_shader=shaders.PERSON_FRAGMENT
        )
        self._shadow = make(
            vertex_shader=shaders.SHADOW_VERTEX, fragment_shader=shaders.SHADOW_FRAGMENT
        )
        self._room = make(
            vertex_shader=shaders.ROOM_VERTEX, fragment_shader=shaders.ROOM_FRAGMENT
        )
        self._thing = make(
            vertex_shader=shaders.THING_VERTEX, fragment_shader=shaders.THING_FRAGMENT
        )
        square = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float32)
        self._screen = context.vertex_array(
            self._room, [(context.buffer(square.tobytes()), "2f4", "at")]
        )
        self._cube = context.vertex_array(
            self._thing,
            [(context.buffer(_cube().tobytes()), "3f4 3f4", "at", "normal")],
        )
        self._depth = context.depth_texture((_SHADOW, _SHADOW))
        self._depth.compare_func = "<="
        self._depth.repeat_x = self._depth.repeat_y = False
        self._map = context.framebuffer(depth_attachment=self._depth)
        context.front_face = "cw"  # rows go down
        self._targets: dict[int, tuple] = {}
        self._textures: dict[str, Any] = {}
        self._panorama: tuple[scene.Panorama | None, Any] = (None, None)
        self._parts: list[tuple] = []
        self._held: list[Any] = []

    def load(self, made: Sequence[parts.Part]) -> None:
        """Puts a person into memory, in the place of the one before."""
        for held in self._held:
            held.release()
        self._parts, self._held = [], []
        for part in made:
            if not len(part.triangles):  # wholly hidden by others
                continue
            buffer = self._gl.buffer(np.ascontiguousarray(part.vertices).tobytes())
            index = self._gl.buffer(part.triangles.astype(np.int32).tobytes())
            names = parts.VERTEX.names or ()
            seen = self._gl.vertex_array(
                self._person, [(buffer, _ATTRIBUTES, *names)], index
            )
            thrown = self._gl.vertex_array(
                self._shadow,
                [(buffer, "3f4 20x 4u1 4f4 12x", "at", "bone", "weight")],
                index,
            )
            self._held += [seen, thrown, buffer, index]
            self._parts.append((part, seen, thrown))

    def draw(
        self,
        bones: np.ndarray,
        view: View,
        room: Room,
        *,
        spheres: np.ndarray,
        things: Sequence[Thing] = (),
    ) -> np.ndarray:
        """Draws the person that was loaded.

        Args:
            bones: `[B, 4, 4]`, from rest into the world.
            view: the camera.
            room: what is behind, and its light.
            spheres: `[<= 12, 4]`, place and radius of what darkens the floor; they
                reach over the whole body.
            things: boxes before and behind the person.

        Returns:
            `[S, S, 3]`, uint8, RGB.
        """
        packed = np.zeros((shaders.BONES, 4, 4), np.float32)
        packed[: len(bones)] = np.swapaxes(bones, 1, 2)  # columns first
        lamp = _lamp(room.towards, spheres)
        self._throw(packed, lamp)
        target, resolved = self._target(view.size)
        target.use()
        self._gl.clear(0.0, 0.0, 0.0, 1.0)
        clip = _clip(view)
        around = np.zeros((_SPHERES, 4), np.float32)
        around[: len(spheres)] = spheres[:_SPHERES]
        shared = dict(
            harmonics=room.harmonics,
            towards=room.towards,
            gain=view.gain,
            light=room.panorama.light,
            shadow_view=lamp.T,
            softness=[room.softness / _SHADOW],
            shadow=1,
            eye=view.eye,
        )
        self._depth.use(1)
        self._around(view, room, shared, around)
        self._gl.enable(self._gl.DEPTH_TEST)
        for thing in things:
            _give(
                self._thing,
                **shared,
                model=thing.model.T,
                view=clip.T,
                colours=thing.colours,
                pattern=thing.pattern,
            )
            self._cube.render()
        _give(self._person, **shared, bones=packed, view=clip.T, picture=0)
        for part, seen, _ in self._parts:
            self._texture(part).use(0)
            (self._gl.disable if part.open else self._gl.enable)(self._gl.CULL_FACE)
            _give(
                self._person,
                recolour=part.recolour,
                gloss=[part.gloss],
                open=[float(part.open)],
                cut=[part.cut],
            )
            seen.render()
        self._gl.disable(self._gl.CULL_FACE)
        self._gl.copy_framebuffer(resolved, target)
        pixels = np.frombuffer(resolved.read(components=3, alignment=1), np.uint8)
        return pixels.reshape(view.size, view.size, 3)

    def _throw(self, bones: np.ndarray, lamp: np.ndarray) -> None:
        """Draws the shadow map."""
        self._map.use()
        self._map.clear(depth=1.0)
        self._gl.enable(self._gl.DEPTH_TEST)
        _give(self._shadow, bones=bones, view=lamp.T)
        for _, _, thrown in self._parts:
            thrown.render()

    def _around(
        self, view: View, room: Room, shared: dict, spheres: np.ndarray
    ) -> None:
        """Draws the room."""
        self._gl.disable(self._gl.DEPTH_TEST)
        self._walls(room.panorama).use(0)
        middle = (view.size - 1) / 2
        scale = view.size / 2  # -1 to 1 in the picture -> pixels
        pixels = np.array([[scale, 0, middle], [0, scale, middle], [0, 0, 1]])
        rays = view.rotation.T @ np.linalg.inv(view.intrinsics) @ pixels
        _give(
            self._room,
            **shared,
            panorama=0,
            rays=rays.T,
            middle=room.middle,
            radius=[room.radius],
            yaw=[room.yaw],
            grain=[room.grain],
            spheres=spheres,
        )
        self._screen.render(self._gl.TRIANGLE_STRIP)

    def _target(self, size: int) -> tuple:
        """The frame buffers of a size: sampled, and resolved to pixels."""
        if size not in self._targets:
            gl, both = self._gl, (size, size)
            sampled = gl.framebuffer(
                gl.renderbuffer(both, 4, samples=_SAMPLES),
                gl.depth_renderbuffer(both, samples=_SAMPLES),
            )
            resolved = gl.framebuffer(gl.renderbuffer(both, 4))
            self._targets[size] = (sampled, resolved)
        return self._targets[size]

    def _texture(self, part: parts.Part) -> Any:
        if part.key not in self._textures:
            while len(self._textures) >= _TEXTURES:
                self._textures.pop(next(iter(self._textures))).release()
            height, width = part.texture.shape[:2]
            made = self._gl.texture((width, height), 4, part.texture.tobytes())
            made.build_mipmaps()
            made.filter = (self._gl.LINEAR_MIPMAP_LINEAR, self._gl.LINEAR)
            self._textures[part.key] = made
        return self._textures[part.key]

    def _walls(self, panorama: scene.Panorama) -> Any:
        known, held = self._panorama
        if known is not panorama:
            if held is not None:
                held.release()
            height, width = panorama.radiance.shape[:2]
            data = np.minimum(panorama.radiance, 6e4).astype(np.float16)
            held = self._gl.texture((width, height), 3, data.tobytes(), dtype="f2")
            held.filter = (self._gl.LINEAR, self._gl.LINEAR)
            held.repeat_y = False
            self._panorama = (panorama, held)
        return held


def _give(program: Any, **values: Any) -> None:
    """Sets uniforms, those that the program has; matrices are given columns first."""
    for name, value in values.items():
        if program.get(name, None) is not None:
            if isinstance(value, int):
                program[name].value = value
            else:
                data = np.ascontiguousarray(value, np.float32)
                program[name].write(data.tobytes())


def _clip(view: View) -> np.ndarray:
    """World to clip coordinates `[4, 4]`; the picture's first row is the buffer's."""
    near, far = 0.05, 100.0
    size = view.size
    half = np.array(
        [[2 / size, 0, 1 / size - 1], [0, 2 / size, 1 / size - 1], [0, 0, 1]]
    )
    flat = half @ view.intrinsics  # camera -> (x w, y w, w)
    out = np.zeros((4, 4))
    out[:2, :3], out[3, :3] = flat[:2], flat[2]
    out[2, 2:] = (far + near) / (far - near), -2 * far * near / (far - near)
    frame = np.eye(4)
    frame[:3, :3], frame[:3, 3] = view.rotation, -view.rotation @ view.eye
    return out @ frame


def _lamp(towards: np.ndarray, spheres: np.ndarray) -> np.ndarray:
    """The main light's view of a person `[4, 4]`, orthographic, -1 to 1."""
    ahead = -towards
    up = [0.0, 0.0, 1.0] if abs(ahead[1]) > 0.9 else [0.0, 1.0, 0.0]
    side = np.cross(ahead, up)
    side = side / np.linalg.norm(side)
    axes = np.stack([side, np.cross(side, ahead), ahead])
    seen = spheres[:, :3] @ axes.T
    low, high = seen.min(axis=0) - _REACH, seen.max(axis=0) + _REACH
    out = np.eye(4)
    out[:3, :3] = axes * (2 / (high - low))[:, None]
    out[:3, 3] = -(high + low) / (high - low)
    return out


def _cube() -> np.ndarray:
    """The 36 corners of the cube -1 to 1 with their normals, `[36, 6]`."""
    out = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, -1), (1, 1), (-1, 1)):
                corner, normal = np.zeros(3), np.zeros(3)
                corner[axis], normal[axis] = sign, sign
                corner[(axis + 1) % 3], corner[(axis + 2) % 3] = a, b
                out.append(np.concatenate([corner, normal]))
    return np.array(out, np.float32)
