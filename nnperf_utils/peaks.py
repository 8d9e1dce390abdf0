"""Runs at many learning rates: at their best ones, at others, and lost runs.

A comparison here has two variants and a grid of learning rates of which nothing was
chosen; what a variant gains is what the second has more than the first.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nnperf_utils import pace
from nnperf_utils.comparison import Comparison
from nnperf_utils.statistics import Estimate

__all__ = [
    "best_rate",
    "caught_up",
    "doublings",
    "gain_at",
    "lost",
    "missed",
    "tuned_gain",
    "zones",
]

_ZONES = {"lowest rate": None, "best rate": 1, "far above it": 16}


def missed(scores: pd.DataFrame, rate: float) -> pd.Series:
    """Return what runs at one rate score less than those at the best.

    Parameters
    ----------
    scores : pandas.DataFrame
        ``learning_rate, seed, value`` of one variant; high scores are good.
    rate : float
        One of those tried.

    Returns
    -------
    pandas.Series
        By seed.
    """
    table = scores.pivot(index="seed", columns="learning_rate", values="value")
    return (table[table.mean().idxmax()] - table[rate]).rename("value")


def caught_up(history: pd.DataFrame, slow: float, fast: float) -> pd.DataFrame:
    """Tell when a fast rate comes to the training loss that a slow one ends with.

    Parameters
    ----------
    history : pandas.DataFrame
        ``learning_rate, seed, epoch, metric, value`` of one variant, with the metrics
        ``loss`` and ``val_accuracy``.
    slow, fast : float
        Two of the learning rates.

    Returns
    -------
    pandas.DataFrame
        By seed: ``epoch``, the fast one's; ``times``, the slow one's epochs over it;
        ``behind``, validation accuracy at the fast rate less that at the slow one after
        the last epoch; ``worse``, the same with the fast one's in ``epoch``.
    """
    loss = pace.curves(history, "loss", "learning_rate")
    accuracy = pace.curves(history, "val_accuracy", "learning_rate")
    epoch = (loss[fast] <= loss[slow].iloc[-1]).idxmax()
    then = pd.Series({seed: accuracy[fast][seed][epoch[seed]] for seed in epoch.index})
    last = accuracy[slow].iloc[-1]
    columns = {
        "epoch": epoch,
        "times": len(loss) / epoch,
        "behind": accuracy[fast].iloc[-1] - last,
        "worse": then - last,
    }
    return pd.DataFrame(columns).rename_axis("seed")


def best_rate(result: Comparison, choose: str = "val_accuracy") -> float:
    """Return the first variant's learning rate with the best mean of a score."""
    return result.choose(choose).chosen[result.variants[0]]["learning_rate"]


def tuned_gain(
    result: Comparison, metric: str = "test_accuracy", choose: str = "val_accuracy"
) -> pd.Series:
    """Return what the second variant gains in each run, both at their best rate.

    Parameters
    ----------
    result : Comparison
    metric : str
        What is compared.
    choose : str
        By what the rates are chosen.

    Returns
    -------
    pandas.Series
        By run.
    """
    best = result.choose(choose)
    one, other = (best.by_run(name, metric) for name in result.variants)
    gained = (other - one).rename("value")
    return gained.droplevel([n for n in gained.index.names if n != "seed"])


def gain_at(result: Comparison, rate: float, metric: str = "test_accuracy") -> Estimate:
    """Estimate what the second variant gains at the rate nearest to one.

    Parameters
    ----------
    result : Comparison
    rate : float
        The nearest of those tried is taken, by their ratio.
    metric : str

    Returns
    -------
    Estimate
    """
    tried = result.scores()["learning_rate"].unique()
    near = min(tried, key=lambda one: abs(np.log(one / rate)))
    first, second = result.variants
    return result.difference(second, first, metric, learning_rate=near)


def lost(result: Comparison, above: float) -> pd.DataFrame:
    """Tell which runs end with a training loss above a number, or with none.

    Parameters
    ----------
    result : Comparison
    above : float
        Of the mean training loss over the last epoch.

    Returns
    -------
    pandas.DataFrame of bool
        By run; columns by variant and learning rate.
    """
    return ~(result.by_arm("loss", levels=True, diverged=np.inf) <= above)


def doublings(result: Comparison, above: float) -> pd.Series:
    """Return by how many doublings a run of the second variant survives higher rates.

    Parameters
    ----------
    result : Comparison
    above : float
        As in :func:`lost`.

    Returns
    -------
    pandas.Series
        By run: of the highest rate at which it is not lost.

    Raises
    ------
    ValueError
        If a run is lost at all rates.
    """
    learns = ~lost(result, above)
    highest = {}
    for name in result.variants:
        rates = learns[name].columns.to_numpy(float)
        highest[name] = (learns[name] * rates).max(axis=1)
        if (highest[name] == 0).any():
            raise ValueError(f"a run of {name!r} is lost at all rates; try lower ones.")
    first, second = result.variants
    return np.log2(highest[second] / highest[first])


def zones(results: Mapping[str, Comparison]) -> pd.DataFrame:
    """Say what the second variant gains at the lowest rate, the best, and far above.

    Parameters
    ----------
    results : mapping of str to Comparison

    Returns
    -------
    pandas.DataFrame of str
        By name: points of test accuracy with their intervals at the lowest rate, at the
        first variant's best one, and at the one nearest to sixteen times that.
    """
    rows = {}
    for name, result in results.items():
        lowest = result.scores()["learning_rate"].min()
        rows[name] = {}
        for zone, factor in _ZONES.items():
            rate = lowest if factor is None else factor * best_rate(result)
            one = gain_at(result, rate)
            ends = f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
            rows[name][zone] = f"{100 * one.value:+.1f} ({ends})"
    return pd.DataFrame(rows).T
