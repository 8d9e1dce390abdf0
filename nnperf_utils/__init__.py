"""The helper package of the course: models, experiments, instruments and figures."""

from importlib import import_module
from typing import Any

__all__ = ["compare", "replicate"]

_HOMES = {"compare": "comparison", "replicate": "replicas"}


def __getattr__(name: str) -> Any:
    # imported on first use, so that the data sets can be had without TensorFlow
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
