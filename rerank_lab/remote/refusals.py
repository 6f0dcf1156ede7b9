"""Failed requests as errors for people: the provider's own words, without the key, and a hint."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.errors import BackendError
from rerank_lab.core.text import load_json
from rerank_lab.remote.providers import Provider
from rerank_lab.remote.redaction import redacted
from rerank_lab.remote.responses import stated_error
from rerank_lab.remote.retries import TransportError

_LONGEST_MESSAGE = 400
_REDIRECTS = (300, 301, 302, 303, 307, 308)
_HINTS = {
    400: "The provider does not accept this request: compare model name and options with its "
    "documentation.",
    401: "Check the key in {key}: it may be mistyped, revoked or of another provider.",
    402: "The account has no credit left: check billing at the provider.",
    403: "The key in {key} may not use this: check its permissions, the account's credit and "
    "whether the model is still offered.",
    404: "There is no such model or address: check the model name and the base URL.",
    405: "No rerank or chat endpoint is at this address: check the base URL.",
    407: "The proxy on the way wants a user name and password: check HTTPS_PROXY.",
    408: "The server gave up waiting: rerank fewer candidates, or try again later.",
    409: "The provider is busy with the same thing: try again later.",
    410: "The model or address is no longer offered: check the model name.",
    413: "The request is too large: rerank fewer candidates, or cut the documents shorter.",
    422: "The provider does not know a field or value of this request: check model and options, "
    "and that the base URL speaks this provider's format.",
    415: "The server does not take JSON: check that the base URL speaks this provider's format.",
    424: "The server's model is not a reranker, or failed: check which model it serves.",
    429: "The provider's rate limit is used up: lower requests_per_minute or tokens_per_minute, "
    "or try again later.",
    451: "The provider does not answer from where you are, or not with this model, for legal "
    "reasons: use another provider, model or region.",
    501: "The server does not know this kind of request: check the base URL and the model it "
    "serves.",
    503: "The server is overloaded, or still loads its model: try again later.",
    529: "The provider is overloaded: try again later.",
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
            f"The connection to {provider.title} failed{tries}: "
            f"{body.rstrip('.') or 'no reason given'}.",
            hint="Check the base URL, that the server is up, and the network connection.",
            cause=error,
        )
    if error.status in _REDIRECTS:
        return RemoteError(
            f"{provider.title} redirects to another address ({error.status}); not followed, so "
            "that keys and documents go nowhere unexpected.",
            hint="Give the final address as base_url if you trust it.",
            cause=error,
            details=redacted(error.headers.get("location", ""), secrets),
        )
    # Once more: what was escaped in the body may be a key now.
    message = redacted(_message(body, provider.reply.error), secrets)
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
    if error.status in _HINTS:
        return _HINTS[error.status]
    if error.status < 400:
        return "Check the base URL: no rerank or chat endpoint answers so."
    return _HINTS[400] if error.status < 500 else "The provider has a fault: try again later."


def _message(body: str, path: str) -> str:
    """The provider's own message where the body holds one, else the body's beginning."""
    try:
        payload = load_json(body)
    except ValueError:
        return _shortened(body)
    return _shortened(stated_error(payload, path) or (body if payload else ""))


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > _LONGEST_MESSAGE:
        return text[:_LONGEST_MESSAGE] + " ..."
    return text.rstrip(".") or "no message"
