"""The lives of single units: which are off, since when, and which come on again.

What ``compare`` and ``replicate`` record under ``"units"`` holds for each unit and each
epoch the share of the training examples for which it is on. A unit is *off* where that
is zero. A ReLU unit that is off is dead: its own weights get no gradient.
"""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nnperf_utils.plots import PALETTE

__all__ = ["life_lines", "off_by_seed", "off_shares", "on_again_by_seed", "unit_lives"]

_MEASURED = ("epoch", "layer", "unit", "metric", "value")


def _units(readings: pd.DataFrame) -> pd.DataFrame:
    """Return the readings of single units, after checking that there are some."""
    missing = [name for name in _MEASURED if name not in readings]
    if missing or not (readings["metric"] == "on").any():
        what = f"no column {missing[0]!r}" if missing else "no metric 'on'"
        raise ValueError(
            f'readings have {what}; expected those of a training with record="units".'
        )
    return readings[readings["metric"] == "on"]


def _labels(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame if name not in _MEASURED]


def off_shares(
    readings: pd.DataFrame, *, epoch: int | None = None, layer: str | None = None
) -> pd.DataFrame:
    """Return the share of units that are off, of each run.

    Parameters
    ----------
    readings : pandas.DataFrame
        Of a training with ``record="units"``.
    epoch : int, optional
        0 is before training; all epochs, in a column, unless given.
    layer : str, optional
        Of this layer alone; otherwise of all of them together.

    Returns
    -------
    pandas.DataFrame
        The runs' labels, ``epoch`` unless it was given, and ``value``; missing where
        the run's outputs were not finite.
    """
    units = _units(readings)
    for name, value in (("epoch", epoch), ("layer", layer)):
        if value is not None:
            known = units[name].unique()
            if value not in known:
                raise ValueError(
                    f"{name} is {value!r}; the readings have "
                    f"{', '.join(map(str, known))}."
                )
            units = units[units[name] == value]
    off = (units["value"] == 0).astype(float).where(units["value"].notna())
    by = [*_labels(units), *(["epoch"] if epoch is None else [])]
    groups = units.assign(value=off).groupby(by, sort=False, dropna=False)
    return groups["value"].agg(lambda one: one.mean(skipna=False)).reset_index()


def _of_arm(readings: pd.DataFrame, labels: Mapping[str, Any]) -> pd.DataFrame:
    """Return the readings of single units of the arm with these labels."""
    units = _units(readings)
    for name, value in labels.items():
        if name not in units or not (units[name] == value).any():
            raise ValueError(f"no readings have {name} {value!r}.")
        units = units[units[name] == value]
    if units.duplicated(["seed", "epoch", "layer", "unit"]).any():
        raise ValueError(
            f"several arms have {', '.join(labels) or 'no labels'} in common; name "
            "what tells them apart."
        )
    return units


def off_by_seed(
    readings: pd.DataFrame, epoch: int, *, layer: str | None = None, **labels: Any
) -> pd.Series:
    """Return the share of one arm's units that are off after an epoch.

    Parameters
    ----------
    readings : pandas.DataFrame
        Of a training with ``record="units"``.
    epoch : int
        0 is before training.
    layer : str, optional
        Of this layer alone.
    **labels
        What tells the arm: ``variant="ReLU", rate=0.3``.

    Returns
    -------
    pandas.Series
        By ``seed``. A run whose outputs are not finite has lost all of its units.
    """
    shares = off_shares(_of_arm(readings, labels), epoch=epoch, layer=layer)
    return shares.set_index("seed")["value"].fillna(1.0)


def on_again_by_seed(
    readings: pd.DataFrame, layer: str, *, off: int = 0, **labels: Any
) -> pd.Series:
    """Return the share of the units that are off early which are on later.

    Parameters
    ----------
    readings : pandas.DataFrame
        Of a training with ``record="units"``.
    layer : str
        The layer's name, or its beginning.
    off : int
        Units count that are off after this epoch or an earlier one; 0 is before
        training.
    **labels
        As in :func:`off_by_seed`.

    Returns
    -------
    pandas.Series
        By ``seed``; the runs without such units are left out.
    """
    lives = unit_lives(_of_arm(readings, labels))
    lives = lives[lives["layer"].str.startswith(layer)]
    lives = lives[(lives["off"] <= off).fillna(False).astype(bool)]
    return lives["on_again"].notna().groupby(lives["seed"]).mean().rename("value")


def unit_lives(readings: pd.DataFrame) -> pd.DataFrame:
    """Follow each unit through a training.

    Parameters
    ----------
    readings : pandas.DataFrame
        Of a training with ``record="units"``.

    Returns
    -------
    pandas.DataFrame
        A row for each unit: the run's labels, ``layer``, ``unit``; ``off``, the first
        epoch after which it is off, 0 where it starts so; ``on_again``, the first one
        after that after which it is on; ``end``, whether it is off in the end. The
        first two are missing where that does not happen. What happens between the ends
        of two epochs is not seen.
    """
    units = _units(readings)
    keys = [*_labels(units), "layer", "unit"]
    row = units.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    epochs, column = np.unique(units["epoch"], return_inverse=True)
    on = np.full((row.max() + 1, len(epochs)), np.nan)
    on[row, column] = units["value"].to_numpy(float)
    off = on == 0
    was_off = np.logical_or.accumulate(off, axis=1)
    again = was_off & (on > 0)

    frame = units.loc[~pd.Series(row, units.index).duplicated(), keys]
    frame = frame.reset_index(drop=True)
    for name, happens in (("off", off), ("on_again", again)):
        first = pd.Series(epochs[happens.argmax(axis=1)], dtype="Int64")
        frame[name] = first.where(happens.any(axis=1))
    return frame.assign(end=off[:, -1])


def life_lines(readings: pd.DataFrame, *, most: int = 60) -> list[Axes]:
    """Draw the units that are ever off: a row for each, dark while it is off.

    Parameters
    ----------
    readings : pandas.DataFrame
        Of a training with ``record="units"``: of one arm, whose runs are put together.
    most : int
        Of each layer show at most as many units, in even steps.

    Returns
    -------
    list of matplotlib.axes.Axes
        One for each layer, side by side. The units are sorted by the epochs in which
        they are off.
    """
    units = _units(readings)
    layers = list(units["layer"].unique())
    _, axes = plt.subplots(1, len(layers), figsize=(2.9 * len(layers), 3.4))
    for ax, layer, color in zip(np.atleast_1d(axes), layers, PALETTE, strict=False):
        own = units[units["layer"] == layer]
        table = own.pivot(
            index=[*_labels(own), "unit"], columns="epoch", values="value"
        )
        off = (table == 0).to_numpy()
        off = off[off.any(axis=1)]
        ever = len(off)
        order = sorted(range(ever), key=lambda row: tuple(~off[row]))
        shown = [
            order[i] for i in np.linspace(0, ever - 1, min(ever, most)).astype(int)
        ]
        for row, unit in enumerate(shown):
            at = table.columns[off[unit]]
            ax.barh([row] * len(at), 1, left=at - 0.5, height=0.75, color=color)
        ax.set(title=layer, xlabel="epoch", yticks=[], ylim=(len(shown) + 0.5, -0.5))
        ax.set_xticks(table.columns)
        ax.set_xlim(table.columns.min() - 0.6, table.columns.max() + 0.6)
        some = f"{len(shown)} of {ever} units ever off"
        ax.set_ylabel(some if ever > most else f"{ever} units that are ever off")
        ax.grid(visible=False)
    return list(np.atleast_1d(axes))
