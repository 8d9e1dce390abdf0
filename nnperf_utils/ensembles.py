"""Several networks answer together: the mean of what each predicts.

Works on predictions alone, wherever they come from. `Ensemble` holds those of all
members on the same examples, and tells how ensembles of any size would score that are
drawn from them. ``Runs.ensemble`` makes one of replicas.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from math import comb
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nnperf_utils.statistics import jackknife

__all__ = [
    "SCORES",
    "Decomposition",
    "Ensemble",
    "accuracy",
    "by_size",
    "calibration_error",
    "decomposition",
    "decompositions",
    "gains",
    "kinds_against",
    "log_loss",
    "pairwise_disagreement",
    "score_table",
    "squared_error",
]

_BINS = 15
_LEAST = 1e-7  # probability, as in Keras's losses
_CHUNK = 2**23  # numbers held at once
_MOST_SUBSETS = 1_000


# ------------------------------------------------------------------------------ scores


def accuracy(predictions: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the share of examples whose class has the largest probability.

    Parameters
    ----------
    predictions : numpy.ndarray, shape (..., examples, classes)
    y : numpy.ndarray, shape (examples,) or (examples, classes)
        Classes, or shares of them.

    Returns
    -------
    numpy.ndarray, shape (...)
    """
    return (predictions.argmax(-1) == _classes(y)).mean(-1)


def log_loss(predictions: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the mean negative logarithm of the true class's probability.

    Parameters
    ----------
    predictions, y
        As of `accuracy`.

    Returns
    -------
    numpy.ndarray, shape (...)
    """
    of_class = predictions[..., np.arange(predictions.shape[-2]), _classes(y)]
    return -np.log(np.maximum(of_class, _LEAST)).mean(-1)


def squared_error(predictions: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the squared error, summed over outputs, in the mean of the examples.

    For classes it is Brier's score.

    Parameters
    ----------
    predictions : numpy.ndarray, shape (..., examples, outputs)
    y : numpy.ndarray, shape (examples,) or (examples, outputs)
        Quantities; or classes, where there are several outputs.

    Returns
    -------
    numpy.ndarray, shape (...)
    """
    return ((predictions - _wanted(y, predictions)) ** 2).sum(-1).mean(-1)


def calibration_error(predictions: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return how far confidence and accuracy are apart.

    Examples are put in 15 bins of equal width by the largest probability; it is the
    mean distance, weighted by the bins' sizes, of its mean from the share that is
    right: the expected calibration error [1]_.

    Parameters
    ----------
    predictions, y
        As of `accuracy`.

    Returns
    -------
    numpy.ndarray, shape (...)

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger (2017). On calibration of
       modern neural networks. ICML.
    """
    confidence = predictions.max(-1).astype(float)
    apart = confidence - (predictions.argmax(-1) == _classes(y))
    bins = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    found = np.zeros(confidence.shape[:-1])
    for number in range(_BINS):
        found += np.abs(np.where(bins == number, apart, 0).sum(-1))
    return found / confidence.shape[-1]


SCORES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "accuracy": accuracy,
    "log_loss": log_loss,
    "squared_error": squared_error,
    "calibration_error": calibration_error,
}
"""The scores by name."""


class Decomposition(NamedTuple):
    """The squared error of an ensemble, taken apart.

    Attributes
    ----------
    error : float
        Of the mean prediction.
    members : float
        The members' own, in their mean.
    ambiguity : float
        How far the members' predictions are from their mean. ``error`` is ``members``
        less it, whatever the members are.
    """

    error: float
    members: float
    ambiguity: float


def decomposition(predictions: np.ndarray, y: np.ndarray) -> Decomposition:
    """Take the squared error of an ensemble apart.

    Parameters
    ----------
    predictions : numpy.ndarray, shape (members, examples, outputs)
    y : numpy.ndarray
        As of `squared_error`.

    Returns
    -------
    Decomposition

    References
    ----------
    A. Krogh and J. Vedelsby (1995). Neural network ensembles, cross validation, and
    active learning. NIPS 7, 231-238.
    """
    predictions = np.asarray(predictions, float)
    together = predictions.mean(axis=0)
    return Decomposition(
        float(squared_error(together, y)),
        float(squared_error(predictions, y).mean()),
        float(((predictions - together) ** 2).sum(-1).mean()),
    )


def decompositions(
    kinds: Mapping[str, np.ndarray], y: np.ndarray
) -> dict[str, Decomposition]:
    """Take the squared errors of several ensembles apart.

    Parameters
    ----------
    kinds : mapping of str to numpy.ndarray
        Predictions by name, as of `decomposition`.
    y : numpy.ndarray

    Returns
    -------
    dict of str to Decomposition
    """
    return {name: decomposition(own, y) for name, own in kinds.items()}


# --------------------------------------------------------------------------- ensembles


class Ensemble:
    """What several members predict for the same examples.

    Attributes
    ----------
    predictions : numpy.ndarray, shape (members, examples, outputs)
    members : pandas.DataFrame
        Which they are: columns ``split`` or ``seed``, or both.
    """

    def __init__(self, predictions: np.ndarray, members: pd.DataFrame | None = None):
        self.predictions = np.asarray(predictions)
        if self.predictions.ndim != 3 or not self.predictions.size:
            raise ValueError(
                f"predictions have shape {self.predictions.shape}; expected (members, "
                "examples, outputs)."
            )
        count = len(self.predictions)
        if members is None:
            members = pd.DataFrame({"seed": range(count)})
        if len(members) != count:
            raise ValueError(
                f"members has {len(members)} rows for {count} members' predictions."
            )
        if not set(members) or not set(members) <= {"split", "seed"}:
            raise ValueError(
                f"members has the columns {', '.join(map(str, members))}; expected "
                "split, seed or both."
            )
        self.members = members.reset_index(drop=True)

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.predictions)

    def __repr__(self) -> str:
        """Say how many members and examples there are."""
        return f"<Ensemble: {len(self)} members, {self.predictions.shape[1]} examples>"

    @property
    def mean(self) -> np.ndarray:
        """What all members predict together, of shape (examples, outputs)."""
        return self.predictions.mean(axis=0)

    def teamed(self, *others: Ensemble) -> Ensemble:
        """Put members of several kinds together: the first of each, the second, ….

        Parameters
        ----------
        *others : Ensemble
            With the same members' labels, on the same examples.

        Returns
        -------
        Ensemble
            Each of its members is such a team, and predicts the team's mean.
        """
        for other in others:
            shared = [name for name in self.members if name in other.members]
            if not shared or not self.members[shared].equals(other.members[shared]):
                raise ValueError("the ensembles to team up have other members' labels.")
        means = np.mean([self.predictions, *(o.predictions for o in others)], axis=0)
        return Ensemble(means, self.members)

    def scores(
        self,
        y: np.ndarray,
        size: int,
        score: str | Callable[[np.ndarray, np.ndarray], np.ndarray] = "accuracy",
    ) -> pd.Series:
        """Tell how ensembles of one size score; :func:`statistics.estimate` takes it.

        Parameters
        ----------
        y : numpy.ndarray
            Of the examples, as the score takes it.
        size : int
            How many members each has. All such ensembles count alike; of more than
            1,000 as many drawn ones do.
        score : str or callable
            A name in `SCORES`; or a function that takes predictions of shape
            (ensembles, examples, outputs) and `y`, and returns a score for each.

        Returns
        -------
        pandas.Series
            Where there are several splits with members of their own, the mean score on
            each: ensembles of one split have its rows in common. Else a number for
            each member, whose mean is the mean score: its jackknife pseudo-value, since
            one member is in many of the ensembles. So an interval of them says what
            other splits, or other members, would have given. For a size of 1 they are
            the members' own scores.

        Raises
        ------
        ValueError
            If there are too few members; without splits it takes one more than `size`.
        """
        function = SCORES.get(score, score) if isinstance(score, str) else score
        if not callable(function):
            raise ValueError(
                f"score is {score!r}; expected one of {', '.join(SCORES)}."
            )

        def scored(subsets: np.ndarray) -> np.ndarray:
            return self._scored(subsets, np.asarray(y), function)

        return self._by_draw(size, scored)

    def disagreement(self) -> pd.Series:
        """Tell for how many examples two members give different classes.

        Returns
        -------
        pandas.Series
            The mean over all pairs, by split or by member as in `scores`.
        """
        apart = self.disagreements()
        return self._by_draw(2, lambda pairs: apart[pairs[:, 0], pairs[:, 1]])

    def disagreements(self) -> np.ndarray:
        """Return for each pair of members the share of examples they differ on.

        Returns
        -------
        numpy.ndarray, shape (members, members)
        """
        classes = self.predictions.argmax(-1)
        return (classes[:, None] != classes[None]).mean(-1)

    def _scored(
        self, subsets: np.ndarray, y: np.ndarray, function: Callable
    ) -> np.ndarray:
        """Score the mean prediction of each subset."""
        count, *form = self.predictions.shape
        flat = self.predictions.reshape(count, -1)
        parts = max(1, -(-len(subsets) * flat.shape[1] // _CHUNK))
        found = []
        for part in np.array_split(subsets, parts):
            weights = np.zeros((len(part), count), flat.dtype)
            np.put_along_axis(weights, part, 1 / part.shape[1], axis=1)
            found.append(function((weights @ flat).reshape(-1, *form), y))
        return np.concatenate(found)

    def _by_draw(
        self, size: int, scored: Callable[[np.ndarray], np.ndarray]
    ) -> pd.Series:
        """Return scores of subsets by what was drawn at random."""
        if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
            raise ValueError(f"size is {size!r}; expected a whole number of 1 or more.")
        if "split" in self.members:
            by_split = self.members.groupby("split", sort=False).indices
            if len(by_split) > 1 and max(map(len, by_split.values())) > 1:
                means = {}
                for split, own in by_split.items():
                    if len(own) < size:
                        raise ValueError(
                            f"size is {size}, but split {split} has {len(own)} members."
                        )
                    means[split] = scored(own[_subsets(len(own), size)]).mean()
                return pd.Series(means, name="value").rename_axis("split")
        least = 2 if size == 1 else size + 1
        if len(self) < least:
            raise ValueError(
                f"size is {size}, but there are {len(self)} members; expected {least} "
                "or more, so that each can be left out once."
            )
        subsets = _subsets(len(self), size)
        values = scored(subsets)
        absent = ~(subsets[:, :, None] == np.arange(len(self))).any(axis=1)
        name = "seed" if "seed" in self.members else "split"
        draws = pd.Index(self.members[name], name=name)
        place = {draw: i for i, draw in enumerate(draws)}

        def mean(kept: pd.Index) -> float:
            left_out = [place[draw] for draw in draws.difference(kept)]
            return float(values[absent[:, left_out].all(axis=1)].mean())

        return jackknife(mean, draws)


def _subsets(count: int, size: int) -> np.ndarray:
    """Return all subsets of some size, or as many as are enough, in which all are."""
    if comb(count, size) <= _MOST_SUBSETS:
        return np.array(list(itertools.combinations(range(count), size)))
    rng, groups = np.random.default_rng(0), count // size
    rounds = -(-_MOST_SUBSETS // groups)
    orders = rng.permuted(np.tile(np.arange(count), (rounds, 1)), axis=1)
    return np.sort(orders[:, : groups * size].reshape(-1, size), axis=1)


# --------------------------------------------------------------------------- in tables


def by_size(
    ensemble: Ensemble, y: np.ndarray, sizes: Sequence[int], score: str = "accuracy"
) -> pd.DataFrame:
    """Return how ensembles of several sizes score, as a frame.

    Parameters
    ----------
    ensemble : Ensemble
        Whose members differ in their seed alone.
    y, score
        As of `Ensemble.scores`.
    sizes : sequence of int

    Returns
    -------
    pandas.DataFrame
        ``members``, ``seed`` and ``value``, which is of a seed as in
        `Ensemble.scores`.
    """
    parts = [
        ensemble.scores(y, size, score).reset_index().assign(members=size)
        for size in sizes
    ]
    return pd.concat(parts, ignore_index=True)[["members", "seed", "value"]]


def score_table(
    ways: Mapping[str, tuple[Ensemble, int]], y: np.ndarray
) -> pd.DataFrame:
    """Return the mean of all scores of some ensembles of some size.

    Parameters
    ----------
    ways : mapping of str to tuple of (Ensemble, int)
        By name, with the size.
    y : numpy.ndarray

    Returns
    -------
    pandas.DataFrame
        A row for each way, a column for each score.
    """
    rows = {
        name: {score: members.scores(y, size, score).mean() for score in SCORES}
        for name, (members, size) in ways.items()
    }
    return pd.DataFrame(rows).T


def gains(ensemble: Ensemble, y: np.ndarray, size: int) -> pd.Series:
    """Return what ensembles of a size are ahead of their members in accuracy.

    Parameters
    ----------
    ensemble : Ensemble
    y, size
        As of `Ensemble.scores`.

    Returns
    -------
    pandas.Series
        As `Ensemble.scores` returns it.
    """
    return ensemble.scores(y, size) - ensemble.scores(y, 1)


def pairwise_disagreement(kinds: Sequence[Ensemble]) -> pd.Series:
    """Return for how many examples members of different kinds give other classes.

    Parameters
    ----------
    kinds : sequence of Ensemble
        Of as many members each, whose first belong together, whose second do, ….

    Returns
    -------
    pandas.Series
        The mean over all pairs of kinds, by the members of the first.
    """
    classes = [one.predictions.argmax(-1) for one in kinds]
    apart = [(a != b).mean(-1) for a, b in itertools.combinations(classes, 2)]
    index = pd.Index(kinds[0].members["seed"], name="seed")
    return pd.Series(np.mean(apart, axis=0), index, name="value")


def kinds_against(
    kinds: Mapping[str, Ensemble],
    team: Sequence[Ensemble],
    y: np.ndarray,
) -> dict[str, dict[str, pd.Series]]:
    """Compare ensembles of other kinds of members with those of the first kind.

    Parameters
    ----------
    kinds : mapping of str to Ensemble
        By name, the first one is the reference. Ensembles of as many members as `team`
        has kinds are looked at.
    team : sequence of Ensemble
        Of different kinds, whose first members belong together, whose second do, ….
    y : numpy.ndarray

    Returns
    -------
    dict of str to dict of str to pandas.Series
        For each other kind, and for ``"teams"``, what it has more than the first:
        ``"gain"`` in accuracy over its members, disagreement of two of them
        (``"apart"``), and accuracy ``"together"``.
    """
    size = len(team)
    found = {
        name: (
            gains(members, y, size),
            members.disagreement(),
            members.scores(y, size),
        )
        for name, members in kinds.items()
    }
    together = team[0].teamed(*team[1:]).scores(y, 1)
    alone = sum(members.scores(y, 1) for members in team) / size
    found["teams"] = together - alone, pairwise_disagreement(team), together
    reference = found.pop(next(iter(kinds)))
    names = ("gain", "apart", "together")
    return {
        name: {
            what: value - base
            for what, value, base in zip(names, own, reference, strict=True)
        }
        for name, own in found.items()
    }


# ------------------------------------------------------------------------------ labels


def _classes(y: Any) -> np.ndarray:
    y = np.asarray(y)
    return y.argmax(-1) if y.ndim > 1 else y.astype(int)


def _wanted(y: Any, predictions: np.ndarray) -> np.ndarray:
    """Return what each output should have been."""
    y = np.asarray(y)
    if y.ndim == 1 and predictions.shape[-1] > 1:
        return np.eye(predictions.shape[-1])[y.astype(int)]
    return y.reshape(-1, predictions.shape[-1])
