"""Maps of what a network looks at, on networks whose maps are known."""

import keras
import numpy as np
import pytest

from nnperf_utils import maps

SIDE = 6


@pytest.fixture(scope="module")
def bright():
    """A network that tells pictures by one pixel: above 0.5 it is class 1."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((SIDE, SIDE, 1))])
    model.add(layers.Conv2D(1, 1, activation="relu"))
    model.add(layers.Flatten())  # which makes Keras call the first layer once more
    model.add(layers.Dense(2, "softmax"))
    answer = np.zeros((SIDE * SIDE, 2), "float32")
    answer[2 * SIDE + 3, 1] = 8.0  # row 2, column 3
    model.set_weights(
        [np.ones((1, 1, 1, 1)), np.zeros(1), answer, np.array([0.0, -4.0])]
    )
    return maps.tapped(model)


@pytest.fixture(scope="module")
def pictures():
    x = np.random.default_rng(1).uniform(0.2, 0.8, (10, SIDE, SIDE, 1))
    return x.astype("float32"), (x[:, 2, 3, 0] > 0.5).astype("int32")


def test_the_activation_map_is_what_the_units_put_out(bright, pictures):
    x, y = pictures
    assert np.allclose(maps.activation(bright, x, y), x[..., 0])


@pytest.mark.parametrize("name", ["saliency", "integrated", "occlusion"])
def test_maps_find_the_one_pixel_that_matters(bright, pictures, name):
    x, y = pictures
    found = np.abs(maps.MAPS[name](bright, x, y))
    top = found.reshape(len(x), -1).argmax(axis=1)
    rows, columns = np.unravel_index(top, found.shape[1:])
    if name == "occlusion":  # squares whose middle is every second pixel
        assert set(rows) <= {1} and set(columns) <= {1, 2}
    else:
        assert set(rows) == {2} and set(columns) == {3}


def test_integrated_gradients_sum_to_what_is_gained(bright, pictures):
    x, y = pictures
    told = maps.integrated(bright, x, y, steps=200).sum(axis=(1, 2))

    def log_probability(pixels):
        return np.log(np.array(bright(pixels)[1])[np.arange(len(y)), y])

    gained = log_probability(x) - log_probability(np.zeros_like(x))
    assert np.allclose(told, gained, atol=1e-3)


def test_grad_cam_weights_the_units_by_their_mean_gradient(bright, pictures):
    x, y = pictures
    found = maps.grad_cam(bright, x, y)
    assert found.shape == (10, SIDE, SIDE) and found.min() >= 0
    # the one unit speaks for class 1, so that it is seen there and not in class 0
    assert found[y == 1].max(axis=(1, 2)).min() > 0
    assert found[y == 0].max() == 0


def test_likeness_is_of_the_order_alone():
    draw = np.random.default_rng(2).random((4, 5, 5))
    assert maps.likeness(draw, draw**3) == pytest.approx(1)
    assert maps.likeness(draw, -draw) == pytest.approx(-1)
    empty = draw.copy()
    empty[0] = 0
    assert maps.likeness(empty, draw) < 1.0 + 1e-12
    assert maps.likeness(empty, empty) == pytest.approx(1)  # without the empty one


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (np.zeros((4, 5, 5)), "every pair has an empty map"),
        (np.zeros((4, 5, 6)), r"maps have the shape \(4, 5, 5\), others \(4, 5, 6\)"),
    ],
)
def test_likeness_says_what_cannot_be_compared(other, message):
    with pytest.raises(ValueError, match=message):
        maps.likeness(np.zeros((4, 5, 5)), other)


def test_the_pixel_that_matters_is_missed(bright, pictures):
    x, y = pictures
    told = maps.saliency(bright, x, y)
    assert maps.accuracy_without(bright, x, y, told, 0.0) == 1
    without = maps.accuracy_without(bright, x, y, told, 1 / SIDE**2)
    assert without == pytest.approx(np.mean(y == 0))  # black is class 0
    assert maps.accuracy_without(bright, x, y, -told, 0.5) == 1


def test_coarse_maps_are_spread_over_the_pixels(bright, pictures):
    x, y = pictures
    coarse = np.zeros((10, 3, 3))
    coarse[:, 1, 1] = 1  # rows 2 and 3, columns 2 and 3
    without = maps.accuracy_without(bright, x, y, coarse, 1 / 9)
    assert without == pytest.approx(np.mean(y == 0))


def test_units_that_tell_the_class_are_found(bright):
    draw = np.random.default_rng(3)
    y = draw.integers(0, 2, 300).astype("int32")
    x = 0.1 * draw.random((300, SIDE, SIDE, 1)).astype("float32")
    x[:, :3] += 0.5 * y[:, None, None, None]
    told = maps.told_by_units(bright, (x[:200], y[:200]), (x[200:], y[200:]))
    assert told > 0.98


def test_both_checks_have_a_number_for_each_map(bright, pictures):
    row, drawn = maps.both(bright, bright, *pictures)
    names = {*maps.MAPS, "integrated_size"}
    assert set(drawn) == names
    assert names | {f"without_{one}" for one in names} <= set(row)
    assert row["activation"] == pytest.approx(1)


def test_chance_deletes_pixels_that_are_not_black(bright):
    x = np.zeros((5, SIDE, SIDE, 1), "float32")
    x[:, 2, 3] = x[:, 0, 0] = 0.8  # of 36 pixels a tenth is 4, more than are lit
    row, _ = maps.both(bright, bright, x, np.ones(5, "int32"))
    assert row["without_chance"] == 0  # black is class 0


def test_a_network_without_convolutions_has_no_maps():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="no Conv2D layer"):
        maps.tapped(model)
    functional = keras.Model(model.inputs, model.outputs)
    with pytest.raises(TypeError, match="model is a Functional"):
        maps.tapped(functional)


def test_rows_of_maps_draws_every_map(pictures):
    x, _ = pictures
    axes = maps.rows_of_maps(
        x[:3, ..., 0], {"one": x[:3, ..., 0], "two": -x[:3, ..., 0]}
    )
    assert axes.shape == (3, 3)
    assert axes[1, 0].get_ylabel() == "one"
