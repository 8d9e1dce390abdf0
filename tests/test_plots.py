import matplotlib

matplotlib.use("Agg")

import itertools
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from scipy import stats

from nnperf_utils import plots
from nnperf_utils.statistics import Estimate, estimate, summarize

VARIANTS = ("sigmoid", "relu")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def history(variants=VARIANTS, seeds=5, epochs=6):
    random = np.random.default_rng(0)
    rows = [
        (variant, seed, epoch, metric, 1 / epoch + position + random.normal(0, 0.01))
        for position, variant in enumerate(variants)
        for seed in range(seeds)
        for epoch in range(1, epochs + 1)
        for metric in ("loss", "val_loss", "val_accuracy")
    ]
    return pd.DataFrame(rows, columns=["variant", "seed", "epoch", "metric", "value"])


LAYERS = ("zebra", "hidden_10", "hidden_2", "apple")  # in no order but their own


def readings(metric="gradient_norm", variants=VARIANTS, epochs=(0, 1, 2)):
    random = np.random.default_rng(0)
    rows = [
        (variant, seed, epoch, layer, metric, 10.0 ** (i + p) * random.uniform(1, 2))
        for p, variant in enumerate(variants)
        for seed in range(4)
        for epoch in epochs
        for i, layer in enumerate(LAYERS)
    ]
    columns = ["variant", "seed", "epoch", "layer", "metric", "value"]
    return pd.DataFrame(rows, columns=columns)


def lines(ax):
    """Lines by label; guides and the like have none."""
    named = {line.get_label(): line for line in ax.lines}
    return {k: v for k, v in named.items() if not k.startswith("_")}


def texts(ax):
    return [text.get_text() for text in ax.texts]


def note(ax):
    return ax.get_title(loc="left").replace("\n", " ")


# Estimates ----------------------------------------------------------------------------


def seeds(center, n=20):
    values = center + np.random.default_rng(0).normal(0, 0.1, n)
    return pd.Series(values, pd.RangeIndex(n, name="seed"))


def test_estimates_stand_one_below_the_other_with_their_numbers():
    found = {"clear": estimate(seeds(1)), "open": estimate(seeds(0))}
    ax = plots.estimates(found)
    assert texts(ax)[::2] == ["clear", "open"]
    one = found["clear"]
    assert texts(ax)[1] == f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"
    _, interval, point, _, other = ax.lines
    np.testing.assert_allclose(interval.get_xdata(), [one.low, one.high])
    assert point.get_xdata() == [one.value]
    # filled or hollow, not by color alone
    assert to_hex(point.get_markerfacecolor()) == plots.PALETTE[0].lower()
    assert to_hex(other.get_markerfacecolor()) == "#ffffff"
    assert note(ax) == (
        "95% intervals 20 seeds on one split: covers other seeds; does not cover other "
        "splits"
    )
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top


def test_estimates_of_several_designs_say_which_is_which():
    splits = seeds(0).rename_axis("split")
    ax = plots.estimates({"a": estimate(seeds(0)), "b": estimate(splits)})
    assert "a: 20 seeds on one split" in note(ax)
    assert "b: 20 splits, one run on each" in note(ax)


def test_estimates_of_a_summary_are_its_differences():
    table = pd.concat(
        seeds(center).rename("value").reset_index().assign(variant=name)
        for name, center in (("none", 0), ("dropout", 1), ("L2", 0.5))
    )
    summary = summarize(table, higher_is_better=True)
    ax = plots.estimates(summary)
    assert texts(ax)[::2] == ["dropout", "L2"]  # the reference has no difference
    assert "97.5% intervals: 95% over 2 comparisons together" in note(ax)
    assert "does not cover other splits" in note(ax)


def test_an_estimate_without_interval_is_a_hollow_point_and_says_why():
    ax = plots.estimates({"few": estimate(seeds(1, n=2))}, reference=None)
    assert texts(ax)[0] == "few" and "[" not in texts(ax)[1]
    assert "no interval: 2 independent draws are too few" in note(ax)
    assert len(ax.lines) == 2  # no reference


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ([1, 2], TypeError, "got list"),
        ({"a": 1.0}, TypeError, "'a' is of type float"),
        ({}, ValueError, "no rows"),
        (pd.DataFrame({"value": [1.0]}), ValueError, "lacks the column 'low' and 'hig"),
        ({"a": Estimate(np.nan, np.nan, np.nan)}, ValueError, "no finite value"),
    ],
)
def test_what_is_no_estimate_is_named(given, error, said):
    with pytest.raises(error, match=said):
        plots.estimates(given)


# Learning curves ----------------------------------------------------------------------


def test_learning_curves_draw_the_median_and_the_middle_of_the_seeds():
    frame = history()
    ax = plots.learning_curves(frame)
    drawn = lines(ax)
    assert set(drawn) == {f"{v}, {m}" for v in VARIANTS for m in ("loss", "val_loss")}
    expected = (
        frame.query("variant == 'relu' and metric == 'val_loss'")
        .groupby("epoch")["value"]
        .median()
    )
    np.testing.assert_allclose(drawn["relu, val_loss"].get_ydata(), expected)
    assert drawn["relu, val_loss"].get_linestyle() == "-"
    assert drawn["relu, loss"].get_linestyle() == "--"
    assert len(ax.collections) == 2  # a band for each validation line
    assert ax.get_xlabel() == "epoch" and ax.get_ylabel() == "loss"
    assert sorted(texts(ax)) == ["relu", "sigmoid"]
    assert note(ax) == "median and middle 90% of 5 seeds; dashed: training"


def test_variants_differ_in_color_and_marker():
    drawn = lines(plots.learning_curves(history(), "val_accuracy"))
    styles = {(to_hex(a.get_color()), a.get_marker()) for a in drawn.values()}
    assert len({color for color, _ in styles}) == 2
    assert len({marker for _, marker in styles}) == 2


def test_one_run_without_seed_or_variant():
    frame = history(["only"], seeds=1).drop(columns=["seed", "variant"])
    frame.loc[frame.metric == "val_loss", "value"] += 1
    ax = plots.learning_curves(frame)
    assert texts(ax) == ["training", "validation"]  # from below
    assert not ax.collections and note(ax) == ""


def test_labels_at_the_ends_do_not_overlap_and_keep_their_order():
    names = [f"variant {i}" for i in range(5)]
    frame = history([*names, "far"], seeds=1)
    for i, name in enumerate(names):
        frame.loc[frame.variant == name, "value"] = 1 + 0.001 * i
    ax = plots.learning_curves(frame, "val_loss")
    ax.figure.canvas.draw()
    boxes = sorted(
        ((text.get_window_extent(), text.get_text()) for text in ax.texts),
        key=lambda pair: pair[0].y0,
    )
    assert [name for _, name in boxes] == [*names, "far"]
    for (lower, _), (upper, _) in itertools.pairwise(boxes):
        assert lower.y1 <= upper.y0 + 2


def test_lines_that_end_together_get_a_legend():
    frame = history()
    frame["value"] = np.where(
        frame.epoch == 6, 1.0, frame.value + 3 * (frame.variant == "relu")
    )
    ax = plots.learning_curves(frame, "val_loss")
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == list(VARIANTS)
    assert [to_hex(line.get_color()) for line in legend.get_lines()] == [
        to_hex(lines(ax)[f"{v}, val_loss"].get_color()) for v in VARIANTS
    ]


def test_runs_that_diverged_are_left_out_and_told():
    frame = history()
    gone = (frame.variant == "relu") & frame.seed.isin([1, 3]) & (frame.epoch > 3)
    frame.loc[gone, "value"] = [np.nan, np.inf] * (gone.sum() // 2)
    ax = plots.learning_curves(frame, "val_loss")
    assert np.isfinite(lines(ax)["relu, val_loss"].get_ydata()).all()
    assert "not finite, left out: relu in 2 of 5 seeds" in note(ax)


def test_a_variant_that_diverged_in_all_seeds_still_makes_a_figure():
    frame = history()
    frame.loc[frame.variant == "relu", "value"] = np.nan
    for draw in (plots.learning_curves, plots.final_scores):
        ax = draw(frame, "val_accuracy")
        assert "relu in 5 of 5 seeds" in note(ax)
        ax.figure.canvas.draw()


def test_numbers_as_variants_get_ordered_shades():
    drawn = lines(plots.learning_curves(history([0.1, 0.01, 0.001]), "val_loss"))
    lightness = [sum(to_rgb(line.get_color())) for line in drawn.values()]
    assert lightness == sorted(lightness)


# Final scores -------------------------------------------------------------------------


def test_every_seed_is_a_point_of_the_last_epoch():
    frame = history()
    ax = plots.final_scores(frame, "val_accuracy")
    last = frame.query("metric == 'val_accuracy' and epoch == 6")
    for row, variant in enumerate(VARIANTS):
        points = ax.collections[row].get_offsets()
        np.testing.assert_allclose(
            sorted(points[:, 0]), sorted(last[last.variant == variant].value)
        )
    assert [t.get_text() for t in ax.get_yticklabels()] == list(VARIANTS)
    assert ax.get_xlabel() == "validation accuracy"
    medians = last.groupby("variant", sort=False)["value"].median()
    drawn = [x for line in ax.lines for x in line.get_xdata()]
    assert all(np.isclose(drawn, median).any() for median in medians)


def test_drawing_takes_nothing_from_the_global_generator():
    random = np.random.mtrand._rand
    before = random.get_state()[1].copy()
    plots.final_scores(history(), "val_accuracy")
    plots.learning_curves(history())
    np.testing.assert_array_equal(random.get_state()[1], before)


# Readings -----------------------------------------------------------------------------


def test_gradient_norms_stand_in_layer_order_on_a_log_axis():
    frame = readings()
    ax = plots.gradient_norm_by_layer(frame)
    assert ax.get_yscale() == "log"
    assert [t.get_text() for t in ax.get_xticklabels()] == list(LAYERS)
    assert ax.get_ylabel() == "gradient norm (L2)"
    before = frame.query("epoch == 0 and variant == 'relu'")
    expected = before.groupby("layer")["value"].median()[list(LAYERS)]
    np.testing.assert_allclose(lines(ax)["relu"].get_ydata(), expected)
    later = plots.gradient_norm_by_layer(frame, epoch=2)
    assert not np.allclose(lines(later)["relu"].get_ydata(), expected)


def test_layers_that_only_one_variant_has_stand_where_they_belong():
    frame = readings(variants=["plain"], epochs=[0])
    normalized = frame.assign(variant="normalized")
    extra = normalized[normalized.layer == "zebra"].assign(layer="norm")
    one = normalized.layer == "zebra"
    normalized = pd.concat([normalized[one], extra, normalized[~one]])
    ax = plots.gradient_norm_by_layer(pd.concat([frame, normalized]))
    shown = [t.get_text() for t in ax.get_xticklabels()]
    assert shown == ["zebra", "norm", "hidden_10", "hidden_2", "apple"]


def test_zeros_are_left_out_of_a_log_axis_and_told():
    frame = readings()
    frame.loc[frame.layer == "zebra", "value"] = 0.0
    ax = plots.gradient_norm_by_layer(frame)
    assert "8 zeros left out" in note(ax)
    share = plots.readings_by_layer(frame, "gradient_norm")
    assert share.get_yscale() == "linear" and "zeros" not in note(share)


def test_many_layers_are_named_in_part():
    frame = pd.DataFrame(
        {"layer": [f"hidden_{i}" for i in range(50)], "metric": "dead", "value": 0.5}
    )
    ax = plots.readings_by_layer(frame, "dead")
    assert len(ax.get_xticks()) <= 10
    assert len(ax.lines[0].get_xdata()) == 50
    assert ax.get_ylabel() == "dead units (share)"


def test_update_ratios_have_a_line_for_each_layer_and_the_guide():
    frame = readings("update_ratio", ["relu"], epochs=(1, 2, 3))
    ax = plots.update_ratios(frame)
    assert ax.get_yscale() == "log"
    assert list(lines(ax)) == list(LAYERS)
    guide = [line for line in ax.lines if line.get_label().startswith("_")]
    assert guide[0].get_ydata()[0] == 1e-3
    assert set(LAYERS) < set(texts(ax))
    with pytest.raises(ValueError, match=r"one variant.*sigmoid, relu"):
        plots.update_ratios(readings("update_ratio"))


def test_activation_histograms_top_down_and_zeros_beside():
    random = np.random.default_rng(0)
    values = random.normal(size=(3, 1000))
    values[1] = values[1].clip(0)
    frame = pd.DataFrame(
        {"layer": np.repeat(["first", "relu", "last"], 1000), "value": values.ravel()}
    )
    ax = plots.activation_histograms(frame)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["first", "relu", "last"]
    low, high = ax.get_ylim()
    assert low > high  # the first layer is on top
    assert len(ax.collections) == 3
    share = np.mean(values[1] == 0)
    assert texts(ax) == [f"{share:.0%} at 0"]


def test_activation_histogram_of_a_layer_that_is_all_zero():
    frame = pd.DataFrame({"layer": ["a"] * 10 + ["b"] * 10, "value": [0.0] * 20})
    assert texts(plots.activation_histograms(frame)) == ["100% at 0", "100% at 0"]


# Decision boundary --------------------------------------------------------------------


def slanted(points):
    return 1 / (1 + np.exp(-4 * (points[:, :1] - points[:, 1:])))


def two_classes(points):
    return np.hstack([1 - slanted(points), slanted(points)])


@pytest.mark.parametrize("predict", [slanted, two_classes])
def test_boundary_runs_where_the_probability_is_one_half(predict):
    x = np.random.default_rng(0).uniform(-1, 1, size=(60, 2))
    y = (x[:, 0] > x[:, 1]).astype(int)
    ax = plots.decision_boundary(predict, x, y, resolution=50)
    boundary = np.vstack([path.vertices for path in ax.collections[1].get_paths()])
    np.testing.assert_allclose(boundary[:, 0], boundary[:, 1], atol=0.01)
    scatter = ax.collections[-2:]
    assert [len(points.get_offsets()) for points in scatter] == [
        (y == 0).sum(),
        (y == 1).sum(),
    ]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["class 0", "class 1"]


def test_boundary_of_three_classes():
    x = np.random.default_rng(0).uniform(0, 3, size=(60, 2))
    y = x[:, 0].astype(int)
    ax = plots.decision_boundary(
        lambda p: np.eye(3)[p[:, 0].clip(0, 2.9).astype(int)], x, y, resolution=40
    )
    assert len(ax.get_legend().get_texts()) == 3


# Style and errors ---------------------------------------------------------------------


def draws():
    random = np.random.default_rng(0)
    x = random.normal(size=(20, 2))
    return {
        "learning_curves": lambda ax: plots.learning_curves(history(), ax=ax),
        "final_scores": lambda ax: plots.final_scores(history(), ax=ax),
        "readings_by_layer": lambda ax: plots.readings_by_layer(
            readings("dead"), "dead", ax=ax
        ),
        "gradient_norm_by_layer": lambda ax: plots.gradient_norm_by_layer(
            readings(), ax=ax
        ),
        "activation_histograms": lambda ax: plots.activation_histograms(
            readings(), ax=ax
        ),
        "update_ratios": lambda ax: plots.update_ratios(
            readings("update_ratio", ["relu"]), ax=ax
        ),
        "decision_boundary": lambda ax: plots.decision_boundary(
            slanted, x, x[:, 0] > 0, resolution=20, ax=ax
        ),
    }


@pytest.mark.parametrize("name", draws())
def test_draws_on_the_axes_it_is_given_or_on_new_ones(name):
    figure, given = plt.subplots()
    assert draws()[name](given) is given
    other = draws()[name](None)
    assert other is not given and other.get_xlabel()
    figure.canvas.draw()
    other.figure.canvas.draw()


def test_frames_are_left_as_they_were():
    frame = history()
    copy = frame.copy()
    plots.learning_curves(frame)
    plots.final_scores(frame)
    pd.testing.assert_frame_equal(frame, copy)


def luminance(color):
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_contrast_of_lines_and_of_the_text_in_their_colors():
    for color in plots.PALETTE:
        assert 1.05 / (luminance(color) + 0.05) >= 3
    labels = plots.learning_curves(history([f"v{i}" for i in range(6)]), "loss").texts
    assert len(labels) == 6
    for label in labels:
        assert 1.05 / (luminance(label.get_color()) + 0.05) >= 4.5


@pytest.mark.parametrize(
    ("draw", "error", "says"),
    [
        (lambda: plots.learning_curves({"loss": [1]}), TypeError, "history.*got dict"),
        (
            lambda: plots.learning_curves(history().drop(columns="epoch")),
            ValueError,
            "history lacks the column 'epoch'; it has variant, seed, metric, value",
        ),
        (lambda: plots.learning_curves(history()[:0]), ValueError, "no rows"),
        (
            lambda: plots.learning_curves(history(), "auc"),
            ValueError,
            "no metric 'auc'; it has loss, val_loss, val_accuracy",
        ),
        (
            lambda: plots.final_scores(history(), epoch=9),
            ValueError,
            "no epoch 9; it has 1 to 6",
        ),
        (
            lambda: plots.gradient_norm_by_layer(readings("dead")),
            ValueError,
            "readings has no metric 'gradient_norm'; it has dead",
        ),
        (
            lambda: plots.activation_histograms(
                pd.DataFrame({"layer": ["a"], "value": [np.nan]})
            ),
            ValueError,
            "no finite value",
        ),
        (
            lambda: plots.decision_boundary(slanted, np.zeros((5, 3)), np.zeros(5)),
            ValueError,
            r"got \(5, 3\) and \(5,\)",
        ),
        (
            lambda: plots.decision_boundary(
                lambda p: p[:3], np.eye(2), np.arange(2), resolution=9
            ),
            ValueError,
            "predict must return one row for each of the 81 points",
        ),
    ],
)
def test_bad_input_is_answered_by_one_clear_sentence(draw, error, says):
    with pytest.raises(error, match=says) as caught:
        draw()
    assert "\n" not in str(caught.value)


# --- pictures of what a chapter is about ---------------------------------------------


@pytest.mark.parametrize("shape", [(2, 4, 4), (2, 4, 4, 1), (2, 16)])
def test_example_images_are_the_first_of_each_class(shape):
    x = np.stack([np.full(shape[1:], 0.2), np.full(shape[1:], 0.9)])
    ax = plots.example_images(x[[1, 0, 0]], [1, 0, 0], ["dark", "light"])
    strip = ax.images[0].get_array()
    assert strip.shape == (4, 8)
    assert np.allclose(strip[:, :4], 0.2) and np.allclose(strip[:, 4:], 0.9)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["dark", "light"]


def test_example_images_says_what_does_not_fit():
    with pytest.raises(ValueError, match=r"gray images.*got the shape \(2, 5\)"):
        plots.example_images(np.zeros((2, 5)), [0, 1], ["a", "b"])
    with pytest.raises(ValueError, match="no example of class 1, b"):
        plots.example_images(np.zeros((2, 4)), [0, 0], ["a", "b"])


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 1)])
def test_example_signals_are_the_first_of_each_class(shape):
    x = np.arange(15.0).reshape(shape)
    ax = plots.example_signals(x, [1, 0, 0], ["low", "high"])
    low, high = ax.lines
    assert np.array_equal(low.get_ydata(), np.arange(5.0, 10))
    assert np.array_equal(high.get_ydata(), np.arange(5.0))
    assert low.get_xdata().max() < high.get_xdata().min()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["low", "high"]


def test_example_signals_says_what_does_not_fit():
    with pytest.raises(ValueError, match=r"signals.*got the shape \(2, 5, 5\)"):
        plots.example_signals(np.zeros((2, 5, 5)), [0, 1], ["a", "b"])
    with pytest.raises(ValueError, match="no example of class 1, b"):
        plots.example_signals(np.zeros((2, 4)), [0, 0], ["a", "b"])


def test_guide_lines_stand_where_they_say_and_bear_their_name():
    _, ax = plt.subplots()
    ax.plot([0, 10], [0, 10])
    plots.guide_line(ax, "upright", x=4)
    plots.guide_line(ax, "level", y=7)
    plots.guide_line(ax, "aside", y=2, at=3)
    upright, level, aside = ax.lines[1:]
    assert set(upright.get_xdata()) == {4}
    assert (set(level.get_ydata()), set(aside.get_ydata())) == ({7}, {2})
    names = {text.get_text(): text.xy for text in ax.texts}
    assert names == {"upright": (4, 0.5), "level": (1, 7), "aside": (3, 2)}


@pytest.mark.parametrize("given", [{}, {"x": 1, "y": 2}])
def test_a_guide_line_is_upright_or_level(given):
    with pytest.raises(ValueError, match="give x or y, one of the two"):
        plots.guide_line(plt.subplots()[1], "name", **given)


def test_lines_by_stand_evenly_and_are_dashed_where_asked():
    rows = [
        (dose, part, seed, 10 * dose + seed + 5 * (part == "test"))
        for dose in (0.003, 1, 0)
        for part in ("training", "test")
        for seed in range(3)
    ]
    scores = pd.DataFrame(rows, columns=["strength", "part", "seed", "value"])
    how = {"line": "part", "dashed": ["training"], "evenly": True}
    ax = plots.lines_by(scores, "strength", **how)
    training, test = ax.lines
    assert list(training.get_xdata()) == list(test.get_xdata()) == [0, 1, 2]
    assert np.allclose(training.get_ydata(), [1, 1.03, 11])
    assert np.allclose(test.get_ydata(), [6, 6.03, 16])
    assert training.get_linestyle() == "--" and test.get_linestyle() == "-"
    assert len(ax.collections) == 1  # the test part's band
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "0.003", "1"]
    assert {text.get_text() for text in ax.texts} == {"training", "test"}


def test_lines_by_say_which_column_is_lacking():
    with pytest.raises(ValueError, match="lacks the column 'part'"):
        frame = pd.DataFrame({"units": [1], "value": [0.5]})
        plots.lines_by(frame, "units", line="part")


def test_side_by_side_draws_each_under_its_title():
    rows = [(u, p, u + (p == "test")) for u in (2, 16) for p in ("training", "test")]
    scores = pd.DataFrame(rows, columns=["units", "part", "value"])
    shown = {"small": scores, "large": scores.assign(value=scores["value"] * 3)}
    one, other = plots.side_by_side(
        plots.lines_by, shown, x="units", line="part", evenly=True
    )
    assert (one.get_title(), other.get_title()) == ("small", "large")
    assert one.get_ylim() == other.get_ylim()
    assert list(other.lines[0].get_ydata()) == [6, 48]
    assert not one.texts and one.get_legend() is None
    assert other.texts or other.get_legend()


def test_side_by_side_puts_two_in_a_row():
    scores = pd.DataFrame(
        {"units": [2, 16] * 2, "part": ["a", "a", "b", "b"], "value": [1, 2, 4, 8]}
    )
    shown = dict.fromkeys(("one", "two", "three"), scores)
    axes = plots.side_by_side(plots.lines_by, shown, x="units", line="part")
    figure = axes[0].figure
    figure.canvas.draw()
    assert figure.axes == axes and figure.get_figwidth() < 6.5
    one, two, three = (ax.get_position() for ax in axes)
    assert one.y0 == two.y0 > three.y1
    assert one.x0 == three.x0 and one.x1 == three.x1 < two.x0
    # named once, in the free place beside the last
    assert [bool(ax.texts or ax.get_legend()) for ax in axes] == [False, False, True]
    name = (axes[2].get_legend() or axes[2].texts[0]).get_window_extent()
    assert name.x1 < figure.bbox.x1


def test_lines_by_draw_the_median_of_each_variant():
    frame = pd.DataFrame(
        [
            {"variant": name, "rate": rate, "seed": seed, "value": size * rate + seed}
            for name, size in (("short", 1), ("long", 100))
            for rate in (0.1, 1.0, 10.0)
            for seed in range(3)
        ]
    )
    ax = plots.lines_by(frame, "rate", log="xy")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_allclose(drawn["short"], [1.1, 2, 11])
    np.testing.assert_allclose(drawn["long"], [11, 101, 1001])
    assert {"short", "long"} <= {text.get_text() for text in ax.texts}


def test_lines_by_say_what_does_not_fit():
    frame = pd.DataFrame({"rate": [1.0], "value": [np.nan]})
    with pytest.raises(ValueError, match="frame lacks the column 'epoch'"):
        plots.lines_by(frame, "epoch")
    with pytest.raises(ValueError, match=r"log must be .* got 'z'"):
        plots.lines_by(frame, "rate", log="z")


def test_importing_plots_does_not_import_tensorflow_or_keras():
    code = (
        "import sys, nnperf_utils.plots\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_dumbbells_join_the_numbers_of_a_row():
    table = pd.DataFrame({"promise": [0.8, 0.7], "kept": [0.75, 0.72]}, ["one", "two"])
    ax = plots.dumbbells(table, label="accuracy")
    joined = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
    assert joined == [[0.75, 0.8], [0.7, 0.72]]
    assert [line.get_xdata().tolist() for line in ax.lines] == [
        [0.8, 0.7],
        [0.75, 0.72],
    ]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["one", "two"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(table)


def test_dumbbells_draw_the_intervals_of_estimates_apart():
    one, two = Estimate(0.8, 0.78, 0.82), Estimate(0.8, 0.75, 0.85)
    ax = plots.dumbbells(pd.DataFrame({"promise": [one], "kept": [two]}, ["all"]))
    spans = [drawn.get_segments()[0] for drawn in ax.collections[1:]]
    assert [span[:, 0].tolist() for span in spans] == [[0.78, 0.82], [0.75, 0.85]]
    assert spans[0][0, 1] < spans[1][0, 1]


def test_dumbbells_want_two_or_three_columns():
    with pytest.raises(
        ValueError, match=r"two or three columns; got the shape \(1, 1\)"
    ):
        plots.dumbbells(pd.DataFrame({"promise": [0.8]}))


# --- tables, differences, splits ------------------------------------------------------


def test_lines_are_the_columns_each_named_at_its_end():
    table = pd.DataFrame(
        {"one": [1.0, 3], "law": [2.0, 9]}, pd.Index([10, 1000], name="rows")
    )
    ax = plots.lines(table, log="xy", dashed=["law"])
    one, law = ax.lines
    assert list(one.get_ydata()) == [1, 3] and list(law.get_xdata()) == [10, 1000]
    assert one.get_linestyle() == "-" and law.get_linestyle() != "-"
    assert {text.get_text() for text in ax.texts} == {"one", "law"}
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["10", "1,000"]
    assert ax.get_xlabel() == "rows"


def test_lines_says_what_does_not_fit():
    with pytest.raises(ValueError, match="table has no numbers"):
        plots.lines(pd.DataFrame({"one": []}))
    with pytest.raises(ValueError, match="dashed has 'two'; the columns are one"):
        plots.lines(pd.DataFrame({"one": [1, 2]}), dashed=["two"])


def test_differences_are_sorted_and_colored_by_their_sign():
    ax = plots.differences([2.0, -1, 0], above="B", below="A")
    [points] = [one for one in ax.collections if len(one.get_offsets()) == 3][-1:]
    assert list(points.get_offsets()[:, 1]) == [-1, 0, 2]
    colors = [to_hex(color).upper() for color in points.get_facecolors()]
    assert (colors[0], colors[2]) == (plots.PALETTE[1], plots.PALETTE[0])
    assert {text.get_text() for text in ax.texts} == {"A", "B"}
    with pytest.raises(ValueError, match="one finite number or more"):
        plots.differences([1, np.nan])


def test_by_split_tells_which_intervals_miss_the_mean():
    index = pd.MultiIndex.from_arrays(
        [np.repeat(range(5), 3), range(15)], names=["split", "seed"]
    )
    means = np.repeat([0.0, 0, 0, 0, 3], 3)
    values = pd.Series(means + np.tile([-1, 0, 1], 5), index)
    ax = plots.by_split(values)
    sides = [line for line in ax.lines if line.get_marker() in ("o", "s")]
    heights = [line.get_ydata()[0] for line in sides]
    assert heights == pytest.approx([0, 0, 0, 0, 3])
    assert [line.get_marker() for line in sides] == ["o"] * 4 + ["s"]
    # Student's interval of three seeds, their spread from all splits
    half = stats.t.ppf(0.975, 10) / np.sqrt(3)
    bar = next(line for line in ax.lines if list(line.get_xdata()) == [0, 0])
    assert list(bar.get_ydata()) == pytest.approx([-half, half])
