"""What became of a claim since it was first written down, and the lock on it.

The history of a claim stands in its entry: when it was registered, how its criterion
came to be, what was revised. ``claims/registered.lock`` holds a digest of each entry,
so that none changes without a revision that says so.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from nnperf_utils.criterion import Condition

__all__ = [
    "LOCK",
    "ORDERS",
    "Locked",
    "Revision",
    "content",
    "digest",
    "lock_text",
    "locked",
    "read_lock",
]

LOCK = "registered.lock"
"""Name of the file in ``claims/`` that holds a digest of each entry."""

ORDERS = {
    "before": "The criterion was written before the first result: it stands in the "
    "repository earlier than any result.",
    "together": "The criterion came together with the first look at the result: both "
    "entered the repository in one commit.",
    "after": "The criterion was written after the first look at the result.",
}
"""How a criterion came to be, as the repository shows it, each with a sentence."""

_HEAD = """\
# What was registered, by claim: day, revisions so far, digest of the entry.
# Written by `make register CLAIM=…`; a test compares it with the entries.
"""


@dataclass(frozen=True)
class Revision:
    """A later change of a claim's statement, effects, criterion or experiment.

    `holds` and `fails` are the criterion before the change, where it can be computed
    from today's effects.
    """

    date: date
    what: str
    why: str
    result_known: bool
    verdict_before: str | None
    holds: Condition | None = None
    fails: Condition | None = None


@dataclass(frozen=True)
class Locked:
    """What the lock holds of an entry."""

    date: date
    revisions: int
    digest: str


def content(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a claim's verdict rests on, apart from how it is wrapped.

    Parameters
    ----------
    entry : mapping
        As it stands in the file of its chapter.

    Returns
    -------
    dict
        Statement, source, seeds, criterion, and of each effect what it measures and by
        which statistic. Not the verdict, nor what only presents a claim.
    """
    return {
        "statement": _plain(entry["statement"]),
        "source": [_plain(one) for one in entry["source"]],
        "seeds": entry.get("seeds"),
        "effects": {
            name: [_plain(effect["measures"]), effect.get("statistic", "median")]
            for name, effect in entry["effects"].items()
        },
        "criterion": {
            word: _plain(entry["criterion"][word]) for word in ("holds", "fails")
        },
    }


def digest(entry: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an entry's :func:`content`."""
    text = json.dumps(content(entry), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def locked(entry: Mapping[str, Any], day: date) -> Locked:
    """Return what the lock is to hold of an entry."""
    return Locked(day, len(entry.get("revisions") or ()), digest(entry))


def read_lock(path: str | Path) -> dict[str, Locked]:
    """Read a lock.

    Parameters
    ----------
    path : str or Path
        A file that need not exist yet.

    Returns
    -------
    dict of str to Locked
        By claim.

    Raises
    ------
    ValueError
        If a line is not made of an id, a day, a number and a digest.
    """
    path = Path(path)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found: dict[str, Locked] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            claim_id, day, revisions, hexadecimal = line.split()
            entry = Locked(date.fromisoformat(day), int(revisions), hexadecimal)
        except ValueError:
            raise ValueError(
                f"line {number} of {path.name} must hold an id, a day, a number of "
                f"revisions and a digest; got {line!r}."
            ) from None
        if claim_id in found:
            raise ValueError(f"claim {claim_id} stands twice in {path.name}.")
        found[claim_id] = entry
    return found


def lock_text(entries: Mapping[str, Locked], order: Iterable[str]) -> str:
    """Return the text of a lock, its claims in this order."""
    lines = (
        f"{name} {entries[name].date} {entries[name].revisions} {entries[name].digest}"
        for name in order
        if name in entries
    )
    return _HEAD + "\n".join(lines) + "\n"


def _plain(text: Any) -> str:
    """Return text without its line breaks."""
    return " ".join(str(text).split())
