"""Runs on disk: read from any shape, written as TREC run files, JSONL or Parquet.

TREC run lines are `query Q0 document rank score tag`.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rerank_lab.core.errors import ContractViolation, InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.storage import atomic_write, write_file
from rerank_lab.core.text import load_json
from rerank_lab.core.types import Hit, Qrels, Ranking, Run
from rerank_lab.corpora.judged import (
    JudgedReading,
    ReadingProgress,
    judged_reader,
    with_whole_names,
)
from rerank_lab.corpora.mapping import is_decimal_id
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.readers.judged.base import JudgedFile, JudgedReader, RankedPair, Rows
from rerank_lab.corpora.readers.judged.candidates import CandidateRun
from rerank_lab.corpora.readers.judged.nested_json import NestedRun
from rerank_lab.corpora.readers.judged.regular_runs import regular_run
from rerank_lab.corpora.readers.judged.tables import TableRun
from rerank_lab.corpora.readers.judged.trec import RUN_LABELS, TrecRun
from rerank_lab.corpora.source import LINES, Source, clean_text

RUN_READERS: tuple[JudgedReader[RankedPair], ...] = (
    CandidateRun(), NestedRun(), TableRun(), TrecRun(),
)  # fmt: skip

TREC_SCALE = "run"
"""The scale of a score read from a TREC file, which does not say what its scores are."""
_SPACE = re.compile(r"\s")
_RUN_HINT = "Give six columns a line: query Q0 document rank score tag."


def write_qrels(qrels: Qrels, path: str | Path) -> None:
    """TREC judgments, in the order given."""
    rows = [(q, d, grade) for q, judged in qrels.items() for d, grade in judged.items()]
    _check_ids(name for q, d, _ in rows for name in (q, d))
    write_file(Path(path), "".join(f"{q} 0 {d} {grade}\n" for q, d, grade in rows))


@dataclass(frozen=True, slots=True)
class RunContents:
    """The run of a file, and how it was read."""

    run: Run
    reading: JudgedReading


def read_run(path: str | Path, options: ReadOptions | None = None) -> Run:
    """A run from a TREC file, a table or JSON, or from what `write_run` makes.

    As in trec_eval, scores decide the order; ranks only break ties (then the order in the file), or
    decide where there are no scores. Raises InvalidInput listing every line that cannot be used.
    """
    return read_run_file(path, options).run


def read_run_file(
    path: str | Path, options: ReadOptions | None = None, log: ProblemLog | None = None
) -> RunContents:
    """The run as `read_run` gives it, with how it was read; what is doubtful goes to `log`."""
    file, log = user_path(path), log if log is not None else ProblemLog()
    if not file.is_file():
        raise InvalidInput(f"There is no run file {file}.", hint="Check the path of the run.")
    source = Source.of(file)
    progress = ReadingProgress(source.name, log)
    own = _own_run(source)
    if own is not None:
        rows: Rows[RankedPair] = Rows(iter(()), "run of this program")
        return RunContents(own, progress.reading("run", "own", rows, *_places_of(own)))
    judged_file = JudgedFile(source, options or ReadOptions())
    try:
        reader = judged_reader(judged_file, RUN_READERS)
    except InvalidInput as error:
        raise InvalidInput(
            f"{file.name} is not a run: it has no columns for query, document and rank or score.",
            hint=f"{_RUN_HINT} {error.hint}",
        ) from None
    rows = reader.read(judged_file, log)
    run = _regular_run(judged_file, reader, rows, log) or run_of(rows.rows, log, str(file))
    log.raise_errors(f"{file.name} is not a valid run ({rows.label}).", _RUN_HINT)
    if not run.rankings:
        raise InvalidInput(
            f"{file.name} holds no ranking.",
            hint=f"{_RUN_HINT} Where a pipeline really retrieves nothing for any query, every "
            "measure is 0; as .jsonl a run keeps queries without an answer.",
        )
    return RunContents(run, progress.reading("run", reader.name, rows, *_places_of(run)))


def _regular_run(
    file: JudgedFile, reader: JudgedReader[RankedPair], rows: Rows[RankedPair], log: ProblemLog
) -> Run | None:
    """The run of a file without any irregularity, read as a whole; None for any other file."""
    columns = regular_run(file) if isinstance(reader, TrecRun) else None
    if columns is None or rows.label != RUN_LABELS[columns.width]:
        return None
    if is_decimal_id(columns.query_ids[0]) or is_decimal_id(columns.document_ids[0]):
        return None
    columns = columns.in_order()
    doc_ids = np.array(columns.document_ids, dtype=object)[columns.documents].tolist()
    scores = [None] * len(doc_ids) if columns.scores is None else columns.scores.tolist()
    scale = "order" if columns.scores is None else TREC_SCALE
    ends = np.cumsum(np.bincount(columns.queries)).tolist()
    rankings: dict[str, Ranking] = {}
    start = 0
    try:
        for query_id, end in zip(columns.query_ids, ends, strict=True):
            rankings[query_id] = Ranking.from_columns(
                query_id, doc_ids[start:end], scores[start:end], scale
            )
            start = end
    except ContractViolation:  # a document twice: the lines are told by the other reader
        return None
    log.tally(file.name, LINES, len(doc_ids))
    path = str(file.source.path)
    return Run(columns.tag or Path(path).stem, _spec_of(path), rankings)


def _spec_of(file: str) -> str:
    return f"run(path={json.dumps(file)})"


def _places_of(run: Run) -> tuple[int, int]:
    """How many documents are ranked, for how many queries."""
    return sum(map(len, run.rankings.values())), len(run.rankings)


def _own_run(source: Source) -> Run | None:
    """The run that `write_run` wrote; None for any other file."""
    try:
        if source.suffix == ".jsonl" and (lines := _own_lines(source)):
            return _of_own_lines(lines)
        if source.suffix == ".parquet" and (table := _own_table(source)) is not None:
            return _of_own_table(table)
    except (ValueError, KeyError, TypeError, IndexError, ContractViolation) as error:
        raise InvalidInput(
            f"{source.name} is not a run that this program wrote: {error}.",
            hint="Give a TREC run file, or export the run again.",
        ) from error
    return None


def run_of(rows: Iterable[RankedPair], log: ProblemLog, file: str) -> Run:
    """The run that some rows make up; a document listed twice is reported and left out."""
    by_query: dict[str, dict[str, RankedPair]] = {}
    tag = ""
    for row in rows:
        tag = tag or row.tag
        if not (row.query.isascii() and row.document.isascii()):
            row = row._replace(query=clean_text(row.query), document=clean_text(row.document))
        if by_query.setdefault(row.query, {}).setdefault(row.document, row) is not row:
            log.error(
                f"Document {row.document!r} is listed twice for query {row.query!r}.",
                "List every document once for a query.",
                file=file,
                line=row.line,
            )
    by_query = with_whole_names(by_query, Path(file).name, log) if by_query else by_query
    rankings = {query_id: _ranked(query_id, pairs) for query_id, pairs in by_query.items()}
    return Run(tag or Path(file).stem, _spec_of(file), rankings)


def write_run(run: Run, path: str | Path) -> None:
    """Write a run: .jsonl and .parquet keep everything, anything else is a TREC run file.

    TREC scores are printed so that they strictly decrease as 32-bit floats, because trec_eval
    reads them as such and ignores ranks: a tied or missing score is moved by the least amount
    (a missing one by 1) below its predecessor.
    """
    file = Path(path)
    if file.suffix == ".jsonl":
        write_file(file, "".join(_jsonl_lines(run)))
    elif file.suffix == ".parquet":
        _write_parquet(run, file)
    else:
        write_file(file, "".join(trec_lines(run)))


def trec_lines(run: Run) -> Iterator[str]:
    """The lines of the TREC run file, with line ends."""
    tag = _SPACE.sub("_", run.name) or "run"
    for query_id, ranking in run.rankings.items():
        _check_ids((query_id, *ranking.doc_ids))
        for hit, score in zip(ranking.hits, _strictly_decreasing(ranking), strict=True):
            yield f"{query_id} Q0 {hit.doc_id} {hit.rank} {score:.9g} {tag}\n"


def _strictly_decreasing(ranking: Ranking) -> list[float]:
    scores: list[float] = []
    with np.errstate(over="ignore"):
        for hit in ranking.hits:
            above = np.float32(scores[-1]) if scores else np.float32(np.inf)
            if hit.score is None:
                wanted = above - np.float32(1) if scores else np.float32(len(ranking))
            else:
                wanted = np.float32(hit.score)
            if not wanted < above:
                wanted = np.nextafter(above, np.float32(-np.inf))
            scores.append(float(wanted))
    if all(map(math.isfinite, scores)):
        return scores
    return [float(len(ranking) - position) for position in range(len(ranking))]


def _ranked(query_id: str, rows: Mapping[str, RankedPair]) -> Ranking:
    ranks = {document: row.rank or 0.0 for document, row in rows.items()}
    by_rank = sorted(rows, key=lambda document: ranks[document])
    scores = {document: row.score for document, row in rows.items() if row.score is not None}
    if len(scores) < len(rows):
        return Ranking.from_order(query_id, by_rank)
    return Ranking.from_scores(query_id, scores, TREC_SCALE, previous=by_rank)


def _jsonl_lines(run: Run) -> Iterator[str]:
    yield json.dumps({"run": run.name, "spec": run.spec}) + "\n"
    for query_id, ranking in run.rankings.items():
        hits = [[hit.doc_id, hit.score] for hit in ranking.hits]
        line = {"query_id": query_id, "scale": ranking.scale, "hits": hits}
        yield json.dumps(line) + "\n"


def _own_lines(source: Source) -> list[Any]:
    """The JSON lines of a run that `write_run` wrote; empty for any other file."""
    lines = [line for line in source.read().decode("utf-8").split("\n") if line.strip()]
    head = load_json(lines[0]) if lines else {}
    if not isinstance(head, dict) or "run" not in head:
        return []
    return [head, *map(load_json, lines[1:])]


def _of_own_lines(lines: Sequence[Any]) -> Run:
    head, rest = lines[0], lines[1:]
    rankings: dict[str, Ranking] = {}
    for item in rest:
        hits = tuple(Hit(d, rank, score) for rank, (d, score) in enumerate(item["hits"], 1))
        rankings[item["query_id"]] = Ranking(item["query_id"], hits, item["scale"])
    return Run(head["run"], head["spec"], rankings)


def _write_parquet(run: Run, file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    hits = [(q, hit) for q, ranking in run.rankings.items() for hit in ranking.hits]
    table = pa.table(
        {
            "query_id": pa.array([q for q, _ in hits], pa.string()),
            "doc_id": pa.array([hit.doc_id for _, hit in hits], pa.string()),
            "rank": pa.array([hit.rank for _, hit in hits], pa.int32()),
            "score": pa.array([hit.score for _, hit in hits], pa.float64()),
        }
    )
    scales = {q: ranking.scale for q, ranking in run.rankings.items()}
    about = {"name": run.name, "spec": run.spec, "scales": scales}
    table = table.replace_schema_metadata({"rerank_lab": json.dumps(about)})
    with atomic_write(file) as stream:
        pq.write_table(table, stream)


def _own_table(source: Source) -> Any:
    """The table of a run that `write_run` wrote; None for any other file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(source.read()))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(str(error).split("\n")[0]) from error
    return table if b"rerank_lab" in (table.schema.metadata or {}) else None


def _of_own_table(table: Any) -> Run:
    about = load_json(table.schema.metadata[b"rerank_lab"])
    hits: dict[str, list[Hit]] = {query_id: [] for query_id in about["scales"]}
    for row in table.to_pylist():
        hits[row["query_id"]].append(Hit(row["doc_id"], row["rank"], row["score"]))
    rankings = {q: Ranking(q, tuple(hits[q]), scale) for q, scale in about["scales"].items()}
    return Run(about["name"], about["spec"], rankings)


def _check_ids(ids: Iterable[str]) -> None:
    bad = [name for name in ids if not name or _SPACE.search(name)]
    if bad:
        raise InvalidInput(
            f"{len(bad):,} ids are empty or hold spaces, the first is {bad[0]!r}; TREC files "
            "separate columns by spaces.",
            hint="Export as JSONL or Parquet instead, or give the documents ids without spaces.",
            problems=[repr(name) for name in bad[:50]],
        )
