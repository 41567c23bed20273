"""Drawn videos of a red figure, a detector of what is red, and a still model."""

import cv2
import numpy as np

from sa3dhp.skeleton import skeleton as skeletons

SIZE = (160, 120)
SKELETON = skeletons.SA3DHP17


def frame(k, *others, size=SIZE):
    """RGB: a grey room and a figure of 20 x 50 at x = 40 + k / 2; others stand."""
    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    for x in (40 + k // 2, *others):
        picture[35:85, x - 10 : x + 10] = (220, 30, 30)
        picture[85 + k % 5, x - 10 : x + 10] = (220, 30, 30)  # he moves
    return picture


def write(path, count=60, fps=30.0, others=(), size=SIZE):
    """Writes `count` frames as an mp4 file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), code, fps, size)
    for k in range(count):
        picture = frame(k, *others, size=size)
        writer.write(np.ascontiguousarray(picture[..., ::-1]))
    writer.release()


def detect(frames):
    """A detector, see `detection.Detector`: a box for each red figure."""
    found = []
    for picture in frames.astype(int):
        red = (picture[..., 0] > 150) & (picture[..., 1] < 90)
        stats = cv2.connectedComponentsWithStats(red.astype(np.uint8))[2][1:]
        boxes = [[x, y, x + w, y + h, 0.9] for x, y, w, h, area in stats if area > 200]
        found.append(np.array(boxes, np.float32).reshape(-1, 5))
    return found


class Model:
    """Every pose is the same but for its size, the mean red of the crop in mm."""

    skeleton = SKELETON

    def __init__(self):
        """Counts the pictures it is asked about."""
        self.batches = []
        self.description = {"image_size": 32, "image_encoder_hash": "abc"}
        rng = np.random.default_rng(0)
        self.pose = rng.normal(size=(SKELETON.num_joints, 3)).astype(np.float32)
        self.pose[0] = 0

    def predict(self, images):
        """From `[N, S, S, 3]` to `[N, J, 3]`."""
        self.batches.append(len(images))
        size = images[..., 0].mean(axis=(1, 2), dtype=np.float32)
        return self.pose * size[:, None, None]


def show_at(path, durations):
    """Gives the frames of an mp4 file durations of their own, in seconds.

    As a phone does it: the table of times (`stts`) gets a row per frame. The file's
    last part holds it, so that the sizes of the parts around it are all that changes.
    """
    data = bytearray(path.read_bytes())
    scale = int.from_bytes(data[(at := data.index(b"mdhd")) + 16 : at + 20], "big")
    start = data.index(b"stts") - 4
    old = int.from_bytes(data[start : start + 4], "big")
    ticks = [round(scale * seconds) for seconds in durations]
    rows = b"".join(b"\0\0\0\1" + t.to_bytes(4, "big") for t in ticks)
    body = b"stts" + bytes(4) + len(ticks).to_bytes(4, "big") + rows
    new = (len(body) + 4).to_bytes(4, "big") + body
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        at = data.index(name) - 4
        size = int.from_bytes(data[at : at + 4], "big") + len(new) - old
        data[at : at + 4] = size.to_bytes(4, "big")
    data[start : start + old] = new
    if (at := data.find(b"edts")) >= 0:  # which says how long it was before
        data[at : at + 4] = b"free"
    path.write_bytes(data)


def make_pixels_wide(path):
    """Says that the pixels of an mp4 file of `mp4v` are 16:11, as on wide DVDs."""
    data = bytearray(path.read_bytes())
    at = 0
    while (at := data.find(b"\0\0\1\x20", at)) >= 0:  # each header of the stream
        bits = int.from_bytes(data[at + 4 : at + 8], "big")
        shift = 32 - 17 - 4  # after 17 bits the code of the shape, 4 bits
        bits = bits & ~(15 << shift) | 4 << shift
        data[at + 4 : at + 8] = bits.to_bytes(4, "big")
        at += 4
    path.write_bytes(data)
