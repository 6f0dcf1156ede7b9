"""The health badge: what is known of a model before one believes its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rerank_lab.errors import LabError

_GRAVITY = {"healthy": 0, "unchecked": 1, "checking": 2, "suspect": 3, "broken": 4}


@dataclass(frozen=True, slots=True)
class Badge:
    """`state`: healthy, checking, unchecked, suspect or broken; `reasons`: why and what to do."""

    state: str
    reasons: tuple[str, ...] = ()

    @property
    def gravity(self) -> int:
        return _GRAVITY.get(self.state, 1)


def badge(report: Any, error: LabError | None = None) -> Badge:
    """The badge of a health report (None: still being checked). A failed check is no verdict."""
    if error is not None:
        return Badge("unchecked", (f"{error.message} {error.hint}",))
    if report is None:
        return Badge("checking")
    reasons = tuple(f"{f.message} {f.hint}".strip() for f in report.findings)
    return Badge(str(report.state), reasons)
