"""Deep networks of equal blocks, all replicas in one product of matrices.

A deep network makes a large graph, and one for each depth. Where all its blocks are
alike nothing of that is needed: the weights of all replicas are stacked, and a batched
product serves them all. The numbers are those of the Keras network in :class:`Blocks`
(a test compares the two).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf

from nnperf_utils.engine.work import check_count, check_seeds, example_order
from nnperf_utils.seeds import shifted

__all__ = ["Blocks", "TrainedBlocks", "Weights", "sizes", "train_blocks", "without"]

_EPSILON = 1e-3  # of Keras's BatchNormalization
_BETA_1, _BETA_2, _ADAM_EPSILON = 0.9, 0.999, 1e-7  # of Keras's Adam


class Weights(NamedTuple):
    """Weights of some replicas, which are the first axis of each array."""

    stem: Any  # (replicas, inputs, units)
    blocks: Any  # (replicas, blocks, units, units)
    output: Any  # (replicas, units, classes)
    bias: Any  # (replicas, 1, classes)


@dataclass(frozen=True)
class Blocks:
    """A classifier of a dense layer, equal blocks, and a dense layer.

    A block computes ``skip * h + branch * (relu(h) @ W)``, in Keras::

        h = Dense(units, use_bias=False)(inputs)
        for _ in range(number):
            f = Activation("relu")(h)
            f = Dense(units, use_bias=False, kernel_initializer="he_normal")(f)
            h = Add()([Rescaling(skip)(h), Rescaling(branch)(f)])
        h = Activation("relu")(h)
        outputs = Dense(classes, "softmax")(h)

    Attributes
    ----------
    number : int
        How many blocks.
    skip, branch : float
        What the two ways through a block are multiplied with; a `skip` of 0 makes a
        plain network.
    gain : float
        Inputs times variance of a block's weights at the start: 2 is He's, 1 Glorot's
        (Keras's default), 0 starts at zero.
    normalize : bool
        Batch normalization at the head of each branch, without scale and shift, and
        always by the batch that is seen.
    last : bool
        The activation last in the branch, ``relu(h @ W)``, instead of first.
    units : int
        Width of all blocks.
    """

    number: int
    skip: float = 1.0
    branch: float = 1.0
    gain: float = 2.0
    normalize: bool = False
    last: bool = False
    units: int = 16

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_count("number", self.number)
        check_count("units", self.units)
        if self.gain < 0:
            raise ValueError(f"gain is {self.gain!r}; expected 0 or more.")

    def start(self, data: Any, seeds: Sequence[int]) -> Weights:
        """Draw the weights of a replica for each seed.

        Parameters
        ----------
        data : Dataset
            With rows of features, and classes.
        seeds : sequence of int

        Returns
        -------
        Weights
        """
        features, units, classes = *data.input_shape, self.units, data.output_units
        shapes = ((features, units), (self.number, units, units), (units, classes))
        variances = (1 / features, self.gain / units, 1 / units)

        def drawn(seed: int) -> list[np.ndarray]:
            # block after block, so that a deeper network starts as a shallow one does
            random = [np.random.default_rng([part, shifted(seed)]) for part in range(3)]
            return [
                (variance**0.5 * one.standard_normal(shape)).astype(np.float32)
                for one, shape, variance in zip(random, shapes, variances, strict=True)
            ]

        stacked = map(np.stack, zip(*map(drawn, seeds), strict=True))
        bias = np.zeros((len(seeds), 1, classes), np.float32)
        return Weights(*stacked, bias)


def _logits(network: Blocks, weights: Weights, x: Any, skip: Any, branch: Any) -> list:
    """Return the signal after each block and, at the end, the logits."""
    signals = [x @ weights.stem]
    for matrix in tf.unstack(weights.blocks, axis=1):
        h = f = signals[-1]
        if network.normalize:
            f -= tf.reduce_mean(f, axis=1, keepdims=True)
            variance = tf.reduce_mean(f * f, axis=1, keepdims=True)
            f *= tf.math.rsqrt(variance + _EPSILON)
        f = tf.nn.relu(f @ matrix) if network.last else tf.nn.relu(f) @ matrix
        signals.append(skip * h + branch * f)
    return [*signals, tf.nn.relu(signals[-1]) @ weights.output + weights.bias]


def _losses(logits: Any, y: Any) -> Any:
    """Return the loss of each replica."""
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
    return tf.reduce_mean(each, axis=1)


def _numbers(values: Sequence[float]) -> tf.Tensor:
    """Return a number for each replica, to be multiplied with its signal."""
    return tf.constant(values, tf.float32, shape=(len(values), 1, 1))


def _repeated(a: np.ndarray, times: int) -> tf.Tensor:
    return tf.repeat(tf.constant(a)[None], times, axis=0)


# --------------------------------------------------------------------------------------
# Before training
# --------------------------------------------------------------------------------------


def sizes(
    network: Blocks, data: Any, *, seeds: int | Sequence[int] = 20, examples: int = 128
) -> pd.DataFrame:
    """Measure signal and gradient at each block, before training.

    Parameters
    ----------
    network : Blocks
    data : Dataset
    seeds : int or sequence of int
        A number means 0, 1, ..., n - 1.
    examples : int
        How many of the training part, the first ones.

    Returns
    -------
    pandas.DataFrame
        Columns ``block, seed, metric, value``; block 0 is what enters the first one.
        ``signal`` is the mean square of what leaves a block; ``directions`` in how many
        directions the examples differ there, (Σλ)² / Σλ² of the eigenvalues of their
        covariance, at least 1; ``gradient`` the norm of the gradient of the block's
        weights, ``arriving`` that of the gradient of what leaves the block.

    Examples
    --------
    >>> sizes(Blocks(40, skip=0), data)  # doctest: +SKIP
    """
    seeds = check_seeds(seeds)
    check_count("examples", examples)
    x, y = (_repeated(part[:examples], len(seeds)) for part in data.train)
    weights = Weights(*map(tf.constant, network.start(data, seeds)))
    both = (_numbers([value] * len(seeds)) for value in (network.skip, network.branch))
    with tf.GradientTape() as tape:
        tape.watch(weights)
        *signals, logits = _logits(network, weights, x, *both)
        loss = tf.reduce_sum(_losses(logits, y))
    of_blocks, arriving = tape.gradient(loss, [weights.blocks, signals])

    def norm(values: tf.Tensor, axes: Sequence[int]) -> np.ndarray:
        return tf.sqrt(tf.reduce_sum(values**2, axis=axes)).numpy()

    def mean_square(values: tf.Tensor) -> np.ndarray:
        return tf.reduce_mean(values**2, axis=[1, 2]).numpy()

    def directions(values: tf.Tensor) -> np.ndarray:
        values -= tf.reduce_mean(values, axis=1, keepdims=True)
        # of size one: the fourth power of a large signal would overflow
        values /= tf.sqrt(tf.reduce_mean(values**2, axis=[1, 2], keepdims=True))
        covariance = tf.matmul(values, values, transpose_a=True)
        total = tf.linalg.trace(covariance) ** 2
        return (total / tf.reduce_sum(covariance**2, axis=[1, 2])).numpy()

    of_each = norm(of_blocks, [2, 3]).T
    metrics = {
        "signal": [mean_square(h) for h in signals],
        "directions": [directions(h) for h in signals],
        "gradient": [np.full(len(seeds), np.nan), *of_each],
        "arriving": [norm(g, [1, 2]) for g in arriving],
    }
    rows = [
        (block, seed, metric, value)
        for metric, values in metrics.items()
        for block, of_block in enumerate(values)
        for seed, value in zip(seeds, of_block, strict=True)
        if np.isfinite(value) or block
    ]
    return pd.DataFrame(rows, columns=["block", "seed", "metric", "value"])


# --------------------------------------------------------------------------------------
# Training
# --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrainedBlocks:
    """Networks of equal blocks after training.

    Attributes
    ----------
    networks : dict of str to Blocks
    seeds : list of int
    rates : dict of str to float
        The learning rate that was chosen for each.
    tuning : pandas.DataFrame
        ``variant, rate, seed, value``: the training loss of each trial.
    history : pandas.DataFrame
        ``variant, seed, epoch, metric, value``: ``loss``, the mean over an epoch, and,
        after the last one, ``val_loss`` and ``val_accuracy``.
    weights : dict of str to Weights
        Of each variant, a replica for each seed.
    """

    networks: Mapping[str, Blocks]
    seeds: list[int]
    rates: Mapping[str, float]
    tuning: pd.DataFrame
    history: pd.DataFrame
    weights: Mapping[str, Weights]

    def by_seed(self, variant: str, metric: str = "loss") -> pd.Series:
        """Return what a variant reaches in its last epoch, by seed.

        Parameters
        ----------
        variant, metric : str

        Returns
        -------
        pandas.Series
        """
        asked = self.history[["variant", "metric"]] == [variant, metric]
        rows = self.history[asked.all(axis=1)]
        if rows.empty:
            raise ValueError(
                f"there is no {metric!r} of {variant!r}; the variants are "
                f"{', '.join(self.networks)}."
            )
        last = rows[rows["epoch"] == rows["epoch"].max()]
        return last.set_index("seed")["value"]


def train_blocks(
    networks: Mapping[str, Blocks],
    data: Any,
    *,
    rates: Sequence[float],
    epochs: int,
    batch_size: int,
    seeds: int = 20,
    tuning_seeds: int = 5,
) -> TrainedBlocks:
    """Train networks of equal blocks with Adam, each at its own best learning rate.

    All replicas of one depth are trained at once. The rate of each network is the one
    with the lowest mean training loss in the last epoch, over seeds that follow those
    of the comparison. Where there are as many trials as runs, one graph does for both.

    Parameters
    ----------
    networks : mapping of str to Blocks
        By variant.
    data : Dataset
    rates : sequence of float
        Learning rates to choose from.
    epochs, batch_size : int
        The rest of the examples that fills no batch is left out of an epoch.
    seeds, tuning_seeds : int
        How many to compare, and how many to choose by.

    Returns
    -------
    TrainedBlocks

    Examples
    --------
    >>> train_blocks(
    ...     {"plain": Blocks(40, skip=0), "residual": Blocks(40)},
    ...     data,
    ...     rates=[1e-3, 1e-2],
    ...     epochs=3,
    ...     batch_size=50,
    ... )  # doctest: +SKIP
    """
    for name, value in {
        "epochs": epochs,
        "batch_size": batch_size,
        "seeds": seeds,
        "tuning_seeds": tuning_seeds,
    }.items():
        check_count(name, value)
    if batch_size > len(data.train[1]):
        raise ValueError(
            f"batch_size is {batch_size}, but there are {len(data.train[1])} examples."
        )
    rates = [float(rate) for rate in rates]
    if not rates or min(rates) <= 0:
        raise ValueError(f"rates is {rates}; expected one number above 0 or more.")
    alike: dict[Blocks, list[str]] = {}
    for name, network in networks.items():
        form = replace(network, skip=1.0, branch=1.0, gain=1.0)
        alike.setdefault(form, []).append(name)
    tuning, history, weights, chosen = [], [], {}, {}
    for form, names in alike.items():
        train = _trainer(form, data, epochs, batch_size)
        trials = list(
            itertools.product(names, rates, range(seeds, seeds + tuning_seeds))
        )
        losses, _ = train([(networks[name], *rest) for name, *rest in trials])
        table = pd.DataFrame(trials, columns=["variant", "rate", "seed"])
        table["value"] = losses[-1]
        # a trial that diverged is worse than any other
        means = table.fillna(np.inf).groupby(["variant", "rate"])["value"].mean()
        chosen |= {name: means[name].idxmin() for name in names}
        tuning.append(table)
        runs = list(itertools.product(names, range(seeds)))
        losses, trained = train([(networks[n], chosen[n], s) for n, s in runs])
        labels = pd.DataFrame(runs, columns=["variant", "seed"])
        for epoch, of_epoch in enumerate(losses, start=1):
            history.append(labels.assign(epoch=epoch, metric="loss", value=of_epoch))
        for place, name in enumerate(names):
            own = slice(place * seeds, (place + 1) * seeds)
            weights[name] = Weights(*(array[own] for array in trained))
            found = _scores(networks[name], weights[name], *data.validation)
            for metric, values in found.items():
                frame = labels[own].assign(epoch=epochs, metric=metric, value=values)
                history.append(frame)
    return TrainedBlocks(
        dict(networks),
        list(range(seeds)),
        {name: chosen[name] for name in networks},
        pd.concat(tuning, ignore_index=True),
        pd.concat(history, ignore_index=True),
        {name: weights[name] for name in networks},
    )


def _trainer(form: Blocks, data: Any, epochs: int, batch_size: int) -> Any:
    """Return a function that trains (network, rate, seed) triples of one form."""
    x, y = map(tf.constant, data.train)
    steps = len(data.train[1]) // batch_size

    def along(numbers, array):
        """Return a number for each replica in a shape that multiplies an array."""
        return tf.reshape(numbers, [-1] + [1] * (len(array.shape) - 1))

    def step(count, weights, first, second, rows, skip, branch, rate):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            seen, labels = tf.gather(x, rows), tf.gather(y, rows)
            *_, logits = _logits(form, Weights(*weights), seen, skip, branch)
            losses = _losses(logits, labels)
        gradients = tape.gradient(losses, weights)
        count += 1
        corrected = tf.sqrt(1 - _BETA_2**count) / (1 - _BETA_1**count)
        first = [
            m + (1 - _BETA_1) * (g - m) for m, g in zip(first, gradients, strict=True)
        ]
        second = [
            v + (1 - _BETA_2) * (g**2 - v)
            for v, g in zip(second, gradients, strict=True)
        ]
        moved = [
            w - along(rate * corrected, w) * m / (tf.sqrt(v) + _ADAM_EPSILON)
            for w, m, v in zip(weights, first, second, strict=True)
        ]
        return count, moved, first, second, losses

    @tf.function(autograph=False)
    def epoch(state, order, *numbers):
        def body(i, count, weights, first, second, total):
            rows = order[:, i * batch_size : (i + 1) * batch_size]
            *after, losses = step(count, weights, first, second, rows, *numbers)
            return (i + 1, *after, total + losses)

        start = (tf.constant(0), *state, tf.zeros(order.shape[0]))
        _, *after, total = tf.while_loop(lambda i, *_: i < steps, body, start)
        return after, total / steps

    def train(runs: list[tuple[Blocks, float, int]]) -> tuple:
        drawn = [network.start(data, [seed]) for network, _, seed in runs]
        weights = [
            tf.constant(np.concatenate(arrays)) for arrays in zip(*drawn, strict=True)
        ]
        zeros = [tf.zeros_like(w) for w in weights]
        state = (tf.constant(0.0), weights, zeros, zeros)
        networks, rates, _ = zip(*runs, strict=True)
        numbers = [
            _numbers([network.skip for network in networks]),
            _numbers([network.branch for network in networks]),
            _numbers(rates),
        ]
        losses = []
        for number in range(1, epochs + 1):
            orders = [example_order(seed, number, len(y)) for *_, seed in runs]
            state, of_epoch = epoch(
                tuple(state), tf.constant(np.stack(orders)), *numbers
            )
            losses.append(of_epoch.numpy())
        return losses, [w.numpy() for w in state[1]]

    return train


def _scores(
    network: Blocks, weights: Weights, x: np.ndarray, y: np.ndarray
) -> dict[str, np.ndarray]:
    """Return loss and accuracy of each replica."""
    replicas = len(weights.stem)
    both = (_numbers([value] * replicas) for value in (network.skip, network.branch))
    *_, logits = _logits(network, weights, _repeated(x, replicas), *both)
    labels = _repeated(y, replicas)
    right = tf.argmax(logits, -1, output_type=labels.dtype) == labels
    return {
        "val_loss": _losses(logits, labels).numpy(),
        "val_accuracy": tf.reduce_mean(tf.cast(right, tf.float32), axis=1).numpy(),
    }


# --------------------------------------------------------------------------------------
# Without some blocks
# --------------------------------------------------------------------------------------


def without(
    network: Blocks, weights: Weights, x: np.ndarray, y: np.ndarray
) -> pd.DataFrame:
    """Score a trained network without each choice of its blocks.

    A block that is cut lets through what enters it, in a plain network, too. No other
    weight changes.

    Parameters
    ----------
    network : Blocks
        Not normalized, with ten blocks at most: n blocks have 2ⁿ choices.
    weights : Weights
    x, y : array
        What to score it on.

    Returns
    -------
    pandas.DataFrame
        Columns ``cut, blocks, replica, accuracy``. Bit k - 1 of ``cut`` says that block
        k is cut; ``blocks`` counts them.
    """
    if network.normalize or network.last or network.number > 10:
        raise ValueError(
            f"network is {network}; expected at most ten blocks, not normalized and "
            "with the activation first."
        )
    # every signal that may enter a block, by what was cut before
    signals = {0: x @ weights.stem}
    for place in range(network.number):
        matrix = weights.blocks[:, place]
        through = {
            cut: network.skip * h + network.branch * (np.maximum(h, 0) @ matrix)
            for cut, h in signals.items()
        }
        signals = through | {cut | 1 << place: h for cut, h in signals.items()}
    rows = []
    for cut, h in sorted(signals.items()):
        logits = np.maximum(h, 0) @ weights.output + weights.bias
        shares = (logits.argmax(axis=-1) == y).mean(axis=1)
        rows += [(cut, cut.bit_count(), r, share) for r, share in enumerate(shares)]
    return pd.DataFrame(rows, columns=["cut", "blocks", "replica", "accuracy"])
