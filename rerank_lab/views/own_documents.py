"""Whether a query may find the document that has its own id: the choice, in words and in links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from rerank_lab.core.types import Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.exclusions import are_own_documents, queries_in_corpus
from rerank_lab.evaluation.experiments import Design
from rerank_lab.views.formatting import counted

OwnDocument = Literal["by text", "left out", "kept"]
"""As the screen and links write it."""
OWN_DOCUMENT: tuple[OwnDocument, ...] = get_args(OwnDocument)
EXCLUDES: Mapping[OwnDocument, bool | None] = {"by text": None, "left out": True, "kept": False}
"""What `load_corpus` takes for it."""
LABEL = "A query's own document"


@dataclass(frozen=True, slots=True)
class OwnDocuments:
    """The queries of a corpus that have the id of a document, and whether they are that document.

    `same_texts`: most of them have the text of the document, and do not seek it.
    """

    queries: int
    all_queries: int
    same_texts: bool

    @classmethod
    def of(cls, corpus: Corpus) -> OwnDocuments:
        """Those of a corpus."""
        queries = queries_in_corpus(corpus)
        same = bool(queries) and are_own_documents(corpus)
        return cls(len(queries), len(corpus.queries), same)

    @property
    def by_text(self) -> str:
        """What the texts decide."""
        if self.same_texts:
            return "Left out: queries and documents of one id have the same text."
        return "Kept: queries and documents of one id have different texts."

    @property
    def about(self) -> str:
        """What the choice is about."""
        queries = counted(self.all_queries, "query", "queries")
        return (
            f"{self.queries:,} of {queries} have the id of a document. Where they are that "
            "document, as in ArguAna and Quora, it is left out of their rankings, as BEIR does; "
            "else each would find itself first. Where only the numbers coincide, it is kept."
        )


def choice_of(queries: Iterable[Query], same_texts: bool) -> OwnDocument:
    """The choice under which these queries were asked."""
    excludes = any(map(excludes_itself, queries))
    if excludes == same_texts:
        return "by text"
    return "left out" if excludes else "kept"


def excluding_words(design: Design) -> str:
    """`60 queries leave their own document out`; "" when none leaves out any."""
    if not design.excluding:
        return ""
    themselves = sum(map(excludes_itself, design.queries))
    what = "their own document" if themselves == design.excluding else "documents"
    verb = "leaves" if design.excluding == 1 else "leave"
    if what == "their own document" and design.excluding == 1:
        what = "its own document"
    return f"{counted(design.excluding, 'query', 'queries')} {verb} {what} out"


def excludes_itself(query: Query) -> bool:
    """Whether a query leaves out the document with its own id."""
    return query.id in query.excluded
