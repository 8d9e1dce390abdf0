"""What a model gets of the capstone's flights, and which rows it learns from.

Rows are flights in the order of their scheduled departure. A :class:`Cut` says where
the past ends: it trains on flights before a day, validates on those after it, and is
used on those after these, as a model in use is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import keras
import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from nnperf_utils.datasets import Dataset
from nnperf_utils.flights import AFTERWARDS, LATE
from nnperf_utils.seeds import shifted

__all__ = [
    "CATEGORIES",
    "DATA_STEPS",
    "FEATURE",
    "Cut",
    "as_without_padding",
    "at_random",
    "columns_known",
    "cut_at",
    "cut_before",
    "cuts",
    "day_so_far",
    "is_late",
    "mended",
    "padded",
    "prepared",
    "tables",
    "training_rows",
    "with_delay",
]

CATEGORIES = ("carrier", "origin", "destination", "manufacturer")
"""Columns of text."""

FEATURE = ("day_so_far", "airport_so_far")
"""Columns that :func:`day_so_far` makes."""

DATA_STEPS = ("inputs", "categories", "feature")
"""Steps that change what the network gets."""

_PLANE = ["plane_year", "manufacturer", "seats"]
_FEWEST_SEATS = 20  # no airline of the table flies less on these routes
_RARE = 0.03  # a category with fewer training rows has no column of its own
_MOST_MINUTES = 120  # a delay counts as this at most, so that one flight decides little
_FARTHEST = 4.0  # standard deviations


def columns_known(flights: pd.DataFrame) -> list[str]:
    """Return the columns that are known before the flight.

    Parameters
    ----------
    flights : pandas.DataFrame
        As :func:`nnperf_utils.flights.load_flights` returns it.

    Returns
    -------
    list of str
    """
    return [name for name in flights if name not in AFTERWARDS]


def is_late(flights: pd.DataFrame) -> pd.Series:
    """Return whether each flight arrived late; missing arrivals are an error.

    Parameters
    ----------
    flights : pandas.DataFrame

    Returns
    -------
    pandas.Series of bool
    """
    if flights["arrival_delay"].isna().any():
        raise ValueError(
            "flights has rows without an arrival_delay; leave them out first: whether "
            "they were late nobody knows."
        )
    return flights["arrival_delay"] >= LATE


def mended(flights: pd.DataFrame) -> pd.DataFrame:
    """Leave out planes that cannot be the right ones, and name each maker once.

    Parameters
    ----------
    flights : pandas.DataFrame

    Returns
    -------
    pandas.DataFrame
        A copy. A plane of fewer than 20 seats is missing; manufacturers that differ
        in a legal form alone have one name.
    """
    flights = flights.copy()
    flights.loc[flights["seats"] < _FEWEST_SEATS, _PLANE] = np.nan
    short = {
        "AIRBUS INDUSTRIE": "AIRBUS",
        "MCDONNELL DOUGLAS AIRCRAFT CO": "MCDONNELL DOUGLAS",
        "MCDONNELL DOUGLAS CORPORATION": "MCDONNELL DOUGLAS",
        "CANADAIR": "BOMBARDIER INC",
        "CANADAIR LTD": "BOMBARDIER INC",
    }
    flights["manufacturer"] = flights["manufacturer"].replace(short)
    return flights


def day_so_far(flights: pd.DataFrame, lead: float = 30) -> pd.DataFrame:
    """Say how late the day's flights have left that have left already.

    For each flight those of the same day count which left at least `lead` minutes
    before its own scheduled departure: when it is asked about, their delay is known.

    Parameters
    ----------
    flights : pandas.DataFrame
        With `departure_delay`; those that never left count for nothing.
    lead : float
        Minutes.

    Returns
    -------
    pandas.DataFrame
        ``day_so_far`` of all three airports, ``airport_so_far`` of the flight's own:
        the sum of the delays, in minutes from 0 to 120, over their number plus two, so
        that a morning's first flight says little.
    """
    planned = (60 * flights["hour"] + flights["minute"]).to_numpy(float)
    left = planned + flights["departure_delay"].to_numpy(float)
    delay = np.clip(left - planned, 0, _MOST_MINUTES)
    origin = flights["origin"].to_numpy()
    found = np.zeros((len(flights), 2))
    for rows in flights.groupby("date").indices.values():
        # a flight that never left has no time of leaving, and is before nobody
        known = left[rows][None, :] <= planned[rows][:, None] - lead
        here = known & (origin[rows][None, :] == origin[rows][:, None])
        minutes = np.nan_to_num(delay[rows])
        for column, counted in enumerate((known, here)):
            found[rows, column] = counted @ minutes / (counted.sum(axis=1) + 2)
    return pd.DataFrame(found, flights.index, list(FEATURE))


# --------------------------------------------------------------------------------------
# Rows
# --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cut:
    """Positions of the rows to train on, to validate on, and of use.

    Attributes
    ----------
    train, validation, later : numpy.ndarray of int
    day : pandas.Timestamp
        The first day that is validated on.
    """

    train: np.ndarray
    validation: np.ndarray
    later: np.ndarray
    day: pd.Timestamp


def cut_at(
    dates: pd.Series,
    row: int,
    *,
    train: int = 3000,
    validation: int = 600,
    later: int | None = 450,
) -> Cut:
    """Cut at the first day that begins at a row or after it.

    Parameters
    ----------
    dates : pandas.Series
        In order.
    row : int
    train, validation : int
        Numbers of rows; no day is in two parts.
    later : int, optional
        All that are left if None.

    Returns
    -------
    Cut
    """
    dates = pd.Series(dates).reset_index(drop=True)
    if not dates.is_monotonic_increasing:
        raise ValueError("dates must be in order.")
    begins = np.flatnonzero((dates != dates.shift()).to_numpy())

    def day_from(place: int) -> int:
        after = begins[begins >= place]
        return int(after[0]) if len(after) else len(dates)

    first = day_from(row)
    use = day_from(first + validation)
    end = len(dates) if later is None else use + later
    if first < train or end > len(dates) or use >= len(dates):
        raise ValueError(
            f"there are {len(dates)} rows, too few to cut at row {row} into {train} "
            f"before it, {validation} and {later or 'some'} after it."
        )
    return Cut(
        np.arange(first - train, first),
        np.arange(first, first + validation),
        np.arange(use, end),
        dates[first],
    )


def cuts(
    dates: pd.Series, count: int = 10, *, seed: int = 0, every: int = 485, **sizes: int
) -> list[Cut]:
    """Cut the past at several days, a fortnight or so apart.

    Parameters
    ----------
    dates : pandas.Series
        Of the flights that may be looked at, in order.
    count : int
    seed : int
        Where the first one lies.
    every : int
        Rows from cut to cut, or some more, so that no two have a row of use in common.
    **sizes
        As in :func:`cut_at`.

    Returns
    -------
    list of Cut
    """
    sizes = {"train": 3000, "validation": 600, "later": 450} | sizes
    needed = sum(sizes.values()) + (count - 1) * every
    slack = len(dates) - needed - 100  # no part begins within a day
    if slack < 1:
        raise ValueError(
            f"there are {len(dates)} rows; {count} cuts take {needed + 101}."
        )
    start = sizes["train"] + int(np.random.default_rng(shifted(seed)).integers(slack))
    made: list[Cut] = []
    for i in range(count):
        row = start + i * every
        one = cut_at(dates, row, **sizes)
        while made and one.later[0] <= made[-1].later[-1]:
            row += 1
            one = cut_at(dates, row, **sizes)
        made.append(one)
    return made


def cut_before(
    dates: pd.Series,
    day: str | pd.Timestamp,
    *,
    train: int = 3000,
    validation: int = 600,
) -> Cut:
    """Cut so that use begins on a day, and goes on to the end.

    Parameters
    ----------
    dates : pandas.Series
        In order.
    day : str or pandas.Timestamp
    train, validation : int
        Numbers of rows; no day is in two parts.

    Returns
    -------
    Cut
    """
    dates = pd.Series(dates).reset_index(drop=True)
    use = int(np.searchsorted(dates.to_numpy(), np.datetime64(pd.Timestamp(day))))
    begin = use - validation
    if begin < train or use >= len(dates):
        raise ValueError(
            f"there are {use} rows before {day}; it takes {train + validation} and "
            "some after it."
        )
    last = int(np.searchsorted(dates.to_numpy(), dates.to_numpy()[begin]))
    if last < train:
        raise ValueError(f"there are {last} rows to train on; it takes {train}.")
    return Cut(
        np.arange(last - train, last),
        np.arange(begin, use),
        np.arange(use, len(dates)),
        dates[begin],
    )


def at_random(cut: Cut, seed: int = 0) -> Cut:
    """Deal the rows before those of use anew: validation rows are random ones of them.

    Parameters
    ----------
    cut : Cut
    seed : int

    Returns
    -------
    Cut
    """
    rows = np.concatenate([cut.train, cut.validation])
    mixed = np.random.default_rng([1, shifted(seed)]).permutation(rows)
    train, validation = np.split(mixed, [len(cut.train)])
    return Cut(np.sort(train), np.sort(validation), cut.later, cut.day)


# --------------------------------------------------------------------------------------
# Inputs
# --------------------------------------------------------------------------------------


def prepared(flights: pd.DataFrame, cut: Cut, steps: Collection[str]) -> Dataset:
    """Make the inputs of a network, with some of the steps or none.

    Parameters
    ----------
    flights : pandas.DataFrame
        That have arrived, with the columns of :func:`day_so_far` beside their own.
    cut : Cut
    steps : collection of str
        Of ``"inputs"``: numbers are standardized by the training rows, gaps get their
        median and a mark, planes are mended, month and day of the month go.
        ``"categories"``: a column of 0 and 1 for each category (and weekday) that is
        not rare; otherwise codes by the alphabet. ``"feature"``: the day so far.
        Without the first, gaps are 0.

    Returns
    -------
    Dataset
        Its test part are the rows of use.
    """
    unknown = set(steps) - set(DATA_STEPS)
    if unknown:
        raise ValueError(
            f"steps has {sorted(unknown)[0]!r}; expected some of "
            f"{', '.join(DATA_STEPS)}."
        )
    sizes = np.cumsum([len(cut.train), len(cut.validation)])
    flights = flights.iloc[np.concatenate([cut.train, cut.validation, cut.later])]
    y = is_late(flights).to_numpy(int)
    past = np.arange(len(cut.train))
    source = mended(flights) if "inputs" in steps else flights
    numbers = source[
        [n for n in columns_known(source) if n not in (*CATEGORIES, *FEATURE, "date")]
    ].astype(float)
    weekday = source["date"].dt.day_of_week
    if "inputs" in steps:
        numbers["hour"] += numbers.pop("minute") / 60
    else:
        numbers["month"] = source["date"].dt.month
        numbers["day"] = source["date"].dt.day
    texts = source[[*CATEGORIES]]
    if "categories" in steps:
        columns = _dummies(texts.assign(weekday=weekday.astype(str)), past)
    else:
        columns = pd.DataFrame(index=source.index)
        numbers["weekday"] = weekday
        for name in CATEGORIES:
            numbers[name] = pd.Categorical(texts[name]).codes + 1
    if "feature" in steps:
        numbers[[*FEATURE]] = source[[*FEATURE]]
    if "inputs" in steps:
        numbers, marks = _scaled(numbers, past)
        columns = pd.concat([marks, columns], axis=1)
    x = pd.concat([numbers.fillna(0), columns.astype(float)], axis=1)
    parts = zip(np.split(x.to_numpy(), sizes), np.split(y, sizes), strict=True)
    return Dataset(
        "flights",
        *parts,
        task="binary",
        feature_names=tuple(x),
        class_names=("in time", "late"),
    )


def tables(
    flights: pd.DataFrame, cuts: Sequence[Cut], *, ends_only: bool = False
) -> dict[str, list[Dataset]]:
    """Prepare the inputs with every set of the steps that concern them, padded.

    Parameters
    ----------
    flights, cuts
        As in :func:`prepared`.
    ends_only : bool
        Only the naive start and all steps.

    Returns
    -------
    dict of str to list of Dataset
        A data set for each cut. ``later`` and the steps, joined by ``+``, validate on
        the rows after the training rows; ``random`` and ``random+…`` (with no step or
        all of them) on rows that were mixed with these.
    """
    kept = [set(c) for k in range(4) for c in combinations(DATA_STEPS, k)]
    ends = [set(), set(DATA_STEPS)]
    wanted = [("later", c) for c in kept] + [("random", c) for c in ends]
    if ends_only:
        wanted = [("random", ends[0]), ("later", ends[1])]
    mixed = [at_random(cut, place) for place, cut in enumerate(cuts)]
    made = {
        "+".join([split, *(s for s in DATA_STEPS if s in steps)]): [
            prepared(flights, cut, steps)
            for cut in (mixed if split == "random" else cuts)
        ]
        for split, steps in wanted
    }
    width = max(one.input_shape[0] for splits in made.values() for one in splits)
    return {name: padded(splits, width) for name, splits in made.items()}


def training_rows(tables: Mapping[str, Sequence[Dataset]]) -> dict[str, list[Dataset]]:
    """Return the same tables without their validation and test parts.

    Parameters
    ----------
    tables : mapping of str to sequence of Dataset

    Returns
    -------
    dict of str to list of Dataset
    """
    return {
        name: [replace(one, validation=None, test=None) for one in splits]
        for name, splits in tables.items()
    }


def as_without_padding(data: Dataset, units: int) -> keras.Initializer:
    """Return Keras's own first weights for the columns that there are.

    Keras draws them (Glorot and Bengio) in a range that shrinks with the number of
    inputs; columns of zeros that :func:`padded` has added do not count.

    Parameters
    ----------
    data : Dataset
    units : int
        Of the first layer.

    Returns
    -------
    keras.Initializer
    """
    limit = (6 / (len(data.feature_names) + units)) ** 0.5
    return keras.initializers.RandomUniform(-limit, limit)


def with_delay(
    data: Dataset, cut: Cut, flights: pd.DataFrame
) -> tuple[Dataset, np.ndarray]:
    """Add the column that leaks: how late each flight has left itself.

    Parameters
    ----------
    data : Dataset
        Of the cut.
    cut : Cut
    flights : pandas.DataFrame

    Returns
    -------
    tuple of Dataset and numpy.ndarray
        With the delay, over 40 minutes, as the last column; and the inputs of the rows
        of use as they are in use, when nobody knows it: 0.
    """
    delay = flights["departure_delay"].to_numpy() / 40
    parts = [
        (np.column_stack([x, delay[rows]]), y)
        for (x, y), rows in zip(
            (data.train, data.validation, data.test),
            (cut.train, cut.validation, cut.later),
            strict=True,
        )
    ]
    leaky = Dataset(data.name, *parts, task=data.task, class_names=data.class_names)
    in_use = leaky.test[0].copy()
    in_use[:, -1] = 0
    return leaky, in_use


def _dummies(texts: pd.DataFrame, train: np.ndarray) -> pd.DataFrame:
    """Return a column for each value that the training rows have often enough."""
    columns = {}
    for name, values in texts.fillna("unknown").items():
        shares = values.iloc[train].value_counts(normalize=True)
        for value in sorted(shares.index[shares >= _RARE]):
            columns[f"{name} {value}"] = values == value
    return pd.DataFrame(columns, texts.index)


def _scaled(
    numbers: pd.DataFrame, train: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Standardize by the training rows; gaps get their median, and a mark."""
    past = numbers.iloc[train]
    gaps = [n for n in numbers if past[n].isna().mean() >= _RARE]
    marks = numbers[gaps].isna().add_suffix(" missing")
    numbers = numbers.fillna(past.median())
    scaler = StandardScaler().fit(numbers.iloc[train])
    scaled = np.clip(scaler.transform(numbers), -_FARTHEST, _FARTHEST)
    return pd.DataFrame(scaled, numbers.index, numbers.columns), marks


def padded(data: Sequence[Dataset], width: int) -> list[Dataset]:
    """Add columns of zeros, so that networks on different columns share a graph.

    A network whose first weights are drawn as for the columns that there are
    (``len(data.feature_names)``) learns and says the same with them as without.

    Parameters
    ----------
    data : sequence of Dataset
        With flat rows.
    width : int
        Columns afterwards.

    Returns
    -------
    list of Dataset
    """
    made = []
    for one in data:
        lacking = width - one.input_shape[0]
        if lacking < 0:
            raise ValueError(
                f"width is {width}, but there are {one.input_shape[0]} columns."
            )
        parts = [
            (np.pad(x, [(0, 0), (0, lacking)]), y)
            for x, y in (one.train, one.validation, one.test)
        ]
        made.append(
            Dataset(
                one.name,
                *parts,
                task=one.task,
                feature_names=one.feature_names,
                class_names=one.class_names,
            )
        )
    return made
