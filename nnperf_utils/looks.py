"""What each look at a network that does not learn finds, and what it costs: recorded.

``doctor/figures.json`` is what ``benchmarks/doctor/looks.py`` wrote: the figures of the
doctor's benchmark, and of each of its networks what a look before the training said and
whether it could learn one batch by heart. ``clinic.json`` is told by `clinic.record`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from scipy.stats import binomtest

from nnperf_utils import clinic, plots

__all__ = [
    "CHAIN",
    "LEARNED",
    "NEAR",
    "batch_counts",
    "benchmark",
    "chain_drawing",
    "clinic_shares",
    "clinic_sure",
    "clinic_table",
    "doctor_effects",
    "doctor_table",
    "healthy_that_cannot",
    "lab_data",
    "ladder",
    "ladder_bars",
    "one_batch_effects",
    "remedies",
    "seconds",
    "share",
    "wrong_names",
]

LEARNED = 0.1
"""A batch is known by heart below this share of the best constant answer's loss."""

NEAR = (2, 3, 4, 5, 6)
"""The clinic's patients whose faults are much like those that the benchmark plants."""


@cache
def benchmark() -> dict[str, Any]:
    """Return the recorded figures of the doctor's benchmark.

    Returns
    -------
    dict
        ``"parts"``, ``"first scoring"``, ``"others"`` and ``"looks"``.
    """
    path = Path(__file__).parent / "doctor" / "figures.json"
    return json.loads(path.read_text("utf-8"))


def share(hits: int, count: int) -> tuple[float, float, float]:
    """Return a share and its 95% interval by Wilson.

    Parameters
    ----------
    hits, count : int

    Returns
    -------
    value, low, high : float

    Raises
    ------
    ValueError
        If there is nothing to have a share of.
    """
    if count < 1:
        raise ValueError(f"count is {count}; a share needs at least 1.")
    ends = binomtest(hits, count).proportion_ci(method="wilson")
    return hits / count, float(ends.low), float(ends.high)


def _looks() -> pd.DataFrame:
    """Return a row for each network: ill or not, and what both looks say."""
    frame = pd.DataFrame(benchmark()["looks"])
    return pd.DataFrame(
        {
            "name": frame["name"],
            "part": frame["part"],
            "ill": frame["cause"].notna(),
            "before": frame["before"].map(len) > 0,
            "cannot": ~(frame["batch"].astype(float) < LEARNED),
            "before_seconds": frame["before_seconds"],
            "batch_seconds": frame["batch_seconds"],
        }
    )


def one_batch_effects() -> dict[str, float]:
    """Return the effects of the claim on one batch.

    Returns
    -------
    dict of str to float
    """
    looks = _looks()
    ill, cannot = looks["ill"], looks["cannot"]
    value, low, high = share(int((ill & cannot).sum()), int(cannot.sum()))
    return {
        "precision": value,
        "precision_low": low,
        "precision_high": high,
        "recall": float(cannot[ill].mean()),
        "alarms": float(cannot[~ill].mean()),
    }


def healthy_that_cannot() -> list[str]:
    """Return the names of the healthy networks that do not learn one batch by heart.

    Returns
    -------
    list of str
        Those that begin with "hard" are in the benchmark because they look ill.
    """
    looks = _looks()
    return looks["name"][looks["cannot"] & ~looks["ill"]].tolist()


def batch_counts() -> dict[str, int]:
    """Return how many of those that cannot learn one batch are broken, of two kinds.

    Returns
    -------
    dict of str to int
        ``"broken"`` of ``"plain"``: without the healthy ones that are in the benchmark
        because they look ill; ``"late_broken"`` of ``"late"``: where a look before the
        training has found nothing.
    """
    looks = _looks()
    cannot = looks[looks["cannot"]]
    plain = cannot[~cannot["name"].str.startswith("hard")]
    late = cannot[~cannot["before"]]
    return {
        "broken": int(plain["ill"].sum()),
        "plain": len(plain),
        "late_broken": int(late["ill"].sum()),
        "late": len(late),
    }


def doctor_table() -> pd.DataFrame:
    """Return what the doctor and its rivals found, and raised alarms at.

    Returns
    -------
    pandas.DataFrame
        Counts with shares and their intervals, as text; the rivals' of the fresh part.
    """
    told = benchmark()
    fresh, others = told["parts"]["fresh"], told["others"]
    rows = {
        "set aside, first scoring": told["first scoring"]["doctor"],
        "set aside, after mending": told["parts"]["set aside"]["doctor"],
        "fresh, scored once": fresh["doctor"],
        **{f"of others, {name}": scores["doctor"] for name, scores in others.items()},
        **{f"fresh: {name}": scores for name, scores in fresh["rivals"].items()},
    }
    names = {
        "found": "faults found",
        "first": "named first",
        "first or second": "first or second",
        "false alarms": "false alarms",
    }
    table = {
        part: {title: _counted(scores[name]) for name, title in names.items()}
        for part, scores in rows.items()
    }
    return pd.DataFrame(table).T


def _counted(score: dict[str, Any]) -> str:
    low, high = score["interval"]
    return f"{score['hits']} of {score['of']} ({low:.0%} to {high:.0%})"


def remedies() -> str:
    """Tell what the doctor's remedies restore and what watching costs, fresh part.

    Returns
    -------
    str
    """
    fresh = benchmark()["parts"]["fresh"]
    restored = _counted(fresh["remedies"]["of all found"])
    return (
        f"The remedy of what it names first, applied by the benchmark, restores "
        f"{restored} of the networks found to nine tenths of their twin's score. Its "
        f"hooks take {fresh['overhead']['median']:.1%} of an epoch in the median."
    )


def doctor_effects() -> dict[str, float]:
    """Return the effects of the claim on the doctor.

    Returns
    -------
    dict of str to float
    """
    told = benchmark()
    aside = told["first scoring"]["doctor"]
    fresh = told["parts"]["fresh"]["doctor"]
    low, high = aside["found"]["interval"]
    alarms_low, alarms_high = aside["false alarms"]["interval"]
    return {
        "aside_found": aside["found"]["share"],
        "aside_found_low": low,
        "aside_found_high": high,
        "aside_alarms": aside["false alarms"]["share"],
        "aside_alarms_low": alarms_low,
        "aside_alarms_high": alarms_high,
        "fresh_found_low": fresh["found"]["interval"][0],
        "fresh_alarms_high": fresh["false alarms"]["interval"][1],
        "clinic_named": clinic_shares()["named"],
        "clinic_alarms": clinic_shares()["alarms"],
    }


def wrong_names() -> pd.Series:
    """Return what was named where another cause had been planted, or none.

    Returns
    -------
    pandas.Series
        Of the part set aside, at its first scoring, by case.
    """
    told = benchmark()["first scoring"]
    lines = told["false alarms and first causes that were wrong"]
    pairs = dict(line.rsplit(": ", 1) for line in lines)
    return pd.Series(pairs, name="the doctor said").rename_axis("network")


# --- the ladder of looks -------------------------------------------------------------


def ladder() -> pd.DataFrame:
    """Return what each look finds that the ones before it have not, and its alarms.

    The doctor's last look, after the training, is that of its rules as they are now.

    Returns
    -------
    pandas.DataFrame
        A row for each look: ``faults`` found by it, ``new`` ones, ``ill`` of them all,
        ``alarms`` at healthy networks, ``healthy`` of them all.
    """
    looks = _looks()
    ill = looks["ill"]
    parts = {name: benchmark()["parts"][name] for name in ("set aside", "fresh")}
    alarms = sum(part["doctor"]["false alarms"]["hits"] for part in parts.values())
    missed = {(name, case) for name, part in parts.items() for case in part["missed"]}
    pairs = zip(looks["part"], looks["name"], strict=True)
    found = ill & np.array([pair not in missed for pair in pairs])
    before, cannot = looks["before"], looks["cannot"]
    rows = {
        "rows, settings, start; no training": (before, before),
        "one batch by heart": (cannot, cannot & ~before),
    }
    table = [
        {
            "look": name,
            "faults": int(mask[ill].sum()),
            "new": int(new[ill].sum()),
            "alarms": int(mask[~ill].sum()),
        }
        for name, (mask, new) in rows.items()
    ]
    table.append(
        {
            "look": "the whole training, with the doctor",
            "faults": int(found.sum()),
            "new": int((found & ~before & ~cannot).sum()),
            "alarms": alarms,
        }
    )
    counts = {"ill": int(ill.sum()), "healthy": int((~ill).sum())}
    return pd.DataFrame(table).assign(**counts).set_index("look")


def seconds() -> dict[str, float]:
    """Return the median seconds of processor time that each look took.

    Returns
    -------
    dict of str to float
        ``"before"`` and ``"batch"`` of the benchmark's networks, ``"training"`` and
        ``"doctor"`` of the clinic's.
    """
    looks, told = _looks(), pd.DataFrame(clinic.record())
    return {
        "before": float(looks["before_seconds"].median()),
        "batch": float(looks["batch_seconds"].median()),
        "training": float(told["fit_seconds"].median()),
        "doctor": float(told["look_seconds"].median()),
    }


def ladder_bars(*, ax: Axes | None = None) -> Axes:
    """Draw of all faults how many each look finds first, and its false alarms.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 2.6))
    table = ladder()
    places = np.arange(len(table))[::-1]
    share_of = table["faults"] / table["ill"]
    new = table["new"] / table["ill"]
    ax.barh(places, share_of, color=plots.PALETTE[0], alpha=0.3, height=0.6)
    ax.barh(places, new, left=share_of - new, color=plots.PALETTE[0], height=0.6)
    for place, (_, row) in zip(places, table.iterrows(), strict=True):
        text = (
            f"{row['faults']} of {row['ill']}, {row['new']} of them new; "
            f"alarms at {row['alarms']} of {row['healthy']} healthy"
        )
        ax.text(0.01, place + 0.36, text, va="bottom", fontsize=9)
    ax.set_yticks(places, table.index)
    ax.set(xlim=(0, 1.02), xlabel="share of the benchmark's faults", ylim=(-0.5, 2.8))
    return ax


CHAIN = {
    "rows": "scales, labels,\nleaks, order",
    "network": "dead units,\nbad start",
    "loss": "wrong loss,\nwrong output",
    "gradients": "vanish,\nexplode, clipped",
    "step": "too long,\ntoo short",
}
"""What a training passes through, and what breaks there."""


def chain_drawing(*, ax: Axes | None = None) -> Axes:
    """Draw what a training passes through, and that the curve is read at one place.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(9, 2.9))
    ax.set(xlim=(-0.6, 4.6), ylim=(-1.9, 1.3))
    ax.axis("off")
    box = {"boxstyle": "round,pad=0.4", "facecolor": "none", "edgecolor": "0.4"}
    arrow = {"arrowstyle": "->", "color": "0.4", "shrinkA": 36, "shrinkB": 36}
    for place, (name, breaks) in enumerate(CHAIN.items()):
        ax.text(place, 0, name, ha="center", va="center", bbox=box)
        ax.text(place, -0.75, breaks, ha="center", va="center", fontsize=9)
        if place:
            ax.annotate("", (place, 0), (place - 1, 0), arrowprops=arrow)
    back = {"arrowstyle": "->", "color": "0.4", "connectionstyle": "arc3,rad=-0.12"}
    ax.annotate("", (1, -1.05), (4, -1.05), arrowprops=back)
    ax.text(2.5, -1.7, "the next step", ha="center", va="center", fontsize=9)
    ax.annotate(
        "the curve is read here",
        (2, 0.28),
        (2, 1.05),
        ha="center",
        arrowprops={"arrowstyle": "->", "color": plots.PALETTE[1]},
        color=plots.text_color(plots.PALETTE[1]),
    )
    return ax


# --- the clinic ----------------------------------------------------------------------


def clinic_shares() -> dict[str, float]:
    """Return how often the doctor was right in the clinic.

    Returns
    -------
    dict of str to float
        ``"named"``, first or second, ``"near"`` and ``"far"``, the same of the patients
        in `NEAR` and of the others, ``"first"``, ``"curves"``, first or second by the
        curves alone, of the patients; ``"alarms"`` of the twins.
    """
    ill = [one for one in clinic.record() if not one["healthy"]]
    well = [one for one in clinic.record() if one["healthy"]]

    def right(one: dict[str, Any], causes: list[str]) -> bool:
        return clinic.truth(one["number"]).is_named_by(causes)

    said = [[cause for cause, _ in one["said"]] for one in ill]
    pairs = list(zip(ill, said, strict=True))
    named = np.array([right(one, causes[:2]) for one, causes in pairs])
    near = np.array([one["number"] in NEAR for one in ill])
    return {
        "named": float(named.mean()),
        "near": float(named[near].mean()),
        "far": float(named[~near].mean()),
        "first": float(np.mean([right(one, causes[:1]) for one, causes in pairs])),
        "curves": float(np.mean([right(one, one["curves_alone"][:2]) for one in ill])),
        "alarms": float(np.mean([bool(one["said"]) for one in well])),
    }


def clinic_sure() -> tuple[int, int]:
    """Return how often the doctor is right where it is as sure as it ever is.

    Returns
    -------
    right, of : int
        Of its first answers on patients that carry the highest certainty.
    """
    first = [
        (one["number"], *one["said"][0])
        for one in clinic.record()
        if one["said"] and not one["healthy"]
    ]
    most = max(sure for _, _, sure in first)
    surest = [(number, cause) for number, cause, sure in first if sure == most]
    right = sum(clinic.truth(number).is_named_by([cause]) for number, cause in surest)
    return right, len(surest)


def clinic_table() -> pd.DataFrame:
    """Return of each patient its scores, its cause and what the doctor says first.

    Returns
    -------
    pandas.DataFrame
        Of seed 0.
    """
    told = {
        (one["number"], one["healthy"], one["seed"]): one for one in clinic.record()
    }
    rows = []
    for number in clinic.PATIENTS:
        ill, well = told[number, False, 0], told[number, True, 0]
        said = [cause for cause, _ in ill["said"][:2]]
        truth = clinic.truth(number)
        rows.append(
            {
                "patient": number,
                "score": ill["score"],
                "twin": well["score"],
                "its cause": truth.cause,
                "the doctor": ", ".join(said) or "nothing",
                "right": "yes" if truth.is_named_by(said) else "no",
            }
        )
    return pd.DataFrame(rows).set_index("patient")


def lab_data() -> dict[str, Any]:
    """Return what the lab of the clinic needs: readings, truths, the doctor's answers.

    Returns
    -------
    dict
        ``"choices"``, cause to words, and ``"patients"``.
    """
    patients = []
    for one in clinic.record():
        if one["healthy"] or one["seed"]:
            continue
        truth = clinic.truth(one["number"])
        patients.append(
            {
                **one["readings"],
                "number": one["number"],
                "doctor": [[cause, reason] for cause, _, reason in one["doctor"]],
                "right": [truth.cause, *truth.accepted],
                "words": truth.words.replace("`", ""),
            }
        )
    ordered = sorted(patients, key=lambda one: one["number"])
    return {"choices": clinic.CHOICES, "patients": ordered}
