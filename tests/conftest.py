"""What all tests share."""

import os
from typing import Any

# as in the Makefile, for a test that is run by hand
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_make_parametrize_id(val: Any) -> str | None:
    """Name a function by its name: its address differs from worker to worker."""
    return getattr(val, "__name__", None) if callable(val) else None
