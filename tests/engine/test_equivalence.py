"""The engine trains as `fit` does: drawn networks, from the same seed.

NNPERF_HYPOTHESIS_EXAMPLES says how many networks to draw (8 if it says nothing).
"""

import os
import warnings
from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, event, given, reject, settings
from hypothesis import strategies as st
from keras import layers, losses, optimizers, regularizers

from nnperf_utils.engine.work import Work, checked_task
from nnperf_utils.replicas import Cell, example_order, replicate, train_work

EXAMPLES = int(os.environ.get("NNPERF_HYPOTHESIS_EXAMPLES", "8"))
EPOCHS = 10
SEEDS = (0, 5)
TOLERANCE = 1e-4
WEIGHTS = {0: 0.5, 1: 2.0, 2: 1.0}

_random = np.random.default_rng(0)
TABLE = _random.normal(size=(48, 6)).astype("float32")
SERIES = _random.normal(size=(48, 5, 3)).astype("float32")
IMAGES = _random.normal(size=(48, 6, 6, 2)).astype("float32")
TOKENS = _random.integers(0, 7, (48, 4))
CLASSES = _random.integers(0, 3, 48)
YES_NO = _random.integers(0, 2, 48)
NUMBERS = _random.normal(size=(48, 1)).astype("float32")


def dataset(x, y):
    return SimpleNamespace(train=(x[:32], y[:32]), validation=(x[32:], y[32:]))


def fitted(build, data, seed, epochs=EPOCHS, nudge=0.0, **arguments):
    """What `fit` does with full batches from a seed, its start moved by a nudge."""
    keras.utils.set_random_seed(seed)
    model = build()
    sign = np.random.default_rng(seed)
    for weight in model.trainable_weights if nudge else []:
        weight.assign(weight * (1 + nudge * sign.choice([-1, 1], weight.shape)))
    history = model.fit(
        *data.train,
        validation_data=data.validation,
        batch_size=len(data.train[0]),
        epochs=epochs,
        shuffle=False,
        verbose=0,
        **arguments,
    )
    return model, history.history


def looped(build, data, seed, epochs, batch_size, **arguments):
    """What a plain loop over the batches does, in the replica's order."""
    keras.utils.set_random_seed(seed)
    model = build()
    x, y = data.train
    history = {}
    for epoch in range(1, epochs + 1):
        order = example_order(seed, epoch, len(x))
        logs = model.fit(
            x[order],
            y[order],
            validation_data=data.validation,
            batch_size=batch_size,
            shuffle=False,
            verbose=0,
            **arguments,
        ).history
        for name, values in logs.items():
            history.setdefault(name, []).extend(values)
    return model, history


def assert_same(runs, seed, model, history):
    mine = runs.history.query("seed == @seed").pivot(
        index="epoch", columns="metric", values="value"
    )
    assert set(mine.columns) == set(history)
    for name, values in history.items():
        np.testing.assert_allclose(
            mine[name], values, atol=TOLERANCE, rtol=TOLERANCE, err_msg=name
        )
    replica = runs.model(seed)
    for own, reference in zip(replica.weights, model.weights, strict=True):
        np.testing.assert_allclose(
            own.numpy(), reference.numpy(), atol=TOLERANCE, err_msg=own.path
        )


# --------------------------------------------------------------------------- drawing


def regularizer():
    return st.sampled_from(
        [
            None,
            regularizers.L1(1e-3),
            regularizers.L2(1e-2),
            regularizers.L1L2(1e-3, 1e-2),
        ]
    )


EXTRAS = {
    "layer normalization": layers.LayerNormalization,
    "batch normalization": layers.BatchNormalization,
    "batch normalization of its own": partial(
        layers.BatchNormalization, momentum=0.7, scale=False
    ),
    "dropout": partial(layers.Dropout, 0.3),
    "noise": partial(layers.GaussianNoise, 0.2),
}


@st.composite
def hidden(draw):
    """A few hidden layers, as functions that make them afresh."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        extra = draw(st.sampled_from([None, *EXTRAS]))
        units = draw(st.integers(2, 9))
        # Smooth ones only: at a kink, rounding decides between two gradients.
        activation = draw(
            st.sampled_from(["tanh", "sigmoid", "gelu", "silu", "linear"])
        )
        kernel, activity = draw(regularizer()), draw(regularizer())
        bias = draw(regularizer())
        if (extra or "").startswith("batch") and getattr(bias, "l1", 0):
            # The loss does not depend on such a bias, so the penalty brings it to zero,
            # where rounding decides the sign of an L1 slope.
            bias = regularizers.L2(1e-2)
        constraint = draw(st.sampled_from([None, "max_norm", "unit_norm"]))
        initializer = draw(
            st.sampled_from(["glorot_uniform", "he_normal", "orthogonal"])
        )
        made.append(
            partial(
                layers.Dense,
                units,
                activation=activation,
                kernel_regularizer=kernel,
                bias_regularizer=bias,
                activity_regularizer=activity,
                kernel_constraint=constraint,
                kernel_initializer=initializer,
            )
        )
        if extra is not None:
            made.append(EXTRAS[extra])
    return made


@st.composite
def learning_rate(draw, rate):
    kind = draw(st.sampled_from(["constant", "cosine", "exponential", "piecewise"]))
    if kind == "cosine":
        warmup = draw(st.sampled_from([0, 3]))
        return optimizers.schedules.CosineDecay(
            rate, 8, alpha=0.1, warmup_target=2 * rate, warmup_steps=warmup
        )
    if kind == "exponential":
        return optimizers.schedules.ExponentialDecay(
            rate, 3, 0.5, staircase=draw(st.booleans())
        )
    if kind == "piecewise":
        return optimizers.schedules.PiecewiseConstantDecay(
            [2, 6], [rate, rate / 2, rate / 4]
        )
    return rate


@st.composite
def optimizer(draw):
    """A function that makes an optimizer."""
    # Epsilon well above rounding: Adam and its kin divide by the gradient's size, so
    # where that is rounding itself (a bias before batch normalization) nothing agrees.
    eps = {"epsilon": 1e-3}
    cls, rate, options = draw(
        st.sampled_from(
            [
                (optimizers.SGD, 0.05, {}),
                (optimizers.SGD, 0.05, {"momentum": 0.9}),
                (optimizers.SGD, 0.05, {"momentum": 0.9, "nesterov": True}),
                (optimizers.RMSprop, 0.01, eps),
                (optimizers.RMSprop, 0.01, {"momentum": 0.5, "centered": True, **eps}),
                (optimizers.Adagrad, 0.05, eps),
                (optimizers.Adadelta, 1.0, {"epsilon": 1e-2}),
                (optimizers.Adam, 0.01, eps),
                (optimizers.Adam, 0.01, {"amsgrad": True, **eps}),
                (optimizers.AdamW, 0.01, {"weight_decay": 0.1, **eps}),
                (optimizers.Nadam, 0.01, eps),
                (optimizers.Lamb, 0.01, eps),
            ]
        )
    )
    clipping = draw(
        st.sampled_from(
            [
                {},
                {"clipvalue": 0.01},
                {"clipnorm": 0.05},
                {"global_clipnorm": 0.1},
                {"use_ema": True, "ema_momentum": 0.8},
            ]
        )
    )
    rate = draw(learning_rate(rate))
    return lambda: cls(rate, **options, **clipping)


@st.composite
def task(draw):
    """Data, output layer, loss and metrics that fit together."""
    return draw(
        st.sampled_from(
            [
                (
                    CLASSES,
                    lambda: layers.Dense(3, activation="softmax"),
                    "sparse_categorical_crossentropy",
                    ["accuracy"],
                ),
                (
                    CLASSES,
                    lambda: layers.Dense(3),
                    losses.SparseCategoricalCrossentropy(from_logits=True),
                    [],
                ),
                (
                    np.eye(3, dtype="float32")[CLASSES],
                    lambda: layers.Dense(3, activation="softmax"),
                    losses.CategoricalCrossentropy(label_smoothing=0.1),
                    ["accuracy"],
                ),
                (
                    YES_NO,
                    lambda: layers.Dense(1, activation="sigmoid"),
                    "binary_crossentropy",
                    ["accuracy", "auc", "precision"],
                ),
                (NUMBERS, lambda: layers.Dense(1), "mse", ["mae"]),
                (NUMBERS, lambda: layers.Dense(1), losses.Huber(), ["r2_score"]),
            ]
        )
    )


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 50,  # the short run is the same each time
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
    print_blob=True,
)
@given(hidden(), optimizer(), task(), st.booleans(), st.booleans())
def test_drawn_networks_train_as_with_fit(hidden, optimizer, task, weighted, is_split):
    y, output, loss, metrics = task

    def build():
        model = keras.Sequential(
            [keras.Input((6,)), *(make() for make in hidden), output()]
        )
        model.compile(optimizer(), loss, metrics=metrics, weighted_metrics=[])
        return model

    arguments = {"class_weight": WEIGHTS} if weighted and y.ndim == 1 else {}
    data = dataset(TABLE, y)
    runs = trained(build, data, is_split, **arguments)
    seed = SEEDS[1]
    compare_with_fit(runs, build, data, seed, arguments)
    if is_split:
        event("two splits in one graph")
        compare_with_fit(runs, build, other_split(data), seed + 1, arguments)


def other_split(data):
    """The same rows dealt out otherwise."""
    parts = zip(data.validation, data.train, strict=True)
    x, y = (np.concatenate(pair) for pair in parts)
    return dataset(x, y)


def trained(build, data, is_split, **arguments):
    """Train on one data set, or on two splits at once, each with seeds of its own."""
    splits = [data, other_split(data)] if is_split else [data]
    tasks = [
        checked_task(
            one, epochs=EPOCHS, batch_size=32, labels={"split": i}, **arguments
        )
        for i, one in enumerate(splits)
    ]
    cells = [
        Cell(None, seed + i, build, i) for i in range(len(tasks)) for seed in SEEDS
    ]
    runs = train_work(cells, Work.of(tasks), progress=False)
    assert len({id(result.group) for result in runs._results}) == 1
    return runs


def compare_with_fit(runs, build, data, seed, arguments):
    reference, history = fitted(build, data, seed, **arguments)
    try:
        assert_same(runs, seed, reference, history)
    except AssertionError:
        # Some networks blow rounding up: normalized in twos, or with Adadelta's steps
        # of 2. `fit` does not come to the same either, from ten roundings away.
        other, near = fitted(build, data, seed, nudge=1e-6, **arguments)
        pairs = [(near[name], values) for name, values in history.items()]
        pairs += zip(other.get_weights(), reference.get_weights(), strict=True)
        if all(np.allclose(*pair, atol=TOLERANCE, rtol=TOLERANCE) for pair in pairs):
            raise
        event("ill-conditioned")
        reject()


# ------------------------------------------------------------------- kinds of layers


def sequential(shape, *made, dtype="float32"):
    def build():
        model = keras.Sequential(
            [
                keras.Input(shape, dtype=dtype),
                *(make() for make in made),
                layers.Dense(3, activation="softmax"),
            ]
        )
        model.compile(
            optimizers.SGD(0.05),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        return model

    return build


def residual():
    inputs = keras.Input((6,))
    x = layers.Dense(8)(inputs)
    shared = layers.Dense(8, activation="tanh")
    for _ in range(2):
        x = layers.Add()([x, shared(layers.LayerNormalization()(x))])
    x = layers.Concatenate()([x, inputs])
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    model.compile(
        optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(8, activation="tanh")
        self.dropout = layers.Dropout(0.2)
        self.outer = layers.Dense(3, activation="softmax")

    def call(self, x, training=False):
        return self.outer(self.dropout(self.inner(x), training=training))


def subclassed():
    model = Subclassed()
    model.compile(
        optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


KINDS = {
    "residual": (residual, TABLE),
    "subclassed": (subclassed, TABLE),
    "convolution": (
        sequential(
            (6, 6, 2),
            lambda: layers.Conv2D(4, 3, padding="same", activation="tanh"),
            layers.BatchNormalization,
            layers.MaxPooling2D,
            lambda: layers.Conv2D(3, 2, strides=2),
            layers.Flatten,
        ),
        IMAGES,
    ),
    "convolution 1D": (
        sequential(
            (5, 3),
            lambda: layers.Conv1D(4, 3, padding="causal"),
            lambda: layers.SpatialDropout1D(0.2),
            layers.GlobalAveragePooling1D,
        ),
        SERIES,
    ),
    "embedding": (
        sequential((4,), lambda: layers.Embedding(7, 3), layers.Flatten, dtype="int32"),
        TOKENS,
    ),
    "LSTM": (sequential((5, 3), lambda: layers.LSTM(4)), SERIES),
    "GRU": (sequential((5, 3), lambda: layers.GRU(4)), SERIES),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_layers_train_as_with_fit(kind):
    build, x = KINDS[kind]
    data = dataset(x, CLASSES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # all of these vectorize
        runs = replicate(
            build, data, seeds=SEEDS, epochs=4, batch_size=32, progress=False
        )
    assert_same(runs, SEEDS[1], *fitted(build, data, SEEDS[1], epochs=4))


def test_two_inputs_and_two_outputs_train_as_with_fit():
    def build():
        table, series = keras.Input((6,)), keras.Input((5, 3))
        x = layers.Concatenate()([table, layers.Flatten()(series)])
        outputs = [
            layers.Dense(3, activation="softmax", name="kind")(x),
            layers.Dense(1, name="size")(x),
        ]
        model = keras.Model([table, series], outputs)
        model.compile(
            "sgd",
            ["sparse_categorical_crossentropy", "mse"],
            loss_weights=[1.0, 0.3],
            metrics=[["accuracy"], ["mae"]],
        )
        return model

    data = SimpleNamespace(
        train=([TABLE[:32], SERIES[:32]], [CLASSES[:32], NUMBERS[:32]]),
        validation=([TABLE[32:], SERIES[32:]], [CLASSES[32:], NUMBERS[32:]]),
    )
    runs = replicate(build, data, seeds=[3], epochs=4, batch_size=32, progress=False)
    keras.utils.set_random_seed(3)
    model = build()
    history = model.fit(
        *data.train, validation_data=data.validation, epochs=4, verbose=0
    ).history
    assert_same(runs, 3, model, history)


# ----------------------------------------------------------------------- mini-batches

MINI = {
    "batch normalization": [
        lambda: layers.Dense(8, activation="tanh"),
        layers.BatchNormalization,
    ],
    "dropout": [
        lambda: layers.Dense(8, activation="tanh"),
        lambda: layers.Dropout(0.4),
    ],
}


@pytest.mark.parametrize("kind", MINI)
@pytest.mark.parametrize("batch_size", [8, 12])  # 12 leaves a smaller last batch
def test_mini_batches_train_as_a_loop_over_the_same_order(kind, batch_size):
    build, data = sequential((6,), *MINI[kind]), dataset(TABLE, CLASSES)
    weights = {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}}
    runs = replicate(
        build,
        data,
        seeds=SEEDS,
        epochs=3,
        batch_size=batch_size,
        progress=False,
        **weights,
    )
    assert_same(
        runs, SEEDS[1], *looped(build, data, SEEDS[1], 3, batch_size, **weights)
    )
