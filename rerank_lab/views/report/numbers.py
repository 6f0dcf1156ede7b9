"""The numbers of a report, each with the name of its quantity, and sentences in which they stand.

A quantity is a JSON list: a kind, then what it is of; pipelines by their place in the design.
docs/recompute_report.py reads them and computes each again from the exported files.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.core.text import dollars, duration_words, megabytes
from rerank_lab.decision.report.document import Inline, ReportNumber, Verbatim, Words
from rerank_lab.decision.wording import signed as signed_digits
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.statistics import Paired
from rerank_lab.views.labels import seconds
from rerank_lab.views.results_table import p_words, signed

ABSENT: Words = ("–",)
Part = str | int
_FACTS: Mapping[str, Callable[[float], str]] = {
    "seconds": duration_words,
    "usd": dollars,
    "bytes": lambda size: megabytes(int(size)),
}
"""A step of a quantity's name."""


def number(text: str, value: float, *quantity: Part) -> ReportNumber:
    """A number as printed, with its exact value and the quantity it is."""
    return ReportNumber(text, value, json.dumps(quantity, ensure_ascii=False))


def count(value: int, *quantity: Part) -> ReportNumber:
    """`1,200`."""
    return number(f"{value:,}", value, *quantity)


def optional(value: float | None, text: str, *quantity: Part) -> Words:
    """The number as one word, a dash where there is none."""
    return ABSENT if value is None else (number(text, value, *quantity),)


def measure_words(value: float | None, *quantity: Part) -> Words:
    """A measure with three decimals."""
    return optional(value, "" if value is None else f"{value:.3f}", *quantity)


def time_words(value: float | None, *quantity: Part) -> Words:
    """A time as the page writes it."""
    return optional(value, "" if value is None else seconds(value), *quantity)


def share_words(value: float | None, *quantity: Part) -> Words:
    """`12%`."""
    return optional(value, "" if value is None else f"{value:.0%}", *quantity)


def interval_words(low: float | None, high: float | None, *quantity: Part) -> Words:
    """`[+0.15, +0.27]`; nothing without both ends. The ends are quantities of their own."""
    if low is None or high is None:
        return ()
    ends = (
        number(signed(end), end, *quantity, name) for end, name in ((low, "low"), (high, "high"))
    )
    first, last = ends
    return ("[", first, ", ", last, "]")


def plain_interval(low: float | None, high: float | None, *quantity: Part) -> Words:
    """`[0.412, 0.573]`: of a mean, not of a difference."""
    if low is None or high is None:
        return ()
    return (
        "[",
        number(f"{low:.3f}", low, *quantity, "low"),
        ", ",
        number(f"{high:.3f}", high, *quantity, "high"),
        "]",
    )


def p_value(p: float | None, *quantity: Part) -> Words:
    """`p < 0.001` or `p = 0.012`."""
    return optional(p, p_words(p), *quantity)


ZERO = number("0", 0, "constant")
"""What an interval holds or leaves out."""


@dataclass(frozen=True, slots=True)
class Places:
    """The places of pipelines in the design, by which quantities name them."""

    specs: tuple[str, ...]

    @classmethod
    def of(cls, evaluation: Evaluation) -> Places:
        """Those of an evaluation."""
        return cls(evaluation.design.pipelines)

    def __getitem__(self, spec: str) -> int:
        return self.specs.index(spec)


def paired_numbers(one: Paired, *quantity: Part) -> list[ReportNumber]:
    """Everything that a sentence may say of a comparison, in the usual order and every writing."""
    numbers: list[ReportNumber] = []
    absolute = abs(one.difference)
    numbers += _writings(
        one.difference,
        (f"{absolute:.2f}", signed(one.difference), signed_digits(one.difference)),
        (*quantity, "difference"),
    )
    for name, end in (("low", one.low), ("high", one.high)):
        if end is not None:
            numbers += _writings(end, (signed(end), signed_digits(end)), (*quantity, name))
    for name, p in (("p_holm", one.p_holm), ("p", one.p)):
        if p is not None:
            texts = (p_words(p), "p < 0.001" if p < 0.001 else f"p = {p:.3f}")
            numbers += _writings(p, texts, (*quantity, name))
    for name, tally in (("wins", one.wins), ("losses", one.losses), ("ties", one.ties)):
        numbers.append(count(tally, *quantity, name))
    if one.detectable is not None:
        numbers.append(number(f"{one.detectable:.2f}", one.detectable, *quantity, "detectable"))
    return numbers


def fact_numbers(value: float | None, quantity: Sequence[Part], kind: str) -> list[ReportNumber]:
    """A time in seconds, a price in USD or a size in bytes, as decisions write it."""
    if value is None:
        return []
    return [number(_FACTS[kind](value), value, *quantity)]


def annotated(sentence: str, numbers: Iterable[ReportNumber], names: Iterable[str] = ()) -> Words:
    """A sentence in which the numbers are marked that it holds; names are shown as they stand.

    A number that stands there several times takes the quantities of that writing in their order.

    Args:
        sentence: any text.
        numbers: those that it may hold, in the order in which sentences hold them.
        names: texts whose digits are no numbers, such as names of pipelines and measures.
    """
    by_text: dict[str, deque[ReportNumber]] = {}
    for one in numbers:
        queue = by_text.setdefault(one.text, deque())
        if one not in queue:
            queue.append(one)
    verbatim = {name for name in names if name}
    texts = sorted({*by_text, *verbatim}, key=len, reverse=True)
    if not texts:
        return (sentence,)
    pattern = rf"(?<![\w.,+−-])({'|'.join(map(re.escape, texts))})(?!\w|[.,]\d)"
    words: list[Inline] = []
    for place, part in enumerate(re.split(pattern, sentence)):
        if place % 2 == 0:
            words += [part] if part else []
        elif part in verbatim:
            words.append(Verbatim(part))
        else:
            queue = by_text[part]
            words.append(queue[0] if len(queue) == 1 else queue.popleft())
    return tuple(words)


def _writings(value: float, texts: Iterable[str], quantity: Sequence[Part]) -> list[ReportNumber]:
    """One number for each different writing of a value."""
    return [number(text, value, *quantity) for text in dict.fromkeys(texts)]
