"""Summarize an original diabetes table in coarse figures, for `make_diabetes.py`.

    python data/summarize_diabetes.py PATH

PATH is an ARFF file (such as `diabetes.arff` of Weka) or a CSV file with the nine
columns in the usual order. Only `diabetes_summary.json` is written; the table itself
stays where it is and must never be copied into this repository.

What is kept, per class: the number of rows, each column's quantiles in steps of 5%
(no minimum, no maximum: those are single persons), the rate of missing values, and
the rank correlations (as normal scores), to two decimals.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import arff
from scipy.special import ndtri

# Decimals as in the original table, Outcome last.
DECIMALS = {
    "Pregnancies": 0,
    "Glucose": 0,
    "BloodPressure": 0,
    "SkinThickness": 0,
    "Insulin": 0,
    "BMI": 1,
    "DiabetesPedigreeFunction": 3,
    "Age": 0,
}
OUTCOME = "Outcome"
# A zero in these columns stands for "not measured".
ZERO_IS_MISSING = ["Glucose", "BloodPressure", "SkinThickness", "Insulin", "BMI"]
PROBABILITIES = np.arange(5, 100, 5) / 100
SUMMARY = Path(__file__).with_name("diabetes_summary.json")


def read_original(path: Path) -> pd.DataFrame:
    """Read an original table: nine columns in the usual order, outcome as 0 and 1."""
    if path.suffix == ".arff":
        table = pd.DataFrame(arff.loadarff(path)[0])
        table.iloc[:, -1] = (table.iloc[:, -1] == b"tested_positive").astype(int)
    else:
        table = pd.read_csv(path)
    table.columns = [*DECIMALS, OUTCOME]
    return table.astype(float)


def normal_scores(column: pd.Series) -> pd.Series:
    """Van der Waerden scores: the normal quantile of each value's rank."""
    return ndtri(column.rank() / (column.count() + 1))


def summarize(table: pd.DataFrame) -> dict:
    """Coarse figures of each class, ready for JSON."""
    features = table[list(DECIMALS)].copy()
    features[ZERO_IS_MISSING] = features[ZERO_IS_MISSING].replace(0, np.nan)
    summary = {"probabilities": PROBABILITIES.tolist(), "classes": {}}
    for label, rows in features.groupby(table[OUTCOME].astype(int)):
        missing = rows.isna()
        no_skin = missing["SkinThickness"]
        summary["classes"][str(label)] = {
            "rows": len(rows),
            "quantiles": {
                # The pedigree function has three decimals, too fine for a summary.
                name: rows[name]
                .quantile(PROBABILITIES)
                .round(min(decimals, 2))
                .tolist()
                for name, decimals in DECIMALS.items()
            },
            "missing": {
                name: round(float(missing[name].mean()), 3)
                for name in ZERO_IS_MISSING
                if name != "Insulin"
            },
            # Insulin is missing almost always where the skin fold is.
            "insulin_missing_if_skin_missing": round(
                float(missing.loc[no_skin, "Insulin"].mean()), 2
            ),
            "insulin_missing_if_skin_measured": round(
                float(missing.loc[~no_skin, "Insulin"].mean()), 2
            ),
            "normal_score_correlations": rows.apply(normal_scores)
            .corr()
            .round(2)
            .to_numpy()
            .tolist(),
        }
    return summary


def main() -> None:
    """Write the summary of the table that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="an original table, ARFF or CSV")
    parser.add_argument("--output", type=Path, default=SUMMARY)
    arguments = parser.parse_args()
    summary = summarize(read_original(arguments.path))
    text = json.dumps(summary, indent=1)
    arguments.output.write_text(text + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
