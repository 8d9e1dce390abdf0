"""Thresholds and their cost, and tables resampled, by cases whose answers are known."""

import keras
import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler

from nnperf_utils import datasets, thresholds
from nnperf_utils.thresholds import Prices

Y = np.array([1, 0, 1, 0, 0])
P = np.array([0.9, 0.8, 0.4, 0.3, 0.1])


def test_counts_and_cost():
    assert thresholds.counts(Y, P >= 0.5) == (1, 1, 1, 2)
    assert Prices(miss=20, alarm=1).of(Y, P >= 0.5) == 100 * 21 / 5
    with pytest.raises(ValueError, match=r"shape \(5,\), but said has \(2,\)"):
        thresholds.counts(Y, np.zeros(2))


@pytest.mark.parametrize(
    ("prices", "cut"),
    [
        (Prices(20, 1), 0.35),
        (Prices(1, 20), 0.85),
        (Prices(1, 1), 0.85),  # as cheap as 0.35: the first of equals
    ],
)
def test_the_cheapest_threshold(prices, cut):
    assert thresholds.cheapest(Y, P, prices) == pytest.approx(cut)


def test_the_cheapest_threshold_is_never_within_equal_probabilities():
    draw = np.random.default_rng(0)
    for _ in range(50):
        y = draw.integers(0, 2, 30)
        p = draw.integers(1, 6, 30) / 10
        prices = Prices(*draw.uniform(0.5, 5, 2))
        cut = thresholds.cheapest(y, p, prices)
        costs = [prices.of(y, p >= other) for other in (*np.unique(p), 2)]
        assert prices.of(y, p >= cut) == pytest.approx(min(costs))


def test_saying_never_can_be_cheapest():
    assert thresholds.cheapest(np.array([0, 1]), np.array([0.9, 0.1]), Prices(1, 5)) > 1


def test_one_class_keeps_a_share_of_it():
    data = datasets.load_digits(flatten=True)
    found = thresholds.one_class(data, "3", keep=0.4)
    _, y = found.train
    threes = sum(int(np.sum(part[1] == 3)) for part in (data.train, data.validation))
    threes += int(np.sum(data.test[1] == 3))
    assert y.sum() == round(0.4 * threes)
    assert np.sum(y == 0) == 1797 - threes
    assert found.class_names == ("no 3", "3")
    with pytest.raises(ValueError, match="name is 'x'; expected one of 0, 1"):
        thresholds.one_class(data, "x", keep=0.5)


@pytest.fixture(scope="module")
def unequal():
    x = np.random.default_rng(1).normal(size=(400, 3))
    y = np.arange(400) % 10 == 0
    return datasets.Dataset.from_arrays(x + y[:, None], y, scale=False)


@pytest.mark.parametrize("sampler", [RandomOverSampler, SMOTE, RandomUnderSampler])
def test_only_the_training_part_is_resampled(unequal, sampler):
    made = thresholds.resampled(unequal, sampler(), 432, split=1)
    assert made.train[1].mean() == 0.5
    assert len(made.train[1]) == 432
    for part in ("validation", "test"):
        assert np.array_equal(getattr(made, part)[0], getattr(unequal, part)[0])
    known = {row.tobytes() for row in unequal.train[0]}
    is_new = [row.tobytes() not in known for row in made.train[0]]
    assert any(is_new) == (sampler is SMOTE)


def test_none_leaves_the_shares(unequal):
    made = thresholds.resampled(unequal, None, 480)
    assert made.train[1].mean() == pytest.approx(unequal.train[1].mean())


def test_resampling_before_the_split_leaks(unequal):
    made = thresholds.resampled_before_split(unequal, RandomOverSampler(), 480)
    train, validation = (
        {row.tobytes() for row in getattr(made, part)[0]}
        for part in ("train", "validation")
    )
    assert train & validation
    assert len(made.validation[1]) == len(unequal.validation[1])
    honest = thresholds.resampled(unequal, RandomOverSampler(), 480)
    assert not {row.tobytes() for row in honest.train[0]} & {
        row.tobytes() for row in honest.validation[0]
    }


def probabilities(**by_split) -> pd.DataFrame:
    rows = {
        (int(split[1:]), part): {"y": Y, "probability": np.asarray(p)}
        for split, p in by_split.items()
        for part in ("validation", "test")
    }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index = pd.MultiIndex.from_tuples(rows, names=["split", "part"])
    return frame


def test_scores_of_a_run():
    row = thresholds.scores(probabilities(s0=P), Prices(20, 1), threshold=0.5).loc[0]
    assert row["recall"] == row["precision"] == 0.5
    assert row["accuracy"] == 0.6
    assert row["balanced"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert row["area"] == pytest.approx(5 / 6)
    assert row["said"] == pytest.approx(0.5 / 0.4)
    own = thresholds.scores(probabilities(s0=P), Prices(20, 1)).loc[0]
    assert own["threshold"] == pytest.approx(0.35)
    assert own["cost"] == 20


def test_the_best_rate_ranks_best():
    good = np.array([0.9, 0.1, 0.8, 0.2, 0.1])
    rates = {0.1: probabilities(s0=P), 0.2: probabilities(s0=good)}
    assert thresholds.best_rate(rates) == 0.2


def test_what_a_choice_costs():
    never = probabilities(s0=np.full(5, 0.1))
    always = probabilities(s0=np.full(5, 0.9))
    costs = thresholds.chosen_costs({"never": never, "always": always}, Prices(20, 1))
    assert costs.loc[0, "accuracy"] == 100 * 40 / 5
    assert costs.loc[0, "cost"] == 100 * 3 / 5


def test_predictions_are_those_of_the_network(unequal):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    frame = thresholds.predictions([(0, model)], [unequal])
    told = frame.loc[(0, "test")]
    expected = model.predict(unequal.test[0], verbose=0)[:, 0]
    assert told["probability"] == pytest.approx(expected, abs=1e-6)
    assert np.array_equal(told["y"], unequal.test[1])


def test_the_lab_gets_log_odds():
    data = thresholds.lab_scores({"none": probabilities(s0=P)}, Prices(20, 1), split=0)
    yes = data["validation"]["none"]["yes"]
    assert yes == pytest.approx(np.log([0.4 / 0.6, 0.9 / 0.1]), abs=0.01)
    assert len(data["test"]["none"]["no"]) == 3
    assert (data["miss"], data["alarm"]) == (20, 1)


def test_pictures_are_drawn():
    arms = {"none": probabilities(s0=P, s1=P), "weights": probabilities(s0=P, s1=P)}
    ax = thresholds.curve_picture(arms, Prices())
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["none, at 0.5", "weights, at 0.5", "none, threshold moved"]
    assert thresholds.score_histogram(arms["none"], 0).get_xlabel() == "probability"
    drawn = thresholds.densities_drawing(share=0.1, weight=9.0)
    lines = [line.get_xdata()[0] for line in drawn.lines[-2:]]
    assert lines == pytest.approx([1 + np.log(9) / 2, 1])  # weighted as many: half-way
    found = thresholds.mean_curve(arms["none"], np.array([0, 1 / 3, 1]))
    assert found == pytest.approx([0.5, 1, 1])


def test_effects_against_the_first():
    prices = Prices(20, 1)
    arms = {"none": probabilities(s0=P), "SMOTE": probabilities(s0=P[[0, 2, 1, 3, 4]])}
    half = {k: thresholds.scores(a, prices, threshold=0.5) for k, a in arms.items()}
    own = {k: thresholds.scores(a, prices) for k, a in arms.items()}
    found = thresholds.against_first(half, own, {"smote": "SMOTE"})
    assert list(found) == ["smote_left", "smote_moved", "smote_curve"]
    assert found["smote_left"][0] == -100 * 21 / 5
    assert found["smote_moved"][0] == -20
    assert found["smote_curve"][0] == pytest.approx(1 / 6)
    assert thresholds.promised(arms["none"], prices)[0] == 0
