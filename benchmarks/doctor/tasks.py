# ruff: noqa: D401 (a docstring says the thing itself, or the sign looked for)
"""The tasks of the benchmark: what there is to be learned, drawn anew for each case.

Each function returns rows ``(x, y)`` in random order. Those of `SET_ASIDE` appear only
in the part that is set aside, and no others do.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import datasets as sk

Rows = tuple[np.ndarray, np.ndarray]


def clusters(rows: int, seed: int) -> Rows:
    """Four classes of twelve measurements, eight of them of use."""
    x, y = sk.make_classification(
        rows,
        n_features=12,
        n_informative=8,
        n_redundant=2,
        n_classes=4,
        n_clusters_per_class=2,
        class_sep=1.6,
        flip_y=0.01,
        random_state=seed,
    )
    return x, y


def moons(rows: int, seed: int) -> Rows:
    """Two half moons."""
    return sk.make_moons(rows, noise=0.18, random_state=seed)


def table(rows: int, seed: int) -> Rows:
    """Yes or no from twenty measurements, of two clusters each."""
    return sk.make_classification(
        rows,
        n_features=20,
        n_informative=6,
        n_clusters_per_class=2,
        class_sep=1.3,
        flip_y=0.02,
        random_state=seed,
    )


def friedman(rows: int, seed: int) -> Rows:
    """One number from ten, five of them of use."""
    x, y = sk.make_friedman1(rows, noise=0.5, random_state=seed)
    return (x - 0.5) * 3.46, (y - 14.4) / 5


def surface(rows: int, seed: int) -> Rows:
    """Two numbers from three."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, (rows, 3))
    y = np.stack([np.sin(2 * x[:, 0]) + x[:, 1] / 2, x[:, 1] * x[:, 2] / 1.5], axis=1)
    return x, y + 0.1 * rng.standard_normal(y.shape)


def digits(rows: int, seed: int) -> Rows:
    """Handwritten digits of 8 by 8 pixels."""
    x, y = sk.load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(len(x))[:rows]
    return (x / 16).reshape(-1, 8, 8, 1)[chosen], y[chosen]


def waves(rows: int, seed: int) -> Rows:
    """Three kinds of waves by their frequency, of any phase."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    t = np.arange(24)
    phase = rng.uniform(0, 2 * np.pi, rows)
    pace = np.array([0.25, 0.5, 0.9])[y] * rng.uniform(0.85, 1.15, rows)
    x = np.sin(pace[:, None] * t + phase[:, None])
    return (x + 0.2 * rng.standard_normal(x.shape))[..., None], y


def topics(rows: int, seed: int, most: int = 24) -> Rows:
    """Four topics: texts of 6 to 20 words, some typical of the topic, padded with 0."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, rows)
    x = np.zeros((rows, most), "int32")
    for row, topic in enumerate(y):
        length = rng.integers(6, 20)
        typical = rng.random(length) < 0.4
        words = np.where(
            typical,
            1 + 25 * topic + rng.integers(0, 25, length),
            101 + rng.integers(0, 100, length),
        )
        x[row, :length] = words
    return x, y


def early(rows: int, seed: int, most: int = 40) -> Rows:
    """Yes or no, told by the first three of forty steps; the others are noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    x = rng.standard_normal((rows, most, 1)) * 0.5
    x[:, :3, 0] += (2 * y - 1)[:, None] * 1.5
    return x, y


def rings(rows: int, seed: int) -> Rows:
    """Three rings, one within the other."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    angle = rng.uniform(0, 2 * np.pi, rows)
    radius = 0.4 + 0.7 * y + 0.12 * rng.standard_normal(rows)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), y


def cancer(rows: int, seed: int) -> Rows:
    """Breast cancer, Wisconsin: benign or not, by thirty measurements."""
    x, y = sk.load_breast_cancer(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(len(x))[:rows]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return x[chosen], y[chosen]


def cars(rows: int, seed: int) -> Rows:
    """Miles per gallon of cars."""
    from nnperf_utils import datasets

    data = datasets.load_auto_mpg(seed=seed % 100)
    parts = [data.train, data.validation]
    x, y = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    return x, y.ravel()


def polynomial(rows: int, seed: int) -> Rows:
    """One number from six, by products and squares."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 6))
    y = (
        x[:, 0] * x[:, 1]
        + 0.7 * x[:, 2] ** 2
        - x[:, 3]
        + 0.1 * rng.standard_normal(rows)
    )
    return x, (y - y.mean()) / y.std()


def strokes(rows: int, seed: int) -> Rows:
    """Ten shapes along a line, moved and noisy: MNIST-1D."""
    from nnperf_utils import datasets

    data = datasets.load_mnist1d(samples=2000, seed=seed % 50)
    x, y = (
        np.concatenate([p[i] for p in (data.train, data.validation)]) for i in (0, 1)
    )
    return x.reshape(len(x), -1, 1)[:rows], y[:rows]


def clothes(rows: int, seed: int) -> Rows:
    """Fashion-MNIST, five of its classes, at half the resolution."""
    from nnperf_utils import datasets

    data = datasets.load_fashion_mnist(seed=0)
    x, y = data.train
    x = x.reshape(len(x), x.shape[1], x.shape[2], 1)
    x, y = x[y < 5], y[y < 5]
    if x.shape[1] >= 28:
        x = x.reshape(len(x), 14, 2, 14, 2, 1).mean(axis=(2, 4))
    chosen = np.random.default_rng(seed).permutation(len(x))[:rows]
    return x[chosen], y[chosen]


def totals(rows: int, seed: int) -> Rows:
    """The sum of the marked ones of sixteen numbers: series of two measurements."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, (rows, 16))
    marks = (rng.random((rows, 16)) < 0.3).astype(float)
    y = (values * marks).sum(axis=1)
    return np.stack([values, marks], axis=2), (y - y.mean()) / y.std()


def order(rows: int, seed: int, most: int = 24) -> Rows:
    """Yes or no: which of two kinds of words comes first, padded with 0."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    x = np.zeros((rows, most), "int32")
    for row, first in enumerate(y):
        length = rng.integers(5, 12)
        words = 21 + rng.integers(0, 60, length)
        at = np.sort(rng.choice(length, 2, replace=False))
        words[at[0]] = 1 + 10 * first + rng.integers(0, 10)
        words[at[1]] = 1 + 10 * (1 - first) + rng.integers(0, 10)
        x[row, :length] = words
    return x, y


def marks(rows: int, seed: int, most: int = 32) -> Rows:
    """Three classes, told by words that are good or bad: texts padded with 0."""
    rng = np.random.default_rng(seed)
    x = np.zeros((rows, most), "int32")
    y = rng.integers(0, 3, rows)
    for row, kind in enumerate(y):
        length = rng.integers(5, 22)
        share = [0.05, 0.5, 0.95][kind]
        tells = rng.random(length) < 0.45
        good = rng.random(length) < share
        words = np.where(good, 1, 41) + rng.integers(0, 40, length)
        x[row, :length] = np.where(tells, words, 81 + rng.integers(0, 120, length))
    return x, y


def diabetes(rows: int, seed: int) -> Rows:
    """Diabetes or not, by eight measurements: nobody gets far beyond 77%."""
    from nnperf_utils import datasets

    data = datasets.load_diabetes(seed=seed % 50)
    x, y = (
        np.concatenate([p[i] for p in (data.train, data.validation)]) for i in (0, 1)
    )
    return x, y


def progress(rows: int, seed: int) -> Rows:
    """Progress of diabetes, a number from ten; half of it is noise."""
    x, y = sk.load_diabetes(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(len(x))[:rows]
    x = x / x.std(axis=0)
    return x[chosen], ((y - y.mean()) / y.std())[chosen]


def overlapping(rows: int, seed: int) -> Rows:
    """Two wide clouds, one over the other: a fifth is wrong at best."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    x = rng.standard_normal((rows, 8))
    x[:, 0] += 1.5 * y
    x[:, 1] += 0.9 * y
    return x, y


def wine(rows: int, seed: int) -> Rows:
    """Three growers of wine, by thirteen measurements."""
    x, y = sk.load_wine(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(len(x))[:rows]
    return ((x - x.mean(axis=0)) / x.std(axis=0))[chosen], y[chosen]


def spirals(rows: int, seed: int) -> Rows:
    """Two spirals, one turn each, with four columns of noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    along = rng.uniform(0.3, 1, rows)
    angle = 2 * np.pi * along + np.pi * y
    x = 2 * along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([x, rng.standard_normal((rows, 2))], axis=1), y


def hills(rows: int, seed: int) -> Rows:
    """One number from two that matter, of five: the height of a landscape."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, (rows, 5))
    y = np.exp(-((x[:, 0] - 1) ** 2) - x[:, 1] ** 2) - np.exp(
        -((x[:, 0] + 1) ** 2) - (x[:, 1] - 0.5) ** 2
    )
    y = y + 0.03 * rng.standard_normal(rows)
    return x, (y - y.mean()) / y.std()


def jumps(rows: int, seed: int) -> Rows:
    """Four kinds of series: flat, rising, with a jump up, with a jump down."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, rows)
    t = np.arange(28)
    at = rng.integers(8, 20, rows)[:, None]
    shapes = np.stack(
        [
            np.zeros((rows, 28)),
            np.tile(t / 14 - 1, (rows, 1)),
            1.0 * (t > at),
            -1.0 * (t > at),
        ]
    )
    x = 1.2 * shapes[y, np.arange(rows)] + 0.4 * rng.standard_normal((rows, 28))
    return x[..., None], y


def bars(rows: int, seed: int) -> Rows:
    """Noisy pictures of 12 by 12 pixels: bars in four directions."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, rows)
    i, j = np.mgrid[:12, :12]
    along = np.stack([i, j, (i + j) / 1.4, (i - j) / 1.4])[y]
    phase = rng.uniform(0, 2 * np.pi, (rows, 1, 1))
    x = (
        0.5
        + 0.3 * np.sin(1.3 * along + phase)
        + 0.15 * rng.standard_normal(along.shape)
    )
    return np.clip(x, 0, 1)[..., None], y


def reviews(rows: int, seed: int, most: int = 20) -> Rows:
    """Yes or no: whether good words outnumber bad ones, padded with 0."""
    rng = np.random.default_rng(seed)
    x = np.zeros((rows, most), "int32")
    y = rng.integers(0, 2, rows)
    for row, good in enumerate(y):
        length = rng.integers(7, 18)
        tells = rng.random(length) < 0.6
        kind = rng.random(length) < (0.8 if good else 0.2)
        words = np.where(kind, 1, 16) + rng.integers(0, 15, length)
        x[row, :length] = np.where(tells, words, 31 + rng.integers(0, 90, length))
    return x, y


class Task:
    """A task: its rows, its kind and shape, and the networks that suit it."""

    def __init__(self, make: Callable, kind: str, nets: str, rows: tuple, **more: Any):
        self.name, self.make, self.kind = make.__name__, make, kind
        self.nets, self.rows = nets.split(), rows
        self.classes = more.get("classes", 0)
        self.words = more.get("words", 0)
        self.low = more.get("low", False)

    def split(self, rows: int, seed: int, **given: Any) -> tuple:
        """Return training and validation rows: ``x, y, x_val, y_val``."""
        extra = min(max(200, rows // 3), 500)
        x, y = self.make(rows + extra, seed, **given)
        kept = min(rows, int(len(x) * 0.7))
        x = np.asarray(x, "int32" if self.words else "float32")
        y = np.asarray(y, "float32" if self.kind == "regression" else "int32")
        return x[:kept], y[:kept], x[kept:], y[kept:]


DEVELOPMENT = [
    Task(clusters, "multiclass", "mlp residual", (400, 1500), classes=4),
    Task(moons, "binary", "mlp subclass", (250, 1000), classes=2),
    Task(table, "binary", "mlp", (500, 2000), classes=2),
    Task(friedman, "regression", "mlp residual", (400, 1500)),
    Task(surface, "regression", "mlp", (500, 1500)),
    Task(digits, "multiclass", "cnn mlp", (700, 1200), classes=10),
    Task(waves, "multiclass", "rnn conv1d", (400, 900), classes=3),
    Task(topics, "multiclass", "text", (500, 900), classes=4, words=201),
]
SET_ASIDE = [
    Task(rings, "multiclass", "mlp subclass", (300, 1000), classes=3),
    Task(cancer, "binary", "mlp residual", (350, 400), classes=2),
    Task(cars, "regression", "mlp", (270, 300)),
    Task(polynomial, "regression", "mlp residual", (500, 2500)),
    Task(strokes, "multiclass", "conv1d", (1000, 1400), classes=10),
    Task(clothes, "multiclass", "cnn mlp", (600, 1500), classes=5),
    Task(totals, "regression", "rnn", (600, 1200)),
    Task(marks, "multiclass", "text", (400, 1000), classes=3, words=201),
    Task(order, "binary", "text", (900, 1500), classes=2, words=81),
]
FRESH = [  # drawn after the first scoring of the part set aside
    Task(wine, "multiclass", "mlp residual", (110, 120), classes=3),
    Task(spirals, "binary", "mlp subclass", (500, 1500), classes=2),
    Task(hills, "regression", "mlp residual", (600, 2000)),
    Task(jumps, "multiclass", "rnn conv1d", (500, 1000), classes=4),
    Task(bars, "multiclass", "cnn mlp", (500, 1000), classes=4),
    Task(reviews, "binary", "text", (600, 1200), classes=2, words=121),
]
FRESH += [t for t in SET_ASIDE if t.name in ("cancer", "polynomial", "clothes")]
MORE = [  # for hard negatives and single faults
    Task(diabetes, "binary", "mlp", (400, 500), classes=2, low=True),
    Task(overlapping, "binary", "mlp", (300, 900), classes=2, low=True),
    Task(progress, "regression", "mlp", (250, 300), low=True),
    Task(early, "binary", "rnn", (500, 700), classes=2),
]
TASKS = {task.name: task for task in [*DEVELOPMENT, *SET_ASIDE, *FRESH, *MORE]}


def easy(rows: int, seed: int) -> Rows:
    """Two clouds far apart."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    return rng.standard_normal((rows, 6)) + 2.4 * (2 * y - 1)[:, None] * 0.6, y


def xor(rows: int, seed: int) -> Rows:
    """Yes where two of four measurements have one sign."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (rows, 4))
    return x, (x[:, 0] * x[:, 1] > 0).astype(int)


for _task in (
    Task(easy, "binary", "mlp", (800, 1500), classes=2),
    Task(xor, "binary", "mlp", (600, 900), classes=2),
):
    TASKS[_task.name] = _task
