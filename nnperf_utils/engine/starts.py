"""Where a network starts: built from a seed, or drawn anew for another one.

It may also be taken, layer by layer, from a network that was trained before.

Keras takes 15 to 50 ms to build a network, and nearly all of it goes into bookkeeping
that is the same for every seed. What the seed decides are the values that Keras draws
for the weights. `Recipe` notes how these were drawn and draws them for another seed,
bit for bit as building the network would.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import keras
import numpy as np

from nnperf_utils.engine.private import (
    RandomInitializer,
    eager_context,
    global_state,
    random_seed,
    seed_generator,
)
from nnperf_utils.seeds import shifted

State = dict[str, list]

_KERAS_STATE = ("object_name_uids", "global_random_seed", "global_seed_generator")


@contextmanager
def preserved_random_state() -> Iterator[None]:
    """Leave the random states and name counters as they were found."""
    context = eager_context.context()
    python, numpy = random.getstate(), np.random.get_state()
    tensorflow = context._seed, getattr(context, "_rng", None)
    kept = {name: global_state.get_global_attribute(name) for name in _KERAS_STATE}
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        context._seed, context._rng = tensorflow
        for name, value in kept.items():
            global_state.set_global_attribute(name, value)


Places = dict[str, list[tuple[str, int]]]


def places_of_layers(model: keras.Model) -> Places:
    """Tell for each layer where its weights stand in a state: role and position.

    The weights are in Keras's order, whether the layer is frozen or not.
    """
    where = {
        id(variable): (role, position)
        for role in ("trainable", "non_trainable")
        for position, variable in enumerate(getattr(model, f"{role}_variables"))
    }
    return {
        layer.name: [where[id(weight)] for weight in layer.weights]
        for layer in model.layers
        if layer.weights
    }


def begun_from(
    state: State, places: Places, start: Mapping[str, Sequence[np.ndarray]] | None
) -> State:
    """Put given weights in the place of those that were drawn.

    Parameters
    ----------
    state : State
        Left as it is.
    places : Places
        Of a network of the same form.
    start : mapping of str to sequence of array, or None
        By layer its weights in Keras's order; other layers keep theirs.

    Raises
    ------
    TypeError, ValueError
        If it is no mapping, there is no such layer, or its weights have other shapes.
    """
    if start is None:
        return state
    if not isinstance(start, Mapping):
        raise TypeError(
            "start must hold for each seed a dictionary from a layer's name to its "
            f"weights, as Runs.weights returns it; got {type(start).__name__}."
        )
    begun = {role: list(values) for role, values in state.items()}
    for name, weights in start.items():
        if name not in places:
            raise ValueError(
                f"start has the layer {name!r}; the network's layers with weights are "
                f"{', '.join(places)}."
            )
        own = [state[role][position] for role, position in places[name]]
        shapes = [tuple(np.shape(weight)) for weight in weights]
        if shapes != [value.shape for value in own]:
            raise ValueError(
                f"start has weights of shapes {shapes} for the layer {name!r}; its own "
                f"are {[value.shape for value in own]}."
            )
        for (role, position), weight in zip(places[name], weights, strict=True):
            value = np.asarray(weight, state[role][position].dtype)
            begun[role][position] = value
    return begun


@dataclass
class Recording:
    """What was drawn while a network was built."""

    seed: int
    draws: list[int] = field(default_factory=list)  # Keras's seeds, in their order
    # With the variables themselves, so that their ids stay theirs.
    initializers: dict[int, tuple[Any, Callable]] = field(default_factory=dict)
    only_keras_drew: bool = False


def build_model(build: Callable[[], keras.Model], seed: int) -> keras.Model:
    """Call `build` as a reader would in a fresh session with that seed."""
    return recorded_build(build, seed)[0]


def recorded_build(
    build: Callable[[], keras.Model], seed: int
) -> tuple[keras.Model, Recording]:
    """Call `build` like `build_model`, and note what is drawn."""
    # Fresh counters give the layers the same names in every replica.
    global_state.set_global_attribute("object_name_uids", None)
    recording = Recording(seed)
    seed = shifted(seed)
    own = random.Random(seed)
    set_seed, get_seed = random.seed, random_seed.get_seed
    initialize = keras.Variable._initialize_with_initializer
    used_tensorflow = False

    def seed_both(*args: Any, **kwargs: Any) -> None:
        own.seed(*args, **kwargs)
        set_seed(*args, **kwargs)

    def get_fresh_seed(op_seed: int | None) -> tuple:
        # TensorFlow's own random operations go on where an earlier build with this
        # seed has left them, unless their kernels are dropped.
        nonlocal used_tensorflow
        if not used_tensorflow:
            eager_context.context().clear_kernel_cache()
            used_tensorflow = True
        return get_seed(op_seed)

    def note(variable: keras.Variable, initializer: Callable) -> None:
        recording.initializers[id(variable)] = (variable, initializer)
        initialize(variable, initializer)

    with ExitStack() as patches:
        for target, name, replacement in (
            # Keras takes its seeds from Python's generator, from which other threads
            # may draw in between: a draw of theirs would give another start.
            (seed_generator, "python_random", own),
            (random, "seed", seed_both),
            (random_seed, "get_seed", get_fresh_seed),
            (keras.Variable, "_initialize_with_initializer", note),
        ):
            patches.enter_context(mock.patch.object(target, name, replacement))
        context = eager_context.context()
        random.seed(seed)
        np.random.seed(seed)
        global_state.set_global_attribute("global_random_seed", seed)
        global_state.set_global_attribute("global_seed_generator", None)
        context._seed, context._rng = seed, random.Random(seed)
        before = _generators()
        model = build()
        recording.only_keras_drew = (
            not used_tensorflow
            and _generators() == before
            and global_state.get_global_attribute("global_seed_generator") is None
        )
    replayed, drawn = random.Random(seed), own.getstate()
    while replayed.getstate() != drawn:
        if len(recording.draws) == _MOST_DRAWS:
            recording.only_keras_drew = False  # something else drew, or set a seed
            break
        recording.draws.append(_draw(replayed))
    return model, recording


_MOST_DRAWS = 1_000


def _draw(generator: random.Random) -> int:
    """Draw a seed as Keras's `make_default_seed` does."""
    return generator.randint(1, int(1e9))


def _generators() -> tuple:
    """Return the states of the generators that a `build` may use beside Keras's."""
    _, keys, *place = np.random.get_state()
    return random.getstate(), keys.tobytes(), *place


class Recipe:
    """How to draw a network's starting state for another seed.

    Use `of` to make one, and `prove` before you rely on it.
    """

    def __init__(
        self,
        sources: dict[str, list[Callable[[list[int]], np.ndarray]]],
        recording: Recording,
        key: Any,
    ):
        self.key, self.is_proven = key, False
        self._sources = sources
        self._seed, self._draws = recording.seed, len(recording.draws)
        self._states: dict[int, State] = {}

    @classmethod
    def of(
        cls, model: keras.Model, state: State, recording: Recording, key: Any
    ) -> Recipe | None:
        """Find the recipe of a network.

        Parameters
        ----------
        model : keras.Model
            As built, and completed.
        state : dict of lists of numpy.ndarray
            Its values by role: ``trainable``, ``non_trainable``, ``optimizer``.
        recording : Recording
            Of its build.
        key : object
            What else must be the same for all seeds.

        Returns
        -------
        Recipe or None
            None if other things than Keras's initializers drew, or a seed was drawn
            twice.
        """
        draws = recording.draws
        if not recording.only_keras_drew or len(set(draws)) < len(draws):
            return None
        place = {seed: i for i, seed in enumerate(draws)}
        variables = {
            "trainable": model.trainable_variables,
            "non_trainable": model.non_trainable_variables,
            "optimizer": model.optimizer.variables,
        }
        sources = {
            role: [
                cls._source(variable, value, place, recording)
                for variable, value in zip(variables[role], values, strict=True)
            ]
            for role, values in state.items()
        }
        return cls(sources, recording, key)

    @staticmethod
    def _source(
        variable: keras.Variable, value: np.ndarray, place: dict, recording: Recording
    ) -> Callable[[list[int]], np.ndarray]:
        """Return a function from the draws to a variable's value."""
        _, initializer = recording.initializers.get(id(variable), (None, None))
        if isinstance(initializer, RandomInitializer) and initializer.seed in place:
            reseeded, at = copy.copy(initializer), place[initializer.seed]

            def drawn(draws: list[int]) -> np.ndarray:
                reseeded.seed = draws[at]
                return np.asarray(reseeded(variable.shape, dtype=variable.dtype))

            return drawn
        if value.shape == (2,) and value[1] == 0 and int(value[0]) in place:
            at = place[int(value[0])]  # the state of a dropout layer's generator
            return lambda draws: np.array([draws[at], 0], value.dtype)
        return lambda draws: value

    def state(self, seed: int) -> State:
        """Return the starting state of the network from another seed."""
        if seed not in self._states:
            generator = random.Random(shifted(seed))
            draws = [_draw(generator) for _ in range(self._draws)]
            self._states[seed] = {
                role: [source(draws) for source in sources]
                for role, sources in self._sources.items()
            }
        return self._states[seed]

    def prove(self, state: State, recording: Recording, key: Any) -> bool:
        """Tell whether it gives what building the network from another seed gave."""
        other_seed = recording.seed != self._seed
        self.is_proven = other_seed and self.fits(state, recording, key)
        return self.is_proven

    def fits(self, state: State, recording: Recording, key: Any) -> bool:
        """Tell whether it gives what a build gave, of this network or of its like.

        Networks that differ in numbers such as a dropout rate start alike.
        """
        return (
            key == self.key
            and recording.only_keras_drew
            and len(recording.draws) == self._draws
            and all(
                np.array_equal(drawn, built)
                for role, values in self.state(recording.seed).items()
                for drawn, built in zip(values, state[role], strict=True)
            )
        )
