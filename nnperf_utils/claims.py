"""Judge the claims of ``claims/`` by what a notebook measures.

A claim's criterion stands in the file of its chapter, ``claims/NN_topic.yml``.
:func:`judge` applies it to the run's own numbers, shows a card and leaves the evidence,
as data, in the metadata of the notebook's output, where the ledger and the tests find
it.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

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
from nnperf_utils.statistics import Design, Estimate, design_of, estimate, intervals

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
_RESAMPLES = 1000  # of what was drawn at random, to see whether the verdict turns
_INNER_REPLICATES = 1000  # of the bootstrap within each of those


@dataclass(frozen=True)
class Judgment:
    """What a run says about a claim. As a cell's last line it shows itself as a card.

    Attributes
    ----------
    claim : Claim
    estimates : mapping of str to Estimate
    seeds : int
        Number of runs that the verdict rests on; 0 where every effect is exact.
    verdict : str
        ``"holds"``, ``"holds in part"`` or ``"fails"``.
    flips : float or None
        Share of the resamples that get another verdict; ``None`` where every effect is
        exact.
    design : str
        What was drawn at random, in words.
    """

    claim: Claim
    estimates: Mapping[str, Estimate]
    seeds: int
    verdict: str
    flips: float | None
    design: str

    def evidence(self) -> dict[str, Any]:
        """Return the judgment as plain data, as it is left in the notebook."""
        return {
            "id": self.claim.id,
            "verdict": self.verdict,
            "seeds": self.seeds,
            "flips": self.flips,
            "effects": {
                name: {
                    "value": one.value,
                    "low": one.low,
                    "high": one.high,
                    "design": one.design,
                }
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
        lines = [f"{self.claim.id}: {self.verdict} ({self.design})"]
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
                f"On the edge: {self.flips:.0%} of {_RESAMPLES:,} resamples of these "
                "runs lead to another verdict."
            )
        return notes

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Return what IPython displays, and the evidence as its metadata."""
        fresh = tally(self.claim, load_replications())
        data = {"text/html": cards.card(self, fresh), "text/plain": str(self)}
        return data, {_METADATA: self.evidence()}


def judge(
    claim_id: str,
    /,
    *,
    tables: Mapping[str, str] | None = None,
    **effects: Estimate | pd.Series | np.ndarray | float,
) -> Judgment:
    """Judge a claim of ``claims/`` by its criterion.

    Parameters
    ----------
    claim_id : str
        The claim's id.
    tables : mapping of str to str, optional
        Where effects were measured on several tables: the end of an effect's name, and
        its table. With ``{"d": "diabetes"}`` a Series ``loss`` whose index has the
        level ``data`` gives the effect ``loss_d``.
    **effects
        One argument for each effect that the claim lists: an
        :class:`~nnperf_utils.statistics.Estimate`, taken as it is; a pandas Series with
        one number for each run, its index the split or the seed or both (see
        :func:`nnperf_utils.statistics.design_of`); an array of numbers in the order of
        the seeds; true or false for a share; a single number for an exact effect.

    Returns
    -------
    Judgment
        Displayed in a notebook it is a card. Only a displayed one leaves evidence.

    Raises
    ------
    TypeError, ValueError
        If the claim or an effect is unknown or missing, an effect is not made of finite
        numbers, or of too few for an interval, or an estimate is of another statistic
        than the claim's.

    Notes
    -----
    Intervals are those of :func:`nnperf_utils.statistics.estimate`.

    Whether the verdict sits on the edge is seen by judging 1,000 resamples, with
    intervals of their own. What was drawn at random is drawn again as it was: seeds;
    whole splits; or splits and seeds, where they are crossed. Effects that were
    measured on the same runs take part with the same draws, as they belong together;
    others are drawn independently. A resample differs from the run as much as another
    run would, and loses some draws besides, so the share of turned verdicts errs on the
    high side.
    """
    claims = load_claims().claims
    if claim_id not in claims:
        near = difflib.get_close_matches(str(claim_id), claims, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see claims/."
        raise ValueError(f"there is no claim {claim_id!r}: {hint}")
    return _judge(claims[claim_id], _by_table(effects, tables) if tables else effects)


def _by_table(effects: Mapping[str, Any], tables: Mapping[str, str]) -> dict[str, Any]:
    """Make an effect for each table of what was measured on several."""
    apart = {}
    for name, values in effects.items():
        if not isinstance(values, pd.Series) or "data" not in values.index.names:
            apart[name] = values
            continue
        for end, table in tables.items():
            known = values.index.unique("data")
            if table not in known:
                raise ValueError(
                    f"effect {name} was not measured on {table!r}; its tables are "
                    f"{', '.join(map(str, known))}."
                )
            apart[f"{name}_{end}"] = values.xs(table, level="data")
    return apart


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
    estimates, designs = {}, {}
    for name, effect in claim.effects.items():
        what = f"effect {name} of claim {claim.id}"
        if effect.statistic == "exact":
            value = _exact(what, given[name])
            estimates[name] = Estimate(value, value, value, "exact", design="exact")
        else:
            estimates[name] = _estimate(what, given[name], effect.statistic)
            designs[name] = design_of(estimates[name].values)
    verdict = str(_verdict(claim, estimates))
    if not designs:
        return Judgment(claim, estimates, 0, verdict, None, "exact, no seeds")
    groups = _groups(claim, designs)
    flips = _flips(claim, estimates, groups, verdict)
    seeds = sum(len(design.index) for design, _ in groups)
    return Judgment(
        claim, estimates, seeds, verdict, flips, _design(claim, groups, estimates)
    )


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


def _estimate(what: str, given: Any, statistic: str) -> Estimate:
    """Return an estimate as it is, or make one of the numbers of an effect."""
    if isinstance(given, Estimate):
        found = given
        if found.statistic != statistic:
            raise ValueError(
                f"{what} is a {statistic}; got an estimate of a {found.statistic}."
            )
        if found.values is None:
            raise ValueError(f"{what} is an estimate without the numbers behind it.")
    else:
        if np.ndim(given) != 1:
            raise TypeError(
                f"{what} needs one number for each seed, as a Series or an array with "
                f"one axis; got {_described(given)}."
            )
        values = pd.Series(given)
        plain = values.index.nlevels == 1 and values.index.name != "split"
        if plain:
            values = values.rename_axis("seed")
        try:
            found = estimate(values, statistic)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{what}: {error}") from None
        if plain and np.isfinite(found.low):
            # whether all were on one split is not known
            found = replace(found, design=f"{len(values)} seeds", covers="")
    if not np.isfinite([found.low, found.high]).all():
        raise ValueError(f"{what} has {found.covers}.")
    return found


def _groups(
    claim: Claim, designs: Mapping[str, Design]
) -> list[tuple[Design, list[str]]]:
    """Return the designs that differ, each with the effects that share it."""
    groups: list[tuple[Design, list[str]]] = []
    for name, design in designs.items():
        for other, names in groups:
            if other.index.equals(design.index) and other.crossed == design.crossed:
                names.append(name)
                break
            alike = list(other.index.names) == list(design.index.names) == ["seed"]
            if alike and len(other.index.intersection(design.index)):
                raise ValueError(
                    f"effects {names[0]} and {name} of claim {claim.id} were not "
                    "measured with the same seeds, so they cannot be judged together."
                )
        else:
            groups.append((design, [name]))
    return groups


def _design(
    claim: Claim,
    groups: list[tuple[Design, list[str]]],
    estimates: Mapping[str, Estimate],
) -> str:
    """Return in words what was drawn at random."""
    words = {}
    for _, names in groups:
        words.setdefault(estimates[names[0]].design, []).extend(names)
    if len(words) == 1:
        return next(iter(words))
    return "; ".join(
        f"{', '.join(f'“{claim.effects[name].label}”' for name in names)}: {design}"
        for design, names in words.items()
    )


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
    estimates: Mapping[str, Estimate],
    groups: list[tuple[Design, list[str]]],
    verdict: str,
) -> float:
    """Return the share of resamples that get another verdict."""
    resampled = dict(estimates)
    for number, (design, names) in enumerate(groups):
        rng = np.random.default_rng(number)
        design.picks(rng)  # the first draws are those behind the interval that is shown
        rows, columns = design.resample(rng, _RESAMPLES)
        picks = design.picks(rng, _INNER_REPLICATES)
        for name in names:
            one = estimates[name]
            ends = intervals(
                design.array(one.values)[rows, columns],
                one.statistic,
                crossed=design.crossed,
                confidence_level=one.individual_level,
                picks=picks,
            )
            resampled[name] = Estimate(*ends)
    verdicts = np.broadcast_to(_verdict(claim, resampled), _RESAMPLES)
    return float(np.mean(verdicts != verdict))


def _described(value: Any) -> str:
    """Say in a few words what a value is."""
    shape = f" of shape {np.shape(value)}" if np.ndim(value) else ""
    return f"{type(value).__name__}{shape}"
