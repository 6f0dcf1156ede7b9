"""The progress of a session, counted anew from all judgments: what the ledger must agree with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rerank_lab.judging.records import Judgment, LabelSession
from rerank_lab.judging.sessions import (
    SessionProgress,
    StopReason,
    judge_count,
    judge_progress,
    key_of,
    planned_grades,
    wanted_judges,
)


def progress_of(session: LabelSession, judgments: Sequence[Judgment]) -> SessionProgress:
    """How far a session is by the grades that count now, in the order in which they were given."""
    by_key = {key_of(pair): pair for pair in session.pairs}
    of_judge: dict[str, list[Judgment]] = {judge: [] for judge in session.judges}
    for judgment in judgments:
        if key_of(judgment) in by_key:
            of_judge.setdefault(judgment.judge, []).append(judgment)
    counts = Counter(key_of(row) for rows in of_judge.values() for row in rows)
    active = sum(bool(rows) for rows in of_judge.values())
    judges = judge_count(session, active)
    stop = StopReason.NOT_YET
    if session.budget and counts.total() >= session.budget:
        stop = StopReason.BUDGET
    elif all(counts[key_of(p)] >= wanted_judges(session, p, judges) for p in session.pairs):
        stop = StopReason.ALL_JUDGED
    return SessionProgress(
        planned_grades(session, active),
        counts.total(),
        len(session.pairs),
        len(counts),
        tuple(judge_progress(judge, rows, by_key) for judge, rows in of_judge.items()),
        stop,
    )
