"""Searches over a continuous learning rate, looked up in finished trainings.

`tabular` holds settings of a grid. Here the learning rate may be anything within its
range: between two recorded rates a score is interpolated, over the logarithm of the
rate. So real tools, Optuna and Hyperopt, can search as they do, as often as one likes.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from nnperf_utils import halving
from nnperf_utils.plots import PALETTE
from nnperf_utils.statistics import jackknife

__all__ = ["Recorded", "Settings", "lab_data", "quality_lines"]

RATE = "learning_rate"


@dataclass(frozen=True)
class Settings:
    """Settings, each of the other knobs' combination and of a place among the rates.

    Attributes
    ----------
    combination : numpy.ndarray of int, shape (…)
    place : numpy.ndarray of float, shape (…)
        2.5 is halfway between the third and the fourth recorded rate.
    """

    combination: np.ndarray
    place: np.ndarray

    def __getitem__(self, at: Any) -> Settings:
        """Return some of them."""
        return Settings(self.combination[at], self.place[at])


class Recorded:
    """All combinations of the knobs on every split, at recorded learning rates.

    A run that diverged counts as the worst finite one.

    Parameters
    ----------
    history : pandas.DataFrame
        Of one variant on several splits with ``follow_test=True``: a row for each
        setting, split, epoch and metric, with a column for each knob.
    knobs : mapping of str to sequence
        What the knobs other than the learning rate may be.
    metric : str
        Keras's name of the score; the higher the better.

    Attributes
    ----------
    rates : numpy.ndarray
        The recorded rates in order, at equal ratios.
    curves : numpy.ndarray, shape (splits, combinations, rates, epochs)
        Validation scores.
    test : numpy.ndarray, shape (splits, combinations, rates)
        Test scores after the last epoch.
    """

    def __init__(
        self,
        history: pd.DataFrame,
        knobs: Mapping[str, Sequence[Any]],
        metric: str = "accuracy",
    ):
        self.knobs = {name: list(values) for name, values in knobs.items()}
        names = ["split", *self.knobs, RATE]
        missing = [name for name in names if name not in history]
        if missing:
            raise ValueError(
                f"history has no column {missing[0]!r}; it has "
                f"{', '.join(map(str, history))}."
            )

        def of(measured: str) -> tuple[pd.MultiIndex, np.ndarray]:
            rows = history[history["metric"] == measured]
            if rows.empty:
                raise ValueError(f"history has no metric {measured!r}.")
            table = rows.pivot(index=names, columns="epoch", values="value")
            levels = [
                table.index.levels[0],
                *self.knobs.values(),
                table.index.levels[-1],
            ]
            whole = pd.MultiIndex.from_product(levels, names=names)
            if len(whole) != len(table):
                raise ValueError(
                    f"history has {len(table)} runs; expected {len(whole)}, one for "
                    "each setting on each split."
                )
            values = table.reindex(whole).to_numpy()
            return whole, np.where(np.isfinite(values), values, np.nanmin(values))

        index, curves = of(f"val_{metric}")
        self.splits = index.levels[0]
        self.rates = index.levels[-1].to_numpy()
        ratios = np.diff(np.log(self.rates))
        if len(ratios) < 1 or not np.allclose(ratios, ratios[0], rtol=1e-3):
            raise ValueError("the learning rates must be two or more at equal ratios.")
        shape = (len(self.splits), -1, len(self.rates))
        self.curves = curves.reshape(*shape, curves.shape[1])
        self.test = of(f"test_{metric}")[1][:, -1].reshape(shape)

    def __repr__(self) -> str:
        """Say how large the table is."""
        splits, combinations, rates, epochs = self.curves.shape
        return (
            f"{combinations} combinations × {rates} learning rates on {splits} splits, "
            f"{epochs} epochs"
        )

    @property
    def combinations(self) -> int:
        """How many combinations the other knobs have."""
        return self.curves.shape[1]

    def settings_of(self, rate: Any, combination: Any) -> Settings:
        """Return settings by their learning rates."""
        logs = np.log(self.rates)
        place = (np.log(rate) - logs[0]) / (logs[1] - logs[0])
        place = np.clip(place, 0, len(logs) - 1)
        return Settings(np.asarray(combination), np.asarray(place))

    def draw(self, rng: np.random.Generator, *shape: int) -> Settings:
        """Draw settings: any rate on the logarithmic axis, any combination."""
        return Settings(
            rng.integers(self.combinations, size=shape),
            rng.uniform(0, len(self.rates) - 1, size=shape),
        )

    def validation(self, split: int, settings: Settings) -> np.ndarray:
        """Return validation curves on a split, shape (…, epochs)."""
        return _between(self.curves[split], settings)

    def tested(self, settings: Settings) -> np.ndarray:
        """Return test scores on every split, shape (…, splits)."""
        return _between(np.moveaxis(self.test, 0, -1), settings)

    def quality(self, winners: Sequence[Settings]) -> pd.Series:
        """Return the mean test score of winners on the other splits.

        Parameters
        ----------
        winners : sequence of Settings
            For each split those that searches have chosen there.

        Returns
        -------
        pandas.Series
            A number for each split, for an estimate. A split plays two parts: winners
            were chosen on it, and those of the others are scored on it. The numbers, of
            a jackknife, count both.
        """
        scored = np.stack(
            [
                self.tested(one).reshape(-1, len(self.splits)).mean(axis=0)
                for one in winners
            ]
        )

        def on_others(used: pd.Index) -> float:
            places = self.splits.get_indexer(used)
            part = scored[np.ix_(places, places)]
            return part[~np.eye(len(places), dtype=bool)].mean()

        return jackknife(on_others, self.splits)

    def winners(
        self, trials: Sequence[Settings], after: int | None = None
    ) -> list[Settings]:
        """Return what searches have chosen by the last validation score.

        Parameters
        ----------
        trials : sequence of Settings, shape (searches, trials)
            For each split.
        after : int, optional
            As if the searches had ended after so many trials.
        """
        found = []
        for split, settings in enumerate(trials):
            some = settings[:, :after]
            scores = self.validation(split, some)[..., -1]
            found.append(some[np.arange(len(scores)), scores.argmax(axis=1)])
        return found

    def random_trials(self, trials: int, searches: int = 200) -> list[Settings]:
        """Return the trials of random searches on each split."""
        rng = np.random.default_rng(0)
        return [self.draw(rng, searches, trials) for _ in self.splits]

    def grid_trials(self, rates: int, starts: int = 50) -> list[Settings]:
        """Return the trials of full grids on each split, in a random order.

        Parameters
        ----------
        rates : int
            Evenly spaced on the logarithmic axis, for each combination.
        starts : int
            Where within the first step the grid begins: as many places, evenly.
        """
        rng = np.random.default_rng(0)
        shift = (np.arange(starts)[:, None, None] + 0.5) / starts
        place = (np.arange(rates) + shift) / rates * (len(self.rates) - 1)
        combination = np.arange(self.combinations)[None, :, None]
        combination, place = np.broadcast_arrays(combination, place)
        size = self.combinations * rates
        found = []
        for _ in self.splits:
            order = rng.permuted(np.tile(np.arange(size), (starts, 1)), axis=1)
            taken = [
                np.take_along_axis(values.reshape(starts, -1), order, axis=1)
                for values in (combination, place)
            ]
            found.append(Settings(*taken))
        return found

    def tool_trials(
        self,
        search: Callable[..., Settings],
        trials: int,
        searches: int,
        **options: Any,
    ) -> list[Settings]:
        """Return the trials that a tool proposes, on each split.

        Parameters
        ----------
        search : callable
            `optuna_trials` or `hyperopt_trials`.
        trials, searches : int
            Trials of a search, searches on each split.
        **options
            For `search`.
        """
        found = []
        for split in range(len(self.splits)):
            rows = [
                search(split, searches * split + one, trials, **options)
                for one in range(searches)
            ]
            found.append(
                Settings(
                    np.stack([row.combination for row in rows]),
                    np.stack([row.place for row in rows]),
                )
            )
        return found

    def stopped_search(
        self,
        rule: Callable[[np.ndarray], np.ndarray] | None,
        trials: int = 27,
        searches: int = 30,
    ) -> tuple[list[Settings], pd.DataFrame]:
        """Search at random, with a rule that stops trials.

        Parameters
        ----------
        rule : callable or None
            Such as `halving.halving_rule`; None stops nothing.
        trials, searches : int
            Trials of a search, searches on each split.

        Returns
        -------
        winners : list of Settings, shape (searches,)
            For each split.
        told : pandas.DataFrame
            For each split ``epochs``, the share that was trained of all trials' epochs,
            and ``missed``, the share of searches whose rule stopped the trial that
            would have won.
        """
        rule = rule or (lambda curves: np.full(len(curves), curves.shape[1]))
        winners, told = [], []
        for split, settings in enumerate(self.random_trials(trials, searches)):
            curves = self.validation(split, settings)
            ends = [halving.stopped(one, rule) for one in curves]
            chosen = np.array([winner for winner, _ in ends])
            rows = np.arange(searches)
            winners.append(settings[rows, chosen])
            # a trial that scores as well as the best is none that was missed
            last = curves[:, :, -1]
            missed = last[rows, chosen] < last.max(axis=1)
            share = np.mean([epochs for _, epochs in ends]) / last[0].size
            told.append((share / curves.shape[-1], missed.mean()))
        return winners, pd.DataFrame(told, self.splits, columns=["epochs", "missed"])

    def halved(
        self, seconds: np.ndarray, workers: int = 8, searches: int = 10
    ) -> tuple[dict[str, list[Settings]], pd.DataFrame]:
        """Search by synchronous and by asynchronous halving, in the same time.

        Parameters
        ----------
        seconds : numpy.ndarray
            Of an epoch, of some trials; each trial here takes as long as one of them.
        workers, searches : int
            Workers; searches on each split.

        Returns
        -------
        winners : dict of str to list of Settings
            Of ``"synchronous"`` and ``"asynchronous"``.
        told : pandas.DataFrame
            For each split the means of ``idle`` shares, synchronous less asynchronous;
            the same as ``crash`` where a worker dies; and ``first``, the time to the
            first whole training, asynchronous over synchronous.
        """
        rng = np.random.default_rng(1)
        chosen: dict[str, list] = {"synchronous": [], "asynchronous": []}
        told = []
        epochs = self.curves.shape[-1]
        crash = halving.Crash(noticed=epochs * float(np.mean(seconds)))
        for split, settings in enumerate(self.random_trials(100 * workers, searches)):
            rows: dict[str, list[int]] = {name: [] for name in chosen}
            numbers = []
            for curves in self.validation(split, settings):
                lengths = rng.choice(seconds, len(curves))
                pairs = [_both(curves, lengths, workers, one) for one in (None, crash)]
                (waits, never), (waits_crash, never_crash) = pairs
                rows["synchronous"].append(waits.chosen(curves))
                rows["asynchronous"].append(never.chosen(curves))
                numbers.append(
                    (
                        waits.idle - never.idle,
                        waits_crash.idle - never_crash.idle,
                        never.first_whole / waits.first_whole,
                    )
                )
            for name, places in rows.items():
                chosen[name].append(settings[np.arange(searches), np.array(places)])
            told.append(np.mean(numbers, axis=0))
        columns = ["idle", "crash", "first"]
        return chosen, pd.DataFrame(told, self.splits, columns=columns)

    def optuna_trials(
        self, split: int, seed: int, trials: int, at_once: int = 1
    ) -> Settings:
        """Have Optuna's TPE propose trials on a split.

        Parameters
        ----------
        split, seed, trials : int
        at_once : int
            As many run at a time: each is proposed without the scores of those that
            still run. All take equally long.
        """
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)
        )
        low, high = float(self.rates[0]), float(self.rates[-1])
        places = [list(range(len(values))) for values in self.knobs.values()]
        sizes = [len(values) for values in places]
        running: deque = deque()
        asked: list[Settings] = []
        for _ in range(trials):
            if len(running) == at_once:
                study.tell(*running.popleft())
            trial = study.ask()
            rate = trial.suggest_float(RATE, low, high, log=True)
            chosen = [
                trial.suggest_categorical(name, options)
                for name, options in zip(self.knobs, places, strict=True)
            ]
            combination = np.ravel_multi_index(chosen, sizes) if chosen else 0
            asked.append(self.settings_of(rate, combination))
            score = self.validation(split, asked[-1])[-1]
            running.append((trial, float(score)))
        return _together(asked)

    def hyperopt_trials(self, split: int, seed: int, trials: int) -> Settings:
        """Have Hyperopt's TPE propose trials on a split."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from hyperopt import fmin, hp, tpe

            sizes = [len(values) for values in self.knobs.values()]
            logs = np.log(self.rates)
            space = {RATE: hp.loguniform(RATE, logs[0], logs[-1])}
            for name, values in self.knobs.items():
                space[name] = hp.choice(name, list(range(len(values))))
            asked: list[Settings] = []

            def loss(setting: dict) -> float:
                chosen = [setting[name] for name in self.knobs]
                combination = np.ravel_multi_index(chosen, sizes) if chosen else 0
                asked.append(self.settings_of(setting[RATE], combination))
                return -float(self.validation(split, asked[-1])[-1])

            fmin(
                loss,
                space,
                algo=tpe.suggest,
                max_evals=trials,
                rstate=np.random.default_rng(seed),
                verbose=False,
                show_progressbar=False,
            )
        return _together(asked)


def quality_lines(quality: Mapping[str, pd.DataFrame]) -> np.ndarray:
    """Draw what searches have found after so many trials, a panel for each table.

    Parameters
    ----------
    quality : mapping of str to DataFrame
        By table: a row for each number of trials, a column for each search.
    """
    axes = plt.subplots(1, len(quality), figsize=(6.8, 3.3))[1]
    styles = ["-", "--", "-.", ":"]
    # the same span in each panel: what is flat is small
    span = 1.1 * max(np.ptp(table.to_numpy()) for table in quality.values())
    for ax, (name, table) in zip(np.atleast_1d(axes), quality.items(), strict=True):
        for place, tool in enumerate(table):
            ax.plot(
                table.index,
                table[tool],
                styles[place % 4],
                color=PALETTE[place],
                marker="o",
                markersize=3.5,
                label=tool,
            )
        ax.set_xscale("log", base=2)
        ax.set_xticks(table.index, [str(n) for n in table.index])
        ax.minorticks_off()
        middle = (table.to_numpy().max() + table.to_numpy().min()) / 2
        ax.set_ylim(middle - span / 2, middle + span / 2)
        ax.set_title(name, loc="left", fontsize="medium")
        ax.set_xlabel("trials")
    np.atleast_1d(axes)[0].set_ylabel("test accuracy of the choice")
    np.atleast_1d(axes)[-1].legend(frameon=False, fontsize="small", loc="lower right")
    return axes


def lab_data(
    recorded: Recorded, draws: int = 3, trials: int = 400
) -> dict[str, dict | list]:
    """Return what the lab on clusters shows: trials of several splits, and lengths.

    Returns
    -------
    dict
        ``draws``: for each, trials in the order in which they begin, with their
        validation scores after 1, 3, 9 and 27 epochs and their mean test score on the
        other splits. ``lengths``: how long an epoch of each trial takes, in three
        ways, 1 on average.
    """
    rng = np.random.default_rng(17)
    found = []
    for split in range(draws):
        settings = recorded.draw(rng, trials)
        scores = recorded.validation(split, settings)[:, [0, 2, 8, 26]]
        others = np.delete(recorded.tested(settings), split, axis=1).mean(axis=1)
        found.append(np.column_stack([scores, others]).round(3).tolist())
    lengths = {
        "the same": np.ones(trials),
        "up to four times as long": 4 ** rng.uniform(size=trials),
        "ten times as long, one in eight": np.where(
            rng.uniform(size=trials) < 1 / 8, 10, 1
        ),
    }
    return {
        "draws": found,
        "lengths": {
            name: (v / v.mean()).round(3).tolist() for name, v in lengths.items()
        },
    }


def _both(
    curves: np.ndarray,
    seconds: np.ndarray,
    workers: int,
    crash: halving.Crash | None,
    trials: int = 27,
) -> tuple[halving.Schedule, halving.Schedule]:
    """Simulate synchronous halving, and asynchronous for as long."""
    waits = halving.synchronous(curves[:trials], seconds[:trials], workers, crash=crash)
    never = halving.asynchronous(curves, seconds, workers, waits.end, crash=crash)
    return waits, never


def _together(settings: Sequence[Settings]) -> Settings:
    return Settings(
        np.array([one.combination for one in settings]),
        np.array([one.place for one in settings]),
    )


def _between(table: np.ndarray, settings: Settings) -> np.ndarray:
    """Interpolate a table of shape (combinations, rates, …) at settings."""
    lower = np.minimum(settings.place.astype(int), table.shape[1] - 2)
    share = settings.place - lower
    below = table[settings.combination, lower]
    above = table[settings.combination, lower + 1]
    share = share.reshape(share.shape + (1,) * (below.ndim - share.ndim))
    return (1 - share) * below + share * above
