"""Objects of Weaviate: from the REST interface, from GraphQL, or one a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Record, Row
from rerank_lab.corpora.readers.base import Match, Reader, ReadOptions, Sample, first_value
from rerank_lab.corpora.readers.payloads import payload_row
from rerank_lab.corpora.readers.registry import table_rows
from rerank_lab.corpora.source import Source

_ABOUT = "_additional"


class WeaviateReader(Reader):
    """`{"class": "Bird", "id": "...", "properties": {...}}`, or GraphQL's flat objects."""

    name = "weaviate"
    label = "objects of Weaviate"

    def sniff(self, sample: Sample) -> Match | None:
        """The first records have properties and an id, or `_additional`."""
        objects = [_fields(record) is not None for record in sample.records]
        if not objects or not all(objects):
            return None
        return Match(0.9, "its records have the fields of a Weaviate object")

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The properties of every object with its id; vectors are left behind."""
        for line, record in table_rows(source, options, log):
            about = record.get(_ABOUT)
            doc_id = first_value(record, ("id", "uuid", "_id"))
            if isinstance(about, dict):
                doc_id = about.get("id", doc_id)
            yield line, payload_row(doc_id, _fields(record), (_ABOUT,))


def _fields(record: Record) -> dict[str, Any] | None:
    """The properties of an object; None for a record that is none."""
    if isinstance(record.get(_ABOUT), dict):
        return record
    properties = record.get("properties")
    named = any(name in record for name in ("id", "uuid"))
    return properties if isinstance(properties, dict) and named else None
