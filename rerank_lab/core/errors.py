"""Every error that can reach a user.

    LabError                 base: a message, a hint (the next thing to do), optional details
    ├── InvalidInput         a file, option, spec or value that cannot be used as given
    ├── MissingExtra         an optional package is not installed
    ├── MissingKey           a provider's key is not set
    ├── ModelUnavailable     a model cannot be found, fetched or loaded here
    ├── StorageError         a folder or file of the lab cannot be written, or is damaged
    ├── BackendError         a backend answered with an error (retryable or not)
    ├── DeadlineExceeded     the time allowed is used up
    ├── SpendLimit           the next call would pass the spend limit
    ├── NotAllowed           the visitor's role does not allow it
    ├── Cancelled            the user, or the last waiter, gave up
    └── ContractViolation    a component broke its contract (a defect in that component)

The UI, the command line and the API show `message` and `hint` word for word.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from rerank_lab.core.text import printable


class LabError(Exception):
    """An error meant for a person: what happened (`message`) and what to do next (`hint`)."""

    kind = "error"

    def __init__(self, message: str, *, hint: str, details: str = "") -> None:
        super().__init__(message)
        self.message = printable(message)
        self.hint = printable(hint)
        self.details = printable(details)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), vars(self))

    def to_json(self) -> dict[str, str]:
        """The shape that the command line and the API print: error, message, hint (and details)."""
        fields = {"error": self.kind, "message": self.message, "hint": self.hint}
        return fields | ({"details": self.details} if self.details else {})


def _again(kind: type[LabError], fields: dict[str, Any]) -> LabError:
    """The same error in another process."""
    error = kind.__new__(kind, fields["message"])
    vars(error).update(fields)
    return error


class InvalidInput(LabError):
    """Something given by the user cannot be used. `problems` lists all that was found."""

    kind = "invalid_input"

    def __init__(
        self, message: str, *, hint: str, details: str = "", problems: Sequence[str] = ()
    ) -> None:
        super().__init__(message, hint=hint, details=details or "\n".join(problems))
        self.problems = tuple(problems)


class MissingExtra(LabError):
    """An optional package is not installed."""

    kind = "missing_extra"

    @classmethod
    def of(cls, what: str, extra: str) -> MissingExtra:
        """`what` needs the optional dependency group `extra` of this package."""
        return cls(
            f"{what} needs packages that are not installed.",
            hint=f"Install them with: pip install 'rerank-lab[{extra}]'",
        )


class MissingKey(LabError):
    """A provider's key is not set."""

    kind = "missing_key"


class ModelUnavailable(LabError):
    """A model cannot be found, fetched or loaded here."""

    kind = "model_unavailable"


class StorageError(LabError):
    """The disk is full, a folder is read-only, or a file is in use or `damaged`."""

    kind = "storage_error"

    def __init__(
        self, message: str, *, hint: str, details: str = "", damaged: bool = False
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.damaged = damaged


class BackendError(LabError):
    """A model, engine or provider failed while working. `retryable` says whether again may help."""

    kind = "backend_error"

    def __init__(
        self, message: str, *, hint: str, details: str = "", retryable: bool = False
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.retryable = retryable


class DeadlineExceeded(LabError):
    """The time allowed is used up."""

    kind = "deadline_exceeded"


class SpendLimit(LabError):
    """The next call would pass the spend limit."""

    kind = "spend_limit"


class NotAllowed(LabError):
    """The visitor's role does not allow it."""

    kind = "not_allowed"


class Cancelled(LabError):
    """The user, or the last who waited for the work, gave up."""

    kind = "cancelled"

    def __init__(
        self, message: str = "Cancelled.", *, hint: str = "Start it again when ready."
    ) -> None:
        super().__init__(message, hint=hint)


class ContractViolation(LabError):
    """A component broke its contract: a defect in that component."""

    kind = "contract_violation"


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "a" or "b"?` with the names nearest to `word`, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""
