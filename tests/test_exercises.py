"""The mechanism of the exercises, and what every exercise owes its reader."""

import inspect
import itertools
import json
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from exercise_answers import says, solution_answers
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import nnperf_utils.exercises
from nnperf_utils.exercises.base import Exercise, NotYet, exercise, expect_function

ROOT = Path(__file__).resolve().parents[1]

ALL = [
    value
    for module in pkgutil.iter_modules(nnperf_utils.exercises.__path__)
    for value in vars(import_module(f"nnperf_utils.exercises.{module.name}")).values()
    if isinstance(value, Exercise)
]


@exercise(
    hints=["Think of a `rectangle` & halve it.", "base * height / 2"],
    solution="""
def area(base, height):
    return base * height / 2
""",
)
def triangle(area):
    """Write a function for the area of a triangle."""
    expect_function(area, "area", ["base", "height"])
    if area(3, 4) != 6:
        raise NotYet(f"for base 3 and height 4 it gives {area(3, 4)}")
    return "The order of the two does not matter."


@exercise(hints=["Count."], solution="smallest, largest = 1, 2")
def two_numbers(smallest, largest):
    """Give two numbers."""
    if smallest >= largest:
        raise NotYet("they are the wrong way round")
    return "Well counted."


@exercise(hints=["None."], solution="number = 1 / 0")
def broken_solution(number):
    """Its solution stops."""
    return "Unreachable."


@exercise(hints=["None."], solution="number = 3")
def strict_checker(number):
    """Its checker turns the solution down."""
    raise NotYet("it is <b>odd</b>")


def shown(call, *args):
    """Return the outputs that a call leaves in a notebook's cell."""
    InteractiveShell.instance()
    with capture_output() as captured:
        assert call(*args) is None  # else the cell would show it a second time
    return captured.outputs


# --------------------------------------------------------------------------------------
# The mechanism
# --------------------------------------------------------------------------------------


def blank(base, height): ...


def with_docstring(base, height):
    """Return the area."""


def with_pass(base, height):
    pass


def with_gap(base, height):
    area = ...
    return area


def returns_gap(base, height):
    return ...


@pytest.mark.parametrize(
    "starter",
    [..., None, blank, with_docstring, with_pass, with_gap, returns_gap],
)
def test_starter_is_not_attempted(starter):
    assert says(triangle.judge(starter), "not attempted", "`area`", "`...`")


def test_dots_that_index_are_no_gap():
    assert triangle.judge(lambda b, h: np.ones(3)[..., 0] * b * h / 2).status == (
        "correct"
    )


def test_correct_answer_says_what_follows():
    assert str(triangle.judge(lambda b, h: b * h / 2)) == (
        "Correct. The order of the two does not matter."
    )


def test_wrong_answer_gets_the_reason():
    assert str(triangle.judge(lambda b, h: b * h)) == (
        "Not yet, because for base 3 and height 4 it gives 12."
    )


def raises_inside(base, height):
    height = height - height
    return base / height


def leaves(base, height):
    raise SystemExit


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        (raises_inside, ["ZeroDivisionError", "`return base / height`", "line "]),
        (leaves, ["SystemExit"]),
        (lambda base: base, ["takes `(base)`", "(base, height)"]),
        (6, ["`6` (`int`)", "a function of `base` and `height`"]),
        ("", ["`str`", "a function"]),
        ({}, ["`dict`", "a function"]),
        (print, ["it gives None"]),
        (min, ["it gives 3"]),
        (pd.DataFrame({"a": range(50)}), ["of type `DataFrame`"]),
    ],
)
def test_nothing_is_thrown_at_a_learner(answer, parts):
    assert says(triangle.judge(answer), "not yet", *parts)


def test_line_of_an_error_is_the_learners_own():
    line = inspect.getsourcelines(raises_inside)[1] + 2
    assert f"in line {line}," in triangle.judge(raises_inside).message


def test_interrupt_is_let_through():
    def interrupted(base, height):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        triangle.judge(interrupted)


def test_number_of_answers():
    assert two_numbers.judge().status == "not attempted"
    assert two_numbers.judge(..., None).status == "not attempted"
    assert says(two_numbers.judge(1, ...), "not yet", "`largest` is still")
    assert says(two_numbers.judge(1), "not yet", "1 of the 2", "`largest`")
    assert says(two_numbers.judge(1, 2, 3), "not yet", "3 answers", "expects 2")
    assert two_numbers.judge(1, 2).status == "correct"


def test_check_shows_page_and_text_and_leaves_its_outcome():
    (output,) = shown(triangle.check, lambda b, h: f"<i>{b}</i>")
    assert "&lt;i&gt;3&lt;/i&gt;" in output.data["text/html"]
    assert "<strong>Not yet,</strong>" in output.data["text/html"]
    assert output.data["text/plain"].startswith("Not yet, because for base 3")
    assert output.metadata["nnperf_exercise"] == {
        "id": "test_exercises.triangle",
        "check": "not yet",
    }


def test_hints_are_folded_and_need_no_script():
    (output,) = shown(triangle.hint)
    page = output.data["text/html"]
    assert page.count("<details><summary>Hint ") == 2
    assert ">rectangle</code> &amp; halve" in page
    assert "<script" not in page
    assert "base * height" not in output.data["text/plain"]  # text cannot be folded


def test_single_hint():
    (output,) = shown(triangle.hint, 2)
    assert "base * height / 2" in output.data["text/plain"]
    assert "rectangle" not in output.data["text/html"]


@pytest.mark.parametrize("number", [0, 3, "first", 1.5])
def test_hint_that_is_not_there(number):
    (output,) = shown(triangle.hint, number)
    assert "There are 2 hints" in output.data["text/plain"]


def test_solution_is_shown_run_and_checked():
    (output,) = shown(triangle.solution)
    page = output.data["text/html"]
    assert "<details><summary>Solution</summary>" in page
    assert "return base * height / 2" in page
    assert output.metadata["nnperf_exercise"] == {
        "id": "test_exercises.triangle",
        "solution": "correct",
    }


@pytest.mark.parametrize(
    ("broken", "reason"),
    [(broken_solution, "ZeroDivisionError"), (strict_checker, "<b>odd</b>")],
)
def test_solution_that_fails_says_so_openly(broken, reason):
    (output,) = shown(broken.solution)
    assert reason in output.metadata["nnperf_exercise"]["solution"]
    after = output.data["text/html"].partition("</details>")[2]
    assert "a fault of the course" in after
    assert "<b>odd" not in after


def test_metadata_survives_in_a_notebook_file():
    (output,) = shown(triangle.solution)
    cell = nbformat.v4.new_code_cell(
        outputs=[
            nbformat.v4.new_output(
                "display_data", data=output.data, metadata=output.metadata
            )
        ]
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.validate(notebook)
    again = json.loads(nbformat.writes(notebook))["cells"][0]["outputs"][0]
    assert again["metadata"]["nnperf_exercise"]["solution"] == "correct"


def test_mechanism_does_not_need_tensorflow():
    imports = "import sys, nnperf_utils.exercises.base; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", imports], text=True)
    assert not {"keras", "tensorflow"} & set(modules.split())


# --------------------------------------------------------------------------------------
# All exercises
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("each", ALL, ids=lambda e: e.id)
def test_every_exercise(each):
    assert 2 <= len(each.hints) <= 3
    assert each.__doc__
    names = [e.id for e in ALL]
    assert names.count(each.id) == 1
    assert each.judge(*[...] * len(each.answers)).status == "not attempted"
    compile(each.source, each.id, "exec")


@pytest.mark.parametrize("each", ALL, ids=lambda e: e.id)
def test_solution_passes_its_own_check(each):
    assert each.run_solution().status == "correct", each.run_solution()


@pytest.mark.parametrize("each", ALL, ids=lambda e: e.id)
@pytest.mark.parametrize("answer", [0.3, "hidden_1", [], {}, print, object(), True])
def test_answers_of_a_wrong_type(each, answer):
    outcome = each.judge(*[answer] * len(each.answers))
    assert outcome.status == "not yet"
    assert outcome.message


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        pytest.param(asked, other, id=f"{asked.id}-{other.id}")
        for asked, other in itertools.permutations(ALL, 2)
        if asked.__module__ == other.__module__ and len(other.answers) == 1
    ],
)
def test_answer_copied_from_another_exercise(asked, other):
    outcome = asked.judge(*solution_answers(other) * len(asked.answers))
    assert outcome.status == "not yet"
    assert outcome.message


# --------------------------------------------------------------------------------------
# The executed chapters
# --------------------------------------------------------------------------------------


def executed():
    """Yield each executed chapter's name and its exercises' evidence."""
    for path in sorted((ROOT / ".executed").glob("*.ipynb")):
        outputs = [
            output
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
            for output in cell.get("outputs", [])
        ]
        evidence = [o.get("metadata", {}).get("nnperf_exercise") for o in outputs]
        yield path.stem, [e for e in evidence if e]


@pytest.mark.parametrize(
    ("chapter", "evidence"), [pytest.param(*c, id=c[0]) for c in executed()]
)
def test_solutions_in_the_executed_chapter(chapter, evidence):
    solutions = {e["id"]: e["solution"] for e in evidence if "solution" in e}
    failed = {i: s for i, s in solutions.items() if s != "correct"}
    assert not failed, f"{chapter}: a checker turns down its own solution: {failed}"
    checked = {e["id"] for e in evidence if "check" in e}
    assert checked <= set(solutions), f"{chapter}: an exercise shows no solution"
    attempted = [e["id"] for e in evidence if e.get("check") == "correct"]
    assert not attempted, f"{chapter}: a starter cell gives the answer away"
