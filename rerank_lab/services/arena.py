"""The arena as a use case: the next battle, a vote, taking it back, and what the votes say."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query, Status
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.table import Job
from rerank_lab.judging.arena.next_pair import ArenaBattle, Pair, next_battles
from rerank_lab.judging.arena.ratings import (
    DEFAULT_RATING,
    ArenaRatings,
    RatingSettings,
    ratings,
    ratings_by,
)
from rerank_lab.judging.arena.showing import ArenaMode, Showing, showing
from rerank_lab.judging.arena.tallies import by_kind, standing
from rerank_lab.judging.arena.verdict import ArenaVerdict, verdict
from rerank_lab.judging.records import ArenaSide, ArenaVote, JudgeKind
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.results import Result
from rerank_lab.services import compare
from rerank_lab.services.access import Action, needs
from rerank_lab.services.compare import CompareRequest
from rerank_lab.services.cost_estimates import calls_out
from rerank_lab.services.session import Session

MIN_PIPELINES = 2
SHOWN_DEPTHS = (3, 5, 10)
"""How many documents of each pipeline a voter may be shown."""


@dataclass(frozen=True, slots=True)
class ArenaRequest:
    """Who votes on what.

    Attributes:
        pipelines: complete specs: their text is what a vote names.
        depth: how many documents of each pipeline are shown.
        seed: of sides and queries; the same for all judges of an arena.

    Raises:
        InvalidInput: fewer than two different pipelines, or no name.
    """

    pipelines: tuple[PipelineSpec, ...]
    judge: str
    mode: ArenaMode = ArenaMode.LISTS
    depth: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if len(set(self.pipelines)) < MIN_PIPELINES:
            raise InvalidInput(
                "The arena needs two different pipelines.", hint="Add another pipeline."
            )
        if not self.judge.strip():
            raise InvalidInput("A vote needs the name of its judge.", hint="Enter your name.")

    @property
    def asks_providers(self) -> bool:
        """Whether a battle may send requests over the network."""
        return any(map(calls_out, self.pipelines))


def queue(
    request: ArenaRequest,
    queries: Sequence[Query],
    votes: Sequence[ArenaVote],
    left_out: Collection[tuple[Pair, str]] = (),
) -> tuple[ArenaBattle, ...]:
    """The battles that tell most, the best first; see `next_battles`.

    Args:
        votes: every vote of the corpus; only people's votes that stand, in this mode, count here.
        left_out: pairs and queries with nothing to vote on: the lists agree, or one is missing.
    """
    people = [
        vote
        for vote in standing(votes)
        if vote.kind is JudgeKind.HUMAN and vote.mode == request.mode
    ]
    differences: dict[Pair, dict[str, float]] = {}
    for pair, query_id in left_out:
        differences.setdefault(pair, {})[query_id] = 0.0
    return next_battles(
        [str(spec) for spec in request.pipelines],
        [query.id for query in queries],
        people,
        request.judge,
        request.seed,
        differences,
    )


def start(
    battle: ArenaBattle, query: Query, corpus: Corpus, session: Session
) -> tuple[Job[Result], Job[Result]]:
    """The jobs of both sides, which do not name them; what is there already comes at once."""
    left, right = (
        compare.start(
            CompareRequest(query, Pipeline(spec).spec),
            corpus,
            session,
            name="An answer in the arena",
        )
        for spec in (battle.left, battle.right)
    )
    return left, right


def shown(
    request: ArenaRequest, battle: ArenaBattle, left: Result, right: Result
) -> Showing | None:
    """What the two sides show; None where the lists agree.

    Raises:
        InvalidInput: a pipeline did not answer. What failed neither wins nor loses.
    """
    for result in (left, right):
        if result.ranking is None or result.status is Status.FALLBACK:
            reason = result.error.message if result.error else "A model gave no usable answer."
            raise InvalidInput(
                "One of the two pipelines did not answer this query.",
                hint="Go on with the next one; a pipeline that fails neither wins nor loses.",
                details=reason,
            )
    if left.ranking is None or right.ranking is None:
        return None
    seed = int(_digest(request.seed, request.judge, battle.query_id)[:8], 16)
    left_ids, right_ids = left.ranking.doc_ids, right.ranking.doc_ids
    return showing(request.mode, left_ids, right_ids, request.depth, seed)


@needs(Action.JUDGE)
def record_vote(
    store: JudgmentStore,
    corpus: Corpus,
    request: ArenaRequest,
    battle: ArenaBattle,
    sides: Showing,
    outcome: ArenaSide,
    *,
    token: str,
    seconds: float = 0.0,
) -> ArenaVote:
    """Store a person's vote.

    Args:
        token: `battle_token` when the battle was shown: a vote that is sent twice is stored once.
        seconds: how long the two sides were on screen.

    Raises:
        StorageError: it could not be stored.
    """
    vote = ArenaVote(
        corpus=corpus.name,
        query_id=battle.query_id,
        left=battle.left,
        right=battle.right,
        outcome=outcome,
        judge=request.judge,
        kind=JudgeKind.HUMAN,
        at=datetime.now(UTC),
        mode=request.mode,
        seconds=seconds,
        shown_hash=sides.digest(corpus.document_hash),
        token=token,
    )
    return store.add_votes([vote])[0]


def battle_token(request: ArenaRequest, battle: ArenaBattle, votes: Sequence[ArenaVote]) -> str:
    """What makes a vote on this battle the same vote, after all rows that the judge has so far."""
    own_rows = sum(vote.judge == request.judge for vote in votes)
    return _digest(request.judge, request.mode, own_rows, battle)


@needs(Action.JUDGE)
def undo_last(store: JudgmentStore, corpus: Corpus, judge: str) -> ArenaVote | None:
    """Take back the judge's newest vote that stands, and give it; None when there is none."""
    own = [
        vote
        for vote in standing(store.votes(corpus.name))
        if vote.judge == judge and vote.kind is JudgeKind.HUMAN
    ]
    if not own:
        return None
    last = max(own, key=lambda vote: vote.row_id)
    store.undo_vote(last.row_id, judge, datetime.now(UTC))
    return last


@dataclass(frozen=True, slots=True)
class ArenaStandings:
    """What the votes of one kind of judge say.

    Attributes:
        judges, tags: the ratings by the votes of each judge, and of the queries with each tag.
            There is no verdict on them: with so many slices one would be wrong too often.
        modes: number of votes by mode.
    """

    kind: JudgeKind
    ratings: ArenaRatings
    verdict: ArenaVerdict
    judges: Mapping[str, ArenaRatings]
    tags: Mapping[str, ArenaRatings]
    modes: Mapping[str, int]


def standings(
    votes: Sequence[ArenaVote],
    tags: Mapping[str, tuple[str, ...]],
    mode: ArenaMode | None = None,
    pipelines: Collection[str] = (),
    settings: RatingSettings = DEFAULT_RATING,
) -> Mapping[JudgeKind, ArenaStandings]:
    """What the votes of a corpus say, for each kind of judge apart; people first.

    Args:
        votes: every row of the corpus, undone ones too.
        tags: query id -> its tags.
        mode: only votes of this mode; None for all.
        pipelines: only votes between two of these; all when there are none.
    """
    rows = [
        vote
        for vote in standing(votes)
        if (mode is None or vote.mode == mode)
        and (not pipelines or {vote.left, vote.right} <= set(pipelines))
    ]
    kinds = by_kind(rows)
    return {
        kind: ArenaStandings(
            kind,
            ratings(kinds[kind], settings),
            verdict(kinds[kind], pipelines),
            ratings_by(kinds[kind], lambda vote: (vote.judge,), settings),
            ratings_by(kinds[kind], lambda vote: tags.get(vote.query_id, ()), settings),
            Counter(vote.mode for vote in kinds[kind]),
        )
        for kind in JudgeKind
        if kind in kinds
    }


def query_tags(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    """The tags of each query of a corpus that has any: `tags` in what its file says of it."""
    tags = {}
    for query in corpus.queries:
        value = query.meta.get("tags") or ()
        words = value.replace(",", " ").split() if isinstance(value, str) else map(str, value)
        if names := tuple(dict.fromkeys(words)):
            tags[query.id] = names
    return tags


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()
