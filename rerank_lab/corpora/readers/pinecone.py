"""Vectors of Pinecone with their metadata."""

from __future__ import annotations

from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, Reader, ReadOptions, Sample
from rerank_lab.corpora.readers.payloads import payload_row
from rerank_lab.corpora.readers.registry import table_rows
from rerank_lab.corpora.source import Source

_VECTORS = ("values", "sparse_values", "sparseValues")


class PineconeReader(Reader):
    """`{"id": "a", "values": [...], "metadata": {...}}`, the metadata being the document."""

    name = "pinecone"
    label = "vectors of Pinecone"

    def sniff(self, sample: Sample) -> Match | None:
        """The first records have an id, values and metadata."""
        vectors = [
            isinstance(r.get("metadata"), dict) and "id" in r and any(v in r for v in _VECTORS)
            for r in sample.records
        ]
        if not vectors or not all(vectors):
            return None
        return Match(0.9, "its records have an id, values and metadata")

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The metadata of every vector with its id."""
        for line, record in table_rows(source, options, log):
            yield line, payload_row(record.get("id"), record.get("metadata"))
