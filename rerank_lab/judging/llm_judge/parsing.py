"""What a judge's answer says, read strictly: a grade and its reason, or nothing.

Only the shape that the prompt asks for counts: one JSON object with the two fields, and no word
around it (a code fence and a reasoning trace are taken off). A digit that stands in prose is never
a grade. Nothing here raises, whatever the text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rerank_lab.judging.records import ArenaSide
from rerank_lab.judging.scales import Scale
from rerank_lab.rerankers.parsing import Fault, answer_text, read_yes_no

MAX_REASON = 2000
"""Characters of a reason that are kept."""
_SIDES = {
    "A": ArenaSide.LEFT,
    "B": ArenaSide.RIGHT,
    "tie": ArenaSide.TIE,
    "neither": ArenaSide.BOTH_BAD,
}


class JudgeFault(StrEnum):
    """Why an answer gives no grade, in words for people and for the model that is asked again."""

    EMPTY = "the answer was empty"
    REFUSED = "the model refused"
    CUT_SHORT = "the answer was cut off at the token limit"
    WRONG_FORM = "the answer was not the one JSON object that was asked for"
    NO_SUCH_GRADE = "the grade is none of the scale"
    NO_SUCH_SIDE = "the choice is none of those that were named"
    CANNOT_TELL = "the judge cannot tell"
    NOT_CONSISTENT = "the judge answered otherwise when the order was turned"


@dataclass(frozen=True, slots=True)
class GradeReading:
    """The grade that an answer gives; None with `fault` CANNOT_TELL when the judge said so."""

    grade: int | None
    reason: str = ""
    fault: JudgeFault | None = None

    @property
    def usable(self) -> bool:
        """Whether the answer had the shape asked for; "cannot tell" is an answer."""
        return self.fault in (None, JudgeFault.CANNOT_TELL)


@dataclass(frozen=True, slots=True)
class PreferenceReading:
    """Which of two documents an answer prefers; LEFT stands for the one labelled A."""

    side: ArenaSide | None
    reason: str = ""
    fault: JudgeFault | None = None

    @property
    def usable(self) -> bool:
        """Whether the answer had the shape asked for."""
        return self.fault is None


def read_grade(text: str, scale: Scale, *, cut_short: bool = False) -> GradeReading:
    """The grade of an answer of the form `{"reason": "...", "grade": 2}`."""
    fields = _fields(text, "grade", cut_short)
    if isinstance(fields, JudgeFault):
        return GradeReading(None, fault=fields)
    reason, grade = fields
    if grade is None:
        return GradeReading(None, reason, JudgeFault.CANNOT_TELL)
    if type(grade) is not int or grade not in scale.by_value:
        return GradeReading(None, reason, JudgeFault.NO_SUCH_GRADE)
    return GradeReading(grade, reason)


def read_preference(text: str, *, cut_short: bool = False) -> PreferenceReading:
    """The choice of an answer of the form `{"reason": "...", "better": "A"}`."""
    fields = _fields(text, "better", cut_short)
    if isinstance(fields, JudgeFault):
        return PreferenceReading(None, fault=fields)
    reason, better = fields
    side = _SIDES.get(better) if isinstance(better, str) else None
    if side is None:
        return PreferenceReading(None, reason, JudgeFault.NO_SUCH_SIDE)
    return PreferenceReading(side, reason)


def read_query(text: str, *, cut_short: bool = False) -> str | JudgeFault:
    """The query of an answer of the form `{"reason": "...", "query": "..."}`; "" for null."""
    fields = _fields(text, "query", cut_short)
    if isinstance(fields, JudgeFault):
        return fields
    query = fields[1]
    if query is None:
        return ""
    return " ".join(query.split()) if isinstance(query, str) else JudgeFault.WRONG_FORM


def _fields(text: str, field: str, cut_short: bool) -> tuple[str, object] | JudgeFault:
    """The reason and the value of `field`, when these two are all that the answer holds."""
    answer = answer_text(text)
    if not answer:
        return JudgeFault.CUT_SHORT if answer is None or cut_short else JudgeFault.EMPTY
    try:
        pairs = json.loads(answer, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return _no_object(answer, cut_short)
    if not isinstance(pairs, _Pairs) or sorted(name for name, _ in pairs) != sorted(
        ("reason", field)
    ):
        return JudgeFault.WRONG_FORM
    values = dict(pairs)
    reason = values["reason"]
    if not isinstance(reason, str):
        return JudgeFault.WRONG_FORM
    return " ".join(reason.split())[:MAX_REASON], values[field]


class _Pairs(list[tuple[str, object]]):
    """A JSON object as it stands, so that a field that is there twice is seen."""

    def __init__(self, pairs: Sequence[tuple[str, object]]) -> None:
        super().__init__(pairs)


def _no_object(answer: str, cut_short: bool) -> JudgeFault:
    if Fault.REFUSED in read_yes_no(answer).faults:
        return JudgeFault.REFUSED
    return JudgeFault.CUT_SHORT if cut_short else JudgeFault.WRONG_FORM
