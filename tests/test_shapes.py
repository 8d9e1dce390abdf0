"""What is measured of activations whose properties are known."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from nnperf_utils import shapes
from nnperf_utils.plots import PALETTE
from nnperf_utils.shapes import PROPERTIES, curve, depends_on_others, shape_of

NAMES = list(PROPERTIES)
# in the order of PROPERTIES
KNOWN = {
    "linear": "no yes yes no no yes yes yes yes yes",
    "sigmoid": "yes yes yes yes yes no no no no no",
    "tanh": "yes yes yes yes yes yes no no yes no",
    "relu": "yes no yes yes no no yes no no yes",
    "swish": "yes yes no yes no no yes no no no",
    "elu": "yes yes yes yes no no yes no yes no",
}


@pytest.mark.parametrize("name", KNOWN)
def test_shape(name):
    expected = [word == "yes" for word in KNOWN[name].split()]
    assert dict(shape_of(name)) == dict(zip(NAMES, expected, strict=True))


def test_a_leak_keeps_a_unit_from_dying_and_leaves_the_kink():
    found = shape_of(lambda z: keras.activations.leaky_relu(z, 0.01))
    assert found["cannot die"] and not found["smooth"] and not found["bounded below"]


def test_softmax_is_no_function_of_one_number():
    assert depends_on_others("softmax") and not depends_on_others("gelu")
    with pytest.raises(ValueError, match="'softmax', whose outputs depend on all"):
        shape_of("softmax")


def test_curve():
    values, slopes = curve("sigmoid", [0.0, 2.0])
    own = 1 / (1 + np.exp([0.0, -2.0]))
    np.testing.assert_allclose(values, own, atol=1e-12)
    np.testing.assert_allclose(slopes, own * (1 - own), atol=1e-6)


def test_table_frames_what_is_printed_otherwise():
    index, columns = NAMES[:2], ["a", "b", "c"]
    measured = pd.DataFrame([[True, False, None], [True, True, None]], index, columns)
    printed = pd.DataFrame([[True, True, True], [True, True, False]], index, columns)
    ax = shapes.property_table(measured, printed)
    framed = [p for p in ax.patches if not p.get_fill()]
    assert [p.get_xy() for p in framed] == [(1.06, 0.08)]
    assert to_rgb(framed[0].get_edgecolor()) == to_rgb(PALETTE[1])
    assert [t.get_text() for t in ax.texts] == ["yes", "no", "–", "yes", "yes", "–"]
    with pytest.raises(ValueError, match="the same rows and columns"):
        shapes.property_table(measured, printed[["a"]])
    plt.close("all")


def test_every_activation_has_a_panel():
    axes = shapes.curves_and_slopes({"ReLU": "relu", "tanh": "tanh", "GELU": "gelu"})
    assert [ax.get_title() for ax in axes] == ["ReLU", "tanh", "GELU"]
    assert [len(ax.lines) for ax in axes] == [2, 2, 2]
    plt.close("all")
