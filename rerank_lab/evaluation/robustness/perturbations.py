"""What a perturbation is: one small change of a query, or of the candidates for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from rerank_lab.core.types import Document, Query

Rewrite = Callable[[str, str, Random], str]
"""Text of a query, its language as an ISO 639-1 code ("" when unknown), chance -> other text.

The text itself where the change does not apply.
"""


@dataclass(frozen=True, slots=True)
class RerankingCase:
    """A query, its candidates, and what a pipeline makes of them before anything is changed.

    Attributes:
        query: as it was asked.
        candidates: in the order in which the first stage hands them over.
        order: their ids in the order of the pipeline; documents that it drops are missing.
        grades: judgments of the query by document id; unjudged is absent.
        filler: a text of the same corpus that is not judged relevant for the query.
    """

    query: Query
    candidates: tuple[Document, ...]
    order: tuple[str, ...]
    grades: Mapping[str, int]
    filler: str

    def relevant(self, document: Document) -> bool:
        """Whether a candidate is judged relevant, as a document or as a passage of one."""
        return self.grades.get(document.document_id, 0) > 0

    @property
    def lowest_wrong(self) -> Document | None:
        """The lowest-ranked candidate that nobody judged relevant; None when all are relevant."""
        by_id = {document.id: document for document in self.candidates}
        ranked = (by_id[doc_id] for doc_id in reversed(self.order))
        return next((one for one in ranked if not self.relevant(one) and not one.blank), None)

    @property
    def highest_right(self) -> Document | None:
        """The highest-ranked candidate that is judged relevant, None without any."""
        by_id = {document.id: document for document in self.candidates}
        ranked = (by_id[doc_id] for doc_id in self.order)
        return next((document for document in ranked if self.relevant(document)), None)


@dataclass(frozen=True, slots=True)
class AlteredCandidates:
    """The candidates after a perturbation.

    Attributes:
        documents: in the order in which they are handed over.
        target: id of the one document that was changed, "" when it was not one alone.
        copies: id of a copy -> id of its original.
    """

    documents: tuple[Document, ...]
    target: str = ""
    copies: Mapping[str, str] = field(default_factory=dict)


Alteration = Callable[[RerankingCase, Random], AlteredCandidates | None]
"""A case and chance -> the candidates after the change; None where it does not apply."""


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One change, with the words for people.

    Attributes:
        name: as it is written on the command line.
        title: a few words for a table.
        sentence: what is changed, and what a ranking should do about it.
        judged: whether the judgments still hold afterwards; when not, no measure is compared.
        source: the paper it follows, "" without one.
        needs_model: whether a language model must be named for it.
    """

    name: str
    title: str
    sentence: str
    judged: bool = True
    source: str = ""
    needs_model: bool = False


@dataclass(frozen=True, slots=True)
class QueryPerturbation(Perturbation):
    """A change of the query; the pipeline runs with it from the first stage on."""

    rewrite: Rewrite = lambda text, _language, _chance: text


@dataclass(frozen=True, slots=True)
class DocumentPerturbation(Perturbation):
    """A change of the candidates that are handed to the rerankers; the index stays as it is."""

    alter: Alteration = lambda _case, _chance: None
