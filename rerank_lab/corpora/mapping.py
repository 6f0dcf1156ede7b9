"""From the rows of a table to documents: which column means what, ids, duplicates, clean texts."""

from __future__ import annotations

import itertools
import re
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.types import Document
from rerank_lab.corpora.column_names import (
    GRADES_ABROAD,
    IDS_ABROAD,
    QUERIES_ABROAD,
    QUESTIONS_ABROAD,
    TEXTS_ABROAD,
    TITLES_ABROAD,
    without_accents,
)
from rerank_lab.corpora.source import clean_text, clean_value

Record = dict[str, Any]
Row = tuple[int, Record]
PEEK_ROWS = 200
_CHECK_EVERY = 1000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

DOC_ID = (
    *("_id", "id", "doc_id", "docno", "docid", "document_id", "corpus_id", "passage_id", "pid"),
    *("chunk_id", "node_id", "object_id", "objectid", "uid", "uuid", "guid"),
)
_LESS_SURE_ID = ("article_id", "identifier", "pk", *IDS_ABROAD)
"""Columns that are ids where all their values differ."""
TEXT = (
    *("text", "contents", "content", "body", "passage", "document", "page_content", "chunk"),
    *("doc", "abstract", "answer", "description", "full_text", "chunk_text", "passage_text"),
    *("document_text", "doc_text", "article_text", "product_description", *TEXTS_ABROAD),
)
TITLE = (
    *("title", "headline", "heading", "subject", "name", "question", "document_title"),
    *(
        "doc_title",
        "wikipedia_title",
        "article_title",
        "product_title",
        "product_name",
        *TITLES_ABROAD,
    ),
    *QUESTIONS_ABROAD,
)
QUERY_ID = ("_id", "id", "query_id", "qid", "topic_id", "question_id", "topic", "number")
QUERY_TEXT = (
    *("text", "query", "query_text", "question", "title", "claim", "utterance", "keyword"),
    *("search_term", "search_query", "user_input", "anchor", *QUESTIONS_ABROAD),
    *QUERIES_ABROAD,
)
JUDGED_QUERY = ("query_id", "qid", "topic_id", "topic", "query", "question_id")
GRADE = (
    *("score", "grade", "relevance", "rel", "label", "relevant", "rating", "judgment"),
    *GRADES_ABROAD,
)
SETS = (
    *("positive", "negative", "pos", "neg", "positive_passages", "contexts", "retrieved_contexts"),
    *("reference_contexts", "response", "reference", "ground_truth", "sentence1", "sentence2"),
)
"""Columns of sets that train or test rerankers."""
META = "metadata"
PARENT = "_parent"

_KNOWN = frozenset(
    (
        *DOC_ID,
        *_LESS_SURE_ID,
        *TEXT,
        *TITLE,
        *QUERY_ID,
        *QUERY_TEXT,
        *JUDGED_QUERY,
        *GRADE,
        *SETS,
        META,
    )
)
_QUESTIONS = (
    *("query", "query_text", "user_input", "input", "anchor", "sentence1", "prompt"),
    *QUERIES_ABROAD,
)
"""Columns that hold queries: texts of documents only where the user says so."""
_NO_TEXTS = frozenset((
    *DOC_ID, *_LESS_SURE_ID, *JUDGED_QUERY, *GRADE, "class", "class_name", "type", "status", "url",
    "uri", "link", "path", "file", "filename", "file_path", "source", "lang", "language", "date",
    "created_at", "updated_at", "timestamp", "author", "hash", "vector", "embedding", "put",
    "update", "message", "sentence1", "sentence2", "sentence_a", "sentence_b",
)) - {"query"}  # fmt: skip
_SEVERAL_WORDS = re.compile(r"\S\s+\S|[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u9fff]{2}")
"""Two words, or letters of a script that writes no spaces."""
_SPACES = re.compile(r"\s")
_WORDS_SHARE = 3
"""One value in so many has several words where a column holds texts."""
_RIVAL_SHARE = 0.5
_MOST_LEVELS = 4
_WRAPPED_IDS = ("$oid", "$uuid", "$numberInt", "$numberLong")
"""What MongoDB's extended JSON writes around an id."""
_ID_NAME = re.compile(r"(?:^|_)(?:u?id|key|asin|isbn|issn|doi|pmid)$")
"""What the name of a first column ends in where it holds ids, such as `cord_uid`."""
_DECIMAL_ID = re.compile(r"\d+\.0+")


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

    @property
    def roles(self) -> dict[str, str]:
        """Role -> column, without the other columns."""
        named = {"id": self.id, "text": self.text, "title": self.title}
        return {role: column for role, column in named.items() if column}


def plain_name(name: str) -> str:
    """A column name for comparison: `Doc-ID` and `doc id` are `doc_id`."""
    plain = name.strip(" ?:*\t\ufeff").lower().replace("-", "_").replace(" ", "_")
    return without_accents(plain)


def is_known_name(name: str) -> bool:
    """Whether a column of that name has a meaning to us."""
    return plain_name(name) in _KNOWN


def find_column(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """The column whose name comes first in `names`, in any spelling."""
    by_name = {plain_name(column): column for column in reversed(list(columns))}
    return next((by_name[name] for name in names if name in by_name), None)


def columns_of(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every column of some records, in order of first appearance."""
    return list(dict.fromkeys(name for record in records for name in record))


def guess_mapping(
    records: Sequence[Mapping[str, Any]], chosen: Mapping[str, str] | None = None
) -> ColumnMapping | None:
    """The likely meaning of the columns from some first records; None when there is no text.

    `chosen` is what the user says of some of them: role (id, text, title, meta) -> column.
    """
    columns, chosen = columns_of(records), chosen or {}
    rest = [column for column in columns if column not in chosen.values()]
    text = chosen.get("text") or find_column(rest, TEXT)
    doc_id = chosen.get("id") or find_column(rest, DOC_ID)
    if doc_id is None and (name := find_column(rest, _LESS_SURE_ID)):
        doc_id = name if _are_names(records, name) else None
    title = chosen.get("title") or find_column(rest, TITLE)
    headerless = is_headerless(columns)
    if text is None:
        text = next(iter(_likely_texts(records, [c for c in rest if c != doc_id])), None)
        if text is None:
            return None
    if doc_id is None and headerless and text != columns[0]:
        if _are_names(records, columns[0]) or (len(columns) == 2 and not _spaced(records, columns)):
            doc_id = columns[0]
        elif len(columns) == 2 and title is None:
            title = columns[0]  # a title or a question: no id has spaces
    if doc_id is None and not headerless and rest and rest[0] not in (text, title):
        named = _ID_NAME.search(plain_name(rest[0])) and _are_names(records, rest[0])
        doc_id = rest[0] if named else None
    meta = tuple(chosen["meta"].split("+")) if "meta" in chosen else None
    return ColumnMapping(text, doc_id, title if title != text else None, meta)


def rival_texts(
    records: Sequence[Mapping[str, Any]], mapping: ColumnMapping, chosen: Mapping[str, str]
) -> list[str]:
    """Other columns that could be the texts, where the column was taken because it is longest."""
    if "text" in chosen or plain_name(mapping.text) in TEXT:
        return []
    rest = [column for column in columns_of(records) if column not in mapping.used]
    enough = _RIVAL_SHARE * _mean_length(records, mapping.text)
    return [c for c in _likely_texts(records, rest) if _mean_length(records, c) >= enough]


def _likely_texts(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """The columns that hold running text, the longest first.

    Names of things are none: addresses, classes, states, ids. Where the columns have no names, any
    text will do.
    """
    unnamed = is_headerless(columns_of(records))
    likely = [c for c in columns if unnamed or is_running_text(records, c)]
    lengths = {column: _mean_length(records, column) for column in likely}
    longest = sorted(likely, key=lambda column: -lengths[column])
    return [column for column in longest if lengths[column]]


def is_running_text(records: Sequence[Mapping[str, Any]], column: str) -> bool:
    """Whether a column can be texts: no name of something else, and words or long values in it."""
    if plain_name(column) in _NO_TEXTS:
        return False
    texts = [record[column] for record in records if isinstance(record.get(column), str)]
    words = sum(bool(_SEVERAL_WORDS.search(text.strip())) for text in texts)
    return words * _WORDS_SHARE >= len(texts) > 0


def _are_names(records: Sequence[Mapping[str, Any]], column: str) -> bool:
    """Whether the values of a column are all different, and have no spaces."""
    values = [str(record.get(column) or "").strip() for record in records]
    return len(set(values)) == len(values) and all(v and not _SPACES.search(v) for v in values)


def _spaced(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bool:
    """Whether most values of the first column have spaces between words."""
    values = [str(record.get(columns[0]) or "").strip() for record in records]
    return 2 * sum(bool(_SPACES.search(value)) for value in values) > len(values)


def is_headerless(columns: Sequence[str]) -> bool:
    """True for the names that the CSV reader gives when a table has no header."""
    return list(columns) == [f"column {n}" for n in range(1, len(columns) + 1)]


def _mean_length(records: Sequence[Mapping[str, Any]], column: str) -> float:
    texts = [record[column] for record in records if isinstance(record.get(column), str)]
    return sum(map(len, texts)) / len(texts) if texts else 0.0


def peek(rows: Iterator[Row], count: int = PEEK_ROWS) -> tuple[list[Row], Iterator[Row]]:
    """The first rows, and all rows again."""
    first = list(itertools.islice(rows, count))
    return first, itertools.chain(first, rows)


def column_of_ids(
    records: Sequence[Mapping[str, Any]], mapping: ColumnMapping, ids: Collection[str]
) -> str | None:
    """The column whose values are some known ids, where the column of ids has none of them."""
    hits = {
        column: sum(id_text(record.get(column)) in ids for record in records)
        for column in columns_of(records)
        if column != mapping.text
    }
    best = max(hits, key=lambda column: hits[column], default=None)
    if best is None or not hits[best] or (mapping.id and hits.get(mapping.id)):
        return None
    return best


class CollectedDocuments(Protocol):
    """Where the documents of files are collected: in memory, or on the disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Document: ...

    def __iter__(self) -> Iterator[Document]: ...

    def add(self, document: Document) -> None:
        """The next document, whose id is new."""

    def number(self, doc_id: str) -> int | None:
        """Where the document of this id stands; None where there is none so far."""


class DocumentsInMemory(list[Document]):
    """Documents in their order, looked up by their ids."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[str, int] = {}

    def add(self, document: Document) -> None:
        """The next document, whose id is new."""
        self._numbers[document.id] = len(self)
        self.append(document)

    def number(self, doc_id: str) -> int | None:
        """Where the document of this id stands; None where there is none so far."""
        return self._numbers.get(doc_id)


class DocumentBuilder:
    """Collects documents with unique ids over one or many files. The first of an id is kept."""

    def __init__(
        self,
        log: ProblemLog,
        ctx: Context | None = None,
        judged_ids: Callable[[], Collection[str]] = tuple,
        documents: CollectedDocuments | None = None,
    ) -> None:
        """Begin with no document.

        Args:
            log: takes the problems of rows.
            ctx: for progress and cancelling.
            judged_ids: gives ids that judgments name; they tell which column holds ids.
            documents: where to collect; in memory, unless said otherwise.
        """
        self.documents = DocumentsInMemory() if documents is None else documents
        self._log = log
        self._ctx = ctx or Context()
        self._judged_ids = judged_ids
        self._files: list[str] = []
        # For each document: which of the files it is from, and the line there.
        self._file_numbers, self._lines = array("i"), array("q")
        self.skipped = 0
        self.repeated = 0
        """Rows whose document had been given with the same content."""

    def add_file(
        self,
        file: str,
        rows: Iterator[Row],
        mapping: ColumnMapping | None,
        chosen: Mapping[str, str] | None = None,
    ) -> ColumnMapping | None:
        """All rows of one file, and the mapping used; None for a file without rows.

        Without a mapping, it is guessed from the first rows and from the `chosen` columns.
        """
        first, rows = peek(rows)
        if not first:
            return None
        records = [record for _, record in first]
        if mapping is None:
            mapping = self._with_judged_ids(guess_mapping(records, chosen), records, chosen, file)
            refuse_queries(mapping, chosen or {}, columns_of(records), file)
            self._tell_rivals(mapping, records, chosen or {}, file)
        if mapping is None:
            raise InvalidInput(
                f"{file} has no column that holds text.",
                hint="Give a column of texts, called text for example, or name the one that is: "
                "--columns text=NAME. Its columns are: "
                + ", ".join(columns_of(records)[:20])
                + ".",
            )
        check_mapping(mapping, columns_of(records), file)
        if _are_decimals([record.get(mapping.id) for record in records if mapping.id]):
            self._log.note("Ids such as 1.0 were read as whole numbers.", file=file)
            rows = _with_whole_ids(rows, str(mapping.id))
        self._files.append(file)
        for number, (line, record) in enumerate(rows, 1):
            if number % _CHECK_EVERY == 0:
                self._ctx.checkpoint()
                self._ctx.report(f"Reading {file}", len(self.documents))
            self._add(file, line, record, mapping)
        return mapping

    def _tell_rivals(
        self,
        mapping: ColumnMapping | None,
        records: Sequence[Record],
        chosen: Mapping[str, str],
        file: str,
    ) -> None:
        """Report a choice between columns of texts that nothing but their length decided."""
        rivals = rival_texts(records, mapping, chosen) if mapping else []
        if mapping and rivals and is_headerless(columns_of(records)):
            raise InvalidInput(
                f"{file} has no header, and more than one of its columns holds texts: "
                f"{', '.join(map(repr, sorted((mapping.text, *rivals))))}.",
                hint=f'Say which is the text of the documents: --columns "text={mapping.text}", '
                "or write a header. A query with a passage that answers it and one that does not "
                "is --format ms-marco-triples.",
            )
        if mapping and rivals:
            self._log.warning(
                f"The column {mapping.text!r} was taken for the texts; "
                f"{', '.join(map(repr, rivals[:5]))} could be it as well.",
                f"If that is not meant, name it: --columns text={rivals[0]}.",
                file=file,
                field=mapping.text,
            )

    def _with_judged_ids(
        self,
        mapping: ColumnMapping | None,
        records: Sequence[Record],
        chosen: Mapping[str, str] | None,
        file: str,
    ) -> ColumnMapping | None:
        """The guessed mapping, its ids from the column whose values the judgments name."""
        if mapping is None or mapping.id == "_id" or "id" in (chosen or {}):
            return mapping
        column = column_of_ids(records, mapping, self._judged_ids())
        if column is None:
            return mapping
        self._log.note(
            f"The column {column!r} was taken for the id: the judgments name its values.",
            file=file,
            field=column,
        )
        return replace(mapping, id=column, title=None if mapping.title == column else mapping.title)

    def _add(self, file: str, line: int, record: Record, mapping: ColumnMapping) -> None:
        """One row: a document more, or a problem more."""
        record = {name: None if _is_nan(value) else value for name, value in record.items()}
        doc_id = self._id(file, line, record, mapping)
        text = self._text(file, line, record, mapping)
        if doc_id is None or text is None:
            self.skipped += 1
            return
        title = record.get(mapping.title) if mapping.title else None
        if isinstance(title, list | dict | bytes):  # search engines give a field as a list
            title = " ".join((text_of(title) or "").split())
        document = Document(
            doc_id,
            text,
            clean_text(str(title)).strip() if title is not None else "",
            _meta(record, mapping),
            clean_text(str(record.get(PARENT) or "")),
        )
        if self._is_new(file, line, document):
            if not document.content.strip():
                self._log.note(f"Document {doc_id!r} has no text; kept.", file=file, line=line)
            self.documents.add(document)
            self._file_numbers.append(len(self._files) - 1)
            self._lines.append(line)
        else:
            self.skipped += 1

    def _id(self, file: str, line: int, record: Record, mapping: ColumnMapping) -> str | None:
        if mapping.id is None:
            return f"d{len(self.documents) + self.skipped + 1}"
        value = record.get(mapping.id)
        doc_id = id_text(value)
        if doc_id is None:
            problem = "is missing" if value is None or value == "" else "is not a name or a number"
            self._log.error(
                f"The id {problem}; the row was left out.",
                "Give every row an id, or choose no id column to number the rows.",
                file=file,
                line=line,
                field=mapping.id,
            )
        return doc_id

    def _text(self, file: str, line: int, record: Record, mapping: ColumnMapping) -> str | None:
        """The text of a row; empty for a document that is a title alone."""
        column = mapping.text
        value = record.get(column)
        if value is None and mapping.title and record.get(mapping.title):
            self._log.note(
                "The text is missing; the document is its title alone.",
                file=file,
                line=line,
                field=column,
            )
            return ""
        text = text_of(value)
        if text is not None:
            if isinstance(value, list | dict):
                self._log.tally(file, "texts put together from parts")
            return clean_text(text)
        problem = "is missing" if value is None else f"is {_kind(value)}, not text"
        self._log.error(
            f"The text {problem}; the row was left out.",
            "Give every row a text, or choose another text column.",
            file=file,
            line=line,
            field=column,
        )
        return None

    def _is_new(self, file: str, line: int, document: Document) -> bool:
        number = self.documents.number(document.id)
        if number is None:
            return True
        first_file, first_line = self._files[self._file_numbers[number]], self._lines[number]
        where = f"{first_file}, line {first_line}" if first_line else first_file
        if self.documents[number].content == document.content:
            self.repeated += 1
            self._log.note(
                f"Document {document.id!r} is given twice with the same content "
                f"(first in {where}); merged.",
                file=file,
                line=line,
            )
        else:
            self._log.error(
                f"Document {document.id!r} is given again with other content; "
                f"the first ({where}) is kept.",
                "Give every document its own id.",
                file=file,
                line=line,
            )
        return False


def _is_nan(value: Any) -> bool:
    """Whether a missing value is meant: NaN, or the word that table programs write for it."""
    return bool(value != value) or value in ("nan", "NaN")


def _are_decimals(ids: Sequence[Any]) -> bool:
    """Whether all ids are whole numbers written as `1.0`, as pandas does where one is missing."""
    present = [value for value in ids if not (value is None or value == "" or _is_nan(value))]
    return bool(present) and all(
        isinstance(value, str) and _DECIMAL_ID.fullmatch(value.strip()) for value in present
    )


def is_decimal_id(name: str) -> bool:
    """Whether an id is a whole number written as `1.0`."""
    return _DECIMAL_ID.fullmatch(name) is not None


def _with_whole_ids(rows: Iterator[Row], column: str) -> Iterator[Row]:
    for line, record in rows:
        value = record.get(column)
        if isinstance(value, str) and _DECIMAL_ID.fullmatch(value.strip()):
            record = {**record, column: value.strip().partition(".")[0]}
        yield line, record


def refuse_queries(
    mapping: ColumnMapping | None, chosen: Mapping[str, str], columns: list[str], file: str
) -> None:
    """Raise InvalidInput where the only texts of a table are those of queries."""
    if mapping is None or "text" in chosen or plain_name(mapping.text) not in _QUESTIONS:
        return
    raise InvalidInput(
        f"{file} has no column of documents: {mapping.text!r} holds queries.",
        hint="Its columns are: " + ", ".join(columns[:20]) + ". Name the one of texts: --columns "
        f"text={next((c for c in columns if c != mapping.text), mapping.text)}.",
    )


def check_mapping(mapping: ColumnMapping, columns: Iterable[str], file: str) -> None:
    """Raise InvalidInput naming every mapped column that the file does not have."""
    present = list(columns)
    missing = [name for name in mapping.used if name not in present]
    if missing:
        raise InvalidInput(
            f"{file} has no column {', '.join(map(repr, missing))}.",
            hint="Its columns are: " + ", ".join(present[:20]) + ".",
            problems=[f"{file}, field {name}: no such column" for name in missing],
        )


def text_of(value: Any, levels: int = 0) -> str | None:
    """The text that a value is, also in parts or one level deeper; None for what is no text.

    `["a", "b"]` has a line a part, `{"text": "a"}` and `{"en": "a"}` hold one.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and not levels:
        return str(value)
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return None
    if levels > _MOST_LEVELS or not value:
        return None
    if isinstance(value, dict):
        name = find_column(value, (*TEXT, "value")) or (
            next(iter(value)) if len(value) == 1 else None
        )
        return text_of(value[name], levels + 1) if name is not None else None
    if isinstance(value, list):
        parts = [text_of(part, levels + 1) for part in value]
        return None if None in parts else "\n".join(part for part in parts if part is not None)
    return None


def id_text(value: Any) -> str | None:
    """An id as text: strings stripped, whole numbers as they print; None when it cannot be one.

    Tabs, line ends and other control characters become spaces: no table could hold them.
    """
    if isinstance(value, str):
        return _CONTROL.sub(" ", clean_text(value)).strip() or None
    if isinstance(value, bytes):
        return id_text(value.decode("utf-8", "replace"))
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _WRAPPED_IDS:
        return id_text(next(iter(value.values())))
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    return str(value) if isinstance(value, int) else None


def _meta(record: Record, mapping: ColumnMapping) -> dict[str, Any]:
    named = (mapping.id, mapping.text, mapping.title, PARENT)
    if mapping.meta is not None:
        chosen = {name: record[name] for name in mapping.meta if record.get(name) is not None}
        return {name: clean_value(value) for name, value in chosen.items()}
    meta: dict[str, Any] = {}
    for name, value in record.items():
        if name == META and isinstance(value, dict):
            meta |= value
        elif name not in named and value is not None and value != "":
            meta[name] = value
    cleaned: dict[str, Any] = clean_value(meta)
    return cleaned


def _kind(value: Any) -> str:
    kinds = {list: "a list", dict: "an object", bool: "true or false", bytes: "binary data"}
    return kinds.get(type(value), f"a {type(value).__name__}")
