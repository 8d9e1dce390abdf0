"""The exercises on little data, against right and wrong answers."""

import numpy as np
import pytest
from exercise_answers import says

from nnperf_utils.distillation import softened
from nnperf_utils.ensembles import decomposition
from nnperf_utils.exercises import transfer_and_ensembles as exercises

# --------------------------------------------------------------------------------------
# 2  ambiguity
# --------------------------------------------------------------------------------------


def test_ambiguity_other_right_ways():
    for right in (
        lambda p: p.var(axis=0).sum(axis=-1).mean(),
        lambda p: decomposition(p, np.zeros(p.shape[1:])).ambiguity,
    ):
        assert says(exercises.ambiguity.judge(right), "correct", "without having")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda p: ((p - p.mean(0)) ** 2).mean(), "over the classes, too"),
        (lambda p: p.var(axis=0).sum(-1).mean() * len(p), "sum over the members"),
        (lambda p: np.linalg.norm(p - p.mean(0), axis=-1).mean(), "has its square"),
        (lambda p: p.var(axis=0, ddof=1).sum(-1).mean(), "one less than"),
        (lambda p: p.var(axis=1).sum(-1).mean(), "mean over the examples"),
        (lambda p: 0.1, "the right answer is 0.5"),
        (lambda p: p.mean(axis=0), "numbers"),
        (lambda p: print(end=""), "returns nothing"),
        (lambda p, y: 0.0, "takes `(p, y)`"),
        (0.5, "a function of `predictions`"),
    ],
)
def test_ambiguity_wrong(wrong, message):
    assert says(exercises.ambiguity.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  soften
# --------------------------------------------------------------------------------------


def by_logits(shares, temperature):
    logits = np.log(shares) / temperature
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def test_soften_other_right_ways():
    for right in (by_logits, softened):
        assert says(exercises.soften.judge(right), "correct", "stays zero")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda p, t: p ** (1 / t), "do not sum to one"),
        (lambda p, t: by_logits(p, 1 / t), "is turned"),
        (lambda p, t: by_logits(np.exp(p), t), "divide the probabilities"),
        (lambda p, t: p ** (1 / t) / (p ** (1 / t)).sum(), "over all examples"),
        (lambda p, t: p / t, "no shares at all"),
        (lambda p, t: p, "the right ones are 0.667, 0.333"),
        (lambda p, t: p.sum(-1), "of shape (1,)"),
        (lambda p, t: print(end=""), "returns nothing"),
        (lambda p: p, "takes `(p)`"),
        (2.0, "a function of `shares` and `temperature`"),
    ],
)
def test_soften_wrong(wrong, message):
    assert says(exercises.soften.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 4  take_over
# --------------------------------------------------------------------------------------

BODY = ("first", "norm")


def copy(new, old, layers=BODY, freeze=BODY):
    for name in layers:
        new.get_layer(name).set_weights(old.get_layer(name).get_weights())
    for name in freeze:
        new.get_layer(name).trainable = False
    return new


def kernels_alone(new, old):
    for name in BODY:
        pairs = zip(
            new.get_layer(name).trainable_variables,
            old.get_layer(name).trainable_variables,
            strict=True,
        )
        for one, other in pairs:
            one.assign(other)
    return copy(new, old, layers=())


def spoils_head(new, old):
    new.get_layer("head").set_weights(
        [0 * a for a in new.get_layer("head").get_weights()]
    )
    return copy(new, old)


def spoils_old(new, old):
    old.set_weights([0 * a for a in old.get_weights()])
    return copy(new, old)


def test_take_over_another_right_way():
    def right(new, old):
        return copy(new, old)

    assert says(exercises.take_over.judge(right), "correct", "Compile after this")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda new, old: copy(new, old, freeze=()), "'first' is not frozen"),
        (lambda new, old: copy(new, old, freeze=BODY[:1]), "'norm' is not frozen"),
        (lambda new, old: copy(new, old, freeze=(*BODY, "head")), "head is frozen"),
        (lambda new, old: copy(new, old, layers=BODY[:1]), "'norm' is not taken over"),
        (lambda new, old: copy(new, old, layers=()), "'first' is not taken over"),
        (kernels_alone, "moving statistics"),
        (spoils_head, "weights of the new head"),
        (spoils_old, "changes the old model"),
        (lambda new, old: copy(new, old) and None, "returns nothing"),
        (lambda new, old: old, "returns the old model"),
        (lambda new, old: 3, "something else"),
        (lambda model: model, "takes `(model)`"),
        (3, "a function of `new` and `old`"),
    ],
)
def test_take_over_wrong(wrong, message):
    def answer(new, old):
        return wrong(new, old)

    given = answer if callable(wrong) and wrong.__code__.co_argcount >= 2 else wrong
    assert says(exercises.take_over.judge(given), "not yet", message)
