"""Every number of a report comes out again from the exported files, without this package."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import re
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.decision.cost import CostTerms
from rerank_lab.decision.report.document import ReportDocument
from rerank_lab.decision.requirements import Requirements
from rerank_lab.evaluation.experiments import Evaluation, score
from rerank_lab.services.report import ReportEvidence
from rerank_lab.views.report import report_document, report_file
from rerank_lab.views.report.files import data_files, report_zip
from tests.views import evaluations
from tests.views.reports import evidence_of, kept_studies

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "recompute_report.py"
FIRST, BETTER, THIRD = "bm25", "bm25 >> identity", "bm25 >> overlap"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recompute_report", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def varied(count: int) -> Evaluation:
    """Three pipelines that differ by query, one with a failure; tags; documents not judged."""
    base = evaluations.evaluation(
        {
            FIRST: [1 + (n * 7) % 9 for n in range(count)],
            BETTER: [1 + (n * 5) % 3 for n in range(count - 1)] + [None],
            THIRD: [(n * 3) % 8 for n in range(count)],
        },
        measures=("nDCG@10", "RR@10", "R@5", "Judged@10"),
    )
    queries = tuple(
        Query(query.id, query.text, {"kind": "easy" if place % 2 else "hard"})
        for place, query in enumerate(base.design.queries)
    )
    qrels = {query.id: {"right": 2, "wrong-1": 0, "wrong-3": 1} for query in queries}
    design = replace(base.design, queries=queries, qrels=qrels)
    return score(design, base.cells.values())


def exported(evaluation: Evaluation, folder: Path, **options: Any) -> str:
    """The page; its files lie in the folder."""
    evidence = evidence_of(evaluation, **options)
    for name, data in data_files(evidence):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return report_file(evidence, "html").decode()


@pytest.fixture(scope="module")
def reported(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """A page over 24 queries, and its files as the script reads them."""
    folder = tmp_path_factory.mktemp("reported")
    studies = kept_studies(FIRST, BETTER)
    return exported(varied(24), folder, studies=studies), script.Files(folder)


def test_every_number_comes_out_again(script: ModuleType, reported: tuple[str, Any]) -> None:
    page, files = reported
    assert script.problems(page, files) == []
    assert len(script.Page(page).numbers) > 150


def test_few_queries_and_ids_that_trec_files_cannot_hold_come_out_as_well(
    script: ModuleType, tmp_path: Path
) -> None:
    base = varied(9)
    cells = [
        replace(cell, ranking=Ranking.from_order(
            cell.query_id, [f"{doc_id} x" for doc_id in cell.ranking.doc_ids]))
        if cell.ranking is not None else cell
        for cell in base.cells.values()
    ]  # fmt: skip
    qrels = {q: {f"{d} x": g for d, g in row.items()} for q, row in base.design.qrels.items()}
    spaced = score(replace(base.design, qrels=qrels), cells)
    terms = CostTerms(5_000_000, peak=3.0, usd_per_hour=1.25)
    required = Requirements(p95=0.1, memory=10**9, terms=terms)
    page = exported(spaced, tmp_path, required=required)
    assert script.problems(page, script.Files(tmp_path)) == []
    assert sorted(path.suffix for path in (tmp_path / "runs").iterdir()) == [".jsonl"] * 3


@pytest.mark.parametrize(
    ("places", "phrase"),
    [
        ({FIRST: [0] * 12, BETTER: [0] * 12}, "Every pipeline has nDCG@10 0 on all"),
        ({FIRST: [9] + [0] * 59, BETTER: [0] * 60}, "an empty result list would do as well"),
        ({FIRST: [1], BETTER: [2]}, "the test can show no difference"),
        ({FIRST: [1] * 9, BETTER: [1] * 9}, "the same documents in the same order"),
        ({FIRST: [4] * 12, BETTER: [1] * 6 + [None] * 6}, "gave no answer of its own to"),
    ],
)
def test_what_cannot_be_decided_is_reported_with_numbers_that_come_out_again(
    script: ModuleType, tmp_path: Path, places: dict[str, list[int | None]], phrase: str
) -> None:
    evaluation = evaluations.evaluation(places, measures=("nDCG@10", "RR@10"))
    page = exported(evaluation, tmp_path, documents=[Document("doc-17", "of another corpus")])
    assert phrase in " ".join(re.sub(r"<[^>]*>", "", page).split())
    assert script.problems(page, script.Files(tmp_path)) == []


def test_one_number_that_is_altered_is_found(script: ModuleType, reported: tuple[str, Any]) -> None:
    page, files = reported
    numbers = list(re.finditer(r'(<data[^>]*value=")([^"]*)(">)([^<]*)(</data>)', page))
    for one in numbers[::25]:
        digit = re.search(r"\d(?=\D*$)", one[4])
        assert digit is not None
        other = f"{one[4][: digit.start()]}{(int(digit[0]) + 5) % 10}{one[4][digit.end() :]}"
        printed = f"{page[: one.start(4)]}{other}{page[one.end(4) :]}"
        assert len(script.problems(printed, files)) == 1, one[0]
        value = f"{page[: one.start(2)]}{float(one[2]) + 0.3}{page[one.end(2) :]}"
        assert script.problems(value, files), one[0]


@pytest.mark.parametrize(
    ("pattern", "other", "problem"),
    [
        (r"Largest gains:", "7 gains:", "'7' in '7 gains:' is not accounted for"),
        (r'verbatim">question 3<', 'verbatim">question 8 9<', "'question 8 9' is in none"),
        (r"\w+</sup>", "z</sup>", "letters 'z', recomputed"),
    ],
)
def test_what_is_neither_computed_nor_copied_is_found(
    script: ModuleType, reported: tuple[str, Any], pattern: str, other: str, problem: str
) -> None:
    page, files = reported
    altered = re.sub(pattern, other, page, count=1)
    assert altered != page
    (line,) = script.problems(altered, files)
    assert problem in line


def test_altered_files_do_not_pass(script: ModuleType, tmp_path: Path) -> None:
    page = exported(varied(9), tmp_path)
    qrels = json.loads((tmp_path / "qrels.json").read_text())
    qrels["q3"]["right"] = 0
    (tmp_path / "qrels.json").write_text(json.dumps(qrels))
    assert len(script.problems(page, script.Files(tmp_path))) > 20


def test_the_script_says_what_it_found_and_needs_nothing_of_this_package(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported = re.findall(r"^(?:import|from) (\w+)", SCRIPT.read_text("utf-8"), re.M)
    assert set(imported) - sys.stdlib_module_names == {"ir_measures", "numpy", "scipy"}
    page = tmp_path / "report.html"
    page.write_text(exported(varied(5), tmp_path / "files"), "utf-8")
    assert script.main(page, tmp_path / "files") == 0
    assert "numbers recomputed, 0 of them differ." in capsys.readouterr().out
    page.write_text(page.read_text("utf-8").replace("Largest gains:", "5 gains:"), "utf-8")
    assert script.main(page, tmp_path / "files") == 1


def test_one_archive_holds_the_report_and_its_data(tmp_path: Path) -> None:
    evidence = evidence_of(varied(5))
    archive = zipfile.ZipFile(io.BytesIO(report_zip(evidence)))
    assert archive.read("report.html") == report_file(evidence, "html")
    assert {f"files/{name}" for name, _ in data_files(evidence)} < set(archive.namelist())
    assert report_zip(evidence) == report_zip(evidence)


def test_the_report_of_an_archive_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def counted(evidence: ReportEvidence) -> ReportDocument:
        made.append(evidence)
        return report_document(evidence)

    monkeypatch.setattr("rerank_lab.views.report.files.report_document", counted)
    monkeypatch.setattr("rerank_lab.views.report.report_document", counted)
    report_zip(evidence_of(varied(4)))
    assert len(made) == 1


def test_hashes_are_of_the_files(tmp_path: Path) -> None:
    exported(varied(5), tmp_path)
    for line in (tmp_path / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
