"""Small builders of ordinary, compiled Keras models.

Each builder takes a data set and the knobs that the course turns, and returns a
compiled :class:`keras.Model`. The output layer, the loss and the metric follow from
the data's task:

==============  ====================  ===================================  ============
task            output                loss                                 metric
==============  ====================  ===================================  ============
``binary``      1 unit, sigmoid       ``binary_crossentropy``              ``accuracy``
``multiclass``  one unit per class,   ``sparse_categorical_crossentropy``  ``accuracy``
                softmax
the same, as    the same              ``categorical_crossentropy``         ``accuracy``
                shares of classes
``regression``  one unit per target,  ``mse``                              ``mae``
                linear
==============  ====================  ===================================  ============

Nothing is seeded here: call ``keras.utils.set_random_seed(seed)`` before a builder to
fix the weights that it starts from.
"""

from collections.abc import Callable, Sequence
from numbers import Integral, Real

import keras

__all__ = ["Temperature", "cnn", "mlp", "rnn"]

_TASKS = {
    "binary": ("sigmoid", "binary_crossentropy", "accuracy"),
    "multiclass": ("softmax", "sparse_categorical_crossentropy", "accuracy"),
    "regression": ("linear", "mse", "mae"),
}
_SHARES = ("softmax", "categorical_crossentropy", "accuracy")
_NORMALIZATIONS = {
    "batch": keras.layers.BatchNormalization,
    "layer": keras.layers.LayerNormalization,
}
_CELLS = {
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "simple": keras.layers.SimpleRNN,
}


@keras.saving.register_keras_serializable("nnperf_utils")
class Temperature(keras.layers.Layer):
    """Divide the numbers before a softmax by a temperature.

    Above 1 it makes the shares that come out more even, below 1 less; the order of the
    classes stays. Networks that differ in it alone train in one graph.

    Parameters
    ----------
    temperature : float
        Above 0.
    """

    def __init__(self, temperature: float = 1.0, **knobs):
        super().__init__(**knobs)
        if not isinstance(temperature, Real) or not 0 < temperature < float("inf"):
            raise ValueError(
                f"temperature is {temperature!r}; expected a number above 0."
            )
        self.temperature = float(temperature)

    def call(self, inputs):
        """Return the inputs, divided."""
        return inputs / self.temperature

    def get_config(self):
        """Return what the layer is made from."""
        return super().get_config() | {"temperature": self.temperature}


def mlp(
    data,
    *,
    hidden_layers: int = 2,
    units: int | Sequence[int] = 64,
    activation: str | Callable | keras.layers.Layer | None = "relu",
    kernel_initializer="glorot_uniform",
    normalization: str | None = None,
    residual: bool = False,
    dropout: float = 0.0,
    kernel_regularizer=None,
    optimizer="adam",
    learning_rate=None,
) -> keras.Model:
    """Build a fully connected network, compiled.

    A hidden layer computes, in this order: dense, normalization, activation, dropout.
    Inputs of more than one axis (images, sequences) are flattened first.

    Parameters
    ----------
    data : Dataset
        What the network is for; only ``input_shape``, ``output_units`` and ``task``
        are read.
    hidden_layers : int
        Number of hidden layers, 0 for a linear model. Ignored where `units` is a
        sequence.
    units : int or sequence of int
        Units of every hidden layer, or of each one in turn.
    activation : str, callable, keras.layers.Layer or None
        Activation of the hidden layers. A layer (``keras.layers.PReLU()``) is copied
        for each hidden layer, so that none shares weights. ``None`` is linear.
    kernel_initializer : str or keras.initializers.Initializer
        Initial weights of the hidden layers. The output layer keeps Keras's default,
        since it has another activation.
    normalization : {None, "batch", "layer"}
        Normalization between a hidden layer's product and its activation. The dense
        layer then has no bias with ``"batch"``, which would cancel it.
    residual : bool
        Add each hidden layer's input to its output, from the second hidden layer on.
        Needs hidden layers of one width.
    dropout : float
        Dropout rate after each hidden layer, in [0, 1). With 0 there is no such layer.
    kernel_regularizer : str or keras.regularizers.Regularizer, optional
        Penalty on the weights (not the biases) of all layers, the output included.
    optimizer : str or keras.optimizers.Optimizer
        A name, or an optimizer that is copied, so that no two models share its state.
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule, optional
        Replaces the optimizer's own learning rate.

    Returns
    -------
    keras.Model
        Compiled. Layers are named ``hidden_1``, ``hidden_1_normalization``,
        ``hidden_1_activation``, ``dropout_1``, ``add_1``, ..., ``output``.

    Raises
    ------
    TypeError, ValueError
        For a knob that does not fit, in one sentence that names it.

    Examples
    --------
    >>> model = mlp(load_diabetes(), hidden_layers=5, activation="sigmoid")
    """
    input_shape, output_units, task = _described(data)
    widths = _widths(units, hidden_layers)
    if residual and len(set(widths)) > 1:
        raise ValueError(
            f"residual=True adds a layer's input to its output, so all hidden layers "
            f"need the same number of units; units is {widths}."
        )
    _check_common(dropout, normalization)

    inputs = keras.Input(input_shape, name="input")
    x = (
        inputs
        if len(input_shape) == 1
        else keras.layers.Flatten(name="flatten")(inputs)
    )
    for number, width in enumerate(widths, start=1):
        block_input = x
        x = _hidden(
            x,
            keras.layers.Dense,
            width,
            name=f"hidden_{number}",
            activation=activation,
            normalization=normalization,
            kernel_initializer=_copied_initializer(kernel_initializer),
            kernel_regularizer=_regularizer(kernel_regularizer),
        )
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
        if residual and number > 1:
            x = keras.layers.Add(name=f"add_{number}")([block_input, x])
    return _compiled(
        "mlp",
        inputs,
        x,
        output_units,
        task,
        kernel_regularizer,
        optimizer,
        learning_rate,
    )


def cnn(
    data,
    *,
    filters: Sequence[int] = (16, 32),
    kernel_size: int = 3,
    pool_size: int = 2,
    units: int | Sequence[int] = 64,
    activation: str | Callable | keras.layers.Layer | None = "relu",
    kernel_initializer="glorot_uniform",
    normalization: str | None = None,
    dropout: float = 0.0,
    kernel_regularizer=None,
    optimizer="adam",
    learning_rate=None,
) -> keras.Model:
    """Build a small convolutional network, compiled.

    Each block computes, in this order: convolution (same padding), normalization,
    activation, max pooling. One or more dense layers follow, with dropout before each
    of them and before the output.

    Parameters
    ----------
    data : Dataset
        Images, ``input_shape`` (height, width, channels), or sequences, (steps,
        features), for which convolution and pooling have one dimension.
    filters : sequence of int
        Filters of each convolution in turn.
    kernel_size, pool_size : int
        Extent of a filter and of a pooling window, in pixels or steps. A
        `pool_size` of 1 does without pooling.
    units : int or sequence of int
        Units of the dense layers after the last block; ``()`` for none.
    activation, kernel_initializer, normalization, dropout, kernel_regularizer
        As in :func:`mlp`.
    optimizer, learning_rate
        As in :func:`mlp`.

    Returns
    -------
    keras.Model
        Compiled. Layers are named ``convolution_1``, ``pooling_1``, ..., ``hidden_1``,
        ..., ``output``.

    Raises
    ------
    TypeError, ValueError
        For a knob that does not fit, in one sentence that names it.
    """
    input_shape, output_units, task = _described(data)
    if len(input_shape) not in (2, 3):
        raise ValueError(
            "cnn needs images of shape (height, width, channels) or sequences of "
            f"shape (steps, features); the data's input_shape is {input_shape}."
        )
    filters = _positive_integers("filters", filters)
    if not filters:
        raise ValueError("filters is empty; cnn needs one convolution or more.")
    (kernel_size,) = _positive_integers("kernel_size", [kernel_size])
    (pool_size,) = _positive_integers("pool_size", [pool_size])
    widths = _widths(units, 1)
    _check_common(dropout, normalization)
    smallest = min(input_shape[:-1])
    if pool_size ** len(filters) > smallest:
        raise ValueError(
            f"{len(filters)} poolings of {pool_size} leave nothing of an input of "
            f"shape {input_shape}; use fewer filters or a smaller pool_size."
        )
    if len(input_shape) == 3:
        convolution, pooling = keras.layers.Conv2D, keras.layers.MaxPooling2D
    else:
        convolution, pooling = keras.layers.Conv1D, keras.layers.MaxPooling1D

    x = inputs = keras.Input(input_shape, name="input")
    knobs = {"activation": activation, "normalization": normalization}
    for number, width in enumerate(filters, start=1):
        x = _hidden(
            x,
            convolution,
            width,
            name=f"convolution_{number}",
            kernel_size=kernel_size,
            padding="same",
            kernel_initializer=_copied_initializer(kernel_initializer),
            kernel_regularizer=_regularizer(kernel_regularizer),
            **knobs,
        )
        if pool_size > 1:
            x = pooling(pool_size, name=f"pooling_{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    for number, width in enumerate(widths, start=1):
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
        x = _hidden(
            x,
            keras.layers.Dense,
            width,
            name=f"hidden_{number}",
            kernel_initializer=_copied_initializer(kernel_initializer),
            kernel_regularizer=_regularizer(kernel_regularizer),
            **knobs,
        )
    if dropout:
        x = keras.layers.Dropout(dropout, name=f"dropout_{len(widths) + 1}")(x)
    return _compiled(
        "cnn",
        inputs,
        x,
        output_units,
        task,
        kernel_regularizer,
        optimizer,
        learning_rate,
    )


def rnn(
    data,
    *,
    cell: str = "lstm",
    units: int | Sequence[int] = 32,
    activation: str | Callable = "tanh",
    kernel_initializer="glorot_uniform",
    recurrent_initializer="orthogonal",
    dropout: float = 0.0,
    unroll: bool = False,
    kernel_regularizer=None,
    optimizer="adam",
    learning_rate=None,
) -> keras.Model:
    """Build a recurrent network that reads a sequence and answers once, compiled.

    Parameters
    ----------
    data : Dataset
        Sequences, ``input_shape`` (steps, features).
    cell : {"lstm", "gru", "simple"}
        Kind of recurrent layer.
    units : int or sequence of int
        Units of the recurrent layer, or of each of several stacked ones.
    activation : str or callable
        Activation of the candidate state (LSTM, GRU) or of the state (simple).
    kernel_initializer, recurrent_initializer : str or keras.initializers.Initializer
        Initial weights from the input, and from the state one step earlier.
    dropout : float
        Dropout rate after each recurrent layer, in [0, 1). With 0 there is no such
        layer.
    unroll : bool
        Lay the steps out one after the other instead of in a loop: the same numbers,
        faster where sequences are short.
    kernel_regularizer, optimizer, learning_rate
        As in :func:`mlp`.

    Returns
    -------
    keras.Model
        Compiled. Layers are named ``recurrent_1``, ``dropout_1``, ..., ``output``.

    Raises
    ------
    TypeError, ValueError
        For a knob that does not fit, in one sentence that names it.
    """
    input_shape, output_units, task = _described(data)
    if len(input_shape) != 2:
        raise ValueError(
            "rnn needs sequences of shape (steps, features); the data's input_shape "
            f"is {input_shape}."
        )
    if cell not in _CELLS:
        raise ValueError(f"cell is {cell!r}; expected one of {sorted(_CELLS)}.")
    widths = _widths(units, 1)
    if not widths:
        raise ValueError("units is empty; rnn needs one recurrent layer or more.")
    if isinstance(activation, keras.layers.Layer):
        raise TypeError(
            "activation of rnn is a name or a function, since it acts inside the "
            f"recurrent layer; got the layer {type(activation).__name__}."
        )
    if not isinstance(unroll, bool):
        raise TypeError(f"unroll is {unroll!r}; expected True or False.")
    _check_common(dropout, None)

    x = inputs = keras.Input(input_shape, name="input")
    for number, width in enumerate(widths, start=1):
        x = _CELLS[cell](
            width,
            activation=_activation(activation),
            kernel_initializer=_copied_initializer(kernel_initializer),
            recurrent_initializer=_copied_initializer(
                recurrent_initializer, "recurrent_initializer"
            ),
            kernel_regularizer=_regularizer(kernel_regularizer),
            return_sequences=number < len(widths),
            unroll=unroll,
            name=f"recurrent_{number}",
        )(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
    return _compiled(
        "rnn",
        inputs,
        x,
        output_units,
        task,
        kernel_regularizer,
        optimizer,
        learning_rate,
    )


def _hidden(x, layer, width, *, name, activation, normalization, **knobs):
    """Apply one hidden layer: product, normalization, activation."""
    separate = normalization or isinstance(activation, keras.layers.Layer)
    x = layer(
        width,
        activation=None if separate else _activation(activation),
        # Batch normalization subtracts the mean and has a shift of its own.
        use_bias=normalization != "batch",
        name=name,
        **knobs,
    )(x)
    if normalization:
        x = _NORMALIZATIONS[normalization](name=f"{name}_normalization")(x)
    if isinstance(activation, keras.layers.Layer):
        config = activation.get_config() | {"name": f"{name}_activation"}
        x = type(activation).from_config(config)(x)
    elif separate:
        x = keras.layers.Activation(_activation(activation), name=f"{name}_activation")(
            x
        )
    return x


def _compiled(
    name, inputs, x, output_units, task, kernel_regularizer, optimizer, learning_rate
):
    """Add the output layer and compile."""
    activation, loss, metric = _TASKS.get(task, _SHARES)
    outputs = keras.layers.Dense(
        output_units,
        activation=activation,
        kernel_regularizer=_regularizer(kernel_regularizer),
        name="output",
    )(x)
    model = keras.Model(inputs, outputs, name=name)
    model.compile(_optimizer(optimizer, learning_rate), loss=loss, metrics=[metric])
    return model


def _described(data) -> tuple[tuple[int, ...], int, str]:
    """Return the input shape, the number of output units and the task of `data`.

    The task of labels that are shares of each class is ``"shares"``.
    """
    try:
        input_shape, output_units, task = (
            tuple(data.input_shape),
            data.output_units,
            data.task,
        )
    except AttributeError as error:
        raise TypeError(
            "data must be a Dataset (see Dataset.from_arrays for your own arrays); "
            f"got {type(data).__name__}."
        ) from error
    if task not in _TASKS:
        raise ValueError(
            f"the data's task is {task!r}; expected one of {list(_TASKS)}."
        )
    if task == "multiclass" and getattr(data, "is_one_hot", False):
        task = "shares"
    return input_shape, output_units, task


def _positive_integers(name: str, values) -> tuple[int, ...]:
    """Return `values` as a tuple, after checking that they are positive integers."""
    try:
        values = tuple(values)
    except TypeError:
        raise TypeError(
            f"{name} is {values!r}; expected a sequence of integers."
        ) from None
    for value in values:
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} holds {value!r}; expected integers of 1 or more.")
    return tuple(int(value) for value in values)


def _widths(units, layers) -> tuple[int, ...]:
    """Return the units of each hidden layer."""
    if isinstance(layers, bool) or not isinstance(layers, Integral) or layers < 0:
        raise ValueError(
            f"hidden_layers is {layers!r}; expected an integer, 0 or more."
        )
    if isinstance(units, str) or not isinstance(units, Sequence):
        units = [units] * int(layers)
    return _positive_integers("units", units)


def _check_common(dropout, normalization) -> None:
    """Check the knobs that several builders have."""
    if (
        isinstance(dropout, bool)
        or not isinstance(dropout, Real)
        or not 0 <= dropout < 1
    ):
        raise ValueError(f"dropout is {dropout!r}; expected a rate in [0, 1).")
    if normalization is not None and normalization not in _NORMALIZATIONS:
        raise ValueError(
            f"normalization is {normalization!r}; expected None or one of "
            f"{list(_NORMALIZATIONS)}."
        )


def _known(name: str, getter: Callable, value):
    """Look `value` up in Keras, with one sentence where Keras does not know it."""
    try:
        return getter(value)
    except (ValueError, TypeError):
        raise ValueError(f"{name} is {value!r}, which Keras does not know.") from None


def _activation(activation):
    return _known("activation", keras.activations.get, activation)


def _regularizer(regularizer):
    return _known("kernel_regularizer", keras.regularizers.get, regularizer)


def _copied_initializer(initializer, name="kernel_initializer"):
    """Return a new initializer, as an initializer draws the same values each time.

    One that several layers (or several models) share would give all of them the same
    starting weights, whatever the global seed is.
    """
    initializer = _known(name, keras.initializers.get, initializer)
    if isinstance(initializer, keras.initializers.Initializer):
        return type(initializer).from_config(initializer.get_config())
    return initializer


def _optimizer(optimizer, learning_rate) -> keras.optimizers.Optimizer:
    """Return a new optimizer, with `learning_rate` in place of its own if given."""
    optimizer = _known("optimizer", keras.optimizers.get, optimizer)
    config = optimizer.get_config()
    if learning_rate is not None:
        schedule = isinstance(
            learning_rate, keras.optimizers.schedules.LearningRateSchedule
        )
        if not schedule and not (
            isinstance(learning_rate, Real)
            and not isinstance(learning_rate, bool)
            and 0 < learning_rate < float("inf")
        ):
            raise ValueError(
                f"learning_rate is {learning_rate!r}; expected a number above 0 or a "
                "learning-rate schedule."
            )
        # Keras takes a learning rate of 1.0, but not of 1.
        config["learning_rate"] = learning_rate if schedule else float(learning_rate)
    return type(optimizer).from_config(config)
