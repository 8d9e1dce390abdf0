"""Figures: one function for each question that a figure answers.

Each takes a tidy frame (columns among ``variant, seed, epoch, layer, metric, value``),
draws with seaborn and matplotlib on the axes that it is given, or on new ones, and
returns the axes, for a title or a limit of one's own. None of them trains or computes
anything but medians and intervals.

Where a frame has seeds, a line is the median over them and the band around it holds
their middle 90%. It says how far runs differ, not how well the median is known. Values
that are not finite (a run that diverged) are left out, and the figure says so.

Colors stay apart for readers with any kind of color vision, and never carry a meaning
alone: markers, dashes or labels at the lines' ends repeat it. Figures are white cards
with dark ink, on a light page as on a dark one, their letters large enough to be read
on a phone. Importing this module sets that style (`use_style`).
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator
from scipy import stats

from nnperf_utils.statistics import Estimate, variance_components

__all__ = [
    "PALETTE",
    "activation_histograms",
    "by_split",
    "decision_boundary",
    "differences",
    "dumbbells",
    "estimates",
    "example_images",
    "example_signals",
    "final_scores",
    "gradient_norm_by_layer",
    "guide_line",
    "learning_curves",
    "lines",
    "lines_by",
    "readings_by_layer",
    "side_by_side",
    "text_color",
    "update_ratios",
    "use_style",
]

#: From the palettes of M. Okabe and K. Ito and of P. Tol: contrast on white at least
#: 3 to 1, any two at least 20 apart in CIELAB, also with any one kind of cone missing.
PALETTE = ("#0072B2", "#D55E00", "#332288", "#CC79A7", "#882255", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_INK = "#262626"
_MUTED = "#595959"
_BAND = ("pi", 90)
_GUIDE = 1e-3  # of the update ratio

_LABELS = {
    "gradient_norm": "gradient norm (L2)",
    "update_ratio": "update / weight (L2 norms)",
    "dead": "dead units (share)",
    "saturated": "saturated outputs (share)",
    "activation_mean": "activation, mean",
    "activation_std": "activation, standard deviation",
}


def use_style() -> None:
    """Set matplotlib's defaults to the style of the course's figures.

    5.6 inches wide in 12 point type: scaled down to a phone's 340 pixels the letters
    are still 10 pixels high. In a notebook, images have twice the resolution.
    """
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette=PALETTE,
        rc={
            "figure.figsize": (5.6, 3.6),
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "savefig.dpi": 200,
            "font.size": 12,
            "axes.labelsize": 12,
            "axes.titlesize": 12,
            "xtick.labelsize": 11,
            "ytick.labelsize": 11,
            "legend.fontsize": 11,
            "legend.frameon": False,
            "text.color": _INK,
            "axes.labelcolor": _INK,
            "axes.edgecolor": _MUTED,
            "xtick.color": _INK,
            "ytick.color": _INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#E3E3E3",
            "grid.linewidth": 0.8,
            "lines.linewidth": 2,
            "lines.markersize": 6,
        },
    )
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython():
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")


# --------------------------------------------------------------------------------------
# Checks and small helpers
# --------------------------------------------------------------------------------------


def _check(frame: pd.DataFrame, argument: str, *columns: str) -> pd.DataFrame:
    """Return a copy of `frame` with values that are not finite as NaN."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(
            f"{argument} must be a pandas.DataFrame; got {type(frame).__name__}."
        )
    lacking = [column for column in columns if column not in frame]
    if lacking:
        raise ValueError(
            f"{argument} lacks the column {' and '.join(map(repr, lacking))}; it has "
            f"{', '.join(map(str, frame.columns)) or 'none'}."
        )
    if frame.empty:
        raise ValueError(f"{argument} has no rows, so there is nothing to draw.")
    finite = np.isfinite(frame["value"].astype(float))
    return frame.assign(value=frame["value"].astype(float).where(finite))


def _select(frame: pd.DataFrame, argument: str, metric: str) -> pd.DataFrame:
    """Return the rows of one metric."""
    present = frame["metric"].unique()
    if metric not in present:
        raise ValueError(
            f"{argument} has no metric {metric!r}; it has {', '.join(present)}."
        )
    return frame[frame["metric"] == metric]


def _at_epoch(frame: pd.DataFrame, argument: str, epoch: int | None, default: str):
    """Return the rows of one epoch: the given one, or the first or last there is."""
    if "epoch" not in frame:
        return frame
    epochs = frame["epoch"]
    if epoch is None:
        epoch = getattr(epochs, default)()
    if epoch not in set(epochs):
        raise ValueError(
            f"{argument} has no epoch {epoch}; it has {epochs.min()} to {epochs.max()}."
        )
    return frame[epochs == epoch]


def _label(metric: str) -> str:
    return _LABELS.get(metric, metric.replace("val_", "validation ").replace("_", " "))


def _variants(frame: pd.DataFrame) -> list:
    """Return the variants in the order in which they come; one None without any."""
    return list(frame["variant"].unique()) if "variant" in frame else [None]


def _of_variant(frame: pd.DataFrame, variant: object) -> pd.DataFrame:
    return frame if variant is None else frame[frame["variant"] == variant]


def _colors(names: Sequence) -> list:
    """Return a color for each name; numbers get shades from dark to light."""
    if len(names) > 1 and all(isinstance(n, int | float | np.number) for n in names):
        return _shades(len(names))
    return list(islice(cycle(PALETTE), len(names)))


def _shades(count: int) -> list:
    # The last fifth of viridis is too light on white.
    return [mpl.colormaps["viridis"](at) for at in np.linspace(0, 0.8, count)]


def _class_colors(count: int) -> list:
    return list(PALETTE[:count]) if count <= len(PALETTE) else _shades(count)


def _seeds(frame: pd.DataFrame) -> int:
    return frame["seed"].nunique() if "seed" in frame else 1


def _note(ax: Axes, *parts: str) -> None:
    """Say above the axes, small, how to read the figure."""
    lines = [line for part in parts if part for line in textwrap.wrap(part, 60)]
    if lines:
        ax.set_title(
            "\n".join(lines),
            loc="left",
            fontsize="small",
            color=_MUTED,
            linespacing=1.1,
        )


def _band_note(frame: pd.DataFrame) -> str:
    seeds = _seeds(frame)
    return f"median and middle 90% of {seeds} seeds" if seeds > 1 else ""


def _missing_note(frame: pd.DataFrame) -> str:
    """Say which runs have values that are not finite."""
    missing = frame[frame["value"].isna()]
    if missing.empty:
        return ""
    told = []
    for variant in _variants(missing):
        rows = _of_variant(missing, variant)
        if "seed" in rows:
            count = f"{_seeds(rows)} of {_seeds(_of_variant(frame, variant))} seeds"
        else:
            count = f"{len(rows)} values"
        told.append(count if variant is None else f"{variant} in {count}")
    return f"not finite, left out: {'; '.join(told)}"


def text_color(color: object) -> tuple:
    """Darken a color until it reads as text on white (WCAG contrast 4.5 to 1).

    Parameters
    ----------
    color : color
        Any that matplotlib knows.

    Returns
    -------
    tuple of float
        Red, green and blue, each in [0, 1].
    """
    rgb = np.asarray(mpl.colors.to_rgb(color))

    def luminance(rgb: np.ndarray) -> float:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    while 1.05 / (luminance(rgb) + 0.05) < 4.5:
        rgb = rgb * 0.95
    return tuple(rgb)


def _line(
    ax: Axes,
    rows: pd.DataFrame,
    x: str,
    *,
    color: object,
    number: int,
    label: object,
    training: bool = False,
) -> Line2D | None:
    """Draw the median over the seeds with its band; nothing without finite values.

    On axes that are linear still: on a logarithmic one seaborn would take the median
    and the band of the logarithms.
    """
    rows = rows.dropna(subset=["value"])
    if rows.empty:
        return None
    sns.lineplot(
        rows,
        x=x,
        y="value",
        estimator="median",
        errorbar=None if training or _seeds(rows) < 2 else _BAND,
        color=color,
        linestyle=(0, (3, 2)) if training else "-",
        linewidth=1.5 if training else 2,
        marker=None if training else _MARKERS[number % len(_MARKERS)],
        markevery=max(1, rows[x].nunique() // 8) if x == "epoch" else 1,
        label=None if label is None else str(label),
        legend=False,
        err_kws={"linewidth": 0},
        ax=ax,
    )
    return ax.lines[-1]


def _name_lines(ax: Axes, named: Sequence[tuple[object, Line2D | None]]) -> None:
    """Write each line's name beside its end, moved apart where they would overlap.

    Where all lines end together, a name beside them would not tell which is which: a
    legend does. Lines without a name, or without a point, get none.
    """
    named = [(str(n), line) for n, line in named if n is not None and line is not None]
    if not named:
        return
    ax.autoscale_view()
    to_axes = ax.transData + ax.transAxes.inverted()
    labels = [
        (to_axes.transform((0, line.get_ydata()[-1]))[1], name, line)
        for name, line in named
    ]
    labels.sort(key=lambda label: label[0])
    if len(labels) > 1 and labels[-1][0] - labels[0][0] < 0.1:
        names = [textwrap.fill(name, 14, break_on_hyphens=False) for name, _ in named]
        handles = [line for _, line in named]
        ax.legend(handles, names, loc="center left", bbox_to_anchor=(1, 0.5))
        return
    labels = [
        (at, textwrap.fill(name, 16, break_on_hyphens=False), line)
        for at, name, line in labels
    ]
    size = plt.rcParams["legend.fontsize"]
    height = size * 1.25 / 72 * ax.figure.dpi / ax.bbox.height
    heights = [height * (name.count("\n") + 1) for _, name, _ in labels]
    places = [at for at, _, _ in labels]
    for _ in range(100):  # neighbors that overlap make way, half each
        for i in range(len(places) - 1):
            gap = (heights[i] + heights[i + 1]) / 2
            overlap = max(0.0, gap - (places[i + 1] - places[i]))
            places[i] = max(places[i] - overlap / 2, 0)
            places[i + 1] = min(places[i + 1] + overlap / 2, 1)
    for place, (_, name, line) in zip(places, labels, strict=True):
        ax.text(
            1.02,
            place,
            name,
            transform=ax.transAxes,
            va="center",
            ha="left",
            fontsize=size,
            linespacing=1.0,
            color=text_color(line.get_color()),
        )


def _layer_order(frame: pd.DataFrame) -> list[str]:
    """Merge the layer orders of all variants, the frame's order within each.

    A layer that only some variants have stands after the one that precedes it there.
    """
    order: list[str] = []
    for variant in _variants(frame):
        position = 0
        for layer in _of_variant(frame, variant)["layer"].unique():
            if layer not in order:
                order.insert(position, layer)
            position = order.index(layer) + 1
    return order


# --------------------------------------------------------------------------------------
# The figures
# --------------------------------------------------------------------------------------


def learning_curves(
    history: pd.DataFrame,
    metric: str = "loss",
    *,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Show how a metric develops over the epochs, in training and in validation.

    Validation is solid, with its band over the seeds; training is dashed.

    Parameters
    ----------
    history : pandas.DataFrame
        Columns ``epoch, metric, value`` and, if there are several, ``variant``,
        ``seed``; metrics by Keras's names.
    metric : str
        ``"loss"`` draws ``loss`` and ``val_loss``, those that are there;
        ``"val_loss"`` draws that alone. Likewise for any other metric.
    log : bool
        Whether the values' axis is logarithmic.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If `history` is no frame.
    ValueError
        If it lacks a column, has no rows, or lacks the metric.
    """
    history = _check(history, "history", "epoch", "metric", "value")
    parts = [m for m in (metric, f"val_{metric}") if m in set(history["metric"])]
    if not parts:
        _select(history, "history", metric)
    drawn = history[history["metric"].isin(parts)]
    ax = ax or plt.subplots()[1]
    variants = _variants(drawn)
    both = len(parts) == 2
    named = []
    for position, color in enumerate(_colors(variants)):
        rows = _of_variant(drawn, variants[position])
        for part in parts:
            training = both and part == metric
            of_part = rows[rows["metric"] == part]
            name = variants[position]
            if name is None and both:
                name = "training" if training else "validation"
                color = PALETTE[int(training)]
            line = _line(
                ax,
                of_part,
                "epoch",
                color=color,
                number=position,
                label=part if name is None else f"{name}, {part}",
                training=training,
            )
            if not training or variants[position] is None:
                named.append((name, line))
    if log:
        ax.set_yscale("log")
    ax.set(xlabel="epoch", ylabel=_label(metric))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _name_lines(ax, named)
    dashed = "dashed: training" if both and variants != [None] else ""
    _note(
        ax,
        "; ".join(filter(None, [_band_note(drawn), dashed])),
        _missing_note(drawn),
    )
    return ax


def final_scores(
    scores: pd.DataFrame,
    metric: str = "val_accuracy",
    *,
    epoch: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show each variant's scores, every seed a point, with their median.

    The bar through the median is its 95% bootstrap interval over the seeds.

    Parameters
    ----------
    scores : pandas.DataFrame
        A history (columns ``variant, seed, epoch, metric, value``) or scores without
        epochs.
    metric : str
        Which metric.
    epoch : int, optional
        Of which epoch; the last unless given.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If `scores` is no frame.
    ValueError
        If it lacks a column, has no rows, or lacks the metric or the epoch.
    """
    scores = _check(scores, "scores", "variant", "seed", "metric", "value")
    rows = _select(scores, "scores", metric)
    rows = _at_epoch(rows, "scores", epoch, "max")
    variants = _variants(rows)
    colors = _colors(variants)
    names = [textwrap.fill(str(variant), 16) for variant in variants]
    finite = rows.dropna(subset=["value"]).assign(
        name=lambda frame: frame["variant"].map(dict(zip(variants, names, strict=True)))
    )
    if ax is None:
        ax = plt.subplots(figsize=(5.6, 1.2 + 0.6 * len(variants)))[1]
    common = {"x": "value", "y": "name", "order": names, "ax": ax, "hue_order": names}
    # Not a strip with its random jitter: that would draw from the global generator.
    sns.swarmplot(
        finite,
        hue="name",
        palette=colors,
        size=4.5,
        alpha=0.75,
        zorder=3,
        legend=False,
        warn_thresh=1,
        **common,
    )
    sns.pointplot(
        finite,
        estimator="median",
        errorbar=("ci", 95),
        seed=0,
        color=_INK,
        linestyle="none",
        marker="|",
        markersize=22,
        markeredgewidth=2.5,
        err_kws={"linewidth": 1.5},
        zorder=2.5,  # behind the points: with few seeds it would cover them
        **{k: v for k, v in common.items() if k != "hue_order"},
    )
    ax.set(xlabel=_label(metric), ylabel="")
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    _note(
        ax,
        f"{_seeds(rows)} seeds, their median and its 95% interval",
        _missing_note(rows),
    )
    return ax


def estimates(
    estimates: Mapping[str, Estimate] | pd.DataFrame,
    *,
    reference: float | None = 0,
    notes: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Show estimates with their intervals, one below the other.

    A point is filled where its interval leaves the reference out, else hollow. Name,
    value and interval stand above it, what the intervals cover on top of the figure.

    Parameters
    ----------
    estimates : mapping of str to Estimate, or pandas.DataFrame
        By name; or a table with the names as index and the columns ``value``, ``low``,
        ``high``, or ``difference``, ``difference_low``, ``difference_high`` as
        :func:`nnperf_utils.statistics.summarize` returns it.
    reference : float, optional
        Where to draw a line: what "no difference" is. ``None`` draws none.
    notes : bool
        Whether to say on top what the intervals cover; leave it to a caption where the
        estimates have designs of their own.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If `estimates` is neither, or holds something else than estimates.
    ValueError
        If it is empty, lacks a column, or has no finite value.
    """
    table, told = _estimates_table(estimates)
    if not np.isfinite(table["value"]).any():
        raise ValueError("estimates holds no finite value, so nothing can be drawn.")
    if ax is None:
        ax = plt.subplots(figsize=(5.6, 1.2 + 0.6 * len(table)))[1]
    if reference is not None:
        ax.axvline(reference, color=_INK, linestyle=(0, (1, 2)), linewidth=1.5)
    for position, (name, one) in enumerate(table.astype(float).iterrows()):
        known = np.isfinite([one.low, one.high]).all()
        outside = reference is None or one.low > reference or one.high < reference
        ax.plot([one.low, one.high], [position] * 2, color=PALETTE[0], linewidth=2.5)
        ax.plot(
            one.value,
            position,
            marker="o",
            markersize=8,
            color=PALETTE[0],
            markeredgewidth=2,
            markerfacecolor=PALETTE[0] if known and outside else "white",
        )
        # above the interval, so that the axes keep the width of a phone, and on a
        # ground of their own, so that no line runs through the numbers
        ground = {"facecolor": "white", "linewidth": 0, "pad": 1}
        for at, side, text in ((0, "left", name), (1, "right", _with_ends(one))):
            ax.text(
                at,
                position - 0.4,
                textwrap.shorten(str(text), 40, placeholder="…"),
                transform=ax.get_yaxis_transform(),
                ha=side,
                va="center",
                fontsize="small",
                bbox=ground,
            )
    ax.set(xlabel="estimate", ylabel="", yticks=[])
    ax.set_ylim(len(table) - 0.6, -0.8)
    ax.spines["left"].set_visible(False)
    if notes:
        _note(ax, *told)
    return ax


def _with_ends(one: pd.Series) -> str:
    """Return a value and its interval, to the digits that the interval leaves sure."""
    width = one.high - one.low
    if not np.isfinite(width):
        return f"{one.value:.3g}".replace("-", "−")
    digits = max(0, 1 - int(np.floor(np.log10(width)))) if width else 3
    if digits > 6:
        return f"{one.value:.3g} [{one.low:.3g}, {one.high:.3g}]".replace("-", "−")
    value, low, high = (f"{end:,.{digits}f}" for end in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}]".replace("-", "−")


def _estimates_table(
    given: Mapping[str, Estimate] | pd.DataFrame,
) -> tuple[pd.DataFrame, list[str]]:
    """Return value, low and high by name, and what there is to say about them."""
    ends = ["value", "low", "high"]
    if isinstance(given, pd.DataFrame):
        of_summary = ["difference", "difference_low", "difference_high"]
        columns = ends if "value" in given or "difference" not in given else of_summary
        lacking = [column for column in columns if column not in given]
        if lacking:
            raise ValueError(
                f"estimates lacks the column {' and '.join(map(repr, lacking))}; it "
                f"has {', '.join(map(str, given.columns)) or 'none'}."
            )
        table = given[columns].set_axis(ends, axis=1)
        table = table.dropna(subset="value") if columns == of_summary else table
        told = [_level_note(given.attrs), _design_note(given.attrs)]
    elif isinstance(given, Mapping):
        for name, one in given.items():
            if not isinstance(one, Estimate):
                raise TypeError(
                    f"estimates must hold an Estimate by name; {name!r} is of type "
                    f"{type(one).__name__}."
                )
        rows = [[getattr(one, end) for end in ends] for one in given.values()]
        table = pd.DataFrame(rows, index=list(given), columns=ends)
        told = _told_once(given, lambda one: _level_note(vars(one)))
        told += _told_once(given, lambda one: _design_note(vars(one)))
    else:
        raise TypeError(
            "estimates must be a mapping of names to Estimate, or a pandas.DataFrame; "
            f"got {type(given).__name__}."
        )
    if table.empty:
        raise ValueError("estimates has no rows, so there is nothing to draw.")
    return table, told


def _told_once(
    given: Mapping[str, Estimate], say: Callable[[Estimate], str]
) -> list[str]:
    """Say what is so of all estimates once, and else of whom it is so."""
    said: dict[str, list[str]] = {}
    for name, one in given.items():
        said.setdefault(say(one), []).append(str(name))
    if len(said) == 1:
        return list(said)
    return [f"{', '.join(names)}: {text}" for text, names in said.items() if text]


def _level_note(told: Mapping) -> str:
    """Say of which level the intervals are, and over how many comparisons."""
    together, comparisons = told.get("confidence_level"), told.get("comparisons", 1)
    if together is None:
        return ""
    if comparisons == 1:
        return f"{100 * together:.3g}% intervals"
    alone = 100 * (1 - (1 - together) / comparisons)
    return (
        f"{alone:.3g}% intervals: {100 * together:.3g}% over {comparisons} comparisons "
        "together"
    )


def _design_note(told: Mapping) -> str:
    """Say what was drawn at random and what the intervals cover."""
    return ": ".join(filter(None, [told.get("design"), told.get("covers")]))


def lines(
    table: pd.DataFrame,
    *,
    log: str = "",
    dashed: Sequence[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Show the columns of a table as lines, each with its name beside its end.

    Parameters
    ----------
    table : pandas.DataFrame
        A column for each line; the index, numbers in rising order, is the horizontal
        axis, and its name that axis's label.
    log : {"", "x", "y", "xy"}
        Which axes are logarithmic.
    dashed : sequence of str
        Columns that are drawn dashed, without points.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the table is empty, or has no column of a name in `dashed`.
    """
    if table.empty:
        raise ValueError("table has no numbers, so there is nothing to draw.")
    for name in dashed:
        if name not in table:
            raise ValueError(
                f"dashed has {name!r}; the columns are "
                f"{', '.join(map(str, table.columns))}."
            )
    ax = ax or plt.subplots()[1]
    named = []
    for number, (name, color) in enumerate(
        zip(table, _colors([str(one) for one in table]), strict=True)
    ):
        is_dashed = name in dashed
        (line,) = ax.plot(
            table.index,
            table[name],
            color=color,
            linestyle=(0, (3, 2)) if is_dashed else "-",
            linewidth=1.5 if is_dashed else 2,
            marker=None if is_dashed else _MARKERS[number % len(_MARKERS)],
        )
        named.append((name, line))
    if "x" in log:
        ax.set_xscale("log")
        ax.set_xticks(table.index, [f"{place:,g}" for place in table.index])
        ax.minorticks_off()
    if "y" in log:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("")
    ax.set_xlabel(table.index.name or "")
    _name_lines(ax, named)
    return ax


def guide_line(
    ax: Axes,
    name: str,
    *,
    x: float | None = None,
    y: float | None = None,
    at: float | None = None,
) -> Axes:
    """Draw a dashed line to compare with, and its name beside it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    name : str
        What the line stands for.
    x, y : float
        Where it stands: an upright line at `x` or a level one at `y`, one of the two.
    at : float, optional
        Where along the line its name stands. By default it stands between the first
        two rows at an upright line, and at the right end of a level one.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If both or neither of `x` and `y` are given.
    """
    if (x is None) == (y is None):
        raise ValueError(f"give x or y, one of the two; got x={x!r} and y={y!r}.")
    line = {"color": _MUTED, "linestyle": "--", "linewidth": 1.5, "zorder": 1}
    text = {"color": _MUTED, "fontsize": "small", "textcoords": "offset points"}
    if x is not None:
        ax.axvline(x, **line)
        at = 0.5 if at is None else at
        ax.annotate(name, (x, at), xytext=(4, 0), va="center", **text)
    elif at is not None:
        ax.axhline(y, **line)
        ax.annotate(name, (at, y), xytext=(0, 2), **text)
    else:
        ax.axhline(y, **line)
        right = {"xycoords": ax.get_yaxis_transform(), "ha": "right"}
        ax.annotate(name, (1, y), xytext=(-2, 2), **right, **text)
    return ax


def lines_by(
    frame: pd.DataFrame,
    x: str,
    *,
    line: str = "variant",
    log: str = "",
    dashed: Sequence[str] = (),
    evenly: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Show how one number depends on another, the median and a band for each line.

    Parameters
    ----------
    frame : pandas.DataFrame
        The columns `x` and ``value`` and, if there are several, `line` and ``seed``.
    x : str
        Column for the horizontal axis.
    line : str
        Column that tells the lines apart.
    log : {"", "x", "y", "xy"}
        Which axes are logarithmic.
    dashed : sequence of str
        Lines that are drawn dashed and without a band.
    evenly : bool
        Whether the values of `x` stand side by side, however far they lie apart.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If `frame` is no frame.
    ValueError
        If it lacks a column or has no rows, or `log` names no axes.
    """
    own = () if line == "variant" else (line,)
    frame = _check(frame, "frame", x, "value", *own)
    if log not in ("", "x", "y", "xy"):
        raise ValueError(f"log must be '', 'x', 'y' or 'xy'; got {log!r}.")
    ax = ax or plt.subplots()[1]
    if own:
        frame = frame.assign(variant=frame[line])
    places = sorted(frame[x].unique())
    shown = frame.assign(**{x: frame[x].map(places.index)}) if evenly else frame
    named = []
    variants = _variants(frame)
    for number, (name, color) in enumerate(
        zip(variants, _colors(variants), strict=True)
    ):
        drawn = _line(
            ax,
            _of_variant(shown, name),
            x,
            color=color,
            number=number,
            label=name,
            training=name in dashed,
        )
        named.append((name, drawn))
    ax.set(**{f"{axis}scale": "log" for axis in log})
    ax.set(xlabel=_label(x), ylabel="")
    if evenly:
        ax.set_xticks(range(len(places)), [f"{one:,g}" for one in places])
    _name_lines(ax, named)
    _note(ax, _band_note(frame), _missing_note(frame))
    return ax


def differences(
    values: Sequence[float],
    *,
    above: str = "",
    below: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Show single differences as stems from zero, sorted, in two colors by their sign.

    Parameters
    ----------
    values : sequence of float
        The differences; those that are zero are gray.
    above, below : str
        What a difference above and below zero means, written on that side.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `values` is empty, or holds something that is no finite number.
    """
    heights = np.sort(np.asarray(values, dtype=float))
    if not len(heights) or not np.isfinite(heights).all():
        raise ValueError("values must be one finite number or more.")
    ax = ax or plt.subplots(figsize=(5.6, 2.9))[1]
    by_sign = {1: PALETTE[0], -1: PALETTE[1], 0: _MUTED}
    colors = [by_sign[int(np.sign(height))] for height in heights]
    places = range(len(heights))
    ax.vlines(places, 0, heights, colors, linewidth=2)
    ax.scatter(places, heights, c=colors, zorder=3)
    ax.axhline(0, color=_INK, linewidth=1)
    for name, sign, at, side in ((above, 1, 0, "left"), (below, -1, 1, "right")):
        ax.annotate(
            name,
            (at, 0),
            xycoords=ax.get_yaxis_transform(),
            xytext=(6 * sign, 8 * sign),  # off the axis
            textcoords="offset points",
            ha=side,
            va="bottom" if sign > 0 else "top",
            color=text_color(by_sign[sign]),
        )
    ax.set(xlabel="one comparison each, sorted", xticks=[])
    return ax


def by_split(values: pd.Series, *, ax: Axes | None = None) -> Axes:
    """Show runs on many splits: a column of seeds for each split, sorted by its mean.

    The bar is the 95% interval of the mean over the seeds of that split alone, with the
    spread of the seeds as all splits show it. Where it misses the mean of all splits
    (dashed), the bar is orange and its mean a square.

    Parameters
    ----------
    values : pandas.Series
        By ``split`` and ``seed``, two seeds or more on each.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        As :func:`nnperf_utils.statistics.variance_components`.
    """
    sd = variance_components(values).loc["seed", "sd"]
    groups = values.groupby("split")
    count, means = groups.count(), groups.mean().sort_values()
    half = stats.t.ppf(0.975, len(values) - len(count)) * sd / np.sqrt(count)
    ax = ax or plt.subplots()[1]
    for place, (split, mean) in enumerate(means.items()):
        misses = abs(mean - means.mean()) > half[split]
        color = PALETTE[int(misses)]
        ends = [mean - half[split], mean + half[split]]
        ax.plot([place] * 2, ends, color=color, linewidth=2.5)
        ax.plot(place, mean, marker="s" if misses else "o", color=color, markersize=7)
        seeds = groups.get_group(split)
        ax.plot([place] * len(seeds), seeds, ".", color=_MUTED, markersize=5)
    ax.axhline(means.mean(), color=_INK, linestyle=(0, (3, 2)), linewidth=1.5)
    ax.set(xlabel="split, sorted by its mean", xticks=[])
    return ax


def readings_by_layer(
    readings: pd.DataFrame,
    metric: str,
    *,
    epoch: int | None = None,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Show one reading of the instruments layer by layer, first layer to last.

    Parameters
    ----------
    readings : pandas.DataFrame
        Columns ``layer, metric, value`` and, if there are several, ``variant``,
        ``seed``, ``epoch``; layers in the order of the forward pass. For some layers
        only, select them before.
    metric : str
        Which reading: ``"activation_std"``, ``"dead"``, …
    epoch : int, optional
        Of which epoch; the first unless given, which is before training.
    log : bool
        Whether the values' axis is logarithmic; zeros are left out of it then.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If `readings` is no frame.
    ValueError
        If it lacks a column, has no rows, or lacks the metric or the epoch.
    """
    readings = _check(readings, "readings", "layer", "metric", "value")
    rows = _select(readings, "readings", metric)
    rows = _at_epoch(rows, "readings", epoch, "min")
    order = _layer_order(rows)
    rows = rows.assign(position=rows["layer"].map({n: i for i, n in enumerate(order)}))
    ax = ax or plt.subplots()[1]
    variants = _variants(rows)
    zeros = int((rows["value"] <= 0).sum()) if log else 0
    shown = rows[rows["value"] > 0] if log else rows.dropna(subset=["value"])
    named = []
    for number, color in enumerate(_colors(variants)):
        line = _line(
            ax,
            _of_variant(shown, variants[number]),
            "position",
            color=color,
            number=number,
            label=variants[number],
        )
        named.append((variants[number], line))
    if log:
        ax.set_yscale("log")
    _layer_ticks(ax, order)
    ax.set(xlabel="layer, from input to output", ylabel=_label(metric))
    _name_lines(ax, named)
    _note(
        ax,
        _band_note(rows),
        _missing_note(rows),
        f"{zeros} zeros left out" if zeros else "",
    )
    return ax


def _layer_ticks(ax: Axes, order: Sequence[str]) -> None:
    """Name at most ten layers on the horizontal axis, slanted where names are long."""
    step = -(-len(order) // 10)
    positions = range(0, len(order), step)
    names = [order[i] for i in positions]
    slanted = sum(map(len, names)) > 32
    ax.set_xticks(
        positions,
        names,
        rotation=35 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor",
    )
    ax.margins(x=0.03)


def gradient_norm_by_layer(
    readings: pd.DataFrame, *, epoch: int | None = None, ax: Axes | None = None
) -> Axes:
    """Show whether gradients vanish or explode on their way back to the first layer.

    The axis is logarithmic: a straight slope is a constant factor for each layer.

    Parameters
    ----------
    readings : pandas.DataFrame
        Columns ``layer, metric, value`` with the metric ``gradient_norm``, and, if
        there are several, ``variant``, ``seed``, ``epoch``.
    epoch : int, optional
        Of which epoch; the first unless given, which is before training.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If `readings` is no frame.
    ValueError
        If it lacks a column, has no rows, or lacks the metric or the epoch.
    """
    return readings_by_layer(readings, "gradient_norm", epoch=epoch, log=True, ax=ax)


def activation_histograms(
    activations: pd.DataFrame, *, bins: int = 60, ax: Axes | None = None
) -> Axes:
    """Show how each layer's outputs are distributed, first layer on top.

    Each histogram is scaled to the same height. Outputs that are exactly zero, which a
    ReLU has many of, would dwarf the rest: their share is written beside instead.

    Parameters
    ----------
    activations : pandas.DataFrame
        Columns ``layer, value``, of one network, layers in the order of the forward
        pass.
    bins : int
        Number of bins over the range that all layers share.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If `activations` is no frame.
    ValueError
        If it lacks a column or has no rows.
    """
    activations = _check(activations, "activations", "layer", "value")
    order = list(activations["layer"].unique())
    finite = activations.dropna(subset=["value"])
    if finite.empty:
        raise ValueError("activations holds no finite value, so nothing can be drawn.")
    if ax is None:
        ax = plt.subplots(figsize=(5.6, 1.1 + 0.55 * len(order)))[1]
    # A few extreme outputs must not squeeze all others into one bin.
    low, high = np.quantile(finite["value"], [0.001, 0.999])
    margin = 0.02 * (high - low) or 0.5
    edges = np.linspace(low - margin, high + margin, bins + 1)
    for position, (layer, color) in enumerate(
        zip(order, _shades(len(order)), strict=True)
    ):
        values = finite.loc[finite["layer"] == layer, "value"].to_numpy()
        zeros = np.mean(values == 0) if values.size else 0.0
        counts, _ = np.histogram(values[values != 0], edges)
        height = 0.85 * counts / max(1, counts.max())
        ax.fill_between(
            edges,
            position,
            position - np.append(height, height[-1]),
            step="post",
            color=color,
            alpha=0.85,
            linewidth=0,
        )
        if zeros > 0.01:
            ax.text(
                1.02,
                position - 0.3,
                f"{zeros:.0%} at 0",
                transform=ax.get_yaxis_transform(),
                va="center",
                fontsize="small",
            )
    ax.set_yticks(range(len(order)), order)
    ax.set_ylim(len(order) - 0.9, -0.95)
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="output of the layer", ylabel="")
    _note(ax, _missing_note(activations))
    return ax


def update_ratios(readings: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Show how large each layer's updates are beside its weights, over the epochs.

    A line for each layer, dark for the first to light for the last, and the guide at
    1e-3, where training usually goes well (A. Karpathy, "makemore", part 3): far below
    it a layer hardly learns, far above it its weights are thrown about.

    Parameters
    ----------
    readings : pandas.DataFrame
        Columns ``epoch, layer, metric, value`` with the metric ``update_ratio``, of
        one variant; and ``seed``, if there are several.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If `readings` is no frame.
    ValueError
        If it lacks a column, has no rows, lacks the metric, or holds several variants.
    """
    readings = _check(readings, "readings", "epoch", "layer", "metric", "value")
    rows = _select(readings, "readings", "update_ratio")
    variants = _variants(rows)
    if len(variants) > 1:
        raise ValueError(
            "readings must be of one variant, for a line stands for a layer; it has "
            f"{', '.join(map(str, variants))}."
        )
    ax = ax or plt.subplots()[1]
    order = _layer_order(rows)
    shown = rows[rows["value"] > 0]
    zeros = int((rows["value"] <= 0).sum())
    named = []
    for number, color in enumerate(_shades(len(order))):
        of_layer = shown[shown["layer"] == order[number]]
        line = _line(
            ax, of_layer, "epoch", color=color, number=number, label=order[number]
        )
        named.append((order[number], line))
    ax.set_yscale("log")
    ax.axhline(_GUIDE, color=_INK, linestyle=(0, (1, 2)), linewidth=1.5, zorder=1)
    ax.annotate(
        "guide: 10⁻³",
        (1, _GUIDE),
        xycoords=ax.get_yaxis_transform(),
        xytext=(-4, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize="small",
        color=_INK,
    )
    ax.set(xlabel="epoch", ylabel=_label("update_ratio"))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _name_lines(ax, named)
    _note(
        ax,
        _band_note(rows),
        _missing_note(rows),
        f"{zeros} zeros left out" if zeros else "",
    )
    return ax


def decision_boundary(
    predict: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    *,
    resolution: int = 200,
    ax: Axes | None = None,
) -> Axes:
    """Show where a classifier of two features draws its line, with the examples.

    Parameters
    ----------
    predict : callable
        Takes points, shape ``(n, 2)``, and returns the probability of class 1, shape
        ``(n,)`` or ``(n, 1)``, or those of all classes, shape ``(n, classes)``:
        ``model.predict``, for one.
    x : array of shape (examples, 2)
        The examples' features.
    y : array of shape (examples,)
        Their classes, whole numbers from 0.
    resolution : int
        Points of the grid along each feature.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    x, y = np.asarray(x), np.asarray(y).ravel()
    if x.ndim != 2 or x.shape[1] != 2 or len(x) != len(y) or not len(x):
        raise ValueError(
            "x must have the shape (examples, 2), and y a class for each example; got "
            f"{x.shape} and {y.shape}."
        )
    ax = ax or plt.subplots(figsize=(4.6, 4))[1]
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.08 * (high - low)
    axes = [
        np.linspace(a, b, resolution, dtype="float32")
        for a, b in zip(low - margin, high + margin, strict=True)
    ]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    predicted = np.asarray(predict(grid))
    if predicted.shape[0] != len(grid) or predicted.ndim > 2:
        raise ValueError(
            f"predict must return one row for each of the {len(grid)} points; got the "
            f"shape {predicted.shape}."
        )
    if predicted.ndim == 2 and predicted.shape[1] == 2:
        predicted = predicted[:, 1]
    shape = (resolution, resolution)
    classes = int(y.max()) + 1
    if predicted.size == len(grid):
        classes = max(classes, 2)
        probability = predicted.reshape(shape)
        tints = mpl.colors.LinearSegmentedColormap.from_list(
            "classes", [PALETTE[0], "white", PALETTE[1]]
        )
        levels = np.linspace(0, 1, 11)
        filled = ax.contourf(*axes, probability, levels, cmap=tints, alpha=0.4)
        if probability.min() < 0.5 < probability.max():
            ax.contour(*axes, probability, [0.5], colors=_INK, linewidths=2)
        bar = ax.figure.colorbar(filled, ax=ax, ticks=[0, 0.5, 1])
        bar.set_label("predicted probability of class 1")
    else:
        classes = max(classes, predicted.shape[1])
        chosen = predicted.argmax(axis=1).reshape(shape)
        levels = np.arange(classes + 1) - 0.5
        ax.contourf(*axes, chosen, levels, colors=_class_colors(classes), alpha=0.3)
        ax.contour(*axes, chosen, levels, colors=_INK, linewidths=1.2)
    for label, color in enumerate(_class_colors(classes)):
        ax.scatter(
            *x[y == label].T,
            color=color,
            marker=_MARKERS[label % len(_MARKERS)],
            edgecolor="white",
            linewidth=0.6,
            s=30,
            label=f"class {label}",
            zorder=3,
        )
    ax.set(xlabel="feature 1", ylabel="feature 2")
    ax.grid(visible=False)
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=min(classes, 4),
        borderaxespad=0.2,
        handletextpad=0.1,
        columnspacing=1,
    )
    return ax


def dumbbells(table: pd.DataFrame, *, label: str = "", ax: Axes | None = None) -> Axes:
    """Show for each row how far apart its numbers lie: a mark each, joined by a line.

    Parameters
    ----------
    table : pandas.DataFrame
        Two or three columns, of numbers or of Estimate, whose intervals are drawn; the
        index names the rows.
    label : str
        What is measured, with its unit.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `table` has no rows, or not two or three columns.
    """
    if table.empty or table.shape[1] not in (2, 3):
        raise ValueError(
            "table must have rows and two or three columns; got the shape "
            f"{table.shape}."
        )
    values = table.map(lambda one: float(getattr(one, "value", one)))
    ax = ax or plt.subplots(figsize=(5.6, 1.1 + 0.29 * len(table)))[1]
    rows = np.arange(len(table))
    ax.hlines(rows, values.min(axis=1), values.max(axis=1), color="0.75", linewidth=2)
    for place, name in enumerate(table):
        color, marker = PALETTE[place], _MARKERS[place]
        shift = 0.14 * (place - (table.shape[1] - 1) / 2)  # intervals side by side
        for row, one in enumerate(table[name]):
            if isinstance(one, Estimate):
                ax.hlines(row + shift, one.low, one.high, color=color, linewidth=2)
        shift = shift if isinstance(table.iloc[0, place], Estimate) else 0
        ax.plot(
            values[name], rows + shift, marker, color=color, markersize=7, label=name
        )
    ax.set_yticks(rows, table.index)
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xlabel(label)
    ax.grid(axis="y", visible=False)
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=table.shape[1],
        frameon=False,
        borderaxespad=0.2,
        handletextpad=0.1,
        columnspacing=1,
    )
    return ax


def example_images(
    x: np.ndarray, y: np.ndarray, names: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Show the first image of each class in a row.

    Parameters
    ----------
    x : array of shape (examples, height, width[, 1]) or (examples, side²)
        Gray images; flat rows are taken to be square.
    y : array of shape (examples,)
        Their classes, whole numbers from 0.
    names : sequence of str
        Name of each class.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `x` holds no gray images, or a class has no example.
    """
    x, y = np.asarray(x), np.asarray(y)
    side = round(np.sqrt(x.shape[-1]))
    if x.ndim == 2 and side**2 == x.shape[1]:
        x = x.reshape(-1, side, side)
    elif x.ndim == 4 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.ndim != 3:
        raise ValueError(
            "x must hold gray images, (examples, height, width[, 1]) or "
            f"(examples, side²); got the shape {x.shape}."
        )
    for label, name in enumerate(names):
        if not np.any(y == label):
            raise ValueError(f"y has no example of class {label}, {name}.")
    ax = ax or plt.subplots(figsize=(5.6, 1.5))[1]
    width = x.shape[2]
    strip = np.hstack([x[y == label][0] for label in range(len(names))])
    ax.imshow(strip, cmap="gray_r")
    for border in range(1, len(names)):
        ax.axvline(border * width - 0.5, color="white", linewidth=2)
    ax.set_xticks(
        width * np.arange(len(names)) + (width - 1) / 2,
        names,
        rotation=35,
        ha="right",
        rotation_mode="anchor",
        fontsize="small",
    )
    ax.tick_params(axis="x", length=0, pad=2)
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return ax


def example_signals(
    x: np.ndarray, y: np.ndarray, names: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Show the first signal of each class in a row.

    Parameters
    ----------
    x : array of shape (examples, length[, 1])
        Signals, or flat rows of them.
    y : array of shape (examples,)
        Their classes, whole numbers from 0.
    names : sequence of str
        Name of each class.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `x` holds no signals, or a class has no example.
    """
    x, y = np.asarray(x), np.asarray(y)
    x = x[..., 0] if x.ndim == 3 and x.shape[-1] == 1 else x
    if x.ndim != 2:
        raise ValueError(
            f"x must hold signals, (examples, length[, 1]); got the shape {x.shape}."
        )
    for label, name in enumerate(names):
        if not np.any(y == label):
            raise ValueError(f"y has no example of class {label}, {name}.")
    ax = ax or plt.subplots(figsize=(5.6, 1.3))[1]
    along = np.linspace(-0.42, 0.42, x.shape[1])
    for label in range(len(names)):
        ax.plot(label + along, x[y == label][0], color=PALETTE[0], linewidth=1.5)
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.grid(visible=False)
    sns.despine(ax=ax, left=True, bottom=True)
    return ax


def side_by_side(
    draw: Callable[..., Axes],
    shown: Mapping[str, object],
    *,
    share_y: bool = True,
    **options: object,
) -> list[Axes]:
    """Draw one of these figures several times, side by side, each under its title.

    Two stand in a row: with three, the letters would be too small on a phone.

    Parameters
    ----------
    draw : callable
        A function of this module that takes what it shows, and `ax`.
    shown : mapping of str to anything
        What it shows, by title.
    share_y : bool
        Whether all have one scale. It and the lines are then named once.
    **options
        Further arguments of `draw`, the same for all.

    Returns
    -------
    list of matplotlib.axes.Axes

    Examples
    --------
    >>> side_by_side(final_scores, {"one table": a, "another": b})  # doctest: +SKIP
    """
    columns = min(len(shown), 2)
    rows = -(-len(shown) // columns)
    figure, grid = plt.subplots(
        rows,
        columns,
        figsize=(1 + 2.6 * columns, 0.4 + 2.6 * rows),
        sharey=share_y,
        squeeze=False,
        layout="constrained",
    )
    figure.get_layout_engine().set(wspace=0.02 if share_y else 0.1)
    axes, free = np.split(grid.ravel(), [len(shown)])
    for ax in free:
        ax.remove()
    for place, (ax, (title, one)) in enumerate(zip(axes, shown.items(), strict=True)):
        draw(one, ax=ax, **options)
        ax.set_title("", loc="left")  # the note, for which there is no room
        ax.set_title(title)
        if share_y and place % columns:
            ax.yaxis.label.set_visible(False)
            ax.tick_params(axis="y", labelleft=False)
    for ax in axes if len(free) else ():
        for name in filter(None, [*ax.texts, ax.get_legend()]):
            name.set_in_layout(False)  # those of the last go into what is left free
    for ax in axes[:-1] if share_y else ():
        beside = [text for text in ax.texts if text.get_position()[0] > 1]
        for name in filter(None, [*beside, ax.get_legend()]):
            name.remove()
    return list(axes)


use_style()
