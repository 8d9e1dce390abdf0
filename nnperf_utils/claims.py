"""Judge the claims of ``claims/`` by what a notebook measures.

A claim's criterion stands in the file of its chapter, ``claims/NN_topic.yml``.
:func:`judge` applies it to the run's own numbers, shows a card and leaves the evidence,
as data, in the metadata of the notebook's output, where the ledger and the tests find
it.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from nnperf_utils.criterion import Condition, parse
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
    "load_claims",
    "read_evidence",
]

VERDICTS = {"holds": "✓", "holds in part": "◐", "fails": "✗"}
"""The verdicts, each with its symbol."""

SOURCES = {
    "A": "a guide to neural-network performance",
    "B": "notes and a cheat sheet on improving a network",
    "C": "a tutorial on optimizing networks with Keras",
}
"""The texts that the course starts from; other sources are keys of a bibliography."""

EDGE = 1 / 20
"""A verdict that more of the resamples than this would turn sits on the edge."""

_METADATA = "nnperf_claim"
_STATISTICS = ("median", "mean", "share", "exact")
_AXES = ("linear", "log")
_RESAMPLES = 1000  # of what was drawn at random, to see whether the verdict turns
_INNER_REPLICATES = 1000  # of the bootstrap within each of those


@dataclass(frozen=True)
class Effect:
    """What is measured for a claim."""

    name: str
    measures: str
    statistic: str
    scale: str | None


@dataclass(frozen=True)
class Scale:
    """An axis that several effects share."""

    name: str
    label: str
    axis: str


@dataclass(frozen=True)
class Claim:
    """One entry of ``claims/``; `seeds` is 0 where every effect is exact."""

    id: str
    chapter: str
    statement: str
    source: tuple[str, ...]
    seeds: int
    effects: Mapping[str, Effect]
    holds: Condition
    fails: Condition
    condition: str | None
    verdict: str


@dataclass(frozen=True)
class Catalog:
    """All of ``claims/``: the claims and the scales, by id and by name."""

    claims: Mapping[str, Claim]
    scales: Mapping[str, Scale]


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

    def __str__(self) -> str:
        """Return the judgment as plain text."""
        lines = [f"{self.claim.id}: {self.verdict} ({self.design})"]
        lines += [
            f"  {name} = {format_interval(estimate)}"
            for name, estimate in self.estimates.items()
        ]
        return "\n".join(lines + [f"  {note}" for note in self._notes()])

    def _notes(self) -> list[str]:
        """Return what a reader of the verdict must know besides."""
        notes = []
        if self.verdict == "holds in part" and self.claim.condition:
            notes.append(f"Condition: {self.claim.condition.rstrip('.')}.")
        if self.verdict != self.claim.verdict:
            notes.append(
                f"This run disagrees with the text, which argues from "
                f"“{self.claim.verdict}”."
            )
        if self.seeds < self.claim.seeds:
            notes.append(f"The verdict of the text rests on {self.claim.seeds} seeds.")
        if self.flips is not None and self.flips > EDGE:
            notes.append(
                f"On the edge: {self.flips:.0%} of {_RESAMPLES:,} resamples get "
                "another verdict."
            )
        return notes

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Return what IPython displays, and the evidence as its metadata."""
        data = {"text/html": _card(self), "text/plain": str(self)}
        return data, {_METADATA: self.evidence()}


def judge(
    claim_id: str, /, **effects: Estimate | pd.Series | np.ndarray | float
) -> Judgment:
    """Judge a claim of ``claims/`` by its criterion.

    Parameters
    ----------
    claim_id : str
        The claim's id.
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
    return _judge(claims[claim_id], effects)


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
    folder = _default_folder() if folder is None else Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}, which holds the claims.")
    axes = _content(folder / "scales.yml") if (folder / "scales.yml").is_file() else {}
    scales = {
        name: _scale(name, entry) for name, entry in _mapping("scales", axes).items()
    }
    claims: dict[str, Claim] = {}
    for path in sorted(folder.glob("[0-9]*.yml")):
        entries = _content(path)
        if not isinstance(entries, list):
            raise ValueError(f"{path.name} must be a list of claims.")
        for entry in entries:
            claim = _claim(entry, path.stem, scales)
            if claim.id in claims:
                raise ValueError(
                    f"claim {claim.id} stands in {claims[claim.id].chapter}.yml and "
                    f"again in {path.name}."
                )
            claims[claim.id] = claim
    return Catalog(claims, scales)


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


def format_number(value: float) -> str:
    """Return a number with three digits: 0.235, 1,250, 3.1 × 10⁻⁸."""
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        digits = max(0, 2 - int(np.floor(np.log10(abs(value)))))
        text = f"{value:,.{digits}f}"
        # trailing zeros would claim a precision that a count does not have
        return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")
    mantissa, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    # no-break spaces, so that no line ends within a number
    return f"{mantissa} × 10{raised}".replace("-", "−").replace(
        " ", "\N{NO-BREAK SPACE}"
    )


def format_interval(estimate: Estimate) -> str:
    """Return an estimate and its interval; an exact number alone."""
    value = format_number(estimate.value)
    if estimate.low == estimate.value == estimate.high:
        return value
    low, high = format_number(estimate.low), format_number(estimate.high)
    return f"{value} [{low}, {high}]"


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
    return Judgment(claim, estimates, seeds, verdict, flips, _design(groups, estimates))


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
    groups: list[tuple[Design, list[str]]], estimates: Mapping[str, Estimate]
) -> str:
    """Return in words what was drawn at random."""
    words = {}
    for _, names in groups:
        words.setdefault(estimates[names[0]].design, []).extend(names)
    if len(words) == 1:
        return next(iter(words))
    return "; ".join(
        f"{', '.join(name.replace('_', ' ') for name in names)}: {design}"
        for design, names in words.items()
    )


def _verdict(claim: Claim, estimates: Mapping[str, Estimate]) -> np.ndarray:
    """Return the verdict, or as many verdicts as the estimates have entries."""
    holds, fails = claim.holds(estimates), claim.fails(estimates)
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


# --- reading claims/ ------------------------------------------------------------------


def _default_folder() -> Path:
    """Return where the claims are: in an installed package, or above a clone's."""
    here = Path(__file__).resolve().parent
    installed = here / "data" / "claims"
    return installed if installed.is_dir() else here.parent / "claims"


def _content(path: Path) -> Any:
    """Return what a file holds."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
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


def _one_of(what: str, value: Any, known) -> str:
    """Return a value that is among the known ones."""
    if not isinstance(value, str) or value not in known:
        names = ", ".join(known) or "none"
        raise ValueError(f"{what} is {value!r}; expected one of: {names}.")
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
    _check_keys(what, entry, required={"measures"}, optional={"statistic", "scale"})
    scale = entry.get("scale")
    return Effect(
        name,
        _text(f"measures of {what}", entry["measures"]),
        _one_of(f"statistic of {what}", entry.get("statistic", "median"), _STATISTICS),
        None if scale is None else _one_of(f"scale of {what}", scale, scales),
    )


def _claim(entry: Any, chapter: str, scales: Mapping[str, Scale]) -> Claim:
    """Check a claim."""
    claim_id = _text("id of a claim", _mapping("a claim", entry).get("id"))
    what = f"claim {claim_id}"
    keys = {"id", "statement", "source", "effects", "criterion", "verdict"}
    _check_keys(what, entry, required=keys, optional={"seeds", "condition"})
    _check_keys(f"criterion of {what}", entry["criterion"], required={"holds", "fails"})
    effects = {
        name: _effect(what, name, effect, scales)
        for name, effect in _mapping(f"effects of {what}", entry["effects"]).items()
    }
    conditions = {}
    for word, text in entry["criterion"].items():
        try:
            conditions[word] = parse(text, effects)
        except ValueError as error:
            raise ValueError(f"criterion of {what}, {word}: {error}") from None
    verdict = _one_of(f"verdict of {what}", entry["verdict"], VERDICTS)
    condition = entry.get("condition")
    if condition is not None:
        condition = _text(f"condition of {what}", condition)
    elif verdict == "holds in part":
        raise ValueError(f"{what} holds in part, but has no condition under which.")
    source = entry["source"]
    if not isinstance(source, list) or not source:
        raise ValueError(f"source of {what} must be a list of letters or BibTeX keys.")
    return Claim(
        id=claim_id,
        chapter=chapter,
        statement=_text(f"statement of {what}", entry["statement"]),
        source=tuple(_text(f"source of {what}", one) for one in source),
        seeds=_seeds(what, entry.get("seeds"), effects),
        effects=effects,
        condition=condition,
        verdict=verdict,
        **conditions,
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


# --- the card ------------------------------------------------------------------------


def _card(judgment: Judgment) -> str:
    """Return a judgment as HTML.

    Styles stand in the elements, as JupyterLab and Colab have no style sheet of the
    course; colors are the page's own, so that the card suits light and dark.
    """
    claim = judgment.claim
    cell = "text-align:left;vertical-align:top;padding:.15em 1em .15em 0;border:0"
    rows = "".join(
        f'<tr><th scope="row" style="{cell};font-weight:normal">'
        f"<b>{escape(name.replace('_', ' '))}</b>: {escape(effect.measures)}</th>"
        f'<td style="{cell};min-width:9em">{_value(judgment, effect)}</td></tr>'
        for name, effect in claim.effects.items()
    )
    notes = "".join(f"<br>{escape(note)}" for note in judgment._notes())
    verdict = judgment.verdict
    return (
        f'<div class="nnperf-claim nnperf-{verdict.replace(" ", "-")}" '
        f'id="claim-{escape(claim.id)}" role="group" '
        f'aria-label="Verdict on the claim {escape(claim.id)}" '
        'style="border:1px solid;border-left-width:.4em;border-radius:.3em;'
        'padding:.6em 1em;margin:.3em 0;max-width:46em;line-height:1.45">'
        f"<div><strong>{VERDICTS[verdict]} {verdict.capitalize()}.</strong> "
        f"{escape(claim.statement)}{notes}</div>"
        f'<table style="border-collapse:collapse;margin:.5em 0;font-size:inherit">'
        f"<tbody>{rows}</tbody></table>"
        f"<details><summary>The criterion, written before the run</summary><ul>"
        f"<li>Holds if {escape(claim.holds.words())}.</li>"
        f"<li>Fails if {escape(claim.fails.words())}.</li>"
        f"<li>Otherwise it holds in part.</li></ul></details>"
        f"<small>{escape(claim.id)} · {escape(judgment.design)} · "
        f"{escape(_source_text(claim.source))}</small></div>"
    )


def _value(judgment: Judgment, effect: Effect) -> str:
    """Return an effect's value and interval as HTML."""
    estimate = judgment.estimates[effect.name]
    if effect.statistic == "exact":
        return f"<b>{format_number(estimate.value)}</b>"
    low, high = format_number(estimate.low), format_number(estimate.high)
    return (
        f"<b>{format_number(estimate.value)}</b>"
        f"<br><small>{effect.statistic}, {100 * estimate.individual_level:.3g}% "
        f"{low} to {high}</small>"
    )


def _source_text(source: tuple[str, ...]) -> str:
    """Return where a claim comes from."""
    word = "source" if len(source) == 1 else "sources"
    return f"{word} {', '.join(source)}"
