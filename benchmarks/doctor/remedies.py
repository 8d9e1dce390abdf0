# ruff: noqa: D401 (a docstring says the thing itself, or the sign looked for)
"""Each cause's remedy, applied to a specification as its advice says.

A remedy knows the cause alone, not what was planted nor how the twin is made.
"""

import copy

from tasks import TASKS


def applied(cause: str, spec: dict) -> dict:
    """Return a specification with the remedy for a cause."""
    s = copy.deepcopy(spec)
    REMEDIES[cause](s)
    return s


def _initialize(s: dict) -> None:
    net = s["net"]
    for key in (
        "init",
        "init_scale",
        "init_last",
        "bias",
        "recurrent_scale",
        "cell_activation",
    ):
        net.pop(key, None)
    if net.get("activation") in ("relu", "elu", "gelu"):
        net["init"] = "he_normal"


def _vanishing(s: dict) -> None:
    net = s["net"]
    if "cell" in net:
        net["cell"] = "gru" if net["kind"] == "text" else "lstm"
        net.pop("recurrent_scale", None)
        net.pop("cell_activation", None)
        if net["kind"] == "rnn":
            net["pool"] = s["task"] == "early"
        return
    _initialize(s)
    net |= {"activation": "relu", "init": "he_normal"}
    if len(net.get("hidden", ())) > 4 and net["kind"] == "mlp":
        net["norm"] = "batch"


def _exploding(s: dict) -> None:
    _initialize(s)
    if s["net"].get("cell") == "simple":
        s["net"]["cell"] = "lstm"
    s["optimizer"] = {"name": "Adam", "rate": 3e-3, "global_clipnorm": 1.0}


def _dying(s: dict) -> None:
    _initialize(s)
    s["net"] |= {"activation": "leaky_relu", "init": "he_normal"}
    _slower(s)


def _saturated(s: dict) -> None:
    _initialize(s)
    s["net"] |= {"activation": "relu", "init": "he_normal"}
    _scale(s)


def _scale(s: dict) -> None:
    if not TASKS[s["task"]].words:
        s["data"].append(["standardize", False])


def _output(s: dict) -> None:
    kind = TASKS[s["task"]].kind
    s["net"].pop("norm_last", None)
    s["net"]["out_activation"] = {
        "regression": None,
        "binary": "sigmoid",
        "multiclass": "softmax",
    }[kind]
    s["logits"] = None
    if kind != "regression" and "crossentropy" not in s["loss"]:
        _loss(s)


def _loss(s: dict) -> None:
    kind = TASKS[s["task"]].kind
    one_hot = any(op[0] == "one_hot" for op in s["data"])
    s["loss"] = {
        "regression": "mse",
        "binary": "binary_crossentropy",
        "multiclass": "categorical_crossentropy"
        if one_hot
        else "sparse_categorical_crossentropy",
    }[kind]
    s["logits"] = None
    s["net"]["out_activation"] = {
        "regression": None,
        "binary": "sigmoid",
        "multiclass": "softmax",
    }[kind]


def _slower(s: dict) -> None:
    """A tenth of the rate, a hundredth where it is far beyond the usual."""
    given = dict(s["optimizer"])
    usual = 0.02 if given["name"] == "SGD" else 1e-3
    rate = given["rate"] / 10
    given["rate"] = rate / 10 if rate > 10 * usual else rate
    if given.get("momentum", 0) > 0.9:
        given["momentum"] = 0.9
    s["optimizer"] = given
    if s["fit"]["batch_size"] < 16:
        s["fit"]["batch_size"] = 32


def _faster(s: dict) -> None:
    s["optimizer"] = {"name": "Adam", "rate": 3e-3}


def _regularize(s: dict) -> None:
    """More rows where there are any, dropout, and the best epoch's weights."""
    s["data"] = [op for op in s["data"] if op[0] not in ("fewer", "noise_columns")]
    s["net"]["dropout"] = 0.3
    s["fit"]["epochs"] = min(s["fit"]["epochs"], 25)


def _grow(s: dict) -> None:
    net = s["net"]
    net["hidden"] = [64, 64]
    net["activation"] = "relu"
    s["optimizer"] = {"name": "Adam", "rate": 3e-3}


def _bend(s: dict) -> None:
    s["net"] |= {"activation": "relu", "init": "he_normal"}


def _loosen(s: dict) -> None:
    s["net"] |= {"l1": 0.0, "l2": 0.0}
    if s["optimizer"].get("weight_decay"):
        s["optimizer"]["weight_decay"] = 4e-3


def _keep_units(s: dict) -> None:
    s["net"]["dropout"] = 0.2 if s["net"].get("dropout") else 0


def _weigh(s: dict) -> None:
    s["fit"]["class_weight"] = "balanced"


def _mend_labels(s: dict) -> None:
    s["data"] = [op for op in s["data"] if op[0] not in ("flip", "shuffle_labels")]


def _code(s: dict) -> None:
    kind = TASKS[s["task"]].kind
    s["data"] = [op for op in s["data"] if op[0] != "one_hot"] + [["whole"]]
    s["loss"] = {
        "binary": "binary_crossentropy",
        "multiclass": "sparse_categorical_crossentropy",
    }.get(kind, s["loss"])
    s["logits"] = None
    if kind != "regression":
        s["net"]["out_activation"] = "sigmoid" if kind == "binary" else "softmax"


def _batchnorm(s: dict) -> None:
    s["net"].pop("bn", None)
    s["net"].pop("norm_last", None)
    s["fit"]["batch_size"] = max(32, s["fit"]["batch_size"])
    s["fit"]["epochs"] = max(15, s["fit"]["epochs"])


def _thaw(s: dict) -> None:
    s["net"].pop("frozen", None)


def _shuffle(s: dict) -> None:
    s["data"].append(["unsort"])
    s["fit"]["shuffle"] = True


def _prepare_alike(s: dict) -> None:
    s["data"] = [op for op in s["data"] if not op[0].startswith("val_")]


def _drop_rows(s: dict) -> None:
    s["data"].append(["drop_nonfinite"])


def _longer(s: dict) -> None:
    s["fit"]["epochs"] = min(60, 10 * s["fit"]["epochs"])
    s["optimizer"] = {"name": "Adam", "rate": 3e-3}


def _mask(s: dict) -> None:
    s["net"]["mask"] = True


REMEDIES = {
    "vanishing_gradients": _vanishing,
    "exploding_gradients": _exploding,
    "dying_relu": _dying,
    "saturated_activations": _saturated,
    "bad_initialization": _initialize,
    "unscaled_inputs": _scale,
    "unscaled_targets": lambda s: s["data"].append(["standardize_targets"]),
    "wrong_output_activation": _output,
    "wrong_loss": _loss,
    "from_logits_mismatch": lambda s: _output(s),
    "learning_rate_too_high": _slower,
    "learning_rate_too_low": _faster,
    "overfitting": _regularize,
    "underfitting": _grow,
    "missing_nonlinearity": _bend,
    "over_regularized": _loosen,
    "dropout_too_high": _keep_units,
    "class_imbalance": _weigh,
    "label_noise": _mend_labels,
    "shuffled_labels": _mend_labels,
    "data_leakage": lambda s: s["data"].append(["drop_leak"]),
    "label_encoding": _code,
    "batchnorm_misuse": _batchnorm,
    "frozen_layers": _thaw,
    "oscillation": _slower,
    "not_shuffled": _shuffle,
    "preprocessing_mismatch": _prepare_alike,
    "nonfinite_data": _drop_rows,
    "undertrained": _longer,
    "padding_not_masked": _mask,
}
