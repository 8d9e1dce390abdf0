"""The causes that the doctor knows: what each means, where it is explained, a remedy.

The names are an interface: a finding's cause is one of them.
"""

from typing import NamedTuple

__all__ = ["CAUSES", "Cause"]


class Cause(NamedTuple):
    """A cause: what it means, the chapter that explains it, and lines to copy."""

    meaning: str
    chapter: str
    remedy: str


CAUSES: dict[str, Cause] = {
    "vanishing_gradients": Cause(
        "gradients shrink on the way back, through depth or time",
        "03_vanishing_gradients",
        "layers.Dense(units, 'relu', kernel_initializer='he_normal')\n"
        "# many layers: h = h + block(h), with BatchNormalization() in the block\n"
        "# long sequences: layers.LSTM or layers.GRU in place of SimpleRNN",
    ),
    "exploding_gradients": Cause(
        "gradients or activations grow with depth or time",
        "08_gradient_clipping",
        "keras.optimizers.Adam(1e-3, global_clipnorm=1.0)\n"
        "# and weights that keep the signal's size: kernel_initializer='he_normal'",
    ),
    "dying_relu": Cause(
        "ReLU units that are zero for every example",
        "04_activations",
        "model.optimizer.learning_rate = model.optimizer.learning_rate / 10\n"
        "# inputs scaled about zero, biases from zero, weights no larger than He's\n"
        "layers.LeakyReLU(negative_slope=0.1)  # in place of ReLU",
    ),
    "saturated_activations": Cause(
        "tanh or sigmoid units stuck at their ends",
        "04_activations",
        "layers.Dense(units, 'relu', kernel_initializer='he_normal')\n"
        "# or keep tanh, with kernel_initializer='glorot_uniform' and scaled inputs",
    ),
    "bad_initialization": Cause(
        "zero, constant, far too small or far too large weights",
        "05_initialization",
        "layers.Dense(units, 'relu', kernel_initializer='he_normal',\n"
        "             bias_initializer='zeros')  # 'glorot_uniform' for tanh, sigmoid",
    ),
    "unscaled_inputs": Cause(
        "inputs of a wildly wrong or mixed scale",
        "06_normalization",
        "scaler = sklearn.preprocessing.StandardScaler().fit(x_train)\n"
        "x_train, x_val = scaler.transform(x_train), scaler.transform(x_val)\n"
        "# images: x / 255",
    ),
    "unscaled_targets": Cause(
        "regression targets far from unit scale",
        "06_normalization",
        "mean, std = y_train.mean(axis=0), y_train.std(axis=0)\n"
        "y_train, y_val = (y_train - mean) / std, (y_val - mean) / std\n"
        "# prediction in the old unit: model.predict(x) * std + mean",
    ),
    "wrong_output_activation": Cause(
        "the output activation cannot express the targets",
        "01_first_network",
        "layers.Dense(1)                     # a number\n"
        "layers.Dense(1, 'sigmoid')          # yes or no\n"
        "layers.Dense(classes, 'softmax')    # one of several classes",
    ),
    "wrong_loss": Cause(
        "the loss does not measure what the task asks",
        "01_first_network",
        "loss='mse'                              # a number\n"
        "loss='binary_crossentropy'              # yes or no, sigmoid\n"
        "loss='sparse_categorical_crossentropy'  # one of several, softmax",
    ),
    "from_logits_mismatch": Cause(
        "from_logits disagrees with what the model puts out",
        "01_first_network",
        "# no activation in the last layer: from_logits=True\n"
        "# sigmoid or softmax in it: from_logits=False, the default",
    ),
    "learning_rate_too_high": Cause(
        "the steps are too long",
        "10_learning_rate",
        "model.optimizer.learning_rate = model.optimizer.learning_rate / 10",
    ),
    "learning_rate_too_low": Cause(
        "the steps are too short, or a schedule makes them so",
        "10_learning_rate",
        "keras.optimizers.Adam(1e-3)  # then 3 and 10 times that, without a schedule",
    ),
    "overfitting": Cause(
        "the network memorizes, and gets worse on new rows",
        "12_overfitting",
        "keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)\n"
        "layers.Dropout(0.3); a smaller network; more rows",
    ),
    "underfitting": Cause(
        "the network is too small or simple for the task",
        "12_overfitting",
        "layers.Dense(64, 'relu', kernel_initializer='he_normal')  # two of them\n"
        "# and more epochs",
    ),
    "missing_nonlinearity": Cause(
        "a stack of linear layers, no more than one linear layer can do",
        "01_first_network",
        "layers.Dense(units, 'relu', kernel_initializer='he_normal')",
    ),
    "over_regularized": Cause(
        "the penalty on the weights is too strong",
        "12_overfitting",
        "kernel_regularizer=keras.regularizers.L2(1e-4)  # or none, to begin with\n"
        "keras.optimizers.AdamW(1e-3, weight_decay=4e-3)",
    ),
    "dropout_too_high": Cause(
        "too many units are dropped",
        "12_overfitting",
        "layers.Dropout(0.2)",
    ),
    "class_imbalance": Cause(
        "a rare class is ignored",
        "14_data",
        "# yes or no: first move the threshold, by what mistakes cost\n"
        "weights = sklearn.utils.compute_class_weight(\n"
        "    'balanced', classes=np.unique(y_train), y=y_train)\n"
        "model.fit(..., class_weight=dict(enumerate(weights)))",
    ),
    "label_noise": Cause(
        "a large share of the labels is wrong at random",
        "14_data",
        "# mend the rows where a cross-validated model is surest and disagrees\n"
        "keras.losses.CategoricalCrossentropy(label_smoothing=0.2)  # and stop early",
    ),
    "shuffled_labels": Cause(
        "the labels are not those of their rows",
        "14_data",
        "# draw one order for both:\n"
        "order = rng.permutation(len(x)); x, y = x[order], y[order]",
    ),
    "data_leakage": Cause(
        "the validation score is too good to be true",
        "02_fair_comparison",
        "# leave out the columns that are known only with the answer,\n"
        "x = np.unique(x, axis=0)  # and equal rows, before the split\n"
        "# all copies of a row in one part: sklearn.model_selection.GroupShuffleSplit",
    ),
    "label_encoding": Cause(
        "labels of a wrong shape, range or coding",
        "01_first_network",
        "y = sklearn.preprocessing.LabelEncoder().fit_transform(y)  # 0, 1, 2, ...\n"
        "# with loss='sparse_categorical_crossentropy', 'binary_crossentropy' for two",
    ),
    "batchnorm_misuse": Cause(
        "batch normalization used so that it harms",
        "06_normalization",
        "layers.BatchNormalization()  # Keras's own epsilon, not after the last layer\n"
        "layers.BatchNormalization(momentum=0.9)  # in a training of few steps\n"
        "model.fit(..., batch_size=32)",
    ),
    "frozen_layers": Cause(
        "layers that should learn have trainable=False",
        "15_transfer_and_ensembles",
        "for layer in model.layers:\n"
        "    layer.trainable = True\n"
        "model.compile(...)  # again: it is then that this takes effect",
    ),
    "oscillation": Cause(
        "the loss swings instead of settling",
        "10_learning_rate",
        "model.optimizer.learning_rate = model.optimizer.learning_rate / 10\n"
        "# momentum 0.9 at most, no tiny batches",
    ),
    "not_shuffled": Cause(
        "the rows are in an order that training or the split depends on",
        "11_batch_size",
        "order = rng.permutation(len(x)); x, y = x[order], y[order]  # then split\n"
        "model.fit(..., shuffle=True)",
    ),
    "preprocessing_mismatch": Cause(
        "training and validation rows are prepared differently",
        "06_normalization",
        "x_train = scaler.fit_transform(x_train)\n"
        "x_val = scaler.transform(x_val)  # the same scaler, the same order of columns",
    ),
    "nonfinite_data": Cause(
        "NaN or infinity among inputs or targets",
        "14_data",
        "rows = np.isfinite(x).all(axis=1) & np.isfinite(y)\n"
        "x, y = x[rows], y[rows]  # or sklearn.impute.SimpleImputer()",
    ),
    "undertrained": Cause(
        "training stopped while the loss was still falling",
        "13_early_stopping",
        "model.fit(..., epochs=200, callbacks=[\n"
        "    keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)])",
    ),
    "padding_not_masked": Cause(
        "a recurrent layer has to wade through padding",
        "19_monitoring",
        "layers.Embedding(words, units, mask_zero=True)\n"
        "# numbers: layers.Masking(mask_value=0.0)",
    ),
}
"""Each cause by its name."""
