"""Searches in a table of finished trainings, so that they can be repeated at will.

Every setting is trained once on every split, as :func:`nnperf_utils.comparison.compare`
does with a grid of which nothing is chosen. A search then looks its scores up and
trains nothing, but sees what it would have seen: a tabular benchmark.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from nnperf_utils.statistics import jackknife

__all__ = ["Found", "Trials"]


class Trials:
    """Every setting on every split, trained and scored.

    A run that diverged counts as the worst finite one.

    Parameters
    ----------
    history : pandas.DataFrame
        Of a comparison of one variant on several splits, with ``follow_test=True``: a
        row for each setting, split, epoch and metric.
    knobs : mapping of str to sequence
        The grid: what each knob may be, in the order in which a search turns them.
    metric : str
        Keras's name of the score; the higher the better.

    Attributes
    ----------
    knobs : dict of str to list
    validation, test, train : pandas.DataFrame
        The score after the last epoch: a row for each setting, a column for each split.
        That of the training rows is Keras's own, a mean over the last epoch.
    curves : pandas.DataFrame
        Validation score: a row for each setting and split, a column for each epoch.
    """

    def __init__(
        self,
        history: pd.DataFrame,
        knobs: Mapping[str, Sequence[Any]],
        metric: str = "accuracy",
    ):
        self.knobs = {name: list(values) for name, values in knobs.items()}
        names = list(self.knobs)
        missing = [name for name in ("split", *names) if name not in history]
        if missing:
            raise ValueError(
                f"history has no column {missing[0]!r}; it has "
                f"{', '.join(map(str, history))}."
            )
        for name, values in self.knobs.items():
            if set(history[name]) != set(values):
                raise ValueError(
                    f"knobs has {values} for {name!r}, but history has "
                    f"{sorted(set(history[name]))}."
                )

        def of(measured: str) -> pd.DataFrame:
            rows = history[history["metric"] == measured]
            if rows.empty:
                raise ValueError(f"history has no metric {measured!r}.")
            places = [*names, "split", "epoch"]
            if rows.duplicated(places).any():
                raise ValueError("history has several runs of a setting on a split.")
            values = rows.set_index(places)["value"].unstack("epoch")
            return values.fillna(np.nanmin(values.to_numpy()))

        self.curves = of(f"val_{metric}")
        self.validation, self.test, self.train = (
            curves.iloc[:, -1].unstack("split")
            for curves in (self.curves, of(f"test_{metric}"), of(metric))
        )

    @property
    def splits(self) -> pd.Index:
        """The splits, in order."""
        return self.validation.columns

    def __repr__(self) -> str:
        """Say how large the table is."""
        settings, splits = self.validation.shape
        return f"{settings} settings, each on {splits} splits"

    def rows(self, **values: Sequence[Any]) -> np.ndarray:
        """Return the positions of the settings whose knobs have one of these values."""
        index = self.validation.index
        known = [index.get_level_values(name).isin(v) for name, v in values.items()]
        return np.flatnonzero(np.all(known, axis=0) if known else np.ones(len(index)))

    def fixed(self, setting: tuple) -> Found:
        """Return one setting as if it had been found everywhere, without a search."""
        place = self.validation.index.get_loc(setting)
        return self._found(np.full((len(self.splits), 1), place))

    def grid_search(self, *grids: Mapping[str, Sequence[Any]]) -> Found:
        """Try all settings of a grid on each split; of several grids, one by one.

        Parameters
        ----------
        *grids : mapping of str to sequence
            The values of the knobs that are not to take all.
        """
        scores = self.validation.to_numpy()
        each = [self.rows(**grid) for grid in grids or ({},)]
        return self._found(
            np.stack([rows[scores[rows].argmax(axis=0)] for rows in each], axis=1)
        )

    def random_search(
        self,
        trials: int,
        *,
        searches: int = 100,
        among: Mapping[str, Sequence[Any]] | None = None,
        patience: int | None = None,
        least: float = 0.0,
    ) -> Found:
        """Try settings drawn at random, without drawing one twice.

        A search of more trials begins with those of a search of fewer.

        Parameters
        ----------
        trials : int
        searches : int
            On each split.
        among : mapping of str to sequence, optional
            The values of the knobs that are not to take all.
        patience : int, optional
            Stop after so many trials that have not gained more than `least`.
        least : float
        """
        rows, values = self.rows(**(among or {})), self.validation.to_numpy()
        if not 1 <= trials <= len(rows):
            raise ValueError(f"trials is {trials}; expected 1 to {len(rows)}.")
        rng = np.random.default_rng(0)
        order = np.stack(
            [
                rng.permuted(np.tile(rows, (searches, 1)), axis=1)[:, :trials]
                for _ in self.splits
            ]
        )
        scores = values[order, np.arange(len(self.splits))[:, None, None]]
        tried = np.full(scores.shape[:2], trials)
        if patience is not None:
            tried = np.apply_along_axis(_stops, 2, scores, patience, least)
        scores = np.where(np.arange(trials) < tried[:, :, None], scores, -np.inf)
        best = scores.argmax(axis=2)[:, :, None]
        return self._found(np.take_along_axis(order, best, 2)[:, :, 0], tried=tried)

    def space(self, **values: Sequence[Any]) -> Any:
        """Return the knobs for keras-tuner; `values` replace what some of them may be.

        Returns
        -------
        keras_tuner.HyperParameters
        """
        import keras_tuner

        hp = keras_tuner.HyperParameters()
        for name, options in (self.knobs | values).items():
            hp.Choice(name, list(options), default=options[0])
        return hp

    def tuner_search(self, oracle: Callable[[int], Any]) -> Found:
        """Run one of keras-tuner's own searches on each split.

        Parameters
        ----------
        oracle : callable
            Takes a seed, from 1 (keras-tuner takes 0 for none), and returns an oracle
            whose objective is ``score``, with the knobs of :meth:`space`.
        """
        winners, promised, tried = [], [], []
        with (
            tempfile.TemporaryDirectory() as folder,
            threadpool_limits(1),
            config_context(assume_finite=True, skip_parameter_validation=True),
            warnings.catch_warnings(),
        ):
            # a Gaussian process complains where scores look like pure noise
            warnings.simplefilter("ignore", ConvergenceWarning)
            for position, split in enumerate(self.splits):
                trials = self._run(oracle(position + 1), split, folder)
                best = max(trials, key=lambda trial: trial.score)
                winners.append(self.validation.index.get_loc(self._setting(best)))
                promised.append(best.score)
                tried.append(len({self._setting(trial) for trial in trials}))
        columns = (np.array(part)[:, None] for part in (winners, promised, tried))
        return self._found(*columns)

    def _setting(self, trial: Any) -> tuple:
        return tuple(trial.hyperparameters.values[name] for name in self.knobs)

    def _run(self, oracle: Any, split: Any, folder: str) -> list:
        """Let keras-tuner search on a split; return its trials in order."""
        from keras_tuner.engine.base_tuner import BaseTuner

        curves = self.curves.xs(split, level="split")
        last = curves.shape[1]
        scores = dict(zip(curves.index, curves.to_numpy(), strict=True))

        class Lookup(BaseTuner):
            def run_trial(tuner, trial):
                # Hyperband says for how many epochs
                epochs = trial.hyperparameters.values.get("tuner/epochs", last)
                return {"score": scores[self._setting(trial)][epochs - 1]}

            def save(tuner):
                """Write nothing: such a search lasts a moment."""

        oracle.verbose = 0  # else it prints a page for each trial
        oracle.save = oracle._save_trial = lambda *_: None
        Lookup(oracle, directory=folder).search()
        return [oracle.trials[name] for name in oracle.start_order]

    def _found(
        self,
        winners: np.ndarray,
        promised: np.ndarray | None = None,
        tried: np.ndarray | None = None,
    ) -> Found:
        if promised is None:
            places = np.arange(len(self.splits))[:, None]
            promised = self.validation.to_numpy()[winners, places]
        if tried is None:
            tried = np.ones_like(winners)
        return Found(self, winners, promised, tried)


@dataclass(frozen=True)
class Found:
    """What searches have found, one or more on each split.

    Attributes
    ----------
    trials : Trials
    winners : numpy.ndarray of int, shape (splits, searches)
        The positions of the winners' settings.
    promised : numpy.ndarray, shape (splits, searches)
        The validation score by which each has won.
    tried : numpy.ndarray of int, shape (splits, searches)
        How many settings were tried.
    """

    trials: Trials
    winners: np.ndarray
    promised: np.ndarray
    tried: np.ndarray

    @property
    def promise(self) -> pd.Series:
        """The winners' validation score, a mean for each split."""
        return pd.Series(self.promised.mean(axis=1), self.trials.splits)

    @property
    def test(self) -> pd.Series:
        """The winners' test score on the split that found them, a mean for each."""
        return self._at(self.trials.test)

    @property
    def train(self) -> pd.Series:
        """The winners' training score on that split, a mean for each."""
        return self._at(self.trials.train)

    @property
    def elsewhere(self) -> pd.Series:
        """The winners' mean test score on the other splits, a mean for each split."""
        scored = self._scored()
        np.fill_diagonal(scored, np.nan)
        return pd.Series(np.nanmean(scored, axis=1), self.trials.splits)

    @property
    def quality(self) -> pd.Series:
        """The mean of `elsewhere`, as a number for each split for an estimate.

        A split plays two parts: a search has chosen on it, and the other splits'
        winners are scored on it. The numbers, of a jackknife, count both.
        """
        scored, splits = self._scored(), self.trials.splits

        def on_others(used: pd.Index) -> float:
            places = splits.get_indexer(used)
            part = scored[np.ix_(places, places)]
            return part[~np.eye(len(places), dtype=bool)].mean()

        return jackknife(on_others, splits)

    @property
    def settings(self) -> pd.DataFrame:
        """The setting that the first search of each split has found."""
        index = self.trials.validation.index[self.winners[:, 0]]
        return index.to_frame(index=False).set_axis(self.trials.splits)

    def _at(self, table: pd.DataFrame) -> pd.Series:
        own = table.to_numpy()[self.winners, np.arange(len(self.winners))[:, None]]
        return pd.Series(own.mean(axis=1), self.trials.splits)

    def _scored(self) -> np.ndarray:
        """Return test scores by the split that found a winner, and by split."""
        return self.trials.test.to_numpy()[self.winners].mean(axis=1)


def _stops(scores: np.ndarray, patience: int, least: float) -> int:
    """Return after how many trials a search has gone long enough without a gain."""
    best, since = scores[0], 0
    for trial, score in enumerate(scores[1:], start=2):
        best, since = (score, 0) if score > best + least else (best, since + 1)
        if since == patience:
            return trial
    return len(scores)
