"""Fair comparison of network variants, paired by seed.

:func:`compare` trains several variants on the same data, from the same seeds, with the
same number of updates, and says of each whether it is better than the first one. The
statistics are those of :mod:`nnperf_utils.statistics`; whether the experiment did what
it says is looked at by :mod:`nnperf_utils.checks`.
"""

import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from math import isfinite
from numbers import Integral, Real
from typing import Any

import keras
import numpy as np
import pandas as pd

from nnperf_utils import checks, statistics
from nnperf_utils.engine import starts
from nnperf_utils.engine.work import check_seeds
from nnperf_utils.replicas import Cell, Runs, example_order, train

__all__ = ["Comparison", "compare"]

_CLIPPING_UPDATES = 500
_PROBE_EXAMPLES = 64


def compare(
    variants: Mapping[str, Callable[..., keras.Model]],
    data: Any,
    *,
    seeds: int | Sequence[int] = 20,
    epochs: int,
    batch_size: int = 32,
    metric: str | None = None,
    higher_is_better: bool | None = None,
    learning_rates: Sequence[float] | None = None,
    grid: Mapping[str, Sequence[float]] | None = None,
    tuning_seeds: int = 5,
    record: str | Sequence[str] = (),
    follow_test: bool = False,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    progress: bool = True,
    executor: Executor | None = None,
    jit_compile: bool | str = "auto",
) -> "Comparison":
    """Train variants of a network from the same seeds and compare them.

    Parameters
    ----------
    variants : mapping of str to callable
        Two or more. Each function returns a compiled Keras model; the first variant is
        the one that the others are compared with.
    data : Dataset
        The same for all.
    seeds : int or sequence of int
        A number means 0, 1, ..., n - 1. The same for all.
    epochs, batch_size : int
        The same for all.
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
    grid : mapping of str to sequence of float, optional
        Tune further numbers in the same way: ``{"rate": [0.1, 0.3, 0.5]}`` calls a
        variant's function with ``rate=0.1`` and so on. Variants whose function does not
        name that keyword are not tuned in it (``**keywords`` does not count), nor are
        those that fix it by ``functools.partial``. Several numbers are tried in all
        combinations.
    tuning_seeds : int
        Number of seeds for tuning: those that follow the largest of `seeds`, so that no
        compared run has had a part in the choice.
    record, follow_test, class_weight, sample_weight, progress, executor, jit_compile
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
    """
    variants = _checked_variants(variants)
    seeds = check_seeds(seeds)
    grid = _checked_grid(grid, learning_rates)
    if not _is_count(tuning_seeds):
        raise ValueError(
            f"tuning_seeds is {tuning_seeds!r}; expected an integer of 1 or more."
        )
    knobs = {
        name: _knobs(name, build, grid, seeds[0]) for name, build in variants.items()
    }
    unused = [knob for knob in grid if not any(knob in own for own in knobs.values())]
    if unused:
        raise ValueError(
            f"grid has {unused[0]!r}, which no variant's function takes as a keyword."
        )
    points = {
        name: {knob: values[0] for knob, values in own.items()}
        for name, own in knobs.items()
    }
    models = _models(variants, points, seeds[0])
    metric = _checked_metric(metric, models, data)
    if higher_is_better is None:
        higher_is_better = statistics.higher_is_better(metric)
    training = {
        "epochs": epochs,
        "batch_size": batch_size,
        "class_weight": class_weight,
        "sample_weight": sample_weight,
        "progress": progress,
        "executor": executor,
        "jit_compile": jit_compile,
    }

    tuning = pd.DataFrame()
    chosen: dict[str, dict[str, float]] = {name: {} for name in variants}
    if grid:
        if getattr(data, "validation", None) is None:
            raise ValueError(
                "tuning needs a validation part; the data have none "
                "(data.validation is None)."
            )
        further = range(max(seeds) + 1, max(seeds) + 1 + tuning_seeds)
        on = "val_" + metric.removeprefix("val_")
        tuning, chosen = _tuned(
            variants, knobs, data, further, on, higher_is_better, training
        )
        models = _models(variants, chosen, seeds[0])
        variants = {
            name: partial(_built, build, chosen[name])
            for name, build in variants.items()
        }

    cells = [
        Cell(name, seed, build) for name, build in variants.items() for seed in seeds
    ]
    runs = train(cells, data, record=record, follow_test=follow_test, **training)
    result = Comparison(
        {name: (runs, name) for name in variants},
        metric=metric,
        higher_is_better=higher_is_better,
        data=data,
        tuning=tuning,
        chosen=chosen,
    )
    batches = partial(_batches, data, batch_size, epochs, class_weight, sample_weight)
    result._check(models, data, batches, {n: (k, grid) for n, k in chosen.items()})
    return result


class Comparison:
    """Runs of several variants, and what they say about each other.

    Made by :func:`compare`, or of runs that were trained apart by :meth:`from_runs`.

    Attributes
    ----------
    history : pandas.DataFrame
        ``variant, seed, epoch, metric, value``, epochs counted from 1.
    readings : pandas.DataFrame
        ``variant, seed, epoch, layer, metric, value``: what the instruments recorded.
    diverged : pandas.DataFrame
        ``variant, seed, epoch``: the runs that diverged, and the epoch of it.
    checks : pandas.DataFrame
        ``check, variant, outcome, detail``: whether the experiment did what it says. An
        outcome is ``"passed"``, ``"failed"`` or ``"does not apply"``.
    tuning : pandas.DataFrame
        ``variant``, a column for each number tuned, ``seed``, ``metric``, ``value``:
        every trial of the tuning. Empty if nothing was tuned.
    chosen : dict
        For each variant the numbers that the tuning chose, by name.
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
        data: Any = None,
        tuning: pd.DataFrame | None = None,
        chosen: Mapping[str, Mapping[str, float]] | None = None,
    ):
        self._members = dict(members)
        self._data = data
        self._test_scores: pd.DataFrame | None = None
        self.metric = metric
        self.higher_is_better = higher_is_better
        self.tuning = pd.DataFrame() if tuning is None else tuning
        self.chosen = {name: dict((chosen or {}).get(name, {})) for name in members}
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
        runs are paired by seed as ever, and compared at their own last epoch.

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

    def scores(self, metric: str | None = None) -> pd.DataFrame:
        """Return each run's score after its last epoch.

        Parameters
        ----------
        metric : str, optional
            A name in ``history``, or ``test_`` before one to score the test part; by
            default the metric of the comparison.

        Returns
        -------
        pandas.DataFrame
            ``variant, seed, value``; missing where a run diverged.
        """
        metric = self.metric if metric is None else metric
        if metric.startswith("test_"):
            table, name = self.test_scores(), metric.removeprefix("test_")
        else:
            epochs = self.history.groupby(["variant", "seed"], sort=False)["epoch"]
            last = self.history["epoch"] == epochs.transform("max")
            table, name = self.history[last], metric
        chosen = table[table["metric"] == name]
        if chosen.empty:
            prefix = metric.removesuffix(name)
            known = ", ".join(prefix + known for known in table["metric"].unique())
            raise ValueError(f"metric is {metric!r}; expected one of {known}.")
        return chosen[["variant", "seed", "value"]].reset_index(drop=True)

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
            Of the intervals.

        Returns
        -------
        pandas.DataFrame
            As :func:`nnperf_utils.statistics.summarize` describes it: for each variant
            median, paired difference, their intervals, verdict, and the smallest
            difference that these seeds could have shown; further, a column for each
            number that was tuned. ``attrs["covers"]`` says what the intervals cover.
        """
        if higher_is_better is None:
            same = metric is None or metric == self.metric
            higher_is_better = (
                self.higher_is_better if same else statistics.higher_is_better(metric)
            )
        table = statistics.summarize(
            self.scores(metric),
            higher_is_better=higher_is_better,
            reference=next(iter(self._members)) if reference is None else reference,
            confidence_level=confidence_level,
        )
        for knob in dict.fromkeys(k for own in self.chosen.values() for k in own):
            table[knob] = [self.chosen[name].get(knob, np.nan) for name in table.index]
        table.attrs["covers"] = (
            f"{confidence_level:.0%} bootstrap intervals over seeds only (starting "
            "weights, order of examples, dropout), not over splits"
        )
        return table

    def test_scores(self, test: tuple | None = None) -> pd.DataFrame:
        """Score every run on the test part, once.

        The first call scores the weights after the last epoch; further calls return
        the same figures, so that nothing can be tried on the test part until it fits.

        Parameters
        ----------
        test : tuple of (x, y), optional
            By default the test part of the data that was compared on.

        Returns
        -------
        pandas.DataFrame
            ``variant, seed, metric, value``.
        """
        if self._test_scores is None:
            part = getattr(self._data, "test", None) if test is None else test
            if part is None:
                raise ValueError("the data have no test part; give one as test=(x, y).")
            self._test_scores = self._gathered(lambda runs: runs.evaluate(*part))
        elif test is not None:
            raise ValueError(
                "the test set has been scored already, and is scored once only; call "
                "test_scores() for the figures."
            )
        return self._test_scores.copy()

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
            ``variant, seed, stopped_epoch, best_epoch, metric, value``: scores kept.
        """
        frame = self._gathered(
            lambda runs: runs.stopped(monitor=monitor, patience=patience, **options)
        )
        if options.get("restore_best_weights", True):
            outcomes = {
                name: checks.restored_best_weights(
                    _of(frame, name), _of(self.history, name), monitor
                )
                for name in self.variants
            }
            self._note("early stopping keeps the best weights", outcomes)
        return frame

    def model(self, variant: str, seed: int) -> keras.Model:
        """Return one run's network after training, an ordinary Keras model."""
        if variant not in self._members:
            raise ValueError(
                f"variant is {variant!r}; expected one of {', '.join(self.variants)}."
            )
        runs, inner = self._members[variant]
        return runs.model(seed=seed) if inner is None else runs.model(seed, inner)

    def __repr__(self) -> str:
        """Summary as text."""
        table = self.summary()
        return f"{self._caption(table)}\n{table.to_string()}"

    def _repr_html_(self) -> str:
        """Summary as a notebook shows it."""
        table = self.summary()
        return f"{table._repr_html_()}<p>{self._caption(table)}</p>"

    def _caption(self, table: pd.DataFrame) -> str:
        better = "higher" if self.higher_is_better else "lower"
        failed = (self.checks["outcome"] == "failed").sum()
        too_few = np.isinf(table["smallest_difference"]).any()
        return (
            f"{self.metric} ({better} is better) after the last epoch; differences to "
            f"{self.variants[0]!r}, paired by seed; {table.attrs['covers']}"
            + ("; too few seeds for a verdict" if too_few else "")
            + (f"; {failed} checks failed, see .checks" if failed else "")
            + "."
        )

    # ------------------------------------------------------------------------ inside

    def _gathered(self, part: Callable[[Runs], pd.DataFrame]) -> pd.DataFrame:
        """Put together a frame of all runs, with the variants under their names."""
        frames, seen = [], set()
        for name, (runs, inner) in self._members.items():
            if id(runs) in seen:
                continue
            frame = part(runs)
            if inner is None:
                frame = frame.drop(columns="variant", errors="ignore")
                frame.insert(0, "variant", name)
            else:
                seen.add(id(runs))
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

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
        models: Mapping[str, keras.Model],
        data: Any,
        batches: Callable[[int], Iterator[tuple]],
        tuned: Mapping[str, tuple[Mapping[str, float], Mapping[str, Sequence[float]]]],
    ) -> None:
        """Look at whether the experiment did what it says.

        `models` are the variants' networks of the first seed, before training.
        """
        x = keras.tree.map_structure(lambda a: a[:_PROBE_EXAMPLES], data.train[0])
        of: dict[str, dict[str, checks.Outcome]] = {
            "same number of updates": {},
            "starting weights differ by seed": {},
            "variant changes training": {},
            "schedule changes the learning rate": {},
            "dropout only in training": {},
            "clipping fires": {},
            "best of the grid is not at its edge": {},
        }
        updates = {}
        for name in self.variants:
            model, own = models[name], _of(self.history, name)
            seeds = list(dict.fromkeys(own["seed"]))
            runs, inner = self._members[name]
            count = runs.updates(seeds[0], inner)
            epochs = own.groupby("seed", sort=False)["epoch"].max()
            updates[name] = count * epochs // epochs.loc[seeds[0]]
            begun = runs.starting_weights(inner)
            if len(begun) == 2:
                of["starting weights differ by seed"][name] = (
                    checks.starting_weights_differ(*begun)
                )
            of["schedule changes the learning rate"][name] = (
                checks.schedule_changes_learning_rate(model, count)
            )
            with starts.preserved_random_state():
                # Untrained weights may be zero, and hide what dropout does.
                drops = checks.draws_at_random(model)
                of["dropout only in training"][name] = checks.dropout_only_in_training(
                    self.model(name, seeds[0]) if drops else model, x
                )
                of["clipping fires"][name] = checks.clipping_fires(
                    model, itertools.islice(batches(seeds[0]), _CLIPPING_UPDATES)
                )
            if name != self.variants[0]:
                of["variant changes training"][name] = checks.variant_changes_training(
                    own, _of(self.history, self.variants[0])
                )
            of["best of the grid is not at its edge"][name] = _inside(*tuned[name])
        of["same number of updates"] = checks.same_number_of_updates(updates)
        scaler = checks.scaler_fitted_on_training_part(data)
        self._note("scaler saw the training part alone", {"": scaler})
        for check, outcomes in of.items():
            self._note(check, outcomes)


def _of(frame: pd.DataFrame, variant: str) -> pd.DataFrame:
    return frame[frame["variant"] == variant]


def _divergences(runs: Runs) -> pd.DataFrame:
    """Return the runs that diverged as a frame, with the epoch of it."""
    found = runs.diverged.dropna().rename("epoch").astype(int)
    return found.reset_index()


# ------------------------------------------------------------------------------ tuning


def _built(build: Callable[..., keras.Model], knobs: Mapping[str, float]) -> Any:
    """Build a model with some numbers set, the learning rate if need be afterwards."""
    keywords = {k: v for k, v in knobs.items() if _takes(build, k)}
    model = build(**keywords)
    if "learning_rate" in knobs and "learning_rate" not in keywords:
        model.optimizer.learning_rate = knobs["learning_rate"]
    return model


def _models(
    variants: Mapping[str, Callable], points: Mapping[str, Mapping], seed: int
) -> dict[str, keras.Model]:
    """Build each variant's network, its knobs at a point of the grid."""
    with starts.preserved_random_state():
        return {
            name: starts.build_model(partial(_built, build, points[name]), seed)
            for name, build in variants.items()
        }


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
    name: str, build: Callable, grid: Mapping[str, tuple[float, ...]], seed: int
) -> dict[str, tuple[float, ...]]:
    """Return the part of the grid that applies to a variant."""
    own = {knob: values for knob, values in grid.items() if _takes(build, knob)}
    if "learning_rate" in grid and "learning_rate" not in own:
        with starts.preserved_random_state():
            optimizer = getattr(starts.build_model(build, seed), "optimizer", None)
        if optimizer and not isinstance(optimizer.learning_rate, keras.Variable):
            raise ValueError(
                f"the optimizer of variant {name!r} has a learning-rate schedule, "
                "which learning_rates cannot set: give its function a keyword "
                "learning_rate."
            )
        own["learning_rate"] = grid["learning_rate"]
    return own


def _tuned(
    variants: Mapping[str, Callable],
    knobs: Mapping[str, Mapping[str, tuple[float, ...]]],
    data: Any,
    seeds: Sequence[int],
    metric: str,
    higher_is_better: bool,
    training: Mapping[str, Any],
) -> tuple[pd.DataFrame, dict[str, dict[str, float]]]:
    """Train every variant at every point of its grid, and choose the best point."""
    trials = {
        f"{name}, {_said(point)}": (name, point)
        for name, own in knobs.items()
        if own
        for point in (
            dict(zip(own, values, strict=True))
            for values in itertools.product(*own.values())
        )
    }
    # One function for each point: the engine tells networks that it cannot look into
    # apart by the function that builds them.
    builds = {
        label: partial(_built, variants[name], point)
        for label, (name, point) in trials.items()
    }
    cells = [
        Cell(label, seed, build) for label, build in builds.items() for seed in seeds
    ]
    runs = train(cells, data, **training)
    if runs.epochs < training["epochs"]:
        raise KeyboardInterrupt  # half a tuning chooses nothing
    last = runs.history.query("epoch == epoch.max() and metric == @metric")
    # A run that diverged counts as the worst one seen.
    worst = last["value"].min() if higher_is_better else last["value"].max()
    mean = last.fillna({"value": worst}).groupby("variant", sort=False)["value"].mean()
    chosen: dict[str, dict[str, float]] = {name: {} for name in variants}
    for name in variants:
        own = mean[[label for label, (trial, _) in trials.items() if trial == name]]
        if own.empty:
            continue
        if last[last["variant"].isin(own.index)]["value"].isna().all():
            raise ValueError(
                f"every trial of variant {name!r} diverged; try smaller values."
            )
        best = own.idxmax() if higher_is_better else own.idxmin()
        chosen[name] = trials[best][1]
    points = pd.DataFrame([point for _, point in trials.values()], index=list(trials))
    table = last[["variant", "seed", "metric", "value"]].reset_index(drop=True)
    for position, knob in enumerate(points):
        table.insert(1 + position, knob, points[knob].loc[table["variant"]].to_numpy())
    table["variant"] = [trials[label][0] for label in table["variant"]]
    return table, chosen


def _said(point: Mapping[str, float]) -> str:
    return ", ".join(f"{knob}={value:g}" for knob, value in point.items())


def _inside(
    point: Mapping[str, float], grid: Mapping[str, Sequence[float]]
) -> checks.Outcome:
    """Check that tuning did not choose an end of its grid, beyond which may be better.

    Zero is no such end: it means to do without.
    """
    if not point:
        return checks.Outcome("does not apply", "nothing was tuned")
    edges = []
    for knob, value in point.items():
        if len(grid[knob]) > 1 and value == max(grid[knob]):
            edges.append(f"{knob} {value:g} is the largest tried")
        elif len(grid[knob]) > 1 and value == min(grid[knob]) and value != 0:
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


def _checked_entries(entries: Any, what: str) -> None:
    if not isinstance(entries, Mapping):
        raise TypeError(
            f"{what} must be a dictionary by name; got {type(entries).__name__}."
        )
    if len(entries) < 2:
        raise ValueError(
            f"{what} has {len(entries)} entries; a comparison takes two or more."
        )
    for name in entries:
        if not isinstance(name, str) or not name.strip():
            raise TypeError(f"{what} has the name {name!r}; expected some text.")


def _checked_variants(variants: Any) -> dict[str, Callable]:
    _checked_entries(variants, "variants")
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


def _checked_grid(grid: Any, learning_rates: Any) -> dict[str, tuple[float, ...]]:
    """Return all that is to be tuned, by keyword."""
    if grid is not None and not isinstance(grid, Mapping):
        raise TypeError(
            "grid must be a dictionary from a keyword to the numbers to try; got "
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
        if isinstance(values, Real):
            values = [values]
        try:
            values = tuple(values)
        except TypeError:
            raise TypeError(
                f"{what} is {values!r}; expected a list of numbers."
            ) from None
        if not values:
            raise ValueError(f"{what} is empty; expected one number or more.")
        for value in values:
            if (
                not isinstance(value, Real)
                or isinstance(value, bool)
                or not isfinite(value)
            ):
                raise TypeError(f"{what} holds {value!r}; expected finite numbers.")
            if knob == "learning_rate" and value <= 0:
                raise ValueError(f"{what} holds {value}; expected numbers above 0.")
        if len(set(values)) < len(values):
            raise ValueError(f"{what} holds a number more than once.")
        values = tuple(v.item() if hasattr(v, "item") else v for v in values)
        # Keras takes a learning rate of 1.0, but not of 1.
        checked[knob] = tuple(map(float, values)) if knob == "learning_rate" else values
    return checked


def _checked_metric(
    metric: str | None, models: Mapping[str, keras.Model], data: Any
) -> str:
    """Return the metric that decides, after checking that all variants have it."""
    prefix = "" if getattr(data, "validation", None) is None else "val_"
    known: list[str] | None = None
    for name, model in models.items():
        own = _metric_names(model, data)
        if not own:
            continue  # what is wrong with it the engine says more clearly
        if known is None:
            known = own
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
