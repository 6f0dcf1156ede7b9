"""Reading a provider's reply: mapped by index only, and refused unless every text has its score."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rerank_lab.core.errors import BackendError
from rerank_lab.remote.providers import Provider, ReplyMap

_HINT = "The server does not keep to this provider's format: check the base URL and the model."


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's scores, in the order of the texts sent, and what the server said of itself.

    `units` is None when the reply does not say what was billed.
    """

    scores: tuple[float, ...]
    model: str = ""
    tokens: int = 0
    units: float | None = None
    server_s: float = 0.0
    notes: tuple[str, ...] = ()


def parsed(text: str, provider: Provider) -> Any:
    """The JSON of a reply. Raises BackendError that says where it breaks off."""
    try:
        return json.loads(text)
    except ValueError as fault:
        raise _bad(
            provider, f"sent something that is not JSON ({fault})", text[:2000] or "(empty)"
        ) from None


def answer_of(payload: Any, sent: int, provider: Provider) -> Answer:
    """Check a parsed reply to `sent` texts and put its scores into the order of the texts.

    Raises BackendError for a missing or short list, an index that is unknown, repeated or no
    number, and a score that is missing or not finite. The order of the results does not matter.
    """
    spoken = provider.reply
    results = at(payload, spoken.results)
    if not isinstance(results, list):
        raise _bad(provider, f"sent no list {spoken.results!r} of results", _shown(payload))
    scores: dict[int, float] = {}
    for item in results:
        index, score = _index_of(item, sent, provider), _score_of(item, provider)
        if index in scores:
            raise _bad(provider, f"scored document {index} twice", _shown(item))
        scores[index] = score
    if len(scores) != sent:
        missing = [str(i) for i in range(sent) if i not in scores]
        what = f"scored {len(scores)} of {sent} documents, without number {', '.join(missing[:5])}"
        raise _bad(provider, what, _shown(payload))
    return Answer(
        tuple(scores[i] for i in range(sent)),
        model=_text(at(payload, spoken.model)) if spoken.model else "",
        tokens=int(_number(payload, spoken.tokens) or 0),
        units=_number(payload, spoken.units),
        server_s=_number(payload, spoken.server_s) or 0.0,
        notes=_notes(payload, spoken, provider),
    )


def at(payload: Any, path: str) -> Any:
    """The value at a dotted path ("" is the whole), or None when there is none."""
    value = payload
    for part in path.split(".") if path else ():
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _index_of(item: Any, sent: int, provider: Provider) -> int:
    index = at(item, provider.reply.index) if isinstance(item, dict) else None
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    if not isinstance(index, int) or isinstance(index, bool):
        raise _bad(provider, "sent a result without an index", _shown(item))
    if not 0 <= index < sent:
        raise _bad(provider, f"scored document {index}, but {sent} were sent", _shown(item))
    return index


def _score_of(item: Any, provider: Provider) -> float:
    score = at(item, provider.reply.score)
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise _bad(provider, "sent a result without a score", _shown(item))
    if not math.isfinite(score):
        raise _bad(provider, "sent a score that is not a finite number", _shown(item))
    return float(score)


def _number(payload: Any, path: str) -> float | None:
    value = at(payload, path) if path else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if value >= 0 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _notes(payload: Any, spoken: ReplyMap, provider: Provider) -> tuple[str, ...]:
    said = at(payload, spoken.warnings) if spoken.warnings else None
    listed: Sequence[Any] = said if isinstance(said, list) else ()
    return tuple(f"{provider.title}: {note}" for note in listed if isinstance(note, str))


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)[:2000]


def _bad(provider: Provider, what: str, details: str) -> BackendError:
    return BackendError(f"{provider.title} {what}.", hint=_HINT, details=details)
