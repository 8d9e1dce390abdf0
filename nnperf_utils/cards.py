"""The card that shows what a run says about a claim.

Styles stand in the elements, as JupyterLab and Colab have no style sheet of the course;
everything is drawn in the page's own color of text, so that it suits light and dark,
and to the width that there is, so that it suits a phone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

from nnperf_utils.catalog import SOURCES, VERDICTS, Claim, Effect, Scale
from nnperf_utils.criterion import Condition
from nnperf_utils.history import ORDERS
from nnperf_utils.replications import Tally

if TYPE_CHECKING:
    from nnperf_utils.claims import Judgment

__all__ = [
    "card",
    "day_words",
    "format_interval",
    "format_number",
    "history_words",
    "source_words",
    "strip",
]

_SHARE = Scale("share", "share of the runs", "linear")
_SIDES = {
    True: "▶ points to where the claim holds",
    False: "▷ to where it fails",
}
_MARGIN = 4  # percent of an axis left free at both ends
_WIDE = 50  # effects of one sign that differ by more than this share a log axis


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


def _value_words(estimate: Any) -> str:
    """Return a value; what is left of numbers that cancel but for rounding is 0."""
    dust = 1e-9 * (estimate.high - estimate.low)
    return format_number(0 if abs(estimate.value) < dust else estimate.value)


def format_interval(estimate: Any) -> str:
    """Return an estimate and its interval; an exact number alone."""
    value = _value_words(estimate)
    if estimate.low == estimate.value == estimate.high:
        return value
    if not np.isfinite([estimate.low, estimate.high]).all():
        return f"{value} (no interval)"
    low, high = format_number(estimate.low), format_number(estimate.high)
    return f"{value} [{low}, {high}]"


def day_words(day: date) -> str:
    """Return a day as in 28 November 2026."""
    return f"{day.day} {day:%B} {day.year}"


def history_words(claim: Claim) -> str:
    """Return in a sentence or two how a claim's criterion came to be."""
    if claim.registered is None or claim.order is None:
        return "Not registered yet."
    words = f"Registered on {day_words(claim.registered)}. {ORDERS[claim.order]}"
    if count := len(claim.revisions):
        times = "once" if count == 1 else f"{count} times"
        known = sum(one.result_known for one in claim.revisions)
        told = (
            "with the result known"
            if known == count
            else "before a result was known"
            if not known
            else f"{known} of them with the result known"
        )
        words += f" Revised {times} since, {told}."
    return words


def card(judgment: Judgment, tally: Tally) -> str:
    """Return a judgment as HTML.

    Parameters
    ----------
    judgment : Judgment
    tally : Tally
        Of the fresh runs of its claim.

    Returns
    -------
    str
    """
    claim, verdict = judgment.claim, judgment.verdict
    mark = f"{VERDICTS[verdict]} {verdict.capitalize()}"
    notes = "".join(
        f'<div style="margin-top:.3em">{escape(note)}</div>'
        for note in judgment.notes()
    )
    return (
        f'<div class="nnperf-claim nnperf-{verdict.replace(" ", "-")}" '
        f'id="claim-{escape(claim.id)}" role="group" '
        f'aria-label="Verdict on the claim {escape(claim.id)}" '
        'style="border:1px solid;border-left-width:.4em;border-radius:.3em;'
        "padding:.6em 1em;margin:.3em 0;max-width:46em;line-height:1.45;"
        'overflow-wrap:anywhere">'
        f"<div><strong>{mark}.</strong> “{escape(claim.statement)}”</div>{notes}"
        f"{strip(judgment)}"
        '<details style="margin-top:.4em"><summary style="cursor:pointer">'
        "What was measured, the criterion and its history</summary>"
        f"{_folded(judgment, tally)}</details>"
        f"<small>{escape(_measured_on(judgment))}<br>"
        f"claim {escape(claim.id)}, from {escape(_sources_words(claim.source))}<br>"
        f"<b>How sure:</b> {_sure_words(judgment)} · {escape(tally.words())}"
        "</small></div>"
    )


# --- what is folded ------------------------------------------------------------------


def _folded(judgment: Judgment, tally: Tally) -> str:
    """Return all that a reader may ask about a verdict, as HTML."""
    return "".join(
        f'<div style="margin-top:.6em"><b>{title}</b> {text}</div>'
        for title, text in _told(judgment, tally)
        if text
    )


def _told(judgment: Judgment, tally: Tally) -> Iterator[tuple[str, str]]:
    """Yield each part's title and its HTML."""
    claim = judgment.claim
    effects = claim.effects.values()
    deciding = [effect for effect in effects if effect.role == "criterion"]
    also = [effect for effect in effects if effect.role == "also"]
    yield "Measured.", _list(_measured(judgment, effect) for effect in deciding)
    if also:
        told = _list(_measured(judgment, effect) for effect in also)
        yield "Also measured, for the verdict without weight.", told
    yield "It holds if", _condition(claim.holds, claim.effects)
    yield "It fails if", _condition(claim.fails, claim.effects)
    yield "Otherwise", "it holds in part."
    if claim.decides:
        yield "What would decide it.", escape(claim.decides)
    # where it holds in part, the condition stands in the open
    if claim.condition and judgment.verdict != "holds in part":
        told = escape(_sentence(claim.condition))
        yield "Condition, were it to hold only in part:", told
    yield "History.", escape(history_words(claim)) + _list(_revisions(judgment))
    yield "Data.", escape(_data_words(claim.data))
    yield "Intervals.", escape(_intervals_words(judgment))
    yield "Fresh runs.", escape(_tally_words(tally))
    named = [
        f"{source_words(one)} is {SOURCES.get(one, 'among the references')}"
        for one in claim.source
    ]
    yield "Source.", escape(_sentence("; ".join(named)))


def _measured(judgment: Judgment, effect: Effect) -> str:
    """Return an effect in words, with its value and interval, as HTML."""
    estimate = judgment.estimates[effect.name]
    value = f"<b>{_value_words(estimate)}</b>"
    if effect.statistic != "exact":
        value += f" ({effect.statistic}; {_interval_words(estimate)})"
    return f"<i>{escape(effect.label)}</i>: {escape(effect.measures)}: {value}"


def _interval_words(estimate: Any) -> str:
    """Return an interval in words, at its own level."""
    if not np.isfinite([estimate.low, estimate.high]).all():
        return "too few for an interval"
    low, high = format_number(estimate.low), format_number(estimate.high)
    return f"{100 * estimate.individual_level:.3g}% interval {low} to {high}"


def _condition(condition: Condition, effects: Mapping[str, Effect]) -> str:
    """Return a condition in words, as HTML: a sentence, or a list of its parts."""
    names = {name: f"“{effect.label}”" for name, effect in effects.items()}
    word, parts = condition.parts(names)
    if len(parts) == 1:
        return escape(f"{parts[0]}.")
    told = "all of these are so:" if word == "and" else "any of these is so:"
    return told + _list(escape(part) for part in parts)


def _revisions(judgment: Judgment) -> Iterator[str]:
    """Yield each revision in words, as HTML."""
    earlier = judgment.earlier()
    for number, one in enumerate(judgment.claim.revisions):
        known = "result known" if one.result_known else "result not known"
        told = f"{_sentence(one.what)} {_sentence(one.why)}"
        words = f"{day_words(one.date)}, {known}: {told}"
        if one.verdict_before:
            words += f" Verdict before: {_marked(one.verdict_before)}."
        if number in earlier:
            words += (
                f" By the criterion before, today's numbers say: "
                f"{_marked(earlier[number])}."
            )
        yield escape(words)


def _marked(verdict: str) -> str:
    """Return a verdict after its symbol."""
    return f"{VERDICTS[verdict]} {verdict}"


def _data_words(data: str | None) -> str:
    """Say on which data a claim was measured."""
    if data is None:
        return "None: the claim is about what the library computes."
    words = _sentence(data)
    if "synthetic diabetes" in data:
        words += (
            " Its rows are drawn from coarse figures of the original and describe no "
            "person; on the original a verdict may be another."
        )
    return words


def _measured_on(judgment: Judgment) -> str:
    """Say in a line on which data and how many runs a verdict rests."""
    given = (judgment.claim.data, judgment.design)
    return _sentence(" · ".join(filter(None, given)))


def _sure_words(judgment: Judgment) -> str:
    """Say how often these runs, drawn again, would say the same."""
    if judgment.flips is None:
        return "exact, nothing is drawn at random"
    # rounded away from certainty, of which resamples cannot assure anybody
    stays = math.floor(round(100 * (1 - judgment.flips), 6))
    return f"resampled, these runs say the same in {stays}% of cases"


def _intervals_words(judgment: Judgment) -> str:
    """Say what the intervals cover."""
    told = []
    for name, estimate in judgment.estimates.items():
        if judgment.claim.effects[name].statistic != "exact":
            texts = [text for text in (estimate.design, estimate.covers) if text]
            told.append(_sentence("; ".join(texts)) if texts else "")
    return " ".join(dict.fromkeys(filter(None, told))) or (
        "They cover what was drawn anew from run to run, and nothing else."
        if told
        else "None: the numbers are exact."
    )


def _tally_words(tally: Tally) -> str:
    """Say what fresh runs of the claim have shown."""
    if not tally.runs:
        return "No fresh run of this version of the claim is on record."
    words = (
        f"It {tally.words()}; {tally.outside} of {tally.estimates} fresh estimates lie "
        "outside the interval published at the time."
    )
    return words + (" It is on the edge." if tally.on_edge else "")


def source_words(source: str) -> str:
    """Return a source's letter; of a key such as he2016identity author and year."""
    key = re.match(r"([a-z]+)(\d{4})", source)
    return f"{key[1].capitalize()} {key[2]}" if key else source


def _sources_words(sources: tuple[str, ...]) -> str:
    """Return where a claim comes from."""
    word = "source" if len(sources) == 1 else "sources"
    return f"{word} {', '.join(map(source_words, sources))}"


def _sentence(text: str) -> str:
    """Return text as a sentence."""
    return text[0].upper() + text[1:].rstrip(".") + "."


def _list(items: Iterable[str]) -> str:
    """Return a list as HTML; nothing where it would be empty."""
    told = "".join(f"<li>{item}</li>" for item in items)
    return f'<ul style="margin:.2em 0 0;padding-left:1.4em">{told}</ul>' if told else ""


# --- the strip of intervals ----------------------------------------------------------


@dataclass(frozen=True)
class _Axis:
    """Where numbers lie from left to right, in percent of the width."""

    low: float
    high: float
    log: bool

    def place(self, value: float) -> float:
        """Return where a number lies; what is beyond an end lies at the end."""
        low, high = self.low, self.high
        if self.log:
            low, high = np.log10([low, high])
            value = np.log10(value) if value > 0 else low
        share = (value - low) / (high - low)
        return _MARGIN + (100 - 2 * _MARGIN) * float(np.clip(share, 0, 1))

    def ticks(self) -> list[float]:
        """Return the numbers to write below the axis."""
        if not self.log:
            steps = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])
            found = steps.tick_values(self.low, self.high)
        elif self.high < 100 * self.low:  # two powers of ten at most
            found = LogLocator(subs=(1, 2, 5)).tick_values(self.low, self.high)
        else:
            found = LogLocator(numticks=6).tick_values(self.low, self.high)
        slack = 0 if self.log else 1e-9 * (self.high - self.low)
        inside = [t for t in found if self.low - slack <= t <= self.high + slack]
        return inside if len(inside) > 1 else [self.low, self.high]


def strip(judgment: Judgment) -> str:
    """Return the intervals of all effects that decide, as HTML with inline SVG."""
    groups = [
        _group(judgment, scale, effects)
        for scale, effects in _by_scale(judgment.claim).items()
    ]
    return (
        f'<div style="margin:.5em 0">{"".join(groups)}</div>'
        f"<small>{escape(_legend(judgment))}</small>"
    )


def _legend(judgment: Judgment) -> str:
    """Say what the marks of the strip are."""
    levels = {
        f"{100 * judgment.estimates[name].individual_level:.3g}%"
        for name, effect in judgment.claim.effects.items()
        if effect.statistic != "exact" and effect.role == "criterion"
    }
    words = "Exact numbers."
    if levels:
        words = f"Estimates with {levels.pop() if len(levels) == 1 else 'their'} "
        words += "intervals."
    sides = {
        speaks_for
        for effect in judgment.claim.effects.values()
        for _, _, speaks_for in _borders(judgment.claim, effect)
    }
    if not sides:  # the criterion compares sums of effects
        return words
    told = ", ".join(_SIDES[speaks_for] for speaks_for in sorted(sides, reverse=True))
    return f"{words} Dotted: the criterion's borders; {told}."


def _by_scale(claim: Claim) -> dict[Any, list[Effect]]:
    """Return the effects that decide, those of one scale together."""
    groups: dict[Any, list[Effect]] = {}
    for effect in claim.effects.values():
        if effect.role == "criterion":
            scale = effect.scale
            if scale is None and effect.statistic == "share":
                scale = _SHARE
            # an effect without a scale shares its axis with none
            groups.setdefault(scale or effect.name, []).append(effect)
    return groups


def _group(judgment: Judgment, scale: Scale | str, effects: Sequence[Effect]) -> str:
    """Draw the effects of one scale above each other, and their axis below."""
    borders = {effect.name: _borders(judgment.claim, effect) for effect in effects}
    axis = _axis(judgment, scale, effects, borders)
    rows = "".join(
        _row(axis, effect, judgment.estimates[effect.name], borders[effect.name])
        for effect in effects
    )
    # an exact number stands beside its name: nothing is to be read off an axis
    if any(effect.statistic != "exact" for effect in effects):
        rows += _axis_row(axis, scale.label if isinstance(scale, Scale) else "")
    return f'<div style="margin-top:.5em">{rows}</div>'


def _borders(claim: Claim, effect: Effect) -> list[tuple[float, int, bool]]:
    """Return the numbers with which a claim's criterion compares an effect.

    Each with the side that is asked for, 1 above and -1 below, and whether the claim
    then holds or fails.
    """
    return sorted(
        {
            (border, side, condition is claim.holds)
            for condition in (claim.holds, claim.fails)
            for border, side in condition.borders().get(effect.name, ())
        }
    )


def _axis(
    judgment: Judgment,
    scale: Scale | str,
    effects: Sequence[Effect],
    borders: Mapping[str, list[tuple[float, int, bool]]],
) -> _Axis:
    """Return an axis that holds all intervals and all borders."""
    estimates = [judgment.estimates[effect.name] for effect in effects]
    found = [end for one in estimates for end in (one.low, one.value, one.high)]
    numbers = np.array([*found, *(b[0] for own in borders.values() for b in own)])
    numbers = numbers[np.isfinite(numbers)]
    positive = numbers[numbers > 0]
    if isinstance(scale, Scale):
        log = scale.axis == "log" and len(positive) > 0
    else:
        log = len(positive) == len(numbers) and numbers.max() > _WIDE * numbers.min()
    if log:
        low, high = positive.min(), positive.max()
        if low == high:
            low, high = low / 2, high * 2
        return _Axis(low, high, True)
    if scale == _SHARE:
        return _Axis(0, 1, False)
    low, high = numbers.min(), numbers.max()
    if abs(low) < high - low or low == high:  # zero is near: show it
        low, high = min(low, 0), max(high, 0)
    elif abs(high) < high - low:
        high = max(high, 0)
    return _Axis(low, high, False) if low < high else _Axis(-1, 1, False)


def _row(
    axis: _Axis, effect: Effect, estimate: Any, borders: list[tuple[float, int, bool]]
) -> str:
    """Draw one effect: its name, its interval, the borders."""
    told = escape(f"{effect.label}: {format_interval(estimate)}", quote=True)
    neutral = 1 if axis.log else 0
    marks = ""
    if axis.low <= neutral <= axis.high:
        marks += _line(axis.place(neutral), 0, 24, 'opacity=".45"')
    for border in {border for border, _, _ in borders}:
        dotted = 'stroke-width="2" stroke-dasharray="2 3"'
        marks += _line(axis.place(border), 1, 23, dotted)
    for border, side, speaks_for in borders:
        marks += _arrowhead(axis.place(border), side, filled=speaks_for)
    label = escape(effect.label).replace("-", "\N{NON-BREAKING HYPHEN}")
    return (
        '<div style="display:flex;flex-wrap:wrap;column-gap:1em;align-items:center">'
        '<div style="flex:1 1 15em;min-width:0;line-height:1.2;'
        'display:flex;column-gap:1em;justify-content:space-between">'
        # the size of letters stands inside: em of the column are those of the axis
        f'<span style="font-size:.9em">{label}</span>'
        '<b style="font-size:.9em;white-space:nowrap">'
        f"{_value_words(estimate)}</b></div>"
        '<svg role="img" xmlns="http://www.w3.org/2000/svg" width="100%" height="24" '
        f'aria-label="{told}" style="flex:1.2 1 15em;min-width:0;display:block">'
        f"{marks}{_estimate_marks(axis, estimate)}</svg></div>"
    )


def _estimate_marks(axis: _Axis, estimate: Any) -> str:
    """Draw an interval and its estimate; a number without an interval as a dot."""
    at = axis.place(estimate.value)
    exact = estimate.low == estimate.high
    if exact or not np.isfinite([estimate.low, estimate.high]).all():
        return f'<circle cx="{at:.2f}%" cy="14" r="4.5" fill="currentColor"/>'
    low, high = axis.place(estimate.low), axis.place(estimate.high)
    return (
        f'<line x1="{low:.2f}%" x2="{high:.2f}%" y1="14" y2="14" '
        'stroke="currentColor" stroke-width="6" opacity=".5"/>'
        + _line(at, 8, 20, 'stroke-width="3"')
    )


def _arrowhead(x: float, side: int, *, filled: bool) -> str:
    """Draw beside a border to which side it asks the effect to be."""
    fill = "currentColor" if filled else "none"
    # a drawing of its own takes a place in percent, a path does not
    return (
        f'<svg x="{x:.2f}%" y="0" width="1" height="8" overflow="visible">'
        f'<path d="M{3 * side} 1l{6 * side} 3l{-6 * side} 3z" fill="{fill}" '
        'stroke="currentColor"/></svg>'
    )


def _axis_row(axis: _Axis, label: str) -> str:
    """Draw the axis: a line, ticks, their numbers, and what it shows."""
    ticks = axis.ticks()
    marks = "".join(
        _line(axis.place(tick), 1, 6) + f'<text x="{axis.place(tick):.2f}%" y="18" '
        f'text-anchor="{_anchor(axis.place(tick))}" '
        f'font-size="11" fill="currentColor">{_tick_words(tick)}</text>'
        for tick in ticks
    )
    return (
        '<div aria-hidden="true" style="display:flex;flex-wrap:wrap;column-gap:1em">'
        '<div style="flex:1 1 15em;min-width:0"></div>'
        '<div style="flex:1.2 1 15em;min-width:0">'
        '<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="21" '
        'style="display:block;overflow:visible">'
        f'<line x1="0" x2="100%" y1="1" y2="1" stroke="currentColor"/>{marks}</svg>'
        f'<div style="font-size:.8em;text-align:center">{escape(label)}</div>'
        "</div></div>"
    )


def _anchor(x: float) -> str:
    """Return at which end a number is held, so that it stays within the width."""
    return "start" if x < 2 * _MARGIN else "end" if x > 100 - 2 * _MARGIN else "middle"


def _tick_words(tick: float) -> str:
    """Return a tick's number, a far power of ten in short."""
    text = format_number(tick)
    return text.removeprefix("1.0\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}")


def _line(x: float, top: int, bottom: int, style: str = "") -> str:
    """Draw an upright line."""
    return (
        f'<line x1="{x:.2f}%" x2="{x:.2f}%" y1="{top}" y2="{bottom}" '
        f'stroke="currentColor" {style}/>'
    )
