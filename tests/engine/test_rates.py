"""Rates that change: callbacks between epochs, and schedules that share a graph."""

import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import callbacks, optimizers

from nnperf_utils.comparison import compare
from nnperf_utils.engine import groups
from nnperf_utils.engine.work import Cell, Work
from nnperf_utils.replicas import replicate, train

_random = np.random.default_rng(0)
X = _random.normal(size=(48, 6)).astype("float32")
Y = _random.integers(0, 3, 48)
DATA = SimpleNamespace(train=(X[:32], Y[:32]), validation=(X[32:], Y[32:]))
EPOCHS = 12


def network(learning_rate=0.3, optimizer=optimizers.SGD):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5, activation="tanh"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        optimizer(learning_rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def cosine(learning_rate=0.3):
    def rate(epoch):
        return learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / EPOCHS))

    return callbacks.LearningRateScheduler(rate)


def plateau(monitor="val_loss", **options):
    return callbacks.ReduceLROnPlateau(monitor, factor=0.3, patience=1, **options)


CALLBACKS = {
    "scheduler": cosine,
    "scheduler that takes the rate": lambda: callbacks.LearningRateScheduler(
        lambda epoch, rate: rate * 0.8
    ),
    "plateau": plateau,
    "plateau of the accuracy": lambda: plateau("val_accuracy", cooldown=1),
}


@pytest.mark.parametrize("name", CALLBACKS)
@pytest.mark.parametrize("optimizer", [optimizers.SGD, optimizers.Adam])
def test_a_callback_sets_the_rate_as_in_fit(name, optimizer):
    def build():
        return network(0.3, optimizer)

    runs = replicate(
        build,
        DATA,
        seeds=2,
        epochs=EPOCHS,
        batch_size=32,
        callback=CALLBACKS[name],
        progress=False,
    )
    rates = set()
    for seed in runs.seeds:
        keras.utils.set_random_seed(seed)
        model = build()
        history = model.fit(
            *DATA.train,
            validation_data=DATA.validation,
            batch_size=32,
            epochs=EPOCHS,
            shuffle=False,
            verbose=0,
            callbacks=[CALLBACKS[name]()],
        ).history
        own = runs.history.query("seed == @seed")
        own = own.pivot(index="epoch", columns="metric", values="value")
        assert set(own) == set(history)
        for metric, values in history.items():
            np.testing.assert_allclose(own[metric], values, rtol=1e-4, atol=1e-5)
        rates.update(np.round(own["learning_rate"], 6))
    assert len(rates) > 1  # it acted


def test_each_replica_has_its_own_plateaus():
    runs = replicate(
        network,
        DATA,
        seeds=6,
        epochs=EPOCHS,
        callback=plateau,
        progress=False,
    )
    rates = runs.history.query("metric == 'learning_rate'")
    last = rates[rates["epoch"] == EPOCHS]["value"]
    assert last.nunique() > 1


def compared(**options):
    return compare(
        {"constant": network, "cosine": network, "plateau": network},
        DATA,
        seeds=2,
        epochs=EPOCHS,
        grid={"learning_rate": [0.1, 0.3, 1.0]},
        callbacks={"cosine": cosine, "plateau": plateau},
        progress=False,
        **options,
    )


def test_schedules_are_compared_at_all_peaks_in_one_graph(monkeypatch):
    counted = []
    original = groups.grouped
    monkeypatch.setattr(
        groups,
        "grouped",
        lambda *given: counted.append(original(*given)) or counted[-1],
    )
    result = compared(choose=False)
    assert [len(found) for found in counted] == [1]
    rates = result.history.query("metric == 'learning_rate' and variant == 'cosine'")
    at = rates.query("epoch == 7").groupby("learning_rate")["value"].first()
    np.testing.assert_allclose(at, 0.5 * at.index, rtol=1e-6)  # half the way
    first = rates.query("epoch == 1").groupby("learning_rate")["value"].first()
    np.testing.assert_allclose(first, first.index, rtol=1e-6)
    assert all(len(set(runs.updates())) == 1 for runs, _ in result._members.values())
    checks = result.checks.set_index(["check", "variant"])["outcome"]
    acted = checks["callback changes the learning rate"]
    assert dict(acted) == {"cosine": "passed", "plateau": "passed"}


def test_a_schedules_peak_is_tuned():
    with pytest.warns(UserWarning, match="widen the grid"):
        result = compare(
            {"constant": network, "cosine": network},
            DATA,
            seeds=2,
            tuning_seeds=2,
            epochs=EPOCHS,
            learning_rates=[0.001, 0.3],
            callbacks={"cosine": cosine},
            progress=False,
        )
    assert result.chosen["cosine"] == {"learning_rate": 0.3}
    rates = result.history.query("metric == 'learning_rate' and variant == 'cosine'")
    assert rates["value"].max() == pytest.approx(0.3)


def test_a_callback_that_never_acts_is_warned_of():
    with pytest.warns(UserWarning, match="callback changes the learning rate"):
        compare(
            {"constant": network, "plateau": network},
            DATA,
            seeds=2,
            epochs=3,
            callbacks={"plateau": lambda: callbacks.ReduceLROnPlateau(patience=9)},
            progress=False,
        )


def test_acting_at_one_rate_of_a_grid_is_acting(recwarn):
    def from_the_start(learning_rate):  # at one of the two rates alone
        return callbacks.LearningRateScheduler(
            lambda _: learning_rate * (0.5 if learning_rate > 0.2 else 1)
        )

    def late(learning_rate):
        return callbacks.LearningRateScheduler(
            lambda epoch: learning_rate / (1 + (epoch > 3 and learning_rate > 0.2))
        )

    result = compare(
        {"constant": network, "half": network, "late": network},
        DATA,
        seeds=2,
        epochs=6,
        grid={"learning_rate": [0.1, 0.3]},
        choose=False,
        callbacks={"half": from_the_start, "late": late},
        progress=False,
    )
    found = result.checks.set_index(["check", "variant"])["outcome"]
    assert found["variant changes training", "half"] == "passed"
    assert found["callback changes the learning rate", "late"] == "passed"
    assert found["callback changes the learning rate", "half"] == "failed"
    assert len([w for w in recwarn if "check failed" in str(w.message)]) == 1


def test_a_number_of_the_callback_is_a_number_of_the_grid():
    def waiting(patience):
        return callbacks.ReduceLROnPlateau(factor=0.5, patience=patience)

    result = compare(
        {"plateau": network},
        DATA,
        seeds=3,
        epochs=EPOCHS,
        grid={"patience": [1, 100]},
        choose=False,
        callbacks={"plateau": waiting},
        progress=False,
    )
    rates = result.by_arm("learning_rate", diverged=0.0)
    assert (rates["plateau, patience=100"] == np.float32(0.3)).all()
    assert (rates["plateau, patience=1"] < 0.3).any()


# ------------------------------------------------------- schedules in the optimizer


def scheduled(peak, start=0.0, warmup=0, end=0.0, steps=20):
    return network(
        optimizers.schedules.CosineDecay(
            start, steps, alpha=end, warmup_target=peak, warmup_steps=warmup
        )
    )


SHAPES = {
    "cosine": {"warmup": 0, "steps": 24},
    "constant after a warm-up": {"warmup": 8, "end": 1.0},
    "one-cycle": {"start": 0.01, "warmup": 9, "end": 0.001, "steps": 15},
}


def test_shapes_and_peaks_of_a_schedule_share_a_graph_and_train_as_with_fit():
    points = [(shape, peak) for shape in SHAPES for peak in (0.1, 0.5)]
    builds = {p: lambda p=p: scheduled(p[1], **SHAPES[p[0]]) for p in points}
    cells = [
        Cell(f"{shape}, {peak}", seed, builds[shape, peak])
        for shape, peak in points
        for seed in (0, 1)
    ]
    how = {"epochs": 24, "batch_size": 32}
    assert len(groups.grouped(cells, Work.checked(DATA, **how))) == 1
    runs = train(cells, DATA, progress=False, **how)
    for shape, peak in points:
        keras.utils.set_random_seed(1)
        model = builds[shape, peak]()
        model.fit(*DATA.train, batch_size=32, epochs=24, shuffle=False, verbose=0)
        own = runs.model(1, f"{shape}, {peak}")
        for mine, reference in zip(own.weights, model.weights, strict=True):
            np.testing.assert_allclose(mine.numpy(), reference.numpy(), atol=1e-4)


# ------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("made", "error", "said"),
    [
        (callbacks.EarlyStopping, TypeError, "gives a EarlyStopping; expected"),
        (lambda: None, TypeError, "gives a NoneType; expected"),
    ],
)
def test_only_what_sets_the_rate_is_taken(made, error, said):
    with pytest.raises(error, match=said):
        replicate(network, DATA, seeds=1, epochs=2, callback=made)


def test_a_schedule_and_a_callback_do_not_go_together():
    def build():
        return scheduled(0.1)

    with pytest.raises(ValueError, match="has a learning-rate schedule, so its"):
        replicate(build, DATA, seeds=1, epochs=2, callback=cosine)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ([cosine], TypeError, "callbacks must be a dictionary"),
        ({"c": cosine}, ValueError, "callbacks has 'c'; the variants are a, b"),
        ({"b": cosine()}, TypeError, r"callbacks\['b'\] is of type Learning"),
    ],
)
def test_callbacks_that_do_not_fit_are_named_before_training(given, error, said):
    with pytest.raises(error, match=said):
        compare({"a": network, "b": network}, DATA, epochs=2, callbacks=given)
