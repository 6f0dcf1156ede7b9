"""Judgments in the one layout that is written most: BEIR's table, read as a whole.

The table reader looks at every cell and can say what is wrong with each. A file without anything
unusual needs none of that, and a start of the program should not wait for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from rerank_lab.corpora.mapping import is_decimal_id
from rerank_lab.corpora.source import Source

_HEADER = b"query-id\tcorpus-id\tscore\n"
# Ids of printable ASCII without spaces and quotes, which no reader takes for something else.
_LINES = re.compile(rb"(?:[!#-&(-~]+\t[!#-&(-~]+\t\d{1,4}\n)+")
_HEAD = 16 << 10
_LARGEST = 200_000_000
"""Bytes that are read at once; a larger file is read line by line."""


class PlainJudgments(NamedTuple):
    """The grades of a file by query and document, how many rows it has, and how it begins."""

    qrels: dict[str, dict[str, int]]
    rows: int
    head: bytes


def plain_judgments(source: Source) -> PlainJudgments | None:
    """The judgments of a file that says nothing but these, each once; None for any other file."""
    if source.suffix != ".tsv" or source.size > _LARGEST or source.head(len(_HEADER)) != _HEADER:
        return None
    data = source.read()
    if _LINES.fullmatch(data, len(_HEADER)) is None:
        return None
    lines = data[len(_HEADER) : -1].decode("ascii").split("\n")
    qrels: dict[str, dict[str, int]] = {}
    for line in lines:
        query, document, grade = line.split("\t")
        judged = qrels.get(query)
        if judged is None:
            judged = qrels[query] = {}
        judged[document] = int(grade)
    query, judged = next(iter(qrels.items()))
    if _count(qrels) != len(lines) or is_decimal_id(query) or is_decimal_id(next(iter(judged))):
        return None
    return PlainJudgments(
        qrels, len(lines), data[: data.index(b"\n", min(_HEAD, len(data) - 1)) + 1]
    )


def _count(qrels: Mapping[str, Mapping[str, int]]) -> int:
    return sum(map(len, qrels.values()))
