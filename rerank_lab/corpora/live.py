"""A live corpus: documents stay in a search engine and come with its hits. Nothing is copied."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeVar
from weakref import WeakValueDictionary

from rerank_lab.core.types import Document
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.languages import guess_languages

T = TypeVar("T")
HELD = 50_000
"""Documents of one engine that are held in memory; others are fetched again."""
FETCHED_AT_ONCE = 500
_ABSENT = 10_000
"""So many ids that the engine lacks are remembered, so that it is not asked again and again."""


class DocumentSource(Protocol):
    """What a live corpus needs of its engine. Every method may raise a LabError."""

    def fetch(self, doc_ids: Sequence[str]) -> Sequence[Document]:
        """The documents of these ids, in any order; ids that it lacks are left out."""
        ...

    def count(self) -> int | None:
        """How many documents it holds; None when it cannot say."""
        ...

    def sample(self, size: int) -> Sequence[Document]:
        """At most `size` documents, as the engine gives them."""
        ...


class LiveDocuments(Mapping[str, Document]):
    """The documents of an engine by id: those seen lately, others fetched when they are named.

    Iterating and `len` speak of the documents that are held, not of all that the engine has.
    Safe for many threads.
    """

    def __init__(self, fetch: Callable[[Sequence[str]], Sequence[Document]]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self._absent: OrderedDict[str, None] = OrderedDict()
        self._hashes: dict[str, str] = {}

    def remember(self, documents: Iterable[Document]) -> list[str]:
        """Hold these documents; the ids of those whose text was another one when last seen."""
        changed = []
        with self._lock:
            for document in documents:
                text_hash = document.content_hash
                if self._hashes.setdefault(document.id, text_hash) != text_hash:
                    changed.append(document.id)
                    self._hashes[document.id] = text_hash
                self._documents[document.id] = document
                self._documents.move_to_end(document.id)
                self._absent.pop(document.id, None)
            while len(self._documents) > HELD:
                self._documents.popitem(last=False)
        return changed

    def prefetch(self, doc_ids: Iterable[str]) -> None:
        """Fetch those that are not held, many in one request. Raises the LabError of the engine."""
        with self._lock:
            missing = [
                doc_id
                for doc_id in dict.fromkeys(doc_ids)
                if doc_id not in self._documents and doc_id not in self._absent
            ]
        for start in range(0, len(missing), FETCHED_AT_ONCE):
            batch = missing[start : start + FETCHED_AT_ONCE]
            self.remember(self._fetch(batch))
            with self._lock:
                self._absent |= {d: None for d in batch if d not in self._documents}
                while len(self._absent) > _ABSENT:
                    self._absent.popitem(last=False)

    def forget_absent(self) -> None:
        """Ask again for ids that the engine lacked: it may hold them now."""
        with self._lock:
            self._absent.clear()

    def __getitem__(self, doc_id: str) -> Document:
        with self._lock:
            document = self._documents.get(doc_id)
        if document is None:
            self.prefetch([doc_id])
            with self._lock:
                document = self._documents[doc_id]
        return document

    def __contains__(self, doc_id: object) -> bool:
        return isinstance(doc_id, str) and self.get(doc_id) is not None

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(list(self._documents))

    def __len__(self) -> int:
        with self._lock:
            return len(self._documents)


class LiveIds(Set[str]):
    """The ids of a `LiveDocuments` as a set: an id is in it when the engine has the document."""

    def __init__(self, documents: LiveDocuments) -> None:
        self._documents = documents

    @classmethod
    def _from_iterable(cls, it: Iterable[T]) -> Set[T]:
        return frozenset(it)

    def __contains__(self, doc_id: object) -> bool:
        return doc_id in self._documents

    def __iter__(self) -> Iterator[str]:
        return iter(self._documents)

    def __len__(self) -> int:
        return len(self._documents)


@dataclass(frozen=True)
class LiveCorpus(Corpus):
    """A corpus whose documents stay in the user's search engine; `documents` is empty.

    Attributes:
        engine: the canonical spec of the engine, such as `postgres(table="articles")`; no secrets.
        place: what the engine says of where its documents come from; no secrets.
        identity: stands in for a hash of the contents, which nobody knows: the engine's digest.
        seen: documents that came with hits, or were fetched by id.
        counted: how many documents the engine counted when it was opened; None when unknown.
        sample: a few documents, as the engine gives them; languages are judged by them.
    """

    engine: str = ""
    place: str = ""
    identity: str = ""
    seen: LiveDocuments = field(default_factory=lambda: LiveDocuments(lambda _: ()), compare=False)
    counted: int | None = None
    sample: tuple[Document, ...] = ()

    @property
    def live(self) -> bool:
        """True: documents come with the hits of an engine."""
        return True

    @property
    def size(self) -> int | None:
        """How many documents the engine counted when it was opened; None when unknown."""
        return self.counted

    @property
    def examples(self) -> tuple[Document, ...]:
        """The sample."""
        return self.sample

    @property
    def by_id(self) -> Mapping[str, Document]:
        """The documents that are held; one that is not is fetched when it is asked for."""
        return self.seen

    @property
    def document_ids(self) -> Set[str]:
        """The ids that judgments may speak of: all that the engine has."""
        return LiveIds(self.seen)

    @property
    def content_hash(self) -> str:
        """The digest of the engine, not of contents: these are not known."""
        return self.identity

    @cached_property
    def languages(self) -> Mapping[str, float]:
        """As for any corpus, guessed from the sample."""
        if self.meta.get("languages"):
            return super().languages
        return guess_languages([document.content for document in self.sample])

    def document_hash(self, doc_id: str) -> str:
        """`Document.content_hash` as last seen; "" when the engine has no such document."""
        document = self.seen.get(doc_id)
        return "" if document is None else document.content_hash

    def prefetch(self, doc_ids: Iterable[str]) -> None:
        """Fetch the documents of these ids that are not held, many in one request.

        Raises:
            LabError: of the engine.
        """
        self.seen.prefetch(doc_ids)


_shared: WeakValueDictionary[str, LiveDocuments] = WeakValueDictionary()
_shared_lock = threading.Lock()


def documents_of(
    identity: str, fetch: Callable[[Sequence[str]], Sequence[Document]]
) -> LiveDocuments:
    """The documents of the engine of that digest: one object a process, whoever opens it."""
    with _shared_lock:
        documents = _shared.get(identity)
        if documents is None:
            documents = _shared[identity] = LiveDocuments(fetch)
        return documents
