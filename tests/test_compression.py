import builtins
import gc

import keras
import numpy as np
import pytest

from nnperf_utils import compression


def network(seed=0, units=(6, 4)):
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(one, "relu") for one in units]
    layers.append(keras.layers.Dense(3, "softmax"))
    return keras.Sequential([keras.Input((5,)), *layers])


@pytest.fixture(scope="module")
def three():
    return [network(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 5)).astype("float32")
    return x, random.integers(3, size=200)


def test_side_by_side_each_answers_as_alone(three, rows):
    outputs = compression.side_by_side(three)(rows[0])
    for model, output in zip(three, outputs, strict=True):
        np.testing.assert_allclose(output, model(rows[0]), atol=1e-6)


def test_side_by_side_has_weights_of_its_own(three):
    both = compression.side_by_side(three)
    both.set_weights([0 * weight for weight in both.get_weights()])
    assert np.abs(three[0].get_weights()[0]).max() > 0


def test_stacked_each_answers_as_alone(three, rows):
    outputs = np.asarray(compression.stacked(three)(rows[0]))
    for place, model in enumerate(three):
        np.testing.assert_allclose(outputs[:, place], model(rows[0]), atol=1e-6)


def test_stacked_each_trains_as_alone(three, rows):
    x, y = rows
    stack = compression.stacked(three)
    loss = "sparse_categorical_crossentropy"
    stack.compile(keras.optimizers.Adam(0.01), loss, loss_weights=3.0)
    labels = np.repeat(y[:, None], 3, axis=1)
    stack.fit(x, labels, batch_size=50, epochs=2, verbose=0, shuffle=False)
    alone = network(1)
    alone.set_weights(three[1].get_weights())
    alone.compile(keras.optimizers.Adam(0.01), loss)
    alone.fit(x, y, batch_size=50, epochs=2, verbose=0, shuffle=False)
    for one, other in zip(stack.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(one[1], other, atol=1e-4)


def test_stacked_knows_dense_layers_only():
    model = keras.Sequential([keras.Input((4, 1)), keras.layers.Conv1D(2, 3)])
    with pytest.raises(TypeError, match="may only have Dense layers"):
        compression.stacked([model])


def test_no_models():
    with pytest.raises(ValueError, match="models is empty"):
        compression.side_by_side([])


def test_rounded_kernels_have_few_values():
    kernel = np.array([[0.9, -2.0, 0], [0.4, 1.0, 0], [-0.5, 0.2, 0]], np.float32)
    found = compression.rounded(kernel, 3)
    np.testing.assert_allclose(found[:, 0], [0.9, 0.3, -0.6], atol=1e-6)
    np.testing.assert_allclose(found[:, 1:], [[-2, 0], [4 / 3, 0], [0, 0]], atol=1e-6)
    np.testing.assert_array_equal(
        compression.rounded(kernel, 2)[:, 0], [kernel[0, 0], 0, -kernel[0, 0]]
    )


def test_rounding_error_is_half_a_scale():
    kernel = np.random.default_rng(0).normal(size=(50, 8))
    for bits in (8, 5, 3):
        half = np.abs(kernel).max(axis=0) / (2 ** (bits - 1) - 1) / 2
        off = np.abs(compression.rounded(kernel, bits) - kernel)
        assert (off <= half + 1e-12).all()
    with pytest.raises(ValueError, match="bits must be at least 2; got 1"):
        compression.rounded(kernel, 1)


def test_keras_rounds_as_the_formula_does(three):
    model = three[0]
    quantized = compression.quantize([model], "int8")
    kernel, scale = int8_parts(quantized)
    expected = compression.rounded(model.get_weights()[0], 8)
    np.testing.assert_allclose(kernel / scale, expected, atol=1e-6)


def int8_parts(model):
    found = {one.path.split("/")[-1]: one for one in model.layers[1].weights}
    kernel = np.asarray(found["kernel"].value, float)
    return kernel, np.asarray(found["kernel_scale"].value)


def test_quantize_leaves_the_collector_as_it_was(three):
    before = gc.get_freeze_count()
    compression.quantize(three, "int8")
    assert gc.get_freeze_count() == before


def test_bytes_of_arrays(three):
    model = three[0]
    numbers = 5 * 6 + 6 + 6 * 4 + 4 + 4 * 3 + 3
    assert compression.array_bytes(model) == 4 * numbers
    assert compression.bytes_at(model, 32) == 4 * numbers
    kernels, units = 5 * 6 + 6 * 4 + 4 * 3, 6 + 4 + 3
    assert compression.bytes_at(model, 8) == kernels + 8 * units
    # one byte a weight, a float32 scale and bias a unit: what Keras has
    int8 = compression.array_bytes(compression.quantize([model], "int8"))
    assert int8 == kernels + 8 * units


def test_pruned_takes_out_the_smallest(three):
    kernel = three[0].get_weights()[0]
    found = compression.pruned(three[0], 0.5).get_weights()[0]
    assert np.mean(found == 0) == 0.5
    assert np.abs(found[found != 0]).min() > np.abs(kernel[found == 0]).max()
    np.testing.assert_array_equal(found[found != 0], kernel[found != 0])


def test_zeros_compress(three):
    models = [three[0], compression.pruned(three[0], 0.9)] * 2
    stack = compression.stacked(models)
    plain = compression.zipped_bytes(stack, [True, False, True, False])
    fewer = compression.zipped_bytes(stack, [False, True, False, True])
    assert plain[0] == plain[1] and list(plain.index) == [0, 1]
    assert fewer[0] < plain[0]


def test_accuracy_of_each(three, rows):
    x, y = rows
    expected = [np.mean(np.argmax(model(x), axis=1) == y) for model in three]
    for model in (compression.side_by_side(three), compression.stacked(three)):
        np.testing.assert_allclose(compression.accuracies(model, x, y), expected)


def test_forms_are_scored_with_their_bytes(three, rows):
    table = compression.forms_table({"a": three}, *rows)
    assert len(table) == 4 * 3
    kib = table.groupby("form")["kib"].first()
    assert kib["32"] > kib["8"] > kib["2"]
    alone = np.mean(np.argmax(three[2](rows[0]), axis=1) == rows[1])
    found = table.set_index(["form", "seed"])["accuracy"]
    assert found["32", 2] == pytest.approx(alone)


def test_products_agree_and_are_timed():
    kernel = np.eye(8, dtype="float32")
    times = compression.product_times(kernel, np.ones((8, 4), "float32"))
    assert list(times) == ["dense", "sparse"] and (times > 0).all(axis=None)


def test_answering_computes_the_outputs(three, rows):
    answer = compression.answering(three[0], rows[0])
    np.testing.assert_allclose(answer(), three[0](rows[0]), atol=1e-6)
    both = compression.answering(compression.side_by_side(three[:1]), rows[0])
    np.testing.assert_allclose(both(), three[0](rows[0]), atol=1e-6)


def test_litert_answers_as_keras_does(three, rows, capfd):
    x, _ = rows
    both = compression.side_by_side([*three, *three, *three, *three])
    exact = compression.LiteModel(compression.convert(both), len(x))(x)
    assert len(exact) == 12
    for model, output in zip([*three] * 4, exact, strict=True):
        np.testing.assert_allclose(output, model(x), atol=1e-5)
    eight = compression.LiteModel(compression.convert(three[0], x), len(x))(x)[0]
    assert 0 < np.abs(eight - np.asarray(three[0](x))).max() < 0.05
    assert capfd.readouterr() == ("", "")


def test_litert_missing_is_said(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("ai_edge_litert"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    found, told = compression.interpreter_class()
    assert "pip install ai-edge-litert" in told
    assert found.__module__.startswith("tensorflow")
