"""A Parquet file is read a piece at a time, whatever its row groups are."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.readers.parquet import ParquetReader
from rerank_lab.corpora.source import Source

MB = 1 << 20


@pytest.mark.parametrize("row_group_size", [1000, 10_000])
def test_what_was_read_does_not_stay_in_memory(tmp_path: Path, row_group_size: int) -> None:
    path = tmp_path / "texts.parquet"
    table = pa.table({"text": [f"{i} " * 500 for i in range(10_000)]})
    pq.write_table(
        table, path, row_group_size=row_group_size, compression="none", use_dictionary=False
    )
    del table
    assert path.stat().st_size > 20 * MB
    before = pa.total_allocated_bytes()
    most = 0
    for row, _ in ParquetReader().read(Source.of(path), ReadOptions(), ProblemLog()):
        if row % 100 == 0:
            most = max(most, pa.total_allocated_bytes() - before)
    assert row == 10_000
    assert most < 10 * MB
