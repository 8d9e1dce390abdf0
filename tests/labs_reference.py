"""What Keras computes in double precision, for `labs/nn.js` to be held against.

Run as a script, since the precision is set for a whole process: it prints the cases as
JSON, each with what went in and what came out.
"""

from __future__ import annotations

import json
import os
from itertools import pairwise
from typing import Any

UPDATES = 50
ACTIVATIONS = (
    "linear",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "sigmoid",
    "tanh",
    "softmax",
    "gelu",
    "swish",
)
# of each: the output's units and activation, and whether Keras is told of logits
LOSSES = {
    "mse": (2, "linear", False),
    "binary_crossentropy": (1, "sigmoid", False),
    "binary_crossentropy_from_logits": (1, "linear", True),
    "sparse_categorical_crossentropy": (4, "softmax", False),
    "sparse_categorical_crossentropy_from_logits": (4, "linear", True),
}
# Keras rounds momentum and the betas to single precision, which is seen where
# 1 - 0.999 is divided by: these are powers of two, that need no rounding
BETAS = {"beta_1": 1 - 2**-3, "beta_2": 1 - 2**-7}
OPTIMIZERS = {
    "plain": ("sgd", {"learning_rate": 0.05}),
    "momentum": ("sgd", {"learning_rate": 0.02, "momentum": 0.875}),
    "nesterov": ("sgd", {"learning_rate": 0.02, "momentum": 0.875, "nesterov": True}),
    "adagrad": ("adagrad", {"learning_rate": 0.1}),
    "rmsprop": ("rmsprop", {"learning_rate": 0.01}),
    "rmsprop, momentum": ("rmsprop", {"learning_rate": 0.01, "momentum": 0.5}),
    "adam": ("adam", {"learning_rate": 0.02, **BETAS}),
    "adamw": ("adamw", {"learning_rate": 0.02, "weight_decay": 0.1, **BETAS}),
    "lamb": ("lamb", {"learning_rate": 0.02, **BETAS}),
    "by value": ("sgd", {"learning_rate": 0.1, "clipvalue": 0.02}),
    "by norm": ("sgd", {"learning_rate": 0.1, "clipnorm": 0.05}),
    "by global norm": (
        "adam",
        {"learning_rate": 0.02, "global_clipnorm": 0.05, **BETAS},
    ),
    "defaults of adam": ("adam", {}),
    "defaults of rmsprop": ("rmsprop", {}),
    "defaults of adagrad": ("adagrad", {}),
    "defaults of adamw": ("adamw", {}),
    "defaults of sgd": ("sgd", {}),
}


def cases() -> list[dict[str, Any]]:
    """Return what is to be computed, without results."""
    made = [
        {"id": f"activation {name}", "layers": [[6, name], [6, name], [2, "linear"]]}
        for name in ACTIVATIONS
    ]
    made += [
        {
            "id": f"loss {name}",
            "loss": name,
            "layers": [[6, "tanh"], [units, activation]],
        }
        for name, (units, activation, _) in LOSSES.items()
    ]
    # probabilities beyond the clip
    made += [
        {"id": f"clipped {case['id']}", "scale": 60.0, **case}
        for case in made
        if case["id"].endswith("crossentropy")
    ]
    made += [
        {
            "id": f"optimizer {name}",
            "optimizer": list(optimizer),
            "layers": [[6, "tanh"], [2, "linear"]],
        }
        for name, optimizer in OPTIMIZERS.items()
    ]
    made.append(
        {
            "id": "skip connections",
            "layers": [
                [6, "relu"],
                [6, "tanh", "skip"],
                [6, "sigmoid", "skip"],
                [2, "linear"],
            ],
        }
    )
    return [
        {"loss": "mse", "optimizer": ["sgd", {"learning_rate": 0.05}], "scale": 1.0}
        | case
        | ({"id": f"clipped {case['loss']}"} if case.get("scale") else {})
        for case in made
    ]


def compute(case: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return a case with its weights and data, and Keras's results."""
    import keras
    import numpy as np
    import tensorflow as tf

    draw = np.random.default_rng(seed)
    x = draw.normal(size=(12, 3))
    units = [3, *(layer[0] for layer in case["layers"])]
    weights = []
    for inputs, outputs in pairwise(units):
        size = case["scale"] if outputs == units[-1] else 1.0
        weights += [size * draw.normal(size=(inputs, outputs)) / inputs**0.5]
        weights += [0.1 * draw.normal(size=outputs)]
    sparse = case["loss"].startswith("sparse")
    if sparse:
        y = draw.integers(units[-1], size=12)
    elif case["loss"].startswith("binary"):
        y = draw.integers(2, size=(12, 1)).astype(float)
    else:
        y = draw.normal(size=(12, units[-1]))

    inputs = h = keras.Input((3,))
    for count, activation, *skip in case["layers"]:
        out = keras.layers.Dense(count, activation)(h)
        h = keras.layers.Add()([h, out]) if skip else out
    model = keras.Model(inputs, h)
    model.set_weights(weights)
    assert all(w.dtype == "float64" for w in model.weights)
    name, options = case["optimizer"]
    if name == "lamb":  # Keras does not find it by its name
        optimizer = keras.optimizers.Lamb(**options)
    else:
        optimizer = keras.optimizers.get({"class_name": name, "config": options})
    of_losses = {
        "mse": keras.losses.MeanSquaredError,
        "binary": keras.losses.BinaryCrossentropy,
        "sparse": keras.losses.SparseCategoricalCrossentropy,
    }
    kind = of_losses[case["loss"].split("_")[0]]
    logits = LOSSES[case["loss"]][2]
    loss = kind(from_logits=True) if logits else kind()
    x, y = tf.constant(x), tf.constant(y)

    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(x)
            # a tensor that does not know from which logits it came
            value = loss(y, tf.identity(model(x)))
        return value, tape.gradient(value, [*model.trainable_variables, x])

    value, gradients = gradient()
    result = {
        "value": float(value),
        "gradients": [g.numpy().ravel().tolist() for g in gradients[:-1]],
        "input": gradients[-1].numpy().ravel().tolist(),
    }
    optimizer.build(model.trainable_variables)

    @tf.function
    def update():
        optimizer.apply(gradient()[1][:-1], model.trainable_variables)

    for _ in range(UPDATES):
        update()
    result["weights"] = [w.numpy().ravel().tolist() for w in model.weights]
    return case | {
        "x": x.numpy().ravel().tolist(),
        "y": y.numpy().ravel().tolist(),
        "start": [w.ravel().tolist() for w in weights],
        "keras": result,
    }


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    keras.config.set_floatx("float64")
    print(json.dumps([compute(case, seed) for seed, case in enumerate(cases())]))
