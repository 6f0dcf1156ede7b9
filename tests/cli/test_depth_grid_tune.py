"""The commands that look for a better pipeline: one answer in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank_lab.cli import main

DEPTH = ["depth", "helpdesk", "-p", "bm25 >> overlap", "--depths", "5,20", "--limit", "9"]
GRID = ["grid", "helpdesk", "--first", "bm25", "--rerank", "overlap", "mmr", "--limit", "9"]
TUNE = ["tune", "helpdesk", "-p", "bm25 >> overlap", "--try", "overlap.top", "5", "20", "--limit"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (DEPTH, ("curves", 0, "knee")),
        (GRID, ("pairs", 2, "limited_by_first_stage")),
        ([*TUNE, "10"], ("trials", 1, "train")),
    ],
)
def test_a_command_answers_in_json_and_in_words(
    words: list[str],
    part: tuple[str, int, str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    table = tmp_path / "table.json"
    assert main([*words, "--json", "--table", str(table)]) == 0
    found = json.loads(capsys.readouterr().out)
    name, place, value = part
    assert found[name][place][value] is not None
    assert any("nDCG@10" in column for column in json.loads(table.read_text())[0])
    assert main(words) == 0
    printed = capsys.readouterr().out
    for sentence in found["answer"]:
        assert sentence in printed


def test_depths_that_are_no_numbers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*DEPTH[:4], "--depths", "5,many"]) == 2
    assert "list of whole numbers" in capsys.readouterr().err


def test_a_table_of_no_known_kind_is_refused_before_anything_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*DEPTH, "--table", "table.xls"]) == 2
    assert "does not say what kind of file" in capsys.readouterr().err
