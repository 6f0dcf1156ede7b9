"""What may be believed of a reply: every field is checked here before anything else reads it.

A field that a result depends on (a score, an index, an answer's text) is refused with a message
that names it. A field that only accompanies a result (usage, model, timings) is left out when it
makes no sense: good scores are not lost to a bad token count.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.core.context import Response
from rerank_lab.core.errors import BackendError
from rerank_lab.core.text import encodable, printable
from rerank_lab.remote.providers import Provider

_HINT = "The server does not keep to this provider's format: check the base URL and the model."
_HINT_PAGE = (
    "Check the base URL: a web site, a proxy or a page to sign in answers there, not the provider."
)
_HINT_CHAT = "Check that the base URL is an OpenAI-compatible one; most end in /v1."
_MOST_TOKENS = 1e12
_EVENT = "data:"
_LONGEST_HEAD = 20_000
_WEB_PAGE = re.compile(
    r"\s*(?:<!doctype html|<html|<head)(?:(?!<title).)*(?:<title[^>]*>(?P<title>[^<]*))?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class RelevantSpan:
    """The characters [start, end) of a document that a provider calls relevant, with a score."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class RerankResponse:
    """One request's scores, in the order of the texts sent, and what the server said of itself.

    `units` is None when the reply does not say what was billed. `spans` holds the relevant spans
    of each text, () where the provider gives none. `notes` are for people.
    """

    scores: tuple[float, ...]
    model: str = ""
    tokens: int = 0
    units: float | None = None
    server_s: float = 0.0
    notes: tuple[str, ...] = ()
    spans: tuple[tuple[RelevantSpan, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer of a language model.

    `first_token` holds (token, log-probability) of the alternatives of the answer's first token;
    None when the endpoint gives no probabilities. `prompt_logprobs` holds (offset, log-probability)
    of the prompt's own tokens, where a completions call with `echo` gave them.
    """

    text: str
    truncated: bool = False
    refused: bool = False
    first_token: tuple[tuple[str, float], ...] | None = None
    prompt_logprobs: tuple[tuple[int, float], ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0
    model: str = ""


class ErrorReply(BackendError):
    """An error in a reply whose own status says that all is well.

    `status` is what the error calls itself, 0 where it does not say.
    """

    status = 0


def parse_json(text: str, title: str) -> object:
    """The JSON of a reply of the server called `title`.

    Raises:
        BackendError: The text is not JSON; the message says where it breaks off, or that it is
            empty or a web page.
    """
    if not text.strip():
        raise _unusable(title, "sent an empty reply", "")
    if page := _WEB_PAGE.match(text[:_LONGEST_HEAD]):
        name = " ".join(html.unescape(page["title"] or "").split())[:100]
        problem = "sent a web page" + (f", titled {name!r}" if name else "") + ", not JSON"
        raise _unusable(title, problem, text[:2000], _HINT_PAGE)
    try:
        payload: object = json.loads(text)
    except RecursionError:
        raise _unusable(title, "sent JSON that is nested too deeply", text[:200]) from None
    except ValueError as error:
        raise _unusable(title, f"sent something that is not JSON ({error})", text[:2000]) from None
    return payload


def rerank_response(payload: object, count: int, provider: Provider) -> RerankResponse:
    """Check a parsed reply to `count` texts and put its scores into the order of the texts.

    The order of the results does not matter.

    Raises:
        ErrorReply: The reply holds an error in place of the list.
        BackendError: The list is missing or short, an index is unknown, repeated or no whole
            number, or a score is missing or not a finite number.
    """
    fields = provider.reply
    results = at(payload, fields.results)
    if not isinstance(results, list):
        _raise_stated(payload, fields.error, provider.title)
        raise _unusable(provider.title, f"sent no list {fields.results!r} of results", payload)
    scores: dict[int, float] = {}
    spans: dict[int, tuple[RelevantSpan, ...]] = {}
    for item in results:
        index = _index(item, count, provider)
        if index in scores:
            raise _unusable(provider.title, f"scored document {index} twice", item)
        scores[index] = _score(item, provider)
        spans[index] = _spans(at(item, fields.spans)) if fields.spans else ()
    if len(scores) != count:
        missing = ", ".join([str(i) for i in range(count) if i not in scores][:5])
        problem = f"scored {len(scores)} of {count} documents, without number {missing}"
        raise _unusable(provider.title, problem, payload)
    return RerankResponse(
        tuple(scores[i] for i in range(count)),
        model=printable(_text(at(payload, fields.model))) if fields.model else "",
        tokens=token_count(at(payload, fields.tokens)) if fields.tokens else 0,
        units=_amount(at(payload, fields.units)) if fields.units else None,
        server_s=(_amount(at(payload, fields.server_s)) or 0.0) if fields.server_s else 0.0,
        notes=_notes(payload, provider),
        spans=tuple(spans[i] for i in range(count)) if fields.spans else (),
    )


def completion(response: Response, host: str) -> Completion:
    """Read the reply of a chat or completions endpoint, streamed as events or in one piece.

    Raises:
        ErrorReply: The reply holds an error in place of an answer.
        BackendError: The reply is no JSON object or holds no answer.
    """
    payload = _events(response.body, host) or parse_json(response.body, host)
    choices = at(payload, "choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    text = _content(_answer_of(choice))
    if not text:
        _raise_stated(choice if at(choice, "error") else payload, "error.message", host)
    if not isinstance(choice, dict):
        problem = "gave a reply that cannot be read: it holds no choices"
        raise _unusable(f"The endpoint at {host}", problem, payload, _HINT_CHAT)
    return Completion(
        text=encodable(text),
        truncated=choice.get("finish_reason") == "length",
        refused=choice.get("finish_reason") == "content_filter"
        or bool(at(choice, "message.refusal")),
        first_token=_first_token(at(choice, "logprobs.content")),
        prompt_logprobs=_prompt_logprobs(at(choice, "logprobs")),
        tokens_in=token_count(at(payload, "usage.prompt_tokens")),
        tokens_out=token_count(at(payload, "usage.completion_tokens")),
        model=printable(_text(at(payload, "model"))),
    )


def stated_error(payload: object, path: str) -> str:
    """What a reply says of an error, at `path` or in one of the usual places; "" for nothing."""
    for name in (path, "message", "detail", "error.message", "error", "errors", "msg",
                 "fault.faultstring"):  # fmt: skip
        value = at(payload, name) if name else payload
        words = _validation_words(value) if isinstance(value, list) else value
        if isinstance(words, str) and words.strip():
            return words
    return ""


def at(payload: object, path: str) -> object:
    """The value at a dotted path ("" is the whole), or None when there is none."""
    value = payload
    for part in path.split(".") if path else ():
        value = value.get(part) if isinstance(value, dict) else None
    return value


def token_count(value: object) -> int:
    """A number of tokens; 0 for anything that is none."""
    amount = _amount(value)
    return int(amount) if amount is not None and amount <= _MOST_TOKENS else 0


def finite(value: object) -> float | None:
    """The value as a finite number; None for anything else, such as a text or 1e400."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _from_digits(value: object) -> object:
    """A number that is written as a text, such as "429"; anything else as it is."""
    is_digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16
    return int(str(value)) if is_digits else value


def _amount(value: object) -> float | None:
    number = finite(value)
    return number if number is not None and number >= 0 else None


def _index(item: object, count: int, provider: Provider) -> int:
    index = at(item, provider.reply.index) if isinstance(item, dict) else None
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    if not isinstance(index, int) or isinstance(index, bool):
        raise _unusable(provider.title, "sent a result without an index", item)
    if not 0 <= index < count:
        number = str(index) if abs(index) < 10**12 else "of an absurd number"
        raise _unusable(provider.title, f"scored document {number}, but {count} were sent", item)
    return index


def _score(item: object, provider: Provider) -> float:
    value = at(item, provider.reply.score)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _unusable(provider.title, "sent a result without a score", item)
    score = finite(value)
    if score is None:
        raise _unusable(provider.title, "sent a score that is not a finite number", item)
    return score


def _spans(value: object) -> tuple[RelevantSpan, ...]:
    spans = []
    for item in value if isinstance(value, list) else ():
        start, end = token_count(at(item, "start")), token_count(at(item, "end"))
        if start < end:
            spans.append(RelevantSpan(start, end, finite(at(item, "score")) or 0.0))
    return tuple(spans)


def _notes(payload: object, provider: Provider) -> tuple[str, ...]:
    warnings = at(payload, provider.reply.warnings) if provider.reply.warnings else None
    listed = warnings if isinstance(warnings, list) else []
    return tuple(f"{provider.title}: {printable(note)}" for note in listed if isinstance(note, str))


def _first_token(content: object) -> tuple[tuple[str, float], ...] | None:
    first = content[0] if isinstance(content, list) and content else None
    alternatives = at(first, "top_logprobs")
    if not isinstance(alternatives, list):
        return None if first is None else ()
    pairs = ((at(item, "token"), finite(at(item, "logprob"))) for item in alternatives)
    return tuple((token, p) for token, p in pairs if isinstance(token, str) and p is not None)


def _prompt_logprobs(logprobs: object) -> tuple[tuple[int, float], ...]:
    offsets, values = at(logprobs, "text_offset"), at(logprobs, "token_logprobs")
    if not isinstance(offsets, list) or not isinstance(values, list):
        return ()
    pairs = ((at_, finite(value)) for at_, value in zip(offsets, values, strict=False))
    return tuple((at_, p) for at_, p in pairs if isinstance(at_, int) and p is not None)


def _content(content: object) -> str:
    """The text of a message, which some servers send in parts."""
    if isinstance(content, list):
        return "".join(_text(at(part, "text")) for part in content)
    return _text(content)


def _answer_of(choice: object) -> object:
    content = at(choice, "message.content")
    return at(choice, "text") if content is None else content


def _raise_stated(payload: object, path: str, title: str) -> None:
    words = stated_error(payload, path) if isinstance(payload, dict) else ""
    if not words:
        return
    error = ErrorReply(
        f"{title} sent an error in place of an answer: {words[:400].rstrip('.')}.",
        hint="Check model, options and the account, then try again.",
        details=_json(payload)[:2000],
    )
    places = ("error.code", "error.status", "code", "status", "statusCode")
    codes = (token_count(_from_digits(at(payload, place))) for place in places)
    error.status = next((code for code in codes if 400 <= code < 600), 0)
    raise error


def _validation_words(entries: Sequence[object]) -> str:
    """What FastAPI says of a request: `documents.3: String should have at most 9 characters`."""
    words = []
    for entry in entries:
        text = next((t for name in ("msg", "message") if (t := _text(at(entry, name)))), "")
        if text:
            loc = at(entry, "loc")
            place = [str(part) for part in loc if part != "body"] if isinstance(loc, list) else []
            words.append(": ".join(part for part in (".".join(place), text) if part))
    return "; ".join(words)


def _events(body: str, host: str) -> Mapping[str, object] | None:
    """Server-sent events put together to one reply; None when the body is none.

    Some servers, `transformers serve` among them, stream although nobody asked for it.
    """
    if not body.lstrip().startswith((_EVENT, "event:", ": ")):
        return None
    lines = (line.strip() for line in body.splitlines())
    data = (line.removeprefix(_EVENT).strip() for line in lines if line.startswith(_EVENT))
    events = [parse_json(text, host) for text in data if text and text != "[DONE]"]
    choices = [choice for event in events if isinstance(choice := _first_choice(event), dict)]
    text = "".join(_text(at(choice, "delta.content")) for choice in choices)
    reasons = [choice.get("finish_reason") for choice in choices]
    usage = next((u for event in events if (u := at(event, "usage"))), None)
    model = next((m for event in events if (m := _text(at(event, "model")))), "")
    finish = next((reason for reason in reasons if reason), None)
    fault = next((event for event in events if at(event, "error")), None)
    if not text and isinstance(fault, dict):
        return fault
    message = {"content": text}
    listed = [{"message": message, "finish_reason": finish}] if choices else []
    return {"choices": listed, "usage": usage, "model": model}


def _first_choice(event: object) -> object:
    choices = at(event, "choices")
    return choices[0] if isinstance(choices, list) and choices else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _unusable(title: str, problem: str, details: object, hint: str = _HINT) -> BackendError:
    text = details if isinstance(details, str) else _json(details)
    return BackendError(f"{title} {problem}.", hint=hint, details=text[:2000])


def _json(value: object) -> str:
    try:
        return json.dumps(value, default=str)
    except (ValueError, RecursionError):
        return "(too deeply nested to be shown)"
