"""Documents of Vespa: what is fed, what a visit gives, and the answer to a search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Record, Row
from rerank_lab.corpora.readers.base import Match, Reader, ReadOptions, Sample, first_value
from rerank_lab.corpora.readers.payloads import payload_row
from rerank_lab.corpora.readers.registry import table_rows
from rerank_lab.corpora.source import Source

_PUTS = ("put", "update")
_OWN = ("sddocname", "documentid", "matchfeatures", "summaryfeatures", "rankfeatures")
"""Fields that Vespa adds to those of the document."""


class VespaReader(Reader):
    """`{"put": "id:birds:bird::a", "fields": {"text": "..."}}`; removals are counted only."""

    name = "vespa"
    label = "documents of Vespa"

    def sniff(self, sample: Sample) -> Match | None:
        """The first records have fields and a document id of Vespa, or are removals."""
        documents = [_vespa_id(record) is not None for record in sample.records]
        if not documents or not all(documents) or not any("fields" in r for r in sample.records):
            return None
        return Match(0.9, "its records have fields and an id of Vespa")

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The fields of every document; its id is what follows the last part of Vespa's."""
        for line, record in table_rows(source, options, log):
            fields = record.get("fields")
            if "remove" in record and not isinstance(fields, dict):
                log.tally(source.name, "removals")
                continue
            values = fields if isinstance(fields, dict) else {}
            plain = {name: _assigned(value) for name, value in values.items()}
            yield line, payload_row(_vespa_id(record), plain, _OWN)


def _vespa_id(record: Record) -> str | None:
    """The user's part of `id:namespace:type:modifiers:user's part`, None for a record without."""
    if not isinstance(record.get("fields"), dict) and "remove" not in record:
        return None
    value = first_value(record, (*_PUTS, "remove", "id"))
    if not isinstance(value, str):
        return None
    parts = value.split(":", 4)
    if parts[0] == "id" and len(parts) == 5:
        return parts[4]
    return value if "relevance" in record else None


def _assigned(value: Any) -> Any:
    """The value of a field, also where it is assigned by an update."""
    return value["assign"] if isinstance(value, dict) and value.keys() == {"assign"} else value
