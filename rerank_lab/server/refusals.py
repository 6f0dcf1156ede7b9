"""Why a request is not answered, with the status that says so over HTTP."""

from __future__ import annotations

from rerank_lab.core.errors import (
    BackendError,
    DeadlineExceeded,
    InvalidInput,
    LabError,
    MissingExtra,
    MissingKey,
    ModelUnavailable,
    NotAllowed,
    SpendLimit,
    StorageError,
)

CLIENT_LEFT = 499
"""Nobody reads this one; logs and metrics tell it apart."""
_STATUSES: tuple[tuple[type[LabError], int], ...] = (
    (InvalidInput, 422),
    (NotAllowed, 403),
    (DeadlineExceeded, 504),
    (MissingExtra, 503),
    (MissingKey, 503),
    (ModelUnavailable, 503),
    (SpendLimit, 503),
    (StorageError, 503),
    (BackendError, 502),
)


class RequestRefused(Exception):
    """A request that is not answered.

    Attributes:
        status: Of HTTP.
        message: For whoever wrote the client; never a text of the request, never a key.
        retry_after: Whole seconds after which another attempt makes sense; 0 for no such advice.
    """

    def __init__(self, status: int, message: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after


def refusal_of(error: LabError) -> RequestRefused:
    """What a pipeline's error is over HTTP."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    return RequestRefused(status, str(error))
