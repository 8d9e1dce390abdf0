"""How soon and how steadily runs get there: curves, one column for each run."""

from __future__ import annotations

import pandas as pd

__all__ = ["at_best", "curves", "epochs_to", "largest_fall"]


def curves(history: pd.DataFrame, metric: str, *labels: str) -> pd.DataFrame:
    """Return a metric with a row for each epoch and a column for each run.

    Parameters
    ----------
    history : pandas.DataFrame
        Columns ``epoch, metric, value, seed`` and the labels.
    metric : str
        Which metric.
    *labels : str
        What tells the runs of one seed apart, such as ``"variant", "rate"``.

    Returns
    -------
    pandas.DataFrame
        By epoch; columns by the labels, then by seed, in their order. Of two labels
        ``curves[one, other]`` are the runs of all seeds.

    Raises
    ------
    ValueError
        If the history lacks a column or the metric, or the labels leave runs together.
    """
    needed = ["epoch", "metric", "value", "seed", *labels]
    missing = [name for name in needed if name not in history]
    if missing:
        raise ValueError(f"history has no column {missing[0]!r}.")
    rows = history[history["metric"] == metric]
    if rows.empty:
        known = ", ".join(map(str, history["metric"].unique()))
        raise ValueError(f"metric is {metric!r}; expected one of {known}.")
    if rows.duplicated(["epoch", "seed", *labels]).any():
        raise ValueError(
            f"several runs have the same seed and {', '.join(labels) or 'no labels'}; "
            "name a label that tells them apart."
        )
    wide = rows.pivot(index="epoch", columns=[*labels, "seed"], values="value")
    return wide.sort_index(axis=1)


def epochs_to(
    curves: pd.DataFrame,
    target: float,
    *,
    higher_is_better: bool = False,
    between: bool = False,
) -> pd.Series:
    """Return each run's first epoch with a value as good as a target.

    Parameters
    ----------
    curves : pandas.DataFrame
        As :func:`curves` returns them.
    target : float
        A value as small, or with `higher_is_better` as large, counts.
    higher_is_better : bool
        Whether large values are good.
    between : bool
        Read the place where a straight line between two epochs meets the target.

    Returns
    -------
    pandas.Series
        By run. One more than its last epoch for a run that does not get there.
    """
    sign = -1 if higher_is_better else 1
    best = (sign * curves).cummin()
    reached = best <= sign * target
    first = reached & ~reached.shift(fill_value=False)
    epochs = best.mul(0).add(curves.index.to_series(), axis=0)
    if between:
        over = (sign * target - best) / (best.shift() - best)
        epochs -= over.fillna(0)
    last = curves.apply(pd.Series.last_valid_index)
    return epochs.where(first).max().fillna(last + 1)


def largest_fall(curves: pd.DataFrame) -> pd.Series:
    """Return each run's largest fall from one epoch to a later one.

    Parameters
    ----------
    curves : pandas.DataFrame
        As :func:`curves` returns them.

    Returns
    -------
    pandas.Series
        By run; 0 where a curve only rises.
    """
    return (curves.cummax() - curves).max()


def at_best(scores: pd.Series) -> dict[str, pd.Series]:
    """Return each arm's scores at the setting with the lowest mean.

    Parameters
    ----------
    scores : pandas.Series
        By arm, setting (a learning rate, say) and seed; low scores are good.

    Returns
    -------
    dict of str to pandas.Series
        For each arm its scores by seed.
    """
    scores = scores.sort_index()
    means = scores.groupby(level=[0, 1]).mean()
    best = means.groupby(level=0).idxmin()
    return {arm: scores.loc[place] for arm, place in best.items()}
