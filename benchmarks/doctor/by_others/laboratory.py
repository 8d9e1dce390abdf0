"""Trainings from a laboratory: surrogates, spectra, sensors, counts and rare events."""

import keras
import numpy as np
from keras import layers
from registry import Made, faulty, healthy
from scipy.signal import lfilter
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

ops = keras.ops


def halves(x: np.ndarray, y: np.ndarray, train: int) -> dict:
    """Make the first rows the training rows and the others the validation rows."""
    return {
        "x": x[:train],
        "y": y[:train],
        "validation_data": (x[train:], y[train:]),
    }


# Surrogate of a simulator: water flow through a borehole


def borehole_rows(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw eight physical quantities and compute the flow in cubic metres a year."""
    low = [0.05, 100, 63070, 990, 63.1, 700, 1120, 9855]
    high = [0.15, 50000, 115600, 1110, 116, 820, 1680, 12045]
    x = np.random.default_rng(11).uniform(low, high, (rows, 8))
    bore, reach, upper, head, lower, foot, length, conduct = x.T
    log = np.log(reach / bore)
    resist = 1 + 2 * length * upper / (log * bore**2 * conduct) + upper / lower
    flow = 2 * np.pi * upper * (head - foot) / (log * resist)
    return x.astype("float32"), flow.astype("float32")[:, None]


def borehole(*, scaled_inputs: bool = True, litres: bool = False) -> Made:
    """Fit a smooth network to the borehole simulator."""
    x, y = borehole_rows(2000)
    if litres:
        y = y * 1000
    inputs = keras.Input((8,))
    hidden = inputs
    if scaled_inputs:
        norm = layers.Normalization()
        norm.adapt(x)
        hidden = norm(inputs)
    for _ in range(2):
        hidden = layers.Dense(48, activation="gelu")(hidden)
    outputs = layers.Dense(1)(hidden)
    if not litres:
        outputs = layers.Rescaling(float(y.std()), float(y.mean()))(outputs)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(1e-3), "mse", metrics=["r2_score"])
    fit = {"x": x, "y": y, "validation_split": 0.25}
    return model, fit | {"epochs": 25, "batch_size": 32}


@healthy
def borehole_flow() -> Made:
    """Flow in natural unit; the network scales its inputs and outputs itself."""
    return borehole()


@faulty("unscaled_targets", twin="borehole_flow")
def borehole_flow_litres() -> Made:
    """Flow in litres a year, some ten thousand, straight onto a linear output."""
    return borehole(litres=True)


@faulty("unscaled_inputs", twin="borehole_flow")
def borehole_flow_raw_units() -> Made:
    """Radii in metres beside transmissivities of 100,000: nobody scaled the columns."""
    return borehole(scaled_inputs=False)


# Mineral spectra


def spectra_rows(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Simulate spectra of four minerals with lines, a sloping baseline and noise."""
    rng = np.random.default_rng(23)
    lines = [(30, 62, 95), (30, 66, 95), (34, 62, 99), (26, 66, 99)]
    kind = rng.integers(0, 4, rows)
    centers = np.array(lines)[kind] + rng.normal(0, 1.2, (rows, 1))
    heights = rng.uniform(0.5, 1.3, (rows, 3))
    axis = np.arange(128)
    peaks = np.exp(-0.5 * ((axis - centers[:, :, None]) / 2.5) ** 2)
    x = (peaks * heights[:, :, None]).sum(1)
    x += rng.uniform(-0.4, 0.4, (rows, 1)) * axis / 128
    x += rng.normal(0, 0.27, x.shape)
    return x[:, :, None].astype("float32"), kind


def spectra_net(last: str | None, *, frozen: bool = False) -> keras.Model:
    """Make a convolutional network for spectra with four classes."""
    body = [
        layers.Conv1D(12, 9, strides=2, activation="relu"),
        layers.Conv1D(16, 7, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(24, activation="relu"),
    ]
    for layer in body:
        layer.trainable = not frozen
    return keras.Sequential([keras.Input((128, 1)), *body, layers.Dense(4, last)])


def spectra(
    last: str | None = "softmax", *, first: int = 0, frozen: bool = False
) -> Made:
    """Tell minerals by their spectra."""
    x, kind = spectra_rows(2400)
    model = spectra_net(last, frozen=frozen)
    model.compile(
        keras.optimizers.SGD(0.03, momentum=0.9, clipnorm=1.0),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model, halves(x, kind + first, 1800) | {"epochs": 8, "batch_size": 32}


@healthy
def mineral_spectra() -> Made:
    """Minerals by the positions of three lines, with SGD, momentum and clipping."""
    return spectra()


@faulty("from_logits_mismatch", twin="mineral_spectra")
def mineral_spectra_bare_output() -> Made:
    """Linear outputs, while the loss by its name expects probabilities."""
    return spectra(None)


@faulty("label_encoding", twin="mineral_spectra")
def mineral_spectra_from_one() -> Made:
    """Mineral numbers from the catalogue, 1 to 4, for outputs 0 to 3."""
    return spectra(first=1)


@faulty("frozen_layers", twin="mineral_spectra")
def mineral_spectra_still_frozen() -> Made:
    """Layers fresh from their random start, frozen as if they had been pretrained."""
    return spectra(frozen=True)


# Detector counts


def counts(last: str = "exponential") -> Made:
    """Model low counts by five settings of a detector."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(5000, 5)).astype("float32")
    rate = np.exp(0.6 + 0.5 * np.sin(1.5 * x[:, 0]) + 0.25 * x[:, 1] * x[:, 2])
    y = rng.poisson(np.minimum(rate, 12)).astype("float32")[:, None]
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(16, activation="tanh"),
            layers.Dense(8, activation="tanh"),
            layers.Dense(1, activation=last),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "poisson", metrics=["r2_score"])
    return model, halves(x, y, 4000) | {"epochs": 35, "batch_size": 500}


@healthy
def detector_counts() -> Made:
    """Counts of about two, whose own scatter leaves little to explain; big batches."""
    return counts()


@faulty("wrong_output_activation", twin="detector_counts")
def detector_counts_linear() -> Made:
    """Poisson likelihood of a linear output, which goes below zero."""
    return counts("linear")


# Sensor series of different lengths


def filtered_series(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Simulate padded readings and what a slow probe shows at the end of each."""
    rng = np.random.default_rng(31)
    lengths = rng.integers(6, 41, rows)
    x = np.zeros((rows, 40, 1), "float32")
    y = np.zeros((rows, 1), "float32")
    for row, length in enumerate(lengths):
        readings = rng.normal(size=length)
        x[row, :length, 0] = readings
        y[row] = 1.5 * lfilter([0.3], [1, -0.75], readings)[-1]
    return x, y + rng.normal(0, 0.1, y.shape)


def slow_probe(memory: layers.Layer, *, masked: bool = True) -> Made:
    """Emulate a slow probe by a recurrent network."""
    x, y = filtered_series(1300)
    mask = [layers.Masking(0.0)] if masked else []
    model = keras.Sequential([keras.Input((40, 1)), *mask, memory, layers.Dense(1)])
    model.compile(keras.optimizers.Nadam(0.01), "mse", metrics=["mae"])
    return model, halves(x, y, 1000) | {"epochs": 12, "batch_size": 50}


@healthy
def slow_probe_masked() -> Made:
    """Runs of 6 to 40 readings, filled up with zeros that a mask hides."""
    return slow_probe(layers.GRU(16))


@faulty("padding_not_masked", twin="slow_probe_masked")
def slow_probe_padded() -> Made:
    """The same runs, but the unit has to carry its state through all the zeros."""
    return slow_probe(layers.GRU(16), masked=False)


@faulty(
    "exploding_gradients",
    twin="slow_probe_masked",
    accepted=("bad_initialization",),
)
def slow_probe_amplified() -> Made:
    """A plain ReLU recurrence, begun with a gain above one for a longer memory."""
    gain = keras.initializers.Orthogonal(gain=2.5)
    return slow_probe(
        layers.SimpleRNN(32, activation="relu", recurrent_initializer=gain)
    )


# Rare decays in a particle detector


def decay_rows(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw background and three percent of decays, which lie near a shell."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.03).astype("float32")
    x = rng.normal(size=(rows, 6))
    signal = y == 1
    pair = x[signal, :2]
    radius = np.linalg.norm(pair, axis=1, keepdims=True)
    x[signal, :2] = pair / radius * rng.normal(1.9, 0.3, radius.shape)
    x[signal, 2] += 0.9
    x[signal, 3] += 0.6
    return x.astype("float32"), y[:, None]


def decay_net(width: int) -> keras.Model:
    """Make a classifier of events."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(width, activation="relu"),
            layers.Dense(width, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(2e-3),
        "binary_crossentropy",
        metrics=[
            keras.metrics.Recall(name="recall"),
            keras.metrics.Precision(name="precision"),
            keras.metrics.AUC(name="auc"),
        ],
    )
    return model


@healthy
def rare_decays() -> Made:
    """A trigger that has to keep decays: few of them, weighted up; low precision."""
    x, y = decay_rows(9000, 41)
    weights = {0: 1.0, 1: 30.0}
    fit = halves(x, y, 6000) | {"class_weight": weights}
    return decay_net(10), fit | {"epochs": 15, "batch_size": 64}


@faulty("class_imbalance", twin="rare_decays")
def rare_decays_ignored() -> Made:
    """The same trigger without weights: it never fires."""
    x, y = decay_rows(9000, 41)
    return decay_net(10), halves(x, y, 6000) | {"epochs": 15, "batch_size": 64}


@faulty("data_leakage", twin="rare_decays")
def rare_decays_copied() -> Made:
    """Decays copied thirty times to balance the classes, and only then split."""
    x, y = decay_rows(3500, 41)
    copies = np.where(y[:, 0] == 1, 30, 1)
    rows = np.random.default_rng(2).permutation(np.repeat(np.arange(len(x)), copies))
    fit = halves(x[rows], y[rows], 4500)
    return decay_net(64), fit | {"epochs": 20, "batch_size": 64}


# Calibration of an electrode


def electrode(rate: float | keras.optimizers.schedules.LearningRateSchedule) -> Made:
    """Fit the calibration curve of an ion-selective electrode."""
    rng = np.random.default_rng(53)
    power = rng.uniform(-7, -1, (90, 1))
    volts = 0.059 * np.log10(10**power + 10**-5.2)
    y = (volts + 0.18) / 0.09 + rng.normal(0, 0.12, volts.shape)
    x = (power + 4) / 1.7
    model = keras.Sequential(
        [keras.Input((1,)), layers.Dense(12, activation="tanh"), layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "mse", metrics=["r2_score"])
    fit = halves(x.astype("float32"), y.astype("float32"), 60)
    return model, fit | {"epochs": 40, "batch_size": 10}


@healthy
def electrode_calibration() -> Made:
    """Sixty calibration points that end at the noise of the voltmeter."""
    return electrode(0.03)


@faulty(
    "learning_rate_too_low",
    twin="electrode_calibration",
    accepted=("undertrained",),
)
def electrode_calibration_dies() -> Made:
    """A decay meant for epochs, counted in steps: it is over within the third epoch."""
    schedule = keras.optimizers.schedules.ExponentialDecay(0.002, 2, 0.7)
    return electrode(schedule)


# One member of an ensemble on a medical table


def member(body: list[layers.Layer], epochs: int) -> Made:
    """Train an ensemble's member on its bootstrap sample of the diabetes table."""
    x, y = load_diabetes(return_X_y=True)
    rng = np.random.default_rng(61)
    rows = rng.permutation(len(x))
    drawn, held = rng.choice(rows[:300], 300), rows[300:]
    x = StandardScaler().fit(x[drawn]).transform(x)
    y = (y[:, None] - y[drawn].mean()) / y[drawn].std()
    model = keras.Sequential([keras.Input((10,)), *body, layers.Dense(1)])
    model.compile(keras.optimizers.RMSprop(2e-3), "mse", metrics=["r2_score"])
    fit = {"x": x[drawn], "y": y[drawn], "validation_data": (x[held], y[held])}
    return model, fit | {"epochs": epochs, "batch_size": 32}


@healthy
def ensemble_member() -> Made:
    """A small penalized member; rows repeat, and half the variance is out of reach."""
    penalty = keras.regularizers.L2(0.03)
    body = [
        layers.Dense(12, activation="tanh", kernel_regularizer=penalty),
        layers.Dropout(0.2),
    ]
    return member(body, 30)


@faulty("overfitting", twin="ensemble_member")
def ensemble_member_memorizes() -> Made:
    """A member of many thousand weights that learns its 300 patients by heart."""
    return member([layers.Dense(200, activation="relu") for _ in range(3)], 60)


@faulty("dropout_too_high", twin="ensemble_member")
def ensemble_member_thinned() -> Made:
    """Nine of ten units dropped, three times over, to make the members differ."""
    body: list[layers.Layer] = []
    for _ in range(3):
        body += [layers.Dense(12, activation="tanh"), layers.Dropout(0.9)]
    return member(body, 30)


# Upper limit of a noisy quantity


def pinball(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Compute the loss whose minimum is the 90 percent quantile."""
    gap = y_true - y_pred
    return ops.mean(ops.maximum(0.9 * gap, -0.1 * gap), axis=-1)


@healthy
def upper_limit_of_noise() -> Made:
    """The level that nine of ten readings stay below: far off their mean by intent."""
    rng = np.random.default_rng(71)
    x = rng.uniform(-1, 1, (4200, 3)).astype("float32")
    spread = 0.3 + 1.2 * x[:, 1:2] ** 2
    y = np.sin(2 * x[:, :1]) + spread * rng.normal(size=(4200, 1))
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(32, activation="swish"), layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(5e-3), pinball)
    fit = halves(x, y.astype("float32"), 3000)
    return model, fit | {"epochs": 20, "batch_size": 64}


# Compression of spectra


def compress(code: int, optimizer: keras.optimizers.Optimizer) -> Made:
    """Squeeze noisy mixtures of six components through a narrow code."""
    rng = np.random.default_rng(83)
    axis = np.linspace(0, 1, 80)
    centers = np.linspace(0.1, 0.9, 6)[:, None]
    pure = np.exp(-0.5 * ((axis - centers) / 0.06) ** 2)
    clean = rng.gamma(1.5, 0.7, (2000, 6)) @ pure
    noisy = clean + rng.normal(0, 0.15, clean.shape)
    x, y = noisy.astype("float32"), clean.astype("float32")
    model = keras.Sequential(
        [
            keras.Input((80,)),
            layers.Dense(40, activation="elu"),
            layers.Dense(code, name="code"),
            layers.Dense(40, activation="elu"),
            layers.Dense(80),
        ]
    )
    model.compile(optimizer, "mse", metrics=["mae"])
    return model, halves(x, y, 1500) | {"epochs": 25, "batch_size": 32}


@healthy
def spectra_denoised() -> Made:
    """Clean mixtures from noisy ones through a code of six numbers."""
    return compress(6, keras.optimizers.Adam(2e-3))


@faulty("underfitting", twin="spectra_denoised")
def spectra_denoised_by_one() -> Made:
    """A code of a single number for six independent concentrations."""
    return compress(1, keras.optimizers.Adam(2e-3))


@faulty("learning_rate_too_high", twin="spectra_denoised", accepted=("oscillation",))
def spectra_denoised_in_leaps() -> Made:
    """Adam with steps a hundred times longer than what works."""
    return compress(6, keras.optimizers.Adam(0.2))


# Product of three signs


def parity(activation: str, labels: tuple[float, float] = (0.0, 1.0)) -> Made:
    """Learn the sign of a product of three measured quantities."""
    rng = np.random.default_rng(97)
    x = rng.normal(size=(3000, 4)).astype("float32")
    y = np.array(labels)[(x[:, :3].prod(axis=1) > 0).astype(int)][:, None]
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(48, activation=activation),
            layers.Dense(48, activation=activation),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        keras.optimizers.Nadam(4e-3), "binary_crossentropy", metrics=["accuracy"]
    )
    return model, halves(x, y, 2200) | {"epochs": 30, "batch_size": 32}


@healthy
def sign_of_product() -> Made:
    """Nothing shows in any single column, yet the product's sign is learned."""
    return parity("tanh")


@faulty("missing_nonlinearity", twin="sign_of_product")
def sign_of_product_linear() -> Made:
    """The hidden layers were left without an activation."""
    return parity("linear")


@faulty(
    "label_encoding",
    twin="sign_of_product",
    accepted=("wrong_output_activation", "wrong_loss"),
)
def sign_of_product_plus_minus() -> Made:
    """Signs as -1 and +1, as physicists write them, for a sigmoid's cross-entropy."""
    return parity("tanh", (-1.0, 1.0))


# Smooth function of two variables by sigmoids


def surface(depth: int, *, raster: bool = False) -> Made:
    """Fit two hills and a dip by layers of sigmoids with plain SGD and momentum."""
    rng = np.random.default_rng(101)
    x = rng.uniform(-1, 1, (1500, 2))
    if raster:
        x = x[np.argsort(x[:, 0])]
    a, b = x.T
    y = np.exp(-2 * ((a - 0.4) ** 2 + (b - 0.3) ** 2))
    y += 0.8 * np.exp(-2.5 * ((a + 0.5) ** 2 + (b + 0.1) ** 2))
    y -= 0.7 * np.exp(-3 * ((a - 0.2) ** 2 + (b + 0.6) ** 2))
    y = (y - y.mean()) / y.std() + rng.normal(0, 0.2, y.shape)
    hidden = [layers.Dense(24, activation="sigmoid") for _ in range(depth)]
    model = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["r2_score"])
    fit = halves(x.astype("float32"), y[:, None].astype("float32"), 1100)
    return model, fit | {"epochs": 40, "batch_size": 20}


@healthy
def response_surface() -> Made:
    """One layer of sigmoids at a rate of 0.1 with momentum, which suits it."""
    return surface(1)


@faulty("not_shuffled", twin="response_surface")
def response_surface_raster() -> Made:
    """Scanned line by line from left to right, and the right quarter validates."""
    return surface(1, raster=True)


@faulty("vanishing_gradients", twin="response_surface")
def response_surface_deep() -> Made:
    """Nine layers of sigmoids where one would do: nothing comes through."""
    return surface(9)


# Vibration of bearings, through fixed filters


def filter_bank() -> np.ndarray:
    """Compute pairs of wave packets of eight frequencies as kernels."""
    time = np.arange(-20, 21)
    window = np.exp(-0.5 * (time / 8) ** 2)
    waves = []
    for frequency in np.linspace(0.04, 0.4, 8):
        waves += [np.cos(2 * np.pi * frequency * time) * window]
        waves += [np.sin(2 * np.pi * frequency * time) * window]
    return (np.array(waves).T[:, None] / 6).astype("float32")


def bearings(wrong: float = 0.0) -> Made:
    """Tell three states of a bearing by the power behind fixed filters."""
    rng = np.random.default_rng(113)
    kind = rng.integers(0, 3, 1600)
    phase = rng.uniform(0, 2 * np.pi, (1600, 1))
    pitch = np.array([0.10, 0.15, 0.20])[kind] + rng.normal(0, 0.012, 1600)
    x = np.sin(2 * np.pi * pitch[:, None] * np.arange(160) + phase)
    x = x * rng.uniform(0.5, 1.2, (1600, 1)) + rng.normal(0, 1.0, x.shape)
    swapped = rng.random(1600) < wrong
    kind = np.where(swapped, (kind + rng.integers(1, 3, 1600)) % 3, kind)
    bank = layers.Conv1D(16, 41, strides=4, activation=ops.square, use_bias=False)
    model = keras.Sequential(
        [
            keras.Input((160, 1)),
            bank,
            layers.GlobalAveragePooling1D(),
            layers.Dense(16, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    bank.set_weights([filter_bank()])
    bank.trainable = False
    model.compile(
        keras.optimizers.Adam(0.01),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    fit = halves(x[:, :, None].astype("float32"), kind, 1100)
    return model, fit | {"epochs": 25, "batch_size": 32}


@healthy
def bearing_states() -> Made:
    """A filter bank that is known from theory and stays as it is, and a small head."""
    return bearings()


@faulty("label_noise", twin="bearing_states")
def bearing_states_mislabeled() -> Made:
    """Nearly half the records carry the label of some other state."""
    return bearings(0.45)


# Lifetimes under stress, partly censored


def survival_loss(
    y_true: keras.KerasTensor, y_pred: keras.KerasTensor
) -> keras.KerasTensor:
    """Compute the negative log-likelihood of exponential lifetimes with censoring."""
    time, failed = y_true[:, :1], y_true[:, 1:]
    return ops.mean(ops.exp(y_pred) * time - failed * y_pred, axis=-1)


def fatigue(idle: int = 0) -> Made:
    """Model the failure rate of specimens by the logarithm of stress and more."""
    rng = np.random.default_rng(127)
    stress = rng.lognormal(0, 0.6, 1200)
    others = rng.normal(size=(1200, 2))
    log_rate = 1.2 * np.log(stress) + 0.6 * others[:, 0] * others[:, 1] - 0.3
    time = rng.exponential(np.exp(-log_rate))
    end = rng.uniform(0.5, 3, 1200)
    y = np.stack([np.minimum(time, end), time < end], axis=1)
    stress[:idle] = 0
    with np.errstate(divide="ignore"):
        x = np.column_stack([np.log(stress), others])
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(24, activation="softplus"),
            layers.Dense(24, activation="softplus"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.RMSprop(3e-3), survival_loss)
    fit = halves(x.astype("float32"), y.astype("float32"), 850)
    return model, fit | {"epochs": 30, "batch_size": 32}


@healthy
def fatigue_lifetimes() -> Made:
    """Two columns of targets, one output, and a likelihood that goes below zero."""
    return fatigue()


@faulty("nonfinite_data", twin="fatigue_lifetimes")
def fatigue_lifetimes_idle() -> Made:
    """A dozen specimens that were never loaded: the logarithm of zero stress."""
    return fatigue(12)


# Two lifetimes from one decay curve


def decay_curves(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Simulate logarithms of decay curves and the standardized log lifetimes."""
    rng = np.random.default_rng(131)
    logs = np.column_stack(
        [rng.uniform(np.log(0.3), np.log(1), rows), rng.uniform(0.7, 1.8, rows)]
    )
    short, long = np.exp(logs).T[:, :, None]
    time = np.linspace(0, 6, 40)
    share = rng.uniform(0.4, 0.6, (rows, 1))
    curve = share * np.exp(-time / short) + (1 - share) * np.exp(-time / long)
    curve *= 1 + rng.normal(0, 0.01, curve.shape)
    y = StandardScaler().fit_transform(logs)
    return np.log(curve).astype("float32"), y.astype("float32")


def lifetimes(loss: str = "mse", constraint: str | None = None) -> Made:
    """Invert decay curves to their two lifetimes."""
    x, y = decay_curves(2500)
    inputs = keras.Input((40,))
    hidden = inputs
    for width in (64, 32):
        hidden = layers.Dense(width, activation="relu", kernel_constraint=constraint)(
            hidden
        )
    model = keras.Model(inputs, layers.Dense(2)(hidden))
    rate = keras.optimizers.schedules.CosineDecay(4e-3, 30 * 63)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["r2_score"])
    return model, halves(x, y, 2000) | {"epochs": 30, "batch_size": 32}


@healthy
def two_lifetimes() -> Made:
    """An inverse problem; the rate goes to zero along a cosine at the end."""
    return lifetimes()


@faulty("wrong_loss", twin="two_lifetimes")
def two_lifetimes_percent() -> Made:
    """Percentage error of standardized targets, which lie around zero."""
    return lifetimes("mape")


@faulty("dying_relu", twin="two_lifetimes")
def two_lifetimes_positive() -> Made:
    """Weights kept positive, as physics asks, on logarithms that are all negative."""
    return lifetimes(constraint="non_neg")


# Photons from two sources that overlap


@healthy
def photon_origin() -> Made:
    """Two sources that look almost alike: two thirds right is the best possible."""
    rng = np.random.default_rng(139)
    y = rng.integers(0, 2, 4000)
    x = rng.normal(size=(4000, 12))
    x[:, :4] += 0.22 * (2 * y[:, None] - 1)
    penalty = keras.regularizers.L2(0.02)
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, activation="relu", kernel_regularizer=penalty),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid", kernel_regularizer=penalty),
        ]
    )
    model.compile(
        keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"]
    )
    fit = halves(x.astype("float32"), y[:, None].astype("float32"), 3000)
    return model, fit | {"epochs": 20, "batch_size": 64}


# Alarms of an array of gas sensors


def gases(momentum: float = 0.9) -> Made:
    """Name the gases in a sample by twelve cross-sensitive sensors."""
    rng = np.random.default_rng(149)
    y = (rng.random((2200, 5)) < 0.25).astype("float32")
    amount = y * rng.lognormal(0, 0.4, y.shape)
    mixing = rng.uniform(0, 1, (5, 12)) ** 2
    kiloohm = 60 / (1 + amount @ mixing) ** 0.8
    x = (kiloohm + rng.normal(0, 1.0, kiloohm.shape)).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.BatchNormalization(momentum=momentum),
            layers.Dense(40, activation="relu"),
            layers.Dense(5, activation="sigmoid"),
        ]
    )
    model.compile(
        keras.optimizers.RMSprop(4e-3),
        "binary_crossentropy",
        metrics=["binary_accuracy"],
    )
    return model, halves(x, y, 1600) | {"epochs": 25, "batch_size": 32}


@healthy
def gas_alarms() -> Made:
    """Several gases at once; kiloohms go in raw, batch normalization scales them."""
    return gases()


@faulty("batchnorm_misuse", twin="gas_alarms")
def gas_alarms_slow_statistics() -> Made:
    """Running means so slow that they are still far off when validation asks."""
    return gases(0.9999)


@faulty("preprocessing_mismatch", twin="gas_alarms", accepted=("unscaled_inputs",))
def gas_alarms_in_ohms() -> Made:
    """Training samples were logged in kiloohms, the validation samples in ohms."""
    model, fit = gases()
    x, y = fit["validation_data"]
    return model, fit | {"validation_data": (x * 1000, y)}
