"""What is wrong with given data: problems with file, line and field, capped but counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from rerank_lab.core.errors import InvalidInput


class Severity(StrEnum):
    """`error`: something was left out. `warning`: kept, perhaps not as meant. `info`: a note."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `line` counts from 1; 0 means the file as a whole (or a row without a line)."""

    severity: Severity
    message: str
    hint: str = ""
    file: str = ""
    line: int = 0
    field: str = ""

    @property
    def where(self) -> str:
        """The place in words, such as `corpus.jsonl, line 7, field text`; empty when unknown."""
        parts = [self.file, f"line {self.line}" if self.line else ""]
        parts.append(f"field {self.field}" if self.field else "")
        return ", ".join(part for part in parts if part)

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as they are written to reports."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values


class ProblemLog:
    """Collects problems. The first `limit` of each severity are kept word for word, all counted."""

    def __init__(self, limit: int = 50) -> None:
        self._limit = limit
        self._kept: list[Problem] = []
        self._counts: Counter[Severity] = Counter()
        self.tallies: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """What was counted in each file while it was read, such as its lines and empty lines."""

    def add(self, problem: Problem) -> None:
        """Count a problem, and keep it while there are fewer than the limit of its severity."""
        self._counts[problem.severity] += 1
        if self._counts[problem.severity] <= self._limit:
            self._kept.append(problem)

    def error(
        self, message: str, hint: str, *, file: str = "", line: int = 0, field: str = ""
    ) -> None:
        """Something was left out."""
        self.add(Problem(Severity.ERROR, message, hint, file, line, field))

    def warning(
        self, message: str, hint: str, *, file: str = "", line: int = 0, field: str = ""
    ) -> None:
        """Something was kept that may not be what was meant."""
        self.add(Problem(Severity.WARNING, message, hint, file, line, field))

    def note(
        self, message: str, hint: str = "", *, file: str = "", line: int = 0, field: str = ""
    ) -> None:
        """Something worth knowing."""
        self.add(Problem(Severity.INFO, message, hint, file, line, field))

    def tally(self, file: str, what: str, count: int = 1) -> None:
        """Count something of a file that is no problem but explains its numbers."""
        self.tallies[file][what] += count

    def refused(self, error: InvalidInput, file: str) -> None:
        """A whole file that cannot be used, as one problem of the collection it belongs to."""
        self.error(error.message, error.hint, file=file)

    def count(self, severity: Severity) -> int:
        """How many problems of this severity there were, kept or not."""
        return self._counts[severity]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Errors first, then warnings, then notes; each by file as met, then by line."""
        order = (Severity.ERROR, Severity.WARNING, Severity.INFO)
        files = list(dict.fromkeys(problem.file for problem in self._kept))
        at = {file: position for position, file in enumerate(files)}
        return tuple(
            sorted(self._kept, key=lambda p: (order.index(p.severity), at[p.file], p.line))
        )

    @property
    def left_out(self) -> int:
        """How many problems were counted but not kept."""
        return self._counts.total() - len(self._kept)

    def lines(self, severities: Iterable[Severity] = (Severity.ERROR,)) -> list[str]:
        """The kept problems of these severities as text, and a last line counting the rest."""
        chosen = set(severities)
        lines = [str(problem) for problem in self.problems if problem.severity in chosen]
        rest = sum(self._counts[severity] for severity in chosen) - len(lines)
        return [*lines, f"... and {rest:,} more"] if rest else lines

    def raise_errors(self, message: str, hint: str) -> None:
        """Raise one InvalidInput that lists every error, if there is any."""
        if self._counts[Severity.ERROR]:
            raise InvalidInput(message, hint=hint, problems=self.lines())
