"""Queries and relevance judgments of files in any shape, and how they fit a corpus."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.core.problems import ProblemLog, Severity
from rerank_lab.core.types import Query
from rerank_lab.corpora.mapping import is_decimal_id
from rerank_lab.corpora.readers.base import SAMPLE_RECORDS, ReadOptions
from rerank_lab.corpora.readers.judged.base import (
    FoundQuery,
    JudgedFile,
    JudgedPair,
    JudgedReader,
    Rows,
)
from rerank_lab.corpora.readers.judged.collections import SMARTQueries, SQuADQueries
from rerank_lab.corpora.readers.judged.grades import (
    MOST_WORDS,
    GradeScale,
    grade_of,
    grade_on,
    is_unrated,
    scale_of,
)
from rerank_lab.corpora.readers.judged.letor import LetorJudgments
from rerank_lab.corpora.readers.judged.nested_json import NestedJudgments, NestedQueries
from rerank_lab.corpora.readers.judged.plain_queries import PlainQueries
from rerank_lab.corpora.readers.judged.plain_table import PlainJudgments, plain_judgments
from rerank_lab.corpora.readers.judged.query_logs import NumberedQueries, QueryLog
from rerank_lab.corpora.readers.judged.tables import TableJudgments, TableQueries
from rerank_lab.corpora.readers.judged.topics import ClassicTopics, ConversationTopics, XMLTopics
from rerank_lab.corpora.readers.judged.trec import TrecJudgments
from rerank_lab.corpora.source import LINES, Source, clean_text, clean_value

QrelsDict = dict[str, dict[str, int]]
RowT = TypeVar("RowT")
ValueT = TypeVar("ValueT")
JUDGMENT_READERS: tuple[JudgedReader[JudgedPair], ...] = (
    LetorJudgments(), NestedJudgments(), TrecJudgments(), TableJudgments(),
)  # fmt: skip
QUERY_READERS: tuple[JudgedReader[FoundQuery], ...] = (
    ClassicTopics(), XMLTopics(), ConversationTopics(), SMARTQueries(), SQuADQueries(),
    NestedQueries(), QueryLog(), NumberedQueries(), TableQueries(), PlainQueries(),
)  # fmt: skip
_QRELS_HINT = (
    "Give TREC lines (query 0 document grade), or a table with the columns "
    "query-id, corpus-id and score."
)
_FIRST_ROWS = 2000
_MOST_FILES = 1_000_000
_FLOAT_ID = re.compile(r"(\d+)\.0+")


@dataclass(frozen=True, slots=True)
class JudgedReading:
    """How a file of queries, of judgments or of a run was read, in numbers that add up.

    Its data rows are `rows`, `repeated` ones that add nothing, and what was `left_out`. `tallies`
    are what was counted beside them, such as lines and header lines.
    """

    file: str
    what: str
    format: str
    label: str
    columns: Mapping[str, str]
    rows: int
    queries: int
    unrated: int
    repeated: int
    left_out: int
    tallies: Mapping[str, int]

    @property
    def sentence(self) -> str:
        """Such as `qrels.csv: read as CSV or TSV (grade = label): 3 judgments of 2 queries`."""
        columns = ", ".join(f"{role} = {column}" for role, column in self.columns.items())
        aside = f" ({columns})" if columns else ""
        counts = counted(self.queries, "query", "queries")
        if self.what == "judgments":
            counts = f"{counted(self.rows, 'judgment')} of {counts}"
        elif self.what == "run":
            counts = f"{counted(self.rows, 'place')} of {counts}"
        rest = f"; {self.repeated:,} repeated" if self.repeated else ""
        rest += f"; {self.unrated:,} without a grade" if self.unrated else ""
        rest += f"; {self.left_out:,} left out" if self.left_out else ""
        lines = tallies_sentence(self.tallies)
        return f"{self.file}: read as {self.label}{aside}: {counts}{lines}{rest}"

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        names = ("file", "what", "format", "label", "rows", "queries", "unrated", "repeated")
        return {name: getattr(self, name) for name in (*names, "left_out")} | {
            "columns": dict(self.columns),
            "lines": self.tallies.get(LINES, 0),
            "tallies": dict(self.tallies),
            "sentence": self.sentence,
        }


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun, such as `1 line` or `2 lines`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def tallies_sentence(tallies: Mapping[str, int]) -> str:
    """` from 5 lines (1 header line)`; empty for a file that is not read by line."""
    lines = tallies.get(LINES, 0)
    others = [
        f"{count:,} {what if count > 1 else what.replace('lines', 'line')}"
        for what, count in tallies.items()
        if what != LINES
    ]
    source = f" from {counted(lines, 'line')}" if lines else ""
    return source + (f" ({', '.join(others)})" if others else "")


@dataclass(frozen=True, slots=True)
class QuerySet:
    """The queries of a file, and how it was read."""

    queries: tuple[Query, ...]
    reading: JudgedReading


@dataclass(frozen=True, slots=True)
class Judgments:
    """Grades by the key that the file uses for a query: its id or its text.

    `texts` are those of queries where the file has them. `unrated` are queries that it lists
    without any grade.
    """

    qrels: QrelsDict
    texts: Mapping[str, str]
    unrated: tuple[str, ...]
    reading: JudgedReading

    def own_queries(self) -> tuple[Query, ...]:
        """The queries of the file itself; empty where it has no texts."""
        return tuple(
            Query.of(text) if key == text else Query(key, text) for key, text in self.texts.items()
        )


def read_queries(source: Source, options: ReadOptions, log: ProblemLog) -> QuerySet:
    """Queries from a table, TREC topics, a JSON dictionary, or plain text with one query a line.

    Without ids, a query's id is derived from its text. Raises InvalidInput when none is usable.
    """
    file = JudgedFile(source, options)
    reader = judged_reader(file, QUERY_READERS)
    progress = ReadingProgress(source.name, log)
    rows = reader.read(file, log)
    queries: dict[str, Query] = {}
    repeated = 0
    for row in rows.rows:
        text = clean_text(row.text)
        query = Query(clean_text(row.query_id) or Query.of(text).id, text, clean_value(row.meta))
        known = queries.setdefault(query.id, query)
        repeated += known is not query and known.text == query.text
        if known.text != query.text:
            log.error(
                f"Query {query.id!r} is given again with another text; the first is kept.",
                "Give every query its own id.",
                file=source.name,
                line=row.line,
            )
    if not queries:
        raise InvalidInput(
            f"{source.name} holds no usable query.",
            hint="Give one query a line, or a table with the columns id and text.",
            problems=log.lines(),
        )
    count = len(queries)
    reading = progress.reading("queries", reader.name, rows, count, count, repeated=repeated)
    return QuerySet(tuple(queries.values()), reading)


def read_judgments(source: Source, options: ReadOptions, log: ProblemLog) -> Judgments:
    """Judgments from a TREC file, a table, RankLib or LETOR, or nested JSON.

    Raises InvalidInput when the file has no usable judgment.
    """
    if options == replace(ReadOptions(), limits=options.limits):
        plain = plain_judgments(source)
        if plain is not None:
            return _plainly_read(source, options, plain, log)
    file = JudgedFile(source, options)
    reader = judged_reader(file, JUDGMENT_READERS)
    progress = ReadingProgress(source.name, log)
    scale = word_scale(file, reader, log)
    rows = reader.read(file, log)
    collector = _GradeCollector(source.name, log, scale)
    for row in rows.rows:
        collector.add(row)
    if not collector.qrels:
        raise InvalidInput(
            f"{source.name} holds no usable judgment.", hint=_QRELS_HINT, problems=log.lines()
        )
    collector.read_decimals_as_whole()
    unrated = tuple(key for key in collector.unrated if key not in collector.qrels)
    if unrated:
        log.note(
            f"{len(unrated):,} queries are listed without a grade: {_some(list(unrated))}.",
            "They are not judged, and not measured.",
            file=source.name,
        )
    if collector.open_grades:
        log.note(
            f"{collector.open_grades:,} rows leave the grade open; their documents are unjudged.",
            file=source.name,
        )
    reading = progress.reading(
        "judgments",
        reader.name,
        rows,
        sum(map(len, collector.qrels.values())),
        len(collector.qrels),
        unrated=len(unrated) + collector.open_grades,
        repeated=collector.repeated,
    )
    return Judgments(collector.qrels, collector.texts, unrated, reading)


def word_scale(
    file: JudgedFile, reader: JudgedReader[JudgedPair], log: ProblemLog
) -> GradeScale | None:
    """The scale of a file that grades in words such as E, S, C, I; None for any other file.

    It is looked for only where the first grades are no numbers, and said where it is found.
    """

    def grades() -> Iterator[object]:
        try:
            rows = reader.read(file, ProblemLog()).rows
            yield from (row.grade for row in rows if not is_unrated(row.grade))
        except InvalidInput:
            return

    if all(grade_of(grade) is not None for grade in islice(grades(), SAMPLE_RECORDS)):
        return None
    words: dict[str, None] = {}
    for grade in grades():
        words[str(grade)] = None
        if len(words) > 4 * MOST_WORDS:
            return None
    scale = scale_of(words)
    if scale:
        meanings = {word: grade_on(scale, word) for word in words}
        ordered = sorted(meanings.items(), key=lambda pair: (-(pair[1] or 0), pair[0]))
        listed = ", ".join(f"{word} = {grade}" for word, grade in ordered)
        log.note(f"Words were read as grades: {listed}.", scale.remark, file=file.name)
    return scale


def _plainly_read(
    source: Source, options: ReadOptions, plain: PlainJudgments, log: ProblemLog
) -> Judgments:
    """The judgments of a file of which nothing is to be said; how it was read, by its beginning."""
    file = JudgedFile(Source(source.name, data=plain.head), options)
    reader = judged_reader(file, JUDGMENT_READERS)
    progress = ReadingProgress(source.name, log)
    rows = reader.read(file, ProblemLog())
    log.tally(source.name, "header lines")
    log.tally(source.name, LINES, plain.rows + 1)
    queries = len(plain.qrels)
    reading = progress.reading("judgments", reader.name, rows, plain.rows, queries)
    return Judgments(plain.qrels, {}, (), reading)


def judged_documents(source: Source, options: ReadOptions) -> frozenset[str]:
    """Ids of documents that the first judgments of a file name; none for an unusable file."""
    file = JudgedFile(source, options)
    try:
        rows = judged_reader(file, JUDGMENT_READERS).read(file, ProblemLog()).rows
        return frozenset(row.document for row in islice(rows, _FIRST_ROWS) if row.document)
    except InvalidInput:
        return frozenset()


@dataclass(slots=True)
class _GradeCollector:
    file: str
    log: ProblemLog
    scale: GradeScale | None = None
    qrels: QrelsDict = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    unrated: dict[str, None] = field(default_factory=dict)
    open_grades: int = 0
    repeated: int = 0

    def add(self, row: JudgedPair) -> None:
        """Take a judgment, unless its grade is none or contradicts an earlier one."""
        if not (row.query.isascii() and (row.document or "").isascii() and row.text.isascii()):
            document = None if row.document is None else clean_text(row.document)
            row = row._replace(
                query=clean_text(row.query), document=document, text=clean_text(row.text)
            )
        if row.text:
            self.texts.setdefault(row.query, row.text)
        if row.document is None:
            self.unrated[row.query] = None
            return
        if is_unrated(row.grade):
            self.unrated[row.query] = None
            self.open_grades += 1
            return
        grade = grade_on(self.scale, row.grade)
        if grade is None:
            self.log.error(
                f"The grade {row.grade!r} is not a whole number.",
                "Grade with whole numbers, such as 0 (not relevant) to 3 (answers it), or yes/no.",
                file=self.file,
                line=row.line,
                field="grade",
            )
            return
        judged = self.qrels.setdefault(row.query, {})
        self.repeated += judged.get(row.document) == grade
        if judged.setdefault(row.document, grade) != grade:
            self.log.error(
                f"Query {row.query!r} and document {row.document!r} are judged again, {grade} "
                f"after {judged[row.document]}; the first is kept.",
                "Keep one judgment for each pair.",
                file=self.file,
                line=row.line,
            )

    def read_decimals_as_whole(self) -> None:
        """Take `1.0` for 1 where all ids are written so."""
        decimal = all(map(is_decimal_id, self.qrels))
        self.qrels = with_whole_names(self.qrels, self.file, self.log)
        self.texts = {_whole(key, decimal): text for key, text in self.texts.items()}
        self.unrated = {_whole(key, decimal): None for key in self.unrated}


def with_whole_names(
    by_query: Mapping[str, dict[str, ValueT]], file: str, log: ProblemLog
) -> dict[str, dict[str, ValueT]]:
    """What a file says by query and document, `1.0` read as 1 where all queries, or all documents,
    are called so: that is how table programs write ids where one is missing.
    """
    queries = all(map(is_decimal_id, by_query))
    documents = all(
        _FLOAT_ID.fullmatch(doc_id) for judged in by_query.values() for doc_id in judged
    )
    if not (queries or documents):
        return dict(by_query)
    log.note("Ids such as 1.0 were read as whole numbers.", file=file)
    return {
        _whole(query, queries): {_whole(doc_id, documents): v for doc_id, v in judged.items()}
        for query, judged in by_query.items()
    }


def _whole(name: str, decimal: bool) -> str:
    return name.partition(".")[0] if decimal else name


class ReadingProgress:
    """What a log says of one file from now on: how many rows are lost, what is counted."""

    def __init__(self, file: str, log: ProblemLog) -> None:
        self._file = file
        self._log = log
        self._errors = log.count(Severity.ERROR)
        self._tallies = Counter(log.tallies[file])

    def reading(
        self,
        what: str,
        format_name: str,
        rows: Rows[RowT],
        count: int,
        queries: int,
        *,
        unrated: int = 0,
        repeated: int = 0,
    ) -> JudgedReading:
        """How the file was read, once its rows were taken."""
        return JudgedReading(
            self._file,
            what,
            format_name,
            rows.label,
            rows.columns,
            count,
            queries,
            unrated,
            repeated,
            self._log.count(Severity.ERROR) - self._errors,
            self._log.tallies[self._file] - self._tallies,
        )


def read_qrels(
    path: str | Path, options: ReadOptions | None = None, log: ProblemLog | None = None
) -> Judgments:
    """Judgments of a file of which every line must be good: half a file would mislead.

    Raises InvalidInput listing every line that cannot be used.
    """
    file, log = user_path(path), log if log is not None else ProblemLog()
    if not file.is_file():
        raise InvalidInput(f"There is no judgment file {file}.", hint="Check the path.")
    judgments = read_judgments(Source.of(file), options or ReadOptions(), log)
    log.raise_errors(
        f"{file.name} is not a valid judgment file.",
        "Correct these lines; each needs a query, a document and a whole number as its grade.",
    )
    return judgments


def fit_judgments(
    judgments: Judgments, queries: Sequence[Query], doc_ids: AbstractSet[str], log: ProblemLog
) -> tuple[QrelsDict, tuple[Query, ...]]:
    """The judgments by query id, and the queries to ask.

    A query is found by its id, else by its text; `1.0` is 1 where a table program wrote numbers
    as decimals. Without queries, or where none of them is judged, those of the file are taken.

    Returns:
        The judgments, with keys that fit nothing as they are, and `queries` or the file's own.
    """
    own = judgments.own_queries()
    keys = _query_ids(judgments, queries)
    if own and not any(keys.values()):
        if queries:
            log.warning(
                f"{judgments.reading.file} judges none of the queries given; its own "
                f"{len(own):,} are taken.",
                "Give judgments of these queries if they are meant.",
            )
        queries, keys = own, _query_ids(judgments, own)
    known, fitted = doc_ids, QrelsDict()
    of_files = _ids_of_file_names(judgments, doc_ids, log)
    decimals = 0
    for key, judged in judgments.qrels.items():
        target = fitted.setdefault(keys[key] or key, {})
        for doc_id, grade in judged.items():
            plain = of_files.get(doc_id) or without_decimals(doc_id, known)
            decimals += plain != doc_id and doc_id not in of_files
            target.setdefault(plain, grade)
    if decimals:
        log.note(
            f"{decimals:,} document ids such as 1.0 were read as whole numbers.",
            file=judgments.reading.file,
        )
    return fitted, tuple(queries)


def _ids_of_file_names(
    judgments: Judgments, doc_ids: AbstractSet[str], log: ProblemLog
) -> dict[str, str]:
    """The id of the document that judgments call by the name of its file, such as `a` or `a.txt`.

    Only where they name no document by its id, and only names that one document has: the documents
    of a folder are called `docs/a.txt`.
    """
    named = {doc_id for judged in judgments.qrels.values() for doc_id in judged}
    if len(doc_ids) > _MOST_FILES or any(name in doc_ids for name in named):
        return {}
    by_name: dict[str, set[str]] = {}
    for doc_id in doc_ids:
        path = PurePosixPath(doc_id)
        if path.suffix or len(path.parts) > 1:
            for name in (path.name, path.stem, path.with_suffix("").as_posix()):
                by_name.setdefault(name.casefold(), set()).add(doc_id)
    names = {name: by_name.get(_file_name(name), set()) for name in named}
    of_files = {name: next(iter(ids)) for name, ids in names.items() if len(ids) == 1}
    if of_files:
        name = min(of_files)
        log.warning(
            f"{counted(len(of_files), 'document')} judged by the name of the file: "
            f"{name!r} is {of_files[name]!r}.",
            "Write the ids of the documents if that is not meant.",
            file=judgments.reading.file,
            field="document",
        )
    return of_files


def _file_name(name: str) -> str:
    """A path as ids have it: with slashes, without spaces and without `./` before it."""
    return re.sub(r"\s+", "_", name.replace("\\", "/")).removeprefix("./").casefold()


def check_judgments(
    qrels: Mapping[str, Mapping[str, int]],
    doc_ids: AbstractSet[str],
    query_ids: Collection[str],
    log: ProblemLog,
    file: str = "judgments",
) -> QrelsDict:
    """`qrels` without the queries that are not there; unknown documents stay, and are reported.

    A relevant document that the corpus lacks is one that no pipeline can find: as in trec_eval it
    counts in the ideal ranking. Judgments that name no document of the corpus at all belong to
    another corpus: InvalidInput.
    """
    unknown_queries = [query_id for query_id in qrels if query_id not in query_ids]
    fitting = {q: dict(judged) for q, judged in qrels.items() if q in query_ids}
    named = {doc_id for judged in qrels.values() for doc_id in judged}
    unknown = sorted(named - doc_ids)
    if len(unknown) == len(named):
        raise InvalidInput(
            f"{file} names no document of this corpus; its first is {unknown[0]!r}.",
            hint="Check that judgments and documents use the same ids.",
        )
    if qrels and not fitting:
        raise InvalidInput(
            f"{file} names none of the queries; its first is {unknown_queries[0]!r}.",
            hint="Check that judgments and queries use the same ids.",
        )
    if unknown:
        log.warning(
            f"{len(unknown):,} of {len(named):,} judged documents are not in the corpus: "
            f"{_some(unknown)}. They count as never found.",
            "Add the documents, or take their judgments out, if that is not meant.",
            file=file,
            field="document",
        )
    if unknown_queries:
        log.warning(
            f"{len(unknown_queries):,} of {len(qrels):,} judged queries are not in the query set: "
            f"{_some(unknown_queries)}. Their judgments were left out.",
            "Add the queries if they belong here.",
            file=file,
            field="query",
        )
    return fitting


def judged_reader(file: JudgedFile, readers: Iterable[JudgedReader[RowT]]) -> JudgedReader[RowT]:
    """The reader that the user names, a table's where columns are named, else the first that fits.

    Raises InvalidInput for an unknown name, and for a file that fits none.
    """
    by_name = {reader.name: reader for reader in readers}
    name = file.options.format or ("table" if file.options.columns else "")
    if name in by_name:
        return by_name[name]
    reader = next((one for one in by_name.values() if one.recognises(file)), None)
    if name or reader is None:
        raise InvalidInput(
            f"There is no format called {name!r} for {file.name}."
            if name
            else f"{file.name} has no shape that is known.",
            hint="Formats: " + ", ".join(by_name) + ".",
        )
    return reader


class QueryNames:
    """Which query a file of judgments means: by its id, else by its text."""

    def __init__(self, queries: Sequence[Query]) -> None:
        self._ids = {query.id for query in queries}
        self._by_text = {_plain(query.text): query.id for query in reversed(queries) if query.text}

    def id_of(self, key: str, text: str = "") -> str:
        """The id of the query that is called `key`, or has this text; "" for none."""
        plain = without_decimals(key, self._ids)
        if plain in self._ids:
            return plain
        if text in self._ids:  # a list for RankLib, whose queries were numbered
            return text
        return self._by_text.get(_plain(text or key), self._by_text.get(_plain(key), ""))


def _query_ids(judgments: Judgments, queries: Sequence[Query]) -> dict[str, str]:
    """The id of the query that each key of the judgments means, "" for none."""
    names = QueryNames(queries)
    return {key: names.id_of(key, judgments.texts.get(key, "")) for key in judgments.qrels}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def without_decimals(name: str, known: Collection[str]) -> str:
    """`1.0` as `1` where only that is known."""
    match = None if name in known else _FLOAT_ID.fullmatch(name)
    return match[1] if match and match[1] in known else name


def _some(names: list[str], count: int = 5) -> str:
    listed = ", ".join(map(repr, names[:count]))
    return f"{listed}, ..." if len(names) > count else listed
