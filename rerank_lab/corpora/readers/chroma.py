"""What `get` and `query` of Chroma give: a dictionary of lists in one order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, Reader, ReadOptions, Sample
from rerank_lab.corpora.readers.json_array import read_json
from rerank_lab.corpora.readers.payloads import payload_row
from rerank_lab.corpora.source import Source

_LISTS = re.compile(rb'"(documents|metadatas|embeddings|included)"\s*:')


class ChromaReader(Reader):
    """`{"ids": ["a"], "documents": ["..."], "metadatas": [{...}]}`, nested once more by queries."""

    name = "chroma"
    label = "collection of Chroma"

    def sniff(self, sample: Sample) -> Match | None:
        """One object with a list of ids beside documents, metadatas or embeddings."""
        lists = {match[1] for match in _LISTS.finditer(sample.head)}
        telling = re.search(rb'"ids"\s*:\s*\[', sample.head) and len(lists) > 1
        if not telling or not sample.start.startswith(b"{"):
            return None
        return Match(0.9, "it holds lists of ids, documents and metadatas")

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """A row an id with its document and metadata; one that several queries gave counts once.

        Raises InvalidInput where there are no ids or no documents.
        """
        value = read_json(source, options, log)
        ids, documents = (_flat(value, name) for name in ("ids", "documents"))
        metadatas = _flat(value, "metadatas")
        if not ids or not any(documents):
            raise InvalidInput(
                f"{source.name} holds no {'documents' if ids else 'ids'} of Chroma.",
                hint='Get them with include=["documents", "metadatas"].',
            )
        if len(documents) != len(ids):
            raise InvalidInput(
                f"{source.name} holds {len(ids):,} ids and {len(documents):,} documents.",
                hint="Export the collection again: both lists have one order.",
            )
        seen: set[str] = set()
        for number, doc_id in enumerate(ids, 1):
            if str(doc_id) in seen:
                log.tally(source.name, "documents that several queries gave")
                continue
            seen.add(str(doc_id))
            about = metadatas[number - 1] if len(metadatas) == len(ids) else None
            row = payload_row(doc_id, about)
            text = documents[number - 1]
            yield number, row | ({} if text is None and "text" in row else {"text": text})


def _flat(value: Any, name: str) -> list[Any]:
    """The items of a list, or of the lists inside it (one a query)."""
    items = value.get(name) if isinstance(value, dict) else None
    if not isinstance(items, list):
        return []
    if items and all(isinstance(one, list) for one in items):
        return [item for one in items for item in one]
    return items
