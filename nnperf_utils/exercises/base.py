"""The mechanism of the exercises: check, hint, solution.

An exercise is a function that judges a learner's answers, with hints and a solution:

>>> @exercise(
...     hints=["The rectangle is twice the triangle."],
...     solution="area = lambda base, height: base * height / 2",
... )
... def triangle(area):
...     '''Write a function for the area of a triangle.'''
...     expect_function(area, "area", ["base", "height"])
...     if area(3, 4) == 12:
...         raise NotYet("that is the area of the rectangle")
...     if area(3, 4) != 6:
...         raise NotYet(f"for base 3 and height 4 it gives {area(3, 4)}")
...     return "The order of the two does not matter."

The judge's parameters bear the names that the answers have in the learner's cell, and
its solution defines them. It returns what follows from a correct answer, a sentence or
two, and raises `NotYet` with the reason otherwise. Whatever else it raises is told to
the learner as a reason, too: nothing is ever thrown at them. Texts may hold `code` in
backticks.
"""

from __future__ import annotations

import dis
import html
import inspect
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Literal

import numpy as np
from IPython.display import display

__all__ = [
    "Exercise",
    "NotYet",
    "Outcome",
    "exercise",
    "expect_function",
    "expect_network",
    "returned_array",
    "returned_number",
    "seed_numbers",
]

Status = Literal["not attempted", "not yet", "correct"]

# The symbol is for the eye alone; the words say the same.
_HEADINGS = {
    "not attempted": ("○", "Not attempted."),
    "not yet": ("✗", "Not yet,"),
    "correct": ("✓", "Correct."),
}
# Only what the page gives: the same in Colab, in JupyterLab, on a light or dark page.
_BOX = "border-left: 0.25em solid currentColor; padding: 0.1em 0 0.1em 0.8em"
_BLOCK = (
    "background: none; border: 1px solid currentColor; color: inherit; "
    "overflow-x: auto; padding: 0.6em; white-space: pre"
)
_LONGEST_MESSAGE = 200


class NotYet(Exception):
    """The answer is not right yet; the message completes "not yet, because ..."."""


@dataclass(frozen=True)
class Outcome:
    """What a check found.

    Attributes
    ----------
    status : {"not attempted", "not yet", "correct"}
    message : str
        What to do, the reason, or what follows.
    """

    status: Status
    message: str

    def __str__(self) -> str:
        """Return the outcome in words."""
        return f"{_HEADINGS[self.status][1]} {self._sentence}"

    @property
    def html(self) -> str:
        """The outcome as a paragraph of HTML."""
        symbol, words = _HEADINGS[self.status]
        return (
            f'<p style="margin: 0.3em 0"><span aria-hidden="true">{symbol}</span> '
            f"<strong>{words}</strong> {_html(self._sentence)}</p>"
        )

    @property
    def _sentence(self) -> str:
        if self.status == "not yet":
            return f"because {_ended(self.message)}"
        return self.message


class Exercise:
    """An exercise of a chapter; made by `exercise`.

    Parameters
    ----------
    judge : callable
        Takes the learner's answers, returns what follows from them, or raises
        `NotYet`.
    hints : sequence of str
        From gentle to explicit.
    solution : str
        A cell's source that needs nothing from other cells and defines the answers
        under the names of the judge's parameters.

    Attributes
    ----------
    id : str
        Chapter module and name, ``"vanishing_gradients.factor_per_layer"``.
    answers : list of str
        Names of the answers.
    """

    def __init__(
        self, judge: Callable[..., str], hints: Sequence[str], solution: str
    ) -> None:
        update_wrapper(self, judge)
        self.id = f"{judge.__module__.rpartition('.')[2]}.{judge.__name__}"
        self.answers = list(inspect.signature(judge).parameters)
        self.hints = tuple(hints)
        self.source = solution.strip() + "\n"
        self._judge = judge

    def __repr__(self) -> str:
        """Return how to call the exercise's methods."""
        return (
            f"<exercise {self.id}: check({', '.join(self.answers)}), "
            "hint(), solution()>"
        )

    def judge(self, *answers: Any) -> Outcome:
        """Judge answers without displaying anything.

        Parameters
        ----------
        *answers
            The learner's, in the order of `answers`.

        Returns
        -------
        Outcome
        """
        try:
            gaps = [
                name
                for name, answer in zip(self.answers, answers, strict=False)
                if _is_gap(answer)
            ]
            if len(gaps) == len(answers):
                return Outcome(
                    "not attempted",
                    f"Fill in {_listed(self.answers)}, where the dots `...` are, and "
                    "run the cell again.",
                )
            if len(answers) != len(self.answers):
                raise NotYet(
                    f"`check` got {len(answers)} of the {len(self.answers)} answers "
                    f"that it needs: {_listed(self.answers)}"
                    if len(answers) < len(self.answers)
                    else f"`check` got {len(answers)} answers and expects "
                    f"{len(self.answers)}: {_listed(self.answers)}"
                )
            if gaps:
                raise NotYet(f"{_listed(gaps)} is still to be filled in")
            return Outcome("correct", self._judge(*answers))
        except NotYet as reason:
            return Outcome("not yet", str(reason))
        except (Exception, SystemExit) as error:
            return Outcome("not yet", _reason(error, answers))

    def check(self, *answers: Any) -> None:
        """Say whether the answers are right and, if not, why.

        Parameters
        ----------
        *answers
            Yours, in the order of `answers`.
        """
        outcome = self.judge(*answers)
        self._show(outcome.html, str(outcome), check=outcome.status)

    def hint(self, number: int | None = None) -> None:
        """Show the hints, each folded, so that you open no more than you need.

        Parameters
        ----------
        number : int, optional
            Show this one alone, unfolded; the first is 1.
        """
        count = len(self.hints)
        if number is None:
            folded = [
                f"<details><summary>Hint {i} of {count}</summary>"
                f"<p>{_html(hint)}</p></details>"
                for i, hint in enumerate(self.hints, start=1)
            ]
            # Text cannot be folded, so it gives away no more than the first.
            more = f" hint(2) shows the next, of {count}." if count > 1 else ""
            self._show("".join(folded), f"Hint 1: {self.hints[0]}{more}")
        elif number in range(1, count + 1):
            text = f"Hint {number} of {count}: {self.hints[int(number) - 1]}"
            self._show(f"<p>{_html(text)}</p>", text)
        else:
            text = f"There are {count} hints: ask for a number from 1 to {count}."
            self._show(f"<p>{text}</p>", text)

    def solution(self) -> None:
        """Run the solution, check it as yours is checked, and show it, folded.

        The result is left in the output's metadata, where a test finds it.
        """
        outcome = self.run_solution()
        markup = (
            "<details><summary>Solution</summary>"
            f'<pre tabindex="0" style="{_BLOCK}">'
            '<code style="background: none; color: inherit">'
            f"{html.escape(self.source)}</code></pre>"
        )
        if outcome.status == "correct":
            result = "correct"
            markup += f"{outcome.html}</details>"
            text = f"{self.source}\n{outcome}"
        else:
            result = outcome.message
            fault = (
                "This solution does not pass its own check here, which is a fault of "
                f"the course, not yours: {_ended(outcome.message)}"
            )
            markup += f"</details><p>{_html(fault)}</p>"
            text = f"{self.source}\n{fault}"
        self._show(markup, text, solution=result)

    def run_solution(self) -> Outcome:
        """Execute the solution in a fresh namespace and judge its answers.

        Returns
        -------
        Outcome
        """
        namespace: dict[str, Any] = {"__name__": "solution"}
        try:
            exec(compile(self.source, f"<solution of {self.id}>", "exec"), namespace)
            answers = [namespace[name] for name in self.answers]
        except (Exception, SystemExit) as error:
            return Outcome("not yet", f"it stops with `{_raised(error)}`")
        return self.judge(*answers)

    def _show(self, markup: str, text: str, **evidence: str) -> None:
        box = f'<div class="nnperf-exercise" style="{_BOX}">{markup}</div>'
        display(
            _Page(box, text), metadata={"nnperf_exercise": {"id": self.id, **evidence}}
        )


@dataclass(frozen=True)
class _Page:
    """What is shown, for a page and for a terminal."""

    html: str
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def exercise(
    *, hints: Sequence[str], solution: str
) -> Callable[[Callable[..., str]], Exercise]:
    """Turn the judge below into an `Exercise`.

    Parameters
    ----------
    hints : sequence of str
        From gentle to explicit; one at least.
    solution : str
        Source of the solution; see `Exercise`.

    Returns
    -------
    callable
        The decorator.
    """
    return lambda judge: Exercise(judge, hints, solution)


def expect_function(answer: Any, name: str, parameters: Sequence[str]) -> None:
    """Turn down an answer that is no function of the expected parameters.

    Parameters
    ----------
    answer : object
        The learner's.
    name : str
        What the exercise calls it.
    parameters : sequence of str
        What it will be called with, by position.

    Raises
    ------
    NotYet
        If it cannot be called like that.
    """
    takes = f"a function of {_listed(parameters)}" if parameters else "a function"
    if not inspect.isclass(answer) and hasattr(answer, "train_on_batch"):
        raise NotYet(
            f"`{name}` is a network, and this exercise asks for {takes}: pass the "
            "function itself, without calling it"
        )
    if not callable(answer):
        raise NotYet(
            f"`{name}` is {_described(answer)}, and this exercise asks for {takes}: "
            f"pass the function itself, `{name}`, without calling it"
        )
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):  # some built-in functions have none
        return
    try:
        signature.bind(*parameters)
    except TypeError:
        called = getattr(answer, "__name__", type(answer).__name__)
        wanted = f"`({', '.join(parameters)})`" if parameters else "no argument"
        raise NotYet(
            f"`{called}` takes `{signature}`, and this exercise calls it with "
            f"{wanted}; is it the answer to another exercise?"
        ) from None


def expect_network(model: Any) -> None:
    """Turn down what a learner's ``build()`` returned, unless it is ready to train.

    Parameters
    ----------
    model : object
        What it returned.

    Raises
    ------
    NotYet
        If it is no Keras network, or one without weights, or not compiled.
    """
    import keras  # here, since the mechanism alone is to be imported at once

    if not isinstance(model, keras.Model):
        raise NotYet(
            f"`build()` returns a value of type `{type(model).__name__}`; return the "
            "network"
        )
    if not model.built:
        raise NotYet(
            "`build()` returns a network without weights yet; begin it with "
            "`keras.Input(shape)`, the shape of one example"
        )
    if not model.compiled:
        raise NotYet("`build()` returns a network that is not compiled")


def returned_array(value: Any, expected: str = "an array of numbers") -> np.ndarray:
    """Take what a learner's function returned as numbers.

    Parameters
    ----------
    value : object
        What it returned.
    expected : str
        What it should return, in words.

    Returns
    -------
    numpy.ndarray
        Of floats, of any shape.

    Raises
    ------
    NotYet
        If it returned nothing, or something that is no array of numbers.
    """
    if value is None:
        raise NotYet("your function returns nothing; does it end with `return`?")
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise NotYet(
            f"your function returns a value of type `{type(value).__name__}`; return "
            f"{expected}"
        ) from None


def returned_number(value: Any, expected: str = "one number") -> float:
    """Take what a learner's function returned as one number.

    Parameters
    ----------
    value : object
        What it returned; an array of one number will do.
    expected : str
        What it should return, in words.

    Returns
    -------
    float

    Raises
    ------
    NotYet
        If it returned anything but one finite number.
    """
    array = returned_array(value, expected)
    if array.size != 1:
        raise NotYet(f"your function returns {array.size} numbers; return {expected}")
    number = array.item()
    if not np.isfinite(number):
        raise NotYet(f"your function returns {number}; return a finite number")
    return number


def seed_numbers(values: Any, what: str) -> np.ndarray:
    """Take a learner's results as numbers, one for each seed.

    Parameters
    ----------
    values : object
        The learner's.
    what : str
        What they are, in words; the plural.

    Returns
    -------
    numpy.ndarray
        Of floats, with an axis at least.

    Raises
    ------
    NotYet
        If they are no numbers.
    """
    try:
        return np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        raise NotYet(
            f"{what} are of type `{type(values).__name__}`; give a list of numbers, "
            "one for each seed"
        ) from None


def _is_gap(answer: Any) -> bool:
    """Whether an answer is still the starter's."""
    if answer is None or answer is ...:
        return True
    return inspect.isfunction(answer) and _has_gap(answer)


def _has_gap(function: Callable) -> bool:
    """Whether a function's body is empty, or sets or returns the starter's dots."""
    steps = [
        (step.opname, step.argval)
        for step in dis.get_instructions(function)
        if step.opname not in ("RESUME", "NOP")
    ]
    constants = {"LOAD_CONST", "RETURN_CONST"}
    if all(
        name == "RETURN_VALUE" or (name in constants and value in (None, ...))
        for name, value in steps
    ):
        return True
    return any(
        value is ...
        and (name == "RETURN_CONST" or following.startswith(("STORE_", "RETURN_")))
        for (name, value), (following, _) in zip(
            steps, [*steps[1:], ("", None)], strict=True
        )
        if name in constants
    )


def _reason(error: BaseException, answers: Sequence[Any]) -> str:
    """Say what was raised and in which line of the learner's, if it was there."""
    files = {a.__code__.co_filename for a in answers if inspect.isfunction(a)}
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if f.filename in files
    ]
    if not frames:
        return f"the check cannot make use of it: `{_raised(error)}`"
    code = f", `{frames[-1].line}`" if frames[-1].line else ""
    return (
        f"your function stops with `{_raised(error)}` in line {frames[-1].lineno}{code}"
    )


def _raised(error: BaseException) -> str:
    """Name an error in one line."""
    lines = str(error).strip().splitlines() or [""]
    message = lines[0][:_LONGEST_MESSAGE].rstrip(".:").replace("`", "'")
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _described(answer: Any) -> str:
    """Name a value's type and, if it is short, the value."""
    kind = type(answer).__name__
    value = repr(answer)
    if len(value) > 40 or "\n" in value:
        return f"of type `{kind}`"
    return f"`{value}` (`{kind}`)"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _ended(message: str) -> str:
    return message if message.endswith((".", "?", "!")) else f"{message}."


def _html(text: str) -> str:
    """Escape a text and set what stands in backticks as code."""
    code = '<code style="background: none; color: inherit">'
    return re.sub(r"`([^`]+)`", rf"{code}\1</code>", html.escape(text))
