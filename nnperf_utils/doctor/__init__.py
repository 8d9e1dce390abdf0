"""The doctor: a Keras callback that says what is wrong with a training, and why.

``doctor = Doctor(x_train, y_train, validation_data=(x_val, y_val))`` goes among the
callbacks of ``model.fit``; ``doctor`` alone in a cell then shows a card for each
finding. How often it is right is measured in ``benchmarks/doctor``.

Its rooms, in the order in which a training passes through them: `recording` keeps
copies while a network trains, `data`, `network`, `structure`, `readings` and
`reference` each look at one side of it, `evidence` collects, `rules` conclude, `causes`
hold the names and remedies, `finding`, `cards` and `pictures` show.
"""

from nnperf_utils.doctor.callback import Doctor
from nnperf_utils.doctor.causes import CAUSES
from nnperf_utils.doctor.finding import Finding

__all__ = ["CAUSES", "Doctor", "Finding", "examine"]


def examine(build, x_train, y_train, *, validation_data=None, seeds=5, **given):
    """Train a network from several seeds and tell which findings come back.

    Parameters
    ----------
    build : callable
        Returns a new compiled network.
    x_train, y_train, validation_data
        As of :class:`Doctor`.
    seeds : int
    **given
        ``epochs`` and ``batch_size``.

    Returns
    -------
    pandas.DataFrame
        As :meth:`Doctor.examine` returns it.
    """
    doctor = Doctor(x_train, y_train, validation_data=validation_data)
    return doctor.examine(build, seeds, **given)
