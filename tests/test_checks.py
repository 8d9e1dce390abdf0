from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from nnperf_utils import checks, datasets, models

DATA = SimpleNamespace(input_shape=(6,), output_units=1, task="binary")
X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")


def scheduled(schedule):
    return models.mlp(DATA, hidden_layers=1, units=4, learning_rate=schedule)


# ---------------------------------------------------------------------------- schedule


@pytest.mark.parametrize(
    ("schedule", "outcome"),
    [
        (keras.optimizers.schedules.CosineDecay(0.1, 100), "passed"),
        # meant for a far longer run than this one
        (keras.optimizers.schedules.CosineDecay(0.1, 100_000), "failed"),
        # steps taken for epochs: it never gets to the second rate
        (
            keras.optimizers.schedules.PiecewiseConstantDecay([500], [0.1, 0.01]),
            "failed",
        ),
        # a warm-up of three updates is change enough
        (
            keras.optimizers.schedules.CosineDecay(
                0.001, 10**9, warmup_target=0.1, warmup_steps=3
            ),
            "passed",
        ),
        (0.1, "does not apply"),
    ],
)
def test_a_schedule_must_change_the_rate_within_the_run(schedule, outcome):
    model = scheduled(schedule)
    found = checks.schedule_changes_learning_rate(model, updates=100)
    assert found.outcome == outcome
    assert int(model.optimizer.iterations) == 0


def test_the_schedules_figures_are_those_of_the_run():
    model = scheduled(keras.optimizers.schedules.CosineDecay(0.1, 100))
    found = checks.schedule_changes_learning_rate(model, updates=51)
    assert "from 0.1 to 0.05 over 51 updates" in found.detail


# ----------------------------------------------------------------------------- dropout


class AlwaysDropping(keras.layers.Dropout):
    """The mistake of calling dropout with training=True for good."""

    def call(self, inputs, training=False):
        return super().call(inputs, training=True)


class NeverDropping(keras.layers.Dropout):
    """The mistake of calling dropout with training=False for good."""

    def call(self, inputs, training=False):
        return super().call(inputs, training=False)


def sequential(*layers):
    model = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("layers", "outcome", "said"),
    [
        ([keras.layers.Dropout(0.5)], "passed", "active in training, not active in"),
        ([keras.layers.GaussianNoise(0.1)], "passed", "active in training"),
        (
            [keras.layers.BatchNormalization(), NeverDropping(0.5)],
            "failed",
            "not active in training, not active in evaluation",
        ),
        ([AlwaysDropping(0.5)], "failed", "active in training, active in evaluation"),
        ([keras.layers.BatchNormalization()], "does not apply", "at random"),
        ([keras.layers.Dropout(0.0)], "does not apply", "at random"),
    ],
)
def test_dropout_must_act_in_training_alone(layers, outcome, said):
    found = checks.dropout_only_in_training(sequential(*layers), X)
    assert found.outcome == outcome
    assert said in found.detail


def test_dropout_within_a_recurrent_layer_counts():
    data = SimpleNamespace(input_shape=(6, 1), output_units=1, task="regression")
    model = models.rnn(data, units=3)
    assert (
        checks.dropout_only_in_training(model, X[..., None]).outcome == "does not apply"
    )
    model = keras.Sequential(
        [keras.Input((6, 1)), keras.layers.LSTM(3, recurrent_dropout=0.5)]
    )
    model.compile("sgd", "mse")
    assert checks.dropout_only_in_training(model, X[..., None]).outcome == "passed"


def test_looking_for_dropout_leaves_the_moving_statistics_alone():
    model = sequential(
        keras.layers.BatchNormalization(momentum=0.5), keras.layers.Dropout(0.5)
    )
    before = model.layers[0].moving_mean.numpy()
    checks.dropout_only_in_training(model, X + 5)
    np.testing.assert_array_equal(model.layers[0].moving_mean.numpy(), before)


# ------------------------------------------------------------------------------ scaler


def leaky(scaler):
    """A data set whose scaler has seen the validation rows as well."""
    x = np.random.default_rng(1).exponential(size=(300, 3))
    y = np.arange(300) % 2
    scaled = scaler.fit_transform(x)
    honest = datasets.Dataset.from_arrays(scaled, y, scale=False)
    return SimpleNamespace(train=honest.train, scaler=scaler)


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler()])
def test_a_scaler_must_not_have_seen_other_rows(scaler):
    x = np.random.default_rng(1).exponential(size=(300, 3)) * 100 + 7
    data = datasets.Dataset.from_arrays(x, np.arange(300) % 2, scale=scaler)
    assert checks.scaler_fitted_on_training_part(data).outcome == "passed"
    assert checks.scaler_fitted_on_training_part(leaky(scaler)).outcome == "failed"


@pytest.mark.parametrize(
    ("load", "outcome"),
    [
        (datasets.load_diabetes, "passed"),
        (datasets.load_auto_mpg, "passed"),
        (datasets.load_sunspots, "passed"),
        (lambda: datasets.load_sunspots(scale_target=True), "passed"),
        (datasets.load_moons, "passed"),
        (lambda: datasets.load_diabetes(scale=False), "does not apply"),
        (datasets.load_digits, "does not apply"),
    ],
)
def test_the_courses_data_sets_are_scaled_honestly(load, outcome):
    assert checks.scaler_fitted_on_training_part(load()).outcome == outcome


# -------------------------------------------------------------------- starting weights


def built(seed, **knobs):
    keras.utils.set_random_seed(seed)
    return models.mlp(DATA, units=5, **knobs)


def test_starting_weights_must_differ_by_seed():
    first, other, again = (built(seed).trainable_variables for seed in (0, 1, 0))
    assert checks.starting_weights_differ(first, other).outcome == "passed"
    same = checks.starting_weights_differ(first, again)
    assert same.outcome == "failed"
    assert same.detail.startswith("0 of 3")


def test_an_initializer_with_a_seed_of_its_own_is_found():
    fixed = keras.initializers.GlorotUniform(seed=7)
    found = checks.starting_weights_differ(
        *(built(s, kernel_initializer=fixed).trainable_variables for s in (0, 1))
    )
    assert found.outcome == "failed"
    assert found.detail.startswith("1 of 3")  # the output's alone


def test_an_identity_is_not_drawn():
    begun = [[np.eye(3), draw] for draw in np.random.default_rng(0).normal(size=(2, 4))]
    found = checks.starting_weights_differ(*begun)
    assert found.outcome == "passed"
    assert found.detail.startswith("1 of 1")
    by_hand = np.repeat([-3.0, 0.0], 4)
    found = checks.starting_weights_differ([by_hand], [by_hand])
    assert found.outcome == "does not apply"
    only = checks.starting_weights_differ([2 * np.eye(3, 5)], [2 * np.eye(3, 5)])
    assert only.outcome == "does not apply"


# ---------------------------------------------------------------------------- clipping


def batches(count):
    return [(X, Y, None)] * count


@pytest.mark.parametrize(
    ("clipping", "fired"),
    [
        ({"clipnorm": 1e-6}, 5),
        ({"global_clipnorm": 1e-6}, 5),
        ({"clipvalue": 1e-6}, 5),
        ({"clipnorm": 1e6}, 0),
        ({"global_clipnorm": 1e6}, 0),
        ({"clipvalue": 1e6}, 0),
    ],
)
def test_clipping_is_counted(clipping, fired):
    model = models.mlp(DATA, optimizer=keras.optimizers.SGD(0.01, **clipping))
    found = checks.clipping_fires(model, batches(5))
    assert found.outcome == ("passed" if fired else "failed")
    assert f"fired in {fired} of the first 5 updates" in found.detail


def test_clipping_is_judged_by_the_gradient_of_the_loss():
    model = models.mlp(DATA, hidden_layers=0, optimizer=keras.optimizers.SGD(0.0))
    output = model.get_layer("output")
    p = output(X).numpy()[:, 0]
    gradient = np.r_[X.T @ (p - Y), (p - Y).sum()] / len(X)
    norm = float(np.linalg.norm(gradient))
    for threshold, outcome in ((0.99 * norm, "passed"), (1.01 * norm, "failed")):
        model.optimizer.global_clipnorm = threshold
        assert checks.clipping_fires(model, batches(1)).outcome == outcome


def test_an_optimizer_that_does_not_clip_is_left_out():
    found = checks.clipping_fires(models.mlp(DATA), iter(()))
    assert found.outcome == "does not apply"


# ----------------------------------------------------------------------- from histories


def history(values, seed=0):
    return pd.DataFrame(
        {
            "seed": seed,
            "epoch": range(1, len(values) + 1),
            "metric": "val_loss",
            "value": values,
        }
    )


def test_a_variant_that_changes_nothing_is_found():
    one = history([1.0, 0.5, np.nan])
    assert checks.variant_changes_training(one, one).outcome == "failed"
    other = history([1.0, 0.4, np.nan])
    assert checks.variant_changes_training(other, one).outcome == "passed"
    diverged = history([1.0, np.nan, np.nan])
    assert checks.variant_changes_training(diverged, one).outcome == "passed"


def test_all_runs_must_take_as_many_updates():
    found = checks.same_number_of_updates({"a": [50, 50], "b": [50, 40]})
    assert found["a"] == ("passed", "2 runs of 50 updates")
    assert found["b"] == ("failed", "2 runs of 40 to 50 updates")


@pytest.mark.parametrize(("kept", "outcome"), [(0.4, "passed"), (0.6, "failed")])
def test_stopping_early_must_keep_the_best_epoch(kept, outcome):
    stopped = pd.DataFrame(
        {"seed": [0], "best_epoch": [2], "metric": ["val_loss"], "value": [kept]}
    )
    found = checks.restored_best_weights(stopped, history([1, 0.4, 0.6]), "val_loss")
    assert found.outcome == outcome
