"""Reading JSON bodies strictly, with errors that name the field and repeat nothing of its value."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import msgspec

from rerank_lab.server.refusals import RequestRefused

COMPONENT = "#/components/schemas/{name}"
"""Where an OpenAPI document has its named schemas."""
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def fields_of(body: bytes) -> dict[str, msgspec.Raw]:
    """The fields of a JSON object, not yet decoded. Raises RequestRefused (400) for others."""
    try:
        return _FIELDS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RequestRefused(400, "The body is not a JSON object.") from None


@dataclass(frozen=True, slots=True)
class BodyFields:
    """The fields of a JSON object: how they are read, and how they are described.

    Attributes:
        types: What each field must be.
        required: Fields that must be there.
        without_effect: Fields that are taken and passed over.
    """

    types: Mapping[str, Any]
    required: tuple[str, ...]
    without_effect: Set[str] = frozenset()

    def values(self, fields: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
        """The values of the fields that are present and not null, each of its type.

        Raises:
            RequestRefused: (422) a field is missing, unknown or of another type.
        """
        values: dict[str, Any] = {}
        for name, raw in fields.items():
            if name in self.without_effect:
                continue
            if name not in self.types:
                known = ", ".join(self.types)
                raise RequestRefused(422, f"{name[:60]}: no such field; known are {known}.")
            value = _decoded(name, raw, self.types[name] | None)
            if value is not None:
                values[name] = value
        for name in self.required:
            if name not in values:
                raise RequestRefused(422, f"{name}: it is missing.")
        return values

    def schema(
        self, bounds: Mapping[str, Mapping[str, Any]]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What it reads, as JSON Schema 2020-12, and the schemas that it refers to by name.

        Args:
            bounds: Further keywords by field, such as {"query": {"maxLength": 10000}}.
        """
        types = [
            kind if name in self.required else kind | None for name, kind in self.types.items()
        ]
        schemas, components = msgspec.json.schema_components(types, ref_template=COMPONENT)
        properties = {
            name: {**schema, **bounds.get(name, {})}
            for name, schema in zip(self.types, schemas, strict=True)
        }
        ignored = {name: {"description": "Taken, without effect."} for name in self.without_effect}
        schema = {
            "type": "object",
            "properties": properties | dict(sorted(ignored.items())),
            "required": list(self.required),
            "additionalProperties": False,
        }
        return schema, dict(components)


def _decoded(name: str, raw: msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.convert(_with_whole_numbers(msgspec.json.decode(raw)), type=kind)
    except msgspec.ValidationError as error:
        words, _, place = str(error).partition(" - at `$")
        raise RequestRefused(422, f"{name}{place.rstrip('`')}: {words}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestRefused(400, f"{name}: it is not valid JSON in UTF-8.") from None


def _with_whole_numbers(value: Any) -> Any:
    """A number such as 10.0 is an integer, as in JSON Schema: some languages send no others."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
