"""The private parts of Keras and TensorFlow: where they are used, and still there."""

import ast
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import nnperf_utils
from nnperf_utils.engine import private

PACKAGE = Path(nnperf_utils.__file__).parent
# of executors, which are neither Keras nor TensorFlow
OTHERS = {"_client", "_max_workers"}
INSIDE = ("keras.src", "tensorflow.python")


def model() -> keras.Model:
    inputs = keras.Input((2,))
    outputs = keras.layers.Dense(1, name="dense")(inputs)
    network = keras.Model(inputs, outputs)
    optimizer = keras.optimizers.Adam(use_ema=True)
    network.compile(optimizer, "mse", metrics=["mae"])
    private.symbolic_build(network, (np.zeros((1, 2)), np.zeros((1, 1)), None))
    optimizer.exclude_from_weight_decay(network.trainable_variables[-1:])
    optimizer.build(network.trainable_variables)
    return network


@pytest.fixture(scope="module")
def owners() -> dict:
    keras.utils.set_random_seed(0)  # without a seed TensorFlow has no generator
    network = model()
    return {
        "keras.Model": network,
        "keras.Metric": keras.metrics.BinaryAccuracy(),
        "keras.Layer": network.get_layer("dense"),
        "keras.layers.SpatialDropout1D": keras.layers.SpatialDropout1D(0.5),
        "keras.Optimizer": network.optimizer,
        "keras.Variable": network.trainable_variables[0],
        "TensorFlow's eager context": private.eager_context.context(),
        "TensorFlow's pfor": private.converters,
    }


@pytest.mark.parametrize("name", private.ATTRIBUTES)
def test_what_the_engine_rests_on_is_still_there(owners, name):
    owner, module = private.ATTRIBUTES[name]
    assert hasattr(owners[owner], name), (
        f"{owner} has no {name} in keras {keras.__version__} and tensorflow "
        f"{tf.__version__}; nnperf_utils.{module} uses it, and it was last seen in "
        f"{private.SEEN_IN}"
    )


def test_versions_are_those_that_this_was_seen_in():
    for package, (_, newest) in private.SEEN_IN.items():
        installed = {"keras": keras, "tensorflow": tf}[package].__version__
        assert installed.split(".")[:2] == newest.split("."), (
            f"{package} {installed} is installed; when all tests have passed with it, "
            "say so in engine/private.py"
        )


def foreign_attributes(path: Path) -> set[str]:
    """Return the private attributes that a module takes from what is not its own."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = ""
        if isinstance(node, ast.Attribute):
            of_self = getattr(node.value, "id", None) in ("self", "cls")
            name = "" if of_self else node.attr
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            *("getattr", "hasattr", "setattr"),
        ):
            name = str(getattr(node.args[1], "value", ""))
        if re.match(r"_[a-z]", name):
            found.add(name)
    return found


def own_names() -> set[str]:
    """Return all private names that the package itself defines."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(getattr(node, "ctx", None), ast.Store):
                owner = getattr(getattr(node, "value", None), "id", "self")
                if owner in ("self", "result"):
                    names.add(getattr(node, "attr", None) or getattr(node, "id", ""))
    return names - set(private.ATTRIBUTES)


def test_each_is_used_in_one_place_and_listed():
    own = own_names()
    for path in [*(PACKAGE / "engine").glob("*.py"), PACKAGE / "replicas.py"]:
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for name in foreign_attributes(path) - own - OTHERS:
            assert name in private.ATTRIBUTES, f"{module} uses {name}: not listed"
            assert private.ATTRIBUTES[name][1] == module, f"{module} uses {name}, too"


def test_the_inside_is_imported_in_one_module():
    for path in PACKAGE.rglob("*.py"):
        if path.name == "private.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            assert not any(n.startswith(INSIDE) for n in names), f"{path.name}: {names}"
