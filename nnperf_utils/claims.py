"""Judge the claims of ``claims/`` by what a notebook measures.

A claim's criterion stands in the file of its chapter, ``claims/NN_topic.yml``.
:func:`judge` applies it to the run's own numbers, shows a card and leaves the evidence,
as data, in the metadata of the notebook's output, where the ledger and the tests find
it.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from nnperf_utils import cards
from nnperf_utils.cards import format_interval, format_number
from nnperf_utils.catalog import (
    SOURCES,
    VERDICTS,
    Catalog,
    Claim,
    Effect,
    Scale,
    load_claims,
)
from nnperf_utils.criterion import Condition
from nnperf_utils.replications import load_replications, tally

__all__ = [
    "EDGE",
    "SOURCES",
    "VERDICTS",
    "Catalog",
    "Claim",
    "Effect",
    "Estimate",
    "Judgment",
    "Scale",
    "format_interval",
    "format_number",
    "judge",
    "kept",
    "load_claims",
    "read_evidence",
]

EDGE = 1 / 20
"""A verdict that more of the resamples than this would turn sits on the edge."""

_METADATA = "nnperf_claim"
_CONFIDENCE = 0.95
_REPLICATES = 9999  # of the bootstrap behind the interval that is shown
_RESAMPLES = 1000  # of the seeds, to see whether the verdict turns
_INNER_REPLICATES = 1000  # of the bootstrap within each of those


@dataclass(frozen=True)
class Estimate:
    """An effect's estimate and the ends of its 95% interval: numbers, or arrays."""

    value: Any
    low: Any
    high: Any


@dataclass(frozen=True)
class Judgment:
    """What a run says about a claim. As a cell's last line it shows itself as a card.

    Attributes
    ----------
    claim : Claim
    estimates : mapping of str to Estimate
    seeds : int
        Number of seeds that the run had; 0 where every effect is exact.
    verdict : str
        ``"holds"``, ``"holds in part"`` or ``"fails"``.
    flips : float or None
        Share of the resamples of the seeds that get another verdict; ``None`` without
        seeds.
    """

    claim: Claim
    estimates: Mapping[str, Estimate]
    seeds: int
    verdict: str
    flips: float | None

    def evidence(self) -> dict[str, Any]:
        """Return the judgment as plain data, as it is left in the notebook."""
        return {
            "id": self.claim.id,
            "verdict": self.verdict,
            "seeds": self.seeds,
            "flips": self.flips,
            "effects": {
                name: {"value": one.value, "low": one.low, "high": one.high}
                for name, one in self.estimates.items()
            },
        }

    def earlier(self) -> dict[int, str]:
        """Return the verdicts by the criteria of before, on today's effects.

        Returns
        -------
        dict of int to str
            By the number of the revision that replaced the criterion, counted from 0.
        """
        return {
            number: str(_verdict(self.claim, self.estimates, one.holds, one.fails))
            for number, one in enumerate(self.claim.revisions)
            if one.holds is not None
        }

    def __str__(self) -> str:
        """Return the judgment as plain text."""
        lines = [f"{self.claim.id}: {self.verdict} ({cards.seeds_words(self.seeds)})"]
        lines += [
            f"  {name} = {format_interval(estimate)}"
            for name, estimate in self.estimates.items()
        ]
        return "\n".join(lines + [f"  {note}" for note in self.notes()])

    def notes(self) -> list[str]:
        """Return what a reader of the verdict must know besides."""
        notes = []
        if self.verdict == "holds in part" and self.claim.condition:
            notes.append(f"Condition: {self.claim.condition.rstrip('.')}.")
        for number, verdict in self.earlier().items():
            if verdict != self.verdict:
                day = cards.day_words(self.claim.revisions[number].date)
                notes.append(
                    f"By the criterion before the revision of {day}: "
                    f"{VERDICTS[verdict]} {verdict}."
                )
        if self.claim.verdict is None:
            notes.append("The text does not argue from a verdict yet.")
        elif self.verdict != self.claim.verdict:
            notes.append(
                f"This run disagrees with the text, which argues from "
                f"“{self.claim.verdict}”."
            )
        if self.seeds < self.claim.seeds:
            notes.append(f"The verdict of the text rests on {self.claim.seeds} seeds.")
        if self.flips is not None and self.flips > EDGE:
            notes.append(
                f"On the edge: {self.flips:.0%} of {_RESAMPLES:,} resamples of the "
                "seeds get another verdict."
            )
        return notes

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Return what IPython displays, and the evidence as its metadata."""
        fresh = tally(self.claim, load_replications())
        data = {"text/html": cards.card(self, fresh), "text/plain": str(self)}
        return data, {_METADATA: self.evidence()}


def judge(claim_id: str, /, **effects: pd.Series | np.ndarray | float) -> Judgment:
    """Judge a claim of ``claims/`` by its criterion.

    Parameters
    ----------
    claim_id : str
        The claim's id.
    **effects
        One argument for each effect that the claim lists. A pandas Series with one
        number for each seed (the index), or an array of them in the order of the seeds;
        true or false for a share; a single number for an exact effect.

    Returns
    -------
    Judgment
        Displayed in a notebook it is a card. Only a displayed one leaves evidence.

    Raises
    ------
    TypeError, ValueError
        If the claim or an effect is unknown or missing, or an effect is not made of
        finite numbers, one for each of the same seeds.

    Notes
    -----
    Medians and means get percentile bootstrap intervals over the seeds, at the expanded
    level that makes up for few seeds [1]_. Shares get Wilson's interval [2]_, since the
    bootstrap of twenty times *true* would claim to be certain.

    Whether the verdict sits on the edge is seen by judging 1,000 resamples of the
    seeds, with intervals of their own. All effects of a claim take part with the same
    seeds, as they belong together. A resample differs from the run as much as another
    run would, and loses some seeds besides, so the share of turned verdicts errs on the
    high side.

    References
    ----------
    .. [1] T. C. Hesterberg (2015). What teachers should know about the bootstrap. The
       American Statistician 69(4), 371-386.
    .. [2] E. B. Wilson (1927). Probable inference, the law of succession, and
       statistical inference. Journal of the American Statistical Association 22(158),
       209-212.
    """
    claims = load_claims().claims
    if claim_id not in claims:
        near = difflib.get_close_matches(str(claim_id), claims, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see claims/."
        raise ValueError(f"there is no claim {claim_id!r}: {hint}")
    return _judge(claims[claim_id], effects)


def kept(judgment: Judgment) -> str:
    """Quote a claim beside its mark, to stand after a line of advice.

    Parameters
    ----------
    judgment : Judgment

    Returns
    -------
    str
        Markdown, a link to the card: ``[“one run is enough” ✗](#claim-one-run-ranks)``.
        The advice before it stands for itself; the claim is the one that it answers.
    """
    claim = judgment.claim
    quoted = claim.short or claim.statement.rstrip(".")
    # no-break, so that no line ends between a claim and its mark
    mark = f"\N{NO-BREAK SPACE}{VERDICTS[judgment.verdict]}"
    return f"[“{quoted}”{mark}](#claim-{claim.id})"


def read_evidence(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the evidence in an executed notebook, in the order of its cells.

    Parameters
    ----------
    notebook : mapping
        As it stands in the file (nbformat 4).

    Returns
    -------
    list of dict
        Each as :meth:`Judgment.evidence` returns it.
    """
    return [
        output["metadata"][_METADATA]
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if _METADATA in output.get("metadata", {})
    ]


# --- judging -----------------------------------------------------------------------


def _judge(claim: Claim, given: Mapping[str, Any]) -> Judgment:
    """Apply a claim's criterion to its effects."""
    missing = [name for name in claim.effects if name not in given]
    unknown = [name for name in given if name not in claim.effects]
    if missing or unknown:
        raise TypeError(
            f"claim {claim.id} takes the effects {', '.join(claim.effects)}; "
            + "; ".join(
                f"{word}: {', '.join(names)}"
                for word, names in (("missing", missing), ("unknown", unknown))
                if names
            )
            + "."
        )
    exact = {
        name: _exact(f"effect {name} of claim {claim.id}", given[name])
        for name, effect in claim.effects.items()
        if effect.statistic == "exact"
    }
    samples = _samples(claim, given)
    seeds = len(samples)

    rng = np.random.default_rng(0)
    picks = rng.integers(seeds, size=(_REPLICATES, seeds)) if seeds else None
    estimates = {}
    for name, effect in claim.effects.items():
        if name in exact:
            estimates[name] = Estimate(exact[name], exact[name], exact[name])
        else:
            # one row is one sample of seeds
            row = _estimate(samples[name].to_numpy()[None], effect.statistic, picks)
            ends = (row.value, row.low, row.high)
            estimates[name] = Estimate(*(float(end[0]) for end in ends))
    verdict = str(_verdict(claim, estimates))
    flips = _flips(claim, samples, exact, verdict, rng) if seeds else None
    return Judgment(claim, estimates, seeds, verdict, flips)


def _exact(what: str, value: Any) -> float:
    """Return a single finite number."""
    if np.ndim(value) or isinstance(value, str) or value is None:
        raise TypeError(
            f"{what} is exact, so it is a single number; got "
            f"{'several' if np.ndim(value) else repr(value)}."
        )
    value = float(value)
    if not np.isfinite(value):
        raise ValueError(f"{what} is {value}; expected a finite number.")
    return value


def _samples(claim: Claim, given: Mapping[str, Any]) -> pd.DataFrame:
    """Return what was measured for each seed: one row a seed, one column an effect."""
    columns: dict[str, pd.Series] = {}
    for name, effect in claim.effects.items():
        if effect.statistic == "exact":
            continue
        what = f"effect {name} of claim {claim.id}"
        if np.ndim(given[name]) != 1:
            raise TypeError(
                f"{what} needs one number for each seed, as a Series or an array with "
                f"one axis; got {_described(given[name])}."
            )
        try:
            column = pd.Series(given[name]).astype(float)
        except (TypeError, ValueError):
            raise TypeError(f"{what} holds something else than numbers.") from None
        if column.index.has_duplicates:
            twice = column.index[column.index.duplicated()][0]
            raise ValueError(f"{what} has more than one number for seed {twice}.")
        if len(column) < 2:
            raise ValueError(f"{what} needs two seeds or more; got {len(column)}.")
        column = column.sort_index()
        lost = column.index[~np.isfinite(column)]
        if len(lost):
            raise ValueError(
                f"{what} has no finite number for seed {', '.join(map(str, lost))}; "
                "decide what a run that diverged counts as."
            )
        if effect.statistic == "share" and not column.isin([0, 1]).all():
            raise ValueError(f"{what} is a share of seeds: expected true or false.")
        first = next(iter(columns.items()), None)
        if first and not first[1].index.equals(column.index):
            raise ValueError(
                f"effects {first[0]} and {name} of claim {claim.id} were not measured "
                "with the same seeds, so they cannot be judged together."
            )
        columns[name] = column
    return pd.DataFrame(columns)


def _estimate(samples: np.ndarray, statistic: str, picks: np.ndarray) -> Estimate:
    """Estimate an effect from each of many samples at once.

    Parameters
    ----------
    samples : numpy.ndarray of shape (m, n)
        One sample of n seeds a row.
    statistic : {"median", "mean", "share"}
    picks : numpy.ndarray of int, shape (replicates, n)
        Which members of a sample each bootstrap replicate takes.

    Returns
    -------
    Estimate
        Arrays of shape (m,).
    """
    n = samples.shape[1]
    if statistic == "share":
        hits = samples.sum(axis=1).astype(int)
        ends = [
            stats.binomtest(k, n).proportion_ci(_CONFIDENCE, method="wilson")
            for k in range(n + 1)
        ]
        low, high = np.asarray(ends)[hits].T
        return Estimate(hits / n, low, high)
    if statistic == "median":
        # the median of a replicate depends on its middle ranks alone
        middle = np.sort(picks, axis=1)[:, [(n - 1) // 2, n // 2]]
        replicates = np.sort(samples, axis=1)[:, middle].mean(axis=-1)
        value = np.median(samples, axis=1)
    else:
        counts = (picks[:, :, None] == np.arange(n)).sum(axis=1)
        replicates = samples @ counts.T / n
        value = samples.mean(axis=1)
    # Hesterberg's expanded level, see `judge`
    quantile = stats.t.ppf((1 + _CONFIDENCE) / 2, n - 1)
    tail = stats.norm.cdf(-np.sqrt(n / (n - 1)) * quantile)
    low, high = np.quantile(replicates, [tail, 1 - tail], axis=1)
    return Estimate(value, low, high)


def _verdict(
    claim: Claim,
    estimates: Mapping[str, Estimate],
    holds_if: Condition | None = None,
    fails_if: Condition | None = None,
) -> np.ndarray:
    """Return the verdict, or as many verdicts as the estimates have entries.

    By the claim's criterion, or by another one.
    """
    holds = (holds_if or claim.holds)(estimates)
    fails = (fails_if or claim.fails)(estimates)
    if np.any(holds & fails):
        raise ValueError(
            f"the criterion of claim {claim.id} contradicts itself: by these effects "
            "the claim both holds and fails."
        )
    return np.where(holds, "holds", np.where(fails, "fails", "holds in part"))


def _flips(
    claim: Claim,
    samples: pd.DataFrame,
    exact: Mapping[str, float],
    verdict: str,
    rng: np.random.Generator,
) -> float:
    """Return the share of resamples of the seeds that get another verdict."""
    seeds = len(samples)
    rows = rng.integers(seeds, size=(_RESAMPLES, seeds))
    picks = rng.integers(seeds, size=(_INNER_REPLICATES, seeds))
    estimates = {name: Estimate(value, value, value) for name, value in exact.items()}
    for name in samples:
        statistic = claim.effects[name].statistic
        estimates[name] = _estimate(samples[name].to_numpy()[rows], statistic, picks)
    verdicts = np.broadcast_to(_verdict(claim, estimates), _RESAMPLES)
    return float(np.mean(verdicts != verdict))


def _described(value: Any) -> str:
    """Say in a few words what a value is."""
    shape = f" of shape {np.shape(value)}" if np.ndim(value) else ""
    return f"{type(value).__name__}{shape}"
