"""ResNet-50 up to Res-4F: what it expects of pixels, and the files that fill it."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import backbone

SIZE = 32
REAL = "assets/resnet50_imagenet/resnet50_conv1_conv4_f16.npz"


@pytest.fixture(scope="module")
def network() -> tf.keras.Model:
    """From scratch; read only."""
    tf.keras.utils.set_random_seed(0)
    return backbone.resnet50(SIZE, None)


@pytest.fixture(scope="module")
def arrays(network) -> dict:
    """Other values than a new network has, float16 kernels among them; read only."""
    rng = np.random.default_rng(0)
    found = {}
    for layer in network.layers:
        for variable in layer.weights:
            kind = variable.name.split("/")[-1].split(":")[0]
            dtype = np.float16 if kind == "kernel" else np.float32
            value = rng.uniform(0.1, 1.0, variable.shape)
            found[f"{layer.name}/{kind}"] = value.astype(dtype)
    return found


def _images(count: int = 2, size: int = SIZE) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(0, 1, (count, size, size, 3)).astype(np.float32)


@pytest.fixture
def refused(tmp_path, network):
    """Makes sure that a file is refused with a message, and that nothing is filled."""

    def run(arrays: dict, message: str) -> None:
        path = tmp_path / "weights.npz"
        np.savez(path, **arrays)
        before = network.get_weights()
        with pytest.raises(errors.InputError, match=message) as caught:
            backbone.fill(network, path)
        assert str(path) in str(caught.value) and "expected" in str(caught.value)
        for mine, kept in zip(network.get_weights(), before):
            np.testing.assert_array_equal(mine, kept)

    return run


def test_pixels_are_prepared_as_it_was_trained() -> None:
    images = _images()
    expected = tf.keras.applications.resnet50.preprocess_input(255.0 * images)
    np.testing.assert_allclose(backbone.prepared(images), expected, atol=1e-3)


def test_features_are_a_sixteenth_of_the_picture(network) -> None:
    assert network.output_shape == (None, 2, 2, 1024)
    assert network.layers[-1].name == backbone.LAST_LAYER


def test_from_scratch_each_residual_is_silent(network) -> None:
    silent = [x for x in network.layers if x.name.endswith("_3_bn")]
    assert len(silent) == 3 + 4 + 6
    assert not any(layer.gamma.numpy().any() for layer in silent)


def test_too_small_a_picture_is_refused() -> None:
    with pytest.raises(errors.InputError, match="image_size 16"):
        backbone.resnet50(16, None)


def test_an_npz_file_fills_each_layer_by_name(tmp_path, arrays) -> None:
    path = tmp_path / "weights.npz"
    # What lies beyond Res-4F is allowed, whatever it is; the order is none.
    beyond = {"conv5_block1_1_conv/kernel": np.zeros(1), "predictions/bias": np.ones(9)}
    shuffled = dict(reversed(arrays.items()))
    np.savez_compressed(path, **beyond, **shuffled)
    network = backbone.resnet50(SIZE, str(path))
    assert len(arrays) == 258 == len(network.weights)
    assert sum(a.size for a in arrays.values()) == network.count_params()
    for name, array in arrays.items():
        layer, kind = name.split("/")
        variable = getattr(network.get_layer(layer), kind)
        assert variable.dtype == tf.float32
        np.testing.assert_array_equal(variable, array.astype(np.float32), name)


def test_arrays_that_are_missing_are_named(refused, arrays) -> None:
    some = {k: v for k, v in arrays.items() if not k.startswith("conv2_block1_0")}
    message = r"lacks 6 arrays \(conv2_block1_0_bn/beta, .*, \.\.\.\)"
    refused(some, message)


def test_arrays_that_are_unknown_are_named(refused, arrays) -> None:
    extra = {**arrays, "conv6/kernel": np.zeros(1), "meta": np.zeros(1)}
    refused(extra, r"has unknown 2 arrays \(conv6/kernel, meta\)")


def test_arrays_of_another_shape_are_named(refused, arrays) -> None:
    wrong = {**arrays, "conv1_conv/kernel": np.zeros([64, 3, 7, 7], np.float32)}
    message = r"conv1_conv/kernel: got \(64, 3, 7, 7\), expected \(7, 7, 3, 64\)"
    refused(wrong, message)


@pytest.mark.parametrize(
    "value", [np.full(64, np.nan), np.full(64, np.inf, np.float16), np.ones(64, int)]
)
def test_arrays_that_are_no_finite_floats_are_named(refused, arrays, value) -> None:
    refused({**arrays, "conv1_bn/beta": value}, "conv1_bn/beta: got")


@pytest.mark.parametrize("content", [b"not an archive", b"", b"PK\x03\x04 cut short"])
def test_a_damaged_npz_file_is_loud(tmp_path, network, content) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(errors.InputError, match=r"not an \.npz file, or damaged"):
        backbone.fill(network, path)


def test_a_lone_array_is_no_npz_file(tmp_path, network) -> None:
    path = tmp_path / "weights.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(errors.InputError, match=r"not an \.npz file, or damaged"):
        backbone.fill(network, path)


def test_an_h5_file_of_keras_is_loaded(tmp_path) -> None:
    source = tf.keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3)
    )
    path = tmp_path / "notop.h5"
    source.save_weights(str(path))
    for layer in backbone.resnet50(SIZE, str(path)).layers[1:]:  # 0 is the input
        for mine, theirs in zip(layer.weights, source.get_layer(layer.name).weights):
            np.testing.assert_array_equal(mine, theirs)


def test_an_h5_file_of_another_network_is_loud(tmp_path) -> None:
    other = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
    path = tmp_path / "other.h5"
    other.save_weights(str(path))
    with pytest.raises(errors.InputError, match="expected a ResNet-50"):
        backbone.resnet50(SIZE, str(path))


def test_a_file_that_is_no_weights_is_loud(tmp_path) -> None:
    path = tmp_path / "text.h5"
    path.write_text("not a weight file")
    with pytest.raises(errors.InputError, match="expected a ResNet-50"):
        backbone.resnet50(SIZE, str(path))


@pytest.mark.parametrize("name", ["absent.h5", "absent.npz"])
def test_an_absent_file_is_loud(tmp_path, name) -> None:
    with pytest.raises(errors.InputError, match=f"no file .*{name}; expected"):
        backbone.resnet50(SIZE, str(tmp_path / name))


def test_the_real_weights_of_imagenet_fill_it(shared_data) -> None:
    path = shared_data / REAL
    if not path.is_file():
        pytest.skip(f"real weights not at hand: {path}")
    network = backbone.resnet50(64, str(path))
    by_hand = tf.keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    with np.load(path) as file:
        for name in file.files:
            layer, kind = name.split("/")
            getattr(by_hand.get_layer(layer), kind).assign(file[name].astype("f4"))
    output = by_hand.get_layer(backbone.LAST_LAYER).output
    by_hand = tf.keras.Model(by_hand.input, output)
    images = backbone.prepared(_images(size=64))
    features = network(images, training=False)
    np.testing.assert_array_equal(features, by_hand(images, training=False))
