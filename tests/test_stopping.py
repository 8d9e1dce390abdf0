"""Rules that stop a training, against Keras's own callback and by hand."""

import matplotlib.pyplot as plt
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


def test_until_keeps_the_lowest_before_the_stop():
    values = [0.9, 0.8, 0.79, 0.78, 0.77, 0.1]
    assert rule(values, patience=2, min_delta=0.05) == (4, 2)
    saved = stopping.until(rule)(values, patience=2, min_delta=0.05)
    assert saved == (4, 4)
    last = stopping.until(rule, lambda seen: len(seen) - 1)
    assert last(values, patience=2, min_delta=0.05) == (4, 4)
    # of equals the first, as Keras's ModelCheckpoint
    assert stopping.until(rule)([0.5, 0.4, 0.4, 0.6], patience=5) == (4, 2)


def test_effects_are_by_metric_and_variant():
    index = pd.MultiIndex.from_product(
        [["d", "m"], [0, 1], ["a", "b"]], names=["data", "split", "variant"]
    )
    frame = pd.DataFrame({"test_loss": range(8), "test_accuracy": range(8, 16)}, index)
    found = stopping.effects(frame, "b")
    assert list(found) == ["loss_b", "accuracy_b"]
    assert found["loss_b"].to_list() == [1, 3, 5, 7]
    assert found["loss_b"].index.names == ["data", "split"]


def scores(validation, test, metric="accuracy"):
    rows = [
        {"seed": 0, "epoch": epoch, "metric": f"{part}_{metric}", "value": value}
        for part, values in (("val", validation), ("test", test))
        for epoch, value in enumerate(values, start=1)
    ]
    return pd.DataFrame(rows)


def test_choice_adds_its_lead_over_the_mean_epoch():
    higher = scores([0.7, 0.8, 0.75], [0.7, 0.72, 0.71])
    added = stopping.added_by_choice(higher, "accuracy")
    assert added[0] == pytest.approx(0.08 - 0.12 / 3)
    lower = scores([0.5, 0.3, 0.4], [0.5, 0.4, 0.4], "loss")
    assert stopping.added_by_choice(lower, "loss")[0] == pytest.approx(0.1 - 0.1 / 3)


def test_choice_among_noise_adds_what_the_best_of_many_leads_by():
    draw = np.random.default_rng(0)
    added = [
        stopping.added_by_choice(scores(*draw.normal(0, 1, (2, 20))), "accuracy")[0]
        for _ in range(300)
    ]
    assert np.mean(added) == pytest.approx(1.87, abs=0.2)  # the mean of such a maximum


def test_prices_are_means_by_kind_of_runs():
    index = pd.MultiIndex.from_product(
        [["m"], [0, 1], ["a"]], names=["data", "split", "variant"]
    )
    whole = pd.DataFrame({"stopped": [9, 9], "test_loss": [1.0, 2.0]}, index)
    early = pd.DataFrame({"stopped": [3, 5], "test_loss": [1.5, 2.1]}, index)
    table = stopping.prices({1: early, 20: whole}, whole)
    assert table["runs"].unique().tolist() == ["a, m"]
    assert table["epochs"].tolist() == [4, 9]
    assert table["lost"].tolist() == pytest.approx([0.3, 0])
    ax = stopping.price_lines(table)
    assert [text.get_text() for text in ax.texts] == ["a, m"]
    ax = stopping.price_lines(table.assign(lost=0.0))
    assert [text.get_text() for text in ax.texts] == ["near zero: a, m"]
    plt.close("all")


def test_drawing_tells_what_the_rule_does():
    values = [0.9, 0.8, 0.85, 0.81, 0.7, 0.75, 0.76, 0.6]
    ax = stopping.rule_drawing(values, rule, 2)
    told = [text.get_text() for text in ax.texts]
    assert told == ["kept", "waits", "never seen"]
    ax = stopping.rule_drawing(values[::-1], rule, 30)
    assert [text.get_text() for text in ax.texts] == ["kept", "waits"]
    plt.close("all")


def test_share_curves_agree_at_both_ends():
    one, other = (line.get_ydata() for line in stopping.share_curves().lines)
    apart = one - other
    assert abs(apart[[0, -1]]).max() < 0.01
    assert 0.2 < apart.max() < 0.21
    plt.close("all")


def test_lab_gets_a_row_for_each_run():
    rows = [
        {"variant": v, "split": s, "seed": s, "epoch": e, "metric": m, "value": s + e}
        for v in "ab"
        for s in (0, 1)
        for e in (1, 2, 3)
        for m in ("val_loss", "test_loss", "loss")
    ]
    data = stopping.lab_curves(pd.DataFrame(rows), ["b", "a"])
    assert data["networks"] == ["b", "a"]
    assert data["test"]["a"].tolist() == [[1, 2, 3], [2, 3, 4]]
