"""The lives of single units: which are off, since when, and which come on again.

What ``compare`` and ``replicate`` record under ``"units"`` holds for each unit and each
epoch the share of the training examples for which it is on. A unit is *off* where that
is zero. A ReLU unit that is off is dead: its own weights get no gradient.
"""

import numpy as np
import pandas as pd

__all__ = ["off_shares", "unit_lives"]

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

    def first(happens: np.ndarray) -> pd.array:
        at = epochs[happens.argmax(axis=1)]
        return pd.array(np.where(happens.any(axis=1), at, -1), "Int64").copy()

    frame = units.loc[~pd.Series(row, units.index).duplicated(), keys]
    frame = frame.reset_index(drop=True)
    for name, happens in (("off", off), ("on_again", again)):
        at = first(happens)
        at[~happens.any(axis=1)] = pd.NA
        frame[name] = at
    return frame.assign(end=off[:, -1])
