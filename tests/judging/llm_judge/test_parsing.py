"""Only the shape that was asked for counts; a digit in prose is never a grade."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.judging.llm_judge.parsing import JudgeFault, read_grade, read_preference
from rerank_lab.judging.records import ArenaSide
from rerank_lab.judging.scales import BINARY, UMBRELA


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ('{"reason": "It names the date.", "grade": 3}', 3),
        ('{"grade": 0, "reason": ""}', 0),
        ('```json\n{"reason": "x", "grade": 2}\n```', 2),
        ('<think>grade 0? no.</think>{"reason": "x", "grade": 1}', 1),
        ('{"reason": "x", "grade": ２}', 2),
    ],
)
def test_an_answer_of_the_shape_asked_for_is_read(text: str, grade: int) -> None:
    reading = read_grade(text, UMBRELA)
    assert (reading.grade, reading.fault) == (grade, None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", JudgeFault.EMPTY),
        ("3", JudgeFault.WRONG_FORM),
        ("Grade: 3", JudgeFault.WRONG_FORM),
        ("##final score: 2", JudgeFault.WRONG_FORM),
        ('Sure! {"reason": "x", "grade": 3}', JudgeFault.WRONG_FORM),
        ('{"reason": "x", "grade": 3} I hope this helps.', JudgeFault.WRONG_FORM),
        ('{"reason": "x", "grade": 0}{"reason": "x", "grade": 3}', JudgeFault.WRONG_FORM),
        ('{"reason": "x", "grade": 0, "grade": 3}', JudgeFault.WRONG_FORM),
        ('{"grade": 3}', JudgeFault.WRONG_FORM),
        ('{"reason": 3, "grade": 3}', JudgeFault.WRONG_FORM),
        ('[{"reason": "x", "grade": 3}]', JudgeFault.WRONG_FORM),
        ('{"reason": "x", "grade": "3"}', JudgeFault.NO_SUCH_GRADE),
        ('{"reason": "x", "grade": 2.0}', JudgeFault.NO_SUCH_GRADE),
        ('{"reason": "x", "grade": true}', JudgeFault.NO_SUCH_GRADE),
        ('{"reason": "x", "grade": 4}', JudgeFault.NO_SUCH_GRADE),
        ('{"reason": "x", "grade": -1}', JudgeFault.NO_SUCH_GRADE),
        ('{"reason": "x", "grade": NaN}', JudgeFault.NO_SUCH_GRADE),
        ("I'm sorry, I can't help with that.", JudgeFault.REFUSED),
        ("<think>Let me see, 3", JudgeFault.CUT_SHORT),
    ],
)
def test_anything_else_is_no_grade(text: str, fault: JudgeFault) -> None:
    reading = read_grade(text, UMBRELA)
    assert (reading.grade, reading.fault, reading.usable) == (None, fault, False)


def test_cannot_tell_is_an_answer_and_no_grade() -> None:
    reading = read_grade('{"reason": "Only a heading.", "grade": null}', BINARY)
    assert (reading.grade, reading.usable) == (None, True)
    assert reading.fault is JudgeFault.CANNOT_TELL
    assert reading.reason == "Only a heading."


def test_an_answer_that_was_cut_off_is_said_to_be() -> None:
    reading = read_grade('{"reason": "It', UMBRELA, cut_short=True)
    assert reading.fault is JudgeFault.CUT_SHORT


@pytest.mark.parametrize(
    ("better", "side"),
    [("A", ArenaSide.LEFT), ("B", ArenaSide.RIGHT), ("tie", ArenaSide.TIE),
     ("neither", ArenaSide.BOTH_BAD)],
)  # fmt: skip
def test_a_preference_names_one_of_the_sides(better: str, side: ArenaSide) -> None:
    assert read_preference(f'{{"reason": "x", "better": "{better}"}}').side is side


@pytest.mark.parametrize("better", ['"C"', '"A and B"', "1", "null", '"a"'])
def test_another_word_is_no_preference(better: str) -> None:
    reading = read_preference(f'{{"reason": "x", "better": {better}}}')
    assert (reading.side, reading.fault) == (None, JudgeFault.NO_SUCH_SIDE)
    assert read_preference("ANSWER: B").side is None


@given(st.text())
def test_no_text_raises_or_gives_a_grade_by_chance(text: str) -> None:
    assert read_grade(text, UMBRELA).grade is None or "grade" in text
    assert read_preference(text).side is None or "better" in text
