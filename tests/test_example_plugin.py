"""The package of docs/plugins.md, really installed: form, command line and contract for free."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tests" / "example_plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed in it, as pip does it, without network."""
    source = tmp_path_factory.mktemp("source")
    for file in PACKAGE.iterdir():
        if file.is_file():
            (source / file.name).write_bytes(file.read_bytes())
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
    options = ["--no-build-isolation", "--target", str(target), str(source)]
    subprocess.run([*pip, *options], check=True, capture_output=True)
    return target


def run(code: list[str], installed: Path, home: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
    surroundings = os.environ | {"PYTHONPATH": paths, "RERANK_LAB_HOME": str(home)}
    return subprocess.run(
        [sys.executable, *code], env=surroundings, capture_output=True, text=True, check=False
    )


def test_it_ranks_from_the_command_line(installed: Path, home: Path) -> None:
    done = run(
        ["-m", "rerank_lab", "rank", "science-answers", "famous discoveries and when they happened",
         "-p", "bm25 >> freshness(now=1960,top=20)", "--json"],
        installed,
        home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ranking = json.loads(done.stdout)["rankings"][0]
    assert ranking["scale"] == "year"
    scores = [hit["score"] for hit in ranking["hits"] if hit["score"] is not None]
    assert scores == sorted(scores, reverse=True)
    assert max(scores) <= 1960


def test_it_is_listed_and_checked_like_any_other(installed: Path, home: Path) -> None:
    listed = run(["-m", "rerank_lab", "models"], installed, home).stdout
    assert "Documents that name a recent year come first." in listed
    wrong = ["-m", "rerank_lab", "rank", "helpdesk", "x", "-p", "bm25 >> freshness(now=5,nwo=1)"]
    told = run(wrong, installed, home)
    assert told.returncode == 2
    assert "now must be at least 1900" in told.stderr
    assert "did you mean now" in told.stderr


def test_its_form_is_made_from_its_options(installed: Path, home: Path) -> None:
    code = (
        "from rerank_lab.components.registry import info\n"
        "p = info('reranker', 'freshness').param('now')\n"
        "print(p.default, p.low, p.high, p.unit)"
    )
    assert run(["-c", code], installed, home).stdout.split() == ["2026", "1900", "2100", "year"]


def test_it_keeps_the_contract(installed: Path, home: Path, tmp_path: Path) -> None:
    (tutorial_test,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", tutorial(), re.S)
        if "reranker_contract" in block
    ]
    (tmp_path / "test_contract.py").write_text(tutorial_test)
    done = run(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path),
         str(tmp_path / "test_contract.py")],
        installed,
        home,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d{2} passed", done.stdout), done.stdout


def test_the_tutorial_shows_exactly_this_package() -> None:
    shown = tutorial()
    for name in ("rerank_lab_freshness.py", "pyproject.toml"):
        assert (PACKAGE / name).read_text("utf-8") in shown


def tutorial() -> str:
    return (ROOT / "docs" / "plugins.md").read_text("utf-8")
