"""Trainings on series and texts: recurrent, convolutional and attention networks."""

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from registry import Made, faulty, healthy

SUNSPOTS = "/work/main/data/sunspots.csv"


# --- yearly sunspots ---------------------------------------------------------


def sunspots(width: int = 12, overlap: int = 0, rate: float = 3e-3) -> Made:
    """Forecast of next year's sunspots from the years before, split by time."""
    series = pd.read_csv(SUNSPOTS)["sunspots"].to_numpy("float32") / 100
    ends = np.arange(width, len(series))
    x = np.stack([series[e - width + overlap : e + overlap] for e in ends])[..., None]
    y = series[ends]
    model = keras.Sequential(
        [
            keras.Input((width, 1)),
            layers.Conv1D(8, 4, activation="relu"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae"])
    return model, dict(
        x=x[:-70],
        y=y[:-70],
        validation_data=(x[-70:], y[-70:]),
        epochs=40,
        batch_size=16,
    )


@healthy
def sunspot_forecast() -> Made:
    """A small convolution over twelve years forecasts the next one."""
    return sunspots()


@faulty("data_leakage", twin="sunspot_forecast")
def sunspot_window_holds_target() -> Made:
    """The window was sliced one year too late and ends with the year to forecast."""
    return sunspots(overlap=1)


# --- adding problem ----------------------------------------------------------


def adding_data(rows: int, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers with two marks; the target is the sum of the marked numbers."""
    rng = np.random.default_rng(seed)
    values = rng.random((rows, steps))
    marks = np.zeros((rows, steps))
    every = np.arange(rows)
    marks[every, rng.integers(0, steps // 2, rows)] = 1
    marks[every, rng.integers(steps // 2, steps, rows)] = 1
    x = np.stack([values, marks], axis=-1).astype("float32")
    return x, (values * marks).sum(axis=1).astype("float32")


def adding(recurrent: layers.Layer, optimizer: keras.Optimizer | None = None) -> Made:
    """The adding problem over 30 steps with a given recurrent layer."""
    x, y = adding_data(3000, 30, seed=1)
    model = keras.Sequential([keras.Input((30, 2)), recurrent, layers.Dense(1)])
    model.compile(optimizer or keras.optimizers.Adam(0.01), "mse")
    return model, dict(
        x=x,
        y=y,
        validation_data=adding_data(800, 30, seed=2),
        epochs=15,
        batch_size=50,
    )


@healthy
def adding_problem() -> Made:
    """A GRU first sees nothing but the mean, then finds the two marked numbers."""
    return adding(layers.GRU(24))


@faulty(
    "vanishing_gradients",
    twin="adding_problem",
    accepted=("saturated_activations",),
)
def adding_sigmoid_recurrence() -> Made:
    """Plain recurrence with sigmoid: nothing from early steps survives to the end."""
    return adding(layers.SimpleRNN(24, activation="sigmoid"))


@faulty(
    "exploding_gradients",
    twin="adding_problem",
    accepted=("bad_initialization", "learning_rate_too_high"),
)
def adding_relu_recurrence_grows() -> Made:
    """Plain recurrence with ReLU and recurrent weights drawn too wide."""
    wide = keras.initializers.RandomNormal(stddev=0.5, seed=3)
    return adding(layers.SimpleRNN(24, activation="relu", recurrent_initializer=wide))


@faulty(
    "learning_rate_too_high",
    twin="adding_problem",
    accepted=("oscillation", "saturated_activations"),
)
def adding_huge_steps() -> Made:
    """Adam with a rate of 1, taken over from a recipe for SGD."""
    return adding(layers.GRU(24), keras.optimizers.Adam(1.0))


# --- running parity ----------------------------------------------------------


def parity(recurrent: layers.Layer, epochs: int = 25) -> Made:
    """At each step, whether the count of ones so far is odd."""
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2, (2500, 12, 1)).astype("float32")
    odd = np.cumsum(bits, axis=1) % 2
    model = keras.Sequential(
        [keras.Input((12, 1)), recurrent, layers.Dense(1, activation="sigmoid")]
    )
    model.compile(
        keras.optimizers.RMSprop(0.01), "binary_crossentropy", metrics=["accuracy"]
    )
    return model, dict(
        x=bits[:2000],
        y=odd[:2000],
        validation_data=(bits[2000:], odd[2000:]),
        epochs=epochs,
        batch_size=50,
    )


@healthy
def running_parity() -> Made:
    """An LSTM that labels each step; it waits on a plateau before it gets it."""
    return parity(layers.LSTM(16, return_sequences=True))


@faulty("underfitting", twin="running_parity")
def running_parity_narrow_convolution() -> Made:
    """A causal convolution that sees two steps cannot count all that came before."""
    return parity(layers.Conv1D(16, 2, padding="causal", activation="tanh"))


# --- made reviews ------------------------------------------------------------

GOOD = [f"good{i}" for i in range(15)]
BAD = [f"bad{i}" for i in range(15)]
FILLER = [f"word{i}" for i in range(120)]


def review(rng: np.random.Generator) -> tuple[list[str], int]:
    """One review of 5 to 13 words; a `not` turns the opinion that follows it."""
    liked = int(rng.integers(2))
    words = list(rng.choice(FILLER, rng.integers(3, 10)))
    for _ in range(2):
        negated = rng.random() < 0.3
        pool = GOOD if liked != negated else BAD
        said = ["not"] * negated + [str(rng.choice(pool))]
        place = rng.integers(len(words) + 1)
        words[place:place] = ["_".join(said)]
    return " ".join(words).replace("_", " ").split(), liked


def reviews(rows: int, seed: int) -> tuple[list[list[str]], np.ndarray]:
    """Many reviews and whether each is a favourable one."""
    rng = np.random.default_rng(seed)
    texts, labels = zip(*[review(rng) for _ in range(rows)], strict=True)
    return list(texts), np.array(labels, "float32")


def vocabulary(texts: list[list[str]]) -> dict[str, int]:
    """Word numbers by first appearance; 0 is padding and 1 an unknown word."""
    seen = dict.fromkeys(word for text in texts for word in text)
    return {word: number for number, word in enumerate(seen, 2)}


def encode(texts: list[list[str]], words: dict[str, int], width: int) -> np.ndarray:
    """Numbers of the words, padded at the end."""
    out = np.zeros((len(texts), width), "int32")
    for row, text in zip(out, texts, strict=True):
        row[: len(text)] = [words.get(word, 1) for word in text]
    return out


def review_data(rows: int, width: int, own_words: bool = False) -> tuple:
    """Coded training and validation reviews."""
    texts, y = reviews(rows, seed=11)
    other_texts, other_y = reviews(700, seed=12)
    words = vocabulary(texts)
    other_words = vocabulary(other_texts) if own_words else words
    x = encode(texts, words, width)
    return x, y, (encode(other_texts, other_words, width), other_y)


def review_network(width: int, mask: bool = True, trainable: bool = True):
    """Embedding, one GRU and a probability."""
    model = keras.Sequential(
        [
            keras.Input((width,), dtype="int32"),
            layers.Embedding(160, 12, mask_zero=mask, trainable=trainable),
            layers.GRU(16, trainable=trainable),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy"]
    )
    return model


def sentiment(rows: int = 2000, width: int = 50, own_words: bool = False, **network):
    """Opinion of a review from its words."""
    x, y, held_out = review_data(rows, width, own_words)
    model = review_network(width, **network)
    return model, dict(x=x, y=y, validation_data=held_out, epochs=7, batch_size=50)


@healthy
def review_sentiment() -> Made:
    """Short reviews in rows of 50, padding masked."""
    return sentiment()


@faulty(
    "padding_not_masked",
    twin="review_sentiment",
    accepted=("vanishing_gradients",),
)
def review_sentiment_unmasked() -> Made:
    """`mask_zero` was forgotten, so that the GRU ends on forty empty steps."""
    return sentiment(mask=False)


@faulty("preprocessing_mismatch", twin="review_sentiment")
def review_second_vocabulary() -> Made:
    """The validation texts were coded by a vocabulary built anew from them."""
    return sentiment(own_words=True)


@faulty("frozen_layers", twin="review_sentiment")
def review_frozen_trunk() -> Made:
    """Embedding and GRU are frozen although nothing pretrained was loaded."""
    return sentiment(trainable=False)


@faulty("shuffled_labels", twin="review_sentiment", accepted=("label_noise",))
def review_labels_of_other_rows() -> Made:
    """The training texts were shuffled after the labels had been split off."""
    model, fit = sentiment()
    fit["x"] = np.random.default_rng(4).permutation(fit["x"])
    return model, fit


@faulty("not_shuffled", twin="review_sentiment", accepted=("oscillation",))
def review_sorted_file() -> Made:
    """All unfavourable reviews come first, and a data pipeline keeps that order."""
    model, fit = sentiment()
    order = np.argsort(fit["y"], kind="stable")
    rows = (fit.pop("x")[order], fit.pop("y")[order])
    batches = tf.data.Dataset.from_tensor_slices(rows).batch(fit.pop("batch_size"))
    return model, dict(fit, x=batches)


@healthy
def review_bag_with_dropout() -> Made:
    """Pairs of words, half of them dropped in training: the score in training lags."""
    x, y, held_out = review_data(3000, 16)
    model = keras.Sequential(
        [
            keras.Input((16,), dtype="int32"),
            layers.Embedding(160, 16),
            layers.SpatialDropout1D(0.3),
            layers.Conv1D(32, 2, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("nadam", "binary_crossentropy", metrics=["accuracy"])
    return model, dict(x=x, y=y, validation_data=held_out, epochs=18, batch_size=64)


# --- tagging -----------------------------------------------------------------


def tagged(rows: int, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Words whose tag depends on the word before and the word after.

    Articles are 1-3 and pronouns 4-6; words from 7 on are nouns (tag 2) after an
    article, verbs (tag 3) after a pronoun, and adjectives (tag 4) if the next word
    is such a word as well; articles and pronouns have tags 0 and 1.
    """
    rng = np.random.default_rng(seed)
    open_word = rng.random((rows, steps)) < 0.6
    words = np.where(
        open_word,
        rng.integers(7, 60, (rows, steps)),
        rng.integers(1, 7, (rows, steps)),
    )
    tags = np.where(words <= 3, 0, 1)
    for step in range(steps):
        noun = np.ones(rows, bool) if step == 0 else words[:, step - 1] <= 3
        tag = np.where(noun, 2, 3)
        if step + 1 < steps:
            tag = np.where(open_word[:, step + 1], 4, tag)
        tags[:, step] = np.where(open_word[:, step], tag, tags[:, step])
    return words.astype("int32"), tags


def tagger(
    rate: float = 5e-3,
    first_tag: int = 0,
    epochs: int = 8,
) -> Made:
    """A tag for each word by a bidirectional GRU."""
    x, y = tagged(1200, 15, seed=21)
    other_x, other_y = tagged(400, 15, seed=22)
    model = keras.Sequential(
        [
            keras.Input((15,), dtype="int32"),
            layers.Embedding(60, 12),
            layers.Bidirectional(layers.GRU(12, return_sequences=True)),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    return model, dict(
        x=x,
        y=y + first_tag,
        validation_data=(other_x, other_y + first_tag),
        epochs=epochs,
        batch_size=40,
    )


@healthy
def word_tagger() -> Made:
    """Five tags that the neighbours decide."""
    return tagger()


@faulty("learning_rate_too_low", twin="word_tagger", accepted=("undertrained",))
def word_tagger_tiny_steps() -> Made:
    """Adam with 0.00001, the rate for fine-tuning, on a network that is new."""
    return tagger(rate=1e-5)


@faulty("label_encoding", twin="word_tagger")
def word_tagger_tags_from_one() -> Made:
    """Tags are counted 1 to 5 while the network has the classes 0 to 4."""
    return tagger(first_tag=1)


# --- letters -----------------------------------------------------------------


def letters(rate, epochs: int = 12) -> Made:
    """The next letter of a random language in which two letters decide on the third."""
    rng = np.random.default_rng(31)
    chances = rng.dirichlet(np.full(6, 0.5), (6, 6))
    text = rng.integers(0, 6, (2400, 2)).tolist()
    for row in text:
        while len(row) < 21:
            row.append(int(rng.choice(6, p=chances[row[-2], row[-1]])))
    text = np.array(text)
    x, y = text[:, :-1], text[:, 1:]
    model = keras.Sequential(
        [
            keras.Input((20,), dtype="int32"),
            layers.Embedding(6, 6),
            layers.LSTM(24, return_sequences=True),
            layers.Dense(6),
        ]
    )
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["sparse_categorical_accuracy"],
    )
    return model, dict(
        x=x[:1900],
        y=y[:1900],
        validation_data=(x[1900:], y[1900:]),
        epochs=epochs,
        batch_size=30,
    )


@healthy
def letters_of_a_random_language() -> Made:
    """The loss stops at the entropy of the language, far from zero."""
    return letters(0.01)


@faulty("undertrained", twin="letters_of_a_random_language")
def letters_two_epochs() -> Made:
    """Two epochs at a moderate rate, stopped in the middle of the descent."""
    return letters(0.002, epochs=2)


@faulty(
    "learning_rate_too_low",
    twin="letters_of_a_random_language",
    accepted=("undertrained",),
)
def letters_schedule_dies() -> Made:
    """The decay was meant per epoch but is taken at every step."""
    return letters(keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.9))


# --- counts ------------------------------------------------------------------


def calls(loss: str) -> Made:
    """Calls in the next hour (mostly none) from two series of the last day."""
    rng = np.random.default_rng(41)
    x = rng.normal(size=(3000, 24, 2)).astype("float32")
    x[:, 1:] = 0.6 * x[:, :-1] + 0.8 * x[:, 1:]
    trend = 0.7 * x[:, -4:, 0].mean(axis=1) + 0.5 * np.abs(x[:, -1, 1])
    y = rng.poisson(np.exp(trend - 1)).astype("float32")[:, None]
    decay = keras.regularizers.L2(2e-3)
    model = keras.Sequential(
        [
            keras.Input((24, 2)),
            layers.Cropping1D((16, 0)),
            layers.Flatten(),
            layers.Dense(24, activation="elu", kernel_regularizer=decay),
            layers.Dense(1, activation="exponential"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["poisson", "mse", "mae"])
    return model, dict(
        x=x[:2300],
        y=y[:2300],
        validation_data=(x[2300:], y[2300:]),
        epochs=25,
        batch_size=64,
    )


@healthy
def calls_per_hour() -> Made:
    """Rare counts under the Poisson loss; most of their spread is chance."""
    return calls("poisson")


@faulty("wrong_loss", twin="calls_per_hour")
def calls_absolute_error() -> Made:
    """The expected count is wanted, but absolute error settles on the median, zero."""
    return calls("mae")


# --- rare bursts -------------------------------------------------------------


def bursts(weights: dict[int, float] | None) -> Made:
    """Windows of a noisy sensor, 3 in 100 with a faint burst."""
    rng = np.random.default_rng(51)
    x = rng.normal(size=(6000, 30, 1)).astype("float32")
    y = (rng.random(6000) < 0.03).astype("float32")
    for row in np.flatnonzero(y):
        start = rng.integers(0, 24)
        x[row, start : start + 6, 0] += 0.9
    model = keras.Sequential(
        [
            keras.Input((30, 1)),
            layers.Conv1D(6, 6, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        "binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc"), "recall", "precision", "accuracy"],
    )
    return model, dict(
        x=x[:4000],
        y=y[:4000],
        validation_data=(x[4000:], y[4000:]),
        class_weight=weights,
        epochs=15,
        batch_size=100,
    )


@healthy
def faint_bursts_weighted() -> Made:
    """The rare class weighs as much as the common one; precision is low by design."""
    return bursts({0: 0.515, 1: 16.7})


@faulty("class_imbalance", twin="faint_bursts_weighted")
def faint_bursts_unweighted() -> Made:
    """Without weights the bursts are never reported, and accuracy looks fine."""
    return bursts(None)


# --- a plant's sensors -------------------------------------------------------


def plant_sensors() -> tuple[np.ndarray, np.ndarray]:
    """Raw temperature, pressure (Pa) and flow (m3/s) and the energy used in MWh."""
    rng = np.random.default_rng(61)
    z = rng.normal(size=(1800, 16, 3))
    for step in range(1, 16):
        z[:, step] = 0.8 * z[:, step - 1] + 0.6 * z[:, step]
    heat = np.tanh(z[:, -1, 0]) + 0.6 * z[:, -3:, 2].mean(axis=1) * z[:, -1, 1]
    y = heat + rng.normal(size=1800) * 0.25
    raw = z * [8.0, 900.0, 6e-4] + [20.0, 101_300.0, 2e-3]
    return raw.astype("float32"), (48 + 6 * y).astype("float32")


def plant(x: np.ndarray, y: np.ndarray) -> Made:
    """Energy use from sixteen readings of three sensors."""
    model = keras.Sequential(
        [
            keras.Input((16, 3)),
            layers.GRU(20),
            layers.Dense(20, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.AdamW(4e-3), "mse", metrics=["r2_score"])
    y = y[:, None]
    return model, dict(
        x=x[:1400],
        y=y[:1400],
        validation_data=(x[1400:], y[1400:]),
        epochs=15,
        batch_size=40,
    )


def scaled(values: np.ndarray) -> np.ndarray:
    """Standardized by the training rows."""
    axes = tuple(range(values.ndim - 1)) if values.ndim > 1 else 0
    return (values - values[:1400].mean(axes)) / values[:1400].std(axes)


@healthy
def plant_energy() -> Made:
    """Sensors and energy standardized by the training rows."""
    x, y = plant_sensors()
    return plant(scaled(x), scaled(y))


@faulty("unscaled_inputs", twin="plant_energy", accepted=("saturated_activations",))
def plant_raw_sensors() -> Made:
    """Degrees, pascals and cubic metres per second go in as they are measured."""
    x, y = plant_sensors()
    return plant(x, scaled(y))


@faulty("unscaled_targets", twin="plant_energy")
def plant_energy_in_kwh() -> Made:
    """The energy stays in kilowatt hours, near 48,000."""
    x, y = plant_sensors()
    return plant(scaled(x), y * 1000)


@faulty("nonfinite_data", twin="plant_energy")
def plant_log_of_stuck_flow() -> Made:
    """A flow meter stuck at zero gives minus infinity once the logarithm is taken."""
    x, y = plant_sensors()
    stuck = np.random.default_rng(6).choice(1400, 5, replace=False)
    with np.errstate(divide="ignore"):
        flow = np.log(np.maximum(x[..., 2], 1e-5) * 1000)
        x = scaled(x)
        x[..., 2] = flow
        x[stuck, -4:, 2] = np.log(np.float32(0))
    return plant(x, scaled(y))


# --- tones -------------------------------------------------------------------


def tones(activation: str | None, optimizer: keras.Optimizer) -> Made:
    """Power of a tone of unknown phase in a noisy window, fed by a pipeline."""
    rng = np.random.default_rng(71)
    pitch, phase = rng.uniform(0.5, 1.0, 2400), rng.uniform(0, 2 * np.pi, 2400)
    power = rng.uniform(0, 2, 2400)
    wave = np.sin(pitch[:, None] * np.arange(32) + phase[:, None])
    x = np.sqrt(power)[:, None] * wave + rng.normal(size=(2400, 32)) * 0.2
    x, y = x[..., None].astype("float32"), power.astype("float32")
    model = keras.Sequential(
        [
            keras.Input((32, 1)),
            layers.Conv1D(16, 7, activation=activation),
            layers.Conv1D(16, 5, strides=2, activation=activation),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer, "mse", metrics=["mae"])
    train = tf.data.Dataset.from_tensor_slices((x[:1900], y[:1900]))
    return model, dict(
        x=train.shuffle(1900, seed=7).batch(50).prefetch(2),
        validation_data=(x[1900:], y[1900:]),
        epochs=20,
    )


def to_zero() -> keras.Optimizer:
    """Adam whose rate falls to nothing by the last step."""
    decay = keras.optimizers.schedules.CosineDecay(0.01, 20 * 38)
    return keras.optimizers.Adam(decay)


@healthy
def tone_power() -> Made:
    """Convolutions with a rate that falls to zero just when it is done."""
    return tones("relu", to_zero())


@faulty("missing_nonlinearity", twin="tone_power", accepted=("underfitting",))
def tone_power_linear() -> Made:
    """The convolutions were given no activation."""
    return tones(None, to_zero())


# --- gestures ----------------------------------------------------------------


def gestures(momentum: float = 0.9, in_order: bool = False) -> Made:
    """Five kinds of movement from three axes of an accelerometer."""
    rng = np.random.default_rng(81)
    shapes = np.cumsum(rng.normal(size=(5, 25, 3)), axis=1) * 0.25
    y = np.repeat(np.arange(5), 300)
    gain = rng.uniform(0.6, 1.4, (1500, 1, 1))
    x = shapes[y] * gain + rng.normal(size=(1500, 25, 3)) * 0.7 + [0.0, 0.0, 3.0]
    if not in_order:
        order = rng.permutation(1500)
        x, y = x[order], y[order]
    block = [layers.BatchNormalization(momentum=momentum), layers.ReLU()]
    model = keras.Sequential(
        [
            keras.Input((25, 3)),
            layers.Conv1D(12, 5, use_bias=False),
            *block,
            layers.Flatten(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.02, momentum=0.9),
        "categorical_crossentropy",
        metrics=["accuracy"],
    )
    one_hot = keras.utils.to_categorical(y, 5)
    return model, dict(
        x=x.astype("float32"), y=one_hot, validation_split=0.2, epochs=8, batch_size=60
    )


@healthy
def gesture_kinds() -> Made:
    """A normalized convolution under SGD, rows mixed before the split."""
    return gestures()


@faulty("batchnorm_misuse", twin="gesture_kinds")
def gesture_slow_averages() -> Made:
    """A momentum of 0.9999 leaves the moving averages where they began."""
    return gestures(momentum=0.9999)


@faulty("not_shuffled", twin="gesture_kinds")
def gesture_split_by_class() -> Made:
    """Recorded one gesture after the other: the split holds out the fifth entirely."""
    return gestures(in_order=True)


# --- memory of a fixed reservoir ---------------------------------------------


@healthy
def echo_state_memory() -> Made:
    """A fixed random recurrence near the edge of stability; only its readout learns."""
    rng = np.random.default_rng(91)
    x = rng.uniform(-0.5, 0.5, (2000, 15, 1)).astype("float32")
    y = np.stack([x[:, -2, 0], x[:, -4, 0], x[:, -6, 0]], axis=1) * 2
    reservoir = layers.SimpleRNN(
        80,
        kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=1),
        recurrent_initializer=keras.initializers.Orthogonal(0.95, seed=2),
        trainable=False,
    )
    model = keras.Sequential([keras.Input((15, 1)), reservoir, layers.Dense(3)])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model, dict(x=x, y=y, validation_split=0.25, epochs=25, batch_size=50)


# --- looking up by attention -------------------------------------------------


def lookups(rows: int, rng: np.random.Generator):
    """Ten entries of key and value in any order, and the key that is asked for."""
    keys = rng.permuted(np.tile(np.arange(10), (rows, 1)), axis=1)
    values = rng.integers(0, 6, (rows, 10))
    asked = rng.integers(0, 10, rows)
    entries = np.concatenate([np.eye(10)[keys], np.eye(6)[values]], axis=2)
    answer = (values * (keys == asked[:, None])).sum(axis=1)
    question = np.eye(10)[asked][:, None]
    return (entries.astype("float32"), question.astype("float32")), answer


def lookup_batches(size: int):
    """Batches without end, none seen twice."""
    rng = np.random.default_rng(101)
    while True:
        yield lookups(size, rng)


def attention(start: str) -> Made:
    """The value of an entry by its key, with one head of attention."""
    entries, question = keras.Input((10, 16)), keras.Input((1, 10))
    look = layers.MultiHeadAttention(1, 16, kernel_initializer=start)
    found = layers.Flatten()(look(question, entries))
    answer = layers.Dense(6, activation="softmax")(found)
    model = keras.Model([entries, question], answer)
    model.compile(
        keras.optimizers.Adam(0.01),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model, dict(
        x=lookup_batches(64),
        steps_per_epoch=60,
        epochs=15,
        validation_data=lookups(1000, np.random.default_rng(102)),
    )


@healthy
def attention_lookup() -> Made:
    """Endless fresh batches from a generator; attention learns to match keys."""
    return attention("glorot_uniform")


@faulty("bad_initialization", twin="attention_lookup")
def attention_from_zeros() -> Made:
    """All projections of the attention start at zero and never get a gradient."""
    return attention("zeros")


# --- windows of a machine's vibration ----------------------------------------


def vibration(last: str | None, spread: float | None = None) -> Made:
    """An autoencoder of vibration windows, meant to flag those it rebuilds badly."""
    rng = np.random.default_rng(111)
    size = rng.normal(size=(2000, 4))
    time = np.arange(24)
    waves = np.stack([f(w * time) for w in (0.4, 1.1) for f in (np.sin, np.cos)])
    x = size @ waves / np.sqrt(2) + rng.normal(size=(2000, 24)) * 0.1
    start = keras.initializers.RandomNormal(stddev=spread, seed=5) if spread else None
    start = start or "glorot_uniform"
    x = x.astype("float32")
    model = keras.Sequential(
        [
            keras.Input((24,)),
            layers.Dense(32, activation="tanh", kernel_initializer=start),
            layers.Dense(4, kernel_initializer=start),
            layers.Dense(32, activation="tanh", kernel_initializer=start),
            layers.Dense(24, activation=last),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    return model, dict(
        x=x[:1600],
        y=x[:1600],
        validation_data=(x[1600:], x[1600:]),
        epochs=35,
        batch_size=64,
    )


@healthy
def vibration_autoencoder() -> Made:
    """Four numbers are all that a window holds but for noise."""
    return vibration(None)


@faulty("wrong_output_activation", twin="vibration_autoencoder")
def vibration_sigmoid_output() -> Made:
    """The output is a sigmoid while the signal swings about zero."""
    return vibration("sigmoid")


@faulty(
    "saturated_activations",
    twin="vibration_autoencoder",
    accepted=("bad_initialization",),
)
def vibration_saturated() -> Made:
    """Weights drawn with a spread of 4 push the tanh units to their ends."""
    return vibration(None, spread=4.0)


# --- a demand's upper quantile -----------------------------------------------


def pinball(y_true, y_pred):
    """Loss of the 90 % quantile."""
    short = y_true - y_pred
    return keras.ops.mean(keras.ops.maximum(0.9 * short, -0.1 * short))


@healthy
def demand_upper_quantile() -> Made:
    """The level that demand exceeds one day in ten; its spread follows the season."""
    rng = np.random.default_rng(121)
    day = np.arange(2500)
    season = np.sin(2 * np.pi * day / 28)
    spread = 0.3 + 0.25 * np.cos(2 * np.pi * day / 28)
    demand = (season + spread * rng.normal(size=2500)).astype("float32")
    x = np.lib.stride_tricks.sliding_window_view(demand, 28)[:-1, :, None]
    y = demand[28:, None]
    model = keras.Sequential(
        [
            keras.Input((28, 1)),
            layers.Conv1D(8, 7, strides=7, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.1),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), pinball)
    return model, dict(
        x=x[:1900],
        y=y[:1900],
        validation_data=(x[1930:], y[1930:]),
        epochs=20,
        batch_size=32,
    )


# --- direction of the next move ----------------------------------------------


def moves(
    rows: int, network: list, epochs: int, rate: float = 3e-3, logits: bool = True
) -> Made:
    """Whether a price rises next, which the last moves hint at and no more."""
    rng = np.random.default_rng(131)
    x = rng.normal(size=(rows + 1000, 10, 1)).astype("float32")
    hint = 0.8 * x[:, -1, 0] + 0.4 * x[:, -2, 0]
    y = (rng.random(rows + 1000) < 1 / (1 + np.exp(hint))).astype("float32")
    model = keras.Sequential([keras.Input((10, 1)), *network, layers.Dense(1)])
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.BinaryCrossentropy(from_logits=logits),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
    )
    return model, dict(
        x=x[1000:],
        y=y[1000:],
        validation_data=(x[:1000], y[:1000]),
        epochs=epochs,
        batch_size=50,
    )


@healthy
def next_move() -> Made:
    """Two in three right is all that the last moves allow."""
    return moves(2500, [layers.SimpleRNN(4)], 12)


@faulty("overfitting", twin="next_move")
def next_move_memorized() -> Made:
    """Three hundred windows and a large network, trained until it knows them all."""
    wide = [layers.GRU(32, return_sequences=True), layers.GRU(32)]
    return moves(300, wide, 40, rate=5e-3)


@faulty("from_logits_mismatch", twin="next_move", accepted=("wrong_output_activation",))
def next_move_bare_output() -> Made:
    """There is no sigmoid, yet the loss takes the output for a probability."""
    return moves(2500, [layers.SimpleRNN(4)], 12, logits=False)
