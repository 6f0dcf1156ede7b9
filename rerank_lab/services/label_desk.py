"""A labelling session at work: what is judged next, grades, decisions, and how far it is."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Qrels
from rerank_lab.corpora import Corpus
from rerank_lab.judging import sessions
from rerank_lab.judging.agreement import AgreementSettings, JudgeAgreement, agreement
from rerank_lab.judging.next_best import Decision, DecisionSettings, decide
from rerank_lab.judging.policies import current_rows, qrels_of
from rerank_lab.judging.records import (
    JudgeKind,
    JudgingOrder,
    JudgingPair,
    Judgment,
    LabelSession,
)
from rerank_lab.judging.session_ledger import SessionLedger
from rerank_lab.judging.sessions import PairKey, SessionProgress, key_of
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.services.access import Action, needs
from rerank_lab.services.grading import judge_name
from rerank_lab.services.labelling import MAX_JUDGES

DECIDES = " (decides)"
"""Ends the name under which a decision stands, beside what the same person said as a judge."""
CLAIM_S = 180.0
"""How long a document stays with the judge who has it, when nothing is heard of them any more."""
_REORDER_EVERY = 10


@dataclass(frozen=True, slots=True)
class GradeEntry:
    """What a judge said of a document, as it came from the screen.

    Attributes:
        grade: None for "cannot tell".
        seconds: on screen before.
        content_hash: of the whole document that was on screen.
        token: the screen's own name for this answer; sent again, it is stored once.
    """

    query_id: str
    doc_id: str
    grade: int | None
    note: str = ""
    seconds: float = 0.0
    content_hash: str = ""
    passage_id: str = ""
    position: int = 0
    token: str = ""


class LabelDesk:
    """One session as its judges and its lead work with it. Threads may share it."""

    def __init__(self, labels: LabelSession, corpus: Corpus, store: JudgmentStore) -> None:
        self.labels = labels
        self.corpus = corpus
        self._store = store
        self._pairs = frozenset(map(key_of, labels.pairs))
        self._orders: dict[str, list[JudgingPair]] = {}
        self._by_worth: tuple[int, list[JudgingPair]] | None = None
        self._lock = threading.Lock()
        self._ledger = SessionLedger(labels)
        self._decisions: list[Judgment] = []
        self._last_row = 0

    @contextmanager
    def _up_to_date(self) -> Iterator[SessionLedger]:
        """The ledger with every row that is stored by now; one thread at a time."""
        with self._lock:
            rows = self._store.rows_after(self.labels.corpus, self._last_row)
            if rows:
                own = [row for row in rows if row.session_id == self.labels.session_id]
                self._ledger.add(row for row in own if not _decides(row))
                self._decisions += filter(_decides, own)
                self._last_row = rows[-1].row_id
            yield self._ledger

    @property
    def state(self) -> tuple[int, int]:
        """Another one whenever something was said or decided since."""
        with self._up_to_date() as ledger:
            return ledger.last_row, len(self._decisions)

    def judgments(self) -> list[Judgment]:
        """What judges say now, in the order in which they said it; decisions are not among it."""
        with self._up_to_date() as ledger:
            return ledger.judgments()

    def settled(self) -> dict[PairKey, Judgment]:
        """What was decided of pairs that judges graded differently."""
        with self._up_to_date():
            return {key_of(row): row for row in current_rows(self._decisions)}

    def answers(self, judge: str) -> dict[PairKey, list[Judgment]]:
        """By pair the answers of a judge that stand; what was answered last is last."""
        with self._up_to_date() as ledger:
            return {key: list(rows) for key, rows in ledger.answers(judge).items()}

    def left_of_queries(self, judge: str) -> dict[str, int]:
        """By query, how many documents this judge has not graded."""
        with self._up_to_date() as ledger:
            return ledger.left_of_queries(judge)

    def progress(self) -> SessionProgress:
        """How far the session is."""
        with self._up_to_date() as ledger:
            return ledger.progress()

    def decision(self) -> Decision | None:
        """Which pipeline leads by the labels so far; None with fewer than two, or without labels.

        Simulated judges count in their own session only.
        """
        labels = self.labels
        if len(labels.runs) < 2:
            return None
        rows = [*self.judgments(), *self.settled().values()]
        qrels = qrels_of(rows, simulated=labels.simulated)
        return self._decide(qrels) if qrels else None

    def _decide(self, qrels: Qrels) -> Decision:
        settings = DecisionSettings(grades=tuple(one.value for one in self.labels.scale.grades))
        return decide(self.labels.runs, qrels, settings, self._pairs)

    def agreement(self) -> JudgeAgreement | None:
        """How far the judges agree on what two of them graded; None where there is no such pair."""
        with self._up_to_date() as ledger:
            by_judge = ledger.grades()
        graders = Counter(key for grades in by_judge.values() for key in grades)
        if len(by_judge) < 2 or max(graders.values()) < 2:
            return None
        values = tuple(one.value for one in self.labels.scale.grades)
        settings = AgreementSettings(grades=values, resamples=500, each_two=False)
        return agreement(by_judge, settings)

    def order(self, judge: str) -> list[JudgingPair]:
        """All pairs in the order in which this judge meets them."""
        if judge not in self._orders:
            texts = None
            if self.labels.group_duplicates:
                ids = {pair.doc_id for pair in self.labels.pairs} & self.corpus.document_ids
                texts = {doc_id: self.corpus.whole_document(doc_id).content for doc_id in ids}
            self._orders[judge] = sessions.judging_order(self.labels, judge, texts)
        return self._orders[judge]

    def next_pairs(
        self,
        judge: str,
        count: int,
        *,
        skipped: Collection[PairKey] = (),
        query_id: str = "",
    ) -> list[JudgingPair]:
        """What this judge grades next, at most `count`, claimed so that no other judge has it too.

        Args:
            judge: their name.
            count: how many to hold ready.
            skipped: pairs that come again at the end.
            query_id: begin with this query; "" for the order as it is.
        """
        with self._up_to_date() as ledger:
            if ledger.progress().stop:
                return []
            claims = self._store.claims(self.labels.session_id)
            judges = len({judge, *ledger.judges}.union(*claims.values()))
            order = self._order_now(judge, ledger, query_id)
            queue = ledger.queue(order, judge, claims, 2 * judges * count, skipped=skipped)
        fair = max(3, len(queue) // (2 * judges))
        wanted = [
            (pair, sessions.wanted_judges(self.labels, pair, MAX_JUDGES))
            for pair in queue[: min(count, fair)]
        ]
        return self._store.claim_many(self.labels, judge, wanted, CLAIM_S)

    def _order_now(self, judge: str, ledger: SessionLedger, query_id: str) -> Iterable[JudgingPair]:
        """The judge's order from a query on; by worth it is made anew after every few grades."""
        labels = self.labels
        if labels.order is not JudgingOrder.QUERY_BY_QUERY and len(labels.runs) > 1:
            order = self._worth_order(ledger)
            return sorted(order, key=lambda pair: pair.query_id != query_id) if query_id else order
        if labels.order is not JudgingOrder.QUERY_BY_QUERY or labels.group_duplicates:
            return sessions.starting_at(self.order(judge), query_id)
        return ledger.order(judge, query_id)

    def _worth_order(self, ledger: SessionLedger) -> list[JudgingPair]:
        labels = self.labels
        judgments = ledger.judgments()
        state = len(judgments) // _REORDER_EVERY
        if self._by_worth is None or self._by_worth[0] != state:
            qrels = qrels_of(judgments, simulated=labels.simulated)
            candidates = self._decide(qrels).ordered(labels.order)
            places = {
                key_of_candidate: n
                for n, key_of_candidate in enumerate(
                    (pair.query_id, pair.doc_id) for pair in candidates
                )
            }
            by_worth = [pair for pair in labels.pairs if key_of(pair) in places]
            by_worth.sort(key=lambda pair: places[key_of(pair)])
            others = [pair for pair in labels.pairs if key_of(pair) not in places]
            self._by_worth = (state, _mixed(by_worth, others))
        return self._by_worth[1]

    @needs(Action.JUDGE)
    def record_grade(self, judge: str, entry: GradeEntry) -> Judgment:
        """Store one answer; it is on the disk when this returns.

        Raises:
            InvalidInput: the pair is not of this session, or the grade not of its scale.
            StorageError: it could not be stored.
        """
        if (entry.query_id, entry.doc_id) not in self._pairs:
            raise InvalidInput(
                "This document is not in the session.", hint="Open the session again by its link."
            )
        if entry.grade is not None:
            self.labels.scale.check(entry.grade)
        row = Judgment(
            self.labels.corpus,
            entry.query_id,
            entry.doc_id,
            entry.grade,
            judge,
            JudgeKind.SIMULATED if self.labels.simulated else JudgeKind.HUMAN,
            datetime.now(UTC),
            entry.note,
            entry.seconds,
            entry.content_hash or self.corpus.document_hash(entry.doc_id),
            entry.passage_id,
            entry.position,
            self.labels.session_id,
            token=entry.token,
        )
        return self._store.append([row])[0]

    @needs(Action.EDIT)
    def settle(self, lead: str, pair: PairKey, grade: int, note: str = "") -> Judgment:
        """Decide what a pair is worth that judges graded differently.

        The decision counts before all their grades, and their disagreement stays measured. In a
        session of simulated judges it is simulated too.

        Raises:
            InvalidInput: the pair or grade is none of the session's own.
            StorageError: it could not be stored.
        """
        if pair not in self._pairs:
            raise InvalidInput(
                "This document is not in the session.", hint="Open the session again by its link."
            )
        self.labels.scale.check(grade)
        row = Judgment(
            self.labels.corpus,
            *pair,
            grade,
            f"{judge_name(lead)}{DECIDES}",
            JudgeKind.SIMULATED if self.labels.simulated else JudgeKind.DECIDED,
            datetime.now(UTC),
            note,
            content_hash=self.corpus.document_hash(pair[1]),
            session_id=self.labels.session_id,
        )
        return self._store.append([row])[0]

    @needs(Action.EDIT)
    def unsettle(self, decision: Judgment) -> None:
        """Take a decision back. Raises StorageError where that could not be stored."""
        self._store.undo(decision.row_id, decision.judge, datetime.now(UTC))

    @needs(Action.JUDGE)
    def undo(self, judge: str, *, token: str = "", row_id: int = 0) -> Judgment | None:
        """Take an answer of this judge back, by its token or row; None when no such one stands.

        Raises:
            StorageError: it could not be stored.
        """
        for rows in self.answers(judge).values():
            for row in rows:
                if row.row_id == row_id or (token and row.token == token):
                    return self._store.undo(row.row_id, judge, datetime.now(UTC))
        return None


def _decides(row: Judgment) -> bool:
    """Whether a row settles a dispute, also one of simulated judges."""
    simulated = row.kind is JudgeKind.SIMULATED and row.judge.endswith(DECIDES)
    return simulated or row.kind is JudgeKind.DECIDED


def _mixed(by_worth: Sequence[JudgingPair], others: Sequence[JudgingPair]) -> list[JudgingPair]:
    """Controls and samples from below the pool, one after every fourth pair."""
    mixed: list[JudgingPair] = []
    rest = iter(others)
    for place, pair in enumerate(by_worth, 1):
        mixed.append(pair)
        if place % 4 == 0:
            mixed += [other for other in (next(rest, None),) if other is not None]
    return [*mixed, *rest]


def open_desk(
    session_id: str, open_corpus: Callable[[str], Corpus], home: Path | None = None
) -> LabelDesk:
    """The desk of a stored session.

    Args:
        session_id: of the session.
        open_corpus: gives the corpus of a name.
        home: the data folder.

    Raises:
        InvalidInput: there is no such session, or its corpus is not here.
    """
    store = JudgmentStore.open(home)
    labels = store.session(session_id)
    return LabelDesk(labels, open_corpus(labels.corpus), store)


def kept_sessions(corpus: str, home: Path | None = None) -> list[LabelSession]:
    """The sessions of a corpus, the newest first."""
    return JudgmentStore.open(home).sessions(corpus)
