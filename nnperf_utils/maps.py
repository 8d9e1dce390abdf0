"""Maps of what a network looks at, each in a few lines, and checks of such maps.

A map has a number for each place of a picture. Those by gradients explain the
logarithm of the probability of the picture's class, which still has a slope where the
probability itself is near 1.

References
----------
Simonyan, K., Vedaldi, A. and Zisserman, A. (2014): the gradient by the pixels.
Zeiler, M. and Fergus, R. (2014): occlusion. Selvaraju, R. et al. (2017): Grad-CAM.
Sundararajan, M., Taly, A. and Yan, Q. (2017): integrated gradients. Adebayo, J. et al.
(2018): the check by a network of random weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from nnperf_utils.seeds import shifted

__all__ = [
    "MAPS",
    "accuracy_without",
    "activation",
    "both",
    "grad_cam",
    "integrated",
    "likeness",
    "occlusion",
    "rows_of_maps",
    "saliency",
    "tapped",
    "told_by_units",
]


def tapped(model: keras.Model) -> keras.Model:
    """Return a network that puts out what its last convolution does, and its answer.

    Parameters
    ----------
    model : keras.Sequential
        Its answer is a softmax over classes.

    Returns
    -------
    keras.Model
        With the same weights; all maps take it.

    Raises
    ------
    TypeError, ValueError
        If it is no Sequential, or there is no convolution.
    """
    if not isinstance(model, keras.Sequential):
        raise TypeError(
            f"model is a {type(model).__name__}; expected a keras.Sequential, whose "
            "layers follow one another."
        )
    convolution = None
    pixels = out = keras.Input(model.input_shape[1:])
    for layer in model.layers:
        out = layer(out)
        if isinstance(layer, keras.layers.Conv2D):
            convolution = out
    if convolution is None:
        raise ValueError("model has no Conv2D layer, so there is no map of its units.")
    return keras.Model(pixels, [convolution, out])


def _log_probability(outputs: tf.Tensor, y: np.ndarray) -> tf.Tensor:
    """Return of each example the logarithm of the probability of its class."""
    chosen = tf.gather(outputs, tf.cast(y, tf.int32), axis=1, batch_dims=1)
    return tf.math.log(chosen + 1e-12)


def _slope(network: keras.Model, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the gradient of the log-probability by the pixels, of the shape of x."""
    pixels = tf.convert_to_tensor(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        told = _log_probability(network(pixels, training=False)[1], y)
    return np.array(tape.gradient(told, pixels))


def activation(network: keras.Model, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Map the mean of what the units of the last convolution put out.

    Parameters
    ----------
    network : keras.Model
        As `tapped` returns it.
    x : numpy.ndarray, shape (examples, height, width, channels)
    y : numpy.ndarray, shape (examples,)
        The classes; this map does not ask for them.

    Returns
    -------
    numpy.ndarray, shape (examples, rows, columns)
    """
    return np.array(network(x, training=False)[0]).mean(axis=-1)


def saliency(network: keras.Model, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Map the size of the gradient of the log-probability by the pixels.

    Parameters and result as of `activation`.
    """
    return np.abs(_slope(network, x, y)).max(axis=-1)


def grad_cam(network: keras.Model, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Map the units, each weighted by its mean gradient, and what is positive of it.

    Parameters and result as of `activation`.
    """
    with tf.GradientTape() as tape:
        maps, outputs = network(tf.convert_to_tensor(x), training=False)
        told = _log_probability(outputs, y)
    weights = tf.reduce_mean(tape.gradient(told, maps), axis=(1, 2), keepdims=True)
    return np.array(tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1)))


def integrated(
    network: keras.Model, x: np.ndarray, y: np.ndarray, steps: int = 20
) -> np.ndarray:
    """Map the gradient on the way from a black picture, times the pixel, with its sign.

    Over a picture it sums to what the log-probability gains on that way. A black pixel
    always gets 0.

    Parameters and result as of `activation`; `steps` is the number of places on it.
    """
    places = (np.arange(steps) + 0.5) / steps
    way = (places[:, None, None, None, None] * x).reshape(-1, *x.shape[1:])
    slopes = _slope(network, way, np.tile(y, steps)).reshape(steps, *x.shape)
    return (slopes.mean(axis=0) * x).sum(axis=-1)


def occlusion(
    network: keras.Model, x: np.ndarray, y: np.ndarray, side: int = 3, apart: int = 2
) -> np.ndarray:
    """Map what a black square takes from the log-probability where it covers.

    Parameters and result as of `activation`; `side` is the square's, and it moves by
    `apart` pixels.
    """
    rows = [range(0, length, apart) for length in x.shape[1:3]]
    covered = np.repeat(x[:, None], len(rows[0]) * len(rows[1]), axis=1)
    half = side // 2
    for place, (i, j) in enumerate((i, j) for i in rows[0] for j in rows[1]):
        top, left = max(i - half, 0), max(j - half, 0)
        covered[:, place, top : i + half + 1, left : j + half + 1] = 0
    places = covered.shape[1]
    answers = network(covered.reshape(-1, *x.shape[1:]), training=False)[1]
    told = _log_probability(answers, np.repeat(y, places))
    whole = _log_probability(network(x, training=False)[1], y)
    lost = np.array(whole)[:, None] - np.array(told).reshape(len(x), places)
    return lost.reshape(len(x), len(rows[0]), len(rows[1]))


MAPS: dict[str, Callable[..., np.ndarray]] = {
    "activation": activation,
    "saliency": saliency,
    "grad_cam": grad_cam,
    "integrated": integrated,
    "occlusion": occlusion,
}
"""The maps by name."""

DELETED = 0.1  # of the pixels


def told_by_units(
    network: keras.Model, train: tuple, test: tuple, regions: int = 2
) -> float:
    """Return how many new examples a logistic regression on the units gets right.

    Parameters
    ----------
    network : keras.Model
        As `tapped` returns it.
    train, test : tuple of numpy.ndarray
        ``(x, y)``.
    regions : int
        Each unit is averaged over so many parts of the picture along each side.

    Returns
    -------
    float
        Accuracy.
    """
    parts = []
    for x, _ in (train, test):
        units = np.array(network(x, training=False)[0])
        side = units.shape[1] // regions * regions
        units = units[:, :side, :side]
        shape = (len(x), regions, side // regions, regions, side // regions, -1)
        parts.append(units.reshape(shape).mean(axis=(2, 4)).reshape(len(x), -1))
    regression = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.3, max_iter=1000, tol=1e-2)
    )
    with threadpool_limits(1):  # so few numbers that threads only wait
        regression.fit(parts[0], train[1])
    return float(regression.score(parts[1], test[1]))


def likeness(maps: np.ndarray, others: np.ndarray) -> float:
    """Return the mean rank correlation of two networks' maps of the same pictures.

    Parameters
    ----------
    maps, others : numpy.ndarray, shape (examples, rows, columns)

    Returns
    -------
    float
        1 where both order the places alike, 0 where they have nothing in common. Empty
        maps, with the same number at every place, are left out.

    Raises
    ------
    ValueError
        If the shapes differ, or no pair of maps is left.
    """
    if maps.shape != others.shape:
        raise ValueError(f"maps have the shape {maps.shape}, others {others.shape}.")
    flat = [np.asarray(one).reshape(len(one), -1) for one in (maps, others)]
    told = np.all([np.ptp(one, axis=1) > 0 for one in flat], axis=0)
    if not told.any():
        raise ValueError("every pair has an empty map, so there is nothing to compare.")
    ranks = [rankdata(one[told], axis=1) for one in flat]
    ranks = [one - one.mean(axis=1, keepdims=True) for one in ranks]
    sizes = [np.sqrt((one**2).sum(axis=1)) for one in ranks]
    return float(np.mean((ranks[0] * ranks[1]).sum(axis=1) / (sizes[0] * sizes[1])))


def accuracy_without(
    network: keras.Model, x: np.ndarray, y: np.ndarray, maps: np.ndarray, share: float
) -> float:
    """Return the accuracy after the places that a map puts first have become black.

    Parameters
    ----------
    network : keras.Model
        As `tapped` returns it.
    x, y : numpy.ndarray
    maps : numpy.ndarray, shape (examples, rows, columns)
        Coarser maps are spread over the pixels.
    share : float
        Of the pixels to delete.

    Returns
    -------
    float
    """
    grown = [-(-x.shape[k] // maps.shape[k]) for k in (1, 2)]
    fine = maps.repeat(grown[0], axis=1).repeat(grown[1], axis=2)
    fine = fine[:, : x.shape[1], : x.shape[2]].reshape(len(x), -1)
    count = round(share * fine.shape[1])
    first = np.argsort(-fine, axis=1, kind="stable")[:, :count]
    left = x.reshape(len(x), fine.shape[1], -1).copy()
    np.put_along_axis(left, first[..., None], 0.0, axis=1)
    answers = np.array(network(left.reshape(x.shape), training=False)[1])
    return float(np.mean(answers.argmax(axis=1) == y))


def both(
    network: keras.Model, other: keras.Model, x: np.ndarray, y: np.ndarray
) -> tuple[dict[str, float], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Put all maps of a network to two checks: another network, and deleted pixels.

    Parameters
    ----------
    network, other : keras.Model
        As `tapped` returns them; the other one has not learned.
    x, y : numpy.ndarray

    Returns
    -------
    row : dict of str to float
        By a map's name its `likeness` to the other network's; ``without_`` and the name
        the accuracy without the tenth of the pixels that it puts first, and
        ``without_chance`` without as many by lot of those that are not black; ``empty``
        the share of empty maps of Grad-CAM. The size of integrated gradients is
        ``integrated_size``.
    drawn : dict of str to tuple of numpy.ndarray
        The maps of both networks.
    """
    drawn = {
        name: (make(network, x, y), make(other, x, y)) for name, make in MAPS.items()
    }
    drawn["integrated_size"] = tuple(np.abs(one) for one in drawn["integrated"])
    row = {}
    for name, (one, another) in drawn.items():
        row[name] = likeness(one, another)
        row[f"without_{name}"] = accuracy_without(network, x, y, one, DELETED)
    lit = x.max(axis=-1) > 0  # to delete a black pixel would take nothing
    lot = np.random.default_rng(shifted(0)).random(x.shape[:3]) * lit
    row["without_chance"] = accuracy_without(network, x, y, lot, DELETED)
    row["empty"] = float(np.mean(np.ptp(drawn["grad_cam"][0], axis=(1, 2)) == 0))
    return row, drawn


def rows_of_maps(
    pictures: np.ndarray, maps: Mapping[str, Sequence[np.ndarray]]
) -> np.ndarray:
    """Draw pictures, and below each the maps of several networks.

    Parameters
    ----------
    pictures : numpy.ndarray, shape (examples, height, width)
    maps : mapping of str to sequence of numpy.ndarray
        By the name of its row, a map of each picture.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes, shape (rows, examples)
    """
    rows = {"picture": pictures, **maps}
    size = (1.25 * len(pictures) + 2.2, 1.25 * len(rows))
    _, axes = plt.subplots(len(rows), len(pictures), figsize=size, squeeze=False)
    for line, (name, several) in zip(axes, rows.items(), strict=True):
        for ax, one in zip(line, several, strict=True):
            _show(ax, np.asarray(one))
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return axes


def _show(ax: Axes, one: np.ndarray) -> None:
    """Draw one map; numbers with signs on two colours, white between."""
    most = np.abs(one).max() or 1.0
    signed = one.min() < 0
    ax.imshow(
        one,
        cmap="RdBu_r" if signed else "Greys",
        vmin=-most if signed else 0,
        vmax=most,
    )
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
