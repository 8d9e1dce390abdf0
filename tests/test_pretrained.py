"""Reading real weights: without unpickling, and rightly."""

import pickle
import struct
from collections import OrderedDict
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_sample_images

from nnperf_utils import pretrained

PATH = pretrained.find_weights()
needs_weights = pytest.mark.skipif(PATH is None, reason="the package is not installed")


class Reduced:
    """An object whose pickle asks for a call."""

    def __init__(self, function, *arguments):
        self.asked = function, arguments

    def __reduce__(self):
        return self.asked


def forbidden(*_):
    raise AssertionError("was called")


@pytest.fixture(scope="module")
def weights():
    return pretrained.read_tensors(PATH)


def written(tmp_path, said, magic=pretrained._MAGIC, keys=(), numbers=b""):
    path = tmp_path / "file.pth"
    parts = [magic, 1001, {"little_endian": True}, said, list(keys)]
    path.write_bytes(b"".join(pickle.dumps(p, 2) for p in parts) + numbers)
    return path


def test_nothing_that_the_file_asks_for_is_called(tmp_path):
    path = written(tmp_path, OrderedDict(a=Reduced(forbidden, 1)))
    with pytest.raises(ValueError, match="entry 'a' is no plain tensor"):
        pretrained.read_tensors(path)
    path = written(tmp_path, Reduced(forbidden))
    with pytest.raises(ValueError, match="no tensors by name"):
        pretrained.read_tensors(path)
    path = written(tmp_path, {}, magic=Reduced(forbidden))
    with pytest.raises(ValueError, match="older form"):
        pretrained.read_tensors(path)


def test_other_instructions_are_not_read(tmp_path):
    path = written(tmp_path, SimpleNamespace(a=1.5))
    with pytest.raises(ValueError, match="has the instruction"):
        pretrained.read_tensors(path)


def test_numbers_beyond_the_file_are_refused():
    numbers = np.arange(6.0)
    laid = pretrained._laid_out(numbers, 1, (2, 2), (2, 1))
    np.testing.assert_array_equal(laid, [[1, 2], [3, 4]])
    for offset, shape, strides in ((0, (7,), (1,)), (4, (3,), (1,)), (0, (2,), (-1,))):
        with pytest.raises(ValueError, match="does not hold"):
            pretrained._laid_out(numbers, offset, shape, strides)


def test_an_empty_file_of_the_form_is_read(tmp_path):
    path = written(tmp_path, OrderedDict(), numbers=struct.pack("<q", 0))
    assert pretrained.read_tensors(path) == {}


def test_another_file_is_not_taken_for_the_known_one(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "other.pth").write_bytes(b"something else")
    found = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda _: found)
    with pytest.raises(ValueError, match="known checksum"):
        pretrained.find_weights()
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda _: None)
    assert pretrained.find_weights() is None


@needs_weights
def test_all_tensors_are_there(weights):
    assert len(weights) == 296
    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert weights["_fc.weight"].shape == (1000, 1280)
    assert all(np.isfinite(value).all() for value in weights.values())
    assert all((weights[n] >= 0).all() for n in weights if n.endswith("running_var"))


def photographs():
    """Return two photographs, cut to squares, as the network takes them."""
    found = []
    for image in load_sample_images()["images"]:
        side = min(image.shape[:2])
        top, left = ((n - side) // 2 for n in image.shape[:2])
        square = image[top : top + side, left : left + side].astype("float32")
        found.append(
            keras.ops.image.resize(
                square, (224, 224), interpolation="bicubic", antialias=True
            )
        )
    return (np.stack(found) - 127) / 128


@needs_weights
def test_the_network_names_what_is_on_photographs(weights):
    model = pretrained.efficientnet_lite0(weights)
    x = photographs()
    palace, flower = model.predict(x, verbose=0).argsort(axis=-1)[:, ::-1]
    assert palace[0] == 698  # ImageNet's "palace"
    assert flower[0] == 985  # "daisy"
    # What it normalizes has the means that it had in training, channel by channel.
    normalizations = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        and layer.name.endswith("bn2")
    ]
    probe = keras.Model(model.input, [layer.input for layer in normalizations])
    for layer, values in zip(normalizations, probe.predict(x, verbose=0), strict=True):
        means = values.mean(axis=(0, 1, 2))
        assert np.corrcoef(means, layer.moving_mean.numpy())[0, 1] > 0.9, layer.name


@needs_weights
def test_the_first_blocks_are_those_of_the_whole(weights):
    part = pretrained.efficientnet_lite0(weights, side=56, blocks=3)
    assert part.output_shape == (None, 24)
    assert not part.trainable_variables
    for blocks in (0, 17):
        with pytest.raises(ValueError, match=f"blocks is {blocks}"):
            pretrained.efficientnet_lite0(weights, blocks=blocks)


def test_features_and_pixels_are_compared_on_the_same_draws():
    random = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = random.random((120, 4, 4, 1)).astype("float32") * 0.5
    x[np.arange(120), 0, y] += 0.5  # a bright pixel tells the class
    part = x[:60], y[:60]
    data = SimpleNamespace(train=part, test=(x[60:], y[60:]))

    class Bright:
        input_shape = (None, 4, 4, 3)

        @staticmethod
        def predict(images, **_):
            return np.asarray(images)[:, 0, :, 0]

    rows = pretrained.few_shot_rows(Bright, data, each=(5,), draws=6, rows=60)
    assert rows.index.tolist() == [5]
    one = rows.loc[5]
    assert one["gain"] == pytest.approx(one["features"] - one["pixels"])
    assert one["low"] <= one["gain"] <= one["high"]
    assert one["features"] > 0.5


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.01, 0.05, "surely ahead"), (-0.05, -0.01, "surely behind"), (-1, 1, "not")],
)
def test_what_was_found_is_said(low, high, words):
    rows = pd.DataFrame({"gain": [(low + high) / 2], "low": [low], "high": [high]})
    assert words in pretrained.told(rows)
