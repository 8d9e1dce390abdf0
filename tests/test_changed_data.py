"""Data sets changed on purpose, by cases whose answers are known."""

from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nnperf_utils import changed_data as changed
from nnperf_utils import datasets


@pytest.fixture(scope="module")
def pool():
    x = np.arange(100, dtype=float)[:, None] * np.ones((1, 4))
    y = np.arange(100) % 5
    part = x[:60], y[:60]
    return datasets.Dataset(
        name="numbers",
        train=part,
        validation=(x[60:80], y[60:80]),
        test=(x[80:], y[80:]),
        task="multiclass",
        class_names=tuple("abcde"),
    )


def numbers(part):
    return part[0][:, 0].astype(int)


def test_center_is_where_the_energy_is():
    signals = np.zeros((3, 5))
    signals[0, 0], signals[1, 4] = 2, -3
    signals[2, [0, 4]] = 1
    assert changed.center(signals) == pytest.approx([0, 1, 0.5])


def test_draws_of_a_split_share_validation_and_test(pool):
    few, many = (changed.draw(pool, 3, n, parts=(10, 20)) for n in (5, 40))
    for part in ("validation", "test"):
        assert np.array_equal(getattr(few, part)[0], getattr(many, part)[0])
    assert np.array_equal(numbers(few.train), numbers(many.train)[:5])
    every = np.concatenate(
        [numbers(part) for part in (many.train, many.validation, many.test)]
    )
    assert len(set(every)) == 70
    assert np.array_equal(numbers(few.train) % 5, few.train[1])


def test_draw_keeps_to_a_part_of_the_pool(pool):
    low = np.arange(100) < 50
    drawn = changed.draw(
        pool, 0, 12, parts=(10, 20), among=low, validate=low, judge=~low, further=2
    )
    assert numbers(drawn.validation).max() < 50 <= numbers(drawn.test).min()
    assert np.sum(numbers(drawn.train) >= 50) == 2
    assert len(drawn.train[1]) == 12


def test_draw_says_what_is_missing(pool):
    with pytest.raises(ValueError, match="the training part wants 80 rows, but"):
        changed.draw(pool, 0, 80, parts=(10, 20))


def test_repeated_keeps_the_shares(pool):
    rows = numbers(changed.repeated(pool, 180).train)
    assert np.array_equal(np.unique(rows, return_counts=True)[1], np.full(60, 3))
    with pytest.raises(ValueError, match="has 60 already"):
        changed.repeated(pool, 10)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 1])
def test_mislabelled_changes_so_many_labels(pool, share):
    wrong = changed.mislabelled(pool, share).train[1]
    assert np.sum(wrong != pool.train[1]) == round(60 * share)
    assert set(wrong) <= set(range(5))


def test_frequencies_do_not_change_along_a_circle():
    x = np.random.default_rng(0).normal(size=(2, 8))
    x[1] = np.roll(x[0], 3)
    part = x, np.array([0, 1])
    data = datasets.Dataset("signals", part, part, part, "multiclass")
    wide = changed.with_frequencies(data).train[0]
    assert wide.shape == (2, 13)
    assert wide[0, 8:] == pytest.approx(wide[1, 8:], abs=1e-6)
    assert np.array_equal(wide[:, :8], x.astype(np.float32))


def test_standardized_by_the_training_part(pool):
    scaled = changed.standardized(pool)
    assert scaled.train[0].mean() == pytest.approx(0, abs=1e-6)
    assert scaled.train[0].std() == pytest.approx(1, rel=1e-5)
    assert scaled.test[0].min() > 1


def test_copies_are_changed_each_anew():
    digits = datasets.load_digits()
    cut = replace(digits, train=(digits.train[0][:3], digits.train[1][:3]))
    turned = changed.augmented([cut, cut], keras.layers.RandomRotation(0.1, seed=1), 4)
    x, y = turned[0].train
    assert x.shape == (12, 8, 8, 1)
    assert np.array_equal(y, np.repeat(cut.train[1], 4))
    assert len(np.unique(x.reshape(12, -1), axis=0)) == 12
    assert not np.array_equal(x, turned[1].train[0])
    plain = changed.augmented([cut], None, 4)[0]
    assert np.array_equal(plain.train[0][3:6], cut.train[0])


def test_a_flip_makes_images_and_their_mirrors():
    x = datasets.load_digits().train[0][:50]
    flipped = changed.transformed_images(x, keras.layers.RandomFlip("horizontal"))
    as_is = np.array([np.array_equal(a, b) for a, b in zip(x, flipped, strict=True)])
    mirrored = [np.array_equal(a[:, ::-1], b) for a, b in zip(x, flipped, strict=True)]
    assert (as_is | mirrored).all()
    assert 10 < as_is.sum() < 40


def test_best_strengths_and_gains():
    scores = pd.DataFrame(
        {
            "as they are": [0.5, 0.6] * 5,
            "shift 1": [0.6, 0.6] * 5,
            "shift 2": [0.7, 0.8] * 5,
            "flip both": [0.4, 0.4] * 5,
        },
        pd.RangeIndex(10, name="split"),
    )
    chosen = changed.best_strengths(scores.mean())
    assert chosen == {"shift": "shift 2", "flip": "flip both"}
    gains = changed.gains(scores, chosen)
    assert gains["shift"].tolist() == pytest.approx([0.2, 0.2] * 5)
    assert gains["flip"].tolist() == pytest.approx([-0.1, -0.2] * 5)
    effects = changed.augmentation_effects({"as it is": gains}, "d", "more_")
    assert list(effects) == ["more_shift_d", "more_flip_d"]
    shown = changed.augmentation_marks({"x": {"as it is": gains, "transformed": gains}})
    assert isinstance(shown[0].figure, Figure)


def history(rows):
    """Make a history of (data, split, metric, values by epoch)."""
    return pd.DataFrame(
        [
            (data, split, "network", split, epoch, metric, value)
            for data, split, metric, values in rows
            for epoch, value in enumerate(values, 1)
        ],
        columns=["data", "split", "variant", "seed", "epoch", "metric", "value"],
    )


def test_the_best_epoch_is_that_of_the_validation_part():
    frame = history(
        [
            ("a", 0, "val_mae", [3, 1, 2]),
            ("a", 0, "test_mae", [5, 6, 4]),
            ("a", 1, "val_mae", [1, 1, 2]),
            ("a", 1, "test_mae", [7, 8, 9]),
        ]
    )
    lowest = changed.at_best_epoch(frame, "mae", lowest=True)
    assert lowest["epoch"].tolist() == [2, 1]
    assert lowest["test"].tolist() == [6, 7]
    assert changed.at_best_epoch(frame, "mae")["validation"].tolist() == [3, 2]


def test_rows_left_are_read_off_between_two_points():
    curve = pd.DataFrame([[0.2, 0.4, 0.6], [0.2, 0.1, 0.6]], columns=[100, 200, 400])
    left = changed.rows_left(curve, pd.Series([0.5, 0.7]))
    assert left[0] == pytest.approx(200 * np.sqrt(2))
    assert left[1] == pytest.approx(400)
    assert changed.rows_left(curve, pd.Series([0.1, 0.4]))[0] == pytest.approx(100)
    # the dip of the second row counts as no rise
    middle = changed.rows_left(curve, pd.Series([0.4, 0.4]))
    assert middle[1] == pytest.approx(200 * np.sqrt(2))


def test_a_gain_in_rows():
    curve = pd.Series([0.5, 0.6], index=[100, 200])
    assert changed.gain_rows(curve, 0.1) == pytest.approx(200)
    assert changed.gain_rows(curve, 0.2) == pytest.approx(600)
    assert changed.gain_rows(pd.Series([0.5, 0.5], index=[100, 200])) == np.inf


def test_epochs_to_match():
    plain = history(
        [("a", 0, "val_accuracy", [0.1, 0.4, 0.2]), ("a", 1, "val_accuracy", [0, 0, 1])]
    )
    other = history(
        [("a", 0, "val_accuracy", [0.5, 0, 0]), ("a", 1, "val_accuracy", [0, 0, 0])]
    )
    assert changed.epochs_to_match(plain, other).tolist() == [1 / 2, 4 / 3]


def test_best_arm_and_feature_effects():
    rows = [("a", 0, "val_accuracy", [0.2, 0.3]), ("a", 0, "test_accuracy", [0.1, 0.2])]
    slow = history(rows).assign(learning_rate=0.1)
    fast = history([(d, s, m, np.add(v, 0.2)) for d, s, m, v in rows])
    both = pd.concat([slow, fast.assign(learning_rate=0.2)])
    best = changed.best_arm(both)
    assert best["value"].tolist() == fast["value"].tolist()
    runs = {
        (8, "plain"): slow.drop(columns="learning_rate"),
        (8, "with features"): best,
    }
    effects = changed.feature_effects(runs, {"small": 8}, {"few": "a"})
    assert effects["small_few"].tolist() == pytest.approx([0.2])
    assert effects["speed_small"].tolist() == [0.5]


def test_pictures_are_drawn():
    curve = pd.DataFrame([[0.2, 0.4, 0.6]] * 3, columns=[100, 200, 400])
    wrong = {0.1: pd.Series([0.5] * 3)}
    ax = changed.curve_backwards(curve, wrong, {0.1: 282.8})
    assert any("10% wrong\n= 29% fewer rows" in text.get_text() for text in ax.texts)
    x = datasets.load_digits().train[0][:2]
    noise = keras.layers.GaussianNoise(0.1)
    grid = changed.copies_picture({"d": (x, [("as it is", None), ("noise", noise)])})
    assert grid.shape == (2, 2)
    table = pd.DataFrame({"validation": [1.0, 2], "test": [2.0, 3]}, ["a", "b"])
    assert len(changed.promises({"one": table, "two": table})) == 2


def test_of_kinds_keeps_the_first():
    layers = dict.fromkeys(["as they are", "shift 1", "flip both", "shift 2"])
    kept = changed.of_kinds(layers, "shift")
    assert list(kept) == ["as they are", "shift 1", "shift 2"]


class Trained:
    """A comparison of networks that know nothing but the brightest pixel."""

    def scores(self, metric):
        values = {"as they are": 0.5, "noise 0.1": 0.6, "noise 0.2": 0.7}
        return pd.DataFrame(
            [
                (name, split, value)
                for name, value in values.items()
                for split in range(2)
            ],
            columns=["data", "split", "value"],
        )

    def networks(self, variant, data):
        for split in range(2):
            sign = -1 if data == "as they are" else 1
            yield split, lambda x, training, sign=sign: sign * x[..., 0, 0]


def test_augmentation_gains_of_the_chosen_strength():
    x = np.eye(4)[:, :, None, None]
    part = x, np.arange(4)
    splits = [datasets.Dataset("d", part, part, part, "multiclass")] * 2
    layers = {
        "as they are": None,
        "noise 0.1": keras.layers.GaussianNoise(0.1),
        "noise 0.2": keras.layers.GaussianNoise(1e-6),
    }
    found = changed.augmentation_gains(Trained(), splits, layers)
    assert found["as it is"]["noise"].tolist() == pytest.approx([0.2, 0.2])
    assert found["transformed"]["noise"].tolist() == [1, 1]
