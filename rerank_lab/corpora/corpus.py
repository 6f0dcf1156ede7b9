"""A corpus: documents, and where there are any, queries and their relevance judgments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.judgment_basis import OWN_JUDGMENTS, JudgmentBasis
from rerank_lab.core.types import Document, Qrels, Query
from rerank_lab.corpora.languages import SAMPLE, guess_languages
from rerank_lab.corpora.lookups import DocumentLookups, MemoryLookups
from rerank_lab.corpora.passages import SPAN, whole_document
from rerank_lab.corpora.stored_documents import StoredDocuments

_OF_DOCUMENTS = (
    "_lookups", "ids", "by_id", "parent_of", "passages_of", "document_ids", "content_hash",
    "languages", "_hashes",
)  # fmt: skip
"""What is worked out from the documents alone, and stays when only judgments change."""


@dataclass(frozen=True)
class Corpus:
    """Documents in their given order, with unique ids. `meta` holds licence, languages, source, ...

    A corpus whose documents were cut into passages holds the passages as its documents; each names
    its `parent`, and rankings are folded to parents before they are shown or judged.

    The documents of an imported corpus stay on the disk and are read when they are looked at
    (`stored_documents`); those of any other are in memory.

    `basis` says where the judgments come from.
    """

    name: str
    documents: Sequence[Document]
    queries: tuple[Query, ...] = ()
    qrels: Qrels = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    basis: JudgmentBasis = OWN_JUDGMENTS

    @property
    def live(self) -> bool:
        """Whether the documents stay in a search engine and come with its hits (`LiveCorpus`)."""
        return False

    @property
    def size(self) -> int | None:
        """How many documents there are; None where a search engine cannot say."""
        return len(self.document_ids)

    @property
    def examples(self) -> Sequence[Document]:
        """Documents that stand for all where a part will do: all, or a search engine's sample."""
        return self.documents

    def prefetch(self, doc_ids: Iterable[str]) -> None:
        """Get documents ready that are about to be asked for by id; here all are."""

    @cached_property
    def _lookups(self) -> DocumentLookups:
        if isinstance(self.documents, StoredDocuments):
            return self.documents
        return MemoryLookups(self.documents)

    @cached_property
    def ids(self) -> Sequence[str]:
        """The ids of the documents (or passages), in their order."""
        return self._lookups.ids

    @cached_property
    def by_id(self) -> Mapping[str, Document]:
        """Documents (or passages) by their id."""
        return self._lookups.by_id

    @cached_property
    def parent_of(self) -> Mapping[str, str]:
        """Passage id -> document id, for the passages only; empty when nothing was cut."""
        return self._lookups.parent_of

    @cached_property
    def document_ids(self) -> Set[str]:
        """The ids that judgments may speak of."""
        return self._lookups.document_ids

    @cached_property
    def passages_of(self) -> Mapping[str, list[Document]]:
        """The passages of each document that was cut, by its id; empty when nothing was."""
        return self._lookups.passages_of

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over ids and contents in order: what an index or a cached result belongs to."""
        return self._lookups.content_hash

    def numbers_of(self, doc_id: str) -> list[int]:
        """Where in `documents` the document that judgments call by this id stands.

        Several places where it was cut into passages, none where there is no such document.
        """
        return self._lookups.numbers_of(doc_id)

    @cached_property
    def languages(self) -> Mapping[str, float]:
        """ISO 639-1 codes with their share of the texts: what `meta` says, else a guess."""
        languages = self.meta.get("languages") or ()
        if isinstance(languages, Mapping):
            shares = {str(code): share for code, share in languages.items()}
            return {code: float(s) for code, s in shares.items() if isinstance(s, int | float)}
        codes = [languages] if isinstance(languages, str) else list(languages)
        if codes:
            return {str(code): 1 / len(codes) for code in codes}
        step = max(1, len(self.documents) // SAMPLE)
        return guess_languages([d.content for d in self.documents[::step][:SAMPLE]])

    @property
    def languages_guessed(self) -> bool:
        """Whether `languages` were detected in the texts, not told by anybody."""
        return not self.meta.get("languages")

    def __len__(self) -> int:
        return len(self.documents)

    def document(self, doc_id: str) -> Document:
        """The document with that id, or InvalidInput."""
        try:
            return self.by_id[doc_id]
        except KeyError:
            raise InvalidInput(
                f"Corpus {self.name!r} has no document {doc_id!r}.",
                hint="Check the id, or the corpus that the ranking belongs to.",
            ) from None

    def whole_document(self, doc_id: str) -> Document:
        """The document that judgments call by this id, its passages joined where it was cut.

        Raises:
            InvalidInput: there is none.
        """
        passages = self.passages_of.get(doc_id)
        if not passages:
            return self.document(doc_id)
        if all(SPAN in passage.meta for passage in passages):
            return whole_document(passages)
        text = "\n\n".join(passage.text for passage in passages)
        return Document(doc_id, text, passages[0].title, passages[0].meta)

    def document_hash(self, doc_id: str) -> str:
        """`Document.content_hash` of the whole document; "" when there is none of this id."""
        if doc_id not in self.document_ids:
            return ""
        if doc_id not in self._hashes:
            self._hashes[doc_id] = self.whole_document(doc_id).content_hash
        return self._hashes[doc_id]

    @cached_property
    def _hashes(self) -> dict[str, str]:
        """Hashes of whole documents that were asked for."""
        return {}

    def with_judgments(
        self, queries: tuple[Query, ...], qrels: Qrels, basis: JudgmentBasis
    ) -> Corpus:
        """The same documents with other queries and judgments; hashes are not made again."""
        judged = replace(self, queries=queries, qrels=qrels, basis=basis)
        known = vars(self)
        vars(judged).update({name: known[name] for name in _OF_DOCUMENTS if name in known})
        return judged
