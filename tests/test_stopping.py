"""Rules that stop a training, against Keras's own callback and by hand."""

import keras
import numpy as np
import pandas as pd
import pytest

from nnperf_utils import stopping


def rule(values, patience=0, min_delta=0, start_from_epoch=0):
    best, kept, waited = None, 1, 0
    for epoch, value in enumerate(values, start=1):
        if epoch <= start_from_epoch:
            continue
        if best is None or value + min_delta < best:
            best, kept, waited = value, epoch, 0
            continue
        waited += 1
        if waited >= patience:
            break
    return epoch, kept


def small_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    return model


def test_keras_is_led_through_a_history_by_hand():
    values = [0.9, 0.8, 0.85, 0.81, 0.7, 0.75, 0.76, 0.6]
    assert stopping.by_keras(values, patience=0) == (3, 2)
    assert stopping.by_keras(values, patience=1) == (3, 2)
    assert stopping.by_keras(values, patience=2) == (4, 2)
    assert stopping.by_keras(values, patience=3) == (8, 8)
    assert stopping.by_keras(values, patience=1, start_from_epoch=3) == (6, 5)


def test_the_plain_rule_is_keras_s_on_drawn_histories():
    cases = stopping.draw_cases(300, seed=1)
    for values, settings in cases:
        assert rule(values, **settings) == stopping.by_keras(values, **settings)
    kinds = pd.DataFrame([settings for _, settings in cases])
    assert (kinds.nunique() > 1).all()
    # some stop early, some late, some not at all
    ends = {stopping.by_keras(values, **settings)[0] for values, settings in cases}
    assert min(ends) == 2 and max(ends) == 25


def test_draws_are_the_same_for_the_same_seed():
    one, other = stopping.draw_cases(3, seed=2), stopping.draw_cases(3, seed=2)
    for (values, settings), (again, same) in zip(one, other, strict=True):
        np.testing.assert_array_equal(values, again)
        assert settings == same


def history():
    rows = [
        {"variant": "a", "seed": seed, "epoch": epoch, "metric": metric, "value": value}
        for seed, losses in enumerate(([3, 2, 4, 1], [1, 2, 3, 4]))
        for metric, sign in (("val_loss", 1), ("val_accuracy", -1), ("test_loss", 10))
        for epoch, value in enumerate(np.array(losses, float) * sign, start=1)
    ]
    return pd.DataFrame(rows)


def test_apply_reads_off_what_is_kept():
    ends = stopping.apply(rule, history(), patience=1)
    assert list(ends.index.names) == ["variant", "seed"]
    assert ends["stopped"].tolist() == [3, 2]
    assert ends["kept"].tolist() == [2, 1]
    assert ends["test_loss"].tolist() == [20, 10]
    last = stopping.apply(rule, history(), patience=1, restore=False)
    assert last["test_loss"].tolist() == [40, 20]
    # an accuracy is better when it is higher
    same = stopping.apply(rule, history(), "val_accuracy", patience=1)
    assert same["kept"].tolist() == [2, 1]


def test_apply_says_which_metrics_there_are():
    with pytest.raises(ValueError, match="monitor is 'loss'; the history has 'val_"):
        stopping.apply(rule, history(), "loss")


def test_distance_is_relative_and_zero_for_the_same():
    one, other = small_model(), small_model()
    assert stopping.distance(one, other) == 0
    other.set_weights([2 * w for w in one.get_weights()])
    assert stopping.distance(one, other) == pytest.approx(0.5)
    wide = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="have 3 and 4 weights"):
        stopping.distance(one, wide)


def test_kill_ends_in_the_middle_of_its_epoch():
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(batch)
    )
    model, x = small_model(), np.zeros((8, 2))
    with pytest.raises(stopping.Killed, match="epoch 2, after batch 3"):
        model.fit(
            x,
            x[:, :1],
            batch_size=2,
            epochs=5,
            verbose=0,
            callbacks=[note, stopping.Kill(2, 3)],
        )
    assert seen == [0, 1, 2, 3, 0, 1, 2]


def test_a_hard_kill_ends_the_process(monkeypatch):
    killed = []
    monkeypatch.setattr(stopping.os, "kill", lambda *args: killed.append(args))
    callback = stopping.Kill(1, 1, hard=True)
    callback.on_epoch_begin(0)
    with pytest.raises(stopping.Killed):
        callback.on_train_batch_end(0)
    assert killed == [(stopping.os.getpid(), stopping.signal.SIGKILL)]
