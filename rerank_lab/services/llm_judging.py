"""LLM judges as a use case: judge to a depth, go on where it stopped, compare with people."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.spend import CostEstimate
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.judging.llm_judge.answers import AnswerCache
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.judging.llm_judge.judge import LLMGrade, LLMJudge
from rerank_lab.judging.llm_judge.trust import allowed_llm_judges
from rerank_lab.judging.pools import PoolPlan, pool_pairs
from rerank_lab.judging.records import JudgeKind, Judgment
from rerank_lab.judging.scales import UMBRELA, Scale
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.stages import RETRIEVAL_LANE
from rerank_lab.remote.gather import gather
from rerank_lab.remote.urls import host_of
from rerank_lab.services.access import Action, needs
from rerank_lab.services.pipeline_runs import ranked_queries
from rerank_lab.services.session import Bound, Session, named_hosts

MOST_FAILURES = 5
"""Failures one after another, after which the endpoint is taken to be out of order."""
Key = tuple[str, str]
"""(query id, document id)."""


@dataclass(frozen=True, slots=True)
class LLMJudgingRequest:
    """Let an LLM judge grade the first `depth` documents of each pipeline.

    `limit` takes only the first so many queries of the corpus. `retry_abstained` asks once more
    about documents that the judge gave no grade.
    """

    judge: JudgeModel
    pipelines: tuple[PipelineSpec, ...]
    depth: int = 10
    scale: Scale = UMBRELA
    guidelines: str = ""
    limit: int | None = None
    retry_abstained: bool = False


@dataclass(frozen=True, slots=True)
class JudgingPlan:
    """What an LLM judge is to be asked.

    Attributes:
        pool: documents of the pool, those of them that are blank left out.
        keys: (query id, document id) of those that it has not judged yet.
        estimate: what these take; an unusable answer, asked for again, comes on top.
    """

    judge: LLMJudge
    pool: int
    keys: tuple[Key, ...]
    estimate: CostEstimate


@dataclass(frozen=True, slots=True)
class JudgingOutcome:
    """What came of it.

    Attributes:
        judge: its name in rows.
        pool, before: documents of the pool, and those of them that were judged before.
        graded, abstained, failed: documents of this time. Failed ones are asked again next time.
        cost: USD that were billed, by the prices known.
        failures: what the endpoint said of failed documents, each message once.
    """

    judge: str
    pool: int
    before: int
    graded: int
    abstained: int
    failed: int
    cost: float
    failures: tuple[str, ...] = ()


def judge_of(model: JudgeModel, scale: Scale, guidelines: str, engine: Engine) -> LLMJudge:
    """The judge, with the answers that the data folder keeps.

    Raises:
        InvalidInput: an option or the prompt cannot be used.
    """
    answers = AnswerCache(engine.home / "llm-answers.sqlite")
    return LLMJudge(model, scale, guidelines=guidelines, answers=answers)


def plan(
    request: LLMJudgingRequest, corpus: Corpus, ctx: Context, engine: Engine, store: JudgmentStore
) -> JudgingPlan:
    """Rank the queries and find what is to be judged. The judge is asked nothing.

    Raises:
        InvalidInput: the corpus has no queries, or an option of the judge cannot be used.
        LabError: a pipeline answered none of the queries; the error is its own.
    """
    judge = judge_of(request.judge, request.scale, request.guidelines, engine)
    queries = corpus.queries[: request.limit]
    if not queries:
        raise InvalidInput(
            f"{corpus.name} has no queries to judge documents for.",
            hint="Add a query set: `rerank-lab labels queries`, or the Label page.",
        )
    pipelines = [Pipeline(spec) for spec in request.pipelines]
    runs = ranked_queries(pipelines, queries, request.depth, corpus, ctx, engine)
    pairs = pool_pairs(runs, PoolPlan(request.depth))
    pool = tuple(
        (pair.query_id, pair.doc_id)
        for pair in sorted(pairs, key=lambda pair: (pair.query_id, pair.doc_id))
        if not corpus.whole_document(pair.doc_id).blank
    )
    rows = _own_rows(judge, corpus, store)
    judged = {
        key for key, row in rows.items() if row.grade is not None or not request.retry_abstained
    }
    keys = tuple(key for key in pool if key not in judged)
    return JudgingPlan(judge, len(pool), keys, judge.estimate(texts_of(keys, corpus)))


def run(planned: JudgingPlan, corpus: Corpus, ctx: Context, store: JudgmentStore) -> JudgingOutcome:
    """Ask the judge what is planned; each answer is stored before the next is counted.

    Raises:
        SpendLimit, MissingKey, Cancelled: what was judged by then is stored; the same request goes
            on from there.
        BackendError: the endpoint failed several times in a row.
    """
    asking = Asking(planned.judge, corpus, store, len(planned.keys))
    if planned.keys:
        planned.judge.asked.check(ctx)
        asking.grade_all(planned.keys, ctx)
    return JudgingOutcome(
        planned.judge.name,
        planned.pool,
        planned.pool - len(planned.keys),
        asking.graded,
        asking.abstained,
        asking.failed,
        asking.cost,
        tuple(asking.failures),
    )


class Asking:
    """Documents of a corpus put before a judge, several at a time, and counted."""

    def __init__(self, judge: LLMJudge, corpus: Corpus, store: JudgmentStore, total: int) -> None:
        self.judge = judge
        self.graded = self.abstained = self.failed = 0
        self.cost = 0.0
        self.failures: dict[str, None] = {}
        self._corpus = corpus
        self._store = store
        self._total = total
        self._in_a_row = 0
        self._queries = {query.id: query.text for query in corpus.queries}

    def grade_all(self, keys: Sequence[Key], ctx: Context) -> None:
        """Grade documents and store the grades. Raises as `run` does."""

        def one(key: Key, inner: Context) -> tuple[LLMGrade | BackendError, float]:
            start = time.monotonic()
            query_id, doc_id = key
            text = self._corpus.whole_document(doc_id).content
            try:
                answer: LLMGrade | BackendError = self.judge.grade(
                    self._queries[query_id], text, inner.for_remote_stage()
                )
            except BackendError as error:
                answer = error
            return answer, time.monotonic() - start

        def store(index: int, result: tuple[LLMGrade | BackendError, float]) -> None:
            self._counted(keys[index], *result)
            done = self.graded + self.abstained + self.failed
            ctx.report("judging", done, self._total)

        ctx.checkpoint()
        width = 1 if self.judge.settings.local else self.judge.settings.concurrency
        gather(keys, one, ctx, width, store)

    def _counted(self, key: Key, answer: LLMGrade | BackendError, seconds: float) -> None:
        if isinstance(answer, BackendError):
            self.failed += 1
            self._in_a_row += 1
            self.failures[answer.message] = None
            if self._in_a_row >= MOST_FAILURES:
                raise answer
            return
        self._in_a_row = 0
        self.cost += answer.trace.cost
        self.graded += answer.grade is not None
        self.abstained += answer.grade is None
        row = Judgment(
            self._corpus.name,
            *key,
            answer.grade,
            self.judge.name,
            JudgeKind.LLM,
            datetime.now(UTC),
            note=answer.note,
            seconds=seconds,
            content_hash=self._corpus.document_hash(key[1]),
        )
        self._store.append([row])


@dataclass(frozen=True, slots=True)
class JudgingPlanKey(JobKey[JudgingPlan]):
    """One press of a session on the button that asks for the cost, in nanoseconds since 1970."""

    request: LLMJudgingRequest
    corpus_hash: str
    session: Bound
    begun_ns: int


@needs(Action.EDIT)
def start_plan(
    request: LLMJudgingRequest, corpus: Corpus, session: Session, store: JudgmentStore
) -> Job[JudgingPlan]:
    """The job that ranks the queries and tells what judging would take. Always a new one.

    Raises:
        InvalidInput: an option of the judge cannot be used.
    """
    engine, bound = session.engine, _checked(request, session)
    return session.jobs.submit(
        JudgingPlanKey(request, corpus.content_hash, bound, time.time_ns()),
        lambda ctx: plan(request, corpus, ctx, engine, store),
        lane=RETRIEVAL_LANE,
        by_stage=True,
        name=f"What {request.judge.model} would be asked",
        ctx=judging_context(request, session),
        waiter=session.waiter,
    )


def _checked(request: LLMJudgingRequest, session: Session) -> Bound:
    """What keeps a job of the judge to its session. Raises InvalidInput for unusable options."""
    judge_of(request.judge, request.scale, request.guidelines, session.engine)
    return (session.waiter, str(session.key_version))


@dataclass(frozen=True, slots=True)
class LLMJudgingKey(JobKey[JudgingOutcome]):
    """An LLM judge at work on the documents of a corpus."""

    request: LLMJudgingRequest
    corpus_hash: str
    version: str
    session: Bound


@needs(Action.EDIT)
def start(
    request: LLMJudgingRequest, corpus: Corpus, session: Session, store: JudgmentStore
) -> Job[JudgingOutcome]:
    """The job of an LLM judge: the one at work, else a new one, which goes on where one stopped.

    Raises:
        InvalidInput: an option of the judge cannot be used.
    """
    engine, bound = session.engine, _checked(request, session)

    def work(ctx: Context) -> JudgingOutcome:
        planned = plan(request, corpus, ctx, engine, store)
        ctx.enter_lane("cpu" if request.judge.local else "network")
        return run(planned, corpus, ctx, store)

    key = LLMJudgingKey(request, corpus.content_hash, store.version(corpus.name), bound)
    for job in jobs_of(request, corpus, session):
        if not job.state.ended:
            session.jobs.join(job.key, session.waiter)
            return job
    return session.jobs.submit(
        key,
        work,
        lane=RETRIEVAL_LANE,
        by_stage=True,
        name=f"{request.judge.model} judges {corpus.name}",
        ctx=judging_context(request, session),
        waiter=session.waiter,
        detached=True,
    )


def jobs_of(
    request: LLMJudgingRequest, corpus: Corpus, session: Session
) -> list[Job[JudgingOutcome]]:
    """The jobs of this request that are at work or have ended, oldest first."""

    def same(key: LLMJudgingKey) -> bool:
        return (key.request, key.corpus_hash) == (request, corpus.content_hash)

    return session.jobs.jobs(LLMJudgingKey, same)


def judging_context(request: LLMJudgingRequest, session: Session) -> Context:
    """What pipelines and judge run with; no key goes to a host that the session distrusts."""
    pipelines = tuple(map(Pipeline, request.pipelines))
    ctx = session.context(pipelines)
    if request.judge.local:
        return ctx
    hosts = named_hosts(pipelines) | {host_of(request.judge.base_url.strip())}
    secrets: Mapping[str, str] = {} if session.distrusted_hosts & hosts else session.secrets
    return replace(ctx, secrets=secrets, spend=session.spend)


def allowed_judges(corpus: str, store: JudgmentStore) -> frozenset[str]:
    """The LLM judges whose labels may enter the qrels of a corpus, by their comparisons."""
    return allowed_llm_judges(store.comparisons(corpus), corpus)


def own_grades(judge: LLMJudge, corpus: Corpus, store: JudgmentStore) -> dict[Key, int | None]:
    """What a judge said of the documents as they are now; None where it abstained."""
    return {key: row.grade for key, row in _own_rows(judge, corpus, store).items()}


def _own_rows(judge: LLMJudge, corpus: Corpus, store: JudgmentStore) -> dict[Key, Judgment]:
    return {
        (row.query_id, row.doc_id): row
        for row in store.current(corpus.name, judge=judge.name)
        if row.content_hash == corpus.document_hash(row.doc_id)
    }


def texts_of(keys: Iterable[Key], corpus: Corpus) -> list[tuple[str, str]]:
    """The texts of queries and documents."""
    queries = {query.id: query.text for query in corpus.queries}
    return [(queries[q], corpus.whole_document(d).content) for q, d in keys]
