"""The use cases of corpora: look, import, delete."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora import ColumnMapping, list_corpora, load_corpus
from rerank_lab.services.corpora import (
    ImportRequest,
    InspectionRequest,
    delete,
    inspect,
    run_import,
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANK_LAB_HOME", str(tmp_path / "data"))


def test_look_import_and_delete(tmp_path: Path) -> None:
    file = tmp_path / "staged"
    file.write_text("key,body\n1,Owls hunt at night.\n2,Wrens sing.\n")
    (tmp_path / "queries.tsv").write_text("q1\tnight birds\n")
    (tmp_path / "qrels.txt").write_text("q1 0 1 1\n")
    preview = inspect(InspectionRequest("birds.csv", file))
    assert (preview.format, preview.reason) == ("csv", "its name ends in .csv")
    request = ImportRequest(
        file,
        "birds",
        "birds.csv",
        mapping=ColumnMapping("body", "key"),
        queries=tmp_path / "queries.tsv",
        qrels=tmp_path / "qrels.txt",
    )
    report = run_import(request)
    assert (report.documents, report.queries, report.judgments) == (2, 1, 1)
    assert report.readings[0].file == "birds.csv"
    assert load_corpus("birds").qrels == {"q1": {"1": 1}}
    delete("birds")
    assert "birds" not in [entry.name for entry in list_corpora()]


def test_a_missing_file_is_named_before_anything_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("text")
    with pytest.raises(InvalidInput, match=r"nowhere\.tsv"):
        run_import(ImportRequest(file, "mine", qrels=tmp_path / "nowhere.tsv"))
