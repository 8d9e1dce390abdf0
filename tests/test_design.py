"""One call says an experiment: splits, tables, doses, and what follows from them."""

import copy
from functools import partial

import keras
import numpy as np
import pandas as pd
import pytest

from nnperf_utils import compare, datasets
from nnperf_utils.design import seeds_by_split, tables_of
from nnperf_utils.engine.program import Program
from nnperf_utils.models import mlp

SPLITS = [datasets.load_moons(samples=120, seed=seed) for seed in range(3)]
CIRCLES = [datasets.load_circles(samples=100, seed=seed) for seed in range(3)]
OPTIONS = {"epochs": 3, "batch_size": 30, "progress": False, "follow_test": True}


def small(data, rate=0.3, learning_rate=0.01):
    return mlp(
        data,
        units=(6,),
        dropout=rate,
        learning_rate=learning_rate,
        normalization="batch",
    )


VARIANTS = {"plain": partial(small, rate=0.05), "dropout": small}


@pytest.fixture(scope="module")
def nested():
    return compare(
        VARIANTS, SPLITS, seeds=2, grid={"rate": [0.2, 0.5]}, choose=False, **OPTIONS
    )


def test_frames_name_split_variant_dose_and_seed(nested):
    assert list(nested.history) == [
        *("split", "variant", "rate", "seed", "epoch", "metric", "value")
    ]
    seeds = nested.history.groupby("split")["seed"].unique().map(sorted).to_dict()
    assert seeds == {0: [0, 1], 1: [2, 3], 2: [4, 5]}
    doses = nested.history.groupby("variant")["rate"].unique()
    assert doses["dropout"].tolist() == [0.2, 0.5]
    assert np.isnan(doses["plain"]).all()


def test_splits_train_in_one_graph_as_each_would_alone(nested):
    runs, _ = nested._members["plain"]
    assert len(runs._results) == 1
    assert len(runs._results[0].group.cells) == 18
    for split, data in enumerate(SPLITS):
        alone = compare(
            VARIANTS,
            data,
            seeds=[2 * split, 2 * split + 1],
            grid={"rate": [0.2, 0.5]},
            choose=False,
            **OPTIONS,
        )
        both = nested.history.merge(
            alone.history, on=["variant", "rate", "seed", "epoch", "metric"]
        )
        assert len(both) == len(alone.history)
        assert set(both["metric"]) >= {"val_loss", "test_accuracy"}
        np.testing.assert_allclose(both["value_x"], both["value_y"], atol=2e-5)
        for part in ("train", "test"):
            both = nested.scores(f"{part}_loss").merge(
                alone.scores(f"{part}_loss"), on=["variant", "rate", "seed"]
            )
            np.testing.assert_allclose(both["value_x"], both["value_y"], atol=2e-5)


@pytest.mark.parametrize(
    ("batch_size", "jit_compile"), [(72, False), (25, True), (25, False)]
)
def test_one_batch_and_a_smaller_last_one(batch_size, jit_compile):
    options = OPTIONS | {"batch_size": batch_size, "jit_compile": jit_compile}
    options |= {"epochs": 2, "record": ("gradients", "activations", "updates")}
    together = compare(VARIANTS, SPLITS[:2], seeds=[3, 4], **options)
    for split, data in enumerate(SPLITS[:2]):
        alone = compare(VARIANTS, data, seeds=[3 + split], **options)
        keys = ["variant", "seed", "epoch", "metric"]
        for frame, on in (("history", keys), ("readings", [*keys, "layer"])):
            both = getattr(together, frame).merge(getattr(alone, frame), on=on)
            assert len(both) == len(getattr(alone, frame)) > 0
            np.testing.assert_allclose(
                both["value_x"], both["value_y"], rtol=1e-3, atol=2e-5
            )


def test_estimates_know_the_design(nested):
    one = nested.estimate("dropout", "val_accuracy", rate=0.2)
    assert one.design == "3 splits × 2 seeds each"
    paired = nested.difference("dropout", "plain", "test_loss", rate=0.5)
    by_hand = (
        nested.by_run("dropout", "test_loss", rate=0.5)
        - nested.by_run("plain", "test_loss")
    ).groupby("split")
    assert paired.value == pytest.approx(by_hand.mean().mean())
    half = 4.302652729696142 * by_hand.mean().sem()
    assert paired.high - paired.value == pytest.approx(half)
    assert "does not cover other tables" in str(paired)


def test_crossed_seeds_are_the_same_on_every_split():
    result = compare(VARIANTS, SPLITS, seeds=3, crossed=True, **OPTIONS | {"epochs": 1})
    assert result.estimate("plain").design == "3 splits, the same 3 seeds on each"
    weights = [
        result.model("plain", 1, split=split).get_layer("hidden_1").kernel.shape
        for split in range(3)
    ]
    assert len(set(weights)) == 1
    with pytest.raises(KeyError, match="3 replicas of seed 1; say which: split"):
        result.model("plain", 1)


@pytest.fixture(scope="module")
def tables():
    return compare(
        VARIANTS,
        {"moons": SPLITS, "circles": CIRCLES, "one": SPLITS[0]},
        seeds=2,
        grid={"rate": [0.2, 0.5], "learning_rate": [0.01, 0.05]},
        choose=False,
        **OPTIONS | {"batch_size": {"moons": 30, "circles": 20, "one": 30}},
    )


def test_tables_are_a_factor(tables):
    assert list(tables.history)[:2] == ["data", "split"]
    summary = tables.summary()
    assert summary.index.names == ["data", "variant"]
    assert len(summary) == 3 * 6
    with pytest.raises(ValueError, match="data is None; expected one of 'moons'"):
        tables.estimate("plain", learning_rate=0.01)
    with pytest.raises(ValueError, match="several arms; say rate"):
        tables.estimate("dropout", data="moons", learning_rate=0.01)
    one = tables.difference(
        "dropout", "plain", data="one", rate=0.2, learning_rate=0.05
    )
    assert "seeds" in one.design


def test_best_arms_are_chosen_for_each_table(tables):
    chosen = tables.choose("val_loss")
    assert set(chosen.chosen) == {"moons", "circles", "one"}
    for _table, by_variant in chosen.chosen.items():
        for variant, point in by_variant.items():
            own = tables.scores("val_loss").query("data == @_table")
            own = own[own["variant"] == variant]
            knobs = list(point)
            means = own.groupby(knobs)["value"].mean()
            assert means.idxmin() == (
                tuple(point.values()) if len(knobs) > 1 else point[knobs[0]]
            )
    arms = chosen.history[["data", "variant", "rate", "learning_rate"]]
    assert len(arms.drop_duplicates()) == 6
    best = chosen.chosen["circles"]["dropout"]
    same = tables.by_run("dropout", "test_loss", data="circles", **best)
    pd.testing.assert_series_equal(
        chosen.by_run("dropout", "test_loss", data="circles"), same
    )


def test_early_stopping_takes_the_scores_it_keeps(nested):
    early = nested.with_early_stopping("val_loss", patience=1)
    kept = nested.stopped("val_loss", patience=1).query("metric == 'test_loss'")
    own = kept[kept["variant"] == "plain"].set_index(["split", "seed"])["value"]
    got = early.by_run("plain", "test_loss")
    pd.testing.assert_series_equal(got, own.loc[got.index])
    assert (nested.checks["check"] == "early stopping keeps the best weights").any()


def test_scores_by_arm_pair_runs_in_rows(nested, tables):
    arms = nested.by_arm("test_loss")
    assert list(arms) == ["plain", "dropout, rate=0.2", "dropout, rate=0.5"]
    assert list(arms.index.names) == ["split", "seed"]
    own = nested.by_run("dropout", "test_loss", rate=0.5)
    pd.testing.assert_series_equal(
        arms["dropout, rate=0.5"].sort_index(), own.sort_index(), check_names=False
    )
    best = tables.choose("val_loss").by_arm("test_loss")
    assert list(best) == ["plain", "dropout"]
    assert set(best.index.get_level_values("data")) == {"moons", "circles", "one"}
    early = nested.with_early_stopping("val_loss", patience=1).choose("val_loss")
    pd.testing.assert_series_equal(
        early.by_arm("test_loss")["plain"].sort_index(),
        early.by_run("plain", "test_loss").sort_index(),
        check_names=False,
    )


def test_a_diverged_run_counts_as_the_worst_of_its_table_by_arm(nested):
    broken = copy.copy(nested)
    broken.history = nested.history.copy()
    last = broken.history["epoch"] == broken.history["epoch"].max()
    own = broken.history.eval("variant == 'plain' and seed == 3 and metric == 'loss'")
    broken.history.loc[last & own, "value"] = np.inf
    arms = broken.by_arm("loss")
    assert arms.loc[(1, 3), "plain"] == arms.to_numpy().max()
    assert np.isfinite(arms.to_numpy()).all()
    told = broken.by_arm("loss", diverged=np.inf)
    assert told.loc[(1, 3), "plain"] == np.inf
    assert np.isinf(told.to_numpy()).sum() == 1


def test_tuning_chooses_for_each_table_on_seeds_of_its_own():
    result = compare(
        VARIANTS,
        {"moons": SPLITS[:2], "circles": CIRCLES[:2]},
        seeds=2,
        tuning_seeds=1,
        learning_rates=[0.001, 0.01, 0.1],
        **OPTIONS,
    )
    assert set(result.chosen) == {"moons", "circles"}
    assert set(result.tuning["seed"]).isdisjoint(result.history["seed"])
    assert result.tuning.groupby(["data", "split"]).ngroups == 4
    assert "learning_rate" in result.summary()


def test_names_may_be_in_a_grid_and_networks_may_differ_by_them():
    def network(data, optimizer):
        return mlp(data, units=(4,), optimizer=optimizer)

    result = compare(
        {"network": network},
        SPLITS[:2],
        seeds=1,
        grid={"optimizer": ["sgd", "adam"]},
        choose=False,
        **OPTIONS,
    )
    assert set(result.history["optimizer"]) == {"sgd", "adam"}
    assert len(result._members["network"][0]._results) == 2


def test_splits_of_unlike_size_make_groups():
    unlike = [SPLITS[0], datasets.load_moons(samples=160, seed=9)]
    result = compare(VARIANTS, unlike, seeds=1, **OPTIONS)
    assert len(result._members["plain"][0]._results) == 2
    assert result.history.groupby("split")["value"].count().nunique() == 1


def test_an_interruption_returns_what_was_finished(monkeypatch):
    from nnperf_utils.engine import training

    run = training.Program.run
    calls = []

    def interrupted(self, *arguments):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return run(self, *arguments)

    monkeypatch.setattr(training.Program, "run", interrupted)
    wide = partial(mlp, units=(9,))
    with pytest.warns(UserWarning, match="interrupted after 3 of 6 epochs"):
        result = compare({"small": small, "wide": wide}, SPLITS, seeds=1, **OPTIONS)
    assert result.variants == ["small"]
    assert result.estimate("small").design == "3 splits × 1 seed each"


# ------------------------------------------------------------------------------- errors


def test_seeds_are_dealt_out():
    tables = tables_of({"a": SPLITS[:2], "b": SPLITS[0]})
    assert seeds_by_split(tables, 2, False) == [[[0, 1], [2, 3]], [[0, 1]]]
    assert seeds_by_split(tables, 2, True) == [[[0, 1], [0, 1]], [[0, 1]]]
    assert seeds_by_split(tables[:1], [5, 6, 7, 8], False) == [[[5, 6], [7, 8]]]


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"seeds": [1, 2, 3]}, ValueError, "seeds has 3 seeds for 2 splits"),
        ({"seeds": 0}, ValueError, "seeds is 0"),
        ({"crossed": 1}, TypeError, "crossed is 1; expected True or False"),
        ({"choose": "no"}, TypeError, "choose is 'no'"),
        ({"data": []}, ValueError, "data is empty"),
        ({"data": {}}, ValueError, "data is empty"),
        ({"data": {"": SPLITS[0]}}, TypeError, "data has the name ''"),
        ({"data": [SPLITS[0], 3]}, TypeError, r"data\[1\] is of type int"),
        ({"data": {"a": 3}}, TypeError, r"data\['a'\] is of type int"),
        ({"sample_weight": np.ones(72)}, ValueError, "sample_weight needs data"),
        ({"epochs": {"b": 1}}, ValueError, "epochs says nothing of the variant"),
        ({"grid": {"rate": [[1]]}}, TypeError, "expected finite numbers or names"),
    ],
)
def test_bad_designs_are_named_before_anything_trains(
    monkeypatch, change, kind, message
):
    from nnperf_utils import comparison

    monkeypatch.setattr(
        comparison, "train_work", lambda *_, **__: pytest.fail("trained")
    )
    arguments = {"variants": VARIANTS, "data": SPLITS[:2], "seeds": 2, **OPTIONS}
    with pytest.raises(kind, match=message) as raised:
        compare(**arguments | change)
    assert "\n" not in str(raised.value)


def test_a_network_for_other_inputs_is_named():
    other = datasets.load_diabetes()

    def fixed():
        return mlp(other, units=(4,))

    with pytest.raises(ValueError, match=r"takes inputs of shape \(8,\) each, but the"):
        compare({"a": fixed, "b": fixed}, SPLITS, seeds=1, **OPTIONS)


def test_keras_model_in_place_of_a_function():
    from nnperf_utils import replicate

    with pytest.raises(TypeError, match="build is a model; expected a function"):
        replicate(keras.Sequential(), SPLITS[0], seeds=1, epochs=1)


def test_a_grid_may_fill_what_a_function_cannot_do_without():
    def named(optimizer, units):
        model = mlp(SPLITS[0], units=(units,))
        model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
        return model

    result = compare(
        {"named": named},
        SPLITS,
        seeds=1,
        grid={"optimizer": ["adam", "sgd"], "units": [2], "learning_rate": [0.1]},
        choose=False,
        **OPTIONS,
    )
    assert len(result.scores()) == 6


def test_scoring_many_graphs_trains_none_anew(monkeypatch):
    result = compare(
        {"wide": lambda units: mlp(SPLITS[0], units=(units,))},
        SPLITS[:1],
        seeds=1,
        grid={"units": [2, 3, 4, 5, 6]},  # more than the programs that are kept
        choose=False,
        **OPTIONS,
    )
    begun = []
    monkeypatch.setattr(Program, "begin", lambda *_: begun.append(1))
    scores = result.scores("train_accuracy")["value"]
    assert len(scores) == 5
    assert scores.between(0, 1).all()
    assert not begun


def test_other_runs_can_be_the_reference(nested):
    weak = nested.by_run("dropout", "test_loss", rate=0.2)
    found = nested.difference("dropout", weak, "test_loss", rate=0.5)
    strong = nested.by_run("dropout", "test_loss", rate=0.5)
    assert found.value == pytest.approx((strong - weak).mean())
    assert found.design == "3 splits × 2 seeds each"
    stopped = nested.with_early_stopping("val_loss")
    kept = stopped.difference("plain", nested.by_run("plain", "test_loss"), "test_loss")
    by_hand = stopped.by_run("plain", "test_loss") - nested.by_run("plain", "test_loss")
    assert kept.value == pytest.approx(by_hand.mean())
    with pytest.raises(ValueError, match="told apart by split and seed, but the runs"):
        nested.difference("plain", weak.droplevel("split"), "test_loss")
    elsewhere = weak.rename(lambda seed: seed + 100, level="seed")
    with pytest.raises(ValueError, match="no run in common"):
        nested.difference("plain", elsewhere, "test_loss")


def test_variants_trained_apart_are_joined(nested):
    def wide(data, units):
        return mlp(data, units=(units,), dropout=0.1)

    other = compare(
        {"wide": wide},
        SPLITS,
        seeds=2,
        grid={"units": [5, 7]},
        choose=False,
        **OPTIONS,
    )
    joined = nested.joined(other)
    assert joined.variants == ["plain", "dropout", "wide"]
    assert list(joined.history) == [
        *("split", "variant", "rate", "units", "seed", "epoch", "metric", "value")
    ]
    assert len(joined.history) == len(nested.history) + len(other.history)
    paired = joined.difference("wide", "plain", "test_loss", units=5)
    assert paired.design == "3 splits × 2 seeds each"
    best = joined.with_early_stopping("val_loss").choose("val_loss")
    assert best.chosen["plain"] == {}
    assert list(best.chosen["wide"]) == ["units"]
    assert joined.model("wide", 2, units=7).get_layer("hidden_1").units == 7
    with pytest.raises(ValueError, match="both comparisons have a variant 'plain'"):
        joined.joined(nested)


def test_one_variant_on_several_tables():
    tables = {"moons": SPLITS, "circles": CIRCLES}
    result = compare({"only": small}, tables, seeds=1, **OPTIONS)
    found = result.difference(
        "only",
        result.by_run("only", "test_loss", data="circles"),
        "test_loss",
        data="moons",
    )
    assert found.design == "3 splits × 1 seed each"
    assert "'only' alone" in repr(result)
    assert "'only'" in result._repr_html_() or "&#x27;only&#x27;" in (
        result._repr_html_()
    )
    with pytest.raises(ValueError, match="one on several tables"):
        compare({"only": small}, SPLITS, seeds=1, **OPTIONS)
