"""Records of fresh runs: all chapters executed again with everything drawn anew.

A record is a file ``claims/replications/*.json``::

    {
      "seeds": 1000,                     added to every seed of the course
      "date": "2026-11-28",              of the chapter that was executed last
      "versions": {"python": "3.12.3", "keras": "3.12.0", …},
      "tables": {"diabetes": "…"},       tables replaced by the reader's own; or {}
      "claims": {
        "adam-default": {
          "digest": "…",                 of the entry that was judged
          "commit": "448e2a5…",          of the course that was executed
          "verdict": "holds in part",
          "effects": {"mpg_default": {"value": 47.1, "low": 38.0, "high": 55.9}, …},
          "outside": ["mpg_default"]     estimates outside the published interval
        }, …
      }
    }
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from nnperf_utils import catalog
from nnperf_utils.catalog import VERDICTS, Claim

__all__ = ["ALMOST", "Outcome", "Replication", "Tally", "load_replications", "tally"]

ALMOST = 19 / 20
"""A claim that comes out the same in a smaller share of the runs is on the edge."""

_KEYS = {"seeds", "date", "versions", "tables", "claims"}
_OUTCOME = {"digest", "commit", "verdict", "effects", "outside"}


@dataclass(frozen=True)
class Outcome:
    """What a fresh run says about one claim."""

    digest: str
    commit: str
    verdict: str
    effects: Mapping[str, Mapping[str, float]]
    outside: tuple[str, ...]


@dataclass(frozen=True)
class Replication:
    """A fresh run of all chapters."""

    seeds: int
    date: date
    versions: Mapping[str, str]
    tables: Mapping[str, str]
    claims: Mapping[str, Outcome]


@dataclass(frozen=True)
class Tally:
    """How often a claim came out the same, and its estimates beside the published."""

    same: int
    runs: int
    outside: int
    estimates: int

    @property
    def on_edge(self) -> bool:
        """Whether it came out the same in fewer than 19 of 20 runs."""
        return self.runs > 0 and self.same / self.runs < ALMOST

    def words(self) -> str:
        """Return the tally in words."""
        if not self.runs:
            return "no fresh run yet"
        runs = "fresh run" if self.runs == 1 else "fresh runs"
        return f"came out the same in {self.same} of {self.runs} {runs}"


def load_replications(folder: str | Path | None = None) -> list[Replication]:
    """Read all records, the oldest first.

    Parameters
    ----------
    folder : str or Path, optional
        Holds the records; by default the one of this course, which may be missing.

    Returns
    -------
    list of Replication

    Raises
    ------
    ValueError
        If a record is not as the module says, with one sentence that names the file.
    """
    folder = (
        catalog.claims_folder() / "replications" if folder is None else Path(folder)
    )
    found = [_replication(path) for path in sorted(Path(folder).glob("*.json"))]
    return sorted(found, key=lambda one: (one.date, one.seeds))


def tally(claim: Claim, replications: Iterable[Replication]) -> Tally:
    """Count the fresh runs of a claim as it stands today.

    Parameters
    ----------
    claim : Claim
    replications : iterable of Replication
        Runs on a reader's own tables do not count, nor those of an earlier version of
        the claim.

    Returns
    -------
    Tally
        A run is the same if its verdict is the one that the text argues from.
    """
    outcomes = [
        one.claims[claim.id]
        for one in replications
        if not one.tables
        and claim.id in one.claims
        and one.claims[claim.id].digest == claim.digest
    ]
    return Tally(
        same=sum(one.verdict == claim.verdict for one in outcomes),
        runs=len(outcomes),
        outside=sum(len(one.outside) for one in outcomes),
        estimates=sum(len(one.effects) for one in outcomes),
    )


def _replication(path: Path) -> Replication:
    """Read one record."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        _require(path.name, record, _KEYS)
        return Replication(
            int(record["seeds"]),
            date.fromisoformat(record["date"]),
            dict(record["versions"]),
            dict(record["tables"]),
            {
                name: _outcome(f"claim {name} in {path.name}", one)
                for name, one in dict(record["claims"]).items()
            },
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name} is not valid JSON: {error}.") from None
    except TypeError as error:
        raise ValueError(f"{path.name} is no record of a fresh run: {error}.") from None


def _outcome(what: str, entry: Any) -> Outcome:
    """Read what a run says about one claim."""
    _require(what, entry, _OUTCOME)
    if entry["verdict"] not in VERDICTS:
        names = ", ".join(VERDICTS)
        raise ValueError(
            f"verdict of {what} is {entry['verdict']!r}; expected one of: {names}."
        )
    effects = {}
    for name, ends in dict(entry["effects"]).items():
        _require(f"effect {name} of {what}", ends, {"value", "low", "high"})
        effects[name] = {end: float(number) for end, number in ends.items()}
    unknown = set(entry["outside"]) - set(effects)
    if unknown:
        raise ValueError(
            f"outside of {what} names {', '.join(sorted(unknown))}, which was not "
            "measured."
        )
    return Outcome(
        str(entry["digest"]),
        str(entry["commit"]),
        entry["verdict"],
        effects,
        tuple(entry["outside"]),
    )


def _require(what: str, entry: Any, keys: set[str]) -> None:
    """Refuse what does not have exactly these keys."""
    if not isinstance(entry, dict) or set(entry) != keys:
        got = ", ".join(sorted(entry)) if isinstance(entry, dict) else repr(entry)
        raise ValueError(
            f"{what} must have the keys {', '.join(sorted(keys))}; got {got}."
        )
