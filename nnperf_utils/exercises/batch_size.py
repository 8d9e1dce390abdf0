"""Exercises of the chapter on batch size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnperf_utils.exercises.base import (
    NotYet,
    exercise,
    expect_function,
    returned_array,
    returned_number,
)

__all__ = ["rescale", "soonest", "variance_left"]


# --------------------------------------------------------------------------------------
# 2  What is left of the noise
# --------------------------------------------------------------------------------------


def _left(small: int, large: int, examples: int) -> float:
    return small / large * (examples - large) / (examples - small)


_WRONG_SHARES: list[tuple[Callable[[int, int, int], float], str]] = [
    (
        lambda small, large, examples: small / large,
        "that is right for draws with replacement. Think of the full set: what noise "
        "has it?",
    ),
    (
        lambda small, large, examples: 1 / _left(small, large, examples),
        "that is how many times as large the variance of the small batches is. Turn it "
        "over",
    ),
    (
        lambda small, large, examples: np.sqrt(_left(small, large, examples)),
        "that is the share of the standard deviation. The variance is its square",
    ),
    (
        lambda small, large, examples: np.sqrt(small / large),
        "that is the share of the standard deviation, for draws with replacement",
    ),
    (
        lambda small, large, examples: (
            small / large * (examples - small) / (examples - large)
        ),
        "the factor for draws without replacement is upside down: the larger batch has "
        "the smaller one",
    ),
    (
        lambda small, large, examples: (examples - large) / (examples - small),
        "you have the factor for draws without replacement alone; the 1 over the batch "
        "size is missing",
    ),
]


@exercise(
    hints=[
        "The variance is σ²/B · (N − B)/(N − 1). Which parts of it are the same for "
        "both batch sizes?",
        "Divide the formula at `large` by the formula at `small`. σ² and N − 1 go.",
    ],
    solution="""
def variance_left(small, large, examples):
    without = (examples - large) / (examples - small)
    return small / large * without
""",
)
def variance_left(variance_left: Any) -> str:
    """Write a function for the share of the gradient's variance that is left.

    It takes two batch sizes and the number of all examples, and returns the variance
    with the larger batches over that with the smaller ones, drawn without replacement.
    """
    expect_function(variance_left, "variance_left", ["small", "large", "examples"])
    cases = [(1, 2, 10), (10, 100, 500), (32, 128, 60000), (4, 250, 500)]
    found = [returned_number(variance_left(*case)) for case in cases]

    def agrees(expected: Callable[[int, int, int], float]) -> bool:
        return np.allclose(found, [expected(*case) for case in cases], rtol=1e-3)

    if agrees(_left):
        whole = returned_number(variance_left(50, 60, 60))
        if abs(whole) > 1e-9:
            raise NotYet(f"for the full set it returns {whole:.3g}. What noise has it?")
        return (
            "For batches that are few of many examples it is the quotient of their "
            "sizes. For the full set it is zero."
        )
    for wrong, reason in _WRONG_SHARES:
        if agrees(wrong):
            raise NotYet(reason)
    value, case = next(
        (value, case)
        for value, case in zip(found, cases, strict=True)
        if not np.isclose(value, _left(*case), rtol=1e-3)
    )
    raise NotYet(
        f"for batches of {case[1]} instead of {case[0]} out of {case[2]:,} it returns "
        f"{value:.3g}, and the share is {_left(*case):.3g}"
    )


# --------------------------------------------------------------------------------------
# 3  The soonest batch
# --------------------------------------------------------------------------------------

_Updates = Mapping[int, int]


def _soonest(updates: _Updates, start: float, each: float) -> int:
    return min(updates, key=lambda size: updates[size] * (start + each * size))


_WRONG_SIZES: list[tuple[Callable[[_Updates, float, float], int], str]] = [
    (
        lambda updates, start, each: min(updates, key=updates.get),
        "you take the fewest updates. An update of a large batch may cost more",
    ),
    (
        lambda updates, start, each: min(updates, key=lambda b: updates[b] * b),
        "you take the fewest examples. An update also costs its start",
    ),
    (
        lambda updates, start, each: max(
            updates, key=lambda b: updates[b] * (start + each * b)
        ),
        "that is the slowest of them",
    ),
    (
        lambda updates, start, each: min(updates, key=lambda b: start + each * b),
        "you compare the price of one update. How many are there?",
    ),
    (
        lambda updates, start, each: min(
            updates, key=lambda b: updates[b] * (start + each)
        ),
        "you count one example an update. It has as many as the batch",
    ),
]


@exercise(
    hints=[
        "How many seconds does one update of a batch of `size` examples take?",
        "`updates[size] * (start + each * size)` are the seconds of all of them. "
        "`min(updates, key=…)` finds the size with the least.",
    ],
    solution="""
def soonest(updates, start, each):
    def seconds(size):
        return updates[size] * (start + each * size)

    return min(updates, key=seconds)
""",
)
def soonest(soonest: Any) -> str:
    """Write a function for the batch size that is soonest at the target in seconds.

    It takes the updates of each batch size, the seconds that an update costs to start,
    and those that each example adds, and returns one of the batch sizes.
    """
    expect_function(soonest, "soonest", ["updates", "start", "each"])
    cases: list[tuple[dict[int, int], float, float]] = [
        ({4: 2000, 20: 560, 100: 235, 500: 210}, 1e-4, 1e-6),
        ({4: 2000, 20: 560, 100: 235, 500: 210}, 1e-3, 1e-9),
        ({4: 2000, 20: 560, 100: 235, 500: 210}, 1e-9, 1e-3),
        ({500: 210, 100: 235, 20: 560, 4: 2000}, 1e-4, 1e-5),
        ({64: 8000, 256: 2100, 1024: 1500, 4096: 1400}, 2e-3, 4e-6),
        ({1: 900, 2: 430, 8: 420}, 1.0, 0.5),
    ]
    found = [returned_number(soonest(dict(u), s, e)) for u, s, e in cases]
    right = [_soonest(*case) for case in cases]
    if found == right:
        return (
            "Where an example costs next to nothing, the fewest updates win. Where the "
            "start does, the fewest examples."
        )
    for wrong, reason in _WRONG_SIZES:
        if found == [wrong(*case) for case in cases]:
            raise NotYet(reason)
    place = next(i for i in range(len(cases)) if found[i] != right[i])
    updates, start, each = cases[place]
    if found[place] not in updates:
        raise NotYet(
            f"it returns {found[place]:.3g}, which is none of the batch sizes; return "
            "the size, not its seconds"
        )
    seconds = {size: n * (start + each * size) for size, n in updates.items()}
    raise NotYet(
        f"with {updates}, a start of {start:g} s and {each:g} s an example it returns "
        f"{found[place]:g}, which takes {seconds[int(found[place])]:.3g} s; "
        f"{right[place]} takes {seconds[right[place]]:.3g} s"
    )


# --------------------------------------------------------------------------------------
# 4  As sharp as you like
# --------------------------------------------------------------------------------------


def _outputs(weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    w1, b1, w2, b2 = weights
    return np.maximum(x @ w1 + b1, 0) @ w2 + b2


@exercise(
    hints=[
        "The outputs are `relu(x @ w1 + b1) @ w2 + b2`. ReLU lets a positive factor "
        "pass. Where does it have to be taken out again?",
        "Multiply `w1` and `b1` by the factor, divide `w2` by it. What of `b2`?",
    ],
    solution="""
def rescale(weights, factor):
    w1, b1, w2, b2 = weights
    return [factor * w1, factor * b1, w2 / factor, b2]
""",
)
def rescale(rescale: Any) -> str:
    """Write a function that rescales a network and leaves its outputs as they are.

    It takes the weights of two dense layers, `[w1, b1, w2, b2]`, with ReLU between, and
    a factor above zero; it returns four arrays, the first `factor` times as large.
    """
    expect_function(rescale, "rescale", ["weights", "factor"])
    random = np.random.default_rng(11)
    for factor in (2.0, 8.0, 0.25):
        shapes = [(3, 5), (5,), (5, 2), (2,)]
        weights = [random.normal(0, 1, shape) for shape in shapes]
        kept = [one.copy() for one in weights]
        answer = rescale(weights, factor)
        if any((one != other).any() for one, other in zip(weights, kept, strict=True)):
            raise NotYet(
                "your function changes the arrays that it is given; make new ones, "
                "with `factor * w1` instead of `w1 *= factor`"
            )
        if answer is None:
            raise NotYet("your function returns nothing; does it end with `return`?")
        if not isinstance(answer, (list, tuple)) or len(answer) != 4:
            raise NotYet("return a list of four arrays, in the order of `weights`")
        new = [returned_array(one) for one in answer]
        for name, one, shape in zip(("w1", "b1", "w2", "b2"), new, shapes, strict=True):
            if one.shape != shape:
                raise NotYet(
                    f"`{name}` has the shape {shape}, and you return one of shape "
                    f"{one.shape}"
                )
        if not np.allclose(new[0], factor * kept[0]):
            raise NotYet(
                f"the first layer's weights are to be {factor:g} times as large"
            )
        x = random.normal(0, 1, (20, 3))
        if np.allclose(_outputs(new, x), _outputs(kept, x)):
            continue
        if np.allclose(new[1], kept[1]):
            raise NotYet(
                "the outputs change. What goes into ReLU is `x @ w1 + b1`: its bias "
                "has to grow as well"
            )
        if np.allclose(new[2], kept[2]):
            raise NotYet(
                "the outputs change: the hidden units are larger now, and nothing "
                "takes that back"
            )
        if not np.allclose(new[3], kept[3]):
            raise NotYet(
                "the outputs change. The last bias is added after everything; no "
                "factor has reached it"
            )
        raise NotYet("the outputs of the network change")
    return (
        "The loss is the same function of the data, and its curvature along the second "
        "layer's weights is factor² times as large."
    )
