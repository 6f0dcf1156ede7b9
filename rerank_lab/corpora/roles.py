"""Which column means what: names as they occur in the field, and a guess from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DOC_ID = ("_id", "id", "doc_id", "docid", "docno", "document_id", "corpus_id", "passage_id", "pid")
TEXT = (
    *("text", "contents", "content", "body", "passage", "document", "page_content", "chunk"),
    *("doc", "abstract", "answer", "description"),
)
TITLE = ("title", "headline", "heading", "subject", "name", "question")
QUERY_ID = ("_id", "id", "query_id", "qid", "topic_id", "question_id", "topic", "number")
QUERY_TEXT = ("text", "query", "query_text", "question", "title", "claim", "utterance")
JUDGED_QUERY = ("query_id", "qid", "topic_id", "topic", "query", "question_id")
JUDGED_DOC = (*DOC_ID[2:], "doc", "document")
GRADE = ("score", "grade", "relevance", "rel", "label", "relevant", "rating", "judgment")
META = "metadata"
PARENT = "_parent"

_KNOWN = frozenset((*DOC_ID, *TEXT, *TITLE, *QUERY_ID, *QUERY_TEXT, *JUDGED_QUERY, *GRADE, META))


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Which columns of a file make a document.

    `id=None` numbers the rows (d1, d2, ...); `meta=None` keeps every other column in `meta`.
    """

    text: str
    id: str | None = None
    title: str | None = None
    meta: tuple[str, ...] | None = None

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that must exist."""
        named = (self.id, self.text, self.title, *(self.meta or ()))
        return tuple(name for name in named if name)


def plain_name(name: str) -> str:
    """A column name for comparison: `Doc-ID` and `doc id` are `doc_id`."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def is_known_name(name: str) -> bool:
    return plain_name(name) in _KNOWN


def find_column(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """The column whose name comes first in `names`, in any spelling."""
    by_name = {plain_name(column): column for column in reversed(list(columns))}
    return next((by_name[name] for name in names if name in by_name), None)


def columns_of(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every column of some records, in order of first appearance."""
    return list(dict.fromkeys(name for record in records for name in record))


def guess_mapping(records: Sequence[Mapping[str, Any]]) -> ColumnMapping | None:
    """The likely meaning of the columns from some first records; None when there is no text."""
    columns = columns_of(records)
    text = find_column(columns, TEXT)
    doc_id = find_column(columns, DOC_ID)
    title = find_column(columns, TITLE)
    if text is None:
        rest = [column for column in columns if column != doc_id]
        lengths = {column: _mean_length(records, column) for column in rest}
        text = max(lengths, key=lambda column: lengths[column], default=None)
        if text is None or not lengths[text]:
            return None
    if doc_id is None and is_headerless(columns) and len(columns) == 2 and text != columns[0]:
        doc_id = columns[0]
    return ColumnMapping(text, doc_id, title if title != text else None)


def is_headerless(columns: Sequence[str]) -> bool:
    """True for the names that the CSV reader gives when a table has no header."""
    return list(columns) == [f"column {n}" for n in range(1, len(columns) + 1)]


def _mean_length(records: Sequence[Mapping[str, Any]], column: str) -> float:
    texts = [record[column] for record in records if isinstance(record.get(column), str)]
    return sum(map(len, texts)) / len(texts) if texts else 0.0
