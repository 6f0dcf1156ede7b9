"""The context that a language model would be given for one query: the first documents of a ranking.

Judgments say which of them are right. An unjudged document counts as wrong where precision is told,
and never as tempting: for that somebody must have judged it not relevant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.core.types import Document, Ranking
from rerank_lab.corpora.tokens import count_tokens

TOKENIZER = "words and punctuation marks"
"""How tokens are counted. A model's own tokenizer gives about 1.1 to 1.4 times as many."""


@dataclass(frozen=True, slots=True)
class QueryContext:
    """The documents that one query puts before a language model, in order.

    Attributes:
        documents: passages where the corpus was cut; the best passage of each document.
        grades: judgments of the query by document id.
    """

    query_id: str
    documents: tuple[Document, ...]
    grades: Mapping[str, int]

    @property
    def right_places(self) -> tuple[int, ...]:
        """Places of the right documents, counted from 1."""
        return tuple(
            place for place, document in enumerate(self.documents, 1) if self._right(document)
        )

    @property
    def precision(self) -> float:
        """The share of right documents; 0 for an empty context."""
        return len(self.right_places) / len(self.documents) if self.documents else 0.0

    @property
    def recall(self) -> float | None:
        """The share of all right documents that is here; None where none is judged right."""
        right = sum(grade > 0 for grade in self.grades.values())
        return len(self.right_places) / right if right else None

    @property
    def unjudged(self) -> int:
        """How many documents nobody judged."""
        return sum(document.document_id not in self.grades for document in self.documents)

    @property
    def tokens(self) -> int:
        """Of all documents, counted as `TOKENIZER` says."""
        return sum(count_tokens(document.content) for document in self.documents)

    @property
    def right_tokens(self) -> int:
        """Of the right documents."""
        return sum(count_tokens(one.content) for one in self.documents if self._right(one))

    @property
    def right_token_share(self) -> float:
        """The share of the tokens that is in right documents; 0 for an empty context."""
        return self.right_tokens / self.tokens if self.tokens else 0.0

    @property
    def tempting(self) -> Document | None:
        """The first document judged wrong, where it stands above every right one of the context."""
        for document in self.documents:
            if self._right(document):
                return None
            if document.document_id in self.grades:
                return document
        return None

    @property
    def can_tempt(self) -> bool:
        """Whether anything is judged wrong for the query, and anything right."""
        grades = self.grades.values()
        return any(grade <= 0 for grade in grades) and any(grade > 0 for grade in grades)

    def _right(self, document: Document) -> bool:
        return self.grades.get(document.document_id, 0) > 0


def context_of(
    ranking: Ranking,
    texts: Mapping[str, Document],
    grades: Mapping[str, int],
    documents: int,
    budget: int = 0,
) -> QueryContext:
    """The first documents of a ranking, as far as the budget goes.

    Args:
        ranking: of one query.
        texts: what stands in the context for each document id; a document without is left out.
        grades: judgments of the query.
        documents: how many at most.
        budget: tokens at most, 0 for no bound. The first document is there whatever its length.
    """
    chosen: list[Document] = []
    left = budget
    for doc_id in ranking.doc_ids[:documents]:
        document = texts.get(doc_id)
        if document is None:
            continue
        left -= count_tokens(document.content) if budget else 0
        if budget and left < 0 and chosen:
            break
        chosen.append(document)
    return QueryContext(ranking.query_id, tuple(chosen), grades)


def middle(size: int) -> range:
    """The places in the middle third of a context of that size, counted from 1; often overlooked.

    The two ends are rounded up: of 5 places the third alone is in the middle, of 2 none.
    """
    end = -(-size // 3)
    return range(end + 1, size - end + 1)


def in_the_middle(contexts: Sequence[QueryContext]) -> float | None:
    """The share of right documents that stand in the middle of their context; None without any."""
    places = [(place, len(one.documents)) for one in contexts for place in one.right_places]
    return sum(p in middle(size) for p, size in places) / len(places) if places else None
