"""The capstone's table: flights that left New York City in 2013."""

from __future__ import annotations

import pandas as pd

from nnperf_utils.datasets import data_file

__all__ = ["AFTERWARDS", "LATE", "load_flights"]

AFTERWARDS = ("departure_delay", "air_time", "arrival_delay")
"""Columns that nobody knows before the flight."""

LATE = 15
"""Minutes after which an arrival counts as late, as the US authorities count."""


def load_flights() -> pd.DataFrame:
    """Read the table as it is: no split, nothing filled in, nothing left out.

    Returns
    -------
    pandas.DataFrame
        12,000 flights in the order of their scheduled departure, with the columns that
        ``data/README.md`` describes; `date` is a date, what is missing is NaN.

    Examples
    --------
    >>> flights = load_flights()
    >>> flights.shape
    (12000, 22)
    >>> int(flights["arrival_delay"].isna().sum())
    350
    """
    return pd.read_csv(data_file("flights.csv"), parse_dates=["date"])
