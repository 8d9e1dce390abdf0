"""The doctor on the course's own networks: silent on health, and names what was broken.

The networks are those of chapters 01 to 18, small enough for a test: trained as there,
or broken on purpose as there. 16 and 17 have none of their own. Whoever adds a chapter
that breaks a network adds it here.
"""

from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from keras import layers

from nnperf_utils import datasets
from nnperf_utils.doctor import Doctor
from nnperf_utils.little_data import few_of_each
from nnperf_utils.models import cnn, mlp, rnn

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
Normal = keras.initializers.RandomNormal

digits = partial(datasets.load_digits, flatten=True)
diabetes = datasets.load_diabetes


def biased(data, bias, **given):
    """Return the network of chapter 04 with its hidden units pushed off."""
    model = mlp(data, units=32, optimizer=SGD(0.3), **given)
    for layer in model.layers[1:-1]:
        if isinstance(layer, layers.Dense):
            layer.bias.assign(np.full(layer.units, bias, "float32"))
    return model


def ended(data, output, loss, **given):
    """Return the network of chapter 01 with an output and a loss."""
    hidden = layers.Dense(16, "relu")
    model = keras.Sequential(
        [keras.Input(data.input_shape), hidden, layers.Dense(1, output)]
    )
    model.compile(Adam(0.01), loss, metrics=["accuracy"], **given)
    return model


def frozen(data):
    """Return the network of chapter 03 that trains its last layers alone."""
    model = mlp(data, hidden_layers=3, units=12)
    for layer in model.layers[1:3]:
        layer.trainable = False
    model.compile("adam", model.loss, metrics=["accuracy"])
    return model


def copied(change):
    """Return a table whose validation rows were training rows, changed or not."""
    data = diabetes()
    x, y = data.train
    noise = np.random.default_rng(0).standard_normal(x.shape).astype("float32")
    return replace(data, validation=(x[:150] + change * noise[:150], y[:150]))


def rare():
    """Return a table with one case among 25 rows of the other class."""
    data = diabetes()
    rng = np.random.default_rng(0)

    def thinned(x, y):
        ill, well = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
        few = rng.choice(ill, max(len(well) // 25, 4), replace=False)
        kept = rng.permutation(np.concatenate([few, well]))
        return x[kept], y[kept]

    return replace(
        data, train=thinned(*data.train), validation=thinned(*data.validation)
    )


def oversampled():
    """Return a table whose rarer class has as many rows, by SMOTE, in training."""
    data = diabetes()
    return replace(data, train=SMOTE(random_state=0).fit_resample(*data.train))


def softened():
    """Return digits whose labels are shares, as a student of chapter 18 learns."""
    data = digits().one_hot()
    parts = {}
    for name in ("train", "validation"):
        x, y = getattr(data, name)
        parts[name] = (x, 0.8 * y + 0.02)
    return replace(data, **parts)


def trained(load, build, epochs=15, batch_size=32, shuffle=True):
    """Train a network of the course with the doctor at its side."""
    data = load() if callable(load) else load
    keras.utils.set_random_seed(1)
    doctor = Doctor(*data.train, validation_data=data.validation)
    model = build(data)
    model.jit_compile = False
    model.fit(
        *data.train,
        validation_data=data.validation,
        epochs=epochs,
        batch_size=batch_size,
        shuffle=shuffle,
        verbose=0,
        callbacks=[doctor],
    )
    return doctor


HEALTHY = {
    "01 first network": (
        diabetes,
        partial(ended, output="sigmoid", loss="binary_crossentropy"),
        8,
    ),
    "03 deep, with the remedies": (
        digits,
        partial(mlp, hidden_layers=6, units=32, kernel_initializer="he_normal"),
        12,
    ),
    "04 tanh": (digits, partial(mlp, activation="tanh", units=32), 15),
    "06 batch normalization": (
        digits,
        partial(mlp, normalization="batch", optimizer=SGD(0.1)),
        12,
    ),
    "07 residual": (digits, partial(mlp, hidden_layers=6, units=32, residual=True), 12),
    "08 recurrent": (
        partial(datasets.load_sunspots, scale_target=True),
        partial(rnn, optimizer=Adam(0.01)),
        16,
    ),
    "12 dropout": (
        diabetes,
        partial(mlp, units=32, dropout=0.4, optimizer=Adam(0.003)),
        12,
    ),
    "images": (datasets.load_digits, partial(cnn, optimizer=Adam(0.003)), 10),
    "moons": (
        partial(datasets.load_moons, samples=600),
        partial(mlp, units=24, optimizer=Adam(0.01)),
        16,
    ),
}

HEALTHY |= {
    "14 SMOTE within the training part": (oversampled, mlp, 12),
    "15 few rows": (
        lambda: few_of_each(digits(), 20, 400, 0),
        partial(mlp, units=32, optimizer=Adam(0.003)),
        20,
    ),
    "18 a student of shares": (softened, partial(mlp, units=32), 15),
}
BROKEN = {
    "01 softmax over one unit": (
        "wrong_output_activation",
        diabetes,
        partial(ended, output="softmax", loss="binary_crossentropy"),
        3,
    ),
    "01 no activation": (
        "from_logits_mismatch",
        diabetes,
        partial(ended, output=None, loss="binary_crossentropy"),
        3,
    ),
    "01 yes and no as numbers": (
        "wrong_loss",
        diabetes,
        partial(ended, output="sigmoid", loss="mean_absolute_error"),
        3,
    ),
    "01 nothing bends": (
        "missing_nonlinearity",
        digits,
        partial(mlp, activation=None),
        3,
    ),
    "02 rows in both parts": ("data_leakage", partial(copied, 0.0), mlp, 6),
    "02 rows that were changed a little": (
        "data_leakage",
        partial(copied, 0.03),
        mlp,
        6,
    ),
    "03 deep sigmoid": (
        "vanishing_gradients",
        digits,
        partial(mlp, hidden_layers=8, activation="sigmoid", units=32),
        6,
    ),
    "03 frozen": ("frozen_layers", digits, frozen, 6),
    "04 dead units": ("dying_relu", digits, partial(biased, bias=-12.0), 6),
    "05 zeros": (
        "bad_initialization",
        digits,
        partial(mlp, kernel_initializer="zeros"),
        4,
    ),
    "05 far too small": (
        "bad_initialization",
        digits,
        partial(
            mlp,
            hidden_layers=4,
            optimizer=SGD(0.05),
            kernel_initializer=Normal(stddev=1e-4),
        ),
        5,
    ),
    "06 unscaled": (
        "unscaled_inputs",
        partial(diabetes, scale=False),
        partial(mlp, units=16, optimizer=SGD(0.01)),
        8,
    ),
    "08 targets as they came": (
        "unscaled_targets",
        datasets.load_sunspots,
        partial(rnn, optimizer=Adam(0.01)),
        8,
    ),
    "10 steps too long": (
        "learning_rate_too_high",
        digits,
        partial(mlp, optimizer=Adam(1.0)),
        6,
    ),
    "10 steps too short": (
        "learning_rate_too_low",
        digits,
        partial(mlp, optimizer=SGD(1e-5)),
        6,
    ),
    "12 memorized": (
        "overfitting",
        diabetes,
        partial(mlp, units=128, hidden_layers=3, optimizer=Adam(0.005)),
        24,
    ),
    "14 a rare class": ("class_imbalance", rare, mlp, 12),
    "13 stopped too soon": (
        "undertrained",
        digits,
        partial(mlp, optimizer=SGD(0.03)),
        3,
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_is_silent_on_healthy_networks(name):
    load, build, epochs = HEALTHY[name]
    doctor = trained(load, build, epochs)
    assert doctor.findings == [], str(doctor)


@pytest.mark.parametrize("name", BROKEN)
def test_names_what_a_chapter_breaks(name):
    cause, load, build, epochs = BROKEN[name]
    doctor = trained(load, build, epochs)
    assert cause in [finding.cause for finding in doctor.findings][:2], str(doctor)


def test_is_silent_where_classes_have_weights():
    data = rare()
    keras.utils.set_random_seed(1)
    doctor = Doctor(*data.train, validation_data=data.validation)
    counts = np.bincount(data.train[1])
    model = mlp(data, units=8, optimizer=Adam(0.003))
    model.jit_compile = False
    model.fit(
        *data.train,
        validation_data=data.validation,
        epochs=12,
        verbose=0,
        callbacks=[doctor],
        class_weight={c: counts.sum() / (2 * n) for c, n in enumerate(counts)},
    )
    assert doctor.findings == [], str(doctor)
