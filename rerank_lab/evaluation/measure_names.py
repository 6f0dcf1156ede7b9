"""Measure names as ir_measures writes them, checked before any library computes with them.

The C code of trec_eval ends the whole process for a cutoff or a relevance level of 0, and takes
seconds and gigabytes for large ones. Every name and every grade passes through here first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from rerank_lab.core.errors import InvalidInput, nearest

MAX_CUTOFF = 1_000_000
MAX_GRADE = 1_000
"""Of relevance levels, gains and judgments: trec_eval's time grows with the square of a grade."""
GDEVAL_MAX_GRADE = 4
"""What gdeval, which computes ERR and the exponential nDCG, takes."""

_MAX_CHARS = 200
_HINT = "Write measures as nDCG@10, RR@10, AP, P@5, P(rel=2)@10, R@100, Success@1 or Judged@10."
_WHOLE_NUMBERS = {
    "cutoff": (1, MAX_CUTOFF),
    "rel": (1, MAX_GRADE),
    "min_rel": (0, MAX_GRADE),
    "max_rel": (1, MAX_GRADE),
}
_COUNTS = frozenset({"Judged", "NumQ", "NumRel", "NumRet"})
_SHARES = ("recall", "p", "alpha")
_UNREADABLE = (
    ValueError, TypeError, AssertionError, KeyError, AttributeError, SyntaxError, OverflowError,
    RecursionError, MemoryError,
)  # fmt: skip


def parse_measures(names: Iterable[str]) -> dict[str, Any]:
    """The measures of ir_measures by the names given.

    Raises:
        InvalidInput: names every measure that does not exist, cannot be computed here, or has an
            option outside its limits.
    """
    parsed: dict[str, Any] = {}
    problems: list[str] = []
    for name in (name.strip() for name in names):
        measure, problem = _parse(name)
        if problem:
            problems.append(problem)
        else:
            parsed[name] = measure
    if problems:
        raise InvalidInput("; ".join(problems) + ".", hint=_HINT, problems=problems)
    if not parsed:
        raise InvalidInput("No measure is named.", hint=_HINT)
    return parsed


def tells_quality(name: str) -> bool:
    """Whether the measure says which of two rankings is better, not how much was counted.

    NumRet with `rel` does: it counts the relevant documents of a ranking.
    """
    (measure,) = parse_measures([name]).values()
    return measure.NAME not in _COUNTS or (measure.NAME == "NumRet" and "rel" in measure.params)


def cutoff_of(name: str) -> int:
    """How many documents of a ranking the measure looks at; 0 for all of them."""
    (measure,) = parse_measures([name]).values()
    return int(measure.params.get("cutoff", 0))


def check_grades(qrels: Mapping[str, Mapping[str, int]], parsed: Mapping[str, Any]) -> None:
    """Raise InvalidInput for a grade above what one of the measures takes; it names the limit."""
    limits = [(MAX_GRADE, "measures", "Check that the column of grades holds grades, not ids.")]
    with_gdeval = [name for name, measure in parsed.items() if _needs_gdeval(measure)]
    if with_gdeval:
        hint = "Leave the measure out (nDCG@10 takes higher grades), or write the grades as 0 to 4."
        limits.append((GDEVAL_MAX_GRADE, ", ".join(with_gdeval), hint))
    highest = max((max(grades.values()) for grades in qrels.values() if grades), default=0)
    for limit, what, hint in limits:
        if highest > limit:
            query_id, doc_id = next(
                (q, d) for q, grades in qrels.items() for d, g in grades.items() if g == highest
            )
            raise InvalidInput(
                f"Document {doc_id!r} has grade {highest} for query {query_id!r}; {what} take "
                f"grades up to {limit:,}.",
                hint=hint,
            )


@lru_cache(maxsize=256)
def _parse(name: str) -> tuple[Any, str]:
    """The measure, or what is wrong with its name."""
    import ir_measures

    if len(name) > _MAX_CHARS:
        return None, f"the measure {name[:40]!r}... is longer than {_MAX_CHARS} characters"
    known = ir_measures.measures.registry
    try:
        parsed = ir_measures.parse_measure(name)
        parsed.validate_params()
        if _needs_gdeval(parsed) and "cutoff" not in parsed.params:
            return None, f"the measure {name!r} needs a cutoff, as in {name}@10"
        if problem := _outside_limits(parsed):
            return None, f"the measure {name!r} cannot be computed ({problem})"
        supported = ir_measures.DefaultPipeline.supports(parsed)
    except NameError:
        word = name.split("@")[0].split("(")[0].strip()
        near = nearest(word, known) or _ignoring_case(word, known)
        return None, f"there is no measure {name!r}{near}"
    except _UNREADABLE as error:
        return None, f"the measure {name!r} cannot be read ({_reason(error)})"
    return (parsed, "") if supported else (None, f"{name!r} needs a package that is not installed")


def _outside_limits(measure: Any) -> str:
    """Which option of a measure is outside its limits, in words; "" when none is."""
    for option, value in measure.params.items():
        if option in _WHOLE_NUMBERS:
            low, high = _WHOLE_NUMBERS[option]
            if isinstance(value, bool) or not low <= value <= high:
                return f"{option} must be {low:,} to {high:,}"
        elif option in _SHARES and not 0 <= value <= 1:
            return f"{option} must be 0 to 1"
        elif option == "gains" and not all(map(_is_gain, (*value, *value.values()))):
            return f"gains must map grades to whole numbers, 0 to {MAX_GRADE:,}"
        elif isinstance(value, float) and not (math.isfinite(value) and 0 <= value <= MAX_GRADE):
            return f"{option} must be 0 to {MAX_GRADE:,}"
    return ""


def _is_gain(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_GRADE


def _needs_gdeval(measure: Any) -> bool:
    return bool(measure.NAME == "ERR" or measure.params.get("dcg") == "exp-log2")


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"it has no option {error}"
    text = str(error).partition("=<")[0]
    return "it needs a cutoff, as in P@10" if text.startswith("invalid param cutoff") else text


def _ignoring_case(word: str, known: Iterable[str]) -> str:
    same = [name for name in known if name.casefold() == word.casefold()]
    return f"; did you mean {same[0]}?" if same else ""
