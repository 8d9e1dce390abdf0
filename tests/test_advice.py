"""Steps scored in any set, on answers that are made up and known."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from nnperf_utils import advice
from nnperf_utils import advice_pictures as pictures
from nnperf_utils import advice_words as words
from nnperf_utils.datasets import Dataset
from nnperf_utils.flight_inputs import Cut
from nnperf_utils.statistics import Estimate, smallest_difference
from nnperf_utils.thresholds import Prices

PRICES = Prices(miss=3, alarm=1)


def data_of(validation, later):
    x = np.zeros((4, 2))
    parts = [(np.zeros((len(y), 2)), np.array(y)) for y in (validation, later)]
    return Dataset("t", (x, [0, 1, 0, 1]), *parts, task="binary")


@pytest.fixture
def answers():
    """Two lengths, two settings, three seeds; short and tuned is best."""
    y = [0, 0, 1, 1]
    bad, good = np.array([0.6, 0.3, 0.5, 0.4]), np.array([0.1, 0.2, 0.8, 0.9])
    one = np.stack([[[good] * 3, [bad] * 3], [[bad] * 3, [good[::-1]] * 3]])
    one = one.astype(float)
    one[0, 0, 0] = bad  # the first seed is unlucky at the default setting
    return advice.Answers(
        [data_of(y, y)], [(0.001, 0.0), (0.003, 0.01)], (4, 16), [one], [one]
    )


def test_tables_are_named_by_what_changes_rows_and_inputs():
    assert advice.table_of(set(advice.STEPS)) == "later+inputs+categories+feature"
    assert advice.table_of({"tuning", "threshold"}) == "random"
    assert advice.table_of({"split", "feature"}) == "later+feature"
    with pytest.raises(ValueError, match="'magic'"):
        advice.table_of({"magic"})


def test_without_steps_the_default_is_taken(answers):
    seen = [p for p, _ in advice.decided(answers, 0, set())]
    assert len(seen) == 3
    assert all((p == [0.6, 0.3, 0.5, 0.4]).all() for p in seen)


def test_a_step_chooses_by_the_validation_rows(answers):
    first, second, third = (p for p, _ in advice.decided(answers, 0, {"stopping"}))
    assert (first == [0.6, 0.3, 0.5, 0.4]).all()
    assert (second == [0.1, 0.2, 0.8, 0.9]).all()
    assert (third == second).all()


def test_an_ensemble_is_the_mean_of_its_members(answers):
    ((p, _),) = advice.decided(answers, 0, {"stopping", "ensemble"})
    members = answers.validation[0][0, 0]
    assert p == pytest.approx(members.mean(axis=0))
    with pytest.raises(ValueError, match="no whole ensembles"):
        list(advice.decided(answers, 0, {"ensemble"}, size=2))


def test_prices_move_the_decision():
    y, p = np.array([0, 1, 1, 0]), np.array([0.1, 0.3, 0.9, 0.3])
    at_half = advice.scored(y, p, PRICES, by_prices=False)
    by_prices = advice.scored(y, p, PRICES)
    assert at_half["cost"] == pytest.approx(100 * 3 / 4)  # one miss
    assert by_prices["cost"] == pytest.approx(100 * 1 / 4)  # one alarm
    assert at_half["area"] == by_prices["area"] == pytest.approx(3.5 / 4)


def test_calibration_mends_what_was_too_sure():
    random = np.random.default_rng(0)
    odds = random.normal(-1, 1, 4000)
    y = random.random(4000) < 1 / (1 + np.exp(-odds))
    sure = 1 / (1 + np.exp(-3 * odds - 1))
    half = slice(2000), slice(2000, None)
    q = advice.calibrated(y[half[0]], sure[half[0]], sure[half[1]])
    assert log_loss(y[half[1]], q) < log_loss(y[half[1]], sure[half[1]]) - 0.1
    assert np.log(q / (1 - q)) == pytest.approx(odds[half[1]], abs=0.4)
    assert (np.argsort(q) == np.argsort(sure[half[1]])).all()


def test_calibration_of_one_answer_for_all():
    q = advice.calibrated(np.array([0, 0, 0, 1]), np.full(4, 0.9), np.full(2, 0.9))
    assert q == pytest.approx(0.25, abs=0.01)


def test_outcomes_by_set_and_split(answers):
    table = {"random": answers}
    found = advice.outcomes(table, {"none": set(), "stop": {"stopping"}}, PRICES)
    assert found.index.names == ["split"]
    assert found.loc[0, ("stop", "area")] == pytest.approx((0.5 + 1 + 1) / 3)
    assert found.loc[0, ("none", "promised")] == pytest.approx(0.5)


def test_shares_of_all_orders_add_up():
    steps = ["a", "b"]
    scores = {frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 2.0}
    scores[frozenset("ab")] = 2.0
    shares = advice.shares_of_orders(scores, steps)
    assert shares == pytest.approx({"a": 0.5, "b": 1.5})


def test_gains_hold_together():
    values = pd.Series(np.arange(10.0), pd.RangeIndex(10, name="split"))
    one = advice.gains({"a": values})["a"]
    two = advice.gains({"a": values, "b": values})["a"]
    assert two.low < one.low < one.value < one.high < two.high


def test_weeks_are_what_is_resampled():
    days = pd.Series(pd.date_range("2013-10-01", periods=70).repeat(2))
    random = np.random.default_rng(0)
    values = random.normal(size=140)
    found = advice.by_week(days, lambda rows: values[rows].mean())
    assert isinstance(found, Estimate)
    assert found.design == "10 weeks"
    weeks = values.reshape(10, 14).mean(axis=1)
    assert found.values.to_numpy() == pytest.approx(weeks)


def test_lab_data_by_set():
    frame = pd.concat(
        {
            n: pd.DataFrame({"area": [0.5 + n / 10], "promised": [0.6]})
            for n in range(4)
        },
        axis=1,
    )
    made = advice.lab_data(frame, ["feature", "tuning"], pd.Series([0.7]))
    assert made["later"] == [[500, 600, 700, 800]]
    assert made["trainings"] == [1, 1, 4, 4]
    assert made["boosting"] == [700]
    assert advice.set_of(2, ["feature", "tuning"]) == {"tuning"}


def some_flights():
    random = np.random.default_rng(0)
    n = 600
    kind = random.choice(["AA", "UA", "B6"], n)
    late = random.random(n) < np.where(kind == "AA", 0.7, 0.15)
    return pd.DataFrame(
        {
            "date": pd.date_range("2013-01-01", periods=n, freq="h").normalize(),
            "carrier": kind,
            "hour": random.integers(5, 23, n),
            "seats": np.where(random.random(n) < 0.2, np.nan, 100),
            "arrival_delay": np.where(late, 30.0, 0.0),
        }
    )


def test_boosting_takes_categories_and_gaps():
    flights = some_flights()
    cut = Cut(*np.split(np.arange(600), [300, 450]), flights["date"][300])
    columns = ["date", "carrier", "hour", "seats"]
    grid = [{"max_leaf_nodes": 4}, {"max_leaf_nodes": 8}]
    y = (flights["arrival_delay"] >= 15).to_numpy()[450:]
    taken = []
    for given in (None, grid):
        seen, used = advice.boosted(flights, cut, columns, given, taken)
        assert seen.shape == used.shape == (150,)
        assert used[y].mean() > used[~y].mean() + 0.2
    assert len(taken) == 1  # without a grid nothing is chosen
    assert 1 <= taken[0] <= advice.MOST_TREES
    with pytest.raises(ValueError, match="grid is empty"):
        advice.boosted(flights, cut, columns, [])


def test_logistic_regression_chooses_its_penalty():
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 3))
    y = (random.random(600) < 1 / (1 + np.exp(-2 * x[:, 0]))).astype(int)
    parts = zip(np.split(x, 3), np.split(y, 3), strict=True)
    seen, used = advice.logistic(Dataset("t", *parts, task="binary"))
    assert np.corrcoef(used, x[400:, 0])[0, 1] > 0.9
    assert seen.shape == (200,)


def test_a_rival_is_scored_as_the_network_is():
    y = [0, 0, 1, 1]
    pair = (np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.1, 0.2, 0.8, 0.9]))
    found = advice.rival_scores([data_of(y, y)], [pair], PRICES)
    assert found.loc[0, "area"] == 1
    assert found.index.name == "split"


def test_one_rate_is_that_of_the_training_rows():
    assert advice.one_rate(data_of([0, 1], [1, 1, 1])).tolist() == [0.5] * 3


def test_columns_are_left_out_by_the_beginning_of_their_names():
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 3))
    y = (x[:, 0] > 0).astype(int)
    parts = zip(np.split(x, 3), np.split(y, 3), strict=True)
    names = ("wind_gust", "wind_speed", "hour")
    data = Dataset("t", *parts, task="binary", feature_names=names)
    assert advice.linear_without([data], "hour")[0] > 0.99
    assert abs(advice.linear_without([data], "wind")[0] - 0.5) < 0.15


def test_blind_rules():
    splits = [data_of([0, 1], [0, 0, 0, 1]), data_of([0, 1], [0, 1, 1, 1])]
    # never: 3 × 25; always: 25, where one in four is in time
    assert advice.blind_cost(splits, PRICES).tolist() == pytest.approx([75, 25])


def test_costs_by_ratio():
    splits = [data_of([0, 1], [0, 0, 0, 1])]
    p = [np.array([0.1, 0.3, 0.1, 0.3])]
    costs = advice.costs_by_ratio(splits, {"own": p}, {"half": p}, [1, 3])
    assert costs.loc[1].to_dict() == pytest.approx(
        {"never": 25, "always": 75, "own": 25, "half": 25}
    )
    assert costs.loc[3].to_dict() == pytest.approx(
        {"never": 75, "always": 75, "own": 25, "half": 75}
    )


@pytest.fixture
def months():
    days = pd.date_range("2013-10-01", periods=70).repeat(4)
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 280)
    good = np.clip(0.25 + 0.3 * truth + random.normal(0, 0.1, 280), 0.01, 0.99)
    flights = pd.DataFrame(
        {"date": days, "origin": ["JFK", "JFK", "EWR", "JFK"] * 70}, index=days
    )
    said = {"good": [good, good**2], "constant": [np.full(280, 0.3)]}
    return advice.InUse(flights, truth, said, PRICES, {"constant"})


def test_models_in_use(months):
    table = months.table()
    assert table.loc["constant", "AUC"] == 0.5
    share = 100 * months.truth.mean()
    assert table.loc["never warn", "cost of 100"] == pytest.approx(3 * share)
    # at 0.5 the constant never warns
    assert table.loc["constant", "cost of 100"] == pytest.approx(3 * share)
    gain = months.less("good", "constant", "area")
    assert gain.design == "10 weeks"
    assert 0.3 < gain.low < gain.value < gain.high
    groups = months.groups("good", ["origin"])
    assert groups["flights"].to_dict() == {"all": 280, "JFK": 210, "EWR": 70}
    # the groups are scored as the whole is: one answer at a time, not their mean
    for label, score in {"AUC": "area", "cost of 100": "cost"}.items():
        assert groups.loc["all", label] == months.score("good", score)


def test_prices_of_steps():
    steps = ["feature", "tuning"]
    left = pd.Series(np.linspace(0.01, 0.03, 10), pd.RangeIndex(10, name="split"))
    areas = {0: 0.5, 1: 0.6, 2: 0.55, 3: 0.62}
    table = advice.price_table(areas, {"feature": left, "tuning": left}, steps)
    assert table.loc["feature", "alone"] == pytest.approx(0.1)
    assert table["over all orders"].sum() == pytest.approx(0.12)
    assert table.loc["tuning", "trainings"] == "× 4"
    assert table.loc["tuning", "left out"] == pytest.approx(0.02)
    # two are looked at together, so that each must be seen at 97.5%
    least = smallest_difference(left.std(), 10, confidence_level=0.975)
    assert table.loc["tuning", "could be seen"] == pytest.approx(least)
    same = {step: left * 0 for step in steps}
    assert (advice.price_table(areas, same, steps)["could be seen"] == 0).all()
    both = table.rename({"feature": "ensemble"})
    told = words.price(both, 100, 10.0)
    assert "most comes from “average three networks” (+0.085)" in told
    assert "the others bring +0.035 to +0.035 each, without intervals" in told


def test_words_follow_the_intervals(months):
    values = pd.Series(np.linspace(-1, 1, 10), pd.RangeIndex(10, name="split"))
    found = advice.gains({"split": values + 9, "inputs": values, "feature": values - 9})
    told = words.missed(found)
    assert "**Surely missed:** validate on later rows." in told
    assert "**Surely harmful:** the day so far." in told
    assert "**Neither is seen:** scale, mark gaps, mend planes." in told
    assert "holds zero" in words.said("x", found["inputs"])
    assert "holds zero" not in words.said("x", found["split"])
    assert "names the leak" in words.leak(["data_leakage"], 0.9, 0.5)
    assert "does not name" in words.leak([], 0.9, 0.5)
    before = pd.Series({"good": 0.999, "constant": 0.6})
    linear = {"on the fortnights": found["inputs"]}
    told = words.in_test_months(
        found["split"], found["inputs"], linear, before, months.table()
    )
    assert "All steps less logistic regression, AUC: on the fortnights" in told
    assert "All have lost" in told
    told = words.in_test_months(
        found["split"], found["inputs"], linear, before - 0.5, months.table()
    )
    assert "Not all have lost" in told
    areas = pd.Series([0.6, 0.8])
    assert "surely promise too much" in words.promise(found["split"], areas)
    assert "hard to see" in words.promise(found["inputs"], areas)
    assert "is not seen" in words.promise(found["feature"], areas)
    told = words.trees([10, advice.MOST_TREES])
    assert told.endswith(f"{advice.MOST_TREES}, on 1 of 2 cut dates.")


def test_words_of_probabilities_and_the_card(months):
    share = months.truth.mean()
    said = {"one rate": [np.full(280, share)], "never warn": [np.zeros(280)]}
    said |= months.said | {"logistic": months.said["good"]}
    said["wrong"] = [1 - said["good"][0]]
    all_of_them = replace(months, said=said)
    told = words.probabilities(all_of_them, "wrong", "one rate")
    assert "Mind the probabilities" in told
    assert "worse than none" in told
    told = words.probabilities(all_of_them, "one rate", "constant")
    assert "On average the probabilities hold" in told
    assert "say more than one rate" in told
    days = all_of_them.flights["date"].reset_index(drop=True)
    cut = Cut(*np.split(np.arange(280), [200, 240]), days[200])
    card = words.card(all_of_them, "good", cut, days)
    assert card.startswith("- **Model**: three")
    assert "200 flights out of New York, 1 October to 19 November 2013" in card
    assert "the 40 after them; tested on 40" in card
    never = all_of_them.score("never warn", "cost")
    assert never == pytest.approx(300 * share)
    assert f"never warning costs {never:.0f}, logistic" in card


def test_words_of_the_audit():
    flights = some_flights().assign(wind_gust=np.nan, manufacturer="CESSNA")
    flights["seats"] = 4
    flights["number"] = range(600)
    told = words.audit(pd.concat([flights, flights[:3]]), flights)
    assert "3 rows stand twice" in told
    assert "603 flights are by" in told


def test_words_of_the_ratio():
    costs = pd.DataFrame(
        {"never": [20, 40.0], "always": [80, 80.0], "own": [20, 30.0]}, index=[1, 2]
    )
    assert "Own save most at a ratio of 2, 25%" in words.ratio(costs, "own")


def test_pictures_are_drawn():
    values = pd.Series(np.linspace(0, 1, 10), pd.RangeIndex(10, name="split"))
    found = advice.gains({"one": values, "two": values - 0.5})
    ax = pictures.missed(found, "lost")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["one", "two"]
    axes = pictures.staircase(found, found, {"trees": (0.5, 0.4), "line": (0.6, 0.1)})
    assert [t.get_text() for t in axes[0].texts] == [
        "trees (dashed)",
        "line (dotted)",
    ]
    costs = pd.DataFrame(
        {"never": [20, 40.0], "always": [80, 80.0], "own": [20, 30.0]}, index=[1, 2]
    )
    line = pictures.cost_lines(costs, "own").lines[0]
    assert line.get_ydata().tolist() == [100, 75]
    dates = pd.Series(pd.date_range("2013-01-01", periods=90))
    cut = Cut(*np.split(np.arange(90), [50, 70]), dates[50])
    ax = pictures.timeline(dates, {"random": cut, "later": cut})
    assert [t.get_text() for t in ax.texts] == ["train", "validate", "use"]
    ((train, validation, later), _) = np.split(np.array(ax.collections), 2)
    heights = [c.get_segments()[0][:, 1] for c in (train, validation, later)]
    assert np.ravel(heights) == pytest.approx([-0.32, 0, 0, 0.32, -0.32, 0.32])
    plt.close("all")
