"""Trainings as people bring them to question-and-answer sites, sick and sound."""

import keras
import numpy as np
from keras import layers
from registry import faulty, healthy
from sklearn.datasets import make_classification

SPARSE = "sparse_categorical_crossentropy"
BINARY = "binary_crossentropy"


def cut(x, y, k):
    """Split rows at number k into the training and the validation part."""
    return {"x": x[:k], "y": y[:k], "validation_data": (x[k:], y[k:])}


def standard(x, k):
    """Standardize columns by the first k rows."""
    return (x - x[:k].mean(0)) / x[:k].std(0)


def r2():
    """The share of variance explained."""
    return keras.metrics.R2Score(name="r2")


# ---------------------------------------------------------------- made data


def ring_rows(n=2400, seed=11):
    """Points of a plane; class one is a ring around the middle, 3 % are flipped."""
    r = np.random.default_rng(seed)
    x = r.uniform(-2.5, 2.5, (n, 2)).astype("float32")
    d = np.hypot(x[:, 0], x[:, 1])
    y = ((d > 0.9) & (d < 2.0)) ^ (r.random(n) < 0.03)
    return x, y.astype("float32")


def cluster_rows(n=3000, kinds=5, seed=5):
    """Five classes of two clusters each in 16 columns."""
    x, y = make_classification(
        n,
        16,
        n_informative=9,
        n_redundant=2,
        n_classes=kinds,
        flip_y=0.0,
        n_clusters_per_class=2,
        class_sep=2.0,
        random_state=seed,
    )
    return standard(x, n * 3 // 4).astype("float32"), y.astype("int32")


def pictures(n=1600, side=14, seed=3):
    """Grey pictures 0..255 of bars across, bars down, slanted bars and a disc."""
    r = np.random.default_rng(seed)
    v, u = np.mgrid[:side, :side]
    y = r.integers(0, 4, n)
    x = np.empty((n, side, side, 1), "float32")
    for i, kind in enumerate(y):
        phase, step = r.uniform(0, 6.3), r.uniform(1.2, 1.8)
        a, b = r.uniform(4, side - 4, 2)
        disc = 1.0 - 2.0 * (np.hypot(u - a, v - b) > 3.2)
        bars = [np.sin(step * w + phase) for w in (v, u, (u + v) * 0.7)]
        made = [*bars, disc][kind] * r.uniform(25, 70)
        x[i, ..., 0] = 110 + made + r.normal(0, 35, (side, side))
    return x.clip(0, 255), y.astype("int32")


def customers(n=2400, seed=21):
    """Age, income, calls, contract months, debt share; churn with natural chance."""
    r = np.random.default_rng(seed)
    z = r.normal(size=(n, 5))
    score = 2.2 * z[:, 0] * z[:, 2] + 1.6 * np.abs(z[:, 1]) - 1.3 + 1.2 * z[:, 3]
    y = r.random(n) < 1 / (1 + np.exp(-1.6 * score))
    centre = np.array([44, 52_000, 12, 60, 0.4])
    spread = np.array([13, 17_000, 4, 22, 0.12])
    return (centre + spread * z).astype("float32"), y.astype("float32")


def houses(n=1500, seed=8):
    """Area, rooms, age, distance (standardized) and the price in dollars."""
    r = np.random.default_rng(seed)
    z = r.normal(size=(n, 4)).astype("float32")
    price = 310_000 + 80_000 * z[:, 0] + 25_000 * z[:, 1] - 30_000 * z[:, 2]
    price += 20_000 * z[:, 0] * z[:, 3] - 25_000 * np.tanh(2 * z[:, 3])
    price += r.normal(0, 25_000, n)
    return z, price.astype("float32")[:, None]


def surface(n=1600, seed=4):
    """A wavy surface over two coordinates with a little noise."""
    r = np.random.default_rng(seed)
    x = r.uniform(-1, 1, (n, 2)).astype("float32")
    y = np.sin(3.5 * x[:, 0]) * np.cos(3 * x[:, 1]) + r.normal(0, 0.08, n)
    return x, y.astype("float32")[:, None]


# ------------------------------------------------------- two classes, a ring


def ring(head="sigmoid", hidden="relu", init="he_normal", rate=0.005):
    """A network of two hidden layers for the ring."""
    x, y = ring_rows()
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(24, activation=hidden, kernel_initializer=init),
            layers.Dense(24, activation=hidden, kernel_initializer=init),
            layers.Dense(1, activation=head, kernel_initializer=init),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), BINARY, metrics=["accuracy"])
    return model, {**cut(x, y, 1800), "epochs": 30, "batch_size": 32}


@healthy
def ring_two_layers():
    """A ring in the plane by two relu layers; 3 % of labels flipped by nature."""
    return ring()


@faulty("wrong_output_activation", twin="ring_two_layers")
def softmax_on_one_unit():
    """Softmax over a single unit says 1 for every row."""
    return ring(head="softmax")


@faulty("missing_nonlinearity", twin="ring_two_layers", accepted=("underfitting",))
def forgot_activations():
    """Activation left out of the hidden layers: a linear model for a ring."""
    return ring(hidden=None)


@faulty("bad_initialization", twin="ring_two_layers", accepted=("dying_relu",))
def zeros_everywhere():
    """All kernels start at zero, so that no relu unit ever gets a gradient."""
    return ring(init="zeros")


@healthy
def sigmoid_units_high_rate():
    """An old-fashioned sigmoid network with momentum at rate 1, which suits it."""
    x, y = ring_rows(seed=12)
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(
                30,
                activation="sigmoid",
                kernel_initializer=keras.initializers.RandomNormal(0, 2.0),
            ),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.SGD(1.0, 0.8), BINARY, metrics=["accuracy"])
    return model, {**cut(x, y, 1800), "epochs": 40, "batch_size": 50}


# --------------------------------------------------- five classes, clusters


def clusters(
    bias=0.0,
    l2=0.0,
    loss=SPARSE,
    rate=2e-3,
    epochs=25,
    head="softmax",
    y_of=lambda y: y,
    units=5,
):
    """A two-layer network for the five classes."""
    x, y = cluster_rows()
    model = keras.Sequential([keras.Input((16,))])
    for width in (48, 24):
        model.add(
            layers.Dense(
                width,
                activation="relu",
                bias_initializer=keras.initializers.Constant(bias),
                kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
            )
        )
    model.add(layers.Dense(units, activation=head))
    opt = rate if not isinstance(rate, float) else keras.optimizers.Adam(rate)
    model.compile(opt, loss, metrics=["accuracy"])
    return model, {**cut(x, y_of(y), 2250), "epochs": epochs, "batch_size": 50}


@healthy
def five_kinds():
    """Five classes of clusters by two relu layers."""
    return clusters()


@healthy
def five_kinds_smoothed():
    """Label smoothing of 0.2: the loss stays high by construction, the hits do not."""
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    return clusters(loss=loss, y_of=lambda y: np.eye(5, dtype="float32")[y])


@faulty("dying_relu", twin="five_kinds", accepted=("bad_initialization",))
def bias_minus_ten():
    """Biases start at -10: every hidden unit is zero for every row."""
    return clusters(bias=-10.0)


@faulty("over_regularized", twin="five_kinds", accepted=("underfitting",))
def l2_of_one():
    """An L2 penalty of 1 on each kernel."""
    return clusters(l2=1.0)


@faulty(
    "learning_rate_too_high",
    twin="five_kinds",
    accepted=("dying_relu", "oscillation", "exploding_gradients"),
)
def adam_rate_one():
    """Adam with a learning rate of 1."""
    return clusters(rate=1.0)


@faulty("learning_rate_too_low", twin="five_kinds", accepted=("undertrained",))
def adam_rate_tiny():
    """Adam with a learning rate of 1e-7, taken over from a fine-tuning recipe."""
    return clusters(rate=1e-7)


@faulty("learning_rate_too_low", twin="five_kinds", accepted=("undertrained",))
def decay_meant_per_epoch():
    """A decay meant for each epoch is applied every step; the rate dies at once."""
    decay = keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.8)
    return clusters(rate=keras.optimizers.SGD(decay, momentum=0.9))


@faulty("label_encoding", twin="five_kinds")
def labels_from_one():
    """Classes counted 1..5 with five units and a sparse loss."""
    return clusters(y_of=lambda y: y + 1)


@faulty("label_encoding", twin="five_kinds", accepted=("wrong_loss",))
def one_hot_with_sparse():
    """One-hot rows handed to the sparse loss."""
    return clusters(y_of=lambda y: np.eye(5, dtype="float32")[y])


@faulty(
    "wrong_loss",
    twin="five_kinds",
    accepted=("wrong_output_activation", "label_encoding"),
)
def class_number_by_mse():
    """Class numbers without an order fitted as a number by squared error."""
    return clusters(loss="mse", head=None, units=1, y_of=lambda y: y.astype("float32"))


@faulty(
    "wrong_output_activation",
    twin="five_kinds",
    accepted=("dying_relu", "from_logits_mismatch"),
)
def relu_as_last():
    """Relu copied to the last layer, under categorical crossentropy."""
    return clusters(
        head="relu",
        loss="categorical_crossentropy",
        y_of=lambda y: np.eye(5, dtype="float32")[y],
    )


@faulty(
    "from_logits_mismatch", twin="five_kinds", accepted=("wrong_output_activation",)
)
def logits_taken_for_shares():
    """No softmax in the network, and the loss not told that it gets logits."""
    return clusters(head=None, loss=keras.losses.SparseCategoricalCrossentropy())


@faulty("label_noise", twin="five_kinds", accepted=("shuffled_labels",))
def careless_annotators():
    """Six of ten labels were drawn at random by careless annotators."""
    r = np.random.default_rng(1)
    return clusters(
        y_of=lambda y: np.where(r.random(len(y)) < 0.6, r.integers(0, 5, len(y)), y)
    )


@faulty("undertrained", twin="five_kinds", accepted=("learning_rate_too_low",))
def three_epochs_only():
    """Plain SGD stopped after three epochs."""
    return clusters(rate=keras.optimizers.SGD(0.02), epochs=3)


@faulty("not_shuffled", twin="sorted_yet_shuffled", accepted=("oscillation",))
def class_after_class():
    """Rows sorted by class and shuffle=False: each class forgets the others."""
    model, fit = clusters(rate=keras.optimizers.SGD(0.05, momentum=0.9))
    order = np.argsort(fit["y"], kind="stable")
    fit |= {"x": fit["x"][order], "y": fit["y"][order], "shuffle": False}
    return model, fit


@healthy
def sorted_yet_shuffled():
    """Rows sorted by class, but fit shuffles them and validation has all classes."""
    model, fit = clusters(rate=keras.optimizers.SGD(0.05, momentum=0.9))
    order = np.argsort(fit["y"], kind="stable")
    fit |= {"x": fit["x"][order], "y": fit["y"][order]}
    return model, fit


def wide(drop):
    """A wide network with dropout after each of three layers."""
    x, y = cluster_rows(seed=6)
    model = keras.Sequential([keras.Input((16,))])
    for _ in range(3):
        model.add(layers.Dense(96, activation="elu"))
        model.add(layers.Dropout(drop))
    model.add(layers.Dense(5, activation="softmax"))
    model.compile(keras.optimizers.Nadam(2e-3), SPARSE, metrics=["accuracy"])
    return model, {**cut(x, y, 2250), "epochs": 35, "batch_size": 64}


@healthy
def wide_with_half_dropped():
    """Dropout of a half in a wide network: training looks worse than validation."""
    return wide(0.5)


@faulty("dropout_too_high", twin="wide_with_half_dropped", accepted=("underfitting",))
def dropout_of_095():
    """Dropout taken for the share to keep: 95 % of the units are dropped."""
    return wide(0.95)


def deep(act, init, rate, epochs=15):
    """Ten narrow layers, one after the other."""
    x, y = cluster_rows(seed=7)
    model = keras.Sequential([keras.Input((16,))])
    for _ in range(10):
        model.add(layers.Dense(32, activation=act, kernel_initializer=init))
    model.add(layers.Dense(5, activation="softmax"))
    opt = keras.optimizers.SGD(rate, momentum=0.9)
    model.compile(opt, SPARSE, metrics=["accuracy"])
    return model, {**cut(x, y, 2250), "epochs": epochs, "batch_size": 64}


@healthy
def ten_selu_layers():
    """Ten layers deep, held together by selu and LeCun's initialization."""
    return deep("selu", "lecun_normal", 0.003)


@faulty(
    "vanishing_gradients", twin="ten_selu_layers", accepted=("saturated_activations",)
)
def ten_sigmoid_layers():
    """Ten sigmoid layers: nothing of the gradient reaches the first ones."""
    return deep("sigmoid", "glorot_uniform", 0.003)


# ------------------------------------------------------------------ pictures


def conv(norm=True):
    """A small convolutional network for the pictures."""
    model = keras.Sequential([keras.Input((14, 14, 1))])
    if norm:
        model.add(layers.Rescaling(1 / 127.5, -1))
    for n in (8, 16):
        model.add(layers.Conv2D(n, 3, activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(4, activation="softmax"))
    return model


def seen(model, x, y, rate=3e-3, epochs=15, **more):
    """Compile for the pictures and say how to fit."""
    model.compile(keras.optimizers.RMSprop(rate), SPARSE, metrics=["accuracy"])
    return model, {"x": x, "y": y, "epochs": epochs, "batch_size": 40, **more}


@healthy
def picture_kinds():
    """Bars and discs by a small convolutional network with rescaling inside."""
    return seen(conv(), *pictures(), validation_split=0.25)


@faulty("not_shuffled", twin="picture_kinds", accepted=("label_encoding",))
def folders_read_in_order():
    """Pictures read folder by folder; validation_split takes the last class only."""
    x, y = pictures()
    order = np.argsort(y, kind="stable")
    return seen(conv(), x[order], y[order], validation_split=0.25)


@faulty("shuffled_labels", twin="picture_kinds", accepted=("label_noise",))
def shuffled_apart():
    """Pictures and labels were shuffled separately."""
    x, y = pictures()
    r = np.random.default_rng(9)
    r.shuffle(x)
    r.shuffle(y)
    return seen(conv(), x, y, validation_split=0.25)


@faulty(
    "label_encoding",
    twin="picture_kinds",
    accepted=("preprocessing_mismatch", "shuffled_labels"),
)
def other_order_of_classes():
    """Validation labels numbered by another list of class names than training's."""
    x, y = pictures()
    named = np.array([2, 3, 1, 0], "int32")
    held = (x[1200:], named[y[1200:]])
    return seen(conv(), x[:1200], y[:1200], validation_data=held)


@faulty("preprocessing_mismatch", twin="picture_kinds")
def rescaled_in_training_only():
    """Training pictures brought to -1..1, validation ones left at 0..255."""
    x, y = pictures()
    return seen(
        conv(norm=False),
        x[:1200] / 127.5 - 1,
        y[:1200],
        validation_data=(x[1200:], y[1200:]),
    )


@faulty("frozen_layers", twin="picture_kinds")
def all_layers_frozen():
    """The loop that should freeze the extractor also freezes the head."""
    model = conv()
    for layer in model.layers:
        layer.trainable = False
    return seen(model, *pictures(), validation_split=0.25)


@healthy
def borrowed_extractor():
    """A frozen extractor learned on two of the kinds serves a new head for all."""
    x, y = pictures(1200, seed=30)
    base = conv()
    base.compile("adam", SPARSE)
    base.fit(x, y, epochs=10, batch_size=40, verbose=0)
    body = keras.Model(base.inputs, base.layers[-2].output)
    body.trainable = False
    x, y = pictures(900, seed=31)
    bright = (y >= 2).astype("float32")
    model = keras.Sequential([body, layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.01), BINARY, metrics=["accuracy"])
    return model, {**cut(255 - x, bright, 600), "epochs": 25, "batch_size": 30}


# -------------------------------------------------------------- customers


def churn(x, y, *first, k=1800, epochs=30, rate=3e-3, **more):
    """A network for the customers behind the given first layers."""
    model = keras.Sequential([keras.Input((x.shape[1],)), *first])
    model.add(layers.Dense(20, activation="relu"))
    model.add(layers.Dense(10, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(rate), BINARY, metrics=["accuracy"])
    return model, {**cut(x, y, k), "epochs": epochs, "batch_size": 45, **more}


@healthy
def churn_normalized():
    """Churn that is partly chance: no model gets far beyond four of five."""
    x, y = customers()
    norm = layers.Normalization()
    norm.adapt(x[:1800])
    return churn(x, y, norm)


@faulty("unscaled_inputs", twin="churn_normalized")
def dollars_beside_shares():
    """Incomes in dollars beside shares of one, nothing scaled."""
    return churn(*customers())


@faulty("nonfinite_data", twin="churn_normalized")
def blanks_in_the_table():
    """Some incomes are missing, and the NaN went into the network."""
    x, y = customers()
    x = standard(x, 1800)
    x[np.random.default_rng(2).random(len(x)) < 0.02, 1] = np.nan
    return churn(x, y)


@faulty("data_leakage", twin="churn_normalized")
def farewell_letter():
    """A column that is only filled in after the customer has left."""
    x, y = customers()
    r = np.random.default_rng(3)
    sent = y * 30 + r.normal(0, 5, len(y))
    return churn(np.c_[standard(x, 1800), sent / 15 - 1].astype("float32"), y)


@faulty(
    "preprocessing_mismatch", twin="churn_normalized", accepted=("unscaled_inputs",)
)
def scaler_not_applied():
    """The scaler was applied to the training rows, validation rows stayed raw."""
    x, y = customers()
    z = standard(x, 1800)
    z[1800:] = x[1800:]
    return churn(z, y)


@healthy
def batchnorm_scales():
    """Raw columns, but a batch normalization in front brings them to scale."""
    return churn(*customers(), layers.BatchNormalization(momentum=0.9))


@faulty("batchnorm_misuse", twin="batchnorm_scales", accepted=("unscaled_inputs",))
def moving_mean_too_slow():
    """Few large batches and momentum 0.9995: the moving averages never arrive."""
    return churn(
        *customers(),
        layers.BatchNormalization(momentum=0.9995),
        rate=0.01,
        batch_size=300,
    )


def normed(size, epochs):
    """Batch normalization after both layers, with batches of the given size."""
    x, y = cluster_rows(1600, seed=14)
    model = keras.Sequential([keras.Input((16,))])
    for width in (32, 32):
        model.add(layers.Dense(width, use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
    model.add(layers.Dense(5, activation="softmax"))
    model.compile(keras.optimizers.Adam(3e-3), SPARSE, metrics=["accuracy"])
    return model, {**cut(x, y, 1200), "epochs": epochs, "batch_size": size}


@healthy
def batchnorm_of_60():
    """Batch normalization with batches of 60 rows."""
    return normed(60, 20)


@faulty("batchnorm_misuse", twin="batchnorm_of_60")
def batchnorm_of_two():
    """Batch normalization with two rows in a batch: each is only plus or minus."""
    return normed(2, 6)


def rare(**more):
    """Two of a hundred rows are positive and overlap with the rest."""
    r = np.random.default_rng(17)
    y = (r.random(6000) < 0.02).astype("float32")
    x = r.normal(size=(6000, 6)) + 1.0 * y[:, None] * np.array([1, 1, 1, 0, 0, 0])
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(2e-3),
        "binary_crossentropy",
        metrics=[
            "accuracy",
            keras.metrics.Recall(name="recall"),
            keras.metrics.AUC(name="auc"),
        ],
    )
    return model, {
        **cut(x.astype("float32"), y, 3500),
        "epochs": 20,
        "batch_size": 64,
        **more,
    }


@healthy
def rare_weighted():
    """Two percent positives, weighted so that they count as much as the rest."""
    return rare(class_weight={0: 0.51, 1: 25.0})


@faulty("class_imbalance", twin="rare_weighted")
def rare_ignored():
    """Two percent positives, unweighted; 98 % accuracy and none of them found."""
    return rare()


def scarce(width, l2, epochs):
    """A short, noisy table of many columns."""
    r = np.random.default_rng(23)
    x = r.normal(size=(700, 40)).astype("float32")
    p = 1 / (1 + np.exp(-1.0 * x[:, :6].sum(1)))
    y = (r.random(700) < p).astype("float32")
    reg = keras.regularizers.L2(l2) if l2 else None
    model = keras.Sequential([keras.Input((40,))])
    for _ in range(2 if width else 0):
        model.add(layers.Dense(width, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid", kernel_regularizer=reg))
    model.compile(keras.optimizers.Adam(5e-3), BINARY, metrics=["accuracy"])
    return model, {**cut(x, y, 250), "epochs": epochs, "batch_size": 25}


@healthy
def scarce_ridge():
    """250 noisy rows of 40 columns: a penalized logistic model is what they allow."""
    return scarce(0, 0.03, 60)


@faulty("overfitting", twin="scarce_ridge")
def scarce_memorized():
    """Two layers of 256 units for 250 noisy rows and no brake at all."""
    return scarce(256, 0, 40)


@faulty("data_leakage", twin="scarce_ridge")
def copied_before_split():
    """Rows were multiplied first and split later: validation holds their copies."""
    model, fit = scarce(256, 0, 25)
    pick = np.random.default_rng(5).integers(0, 250, 1000)
    return model, {**cut(fit["x"][pick], fit["y"][pick], 750), "epochs": 25}


# ------------------------------------------------------------------- numbers


def fitted(x, y, head=None, loss="mse", width=32, k=None, epochs=35, rate=5e-3):
    """A regression network of two layers."""
    model = keras.Sequential(
        [
            keras.Input((x.shape[1],)),
            layers.Dense(width, activation="gelu"),
            layers.Dense(width, activation="gelu"),
            layers.Dense(1, activation=head),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), loss, metrics=[r2()])
    return model, {
        **cut(x, y, k or len(x) * 3 // 4),
        "epochs": epochs,
        "batch_size": 32,
    }


@healthy
def wavy_surface():
    """A wavy surface by two gelu layers."""
    return fitted(*surface())


@faulty("underfitting", twin="wavy_surface")
def two_units_for_waves():
    """Two units a layer for a surface with several hills."""
    return fitted(*surface(), width=2)


@healthy
def tanh_head_in_range():
    """A tanh output, rightly so: the targets lie between -0.8 and 0.8."""
    x, y = surface(seed=40)
    return fitted(x, y / 1.6, head="tanh")


@faulty(
    "wrong_output_activation",
    twin="tanh_head_in_range",
    accepted=("saturated_activations", "unscaled_targets"),
)
def tanh_head_too_short():
    """A tanh output for targets that reach from -6 to 6."""
    x, y = surface(seed=40)
    return fitted(x, y * 5, head="tanh")


@faulty("wrong_loss", twin="wavy_surface", accepted=("wrong_output_activation",))
def sigmoid_and_bce_for_numbers():
    """A regression with the ending of a yes-no classifier."""
    return fitted(*surface(), head="sigmoid", loss="binary_crossentropy")


@healthy
def prices_standardized():
    """House prices, standardized before training."""
    z, price = houses()
    y = (price - price[:1125].mean()) / price[:1125].std()
    return fitted(z, y, width=16, rate=3e-3, epochs=40)


@faulty(
    "unscaled_targets",
    twin="prices_standardized",
    accepted=("learning_rate_too_low", "undertrained"),
)
def prices_in_dollars():
    """House prices in plain dollars against outputs near zero."""
    z, price = houses()
    return fitted(z, price, width=16, rate=3e-3, epochs=40)


@healthy
def dollars_with_scale_inside():
    """Prices in dollars, errors in dollars; the network's last layer has the scale."""
    z, price = houses(seed=9)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(24, activation="gelu"),
            layers.Dense(1),
            layers.Rescaling(float(price[:1125].std()), float(price[:1125].mean())),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), "mae", metrics=[r2()])
    return model, {**cut(z, price, 1125), "epochs": 30, "batch_size": 32}


@healthy
def straight_line_is_right():
    """Stacked linear layers, small effect, much noise: no curve there to be found."""
    r = np.random.default_rng(33)
    x = r.normal(size=(2400, 6)).astype("float32")
    y = x @ np.array([0.5, -0.4, 0.3, 0, 0, 0.2]) + r.normal(0, 1.0, 2400)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(3),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=[r2()])
    return model, {
        **cut(x, y.astype("float32")[:, None], 1600),
        "epochs": 25,
        "batch_size": 32,
    }


# ---------------------------------------------------------------- many tags


def tags(head):
    """Articles of word counts with any number of six tags each."""
    r = np.random.default_rng(41)
    y = (r.random((2000, 6)) < [0.5, 0.4, 0.6, 0.3, 0.5, 0.4]).astype("float32")
    words = r.gamma(0.4, 1.0, (6, 50))
    x = np.log1p(r.poisson(0.3 + y @ words)).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((50,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(6, activation=head),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), BINARY, metrics=["binary_accuracy"])
    return model, {**cut(x, y, 1500), "epochs": 30, "batch_size": 40}


@healthy
def several_tags():
    """Six tags that go together freely, a sigmoid for each."""
    return tags("sigmoid")


@faulty("wrong_output_activation", twin="several_tags", accepted=("wrong_loss",))
def tags_share_one_softmax():
    """Tags that go together freely must share a softmax."""
    return tags("softmax")


# ---------------------------------------------------------------- sequences


def first_word(cell):
    """The first word of a long line tells the class, 70 others tell nothing."""
    r = np.random.default_rng(51)
    x = r.integers(0, 20, (1200, 71))
    y = x[:, 0] // 5
    model = keras.Sequential(
        [
            keras.Input((71,)),
            layers.Embedding(20, 8),
            cell,
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), SPARSE, metrics=["accuracy"])
    return model, {**cut(x, y, 900), "epochs": 8, "batch_size": 30}


@healthy
def read_from_both_ends():
    """The telling word is far away, but the line is read from both ends."""
    return first_word(layers.Bidirectional(layers.GRU(12)))


@faulty("vanishing_gradients", twin="read_from_both_ends", accepted=("underfitting",))
def simple_rnn_long_line():
    """A SimpleRNN has to carry one word over seventy others."""
    return first_word(layers.SimpleRNN(24))


def padded(mask):
    """Lines of 4 to 10 words filled up with zeros to 70; more good or bad words?"""
    r = np.random.default_rng(61)
    x, y = np.zeros((1200, 70), int), np.zeros(1200)
    for i in range(1200):
        n = 2 * r.integers(2, 5) + 1
        good = r.random(n) < r.choice([0.25, 0.75])
        x[i, :n] = np.where(good, r.integers(1, 15, n), r.integers(15, 29, n))
        y[i] = good.mean() > 0.5
    model = keras.Sequential(
        [
            keras.Input((70,)),
            layers.Embedding(29, 8, mask_zero=mask),
            layers.LSTM(12),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), BINARY, metrics=["accuracy"])
    return model, {**cut(x, y, 900), "epochs": 8, "batch_size": 30}


@healthy
def short_lines_masked():
    """Short lines filled up to 70 places, the filling masked."""
    return padded(True)


@faulty(
    "padding_not_masked", twin="short_lines_masked", accepted=("vanishing_gradients",)
)
def short_lines_unmasked():
    """mask_zero forgotten: the LSTM reads sixty zeros after the last word."""
    return padded(False)


def running_mean(gain, act):
    """Predict the mean of forty numbers by a plain recurrent layer."""
    r = np.random.default_rng(71)
    x = r.normal(size=(1200, 40, 1)).astype("float32") + r.normal(size=(1200, 1, 1))
    y = x.mean(1)
    model = keras.Sequential(
        [
            keras.Input((40, 1)),
            layers.SimpleRNN(16, activation=act, recurrent_initializer=gain),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "mse", metrics=[r2()])
    return model, {
        **cut(x.astype("float32"), y.astype("float32"), 900),
        "epochs": 15,
        "batch_size": 30,
    }


@healthy
def plain_rnn_of_forty():
    """A plain recurrent layer with modest weights follows a mean."""
    return running_mean(keras.initializers.Orthogonal(0.9), "relu")


@faulty(
    "exploding_gradients", twin="plain_rnn_of_forty", accepted=("bad_initialization",)
)
def relu_rnn_blows_up():
    """Relu in a recurrent layer whose weights enlarge at each of forty steps."""
    return running_mean(keras.initializers.RandomNormal(0.15, 0.3), "relu")


@healthy
def next_value_in_order():
    """A noisy swinging series; later part for validation and no shuffling, rightly."""
    r = np.random.default_rng(81)
    s = np.zeros(2400)
    for t in range(2, 2400):
        s[t] = 1.6 * s[t - 1] - 0.8 * s[t - 2] + r.normal(0, 0.3)
    s = (s / s[:1700].std()).astype("float32")
    x = np.lib.stride_tricks.sliding_window_view(s, 8)[:-1]
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(12, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), keras.losses.Huber(), metrics=[r2()])
    return model, {
        **cut(x, s[8:, None], 1700),
        "epochs": 25,
        "batch_size": 20,
        "shuffle": False,
    }
