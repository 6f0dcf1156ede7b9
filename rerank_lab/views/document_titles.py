"""Documents by their titles, where the corpus is at hand."""

from __future__ import annotations

from rerank_lab.corpora.corpus import Corpus
from rerank_lab.views.compare import title_of


class Titles:
    """Titles of a corpus' documents by id; ids themselves where there is no corpus."""

    def __init__(self, corpus: Corpus | None) -> None:
        self._corpus = corpus

    def of(self, doc_id: str) -> str:
        """The title, else the beginning of the text; the id of a document that is not there."""
        corpus = self._corpus
        if corpus is None:
            return doc_id
        if doc_id in corpus.by_id:
            return title_of(corpus.by_id[doc_id])
        passages = corpus.passages_of.get(doc_id)
        return title_of(passages[0]) if passages else doc_id
