"""Import in two steps and the store: whole or not at all, replaced, added to, deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import Cancelled, InvalidInput
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import (
    ColumnMapping,
    Corpus,
    ImportOptions,
    PassageOptions,
    attach_qrels,
    attach_queries,
    delete_corpus,
    import_corpus,
    inspect_upload,
    list_corpora,
    load_corpus,
    stored_summary,
)
from rerank_lab.corpora.limits import Limits
from rerank_lab.corpora.store import save_corpus, slug_of

from . import make

LINES = ImportOptions(format="lines")
CSV = "sku,blurb,name,year\n1,A very fine kettle for tea,Kettle,2020\n2,A pan for eggs,Pan,2021\n"


def stored(home: Path) -> list[str]:
    folder = home / "corpora"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_preview_shows_columns_roles_and_first_rows() -> None:
    preview = inspect_upload("shop.csv", CSV.encode())
    assert (preview.format, preview.encoding, preview.files) == ("csv", "utf-8", 1)
    assert preview.mapping == ColumnMapping("blurb", None, "name")
    assert [(c.name, c.role) for c in preview.columns] == [
        ("sku", "meta"),
        ("blurb", "text"),
        ("name", "title"),
        ("year", "meta"),
    ]
    assert preview.columns[0].samples == ("1", "2")
    assert preview.rows[1]["blurb"] == "A pan for eggs"
    assert (preview.looked_at, preview.complete) == (2, True)


def test_a_line_pasted_twice_is_kept_and_reported() -> None:
    preview = inspect_upload("list.txt", b"One line\nAnother\nOne line\n", LINES)
    report = import_corpus(preview, "list", options=LINES)
    assert [document.title for document in load_corpus("list").documents] == ["", "", ""]
    assert [problem.message for problem in report.problems] == [
        "1 document repeats the content of another; all are kept (d1 = d3)."
    ]
    assert report.problem_counts["info"] == 1


def test_import_with_a_mapping_and_load_again(home: Path) -> None:
    preview = inspect_upload("shop.csv", CSV.encode())
    report = import_corpus(
        preview, "My shop", mapping=ColumnMapping("blurb", "sku", "name", meta=("year",))
    )
    assert (report.documents, report.skipped, report.problems) == (2, 0, ())
    assert stored(home) == ["my-shop"]
    for name in ("My shop", "my-shop"):
        corpus = load_corpus(name)
        assert corpus.name == "My shop"
        assert corpus.documents[1] == Document("2", "A pan for eggs", "Pan", {"year": "2021"})
    entry = list_corpora()[-1]
    assert (entry.name, entry.kind, entry.documents, entry.error) == ("My shop", "imported", 2, "")
    assert entry.content_hash == corpus.content_hash
    assert json.loads(json.dumps(report.to_json()))["summary"]["documents"] == 2


def test_preview_of_a_legacy_encoding_and_an_override() -> None:
    data = "id,text\n1,Grüße aus Köln und schöne Träume\n".encode("cp1252")
    assert inspect_upload("a.csv", data, ImportOptions(encoding="cp1252")).rows[0]["text"] == (
        "Grüße aus Köln und schöne Träume"
    )


def test_preview_of_a_folder_zip_needs_no_mapping() -> None:
    data = make.zipped({"a.md": "# A\ntext", "b.txt": "B"})
    preview = inspect_upload("docs.zip", data)
    assert preview.files == 2
    assert not preview.needs_mapping
    assert import_corpus(preview, "docs").documents == 2


def test_plain_text_as_one_document_or_one_a_line() -> None:
    data = b"one\ntwo\nthree\n"
    assert import_corpus(inspect_upload("a.txt", data), "whole").documents == 1
    preview = inspect_upload("a.txt", data, ImportOptions(format="lines"))
    assert import_corpus(preview, "lines").documents == 3


def test_beir_zip_comes_with_queries_and_judgments() -> None:
    preview = inspect_upload("beir.zip", make.zipped(make.BEIR))
    assert (preview.queries, preview.qrels) == ("queries.jsonl", "qrels/test.tsv")
    report = import_corpus(preview, "beir")
    assert (report.queries, report.judgments) == (2, 3)
    assert load_corpus("beir").qrels == {"q1": {"a": 2}, "q2": {"c": 1, "b": 0}}


def test_an_import_says_what_it_left_out() -> None:
    data = make.jsonl({"id": 1, "text": "a"}, {"id": 1, "text": "b"}) + b"{\n"
    report = import_corpus(inspect_upload("a.jsonl", data), "mine")
    assert (report.documents, report.skipped) == (1, 1)
    assert report.problem_counts == {"info": 0, "warning": 0, "error": 2}
    assert [problem.line for problem in report.problems] == [2, 3]


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("a.jsonl", b"", "is empty"),
        ("a.csv", b"id,text\n1,a\x00\x01\n", "NUL bytes"),
        ("a.jsonl", b"{broken\n{broken\n", "nothing that can be read"),
        ("a.pdf", make.pdf(""), "no text"),
        ("a.zip", make.zipped({"../x.txt": "x"}), "leads out of the archive"),
    ],
)
def test_what_cannot_be_used_is_refused_and_leaves_nothing(
    name: str, data: bytes, match: str, home: Path
) -> None:
    with pytest.raises(InvalidInput, match=match) as caught:
        import_corpus(inspect_upload(name, data), "mine")
    assert caught.value.hint
    assert stored(home) == []


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    big = tmp_path / "big.jsonl"
    with big.open("wb") as out:
        out.truncate(2 << 30)  # sparse: takes no space
    with pytest.raises(InvalidInput, match=r"big\.jsonl is 2\.0 GB; files of up to 1\.0 GB"):
        inspect_upload("big.jsonl", big)
    with pytest.raises(InvalidInput, match="up to 10 bytes"):
        inspect_upload("a.csv", b"id,text\n1,abc\n", ImportOptions(limits=Limits(upload=10)))


def test_a_missing_column_is_refused_with_those_there_are(home: Path) -> None:
    preview = inspect_upload("shop.csv", CSV.encode())
    with pytest.raises(InvalidInput, match="no column 'body'") as caught:
        import_corpus(preview, "mine", mapping=ColumnMapping("body"))
    assert "sku, blurb, name, year" in caught.value.hint
    assert stored(home) == []


def test_a_taken_name_is_refused_unless_replaced(home: Path) -> None:
    import_corpus(inspect_upload("a.txt", b"first"), "Mine")
    with pytest.raises(InvalidInput, match="already a corpus called 'Mine'"):
        import_corpus(inspect_upload("a.txt", b"second"), "mine")
    import_corpus(inspect_upload("a.txt", b"second"), "Mine", options=ImportOptions(replace=True))
    assert load_corpus("Mine").documents[0].text == "second"
    assert stored(home) == ["mine"]
    with pytest.raises(InvalidInput, match="sample"):
        import_corpus(
            inspect_upload("a.txt", b"x"), "helpdesk", options=ImportOptions(replace=True)
        )
    with pytest.raises(InvalidInput, match="needs a name"):
        import_corpus(inspect_upload("a.txt", b"x"), "  ")


def test_a_failed_replacement_leaves_the_old_corpus(home: Path) -> None:
    import_corpus(inspect_upload("a.txt", b"first"), "mine")
    token = CancelToken()

    def stop(progress: Progress) -> None:
        if progress.message == "Looking the corpus over":
            token.cancel()

    with pytest.raises(Cancelled):
        import_corpus(
            inspect_upload("a.txt", b"second"),
            "mine",
            options=ImportOptions(replace=True),
            ctx=Context(cancel=token, progress=stop),
        )
    assert load_corpus("mine").documents[0].text == "first"
    assert stored(home) == ["mine"]


def test_a_replacement_that_died_half_way_is_undone(home: Path) -> None:
    """Killed after the old corpus was set aside and before the new one took its place."""
    import_corpus(inspect_upload("a.txt", b"first"), "mine")
    (home / "corpora" / "mine").rename(home / "corpora" / ".old-mine")
    assert load_corpus("mine").documents[0].text == "first"
    assert stored(home) == ["mine"]


def test_two_imports_of_one_name_at_once_keep_the_first(home: Path) -> None:
    def meanwhile(progress: Progress) -> None:
        if progress.message == "Looking the corpus over":
            import_corpus(inspect_upload("a.txt", b"first"), "mine")

    with pytest.raises(InvalidInput, match="already a corpus"):
        import_corpus(
            inspect_upload("a.txt", b"second"),
            "mine",
            ctx=Context(progress=meanwhile),
        )
    assert load_corpus("mine").documents[0].text == "first"
    assert stored(home) == ["mine"]


def test_progress_is_reported() -> None:
    said: list[str] = []
    ctx = Context(progress=lambda progress: said.append(progress.message))
    import_corpus(inspect_upload("a.txt", b"text"), "mine", ctx=ctx)
    assert said == ["Reading a.txt", "Looking the corpus over"]


def test_long_documents_are_cut_and_their_parent_kept() -> None:
    data = make.jsonl({"id": "long", "text": "word " * 100}, {"id": "short", "text": "word"})
    options = ImportOptions(passages=PassageOptions(40, 10))
    report = import_corpus(inspect_upload("a.jsonl", data), "cut", options=options)
    assert (report.documents, report.passages) == (
        2,
        4,
    )
    corpus = load_corpus("cut")
    assert corpus.document_ids == {"long", "short"}
    assert corpus.parent_of == {f"long#p{n}": "long" for n in (1, 2, 3)}
    assert corpus.content_hash == stored_summary("cut").content_hash


def test_queries_and_judgments_can_come_later(tmp_path: Path) -> None:
    import_corpus(inspect_upload("a.jsonl", make.BEIR["corpus.jsonl"]), "mine")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\nq7\tb\t1\n")
    (tmp_path / "one.csv").write_text("id,text\nq1,first\n")
    (tmp_path / "all.csv").write_text("id,text\nq1,first\nq7,seventh\n")
    assert attach_qrels("mine", tmp_path / "qrels.tsv").judgments == 2
    report = attach_queries("mine", tmp_path / "one.csv")
    assert report.queries == 1
    assert "1 of 2 judged queries" in report.problems[0].message
    assert load_corpus("mine").qrels == {"q1": {"a": 1}}
    attach_queries("mine", tmp_path / "all.csv")
    corpus = load_corpus("mine")
    assert corpus.qrels == {"q1": {"a": 1}, "q7": {"b": 1}}
    assert [q.text for q in corpus.queries] == ["first", "seventh"]
    assert list_corpora()[-1].queries == 2


def test_judgments_of_another_corpus_are_refused(tmp_path: Path) -> None:
    import_corpus(inspect_upload("beir.zip", make.zipped(make.BEIR)), "mine")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tzzz\t1\n")
    with pytest.raises(InvalidInput, match="names no document of this corpus"):
        attach_qrels("mine", tmp_path / "qrels.tsv")
    assert load_corpus("mine").qrels["q1"] == {"a": 2}
    with pytest.raises(InvalidInput, match="sample"):
        attach_qrels("helpdesk", tmp_path / "qrels.tsv")


def test_delete(home: Path) -> None:
    import_corpus(inspect_upload("a.txt", b"text"), "mine")
    delete_corpus("mine")
    assert stored(home) == []
    with pytest.raises(InvalidInput, match="no corpus"):
        delete_corpus("mine")
    with pytest.raises(InvalidInput, match="sample"):
        delete_corpus("helpdesk")


def test_a_damaged_summary_is_shown_as_such(home: Path) -> None:
    import_corpus(inspect_upload("a.txt", b"text"), "mine")
    (home / "corpora" / "mine" / "summary.json").write_text("{")
    entry = list_corpora()[-1]
    assert entry.error
    assert len(load_corpus("mine")) == 1
    assert stored_summary("mine").documents == 1


@pytest.mark.parametrize(
    ("name", "slug"),
    [("My Corpus!", "my-corpus"), ("../../etc/passwd", "etc-passwd"), ("a/b\\c", "a-b-c")],
)
def test_slugs_are_plain_folder_names(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_names_in_other_scripts_do_not_collide() -> None:
    assert slug_of("文档") != slug_of("资料")
    assert slug_of("文档").startswith("corpus-")


text = st.text(max_size=40).filter(lambda t: t == t.encode("utf-8", "replace").decode())
ids = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=8
).filter(lambda t: t.strip() == t)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.dictionaries(ids, st.tuples(text, text), min_size=1, max_size=5),
    st.dictionaries(ids, text.filter(lambda t: bool(t.strip())), max_size=3),
    st.data(),
)
def test_any_corpus_survives_the_store(
    documents: dict[str, tuple[str, str]], queries: dict[str, str], data: st.DataObject
) -> None:
    doc_ids, query_ids = sorted(documents), sorted(queries)
    pairs = st.dictionaries(st.sampled_from(doc_ids), st.integers(-2, 4), min_size=1)
    qrels = data.draw(st.dictionaries(st.sampled_from(query_ids), pairs)) if query_ids else {}
    clean = {
        i: (a.replace("\x00", " "), b.strip("\x00 ").strip()) for i, (a, b) in documents.items()
    }
    corpus = Corpus(
        "round trip",
        tuple(Document(i, a, b.replace("\x00", " ")) for i, (a, b) in clean.items()),
        tuple(Query(i, t.replace("\x00", " ").strip() or "x") for i, t in queries.items()),
        qrels,
    )
    about = {"name": "round trip", "documents": len(corpus)}
    save_corpus(corpus, about, slug="round-trip", replace=True)
    again = load_corpus("round trip")
    assert again.documents == corpus.documents
    own = [(query.id, query.text, query.meta) for query in corpus.queries]
    assert [(query.id, query.text, query.meta) for query in again.queries] == own
    assert again.qrels == {q: dict(judged) for q, judged in qrels.items()}
