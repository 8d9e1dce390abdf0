"""The figures on little data show what they are given."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nnperf_utils import labs
from nnperf_utils import little_data_drawings as drawings
from nnperf_utils.ensembles import Decomposition, Ensemble


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_bars_are_error_and_ambiguity():
    parts = {"a": Decomposition(0.3, 0.5, 0.2), "b": Decomposition(0.4, 0.5, 0.1)}
    ax = drawings.decomposition_bars(parts)
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == pytest.approx([0.3, 0.2, 0.4, 0.1])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


def test_labels_are_softened_from_panel_to_panel():
    axes = drawings.softened_labels(np.zeros((40, 1)), np.array([0.9, 0.1]), 0, [1, 9])
    highest = [max(bar.get_height() for bar in ax.patches) for ax in axes[1:3]]
    assert highest[0] == pytest.approx(0.9)
    assert 0.5 < highest[1] < 0.6


def test_sizes_have_their_means():
    frame = pd.DataFrame(
        {"members": np.repeat([1, 5], 10), "seed": [*range(10)] * 2, "value": range(20)}
    )
    ax = drawings.by_size(frame)
    assert ax.lines[0].get_ydata().tolist() == [4.5, 14.5]


def test_prices_stand_beside_the_scores():
    shares = np.random.default_rng(0).dirichlet(np.ones(3), size=(8, 30))
    ensemble, y = Ensemble(shares), np.arange(30) % 3
    ways = {"one": (ensemble, 1, 600), "five": (ensemble, 5, 3000)}
    ax = drawings.price_rows(ways, y)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["one", "five"]
    assert [text.get_text() for text in ax.texts[:2]] == ["600", "3,000"]
    means = [ensemble.scores(y, size).mean() for size in (1, 5)]
    assert [line.get_xdata()[0] for line in ax.lines[1::2]] == pytest.approx(means)


def test_what_is_taken_over_has_a_new_head():
    texts = [text.get_text() for text in drawings.taken_over().texts]
    assert texts.count("first") == 2
    assert texts.count("new head") == 1


def test_the_lab_gets_probabilities_in_percent_and_stays_small():
    shares = np.random.default_rng(0).dirichlet(np.ones(10), size=(20, 90))
    y = np.eye(10)[np.arange(90) % 10]
    kinds = dict.fromkeys(["a", "b", "c"], Ensemble(shares))
    data = drawings.lab_members(kinds, y)
    assert data["truth"][:3].tolist() == [0, 1, 2]
    np.testing.assert_allclose(data["shares"][0][0][:10], 100 * shares[0, 0], atol=0.51)
    payload = labs.lab("grow_ensemble", data=data).payload["data"]
    assert len(json.dumps(payload)) < labs.MOST_BYTES
