"""Drawings of what a chapter is about, in numbers that nobody has measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise, product

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from nnperf_utils.plots import PALETTE, side_by_side, text_color

__all__ = [
    "clipped_arrows",
    "dead_unit",
    "layer_passes",
    "layer_sums",
    "residual_block",
    "row_splits",
    "search_loop",
    "skip_paths",
    "thinned_networks",
    "training_step",
    "weight_paths",
    "what_is_averaged",
]

_INK = "#262626"
_EXAMPLES, _UNITS = 4, 6  # of the batch that is averaged
_FORWARD = ("$h_{l-1}$", r"$W_l\,h$", "$z_l$", r"$\varphi(z)$", "$h_l$")
_BACK = (
    r"$\dfrac{\partial L}{\partial h_{l-1}}$",
    r"$W_l^\top g$",
    r"$\dfrac{\partial L}{\partial z_l}$",
    r"$\times\,\varphi'(z)$",
    r"$\dfrac{\partial L}{\partial h_l}$",
)

_ANSWER = (
    "measurements $x$",
    "layers and their weights",
    "logit $z$",
    r"sigmoid $\sigma(z)$",
    "probability $p$",
    "cross-entropy with label $y$",
    "loss $L$",
)

_LEARN = (
    "gradient of every weight",
    "back through the layers",
    r"$\partial L/\partial z\;=\;p - y$",
    r"× slope $\;p\,(1-p)$",
    r"$\partial L/\partial p\;=\;(p-y)\,/\,(p\,(1-p))$",
    r"slope of $L$",
    "loss $L$",
)

_RESIDUAL_FORWARD = (
    "$h_{l-1}$",
    "ReLU",
    r"$\times\,W_l$",
    "$+$",
    "$h_l$",
)
_RESIDUAL_BACK = (
    "$g_{l-1}$",
    "$+$",
    "× slope",
    r"$\times\,W_l^\top$",
    "$g_l$",
)

_CROSS = {"color": "#262626", "ha": "center", "va": "center", "fontweight": "bold"}

_WIRE = {"color": "#9A9A9A", "linewidth": 0.8, "zorder": 1}

_UNIT = {"s": 90, "linewidth": 1.5, "zorder": 2}

_OFF = {"facecolor": "white", "edgecolor": "#9A9A9A", "linestyle": ":"}


def _box(ax: Axes, x: float, y: float, text: str, color: object, **look) -> None:
    """Write a text in a box; the box's edge has the color."""
    edge = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": color, "lw": 2}
    ax.text(x, y, text, **{"ha": "center", "va": "center", "bbox": edge} | look)


def _arrow(ax: Axes, start, end, color: object, **look) -> None:
    """Draw an arrow from one place to another."""
    arrow = {"arrowstyle": "-|>", "color": color, "lw": 1.5} | look
    ax.annotate("", end, start, arrowprops=arrow)


def _chain(ax: Axes, parts, places: np.ndarray, color: object, *, back: bool) -> None:
    """Write what there is and, in boxes between, what is done with it, with arrows."""
    for number, (part, place) in enumerate(zip(parts, places, strict=True)):
        look = {} if number % 2 else {"bbox": None}
        _box(ax, *place, part, color, **look)
    for before, after in pairwise(places):
        middle, reach = (before + after) / 2, 0.18 * (after - before)
        ends = (middle - reach, middle + reach)
        _arrow(ax, *(ends[::-1] if back else ends), color)


def row_splits(folds: int = 5, *, ax: Axes | None = None) -> Axes:
    """Draw how the rows of a table are split: one validation part, or folds.

    Parameters
    ----------
    folds : int
        How many folds, two or more.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        For fewer than two folds.
    """
    if folds < 2:
        raise ValueError(f"folds is {folds!r}; expected two or more.")
    ax = ax or plt.subplots(figsize=(5.6, 3.4))[1]
    names = ["one split", *(f"fold {number}" for number in range(1, folds + 1))]
    lefts = [folds - 1, *range(folds)]
    heights = [0.0, *np.arange(folds) + 1.6]
    for height, left in zip(heights, lefts, strict=True):
        parts = ((0, folds, PALETTE[0], 0.25), (left, 1, PALETTE[1], 1.0))
        for start, width, color, alpha in parts:
            bar = {"edgecolor": "white", "linewidth": 1.5, "height": 0.8}
            ax.barh(height, width, left=start, color=color, alpha=alpha, **bar)
    top, bottom = -0.4, heights[-1] + 0.4
    ax.barh(
        (top + bottom) / 2,
        0.8,
        height=bottom - top,
        left=folds + 0.25,
        color="#D9D9D9",
        edgecolor="#595959",
        hatch="//",
    )
    white = {"boxstyle": "round,pad=0.3", "fc": "white", "ec": "none"}
    ax.text(
        folds + 0.65,
        (top + bottom) / 2,
        "test part, locked away",
        rotation=90,
        ha="center",
        va="center",
        bbox=white,
    )
    ax.text((folds - 1) / 2, 0, "trains", ha="center", va="center")
    ax.text(folds - 0.5, 0, "validates", ha="center", va="center", color="white")
    ax.set(yticks=heights, yticklabels=names, xticks=[], xlim=(0, folds + 1.1))
    ax.set(ylim=(bottom + 0.1, top - 0.1), xlabel="rows of the table, shuffled")
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return ax


def training_step(*, ax: Axes | None = None) -> Axes:
    """Draw a yes-or-no network's way to its loss, and the gradient's way back.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or plt.subplots(figsize=(5.6, 5))[1]
    columns = (
        ("forward: the answer", 0, PALETTE[0], _ANSWER, False),
        ("back: the gradient", 4, PALETTE[1], _LEARN, True),
    )
    for name, x, color, parts, back in columns:
        ax.text(x, 1, name, color=text_color(color), ha="center", va="center")
        places = np.array([(x, -number) for number in range(len(parts))])
        _chain(ax, parts, places, color, back=back)
    ax.set(xlim=(-2.1, 6.1), ylim=(-6.5, 1.4))
    ax.axis("off")
    return ax


def layer_passes(*, ax: Axes | None = None) -> Axes:
    """Draw one layer: forward on top, back below, and the product that both make.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or plt.subplots(figsize=(5.6, 3.2))[1]
    rows = (
        ("forward: the signal", 4.2, PALETTE[0], _FORWARD, False),
        ("back: the gradient", 2.4, PALETTE[1], _BACK, True),
    )
    for name, height, color, parts, back in rows:
        ax.text(-0.7, height + 0.75, name, color=text_color(color), va="center")
        places = np.array([(2 * number, height) for number in range(len(parts))])
        _chain(ax, parts, places, color, back=back)
    product = r"$\dfrac{\partial L}{\partial z_l}\;\times\;h_{l-1}$"
    _box(ax, 4, 0.6, rf"gradient of the weights $W_l$:  {product}", _INK)
    ax.set(xlim=(-0.9, 8.9), ylim=(-0.3, 5.3))
    ax.axis("off")
    return ax


def layer_sums(*, ax: Axes | None = None) -> Axes:
    """Draw how many terms a layer adds up: forward its inputs, back its units.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or plt.subplots(figsize=(5.6, 3.4))[1]
    heights = (4, 3, 2, 0)  # the gap stands for all the others
    halves = (
        ("forward: one unit's sum", "in", PALETTE[0], 0, ("inputs $h_j$", "unit $z$")),
        ("back: one input's sum", "out", PALETTE[1], 5, ("input", "units")),
    )
    for name, fan, color, left, ends in halves:
        forward = fan == "in"
        one = (left + 2.8 * forward, 2)
        many = [(left + 2.8 * (not forward), height) for height in heights]
        for place in many:
            _arrow(ax, place, one, color, shrinkB=9)
        style = {"s": 130, "fc": "white", "ec": color, "lw": 2, "zorder": 3}
        ax.scatter(*zip(one, *many, strict=True), **style)
        ax.text(many[0][0], 1, r"$\vdots$", ha="center", va="center")
        ax.text(left + 1.4, 5.6, name, ha="center", color=text_color(color))
        for end, word in enumerate(ends):
            ax.text(left + 2.8 * end, 4.6, word, ha="center", fontsize="small")
        terms = rf"$n_\mathrm{{{fan}}}$ terms: mean square"
        factor = rf"$\times\; n_\mathrm{{{fan}}}\,\sigma^2$"
        ax.text(left + 1.4, -0.9, f"{terms}\n{factor}", ha="center", va="top")
    ax.set(xlim=(-0.8, 8.6), ylim=(-2.6, 6.2))
    ax.axis("off")
    return ax


def clipped_arrows(*, ax: Axes | None = None) -> Axes:
    """Draw a gradient of two weights, clipped by value and by norm.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or plt.subplots(figsize=(5.6, 3.1))[1]
    gradient = np.array([3.2, 0.9])
    arrows = (
        ("the gradient", gradient, _INK, (0.1, 0.0)),
        ("clipped by value: turned", gradient.clip(-1, 1), PALETTE[1], (0.1, 0.35)),
        (
            "clipped by norm: shorter,\nthe same direction",
            gradient / np.linalg.norm(gradient),
            PALETTE[0],
            (0.25, -0.5),
        ),
    )
    around = {"fill": False, "linestyle": (0, (3, 2)), "lw": 1.5}
    ax.add_patch(mpl.patches.Rectangle((-1, -1), 2, 2, ec=PALETTE[1], **around))
    ax.add_patch(mpl.patches.Circle((0, 0), 1, ec=PALETTE[0], **around))
    for name, end, color, aside in arrows:
        _arrow(ax, (0, 0), end, color, lw=2, shrinkA=0, shrinkB=0)
        ax.text(*(end + aside), name, color=text_color(color), va="center")
    ax.set(xlim=(-1.2, 4.6), ylim=(-1.15, 1.7), aspect="equal")
    ax.set(xticks=[-1, 0, 1], xticklabels=["−c", "0", "c"])
    ax.set(yticks=[-1, 0, 1], yticklabels=["−c", "0", "c"])
    ax.set(xlabel="slope of one weight", ylabel="slope of another")
    return ax


def dead_unit(*, ax: Axes | None = None) -> Axes:
    """Draw the sums of a unit that is on for some examples, and of one that is dead.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or plt.subplots(figsize=(5.6, 3.6))[1]
    z = np.linspace(-7, 4.5, 200)
    shape = np.linspace(-2.4, 2.4, 9)  # the sums of nine examples
    rows = (
        ("on for some examples", 3.2, shape, PALETTE[0]),
        ("dead: off for all of them", 0.0, shape - 4, PALETTE[1]),
    )
    for name, ground, sums, color in rows:
        ax.plot(z, ground + 0.45 * np.maximum(z, 0), color="#9A9A9A", linewidth=2)
        is_on = sums > 0
        on, off = sums[is_on], sums[~is_on]
        ax.scatter(on, ground + 0.45 * on, s=70, color=color, zorder=3)
        style = {"s": 70, "fc": "white", "ec": color, "lw": 2, "zorder": 3}
        ax.scatter(off, np.full(len(off), ground), **style)
        ax.text(-7, ground + 1.75, name, color=text_color(color), va="center")
        told = "slope 1: a gradient" if is_on.any() else "slope 0, everywhere"
        ax.text(-7, ground + 1.0, told, fontsize="small", va="center")
    ax.vlines(0, -0.5, 5.4, color=_INK, linewidth=1, linestyle=(0, (3, 2)))
    ax.text(0, -0.7, "$z = 0$", ha="center", va="top")
    _arrow(ax, (0.6, -0.35), (-3.4, -0.35), PALETTE[1], shrinkB=0)
    ax.text(0.8, -0.4, "one long step", va="center", color=text_color(PALETTE[1]))
    ax.set(xlim=(-7.4, 4.8), ylim=(-1.5, 5.6))
    ax.axis("off")
    return ax


def weight_paths(
    rules: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    start: Sequence[float],
    *,
    steps: int = 60,
) -> list[Axes]:
    """Draw where update rules lead weights, step after step, a rule beside the other.

    Parameters
    ----------
    rules : mapping of str to callable
        By title, a function that returns the weights after one step from those before.
    start : sequence of float
        The weights before the first step.
    steps : int
        How many are taken.

    Returns
    -------
    list of matplotlib.axes.Axes

    Examples
    --------
    >>> weight_paths({"decay": lambda w: 0.95 * w}, [-1, 0.5, 2])  # doctest: +SKIP
    """

    def draw(rule: Callable[[np.ndarray], np.ndarray], ax: Axes) -> Axes:
        paths = [np.asarray(start, dtype=float)]
        for _ in range(steps):
            paths.append(rule(paths[-1]))
        ax.plot(paths, color=PALETTE[0], linewidth=1.2)
        ax.set(xlabel="step", ylabel="weight")
        return ax

    return side_by_side(draw, rules)


def thinned_networks(
    masks: np.ndarray, titles: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Draw small networks side by side, each without the units that are off.

    Parameters
    ----------
    masks : array of bool, shape (networks, layers, units)
        True where a unit of a hidden layer is on.
    titles : sequence of str
        What to write below each network.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `masks` has not three axes, or not as many networks as titles.
    """
    masks = np.asarray(masks, dtype=bool)
    if masks.ndim != 3 or len(masks) != len(titles):
        raise ValueError(
            "masks must be (networks, layers, units), one network for each of the "
            f"{len(titles)} titles; got the shape {masks.shape}."
        )
    units = masks.shape[2]
    ax = ax or plt.subplots(figsize=(5.6, 2.6))[1]
    for number, (mask, title) in enumerate(zip(masks, titles, strict=True)):
        layers = [np.full(3, True), *mask, np.full(2, True)]
        across = number * (len(layers) + 0.6) + np.arange(len(layers))
        heights = [np.arange(len(on)) - (len(on) - 1) / 2 for on in layers]
        for left in range(len(layers) - 1):
            for start in heights[left][layers[left]]:
                for end in heights[left + 1][layers[left + 1]]:
                    ax.plot(across[left : left + 2], [start, end], **_WIRE)
        for place, height, on in zip(across, heights, layers, strict=True):
            ax.scatter([place] * on.sum(), height[on], color=PALETTE[0], **_UNIT)
            ax.scatter([place] * (~on).sum(), height[~on], **_OFF, **_UNIT)
        ax.text(across.mean(), -units / 2 - 0.2, title, ha="center", va="top")
    ax.set(ylim=(-units / 2 - 1.1, units / 2))
    ax.axis("off")
    return ax


def search_loop(*, ax: Axes | None = None) -> Axes:
    """Draw a search: the loop over trials, its maximum, and the rows kept out of it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or plt.subplots(figsize=(5.6, 3.4))[1]
    in_loop, after = PALETTE[0], PALETTE[1]
    for x, y, text, color in (
        (1.1, 4, "choose\na setting", in_loop),
        (4, 4, "train on\ntraining rows", in_loop),
        (6.9, 4, "score on\nvalidation rows", in_loop),
        (6.9, 1.2, "highest score\n= the promise", after),
        (4, 1.2, "the winner,\nits setting", after),
        (1.1, 1.2, "score once\non test rows", after),
    ):
        _box(ax, x, y, text, color, fontsize="small")
    for start, end, color in (
        ((2.05, 4), (2.85, 4), in_loop),
        ((5.15, 4), (5.65, 4), in_loop),
        ((6.9, 3.35), (6.9, 1.9), after),
        ((5.65, 1.2), (5.1, 1.2), after),
        ((2.9, 1.2), (2.15, 1.2), after),
    ):
        _arrow(ax, start, end, color)
    bent = "arc3,rad=0.3"
    _arrow(ax, (6.9, 4.65), (1.1, 4.65), in_loop, connectionstyle=bent)
    for x, y, side, text, color in (
        (4, 6, "center", "again, for each trial", in_loop),
        (6.7, 2.6, "right", "after the last trial", after),
    ):
        look = {"color": text_color(color), "fontsize": "small"}
        ax.text(x, y, text, ha=side, va="center", **look)
    ax.set(xlim=(-0.2, 8.4), ylim=(0.3, 6.4))
    ax.axis("off")
    return ax


def what_is_averaged() -> np.ndarray:
    """Draw over which values batch and layer normalization take mean and variance.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes
        One for each of the two.
    """
    _, axes = plt.subplots(1, 2, figsize=(6.4, 2.6))
    of_unit = {(row, 2) for row in range(_EXAMPLES)}
    of_example = {(1, column) for column in range(_UNITS)}
    panels = (
        ("batch: one unit, all examples", of_unit, PALETTE[0]),
        ("layer: one example, all units", of_example, PALETTE[1]),
    )
    for ax, (title, together, color) in zip(axes, panels, strict=True):
        for row in range(_EXAMPLES):
            for column in range(_UNITS):
                face = color if (row, column) in together else "none"
                box = plt.Rectangle(
                    (column, row), 0.9, 0.9, facecolor=face, edgecolor="0.4"
                )
                ax.add_patch(box)
        ax.set(title=title, xlabel="units →", ylabel="← examples of a batch")
        ax.set(xlim=(-0.1, _UNITS), ylim=(_EXAMPLES, -0.1), xticks=[], yticks=[])
        ax.set_aspect("equal")
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
    return axes


def residual_block(*, ax: Axes | None = None) -> Axes:
    """Draw a residual block: the signal's two ways on top, the gradient's below.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or plt.subplots(figsize=(5.6, 3.6))[1]
    rows = (
        ("forward", 3.4, PALETTE[0], _RESIDUAL_FORWARD, "unchanged", False),
        ("back", 0.6, PALETTE[1], _RESIDUAL_BACK, "unchanged", True),
    )
    for name, height, color, parts, skip, back in rows:
        # what comes in, two boxes of the branch, the sum, what goes out
        places = np.array([(x, height) for x in (0, 2.1, 4.2, 6.1, 7.5)])
        if back:
            places[3, 0] = 1.4
            places[1:3, 0] = 3.3, 5.4
            places = places[[0, 3, 1, 2, 4]]
        for number, (part, place) in enumerate(zip(parts, places, strict=True)):
            _box(
                ax, *place, part, color, **({"bbox": None} if number in (0, 4) else {})
            )
        for before, after in pairwise(places):
            middle, reach = (before + after) / 2, 0.2 * (after - before)
            ends = (middle - reach, middle + reach)
            _arrow(ax, *(ends[::-1] if back else ends), color)
        plus = places[1] if back else places[3]
        start = places[4] if back else places[0]
        up = np.array([0, 0.3])
        bent = f"arc3,rad={0.32 if back else -0.32}"
        _arrow(ax, start + up, plus + up, color, connectionstyle=bent, lw=3)
        look = {"ha": "center", "color": text_color(color)}
        ax.text((start[0] + plus[0]) / 2, height + 1.35, skip, **look)
        ax.text(-0.5, height + 1.35, name, color=text_color(color))
    ax.set(xlim=(-0.6, 8.1), ylim=(-0.1, 5.2))
    ax.axis("off")
    return ax


def skip_paths(cut: int | None = None, blocks: int = 3, *, ax: Axes | None = None):
    """Draw a residual network as all paths from its input to its output.

    Parameters
    ----------
    cut : int, optional
        A block that is taken out, counted from 1: the paths through it end there.
    blocks : int
        How many there are, each of which a path goes through or around.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no such block.
    """
    if cut is not None and not 1 <= cut <= blocks:
        raise ValueError(f"cut is {cut!r}; expected a block from 1 to {blocks}.")
    paths = sorted(product((False, True), repeat=blocks), key=sum)
    ax = ax or plt.subplots(figsize=(5.6, 0.4 * len(paths) + 0.4))[1]
    for row, path in enumerate(paths):
        is_dead = cut is not None and path[cut - 1]
        color = "#9A9A9A" if is_dead else PALETTE[0]
        end = cut if is_dead else blocks + 1
        _arrow(ax, (0.3, -row), (end + 0.1 * is_dead, -row), color)
        for number, through in enumerate(path, start=1):
            if through and not (is_dead and number >= cut):
                _box(ax, number, -row, f"$f_{number}$", color, fontsize="small")
        if is_dead:
            ax.text(cut, -row, "✕", **_CROSS)
        words = f"{sum(path)} block{'' if sum(path) == 1 else 's'}"
        ax.text(blocks + 1.15, -row, words, va="center", color=text_color(color))
    ax.text(0.2, (1 - len(paths)) / 2, "input", ha="right", va="center")
    ax.set(xlim=(-0.6, blocks + 2.2), ylim=(0.6 - len(paths), 0.6))
    ax.axis("off")
    return ax
