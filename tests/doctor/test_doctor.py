"""The doctor as a callback: what it takes, what it leaves alone, what it says."""

import json
import random
import time

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import layers

from nnperf_utils.doctor import CAUSES, Doctor, Finding, examine

CHAPTERS = 20


def rows(count=300, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, 8)).astype("float32")
    return x, (x[:, 0] * x[:, 1] + 0.3 * x[:, 2] > 0).astype("int32")


def network(*hidden, out="sigmoid", loss="binary_crossentropy", units=1, **given):
    hidden = hidden or (layers.Dense(16, "relu"),)
    model = keras.Sequential([keras.Input((8,)), *hidden, layers.Dense(units, out)])
    model.compile(given.pop("optimizer", "adam"), loss, jit_compile=False, **given)
    return model


def causes(doctor):
    return [finding.cause for finding in doctor.findings]


def watched(model, x, y, validation=None, **given):
    doctor = Doctor(x, y, validation_data=validation)
    given = {"epochs": 3, "verbose": 0, "validation_data": validation} | given
    model.fit(x, y, callbacks=[doctor], **given)
    return doctor


@pytest.fixture(scope="module")
def broken():
    """A training with a fault that shows before it begins: softmax over one unit."""
    x, y = rows()
    model = network(out="softmax", metrics=["accuracy"])
    return watched(model, x[:200], y[:200], (x[200:], y[200:]))


# --- nothing is changed --------------------------------------------------------------


@pytest.mark.parametrize("feed", ["arrays", "tf.data"])
def test_weights_are_the_same_bit_for_bit(feed):
    x, y = rows()
    x = x[:, :, None]

    def train(watch):
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [
                keras.Input((8, 1)),
                layers.SimpleRNN(6, dropout=0.2, return_sequences=True),
                layers.BatchNormalization(),
                layers.Flatten(),
                layers.GaussianNoise(0.1),
                layers.Dense(8, "relu"),
                layers.Dropout(0.5),
                layers.Dense(1, "sigmoid"),
            ]
        )
        model.compile("adam", "binary_crossentropy", jit_compile=False)
        doctor = Doctor(x, y)
        callbacks = [doctor] if watch else []
        given = (x, y)
        if feed == "tf.data":
            given = (tf.data.Dataset.from_tensor_slices((x, y)).shuffle(300).batch(32),)
        model.fit(*given, epochs=1, verbose=0, callbacks=callbacks)
        if watch:
            assert isinstance(doctor.findings, list)  # to look changes nothing, either
        model.fit(*given, epochs=1, verbose=0, callbacks=callbacks)
        return model.get_weights(), [np.array(v) for v in model.optimizer.variables]

    for one, other in zip(train(True), train(False), strict=True):
        for with_doctor, without in zip(one, other, strict=True):
            np.testing.assert_array_equal(with_doctor, without)


def test_nothing_is_printed(capfd):
    x, y = rows(100)
    watched(network(out="softmax"), x, y, epochs=1)
    told = capfd.readouterr()
    assert "doctor" not in (told.out + told.err).lower()
    assert "softmax" not in told.out


def test_recording_tells_its_time():
    x, y = rows(1000)
    start = time.perf_counter()
    doctor = watched(network(), x, y, epochs=5)
    assert 0 < doctor.seconds < time.perf_counter() - start


# --- findings ------------------------------------------------------------------------


def test_findings_are_sorted_and_complete(broken):
    findings = broken.findings
    assert findings[0].cause == "wrong_output_activation"
    assert findings[0].layer == broken.model.layers[-1].name
    confidences = [finding.confidence for finding in findings]
    assert confidences == sorted(confidences, reverse=True)
    for finding in findings:
        assert isinstance(finding, Finding)
        assert 0 < finding.confidence <= 1
        assert list(finding.evidence) == ["epoch", "layer", "what", "value", "usual"]
        assert finding.remedy.strip()
        assert finding.reason


def test_each_cause_has_a_chapter_and_a_remedy(request):
    assert len(CAUSES) == 30
    for cause in CAUSES.values():
        number = int(cause.chapter[:2])
        assert 1 <= number <= CHAPTERS
        assert max(map(len, cause.remedy.splitlines())) <= 84


def test_an_unknown_cause_is_refused():
    with pytest.raises(ValueError, match="cause must be one of"):
        Finding("bad luck", 1.0, None, pd.DataFrame(), 0, "", "")


def test_as_text_dictionary_and_cards(broken):
    text = str(broken)
    assert text.startswith("1. wrong_output_activation")
    assert "layers.Dense(1, 'sigmoid')" in text
    told = json.loads(json.dumps(broken.to_dict(), allow_nan=False))
    assert told["findings"][0]["cause"] == "wrong_output_activation"
    assert told["looked_at"]
    html = broken._repr_html_()
    assert "Wrong output activation" in html
    assert 'href="01_first_network.html"' in html
    assert "<script" not in html


def test_a_plot_for_each_finding(broken):
    for number, finding in enumerate(broken.findings):
        assert broken.plot(finding).get_title()
        assert broken.plot(number).get_title()
    with pytest.raises(ValueError, match="finding must be one of"):
        broken.plot(99)


def test_without_training_the_rows_are_looked_at():
    x, y = rows()
    x[5, 2] = np.nan
    doctor = Doctor(x, y)
    assert causes(doctor) == ["nonfinite_data"]
    assert "Looked at" in str(doctor)


def test_before_anything():
    doctor = Doctor()
    assert doctor.findings == []
    assert "Not looked at" in str(doctor)
    assert doctor.plot() is not None


# --- networks and data of all kinds --------------------------------------------------


def test_a_fit_that_fails_at_once():
    x, y = rows()
    one_hot = np.eye(2)[y]
    model = network(units=2, out="softmax", loss="sparse_categorical_crossentropy")
    doctor = Doctor(x, one_hot)
    with pytest.raises(ValueError):
        model.fit(x, one_hot, verbose=0, callbacks=[doctor])
    assert causes(doctor)[0] == "label_encoding"


def test_a_fit_that_fails_in_its_first_step():
    x, y = rows()
    model = network(units=2, out="softmax", loss="sparse_categorical_crossentropy")
    doctor = Doctor(x, y + 1)
    with pytest.raises(Exception, match=r"[Ll]abel"):
        model.fit(x, y + 1, verbose=0, callbacks=[doctor])
    assert causes(doctor)[0] == "label_encoding"
    assert "2 units stand for 0 to 1" in doctor.findings[0].reason


def test_labels_of_text():
    x, y = rows()
    assert causes(Doctor(x, np.array(["no", "yes"])[y])) == ["label_encoding"]


def test_several_inputs_and_outputs():
    rng = np.random.default_rng(0)
    x, y = rows()
    words = rng.integers(1, 30, (300, 6))
    numbers, tokens = keras.Input((8,), name="n"), keras.Input((6,), name="t")
    embedded = layers.GlobalAveragePooling1D()(layers.Embedding(30, 4)(tokens))
    h = layers.Dense(16, "relu")(layers.Concatenate()([numbers, embedded]))
    outputs = {
        "yes": layers.Dense(1, "softmax", name="yes")(h),
        "size": layers.Dense(1, name="size")(h),
    }
    model = keras.Model({"n": numbers, "t": tokens}, outputs)
    losses = {"yes": "binary_crossentropy", "size": "mse"}
    model.compile("adam", losses, jit_compile=False)
    given = {"n": x, "t": words}
    doctor = watched(model, given, {"yes": y, "size": x[:, 2] - x[:, 3]})
    assert causes(doctor)[0] == "wrong_output_activation"
    assert doctor.findings[0].layer == "yes"


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(
            16, bias_initializer=keras.initializers.Constant(-9.0)
        )
        self.out = layers.Dense(1)

    def call(self, x):
        return self.out(keras.ops.relu(self.inner(x)))


def test_a_subclass_with_functions_for_activations():
    x, y = rows()
    model = Subclassed()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    found = causes(watched(model, x, y))
    assert "dying_relu" in found
    assert "missing_nonlinearity" not in found


class OwnStep(Subclassed):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((tf.cast(y, "float32")[:, None] - self(x)) ** 2)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss}


def test_an_own_train_step_says_what_cannot_be_seen():
    x, y = rows()
    model = OwnStep()
    model.compile("adam", jit_compile=False)
    doctor = watched(model, x, y)
    assert isinstance(doctor.findings, list)
    assert sum("loss from compile" in note for note in doctor.evidence.notes) == 1


def test_an_own_loss():
    x, _ = rows()
    model = network(
        out=None, loss=lambda y, p: keras.ops.mean((y - p) ** 2), optimizer="sgd"
    )
    doctor = watched(model, x, (100 * x[:, 0]).astype("float32") + 500)
    assert "unscaled_targets" in causes(doctor)


def test_a_generator_without_rows_says_so_once():
    x, y = rows()

    def batches():
        while True:
            yield x[:50], y[:50]

    model = network()
    doctor = Doctor()
    model.fit(batches(), steps_per_epoch=4, epochs=2, verbose=0, callbacks=[doctor])
    assert causes(doctor) == []
    assert sum("for want of rows" in note for note in doctor.evidence.notes) == 1
    assert doctor.evidence.facts["epochs"] == 2


def test_rows_are_taken_from_fit():
    x, y = rows()
    doctor = Doctor()
    model = network(out="softmax")
    model.fit(x, y, validation_split=0.2, epochs=1, verbose=0, callbacks=[doctor])
    assert causes(doctor)[0] == "wrong_output_activation"
    assert doctor.evidence.facts["n_val"] == 60


def test_frames():
    x, y = rows()
    frame, labels = pd.DataFrame(x), pd.Series(y)
    doctor = watched(network(), frame, labels, epochs=1)
    assert doctor.evidence.facts["n_train"] == 300


def test_fit_twice_is_one_training():
    x, y = rows()
    model, doctor = network(), Doctor(x, y)
    for _ in range(2):
        model.fit(x, y, epochs=2, verbose=0, callbacks=[doctor])
    assert doctor.evidence.facts["epochs"] == 4
    assert doctor.evidence.facts["fits"] == 2


def test_another_network_is_another_training():
    x, y = rows()
    doctor = Doctor(x, y)
    network(out="softmax").fit(x, y, epochs=1, verbose=0, callbacks=[doctor])
    assert causes(doctor)
    network().fit(x, y, epochs=2, verbose=0, callbacks=[doctor])
    assert "wrong_output_activation" not in causes(doctor)
    assert doctor.evidence.facts["epochs"] == 2


def test_saved_and_loaded(tmp_path):
    x, y = rows()
    path = tmp_path / "network.keras"
    network(out="softmax").save(path)
    doctor = watched(keras.models.load_model(path), x, y, epochs=1)
    assert causes(doctor)[0] == "wrong_output_activation"


def test_long_trainings_are_thinned():
    x, y = rows(64)
    doctor = watched(network(), x, y, epochs=40, batch_size=64)
    epochs = [snapshot.epoch for snapshot in doctor._recording.snapshots]
    assert len(epochs) <= 21
    assert epochs[0] == 0 and epochs[-1] == 40


# --- more than one seed --------------------------------------------------------------


def test_examine_tells_what_comes_back():
    x, y = rows(120)
    table = examine(lambda: network(out="softmax"), x, y, seeds=2, epochs=1)
    assert list(table) == ["cause", "share", "confidence"]
    first = table.iloc[0]
    assert (first["cause"], first["share"]) == ("wrong_output_activation", 1.0)


def test_examine_leaves_the_random_state_even_where_build_fails():
    def fails():
        raise RuntimeError("no such layer")

    state = random.getstate(), np.random.get_state()[1].tolist()
    with pytest.raises(RuntimeError, match="no such layer"):
        Doctor(*rows(40)).examine(fails, 1)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == state


# --- bad arguments -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (((np.zeros((5, 2)), np.zeros(4)), {}), ValueError, "5 rows and y_train 4"),
        (((None, np.zeros(4)), {}), ValueError, "y_train was given without x_train"),
        (((3.0, 4.0), {}), TypeError, "must be arrays"),
        (((), {"validation_data": 7}), ValueError, "validation_data must be a tuple"),
    ],
)
def test_bad_arguments_of_doctor(given, error, said):
    with pytest.raises(error, match=said) as told:
        Doctor(*given[0], **given[1])
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("build", "seeds", "error", "said"),
    [
        (7, 2, TypeError, "build must be a function"),
        (network, 0, ValueError, "seeds must be a whole number"),
        (lambda: None, 1, TypeError, "must return a compiled"),
    ],
)
def test_bad_arguments_of_examine(build, seeds, error, said):
    with pytest.raises(error, match=said):
        Doctor(*rows(40)).examine(build, seeds)
    if seeds == 0:
        with pytest.raises(ValueError, match="epochs must be a whole number"):
            Doctor(*rows(40)).examine(build, 2, epochs="20")
        with pytest.raises(ValueError, match="needs rows"):
            Doctor().examine(build, 2)
