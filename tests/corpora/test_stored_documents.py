"""Documents that stay on the disk: the same as in memory, whoever asks for what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus, PassageOptions, cut_passages, import_corpus, load_corpus
from rerank_lab.corpora.bundle import CollectionOptions, opened, read_parts
from rerank_lab.corpora.exclusions import are_own_documents
from rerank_lab.corpora.key_table import KeyTable, KeyTableWriter
from rerank_lab.corpora.source import Source
from rerank_lab.corpora.store import corpora_home, save_corpus
from rerank_lab.corpora.stored_documents import CORPUS, TABLES, StoredDocuments

LONG = " ".join(f"Sentence number {i} says little." for i in range(60))
WHOLE = [
    Document("d1", LONG, "A title", {"year": 2024, "tags": ["a", "b"], "odd": {"x": None}}),
    Document("ü2", "Zwei Zeilen\nund ein \u2028 Trenner.\tTab", "Titel"),
    Document("d3", " \t"),
    Document("d 4", "nan", meta={"value": float("inf")}),
    Document("d5", LONG.replace("little", "much"), meta={"large": 2**70}),
    Document("d6", "日本語の文書。😀"),
]


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    monkeypatch.setenv("RERANK_LAB_HOME", str(tmp_path))
    documents = tuple(cut_passages(WHOLE, PassageOptions(40, 8)))
    corpus = Corpus("mine", documents, (Query("d1", LONG), Query("q2", "zwei")), {"q2": {"ü2": 1}})
    save_corpus(corpus, {"name": "mine", "documents": 6}, slug="mine")
    return corpus


def folder() -> Path:
    return corpora_home() / "mine"


def read_as_a_whole() -> Corpus:
    with opened(Source.of(folder()), CollectionOptions().documents.limits) as parts:
        bundle = read_parts(parts, CollectionOptions(), ProblemLog())
    return Corpus("mine", tuple(bundle.documents))


def test_stored_documents_are_those_that_were_stored(memory: Corpus) -> None:
    stored = load_corpus("mine")
    assert isinstance(stored.documents, StoredDocuments)
    assert tuple(stored.documents) == memory.documents == stored.documents[:]
    assert stored.documents == memory.documents
    assert stored.documents[-1] == memory.documents[-1]
    assert stored.documents[1:20:3] == memory.documents[1:20:3]
    assert stored.content_hash == memory.content_hash
    assert list(stored.ids) == list(memory.ids)
    assert [query.id for query in stored.queries] == [query.id for query in memory.queries]
    assert stored.qrels == memory.qrels
    with pytest.raises(IndexError):
        stored.documents[len(memory)]


def test_every_look_up_gives_what_it_gives_in_memory(memory: Corpus) -> None:
    stored = load_corpus("mine")
    assert dict(stored.by_id) == memory.by_id
    assert dict(stored.parent_of) == memory.parent_of
    assert dict(stored.passages_of) == memory.passages_of
    assert set(stored.document_ids) == memory.document_ids
    assert len(stored.document_ids) == len(memory.document_ids)
    for name in ("d1", "d1#p2", "ü2", "d3", "none", ""):
        assert stored.by_id.get(name) == memory.by_id.get(name)
        assert stored.parent_of.get(name) == memory.parent_of.get(name)
        assert stored.passages_of.get(name) == memory.passages_of.get(name)
        assert (name in stored.document_ids) == (name in memory.document_ids)
        assert stored.numbers_of(name) == memory.numbers_of(name)
        assert stored.document_hash(name) == memory.document_hash(name)
    assert {"d1", "d1#p1", "x"} & stored.document_ids == {"d1"}
    assert {"d1", "x"} - stored.document_ids == {"x"}
    assert are_own_documents(stored) == are_own_documents(memory)


def test_a_corpus_without_passages_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERANK_LAB_HOME", str(tmp_path))
    save_corpus(Corpus("mine", tuple(WHOLE)), {"name": "mine"}, slug="mine")
    stored = load_corpus("mine")
    assert isinstance(stored.documents, StoredDocuments)
    assert not stored.parent_of
    assert not stored.passages_of
    assert "d1" not in stored.passages_of
    assert len(stored.document_ids) == len(WHOLE)
    assert [p.message for p in stored.meta["problems"]] == ["Document 'd3' has no text; kept."]


def test_a_corpus_of_an_earlier_version_is_taken_over_at_its_first_opening(memory: Corpus) -> None:
    for file in (folder() / TABLES).iterdir():
        file.unlink()
    (folder() / TABLES).rmdir()
    stored = load_corpus("mine")
    assert isinstance(stored.documents, StoredDocuments)
    assert stored.documents == memory.documents
    assert (folder() / TABLES / "manifest.json").exists()
    assert sorted(p.name for p in folder().iterdir()) == sorted(
        [TABLES, CORPUS, "queries.jsonl", "qrels.tsv", "summary.json"]
    )


def test_a_file_that_changed_since_is_looked_at_again(memory: Corpus) -> None:
    load_corpus("mine")
    with (folder() / CORPUS).open("a", encoding="utf-8") as stream:
        stream.write('{"_id": "new", "title": "", "text": "one more"}\n')
    stored = load_corpus("mine")
    assert stored.document("new").text == "one more"
    assert len(stored) == len(memory) + 1


@pytest.mark.parametrize(
    "line",
    [
        '{"_id": "d1", "text": "given twice"}',
        '{"_id": 7, "text": "a number for an id"}',
        '{"_id": "x", "text": "a field more", "year": 1999}',
        "no JSON",
    ],
)
def test_what_other_hands_wrote_is_read_as_before(memory: Corpus, line: str) -> None:
    with (folder() / CORPUS).open("w", encoding="utf-8") as stream:
        stream.write('{"_id": "d1", "title": "", "text": "one"}\n' + line + "\n")
    stored = load_corpus("mine")
    assert isinstance(stored.documents, tuple)
    assert stored.documents == read_as_a_whole().documents


def test_damaged_tables_are_no_reason_to_fail(memory: Corpus) -> None:
    load_corpus("mine")
    (folder() / TABLES / "ids-rows.npy").write_bytes(b"")
    stored = load_corpus("mine")
    assert isinstance(stored.documents, StoredDocuments)
    assert stored.documents == memory.documents


def test_several_processes_may_open_a_corpus_for_the_first_time_at_once(memory: Corpus) -> None:
    for file in (folder() / TABLES).iterdir():
        file.unlink()
    (folder() / TABLES).rmdir()
    code = (
        "import rerank_lab as rl; c = rl.load_corpus('mine');"
        "print(type(c.documents).__name__, c.content_hash, c.documents[-1].id)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        for _ in range(3)
    ]
    words = [process.communicate()[0].split() for process in processes]
    assert words == [["StoredDocuments", memory.content_hash, "d6"]] * 3


def test_an_imported_corpus_is_on_the_disk_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERANK_LAB_HOME", str(tmp_path))
    file = tmp_path / "own.jsonl"
    file.write_text('{"_id": "a", "text": "first"}\n{"_id": "b", "text": "second"}\n', "utf-8")
    report = import_corpus(file, "mine")
    assert (report.path / TABLES / "manifest.json").exists()
    assert load_corpus("mine").content_hash == report.summary.content_hash


def test_keys_whose_hashes_are_equal_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rerank_lab.corpora.key_table._hash", lambda data: len(data))
    writer = KeyTableWriter(tmp_path, "t")
    for key in ("aa", "bb", "c", "dd"):
        writer.add(key)
    assert writer.finish()
    table = KeyTable.open(tmp_path, "t")
    assert [table.number(key) for key in ("aa", "bb", "c", "dd", "ee", "")] == [
        0, 1, 2, 3, None, None,
    ]  # fmt: skip
    again = KeyTableWriter(tmp_path, "u")
    for key in ("aa", "bb", "aa"):
        again.add(key)
    assert not again.finish()
