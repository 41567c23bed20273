"""Numbers of a run: their precision, and that they are the same each time."""

from __future__ import annotations

import pathlib
import zlib

import tensorflow as tf

from sa3dhp import errors

POLICIES = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
_FAST_BFLOAT16 = ("avx512_bf16", "amx_bf16")  # CPU flags, as in /proc/cpuinfo


def set_policy(name: str = "auto", cpuinfo: str = "/proc/cpuinfo") -> str:
    """Sets the global Keras policy and returns its name; see `policy`."""
    name = policy(name, cpuinfo)
    tf.keras.mixed_precision.set_global_policy(name)
    return name


def policy(name: str = "auto", cpuinfo: str = "/proc/cpuinfo") -> str:
    """Returns the name of a Keras policy (design 7).

    `auto` is float16 with loss scaling on a GPU, bfloat16 on a CPU that computes in it
    and float32 elsewhere. Weights stay float32 under each policy; losses, kinematics
    and the last layer of each network compute in float32.

    Args:
        name: one of `POLICIES`.
        cpuinfo: the file that lists the CPU's flags; absent means none.

    Raises:
        InputError: if `name` is none of `POLICIES`.
    """
    if name not in POLICIES:
        expected = ", ".join(POLICIES)
        raise errors.InputError(f"precision: got {name!r}, expected one of {expected}")
    return _best(cpuinfo) if name == "auto" else name


def set_seed(seed: int, use: str) -> None:
    """Makes what is built next a function of (seed, use), whatever was built before.

    On a CPU also to the last bit. On a GPU the gradient through a frozen batch norm has
    no deterministic kernel in this TensorFlow, so that runs agree to rounding there.
    """
    tf.keras.utils.set_random_seed(zlib.crc32(f"{seed} {use}".encode()))
    if not tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()
        # It orders sums by what the process traced before: a resumed run would differ
        # in the last bits.
        options = {"arithmetic_optimization": False}
        tf.config.optimizer.set_experimental_options(options)


def _best(cpuinfo: str) -> str:
    if tf.config.list_physical_devices("GPU"):
        return "mixed_float16"
    path = pathlib.Path(cpuinfo)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    flags = next((x for x in text.splitlines() if x.startswith("flags")), "").split()
    return "mixed_bfloat16" if set(flags) & set(_FAST_BFLOAT16) else "float32"
