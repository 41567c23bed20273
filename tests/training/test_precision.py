"""Precision policies."""

import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.training import precision


@pytest.fixture(autouse=True)
def _restore_policy():
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize("name", precision.POLICIES[1:])
def test_named_policy_is_set_and_weights_stay_float32(name):
    assert precision.set_policy(name) == name
    layer = tf.keras.layers.Dense(3)
    output = layer(tf.ones([2, 4]))
    assert layer.kernel.dtype == tf.float32
    assert output.dtype == tf.keras.mixed_precision.global_policy().compute_dtype


@pytest.mark.parametrize(
    ("flags", "policy"),
    [
        ("fpu avx2 avx512_bf16", "mixed_bfloat16"),
        ("fpu amx_bf16 amx_tile", "mixed_bfloat16"),
        ("fpu avx2 avx512f", "float32"),
    ],
)
def test_auto_on_a_cpu_follows_its_flags(tmp_path, flags, policy):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n")
    assert precision.set_policy("auto", str(tmp_path / "cpuinfo")) == policy


def test_auto_without_cpu_flags_is_float32(tmp_path):
    assert precision.set_policy("auto", str(tmp_path / "none")) == "float32"


def test_auto_on_a_gpu_is_float16(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    assert precision.set_policy("auto") == "mixed_float16"


def test_unknown_policy_is_an_input_error():
    with pytest.raises(errors.InputError, match=r"got 'float64', expected one of auto"):
        precision.set_policy("float64")
