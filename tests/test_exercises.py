"""The exercises: their mechanism, and each checker against right and wrong answers."""

import functools
import inspect
import itertools
import json
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import keras
import nbformat
import numpy as np
import pandas as pd
import pytest
from exercise_answers import says, solution_answers
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import nnperf_utils.exercises
from nnperf_utils.exercises import vanishing_gradients as exercises
from nnperf_utils.exercises.base import Exercise, NotYet, exercise, expect_function
from nnperf_utils.models import mlp

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
# 1  factor_per_layer
# --------------------------------------------------------------------------------------


def test_factor_alternatives():
    def by_products(norms):
        ratios = np.asarray(norms[:-1]) / np.asarray(norms[1:])
        return np.prod(ratios) ** (1 / len(ratios))

    def by_logarithms(norms):
        return np.exp(-np.mean(np.diff(np.log(norms))))

    for right in (by_products, by_logarithms, lambda n: [by_products(n)]):
        assert says(exercises.factor_per_layer.judge(right), "correct", "0.3⁹")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda n: (n[-1] / n[0]) ** (1 / (len(n) - 1)), "upside down"),
        (lambda n: (n[0] / n[-1]) ** (1 / len(n)), "n - 1 steps"),
        (lambda n: n[0] / n[-1], "all layers together"),
        (lambda n: np.mean(n[:-1] / n[1:]), "arithmetic mean of the ratios"),
        (lambda n: np.mean(n[1:] / n[:-1]), "ratios that are upside down"),
        (lambda n: np.median(n[:-1] / n[1:]), "median"),
        (lambda n: np.mean(np.log(n[:-1] / n[1:])), "Take the exponential"),
        (lambda n: n[:-1] / n[1:], "returns 2 numbers"),
        (lambda n: print(end=""), "returns nothing"),
        (lambda n: "0.1", "for the norms"),
        (lambda n: n / "", "UFuncTypeError"),
        (lambda n: np.nan, "nan"),
        # right for the first network by chance
        (lambda n: 0.1, "right for three layers, but for the norms"),
        (lambda n: (n[0] / n[-1]) ** 0.5, "right for three layers, but"),
        (lambda n: (n.min() / n.max()) ** (1 / (len(n) - 1)), "right for three"),
        (lambda: 0.1, "takes `()`"),
        (0.1, "a function of `norms`"),
    ],
)
def test_factor_wrong(wrong, message):
    assert says(exercises.factor_per_layer.judge(wrong), "not yet", message)


def test_factor_error_names_the_line():
    def stops(norms):
        return norms[len(norms)] / norms[0]

    outcome = exercises.factor_per_layer.judge(stops)
    assert says(outcome, "not yet", "IndexError", "`return norms[len(norms)]")


def test_factor_may_change_its_argument():
    def in_place(norms):
        norms /= norms[-1]
        return norms[0] ** (1 / (len(norms) - 1))

    assert exercises.factor_per_layer.judge(in_place).status == "correct"


# --------------------------------------------------------------------------------------
# 2  deepest_that_trains
# --------------------------------------------------------------------------------------

GOOD = [0.61, 0.62, 0.58, 0.60, 0.59]
BAD = [0.10, 0.10, 0.24, 0.19, 0.10]
LUCKY = [0.10, 0.10, 0.60, 0.19, 0.70]
RUNS = {2: GOOD, 3: GOOD, 4: BAD}


def as_history(runs):
    """Bring runs to the form of the engine's history."""
    rows = [
        (str(depth), seed, epoch, metric, value if epoch == 2 else 0.1)
        for depth, values in runs.items()
        for seed, value in enumerate(values)
        for epoch in (1, 2)
        for metric in ("val_accuracy", "val_loss")
    ]
    return pd.DataFrame(rows, columns=["variant", "seed", "epoch", "metric", "value"])


@pytest.mark.parametrize(
    ("accuracies", "deepest"),
    [
        (RUNS, 3),
        (RUNS, np.int64(3)),
        (RUNS, 3.0),
        ({"3": np.array(GOOD), "4": pd.Series(BAD), "6": BAD}, 3),
        (as_history(RUNS), 3),
        (as_history(RUNS).rename(columns={"variant": "depth"}), 3),
        # other runs, another border: the learner's numbers decide
        ({6: GOOD, 7: LUCKY}, 6),
        ({1: GOOD, 2: [np.nan] * 5}, 1),
    ],
)
def test_deepest_right(accuracies, deepest):
    outcome = exercises.deepest_that_trains.judge(accuracies, deepest)
    assert says(outcome, "correct", "border lies between")


@pytest.mark.parametrize(
    ("accuracies", "deepest", "message"),
    [
        (RUNS, ..., "`deepest` is still to be filled in"),
        (RUNS, 4, "median of depth 4 is 0.10, not above 0.5"),
        ({3: GOOD, 4: LUCKY}, 4, "although its best seed reaches 0.70"),
        (RUNS, 2, "depth 3 trains as well"),
        (RUNS, 5, "not measured"),
        (RUNS, 0.6, "a whole number"),
        (RUNS, "3", "a whole number"),
        (RUNS, True, "a whole number"),
        ({3: GOOD, 4: BAD, 5: GOOD}, 5, "depth 4 fails before it"),
        ({2: GOOD, 3: GOOD}, 3, "Go deeper"),
        ({3: BAD, 4: BAD}, 3, "Measure shallower"),
        ({1: BAD, 2: BAD}, 1, "Even one hidden layer should"),
        ({3: GOOD, 6: BAD}, 3, "what lies between"),
        ({3: GOOD[:1], 4: BAD[:1]}, 3, "at least 5 seeds"),
        ({3: 0.6, 4: 0.1}, 3, "at least 5 seeds"),
        ({3: [GOOD, GOOD], 4: BAD}, 3, "shape (2, 5)"),
        ({3: [0.6] * 5, 4: [0.1] * 5}, 3, "one seed repeated"),
        ({3: [61, 62, 58, 60, 59], 4: BAD}, 3, "fractions, not percentages"),
        ({3: ["a"] * 5, 4: BAD}, 3, "a list of numbers"),
        ({"accuracy": GOOD}, 3, "no depth"),
        ({3: GOOD, "3": BAD}, 3, "comes twice"),
        ({}, 3, "empty"),
        (GOOD, 3, "make it a dictionary"),
        (solution_answers(exercises.factor_per_layer)[0], 3, "of type `function`"),
        (pd.DataFrame({"value": GOOD}), 3, "no column `variant`"),
        (as_history(RUNS).query("metric == 'val_loss'"), 3, "`val_accuracy`"),
        (pd.concat([as_history(RUNS)] * 2), 3, "more than one value"),
    ],
)
def test_deepest_wrong(accuracies, deepest, message):
    outcome = exercises.deepest_that_trains.judge(accuracies, deepest)
    assert says(outcome, "not yet", message)


def test_deepest_leaves_the_learners_numbers_alone():
    values = np.array([np.nan, 0.1, 0.1, 0.2, 0.1])
    exercises.deepest_that_trains.judge({3: GOOD, 4: values}, 3)
    assert np.isnan(values[0])


# --------------------------------------------------------------------------------------
# 3  rescue_sigmoid
# --------------------------------------------------------------------------------------

scaling = functools.partial(keras.initializers.VarianceScaling, mode="fan_in")


def network(**knobs):
    """Return a build function for ten sigmoid layers with other knobs."""
    knobs = {"hidden_layers": 10, "activation": "sigmoid"} | knobs
    knobs.setdefault("kernel_initializer", scaling(48))
    return lambda: mlp(exercises._data(), **knobs)


def plain_keras(activation="sigmoid", **knobs):
    """Return the same network in plain Keras, activations in layers of their own."""
    model = keras.Sequential([keras.Input((14, 14, 1)), keras.layers.Flatten()])
    for _ in range(10):
        model.add(keras.layers.Dense(64, kernel_initializer=scaling(48), **knobs))
        model.add(keras.layers.Activation(activation))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def with_shortcut():
    x = inputs = keras.Input((14, 14, 1))
    x = keras.layers.Flatten()(x)
    for number in range(10):
        y = keras.layers.Dense(64, activation="sigmoid")(x)
        x = y + x if number else y
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def trained():
    model = network()()
    model.fit(*exercises._probe(), batch_size=128, verbose=0)
    return model


def uncompiled():
    compiled = network()()
    return keras.Model(compiled.inputs, compiled.outputs)


class OwnClass(keras.Model):
    """A subclass may compute anything."""


@pytest.mark.parametrize(
    "build",
    [
        network(kernel_initializer=keras.initializers.Orthogonal(7.0)),
        network(kernel_initializer=scaling(64, distribution="uniform")),
        plain_keras,
        lambda: plain_keras(activation=lambda z: 1 / (1 + keras.ops.exp(-z))),
    ],
    ids=["orthogonal", "uniform", "plain Keras", "own sigmoid"],
)
def test_rescue_right(build):
    assert says(exercises.rescue_sigmoid.judge(build), "correct", "saturated")


NORMAL = keras.initializers.RandomNormal


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (network(kernel_initializer="glorot_uniform"), "make them larger"),
        (network(kernel_initializer="he_normal"), "it must reach 0.1"),
        (network(kernel_initializer=scaling(16)), "it must reach 0.1"),
        (network(kernel_initializer=NORMAL(stddev=0.5)), "it must reach 0.1"),
        (network(kernel_initializer=NORMAL(stddev=2.0)), "but by saturating"),
        (network(kernel_initializer=scaling(1000)), "but by saturating"),
        (network(kernel_initializer="ones"), "all is saturated"),
        (network(activation="relu"), "activations are relu"),
        (network(activation=lambda z: keras.ops.sigmoid(4 * z)), "plain sigmoids"),
        (network(activation=None), "activations are linear"),
        (network(normalization="batch"), "no normalization"),
        (network(residual=True), "no skip connections"),
        (network(dropout=0.1), "no other layers"),
        (with_shortcut, "no skip connections"),
        (network(hidden_layers=3), "3 hidden layers"),
        (network(units=128), "10 layers of 64"),
        (lambda: plain_keras(bias_initializer="ones"), "biases"),
        (uncompiled, "not compiled"),
        (trained, "trained already"),
        (functools.cache(plain_keras), "the same network each time"),
        (plain_keras(), "is a network"),
        (scaling(48), "is the initializer itself"),
        (lambda: scaling(48), "return the network"),
        (lambda: OwnClass(), "a class of your own"),
        (
            lambda: keras.Sequential([keras.layers.Dense(64)]),
            "without weights yet",
        ),
        (lambda data: network()(), "takes `(data)`"),
    ],
)
def test_rescue_wrong(build, message):
    assert says(exercises.rescue_sigmoid.judge(build), "not yet", message)


def test_rescue_starter_is_not_attempted():
    def build():
        initializer = ...
        return mlp(
            exercises._data(),
            hidden_layers=10,
            activation="sigmoid",
            kernel_initializer=initializer,
        )

    assert exercises.rescue_sigmoid.judge(build).status == "not attempted"


def test_rescue_reports_what_it_measured():
    # 0.04 in the median over 20 seeds, measured apart
    message = exercises.rescue_sigmoid.judge(
        network(kernel_initializer=scaling(16))
    ).message
    measured = float(message.split("gradient is ")[1].split()[0])
    assert 0.015 < measured < 0.08


def test_rescue_leaves_the_learners_random_numbers_alone():
    build = network()  # an initializer draws its seed when it is made
    keras.utils.set_random_seed(1)
    expected = keras.random.normal([]).numpy()
    keras.utils.set_random_seed(1)
    exercises.rescue_sigmoid.judge(build)
    assert keras.random.normal([]).numpy() == expected


# --------------------------------------------------------------------------------------
# 4  diagnose
# --------------------------------------------------------------------------------------


def reading(readings, metric):
    hidden = readings[readings["layer"].str.startswith("hidden")]
    return hidden[hidden["metric"] == metric].set_index("layer")["value"]


def fall(readings):
    spread = reading(readings, "activation_std")
    return spread / spread.shift()


def test_diagnose_alternatives():
    def by_gradient(readings):
        return reading(readings, "gradient_norm").idxmax()

    def by_threshold(readings):
        spread = reading(readings, "activation_std")
        return spread.index[spread < 0.05][0]

    for right in (by_gradient, by_threshold, lambda r: [by_gradient(r)]):
        assert says(exercises.diagnose.judge(right), "correct", "finds all 7")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda r: reading(r, "gradient_norm").idxmin(), "one that suffers"),
        (lambda r: reading(r, "activation_std").idxmin(), "Where does it begin"),
        (lambda r: "hidden_5", "it says `hidden_5` whatever"),
        (lambda r: r["layer"].iloc[0], "it says `hidden_1` whatever"),
        (lambda r: fall(r).shift(-1).idxmin(), "the layer before the sick one"),
        (lambda r: r.loc[r["value"].idxmax(), "layer"], "sick layers"),
        (lambda r: fall(r).argmin(), "return the layer's name"),
        (lambda r: None if len(r) else 0, "returns nothing"),
        (lambda r: r["depth"], "KeyError"),
        (lambda: "hidden_3", "takes `()`"),
        ("hidden_3", "a function of `readings`"),
    ],
)
def test_diagnose_wrong(wrong, message):
    assert says(exercises.diagnose.judge(wrong), "not yet", message)


def test_diagnose_may_change_its_argument():
    def spoils(readings):
        name = fall(readings).idxmin()
        readings["value"] = 0.0
        return name

    assert exercises.diagnose.judge(spoils).status == "correct"
    assert exercises.diagnose.judge(spoils).status == "correct"


def test_sick_readings_are_the_same_each_time():
    exercises._sick_readings.cache_clear()
    first = exercises.sick_readings(4, seed=1)
    exercises._sick_readings.cache_clear()
    pd.testing.assert_frame_equal(first, exercises.sick_readings(4, seed=1))


@pytest.mark.parametrize("layer", [1, 9, "hidden_3", None])
def test_sick_readings_of_no_such_layer(layer):
    with pytest.raises(ValueError, match=r"layer is .* from 2 to 8"):
        exercises.sick_readings(layer)


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
