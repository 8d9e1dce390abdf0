"""Curvature: Hessian products against the full Hessian, on a bowl and a network."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from nnperf_utils import curvature

_random = np.random.default_rng(0)
X = _random.normal(size=(40, 5)).astype("float32") * [1, 2, 3, 4, 5]
Y = X @ _random.normal(size=(5, 1))
BOWL = 2 * X.T @ X / len(X)  # the Hessian of the mean squared error


def linear() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    return model


def network(**compiled) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(
                4, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.01)
            ),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", **compiled)
    return model


CLASSES = _random.integers(0, 3, 40)


def full_hessian(model: keras.Model, x, y) -> np.ndarray:
    """Row by row, by central differences of the gradient in the weights."""
    variables = model.trainable_variables
    sizes = [int(np.prod(v.shape)) for v in variables]
    start = np.concatenate([np.ravel(v.numpy()) for v in variables])

    def gradient(flat):
        for v, part in zip(
            variables, np.split(flat, np.cumsum(sizes)[:-1]), strict=True
        ):
            v.assign(part.reshape(v.shape))
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=False), training=False)
        slopes = tape.gradient(loss, [v.value for v in variables])
        return np.concatenate([np.ravel(s) for s in slopes]).astype(float)

    step = 1e-2
    rows = [
        (gradient(start + step * e) - gradient(start - step * e)) / (2 * step)
        for e in np.eye(len(start))
    ]
    gradient(start)
    return np.array(rows)


def test_on_a_bowl_the_product_is_that_of_its_matrix():
    direction = _random.normal(size=5)
    found = curvature.hessian_product(linear(), X, Y, direction)
    np.testing.assert_allclose(found, BOWL @ direction, rtol=1e-4)


def test_on_a_bowl_the_largest_curvature_is_its_largest_eigenvalue():
    wanted = np.linalg.eigvalsh(BOWL)[-1]
    model = linear()
    assert curvature.largest_curvature(model, X, Y) == pytest.approx(wanted, rel=2e-3)
    multiply = partial(curvature.hessian_product, model, X, Y)
    value, direction = curvature.power_iteration(multiply, 5)
    assert value == pytest.approx(wanted, rel=1e-4)
    np.testing.assert_allclose(BOWL @ direction, wanted * direction, atol=wanted * 1e-2)


def test_on_a_network_both_are_those_of_the_full_hessian():
    model = network()
    hessian = full_hessian(model, X, CLASSES)
    direction = _random.normal(size=len(hessian))
    found = curvature.hessian_product(model, X, CLASSES, direction)
    np.testing.assert_allclose(found, hessian @ direction, rtol=0.02, atol=0.02)
    wanted = np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1]
    largest = curvature.largest_curvature(model, X, CLASSES)
    assert largest == pytest.approx(wanted, rel=0.01)


def test_the_largest_is_found_and_not_the_largest_in_size():
    values = np.diag([1.0, -3.0, 2.0])
    assert curvature.power_iteration(values.dot, 3)[0] == pytest.approx(-3)
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(inputs))
    # the mean of −3a², 2b² and c²/2, a bowl that opens downwards on one side
    model.compile("sgd", lambda _, predicted: predicted**2 * SIGNS)
    x = np.diag(np.sqrt([3, 2, 0.5])).astype("float32")
    found = curvature.largest_curvature(model, x, np.zeros((3, 1), "float32"))
    assert found == pytest.approx(4 / 3, rel=1e-3)


SIGNS = np.array([[-1], [1], [1]], "float32")


@pytest.mark.parametrize(("times", "grows"), [(0.98, False), (1.02, True)])
def test_beyond_two_over_the_curvature_a_bowl_throws_you_out(times, grows):
    model = linear()
    rate = times * 2 / curvature.largest_curvature(model, X, Y, tolerance=1e-6)
    before = model.get_weights()
    losses = curvature.descend(model, X, Y, rate=rate, steps=300)
    assert len(losses) == 301
    assert (losses[-1] > losses[-50]) == grows
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_descent_takes_the_steps_of_keras():
    model = network()
    losses = curvature.descend(model, X, CLASSES, rate=0.1, steps=5)
    plain = keras.Sequential([m for m in model.layers if "dropout" not in m.name])
    plain.compile(keras.optimizers.SGD(0.1), model.loss)
    fitted = plain.fit(
        X, CLASSES, batch_size=40, epochs=6, shuffle=False, verbose=0
    ).history["loss"]
    np.testing.assert_allclose(losses, fitted, rtol=1e-5)


def test_other_weights_are_looked_at_without_tracing_anew():
    model = network()
    first = curvature.largest_curvature(model, X, CLASSES)
    model.set_weights([3 * w for w in model.get_weights()])
    other = curvature.largest_curvature(model, X, CLASSES)
    assert other != pytest.approx(first, rel=0.05)
    hessian = full_hessian(model, X, CLASSES)
    wanted = np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1]
    assert other == pytest.approx(wanted, rel=0.02)


def test_what_does_not_fit_is_named():
    model = linear()
    with pytest.raises(ValueError, match=r"shape \(4,\); the model has 5"):
        curvature.hessian_product(model, X, Y, np.zeros(4))
    with pytest.raises(ValueError, match="rate is 0; expected"):
        curvature.descend(model, X, Y, rate=0, steps=1)
    with pytest.raises(TypeError, match=r"model must be a keras\.Model; got str"):
        curvature.largest_curvature("model", X, Y)
    bare = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="is not compiled"):
        curvature.largest_curvature(bare, X, Y)
