"""How the documents of a corpus are looked up: by id, by the document they were cut from.

Two ways to hold documents, one contract: `MemoryLookups` for those in memory, and the documents of
an imported corpus, which stay on the disk (`stored_documents`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Protocol

from rerank_lab.core.types import Document


class DocumentLookups(Protocol):
    """What is known of the documents of a corpus beside their texts."""

    @property
    def ids(self) -> Sequence[str]:
        """The ids, in the order of the documents."""

    @property
    def by_id(self) -> Mapping[str, Document]:
        """Documents (or passages) by their id."""

    @property
    def parent_of(self) -> Mapping[str, str]:
        """Passage id -> document id, for the passages only."""

    @property
    def passages_of(self) -> Mapping[str, list[Document]]:
        """The passages of each document that was cut, by its id."""

    @property
    def document_ids(self) -> AbstractSet[str]:
        """The ids that judgments may speak of."""

    @property
    def content_hash(self) -> str:
        """SHA-256 over ids and contents in order."""

    def numbers_of(self, doc_id: str) -> list[int]:
        """Where the document of this id stands, or the passages of the document of this id."""


class MemoryLookups:
    """The lookups of documents that are in memory, each made when it is first asked for."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    @cached_property
    def ids(self) -> Sequence[str]:
        """The ids, in order."""
        return [document.id for document in self._documents]

    @cached_property
    def by_id(self) -> Mapping[str, Document]:
        """Documents by their id."""
        return {document.id: document for document in self._documents}

    @cached_property
    def parent_of(self) -> Mapping[str, str]:
        """Passage id -> document id; empty when nothing was cut."""
        return {d.id: d.parent for d in self._documents if d.parent}

    @cached_property
    def passages_of(self) -> Mapping[str, list[Document]]:
        """The passages of each document that was cut; empty when nothing was."""
        passages: dict[str, list[Document]] = {}
        for document in self._documents:
            if document.parent:
                passages.setdefault(document.parent, []).append(document)
        return passages

    @cached_property
    def document_ids(self) -> AbstractSet[str]:
        """The ids that judgments may speak of."""
        return frozenset(document.document_id for document in self._documents)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over ids and contents in order."""
        digest = ContentDigest()
        for document in self._documents:
            digest.add(document)
        return digest.hexdigest()

    def numbers_of(self, doc_id: str) -> list[int]:
        """Where documents stand whose `document_id` this is."""
        return self._numbers.get(doc_id, [])

    @cached_property
    def _numbers(self) -> dict[str, list[int]]:
        numbers: dict[str, list[int]] = {}
        for number, document in enumerate(self._documents):
            numbers.setdefault(document.document_id, []).append(number)
        return numbers


class ContentDigest:
    """The content hash of a corpus, made document by document, in order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, document: Document) -> None:
        """Take in the next document."""
        parts = (document.id, document.parent, document.content, "")
        self._digest.update("\x00".join(parts).encode("utf-8", "surrogatepass"))

    def hexdigest(self) -> str:
        """The hash of all that was added, as 64 hexadecimal digits."""
        return self._digest.hexdigest()


def document_ids(documents: Iterable[Document]) -> AbstractSet[str]:
    """The ids that judgments may speak of, without a walk where the documents know them."""
    own = getattr(documents, "document_ids", None)
    if isinstance(own, AbstractSet):
        return own
    return frozenset(document.document_id for document in documents)
