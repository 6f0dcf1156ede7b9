"""Every reader keeps the contract, and a reader of a third party takes part like our own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora import load_corpus
from rerank_lab.corpora.readers import registry
from rerank_lab.corpora.readers.base import Reader, ReadOptions, Sample
from rerank_lab.corpora.source import Source

PLUGIN = """
from rerank_lab.corpora.mapping import ColumnMapping
from rerank_lab.corpora.readers.base import JudgmentRow, Match, QueryRow, Reader
from rerank_lab.corpora.source import read_text


class CardReader(Reader):
    name = "cards"
    label = "question cards"
    extensions = (".cards",)
    mapping = ColumnMapping("text", "id")

    def sniff(self, sample):
        if sample.start.startswith(b"#cards"):
            return Match(0.9, "it begins with #cards")
        return self.by_extension(sample)

    def read(self, source, options, log):
        lines = read_text(source, log, options.encoding).splitlines()[1:]
        for number, line in enumerate(lines, 2):
            question, _, answer = line.partition(" = ")
            yield QueryRow(number, f"q{number}", question)
            yield number, {"id": f"a{number}", "text": answer}
            yield JudgmentRow(number, f"q{number}", f"a{number}", 1)


class Explosive(Reader):
    name = "explosive"
    label = "nothing"

    def sniff(self, sample):
        raise ZeroDivisionError

    def read(self, source, options, log):
        raise NotImplementedError
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with two readers, registered as pip registers one, and one that cannot load."""
    folder = tmp_path / "site"
    info = folder / "card_reader-1.dist-info"
    info.mkdir(parents=True)
    (folder / "card_reader.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: card-reader\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        f"[{registry.GROUP}]\ncards = card_reader:CardReader\n"
        "explosive = card_reader:Explosive\nbroken = card_reader:Missing\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    for cached in (registry.readers, registry.upload_extensions):
        cached.cache_clear()
    yield
    sys.modules.pop("card_reader", None)
    for cached in (registry.readers, registry.upload_extensions):
        cached.cache_clear()


@pytest.mark.usefixtures("plugin")
def test_a_reader_of_a_third_party_brings_documents_queries_and_judgments(tmp_path: Path) -> None:
    file = tmp_path / "trivia.cards"
    file.write_text("#cards\nWhat purrs? = Cats purr.\nWhat barks? = Dogs bark.\n")
    corpus = load_corpus(file)
    assert [(d.id, d.text) for d in corpus.documents] == [
        ("a2", "Cats purr."),
        ("a3", "Dogs bark."),
    ]
    assert [(q.id, q.text) for q in corpus.queries] == [
        ("q2", "What purrs?"),
        ("q3", "What barks?"),
    ]
    assert corpus.qrels == {"q2": {"a2": 1}, "q3": {"a3": 1}}
    assert corpus.meta["format"] == "question cards"
    assert corpus.meta["readings"][0].sentence == (
        "read as question cards: 2 queries, 2 passages, 2 positives"
    )
    assert registry.known_extension("a.cards")


@pytest.mark.usefixtures("plugin")
def test_a_reader_that_cannot_be_loaded_is_left_out() -> None:
    assert "broken" not in registry.readers()
    assert "jsonl" in registry.readers()


@pytest.mark.parametrize("reader", registry.readers().values(), ids=lambda reader: reader.name)
@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"{", b"[[[", b"<a", b"a\tb\n", b"\x1f\x8bxx"])
def test_no_reader_raises_when_it_looks_at_a_source(reader: Reader, data: bytes) -> None:
    for extension in ("", *reader.extensions):
        source = Source(f"x{extension}", data=data)
        if data.startswith(b"\x1f\x8b"):
            continue  # damaged compression is refused before any reader looks
        match = reader.sniff(Sample(source, ReadOptions(), registry.table_readers()))
        assert match is None or (0 < match.confidence <= 1 and match.reason)


@pytest.mark.parametrize("reader", registry.readers().values(), ids=lambda reader: reader.name)
def test_every_reader_has_a_name_and_a_label_of_its_own(reader: Reader) -> None:
    others = [other for name, other in registry.readers().items() if name != reader.name]
    assert reader.name
    assert reader.label
    assert reader.label not in [other.label for other in others]
    assert type(reader).__doc__


def test_the_tallies_of_a_file_explain_its_lines() -> None:
    log = ProblemLog()
    source = Source("a.csv", data=b'id,text\n1,"two\nlines"\n\n2,b\n')
    rows = list(registry.table_rows(source, ReadOptions(), log))
    assert len(rows) == 2
    assert log.tallies["a.csv"] == {
        "lines": 5,
        "header lines": 1,
        "lines inside quoted cells": 1,
        "empty lines": 1,
    }
