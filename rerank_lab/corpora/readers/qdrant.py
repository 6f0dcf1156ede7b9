"""Points of Qdrant: from scrolling, from a search, or one a line."""

from __future__ import annotations

from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, Reader, ReadOptions, Sample
from rerank_lab.corpora.readers.payloads import payload_row
from rerank_lab.corpora.readers.registry import table_rows
from rerank_lab.corpora.source import Source


class QdrantReader(Reader):
    """`{"id": 1, "payload": {"text": "..."}, "vector": [...]}`, the payload being the document."""

    name = "qdrant"
    label = "points of Qdrant"

    def sniff(self, sample: Sample) -> Match | None:
        """The first records have an id and a payload."""
        points = [isinstance(r.get("payload"), dict) and "id" in r for r in sample.records]
        return (
            Match(0.9, "its records have an id and a payload") if points and all(points) else None
        )

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The fields of every payload with the id of the point; vectors are left behind."""
        for line, record in table_rows(source, options, log):
            yield line, payload_row(record.get("id"), record.get("payload"))
