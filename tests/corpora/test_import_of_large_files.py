"""Files larger than memory: what an import holds, and that its report is what it always was."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import Cancelled, InvalidInput
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import (
    Corpus,
    ImportOptions,
    PassageOptions,
    attach_queries,
    cut_passages,
    import_corpus,
    list_corpora,
    load_corpus,
    summarise,
)
from rerank_lab.corpora import limits as corpus_limits
from rerank_lab.corpora.duplicates import find_duplicates
from rerank_lab.corpora.key_table import KeyTableWriter
from rerank_lab.corpora.limits import Limits
from rerank_lab.corpora.store import corpora_home
from rerank_lab.corpora.stored_documents import DocumentWriter

from . import make


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "data"
    monkeypatch.setenv("RERANK_LAB_HOME", str(home))
    return home


def groups_of_texts(documents: Sequence[Document]) -> list[tuple[str, ...]]:
    """Equal documents found the plain way: all their texts side by side."""
    texts: dict[str, list[str]] = defaultdict(list)
    for document in documents:
        if text := " ".join(document.content.casefold().split()):
            texts[document.document_id].append(text)
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for doc_id, own in texts.items():
        groups[tuple(own)].append(doc_id)
    return [tuple(ids) for ids in groups.values() if len(ids) > 1]


@pytest.mark.parametrize("seed", range(20))
def test_duplicates_are_those_of_the_plain_way(seed: int) -> None:
    rng = random.Random(seed)
    documents = [
        Document(
            f"d{number}",
            rng.choice(["", " ", "One text.", "one  TEXT.", "Another.", "A third one."]),
            parent=rng.choice(["", "", "p1", "p2", "p3", "d3"]),
        )
        for number in range(rng.randint(0, 40))
    ]
    groups = groups_of_texts(documents)
    duplicates = find_duplicates(documents)
    assert duplicates.groups == tuple(groups[:20])
    assert duplicates.count == sum(len(group) - 1 for group in groups)


def test_keys_are_looked_up_while_they_are_written(tmp_path: Path) -> None:
    writer = KeyTableWriter(tmp_path, "ids")
    keys = [f"key {number} {'x' * (number % 700)}" for number in range(5000)]
    for number, key in enumerate(keys):
        assert writer.find_or_add(key) == number
        assert writer.number(keys[number // 2]) == number // 2
    assert writer.number("none") is None
    assert writer.find_or_add(keys[7]) == 7
    assert list(writer) == keys
    assert writer.finish()


def test_documents_are_looked_at_while_they_are_written(tmp_path: Path) -> None:
    writer = DocumentWriter(tmp_path)
    documents = [Document(f"d{n}", f"text {n}", meta={"n": n}) for n in range(4500)]
    for document in documents:
        writer.add(document)
    assert (writer[0], writer[-1], len(writer)) == (documents[0], documents[-1], 4500)
    assert writer.number("d4321") == 4321
    assert writer[4321] == documents[4321]
    stored = writer.finish()
    assert stored == documents
    assert stored.content_hash == Corpus("mine", documents).content_hash


ROWS = [
    {"_id": "a", "title": "T", "text": "Is this the one that you look for? " * 9},
    {"_id": "b", "title": "", "text": "How do I reset my password quickly? Ask them."},
    {"_id": "b", "title": "", "text": "How do I reset my password quickly? Ask them."},
    {"_id": "c", "title": "", "text": "how do I reset my password quickly?  ask THEM."},
    {"_id": "a", "title": "", "text": "another text of the same id"},
    {"_id": "d", "title": "", "text": " "},
    {"_id": "e", "text": 7, "odd": "\ud800 half a character"},
    {"_id": "f"},
]


@pytest.mark.parametrize("cut", [False, True])
def test_the_report_is_what_a_corpus_in_memory_gives(tmp_path: Path, cut: bool) -> None:
    options = PassageOptions(16, 4)
    file, queries = tmp_path / "rows.jsonl", tmp_path / "queries.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    query = Query("q1", "How do I reset my password quickly?")
    queries.write_bytes(make.jsonl({"_id": query.id, "text": query.text}))
    report = import_corpus(
        file, "mine", queries=queries, options=ImportOptions(passages=options if cut else None)
    )
    loaded = load_corpus(file)
    documents = cut_passages(loaded.documents, options) if cut else loaded.documents
    memory = Corpus("mine", documents, (query,))
    assert report.summary == summarise(memory)
    assert (report.documents, report.skipped) == (5, 3)
    assert report.problem_counts == {"error": 2, "info": 3, "warning": 0}
    first = next(p for p in report.problems if "again with other content" in p.message)
    assert "the first (rows.jsonl, line 1) is kept" in first.message
    assert [d.id for d in load_corpus("mine").documents] == [d.id for d in documents]
    again = attach_queries("mine", queries)
    assert again.summary == report.summary


def test_a_passage_that_has_a_documents_id_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(
        make.jsonl({"_id": "a", "text": "word " * 40}, {"_id": "a#p1", "text": "one more"})
    )
    with pytest.raises(InvalidInput, match="'a#p1' belongs to a document and to a passage"):
        import_corpus(file, "mine", options=ImportOptions(passages=PassageOptions(16, 4)))
    assert not list(corpora_home().glob("*"))


@pytest.mark.parametrize(
    "stage", ["Reading rows.jsonl", "Cutting passages", "Looking the corpus over"]
)
def test_an_import_that_is_cancelled_leaves_what_was_there(tmp_path: Path, stage: str) -> None:
    file, token, stages = tmp_path / "rows.jsonl", CancelToken(), list[str]()
    file.write_bytes(make.jsonl(*({"id": f"{n}", "text": f"text {n}"} for n in range(4500))))
    import_corpus(make.folder(tmp_path / "old", make.BEIR), "mine")
    before = sorted(str(path) for path in corpora_home().rglob("*"))

    def stop(progress: Progress) -> None:
        stages.append(progress.message)
        if progress.message == stage and progress.done:
            token.cancel()

    options = ImportOptions(replace=True, passages=PassageOptions(16, 4))
    with pytest.raises(Cancelled):
        import_corpus(file, "mine", options=options, ctx=Context(cancel=token, progress=stop))
    assert stages[-1] == stage
    assert sorted(str(path) for path in corpora_home().rglob("*")) == before


def test_the_command_line_has_limits_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert corpus_limits.LOCAL_LIMITS.upload > 1 << 50
    data = make.jsonl(*({"id": f"{n}", "text": "a text " * 80_000} for n in range(25)))
    (tmp_path / "rows.jsonl").write_bytes(data)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(data))
    for name, small in (
        ("rows.jsonl", Limits(upload=1 << 20)),
        ("rows.jsonl.gz", Limits(decompressed=11 << 20, archive_ratio=10**6)),
    ):
        with pytest.raises(InvalidInput):
            import_corpus(tmp_path / name, "mine", options=ImportOptions(limits=small))
        command = ["corpora", "import", str(tmp_path / name), "--name", "mine"]
        with monkeypatch.context() as patched:
            patched.setattr(corpus_limits, "LOCAL_LIMITS", small)
            assert main(command) != 0
        assert [entry.name for entry in list_corpora() if entry.kind == "imported"] == []
    large = replace(corpus_limits.LOCAL_LIMITS, archive_ratio=10**6)
    monkeypatch.setattr(corpus_limits, "LOCAL_LIMITS", large)
    assert main(["corpora", "import", str(tmp_path / "rows.jsonl.gz"), "--name", "mine"]) == 0
    assert [entry.documents for entry in list_corpora() if entry.name == "mine"] == [25]


MEASURED = """
import resource, sys
from pathlib import Path
from rerank_lab.corpora import ImportOptions, import_corpus
import_corpus(Path(sys.argv[1]), "small")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
import_corpus(Path(sys.argv[2]), "large")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_texts(tmp_path: Path) -> None:
    sizes = {"small": 300, "large": 3000}
    for name, count in sizes.items():
        with (tmp_path / name).with_suffix(".jsonl").open("w") as out:
            for number in range(count):
                noise = hashlib.sha256(str(number).encode()).hexdigest() + " some words of text "
                out.write(json.dumps({"id": f"d{number}", "text": noise * 120}) + "\n")
    files = [str(tmp_path / f"{name}.jsonl") for name in sizes]
    shown = subprocess.run(
        [sys.executable, "-c", MEASURED, *files], capture_output=True, text=True, check=True
    )
    size = (tmp_path / "large.jsonl").stat().st_size // 1024
    assert int(shown.stdout) < size // 2  # kilobytes
