"""What a race says: good rates, their ranges, epochs to a target; and the drawings."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nnperf_utils import optimizer_drawings, races
from nnperf_utils.optimizers import RULES, follow
from nnperf_utils.small_networks import (
    RareColumns,
    SmallNetworks,
    apart,
    chosen_loss,
    distance,
    interaction,
    losses_by_rate,
    own_rates,
    pulled,
)

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
    arms = pd.concat({"one": arms, "two": arms}, names=["data"])
    curves = {"SGD": [[4, 3, 2], [4, 3, 1]], "Adam": [[3, 2, 1], [5, 4, 3]]}
    history = pd.DataFrame(
        [
            (table, name, seed, epoch, "loss", value)
            for table in ("one", "two")
            for name, rows in curves.items()
            for seed, row in enumerate(rows)
            for epoch, value in enumerate(row[: 3 if table == "one" else 2], start=1)
        ],
        columns=["data", "variant", "seed", "epoch", "metric", "value"],
    )
    return SimpleNamespace(
        variants=list(LOSSES),
        history=history,
        by_arm=lambda metric, levels: arms,
    )


def test_good_is_what_is_close_to_the_best(race):
    shares = races.share_good(race).loc["one"]
    assert shares["SGD"].tolist() == [0.5, 0.25]
    assert shares["Adam"].tolist() == [0.5, 0.25]
    exact = races.share_good(race, within=0).loc["two"]
    assert exact["SGD"].tolist() == [0.25, 0.25]


def test_a_range_ends_where_the_loss_passes_the_limit(race):
    ranges = races.good_ranges(race).loc["one"]
    _, left, best, right = np.median(LOSSES["SGD"], axis=0)
    limit, sgd = 1.05 * best, ranges.loc["SGD"]
    assert sgd["best"] == 1.0
    below, above = (limit - best) / (left - best), (limit - best) / (right - best)
    assert np.log10(sgd["low"]) == pytest.approx(-below)
    assert np.log10(sgd["high"]) == pytest.approx(above)
    # at the edge of the grid it goes no further
    assert ranges.loc["Adam", "low"] == pytest.approx(0.01)


def test_epochs_to_where_another_ends(race):
    needed = races.epochs_to_reach(race, "SGD")
    assert list(needed) == ["Adam"]
    # the second never gets there
    assert needed.loc["one", "Adam"].tolist() == [2 / 3, 4 / 3]
    assert needed.loc["two", "Adam"].tolist() == [0.5, 1.5]


def test_mean_over_tables_is_geometric(race):
    values = races.epochs_to_reach(race, "SGD")["Adam"]
    expected = [(2 / 3 * 0.5) ** 0.5, (4 / 3 * 1.5) ** 0.5]
    np.testing.assert_allclose(races.over_tables(values), expected)


def test_ranges_are_drawn_for_each_task(race):
    panels = races.draw_ranges(races.good_ranges(race), {"Adam": 0.5})
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


def test_picture_of_the_race_turns_the_order():
    figure = optimizer_drawings.race()
    ends = [
        [line.get_ydata()[-1] for line in ax.lines if len(line.get_ydata()) == 61]
        for ax in figure.axes
    ]
    assert [len(own) for own in ends] == [4, 4]
    assert min(ends[0]) > 0.01 and max(ends[1]) < 0.001
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


@pytest.fixture
def nets():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 3)), np.arange(40) % 2
    return SmallNetworks(x, y, units=3, batch_size=10, seeds=2)


def test_losses_by_rate_are_those_of_single_trainings(nets):
    tables = losses_by_rate(nets, RULES["Adam"], [0.01, 0.1], (5, 20))
    assert list(tables) == [5, 20]
    end, _ = follow(RULES["Adam"], nets.gradient, nets.start(), 20, rate=0.1)
    np.testing.assert_allclose(tables[20][0.1], nets.loss(end))
    assert (tables[5][0.1] != tables[20][0.1]).all()


def test_a_run_that_diverges_is_infinitely_bad(nets):
    tables = losses_by_rate(nets, RULES["LAMB"], [0.01, 1e9], (60,), axis=(-2, -1))
    assert np.isinf(tables[60][1e9]).all() and np.isfinite(tables[60][0.01]).all()


def test_own_rates_fall_as_the_root_of_a_sum_does(nets):
    rows = own_rates(nets, RULES["Adagrad"], "sum", updates=40, rate=0.0, start=0)
    assert rows["update"].unique().tolist() == [10, 20, 30, 40]
    at = rows.set_index(["update", "seed"])["value"]
    np.testing.assert_allclose(at[10], 1)
    np.testing.assert_allclose(at[40], 0.5, rtol=0.25)  # same weights, same batches


def test_decay_and_penalty_are_the_same_for_sgd_alone(nets):
    def apart_with(name):
        rule = RULES[name]
        none = pulled(nets, rule, 20, rate=0.1)
        penalty = pulled(nets, rule, 20, rate=0.1, penalty=0.1)
        decay = pulled(nets, rule, 20, rate=0.1, decay=0.1)
        return distance(penalty, decay) / distance(penalty, none)

    assert (apart_with("SGD") < 1e-9).all()
    assert (apart_with("Adam") > 0.1).all()


def test_the_choice_is_made_on_one_part_and_tested_on_another(nets):
    rates = np.array([1e-6, 0.1])[:, None, None, None]
    ends = pulled(nets, RULES["Adam"], 40, rate=rates)
    part = (nets.x, nets.y)
    other = (nets.x[:10], nets.y[:10])
    expected = SmallNetworks(*other).loss([w[1] for w in ends])
    np.testing.assert_allclose(chosen_loss(ends, part, other), expected)
