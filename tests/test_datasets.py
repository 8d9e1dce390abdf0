"""`nnperf_utils.datasets`: splits, what is fitted on which rows, and bad input."""

import dataclasses
import hashlib
import os
import pickle
import random
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import (
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from nnperf_utils import datasets
from nnperf_utils.datasets import Dataset

TABLE = "load_diabetes_table"  # the one that returns a table, and no data set
LOADERS = [n for n in datasets.__all__ if n.startswith("load_") and n != TABLE]
PARTS = ("train", "validation", "test")
COLUMNS = [*datasets.DIABETES_FEATURES, datasets.DIABETES_OUTCOME]
# Small where the data are generated, so that the tests stay quick.
SMALL = {
    "load_mnist1d": {"samples": 200},
    "load_moons": {"samples": 100},
    "load_circles": {"samples": 100},
}


def load(name, **keywords):
    return getattr(datasets, name)(**{**SMALL.get(name, {}), **keywords})


def digest(data):
    arrays = [array for part in PARTS for array in getattr(data, part)]
    return hashlib.sha256(b"".join(a.tobytes() for a in [*arrays, *data.rows]))


@pytest.fixture(autouse=True)
def no_own_copy(monkeypatch):
    monkeypatch.delenv(datasets.DIABETES_VARIABLE, raising=False)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.normal(size=(100, 3)), rng.integers(0, 2, 100)


@pytest.fixture
def own_copy(tmp_path, monkeypatch):
    """Return a function that writes a table and points the variable to it."""

    def write(content, name="own.csv"):
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_csv(path, index=False)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
        monkeypatch.setenv(datasets.DIABETES_VARIABLE, str(path))
        return path

    return write


@pytest.fixture(scope="module")
def bundled():
    return pd.read_csv(Path(__file__).parents[1] / "data" / "diabetes.csv")


# ------------------------------------------------------------------------ every loader


@pytest.mark.parametrize(
    ("name", "task", "input_shape", "output_units", "sizes"),
    [
        ("load_diabetes", "binary", (8,), 1, (460, 154, 154)),
        ("load_digits", "multiclass", (8, 8, 1), 10, (1079, 359, 359)),
        ("load_fashion_mnist", "multiclass", (28, 28, 1), 10, (4000, 1000, 1000)),
        ("load_auto_mpg", "regression", (9,), 1, (236, 78, 78)),
        ("load_sunspots", "regression", (12, 1), 1, (173, 50, 50)),
        ("load_mnist1d", "multiclass", (40, 1), 10, (120, 40, 40)),
        ("load_moons", "binary", (2,), 1, (60, 20, 20)),
        ("load_circles", "binary", (2,), 1, (60, 20, 20)),
    ],
)
def test_loader_describes_what_it_returns(name, task, input_shape, output_units, sizes):
    data = load(name)
    assert data.task == task
    assert data.input_shape == input_shape
    assert data.output_units == output_units
    for part, size in zip(PARTS, sizes, strict=True):
        x, y = getattr(data, part)
        assert x.shape == (size, *input_shape)
        assert y.shape == (size,)
        assert x.dtype == np.float32
        assert y.dtype == (np.float32 if task == "regression" else np.int32)
        assert np.isfinite(x).all()
        assert np.isfinite(y).all()
        assert not x.flags.writeable
        assert not y.flags.writeable
        assert str(x.shape) in repr(data)
    if task != "regression":
        assert len(data.class_names) == max(2, output_units)
        assert set(data.train[1]) == set(range(len(data.class_names)))
        assert all(name in repr(data) for name in data.class_names)
    assert data.name in repr(data)


@pytest.mark.parametrize("name", LOADERS)
def test_the_parts_share_no_row(name):
    rows = load(name).rows
    if name == "load_fashion_mnist":
        # Its test images have a file of their own.
        assert sorted([*rows.train, *rows.validation]) == list(range(5000))
        assert sorted(rows.test) == list(range(1000))
        return
    everything = sorted(np.concatenate(rows))
    assert len(set(everything)) == len(everything)
    if name != "load_sunspots":
        assert everything == list(range(len(everything)))


@pytest.mark.parametrize("name", LOADERS)
def test_the_seed_decides_the_split(name):
    if name == "load_sunspots":
        assert digest(load(name)).digest() == digest(load(name)).digest()
        return
    first, same, other = (load(name, seed=seed) for seed in (3, 3, 4))
    assert digest(first).digest() == digest(same).digest()
    assert digest(first).digest() != digest(other).digest()


def test_another_process_gets_the_same_bytes_without_tensorflow():
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from test_datasets import *\n"
        "print(*(digest(load(name)).hexdigest() for name in LOADERS))\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == [digest(load(n)).hexdigest() for n in LOADERS]


@pytest.mark.parametrize("name", [name for name in LOADERS if name != "load_sunspots"])
def test_the_scaler_saw_the_training_rows_alone(name):
    scaled, raw = (load(name, scale=scale) for scale in (StandardScaler(), False))
    width = raw.input_shape[-1]
    train = raw.train[0].reshape(-1, width).astype(float)
    np.testing.assert_allclose(
        scaled.scaler.mean_, train.mean(axis=0), rtol=1e-5, atol=1e-6
    )
    everything = np.concatenate(
        [getattr(raw, part)[0].reshape(-1, width) for part in PARTS]
    )
    assert not np.allclose(scaled.scaler.mean_, everything.mean(axis=0), rtol=1e-4)
    for part in PARTS:
        np.testing.assert_allclose(
            getattr(scaled, part)[0],
            (getattr(raw, part)[0] - scaled.scaler.mean_)
            / np.where(scaled.scaler.scale_ == 0, 1, scaled.scaler.scale_),
            atol=2e-4,
        )
    assert raw.scaler is None


@pytest.mark.parametrize("name", LOADERS)
def test_a_misspelt_keyword_is_named(name):
    with pytest.raises(TypeError, match="sclae"):
        load(name, sclae=True)


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), "half", True])
def test_a_fraction_outside_0_and_1_is_refused(name, fraction):
    with pytest.raises(
        (ValueError, TypeError), match="validation must be a fraction between 0 and 1"
    ):
        load(name, validation=fraction)


def test_fractions_that_leave_no_training_rows_are_refused():
    with pytest.raises(ValueError, match=r"sum to less than 1, got 0\.6 \+ 0\.4"):
        datasets.load_digits(validation=0.6, test=0.4)
    with pytest.raises(ValueError, match=r"validation=0\.0001 leaves a part"):
        datasets.load_fashion_mnist(validation=0.0001)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "0", True, None])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises((ValueError, TypeError), match="seed must be"):
        datasets.load_moons(seed=seed)


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("scale", ["minmax", MinMaxScaler, None, 2])
def test_a_bad_scale_is_refused(name, scale):
    with pytest.raises(TypeError, match="scale must be True, False or a scikit-learn"):
        load(name, scale=scale)


# -------------------------------------------------------------------------- the loaders


@pytest.mark.parametrize(
    ("name", "highest"), [("load_fashion_mnist", 255), ("load_digits", 16)]
)
def test_pixels_are_divided_by_their_range(name, highest):
    scaled, raw, rows = (
        load(name),
        load(name, scale=False),
        load(name, flatten=True),
    )
    assert raw.train[0].max() == highest
    assert scaled.train[0].min() == 0
    assert scaled.train[0].max() == 1
    np.testing.assert_allclose(scaled.test[0] * highest, raw.test[0], rtol=1e-6)
    assert rows.input_shape == (np.prod(raw.input_shape),)
    np.testing.assert_array_equal(
        rows.test[0], scaled.test[0].reshape(len(rows.test[0]), -1)
    )
    np.testing.assert_allclose(
        scaled.scaler.inverse_transform(scaled.test[0][0, :, :, 0]),
        raw.test[0][0, :, :, 0],
        atol=1e-3,
    )


def test_fashion_mnist_keeps_its_test_images_whatever_the_seed():
    first, other = (datasets.load_fashion_mnist(seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(first.test[0], other.test[0])
    assert np.bincount(first.validation[1]).tolist() == [100] * 10
    assert np.bincount(first.test[1]).tolist() == [100] * 10
    # An ankle boot is the first image of the original training file, a classic.
    everything = np.empty(5000, int)
    everything[first.rows.train] = first.train[1]
    everything[first.rows.validation] = first.validation[1]
    assert first.class_names[everything[0]] == "Ankle boot"


def test_zeros_of_the_diabetes_table_are_imputed_by_training_medians():
    raw = datasets.load_diabetes(zeros_as_missing=False, scale=False)
    imputed = datasets.load_diabetes(zeros_as_missing=True, scale=False)
    assert raw.imputer is None
    for column, name in enumerate(raw.feature_names):
        train = raw.train[0][:, column]
        if name in datasets.DIABETES_ZERO_IS_MISSING:
            median = np.float32(np.median(train[train != 0]))
            for part in PARTS:
                before = getattr(raw, part)[0][:, column]
                after = getattr(imputed, part)[0][:, column]
                np.testing.assert_array_equal(
                    after, np.where(before == 0, median, before)
                )
        else:
            np.testing.assert_array_equal(train, imputed.train[0][:, column])
    assert (raw.train[0][:, raw.feature_names.index("Insulin")] == 0).mean() > 0.4


def test_diabetes_is_stratified():
    data = datasets.load_diabetes(seed=5)
    for part in PARTS:
        share = getattr(data, part)[1].mean()
        assert share == pytest.approx(268 / 768, abs=0.005)


def test_auto_mpg_keeps_its_unit_unless_asked():
    raw, scaled = (datasets.load_auto_mpg(scale_target=s) for s in (False, True))
    assert raw.train[1].mean() == pytest.approx(23.4, abs=1)
    assert raw.target_scaler is None
    assert scaled.train[1].mean() == pytest.approx(0, abs=1e-5)
    assert scaled.train[1].std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(
        scaled.target_scaler.inverse_transform(scaled.test[1][:, None])[:, 0],
        raw.test[1],
        rtol=1e-5,
    )
    origin = [
        raw.feature_names.index(f"origin_{o}") for o in ("usa", "europe", "japan")
    ]
    one_hot = datasets.load_auto_mpg(scale=False).train[0][:, origin]
    np.testing.assert_array_equal(one_hot.sum(axis=1), 1)


def test_sunspot_windows_stay_within_their_part_and_end_before_the_target():
    series = pd.read_csv(Path(__file__).parents[1] / "data" / "sunspots.csv")
    sunspots = series["sunspots"].to_numpy(np.float32)
    window = 10
    data = datasets.load_sunspots(window=window, scale=False)
    years = {}
    for part in PARTS:
        x, y = getattr(data, part)
        targets = getattr(data.rows, part)
        np.testing.assert_array_equal(y, sunspots[targets])
        for row, target in enumerate(targets):
            np.testing.assert_array_equal(
                x[row, :, 0], sunspots[target - window : target]
            )
        years[part] = set(range(targets[0] - window, targets[-1] + 1))
    assert max(years["train"]) + 1 == min(years["validation"])
    assert max(years["validation"]) + 1 == min(years["test"])
    assert set.union(*years.values()) == set(range(309))


def test_sunspot_scalers_saw_the_training_years_alone():
    series = pd.read_csv(Path(__file__).parents[1] / "data" / "sunspots.csv")
    data = datasets.load_sunspots(scale_target=True)
    train_years = series["sunspots"][: data.rows.train[-1] + 1]
    for scaler in (data.scaler, data.target_scaler):
        assert scaler.mean_[0] == pytest.approx(train_years.mean())
        assert scaler.scale_[0] == pytest.approx(train_years.std(ddof=0))
    # Input and target in one unit: each target is the next window's last input.
    x, y = data.train
    np.testing.assert_allclose(x[1:, -1, 0], y[:-1], rtol=1e-5)


@pytest.mark.parametrize("window", [0, 62, 2.5])
def test_a_bad_window_is_refused(window):
    with pytest.raises((ValueError, TypeError), match="window must be"):
        datasets.load_sunspots(window=window)


def test_mnist1d_leaves_files_network_and_random_state_alone(tmp_path, monkeypatch):
    def no_network(*arguments, **keywords):
        raise AssertionError("mnist1d asked for the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.chdir(tmp_path)
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.random()
    random.seed(1)
    np.random.seed(1)
    datasets.load_mnist1d(samples=100)
    assert (random.random(), np.random.random()) == expected
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("samples", [0, 15, -10, 10.5])
def test_a_bad_number_of_samples_is_refused(samples):
    with pytest.raises((ValueError, TypeError), match="samples must be"):
        datasets.load_mnist1d(samples=samples)


def test_points_follow_noise_and_factor():
    exact = datasets.load_circles(noise=0, factor=0.3, scale=False)
    radius = np.linalg.norm(exact.train[0], axis=1)
    np.testing.assert_allclose(radius, np.where(exact.train[1] == 1, 0.3, 1), rtol=1e-5)
    with pytest.raises(ValueError, match="noise must be 0 or more"):
        datasets.load_moons(noise=-1)


# ------------------------------------------------------------------ a reader's own copy


def test_the_order_of_rows_and_columns_of_an_own_copy_does_not_matter(
    own_copy, bundled
):
    expected = datasets.load_diabetes()
    own_copy(bundled.sample(frac=1, random_state=1)[COLUMNS[::-1]])
    data = datasets.load_diabetes()
    for part in PARTS:
        for found, array in zip(
            getattr(data, part), getattr(expected, part), strict=True
        ):
            np.testing.assert_array_equal(found, array)


def test_rows_count_in_the_file_as_it_is(own_copy, bundled):
    shuffled = bundled.sample(frac=1, random_state=1).reset_index(drop=True)
    own_copy(shuffled)
    data = datasets.load_diabetes(scale=False, zeros_as_missing=False)
    for part in PARTS:
        rows = shuffled.iloc[getattr(data.rows, part)]
        x, y = getattr(data, part)
        np.testing.assert_array_equal(x, rows[COLUMNS[:-1]].to_numpy(np.float32))
        np.testing.assert_array_equal(y, rows["Outcome"])


def test_the_raw_table_is_the_file_in_the_order_of_the_split(own_copy, bundled):
    own_copy(bundled.assign(Age=bundled["Age"] + 1000))
    table = datasets.load_diabetes_table()
    data = datasets.load_diabetes(scale=False, zeros_as_missing=False)
    assert list(table.columns) == COLUMNS
    assert table["Age"].min() > 1000
    pd.testing.assert_frame_equal(
        table.sort_index(), bundled.assign(Age=bundled["Age"] + 1000)[COLUMNS]
    )
    np.testing.assert_array_equal(
        data.train[0],
        table.loc[data.rows.train, COLUMNS[:-1]].to_numpy(np.float32),
    )


def test_an_own_copy_is_used_and_may_have_gaps_and_more_columns(own_copy, bundled):
    table = bundled.assign(Glucose=bundled["Glucose"] + 1000.0, Patient="text")
    table.loc[:20, "BMI"] = np.nan
    own_copy(table)
    data = datasets.load_diabetes(scale=False)
    assert data.train[0][:, 1].min() >= 1000
    assert np.isfinite(data.train[0]).all()


def test_an_unset_own_copy_is_the_bundled_table(monkeypatch):
    expected = digest(datasets.load_diabetes()).digest()
    monkeypatch.setenv(datasets.DIABETES_VARIABLE, "")
    assert digest(datasets.load_diabetes()).digest() == expected


def broken(table, column, value, row=3):
    table = table.astype(object)
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda t: "", "is empty"),
        (lambda t: "   \n\n", "is empty|is not a CSV"),
        (lambda t: b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "is not a CSV file"),
        (lambda t: "Dear reader,\nthis is\na, letter, with commas\n", "is not a CSV"),
        (lambda t: ",".join(COLUMNS) + "\n", "has a header but no rows"),
        (lambda t: t.drop(columns=["BMI", "Age"]), "lacks column BMI, Age"),
        (lambda t: t.set_axis([*COLUMNS[:-1], "Age"], axis=1), "lacks column Outcome"),
        (
            lambda t: pd.concat([t, t["Age"]], axis=1),
            "has more than one column Age",
        ),
        (
            lambda t: broken(t, "Glucose", "high"),
            "must hold numbers, but column Glucose has 'high' in row 4",
        ),
        (
            lambda t: broken(t, "Glucose", "inf"),
            "must hold numbers, but column Glucose has 'inf' in row 4",
        ),
        (
            lambda t: broken(t, "Outcome", 2),
            "must have outcomes 0 and 1, but row 4 has '2'",
        ),
        (
            lambda t: broken(t, "Outcome", "yes"),
            "must hold numbers, but column Outcome has 'yes' in row 4",
        ),
        (lambda t: broken(t, "Outcome", None), "must have outcomes 0 and 1"),
        (lambda t: t.assign(Outcome=1), "must have both outcomes, but every one is 1"),
        (lambda t: t.groupby("Outcome").head(1), "2 rows are too few to split"),
        (lambda t: t.groupby("Outcome").head(2), "too few to split"),
        (
            lambda t: t.assign(Insulin=0),
            "no value in column Insulin of the training part",
        ),
    ],
)
def test_a_bad_own_copy_is_told_in_one_sentence(make, sentence, own_copy, bundled):
    own_copy(make(bundled.head(50)))
    with pytest.raises(ValueError, match=sentence) as caught:
        datasets.load_diabetes()
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setenv(datasets.DIABETES_VARIABLE, str(tmp_path / "none.csv"))
    with pytest.raises(FileNotFoundError, match=r"none.csv.*NNPERF_DIABETES_CSV"):
        datasets.load_diabetes()
    monkeypatch.setenv(datasets.DIABETES_VARIABLE, str(tmp_path))
    with pytest.raises(IsADirectoryError, match="is a folder, not a CSV file"):
        datasets.load_diabetes()


# ------------------------------------------------------------------------ from_arrays


@st.composite
def classification(draw):
    """Arrays with classes large enough to be in every part."""
    classes = draw(st.integers(2, 5))
    counts = draw(st.lists(st.integers(12, 40), min_size=classes, max_size=classes))
    y = np.repeat(np.arange(classes), counts)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.normal(scale=draw(st.sampled_from([1e-3, 1, 1e6])), size=(len(y), 3))
    # Each row can be told apart by its first feature.
    x[:, 0] = rng.permutation(len(y))
    return x, rng.permutation(y)


@settings(max_examples=40, deadline=None)
@given(
    arrays=classification(),
    validation=st.floats(0.1, 0.4),
    test=st.floats(0.1, 0.4),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_split_is_disjoint_complete_stratified_and_fitted_on_train(
    arrays, validation, test, seed
):
    x, y = arrays
    keywords = {"validation": validation, "test": test, "seed": seed}
    raw = Dataset.from_arrays(x, y, scale=False, **keywords)
    scaled = Dataset.from_arrays(x, y, **keywords)
    everything = np.concatenate(raw.rows)
    assert sorted(everything) == list(range(len(x)))
    assert len(raw.rows.validation) == round(validation * len(x))
    assert len(raw.rows.test) == round(test * len(x))
    shares = np.bincount(y) / len(y)
    for part in PARTS:
        rows = getattr(raw.rows, part)
        part_x, part_y = getattr(raw, part)
        np.testing.assert_array_equal(part_x, x[rows].astype(np.float32))
        np.testing.assert_array_equal(part_y, y[rows])
        # Whole rows only, twice rounded: within two of the exact share.
        counts = np.bincount(part_y, minlength=len(shares))
        assert np.abs(counts - shares * len(rows)).max() <= 2
    np.testing.assert_allclose(
        scaled.scaler.mean_, x[raw.rows.train].mean(axis=0), rtol=1e-6, atol=1e-12
    )
    np.testing.assert_allclose(scaled.train[0].mean(axis=0), 0, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), part=st.sampled_from(PARTS), scale=st.booleans())
def test_only_training_rows_reach_what_is_fitted(seed, part, scale):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    x[rng.random(x.shape) < 0.1] = np.nan
    keywords = {"seed": seed, "scale_target": True, "scale": RobustScaler()}
    before = Dataset.from_arrays(x, y, **keywords)
    rows = getattr(before.rows, part)
    changed_x, changed_y = x.copy(), y.copy()
    changed_x[rows] = 100 + 7 * changed_x[rows]
    changed_y[rows] = 100 + 7 * changed_y[rows]
    after = Dataset.from_arrays(changed_x, changed_y, **keywords)
    fitted = [
        (data.imputer.statistics_, data.scaler.center_, data.target_scaler.mean_)
        for data in (before, after)
    ]
    same = [np.array_equal(*pair) for pair in zip(*fitted, strict=True)]
    assert same == ([False] * 3 if part == "train" else [True] * 3)
    if part != "train":
        np.testing.assert_array_equal(before.train[0], after.train[0])


def test_missing_values_become_the_training_median(arrays):
    x, y = arrays
    x[::3, 1] = np.nan
    data = Dataset.from_arrays(x, y, scale=False)
    median = np.nanmedian(x[data.rows.train, 1])
    test = x[data.rows.test, 1]
    np.testing.assert_allclose(
        data.test[0][:, 1], np.where(np.isnan(test), median, test), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("y", "task", "names"),
    [
        ([0, 1] * 30, "binary", ("0", "1")),
        ([0.0, 1.0] * 30, "binary", ("0", "1")),
        ([True, False] * 30, "binary", ("False", "True")),
        (["no", "yes"] * 30, "binary", ("no", "yes")),
        ([3, 5, 9] * 20, "multiclass", ("3", "5", "9")),
        (list("abc") * 20, "multiclass", ("a", "b", "c")),
        (pd.Categorical(list("abc") * 20), "multiclass", ("a", "b", "c")),
        (np.linspace(0, 1, 60), "regression", ()),
        (np.random.default_rng(0).normal(size=(60, 2)), "regression", ()),
        ([[0], [1]] * 30, "binary", ("0", "1")),
    ],
)
def test_the_task_is_inferred_from_the_targets(y, task, names):
    data = Dataset.from_arrays(np.arange(60.0)[:, None], y)
    assert data.task == task
    assert data.class_names == names
    if task == "regression":
        assert data.train[1].dtype == np.float32
        assert data.output_units == (1 if np.ndim(y) == 1 else 2)
    else:
        assert data.train[1].dtype == np.int32
        assert data.train[1].ndim == 1
        values = np.unique(np.ravel(np.asarray(y)))
        labels = np.ravel(np.asarray(y))[data.rows.train]
        np.testing.assert_array_equal(values[data.train[1]], labels)


def test_the_task_can_be_given(arrays):
    x, y = arrays
    assert Dataset.from_arrays(x, y, task="regression").train[1].dtype == np.float32
    two_outputs = Dataset.from_arrays(x, y, task="multiclass")
    assert two_outputs.output_units == 2


def test_without_shuffling_the_parts_follow_one_another(arrays):
    x, y = arrays
    data = Dataset.from_arrays(x, y, shuffle=False, validation=0.3, test=0.1)
    assert np.concatenate(data.rows).tolist() == list(range(100))
    assert [len(rows) for rows in data.rows] == [60, 30, 10]


def test_a_data_frame_gives_its_names(arrays):
    frame = pd.DataFrame(arrays[0], columns=["a", "b", "c"])
    data = Dataset.from_arrays(frame, pd.Series(arrays[1], index=range(100, 200)))
    assert data.feature_names == ("a", "b", "c")
    np.testing.assert_array_equal(data.train[0], Dataset.from_arrays(*arrays).train[0])


def test_a_scaler_of_the_reader_is_cloned(arrays):
    scaler = MinMaxScaler()
    data = Dataset.from_arrays(*arrays, scale=scaler)
    assert not hasattr(scaler, "scale_")
    assert data.train[0].min() == pytest.approx(0, abs=1e-6)
    assert data.train[0].max() == pytest.approx(1, abs=1e-6)


def test_a_transformer_may_select_features_by_the_training_targets(arrays):
    data = Dataset.from_arrays(
        *arrays, scale=SelectKBest(k=2), feature_names=("a", "b", "c")
    )
    assert data.input_shape == (2,)
    assert data.feature_names == ()
    x, y = arrays
    expected = SelectKBest(k=2).fit(x[data.rows.train], y[data.rows.train])
    np.testing.assert_array_equal(data.scaler.scores_, expected.scores_)


def test_channels_are_standardized_over_all_positions():
    x = np.random.default_rng(0).normal([5, -3], [1, 9], size=(50, 7, 2))
    data = Dataset.from_arrays(x, np.arange(50) % 2)
    flat = data.train[0].reshape(-1, 2)
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(flat.std(axis=0), 1, atol=1e-5)
    with pytest.raises(ValueError, match="scale must keep the 2 features"):
        Dataset.from_arrays(x, np.arange(50) % 2, scale=PolynomialFeatures(2))


X, Y = np.arange(60.0).reshape(30, 2), np.arange(30) % 2


def with_value(array, value):
    array = np.array(array, dtype=float)
    array.flat[4] = value
    return array


@pytest.mark.parametrize(
    ("x", "y", "keywords", "sentence"),
    [
        (X, Y[:-1], {}, "x has 30 rows but y has 29"),
        (X[:, 0], Y, {}, r"x must have the shape \(rows, features, ...\)"),
        (X[:, :0], Y, {}, "x must have the shape"),
        (X[:0], Y[:0], {}, "x must have at least one row"),
        (X.astype(str), Y, {}, "x must hold numbers"),
        (pd.DataFrame({"a": ["u"] * 30}), Y, {}, "x must hold numbers, but column a"),
        ([[1, 2], [3]], [0, 1], {}, "x must have rows of equal shape"),
        (with_value(X, np.inf), Y, {}, "x must be finite"),
        (X, with_value(Y, np.nan), {}, "y must be complete"),
        (X, with_value(Y, np.inf), {}, "y must be finite"),
        (X, [None, *Y[1:]], {}, "y must be complete"),
        (X, pd.Series(["a", *Y[1:]]), {}, "either numbers or text, not both"),
        (X, np.zeros(30), {}, "y must hold at least two classes, but every label is 0"),
        (X, np.eye(3)[np.arange(30) % 3], {}, "y looks one-hot"),
        (X, np.zeros((30, 2, 2)), {}, r"y must have the shape \(rows,\)"),
        (X, np.arange(30) % 3, {"task": "binary"}, "two classes"),
        (X, Y / 4, {"task": "multiclass"}, "it holds fractions"),
        (X, ["a", "b"] * 15, {"task": "regression"}, "got text"),
        (X, Y, {"task": "clustering"}, "task must be one of binary, multiclass"),
        (X, [0] * 28 + [1] * 2, {}, "the smallest class, 1, has 2|class 1 has 2"),
        (X, np.arange(30), {}, 'pass task="regression"'),
        (X[:3], Y[:3], {}, "3 rows are too few|smallest class"),
        (X, Y, {"validation": 0.5, "test": 0.5}, "sum to less than 1"),
        (X, Y, {"test": 0}, "test must be a fraction"),
        (X, Y, {"validation": 0.01}, "30 rows are too few to split"),
        (X, np.arange(30) >= 20, {"shuffle": False}, "none in the train part"),
        (X, Y, {"shuffle": "no"}, "shuffle must be True or False"),
        (X, Y, {"scale_target": True}, "scale_target=True is for regression only"),
        (X, Y, {"feature_names": ["a"]}, "feature_names has 1 names"),
        (X, Y, {"class_names": ["a", "b", "c"]}, "class_names has 3 names"),
        (X * 1e40, Y, {"scale": False}, "x must fit in float32"),
        (X * [1, np.nan], Y, {}, "x has no value in column 1 of the training part"),
    ],
)
def test_bad_arrays_are_told_in_one_sentence(x, y, keywords, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence) as caught:
        Dataset.from_arrays(x, y, **keywords)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


# -------------------------------------------------------------------------- the object


def test_a_data_set_is_frozen():
    data = datasets.load_moons(samples=50)
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"
    with pytest.raises(ValueError, match="read-only"):
        data.train[0][0] = 1
    with pytest.raises(ValueError, match="read-only"):
        data.rows.train[0] = 1


def test_the_arrays_of_the_reader_stay_theirs(arrays):
    x, y = arrays[0].astype(np.float32), arrays[1].astype(np.int32)
    data = Dataset("own", (x, y), (x[:5], y[:5]), (x[:5], y[:5]), "binary")
    x[0] = 99
    assert data.train[0].max() < 99
    assert x.flags.writeable


def test_a_changed_copy_can_be_made():
    data = datasets.load_digits()
    x, y = data.train
    smaller = dataclasses.replace(data, train=(x[:100], y[:100]))
    assert len(smaller.train[0]) == 100
    assert len(data.train[0]) == 1079
    assert smaller.output_units == 10
    with pytest.raises(ValueError, match="train has 100 rows in x but 99 in y"):
        dataclasses.replace(data, train=(x[:100], y[:99]))
    with pytest.raises(ValueError, match="task must be one of"):
        dataclasses.replace(data, task="other")
    with pytest.raises(ValueError, match=r"examples of shape \(64,\)"):
        dataclasses.replace(data, test=(data.test[0].reshape(-1, 64), data.test[1]))


@pytest.mark.parametrize("name", LOADERS)
def test_a_data_set_travels_to_another_process(name):
    data = load(name)
    copy = pickle.loads(pickle.dumps(data))
    assert repr(copy) == repr(data)
    assert digest(copy).digest() == digest(data).digest()


def test_smaller_images_are_means_of_squares():
    large = datasets.load_fashion_mnist(scale=False)
    small = datasets.load_fashion_mnist(side=14, scale=False)
    assert small.input_shape == (14, 14, 1)
    np.testing.assert_array_equal(small.train[1], large.train[1])
    square = large.train[0][:, 6:8, 10:12, 0]
    np.testing.assert_allclose(small.train[0][:, 3, 5, 0], square.mean(axis=(1, 2)))
    flat = datasets.load_fashion_mnist(side=7, flatten=True)
    assert flat.input_shape == (49,)
    assert flat.train[0].max() <= 1


@pytest.mark.parametrize("side", [0, 12, 14.5, "14", None])
def test_a_side_that_is_no_divisor(side):
    with pytest.raises(ValueError, match="side must be 28, 14 or 7"):
        datasets.load_fashion_mnist(side=side)


# --------------------------------------------------------------------- prepared splits


def test_prepared_splits_are_the_splitters_prepared_by_their_training_part(arrays):
    x, y = arrays
    x[::7, 1] = np.nan
    cut = StratifiedKFold(4, shuffle=True, random_state=0)
    splits = datasets.prepared_splits(x, y, cut, test=(x[:10], y[:10]))
    for data, (train, validation) in zip(splits, cut.split(x, y), strict=True):
        filled = np.where(np.isnan(x), np.nanmedian(x[train], axis=0), x)
        scaled = (filled - filled[train].mean(axis=0)) / filled[train].std(axis=0)
        parts = (data.train, train), (data.validation, validation)
        for (inputs, labels), rows in (*parts, (data.test, slice(10))):
            assert np.allclose(inputs, scaled[rows], atol=1e-5)
            assert np.array_equal(labels, y[rows])


def test_prepared_splits_without_a_test_part_have_none(arrays):
    x, y = arrays
    [data, _] = datasets.prepared_splits(x, y * 10, KFold(2), scale=False)
    assert data.test is None
    assert "test" not in repr(data)
    assert np.array_equal(data.train[0], x[50:].astype(np.float32))
    assert data.class_names == ("0", "10")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"splitter": 4}, TypeError, "splitter must have a method split.* got int"),
        ({"y": [0, 1]}, ValueError, "x has 100 rows but y has 2"),
        ({"y": np.zeros(100)}, ValueError, "at least two classes"),
    ],
)
def test_prepared_splits_says_what_does_not_fit(arrays, change, error, message):
    x, y = arrays
    with pytest.raises(error, match=message):
        datasets.prepared_splits(**{"x": x, "y": y, "splitter": KFold(2)} | change)
