"""The engine beside its equality with `fit`, which test_equivalence.py is about."""

import json
import random
import subprocess
import sys
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import layers, optimizers, regularizers

from nnperf_utils import instruments
from nnperf_utils.engine import plan, program, starts, training
from nnperf_utils.replicas import Cell, example_order, replicate, train

_random = np.random.default_rng(1)
X = _random.normal(size=(60, 5)).astype("float32")
Y = (X[:, 0] + 0.5 * _random.normal(size=60) > 0).astype(int) + (X[:, 1] > 1)
DATA = SimpleNamespace(train=(X[:40], Y[:40]), validation=(X[40:], Y[40:]))


def network(
    *hidden,
    optimizer=lambda: optimizers.Adam(0.01),
    loss="sparse_categorical_crossentropy",
    activation="softmax",
):
    model = keras.Sequential(
        [
            keras.Input((5,)),
            *(
                make()
                for make in hidden or [lambda: layers.Dense(6, activation="tanh")]
            ),
            layers.Dense(3, activation=activation),
        ]
    )
    model.compile(optimizer(), loss, metrics=["accuracy"])
    return model


def run(build=network, data=DATA, **arguments):
    arguments = {
        "seeds": 3,
        "epochs": 3,
        "batch_size": 8,
        "progress": False,
    } | arguments
    return replicate(build, data, **arguments)


def last(runs, metric="loss"):
    final = runs.history.query("epoch == epoch.max() and metric == @metric")
    return final["value"].to_numpy()


@pytest.fixture(scope="module")
def runs():
    return run(epochs=6)


# --------------------------------------------------------------------------- results


def test_history_has_every_seed_epoch_and_metric_once(runs):
    assert list(runs.history) == ["seed", "epoch", "metric", "value"]
    assert len(runs.history) == 3 * 6 * 4
    assert not runs.history.duplicated(["seed", "epoch", "metric"]).any()
    assert set(runs.history["metric"]) == {
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
    }
    assert runs.seeds == [0, 1, 2]
    assert "3 replicas, 6 epochs" in repr(runs)


def test_the_order_of_examples_is_a_permutation_that_changes_with_seed_and_epoch():
    orders = {tuple(example_order(s, e, 40)) for s in range(3) for e in range(1, 4)}
    assert len(orders) == 9
    assert all(sorted(order) == list(range(40)) for order in orders)


def test_model_evaluate_and_predict_agree(runs):
    scores = runs.evaluate(*DATA.validation)
    predictions = runs.predict(X[40:])
    assert predictions.shape == (3, 20, 3)
    for i, seed in enumerate(runs.seeds):
        model = runs.model(seed)
        assert model.optimizer.iterations == 6 * 5
        reference = model.evaluate(*DATA.validation, verbose=0, return_dict=True)
        mine = scores[scores["seed"] == seed].set_index("metric")["value"]
        assert dict(mine) == pytest.approx(reference, abs=1e-5)
        np.testing.assert_allclose(
            predictions[i], model.predict(X[40:], verbose=0), atol=1e-5
        )


def test_optimizer_variable_is_that_of_each_replica():
    cells = [
        Cell(name, seed, partial(network, optimizer=optimizer))
        for name, optimizer in (("adam", optimizers.Adam), ("sgd", optimizers.SGD))
        for seed in (3, 1)
    ]
    runs = train(cells, DATA, epochs=2, batch_size=8, progress=False)
    assert runs.optimizer_variable("iteration").tolist() == [10] * 4
    runs = run(seeds=[3, 1])
    names = [v.name for v in runs.model(3).optimizer.variables]
    name = next(n for n in names if n.endswith("kernel_momentum"))
    stacked = runs.optimizer_variable(name)
    for values, seed in zip(stacked, (3, 1), strict=True):
        own = runs.model(seed).optimizer.variables[names.index(name)]
        np.testing.assert_array_equal(values, own.numpy())


class Counting(optimizers.SGD):
    """Write down each update's number and its double."""

    rows = 8

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.log = self.add_variable((self.rows, 2), "zeros", name="log")

    def apply(self, gradients, variables):
        here = tf.range(self.rows)[:, None] == tf.cast(self.iterations, "int32")
        super().apply(gradients, variables)
        number = tf.cast(self.iterations, "float32")
        self.log.assign(tf.where(here, tf.stack([number, 2 * number]), self.log))


def test_optimizer_log_has_a_row_for_each_update():
    runs = run(partial(network, optimizer=Counting), seeds=[3, 1], epochs=1)
    log = runs.optimizer_log("log", ["number", "double"])
    updates = runs.updates()[0]
    assert list(log) == ["seed", "update", "number", "double"]
    assert log["seed"].tolist() == [3] * updates + [1] * updates
    assert log["update"].tolist() == 2 * list(range(1, updates + 1))
    np.testing.assert_array_equal(log["number"], log["update"])
    np.testing.assert_array_equal(log["double"], 2 * log["update"])
    with pytest.raises(ValueError, match=r"columns are 1; 'log' has the shape \(8, 2"):
        runs.optimizer_log("log", ["number"])


def test_optimizer_variable_that_is_not_there(runs):
    with pytest.raises(ValueError, match=r"name is 'log'; .* iteration"):
        runs.optimizer_variable("log")


def test_a_model_goes_on_training_where_the_replica_stopped():
    """The optimizer's slots come along: six epochs are three and three."""
    build = partial(network, optimizer=lambda: optimizers.SGD(0.1, momentum=0.9))
    whole, half = (run(build, epochs=e, batch_size=40, seeds=1) for e in (6, 3))
    model = half.model(0)
    model.fit(*DATA.train, epochs=3, batch_size=40, verbose=0)
    for own, reference in zip(model.weights, whole.model(0).weights, strict=True):
        np.testing.assert_allclose(own.numpy(), reference.numpy(), atol=1e-5)


def test_a_replica_does_not_depend_on_its_company(runs):
    alone = run(seeds=[2], epochs=6)
    np.testing.assert_allclose(last(alone), last(runs)[2:], rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_replica_alone_reads_and_drops_as_in_company(jit_compile):
    build = partial(network, lambda: layers.Dense(6), lambda: layers.Dropout(0.3))
    arguments = {"record": ("gradients", "updates"), "jit_compile": jit_compile}
    alone, together = (run(build, seeds=s, **arguments) for s in ([2], [1, 2]))
    np.testing.assert_allclose(last(alone), last(together)[1:], rtol=1e-5)
    of_two = together.readings.query("seed == 2").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.readings, of_two, rtol=1e-4)


def test_without_validation():
    runs = run(data=SimpleNamespace(train=DATA.train))
    assert set(runs.history["metric"]) == {"loss", "accuracy"}


@pytest.mark.parametrize("jit_compile", [False, True])  # True: in two functions
def test_the_test_part_is_followed_and_changes_nothing(jit_compile):
    test = (X[5:25] + 1, Y[5:25])
    data = SimpleNamespace(**vars(DATA), test=test)
    options = {"batch_size": 12, "jit_compile": jit_compile}
    followed = run(data=data, follow_test=True, **options)
    scored = followed.evaluate(*test).set_index(["seed", "metric"])["value"]
    for metric in ("loss", "accuracy"):
        np.testing.assert_allclose(
            last(followed, f"test_{metric}"),
            scored.xs(metric, level="metric"),
            rtol=1e-5,
        )
    stopped = followed.stopped(patience=1)
    assert set(stopped["metric"]) == set(followed.history["metric"])
    plain = run(data=data, **options).history
    others = followed.history[~followed.history["metric"].str.startswith("test_")]
    pd.testing.assert_frame_equal(others.reset_index(drop=True), plain, rtol=1e-5)


def test_following_needs_a_test_part():
    with pytest.raises(ValueError, match=r"data\.test is None"):
        run(follow_test=True)


def test_validation_in_pieces_gives_the_same_scores(monkeypatch, runs):
    monkeypatch.setattr(program, "_CHUNK_BYTES", 1)
    training._programs.clear()
    pieces = run(epochs=6)  # of 8, 8 and 4
    training._programs.clear()
    np.testing.assert_allclose(
        last(pieces, "val_loss"), last(runs, "val_loss"), rtol=1e-5
    )


def test_random_states_are_left_as_they_were():
    np.random.seed(7)
    keras.utils.set_random_seed(7)
    expected = np.random.rand(), keras.random.uniform((1,)).numpy()
    keras.utils.set_random_seed(7)
    run(seeds=2, epochs=1)
    assert (np.random.rand(), keras.random.uniform((1,)).numpy()) == expected


def test_weights_drawn_from_tensorflows_own_generator_follow_the_seed():
    """These draws keep state in TensorFlow's kernels, which outlives the seed."""

    def build():
        def draw(shape, dtype=None):
            return tf.random.normal(shape, dtype=dtype)

        return network(lambda: layers.Dense(4, kernel_initializer=draw))

    runs = run(build, seeds=[4, 5, 6], epochs=1, batch_size=40)
    again = run(build, seeds=[6, 5], epochs=1, batch_size=40)
    for seed in (5, 6):
        keras.utils.set_random_seed(seed)
        expected = build().evaluate(*DATA.train, verbose=0)[0]
        for result in (runs, again):
            found = result.history.query("seed == @seed and metric == 'loss'")
            assert found["value"].item() == pytest.approx(expected, abs=1e-5)


# ----------------------------------------------------------------------- determinism

FRESH = """
import json
import random
from test_training import *
runs = run(DROPOUT, seeds=3, epochs=80)
print(json.dumps(runs.history["value"].tolist()))
"""
DROPOUT = partial(
    network,
    lambda: layers.Dense(8, activation="relu"),
    layers.BatchNormalization,
    lambda: layers.Dropout(0.3),
)


def test_the_same_call_gives_the_same_bits_in_a_fresh_process():
    """80 epochs of 5 steps are enough for XLA to be used."""
    first = run(DROPOUT, seeds=3, epochs=80).history["value"].tolist()
    again = run(DROPOUT, seeds=3, epochs=80).history["value"].tolist()
    assert again == first
    output = subprocess.run(
        [sys.executable, "-c", FRESH],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(output.splitlines()[-1]) == first


# ----------------------------------------------------------------------------- noise


class Masks(layers.Layer):
    """Keep, as a weight that is not trained, what dropout made of a row of ones."""

    def __init__(self, rate):
        super().__init__()
        self.dropout = layers.Dropout(rate)

    def build(self, shape):
        self.seen = self.add_weight(
            shape=(40, 50), initializer="zeros", trainable=False
        )

    def call(self, x, training=False):
        mask = self.dropout(tf.ones((40, 50)), training=training)
        if training:
            self.seen.assign(mask)
        return x * tf.reduce_mean(mask)


@pytest.fixture(scope="module")
def masks():
    """By seed and number of steps: the mask of the last step."""
    build = partial(network, lambda: Masks(0.3))
    return {
        (seed, epochs): result.model(seed).layers[0].seen.numpy()
        for epochs in (1, 2)
        for result in [run(build, epochs=epochs, batch_size=40)]
        for seed in range(3)
    }


def test_dropout_drops_at_its_rate_and_scales(masks):
    for mask in masks.values():
        np.testing.assert_allclose(np.unique(mask), [0, 1 / 0.7], rtol=1e-6)
        # 2000 draws: a standard error of 0.0102
        assert np.mean(mask == 0) == pytest.approx(0.3, abs=0.04)


def test_dropout_is_independent_between_replicas_and_steps(masks):
    drawn = [mask.ravel() for mask in masks.values()]
    correlations = np.corrcoef(drawn)[np.triu_indices(len(drawn), 1)]
    assert np.abs(correlations).max() < 0.09  # four standard errors


def test_dropout_is_off_in_evaluation():
    runs = run(partial(network, lambda: layers.Dropout(0.9)), seeds=1)
    first, second = (runs.evaluate(*DATA.train)["value"].tolist() for _ in range(2))
    assert first == second
    assert first == pytest.approx(runs.model(0).evaluate(*DATA.train, verbose=0))


# ------------------------------------------------------- numbers that share one graph


def with_layers(drop, noise, momentum, l1, l2, both, activity):
    return network(
        lambda: layers.Dropout(drop),
        lambda: layers.GaussianNoise(noise),
        lambda: layers.Dense(8, kernel_regularizer=regularizers.L1(l1)),
        lambda: layers.BatchNormalization(momentum=momentum),
        lambda: layers.Dense(8, kernel_regularizer=regularizers.L2(l2)),
        lambda: layers.Dense(8, kernel_regularizer=regularizers.L1L2(both, l2)),
        lambda: layers.Dense(8, activity_regularizer=regularizers.L2(activity)),
        optimizer=lambda: optimizers.SGD(0.05),
    )


def with_optimizer(cls, rate, **options):
    return network(optimizer=lambda: cls(rate, **options))


def schedule(rate):
    return optimizers.schedules.CosineDecay(rate, 20)


# Each: a function, and two or more sets of arguments that it takes.
GRIDS = {
    "layers": (
        with_layers,
        [
            (0.2, 0.2, 0.5, 0.01, 0.1, 0.02, 0.1),
            (0.6, 0.4, 0.9, 0.0, 0.01, 0.0, 0.0),
            (0.0, 0.0, 0.7, 0.02, 0.0, 0.01, 0.2),
        ],
    ),
    "SGD": (
        lambda *v: with_optimizer(
            optimizers.SGD, v[0], momentum=v[1], global_clipnorm=v[2]
        ),
        [(0.1, 0.3, 0.1), (0.5, 0.9, 0.02)],
    ),
    "Adam": (
        lambda *v: with_optimizer(
            optimizers.Adam, v[0], beta_1=v[1], beta_2=v[2], epsilon=v[3], clipnorm=v[4]
        ),
        [(0.01, 0.5, 0.9, 1e-2, 0.02), (0.02, 0.9, 0.99, 1e-1, 0.1)],
    ),
    "AdamW with a schedule": (
        lambda *v: with_optimizer(optimizers.AdamW, schedule(v[0]), weight_decay=v[1]),
        [(0.01, 0.1), (0.05, 2.0)],
    ),
    "RMSprop": (
        lambda *v: with_optimizer(optimizers.RMSprop, v[0], rho=v[1], clipvalue=v[2]),
        [(0.01, 0.5, 0.01), (0.02, 0.9, 0.1)],
    ),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_of_numbers_shares_a_graph_and_gives_what_separate_runs_give(name):
    make, values = GRIDS[name]
    cells = [Cell(str(v), 3, partial(make, *v)) for v in values]
    grid = train(cells, DATA, epochs=2, batch_size=20, progress=False)
    assert len(grid._results) == 1  # one graph
    for value in values:
        alone = run(partial(make, *value), seeds=[3], epochs=2, batch_size=20)
        mine = grid.history[grid.history["variant"] == str(value)]
        np.testing.assert_allclose(
            mine["value"], alone.history["value"], rtol=2e-5, atol=1e-6
        )


def test_variants_that_differ_in_the_start_alone_share_a_graph():
    cells = [
        Cell(
            name, 0, partial(network, partial(layers.Dense, 6, kernel_initializer=name))
        )
        for name in ("he_normal", "glorot_uniform", "zeros")
    ]
    runs = train(cells, DATA, epochs=1, batch_size=40, progress=False)
    assert len(runs._results) == 1
    assert runs.history.columns[0] == "variant"
    assert runs.history.query("metric == 'loss'")["value"].nunique() == 3


def test_variants_of_different_structure_do_not_mix():
    builds = {
        "relu": partial(network, partial(layers.Dense, 6, activation="relu")),
        "tanh": partial(network, partial(layers.Dense, 6, activation="tanh")),
        "wide": partial(network, partial(layers.Dense, 9, activation="tanh")),
        "mine": partial(
            network, partial(layers.Dense, 6, activation=lambda x: x * 0.5)
        ),
        "other": partial(network, partial(layers.Dense, 6, activation=lambda x: x * 2)),
    }
    cells = [Cell(n, s, b) for n, b in builds.items() for s in range(2)]
    mixed = train(cells, DATA, epochs=2, batch_size=16, progress=False)
    assert len(mixed._results) == 5
    for name, build in builds.items():
        alone = run(build, seeds=2, epochs=2, batch_size=16)
        np.testing.assert_allclose(
            mixed.history[mixed.history["variant"] == name]["value"],
            alone.history["value"],
            rtol=1e-5,
        )


def test_a_custom_layer_is_never_taken_from_an_earlier_call():
    """Its configuration does not tell that the factor has changed."""
    losses = []
    for factor in (1.0, 5.0):
        model_of = partial(network, lambda f=factor: layers.Lambda(lambda x: x * f))
        losses.append(last(run(model_of, seeds=1, epochs=1)).item())
    assert losses[0] != losses[1]


# ------------------------------------------------------------------------- divergence


def test_a_diverging_replica_is_recorded_and_leaves_the_others_alone():
    def build(rate):
        return network(
            layers.Flatten,
            optimizer=lambda: optimizers.SGD(rate),
            loss="mse",
            activation=None,
        )

    data = SimpleNamespace(
        train=(X[:40], np.eye(3)[Y[:40]]), validation=(X[40:], np.eye(3)[Y[40:]])
    )
    cells = [Cell(f"{r}", 0, partial(build, r)) for r in (0.05, 1e12)]
    both = train(cells, data, epochs=5, batch_size=40, progress=False)
    assert len(both._results) == 1
    assert both.diverged["0.05", 0] is pd.NA
    epoch = both.diverged["1000000000000.0", 0]
    assert 1 < epoch <= 5
    bad = both.history.query("variant != '0.05'")
    assert bad.loc[bad["epoch"] < epoch, "value"].notna().all()
    assert bad.loc[bad["epoch"] >= epoch, "value"].isna().all()
    alone = run(partial(build, 0.05), data, seeds=1, epochs=5, batch_size=40)
    np.testing.assert_allclose(
        both.history.query("variant == '0.05'")["value"],
        alone.history["value"],
        rtol=1e-5,
    )
    assert "1 diverged" in repr(both)


# ---------------------------------------------------------------------- early stopping


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
@pytest.mark.parametrize("patience", [0, 2])
def test_stopping_is_read_off_as_the_callback_would_stop(monitor, patience):
    build = partial(network, optimizer=lambda: optimizers.Adam(0.1))
    runs = run(build, seeds=3, epochs=12, batch_size=40)
    stopped = runs.stopped(monitor, patience)
    for seed in range(3):
        keras.utils.set_random_seed(seed)
        model = build()
        callback = keras.callbacks.EarlyStopping(
            monitor, patience=patience, restore_best_weights=True
        )
        history = model.fit(
            *DATA.train,
            validation_data=DATA.validation,
            epochs=12,
            batch_size=40,
            verbose=0,
            callbacks=[callback],
        )
        mine = stopped.query("seed == @seed")
        ran = len(history.epoch)
        assert mine["stopped_epoch"].fillna(12).eq(ran).all()
        assert mine["best_epoch"].eq(callback.best_epoch + 1).all()
        kept = model.evaluate(*DATA.validation, verbose=0)[0]
        value = mine.query("metric == 'val_loss'")["value"].item()
        assert value == pytest.approx(kept, abs=1e-4)


def test_stopping_needs_a_metric_that_is_there(runs):
    with pytest.raises(
        ValueError, match="monitor is 'val_auc'; the history has 'loss'"
    ):
        runs.stopped("val_auc")


# ---------------------------------------------------------------------------- readings


def test_readings_are_what_the_instruments_read_from_the_replica():
    build = partial(
        network,
        lambda: layers.Dense(6, activation="relu"),
        layers.BatchNormalization,
        lambda: layers.Dropout(0.5),
    )
    runs = run(build, seeds=2, epochs=2, record=("gradients", "activations", "updates"))
    readings = runs.readings
    assert list(readings) == ["seed", "epoch", "layer", "metric", "value"]
    assert sorted(readings["epoch"].unique()) == [0, 1, 2]
    assert readings.query("metric == 'update_ratio'")["epoch"].min() == 1
    model = runs.model(1)
    expected = pd.concat(
        [
            instruments.gradient_norms(model, *DATA.train),
            instruments.activation_statistics(model, DATA.train[0]),
        ]
    )
    mine = readings.query("seed == 1 and epoch == 2")
    both = expected.merge(mine, on=["layer", "metric"], suffixes=("", "_engine"))
    assert len(both) == len(expected) >= 6
    np.testing.assert_allclose(
        both["value_engine"], both["value"], rtol=1e-4, atol=1e-6
    )


def test_the_update_is_that_of_the_last_step():
    build = partial(network, optimizer=lambda: optimizers.SGD(0.1))
    runs = run(build, seeds=1, epochs=1, batch_size=20, record="updates")
    keras.utils.set_random_seed(0)
    model = build()
    order = example_order(0, 1, 40)
    model.train_on_batch(X[order[:20]], Y[order[:20]])
    before = [w.numpy() for w in model.trainable_variables]
    model.train_on_batch(X[order[20:]], Y[order[20:]])
    expected = instruments.update_ratios(model, before)
    np.testing.assert_allclose(runs.readings["value"], expected["value"], rtol=1e-4)


def test_reading_changes_nothing():
    plain, read = run(DROPOUT), run(DROPOUT, record=("gradients", "updates"))
    np.testing.assert_allclose(last(read), last(plain), rtol=1e-5)


# -------------------------------------------------------------- what does not vectorize


def test_what_cannot_be_vectorized_runs_the_same_with_one_warning():
    class Rank(layers.Layer):
        """Sorts, for which pfor has no rule."""

        def call(self, x):
            return (
                x
                + 0.1
                * tf.cast(
                    tf.math.in_top_k(tf.zeros((tf.shape(x)[0],), tf.int32), x, k=2),
                    x.dtype,
                )[:, None]
            )

    build = partial(
        network, lambda: layers.Dense(4), Rank, optimizer=lambda: optimizers.SGD(0.1)
    )
    with pytest.warns(UserWarning, match=r"InTopKV2 in '.*rank.*' cannot") as caught:
        runs = run(build, seeds=[4, 5], epochs=3, batch_size=40)
    assert len(caught) == 1
    keras.utils.set_random_seed(5)
    history = (
        build()
        .fit(*DATA.train, epochs=3, batch_size=40, shuffle=False, verbose=0)
        .history
    )
    mine = runs.history.query("seed == 5 and metric == 'loss'")["value"]
    np.testing.assert_allclose(mine, history["loss"], rtol=1e-4)


def test_a_replica_alone_does_without_xla_where_it_must():
    class Opaque(layers.Layer):
        """Leaves TensorFlow, where neither XLA nor pfor can follow."""

        def call(self, x):
            halves = tf.numpy_function(lambda a: a / 2, [x], x.dtype)
            return x + tf.stop_gradient(tf.ensure_shape(halves, x.shape))

    build = partial(network, lambda: layers.Dense(4), Opaque)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = run(build, seeds=[2], epochs=80, batch_size=10)  # enough for XLA
    with pytest.warns(UserWarning, match="cannot be vectorized"):
        together = run(build, seeds=[1, 2], epochs=80, batch_size=10)
    np.testing.assert_allclose(last(alone), last(together)[1:], rtol=1e-4)


def test_masked_recurrent_layers_run_one_replica_after_the_other():
    def build():
        model = keras.Sequential(
            [
                keras.Input((4,), dtype="int32"),
                layers.Embedding(7, 3, mask_zero=True),
                layers.GRU(3),
                layers.Dense(3, activation="softmax"),
            ]
        )
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    tokens = _random.integers(0, 7, (40, 4))
    data = SimpleNamespace(train=(tokens, Y[:40]))
    with pytest.warns(UserWarning, match="cannot be vectorized"):
        runs = run(build, data, seeds=2, epochs=2, batch_size=40)
    keras.utils.set_random_seed(1)
    history = build().fit(*data.train, epochs=2, batch_size=40, verbose=0).history
    mine = runs.history.query("seed == 1")["value"]
    np.testing.assert_allclose(mine, history["loss"], rtol=1e-4)


# ------------------------------------------------------------------------ interruption


def test_interrupted_it_returns_what_was_finished(monkeypatch):
    calls = []
    original = training.Program.run

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(training.Program, "run", interrupted)
    monkeypatch.setattr(plan, "_SOON", 1)  # back in Python after each epoch
    with pytest.warns(UserWarning, match="interrupted after 2 of 6 epochs"):
        partly = run(epochs=6)
    assert partly.epochs == 2
    monkeypatch.undo()
    whole = run(epochs=6).history.query("epoch <= 2")
    np.testing.assert_allclose(partly.history["value"], whole["value"], rtol=1e-5)
    assert partly.model(0).optimizer.iterations == 2 * 5


def test_interrupted_at_once_it_stops():
    def build():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(build)


# -------------------------------------------------------------------------- executors


def test_an_executor_gives_the_same(runs):
    with ThreadPoolExecutor(2) as pool:
        elsewhere = run(epochs=6, executor=pool)
    assert elsewhere.seeds == runs.seeds
    np.testing.assert_allclose(
        elsewhere.history["value"], runs.history["value"], rtol=1e-5
    )
    pd.testing.assert_frame_equal(
        elsewhere.evaluate(*DATA.validation),
        runs.evaluate(*DATA.validation),
        rtol=1e-5,
    )


class Losing:
    """An executor that loses the workers of some of its calls."""

    _max_workers = 2

    def __init__(self, lost):
        self.lost, self.calls = lost, 0

    def submit(self, function, *arguments):
        future = Future()
        if self.calls in self.lost:
            future.set_exception(BrokenProcessPool("a child process terminated"))
        else:
            future.set_result(function(*arguments))
        self.calls += 1
        return future


def test_a_block_lost_for_good_is_named_and_the_rest_kept(runs):
    with pytest.warns(UserWarning, match=r"lost the block of seeds 2 .*BrokenProc"):
        partly = run(epochs=6, executor=Losing({1, 2, 3}))
    assert partly.seeds == [0, 1]
    np.testing.assert_allclose(last(partly), last(runs)[:2], rtol=1e-5)


def test_a_block_lost_twice_is_trained_at_the_third_attempt(runs):
    with pytest.warns(UserWarning, match="attempt [23] of 3") as said:
        whole = run(epochs=6, executor=Losing({1, 2}))
    assert len(said) == 2
    np.testing.assert_allclose(last(whole), last(runs), rtol=1e-5)


def test_all_workers_lost_is_an_error():
    error = pytest.raises(RuntimeError, match="no block of replicas was finished; lost")
    with pytest.warns(UserWarning, match="trained again"), error:
        run(executor=Losing(range(6)))


# -------------------------------------------------------------------------- progress


def test_progress_shows_and_can_be_turned_off(capfd):
    run(epochs=2, progress=True)
    assert "2/2" in capfd.readouterr().err
    run(epochs=2)
    assert "2/2" not in capfd.readouterr().err


# ----------------------------------------------------------------------------- errors


def uncompiled():
    return keras.Sequential([keras.Input((5,)), layers.Dense(3)])


def by_chance():
    return network(partial(layers.Dense, int(np.random.randint(2, 99))))


class OwnStep(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data)


def own_step():
    model = OwnStep([keras.Input((5,)), layers.Dense(3)])
    model.compile("sgd", "mse")
    return model


def binary():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    return model


def pair(x, y):
    return SimpleNamespace(train=(x, y))


WITH_NAN = X.copy()
WITH_NAN[3, 2] = np.nan
BAD = {
    "no model": ({"build": lambda: 3}, TypeError, "must return a compiled Keras"),
    "none": ({"build": lambda: None}, TypeError, "not None"),
    "uncompiled": ({"build": uncompiled}, ValueError, "not compiled"),
    "shapes": ({"build": by_chance}, ValueError, "for seeds 0 and 1"),
    "train_step": ({"build": own_step}, ValueError, "a train_step of its own"),
    "accumulation": (
        {
            "build": partial(
                network,
                optimizer=lambda: optimizers.SGD(gradient_accumulation_steps=2),
            )
        },
        ValueError,
        "gradient_accumulation_steps",
    ),
    "no seeds": ({"seeds": []}, ValueError, "seeds is empty"),
    "zero seeds": ({"seeds": 0}, ValueError, "seeds is 0"),
    "twice": ({"seeds": [1, 2, 1]}, ValueError, "seeds has 1 more than once"),
    "negative": ({"seeds": [-1]}, ValueError, "seeds has -1"),
    "fraction": ({"seeds": [0.5]}, TypeError, "seeds has 0.5"),
    "text": ({"seeds": "ab"}, TypeError, "seeds has 'a'"),
    "object": ({"seeds": 1.5}, TypeError, "not 1.5"),
    "epochs": ({"epochs": 0}, ValueError, "epochs is 0"),
    "half epochs": ({"epochs": 1.5}, TypeError, "epochs must be a whole number"),
    "batch": ({"batch_size": 0}, ValueError, "batch_size is 0"),
    "large batch": ({"batch_size": 41}, ValueError, "only 40 training examples"),
    "record": ({"record": "weights"}, ValueError, "record has 'weights'; known are"),
    "jit": ({"jit_compile": "yes"}, ValueError, "jit_compile is 'yes'"),
    "executor": ({"executor": 3}, TypeError, "with a method submit"),
    "no data": ({"data": None}, TypeError, "data.train"),
    "not a pair": ({"data": pair(X, Y).train}, TypeError, "data.train"),
    "lengths": ({"data": pair(X, Y[:9])}, ValueError, "lengths: 60 and 9"),
    "empty": ({"data": pair(X[:0], Y[:0])}, ValueError, "no examples"),
    "nan": ({"data": pair(WITH_NAN, Y)}, ValueError, "training inputs have NaN"),
    "nan labels": (
        {"data": pair(X, np.where(Y, np.nan, 0.0))},
        ValueError,
        "training labels have NaN",
    ),
    "strings": ({"data": pair(X, Y.astype(str))}, TypeError, "must be numbers"),
    "labels": ({"data": pair(X, Y + 1)}, ValueError, "whole numbers from 0 to 2"),
    "negative labels": ({"data": pair(X, Y - 1)}, ValueError, "run from -1 to 1"),
    "binary labels": (
        {"data": pair(X, Y), "build": binary},
        ValueError,
        "binary_crossentropy takes labels from 0 to 1",
    ),
    "two weights": (
        {"class_weight": {0: 1.0}, "sample_weight": np.ones(40)},
        ValueError,
        "not both",
    ),
    "class weights": ({"class_weight": [1, 2]}, TypeError, "must be a dict"),
    "weights": ({"sample_weight": np.ones(3)}, ValueError, "each of the 40"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_answered_before_training_by_one_sentence(name, monkeypatch):
    arguments, error, message = BAD[name]
    trained = []
    monkeypatch.setattr(training.Program, "run", lambda *_: trained.append(1))
    with pytest.raises(error, match=message) as caught:
        run(**arguments)
    assert not trained
    text = str(caught.value)
    assert "\n" not in text
    assert text.rstrip().endswith(".")


def test_a_seed_that_was_not_trained(runs):
    with pytest.raises(KeyError, match="no replica of seed 9"):
        runs.model(9)


def test_draws_of_another_thread_do_not_change_the_start():
    def disturbed():
        random.random()  # as another thread would, between the seed and the draws
        return network()

    def start(build):
        keras.utils.set_random_seed(0)
        return starts.build_model(build, 0).get_weights()

    for one, other in zip(start(disturbed), start(network), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_build_that_sets_its_own_seed_starts_as_the_reader_s_does():
    def build():
        keras.utils.set_random_seed(7)
        return network()

    alone = build().get_weights()
    for one, other in zip(
        starts.build_model(build, 0).get_weights(), alone, strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("own_draws", "calls"), [(False, 2), (True, 5)])
def test_a_build_is_called_no_more_than_it_must(own_draws, calls):
    called = []

    def build():
        called.append(True)
        model = network()
        if own_draws:
            model.layers[0].bias.assign(np.random.normal(size=model.layers[0].units))
        return model

    runs = replicate(build, DATA, seeds=5, epochs=1, progress=False)
    assert len(called) == calls
    assert runs.history["seed"].nunique() == 5
