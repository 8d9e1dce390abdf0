import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import layers

from nnperf_utils import instruments
from nnperf_utils.instruments import (
    Monitor,
    activation_statistics,
    activations,
    gradient_check,
    gradient_norms,
    random_layers,
    record,
    update_ratios,
    update_ratios_tensors,
)

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(48, 6)).astype("float32")
Y = RANDOM.integers(0, 3, size=48)


def compiled(model, **options):
    options = {"loss": "sparse_categorical_crossentropy", "optimizer": "sgd"} | options
    model.compile(**options)
    return model


def network(seed=0, *, activation="relu", extras=()):
    keras.utils.set_random_seed(seed)
    return compiled(
        keras.Sequential(
            [
                keras.Input((6,)),
                layers.Dense(8, activation, kernel_regularizer="l2", name="hidden_1"),
                *extras,
                layers.Dense(5, activation, name="hidden_2"),
                layers.Dense(3, "softmax", name="output"),
            ]
        )
    )


def noisy_network(seed=0):
    keras.utils.set_random_seed(seed)  # dropout takes its seed when it is made
    return network(
        seed,
        extras=[
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5, name="dropout"),
            layers.GaussianNoise(0.5, name="noise"),
        ],
    )


def values(frame, metric):
    return frame[frame.metric == metric].set_index("layer")["value"]


def state(model):
    return [variable.numpy() for variable in model.variables]


def assert_same_state(model, before):
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)


def read(model, what, x=X, y=Y):
    return record(
        model,
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
        tf.constant(x),
        tf.constant(y),
        what,
    )


# Gradients ----------------------------------------------------------------------------


def test_gradient_norms_are_those_of_a_plain_tape():
    model = network()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(Y, model(X))
        ) + tf.add_n(model.losses)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    expected = [np.linalg.norm(gradients[kernel]) for kernel in (0, 2, 4)]
    frame = gradient_norms(model, X, Y)
    assert frame.layer.tolist() == ["hidden_1", "hidden_2", "output"]
    assert set(frame.metric) == {"gradient_norm"}
    np.testing.assert_allclose(frame.value, expected, rtol=1e-5)


def test_sample_weights_scale_the_gradient():
    model = network()
    model.layers[0].kernel.regularizer = None
    plain = gradient_norms(model, X, Y).value
    doubled = gradient_norms(model, X, Y, np.full(len(X), 2.0, "float32")).value
    np.testing.assert_allclose(doubled, 2 * plain, rtol=1e-5)


def test_gradients_too_small_to_square_in_float32_are_still_read():
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(8, "sigmoid") for _ in range(14)]
    model = compiled(
        keras.Sequential([keras.Input((6,)), *hidden, layers.Dense(3, "softmax")])
    )
    for layer in hidden:
        layer.kernel.assign(layer.kernel * 0.1)
    norms = gradient_norms(model, X, Y).value
    assert 0 < norms[0] < 1e-20


def test_batch_normalization_uses_the_batch_and_noise_is_off():
    model = noisy_network()
    before = state(model)
    statistics = activation_statistics(model, X)
    # Moving statistics are still 0 and 1, so only the batch's can give this.
    assert abs(values(statistics, "activation_mean")["norm"]) < 1e-5
    np.testing.assert_allclose(
        values(statistics, "activation_std")["norm"], 1, atol=0.1
    )
    assert not {"dropout", "noise"} & set(statistics.layer)
    pd.testing.assert_frame_equal(statistics, activation_statistics(model, X))
    pd.testing.assert_frame_equal(
        gradient_norms(model, X, Y), gradient_norms(model, X, Y)
    )
    activations(model, X)
    assert_same_state(model, before)


# Activations --------------------------------------------------------------------------


def test_activation_statistics_are_those_of_the_outputs():
    model = network(activation="tanh")
    model.layers[0].kernel.assign(model.layers[0].kernel * 5)
    hidden = np.asarray(model.layers[0](X))
    frame = activation_statistics(model, X)
    np.testing.assert_allclose(
        [
            values(frame, "activation_mean")["hidden_1"],
            values(frame, "activation_std")["hidden_1"],
            values(frame, "saturated")["hidden_1"],
        ],
        [hidden.mean(), hidden.std(), (np.abs(hidden) > 0.98).mean()],
        rtol=1e-5,
    )
    assert 0.1 < values(frame, "saturated")["hidden_1"] < 0.9
    # The softmax has no two asymptotes, tanh is never off.
    assert "output" not in values(frame, "saturated")
    assert values(frame, "dead").empty


@pytest.mark.parametrize("activation", ["sigmoid", "hard_sigmoid", "hard_tanh"])
def test_saturation_at_either_asymptote(activation):
    model = network(activation=activation)
    first = model.layers[0]
    first.kernel.assign(np.zeros((6, 8)))
    first.bias.assign([100, 100, -100, 0, 0, 0, 0, 0])
    saturated = values(activation_statistics(model, X), "saturated")
    assert saturated["hidden_1"] == pytest.approx(3 / 8)


def test_dead_means_off_for_every_example():
    model = network()
    first = model.layers[0]
    first.bias.assign([-100, -100, 0, 0, 0, 0, 0, 0])
    off = np.asarray(model.layers[0](X)) <= 0
    assert off[:, 2:].any() and not off[:, 2:].all(axis=0).any()  # sparse, not dead
    dead = values(activation_statistics(model, X), "dead")
    assert dead["hidden_1"] == pytest.approx(2 / 8)


def test_dead_units_of_a_convolution_are_channels():
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(4, 3, name="convolution"),
            layers.ReLU(name="relu"),
            layers.LeakyReLU(name="leaky"),
            layers.Flatten(),
        ]
    )
    model.layers[0].bias.assign([-100, 0, 0, 0])
    frame = activation_statistics(model, RANDOM.normal(size=(8, 6, 6, 1)))
    assert values(frame, "dead").to_dict() == {"relu": 0.25}
    assert frame.layer.unique().tolist() == ["convolution", "relu", "leaky"]


def test_activations_are_sampled_with_a_seed():
    model = network()
    frame = activations(model, X, samples=50)
    assert list(frame) == ["layer", "value"]
    assert frame.groupby("layer", sort=False).size().to_dict() == {
        "hidden_1": 50,
        "hidden_2": 50,
        "output": 50,
    }
    everything = activations(model, X)
    np.testing.assert_array_equal(
        everything[everything.layer == "hidden_1"].value,
        np.asarray(model.layers[0](X)).ravel(),
    )
    pd.testing.assert_frame_equal(frame, activations(model, X, samples=50))
    assert not frame.equals(activations(model, X, samples=50, seed=1))


# Kinds of model -----------------------------------------------------------------------


class Backwards(keras.Model):
    """Calls its layers in another order than it makes them, one of them twice."""

    def __init__(self):
        super().__init__()
        self.last = layers.Dense(3, "softmax", name="last")
        self.blocks = [layers.Dense(6, name="twin"), layers.Dense(6, name="twin")]
        self.relu = layers.ReLU(name="relu")
        self.scale = self.add_weight(name="scale", initializer="ones", shape=())

    def call(self, x):  # takes no `training`: Keras passes it on by context
        for block in self.blocks:
            x = self.relu(block(x))
        return self.last(x * self.scale)


def test_subclassed_models_are_read_in_the_order_of_the_calls():
    model = compiled(Backwards())
    model(X)
    readings = read(model, ["gradients", "activations"])
    order = list(dict.fromkeys(layer for layer, _ in readings))
    assert order == ["twin", "relu", "twin_2", "relu:2", "last", model.name]
    assert (model.name, "gradient_norm") in readings
    assert ("relu", "gradient_norm") not in readings


def test_nested_shared_and_frozen_layers_and_several_inputs():
    encoder = keras.Sequential(
        [keras.Input((6,)), layers.Dense(4, "tanh", name="dense")], name="encoder"
    )
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    frozen = layers.Dense(4, "relu", name="frozen")
    both = layers.Concatenate(name="both")([encoder(left), encoder(right)])
    output = layers.Dense(3, "softmax", name="output")(frozen(both))
    model = compiled(keras.Model([left, right], output))
    frozen.trainable = False

    gradients = gradient_norms(model, [X, X[::-1]], Y)
    assert gradients.layer.tolist() == ["encoder/dense", "output"]
    statistics = activation_statistics(model, {"left": X, "right": X[::-1]})
    assert statistics.layer.unique().tolist() == [
        "encoder/dense",
        "encoder/dense:2",
        "both",
        "frozen",
        "output",
    ]
    mean = values(statistics, "activation_mean")
    np.testing.assert_allclose(mean["encoder/dense"], mean["encoder/dense:2"])


def test_layers_within_layers_recurrent_layers_and_attention():
    inputs = keras.Input((5, 6))
    x = layers.LSTM(4, return_sequences=True, dropout=0.3, name="lstm")(inputs)
    x = layers.MultiHeadAttention(2, 3, dropout=0.3, name="attention")(x, x)
    x = layers.TimeDistributed(layers.Dense(4), name="steps")(x)
    x = layers.Bidirectional(layers.SimpleRNN(3), name="both_ways")(x)
    model = compiled(keras.Model(inputs, layers.Dense(3, name="output")(x)), loss="mse")
    sequences = RANDOM.normal(size=(7, 5, 6)).astype("float32")
    targets = RANDOM.normal(size=(7, 3)).astype("float32")
    before = state(model)
    frame = gradient_norms(model, sequences, targets)
    assert {"lstm", "attention/query", "steps", "output"} <= set(frame.layer)
    assert (frame.value > 0).all()
    saturated = values(activation_statistics(model, sequences), "saturated")
    # An LSTM puts out its gate times tanh, a simple recurrent layer tanh itself.
    assert "lstm" not in saturated
    assert any("simple_rnn" in layer for layer in saturated.index)
    assert gradient_check(model, sequences, targets, samples=2).relative_error.max() < (
        1e-4
    )
    assert_same_state(model, before)


def test_several_outputs_never_trained_before():
    inputs = keras.Input((6,))
    hidden = layers.Dense(4, "relu", name="hidden")(inputs)
    outputs = {
        "class": layers.Dense(3, "softmax", name="class")(hidden),
        "number": layers.Dense(1, name="number")(hidden),
    }
    losses = {"class": "sparse_categorical_crossentropy", "number": "mse"}
    model = compiled(keras.Model(inputs, outputs), loss=losses)
    y = {"class": Y, "number": X[:, :1]}
    frame = gradient_norms(model, X, y)
    assert set(frame.layer) == {"hidden", "class", "number"}
    assert np.isfinite(frame.value).all()
    assert np.isfinite(model.evaluate(X, y, verbose=0)).all()


def test_models_run_as_before_once_read():
    model = noisy_network()
    gradient_norms(model, X, Y)
    assert all("call" not in layer.__dict__ for layer in model.layers)
    with pytest.raises(ValueError):
        record(model, [], [], X, Y, "activations")
    assert all("call" not in layer.__dict__ for layer in model.layers)


# In the graph of many replicas --------------------------------------------------------


@pytest.mark.parametrize("jit_compile", [False, True])
def test_stacked_replicas_read_as_each_one_does(jit_compile):
    models = [noisy_network(seed) for seed in range(3)]
    what = ("gradients", "activations")
    separate = [read(model, what) for model in models]
    stacked = [
        [
            tf.stack([getattr(m, kind)[i].value for m in models])
            for i in range(len(getattr(models[0], kind)))
        ]
        for kind in ("trainable_variables", "non_trainable_variables")
    ]
    x, y = tf.constant(X), tf.constant(Y)

    @tf.function(jit_compile=jit_compile)
    def together(trainable, non_trainable):
        def one(weights):
            readings = record(models[0], *weights, x, y, what)
            moved = [w * 1.01 for w in weights[0]]
            return readings | update_ratios_tensors(models[0], weights[0], moved)

        return tf.vectorized_map(
            one, (trainable, non_trainable), fallback_to_while_loop=False
        )

    readings = together(*stacked)
    for key in separate[0]:
        np.testing.assert_allclose(
            readings[key],
            [float(each[key]) for each in separate],
            rtol=1e-4,
            atol=1e-6,
            err_msg=str(key),
        )
    np.testing.assert_allclose(readings["output", "update_ratio"], 0.01, rtol=1e-3)


# Updates ------------------------------------------------------------------------------


def test_update_ratio_of_kernels():
    model = network()
    before = [v.numpy() for v in model.trainable_variables]
    model.layers[0].kernel.assign(model.layers[0].kernel * 1.5)
    model.layers[0].bias.assign(model.layers[0].bias + 100)
    model.layers[1].kernel.assign(np.ones((8, 5)))
    before[4] = np.zeros_like(before[4])
    frame = update_ratios(model, before)
    assert frame.layer.tolist() == ["hidden_1", "hidden_2", "output"]
    expected = np.linalg.norm(1 - before[2]) / np.linalg.norm(before[2])
    np.testing.assert_allclose(frame.value, [0.5, expected, np.nan], rtol=1e-5)


# Monitor ------------------------------------------------------------------------------


def test_training_is_the_same_with_and_without_the_monitor():
    def weights(callbacks):
        model = noisy_network()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        keras.utils.set_random_seed(1)
        history = model.fit(X, Y, 16, 4, verbose=0, callbacks=callbacks).history
        return state(model), state(model.optimizer), history

    plain, monitored = weights([]), weights([Monitor(X, Y)])
    for a, b in zip(plain[0] + plain[1], monitored[0] + monitored[1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert plain[2] == monitored[2]


def test_monitor_reads_what_the_functions_read():
    model, monitor = network(), Monitor(X, Y, every=2)
    expected = {0: gradient_norms(model, X, Y), "before": []}

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:  # the last of 48 examples in batches of 16
                expected["before"] = [v.numpy() for v in model.trainable_variables]

        def on_epoch_end(self, epoch, logs=None):
            expected[epoch + 1] = pd.concat(
                [
                    gradient_norms(model, X, Y),
                    activation_statistics(model, X),
                    update_ratios(model, expected["before"]),
                ]
            )

    model.fit(X, Y, 16, 4, verbose=0, callbacks=[Watch(), monitor])
    readings = monitor.readings
    assert list(readings) == ["epoch", "layer", "metric", "value"]
    assert readings.epoch.unique().tolist() == [0, 2, 4]
    assert "update_ratio" not in set(readings[readings.epoch == 0].metric)
    for epoch in (0, 2, 4):
        both = expected[epoch].merge(
            readings[readings.epoch == epoch], on=["layer", "metric"]
        )
        assert len(both) == len(expected[epoch])
        np.testing.assert_allclose(both.value_x, both.value_y, rtol=1e-4, atol=1e-7)

    model.fit(X, Y, 16, 1, verbose=0, callbacks=[monitor])
    assert monitor.readings.epoch.unique().tolist() == [0]


@pytest.mark.filterwarnings("ignore:Your input ran out", "ignore:`shuffle=True`")
def test_monitor_with_data_of_unknown_length_and_an_unbuilt_model():
    def batches():
        for start in range(0, 48, 16):
            yield X[start : start + 16], Y[start : start + 16]

    data = tf.data.Dataset.from_generator(
        batches,
        output_signature=(
            tf.TensorSpec((None, 6), tf.float32),
            tf.TensorSpec((None,), tf.int64),
        ),
    )
    model = compiled(keras.Sequential([layers.Dense(3, "softmax", name="output")]))
    monitor = Monitor(X, record="updates")
    model.fit(data, epochs=2, verbose=0, callbacks=[monitor])
    assert monitor.readings.epoch.tolist() == [1, 2]
    # Both of one step, so of one size: not of an epoch's three steps together.
    first, second = monitor.readings.value
    assert first > 0
    assert 0.5 < second / first < 2


def test_monitor_probes_a_sample_that_is_always_the_same():
    model = network()
    readings = []
    for _ in range(2):
        monitor = Monitor(X, Y, record="gradients", probe_size=10)
        model.fit(X, Y, 48, 0, verbose=0, callbacks=[monitor])
        readings.append(monitor.readings)
    pd.testing.assert_frame_equal(*readings)
    assert not np.allclose(readings[0].value, gradient_norms(model, X, Y).value)


# Gradient check -----------------------------------------------------------------------


def test_gradient_check_confirms_a_right_gradient_and_leaves_the_model_alone():
    model = network(
        activation="tanh",
        extras=[layers.BatchNormalization(name="norm"), layers.Dropout(0.5)],
    )
    before = state(model)
    predicted = model.predict(X, verbose=0)
    frame = gradient_check(model, X, Y, samples=6)
    assert list(frame)[:4] == ["layer", "weight", "index", "epsilon"]
    assert frame.groupby(["layer", "weight"]).size().max() == 6
    assert frame.relative_error.max() < 1e-5
    assert frame.analytic.abs().max() > 1e-3
    assert_same_state(model, before)
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    assert keras.config.floatx() == "float32"
    np.testing.assert_array_equal(model.predict(X, verbose=0), predicted)
    pd.testing.assert_frame_equal(frame, gradient_check(model, X, Y, samples=6))


def test_relative_error_over_the_step_is_a_u_and_float32_is_worse():
    model = network(activation="tanh")
    steps = [1e-1, 1e-5, 1e-12]
    median = {
        dtype: gradient_check(model, X, Y, samples=5, epsilon=steps, dtype=dtype)
        .groupby("epsilon")
        .relative_error.median()
        for dtype in ("float64", "float32")
    }
    assert median["float64"][1e-5] < 1e-3 * median["float64"][1e-1]
    assert median["float64"][1e-5] < 1e-3 * median["float64"][1e-12]
    assert median["float32"].min() > 100 * median["float64"].min()


class WrongSquare(layers.Layer):
    """Squares its input; its own gradient forgets the factor 2."""

    def call(self, x):
        @tf.custom_gradient
        def square(x):
            return x**2, lambda upstream: upstream * x

        return square(x)


def test_gradient_check_finds_a_bug_planted_in_a_layer():
    model = network(activation="tanh", extras=[WrongSquare()])
    frame = gradient_check(model, X, Y, samples=5)
    error = frame.groupby("layer", sort=False).relative_error.median()
    assert error["hidden_1"] > 0.1  # below the bug
    assert error[["hidden_2", "output"]].max() < 1e-6  # above it


def test_gradient_check_of_a_gradient_by_hand():
    inputs, output = keras.Input((6,)), layers.Dense(1, name="output")
    model = compiled(keras.Sequential([inputs, output]), loss="mse")
    target = RANDOM.normal(size=(48, 1)).astype("float32")

    def by_hand(model, x, y, *, forget_the_mean=False):
        kernel, bias = (v.numpy().astype("float64") for v in model.trainable_variables)
        error = 2 * (x @ kernel + bias - y) / (1 if forget_the_mean else len(x))
        return [x.T @ error, error.sum(axis=0)]

    right = gradient_check(model, X, target, gradient=by_hand)
    assert right.relative_error.max() < 1e-6
    wrong = gradient_check(
        model,
        X,
        target,
        gradient=lambda *args: by_hand(*args, forget_the_mean=True),
    )
    assert wrong.relative_error.min() > 0.9
    with pytest.raises(ValueError, match=r"gradient must return.*\(6, 1\)"):
        gradient_check(model, X, target, gradient=lambda *_: [np.zeros(6)])


# Bad input ----------------------------------------------------------------------------


def unbuilt():
    return compiled(keras.Sequential([layers.Dense(3)]))


def uncompiled():
    return keras.Sequential([keras.Input((6,)), layers.Dense(3)])


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (lambda: gradient_norms(unbuilt(), X, Y), "no weights yet"),
        (lambda: activation_statistics(unbuilt(), X), "no weights yet"),
        (lambda: gradient_norms(uncompiled(), X, Y), "not compiled"),
        (lambda: gradient_check(uncompiled(), X, Y), "not compiled"),
        (lambda: gradient_norms(network(), X, Y[:-1]), "got x 48, y 47"),
        (lambda: gradient_norms(network(), X[:0], Y[:0]), "at least one"),
        (lambda: Monitor(X, Y[:3]), "got x 48, y 3"),
        (lambda: Monitor(X), "needs y"),
        (lambda: Monitor(X, Y, record="weights"), "gradients.*got 'weights'"),
        (lambda: Monitor(X, Y, record=[]), "got nothing"),
        (lambda: Monitor(X, Y, every=0), "every must be at least 1; got 0"),
        (lambda: read(network(), "updates"), "got 'updates'"),
        (lambda: activations(network(), X, samples=0), "samples must be"),
        (lambda: update_ratios(network(), [X]), "before must hold"),
        (lambda: gradient_check(network(), X, Y, epsilon=0), "epsilon must be"),
        (lambda: gradient_check(network(), X, Y, dtype="float16"), "dtype must be"),
    ],
)
def test_bad_input_is_answered_by_one_clear_sentence(attempt, says):
    with pytest.raises(ValueError, match=says) as caught:
        attempt()
    assert "\n" not in str(caught.value)


def test_not_a_model():
    with pytest.raises(TypeError, match=r"keras\.Model; got str"):
        gradient_norms("network", X, Y)


def test_monitor_turns_down_several_steps_per_execution():
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy", steps_per_execution=2)
    with pytest.raises(ValueError, match="steps_per_execution=1"):
        model.fit(X, Y, 16, verbose=0, callbacks=[Monitor(X, Y)])


def test_all_public_names_exist():
    assert all(hasattr(instruments, name) for name in instruments.__all__)


# --- layers without a model ----------------------------------------------------------


def sizes(frame, metric, layer):
    rows = frame[(frame["metric"] == metric) & (frame["layer"] == layer)]
    return rows.set_index("seed")["value"]


def test_random_layers_multiply_a_signal_by_what_the_formula_says():
    keras.utils.set_random_seed(0)
    double = keras.initializers.VarianceScaling(8, "fan_in")
    found = random_layers(double, "relu", units=128, layers=4)
    # √(nσ²/2) = 2 at each layer, forward and back
    assert sizes(found, "signal", 4).median() == pytest.approx(16, rel=0.2)
    assert sizes(found, "gradient", 0).median() == pytest.approx(16, rel=0.2)
    for metric, end in (("signal", 0), ("differences", 0), ("gradient", 4)):
        assert (sizes(found, metric, end) == 1).all()
    assert found["seed"].nunique() == 20


def test_random_layers_tell_the_kinds_of_size_apart():
    keras.utils.set_random_seed(0)
    found = random_layers("glorot_uniform", "sigmoid", seeds=3, layers=6)
    signal, deviation = (sizes(found, m, 6) for m in ("signal", "deviation"))
    differences = sizes(found, "differences", 6)
    # outputs of about a half: their size is their mean, of which nothing differs
    assert signal.between(0.3, 0.8).all()
    assert (deviation < signal / 2).all()
    assert (differences < 0.01 * deviation).all()


def test_random_layers_give_several_activations_the_same_weights():
    keras.utils.set_random_seed(0)
    found = random_layers("he_normal", ("linear", "relu"), seeds=3)
    linear, relu = (found[found["activation"] == name] for name in ("linear", "relu"))
    keras.utils.set_random_seed(0)
    alone = random_layers("he_normal", "relu", seeds=3)
    assert relu["value"].to_numpy() == pytest.approx(alone["value"].to_numpy())
    # √(nσ²) at each layer instead of √(nσ²/2)
    grown = (sizes(linear, "signal", 10) / sizes(relu, "signal", 10)).median()
    assert grown == pytest.approx(2 ** (10 / 2), rel=0.4)


@pytest.mark.parametrize(("seed", "differ"), [(None, True), (1, False)])
def test_random_layers_draw_anew_unless_the_initializer_has_a_seed(seed, differ):
    keras.utils.set_random_seed(0)
    start = keras.initializers.HeNormal(seed=seed)
    found = random_layers(start, units=2, layers=1, seeds=8, examples=20_000)
    # so many examples that the weights alone decide
    left = sizes(found, "signal", 1)
    assert (left.std() > 0.1 * left.mean()) == differ
    assert (left.std() > 0.02 * left.mean()) == differ


def test_random_layers_draw_other_weights_for_each_layer():
    keras.utils.set_random_seed(0)
    many = {"units": 2, "seeds": 8, "examples": 20_000}
    own = random_layers(keras.initializers.HeNormal(), layers=2, **many)
    first, both = (sizes(own, "signal", layer) for layer in (1, 2))
    assert np.corrcoef(first, both / first)[0, 1] < 0.9


def test_random_layers_may_narrow():
    keras.utils.set_random_seed(0)
    funnel = random_layers(keras.initializers.LecunNormal(), units=(256, 64, 16))
    assert sorted(funnel["layer"].unique()) == [0, 1, 2]
    assert sizes(funnel, "signal", 2).median() == pytest.approx(1, rel=0.2)
    # back a sum has a quarter as many terms
    assert sizes(funnel, "gradient", 0).median() == pytest.approx(1 / 4, rel=0.2)


@pytest.mark.parametrize("wrong", [{"units": 0}, {"layers": 0}, {"units": (8,)}])
def test_random_layers_need_layers(wrong):
    with pytest.raises(ValueError, match="units must be 1 or more"):
        random_layers("he_normal", **wrong)


# --------------------------------------------------------------------- what Keras clips


GRADIENTS = [np.array([[3.0, -0.2], [0.1, 4.0]]), np.array([12.0, 0.0])]


@pytest.mark.parametrize(
    ("clipping", "expected"),
    [
        ({"clipvalue": 0.5}, lambda g: np.clip(g, -0.5, 0.5)),
        ({"clipnorm": np.float64(0.5)}, lambda g: 0.5 * g / np.linalg.norm(g)),
        ({"global_clipnorm": 6.5}, lambda g: 6.5 * g / np.sqrt(169.05)),
        ({"global_clipnorm": 20.0}, lambda g: g),
    ],
)
def test_gradients_are_clipped_as_keras_clips_them(clipping, expected):
    for found, gradient in zip(
        instruments.clipped(GRADIENTS, **clipping), GRADIENTS, strict=True
    ):
        np.testing.assert_allclose(found, expected(gradient), rtol=1e-6)


def test_pieces_of_an_embedding_are_clipped_before_they_are_added_up():
    pieces = tf.IndexedSlices(
        tf.constant([[3.0], [4.0]]), tf.constant([0, 0]), tf.constant([2, 1])
    )
    [found] = instruments.clipped([pieces], clipvalue=1.0)
    np.testing.assert_array_equal(found, [[2.0], [0.0]])


# ---------------------------------------------------------------- noise of the gradient


def _mean_of_numbers() -> keras.Model:
    """A network of one weight w = 0; half the gradient of (w - y)^2 is w - y."""
    inputs = keras.Input((1,))
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Model(inputs, dense(inputs))
    model.compile("sgd", "mse")
    return model


def test_noise_of_the_gradient_where_it_is_known():
    y = np.random.default_rng(0).normal(1, 2, size=(60, 1)).astype("float32")
    noise = instruments.gradient_noise(
        _mean_of_numbers(), np.ones_like(y), y, [1, 5, 30, 60], draws=4000
    )
    measured = noise.groupby("batch_size")["value"].mean()
    one = y.var() / y.mean() ** 2
    assert measured[1] == pytest.approx(one, rel=1e-4)
    for size in (5, 30):
        known = one / size * (60 - size) / 59
        assert measured[size] == pytest.approx(known, rel=0.1)
    assert measured[60] == pytest.approx(0, abs=1e-9)
    assert (noise.groupby("batch_size").size() == [60, 4000, 4000, 4000]).all()


def test_noise_of_the_gradient_says_what_does_not_fit():
    model, x, y = _mean_of_numbers(), np.ones((6, 1)), np.ones((6, 1))
    with pytest.raises(ValueError, match=r"batch_sizes has 7; .* of 1 to 6"):
        instruments.gradient_noise(model, x, y, [2, 7])
    with pytest.raises(ValueError, match=r"draws has 0; .* of 1 or more"):
        instruments.gradient_noise(model, x, y, 2, draws=0)
    inputs = keras.Input((1,))
    normal = keras.Model(inputs, keras.layers.BatchNormalization()(inputs))
    normal.compile("sgd", "mse")
    with pytest.raises(ValueError, match="has batch normalization"):
        instruments.gradient_noise(normal, x, y, 2)
