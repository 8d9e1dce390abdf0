"""Conditions such as ``trained.low > 0.5 and factor.high < 0.1``.

They stand in ``claims/``. Only what such a condition needs is understood: the
effects by name, numbers, ``+ - *``, ``< <= > >=``, ``and``, ``or``, ``not``. Nothing is
executed.
"""

import ast
import operator
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Condition", "parse"]

# parts of an effect, with the words for them
_PARTS = {
    "value": "",
    "low": "the lower end of the interval of ",
    "high": "the upper end of the interval of ",
}
_ARITHMETIC = {
    ast.Add: (operator.add, "+"),
    ast.Sub: (operator.sub, "−"),
    ast.Mult: (operator.mul, "×"),
}
_COMPARISONS = {
    ast.Lt: (operator.lt, "below"),
    ast.LtE: (operator.le, "at most"),
    ast.Gt: (operator.gt, "above"),
    ast.GtE: (operator.ge, "at least"),
}
_MIRRORED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
# nested deeper than this, Python's own parser may give up in other ways
_LONGEST = 500


@dataclass(frozen=True)
class Condition:
    """A condition on the effects of a claim.

    Attributes
    ----------
    text : str
        As it was written.
    effects : frozenset of str
        Names of the effects in it.
    """

    text: str
    effects: frozenset[str]
    _tree: ast.expr = field(repr=False, compare=False)

    def __call__(self, estimates: Mapping[str, Any]) -> np.ndarray:
        """Tell whether the condition is met.

        Parameters
        ----------
        estimates : mapping
            For each effect something with the attributes ``value``, ``low``, ``high``:
            numbers, or arrays of one shape for as many answers at once.

        Returns
        -------
        numpy.ndarray of bool
        """
        return _met(self._tree, estimates)

    def words(self, names: Mapping[str, str] | None = None) -> str:
        """Return the condition in words.

        Parameters
        ----------
        names : mapping, optional
            What to call each effect; by default its name.

        Returns
        -------
        str
        """
        return _condition_words(self._tree, names or {})

    def parts(self, names: Mapping[str, str] | None = None) -> tuple[str, list[str]]:
        """Return the condition's parts in words, and the word that joins them.

        Parameters
        ----------
        names : mapping, optional
            What to call each effect; by default its name.

        Returns
        -------
        word : {"and", "or"}
            ``"and"`` also for a single part.
        parts : list of str
        """
        match self._tree:
            case ast.BoolOp(op=op, values=values):
                word = "and" if isinstance(op, ast.And) else "or"
                return word, [_condition_words(part, names or {}) for part in values]
        return "and", [self.words(names)]

    def borders(self) -> dict[str, set[tuple[float, int]]]:
        """Return the numbers that each effect is compared with, by effect.

        Returns
        -------
        dict of str to set of (float, int)
            Each number with the side on which the condition asks the effect to be: 1
            above it, -1 below it.
        """
        found: dict[str, set[tuple[float, int]]] = {}
        for name, border, side in _borders(self._tree, 1):
            found.setdefault(name, set()).add((border, side))
        return found


def parse(text: str, effects: Collection[str]) -> Condition:
    """Read a condition.

    Parameters
    ----------
    text : str
        ``effect``, ``effect.value``, ``effect.low`` and ``effect.high`` stand for the
        estimate and the ends of its interval.
    effects : collection of str
        The names that may occur.

    Returns
    -------
    Condition

    Raises
    ------
    ValueError
        If `text` holds anything else, with one sentence that says what.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"a condition is text such as 'x.low > 0.5'; got {text!r}.")
    if len(text) > _LONGEST:
        raise ValueError(
            f"condition {text[:40]!r}... has {len(text)} characters; expected at most "
            f"{_LONGEST}."
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"condition {text!r} is not a valid expression.") from None
    try:
        _check_condition(tree, effects)
    except _NotAllowed as error:
        raise ValueError(f"condition {text!r}: {error}.") from None
    return Condition(text.strip(), frozenset(_names(tree)), tree)


class _NotAllowed(Exception):
    """What a condition may not hold."""


def _check_condition(node: ast.expr, effects: Collection[str]) -> None:
    """Refuse everything that is not a condition."""
    match node:
        case ast.BoolOp(values=parts):
            for part in parts:
                _check_condition(part, effects)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            _check_condition(part, effects)
        case ast.Compare(left=left, ops=signs, comparators=others):
            if any(isinstance(sign, ast.Eq | ast.NotEq) for sign in signs):
                raise _NotAllowed(
                    "equality of measured numbers is a matter of rounding; give bounds"
                )
            if any(type(sign) not in _COMPARISONS for sign in signs):
                raise _NotAllowed("numbers are compared by <, <=, > or >=")
            for part in (left, *others):
                _check_number(part, effects)
        case _:
            raise _NotAllowed(
                f"{ast.unparse(node)!r} is no comparison; expected one such as "
                "'x.low > 0.5', or several joined by and, or, not"
            )


def _check_number(node: ast.expr, effects: Collection[str]) -> None:
    """Refuse everything that is not a number."""
    match node:
        case ast.Constant(value=bool()):
            raise _NotAllowed(f"{node.value} is not a number")
        case ast.Constant(value=int() | float() as value):
            if abs(value) > np.finfo(float).max:
                raise _NotAllowed("a number in it is not finite")
        case ast.UnaryOp(op=ast.USub(), operand=part):
            _check_number(part, effects)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
            _check_number(left, effects)
            _check_number(right, effects)
        case ast.Name(id=name):
            if name not in effects:
                raise _NotAllowed(
                    f"{name!r} is not among the effects ({', '.join(effects)})"
                )
        case ast.Attribute(value=ast.Name() as effect, attr=part):
            _check_number(effect, effects)
            if part not in _PARTS:
                raise _NotAllowed(
                    f"an effect has .value, .low and .high, and no .{part}"
                )
        case _:
            raise _NotAllowed(
                f"{ast.unparse(node)!r} is not allowed; expected numbers, effects and "
                "+, -, *"
            )


def _met(node: ast.expr, estimates: Mapping[str, Any]) -> np.ndarray:
    """Evaluate a checked condition."""
    match node:
        case ast.BoolOp(op=op, values=parts):
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return join.reduce(
                np.broadcast_arrays(*[_met(part, estimates) for part in parts])
            )
        case ast.UnaryOp(operand=part):
            return np.logical_not(_met(part, estimates))
    return np.logical_and.reduce(
        np.broadcast_arrays(
            *[
                _COMPARISONS[sign][0](
                    _number(left, estimates), _number(right, estimates)
                )
                for left, sign, right in _pairs(node)
            ]
        )
    )


def _borders(node: ast.expr, wanted: int) -> Iterator[tuple[str, float, int]]:
    """Yield effect, border and side of each comparison with a number.

    `wanted` is 1, or -1 below a ``not``, which turns all sides over.
    """
    match node:
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from _borders(part, wanted)
        case ast.UnaryOp(operand=part):
            yield from _borders(part, -wanted)
        case ast.Compare():
            for left, sign, right in _pairs(node):
                side = wanted if sign in (ast.Gt, ast.GtE) else -wanted
                for one, other, where in ((left, right, side), (right, left, -side)):
                    if _is_effect(one) and not _names(other):
                        yield _names(one).pop(), float(_number(other, {})), where


def _number(node: ast.expr, estimates: Mapping[str, Any]) -> np.ndarray:
    """Evaluate a checked number."""
    match node:
        case ast.Constant(value=value):
            return np.asarray(value, dtype=float)
        case ast.UnaryOp(operand=part):
            return -_number(part, estimates)
        case ast.BinOp(left=left, op=sign, right=right):
            apply = _ARITHMETIC[type(sign)][0]
            return apply(_number(left, estimates), _number(right, estimates))
        case ast.Attribute(value=ast.Name(id=name), attr=part):
            return np.asarray(getattr(estimates[name], part), dtype=float)
    return np.asarray(estimates[node.id].value, dtype=float)


def _condition_words(
    node: ast.expr, names: Mapping[str, str], *, inner: bool = False
) -> str:
    """Put a checked condition into words."""
    match node:
        case ast.BoolOp(op=op, values=parts):
            word = " and " if isinstance(op, ast.And) else " or "
            joined = word.join(
                _condition_words(part, names, inner=True) for part in parts
            )
            return f"({joined})" if inner else joined
        case ast.UnaryOp(operand=part):
            return f"not ({_condition_words(part, names)})"
    return " and ".join(_comparison_words(*pair, names) for pair in _pairs(node))


def _comparison_words(
    left: ast.expr, sign: type, right: ast.expr, names: Mapping[str, str]
) -> str:
    """Put one comparison into words, the effect first."""
    if _names(right) and not _names(left):
        left, sign, right = right, _MIRRORED[sign], left
    word = _COMPARISONS[sign][1]
    upwards = sign in (ast.Gt, ast.GtE)
    near, far = ("low", "high") if upwards else ("high", "low")
    if _part(left) == near and (not _names(right) or _part(right) == far):
        # the end that is nearest to the border lies beyond it, so all do
        return (
            f"{_number_words(left, names, part=False)} is wholly {word} "
            f"{_number_words(right, names, part=False)}"
        )
    return f"{_number_words(left, names)} is {word} {_number_words(right, names)}"


def _number_words(
    node: ast.expr, names: Mapping[str, str], *, part: bool = True
) -> str:
    """Put a checked number into words."""
    match node:
        case ast.Constant(value=value):
            return f"{value:.10g}"
        case ast.UnaryOp(operand=operand):
            return f"−{_number_words(operand, names)}"
        case ast.BinOp(left=left, op=sign, right=right):
            words = [_number_words(left, names), _number_words(right, names)]
            if isinstance(sign, ast.Mult | ast.Sub):
                words = [
                    f"({text})"
                    if isinstance(side, ast.BinOp) and not isinstance(side.op, ast.Mult)
                    else text
                    for side, text in zip((left, right), words, strict=True)
                ]
            return f" {_ARITHMETIC[type(sign)][1]} ".join(words)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            return (_PARTS[attribute] if part else "") + _called(name, names)
    return _called(node.id, names)


def _called(name: str, names: Mapping[str, str]) -> str:
    """Return what to call an effect."""
    return names.get(name, name.replace("_", " "))


def _pairs(node: ast.Compare) -> list[tuple[ast.expr, type, ast.expr]]:
    """Take a chain such as 0 < x < 1 apart."""
    sides = [node.left, *node.comparators]
    signs = [type(sign) for sign in node.ops]
    return list(zip(sides[:-1], signs, sides[1:], strict=True))


def _names(node: ast.expr) -> set[str]:
    """Return the names of the effects below a node."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _is_effect(node: ast.expr) -> bool:
    """Tell whether a node is an effect or one of its parts, and nothing more."""
    return isinstance(node, ast.Name | ast.Attribute)


def _part(node: ast.expr) -> str | None:
    """Return which part of an effect a node is, if it is one."""
    return node.attr if isinstance(node, ast.Attribute) else None
