"""What simple learners make of the same rows: how much there is to be learned.

A forest and a linear model, from scikit-learn, trained on some of the rows. They tell
a network that fails at a task from a task at which everything fails.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

__all__ = ["Reference", "features", "one_column", "reference", "skill", "surplus"]

MOST_COLUMNS = 256
MOST_TOKENS = 300


def skill(
    truth: np.ndarray,
    predicted: np.ndarray,
    kind: str,
    *,
    even: bool = False,
    affine: bool = False,
) -> float:
    """Return a score that is 0 for the best constant answer and 1 for no error.

    With `even`, all classes count alike, however rare. With `affine`, numbers are
    judged by the straight line through them: of a quantile nobody expects the mean.
    """
    if kind == "regression":
        truth = truth.reshape(len(truth), -1)
        predicted = predicted.reshape(len(predicted), -1)
        variance = truth.var(axis=0)
        # a pixel that is hardly ever lit says nothing of a picture
        varies = variance > max(1e-12, 1e-3 * variance.max())
        if not varies.any():
            return 0.0
        if affine:
            with np.errstate(all="ignore"):
                pairs = zip(truth.T[varies], predicted.T[varies], strict=True)
                lined = [np.corrcoef(*pair)[0, 1] ** 2 for pair in pairs]
            return float(np.mean(np.nan_to_num(lined)))
        error = np.mean((truth - predicted) ** 2, axis=0)
        with np.errstate(all="ignore"):
            found = float(np.mean(1 - error[varies] / variance[varies]))
        return max(found, -10.0) if np.isfinite(found) else -10.0
    if even and len(np.unique(truth)) > 1:
        with warnings.catch_warnings():  # of answers that no row wants
            warnings.simplefilter("ignore")
            return float(balanced_accuracy_score(truth, predicted, adjusted=True))
    base = np.bincount(truth.astype(int)).max() / len(truth)
    right = float(np.mean(truth == predicted))
    return max((right - base) / max(1 - base, 1e-3), -10.0)


def surplus(truth: np.ndarray, scores: np.ndarray, kind: str) -> float:
    """Return how far answers beat chance in order alone, in standard deviations.

    Of classes, by the area under the curve (Mann and Whitney's statistic) of the class
    that is told best; of numbers, by the correlation of ranks.
    """
    found = [0.0]
    if kind == "regression":
        truth, scores = (v.reshape(len(v), -1) for v in (truth, scores))
        for one, other in zip(truth.T, scores.T, strict=True):
            if np.ptp(one) > 0 and np.ptp(other) > 0:
                ranks = spearmanr(one, other).statistic
                found.append(float(ranks * np.sqrt(len(one) - 1)))
        return max(found)
    for c, column in enumerate(scores.T):
        mine = truth == c
        few, many = int(mine.sum()), int((~mine).sum())
        if min(few, many) < 3:
            continue
        spread = np.sqrt((few + many + 1) / (12 * few * many))  # of chance
        found.append((roc_auc_score(mine, column) - 0.5) / spread)
    return float(max(found))


def features(inputs: list[np.ndarray], tokens: list[bool]) -> np.ndarray:
    """Return what a learner of tables can use of inputs of any shape."""
    columns = []
    for array, is_token in zip(inputs, tokens, strict=True):
        if array.dtype.kind not in "fiub":
            continue
        if is_token:
            columns.append(_token_counts(array))
            continue
        values = np.nan_to_num(array.astype("float32"), posinf=0, neginf=0)
        columns.append(_pooled(values))
        if values.ndim == 3 and values.shape[1] >= 5:
            columns.append(_of_series(values))
    return np.concatenate(columns, axis=1) if columns else np.zeros((len(inputs[0]), 0))


def _pooled(values: np.ndarray) -> np.ndarray:
    """Return all values of an example, neighbours averaged where they are too many."""
    while values.ndim >= 3 and np.prod(values.shape[1:]) > MOST_COLUMNS:
        for axis in range(1, values.ndim - 1):
            even = values.shape[axis] // 2 * 2
            if even >= 4:
                kept = np.take(values, range(even), axis)
                shape = (*kept.shape[:axis], even // 2, 2, *kept.shape[axis + 1 :])
                values = kept.reshape(shape).mean(axis=axis + 1)
        if max(values.shape[1:-1]) < 4:
            break
    flat = values.reshape(len(values), -1)
    if flat.shape[1] > 4 * MOST_COLUMNS:
        flat = flat[:, np.linspace(0, flat.shape[1] - 1, 4 * MOST_COLUMNS).astype(int)]
    return flat


def _of_series(values: np.ndarray) -> np.ndarray:
    """Return what tells one series from another wherever it begins."""
    steps = np.diff(values, axis=1)
    spectrum = np.abs(np.fft.rfft(values - values.mean(axis=1, keepdims=True), axis=1))
    found = [
        values.mean(axis=1),
        values.std(axis=1),
        values.max(axis=1),
        values.min(axis=1),
        np.abs(steps).mean(axis=1),
        np.abs(steps).max(axis=1),
        (np.diff(np.sign(values), axis=1) != 0).mean(axis=1),
        *np.moveaxis(spectrum[:, 1:16], 1, 0),
    ]
    return np.concatenate(found, axis=1).astype("float32")


def _token_counts(array: np.ndarray) -> np.ndarray:
    """Return how often each of the commonest tokens occurs, and the first and last."""
    tokens = array.reshape(len(array), -1).astype(int)
    values, counts = np.unique(tokens, return_counts=True)
    kept = values[np.argsort(-counts, kind="stable")[:MOST_TOKENS]]
    position = {int(v): i for i, v in enumerate(kept)}
    result = np.zeros((len(tokens), len(kept) + 4), "float32")
    for row, line in enumerate(tokens):
        for token in line:
            if (at := position.get(int(token))) is not None:
                result[row, at] += 1
    full = tokens != 0
    first = full.argmax(axis=1)
    last = tokens.shape[1] - 1 - full[:, ::-1].argmax(axis=1)
    rows = np.arange(len(tokens))
    result[:, -4], result[:, -3] = tokens[rows, first], tokens[rows, last]
    result[:, -2] = tokens[rows, np.minimum(first + 1, last)]
    result[:, -1] = full.sum(axis=1)
    return result


@dataclass(frozen=True)
class Reference:
    """What simple learners reach.

    Attributes
    ----------
    skill : float
        Of the better one, on the validation rows; on the training rows left out of
        each tree where there are none.
    linear : float
        Of the linear model, likewise.
    within : float
        Of the forest on training rows, each judged by the trees that had not seen it.
    within_validation : float
        Of a forest trained on validation rows, likewise; NaN where these are few.
    sure_error : float
        Share wrong, among the third of the training rows of which it is surest.
    sure_error_validation : float
        Likewise of validation rows.
    error : float
        Share wrong of the training rows.
    surplus : float
        How far the better one beats chance in order, in standard deviations.
    """

    skill: float
    linear: float
    within: float
    within_validation: float
    sure_error: float
    sure_error_validation: float
    error: float
    surplus: float


def reference(
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray] | None,
    kind: str,
    *,
    even: bool = False,
) -> Reference:
    """Train simple learners on features and labels, or numbers.

    With `even`, they give each class's votes the weight of its rarity, and all classes
    count alike in their scores.
    """
    x, y = train
    nan = float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forest = _forest(kind).fit(x, y)
        left_out, margin, votes = _left_out(forest, y, kind, False)
        within = skill(y, _left_out(forest, y, kind, even)[0], kind, even=even)
        beats = [surplus(_counted(y, forest, kind), votes, kind)]
        classes = kind != "regression"
        wrong = (left_out != y) if classes else np.zeros(len(y), bool)
        sure = margin >= np.quantile(margin, 2 / 3) if classes else wrong
        sure_error = float(wrong[sure].mean()) if classes and sure.any() else nan
        found, linear_skill, within_validation, sure_validation = within, nan, nan, nan
        linear = _linear(kind)
        scaler = StandardScaler().fit(x)
        linear.fit(scaler.transform(x), y)
        if validation is not None:
            xv, yv = validation
            scaled = np.clip(scaler.transform(xv), -20, 20)
            both = []
            for learner, inputs in ((forest, xv), (linear, scaled)):
                predicted, votes = _told(learner, inputs, yv, y, kind, even)
                both.append(skill(yv, predicted, kind, even=even))
                beats.append(surplus(_counted(yv, forest, kind), votes, kind))
            found, linear_skill = both
            if classes:
                votes = np.sort(forest.predict_proba(xv), axis=1)
                lead = votes[:, -1] - (votes[:, -2] if votes.shape[1] > 1 else 0)
                sure = lead >= np.quantile(lead, 2 / 3)
                sure_validation = float((forest.predict(xv) != yv)[sure].mean())
            if len(yv) >= 80 and (not classes or len(np.unique(yv)) > 1):
                other = _forest(kind).fit(xv, yv)
                within_validation = skill(
                    yv, _left_out(other, yv, kind, even)[0], kind, even=even
                )
        else:
            half = len(x) // 2
            if not classes or len(np.unique(y[:half])) > 1:
                again = _linear(kind).fit(scaler.transform(x[:half]), y[:half])
                predicted, _ = _told(
                    again, scaler.transform(x[half:]), y[half:], y, kind, even
                )
                linear_skill = skill(y[half:], predicted, kind, even=even)
    return Reference(
        float(np.nanmax([found, linear_skill])),
        linear_skill,
        within,
        within_validation,
        sure_error,
        sure_validation,
        float(wrong.mean()) if classes else nan,
        max(beats),
    )


def _forest(kind: str) -> ExtraTreesClassifier | ExtraTreesRegressor:
    given = {"bootstrap": True, "oob_score": True, "random_state": 0, "n_jobs": 1}
    if kind == "regression":
        return ExtraTreesRegressor(60, min_samples_leaf=2, max_features=0.6, **given)
    return ExtraTreesClassifier(80, min_samples_leaf=2, **given)


def _linear(kind: str) -> LogisticRegression | Ridge:
    return Ridge(1.0) if kind == "regression" else LogisticRegression(max_iter=100)


def _left_out(
    forest: object, y: np.ndarray, kind: str, even: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of trees that had not seen a row their answer, its lead, their votes."""
    if kind == "regression":
        predicted = _reshaped(np.nan_to_num(forest.oob_prediction_), y)
        return predicted, np.zeros(len(y)), predicted
    votes = np.nan_to_num(forest.oob_decision_function_)
    if even:
        votes = votes / np.unique(y, return_counts=True)[1] * len(y)
    ranked = np.sort(votes, axis=1)
    lead = ranked[:, -1] - (ranked[:, -2] if votes.shape[1] > 1 else 0)
    return forest.classes_[votes.argmax(axis=1)], lead, votes


def _told(
    learner: object,
    x: np.ndarray,
    truth: np.ndarray,
    y: np.ndarray,
    kind: str,
    even: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a learner's answers, and the numbers behind them; it has learned `y`."""
    if kind == "regression":
        predicted = _reshaped(learner.predict(x), truth)
        return predicted, predicted
    votes = learner.predict_proba(x)
    if even:
        counts = [(y == c).sum() for c in learner.classes_]
        votes = votes / np.array(counts) * len(y)
    return learner.classes_[votes.argmax(axis=1)], votes


def _counted(y: np.ndarray, forest: object, kind: str) -> np.ndarray:
    """Return classes as their positions among a forest's; -1 of those it never saw."""
    if kind == "regression":
        return y
    at = np.searchsorted(forest.classes_, y).clip(0, len(forest.classes_) - 1)
    return np.where(forest.classes_[at] == y, at, -1)


def _reshaped(predicted: np.ndarray, like: np.ndarray) -> np.ndarray:
    return np.asarray(predicted).reshape(like.shape)


def one_column(x: np.ndarray, y: np.ndarray, kind: str) -> tuple[int, float, float]:
    """Return the column that alone tells most of the answer, its skill, its likeness.

    The likeness is the squared correlation of the column with the target, or of
    classes the share of its variance that lies between them: near 1 of a copy.
    """
    if not x.shape[1] or len(y) < 20:
        return -1, 0.0, 0.0
    if kind == "regression" and y.ndim > 1 and 1 < y.shape[1] <= 8:
        return max((one_column(x, one, kind) for one in y.T), key=lambda best: best[1])
    varies = np.flatnonzero(x.std(axis=0) > 1e-9)
    if not len(varies):
        return -1, 0.0, 0.0
    z = (x[:, varies] - x[:, varies].mean(axis=0)) / x[:, varies].std(axis=0)
    if kind == "regression":
        wanted = y.reshape(len(y), -1).astype("float64")
    else:
        wanted = (y[:, None] == np.unique(y)[None]).astype("float64")
    wanted = (wanted - wanted.mean(axis=0)) / np.maximum(wanted.std(axis=0), 1e-9)
    likely = varies[np.argsort(-np.abs(z.T @ wanted / len(y)).max(axis=1))[:8]]
    half = np.arange(len(y)) % 2 == 0
    best = (-1, 0.0, 0.0)
    for column in likely:
        one = x[:, [column]]
        if kind == "regression":
            tree = DecisionTreeRegressor(max_leaf_nodes=64, random_state=0)
        else:
            leaves = 2 * len(np.unique(y)) + 2
            tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0)
        predicted = tree.fit(one[half], y[half]).predict(one[~half])
        found = skill(y[~half], _reshaped(predicted, y[~half]), kind)
        if found > best[1]:
            best = (int(column), found, _likeness(x[:, column], y, kind))
    return best


def _likeness(column: np.ndarray, y: np.ndarray, kind: str) -> float:
    if kind == "regression":
        others = y.reshape(len(y), -1)
        with np.errstate(all="ignore"):
            squared = [np.corrcoef(column, one)[0, 1] ** 2 for one in others.T]
        return float(np.nanmax(squared))
    middle = column.mean()
    between = sum(
        np.mean(y == c) * (column[y == c].mean() - middle) ** 2 for c in np.unique(y)
    )
    return float(between / column.var())
