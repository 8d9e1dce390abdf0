"""The log of gradients that the chapter on clipping tells a reader to copy."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

NOTEBOOK = Path(__file__).resolve().parents[1] / "chapters/08_gradient_clipping.ipynb"
OPTIMIZERS = [
    *("SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Nadam"),
    *("Adagrad", "Adadelta", "Adafactor", "Ftrl", "Lion", "Lamb"),
]


@pytest.fixture(scope="module")
def logged() -> type:
    """Return the class in the chapter's cell."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    (source,) = ["".join(c["source"]) for c in cells if c["id"] == "logbook"]
    space = {"tf": tf}
    exec(source, space)  # the course's own lines
    return space["Logged"]


def embedding_model(optimizer: keras.optimizers.Optimizer) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            keras.layers.Embedding(20, 4),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_logs_an_embedding_and_changes_nothing(logged, name):
    base = getattr(keras.optimizers, name)
    own = type(f"Logged{name}", (logged, base), {})
    words = np.random.default_rng(0).integers(20, size=(32, 5))
    models = [
        embedding_model(optimizer(0.01, global_clipnorm=0.5))
        for optimizer in (own, base)
    ]
    for model in models:
        model.fit(words, words.mean(1), epochs=2, batch_size=16, verbose=0)
    for one, other in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_array_equal(one, other)
    log = models[0].optimizer.log.numpy()
    assert (log[:4] > 0).all()
    assert (log[4:] == 0).all()


def test_sizes_are_those_of_the_whole_gradient(logged):
    own = type("LoggedSGD", (logged, keras.optimizers.SGD), {})
    words, y = np.array([[3, 3, 3, 5, 7]] * 4), np.full(4, 10.0, "float32")
    model = embedding_model(own(1.0))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(words)[:, 0] - y) ** 2)
    gradients = [
        tf.convert_to_tensor(g).numpy()
        for g in tape.gradient(loss, model.trainable_variables)
    ]
    norms = [np.linalg.norm(g) for g in gradients]
    model.fit(words, y, batch_size=4, verbose=0)
    whole = np.linalg.norm(norms)
    largest = max(np.abs(g).max() for g in gradients)
    np.testing.assert_allclose(
        model.optimizer.log[0], [whole, max(norms), largest, whole], rtol=1e-5
    )
