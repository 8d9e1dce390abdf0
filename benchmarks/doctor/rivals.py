"""The rules of others, written anew from their papers and documentation.

They are given what they ask for: readings, curves and weights of the same recordings.
Each returns the causes that it would name, in its own order; an empty list is silence.

AutoTrainer: X. Zhang, J. Zhai, S. Ma, C. Shen, "AUTOTRAINER: An Automatic DNN Training
Problem Detection and Repair System", ICSE 2021, section III: vanishing gradient,
exploding gradient, dying ReLU, oscillating loss, slow convergence, on networks that
do not reach their accuracy. SageMaker Debugger: Amazon's list of built-in rules and the
defaults of their parameters.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def always(facts: Mapping[str, Any], logs: list[dict]) -> list[str]:
    """Warn of everything, the commonest first: recall of 1, and what it is worth."""
    return ["learning_rate_too_high", "overfitting"]


def autotrainer(facts: Mapping[str, Any], logs: list[dict]) -> list[str]:
    """Apply AutoTrainer's five symptoms with the defaults of its paper."""
    known = _reader(facts)
    found = []
    accuracy = known("accuracy_last")
    if not np.isfinite(accuracy):
        skill = known("train_skill")
        accuracy = skill if np.isfinite(skill) else 0.0
    # where training does well enough, nothing is looked at
    poor = accuracy < 0.6 or bool(facts.get("loss_nan"))
    if facts.get("loss_nan") or known("most_gradient_total") > 70:
        found.append("exploding_gradients")
    if poor and min(known("start_gradient_ratio"), known("end_gradient_ratio")) < 1e-3:
        found.append("vanishing_gradients")
    if poor and known("most_dead_worst") >= 0.7:
        found.append("dying_relu")
    curve = np.array([log.get("accuracy", np.nan) for log in logs])
    if not np.isfinite(curve).all() and logs:
        loss = np.array([log.get("loss", np.nan) for log in logs])
        size = np.nanmax(np.abs(loss)) if np.isfinite(loss).any() else 1.0
        curve = -loss / max(size, 1e-9)
    if len(curve) > 2:
        swings = 0
        steps = np.diff(curve)
        for one, other in itertools.pairwise(steps):
            swings += one * other < 0 and min(abs(one), abs(other)) >= 0.03
        if swings >= 0.2 * len(curve):
            found.append("oscillation")
    if poor and np.isfinite(curve).any() and np.nanmax(curve) - curve[0] < 0.01:
        found.append("learning_rate_too_low")
    return found


def sagemaker(facts: Mapping[str, Any], logs: list[dict]) -> list[str]:
    """Apply SageMaker Debugger's built-in rules with the defaults of its documentation.

    DeadRelu, Tanh saturation, ExplodingTensor, VanishingGradient, WeightUpdateRatio,
    PoorWeightInitialization, LossNotDecreasing, Overfit, ClassImbalance.
    """
    known = _reader(facts)
    found = []
    if facts.get("loss_nan") or not facts.get("finite", True):
        found.append("exploding_gradients")
    if known("end_gradient_max") < 1e-7:
        found.append("vanishing_gradients")
    if known("most_dead_worst") > 0.5:
        found.append("dying_relu")
    if known("most_saturated_worst") > 0.5:
        found.append("saturated_activations")
    ratio = known("update_early")
    if ratio > 10:
        found.append("learning_rate_too_high")
    if ratio < 1e-8:
        found.append("learning_rate_too_low")
    spread = known("start_gradient_ratio")
    if spread > 10 or spread < 0.1:
        found.append("bad_initialization")
    loss = np.array([log.get("loss", np.nan) for log in logs])
    if len(loss) > 1:
        fell = (loss[:-1] - loss[1:]) / np.maximum(np.abs(loss[:-1]), 1e-9)
        if np.mean(fell < 0.001) > 0.5:
            found.append("undertrained")
    validation = np.array([log.get("val_loss", np.nan) for log in logs])
    if len(loss) and np.isfinite(validation[-1:]).all():
        with np.errstate(all="ignore"):
            if (validation[-1] - loss[-1]) / abs(loss[-1]) > 0.1:
                found.append("overfitting")
    if known("imbalance") > 10:
        found.append("class_imbalance")
    return found


def _reader(facts: Mapping[str, Any]) -> Callable[[str], float]:
    def known(name: str) -> float:
        value = facts.get(name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(value) if number else float("nan")

    return known


RIVALS = {
    "always warn": always,
    "AutoTrainer's rules": autotrainer,
    "SageMaker Debugger's rules": sagemaker,
}
