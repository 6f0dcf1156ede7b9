"""A corpus on its way to another process: documents in memory go along, others are opened there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.live import LiveCorpus, documents_of
from rerank_lab.corpora.live_opening import engine_of
from rerank_lab.corpora.stored_documents import StoredDocuments, stored_documents


@dataclass(frozen=True, slots=True)
class SentCorpus:
    """What another process needs to open a corpus without its queries and judgments.

    Attributes:
        bare: the corpus without what the receiver opens by itself.
        content_hash: of the whole.
        folder: where the documents lie on the disk; "" for those that go along.
    """

    bare: Corpus
    content_hash: str
    folder: str = ""

    @classmethod
    def of(cls, corpus: Corpus) -> SentCorpus:
        """The corpus to be sent."""
        meta = {"languages": dict(corpus.languages)} if corpus.meta.get("languages") else {}
        bare = replace(corpus, queries=(), qrels={}, meta=meta)
        if isinstance(bare, LiveCorpus):
            bare = replace(bare, seen=documents_of("", lambda _: ()))
        folder = ""
        if isinstance(corpus.documents, StoredDocuments):
            folder = str(corpus.documents.folder)
            bare = replace(bare, documents=())
        return cls(bare, corpus.content_hash, folder)

    def opened(self) -> Corpus:
        """The corpus, in the process that received it.

        Raises:
            InvalidInput: the documents do not lie where they did, or are others.
        """
        corpus = self.bare
        if isinstance(corpus, LiveCorpus):
            fetch = engine_of(corpus.engine).fetch
            return replace(corpus, seen=documents_of(corpus.identity, fetch))
        if self.folder:
            documents = stored_documents(Path(self.folder))
            if documents is None or documents.content_hash != self.content_hash:
                raise InvalidInput(
                    f"A worker does not see the documents of {corpus.name!r} in {self.folder}.",
                    hint="Let all machines share the data folder, at the same path.",
                )
            corpus = replace(corpus, documents=documents)
        return corpus
