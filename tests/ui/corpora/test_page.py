"""The Corpora page: samples, an own corpus from upload to deletion, errors in place, many rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.corpora import import_corpus, inspect_upload, list_corpora, load_corpus
from rerank_lab.services import access
from rerank_lab.services.access import Role, Visitor
from rerank_lab.testing.object_servers import FileServer
from rerank_lab.ui.shared import visitor
from tests.corpora import make
from tests.ui import pages
from tests.ui.pages import drawn, open_page, until, words

CSV = b"id,title,text\n1,Pumps,Heat moves into the house\n2,Boilers,Gas burns\n3,Empty,\n"
HOSTILE = "<script>alert(1)</script> $x^2$ :material/home: [a](javascript:alert(1)) **b**"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def imported(name: str = "mine", data: bytes = CSV) -> None:
    import_corpus(inspect_upload("mine.csv", data), name)


def bring(data: bytes, file: str = "mine.csv") -> AppTest:
    at = open_page("corpora", view="Bring your own")
    at.file_uploader[0].upload(file, data)
    return drawn(at)


def test_the_samples_are_there_and_the_chosen_one_is_shown() -> None:
    at = open_page("corpora")
    table = at.dataframe[0].value
    assert list(table["Name"]) == ["helpdesk", "multilingual-faq", "science-answers"]
    until(at, "Median length")
    assert {m.label: m.value for m in at.metric}["Documents"] == f"{len(load_corpus('helpdesk'))}"
    assert "1–10 of 252 documents" in words(at)


def test_looking_for_words_narrows_the_documents() -> None:
    at = until(open_page("corpora"), "Median length")
    box = next(t for t in at.text_input if t.label == "Look for words")
    box.set_value("kiosk pin")
    assert "that hold these words" in words(drawn(at))
    next(t for t in at.text_input if t.label == "Look for words").set_value("zzzqqq")
    assert "No document holds all of these words." in words(drawn(at))


def test_a_document_opens_as_plain_text() -> None:
    imported(data=f"id,text\n1,{HOSTILE}\n".encode())
    at = until(open_page("corpora", corpus="mine"), "Median length")
    at.button(key="open_1").click()
    drawn(at)
    shown = "".join(str(html.value) for html in at.html)
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown


def test_queries_and_checks_of_a_sample() -> None:
    at = open_page("corpora", part="Queries")
    until(at, "Choose a row to see its answers")
    assert len(at.dataframe[-1].value) == 60
    at = until(open_page("corpora", part="Checks"), "Judgments fit")
    assert "No leaks" in words(at)


def test_an_upload_is_mapped_imported_and_offered_to_compare() -> None:
    at = bring(CSV)
    assert {m.label: m.value for m in at.metric}["Format"] == "CSV or TSV"
    boxes = {box.label: box.value for box in at.selectbox}
    assert (boxes["Text"], boxes["Title"], boxes["Id"]) == ("text", "title", "id")
    at.button(key="import_now").click()
    until(drawn(at), "holds 3 documents")
    assert "Open in Compare" in words(at)
    assert [entry.name for entry in list_corpora() if entry.kind == "imported"] == ["mine"]


def test_changing_the_text_column_changes_the_documents_shown() -> None:
    at = bring(CSV)
    before = list(at.dataframe[-1].value["Text"])
    next(box for box in at.selectbox if box.label == "Title").set_value("(none)")
    next(box for box in at.selectbox if box.label == "Text").set_value("title")
    drawn(at)
    assert before[0] == "Heat moves into the house"
    assert list(at.dataframe[-1].value["Text"]) == ["Pumps", "Boilers", "Empty"]


def test_chosen_columns_are_chosen_again_when_the_file_comes_another_time() -> None:
    at = bring(CSV)
    for label, column in (("Title", "(none)"), ("Text", "title"), ("Id", "(none)")):
        next(box for box in at.selectbox if box.label == label).set_value(column)
    drawn(at)
    at.button(key="import_now").click()
    until(drawn(at), "holds 3 documents")
    at.button(key="import_again").click()
    drawn(at)
    at.file_uploader[0].upload("mine, mended.csv", CSV.replace(b"Gas", b"Oil"))
    drawn(at)
    boxes = {box.label: box.value for box in at.selectbox}
    assert (boxes["Text"], boxes["Title"], boxes["Id"]) == ("title", "(none)", "(none)")


def test_the_column_that_judgments_name_is_chosen_for_the_id() -> None:
    tickets = b"Ticket #,text\nT-1,Heat moves into the house\nT-2,Gas burns\n"
    archive = make.zipped({"corpus.csv": tickets, "qrels.tsv": "q1\tT-2\t1\n"})
    at = bring(archive, "tickets.zip")
    boxes = {box.label: box.value for box in at.selectbox}
    assert (boxes["Text"], boxes["Id"]) == ("text", "Ticket #")
    assert "use Ticket # as id" in words(at) or "use Ticket # as id" in str(
        [table.value.to_dict() for table in at.dataframe]
    )


def test_what_there_is_nothing_of_is_not_asked_about() -> None:
    at = bring(b"id,title,text\n1,Pumps,Heat moves\n")
    assert list(at.dataframe[-1].value) == ["Id", "Title", "Text"]
    assert "Keep beside the text" not in [box.label for box in at.multiselect]
    at = bring(b"id,title,text,year\n1,Pumps,Heat moves,1999\n")
    assert list(at.dataframe[-1].value) == ["Id", "Title", "Text", "Kept with it"]
    assert "Keep beside the text" in [box.label for box in at.multiselect]


def test_passages_are_cut_when_asked() -> None:
    long = "One two three four five six seven eight. " * 40
    at = bring(json.dumps({"_id": "a", "text": long}).encode(), "mine.jsonl")
    at.toggle(key="import_cut").set_value(True)
    drawn(at)
    at.number_input(key="import_tokens").set_value(32)
    drawn(at)
    at.button(key="import_now").click()
    until(drawn(at), " holds ")
    assert load_corpus("mine").parent_of


def test_a_pasted_list_becomes_a_corpus() -> None:
    at = open_page("corpora", view="Bring your own")
    at.segmented_control(key="import_way").set_value("Paste a list")
    drawn(at)
    at.text_area[0].set_value("first text\nsecond text")
    drawn(at)
    at.button(key="import_now").click()
    until(drawn(at), "holds 2 documents")


@pytest.mark.parametrize(
    ("file", "data", "told"),
    [
        ("empty.csv", b"", "is empty"),
        ("slides.pptx", b"PK\x03\x04rest", "office file"),
        ("sheet.xlsx", b"PK\x03\x04rest", "cannot be read as an Excel workbook"),
        ("broken.jsonl", b'{"text": \n', "holds nothing that can be read"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_what_to_do(
    file: str, data: bytes, told: str
) -> None:
    shown = words(until(bring(data, file), told))
    assert told in shown
    assert "Import" not in [button.label for button in bring(data, file).button]


def test_problems_of_the_rows_are_listed_before_and_after() -> None:
    rows = [json.dumps({"_id": str(n), "text": f"text {n}"}) for n in range(1, 10)]
    rows[6] = '{"_id": "7", "text": '
    at = bring("\n".join(rows).encode(), "mine.jsonl")
    assert "line 7" in at.dataframe[0].value["Where"][0]
    at.button(key="import_now").click()
    until(drawn(at), "holds 8 documents")
    assert "line 7" in at.dataframe[0].value["Where"][0]


def test_a_taken_name_is_refused_and_the_upload_is_still_there() -> None:
    at = bring(CSV)
    next(box for box in at.text_input if box.label == "Name").set_value("helpdesk")
    drawn(at)
    at.button(key="import_now").click()
    until(drawn(at), "is a sample's name")
    next(box for box in at.text_input if box.label == "Name").set_value("mine")
    drawn(at)
    at.button(key="import_now").click()
    until(drawn(at), "holds 3 documents")


def test_an_own_corpus_can_be_replaced_after_ticking() -> None:
    imported()
    at = bring(b"id,text\n1,other\n")
    next(box for box in at.text_input if box.label == "Name").set_value("mine")
    drawn(at)
    at.checkbox(key="import_replace").set_value(True)
    drawn(at)
    at.button(key="import_now").click()
    until(drawn(at), "holds 1 document")
    assert len(load_corpus("mine")) == 1


def test_queries_are_added_to_an_own_corpus() -> None:
    imported()
    at = until(open_page("corpora", corpus="mine", part="Change"), "Delete this corpus")
    at.file_uploader[0].upload("queries.txt", b"how does heat move\nwhat burns\n")
    until(drawn(at), "2 queries")
    assert len(load_corpus("mine").queries) == 2


def test_judgments_of_another_corpus_are_refused_in_place() -> None:
    imported()
    at = until(open_page("corpora", corpus="mine", part="Change"), "Delete this corpus")
    at.file_uploader[1].upload("qrels.tsv", b"q1 0 nowhere 1\n")
    until(drawn(at), "names no document of this corpus")


def test_a_corpus_is_deleted_after_asking() -> None:
    imported()
    at = until(open_page("corpora", corpus="mine", part="Change"), "Delete this corpus")
    at.button(key="delete_corpus").click()
    drawn(at)
    at.button(key="delete_for_good").click()
    drawn(at)
    assert "mine" not in [entry.name for entry in list_corpora()]
    assert "mine" not in list(drawn(at).dataframe[0].value["Name"])


def test_an_index_is_built_listed_and_deleted() -> None:
    imported()
    at = until(open_page("corpora", corpus="mine", part="Indexes"), "Build")
    at.text_input(key="index_options").set_value("k1=1.7")
    at.button(key="build").click()
    until(drawn(at), "`bm25(k1=1.7)`")
    # A button of an earlier run can no longer be pressed: they are looked up each time.
    while drops := [b for b in at.button if str(b.key).startswith("drop_")]:
        drops[0].click()
        drawn(at)
    assert "bm25(k1=1.7)" not in words(drawn(at))


@pytest.mark.parametrize(
    ("options", "told"),
    [("k9=1", "there is no option 'k9'"), ("k1=", "cannot be read at character 9")],
)
def test_an_index_that_cannot_be_built_says_why(options: str, told: str) -> None:
    at = until(open_page("corpora", part="Indexes"), "Build")
    at.text_input(key="index_options").set_value(options)
    at.button(key="build").click()
    assert told in words(drawn(at))


def test_a_damaged_corpus_is_told_and_can_be_deleted(home: Path) -> None:
    imported()
    (home / "corpora" / "mine" / "corpus.jsonl").write_text("{broken\n")
    at = open_page("corpora", corpus="mine")
    assert "holds no usable document" in words(at)
    assert "Delete this corpus" in words(at)


def test_a_large_corpus_is_listed_page_by_page() -> None:
    rows = "".join(f"{n},text number {n} of many\n" for n in range(20_000))
    imported(data=("id,text\n" + rows).encode())
    at = until(open_page("corpora", corpus="mine"), "1–10 of 20,000 documents")
    assert len([b for b in at.button if b.label == "Open"]) == 10


@pytest.fixture
def files() -> Iterator[FileServer]:
    with FileServer({"/docs/mine.csv": CSV}) as server:
        yield server


def read_address(address: str) -> AppTest:
    at = open_page("corpora", view="Bring your own")
    at.segmented_control(key="import_way").set_value("Address")
    drawn(at)
    next(field for field in at.text_input if field.label == "Address").set_value(address)
    next(button for button in at.button if button.label == "Read it").click()
    return drawn(at)


def test_an_address_is_read_looked_at_imported_and_looked_at_again(files: FileServer) -> None:
    at = until(read_address(f"{files.address}/docs/mine.csv?key=5ec4e7f00d"), "First documents")
    assert "5ec4e7f00d" not in words(at)
    at = until(read_address(f"{files.address}/docs/mine.csv"), "First documents")
    assert f"From {files.address}/docs/mine.csv: 1 file, {len(CSV)} bytes, ETag" in words(at)
    at.button(key="import_now").click()
    until(drawn(at), "holds 3 documents")
    at = until(open_page("corpora", corpus="mine", part="Change"), "Where it came from")
    at.button(key="origin_changes").click()
    until(drawn(at), "Nothing has changed there")
    files.files["/docs/mine.csv"] += b"4,Stoves,Wood burns\n"
    at.button(key="origin_changes").click()
    until(drawn(at), "1 file changed: mine.csv")


def test_an_address_that_cannot_be_read_says_why(files: FileServer) -> None:
    until(read_address("ftp://example.com/a.csv"), "no address that can be read")
    until(read_address(f"{files.address}/none.csv"), "There is nothing at")


def test_a_visitor_of_a_reachable_app_does_not_reach_its_network(
    files: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = Visitor("somebody", Role.EDITOR, signed_in=True)
    monkeypatch.setattr(visitor, "_current", lambda: editor)
    monkeypatch.setattr(access, "_visitor", lambda: editor)
    until(read_address(f"{files.address}/docs/mine.csv"), "private network")
    until(read_address("https://169.254.169.254/latest/"), "private network")
    until(read_address("s3://bucket/a.csv"), "may not read s3://bucket")
    assert not files.requests
