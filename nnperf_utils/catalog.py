"""The entries of ``claims/``, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from nnperf_utils import history
from nnperf_utils.criterion import Condition, parse
from nnperf_utils.history import ORDERS, Revision

__all__ = [
    "SOURCES",
    "VERDICTS",
    "Catalog",
    "Claim",
    "Effect",
    "Scale",
    "claims_folder",
    "load_claims",
    "load_entries",
]

VERDICTS = {"holds": "✓", "holds in part": "◐", "fails": "✗"}
"""The verdicts, each with its symbol."""

SOURCES = {
    "A": "a guide to neural-network performance",
    "B": "notes and a cheat sheet on improving a network",
    "C": "a tutorial on optimizing networks with Keras",
}
"""The texts that the course starts from; other sources are keys of a bibliography."""

SHORT_WORDS = 8
"""A claim's short form has at most so many words."""

# the C loader is ten times as fast, where there is one
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STATISTICS = ("median", "mean", "share", "exact")
_AXES = ("linear", "log")
_ROLES = ("criterion", "also")


@dataclass(frozen=True)
class Scale:
    """An axis that several effects share."""

    name: str
    label: str
    axis: str


@dataclass(frozen=True)
class Effect:
    """What is measured for a claim; `role` tells whether the criterion asks for it."""

    name: str
    label: str
    measures: str
    statistic: str
    scale: Scale | None
    role: str = "criterion"


@dataclass(frozen=True)
class Claim:
    """One entry of ``claims/``.

    `seeds` is 0 where every effect is exact; `verdict` is ``None`` as long as nothing
    argues from one.
    """

    id: str
    chapter: str
    statement: str
    source: tuple[str, ...]
    seeds: int
    effects: Mapping[str, Effect]
    holds: Condition
    fails: Condition
    condition: str | None
    verdict: str | None
    digest: str
    short: str | None = None
    data: str | None = None
    decides: str | None = None
    registered: date | None = None
    order: str | None = None
    revisions: tuple[Revision, ...] = ()


@dataclass(frozen=True)
class Catalog:
    """All of ``claims/``: the claims and the scales, by id and by name."""

    claims: Mapping[str, Claim]
    scales: Mapping[str, Scale]


def claims_folder() -> Path:
    """Return where the claims are: in an installed package, or above a clone's."""
    here = Path(__file__).resolve().parent
    installed = here / "data" / "claims"
    return installed if installed.is_dir() else here.parent / "claims"


def load_entries(folder: str | Path) -> dict[str, list[dict[str, Any]]]:
    """Return the entries as they stand in the files, by chapter, unchecked."""
    found = {}
    for path in sorted(Path(folder).glob("[0-9]*.yml")):
        entries = _content(path)
        if not isinstance(entries, list):
            raise ValueError(f"{path.name} must be a list of claims.")
        found[path.stem] = entries
    return found


def load_claims(folder: str | Path | None = None) -> Catalog:
    """Read and check the claims of all chapters.

    Parameters
    ----------
    folder : str or Path, optional
        Holds ``NN_topic.yml`` for each chapter and ``scales.yml``; by default the one
        of this course.

    Returns
    -------
    Catalog

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If an entry is not as it should be, with one sentence that names it.
    """
    folder = claims_folder() if folder is None else Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}, which holds the claims.")
    axes = _content(folder / "scales.yml") if (folder / "scales.yml").is_file() else {}
    scales = {
        name: _scale(name, entry) for name, entry in _mapping("scales", axes).items()
    }
    claims: dict[str, Claim] = {}
    for chapter, entries in load_entries(folder).items():
        for entry in entries:
            claim = _claim(entry, chapter, scales)
            if claim.id in claims:
                raise ValueError(
                    f"claim {claim.id} stands in {claims[claim.id].chapter}.yml and "
                    f"again in {chapter}.yml."
                )
            claims[claim.id] = claim
    return Catalog(claims, scales)


def _content(path: Path) -> Any:
    """Return what a file holds."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name} is not valid YAML: {error}") from None


def _mapping(what: str, value: Any) -> dict:
    """Return a mapping, or say that it is none."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be a mapping of keys to values; got {value!r}.")
    return value


def _check_keys(
    what: str, entry: Any, *, required: set[str], optional: set[str] = frozenset()
) -> None:
    """Refuse missing and unknown keys."""
    missing = required - set(_mapping(what, entry))
    if missing:
        raise ValueError(f"{what} has no {', '.join(sorted(missing))}.")
    unknown = set(entry) - required - optional
    if unknown:
        raise ValueError(
            f"{what} has the unknown key {', '.join(sorted(map(str, unknown)))}; known "
            f"are {', '.join(sorted(required | optional))}."
        )


def _text(what: str, value: Any) -> str:
    """Return text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{what} must be text; got {value!r}.")
    return value.strip()


def _optional_text(what: str, value: Any) -> str | None:
    """Return text, or nothing where the key is absent."""
    return None if value is None else _text(what, value)


def _one_of(what: str, value: Any, known) -> str:
    """Return a value that is among the known ones."""
    if not isinstance(value, str) or value not in known:
        names = ", ".join(known) or "none"
        raise ValueError(f"{what} is {value!r}; expected one of: {names}.")
    return value


def _day(what: str, value: Any) -> date:
    """Return a day."""
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError(f"{what} is {value!r}; expected a day such as 2026-11-28.")
    return value


def _scale(name: str, entry: Any) -> Scale:
    """Check an entry of `scales`."""
    what = f"scale {name}"
    _check_keys(what, entry, required={"label", "axis"})
    return Scale(
        name,
        _text(f"label of {what}", entry["label"]),
        _one_of(f"axis of {what}", entry["axis"], _AXES),
    )


def _effect(what: str, name: str, entry: Any, scales: Mapping[str, Scale]) -> Effect:
    """Check an effect of a claim."""
    what = f"effect {name} of {what}"
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"{what} needs a name that can be a Python argument.")
    optional = {"statistic", "scale", "label", "role"}
    _check_keys(what, entry, required={"measures"}, optional=optional)
    scale = entry.get("scale")
    if scale is not None:
        scale = scales[_one_of(f"scale of {what}", scale, scales)]
    return Effect(
        name,
        _text(f"label of {what}", entry.get("label", name.replace("_", " "))),
        _text(f"measures of {what}", entry["measures"]),
        _one_of(f"statistic of {what}", entry.get("statistic", "median"), _STATISTICS),
        scale,
        _one_of(f"role of {what}", entry.get("role", "criterion"), _ROLES),
    )


def _criterion(what: str, entry: Any, effects: Mapping[str, Effect]) -> dict:
    """Check a criterion: when a claim holds, and when it fails."""
    _check_keys(f"criterion of {what}", entry, required={"holds", "fails"})
    conditions = {}
    for word in ("holds", "fails"):
        try:
            conditions[word] = parse(entry[word], effects)
        except ValueError as error:
            raise ValueError(f"criterion of {what}, {word}: {error}") from None
    return conditions


def _revision(what: str, entry: Any, effects: Mapping[str, Effect]) -> Revision:
    """Check a revision."""
    keys = {"date", "what", "why", "result_known", "verdict_before"}
    _check_keys(what, entry, required=keys, optional={"criterion"})
    if not isinstance(entry["result_known"], bool):
        raise ValueError(
            f"result_known of {what} is {entry['result_known']!r}; expected true or "
            "false."
        )
    before = entry["verdict_before"]
    if before is not None:
        before = _one_of(f"verdict_before of {what}", before, VERDICTS)
    earlier = {}
    if "criterion" in entry:
        earlier = _criterion(what, entry["criterion"], effects)
    return Revision(
        _day(f"date of {what}", entry["date"]),
        _text(f"what of {what}", entry["what"]),
        _text(f"why of {what}", entry["why"]),
        entry["result_known"],
        before,
        **earlier,
    )


def _history(what: str, entry: dict, effects: Mapping[str, Effect]) -> dict[str, Any]:
    """Check when an entry was registered, and what was revised since."""
    registered, order = entry.get("registered"), entry.get("order")
    if registered is not None:
        registered = _day(f"registered of {what}", registered)
    if order is not None:
        order = _one_of(f"order of {what}", order, ORDERS)
    listed = entry.get("revisions") or []
    if not isinstance(listed, list):
        raise ValueError(f"revisions of {what} must be a list; got {listed!r}.")
    revisions = tuple(
        _revision(f"revision {number} of {what}", one, effects)
        for number, one in enumerate(listed, 1)
    )
    days = [one.date for one in revisions]
    known = [] if registered is None else [registered]
    if days and (not known or known + days != sorted(known + days)):
        raise ValueError(
            f"{what} must be registered before it is revised, and its revisions must "
            "follow each other in time."
        )
    return {"registered": registered, "order": order, "revisions": revisions}


def _check_roles(what: str, claim: dict, effects: Mapping[str, Effect]) -> None:
    """Refuse an effect that is measured and neither decides nor says so."""
    asked = claim["holds"].effects | claim["fails"].effects
    for name, effect in effects.items():
        if (name in asked) != (effect.role == "criterion"):
            word = "enters" if name in asked else "does not enter"
            raise ValueError(
                f"effect {name} of {what} {word} the criterion, but its role is "
                f"{effect.role!r}; an effect that decides nothing has the role 'also'."
            )


def _claim(entry: Any, chapter: str, scales: Mapping[str, Scale]) -> Claim:
    """Check a claim."""
    claim_id = _text("id of a claim", _mapping("a claim", entry).get("id"))
    what = f"claim {claim_id}"
    keys = {"id", "statement", "source", "effects", "criterion"}
    more = {"seeds", "condition", "verdict", "short", "data", "decides"}
    more |= {"registered", "order", "revisions"}
    _check_keys(what, entry, required=keys, optional=more)
    effects = {
        name: _effect(what, name, effect, scales)
        for name, effect in _mapping(f"effects of {what}", entry["effects"]).items()
    }
    conditions = _criterion(what, entry["criterion"], effects)
    _check_roles(what, conditions, effects)
    verdict = entry.get("verdict")
    if verdict is not None:
        verdict = _one_of(f"verdict of {what}", verdict, VERDICTS)
    condition = _optional_text(f"condition of {what}", entry.get("condition"))
    if verdict == "holds in part" and condition is None:
        raise ValueError(f"{what} holds in part, but has no condition under which.")
    source = entry["source"]
    if not isinstance(source, list) or not source:
        raise ValueError(f"source of {what} must be a list of letters or BibTeX keys.")
    short = _optional_text(f"short of {what}", entry.get("short"))
    if short is not None and len(short.split()) > SHORT_WORDS:
        raise ValueError(
            f"short of {what} has {len(short.split())} words; expected at most "
            f"{SHORT_WORDS}."
        )
    return Claim(
        id=claim_id,
        chapter=chapter,
        statement=_text(f"statement of {what}", entry["statement"]),
        source=tuple(_text(f"source of {what}", one) for one in source),
        seeds=_seeds(what, entry.get("seeds"), effects),
        effects=effects,
        condition=condition,
        verdict=verdict,
        digest=history.digest(entry),
        short=short,
        data=_optional_text(f"data of {what}", entry.get("data")),
        decides=_optional_text(f"decides of {what}", entry.get("decides")),
        **conditions,
        **_history(what, entry, effects),
    )


def _seeds(what: str, seeds: Any, effects: Mapping[str, Effect]) -> int:
    """Return how many seeds a claim needs: 0 where every effect is exact."""
    if all(effect.statistic == "exact" for effect in effects.values()):
        if seeds is not None:
            raise ValueError(f"{what} has exact effects only, so it has no seeds.")
        return 0
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 2:
        raise ValueError(f"seeds of {what} is {seeds!r}; expected 2 or more.")
    return seeds
