# ruff: noqa: D401 (a docstring says the thing itself, or the sign looked for)
"""From evidence to findings: one rule for each cause, and what explains what.

A rule looks at a few facts and says how strongly they speak for its cause, from 0 to 1.
`above` and `below` are its thresholds: each has a value where suspicion begins and one
where it is full. They were fitted on the development part of ``benchmarks/doctor`` and
mended on networks of others; where they came from a paper, the rule says from which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from nnperf_utils.doctor.causes import CAUSES
from nnperf_utils.doctor.evidence import Evidence
from nnperf_utils.doctor.finding import Finding
from nnperf_utils.doctor.structure import NUMBERED, Sign

__all__ = ["Suspicion", "diagnose", "suspicions"]

REPORTED = 0.5
"""Suspicions of less strength are kept to itself."""

CALIBRATION = ((0.5, 0.75, 0.85, 0.95, 1.0), (0.5, 0.55, 0.78, 0.9, 0.97))
"""Strengths, and the share of findings near them that was right in the development
part."""


@dataclass
class Suspicion:
    """How strongly the facts speak for a cause.

    ``shown`` lists what was seen: fact, value, what is usual.
    """

    cause: str
    strength: float
    reason: str
    layer: str | None = None
    shown: list[tuple[str, float, str]] = field(default_factory=list)
    epoch: int | None = None


class Facts:
    """Facts by name; a number that is not known is NaN, so that no comparison holds."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts

    def __call__(self, name: str, default: float = float("nan")) -> float:
        """Return a number."""
        value = self._facts.get(name)
        if value is None or isinstance(value, (str, list)):
            return np.float64(default)
        return np.float64(value)  # of which a quotient never fails

    def word(self, name: str) -> str:
        """Return a word; empty where it is not known."""
        return str(self._facts.get(name) or "")

    def holds(self, name: str) -> bool:
        """Tell whether something is known to be so."""
        return bool(self._facts.get(name))

    def known(self, *names: str) -> bool:
        """Tell whether numbers are known."""
        return all(np.isfinite(self(name)) for name in names)


def above(value: float, start: float, full: float) -> float:
    """Return 0 at `start` or less, 1 at `full` or more, in between a straight line."""
    if np.isnan(value):
        return 0.0
    return float(np.clip((value - start) / (full - start), 0, 1))


def below(value: float, start: float, full: float) -> float:
    """Return 0 at `start` or more, 1 at `full` or less."""
    return above(-value, -start, -full)


def tens(value: float) -> float:
    """Return a logarithm to base ten, that of nothing included."""
    return float(np.log10(max(value, 1e-30))) if not np.isnan(value) else float("nan")


# --- how the network does ------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """How the network does, in a few numbers.

    Attributes
    ----------
    harm : float
        From 0, as good on new rows as simple learners, to 1, no better than a constant.
    never : float
        The same of the epoch with the least validation loss.
    apart : float
        As `harm`, but beside what simple learners reach on training rows left out.
    fails : float
        The same of the rows that it was trained on: 1 where it cannot even fit these.
    learnable : float
        How sure it is that there is something to learn.
    """

    harm: float
    never: float
    apart: float
    fails: float
    learnable: float
    diverged: bool


def state(f: Facts) -> State:
    """Sum up how a network does."""
    reference = np.nanmax([f("reference"), f("reference_within"), 0.0])
    train, validation = f("train_skill"), f("val_skill")
    diverged = f.holds("loss_nan") or not f("finite", 1)
    if not np.isfinite(train) or not np.isfinite(f("reference")):
        # no score: the loss against that of the best constant answer
        quotient = f("loss_last") / f("baseline")
        harm = above(quotient, 0.5, 0.95) if np.isfinite(quotient) else 0.4
        harm = 1.0 if diverged else harm
        return State(harm, harm, harm, harm, 0.5, diverged)
    new = validation if np.isfinite(validation) else train
    best = max(new, f("val_skill_best", new))
    scale = max(reference, 0.15)
    harm = above((f("reference") - new) / scale, 0.06, 0.35)
    never = above((f("reference") - best) / scale, 0.06, 0.35)
    fails = above(
        (max(f("reference"), f("reference_within")) - train) / scale, 0.05, 0.3
    )
    if train > 0.93:
        fails = 0.0
    if new > 0.95:
        harm = 0.0
    if best > 0.95:
        never = 0.0
    fails = min(fails, never)  # what it did learn once it can fit
    if diverged:
        harm = fails = never = 1.0

    # validation rows that are not like the others spoil simple learners, too
    apart = above(
        (max(f("reference"), f("reference_within")) - new) / scale, 0.06, 0.35
    )
    return State(
        harm, never, max(harm, apart), fails, above(reference, 0.05, 0.25), diverged
    )


def does_well(f: Facts, s: State) -> bool:
    """Whether a network is known to do on new rows as well as simple learners."""
    known = f.known("val_skill", "reference")
    return known and s.harm == 0 and s.fails == 0 and f("val_skill") > 0.3


# --- the rules -----------------------------------------------------------------------

Rule = Callable[[Facts, State], Suspicion | None]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    """Add a rule."""
    RULES.append(function)
    return function


def _percent(value: float) -> str:
    return f"{100 * value:.0f}%"


NUMBERS = {"mean_squared_error", "mean_absolute_error", "huber", "log_cosh"}
"""Losses to which whole numbers are counts; classes under them are another fault."""


@rule
def nonfinite_data(f: Facts, s: State) -> Suspicion | None:
    """NaN or infinity is among the numbers."""
    count = f("nonfinite", 0)
    if count < 1:
        return None
    reason = f"{count:.0f} numbers among inputs and targets are NaN or infinite"
    shown = [("numbers not finite", count, "0")]
    return Suspicion("nonfinite_data", 1.0, reason, shown=shown, epoch=0)


@rule
def vanishing_gradients(f: Facts, s: State) -> Suspicion | None:
    """Early layers, or early steps, have a small share of the gradient.

    AutoTrainer looks at the same quotient, and alarms below 1e-3.
    """
    ratio = min(f("start_gradient_ratio"), f("median_gradient_ratio"))
    deep = above(f("kernels"), 2.5, 4)
    depth = deep * below(tens(ratio), -1.0, -2.3)
    lost = f("start_differences_ratio")
    if f("start_gradient_ratio") > 0.05:  # what long steps did is not its name
        depth *= 1 - 0.5 * above(f("rate_effective"), 0.8, 1.6)
    depth = max(depth, deep * below(tens(lost), -1.5, -3.0) * below(tens(ratio), 1, 0))
    through_time = 0.0
    if f.holds("recurrent") and f("start_time_steps") >= 8:
        through_time = below(
            tens(max(f("start_time_ratio"), f("end_time_ratio"))), -2.5, -4.5
        )
    # units that are all dead pass nothing back, but that is their name
    depth *= 1 - 0.5 * above(f("start_dead_worst"), 0.8, 0.95)
    if f("start_time_ratio") > 1e-3:
        through_time *= 1 - 0.5 * above(f("rate_effective"), 1.5, 2.5)
    # too early to tell: nothing learns in a few updates
    through_time *= above(tens(f("updates")), 1.5, 2.2)
    strength = max(depth, 0.95 * through_time) * (0.25 + 0.75 * s.fails)
    if strength <= 0:
        return None
    if through_time > depth:
        reason = (
            f"the gradient at the first steps is {f('start_time_ratio'):.1g} times "
            f"that at the last, over {f('start_time_steps'):.0f} steps"
        )
        shown = [("gradient, first steps / last", f("start_time_ratio"), "above 0.01")]
    else:
        reason = (
            f"the first layer's gradient is {ratio:.1g} times the later layers' over "
            f"{f('kernels'):.0f} layers"
        )
        shown = [("gradient, first layer / later", ratio, "above 0.1")]
    return Suspicion("vanishing_gradients", strength, reason, shown=shown, epoch=0)


@rule
def exploding_gradients(f: Facts, s: State) -> Suspicion | None:
    """Activations and gradients grow with depth or time."""
    growth = tens(f("start_signal_growth"))
    start = f("start_loss") / max(f("baseline", 1.0), 1e-3)
    deep = above(f("kernels"), 2.5, 4)
    depth = deep * above(growth, 0.8, 2.0) * above(tens(start), 0.7, 1.5)
    through_time = 0.0
    # where padding is masked, the last steps have no gradient to compare with
    padded = f.holds("masks") and f("padding_after", 0) > 0.1
    if f.holds("recurrent"):
        through_time = max(
            0.0 if padded else above(tens(f("start_time_ratio")), 1.0, 3.0),
            above(tens(f("start_signal_max")), 1.5, 4),
            0.9 * above(tens(f("most_gradient_total")), 3, 5),
            above(tens(start), 0.8, 1.5)
            * above(tens(f("start_gradient_total")), 2, 2.9),
        )
    strength = max(depth, through_time) * (0.4 + 0.6 * s.never)
    if strength <= 0:
        return None
    where = "over the steps" if through_time > depth else "from layer to layer"
    reason = (
        f"outputs grow {where} ({f('start_signal_growth'):.3g} times from the first "
        f"layer on), the first loss is {f('start_loss'):.3g}"
    )
    shown = [
        ("outputs, last hidden layer / first", f("start_signal_growth"), "0.3 to 3"),
        ("gradient's norm at the start", f("start_gradient_total"), "below 100"),
        ("loss at the start / constant answer", start, "about 1"),
    ]
    return Suspicion("exploding_gradients", strength, reason, shown=shown, epoch=0)


@rule
def bad_initialization(f: Facts, s: State) -> Suspicion | None:
    """No weight has moved, by steps of a usual length."""
    if not f("drift") < 1e-9 or f("updates") < 20:
        return None
    strength = 0.9 * above(f("rate_effective"), -2.0, -1.0)
    strength *= max(s.harm, s.fails, below(f("train_skill"), 0.2, 0.05))
    strength *= 1 - 0.5 * above(f("end_dead_worst"), 0.6, 0.9)
    if strength <= 0:
        return None
    reason = f"after {f('updates'):.0f} updates all weights are where they started"
    shown = [("way of the weights / their size", f("drift"), "above 0.1")]
    return Suspicion("bad_initialization", strength, reason, shown=shown)


@rule
def dying_relu(f: Facts, s: State) -> Suspicion | None:
    """Units are off for every example, and the network does badly."""
    worst, mean = f("end_dead_worst"), f("end_dead_mean")
    killed = f("start_dead_worst") < 0.6  # by steps that were too long, if they were
    strength = max(above(worst, 0.6, 0.97), above(mean, 0.5, 0.8))
    strength *= 0.2 + 0.8 * max(s.fails, 0.7 * s.never)
    if f("start_dead_worst") > 0.9:
        strength = max(strength, 0.4 + 0.5 * s.fails)
    if killed:
        strength *= 1 - 0.25 * above(f("rate_effective"), 0.7, 1.5)
        strength *= 0.7 if s.diverged else 1.0
    if strength <= 0:
        return None
    layer = f.word("end_dead_layer")
    reason = f"{_percent(worst)} of the units of {layer} are zero for every example"
    shown = [
        ("dead units, worst layer, at the end", worst, "below 0.3"),
        ("dead units, worst layer, at the start", f("start_dead_worst"), "below 0.1"),
    ]
    return Suspicion("dying_relu", strength, reason, layer, shown)


@rule
def saturated_activations(f: Facts, s: State) -> Suspicion | None:
    """Units of tanh or sigmoid are at their ends for most examples."""
    worst, mean = f("start_saturated_worst"), f("most_saturated_mean")
    strength = max(above(worst, 0.35, 0.65), above(mean, 0.4, 0.7))
    strength *= 0.25 + 0.75 * max(s.never, s.fails)
    if worst < 0.3:
        strength *= 1 - 0.35 * above(f("rate_effective"), 0.7, 1.5)
    if strength <= 0:
        return None
    layer = f.word("start_saturated_layer") or f.word("end_saturated_layer")
    reason = f"{_percent(max(worst, mean))} of the outputs of {layer} are at an end"
    shown = [
        ("outputs at an end, worst layer, at the start", worst, "below 0.1"),
        ("outputs at an end, mean of layers, most", mean, "below 0.2"),
    ]
    return Suspicion("saturated_activations", strength, reason, layer, shown)


@rule
def unscaled_inputs(f: Facts, s: State) -> Suspicion | None:
    """Columns are large, far from zero, or of very unequal spread."""
    size = above(tens(f("input_size")), 0.9, 1.8)
    mixed = above(tens(f("input_mixed")), 1.8, 2.8) * above(
        tens(f("input_spread_max")), 0.6, 1.5
    )
    small = below(tens(f("input_size")), -2.0, -3.0)
    far = above(tens(f("input_offset")), 1.0, 2.0)
    seen = max(size, mixed, small, far)
    if f.holds("normalizes_inputs"):
        seen *= 0.2
    # far beyond all that is usual it is told even where it does no harm
    wild = max(above(tens(f("input_size")), 1.4, 2.0), above(mixed, 0.8, 1.0))
    strength = seen * (0.42 + 0.16 * wild + 0.42 * max(s.never, s.fails))
    if strength <= 0:
        return None
    reason = f"the columns' typical size is {f('input_size'):.3g}"
    if f("input_mixed") >= 1.5:
        reason += f", and their spreads differ by a factor of {f('input_mixed'):.3g}"
    shown = [
        ("typical size of an input", f("input_size"), "about 1"),
        ("largest spread / small ones", f("input_mixed"), "below 30"),
        ("mean / spread of a column", f("input_offset"), "below 5"),
    ]
    return Suspicion("unscaled_inputs", strength, reason, shown=shown, epoch=0)


@rule
def unscaled_targets(f: Facts, s: State) -> Suspicion | None:
    """Numbers to predict are far from unit scale."""
    if f.word("task") != "regression":
        return None
    spread, mean = f("target_spread"), f("target_mean")
    seen = max(
        above(tens(spread), 0.8, 1.6),
        below(tens(spread), -1.7, -2.7),
        above(tens(mean / max(spread, 1e-9)), 1.3, 2) * above(tens(mean), 0.8, 1.5),
    )
    wild = above(tens(max(spread, mean)), 1.6, 2.2)
    # the network may hold the scale itself: it does well, and did from the beginning
    if does_well(f, s) and f("loss_first") < 0.9 * f("baseline"):
        wild = 0.0
    strength = seen * (0.4 + 0.18 * wild + 0.4 * max(s.never, s.fails))
    if strength <= 0:
        return None
    reason = f"the targets' mean is {mean:.4g}, their spread {spread:.4g}"
    shown = [("spread of the targets", spread, "about 1"), ("mean", mean, "about 0")]
    return Suspicion("unscaled_targets", strength, reason, shown=shown, epoch=0)


@rule
def learning_rate_too_high(f: Facts, s: State) -> Suspicion | None:
    """Steps are long, and the loss grows, blows up, or stays where it was."""
    long = max(
        above(tens(f("update_early_max")), -1.3, -0.3),
        above(f("rate_effective"), 1.0, 1.8),
        above(tens(f("growth_max")), 0.5, 1.5),
    )
    rate = above(f("rate_effective"), 0.4, 1.3)
    blown = max(
        1.0 if s.diverged else 0.0,
        above(f("loss_last") / max(f("baseline"), 1e-9), 0.9, 1.2),
        above(f("loss_max") / max(f("baseline"), 1e-9), 3, 30),
    )
    strength = min(long, 0.35 + 0.65 * rate) * (
        0.35 * s.harm + 0.65 * max(s.fails, blown * s.harm)
    )
    if strength <= 0:
        return None
    reason = (
        f"the learning rate is {f('rate_median'):.3g}, an early update moved a layer "
        f"by {f('update_early_max'):.2g} of its size, and the loss ended at "
        f"{f('loss_last'):.3g}"
    )
    shown = [
        ("learning rate", f("rate_median"), f"{f('usual_rate'):.3g} by default"),
        ("early update / weights", f("update_early_max"), "about 0.001 to 0.03"),
        ("last loss / constant answer", f("loss_last") / f("baseline"), "well below 1"),
    ]
    return Suspicion("learning_rate_too_high", strength, reason, shown=shown)


@rule
def learning_rate_too_low(f: Facts, s: State) -> Suspicion | None:
    """The weights have hardly moved, by steps far shorter than usual."""
    low = below(f("rate_effective"), -0.9, -1.6)
    died = above(f("rate_died"), 1.0, 2.0)
    still = max(
        below(tens(f("drift")), -0.7, -1.4), below(tens(f("update_early")), -3.6, -4.3)
    )
    flat = above(f("rate_died"), 2.0, 2.8) * below(abs(f("loss_slope")), 2e-3, 5e-4)
    strength = max(low * (0.35 + 0.65 * still), died * (0.35 + 0.65 * max(still, flat)))
    # for most of the time nothing moved, and not because all was learned
    dead = above(f("rate_died"), 2.0, 2.8) * below(f("train_skill"), 0.95, 0.85)
    dead *= above(s.harm, 0.02, 0.15)
    strength *= max(0.1 + 0.9 * max(s.fails, 0.8 * s.harm), 0.75 * dead)
    if strength <= 0:
        return None
    reason = (
        f"over {f('updates'):.0f} updates the weights moved by {f('drift'):.2g} of "
        f"their size; the learning rate was {f('rate_max'):.2g}, at the end "
        f"{f('rate_last'):.2g}"
    )
    shown = [
        (
            "learning rate, median",
            f("rate_median"),
            f"{f('usual_rate'):.3g} by default",
        ),
        ("way of the weights / their size", f("drift"), "above 0.1"),
        ("early update / weights", f("update_early"), "about 0.001 to 0.03"),
    ]
    return Suspicion("learning_rate_too_low", strength, reason, shown=shown)


@rule
def undertrained(f: Facts, s: State) -> Suspicion | None:
    """The loss was still falling when training stopped."""
    slope = f("loss_slope")
    if np.isnan(slope):  # too few epochs for one
        first = f("loss_first") if f("epochs") > 1 else f("start_loss")
        slope = (f("loss_last") - first) / max(abs(first), 1e-9)
    falling = above(-slope, 0.004, 0.03)
    few = below(tens(f("updates")), 2.9, 2.0)
    short = below(f("epochs"), 15, 5)
    steady = below(f("loss_ups", 0.0), 0.4, 0.1)
    worse = min(1.0, 1.4 * s.fails)
    hardly = below(tens(f("updates")), 2.3, 1.7) * below(f("epochs"), 12, 5)
    strength = worse * max(falling * steady * max(few, short), 0.85 * hardly)
    # so steep that more epochs must help, however good it is by now
    steep = above(-slope, 0.06, 0.12) * below(f("epochs"), 12, 6) * steady
    reached = f("train_skill")
    if not f.known("reference"):  # many numbers at once: by the loss
        reached = 1 - f("loss_last") / f("baseline")
    steep *= below(reached, 0.9, 0.8) * above(reached, 0.0, 0.2)
    strength = max(strength, 0.8 * steep)
    strength *= above(f("rate_effective", 0.0), -1.6, -0.9)
    if f("val_rise") > 0.1:
        strength *= 0.4
    if strength <= 0:
        return None
    reason = (
        f"after {f('epochs'):.0f} epochs, {f('updates'):.0f} updates, the loss still "
        f"fell by {-100 * slope:.1f}% an epoch"
    )
    shown = [
        ("loss, change an epoch at the end", slope, "above -0.01"),
        ("updates", f("updates"), "500 and more"),
    ]
    return Suspicion("undertrained", strength, reason, shown=shown)


@rule
def overfitting(f: Facts, s: State) -> Suspicion | None:
    """The validation loss rises while the training loss goes on falling."""
    rise = above(f("val_rise"), 0.1, 0.5) * below(f("val_min_at"), 0.9, 0.65)
    losses = above(
        tens(f("val_loss_inference") / max(f("train_loss_inference"), 1e-9)), 0.25, 0.6
    )
    # memorized: right on training rows, and by far not so on others
    apart = above(f("train_skill") - f("val_skill"), 0.18, 0.4)
    fell = above(f("val_skill_best") - f("val_skill"), 0.03, 0.12)
    strength = losses * max(apart * (0.5 + 0.5 * rise), fell * rise)
    # the answers may stay as right while they get far too sure
    surer = above(f("val_rise"), 0.8, 1.2) * below(f("val_min_at"), 0.6, 0.4)
    surer *= losses * above(f("train_skill") - f("val_skill"), 0.12, 0.2)
    strength = max(strength, 0.8 * surer)
    strength *= above(f("train_skill"), 0.3, 0.6)
    # memorized, too, where rows are many, but better than simple learners
    lead = f("val_skill") - f("reference", f("val_skill"))
    strength *= 1 - 0.5 * (
        above(lead, 0.02, 0.07)
        * above(f("n_train"), 150, 300)
        * below(f("val_rise"), 2.5, 1.2)
    )
    if strength <= 0:
        return None
    reason = (
        f"the validation loss rose from {f('val_min'):.3g} to {f('val_last'):.3g} "
        f"while the training loss fell to {f('loss_last'):.3g}"
    )
    shown = [
        ("validation loss, last / least", 1 + f("val_rise"), "below 1.1"),
        ("score on training rows", f("train_skill"), ""),
        ("score on validation rows", f("val_skill"), "as on training rows"),
    ]
    epoch = int(f("best_epoch", 0))
    return Suspicion("overfitting", strength, reason, shown=shown, epoch=epoch)


@rule
def underfitting(f: Facts, s: State) -> Suspicion | None:
    """The network is small, has stopped to improve, and simple learners do better."""
    small = max(
        below(f("narrowest"), 8, 4),
        1.0 if f("hidden") == 0 else 0.0,
        below(tens(f("params")), 2.2, 1.6),
    )
    if f("hidden") == 0 and f("kernels") > 1:
        small = 0.3
    settled = above(f("loss_slope"), -0.03, -0.008)
    strength = s.fails * (0.3 + 0.7 * settled) * (0.2 + 0.8 * small)
    strength = min(1.0, 1.5 * strength)
    strength *= above(f("rate_effective", 0.0), -1.6, -0.9)
    if strength <= 0:
        return None
    reason = (
        f"a score of {f('train_skill'):.2f} even on training rows, where a forest of "
        f"trees reaches {max(f('reference'), f('reference_within')):.2f} on others"
    )
    shown = [
        ("score on training rows", f("train_skill"), ""),
        ("score of simple learners", f("reference"), "not above the network's"),
        ("units in the narrowest layer", f("narrowest"), "16 and more"),
    ]
    layer = f.word("narrowest_layer") or None
    return Suspicion("underfitting", strength, reason, layer, shown)


@rule
def missing_nonlinearity(f: Facts, s: State) -> Suspicion | None:
    """Of two rows and the row halfway, hidden layers make two and the one halfway."""
    bends = {"relu", "gelu", "elu", "selu", "leaky_relu", "swish", "silu", "relu6"}
    bends |= {"mish", "softplus", "prelu", "celu"}
    straight = f("hidden") >= 1 and f("bend") < 2e-3
    hidden = set(f._facts.get("activations", ())) - {f.word("output_activation")}
    straight = straight and not (bends | {"tanh", "sigmoid", "softsign"}) & hidden
    straight = straight and not bends & set(f._facts.get("activations", ()))
    # weights that have shrunk bend next to nothing, either; a straight line not at all
    straight = straight and (f("bend") < 1e-5 or not f("growth_min") < 0.3)
    if not straight and f("linear_layers", 0) < 1:
        return None
    strength = 0.75 + 0.25 * s.harm
    bent = max(f("reference", 0), f("reference_within", 0))
    if does_well(f, s) and f("reference_linear") >= bent - 0.01:
        strength *= 0.6  # a straight line is all that there is to learn
    reason = (
        f"{f('hidden'):.0f} hidden layers with weights, and no function that bends "
        "between them"
    )
    shown = [("bend: distance from halfway / distance", f("bend"), "above 0.05")]
    return Suspicion("missing_nonlinearity", strength, reason, shown=shown, epoch=0)


@rule
def over_regularized(f: Facts, s: State) -> Suspicion | None:
    """The penalty outweighs the loss, or the weights shrink away."""
    share = f("end_penalty") / max(f("end_loss"), 1e-9)
    strong = max(
        above(share, 0.35, 0.65) if f("penalty_rate", 0) > 0 else 0.0,
        above(tens(f("penalty_rate", 0)), -1.6, -0.9),
    )
    decay = above(f("weight_decay", 0) * f("rate_median", 0) * 1e3, 1.0, 10.0)
    shrunk = below(tens(f("growth_min")), -0.3, -0.9)
    strength = max(strong, decay * (0.5 + 0.5 * shrunk)) * (0.1 + 0.9 * s.fails)
    # a layer's weights are gone, and nothing was learned
    gone = below(tens(f("growth_min")), -1.3, -2.0) * below(f("val_skill"), 0.1, 0.02)
    gone *= above(tens(f("penalty_rate", 0)), -3.0, -2.0)
    strength = max(strength, 0.85 * gone)
    if strength <= 0:
        return None
    reason = (
        f"the penalty is {_percent(share)} of the loss, the weights shrank to "
        f"{_percent(f('growth_min'))} of their size"
    )
    shown = [
        ("penalty / loss at the end", share, "below 0.2"),
        ("strongest penalty", f("penalty_rate"), "below 0.01"),
        ("weight decay", f("weight_decay"), "below 0.1"),
        ("weights at the end / at the start", f("growth_min"), "about 1"),
    ]
    return Suspicion("over_regularized", strength, reason, shown=shown)


@rule
def dropout_too_high(f: Facts, s: State) -> Suspicion | None:
    """Most units are dropped, and the network cannot fit its training rows."""
    high = max(above(f("dropout"), 0.6, 0.8), below(f("dropout_kept"), 0.12, 0.04))
    strength = high * (0.25 + 0.75 * max(s.fails, s.never))
    if strength <= 0:
        return None
    layer = f.word("dropout_layer")
    reason = (
        f"{layer} drops {_percent(f('dropout'))} of its units, all together leave "
        f"{_percent(f('dropout_kept'))}"
    )
    shown = [("dropout rate", f("dropout"), "0.1 to 0.5")]
    return Suspicion("dropout_too_high", strength, reason, layer, shown, 0)


@rule
def class_imbalance(f: Facts, s: State) -> Suspicion | None:
    """One class is rare, and its examples are hardly ever recognized."""
    counts = f.word("output_loss") in NUMBERS and f("classes") > 2
    if f.word("task") not in ("binary", "multiclass") or counts:
        return None
    uneven = above(tens(f("imbalance")), 0.7, 1.1)
    recall = np.nanmin([f("val_rare_recall"), 1.0])
    if not np.isfinite(f("val_rare_recall")):
        recall = f("rare_recall")
    missed = below(recall, 0.6, 0.3)
    strength = uneven * missed
    if f.holds("class_weight") or f.holds("weighted"):
        strength *= 0.4
    if strength <= 0:
        return None
    reason = (
        f"the commonest class has {f('imbalance'):.1f} times as many rows as the "
        f"rarest, of which {_percent(recall)} are recognized"
    )
    shown = [
        ("commonest class / rarest", f("imbalance"), "below 5"),
        ("share of the rare class recognized", recall, "as of the others"),
    ]
    return Suspicion("class_imbalance", strength, reason, shown=shown)


@rule
def label_noise(f: Facts, s: State) -> Suspicion | None:
    """Even the rows of which a forest is surest often bear another label."""
    if f.word("task") not in ("binary", "multiclass"):
        return None
    sure = above(f("sure_error"), 0.16, 0.28)
    within = f("reference_within")
    something = above(max(within, f("reference")), 0.04, 0.15)
    # a hard task is wrong where it is unsure, noise is wrong everywhere
    even = above(f("sure_error") / f("reference_error"), 0.6, 0.75)
    even *= above(f("n_train"), 130, 300)
    cleaner = above(f("reference") - within, 0.12, 0.3)
    doubtful = below(f("val_skill"), 0.9, 0.7)
    strength = something * max(sure * max(doubtful, cleaner), 0.9 * cleaner * sure)
    strength *= even
    if f("imbalance", 1) > 5:
        strength *= 0.5
    if f("classes") == 2:
        # yes or no may well hang on more than the inputs tell, which looks the same:
        # it is told where validation rows are cleaner, or the noise was memorized
        learned = above(f("train_skill") - f("val_skill"), 0.15, 0.35)
        strength *= max(0.4 + 0.6 * learned, cleaner)
        strength *= max(above(max(within, f("reference")), 0.08, 0.2), cleaner)
    if strength <= 0:
        return None
    reason = (
        f"of the rows of which a forest of trees is surest, "
        f"{_percent(f('sure_error'))} bear another label"
    )
    shown = [
        ("sure and wrong, training rows", f("sure_error"), "below 0.05"),
        ("score of a forest, training rows left out", within, ""),
        ("score of simple learners, validation rows", f("reference"), "alike"),
    ]
    return Suspicion("label_noise", strength, reason, shown=shown, epoch=0)


@rule
def shuffled_labels(f: Facts, s: State) -> Suspicion | None:
    """Nobody learns anything from the training rows that holds for others."""
    if not f.known("reference_within"):
        return None
    enough = above(f("n_train"), 60, 150)
    nothing = below(f("reference_within"), 0.12, 0.04) * below(
        f("reference"), 0.15, 0.05
    )
    nothing *= below(f("val_skill", f("train_skill")), 0.2, 0.08)
    # where all is noisy, or a class rare, scores are near 0, but not the order
    beats = np.nanmax([f("reference_surplus"), f("val_surplus"), 0.0])
    others = above(f("reference_within_val"), 0.15, 0.3)
    nothing *= max(below(beats, 4.5, 3.0), others)
    strength = enough * nothing * (0.75 + 0.25 * others)
    if strength <= 0:
        return None
    reason = (
        f"neither the network nor a forest of trees ({f('reference_within'):.2f}) "
        "learns anything from the training rows that holds for others"
    )
    if others > 0.5:
        reason += (
            f"; from the validation rows it does ({f('reference_within_val'):.2f})"
        )
    shown = [
        (
            "score of a forest, training rows left out",
            f("reference_within"),
            "above 0.2",
        ),
        ("same, trained on validation rows", f("reference_within_val"), "alike"),
    ]
    return Suspicion("shuffled_labels", strength, reason, shown=shown, epoch=0)


@rule
def data_leakage(f: Facts, s: State) -> Suspicion | None:
    """Validation rows are training rows, or a column tells the answer."""
    shared = above(f("shared_rows"), 0.05, 0.25)
    ahead = f("one_column_skill") - f("second_column_skill", 0.0)
    alone = above(f("one_column_skill"), 0.93, 0.98) * above(ahead, 0.03, 0.15)
    if f.known("second_column_skill"):
        # not quite all of the answer, but far more than any other column tells
        most = above(f("one_column_skill"), 0.85, 0.92) * above(ahead, 0.5, 0.65)
        alone = max(alone, most)
    # a copy, noisy or not, lies close to the target itself
    alone *= 0.55 + 0.45 * above(f("one_column_likeness"), 0.6, 0.93)
    near = above(f("near_copies"), 0.1, 0.3)
    strength = max(shared, 0.95 * alone, 0.95 * near)
    if strength <= 0:
        return None
    if near > max(shared, alone):
        reason = (
            f"{_percent(f('near_copies'))} of the validation rows lie far closer to a "
            "training row than chance would have it: copies that were changed a little"
        )
        shown = [("share of validation rows all but copied", f("near_copies"), "0")]
    elif shared >= alone:
        reason = (
            f"{_percent(f('shared_rows'))} of the validation rows are training rows"
        )
        shown = [("share of validation rows in both", f("shared_rows"), "0")]
    else:
        reason = (
            f"column {f('one_column'):.0f} of the inputs alone tells the answer (score "
            f"{f('one_column_skill'):.3f})"
        )
        shown = [
            ("score of one column alone", f("one_column_skill"), "below 0.9"),
            ("score of the next best", f("second_column_skill"), ""),
        ]
    return Suspicion("data_leakage", strength, reason, shown=shown, epoch=0)


@rule
def preprocessing_mismatch(f: Facts, s: State) -> Suspicion | None:
    """Columns lie elsewhere, or spread otherwise, in the validation rows."""
    spread = above(f("part_spread"), 0.5, 1.2)
    moved = above(f("part_shift_share"), 0.15, 0.4) * above(f("part_shift"), 0.25, 0.7)
    other = below(f("means_agree"), 0.7, 0.2)
    other = max(other, below(f("spreads_agree"), 0.6, 0.1) * above(f("n_val"), 50, 100))
    tokens = above(f("tokens_apart"), 0.15, 0.35)
    if f.holds("whole_inputs"):
        spread = moved = other = 0.0
    # what holds for the one part does not for the other, though each can be learned
    apart = above(f("reference_within"), 0.25, 0.4) * above(
        f("reference_within_val"), 0.25, 0.4
    )
    apart *= below(f("reference") / max(f("reference_within"), 1e-9), 0.3, 0.0)
    strength = max(spread, moved, other, tokens, 0.95 * apart)
    # classes that are elsewhere shift the inputs, too
    if f("labels_apart") > 0.3 or f("targets_apart") > 1:
        strength *= 0.4
    strength *= 0.6 + 0.4 * s.apart
    if strength <= 0:
        return None
    if apart > max(spread, moved, other, tokens):
        reason = (
            f"training rows can be learned ({f('reference_within'):.2f}), validation "
            f"rows too ({f('reference_within_val'):.2f}), but what the ones teach does "
            f"not hold for the others ({f('reference'):.2f}): inputs or labels are "
            "coded otherwise"
        )
        shown = [
            ("score of a forest, training rows left out", f("reference_within"), ""),
            ("same, within validation rows", f("reference_within_val"), ""),
            ("of training rows on validation rows", f("reference"), "alike"),
        ]
    elif tokens == max(spread, moved, other, tokens):
        reason = (
            f"tokens occur otherwise in the validation rows ({f('tokens_apart'):.2f})"
        )
        shown = [("difference of the tokens' shares", f("tokens_apart"), "below 0.1")]
    else:
        reason = (
            f"columns of the validation rows lie {f('part_shift'):.2f} standard "
            f"deviations off on average, and spread {2 ** f('part_spread'):.2g} times "
            "more or less"
        )
        shown = [
            ("shift of a column / its spread, mean", f("part_shift"), "below 0.1"),
            ("log2 of the quotient of the spreads", f("part_spread"), "below 0.2"),
            ("correlation of the columns' means", f("means_agree"), "near 1"),
        ]
    return Suspicion("preprocessing_mismatch", strength, reason, shown=shown, epoch=0)


@rule
def not_shuffled(f: Facts, s: State) -> Suspicion | None:
    """Labels come in order, and training or the split depends on it."""
    task = f.word("task")
    in_order = above(f("sorted"), 0.4, 0.8)
    if task == "regression":
        in_order = above(f("monotone"), 0.6, 0.9)
    kept = 1.0 if f.holds("fit_known") and f("shuffle", 1) == 0 else 0.0
    split = max(
        above(f("labels_apart"), 0.3, 0.6),
        above(f("labels_unknown"), 0.2, 0.6),
        above(f("targets_apart"), 0.8, 1.5),
    )
    recent = above(f("recency"), 0.4, 0.8)
    strength = max(
        in_order * kept * (0.6 + 0.4 * s.apart),
        split * (0.55 + 0.45 * in_order),
        0.8 * in_order * recent,
    )
    if strength <= 0:
        return None
    said = []
    if in_order > 0.3:
        said.append("rows that follow each other have like labels")
    if kept:
        said.append("fit was told not to shuffle")
    if split > 0.3:
        said.append("the validation rows have other labels than the training rows")
    shown = [
        ("labels alike one after another", f("sorted"), "near 0"),
        ("share of labels that differ between parts", f("labels_apart"), "below 0.1"),
    ]
    reason = "; ".join(said) or "the last rows are recognized, the first are not"
    return Suspicion("not_shuffled", strength, reason, shown=shown, epoch=0)


@rule
def batchnorm_misuse(f: Facts, s: State) -> Suspicion | None:
    """What was learned with a batch's statistics is gone with the averaged ones."""
    if not f("batchnorm", 0):
        return None
    apart = above(f("modes_apart"), 0.6, 2.0) * (0.2 + 0.8 * s.harm)
    rows = f("batch_size")
    if np.isnan(rows):
        rows = f("n_train") / f("steps")
    tiny = below(rows, 7, 3) * (0.5 + 0.5 * max(s.harm, s.fails))
    slow = 0.0
    caught_up = 1 - f("batchnorm_momentum") ** max(f("updates", 1), 1)
    if f("batchnorm_momentum") > 0.99:
        slow = below(caught_up, 0.7, 0.3) * (0.5 + 0.5 * s.harm)
    quick = below(f("batchnorm_momentum_low"), 0.3, 0.05) * (0.4 + 0.6 * s.harm)
    epsilon = above(tens(f("batchnorm_epsilon")), -1.3, -0.3) * 0.9
    last = 0.7 + 0.3 * s.harm if f.holds("batchnorm_last") else 0.0
    still = 0.7 if f.holds("batchnorm_frozen") and s.harm > 0.2 else 0.0
    parts = {
        f"the loss is {f('loss_by_average'):.3g} with averaged statistics, "
        f"{f('loss_by_batch'):.3g} with the batch's": apart,
        f"batches of {rows:.0f} are too few for statistics": tiny,
        f"with momentum {f('batchnorm_momentum'):.5g} the averages have come "
        f"{_percent(caught_up)} of their way": slow,
        f"momentum {f('batchnorm_momentum_low'):.3g} makes the averages the last "
        "batch's": quick,
        f"epsilon {f('batchnorm_epsilon'):.3g} undoes the scaling": epsilon,
        "it stands after the last layer with weights": last,
        "it is frozen": still,
    }
    reason, strength = max(parts.items(), key=lambda part: part[1])
    if strength <= 0:
        return None
    shown = [
        ("loss, averaged statistics", f("loss_by_average"), ""),
        ("loss, the batch's statistics", f("loss_by_batch"), "alike"),
        ("momentum", f("batchnorm_momentum"), "0.9 to 0.99"),
        ("batch size", rows, "16 and more"),
    ]
    return Suspicion(
        "batchnorm_misuse", strength, reason, f.word("batchnorm_layer") or None, shown
    )


@rule
def oscillation(f: Facts, s: State) -> Suspicion | None:
    """The loss goes up and down instead of settling."""
    if f("epochs") < 5:
        return None
    swing = max(
        above(f("val_jitter"), 0.06, 0.2) * above(f("val_ups"), 0.2, 0.4),
        above(f("loss_jitter"), 0.03, 0.12) * above(f("loss_ups"), 0.15, 0.35),
    )
    long = above(f("rate_effective"), 0.3, 1.2)
    strength = swing * (0.35 + 0.65 * long) * (0.3 + 0.7 * max(s.harm, s.fails))
    if f("loss_last") < 0.05 * f("loss_first"):
        strength *= 0.5
    if strength <= 0:
        return None
    reason = (
        f"the loss rose in {_percent(f('loss_ups'))} of the epochs, the validation "
        f"loss in {_percent(f('val_ups'))}, typically by {_percent(f('val_swing'))}"
    )
    shown = [
        ("share of epochs with a rise, loss", f("loss_ups"), "below 0.2"),
        ("swing of the validation loss", f("val_jitter"), "below 0.05"),
        ("learning rate", f("rate_median"), f"{f('usual_rate'):.3g} by default"),
    ]
    return Suspicion("oscillation", strength, reason, shown=shown)


@rule
def padding_not_masked(f: Facts, s: State) -> Suspicion | None:
    """A recurrent layer reads zeros at the end of most rows."""
    if not f.holds("recurrent") or f.holds("masks") or not f("padding_varies", 0):
        return None
    much = above(f("padding_after"), 0.2, 0.5)
    most = above(f("padding_after"), 0.6, 0.8) * below(f("train_skill"), 0.95, 0.8)
    strength = much * max(0.45 + 0.55 * max(s.never, s.fails), 0.6 * most)
    if strength <= 0:
        return None
    reason = f"{_percent(f('padding_after'))} of all steps are padding after the end"
    shown = [("share of steps after the end", f("padding_after"), "masked, or few")]
    return Suspicion("padding_not_masked", strength, reason, shown=shown, epoch=0)


# --- together ------------------------------------------------------------------------

EXPLAINS = {
    "nonfinite_data": 0.2,
    "label_encoding": 0.5,
    "wrong_output_activation": 0.5,
    "wrong_loss": 0.5,
    "from_logits_mismatch": 0.5,
    "preprocessing_mismatch": 0.6,
    "not_shuffled": 0.6,
    "unscaled_inputs": 0.75,
    "unscaled_targets": 0.75,
    "shuffled_labels": 0.5,
    "label_noise": 0.7,
    "frozen_layers": 0.7,
    "bad_initialization": 0.8,
    "missing_nonlinearity": 0.7,
    "padding_not_masked": 0.85,
    "data_leakage": 0.8,
    "batchnorm_misuse": 0.75,
}
"""By what all others are multiplied where a cause is certain that explains them."""
PAIRING = {
    "label_encoding",
    "wrong_output_activation",
    "wrong_loss",
    "from_logits_mismatch",
}
"""Names of one fault, more often than not: none of them explains another away."""


def _of_sign(sign: Sign, f: Facts, s: State) -> Suspicion:
    strength = sign.strength
    if sign.cause == "bad_initialization":
        # zeros in a branch of a residual network are a choice that works
        strength *= 0.4 + 0.6 * max(s.never, s.fails)
    if sign.cause == "frozen_layers" and s.never == 0 and f.known("val_skill"):
        strength *= 0.45 if does_well(f, s) else 0.8
    if sign.cause == "wrong_loss" and sign.strength == NUMBERED:
        # names of classes, not counts: a forest tells them apart, the numbers do not
        crisp = above(f("reference"), 0.5, 0.8)
        strength += 0.4 * crisp * above(f("reference") - f("val_skill"), 0.08, 0.18)
    return Suspicion(sign.cause, strength, sign.reason, sign.layer, epoch=0)


SMALLER = {"underfitting": 0.7, "shuffled_labels": 0.75}
"""What is thought of last: by what these are multiplied beside a cause that explains
why nothing was learned."""
HINDERING = {
    "vanishing_gradients",
    "exploding_gradients",
    "saturated_activations",
    "bad_initialization",
    "learning_rate_too_high",
    "learning_rate_too_low",
    "over_regularized",
    "dropout_too_high",
}


def _yield_to(found: dict[str, Suspicion]) -> None:
    """Let what is thought of last give way to what is seen."""
    seen = any(c in HINDERING and one.strength >= 0.7 for c, one in found.items())
    for cause, factor in SMALLER.items():
        if seen and cause in found:
            found[cause].strength *= factor
    rare = found.get("class_imbalance")
    for cause in ("undertrained", "underfitting"):  # a rare class, not all of them
        if rare is not None and rare.strength >= 0.6 and cause in found:
            found[cause].strength *= 0.75


def suspicions(facts: Mapping[str, Any], signs: list[Sign]) -> list[Suspicion]:
    """Return what the evidence speaks for, the strongest first.

    Parameters
    ----------
    facts : mapping
    signs : list of Sign

    Returns
    -------
    list of Suspicion
        One for each cause at most.
    """
    f = Facts(facts)
    found: dict[str, Suspicion] = {}
    with np.errstate(all="ignore"):
        s = state(f)
        told = [_of_sign(sign, f, s) for sign in signs] + [r(f, s) for r in RULES]
    for one in told:
        if one is None or not one.strength > 0:
            continue
        if one.cause not in found or found[one.cause].strength < one.strength:
            found[one.cause] = one
    _yield_to(found)
    if s.diverged and not any(one.strength >= REPORTED for one in found.values()):
        reason = "the loss is no longer a number"
        found["exploding_gradients"] = Suspicion("exploding_gradients", 0.6, reason)
    raw = {cause: one.strength for cause, one in found.items()}
    for cause, one in found.items():
        for other, factor in EXPLAINS.items():
            certain = other != cause and raw.get(other, 0) >= 0.9
            alike = {cause, other} <= PAIRING or (
                cause in EXPLAINS and raw[cause] >= 0.9
            )
            if certain and not alike:
                one.strength *= factor
    return sorted(found.values(), key=lambda one: -one.strength)


def diagnose(evidence: Evidence) -> list[Finding]:
    """Return the findings that evidence leads to, the likeliest first."""
    epochs = int(evidence.facts.get("epochs") or 0)
    findings = []
    for one in suspicions(evidence.facts, evidence.signs):
        if one.strength < REPORTED:
            continue
        cause = CAUSES[one.cause]
        epoch = epochs if one.epoch is None else one.epoch
        shown = [
            (what, value, usual)
            for what, value, usual in one.shown
            if np.isfinite(value)
        ]
        frame = pd.DataFrame(
            {
                "epoch": epoch,
                "layer": one.layer,
                "what": [what for what, _, _ in shown] or [one.reason],
                "value": [float(value) for _, value, _ in shown] or [np.nan],
                "usual": [usual for _, _, usual in shown] or [""],
            }
        )
        findings.append(
            Finding(
                one.cause,
                float(np.interp(one.strength, *CALIBRATION)),
                one.layer,
                frame,
                epoch,
                cause.remedy,
                cause.chapter,
                one.reason,
            )
        )
    return findings
