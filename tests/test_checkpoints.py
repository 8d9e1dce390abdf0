"""Trainings that are written to disk, killed and resumed."""

import keras
import numpy as np
import pytest

from nnperf_utils import checkpoints


def small_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(
        keras.optimizers.Adam(0.1), keras.losses.MeanSquaredError(), run_eagerly=True
    )
    return model


def test_distance_is_relative_and_zero_for_the_same():
    one, other = small_model(), small_model()
    assert checkpoints.distance(one, other) == 0
    other.set_weights([2 * w for w in one.get_weights()])
    assert checkpoints.distance(one, other) == pytest.approx(0.5)
    wide = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="have 3 and 4 weights"):
        checkpoints.distance(one, wide)


def test_kill_ends_in_the_middle_of_its_epoch():
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(batch)
    )
    model, x = small_model(), np.zeros((8, 2))
    with pytest.raises(checkpoints.Killed, match="epoch 2, after batch 3"):
        model.fit(
            x,
            x[:, :1],
            batch_size=2,
            epochs=5,
            verbose=0,
            callbacks=[note, checkpoints.Kill(2, 3)],
        )
    assert seen == [0, 1, 2, 3, 0, 1, 2]


def test_a_hard_kill_ends_the_process(monkeypatch):
    killed = []
    monkeypatch.setattr(checkpoints.os, "kill", lambda *args: killed.append(args))
    callback = checkpoints.Kill(1, 1, hard=True)
    callback.on_epoch_begin(0)
    with pytest.raises(checkpoints.Killed):
        callback.on_train_batch_end(0)
    assert killed == [(checkpoints.os.getpid(), checkpoints.signal.SIGKILL)]


def one_line():
    keras.utils.set_random_seed(7)


def test_a_process_apart_tells_how_it_ended(monkeypatch):
    fake = """class utils:
    @staticmethod
    def set_random_seed(seed): print(seed)
class keras: utils = utils"""
    assert checkpoints.run_apart(fake, [one_line], "one_line()") == 0
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert checkpoints.run_apart("", [], kill) == -9
    with pytest.raises(RuntimeError, match="ValueError: no"):
        checkpoints.run_apart("", [], "raise ValueError('no')")
    # fresh seeds are drawn there as well
    monkeypatch.setenv("NNPERF_SEEDS", "1000")
    check = "import sys; sys.exit(0)"
    fake = fake.replace("print(seed)", "assert seed == 1007")
    assert checkpoints.run_apart(fake, [one_line], f"one_line(); {check}") == 0


def test_outputs_are_by_split_with_the_norm_of_the_matrices():
    model = small_model()
    model.set_weights([np.array([[3.0], [4.0]]), np.array([100.0])])
    x = np.ones((5, 2), "float32")
    frame = checkpoints.outputs([(0, model), (2, model)], {0: x, 2: 2 * x})
    assert frame.index.tolist() == [0, 2] and frame.index.name == "split"
    assert frame["norm"].tolist() == [5, 5]
    np.testing.assert_allclose(frame.loc[2, "outputs"], 114)


def test_files_hold_what_the_table_says(tmp_path):
    model, x = small_model(), np.zeros((8, 2))
    model.fit(x, x[:, :1], batch_size=2, verbose=0)
    table = checkpoints.file_table(small_model, model, tmp_path)
    assert table.loc[".keras"].to_dict()["optimizer"] == "Adam"
    assert table["steps"].iloc[:4].tolist() == [4, 4, 0, 4]
    assert (table["KiB"] > 0).all()


def test_orders_are_permutations_and_begin_anew_where_tf_data_shuffles():
    whole = checkpoints.orders_in_fit(6, 3, reshuffled=True)
    assert all(sorted(order) == list(range(6)) for order in whole)
    assert whole[0] != whole[1]
    assert (
        checkpoints.orders_in_fit(6, 3, initial_epoch=1, reshuffled=True) == (whole[:2])
    )
    plain = checkpoints.orders_in_fit(6, 3)
    assert len(plain) == 3 and sorted(plain[2]) == list(range(6))
