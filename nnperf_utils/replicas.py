"""Train the same network from many seeds at once.

`replicate` takes the function that builds your network, trains one replica for each
seed, all of them in one compiled graph, and returns `Runs`: histories, readings, and
each replica as an ordinary Keras model.

>>> runs = replicate(build, data, seeds=20, epochs=30)  # doctest: +SKIP
>>> runs.history.query("metric == 'val_loss'")  # doctest: +SKIP
>>> runs.model(seed=3).summary()  # doctest: +SKIP

What a replica's result depends on
    Its seed gives it its starting weights, its dropout masks, and the order in which
    it sees the examples (`example_order`). None of these depends on which other
    replicas train beside it, nor on how many. The arithmetic is the same too, though a
    different number of replicas may sum in a different order: the same call gives the
    same numbers bit for bit, other seeds beside it the same to rounding.

What is the same as in ``fit``
    Everything but the order of the examples, which ``fit`` draws in a way of its own.
    With full batches, where order is no matter, losses, metrics and weights agree with
    ``fit`` from the same seed to rounding, dropout included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import tree

from nnperf_utils.engine import groups, rates, starts, training, workers
from nnperf_utils.engine.program import Program
from nnperf_utils.engine.training import Result
from nnperf_utils.engine.work import (
    Cell,
    Work,
    array,
    check_seeds,
    checked_part,
    example_order,
    head,
    of_seed,
)
from nnperf_utils.ensembles import Ensemble

__all__ = ["Cell", "Runs", "Start", "example_order", "replicate", "train", "train_work"]

Start = Mapping[int, Mapping[str, Sequence[np.ndarray]]]
"""For each seed, by layer, the weights to start from."""


def replicate(
    build: Callable[[], keras.Model],
    data: Any,
    *,
    seeds: int | Sequence[int],
    epochs: int,
    batch_size: int = 32,
    callback: Callable[[], keras.callbacks.Callback] | None = None,
    start: Start | None = None,
    targets: Any = None,
    record: str | Sequence[str] = (),
    follow_test: bool = False,
    follow_train: bool = False,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    progress: bool = True,
    executor: Executor | None = None,
    jit_compile: bool | str = "auto",
) -> Runs:
    """Train one network from many seeds at once.

    Parameters
    ----------
    build : callable
        Returns a compiled Keras model. A replica starts exactly as your own network
        does after ``keras.utils.set_random_seed(seed)``. It is called like that for
        each seed; or, where its first two networks show that only what Keras draws
        depends on the seed, for these two alone. Optimizer, loss, metrics,
        regularizers, schedule and clipping are read from the model.
    data : datasets.Dataset or similar
        Has ``train`` and possibly ``validation``, each an ``(x, y)`` pair of arrays.
    seeds : int or sequence of int
        A number means 0, 1, … seeds - 1.
    epochs, batch_size : int
        As in ``fit``; the last batch of an epoch may be smaller.
    callback : callable, optional
        Returns a ``keras.callbacks.ReduceLROnPlateau`` or ``LearningRateScheduler``,
        one for each replica, which sets its learning rate between epochs. The history
        then has the metric ``learning_rate``, the rate that an epoch was trained with.
    start : mapping of int to mapping of str to list of array, optional
        For each seed, by layer, weights to start from in place of those that `build`
        draws, as `Runs.weights` returns them; layers that are not named start fresh.
        A layer that `build` makes with ``trainable=False`` keeps them.
    targets : array, or mapping of int to array, optional
        What to learn in place of the training labels, of their shape: the same for all
        seeds, or for each its own. Scores are against the labels all the same. For
        shares of classes use ``data.one_hot()``.
    record : str or sequence of str
        Of ``"gradients"``, ``"activations"``, ``"updates"``, ``"units"``: have
        `instruments` read each replica before training (epoch 0) and after each epoch,
        on the first 256 examples of the training part, with ``"units"`` on all of it.
        Updates are those of the epoch's last step.
    follow_test : bool
        Score the test part after each epoch, too: the history then has ``test_loss``
        and so on. It is there to be read off at an epoch that the validation part has
        chosen, as `Runs.stopped` does; choose nothing by it.
    follow_train : bool
        Score the training part after each epoch, too, as the others are, without
        dropout: the history then has ``train_loss`` and so on. Keras's own ``loss`` is
        a mean over the epoch, of weights that change meanwhile.
    class_weight : dict, optional
        Class to weight, as in ``fit``.
    sample_weight : array, optional
        One weight for each training example, as in ``fit``.
    progress : bool
        Show a progress bar.
    executor : concurrent.futures.Executor, optional
        Train in its workers, a block of seeds in each. A process pool needs the
        ``spawn`` start method, ``ProcessPoolExecutor(mp_context=
        multiprocessing.get_context("spawn"))``: TensorFlow does not survive a fork.
    jit_compile : bool or "auto"
        Compile with XLA. ``"auto"`` leaves it out where it would cost more than it
        gains: recurrent and convolutional layers, short trainings.

    Returns
    -------
    Runs

    Raises
    ------
    TypeError, ValueError
        Before anything trains, if an argument does not fit.
    """
    if isinstance(build, keras.Model):
        raise TypeError(
            "build is a model; expected a function that builds one, so that each seed "
            "starts with fresh weights."
        )
    if not callable(build):
        raise TypeError(
            f"build is of type {type(build).__name__}; expected a function that "
            "returns a compiled model."
        )
    cells = [
        Cell(
            None,
            seed,
            build,
            callback=callback,
            start=of_seed("start", start, seed),
            targets=of_seed("targets", targets, seed),
        )
        for seed in check_seeds(seeds)
    ]
    return train(
        cells,
        data,
        epochs=epochs,
        batch_size=batch_size,
        record=record,
        follow_test=follow_test,
        follow_train=follow_train,
        class_weight=class_weight,
        sample_weight=sample_weight,
        progress=progress,
        executor=executor,
        jit_compile=jit_compile,
    )


def train(
    cells: Iterable[Cell],
    data: Any,
    *,
    progress: bool = True,
    executor: Executor | None = None,
    **how: Any,
) -> Runs:
    """Train many replicas, of one variant or several, on the same data at once.

    Cells whose networks differ only in their starting weights and in numbers such as
    the learning rate, a dropout rate, a penalty or a clipping threshold share one
    graph.

    Parameters
    ----------
    cells : iterable of Cell
        Each pair of variant and seed once.
    data, progress, executor, **how
        See `replicate`.

    Returns
    -------
    Runs
    """
    workers.check_executor(executor)
    return train_work(cells, Work.checked(data, **how), progress, executor)


def train_work(
    cells: Iterable[Cell],
    work: Work,
    progress: bool = True,
    executor: Executor | None = None,
) -> Runs:
    """Train replicas, each on the task of the work that its cell names.

    Parameters
    ----------
    cells : iterable of Cell
    work : engine.work.Work
        Checked: what is to be done with them.
    progress, executor
        See `replicate`.

    Returns
    -------
    Runs
    """
    cells = list(cells)
    workers.check_executor(executor)
    if executor is None:
        results = training.train_all(cells, work, progress)
    else:
        results = workers.train_elsewhere(cells, work, progress, executor)
    return Runs(cells, results, work)


class Runs:
    """Replicas after training.

    In the frames the columns that name a replica come first: ``data`` and ``split``
    where there are several data sets, ``variant`` where there are several, the numbers
    of a grid, and ``seed``. Below they are called its labels.

    Attributes
    ----------
    history : pandas.DataFrame
        Labels and ``epoch, metric, value``: Keras's metrics under Keras's names. Epochs
        count from 1. From the epoch on in which a replica diverges its values are NaN.
    readings : pandas.DataFrame
        Labels and ``epoch, layer, metric, value``: what the instruments read, if
        `record` asked for it, with a column ``unit`` before the metric where it was
        about single units. Epoch 0 is before training.
    diverged : pandas.Series
        By labels, the first epoch in which loss or weights were not finite, or NA.
    labels : pandas.DataFrame
        The labels of each replica, a row for each.
    seeds : list of int
    epochs : int
        How many were finished by all.
    is_finished : bool
        Whether all of them were.
    """

    def __init__(self, cells: list[Cell], results: list[Result], work: Work):
        trained = {id(c): (r, i) for r in results for i, c in enumerate(r.group.cells)}
        self._places = {id(c): trained[id(c)] for c in cells if id(c) in trained}
        self._cells = [cell for cell in cells if id(cell) in self._places]
        self._results, self._work = results, work
        self.seeds = list(dict.fromkeys(cell.seed for cell in self._cells))
        self.epochs = min(result.epochs for result in results)
        self.is_finished = all(result.is_finished for result in results)
        self.labels = self._labels(cells)
        self.history = self._history()
        self.readings = self._readings()
        self.diverged = self._diverged()

    def _place(self, cell: Cell) -> tuple[Result, int]:
        return self._places[id(cell)]

    def _labels(self, cells: list[Cell]) -> pd.DataFrame:
        named = any(cell.variant is not None for cell in cells)
        rows = [
            {
                **self._work.tasks[cell.task].labels,
                **({"variant": cell.variant} if named else {}),
                **dict(cell.point),
                "seed": cell.seed,
            }
            for cell in self._cells
        ]
        columns = dict.fromkeys(name for row in rows for name in row)
        known = [n for n in ("data", "split", "variant") if n in columns]
        numbers = [n for n in columns if n not in (*known, "seed")]
        return pd.DataFrame(rows, columns=[*known, *numbers, "seed"])

    def _labelled(self, counts: Sequence[int], columns: dict[str, Any]) -> pd.DataFrame:
        """Make a frame in which each replica has some rows."""
        frame = self.labels.loc[np.repeat(self.labels.index, counts)]
        return frame.reset_index(drop=True).assign(**columns)

    def _history(self) -> pd.DataFrame:
        counts, epochs, metrics, values = [], [], [], []
        for cell in self._cells:
            result, i = self._place(cell)
            names = list(result.logs)
            of_cell = np.stack([result.logs[n][:, i] for n in names], 1).astype(float)
            of_cell[~result.not_diverged(i)] = np.nan
            counts.append(of_cell.size)
            epochs.append(np.repeat(np.arange(1, result.epochs + 1), len(names)))
            metrics += names * result.epochs
            values.append(of_cell.ravel())
        columns = {"epoch": np.concatenate(epochs), "metric": metrics}
        return self._labelled(counts, columns | {"value": np.concatenate(values)})

    def _readings(self) -> pd.DataFrame:
        counts, epochs, all_names, values = [], [], [], [np.zeros(0)]
        for cell in self._cells:
            result, i = self._place(cell)
            counts.append(sum(len(names) for _, names, _ in result.readings))
            for epoch, names, read in result.readings:
                epochs += [epoch] * len(names)
                all_names += names
                values.append(read[:, i].astype(float))
        columns = {"epoch": epochs, "layer": [name[0] for name in all_names]}
        if "units" in self._work.record:
            units = [name[2] if len(name) > 2 else pd.NA for name in all_names]
            columns["unit"] = pd.array(units, dtype="Int64")
        columns["metric"] = [name[1] for name in all_names]
        return self._labelled(counts, columns | {"value": np.concatenate(values)})

    def _diverged(self) -> pd.Series:
        first = []
        for cell in self._cells:
            result, i = self._place(cell)
            bad = np.flatnonzero(~result.finite[:, i])
            first.append(bad[0] + 1 if bad.size else pd.NA)
        if len(self.labels.columns) > 1:
            index = pd.MultiIndex.from_frame(self.labels)
        else:
            index = pd.Index(self.labels["seed"])
        return pd.Series(first, index, dtype="Int64", name="diverged")

    def __repr__(self) -> str:
        """Say how many replicas there are and how far they got."""
        diverged = int(self.diverged.notna().sum())
        return (
            f"<Runs: {len(self._cells)} replicas, {self.epochs} epochs"
            + (f", {diverged} diverged" if diverged else "")
            + ">"
        )

    def _cell(self, seed: int, variant: str | None, labels: dict[str, Any]) -> Cell:
        asked = {"seed": seed, **labels}
        if variant is not None:
            asked["variant"] = variant
        unknown = [name for name in asked if name not in self.labels]
        if unknown:
            raise KeyError(
                f"there is no label {unknown[0]!r}; there are "
                f"{', '.join(self.labels.columns)}."
            )
        fits = np.logical_and.reduce([self.labels[n] == v for n, v in asked.items()])
        places = np.flatnonzero(fits)
        if not len(places):
            said = ", ".join(f"{name} {value!r}" for name, value in asked.items())
            raise KeyError(f"there is no replica of {said}; seeds are {self.seeds}.")
        if len(places) > 1:
            several = self.labels.loc[fits].nunique(dropna=False)
            names = ", ".join(several.index[several > 1])
            raise KeyError(
                f"there are {len(places)} replicas of seed {seed}; say which: {names}."
            )
        return self._cells[places[0]]

    def model(
        self, seed: int, variant: str | None = None, **labels: Any
    ) -> keras.Model:
        """Return a replica as an ordinary compiled Keras model.

        Parameters
        ----------
        seed : int
        variant : str, optional
            Where there are several.
        **labels
            Further labels, where seed and variant do not tell: ``split=2``.

        Returns
        -------
        keras.Model
            With the weights, moving statistics and optimizer state after training.
        """
        return self._model(self._cell(seed, variant, labels))

    def _model(self, cell: Cell) -> keras.Model:
        result, i = self._place(cell)
        state = result.group.take([i])
        batch = head(self._work.tasks[cell.task].train)
        with training.LOCK, starts.preserved_random_state():
            model = starts.build_model(cell.build, cell.seed)
            groups.complete(model, batch)
        model.optimizer.build(model.trainable_variables)
        for role, variables in (
            ("trainable", model.trainable_variables),
            ("non_trainable", model.non_trainable_variables),
            ("optimizer", model.optimizer.variables),
        ):
            for variable, value in zip(variables, state[role], strict=True):
                variable.assign(value[0])
        return model

    def starting_weights(self, variant: str | None = None) -> list[list[np.ndarray]]:
        """Return the trainable weights from which the first two seeds began.

        Parameters
        ----------
        variant : str, optional
            Where there are several.

        Returns
        -------
        list of lists of numpy.ndarray
            One list for each of the two, or of the one that there is.
        """
        found = [result.group.first_two.get(variant, []) for result in self._results]
        return max(found, key=len)

    def weights(
        self,
        variant: str | None = None,
        *,
        without: str | Sequence[str] = (),
        **labels: Any,
    ) -> dict[int, dict[str, list[np.ndarray]]]:
        """Return the weights after training, for others to start from.

        Parameters
        ----------
        variant : str, optional
            Where there are several.
        without : str or sequence of str
            Layers to leave out, such as the head that a new task needs anew.
        **labels
            Further labels, to take some of the replicas only.

        Returns
        -------
        dict of int to dict of str to list of numpy.ndarray
            For each seed and layer what ``layer.get_weights()`` holds, moving
            statistics included: `replicate` takes it as `start`.

        Raises
        ------
        KeyError
            If there are no such replicas, or several of one seed.
        ValueError
            If there is no layer that `without` names.
        """
        without = {without} if isinstance(without, str) else set(without)
        places: dict[int, starts.Places] = {}
        weights = {}
        for cell in self._asked(variant, labels):
            if cell.seed in weights:
                self._cell(cell.seed, variant, labels)  # says what is missing
            result, i = self._place(cell)
            if id(result) not in places:
                places[id(result)] = starts.places_of_layers(self._model(cell))
            own = places[id(result)]
            unknown = sorted(without - set(own))
            if unknown:
                raise ValueError(
                    f"without has {unknown[0]!r}; the layers with weights are "
                    f"{', '.join(own)}."
                )
            state = result.group.state
            weights[cell.seed] = {
                name: [state[role][position][i].copy() for role, position in at]
                for name, at in own.items()
                if name not in without
            }
        return weights

    def updates(self, variant: str | None = None, data: str | None = None) -> list[int]:
        """Return how many updates each replica has taken.

        Parameters
        ----------
        variant, data : str, optional
            Those of one variant, or on one table, only.

        Returns
        -------
        list of int
            In the order of `labels`.
        """
        taken = []
        for cell in self._cells:
            table = self._work.tasks[cell.task].labels.get("data")
            if variant in (None, cell.variant) and data in (None, table):
                result, i = self._place(cell)
                counts = result.group.state["optimizer"][result.group.iterations]
                taken.append(int(counts[i]))
        return taken

    def optimizer_variable(self, name: str) -> np.ndarray:
        """Return one of the optimizers' variables, of all replicas, after training.

        For what an optimizer keeps beside the weights: its count of updates, moments,
        or a log that it writes.

        Parameters
        ----------
        name : str
            The variable's name, ``"iteration"`` for one.

        Returns
        -------
        numpy.ndarray, shape (replicas, …)
            Replicas in the order of the history.

        Raises
        ------
        ValueError
            If an optimizer has no such variable, or several.
        """
        positions: dict[int, int] = {}
        values = []
        for cell in self._cells:
            result, i = self._place(cell)
            if id(result) not in positions:
                model = self._model(cell)
                names = [variable.name for variable in model.optimizer.variables]
                if names.count(name) != 1:
                    raise ValueError(
                        f"name is {name!r}; the optimizer's variables are "
                        f"{', '.join(names)}."
                    )
                positions[id(result)] = names.index(name)
            values.append(result.group.state["optimizer"][positions[id(result)]][i])
        return np.stack(values)

    def optimizer_log(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """Return a table that each optimizer has written, one row at each update.

        Parameters
        ----------
        name : str
            Of a variable of shape (updates or more, columns), as in
            `optimizer_variable`.
        columns : sequence of str
            What its columns are called.

        Returns
        -------
        pandas.DataFrame
            Labels, ``update``, counted from 1, and `columns`.
        """
        tables, counts = self.optimizer_variable(name), self.updates()
        if tables.ndim != 3 or tables.shape[2] != len(columns):
            raise ValueError(
                f"columns are {len(columns)}; {name!r} has the shape "
                f"{tables.shape[1:]}, (updates, columns)."
            )
        if tables.shape[1] < max(counts):
            raise ValueError(
                f"{name!r} has {tables.shape[1]} rows, too few for {max(counts)} "
                "updates."
            )
        rows = [table[:n] for table, n in zip(tables, counts, strict=True)]
        update = np.concatenate([np.arange(1, n + 1) for n in counts])
        written = dict(zip(columns, np.concatenate(rows).T, strict=True))
        return self._labelled(counts, {"update": update, **written})

    def evaluate(self, x: Any, y: Any, sample_weight: Any = None) -> pd.DataFrame:
        """Score all replicas on the same examples.

        Parameters
        ----------
        x, y, sample_weight
            As in ``keras.Model.evaluate``.

        Returns
        -------
        pandas.DataFrame
            Labels and ``metric, value``, the metrics under Keras's names.
        """
        part = checked_part("evaluate", (x, y, sample_weight), weighted=True)
        given = tree.map_structure(
            lambda a: None if a is None else tf.constant(a), part
        )
        return self._scores(lambda compiled, state, _: compiled.evaluate(state, given))

    def evaluate_part(self, name: str) -> pd.DataFrame:
        """Score each replica on a part of the data that it was trained on.

        Parameters
        ----------
        name : {"train", "test"}
            As it is after training: without dropout, with the last weights.

        Returns
        -------
        pandas.DataFrame
            As `evaluate` returns it.

        Raises
        ------
        ValueError
            If the data have no such part.
        """
        if name not in ("train", "test"):
            raise ValueError(f"name is {name!r}; expected 'train' or 'test'.")
        if any(getattr(task, name) is None for task in self._work.tasks):
            raise ValueError(f"the data have no {name} part.")
        # Weights of the training examples are for training alone.
        return self._scores(
            lambda compiled, state, result: compiled.evaluate_own(
                state,
                training.stacked(
                    result.group.tasks, lambda t: (*getattr(t, name)[:2], None)
                ),
            )
        )

    def _scores(
        self, function: Callable[[Program, dict, Result], dict]
    ) -> pd.DataFrame:
        scores = self._apply(function)
        counts = [len(logs) for logs in scores]
        columns = {
            "metric": [name for logs in scores for name in logs],
            "value": [float(value) for logs in scores for value in logs.values()],
        }
        return self._labelled(counts, columns)

    def predict(self, x: Any) -> Any:
        """Predict with all replicas.

        Parameters
        ----------
        x : array or nest of arrays
            As in ``keras.Model.predict``.

        Returns
        -------
        numpy.ndarray, shape (replicas, examples, …)
            Replicas in the order of `labels`; for a model of several outputs, a
            nest of such arrays.
        """
        x = tree.map_structure(lambda a: tf.constant(array(a)), x)
        outputs = self._apply(lambda compiled, state, _: compiled.predict(state, x))
        return tree.map_structure(lambda *replicas: np.stack(replicas), *outputs)

    def ensemble(self, x: Any, variant: str | None = None, **labels: Any) -> Ensemble:
        """Let the replicas answer together: the mean of what each predicts.

        Parameters
        ----------
        x : array or nest of arrays
            As in ``keras.Model.predict``.
        variant : str, optional
            Where there are several.
        **labels
            Further labels, to take some of the replicas only.

        Returns
        -------
        Ensemble
            Its members are the replicas. It tells how ensembles of any size score,
            with the seeds (or the splits) as what was drawn.

        Raises
        ------
        KeyError
            If there are no such replicas.
        ValueError
            If they differ in other labels than split and seed.
        """
        asked = {id(cell) for cell in self._asked(variant, labels)}
        taken = [place for place, c in enumerate(self._cells) if id(c) in asked]
        own = self.labels.iloc[taken]
        several = [
            name
            for name in own
            if name not in ("split", "seed") and own[name].nunique(dropna=False) > 1
        ]
        if several:
            raise ValueError(
                f"the replicas differ in {', '.join(several)}; say which to take."
            )
        names = [name for name in ("split", "seed") if name in own]
        return Ensemble(self.predict(x)[taken], own[names].reset_index(drop=True))

    def _asked(self, variant: str | None, labels: dict[str, Any]) -> list[Cell]:
        """Return the cells that have these labels."""
        asked = labels if variant is None else {"variant": variant, **labels}
        unknown = [name for name in asked if name not in self.labels]
        if unknown:
            raise KeyError(
                f"there is no label {unknown[0]!r}; there are "
                f"{', '.join(self.labels.columns)}."
            )
        rows = self.labels.to_dict("records")
        found = [
            cell
            for cell, own in zip(self._cells, rows, strict=True)
            if all(own[name] == value for name, value in asked.items())
        ]
        if not found:
            said = ", ".join(f"{name} {value!r}" for name, value in asked.items())
            raise KeyError(f"there is no replica of {said}.")
        return found

    def _apply(self, function: Callable[[Program, dict, Result], Any]) -> list[Any]:
        """Call `function` on each stack and sort its outputs by replica."""
        outputs: dict[int, Any] = {}
        for result in self._results:
            compiled = training.program_of(result.group, result.plan, train=False)
            count = len(result.group.cells)
            for start in range(0, count, result.plan.replicas):
                stack = list(range(start, start + result.plan.replicas))
                state = tree.map_structure(tf.constant, result.group.take(stack))
                output = function(compiled, state, result)
                output = tree.map_structure(np.asarray, output)
                for i, member in enumerate(stack):
                    outputs[id(result.group.cells[member])] = tree.map_structure(
                        lambda a, i=i: a[i], output
                    )
        return [outputs[id(cell)] for cell in self._cells]

    def networks(
        self, variant: str | None = None, **labels: Any
    ) -> Iterator[tuple[int, keras.Model]]:
        """Yield the seed of each replica, and its network after training.

        It is the same model each time, with other weights, so that what a function
        traces of it is traced once.

        Parameters
        ----------
        variant : str, optional
            Where there are several.
        **labels
            Further labels, to take some of the replicas only.

        Yields
        ------
        tuple of (int, keras.Model)
        """
        model = None
        for cell in self._asked(variant, labels):
            if model is None:
                model = self._model(cell)
            result, i = self._place(cell)
            state = result.group.take([i])
            for role in ("trainable", "non_trainable"):
                variables = getattr(model, f"{role}_variables")
                for variable, value in zip(variables, state[role], strict=True):
                    variable.assign(value[0])
            yield cell.seed, model

    def reached(
        self, metric: str, target: float, higher_is_better: bool
    ) -> pd.DataFrame:
        """Tell when each replica first reached a target.

        Parameters
        ----------
        metric : str
        target : float
        higher_is_better : bool
            Whether a value at or above the target reaches it, or one at or below.

        Returns
        -------
        pandas.DataFrame
            Labels and ``epoch, update``, both infinite where a replica never did.
        """
        epochs, updates = [], []
        for cell in self._cells:
            result, i = self._place(cell)
            if metric not in result.logs:
                raise ValueError(
                    f"metric is {metric!r}; the history has "
                    f"{', '.join(map(repr, result.logs))}."
                )
            values = result.logs[metric][:, i]
            good = values >= target if higher_is_better else values <= target
            there = np.flatnonzero(good & result.not_diverged(i))
            epochs.append(there[0] + 1 if there.size else np.inf)
            task = self._work.tasks[cell.task]
            updates.append(epochs[-1] * -(-task.examples // task.batch_size))
        return self.labels.assign(
            epoch=np.array(epochs, float), update=np.array(updates, float)
        )

    def stopped(
        self,
        monitor: str = "val_loss",
        patience: int = 0,
        *,
        mode: str = "auto",
        min_delta: float = 0.0,
        baseline: float | None = None,
        start_from_epoch: int = 0,
        restore_best_weights: bool = True,
    ) -> pd.DataFrame:
        """Read off where early stopping would have stopped each replica.

        The history holds every epoch, so nothing is trained again:
        `keras.callbacks.EarlyStopping` itself goes through it.

        Parameters
        ----------
        monitor, patience, mode, min_delta, baseline, start_from_epoch
            As of `keras.callbacks.EarlyStopping`.
        restore_best_weights : bool
            Whether the scores are those of the best epoch up to the stop, or of the
            last one.

        Returns
        -------
        pandas.DataFrame
            Labels and ``stopped_epoch, best_epoch, metric, value``. Epochs count from
            1; `stopped_epoch` is NA where training went on to its end. `value` is the
            score kept.

        Raises
        ------
        ValueError
            If `monitor` is not a metric of the history.
        """
        rows = []
        for row, cell in zip(self.labels.to_dict("records"), self._cells, strict=True):
            result, i = self._place(cell)
            if monitor not in result.logs:
                raise ValueError(
                    f"monitor is {monitor!r}; the history has "
                    f"{', '.join(map(repr, result.logs))}."
                )
            direction = result.directions.get(monitor.removeprefix("val_"))
            callback = keras.callbacks.EarlyStopping(
                monitor,
                min_delta=min_delta,
                patience=patience,
                mode={"up": "max", "down": "min"}.get(direction, mode)
                if mode == "auto"
                else mode,
                baseline=baseline,
                start_from_epoch=start_from_epoch,
            )
            trainee = SimpleNamespace(stop_training=False)
            callback.set_model(trainee)
            callback.on_train_begin()
            values = np.where(
                result.not_diverged(i), result.logs[monitor][:, i], np.nan
            )
            for epoch, value in enumerate(values):
                callback.on_epoch_end(epoch, {monitor: float(value)})
                # the same comparison at a tenth of the time, without TensorFlow
                callback.monitor_op = rates.COMPARISONS.get(
                    callback.monitor_op, callback.monitor_op
                )
                if trainee.stop_training:
                    break
            kept = callback.best_epoch if restore_best_weights else epoch
            stop = callback.stopped_epoch + 1 if trainee.stop_training else pd.NA
            rows += [
                {
                    **row,
                    "stopped_epoch": stop,
                    "best_epoch": callback.best_epoch + 1,
                    "metric": name,
                    "value": float(log[kept, i])
                    if result.not_diverged(i)[kept]
                    else np.nan,
                }
                for name, log in result.logs.items()
            ]
        return pd.DataFrame(rows).astype({"stopped_epoch": "Int64"})
