"""State and portable weights: what is saved comes back, and nothing else does."""

import errno
import json
import os

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.training import checkpoint


class Block(tf.keras.layers.Layer):
    """A composite layer, whose `weights` Keras reorders when a part is frozen."""

    def __init__(self):
        super().__init__()
        self.first = tf.keras.layers.Dense(16)
        self.norm = tf.keras.layers.BatchNormalization()
        self.second = tf.keras.layers.Dense(16)

    def call(self, x, training=None):
        return self.second(self.norm(self.first(x), training=training))


class Net(tf.keras.Model):
    def __init__(self, units=16):
        super().__init__()
        self.block = Block()
        self.trunk = tf.keras.Sequential([tf.keras.layers.Dense(16, name="inner")])
        self.head = tf.keras.layers.Dense(units)

    def call(self, x, training=None):
        return self.head(self.trunk(self.block(x, training=training)))


def _net(seed=0, **kwargs):
    tf.keras.utils.set_random_seed(seed)
    net = Net(**kwargs)
    net(tf.ones([1, 16]))
    return net


def test_weights_come_back_exactly_as_float32(tmp_path):
    net, other = _net(1), _net(2)
    checkpoint.save_weights(tmp_path / "w.npz", net, dtype="float32", meta={"a": [1]})
    meta = checkpoint.load_weights(tmp_path / "w.npz", other)
    for ours, theirs in zip(net.weights, other.weights):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    assert meta["a"] == [1]
    assert meta["weights_hash"] == checkpoint.weights_hash(other)
    assert checkpoint.weights_hash(net) == checkpoint.weights_hash(other)


def test_names_depend_neither_on_the_process_nor_on_frozen_layers():
    net, other = _net(1), _net(1)
    before = checkpoint.weights_hash(net)
    net.block.first.trainable = False
    assert checkpoint.weights_hash(net) == before
    assert set(checkpoint.named_weights(net)) == set(checkpoint.named_weights(other))
    assert checkpoint.named_weights(net)["block/first/kernel"] is net.block.first.kernel


def test_a_frozen_model_loads_the_weights_of_a_trainable_one(tmp_path):
    net, other = _net(1), _net(2)
    checkpoint.save_weights(tmp_path / "w.npz", net, dtype="float32")
    other.block.first.trainable = False
    checkpoint.load_weights(tmp_path / "w.npz", other)
    np.testing.assert_array_equal(
        other.block.first.kernel.numpy(), net.block.first.kernel.numpy()
    )
    np.testing.assert_array_equal(
        other.block.second.kernel.numpy(), net.block.second.kernel.numpy()
    )


def test_every_weight_of_a_nested_functional_model_is_named():
    class Wrapped(tf.keras.Model):
        def __init__(self):
            super().__init__()
            inputs = tf.keras.Input([16])
            outputs = tf.keras.layers.Dense(4, name="a")(inputs)
            outputs = tf.keras.layers.Dense(4, name="b")(outputs)
            self.backbone = tf.keras.Model(inputs, outputs)

        def call(self, x):
            return self.backbone(x)

    net = Wrapped()
    net(tf.ones([1, 16]))
    assert len(checkpoint.named_weights(net)) == 4


def test_float16_costs_less_than_a_thousandth_and_half_the_bytes(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"k": rng.normal(size=(200, 100)), "b": rng.normal(size=100)}
    for dtype in ("float16", "float32"):
        checkpoint.write_arrays(tmp_path / f"{dtype}.npz", arrays, dtype=dtype)
    half, _ = checkpoint.read_arrays(tmp_path / "float16.npz")
    assert half["k"].dtype == np.float32
    np.testing.assert_array_equal(half["b"], arrays["b"].astype(np.float32))
    error = np.linalg.norm(half["k"] - arrays["k"]) / np.linalg.norm(arrays["k"])
    assert 0 < error < 1e-3
    sizes = [(tmp_path / f"{d}.npz").stat().st_size for d in ("float16", "float32")]
    assert sizes[0] < 0.6 * sizes[1]


@pytest.mark.parametrize("scale", [1e6, 1e-9], ids=["overflows", "vanishes"])
def test_what_float16_cannot_hold_stays_float32(tmp_path, scale):
    array = scale * np.random.default_rng(0).normal(size=(20, 20))
    checkpoint.write_arrays(tmp_path / "a.npz", {"k": array})
    np.testing.assert_array_equal(
        checkpoint.read_arrays(tmp_path / "a.npz")[0]["k"], array.astype(np.float32)
    )


def test_stored_hash_is_that_of_the_weights_after_loading(tmp_path):
    checkpoint.save_weights(tmp_path / "w.npz", _net(1), dtype="float16")
    other = _net(2)
    meta = checkpoint.load_weights(tmp_path / "w.npz", other)
    assert checkpoint.weights_hash(other) == meta["weights_hash"]


@pytest.mark.parametrize(
    ("units", "text"), [(8, r"head/bias: got \(16,\), expected \(8,\)")]
)
def test_wrong_shape_is_named_and_nothing_is_assigned(tmp_path, units, text):
    checkpoint.save_weights(tmp_path / "w.npz", _net(1))
    other = _net(2, units=units)
    before = checkpoint.weights_hash(other)
    with pytest.raises(errors.InputError, match=text):
        checkpoint.load_weights(tmp_path / "w.npz", other)
    assert checkpoint.weights_hash(other) == before


def test_missing_and_extra_weights_are_named(tmp_path):
    net = _net(1)
    arrays = {n: v.numpy() for n, v in checkpoint.named_weights(net).items()}
    checkpoint.write_arrays(tmp_path / "extra.npz", {**arrays, "more": np.ones(2)})
    with pytest.raises(errors.InputError, match=r"no place for 1 .*\(more"):
        checkpoint.load_weights(tmp_path / "extra.npz", net)
    del arrays["head/bias"]
    checkpoint.write_arrays(tmp_path / "few.npz", arrays)
    with pytest.raises(errors.InputError, match=r"lacks 1 .*\(head/bias"):
        checkpoint.load_weights(tmp_path / "few.npz", net)


def test_bad_files_are_input_errors(tmp_path):
    with pytest.raises(errors.InputError, match="no such weights file"):
        checkpoint.read_arrays(tmp_path / "none.npz")
    path = tmp_path / "w.npz"
    checkpoint.save_weights(path, _net(1))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(errors.InputError, match="damaged"):
        checkpoint.read_arrays(path)
    np.savez(path, k=np.ones(3))
    with pytest.raises(errors.InputError, match="not a weights file"):
        checkpoint.read_arrays(path)
    meta = np.frombuffer(json.dumps({"weights_hash": "0"}).encode(), np.uint8)
    np.savez(path, k=np.ones(3), **{"meta.json": meta})
    with pytest.raises(errors.InputError, match="hash differs"):
        checkpoint.read_arrays(path)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "w.npz"
    checkpoint.write_arrays(path, {"k": np.ones(3)})
    with pytest.raises(TypeError):
        checkpoint.write_arrays(path, {"k": np.zeros(3)}, meta={"bad": object()})
    assert [p.name for p in tmp_path.iterdir()] == ["w.npz"]
    np.testing.assert_array_equal(checkpoint.read_arrays(path)[0]["k"], np.ones(3))


def test_unbuilt_model_and_unknown_dtype_are_our_own_errors(tmp_path):
    with pytest.raises(ValueError, match="build it"):
        checkpoint.named_weights(Net())
    with pytest.raises(ValueError, match="bfloat16"):
        checkpoint.write_arrays(tmp_path / "w.npz", {}, dtype="bfloat16")


def test_state_comes_back_with_its_optimizer(tmp_path):
    def make(seed):
        net = _net(seed)
        optimizer = tf.keras.optimizers.Adam(0.1)
        optimizer.build(net.trainable_variables)
        return net, optimizer, {"net": net, "optimizer": optimizer}

    net, optimizer, tracked = make(1)
    optimizer.apply_gradients([(tf.ones_like(v), v) for v in net.trainable_variables])
    assert not checkpoint.State(tmp_path, tracked).restore()
    checkpoint.State(tmp_path, tracked).save(1)
    other, theirs, tracked = make(2)
    assert checkpoint.State(tmp_path, tracked).restore()
    assert checkpoint.weights_hash(net) == checkpoint.weights_hash(other)
    for ours, loaded in zip(optimizer.variables, theirs.variables):
        np.testing.assert_array_equal(ours.numpy(), loaded.numpy())


def test_state_that_does_not_fit_is_an_input_error(tmp_path):
    first, second = tf.Variable(1.0), tf.Variable([1.0, 2.0])
    checkpoint.State(tmp_path, {"a": first, "b": second}).save(1)
    for tracked in (
        {"a": first},  # not consumed
        {"a": first, "b": second, "c": tf.Variable(0.0)},  # not matched
        {"a": first, "b": tf.Variable(0.0)},  # another shape
    ):
        with pytest.raises(errors.InputError, match="does not fit"):
            checkpoint.State(tmp_path, tracked).restore()


def _saved(folder, steps=(1, 2)):
    """States whose variable holds their step."""
    value = tf.Variable(tf.zeros([64]))
    state = checkpoint.State(folder, {"value": value})
    for step in steps:
        value.assign(tf.fill([64], float(step)))
        state.save(step)
    return value


@pytest.mark.parametrize(
    ("ending", "damage"),
    [
        ("data-00000-of-00001", lambda path: path.write_bytes(path.read_bytes()[:40])),
        ("data-00000-of-00001", lambda path: path.write_bytes(b"")),
        ("data-00000-of-00001", lambda path: path.unlink()),
        ("index", lambda path: path.write_bytes(b"")),
        ("index", lambda path: path.write_bytes(path.read_bytes()[:30])),
        ("index", lambda path: path.write_bytes(b"garbage" * 100)),
        ("index", lambda path: path.unlink()),
    ],
)
def test_a_torn_state_is_told_and_the_one_before_it_is_taken(
    tmp_path, capsys, ending, damage
):
    value = _saved(tmp_path)
    damage(tmp_path / f"ckpt-2.{ending}")
    value.assign(tf.zeros([64]))
    state = checkpoint.State(tmp_path, {"value": value})
    assert state.restore() and value.numpy().tolist() == [1.0] * 64
    assert "ckpt-2 is damaged; going on from ckpt-1" in capsys.readouterr().out
    value.assign(tf.fill([64], 2.0))
    state.save(2)  # the run goes on over the torn one
    value.assign(tf.zeros([64]))
    assert checkpoint.State(tmp_path, {"value": value}).restore()
    assert value.numpy().tolist() == [2.0] * 64


def test_a_flipped_bit_of_a_state_is_seen(tmp_path):
    value = _saved(tmp_path)
    path = tmp_path / "ckpt-2.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[data.index(np.float32(2).tobytes()) + 2] ^= 1
    path.write_bytes(data)
    assert checkpoint.State(tmp_path, {"value": value}).restore()
    assert value.numpy().tolist() == [1.0] * 64


@pytest.mark.parametrize("text", [None, b"", b"model_check", b"\xff\xfe\x00garbage"])
def test_a_damaged_list_of_states_is_written_anew(tmp_path, text):
    value = _saved(tmp_path)
    path = tmp_path / "checkpoint"
    path.unlink() if text is None else path.write_bytes(text)
    value.assign(tf.zeros([64]))
    assert checkpoint.State(tmp_path, {"value": value}).restore()
    assert value.numpy().tolist() == [2.0] * 64


def test_damaged_states_alone_never_start_a_run_over(tmp_path):
    value = _saved(tmp_path)
    for path in tmp_path.glob("ckpt-*.index"):
        path.write_bytes(b"")
    with pytest.raises(errors.InputError, match="damaged, as all 2 states"):
        checkpoint.State(tmp_path, {"value": value}).restore()


@pytest.mark.parametrize("left", ["data-00000-of-00001", "index.tempstate17"])
def test_a_first_save_that_was_killed_left_no_state(tmp_path, left):
    value = _saved(tmp_path / "whole", steps=(1,))
    (tmp_path / "killed").mkdir()
    data = (tmp_path / "whole/ckpt-1.data-00000-of-00001").read_bytes()
    (tmp_path / f"killed/ckpt-1.{left}").write_bytes(data)
    state = checkpoint.State(tmp_path / "killed", {"value": value})
    assert not state.restore()
    state.save(1)
    assert checkpoint.State(tmp_path / "killed", {"value": value}).restore()


def test_a_variable_that_is_not_finite_is_named(tmp_path):
    value = tf.Variable([1.0, 2.0], name="weights")
    state = checkpoint.State(tmp_path, {"value": value})
    assert state.non_finite() == ""
    value.assign([1.0, np.nan])
    assert "weights" in state.non_finite()


def test_an_archive_that_claims_terabytes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "w.npz"
    np.savez_compressed(path, a=np.zeros(1 << 25))  # 256 MiB in some 260 kB
    with pytest.raises(errors.InputError, match="damaged"):
        checkpoint.read_arrays(path)


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (tf.errors.ResourceExhaustedError(None, None, "full"), errno.ENOSPC),
        (tf.errors.PermissionDeniedError(None, None, "closed"), errno.EACCES),
        (tf.errors.UnknownError(None, None, "x; No space left on device"), 28),
    ],
)
def test_a_save_that_the_machine_refuses_leaves_the_state_before_it(
    tmp_path, monkeypatch, error, number
):
    variable = _saved(tmp_path)
    state = checkpoint.State(tmp_path, {"value": variable})

    def refused(*args, **kwargs):
        (tmp_path / "ckpt-3_temp").mkdir()
        (tmp_path / "ckpt-3_temp" / "part-00000-of-00001.index").write_text("half")
        raise error

    monkeypatch.setattr(tf.train.CheckpointManager, "save", refused)
    with pytest.raises(OSError, match=os.strerror(number)) as found:
        state.save(3)
    assert found.value.errno == number and found.value.filename == str(tmp_path)
    assert not list(tmp_path.glob("*temp*"))
    variable.assign(tf.zeros([64]))
    assert checkpoint.State(tmp_path, {"value": variable}).restore()
    assert (variable.numpy() == 2.0).all()


def test_what_a_killed_save_left_is_removed_at_the_next_start(tmp_path):
    variable = _saved(tmp_path)
    kept = {path.name for path in tmp_path.iterdir()}
    (tmp_path / "ckpt-9_temp").mkdir()
    (tmp_path / "ckpt-9_temp" / "part").write_text("half")
    (tmp_path / "ckpt-9.data-00000-of-00001.tempstate123").write_text("half")
    (tmp_path / "checkpoint.tmp0123").write_text("half")
    state = checkpoint.State(tmp_path, {"value": variable})
    assert {path.name for path in tmp_path.iterdir()} == kept
    assert state.restore()


def test_weights_that_are_not_finite_are_named(tmp_path):
    path = tmp_path / "w.npz"
    checkpoint.write_arrays(path, {"kernel": np.array([1.0, np.nan])})
    with pytest.raises(errors.InputError, match=r"w\.npz: kernel is not finite"):
        checkpoint.read_arrays(path)


@pytest.mark.parametrize(
    "meta", [{}, {"weights_hash": 3}, {"weights_hash": "0", "trained_on": ["x"]}]
)
def test_an_entry_of_weights_that_is_another_is_named(tmp_path, meta):
    path = tmp_path / "w.npz"
    text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(path, **{"meta.json": text})
    with pytest.raises(errors.InputError, match=r"weights_hash|trained_on"):
        checkpoint.read_meta(path)
