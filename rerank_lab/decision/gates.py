"""Gates: what must hold of a pipeline before it ships, one line of text each.

    nDCG@10 >= 0.45
    nDCG@10 >= 0.45 at 95 %
    not worse than baseline by 0.01
    l12: R@10 better than bm25 by 0.02
    p95 < 300 ms
    cost < 2 USD per 1,000
    answered >= 99 %

A line that begins with the name of a pipeline and a colon speaks of that one, any other line of
every pipeline but the baseline.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.margins import Claim
from rerank_lab.evaluation.measure_names import parse_measures

BASELINE = "baseline"
"""The word that stands for the baseline in a gate, and the name that no pipeline may have."""
Quantity = Literal["measure", "p95", "cost", "answered"]
FORMS = (
    "nDCG@10 >= 0.45",
    "not worse than baseline by 0.01",
    "better than baseline",
    "p95 < 300 ms",
    "cost < 2 USD per 1,000",
    "answered >= 99 %",
)
"""A gate of each kind, for hints."""

_MAX_CHARS = 300
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_OPERATOR = re.compile(r"(?:\([^()]*\)|[^()<>=≥≤])*(>=|<=|=>|=<|==|[<>=≥≤])")
"""The first sign outside brackets: `P(rel=2)@5 >= 0.3`."""
_CLAIM = re.compile(r"\b(not\s+worse|better|worse|as\s+good|not\s+better)\b", re.IGNORECASE)
_PREFIX = re.compile(r"([^:<>=≥≤]+):\s")
_SAME = {"≥": ">=", "≤": "<="}


@dataclass(frozen=True, slots=True)
class ThresholdGate:
    """A quantity on the right side of a number.

    Attributes:
        line: The text that it was read from.
        pipeline: The name of the pipeline that it speaks of, "" for every one but the baseline.
        quantity: What is held against the number.
        measure: Its name, where the quantity is one.
        operator: One of >=, >, <= and <.
        threshold: The number: a mean, seconds, USD for 1,000 queries, or a share from 0 to 1.
        level: The whole interval at this level must be on the right side, 0.95 for 95 %; None when
            the value that was measured is enough.
    """

    line: str
    pipeline: str
    quantity: Quantity
    measure: str
    operator: str
    threshold: float
    level: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value is on the right side."""
        if self.operator == ">=":
            return value >= self.threshold
        if self.operator == ">":
            return value > self.threshold
        if self.operator == "<=":
            return value <= self.threshold
        return value < self.threshold


@dataclass(frozen=True, slots=True)
class ClaimGate:
    """A claim against another pipeline, that must be shown by a test.

    Attributes:
        line: The text that it was read from.
        pipeline: The name of the pipeline that it speaks of, "" for every one but the baseline.
        measure: Its name, "" for the primary one.
        claim: Not worse by more than the margin, or better by more than it.
        reference: The name of the other pipeline; BASELINE for the baseline.
        margin: In the unit of the measure.
    """

    line: str
    pipeline: str
    measure: str
    claim: Claim
    reference: str
    margin: float


Gate = ThresholdGate | ClaimGate


def parse_gates(lines: Sequence[str]) -> tuple[Gate, ...]:
    """The gates of all lines. Raises InvalidInput that lists every line that cannot be read."""
    gates: list[Gate] = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            gates.append(parse_gate(line))
        except InvalidInput as error:
            problems.append(f"gate {number}: {error.message}")
    if problems:
        first = problems[0].removeprefix("gate 1: ") if len(lines) == 1 else problems[0]
        raise InvalidInput(first[:1].upper() + first[1:], hint=_HINT, problems=problems)
    return tuple(gates)


def parse_gate(line: str) -> Gate:
    """The gate of one line. Raises InvalidInput that points at the character at fault."""
    text = line.rstrip()
    reader = _Reader(text)
    if len(text) > _MAX_CHARS:
        reader.fail(f"at most {_MAX_CHARS} characters", _MAX_CHARS)
    pipeline = reader.pipeline()
    claim = _CLAIM.search(text, reader.at)
    if claim is not None:
        return _claim(reader, pipeline, claim)
    return _threshold(reader, pipeline)


_HINT = "Write a gate like one of these: " + "; ".join(FORMS) + "."


class _Reader:
    """A line and how far it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._skip_spaces()

    def pipeline(self) -> str:
        """The name before a colon, "" when there is none."""
        match = _PREFIX.match(self.text, self.at)
        if match is None:
            return ""
        self._move(match.end())
        return match[1].strip()

    def word(self, *words: str) -> bool:
        """Whether one of the words or signs stands here; it is read then."""
        for word in words:
            end = self.at + len(word)
            if self.text[self.at : end].casefold() == word.casefold():
                if word[-1].isalnum() and self.text[end : end + 1].isalnum():
                    continue
                self._move(end)
                return True
        return False

    def number(self, what: str) -> float:
        """The number that stands here."""
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            self.fail(what)
        self._move(match.end())
        return float(match[0])

    def up_to(self, place: int) -> str:
        """The text from here to a place, without the spaces around it."""
        text = self.text[self.at : place].strip()
        self._move(place)
        return text

    def end(self, expected: str = "the end of the line") -> None:
        """Nothing may follow."""
        if self.at < len(self.text):
            self.fail(expected)

    def fail(self, expected: str, at: int | None = None) -> NoReturn:
        """Raise InvalidInput that says what was expected where."""
        at = self.at if at is None else at
        rest = self.text[at : at + 30]
        actual = f"found {rest!r}" if rest else "found the end"
        raise InvalidInput(
            f"The gate {self.text[:80]!r} cannot be read at character {at + 1}: expected "
            f"{expected}, {actual}.",
            hint=_HINT,
        )

    def _move(self, place: int) -> None:
        self.at = place
        self._skip_spaces()

    def _skip_spaces(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1


def _claim(reader: _Reader, pipeline: str, match: re.Match[str]) -> ClaimGate:
    words = " ".join(match[1].casefold().split())
    if words not in ("not worse", "better"):
        reader.fail('"not worse than" or "better than"', match.start())
    measure = _measure(reader, match.start()) if match.start() > reader.at else ""
    reader.up_to(match.end())
    if not reader.word("than"):
        reader.fail('"than" and the name of a pipeline, or "baseline"')
    by = re.compile(r"\s+by\s+(?=[\d.]+\s*$)", re.IGNORECASE).search(reader.text, reader.at)
    reference = reader.up_to(by.start() if by else len(reader.text))
    margin = 0.0
    if not reference:
        reader.fail('the name of a pipeline, or "baseline"')
    if by is not None:
        reader.word("by")
        margin = reader.number("the margin, such as 0.01")
        reader.end()
    elif words == "not worse":
        reader.fail('"by" and the margin, such as 0.01', len(reader.text))
    claim = Claim.BETTER if words == "better" else Claim.NOT_WORSE
    return ClaimGate(reader.text.strip(), pipeline, measure, claim, reference, margin)


def _threshold(reader: _Reader, pipeline: str) -> ThresholdGate:
    operator = _OPERATOR.match(reader.text, reader.at)
    if operator is None:
        reader.fail("a measure, p95, cost or answered, then a sign such as >= and a number")
    quantity, measure = _quantity(reader, operator.start(1))
    right = (">=", ">") if quantity in ("measure", "answered") else ("<=", "<")
    sign = _SAME.get(operator[1], operator[1])
    if sign not in right:
        reader.fail(f"{right[0]} or {right[1]}", operator.start(1))
    reader.up_to(operator.end(1))
    number = reader.number("a number")
    if quantity == "cost":
        threshold = _dollars(reader, number)
    elif quantity == "p95":
        threshold = _seconds(reader, number)
    else:
        threshold = _share(reader, number, needs_percent=quantity == "answered")
    level = _level(reader, quantity)
    reader.end("the end of the line" if level else '"at 95 %" or the end of the line')
    return ThresholdGate(reader.text.strip(), pipeline, quantity, measure, sign, threshold, level)


def _quantity(reader: _Reader, end: int) -> tuple[Quantity, str]:
    """What is held against the number, and the measure where it is one."""
    name = reader.text[reader.at : end].strip()
    words: dict[str, Quantity] = {"p95": "p95", "cost": "cost", "answered": "answered"}
    if name.casefold() in words:
        return words[name.casefold()], ""
    return "measure", _measure(reader, end)


def _measure(reader: _Reader, end: int) -> str:
    name = reader.text[reader.at : end].strip()
    if not name:
        reader.fail("a measure, p95, cost or answered")
    try:
        parse_measures([name])
    except InvalidInput as error:
        reader.fail(f"a measure, p95, cost or answered ({error.message.rstrip('.')})")
    return name


def _dollars(reader: _Reader, number: float) -> float:
    if not reader.word("USD"):
        reader.fail('"USD per 1,000"')
    if not (reader.word("per") and reader.word("1,000", "1000")):
        reader.fail('"per 1,000"')
    reader.word("queries")
    return number


def _seconds(reader: _Reader, number: float) -> float:
    if reader.word("ms"):
        return number / 1000
    if not reader.word("s"):
        reader.fail('"ms" or "s"')
    return number


def _share(reader: _Reader, number: float, *, needs_percent: bool) -> float:
    at = reader.at
    if reader.word("%"):
        if number > 100:
            reader.fail("at most 100 %", at)
        return number / 100
    if needs_percent:
        reader.fail('"%"')
    return number


def _level(reader: _Reader, quantity: Quantity) -> float | None:
    if quantity not in ("measure", "p95") or not reader.word("at"):
        return None
    at = reader.at
    level = reader.number("a level such as 95 %")
    if not reader.word("%"):
        reader.fail('"%"')
    if not 50 <= level < 100:
        reader.fail("a level from 50 % to below 100 %", at)
    if quantity == "p95" and level != 95:
        reader.fail("95 %, the only level that is known for a p95", at)
    return level / 100
