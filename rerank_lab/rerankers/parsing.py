"""What an answer says, read strictly: an order, a choice, yes or no, or nothing at all.

An order is the last well-formed list in the answer: `[2] > [3] > [1]`, a JSON array `[2, 3, 1]`, a
JSON object with such an array under "ranking", or, failing these, lines that hold one id each. A
digit that merely stands in a sentence is never an id. No function here raises, whatever the text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MAX_CHARS = 100_000
"""Longer answers are read from this far before their end."""


class Fault(StrEnum):
    """What can be wrong with an answer. The first five leave nothing that could be read."""

    EMPTY = "empty"
    REFUSED = "refused"
    TRUNCATED = "cut_short"
    WRONG_FORMAT = "wrong_format"
    TOO_FEW = "too_few"
    MISSING = "missing"
    REPETITION = "repetition"
    INVENTED = "invented"


@dataclass(frozen=True, slots=True)
class Reading:
    """`positions` count from 0, as they were named: repeated and invented ones included.

    They are empty when the answer is unusable; `faults` then say why.
    """

    positions: tuple[int, ...]
    faults: tuple[Fault, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether an order could be read."""
        return bool(self.positions)


_ID = r"\[[ \t]*(\d{1,4})[ \t]*\]"
_CHAIN = re.compile(rf"{_ID}(?:\s*>\s*{_ID})+")
_BROKEN_OFF = re.compile(r"\s*>\s*(?:\[[ \t]*\d{0,4})?")
_ARRAY = re.compile(r"\[\s*[\"']?\d{1,4}[\"']?(?:\s*,\s*[\"']?\d{1,4}[\"']?)+\s*\]")
_ONE = re.compile(r"(?:\{\s*\"ranking\"\s*:\s*)?\[\s*[\"']?(\d{1,4})[\"']?\s*\]\s*[}.]?")
_LINE = re.compile(rf"(?:(\d{{1,4}})[.)]|[-*•])?[ \t]*{_ID}[ \t]*[.,;]?")
_NUMBER = re.compile(r"\d{1,4}")
_THOUGHT_END = re.compile(r"</\s*(?:think|thinking|reasoning)\s*>", re.IGNORECASE)
_THOUGHT = re.compile(r"<\s*(?:think|thinking|reasoning)\s*>", re.IGNORECASE)
_TAGS = re.compile(r"</?\s*answer\s*>", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*```[ \t]*\w*[ \t]*$", re.MULTILINE)
_REFUSAL = re.compile(
    r"\b(?:i['’]?m sorry|i am sorry|i can(?:no|['’])t|i cannot|i['’]m (?:un|not )able"
    r"|i am (?:un|not )able|as an ai|unable to (?:assist|comply|help|rank)"
    r"|cannot (?:assist|comply|help|rank))",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?i:(?:the )?(?:most relevant )?(?:answer|passage|document|one|output)?(?: is)?[ \t]*:?[ \t]*"
    r"(?:passage |document )?)[\[(\"'*]{0,3}([A-Z])[\])\"'*]{0,3}\.?"
)
_QUOTED_LABEL = re.compile(r"(?:passage|document)[ \t]+([A-Z])[ \t]*:[ \t]*\S", re.IGNORECASE)
_YES_NO = re.compile(r"(?:answer[ \t]*:[ \t]*)?[\"'*]{0,3}(yes|no)[\"'*]{0,3}[.!]?", re.IGNORECASE)


def answer_text(text: str) -> str | None:
    """The answer without reasoning, fences and odd digits; None when the reasoning never ended."""
    text = _plain(text[-MAX_CHARS:])
    ended = list(_THOUGHT_END.finditer(text))
    if ended:
        text = text[ended[-1].end() :]
    if _THOUGHT.search(text):
        return None
    return _FENCE.sub("", _TAGS.sub(" ", text)).strip()


def read_field(text: str, name: str) -> dict[str, object] | None:
    """The object of an answer `{"name": ...}` with that one field; None for anything else."""
    answer = answer_text(text)
    try:
        value = json.loads(answer or "")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and set(value) == {name} else None


def thought(text: str) -> bool:
    """Whether a reasoning trace stands in an answer, ended or not."""
    plain = _plain(text[-MAX_CHARS:])
    return bool(_THOUGHT.search(plain) or _THOUGHT_END.search(plain))


def read_order(text: str, n: int, cut_short: bool = False) -> Reading:
    """The order of n documents that an answer gives; ids count from 1 in the answer.

    An answer that names fewer than half of the documents is no order (`too_few`). `cut_short` says
    that the model was stopped by its token limit.
    """
    answer = answer_text(text)
    if not answer:
        return _nothing(answer, cut_short)
    ids = _last_list(answer, n)
    if not ids:
        return _unread(answer, cut_short)
    named = {i for i in ids if 1 <= i <= n}
    faults = [Fault.TRUNCATED] if cut_short else []
    faults += [Fault.INVENTED] if any(not 1 <= i <= n for i in ids) else []
    faults += [Fault.REPETITION] if len(set(ids)) < len(ids) else []
    if 2 * len(named) < n:
        return Reading((), (*faults, Fault.TOO_FEW))
    faults += [Fault.MISSING] if len(named) < n else []
    return Reading(tuple(i - 1 for i in ids), tuple(faults))


def read_selection(text: str, n: int, wanted: int, cut_short: bool = False) -> Reading:
    """The `wanted` best of n documents that an answer names; more or fewer than that is told."""
    answer = answer_text(text)
    if not answer:
        return _nothing(answer, cut_short)
    ids = _last_list(answer, n if wanted > 1 else 1)
    if not ids:
        return _unread(answer, cut_short)
    named = list(dict.fromkeys(i for i in ids if 1 <= i <= n))
    faults = [Fault.TRUNCATED] if cut_short else []
    faults += [Fault.INVENTED] if any(not 1 <= i <= n for i in ids) else []
    faults += [Fault.REPETITION] if len(set(ids)) < len(ids) else []
    if 2 * len(named) < wanted:
        return Reading((), (*faults, Fault.TOO_FEW))
    faults += [Fault.MISSING] if len(named) < wanted else []
    faults += [Fault.WRONG_FORMAT] if len(named) > wanted else []
    return Reading(tuple(i - 1 for i in named[:wanted]), tuple(faults))


def read_label(text: str, n: int, cut_short: bool = False) -> Reading:
    """The one passage of n, labelled A, B, ..., that an answer chooses.

    The whole answer must be the label (`B`, `[B]`, `Passage B.`), or end in a line that is, or
    begin by repeating the chosen passage with its label (`Passage B: "..."`) and name no other.
    """
    answer = answer_text(text)
    if not answer:
        return _nothing(answer, cut_short)
    for part in (answer, answer.splitlines()[-1].strip()):
        label = _LABEL.fullmatch(part)
        if label:
            place = ord(label[1]) - ord("A")
            return Reading((place,)) if place < n else Reading((), (Fault.INVENTED,))
    quoted = _QUOTED_LABEL.match(answer)
    labels = {label.upper() for label in _QUOTED_LABEL.findall(answer)}
    if quoted and len(labels) == 1:
        place = ord(quoted[1].upper()) - ord("A")
        return Reading((place,)) if place < n else Reading((), (Fault.INVENTED,))
    return _unread(answer, cut_short)


def read_yes_no(text: str, cut_short: bool = False) -> Reading:
    """Position 0 for yes, 1 for no, when that is all that the answer says."""
    answer = answer_text(text)
    if not answer:
        return _nothing(answer, cut_short)
    word = _YES_NO.fullmatch(answer)
    if word:
        return Reading((0 if word[1].lower() == "yes" else 1,))
    return _unread(answer, cut_short)


def describe(faults: Sequence[Fault]) -> str:
    """For people, and for the model when it is asked again."""
    return "; ".join(_WORDS[fault] for fault in faults) or "nothing was wrong"


_WORDS = {
    Fault.EMPTY: "the answer was empty",
    Fault.REFUSED: "the model refused",
    Fault.TRUNCATED: "the answer was cut off at the token limit",
    Fault.WRONG_FORMAT: "the answer did not keep to the form asked for",
    Fault.TOO_FEW: "fewer than half of the identifiers were given",
    Fault.MISSING: "identifiers were missing",
    Fault.REPETITION: "identifiers were repeated",
    Fault.INVENTED: "identifiers were given that do not exist",
}


def _plain(text: str) -> str:
    """Compatibility forms folded (full-width digits and brackets), other digits made ASCII."""
    folded = unicodedata.normalize("NFKC", text)
    if folded.isascii():
        return folded
    return "".join(
        str(unicodedata.digit(c)) if not c.isascii() and c.isdecimal() else c for c in folded
    )


def _last_list(answer: str, n: int) -> list[int]:
    """The ids of the last list in the answer; with one document only, a lone id is a list."""
    lists = [(m.end(), m[0]) for m in _CHAIN.finditer(answer) if _whole(answer, m)]
    lists += [(m.end(), m[0]) for m in _ARRAY.finditer(answer)]
    if lists:
        return [int(i) for i in _NUMBER.findall(max(lists)[1])]
    if n <= 2:
        alone = _ONE.fullmatch(answer)
        if alone:
            return [int(alone[1])]
    return _last_lines(answer)


def _whole(answer: str, chain: re.Match[str]) -> bool:
    """Whether nothing unreadable is linked to the chain, such as a bare number; but it may end."""
    rest = answer[chain.end() :]
    linked = rest.lstrip().startswith(">") and not _BROKEN_OFF.fullmatch(rest)
    return not linked and not answer[: chain.start()].rstrip().endswith(">")


def _last_lines(answer: str) -> list[int]:
    """Ids of the last run of two or more lines that hold one id each, numbered 1, 2, ... or not."""
    runs: list[list[tuple[str | None, int]]] = [[]]
    for line in answer.splitlines():
        item = _LINE.fullmatch(line.strip())
        if item:
            runs[-1].append((item[1], int(item[2])))
        elif runs[-1]:
            runs.append([])
    for run in reversed(runs):
        numbers = [number for number, _ in run]
        counted = all(number is None for number in numbers) or numbers == [
            str(i) for i in range(1, len(run) + 1)
        ]
        if len(run) > 1 and counted:
            return [i for _, i in run]
    return []


def _nothing(answer: str | None, cut_short: bool) -> Reading:
    # Reasoning that never ended was stopped by the limit, whatever the endpoint says.
    return Reading((), (Fault.TRUNCATED if answer is None or cut_short else Fault.EMPTY,))


def _unread(answer: str, cut_short: bool) -> Reading:
    if _REFUSAL.search(answer):
        return Reading((), (Fault.REFUSED,))
    return Reading((), (Fault.TRUNCATED if cut_short else Fault.WRONG_FORMAT,))
