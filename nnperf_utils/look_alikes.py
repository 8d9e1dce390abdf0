"""Networks that fail in eight ways on three tasks, and who tells them apart by what.

All have the same layers, so that all train in one graph. A forest of trees learns from
two of the tasks to name what is wrong, and is asked about the third: from the curves
alone, or from the curves and what the instruments read in the layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np
import pandas as pd
from keras import layers
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from sklearn.ensemble import RandomForestClassifier

from nnperf_utils import plots
from nnperf_utils.datasets import Dataset
from nnperf_utils.engine.work import Work, checked_task
from nnperf_utils.replicas import Cell, Runs, train_work
from nnperf_utils.seeds import shifted

__all__ = [
    "CONDITIONS",
    "alike",
    "features",
    "flat_curves",
    "named",
    "network",
    "recall_bars",
    "scores",
    "train",
]

EPOCHS = 10
ROWS = {"train": 480, "validation": 240}
COLUMNS = 64

CONDITIONS: dict[str, dict] = {
    "healthy": {},
    "steps too short": {"rate": 1e-5},
    "steps too long": {"rate": 0.3},
    "dead units": {"bias": -8.0},
    "started at zero": {"start": "zeros"},
    "penalty too strong": {"l2": 0.3},
    "dropout too high": {"dropout": 0.95},
    "shuffled labels": {"wrong": 1.0},
    "noisy labels": {"wrong": 0.5},
}
"""What is wrong, and how it is done; ``wrong`` is the share of labels drawn by lot."""


def network(
    rate: float = 0.003,
    bias: float = 0.0,
    start: str = "he_normal",
    l2: float = 0.0,
    dropout: float = 0.0,
) -> keras.Model:
    """Build three hidden layers of 32 ReLU units for ten classes."""
    model = keras.Sequential([keras.Input((COLUMNS,))])
    penalty = keras.regularizers.L2
    for number in range(1, 4):
        drawn = keras.initializers.Constant(bias)
        model.add(
            layers.Dense(
                32,
                "relu",
                kernel_initializer=start,
                bias_initializer=drawn,
                kernel_regularizer=penalty(l2),
                name=f"hidden_{number}",
            )
        )
        model.add(layers.Dropout(dropout))
    last = "zeros" if start == "zeros" else "glorot_uniform"
    model.add(
        layers.Dense(
            10,
            "softmax",
            kernel_initializer=last,
            kernel_regularizer=penalty(l2),
            name="answer",
        )
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return model


def alike(data: Dataset) -> Dataset:
    """Bring a table of ten classes to the shape that all of them have.

    Parameters
    ----------
    data : datasets.Dataset
        With at most 64 columns and 480 training and 240 validation rows or more.

    Returns
    -------
    datasets.Dataset
        With columns of zeros behind, and no test part.
    """
    parts = {}
    for name, rows in ROWS.items():
        x, y = getattr(data, name)
        x = x.reshape(len(x), -1)[:rows]
        if len(x) < rows or x.shape[1] > COLUMNS:
            raise ValueError(
                f"data have {len(x)} {name} rows of {x.shape[1]} columns; expected "
                f"{rows} rows or more of at most {COLUMNS} columns."
            )
        wide = np.pad(x, [(0, 0), (0, COLUMNS - x.shape[1])])
        parts[name] = (wide, y[:rows])
    return Dataset(data.name, **parts, test=None, task="multiclass")


def _targets(y: np.ndarray, wrong: float, seed: int) -> np.ndarray | None:
    """Give a share of the labels to other rows."""
    if not wrong:
        return None
    rng = np.random.default_rng([shifted(seed), 19])
    chosen = rng.permutation(len(y))[: round(wrong * len(y))]
    told = np.array(y)
    told[chosen] = told[rng.permutation(chosen)]
    return told


def train(
    tables: Mapping[str, Dataset], seeds: int = 20, progress: bool = False
) -> Runs:
    """Train every condition on every table from every seed, in one graph.

    Parameters
    ----------
    tables : mapping of str to datasets.Dataset
        As `alike` returns them.
    seeds : int
    progress : bool

    Returns
    -------
    Runs
        With readings of gradients, activations and updates.
    """
    tasks = [
        checked_task(data, epochs=EPOCHS, batch_size=32, labels={"data": name})
        for name, data in tables.items()
    ]
    builders = {name: _builder(given) for name, given in CONDITIONS.items()}
    cells = [
        Cell(
            name,
            seed,
            builders[name],
            place,
            targets=_targets(data.train[1], given.get("wrong", 0.0), seed),
        )
        for place, data in enumerate(tables.values())
        for name, given in CONDITIONS.items()
        for seed in range(seeds)
    ]
    work = Work.of(tasks, record=("gradients", "activations", "updates"))
    return train_work(cells, work, progress)


def _builder(given: dict) -> Callable[[], keras.Model]:
    knobs = {name: value for name, value in given.items() if name != "wrong"}
    return lambda: network(**knobs)


_LABELS = ["data", "variant", "seed"]


def features(runs: Runs) -> dict[str, pd.DataFrame]:
    """Return what is to be told by: the curves, and the curves with the readings.

    Parameters
    ----------
    runs : Runs
        As `train` returns them.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``"curves"`` and ``"all"``: a row for each network, indexed by table, condition
        and seed, and a column for each number. Losses are over that of chance;
        numbers that are not finite are large.
    """
    seen = ["loss", "val_loss", "val_accuracy"]
    kept = runs.history[runs.history["metric"].isin(seen)]
    curves = kept.pivot_table(
        index=_LABELS, columns=["metric", "epoch"], values="value", dropna=False
    )
    losses = curves.columns.get_level_values(0) != "val_accuracy"
    curves.loc[:, losses] = np.log10(curves.loc[:, losses] / np.log(10))
    curves.columns = ["_".join(map(str, one)) for one in curves.columns]
    late = runs.readings[runs.readings["epoch"].isin([0, 1, EPOCHS])]
    read = late.pivot_table(
        index=_LABELS, columns=["layer", "metric", "epoch"], values="value"
    )
    sized = read.columns.get_level_values("metric")
    sized = ~sized.isin(["dead", "saturated", "activation_mean"])
    read.loc[:, sized] = np.log10(read.loc[:, sized].abs() + 1e-9)
    read.columns = ["_".join(map(str, one)) for one in read.columns]
    both = curves.join(read)
    return {name: _finite(one) for name, one in (("curves", curves), ("all", both))}


def _finite(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.clip(-20, 20).fillna(20.0)


def named(table: pd.DataFrame, trees: int = 200) -> pd.Series:
    """Name what is wrong with each network, on a task that the forest has not seen.

    Parameters
    ----------
    table : pandas.DataFrame
        One of `features`.
    trees : int

    Returns
    -------
    pandas.Series
        The condition that was named, indexed as the table.
    """
    said = []
    tasks = table.index.get_level_values("data")
    truth = table.index.get_level_values("variant")
    for task in tasks.unique():
        new = tasks == task
        forest = RandomForestClassifier(trees, random_state=shifted(0))
        forest.fit(table[~new], truth[~new])
        said.append(pd.Series(forest.predict(table[new]), table[new].index))
    return pd.concat(said)


def scores(said: pd.Series) -> pd.DataFrame:
    """Return how often the forest was right, seed by seed.

    Parameters
    ----------
    said : pandas.Series
        As `named` returns it.

    Returns
    -------
    pandas.DataFrame
        Indexed by seed: ``right``, the mean over tasks and conditions, and ``sides``,
        the mean of the shares of healthy and of ill networks put on their side.
    """
    truth = said.index.get_level_values("variant")
    frame = pd.DataFrame(
        {
            "right": np.asarray(said == truth, float),
            "side": np.asarray((said == "healthy") == (truth == "healthy"), float),
            "healthy": np.asarray(truth == "healthy"),
        },
        said.index,
    )
    right = frame.groupby("seed")["right"].mean()
    sides = frame.groupby(["seed", "healthy"])["side"].mean().groupby("seed").mean()
    return pd.DataFrame({"right": right, "sides": sides})


# --- drawings ------------------------------------------------------------------------


def flat_curves(runs: Runs, table: str, conditions: list[str]) -> np.ndarray:
    """Draw the validation losses of a few conditions side by side, every run a line.

    Parameters
    ----------
    runs : Runs
    table : str
    conditions : list of str

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes
    """
    size = (2.3 * len(conditions), 2.6)
    _, axes = plt.subplots(1, len(conditions), figsize=size, sharey=True)
    picked = runs.history.query("data == @table and metric == 'val_loss'")
    for number, (ax, name) in enumerate(zip(axes, conditions, strict=True)):
        wide = picked[picked["variant"] == name].pivot_table(
            index="epoch", columns="seed", values="value"
        )
        ax.plot(wide, color=plots.PALETTE[0], linewidth=0.8, alpha=0.6)
        ax.set(title=f"network {chr(65 + number)}", xlabel="epoch", ylim=(0, 3))
        ax.set_xticks([1, EPOCHS // 2, EPOCHS])
    axes[0].set_ylabel("validation loss")
    return axes


def recall_bars(said: Mapping[str, pd.Series], *, ax: Axes | None = None) -> Axes:
    """Draw of each condition how often it was named, by what the forest saw.

    Parameters
    ----------
    said : mapping of str to pandas.Series
        By what the forest saw, as `named` returns it.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6.5, 3.6))
    shares = {}
    for name, one in said.items():
        truth = one.index.get_level_values("variant")
        shares[name] = pd.Series(np.asarray(one == truth, float)).groupby(truth).mean()
    table = pd.DataFrame(shares).loc[list(CONDITIONS)[::-1]]
    for number, (name, marker) in enumerate(zip(table, "os", strict=False)):
        color = plots.PALETTE[number]
        places = np.arange(len(table)) + 0.24 * (0.5 - number)
        ax.plot(table[name], places, marker, color=color, label=name)
    ax.hlines(
        range(len(table)),
        table.min(axis=1),
        table.max(axis=1),
        color="0.6",
        linewidth=1,
        zorder=0,
    )
    ax.set_yticks(range(len(table)), table.index)
    ax.set(xlim=(-0.03, 1.03), xlabel="share named rightly, on a task not seen before")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    return ax
