"""Trainings of unusual networks: subclassed, custom losses, deep, several heads."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from registry import Made, faulty, healthy
from sklearn.datasets import load_diabetes, load_digits

FASHION = "/work/main/data/fashion_mnist.npz"


def split(arrays: list, rows: int) -> tuple[list, list]:
    """Cut every array into its first rows and the rest."""
    return [a[:rows] for a in arrays], [a[rows:] for a in arrays]


def digits(scale: float = 16.0) -> tuple[list, list]:
    """Return handwritten digits in random order as training and validation pairs."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(11).permutation(len(x))
    x = (x[order] / scale).astype("float32")
    return split([x, y[order].astype("int32")], 1400)


# --- conditional quantile -----------------------------------------------------------


def pinball(tau: float):
    """Return the quantile loss at level tau."""

    def loss(y, p):
        e = y - p
        return ops.mean(ops.maximum(tau * e, (tau - 1.0) * e), axis=-1)

    return loss


def coverage(y, p):
    """Return the share of targets at or below the prediction."""
    return ops.cast(y <= p, "float32")


@healthy
def quantile_p90() -> Made:
    """Upper decile of a demand whose spread depends on the inputs, pinball loss."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (4000, 4)).astype("float32")
    spread = 0.3 + 0.5 / (1 + np.exp(-4 * x[:, 3]))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + spread * rng.gumbel(size=4000)
    (a, b), (va, vb) = split([x, y[:, None].astype("float32")], 3000)
    model = keras.Sequential([layers.Input((4,))])
    model.add(layers.Dense(32, "gelu"))
    model.add(layers.Dense(32, "gelu"))
    model.add(layers.Dense(1))
    rate = keras.optimizers.schedules.CosineDecay(3e-3, 20 * 47)
    model.compile(keras.optimizers.AdamW(rate), pinball(0.9), metrics=[coverage])
    return model, dict(x=a, y=b, validation_data=(va, vb), epochs=20, batch_size=64)


# --- sine network -------------------------------------------------------------------


class SineLayer(layers.Layer):
    """Dense layer with a sine of adjustable frequency behind it."""

    def __init__(self, units: int, omega: float, first: bool = False):
        super().__init__()
        self.units, self.omega, self.first = units, omega, first

    def build(self, shape):
        """Make the weights so that the phase keeps its spread from layer to layer."""
        fan = shape[-1]
        bound = 1.0 / fan if self.first else np.sqrt(6.0 / fan) / self.omega
        draw = keras.initializers.RandomUniform(-bound, bound)
        self.w = self.add_weight(shape=(fan, self.units), initializer=draw)
        self.b = self.add_weight(shape=(self.units,), initializer="zeros")

    def call(self, x):
        """Return the sine of the scaled affine map."""
        return ops.sin(self.omega * (ops.matmul(x, self.w) + self.b))


def wave_field(rate: float) -> Made:
    """Interference of two point sources on a square, by coordinates."""
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (3600, 2)).astype("float32")
    near = np.hypot(x[:, 0] - 0.5, x[:, 1])
    far = np.hypot(x[:, 0] + 0.5, x[:, 1] - 0.3)
    y = (np.cos(9 * near) + np.cos(9 * far)).astype("float32")[:, None]
    (a, b), val = split([x, y], 3000)
    out = h = keras.Input((2,))
    for i in range(3):
        h = SineLayer(48, 8.0, first=i == 0)(h)
    model = keras.Model(out, layers.Dense(1)(h))
    model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae"])
    return model, dict(x=a, y=b, validation_data=tuple(val), epochs=30, batch_size=75)


@healthy
def siren_interference() -> Made:
    """Sine-activated coordinate network that draws an interference pattern."""
    return wave_field(5e-4)


@faulty("learning_rate_too_high", twin="siren_interference", accepted=("oscillation",))
def siren_overdriven() -> Made:
    """Coordinate network trained by Adam at a hundred times the rate sines bear."""
    return wave_field(5e-2)


# --- mixture density ----------------------------------------------------------------


def mixture_nll(y, p):
    """Negative log likelihood of a mixture of five normal densities."""
    logit, mean, log_sd = ops.split(p, 3, axis=-1)
    log_sd = ops.clip(log_sd, -5.0, 3.0)
    z = (y - mean) * ops.exp(-log_sd)
    part = ops.log_softmax(logit) - 0.5 * z**2 - log_sd - 0.9189385
    return -ops.logsumexp(part, axis=-1)


@healthy
def mixture_inverse() -> Made:
    """Inverse of a function that has three branches, as a mixture density."""
    rng = np.random.default_rng(3)
    t = rng.uniform(0, 1, (4000, 1)).astype("float32")
    x = t + 0.3 * np.sin(2 * np.pi * t) + rng.normal(0, 0.03, t.shape)
    (a, b), val = split([(4 * x - 2).astype("float32"), t], 3200)
    model = keras.Sequential([layers.Input((1,)), layers.Dense(48, "tanh")])
    model.add(layers.Dense(48, "tanh"))
    model.add(layers.Dense(15))
    rate = keras.optimizers.schedules.CosineDecay(5e-3, 35 * 50)
    adam = keras.optimizers.Adam(rate, clipnorm=1.0)
    model.compile(adam, mixture_nll)
    return model, dict(x=a, y=b, validation_data=tuple(val), epochs=35, batch_size=64)


# --- parity -------------------------------------------------------------------------


def parity(loss: str, head: str, metric: str) -> Made:
    """Parity of three of ten bits; bits and answers are plus or minus one."""
    codes = (np.arange(1024)[:, None] >> np.arange(10)) & 1
    x = (2.0 * codes - 1.0).astype("float32")
    x = x[np.random.default_rng(4).permutation(1024)]
    y = (x[:, 1] * x[:, 4] * x[:, 8])[:, None]
    (a, b), val = split([x, y], 800)
    model = keras.Sequential([layers.Input((10,)), layers.Dense(96, "selu")])
    model.add(layers.Dense(48, "tanh"))
    model.add(layers.Dense(1, head))
    model.compile(keras.optimizers.Nadam(3e-3), loss, metrics=[metric])
    return model, dict(x=a, y=b, validation_data=tuple(val), epochs=40, batch_size=32)


def sign_agrees(y, p):
    """Return the share of rows in which the sign is right."""
    return ops.cast(ops.sign(y) == ops.sign(p), "float32")


@healthy
def parity_hinge() -> Made:
    """Three-bit parity with the squared hinge, which wants plus and minus one."""
    return parity("squared_hinge", "tanh", sign_agrees)


@faulty("label_encoding", twin="parity_hinge", accepted=("wrong_loss",))
def parity_signed_crossentropy() -> Made:
    """Author left minus one as the negative label although cross-entropy wants zero."""
    return parity("binary_crossentropy", "sigmoid", "accuracy")


# --- rotation with two inputs and two outputs ---------------------------------------


def rotation(head: str | None = None, degrees: bool = False, act="gelu") -> Made:
    """Turn a point by an angle: two inputs, its new place and a product as heads."""
    rng = np.random.default_rng(5)
    p = rng.normal(size=(4000, 2)).astype("float32")
    t = rng.uniform(-np.pi, np.pi, (4000, 1)).astype("float32")
    c, s = np.cos(t), np.sin(t)
    place = np.hstack([c * p[:, :1] - s * p[:, 1:], s * p[:, :1] + c * p[:, 1:]])
    angle = np.rad2deg(t) * 60 if degrees else t
    (a, g, q, m), v = split([p, angle, place, place[:, :1] * place[:, 1:]], 3200)
    pin, ain = keras.Input((2,), name="point"), keras.Input((1,), name="angle")
    h = layers.Concatenate()([layers.Dense(32)(pin), layers.Dense(32, act)(ain)])
    for _ in range(2):
        h = layers.Dense(64, act)(h)
    heads = [layers.Dense(2, head, name="place")(h), layers.Dense(1, name="moment")(h)]
    model = keras.Model([pin, ain], heads)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, 25 * 40)
    model.compile(keras.optimizers.Adam(rate), ["mse", "mse"], loss_weights=[1.0, 0.3])
    held = ([v[0], v[1]], [v[2], v[3]])
    return model, dict(
        x=[a, g], y=[q, m], validation_data=held, epochs=25, batch_size=80
    )


@healthy
def rotation_two_heads() -> Made:
    """Plane rotation from point and angle, weighted heads, rate falling to zero."""
    return rotation()


@faulty("wrong_output_activation", twin="rotation_two_heads")
def rotation_sigmoid_head() -> Made:
    """Author gave the coordinates a sigmoid, so no negative one can come out."""
    return rotation(head="sigmoid")


@faulty("unscaled_inputs", twin="rotation_two_heads")
def rotation_arc_minutes() -> Made:
    """Author fed the angle in minutes of arc beside coordinates of unit scale."""
    return rotation(degrees=True)


@faulty("missing_nonlinearity", twin="rotation_two_heads", accepted=("underfitting",))
def rotation_linear() -> Made:
    """Author forgot every activation, so that the depth adds nothing."""
    return rotation(act=None)


# --- deep residual network ----------------------------------------------------------


def gravity_rows() -> tuple[list, list]:
    """Logarithm of a force with screening, from masses, distance and phase."""
    rng = np.random.default_rng(6)
    m = rng.uniform(0.2, 2.0, (3000, 4))
    y = np.log(m[:, 0] * m[:, 1] / m[:, 2] ** 2) + np.sin(4 * m[:, 3]) * m[:, 2]
    y += rng.normal(0, 0.1, 3000)
    x = (m - 1.1) / 0.52
    y = (y - y.mean()) / y.std()
    return split([x.astype("float32"), y[:, None].astype("float32")], 2400)


def warm_cosine(peak: float, warm: int, total: int):
    """Rate that rises linearly and then falls along a cosine."""
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(total - warm, 1), warmup_target=peak, warmup_steps=warm
    )


def deep(h, depth: int, skip: bool, norm: bool, act: str, init="glorot_uniform"):
    """Stack blocks of one layer each, by choice with skips and normalization."""
    for _ in range(depth):
        g = layers.LayerNormalization()(h) if norm else h
        g = layers.Dense(32, act, kernel_initializer=init)(g)
        h = layers.Add()([h, g]) if skip else g
    return h


def gravity(warm=60, act="gelu", skip=True, norm=True, depth=10) -> Made:
    """Force law by a deep network of narrow layers."""
    (a, b), val = gravity_rows()
    inp = keras.Input((4,))
    h = deep(layers.Dense(32)(inp), depth, skip, norm, act)
    if norm:
        h = layers.LayerNormalization()(h)
    model = keras.Model(inp, layers.Dense(1)(h))
    rate = warm_cosine(3e-3, warm, max(15 * 24, warm))
    adamw = keras.optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=1.0)
    r2 = keras.metrics.R2Score()
    model.compile(adamw, "mse", metrics=[r2], jit_compile=False)
    return model, dict(x=a, y=b, validation_data=tuple(val), epochs=15, batch_size=100)


@healthy
def residual_force_law() -> Made:
    """Ten pre-normalized residual layers with warm-up and cosine decay."""
    return gravity()


@faulty("vanishing_gradients", twin="residual_force_law")
def plain_sigmoid_tower() -> Made:
    """Author removed skips and normalization and stacked sigmoid layers."""
    return gravity(act="sigmoid", skip=False, norm=False, depth=18)


@faulty("learning_rate_too_low", twin="residual_force_law", accepted=("undertrained",))
def endless_warmup() -> Made:
    """Author counted the warm-up in examples, so the rate never leaves the ground."""
    return gravity(warm=60 * 2400)


@faulty(
    "exploding_gradients",
    twin="residual_force_law",
    accepted=("bad_initialization", "learning_rate_too_high"),
)
def residual_doubling() -> Made:
    """Author dropped normalization, so that each residual block doubles the signal."""
    (a, b), val = gravity_rows()
    inp = keras.Input((4,))
    h = layers.Dense(32)(inp)
    h = deep(h, 24, True, False, "relu", "he_normal")
    model = keras.Model(inp, layers.Dense(1)(h))
    adamw = keras.optimizers.AdamW(warm_cosine(3e-3, 60, 450), weight_decay=0.01)
    r2 = keras.metrics.R2Score()
    model.compile(adamw, "mse", metrics=[r2], jit_compile=False)
    return model, dict(x=a, y=b, validation_data=tuple(val), epochs=15, batch_size=80)


# --- autoencoder with tied weights --------------------------------------------------


class TiedAutoencoder(keras.Model):
    """Autoencoder whose decoder is the transposed encoder, with a sparsity term."""

    def __init__(self, units: int, start: str, sparsity: float = 1e-4):
        super().__init__()
        self.units, self.start, self.sparsity = units, start, sparsity

    def build(self, shape):
        """Make the one shared matrix and the two biases."""
        make = self.add_weight
        self.w = make(shape=(shape[-1], self.units), initializer=self.start)
        self.up = make(shape=(self.units,), initializer="zeros")
        self.down = make(shape=(shape[-1],), initializer="zeros")

    def call(self, x):
        """Encode, charge for active units and decode."""
        code = ops.relu(ops.matmul(x, self.w) + self.up)
        self.add_loss(self.sparsity * ops.mean(ops.sum(code, axis=-1)))
        return ops.matmul(code, ops.transpose(self.w)) + self.down


def tied(start: str) -> Made:
    """Tied autoencoder of digit images."""
    (x, _), (v, _) = digits()
    model = TiedAutoencoder(48, start)
    model.compile(keras.optimizers.Adam(3e-3), "mse", metrics=["mse"])
    return model, dict(x=x, y=x, validation_data=(v, v), epochs=40, batch_size=50)


@healthy
def tied_sparse_autoencoder() -> Made:
    """Sparse autoencoder with shared weights: most units are silent per image."""
    return tied("he_normal")


@faulty("bad_initialization", twin="tied_sparse_autoencoder", accepted=("dying_relu",))
def tied_from_zero() -> Made:
    """Author began the shared matrix at zero, where it gets no gradient at all."""
    return tied("zeros")


# --- variational autoencoder --------------------------------------------------------


class Sampler(layers.Layer):
    """Draw the latent code and charge its divergence from the standard normal."""

    def __init__(self, beta: float):
        super().__init__()
        self.beta = beta
        self.noise = keras.random.SeedGenerator(5)

    def call(self, h, training=None):
        """Return a noisy code in training, its mean otherwise."""
        mean, log_var = ops.split(h, 2, axis=-1)
        kl = 0.5 * ops.sum(mean**2 + ops.exp(log_var) - 1.0 - log_var, axis=-1)
        self.add_loss(self.beta * ops.mean(kl))
        if not training:
            return mean
        eps = keras.random.normal(ops.shape(mean), seed=self.noise)
        return mean + ops.exp(0.5 * log_var) * eps


def variational(beta: float) -> Made:
    """Variational autoencoder of digit images with eight latent numbers."""
    (x, _), (v, _) = digits()
    inp = keras.Input((64,))
    h = layers.Dense(96, "swish")(inp)
    z = Sampler(beta)(layers.Dense(16)(h))
    out = layers.Dense(64, "sigmoid")(layers.Dense(96, "swish")(z))
    model = keras.Model(inp, out)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, 35 * 22)
    model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mse"])
    return model, dict(x=x, y=x, validation_data=(v, v), epochs=35, batch_size=64)


@healthy
def variational_digits() -> Made:
    """Variational autoencoder with a divergence term that leaves the code alive."""
    return variational(5e-4)


@faulty("over_regularized", twin="variational_digits", accepted=("underfitting",))
def variational_collapsed() -> Made:
    """Author added the divergence as a sum to a mean error: the code collapses."""
    return variational(1.0)


# --- siamese network ----------------------------------------------------------------


def pairs(x, y, count: int, seed: int) -> tuple[list, np.ndarray]:
    """Pair images, half of the pairs of one class; one means the same class."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, len(x), count)
    second = rng.integers(0, len(x), count)
    for i in range(0, count, 2):
        second[i] = rng.choice(np.flatnonzero(y == y[first[i]]))
    same = (y[first] == y[second]).astype("float32")[:, None]
    return [x[first], x[second]], same


def contrastive(same, distance):
    """Pull like pairs together and push unlike ones to the margin."""
    apart = ops.maximum(1.0 - distance, 0.0)
    return ops.mean(same * distance**2 + (1.0 - same) * apart**2, axis=-1)


def verified(same, distance):
    """Return the share of pairs judged rightly at half the margin."""
    return ops.cast((distance < 0.5) == (same > 0.5), "float32")


def siamese(drop: float) -> Made:
    """Verify whether two digit images show the same digit."""
    (x, y), (vx, vy) = digits()
    one, two = keras.Input((64,)), keras.Input((64,))
    tower = [layers.Input((64,)), layers.Dense(64, "elu"), layers.Dropout(drop)]
    tower += [layers.Dense(64, "elu"), layers.Dropout(drop), layers.Dense(12)]
    net = keras.Sequential(tower)
    gap = layers.Subtract()([net(one), net(two)])
    far = layers.Lambda(lambda g: ops.sqrt(ops.sum(g**2, -1, keepdims=True) + 1e-6))
    model = keras.Model([one, two], far(gap))
    rate = keras.optimizers.schedules.CosineDecay(2e-3, 15 * 100)
    rms = keras.optimizers.RMSprop(rate)
    model.compile(rms, contrastive, metrics=[verified])
    a, b = pairs(x, y, 8000, 1)
    val = pairs(vx, vy, 1000, 2)
    return model, dict(x=a, y=b, validation_data=val, epochs=15, batch_size=80)


@healthy
def siamese_digits() -> Made:
    """Siamese verification with a contrastive loss, the tower used twice."""
    return siamese(0.1)


@faulty("dropout_too_high", twin="siamese_digits")
def siamese_dropped() -> Made:
    """Author passed the share to keep as the share to drop in the twin tower."""
    return siamese(0.9)


# --- rare events with the focal loss ------------------------------------------------


def rare_events(from_logits: bool) -> Made:
    """Faults of a machine at one row in fifteen, from a ring-shaped region."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(5000, 5)).astype("float32")
    score = 2.5 * (x[:, 0] ** 2 + x[:, 1] ** 2) - 13.0 + 1.5 * x[:, 2]
    y = (rng.random(5000) < 1 / (1 + np.exp(-score))).astype("float32")[:, None]
    (a, b), val = split([x, y], 4000)
    model = keras.Sequential([layers.Input((5,)), layers.Dense(16, "swish")])
    model.add(layers.Dense(16, "swish"))
    model.add(layers.Dense(1, "sigmoid"))
    focal = keras.losses.BinaryFocalCrossentropy(
        apply_class_balancing=True, alpha=0.75, gamma=2.0, from_logits=from_logits
    )
    f1 = keras.metrics.F1Score("macro", threshold=0.5)
    marks = [f1, keras.metrics.AUC(curve="PR")]
    rate = keras.optimizers.schedules.CosineDecay(3e-3, 10 * 63)
    model.compile(keras.optimizers.Adam(rate), focal, metrics=marks)
    return model, dict(x=a, y=b, validation_data=tuple(val), epochs=10, batch_size=64)


@healthy
def focal_rare_events() -> Made:
    """Rare class learned through a balanced focal loss of tiny value."""
    return rare_events(False)


@faulty("from_logits_mismatch", twin="focal_rare_events")
def focal_double_sigmoid() -> Made:
    """Author told the focal loss to expect logits but gives it probabilities."""
    return rare_events(True)


# --- small table with a low ceiling -------------------------------------------------


def disease(units: int, decay: float, epochs: int, rate: float) -> Made:
    """Disease progression after one year in 442 patients."""
    x, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(9).permutation(len(x))
    x, y = (x[order] * 21).astype("float32"), (y[order] - 152) / 77
    (a, b), val = split([x, y[:, None].astype("float32")], 310)
    model = keras.Sequential([layers.Input((10,)), layers.Dense(units, "selu")])
    model.add(layers.Dense(units, "selu"))
    model.add(layers.Dense(1))
    model.compile(
        keras.optimizers.Lion(rate, weight_decay=decay),
        "mse",
        metrics=[keras.metrics.R2Score()],
    )
    return model, dict(
        x=a, y=b, validation_data=tuple(val), epochs=epochs, batch_size=32
    )


@healthy
def lion_patients() -> Made:
    """Small clinical table at its ceiling of about one half of the variance, Lion."""
    return disease(8, 1.0, 40, 1e-3)


@faulty("overfitting", twin="lion_patients")
def lion_memorizer() -> Made:
    """Author took hundreds of units and many passes for three hundred patients."""
    return disease(256, 0.0, 60, 1e-3)


# --- heavy tails --------------------------------------------------------------------


def heavy_tails(level: float, unit: float) -> Made:
    """Yield with errors of Student's t with 1.5 degrees, robust loss, momentum."""
    rng = np.random.default_rng(10)
    x = rng.uniform(-1, 1, (3000, 3)).astype("float32")
    y = 2 * x[:, 0] * x[:, 1] + np.cos(3 * x[:, 2]) + 0.15 * rng.standard_t(1.5, 3000)
    y = (level + unit * y).astype("float32")[:, None]
    (a, b), val = split([x, y], 2400)
    model = keras.Sequential([layers.Input((3,)), layers.Dense(48, "tanh")])
    model.add(layers.Dense(48, "tanh"))
    model.add(layers.Dense(1))
    sgd = keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True)
    model.compile(sgd, keras.losses.Huber(0.5), metrics=["mae"])
    return model, dict(x=a, y=b, validation_data=tuple(val), epochs=40, batch_size=64)


@healthy
def huber_heavy_tails() -> Made:
    """Regression with wild outliers that a Huber loss keeps in check."""
    return heavy_tails(0.0, 1.0)


@faulty("unscaled_targets", twin="huber_heavy_tails")
def huber_kilograms() -> Made:
    """Author left the yield in kilograms, far above the Huber knee of 0.5."""
    return heavy_tails(42000.0, 9000.0)


# --- mixup in a custom training step ------------------------------------------------


class MixupModel(keras.Model):
    """Classifier that blends each batch with a permuted copy of itself."""

    def __init__(self, classes: int):
        super().__init__()
        self.body = [layers.Dense(96, "gelu"), layers.Dense(96, "gelu")]
        self.top = layers.Dense(classes)

    def call(self, x):
        """Return logits."""
        for layer in self.body:
            x = layer(x)
        return self.top(x)

    def train_step(self, data):
        """Take one step on a blended batch."""
        x, y = data
        share = tf.random.uniform((tf.shape(x)[0], 1), 0.5, 1.0)
        order = tf.random.shuffle(tf.range(tf.shape(x)[0]))
        x = share * x + (1 - share) * tf.gather(x, order)
        y = share * y + (1 - share) * tf.gather(y, order)
        with tf.GradientTape() as tape:
            p = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=p)
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(grads, self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, p)
        return {m.name: m.result() for m in self.metrics}


def mixup(train: tuple, val: tuple) -> Made:
    """Digit classifier on blended images."""
    model = MixupModel(10)
    model.compile(
        keras.optimizers.AdamW(1e-3, weight_decay=0.02),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    hot = [keras.utils.to_categorical(t[1], 10) for t in (train, val)]
    return model, dict(
        x=train[0],
        y=hot[0],
        validation_data=(val[0], hot[1]),
        epochs=30,
        batch_size=64,
    )


@healthy
def mixup_digits() -> Made:
    """Blended examples: the training loss stays far above that of validation."""
    return mixup(*digits())


@faulty("shuffled_labels", twin="mixup_digits", accepted=("label_noise",))
def mixup_unpaired() -> Made:
    """Author permuted the training images once more without their labels."""
    (x, y), val = digits()
    return mixup((x[np.random.default_rng(1).permutation(len(x))], y), val)


@faulty("preprocessing_mismatch", twin="mixup_digits")
def mixup_inverted_validation() -> Made:
    """Author inverted black and white in the validation images only."""
    train, (v, w) = digits()
    return mixup(train, (1.0 - v, w))


# --- clicks -------------------------------------------------------------------------


class FieldProduct(keras.Model):
    """Factorization machine: linear part and products of learned factors."""

    def __init__(self, rank: int):
        super().__init__()
        self.linear = layers.Dense(1)
        self.factors = layers.Dense(rank, use_bias=False)
        self.squares = layers.Dense(1)

    def call(self, x):
        """Return the probability of a click."""
        return ops.sigmoid(self.linear(x) + self.squares(self.factors(x) ** 2))


def clicks(leak: bool) -> Made:
    """Clicks that depend weakly on the product of two traits."""
    rng = np.random.default_rng(12)
    x = rng.normal(size=(6000, 8))
    score = 0.35 * x[:, 0] - 0.3 * x[:, 1] + 0.6 * x[:, 2] * x[:, 3] - 0.4
    y = (rng.random(6000) < 1 / (1 + np.exp(-score))).astype("float32")[:, None]
    if leak:
        x[:, 7:] = 1.4 * (2 * y - 1) + 0.35 * x[:, 7:]
    (a, b), val = split([x.astype("float32"), y], 4500)
    model = FieldProduct(4)
    rate = keras.optimizers.schedules.CosineDecay(1e-2, 25 * 71)
    adam = keras.optimizers.Adam(rate)
    model.compile(adam, "binary_crossentropy", metrics=["accuracy", "auc"])
    return model, dict(x=a, y=b, validation_data=tuple(val), epochs=25, batch_size=64)


@healthy
def clicks_factorized() -> Made:
    """Factorization machine on clicks that are mostly chance: a low ceiling."""
    return clicks(False)


@faulty("data_leakage", twin="clicks_factorized")
def clicks_dwell_time() -> Made:
    """Author kept the time on the advertised page, which exists only after a click."""
    return clicks(True)


# --- counts -------------------------------------------------------------------------


def counts(loss: str) -> Made:
    """Rare counts, mostly zero, with an exposure as a second input."""
    rng = np.random.default_rng(13)
    x = rng.normal(size=(5000, 4)).astype("float32")
    days = rng.uniform(0.2, 1.0, (5000, 1)).astype("float32")
    rate = 0.5 * np.exp(0.8 * x[:, :1] - 0.6 * np.abs(x[:, 1:2]) + 0.4 * x[:, 2:3])
    y = rng.poisson(rate * days).astype("float32")
    (a, d, b), (va, vd, vb) = split([x, days, y], 4000)
    table, exposure = keras.Input((4,)), keras.Input((1,))
    h = layers.Dense(24, "swish")(table)
    log_rate = layers.Dense(1, bias_initializer=keras.initializers.Constant(-1.0))(h)
    mean = layers.Multiply()([layers.Activation("exponential")(log_rate), exposure])
    model = keras.Model([table, exposure], mean)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["mse", "poisson"])
    held = ([va, vd], vb)
    return model, dict(x=[a, d], y=b, validation_data=held, epochs=15, batch_size=64)


@healthy
def claims_with_exposure() -> Made:
    """Claims by Poisson likelihood with an exponential rate times the exposure."""
    return counts("poisson")


@faulty("wrong_loss", twin="claims_with_exposure")
def claims_absolute_error() -> Made:
    """Author minimized the absolute error, whose best answer to rare counts is zero."""
    return counts("mae")


# --- sequences of unequal length ----------------------------------------------------


def alternating(mask: bool) -> Made:
    """Net turn of a short signal among many padded steps."""
    rng = np.random.default_rng(14)
    x = np.zeros((2000, 45, 2), "float32")
    y = np.zeros((2000, 1), "float32")
    for i, n in enumerate(rng.integers(3, 10, 2000)):
        x[i, :n] = rng.normal(size=(n, 2))
        y[i] = np.sum(np.tanh(x[i, :n, 0] * x[i, :n, 1])) + x[i, 0, 0]
    (a, b), val = split([x, y / y.std()], 1600)
    model = keras.Sequential([layers.Input((45, 2))])
    if mask:
        model.add(layers.Masking(0.0))
    model.add(layers.SimpleRNN(40))
    model.add(layers.Dense(1))
    rate = keras.optimizers.schedules.CosineDecay(5e-3, 25 * 25)
    adam = keras.optimizers.Adam(rate, clipvalue=0.5)
    model.compile(adam, "mse", metrics=["mae"])
    return model, dict(x=a, y=b, validation_data=tuple(val), epochs=25, batch_size=64)


@healthy
def masked_signal() -> Made:
    """Recurrent sum of products over sequences of unequal length, padding masked."""
    return alternating(True)


@faulty("padding_not_masked", twin="masked_signal", accepted=("vanishing_gradients",))
def unmasked_signal() -> Made:
    """Author let the recurrent layer run on through five times as much padding."""
    return alternating(False)


# --- batch normalization in a subclass ----------------------------------------------


class Clothes(keras.Model):
    """Classifier with batch normalization between its layers."""

    def __init__(self, momentum: float):
        super().__init__()
        self.flat = layers.Flatten()
        self.norms = [layers.BatchNormalization(momentum=momentum) for _ in range(2)]
        self.wide = [layers.Dense(48, use_bias=False) for _ in range(2)]
        self.drop = layers.Dropout(0.4)
        self.top = layers.Dense(10)

    def call(self, x, training=None):
        """Return logits."""
        x = self.flat(x)
        for dense, norm in zip(self.wide, self.norms, strict=True):
            x = ops.silu(norm(dense(x), training=training))
            x = self.drop(x, training=training)
        return self.top(x)


def clothes(momentum: float) -> Made:
    """Five thousand pictures of clothes by a tf.data pipeline."""
    with np.load(FASHION) as f:
        x, y = f["x_train"][:5000], f["y_train"][:5000]
    x = (x / 255.0).astype("float32")
    (a, b), val = split([x, y.astype("int32")], 4000)
    data = tf.data.Dataset.from_tensor_slices((a, b)).shuffle(4000, seed=1).batch(100)
    held = tf.data.Dataset.from_tensor_slices(tuple(val)).batch(250)
    model = Clothes(momentum)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    return model, dict(x=data, validation_data=held, epochs=12)


@healthy
def normed_clothes() -> Made:
    """Subclassed classifier with batch normalization and dropout from a pipeline."""
    return clothes(0.9)


@faulty("batchnorm_misuse", twin="normed_clothes")
def sluggish_statistics() -> Made:
    """Author set a momentum so near one that the running averages never arrive."""
    return clothes(0.9999)
