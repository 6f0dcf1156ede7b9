"""An evaluation as files: means and queries as CSV, JSON, TREC runs. Same input, same bytes."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
import zipfile
from pathlib import Path

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Run
from rerank_lab.corpora.runs import trec_lines, write_run
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.views.importing import not_a_formula
from rerank_lab.views.results_table import exported

_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def results_csv(evaluation: Evaluation, primary: str = "", baseline: str = "") -> str:
    """One line a pipeline, with every column that has a name in CSV."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    table = evaluation.table(primary, baseline)
    columns = [column for column in table.columns if column.csv]
    rows.writerow([column.csv for column in columns])
    rows.writerows([exported(column, row) for column in columns] for row in table.rows)
    return out.getvalue()


def queries_csv(evaluation: Evaluation) -> str:
    """One line a query and pipeline: status, error, every measure (empty without an answer)."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    names = evaluation.design.measures
    rows.writerow(["query_id", "query", "pipeline", "status", "seconds", "error", *names])
    for query in evaluation.design.queries:
        for spec in evaluation.design.pipelines:
            cell = evaluation.cells.get((query.id, spec))
            values = evaluation.per_query.get(query.id, {}).get(spec, {})
            failure = cell.failure.message if cell and cell.failure else ""
            rows.writerow(
                [
                    not_a_formula(query.id),
                    not_a_formula(query.text),
                    spec,
                    cell.status.value if cell else "",
                    _number(cell.seconds if cell else None),
                    not_a_formula(failure),
                    *(_number(values.get(name)) for name in names),
                ]
            )
    return out.getvalue()


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
    """One TREC run a pipeline that answered anything."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, spec in enumerate(evaluation.design.pipelines, 1):
            run = evaluation.run(spec)
            if run.rankings:
                stem = f"{number}-{re.sub(r'[^A-Za-z0-9.]+', '-', spec).strip('-')[:80]}"
                suffix, data = _run_file(run)
                entry = zipfile.ZipInfo(stem + suffix, _ZIP_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, data)
    return out.getvalue()


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
