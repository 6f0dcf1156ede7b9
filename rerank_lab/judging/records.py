"""The rows that the lab keeps of judging: judgments, sessions, votes and query sets.

Rows are only ever added. A grade is taken back by another row, which names the row it undoes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

import msgspec

from rerank_lab.judging.scales import GRADED, Scale

MAX_JUDGE_CHARS = 200
"""The longest name of a judge: an address, or the name of an imported file."""


class JudgeKind(StrEnum):
    """Who a judge is. Simulated judges stand in samples and tests only.

    DECIDED is the grade on which a dispute of judges was settled: it counts before all of theirs.
    """

    HUMAN = "human"
    LLM = "llm"
    IMPORTED = "imported"
    SIMULATED = "simulated"
    DECIDED = "decided"


class Judgment(msgspec.Struct, frozen=True, gc=False):
    """One row: what a judge said of a document for a query, or that an earlier row is undone.

    A struct, because a corpus may have hundreds of thousands of them in memory. None holds another
    object in which a circle could close, so Python's collector need not look at them.

    Attributes:
        corpus: the name of the corpus that the ids belong to.
        grade: a value of the session's scale; None for "cannot tell", and in a row that undoes.
        judge: the judge's name.
        at: when, in UTC.
        seconds: how long the document was on screen before; 0 where nobody knows.
        content_hash: `Document.content_hash` of the whole document that was judged; "" where the
            row was imported without the text.
        passage_id: the passage that was shown first; "" for the whole document.
        position: the place in the judge's queue, from 1; 0 where there was no queue.
        session_id: the session; "" for a grade given on Compare, and for imported rows.
        undoes: the id of the row of the same judge that this one takes back.
        row_id: given by the store, ascending in the order of writing; 0 before.
        token: made by who sends the row, so that a row that is sent again after a lost connection
            is stored once; "" where nothing is sent twice.
    """

    corpus: str
    query_id: str
    doc_id: str
    grade: int | None
    judge: str
    kind: JudgeKind
    at: datetime
    note: str = ""
    seconds: float = 0.0
    content_hash: str = ""
    passage_id: str = ""
    position: int = 0
    session_id: str = ""
    undoes: int | None = None
    row_id: int = 0
    token: str = ""


class PairOrigin(StrEnum):
    """Why a pair is in a session."""

    POOL = "pool"
    BELOW_POOL = "below-pool"
    CONTROL = "control"
    CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class JudgingPair:
    """One query and document to be judged. Nothing here may tell the judge where it came from.

    `known_grade` is set for a control question. `probability` is the chance with which the pair was
    drawn: 1 for a pool, less for a sample from below it.
    """

    query_id: str
    doc_id: str
    origin: PairOrigin = PairOrigin.POOL
    probability: float = 1.0
    known_grade: int | None = None


class JudgingOrder(StrEnum):
    """What is put before the judges first."""

    QUERY_BY_QUERY = "query"
    NEXT_BEST = "next-best"
    UNCERTAINTY = "uncertainty"
    DISAGREEMENT = "disagreement"


@dataclass(frozen=True)
class LabelSession:
    """A set of pairs that some judges grade on one scale. Immutable once it has begun.

    Attributes:
        pipelines: the specs whose results were pooled; shown to the lead, never to a judge.
        depth: how many documents of each pipeline were pooled.
        judges: names; empty when anybody with the link may judge.
        overlap: the share of pairs, 0 to 1, that two judges grade.
        budget: the most grades that are to be given, all judges together; 0 for all pairs.
        seed: of the shuffled order and of the samples.
        group_duplicates: put near-duplicate documents one after another.
        pairs: what is to be judged, in the order that the session was set up with.
        runs: rankings of the pooled pipelines at set-up: spec -> query id -> document ids, best
            first. What the next-best order and the lead's view reckon with.
        queries: query id -> text, as the judges read it; also of queries typed on Compare.
    """

    session_id: str
    corpus: str
    title: str
    pipelines: tuple[str, ...]
    depth: int
    pairs: tuple[JudgingPair, ...]
    created_at: datetime
    scale: Scale = GRADED
    guidelines: str = GRADED.guidelines
    judges: tuple[str, ...] = ()
    overlap: float = 0.0
    budget: int = 0
    order: JudgingOrder = JudgingOrder.QUERY_BY_QUERY
    seed: int = 0
    group_duplicates: bool = False
    simulated: bool = False
    runs: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    queries: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def judged_by_two(self) -> frozenset[tuple[str, str]]:
        """The pairs (query id, document id) that the overlap wants a second judge for.

        As many as the share says, to the nearest pair, of those that are no control questions;
        drawn by the seed, so that every process draws the same.
        """
        pairs = [
            (pair.query_id, pair.doc_id)
            for pair in self.pairs
            if pair.origin is not PairOrigin.CONTROL
        ]
        drawn = sorted(pairs, key=lambda pair: seeded_fraction(self.seed, "overlap", *pair))
        return frozenset(drawn[: round(self.overlap * len(pairs))])


def seeded_fraction(seed: int, *parts: str) -> float:
    """A number in [0, 1) that depends on nothing but the seed and these texts."""
    text = "\x00".join((str(seed), *parts))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


class ArenaSide(StrEnum):
    """The outcome of one arena vote."""

    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"
    BOTH_BAD = "both-bad"


@dataclass(frozen=True, slots=True)
class ArenaVote:
    """One vote: which of two pipelines answered a query better. The voter saw no names.

    Attributes:
        left, right: the specs behind the two sides as they stood on screen.
        mode: "lists", "documents" or "interleaved".
        shown_hash: SHA-256 of what the two sides showed, so that a later change is seen.
        undoes, row_id, token: as in a `Judgment`.
    """

    corpus: str
    query_id: str
    left: str
    right: str
    outcome: ArenaSide
    judge: str
    kind: JudgeKind
    at: datetime
    mode: str = "lists"
    seconds: float = 0.0
    shown_hash: str = ""
    undoes: int | None = None
    row_id: int = 0
    token: str = ""


class QueryOrigin(StrEnum):
    """Where a query of a set came from. Generated ones are synthetic and said to be."""

    TYPED = "typed"
    IMPORTED = "imported"
    LOG = "log"
    TEMPLATE = "template"
    LLM = "llm"


@dataclass(frozen=True, slots=True)
class LabQuery:
    """A query that was built in the lab for a corpus.

    `frequency` counts how often the log has it (0 where unknown); `source_doc` is the document that
    a synthetic query was generated from.
    """

    query_id: str
    text: str
    origin: QueryOrigin
    tags: tuple[str, ...] = ()
    frequency: int = 0
    source_doc: str = ""


@dataclass(frozen=True, slots=True)
class LabQuerySet:
    """Queries under one name for one corpus."""

    corpus: str
    name: str
    queries: tuple[LabQuery, ...]
    created_at: datetime
