"""Is one network better than another? Estimates whose intervals know their design.

Works on numbers alone, wherever the scores come from.

Run *s* of one variant and run *s* of another share their split and their seed: the same
rows, the same examples in the same order and, where their layers have the same shapes,
the same starting weights. What both owe to these cancels in their difference. An
interval of such differences, or of any other measured numbers, follows from what was
drawn at random to get them: seeds, splits, seeds within splits, or both crossed.
"""

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

__all__ = [
    "Design",
    "Estimate",
    "agreement",
    "best_of",
    "design_of",
    "error_left",
    "estimate",
    "estimate_for_new_rows",
    "higher_is_better",
    "interval",
    "intervals",
    "jackknife",
    "power",
    "ranking_errors",
    "repetitions_needed",
    "smallest_difference",
    "smallest_on_one_split",
    "summarize",
    "variance_components",
]

_RESAMPLES = 9999
_POWER = 0.8
_STATISTICS = ("mean", "median", "share")
_FEWEST = 3  # draws of a factor, for an interval that covers it
_BOOTSTRAP_FROM = 10  # draws; with fewer, a mean gets Student's interval

# Words in the names of Keras's losses and metrics that tell the direction.
_LOWER = (
    *("loss", "error", "mse", "mae", "mape", "msle", "divergence"),
    *("crossentropy", "cross_entropy"),
    *("hinge", "poisson", "log_cosh", "false_"),
)
_HIGHER = (
    *("acc", "auc", "precision", "recall", "f1", "fbeta", "r2", "iou", "sensitivity"),
    *("specificity", "similarity", "true_"),
)


# --- estimates ------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """A number that was measured, its interval, and what that interval stands for.

    Attributes
    ----------
    value, low, high : float
        The estimate and the ends of its interval. They are missing (NaN) where there is
        too little to say an interval; :attr:`covers` says why.
    statistic : str
        ``"mean"``, ``"median"``, ``"share"``, or ``"exact"`` for a number without
        chance.
    confidence_level : float
        With which all `comparisons` intervals together cover their true values.
    comparisons : int
        Over how many comparisons the interval is simultaneous (Bonferroni).
    values : pandas.Series or None
        The measured numbers; the index has the levels ``split`` or ``seed``, or both.
    design : str
        What was drawn at random, and how many of each.
    covers : str
        What the interval covers and what not.
    """

    value: float
    low: float
    high: float
    statistic: str = ""
    confidence_level: float = 0.95
    comparisons: int = 1
    values: pd.Series | None = field(default=None, repr=False, compare=False)
    design: str = ""
    covers: str = ""

    @property
    def individual_level(self) -> float:
        """The level of this interval alone."""
        return _individual(self.confidence_level, self.comparisons)

    def __str__(self) -> str:
        """Return value, interval and design in one sentence."""
        text = f"{self.statistic} {self.value:.3g}".strip()
        if np.isfinite([self.low, self.high]).all() and self.statistic != "exact":
            text += (
                f", {100 * self.individual_level:.3g}% interval "
                f"{self.low:.3g} to {self.high:.3g}"
            )
            if self.comparisons > 1:
                text += (
                    f" ({100 * self.confidence_level:.3g}% over {self.comparisons} "
                    "comparisons together)"
                )
        return "; ".join(part for part in (text, self.design, self.covers) if part)


@dataclass(frozen=True)
class Design:
    """What was drawn at random to get some numbers.

    Attributes
    ----------
    index : pandas.Index
        Of the numbers, sorted.
    crossed : bool
        Whether splits and seeds are both random and every seed is on every split.
    words, covers : str
        As in :class:`Estimate`.
    """

    index: pd.Index
    crossed: bool
    words: str
    covers: str
    _rows: np.ndarray = field(repr=False, compare=False)
    _columns: np.ndarray = field(repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of independent units, and of numbers in the largest of them."""
        return int(self._rows.max()) + 1, int(self._columns.max()) + 1

    @property
    def units(self) -> int:
        """Number of independent draws: of the rarer factor where two are crossed."""
        return min(self.shape) if self.crossed else self.shape[0]

    def array(self, values: pd.Series) -> np.ndarray:
        """Return numbers by unit; missing where a unit has fewer than another."""
        if self.index.nlevels == 2:
            values = values.reorder_levels(["split", "seed"])
        array = np.full(self.shape, np.nan)
        array[self._rows, self._columns] = values.reindex(self.index).to_numpy(float)
        return array

    def picks(
        self, rng: np.random.Generator, resamples: int = _RESAMPLES
    ) -> np.ndarray:
        """Draw the units of bootstrap replicates, for :func:`intervals`."""
        units = self.shape[0]
        return rng.integers(units, size=(resamples, units))

    def resample(self, rng: np.random.Generator, times: int) -> tuple:
        """Draw as the design was drawn: whole units, or both crossed factors.

        Returns
        -------
        tuple
            Takes, as an index of :meth:`array`, `times` arrays out of it.
        """
        units, size = self.shape
        rows = rng.integers(units, size=(times, units))
        if self.crossed:
            columns = rng.integers(size, size=(times, size))
        else:
            columns = np.broadcast_to(np.arange(size), (times, size))
        return rows[:, :, None], columns[:, None, :]


def design_of(values: pd.Series) -> Design:
    """Tell from their index how numbers were drawn.

    Parameters
    ----------
    values : pandas.Series
        The index has the level ``seed`` (seeds on one split), ``split`` (one run a
        split) or both: nested if no seed is on two splits, crossed if every seed is on
        every split.

    Returns
    -------
    Design

    Raises
    ------
    TypeError, ValueError
        If `values` is no Series, its levels have other names or hold something twice,
        or seeds are neither nested in the splits nor crossed with them.
    """
    if not isinstance(values, pd.Series):
        raise TypeError(
            "values must be a pandas.Series, whose index says the split or the seed of "
            f"each number; got {type(values).__name__}."
        )
    names = list(values.index.names)
    if not names or not set(names) <= {"split", "seed"} or len(set(names)) < len(names):
        raise ValueError(
            "the index of values must have the levels split, seed or both; its levels "
            f"are {', '.join(map(str, names))}."
        )
    if values.index.has_duplicates:
        twice = values.index[values.index.duplicated()][0]
        raise ValueError(
            f"values has more than one number for {' and '.join(names)} {twice}."
        )
    if not len(values):
        raise ValueError("values is empty; expected one number for each run.")
    if len(names) == 2:
        values = values.reorder_levels(["split", "seed"])
    index = values.index.sort_values()
    n, zeros = len(index), np.zeros(len(index), dtype=int)
    if names == ["split"]:
        words = f"{_count(n, 'split')}, one run on each"
        return Design(index, False, words, _SPLITS, np.arange(n), zeros)
    if names == ["seed"] or index.get_level_values("split").nunique() == 1:
        words = f"{_count(n, 'seed')} on one split"
        return Design(index, False, words, _SEEDS, np.arange(n), zeros)
    rows, _ = pd.factorize(index.get_level_values("split"))
    columns, seeds = pd.factorize(index.get_level_values("seed"), sort=True)
    k, r = rows.max() + 1, len(seeds)
    if n == r:  # no seed twice
        sizes = np.bincount(rows)
        columns = np.concatenate([np.arange(size) for size in sizes])
        low, high = sizes.min(), sizes.max()
        each = _count(high, "seed") if low == high else f"{low} to {high} seeds"
        return Design(index, False, f"{k} splits × {each} each", _BOTH, rows, columns)
    if n == k * r:
        same = "seed" if r == 1 else f"{r} seeds"
        words = f"{k} splits, the same {same} on each"
        # What is too rare to be a sample counts as given, and the interval says so.
        if r < _FEWEST <= k:
            covers = "covers other splits; does not cover other seeds or tables"
            return Design(index, False, words, covers, rows, columns)
        if k < _FEWEST <= r:
            return Design(index, False, words, _SEEDS, columns, rows)
        return Design(index, True, words, _BOTH, rows, columns)
    raise ValueError(
        f"the {r} seeds are neither nested in the {k} splits (none on two of them) nor "
        f"crossed with them (all on each): {n} runs, not {k} × {r}."
    )


_SEEDS = "covers other seeds; does not cover other splits"
_SPLITS = "covers other splits; does not cover other tables"
_BOTH = "covers both; does not cover other tables"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def estimate(
    values: pd.Series,
    statistic: str = "mean",
    *,
    confidence_level: float = 0.95,
    comparisons: int = 1,
) -> Estimate:
    """Estimate a mean, a median or a share, with an interval that fits the design.

    Parameters
    ----------
    values : pandas.Series
        The measured numbers, all finite, true or false for a share. The index says
        what was drawn at random: see :func:`design_of`.
    statistic : {"mean", "median", "share"}
        Where splits have different numbers of seeds, each split counts the same.
    confidence_level : float
        In (0, 1).
    comparisons : int
        The interval is widened (Bonferroni) so that as many together cover their true
        values with `confidence_level`.

    Returns
    -------
    Estimate

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or a number is not finite: what a run that diverged
        counts as must be decided before.

    Notes
    -----
    **One number for each draw** (seeds on one split, one run a split). Means get
    Student's interval, from 10 draws on the percentile bootstrap at the expanded level
    that makes up for few draws [1]_; medians the latter; shares Wilson's interval [2]_,
    as the bootstrap of twenty times *true* would claim to be certain.

    **Seeds within splits.** Runs on one split have its luck in common, so the splits
    are what is independent: a mean gets Student's interval of the splits' means.

    **Seeds crossed with splits.** The variance of the mean is the sum of three parts,
    estimated from the mean squares of split, seed and residual, with Satterthwaite's
    degrees of freedom [3]_. A part whose mean square is below the residual's, which
    would be negative, is pooled with it.

    Shares of dependent runs get Wilson's interval for as many independent runs as have
    the same variance, medians the order statistics that such an interval of the share
    below the median leads to [4]_, with a correction for continuity.

    There is no interval from fewer than three draws, nor of a median from so few that
    all may lie on one side of it: at 95%, fewer than six.

    `tests/test_coverage.py` simulates the coverage of 95% intervals, with 4 to 20
    splits and 3 to 20 seeds. Of a mean it is within 93 and 97% for seeds, for splits
    and for seeds within splits. For crossed designs it is 92.5 to 98.5%, and not
    below 93% with four or more of each: lowest where a factor with three draws makes
    much of the variance, highest where neither split nor seed makes any. Of what was
    tried, negative parts left as they are, or cut at zero without pooling, are more
    often too wide; parts pooled up to twice the residual, or degrees of freedom that
    are corrected for their own bias, are too narrow more often. Medians and shares of
    dependent runs are approximate and rather too wide, but for a share near 0 or 1
    where whole splits fail: of 20 splits with 20 seeds, at a true share of 0.95 and a
    correlation of 0.5 within splits, the interval holds the truth 84% of the time.

    References
    ----------
    .. [1] T. C. Hesterberg (2015). What teachers should know about the bootstrap. The
       American Statistician 69(4), 371-386.
    .. [2] E. B. Wilson (1927). Probable inference, the law of succession, and
       statistical inference. Journal of the American Statistical Association 22(158),
       209-212.
    .. [3] F. E. Satterthwaite (1946). An approximate distribution of estimates of
       variance components. Biometrics Bulletin 2(6), 110-114.
    .. [4] R. S. Woodruff (1952). Confidence intervals for medians and other position
       measures. Journal of the American Statistical Association 47(260), 635-646.
    """
    if statistic not in _STATISTICS:
        raise ValueError(
            f"statistic is {statistic!r}; expected one of {', '.join(_STATISTICS)}."
        )
    level = _individual(_checked_level(confidence_level), comparisons)
    design = design_of(values)
    array = _array(design, values)
    if statistic == "share" and not values.isin([0, 1]).all():
        raise ValueError("values must be true or false for a share.")
    value, low, high = intervals(
        array[None],
        statistic,
        crossed=design.crossed,
        confidence_level=level,
        picks=design.picks(np.random.default_rng(0)),
    )
    covers = design.covers
    if not np.isfinite([low, high]).all():
        takes = _fewest(statistic, level)
        covers = (
            f"no interval: {_drawn(design)} too few for one of a {statistic}, it takes "
            f"{takes}"
        )
    return Estimate(
        float(value[0]),
        float(low[0]),
        float(high[0]),
        statistic,
        confidence_level,
        comparisons,
        values.astype(float).rename("value"),
        design.words,
        covers,
    )


def jackknife(statistic: Callable[[pd.Index], float], draws: pd.Index) -> pd.Series:
    """Take a statistic of all draws together apart, into a number for each draw.

    For what is no mean of the draws' own numbers, such as a share of a variance, or a
    score for which each split is used twice. :func:`estimate` takes the numbers.

    Parameters
    ----------
    statistic : callable
        Takes some of the draws and returns a number.
    draws : pandas.Index
        Two or more; its name, ``split`` or ``seed``, says what was drawn.

    Returns
    -------
    pandas.Series
        Pseudo-values [1]_: of *n* draws, *n* times the statistic of all less *n* - 1
        times that of all but one. Their mean is the statistic, less most of the bias
        that it has with few draws.

    Raises
    ------
    TypeError, ValueError
        If `draws` is no such index, or has fewer than two.

    References
    ----------
    .. [1] R. G. Miller (1974). The jackknife: a review. Biometrika 61(1), 1-15.
    """
    if not isinstance(draws, pd.Index):
        raise TypeError(f"draws must be a pandas.Index; got {type(draws).__name__}.")
    if draws.name not in ("split", "seed"):
        raise ValueError(
            f"the name of draws is {draws.name!r}; expected 'split' or 'seed'."
        )
    n = len(draws)
    if n < 2:
        raise ValueError(f"draws has {_count(n, 'draw')}; leaving one out takes two.")
    whole = statistic(draws)
    values = [n * whole - (n - 1) * statistic(draws.delete(i)) for i in range(n)]
    return pd.Series(values, draws, name="value")


def error_left(*errors: np.ndarray) -> Estimate:
    """Tell how much of the squared error of one run is left if several are averaged.

    Of r independent runs 1 / r is left, of r that all say the same 1.

    Parameters
    ----------
    *errors : array of shape (draws, runs)
        Scores less the truth, of two draws or more; of several quantities, such as two
        networks' scores, the squared errors are added up.

    Returns
    -------
    Estimate
        Of the share, by :func:`jackknife`; ``seed`` is the number of the draw.

    Raises
    ------
    ValueError
        If the shapes differ, or are not as above.
    """
    shapes = {np.shape(one) for one in errors}
    if len(shapes) != 1 or len(min(shapes)) != 2:
        raise ValueError(
            "errors must have one shape, (draws, runs); got "
            f"{', '.join(map(str, sorted(shapes))) or 'none'}."
        )
    both = np.stack(errors)
    averaged = (both.mean(axis=2) ** 2).sum(axis=0)
    single = (both**2).mean(axis=2).sum(axis=0)
    draws = pd.RangeIndex(both.shape[1], name="seed")
    found = estimate(
        jackknife(lambda some: averaged[some].sum() / single[some].sum(), draws)
    )
    return replace(found, design=_count(len(draws), "draw"), covers="covers others")


def estimate_for_new_rows(
    differences: pd.Series, share: float, *, confidence_level: float = 0.95
) -> Estimate:
    """Estimate a mean over random splits of one table, for rows that are not in it.

    Splits of one table share rows, so they agree with each other more than fresh tables
    would, and more splits do not mend that. The standard error of `n` splits is
    corrected for it: the standard deviation times the root of 1 / n + `share` [1]_.

    Parameters
    ----------
    differences : pandas.Series
        By ``split``; by ``seed`` as well if there are several runs on each.
    share : float
        Validation rows for each training row. At 0 nothing is corrected.
    confidence_level : float
        In (0, 1), for Student's interval.

    Returns
    -------
    Estimate

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or there are fewer than three splits.

    References
    ----------
    .. [1] C. Nadeau and Y. Bengio (2003). Inference for the generalization error.
       Machine Learning 52(3), 239-281.
    """
    if not 0 <= share < np.inf:
        raise ValueError(f"share is {share!r}; expected a number of 0 or more.")
    level = _checked_level(confidence_level)
    design = design_of(differences)
    if "split" not in differences.index.names or design.crossed:
        raise ValueError(
            "differences must be of random splits, with seeds of their own if there "
            f"are several on each; got {design.words}."
        )
    means = np.nanmean(_array(design, differences), axis=1)
    n = len(means)
    if n < _FEWEST:
        raise ValueError(f"differences has {_count(n, 'split')}; it takes {_FEWEST}.")
    error = means.std(ddof=1) * np.sqrt(1 / n + share)
    value, half = means.mean(), stats.t.ppf((1 + level) / 2, n - 1) * error
    return Estimate(
        float(value),
        float(value - half),
        float(value + half),
        "mean",
        confidence_level,
        values=differences.astype(float).rename("value"),
        design=design.words,
        covers="covers other rows" if share else _SPLITS,
    )


def _array(design: Design, values: pd.Series) -> np.ndarray:
    """Return numbers by unit, all of them finite."""
    try:
        values = values.astype(float)
    except (TypeError, ValueError):
        raise TypeError("values holds something else than numbers.") from None
    lost = values.index[~np.isfinite(values)]
    if len(lost):
        raise ValueError(
            f"values has no finite number for {' and '.join(values.index.names)} "
            f"{', '.join(map(str, lost))}; decide what a run that diverged counts as."
        )
    return design.array(values)


def _drawn(design: Design) -> str:
    units = design.units
    return f"{units} independent {'draw is' if units == 1 else 'draws are'}"


def _fewest(statistic: str, level: float) -> int:
    """Return how many independent draws an interval takes."""
    if statistic != "median":
        return _FEWEST
    # all on one side of the median: 2^(1-n)
    return max(_FEWEST, int(np.ceil(1 - np.log2(1 - level) - 1e-9)))


def _individual(level: float, comparisons: int) -> float:
    if isinstance(comparisons, bool) or comparisons < 1 or comparisons % 1:
        raise ValueError(f"comparisons is {comparisons!r}; expected 1 or more.")
    return 1 - (1 - level) / comparisons


def _checked_level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"confidence_level is {level!r}; expected a number in (0, 1).")
    return level


# --- intervals of many samples at once ------------------------------------------------


def intervals(
    samples: np.ndarray,
    statistic: str,
    *,
    crossed: bool = False,
    confidence_level: float = 0.95,
    picks: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate a statistic from each of many samples: :func:`estimate` on arrays.

    Parameters
    ----------
    samples : numpy.ndarray of shape (m, units, size)
        Each sample as :meth:`Design.array` returns it.
    statistic : {"mean", "median", "share"}
    crossed : bool
        Whether the last axis is a factor drawn at random, too.
    confidence_level : float
        Of each interval.
    picks : numpy.ndarray of int, shape (resamples, units)
        Which units each replicate of a bootstrap takes; for all samples the same.

    Returns
    -------
    value, low, high : numpy.ndarray of shape (m,)
        The ends are missing (NaN) where there are too few draws.
    """
    m, units, size = samples.shape
    independent = size == 1 and not crossed
    if independent:
        value = _value(samples[:, :, 0], statistic)
    elif statistic == "median":
        value = _quantiles(samples, np.full((2, m), 0.5)).mean(axis=0)
    else:
        value = np.nanmean(samples, axis=2).mean(axis=1)
    few = min(units, size) if crossed else units
    if few < _fewest(statistic, confidence_level):
        return value, np.full(m, np.nan), np.full(m, np.nan)
    if independent and statistic == "share":
        low, high = _wilson(value, units, stats.norm.ppf((1 + confidence_level) / 2))
    elif independent and (statistic == "median" or units >= _BOOTSTRAP_FROM):
        low, high = _bootstrap(samples[:, :, 0], statistic, confidence_level, picks)
    elif statistic == "mean":
        variance, freedom = _variance_of_mean(samples, crossed)
        half = stats.t.ppf((1 + confidence_level) / 2, freedom) * np.sqrt(variance)
        low, high = value - half, value + half
    elif statistic == "share":
        low, high = _wilson(
            value, *_effective(samples, value, crossed, confidence_level)
        )
    else:
        # which are below; an equal one is half below; missing ones stay missing
        below = (np.sign(value[:, None, None] - samples) + 1) / 2
        half = np.full(m, 0.5)
        runs, quantile = _effective(below, half, crossed, confidence_level)
        first, last = _wilson(half, runs, quantile)
        low, high = _quantiles(
            samples, np.stack([first - 0.5 / runs, last + 0.5 / runs])
        )
    return value, low, high


def _value(samples: np.ndarray, statistic: str) -> np.ndarray:
    return np.median(samples, 1) if statistic == "median" else samples.mean(axis=1)


def _bootstrap(
    samples: np.ndarray, statistic: str, level: float, picks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return percentile intervals; `picks` are the members that a replicate takes."""
    n = samples.shape[1]
    if statistic == "median":
        # the median of a replicate depends on its middle ranks alone
        middle = np.sort(picks, axis=1)[:, [(n - 1) // 2, n // 2]]
        replicates = np.sort(samples, axis=1)[:, middle].mean(axis=-1)
    else:
        cells = picks + n * np.arange(len(picks))[:, None]
        counts = np.bincount(cells.ravel(), minlength=picks.size).reshape(picks.shape)
        replicates = samples @ counts.T / n
    # Hesterberg's expanded level
    quantile = stats.t.ppf((1 + level) / 2, n - 1)
    tail = stats.norm.cdf(-np.sqrt(n / (n - 1)) * quantile)
    low, high = np.quantile(replicates, [tail, 1 - tail], axis=1)
    return low, high


def _wilson(share, n, quantile) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's interval of a share in n independent runs."""
    square = quantile**2 / n
    center = (share + square / 2) / (1 + square)
    half = np.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    # a share of 0 or 1 is its own end, but for rounding
    low = np.where(share <= 0, 0.0, center - half)
    return low, np.where(share >= 1, 1.0, center + half)


def _effective(
    hits: np.ndarray, share: np.ndarray, crossed: bool, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return as how many independent runs a share is known, and Student's quantile."""
    variance, freedom = _variance_of_mean(hits, crossed)
    units = min(hits.shape[1:]) if crossed else hits.shape[1]
    runs = np.isfinite(hits[0]).sum()
    # Where all runs are alike nothing tells how much those of a split have in common:
    # they may be worth no more than one.
    effective = np.divide(
        share * (1 - share),
        variance,
        where=variance > 0,
        out=np.full(len(hits), float(units)),
    )
    return np.clip(effective, units, runs), stats.t.ppf((1 + level) / 2, freedom)


def _quantiles(samples: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return two quantiles of each sample, all units with the same weight.

    The smallest value with at least the first share at or below it, and the largest
    with at least one less the second share at or above it.
    """
    m = len(samples)
    weights = np.isfinite(samples) / np.isfinite(samples).sum(axis=2, keepdims=True)
    values = samples.reshape(m, -1)
    order = np.argsort(values, axis=1)  # missing ones come last
    weights = np.take_along_axis(weights.reshape(m, -1), order, axis=1)
    total = np.cumsum(weights, axis=1) / samples.shape[1]
    tolerance = 1e-9
    first = (total < shares[0][:, None] - tolerance).sum(axis=1)
    second = (total <= shares[1][:, None] + tolerance).sum(axis=1)
    last = np.isfinite(values).sum(axis=1) - 1
    at = np.minimum(np.stack([first, second], axis=1), last[:, None])
    return np.take_along_axis(np.take_along_axis(values, order, axis=1), at, axis=1).T


def _variance_of_mean(
    samples: np.ndarray, crossed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance of each sample's mean, and its degrees of freedom."""
    m, units, size = samples.shape
    if not crossed:
        variance = np.nanmean(samples, axis=2).var(axis=1, ddof=1) / units
        return variance, np.full(m, units - 1.0)
    squares, freedom = _mean_squares(samples)
    parts, rest = squares[:2], squares[2]
    pooled = parts < rest
    for _ in range(2):  # pooling one part may leave the other below the residual
        degrees = freedom[2] + freedom[:2] @ pooled
        rest = (freedom[2] * squares[2] + freedom[:2] @ (pooled * parts)) / degrees
        pooled = pooled | (parts < rest)
    # the mean square of each part less the residual's, and the residual's once
    kept = ~pooled
    terms = np.vstack([kept * parts, (1 - kept.sum(axis=0)) * rest])
    total = terms.sum(axis=0)
    spread = (terms[:2] ** 2 / freedom[:2, None]).sum(axis=0) + terms[2] ** 2 / degrees
    least = min(units, size) - 1.0
    satterthwaite = np.divide(total**2, spread, where=spread > 0, out=np.full(m, least))
    return total / (units * size), np.maximum(satterthwaite, least)


def _mean_squares(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean squares of rows, columns and residual, and their freedom."""
    _, k, r = samples.shape
    grand = samples.mean(axis=(1, 2), keepdims=True)
    rows, columns = (samples.mean(axis=a, keepdims=True) for a in (2, 1))
    freedom = np.array([k - 1.0, r - 1.0, (k - 1.0) * (r - 1.0)])
    sums = [
        r * ((rows - grand) ** 2).sum(axis=(1, 2)),
        k * ((columns - grand) ** 2).sum(axis=(1, 2)),
        ((samples - rows - columns + grand) ** 2).sum(axis=(1, 2)),
    ]
    return np.array(sums) / freedom[:, None], freedom


# --- parts of the variance ------------------------------------------------------------


def variance_components(
    values: pd.Series, *, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Tell how much of the spread the split makes, and how much the seed.

    The spread of the splits' means holds some of the seeds' too, the less the more
    seeds there are on each. That part is taken off.

    Parameters
    ----------
    values : pandas.Series
        Finite numbers; the index has the levels ``split`` and ``seed``, nested or
        crossed as in :func:`design_of`, two splits or more and two seeds or more on
        each.
    confidence_level : float
        In (0, 1).

    Returns
    -------
    pandas.DataFrame
        Columns ``sd``, ``low``, ``high``: standard deviations and their intervals. The
        row ``split`` is what the split alone changes, ``seed`` what the seed does.
        Seeds crossed with the splits have two rows: ``seed`` for what a seed does alike
        on every split, ``split × seed`` for what it does on each anew. A part that is
        estimated below zero is zero.

    Raises
    ------
    TypeError, ValueError
        As :func:`estimate`, or if there are not two splits with two seeds on each.

    Notes
    -----
    Mean squares of the analysis of variance; where splits have different numbers of
    seeds, that of their means [1]_. The residual's interval is that of a chi-square,
    the others are Ting's modified large-sample intervals of a difference of mean
    squares [2]_. All suppose normal parts.

    References
    ----------
    .. [1] J. D. Thomas and R. A. Hultquist (1978). Interval estimation for the
       unbalanced case of the one-way random effects model. Annals of Statistics 6(3),
       582-587.
    .. [2] N. Ting, R. K. Burdick, F. A. Graybill, S. Jeyaratnam and T.-F. C. Lu (1990).
       Confidence intervals on linear combinations of variance components that are
       unrestricted in sign. Journal of Statistical Computation and Simulation 35(1-2),
       135-143.
    """
    level = _checked_level(confidence_level)
    design = design_of(values)
    array = _array(design, values)
    names = values.index.names
    sizes = np.isfinite(array).sum(axis=1)
    if len(names) < 2 or len(array) < 2 or sizes.min() < 2:
        raise ValueError(
            "to tell split from seed takes two splits or more and two seeds or more on "
            f"each; got {design.words}."
        )
    crossed = values.index.get_level_values("seed").has_duplicates
    if crossed and values.index.get_level_values("split").nunique() != len(array):
        array = array.T
    names = ("split", "seed", "split × seed") if crossed else ("split", "seed")
    parts = _components(array[None], crossed, level)
    return pd.DataFrame(
        np.sqrt(parts[:, :, 0]), index=names, columns=["sd", "low", "high"]
    )


def _components(samples: np.ndarray, crossed: bool, level: float) -> np.ndarray:
    """Return variances and their intervals, of shape (parts, 3, m), cut at zero."""
    tail = (1 - level) / 2
    if crossed:
        squares, freedom = _mean_squares(samples)
        sizes = samples.shape[:0:-1]
    else:
        counts = np.isfinite(samples).sum(axis=2)
        means = np.nanmean(samples, axis=2)
        within = np.nansum((samples - means[:, :, None]) ** 2, axis=(1, 2))
        size = 1 / (1 / counts[0]).mean()
        freedom = np.array([samples.shape[1] - 1.0, counts[0].sum() - samples.shape[1]])
        squares = np.array([size * means.var(axis=1, ddof=1), within / freedom[-1]])
        sizes = (size,)
    rest, degrees = squares[-1], freedom[-1]
    parts = []
    for square, own, size in zip(squares[:-1], freedom[:-1], sizes, strict=True):
        low, high = _difference_ends(square, own, rest, degrees, tail)
        parts.append(np.array([square - rest, low, high]) / size)
    ends = [degrees * rest / stats.chi2.ppf(q, degrees) for q in (1 - tail, tail)]
    parts.append(np.array([rest, *ends]))
    return np.maximum(parts, 0)


def _difference_ends(one, n, two, m, tail) -> tuple[np.ndarray, np.ndarray]:
    """Return Ting's interval of E[one] - E[two], mean squares of n and m degrees."""
    f_low, f_high = stats.f.ppf([tail, 1 - tail], n, m)
    g1, g2 = (1 - d / stats.chi2.ppf(1 - tail, d) for d in (n, m))
    h1, h2 = (d / stats.chi2.ppf(tail, d) - 1 for d in (n, m))
    g12 = ((f_high - 1) ** 2 - g1**2 * f_high**2 - h2**2) / f_high
    h12 = ((1 - f_low) ** 2 - h1**2 * f_low**2 - g2**2) / f_low
    below = g1**2 * one**2 + h2**2 * two**2 + g12 * one * two
    above = h1**2 * one**2 + g2**2 * two**2 + h12 * one * two
    difference = one - two
    return (
        difference - np.sqrt(np.maximum(below, 0)),
        difference + np.sqrt(np.maximum(above, 0)),
    )


# --- ranking and choosing -------------------------------------------------------------


def ranking_errors(
    one: pd.DataFrame,
    other: pd.DataFrame,
    repetitions: Sequence[int] = (1,),
    draws: int = 200,
) -> pd.DataFrame:
    """Count how often a few runs find the worse of two networks better.

    Ranks each network of `one` against each of `other` by one run of both on each of
    some splits, and asks all the *other* splits who is right.

    Parameters
    ----------
    one, other : pandas.DataFrame
        Scores: a column for each network, rows by ``split`` and ``seed``, equally many
        seeds on each of three splits or more.
    repetitions : sequence of int
        On how many splits both run; fewer than there are. All are tried.
    draws : int
        How often each pair is ranked. The first of the splits goes round; the others,
        and the seeds, are drawn at random, the same for all pairs.

    Returns
    -------
    pandas.DataFrame
        A row for each of `repetitions`, draw and pair: ``repetitions``; ``split``, the
        first of the draw; ``difference``, the true one by the other splits, without its
        sign; ``wrong``, 1 or 0, or a half where the two are equal; ``expected``, the
        share of wrong rankings that a normal distribution with the pair's spread gives.

    Raises
    ------
    ValueError
        If the frames do not fit, or `repetitions` is out of range.
    """
    a, b = (_by_split(frame, name) for frame, name in ((one, "one"), (other, "other")))
    splits, seeds = a.shape[:2]
    if a.shape[:2] != b.shape[:2]:
        raise ValueError("one and other must have the same splits and seeds.")
    for count in repetitions:
        if not 1 <= count < splits:
            raise ValueError(
                f"repetitions has {count!r}; expected 1 to {splits - 1}, as there are "
                f"{splits} splits."
            )
    gaps = b.mean(axis=1)[:, None] - a.mean(axis=1)[:, :, None]
    spread = (b[:, None, :, None] - a[:, :, None, :, None]).std(axis=(0, 1, 2))
    in_spreads = abs(gaps.mean(axis=0)) / np.maximum(spread, 1e-12)
    rng, found = np.random.default_rng(0), []
    for count, draw in itertools.product(repetitions, range(draws)):
        first = draw % splits
        more = rng.permutation(np.delete(np.arange(splits), first))
        chosen = [first, *more[: count - 1]]
        by_a, by_b = rng.integers(seeds, size=(2, count))
        seen = b[chosen, by_b].mean(axis=0) - a[chosen, by_a].mean(axis=0)[:, None]
        true = np.delete(gaps, chosen, axis=0).mean(axis=0)
        wrong = abs(np.sign(seen.round(9)) - np.sign(true.round(9))) / 2
        expected = stats.norm.cdf(-in_spreads * np.sqrt(count))
        columns = {"difference": abs(true), "wrong": wrong, "expected": expected}
        pairs = {name: values.ravel() for name, values in columns.items()}
        found.append(pd.DataFrame({"repetitions": count, "split": first} | pairs))
    return pd.concat(found, ignore_index=True)


def _by_split(frame: pd.DataFrame, argument: str) -> np.ndarray:
    """Return scores by split, seed and network."""
    if set(frame.index.names) != {"split", "seed"}:
        raise ValueError(f"the rows of {argument} must be by split and seed.")
    frame = frame.reorder_levels(["split", "seed"]).sort_index()
    sizes = frame.groupby("split").size()
    if sizes.nunique() != 1 or len(sizes) < _FEWEST or frame.isna().any(axis=None):
        raise ValueError(
            f"{argument} must have finite scores of equally many seeds on each of "
            f"{_FEWEST} splits or more."
        )
    return frame.to_numpy(float).reshape(len(sizes), sizes.iloc[0], -1)


def best_of(choosing: np.ndarray, scored: np.ndarray, trials: int) -> np.ndarray:
    """Return what the best of some trials scores, on average over all choices of them.

    Parameters
    ----------
    choosing : array of shape (..., n)
        Scores of n trials by which the best is chosen; of equal ones, each as often.
    scored : array of shape (..., n)
        What the chosen one scores: `choosing` again, or scores on other rows.
    trials : int
        Number of the trials that are tried, of the n.

    Returns
    -------
    numpy.ndarray of shape (...)

    Raises
    ------
    ValueError
        If the shapes differ, or `trials` is not between 1 and n.
    """
    choosing, scored = np.asarray(choosing, float), np.asarray(scored, float)
    n = choosing.shape[-1]
    if choosing.shape != scored.shape:
        raise ValueError(
            "choosing and scored must have the same shape; got "
            f"{choosing.shape} and {scored.shape}."
        )
    if not 1 <= trials <= n:
        raise ValueError(f"trials is {trials!r}; expected 1 to {n}.")
    # that all trials tried are among the k lowest
    among = special.comb(np.arange(n + 1), trials) / special.comb(n, trials)
    below = (choosing[..., None] > choosing[..., None, :]).sum(axis=-1)
    equal = (choosing[..., None] == choosing[..., None, :]).sum(axis=-1)
    chance = (among[below + equal] - among[below]) / equal
    return (chance * scored).sum(axis=-1)


# --- power ----------------------------------------------------------------------------


def power(
    difference: float, sd: float, n: int, confidence_level: float = 0.95
) -> float:
    """Return how often n pairs show a true difference, by Student's test.

    Parameters
    ----------
    difference : float
        The true mean of the paired differences.
    sd : float
        Their standard deviation, above zero.
    n : int
        Number of independent pairs, two or more.
    confidence_level : float
        In (0, 1); one less the chance of a false alarm, to either side.

    Returns
    -------
    float
        The chance that the interval of the mean leaves zero out.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    _check_sd(sd)
    if n < 2 or n % 1:
        raise ValueError(f"n is {n!r}; expected a whole number of two or more.")
    return float(
        _power(
            abs(difference) / sd * np.sqrt(n), n - 1, _checked_level(confidence_level)
        )
    )


def repetitions_needed(
    difference: float,
    sd: float,
    power: float = 0.8,
    confidence_level: float = 0.95,
) -> int:
    """Return how many pairs show a true difference as often as asked.

    Parameters
    ----------
    difference, sd, confidence_level
        As in :func:`power`; the difference is not zero.
    power : float
        In (0, 1): the chance to find the difference.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    _check_sd(sd)
    _check_power(power)
    _checked_level(confidence_level)
    if not difference or not np.isfinite(difference):
        raise ValueError(
            f"difference is {difference!r}; expected a number other than zero."
        )
    effect = abs(difference) / sd

    def enough(n: int) -> bool:
        return _power(effect * np.sqrt(n), n - 1, confidence_level) >= power

    most = 2
    while not enough(most):
        most *= 2
    least = most // 2
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if enough(middle) else (middle, most)
    return most


def smallest_difference(
    sd: float, n: int, power: float = 0.8, confidence_level: float = 0.95
) -> float:
    """Return the smallest true difference that n pairs show as often as asked.

    Parameters
    ----------
    sd, n, power, confidence_level
        As in :func:`power` and :func:`repetitions_needed`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    _check_sd(sd)
    if n < 2 or n % 1:
        raise ValueError(f"n is {n!r}; expected a whole number of two or more.")
    _check_power(power)
    return _noncentrality(n - 1, power, _checked_level(confidence_level)) * sd / n**0.5


def smallest_on_one_split(
    differences: pd.Series, seeds: int, power: float = 0.8
) -> Estimate:
    """Return the smallest true difference that many seeds on one split show.

    Many seeds average out what the seed does to the difference of two networks, not
    what the split does. So it takes a large one to say on one split which of them is
    better on the table, however it is split.

    Parameters
    ----------
    differences : pandas.Series
        By ``split`` and ``seed``, as for :func:`variance_components`.
    seeds : int
        Number of seeds on the one split, one or more.
    power : float
        In (0, 1): how often it is to be shown, with an interval of 95%.

    Returns
    -------
    Estimate
        Its interval is that of the split's part alone, the seed's being taken as known;
        both are taken to be normal.

    Raises
    ------
    TypeError, ValueError
        As :func:`variance_components`, or if another argument is out of range.
    """
    if seeds < 1 or seeds % 1:
        raise ValueError(f"seeds is {seeds!r}; expected a whole number of 1 or more.")
    _check_power(power)
    parts = variance_components(differences)
    both = np.sqrt(parts.loc["split"] ** 2 + parts.loc["seed", "sd"] ** 2 / seeds)
    value, low, high = stats.norm.ppf([0.975, power]).sum() * both
    return Estimate(value, low, high, "", design=design_of(differences).words)


def _power(noncentrality: float, freedom: float, level: float) -> float:
    """Return the chance that Student's t is beyond its quantiles, to either side."""
    quantile = stats.t.ppf((1 + level) / 2, freedom)
    hidden = special.nctdtr(freedom, noncentrality, quantile)
    # beyond 8 standard errors there is no wrong side, and scipy has no number for it
    wrong = special.nctdtr(freedom, noncentrality, -quantile) * (noncentrality < 8)
    return 1 - hidden + np.nan_to_num(wrong)


def _noncentrality(freedom: float, power: float, level: float) -> float:
    """Return the true difference, in standard errors, that is found so often."""
    if power <= 1 - level:
        return 0.0
    quantile = stats.t.ppf((1 + level) / 2, freedom)
    most = 4.0 * (quantile + 2)
    while _power(most, freedom, level) < power:
        most *= 2
    return optimize.brentq(lambda d: _power(d, freedom, level) - power, 0, most)


def _check_sd(sd: float) -> None:
    if not 0 < sd < np.inf:
        raise ValueError(f"sd is {sd!r}; expected a finite number above zero.")


def _check_power(power: float) -> None:
    if not 0 < power < 1:
        raise ValueError(f"power is {power!r}; expected a number in (0, 1).")


# --- comparisons ----------------------------------------------------------------------


def agreement(one: ArrayLike, other: ArrayLike | None = None) -> float:
    """Return on which share of the examples two members of ensembles choose alike.

    Parameters
    ----------
    one : array of shape (members, examples)
        The class that each member chooses for each example.
    other : array of shape (members, examples), optional
        Of another ensemble, on the same examples. By default two different members of
        `one` are compared.

    Returns
    -------
    float
        Mean over all pairs of members.

    Raises
    ------
    ValueError
        If the examples are not the same, or `one` has a single member and is alone.

    Examples
    --------
    >>> agreement([[0, 1], [0, 2]])
    0.5
    """
    first = np.asarray(one)
    second = first if other is None else np.asarray(other)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(
            "one and other must be (members, examples), of the same examples; got the "
            f"shapes {first.shape} and {second.shape}."
        )
    share = float((first[:, None] == second).mean())
    if other is not None:
        return share
    n = len(first)
    if n < 2:
        raise ValueError(f"one must have two members or more; got {n}.")
    return (n * share - 1) / (n - 1)  # without each one's agreement with itself


def higher_is_better(metric: str) -> bool:
    """Tell from a metric's name whether more of it is better.

    Parameters
    ----------
    metric : str
        Keras's name: ``"val_loss"``, ``"accuracy"``, ``"test_auc"``, ...

    Returns
    -------
    bool
        ``False`` for losses and errors, ``True`` for accuracy, AUC and their like.

    Raises
    ------
    ValueError
        If the name does not tell.
    """
    if any(word in metric for word in _LOWER):
        return False
    if any(word in metric for word in _HIGHER):
        return True
    raise ValueError(
        f"the name of metric {metric!r} does not tell whether more of it is better: "
        "say higher_is_better=True or higher_is_better=False."
    )


def interval(
    values,
    statistic: Callable = np.mean,
    *,
    confidence_level: float = 0.95,
    method: str = "BCa",
) -> tuple[float, float]:
    """Bootstrap interval of a statistic, as wide as few values require.

    Parameters
    ----------
    values : array_like of shape (n,)
        Finite numbers, one for each seed.
    statistic : callable
        Takes an ``axis``, as ``numpy.mean`` and ``numpy.median`` do.
    confidence_level : float
        In (0, 1).
    method : {"BCa", "percentile"}
        As in :func:`scipy.stats.bootstrap`. BCa [1]_ corrects for skew, but not for a
        median, for which the jackknife within it fails.

    Returns
    -------
    low, high : float
        Missing (NaN) where there are fewer than two values. The resampling is seeded:
        the same values give the same interval.

    Notes
    -----
    A bootstrap interval of n values is too narrow by about sqrt((n-1)/n) times the
    ratio of a normal to a Student quantile. It is therefore taken at the higher level
    that undoes this for a normal sample [2]_.

    References
    ----------
    .. [1] B. Efron (1987). Better bootstrap confidence intervals. Journal of the
       American Statistical Association 82(397), 171-185.
    .. [2] T. C. Hesterberg (2015). What teachers should know about the bootstrap. The
       American Statistician 69(4), 371-386: the expanded percentile interval.
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    if n < 2:
        return np.nan, np.nan
    # scipy has no interval of a constant, be it one to rounding only.
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return float(values.min()), float(values.max())
    quantile = stats.t.ppf((1 + confidence_level) / 2, n - 1)
    expanded = 1 - 2 * stats.norm.cdf(-np.sqrt(n / (n - 1)) * quantile)
    for way in (method, "percentile"):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # Of a few values, all but one alike, there may be no BCa interval.
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)
            low, high = stats.bootstrap(
                (values,),
                statistic,
                n_resamples=_RESAMPLES,
                confidence_level=expanded,
                method=way,
                rng=np.random.default_rng(0),
            ).confidence_interval
        if np.isfinite([low, high]).all():
            break
    return float(low), float(high)


def summarize(
    scores: pd.DataFrame,
    *,
    higher_is_better: bool,
    reference: str | None = None,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Compare variants by one score for each run.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns ``variant``, ``seed``, ``value`` and, where runs are on several splits,
        ``split``; one row for each variant and run. A missing or infinite value is a
        run that diverged; it counts as the worst finite value of any run in `scores`,
        so that a variant gains nothing by it.
    higher_is_better : bool
        Direction of the score.
    reference : str, optional
        The variant that the others are compared with; by default the first.
    confidence_level : float
        Of the intervals, in (0, 1); of the differences' all together.

    Returns
    -------
    pandas.DataFrame
        One row for each variant (the index), in the order of `scores`:

        ``seeds``, ``diverged``
            number of runs, and how many of them diverged;
        ``median``, ``median_low``, ``median_high``
            the median run and its interval; missing where half or more diverged;
        ``difference``, ``difference_low``, ``difference_high``
            mean difference to the reference, paired by split and seed, and its
            interval;
        ``verdict``
            ``"better"`` or ``"worse"`` where that interval leaves zero out, else
            ``"no difference found"``; ``"reference"`` in the reference's own row;
        ``smallest_difference``
            the smallest true difference that these runs would show in four of five
            repetitions, see Notes; infinite with too few to show any.

        Its ``attrs`` tell about the differences' intervals: ``design`` and ``covers``
        as in :class:`Estimate`; ``comparisons``, over how many they are simultaneous;
        ``confidence_level`` of all together, ``individual_level`` of each.

    Raises
    ------
    TypeError, ValueError
        If a column is missing, a run comes twice, the reference is unknown, there are
        fewer than two variants, one shares no run with the reference, or the runs
        they share have no design (see :func:`design_of`).

    Notes
    -----
    Intervals are those of :func:`estimate`. With several variants each difference's is
    taken at the level 1 - (1 - `confidence_level`) / (variants - 1) (Bonferroni), so
    that all verdicts together are free of a false *better* or *worse* with that
    confidence: with eight comparisons each is a 99.4% interval. Intervals of medians
    are not simultaneous.

    No verdict is given where equal variants would have all n differences on one side
    too often by mere chance: 2^(1-n) above 1 minus the level. At 95% that takes six
    independent draws: seeds on one split, splits otherwise; of crossed splits and
    seeds six of both.

    ``smallest_difference`` is the minimal detectable effect [1]_ at 80% power, by the
    noncentral distribution of Student's t (:func:`smallest_difference`) with the
    design's standard error and degrees of freedom.

    References
    ----------
    .. [1] H. S. Bloom (1995). Minimum detectable effects. Evaluation Review 19(5),
       547-556.
    """
    runs = _runs_by_variant(scores)
    comparisons = len(runs) - 1
    level = _individual(_checked_level(confidence_level), comparisons)
    reference = next(iter(runs)) if reference is None else reference
    if reference not in runs:
        raise ValueError(
            f"reference is {reference!r}; expected one of {', '.join(map(repr, runs))}."
        )
    finite = pd.concat(list(runs.values())).replace([np.inf, -np.inf], np.nan)
    worst = finite.min() if higher_is_better else finite.max()
    filled = {name: one.where(np.isfinite(one), worst) for name, one in runs.items()}

    rows = {}
    for variant, values in runs.items():
        diverged = int((~np.isfinite(values)).sum())
        row = {"seeds": len(values), "diverged": diverged}
        if 2 * diverged < len(values):
            median = estimate(
                filled[variant], "median", confidence_level=confidence_level
            )
            row |= {
                "median": median.value,
                "median_low": median.low,
                "median_high": median.high,
            }
        if variant == reference:
            row["verdict"] = "reference"
        else:
            shared = values.index.intersection(runs[reference].index)
            if shared.empty:
                raise ValueError(
                    f"variants {variant!r} and {reference!r} have no "
                    f"{' and '.join(values.index.names)} in common, so their runs "
                    "cannot be paired."
                )
            difference = (filled[variant] - filled[reference])[shared]
            row |= _paired(difference, level, higher_is_better)
        rows[variant] = row
    columns = [
        *("seeds", "diverged", "median", "median_low", "median_high"),
        *("difference", "difference_low", "difference_high", "verdict"),
        "smallest_difference",
    ]
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns)
    design = design_of(runs[reference])
    table.attrs = {
        "design": design.words,
        "covers": design.covers,
        "comparisons": comparisons,
        "confidence_level": confidence_level,
        "individual_level": level,
    }
    return table.rename_axis("variant")


def _paired(difference: pd.Series, level: float, higher_is_better: bool) -> dict:
    """Return the columns that tell of paired differences."""
    row = {"verdict": "no difference found", "smallest_difference": np.inf}
    if difference.isna().any():  # all runs of all variants diverged
        return row
    found = estimate(difference, confidence_level=level)
    row |= {
        "difference": found.value,
        "difference_low": found.low,
        "difference_high": found.high,
    }
    design = design_of(difference)
    if 2.0 ** (1 - design.units) <= 1 - level:
        gain = (
            (found.low, found.high) if higher_is_better else (-found.high, -found.low)
        )
        if gain[0] > 0:
            row["verdict"] = "better"
        elif gain[1] < 0:
            row["verdict"] = "worse"
        [variance], [freedom] = _variance_of_mean(
            design.array(difference)[None], design.crossed
        )
        errors = _noncentrality(freedom, _POWER, level)
        row["smallest_difference"] = errors * np.sqrt(variance)
    return row


def _runs_by_variant(scores: pd.DataFrame) -> dict[str, pd.Series]:
    """Return each variant's values by run, after checking the frame."""
    if not isinstance(scores, pd.DataFrame):
        raise TypeError(
            "scores must be a frame with the columns variant, seed, value; got "
            f"{type(scores).__name__}."
        )
    for column in ("variant", "seed", "value"):
        if column not in scores:
            raise ValueError(
                f"scores has no column {column!r}; its columns are "
                f"{', '.join(map(str, scores.columns))}."
            )
    run = ["split", "seed"] if "split" in scores else ["seed"]
    repeated = scores.duplicated(["variant", *run])
    if repeated.any():
        first = scores[repeated].iloc[0]
        where = ", ".join(f"{name} {first[name]}" for name in run)
        raise ValueError(
            f"scores has more than one value for variant {first['variant']!r}, "
            f"{where}; keep one epoch and one metric."
        )
    runs = {
        variant: group.set_index(run)["value"].astype(float).sort_index()
        for variant, group in scores.groupby("variant", sort=False, observed=True)
    }
    if len(runs) < 2:
        raise ValueError(
            f"a comparison takes two variants or more; scores has {len(runs)}."
        )
    return runs
