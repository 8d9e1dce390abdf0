from types import SimpleNamespace

import keras
import numpy as np
import pytest

from nnperf_utils import models


def described(task="multiclass", shape=(12,), units=3):
    return SimpleNamespace(input_shape=shape, output_units=units, task=task)


TABLE = described()
IMAGES = described(shape=(8, 8, 1))
SERIES = described("regression", (12, 1), 1)


def names(model):
    return [layer.name for layer in model.layers]


@pytest.mark.parametrize(
    ("task", "units", "activation", "loss", "labels"),
    [
        ("binary", 1, "sigmoid", "binary_crossentropy", [0, 1, 1, 0]),
        ("multiclass", 3, "softmax", "sparse_categorical_crossentropy", [0, 1, 2, 0]),
        ("regression", 2, "linear", "mse", [[0.5, 1.0]] * 4),
    ],
)
@pytest.mark.parametrize(
    ("builder", "shape"),
    [(models.mlp, (5,)), (models.cnn, (8, 8, 2)), (models.rnn, (8, 2))],
)
def test_output_loss_and_metric_follow_from_the_task(
    builder, shape, task, units, activation, loss, labels
):
    model = builder(described(task, shape, units))
    output = model.layers[-1]
    assert output.name == "output"
    assert output.units == units
    assert output.activation.__name__ == activation
    assert model.loss == loss
    x, y = np.ones((4, *shape), "float32"), np.array(labels)
    logged = model.compute_metrics(x, y, model(x))
    assert set(logged) == {"loss", "mae" if task == "regression" else "accuracy"}
    assert np.isfinite(float(model.compute_loss(x, y, model(x))))


def test_every_built_network_learns_with_fit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 12)).astype("float32")
    y = (x[:, 0] > 0).astype("int32")
    keras.utils.set_random_seed(0)
    model = models.mlp(
        described("binary", (12,), 1),
        normalization="batch",
        residual=True,
        dropout=0.1,
        learning_rate=0.01,
    )
    history = model.fit(x, y, epochs=8, verbose=0).history
    assert history["accuracy"][-1] > 0.9


def test_mlp_hidden_layers_and_units():
    assert names(models.mlp(TABLE, hidden_layers=3, units=7)) == [
        "input",
        "hidden_1",
        "hidden_2",
        "hidden_3",
        "output",
    ]
    model = models.mlp(TABLE, hidden_layers=9, units=(5, 4))
    assert [layer.units for layer in model.layers[1:]] == [5, 4, 3]
    assert names(models.mlp(TABLE, hidden_layers=0)) == ["input", "output"]
    assert names(models.mlp(IMAGES, hidden_layers=0)) == ["input", "flatten", "output"]


def test_mlp_orders_the_parts_of_a_hidden_layer():
    model = models.mlp(
        TABLE, hidden_layers=2, normalization="layer", dropout=0.5, residual=True
    )
    assert names(model) == [
        "input",
        "hidden_1",
        "hidden_1_normalization",
        "hidden_1_activation",
        "dropout_1",
        "hidden_2",
        "hidden_2_normalization",
        "hidden_2_activation",
        "dropout_2",
        "add_2",
        "output",
    ]


def test_batch_normalization_takes_the_place_of_the_bias():
    def has_bias(normalization):
        model = models.mlp(TABLE, normalization=normalization)
        return model.get_layer("hidden_1").use_bias

    assert not has_bias("batch")
    assert has_bias("layer")
    assert has_bias(None)


def test_residual_adds_the_input_of_each_hidden_layer_to_its_output():
    model = models.mlp(TABLE, hidden_layers=3, units=6, residual=True)
    x = np.random.default_rng(0).normal(size=(4, 12)).astype("float32")
    stream = model.get_layer("hidden_1")(x)
    for number in (2, 3):
        stream = stream + model.get_layer(f"hidden_{number}")(stream)
    np.testing.assert_allclose(model.get_layer("output")(stream), model(x), rtol=1e-5)


def test_an_activation_layer_is_copied_so_that_its_weights_are_not_shared():
    shared = keras.layers.PReLU()
    model = models.mlp(TABLE, hidden_layers=2, activation=shared)
    first, second = (model.get_layer(f"hidden_{n}_activation") for n in (1, 2))
    assert first is not second
    assert first is not shared
    assert isinstance(first, keras.layers.PReLU)


def test_an_initializer_draws_anew_for_each_layer_and_each_seed():
    # Keras's initializers return the same values at each call.
    initializer = keras.initializers.RandomNormal(stddev=1.0)

    def kernels(seed):
        keras.utils.set_random_seed(seed)
        model = models.mlp(
            TABLE, hidden_layers=3, units=12, kernel_initializer=initializer
        )
        return [model.get_layer(f"hidden_{n}").kernel.numpy() for n in (1, 2, 3)]

    first, again, other = kernels(0), kernels(0), kernels(1)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], other[0])
    np.testing.assert_array_equal(first, again)
    assert np.std(first) == pytest.approx(1.0, abs=0.1)


def test_the_initializer_is_that_of_the_hidden_layers_alone():
    model = models.mlp(TABLE, kernel_initializer="zeros")
    assert not model.get_layer("hidden_1").kernel.numpy().any()
    assert model.get_layer("output").kernel.numpy().any()


def test_the_regularizer_acts_on_all_kernels():
    model = models.mlp(TABLE, kernel_regularizer=keras.regularizers.L2(0.5))
    x = np.ones((2, 12), "float32")
    model(x)
    kernels = [w for w in model.trainable_variables if w.name == "kernel"]
    expected = 0.5 * sum(float(np.square(k.numpy()).sum()) for k in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


def test_an_optimizer_is_copied_so_that_models_share_no_state():
    optimizer = keras.optimizers.SGD(0.3, momentum=0.8, clipnorm=2.0)
    one = models.mlp(TABLE, optimizer=optimizer)
    two = models.mlp(TABLE, optimizer=optimizer)
    assert one.optimizer is not two.optimizer
    assert one.optimizer.momentum == 0.8
    assert one.optimizer.clipnorm == 2.0
    assert float(one.optimizer.learning_rate) == pytest.approx(0.3)


@pytest.mark.parametrize("rate", [1, 0.25, np.float32(0.25)])
def test_learning_rate_replaces_the_optimizers_own(rate):
    model = models.mlp(TABLE, optimizer="sgd", learning_rate=rate)
    assert float(model.optimizer.learning_rate) == rate


def test_learning_rate_may_be_a_schedule():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    optimizer = models.mlp(TABLE, learning_rate=schedule).optimizer
    optimizer.iterations.assign(5)
    assert float(optimizer.learning_rate) == pytest.approx(0.05)


def test_cnn_takes_images_and_sequences():
    images = models.cnn(IMAGES, filters=(4, 8), units=(6,), dropout=0.5)
    assert names(images) == [
        "input",
        "convolution_1",
        "pooling_1",
        "convolution_2",
        "pooling_2",
        "flatten",
        "dropout_1",
        "hidden_1",
        "dropout_2",
        "output",
    ]
    assert images.get_layer("pooling_2").output.shape == (None, 2, 2, 8)
    series = models.cnn(SERIES, filters=(4,), pool_size=1, units=())
    assert names(series) == ["input", "convolution_1", "flatten", "output"]
    assert isinstance(series.get_layer("convolution_1"), keras.layers.Conv1D)


@pytest.mark.parametrize(
    ("cell", "layer"),
    [
        ("lstm", keras.layers.LSTM),
        ("gru", keras.layers.GRU),
        ("simple", keras.layers.SimpleRNN),
    ],
)
def test_rnn_stacks_cells(cell, layer):
    model = models.rnn(SERIES, cell=cell, units=(5, 4), dropout=0.1)
    assert names(model) == [
        "input",
        "recurrent_1",
        "dropout_1",
        "recurrent_2",
        "dropout_2",
        "output",
    ]
    assert isinstance(model.get_layer("recurrent_1"), layer)
    assert model.get_layer("recurrent_1").output.shape == (None, 12, 5)
    assert model.get_layer("recurrent_2").output.shape == (None, 4)


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple"])
def test_rnn_unrolled_gives_the_same(cell):
    looped, unrolled = (
        models.rnn(SERIES, cell=cell, units=3, unroll=unroll)
        for unroll in (False, True)
    )
    unrolled.set_weights(looped.get_weights())
    x = np.random.default_rng(0).normal(size=(4, *SERIES.input_shape))
    np.testing.assert_allclose(looped(x), unrolled(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("builder", "data", "knobs", "error", "said"),
    [
        (models.mlp, np.ones(3), {}, TypeError, "data must be a Dataset"),
        (models.mlp, described("ranking"), {}, ValueError, "task is 'ranking'"),
        (models.mlp, TABLE, {"units": 0}, ValueError, "units holds 0"),
        (models.mlp, TABLE, {"units": (3, 2.5)}, ValueError, "units holds 2.5"),
        (models.mlp, TABLE, {"hidden_layers": -1}, ValueError, "hidden_layers is -1"),
        (models.mlp, TABLE, {"activation": "rleu"}, ValueError, "activation is 'rleu'"),
        (models.mlp, TABLE, {"optimizer": "adm"}, ValueError, "optimizer is 'adm'"),
        (
            models.mlp,
            TABLE,
            {"kernel_initializer": "he"},
            ValueError,
            "kernel_initializer is 'he'",
        ),
        (
            models.mlp,
            TABLE,
            {"kernel_regularizer": "l3"},
            ValueError,
            "kernel_regularizer is 'l3'",
        ),
        (models.mlp, TABLE, {"learning_rate": 0}, ValueError, "learning_rate is 0"),
        (models.mlp, TABLE, {"learning_rate": "1"}, ValueError, "learning_rate is '1'"),
        (models.mlp, TABLE, {"dropout": 1}, ValueError, "dropout is 1"),
        (models.mlp, TABLE, {"normalization": "group"}, ValueError, "normalization is"),
        (
            models.mlp,
            TABLE,
            {"residual": True, "units": (4, 5)},
            ValueError,
            r"units is \(4, 5\)",
        ),
        (models.cnn, TABLE, {}, ValueError, r"input_shape is \(12,\)"),
        (models.cnn, IMAGES, {"filters": ()}, ValueError, "filters is empty"),
        (models.cnn, IMAGES, {"filters": 8}, TypeError, "filters is 8"),
        (models.cnn, IMAGES, {"filters": (4,) * 4}, ValueError, "4 poolings of 2"),
        (models.cnn, IMAGES, {"kernel_size": 0}, ValueError, "kernel_size holds 0"),
        (models.rnn, TABLE, {}, ValueError, r"input_shape is \(12,\)"),
        (models.rnn, SERIES, {"cell": "elman"}, ValueError, "cell is 'elman'"),
        (models.rnn, SERIES, {"units": ()}, ValueError, "units is empty"),
        (models.rnn, SERIES, {"unroll": 1}, TypeError, "unroll is 1"),
        (
            models.rnn,
            SERIES,
            {"activation": keras.layers.ReLU()},
            TypeError,
            "the layer ReLU",
        ),
    ],
)
def test_a_knob_that_does_not_fit_is_named_in_one_sentence(
    builder, data, knobs, error, said
):
    with pytest.raises(error, match=said) as raised:
        builder(data, **knobs)
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


def test_an_unknown_knob_is_named():
    with pytest.raises(TypeError, match="dropuot"):
        models.mlp(TABLE, dropuot=0.5)
