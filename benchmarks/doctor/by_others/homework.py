"""Homework of a deep-learning class: small trainings, sound and unsound."""

from collections import Counter
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from registry import faulty, healthy
from sklearn.datasets import load_digits, make_moons
from sklearn.model_selection import train_test_split

DATA = "/work/main/data"
Made = tuple[keras.Model, dict[str, Any]]


def digits_parts(seed: int = 3) -> tuple[np.ndarray, ...]:
    """Give gray digits between 0 and 1, split at random by class."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    return train_test_split(x, y, test_size=450, random_state=seed, stratify=y)


# Moons: tiny batches and odd sizes


def moons(sign_coded: bool) -> Made:
    """Train 17 and 5 softsign units on two moons, four rows at a time."""
    x, y = make_moons(1200, noise=0.17, random_state=12)
    if sign_coded:
        y = 2 * y - 1
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(17, activation="softsign"),
            layers.Dense(5, activation="softsign"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    sgd = keras.optimizers.SGD(0.03, momentum=0.8)
    model.compile(sgd, "binary_crossentropy", metrics=["accuracy"])
    fit = {"x": x[:700], "y": y[:700], "validation_data": (x[700:], y[700:])}
    return model, fit | {"epochs": 16, "batch_size": 4}


@healthy
def moons_four_at_a_time() -> Made:
    """Separate two moons with odd layer sizes and batches of four."""
    return moons(False)


@faulty(
    "label_encoding",
    twin="moons_four_at_a_time",
    accepted=("wrong_output_activation", "wrong_loss"),
)
def moons_minus_one() -> Made:
    """Classes written as -1 and +1, as for a perceptron, under cross-entropy."""
    return moons(True)


# Parity among many columns


def parity(decay: float, rate: float) -> Made:
    """Learn whether three of nine signs multiply to plus; six columns are idle."""
    rng = np.random.default_rng(21)
    signs = rng.choice([-1.0, 1.0], (3600, 9))
    y = (signs[:, 1] * signs[:, 4] * signs[:, 7] > 0).astype("float32")
    x = (signs + rng.normal(0, 0.3, signs.shape)).astype("float32")
    net = keras.Sequential([keras.Input((9,))])
    net.add(layers.Dense(72, activation="gelu"))
    net.add(layers.Dense(36, activation="gelu"))
    net.add(layers.Dense(1))
    net.compile(
        optimizer=keras.optimizers.Nadam(rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
    )
    by_hand = keras.callbacks.LearningRateScheduler(lambda e: rate * decay**e)
    return net, {
        "x": x[:2600],
        "y": y[:2600],
        "validation_data": (x[2600:], y[2600:]),
        "epochs": 16,
        "batch_size": 64,
        "callbacks": [by_hand],
    }


@healthy
def parity_of_three_signs() -> Made:
    """No single column says anything, but the network finds the product of three."""
    return parity(0.88, 0.005)


@faulty(
    "learning_rate_too_low",
    twin="parity_of_three_signs",
    accepted=("undertrained",),
)
def parity_rate_dies() -> Made:
    """A hand-made schedule divides the rate by five after every epoch."""
    return parity(0.2, 0.005)


# A deep stack


def deep_digits(activation: str, init: str) -> Made:
    """Stack fourteen layers of 44 units on flat digits."""
    x, x_val, y, y_val = digits_parts()
    x, x_val = x - 0.3, x_val - 0.3
    inputs = keras.Input((64,))
    h = inputs
    for _ in range(14):
        h = layers.Dense(44, activation=activation, kernel_initializer=init)(h)
    outputs = layers.Dense(10, activation="softmax")(h)
    model = keras.Model(inputs, outputs)
    rate = keras.optimizers.schedules.CosineDecay(7e-4, 348)
    adam = keras.optimizers.Adam(rate)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    fit = {"x": x, "y": y, "validation_data": (x_val, y_val)}
    return model, fit | {"epochs": 12, "batch_size": 48}


@healthy
def fourteen_selu_layers() -> Made:
    """Far more layers than digits need, kept alive by SELU and its initialization."""
    return deep_digits("selu", "lecun_normal")


@faulty("vanishing_gradients", twin="fourteen_selu_layers")
def fourteen_sigmoid_layers() -> Made:
    """A stack of fourteen sigmoid layers, where no gradient reaches the bottom."""
    return deep_digits("sigmoid", "glorot_uniform")


# A convolutional network on digits


def cnn_digits(
    *,
    rate: float = 0.04,
    softmax: bool = True,
    by_class: bool = False,
    zscore: bool = False,
) -> Made:
    """Train a small CNN on 8 by 8 digits with three steps of the learning rate."""
    x, x_val, y, y_val = digits_parts(5)
    if zscore:
        mean, std = x.mean(axis=0), x.std(axis=0)
        with np.errstate(all="ignore"):
            x, x_val = (x - mean) / std, (x_val - mean) / std
    x, x_val = x.reshape(-1, 8, 8, 1), x_val.reshape(-1, 8, 8, 1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.Conv2D(20, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax" if softmax else None),
        ]
    )
    sgd = keras.optimizers.SGD(rate, momentum=0.9)
    model.compile(sgd, "sparse_categorical_crossentropy", metrics=["accuracy"])
    steps = [rate] * 6 + [rate / 10] * 3 + [rate / 1000] * 3
    fit = {
        "x": x,
        "y": y,
        "validation_data": (x_val, y_val),
        "epochs": 12,
        "batch_size": 32,
        "callbacks": [keras.callbacks.LearningRateScheduler(lambda e: steps[e])],
    }
    if by_class:
        order = np.argsort(y, kind="stable")
        fit |= {"x": x[order], "y": y[order], "validation_split": 0.25}
        del fit["validation_data"]
    return model, fit


@healthy
def digits_cnn_three_steps() -> Made:
    """Momentum with a rate that falls by hand until nothing moves, when all is done."""
    return cnn_digits()


@faulty(
    "learning_rate_too_high",
    twin="digits_cnn_three_steps",
    accepted=("exploding_gradients", "dying_relu"),
)
def digits_cnn_rate_of_two() -> Made:
    """A misplaced decimal point: a rate of 2 with momentum 0.9."""
    return cnn_digits(rate=2.0)


@faulty(
    "from_logits_mismatch",
    twin="digits_cnn_three_steps",
    accepted=("wrong_output_activation",),
)
def digits_cnn_logits_as_shares() -> Made:
    """A linear last layer, but the loss by its short name expects probabilities."""
    return cnn_digits(softmax=False)


@faulty("not_shuffled", twin="digits_cnn_three_steps")
def digits_cnn_sorted_split() -> Made:
    """Rows lie class by class, and the split takes the last quarter of them."""
    return cnn_digits(by_class=True)


@faulty("nonfinite_data", twin="digits_cnn_three_steps")
def digits_cnn_zero_over_zero() -> Made:
    """Each pixel divided by its deviation, though corner pixels never change."""
    return cnn_digits(zscore=True)


# Fashion with batch normalization


def fashion(
    *, momentum: float = 0.9, learn_convolutions: bool = True, mixed_up: bool = False
) -> Made:
    """Train three strided convolutions with batch normalization on clothing."""
    d = np.load(f"{DATA}/fashion_mnist.npz")
    x = d["x_train"][..., None].astype("float32") / 255
    y = d["y_train"].astype("int32")
    order = np.random.default_rng(8).permutation(len(x))[:3600]
    x, y = x[order], y[order]
    if mixed_up:
        y = np.random.default_rng(9).permutation(y)
    x_val = d["x_test"][..., None].astype("float32") / 255
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for size in (16, 28, 36):
        convolution = layers.Conv2D(size, 3, strides=2, padding="same", use_bias=False)
        convolution.trainable = learn_convolutions
        model.add(convolution)
        model.add(layers.BatchNormalization(momentum=momentum))
        model.add(layers.Activation("relu"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dropout(0.1))
    model.add(layers.Dense(10))
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.006, 456)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    fit = {"x": x, "y": y, "validation_data": (x_val, d["y_test"].astype("int32"))}
    return model, fit | {"epochs": 8, "batch_size": 64}


@healthy
def fashion_strided_cnn() -> Made:
    """A lean CNN on a part of Fashion-MNIST, with a cosine that ends at zero."""
    return fashion()


@faulty("batchnorm_misuse", twin="fashion_strided_cnn")
def fashion_slow_averages() -> Made:
    """Moving averages with momentum 0.9999, in a training of some hundred steps."""
    return fashion(momentum=0.9999)


@faulty("frozen_layers", twin="fashion_strided_cnn", accepted=("underfitting",))
def fashion_frozen_from_birth() -> Made:
    """Convolutions frozen as in a transfer recipe, though nothing was pretrained."""
    return fashion(learn_convolutions=False)


@faulty("shuffled_labels", twin="fashion_strided_cnn", accepted=("label_noise",))
def fashion_two_shuffles() -> Made:
    """Images and labels shuffled apart, each in an order of its own."""
    return fashion(mixed_up=True)


# Sine fitting


def sine(output: str | None, in_millimetres: bool) -> Made:
    """Fit a noisy sum of two sines with tanh units."""
    rng = np.random.default_rng(31)
    x = rng.uniform(-1, 1, (1100, 1)).astype("float32")
    y = np.sin(5 * x) * 0.8 + 0.2 * np.sin(11 * x) + rng.normal(0, 0.12, x.shape)
    if in_millimetres:
        y = 9000 + 2600 * y
    inputs = keras.Input((1,))
    h = layers.Dense(50, activation="tanh", kernel_initializer="he_normal")(inputs)
    h = layers.Dense(25, activation="tanh")(h)
    model = keras.Model(inputs, layers.Dense(1, activation=output)(h))
    rate = keras.optimizers.schedules.CosineDecay(0.02, 600)
    model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae", "r2_score"])
    fit = {"x": x[:800], "y": y[:800], "validation_data": (x[800:], y[800:])}
    return model, fit | {"epochs": 30, "batch_size": 40}


@healthy
def sine_down_to_noise() -> Made:
    """Two sines fitted until only the noise of the measurements is left."""
    return sine(None, False)


@faulty("wrong_output_activation", twin="sine_down_to_noise")
def sine_through_sigmoid() -> Made:
    """A sigmoid at the end, kept from the classification exercise."""
    return sine("sigmoid", False)


@faulty("unscaled_targets", twin="sine_down_to_noise")
def sine_as_tide_in_millimetres() -> Made:
    """The same curve as a tide in millimetres, given to the mean squared error raw."""
    return sine(None, True)


# Spirals


def spirals(activation: Any) -> Made:
    """Separate two arms of a spiral, fed by a tf.data pipeline."""
    rng = np.random.default_rng(41)
    label = rng.integers(0, 2, 1900)
    turn = np.sqrt(rng.uniform(0.02, 1, 1900)) * 3 * np.pi
    angle = turn + np.pi * label
    x = np.c_[np.cos(angle), np.sin(angle)] * (turn / (3 * np.pi))[:, None]
    x = (x + rng.normal(0, 0.02, x.shape)).astype("float32") * 2
    y = label[:, None].astype("float32")
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(40, activation=activation, kernel_initializer="he_normal"),
            layers.Dense(40, activation=activation),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    optimizer = keras.optimizers.RMSprop(0.003)
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    rows = tf.data.Dataset.from_tensor_slices((x[:1400], y[:1400]))
    held = tf.data.Dataset.from_tensor_slices((x[1400:], y[1400:])).batch(250)
    rows = rows.shuffle(1400, seed=1).batch(28)
    return model, {"x": rows, "validation_data": held, "epochs": 36}


@healthy
def spirals_with_sine_units() -> Made:
    """Units that are sines instead of ReLU, which suits a spiral well."""
    return spirals(keras.ops.sin)


@faulty(
    "missing_nonlinearity", twin="spirals_with_sine_units", accepted=("underfitting",)
)
def spirals_straight() -> Made:
    """Activations forgotten in both hidden layers, so that only a line is drawn."""
    return spirals(None)


# Made sentiment sentences

GOOD = "good great lovely funny clever warm brilliant charming bright fresh".split()
BAD = "bad awful dull boring stupid cold weak clumsy stale annoying".split()
THINGS = "film plot music cast ending story scene camera script dialogue".split()
FILL = "the a we saw it with friends on monday and then honestly rather".split()


def sentences(count: int, seed: int) -> tuple[list[list[str]], np.ndarray]:
    """Make sentences with one opinion each, which a word before it may turn round."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(count):
        good, turned = rng.random() < 0.5, rng.random() < 0.4
        start = list(rng.choice(FILL, rng.integers(1, 5)))
        end = list(rng.choice(FILL, rng.integers(0, 5)))
        verb = ["was", "not"] if turned else ["was"]
        opinion = rng.choice(GOOD if good else BAD)
        texts.append([*start, rng.choice(THINGS), *verb, opinion, *end])
        labels.append(float(good != turned))
    return texts, np.array(labels, "float32")[:, None]


def code_book(texts: list[list[str]]) -> dict[str, int]:
    """Number words by how frequent they are, from 1."""
    ranked = Counter(word for text in texts for word in text).most_common()
    return {str(word): i + 1 for i, (word, _) in enumerate(ranked)}


def coded(texts: list[list[str]], book: dict[str, int], length: int) -> np.ndarray:
    """Write sentences as numbers, followed by zeros."""
    out = np.zeros((len(texts), length), "int32")
    for row, text in zip(out, texts, strict=True):
        row[: len(text)] = [book.get(str(word), 0) for word in text]
    return out


def sentiment(*, mask: bool = True, own_book: bool = False) -> Made:
    """Read made sentences with a gated recurrent layer."""
    texts, y = sentences(1500, 51)
    held, y_val = sentences(500, 52)
    book = code_book(texts)
    x = coded(texts, book, 100)
    x_val = coded(held, code_book(held) if own_book else book, 100)
    model = keras.Sequential(
        [
            keras.Input((100,), dtype="int32"),
            layers.Embedding(60, 8, mask_zero=mask),
            layers.GRU(12),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    adam = keras.optimizers.Adam(0.008)
    model.compile(adam, "binary_crossentropy", metrics=["accuracy"])
    fit = {"x": x, "y": y, "validation_data": (x_val, y_val)}
    return model, fit | {"epochs": 9, "batch_size": 50}


@healthy
def sentiment_masked() -> Made:
    """Short sentences in long rows of zeros, which the recurrent layer skips."""
    return sentiment()


@faulty(
    "padding_not_masked",
    twin="sentiment_masked",
    accepted=("vanishing_gradients",),
)
def sentiment_ninety_zeros() -> Made:
    """Zeros after each sentence are read as words, since nobody set `mask_zero`."""
    return sentiment(mask=False)


@faulty("preprocessing_mismatch", twin="sentiment_masked")
def sentiment_two_vocabularies() -> Made:
    """A second vocabulary, fitted on the validation sentences, numbers their words."""
    return sentiment(own_book=True)


# Counting


def counting(gain: float) -> Made:
    """Count the sevens among thirty numbers with a ReLU recurrence and Poisson loss."""
    rng = np.random.default_rng(61)
    x = rng.integers(0, 10, (2800, 30))
    y = (x == 7).sum(axis=1, keepdims=True).astype("float32")
    inputs = keras.Input((30,), dtype="int32")
    h = layers.Embedding(10, 5)(inputs)
    h = layers.SimpleRNN(
        14,
        activation="relu",
        recurrent_initializer=keras.initializers.Identity(gain),
    )(h)
    model = keras.Model(inputs, layers.Dense(1, activation="softplus")(h))
    model.compile(keras.optimizers.Adam(0.003), "poisson", metrics=["mae"])
    fit = {"x": x[:2200], "y": y[:2200], "validation_data": (x[2200:], y[2200:])}
    return model, fit | {"epochs": 18, "batch_size": 40}


@healthy
def counting_sevens() -> Made:
    """A recurrence that begins as the identity learns to count; a Poisson loss."""
    return counting(1.0)


@faulty("exploding_gradients", twin="counting_sevens", accepted=("bad_initialization",))
def counting_doubled_state() -> Made:
    """The recurrence begins as twice the identity, so the state doubles each step."""
    return counting(2.0)


# Autoencoder


def autoencoder(bias: float, dropped: float) -> Made:
    """Squeeze digits through twelve numbers and back."""
    x, x_val, _, _ = digits_parts(7)
    start = keras.initializers.Constant(bias)
    inputs = keras.Input((64,), name="pixels")
    h = layers.Dense(90, activation="relu", bias_initializer=start)(inputs)
    code = layers.Dense(12, name="code")(h)
    code = layers.Dropout(dropped)(code) if dropped else code
    h = layers.Dense(90, activation="relu")(code)
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid")(h))
    adam = keras.optimizers.Adam(0.003)
    model.compile(adam, "binary_crossentropy", metrics=["mse"])
    fit = {"x": x, "y": x, "validation_data": (x_val, x_val)}
    return model, fit | {"epochs": 35, "batch_size": 45}


@healthy
def digit_autoencoder() -> Made:
    """Cross-entropy of gray pixels stays high, though the copies are good."""
    return autoencoder(0.0, 0.0)


@faulty("dying_relu", twin="digit_autoencoder", accepted=("bad_initialization",))
def autoencoder_forced_sparse() -> Made:
    """Biases begin at -6 to make the units sparse, so that none ever answers."""
    return autoencoder(-6.0, 0.0)


@faulty("dropout_too_high", twin="digit_autoencoder")
def autoencoder_dropped_code() -> Made:
    """Eight of ten numbers of the narrow code are dropped at each step."""
    return autoencoder(0.0, 0.8)


# Ratings


def ratings(start: str, epochs: int) -> Made:
    """Factor a table of ratings into embeddings of readers and of books."""
    rng = np.random.default_rng(71)
    reader, book = rng.integers(0, 90, 6500), rng.integers(0, 70, 6500)
    tastes, traits = rng.normal(size=(90, 2)), rng.normal(size=(70, 2))
    y = (tastes[reader] * traits[book]).sum(axis=1) + rng.normal(0, 0.5, 6500)
    sides = []
    for name, size in (("reader", 90), ("book", 70)):
        side = keras.Input((), dtype="int32", name=name)
        vector = layers.Embedding(size, 3, embeddings_initializer=start)(side)
        sides.append((side, vector))
    score = layers.Dot(axes=1)([sides[0][1], sides[1][1]])
    model = keras.Model({s.name: s for s, _ in sides}, score)
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["r2_score"])
    y = y.astype("float32")[:, None]
    train = {"reader": reader[:5000], "book": book[:5000]}
    held = {"reader": reader[5000:], "book": book[5000:]}
    return model, {
        "x": train,
        "y": y[:5000],
        "validation_data": (held, y[5000:]),
        "epochs": epochs,
        "batch_size": 100,
    }


@healthy
def book_ratings() -> Made:
    """Two tables of embeddings and a dot product, nothing else, find the tastes."""
    return ratings("normal", 14)


@faulty("bad_initialization", twin="book_ratings", accepted=("vanishing_gradients",))
def book_ratings_from_zero() -> Made:
    """Both tables begin at zero, so each hides the gradient of the other."""
    return ratings("zeros", 14)


@faulty("undertrained", twin="book_ratings", accepted=("learning_rate_too_low",))
def book_ratings_three_rounds() -> Made:
    """Stopped after three epochs, while the loss is in free fall."""
    return ratings("normal", 3)


# Loans whose outcome is mostly chance


def loans(*, wide: bool = False, letters: bool = False) -> Made:
    """Predict defaults, which six measurements tell only in part."""
    rng = np.random.default_rng(81)
    x = rng.normal(size=(2400, 6))
    chance = 1 / (1 + np.exp(-(x @ [0.8, -0.6, 0.4, 0.3, 0.0, 0.0])))
    y = (rng.random(2400) < chance).astype("float32")
    if letters:
        sent = rng.poisson(np.where(y > 0, 5.0, 0.05))
        x = np.c_[x, (sent - sent.mean()) / sent.std()]
    sizes = (200, 200) if wide else (3,)
    model = keras.Sequential([keras.Input((x.shape[1],))])
    for size in sizes:
        model.add(layers.Dense(size, activation="relu" if wide else "tanh"))
    model.add(layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.Adam(0.004) if wide else keras.optimizers.SGD(0.3)
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy", "auc"])
    fit = {"x": x[:1200], "y": y[:1200], "validation_data": (x[1200:], y[1200:])}
    return model, fit | {"epochs": 30, "batch_size": 60}


@healthy
def loans_mostly_chance() -> Made:
    """Two of three right is all that these columns allow, and three units reach it."""
    return loans()


@faulty("overfitting", twin="loans_mostly_chance")
def loans_learnt_by_heart() -> Made:
    """Forty thousand weights for 1,200 chancy rows, and many epochs."""
    return loans(wide=True)


@faulty("data_leakage", twin="loans_mostly_chance")
def loans_with_reminders() -> Made:
    """A column counts the reminders that were sent after the default."""
    return loans(letters=True)


# Other work


@healthy
def random_features_frozen() -> Made:
    """An extreme learning machine: 500 random units stay as drawn, by intention."""
    x, x_val, y, y_val = digits_parts(13)
    drawn = layers.Dense(
        500, activation="relu", kernel_initializer="he_normal", trainable=False
    )
    model = keras.Sequential([keras.Input((64,)), drawn, layers.Dense(10)])
    model.compile(
        keras.optimizers.Adam(0.002),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.05),
        metrics=["accuracy"],
    )
    one_hot = keras.utils.to_categorical
    held = (x_val, one_hot(y_val, 10))
    return model, {
        "x": x,
        "y": one_hot(y, 10),
        "validation_data": held,
        "epochs": 25,
        "batch_size": 32,
    }


def rare(weights: dict[int, float] | None) -> Made:
    """Find a rare disease, one in twenty, whose signs overlap with health."""
    rng = np.random.default_rng(91)
    y = (rng.random(5000) < 0.05).astype("float32")
    x = rng.normal(size=(5000, 7)) + 0.85 * y[:, None] * (np.arange(7) < 3)
    model = keras.Sequential(
        [
            keras.Input((7,)),
            layers.Dense(6, activation="swish"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    watched = ["accuracy", keras.metrics.Recall(name="recall"), "auc"]
    model.compile(keras.optimizers.Adam(0.005), "binary_crossentropy", metrics=watched)
    fit = {"x": x[:3000], "y": y[:3000], "validation_data": (x[3000:], y[3000:])}
    return model, fit | {"epochs": 20, "batch_size": 50, "class_weight": weights}


@healthy
def rare_disease_weighted() -> Made:
    """Class weights trade accuracy for finding most of the ill."""
    return rare({0: 0.53, 1: 10.0})


@faulty("class_imbalance", twin="rare_disease_weighted")
def rare_disease_plain() -> Made:
    """Accuracy near 95 percent by calling everybody healthy."""
    return rare(None)


def strips(last: str, loss: str) -> Made:
    """Say which digits are in a strip of three, wherever they stand."""
    x, x_val, y, y_val = digits_parts(17)
    rng = np.random.default_rng(101)
    made = []
    for images, labels, count in ((x, y, 2600), (x_val, y_val, 600)):
        pick = rng.integers(0, len(images), (count, 3))
        strip = images[pick].reshape(count, 3, 8, 8).transpose(0, 2, 1, 3)
        which = np.eye(10, dtype="float32")[labels[pick]].max(axis=1)
        made.append((strip.reshape(count, 8, 24, 1), which))
    model = keras.Sequential(
        [
            keras.Input((8, 24, 1)),
            layers.Conv2D(64, 8, strides=8, activation="relu"),
            layers.Conv2D(10, 1),
            layers.GlobalMaxPooling2D(),
            layers.Activation(last),
        ]
    )
    f1 = keras.metrics.F1Score("micro", threshold=0.5, name="f1")
    adam = keras.optimizers.Adam(0.005)
    model.compile(adam, loss, metrics=["binary_accuracy", f1])
    fit = {"x": made[0][0], "y": made[0][1], "validation_data": made[1]}
    return model, fit | {"epochs": 22, "batch_size": 50}


@healthy
def digit_strips_many_labels() -> Made:
    """Several answers are right at once; the strongest place decides for each digit."""
    return strips("sigmoid", "binary_crossentropy")


@faulty(
    "wrong_loss",
    twin="digit_strips_many_labels",
    accepted=("wrong_output_activation",),
)
def digit_strips_one_label() -> Made:
    """Softmax and categorical cross-entropy, where several labels hold at once."""
    return strips("softmax", "categorical_crossentropy")


def cars(scaled: bool) -> Made:
    """Predict miles per gallon, in miles per gallon, from six columns of a car."""
    table = pd.read_csv(f"{DATA}/auto_mpg.csv").sample(frac=1, random_state=4)
    y = table["mpg"].to_numpy("float32")[:, None]
    x = table.drop(columns=["mpg", "origin", "name"]).to_numpy("float32")
    if scaled:
        x = (x - x[:280].mean(axis=0)) / x[:280].std(axis=0)
    start = keras.initializers.Constant(float(y[:280].mean()))
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="tanh"),
            layers.Dense(1, bias_initializer=start),
        ]
    )
    adam = keras.optimizers.Adam(0.02)
    model.compile(adam, keras.losses.Huber(2.0), metrics=["r2_score"])
    fit = {"x": x[:280], "y": y[:280], "validation_data": (x[280:], y[280:])}
    return model, fit | {"epochs": 40, "batch_size": 20}


@healthy
def cars_in_miles_per_gallon() -> Made:
    """Targets stay as they are, since the last bias begins at their mean."""
    return cars(True)


@faulty(
    "unscaled_inputs",
    twin="cars_in_miles_per_gallon",
    accepted=("saturated_activations",),
)
def cars_pounds_and_cylinders() -> Made:
    """Pounds, inches and cylinders go into tanh units as they are."""
    return cars(False)
