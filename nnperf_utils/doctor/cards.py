"""The findings as cards for a notebook, and as text elsewhere.

Styles stand in the elements, as in `nnperf_utils.cards`, and everything is drawn in the
page's own color of text, so that it suits light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from nnperf_utils.cards import format_number
from nnperf_utils.doctor.causes import CAUSES
from nnperf_utils.doctor.evidence import Evidence
from nnperf_utils.doctor.finding import Finding

__all__ = ["html", "looked_at", "text"]

_BOX = (
    "border:1px solid;border-left-width:.4em;border-radius:.3em;padding:.6em 1em;"
    "margin:.3em 0;max-width:46em;line-height:1.45;overflow-wrap:anywhere"
)
_SIDES = (
    ("labels, scales and order of the rows", "n_train"),
    ("training rows beside validation rows", "n_val"),
    ("output, loss and labels together", "output_loss"),
    ("starting weights and their way", "kernels"),
    ("gradients and activations", "start_loss"),
    ("curves", "loss_last"),
    ("answers", "train_skill"),
    ("what simple learners make of the rows", "reference"),
)


def looked_at(evidence: Evidence) -> list[str]:
    """Return what was looked at, in a few words each."""
    return [words for words, fact in _SIDES if fact in evidence.facts]


def _name(cause: str) -> str:
    return cause.replace("_", " ")


def _summary(findings: Sequence[Finding], evidence: Evidence) -> str:
    seen = looked_at(evidence)
    told = f"Looked at: {'; '.join(seen)}." if seen else "There was nothing to look at."
    if findings:
        return told
    return f"Nothing found. {told}" if seen else told


def _not_seen(evidence: Evidence) -> str:
    return f"Not looked at: {'; '.join(evidence.notes)}." if evidence.notes else ""


def text(findings: Sequence[Finding], evidence: Evidence) -> str:
    """Return findings as lines for a log."""
    lines = []
    for number, finding in enumerate(findings, 1):
        lines.append(f"{number}. {finding}")
        lines += [f"   {line}" for line in finding.remedy.splitlines()]
        lines.append(f"   see chapters/{finding.chapter}")
    lines += [_summary(findings, evidence), _not_seen(evidence)]
    return "\n".join(line for line in lines if line)


def html(findings: Sequence[Finding], evidence: Evidence) -> str:
    """Return findings as cards, and a line on what was looked at."""
    cards = "".join(_card(finding) for finding in findings)
    if not findings:
        cards = (
            f'<div class="nnperf-doctor" role="group" aria-label="The doctor" '
            f'style="{_BOX}"><strong>{"Nothing found." if looked_at(evidence) else ""}'
            "</strong> "
            f"{escape(_summary(findings, evidence).removeprefix('Nothing found. '))}"
            "</div>"
        )
        below = _not_seen(evidence)
    else:
        below = " ".join(
            filter(None, [_summary(findings, evidence), _not_seen(evidence)])
        )
    note = f'<div style="max-width:46em"><small>{escape(below)}</small></div>'
    return cards + (note if below else "")


def _card(finding: Finding) -> str:
    """Return one finding as HTML."""
    share = round(100 * finding.confidence)
    where = f" · layer <code>{escape(finding.layer)}</code>" if finding.layer else ""
    when = "before the first update" if finding.epoch == 0 else f"epoch {finding.epoch}"
    rows = "".join(
        f"<tr><td>{escape(str(row.what))}</td>"
        f'<td style="text-align:right">{_value(row.value)}</td>'
        f"<td>{escape(str(row.usual))}</td></tr>"
        for row in finding.evidence.itertuples()
    )
    table = (
        '<table style="border-collapse:collapse;font-size:.9em;margin:.3em 0">'
        "<thead><tr><th>seen</th><th>value</th><th>usual</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
    name = escape(_name(finding.cause))
    return (
        f'<div class="nnperf-doctor" role="group" aria-label="Finding: {name}" '
        f'style="{_BOX}">'
        '<div style="display:flex;flex-wrap:wrap;gap:0 1em;align-items:center">'
        f"<strong>{name[0].upper()}{name[1:]}</strong>"
        f"<span>{_bar(share)} sure to {share}%</span></div>"
        f"<div>{escape(CAUSES[finding.cause].meaning)}</div>"
        f'<div style="margin-top:.3em">{escape(finding.reason)}.</div>'
        f'<pre style="margin:.5em 0;padding:.4em .6em;border:1px dashed;'
        f'white-space:pre-wrap"><code>{escape(finding.remedy)}</code></pre>'
        '<details><summary style="cursor:pointer">What was seen</summary>'
        f"{table}</details>"
        f"<small>{when}{where} · explained in "
        f'<a href="{escape(finding.chapter)}.html">{escape(finding.chapter)}</a>'
        "</small></div>"
    )


def _bar(share: int) -> str:
    """Draw how sure a finding is."""
    return (
        '<svg role="img" xmlns="http://www.w3.org/2000/svg" width="60" height="10" '
        f'aria-label="{share} percent"><rect width="60" height="10" fill="none" '
        f'stroke="currentColor"/><rect width="{0.6 * share:.1f}" height="10" '
        'fill="currentColor"/></svg>'
    )


def _value(value: float) -> str:
    return format_number(float(value)) if np.isfinite(value) else "–"
