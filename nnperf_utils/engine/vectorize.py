"""What TensorFlow's `pfor` lacks to vectorize a training step of a Keras model.

`pfor`, which is behind `tf.vectorized_map`, turns a function of one replica into a
function of a whole stack of them, operation by operation; each kind of operation has a
converter. Importing this module registers converters for the operations that a training
step needs and TensorFlow has none for. Nothing else changes: without them these
operations fail to vectorize.

- ``Bitcast``, which Keras uses in ``argmax``, and so in every accuracy;
- the random draws with an explicit seed, on which all of Keras's random layers rest.
  Each replica draws the very numbers that it would draw alone: TensorFlow's Philox
  generator [1]_ is computed here for all of them at once.

References
----------
.. [1] J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw (2011). Parallel random
   numbers: as easy as 1, 2, 3. Proceedings of SC11. https://doi.org/10.1145/2063384.2063405
"""

from __future__ import annotations

import math

import tensorflow as tf

from nnperf_utils.engine.private import converters as pfor

__all__: list[str] = []

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_SCRAMBLING_KEY = (0x3EC8F720, 0x02461E29)  # TensorFlow's own, for its seeds


def _low(bits: tf.Tensor) -> tf.Tensor:
    return tf.bitcast(bits, tf.uint32)[..., 0]


def _high(bits: tf.Tensor) -> tf.Tensor:
    return tf.bitcast(bits, tf.uint32)[..., 1]


def _philox(counter: list[tf.Tensor], key: list[tf.Tensor]) -> list[tf.Tensor]:
    """Ten rounds of Philox-4x32 on four words of counter and two of key (uint32)."""

    def multiply(word: tf.Tensor, multiplier: int) -> tuple[tf.Tensor, tf.Tensor]:
        product = tf.cast(word, tf.uint64) * tf.constant(multiplier, tf.uint64)
        return (
            tf.cast(
                tf.bitwise.right_shift(product, tf.constant(32, tf.uint64)), tf.uint32
            ),
            tf.cast(product, tf.uint32),
        )

    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        high0, low0 = multiply(c0, _MULTIPLIERS[0])
        high1, low1 = multiply(c2, _MULTIPLIERS[1])
        c0, c1, c2, c3 = (
            tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(high1, c1), k0),
            low1,
            tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(high0, c3), k1),
            low0,
        )
        k0 = k0 + tf.constant(_KEY_STEPS[0], tf.uint32)
        k1 = k1 + tf.constant(_KEY_STEPS[1], tf.uint32)
    return [c0, c1, c2, c3]


def _words_to_uint64(low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    return tf.bitcast(tf.stack([low, high], axis=-1), tf.uint64)


def key_and_counter(seeds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Do what ``StatelessRandomGetKeyCounter`` does, for a stack of seeds.

    Parameters
    ----------
    seeds : tf.Tensor, shape (replicas, 2), integer

    Returns
    -------
    key : tf.Tensor, shape (replicas, 1), uint64
    counter : tf.Tensor, shape (replicas, 2), uint64
    """
    seeds = tf.cast(tf.cast(seeds, tf.int64), tf.uint64)
    first, second = seeds[:, 0], seeds[:, 1]
    mix = _philox(
        [_low(first), _high(first), _low(second), _high(second)],
        [tf.constant(word, tf.uint32) for word in _SCRAMBLING_KEY],
    )
    key = _words_to_uint64(mix[0], mix[1])[:, None]
    high_counter = _words_to_uint64(mix[2], mix[3])
    return key, tf.stack([tf.zeros_like(high_counter), high_counter], axis=-1)


def _random_words(
    key: tf.Tensor, counter: tf.Tensor, count: tf.Tensor | int
) -> list[tf.Tensor]:
    """Draw four words of 32 random bits for each of ceil(count / 4) blocks.

    The counter's lower half is taken to be below 2³², as it is for every generator
    that starts from a seed.
    """
    blocks = (count + 3) // 4
    block = tf.cast(tf.range(blocks), tf.uint32)[None]
    words = [_low(counter[:, 0]), _high(counter[:, 0])]
    words += [_low(counter[:, 1]), _high(counter[:, 1])]
    zeros = tf.zeros_like(block)
    start = [words[0][:, None] + block, *(w[:, None] + zeros for w in words[1:])]
    return _philox(start, [_low(key[:, 0])[:, None], _high(key[:, 0])[:, None]])


def _unit_interval(words: tf.Tensor) -> tf.Tensor:
    """Map 32 random bits to a float in [0, 1), as TensorFlow's CPU kernel does."""
    mantissa = tf.bitwise.bitwise_and(words, tf.constant(0x7FFFFF, tf.uint32))
    one = tf.constant(127 << 23, tf.uint32)
    return tf.bitcast(tf.bitwise.bitwise_or(mantissa, one), tf.float32) - 1.0


def _box_muller(first: tf.Tensor, second: tf.Tensor) -> list[tf.Tensor]:
    radius = tf.sqrt(-2.0 * tf.math.log(tf.maximum(_unit_interval(first), 1e-7)))
    angle = 2.0 * math.pi * _unit_interval(second)
    return [tf.sin(angle) * radius, tf.cos(angle) * radius]


def _convert_draw(pfor_input, distribution) -> list:
    if pfor_input.get_attr("dtype") != tf.float32:
        raise pfor.ConversionNotImplementedError(
            "Only float32 random numbers can be drawn for all replicas at once."
        )
    shape = pfor_input.unstacked_input(0)
    static = tf.get_static_value(shape)
    count = int(static.prod()) if static is not None else tf.reduce_prod(shape)
    # One of the two may be the same for all replicas.
    pfor_input.stack_inputs([1, 2])
    words = _random_words(
        pfor_input.stacked_input(1), pfor_input.stacked_input(2), count
    )
    numbers = tf.stack(distribution(words), axis=-1)
    replicas = tf.shape(numbers)[:1]
    numbers = tf.reshape(numbers, tf.concat([replicas, [-1]], 0))[:, :count]
    full_shape = tf.concat([replicas, tf.cast(shape, tf.int32)], 0)
    return [pfor.wrap(tf.reshape(numbers, full_shape), True)]


def _convert_bitcast(pfor_input) -> list:
    value = tf.bitcast(pfor_input.stacked_input(0), pfor_input.get_attr("type"))
    return [pfor.wrap(value, True)]


def _convert_key_counter(pfor_input) -> list:
    key, counter = key_and_counter(pfor_input.stacked_input(0))
    return [pfor.wrap(key, True), pfor.wrap(counter, True)]


def _convert_uniform(pfor_input) -> list:
    return _convert_draw(pfor_input, lambda words: [_unit_interval(w) for w in words])


def _convert_normal(pfor_input) -> list:
    return _convert_draw(
        pfor_input,
        lambda words: _box_muller(*words[:2]) + _box_muller(*words[2:]),
    )


def _unrolled(pfor_input) -> list:
    """Run an operation once for each replica, side by side in one graph.

    Convolutions are fastest this way: their kernels use all cores, and patches and a
    matrix product, which would do for all replicas at once, move several times the
    memory.
    """
    replicas = tf.get_static_value(pfor_input.pfor.loop_len_vector)[0]
    parts = [
        pfor._create_op(
            pfor_input.op_type,
            [t[r] if stacked else t for t, stacked, _ in pfor_input.inputs],
            [output.dtype for output in pfor_input.outputs],
            attrs=pfor_input.op.node_def.attr,
        ).outputs
        for r in range(replicas)
    ]
    return [pfor.wrap(tf.stack(output), True) for output in zip(*parts, strict=True)]


def _unrolled_if_it_must(converter):
    """Leave to `converter` the cases that it can do: filters shared by all replicas."""

    def convert(pfor_input, *arguments):
        try:
            return converter(pfor_input, *arguments)
        except (pfor.ConversionNotImplementedError, ValueError):
            return _unrolled(pfor_input)

    return convert


_CONVERTERS = {
    "Bitcast": _convert_bitcast,
    "StatelessRandomGetKeyCounter": _convert_key_counter,
    "StatelessRandomUniformV2": _convert_uniform,
    "StatelessRandomNormalV2": _convert_normal,
}


_CONVOLUTIONS = (
    "Conv2D",
    "Conv2DBackpropInput",
    "Conv2DBackpropFilter",
    "DepthwiseConv2dNative",
    "DepthwiseConv2dNativeBackpropInput",
    "DepthwiseConv2dNativeBackpropFilter",
)


def _register() -> None:
    known = pfor._pfor_converter_registry
    for name, converter in _CONVERTERS.items():
        known.setdefault(name, converter)  # a later TensorFlow may bring its own
    for name in _CONVOLUTIONS:
        known[name] = _unrolled_if_it_must(known[name])
    for name in ("Conv3D", "Conv3DBackpropInputV2", "Conv3DBackpropFilterV2"):
        known.setdefault(name, _unrolled)


_register()
