"""Register claims: ``make register CLAIM=its-id``.

A new claim gets its day and a line in ``claims/registered.lock``, best before its
experiment runs. A claim that has changed gets a new digest only with a revision that
says what changed. Without a claim's name it is said how all of them stand.
"""

from __future__ import annotations

import argparse
import datetime
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from nnperf_utils import history
from nnperf_utils.catalog import Claim, load_claims, load_entries

ROOT = Path(__file__).resolve().parents[1]
# the C loader is ten times as fast, where there is one
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BEFORE_SPLIT = "claims.yml"  # held all claims until they got a file for each chapter


def git(root: Path, *arguments: str) -> str:
    """Return what git says; nothing where it refuses."""
    done = subprocess.run(
        ["git", "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return done.stdout if done.returncode == 0 else ""


def has_history(root: Path) -> bool:
    """Tell whether all commits are there; a shallow clone has only the last ones."""
    return git(root, "rev-parse", "--is-shallow-repository").strip() == "false"


# --- what the repository shows -------------------------------------------------------


@dataclass(frozen=True)
class Commit:
    """A commit and its day."""

    id: str
    day: datetime.date


@dataclass
class Seen:
    """When a claim's entry and when anything that shows its result was first seen."""

    entry: Commit | None = None
    evidence: Commit | None = None


@dataclass
class Past:
    """What the commits of a repository show of its claims."""

    root: Path
    claims: dict[str, Seen] = field(default_factory=dict)

    def is_earlier(self, one: Commit, other: Commit) -> bool:
        """Tell whether a commit is among another's ancestors."""
        line = git(self.root, "merge-base", one.id, other.id).strip()
        return one.id != other.id and line == one.id

    def order(self, claim: Claim) -> str:
        """Return how a claim's criterion came to be, as far as the commits show it."""
        seen = self.claims.get(claim.id, Seen())
        chapter = self.root / "chapters" / f"{claim.chapter}.ipynb"
        told = claim.verdict is not None or claim.id in _named(_text(chapter))
        if seen.entry is None:
            return "after" if seen.evidence else "together" if told else "before"
        if seen.evidence is None or self.is_earlier(seen.entry, seen.evidence):
            return "before"
        return "after" if self.is_earlier(seen.evidence, seen.entry) else "together"


def read_past(root: Path) -> Past:
    """Walk through the commits, the oldest first."""
    past = Past(root)
    paths = [_BEFORE_SPLIT, "claims/", "chapters/"]
    log = git(
        root,
        "log",
        *("--reverse", "--topo-order", "--no-merges", "--unified=0", "-p"),
        *("--format=commit %H %ad", "--date=format:%Y-%m-%d", "--", *paths),
    )
    commit = path = None
    for line in log.splitlines():
        if match := re.fullmatch(r"commit ([0-9a-f]{40,64}) (\S+)", line):
            commit = Commit(match[1], datetime.date.fromisoformat(match[2]))
        elif line.startswith("+++ "):
            path = line.removeprefix("+++ ").removeprefix("b/")
        elif line.startswith("+") and path.startswith("chapters/"):
            for name in _named(line):
                seen = past.claims.setdefault(name, Seen())
                seen.evidence = seen.evidence or commit
        elif match := re.match(r"\+\s*- id: (\S+)", line):
            seen = past.claims.setdefault(match[1], Seen())
            if seen.entry is None:
                seen.entry = commit
                told = _first_verdict(root, match[1], commit, path)
                if told and (
                    seen.evidence is None or past.is_earlier(told, seen.evidence)
                ):
                    seen.evidence = told
    return past


def _first_verdict(root: Path, name: str, begin: Commit, path: str) -> Commit | None:
    """Return the first commit, from one on, in which an entry holds a verdict."""
    if "verdict" in _entries_at(root, begin.id, path).get(name, {}):
        return begin
    span = f"{begin.id}..HEAD"
    log = git(
        root,
        "log",
        *("--reverse", "--topo-order", "--format=%H %ad"),
        *("--date=format:%Y-%m-%d", span, "--", "claims/"),
    )
    for line in log.splitlines():
        commit, day = line.split()
        for file in git(root, "ls-tree", "--name-only", commit, "claims/").split():
            if re.search(r"/\d[^/]*\.yml$", file) and "verdict" in _entries_at(
                root, commit, file
            ).get(name, {}):
                return Commit(commit, datetime.date.fromisoformat(day))
    return None


@cache
def _entries_at(root: Path, commit: str, path: str) -> dict[str, dict[str, Any]]:
    """Return the entries of a file in a commit, by id."""
    content = yaml.load(git(root, "show", f"{commit}:{path}"), _Loader)
    listed = content.get("claims", []) if isinstance(content, dict) else content
    return {entry["id"]: entry for entry in listed or []}


def _named(text: str) -> set[str]:
    """Return what stands in quotes in a notebook's code, as a claim's id does."""
    return set(re.findall(r'\\"([a-z0-9]+(?:-[a-z0-9]+)+)\\"', text))


def _text(path: Path) -> str:
    """Return a file's text; nothing where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def order_faults(claims: Mapping[str, Claim], past: Past) -> list[str]:
    """Return where an entry says more of its history than the commits show."""
    rank = list(history.ORDERS)  # from the strongest to the weakest
    faults = []
    for claim in claims.values():
        shown, seen = past.order(claim), past.claims.get(claim.id, Seen())
        if claim.registered is None or claim.order is None:
            if seen.entry is None:  # in no commit yet
                continue
            faults.append(
                f"claim {claim.id} is not registered; run `make register "
                f"CLAIM={claim.id}`."
            )
            continue
        if rank.index(claim.order) < rank.index(shown):
            faults.append(
                f"claim {claim.id} says of its criterion “{claim.order}”; the commits "
                f"show “{shown}”."
            )
        if seen.entry and claim.registered < seen.entry.day:
            faults.append(
                f"claim {claim.id} says that it was registered on {claim.registered}, "
                f"but its entry first stands in a commit of {seen.entry.day}."
            )
        late = seen.evidence and claim.registered > seen.evidence.day
        if late and claim.order != "after":
            faults.append(
                f"claim {claim.id} was registered on {claim.registered}, after its "
                f"result of {seen.evidence.day}, and does not say so."
            )
    return faults


# --- the lock ------------------------------------------------------------------------


def lock_faults(folder: Path) -> list[str]:
    """Return where the entries of a folder differ from its lock, a sentence each.

    A new entry need not be registered as long as no commit holds it.
    """
    lock = history.read_lock(folder / history.LOCK)
    entries = _by_id(folder)
    faults = [
        f"claim {name} stands in {history.LOCK}, but has no entry any more; a claim "
        "that is given up keeps its entry, with a revision that says so."
        for name in lock
        if name not in entries
    ]
    chapters = {e["id"]: c for c, found in load_entries(folder).items() for e in found}
    for name, entry in entries.items():
        fault = _lock_fault(name, entry, lock.get(name))
        if fault and (name in lock or _is_committed(folder, chapters[name], name)):
            faults.append(fault)
    return faults


def _is_committed(folder: Path, chapter: str, name: str) -> bool:
    """Tell whether a commit holds an entry; without a repository it counts as held."""
    if not git(folder, "rev-parse", "--git-dir"):
        return True
    head = git(folder, "rev-parse", "--verify", "--quiet", "HEAD").strip()
    return bool(head) and name in _entries_at(folder, head, f"./{chapter}.yml")


def _lock_fault(
    name: str, entry: Mapping[str, Any], held: history.Locked | None
) -> str | None:
    """Return in what an entry differs from its line in the lock, if it does."""
    if held is None:
        return f"claim {name} is not registered; run `make register CLAIM={name}`."
    revisions = entry.get("revisions") or []
    if len(revisions) < held.revisions:
        return (
            f"claim {name} had {held.revisions} revisions when it was registered and "
            f"has {len(revisions)} now; a revision stays."
        )
    if history.digest(entry) == held.digest:
        return None
    if missing := _missing(revisions, held):
        return f"claim {name} differs from what was registered; {missing}"
    return (
        f"claim {name} has changed and says so; run `make register CLAIM={name}` to "
        "renew its digest."
    )


def _missing(revisions: list[Mapping], held: history.Locked) -> str | None:
    """Return what the revisions lack to account for a change since the lock."""
    if len(revisions) <= held.revisions:
        return (
            f"add a revision to its entry, dated {datetime.date.today()}: what "
            "changed, why, whether the result was known, the verdict before."
        )
    if revisions[-1]["date"] < held.date:
        return f"its last revision is dated before {held.date}, the day in the lock."
    return None


def _by_id(folder: Path) -> dict[str, dict[str, Any]]:
    """Return all entries, by id."""
    return {e["id"]: e for found in load_entries(folder).values() for e in found}


def registered_before(root: Path, claim: Claim, digest: str) -> dict | None:
    """Return the entry that a digest was made of, if a commit holds it."""
    path = f"claims/{claim.chapter}.yml"
    for commit in git(root, "log", "--format=%H", "--", path).split():
        entry = _entries_at(root, commit, path).get(claim.id)
        if entry and history.digest(entry) == digest:
            return entry
    return None


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what differs between two entries: "criterion", "effects: x", …."""
    old, new = history.content(before), history.content(now)
    found = [key for key in old if key != "effects" and old[key] != new[key]]
    names = dict.fromkeys([*old["effects"], *new["effects"]])
    for name in names:
        was, is_now = old["effects"].get(name), new["effects"].get(name)
        if was != is_now:
            only_words = was and is_now and was[1:] == is_now[1:]
            found.append(f"{'wording' if only_words else 'effect'} of {name}")
    return found


def register(root: Path, name: str, *, wording: bool = False) -> str:
    """Register a claim, or renew its digest; return what was done.

    Raises
    ------
    SystemExit
        If there is no such claim, or it has changed and does not say so.
    """
    folder = root / "claims"
    claims, entries = load_claims(folder).claims, _by_id(folder)
    if name not in claims:
        raise SystemExit(f"There is no claim {name!r} in claims/.")
    claim, lock = claims[name], history.read_lock(folder / history.LOCK)
    held = lock.get(name)
    if held is None:
        if claim.registered is None or claim.order is None:
            _write_registration(folder, claim, read_past(root).order(claim))
            claims, entries = load_claims(folder).claims, _by_id(folder)
            claim = claims[name]
        done = f"{name}: registered on {claim.registered}, criterion: {claim.order}."
    else:
        done = _renewal(root, claim, entries[name], held, wording=wording)
    days = [claim.registered, *(one.date for one in claim.revisions)]
    lock[name] = history.locked(entries[name], max(days))
    (folder / history.LOCK).write_text(history.lock_text(lock, claims), "utf-8")
    return done


def _renewal(
    root: Path, claim: Claim, entry: Mapping, held: history.Locked, *, wording: bool
) -> str:
    """Return what there is to renew in the lock, or refuse."""
    if claim.digest == held.digest:
        if len(claim.revisions) < held.revisions:
            raise SystemExit(f"{_lock_fault(claim.id, entry, held)} Nothing done.")
        if len(claim.revisions) == held.revisions:
            return f"{claim.id}: registered on {held.date}, and unchanged since."
        return f"{claim.id}: its revisions are counted anew."
    before = registered_before(root, claim, held.digest)
    changed = differences(before, entry) if before else ["nobody knows what"]
    told = f"Changed: {', '.join(changed)}."
    if wording:
        if before and all(one.startswith("wording") for one in changed):
            return f"{claim.id}: reworded. {told}"
        raise SystemExit(f"{claim.id}: not only words have changed. {told}")
    if missing := _missing(list(entry.get("revisions") or []), held):
        raise SystemExit(
            f"{claim.id} is registered since {held.date} and is not overwritten. "
            f"{told} So {missing} (If `measures` only says the same in other words: "
            f"make register CLAIM={claim.id} WORDING=1.)"
        )
    return f"{claim.id}: digest renewed. {told}"


def _write_registration(folder: Path, claim: Claim, order: str) -> None:
    """Add the day and the order to an entry, at its end."""
    path = folder / f"{claim.chapter}.yml"
    lines = path.read_text(encoding="utf-8").splitlines()
    heads = [i for i, line in enumerate(lines) if re.match(r"- id:", line)]
    begin = next(i for i in heads if lines[i].split()[2] == claim.id)
    end = next((i for i in heads if i > begin), len(lines))
    while not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#"):
        end -= 1
    keys = {"registered": claim.registered or datetime.date.today(), "order": order}
    have = {key for key in keys if getattr(claim, key) is not None}
    lines[end:end] = [f"  {k}: {v}" for k, v in keys.items() if k not in have]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Register the claims that are named, or say how all of them stand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", nargs="*", help="ids, or `all`")
    parser.add_argument("--wording", action="store_true")
    asked = parser.parse_args()
    folder = ROOT / "claims"
    if not asked.claims:
        faults = lock_faults(folder)
        print("\n".join(faults) or "All claims are as they were registered.")
        sys.exit(bool(faults))
    names = asked.claims if asked.claims != ["all"] else list(_by_id(folder))
    refused = 0
    for name in names:
        try:
            done = register(ROOT, name, wording=asked.wording)
        except SystemExit as error:
            print(error)
            refused += 1
        else:
            if not done.endswith("unchanged since.") or len(names) == 1:
                print(done)
    sys.exit(bool(refused))


if __name__ == "__main__":
    main()
