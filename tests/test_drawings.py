"""Drawings show what they say."""

import matplotlib.pyplot as plt

from nnperf_utils import drawings


def filled(ax):
    return [box.get_xy() for box in ax.patches if box.get_facecolor()[3]]


def test_batch_goes_down_a_column_and_layer_along_a_row():
    batch, layer = drawings.what_is_averaged()
    assert len({x for x, _ in filled(batch)}) == 1
    assert len(filled(batch)) == len({y for _, y in filled(layer)}) * 4
    assert len({y for _, y in filled(layer)}) == 1
    assert len(filled(layer)) == 6
    plt.close("all")
