"""A language model votes in the arena, pairwise and blind. Its votes are rated apart from people's.

It is asked about the two documents of the first rank at which two pipelines differ, in both orders.
Only what it says in both is a vote; how often that is so is its order-swap consistency.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.spend import CostEstimate
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.judging.arena.next_pair import ArenaBattle
from rerank_lab.judging.arena.showing import ArenaMode, Showing, showing
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.judging.llm_judge.judge import LLMJudge, LLMPreference
from rerank_lab.judging.llm_judge.trust import Consistency
from rerank_lab.judging.records import ArenaVote, JudgeKind
from rerank_lab.judging.scales import GRADED
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.remote.gather import gather
from rerank_lab.services.llm_judging import MOST_FAILURES, judge_of
from rerank_lab.services.pipeline_runs import ranked_queries


@dataclass(frozen=True, slots=True)
class LLMVotingRequest:
    """Let a language model vote on each two of some pipelines.

    Attributes:
        pipelines: complete specs, at least two: their text is what a vote names.
        depth: how deep two rankings are compared for a rank at which they differ.
        limit: only the first so many queries of the corpus; None for all.
        seed: of who stands on the left.
    """

    judge: JudgeModel
    pipelines: tuple[PipelineSpec, ...]
    depth: int = 10
    limit: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class PlannedVote:
    """A battle that the model has not voted on, with the documents of both sides."""

    battle: ArenaBattle
    documents: Showing
    token: str


@dataclass(frozen=True, slots=True)
class VotingPlan:
    """What the model is to be asked; `before` battles have its vote already."""

    judge: LLMJudge
    battles: tuple[PlannedVote, ...]
    before: int
    estimate: CostEstimate


@dataclass(frozen=True, slots=True)
class VotingOutcome:
    """What came of it.

    Attributes:
        judge: its name with the votes.
        votes: that were stored now.
        abstained: battles without a vote: the model could not be read, or was not consistent.
        failed: battles on which the endpoint failed; they are asked again next time.
        swap: how often the model named the same document in both orders, of the battles of this
            time on which both answers could be read.
        cost: USD that were billed, by the prices known.
    """

    judge: str
    before: int
    votes: int
    abstained: int
    failed: int
    swap: Consistency
    cost: float
    failures: tuple[str, ...] = field(default=())


def plan(
    request: LLMVotingRequest, corpus: Corpus, ctx: Context, engine: Engine, store: JudgmentStore
) -> VotingPlan:
    """Rank the queries and find the battles that are left. The model is asked nothing.

    Raises:
        InvalidInput: fewer than two pipelines, no queries, or an option that cannot be used.
        LabError: a pipeline answered none of the queries; the error is its own.
    """
    queries = corpus.queries[: request.limit]
    if len(set(request.pipelines)) < 2 or not queries:
        raise InvalidInput(
            "The arena needs two different pipelines, and queries.",
            hint="Name another pipeline, or add queries to the corpus.",
        )
    judge = judge_of(request.judge, GRADED, "", engine)
    pipelines = [Pipeline(spec) for spec in request.pipelines]
    runs = ranked_queries(pipelines, queries, request.depth, corpus, ctx, engine)
    known = {vote.token for vote in store.votes(corpus.name) if vote.judge == judge.voter}
    planned = [
        vote
        for first, second in combinations(runs, 2)
        for query in queries
        if (vote := _planned(request, judge, (first, second), query.id, runs, corpus)) is not None
    ]
    battles = tuple(vote for vote in planned if vote.token not in known)
    texts = [(_query(vote, corpus), _text(side[0], corpus)) for vote in battles
             for side in (vote.documents.left, vote.documents.right)]  # fmt: skip
    return VotingPlan(judge, battles, len(planned) - len(battles), judge.estimate(texts))


def _planned(
    request: LLMVotingRequest,
    judge: LLMJudge,
    pair: tuple[str, str],
    query_id: str,
    runs: Mapping[str, Mapping[str, Sequence[str]]],
    corpus: Corpus,
) -> PlannedVote | None:
    """The battle of two pipelines on a query; None where one lacks it or nothing differs."""
    digest = _digest(request.seed, judge.voter, *pair, query_id)
    left, right = pair if int(digest[:8], 16) % 2 else (pair[1], pair[0])
    if query_id not in runs[left] or query_id not in runs[right]:
        return None
    rankings = runs[left][query_id], runs[right][query_id]
    documents = showing(ArenaMode.DOCUMENTS, *rankings, request.depth, request.seed)
    if documents is None:
        return None
    shown = documents.digest(corpus.document_hash)
    token = _digest(judge.voter, *sorted(pair), query_id, shown)
    return PlannedVote(ArenaBattle(left, right, query_id), documents, token)


def run(planned: VotingPlan, corpus: Corpus, ctx: Context, store: JudgmentStore) -> VotingOutcome:
    """Ask what is planned; each vote is stored before the next is counted.

    Raises:
        SpendLimit, MissingKey, Cancelled: the votes by then are stored; the same request goes on.
        BackendError: the endpoint failed several times in a row.
    """
    judge = planned.judge
    if planned.battles:
        judge.asked.check(ctx)
    counts = _Counts()

    def ask(vote: PlannedVote, inner: Context) -> LLMPreference | BackendError:
        left, right = (
            _text(side[0], corpus) for side in (vote.documents.left, vote.documents.right)
        )
        try:
            return judge.compare(_query(vote, corpus), left, right, inner.for_remote_stage())
        except BackendError as error:
            return error

    def keep(place: int, answer: LLMPreference | BackendError) -> None:
        vote = _vote(planned.battles[place], counts.add(answer), judge, corpus)
        if vote is not None:
            store.add_votes([vote])
        ctx.report("voting", counts.done, len(planned.battles))

    width = 1 if judge.settings.local else judge.settings.concurrency
    gather(planned.battles, ask, ctx, width, keep)
    return VotingOutcome(
        judge.voter, planned.before, counts.votes, counts.abstained, counts.failed,
        Consistency(counts.readable, counts.same), counts.cost, tuple(counts.failures),
    )  # fmt: skip


@dataclass(slots=True)
class _Counts:
    """What the answers came to so far."""

    votes: int = 0
    abstained: int = 0
    failed: int = 0
    readable: int = 0
    same: int = 0
    cost: float = 0.0
    failures: dict[str, None] = field(default_factory=dict)
    _in_a_row: int = 0

    @property
    def done(self) -> int:
        return self.votes + self.abstained + self.failed

    def add(self, answer: LLMPreference | BackendError) -> LLMPreference | None:
        """Count an answer, and give it where it is one. Raises the last of many failures."""
        if isinstance(answer, BackendError):
            self.failed += 1
            self._in_a_row += 1
            self.failures[answer.message] = None
            if self._in_a_row >= MOST_FAILURES:
                raise answer
            return None
        self._in_a_row = 0
        self.cost += answer.trace.cost
        self.votes += answer.side is not None
        self.abstained += answer.side is None
        if None not in answer.asked_twice:
            self.readable += 1
            self.same += answer.asked_twice[0] is answer.asked_twice[1]
        return answer


def _vote(
    planned: PlannedVote, answer: LLMPreference | None, judge: LLMJudge, corpus: Corpus
) -> ArenaVote | None:
    if answer is None or answer.side is None:
        return None
    battle = planned.battle
    return ArenaVote(
        corpus=corpus.name,
        query_id=battle.query_id,
        left=battle.left,
        right=battle.right,
        outcome=answer.side,
        judge=judge.voter,
        kind=JudgeKind.LLM,
        at=datetime.now(UTC),
        mode=ArenaMode.DOCUMENTS,
        shown_hash=planned.documents.digest(corpus.document_hash),
        token=planned.token,
    )


def _query(vote: PlannedVote, corpus: Corpus) -> str:
    texts = {query.id: query.text for query in corpus.queries}
    return texts[vote.battle.query_id]


def _text(doc_id: str, corpus: Corpus) -> str:
    return corpus.whole_document(doc_id).content


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()
