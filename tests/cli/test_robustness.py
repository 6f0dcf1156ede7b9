from __future__ import annotations

import json

import pytest

from rerank_lab.cli import main

COMMAND = ["robustness", "helpdesk", "-p", "bm25(k=20) >> overlap", "--sample", "6"]


def test_the_command_gives_its_study_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--perturbations", "literal", "typos", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["perturbations"] == ["typos", "literal"]
    assert len(found["query_ids"]) == 6
    (pipeline,) = found["pipelines"]
    literal = pipeline["effects"][1]
    assert literal["target"]["ranks"]["mean_b"] < 3 < literal["target"]["ranks"]["mean_a"]
    assert "repeats the words of the query" in found["answer"][-1]


def test_the_command_answers_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--perturbations", "case"]) == 0
    printed = capsys.readouterr().out
    assert "case: The query is written in capitals." in printed
    assert "0.000 [0.000, 0.000]" in printed


def test_an_unknown_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--perturbations", "spelling"]) == 2
    assert "Choose from typos, case" in capsys.readouterr().err
