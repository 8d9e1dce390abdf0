"""What the chapter on clipping tells a reader to copy, and says of Keras's Adam."""

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
    """Return the class in the chapter's cells."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    sources = {cell["id"]: "".join(cell["source"]) for cell in cells}
    space = {"tf": tf}
    for name in ("in-one", "logbook"):
        exec(sources[name], space)  # the course's own lines
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
    model.fit(words, y, batch_size=4, verbose=0)
    whole = np.linalg.norm([np.linalg.norm(g) for g in gradients])
    largest = max(np.abs(g).max() for g in gradients)
    np.testing.assert_allclose(
        model.optimizer.log[0], [whole, largest, whole], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("before", "bound"), [(1.0, np.sqrt(10 + 0.81 / 0.999)), (0.0, np.sqrt(10))]
)
def test_adams_step_at_a_spike_comes_up_to_the_bound_and_not_above(before, bound):
    spikes = np.geomspace(1, 1e4, 81)
    optimizer = keras.optimizers.Adam(1.0)
    weights = keras.Variable(np.zeros(len(spikes)))
    optimizer.build([weights])
    iterations, _, momentum, velocity = optimizer.variables
    iterations.assign(10**6)  # no correction for the start any more
    momentum.assign(np.full(len(spikes), before))
    velocity.assign(np.full(len(spikes), before**2))
    optimizer.apply([tf.constant(spikes, "float32")], [weights])
    assert np.abs(weights.numpy()).max() == pytest.approx(bound, rel=1e-3)
