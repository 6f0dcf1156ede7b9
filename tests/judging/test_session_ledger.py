"""The ledger counts row by row what `sessions` and `current_rows` say of all rows."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rerank_lab.judging.policies import current_rows
from rerank_lab.judging.records import (
    JudgeKind,
    JudgingPair,
    Judgment,
    LabelSession,
    PairOrigin,
)
from rerank_lab.judging.session_ledger import SessionLedger
from rerank_lab.judging.sessions import (
    PairKey,
    judging_order,
    key_of,
    queue_of,
    starting_at,
)
from tests.judging.counted import progress_of

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
JUDGES = ("Ada", "Ben", "Cleo")


def session(**changes: object) -> LabelSession:
    pairs = tuple(JudgingPair(f"q{q}", f"d{d}") for q in range(5) for d in range(4))
    control = JudgingPair("q1", "c", PairOrigin.CONTROL, known_grade=2)
    labels = LabelSession("s", "c", "Test", (), 4, (*pairs[:8], control, *pairs[8:]), NOON)
    return replace(labels, **changes)  # type: ignore[arg-type]


def history(labels: LabelSession, draw: random.Random, count: int) -> list[Judgment]:
    """Answers, changed answers and undone ones of three judges, as the store would give them."""
    rows: list[Judgment] = []
    standing: list[Judgment] = []
    for row_id in range(1, count + 1):
        judge = draw.choice(JUDGES)
        own = [row for row in standing if row.judge == judge]
        undone = draw.choice(own) if own and draw.random() < 0.25 else None
        pair = draw.choice(labels.pairs)
        key = (pair.query_id, pair.doc_id) if undone is None else key_of(undone)
        row = Judgment(
            "c", *key, draw.choice((0, 1, 2, 3, None)) if undone is None else None, judge,
            JudgeKind.HUMAN, NOON, seconds=draw.choice((0.0, 3.0, 500.0)), session_id="s",
            undoes=undone and undone.row_id, row_id=row_id,
        )  # fmt: skip
        rows.append(row)
        if undone is None:
            standing.append(row)
        else:
            standing.remove(undone)
    return rows


@pytest.mark.parametrize(
    "changes",
    [{}, {"overlap": 0.5}, {"overlap": 1.0, "judges": JUDGES[:2]}, {"judges": ("Ada",)},
     {"budget": 9, "overlap": 0.3}],
)  # fmt: skip
def test_row_by_row_it_says_what_all_rows_say(changes: dict[str, object]) -> None:
    labels = session(**changes)
    draw = random.Random(str(changes))
    for _ in range(8):
        ledger, rows = SessionLedger(labels), history(labels, draw, 40)
        for end in range(1, len(rows) + 1):
            ledger.add(rows[end - 1 : end])
            current = current_rows(rows[:end])
            assert ledger.judgments() == current
            expected, progress = progress_of(labels, current), ledger.progress()
            assert replace(progress, judges=()) == replace(expected, judges=())
            assert {one.judge: one for one in progress.judges} == {
                one.judge: one for one in expected.judges
            }
            judge = draw.choice((*JUDGES, "Dan"))
            claims: dict[PairKey, set[str]] = {
                key_of(pair): {draw.choice(JUDGES)} for pair in draw.sample(labels.pairs, 3)
            }
            skipped = [key_of(pair) for pair in draw.sample(labels.pairs, 3)]
            whole = queue_of(
                labels, judging_order(labels, judge), judge, current, claims, skipped=skipped
            )
            for most in (3, 100):
                queue = ledger.queue(ledger.order(judge), judge, claims, most, skipped=skipped)
                assert queue == whole[:most]
            graded = {key_of(row) for row in current if row.judge == judge}
            assert ledger.answers(judge).keys() == graded
            assert sum(ledger.left_of_queries(judge).values()) == len(labels.pairs) - len(graded)
    newest = [rows[-1].row_id for rows in ledger.answers("Ada").values()]
    assert newest == sorted(newest)


def test_it_begins_with_the_query_that_a_judge_goes_to() -> None:
    labels = session()
    ledger = SessionLedger(labels)
    whole = queue_of(labels, judging_order(labels, "Ada"), "Ada", [])
    assert ledger.queue(ledger.order("Ada", "q3"), "Ada", {}, 100) == starting_at(whole, "q3")
    rows = [
        Judgment("c", "q3", f"d{d}", 1, "Ada", JudgeKind.HUMAN, NOON, row_id=d + 1)
        for d in range(4)
    ]  # fmt: skip
    ledger.add(rows)
    at_the_start = ledger.queue(ledger.order("Ada", "q3"), "Ada", {}, 100)
    assert at_the_start == [pair for pair in whole if pair.query_id != "q3"]
