"""From cases and what was said of them to a table."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from cases import Case
from scipy.stats import binomtest

HARM = 0.1


class Said(NamedTuple):
    """What somebody said of a case: causes, the likeliest first."""

    case: Case
    causes: list[str]


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return Wilson's 95% interval of a share; all that is possible, of nothing."""
    if not count:
        return 0.0, 1.0
    interval = binomtest(hits, count).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def sound(case: Case, score: float, twin: float | None, facts: dict) -> bool:
    """Tell whether a case is what it is meant to be.

    A fault that is not structural must cost its twin a tenth of its score; a healthy
    network must come near what simple learners reach.
    """
    if case.cause is None:
        reference = facts.get("reference")
        reference = 0.0 if reference is None or reference != reference else reference
        return score > 0.05 and score >= 0.85 * reference - 0.02
    if case.structural:
        return True
    return twin is not None and score < twin - HARM * max(twin, 0.3)


def tally(said: list[Said]) -> dict[str, Any]:
    """Count what was found of faults, and said of healthy networks."""
    faulty = [s for s in said if s.case.cause]
    healthy = [s for s in said if not s.case.cause]

    def right(s: Said, first: int) -> bool:
        good = {s.case.cause, *s.case.accepted}
        return bool(good & set(s.causes[:first]))

    counts = {
        "found": (sum(bool(s.causes) for s in faulty), len(faulty)),
        "false alarms": (sum(bool(s.causes) for s in healthy), len(healthy)),
        "first": (sum(right(s, 1) for s in faulty), len(faulty)),
        "first or second": (sum(right(s, 2) for s in faulty), len(faulty)),
        "first, planted name only": (
            sum(s.causes[:1] == [s.case.cause] for s in faulty),
            len(faulty),
        ),
    }
    return {
        name: {
            "hits": hits,
            "of": count,
            "share": hits / max(count, 1),
            "interval": wilson(hits, count),
        }
        for name, (hits, count) in counts.items()
    }


def by_cause(said: list[Said]) -> dict[str, dict[str, int]]:
    """Count for each cause: planted, found, named first, first or second."""
    table: dict[str, dict[str, int]] = {}
    for s in said:
        if s.case.cause:
            row = table.setdefault(
                s.case.cause, {"planted": 0, "found": 0, "first": 0, "second": 0}
            )
            good = {s.case.cause, *s.case.accepted}
            row["planted"] += 1
            row["found"] += bool(s.causes)
            row["first"] += bool(good & set(s.causes[:1]))
            row["second"] += bool(good & set(s.causes[:2]))
    return table


def confusions(said: list[Said]) -> dict[str, dict[str, int]]:
    """Count by planted cause what was named first; ``nothing`` where nothing was."""
    table: dict[str, Counter] = {}
    for s in said:
        row = table.setdefault(s.case.cause or "healthy", Counter())
        good = {s.case.cause, *s.case.accepted}
        first = s.causes[0] if s.causes else "nothing"
        row[s.case.cause if s.case.cause and first in good else first] += 1
    return {cause: dict(row) for cause, row in sorted(table.items())}
