"""ONNX files, written field by field: networks small enough to know what they say."""

import numpy as np

CELLS = 20  # the network's picture is 20 x 20 cells of 32 pixels


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def _field(number: int, value) -> bytes:
    """One protobuf field: an int, or something with a length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    value = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _tensor(name: str, array: np.ndarray) -> bytes:
    kind = 7 if array.dtype == np.int64 else 1
    dims = b"".join(_field(1, size) for size in array.shape)
    return dims + _field(2, kind) + _field(8, name) + _field(9, array.tobytes())


def node(op: str, inputs: list, output: str, **attributes) -> bytes:
    """One operation of a graph."""
    out = b"".join(_field(1, name) for name in inputs) + _field(2, output)
    out += _field(4, op)
    for name, value in attributes.items():
        if isinstance(value, list):
            body = b"".join(_field(8, item) for item in value) + _field(20, 7)
        else:
            body = _field(3, value) + _field(20, 2)
        out += _field(5, _field(1, name) + body)
    return out


def _value_info(name: str, shape: tuple) -> bytes:
    dims = b"".join(_field(1, _field(1, size)) for size in shape)
    kind = _field(1, _field(1, 1) + _field(2, dims))
    return _field(1, name) + _field(2, kind)


def model(nodes, tensors, output_shape) -> bytes:
    """A whole file, which takes `image` and gives `out`."""
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "g")
    graph += b"".join(_field(5, _tensor(*item)) for item in tensors.items())
    graph += _field(11, _value_info("image", (1, 3, 640, 640)))
    graph += _field(12, _value_info("out", output_shape))
    return _field(1, 7) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 12))


def brightness_network(path, layout: str) -> None:
    """An ONNX file that finds bright cells: score = mean red of the cell.

    Cells of the right half of the picture are called class 1, not a person.
    """
    y, x = (v.ravel() * 32.0 for v in np.mgrid[:CELLS, :CELLS])
    other = (x >= 320).astype(np.float32)
    weight = np.zeros((1, 3, 32, 32), np.float32)
    weight[:, 0] = 1 / 1024
    conv = node("Conv", ["image", "w"], "map", strides=[32, 32], kernel_shape=[32, 32])
    n = CELLS * CELLS
    if layout == "rows":
        boxes = np.stack([x, y, x + 32, y + 32], axis=-1)[None]
        tensors = {"shape": np.array([1, n, 1]), "cls": other[None, :, None]}
        last = node("Concat", ["box", "score", "cls"], "out", axis=2)
        middle, shape = [], (1, n, 6)
    else:
        boxes = np.stack([x + 16, y + 16, 0 * x + 32, 0 * y + 32])[None]
        masks = {"m0": (1 - other)[None, None], "m1": other[None, None]}
        tensors = {"shape": np.array([1, 1, n]), **masks}
        middle = [node("Mul", ["score", f"m{k}"], f"s{k}") for k in range(2)]
        last = node("Concat", ["box", "s0", "s1"], "out", axis=1)
        shape = (1, 6, n)
    tensors |= {"w": weight, "box": boxes.astype(np.float32)}
    nodes = [conv, node("Reshape", ["map", "shape"], "score"), *middle, last]
    path.write_bytes(model(nodes, tensors, shape))
