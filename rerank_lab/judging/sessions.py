"""Who judges what, and in which order: the queue of each judge in a labelling session.

Everything here is a pure function of the session and of the judgments given so far, so that a
reload, a second tab and another process come to the same queue.

All judges go through the queries in one order, so that the pairs which two of them grade come up
for both within minutes. Within a query each judge has a shuffled order of their own.
"""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from rerank_lab.judging.records import (
    JudgingOrder,
    JudgingPair,
    Judgment,
    LabelSession,
    PairOrigin,
    seeded_fraction,
)

PairKey = tuple[str, str]
"""Query id and document id."""
NEAR_DUPLICATE = 0.7
"""Texts that share at least this part of their shingles are near-duplicates."""
_SHINGLE_WORDS = 4
_SHINGLED_CHARS = 20_000
_WORD = re.compile(r"\w+")
_PACE_OF_LAST = 30
_LONGEST_S = 120.0
"""Whoever looks at one document for longer was called away; the pace counts no more than this."""


def key_of(item: JudgingPair | Judgment) -> PairKey:
    """The query and document that a pair or a judgment is about."""
    return item.query_id, item.doc_id


def needs_two(session: LabelSession, pair: JudgingPair) -> bool:
    """Whether the overlap wants a second judge for this pair; the same pairs for everybody."""
    return key_of(pair) in session.judged_by_two


def wanted_judges(session: LabelSession, pair: JudgingPair, judges: int) -> int:
    """How many judges are to grade a pair: one, two by the overlap, for a control all `judges`."""
    if pair.origin is PairOrigin.CONTROL:
        return max(1, judges)
    return 2 if needs_two(session, pair) and judges != 1 else 1


def planned_grades(session: LabelSession, active_judges: int = 0) -> int:
    """How many grades the session asks for, all judges together, within its budget.

    Without names two judges are reckoned with when there is an overlap, else one.

    Args:
        active_judges: how many have graded something; more than have a name count too.
    """
    judges = judge_count(session, active_judges)
    total = sum(wanted_judges(session, pair, judges) for pair in session.pairs)
    return min(total, session.budget) if session.budget else total


def judging_order(
    session: LabelSession, judge: str, texts: Mapping[str, str] | None = None
) -> list[JudgingPair]:
    """All pairs of a session in the order in which this judge meets them.

    Query by query it is shuffled within each query, by the session's seed and the judge's name.
    Other orders keep the session's own: there the place tells what a grade is worth.

    Args:
        texts: document id -> text; with `group_duplicates`, near-duplicates follow each other.
    """
    if session.order is not JudgingOrder.QUERY_BY_QUERY:
        return list(session.pairs)
    of_query: dict[str, list[JudgingPair]] = defaultdict(list)
    for pair in session.pairs:
        of_query[pair.query_id].append(pair)
    order: list[JudgingPair] = []
    for pairs in of_query.values():
        of_judge = shuffled(session, judge, pairs)
        if session.group_duplicates and texts is not None:
            of_judge = near_duplicates_together(of_judge, texts)
        order += of_judge
    return order


def shuffled(session: LabelSession, judge: str, pairs: Iterable[JudgingPair]) -> list[JudgingPair]:
    """Pairs of one query as a judge meets them; the order of some does not depend on the others."""
    return sorted(
        pairs, key=lambda pair: seeded_fraction(session.seed, "order", judge, *key_of(pair))
    )


def queue_of(
    session: LabelSession,
    order: Sequence[JudgingPair],
    judge: str,
    judgments: Iterable[Judgment],
    claims: Mapping[PairKey, Collection[str]] | None = None,
    *,
    skipped: Collection[PairKey] = (),
) -> list[JudgingPair]:
    """What is left for a judge, the next first. What was skipped comes again at the end.

    A pair is left when this judge has not graded it and fewer others than it needs have graded or
    claimed it, so that nobody judges the same pair without the overlap wanting it.

    Args:
        order: the judge's `judging_order`.
        judgments: the grades of the session that count now, of all judges.
        claims: by pair, the judges who have it on their screens now.
    """
    graded: dict[PairKey, set[str]] = defaultdict(set)
    for judgment in judgments:
        graded[key_of(judgment)].add(judgment.judge)
    later = set(skipped)
    head: list[JudgingPair] = []
    tail: list[JudgingPair] = []
    for pair in order:
        key = key_of(pair)
        holders = graded[key] | set((claims or {}).get(key, ()))
        if judge in graded[key]:
            continue
        others = len(holders - {judge})
        if pair.origin is PairOrigin.CONTROL or others < wanted_judges(session, pair, 2):
            (tail if key in later else head).append(pair)
    return head + tail


def starting_at(queue: Sequence[JudgingPair], query_id: str) -> list[JudgingPair]:
    """A queue that begins with this query and comes round to what stood before it."""
    first = next((i for i, pair in enumerate(queue) if pair.query_id == query_id), 0)
    return [*queue[first:], *queue[:first]]


def near_duplicates_together(
    pairs: Sequence[JudgingPair], texts: Mapping[str, str]
) -> list[JudgingPair]:
    """The same pairs, each directly followed by its near-duplicates.

    Near-duplicates share at least `NEAR_DUPLICATE` of their shingles of four words (Jaccard), after
    Broder, "On the resemblance and containment of documents", SEQUENCES 1997.
    """
    shingles = {pair.doc_id: _shingles(texts.get(pair.doc_id, "")) for pair in pairs}
    remaining = list(pairs)
    grouped: list[JudgingPair] = []
    while remaining:
        first = remaining.pop(0)
        alike = [
            pair
            for pair in remaining
            if _resemblance(shingles[first.doc_id], shingles[pair.doc_id]) >= NEAR_DUPLICATE
        ]
        grouped += [first, *alike]
        remaining = [pair for pair in remaining if pair not in alike]
    return grouped


def with_controls(
    pairs: Sequence[JudgingPair], controls: Sequence[JudgingPair]
) -> tuple[JudgingPair, ...]:
    """Pairs with control questions among those of their queries, or at the end without such."""
    known = {key_of(control) for control in controls}
    rest = [pair for pair in pairs if key_of(pair) not in known]
    of_query: dict[str, list[JudgingPair]] = defaultdict(list)
    for control in controls:
        of_query[control.query_id].append(control)
    mixed: list[JudgingPair] = []
    for place, pair in enumerate(rest):
        mixed.append(pair)
        last = place + 1 == len(rest) or rest[place + 1].query_id != pair.query_id
        if last:
            mixed += of_query.pop(pair.query_id, [])
    return (*mixed, *(control for left in of_query.values() for control in left))


class StopReason(StrEnum):
    """Why there is nothing more to judge."""

    NOT_YET = ""
    BUDGET = "budget"
    ALL_JUDGED = "all judged"


@dataclass(frozen=True, slots=True)
class JudgeProgress:
    """What one judge has done.

    Attributes:
        unsure: how many of the grades are "cannot tell".
        seconds: time spent on all of them, interruptions counted as two minutes.
        pace_s: seconds a grade of late; None before the first.
        controls, controls_passed: control questions answered, and those within one grade.
    """

    judge: str
    grades: int
    unsure: int
    seconds: float
    pace_s: float | None
    controls: int
    controls_passed: int


@dataclass(frozen=True, slots=True)
class SessionProgress:
    """How far a session is. `planned` and `grades` count grades, not pairs."""

    planned: int
    grades: int
    pairs: int
    pairs_judged: int
    judges: tuple[JudgeProgress, ...]
    stop: StopReason

    @property
    def left(self) -> int:
        """Grades still to be given."""
        return max(0, self.planned - self.grades)

    @property
    def minutes_spent(self) -> float:
        """Time of all judges together."""
        return sum(judge.seconds for judge in self.judges) / 60

    @property
    def minutes_left(self) -> float | None:
        """Of work, all judges together, at their pace of late; None before the first grade."""
        paces = [judge.pace_s for judge in self.judges if judge.pace_s is not None]
        return self.left * statistics.mean(paces) / 60 if paces else None


def pace_of(judgments: Sequence[Judgment]) -> float | None:
    """Seconds a grade of late: the median of the last 30 that were timed; None without any."""
    timed = islice((j.seconds for j in reversed(judgments) if j.seconds > 0), _PACE_OF_LAST)
    seconds = [min(one, _LONGEST_S) for one in timed]
    return statistics.median(seconds) if seconds else None


def passes_control(pair: JudgingPair, grade: int | None) -> bool:
    """Whether a grade is within one of the known one: careful judges differ by that much."""
    return grade is not None and pair.known_grade is not None and abs(grade - pair.known_grade) <= 1


def judge_count(session: LabelSession, active: int) -> int:
    """How many judges are reckoned with, `active` of whom have graded something."""
    return max(len(session.judges) or (2 if session.overlap else 1), active)


def judge_progress(
    judge: str, rows: Sequence[Judgment], pairs: Mapping[PairKey, JudgingPair]
) -> JudgeProgress:
    """What a judge has done by the rows that count, of pairs of the session, in their order."""
    controls = passed = unsure = 0
    seconds = 0.0
    for row in rows:
        unsure += row.grade is None
        seconds += min(row.seconds, _LONGEST_S)
        pair = pairs[row.query_id, row.doc_id]
        if pair.origin is PairOrigin.CONTROL:
            controls += 1
            passed += passes_control(pair, row.grade)
    return JudgeProgress(judge, len(rows), unsure, seconds, pace_of(rows), controls, passed)


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text[:_SHINGLED_CHARS].casefold())
    if len(words) < _SHINGLE_WORDS:
        return frozenset([tuple(words)] if words else [])
    return frozenset(
        tuple(words[i : i + _SHINGLE_WORDS]) for i in range(len(words) - _SHINGLE_WORDS + 1)
    )


def _resemblance(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]]) -> float:
    return len(a & b) / len(a | b) if a and b else 0.0
