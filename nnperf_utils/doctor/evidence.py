"""All that a recording shows, as numbers by name, frames to look at, and plain signs.

`gather` never fails: what it cannot look at it says in `Evidence.notes`, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pandas as pd

from nnperf_utils.doctor import network, structure
from nnperf_utils.doctor.data import (
    Part,
    Target,
    as_judged,
    describe_target,
    distances,
    duplicates,
    near_copies,
    rarest,
)
from nnperf_utils.doctor.readings import (
    Reading,
    entering,
    predictions,
    read,
    recurrent_layers,
)
from nnperf_utils.doctor.recording import Recording, Snapshot
from nnperf_utils.doctor.reference import (
    features,
    one_column,
    reference,
    skill,
    surplus,
)
from nnperf_utils.doctor.structure import Sign
from nnperf_utils.engine import private

__all__ = ["Evidence", "gather"]

PROBES = 256
ROWS = 1000
_NORMALIZING = (
    keras.layers.BatchNormalization,
    keras.layers.Normalization,
    keras.layers.Rescaling,
    keras.layers.LayerNormalization,
    keras.layers.UnitNormalization,
)
_BENDING = ("Attention", "Lambda", "Multiply", "Dot", "LayerNorm", "Maximum", "Minimum")


@dataclass
class Evidence:
    """What was seen.

    Attributes
    ----------
    facts : dict
        Numbers and words by name; what could not be had is missing.
    signs : list of Sign
        What can be seen without training.
    frames : dict of str to pandas.DataFrame
        ``history`` (epoch, metric, value), ``layers`` (epoch, update, layer, metric,
        value), ``time`` (epoch, step, value), ``columns``, ``classes``.
    notes : list of str
        What could not be looked at, and why.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    signs: list[Sign] = field(default_factory=list)
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say once what could not be looked at."""
        if text not in self.notes:
            self.notes.append(text)

    def attempt(self, what: str, look: Callable, *given: Any) -> None:
        """Look at something; say so where that fails."""
        try:
            look(self, *given)
        except Exception as error:  # a reader's own network may do anything
            first = (str(error).splitlines() or [""])[0][:120]
            self.note(f"{what} ({type(error).__name__}: {first})")


def gather(
    model: keras.Model | None,
    recording: Recording | None,
    train: Part | None,
    validation: Part | None,
) -> Evidence:
    """Look at everything that there is.

    Parameters
    ----------
    model : keras.Model or None
        None before a training has begun.
    recording : Recording or None
    train, validation : Part or None

    Returns
    -------
    Evidence
    """
    seen = Evidence()
    targets: list[Target] = []
    if train is None:
        seen.note(
            "labels, scales, outputs and gradients, for want of rows (give arrays to "
            "Doctor(x_train, y_train, validation_data=(x_val, y_val)))"
        )
    else:
        seen.attempt("the inputs", _inputs, train, model)
        targets = _judged(model, train)
        seen.attempt("the targets", _targets, train, targets)
        seen.attempt("the order of the rows", _order, train, targets)
        if validation is None:
            seen.note("new rows, for want of validation data")
        else:
            seen.attempt("validation rows", _parts, train, validation, targets)
    if model is None:
        return seen
    seen.attempt("the settings", _settings, model, recording)
    if recording is not None:
        seen.attempt("the curves", _curves, recording)
    if not model.built:
        seen.note("the layers, as the network has no weights yet")
        return seen
    first = recording.snapshots[0] if recording and recording.snapshots else _now(model)
    if _fits(model, first):
        values = dict(
            zip(
                map(id, [*model.trainable_variables, *model.non_trainable_variables]),
                [*first.trainable, *first.non_trainable],
                strict=True,
            )
        )
        seen.attempt(
            "frozen layers", lambda e: e.signs.extend(structure.frozen(model, values))
        )
        if first.update == 0:
            seen.attempt(
                "starting weights",
                lambda e: e.signs.extend(structure.bad_weights(model, values)),
            )
    if train is not None:
        seen.attempt("output and loss", _outputs, model, train, validation, targets)
    snapshots = [first] if recording is None else recording.snapshots or [first]
    snapshots = [s for s in snapshots if _fits(model, s)]
    if not snapshots:
        seen.note("the layers, as their weights are others than when training began")
        return seen
    seen.attempt("the weights' way", _drift, model, snapshots)
    if train is None:
        return seen
    loss = getattr(model, "loss", None)
    if not train.targets or loss is None:
        seen.note("gradients, for want of a loss from compile")
    elif _finite_inputs(train) and train.targets[0].dtype.kind in "fiub":
        seen.attempt("gradients and activations", _layers, model, snapshots, train)
    seen.attempt(
        "predictions", _scores, model, recording, snapshots, train, validation, targets
    )
    seen.attempt("what can be learned", _attainable, model, train, validation, targets)
    return seen


def _judged(model: keras.Model | None, train: Part) -> list[Target]:
    """Return what each target is, by its values and the loss that judges it."""
    targets = [describe_target(y) for y in train.targets]
    try:
        ends = [] if model is None else network.outputs(model)
    except Exception:  # a reader's own network may do anything
        return targets
    if len(ends) != len(targets):
        return targets
    return [
        as_judged(target, y, end.loss, end.activation)
        for target, y, end in zip(targets, train.targets, ends, strict=True)
    ]


def _now(model: keras.Model) -> Snapshot:
    return Snapshot(
        0,
        0,
        [keras.ops.convert_to_numpy(v) for v in model.trainable_variables],
        [keras.ops.convert_to_numpy(v) for v in model.non_trainable_variables],
    )


def _fits(model: keras.Model, snapshot: Snapshot) -> bool:
    """Whether a copy has the weights that the network has now."""
    pairs = [
        (model.trainable_variables, snapshot.trainable),
        (model.non_trainable_variables, snapshot.non_trainable),
    ]
    return all(
        len(now) == len(then)
        and all(tuple(v.shape) == a.shape for v, a in zip(now, then, strict=True))
        for now, then in pairs
    )


def _finite_inputs(part: Part) -> bool:
    return all(np.isfinite(a).all() for a in part.inputs if a.dtype.kind == "f")


# --- rows ----------------------------------------------------------------------------


def _inputs(seen: Evidence, train: Part, model: keras.Model | None) -> None:
    """Look at the columns: what is not finite, scales, tokens, padding."""
    facts = seen.facts
    facts["n_train"] = len(train)
    facts["n_inputs"] = len(train.inputs)
    tokens = token_inputs(train, model)
    floats = [
        a
        for a, t in zip(train.inputs, tokens, strict=True)
        if not t and a.dtype.kind in "fiub"
    ]
    facts["tokens"] = any(tokens)
    bad = sum(int((~np.isfinite(a)).sum()) for a in train.inputs if a.dtype.kind == "f")
    bad += sum(
        int((~np.isfinite(a)).sum()) for a in train.targets if a.dtype.kind == "f"
    )
    facts["nonfinite"] = bad
    frames = []
    for number, array in enumerate(floats):
        values = (
            array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array[:, None]
        )
        columns = values.astype("float64")  # an image's channels, a table's columns
        columns[~np.isfinite(columns)] = np.nan
        with np.errstate(all="ignore"):
            frame = pd.DataFrame(
                {
                    "input": number,
                    "column": np.arange(columns.shape[1]),
                    "mean": np.nanmean(columns, axis=0),
                    "spread": np.nanstd(columns, axis=0),
                    "largest": np.nanmax(np.abs(columns), axis=0),
                }
            )
        frames.append(frame)
    if frames:
        table = pd.concat(frames, ignore_index=True)
        seen.frames["columns"] = table
        moving = table[table["spread"] > 1e-9]
        if len(moving):
            spread = moving["spread"]
            facts["input_size"] = float(
                np.sqrt(np.mean(moving["mean"] ** 2 + spread**2))
            )
            facts["input_largest"] = float(moving["largest"].max())
            facts["input_spread_max"] = float(spread.max())
            facts["input_spread_median"] = float(spread.median())
            facts["input_mixed"] = float(
                spread.max() / max(spread.quantile(0.1), 1e-12)
            )
            if len(moving) <= 3:
                facts["input_mixed"] = float(spread.max() / spread.min())
            facts["input_offset"] = float((moving["mean"].abs() / spread).median())
            facts["input_offset_max"] = float((moving["mean"].abs() / spread).max())
            worst = int(spread.idxmax())
            facts["input_worst_column"] = int(table.loc[worst, "column"])
    if model is not None:
        normalized = [
            isinstance(one, _NORMALIZING) for one in network.leaves(model)[:4]
        ]
        facts["normalizes_inputs"] = any(normalized)
    for array, is_token in zip(train.inputs, tokens, strict=True):
        if (is_token and array.ndim == 2) or (
            array.ndim == 3 and array.dtype.kind == "f"
        ):
            empty = array == 0 if array.ndim == 2 else (array == 0).all(axis=2)
            trailing = np.flip(np.logical_and.accumulate(np.flip(empty, 1), axis=1), 1)
            leading = np.logical_and.accumulate(empty, axis=1)
            facts["padding_after"] = float(trailing.mean())
            facts["padding_before"] = float(leading.mean())
            facts["padding_varies"] = float(trailing.sum(axis=1).std() > 0)


def token_inputs(part: Part, model: keras.Model | None) -> list[bool]:
    """Tell which inputs hold numbers of tokens."""
    embeds = model is None or any(
        isinstance(one, keras.layers.Embedding) for one in network.leaves(model)
    )
    found = []
    for array in part.inputs:
        whole = array.dtype.kind in "iu"
        if array.dtype.kind == "f" and array.ndim == 2 and embeds and model is not None:
            few = array[: min(len(array), 200)]
            whole = bool(np.array_equal(few, np.round(few)) and (few >= 0).all())
        found.append(whole and embeds and array.ndim <= 2)
    if model is None:
        found = [
            f and a.ndim == 2 and a.max(initial=0) > 20 and a.min(initial=0) >= 0
            for f, a in zip(found, part.inputs, strict=True)
        ]
    return found


def _targets(seen: Evidence, train: Part, targets: list[Target]) -> None:
    """Look at the targets by themselves."""
    facts = seen.facts
    if not targets:
        seen.note("the targets, as none were given")
        return
    facts["n_outputs"] = len(targets)
    facts["task"] = targets[0].kind
    for y, target in zip(train.targets, targets, strict=True):
        if target.kind == "text":
            seen.signs += structure.pairing(
                network.Output("", "", None, "", "", None), target, y
            )
        if target.labels is not None:
            _, ratio = rarest(target.labels, target.classes)
            facts["classes"] = target.classes
            facts["imbalance"] = max(ratio, facts.get("imbalance", 0.0))
            counts = np.bincount(target.labels, minlength=target.classes)
            facts["rarest_share"] = float(counts[counts > 0].min() / len(y))
            facts["commonest_share"] = float(counts.max() / len(y))
        elif target.kind == "regression":
            columns = y.reshape(len(y), -1).astype("float64")
            with np.errstate(all="ignore"):
                facts["target_spread"] = float(np.nanmax(np.nanstd(columns, axis=0)))
                facts["target_mean"] = float(np.nanmax(np.abs(np.nanmean(columns, 0))))
                facts["target_spread_min"] = float(
                    np.nanmin(np.nanstd(columns, axis=0))
                )


def _order(seen: Evidence, train: Part, targets: list[Target]) -> None:
    """Look at whether rows that follow each other are alike."""
    if not targets or len(train) < 20:
        return
    target, y = targets[0], train.targets[0]
    if target.labels is not None and target.classes > 1:
        labels = target.labels
        share = np.bincount(labels) / len(labels)
        by_chance = float((share**2).sum())
        same = float(np.mean(labels[1:] == labels[:-1]))
        seen.facts["sorted"] = (same - by_chance) / max(1 - by_chance, 1e-9)
    elif target.kind == "regression":
        values = y.reshape(len(y), -1)[:, 0].astype("float64")
        values = values - np.nanmean(values)
        variance = float(np.nanvar(values))
        if variance > 0:
            lag = float(np.nanmean(values[1:] * values[:-1]) / variance)
            seen.facts["sorted"] = lag
            ranks = pd.Series(values).rank().to_numpy()
            seen.facts["monotone"] = abs(
                float(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1])
            )
            inside = train.flat()
            if inside.shape[1]:
                moved = np.nan_to_num(inside - inside.mean(axis=0))
                with np.errstate(all="ignore"):
                    lags = (moved[1:] * moved[:-1]).mean(axis=0) / moved.var(axis=0)
                seen.facts["sorted_inputs"] = float(np.nanmedian(lags))


def _parts(
    seen: Evidence, train: Part, validation: Part, targets: list[Target]
) -> None:
    """Compare training and validation rows."""
    facts = seen.facts
    facts["n_val"] = len(validation)
    bad = sum(
        int((~np.isfinite(a)).sum())
        for a in [*validation.inputs, *validation.targets]
        if a.dtype.kind == "f"
    )
    facts["nonfinite"] = facts.get("nonfinite", 0) + bad
    a, b = train.flat(), validation.flat()
    if a.shape[1] and a.shape[1] == b.shape[1]:
        facts["shared_rows"] = duplicates(a, b)
        if all(x.dtype.kind == "f" for x in train.inputs):
            facts["near_copies"] = near_copies(a, b)
        sample_a, sample_b = train.sample(2000).flat(), validation.sample(2000).flat()
        whole = all(x.dtype.kind in "iu" for x in train.inputs)
        table = distances(sample_a, sample_b)
        if not whole:
            seen.frames["parts"] = table
        certain = table["surplus"] > 6
        facts["part_shift"] = float((table["shift"].abs() * certain).mean())
        facts["part_shift_max"] = float((table["shift"].abs() * certain).max())
        facts["part_shift_share"] = float(
            (certain & (table["shift"].abs() > 0.5)).mean()
        )
        # spread: 1 is a factor of two; by chance about 1 / sqrt(n)
        chance = 5 / np.sqrt(min(len(sample_a), len(sample_b)))
        spread = table["spread"].abs().clip(upper=20)
        facts["part_spread"] = float((spread * (spread > chance)).median())
        facts["part_spread_share"] = float((spread > max(0.6, chance)).mean())
        size = [np.sqrt(np.mean(np.nan_to_num(v) ** 2)) for v in (sample_a, sample_b)]
        facts["part_size"] = float(np.log2(max(size[1], 1e-9) / max(size[0], 1e-9)))
        facts["whole_inputs"] = whole
        if whole:
            facts["tokens_apart"] = _tokens_apart(sample_a, sample_b)
        _columns_agree(facts, sample_a, sample_b)
    for y, target in zip(validation.targets, targets, strict=False):
        other = describe_target(y)
        facts.setdefault(
            "coding_differs",
            other.coding != target.coding
            and ({"one-hot", "text"} & {other.coding, target.coding} != set()),
        )
        one_class = target.coding == "whole" and y.ndim <= 2 and y.size == len(y)
        if target.labels is not None and (other.coding == target.coding or one_class):
            if target.coding == "whole":
                first = pd.Series(target.values[target.labels]).value_counts(
                    normalize=True
                )
                second = pd.Series(np.ravel(y)).value_counts(normalize=True)
                apart = first.sub(second, fill_value=0).abs().sum() / 2
                facts["labels_apart"] = float(apart)
                facts["labels_unknown"] = float(
                    np.mean(~np.isin(np.ravel(y), target.values))
                )
            elif target.coding == "one-hot" and y.shape[-1] == len(target.values):
                mine = np.bincount(target.labels, minlength=len(target.values))
                theirs = np.asarray(y, "float64").mean(axis=0)
                facts["labels_apart"] = float(
                    np.abs(mine / mine.sum() - theirs).sum() / 2
                )
        elif target.kind == "regression" and y.dtype.kind in "fiu":
            mine = train.targets[0].reshape(len(train), -1).astype("float64")
            theirs = y.reshape(len(y), -1).astype("float64")
            if mine.shape[1] == theirs.shape[1]:
                spread = mine.std(axis=0)  # of pixels, some are hardly ever lit
                spread = np.maximum(spread, max(1e-12, 0.05 * float(spread.max())))
                shift = np.abs(theirs.mean(axis=0) - mine.mean(axis=0)) / spread
                facts["targets_apart"] = float(np.nanmax(shift))
                ratio = np.maximum(theirs.std(axis=0), 1e-12 + 0.05 * spread) / spread
                facts["targets_spread_apart"] = float(np.nanmax(np.abs(np.log2(ratio))))


def _tokens_apart(a: np.ndarray, b: np.ndarray) -> float:
    """Return by how much tokens of two parts differ in how often they occur.

    Half the sum of all differences of their shares, less what chance would make of it.
    """
    values, codes = np.unique(
        np.concatenate([a.ravel(), b.ravel()]), return_inverse=True
    )
    counts = [
        np.bincount(part, minlength=len(values)).astype("float64")
        for part in np.split(codes, [a.size])
    ]
    for part in counts:
        part[values == 0] = 0  # padding
    shares = [part / max(part.sum(), 1) for part in counts]
    pooled = (counts[0] + counts[1]) / max(counts[0].sum() + counts[1].sum(), 1)
    noise = np.sqrt(2 / np.pi * pooled * sum(1 / max(c.sum(), 1) for c in counts))
    return float(max(0.0, (np.abs(shares[0] - shares[1]) - noise).sum() / 2))


def _columns_agree(facts: dict, a: np.ndarray, b: np.ndarray) -> None:
    """Tell whether columns lie, on the whole, where the other part's do.

    Columns in another order, or turned over, have means that are others' means.
    """
    if a.shape[1] < 3:
        return
    means = [np.nan_to_num(v).mean(axis=0) for v in (a, b)]
    spreads = [np.nan_to_num(v).std(axis=0) for v in (a, b)]
    rows = min(len(a), len(b))
    noise = np.mean(spreads[0] ** 2) * 2 / rows
    if np.var(means[0]) > 30 * noise and np.var(means[1]) > 0:
        facts["means_agree"] = float(np.corrcoef(*means)[0, 1])
    if np.std(spreads[0]) > 0.2 * np.mean(spreads[0]) and np.std(spreads[1]) > 0:
        facts["spreads_agree"] = float(np.corrcoef(*spreads)[0, 1])


# --- settings and curves -------------------------------------------------------------


def _settings(seen: Evidence, model: keras.Model, recording: Recording | None) -> None:
    """Look at optimizer, layers and their settings."""
    facts = seen.facts
    facts |= network.optimizer_facts(model)
    layers = private.flatten_layers(model, False)
    if model.built:
        facts["params"] = int(model.count_params())
    widths = []
    dropouts = []
    kinds = set()
    for layer in layers:
        if isinstance(layer, (keras.layers.Dense, keras.layers.Embedding)):
            width = getattr(layer, "units", None) or getattr(layer, "output_dim", None)
            widths.append(
                (layer.name, int(width), isinstance(layer, keras.layers.Dense))
            )
        elif isinstance(layer, keras.layers.RNN):
            widths.append((layer.name, int(getattr(layer, "units", 0) or 0), True))
        elif hasattr(layer, "filters"):
            widths.append((layer.name, int(layer.filters), True))
        for name in ("rate", "dropout", "recurrent_dropout"):
            rate = getattr(layer, name, 0)
            is_dropout = "dropout" in type(layer).__name__.lower() or name != "rate"
            if is_dropout and isinstance(rate, (int, float)) and rate > 0:
                dropouts.append((layer.name, float(rate)))
        kinds.add(type(layer).__name__)
    facts["recurrent"] = any(isinstance(one, keras.layers.RNN) for one in layers)
    facts["simple_recurrent"] = any(
        isinstance(one, keras.layers.SimpleRNN) for one in layers
    )
    facts["convolutional"] = any("Conv" in kind for kind in kinds)
    facts["residual"] = "Add" in kinds
    facts["masks"] = "Masking" in kinds or any(
        getattr(one, "mask_zero", False) for one in layers
    )
    facts["hidden"] = max(len([w for w in widths if w[2]]) - 1, 0)
    hidden = [w for w in widths if w[2]][:-1]
    if hidden:
        narrow = min(hidden, key=lambda w: w[1])
        facts["narrowest"], facts["narrowest_layer"] = narrow[1], narrow[0]
        facts["widest"] = max(w[1] for w in hidden)
    if dropouts:
        facts["dropout"] = max(rate for _, rate in dropouts)
        facts["dropout_layer"] = max(dropouts, key=lambda d: d[1])[0]
        facts["dropout_kept"] = float(np.prod([1 - rate for _, rate in dropouts]))
        facts["dropouts"] = len(dropouts)
    facts["activations"] = sorted(
        {
            network.activation_of(one)
            for one in layers
            if getattr(one, "activation", None) is not None
        }
    )
    facts["linear_layers"] = _linear_layers(model, layers)
    _regularizers(facts, layers)
    _batch_normalization(facts, layers, model)
    if recording is None:
        return
    arguments = recording.arguments
    facts["fit_known"] = arguments.known
    if arguments.known:
        facts["shuffle"] = arguments.shuffle
        facts["class_weight"] = arguments.class_weight is not None
        facts["weighted"] = arguments.sample_weight is not None
        facts["batch_size"] = _batch_size(arguments)
    facts["steps"] = recording.steps
    facts["planned"] = recording.planned
    facts["epochs"] = recording.epochs
    facts["updates"] = recording.updates
    facts["fits"] = recording.fits
    if not facts.get("batch_size") and recording.steps and "n_train" in facts:
        facts["batch_size"] = int(np.ceil(facts["n_train"] / recording.steps))
    rates = [rate for rate in recording.rates if np.isfinite(rate)]
    if rates:
        facts["rate_first"], facts["rate_last"] = rates[0], rates[-1]
        facts["rate_max"], facts["rate_min"] = max(rates), min(rates)
        facts["rate_median"] = float(np.median(rates))
        usual = facts["usual_rate"]
        boost = 1 / (1 - min(facts.get("momentum", 0.0), 0.999))
        if facts["optimizer"] != "sgd":
            boost = 1.0
        facts["rate_relative"] = float(np.log10(max(np.median(rates), 1e-12) / usual))
        facts["rate_effective"] = float(
            np.log10(max(np.median(rates), 1e-12) * boost / usual)
        )
        facts["rate_died"] = float(
            np.log10(max(max(rates), 1e-12) / max(np.median(rates), 1e-12))
        )


def _linear_layers(model: keras.Model, layers: list) -> int:
    """Count the hidden layers with weights, where nothing anywhere bends; else 0.

    Of a subclass nobody knows what its `call` does.
    """
    operations = getattr(model, "operations", None)
    if operations is None:
        return 0
    harmless = {"Add", "Concatenate", "Reshape", "GetItem", "Mean", "Subtract"}
    if any(
        not isinstance(one, keras.layers.Layer) and type(one).__name__ not in harmless
        for one in operations
    ):
        return 0
    ends = {one.layer for one in network.outputs(model)}
    count = 0
    for layer in layers:
        if isinstance(layer, (keras.layers.RNN, keras.layers.Wrapper)):
            return 0
        if any(word in type(layer).__name__ for word in _BENDING):
            return 0
        if layer.name in ends or isinstance(layer, keras.Model):
            continue
        if network.activation_of(layer) not in ("linear", "batch_normalization"):
            return 0
        if not type(layer).__module__.startswith("keras."):
            return 0
        count += hasattr(layer, "kernel")
    return count


def _batch_size(arguments: Any) -> int | None:
    if arguments.batch_size:
        return int(arguments.batch_size)
    dataset = getattr(arguments.x, "element_spec", None)
    if dataset is not None or arguments.y is None:
        batch = getattr(arguments.x, "batch_size", None)
        return int(batch) if isinstance(batch, int) else None
    return 32


def _regularizers(facts: dict, layers: list) -> None:
    strongest = 0.0
    for layer in layers:
        for name in (
            "kernel_regularizer",
            "recurrent_regularizer",
            "bias_regularizer",
            "embeddings_regularizer",
            "activity_regularizer",
        ):
            regularizer = getattr(layer, name, None)
            for kind in ("l1", "l2"):
                value = getattr(regularizer, kind, None)
                if value is not None:
                    strongest = max(strongest, float(np.array(value)))
    facts["penalty_rate"] = strongest


def _batch_normalization(facts: dict, layers: list, model: keras.Model) -> None:
    found = [one for one in layers if isinstance(one, keras.layers.BatchNormalization)]
    if not found:
        return
    facts["batchnorm"] = len(found)
    facts["batchnorm_layer"] = found[0].name
    facts["batchnorm_momentum"] = float(max(one.momentum for one in found))
    facts["batchnorm_momentum_low"] = float(min(one.momentum for one in found))
    facts["batchnorm_epsilon"] = float(max(one.epsilon for one in found))
    facts["batchnorm_frozen"] = any(not one.trainable for one in found)
    held = [
        one
        for one in network.leaves(model)
        if not isinstance(one, (keras.layers.Flatten, keras.layers.Reshape))
    ]
    facts["batchnorm_last"] = False
    for position, one in enumerate(held):
        if isinstance(one, keras.layers.BatchNormalization):
            after = held[position + 1 :]
            if not any(
                a.weights and not isinstance(a, keras.layers.BatchNormalization)
                for a in after
            ):
                facts["batchnorm_last"] = True
                facts["batchnorm_layer"] = one.name


def _curves(seen: Evidence, recording: Recording) -> None:
    """Look at what Keras logged."""
    facts, logs = seen.facts, recording.logs
    rows = [
        (epoch, metric, value)
        for epoch, log in enumerate(logs, 1)
        for metric, value in log.items()
    ]
    history = pd.DataFrame(rows, columns=["epoch", "metric", "value"])
    seen.frames["history"] = history
    if not logs:
        return
    for name, key in (("loss", "loss"), ("val_loss", "val")):
        curve = np.array([log.get(name, np.nan) for log in logs], "float64")
        if np.isnan(curve).all() and name not in logs[0]:
            continue
        finite = np.isfinite(curve)
        facts[f"{key}_nan"] = bool(
            (~finite[[i for i, log in enumerate(logs) if name in log]]).any()
        )
        if not finite.any():
            continue
        if facts[f"{key}_nan"]:
            facts[f"{key}_nan_epoch"] = int(np.flatnonzero(~finite)[0]) + 1
        facts |= {f"{key}_{k}": v for k, v in curve_facts(curve[finite]).items()}
    names = [n for n in logs[0] if not n.startswith("val_") and n != "loss"]
    for name in names:
        if any(word in name for word in ("acc", "auc")):
            curve = np.array([log.get(name, np.nan) for log in logs])
            facts["accuracy_first"], facts["accuracy_last"] = curve[0], curve[-1]
            facts["accuracy_max"] = float(np.nanmax(curve))
            valid = np.array([log.get(f"val_{name}", np.nan) for log in logs])
            if np.isfinite(valid).any():
                facts["val_accuracy_last"] = float(valid[np.isfinite(valid)][-1])
                facts["val_accuracy_max"] = float(np.nanmax(valid))
                facts["val_accuracy_swing"] = (
                    float(np.nanmean(np.abs(np.diff(valid)))) if len(valid) > 1 else 0.0
                )
            break


def curve_facts(curve: np.ndarray) -> dict[str, float]:
    """Describe a curve: where it goes, how it swings, whether it still falls."""
    n = len(curve)
    found = {
        "first": float(curve[0]),
        "last": float(curve[-1]),
        "min": float(curve.min()),
        "max": float(curve.max()),
        "min_at": float((np.argmin(curve) + 1) / n),
        "rise": float((curve[-1] - curve.min()) / max(abs(curve.min()), 1e-9)),
    }
    # how much larger the end is than the least, averaged over the last fifth
    tail = curve[-max(1, n // 5) :]
    found["end"] = float(tail.mean())
    if n >= 3:
        steps = np.diff(curve)
        size = max(np.ptp(curve), 1e-12)
        found["ups"] = float(np.mean(steps > 0.03 * size))
        path = np.abs(steps).sum()
        found["roughness"] = float(
            path / max(abs(curve[-1] - curve[0]), 1e-3 * path + 1e-12)
        )
        half = curve[n // 3 :]
        level = max(abs(np.median(half)), 1e-9)
        found["swing"] = float(np.median(np.abs(np.diff(half))) / level)
        smooth = pd.Series(curve).rolling(3, center=True, min_periods=1).median()
        away = np.abs(curve - smooth.to_numpy())[n // 3 :]
        found["jitter"] = float(away.mean() / level)
        found["jitter_max"] = float(away.max() / level)
        # the share of what the last third still gained
        third = max(1, n // 3)
        before = float(
            np.median(curve[-2 * third : -third] if n >= 2 * third else curve[:1])
        )
        after = float(np.median(curve[-third:]))
        found["gain"] = (before - after) / max(abs(before), 1e-9)
        found["gain_share"] = (before - after) / size
        x = np.arange(min(n, max(3, third + 1)))
        slope = float(np.polyfit(x, curve[-len(x) :], 1)[0])
        found["slope"] = slope / max(abs(curve[-1]), 1e-9)
    return found


# --- the network ---------------------------------------------------------------------


def _outputs(
    seen: Evidence,
    model: keras.Model,
    train: Part,
    validation: Part | None,
    targets: list[Target],
) -> None:
    """Look at outputs, losses and labels together."""
    found = network.outputs(model)
    if not targets:
        return
    if len(found) != len(targets):
        seen.note(
            f"output and loss, as {len(found)} outputs were told apart and "
            f"{len(targets)} targets given"
        )
        return
    order = range(len(found))
    if isinstance(train.target_structure, dict):
        names = list(getattr(model, "output_names", None) or [])
        keys = list(keras.tree.flatten({k: k for k in train.target_structure}))
        if sorted(names) == sorted(keys):
            order = [keys.index(name) for name in names]
    for output, at in zip(found, order, strict=True):
        signs = structure.pairing(output, targets[at], train.targets[at])
        if validation is not None and not signs and targets[at].kind != "text":
            other = validation.targets[at]
            if other.dtype.kind in "fiub":
                signs = [
                    s
                    for s in structure.pairing(output, describe_target(other), other)
                    if s.cause == "label_encoding"
                ]
        seen.signs += signs
    first = found[0]
    if (
        getattr(model, "operations", None) is None
        and first.activation == "linear"
        and any(s.cause == "from_logits_mismatch" for s in seen.signs)
        and _are_shares(model, train)
    ):  # a subclass, whose `call` makes shares of what its last layer puts out
        seen.signs = [
            s
            for s in seen.signs
            if s.cause not in ("from_logits_mismatch", "wrong_output_activation")
        ]
    seen.facts |= {
        "output_activation": first.activation,
        "output_loss": first.loss,
        "output_units": first.units,
        "output_layer": first.layer,
    }


def _are_shares(model: keras.Model, train: Part) -> bool:
    """Whether all answers lie from 0 to 1."""
    out = predictions(model, _now(model), train.sample(PROBES))[0][0]
    return bool(len(out) >= 30 and out.min() >= 0 and out.max() <= 1)


def _drift(seen: Evidence, model: keras.Model, snapshots: list) -> None:
    """Measure how far the weights moved."""
    facts = seen.facts
    kernels = [i for i, v in enumerate(model.trainable_variables) if len(v.shape) >= 2]
    facts["kernels"] = len(kernels)
    if not kernels or len(snapshots) < 2:
        return

    def moved(one: Snapshot, other: Snapshot) -> np.ndarray:
        return np.array(
            [
                np.linalg.norm(other.trainable[i] - one.trainable[i])
                / max(np.linalg.norm(one.trainable[i]), 1e-12)
                for i in kernels
            ]
        )

    with np.errstate(all="ignore"):
        first, last = snapshots[0], snapshots[-1]
        early = next((s for s in snapshots if s.update > 0), last)
        updates = max(early.update - first.update, 1)
        ratio = moved(first, early) / updates
        facts["update_early"] = float(np.median(ratio))
        facts["update_early_max"] = float(ratio.max())
        facts["update_early_first"] = float(ratio[0])
        facts["update_early_last"] = float(ratio[-1])
        whole = moved(first, last)
        facts["drift"] = float(np.median(whole))
        facts["drift_max"] = float(whole.max())
        facts["drift_first"] = float(whole[0])
        before = snapshots[-2]
        steps = max(last.update - before.update, 1)
        facts["update_late"] = float(np.median(moved(before, last)) / steps)
        facts["drift_late"] = float(
            np.median(moved(before, last)) / max(last.epoch - before.epoch, 1)
        )
        norms = [
            [np.linalg.norm(s.trainable[i]) for i in kernels] for s in (first, last)
        ]
        growth = np.array(norms[1]) / np.maximum(norms[0], 1e-12)
        facts["growth"] = float(np.median(growth))
        facts["growth_max"] = float(growth.max())
        facts["growth_min"] = float(growth.min())
        facts["finite"] = all(np.isfinite(a).all() for a in last.trainable)


def _layers(
    seen: Evidence, model: keras.Model, snapshots: list[Snapshot], train: Part
) -> None:
    """Read gradients and activations at the start, early, and at some epochs' ends."""
    facts = seen.facts
    finite = [s for s in snapshots if all(np.isfinite(a).all() for a in s.trainable)]
    if not finite:
        return
    ends = [s for s in finite if s.epoch > 0]
    early = [s for s in finite if s.epoch == 0]
    chosen = [
        *early[:1],
        *early[-1:],
        *ends[:1],
        *ends[len(ends) // 2 :][:1],
        *ends[-1:],
    ]
    chosen = list({id(s): s for s in chosen}.values())
    probe = train.sample(PROBES)
    readings = read(model, chosen, probe)
    rows = [
        (r.epoch, r.update, layer, metric, value)
        for r in readings
        for layer, values in r.layers.items()
        for metric, value in values.items()
    ]
    seen.frames["layers"] = pd.DataFrame(
        rows, columns=["epoch", "update", "layer", "metric", "value"]
    )
    times = [
        (r.epoch, step, float(value))
        for r in readings
        if r.time is not None
        for step, value in enumerate(r.time, 1)
    ]
    if times:
        seen.frames["time"] = pd.DataFrame(times, columns=["epoch", "step", "value"])
    for key, reading in (("start", readings[0]), ("end", readings[-1])):
        facts |= {
            f"{key}_{name}": value for name, value in reading_facts(reading).items()
        }
    middle = [reading_facts(r) for r in readings]
    for name in ("dead_mean", "dead_worst", "saturated_mean", "saturated_worst"):
        found = [m[name] for m in middle if name in m]
        if found:
            facts[f"most_{name}"] = max(found)
    ratios = [m["gradient_ratio"] for m in middle if "gradient_ratio" in m]
    if ratios:
        facts["least_gradient_ratio"] = min(ratios)
        facts["most_gradient_ratio"] = max(ratios)
        facts["median_gradient_ratio"] = float(np.median(ratios))
    if not recurrent_layers(model) and not facts.get("tokens"):
        seen.attempt("linearity", _linearity, model, finite[-1], probe)


def reading_facts(reading: Reading) -> dict[str, Any]:
    """Describe a reading in a few numbers."""
    found: dict[str, Any] = {"loss": reading.loss, "penalty": reading.penalty}
    slopes = [(n, v["gradient"]) for n, v in reading.layers.items() if "gradient" in v]
    if len(slopes) >= 2:
        sizes = np.array([value for _, value in slopes])
        with np.errstate(all="ignore"):
            top = sizes[len(sizes) // 2 :].max()
            found["gradient_ratio"] = float(sizes[0] / max(top, 1e-30))
            found["gradient_max"] = float(sizes.max())
            found["gradient_total"] = float(np.sqrt(np.sum(sizes**2)))
            found["gradient_zero"] = float(np.mean(sizes < 1e-12))
    elif slopes:
        found["gradient_max"] = found["gradient_total"] = slopes[0][1]
    backward = [v["backward"] for v in reading.layers.values() if "backward" in v]
    if len(backward) >= 3:
        found["backward_ratio"] = float(backward[0] / max(backward[-2], 1e-30))
    sizes = [v["size"] for v in reading.layers.values() if "size" in v]
    if len(sizes) >= 2:
        inner = sizes[:-1]
        found["signal_growth"] = float(inner[-1] / max(inner[0], 1e-30))
        found["signal_max"] = float(
            max(v["largest"] for v in reading.layers.values() if "largest" in v)
        )
        found["signal_size_max"] = float(max(sizes))
        differ = [
            v["differences"] for v in reading.layers.values() if "differences" in v
        ]
        found["differences_ratio"] = float(differ[-2] / max(differ[0], 1e-30))
    for metric in ("dead", "saturated"):
        values = [(n, v[metric]) for n, v in reading.layers.items() if metric in v]
        if metric == "saturated":  # the last layer's sigmoid may well be sure
            values = [(n, v) for n, v in values if n != list(reading.layers)[-1]]
        if not values:
            before = {"dead": "dead_before", "saturated": "ends_before"}[metric]
            values = [(n, v[before]) for n, v in reading.layers.items() if before in v]
        if values:
            name, worst = max(values, key=lambda pair: pair[1])
            found[f"{metric}_worst"], found[f"{metric}_layer"] = worst, name
            found[f"{metric}_mean"] = float(np.mean([v for _, v in values]))
            found[f"{metric}_first"] = values[0][1]
    if reading.time is not None and len(reading.time) >= 4:
        quarter = max(1, len(reading.time) // 4)
        first = float(np.median(reading.time[:quarter]))
        last = float(np.max(reading.time[-quarter:]))
        found["time_ratio"] = first / max(last, 1e-30)
        found["time_steps"] = len(reading.time)
        found["time_total"] = float(np.sqrt((reading.time**2).sum()))
    return found


def _linearity(
    seen: Evidence, model: keras.Model, snapshot: Snapshot, probe: Part
) -> None:
    """Tell whether all hidden layers together make a straight line into a straight one.

    Of two rows and the row halfway between them, what enters the last layer must lie
    halfway, too.
    """
    if seen.facts.get("hidden", 0) < 1 or len(probe) < 4:
        return
    if any(a.dtype.kind not in "fiub" for a in probe.inputs):
        return
    count = len(probe) // 2
    parts = []
    for array in probe.inputs:
        values = array.astype("float32")
        one, other = values[:count], values[count : 2 * count]
        parts.append(np.concatenate([one, other, (one + other) / 2]))
    rows = Part(parts, [], probe.structure, [])
    last = seen.facts.get("output_layer")
    layer = next((one for one in network.leaves(model) if one.name == last), None)
    out = None if layer is None else entering(model, layer, snapshot, rows)
    if out is None:
        return
    out = out.reshape(len(out), -1).astype("float64")
    one, other, between = out[:count], out[count : 2 * count], out[2 * count :]
    scale = np.sqrt(np.mean((one - other) ** 2)) / 2
    if scale > 1e-9 * max(1.0, np.abs(out).max()):
        bend = np.sqrt(np.mean((between - (one + other) / 2) ** 2)) / scale
        seen.facts["bend"] = float(bend)


def _scores(
    seen: Evidence,
    model: keras.Model,
    recording: Recording | None,
    snapshots: list[Snapshot],
    train: Part,
    validation: Part | None,
    targets: list[Target],
) -> None:
    """Score what the network answers, on training and on validation rows."""
    facts = seen.facts
    if not targets:
        return
    finite = [s for s in snapshots if all(np.isfinite(a).all() for a in s.trainable)]
    if not finite:
        return
    last, first = finite[-1], finite[0]
    best = last
    if recording is not None and recording.logs and "val_loss" in recording.logs[0]:
        curve = [log.get("val_loss", np.inf) for log in recording.logs]
        at = int(np.nanargmin(curve)) + 1 if np.isfinite(curve).any() else last.epoch
        best = min(finite, key=lambda s: abs(s.epoch - at))
    part = train.sample(ROWS)
    outs, loss = predictions(model, last, part)
    facts["train_loss_inference"] = loss
    told = {"even": _even(facts), "affine": facts.get("output_loss") == "custom"}
    facts["train_skill"], answers, labels = _skill(outs, part, targets, **told)
    facts |= _answers(answers, labels, outs, targets, part)
    facts["baseline"] = baseline(facts.get("output_loss", ""), part, targets)
    if facts.get("batchnorm"):
        _, by_batch = predictions(model, last, part.sample(PROBES), training=True)
        _, by_average = predictions(model, last, part.sample(PROBES))
        facts["modes_apart"] = (by_average - by_batch) / max(abs(by_batch), 1e-6)
        facts["loss_by_batch"], facts["loss_by_average"] = by_batch, by_average
    _, start_loss = predictions(model, first, part.sample(PROBES))
    facts["start_loss_inference"] = start_loss
    if validation is None:
        return
    rows = validation.sample(ROWS)
    outs, loss = predictions(model, last, rows)
    facts["val_loss_inference"] = loss
    facts["val_skill"], answers, labels = _skill(outs, rows, targets, **told)
    facts["val_surplus"] = _surplus(outs, rows, targets)
    facts |= {
        f"val_{k}": v for k, v in _answers(answers, labels, outs, targets, rows).items()
    }
    facts["val_skill_best"] = facts["val_skill"]
    if best is not last:
        outs, _ = predictions(model, best, rows)
        facts["val_skill_best"] = _skill(outs, rows, targets, **told)[0]
    facts["best_epoch"] = best.epoch


def _even(facts: dict[str, Any]) -> bool:
    """Whether all classes are to count alike, as `fit` was told."""
    return bool(facts.get("class_weight") or facts.get("weighted"))


def _surplus(outs: list[np.ndarray], part: Part, targets: list[Target]) -> float:
    """Return how far the first output beats chance in order; NaN if that is unknown."""
    out, y, target = outs[0], part.targets[0], targets[0]
    if target.kind == "regression" and out.size == y.size and np.isfinite(out).all():
        return surplus(y, out.reshape(y.shape), "regression")
    labels = _as_classes(y, target) if target.labels is not None else None
    if labels is None or not np.isfinite(out).all():
        return float("nan")
    scores = out.reshape(len(out), -1)
    if scores.shape[1] == 1 and target.kind == "binary":
        scores = np.concatenate([-scores, scores], axis=1)
    if scores.shape[1] != len(target.values):
        return float("nan")
    return surplus(labels, scores, target.kind)


def _skill(
    outs: list[np.ndarray],
    part: Part,
    targets: list[Target],
    *,
    even: bool = False,
    affine: bool = False,
) -> tuple[float, np.ndarray | None, np.ndarray | None]:
    """Return the mean skill over outputs, and the first one's answers and labels."""
    found, first = [], (None, None)
    for position, (out, y, target) in enumerate(
        zip(outs, part.targets, targets, strict=False)
    ):
        if target.kind in ("binary", "multiclass"):
            answers, labels = _classes(out, y, target)
            if answers is None:
                continue
            found.append(skill(labels, answers, target.kind, even=even))
            if position == 0:
                first = (answers, labels)
        elif target.kind == "multilabel":
            y = y.reshape(len(y), -1)
            if out.size != y.size:
                continue
            out = out.reshape(y.shape)
            middle = 0.5 if out.min() >= 0 and out.max() <= 1 else 0.0
            each = [
                skill(y[:, i].astype(int), (out[:, i] > middle).astype(int), "binary")
                for i in range(y.shape[1])
            ]
            found.append(float(np.mean(each)))
        elif target.kind == "sequence" and out.ndim == y.ndim + 1:
            counted = np.searchsorted(target.values, y.ravel())
            answers = np.searchsorted(target.values, out.argmax(axis=-1).ravel())
            found.append(skill(counted, answers, "multiclass"))
        elif target.kind == "regression" and out.size == y.size:
            found.append(skill(y, out, "regression", affine=affine))
    return (float(np.mean(found)) if found else float("nan")), *first


def _classes(out: np.ndarray, y: np.ndarray, target: Target) -> tuple:
    """Return answers and labels as classes counted from 0."""
    if target.coding == "one-hot":
        labels = y.argmax(axis=-1)
        if out.shape[-1] == y.shape[-1]:
            return out.argmax(axis=-1), labels
        return None, None
    flat = np.ravel(y)
    if flat.size != len(y):
        return None, None
    labels = np.clip(np.searchsorted(target.values, flat), 0, len(target.values) - 1)
    if out.ndim == 2 and out.shape[1] > 1:
        whole = out.argmax(axis=1)
        if out.shape[1] == len(target.values) and not np.array_equal(
            target.values, np.arange(len(target.values))
        ):
            return whole, labels
        return np.searchsorted(target.values, whole), labels
    if out.size == len(y) and target.kind == "binary":
        scores = np.ravel(out)
        low, high = target.values[:2]
        if np.nanmin(scores) >= 0 and np.nanmax(scores) <= 1:
            return (scores > 0.5).astype(int), labels
        middle = (
            0.0
            if (low, high) != (0, 1)
            else (
                0.5
                if abs(np.nanmedian(scores) - 0.5) < 0.5 and np.nanstd(scores) < 1
                else 0.0
            )
        )
        return (scores > middle).astype(int), labels
    if out.size == len(y):
        nearest = np.abs(np.ravel(out)[:, None] - target.values[None]).argmin(axis=1)
        return nearest, labels
    return None, None


def _answers(
    answers: np.ndarray | None,
    labels: np.ndarray | None,
    outs: list[np.ndarray],
    targets: list[Target],
    part: Part,
) -> dict[str, float]:
    """Describe the answers: how many are the same, what becomes of the rare class."""
    found: dict[str, float] = {}
    out = outs[0].reshape(len(outs[0]), -1)
    spread = out.std(axis=0)
    found["answers_spread"] = float(spread.max())
    if answers is None:
        target = targets[0]
        if target.kind == "regression" and out.size == part.targets[0].size:
            y = part.targets[0].reshape(len(out), -1)
            found["answers_relative"] = float(np.mean(spread) / max(y.std(), 1e-9))
        return found
    classes = targets[0].classes
    counts = np.bincount(answers, minlength=classes)
    found["answers_commonest"] = float(counts.max() / len(answers))
    present = [c for c in range(classes) if (labels == c).sum() >= 3]
    recall = {c: float(np.mean(answers[labels == c] == c)) for c in present}
    if recall:
        rare = min(present, key=lambda c: int((labels == c).sum()))
        found["rare_recall"] = recall[rare]
        found["balanced"] = float(np.mean(list(recall.values())))
        found["worst_recall"] = min(recall.values())
    order = np.arange(len(answers))
    right = answers == labels
    fifth = max(1, len(order) // 5)
    found["recency"] = float(right[-fifth:].mean() - right[:fifth].mean())
    return found


def baseline(loss: str, part: Part, targets: list[Target]) -> float:
    """Return the loss of the best constant answer; NaN where it is not known."""
    target, y = targets[0], part.targets[0]
    if len(targets) > 1:
        return float("nan")
    if "crossentropy" in loss and target.labels is not None and target.coding != "text":
        labels = describe_target(y).labels
        if labels is None:
            return float("nan")
        share = np.bincount(labels) / len(labels)
        share = share[share > 0]
        entropy = float(-(share * np.log(share)).sum())
        if loss == "binary_crossentropy" and target.coding == "one-hot":
            p = np.asarray(y, "float64").mean(axis=0).clip(1e-9, 1 - 1e-9)
            return float(np.mean(-p * np.log(p) - (1 - p) * np.log(1 - p)))
        return entropy
    if "crossentropy" in loss and target.kind == "sequence":
        share = np.unique(y, return_counts=True)[1] / y.size
        return float(-(share * np.log(share)).sum())
    if y.dtype.kind not in "fiub":
        return float("nan")
    values = y.reshape(len(y), -1).astype("float64")
    if loss == "mean_squared_error":
        return float(np.mean(values.var(axis=0)))
    if loss == "mean_absolute_error":
        return float(np.mean(np.abs(values - np.median(values, axis=0))))
    if loss == "binary_crossentropy":
        p = values.mean(axis=0).clip(1e-9, 1 - 1e-9)
        return float(np.mean(-p * np.log(p) - (1 - p) * np.log(1 - p)))
    return float("nan")


def _attainable(
    seen: Evidence,
    model: keras.Model,
    train: Part,
    validation: Part | None,
    targets: list[Target],
) -> None:
    """Let simple learners try the same rows."""
    if not targets or targets[0].kind not in ("binary", "multiclass", "regression"):
        return
    target, kind = targets[0], targets[0].kind
    tokens = token_inputs(train, model)
    rows = train.sample(ROWS)
    y = _as_classes(rows.targets[0], target)
    x = features(rows.inputs, tokens)
    if (
        not x.shape[1]
        or y is None
        or not np.isfinite(y).all()
        or (kind != "regression" and len(np.unique(y)) < 2)
    ):
        return
    other = None
    if validation is not None and validation.targets:
        chosen = validation.sample(ROWS)
        yv = _as_classes(chosen.targets[0], target)
        both = features(
            [
                np.concatenate(pair)
                for pair in zip(rows.inputs, chosen.inputs, strict=True)
            ],
            tokens,
        )
        x, xv = both[: len(rows)], both[len(rows) :]
        if yv is not None and np.isfinite(yv).all():
            other = (xv, yv)
    found = reference((x, y), other, kind, even=_even(seen.facts))
    seen.facts |= {
        "reference_surplus": found.surplus,
        "reference": found.skill,
        "reference_linear": found.linear,
        "reference_within": found.within,
        "reference_within_val": found.within_validation,
        "sure_error": found.sure_error,
        "sure_error_val": found.sure_error_validation,
        "reference_error": found.error,
    }
    flat = rows.flat()
    if not any(tokens):
        column, alone, likeness = one_column(np.nan_to_num(flat), y, kind)
        seen.facts |= {
            "one_column": column,
            "one_column_skill": alone,
            "one_column_likeness": likeness,
        }
        if column >= 0 and flat.shape[1] > 1:
            rest = np.delete(np.nan_to_num(flat), column, axis=1)
            if rest.shape[1] <= 400:
                seen.facts["second_column_skill"] = one_column(rest, y, kind)[1]


def _as_classes(y: np.ndarray, target: Target) -> np.ndarray | None:
    if target.kind == "regression":
        values = y.reshape(len(y), -1)
        if values.shape[1] > 32:
            return None
        return values[:, 0] if values.shape[1] == 1 else values
    if y.dtype.kind not in "fiub":
        return None
    if target.coding == "one-hot":
        return y.argmax(axis=-1)
    flat = np.ravel(y)
    if len(flat) != len(y):
        return None
    return np.clip(np.searchsorted(target.values, flat), 0, len(target.values) - 1)
