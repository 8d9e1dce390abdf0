"""Timings: what must be true of them on any machine."""

import numpy as np
import tensorflow as tf

from nnperf_utils import costs


def test_seconds_are_longer_for_more_work():
    def products(number):
        def work(a):
            for _ in range(number):
                a = 0.01 * a @ a
            return a

        return work

    a = tf.random.stateless_normal((200, 200), (0, 0))
    works = [(products(n), [a]) for n in (1, 30)]
    taken = costs.seconds(*works, repetitions=7)
    assert taken.shape == (7, 2) and (taken > 0).all()
    few, many = np.median(taken, axis=0)
    assert many > 2 * few


def test_activations_are_timed_by_name():
    times = costs.activation_times({"ReLU": "relu", "GELU": "gelu"})
    assert list(times.index) == ["ReLU", "GELU"] and (times > 0).all()


def test_ratios_and_shares():
    assert costs.time_with_zeros().shape == (20,)
    few = costs.softmax_share(10)
    assert few.shape == (20,) and ((few > 0) & (few < 1)).all()
