"""The document store of LlamaIndex (docstore.json): nodes and documents by their ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.text import load_json
from rerank_lab.corpora.mapping import META, ColumnMapping, Row
from rerank_lab.corpora.readers.base import Match, Reader, ReadOptions, Sample
from rerank_lab.corpora.readers.framework_documents import node_text
from rerank_lab.corpora.readers.json_array import read_json
from rerank_lab.corpora.source import Source

_DATA = "docstore/data"


class LlamaIndexStoreReader(Reader):
    """`{"docstore/data": {id: {"__data__": {"text": "..."}}}}`."""

    name = "llama-index-store"
    label = "document store of LlamaIndex"
    mapping = ColumnMapping("text", "id", "title")

    def sniff(self, sample: Sample) -> Match | None:
        """The name of its dictionary of documents."""
        if sample.start.startswith(b"{") and f'"{_DATA}"'.encode() in sample.head:
            return Match(0.95, f"it holds {_DATA}")
        return None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """A row a node or document that has a text; others, such as images, are counted."""
        value = read_json(source, options, log)
        stored = value.get(_DATA) if isinstance(value, dict) else None
        if not isinstance(stored, dict):
            raise InvalidInput(
                f"{source.name} holds no documents of LlamaIndex.",
                hint="Give the docstore.json that storage_context.persist() writes.",
            )
        for number, (key, entry) in enumerate(stored.items(), 1):
            node = _node(entry)
            text = node_text(node)
            if not text:
                log.tally(source.name, "nodes without a text")
                continue
            metadata = node.get("metadata")
            about = metadata if isinstance(metadata, dict) else {}
            title = about.get("title")
            yield number, {"id": node.get("id_") or key, "title": title, "text": text, META: about}


def _node(entry: Any) -> Mapping[str, Any]:
    """The fields of a stored node, which some versions write as JSON inside JSON."""
    data = entry.get("__data__", entry) if isinstance(entry, dict) else {}
    if isinstance(data, str):
        try:
            data = load_json(data)
        except ValueError:
            return {}
    return data if isinstance(data, dict) else {}
