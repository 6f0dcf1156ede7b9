"""What every command says when it cannot go on, and how it exits."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import TypeGuard

import pytest

from rerank_lab.cli import main
from tests.cli.conftest import Calls, fail_json

ROOT = Path(__file__).parents[2]
ABOVE = {"ui", "views", "charts"}
"""Rooms of the app alone."""


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


def test_no_hint_of_the_library_speaks_of_pages_alone() -> None:
    """The library serves the command line as well: a page of the app is at most the other way."""
    rooms = [path for path in (ROOT / "rerank_lab").iterdir() if path.name not in ABOVE]
    files = [file for room in rooms for file in ([room] if room.is_file() else room.rglob("*.py"))]
    hints = [
        (file.name, " ".join(part.value for part in ast.walk(value) if _is_text(part)))
        for file in files
        if file.suffix == ".py"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        for value in _hint_values(node)
    ]
    assert len(hints) > 200
    spoken = re.compile(r"\b(press|click|button|side ?bar|reload)\b|\b[A-Z]\w+ page\b")
    other_way = re.compile(r"rerank-lab |environment|command line")
    assert [one for one in hints if spoken.search(one[1]) and not other_way.search(one[1])] == []


def _hint_values(node: ast.AST) -> list[ast.AST]:
    """What is given as a hint here."""
    if isinstance(node, ast.keyword) and node.arg == "hint":
        return [node.value]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [node.value for one in targets if isinstance(one, ast.Attribute) and one.attr == "hint"]


def _is_text(part: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(part, ast.Constant) and isinstance(part.value, str)
