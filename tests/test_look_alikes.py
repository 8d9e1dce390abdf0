"""Networks that fail in eight ways, and the forest that names them."""

import numpy as np
import pandas as pd
import pytest

from nnperf_utils import datasets, look_alikes


def table(seed):
    draw = np.random.default_rng(seed)
    y = np.tile(np.arange(10), 80).astype("int32")
    x = draw.normal(0, 0.3, (800, 20)) + np.eye(10, 20)[y]
    rows = draw.permutation(800)
    x, y = x[rows].astype("float32"), y[rows]
    return datasets.Dataset(
        f"table {seed}", (x[:500], y[:500]), (x[500:], y[500:]), None, "multiclass"
    )


@pytest.fixture(scope="module")
def runs():
    tables = {f"t{k}": look_alikes.alike(table(k)) for k in range(2)}
    return look_alikes.train(tables, seeds=2)


def test_tables_come_to_one_shape():
    one = look_alikes.alike(table(0))
    assert one.train[0].shape == (480, 64) and one.validation[0].shape == (240, 64)
    assert not one.train[0][:, 20:].any()
    small = datasets.Dataset(
        "few", *[(np.zeros((9, 3)), np.zeros(9))] * 2, None, "multiclass"
    )
    with pytest.raises(ValueError, match="expected 480 rows or more"):
        look_alikes.alike(small)


def test_each_condition_does_what_it_says(runs):
    last = runs.history[runs.history["epoch"] == look_alikes.EPOCHS]
    score = last[last["metric"] == "val_accuracy"].groupby("variant")["value"].mean()
    assert score["healthy"] > 0.8
    assert score.drop(["healthy", "noisy labels"]).max() < 0.5
    end = runs.readings.query("epoch == 1 and layer == 'hidden_1' and metric == 'dead'")
    dead = end.groupby("variant")["value"].mean()
    assert dead["dead units"] == 1 and dead["healthy"] < 0.5


def test_wrong_labels_are_the_same_labels_elsewhere():
    y = np.arange(100)
    told = look_alikes._targets(y, 0.5, seed=3)
    assert sorted(told) == sorted(y)
    assert 30 < np.sum(told != y) <= 50
    assert look_alikes._targets(y, 0.0, seed=3) is None


def test_features_are_finite_and_the_layers_come_on_top(runs):
    found = look_alikes.features(runs)
    assert len(found["curves"]) == 2 * len(look_alikes.CONDITIONS) * 2
    assert set(found["curves"]) < set(found["all"])
    assert np.isfinite(found["all"].to_numpy()).all()
    said = look_alikes.named(found["all"], trees=20)
    assert set(said) <= set(look_alikes.CONDITIONS)
    assert look_alikes.scores(said)["right"].between(0, 1).all()


def test_scores_count_names_and_sides():
    index = pd.MultiIndex.from_product(
        [["a"], ["healthy", "dead units", "noisy labels"], [0]],
        names=["data", "variant", "seed"],
    )
    said = pd.Series(["healthy", "noisy labels", "healthy"], index)
    score = look_alikes.scores(said).loc[0]
    assert score["right"] == pytest.approx(1 / 3)
    assert score["sides"] == pytest.approx((1 + 1 / 2) / 2)


def test_drawings_have_a_panel_or_a_row_for_each(runs):
    axes = look_alikes.flat_curves(runs, "t0", ["healthy", "dead units"])
    assert [ax.get_title() for ax in axes] == ["network A", "network B"]
    said = look_alikes.named(look_alikes.features(runs)["curves"], trees=5)
    ax = look_alikes.recall_bars({"curves alone": said, "all": said})
    assert len(ax.get_yticks()) == len(look_alikes.CONDITIONS)
