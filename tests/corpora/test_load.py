"""`load_corpus`: names, paths in every format, and what is said about what was left out."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import Severity
from rerank_lab.corpora import Corpus, corpus_from_texts, load_corpus

from . import make


def check_beir(corpus: Corpus) -> None:
    assert [d.id for d in corpus.documents] == ["a", "b", "c"]
    assert corpus.documents[0].title == "Cats"
    assert corpus.documents[0].meta == {"url": "u1"}
    assert [q.text for q in corpus.queries] == ["who purrs", "who moos"]
    assert corpus.qrels == {"q1": {"a": 2}, "q2": {"c": 1, "b": 0}}
    assert not corpus.meta["problems"]


def test_beir_folder_prefers_the_test_split(tmp_path: Path) -> None:
    check_beir(load_corpus(make.folder(tmp_path / "beir", make.BEIR)))


def test_beir_zip_with_and_without_a_folder_inside(tmp_path: Path) -> None:
    (tmp_path / "flat.zip").write_bytes(make.zipped(make.BEIR))
    check_beir(load_corpus(tmp_path / "flat.zip"))
    inside = {f"scifact/{name}": data for name, data in make.BEIR.items()}
    (tmp_path / "deep.zip").write_bytes(make.zipped(inside))
    corpus = load_corpus(str(tmp_path / "deep.zip"))
    check_beir(corpus)
    assert corpus.name == "deep"


def test_given_queries_and_qrels_take_the_place_of_its_own(tmp_path: Path) -> None:
    folder = make.folder(tmp_path / "beir", make.BEIR)
    (tmp_path / "mine.txt").write_text("first question\nsecond question\n")
    corpus = load_corpus(folder, queries=tmp_path / "mine.txt")
    assert [q.text for q in corpus.queries] == ["first question", "second question"]
    corpus = load_corpus(folder, qrels=folder / "qrels" / "train.tsv")
    assert corpus.qrels == {"q1": {"b": 1}}


def test_other_table_formats_under_the_usual_names(tmp_path: Path) -> None:
    folder = make.folder(
        tmp_path / "mine",
        {
            "documents.csv": "docno,contents\n7,Some text\n8,More text\n",
            "topics.tsv": "51\tairbus subsidies\n52\tdogs\n",
            "qrels.trec": "51 0 7 1\n52 0 8 0\n",
        },
    )
    corpus = load_corpus(folder)
    assert [(d.id, d.text) for d in corpus.documents] == [("7", "Some text"), ("8", "More text")]
    assert [(q.id, q.text) for q in corpus.queries] == [("51", "airbus subsidies"), ("52", "dogs")]
    assert corpus.qrels == {"51": {"7": 1}, "52": {"8": 0}}


def test_folder_of_documents_of_many_kinds(tmp_path: Path) -> None:
    folder = make.folder(
        tmp_path / "docs",
        {
            "a.md": "# Alpha\ntext",
            "sub/b.html": "<title>Beta</title><p>body",
            "sub/c.pdf": make.pdf("Gamma"),
            "d.docx": make.docx("Delta"),
            "e.txt": "Epsilon",
            "picture.png": b"\x89PNG\x00",
            "scan.pdf": make.pdf(""),
            ".hidden.txt": "no",
            "queries.txt": "one query\n",
        },
    )
    corpus = load_corpus(folder)
    assert [d.id for d in corpus.documents] == [
        "a.md",
        "d.docx",
        "e.txt",
        "sub/b.html",
        "sub/c.pdf",
    ]
    assert [q.text for q in corpus.queries] == ["one query"]
    said = {problem.file or "-": problem for problem in corpus.meta["problems"]}
    assert said["scan.pdf"].severity is Severity.ERROR
    assert "picture.png" in said["-"].message


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    folder = make.folder(tmp_path / "docs", {"a.txt": "fine"})
    (folder / "b.txt").symlink_to(tmp_path / "secret.txt")
    assert [d.text for d in load_corpus(folder).documents] == ["fine"]


def test_good_rows_survive_and_the_loss_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = make.jsonl({"id": 1, "text": "a"}) + b"{broken\n" + make.jsonl({"id": 3, "text": "c"})
    (tmp_path / "c.jsonl").write_bytes(data)
    with caplog.at_level(logging.WARNING, "rerank_lab"):
        corpus = load_corpus(tmp_path / "c.jsonl")
    assert [d.id for d in corpus.documents] == ["1", "3"]
    assert "c.jsonl, line 2" in caplog.text
    assert corpus.meta["problems"][0].line == 2


def test_a_file_without_any_usable_row_lists_all_problems(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"id": "1"\n{"id": "2", "text": [1]}\n{"text": null}\n')
    with pytest.raises(InvalidInput, match="no usable document") as caught:
        load_corpus(tmp_path / "c.jsonl")
    assert [line.split(":")[0] for line in caught.value.problems] == [
        "c.jsonl, line 1",
        "c.jsonl, line 2, field text",
        "c.jsonl, line 3, field id",
        "c.jsonl, line 3, field text",
    ]
    (tmp_path / "d.jsonl").write_text('{"id": 1, "year": 2}\n')
    with pytest.raises(InvalidInput, match="no column that holds text"):
        load_corpus(tmp_path / "d.jsonl")


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv", "c.txt", "c.zip", "c.pdf"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InvalidInput, match="is empty"):
        load_corpus(tmp_path / name)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nothing to read"):
        load_corpus(tmp_path)


def test_unknown_name_lists_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_corpus("help-desk")
    assert "helpdesk" in caught.value.hint
    with pytest.raises(InvalidInput, match="no query file"):
        load_corpus("helpdesk", queries=tmp_path / "none.csv")


def test_own_judgments_that_fit_nothing_leave_the_documents_usable(tmp_path: Path) -> None:
    files = make.BEIR | {"qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\tother\t1\n"}
    folder = make.folder(tmp_path / "beir", files)
    corpus = load_corpus(folder)
    assert len(corpus) == 3
    assert corpus.qrels == {}
    assert "names no document of this corpus" in corpus.meta["problems"][0].message
    with pytest.raises(InvalidInput, match="names no document of this corpus"):
        load_corpus(folder, qrels=folder / "qrels" / "test.tsv")


def test_judgments_of_unknown_documents_stay_and_are_counted(tmp_path: Path) -> None:
    """As in trec_eval, a relevant document that is missing still counts in the ideal ranking."""
    rows = "q1\ta\t1\nq1\tx\t2\nq2\ty\t1\nq9\ta\t1\n"
    files = make.BEIR | {"qrels/test.tsv": "query-id\tcorpus-id\tscore\n" + rows}
    corpus = load_corpus(make.folder(tmp_path / "beir", files))
    assert corpus.qrels == {"q1": {"a": 1, "x": 2}, "q2": {"y": 1}}
    documents, queries = corpus.meta["problems"]
    assert "2 of 3 judged documents" in documents.message
    assert "'x', 'y'" in documents.message
    assert "1 of 3 judged queries" in queries.message
    assert {documents.severity, queries.severity} == {Severity.WARNING}


def test_pasted_list() -> None:
    corpus = corpus_from_texts("First text\n\n  Second text \nFirst text\n")
    assert [(d.id, d.text) for d in corpus.documents] == [
        ("d1", "First text"),
        ("d2", "Second text"),
        ("d3", "First text"),
    ]
    with pytest.raises(InvalidInput, match="empty"):
        corpus_from_texts(" \n ")


def test_ir_datasets_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ir_datasets = pytest.importorskip("ir_datasets")
    (tmp_path / "docs.tsv").write_text("1\tone text\n2\ttwo text\n")
    (tmp_path / "queries.tsv").write_text("q\twhich\n")
    (tmp_path / "qrels.txt").write_text("q 0 2 1\n")
    dataset = ir_datasets.create_dataset(
        docs_tsv=str(tmp_path / "docs.tsv"),
        queries_tsv=str(tmp_path / "queries.tsv"),
        qrels_trec=str(tmp_path / "qrels.txt"),
    )
    monkeypatch.setitem(ir_datasets.registry._registered, "tiny-test", dataset)
    corpus = load_corpus("ir_datasets:tiny-test")
    assert [d.text for d in corpus.documents] == ["one text", "two text"]
    assert corpus.qrels == {"q": {"2": 1}}
    with pytest.raises(InvalidInput, match="knows no collection"):
        load_corpus("ir_datasets:no/such/thing")


def test_loading_needs_no_heavy_package(tmp_path: Path) -> None:
    make.folder(tmp_path / "beir", make.BEIR)
    code = (
        "import sys; from rerank_lab.corpora import load_corpus; "
        f"load_corpus({str(tmp_path / 'beir')!r}); "
        "heavy = {'pandas', 'pyarrow', 'lxml', 'pypdf', 'docx', 'lingua', 'torch', "
        "'charset_normalizer', 'streamlit'}; "
        "found = heavy & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
