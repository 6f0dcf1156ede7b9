"""Run files whose every line has the same columns, read as a whole.

Arrow splits them into columns at once. A file with anything else in it (a comment, a line with
another number of columns, a number that is none, a character outside ASCII) is left to the reader
that goes line by line, and that says what is wrong with which line.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora.limits import Limits
from rerank_lab.corpora.readers.judged.base import JudgedFile

_COLUMNS = {
    6: ("query", "iteration", "document", "rank", "score", "tag"),
    4: ("query", "document", "rank", "score"),
    3: ("query", "document", "rank"),
}
_NUMBERS = ("rank", "score")
_ELSEWHERE = (
    *(b" #", b"\t#", b"\n#"),
    *(b"\x00", b"\r", b"\v", b"\f", b"\x1c", b"\x1d", b"\x1e", b"\x1f"),
)
"""Comments, and what separates columns or lines in Python but not in Arrow."""


@dataclass(frozen=True, slots=True)
class RegularRun:
    """A run as columns, in the order of the file; each of shape (lines,).

    Attributes:
        width: how many columns a line has: 6, 4 or 3.
        tag: of the first line; "" without such a column.
        query_ids: the different queries, in the order in which they come.
        document_ids: the different documents.
        queries: of each line, the place of its query in `query_ids`.
        documents: of each line, the place of its document in `document_ids`.
        ranks: as they are written.
        scores: as they are written; None without such a column.
    """

    width: int
    tag: str
    query_ids: list[str]
    document_ids: list[str]
    queries: NDArray[np.int64]
    documents: NDArray[np.int64]
    ranks: NDArray[np.float64]
    scores: NDArray[np.float64] | None

    def in_order(self) -> RegularRun:
        """The same with the lines of a query together, best first.

        Scores decide, then ranks, then the order in the file; without scores, ranks decide.
        """
        keys = [self.ranks] if self.scores is None else [-self.scores, self.ranks]
        if _is_sorted([self.queries, *keys]):
            return self
        order = np.lexsort([*keys[::-1], self.queries])
        scores = None if self.scores is None else self.scores[order]
        return RegularRun(
            self.width, self.tag, self.query_ids, self.document_ids, self.queries[order],
            self.documents[order], self.ranks[order], scores,
        )  # fmt: skip


def regular_run(file: JudgedFile) -> RegularRun | None:
    """The columns of a regular run file; None for a file that must be read line by line."""
    limits = file.options.limits
    if file.options.encoding or file.source.size > limits.page_file:
        return None
    try:
        data = file.source.read()
    except InvalidInput:
        return None
    data = data.replace(b"\r\n", b"\n")
    delimiter = " " if b" " in data else "\t"
    if not _is_plain(data, delimiter, limits):
        return None
    first_line = io.BytesIO(data).readline()
    names = _COLUMNS.get(first_line.count(delimiter.encode()) + 1)
    table = _table(data, delimiter, names) if names else None
    return None if table is None else _columns(table)


def _is_plain(data: bytes, delimiter: str, limits: Limits) -> bool:
    """Whether every separator of columns and of lines is one that Arrow takes as Python does."""
    if not data.isascii() or data.startswith((b"#", b"\n")):
        return False
    if (delimiter == " " and b"\t" in data) or any(mark in data for mark in _ELSEWHERE):
        return False
    if len(data) <= limits.line:
        return True
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    longest = np.diff(ends, prepend=-1, append=len(data)).max()
    return bool(longest <= limits.line)


def _table(data: bytes, delimiter: str, names: tuple[str, ...]) -> Any:
    """The table of Arrow, in one piece; None where a line has other columns or no number."""
    import pyarrow as pa
    from pyarrow import csv

    types = {name: pa.float64() if name in _NUMBERS else pa.string() for name in names}
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=list(names)),
            csv.ParseOptions(
                delimiter=delimiter, quote_char=False, double_quote=False, ignore_empty_lines=False
            ),
            csv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    return table.combine_chunks()


def _columns(table: Any) -> RegularRun | None:
    import pyarrow.compute as pc

    numbers, texts = {}, {}
    for name in table.column_names:
        column = table[name]
        if name in _NUMBERS:
            numbers[name] = column.to_numpy()
            if column.null_count or not np.isfinite(numbers[name]).all():
                return None
        else:
            texts[name] = column.combine_chunks().dictionary_encode()
            if pc.any(pc.equal(texts[name].dictionary, "")).as_py():
                return None
    queries, documents = texts["query"], texts["document"]
    return RegularRun(
        table.num_columns,
        texts["tag"].dictionary[0].as_py() if "tag" in texts else "",
        queries.dictionary.to_pylist(),
        documents.dictionary.to_pylist(),
        queries.indices.to_numpy().astype(np.int64),
        documents.indices.to_numpy().astype(np.int64),
        numbers["rank"],
        numbers.get("score"),
    )


def _is_sorted(keys: list[NDArray[Any]]) -> bool:
    """Whether lines stand in the order of the first key, then the second, and so on."""
    equal: NDArray[np.bool_] = np.ones(len(keys[0]) - 1, dtype=bool)
    for key in keys:
        if (equal & (key[1:] < key[:-1])).any():
            return False
        equal &= key[1:] == key[:-1]
    return True
