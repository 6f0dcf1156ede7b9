"""The menu that grades a document in place: its options, and what is said when one was taken."""

from __future__ import annotations

from rerank_lab.core.judgment_basis import BOTH, OWN
from rerank_lab.judging.records import Judgment
from rerank_lab.judging.scales import Scale
from rerank_lab.services.qrels import JudgmentSource

TAKE_BACK = "take back"
_CANNOT_TELL = "cannot tell"


def menu_label(own: Judgment | None) -> str:
    """`Grade`, or what this judge has said: `You: 2`."""
    if own is None:
        return "Grade"
    return "You: cannot tell" if own.grade is None else f"You: {own.grade}"


def menu_options(scale: Scale, own: Judgment | None) -> tuple[str, ...]:
    """The grades, the best first, then "cannot tell", then undo where there is a grade to undo."""
    grades = (str(grade.value) for grade in reversed(scale.grades))
    return (*grades, _CANNOT_TELL, *((TAKE_BACK,) if own is not None else ()))


def option_words(option: str, scale: Scale) -> str:
    """`3 answers`, `Cannot tell`, `Take back my grade`."""
    if option == TAKE_BACK:
        return "Take back my grade"
    value = grade_of_option(option)
    return "Cannot tell" if value is None else f"{value} {scale.by_value[value].label}"


def grade_of_option(option: str) -> int | None:
    """The grade that an option gives; None for "cannot tell"."""
    return None if option == _CANNOT_TELL else int(option)


def kept_words(doc_id: str, grade: int | None, source: JudgmentSource | None) -> str:
    """That a grade is kept, and where it does not show because other judgments count."""
    given = "cannot tell" if grade is None else f"grade {grade}"
    words = f"Kept: {given} for {doc_id}."
    if source is not None and source.source == OWN:
        return f"{words} On this page only the corpus' own judgments count now."
    if source is not None and source.source == BOTH and source.winner == OWN:
        return f"{words} Where the corpus has a grade of its own, that one counts here."
    return words
