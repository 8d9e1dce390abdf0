"""The data sets of the course, and the way for a reader's own arrays.

Every loader returns a frozen `Dataset`. The split comes first; whatever is fitted
(imputer, scaler) is fitted on the training part alone. Where the files come from and
under which licenses is told in `data/README.md`.
"""

from __future__ import annotations

import inspect
import numbers
import operator
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import sklearn.datasets
from numpy.typing import ArrayLike
from sklearn.base import TransformerMixin, clone
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from nnperf_utils.seeds import shifted

__all__ = [
    "Dataset",
    "load_auto_mpg",
    "load_circles",
    "load_diabetes",
    "load_diabetes_table",
    "load_digits",
    "load_fashion_mnist",
    "load_mnist1d",
    "load_moons",
    "load_sunspots",
    "prepared_splits",
]

Task = Literal["binary", "multiclass", "regression"]
Part = tuple[np.ndarray, np.ndarray]

PARTS = ("train", "validation", "test")
TASKS = ("binary", "multiclass", "regression")
DIABETES_FEATURES = (
    "Pregnancies",
    "Glucose",
    "BloodPressure",
    "SkinThickness",
    "Insulin",
    "BMI",
    "DiabetesPedigreeFunction",
    "Age",
)
DIABETES_OUTCOME = "Outcome"
# Nobody alive measures zero here: such a zero stands for "not measured".
DIABETES_ZERO_IS_MISSING = (
    "Glucose",
    "BloodPressure",
    "SkinThickness",
    "Insulin",
    "BMI",
)
DIABETES_VARIABLE = "NNPERF_DIABETES_CSV"
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
DIGIT_CLASSES = tuple("0123456789")


class Rows(NamedTuple):
    """Which rows of the source each part was made of."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Data split in three parts, ready to train on.

    The arrays are read-only: no step of a comparison can change what the next one
    sees. `dataclasses.replace(data, train=(x, y))` makes a changed copy.

    Attributes
    ----------
    name : str
        What the data set is called in figures and messages.
    train, validation, test : tuple of numpy.ndarray
        `(x, y)` of each part. `x` is float32 of shape (n, ...); `y` is int32 of shape
        (n,), classes counted from 0, or for regression float32 of shape (n,) or
        (n, k), as are shares of k classes (see `one_hot`). `test` is None where no
        test part was set aside.
    task : {"binary", "multiclass", "regression"}
        What is to be predicted.
    feature_names : tuple of str
        Names along the last axis of `x`, or ().
    class_names : tuple of str
        Name of each class, in the order of its number, or ().
    scaler, imputer, target_scaler : transformer or None
        What was fitted on the training part and applied to all three: the scaler and
        the imputer see the last axis of `x` as their features.
    rows : Rows or None
        Of each part, the row numbers in the source (for windows of a series, the row
        of the target).
    """

    name: str
    train: Part
    validation: Part
    test: Part | None
    task: Task
    feature_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    scaler: Any = None
    imputer: Any = None
    target_scaler: Any = None
    rows: Rows | None = None

    def __post_init__(self) -> None:
        """Bring the arrays to their types, check them, and make them read-only."""
        if self.task not in TASKS:
            raise ValueError(
                f"task must be one of {', '.join(TASKS)}, got {self.task!r}."
            )
        label_type = np.float32 if self.task == "regression" else np.int32
        for part in self._parts():
            x, y = getattr(self, part)
            of_shares = self.task == "multiclass" and np.ndim(y) == 2
            y = _read_only(y, np.float32 if of_shares else label_type)
            x = _read_only(x, np.float32)
            if len(x) != len(y):
                raise ValueError(
                    f"{part} has {len(x)} rows in x but {len(y)} in y: "
                    "they must be equally many."
                )
            if x.shape[1:] != np.shape(self.train[0])[1:]:
                raise ValueError(
                    f"{part} has examples of shape {x.shape[1:]}, "
                    f"train of shape {np.shape(self.train[0])[1:]}: they must agree."
                )
            object.__setattr__(self, part, (x, y))
        if self.rows is not None:
            rows = Rows(*(_read_only(rows, np.int64) for rows in self.rows))
            object.__setattr__(self, "rows", rows)

    def _parts(self) -> list[str]:
        return [part for part in PARTS if getattr(self, part) is not None]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example, as `keras.Input` takes it."""
        return self.train[0].shape[1:]

    @property
    def output_units(self) -> int:
        """Units that the output layer needs.

        1 for a binary outcome, one for each class, one for each number to predict.
        """
        y = self.train[1]
        if self.task == "binary":
            return 1
        if self.is_one_hot:
            return y.shape[1]
        if self.task == "multiclass":
            return len(self.class_names) or int(y.max()) + 1
        return 1 if y.ndim == 1 else y.shape[1]

    @property
    def is_one_hot(self) -> bool:
        """Whether the labels are shares of each class instead of the class's number."""
        return self.task == "multiclass" and self.train[1].ndim == 2

    def one_hot(self) -> Dataset:
        """Return the same data with a column of labels for each class.

        A network can then learn shares of several classes in their place: what another
        network predicts, or labels that are smoothed.

        Returns
        -------
        Dataset
            `y` of each part is float32 of shape (n, classes), 1 at the class and 0
            elsewhere.

        Raises
        ------
        ValueError
            If the task is not multiclass.
        """
        if self.task != "multiclass":
            raise ValueError(f"the task is {self.task}; only classes become columns.")
        if self.is_one_hot:
            return self
        columns = np.eye(self.output_units, dtype=np.float32)
        parts = {part: getattr(self, part) for part in self._parts()}
        return replace(
            self, **{part: (x, columns[y]) for part, (x, y) in parts.items()}
        )

    def __repr__(self) -> str:
        """Name, task, shapes and classes."""
        lines = [f"{self.name}: {self.task}"]
        for part in self._parts():
            x, y = getattr(self, part)
            lines.append(f"  {part:<10}  x {x.shape} {x.dtype}  y {y.shape} {y.dtype}")
        if self.class_names:
            lines.append(f"  classes     {', '.join(self.class_names)}")
        return "\n".join(lines)

    @classmethod
    def from_arrays(
        cls,
        x: ArrayLike,
        y: ArrayLike,
        *,
        name: str = "data",
        task: Task | None = None,
        validation: float = 0.2,
        test: float = 0.2,
        seed: int = 0,
        shuffle: bool = True,
        scale: bool | TransformerMixin = True,
        scale_target: bool = False,
        feature_names: Sequence[str] = (),
        class_names: Sequence[str] = (),
    ) -> Dataset:
        """Make a data set of your own arrays.

        Parameters
        ----------
        x : array-like, shape (n, ...)
            Inputs, numbers. Missing values (NaN) are replaced by the training median
            of their column (last axis).
        y : array-like, shape (n,) or (n, k)
            Labels (text, whole numbers, bool) or quantities.
        name : str, default "data"
            What to call it.
        task : {"binary", "multiclass", "regression"}, optional
            If not given: several columns or a fraction among the numbers mean
            regression; else two different values mean binary; else multiclass. A
            quantity in whole numbers needs `task="regression"`.
        validation, test : float, default 0.2
            Share of all rows that goes to each of these parts.
        seed : int, default 0
            Seed of the split.
        shuffle : bool, default True
            Split at random, stratified by class where there are classes. With False
            the parts follow one another in the order of the rows, as a series wants.
        scale : bool or transformer, default True
            True standardizes each feature (last axis) by the training part's mean and
            standard deviation; False leaves the inputs as they are. Any scikit-learn
            transformer is cloned and fitted on the training part instead.
        scale_target : bool, default False
            Standardize the targets of a regression by the training part's.
        feature_names, class_names : sequence of str, optional
            Names. By default those of a data frame's columns, and the labels
            themselves.

        Returns
        -------
        Dataset

        Raises
        ------
        TypeError, ValueError
            In one sentence that names the argument, before anything is computed.
        """
        x, columns = _inputs(x)
        feature_names = tuple(feature_names) or columns
        if feature_names and len(feature_names) != x.shape[-1]:
            raise ValueError(
                f"feature_names has {len(feature_names)} names, but the last axis of "
                f"x has {x.shape[-1]} features."
            )
        y, task, class_names = _targets(y, task, tuple(class_names))
        if len(x) != len(y):
            raise ValueError(
                f"x has {len(x)} rows but y has {len(y)}: they must be equally many."
            )
        rows = _split(
            len(x),
            validation=validation,
            test=test,
            seed=seed,
            shuffle=shuffle,
            labels=None if task == "regression" else y,
            class_names=class_names,
        )
        return _fitted(
            [(x[part], y[part]) for part in rows],
            scaler=_scaler(scale, StandardScaler()),
            scale_target=scale_target,
            name=name,
            task=task,
            feature_names=feature_names,
            class_names=class_names,
            rows=rows,
        )


def prepared_splits(
    x: ArrayLike,
    y: ArrayLike,
    splitter: Any,
    *,
    test: tuple[ArrayLike, ArrayLike] | None = None,
    scale: bool | TransformerMixin = True,
    name: str = "data",
    task: Task | None = None,
) -> list[Dataset]:
    """Split your own arrays again and again, each time prepared by its training part.

    Parameters
    ----------
    x, y, scale, name, task
        As in :meth:`Dataset.from_arrays`. What replaces missing values and scales the
        inputs is fitted on the training part of each split anew.
    splitter : scikit-learn splitter
        Makes the splits: ``RepeatedStratifiedKFold(n_splits=4)``, for one.
    test : tuple of array-like, optional
        `(x, y)` of a test part that all splits share; None if there is none.

    Returns
    -------
    list of Dataset
        One for each split, in the splitter's order.

    Raises
    ------
    TypeError, ValueError
        In one sentence that names the argument.
    """
    if not hasattr(splitter, "split"):
        raise TypeError(
            "splitter must have a method split, as StratifiedKFold(5) has, got "
            f"{type(splitter).__name__}."
        )
    x, feature_names = _inputs(x)
    n, y = len(x), np.asarray(y)
    if len(y) != n:
        raise ValueError(
            f"x has {n} rows but y has {len(y)}: they must be equally many."
        )
    if test is not None:
        x = np.concatenate([x, _inputs(test[0])[0]])
        y = np.concatenate([y, np.asarray(test[1])])
    y, task, class_names = _targets(y, task, ())
    last = np.arange(n, len(x))
    splits = []
    for train, validation in splitter.split(x[:n], y[:n]):
        rows = [train, validation, last if len(last) else validation]
        split = _fitted(
            [(x[part], y[part]) for part in rows],
            scaler=_scaler(scale, StandardScaler()),
            name=name,
            task=task,
            feature_names=feature_names,
            class_names=class_names,
        )
        splits.append(split if len(last) else replace(split, test=None))
    return splits


def _read_only(values: ArrayLike, dtype: type) -> np.ndarray:
    """Return a read-only array; the caller's own array stays writable."""
    array = np.asarray(values, dtype)
    if array.base is not None or (array is values and array.flags.writeable):
        array = array.copy()
    array.setflags(write=False)
    return array


# ---------------------------------------------------------------- checking arguments


def _check_fraction(argument: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"{argument} must be a fraction between 0 and 1, got {value!r}."
        )
    if not 0 < value < 1:
        raise ValueError(
            f"{argument} must be a fraction between 0 and 1 (both excluded), "
            f"got {value!r}."
        )
    return float(value)


def _check_integer(argument: str, value: int, least: int = 0) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{argument} must be an integer, got {value!r}.") from None
    if value < least:
        raise ValueError(f"{argument} must be at least {least}, got {value}.")
    return value


def _check_seed(seed: int) -> int:
    seed = _check_integer("seed", seed)
    if seed >= 2**32:
        raise ValueError(f"seed must be below 2**32, got {seed}.")
    return seed


def _check_flag(argument: str, value: bool) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{argument} must be True or False, got {value!r}.")
    return bool(value)


def _check_noise(noise: float) -> float:
    if isinstance(noise, bool) or not isinstance(noise, numbers.Real):
        raise TypeError(f"noise must be a number, got {noise!r}.")
    if not (noise >= 0 and np.isfinite(noise)):
        raise ValueError(f"noise must be 0 or more, got {noise!r}.")
    return float(noise)


def _scaler(scale: bool | TransformerMixin, default: Any) -> Any:
    """Return the transformer to fit, unfitted, or None."""
    if isinstance(scale, bool | np.bool_):
        return default if scale else None
    if inspect.isclass(scale) or not all(
        hasattr(scale, method) for method in ("fit", "transform", "get_params")
    ):
        raise TypeError(
            "scale must be True, False or a scikit-learn transformer such as "
            f"MinMaxScaler(), got {scale!r}."
        )
    return clone(scale)


def _inputs(x: ArrayLike) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the inputs as an array of numbers, and their column names if any."""
    columns: tuple[str, ...] = ()
    if isinstance(x, pd.DataFrame):
        columns = tuple(str(column) for column in x.columns)
        x = x.infer_objects()
        for name, dtype in zip(columns, x.dtypes, strict=True):
            if not pd.api.types.is_numeric_dtype(dtype):
                raise TypeError(
                    f"x must hold numbers, but column {name} is of type {dtype}; "
                    "turn it into numbers first (pandas.get_dummies)."
                )
        x = x.to_numpy(dtype=float, na_value=np.nan)
    try:
        array = np.asarray(x)
    except ValueError:
        raise ValueError("x must have rows of equal shape, got unequal ones.") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"x must hold numbers, got an array of type {array.dtype}.")
    if array.ndim < 2 or 0 in array.shape[1:]:
        raise ValueError(
            "x must have the shape (rows, features, ...), "
            f"got an array of shape {array.shape}."
        )
    if len(array) == 0:
        raise ValueError("x must have at least one row, got none.")
    if np.isinf(array).any():
        raise ValueError("x must be finite, but some of its values are infinite.")
    return array, columns


def _targets(
    y: ArrayLike, task: Task | None, class_names: tuple[str, ...]
) -> tuple[np.ndarray, Task, tuple[str, ...]]:
    """Return the targets encoded for their task, the task and the class names."""
    if task is not None and task not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {task!r}.")
    try:
        y = np.asarray(y)
    except ValueError:
        raise ValueError(
            "y must have rows of equal length, got unequal ones."
        ) from None
    if y.ndim not in (1, 2) or 0 in y.shape:
        raise ValueError(
            "y must have the shape (rows,) or (rows, targets), "
            f"got an array of shape {y.shape}."
        )
    if pd.isna(y).any():
        raise ValueError("y must be complete, but some of its values are missing.")
    if y.dtype.kind == "O" and not all(isinstance(value, str) for value in y.flat):
        try:
            y = y.astype(float)
        except (TypeError, ValueError):
            raise TypeError("y must hold either numbers or text, not both.") from None
    if y.dtype.kind not in "biufOUST":
        raise TypeError(f"y must hold numbers or text, got the type {y.dtype}.")
    numeric = y.dtype.kind in "biuf"
    if numeric and not np.isfinite(y).all():
        raise ValueError("y must be finite, but some of its values are infinite.")
    if y.shape[1:] == (1,) and task != "regression":
        y = y[:, 0]
    fractions = y.dtype.kind == "f" and (y != np.round(y)).any()

    if task == "regression" or (task is None and (y.ndim == 2 or fractions)):
        if not numeric:
            raise TypeError("y must hold numbers for a regression, got text.")
        one_hot = y.ndim == 2 and np.isin(y, (0, 1)).all() and (y.sum(1) == 1).all()
        if task is None and one_hot:
            raise ValueError(
                "y looks one-hot encoded; pass the class numbers, y.argmax(axis=1)."
            )
        if class_names:
            raise ValueError("class_names must be empty for a regression.")
        return y.astype(np.float64), "regression", ()

    if y.ndim == 2:
        raise ValueError(
            f"y must have the shape (rows,) for classes, got {y.shape}; "
            "for one-hot rows pass y.argmax(axis=1)."
        )
    if numeric and fractions:
        raise ValueError(
            f'y must hold labels for task="{task}", but it holds fractions.'
        )
    if y.dtype.kind == "f":
        y = y.astype(np.int64)
    values, codes = np.unique(y, return_inverse=True)
    if len(values) < 2:
        raise ValueError(
            f"y must hold at least two classes, but every label is {values[0]!s}."
        )
    if task == "binary" and len(values) > 2:
        raise ValueError(
            f'y must hold two classes for task="binary", got {len(values)}.'
        )
    if class_names and len(class_names) != len(values):
        raise ValueError(
            f"class_names has {len(class_names)} names, but y holds "
            f"{len(values)} classes."
        )
    names = class_names or tuple(str(value) for value in values)
    return codes, task or ("binary" if len(values) == 2 else "multiclass"), names


# ------------------------------------------------------------------ splitting, fitting


def _split_sizes(n: int, validation: float, test: float) -> tuple[int, int]:
    """Return how many rows go to the validation and the test part."""
    validation = _check_fraction("validation", validation)
    test = _check_fraction("test", test)
    if validation + test >= 1:
        raise ValueError(
            f"validation and test must sum to less than 1, got {validation} + {test}."
        )
    sizes = round(validation * n), round(test * n)
    if min(*sizes, n - sum(sizes)) < 1:
        raise ValueError(
            f"{n} rows are too few to split with validation={validation} and "
            f"test={test}: each part needs at least one."
        )
    return sizes


def _holdout(
    rows: np.ndarray, size: int, seed: int, labels: np.ndarray | None
) -> list[np.ndarray]:
    """Split rows at random in two, stratified if there are labels."""
    return train_test_split(
        rows,
        test_size=size,
        random_state=seed,
        stratify=None if labels is None else labels[rows],
    )


def _split(
    n: int,
    *,
    validation: float,
    test: float,
    seed: int,
    shuffle: bool = True,
    labels: np.ndarray | None = None,
    class_names: tuple[str, ...] = (),
) -> Rows:
    """Return the row numbers of the three parts."""
    validation_size, test_size = _split_sizes(n, validation, test)
    seed = shifted(_check_seed(seed))
    rows = np.arange(n)
    if not _check_flag("shuffle", shuffle):
        ends = [n - validation_size - test_size, n - test_size]
        parts = Rows(*np.split(rows, ends))
        # A series in order may hold a class in some parts only; training needs all.
        _check_classes({"train": parts.train}, labels, class_names)
        return parts
    try:
        rest, test_rows = _holdout(rows, test_size, seed, labels)
        train_rows, validation_rows = _holdout(rest, validation_size, seed, labels)
    except ValueError:
        # scikit-learn's reason speaks of its own arguments: say it in the reader's.
        counts = np.bincount(labels)
        raise ValueError(
            f"{n} rows are too few to split {len(counts)} classes with "
            f"validation={validation} and test={test}: the smallest class, "
            f"{class_names[counts.argmin()]}, has {counts.min()}"
            f"{_whole_numbers_hint(counts)}."
        ) from None
    parts = Rows(train_rows, validation_rows, test_rows)
    _check_classes(parts._asdict(), labels, class_names)
    return parts


def _check_classes(
    parts: dict[str, np.ndarray],
    labels: np.ndarray | None,
    class_names: tuple[str, ...],
) -> None:
    """Raise unless every class has a row in each of these parts."""
    if labels is None:
        return
    counts = np.bincount(labels)
    for part, rows in parts.items():
        absent = np.flatnonzero(np.bincount(labels[rows], minlength=len(counts)) == 0)
        if len(absent):
            raise ValueError(
                f"class {class_names[absent[0]]} has {counts[absent[0]]} rows in all "
                f"but none in the {part} part"
                f"{_whole_numbers_hint(counts)}."
            )


def _whole_numbers_hint(counts: np.ndarray) -> str:
    return (
        ' (if y is a quantity, pass task="regression")'
        if len(counts) > 10 and counts.min() < 3
        else ""
    )


def _apply(transformer: Any, x: np.ndarray) -> np.ndarray:
    """Transform the last axis of an array of any number of axes."""
    flat = np.asarray(transformer.transform(x.reshape(-1, x.shape[-1])))
    if x.ndim > 2 and flat.shape[-1] != x.shape[-1]:
        raise ValueError(
            f"scale must keep the {x.shape[-1]} features of inputs of shape "
            f"{x.shape[1:]}, but {transformer!r} makes {flat.shape[-1]}."
        )
    return flat.reshape(*x.shape[:-1], flat.shape[-1])


def _fitted(
    parts: Sequence[Part],
    *,
    scaler: Any,
    scale_target: bool = False,
    fit_on: np.ndarray | None = None,
    task: Task,
    feature_names: tuple[str, ...] = (),
    **description: Any,
) -> Dataset:
    """Fit imputer and scalers on the first part, apply them to all, build the set.

    `fit_on` holds the values of a training series, for the scalers: its windows
    show most values several times.
    """
    inputs, targets = [x for x, _ in parts], [y for _, y in parts]
    width = inputs[0].shape[-1]
    imputer = target_scaler = None
    if any(np.isnan(x).any() for x in inputs if x.dtype.kind == "f"):
        flat = inputs[0].reshape(-1, width)
        empty = np.flatnonzero(np.isnan(flat).all(axis=0))
        if len(empty):
            column = feature_names[empty[0]] if feature_names else int(empty[0])
            raise ValueError(
                f"x has no value in column {column} of the training part, so that its "
                "missing values cannot be imputed."
            )
        imputer = SimpleImputer(strategy="median").fit(flat)
        inputs = [_apply(imputer, x) for x in inputs]
    if scaler is not None:
        seen = inputs[0] if fit_on is None else fit_on
        # Some transformers select by the target, which belongs to whole examples.
        fit_targets = targets[0] if seen.ndim == 2 else None
        scaler.fit(seen.reshape(-1, width), fit_targets)
        inputs = [_apply(scaler, x) for x in inputs]
    if _check_flag("scale_target", scale_target):
        if task != "regression":
            raise ValueError(
                f"scale_target=True is for regression only, the task is {task}."
            )
        seen = targets[0] if fit_on is None else fit_on
        target_scaler = StandardScaler().fit(seen.reshape(len(seen), -1))
        targets = [_scaled_target(target_scaler, y) for y in targets]
    for argument, arrays in (("x", inputs), ("y", targets)):
        limit = np.finfo(np.float32).max
        if any(not (np.abs(array) <= limit).all() for array in arrays):
            raise ValueError(f"{argument} must fit in float32, but some values do not.")
    return Dataset(
        train=(inputs[0], targets[0]),
        validation=(inputs[1], targets[1]),
        test=(inputs[2], targets[2]),
        task=task,
        # A transformer that changes the number of features takes their names away.
        feature_names=feature_names if inputs[0].shape[-1] == width else (),
        scaler=scaler,
        imputer=imputer,
        target_scaler=target_scaler,
        **description,
    )


def _scaled_target(scaler: StandardScaler, y: np.ndarray) -> np.ndarray:
    return scaler.transform(y.reshape(len(y), -1)).reshape(y.shape)


# --------------------------------------------------------------------------- loaders


def _data_file(name: str) -> Path:
    """Return the path of a bundled file, in an installed package or a clone."""
    here = Path(__file__).parent
    folder = here / "data" if (here / "data").is_dir() else here.parent / "data"
    return folder / name


def load_diabetes(
    *,
    zeros_as_missing: bool = True,
    scale: bool | TransformerMixin = True,
    validation: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Load the diabetes table: 768 women, 8 measurements, diabetes or not.

    The bundled table is synthetic. The environment variable `NNPERF_DIABETES_CSV` may
    hold the path of your own copy of the original: a CSV file with the same nine
    columns, in any order, rows in any order. Both tables are sorted before the split,
    so that the order of rows does not change which row goes where.

    Parameters
    ----------
    zeros_as_missing : bool, default True
        Zeros in Glucose, BloodPressure, SkinThickness, Insulin and BMI stand for
        "not measured". True replaces them by the training part's median, False leaves
        them as zeros.
    scale, validation, test, seed
        As in `Dataset.from_arrays`.

    Returns
    -------
    Dataset
        Binary; `x` of shape (n, 8).

    Raises
    ------
    FileNotFoundError, IsADirectoryError, ValueError
        If your own copy is missing, a folder, or not such a table.
    """
    zeros_as_missing = _check_flag("zeros_as_missing", zeros_as_missing)
    table = load_diabetes_table()
    features = table[list(DIABETES_FEATURES)]
    if zeros_as_missing:
        columns = list(DIABETES_ZERO_IS_MISSING)
        features = features.copy()
        features[columns] = features[columns].replace(0, np.nan)
    data = Dataset.from_arrays(
        features,
        table[DIABETES_OUTCOME].astype(int),
        name="diabetes",
        task="binary",
        validation=validation,
        test=test,
        seed=seed,
        scale=scale,
        class_names=("no diabetes", "diabetes"),
    )
    order = table.index.to_numpy()
    return replace(data, rows=Rows(*(order[part] for part in data.rows)))


def load_diabetes_table() -> pd.DataFrame:
    """Read the diabetes table as it is: no split, nothing scaled, zeros left alone.

    Returns
    -------
    pandas.DataFrame
        The eight measurements and `Outcome`. Rows are in the order in which
        `load_diabetes` splits them; the index holds their numbers in the file, your own
        copy if there is one.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, ValueError
        As for `load_diabetes`.
    """
    own_copy = os.environ.get(DIABETES_VARIABLE)
    return _read_diabetes(own_copy or _data_file("diabetes.csv"))


def _read_diabetes(path: str | Path) -> pd.DataFrame:
    """Read and check a diabetes table; sorted, with the file's row numbers as index."""
    path = Path(path).expanduser()
    source = f"The diabetes table {str(path)!r} (see {DIABETES_VARIABLE})"
    if path.is_dir():
        raise IsADirectoryError(f"{source} is a folder, not a CSV file.")
    if not path.exists():
        raise FileNotFoundError(f"{source} does not exist.")
    try:
        # All as text and without a header: pandas would rename repeated columns.
        table = pd.read_csv(
            path, header=None, dtype=str, encoding="utf-8-sig", skipinitialspace=True
        )
    except pd.errors.EmptyDataError:
        raise ValueError(f"{source} is empty.") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(f"{source} is not a CSV file: {reason}.") from None
    header = table.iloc[0].fillna("").str.strip().tolist()
    table = table.iloc[1:].reset_index(drop=True).set_axis(header, axis=1)
    expected = [*DIABETES_FEATURES, DIABETES_OUTCOME]
    if not set(header) & set(expected):
        raise ValueError(
            f"{source} is not a CSV file with the header {','.join(expected)}."
        )
    for problem, columns in (
        ("lacks", [name for name in expected if name not in header]),
        ("has more than one", [name for name in expected if header.count(name) > 1]),
    ):
        if columns:
            raise ValueError(f"{source} {problem} column {', '.join(columns)}.")
    if table.empty:
        raise ValueError(f"{source} has a header but no rows.")
    text, table = table[expected], table[expected].apply(pd.to_numeric, errors="coerce")
    for column in expected:
        wrong = (table[column].isna() & text[column].notna()) | np.isinf(table[column])
        if wrong.any():
            row = int(wrong.idxmax())
            raise ValueError(
                f"{source} must hold numbers, but column {column} has "
                f"{text[column][row]!r} in row {row + 1}."
            )
    outcome = table[DIABETES_OUTCOME]
    wrong = ~outcome.isin((0, 1))
    if wrong.any():
        row = int(wrong.idxmax())
        raise ValueError(
            f"{source} must have outcomes 0 and 1, but row {row + 1} has "
            f"{text[DIABETES_OUTCOME][row]!r}."
        )
    if outcome.nunique() == 1:
        raise ValueError(
            f"{source} must have both outcomes, but every one is {int(outcome[0])}."
        )
    return table.sort_values(expected, kind="stable")


def _divide(x: np.ndarray, by: float) -> np.ndarray:
    return x / np.float32(by)


def _multiply(x: np.ndarray, by: float) -> np.ndarray:
    return x * np.float32(by)


def _divider(by: float) -> FunctionTransformer:
    """Scale pixels by their known range: nothing there depends on the data."""
    return FunctionTransformer(
        _divide, _multiply, kw_args={"by": by}, inv_kw_args={"by": by}
    )


def _images(x: np.ndarray, flatten: bool) -> np.ndarray:
    """Give images their channel axis, or make each one a row."""
    if _check_flag("flatten", flatten):
        return x.reshape(len(x), -1)
    return x[..., np.newaxis]


def _shrunk(x: np.ndarray, factor: int) -> np.ndarray:
    """Take the mean of each square of factor x factor pixels."""
    if factor == 1:
        return x
    n, rows, columns = x.shape
    squares = x.reshape(n, rows // factor, factor, columns // factor, factor)
    return squares.mean(axis=(2, 4), dtype=np.float32)


def load_fashion_mnist(
    *,
    side: int = 28,
    flatten: bool = False,
    scale: bool | TransformerMixin = True,
    validation: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Load 6,000 images of Fashion-MNIST (Xiao, Rasul & Vollgraf, 2017).

    5,000 training images, of which a share is set aside for validation, and 1,000
    test images, which are always the same: balanced, 10 classes, 28 x 28 gray values.

    Parameters
    ----------
    side : int, default 28
        Pixels along a side: 28, or 14 or 7, in which each pixel is the mean of a
        square of 2 x 2 or 4 x 4.
    flatten : bool, default False
        False gives images of shape (side, side, 1), True rows of side² pixels.
    scale : bool or transformer, default True
        True divides the gray values by 255, so that they lie in [0, 1]; False leaves
        0 to 255; or a transformer as in `Dataset.from_arrays`.
    validation : float, default 0.2
        Share of the 5,000 training images.
    seed : int, default 0
        Seed of that split.

    Returns
    -------
    Dataset
        Multiclass. `rows.test` counts in the 1,000 test images, the other two in the
        5,000.
    """
    flatten = _check_flag("flatten", flatten)
    if side not in (28, 14, 7):
        raise ValueError(f"side must be 28, 14 or 7, got {side!r}.")
    with np.load(_data_file("fashion_mnist.npz"), allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    for part in ("x_train", "x_test"):
        arrays[part] = _shrunk(arrays[part], 28 // int(side))
    x, y = _images(arrays["x_train"], flatten), arrays["y_train"].astype(np.int64)
    x_test, y_test = _images(arrays["x_test"], flatten), arrays["y_test"]
    size = round(_check_fraction("validation", validation) * len(x))
    seed = shifted(_check_seed(seed))
    try:
        train_rows, validation_rows = _holdout(np.arange(len(x)), size, seed, y)
    except ValueError:
        raise ValueError(
            f"validation={validation} leaves a part of the {len(x)} training images "
            "without some class."
        ) from None
    return _fitted(
        [
            (x[train_rows].astype(np.float32), y[train_rows]),
            (x[validation_rows].astype(np.float32), y[validation_rows]),
            (x_test.astype(np.float32), y_test),
        ],
        scaler=_scaler(scale, _divider(255)),
        name="fashion_mnist",
        task="multiclass",
        class_names=FASHION_CLASSES,
        rows=Rows(train_rows, validation_rows, np.arange(len(x_test))),
    )


def load_digits(
    *,
    flatten: bool = False,
    scale: bool | TransformerMixin = True,
    validation: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Load scikit-learn's 1,797 handwritten digits of 8 x 8 pixels.

    Parameters
    ----------
    flatten : bool, default False
        False gives images of shape (8, 8, 1), True rows of 64 pixels.
    scale : bool or transformer, default True
        True divides the gray values by 16, so that they lie in [0, 1]; False leaves
        0 to 16; or a transformer as in `Dataset.from_arrays`.
    validation, test, seed
        As in `Dataset.from_arrays`.

    Returns
    -------
    Dataset
        Multiclass, ten classes.
    """
    digits = sklearn.datasets.load_digits()
    return Dataset.from_arrays(
        _images(digits.images, flatten),
        digits.target,
        name="digits",
        task="multiclass",
        validation=validation,
        test=test,
        seed=seed,
        scale=_divider(16) if scale is True else scale,
        class_names=DIGIT_CLASSES,
    )


def load_auto_mpg(
    *,
    scale: bool | TransformerMixin = True,
    scale_target: bool = False,
    validation: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Load the fuel consumption of 392 cars of 1970 to 1982.

    The inputs are cylinders, displacement (cubic inches), horsepower, weight (pounds),
    acceleration (seconds to 60 miles per hour), model year, and the origin as three
    columns of 0 and 1. The target is in miles per gallon.

    Parameters
    ----------
    scale, scale_target, validation, test, seed
        As in `Dataset.from_arrays`.

    Returns
    -------
    Dataset
        Regression; `x` of shape (n, 9), `y` of shape (n,).
    """
    table = pd.read_csv(_data_file("auto_mpg.csv")).drop(columns="name")
    features = pd.get_dummies(table.drop(columns="mpg"), columns=["origin"])
    return Dataset.from_arrays(
        features,
        table["mpg"],
        name="auto_mpg",
        task="regression",
        validation=validation,
        test=test,
        seed=seed,
        scale=scale,
        scale_target=scale_target,
    )


def load_sunspots(
    *,
    window: int = 12,
    scale: bool | TransformerMixin = True,
    scale_target: bool = False,
    validation: float = 0.2,
    test: float = 0.2,
) -> Dataset:
    """Load yearly sunspot numbers, 1700 to 2008: predict a year from those before it.

    The years are cut into three parts that follow one another; windows are made within
    each part, so that no year is in two parts, neither as input nor as target. There is
    nothing random here, hence no seed.

    Parameters
    ----------
    window : int, default 12
        How many years the input shows. A solar cycle takes about 11.
    scale : bool or transformer, default True
        True standardizes the inputs by the training years' mean and standard
        deviation; False leaves sunspot numbers; or a transformer, fitted on the
        training years.
    scale_target : bool, default False
        Standardize the targets, too. With `scale=True` both then have the same unit.
    validation, test : float, default 0.2
        Share of the years that goes to each of these parts.

    Returns
    -------
    Dataset
        Regression; `x` of shape (n, window, 1), oldest year first, `y` of shape (n,),
        the year that follows. `rows` are those of the target's year, 0 being 1700.
    """
    window = _check_integer("window", window, least=1)
    series = pd.read_csv(_data_file("sunspots.csv"))["sunspots"].to_numpy()
    years = _split(len(series), validation=validation, test=test, seed=0, shuffle=False)
    shortest = min(len(part) for part in years)
    if shortest <= window:
        raise ValueError(
            f"window must be shorter than the shortest part, which has {shortest} "
            f"years, got {window}."
        )
    parts = []
    for part in years:
        windows = np.lib.stride_tricks.sliding_window_view(series[part], window + 1)
        parts.append((windows[:, :-1, np.newaxis], windows[:, -1]))
    return _fitted(
        parts,
        scaler=_scaler(scale, StandardScaler()),
        scale_target=scale_target,
        fit_on=series[years.train],
        name="sunspots",
        task="regression",
        feature_names=("sunspots",),
        rows=Rows(*(part[window:] for part in years)),
    )


def load_mnist1d(
    *,
    samples: int = 4000,
    flatten: bool = False,
    scale: bool | TransformerMixin = True,
    validation: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Generate MNIST-1D: ten classes of signals of length 40 (Greydanus & Kobak, 2024).

    Each signal is the outline of a digit, padded, stretched, shifted, sheared and
    noised. It takes about 0.2 ms a signal, reads and writes no file, and leaves the
    global random generators as they were.

    Parameters
    ----------
    samples : int, default 4000
        How many signals, in equal numbers of each class (a multiple of 10).
    flatten : bool, default False
        False gives signals of shape (40, 1), True rows of 40 values.
    scale : bool or transformer, default True
        As in `Dataset.from_arrays`; signals of shape (40, 1) have one mean and one
        standard deviation, rows have one for each of the 40 positions. (The generator
        itself centers and scales all signals together, which `scale=True` undoes.)
    validation, test : float, default 0.2
        As in `Dataset.from_arrays`.
    seed : int, default 0
        Seed of the signals and of the split.

    Returns
    -------
    Dataset
        Multiclass, ten classes.

    References
    ----------
    Greydanus, S. and Kobak, D. (2024). Scaling down deep learning with MNIST-1D.
    ICML. arXiv:2011.14439.
    """
    samples = _check_integer("samples", samples, least=10)
    if samples % 10:
        raise ValueError(f"samples must be a multiple of 10, got {samples}.")
    seed = _check_seed(seed)
    # Only here: it imports matplotlib and takes most of a second.
    from mnist1d.data import get_dataset_args, make_dataset

    settings = get_dataset_args()
    settings.num_samples, settings.seed = samples, shifted(seed)
    # The generator seeds and uses the global generators.
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        signals = make_dataset(settings)
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
    return Dataset.from_arrays(
        _images(np.concatenate([signals["x"], signals["x_test"]]), flatten),
        np.concatenate([signals["y"], signals["y_test"]]),
        name="mnist1d",
        task="multiclass",
        validation=validation,
        test=test,
        seed=seed,
        scale=scale,
        class_names=DIGIT_CLASSES,
    )


def load_moons(
    *,
    samples: int = 1000,
    noise: float = 0.2,
    scale: bool | TransformerMixin = True,
    validation: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Generate two interleaving half circles, by `sklearn.datasets.make_moons`.

    Parameters
    ----------
    samples : int, default 1000
        How many points, half of them in each class.
    noise : float, default 0.2
        Standard deviation of the noise added to each coordinate.
    scale, validation, test
        As in `Dataset.from_arrays`.
    seed : int, default 0
        Seed of the points and of the split.

    Returns
    -------
    Dataset
        Binary; `x` of shape (n, 2).
    """
    return _points(
        sklearn.datasets.make_moons,
        "moons",
        ("upper moon", "lower moon"),
        samples=samples,
        noise=noise,
        scale=scale,
        validation=validation,
        test=test,
        seed=seed,
    )


def load_circles(
    *,
    samples: int = 1000,
    noise: float = 0.1,
    factor: float = 0.5,
    scale: bool | TransformerMixin = True,
    validation: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Generate a circle within a circle, by `sklearn.datasets.make_circles`.

    Parameters
    ----------
    samples : int, default 1000
        How many points, half of them in each class.
    noise : float, default 0.1
        Standard deviation of the noise added to each coordinate.
    factor : float, default 0.5
        Radius of the inner circle; that of the outer is 1.
    scale, validation, test
        As in `Dataset.from_arrays`.
    seed : int, default 0
        Seed of the points and of the split.

    Returns
    -------
    Dataset
        Binary; `x` of shape (n, 2).
    """
    factor = _check_fraction("factor", factor)
    return _points(
        lambda **keywords: sklearn.datasets.make_circles(factor=factor, **keywords),
        "circles",
        ("outer circle", "inner circle"),
        samples=samples,
        noise=noise,
        scale=scale,
        validation=validation,
        test=test,
        seed=seed,
    )


def _points(
    make: Any,
    name: str,
    class_names: tuple[str, str],
    *,
    samples: int,
    noise: float,
    seed: int,
    **split: Any,
) -> Dataset:
    """Draw points of two classes in the plane, and split them."""
    x, y = make(
        n_samples=_check_integer("samples", samples, least=1),
        noise=_check_noise(noise),
        random_state=shifted(_check_seed(seed)),
    )
    return Dataset.from_arrays(
        x,
        y,
        name=name,
        task="binary",
        seed=seed,
        feature_names=("x1", "x2"),
        class_names=class_names,
        **split,
    )
