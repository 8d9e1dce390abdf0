"""The exercises on weight initialization, against right and wrong answers."""

import functools

import keras
import numpy as np
import pytest
from exercise_answers import says
from keras import initializers, layers

from nnperf_utils.exercises import initialization as exercises

ALL = [exercises.standard_deviation, exercises.equal_weights, exercises.repair]


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
@pytest.mark.parametrize("answer", [..., None])
def test_starter(exercise, answer):
    assert exercise.judge(answer).status == "not attempted"


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
@pytest.mark.parametrize("answer", [3, "he_normal", [], {}, np.zeros(3)])
def test_wrong_type(exercise, answer):
    assert says(exercise.judge(answer), "not yet", "this exercise asks for a function")


def test_unfinished_functions_are_not_attempted():
    def standard_deviation(activation, n):
        return ...

    def build():
        model = ...
        return model

    def repair(model, x): ...

    assert exercises.standard_deviation.judge(standard_deviation).status == (
        "not attempted"
    )
    assert exercises.equal_weights.judge(build).status == "not attempted"
    assert exercises.repair.judge(repair).status == "not attempted"


# --------------------------------------------------------------------------------------
# 1  standard_deviation
# --------------------------------------------------------------------------------------

Z = np.random.default_rng(1).normal(size=100_000)


def by_integration(activation, n):
    z = np.linspace(-8, 8, 4001)
    density = np.exp(-(z**2) / 2)
    square = np.sum(activation(z) ** 2 * density) / density.sum()
    return np.array([np.sqrt(1 / square / n)])


def by_a_layer(activation, n):
    """Start somewhere, look what comes out, and correct."""
    random = np.random.default_rng(0)
    h = activation(random.normal(size=(2000, n)))
    return 1 / np.sqrt(np.mean((h @ random.normal(size=(n, n))) ** 2))


@pytest.mark.parametrize("right", [by_integration, by_a_layer])
def test_deviation_right(right):
    outcome = exercises.standard_deviation.judge(right)
    assert says(outcome, "correct", "relu 2.00")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda f, n: 1 / (n * np.mean(f(Z) ** 2)), "you return the variance"),
        (lambda f, n: np.mean(f(Z) ** 2) ** -0.5, "no heed to `n`"),
        (lambda f, n: (n / np.mean(f(Z) ** 2)) ** 0.5, "grows with `n`"),
        (lambda f, n: np.sqrt(2 / n), "that is He's"),
        (lambda f, n: np.sqrt(1 / n), "that is LeCun's"),
        (lambda f, n: 1 / np.sqrt(n * np.var(f(Z))), "the mean not subtracted"),
        (lambda f, n: 1 / (np.sqrt(n) * np.mean(np.abs(f(Z)))), "mean of |φ(z)|"),
        (
            lambda f, n: (n * np.mean((f(Z + 0.01) - f(Z)) ** 2) / 1e-4) ** -0.5,
            "by the slope",
        ),
        (lambda f, n: 0.05, "of 12 cases"),
        (lambda f, n: np.sqrt(6 / n), "after eight such layers the mean square"),
        (lambda f, n: f(Z) / n, "returns 100000 numbers"),
        (lambda f, n: print(end=""), "returns nothing"),
        (lambda f, n: "he", "of type `str`"),
        (lambda f, n: -1.0, "a positive number"),
        (lambda f, n: float("nan"), "a finite number"),
        (lambda f, n: f.nothing, "AttributeError"),
        (lambda n: 0.1, "takes `(n)`"),
    ],
)
def test_deviation_wrong(wrong, message):
    assert says(exercises.standard_deviation.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 2  equal_weights
# --------------------------------------------------------------------------------------


def network(
    kernel=0.1,
    bias="zeros",
    rate=0.003,
    units=(32, 32),
    inputs=64,
    extra=(),
    output="equal",
    compiled=True,
):
    """Return a function that builds a network of equal weights, with variations."""
    equal = initializers.Constant(kernel)

    def build():
        parts = [keras.Input((inputs,))]
        for width in units:
            start = bias() if callable(bias) else bias
            parts.append(layers.Dense(width, "relu", True, equal, start))
            parts += [make() for make in extra]
        start = equal if output == "equal" else output
        parts.append(layers.Dense(10, "softmax", kernel_initializer=start))
        model = keras.Sequential(parts)
        if compiled:
            model.compile(
                keras.optimizers.Adam(rate),
                "sparse_categorical_crossentropy",
                metrics=["accuracy"],
            )
        return model

    return build


def normal(deviation):
    return functools.partial(initializers.RandomNormal, stddev=deviation)


def frozen():
    model = network()()
    model.layers[0].trainable = False
    return model


def fitted():
    model = network()()
    x, y = exercises._data().train
    model.fit(x[:64], y[:64], verbose=0)
    return model


@pytest.mark.parametrize(
    "build",
    [network(extra=[lambda: layers.Dropout(0.2)]), network(bias=normal(2.0))],
    ids=["dropout", "other biases"],
)
def test_equal_right(build):
    assert says(exercises.equal_weights.judge(build), "correct", "Validation accuracy")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (network(), "still all the same"),
        (network(rate=0.01), "still all the same"),
        (network(extra=[layers.BatchNormalization]), "still all the same"),
        (network(bias=normal(0.001)), "after 20 epochs"),
        (network(kernel=0.0), "must start at 0.1"),
        (network(output="glorot_uniform"), "differ from each other"),
        (network(units=(32,)), "[32, 10]"),
        (network(units=(64, 32)), "[64, 32, 10]"),
        (network(inputs=784), "784 inputs"),
        (network(compiled=False), "not compiled"),
        (frozen, "is frozen"),
        (fitted, "differ from each other"),
        (lambda: initializers.Constant(0.1), "return the network"),
        (lambda: keras.Sequential([layers.Dense(32)]), "without weights yet"),
        (lambda data: network()(), "takes `(data)`"),
        (network()(), "is a network"),
    ],
)
def test_equal_wrong(build, message):
    assert says(exercises.equal_weights.judge(build), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  repair
# --------------------------------------------------------------------------------------


def hidden(model):
    return [x for x in model.layers if x.name.startswith("hidden")]


def sizes(model, x):
    inside = keras.Model(model.inputs, [h.output for h in hidden(model)])
    return [float(np.sqrt(np.mean(np.square(h)))) for h in inside([x])]


def by_ratios(model, x):
    """ReLU passes factors on, so one reading is enough."""
    read = [float(np.sqrt(np.mean(np.square(x)))), *sizes(model, x)]
    for number, layer in enumerate(hidden(model)):
        layer.kernel.assign(layer.kernel * read[number] / read[number + 1])


def in_numpy(model, x):
    for layer in hidden(model):
        kernel, bias = layer.get_weights()
        h = np.maximum(0, x @ kernel)
        kernel = kernel / h.std()
        layer.set_weights([kernel, bias])
        x = np.maximum(0, x @ kernel)


def all_at_once(model, x):
    for layer, size in zip(hidden(model), sizes(model, x), strict=True):
        layer.kernel.assign(layer.kernel / size)


def by_mean_square(model, x):
    for number, layer in enumerate(hidden(model)):
        layer.kernel.assign(layer.kernel / sizes(model, x)[number] ** 2)


def first_only(model, x):
    layer = hidden(model)[0]
    layer.kernel.assign(layer.kernel / sizes(model, x)[0])


def anew(model, x):
    for layer in hidden(model):
        layer.kernel.assign(initializers.HeNormal()(layer.kernel.shape))


def to_zero(model, x):
    for layer in hidden(model):
        layer.kernel.assign(0 * layer.kernel)


def turned(model, x):
    by_ratios(model, x)
    for layer in hidden(model):
        layer.kernel.assign(-layer.kernel)


def with_biases(model, x):
    by_ratios(model, x)
    for layer in hidden(model):
        layer.bias.assign(layer.bias + 0.1)


def a_copy(model, x):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    by_ratios(copy, x)
    return copy


@pytest.mark.parametrize("right", [by_ratios, in_numpy])
def test_repair_right(right):
    assert says(exercises.repair.judge(right), "correct", "All 3 networks")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (all_at_once, "read again after each change"),
        (by_mean_square, "Take the root"),
        (first_only, "`hidden_2` have size"),
        (anew, "no multiple of what it was"),
        (to_zero, "no multiple of what it was"),
        (turned, "one positive number"),
        (with_biases, "the biases of `hidden_1`"),
        (a_copy, "the one that it is given must change"),
        (lambda model, x: sizes(model, x), "no kernel has changed"),
        (lambda model, x: model.nothing, "AttributeError"),
        (lambda model: None if model else 1, "takes `(model)`"),
    ],
)
def test_repair_wrong(wrong, message):
    assert says(exercises.repair.judge(wrong), "not yet", message)


def test_sick_networks_are_sick_and_the_same_each_time():
    for seed in exercises.SICK_NETWORKS:
        found = exercises._sizes(exercises.sick_network(seed))
        np.testing.assert_array_equal(
            found, exercises._sizes(exercises.sick_network(seed))
        )
        assert ((found < 0.1) | (found > 10)).sum() >= 4
