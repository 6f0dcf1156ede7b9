"""What every command says when it cannot go on, and how it exits."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rerank_lab.cli import main
from tests.cli.conftest import Calls, fail_json


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ([], "invalid_input", "COMMAND"),
        (["fly"], "invalid_input", "fly"),
        (["rank", "helpdesk"], "invalid_input", "QUERY"),
        (["rank", "helpdesk", "x"], "invalid_input", "--pipeline"),
        (["rank", "helpdesk", " ", "-p", "bm25"], "invalid_input", "empty"),
        (["rank", "helpdesk", "x", "-p", "bm52"], "invalid_input", "bm25"),
        (["rank", "helpdesk", "x", "-p", "bm25 >>"], "invalid_input", "character"),
        (["rank", "helpdesk", "x", "-p", "bm25", "--tpo", "3"], "invalid_input", "--tpo"),
        (["rank", "helpdesk", "x", "-p", "bm25", "-k", "0"], "invalid_input", "above 0"),
        (["rank", "helpdesc", "x", "-p", "bm25"], "invalid_input", "helpdesc"),
        (["evaluate", "helpdesk", "-p", "bm25", "-m", "nDGC@3"], "invalid_input", "nDCG"),
        (["evaluate", "helpdesk", "-p", "bm25", "--qrels", "no/file"], "invalid_input", "no/file"),
        (["measure", "no-qrels", "no-run"], "invalid_input", "no-qrels"),
        (["corpora", "delete", "never-there"], "invalid_input", "never-there"),
        (["corpora", "import", "no/such/file", "--name", "x"], "invalid_input", "no/such/file"),
    ],
)
def test_every_misuse_is_one_json_line_on_standard_error(
    capsys: pytest.CaptureFixture[str], given: list[str], kind: str, says: str
) -> None:
    found = fail_json(capsys, *given)

    assert found["error"] == kind
    assert says in found["message"] + found["hint"]


def test_errors_for_people_list_every_problem(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "qrels").write_text("q1 0 a 1\nq2 0 a\nq3 0 a x\n")
    (tmp_path / "run").write_text("q1 Q0 a 1 2.5 tag\n")

    assert main(["measure", f"{tmp_path}/qrels", f"{tmp_path}/run"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: qrels is not a valid judgment file.")
    assert "line 2" in err
    assert "line 3" in err
    assert "\nhint: " in err


def test_an_unexpected_fault_is_an_error_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import rerank_lab.cli.manage as manage

    def burst(*_: object) -> int:
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr(manage, "corpora", burst)
    found = fail_json(capsys, "corpora")
    assert found["error"] == "backend_error"
    assert "deep inside" in found["message"]


def test_ctrl_c_exits_130(capsys: pytest.CaptureFixture[str], plugin: Calls, folder: Path) -> None:
    module = sys.modules["lab_test_plugin"]

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    module.AsGiven._search = interrupt  # type: ignore[attr-defined]
    for command in (["rank", str(folder), "x"], ["evaluate", str(folder)]):
        assert main([*command, "-p", "as-given", "--json"]) == 130
        shown = capsys.readouterr()
        assert shown.out == ""
        assert json.loads(shown.err)["error"] == "cancelled"
