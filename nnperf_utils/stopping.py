"""Rules that stop a training, applied to histories that hold every epoch.

A rule is a function of the values that it watches, epoch by epoch, lower being better,
and of its settings. It returns two numbers, counted from 1: after which epoch it stops,
and of which epoch it keeps the weights. Where every epoch has been recorded, each rule
can be applied to the same training afterwards, and nothing is trained again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nnperf_utils.plots import PALETTE, text_color
from nnperf_utils.statistics import higher_is_better

__all__ = [
    "added_by_choice",
    "apply",
    "by_keras",
    "draw_cases",
    "effects",
    "lab_curves",
    "price_lines",
    "prices",
    "rule_drawing",
    "share_curves",
    "until",
]

Rule = Callable[..., tuple[int, int]]

_MEASURED = ("epoch", "metric", "value")


def by_keras(values: Sequence[float], **settings: Any) -> tuple[int, int]:
    """Lead Keras's own callback through recorded values, as ``fit`` would.

    Parameters
    ----------
    values : sequence of float
        What is watched, epoch by epoch; lower is better.
    **settings
        Of `keras.callbacks.EarlyStopping`: ``patience=5``.

    Returns
    -------
    tuple of int
        After which epoch it stops, the last one at the latest, and which it would
        restore; counted from 1.
    """
    callback = keras.callbacks.EarlyStopping("value", mode="min", **settings)
    trainee = SimpleNamespace(stop_training=False, get_weights=lambda: [])
    callback.set_model(trainee)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"value": float(value)})
        if trainee.stop_training:
            break
    return epoch + 1, callback.best_epoch + 1


def draw_cases(
    number: int, epochs: int = 25, seed: int = 0
) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """Draw histories that fall, bump and rise, and settings of early stopping.

    Values and `min_delta` are multiples of 1/64, so that there are ties and no
    rounding decides.

    Parameters
    ----------
    number, epochs : int
    seed : int

    Returns
    -------
    list of tuple
        The values, and ``patience``, ``min_delta`` and ``start_from_epoch``.
    """
    draw = np.random.default_rng(seed)
    cases = []
    for _ in range(number):
        turn, noise = draw.uniform(2, epochs), draw.choice([0.0, 0.05, 0.3])
        curve = np.abs(np.arange(epochs) - turn) / epochs
        values = np.round(64 * (curve + draw.normal(0, noise, epochs))) / 64
        settings = {
            "patience": int(draw.integers(0, 11)),
            "min_delta": float(draw.choice([0, 1, 4])) / 64,
            "start_from_epoch": int(draw.choice([0, 0, 3, 8])),
        }
        cases.append((values, settings))
    return cases


def apply(
    rule: Rule,
    history: pd.DataFrame,
    monitor: str = "val_loss",
    *,
    restore: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """Return where a rule stops every run of a history, and the scores that it keeps.

    Parameters
    ----------
    rule : callable
        ``rule(values, **settings)``; of a score that is better when higher it gets the
        negative.
    history : pandas.DataFrame
        As `compare` and `replicate` return it, with every epoch of every run.
    monitor : str
        The metric to watch.
    restore : bool
        Whether the scores are those of the epoch that the rule keeps, or of the last
        one that it trains.
    **settings
        Of the rule.

    Returns
    -------
    pandas.DataFrame
        By the runs' labels: ``stopped``, ``kept``, and a column for each metric.

    Raises
    ------
    ValueError
        If the history lacks the metric.
    """
    if monitor not in set(history["metric"]):
        known = ", ".join(map(repr, history["metric"].unique()))
        raise ValueError(f"monitor is {monitor!r}; the history has {known}.")
    labels = [name for name in history if name not in _MEASURED]
    wide = history.pivot(index=[*labels, "epoch"], columns="metric", values="value")
    sign = -1 if higher_is_better(monitor) else 1
    rows = {}
    for run, scores in wide.groupby(level=labels, sort=False):
        stopped, kept = rule(sign * scores[monitor].to_numpy(), **settings)
        at = (kept if restore else stopped) - 1
        rows[run] = {"stopped": stopped, "kept": kept, **scores.iloc[at]}
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index = pd.MultiIndex.from_tuples(
        [run if isinstance(run, tuple) else (run,) for run in rows], names=labels
    )
    return frame


def until(rule: Rule, keeps: Callable[[np.ndarray], int] = np.argmin) -> Rule:
    """Return a rule that stops as another one and keeps by itself.

    Parameters
    ----------
    rule : callable
        Stops the training.
    keeps : callable
        Takes the values up to the stop and returns the place of the one to keep. By
        default that of the lowest, the first of equals, as a ``ModelCheckpoint`` with
        ``save_best_only`` does.

    Returns
    -------
    callable
    """

    def both(values: Sequence[float], **settings: Any) -> tuple[int, int]:
        stopped, _ = rule(values, **settings)
        return stopped, int(keeps(np.asarray(values)[:stopped])) + 1

    return both


def effects(frame: pd.DataFrame, *variants: str) -> dict[str, pd.Series]:
    """Return the test scores in a frame by metric and variant, as ``judge`` takes them.

    Parameters
    ----------
    frame : pandas.DataFrame
        What `apply` returns, or the difference of two of them.
    *variants : str

    Returns
    -------
    dict of str to pandas.Series
        ``loss_plain`` and so on, each by the other labels.
    """
    return {
        f"{metric}_{variant}": frame[f"test_{metric}"].xs(variant, level="variant")
        for variant in variants
        for metric in ("loss", "accuracy")
    }


def added_by_choice(history: pd.DataFrame, metric: str) -> pd.Series:
    """Return how far the choice of the best epoch flatters its validation score.

    Parameters
    ----------
    history : pandas.DataFrame
        With ``val_`` and ``test_`` scores of the metric, of every epoch.
    metric : str
        ``"accuracy"`` or ``"loss"``.

    Returns
    -------
    pandas.Series
        By the runs' labels: by how much the validation score is better than the test
        score at the epoch of the best validation score, less the same in the mean of
        all epochs.
    """
    sign = 1 if higher_is_better(metric) else -1
    labels = [name for name in history if name not in _MEASURED]
    wide = history.pivot(index=[*labels, "epoch"], columns="metric", values="value")
    validation = (sign * wide[f"val_{metric}"]).unstack("epoch")
    ahead = validation - (sign * wide[f"test_{metric}"]).unstack("epoch")
    chosen = validation.to_numpy().argmax(axis=1)
    at = ahead.to_numpy()[np.arange(len(ahead)), chosen]
    return pd.Series(at, ahead.index) - ahead.mean(axis=1)


def prices(ends: Mapping[int, pd.DataFrame], whole: pd.DataFrame) -> pd.DataFrame:
    """Return what each patience costs and loses, in the mean of each kind of runs.

    Parameters
    ----------
    ends : mapping of int to DataFrame
        What `apply` returns, by patience.
    whole : pandas.DataFrame
        The same for the rule that waits to the end.

    Returns
    -------
    pandas.DataFrame
        Columns ``runs`` (variant and table), ``patience``, ``epochs`` and ``lost``, the
        test loss of what is kept less that of what `whole` keeps.
    """
    parts = []
    for patience, kept in ends.items():
        one = pd.DataFrame(
            {
                "epochs": kept["stopped"],
                "lost": kept["test_loss"] - whole["test_loss"],
            }
        )
        mean = one.groupby(["variant", "data"], sort=False).mean().reset_index()
        mean["runs"] = mean["variant"] + ", " + mean["data"]
        parts.append(mean.assign(patience=patience))
    return pd.concat(parts)[["runs", "patience", "epochs", "lost"]]


def price_lines(table: pd.DataFrame) -> Axes:
    """Draw test loss lost over epochs trained, a line for each kind of runs.

    Parameters
    ----------
    table : pandas.DataFrame
        As `prices` returns it.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.subplots(figsize=(6.4, 3.8))[1]
    flat = []
    for (name, one), color in zip(
        table.groupby("runs", sort=False), PALETTE, strict=False
    ):
        ax.plot(one["epochs"], one["lost"], "o-", markersize=4, color=color)
        first = one.iloc[0]
        look = {"fontsize": "small", "color": text_color(color)}
        if first["lost"] > 0.05:  # its name beside its first point
            place = first["epochs"], first["lost"]
            ax.annotate(name, place, (7, 3), textcoords="offset points", **look)
        else:
            flat.append((name, look))
    for row, (name, look) in enumerate(flat):
        text = f"near zero: {name}" if not row else name
        ax.text(
            0.99, 0.94 - 0.08 * row, text, transform=ax.transAxes, ha="right", **look
        )
    ax.axhline(0, color="#8a939b", linewidth=1, linestyle=":")
    ax.set(xlabel="epochs trained (mean of all runs)", ylabel="test loss lost")
    return ax


def rule_drawing(values: Sequence[float], rule: Rule, patience: int) -> Axes:
    """Draw where a rule waits and stops on one recorded curve.

    Parameters
    ----------
    values : sequence of float
    rule : callable
    patience : int

    Returns
    -------
    matplotlib.axes.Axes
    """
    values = np.asarray(values)
    end, at = rule(values, patience=patience)
    first, last = max(at - 14, 1), min(end + 14, len(values))
    epochs = np.arange(first, last + 1)
    shown = values[first - 1 : last]
    ax = plt.subplots(figsize=(6.4, 3))[1]
    seen = epochs <= end
    ax.plot(epochs[seen], shown[seen], color=PALETTE[0])
    ax.plot(epochs[epochs >= end], shown[epochs >= end], color="#8a939b", ls=":")
    ax.axvspan(at, end, color=PALETTE[1], alpha=0.15, linewidth=0)
    ax.plot(at, values[at - 1], "o", color=PALETTE[1])
    room = shown.max() - shown.min()
    ax.set_ylim(shown.min() - 0.15 * room, shown.max() + 0.25 * room)
    top = shown.max() + 0.12 * room
    middle = {"ha": "center", "fontsize": "small"}
    ax.text(at, values[at - 1] - 0.1 * room, "kept", **middle)
    ax.text((at + end) / 2, top, "waits", **middle)
    if end < last:
        ax.text(end + 0.5, top, "never seen", **middle | {"ha": "left"})
    ax.set(xlabel="epoch", ylabel="validation loss")
    return ax


def share_curves() -> Axes:
    """Draw what stopping and an L2 penalty leave of a linear model's weight.

    Returns
    -------
    matplotlib.axes.Axes
    """
    x = np.geomspace(0.01, 100, 200)
    ax = plt.subplots(figsize=(6, 2.8))[1]
    ax.plot(x, 1 - np.exp(-x), color=PALETTE[0])
    ax.plot(x, x / (1 + x), color=PALETTE[1])
    ax.text(1.2, 0.85, "stopped", color=text_color(PALETTE[0]), ha="right")
    ax.text(3.3, 0.62, "L2 penalty", color=text_color(PALETTE[1]))
    ax.set(xscale="log", xlabel="ητλ, or λ / α", ylabel="share of the full weight")
    return ax


def lab_curves(history: pd.DataFrame, networks: Sequence[str]) -> dict[str, Any]:
    """Return recorded losses as the lab “patience” takes them.

    Parameters
    ----------
    history : pandas.DataFrame
        Of one table; of each variant and split one run.
    networks : sequence of str
        The variants, in the order in which the lab offers them.

    Returns
    -------
    dict
        ``networks``, and by network ``validation`` and ``test``: a row for each run.
    """
    data: dict[str, Any] = {"networks": list(networks)}
    # what is watched needs its digits: equal losses are no new lowest
    for part, metric, digits in (
        ("validation", "val_loss", 5),
        ("test", "test_loss", 3),
    ):
        rows = history[history["metric"] == metric]
        wide = rows.pivot(index=["variant", "split"], columns="epoch", values="value")
        data[part] = {
            name: wide.loc[name].round(digits).to_numpy() for name in networks
        }
    return data
