"""Which cells can share a graph, and where each replica starts."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import tree

from nnperf_utils.engine import numbers, private, rates, starts
from nnperf_utils.engine.work import Cell, Task, Work, checked_targets, head

# Recurrent layers vectorize without XLA only; XLA's convolutions and the gradients of
# its pooling are slow on a CPU.
_NOT_FOR_XLA = (
    keras.layers.RNN,
    keras.layers.Bidirectional,
    *(
        getattr(keras.layers, f"{kind}{dimensions}D{suffix}")
        for kind, dimensions, suffix in (
            *(("Conv", d, s) for d in (1, 2, 3) for s in ("", "Transpose")),
            *(("MaxPooling", d, "") for d in (1, 2, 3)),
            *((k, d, "") for k in ("DepthwiseConv", "SeparableConv") for d in (1, 2)),
        )
    ),
)


@dataclass
class Group:
    """Cells that share a graph, and their state, stacked in the cells' order.

    Where the replicas are trained on several data sets, ``state["data"]`` says for
    each which of `tasks` is its own; ``state["targets"]``, until they are trained,
    what each learns, where that is not the labels.
    """

    cells: list[Cell]
    tasks: list[Task]  # of one form
    key: Any
    state: dict[str, list[np.ndarray]]
    varying: list[int]  # positions of the numbers that differ between the cells
    layers_against_xla: bool
    draws_in_training: bool  # dropout and the like
    iterations: int  # where the optimizer's variables have the count of updates
    learning_rate: int | None  # and where the rate, if it has no schedule
    first_two: dict[str | None, list[list[np.ndarray]]]  # starts of each variant
    model: keras.Model | None = None  # of the first cell, until a program takes it

    @property
    def task(self) -> Task:
        """Return one of the tasks, for what all of them have in common."""
        return self.tasks[0]

    def take(self, indices: Sequence[int]) -> dict[str, list[np.ndarray]]:
        """Return the state of some of the replicas."""
        return {k: [a[indices] for a in v] for k, v in self.state.items()}


@dataclass
class _Found:
    """The cells of one graph, as they are found."""

    model: keras.Model
    places: starts.Places
    cells: list[Cell] = field(default_factory=list)
    states: list[starts.State] = field(default_factory=list)
    numbers: list[list[float]] = field(default_factory=list)

    def add(self, cell: Cell, state: starts.State, values: list[float]) -> None:
        self.cells.append(cell)
        self.states.append(starts.begun_from(state, self.places, cell.start))
        self.numbers.append(values)


def grouped(
    cells: list[Cell], work: Work, on_first: Callable[[Group], None] | None = None
) -> list[Group]:
    """Sort the cells by the graph that they need, each with its starting state.

    Of networks that one `build` makes, two are built, or one where networks that
    differ in numbers alone have been seen to start in the same way. Where that shows
    that the seed decides Keras's draws alone, the others' states are drawn as Keras
    would.

    Parameters
    ----------
    cells : list of Cell
    work : Work
    on_first : callable, optional
        Where all cells are of one build and one form of data, they will most likely
        share a graph: it is called with a group of that form as soon as the first
        network is there, while the others are still to be built.
    """
    alike = len({(id(c.build), work.tasks[c.task].form) for c in cells}) == 1
    begin = on_first if alike and len(cells) > 1 else None
    found: dict[Any, _Found] = {}
    first_shapes: dict[Any, tuple] = {}
    # by build and form of data; None where the starts cannot be drawn
    recipes: dict[Any, tuple[starts.Recipe, list[float]] | None] = {}
    proven: dict[Any, list[starts.Recipe]] = {}  # by graph
    with starts.preserved_random_state():
        for cell in cells:
            task = work.tasks[cell.task]
            of_build = (id(cell.build), task.form)
            recipe, values = recipes.get(of_build) or (None, [])
            if recipe and recipe.is_proven:
                place = (recipe.key, task.form)
                found[place].add(cell, recipe.state(cell.seed), values)
                continue
            model, recording = starts.recorded_build(cell.build, cell.seed)
            _check_model(model, cell, task)
            complete(model, head(task.train))
            variable_shapes = shapes(model)
            like = (cell.variant, cell.point, task.form)
            seed, first = first_shapes.setdefault(like, (cell.seed, variable_shapes))
            if variable_shapes != first:
                raise ValueError(
                    f"build returned differently shaped networks for seeds {seed} and "
                    f"{cell.seed}; the seed may change where the weights start, not "
                    "the architecture."
                )
            described = signature(model)
            key = described or (id(cell.build), repr(variable_shapes))
            state = {
                "trainable": [v.numpy() for v in model.trainable_variables],
                "non_trainable": [v.numpy() for v in model.non_trainable_variables],
                "optimizer": [v.numpy() for v in model.optimizer.variables],
            }
            own = [n.value for n in numbers.find_numbers(model)]
            place = (key, task.form)
            if place not in found:
                found[place] = _Found(model, starts.places_of_layers(model))
            found[place].add(cell, state, own)
            if of_build not in recipes and described:
                alike = (
                    r for r in proven.get(key, ()) if r.fits(state, recording, key)
                )
                new = next(alike, None)
                new = new or starts.Recipe.of(model, state, recording, key)
                recipes[of_build] = new and (new, own)
            elif recipe:
                if own == values and recipe.prove(state, recording, key):
                    proven.setdefault(key, []).append(recipe)
                else:
                    recipes[of_build] = None
            if begin is not None:
                # The others' states will have the same shapes.
                all_of_them = _Found(
                    model, found[place].places, cells, [state] * len(cells)
                )
                all_of_them.numbers = [own] * len(cells)
                begin(_group(key, all_of_them, work))
                begin = None
    return [_group(key, of, work) for (key, _), of in found.items()]


def _group(key: Any, found: _Found, work: Work) -> Group:
    model, cells = found.model, found.cells
    used = list(dict.fromkeys(cell.task for cell in cells))
    tasks = [work.tasks[position] for position in used]
    for task in tasks:
        _check_labels(model, task)
    own = np.array(found.numbers, np.float32)
    varying = [i for i in range(own.shape[1]) if np.unique(own[:, i]).size > 1]
    constant = tuple(np.delete(own[0], varying).tolist())
    state = {
        role: [
            np.stack(arrays)
            for arrays in zip(*(start[role] for start in found.states), strict=True)
        ]
        for role in found.states[0]
    }
    state["numbers"] = [own[:, i] for i in varying]
    if any(cell.targets is not None for cell in cells):
        own_targets = (checked_targets(c.targets, work.tasks[c.task]) for c in cells)
        state["targets"] = [
            np.stack(
                [
                    work.tasks[cell.task].train[1] if given is None else given
                    for cell, given in zip(cells, own_targets, strict=True)
                ]
            )
        ]
    if len(tasks) > 1:
        state["data"] = [np.array([used.index(c.task) for c in cells], np.int32)]
    layers = private.flatten_layers(model)
    return Group(
        cells=list(cells),
        tasks=tasks,
        key=(key, constant, tuple(varying)),
        state=state,
        varying=varying,
        layers_against_xla=any(isinstance(layer, _NOT_FOR_XLA) for layer in layers),
        draws_in_training=any(private.seed_generators(layer) for layer in layers),
        iterations=_position(model.optimizer, model.optimizer.iterations),
        learning_rate=_position(model.optimizer, model.optimizer.learning_rate),
        first_two=_first_two(found),
        model=model,
    )


def _position(optimizer: keras.Optimizer, wanted: Any) -> int | None:
    """Return where a variable stands among an optimizer's; None where it does not."""
    places = [i for i, own in enumerate(optimizer.variables) if own is wanted]
    return places[0] if places else None


def _first_two(found: _Found) -> dict[str | None, list[list[np.ndarray]]]:
    """Return for each variant the weights from which its first two seeds start."""
    first: dict[str | None, dict[int, list[np.ndarray]]] = {}
    for cell, start in zip(found.cells, found.states, strict=True):
        of_variant = first.setdefault(cell.variant, {})
        if len(of_variant) < 2:
            of_variant.setdefault(cell.seed, start["trainable"])
    return {variant: list(of.values()) for variant, of in first.items()}


# --------------------------------------------------------------------------------------
# What tells graphs apart
# --------------------------------------------------------------------------------------


def complete(model: keras.Model, batch: tuple) -> None:
    """Create the variables that Keras leaves to the first call of `fit`."""
    layers = private.flatten_layers(model)
    for layer in layers:
        # At rate zero Keras makes no generator, which would set the model apart from
        # its likes at another rate.
        if type(layer) in numbers.NOISES and not hasattr(layer, "seed_generator"):
            layer._tracker.unlock()
            layer.seed_generator = keras.random.SeedGenerator(0)
            layer._tracker.lock()
    if not all(layer.built for layer in layers):
        private.symbolic_build(model, batch)


def shapes(model: keras.Model) -> list[tuple]:
    """Shape, type and role of each variable of a model."""
    return [
        (tuple(v.shape), str(v.dtype), trainable)
        for trainable, variables in (
            (True, model.trainable_variables),
            (False, model.non_trainable_variables),
        )
        for v in variables
    ]


def signature(model: keras.Model) -> str | None:
    """Describe all of a model that its graph depends on, but for its numbers.

    None where the model has parts that are not Keras's own: their configuration need
    not tell what they do.
    """
    found = numbers.find_numbers(model)
    owners = [id(n.owner) for n in found]
    try:
        with numbers.assigned(found, [0.5] * len(found)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nothing is going to be saved
            config = keras.saving.serialize_keras_object(model)
    except Exception:  # whatever a layer without get_config raises
        return None
    if numbers.schedule_of(model.optimizer) is None:
        _drop(config, "learning_rate")
    if not _is_pure_keras(config):
        return None
    config = _without_start(config)
    sharing = [owners.index(o) for o in owners]
    names = [(type(n.owner).__name__, n.attribute) for n in found]
    return json.dumps([config, names, sharing, shapes(model)], default=str)


def _drop(config: dict, key: str) -> None:
    optimizer = (config.get("compile_config") or {}).get("optimizer")
    if isinstance(optimizer, dict):
        optimizer.get("config", {}).pop(key, None)


def _is_pure_keras(config: Any) -> bool:
    if isinstance(config, dict):
        # Keras registers some classes of its own, Functional among them.
        module, name = str(config.get("module")), config.get("registered_name")
        if name and not module.startswith("keras.") and name not in numbers.OWN_LAYERS:
            return False
        if config.get("class_name") in ("function", "__lambda__"):
            return False
        return all(map(_is_pure_keras, config.values()))
    if isinstance(config, list | tuple):
        return all(map(_is_pure_keras, config))
    return True


def _without_start(config: Any) -> Any:
    """Drop what decides only where the weights start and what the noise draws."""
    if isinstance(config, dict):
        if config.get("module") == "keras.initializers":
            return None
        return {k: _without_start(v) for k, v in config.items() if k != "seed"}
    if isinstance(config, list | tuple):
        return [_without_start(v) for v in config]
    return config


# --------------------------------------------------------------------------------------
# Checks of the networks
# --------------------------------------------------------------------------------------


def _check_model(model: Any, cell: Cell, task: Task) -> None:
    of = "" if cell.variant is None else f" of variant {cell.variant!r}"
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"build{of} must return a compiled Keras model, not "
            f"{'None' if model is None else f'a {type(model).__name__}'}."
        )
    if not model.compiled or model.optimizer is None:
        raise ValueError(
            f"build{of} returned a model that is not compiled; call its compile() "
            "before returning it."
        )
    if type(model).train_step is not keras.Model.train_step:
        raise ValueError(
            f"build{of} returned a {type(model).__name__}, which has a train_step of "
            "its own; only Keras's own training step can be replicated."
        )
    for option in ("gradient_accumulation_steps", "ema_overwrite_frequency"):
        if getattr(model.optimizer, option, None):
            raise ValueError(
                f"build{of} returned a model whose optimizer has {option}, which "
                "cannot be replicated."
            )
    if cell.callback is not None:
        rates.checked_callback(cell)
    if cell.callback is not None and numbers.schedule_of(model.optimizer) is not None:
        raise ValueError(
            f"build{of} returned a model whose optimizer has a learning-rate schedule, "
            "so its callback cannot set the rate; give it one of the two."
        )
    if not model.trainable_variables and model.built:
        raise ValueError(f"build{of} returned a model without trainable weights.")
    parts = {"training": task.train, **_watched_parts(task)}
    for name, (x, *_) in parts.items():
        check_inputs(model, x, f"the network of build{of}", f"the {name} inputs")


def check_inputs(model: keras.Model, x: Any, network: str, inputs: str) -> None:
    """Refuse inputs whose shape is not the one that a network was built for.

    Parameters
    ----------
    model : keras.Model
        One that does not say what it takes, such as a subclassed one, passes.
    x : nest of arrays
    network, inputs : str
        What the two are called in the message.
    """
    try:
        wanted = [tuple(tensor.shape) for tensor in tree.flatten(model.inputs or [])]
    except (AttributeError, ValueError):
        return
    given = [tuple(np.shape(a)) for a in tree.flatten(x)]
    if wanted and len(wanted) != len(given):
        raise ValueError(
            f"{network} takes {len(wanted)} inputs, but {inputs} are {len(given)}."
        )
    for want, have in zip(wanted, given, strict=bool(wanted)):
        # Keras adds or drops a last axis of length one by itself.
        plain = [tuple(s)[1:] for s in (want, have)]
        plain = [s[:-1] if s and s[-1] == 1 else s for s in plain]
        fits = len(plain[0]) == len(plain[1]) and all(
            w in (None, h) for w, h in zip(*plain, strict=True)
        )
        if not fits:
            raise ValueError(
                f"{network} takes inputs of shape {want[1:]} each, but {inputs} are of "
                f"shape {have[1:]}."
            )


def _watched_parts(task: Task) -> dict[str, tuple]:
    """Return the parts that are scored, by the names that a reader knows."""
    names = {"val": "validation"}
    return {names.get(name, name): part for name, part in task.watched.items()}


def _check_labels(model: keras.Model, task: Task) -> None:
    """Check the labels against outputs and loss, as far as these are plain."""
    loss = getattr(model.loss, "name", None) or getattr(
        model.loss, "__name__", model.loss
    )
    parts = {"training": task.train, **_watched_parts(task)}
    try:
        count = len(model.outputs)
    except (AttributeError, TypeError, ValueError):
        return  # a subclassed model: Keras's own checks must do
    for name, (_, labels, *_) in parts.items():
        if count > 1 and len(tree.flatten(labels)) != count:
            given = len(tree.flatten(labels))
            raise ValueError(
                f"the network has {count} outputs, but the {name} labels are {given} "
                f"array{'s' if given > 1 else ''}; give one for each output."
            )
    outputs = model.outputs[0].shape[-1] if model.outputs[0].shape else None
    if count > 1 or not isinstance(outputs, int):
        return
    for name, (_, labels, *_) in parts.items():
        if isinstance(labels, np.ndarray):
            _check_labels_of(name, labels, str(loss), outputs)


def _check_labels_of(name: str, labels: np.ndarray, loss: str, outputs: int) -> None:
    """Check the labels of one part against a loss and the number of outputs."""
    low, high = labels.min(), labels.max()
    if loss == "sparse_categorical_crossentropy":
        if low < 0 or high >= outputs or np.any(labels != np.round(labels)):
            raise ValueError(
                f"the {name} labels run from {low} to {high}, but {loss} with "
                f"{outputs} outputs takes whole numbers from 0 to {outputs - 1}."
            )
        return
    if loss in ("categorical_crossentropy", "kl_divergence"):
        if labels.shape[-1] != outputs or labels.ndim < 2:
            raise ValueError(
                f"the {name} labels have shape {labels.shape}, but {loss} takes a "
                f"column for each of the {outputs} outputs."
            )
    elif loss == "binary_crossentropy" and (low < 0 or high > 1):
        raise ValueError(
            f"the {name} labels run from {low} to {high}, but {loss} takes labels "
            "from 0 to 1."
        )
    columns = labels.shape[-1] if labels.ndim > 1 else 1
    if columns != outputs:
        raise ValueError(
            f"the {name} labels have shape {labels.shape}, but the network has "
            f"{outputs} outputs."
        )
