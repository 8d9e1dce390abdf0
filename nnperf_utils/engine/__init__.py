"""How many networks are trained at once. A reader of the course never opens it.

Cells go one way through these rooms, and each can be read alone:

``work``
    What is asked for, checked: cells, the data that each is trained on, how long.
``groups``
    Which cells can share a graph, and where each replica starts (``starts``).
``plan``
    How to train a group, and what to try where TensorFlow cannot follow.
``program``
    The compiled graph; beside it the numbers that may differ by replica (``numbers``),
    the optimizer on values (``stateless``), and what TensorFlow's ``pfor`` lacks
    (``vectorize``).
``training``
    The loop over groups and epochs; between epochs callbacks may set ``rates``.
``workers``
    The same on other processes and machines.

What comes out is put together by ``nnperf_utils.replicas``. The private parts of Keras
and TensorFlow that all this rests on are touched in ``private`` alone.
"""
