"""Exercises that check themselves: one module for each chapter that has some.

In a notebook:

>>> from nnperf_utils.exercises import vanishing_gradients as exercises
>>> exercises.factor_per_layer.check(factor_per_layer)  # doctest: +SKIP
>>> exercises.factor_per_layer.hint()  # doctest: +SKIP
>>> exercises.factor_per_layer.solution()  # doctest: +SKIP

`base` holds the mechanism and tells how to write a new exercise.
"""
