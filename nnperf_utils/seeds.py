"""The one place that decides which numbers the course's randomness starts from.

With ``NNPERF_SEEDS=1000`` in the environment everything is drawn anew, and every claim
is put to a fresh test:

- starting weights, orders of examples and dropout masks, by `compare` and `replicate`;
- splits and drawn data, by the loaders;
- what a cell draws itself: its calls of ``default_rng`` and ``set_random_seed``, every
  ``random_state=`` and the ``seed=`` of a tuner get another number than is written
  there. `Fresh` sees to that, as an extension of the notebook's kernel.

Labels stay as they are: seed 3 is still called 3. What stays fixed is what names no
number that is drawn from, such as the synthetic diabetes table itself.
"""

import ast
import os
from typing import Any

__all__ = ["VARIABLE", "Fresh", "load_ipython_extension", "offset", "shifted"]

VARIABLE = "NNPERF_SEEDS"
"""The environment variable that shifts all seeds."""

_SEEDED = ("default_rng", "set_random_seed")  # by their first argument
_TUNERS = ("Oracle", "Search", "Optimization", "Hyperband")  # ends of tuners' names


def offset() -> int:
    """Return what is added to every seed; 0 as a rule.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the environment variable is no whole number of 0 or more.
    """
    told = os.environ.get(VARIABLE) or "0"
    if not told.isdecimal():
        raise ValueError(
            f"{VARIABLE} is {told!r}; expected a whole number of 0 or more."
        )
    return int(told)


def shifted(seed: Any) -> Any:
    """Return what is drawn from where the course names a seed.

    Parameters
    ----------
    seed : int or sequence of int
        Anything else, such as None or a generator, is returned as it is.

    Returns
    -------
    int or list of int
    """
    if isinstance(seed, list | tuple) and seed:
        return [*seed[:-1], shifted(seed[-1])]
    try:
        return seed.__index__() + offset()
    except AttributeError:
        return seed


class Fresh(ast.NodeTransformer):
    """Shift the seeds that a cell's own code names."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Wrap the seed of a call into `shifted`."""
        self.generic_visit(node)
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in _SEEDED and node.args:
            node.args[0] = _wrapped(node.args[0])
        for keyword in node.keywords:
            of_tuner = keyword.arg == "seed" and name.endswith(_TUNERS)
            if keyword.arg == "random_state" or of_tuner:
                keyword.value = _wrapped(keyword.value)
        return node


def _wrapped(value: ast.expr) -> ast.expr:
    code = f"__import__({__name__!r}, fromlist=['seeds']).shifted(0)"
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    call.args[0] = value
    return ast.copy_location(call, value)


def load_ipython_extension(shell: Any) -> None:
    """Draw all cells of a notebook anew, if the environment asks for it."""
    if offset():
        shell.ast_transformers.append(Fresh())
