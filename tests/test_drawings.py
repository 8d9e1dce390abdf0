"""Drawings show what they say."""

import itertools

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from nnperf_utils import drawings, plots


def extents(ax, *, boxes=False):
    """Where a drawing's texts stand, or the boxes around them; none is cut off."""
    ax.figure.canvas.draw()
    drawn = [text for text in ax.texts if text.get_text()]
    if boxes:
        drawn = [text.get_bbox_patch() for text in drawn if text.get_bbox_patch()]
    found = [one.get_window_extent() for one in drawn]
    whole = ax.figure.bbox.padded(1)
    assert all(whole.contains(b.x0, b.y0) and whole.contains(b.x1, b.y1) for b in found)
    return found


def none_overlap(found):
    return not any(a.overlaps(b) for a, b in itertools.combinations(found, 2))


def filled(ax):
    return [box.get_xy() for box in ax.patches if box.get_facecolor()[3]]


def test_batch_goes_down_a_column_and_layer_along_a_row():
    batch, layer = drawings.what_is_averaged()
    assert len({x for x, _ in filled(batch)}) == 1
    assert len(filled(batch)) == len({y for _, y in filled(layer)}) * 4
    assert len({y for _, y in filled(layer)}) == 1
    assert len(filled(layer)) == 6
    plt.close("all")


def test_weight_paths_take_each_step_from_the_one_before():
    rules = {"halved": lambda w: w / 2, "one less": lambda w: w - 1}
    halved, less = drawings.weight_paths(rules, [4, -2], steps=3)
    assert [ax.get_title() for ax in (halved, less)] == list(rules)
    paths = [[list(line.get_ydata()) for line in ax.lines] for ax in (halved, less)]
    assert paths[0] == [[4, 2, 1, 0.5], [-2, -1, -0.5, -0.25]]
    assert paths[1] == [[4, 3, 2, 1], [-2, -3, -4, -5]]
    assert halved.get_ylabel() == "weight"
    assert halved.get_ylim() == less.get_ylim()


def test_thinned_networks_joins_only_the_units_that_are_on():
    masks = [[[True, False, True, True], [True, True, False, False]]]
    ax = drawings.thinned_networks(masks, ["one"])
    assert len(ax.lines) == 3 * 3 + 3 * 2 + 2 * 2
    off = [one for one in ax.collections if one.get_linestyle()[0][1] is not None]
    assert sum(len(one.get_offsets()) for one in off) == 3
    assert [text.get_text() for text in ax.texts] == ["one"]
    with pytest.raises(ValueError, match=r"of the 2 titles; got the shape \(1, 2, 4\)"):
        drawings.thinned_networks(masks, ["one", "two"])


def test_dead_unit_is_off_for_every_example():
    ax = drawings.dead_unit()
    sums = [one.get_offsets()[:, 0] for one in ax.collections[:-1]]
    some, others, none, dead = (s for s in sums)
    assert min(some) > 0 >= max(others) and len(some) + len(others) == len(dead)
    assert len(none) == 0 and max(dead) < 0
    plt.close("all")


def test_layer_passes_draws_forward_above_back_above_their_product():
    ax = drawings.layer_passes()
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    forward, back = (
        height for text, height in heights.items() if text.startswith(("for", "back"))
    )
    product = next(h for t, h in heights.items() if t.startswith("gradient of the"))
    assert forward > back > product
    assert none_overlap(extents(ax, boxes=True))


def test_layer_sums_draws_many_into_one_both_ways():
    ax = drawings.layer_sums()
    many_one = [collection.get_offsets() for collection in ax.collections]
    assert [len(points) for points in many_one] == [5, 5]
    forward, back = (points[:, 0] for points in many_one)
    assert (forward[1:] < forward[0]).all()  # the inputs stand before their unit
    assert (back[1:] > back[0]).all()
    assert extents(ax)


def test_clipped_arrows_end_on_the_square_and_on_the_circle():
    ax = drawings.clipped_arrows()
    whole, by_value, by_norm = (
        np.array(note.xy)
        for note in ax.texts
        if isinstance(note, matplotlib.text.Annotation)
    )
    assert np.abs(by_value).max() == 1
    assert np.isclose(np.linalg.norm(by_norm), 1)
    assert np.isclose(whole[0] / whole[1], by_norm[0] / by_norm[1])
    assert by_value[0] / by_value[1] < 0.5 * whole[0] / whole[1]


def test_training_step_draws_the_way_back_beside_the_way_forward():
    ax = drawings.training_step()
    places = {text.get_text(): text.get_position() for text in ax.texts}
    (x_forward, _), (x_back, _) = (
        place
        for text, place in places.items()
        if text.startswith(("forward:", "back:"))
    )
    assert x_forward < x_back
    # what cancels stands where it happens: the sigmoid's slope beside the sigmoid
    heights = {text: height for text, (_, height) in places.items()}
    assert heights[r"sigmoid $\sigma(z)$"] == heights[r"× slope $\;p\,(1-p)$"]
    assert none_overlap(extents(ax))


def test_search_loop_keeps_the_test_rows_out_of_the_loop():
    ax = drawings.search_loop()
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    loop = [h for text, h in heights.items() if text.startswith(("choose", "train"))]
    after = [h for text, h in heights.items() if "promise" in text or "test" in text]
    assert min(loop) > max(after)
    drawn = extents(ax, boxes=True)
    assert len(drawn) == 6
    assert none_overlap(drawn)


def test_row_splits_let_each_row_validate_once():
    ax = drawings.row_splits(4)
    orange = to_rgb(plots.PALETTE[1])
    validate = [
        bar for bar in ax.patches if np.allclose(bar.get_facecolor(), (*orange, 1))
    ]
    starts = [bar.get_x() for bar in validate]
    assert starts == [3, 0, 1, 2, 3]
    assert len({bar.get_y() for bar in validate}) == 5
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == ["one split", "fold 1", "fold 2", "fold 3", "fold 4"]
    with pytest.raises(ValueError, match="folds is 1; expected two or more"):
        drawings.row_splits(1)


def test_residual_block_draws_both_ways_and_a_skip_past_the_branch():
    ax = drawings.residual_block()
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("$+$") == texts.count("unchanged") == 2
    heights = {
        text: one.get_position()[1] for text, one in zip(texts, ax.texts, strict=True)
    }
    assert heights["forward"] > heights["back"]
    assert extents(ax)


def test_skip_paths_are_all_choices_and_those_through_a_cut_block_end_there():
    ax = drawings.skip_paths()
    texts = [text.get_text() for text in ax.texts]
    assert sorted(t for t in texts if t.endswith(("block", "blocks"))) == sorted(
        ["0 blocks"] + 3 * ["1 block"] + 3 * ["2 blocks"] + ["3 blocks"]
    )
    assert texts.count("$f_2$") == 4 and "✕" not in texts
    texts = [text.get_text() for text in drawings.skip_paths(cut=2).texts]
    assert texts.count("✕") == 4 and "$f_2$" not in texts
    # of block 3, only what is not behind the cut
    assert texts.count("$f_3$") == 2
    with pytest.raises(ValueError, match="cut is 4; expected a block from 1 to 3"):
        drawings.skip_paths(cut=4)
