"""Sentences of the capstone that depend on what its run has measured."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from nnperf_utils.advice import MOST_TREES, STEPS, TRAININGS, InUse
from nnperf_utils.flight_inputs import Cut, is_late
from nnperf_utils.statistics import Estimate

__all__ = [
    "audit",
    "card",
    "in_test_months",
    "leak",
    "missed",
    "price",
    "probabilities",
    "promise",
    "ratio",
    "said",
    "trees",
]


def audit(table: pd.DataFrame, flights: pd.DataFrame) -> str:
    """Tell what a look at a table finds.

    Parameters
    ----------
    table, flights : pandas.DataFrame
        All rows that may be looked at, and those of them that have arrived.

    Returns
    -------
    str
        Markdown.
    """
    late = is_late(flights)
    small = table[table["seats"] < 20]
    makers = ", ".join(small["manufacturer"].value_counts().index[:3].str.title())
    calm = flights["wind_gust"].isna()
    month = late.groupby(flights["date"].dt.month).mean()
    return f"""
- **Doubles**: {table.duplicated().sum()} rows stand twice.
- **Labels**: {late.mean():.0%} of the flights that arrived are late;
  {len(table) - len(flights)} never arrived where they should, nobody knows a label, and
  they are left out.
- **Wrong entries**: {len(small)} flights are by a plane of fewer than 20 seats
  ({makers}, …): an airline's own number was taken for a registration. One maker has two
  names, AIRBUS and AIRBUS INDUSTRIE.
- **Gaps that tell**: a gust is missing where none was reported. With a gust
  {late[~calm].mean():.0%} are late, without {late[calm].mean():.0%}.
- **Time**: by month {month.min():.0%} to {month.max():.0%} are late. Other months are
  other data.
"""


def leak(causes: Collection[str], promised: float, came: float) -> str:
    """Tell what a column from the future promises, and what the doctor says of it.

    Parameters
    ----------
    causes : collection of str
        Of the doctor's findings.
    promised, came : float
        Areas on validation rows, and in use.

    Returns
    -------
    str
    """
    named = (
        "The doctor names the leak: one column alone tells nearly all."
        if "data_leakage" in causes
        else "The doctor does not name the leak: the column tells much, but not so "
        "much that it must be a copy of the label. No tool asks *who knows it when*. "
        "You must."
    )
    return (
        f"It promises an AUC of {promised:.3f}. In use the column is empty, and what "
        f"comes is {came:.3f}. {named}"
    )


def missed(found: Mapping[str, Estimate]) -> str:
    """Tell which steps are surely missed, which surely harm, and which are not seen.

    Parameters
    ----------
    found : mapping of str to Estimate

    Returns
    -------
    str
    """
    surely = [STEPS[name] for name, one in found.items() if one.low > 0]
    harm = [STEPS[name] for name, one in found.items() if one.high < 0]
    rest = [STEPS[name] for name, one in found.items() if one.low <= 0 <= one.high]
    return " ".join(
        f"**{label}:** {'; '.join(names) or 'none'}."
        for label, names in (
            ("Surely missed", surely),
            ("Surely harmful", harm),
            ("Neither is seen", rest),
        )
    )


def price(table: pd.DataFrame, trainings: int, seconds: float) -> str:
    """Tell which steps bring most, and what trainings cost.

    Parameters
    ----------
    table : pandas.DataFrame
        What :func:`nnperf_utils.advice.price_table` returns.
    trainings : int
    seconds : float

    Returns
    -------
    str
    """
    shares = table["over all orders"].astype(float)
    first = shares.idxmax()
    rest = shares.drop(first)
    dear = shares[[*TRAININGS]].sum()
    return (
        f"Together these steps bring {_signed(shares.sum())}. Over all orders most "
        f"comes from “{STEPS[first]}” ({_signed(shares[first])}); the others bring "
        f"{_signed(rest.min())} to {_signed(rest.max())} each, without intervals: do "
        "not rank them. Those that cost further trainings bring "
        f"{_signed(dear)} between them, for {math.prod(TRAININGS.values())} times as "
        "many. (On this machine "
        f"{trainings:,} trainings took {seconds:.0f} s as they ran together, "
        f"{1000 * seconds / trainings:.0f} ms each.)"
    )


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def said(name: str, one: Estimate) -> str:
    """Return a difference with its interval in a few words."""
    clear = "" if one.low > 0 or one.high < 0 else ", which holds zero"
    ends = f"{one.value:+.3f} [{one.low:.3f}, {one.high:.3f}]".replace("-", "−")
    return f"{name} {ends}{clear}"


def promise(excess: Estimate, areas: pd.Series) -> str:
    """Tell what a random split promises, beside how much the fortnights differ.

    Parameters
    ----------
    excess : Estimate
        What random rows promise beyond what comes.
    areas : pandas.Series
        Of one recipe on the rows of use, by split.

    Returns
    -------
    str
    """
    found = (
        "Beside that the excess is seen all the same: random rows surely promise too "
        "much."
        if excess.low > 0
        else "Beside that an excess of random rows is hard to see: the interval "
        f"allows one of up to {100 * excess.high:.0f} points."
        if excess.high > 0
        else "An excess of random rows is not seen."
    )
    return (
        "One and the same recipe, all steps, has an AUC between "
        f"{areas.min():.3f} and {areas.max():.3f} on the {len(areas)} fortnights. "
        f"{found} Whatever the split, a single fortnight is a poor judge."
    )


def trees(taken: Sequence[int]) -> str:
    """Tell how often boosting would have taken more trees.

    Parameters
    ----------
    taken : sequence of int
        Numbers of trees that were chosen.

    Returns
    -------
    str
    """
    most = sum(one == MOST_TREES for one in taken)
    return (
        f"Between {min(taken)} and {max(taken)} trees were taken; the most that were "
        f"allowed, {MOST_TREES}, on {most} of {len(taken)} cut dates."
    )


def in_test_months(
    gain: Estimate,
    versus: Estimate,
    linear: Mapping[str, Estimate],
    before: pd.Series,
    table: pd.DataFrame,
) -> str:
    """Tell what the test months say.

    Parameters
    ----------
    gain, versus : Estimate
        Of all steps less naive, and of boosting less all steps.
    linear : mapping of str to Estimate
        Of all steps less logistic regression, by when.
    before : pandas.Series
        Areas on the fortnights, by model.
    table : pandas.DataFrame
        What ``InUse.table`` returns.

    Returns
    -------
    str
    """
    change = table["AUC"][before.index] - before
    told = ", ".join(f"{name} {_signed(value)}" for name, value in change.items())
    beside = "; ".join(said(when, one) for when, one in linear.items())
    months = (
        "All have lost: other months, and one training that serves three of them, not "
        "a fortnight. Which of the two it is, this test does not tell."
        if (change < 0).all()
        else "Not all have lost."
    )
    return (
        f"In the test months (less the bias of few weeks, so that they differ a little "
        f"from the table): {said('all steps less naive, AUC', gain)}; "
        f"{said('boosting less all steps', versus)}. All steps less logistic "
        f"regression, AUC: {beside}. From the fortnights to the test months the AUC "
        f"changes: {told}. {months} The intervals cover other weeks; not other "
        "training rows, not another year."
    )


def probabilities(in_use: InUse, name: str, one_rate: str) -> str:
    """Tell whether the probabilities can be believed in the test months.

    Parameters
    ----------
    in_use : InUse
    name, one_rate : str
        A model, and the one that says the same to everyone.

    Returns
    -------
    str
    """
    p, share = 100 * np.mean(in_use.said[name]), 100 * in_use.truth.mean()
    own, same = (in_use.score(one, "loss") for one in (name, one_rate))
    worth = (
        "As probabilities they are worse than none, whatever the ranking is worth."
        if own > same
        else "As probabilities, too, they say more than one rate does."
    )
    losses = (
        f"Their log loss is {own:.3f}; to say the training rows' share of late flights "
        f"to everyone has {same:.3f}. {worth}"
    )
    if abs(p - share) < 3:
        return (
            f"On average the probabilities hold: {p:.0f}%, and {share:.0f}% are late. "
            f"{losses}"
        )
    return (
        f"Mind the probabilities: they say {p:.0f}% on average, and {share:.0f}% are "
        "late. They were calibrated on the weeks before, which had another share of "
        "late flights. A threshold on probabilities moves with that: calibrate anew "
        f"as labels come in, or watch the share of warnings. {losses}"
    )


def card(in_use: InUse, name: str, cut: Cut, dates: pd.Series) -> str:
    """Write the model card.

    Parameters
    ----------
    in_use : InUse
        With ``"logistic"`` and ``"never warn"`` beside the model.
    name : str
        Of the model.
    cut : Cut
        The rows that it has learned from, was chosen on, and is tested on.
    dates : pandas.Series
        Of all rows.

    Returns
    -------
    str
        Markdown.
    """
    area, cost = (in_use.estimate(name, score) for score in ("area", "cost"))
    saved = in_use.less("never warn", name, "cost")
    p, prices = np.mean(in_use.said[name]), in_use.prices
    never, linear = (in_use.score(n, "cost") for n in ("never warn", "logistic"))

    def day(place: int) -> str:
        return f"{dates.iloc[place].day} {dates.iloc[place]:%B}"

    def ends(one: Estimate, digits: int) -> str:
        told = f"[{one.low:.{digits}f}, {one.high:.{digits}f}]"
        return told.replace("-", "−")

    rows = {
        "Model": "three dense networks of 16 and 16 units, averaged and calibrated",
        "Use": "at the gate, to warn of an arrival 15 minutes late or more",
        "Not for": "planning days ahead (it asks for the weather of the hour before "
        "and the day so far); other airports or years; judging airlines or crews",
        "Data": f"{len(cut.train):,} flights out of New York, {day(cut.train[0])} to "
        f"{day(cut.train[-1])} {dates.iloc[0].year}; chosen and calibrated on the "
        f"{len(cut.validation):,} after them; tested on {len(cut.later):,}; CC0; "
        "cancelled and diverted ones left out",
        "Ranking": f"AUC {in_use.score(name, 'area'):.3f} {ends(area, 3)} from "
        f"{dates.iloc[cut.later[0]]:%B} to {dates.iloc[cut.later[-1]]:%B}, weeks "
        "resampled",
        "Probabilities": f"{100 * p:.0f}% late on average; "
        f"{100 * in_use.truth.mean():.0f}% were",
        "Decision": f"a warning above {prices.alarm / (prices.alarm + prices.miss):g}, "
        f"as a miss costs {prices.miss:g} and an alarm {prices.alarm:g}: "
        f"{in_use.score(name, 'cost'):.0f} {ends(cost, 0)} for 100 flights",
        "Beside it": f"never warning costs {never:.0f}, logistic regression "
        f"{linear:.0f}; saved against never warning: "
        f"{never - in_use.score(name, 'cost'):.1f} {ends(saved, 1)}".replace(
            ": -", ": −"
        ),
        "By group": "the table above; groups of some hundred flights are noisy",
        "Limits": "one year, one city; the weather is the one that was measured, not "
        "a forecast; trained once for three months",
    }
    # a list: the site's Markdown of outputs knows no tables
    return "\n".join(f"- **{label}**: {text}" for label, text in rows.items())


def ratio(costs: pd.DataFrame, name: str) -> str:
    """Tell at which prices a model saves most.

    Parameters
    ----------
    costs : pandas.DataFrame
        What :func:`nnperf_utils.advice.costs_by_ratio` returns.
    name : str

    Returns
    -------
    str
    """
    spared = 1 - costs[name] / costs[["never", "always"]].min(axis=1)
    first, last = spared.index[0], spared.index[-1]

    def of(place: int) -> str:
        return f"{spared.iloc[place]:.0%}".replace("-", "−")

    return (
        f"{name.capitalize()} save most at a ratio of {spared.idxmax():g}, "
        f"{spared.max():.0%} of what the one blind rule costs that is cheaper over all "
        f"fortnights; at {first:g} it is {of(0)}, at {last:g} {of(-1)}. Where one of "
        "the mistakes is nearly free, a model has little to decide."
    )
