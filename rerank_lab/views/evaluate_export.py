"""An evaluation as files: means and queries as tables, JSON, TREC runs. Same input, same bytes."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.table_cells import harmless_cell
from rerank_lab.core.types import Query, Run
from rerank_lab.corpora.runs import trec_lines, write_run
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.views.evaluate_tables import results_latex, results_markdown
from rerank_lab.views.judgment_basis import basis_name, basis_note
from rerank_lab.views.results_table import exported

JUDGMENTS = "judgments"
"""The column that says which judgments counted: source, winner, policy and LLM judges."""
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
Export = Callable[[Evaluation, str, str], str | bytes]
"""Makes a file of an evaluation, compared by a measure with a baseline."""


def results_csv(evaluation: Evaluation, primary: str = "", baseline: str = "") -> str:
    """One line a pipeline: every column that has a name in CSV, and which judgments counted."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    table = evaluation.table(primary, baseline)
    columns = [column for column in table.columns if column.csv]
    judgments = harmless_cell(basis_name(evaluation.design.basis))
    rows.writerow([*(column.csv for column in columns), JUDGMENTS])
    rows.writerows(
        [*(exported(column, row) for column in columns), judgments] for row in table.rows
    )
    return out.getvalue()


def results_parquet(evaluation: Evaluation, primary: str = "", baseline: str = "") -> bytes:
    """What `results_csv` holds, with values as they are."""
    table = evaluation.table(primary, baseline)
    columns = {
        column.csv: [column.value(row) for row in table.rows]
        for column in table.columns
        if column.csv
    }
    judgments = [basis_name(evaluation.design.basis)] * len(table.rows)
    return parquet_file(columns | {JUDGMENTS: judgments})


def queries_csv(evaluation: Evaluation, primary: str = "", baseline: str = "") -> str:
    """One line a query and pipeline: status, error, every measure (empty without an answer).

    `difference` is that of the primary measure against the baseline.
    """
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    names = evaluation.design.measures
    heads = ("query_id", "query", "pipeline", "status", "seconds", "error")
    rows.writerow([*heads, *names, "difference", JUDGMENTS])
    judgments = harmless_cell(basis_name(evaluation.design.basis))
    for line in _query_values(evaluation, primary, baseline):
        rows.writerow(
            [
                harmless_cell(line.query.id),
                harmless_cell(line.query.text),
                line.pipeline,
                line.status,
                _number(line.seconds),
                harmless_cell(line.error),
                *(_number(line.values.get(name)) for name in names),
                _number(line.difference),
                judgments,
            ]
        )
    return out.getvalue()


def queries_json(evaluation: Evaluation, primary: str = "", baseline: str = "") -> str:
    """`queries`: one entry a query and pipeline, with what `queries_csv` has in a line."""
    entries = [
        {
            "query_id": line.query.id,
            "query": line.query.text,
            "pipeline": line.pipeline,
            "status": line.status,
            "seconds": line.seconds,
            "error": line.error,
            "measures": line.values,
            "difference": line.difference,
        }
        for line in _query_values(evaluation, primary, baseline)
    ]
    return json.dumps({"queries": entries}, ensure_ascii=False, indent=1) + "\n"


def queries_parquet(evaluation: Evaluation, primary: str = "", baseline: str = "") -> bytes:
    """What `queries_csv` holds, with values as they are."""
    lines = list(_query_values(evaluation, primary, baseline))
    columns: dict[str, Sequence[Any]] = {
        "query_id": [line.query.id for line in lines],
        "query": [line.query.text for line in lines],
        "pipeline": [line.pipeline for line in lines],
        "status": [line.status for line in lines],
        "seconds": [line.seconds for line in lines],
        "error": [line.error for line in lines],
    }
    columns |= {
        name: [line.values.get(name) for line in lines] for name in evaluation.design.measures
    }
    columns["difference"] = [line.difference for line in lines]
    return parquet_file(columns | {JUDGMENTS: [basis_name(evaluation.design.basis)] * len(lines)})


def parquet_file(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """A Parquet file; a column without any value is one of numbers."""
    import pyarrow
    import pyarrow.parquet

    arrays = {name: pyarrow.array(values) for name, values in columns.items()}
    arrays = {
        name: values.cast(pyarrow.float64()) if pyarrow.types.is_null(values.type) else values
        for name, values in arrays.items()
    }
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays), out)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class _QueryValues:
    """What one pipeline made of one query; `status` is "" while it was not asked."""

    query: Query
    pipeline: str
    status: str
    seconds: float | None
    error: str
    values: Mapping[str, float]
    difference: float | None


def _query_values(evaluation: Evaluation, primary: str, baseline: str) -> Iterator[_QueryValues]:
    primary, baseline = evaluation.compared_by(primary, baseline)
    for query in evaluation.design.queries:
        of_query = evaluation.per_query.get(query.id, {})
        base = of_query.get(baseline, {}).get(primary)
        for spec in evaluation.design.pipelines:
            cell = evaluation.cells.get((query.id, spec))
            values = of_query.get(spec, {})
            value = values.get(primary)
            yield _QueryValues(
                query,
                spec,
                cell.status.value if cell else "",
                cell.seconds if cell else None,
                cell.failure.message if cell and cell.failure else "",
                values,
                None if spec == baseline or value is None or base is None else value - base,
            )


def results_json(evaluation: Evaluation, primary: str = "", baseline: str = "") -> str:
    """The shape of `rerank-lab evaluate --json`, with corpus, design and single queries beside."""
    design = evaluation.design
    report = {
        "corpus": {"name": design.corpus, "content_hash": design.corpus_hash},
        "experiment": design.id,
        "created_at": design.created_at,
        **evaluation.to_json(primary, baseline),
        "per_query": {q: dict(rows) for q, rows in evaluation.per_query.items()},
    }
    return json.dumps(report, ensure_ascii=False, indent=1) + "\n"


def runs_zip(evaluation: Evaluation) -> bytes:
    """One TREC run a pipeline that answered anything, and which judgments they were measured by."""
    judgments = f"{basis_note(evaluation.design.basis)}\n".encode()
    return zipped([*run_files(evaluation), ("judgments.txt", judgments)])


def zipped(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Files by name as one archive, without the time of its making."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            entry = zipfile.ZipInfo(name, _ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return out.getvalue()


def run_files(evaluation: Evaluation) -> Iterator[tuple[str, bytes]]:
    """The name and content of a run file for each pipeline that answered anything."""
    for number, spec in enumerate(evaluation.design.pipelines, 1):
        run = evaluation.run(spec)
        if run.rankings:
            stem = f"{number}-{re.sub(r'[^A-Za-z0-9.]+', '-', spec).strip('-')[:80]}"
            suffix, data = _run_file(run)
            yield stem + suffix, data


def _run_file(run: Run) -> tuple[str, bytes]:
    """As TREC lines, or as JSON lines when an id holds spaces, which TREC files cannot say."""
    try:
        return ".trec", "".join(trec_lines(run)).encode()
    except InvalidInput:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "run.jsonl"
            write_run(run, file)
            return ".jsonl", file.read_bytes()


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


RESULT_FILES: Mapping[str, Export] = {
    ".csv": results_csv,
    ".json": results_json,
    ".md": results_markdown,
    ".parquet": results_parquet,
    ".tex": results_latex,
}
"""The table of results by the ending of a file's name."""
QUERY_FILES: Mapping[str, Export] = {
    ".csv": queries_csv,
    ".json": queries_json,
    ".parquet": queries_parquet,
}
"""The values of every query by the ending of a file's name."""
