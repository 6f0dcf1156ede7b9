"""Labelling sessions as a use case: set one up, from pipelines or from chosen pairs."""

from __future__ import annotations

import random
import secrets
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.judging import sessions
from rerank_lab.judging.pools import PoolPlan, pool_pairs
from rerank_lab.judging.records import (
    JudgeKind,
    JudgingOrder,
    JudgingPair,
    LabelSession,
    PairOrigin,
)
from rerank_lab.judging.scales import GRADED, Scale
from rerank_lab.judging.sessions import PairKey, key_of
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.access import Action, needs
from rerank_lab.services.grading import judge_name, scale_of
from rerank_lab.services.pipeline_runs import ranked_queries
from rerank_lab.services.session import Bound, Session

MAX_JUDGES = 50
_RUN_DEPTH = 50
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
