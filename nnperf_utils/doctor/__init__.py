"""The doctor: a Keras callback that says what is wrong with a training, and why.

``doctor = Doctor(x_train, y_train, validation_data=(x_val, y_val))`` goes among the
callbacks of ``model.fit``; ``doctor`` alone in a cell then shows a card for each
finding. How often it is right is measured in ``benchmarks/doctor``.

Its rooms, in the order in which a training passes through them: `recording` keeps
copies while a network trains, `data`, `network`, `structure`, `readings` and
`reference` each look at one side of it, `evidence` collects, `rules` conclude, `causes`
hold the names and remedies, `finding`, `cards` and `pictures` show, `callback` is the
Doctor, and `examining` calls several.
"""

from nnperf_utils.doctor.callback import Doctor
from nnperf_utils.doctor.causes import CAUSES
from nnperf_utils.doctor.examining import examine
from nnperf_utils.doctor.finding import Finding

__all__ = ["CAUSES", "Doctor", "Finding", "examine"]
