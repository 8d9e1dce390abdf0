"""Small convolutional networks on pictures: clothes, digits, drawn shapes, textures."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from registry import Made, faulty, healthy
from scipy.ndimage import gaussian_filter1d
from sklearn.datasets import load_digits

CLOTHES = "/work/main/data/fashion_mnist.npz"


# ---------------------------------------------------------------- pictures


def clothes(shrink: bool = True) -> tuple[np.ndarray, ...]:
    """Clothes as floats in 0..255 with a channel, at half the size if wanted."""
    held = np.load(CLOTHES)
    made = []
    for part in ("train", "test"):
        x = held[f"x_{part}"].astype("float32")
        if shrink:
            x = x.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
        made += [x[..., None], held[f"y_{part}"].astype("int32")]
    return tuple(made)


def digits(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits in 0..1, in random order."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    x = (x / 16).astype("float32").reshape(-1, 8, 8, 1)
    return x[order], y[order].astype("int32")


def discs(rng, n: int, side: int, radius: np.ndarray) -> np.ndarray:
    """One soft disc of a given radius somewhere in each picture."""
    rows, columns = np.mgrid[:side, :side]
    centre = rng.uniform(radius[:, None], side - 1 - radius[:, None], (n, 2))
    away = np.hypot(rows - centre[:, 0, None, None], columns - centre[:, 1, None, None])
    return 1 / (1 + np.exp(3 * (away - radius[:, None, None])))


def textures(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise smeared along rows, along columns, along both or not at all."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    x = rng.normal(size=(n, 16, 16))
    for kind, axes in ((0, (1,)), (1, (2,)), (2, (1, 2))):
        for axis in axes:
            x[y == kind] = gaussian_filter1d(x[y == kind], 1.0, axis=axis)
    x /= x.std(axis=(1, 2), keepdims=True)
    x += rng.normal(scale=0.9, size=x.shape)
    return x[..., None].astype("float32"), y.astype("int32")


# ------------------------------------------------- clothes, a plain network


def clothes_network(rate: float = 2.5e-3) -> keras.Model:
    """Two convolutions with pooling and some dropout, for the ten clothes."""
    model = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(48, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def clothes_data(rows: int = 4000) -> dict:
    """Shrunken clothes in 0..1 with the test rows to validate on."""
    x, y, x_val, y_val = clothes()
    return {
        "x": x[:rows] / 255,
        "y": y[:rows],
        "validation_data": (x_val / 255, y_val),
        "epochs": 15,
        "batch_size": 64,
    }


@healthy
def clothes_plain() -> Made:
    """Classify shrunken clothes with a usual little network."""
    return clothes_network(), clothes_data()


@faulty("learning_rate_too_high", twin="clothes_plain", accepted=("dying_relu",))
def clothes_hasty_adam() -> Made:
    """The author gave Adam the rate that he was used to from SGD."""
    return clothes_network(0.1), clothes_data()


@faulty("shuffled_labels", twin="clothes_plain")
def clothes_rows_shuffled_alone() -> Made:
    """The author shuffled the pictures and forgot to reorder the labels with them."""
    fit = clothes_data()
    np.random.default_rng(11).shuffle(fit["x"])
    return clothes_network(), fit


@faulty("label_noise", twin="clothes_plain")
def clothes_careless_crowd() -> Made:
    """Crowd workers clicked a random class in almost half of the pictures."""
    fit = clothes_data()
    rng = np.random.default_rng(12)
    _, y_val = fit["validation_data"]
    for y in (fit["y"], y_val):
        wrong = rng.random(len(y)) < 0.45
        y[wrong] = rng.integers(0, 10, wrong.sum())
    return clothes_network(), fit


# -------------------------------------- clothes, few rows and augmentation


def few_clothes_network(dropout: float, augmented: bool = True) -> keras.Model:
    """A network for full-size clothes that may move and mirror its pictures."""
    moved = [
        layers.RandomTranslation(0.08, 0.08, fill_mode="constant", seed=5),
        layers.RandomFlip("horizontal", seed=6),
    ]
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            *(moved if augmented else []),
            layers.Conv2D(16, 5, strides=2, padding="same", activation="relu"),
            layers.SpatialDropout2D(dropout / 3),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(dropout),
            layers.Dense(64, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(10),
        ]
    )
    model.compile(
        keras.optimizers.Nadam(2.5e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def few_clothes(rows: int = 1000, epochs: int = 35) -> dict:
    """Some of the clothes at full size."""
    x, y, x_val, y_val = clothes(shrink=False)
    return {
        "x": x[:rows] / 255,
        "y": y[:rows],
        "validation_data": (x_val[:600] / 255, y_val[:600]),
        "epochs": epochs,
        "batch_size": 50,
    }


@healthy
def clothes_moved_and_dropped() -> Made:
    """Few clothes, much dropout, pictures moved: worse in training than outside."""
    return few_clothes_network(0.4), few_clothes()


@faulty("dropout_too_high", twin="clothes_moved_and_dropped")
def clothes_keep_probability() -> Made:
    """The author took the rate of dropout for the share of units to keep."""
    return few_clothes_network(0.93), few_clothes()


@faulty("overfitting", twin="clothes_moved_and_dropped")
def clothes_by_heart() -> Made:
    """The author took out augmentation and dropout since the loss fell faster."""
    return few_clothes_network(0.0, augmented=False), few_clothes()


@faulty("data_leakage", twin="clothes_moved_and_dropped")
def clothes_copied_then_split() -> Made:
    """The author made moved copies of each picture first and split them afterwards."""
    rng = np.random.default_rng(21)
    x, y, _, _ = clothes(shrink=False)
    x, y = np.repeat(x[:250] / 255, 8, axis=0), np.repeat(y[:250], 8)
    for picture in x:
        picture[:] = np.roll(picture, rng.integers(-1, 2, 2), axis=(0, 1))
    x += rng.normal(scale=0.03, size=x.shape).astype("float32")
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    model = few_clothes_network(0.25, augmented=False)
    fit = {"x": x, "y": y, "validation_split": 0.25}
    return model, fit | {"epochs": 20, "batch_size": 50}


# ------------------------------------------------------- digits, quick SGD


def digits_network(rate, last: str | None = "softmax") -> keras.Model:
    """Two normalized convolutions and global pooling, trained by plain SGD."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("relu"),
            layers.Conv2D(32, 3, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("relu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation=last),
        ]
    )
    model.compile(
        keras.optimizers.SGD(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def digits_fit() -> dict:
    """Digits whose last fifth validates."""
    x, y = digits()
    return {
        "x": x,
        "y": y,
        "validation_split": 0.2,
        "epochs": 12,
        "batch_size": 32,
    }


@healthy
def digits_bold_sgd() -> Made:
    """A rate of 0.3 for SGD, which batch normalization lets one take."""
    return digits_network(0.3), digits_fit()


@faulty("not_shuffled", twin="digits_bold_sgd")
def digits_in_folders() -> Made:
    """The pictures come folder by folder, so the split validates on the last digits."""
    fit = digits_fit()
    order = np.argsort(fit["y"], kind="stable")
    return digits_network(0.3), fit | {"x": fit["x"][order], "y": fit["y"][order]}


@faulty("from_logits_mismatch", twin="digits_bold_sgd")
def digits_without_softmax() -> Made:
    """The author dropped the softmax and kept the loss that expects probabilities."""
    return digits_network(0.3, last=None), digits_fit()


@faulty("learning_rate_too_low", twin="digits_bold_sgd")
def digits_decay_per_step() -> Made:
    """The author meant to decay the rate per epoch and decays it per step."""
    rate = keras.optimizers.schedules.ExponentialDecay(0.02, 1, 0.8)
    return digits_network(rate), digits_fit()


# ------------------------------------------- a frozen extractor that works


@healthy
def shoes_and_bags_on_frozen_features() -> Made:
    """A softmax on frozen convolutions that learned on the five other classes."""
    x, y, x_val, y_val = clothes()
    body = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
        ],
        name="body",
    )
    first = keras.Sequential([body, layers.Dense(5, activation="softmax")])
    first.compile("adam", "sparse_categorical_crossentropy")
    old, new, new_val = y < 5, y >= 5, y_val >= 5
    first.fit(x[old] / 255, y[old], epochs=4, batch_size=64, verbose=0)
    body.trainable = False
    model = keras.Sequential(
        [body, layers.Dropout(0.2), layers.Dense(5, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, {
        "x": x[new] / 255,
        "y": y[new] - 5,
        "validation_data": (x_val[new_val] / 255, y_val[new_val] - 5),
        "epochs": 15,
        "batch_size": 32,
    }


# ------------------------------------------------------ denoising digits


def denoiser() -> keras.Model:
    """Down to four by four and up again, with a linear picture at the end."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(24, 3, padding="same", activation="elu"),
            layers.Conv2D(24, 3, strides=2, padding="same", activation="elu"),
            layers.Conv2DTranspose(24, 3, strides=2, padding="same", activation="elu"),
            layers.Conv2D(1, 3, padding="same"),
        ]
    )
    model.compile(keras.optimizers.RMSprop(3e-3), "mse", metrics=["mae"])
    return model


def noisy_digits(epochs: int) -> dict:
    """Digits in -1..1 under noise, and the clean ones to find."""
    x, _ = digits()
    x = 2 * x - 1
    noisy = x + np.random.default_rng(4).normal(scale=0.5, size=x.shape)
    noisy = noisy.astype("float32")
    return {
        "x": noisy[:1400],
        "y": x[:1400],
        "validation_data": (noisy[1400:], x[1400:]),
        "epochs": epochs,
        "batch_size": 32,
    }


@healthy
def digits_denoised() -> Made:
    """Clean noisy digits; what is left of the error is the noise's."""
    return denoiser(), noisy_digits(25)


@faulty("undertrained", twin="digits_denoised")
def digits_denoised_briefly() -> Made:
    """The author stopped after the third round to save time."""
    return denoiser(), noisy_digits(2)


# ------------------------------------------------------ masks of small discs


def dice(truth, logits):
    """Overlap of the true and the predicted mask."""
    truth = ops.cast(truth > 0.5, "float32")
    found = ops.cast(logits > 0, "float32")
    both = ops.sum(truth * found)
    return (2 * both + 1e-6) / (ops.sum(truth) + ops.sum(found) + 1e-6)


def masks(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """A dim disc in noise, and its mask; nine pixels of ten are background."""
    rng = np.random.default_rng(seed)
    shape = discs(rng, n, 20, rng.uniform(2, 4.5, n))[..., None]
    x = shape + rng.normal(scale=0.35, size=shape.shape)
    return x.astype("float32"), (shape > 0.5).astype("float32")


def segmenter() -> keras.Model:
    """A U of one level with a bridge."""
    seen = keras.Input((20, 20, 1))
    fine = layers.Conv2D(8, 3, padding="same", activation="relu")(seen)
    deep = layers.MaxPooling2D()(fine)
    deep = layers.Conv2D(16, 3, padding="same", activation="relu")(deep)
    deep = layers.Conv2D(16, 3, padding="same", activation="relu")(deep)
    joined = layers.Concatenate()([fine, layers.UpSampling2D()(deep)])
    joined = layers.Conv2D(8, 3, padding="same", activation="relu")(joined)
    model = keras.Model(seen, layers.Conv2D(1, 1)(joined))
    model.compile(
        keras.optimizers.AdamW(3e-3),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[dice],
    )
    return model


def masks_fit(white: float) -> dict:
    """Pictures with masks of a given value for the object."""
    x, y = masks(31, 900)
    x_val, y_val = masks(32, 300)
    return {
        "x": x,
        "y": y * white,
        "validation_data": (x_val, y_val * white),
        "epochs": 14,
        "batch_size": 30,
    }


@healthy
def discs_segmented() -> Made:
    """Find the pixels of a small disc in strong noise."""
    return segmenter(), masks_fit(1.0)


@faulty("label_encoding", twin="discs_segmented")
def discs_with_png_masks() -> Made:
    """The author read the masks from files in which the object is 255."""
    return segmenter(), masks_fit(255.0)


# ---------------------------------------------------------- counting blobs


def blobs(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of zero to eleven blobs that may overlap, with their number."""
    rng = np.random.default_rng(seed)
    count = rng.integers(0, 12, n)
    x = np.zeros((n, 24, 24))
    for k in range(11):
        shape = discs(rng, n, 24, np.full(n, 1.8))
        x = np.maximum(x, shape * (count > k)[:, None, None])
    x += rng.normal(scale=0.1, size=x.shape)
    return x[..., None].astype("float32"), count.astype("float32")


def counter(last: str, loss: str) -> keras.Model:
    """Convolutions, the mean over the picture, and a number at the end."""
    model = keras.Sequential(
        [
            keras.Input((24, 24, 1)),
            layers.Conv2D(12, 5, strides=2, activation="relu"),
            layers.Conv2D(24, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(24, activation="relu"),
            layers.Dense(1, activation=last),
        ]
    )
    model.compile(keras.optimizers.Adam(4e-3), loss, metrics=["mae"])
    return model


def blobs_fit() -> dict:
    """Two thousand pictures to count in."""
    x, y = blobs(41, 2000)
    return {
        "x": x,
        "y": y,
        "validation_data": blobs(42, 500),
        "epochs": 20,
        "batch_size": 50,
    }


@healthy
def blobs_counted() -> Made:
    """Counts from zero to eleven as they are, with the loss of Poisson."""
    return counter("softplus", "poisson"), blobs_fit()


@faulty("wrong_output_activation", twin="blobs_counted", accepted=("unscaled_targets",))
def blobs_counted_to_one() -> Made:
    """The author kept the sigmoid of a classifier and so counts to one at most."""
    return counter("sigmoid", "poisson"), blobs_fit()


# ------------------------------------------------------ pairs of digits


def pairs(seed: int, x: np.ndarray, y: np.ndarray, n: int) -> tuple[dict, np.ndarray]:
    """Pairs of digits, half of them of the same kind."""
    rng = np.random.default_rng(seed)
    left = rng.integers(0, len(x), n)
    same = rng.random(n) < 0.5
    right = np.empty(n, int)
    for i, one in enumerate(left):
        fits = (y == y[one]) == same[i]
        right[i] = rng.choice(np.flatnonzero(fits))
    return {"left": x[left], "right": x[right]}, same.astype("float32")[:, None]


def twins_network(loss: str, learning: bool = True) -> keras.Model:
    """One encoder for both pictures, and a sigmoid on how far apart they are."""
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(24),
        ],
        name="encoder",
    )
    encoder.trainable = learning
    left = keras.Input((8, 8, 1), name="left")
    right = keras.Input((8, 8, 1), name="right")
    apart = ops.abs(encoder(left) - encoder(right))
    model = keras.Model(
        {"left": left, "right": right}, layers.Dense(1, activation="sigmoid")(apart)
    )
    model.compile(
        keras.optimizers.Adam(2e-3),
        loss,
        metrics=[keras.metrics.BinaryAccuracy(name="acc")],
    )
    return model


def pairs_fit() -> dict:
    """Pairs among most digits, validated on pairs among the rest."""
    x, y = digits()
    x_pairs, same = pairs(51, x[:1300], y[:1300], 8000)
    return {
        "x": x_pairs,
        "y": same,
        "validation_data": pairs(52, x[1300:], y[1300:], 1000),
        "epochs": 12,
        "batch_size": 64,
    }


@healthy
def same_digit() -> Made:
    """Tell whether two pictures show the same digit."""
    return twins_network("binary_crossentropy"), pairs_fit()


@faulty("frozen_layers", twin="same_digit")
def same_digit_encoder_frozen() -> Made:
    """The author left the encoder frozen though it starts from random weights."""
    return twins_network("binary_crossentropy", learning=False), pairs_fit()


@faulty("wrong_loss", twin="same_digit", accepted=("wrong_output_activation",))
def same_digit_categorical() -> Made:
    """The author took the loss for many classes with one sigmoid: it is always zero."""
    return twins_network("categorical_crossentropy"), pairs_fit()


# --------------------------------------------------- chance in the outcome


@healthy
def seeds_that_may_sprout() -> Made:
    """Bigger seeds sprout more often, but it's chance: 69 % right is all there is."""
    rng = np.random.default_rng(61)
    radius = rng.uniform(1.5, 4.5, 4500)
    x = discs(rng, 4500, 14, radius) + rng.normal(scale=0.1, size=(4500, 14, 14))
    sprouts = rng.random(4500) < 1 / (1 + np.exp(-1.1 * (radius - 3)))
    model = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Conv2D(6, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(6, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(5e-3),
        "binary_crossentropy",
        metrics=["accuracy", keras.metrics.AUC(name="auc")],
    )
    return model, {
        "x": x[..., None].astype("float32"),
        "y": sprouts.astype("float32"),
        "validation_split": 1 / 3,
        "epochs": 15,
        "batch_size": 50,
    }


# ------------------------------------------------------- rare scratches


def scratches(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise, with a faint slanted scratch in three of two hundred pictures."""
    rng = np.random.default_rng(seed)
    marked = rng.random(n) < 0.015
    x = rng.normal(size=(n, 18, 18))
    for i in np.flatnonzero(marked):
        row, column = rng.integers(0, 9, 2)
        steps = np.arange(9)
        x[i, row + steps, column + steps] += 1.5
    return x[..., None].astype("float32"), marked.astype("float32")


def inspector() -> keras.Model:
    """One layer of long filters whose strongest answer decides."""
    model = keras.Sequential(
        [
            keras.Input((18, 18, 1)),
            layers.Conv2D(6, 7, activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(5e-3),
        "binary_crossentropy",
        metrics=[keras.metrics.Recall(name="recall"), keras.metrics.AUC(name="auc")],
    )
    return model


def scratches_fit() -> dict:
    """Parts off the line, most without a scratch."""
    x, y = scratches(71, 12000)
    return {
        "x": x,
        "y": y,
        "validation_data": scratches(72, 5000),
        "epochs": 7,
        "batch_size": 150,
    }


@healthy
def scratches_weighted() -> Made:
    """The few scratched parts weigh as much as the many sound ones."""
    return inspector(), scratches_fit() | {"class_weight": {0: 1.0, 1: 60.0}}


@faulty("class_imbalance", twin="scratches_weighted")
def scratches_unweighted() -> Made:
    """The author lets the sound parts outvote the rare scratched ones."""
    return inspector(), scratches_fit()


# ------------------------------------------------- an old-fashioned network


def old_style(deeper: int) -> keras.Model:
    """Sigmoid convolutions with average pooling, and more of them if wanted."""
    more = [
        layers.Conv2D(12, 3, padding="same", activation="sigmoid")
        for _ in range(deeper)
    ]
    model = keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Conv2D(8, 5, padding="same", activation="sigmoid"),
            layers.AveragePooling2D(2),
            *more,
            layers.Conv2D(16, 3, activation="sigmoid"),
            layers.Flatten(),
            layers.Dense(48, activation="sigmoid"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(1e-2),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


@healthy
def clothes_in_the_old_style() -> Made:
    """A network of sigmoids in the manner of the eighties, that learns well."""
    return old_style(0), clothes_data(3000) | {"epochs": 20}


@faulty("vanishing_gradients", twin="clothes_in_the_old_style")
def clothes_deep_in_sigmoids() -> Made:
    """The author put six more sigmoid convolutions in the middle."""
    return old_style(6), clothes_data(3000) | {"epochs": 12}


# ---------------------------------------------------------- textures


class Batches(keras.utils.PyDataset):
    """Batches of rows, in a new order each epoch if wanted."""

    def __init__(self, x, y, size: int, mixed: bool):
        """Keep the rows and the order to take them in."""
        super().__init__()
        self.x, self.y, self.size, self.mixed = x, y, size, mixed
        self.rng = np.random.default_rng(7)
        self.order = np.arange(len(x))
        self.on_epoch_end()

    def __len__(self) -> int:
        """Count the full batches."""
        return len(self.x) // self.size

    def __getitem__(self, i: int):
        """Take one batch."""
        rows = self.order[i * self.size : (i + 1) * self.size]
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        """Mix the rows anew."""
        if self.mixed:
            self.rng.shuffle(self.order)


def texture_network() -> keras.Model:
    """Depthwise and pointwise convolutions whose rate falls to zero as a cosine."""
    model = keras.Sequential([keras.Input((16, 16, 1)), layers.Conv2D(12, 3)])
    for _ in range(2):
        model.add(layers.DepthwiseConv2D(3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU(max_value=6))
        model.add(layers.Conv2D(24, 1, activation="relu"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(4, activation="softmax"))
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(8e-3, 12 * 46)),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def textures_fit(x, y, mixed: bool = True) -> dict:
    """Batches of textures, validated on new ones."""
    return {
        "x": Batches(x, y, 32, mixed),
        "validation_data": textures(82, 600),
        "epochs": 12,
    }


@healthy
def textures_separable() -> Made:
    """Tell four textures apart by their direction, under noise."""
    return texture_network(), textures_fit(*textures(81, 1500))


@faulty("not_shuffled", twin="textures_separable", accepted=("batchnorm_misuse",))
def textures_one_kind_per_batch() -> Made:
    """The author's generator yields the files in order, so a batch holds one kind."""
    x, y = textures(81, 1500)
    order = np.argsort(y, kind="stable")
    return texture_network(), textures_fit(x[order], y[order], mixed=False)


@faulty("nonfinite_data", twin="textures_separable")
def textures_blank_standardized() -> Made:
    """The author divides each picture by its deviation, and three are blank."""
    x, y = textures(81, 1500)
    x[[200, 777, 1300]] = 0
    with np.errstate(invalid="ignore"):
        x = (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)
    return texture_network(), textures_fit(x, y)


# ------------------------------------------------------- pointing hands


def hands(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """A clock's hand in noise, and the cosine and sine of where it points."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, (n, 1, 1))
    rows, columns = np.mgrid[-7:8, -7:8]
    along = columns * np.cos(angle) + rows * np.sin(angle)
    across = columns * np.sin(angle) - rows * np.cos(angle)
    x = np.exp(-(across**2)) * (along > 0) + rng.normal(scale=0.2, size=along.shape)
    way = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)[..., 0]
    return x[..., None].astype("float32"), way.astype("float32")


def hand_reader(penalty: float = 0.0) -> keras.Model:
    """A convolution, a hidden layer and two tanh units for the way."""
    slack = keras.regularizers.L2(penalty) if penalty else None
    model = keras.Sequential(
        [
            keras.Input((15, 15, 1)),
            layers.Conv2D(8, 3, activation="gelu", kernel_regularizer=slack),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(32, activation="gelu", kernel_regularizer=slack),
            layers.Dense(2, activation="tanh", kernel_regularizer=slack),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "huber", metrics=["mae"])
    return model


def hands_fit() -> dict:
    """Two thousand hands in batches of 250, through tf.data."""
    x, y = hands(91, 2000)
    rows = tf.data.Dataset.from_tensor_slices((x, y)).cache()
    rows = rows.shuffle(2000, seed=9).batch(250).prefetch(2)
    return {"x": rows, "validation_data": hands(92, 500), "epochs": 40}


@healthy
def hand_direction() -> Made:
    """Where a hand points, as cosine and sine out of tanh units."""
    return hand_reader(), hands_fit()


@faulty("over_regularized", twin="hand_direction")
def hand_direction_penalized() -> Made:
    """The author copied a penalty of 0.3 from a model whose penalty is per row."""
    return hand_reader(0.3), hands_fit()


# ------------------------------------------------- residual, through tf.data


def residual(momentum: float) -> keras.Model:
    """Two normalized residual blocks."""
    seen = keras.Input((14, 14, 1))
    x = layers.Conv2D(16, 3, strides=2, padding="same")(seen)
    for _ in range(2):
        way = layers.BatchNormalization(momentum=momentum)(x)
        way = layers.Activation("relu")(way)
        way = layers.Conv2D(16, 3, padding="same", use_bias=False)(way)
        way = layers.BatchNormalization(momentum=momentum)(way)
        way = layers.Activation("relu")(way)
        x = layers.Add()([x, layers.Conv2D(16, 3, padding="same")(way)])
    x = layers.Dropout(0.3)(layers.Flatten()(layers.MaxPooling2D()(x)))
    model = keras.Model(seen, layers.Dense(10, activation="softmax")(x))
    model.compile(
        keras.optimizers.SGD(0.03, momentum=0.9, nesterov=True),
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy"],
    )
    return model


def piped_clothes(validation_scale: float = 255.0) -> dict:
    """Clothes through tf.data, divided and coded on the way."""

    def prepared(scale):
        """Make the step that divides a picture and codes its label."""
        return lambda x, y: (x / scale, tf.one_hot(y, 10))

    x, y, x_val, y_val = clothes()
    rows = tf.data.Dataset.from_tensor_slices((x[:3000], y[:3000]))
    rows = rows.shuffle(3000, seed=2).batch(100).map(prepared(255.0))
    held = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(250)
    held = held.map(prepared(validation_scale))
    return {"x": rows, "validation_data": held, "epochs": 10}


@healthy
def clothes_residual() -> Made:
    """Residual blocks with smoothed labels, whose loss cannot come near zero."""
    return residual(0.9), piped_clothes()


@faulty("batchnorm_misuse", twin="clothes_residual")
def clothes_sluggish_averages() -> Made:
    """The author's moving averages need thousands of steps, and there are hundreds."""
    return residual(0.9995), piped_clothes()


@faulty("preprocessing_mismatch", twin="clothes_residual")
def clothes_validation_undivided() -> Made:
    """The author divides the training pictures by 255 and not the validation ones."""
    return residual(0.9), piped_clothes(1.0)


# ---------------------------------------------------------- either, not both


def lamps(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """A lamp left and a lamp right, each on or off; is exactly one on?"""
    rng = np.random.default_rng(seed)
    on = rng.random((n, 2)) < 0.5
    x = np.zeros((n, 10, 20))
    for k in range(2):
        lamp = discs(rng, n, 10, np.full(n, 2.0))
        x[:, :, 10 * k : 10 * k + 10] = lamp * on[:, k, None, None]
    x += rng.normal(scale=0.4, size=x.shape)
    return x[..., None].astype("float32"), (on[:, 0] ^ on[:, 1]).astype("float32")


def lamp_watcher(bent: str | None) -> keras.Model:
    """Strided convolutions and a hidden layer, with a given activation."""
    model = keras.Sequential(
        [
            keras.Input((10, 20, 1)),
            layers.Conv2D(8, 3, strides=2, activation=bent),
            layers.AveragePooling2D((4, 1)),
            layers.Flatten(),
            layers.Dense(16, activation=bent),
            layers.Dense(1),
        ]
    )
    model.compile(
        keras.optimizers.Lion(7e-4),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(name="acc", threshold=0.0)],
    )
    return model


def lamps_fit() -> dict:
    """Three thousand pairs of lamps."""
    x, y = lamps(101, 3000)
    held = lamps(102, 800)
    return {"x": x, "y": y, "validation_data": held, "epochs": 20, "batch_size": 60}


@healthy
def one_lamp_of_two() -> Made:
    """Exclusive or of two lamps, of which each alone tells nothing."""
    return lamp_watcher("relu"), lamps_fit()


@faulty("missing_nonlinearity", twin="one_lamp_of_two")
def one_lamp_of_two_linear() -> Made:
    """The author forgot the activations between the layers."""
    return lamp_watcher(None), lamps_fit()


# ------------------------------------------ a picture and how long it took


def exposures(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A lamp seen for some milliseconds, and how bright it really is."""
    rng = np.random.default_rng(seed)
    bright = rng.uniform(0.5, 2, n)
    time = rng.uniform(0.5, 2, n)
    x = discs(rng, n, 12, rng.uniform(1.5, 3, n)) * (bright * time)[:, None, None]
    x += rng.normal(scale=0.1, size=x.shape)
    return x[..., None].astype("float32"), time.astype("float32")[:, None], bright


def light_meter() -> keras.Model:
    """The strongest filtered pixels next to the exposure, then hidden layers."""
    picture, time = keras.Input((12, 12, 1)), keras.Input((1,))
    x = layers.Conv2D(8, 3, activation="relu")(picture)
    x = layers.GlobalMaxPooling2D()(x)
    x = layers.Concatenate()([x, time])
    x = layers.Dense(32, activation="relu")(x)
    x = layers.Dense(16, activation="relu")(x)
    model = keras.Model([picture, time], layers.Dense(1)(x))
    model.compile(
        keras.optimizers.Adam(3e-3), "mse", metrics=[keras.metrics.R2Score(name="r2")]
    )
    return model


def exposures_fit(unit_of_time: float = 1.0, candela: bool = False) -> dict:
    """Exposures in a unit, and brightness standardized or in candela."""
    made = []
    for seed, n in ((111, 2000), (112, 500)):
        x, time, bright = exposures(seed, n)
        bright = 4000 * bright if candela else (bright - 1.25) / 0.433
        made.append(([x, time * unit_of_time], bright.astype("float32")[:, None]))
    (x, y), held = made
    return {"x": x, "y": y, "validation_data": held, "epochs": 25, "batch_size": 40}


@healthy
def lamp_brightness() -> Made:
    """How bright a lamp is, from its picture and the exposure."""
    return light_meter(), exposures_fit()


@faulty("unscaled_inputs", twin="lamp_brightness")
def lamp_brightness_nanoseconds() -> Made:
    """The author feeds the exposure in nanoseconds next to pixels around one."""
    return light_meter(), exposures_fit(unit_of_time=1e6)


@faulty("unscaled_targets", twin="lamp_brightness")
def lamp_brightness_candela() -> Made:
    """The author left the brightness in candela, in thousands."""
    return light_meter(), exposures_fit(candela=True)
