"""What the size of a batch changes: the way to a target, its rate, its seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import ops
from matplotlib.axes import Axes

from nnperf_utils import costs, plots
from nnperf_utils.curvature import largest_curvature
from nnperf_utils.instruments import gradient_noise
from nnperf_utils.seeds import shifted

__all__ = [
    "GrowingBatches",
    "best_rates",
    "curvatures",
    "draw_paths",
    "noise_by_run",
    "prices",
    "rescaled",
    "rises",
    "starts",
    "update_times",
]


@keras.saving.register_keras_serializable("nnperf_utils")
class GrowingBatches(keras.optimizers.SGD):
    """SGD that from some update on waits for several batches and takes them as one.

    Parameters
    ----------
    learning_rate : float
    grow_after : int
        Batches before that, each with an update of its own.
    factor : int
        How many batches make one afterwards.
    **options
        Of ``keras.optimizers.SGD``, but for momentum, which would move the weights
        while batches are gathered.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        grow_after: int = 0,
        factor: int = 2,
        name: str = "growing_batches",
        **options: Any,
    ):
        for what, value, least in (
            ("grow_after", grow_after, 0),
            ("factor", factor, 1),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(
                    f"{what} is {value!r}; expected a whole number of {least} or more."
                )
        if options.get("momentum"):
            raise ValueError("momentum must be 0: steps are left out in between.")
        super().__init__(learning_rate, name=name, **options)
        self.grow_after, self.factor = grow_after, factor

    def build(self, variables: Sequence[Any]) -> None:
        """Make the sums of gradients."""
        if self.built:
            return
        super().build(variables)
        self.sums = self.add_optimizer_variables(variables, "sum")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Add a gradient, and make a step if it is the last of its batch."""
        after = ops.cast(self.iterations, "int32") - self.grow_after
        has_grown = after >= 0
        is_last = ops.logical_or(
            ops.logical_not(has_grown), (after + 1) % self.factor == 0
        )
        share = ops.cast(is_last, variable.dtype)
        size = ops.where(has_grown, float(self.factor), 1.0)
        place = self.sums[self._get_variable_index(variable)]
        total = place + ops.cast(gradient, variable.dtype)
        super().update_step(
            share * total / ops.cast(size, variable.dtype), variable, learning_rate
        )
        self.assign(place, (1 - share) * total)

    def get_config(self) -> dict[str, Any]:
        """Return what makes it anew."""
        own = {"grow_after": self.grow_after, "factor": self.factor}
        return super().get_config() | own


def starts(model: keras.Model, seeds: int) -> Iterator[tuple[int, keras.Model]]:
    """Yield a network of dense layers with fresh weights, as Keras draws them.

    It is the same model each time, so that what a function traces of it is traced once.

    Parameters
    ----------
    model : keras.Model
        Its kernels get Glorot's uniform weights, its biases zeros.
    seeds : int
        How many, from 0 on.

    Yields
    ------
    tuple of (int, keras.Model)
    """
    for seed in range(seeds):
        for place, weight in enumerate(model.trainable_variables):
            is_kernel = len(weight.shape) > 1
            drawn = keras.initializers.GlorotUniform(1000 * shifted(seed) + place)
            weight.assign(drawn(weight.shape) if is_kernel else 0 * weight)
        yield seed, model


def noise_by_run(
    networks: Iterable[tuple[int, keras.Model]], x: Any, y: Any, sizes: Sequence[int]
) -> pd.DataFrame:
    """Return the noise of the gradient of each network, the mean over 200 batches.

    Parameters
    ----------
    networks : iterable of (int, keras.Model)
        With the seed of each, from which its batches are drawn, too.
    x, y : array
        All examples.
    sizes : sequence of int
        Of the batches.

    Returns
    -------
    pandas.DataFrame
        A row for each seed and a column for each size; see
        :func:`nnperf_utils.instruments.gradient_noise`.
    """
    rows = {}
    for seed, model in networks:
        drawn = gradient_noise(model, x, y, sizes, seed=shifted(seed))
        rows[seed] = drawn.groupby("batch_size")["value"].mean()
    return pd.DataFrame(rows).T.rename_axis(index="seed")


def curvatures(
    networks: Iterable[tuple[int, keras.Model]], x: Any, y: Any
) -> pd.Series:
    """Return the largest curvature of each network's loss.

    Parameters
    ----------
    networks : iterable of (int, keras.Model)
        With the seed of each.
    x, y : array
        All examples.

    Returns
    -------
    pandas.Series
        By seed; see :func:`nnperf_utils.curvature.largest_curvature`.
    """
    found = {seed: largest_curvature(model, x, y) for seed, model in networks}
    return pd.Series(found).rename_axis("seed")


def rescaled(
    networks: Iterable[tuple[int, keras.Model]], factor: float
) -> Iterator[tuple[int, keras.Model]]:
    """Yield networks with other weights that make the same outputs.

    Parameters
    ----------
    networks : iterable of (int, keras.Model)
        With the seed of each; of two dense layers with ReLU between them.
    factor : float
        Above 0: of the first layer's weights and biases. The second layer's weights
        are divided by it.

    Yields
    ------
    tuple of (int, keras.Model)
    """
    for seed, model in networks:
        w1, b1, w2, b2 = model.get_weights()
        model.set_weights([factor * w1, factor * b1, w2 / factor, b2])
        yield seed, model


def best_rates(losses: pd.DataFrame) -> pd.Series:
    """Return each run's best learning rate, read between those that were tried.

    Where the lowest loss is, a parabola goes through its logarithm and those of its two
    neighbors, over the logarithm of the rate; its lowest point is the best rate.

    Parameters
    ----------
    losses : pandas.DataFrame
        A row for each run and a column for each rate, in rising order.

    Returns
    -------
    pandas.Series
        By run. Where the lowest loss is at an edge, that rate.
    """
    if losses.shape[1] < 3:
        raise ValueError(
            f"losses must have three rates or more; got {losses.shape[1]}."
        )
    logs = np.log(losses.to_numpy(float))
    logs = np.where(np.isfinite(logs), logs, np.nanmax(logs[np.isfinite(logs)]))
    rates = np.log(losses.columns.to_numpy(float))
    found = []
    for row in logs:
        i = int(row.argmin())
        if i in (0, len(row) - 1):
            found.append(rates[i])
            continue
        two = np.polyfit(rates[i - 1 : i + 2] - rates[i], row[i - 1 : i + 2], 2)
        found.append(rates[i] - two[1] / (2 * two[0]))
    return pd.Series(np.exp(found), index=losses.index)


def prices(
    runs: Mapping[int, Any], target: float, seconds: pd.Series, noise: pd.Series
) -> pd.DataFrame:
    """Return what each batch size needs to a training loss, at each learning rate.

    Parameters
    ----------
    runs : mapping of int to Comparison
        By batch size; of one variant, with a grid of learning rates.
    target : float
        The training loss to reach.
    seconds : pandas.Series
        Of an update, by batch size.
    noise : pandas.Series
        Of the gradient, by batch size; a size that is missing has none.

    Returns
    -------
    pandas.DataFrame
        Columns ``batch, rate, epochs, updates, seconds, noise``, the medians of all
        seeds; zero where most runs do not get there.
    """
    frames = []
    for size, run in runs.items():
        by_rate = run.reached("train_loss", target).groupby("learning_rate")
        frame = by_rate[["epoch", "update"]].median().replace(np.inf, 0).reset_index()
        frame.columns = ["rate", "epochs", "updates"]
        frame.insert(0, "batch", size)
        frame["seconds"] = frame["updates"] * seconds[size]
        frame["noise"] = noise.get(size, 0.0)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def rises(curves: pd.DataFrame, every: int = 1) -> pd.Series:
    """Return the share of stretches over which each curve rose.

    Parameters
    ----------
    curves : pandas.DataFrame
        A row for each epoch and a column for each run.
    every : int
        Rows that make one stretch.

    Returns
    -------
    pandas.Series
        By run.
    """
    read = curves.iloc[every - 1 :: every]
    if len(read) < 2:
        raise ValueError(
            f"curves have {len(curves)} rows, too few for two readings {every} apart."
        )
    return (read.diff().iloc[1:] > 0).mean()


def update_times(
    model: keras.Model,
    x: Any,
    y: Any,
    batch_sizes: Sequence[int],
    *,
    repetitions: int = 20,
) -> pd.DataFrame:
    """Time one update of a network, compiled to a graph, at several batch sizes.

    The sizes take turns, so that whatever else the machine does slows all of them.

    Parameters
    ----------
    model : keras.Model
        Compiled. Its weights change.
    x, y : array
        Examples; they are repeated where there are fewer than a batch has.
    batch_sizes : sequence of int
    repetitions : int

    Returns
    -------
    pandas.DataFrame
        Seconds, a row for each repetition (``seed``) and a column for each size.
    """
    weights = model.trainable_variables
    model.optimizer.build(weights)

    def update(inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(inputs, labels, model(inputs, training=True))
        model.optimizer.apply_gradients(
            zip(tape.gradient(loss, weights), weights, strict=True)
        )
        return loss

    works = []
    for size in batch_sizes:
        rows = np.arange(size) % len(x)
        works.append((update, [tf.constant(x[rows]), tf.constant(y[rows])]))
    # the first once more, since whatever comes after the last finds its caches full
    times = costs.seconds(works[0], *works, repetitions=repetitions, calls=5)[:, 1:]
    index = pd.RangeIndex(len(times), name="seed")
    return pd.DataFrame(times, index=index, columns=list(batch_sizes))


def draw_paths(
    batch_sizes: Sequence[int] = (4, 100), *, steps: int = 60, noise: float = 3.0
) -> list[Axes]:
    """Draw the way down a bowl with batches of several sizes, a panel for each.

    Parameters
    ----------
    batch_sizes : sequence of int
    steps : int
        Updates of each path.
    noise : float
        Standard deviation of the gradient of one example.

    Returns
    -------
    list of matplotlib.axes.Axes
    """
    curvature = np.array([0.6, 3.0])
    sides = np.linspace(-3.2, 3.2, 81), np.linspace(-2.2, 2.2, 61)
    x, y = np.meshgrid(*sides)
    loss = curvature[0] * x**2 + curvature[1] * y**2
    _, axes = plt.subplots(
        1, len(batch_sizes), figsize=(6.2, 2.3), layout="constrained", squeeze=False
    )
    for ax, size in zip(axes[0], batch_sizes, strict=True):
        generator = np.random.default_rng(4)
        path = [np.array([-2.8, 1.7])]
        for _ in range(steps):
            drawn = generator.normal(0, noise / np.sqrt(size), 2)
            path.append(path[-1] - 0.12 * (2 * curvature * path[-1] + drawn))
        levels = loss.max() * np.linspace(0.1, 1, 7) ** 2
        ax.contour(x, y, loss, levels=levels, cmap="Greys_r", linewidths=0.8)
        ax.plot(*np.array(path).T, "o-", markersize=2.5, linewidth=1)
        ax.plot(0, 0, "x", color=plots.PALETTE[1], markersize=9, markeredgewidth=2)
        ax.set(title=f"batches of {size}", xticks=[], yticks=[], aspect="equal")
        ax.grid(visible=False)
    return list(axes[0])
