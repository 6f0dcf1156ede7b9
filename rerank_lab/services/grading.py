"""Grades given in place, outside any session: a judge sees a ranking and says what a document is.

Ranks are in sight here, so these rows belong to no session and are never mixed with blind ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.judging.records import (
    MAX_JUDGE_CHARS,
    JudgeKind,
    Judgment,
    LabQuery,
    QueryOrigin,
)
from rerank_lab.judging.scales import BINARY, FIVE, GRADED, Scale
from rerank_lab.services.access import Action, needs
from rerank_lab.services.qrels import lab_store

if TYPE_CHECKING:
    from rerank_lab.judging.store import JudgmentStore

ASKED_SET = "Asked on Compare"
"""The query set that holds typed queries of which a document was graded."""


@dataclass(frozen=True, slots=True)
class GradeRequest:
    """What a judge says of a document for a query; `grade` None for "cannot tell"."""

    query: Query
    doc_id: str
    grade: int | None
    judge: str
    passage_id: str = ""


def judge_name(text: str) -> str:
    """A judge's name on one line.

    Raises:
        InvalidInput: it is empty or too long.
    """
    name = " ".join(text.split())
    if not 0 < len(name) <= MAX_JUDGE_CHARS:
        raise InvalidInput(
            f"A judge's name has 1 to {MAX_JUDGE_CHARS} characters; this one has {len(name)}.",
            hint="Give your name or initials.",
        )
    return name


@needs(Action.JUDGE)
def grade(request: GradeRequest, corpus: Corpus, home: Path | None = None) -> Judgment:
    """Keep a grade, and the query's text where the corpus has no such query. Durable on return.

    Raises:
        InvalidInput: the corpus has no such document, the scale no such grade, or there is no name.
        StorageError: it could not be kept.
    """
    from rerank_lab.judging.store import JudgmentStore  # SQLAlchemy takes its time

    name = judge_name(request.judge)
    corpus.whole_document(request.doc_id)
    if request.grade is not None:
        scale_of(corpus, home).check(request.grade)
    store = JudgmentStore.open(home)
    _keep_query(request.query, corpus, store)
    row = Judgment(
        corpus=corpus.name,
        query_id=request.query.id,
        doc_id=request.doc_id,
        grade=request.grade,
        judge=name,
        kind=JudgeKind.HUMAN,
        at=datetime.now(UTC),
        content_hash=corpus.document_hash(request.doc_id),
        passage_id=request.passage_id,
    )
    return store.append([row])[0]


@needs(Action.JUDGE)
def take_back(judgment: Judgment, home: Path | None = None) -> Judgment:
    """Undo a grade by another row, which is given. Durable on return.

    Raises:
        InvalidInput: it is not there.
        StorageError: it could not be kept.
    """
    from rerank_lab.judging.store import JudgmentStore  # SQLAlchemy takes its time

    store = JudgmentStore.open(home)
    return store.undo(judgment.row_id, judgment.judge, datetime.now(UTC))


def grades_of(
    judge: str, query: Query, corpus: Corpus, home: Path | None = None
) -> Mapping[str, Judgment]:
    """What a judge says now of the documents of a query, by document id.

    Raises:
        LabError: the lab database cannot be read.
    """
    store = lab_store(home)
    if store is None:
        return {}
    rows = store.current(corpus.name, judge=judge, query_id=query.id)
    return {row.doc_id: row for row in rows}


def scale_of(corpus: Corpus, home: Path | None = None) -> Scale:
    """The scale to grade on: that of the newest session, else one that the judgments fit.

    So grades of one corpus are not given on two scales without anybody noticing.

    Raises:
        LabError: the lab database cannot be read.
    """
    store = lab_store(home)
    sessions = [one for one in store.sessions(corpus.name) if not one.simulated] if store else []
    if sessions:
        return sessions[0].scale
    highest = max((max(grades.values()) for grades in corpus.qrels.values() if grades), default=3)
    return BINARY if highest <= 1 else FIVE if highest == FIVE.highest else GRADED


def _keep_query(query: Query, corpus: Corpus, store: JudgmentStore) -> None:
    """Add a typed query to the lab's queries of the corpus, once."""
    if any(own.id == query.id for own in corpus.queries):
        return
    typed = LabQuery(query.id, query.text, QueryOrigin.TYPED)
    store.add_query(corpus.name, ASKED_SET, typed, datetime.now(UTC))
