"""An import that fails, is killed, or meets another process leaves the corpora as they were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora import ImportOptions, import_corpus, list_corpora, load_corpus
from rerank_lab.corpora.store import corpora_home

from . import make


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "data"
    monkeypatch.setenv("RERANK_LAB_HOME", str(home))
    return home


def imported() -> list[str]:
    return [entry.name for entry in list_corpora() if entry.kind == "imported"]


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("bad", ["queries", "qrels"])
def test_a_bad_file_beside_the_documents_changes_nothing(
    tmp_path: Path, replace: bool, bad: str
) -> None:
    old = make.folder(tmp_path / "old", make.BEIR)
    if replace:
        import_corpus(old, "mine")
    before = sorted(str(path) for path in corpora_home().rglob("*"))
    new = tmp_path / "new.jsonl"
    new.write_bytes(make.jsonl({"id": "n1", "text": "Something else."}))
    broken = tmp_path / "broken.tsv"
    broken.write_text("\n" if bad == "queries" else "q1 0 nowhere 1\n")
    with pytest.raises(InvalidInput):
        import_corpus(new, "mine", options=ImportOptions(replace=replace), **{bad: broken})
    after = sorted(str(path) for path in corpora_home().rglob("*"))
    assert after == before
    if replace:
        assert [d.id for d in load_corpus("mine").documents] == ["a", "b", "c"]
        assert load_corpus("mine").qrels


def test_strict_mode_refuses_any_loss(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(make.jsonl({"id": "1", "text": "one"}, {"id": "2"}))
    with pytest.raises(InvalidInput) as caught:
        import_corpus(file, "mine", options=ImportOptions(strict=True))
    assert "line 2" in str(caught.value.problems)
    assert imported() == []
    report = import_corpus(file, "mine")
    shown = report.to_json()
    assert shown["left_out"] == 1
    assert shown["files"][0]["tallies"] == {"lines": 2}
    assert (shown["files"][0]["rows"], shown["files"][0]["documents"]) == (2, 1)


IMPORT = """
import sys
from pathlib import Path
from rerank_lab.corpora import ImportOptions, import_corpus
for _ in range(int(sys.argv[2])):
    import_corpus(Path(sys.argv[1]), "shared", options=ImportOptions(replace=True))
"""


def _start(file: Path, times: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", IMPORT, str(file), str(times)])


def test_two_processes_replace_one_corpus_and_one_of_them_is_killed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_bytes(
            make.jsonl(*({"id": f"{name}{n}", "text": f"{name} text {n}"} for n in range(50)))
        )
    import_corpus(tmp_path / "one.jsonl", "shared")
    first, second = _start(tmp_path / "one.jsonl", 12), _start(tmp_path / "two.jsonl", 12)
    assert (first.wait(120), second.wait(120)) == (0, 0)
    ids = {document.id for document in load_corpus("shared").documents}
    assert ids in ({f"{name}{n}" for n in range(50)} for name in ("one", "two"))
    killed = _start(tmp_path / "two.jsonl", 1000)
    time.sleep(3)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(10)
    assert imported() == ["shared"]
    assert len(load_corpus("shared").documents) == 50
    assert not list(corpora_home().glob(".old-*"))
