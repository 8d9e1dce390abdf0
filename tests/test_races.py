"""What a race says: good rates, their ranges, epochs to a target; and the drawings."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nnperf_utils import optimizer_drawings, races
from nnperf_utils.optimizers import RULES, follow
from nnperf_utils.small_networks import RareColumns, SmallNetworks, apart, interaction

RATES = [0.01, 0.1, 1.0, 10.0]
LOSSES = {  # by optimizer: a row for each of two seeds
    "SGD": [[0.9, 0.5, 0.51, 0.8], [0.8, 0.6, 0.5, 0.9]],
    "Adam": [[0.4, 0.41, 2.0, 9.0], [0.4, 0.8, 3.0, 9.0]],
}


@pytest.fixture
def race():
    arms = pd.concat(
        {n: pd.DataFrame(rows, columns=RATES) for n, rows in LOSSES.items()}, axis=1
    ).rename_axis("seed")
    curves = {"SGD": [[4, 3, 2], [4, 3, 1]], "Adam": [[3, 2, 1], [5, 4, 3]]}
    history = pd.DataFrame(
        [
            (name, seed, epoch, "loss", value)
            for name, rows in curves.items()
            for seed, row in enumerate(rows)
            for epoch, value in enumerate(row, start=1)
        ],
        columns=["variant", "seed", "epoch", "metric", "value"],
    )
    return SimpleNamespace(
        variants=list(LOSSES),
        history=history,
        by_arm=lambda metric, levels: arms,
    )


def test_good_is_what_is_close_to_the_best(race):
    shares = races.share_good(race)
    assert shares["SGD"].tolist() == [0.5, 0.25]
    assert shares["Adam"].tolist() == [0.5, 0.25]
    assert races.share_good(race, within=0)["SGD"].tolist() == [0.25, 0.25]


def test_a_range_ends_where_the_loss_passes_the_limit(race):
    ranges = races.good_ranges(race)
    medians = {n: np.median(rows, axis=0) for n, rows in LOSSES.items()}
    sgd = ranges.loc["SGD"]
    limit, (_, left, best, right) = 1.05 * medians["SGD"].min(), medians["SGD"]
    assert sgd["best"] == 1.0
    expected = (limit - best) / (left - best)
    assert np.log10(sgd["low"]) == pytest.approx(-expected)
    assert np.log10(sgd["high"]) == pytest.approx((limit - best) / (right - best))
    # at the edge of the grid it goes no further
    assert ranges.loc["Adam", "low"] == pytest.approx(0.01)


def test_epochs_to_where_another_ends(race):
    needed = races.epochs_to_reach(race, "SGD")
    assert list(needed) == ["Adam"]
    assert needed["Adam"].tolist() == [2 / 3, 4 / 3]  # the second never gets there


def test_ranges_are_drawn_for_each_task(race):
    ranges = races.good_ranges(race)
    panels = races.draw_ranges({"one": ranges, "two": ranges}, {"Adam": 0.5})
    assert [ax.get_title(loc="left") for ax in panels] == ["one", "two"]
    names = [label.get_text() for label in panels[0].get_yticklabels()]
    assert names == ["SGD", "Adam"]
    assert len(panels[0].lines) == 5
    plt.close("all")


def test_family_names_every_rule():
    ax = optimizer_drawings.family()
    words = " ".join(text.get_text() for text in ax.texts)
    assert all(name in words for name in RULES)
    plt.close("all")


def quadratic(cross):
    """Return a stand-in for networks whose loss is a bowl over two weights."""
    curvature = np.array([[1.0, cross], [cross, 2.0]])

    class Bowl(SmallNetworks):
        def loss(self, weights):
            (w,) = weights
            return 0.5 * np.einsum("...ij,jk,...ik->...", w, curvature, w)

        def gradient(self, update, weights):
            return [weights[0] @ curvature]

    return Bowl(np.ones((2, 1)), np.array([0, 1]), seeds=3)


def test_weights_of_a_bowl_along_its_axes_do_not_interact():
    weights = [np.ones((3, 1, 2))]
    np.testing.assert_allclose(apart(quadratic(0.0), weights), 0, atol=1e-8)
    gains = interaction(quadratic(0.0), weights, places=200)
    np.testing.assert_allclose(gains["together"], gains["alone"])
    np.testing.assert_allclose(gains["in turn"], gains["alone"])
    np.testing.assert_allclose(gains["alone"], 1.5, rtol=0.01)


def test_weights_of_a_bowl_askew_do():
    weights = [np.ones((3, 1, 2))]
    shares = apart(quadratic(0.5), weights)
    np.testing.assert_allclose(shares, 0.5 / 5.5, rtol=1e-6)
    gains = interaction(quadratic(0.5), weights)
    assert (gains["together"] < 0.95 * gains["alone"]).all()


def test_rare_columns_are_rare_and_learnt():
    rare = RareColumns(examples=400, columns=20, batch_size=100, seeds=2)
    x, y = rare.data
    assert x.shape == (2, 400, 20) and y.shape == (2, 400, 1)
    assert x[..., 0].mean() == pytest.approx(0.5, abs=0.08)
    assert x[..., 9].mean() == pytest.approx(0.05, abs=0.04)
    np.testing.assert_allclose(rare.loss(rare.start()), np.log(2))
    end, _ = follow(RULES["SGD"], rare.gradient, rare.start(), 40, rate=1.0)
    assert (rare.loss(end) < 0.6).all()


def test_rare_columns_have_the_gradient_of_their_loss():
    rare = RareColumns(examples=50, columns=5, batch_size=50, seeds=2)
    weights = [w + 0.3 for w in rare.start()]
    slopes = rare.gradient(0, weights)
    step = 1e-6
    moved = [weights[0].copy(), weights[1]]
    moved[0][:, 2] += step
    found = (rare.loss(moved) - rare.loss(weights)) / step
    np.testing.assert_allclose(found, slopes[0][:, 2, 0], rtol=1e-4)


def test_single_precision_stays_single():
    x = np.ones((12, 2), np.float32)
    nets = SmallNetworks(x, np.arange(12) % 2, units=3, seeds=2)
    rates = np.array([0.1, 0.2])[:, None, None, None]
    end, _ = follow(RULES["Adam"], nets.gradient, nets.start(), 2, rate=rates)
    assert {w.dtype for w in end} == {np.dtype("float32")}
    assert nets.loss(end).shape == (2, 2)
