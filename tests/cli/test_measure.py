"""`rerank-lab measure`: run files and judgments, as trec_eval reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.cli import main
from tests.cli.conftest import run_json


def test_measure_gives_the_promised_json(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "qrels").write_text("q1 0 a 1\nq1 0 b 0\nq2 0 a 1\n")
    (tmp_path / "run").write_text("q1 Q0 b 1 2.5 tag\nq1 Q0 a 2 1.5 tag\nq9 Q0 a 1 1 tag\n")
    given = ["measure", str(tmp_path / "qrels"), str(tmp_path / "run"), "-m", "RR", "P@5"]

    whole = run_json(capsys, *given)
    assert whole["measures"] == {"RR": 0.25, "P@5": 0.1}
    assert whole["per_query"]["q1"] == {"RR": 0.5, "P@5": 0.2}
    assert whole["missing"] == ["q2"]
    assert whole["unjudged"] == ["q9"]
    part = run_json(capsys, *given, "--no-complete")
    assert part["measures"] == {"RR": 0.5, "P@5": 0.2}
    assert list(part["per_query"]) == ["q1"]


def test_measure_for_people(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text("q1 0 a 1\nq2 0 a 1\n")
    (tmp_path / "run").write_text("q1 Q0 a 1 2.5 tag\n")
    given = ["measure", str(tmp_path / "qrels"), str(tmp_path / "run"), "-m", "RR"]

    assert main(given) == 0
    out = capsys.readouterr().out
    assert "0.5000" in out
    assert "1 judged queries have no ranking (counted as 0): q2" in out
    assert main([*given, "--per-query"]) == 0
    assert ["q1", "1.0000"] in [line.split() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.data
def test_measure_agrees_with_trec_eval_from_the_command_line(
    capsys: pytest.CaptureFixture[str], data_folder: Path
) -> None:
    test = data_folder / "eval-parity" / "trec_eval" / "test"
    shown = run_json(
        capsys, "measure", f"{test}/qrels.test", f"{test}/results.test", "-m", "AP", "nDCG@10"
    )
    assert round(shown["measures"]["AP"], 4) == 0.1785
    assert round(shown["per_query"]["302"]["nDCG@10"], 4) == 0.7530


def test_tied_scores_of_a_run_file_fall_as_in_trec_eval(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "qrels").write_text("q1 0 a 1\n")
    (tmp_path / "run").write_text("q1 Q0 a 1 1.0 tag\nq1 Q0 z 2 1.0 tag\n")

    shown = run_json(capsys, "measure", f"{tmp_path}/qrels", f"{tmp_path}/run", "-m", "RR", "RR@10")
    assert shown["measures"] == {"RR": 0.5, "RR@10": 0.5}
