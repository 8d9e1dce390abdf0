"""One picture for each finding: what speaks for it."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nnperf_utils.doctor.evidence import Evidence
from nnperf_utils.doctor.finding import Finding

__all__ = ["draw"]

_BY_LAYER = {
    "vanishing_gradients": ("gradient", "gradient's norm"),
    "exploding_gradients": ("size", "typical size of the outputs"),
    "dying_relu": ("dead", "share of dead units"),
    "saturated_activations": ("saturated", "share of outputs at an end"),
    "bad_initialization": ("weights", "norm of the weights"),
    "frozen_layers": ("weights", "norm of the weights"),
}
_COLUMNS = ("unscaled_inputs", "data_leakage", "nonfinite_data")


def draw(
    evidence: Evidence, finding: Finding | None, *, ax: Axes | None = None
) -> Axes:
    """Draw the evidence for a finding; the curves where there is none.

    Parameters
    ----------
    evidence : Evidence
    finding : Finding or None
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    cause = finding.cause if finding else ""
    frames = evidence.frames
    if (
        cause == "vanishing_gradients"
        and "time" in frames
        and "steps" in finding.reason
    ):
        _over_time(ax, frames["time"])
    elif cause in _BY_LAYER and _has(frames.get("layers"), _BY_LAYER[cause][0]):
        _by_layer(ax, frames["layers"], *_BY_LAYER[cause])
    elif cause == "preprocessing_mismatch" and "parts" in frames:
        _parts(ax, frames["parts"])
    elif cause in _COLUMNS and "columns" in frames:
        _columns(ax, frames["columns"])
    elif "history" in frames and len(frames["history"]):
        _curves(ax, frames["history"])
    elif finding is not None:
        _values(ax, finding)
    else:
        ax.text(0.5, 0.5, "nothing was recorded", ha="center", va="center")
        ax.set_axis_off()
    if finding is not None:
        ax.set_title(f"{cause.replace('_', ' ')} ({finding.confidence:.0%})")
    return ax


def _has(layers: pd.DataFrame | None, metric: str) -> bool:
    return layers is not None and (layers["metric"] == metric).any()


def _by_layer(ax: Axes, layers: pd.DataFrame, metric: str, label: str) -> None:
    rows = layers[layers["metric"] == metric]
    order = list(dict.fromkeys(rows["layer"]))
    moments = list(dict.fromkeys(zip(rows["epoch"], rows["update"], strict=True)))
    for (epoch, update), style in zip(
        [moments[0], moments[-1]], (("o-", "start"), ("s--", "end")), strict=True
    ):
        one = rows[(rows["epoch"] == epoch) & (rows["update"] == update)]
        values = one.set_index("layer")["value"].reindex(order)
        ax.plot(range(len(order)), values, style[0], label=style[1])
    if "share" in label:
        ax.set_ylim(-0.03, 1.03)
    elif (rows["value"] > 0).any():
        ax.set_yscale("log")
    ax.set_xticks(range(len(order)), order, rotation=45, ha="right")
    ax.set_ylabel(label)
    ax.legend()


def _over_time(ax: Axes, time: pd.DataFrame) -> None:
    for epoch, style, name in (
        (time["epoch"].min(), "-", "start"),
        (time["epoch"].max(), "--", "end"),
    ):
        one = time[time["epoch"] == epoch].groupby("step")["value"].last()
        ax.plot(one.index, np.maximum(one, 1e-30), style, label=name)
    ax.set_yscale("log")
    ax.set_xlabel("step")
    ax.set_ylabel("gradient's size, relative")
    ax.legend()


def _columns(ax: Axes, columns: pd.DataFrame) -> None:
    kept = columns.nlargest(40, "largest").sort_index()
    at = np.arange(len(kept))
    ax.errorbar(at, kept["mean"], yerr=kept["spread"], fmt="o", capsize=2)
    if kept["largest"].max() > 100:
        ax.set_yscale("symlog")
    ax.set_xlabel("column")
    ax.set_ylabel("mean ± spread")


def _parts(ax: Axes, parts: pd.DataFrame) -> None:
    ax.scatter(parts["shift"], 2.0 ** parts["spread"].clip(-20, 20), s=14)
    ax.axvline(0, linewidth=0.8, color="0.5")
    ax.axhline(1, linewidth=0.8, color="0.5")
    ax.set_yscale("log")
    ax.set_xlabel("shift of a column's mean, in its spread")
    ax.set_ylabel("spread, validation / training")


def _curves(ax: Axes, history: pd.DataFrame) -> None:
    for metric, style in (("loss", "-"), ("val_loss", "--")):
        one = history[history["metric"] == metric]
        if len(one):
            marker = "o" if len(one) < 4 else None
            ax.plot(one["epoch"], one["value"], style, marker=marker, label=metric)
    values = history[history["metric"].isin(["loss", "val_loss"])]["value"]
    if len(values) and (values > 0).all() and values.max() > 30 * values.min():
        ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss")
    ax.legend()


def _values(ax: Axes, finding: Finding) -> None:
    shown = finding.evidence.dropna(subset="value")
    ax.barh(shown["what"], shown["value"])
    ax.invert_yaxis()
