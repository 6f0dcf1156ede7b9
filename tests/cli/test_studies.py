"""Studies of an experiment by the command line, kept with it."""

from __future__ import annotations

import json

import pytest

from rerank_lab.cli import main
from rerank_lab.evaluation.experiments import list_experiments
from rerank_lab.services.rag import rag_studies
from rerank_lab.services.robustness import robustness_studies


def test_studies_of_an_experiment_are_kept_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "helpdesk", "-p", "bm25(k=20)", "--limit", "5", "--json"]) == 0
    (entry,) = list_experiments()
    of_it = ["helpdesk", "--experiment", entry.id, "--json"]
    capsys.readouterr()
    assert main(["rag", *of_it]) == 0
    printed = json.loads(capsys.readouterr().out)
    (contexts,) = rag_studies(entry.id)
    assert contexts.queries == printed["queries"] == 5
    assert [one.pipeline for one in contexts.pipelines] == ["bm25(k=20)"]
    assert main(["robustness", *of_it, "--perturbations", "case"]) == 0
    (changes,) = robustness_studies(entry.id)
    assert len(changes.query_ids) == 5


def test_a_study_needs_pipelines_and_its_own_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rag", "helpdesk"]) == 2
    assert "No pipeline is named" in capsys.readouterr().err
    assert main(["robustness", "helpdesk", "--experiment", "0123456789"]) == 2
    assert main(["evaluate", "helpdesk", "-p", "bm25(k=5)", "--limit", "2", "--json"]) == 0
    (entry,) = list_experiments()
    assert main(["rag", "science-answers", "--experiment", entry.id]) == 2
    assert "other documents" in capsys.readouterr().err
