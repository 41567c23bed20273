"""A published teacher: the frozen TensorFlow-1 graph of an OpenPose on COCO.

Such files (`graph_opt.pb`) come with public ports of Cao et al. [K]. They are cut where
all stages read the same features: before is E, after it F. Where batch norm was frozen
as in training, each picture is normalised by itself, as in a batch of one. Of 57
answers, 19 heat maps and 38 fields, F gives those that have a place in our skeleton, in
the order of `maps.COCO`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import backbone
from sa3dhp.systems.multi_person import maps

_IMAGE, _ANSWERS = "image", "Openpose/concat_stage7"
_STRIDE = 8  # pixels to a cell
_SIDE = _STRIDE * maps.COCO.cells
# Heat maps by COCO's parts, and where the two channels of a limb are among the 38.
_PARTS = {
    "neck": 1, "right_shoulder": 2, "right_elbow": 3, "right_wrist": 4,
    "left_shoulder": 5, "left_elbow": 6, "left_wrist": 7, "right_hip": 8,
    "right_knee": 9, "right_ankle": 10, "left_hip": 11, "left_knee": 12,
    "left_ankle": 13,
}  # fmt: skip
_FIELDS = {
    ("neck", "right_hip"): 0, ("right_hip", "right_knee"): 2,
    ("right_knee", "right_ankle"): 4, ("neck", "left_hip"): 6,
    ("left_hip", "left_knee"): 8, ("left_knee", "left_ankle"): 10,
    ("neck", "right_shoulder"): 12, ("right_shoulder", "right_elbow"): 14,
    ("right_elbow", "right_wrist"): 16, ("neck", "left_shoulder"): 20,
    ("left_shoulder", "left_elbow"): 22, ("left_elbow", "left_wrist"): 24,
}  # fmt: skip
_NUM_HEATS = 19
# Operations by their older names, and those whose second input is kept.
_SAME = {"AddV2": "Add"} | {
    f"FusedBatchNorm{v}": "FusedBatchNorm" for v in ("V2", "V3")
}
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
_WEIGHTED = (*_CONVOLUTIONS, "Add", "BiasAdd", "Mul", "RealDiv", "Sub")
_CHANNELS = [
    *(_PARTS[name] for name in maps.COCO.joints),
    *(_NUM_HEATS + _FIELDS[limb] + axis for limb in maps.COCO.limbs for axis in (0, 1)),
]


class Graph:
    """A frozen graph, read.

    Attributes:
        nodes: by name: `op`, `inputs`, `weights` (names) and attributes, plain values.
        weights: arrays by name, float32.
        features: name of the node that all stages read.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        """Reads a file.

        Raises:
            InputError: if it cannot be read, lacks E's or F's end, or has an operation
                that is not among those of such graphs.
        """
        definition = tf.compat.v1.GraphDef()
        try:
            with open(path, "rb") as file:
                definition.ParseFromString(file.read())
            with tf.Graph().as_default():  # for what TensorFlow says of it
                tf.import_graph_def(definition, name="")
        except Exception as error:  # a file of any kind: protobuf has no one error
            raise errors.InputError(
                f"{path}: cannot be read as a frozen graph ({error}); expected a "
                "graph_opt.pb, as public ports of OpenPose have"
            ) from error
        known = {node.name: node for node in definition.node}
        for name in (_IMAGE, _ANSWERS):
            if name not in known:
                raise errors.InputError(
                    f"{path}: has no node {name}, expected an OpenPose of COCO with "
                    f"{_IMAGE} and {_ANSWERS}"
                )
        self._constants = {
            name: tf.make_ndarray(node.attr["value"].tensor)
            for name, node in known.items()
            if node.op == "Const"
        }
        self.weights: dict[str, np.ndarray] = {}
        self.nodes: dict[str, dict[str, Any]] = {}
        for name, node in known.items():
            if node.op not in ("Const", "Placeholder", "Shape", "StridedSlice"):
                self.nodes[name] = self._read(path, node, known)
        self._path, self.features = path, self._shared(path)

    def part(self, start: str, end: str) -> dict[str, Any]:
        """Returns what leads from one node to another: plain values, see `Part`."""
        order: list[str] = []
        waiting = [end]
        while waiting:
            name = waiting.pop()
            if name not in self.nodes:
                raise errors.InputError(
                    f"{self._path}: node {name} leads to {end} past {start}, expected "
                    "all of it through there, as in an OpenPose"
                )
            inputs = [x for x in self.nodes[name]["inputs"] if x != start]
            left = [x for x in inputs if x not in order]
            if left:
                waiting += [name, *left]
            elif name not in order:
                order.append(name)
        nodes = [{"name": name, **self.nodes[name]} for name in order]
        shapes = {x: self.weights[x].shape for node in nodes for x in node["weights"]}
        return {
            "start": start,
            "end": end,
            "nodes": nodes,
            "shapes": {name: list(map(int, shape)) for name, shape in shapes.items()},
        }

    def _shared(self, path: str | os.PathLike) -> str:
        """What goes into each stage after the first, beside two answers."""
        joined = [
            set(x["inputs"]) for x in self.nodes.values() if x["op"] == "ConcatV2"
        ]
        stages = [x for x in joined if len(x) == 3]
        shared = set.intersection(*stages) if stages else set()
        if len(shared) != 1:
            raise errors.InputError(
                f"{path}: {len(shared)} nodes go into all of {len(stages)} stages, "
                "expected one, the features, beside the answers of the stage before"
            )
        return shared.pop()

    def _read(
        self, path: str | os.PathLike, node: Any, known: Mapping[str, Any]
    ) -> dict[str, Any]:
        op = _SAME.get(node.op, node.op)
        inputs = [name.split(":")[0] for name in node.input]
        held = [name for name in inputs if name in self._constants]
        told: dict[str, Any] = {"op": op, "weights": []}
        told["inputs"] = [name for name in inputs if name not in held]
        for key in ("strides", "ksize"):
            if key in node.attr:
                told[key] = list(node.attr[key].list.i)
        if "padding" in node.attr:
            told["padding"] = node.attr["padding"].s.decode()
        if op == "FusedBatchNorm":
            told |= self._norm(node, held)
        elif op == "ResizeBilinear":  # to the size of another: Shape, StridedSlice
            told["inputs"][1] = known[known[inputs[1]].input[0]].input[0]
            told["align_corners"] = bool(node.attr["align_corners"].b)
        elif op in _WEIGHTED:
            told["weights"] = [self._keep(x, self._constants[x]) for x in held]
        elif op not in ("ConcatV2", "Identity", "MaxPool", "Relu", "Relu6"):
            raise errors.InputError(
                f"{path}: node {node.name} is a {node.op}, expected convolutions, "
                "batch norm, ReLUs, sums and the like; freeze the graph for inference"
            )
        if not _is_plain(node, inputs, held):
            raise errors.InputError(
                f"{path}: node {node.name}, a {node.op}, has another form than those "
                "of OpenPose: expected NHWC, no dilation, and constants last"
            )
        return told

    def _norm(self, node: Any, held: list[str]) -> dict[str, Any]:
        scale, offset, mean, variance = (
            self._constants[x].astype(np.float64) for x in held
        )
        epsilon, own = float(node.attr["epsilon"].f), bool(node.attr["is_training"].b)
        if not own:
            scale = scale / np.sqrt(variance + epsilon)
            offset = offset - mean * scale
        pairs = (("scale", scale), ("offset", offset))
        kept = [self._keep(f"{node.name}/{key}", value) for key, value in pairs]
        return {"epsilon": epsilon, "own": own, "weights": kept}

    def _keep(self, name: str, values: np.ndarray) -> str:
        self.weights[name] = values.astype(np.float32)
        return name


def _is_plain(node: Any, inputs: list[str], held: list[str]) -> bool:
    """Whether a node is of the form that `_answer` takes it for."""
    layout = node.attr["data_format"].s or b"NHWC"
    dilated = any(value != 1 for value in node.attr["dilations"].list.i)
    last = inputs[: len(inputs) - len(held)]
    return layout == b"NHWC" and not dilated and not set(last) & set(held)


class Part(tf.keras.Model):
    """A part of a frozen graph as a network whose weights never train."""

    def __init__(
        self, program: Mapping[str, Any], graph: Graph | None, name: str
    ) -> None:
        """Makes its weights.

        Args:
            program: see `Graph.part`; kept with the weights, as plain values.
            graph: whose weights they get; None for zeros, as others are to be loaded.
            name: of the model.
        """
        super().__init__(name=name, dtype="float32")
        self.program = {**program}
        self._values = {}
        for key, shape in program["shapes"].items():
            start = np.zeros(shape) if graph is None else graph.weights[key]
            self._values[key] = self.add_weight(
                key, shape, initializer=tf.constant_initializer(start), trainable=False
            )
        self.built = True

    def run(self, value: tf.Tensor) -> tf.Tensor:
        """Returns the last node's answer to the first node's."""
        found = {self.program["start"]: value}
        for node in self.program["nodes"]:
            inputs = [found[name] for name in node["inputs"]]
            weights = [self._values[name] for name in node["weights"]]
            found[node["name"]] = _answer(node, inputs, weights)
        return found[self.program["end"]]


class Trunk(Part):
    """E of a frozen graph."""

    def __init__(
        self, program: Mapping[str, Any], graph: Graph | None, image_size: int
    ) -> None:
        """Makes it for pictures of `image_size` pixels; they are brought to 448."""
        super().__init__(program, graph, "E")
        self.image_size = image_size

    @property
    def features(self) -> int:
        """Channels of its answer."""
        return self.run(tf.zeros([1, _SIDE, _SIDE, 3])).shape[-1]

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns v `[B, 56, 56, features]` of RGB in [0, 1]; `training` is nothing."""
        images = backbone.checked(images, self.image_size)
        if self.image_size != _SIDE:
            images = tf.image.resize(images, [_SIDE, _SIDE], antialias=True)
        return self.run(255.0 * images[..., ::-1])


class MapReader(Part):
    """F of a frozen graph.

    Attributes:
        layout: of its maps.
    """

    layout = maps.COCO

    def __init__(self, program: Mapping[str, Any], graph: Graph | None) -> None:
        """Makes it."""
        super().__init__(program, graph, "F")

    def call(self, features: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the maps `[B, 56, 56, 37]`; `training` is nothing."""
        return tf.gather(self.run(features), _CHANNELS, axis=-1)


def read(
    path: str | os.PathLike, image_size: int, features: int | None = None
) -> tuple[Trunk, MapReader]:
    """Returns E and F of a file.

    Args:
        path: of the frozen graph.
        image_size: pixels, of the pictures that E sees.
        features: channels that E is expected to answer with.

    Raises:
        InputError: if E has others; see `Graph`.
    """
    graph = Graph(path)
    trunk = Trunk(graph.part(_IMAGE, graph.features), graph, image_size)
    if features is not None and trunk.features != features:
        raise errors.InputError(
            f"teacher.features: got {features}, expected {trunk.features}, as many as "
            f"{path} has"
        )
    return trunk, MapReader(graph.part(graph.features, _ANSWERS), graph)


def of_programs(
    programs: Sequence[Mapping[str, Any]], image_size: int
) -> tuple[Trunk, MapReader]:
    """Returns E and F whose weights are zeros, as others are about to be loaded.

    Args:
        programs: theirs, see `Graph.part`.
        image_size: pixels, of the pictures that E sees.
    """
    first, second = programs
    return Trunk(first, None, image_size), MapReader(second, None)


def _answer(node: Mapping[str, Any], inputs: list, weights: list) -> tf.Tensor:
    """What a node makes of its inputs."""
    op, x = node["op"], inputs[0]
    if op == "FusedBatchNorm":
        if node["own"]:  # frozen as in training: statistics of the picture
            scale, offset = weights
            mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
            # Written out, oneDNN takes it for its own norm with constants, and dies.
            return tf.nn.batch_normalization(
                x, mean, variance, offset, scale, node["epsilon"]
            )
        return x * weights[0] + weights[1]
    if op == "ResizeBilinear":
        return tf.raw_ops.ResizeBilinear(
            images=x,
            size=tf.shape(inputs[1])[1:3],
            align_corners=node["align_corners"],
        )
    if op in _CONVOLUTIONS:
        convolve = tf.nn.conv2d if op == "Conv2D" else tf.nn.depthwise_conv2d
        return convolve(x, weights[0], node["strides"], node["padding"])
    if op == "MaxPool":
        return tf.nn.max_pool2d(x, node["ksize"], node["strides"], node["padding"])
    if op == "ConcatV2":
        return tf.concat(inputs, axis=-1)
    return _SIMPLE[op](*inputs, *weights)


_SIMPLE: Mapping[str, Callable[..., tf.Tensor]] = {
    "Add": lambda a, b: a + b,
    "BiasAdd": lambda x, bias: x + bias,
    "Identity": lambda x: x,
    "Mul": lambda x, factor: x * factor,
    "RealDiv": lambda x, divisor: x / divisor,
    "Relu": tf.nn.relu,
    "Relu6": tf.nn.relu6,
    "Sub": lambda x, offset: x - offset,
}
