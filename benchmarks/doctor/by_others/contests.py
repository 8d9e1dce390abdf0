"""Trainings of somebody who enters contests: tables, small pictures, texts, series."""

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers, ops
from registry import Made, faulty, healthy
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

DATA = "/work/main/data/"
NUMBERS = [
    "hour", "distance", "plane_year", "seats", "temperature", "humidity", "wind_speed",
    "wind_gust", "pressure", "visibility", "departure_delay", "air_time",
]  # fmt: skip


# ---------------------------------------------------------------- tables: flights


def flights(fill: bool = True) -> tuple[pd.DataFrame, np.ndarray]:
    """Flights of New York: mixed columns, and the delay at arrival in minutes."""
    frame = pd.read_csv(DATA + "flights.csv").dropna(subset=["arrival_delay"])
    frame = frame.sample(10000, random_state=3)
    table = frame[NUMBERS].astype("float64")
    if fill:
        table = table.fillna(table.median())
    kinds = pd.get_dummies(frame[["carrier", "origin"]], dtype="float64")
    return pd.concat([table, kinds], axis=1), frame["arrival_delay"].to_numpy(float)


def standard(table: pd.DataFrame, rows: int) -> pd.DataFrame:
    """The columns of numbers to mean 0 and deviation 1, measured on the first rows."""
    table = table.copy()
    head = table[NUMBERS].iloc[:rows]
    table[NUMBERS] = (table[NUMBERS] - head.mean()) / head.std()
    return table


def delay_fit(
    table: pd.DataFrame, y: np.ndarray, valid: pd.DataFrame | None = None
) -> Made:
    """Wide and deep network for the standardized delay, 8000 rows to train on."""
    y = (y - y[:8000].mean()) / y[:8000].std()
    inputs = keras.Input((table.shape[1],))
    deep = layers.Dense(24, "relu")(inputs)
    deep = layers.Dense(12, "relu")(deep)
    model = keras.Model(inputs, layers.Dense(1)(layers.concatenate([deep, inputs])))
    rate = keras.optimizers.schedules.CosineDecay(4e-3, 63 * 12)
    model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae"])
    held = table[8000:] if valid is None else valid
    return model, {
        "x": table[:8000].to_numpy("float32"),
        "y": y[:8000].astype("float32"),
        "validation_data": (held.to_numpy("float32"), y[8000:].astype("float32")),
        "epochs": 12,
        "batch_size": 128,
    }


@healthy
def flights_late() -> Made:
    """Delay at arrival from mixed columns, scaled and with gaps filled."""
    table, y = flights()
    return delay_fit(standard(table, 8000), y)


@faulty("unscaled_inputs", twin="flights_late")
def flights_in_metres() -> Made:
    """Columns left in their units: metres, pascals, years beside dummies."""
    table, y = flights()
    table["distance"] *= 1609.0
    table["pressure"] *= 100.0
    return delay_fit(table, y)


@faulty("nonfinite_data", twin="flights_late")
def flights_gaps() -> Made:
    """The gaps in the plane's year, seats and gusts were never filled."""
    table, y = flights(fill=False)
    return delay_fit(standard(table, 8000), y)


@faulty("shuffled_labels", twin="flights_late", accepted=("label_noise",))
def flights_mixed_up() -> Made:
    """The table was shuffled, the column of targets was not."""
    table, y = flights()
    table = standard(table, 8000).sample(frac=1.0, random_state=8)
    return delay_fit(table, y)


@faulty("preprocessing_mismatch", twin="flights_late")
def flights_sorted_columns() -> Made:
    """The validation table came with its columns in alphabetical order."""
    table, y = flights()
    table = standard(table, 8000)
    return delay_fit(table, y, valid=table[8000:][sorted(table.columns)])


def pinball(true, predicted):
    """Pinball loss of the 90 % quantile."""
    gap = true - predicted
    return ops.mean(ops.maximum(0.9 * gap, -0.1 * gap), axis=-1)


@healthy
def flights_p90() -> Made:
    """Pinball loss for the 90 % quantile: far above the mean on purpose."""
    table, y = flights()
    x = standard(table, 8000).to_numpy("float32")
    y = (y / 30.0).astype("float32")[:, None]
    inputs = keras.Input((x.shape[1],))
    hidden = layers.Dense(32, activation="silu")(inputs)
    hidden = layers.Concatenate()([layers.Dense(32, activation="silu")(hidden), inputs])
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    rate = keras.optimizers.schedules.CosineDecay(3e-3, 125 * 10)
    model.compile(keras.optimizers.Adam(rate), loss=pinball)
    train = tf.data.Dataset.from_tensor_slices((x[:8000], y[:8000]))
    valid = tf.data.Dataset.from_tensor_slices((x[8000:], y[8000:])).batch(256)
    train = train.shuffle(8000, seed=1).batch(64).prefetch(2)
    return model, {"x": train, "validation_data": valid, "epochs": 10}


# ------------------------------------------------------------ tables: other people's


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """Table of the Pima women, 768 rows in a mixed order."""
    frame = pd.read_csv(DATA + "diabetes.csv").sample(frac=1.0, random_state=0)
    x = StandardScaler().fit_transform(frame.drop(columns="Outcome"))
    return x.astype("float32"), frame["Outcome"].to_numpy("float32")


def diabetes_fit(x: np.ndarray, y: np.ndarray, smoothing: float) -> Made:
    """Small network with dropout, sigmoid at its end."""
    model = keras.Sequential([keras.Input((8,)), layers.Dense(16, "gelu")])
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(1, "sigmoid"))
    loss = keras.losses.BinaryCrossentropy(label_smoothing=smoothing)
    model.compile(keras.optimizers.Adam(4e-3), loss, metrics=["accuracy"])
    return model, dict(x=x, y=y, validation_split=0.25, epochs=30, batch_size=32)


@healthy
def diabetes_soft() -> Made:
    """Illness known only by three in four: smoothed labels, dropout, low ceiling."""
    return diabetes_fit(*diabetes(), smoothing=0.1)


@faulty("label_encoding", twin="diabetes_soft", accepted=("wrong_loss",))
def diabetes_plus_minus() -> Made:
    """Labels coded -1 and +1 given to binary cross-entropy."""
    x, y = diabetes()
    return diabetes_fit(x, 2 * y - 1, smoothing=0.0)


@faulty("data_leakage", accepted=("overfitting",))
def diabetes_upsampled_first() -> Made:
    """Rows drawn with replacement to enlarge the table, and only then split."""
    x, y = diabetes()
    pick = np.random.default_rng(5).integers(0, len(x), 3500)
    a, b, ya, yb = train_test_split(x[pick], y[pick], test_size=0.2, random_state=1)
    model = keras.Sequential([keras.Input((8,))])
    for width in (192, 192):
        model.add(layers.Dense(width, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    rate = keras.optimizers.Adam(3e-3)
    model.compile(rate, "binary_crossentropy", metrics=["accuracy"])
    return model, dict(x=a, y=ya, validation_data=(b, yb), epochs=25, batch_size=128)


def mpg_fit(scale_y: bool, loss: str | keras.losses.Loss, rate: float = 0.01) -> Made:
    """Miles per gallon: numbers plus an embedding of the origin."""
    frame = pd.read_csv(DATA + "auto_mpg.csv").sample(frac=1.0, random_state=2)
    columns = ["cylinders", "displacement", "horsepower", "weight", "acceleration"]
    numbers = frame[[*columns, "model_year"]].apply(pd.to_numeric, errors="coerce")
    numbers = StandardScaler().fit_transform(numbers.fillna(numbers.median()))
    place = frame["origin"].astype("category").cat.codes.to_numpy("int32")[:, None]
    y = frame["mpg"].to_numpy("float32")
    if scale_y:
        y = (y - y.mean()) / y.std()
    one, two = keras.Input((6,)), keras.Input((1,), dtype="int32")
    both = layers.concatenate([one, layers.Flatten()(layers.Embedding(3, 2)(two))])
    hidden = layers.Dense(32, activation="gelu")(both)
    hidden = layers.Dense(16, activation="gelu")(hidden)
    middle = keras.initializers.Constant(y[:300].mean())
    last = layers.Dense(1, bias_initializer=middle)(hidden)
    model = keras.Model([one, two], last)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["mae"])
    held = ([numbers[300:], place[300:]], y[300:])
    stop = keras.callbacks.EarlyStopping(patience=12, restore_best_weights=True)
    return model, {
        "x": [numbers[:300], place[:300]],
        "y": y[:300],
        "validation_data": held,
        "epochs": 50,
        "batch_size": 25,
        "callbacks": [stop],
    }


@healthy
def mpg_in_miles() -> Made:
    """Three hundred cars, target left in its unit, Huber loss of width 3."""
    return mpg_fit(False, keras.losses.Huber(delta=3.0), rate=0.02)


@healthy
def mpg_standard() -> Made:
    """Three hundred cars, standardized target, squared error, early stopping."""
    return mpg_fit(True, "mse")


@faulty("wrong_loss", twin="mpg_standard")
def mpg_rmsle() -> Made:
    """The contest's logarithmic error on a target that is negative half the time."""
    return mpg_fit(True, "mean_squared_logarithmic_error")


def claims(seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Insurance rows of which about one in thirty brings a claim, noisily."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(9000, 9)).astype("float32")
    x[:, 6:] = rng.integers(0, 2, (9000, 3))
    risk = 1.1 * x[:, 0] - 0.9 * x[:, 1] + 0.7 * x[:, 2] * x[:, 6] + x[:, 7] - 5.1
    y = rng.random(9000) < 1 / (1 + np.exp(-risk))
    return x, y.astype("float32")


def claims_fit(weights: dict[int, float] | None) -> Made:
    """Network for rare claims, measured by ranking and recall."""
    x, y = claims()
    model = keras.Sequential([
        keras.Input((9,)),
        layers.Dense(12, "relu", kernel_regularizer=keras.regularizers.L2(1e-3)),
        layers.Dense(1, "sigmoid"),
    ])  # fmt: skip
    auc, recall = keras.metrics.AUC(name="auc"), keras.metrics.Recall(name="recall")
    measures = ["accuracy", auc, recall]
    rate = keras.optimizers.Adam(2e-3)
    model.compile(rate, "binary_crossentropy", metrics=measures)
    fit = dict(x=x[:6500], y=y[:6500], validation_data=(x[6500:], y[6500:]))
    fit |= dict(epochs=16, batch_size=128)
    return model, fit | ({"class_weight": weights} if weights else {})


@healthy
def claims_weighted() -> Made:
    """Rare claims with class weights: less accurate than always no, and rightly so."""
    share = claims()[1][:6500].mean()
    return claims_fit({0: 0.5 / (1 - share), 1: 0.5 / share})


@faulty("class_imbalance", twin="claims_weighted")
def claims_plain() -> Made:
    """Rare claims without weights: nearly every claim is missed."""
    return claims_fit(None)


def kinds_fit(ordered: bool) -> Made:
    """Five kinds of rows by tf.data, one hidden layer."""
    x, y = make_classification(
        6400, 16, n_informative=9, n_redundant=2, n_classes=5, class_sep=1.8,
        n_clusters_per_class=1, flip_y=0.03, random_state=6,
    )  # fmt: skip
    a, b, ya, yb = train_test_split(x.astype("float32"), y, random_state=0)
    if ordered:
        order = np.argsort(ya, kind="stable")
        a, ya = a[order], ya[order]
    train = tf.data.Dataset.from_tensor_slices((a, ya))
    train = train.shuffle(64 if ordered else len(a), seed=0).batch(32)
    valid = tf.data.Dataset.from_tensor_slices((b, yb)).batch(300)
    model = keras.Sequential([keras.Input((16,)), layers.Dense(32, "relu")])
    model.add(layers.Dense(5, "softmax"))
    rate = keras.optimizers.Adam(6e-3)
    model.compile(rate, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, {"x": train, "validation_data": valid, "epochs": 7}


@healthy
def kinds_piped() -> Made:
    """Five kinds of rows from a shuffled pipeline, a few labels at random."""
    return kinds_fit(False)


@faulty("not_shuffled", twin="kinds_piped", accepted=("oscillation",))
def kinds_by_label() -> Made:
    """File sorted by label, and a shuffle buffer of 64 rows that can't mix it."""
    return kinds_fit(True)


def crossed_fit(activation: str | None) -> Made:
    """Sign of a sum of products of columns, two layers, AdamW."""
    rng = np.random.default_rng(12)
    x = rng.normal(size=(5200, 6)).astype("float32")
    y = (x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3] > 0).astype("float32")
    flip = rng.random(5200) < 0.04
    y = np.where(flip, 1 - y, y)
    model = keras.Sequential([keras.Input((6,))])
    model.add(layers.Dense(64, activation))
    model.add(layers.Dense(32, activation))
    model.add(layers.Dense(1))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    hit = keras.metrics.BinaryAccuracy(threshold=0.0, name="hit")
    model.compile(keras.optimizers.AdamW(5e-3, weight_decay=0.01), loss, metrics=[hit])
    return model, dict(x=x, y=y, validation_split=0.25, epochs=18, batch_size=64)


@healthy
def crossed() -> Made:
    """Label by products of columns: no column says anything alone."""
    return crossed_fit("tanh")


@faulty("missing_nonlinearity", twin="crossed", accepted=("underfitting",))
def crossed_linear() -> Made:
    """The activations were forgotten in both hidden layers."""
    return crossed_fit(None)


@healthy
def counts() -> Made:
    """Counts of visits from mixed columns, Poisson loss, small means: mostly noise."""
    rng = np.random.default_rng(21)
    day, heat = rng.integers(0, 7, 4000), rng.normal(size=4000)
    price = rng.uniform(-1, 1, 4000)
    x = np.column_stack([np.eye(7)[day], heat, price]).astype("float32")
    y = rng.poisson(np.exp(0.4 + 0.6 * (day > 4) - 0.4 * heat**2 - 0.7 * price))
    model = keras.Sequential([keras.Input((9,)), layers.Dense(24, "softplus")])
    model.add(layers.Dense(1, "exponential"))
    model.compile(keras.optimizers.Nadam(5e-3), "poisson", metrics=["mse"])
    slow = keras.callbacks.ReduceLROnPlateau(patience=3, factor=0.3)
    fit = dict(x=x, y=y.astype("float32"), validation_split=0.25, callbacks=[slow])
    return model, fit | dict(epochs=22, batch_size=64)


# --------------------------------------------------------------------- pictures


def garments() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fashion-MNIST shrunk to 14 × 14 by means of four pixels, labels one-hot."""
    z = np.load(DATA + "fashion_mnist.npz")
    shrunk = [
        z[k].reshape(-1, 14, 2, 14, 2).mean((2, 4))[..., None].astype("float32") / 255
        for k in ("x_train", "x_test")
    ]
    return shrunk[0], np.eye(10)[z["y_train"]], shrunk[1], np.eye(10)[z["y_test"]]


def garments_fit(momentum: float, schedule) -> Made:
    """Small convolutional network with batch normalization and smoothed labels."""
    x, y, held, yh = garments()
    model = keras.Sequential([keras.Input((14, 14, 1))])
    for width in (16, 32):
        model.add(layers.Conv2D(width, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=momentum))
        model.add(layers.Activation("relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(10, activation="softmax"))
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    calls = [keras.callbacks.LearningRateScheduler(schedule)]
    fit = dict(x=x, y=y, validation_data=(held, yh), callbacks=calls)
    return model, fit | dict(epochs=8, batch_size=80)


def slope(epoch: int, rate: float) -> float:
    """From 0.002 in a straight line to nothing."""
    return 2e-3 * (1 - epoch / 8)


@healthy
def garments_small() -> Made:
    """Shrunk garments, smoothed labels, rate in a straight line towards zero."""
    return garments_fit(0.9, slope)


@faulty("batchnorm_misuse", twin="garments_small")
def garments_slow_norm() -> Made:
    """Momentum 0.9997 of a long training kept for 500 steps: averages lag behind."""
    return garments_fit(0.9997, slope)


@faulty("learning_rate_too_low", twin="garments_small", accepted=("undertrained",))
def garments_cliff() -> Made:
    """The schedule multiplies by a tenth each epoch from 0.0002 on."""
    return garments_fit(0.9, lambda epoch, rate: 2e-4 * 0.1**epoch)


def digits() -> tuple[np.ndarray, np.ndarray]:
    """The 8 × 8 digits between 0 and 1, flat, in a mixed order."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16).astype("float32"), y[order].astype("int32")


def digits_fit(logits: bool) -> Made:
    """Sigmoid network without output activation, plain SGD of rate 0.5."""
    x, y = digits()
    model = keras.Sequential([
        keras.Input((64,)),
        layers.Dense(48, activation="sigmoid"),
        layers.Dense(10),
    ])  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    model.compile(keras.optimizers.SGD(0.5), loss, metrics=["accuracy"])
    return model, dict(x=x, y=y, validation_split=0.25, epochs=30, batch_size=32)


@healthy
def digits_fast_sgd() -> Made:
    """Digits by a sigmoid layer and SGD with a rate of 0.5."""
    return digits_fit(True)


@faulty(
    "from_logits_mismatch",
    twin="digits_fast_sgd",
    accepted=("wrong_output_activation",),
)
def digits_raw_scores() -> Made:
    """No softmax at the end, and the loss takes the scores for probabilities."""
    return digits_fit(False)


@healthy
def digits_random_features() -> Made:
    """Wide random cosine features, frozen on purpose; only the last layer learns."""
    x, y = digits()
    spread = keras.initializers.RandomNormal(stddev=0.35, seed=3)
    phase = keras.initializers.RandomUniform(0, 6.28, seed=4)
    inputs = keras.Input((64,))
    wide = layers.Dense(
        700, ops.cos, kernel_initializer=spread, bias_initializer=phase, trainable=False
    )
    scores = layers.Dense(10, activation="softmax")(wide(inputs))
    model = keras.Model(inputs, scores)
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    return model, dict(x=x, y=y, validation_split=0.25, epochs=20, batch_size=64)


def ink_fit(penalty: float) -> Made:
    """Autoencoder of digits with a code of twelve, by cross-entropy of grey levels."""
    x = digits()[0]
    inputs = keras.Input((64,))
    hidden = layers.Dense(64, activation="relu")(inputs)
    pull = keras.regularizers.L1(penalty)
    code = layers.Dense(12, name="code", activity_regularizer=pull)(hidden)
    hidden = layers.Dense(64, activation="relu")(code)
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid")(hidden))
    rate = keras.optimizers.Adam(3e-3)
    model.compile(rate, "binary_crossentropy", metrics=["mse"])
    return model, dict(
        x=x[:1400],
        y=x[:1400],
        validation_data=(x[1400:], x[1400:]),
        epochs=35,
        batch_size=64,
    )


@healthy
def ink() -> Made:
    """Autoencoder whose loss stays high because grey pixels have entropy themselves."""
    return ink_fit(1e-6)


@faulty("over_regularized", twin="ink", accepted=("underfitting",))
def ink_squeezed() -> Made:
    """Penalty on the code so strong that the code is zero and each picture the mean."""
    return ink_fit(0.5)


# ------------------------------------------------------------- texts as word indices


def phrases(rows: int = 4500, length: int = 44) -> tuple[np.ndarray, np.ndarray]:
    """Phrases of 4 to 10 words, then zeros; a 'not' turns the word that follows."""
    rng = np.random.default_rng(30)
    x = np.zeros((rows, length), "int32")
    y = np.zeros(rows, "float32")
    for i in range(rows):
        n = rng.integers(4, 11)
        words = rng.integers(30, 120, n)
        spot = rng.integers(1, n)
        words[spot] = rng.integers(1, 21)
        good = words[spot] <= 10
        if rng.random() < 0.4:
            words[spot - 1] = rng.integers(21, 24)
            good = not good
        x[i, :n], y[i] = words, good
    flip = rng.random(rows) < 0.05
    return x, np.where(flip, 1 - y, y).astype("float32")


def phrases_fit(mask: bool) -> Made:
    """Embedding and a GRU's last state."""
    x, y = phrases()
    model = keras.Sequential([
        keras.Input((44,), dtype="int32"),
        layers.Embedding(120, 12, mask_zero=mask),
        layers.GRU(20),
        layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    rate = keras.optimizers.Adam(8e-3)
    model.compile(rate, "binary_crossentropy", metrics=["accuracy"])
    return model, dict(x=x, y=y, validation_split=0.2, epochs=6, batch_size=80)


@healthy
def phrases_masked() -> Made:
    """Short phrases with negation in rows that are mostly padding, masked."""
    return phrases_fit(True)


@faulty("padding_not_masked", twin="phrases_masked", accepted=("vanishing_gradients",))
def phrases_unmasked() -> Made:
    """The recurrent layer reads forty zeros after each phrase before it answers."""
    return phrases_fit(False)


def tagged() -> tuple[np.ndarray, np.ndarray]:
    """Questions with none to several of six tags, of which some are rare."""
    rng = np.random.default_rng(40)
    shares = np.array([0.3, 0.2, 0.15, 0.1, 0.08, 0.06])
    tags = rng.random((3000, 6)) < shares
    x = rng.integers(60, 120, (3000, 24))
    for i, j in zip(*np.nonzero(tags), strict=True):
        x[i, rng.integers(0, 24, 3)] = 1 + 9 * j + rng.integers(0, 9, 3)
    x *= np.arange(24) < rng.integers(16, 25, (3000, 1))
    return x.astype("int32"), tags.astype("float32")


def tagged_fit(learn: bool) -> Made:
    """Mean of word vectors, a dense layer, six sigmoids."""
    x, y = tagged()
    words = keras.Input((24,), dtype="int32")
    vectors = layers.Embedding(120, 16, mask_zero=True, trainable=learn)(words)
    pooled = layers.GlobalAveragePooling1D()(vectors)
    hidden = layers.Dense(16, activation="relu")(layers.Dropout(0.3)(pooled))
    model = keras.Model(words, layers.Dense(6, activation="sigmoid")(hidden))
    auc = keras.metrics.AUC(multi_label=True, num_labels=6, name="auc")
    model.compile(keras.optimizers.Adam(8e-3), "binary_crossentropy", metrics=[auc])
    held = (x[2400:], y[2400:])
    stop = keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    fit = dict(x=x[:2400], y=y[:2400], validation_data=held, callbacks=[stop])
    return model, fit | dict(epochs=15, batch_size=64)


@healthy
def tagged_bag() -> Made:
    """Several tags at once, rare ones among them, stopped at the best epoch."""
    return tagged_fit(True)


@faulty("frozen_layers", twin="tagged_bag", accepted=("underfitting",))
def tagged_frozen() -> Made:
    """Word vectors were never loaded: random, and fixed as if they were good."""
    return tagged_fit(False)


# -------------------------------------------------------------------- time series


def tides_fit(last: str | None) -> Made:
    """Next value of two waves and noise from 32 values, by convolution."""
    rng = np.random.default_rng(50)
    t = np.arange(3600)
    wave = np.sin(t / 3.1) + 0.7 * np.sin(t / 7.7 + 1) + 0.35 * rng.normal(size=3600)
    wave = (wave / wave[:2800].std()).astype("float32")

    def windows(part: np.ndarray, mix: bool) -> tf.data.Dataset:
        """Windows of one stretch with the value that follows each."""
        return keras.utils.timeseries_dataset_from_array(
            part[:-1, None], part[32:, None], 32, batch_size=100, shuffle=mix, seed=1
        )

    model = keras.Sequential([
        keras.Input((32, 1)),
        layers.Conv1D(12, 5, activation="relu"),
        layers.AveragePooling1D(2),
        layers.Flatten(),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation=last),
    ])  # fmt: skip
    model.compile(keras.optimizers.RMSprop(2e-3), "mse", metrics=["mae"])
    held = windows(wave[2800:], False)
    slow = keras.callbacks.ReduceLROnPlateau(patience=2, factor=0.3)
    fit = {"x": windows(wave[:2800], True), "validation_data": held}
    return model, fit | {"epochs": 12, "callbacks": [slow]}


@healthy
def tides() -> Made:
    """Forecast of a noisy tide down to its noise, later stretch held out."""
    return tides_fit(None)


@faulty("wrong_output_activation", twin="tides")
def tides_relu() -> Made:
    """A relu at the end although half of the values are below zero."""
    return tides_fit("relu")


def pulses_fit(start) -> Made:
    """Three wave forms in windows of 48, dense tanh layers, huge batch."""
    rng = np.random.default_rng(60)
    y = rng.integers(0, 3, 3000)
    where = rng.uniform(12, 36, (3000, 1))
    u = (np.arange(48) - where) / 4
    bell = np.exp(-(u**2))
    forms = np.stack([bell, u * np.sqrt(bell), (1 - u**2) * bell])
    x = 2 * forms[y, np.arange(3000)] + 0.35 * rng.normal(size=(3000, 48))
    model = keras.Sequential([keras.Input((48,))])
    for width in (96, 96):
        model.add(layers.Dense(width, "tanh", kernel_initializer=start))
        model.add(layers.Dropout(0.2))
    model.add(layers.Dense(3, "softmax"))
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    a, b, ya, yb = train_test_split(x.astype("float32"), y, random_state=1)
    return model, dict(x=a, y=ya, validation_data=(b, yb), epochs=40, batch_size=750)


@healthy
def pulses() -> Made:
    """Form of a pulse at an unknown place, three steps an epoch."""
    return pulses_fit("glorot_uniform")


@faulty("bad_initialization", twin="pulses", accepted=("saturated_activations",))
def pulses_wide_start() -> Made:
    """Normal weights of deviation 1 at the start, so that tanh sits at its ends."""
    return pulses_fit(keras.initializers.RandomNormal(stddev=1.0, seed=9))
