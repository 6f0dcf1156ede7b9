"""Documents as retrieval frameworks write them: LangChain, LlamaIndex, Haystack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import META, ColumnMapping, Row
from rerank_lab.corpora.readers.base import Match, Reader, ReadOptions, Sample, first_value
from rerank_lab.corpora.readers.registry import table_rows
from rerank_lab.corpora.source import Source

_SHAPES = (
    ("LangChain", {"page_content"}),
    ("LangChain", {"kwargs", "lc"}),
    ("LlamaIndex", {"id_", "text"}),
    ("LlamaIndex", {"id_", "text_resource"}),
    ("LlamaIndex", {"node", "score"}),
    ("Haystack", {"content", "meta", "blob"}),
)


class FrameworkDocumentReader(Reader):
    """Document objects of a framework; those whose id is null are numbered by their row."""

    name = "framework-documents"
    label = "documents of a framework"
    mapping = ColumnMapping("text", "id", "title")

    def sniff(self, sample: Sample) -> Match | None:
        """The first records have the fields of one framework's document class."""
        for framework, fields in _SHAPES:
            if sample.records and all(fields <= record.keys() for record in sample.records):
                return Match(0.85, f"its records have the fields of a {framework} document")
        return None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """Text, id and metadata of every document; embeddings are left behind."""
        numbered = 0
        for number, (line, record) in enumerate(table_rows(source, options, log), 1):
            inner = record.get("kwargs")
            record = inner if isinstance(inner, dict) and "page_content" in inner else record
            node = record.get("node")
            record = node if isinstance(node, dict) else record
            metadata = first_value(record, ("metadata", "meta"))
            about = metadata if isinstance(metadata, dict) else {}
            doc_id = first_value(record, ("id_", "id"))
            if doc_id is None:
                doc_id = f"d{number}"
                numbered += 1
            row = {
                "id": doc_id,
                "title": about.get("title"),
                "text": node_text(record),
                META: about,
            }
            yield line, row
        if numbered:
            log.note(
                f"{numbered:,} documents have no id; they are called d and the number of their "
                "row.",
                file=source.name,
            )


def node_text(record: Mapping[str, Any]) -> str:
    """The text of a document or node; LlamaIndex keeps it in a resource since 0.12."""
    resource = record.get("text_resource")
    inner = resource.get("text") if isinstance(resource, dict) else None
    text = first_value(dict(record), ("page_content", "text", "content")) or inner
    return text if isinstance(text, str) else ""
