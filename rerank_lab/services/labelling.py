"""Labelling sessions as a use case: set one up, judge in it, see how far it is."""

from __future__ import annotations

import random
import secrets
import statistics
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Qrels, Query
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.judging import sessions
from rerank_lab.judging.agreement import AgreementSettings, JudgeAgreement, agreement
from rerank_lab.judging.next_best import Decision, DecisionSettings, decide
from rerank_lab.judging.policies import qrels_of
from rerank_lab.judging.pools import PoolPlan, pool_pairs
from rerank_lab.judging.records import (
    JudgeKind,
    JudgingOrder,
    JudgingPair,
    Judgment,
    LabelSession,
    PairOrigin,
)
from rerank_lab.judging.scales import GRADED, Scale
from rerank_lab.judging.sessions import PairKey, SessionProgress, key_of
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.access import Action, needs
from rerank_lab.services.grading import judge_name, scale_of
from rerank_lab.services.pipeline_runs import ranked_queries
from rerank_lab.services.session import Bound, Session

MAX_JUDGES = 50
DECIDES = " (decides)"
"""Ends the name under which a decision stands, beside what the same person said as a judge."""
CLAIM_S = 180.0
"""How long a document stays with the judge who has it, when nothing is heard of them any more."""
_RUN_DEPTH = 50
_REORDER_EVERY = 10
_WORDS_A_MINUTE = 240
_DECIDING_S = 4.0
_READ_WORDS = 250
_SAMPLE = 200


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """Set up a labelling session.

    Attributes:
        title: for people.
        pipelines: whose results are pooled.
        query_ids: of the corpus; empty for all its queries.
        depth: how many documents of each pipeline are judged.
        judges: names; empty when anybody with the link may judge.
        overlap: the share of pairs, 0 to 1, that two judges grade.
        budget: the most grades, all judges together; 0 for all pairs.
        below_pool: random documents from below the pool, as a share of the pool.
        controls: pairs whose grade the corpus knows, to be mixed in for every judge.
        group_duplicates: put near-duplicates one after another.
        leave_out: pairs (query id, document id) that are not to be judged again.
        chosen: exactly these pairs, in place of a pool.
        queries: id -> text of queries that the corpus does not have.
    """

    title: str
    pipelines: tuple[PipelineSpec, ...] = ()
    query_ids: tuple[str, ...] = ()
    depth: int = 10
    judges: tuple[str, ...] = ()
    scale: Scale = GRADED
    guidelines: str = ""
    budget: int = 0
    overlap: float = 0.0
    order: JudgingOrder = JudgingOrder.QUERY_BY_QUERY
    seed: int = 0
    below_pool: float = 0.0
    controls: int = 0
    group_duplicates: bool = False
    leave_out: frozenset[PairKey] = frozenset()
    chosen: tuple[PairKey, ...] = ()
    queries: Mapping[str, str] = field(default_factory=dict, hash=False)

    def asked_queries(self, corpus: Corpus) -> tuple[Query, ...]:
        """The queries to judge for, in the corpus' order."""
        chosen = {query_id for query_id, _ in self.chosen} or set(self.query_ids)
        known = tuple(q for q in corpus.queries if not chosen or q.id in chosen)
        ids = {query.id for query in known}
        return known + tuple(Query(i, text) for i, text in self.queries.items() if i not in ids)

    def check(self, corpus: Corpus) -> None:
        """Make sure that it can be done.

        Raises:
            InvalidInput: there is nothing to judge, or a value is out of its range.
        """
        if not self.asked_queries(corpus):
            raise InvalidInput(
                "There is no query to judge documents for.",
                hint="Choose queries, or add some to the corpus.",
            )
        if not self.pipelines and not self.chosen:
            raise InvalidInput(
                "No pipeline is chosen, so there is nothing to judge.",
                hint="Choose at least one pipeline whose results are to be judged.",
            )
        if not 0 <= self.overlap <= 1 or not 0 <= self.below_pool <= 1 or self.budget < 0:
            raise InvalidInput(
                "Overlap and the share from below the pool lie between 0 and 1.",
                hint="Correct these values.",
            )
        for name in self.judges:
            judge_name(name)
        if len(set(self.judges)) < len(self.judges) or len(self.judges) > MAX_JUDGES:
            raise InvalidInput(
                "A judge is named twice, or there are too many.",
                hint=f"Give each of at most {MAX_JUDGES} judges a name of their own.",
            )
        if self.controls and not controls_possible(corpus, self.scale):
            raise InvalidInput(
                "Control questions need judgments of the corpus on the same scale.",
                hint="Choose the scale that the corpus was judged on, or no control questions.",
            )


def controls_possible(corpus: Corpus, scale: Scale) -> bool:
    """Whether the corpus' own judgments are on this scale, as far as their highest grade tells."""
    grades = {grade for row in corpus.qrels.values() for grade in row.values()}
    return bool(grades) and max(grades) == scale.highest and grades <= set(scale.by_value)


@dataclass(frozen=True, slots=True)
class EffortEstimate:
    """What a session will take, before it is set up: from the least to the most.

    The fewest pairs when all pipelines bring the same documents, the most when they share none.
    `measured` when `seconds_per_grade` is the pace of judges on this corpus so far, and not
    reckoned from the length of its texts.
    """

    pairs: tuple[int, int]
    grades: tuple[int, int]
    seconds_per_grade: float
    measured: bool

    @property
    def minutes(self) -> tuple[float, float]:
        """Of all judges together."""
        low, high = self.grades
        return low * self.seconds_per_grade / 60, high * self.seconds_per_grade / 60


def estimate(request: SessionRequest, corpus: Corpus, home: Path | None = None) -> EffortEstimate:
    """What a session would take of the judges, without running anything."""
    queries = len(request.asked_queries(corpus))
    most = request.depth * max(1, len(request.pipelines))
    most = most if corpus.size is None else min(most, corpus.size)
    low, high = queries * min(request.depth, most), queries * most
    if request.chosen:
        low = high = len(set(request.chosen))
    with_sample = 1 + request.below_pool
    pairs = (round(low * with_sample), round(high * with_sample))
    judges = len(request.judges) or 2
    twice = 1 + (request.overlap if judges > 1 else 0)
    controls = request.controls * max(1, len(request.judges))
    grades = [round(count * twice) + controls for count in pairs]
    if request.budget:
        grades = [min(count, request.budget) for count in grades]
    pace = _pace_so_far(corpus, home)
    seconds = pace if pace is not None else _reading_s(corpus)
    return EffortEstimate(pairs, (grades[0], grades[1]), seconds, pace is not None)


def _pace_so_far(corpus: Corpus, home: Path | None) -> float | None:
    judgments = JudgmentStore.open(home).current(corpus.name)
    return sessions.pace_of([row for row in judgments if row.kind is JudgeKind.HUMAN])


def _reading_s(corpus: Corpus) -> float:
    """Reading what is shown of a typical document, and a moment to decide."""
    step = max(1, len(corpus.examples) // _SAMPLE)
    words = [len(d.content[:4000].split()) for d in corpus.examples[::step]]
    typical = min(_READ_WORDS, statistics.median(words)) if words else 0
    return _DECIDING_S + typical * 60 / _WORDS_A_MINUTE


@dataclass(frozen=True, slots=True)
class LabelSessionKey(JobKey[str]):
    """The setting up of one session."""

    session_id: str
    session: Bound


@needs(Action.JUDGE)
def start_session(request: SessionRequest, corpus: Corpus, session: Session) -> Job[str]:
    """The job that pools the documents and stores the session; its result is the session's id.

    Raises:
        InvalidInput: as `SessionRequest.check`.
    """
    request.check(corpus)
    session_id = secrets.token_hex(6)
    pipelines = tuple(map(Pipeline, request.pipelines))
    engine = session.engine

    def work(ctx: Context) -> str:
        labels = pooled_session(request, corpus, ctx, engine, session_id)
        JudgmentStore.open(engine.home).save_session(labels)
        return session_id

    return session.jobs.submit(
        LabelSessionKey(session_id, session.bound(pipelines)),
        work,
        lane="batch",
        name=f"Setting up {request.title}",
        ctx=session.context(pipelines),
        waiter=session.waiter,
    )


def pooled_session(
    request: SessionRequest, corpus: Corpus, ctx: Context, engine: Engine, session_id: str
) -> LabelSession:
    """Run the pipelines, pool their documents and put the pairs together. Nothing is stored.

    Raises:
        InvalidInput: nothing is left to judge.
        LabError: a pipeline answered none of the queries; the error is its own.
    """
    queries = request.asked_queries(corpus)
    depth = max(request.depth, _RUN_DEPTH)
    pipelines = [Pipeline(spec).at_depth(depth) for spec in request.pipelines]
    runs = ranked_queries(pipelines, queries, depth, corpus, ctx, engine)
    if request.chosen:
        pairs = tuple(
            JudgingPair(query_id, doc_id, PairOrigin.CHOSEN)
            for query_id, doc_id in dict.fromkeys(request.chosen)
        )
    else:
        pairs = pool_pairs(runs, PoolPlan(request.depth, request.below_pool, request.seed))
    pairs = tuple(pair for pair in pairs if key_of(pair) not in request.leave_out)
    if not pairs:
        raise InvalidInput(
            "Nothing is left to judge: every document of the pool has a grade.",
            hint="Pool deeper, add a pipeline or queries, or judge again what was judged.",
        )
    pairs = sessions.with_controls(pairs, _controls(request, queries, corpus))
    return LabelSession(
        session_id,
        corpus.name,
        request.title,
        tuple(runs),
        request.depth,
        pairs,
        datetime.now(UTC),
        request.scale,
        request.guidelines or request.scale.guidelines,
        tuple(map(judge_name, request.judges)),
        request.overlap,
        request.budget,
        request.order,
        request.seed,
        request.group_duplicates,
        runs=runs,
        queries={query.id: query.text for query in queries},
    )


def _controls(
    request: SessionRequest, queries: Sequence[Query], corpus: Corpus
) -> tuple[JudgingPair, ...]:
    """Pairs that the corpus judges as clearly good or clearly bad, half of each, drawn by seed."""
    if not request.controls:
        return ()
    rows = [
        JudgingPair(query.id, doc_id, PairOrigin.CONTROL, known_grade=grade)
        for query in queries
        for doc_id, grade in sorted(corpus.qrels.get(query.id, {}).items())
        if doc_id in corpus.document_ids
    ]
    draw = random.Random(request.seed)
    good = [pair for pair in rows if pair.known_grade == request.scale.highest]
    bad = [pair for pair in rows if pair.known_grade == request.scale.grades[0].value]
    half = (request.controls + 1) // 2
    return (
        *draw.sample(good, min(half, len(good))),
        *draw.sample(bad, min(request.controls - half, len(bad))),
    )


@needs(Action.JUDGE)
def session_of_pairs(
    title: str,
    pairs: Sequence[JudgingPair],
    corpus: Corpus,
    home: Path | None = None,
    *,
    queries: Mapping[str, str] | None = None,
    runs: Mapping[str, Mapping[str, tuple[str, ...]]] | None = None,
    scale: Scale | None = None,
) -> LabelSession:
    """A stored session for given pairs, which anybody with the link may judge.

    Args:
        title: for people.
        pairs: what is to be judged, without pooling anything.
        corpus: which they belong to.
        home: the data folder.
        queries: id -> text of queries that the corpus does not have.
        runs: rankings that the pairs come from: spec -> query id -> document ids, best first.
        scale: of the grades; None for the one that fits the labels and judgments there are.

    Raises:
        InvalidInput: there are none.
    """
    if not pairs:
        raise InvalidInput("There is nothing to judge.", hint="Choose documents to judge first.")
    ids = {pair.query_id for pair in pairs}
    texts = {query.id: query.text for query in corpus.queries if query.id in ids}
    scale = scale or scale_of(corpus, home)
    labels = LabelSession(
        secrets.token_hex(6),
        corpus.name,
        title,
        tuple(runs or ()),
        0,
        tuple(dict.fromkeys(pairs)),
        datetime.now(UTC),
        scale,
        scale.guidelines,
        queries=texts | dict(queries or {}),
        runs=dict(runs or {}),
    )
    JudgmentStore.open(home).save_session(labels)
    return labels


def judged_pairs(corpus: Corpus, home: Path | None = None) -> frozenset[PairKey]:
    """Pairs that have a grade of a person for the text as it is now."""
    return frozenset(
        key_of(row)
        for row in JudgmentStore.open(home).current(corpus.name)
        if row.grade is not None
        and row.kind in (JudgeKind.HUMAN, JudgeKind.IMPORTED, JudgeKind.DECIDED)
        and row.content_hash in ("", corpus.document_hash(row.doc_id))
    )


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

    def judgments(self) -> list[Judgment]:
        """What judges say now, in the order in which they said it; decisions are not among it."""
        return [row for row in self._current() if not _decides(row)]

    def settled(self) -> dict[PairKey, Judgment]:
        """What was decided of pairs that judges graded differently."""
        return {key_of(row): row for row in self._current() if _decides(row)}

    def _current(self) -> list[Judgment]:
        return self._store.current(self.labels.corpus, session_id=self.labels.session_id)

    def rows(self) -> list[Judgment]:
        """Every row of the session, undone ones and those that undo too."""
        return self._store.rows(self.labels.corpus, session_id=self.labels.session_id)

    def progress(self) -> SessionProgress:
        """How far the session is."""
        return sessions.progress_of(self.labels, self.judgments())

    def decision(self) -> Decision | None:
        """Which pipeline leads by the labels so far; None with fewer than two, or without labels.

        Simulated judges count in their own session only.
        """
        labels = self.labels
        qrels = qrels_of(self.rows(), simulated=labels.simulated)
        if len(labels.runs) < 2 or not qrels:
            return None
        return self._decide(qrels)

    def _decide(self, qrels: Qrels) -> Decision:
        settings = DecisionSettings(grades=tuple(one.value for one in self.labels.scale.grades))
        return decide(self.labels.runs, qrels, settings, self._pairs)

    def agreement(self) -> JudgeAgreement | None:
        """How far the judges agree on what two of them graded; None where there is no such pair."""
        by_judge: dict[str, dict[PairKey, int | None]] = {}
        for row in self.judgments():
            by_judge.setdefault(row.judge, {})[key_of(row)] = row.grade
        graders = Counter(key for grades in by_judge.values() for key in grades)
        if len(by_judge) < 2 or max(graders.values()) < 2:
            return None
        values = tuple(one.value for one in self.labels.scale.grades)
        return agreement(by_judge, AgreementSettings(grades=values, resamples=500))

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
        judgments = self.judgments()
        if sessions.progress_of(self.labels, judgments).stop:
            return []
        claims = self._store.claims(self.labels.session_id)
        queue = sessions.queue_of(
            self.labels,
            self._order_now(judge, judgments),
            judge,
            judgments,
            claims,
            skipped=skipped,
        )
        if query_id:
            queue = sessions.starting_at(queue, query_id)
        others = {row.judge for row in judgments}.union(*claims.values())
        fair = max(3, len(queue) // (2 * len(others | {judge})))
        wanted = [
            (pair, sessions.wanted_judges(self.labels, pair, MAX_JUDGES))
            for pair in queue[: min(count, fair)]
        ]
        return self._store.claim_many(self.labels.session_id, judge, wanted, CLAIM_S)

    def _order_now(self, judge: str, judgments: Sequence[Judgment]) -> list[JudgingPair]:
        """The judge's order; by worth it is reckoned anew after every few grades."""
        labels = self.labels
        if labels.order is JudgingOrder.QUERY_BY_QUERY or len(labels.runs) < 2:
            return self.order(judge)
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
        """Take an answer of this judge back, by its token or row; None when there is no such.

        Raises:
            StorageError: it could not be stored.
        """
        rows = self._store.rows(self.labels.corpus, session_id=self.labels.session_id, judge=judge)
        for row in rows:
            if row.undoes is None and (row.row_id == row_id or (token and row.token == token)):
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
