"""The cases: healthy trainings, faulty twins of them, and healthy ones that look ill.

What belongs to which part is settled here, by task, before any threshold was fitted.
The part set aside was scored once; the fresh part was drawn after that, when what the
scoring had shown was mended, and judges the doctor as it is.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from tasks import DEVELOPMENT, FRESH, SET_ASIDE, TASKS, Task

PARTS = {"development": DEVELOPMENT, "set aside": SET_ASIDE, "fresh": FRESH}
PER_CAUSE = {"development": 3, "set aside": 2, "fresh": 1}
# in place of faults that did no harm in the development part
AGAIN = {
    "saturated_activations": 2,
    "class_imbalance": 2,
    "dropout_too_high": 3,
    "overfitting": 1,
    "over_regularized": 1,
    "oscillation": 1,
    "unscaled_targets": 1,
    "exploding_gradients": 1,
}


@dataclass(frozen=True)
class Case:
    """One training.

    Attributes
    ----------
    name : str
    part : str
        ``development`` or ``set aside``.
    cause : str or None
        None of a healthy one.
    accepted : tuple of str
        Other causes that an expert would accept for the same fault.
    spec : dict
    twin : str or None
        Name of the healthy twin.
    structural : bool
        A fault even where it costs no score: it makes ``fit`` fail, flatters the
        score, or is bound to harm.
    """

    name: str
    part: str
    cause: str | None
    accepted: tuple[str, ...]
    spec: dict
    twin: str | None
    structural: bool = False


def generator(*of: Any) -> np.random.Generator:
    """Return a generator that depends on names alone."""
    digest = hashlib.sha256(repr(of).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


# --- healthy -------------------------------------------------------------------------


def healthy(task: Task, rng: np.random.Generator, seed: int) -> dict:
    """Draw a specification that suits a task."""
    pick = lambda *of: of[int(rng.integers(len(of)))]  # noqa: E731
    kind = task.nets[int(rng.integers(len(task.nets)))]
    low, high = task.rows
    rows = int(rng.integers(low, high + 1))
    net: dict[str, Any] = {"kind": kind}
    net["activation"] = pick("relu", "relu", "relu", "tanh", "elu", "gelu")
    if kind in ("mlp", "residual", "subclass"):
        net["hidden"] = list(pick((32, 32), (64, 64), (64,), (128, 64), (32, 32, 32)))
        if kind == "residual":
            width = pick(32, 48)
            net["hidden"] = [width] * pick(2, 3, 4)
        if kind == "mlp":
            net["norm"] = pick(None, None, None, "batch", "layer")
            net["dropout"] = pick(0, 0, 0, 0.1, 0.2)
        net["init"] = (
            "he_normal" if net["activation"] == "relu" and pick(0, 1) else None
        )
        optimizer = pick(
            {"name": "Adam", "rate": 3e-3},
            {"name": "Adam", "rate": 6e-3},
            {"name": "SGD", "rate": 0.08, "momentum": 0.9},
            {"name": "RMSprop", "rate": 2e-3},
            {"name": "AdamW", "rate": 3e-3},
        )
        epochs = int(rng.integers(20, 32))
        if task.name == "cancer":
            epochs, optimizer = 14, {"name": "Adam", "rate": 1e-3}
    elif kind in ("cnn", "conv1d"):
        net["filters"] = list(pick((8, 16), (16, 16), (16, 32)))
        net["hidden"] = [32]
        net["norm"] = pick(None, None, "batch")
        net["dropout"] = pick(0, 0, 0.1)
        optimizer = pick(
            {"name": "Adam", "rate": 2e-3}, {"name": "RMSprop", "rate": 1e-3}
        )
        epochs = int(rng.integers(10, 18))
    elif kind == "rnn":
        net |= {"cell": pick("lstm", "gru"), "units": pick(20, 28), "hidden": []}
        net["pool"] = task.name in ("early",)
        optimizer = pick({"name": "Adam", "rate": 8e-3}, {"name": "Adam", "rate": 5e-3})
        epochs = 20
    else:
        cell = "gru" if task.name == "order" else pick("pool", "gru", "lstm")
        net |= {"cell": cell, "units": 20, "mask": cell != "pool" or pick(True, False)}
        net |= {"embed": pick(12, 16), "words": task.words, "hidden": []}
        optimizer = {"name": "Adam", "rate": 5e-3 if cell != "pool" else 1e-2}
        epochs = 12 if cell != "pool" else 22
        if task.name == "order":
            epochs = 14
    spec: dict[str, Any] = {
        "task": task.name,
        "rows": rows,
        "seed": seed,
        "data": [],
        "net": net,
        "optimizer": optimizer,
        "fit": {
            "epochs": epochs,
            "batch_size": pick(32, 32, 64) if rows > 500 else pick(16, 32),
            "shuffle": True,
            "feed": pick("arrays", "arrays", "arrays", "tf.data", "generator"),
        },
    }
    _finish(spec, task, pick)
    return spec


def _finish(spec: dict, task: Task, pick: Callable) -> None:
    """Set output, loss and metric, in one of the styles of Keras."""
    net = spec["net"]
    if task.kind == "regression":
        net["out"] = 2 if task.name == "surface" else 1
        net["out_activation"] = None
        spec["loss"] = pick("mean_squared_error", "mse")
        spec["metrics"] = pick(None, ["mae"])
        return
    spec["metrics"] = pick(None, ["accuracy"], ["accuracy"])
    logits = pick(None, None, None, False, True)
    spec["logits"] = logits
    if logits:
        spec["metrics"] = None
    if task.kind == "binary":
        net["out"], net["out_activation"] = 1, None if logits else "sigmoid"
        spec["loss"] = "binary_crossentropy"
    else:
        net["out"] = task.classes
        net["out_activation"] = None if logits else "softmax"
        if pick(0, 0, 1):
            spec["loss"] = "categorical_crossentropy"
            spec["data"] = [["one_hot", task.classes]]
        else:
            spec["loss"] = "sparse_categorical_crossentropy"


# --- faults --------------------------------------------------------------------------

Fault = tuple[str, tuple[str, ...], bool, Callable[[dict, np.random.Generator], bool]]
FAULTS: dict[str, list[tuple]] = {}


def fault(cause: str, *accepted: str, structural: bool = False) -> Callable:
    """Register a way to plant a cause; it returns False where it does not apply."""

    def register(plant: Callable) -> Callable:
        FAULTS.setdefault(cause, []).append((plant, accepted, structural))
        return plant

    return register


def _kind(spec: dict) -> str:
    return TASKS[spec["task"]].kind


def _dense(spec: dict) -> bool:
    return spec["net"]["kind"] in ("mlp", "subclass")


def _sgd(spec: dict) -> bool:
    return spec["optimizer"]["name"] == "SGD"


def _raw(spec: dict) -> None:
    """Take one-hot coding back, so that labels are numbers."""
    if ["one_hot", TASKS[spec["task"]].classes] in spec["data"]:
        spec["data"].remove(["one_hot", TASKS[spec["task"]].classes])
        spec["loss"] = "sparse_categorical_crossentropy"


def _first(spec: dict, operation: list) -> None:
    spec["data"].insert(0, operation)


@fault("vanishing_gradients")
def deep_sigmoid(s, rng):
    if not _dense(s):
        return False
    s["net"] |= {
        "hidden": [32] * int(rng.integers(7, 12)),
        "activation": "sigmoid",
        "norm": None,
        "dropout": 0,
        "init": None,
    }


@fault("vanishing_gradients", "bad_initialization")
def deep_tanh_small(s, rng):
    if not _dense(s):
        return False
    s["net"] |= {
        "hidden": [32] * 9,
        "activation": "tanh",
        "norm": None,
        "dropout": 0,
        "init": "normal",
        "init_scale": 0.05,
    }


@fault("vanishing_gradients")
def simple_recurrence(s, rng):
    if s["task"] not in ("early", "order", "totals", "waves"):
        return False
    s["net"] |= {"cell": "simple", "pool": False, "recurrent_scale": 0.3}
    if s["net"]["kind"] != "rnn":
        s["net"]["mask"] = True


@fault("exploding_gradients", "bad_initialization", "learning_rate_too_high")
def deep_large(s, rng):
    if not _dense(s):
        return False
    s["net"] |= {
        "hidden": [64] * int(rng.integers(5, 8)),
        "activation": "relu",
        "norm": None,
        "dropout": 0,
        "init": "normal",
        "init_scale": float(rng.choice([0.4, 0.5, 0.6])),
    }


@fault("exploding_gradients", "learning_rate_too_high", "bad_initialization")
def recurrent_large(s, rng):
    if s["net"]["kind"] != "rnn":
        return False
    s["net"] |= {
        "cell": "simple",
        "cell_activation": "relu",
        "pool": False,
        "recurrent_scale": 2.0,
    }
    s["optimizer"] = {"name": "SGD", "rate": 0.02}


@fault("dying_relu", "bad_initialization")
def low_bias(s, rng):
    if not _dense(s) and s["net"]["kind"] not in ("cnn", "conv1d"):
        return False
    s["net"] |= {"activation": "relu", "norm": None, "bias": -float(rng.choice([4, 8]))}


@fault("dying_relu", "learning_rate_too_high")
def killed(s, rng):
    if not _dense(s):
        return False
    s["net"] |= {"activation": "relu", "norm": None, "hidden": [32, 32, 32]}
    s["optimizer"] = {"name": "Adam", "rate": float(rng.choice([0.3, 0.6]))}


@fault("saturated_activations", "bad_initialization")
def large_tanh(s, rng):
    if not _dense(s):
        return False
    s["net"] |= {
        "activation": "tanh",
        "norm": None,
        "init": "normal",
        "init_scale": 3.0,
        "hidden": [48, 48, 48],
    }


@fault("saturated_activations", "unscaled_inputs")
def large_inputs_tanh(s, rng):
    if not _dense(s) or TASKS[s["task"]].words:
        return False
    s["net"] |= {
        "activation": str(rng.choice(["tanh", "sigmoid"])),
        "norm": None,
        "hidden": [32, 32],
    }
    _first(s, ["times", 80.0])


@fault("saturated_activations", "bad_initialization")
def large_bias_sigmoid(s, rng):
    if not _dense(s):
        return False
    s["net"] |= {"activation": "sigmoid", "norm": None, "bias": 9.0, "hidden": [32, 32]}


@fault("bad_initialization", "dying_relu")
def zeros(s, rng):
    if s["net"]["kind"] not in ("mlp", "subclass", "cnn", "conv1d"):
        return False
    s["net"] |= {"init": "constant", "init_scale": 0.0, "init_last": True, "norm": None}


@fault("bad_initialization")
def constants(s, rng):
    if not _dense(s):
        return False
    s["net"] |= {
        "init": "constant",
        "init_scale": float(rng.choice([0.05, 0.5])),
        "init_last": True,
        "norm": None,
    }


@fault("bad_initialization", "vanishing_gradients")
def tiny(s, rng):
    if s["net"]["kind"] not in ("mlp", "subclass", "cnn", "conv1d"):
        return False
    s["net"] |= {
        "init": "normal",
        "init_scale": 1e-4,
        "norm": None,
        "init_last": True,
        "hidden": [32, 32, 32],
    }
    s["optimizer"] = {"name": "SGD", "rate": 0.05, "momentum": 0.9}


@fault("bad_initialization", "exploding_gradients", "saturated_activations")
def huge(s, rng):
    if s["net"]["kind"] not in ("mlp", "subclass", "cnn", "conv1d"):
        return False
    s["net"] |= {
        "init": "normal",
        "init_scale": float(rng.choice([2.0, 5.0])),
        "norm": None,
    }


@fault("unscaled_inputs")
def far_off(s, rng):
    if s["net"]["kind"] not in ("mlp", "subclass", "residual", "conv1d", "cnn"):
        return False
    s["net"]["norm"] = None
    _first(s, ["times", float(rng.choice([300.0, 1000.0]))])


@fault("unscaled_inputs")
def mixed(s, rng):
    if not _dense(s) or s["task"] in ("digits", "clothes"):
        return False
    s["net"]["norm"] = None
    _first(s, ["mixed", float(rng.choice([3.0, 4.0]))])


@fault("unscaled_inputs")
def offset(s, rng):
    if not _dense(s) or s["task"] in ("digits", "clothes"):
        return False
    s["net"]["norm"] = None
    _first(s, ["plus", float(rng.choice([200.0, 1000.0]))])


@fault("unscaled_targets")
def thousands(s, rng):
    if _kind(s) != "regression":
        return False
    scale = float(rng.choice([200.0, 2000.0]))
    _first(s, ["target", scale, 4 * scale])


@fault("unscaled_targets")
def hundreds(s, rng):
    if _kind(s) != "regression":
        return False
    _first(s, ["target", 300.0, 0.0])


@fault("wrong_output_activation", structural=True)
def bounded(s, rng):
    if _kind(s) != "regression":
        return False
    s["net"]["out_activation"] = str(rng.choice(["relu", "sigmoid", "tanh"]))


@fault("wrong_output_activation", "wrong_loss", structural=True)
def single_softmax(s, rng):
    if _kind(s) != "binary":
        return False
    s["net"]["out_activation"] = "softmax"
    s["logits"] = None


@fault("wrong_output_activation", structural=True)
def relu_probability(s, rng):
    if _kind(s) == "regression":
        return False
    s["net"]["out_activation"] = str(rng.choice(["relu", "tanh"]))
    s["logits"] = None


@fault("wrong_loss", structural=True)
def classes_as_numbers(s, rng):
    if _kind(s) == "regression":
        return False
    _raw(s)
    s["logits"] = None
    s["net"]["out_activation"] = "sigmoid" if _kind(s) == "binary" else "softmax"
    s["loss"] = str(rng.choice(["mean_absolute_error", "mean_squared_error"]))
    if s["loss"] == "mean_squared_error" and _kind(s) == "multiclass":
        s["metrics"] = None


@fault("wrong_loss", "wrong_output_activation", structural=True)
def numbers_as_classes(s, rng):
    if _kind(s) != "regression":
        return False
    s["loss"] = "binary_crossentropy"
    s["net"]["out_activation"] = "sigmoid"
    s["metrics"] = ["mae"]


@fault("wrong_loss", structural=True)
def other_distance(s, rng):
    if _kind(s) != "regression":
        return False
    s["loss"] = str(rng.choice(["cosine_similarity", "mean_absolute_percentage_error"]))


@fault("from_logits_mismatch", "wrong_output_activation", structural=True)
def no_activation(s, rng):
    if _kind(s) == "regression":
        return False
    s["net"]["out_activation"] = None
    s["logits"] = None if rng.integers(2) else False
    s["metrics"] = ["accuracy"]


@fault("from_logits_mismatch", structural=True)
def twice(s, rng):
    if _kind(s) == "regression":
        return False
    s["net"]["out_activation"] = "sigmoid" if _kind(s) == "binary" else "softmax"
    s["logits"] = True


@fault("learning_rate_too_high", "exploding_gradients", "oscillation")
def adam_high(s, rng):
    s["optimizer"] = {"name": "Adam", "rate": float(rng.choice([0.3, 1.0]))}


@fault("learning_rate_too_high", "exploding_gradients", "oscillation")
def sgd_high(s, rng):
    if s["net"]["kind"] not in ("mlp", "subclass", "residual", "cnn", "conv1d"):
        return False
    s["optimizer"] = {
        "name": "SGD",
        "rate": float(rng.choice([1.5, 4.0])),
        "momentum": 0.9,
    }


@fault("learning_rate_too_low", "undertrained")
def adam_low(s, rng):
    s["optimizer"] = {"name": "Adam", "rate": float(rng.choice([1e-6, 1e-5, 3e-5]))}


@fault("learning_rate_too_low", "undertrained")
def sgd_low(s, rng):
    s["optimizer"] = {"name": "SGD", "rate": float(rng.choice([1e-5, 1e-4]))}


@fault("learning_rate_too_low", "undertrained")
def dying_schedule(s, rng):
    s["optimizer"] = {"name": "Adam", "rate": 5e-4, "schedule": "dying"}


@fault("overfitting")
def few_rows(s, rng):
    if not _dense(s) or s["task"] in ("moons", "cancer"):
        return False
    s["net"] |= {
        "hidden": [256, 128],
        "dropout": 0,
        "norm": None,
        "activation": "relu",
        "init": "he_normal",
    }
    s["data"] = [
        ["fewer", int(rng.integers(60, 110))],
        ["noise_columns", 20],
        *s["data"],
    ]
    s["optimizer"] = {"name": "Adam", "rate": 3e-3}
    s["fit"] |= {"epochs": 50, "batch_size": 16}


@fault("overfitting")
def few_texts(s, rng):
    if s["net"]["kind"] not in ("text", "conv1d", "cnn", "rnn"):
        return False
    s["net"]["hidden"] = [64]
    s["net"]["dropout"] = 0
    s["data"] = [["fewer", int(rng.integers(60, 110))], *s["data"]]
    s["optimizer"] = {"name": "Adam", "rate": 5e-3}
    s["fit"] |= {"epochs": 40, "batch_size": 16}


@fault("underfitting")
def narrow(s, rng):
    if s["task"] in ("cancer", "table", "cars"):
        return False
    if not _dense(s):
        return False
    s["net"] |= {
        "hidden": [int(rng.integers(1, 3))],
        "norm": None,
        "dropout": 0,
        "activation": "tanh",
    }


@fault("underfitting", "missing_nonlinearity")
def linear_model(s, rng):
    if not _dense(s) or s["task"] not in (
        "moons",
        "rings",
        "clusters",
        "surface",
        "polynomial",
        "friedman",
    ):
        return False
    s["net"] |= {"hidden": [], "kind": "mlp"}


@fault("missing_nonlinearity", "underfitting")
def all_linear(s, rng):
    if not _dense(s) or s["task"] not in (
        "moons",
        "rings",
        "clusters",
        "surface",
        "polynomial",
        "friedman",
    ):
        return False
    s["net"] |= {"activation": None, "norm": None}


@fault("over_regularized")
def strong_penalty(s, rng):
    if s["net"]["kind"] in ("text",):
        return False
    s["net"]["norm"] = None
    key = str(rng.choice(["l2", "l1"]))
    s["net"][key] = float(rng.choice([0.3, 1.0])) if key == "l2" else 0.1


@fault("over_regularized")
def strong_decay(s, rng):
    if s["net"]["kind"] in ("text",):
        return False
    s["net"]["norm"] = None
    s["optimizer"] = {"name": "AdamW", "rate": 3e-3, "weight_decay": 30.0}


@fault("dropout_too_high")
def dropped(s, rng):
    if s["net"]["kind"] not in ("mlp", "subclass", "cnn", "conv1d"):
        return False
    s["net"]["dropout"] = float(rng.choice([0.85, 0.9, 0.95]))


@fault("class_imbalance")
def rare(s, rng):
    if _kind(s) == "regression" or TASKS[s["task"]].words:
        return False
    _first(s, ["imbalance", float(rng.choice([0.02, 0.04]))])
    s["fit"]["epochs"] = max(8, s["fit"]["epochs"] // 2)


@fault("label_noise")
def noisy_training(s, rng):
    if _kind(s) == "regression":
        return False
    share = 0.35 if _kind(s) == "binary" else 0.45
    _first(s, ["flip", share, False])


@fault("label_noise")
def noisy_all(s, rng):
    if _kind(s) == "regression":
        return False
    share = 0.35 if _kind(s) == "binary" else 0.45
    _first(s, ["flip", share, True])


@fault("shuffled_labels")
def shuffled(s, rng):
    _first(s, ["shuffle_labels", bool(rng.integers(2))])


@fault("data_leakage", structural=True)
def copied_target(s, rng):
    if not _dense(s) or s["task"] in ("cancer", "digits", "clothes"):
        return False
    _first(s, ["copy_target", float(rng.choice([0.0, 0.03]))])


@fault("data_leakage", structural=True)
def shared(s, rng):
    _first(s, ["share_rows", float(rng.choice([0.6, 0.9]))])


@fault("label_encoding", structural=True)
def from_one(s, rng):
    if _kind(s) != "multiclass":
        return False
    _raw(s)
    _first(s, ["labels", 1, 1])


@fault("label_encoding", "wrong_loss", structural=True)
def other_coding(s, rng):
    if _kind(s) != "multiclass":
        return False
    _raw(s)
    if rng.integers(2):
        s["data"].append(["one_hot", TASKS[s["task"]].classes])
    else:
        s["loss"] = "categorical_crossentropy"
    s["metrics"] = None


@fault("label_encoding", structural=True)
def minus_one(s, rng):
    if _kind(s) != "binary":
        return False
    _first(s, ["labels", 2, -1] if rng.integers(2) else ["labels", 1, 1])


@fault("batchnorm_misuse")
def slow_statistics(s, rng):
    if s["net"]["kind"] not in ("mlp", "cnn", "conv1d"):
        return False
    s["net"] |= {
        "norm": "batch",
        "bn": {"momentum": float(rng.choice([0.9995, 0.9999]))},
    }
    if s["net"]["kind"] == "mlp":
        _first(s, ["times", 6.0])


@fault("batchnorm_misuse")
def tiny_batches(s, rng):
    if s["net"]["kind"] not in ("mlp", "cnn", "conv1d"):
        return False
    s["net"] |= {"norm": "batch"}
    s["fit"]["batch_size"] = 2
    s["fit"]["epochs"] = 5
    _first(s, ["fewer", 400])


@fault("batchnorm_misuse", "wrong_output_activation")
def after_the_last(s, rng):
    if s["net"]["kind"] not in ("mlp", "cnn", "conv1d") or _kind(s) == "regression":
        return False
    s["net"]["norm_last"] = True
    s["net"]["out_activation"] = "sigmoid" if _kind(s) == "binary" else "softmax"
    s["logits"] = None


@fault("frozen_layers", structural=True)
def all_but_last(s, rng):
    if s["net"]["kind"] == "residual" or not (
        s["net"]["hidden"] or s["net"].get("cell")
    ):
        return False
    s["net"]["frozen"] = True
    if _dense(s):
        s["net"]["hidden"] = [12, 12]
        s["net"]["norm"] = None


@fault("oscillation", "learning_rate_too_high")
def swings(s, rng):
    if not _dense(s):
        return False
    s["net"]["norm"] = None
    s["optimizer"] = {"name": "SGD", "rate": 0.25, "momentum": 0.97}
    s["fit"]["batch_size"] = 16


@fault("oscillation", "learning_rate_too_high")
def restless(s, rng):
    if s["net"]["kind"] in ("text",):
        return False
    s["net"]["norm"] = None
    s["optimizer"] = {"name": "Adam", "rate": 0.06}
    s["fit"]["batch_size"] = 8
    _first(s, ["fewer", 400])


@fault("not_shuffled")
def sorted_rows(s, rng):
    _first(s, ["sort", False])
    s["fit"] |= {"shuffle": False, "feed": "arrays"}
    s["net"]["norm"] = None


@fault("not_shuffled")
def sorted_split(s, rng):
    if _kind(s) != "multiclass":
        return False
    _first(s, ["sort", True])


@fault("preprocessing_mismatch")
def other_scale(s, rng):
    if TASKS[s["task"]].words:
        return False
    _first(s, ["val_times", float(rng.choice([0.02, 10.0]))])


@fault("preprocessing_mismatch")
def other_place(s, rng):
    if TASKS[s["task"]].words:
        return False
    _first(s, ["val_plus", 2.5])


@fault("preprocessing_mismatch")
def other_order(s, rng):
    if s["net"]["kind"] in ("cnn",) or s["task"] in ("digits", "clothes"):
        _first(s, ["val_invert"])
    elif TASKS[s["task"]].words:
        _first(s, ["val_tokens"])
    elif s["task"] in ("cancer", "cars"):
        _first(s, ["val_roll"])
    else:
        return False


@fault("nonfinite_data", structural=True)
def not_a_number(s, rng):
    if TASKS[s["task"]].words:
        return False
    value = float("nan") if rng.integers(2) else float("inf")
    where = "y" if _kind(s) == "regression" and rng.integers(2) else "x"
    _first(s, ["nonfinite", where, int(rng.integers(1, 6)), value])


@fault("undertrained", "learning_rate_too_low")
def few_epochs(s, rng):
    s["fit"]["epochs"] = int(rng.integers(2, 4))
    s["fit"]["batch_size"] = 64
    if s["net"]["kind"] in ("mlp", "subclass", "residual"):
        s["optimizer"] = {"name": "SGD", "rate": 0.01}
        s["fit"]["epochs"] = int(rng.integers(3, 6))
    else:
        s["optimizer"] = {"name": "Adam", "rate": 1e-3}


@fault("padding_not_masked", "vanishing_gradients")
def unmasked(s, rng):
    if s["net"]["kind"] != "text":
        return False
    s["net"] |= {"cell": str(rng.choice(["gru", "lstm", "simple"])), "mask": False}
    s["given"] = {"most": int(rng.choice([60, 80]))}


# --- healthy ones that look ill ------------------------------------------------------


def hard_negatives(part: str) -> Iterator[tuple[str, dict]]:
    """Yield healthy trainings whose readings look like faults."""
    tasks = PARTS[part]
    dense = {
        "development": ["clusters", "moons", "friedman", "table"],
        "set aside": ["rings", "polynomial", "cancer", "cars"],
        "fresh": ["spirals", "hills", "wine", "polynomial"],
    }[part]
    images = {"development": "digits", "set aside": "clothes", "fresh": "bars"}[part]
    low = {
        "development": ["diabetes", "overlapping"],
        "set aside": ["progress", "overlapping"],
        "fresh": ["diabetes", "progress"],
    }[part]
    texts = {"development": "topics", "set aside": "marks", "fresh": "reviews"}[part]
    series = {"development": "waves", "set aside": "totals", "fresh": "jumps"}[part]

    def base(name: str, *of: Any, kind: str | None = None) -> dict:
        rng = generator("hard", part, name, *of)
        task = TASKS[name]
        for _ in range(200):
            spec = healthy(task, rng, int(rng.integers(10_000)))
            if kind is None or spec["net"]["kind"] == kind:
                return spec
        raise ValueError(f"{name} has no network of kind {kind}")

    seeds = range(2)
    for i in seeds:
        s = base(dense[i], "sparse", i, kind="mlp")
        s["net"] |= {
            "activation": "relu",
            "norm": None,
            "bias": -0.4,
            "hidden": [128, 64],
        }
        yield f"sparse relu {i}", s
        s = base(dense[(i + 1) % 4], "scale", i, kind="mlp")
        s["net"]["norm"] = None
        _first(s, ["times", 3.0])
        yield f"inputs beyond one {i}", s
        s = base(dense[i], "rate", i, kind="mlp")
        s["net"] |= {"norm": "batch", "dropout": 0}
        s["optimizer"] = {"name": "SGD", "rate": 0.5 if i else 0.3}
        yield f"high rate that works {i}", s
        s = base(low[i], "low", i)
        s["net"] |= {"hidden": [16], "dropout": 0.2}
        s["fit"]["epochs"] = 15
        s["optimizer"] = {"name": "Adam", "rate": 2e-3}
        yield f"low ceiling {i}", s
        s = base(low[i], "low regularized", i)
        s["net"] |= {"hidden": [32], "l2": 3e-3, "norm": None}
        s["fit"]["epochs"] = 15
        s["optimizer"] = {"name": "Adam", "rate": 3e-3}
        yield f"penalty that helps {i}", s
        s = base(dense[2 * i], "dropout", i, kind="mlp")
        s["net"] |= {
            "hidden": [256, 256],
            "dropout": 0.5,
            "norm": None,
            "activation": "relu",
        }
        s["optimizer"] = {"name": "Adam", "rate": 2e-3}
        s["fit"]["epochs"] = 40
        yield f"strong dropout {i}", s
        s = base(images, "images", i, kind="cnn")
        s["net"]["dropout"] = 0.4
        yield f"convolution with dropout {i}", s
        s = base(texts, "text", i)
        yield f"text {i}", s
        s = base(series, "series", i, kind="rnn")
        yield f"recurrent {i}", s
        s = base(dense[3], "deep", i, kind="mlp")
        s["net"] |= {
            "hidden": [32] * 6,
            "activation": "elu" if i else "relu",
            "init": "he_normal",
            "norm": "batch" if i else None,
            "dropout": 0,
        }
        s["optimizer"] = {"name": "Adam", "rate": 1e-3}
        s["fit"]["epochs"] = 25
        yield f"deep {i}", s
        s = base(dense[0], "cosine", i, kind="mlp")
        steps = s["rows"] // 32 * 40
        s["optimizer"] = {
            "name": "Adam",
            "rate": 5e-3,
            "schedule": "cosine",
            "steps": steps,
        }
        s["fit"] |= {"epochs": 40, "batch_size": 32}
        yield f"schedule to zero {i}", s
        s = base(dense[0], "imbalance", i, kind="mlp")
        yield f"again {i}", s
        s = base(tasks[i].name, "sigmoid", i)
        if s["net"]["kind"] == "mlp":
            s["net"] |= {"activation": "sigmoid", "hidden": [32], "norm": None}
            s["fit"]["epochs"] = 40
            s["optimizer"] = {"name": "Adam", "rate": 1e-2}
            yield f"one sigmoid layer {i}", s
    rng = generator("easy", part)
    for i in range(2):
        # 99% after two epochs, and then nothing more to learn
        task = TASKS["clusters" if part == "development" else "cancer"]
        s = healthy(task, rng, 77 + i)
        s["task"] = "easy"
        s["net"] |= {
            "kind": "mlp",
            "hidden": [32],
            "norm": None,
            "out": 1,
            "dropout": 0,
            "out_activation": "sigmoid",
        }
        s |= {
            "loss": "binary_crossentropy",
            "logits": None,
            "data": [],
            "rows": 1500,
            "metrics": ["accuracy"],
        }
        s["optimizer"] = {"name": "Adam", "rate": 1e-2}
        s["fit"] |= {"epochs": 4, "batch_size": 32}
        yield f"learned in two epochs {i}", s
        # a plateau, and then it breaks
        s = healthy(TASKS["xor"], rng, 31 + i)
        s["net"] |= {
            "hidden": [24, 24],
            "norm": None,
            "activation": "tanh",
            "dropout": 0,
        }
        s["optimizer"] = {"name": "SGD", "rate": 0.05, "momentum": 0.9}
        s["fit"] |= {"epochs": 45, "batch_size": 32}
        yield f"plateau that breaks {i}", s


# --- all of them ---------------------------------------------------------------------


def cases(part: str) -> list[Case]:
    """Return the cases of a part: the same on every machine."""
    tasks = PARTS[part]
    found: list[Case] = []
    twins: dict[str, Case] = {}
    turn = 0
    planned = [(c, n) for c in FAULTS for n in range(PER_CAUSE[part])]
    if part == "development":
        first = PER_CAUSE[part]
        planned += [(c, first + n) for c, more in AGAIN.items() for n in range(more)]
    for cause, number in planned:
        ways = FAULTS[cause]
        rng = generator(part, cause, number)
        start = turn
        if part == "fresh":  # other ways first, and tasks by lot
            number, start = number + 1, int(rng.integers(len(tasks)))
        way, accepted, structural = ways[number % len(ways)]
        for attempt in range(400):
            task = tasks[(start + attempt) % len(tasks)]
            if (
                part == "development"
                and number >= 3
                and task.name in ("moons", "digits")
            ):
                continue
            if cause == "vanishing_gradients" and way is simple_recurrence:
                task = TASKS["early" if part == "development" else "totals"]
            base_name = f"{task.name} {turn % 5}"
            base = healthy(
                task,
                generator(part, base_name, attempt // 20),
                int(generator(part, base_name).integers(10_000)),
            )
            spec = copy.deepcopy(base)
            if way(spec, rng) is not False:
                break
        else:
            raise ValueError(f"{way.__name__} fits no task of the {part} part")
        turn += 1
        twin_spec = _twin(base, spec, cause)
        digest = hashlib.sha256(repr(twin_spec).encode()).hexdigest()[:6]
        twin_name = f"healthy {task.name} {digest}"
        if twin_name not in twins:
            twins[twin_name] = Case(twin_name, part, None, (), twin_spec, None)
        name = f"{cause} {number} {way.__name__} {task.name}"
        found.append(Case(name, part, cause, accepted, spec, twin_name, structural))
    hard = [
        Case(f"hard {name}", part, None, (), spec, None)
        for name, spec in hard_negatives(part)
    ]
    return [*twins.values(), *hard, *found]


def _twin(base: dict, spec: dict, cause: str) -> dict:
    """Return the healthy twin: the base, with longer texts where the fault has them."""
    twin = copy.deepcopy(base)
    if "given" in spec:
        twin["given"] = spec["given"]
        twin["net"] |= {"mask": True}
    return twin
