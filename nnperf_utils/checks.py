"""Did the experiment do what it says? Checks of validity, run with each comparison.

Each function looks at one thing that quietly goes wrong in experiments and returns an
:class:`Outcome`. Those that look into a model take an ordinary compiled Keras model, so
they serve a reader's own network as well.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer

from nnperf_utils.engine import private

__all__ = [
    "Outcome",
    "callback_changes_learning_rate",
    "clipping_fires",
    "draws_at_random",
    "dropout_only_in_training",
    "restored_best_weights",
    "same_number_of_updates",
    "scaler_fitted_on_training_part",
    "schedule_changes_learning_rate",
    "starting_weights_differ",
    "variant_changes_training",
]

_RANDOM_LAYERS = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.AlphaDropout,
)
_EPOCH_KEYS = ["seed", "epoch", "metric"]


class Outcome(NamedTuple):
    """What a check found.

    Attributes
    ----------
    outcome : str
        ``"passed"``, ``"failed"`` or ``"does not apply"``.
    detail : str
        What was seen, in a few words with figures.
    """

    outcome: str
    detail: str


def _judged(passed: bool, detail: str) -> Outcome:
    return Outcome("passed" if passed else "failed", detail)


def schedule_changes_learning_rate(model: keras.Model, updates: int) -> Outcome:
    """Check that the learning-rate schedule does change the rate within the run.

    A schedule whose steps are counted in epochs, or that is meant for a longer run,
    may leave the rate as good as constant.

    Parameters
    ----------
    model : keras.Model
        Compiled. Its optimizer's count of updates is left as it was.
    updates : int
        Number of updates of the whole run.

    Returns
    -------
    Outcome
        Failed where the rate stays within 1% throughout.
    """
    optimizer = model.optimizer
    if isinstance(optimizer.learning_rate, keras.Variable):
        return Outcome("does not apply", "the learning rate has no schedule")
    before = int(optimizer.iterations.numpy())
    # Every update where there are few: a short warm-up must not be stepped over.
    steps = np.unique(np.linspace(0, max(updates - 1, 0), 200).astype(int))
    rates = []
    for step in steps:
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    optimizer.iterations.assign(before)
    low, high = min(rates), max(rates)
    return _judged(
        high > 1.01 * low,
        f"learning rate from {rates[0]:.3g} to {rates[-1]:.3g} over {updates} updates, "
        f"between {low:.3g} and {high:.3g}",
    )


def callback_changes_learning_rate(history: pd.DataFrame) -> Outcome:
    """Check that a callback did change the learning rate, and count in how many runs.

    A plateau that never comes, or a schedule that is meant for a longer run, leaves the
    rate as it was.

    Parameters
    ----------
    history : pandas.DataFrame
        Columns ``seed``, ``epoch``, ``metric``, ``value``, with the metric
        ``learning_rate``.

    Returns
    -------
    Outcome
        Failed where the rate is the same throughout in all runs.
    """
    rates = history[history["metric"] == "learning_rate"]
    by_run = rates.groupby("seed")["value"]
    acted = by_run.max() > 1.01 * by_run.min()
    return _judged(
        bool(acted.any()),
        f"it acted in {acted.sum()} of {len(acted)} runs; the rate was between "
        f"{rates['value'].min():.3g} and {rates['value'].max():.3g}",
    )


def dropout_only_in_training(model: keras.Model, x: Any) -> Outcome:
    """Check that dropout (or noise) acts in training and not in evaluation.

    Parameters
    ----------
    model : keras.Model
        Its moving statistics are left as they were.
    x : array or nested arrays
        A batch of inputs.

    Returns
    -------
    Outcome
        Failed where two passes in training mode give the same outputs, or two passes
        in evaluation mode different ones.
    """
    if not draws_at_random(model):
        return Outcome("does not apply", "no layer draws at random")
    state = [variable.numpy() for variable in model.non_trainable_variables]
    evaluated = [_outputs(model, x, training=False) for _ in range(2)]
    trained = [_outputs(model, x, training=True) for _ in range(2)]
    for variable, value in zip(model.non_trainable_variables, state, strict=True):
        variable.assign(value)
    active = not np.array_equal(*trained)
    inactive = np.array_equal(*evaluated)
    return _judged(
        active and inactive,
        f"{'active' if active else 'not active'} in training, "
        f"{'not active' if inactive else 'active'} in evaluation",
    )


def draws_at_random(model: keras.Model) -> bool:
    """Tell whether a model has dropout or noise.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    bool
    """
    return any(_draws(layer) for layer in private.flatten_layers(model, False))


def _draws(layer: keras.Layer) -> bool:
    """Tell whether a layer is meant to draw at random in training."""
    if isinstance(layer, _RANDOM_LAYERS):
        # one at rate zero is there to share a graph with its likes at other rates
        return bool(getattr(layer, "rate", 0) or getattr(layer, "stddev", 0))
    return any(
        bool(getattr(layer, name, 0) or 0) for name in ("dropout", "recurrent_dropout")
    )


def _outputs(model: keras.Model, x: Any, *, training: bool) -> np.ndarray:
    outputs = keras.tree.flatten(model(x, training=training))
    return np.concatenate([np.ravel(output) for output in outputs])


def scaler_fitted_on_training_part(data: Any) -> Outcome:
    """Check that the scaler of a data set saw the training part and no other row.

    The raw training inputs are recovered from the scaled ones, and a new scaler of the
    same kind is fitted on them: it must scale them as the data set's own did.

    Parameters
    ----------
    data : Dataset
        With ``train`` and, if it was scaled, ``scaler``.

    Returns
    -------
    Outcome
    """
    scaler = getattr(data, "scaler", None)
    if scaler is None or isinstance(scaler, FunctionTransformer):
        return Outcome("does not apply", "no scaler learned from the data")
    if not hasattr(scaler, "inverse_transform"):
        return Outcome("does not apply", f"{type(scaler).__name__} has no inverse")
    x = np.asarray(data.train[0], dtype=np.float64)
    if _are_windows(x):
        # Each year of a series counts once, in however many windows it shows.
        target = np.asarray(data.train[1], dtype=np.float64)[-1:].reshape(1, -1)
        if getattr(data, "target_scaler", None) is not None:
            target = data.target_scaler.inverse_transform(target)
        scaled = np.concatenate([x[:, 0], x[-1, 1:], scaler.transform(target)])
    else:
        scaled = x.reshape(-1, x.shape[-1])
    raw = scaler.inverse_transform(scaled)
    again = clone(scaler).fit(raw).transform(raw)
    difference = np.abs(again - scaled).max()
    # The inputs are float32: raw values lose digits on the way.
    return _judged(
        difference < 1e-4 * max(1.0, np.abs(scaled).max()),
        f"fitted anew on {len(scaled)} training rows it differs by {difference:.1g}",
    )


def _are_windows(x: np.ndarray) -> bool:
    """Tell whether each example is the one before it, moved on by one step."""
    return (
        x.ndim == 3
        and x.shape[-1] == 1
        and len(x) > 1
        and np.array_equal(x[1:, :-1], x[:-1, 1:])
    )


def starting_weights_differ(first: Iterable[Any], second: Iterable[Any]) -> Outcome:
    """Check that a model built with another seed starts from other weights.

    An initializer with a seed of its own, or one that all calls of the builder share,
    makes all runs start alike: their spread would then be too small.

    Parameters
    ----------
    first, second : iterable of arrays or variables
        The trainable weights of a network, built after setting two different seeds.

    Returns
    -------
    Outcome
    """
    pairs = [
        (np.asarray(one), np.asarray(two))
        for one, two in zip(first, second, strict=True)
    ]
    same = [np.array_equal(one, two) for one, two in pairs if _looks_drawn(one)]
    if not same:
        return Outcome("does not apply", "no weights start at random")
    return _judged(
        not any(same),
        f"{same.count(False)} of {len(same)} randomly drawn weight arrays differ "
        "between seeds",
    )


def _looks_drawn(weights: np.ndarray) -> bool:
    """Tell whether weights are neither set by hand nor a multiple of the identity.

    Numbers drawn at random differ from each other; those set by hand are one or two.
    """
    if np.ptp(weights) == 0 or (weights.size > 4 and len(np.unique(weights)) == 2):
        return False
    return weights.ndim != 2 or not np.array_equal(
        weights, weights[0, 0] * np.eye(*weights.shape)
    )


def variant_changes_training(history: pd.DataFrame, reference: pd.DataFrame) -> Outcome:
    """Check that a variant does not train exactly as the reference does.

    Parameters
    ----------
    history, reference : pandas.DataFrame
        Columns ``seed``, ``epoch``, ``metric``, ``value``.

    Returns
    -------
    Outcome
        Failed where every value is the same: whatever distinguishes the variant had no
        effect.
    """
    both = history.merge(reference, on=_EPOCH_KEYS)
    one, other = both["value_x"], both["value_y"]
    same = one.eq(other) | (one.isna() & other.isna())
    share = 1 - same.mean() if len(both) else 1.0
    return _judged(
        share > 0, f"{share:.0%} of the values in the history differ from the first's"
    )


def same_number_of_updates(updates: Mapping[str, Iterable[int]]) -> dict[str, Outcome]:
    """Check that all runs of all variants took the same number of updates.

    Parameters
    ----------
    updates : mapping of str to iterable of int
        For each variant, the number of updates of each run.

    Returns
    -------
    dict of str to Outcome
        For each variant. Failed where a run took fewer than the longest of all.
    """
    counts = {variant: list(numbers) for variant, numbers in updates.items()}
    most = max(max(numbers) for numbers in counts.values())
    outcomes = {}
    for variant, numbers in counts.items():
        fewest = min(numbers)
        said = f"{fewest}" if fewest == max(numbers) else f"{fewest} to {max(numbers)}"
        outcomes[variant] = _judged(
            fewest == most, f"{len(numbers)} runs of {said} updates"
        )
    return outcomes


def clipping_fires(model: keras.Model, batches: Iterable[tuple]) -> Outcome:
    """Check that gradient clipping fires, and count how often.

    The model is trained on `batches` in a plain loop, and each gradient's norm (or
    largest entry) is held against the threshold before the optimizer clips it.

    Parameters
    ----------
    model : keras.Model
        Compiled; its weights are trained in passing.
    batches : iterable of (x, y, sample_weight)
        The updates to look at; a sample weight may be ``None``.

    Returns
    -------
    Outcome
        Failed where clipping never fired: it then changed nothing.
    """
    optimizer = model.optimizer
    limits = {
        name: getattr(optimizer, name, None)
        for name in ("clipnorm", "global_clipnorm", "clipvalue")
    }
    if all(limit is None for limit in limits.values()):
        return Outcome("does not apply", "the optimizer does not clip")

    @tf.function(reduce_retracing=True)
    def step(x, y, weight):
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            loss = model.compute_loss(x, y, outputs, weight, training=True)
        gradients = tape.gradient(loss, model.trainable_variables)
        size = _clipped_size(limits, [g for g in gradients if g is not None])
        optimizer.apply(gradients, model.trainable_variables)
        return size

    sizes = np.array([step(*batch).numpy() for batch in batches])
    limit = next(limit for limit in limits.values() if limit is not None)
    name = next(name for name, limit in limits.items() if limit is not None)
    # A gradient that is not finite is clipped too, if to no avail.
    fired = int((~(sizes <= limit)).sum())
    return _judged(
        fired > 0,
        f"{name} {limit:g} fired in {fired} of the first {len(sizes)} updates "
        f"({fired / len(sizes):.0%}); median size {np.median(sizes):.3g}",
    )


def _clipped_size(limits: Mapping[str, float | None], gradients: list) -> tf.Tensor:
    """Return what the optimizer holds against its threshold, the largest of it."""
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    if limits["global_clipnorm"] is not None:
        return tf.linalg.global_norm(gradients)
    if limits["clipnorm"] is not None:
        return tf.reduce_max([tf.norm(gradient) for gradient in gradients])
    return tf.reduce_max([tf.reduce_max(tf.abs(g)) for g in gradients])


def restored_best_weights(
    stopped: pd.DataFrame, history: pd.DataFrame, monitor: str
) -> Outcome:
    """Check that stopping early kept the best epoch's weights, not the last one's.

    Parameters
    ----------
    stopped : pandas.DataFrame
        Columns ``seed``, ``best_epoch``, ``metric``, ``value``: the scores kept.
    history : pandas.DataFrame
        Columns ``seed``, ``epoch``, ``metric``, ``value``.
    monitor : str
        The metric by which training was stopped.

    Returns
    -------
    Outcome
    """
    kept = stopped[stopped["metric"] == monitor]
    best = kept.merge(
        history, left_on=["seed", "best_epoch", "metric"], right_on=_EPOCH_KEYS
    )
    same = np.isclose(best["value_x"], best["value_y"])
    return _judged(
        len(kept) > 0 and same.sum() == len(kept),
        f"{same.sum()} of {len(kept)} runs keep the {monitor} of their best epoch",
    )
