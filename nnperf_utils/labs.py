"""Labs, predictions and quizzes: what a reader's hands do in a chapter's page.

Each function returns an object that shows itself as a cell's last line, and carries all
that it needs: the run's own data and the scripts of ``labs/``. So it works in
JupyterLab, in Colab and from a file. Where no script runs, it is a picture and text;
on the site, `_ext/shared_labs.py` puts one shared script in place of the many.
"""

from __future__ import annotations

import base64
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nnperf_utils.claims import format_number
from nnperf_utils.lab_pictures import picture

__all__ = ["MOST_BYTES", "Piece", "answer", "lab", "predict", "quiz"]

MOST_BYTES = 60_000
"""The data of one lab, as JSON, take at most this many bytes."""

# what is only loaded where it is used, before a lab's own script
_LIBRARIES = {"d3": "vendor/d3.js", "nn": "nn.js"}
_HEADER = re.compile(r"^// (title|goal|takeaway|uses|data|values): (.*)$", re.MULTILINE)
_NEEDS = ("data", "values")  # a frame's columns, a mapping's keys
_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")
# of a unit of one: “ points” without s, “ classes” without es; “ loss” and “ s” stay
_PLURAL = re.compile(r"(?<=[a-z]{2})(?:(?<=ss|sh|ch)es|(?<!s)s)$")
_NO_SCRIPT = "Where scripts run, this is a lab to play with."


@dataclass(frozen=True)
class Piece:
    """A lab, a prediction, an answer or a quiz; a cell's last line shows it.

    Attributes
    ----------
    kind : str
        ``"lab"``, ``"predict"``, ``"answer"`` or ``"quiz"``.
    name : str
        Of the lab's script, or the id of the question.
    key : str
        What its state is called in the page's address.
    payload : dict
        What the script gets, as plain data.
    scripts : tuple of str
        The files of ``labs/`` that it needs, in the order of their use.
    head, fallback : str
        HTML that stands above it, and in its place where no script runs.
    text : str
        The same in plain text.
    """

    kind: str
    name: str
    key: str
    payload: Mapping[str, Any]
    scripts: tuple[str, ...]
    head: str
    fallback: str
    text: str

    def section(self) -> str:
        """Return the HTML without scripts and style, as a page of the site needs it."""
        # “</” would end the element that holds the data
        data = _json(self.payload).replace("</", "<\\/")
        return (
            f'<section class="nnperf-lab" data-kind="{self.kind}" '
            f'data-name="{self.name}" data-key="{self.key}" '
            f'data-scripts="{" ".join(self.scripts)}">{self.head}'
            f'<div class="nnp-stage">{self.fallback}</div>'
            f'<script type="application/json" class="nnp-data">{data}'
            "</script></section>"
        )

    def html(self) -> str:
        """Return the HTML with all scripts and the style in it."""
        code = "\n".join(map(_source, self.scripts))
        return (
            f'<style class="nnperf-inline">{_source("labs.css")}</style>\n'
            f"{self.section()}\n"
            f'<script class="nnperf-inline">{code}\nnnperf.mountAll();</script>'
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        """Return what IPython displays."""
        return {"text/html": self.html(), "text/plain": self.text}

    def __repr__(self) -> str:
        """Return the piece in plain text."""
        return self.text


def lab(
    name: str,
    *,
    data: pd.DataFrame | Mapping[str, Any] | None = None,
    fallback: Figure | Axes | str | None = None,
    alt: str | None = None,
    key: str | None = None,
) -> Piece:
    """Make a lab of ``labs/NAME.js``.

    Parameters
    ----------
    name : str
        Of the script.
    data : DataFrame or mapping, optional
        What this run has measured: a frame with the columns that the script asks for,
        or a mapping of plain data. Numbers are kept to six digits.
    fallback : Figure, Axes or str, optional
        What is seen where no script runs: a figure, which is closed, or SVG. Without
        it, the picture that `lab_pictures` has for the lab.
    alt : str, optional
        The fallback's alternative text; needed for a figure.
    key : str, optional
        Name of the state in the address; needed for a second lab of the same script.

    Returns
    -------
    Piece

    Raises
    ------
    TypeError, ValueError
        For a lab that there is not, columns that are missing, or more data than
        `MOST_BYTES`.

    Examples
    --------
    >>> lab("cliff")
    """
    header = _header(name)
    payload: dict[str, Any] = {"takeaway": _rich(header["takeaway"])}
    if data is None and not header.keys().isdisjoint(_NEEDS):
        needs = " ".join(header.get(one, "") for one in _NEEDS).strip()
        raise ValueError(f"lab {name!r} needs data: {needs}; got none.")
    if data is not None:
        payload["data"] = _checked_data(f"data of lab {name!r}", data, header)
        size = len(_json(payload["data"]).encode())
        if size > MOST_BYTES:
            raise ValueError(
                f"data of lab {name!r} take {size:,} bytes as JSON, more than "
                f"{MOST_BYTES:,}; keep fewer rows or columns."
            )
    if fallback is None:
        fallback, alt = picture(name, data) or (None, None)
    scripts = [_LIBRARIES[one] for one in header.get("uses", "").split()]
    return Piece(
        kind="lab",
        name=name,
        key=_checked_id("key", name if key is None else key),
        payload=payload,
        scripts=(*scripts, "kit.js", f"{name}.js"),
        head=_head("Lab", _rich(header["title"]))
        + f'<p class="nnp-goal">{_rich(header["goal"])}</p>',
        fallback=_picture(fallback, alt) + f"<p><em>{_NO_SCRIPT}</em></p>",
        text=f"Lab: {header['title']}. {_NO_SCRIPT}",
    )


def predict(
    name: str,
    question: str,
    *,
    options: Sequence[str] | None = None,
    between: tuple[float, float] | None = None,
    log: bool = False,
    unit: str = "",
    x: Sequence[float] | None = None,
    x_label: str = "",
    y_label: str = "",
) -> Piece:
    """Ask the reader to commit to a guess: to choose, drag a value or draw a curve.

    Parameters
    ----------
    name : str
        The question's id, unique in the course; the device keeps the guess under it.
    question : str
        What is asked; backticks make code.
    options : sequence of str, optional
        To choose from.
    between : (float, float), optional
        The least and largest value to drag or draw.
    log : bool
        Whether the values' axis is logarithmic.
    unit : str
        Stands behind a value, with its own space: ``" epochs"``, ``"%"``.
    x : sequence of float, optional
        Where a curve has its points; with `between` the reader draws a curve.
    x_label, y_label : str
        A curve's axes.

    Returns
    -------
    Piece
        Give it to :func:`answer`, where the text answers the question.

    Examples
    --------
    >>> factor = predict("03-factor", "What is left?", between=(1, 100), unit="%")
    """
    if (options is None) == (between is None):
        raise TypeError("predict needs either options or between, and not both.")
    spec: dict[str, Any] = {"id": _checked_id("name", name), "unit": unit}
    if options is not None:
        if len(options) < 2 or len(set(options)) < len(options):
            raise ValueError(
                f"options must be two or more that differ; got {list(options)}."
            )
        spec |= {"kind": "options", "options": [_rich(one) for one in options]}
        items = "".join(f"<li>{one}</li>" for one in spec["options"])
        fallback = f"<ul>{items}</ul>"
    else:
        spec |= {"kind": "value", "between": _bounds(between, log), "log": log}
        low, high = spec["between"]
        ends = f"{format_number(low)} to {_with_unit(high, unit)}"
        fallback = f"<p>Anything from {ends}.</p>"
        if x is not None:
            if len(x) < 2:
                raise ValueError(f"x must have at least two places; got {len(x)}.")
            spec |= {
                "kind": "curve",
                "x": [float(place) for place in x],
                "x_label": x_label,
                "y_label": y_label,
            }
    return Piece(
        kind="predict",
        name=name,
        key=name,
        payload=spec,
        scripts=_question_scripts(spec),
        head=_head("Predict", _rich(question)),
        fallback=fallback,
        text=f"Predict: {question}",
    )


def answer(
    question: Piece,
    measured: float | str | Sequence[float] | pd.Series,
    *,
    interval: tuple[float, float] | None = None,
) -> Piece:
    """Show what the reader has said beside what this run has measured.

    Parameters
    ----------
    question : Piece
        What :func:`predict` returned.
    measured : float, str or sequence of float
        The value, the right one of the options, or the curve's values at its x.
    interval : (float, float), optional
        The 95% interval of a value.

    Returns
    -------
    Piece

    Examples
    --------
    >>> answer(factor, 26.4, interval=(25.9, 27.1))
    """
    if not isinstance(question, Piece) or question.kind != "predict":
        raise TypeError(f"question must be what predict returns; got {question!r}.")
    spec = question.payload
    value: Any
    if spec["kind"] == "options":
        shown = [_rich(str(measured)) == one for one in spec["options"]]
        if not any(shown):
            raise ValueError(
                f"measured must be one of the options of {question.name!r}; "
                f"got {measured!r}."
            )
        value = shown.index(True)
        words = spec["options"][value]
    elif spec["kind"] == "value":
        value = _finite("measured", measured)
        words = _value_in_words(value, spec["unit"], interval)
    else:
        value = [_finite("measured", one) for one in np.asarray(measured).ravel()]
        if len(value) != len(spec["x"]):
            raise ValueError(
                f"measured must have a value for each of the {len(spec['x'])} places "
                f"of {question.name!r}; got {len(value)}."
            )
        ends = [_value_in_words(one, spec["unit"], None) for one in value]
        first, last = (f"{place:g}" for place in (spec["x"][0], spec["x"][-1]))
        words = f"{ends[0]} at {first}, {ends[-1]} at {last}"
    return Piece(
        kind="answer",
        name=question.name,
        key=question.name,
        payload={"question": dict(spec), "measured": value, "words": words},
        scripts=_question_scripts(spec),
        head=question.head.replace("Predict", "You predicted", 1),
        fallback=f"<p>Measured: <strong>{words}</strong></p>",
        text=f"{question.text.removeprefix('Predict: ')} Measured: {words}",
    )


def quiz(name: str, question: str, answers: Mapping[str, str], *, right: int) -> Piece:
    """Ask a question with one right answer; every answer explains itself afterwards.

    Parameters
    ----------
    name : str
        The question's id, unique in the course.
    question : str
        What is asked; backticks make code.
    answers : mapping of str to str
        Each answer with its explanation. Their order is drawn anew for each reader.
    right : int
        The right answer's place, from 1.

    Returns
    -------
    Piece
        Without a script each answer is a fold that opens on its explanation.

    Examples
    --------
    >>> quiz(
    ...     "05-width",
    ...     "You double the width. What happens to the factor?",
    ...     {"Nothing.": "Each sum has more terms.", "It grows by √2.": "n doubles."},
    ...     right=2,
    ... )
    """
    if len(answers) < 2:
        raise ValueError(f"answers must be two or more; got {len(answers)}.")
    if isinstance(right, bool) or not isinstance(right, int):
        raise TypeError(f"right must be a whole number; got {right!r}.")
    if not 1 <= right <= len(answers):
        raise ValueError(
            f"right must be a place from 1 to {len(answers)}; got {right}."
        )
    told = [
        {"text": _rich(text), "explanation": _rich(why)}
        for text, why in answers.items()
    ]
    marks = [
        "Right." if place == right else "Not so." for place in range(1, 1 + len(told))
    ]
    folds = "".join(
        f"<details><summary>{one['text']}</summary>"
        f"<p>{mark} {one['explanation']}</p></details>"
        for one, mark in zip(told, marks, strict=True)
    )
    return Piece(
        kind="quiz",
        name=name,
        key=_checked_id("name", name),
        payload={"id": name, "answers": told, "right": right - 1},
        scripts=("kit.js",),
        head=_head("Quiz", _rich(question)),
        fallback=folds,
        text=f"Quiz: {question}",
    )


# --- the scripts -------------------------------------------------------------------


def folder() -> Path:
    """Return where the scripts are: in an installed package, or above a clone's."""
    here = Path(__file__).resolve().parent
    installed = here / "data" / "labs"
    return installed if installed.is_dir() else here.parent / "labs"


@cache
def _source(name: str) -> str:
    return (folder() / name).read_text(encoding="utf-8")


def _header(name: str) -> dict[str, str]:
    """Return what a lab's script says about itself in its first lines."""
    header = _lines(name) if name.isidentifier() else {}
    if "title" not in header:
        # a chapter executes anew when what it opened changes: others only now
        others = [path.stem for path in sorted(folder().glob("*.js"))]
        names = ", ".join(other for other in others if "title" in _lines(other))
        raise ValueError(f"there is no lab {name!r}; there are {names}.")
    return header


def _lines(name: str) -> dict[str, str]:
    """Return the named lines at a script's top; none if there is no such script."""
    is_there = (folder() / f"{name}.js").is_file()
    return dict(_HEADER.findall(_source(f"{name}.js"))) if is_there else {}


def _question_scripts(spec: Mapping[str, Any]) -> tuple[str, ...]:
    return ("vendor/d3.js", "kit.js") if spec["kind"] == "curve" else ("kit.js",)


# --- what goes into a page ---------------------------------------------------------


def _head(kind: str, html: str) -> str:
    return f'<p class="nnp-title"><span class="nnp-kind">{kind}</span>{html}</p>'


def _rich(text: str) -> str:
    """Return text as HTML; backticks make code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _picture(fallback: Figure | Axes | str | None, alt: str | None) -> str:
    """Return a picture as HTML."""
    if fallback is None:
        return ""
    if isinstance(fallback, str):
        if "<svg" not in fallback:
            raise ValueError(f"fallback must be SVG; got {fallback[:40]!r}.")
        return fallback
    figure = fallback.figure if isinstance(fallback, Axes) else fallback
    if not isinstance(figure, Figure):
        raise TypeError(f"fallback must be a figure or SVG; got {type(fallback)}.")
    if not alt:
        raise ValueError("alt must say what the fallback shows; got none.")
    drawn = io.BytesIO()
    # the same bytes for the same figure
    with mpl.rc_context({"svg.hashsalt": "nnperf"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    plt.close(figure)  # else the cell would show it once more
    # as an image its ids are its own: two figures in a page do not collide
    svg = base64.b64encode(drawn.getvalue()).decode()
    source = f"data:image/svg+xml;base64,{svg}"
    return f'<img alt="{escape(alt, quote=True)}" src="{source}">'


# --- checks and plain data ---------------------------------------------------------


def _checked_id(what: str, value: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError(
            f"{what} must be of lower-case letters, digits, - and _; got {value!r}."
        )
    return value


def _finite(what: str, value: Any) -> float:
    if isinstance(value, str) or np.ndim(value) or not math.isfinite(value):
        raise ValueError(f"{what} must be a finite number; got {value!r}.")
    return float(value)


def _bounds(between: tuple[float, float], log: bool) -> list[float]:
    low, high = (_finite("between", end) for end in between)
    if not low < high or (log and low <= 0):
        raise ValueError(
            f"between must rise{' from above 0, with log=True' if log else ''}; "
            f"got {between}."
        )
    return [low, high]


def _with_unit(value: float, unit: str) -> str:
    words = format_number(value)
    return words + escape(_PLURAL.sub("", unit) if words == "1" else unit)


def _value_in_words(
    value: float, unit: str, interval: tuple[float, float] | None
) -> str:
    words = _with_unit(value, unit)
    if interval is None:
        return words
    low, high = (format_number(_finite("interval", end)) for end in interval)
    return f"{words} [{low}, {high}]"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _checked_data(what: str, data: Any, header: Mapping[str, str]) -> Any:
    """Return data as JSON can hold them, if they have what a lab's script asks for."""
    kinds = {"data": pd.DataFrame, "values": Mapping}
    for need, kind in kinds.items():
        if need not in header:
            continue
        if not isinstance(data, kind):
            raise TypeError(
                f"{what} must be a {kind.__name__}; got {type(data).__name__}."
            )
        names = header[need].replace(",", " ").split()
        missing = [name for name in names if name != "*" and name not in data]
        if missing:
            raise ValueError(f"{what} must have {', '.join(missing)}; got {[*data]}.")
        # a star stands for whatever else there is
        data = data if "*" in names else {name: data[name] for name in names}
        if kind is pd.DataFrame:
            data = pd.DataFrame(data)
    return _plain(what, data)


def _column(what: str, column: pd.Series) -> Any:
    """Return a column's values; text, which repeats itself, as codes."""
    if pd.api.types.is_numeric_dtype(column):
        return _plain(what, column.to_numpy())
    codes, levels = pd.factorize(column)
    return {"levels": [str(one) for one in levels], "codes": codes.tolist()}


def _plain(what: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(what, one) for key, one in value.items()}
    if isinstance(value, np.ndarray | pd.Series | pd.Index):
        return [_plain(what, one) for one in np.asarray(value).tolist()]
    if isinstance(value, list | tuple):
        return [_plain(what, one) for one in value]
    if isinstance(value, pd.DataFrame):
        columns = {str(name): _column(what, value[name]) for name in value}
        return {"columns": columns}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        # JSON knows neither infinity nor NaN
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"{what} must be plain; got a {type(value).__name__}.")
