import inspect
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pandas as pd
import pytest

from nnperf_utils import comparison, datasets, models
from nnperf_utils.comparison import Comparison, compare
from nnperf_utils.replicas import replicate

# Tiny networks and grids: some choices lie at an edge, some variants change nothing.
pytestmark = pytest.mark.filterwarnings("ignore:check failed")

# A ring around a disc, which no linear model can tell apart.
DATA = datasets.load_circles(samples=300, factor=0.3, seed=1)
quietly = partial(compare, data=DATA, progress=False, batch_size=60)


def small(**knobs):
    return models.mlp(DATA, **{"units": 8, "learning_rate": 0.03} | knobs)


VARIANTS = {
    "linear": lambda: small(hidden_layers=0),
    "relu": small,
    "dropout": lambda: small(dropout=0.5),
}


@pytest.fixture(scope="module")
def result():
    return quietly(VARIANTS, seeds=8, epochs=8, record="gradients")


def test_compare_needs_no_more_than_variants_data_and_how_long():
    parameters = inspect.signature(compare).parameters.values()
    required = {p.name for p in parameters if p.default is p.empty}
    assert required == {"variants", "data"}
    with pytest.raises(TypeError, match="by epochs or by updates, one of the two"):
        quietly(VARIANTS)
    with pytest.raises(TypeError, match="by epochs or by updates, one of the two"):
        quietly(VARIANTS, epochs=1, updates=3)


def test_history_is_tidy(result):
    assert list(result.history) == ["variant", "seed", "epoch", "metric", "value"]
    metrics = ["loss", "accuracy", "val_loss", "val_accuracy"]
    counts = result.history.groupby(["variant", "metric"], sort=False).size()
    assert (counts == 8 * 8).all()
    assert set(counts.index) == {(v, m) for v in VARIANTS for m in metrics}
    assert result.variants == list(VARIANTS)


def test_each_variant_trains_as_it_does_alone(result):
    alone = replicate(
        VARIANTS["dropout"],
        DATA,
        seeds=[0, 3],
        epochs=8,
        batch_size=60,
        progress=False,
    ).history
    together = result.history.query("variant == 'dropout' and seed in [0, 3]")
    both = together.merge(alone, on=["seed", "epoch", "metric"])
    assert len(both) == len(alone)
    np.testing.assert_allclose(both["value_x"], both["value_y"], atol=1e-5)


def test_readings_are_those_asked_for(result):
    assert list(result.readings) == [
        *("variant", "seed", "epoch", "layer", "metric", "value")
    ]
    assert set(result.readings["metric"]) == {"gradient_norm"}
    assert set(result.readings["variant"]) == set(VARIANTS)


def test_summary_finds_what_learns(result):
    table = result.summary()
    assert result.metric == "val_accuracy"
    assert table.loc["relu", "verdict"] == "better"
    assert table["seeds"].tolist() == [8, 8, 8]
    last = result.history.query("epoch == 8 and metric == 'val_accuracy'")
    values = last.pivot_table(index="seed", columns="variant", values="value")
    difference = (values["relu"] - values["linear"]).mean()
    assert table.loc["relu", "difference"] == pytest.approx(difference)
    assert "does not cover other splits" in table.attrs["covers"]


def test_summary_of_another_metric_knows_its_direction(result):
    table = result.summary("val_loss")
    assert table.loc["relu", "difference"] < 0
    assert table.loc["relu", "verdict"] == "better"
    turned = result.summary("val_loss", reference="relu")
    assert turned.loc["linear", "verdict"] == "worse"
    with pytest.raises(ValueError, match=r"'val_auc'; expected one of loss, accuracy"):
        result.summary("val_auc")


def test_result_shows_its_summary(result):
    for shown in (repr(result), result._repr_html_()):
        assert "better" in shown
        assert "does not cover other splits" in shown


def test_model_is_the_trained_network(result):
    model = result.model("relu", 2)
    loss, accuracy = model.evaluate(*DATA.validation, verbose=0)
    last = result.history.query("variant == 'relu' and seed == 2 and epoch == 8")
    last = last.set_index("metric")["value"]
    assert loss == pytest.approx(last["val_loss"], rel=1e-4)
    assert accuracy == pytest.approx(last["val_accuracy"])
    with pytest.raises(ValueError, match="variant is 'rleu'"):
        result.model("rleu", 2)


def test_sound_variants_pass_all_checks(result):
    assert not (result.checks["outcome"] == "failed").any()
    passed = result.checks[result.checks["outcome"] == "passed"]
    assert {
        "scaler saw the training part alone",
        "same number of updates",
        "starting weights differ by seed",
        "variant changes training",
        "dropout only in training",
    } <= set(passed["check"])
    updates = result.checks.query("check == 'same number of updates'")["detail"]
    # 180 training rows in batches of 60
    assert set(updates) == {"8 runs of 24 updates"}


def test_test_set_is_scored_once():
    comparison = quietly({"a": small, "b": VARIANTS["linear"]}, seeds=2, epochs=2)
    scores = comparison.test_scores()
    model = comparison.model("a", 1)
    expected = dict(
        zip(["loss", "accuracy"], model.evaluate(*DATA.test, verbose=0), strict=True)
    )
    found = scores.query("variant == 'a' and seed == 1").set_index("metric")["value"]
    assert found.to_dict() == pytest.approx(expected, rel=1e-4)
    scores["value"] = 1.0  # a reader's own copy
    again = comparison.test_scores()
    assert again.query("variant == 'a' and seed == 1")["value"].tolist() == (
        pytest.approx(list(expected.values()), rel=1e-4)
    )
    with pytest.raises(ValueError, match="scored already"):
        comparison.test_scores(test=DATA.train)
    assert comparison.summary("test_accuracy").loc["a", "median"] > 0
    with pytest.raises(ValueError, match="'test_auc'; expected one of test_loss"):
        comparison.summary("test_auc")


def test_same_call_same_numbers(result):
    again = quietly(VARIANTS, seeds=8, epochs=8, record="gradients")
    pd.testing.assert_frame_equal(again.history, result.history)
    pd.testing.assert_frame_equal(again.summary(), result.summary())


def test_stopping_early_is_read_off(result):
    stopped = result.stopped(patience=1)
    assert set(stopped["variant"]) == set(VARIANTS)
    checked = result.checks.query("check == 'early stopping keeps the best weights'")
    assert (checked["outcome"] == "passed").all()
    assert len(checked) == 3
    result.stopped(patience=2)  # is entered in place of the first
    assert len(result.checks.query("check.str.startswith('early')")) == 3


def test_a_run_that_diverges_is_counted_and_makes_no_winner():
    def explosive():
        return small(optimizer="sgd", learning_rate=1e30)

    comparison = quietly({"sound": small, "explosive": explosive}, seeds=6, epochs=3)
    assert set(comparison.diverged["variant"]) == {"explosive"}
    table = comparison.summary()
    assert table["diverged"].tolist() == [0, 6]
    assert table.loc["explosive", "verdict"] == "worse"


# ------------------------------------------------------------------ checks that fail


def failing(comparison):
    table = comparison.checks.query("outcome == 'failed'")
    return set(zip(table["check"], table["variant"], strict=True))


def test_what_is_wrong_with_a_variant_is_warned_of():
    fixed = keras.initializers.HeNormal(seed=3)
    slow = keras.optimizers.schedules.CosineDecay(0.03, 10**7)
    loose = partial(keras.optimizers.Adam, clipnorm=1e9)
    variants = {
        "plain": small,
        "same": lambda: small(),
        "fixed": lambda: small(kernel_initializer=fixed),
        "slow": lambda: small(learning_rate=slow),
        "loose": lambda: small(optimizer=loose()),
    }
    with pytest.warns(UserWarning, match="check failed") as caught:
        comparison = quietly(variants, seeds=2, epochs=2)
    assert failing(comparison) >= {
        ("variant changes training", "same"),
        ("starting weights differ by seed", "fixed"),
        ("schedule changes the learning rate", "slow"),
        ("clipping fires", "loose"),
    }
    failures = [w for w in caught if "check failed" in str(w.message)]
    assert len(failures) == len(failing(comparison))
    # A warning points to the line that called compare.
    assert {w.filename for w in failures} == {__file__}
    assert "checks failed" in repr(comparison)
    assert "too few for a verdict" in repr(comparison)


def test_a_scaler_that_saw_the_validation_rows_is_warned_of():
    x, y = DATA.train
    leaky = replace(DATA, train=(x[:90], y[:90]))
    with pytest.warns(UserWarning, match="scaler saw the training part alone"):
        compare(
            {"a": small, "b": VARIANTS["linear"]},
            leaky,
            seeds=1,
            epochs=1,
            progress=False,
        )


# ----------------------------------------------------------------------------- tuning


def test_each_variant_gets_its_own_learning_rate():
    rates = [1e-4, 1e-3, 0.03, 1.0, 1000]
    comparison = quietly(
        {"sgd": lambda: small(optimizer="sgd"), "adam": partial(small, units=6)},
        seeds=[4, 9],
        epochs=8,
        learning_rates=rates,
        tuning_seeds=3,
    )
    tuning = comparison.tuning
    assert list(tuning) == ["variant", "learning_rate", "seed", "metric", "value"]
    assert len(tuning) == 2 * 5 * 3
    # none of the seeds that are compared
    assert set(tuning["seed"]) == {10, 11, 12}
    assert set(tuning["metric"]) == {"val_accuracy"}
    worst = tuning["value"].min()
    means = (
        tuning.fillna({"value": worst})
        .groupby(["variant", "learning_rate"])["value"]
        .mean()
    )
    for name in ("sgd", "adam"):
        chosen = comparison.chosen[name]["learning_rate"]
        assert means[name, chosen] == means[name].max()
        optimizer = comparison.model(name, 4).optimizer
        assert float(optimizer.learning_rate) == pytest.approx(chosen)
        assert comparison.summary().loc[name, "learning_rate"] == chosen
    assert comparison.chosen["sgd"] != comparison.chosen["adam"]


def test_tuning_trains_as_the_rate_would_by_itself():
    comparison = quietly(
        {"sgd": lambda: small(optimizer="sgd"), "adam": small},
        seeds=1,
        epochs=3,
        learning_rates=[0.01, 0.1, 0.5],
        tuning_seeds=2,
    )
    alone = replicate(
        lambda: small(optimizer="sgd", learning_rate=0.1),
        DATA,
        seeds=[1, 2],
        epochs=3,
        batch_size=60,
        progress=False,
    ).history.query("epoch == 3 and metric == 'val_accuracy'")
    tuned = comparison.tuning.query("variant == 'sgd' and learning_rate == 0.1")
    np.testing.assert_allclose(tuned["value"], alone["value"], atol=1e-5)


def test_a_choice_at_the_edge_of_the_grid_is_warned_of():
    with pytest.warns(UserWarning, match=r"learning_rate 0.0001 is the largest tried"):
        comparison = quietly(
            {"a": small, "b": VARIANTS["relu"]},
            seeds=1,
            epochs=2,
            learning_rates=[1e-6, 1e-5, 1e-4],
            metric="val_loss",
        )
    assert ("best of the grid is not at its edge", "a") in failing(comparison)


def test_a_grid_tunes_the_variants_that_take_the_number():
    comparison = quietly(
        {
            "plain": small,
            "dropout": lambda rate: small(dropout=rate),
            "both": lambda *, rate, penalty: small(
                dropout=rate, kernel_regularizer=keras.regularizers.L2(penalty)
            ),
        },
        seeds=2,
        epochs=2,
        grid={"rate": [0.0, 0.9], "penalty": [1e-4, 1e-3, 10.0]},
        tuning_seeds=2,
    )
    counts = comparison.tuning.groupby("variant", sort=False).size()
    assert counts.to_dict() == {"dropout": 4, "both": 12}
    assert set(comparison.chosen["dropout"]) == {"rate"}
    assert set(comparison.chosen["both"]) == {"rate", "penalty"}
    assert comparison.chosen["both"]["penalty"] < 10
    # Nothing lies below a rate of 0: it is no edge to warn of.
    assert comparison.chosen["dropout"] == {"rate": 0.0}
    edges = comparison.checks.query("check == 'best of the grid is not at its edge'")
    assert edges.set_index("variant").loc["dropout", "outcome"] == "passed"


def test_keywords_that_are_passed_on_unseen_are_not_tuned():
    with pytest.raises(ValueError, match="grid has 'dropout', which no variant"):
        quietly(PAIR, epochs=1, grid={"dropout": [0.1, 0.2]})


def test_a_number_that_a_partial_fixes_is_not_tuned():
    def network(rate):
        return small(dropout=rate)

    comparison = quietly(
        {"without": partial(network, rate=0.0), "tuned": network},
        seeds=1,
        epochs=1,
        grid={"rate": [0.0, 0.2, 0.5]},
        tuning_seeds=1,
    )
    assert comparison.chosen["without"] == {}
    assert set(comparison.tuning["variant"]) == {"tuned"}


# ------------------------------------------------------------- runs trained apart


def test_runs_on_other_data_can_be_compared():
    raw = datasets.load_circles(samples=300, factor=0.3, seed=1, scale=False)
    runs = {
        name: replicate(
            small, data, seeds=6, epochs=epochs, batch_size=60, progress=False
        )
        for name, data, epochs in (("scaled", DATA, 4), ("raw", raw, 2))
    }
    comparison = Comparison.from_runs(runs, metric="val_accuracy")
    assert comparison.summary().index.tolist() == ["scaled", "raw"]
    assert comparison.summary().loc["raw", "seeds"] == 6
    scores = comparison.scores("loss").query("variant == 'raw'")["value"]
    last = runs["raw"].history.query("epoch == 2 and metric == 'loss'")["value"]
    assert scores.tolist() == last.tolist()
    assert isinstance(comparison.model("raw", 0), keras.Model)
    assert set(comparison.test_scores()["variant"]) == {"scaled", "raw"}
    with pytest.raises(TypeError, match=r"runs\['b'\] is of type int"):
        Comparison.from_runs({"a": runs["raw"], "b": 1}, metric="loss")


# ------------------------------------------------------------------------------- errors


def scheduled():
    return small(learning_rate=keras.optimizers.schedules.CosineDecay(0.1, 10))


def uncompiled():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


PAIR = {"a": small, "b": VARIANTS["linear"]}


@pytest.mark.parametrize(
    ("variants", "options", "error", "said"),
    [
        ({}, {}, ValueError, "variants has 0 entries"),
        ({"a": small}, {}, ValueError, "variants has 1 entries"),
        ([small, small], {}, TypeError, "variants must be a dictionary"),
        ({"a": small, "b": 3}, {}, TypeError, r"variants\['b'\] is of type int"),
        ({"a": small, "": small}, {}, TypeError, "the name ''"),
        (PAIR, {"metric": "val_auc"}, ValueError, "metric is 'val_auc'; variant 'a'"),
        (PAIR, {"seeds": 0}, ValueError, "seeds"),
        (PAIR, {"seeds": [1, 1]}, ValueError, "seeds"),
        (PAIR, {"seeds": [-1]}, ValueError, "seeds"),
        (PAIR, {"epochs": 0}, ValueError, "epochs is 0"),
        (PAIR, {"batch_size": 500}, ValueError, "batch_size is 500"),
        (PAIR, {"learning_rates": []}, ValueError, "learning_rates is empty"),
        (PAIR, {"learning_rates": [0.1, 0]}, ValueError, "learning_rates holds 0"),
        (PAIR, {"learning_rates": [0.1, 0.1]}, ValueError, "more than once"),
        (PAIR, {"learning_rates": ["0.1"]}, TypeError, "learning_rates holds '0.1'"),
        (PAIR, {"learning_rates": [np.inf]}, TypeError, "learning_rates holds inf"),
        (PAIR, {"grid": [0.1]}, TypeError, "grid must be a dictionary"),
        (PAIR, {"grid": {"dropout": []}}, ValueError, r"grid\['dropout'\] is empty"),
        (
            PAIR,
            {"grid": {"learning_rate": [0.1]}, "learning_rates": [0.1]},
            ValueError,
            "both in learning_rates and in grid",
        ),
        (
            {"a": lambda: small(), "b": scheduled},
            {"grid": {"rate": [0.1]}},
            ValueError,
            "grid has 'rate'",
        ),
        (
            PAIR,
            {"learning_rates": [0.1], "tuning_seeds": 0},
            ValueError,
            "tuning_seeds",
        ),
        (
            {"a": small, "b": scheduled},
            {"learning_rates": [0.1]},
            ValueError,
            "variant 'b' has a learning-rate schedule",
        ),
        ({"a": small, "b": uncompiled}, {}, ValueError, "not compiled"),
        ({"a": small, "b": lambda: None}, {}, TypeError, "compiled Keras model"),
    ],
)
def test_what_does_not_fit_is_named_before_training(variants, options, error, said):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(error, match=said) as raised:
            quietly(variants, **{"seeds": 2, "epochs": 1} | options)
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


def test_a_model_in_place_of_a_function_is_explained():
    with pytest.raises(TypeError, match="expected a function that builds one"):
        quietly({"a": small, "b": small()}, epochs=1)


def test_nothing_is_tuned_for_arguments_that_do_not_fit(monkeypatch):
    def trained(*_, **__):
        raise AssertionError("trained first")

    monkeypatch.setattr(comparison, "train_work", trained)
    call = partial(compare, {"a": small, "b": small}, DATA, epochs=1, seeds=2)
    with pytest.raises(ValueError, match="record has 'typo'"):
        call(learning_rates=[0.1, 0.01], record="typo")
    with pytest.raises(ValueError, match=r"start\['b'\] holds nothing for seed 0"):
        call(learning_rates=[0.1, 0.01], start={"b": {1: {}}})


def test_a_tuning_that_lost_a_worker_for_good_says_so(monkeypatch):
    whole = comparison.train_work

    def partly(cells, work, **how):
        return whole(cells[1:], work, progress=False)

    monkeypatch.setattr(comparison, "train_work", partly)
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="half a"):
        compare(
            {"a": small, "b": small},
            DATA,
            epochs=1,
            seeds=2,
            learning_rates=[0.1, 0.01],
            executor=pool,
        )


def test_tuning_needs_validation_data():
    bare = type("Bare", (), {"train": DATA.train, "validation": None})()
    with pytest.raises(ValueError, match="tuning needs a validation part"):
        compare(PAIR, bare, epochs=1, learning_rates=[0.1, 0.2], progress=False)


def test_without_validation_part_the_training_score_decides():
    bare = type("Bare", (), {"train": DATA.train, "validation": None})()
    comparison = compare(PAIR, bare, seeds=1, epochs=1, progress=False)
    assert comparison.metric == "accuracy"


def test_arms_are_columns_by_what_differs_and_runs_are_rows():
    def scaled(rate, scale=1.0):
        return small(dropout=rate)

    kept = quietly(
        {"dropout": scaled}, seeds=3, epochs=1, grid={"rate": [0.1, 0.5]}, choose=False
    )
    table = kept.by_arm(levels=True)
    assert table.index.tolist() == [0, 1, 2]
    assert table.columns.tolist() == [0.1, 0.5]
    one = kept.by_run("dropout", rate=0.5)
    np.testing.assert_array_equal(table[0.5], one)


def test_arms_of_several_variants(result):
    table = result.by_arm("val_loss", levels=True)
    assert sorted(table) == sorted(VARIANTS)
    np.testing.assert_array_equal(
        table["dropout"], result.by_run("dropout", "val_loss")
    )


# -------------------------------------------------------------- batch size and targets

EXAMPLES = len(DATA.train[1])  # 180


@pytest.fixture(scope="module")
def batches():
    return compare(
        {"small": small, "large": small},
        DATA,
        seeds=4,
        batch_size={"small": 20, "large": 60},
        updates=18,
        follow_train=True,
        progress=False,
    )


def test_batch_sizes_take_as_many_updates(batches):
    epochs = batches.history.groupby("variant", sort=False)["epoch"].max()
    assert EXAMPLES == 180 and epochs.to_dict() == {"small": 2, "large": 6}
    own = batches.checks.query("check == 'same number of updates'")
    assert set(own["outcome"]) == {"passed"}


def test_a_batch_size_trains_as_it_does_alone(batches):
    alone = replicate(
        small, DATA, seeds=4, epochs=2, batch_size=20, progress=False
    ).history
    both = batches.history.query("variant == 'small'").merge(
        alone, on=["seed", "epoch", "metric"]
    )
    assert len(both) == len(alone)
    np.testing.assert_allclose(both["value_x"], both["value_y"], atol=1e-6)


def test_training_scores_are_followed(batches):
    last = batches.history.query("metric == 'train_loss'").groupby(
        ["variant", "seed"], sort=False
    )["value"]
    after = batches._part_scores("train").query("metric == 'loss'")
    np.testing.assert_allclose(last.last(), after["value"], rtol=1e-5)


def test_batch_size_is_a_knob_of_the_grid():
    told = []

    def root(batch_size, learning_rate=0.03):
        told.append(batch_size)
        return small(learning_rate=learning_rate * (batch_size / 20) ** 0.5)

    result = compare(
        {"fixed": small, "root": root},
        DATA,
        seeds=2,
        grid={"batch_size": [20, 60]},
        choose=False,
        epochs=2,
        progress=False,
    )
    assert set(told) == {20, 60}
    arms = result.history.groupby(["variant", "batch_size"], sort=False).size()
    assert len(arms) == 4
    # at equal epochs the design has the numbers of updates differ
    own = result.checks.query("check == 'same number of updates'")
    assert set(own["outcome"]) == {"does not apply"}
    fixed = result.by_run("fixed", "val_loss", batch_size=20)
    pd.testing.assert_series_equal(
        fixed, result.by_run("root", "val_loss", batch_size=20), atol=1e-6
    )


def test_when_a_target_is_reached_is_read_off(batches):
    loss = batches.history.query("metric == 'val_loss'")
    target = loss["value"].median()
    reached = batches.reached("val_loss", target)
    assert list(reached) == ["variant", "seed", "epoch", "update"]
    for row in reached.itertuples():
        own = loss.query("variant == @row.variant and seed == @row.seed")
        there = own.loc[own["value"] <= target, "epoch"]
        assert row.epoch == (there.min() if len(there) else np.inf)
        assert row.update == row.epoch * {"small": 9, "large": 3}[row.variant]


def test_runs_that_never_reach_a_target_are_counted(batches):
    assert np.isinf(batches.reached("val_loss", 0.0)["update"]).all()
    assert (batches.reached("val_loss", 1e9)["epoch"] == 1).all()
    assert (batches.reached("val_accuracy", 0.0)["epoch"] == 1).all()
    with pytest.raises(TypeError, match="target is None; expected a finite number"):
        batches.reached("val_loss", None)
    with pytest.raises(ValueError, match="metric is 'train_auc'; the history has"):
        batches.reached("train_auc", 1)


def test_scores_at_an_equal_loss(batches):
    loss = batches.history.query("metric == 'train_loss'")
    target = loss["value"].median()
    there = batches.at("train_loss", target)
    first = batches.reached("train_loss", target)
    scores = there.scores("val_accuracy")
    assert len(scores) == len(first) == 8
    assert (scores["value"].isna().to_numpy() == np.isinf(first["epoch"])).all()
    assert (there.scores("train_loss")["value"].dropna() <= target).all()
    row = first[np.isfinite(first["epoch"])].iloc[0]
    labels = {"variant": row["variant"], "seed": row["seed"]}
    whole = batches.history.merge(pd.DataFrame([labels | {"epoch": row["epoch"]}]))
    expected = whole.query("metric == 'val_accuracy'")["value"].item()
    assert scores.merge(pd.DataFrame([labels]))["value"].item() == expected


def test_networks_are_those_of_the_runs(batches):
    for seed, model in batches.networks("large"):
        for one, other in zip(
            model.get_weights(),
            batches.model("large", seed).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)
    assert [seed for seed, _ in batches.networks("small")] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "options, error, said",
    [
        ({"updates": 10}, ValueError, "updates is 10, which are no whole epochs"),
        ({"updates": 0}, ValueError, "updates is 0; it must be at least 1"),
        (
            {"epochs": 1, "grid": {"batch_size": [0.5]}},
            ValueError,
            "grid\\['batch_size'\\] holds 0.5; expected whole numbers",
        ),
        (
            {"epochs": 1, "batch_size": 10, "grid": {"batch_size": [20]}},
            ValueError,
            "the batch size is both in batch_size and in grid",
        ),
        (
            {"epochs": 1, "batch_size": {"linear": 10}},
            ValueError,
            "batch_size says nothing of the variant 'relu'",
        ),
    ],
)
def test_what_does_not_fit_of_batches_is_named(options, error, said):
    with pytest.raises(error, match=said):
        compare(
            {"linear": small, "relu": small},
            DATA,
            progress=False,
            **({"batch_size": 60} if "updates" in options else {}) | options,
        )
