"""`rerank-lab report`: a kept experiment as one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.evaluation.experiments import list_experiments
from tests.cli.conftest import Calls, fail_json, run_json


@pytest.fixture
def experiment(capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls) -> str:
    """The id of an evaluation of two pipelines."""
    specs = ["as-given", "as-given >> by-length"]
    run_json(capsys, "evaluate", str(folder), "-p", *specs, "-m", "RR", "nDCG@10")
    return list_experiments()[0].id


def test_a_report_is_written_with_documents_and_the_command_that_gives_it(
    capsys: pytest.CaptureFixture[str], experiment: str, folder: Path, tmp_path: Path
) -> None:
    page, text = tmp_path / "report.html", tmp_path / "report.md"
    files = tmp_path / "files"
    asked = ["report", experiment, "-o", str(page), "--corpus", str(folder), "-m", "nDCG@10"]
    written = run_json(capsys, *asked, "--files", str(files))["written"]
    assert written[0] == str(page)
    assert {str(path) for path in files.rglob("*") if path.is_file()} == set(written[1:])
    assert {path.name for path in (files / "runs").iterdir()} == {
        "1-as-given.trec", "2-as-given-by-length.trec",
    }  # fmt: skip
    assert "Dogs bark at the moon all night long." in page.read_text("utf-8")
    assert ">nDCG@10</span>, against " in page.read_text("utf-8")
    run_json(capsys, "report", experiment, "-o", str(text))
    markdown = text.read_text("utf-8")
    assert "There is no corpus" in markdown
    assert "Dogs bark" not in markdown


def test_what_cannot_be_reported_is_refused_with_the_reason(
    capsys: pytest.CaptureFixture[str], experiment: str, tmp_path: Path
) -> None:
    page = str(tmp_path / "report.html")
    assert (
        "no measure" in fail_json(capsys, "report", experiment, "-o", page, "-m", "P@3")["message"]
    )
    wrong = fail_json(capsys, "report", experiment, "-o", page, "--baseline", "bm25")
    assert "no pipeline 'bm25'" in wrong["message"]
    assert "what kind of file" in fail_json(
        capsys, "report", experiment, "-o", str(tmp_path / "report.pdf")
    )["message"]  # fmt: skip
    assert "no experiment" in fail_json(capsys, "report", "0" * 20, "-o", page)["message"]
    assert not Path(page).exists()
