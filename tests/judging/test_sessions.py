"""The queue of each judge: order, overlap, controls, near-duplicates, progress and the stop."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rerank_lab.judging.records import (
    JudgeKind,
    JudgingOrder,
    JudgingPair,
    Judgment,
    LabelSession,
    PairOrigin,
)
from rerank_lab.judging.sessions import (
    StopReason,
    judging_order,
    key_of,
    near_duplicates_together,
    needs_two,
    planned_grades,
    queue_of,
    starting_at,
    with_controls,
)
from tests.judging.counted import progress_of

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def session(queries: int = 6, documents: int = 10, **changes: object) -> LabelSession:
    pairs = tuple(JudgingPair(f"q{q}", f"d{d}") for q in range(queries) for d in range(documents))
    whole = LabelSession("s1", "helpdesk", "Test", ("bm25",), documents, pairs, NOON)
    return replace(whole, **changes)  # type: ignore[arg-type]


def grade(pair: JudgingPair, judge: str, value: int | None = 1, seconds: float = 8) -> Judgment:
    return Judgment(
        "helpdesk", pair.query_id, pair.doc_id, value, judge, JudgeKind.HUMAN, NOON,
        seconds=seconds, session_id="s1",
    )  # fmt: skip


def test_the_order_is_query_by_query_shuffled_and_the_same_after_a_reload() -> None:
    labels = session()
    order = judging_order(labels, "Ada")
    assert [pair.query_id for pair in order] == [pair.query_id for pair in labels.pairs]
    assert sorted(map(key_of, order)) == sorted(map(key_of, labels.pairs))
    assert order != list(labels.pairs)
    assert order == judging_order(labels, "Ada")
    assert order != judging_order(labels, "Bob")
    assert order != judging_order(replace(labels, seed=1), "Ada")


def test_an_order_by_worth_is_left_as_it_was_set_up() -> None:
    labels = session(order=JudgingOrder.NEXT_BEST)
    assert judging_order(labels, "Ada") == list(labels.pairs)


def test_two_judges_meet_on_the_overlap_alone() -> None:
    labels = session(overlap=0.25, judges=("Ada", "Bob"))
    judgments: list[Judgment] = []
    for turn in range(2 * len(labels.pairs)):
        judge = ("Ada", "Bob")[turn % 2]
        queue = queue_of(labels, judging_order(labels, judge), judge, judgments)
        if queue:
            judgments.append(grade(queue[0], judge))
    graders = Counter(map(key_of, judgments))
    twice = {key for key, count in graders.items() if count == 2}
    assert twice == {key_of(pair) for pair in labels.pairs if needs_two(labels, pair)}
    assert len(twice) == pytest.approx(15, abs=7)
    assert set(graders) == {key_of(pair) for pair in labels.pairs}
    assert len(judgments) == planned_grades(labels)
    progress = progress_of(labels, judgments)
    assert progress.stop is StopReason.ALL_JUDGED
    assert progress.left == 0


def test_what_another_has_on_the_screen_is_not_offered() -> None:
    labels = session(queries=1, documents=3)
    order = judging_order(labels, "Bob")
    claims = {key_of(order[0]): ["Ada"]}
    assert queue_of(labels, order, "Bob", [], claims) == order[1:]
    assert queue_of(labels, order, "Ada", [], claims) == order


def test_what_was_skipped_comes_again_at_the_end() -> None:
    order = judging_order(session(queries=2), "Ada")
    queue = queue_of(session(queries=2), order, "Ada", [], skipped=[key_of(order[0])])
    assert queue == [*order[1:], order[0]]


def test_a_queue_begins_at_the_query_that_was_chosen() -> None:
    order = judging_order(session(queries=3, documents=2), "Ada")
    ids = [pair.query_id for pair in starting_at(order, "q1")]
    assert ids == ["q1", "q1", "q2", "q2", "q0", "q0"]
    assert starting_at(order, "no such") == order


def test_controls_stand_among_the_pairs_of_their_query_and_go_to_everybody() -> None:
    control = JudgingPair("q0", "sure", PairOrigin.CONTROL, known_grade=3)
    labels = session(queries=2, documents=4, judges=("Ada", "Bob"))
    labels = replace(labels, pairs=with_controls(labels.pairs, [control]))
    assert [pair.query_id for pair in labels.pairs] == ["q0"] * 5 + ["q1"] * 4
    done = [grade(control, "Ada", 2), grade(control, "Bob", 0)]
    assert control in queue_of(labels, judging_order(labels, "Bob"), "Bob", done[:1])
    ada, bob = progress_of(labels, done).judges
    assert (ada.controls, ada.controls_passed) == (1, 1)
    assert (bob.controls, bob.controls_passed) == (1, 0)
    assert planned_grades(labels) == 8 + 2


def test_near_duplicates_follow_each_other_only_if_asked() -> None:
    pairs = [JudgingPair("q", doc_id) for doc_id in ("a", "b", "c", "d")]
    text = "how to reset the password of a locked account in the console by hand today"
    texts = {"a": text, "b": "the printer is out of paper again", "c": text + " please", "d": ""}
    together = near_duplicates_together(pairs, texts)
    assert [pair.doc_id for pair in together] == ["a", "c", "b", "d"]
    labels = session(pairs=tuple(pairs))
    apart = [
        [pair.doc_id for pair in judging_order(replace(labels, seed=seed), "Ada", texts)]
        for seed in range(8)
    ]
    assert any(abs(ids.index("a") - ids.index("c")) > 1 for ids in apart)
    grouped = replace(labels, group_duplicates=True)
    for seed in range(8):
        ids = [p.doc_id for p in judging_order(replace(grouped, seed=seed), "Ada", texts)]
        assert abs(ids.index("a") - ids.index("c")) == 1


def test_progress_counts_time_and_stops_at_the_budget() -> None:
    labels = session(budget=4)
    order = judging_order(labels, "Ada")
    done = [grade(pair, "Ada", None if i == 2 else 1, 6) for i, pair in enumerate(order[:3])]
    progress = progress_of(labels, done)
    (ada,) = progress.judges
    assert (progress.planned, progress.grades, progress.left, ada.unsure) == (4, 3, 1, 1)
    assert (progress.minutes_spent, progress.minutes_left) == (0.3, 0.1)
    assert progress.stop is StopReason.NOT_YET
    away = [*done, grade(order[3], "Ada", 1, 3600)]
    progress = progress_of(labels, away)
    assert progress.stop is StopReason.BUDGET
    assert progress.judges[0].pace_s == 6
    assert progress.minutes_spent == pytest.approx((18 + 120) / 60)
