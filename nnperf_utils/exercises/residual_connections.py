"""Exercises of the chapter on residual connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from nnperf_utils.engine.starts import preserved_random_state
from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_array,
    returned_number,
)

__all__ = ["branch_strength", "run_blocks", "start_as_identity"]


# --------------------------------------------------------------------------------------
# 2  The strength of a branch
# --------------------------------------------------------------------------------------


def _strength(blocks: int, growth: float) -> float:
    return np.sqrt(growth ** (1 / blocks) - 1)


_WRONG_STRENGTHS: list[tuple[Callable[[int, float], float], str]] = [
    (
        lambda blocks, growth: growth ** (1 / blocks) - 1,
        "that is the square of the strength: a branch times b adds b² times the "
        "variance",
    ),
    (
        lambda blocks, growth: np.sqrt(growth ** (1 / blocks)),
        "you take the whole factor of a block for the branch's part. The skip brings "
        "one of it",
    ),
    (
        lambda blocks, growth: growth ** (1 / blocks),
        "that is the factor by which a block multiplies the variance. How strong must "
        "the branch be to make it?",
    ),
    (
        lambda blocks, growth: np.sqrt((growth - 1) / blocks),
        "you let each block add the same amount. It adds a share of what is there: "
        "the factors multiply",
    ),
    (
        lambda blocks, growth: np.sqrt(growth / blocks),
        "you share the growth out among the blocks. Their factors multiply, and each "
        "of them is 1 + b²",
    ),
    (
        lambda blocks, growth: 1 / np.sqrt(blocks),
        "that is right for one growth alone, about e. Yours does not ask which is "
        "wanted",
    ),
]


@exercise(
    hints=[
        "A block multiplies the variance by 1 + b². By what do two blocks multiply it?",
        "`blocks` of them multiply it by `(1 + b**2) ** blocks`, and that is to be "
        "`growth`. Solve for b.",
    ],
    solution="""
def branch_strength(blocks, growth):
    return (growth ** (1 / blocks) - 1) ** 0.5
""",
)
def branch_strength(branch_strength: Any) -> str:
    """Write a function for the strength that all branches need.

    It takes the number of blocks and the factor by which all of them together may
    multiply the variance, and returns the strength b, one number.
    """
    expect_function(branch_strength, "branch_strength", ["blocks", "growth"])
    cases = [(1, 2.0), (2, 4.0), (3, 1.331), (40, 2.0), (40, 10.0), (1000, 1.5)]
    found = [returned_number(branch_strength(*case)) for case in cases]

    def agrees(expected: Callable[[int, float], float]) -> bool:
        return np.allclose(found, [expected(*case) for case in cases], rtol=1e-3)

    if agrees(_strength):
        return (
            "For many blocks it falls as 1 over the root of their number. With 1/√L, "
            "L blocks let the variance grow e times, however many they are."
        )
    for wrong, reason in _WRONG_STRENGTHS:
        if agrees(wrong):
            raise NotYet(reason)
    value, case = next(
        (value, case)
        for value, case in zip(found, cases, strict=True)
        if not np.isclose(value, _strength(*case), rtol=1e-3)
    )
    raise NotYet(
        f"for {case[0]} blocks that multiply the variance by {case[1]:g} it returns "
        f"{value:.3g}, and the strength is {_strength(*case):.3g}"
    )


# --------------------------------------------------------------------------------------
# 3  A network without some of its blocks
# --------------------------------------------------------------------------------------


def _run(h: np.ndarray, weights: list[np.ndarray], cut: set[int]) -> np.ndarray:
    for number, matrix in enumerate(weights, start=1):
        if number not in cut:
            h = h + np.maximum(h, 0) @ matrix
    return h


def _from_zero(h, weights, cut):
    return _run(h, weights, {number + 1 for number in cut})


def _inverted(h, weights, cut):
    return _run(h, weights, set(range(1, len(weights) + 1)) - set(cut))


def _no_skip(h, weights, cut):
    for number, matrix in enumerate(weights, start=1):
        if number not in cut:
            h = np.maximum(h, 0) @ matrix
    return h


def _all_is_lost(h, weights, cut):
    for number, matrix in enumerate(weights, start=1):
        h = h * 0 if number in cut else h + np.maximum(h, 0) @ matrix
    return h


def _activation_last(h, weights, cut):
    for number, matrix in enumerate(weights, start=1):
        if number not in cut:
            h = h + np.maximum(h @ matrix, 0)
    return h


def _nothing_cut(h, weights, cut):
    return _run(h, weights, set())


_WRONG_RUNS: list[tuple[Callable[..., np.ndarray], str]] = [
    (_nothing_cut, "you run all blocks, whatever is cut"),
    (_from_zero, "you count the blocks from 0; the first one is block 1"),
    (_inverted, "you run the blocks that are cut and leave out the others"),
    (_no_skip, "your blocks have no skip: a block adds its branch to what came in"),
    (
        _all_is_lost,
        "where a block is cut nothing comes through. Its skip is left: what came in "
        "goes out",
    ),
    (
        _activation_last,
        "you apply ReLU after the weights. In these blocks it comes first",
    ),
]


def _cases() -> list[tuple[np.ndarray, list[np.ndarray], set[int]]]:
    """Return signals, the weights of some blocks, and which blocks are cut."""
    random = np.random.default_rng(7)
    cases = []
    for blocks, units, cut in (
        (1, 2, set()),
        (2, 3, {1}),
        (4, 3, {2, 3}),
        (8, 5, {1, 8}),
        (3, 4, {1, 2, 3}),
    ):
        weights = [random.normal(0, 1, (units, units)) for _ in range(blocks)]
        cases.append((random.normal(0, 1, (6, units)), weights, cut))
    return cases


@exercise(
    hints=[
        "Go through the matrices one by one. What does a block do to `h`, and what is "
        "left of it when its branch is gone?",
        "`enumerate(weights, start=1)` numbers the blocks. A block that is cut leaves "
        "`h` as it is; any other adds `np.maximum(h, 0) @ matrix`.",
    ],
    solution="""
import numpy as np


def run_blocks(h, weights, cut):
    for number, matrix in enumerate(weights, start=1):
        if number not in cut:
            h = h + np.maximum(h, 0) @ matrix
    return h
""",
)
def run_blocks(run_blocks: Any) -> str:
    """Write a function that runs residual blocks, without those that are cut.

    It takes the signal `h`, an array of a row for each example, the list of the blocks'
    matrices, and the set of the numbers of the blocks that are cut, the first block
    being 1. It returns the signal after the last block.
    """
    expect_function(run_blocks, "run_blocks", ["h", "weights", "cut"])
    cases = _cases()
    found = []
    for h, weights, cut in cases:
        value = run_blocks(h.copy(), [w.copy() for w in weights], set(cut))
        array = returned_array(value, "the signal after the last block")
        if array.shape != h.shape:
            raise NotYet(
                f"for a signal of shape {h.shape} it returns one of shape "
                f"{array.shape}; all blocks keep the shape"
            )
        found.append(array)

    def agrees(expected: Callable[..., np.ndarray]) -> bool:
        return all(
            np.allclose(value, expected(*case), rtol=1e-6)
            for value, case in zip(found, cases, strict=True)
        )

    if agrees(_run):
        return (
            "That is all it takes to cut a block, and no weight is trained anew. In a "
            "plain network the same cut feeds a layer what it has never seen."
        )
    for wrong, reason in _WRONG_RUNS:
        if agrees(wrong):
            raise NotYet(reason)
    _, weights, cut = next(
        case
        for value, case in zip(found, cases, strict=True)
        if not np.allclose(value, _run(*case), rtol=1e-6)
    )
    out = ", ".join(map(str, sorted(cut))) or "none"
    raise NotYet(
        f"the signal after {len(weights)} blocks of which these are cut: {out}, is "
        "not the right one"
    )


# --------------------------------------------------------------------------------------
# 4  A block that starts as nothing
# --------------------------------------------------------------------------------------

_STEPS = 3


@exercise(
    hints=[
        "What must the branch put out at the start, and which of its layers has the "
        "last word on that?",
        'Give the last layer `kernel_initializer="zeros"`, and no activation after '
        "it. If the first one starts at zero as well, no gradient reaches either.",
        "Where `h.shape[-1]` is not `units`, the skip needs a layer of its own: "
        "`Dense(units, use_bias=False)`, without an activation.",
    ],
    solution="""
from keras import layers


def block(h, units):
    f = layers.Activation("relu")(h)
    f = layers.Dense(units, "relu", kernel_initializer="he_normal")(f)
    f = layers.Dense(units, kernel_initializer="zeros")(f)
    if h.shape[-1] != units:
        h = layers.Dense(units, use_bias=False)(h)
    return layers.Add()([h, f])
""",
)
def start_as_identity(block: Any) -> str:
    """Write a residual block with two dense layers that starts as nothing but its skip.

    `block(h, units)` takes a Keras tensor and returns one of that many units. At the
    start it returns `h` itself; where `h` has another width, a linear map of it. All of
    its weight matrices must learn.
    """
    expect_function(block, "block", ["h", "units"])
    with preserved_random_state():
        keras.utils.set_random_seed(0)
        same, wider = _network(block, 8, 8), _network(block, 8, 12)
        x = np.random.default_rng(0).normal(0, 1, (64, 8)).astype(np.float32)
        _check_start(same, wider, x)
        _check_learning(same, x)
    return (
        "The network of many such blocks starts as a shallow one, whatever its depth, "
        "and each block grows as far as the loss asks it to."
    )


def _network(block: Callable, width: int, units: int) -> keras.Model:
    inputs = keras.Input((width,))
    outputs = block(inputs, units)
    if not isinstance(outputs, keras.KerasTensor):
        raise NotYet(
            f"your function returns a value of type `{type(outputs).__name__}`; "
            "return the tensor that leaves the block"
        )
    if outputs.shape[-1] != units:
        raise NotYet(
            f"for an input of {width} units and `units={units}` the block puts out "
            f"{outputs.shape[-1]}"
        )
    return keras.Model(inputs, outputs)


def _matrices(model: keras.Model) -> list[keras.Variable]:
    return [w for w in model.trainable_variables if len(w.shape) > 1]


def _check_start(same: keras.Model, wider: keras.Model, x: np.ndarray) -> None:
    if len(_matrices(same)) < 2:
        raise NotYet(
            f"the block has {len(_matrices(same))} trainable matrices; its branch is "
            "to have two dense layers"
        )
    out = same(x).numpy()
    if not np.allclose(out, x, atol=1e-5):
        if np.allclose(out, 0, atol=1e-5):
            raise NotYet("the block puts out zeros: it has no skip")
        if np.allclose(out, np.maximum(x, 0), atol=1e-5):
            raise NotYet("what comes in passes ReLU; nothing may stand on the skip")
        raise NotYet(
            "at the start it returns something else than what came in: its branch "
            "does not put out zeros, or something stands on the skip"
        )
    parts = [wider(values).numpy() for values in (x[:32], x[32:], x[:32] + x[32:])]
    at_zero = wider(np.zeros_like(x[:1])).numpy()
    if not np.allclose(parts[0] + parts[1] - at_zero, parts[2], atol=1e-4):
        raise NotYet(
            "where the width changes, it starts as something that is not linear: the "
            "skip's own layer has no activation, and the branch puts out zeros"
        )
    if np.allclose(parts[0], at_zero, atol=1e-6):
        raise NotYet("where the width changes, nothing of the input comes through")


def _check_learning(model: keras.Model, x: np.ndarray) -> None:
    before = [w.numpy() for w in _matrices(model)]
    model.compile(keras.optimizers.SGD(0.1), "mse")
    target = np.sin(2 * x)
    for _ in range(_STEPS):
        model.train_on_batch(x, target)
    moved = [
        not np.array_equal(w.numpy(), old)
        for w, old in zip(_matrices(model), before, strict=True)
    ]
    if not any(moved):
        raise NotYet(
            "nothing learns: with all weights of the branch at zero, what goes in is "
            "lost on the way forward and the gradient on the way back"
        )
    if not all(moved):
        raise NotYet(
            f"{moved.count(False)} of its {len(moved)} matrices do not move in "
            f"{_STEPS} steps of training"
        )
