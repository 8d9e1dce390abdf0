"""A finding: a cause, how sure the doctor is, what was seen, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from nnperf_utils.doctor.causes import CAUSES

__all__ = ["Finding"]


@dataclass(frozen=True, eq=False)
class Finding:
    """What the doctor found.

    Attributes
    ----------
    cause : str
        One of :data:`CAUSES`.
    confidence : float
        From 0 to 1: of findings with this number in the development set of
        ``benchmarks/doctor``, about this share was right.
    layer : str or None
        Where, by Keras's name; None where it is no single layer's fault.
    evidence : pandas.DataFrame
        Columns ``epoch, layer, what, value, usual``: what was seen, and what is usual.
    epoch : int
        When it showed; 0 before the first update.
    remedy : str
        Lines of code to copy.
    chapter : str
        The chapter that explains it, by its file's name.
    reason : str
        What was seen, in a sentence.
    """

    cause: str
    confidence: float
    layer: str | None
    evidence: pd.DataFrame
    epoch: int
    remedy: str
    chapter: str
    reason: str = field(default="")

    def __post_init__(self) -> None:
        """Check the cause's name, which is an interface."""
        if self.cause not in CAUSES:
            raise ValueError(f"cause must be one of CAUSES, got {self.cause!r}.")

    @property
    def meaning(self) -> str:
        """What the cause means, in a few words."""
        return CAUSES[self.cause].meaning

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, as JSON takes them."""
        rows = self.evidence.astype(object).where(self.evidence.notna(), None)
        return {
            "cause": self.cause,
            "confidence": round(float(self.confidence), 3),
            "layer": self.layer,
            "epoch": self.epoch,
            "reason": self.reason,
            "remedy": self.remedy,
            "chapter": self.chapter,
            "evidence": [
                {k: v.item() if hasattr(v, "item") else v for k, v in row.items()}
                for row in rows.to_dict("records")
            ],
        }

    def __str__(self) -> str:
        """Return two lines for a log."""
        where = f" in {self.layer}" if self.layer else ""
        return f"{self.cause} ({self.confidence:.0%}){where}: {self.reason}"
