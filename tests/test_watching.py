"""Validation parts of three kinds, and what they choose."""

import numpy as np
import pandas as pd
import pytest

from nnperf_utils import watching


@pytest.fixture(scope="module")
def splits():
    return watching.draw_splits(2, samples=400)


def test_the_parts_have_the_same_shape(splits):
    tables = watching.tables(splits)
    assert list(tables) == list(watching.KINDS)
    shapes = {one.validation[0].shape for several in tables.values() for one in several}
    assert shapes == {(100, 40)}


def test_the_small_part_has_each_row_equally_often(splits):
    few = watching.tables(splits)["50 rows"][0].validation[0]
    _, counts = np.unique(few, axis=0, return_counts=True)
    assert set(counts) == {2} and len(counts) == 50


def test_half_of_the_leaking_part_are_training_rows(splits):
    leaked = watching.tables(splits)["half leaked"][1]
    known = {tuple(row) for row in leaked.train[0]}
    shared = np.mean([tuple(row) in known for row in leaked.validation[0]])
    assert shared == 0.5


def test_choices_are_the_epochs_of_the_lowest_validation_loss():
    values = {
        "val_loss": [3.0, 1.0, 2.0],
        "test_loss": [3.0, 2.0, 1.5],
        "test_accuracy": [0.2, 0.4, 0.3],
    }
    rows = [
        {"data": kind, "split": 0, "epoch": epoch, "metric": metric, "value": value}
        for kind in watching.KINDS
        for metric, column in values.items()
        for epoch, value in enumerate(column, start=1)
    ]
    chosen = watching.choices(pd.DataFrame(rows))
    one = chosen.loc[("50 rows", 0)]
    assert one["epoch"] == 2
    assert one["missed"] == pytest.approx(0.5)
    assert one["overfitted"] == pytest.approx(-0.5)
    assert one["accuracy"] == pytest.approx(-0.1)
    effects = watching.effects(chosen)
    assert effects["missed_leak"].loc[0] == pytest.approx(0.5)
    axes = watching.loss_and_accuracy(pd.DataFrame(rows), chosen)
    assert [ax.get_ylabel() for ax in axes] == ["test loss", "test accuracy"]
