"""A relevance grade from what a file says: a whole number, yes or no, or a word of a scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_WORDS = {
    **dict.fromkeys(("yes", "y", "true", "t", "relevant", "rel", "positive"), 1),
    **dict.fromkeys(("no", "n", "false", "f", "not relevant", "irrelevant", "negative"), 0),
    **dict.fromkeys(("non-relevant", "nonrelevant", "not_relevant", "non_relevant"), 0),
    **dict.fromkeys(
        ("ja", "oui", "si", "s\u00ed", "sim", "\u0434\u0430", "\u662f", "\u306f\u3044"), 1
    ),
    **dict.fromkeys(
        ("nein", "non", "n\u00e3o", "nao", "\u043d\u0435\u0442", "\u5426", "\u3044\u3044\u3048"), 0
    ),
    **dict.fromkeys(("up", "thumbs up", "thumbs_up", "\U0001f44d"), 1),
    **dict.fromkeys(("down", "thumbs down", "thumbs_down", "\U0001f44e"), 0),
}
_NOT_RELEVANT = dict.fromkeys(
    ("not relevant", "irrelevant", "non-relevant", "nonrelevant", "not_relevant", "non_relevant"), 0
)
_SOMEWHAT = ("partially relevant", "somewhat relevant", "marginally relevant", "slightly relevant")
_HIGHLY = ("highly relevant", "very relevant")


class GradeScale(NamedTuple):
    """Words that mean grades, in lower case, and what is said where they were read so."""

    grades: Mapping[str, int]
    remark: str = ""


_ESCI = (
    "These are ESCI's gains (1, 0.1, 0.01, 0) times 100, so that nDCG is ESCI's; measures of "
    "relevant or not count E, S and C as relevant."
)
SCALES = (
    GradeScale({"e": 100, "s": 10, "c": 1, "i": 0}, _ESCI),
    GradeScale({"exact": 2, "partial": 1, "irrelevant": 0}),
    GradeScale({"exact": 100, "substitute": 10, "complement": 1, "irrelevant": 0}, _ESCI),
    GradeScale({"perfect": 4, "excellent": 3, "good": 2, "fair": 1, "bad": 0}),
    GradeScale({"excellent": 3, "good": 2, "fair": 1, "poor": 0}),
    GradeScale({"perfectly relevant": 3, "highly relevant": 2, "related": 1} | _NOT_RELEVANT),
    GradeScale(dict.fromkeys(_HIGHLY, 2) | {"relevant": 1} | _NOT_RELEVANT),
    GradeScale(dict.fromkeys(_HIGHLY, 2) | dict.fromkeys(_SOMEWHAT, 1) | _NOT_RELEVANT),
    GradeScale({"relevant": 2, "fully relevant": 2} | dict.fromkeys(_SOMEWHAT, 1) | _NOT_RELEVANT),
    GradeScale(
        dict.fromkeys(_HIGHLY, 3) | {"relevant": 2} | dict.fromkeys(_SOMEWHAT, 1) | _NOT_RELEVANT
    ),
)
"""Labels of ESCI, WANDS, web search (Bing), TREC's deep learning track, and words of everyday use.

The first that has all the words of a file holds for it.
"""
MOST_WORDS = max(len(scale.grades) for scale in SCALES)
LARGEST = 2**31 - 1
"""The programs that compute measures hold grades in 32 bits."""


def grade_of(value: object) -> int | None:
    """The grade, of at most 2,147,483,647; None for what is no grade, such as 0.5 or "high"."""
    if isinstance(value, bool):
        return int(value)
    text = str(value).strip()
    if (grade := _WORDS.get(text.casefold())) is not None:
        return grade
    if len(text) > 32 or "_" in text:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    whole = math.isfinite(number) and number.is_integer() and abs(number) <= LARGEST
    return int(number) if whole else None


def is_unrated(value: object) -> bool:
    """Whether a file leaves the grade open: an empty cell, null, NaN."""
    if isinstance(value, float) and math.isnan(value):
        return True
    return value is None or (
        isinstance(value, str) and value.strip().lower() in ("", "nan", "null")
    )


def scale_of(words: Iterable[object]) -> GradeScale | None:
    """The scale to which all words of a file belong; None for grades that need none."""
    labels = {_label(word) for word in words}
    if all(grade_of(label) is not None for label in labels):
        return None
    return next((scale for scale in SCALES if labels <= scale.grades.keys()), None)


def grade_on(scale: GradeScale | None, value: object) -> int | None:
    """The grade by a scale of words, as `grade_of` gives it where there is none."""
    return scale.grades.get(_label(value)) if scale else grade_of(value)


def _label(value: object) -> str:
    return " ".join(str(value).casefold().split())
