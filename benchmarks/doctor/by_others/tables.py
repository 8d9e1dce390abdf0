"""Dense networks on tables: sklearn's real ones, three csv files and made ones."""

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from registry import Made, faulty, healthy
from sklearn import datasets
from sklearn.model_selection import train_test_split

DATA = "/work/main/data/"


def split(*arrays: np.ndarray, seed: int = 7, share: float = 0.25, **more) -> list:
    """Cut arrays at random in rows for training and rows for validation."""
    return train_test_split(*arrays, test_size=share, random_state=seed, **more)


def scale(train: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standardize both by the mean and the deviation of the training rows."""
    mean, dev = train.mean(axis=0), train.std(axis=0) + 1e-9
    return ((train - mean) / dev).astype("float32"), ((valid - mean) / dev).astype(
        "float32"
    )


def sigmoid_of(score: np.ndarray) -> np.ndarray:
    """Logistic function."""
    return 1 / (1 + np.exp(-score))


def fit_args(x, y, xv, yv, epochs: int, batch: int = 32, **more) -> dict:
    """Arguments of fit with separate validation rows."""
    return {
        "x": x,
        "y": y,
        "validation_data": (xv, yv),
        "epochs": epochs,
        "batch_size": batch,
        **more,
    }


# --- Breast cancer: binary -------------------------------------------------------


def cancer_rows() -> list:
    """Breast cancer's 30 measurements, split within the classes."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return split(x, y, stratify=y)


def cancer_net() -> keras.Model:
    """One small hidden layer with weight decay for breast cancer."""
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(
                12,
                activation="relu",
                kernel_regularizer=keras.regularizers.L2(3e-3),
            ),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(4e-3),
        loss="binary_crossentropy",
        metrics=["accuracy", "AUC"],
    )
    return model


def patient_stop(patience: int = 6) -> keras.callbacks.Callback:
    """Early stopping on the validation loss that keeps the best weights."""
    return keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=patience, restore_best_weights=True
    )


@healthy
def cancer_early_stopping() -> Made:
    """Breast cancer, standardized, with early stopping on the validation loss."""
    x, xv, y, yv = cancer_rows()
    x, xv = scale(x, xv)
    return cancer_net(), fit_args(x, y, xv, yv, 40, callbacks=[patient_stop()])


@faulty("label_encoding", twin="cancer_early_stopping", accepted=("wrong_loss",))
def cancer_signs_as_labels() -> Made:
    """Labels left as -1 and +1, as support vector machines want them."""
    x, xv, y, yv = cancer_rows()
    x, xv = scale(x, xv)
    y, yv = 2 * y - 1, 2 * yv - 1
    return cancer_net(), fit_args(x, y, xv, yv, 40, callbacks=[patient_stop()])


@faulty("shuffled_labels", twin="cancer_early_stopping", accepted=("label_noise",))
def cancer_only_features_resampled() -> Made:
    """The table was shuffled with sample(frac=1), the label column was not."""
    frame = datasets.load_breast_cancer(as_frame=True)
    table = frame.data.sample(frac=1, random_state=3).to_numpy()
    x, xv, y, yv = split(table, frame.target.to_numpy())
    x, xv = scale(x, xv)
    return cancer_net(), fit_args(x, y, xv, yv, 40)


def batchnorm_first(momentum: float) -> keras.Model:
    """Batch normalization takes the place of a scaler in front of a small network."""
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.BatchNormalization(momentum=momentum),
            layers.Dense(8, activation="gelu"),
            layers.Dropout(0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


@healthy
def cancer_raw_through_batchnorm() -> Made:
    """Raw measurements of mixed scale, which a first batch normalization evens out."""
    x, xv, y, yv = cancer_rows()
    return batchnorm_first(0.9), fit_args(x, y, xv, yv, 40)


@faulty("batchnorm_misuse", twin="cancer_raw_through_batchnorm")
def cancer_batchnorm_slow_averages() -> Made:
    """Momentum 0.9995: moving averages stay near their start in a short training."""
    x, xv, y, yv = cancer_rows()
    return batchnorm_first(0.9995), fit_args(x, y, xv, yv, 40)


# --- Wine: three classes, few rows -----------------------------------------------


def wine_net(rate: float = 0.3) -> keras.Model:
    """Small tanh network for wine by plain gradient descent."""
    model = keras.Sequential(
        [
            keras.Input((13,)),
            layers.Dense(10, activation="tanh"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


@healthy
def wine_whole_table_per_step() -> Made:
    """One step an epoch with all rows and a high rate of plain gradient descent."""
    x, y = datasets.load_wine(return_X_y=True)
    x, xv, y, yv = split(x, y, stratify=y)
    x, xv = scale(x, xv)
    return wine_net(), fit_args(x, y, xv, yv, 60, batch=len(x))


@faulty("not_shuffled", twin="wine_whole_table_per_step")
def wine_split_of_sorted_rows() -> Made:
    """validation_split on a table sorted by class: the last class isn't trained."""
    x, y = datasets.load_wine(return_X_y=True)
    x, _ = scale(x, x)
    return wine_net(), {
        "x": x,
        "y": y,
        "validation_split": 0.25,
        "epochs": 60,
        "batch_size": len(x),
    }


@faulty("label_encoding", twin="wine_whole_table_per_step")
def wine_classes_from_one() -> Made:
    """Cultivars numbered 1, 2, 3 as in the original file, for three outputs."""
    x, y = datasets.load_wine(return_X_y=True)
    x, xv, y, yv = split(x, y + 1, stratify=y)
    x, xv = scale(x, xv)
    return wine_net(), fit_args(x, y, xv, yv, 60, batch=len(x))


# --- Iris: sigmoid units ---------------------------------------------------------


def iris_net(depth: int) -> keras.Model:
    """Sigmoid layers of eight units each before a softmax."""
    model = keras.Sequential([keras.Input((4,))])
    for _ in range(depth):
        model.add(layers.Dense(8, activation="sigmoid"))
    model.add(layers.Dense(3, activation="softmax"))
    model.compile(
        optimizer=keras.optimizers.SGD(0.3, momentum=0.9),
        loss="categorical_crossentropy",
        metrics=["categorical_accuracy"],
    )
    return model


def iris_fit() -> dict:
    """Iris with one-hot classes, standardized, a third for validation."""
    x, y = datasets.load_iris(return_X_y=True)
    x, xv, y, yv = split(x, y, stratify=y, share=1 / 3)
    x, xv = scale(x, xv)
    return fit_args(x, np.eye(3)[y], xv, np.eye(3)[yv], 30, batch=20)


@healthy
def iris_sigmoid_layer() -> Made:
    """A hundred rows and one sigmoid layer at a high rate with momentum."""
    return iris_net(1), iris_fit()


@faulty("vanishing_gradients", twin="iris_sigmoid_layer")
def iris_nine_sigmoid_layers() -> Made:
    """Nine sigmoid layers in a row: hardly a gradient comes to the first ones."""
    return iris_net(9), iris_fit()


# --- Digits: ten classes ---------------------------------------------------------


def digits_rows() -> list:
    """Digits' 64 pixels between zero and one, split within the classes."""
    x, y = datasets.load_digits(return_X_y=True)
    return split((x / 16).astype("float32"), y, stratify=y)


def digits_net(drop: float = 0.15, rate: float = 1e-3, loss=None) -> keras.Model:
    """Two hidden layers with dropout that give logits."""
    inputs = keras.Input((64,), name="pixels")
    hidden = layers.Dense(64, activation="relu")(inputs)
    hidden = layers.Dropout(drop)(hidden)
    hidden = layers.Dense(32, activation="relu")(hidden)
    hidden = layers.Dropout(drop)(hidden)
    model = keras.Model(inputs, layers.Dense(10, name="logits")(hidden))
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


@healthy
def digits_logits_dropout() -> Made:
    """Digits by a plain network with logits and light dropout."""
    x, xv, y, yv = digits_rows()
    return digits_net(), fit_args(x, y, xv, yv, 32, batch=48)


@faulty("dropout_too_high", twin="digits_logits_dropout")
def digits_kept_share_as_rate() -> Made:
    """Dropout(0.85) by someone who took the number for the share that is kept."""
    x, xv, y, yv = digits_rows()
    return digits_net(drop=0.85), fit_args(x, y, xv, yv, 32, batch=48)


@faulty(
    "learning_rate_too_high",
    twin="digits_logits_dropout",
    accepted=("dying_relu", "oscillation", "exploding_gradients"),
)
def digits_adam_at_rate_of_sgd() -> Made:
    """Adam at 0.3, a rate that was carried over from plain gradient descent."""
    x, xv, y, yv = digits_rows()
    return digits_net(rate=0.3), fit_args(x, y, xv, yv, 32, batch=48)


@faulty("label_noise", twin="digits_logits_dropout")
def digits_careless_typists() -> Made:
    """Nearly half of the labels were typed at random, in both parts of the table."""
    x, xv, y, yv = digits_rows()
    rng = np.random.default_rng(5)
    wrong = [
        np.where(rng.random(len(a)) < 0.45, rng.integers(0, 10, len(a)), a)
        for a in (y, yv)
    ]
    return digits_net(), fit_args(x, wrong[0], xv, wrong[1], 32, batch=48)


@faulty(
    "from_logits_mismatch",
    twin="digits_logits_dropout",
    accepted=("wrong_output_activation",),
)
def digits_logits_as_probabilities() -> Made:
    """The loss by its name expects probabilities, the last layer gives logits."""
    x, xv, y, yv = digits_rows()
    model = digits_net(loss="sparse_categorical_crossentropy")
    return model, fit_args(x, y, xv, yv, 32, batch=48)


@faulty("undertrained", twin="digits_logits_dropout")
def digits_stop_upside_down() -> Made:
    """Early stopping with mode="min" on accuracy ends the training while it rises."""
    x, xv, y, yv = digits_rows()
    stop = keras.callbacks.EarlyStopping(monitor="val_accuracy", mode="min", patience=2)
    return digits_net(), fit_args(x, y, xv, yv, 32, batch=48, callbacks=[stop])


# --- Diabetes progression: regression with a low ceiling -------------------------


def progression(head: str) -> Made:
    """Diabetes progression, standardized target, gradient descent and weight decay."""
    x, y = datasets.load_diabetes(return_X_y=True)
    x, xv, y, yv = split(x, y[:, None])
    (x, xv), (y, yv) = scale(x, xv), scale(y, yv)
    model = keras.Sequential(
        [
            keras.Input((10,)),
            layers.Dense(6, "elu", kernel_regularizer=keras.regularizers.L2(0.01)),
            layers.Dense(1, head),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.02, momentum=0.8, nesterov=True),
        "mse",
        metrics=[keras.metrics.R2Score(name="r2")],
    )
    return model, fit_args(x, y, xv, yv, 20, batch=16)


@healthy
def progression_low_ceiling() -> Made:
    """Disease progression: half of the variance is all that these ten columns tell."""
    return progression("linear")


@faulty("wrong_output_activation", twin="progression_low_ceiling")
def progression_relu_head() -> Made:
    """relu on the output, since "progression is positive", for standardized targets."""
    return progression("relu")


# --- Pima diabetes: medical table with zeros for missing values ------------------


def pima_rows() -> list:
    """Pima table with medians and flags where a zero means that nobody measured."""
    table = pd.read_csv(DATA + "diabetes.csv")
    y = table.pop("Outcome").to_numpy()
    holes = ["Glucose", "BloodPressure", "SkinThickness", "Insulin", "BMI"]
    flags = (table[["SkinThickness", "Insulin"]] == 0).add_suffix("_missing")
    table[holes] = table[holes].mask(table[holes] == 0)
    table = table.fillna(table.median()).join(flags.astype(float))
    x, xv, y, yv = split(table.to_numpy(), y, stratify=y, seed=11)
    return [*scale(x, xv), y, yv]


def binary_net(columns: int, units: tuple, drop: float, rate: float) -> keras.Model:
    """relu layers with dropout and one sigmoid, judged by AUC and recall."""
    model = keras.Sequential([keras.Input((columns,))])
    for n in units:
        model.add(layers.Dense(n, activation="relu"))
        model.add(layers.Dropout(drop))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-3),
        loss="binary_crossentropy",
        metrics=[
            "accuracy",
            keras.metrics.AUC(name="auc"),
            keras.metrics.Recall(name="recall"),
        ],
    )
    return model


@healthy
def pima_class_weights() -> Made:
    """Pima: weights favour recall over accuracy; nobody gets far above 0.83 AUC."""
    x, xv, y, yv = pima_rows()
    model = binary_net(x.shape[1], (16,), 0.3, 3e-3)
    return model, fit_args(x, y, xv, yv, 20, class_weight={0: 0.77, 1: 1.43})


@faulty("overfitting", twin="pima_class_weights")
def pima_wide_and_long() -> Made:
    """Two layers of 256 without dropout memorize six hundred patients."""
    x, xv, y, yv = pima_rows()
    model = binary_net(x.shape[1], (256, 256), 0.0, 1e-3)
    return model, fit_args(x, y, xv, yv, 40, class_weight={0: 0.77, 1: 1.43})


# --- Rare defects: one part in thirty --------------------------------------------


def defects(seed: int = 21, rows: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """Sensor readings; rare defects by a product of two and a sum of others."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 12)).astype("float32")
    score = 0.8 * x[:, 0] * x[:, 1] + 1.1 * x[:, 2] - 0.9 * x[:, 3] - 4.6
    return x, (rng.random(rows) < sigmoid_of(score)).astype("float32")


def defects_fit(weights: dict | None) -> Made:
    """Defects with the given weights of the classes."""
    x, y = defects()
    x, xv, y, yv = split(x, y, stratify=y)
    model = binary_net(12, (24,), 0.1, 3e-3)
    return model, fit_args(x, y, xv, yv, 12, batch=128, class_weight=weights)


@healthy
def defects_weighted() -> Made:
    """Rare defects with balancing weights: accuracy falls, recall is what counts."""
    return defects_fit({0: 0.52, 1: 14.0})


@faulty("class_imbalance", twin="defects_weighted")
def defects_unweighted() -> Made:
    """Nothing is done about one defect in thirty parts: hardly one is reported."""
    return defects_fit(None)


@faulty("data_leakage")
def defects_copied_before_split() -> Made:
    """The rare rows are copied until balance, and only then the table is split."""
    x, y = defects(seed=22, rows=2500)
    rng = np.random.default_rng(0)
    rare = rng.choice(np.flatnonzero(y == 1), size=int((y == 0).sum()))
    rows = rng.permutation(np.concatenate([np.flatnonzero(y == 0), rare]))
    model = binary_net(12, (64, 32), 0.1, 2e-3)
    return model, {
        "x": x[rows],
        "y": y[rows],
        "validation_split": 0.25,
        "epochs": 15,
        "batch_size": 64,
    }


# --- Fuel consumption: raw columns, natural unit ---------------------------------


def mpg_fit(inside: bool) -> Made:
    """Miles per gallon from raw columns, with or without a Normalization layer."""
    table = pd.read_csv(DATA + "auto_mpg.csv").drop(columns="name")
    y = table.pop("mpg").to_numpy("float32")
    x = pd.get_dummies(table, columns=["origin"]).to_numpy("float32")
    x, xv, y, yv = split(x, y, share=0.2)
    inputs = keras.Input((x.shape[1],))
    hidden = inputs
    if inside:
        norm = layers.Normalization()
        norm.adapt(x)
        hidden = norm(hidden)
    hidden = layers.Dense(16, activation="relu")(hidden)
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    model.compile(keras.optimizers.Adam(0.02), "mae", metrics=["mse"])
    return model, fit_args(x, y, xv, yv, 40, batch=32)


@healthy
def mpg_normalization_inside() -> Made:
    """Raw columns and miles per gallon as they are; the network scales by itself."""
    return mpg_fit(True)


@faulty("unscaled_inputs", twin="mpg_normalization_inside")
def mpg_raw_columns() -> Made:
    """Weight in pounds beside flags of zero and one, without any scaling."""
    return mpg_fit(False)


# --- Flights: high-cardinality columns and noisy delays --------------------------


def flights() -> pd.DataFrame:
    """Flights that arrived and whose weather is known, in random order."""
    table = pd.read_csv(DATA + "flights.csv")
    table["month"] = table["date"].str[5:7].astype(int)
    need = ["arrival_delay", "air_time", "departure_delay", "wind_speed"]
    need += ["temperature", "humidity", "precipitation", "visibility"]
    return table.dropna(subset=need).sample(frac=1, random_state=2)


def codes(part: pd.DataFrame, known: pd.DataFrame) -> dict[str, np.ndarray]:
    """Number categories in the order in which `known` shows them; 0 is unknown."""
    found = {}
    for name in ("carrier", "origin", "destination"):
        order = {v: i + 1 for i, v in enumerate(known[name].unique())}
        found[name] = part[name].map(order).fillna(0).to_numpy("int32")
    found["month"] = part["month"].to_numpy("int32")
    return found


def route_net() -> keras.Model:
    """An embedding for each category, then a small network for hours in the air."""
    sizes = {"carrier": 20, "origin": 6, "destination": 110, "month": 13}
    inputs = {k: keras.Input((1,), name=k, dtype="int32") for k in sizes}
    parts = [layers.Flatten()(layers.Embedding(sizes[k], 4)(inputs[k])) for k in sizes]
    hidden = layers.Dense(32, activation="relu")(layers.Concatenate()(parts))
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    model.compile("adam", keras.losses.Huber(), metrics=["mae"])
    return model


def route_fit(own_codes: bool) -> Made:
    """Hours in the air by route, carrier and month."""
    table = flights()
    train, valid = table.iloc[:8000], table.iloc[8000:]
    x = codes(train, train)
    xv = codes(valid, valid if own_codes else train)
    y, yv = (t["air_time"].to_numpy("float32") / 60 for t in (train, valid))
    return route_net(), fit_args(x, y, xv, yv, 10, batch=64)


@healthy
def air_time_by_embeddings() -> Made:
    """Hours in the air from embedded categories alone, fed as a dictionary."""
    return route_fit(own_codes=False)


@faulty("preprocessing_mismatch", twin="air_time_by_embeddings")
def air_time_codes_of_each_part() -> Made:
    """Categories are numbered anew for the validation rows: other airports' codes."""
    return route_fit(own_codes=True)


def late_fit(extra: tuple[str, ...]) -> Made:
    """Will the flight be late by a quarter of an hour, by schedule and weather?"""
    table = flights()
    y = (table["arrival_delay"] > 15).to_numpy("float32")
    names = ["hour", "distance", "temperature", "humidity", "wind_speed"]
    names += ["precipitation", "visibility", *extra]
    x = pd.get_dummies(
        table[[*names, "carrier", "origin", "month"]],
        columns=["carrier", "origin", "month"],
    ).to_numpy("float32")
    cut = 8500
    x, xv = scale(x[:cut], x[cut:])
    model = binary_net(x.shape[1], (24,), 0.3, 2e-3)
    weights = {0: 0.65, 1: 2.16}
    return model, fit_args(x, y[:cut], xv, y[cut:], 8, batch=128, class_weight=weights)


@healthy
def late_by_schedule_and_weather() -> Made:
    """Late arrivals are hard to foresee: an AUC near 0.7 is what there is."""
    return late_fit(())


@faulty("data_leakage", twin="late_by_schedule_and_weather")
def late_with_the_delay_inside() -> Made:
    """The column from which the label was made stayed among the features."""
    return late_fit(("arrival_delay",))


def pinball(level: float):
    """Loss whose minimum is the quantile at this level."""

    def loss(true, guess):
        """Weigh what lies above the guess by the level, the rest by what remains."""
        gap = true - guess
        return ops.mean(ops.maximum(level * gap, (level - 1) * gap), axis=-1)

    return loss


@healthy
def delay_ninetieth_percentile() -> Made:
    """Upper bound of the arrival delay, in ten minutes, by a loss for quantiles."""
    table = flights()
    names = ["departure_delay", "hour", "distance", "wind_speed", "month"]
    x, y = table[names].to_numpy(), table[["arrival_delay"]].to_numpy("float32") / 10
    x, xv = scale(x[:8000], x[8000:])
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(24, "swish"),
            layers.Dense(24, "swish"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), loss=pinball(0.9))
    return model, fit_args(x, y[:8000], xv, y[8000:], 12, batch=100)


# --- Tags: several labels a row --------------------------------------------------


def tags(head: str) -> Made:
    """Documents by word counts with none to several of six tags."""
    x, y = datasets.make_multilabel_classification(
        n_samples=3000,
        n_features=40,
        n_classes=6,
        n_labels=3,
        length=120,
        random_state=4,
    )
    x, xv, y, yv = split(np.log1p(x), y.astype("float32"))
    x, xv = scale(x, xv)
    model = keras.Sequential(
        [
            keras.Input((40,)),
            layers.Dense(32, activation="leaky_relu"),
            layers.Dropout(0.2),
            layers.Dense(6, activation=head),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Nadam(1e-3),
        loss="binary_crossentropy",
        metrics=["binary_accuracy", keras.metrics.AUC(multi_label=True, name="auc")],
    )
    return model, fit_args(x, y, xv, yv, 15, batch=50)


@healthy
def tags_by_sigmoids() -> Made:
    """Several tags a document, one sigmoid for each."""
    return tags("sigmoid")


@faulty("wrong_output_activation", twin="tags_by_sigmoids", accepted=("wrong_loss",))
def tags_by_softmax() -> Made:
    """A softmax shares one unit of probability among several true tags."""
    return tags("softmax")


# --- Campaign: a cross of two categories -----------------------------------------


def campaign(activation: str | None) -> Made:
    """Clicks depend on which advert meets which group, on neither alone."""
    rng = np.random.default_rng(13)
    advert, group = rng.integers(0, 10, 5000), rng.integers(0, 10, 5000)
    likes = (rng.permutation(10)[advert] + rng.permutation(10)[group]) % 2
    y = (rng.random(5000) < np.where(likes, 0.9, 0.1)).astype("float32")
    x = np.hstack([np.eye(10)[advert], np.eye(10)[group]]).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(32, activation=activation),
            layers.Dense(16, activation=activation),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "bce", metrics=["accuracy"])
    return model, {
        "x": x,
        "y": y,
        "validation_split": 0.2,
        "epochs": 12,
        "batch_size": 64,
    }


@healthy
def campaign_parity_of_categories() -> Made:
    """A pure cross of two one-hot columns with a tenth of chance in each click."""
    return campaign("relu")


@faulty(
    "missing_nonlinearity",
    twin="campaign_parity_of_categories",
    accepted=("underfitting",),
)
def campaign_linear_stack() -> Made:
    """The activations of the hidden layers were forgotten, so no cross is learned."""
    return campaign(None)


# --- Claims: counts with exposure ------------------------------------------------


def claims_fit(digest) -> Made:
    """Counts of claims by risk and exposure; `digest` prepares the former damage."""
    rng = np.random.default_rng(17)
    x = rng.normal(size=(6000, 6)).astype("float32")
    x[:, 5] = digest(np.maximum(rng.normal(1.5, 1.2, size=6000), 0.0))
    volume = np.log(rng.uniform(0.1, 1.0, size=(6000, 1))).astype("float32")
    score = 0.5 * x[:, 0] - 0.4 * x[:, 1] + 0.5 * np.sin(2 * x[:, 2]) - 0.2
    y = rng.poisson(np.exp(score[:, None] + volume)).astype("float32")
    risk, offset = keras.Input((6,)), keras.Input((1,))
    hidden = layers.Dense(16, activation="tanh")(risk)
    total = layers.Add()([layers.Dense(1)(hidden), offset])
    model = keras.Model([risk, offset], layers.Activation("exponential")(total))
    model.compile(keras.optimizers.Adam(5e-3), loss="poisson")
    train, valid = [x[:4500], volume[:4500]], [x[4500:], volume[4500:]]
    return model, fit_args(train, y[:4500], valid, y[4500:], 22, batch=64)


@healthy
def claims_poisson_offset() -> Made:
    """Rare counts by a Poisson loss, which falls little since chance rules them."""
    return claims_fit(np.log1p)


@faulty("nonfinite_data", twin="claims_poisson_offset")
def claims_log_of_zero() -> Made:
    """log in place of log1p: customers without damage get minus infinity."""
    with np.errstate(divide="ignore"):
        return claims_fit(np.log)


# --- Scorecard: no hidden layer --------------------------------------------------


@healthy
def scorecard_without_hidden_layer() -> Made:
    """Logistic regression of defaults on purpose; the coin flips above it are real."""
    rng = np.random.default_rng(31)
    amounts = rng.normal(size=(4000, 8))
    region = np.eye(5)[rng.integers(0, 5, 4000)]
    x = np.hstack([amounts, region]).astype("float32")
    score = x @ (rng.normal(size=13) * 0.45)
    y = (rng.random(4000) < sigmoid_of(score - score.mean())).astype("int32")
    model = keras.Sequential([keras.Input((13,)), layers.Dense(1, "sigmoid")])
    model.compile(
        keras.optimizers.SGD(0.2), "binary_crossentropy", metrics=["accuracy", "AUC"]
    )
    return model, {"x": x, "y": y, "validation_split": 0.25, "epochs": 15}


# --- Fixed random features -------------------------------------------------------


@healthy
def spirals_over_frozen_cosines() -> Made:
    """Random cosine features stay fixed on purpose; only the last layer learns."""
    rng = np.random.default_rng(41)
    turn, arm = rng.uniform(0.6, 3.0, 3000), rng.integers(0, 2, 3000)
    angle = turn * 2.6 + np.pi * arm
    x = np.stack([turn * np.cos(angle), turn * np.sin(angle)], axis=1)
    x = (x + rng.normal(scale=0.35, size=x.shape)).astype("float32")
    cosines = layers.Dense(
        150,
        activation=ops.cos,
        kernel_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=1),
        bias_initializer=keras.initializers.RandomUniform(0, 6.28, seed=2),
        trainable=False,
    )
    model = keras.Sequential([keras.Input((2,)), cosines, layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(5e-3), "bce", metrics=["accuracy"])
    return model, fit_args(x[:2200], arm[:2200], x[2200:], arm[2200:], 20)


# --- Ratings: factors of guests and dishes ---------------------------------------


def ratings_fit(penalty: float, learn: bool = True) -> Made:
    """Ratings by the product of embeddings of guest and dish."""
    rng = np.random.default_rng(51)
    guest, dish = rng.integers(0, 80, 9000), rng.integers(0, 50, 9000)
    u, v = rng.normal(size=(80, 2)), rng.normal(size=(50, 2))
    y = (u[guest] * v[dish]).sum(axis=1) + rng.normal(scale=0.5, size=9000)
    y = y.astype("float32")[:, None]
    ends = [keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")]
    looks = [
        layers.Embedding(
            n,
            4,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=0.3),
            embeddings_regularizer=keras.regularizers.L2(penalty),
            trainable=learn,
        )(end)
        for n, end in zip((80, 50), ends, strict=True)
    ]
    product = layers.Flatten()(layers.Multiply()(looks))
    model = keras.Model(ends, layers.Dense(1)(product))
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    train, valid = [guest[:7000], dish[:7000]], [guest[7000:], dish[7000:]]
    return model, fit_args(train, y[:7000], valid, y[7000:], 20, batch=100)


@healthy
def ratings_product_of_embeddings() -> Made:
    """Matrix factorization: taste is a product, guest and dish alone tell nothing."""
    return ratings_fit(1e-5)


@faulty("over_regularized", twin="ratings_product_of_embeddings")
def ratings_heavy_penalty() -> Made:
    """L2 of 0.05 on whole embedding tables presses every taste to zero."""
    return ratings_fit(0.05)


@faulty(
    "frozen_layers",
    twin="ratings_product_of_embeddings",
    accepted=("underfitting",),
)
def ratings_untrained_embeddings() -> Made:
    """Random embedding tables were frozen as if they had been trained before."""
    return ratings_fit(1e-5, learn=False)


# --- Salaries: targets of tens of thousands --------------------------------------


def salaries() -> list:
    """Pay in euros grows by factors with schooling, years and job."""
    rng = np.random.default_rng(61)
    x = np.hstack([rng.normal(size=(3000, 5)), np.eye(6)[rng.integers(0, 6, 3000)]])
    lift = 0.25 * x[:, 0] + 0.15 * x[:, 1] * x[:, 2] + x[:, 5:] @ rng.normal(size=6) / 4
    pay = 48000 * np.exp(lift + rng.normal(scale=0.12, size=3000))
    return split(x.astype("float32"), pay.astype("float32")[:, None])


def salary_net(rate) -> keras.Model:
    """Two selu layers for pay."""
    model = keras.Sequential(
        [
            keras.Input((11,)),
            layers.Dense(32, "selu", kernel_initializer="lecun_normal"),
            layers.Dense(16, "selu", kernel_initializer="lecun_normal"),
            layers.Dense(1),
        ]
    )
    model.compile(
        keras.optimizers.Adam(rate),
        "mean_squared_error",
        metrics=[keras.metrics.R2Score(name="r2")],
    )
    return model


def salary_fit(rate) -> Made:
    """Standardized logarithm of pay at the given rate or schedule."""
    x, xv, y, yv = salaries()
    y, yv = scale(np.log(y), np.log(yv))
    return salary_net(rate), fit_args(x, y, xv, yv, 20, batch=32)


@healthy
def salary_log_cosine_to_zero() -> Made:
    """The logarithm of pay, by a cosine schedule whose rate ends at zero."""
    steps = 71 * 20
    return salary_fit(keras.optimizers.schedules.CosineDecay(5e-3, steps))


@faulty(
    "unscaled_targets",
    twin="salary_log_cosine_to_zero",
    accepted=("learning_rate_too_low", "undertrained"),
)
def salary_in_euros() -> Made:
    """Euros a year as they are, by squared error: the network never gets there."""
    x, xv, y, yv = salaries()
    rate = keras.optimizers.schedules.CosineDecay(5e-3, 71 * 20)
    return salary_net(rate), fit_args(x, y, xv, yv, 20, batch=32)


@faulty(
    "learning_rate_too_low",
    twin="salary_log_cosine_to_zero",
    accepted=("underfitting", "undertrained"),
)
def salary_decay_counts_steps() -> Made:
    """decay_steps meant as epochs: the rate is gone within the first epoch."""
    schedule = keras.optimizers.schedules.ExponentialDecay(5e-3, 1, 0.8)
    return salary_fit(schedule)
