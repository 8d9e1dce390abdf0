"""Deep networks of equal blocks are Keras's, number for number."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from nnperf_utils import blocks
from nnperf_utils.blocks import Blocks, Weights, sizes, train_blocks, without
from nnperf_utils.datasets import load_digits
from nnperf_utils.engine.work import example_order

DATA = load_digits(flatten=True)


def in_keras(network: Blocks, weights: Weights, replica: int) -> keras.Model:
    inputs = keras.Input(DATA.input_shape)
    h = layers.Dense(network.units, use_bias=False)(inputs)
    for _ in range(network.number):
        f = h
        if network.normalize:
            f = layers.BatchNormalization(center=False, scale=False)(f)
        f = f if network.last else layers.Activation("relu")(f)
        f = layers.Dense(network.units, use_bias=False)(f)
        f = layers.Activation("relu")(f) if network.last else f
        scaled = layers.Rescaling(network.skip)(h), layers.Rescaling(network.branch)(f)
        h = layers.Add()(scaled)
    outputs = layers.Dense(10, "softmax")(layers.Activation("relu")(h))
    model = keras.Model(inputs, outputs)
    arrays = [array[replica] for array in weights]
    own = [arrays[0], *arrays[1], arrays[2], arrays[3][0]]
    for variable, array in zip(model.trainable_variables, own, strict=True):
        variable.assign(array)
    return model


NETWORKS = {
    "plain": Blocks(2, skip=0),
    "residual": Blocks(3),
    "scaled": Blocks(3, branch=0.5, gain=1),
    "normalized": Blocks(2, normalize=True),
    "zero": Blocks(2, gain=0),
}


@pytest.fixture(scope="module")
def trained():
    return train_blocks(
        NETWORKS,
        DATA,
        rates=[0.003],
        epochs=2,
        batch_size=200,
        seeds=2,
        tuning_seeds=2,
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_training_is_that_of_keras(name, trained):
    network, seed = NETWORKS[name], 1
    model = in_keras(network, network.start(DATA, [0, seed]), seed)
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    x, y = DATA.train
    steps, losses = len(y) // 200, []
    for epoch, i in itertools.product((1, 2), range(steps)):
        rows = example_order(seed, epoch, len(y))[i * 200 : (i + 1) * 200]
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x[rows], y[rows])))
    seen = trained.by_seed(name)
    assert seen[seed] == pytest.approx(np.mean(losses[steps:]), rel=1e-3)
    end = in_keras(network, trained.weights[name], seed)
    for one, other in zip(
        model.trainable_variables, end.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=2e-3)
    x_new, y_new = DATA.validation
    answers = end(x_new, training=True).numpy()
    right = (answers.argmax(1) == y_new).mean()
    assert trained.by_seed(name, "val_accuracy")[seed] == pytest.approx(right)
    loss = -np.log(answers[np.arange(len(y_new)), y_new]).mean()
    assert trained.by_seed(name, "val_loss")[seed] == pytest.approx(loss, rel=1e-4)


def test_each_network_gets_its_best_rate():
    result = train_blocks(
        {"deep": Blocks(6, skip=0), "residual": Blocks(6)},
        DATA,
        rates=[1e-6, 0.003, 30.0],
        epochs=1,
        batch_size=100,
        seeds=3,
        tuning_seeds=1,
    )
    assert result.rates == {"deep": 0.003, "residual": 0.003}
    assert sorted(result.tuning["seed"].unique()) == [3]
    assert len(result.tuning) == 2 * 3
    assert list(result.by_seed("deep").index) == [0, 1, 2]
    with pytest.raises(ValueError, match="the variants are deep, residual"):
        result.by_seed("plain")


def test_start_is_hes_and_a_deeper_network_begins_as_a_shallow_one_does():
    deep, shallow = (Blocks(n, units=64).start(DATA, [0, 5]) for n in (8, 3))
    assert deep.blocks.var() * 64 == pytest.approx(2, rel=0.02)
    np.testing.assert_array_equal(deep.blocks[:, :3], shallow.blocks)
    np.testing.assert_array_equal(deep.stem, shallow.stem)
    assert not np.array_equal(deep.stem[0], deep.stem[1])
    assert not Blocks(2, gain=0).start(DATA, [0]).blocks.any()


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_sizes_are_those_of_keras(network):
    read = sizes(network, DATA, seeds=[4], examples=64)
    x, y = DATA.train[0][:64], DATA.train[1][:64]
    model = in_keras(network, network.start(DATA, [4]), 0)
    adds = [layer.output for layer in model.layers if isinstance(layer, layers.Add)]
    inner = keras.Model(model.input, [*adds, model.output])
    with tf.GradientTape() as tape:
        *signals, answers = inner(x, training=True)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, answers))
    matrices = [w for w in model.trainable_variables if len(w.shape) == 2][1:-1]
    of_blocks = tape.gradient(loss, [w.value for w in matrices] + signals)

    def of(metric):
        return read[(read["metric"] == metric) & (read["block"] > 0)]["value"]

    size = [float(tf.reduce_mean(h**2)) for h in signals]
    np.testing.assert_allclose(of("signal"), size, rtol=1e-4)
    norms = [float(tf.norm(g)) for g in of_blocks]
    np.testing.assert_allclose(of("gradient"), norms[: network.number], rtol=1e-3)
    np.testing.assert_allclose(of("arriving"), norms[network.number :], rtol=1e-3)
    of_each = [np.linalg.eigvalsh(np.cov(h.numpy().T)) for h in signals]
    counted = [v.sum() ** 2 / (v**2).sum() for v in of_each]
    np.testing.assert_allclose(of("directions"), counted, rtol=1e-3)


@pytest.mark.parametrize("skip", [0, 1])
def test_cut_blocks_let_through_what_enters(skip):
    network = Blocks(3, skip=skip, branch=0.7)
    weights = network.start(DATA, [0, 1])
    x, y = DATA.validation
    found = without(network, weights, x, y).set_index(["cut", "replica"])
    assert len(found) == 2 * 2**3
    for cut, replica in itertools.product(range(8), range(2)):
        left = [k for k in range(3) if not cut & 1 << k]
        kept = weights._replace(blocks=weights.blocks[:, left])
        model = (
            in_keras(Blocks(max(1, len(left)), skip=skip, branch=0.7), kept, replica)
            if left
            else None
        )
        if model is None:
            h = np.maximum(x @ weights.stem[replica], 0) @ weights.output[replica]
            answers = h
        else:
            answers = model(x).numpy()
        row = found.loc[(cut, replica)]
        assert row["accuracy"] == pytest.approx((answers.argmax(1) == y).mean())
        assert row["blocks"] == 3 - len(left)


WRONG = {
    "no blocks": (lambda: Blocks(0), "number"),
    "units": (lambda: Blocks(2, units=0), "units"),
    "gain": (lambda: Blocks(2, gain=-1), "gain is -1"),
    "batch": (
        lambda: train_blocks(NETWORKS, DATA, rates=[0.1], epochs=1, batch_size=9**9),
        "batch_size is 387420489, but there are",
    ),
    "rates": (
        lambda: train_blocks(NETWORKS, DATA, rates=[], epochs=1, batch_size=9),
        "rates is []",
    ),
    "epochs": (
        lambda: train_blocks(NETWORKS, DATA, rates=[1], epochs=0, batch_size=9),
        "epochs",
    ),
    "too many": (
        lambda: without(Blocks(11), None, None, None),
        "at most ten blocks",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_calls_are_told_in_one_sentence(kind):
    call, message = WRONG[kind]
    with pytest.raises((TypeError, ValueError)) as told:
        call()
    assert message in str(told.value) and "\n" not in str(told.value)
    assert blocks.__all__
