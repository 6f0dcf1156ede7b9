"""The marks beside documents and names: grades, moves, the judged quality of a column."""

from __future__ import annotations

import pytest

from rerank_lab.views.compare import Quality
from rerank_lab.views.marks import grade_mark, legend_grades, move_mark, quality_mark
from rerank_lab.views.rank_changes import Movement


@pytest.mark.parametrize(
    ("value", "meaning", "shade"),
    [
        (0, "Grade 0: not relevant", 0),
        (1, "Grade 1: slightly", 1),
        (2, "Grade 2: relevant", 2),
        (3, "Grade 3: perfect", 3),
        (4, "Grade 4: ", 3),
        (-1, "Grade -1: ", 0),
    ],
)
def test_a_grade_has_its_name_and_a_shade_that_exists(value: int, meaning: str, shade: int) -> None:
    mark = grade_mark(value)
    assert mark is not None
    assert (mark.text, mark.meaning, mark.shade) == (f"grade {value}", meaning, shade)


def test_what_is_not_judged_has_no_grade_and_is_not_explained() -> None:
    assert grade_mark(None) is None
    assert legend_grades(judged=True) == (3, 2, 1, 0)
    assert legend_grades(judged=False) == ()


@pytest.mark.parametrize(
    ("before", "after", "text", "told", "kind"),
    [
        (14, 1, "▲ 13", "rank 14 before", "up"),
        (1, 3, "▼ 2", "rank 1 before", "down"),
        (2, 2, "=", "rank 2 before", "same"),
        (None, 5, "new", "not in the first stage", "new"),
    ],
)
def test_a_move_says_where_it_came_from(
    before: int | None, after: int, text: str, told: str, kind: str
) -> None:
    mark = move_mark(Movement("d", before, after))
    assert mark is not None
    assert (mark.text, mark.before, mark.kind) == (text, told, kind)
    assert move_mark(None) is None


def test_quality_says_what_was_possible_what_is_missing_and_how_much_is_judged() -> None:
    mark = quality_mark(Quality(0.6, 0.8, 1.0, 8, 10))
    assert mark is not None
    assert (mark.measure, mark.value) == ("nDCG@10", "0.600")
    assert mark.note == "of 0.800 possible · headroom 0.200 · 8 of 10 judged"
    assert (mark.reach, mark.share) == (0.8, pytest.approx(0.75))
    whole = quality_mark(Quality(0.8, 0.8, 1.0, 10, 10))
    assert whole is not None
    assert whole.note == "of 0.800 possible · headroom 0.000"


def test_quality_where_nothing_can_be_reached_or_nothing_is_judged() -> None:
    none = quality_mark(Quality(0.0, 0.0, 0.0, 10, 10))
    assert none is not None
    assert (none.reach, none.share) == (0.0, 0.0)
    over = quality_mark(Quality(1.0 + 1e-9, 1.0, 1.0, 10, 10))
    assert over is not None
    assert over.share == 1.0
    assert quality_mark(Quality(None, None, None, 0, 10)) is None
    assert quality_mark(None) is None
