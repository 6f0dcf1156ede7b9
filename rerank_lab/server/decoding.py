"""Reading JSON bodies strictly, with errors that name the field and repeat nothing of its value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from rerank_lab.server.refusals import RequestRefused

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def fields_of(body: bytes) -> dict[str, msgspec.Raw]:
    """The fields of a JSON object, not yet decoded. Raises RequestRefused (400) for others."""
    try:
        return _FIELDS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RequestRefused(400, "The body is not a JSON object.") from None


def values_of(
    fields: Mapping[str, msgspec.Raw],
    types: Mapping[str, Any],
    required: Collection[str],
    without_effect: Collection[str] = (),
) -> dict[str, Any]:
    """The values of the fields that are present and not null, each of its type.

    Args:
        fields: As the client sent them.
        types: What each field must be.
        required: Fields that must be there.
        without_effect: Fields that are taken and passed over.

    Raises:
        RequestRefused: (422) a field is missing, unknown or of another type.
    """
    values: dict[str, Any] = {}
    for name, raw in fields.items():
        if name in without_effect:
            continue
        if name not in types:
            known = ", ".join(types)
            raise RequestRefused(422, f"{name[:60]}: no such field; known are {known}.")
        value = _decoded(name, raw, types[name] | None)
        if value is not None:
            values[name] = value
    for name in required:
        if name not in values:
            raise RequestRefused(422, f"{name}: it is missing.")
    return values


def _decoded(name: str, raw: msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        words, _, place = str(error).partition(" - at `$")
        raise RequestRefused(422, f"{name}{place.rstrip('`')}: {words}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestRefused(400, f"{name}: it is not valid JSON in UTF-8.") from None
