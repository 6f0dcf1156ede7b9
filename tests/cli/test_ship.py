"""`rerank-lab ship`: the pipeline to take, in the forms that exist for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.cli import main
from tests.cli.conftest import Calls, fail_json, run_json


def test_a_pipeline_of_an_experiment_is_shipped_with_golden_cases(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls, tmp_path: Path
) -> None:
    file = tmp_path / "exp.yaml"
    specs = "pipelines: {plain: as-given, sorted: as-given >> by-length}"
    file.write_text(f"corpus: {folder}\n{specs}\nmeasures: [RR]\n")
    experiment_id = run_json(capsys, "experiment", "run", str(file))["id"]
    out = tmp_path / "out"

    undecided = fail_json(capsys, "ship", experiment_id, "-o", str(out))
    assert "-p: plain, sorted" in undecided["hint"]
    unknown = fail_json(capsys, "ship", experiment_id, "-p", "sort", "-o", str(out))
    assert "did you mean sorted" in unknown["message"]
    shipped = run_json(capsys, "ship", str(file), "-p", "sorted", "-o", str(out))
    assert sorted(Path(path).name for path in shipped["written"]) == [
        "sorted.py", "sorted.yaml", "sorted_golden_cases.json", "sorted_haystack.py",
        "sorted_langchain.py", "sorted_llama_index.py", "test_sorted_golden_cases.py",
    ]  # fmt: skip
    assert set(shipped["absent"]) == {"sentence-transformers", "elasticsearch", "opensearch"}
    assert '"Fish are quiet."' in (out / "sorted_golden_cases.json").read_text()


def test_a_bare_pipeline_is_shipped_in_the_forms_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path
) -> None:
    given = ["ship", "bm25", "--as", "python", "langchain", "-o", str(tmp_path)]
    assert main(given) == 0
    out = capsys.readouterr().out
    assert f"wrote {tmp_path / 'bm25.py'}" in out
    assert "not as langchain: The pipeline has no reranking stage" in out
