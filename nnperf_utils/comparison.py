"""Fair comparison of network variants: one call says the experiment.

:func:`compare` trains several variants on the same data, from the same seeds, with the
same number of updates, and says of each whether it is better than the first one. The
data may be one data set, random splits of a table, or several tables; the statistics
are those of :mod:`nnperf_utils.statistics`, and follow from that design. Whether the
experiment did what it says is looked at by :mod:`nnperf_utils.checks`.
"""

import copy
import html
import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from math import isfinite
from numbers import Integral, Real
from typing import Any

import keras
import numpy as np
import pandas as pd

from nnperf_utils import checks, design, statistics
from nnperf_utils.design import Table
from nnperf_utils.engine import starts
from nnperf_utils.engine.work import Work, check_count, checked_task, of_seed
from nnperf_utils.ensembles import Ensemble
from nnperf_utils.replicas import Cell, Runs, Start, example_order, train_work
from nnperf_utils.statistics import Estimate

__all__ = ["Comparison", "compare"]

_CLIPPING_UPDATES = 500
_PROBE_EXAMPLES = 64
_MEASURED = ("epoch", "update", "layer", "unit", "metric", "value")
_MEASURED += ("stopped_epoch", "best_epoch")
_RUN = ["split", "seed"]  # what tells the runs of one arm on one table apart

Point = dict[str, Any]


def compare(
    variants: Mapping[str, Callable[..., keras.Model]],
    data: Any,
    *,
    seeds: int | Sequence[int] = 20,
    crossed: bool = False,
    epochs: int | Mapping[str, int] | None = None,
    updates: int | Mapping[str, int] | None = None,
    batch_size: int | Mapping[str, int] = 32,
    metric: str | None = None,
    higher_is_better: bool | None = None,
    learning_rates: Sequence[float] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    choose: bool = True,
    tuning_seeds: int = 5,
    callbacks: Mapping[str, Callable[..., keras.callbacks.Callback]] | None = None,
    start: Mapping[str, Start] | None = None,
    targets: Mapping[str, Any] | None = None,
    record: str | Sequence[str] = (),
    follow_test: bool = False,
    follow_train: bool = False,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    progress: bool = True,
    executor: Executor | None = None,
    jit_compile: bool | str = "auto",
) -> "Comparison":
    """Train variants of a network from the same seeds and compare them.

    How long is told by `epochs` or by `updates`, one of the two.

    Parameters
    ----------
    variants : mapping of str to callable
        Two or more; one is enough with a grid of which nothing is chosen, or on several
        tables. Each function returns a compiled Keras model; the first variant is
        the one that the others are compared with. A function with a parameter ``data``
        gets the data set that its network is for (of splits, the first).
    data : Dataset, sequence of Dataset, or mapping of str to either
        One data set; a sequence of random splits of one table, which count as drawn by
        chance; or several tables by name, which are a factor. The same for all
        variants. Replicas on data of equal shape train in one graph.
    seeds : int or sequence of int
        A number means 0, 1, ..., n - 1. The same for all variants. Where there are
        splits it is the number of seeds on each, and by default they are nested: the
        first split has the seeds 0 to n - 1, the second n to 2n - 1, so that each run
        draws anew and tells as much as it can. A sequence is dealt out in order.
    crossed : bool
        The same seeds on every split instead. It tells apart what a seed does alike on
        all splits, at the price of fewer independent draws.
    epochs, batch_size : int or mapping of str to int
        The same for all; or for each table, or for each variant, by name.
    updates : int or mapping of str to int, optional
        In place of `epochs`: as many epochs as make this number of updates, whatever
        the batch size. An epoch has one update for each batch, and all have to be
        whole epochs.
    metric : str, optional
        Keras's name of the score that decides, as in ``history``: its value after the
        last epoch. By default ``"val_accuracy"``, or ``"val_loss"`` where accuracy is
        not among the metrics; without ``val_`` if there is no validation part.
    higher_is_better : bool, optional
        Direction of `metric`, needed only where its name does not tell.
    learning_rates : sequence of float, optional
        Tune each variant's learning rate first: the one of these with the best mean
        validation score. A variant takes it as its keyword ``learning_rate`` if it has
        one; else it is set on the optimizer, which must not have a schedule then.
    grid : mapping of str to sequence, optional
        Tune further keywords in the same way: ``{"rate": [0.1, 0.3, 0.5]}`` calls a
        variant's function with ``rate=0.1`` and so on. Variants whose function does not
        name that keyword are not tuned in it (``**keywords`` does not count), nor are
        those that fix it by ``functools.partial``. Several are tried in all
        combinations. ``"batch_size"`` is the batch size of the training, of every
        variant, in place of the argument; functions that name it are given it, too.
    choose : bool
        Whether to choose the best of the grid for each variant and table. If not, all
        combinations are kept, and the frames have a column for each keyword.
    tuning_seeds : int
        Number of seeds for tuning (on each split): those that follow the largest of
        `seeds`, so that no compared run has had a part in the choice.
    callbacks : mapping of str to callable, optional
        For some of the variants a function that returns the callback which sets the
        learning rate between epochs, as in
        :func:`~nnperf_utils.replicas.replicate`. It takes those numbers of the grid
        that it names: ``lambda learning_rate: LearningRateScheduler(...)``.
    start : mapping of str to mapping, optional
        For some of the variants what each seed starts from, as ``Runs.weights`` returns
        it and :func:`~nnperf_utils.replicas.replicate` takes it. Tuning takes further
        seeds, which it must hold as well.
    targets : mapping of str to array, mapping or callable, optional
        For some of the variants what they learn in place of the training labels, the
        same for all seeds or by seed, as in :func:`~nnperf_utils.replicas.replicate`;
        or a function that returns it, which takes those numbers of the grid that it
        names: ``lambda temperature: softened(shares, temperature)``.
    record, follow_test, follow_train, class_weight, sample_weight, progress
        As in :func:`~nnperf_utils.replicas.replicate`. A ``sample_weight`` needs data
        that are one data set.
    executor, jit_compile
        As in :func:`~nnperf_utils.replicas.replicate`.

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError, ValueError
        For arguments that do not fit, in one sentence, before anything is trained.

    Warns
    -----
    UserWarning
        For each check that failed (see ``Comparison.checks``), and where the best of
        `learning_rates` or `grid` lies at the edge of what was tried.

    Examples
    --------
    >>> result = compare(
    ...     {
    ...         "sigmoid": lambda: mlp(data, hidden_layers=5, activation="sigmoid"),
    ...         "relu": lambda: mlp(data, hidden_layers=5, activation="relu"),
    ...     },
    ...     data,
    ...     epochs=30,
    ...     learning_rates=[1e-4, 1e-3, 1e-2],
    ... )  # doctest: +SKIP
    >>> result.summary()  # doctest: +SKIP

    Ten splits of two tables, two seeds on each, all doses kept:

    >>> result = compare(
    ...     {"none": plain, "dropout": with_dropout},
    ...     {"diabetes": diabetes_splits, "MNIST-1D": signal_splits},
    ...     seeds=2,
    ...     grid={"rate": [0.2, 0.5]},
    ...     choose=False,
    ...     epochs=25,
    ... )  # doctest: +SKIP
    >>> print(
    ...     result.difference("dropout", "none", data="diabetes", rate=0.5)
    ... )  # doctest: +SKIP

    Two batch sizes, each at its own learning rate, with as many updates:

    >>> result = compare(
    ...     {"small": partial(mlp, data), "large": partial(mlp, data)},
    ...     data,
    ...     batch_size={"small": 10, "large": 1000},
    ...     learning_rates=[0.03, 0.1, 0.3],
    ...     updates=400,
    ... )  # doctest: +SKIP
    >>> result.reached("val_accuracy", 0.8)  # doctest: +SKIP
    """
    tables = design.tables_of(data)
    is_enough = (grid and not choose) or len(tables) > 1
    variants = _checked_variants(variants, 1 if is_enough else 2)
    dealt = design.seeds_by_split(tables, seeds, crossed)
    grid = _checked_grid(grid, learning_rates)
    callbacks = _checked_callbacks(callbacks, variants)
    taught = _Taught(
        _checked_by_variant("start", start, variants),
        _checked_by_variant("targets", targets, variants),
    )
    flags = {"follow_test": follow_test, "follow_train": follow_train}
    for name, value in {"choose": choose, **flags}.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} is {value!r}; expected True or False.")
    if not _is_count(tuning_seeds):
        raise ValueError(
            f"tuning_seeds is {tuning_seeds!r}; expected an integer of 1 or more."
        )
    if sample_weight is not None and sum(len(table.splits) for table in tables) > 1:
        raise ValueError("sample_weight needs data that are one data set.")
    knobs = {
        name: _knobs(
            name,
            _for_table(build, tables[0]),
            grid,
            dealt[0][0][0],
            callbacks.get(name),
            taught.function(name),
        )
        for name, build in variants.items()
    }
    unused = [
        knob
        for knob in grid
        if knob != "batch_size" and not any(knob in own for own in knobs.values())
    ]
    if unused:
        raise ValueError(
            f"grid has {unused[0]!r}, which no variant's function takes as a keyword."
        )
    if "batch_size" in grid:
        if batch_size != 32:
            raise ValueError("the batch size is both in batch_size and in grid.")
        # without a batch size of its own, a variant is trained with those of the grid
        knobs = {
            name: {k: v for k, v in grid.items() if k == "batch_size" or k in own}
            for name, own in knobs.items()
        }
    points = {name: _points(own) for name, own in knobs.items()}
    how_long = _HowLong(epochs, updates, batch_size)
    study = _Study.of(
        variants,
        tables,
        points,
        how_long,
        callbacks,
        taught,
        class_weight=class_weight,
        sample_weight=sample_weight,
        **flags,
    )
    first = {(t, name): points[name][0] for t in range(len(tables)) for name in points}
    models = study.models(first, dealt)
    metric = _checked_metric(metric, models, tables)
    if higher_is_better is None:
        higher_is_better = statistics.higher_is_better(metric)
    how = {"progress": progress, "executor": executor}
    work = Work.of(study.tasks, record=record, jit_compile=jit_compile)

    tuning = pd.DataFrame()
    chosen: dict[tuple[int, str], Point] = {}
    if grid and choose:
        if any(
            getattr(table.splits[0], "validation", None) is None for table in tables
        ):
            raise ValueError(
                "tuning needs a validation part; the data have none "
                "(data.validation is None)."
            )
        # what the compared runs start from and learn, before others are trained
        study.cells(lambda _, name: points[name][:1], dealt)
        largest = max(seed for of_table in dealt for own in of_table for seed in own)
        further = [
            [
                list(range(start, start + tuning_seeds))
                for start in itertools.islice(
                    itertools.count(largest + 1, 0 if crossed else tuning_seeds),
                    len(table.splits),
                )
            ]
            for table in tables
        ]
        on = "val_" + metric.removeprefix("val_")
        trials = study.cells(
            lambda _, name: points[name] if knobs[name] else [], further
        )
        tried = Work.of(study.tasks, jit_compile=jit_compile)
        runs = train_work(trials, tried, **how)
        if len(runs.labels) < len(trials) or not runs.is_finished:
            if executor is not None:
                raise RuntimeError(
                    "the tuning was interrupted or has lost a block for good, and half "
                    "a tuning chooses nothing."
                )
            raise KeyboardInterrupt  # half a tuning chooses nothing
        tuning, best = _tuned(runs, on, higher_is_better, tables, variants)
        chosen = {key: best.get(key, {}) for key in first}
        models = study.models(chosen, dealt)

    def kept(table: int, name: str) -> list[Point]:
        return [chosen[table, name]] if chosen else points[name]

    cells = study.cells(kept, dealt, labelled=not chosen)
    runs = train_work(cells, work, **how)
    result = Comparison(
        {name: (runs, name) for name in variants},
        metric=metric,
        higher_is_better=higher_is_better,
        tuning=tuning,
        chosen={
            (tables[table].name, name): point for (table, name), point in chosen.items()
        },
    )
    result._check(
        _Looked(
            tables,
            models,
            chosen or first,
            {key: (point, grid) for key, point in chosen.items()},
            partial(_batches, class_weight=class_weight, sample_weight=sample_weight),
        ),
        study,
        dealt,
        kept,
    )
    return result


@dataclass(frozen=True)
class _HowLong:
    """How long a run is trained, and on batches of which size."""

    epochs: int | Mapping[str, int] | None
    updates: int | Mapping[str, int] | None
    batch_size: int | Mapping[str, int]

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.updates is None):
            raise TypeError(
                "say how long to train by epochs or by updates, one of the two."
            )

    def of(self, table: Table, variant: str, point: Point) -> tuple[int, int]:
        """Return the epochs and the batch size of a run."""

        def told(name: str) -> Any:
            return design.value_for(name, getattr(self, name), table, variant)

        batch_size = point.get("batch_size", None) or told("batch_size")
        if self.updates is None:
            return told("epochs"), batch_size
        updates = told("updates")
        for name, value in (("updates", updates), ("batch_size", batch_size)):
            check_count(name, value)
        examples = len(table.splits[0].train[1])
        each = -(-examples // batch_size)
        epochs, rest = divmod(updates, each)
        if rest:
            raise ValueError(
                f"updates is {updates}, which are no whole epochs: with batch_size "
                f"{batch_size} an epoch of {examples} examples has {each}; take a "
                "multiple of it."
            )
        return epochs, batch_size


@dataclass
class _Taught:
    """What some of the variants start from, and learn in place of the labels."""

    start: Mapping[str, Start]
    targets: Mapping[str, Any]

    def function(self, variant: str) -> Callable | None:
        """Return the function that makes a variant's targets, if there is one."""
        targets = self.targets.get(variant)
        return targets if callable(targets) else None

    def of(self, variant: str, point: Point) -> Callable[[int], dict[str, Any]]:
        """Return a function from a seed to its start and its targets."""
        start, targets = self.start.get(variant), self.targets.get(variant)
        if callable(targets):
            targets = targets(**_taken(targets, point))

        def of_run(seed: int) -> dict[str, Any]:
            return {
                "start": of_seed(f"start[{variant!r}]", start, seed),
                "targets": of_seed(f"targets[{variant!r}]", targets, seed),
            }

        return of_run


@dataclass
class _Study:
    """Variants, and the tables and splits that they are trained on."""

    variants: Mapping[str, Callable[..., keras.Model]]
    tables: list[Table]
    tasks: list[Any]  # all splits of all tables, in order, for each length of training
    places: Mapping[tuple[int, int, int], int]  # table, epochs, batch size: its first
    how_long: _HowLong
    callbacks: Mapping[str, Callable[..., keras.callbacks.Callback]]
    taught: _Taught

    @classmethod
    def of(
        cls,
        variants: Mapping[str, Callable[..., keras.Model]],
        tables: list[Table],
        points: Mapping[str, list[Point]],
        how_long: _HowLong,
        callbacks: Mapping[str, Callable[..., keras.callbacks.Callback]],
        taught: _Taught,
        **options: Any,
    ) -> "_Study":
        """Make the tasks that the variants need."""
        tasks: list[Any] = []
        places: dict[tuple[int, int, int], int] = {}
        for t, table in enumerate(tables):
            lengths = (
                how_long.of(table, name, point)
                for name, own in points.items()
                for point in own
            )
            for epochs, batch_size in dict.fromkeys(lengths):
                places[t, epochs, batch_size] = len(tasks)
                tasks += [
                    checked_task(
                        split,
                        epochs=epochs,
                        batch_size=batch_size,
                        labels=table.labels(position),
                        **options,
                    )
                    for position, split in enumerate(table.splits)
                ]
        return cls(variants, tables, tasks, places, how_long, callbacks, taught)

    def task(self, table: int, split: int, variant: str, point: Point) -> int:
        """Return the position of a run's task."""
        how_long = self.how_long.of(self.tables[table], variant, point)
        return self.places[table, *how_long] + split

    def updates_differ(self, table: int, points: Callable[[int, str], list]) -> bool:
        """Tell whether the design has some runs take more updates than others."""
        planned = {
            task.epochs * -(-task.examples // task.batch_size)
            for name in self.variants
            for point in points(table, name)
            for task in [self.tasks[self.task(table, 0, name, point)]]
        }
        return len(planned) > 1

    def cells(
        self,
        points: Callable[[int, str], list[Point]],
        seeds: list[list[list[int]]],
        labelled: bool = True,
    ) -> list[Cell]:
        """Return a cell for each run; points that are not labelled name no column."""
        cells = []
        for name, build in self.variants.items():
            for t, table in enumerate(self.tables):
                for point in points(t, name):
                    # One function for each point: the engine tells networks that it
                    # cannot look into apart by the function that builds them.
                    own = partial(_built, _for_table(build, table), point)
                    label = tuple(point.items()) if labelled else ()
                    callback = self.callbacks.get(name)
                    if callback is not None:
                        callback = partial(callback, **_taken(callback, point))
                    of_run = self.taught.of(name, point)
                    cells += [
                        Cell(
                            name,
                            seed,
                            own,
                            self.task(t, split, name, point),
                            label,
                            callback,
                            **of_run(seed),
                        )
                        for split in range(len(table.splits))
                        for seed in seeds[t][split]
                    ]
        return cells

    def models(
        self, points: Mapping[tuple[int, str], Point], seeds: list[list[list[int]]]
    ) -> dict[tuple[int, str], keras.Model]:
        """Build each variant's network for each table, at one point of the grid."""
        with starts.preserved_random_state():
            return {
                (t, name): starts.build_model(
                    partial(_built, _for_table(build, table), points[t, name]),
                    seeds[t][0][0],
                )
                for t, table in enumerate(self.tables)
                for name, build in self.variants.items()
            }


@dataclass
class _Looked:
    """What the checks look at."""

    tables: list[Table]
    models: Mapping[tuple[int, str], keras.Model]  # of the first seed, untrained
    points: Mapping[tuple[int, str], Point]  # at which they were built
    tuned: Mapping[tuple[int, str], tuple[Point, Mapping[str, Sequence[Any]]]]
    batches: Callable[..., Iterator[tuple]]


class Comparison:
    """Runs of several variants, and what they say about each other.

    Made by :func:`compare`, or of runs that were trained apart by :meth:`from_runs`.
    In the frames, ``data`` and ``split`` come first where there are several tables or
    splits, then ``variant``, the keywords of a grid of which nothing was chosen, and
    ``seed``; they are called a run's labels.

    Attributes
    ----------
    history : pandas.DataFrame
        Labels and ``epoch, metric, value``, epochs counted from 1.
    readings : pandas.DataFrame
        Labels and ``epoch, layer, metric, value``: what the instruments recorded.
    diverged : pandas.DataFrame
        Labels and ``epoch``: the runs that diverged, and the epoch of it.
    checks : pandas.DataFrame
        ``check, variant, outcome, detail``: whether the experiment did what it says. An
        outcome is ``"passed"``, ``"failed"`` or ``"does not apply"``.
    tuning : pandas.DataFrame
        Labels, a column for each number tuned, ``metric``, ``value``: every trial of
        the tuning. Empty if nothing was tuned.
    chosen : dict
        For each variant the numbers that were chosen, by name; where there are several
        tables, such a dict for each.
    metric : str
        The score that decides.
    higher_is_better : bool
        Its direction.
    variants : list of str
        In order; the first is the reference.
    """

    def __init__(
        self,
        members: Mapping[str, tuple[Runs, str | None]],
        *,
        metric: str,
        higher_is_better: bool,
        tuning: pd.DataFrame | None = None,
        chosen: Mapping[tuple[str | None, str], Point] | None = None,
    ):
        self._members = dict(members)
        self._chosen = dict(chosen or {})
        self._only: pd.DataFrame | None = None  # the arms that were chosen afterwards
        self._kept: pd.DataFrame | None = None  # scores that early stopping kept
        self._scored: dict[str, pd.DataFrame] = {}
        self.metric = metric
        self.higher_is_better = higher_is_better
        self.tuning = pd.DataFrame() if tuning is None else tuning
        self.history = self._gathered(lambda runs: runs.history)
        self.readings = self._gathered(lambda runs: runs.readings)
        self.diverged = self._gathered(_divergences)
        self.checks = pd.DataFrame(columns=["check", "variant", "outcome", "detail"])
        # A worker that was lost may have taken all runs of a variant with it.
        finished = set(self.history["variant"])
        self.variants = [name for name in self._members if name in finished]
        known = self.history["metric"].unique()
        if metric not in known and not metric.startswith("test_"):
            raise ValueError(
                f"metric is {metric!r}; the history has {', '.join(known)}."
            )

    @classmethod
    def from_runs(
        cls,
        runs: Mapping[str, Runs],
        *,
        metric: str,
        higher_is_better: bool | None = None,
    ) -> "Comparison":
        """Compare what :func:`~nnperf_utils.replicas.replicate` trained apart.

        For variants that :func:`compare` cannot train together: other data (scaled or
        not, more or fewer examples), another batch size, another number of epochs. The
        runs are paired by split and seed as ever, and compared at their own last epoch.

        Parameters
        ----------
        runs : mapping of str to Runs
            Two or more; the first is the reference.
        metric : str
            As in :func:`compare`.
        higher_is_better : bool, optional
            As in :func:`compare`.

        Returns
        -------
        Comparison
            Without checks of the networks; ``test_scores`` needs the test part as an
            argument.
        """
        _checked_entries(runs, "runs")
        for name, value in runs.items():
            if not isinstance(value, Runs):
                raise TypeError(
                    f"runs[{name!r}] is of type {type(value).__name__}; expected what "
                    "replicate returns."
                )
        if higher_is_better is None:
            higher_is_better = statistics.higher_is_better(metric)
        return cls(
            {name: (value, None) for name, value in runs.items()},
            metric=metric,
            higher_is_better=higher_is_better,
        )

    # ----------------------------------------------------------------------- results

    @property
    def chosen(self) -> dict[str, Any]:
        """The numbers that were chosen for each variant."""
        tables = list(dict.fromkeys(table for table, _ in self._chosen))
        by_table = {
            table: {
                name: dict(self._chosen.get((table, name), {}))
                for name in self._members
            }
            for table in tables or [None]
        }
        return by_table.get(None, by_table)

    def scores(self, metric: str | None = None) -> pd.DataFrame:
        """Return each run's score after its last epoch.

        Parameters
        ----------
        metric : str, optional
            A name in ``history``; or ``test_`` or ``train_`` before one to score that
            part after training, without dropout and with the last weights. By default
            the metric of the comparison.

        Returns
        -------
        pandas.DataFrame
            Labels and ``value``; missing where a run diverged.
        """
        metric = self.metric if metric is None else metric
        table, prefix = self._last(), ""
        if metric not in set(table["metric"]) and self._kept is None:
            for part in ("test", "train"):
                if metric.startswith(f"{part}_"):
                    table, prefix = self._part_scores(part), f"{part}_"
        chosen = table[table["metric"] == metric.removeprefix(prefix)]
        if chosen.empty:
            known = ", ".join(prefix + known for known in table["metric"].unique())
            raise ValueError(f"metric is {metric!r}; expected one of {known}.")
        return chosen[[*self._label_names, "value"]].reset_index(drop=True)

    def by_run(
        self,
        variant: str,
        metric: str | None = None,
        *,
        data: str | None = None,
        **point,
    ) -> pd.Series:
        """Return the scores of one variant, for :func:`statistics.estimate`.

        Parameters
        ----------
        variant : str
        metric : str, optional
            As in :meth:`scores`.
        data : str, optional
            Which table, where there are several.
        **point
            Numbers of the grid, where all of it was kept. Those that the variant does
            not take are left aside.

        Returns
        -------
        pandas.Series
            By ``split`` and ``seed``. A run that diverged counts as the worst finite
            one of all variants on that table, so that a variant gains nothing by it.

        Raises
        ------
        ValueError
            If there is no such arm, or there are several.
        """
        scores = self.scores(metric)
        if "data" in scores:
            if data not in set(scores["data"]):
                known = ", ".join(map(repr, scores["data"].unique()))
                raise ValueError(f"data is {data!r}; expected one of {known}.")
            scores = scores[scores["data"] == data]
        elif data is not None:
            raise ValueError(f"data is {data!r}, but there is one table only.")
        values = scores["value"].where(np.isfinite(scores["value"]))
        better = self._better(metric)
        values = values.fillna(values.min() if better else values.max())
        own = _of(scores, variant)
        if own.empty:
            raise ValueError(
                f"variant is {variant!r}; expected one of {', '.join(self.variants)}."
            )
        for knob, value in point.items():
            if knob not in scores:
                raise ValueError(
                    f"there is no {knob!r} to choose by; the labels are "
                    f"{', '.join(self._label_names)}."
                )
            if own[knob].notna().any():
                own = own[own[knob] == value]
        if own.empty:
            raise ValueError(
                f"variant {variant!r} was not trained with {_said(point)}."
            )
        index = _run_labels(own)
        arms = own.drop(columns=[*index, "value"]).drop_duplicates()
        if len(arms) > 1:
            several = ", ".join(k for k in arms if arms[k].nunique(dropna=False) > 1)
            raise ValueError(f"variant {variant!r} has several arms; say {several}.")
        return values[own.index].set_axis(pd.MultiIndex.from_frame(own[index]))

    def by_arm(
        self,
        metric: str | None = None,
        *,
        levels: bool = False,
        diverged: float | None = None,
    ) -> pd.DataFrame:
        """Return all scores, a row for each run and a column for each arm.

        Arms that share a row share their data and their start, so that a difference of
        two columns is paired; :func:`statistics.estimate` and ``judge`` take it.

        Parameters
        ----------
        metric : str, optional
            As in :meth:`scores`.
        levels : bool
            Columns by the variant and the grid's keywords, those in which the arms
            differ, sorted. Otherwise an arm is called as in :meth:`summary`: by its
            variant and, where all of a grid was kept, its numbers:
            ``"dropout, rate=0.5"``.
        diverged : float, optional
            What a run that diverged counts as: as the worst finite one on its table,
            unless it is told.

        Returns
        -------
        pandas.DataFrame
            By ``data`` (where there are several tables), ``split`` and ``seed``.
        """
        scores = self.scores(metric)
        if diverged is None:
            scores["value"] = self._finite(scores, metric)
        else:
            scores["value"] = scores["value"].where(np.isfinite, diverged)
        runs = [n for n in ("data",) if n in scores] + _run_labels(scores)
        knobs = [n for n in self._label_names if n not in ("data", *_RUN)]
        differ = [n for n in knobs if scores[n].nunique(dropna=False) > 1]
        if levels and differ:
            table = scores.pivot(index=runs, columns=differ, values="value")
            return table.sort_index(axis=1)
        scores["arm"] = self._arms(scores)
        frame = scores.pivot(index=runs, columns="arm", values="value")
        return frame[list(dict.fromkeys(scores["arm"]))].rename_axis(columns=None)

    def estimate(
        self,
        variant: str,
        metric: str | None = None,
        *,
        statistic: str = "mean",
        confidence_level: float = 0.95,
        comparisons: int = 1,
        data: str | None = None,
        **point: Any,
    ) -> Estimate:
        """Estimate a variant's score, with an interval that knows the design.

        Parameters
        ----------
        variant, metric, data, **point
            As in :meth:`by_run`.
        statistic, confidence_level, comparisons
            As in :func:`nnperf_utils.statistics.estimate`.

        Returns
        -------
        Estimate
        """
        return statistics.estimate(
            _without_single_level(self.by_run(variant, metric, data=data, **point)),
            statistic,
            confidence_level=confidence_level,
            comparisons=comparisons,
        )

    def difference(
        self,
        variant: str,
        reference: str | pd.Series,
        metric: str | None = None,
        *,
        statistic: str = "mean",
        confidence_level: float = 0.95,
        comparisons: int = 1,
        data: str | None = None,
        **point: Any,
    ) -> Estimate:
        """Estimate what a variant scores more than another, paired run by run.

        Parameters
        ----------
        variant : str
        reference : str or pandas.Series
            Another variant, on the same table and with the same numbers; or any other
            runs as :meth:`by_run` returns them: of another dose, on another table, or
            as early stopping keeps them.
        metric, data, **point
            As in :meth:`by_run`.
        statistic, confidence_level, comparisons
            As in :func:`nnperf_utils.statistics.estimate`.

        Returns
        -------
        Estimate
        """
        one = self.by_run(variant, metric, data=data, **point)
        if isinstance(reference, pd.Series):
            other, named = reference, "the runs given as reference"
        else:
            other = self.by_run(reference, metric, data=data, **point)
            named = repr(reference)
        if list(one.index.names) != list(other.index.names):
            raise ValueError(
                f"the runs of {variant!r} are told apart by "
                f"{' and '.join(map(str, one.index.names))}, but {named} by "
                f"{' and '.join(map(str, other.index.names))}."
            )
        paired = (one - other).dropna()
        if paired.empty:
            raise ValueError(
                f"variants {variant!r} and {named} have no run in common, so they "
                "cannot be paired."
            )
        return statistics.estimate(
            _without_single_level(paired),
            statistic,
            confidence_level=confidence_level,
            comparisons=comparisons,
        )

    def summary(
        self,
        metric: str | None = None,
        *,
        higher_is_better: bool | None = None,
        reference: str | None = None,
        confidence_level: float = 0.95,
    ) -> pd.DataFrame:
        """Compare the variants by their runs' scores after the last epoch.

        Parameters
        ----------
        metric : str, optional
            As in :meth:`scores`.
        higher_is_better : bool, optional
            Direction of `metric`, where its name does not tell.
        reference : str, optional
            The variant that the others are compared with; by default the first.
        confidence_level : float
            Of the intervals, all those of one table together.

        Returns
        -------
        pandas.DataFrame
            As :func:`nnperf_utils.statistics.summarize` describes it: for each variant
            median, paired difference, their intervals, verdict, and the smallest
            difference that these runs could have shown; further, a column for each
            number that was tuned. Where all of a grid was kept there is a row for each
            combination, where there are several tables a block of rows for each.
            ``attrs`` say what the intervals cover, and over how many comparisons they
            are simultaneous.
        """
        if higher_is_better is None:
            higher_is_better = self._better(metric)
        scores = self.scores(metric)
        scores["variant"] = self._arms(scores)
        blocks = {}
        tables = (
            scores.groupby("data", sort=False) if "data" in scores else [("", scores)]
        )
        for name, own in tables:
            blocks[name] = statistics.summarize(
                own[["variant", *_run_labels(own), "value"]],
                higher_is_better=higher_is_better,
                reference=own["variant"].iloc[0] if reference is None else reference,
                confidence_level=confidence_level,
            )
            chosen = [self._chosen.get((name or None, v), {}) for v in self.variants]
            if len(chosen) == len(blocks[name]):
                for knob in dict.fromkeys(knob for point in chosen for knob in point):
                    blocks[name][knob] = [point.get(knob, np.nan) for point in chosen]
        if "data" not in scores:
            return blocks[""]
        table = pd.concat(blocks, names=["data"])
        table.attrs = next(iter(blocks.values())).attrs
        return table

    def test_scores(self, test: tuple | None = None) -> pd.DataFrame:
        """Score every run on the test part, once.

        The first call scores the weights after the last epoch; further calls return
        the same figures, so that nothing can be tried on the test part until it fits.

        Parameters
        ----------
        test : tuple of (x, y), optional
            By default the test part of the data that each run was trained on.

        Returns
        -------
        pandas.DataFrame
            Labels and ``metric, value``.
        """
        if test is not None:
            if "test" in self._scored:
                raise ValueError(
                    "the test set has been scored already, and is scored once only; "
                    "call test_scores() for the figures."
                )
            self._scored["test"] = self._gathered(lambda runs: runs.evaluate(*test))
        return self._part_scores("test").copy()

    def stopped(
        self, monitor: str = "val_loss", *, patience: int = 0, **options: Any
    ) -> pd.DataFrame:
        """Read off where early stopping would have stopped each run, and its scores.

        Parameters
        ----------
        monitor, patience, **options
            As in ``Runs.stopped``, which follows ``keras.callbacks.EarlyStopping``.

        Returns
        -------
        pandas.DataFrame
            Labels and ``stopped_epoch, best_epoch, metric, value``: scores kept.
        """
        frame = self._gathered(
            lambda runs: runs.stopped(monitor=monitor, patience=patience, **options)
        )
        if options.get("restore_best_weights", True):
            outcomes = {
                name: checks.restored_best_weights(
                    _numbered(_of(frame, name)),
                    _numbered(_of(self.history, name)),
                    monitor,
                )
                for name in self.variants
            }
            self._note("early stopping keeps the best weights", outcomes)
        return frame

    def with_early_stopping(
        self, monitor: str = "val_loss", *, patience: int = 0, **options: Any
    ) -> "Comparison":
        """Return the comparison as it had come out with early stopping.

        The history holds every epoch, so nothing is trained again. To know the test
        score at an epoch that the validation part has chosen, train with
        ``follow_test=True``.

        Parameters
        ----------
        monitor, patience, **options
            As in :meth:`stopped`.

        Returns
        -------
        Comparison
            Its scores are those that early stopping keeps.
        """
        result = copy.copy(self)
        result._kept = self.stopped(monitor, patience=patience, **options)
        return result

    def reached(self, metric: str, target: float) -> pd.DataFrame:
        """Tell when each run first reached a target.

        Parameters
        ----------
        metric : str
            A name in ``history``. Reached is a value as good as the target or better:
            of a loss, at most so much.
        target : float

        Returns
        -------
        pandas.DataFrame
            Labels and ``epoch, update``: the first epoch after which the score was
            that good, and the updates until then. Infinite for a run that never was, so
            that it counts in a median as what it is, longer than any other.
        """
        better = self._better(metric)
        _check_target(target)
        return self._gathered(lambda runs: runs.reached(metric, target, better))

    def at(self, metric: str, target: float) -> "Comparison":
        """Return the comparison of all runs at the same value of a metric.

        For variants that get there at different times: at an equal training loss, say,
        ``compare(..., follow_train=True).at("train_loss", 0.1)``.

        Parameters
        ----------
        metric, target
            As in :meth:`reached`.

        Returns
        -------
        Comparison
            Its scores are those after the first epoch in which a run has reached the
            target. Scores of a run that never does are missing, and count as those of a
            run that diverged.
        """
        first = self.reached(metric, target).drop(columns="update")
        rows = self.history.merge(first.rename(columns={"epoch": "at"}))
        # of a run that never gets there the last epoch stands, without its value
        never = np.isinf(rows["at"])
        last = rows.groupby(self._label_names, dropna=False)["epoch"].transform("max")
        rows["value"] = rows["value"].mask(never)
        here = rows["epoch"] == rows["at"].where(~never, last)
        result = copy.copy(self)
        result._kept = rows[here].drop(columns=["epoch", "at"])
        return result

    def networks(self, variant: str, **labels: Any) -> Iterator[tuple[int, Any]]:
        """Yield the seed of each run of a variant, and its network after training.

        It is the same model each time, with other weights: what a function traces of
        it, as those of `curvature` do, it traces once.

        Parameters
        ----------
        variant : str
        **labels
            As in :meth:`model`.

        Yields
        ------
        tuple of (int, keras.Model)
        """
        if variant not in self._members:
            raise ValueError(
                f"variant is {variant!r}; expected one of {', '.join(self.variants)}."
            )
        runs, inner = self._members[variant]
        yield from runs.networks(inner, **labels)

    def joined(self, other: "Comparison") -> "Comparison":
        """Return the comparison of this one's variants and another one's.

        For variants that were trained apart on the same data, with the same seeds.

        Parameters
        ----------
        other : Comparison
            Of other variants.

        Returns
        -------
        Comparison
            Its metric and its reference are this one's. Neither what was chosen nor
            what early stopping kept comes along: choose and stop afterwards.
        """
        twice = [name for name in other._members if name in self._members]
        if twice:
            raise ValueError(f"both comparisons have a variant {twice[0]!r}.")
        result = Comparison(
            {**self._members, **other._members},
            metric=self.metric,
            higher_is_better=self.higher_is_better,
        )
        result.checks = pd.concat([self.checks, other.checks], ignore_index=True)
        return result

    def choose(self, metric: str | None = None) -> "Comparison":
        """Return the comparison of each variant's best arm, of a grid that was kept.

        The choice has seen the very runs that are compared: make it by validation
        scores and compare test scores.

        Parameters
        ----------
        metric : str, optional
            The arm with the best mean of it is chosen, for each variant and table; by
            default the metric of the comparison. A run that diverged counts as the
            worst one.

        Returns
        -------
        Comparison
            With :attr:`chosen`.
        """
        metric = self.metric if metric is None else metric
        scores = self.scores(metric)
        knobs = [k for k in self._label_names if k not in ("data", "variant", *_RUN)]
        better = self._better(metric)
        tables = [name for name in ("data",) if name in scores]
        scores["value"] = self._finite(scores, metric)
        arms = scores.groupby([*tables, "variant", *knobs], sort=False, dropna=False)
        means = arms["value"].mean().reset_index()
        sign = 1 if better else -1
        means["value"] *= sign
        best = means.loc[
            means.groupby([*tables, "variant"], sort=False)["value"].idxmax()
        ]
        result = copy.copy(self)
        result._only = best.drop(columns="value")
        result._chosen = {
            (row.get("data"), row["variant"]): {
                k: row[k] for k in knobs if not pd.isna(row[k])
            }
            for row in best.to_dict("records")
        }
        for name in ("history", "readings", "diverged"):
            setattr(result, name, result._of_chosen(getattr(self, name)))
        result._scored = {
            part: result._of_chosen(frame) for part, frame in self._scored.items()
        }
        if self._kept is not None:
            result._kept = result._of_chosen(self._kept)
        return result

    def model(self, variant: str, seed: int, **labels: Any) -> keras.Model:
        """Return one run's network after training, an ordinary Keras model.

        Parameters
        ----------
        variant : str
        seed : int
        **labels
            Further labels, where these two do not tell: ``split=2``.
        """
        runs, inner = self._of_variant(variant)
        return runs.model(seed, inner, **labels)

    def ensemble(self, variant: str, x: Any, **labels: Any) -> Ensemble:
        """Let the runs of a variant answer together: the mean of what they predict.

        Parameters
        ----------
        variant : str
        x : array
            As in ``keras.Model.predict``.
        **labels
            Further labels, where the variant does not tell: ``rate=0.1``.

        Returns
        -------
        ensembles.Ensemble
        """
        runs, inner = self._of_variant(variant)
        return runs.ensemble(x, inner, **labels)

    def weights(
        self, variant: str, *, without: str | Sequence[str] = (), **labels: Any
    ) -> dict[int, dict[str, list[np.ndarray]]]:
        """Return the weights of a variant's runs, for others to start from.

        Parameters
        ----------
        variant : str
        without, **labels
            As in ``Runs.weights``.

        Returns
        -------
        dict of int to dict of str to list of numpy.ndarray
        """
        runs, inner = self._of_variant(variant)
        return runs.weights(inner, without=without, **labels)

    def _of_variant(self, variant: str) -> tuple[Runs, str | None]:
        if variant not in self._members:
            raise ValueError(
                f"variant is {variant!r}; expected one of {', '.join(self.variants)}."
            )
        return self._members[variant]

    def __repr__(self) -> str:
        """Summary as text."""
        if self._is_one_arm():
            return f"<Comparison: {self.variants[0]!r} alone; see scores()>"
        table = self.summary()
        return f"{self._caption(table)}\n{table.to_string()}"

    def _repr_html_(self) -> str:
        """Summary as a notebook shows it."""
        if self._is_one_arm():
            return f"<p>{html.escape(repr(self))}</p>"
        table = self.summary()
        return f"{table._repr_html_()}<p>{self._caption(table)}</p>"

    def _caption(self, table: pd.DataFrame) -> str:
        better = "higher" if self.higher_is_better else "lower"
        failed = (self.checks["outcome"] == "failed").sum()
        too_few = np.isinf(table["smallest_difference"]).any()
        attrs = table.attrs
        together = (
            f"; {attrs['confidence_level']:.0%} over {attrs['comparisons']} "
            f"comparisons together, each at {attrs['individual_level']:.1%}"
            if attrs["comparisons"] > 1
            else f"; {attrs['confidence_level']:.0%} intervals"
        )
        return (
            f"{self.metric} ({better} is better) after the last epoch; differences to "
            f"{self.variants[0]!r}, paired by run: {attrs['design']}, "
            f"{attrs['covers']}{together}"
            + ("; too few for a verdict" if too_few else "")
            + (f"; {failed} checks failed, see .checks" if failed else "")
            + "."
        )

    # ------------------------------------------------------------------------ inside

    @property
    def _label_names(self) -> list[str]:
        known = ("epoch", "metric", "value")
        return [name for name in self.history if name not in known]

    def _is_one_arm(self) -> bool:
        """Tell whether there is one variant without a grid: nothing to compare."""
        runs = ("data", *_RUN)
        arms = self.scores()[[n for n in self._label_names if n not in runs]]
        return len(arms.drop_duplicates()) == 1

    def _better(self, metric: str | None) -> bool:
        """Tell whether more of a metric is better."""
        if metric is None or metric == self.metric:
            return self.higher_is_better
        return statistics.higher_is_better(metric)

    def _arms(self, scores: pd.DataFrame) -> list[str]:
        """Name the arm of each row; where a dose was chosen, its variant tells."""
        knobs = () if self._chosen else self._label_names
        knobs = [k for k in knobs if k not in ("data", "variant", *_RUN)]
        return [
            _arm(row["variant"], {k: row[k] for k in knobs})
            for row in scores.to_dict("records")
        ]

    def _finite(self, scores: pd.DataFrame, metric: str | None) -> pd.Series:
        """Return scores in which a run that diverged counts as its table's worst."""
        finite = scores["value"].where(np.isfinite(scores["value"]))
        worst = "min" if self._better(metric) else "max"
        if "data" in scores:
            return finite.fillna(finite.groupby(scores["data"]).transform(worst))
        return finite.fillna(getattr(finite, worst)())

    def _last(self) -> pd.DataFrame:
        """Return the scores after the last epoch, or those that were kept."""
        if self._kept is not None:
            return self._kept
        labels = self._label_names
        epochs = self.history.groupby(labels, sort=False, dropna=False)["epoch"]
        return self.history[self.history["epoch"] == epochs.transform("max")]

    def _part_scores(self, part: str) -> pd.DataFrame:
        """Score the training or the test part, once."""
        if part not in self._scored:
            self._scored[part] = self._gathered(lambda runs: runs.evaluate_part(part))
        return self._scored[part]

    def _of_chosen(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a frame that belong to the chosen arms."""
        if self._only is None or frame.empty:
            return frame
        return frame.merge(self._only)[list(frame)]

    def _gathered(self, part: Callable[[Runs], pd.DataFrame]) -> pd.DataFrame:
        """Put together a frame of all runs, with the variants under their names."""
        frames, seen = [], set()
        for name, (runs, inner) in self._members.items():
            if id(runs) in seen:
                continue
            frame = part(runs)
            if inner is None:
                frame = frame.drop(columns="variant", errors="ignore")
                place = sum(label in frame for label in ("data", "split"))
                frame.insert(place, "variant", name)
            else:
                seen.add(id(runs))
            frames.append(frame)
        # the labels of all of them before what was measured
        labels = dict.fromkeys(k for f in frames for k in f if k not in _MEASURED)
        runs = [name for name in labels if name == "seed"]
        order = [name for name in labels if name != "seed"] + runs
        measured = [name for name in frames[0] if name in _MEASURED]
        frame = pd.concat(frames, ignore_index=True)[[*order, *measured]]
        return self._of_chosen(frame)

    def _note(self, check: str, outcomes: Mapping[str, checks.Outcome]) -> None:
        """Enter the outcomes of a check, in place of earlier ones; warn of failures."""
        rows = pd.DataFrame(
            [
                {"check": check, "variant": name, **outcome._asdict()}
                for name, outcome in outcomes.items()
            ]
        )
        kept = self.checks[self.checks["check"] != check]
        self.checks = pd.concat([kept, rows], ignore_index=True)
        for name, outcome in outcomes.items():
            if outcome.outcome == "failed":
                where = f"variant {name!r}: " if name else ""
                warnings.warn(
                    f"check failed, {check}: {where}{outcome.detail}.", stacklevel=4
                )

    def _check(
        self,
        looked: _Looked,
        study: _Study,
        seeds: list[list[list[int]]],
        kept: Callable[[int, str], list[Point]],
    ) -> None:
        """Look at whether the experiment did what it says.

        Where all of a grid was kept, the networks themselves are looked at in its first
        point only.
        """
        of: dict[str, dict[str, checks.Outcome]] = {
            "same number of updates": {},
            "starting weights differ by seed": {},
            "variant changes training": {},
            "schedule changes the learning rate": {},
            "dropout only in training": {},
            "clipping fires": {},
            "best of the grid is not at its edge": {},
        }
        for t, table in enumerate(looked.tables):
            data = table.splits[0]
            x = keras.tree.map_structure(lambda a: a[:_PROBE_EXAMPLES], data.train[0])
            histories = {
                name: _numbered(_first_arm(_of_table(self.history, table), name))
                for name in self.variants
            }
            histories = {name: own for name, own in histories.items() if len(own)}
            updates = {}
            for name, own in histories.items():
                shown = name if table.name is None else f"{name}, {table.name}"
                model, seed = looked.models[t, name], seeds[t][0][0]
                runs, inner = self._members[name]
                updates[shown] = runs.updates(inner, data=table.name)
                begun = runs.starting_weights(inner)
                if len(begun) == 2:
                    of["starting weights differ by seed"][shown] = (
                        checks.Outcome("does not apply", "the start was given")
                        if name in study.taught.start
                        else checks.starting_weights_differ(*begun)
                    )
                of["schedule changes the learning rate"][shown] = (
                    checks.schedule_changes_learning_rate(model, max(updates[shown]))
                )
                if name in study.callbacks:
                    of.setdefault("callback changes the learning rate", {})[shown] = (
                        checks.callback_changes_learning_rate(
                            _numbered(_of(_of_table(self.history, table), name))
                        )
                    )
                with starts.preserved_random_state():
                    of["dropout only in training"][shown] = (
                        checks.dropout_only_in_training(
                            self._trained(model, name, table, own), x
                        )
                    )
                    place = study.task(t, 0, name, looked.points[t, name])
                    task = study.tasks[place]
                    batches = looked.batches(
                        data, task.batch_size, task.epochs, seed=seed
                    )
                    of["clipping fires"][shown] = checks.clipping_fires(
                        model, itertools.islice(batches, _CLIPPING_UPDATES)
                    )
                if name != self.variants[0] and self.variants[0] in histories:
                    of["variant changes training"][shown] = (
                        checks.variant_changes_training(
                            *self._side_by_side(table, name, self.variants[0])
                        )
                    )
                of["best of the grid is not at its edge"][shown] = _inside(
                    *looked.tuned.get((t, name), ({}, {}))
                )
            of["same number of updates"] |= (
                checks.same_number_of_updates(updates)
                if not study.updates_differ(t, kept)
                else {
                    shown: checks.Outcome(
                        "does not apply", f"the design has {_counts(numbers)} updates"
                    )
                    for shown, numbers in updates.items()
                }
            )
        for table in looked.tables:
            for data in table.splits:
                scaler = checks.scaler_fitted_on_training_part(data)
                if scaler.outcome == "failed":
                    break
            self._note(
                "scaler saw the training part alone"
                + ("" if table.name is None else f", {table.name}"),
                {"": scaler},
            )
        for check, outcomes in of.items():
            self._note(check, outcomes)

    def _side_by_side(self, table: Table, *variants: str) -> list[pd.DataFrame]:
        """Return histories run by run, of all arms if all have the same ones."""
        whole = [_of(_of_table(self.history, table), name) for name in variants]
        if len({len(own) for own in whole}) > 1:
            whole = [_first_arm(own, n) for own, n in zip(whole, variants, strict=True)]
        return [_numbered(own) for own in whole]

    def _trained(
        self, model: keras.Model, name: str, table: Table, own: pd.DataFrame
    ) -> keras.Model:
        """Return a network of which one can see whether it draws at random.

        Untrained weights may be zero, and hide what dropout does.
        """
        if not checks.draws_at_random(model):
            return model
        row = own.iloc[0]
        runs, inner = self._members[name]
        names = [n for n in runs.labels if n not in ("variant", "seed")]
        labels = {n: row[n] for n in names if n in row and not pd.isna(row[n])}
        return runs.model(int(row["own_seed"]), inner, **labels)


def _counts(numbers: Sequence[int]) -> str:
    """Say a range of numbers."""
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _run_labels(frame: pd.DataFrame) -> list[str]:
    """Return the labels that tell runs of one arm apart; a whole table has no split."""
    return [name for name in _RUN if name in frame and frame[name].notna().any()]


def _of(frame: pd.DataFrame, variant: str) -> pd.DataFrame:
    return frame[frame["variant"] == variant]


def _of_table(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    return frame if table.name is None else frame[frame["data"] == table.name]


def _first_arm(frame: pd.DataFrame, variant: str) -> pd.DataFrame:
    """Return the rows of the first point of a variant's grid."""
    own = _of(frame, variant)
    known = ("data", "variant", *_RUN, "epoch", "layer", "metric", "value")
    knobs = [name for name in own if name not in known]
    if own.empty or not knobs:
        return own
    return own.merge(own[knobs].iloc[:1])[list(own)]


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """Give each run a number of its own in the place of its seed."""
    known = ("epoch", "metric", "value", "layer", "stopped_epoch", "best_epoch")
    labels = [name for name in frame if name not in known]
    runs = frame.groupby(labels, sort=False, dropna=False).ngroup()
    return frame.assign(own_seed=frame["seed"], seed=runs)


def _without_single_level(values: pd.Series) -> pd.Series:
    """Drop the level of the split where there is no split."""
    if list(values.index.names) == ["seed"]:
        return values.set_axis(values.index.get_level_values("seed"))
    return values


def _divergences(runs: Runs) -> pd.DataFrame:
    """Return the runs that diverged as a frame, with the epoch of it."""
    first = runs.diverged.reset_index(drop=True)
    frame = runs.labels.assign(epoch=first)[first.notna().to_numpy()]
    return frame.astype({"epoch": int}).reset_index(drop=True)


# ------------------------------------------------------------------------------ tuning


def _for_table(build: Callable[..., keras.Model], table: Table) -> Callable:
    """Give a function its data, if it asks for them."""
    return partial(build, data=table.splits[0]) if _takes(build, "data") else build


def _built(build: Callable[..., keras.Model], knobs: Mapping[str, Any]) -> Any:
    """Build a model with some numbers set, the learning rate if need be afterwards."""
    keywords = _taken(build, knobs)
    model = build(**keywords)
    if "learning_rate" in knobs and "learning_rate" not in keywords:
        model.optimizer.learning_rate = knobs["learning_rate"]
    return model


def _taken(function: Callable, knobs: Mapping[str, Any]) -> Point:
    """Return those numbers that a function names."""
    return {knob: value for knob, value in knobs.items() if _takes(function, knob)}


def _takes(build: Callable, keyword: str) -> bool:
    """Tell whether a function names a keyword that nothing has fixed yet."""
    if isinstance(build, partial) and keyword in build.keywords:
        return False
    parameter = inspect.signature(build).parameters.get(keyword)
    return parameter is not None and parameter.kind in (
        inspect.Parameter.KEYWORD_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )


def _knobs(
    name: str,
    build: Callable,
    grid: Mapping[str, tuple],
    seed: int,
    *others: Callable | None,
) -> dict[str, tuple]:
    """Return the part of the grid that applies to a variant.

    Beside the function that builds it, `others` may name keywords, too.
    """
    takers = [function for function in (build, *others) if function is not None]
    own = {
        knob: values
        for knob, values in grid.items()
        if any(_takes(function, knob) for function in takers)
    }
    if "learning_rate" in grid and not _takes(build, "learning_rate"):
        first = partial(build, **{k: v[0] for k, v in own.items() if _takes(build, k)})
        with starts.preserved_random_state():
            optimizer = getattr(starts.build_model(first, seed), "optimizer", None)
        if optimizer and not isinstance(optimizer.learning_rate, keras.Variable):
            raise ValueError(
                f"the optimizer of variant {name!r} has a learning-rate schedule, "
                "which learning_rates cannot set: give its function a keyword "
                "learning_rate."
            )
        own["learning_rate"] = grid["learning_rate"]
    return own


def _points(knobs: Mapping[str, tuple]) -> list[Point]:
    """Return all combinations of a grid; of an empty one, one empty one."""
    return [
        dict(zip(knobs, values, strict=True))
        for values in itertools.product(*knobs.values())
    ]


def _tuned(
    runs: Runs,
    metric: str,
    higher_is_better: bool,
    tables: Sequence[Table],
    variants: Mapping[str, Callable],
) -> tuple[pd.DataFrame, dict[tuple[int, str], Point]]:
    """Choose the best point of each variant's grid, for each table."""
    labels = list(runs.labels)
    last = runs.history[runs.history["metric"] == metric]
    epochs = last.groupby(labels, sort=False, dropna=False)["epoch"]
    last = last[last["epoch"] == epochs.transform("max")].reset_index(drop=True)
    knobs = [n for n in labels if n not in ("data", "variant", *_RUN)]
    best: dict[tuple[int, str], Point] = {}
    for t, table in enumerate(tables):
        of_table = _of_table(last, table)
        # A run that diverged counts as the worst one seen.
        seen = of_table["value"]
        worst = seen.min() if higher_is_better else seen.max()
        for name in variants:
            own = _of(of_table, name)
            if own.empty:
                continue
            if own["value"].isna().all():
                raise ValueError(
                    f"every trial of variant {name!r} diverged; try smaller values."
                )
            taken = [knob for knob in knobs if own[knob].notna().any()]
            means = (
                own["value"]
                .fillna(worst)
                .groupby([own[knob] for knob in taken], sort=False)
                .mean()
            )
            at = means.idxmax() if higher_is_better else means.idxmin()
            values = at if isinstance(at, tuple) else (at,)
            best[t, name] = {
                knob: value.item() if hasattr(value, "item") else value
                for knob, value in zip(taken, values, strict=True)
            }
    return last.drop(columns="epoch"), best


def _said(point: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{knob}={value:g}" if isinstance(value, Real) else f"{knob}={value}"
        for knob, value in point.items()
    )


def _arm(variant: str, point: Mapping[str, Any]) -> str:
    """Name a variant at a point of a grid."""
    said = _said({k: v for k, v in point.items() if not pd.isna(v)})
    return f"{variant}, {said}" if said else variant


def _inside(
    point: Mapping[str, Any], grid: Mapping[str, Sequence[Any]]
) -> checks.Outcome:
    """Check that tuning did not choose an end of its grid, beyond which may be better.

    Zero is no such end: it means to do without.
    """
    if not point:
        return checks.Outcome("does not apply", "nothing was tuned")
    edges = []
    for knob, value in point.items():
        if len(grid[knob]) < 2 or not isinstance(value, Real):
            continue
        if value == max(grid[knob]):
            edges.append(f"{knob} {value:g} is the largest tried")
        elif value == min(grid[knob]) and value != 0:
            edges.append(f"{knob} {value:g} is the smallest tried")
    if edges:
        return checks.Outcome("failed", "; ".join(edges) + ": widen the grid")
    return checks.Outcome("passed", _said(point))


def _batches(
    data: Any,
    batch_size: int,
    epochs: int,
    class_weight: Mapping[int, float] | None,
    sample_weight: Any,
    *,
    seed: int,
) -> Iterator[tuple]:
    """Yield the batches of a run in the order in which the engine shows them."""
    x, y = data.train[0], data.train[1]
    weight = None if sample_weight is None else np.asarray(sample_weight, np.float32)
    if class_weight is not None:
        by_class = np.array([class_weight.get(int(c), 1.0) for c in np.ravel(y)])
        weight = (by_class if weight is None else weight * by_class).astype(np.float32)
    for epoch in range(1, epochs + 1):
        order = example_order(seed, epoch, len(y))
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield (
                keras.tree.map_structure(lambda a, rows=rows: np.asarray(a)[rows], x),
                np.asarray(y)[rows],
                None if weight is None else weight[rows],
            )


# -------------------------------------------------------------------------- arguments


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and value > 0


def _check_target(target: Any) -> None:
    if not isinstance(target, Real) or isinstance(target, bool) or not isfinite(target):
        raise TypeError(f"target is {target!r}; expected a finite number.")


def _checked_entries(entries: Any, what: str, least: int = 2) -> None:
    if not isinstance(entries, Mapping):
        raise TypeError(
            f"{what} must be a dictionary by name; got {type(entries).__name__}."
        )
    if len(entries) < least:
        raise ValueError(
            f"{what} has {len(entries)} entries; a comparison takes two or more, or "
            "one on several tables or with a grid and choose=False."
        )
    for name in entries:
        if not isinstance(name, str) or not name.strip():
            raise TypeError(f"{what} has the name {name!r}; expected some text.")


def _checked_variants(variants: Any, least: int) -> dict[str, Callable]:
    _checked_entries(variants, "variants", least)
    for name, build in variants.items():
        if isinstance(build, keras.Model):
            raise TypeError(
                f"variants[{name!r}] is a model; expected a function that builds one, "
                "so that each seed starts with fresh weights."
            )
        if not callable(build):
            raise TypeError(
                f"variants[{name!r}] is of type {type(build).__name__}; expected a "
                "function that returns a compiled model."
            )
    return dict(variants)


def _checked_callbacks(callbacks: Any, variants: Mapping) -> dict[str, Callable]:
    """Return the functions that make callbacks, by variant."""
    if callbacks is None:
        return {}
    if not isinstance(callbacks, Mapping):
        raise TypeError(
            "callbacks must be a dictionary from a variant's name to a function that "
            f"returns its callback; got {type(callbacks).__name__}."
        )
    for name, callback in callbacks.items():
        if name not in variants:
            raise ValueError(
                f"callbacks has {name!r}; the variants are {', '.join(variants)}."
            )
        if not callable(callback) or isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks[{name!r}] is of type {type(callback).__name__}; expected a "
                "function that returns a callback, so that each run has its own."
            )
    return dict(callbacks)


def _checked_by_variant(what: str, by_variant: Any, variants: Mapping) -> dict:
    """Return what some of the variants are given, by their names."""
    if by_variant is None:
        return {}
    if not isinstance(by_variant, Mapping):
        raise TypeError(
            f"{what} must be a dictionary by a variant's name; got "
            f"{type(by_variant).__name__}."
        )
    for name in by_variant:
        if name not in variants:
            raise ValueError(
                f"{what} has {name!r}; the variants are {', '.join(variants)}."
            )
    return dict(by_variant)


def _checked_grid(grid: Any, learning_rates: Any) -> dict[str, tuple]:
    """Return all that is to be tuned, by keyword."""
    if grid is not None and not isinstance(grid, Mapping):
        raise TypeError(
            "grid must be a dictionary from a keyword to the values to try; got "
            f"{type(grid).__name__}."
        )
    entries = {
        knob: (f"grid[{knob!r}]", values) for knob, values in (grid or {}).items()
    }
    if learning_rates is not None:
        if "learning_rate" in entries:
            raise ValueError("the learning rate is both in learning_rates and in grid.")
        entries["learning_rate"] = ("learning_rates", learning_rates)
    checked = {}
    for knob, (what, values) in entries.items():
        if isinstance(values, Real | str):
            values = [values]
        try:
            values = tuple(values)
        except TypeError:
            raise TypeError(
                f"{what} is {values!r}; expected a list of numbers or names."
            ) from None
        if not values:
            raise ValueError(f"{what} is empty; expected one value or more.")
        for value in values:
            if isinstance(value, str) and knob not in ("learning_rate", "batch_size"):
                continue
            if (
                not isinstance(value, Real)
                or isinstance(value, bool)
                or not isfinite(value)
            ):
                raise TypeError(
                    f"{what} holds {value!r}; expected finite numbers"
                    + ("." if knob == "learning_rate" else " or names.")
                )
            if knob == "batch_size" and not _is_count(value):
                raise ValueError(f"{what} holds {value!r}; expected whole numbers.")
            if knob == "learning_rate" and value <= 0:
                raise ValueError(f"{what} holds {value}; expected numbers above 0.")
        if len(set(values)) < len(values):
            raise ValueError(f"{what} holds a value more than once.")
        values = tuple(v.item() if hasattr(v, "item") else v for v in values)
        # Keras takes a learning rate of 1.0, but not of 1.
        checked[knob] = tuple(map(float, values)) if knob == "learning_rate" else values
    return checked


def _checked_metric(
    metric: str | None,
    models: Mapping[tuple[int, str], keras.Model],
    tables: Sequence[Table],
) -> str:
    """Return the metric that decides, after checking that all variants have it."""
    validated = all(
        getattr(split, "validation", None) is not None
        for table in tables
        for split in table.splits
    )
    prefix = "val_" if validated else ""
    for (t, name), model in models.items():
        own = _metric_names(model, tables[t].splits[0])
        if not own:
            continue  # what is wrong with it the engine says more clearly
        if metric is None:
            metric = prefix + ("accuracy" if "accuracy" in own else "loss")
        allowed = [*own, *(f"val_{n}" for n in own if prefix)]
        if metric not in allowed:
            raise ValueError(
                f"metric is {metric!r}; variant {name!r} has {', '.join(allowed)}."
            )
    return metric or prefix + "loss"


def _metric_names(model: Any, data: Any) -> list[str]:
    """Return the names that Keras will log; none where the model or data are bad."""
    try:
        x, y = keras.tree.map_structure(lambda a: a[:2], tuple(data.train[:2]))
        return list(model.compute_metrics(x, y, model(x)))
    except Exception:
        return []
