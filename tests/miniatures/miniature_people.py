"""Rendered people for miniature data sets: see `miniature`."""

import dataclasses
import pathlib

import cv2
import numpy as np

from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import body, domain, mesh, motion, render

SKELETON = skeletons.SA3DHP17
RED, BLUE = (255, 0, 0), (0, 0, 255)


def person(
    seed: int, frames: int, fps: float = 30.0, who: int | None = None
) -> np.ndarray:
    """Somebody (`who`) moves about the origin: `[T, 17, 3]`, mm, y up, faces +z."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / fps
    angles, _ = motion.sample(rng, t)
    angles[:, body.INDEX["yaw"]] += 0.4 * np.sin(t + seed)
    build = body.sample(np.random.default_rng([1, seed if who is None else who]), 0.03)
    joints = body.joints(angles, build.lengths).astype(np.float64)
    path = np.stack([150 * np.sin(0.7 * t), 20 * np.sin(3 * t), 100 * np.cos(t)], -1)
    return joints + path[:, None]


def expand(joints: np.ndarray, skeleton: str) -> np.ndarray:
    """Joints `[T, 17, 3]` as another skeleton's; made-up ones are where they belong."""
    at = {n: joints[:, i] for i, n in enumerate(SKELETON.joint_names)}
    weights, valid = conversion.matrix(SKELETON, skeleton)
    out = np.einsum("ij,njk->nik", weights, joints)
    for i, name in enumerate(skeletons.get(skeleton).joint_names):
        if not valid[i]:
            out[:, i] = _invented(at, name, skeleton)
    return out


def _invented(at: dict, name: str, skeleton: str) -> np.ndarray:
    """A joint that `sa3dhp17` does not have."""
    side, _, part = name.partition("_")

    def between(first: str, last: str, share: float) -> np.ndarray:
        return at[first] + share * (at[last] - at[first])

    if part in ("collar", "clavicle"):
        return between("neck", f"{side}_shoulder", 0.3 if part == "collar" else 0.0)
    if part.startswith(("hand", "thumb", "wrist")):
        return between(f"{side}_elbow", f"{side}_wrist", 1.3)
    if part.startswith("toe"):
        return between(f"{side}_ankle", f"{side}_foot", 1.2)
    if name == "head":
        return between("neck", "head_top", 0.35 if skeleton == "smpl24" else 0.5)
    order = {"spine": 0.3, "spine1": 0.25, "spine2": 0.55, "spine3": 0.75}
    if skeleton == "h36m32":
        order = {"spine": 0.0, "spine1": 0.5}
    return between("pelvis", "neck", {**order, "spine4": 0.85}[name])


def film(joints, project, size: tuple, seed: int) -> np.ndarray:
    """Renders a person: uint8 RGB `[T, H, W, 3]`.

    Args:
        joints: `[T, 17, 3]`, mm, camera frame, absolute.
        project: from `[..., 3]` to pixels `[..., 2]`.
        size: (width, height).
        seed: of the scene.
    """
    rng = np.random.default_rng(seed)
    look = domain.sample(domain.STUDIO, rng)
    colors = np.repeat(look.colors.mean(-1, keepdims=True), 3, axis=-1)
    gray = {
        name: np.repeat(getattr(look, name).mean(), 3) for name in ("wall", "floor")
    }
    depth = float(joints[:, 0, 2].mean())
    look = dataclasses.replace(
        look, colors=colors, distance=depth, clutter=0, noise=0.0, blur=0.0, **gray
    )
    surface = mesh.vertices(joints.astype(np.float32), np.ones(len(joints)))
    width, height = size
    side = max(size)
    margin = np.array([side - width, side - height]) // 2
    images = render.scene(
        surface - np.float32([0, 0, depth]),
        (project(surface.astype(np.float64)) + margin).astype(np.float32),
        look,
        side,
        rng,
    )
    x, y = margin
    images = np.ascontiguousarray(images[:, y : y + height, x : x + width])
    radius = project(joints[:, 0] + [55.0, 0, 0]) - project(joints[:, 0])
    radius = max(2, round(float(radius[:, 0].mean())))
    for name, color in (("left_wrist", RED), ("right_wrist", BLUE)):
        points = project(joints[:, SKELETON.index(name)])
        for image, point in zip(images, np.round(16 * points).astype(int).tolist()):
            cv2.circle(image, point, 16 * radius, color, -1, cv2.LINE_AA, 4)
    return images


def disc(image: np.ndarray, color: tuple) -> np.ndarray | None:
    """Where a picture shows a wrist's disc: `[x, y]`, or None."""
    values = image.astype(int)
    rest = [c for c in range(3) if color[c] == 0]
    pure = values[..., color.index(255)] - values[..., rest].max(-1)
    y, x = np.nonzero(pure > 120)
    return np.array([x.mean(), y.mean()]) if len(x) > 3 else None


def write_video(path: pathlib.Path, images: np.ndarray, fps: float) -> None:
    """Writes an mp4 or avi."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = cv2.VideoWriter_fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), code, fps, images.shape[2:0:-1])
    assert writer.isOpened()
    for image in images:
        writer.write(np.ascontiguousarray(image[..., ::-1]))
    writer.release()


def write_image(path: pathlib.Path, image: np.ndarray) -> None:
    """Writes a jpg."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 95))


def towards(joints: np.ndarray, distance: float) -> np.ndarray:
    """From a y-up world to a level camera that far away, x right and y down."""
    return joints * [1.0, -1.0, -1.0] + [0.0, 0.0, distance]
