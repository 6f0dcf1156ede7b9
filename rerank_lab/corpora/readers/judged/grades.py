"""A relevance grade from what a file says: a whole number, yes or no, relevant or not."""

from __future__ import annotations

import math

_WORDS = {
    **dict.fromkeys(("yes", "y", "true", "t", "relevant", "rel", "positive"), 1),
    **dict.fromkeys(("no", "n", "false", "f", "not relevant", "irrelevant", "negative"), 0),
    **dict.fromkeys(("non-relevant", "nonrelevant", "not_relevant", "non_relevant"), 0),
}
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
