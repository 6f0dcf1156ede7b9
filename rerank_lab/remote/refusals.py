"""Failed requests as errors for people: the provider's own words, without the key, and a hint."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.errors import BackendError
from rerank_lab.core.text import load_json
from rerank_lab.remote.providers import Provider
from rerank_lab.remote.redaction import redacted
from rerank_lab.remote.retries import TransportError

_LONGEST_MESSAGE = 400
_HINTS = {
    400: "The provider does not accept this request: compare model name and options with its "
    "documentation.",
    401: "Check the key in {key}: it may be mistyped, revoked or of another provider.",
    402: "The account has no credit left: check billing at the provider.",
    403: "The key in {key} may not use this: check its permissions, the account's credit and "
    "whether the model is still offered.",
    404: "There is no such model or address: check the model name and the base URL.",
    413: "The request is too large: rerank fewer candidates, or cut the documents shorter.",
    422: "The provider does not know a field or value of this request: check model and options, "
    "and that the base URL speaks this provider's format.",
    424: "The server's model is not a reranker, or failed: check which model it serves.",
    429: "The provider's rate limit is used up: lower requests_per_minute or tokens_per_minute, "
    "or try again later.",
}
_TOO_LONG = (
    "A text is longer than the server reads: import the corpus cut into passages, or let the "
    "server cut long texts."
)


class RemoteError(BackendError):
    """A provider or server did not answer a request; `cause` is what the transport saw."""

    def __init__(
        self, message: str, *, hint: str, cause: TransportError, details: str = ""
    ) -> None:
        super().__init__(message, hint=hint, details=details, retryable=cause.retryable)
        self.cause = cause


def refusal(
    error: TransportError, provider: Provider, secrets: Sequence[str], attempts: int, summary: str
) -> RemoteError:
    """The error to show after the last attempt. `summary` says what was sent."""
    body = redacted(error.body, secrets)
    tries = f" after {attempts} attempts" if attempts > 1 else ""
    if error.kind == "timeout":
        return RemoteError(
            f"{provider.title} did not answer in time{tries} ({summary}).",
            hint="Raise timeout_s, rerank fewer candidates, or try again later.",
            cause=error,
            details=body,
        )
    if error.kind == "connection":
        return RemoteError(
            f"The connection to {provider.title} failed{tries}: {body or 'no reason given'}.",
            hint="Check the base URL, that the server is up, and the network connection.",
            cause=error,
        )
    if 300 <= error.status < 400:
        return RemoteError(
            f"{provider.title} redirects to another address ({error.status}); not followed, so "
            "that keys and documents go nowhere unexpected.",
            hint="Give the final address as base_url if you trust it.",
            cause=error,
            details=redacted(error.headers.get("location", ""), secrets),
        )
    message = _message(body, provider.reply.error)
    kind = error.headers.get("x-amzn-errortype", "").partition(":")[0]
    if kind:
        message = f"{redacted(kind, secrets)}: {message}"
    return RemoteError(
        f"{provider.title} answered {error.status}{tries}: {message} ({summary}).",
        hint=_hint(error).format(key=provider.key),
        cause=error,
        details=body,
    )


def _hint(error: TransportError) -> str:
    if error.too_long:
        return _TOO_LONG
    if 400 <= error.status < 500:
        return _HINTS.get(error.status, _HINTS[400])
    return "The provider has a fault: try again later."


def _message(body: str, path: str) -> str:
    """The provider's own message where the body holds one, else the body's beginning."""
    try:
        payload = load_json(body)
    except (ValueError, RecursionError):
        return _shortened(body)
    for name in [path, "message", "detail", "error.message", "error"]:
        value = payload
        for part in name.split(".") if name else []:
            value = value.get(part) if isinstance(value, dict) else None
        words = _validation_words(value) if isinstance(value, list) else value
        if isinstance(words, str) and words.strip():
            return _shortened(words)
    return _shortened(body)


def _validation_words(entries: Sequence[object]) -> str:
    """What FastAPI says of a request: `documents.3: String should have at most 9 characters`."""
    words = []
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("msg"), str):
            loc = entry.get("loc")
            place = [str(part) for part in loc if part != "body"] if isinstance(loc, list) else []
            words.append(": ".join(part for part in (".".join(place), entry["msg"]) if part))
    return "; ".join(words)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > _LONGEST_MESSAGE:
        return text[:_LONGEST_MESSAGE] + " ..."
    return text.rstrip(".") or "no message"
