"""The exercises of the chapter on gradient checking and clipping."""

import numpy as np
import pytest
import tensorflow as tf
from exercise_answers import says

from nnperf_utils.exercises import gradient_clipping as exercises

NAN = float("nan")


# --------------------------------------------------------------------------------------
# 1  clip_by_global_norm
# --------------------------------------------------------------------------------------


def norm_of(gradients):
    return np.sqrt(sum(np.sum(np.square(g)) for g in gradients))


def times(gradients, factor):
    return [g * factor for g in gradients]


def in_place(gradients, threshold):
    factor = threshold / max(norm_of(gradients), threshold)
    for g in gradients:
        g *= factor
    return gradients


def test_clip_alternatives():
    def with_if(gradients, threshold):
        norm = np.linalg.norm(np.concatenate([g.ravel() for g in gradients]))
        if norm <= threshold:
            return gradients
        return tuple(threshold * g / norm for g in gradients)

    def by_tensorflow(gradients, threshold):
        return tf.clip_by_global_norm([tf.constant(g) for g in gradients], threshold)[0]

    def by_minimum(gradients, threshold):
        return times(gradients, min(1, threshold / norm_of(gradients)))

    for right in (with_if, by_tensorflow, by_minimum):
        assert says(exercises.clip_by_global_norm.judge(right), "correct", "direction")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda g, c: times(g, c / norm_of(g)), "rescales every gradient"),
        (
            lambda g, c: [a * min(1, c / np.linalg.norm(a)) for a in g],
            "as `clipnorm` does",
        ),
        (lambda g, c: [np.clip(a, -c, c) for a in g], "by value"),
        (
            lambda g, c: times(g, min(1, c / sum(np.linalg.norm(a) for a in g))),
            "adds up the norms",
        ),
        (lambda g, c: times(g, min(1, c / norm_of(g) ** 2)), "the root is missing"),
        (lambda g, c: times(g, min(1, norm_of(g) / c)), "upside down"),
        (lambda g, c: times(g, float(norm_of(g) <= c)), "drops what is too long"),
        (lambda g, c: g, "comes back with the norm 5 at a threshold of 1"),
        (lambda g, c: times(g, min(norm_of(g), c) / norm_of(g)), "all zeros"),
        (in_place, "changes the arrays"),
        (lambda g, c: norm_of(g), "of type `float64`"),
        (lambda g, c: g[:1], "must stay the same"),
        (lambda g, c: np.concatenate([a.ravel() for a in g]), "must stay the same"),
        (lambda g, c: ["a", "b"], "a list of arrays"),
        (lambda g, c: print(end=""), "returns nothing"),
        (lambda g, c: g / c, "TypeError"),
        (lambda g: g, "takes `(g)`"),
        (1.0, "a function of `gradients` and `threshold`"),
    ],
)
def test_clip_wrong(wrong, message):
    assert says(exercises.clip_by_global_norm.judge(wrong), "not yet", message)


def test_clip_starter_is_not_attempted():
    def clip(gradients, threshold):
        return ...

    assert exercises.clip_by_global_norm.judge(clip).status == "not attempted"


# --------------------------------------------------------------------------------------
# 2  wrong_gradients
# --------------------------------------------------------------------------------------


def numeric(w, step=1e-5):
    return np.array(
        [
            (exercises.loss(w + move) - exercises.loss(w - move)) / (2 * step)
            for move in step * np.eye(4)
        ]
    )


@pytest.mark.parametrize("seed", range(10))
def test_suspects_are_as_wrong_as_the_exercise_says(seed):
    w = np.random.default_rng(seed).normal(size=4)
    errors = {
        name: np.linalg.norm(g(w) - numeric(w)) / np.linalg.norm(numeric(w))
        for name, g in exercises.suspects.items()
    }
    assert errors["Ada"] < 1e-8
    assert errors["Eve"] < 1e-5
    assert min(errors[name] for name in ("Bob", "Cleo", "Dan")) > 1e-3


def test_dan_looks_right_at_ones():
    ones = np.ones(4)
    np.testing.assert_allclose(exercises.suspects["Dan"](ones), numeric(ones), 1e-6)


@pytest.mark.parametrize(
    "right",
    [["Dan", "Bob", "Cleo"], ("bob", "cleo", "dan"), np.array(["Bob", "Cleo", "Dan"])],
)
def test_wrong_gradients_alternatives(right):
    assert says(exercises.wrong_gradients.judge(right), "correct", "factor 2")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"Bob", "Cleo"}, "where else have you looked"),
        ({"Bob"}, "two more are wrong"),
        ({"Bob", "Dan"}, "one more is wrong"),
        ({"Bob", "Cleo", "Dan", "Eve"}, "single precision"),
        ({"Ada", "Bob", "Cleo", "Dan"}, "you accuse Ada"),
        ("Bob", "two more"),
        (set(), "is empty"),
        ({"Zoe"}, "no suspect 'Zoe'"),
        ({"Bob": True}, "a dictionary"),
        (3, "of type `int`"),
        (exercises.suspects["Bob"], "of type `function`"),
    ],
)
def test_wrong_gradients_wrong(wrong, message):
    assert says(exercises.wrong_gradients.judge(wrong), "not yet", message)


def test_loss_of_the_wrong_shape():
    with pytest.raises(ValueError, match="four weights"):
        exercises.loss(np.ones(3))


# --------------------------------------------------------------------------------------
# 3  what_clipping_buys
# --------------------------------------------------------------------------------------

GOOD = [0.1, 0.2, 0.3, 0.4, 0.5]
BAD = [0.1, 0.2, 0.3, NAN, 0.5]
WORSE = [0.1, 0.2, 0.3, 0.4, 2.0]
PLAIN = {0.1: GOOD, 0.2: BAD}
CLIPPED = {0.1: GOOD, 0.2: GOOD, 0.4: GOOD, 0.8: WORSE}


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((PLAIN, CLIPPED, (0.1, 0.4)), "4 times the learning rate"),
        ((PLAIN, CLIPPED, [np.float32(0.1), 0.4]), "4 times"),
        ((PLAIN, PLAIN, (0.1, 0.1)), "buys this network nothing"),
        ((CLIPPED, PLAIN, (0.4, 0.1)), "costs this network a factor of 4"),
        ((dict(reversed(CLIPPED.items())), CLIPPED, (0.4, 0.4)), "nothing"),
        (({**PLAIN, 0.4: GOOD}, CLIPPED, (0.1, 0.4)), "4 times"),
    ],
)
def test_buys_right(answers, message):
    assert says(exercises.what_clipping_buys.judge(*answers), "correct", message)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((PLAIN, CLIPPED, (0.4, 0.1)), "wrong order"),
        ((PLAIN, CLIPPED, (0.2, 0.4)), "of `plain` up to which no run is lost is 0.1"),
        ((PLAIN, CLIPPED, (0.1, 0.8)), "of `clipped` up to which"),
        ((PLAIN, CLIPPED, 4), "a pair of learning rates"),
        ((PLAIN, CLIPPED, (0.1,)), "a pair of learning rates"),
        ((PLAIN, {0.1: GOOD, 0.2: GOOD}, (0.1, 0.2)), "Go on doubling"),
        ((PLAIN, {0.1: GOOD, 0.8: BAD}, (0.1, 0.1)), "goes from 0.1 to 0.8"),
        ((PLAIN, {0.2: GOOD, 0.4: BAD}, (0.1, 0.2)), "begin at 0.1"),
        (({0.1: BAD}, CLIPPED, (0.1, 0.4)), "lost at 0.1 already"),
        (({0.1: GOOD[:3], 0.2: BAD}, CLIPPED, (0.1, 0.4)), "3 values at 0.1"),
        (({0.1: [0.2] * 5, 0.2: BAD}, CLIPPED, (0.1, 0.4)), "one seed repeated"),
        (({0.1: [-1, *GOOD], 0.2: BAD}, CLIPPED, (0.1, 0.4)), "negative"),
        (({"sgd": GOOD}, CLIPPED, (0.1, 0.4)), "no learning rate"),
        (({0.1: "good"}, CLIPPED, (0.1, 0.4)), "are no numbers"),
        (({}, CLIPPED, (0.1, 0.4)), "`plain` is empty"),
        ((GOOD, CLIPPED, (0.1, 0.4)), "make it a dictionary"),
    ],
)
def test_buys_wrong(answers, message):
    assert says(exercises.what_clipping_buys.judge(*answers), "not yet", message)


def test_buys_starter_is_not_attempted():
    assert exercises.what_clipping_buys.judge(..., ..., ...).status == "not attempted"
