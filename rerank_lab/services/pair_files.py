"""Files of (query, document) pairs, read a few rows at a time, and scores written as Parquet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.storage import atomic_write, disk_errors
from rerank_lab.core.types import well_formed
from rerank_lab.corpora.readers.base import ReadOptions, TableReader
from rerank_lab.corpora.readers.delimited import DelimitedReader
from rerank_lab.corpora.readers.json_lines import JSONLinesReader
from rerank_lab.corpora.readers.parquet import ParquetReader
from rerank_lab.corpora.source import Source

PAIR_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "query": ("query", "query_text", "question"),
    "document": ("document", "document_text", "passage", "text", "content"),
    "title": ("title",),
    "query_id": ("query_id", "query-id", "qid"),
    "document_id": ("document_id", "doc_id", "docid", "corpus-id", "passage_id"),
}
"""What a column may mean, and the names by which it is recognised, the first one first."""
_REQUIRED = ("query", "document")
_READERS: tuple[TableReader, ...] = (ParquetReader(), DelimitedReader(), JSONLinesReader())
_DIGEST = b"rerank_lab.pairs"


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and a document. `row` is the row or line of the file, from 1; ids may be ""."""

    row: int
    query: str
    document: str
    title: str = ""
    query_id: str = ""
    document_id: str = ""


def pair_reader(path: Path) -> TableReader:
    """The reader for a file of pairs, by the ending of its name.

    Raises:
        InvalidInput: There is no such file, or its name does not say how to read it.
    """
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}.", hint="Check the path of the pairs.")
    suffix = Source.of(path).suffix
    for reader in _READERS:
        if suffix in reader.extensions:
            return reader
    endings = ", ".join(ending for reader in _READERS for ending in reader.extensions)
    raise InvalidInput(
        f"The name {path.name!r} does not say how to read it.", hint=f"Let it end in {endings}."
    )


def pair_count(path: Path) -> int:
    """How many pairs a Parquet file holds; 0 for other files, where only reading tells."""
    import pyarrow.parquet as pq

    if not isinstance(pair_reader(path), ParquetReader):
        return 0
    with suppress(Exception):  # a damaged file: reading it says what is wrong
        return int(pq.ParquetFile(path).metadata.num_rows)
    return 0


def read_pairs(path: Path, columns: Mapping[str, str], log: ProblemLog) -> Iterator[Pair]:
    """The pairs of a Parquet, CSV, TSV or JSON lines file, a few rows in memory at a time.

    Args:
        path: The file; text files may be compressed.
        columns: Role -> column, for those that go by other names than `PAIR_COLUMNS` lists.
        log: Rows that cannot be read are noted here and left out.

    Raises:
        InvalidInput: The file has no column of queries or documents, or cannot be read.
    """
    unknown = sorted(set(columns) - PAIR_COLUMNS.keys())
    if unknown:
        raise InvalidInput(
            f"A file of pairs has no {', '.join(unknown)}.",
            hint=f"Columns may mean {', '.join(PAIR_COLUMNS)}.",
        )
    chosen: dict[str, str] | None = None
    for row, record in pair_reader(path).read(Source.of(path), ReadOptions(), log):
        if chosen is None:
            chosen = _chosen(record, columns, path.name)
        texts = {role: _text(record.get(column)) for role, column in chosen.items()}
        missing = [role for role in _REQUIRED if record.get(chosen[role]) is None]
        if missing:
            log.error(
                f"The pair has no {' and no '.join(missing)}.",
                "Give each row both texts.",
                file=path.name,
                line=row,
            )
            continue
        yield Pair(row, **texts)


def _chosen(record: Mapping[str, Any], columns: Mapping[str, str], name: str) -> dict[str, str]:
    """Role -> column, as given or by the usual names."""
    listed = ", ".join(map(repr, record))
    absent = [column for column in columns.values() if column not in record]
    if absent:
        raise InvalidInput(
            f"{name} has no column {absent[0]!r}.", hint=f"Its columns are {listed}."
        )
    chosen = dict(columns)
    for role, names in PAIR_COLUMNS.items():
        free = (one for one in names if one in record and one not in columns.values())
        if role not in chosen and (column := next(free, None)) is not None:
            chosen[role] = column
    for role in _REQUIRED:
        if role not in chosen:
            raise InvalidInput(
                f"{name} has no column that is known to hold the {role} texts.",
                hint=f"Name it with --columns {role}=COLUMN; its columns are {listed}.",
            )
    return chosen


def _text(value: object) -> str:
    return "" if value is None else well_formed(value if isinstance(value, str) else str(value))


def batches(pairs: Iterable[Pair], size: int) -> Iterator[list[Pair]]:
    """Lists of `size` pairs, the last one shorter."""
    batch: list[Pair] = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def pairs_digest(pairs: Sequence[Pair]) -> str:
    """SHA-256 of rows, texts and ids, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for pair in pairs:
        fields = (pair.query, pair.document, pair.title, pair.query_id, pair.document_id)
        for value in (str(pair.row), *fields):
            encoded = value.encode()
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def write_part(path: Path, pairs: Sequence[Pair], scores: Sequence[float | None]) -> None:
    """Write the scores of some pairs in one step, with the digest of the pairs.

    Args:
        path: The Parquet file.
        pairs: What was scored.
        scores: Of shape `[n_pairs]`; None for a document without text.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "row": pa.array([pair.row for pair in pairs], pa.int64()),
            "query_id": pa.array([pair.query_id for pair in pairs], pa.string()),
            "document_id": pa.array([pair.document_id for pair in pairs], pa.string()),
            "score": pa.array(scores, pa.float64()),
        }
    ).replace_schema_metadata({_DIGEST: pairs_digest(pairs).encode()})
    with atomic_write(path) as stream:
        pq.write_table(table, stream)


def part_holds(path: Path, pairs: Sequence[Pair]) -> bool:
    """Whether a finished part holds the scores of exactly these pairs; a damaged one does not."""
    import pyarrow.parquet as pq

    if not path.is_file():
        return False
    try:
        metadata = pq.read_schema(path).metadata or {}
    except Exception:  # a damaged file makes the parser raise anything: it is written anew
        return False
    return metadata.get(_DIGEST) == pairs_digest(pairs).encode()


def join_parts(parts: Sequence[Path], out: Path, about: Mapping[str, str]) -> None:
    """Write the parts as one Parquet file in one step, one part in memory at a time.

    Args:
        parts: In their order, at least one.
        out: The file to write.
        about: Kept in the metadata of its schema.
    """
    import pyarrow.parquet as pq

    metadata = {f"rerank_lab.{name}": value for name, value in about.items()}
    schema = pq.read_schema(parts[0]).with_metadata(metadata)
    with (
        disk_errors(out),
        atomic_write(out) as stream,
        pq.ParquetWriter(stream, schema) as writer,
    ):
        for part in parts:
            writer.write_table(pq.read_table(part).replace_schema_metadata(metadata))
