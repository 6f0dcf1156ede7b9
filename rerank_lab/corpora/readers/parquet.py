"""Parquet tables."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, ReadOptions, Sample, TableReader
from rerank_lab.corpora.source import Source

_BATCH_ROWS = 2048
_STREAMED: Mapping[str, Any] = {"pre_buffer": False, "buffer_size": 1 << 20}
"""Without these, what was read of a file stays in memory until the file is closed."""


class ParquetReader(TableReader):
    """Parquet; nested values are kept as lists and dictionaries."""

    name = "parquet"
    label = "Parquet"
    extensions = (".parquet", ".pq")

    def sniff(self, sample: Sample) -> Match | None:
        """The four bytes that every Parquet file begins with, or the extension."""
        if sample.head.startswith(b"PAR1"):
            return Match(0.6, "it begins with the bytes PAR1")
        return self.by_extension(sample)

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """Columns by name; the lines that problems name count the rows."""
        import pyarrow.parquet as pq

        number = 0
        try:
            bytes_or_path = source.plain_path or io.BytesIO(source.read())
            with pq.ParquetFile(bytes_or_path, **_STREAMED) as table:
                for batch in table.iter_batches(batch_size=_BATCH_ROWS):
                    for record in batch.to_pylist():
                        number += 1
                        yield number, record
        except Exception as error:  # a damaged file makes the parser raise anything
            raise InvalidInput(
                f"{source.name} cannot be read as Parquet after row {number:,}: "
                f"{(str(error).splitlines() or ['it is damaged'])[0]}",
                hint="Write it again, with pandas.DataFrame.to_parquet for example.",
            ) from error
