"""The exercises on residual connections, against right and wrong answers."""

import numpy as np
import pytest
from exercise_answers import says, solution_answers
from keras import layers

from nnperf_utils.exercises import residual_connections as exercises

# --------------------------------------------------------------------------------------
# 2  branch_strength
# --------------------------------------------------------------------------------------


def test_strength_another_right_way():
    def by_logarithms(blocks, growth):
        return np.sqrt(np.expm1(np.log(growth) / blocks))

    assert says(exercises.branch_strength.judge(by_logarithms), "correct", "1/√L")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda blocks, growth: growth ** (1 / blocks) - 1, "square of the strength"),
        (lambda blocks, growth: growth ** (0.5 / blocks), "skip brings one of it"),
        (lambda blocks, growth: growth ** (1 / blocks), "multiplies the variance"),
        (lambda blocks, growth: ((growth - 1) / blocks) ** 0.5, "same amount"),
        (lambda blocks, growth: (growth / blocks) ** 0.5, "share the growth out"),
        (lambda blocks, growth: blocks**-0.5, "does not ask which"),
        (lambda blocks, growth: 1.0, "for 3 blocks that multiply the variance by 1.33"),
        (lambda blocks, growth: print(end=""), "returns nothing"),
        (lambda blocks, growth: np.nan, "nan"),
        (lambda blocks, growth: [1, 2], "returns 2 numbers"),
        (lambda blocks: 1.0, "takes `(blocks)`"),
        (0.16, "a function of `blocks` and `growth`"),
    ],
)
def test_strength_wrong(wrong, message):
    assert says(exercises.branch_strength.judge(wrong), "not yet", message)


# --------------------------------------------------------------------------------------
# 3  run_blocks
# --------------------------------------------------------------------------------------


def run(h, weights, cut, *, first=1, skip=1, inverted=False, lost=False, last=False):
    for number, matrix in enumerate(weights, start=first):
        if (number in cut) != inverted:
            h = 0 * h if lost else h
        elif last:
            h = h + np.maximum(h @ matrix, 0)
        else:
            h = skip * h + np.maximum(h, 0) @ matrix
    return h


def test_blocks_another_right_way():
    def by_masks(h, weights, cut):
        for number in range(len(weights)):
            h += (number + 1 not in cut) * (h * (h > 0)) @ weights[number]
        return h

    for right in (run, by_masks, lambda *a: run(*a).tolist()):
        assert says(exercises.run_blocks.judge(right), "correct", "never seen")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda *a: run(*a, first=0), "count the blocks from 0"),
        (lambda *a: run(*a, inverted=True), "leave out the others"),
        (lambda *a: run(*a, skip=0), "no skip"),
        (lambda *a: run(*a, lost=True), "Its skip is left"),
        (lambda *a: run(*a, last=True), "it comes first"),
        (lambda h, weights, cut: run(h, weights, ()), "whatever is cut"),
        (lambda h, weights, cut: h, "is not the right one"),
        (lambda h, weights, cut: h[0], "of shape (6, 2) it returns one of shape (2,)"),
        (lambda h, weights, cut: None, "returns nothing"),
        (lambda h, weights, cut: h @ weights, "one of shape (1, 6, 2)"),
        (lambda h, weights: h, "takes `(h, weights)`"),
    ],
)
def test_blocks_wrong(wrong, message):
    assert says(
        exercises.run_blocks.judge(lambda h, weights, cut: wrong(h, weights, cut))
        if wrong.__code__.co_argcount != 2
        else exercises.run_blocks.judge(wrong),
        "not yet",
        message,
    )


# --------------------------------------------------------------------------------------
# 4  start_as_identity
# --------------------------------------------------------------------------------------


def make(
    first="he_normal",
    second="zeros",
    *,
    after=None,
    skip=None,
    projected=None,
    has_skip=True,
    deep=True,
):
    def block(h, units):
        f = layers.Dense(units, "relu", kernel_initializer=first)(h) if deep else h
        f = layers.Dense(units, after, kernel_initializer=second)(f)
        if not has_skip:
            return f
        if h.shape[-1] != units:
            h = layers.Dense(units, projected)(h)
        if skip:
            h = layers.Activation(skip)(h)
        return layers.Add()([h, f])

    return block


def test_block_right():
    (solution,) = solution_answers(exercises.start_as_identity)
    for right in (solution, make(), make("glorot_uniform")):
        assert says(exercises.start_as_identity.judge(right), "correct", "shallow one")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (make(second="he_normal"), "does not put out zeros"),
        (make("zeros", "zeros"), "nothing learns"),
        (make("zeros", "zeros", after="relu"), "nothing learns"),
        (make(skip="relu"), "passes ReLU"),
        (make(projected="relu"), "not linear"),
        (make(has_skip=False), "no skip"),
        (make(deep=False), "1 trainable matrices"),
        (lambda h, units: h, "puts out 8"),
        (lambda h, units: str(h), "type `str`"),
        (lambda h: h, "takes `(h)`"),
    ],
)
def test_block_wrong(wrong, message):
    assert says(exercises.start_as_identity.judge(wrong), "not yet", message)
