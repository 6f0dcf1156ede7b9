"""Counting tokens without a model.

A token is a word, a punctuation mark, or a single character of a script that separates no words.

The count is an estimate. On English text a WordPiece tokenizer gives about 1.1 to 1.4 times as
many; it is meant for cutting and for comparing lengths, not for filling a model's window exactly.
"""

from __future__ import annotations

import re
import string

from rerank_lab.core.patterns import LazyPattern
from rerank_lab.corpora.scripts import UNSPACED_BLOCKS

_MARKS = (
    "!-/:-@\\[-`{-~\u00a1-\u00bf\u060c\u061b\u061f\u06d4\u0964\u0965\u2010-\u2027\u2030-\u205e"
    "\u3001-\u303f\uff01-\uff0f\uff1a-\uff20"
)
LONGEST_WORD = 16
"""Letters a word token holds at most; longer runs (addresses, encoded data) count several."""

_TOKEN = LazyPattern(
    f"[{UNSPACED_BLOCKS}]|[{_MARKS}]|[^\\s{UNSPACED_BLOCKS}{_MARKS}]{{1,{LONGEST_WORD}}}"
)
_NOT_WORDS = re.compile(f"[\\s{_MARKS}]+")
_ASCII_MARKS = str.maketrans(dict.fromkeys(string.punctuation, " "))
_APART = LazyPattern(f"[{UNSPACED_BLOCKS}]")


def count_tokens(text: str) -> int:
    """How many tokens `text` has by our count; 0 for blank text."""
    return sum(1 for _ in _TOKEN.compiled.finditer(text))


def token_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of every token, in characters."""
    return [match.span() for match in _TOKEN.compiled.finditer(text)]


def normalised(text: str) -> str:
    """Text for comparison: case-folded, punctuation gone, one space between words and around.

    Characters of scripts that do not separate words are set apart one by one.
    """
    folded = text.casefold()
    if folded.isascii():
        folded = folded.translate(_ASCII_MARKS)
    else:
        folded = _APART.compiled.sub(r" \g<0> ", _NOT_WORDS.sub(" ", folded))
    return f" {' '.join(folded.split())} "


def terms(text: str) -> set[str]:
    """What to look normalised text up by: its words.

    In scripts without spaces, where single characters say little, runs of three as well.
    """
    words = text.split()
    if text.isascii() or not _APART.compiled.search(text):
        return set(words)
    runs = zip(words, words[1:], words[2:], strict=False)
    return set(words) | {a + b + c for a, b, c in runs if len(a) == len(b) == len(c) == 1}
