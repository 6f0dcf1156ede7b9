"""Import and export of judgments as use cases: what goes out comes back, in every format."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import ir_measures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus
from rerank_lab.corpora.mapping import id_text
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.source import Source
from rerank_lab.judging.exchange.formats import FORMATS, ExchangeFormat
from rerank_lab.judging.policies import Policy, qrels_of
from rerank_lab.judging.records import JudgeKind, Judgment
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.services.judgments import (
    JudgmentExport,
    JudgmentImport,
    export_judgments,
    import_judgments,
)

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
EVIL = '=HYPERLINK("http://evil","x")'
CORPUS = Corpus(
    "shop",
    tuple(Document(doc_id, f"text {doc_id}") for doc_id in ("d1", "d2", "@d3")),
    (Query("q1", "coffee filters"), Query("-q2", "+cheap -tea"), Query("q3", "never judged")),
)


def row(query_id: str, doc_id: str, grade: int | None, judge: str, note: str = "") -> Judgment:
    return Judgment("shop", query_id, doc_id, grade, judge, JudgeKind.HUMAN, NOW, note=note)


@pytest.fixture
def store(tmp_path: Path) -> JudgmentStore:
    return JudgmentStore.open(tmp_path / "lab")


@pytest.fixture
def filled(store: JudgmentStore) -> JudgmentStore:
    store.append(
        [
            row("q1", "d1", 3, "ana", EVIL),
            row("q1", "d1", 1, "ben"),
            row("q1", "d1", 1, "@eve", "two\nlines"),
            row("-q2", "@d3", 2, "ana"),
            row("-q2", "d2", None, "ana", "'quoted"),
            Judgment("shop", "q1", "d2", 3, "gpt", JudgeKind.LLM, NOW),
            Judgment("shop", "q1", "@d3", 3, "robot", JudgeKind.SIMULATED, NOW),
        ]
    )
    return store


@pytest.mark.parametrize("name", ExchangeFormat)
@pytest.mark.parametrize("policy", [Policy.LATEST, Policy.MAJORITY])
def test_one_grade_a_pair_comes_back_from_every_format(
    filled: JudgmentStore, tmp_path: Path, name: ExchangeFormat, policy: Policy
) -> None:
    exported = export_judgments(JudgmentExport(name, policy), CORPUS, filled)
    again = JudgmentStore.open(tmp_path / "other")

    source = Source(exported.file_name, data=exported.content.encode())
    report = import_judgments(JudgmentImport((source,)), CORPUS, again)

    assert (report.rows, report.accepted, report.problems) == (2, 2, ())
    expected = {"q1": {"d1": 1}, "-q2": {"@d3": 2}}
    assert qrels_of(again.rows("shop")) == expected
    assert export_judgments(JudgmentExport(name, policy), CORPUS, filled) == exported


def test_trec_is_what_other_programs_read(filled: JudgmentStore) -> None:
    exported = export_judgments(JudgmentExport(ExchangeFormat.TREC), CORPUS, filled)

    assert exported.content == "-q2 0 @d3 2\nq1 0 d1 1\n"
    rows = list(ir_measures.read_trec_qrels(io.StringIO(exported.content)))
    assert [(r.query_id, r.doc_id, r.relevance) for r in rows] == [
        ("-q2", "@d3", 2),
        ("q1", "d1", 1),
    ]


@pytest.mark.parametrize("name", [n for n, traits in FORMATS.items() if traits.details])
def test_every_judge_note_and_time_comes_back(
    filled: JudgmentStore, tmp_path: Path, name: ExchangeFormat
) -> None:
    everything = JudgmentExport(name, None, kinds=frozenset(JudgeKind))
    exported = export_judgments(everything, CORPUS, filled)
    again = JudgmentStore.open(tmp_path / "other")

    source = Source(exported.file_name, data=exported.content.encode())
    report = import_judgments(JudgmentImport((source,)), CORPUS, again)

    def facts(store: JudgmentStore) -> set[tuple[object, ...]]:
        return {
            (r.query_id, r.doc_id, r.grade, r.judge, r.kind, r.at, r.note)
            for r in store.current("shop")
        }

    assert report.accepted == report.rows == 7
    assert facts(again) == facts(filled)
    assert import_judgments(JudgmentImport((source,)), CORPUS, again).accepted == 0


def test_a_spreadsheet_computes_no_cell_of_an_export(filled: JudgmentStore) -> None:
    for name in (ExchangeFormat.CSV, ExchangeFormat.QUEPID):
        for policy in (None, Policy.LATEST):
            exported = export_judgments(JudgmentExport(name, policy), CORPUS, filled)
            cells = [cell for line in csv.reader(io.StringIO(exported.content)) for cell in line]
            assert [c for c in cells if c[:1] in ("=", "+", "-", "@", "\t", "\r")] == []


def test_quepid_and_opensearch_get_their_own_shapes(filled: JudgmentStore) -> None:
    book = export_judgments(JudgmentExport(ExchangeFormat.QUEPID, None), CORPUS, filled)
    assert book.content.splitlines() == [
        "query,docid, @eve,ana,ben", " +cheap -tea, @d3,,2,", "coffee filters,d1,1,3,1",
    ]  # fmt: skip
    basic = export_judgments(JudgmentExport(ExchangeFormat.QUEPID), CORPUS, filled)
    assert basic.content.splitlines()[0] == "query,docid,rating"
    body = json.loads(
        export_judgments(JudgmentExport(ExchangeFormat.OPENSEARCH), CORPUS, filled).content
    )
    assert body["type"] == "IMPORT_JUDGMENT"
    assert body["judgmentRatings"][1] == {
        "query": "coffee filters", "ratings": [{"docId": "d1", "rating": "1.0"}],
    }  # fmt: skip


def test_ranklib_reads_whole_numbers_and_the_file_says_whose_they_are(
    filled: JudgmentStore,
) -> None:
    filled.append([row("7", "d1", 2, "ana"), row("1", "d2", 0, "ana")])
    corpus = Corpus("shop", CORPUS.documents, (*CORPUS.queries, Query("7", "x"), Query("1", "y")))
    exported = export_judgments(JudgmentExport(ExchangeFormat.LETOR), corpus, filled)
    assert exported.content.splitlines() == [
        "# qid:2: -q2", "# qid:3: q1", "2 qid:2 # @d3", "0 qid:1 # d2", "2 qid:7 # d1",
        "1 qid:3 # d1",
    ]  # fmt: skip
    assert exported.to_json()["qids"] == {"2": "-q2", "3": "q1"}
    assert any("numbered" in note for note in exported.notes)


def test_what_a_format_cannot_carry_is_said(filled: JudgmentStore) -> None:
    book = export_judgments(JudgmentExport(ExchangeFormat.QUEPID, None), CORPUS, filled)
    assert any("notes" in note for note in book.notes)
    assert any("2 labels of other kinds (llm, simulated)" in note for note in book.notes)
    assert any("cannot tell" in note for note in book.notes)
    with pytest.raises(InvalidInput, match="no place for judges"):
        export_judgments(JudgmentExport(ExchangeFormat.TREC, None), CORPUS, filled)
    filled.append([row("two words", "d1", 1, "ana")])
    with pytest.raises(InvalidInput, match="two words"):
        export_judgments(JudgmentExport(ExchangeFormat.TREC), CORPUS, filled)


def test_judges_and_sessions_choose_what_is_exported(filled: JudgmentStore) -> None:
    only = JudgmentExport(ExchangeFormat.TREC, judges=frozenset({"ana"}))
    assert export_judgments(only, CORPUS, filled).content == "-q2 0 @d3 2\nq1 0 d1 3\n"
    models = JudgmentExport(ExchangeFormat.TREC, kinds=frozenset({JudgeKind.LLM}))
    assert export_judgments(models, CORPUS, filled).content == "q1 0 d2 3\n"
    for wrong, message in (
        (JudgmentExport(ExchangeFormat.TREC, judges=frozenset({"zoe"})), "zoe"),
        (JudgmentExport(ExchangeFormat.TREC, session_id="none"), "none"),
    ):
        with pytest.raises(InvalidInput, match=message):
            export_judgments(wrong, CORPUS, filled)


def test_strict_stores_nothing_of_a_file_with_a_wrong_row(store: JudgmentStore) -> None:
    source = Source("a.qrels", data=b"q1 0 d1 1\nq1 0 d9 1\n")
    with pytest.raises(InvalidInput) as caught:
        import_judgments(JudgmentImport((source,), strict=True), CORPUS, store)
    assert "a.qrels, line 2" in str(caught.value.problems)
    assert store.rows("shop") == []


_TEXT = st.text(max_size=12).map(lambda text: text.replace("\x00", ""))
_START = st.sampled_from(["", "=", "+", "-", "@", "'", "#", "\t", "\r", '"', "docid=", "nan"])
_ID = st.builds(lambda start, text: id_text(start + text), _START, _TEXT).filter(bool)
_ROW = st.tuples(_ID, _ID, st.one_of(st.none(), st.integers(0, 9)), _ID, _START, _TEXT)


@settings(max_examples=60)
@given(st.lists(_ROW, min_size=1, max_size=6, unique_by=lambda r: (r[0], r[1], r[3])))
def test_hostile_ids_names_and_notes_come_back(
    rows: list[tuple[str, str, int | None, str, str, str]],
) -> None:
    from rerank_lab.core.problems import ProblemLog
    from rerank_lab.judging.exchange.reading import read_labels
    from rerank_lab.judging.exchange.writing import write_grades, write_rows

    judgments = [row(q, d, grade, judge, start + note) for q, d, grade, judge, start, note in rows]
    for name in (ExchangeFormat.CSV, ExchangeFormat.JSONL):
        content = write_rows(judgments, name, {})
        source = Source(f"a{FORMATS[name].suffix}", data=content.encode())
        back = read_labels(source, ReadOptions(), ProblemLog()).rows
        assert {
            (r.query, r.doc_id, r.grade and int(str(r.grade)), r.judge, r.note) for r in back
        } == {(j.query_id, j.doc_id, j.grade, j.judge, j.note) for j in judgments}
    qrels = qrels_of(judgments)
    if not qrels:
        return
    for name in (ExchangeFormat.TREC, ExchangeFormat.LETOR, ExchangeFormat.CSV):
        try:
            content = write_grades(qrels, name, {}, "t")
        except InvalidInput:
            continue
        options = ReadOptions(format="table" if name is ExchangeFormat.CSV else name.value)
        source = Source(f"a{FORMATS[name].suffix}", data=content.encode())
        back = read_labels(source, options, ProblemLog()).rows
        lettered = name is ExchangeFormat.LETOR  # its queries were numbered
        triples = {
            ((lettered and r.query_text) or r.query, r.doc_id, int(str(r.grade))) for r in back
        }
        assert triples == {(q, d, g) for q, graded in qrels.items() for d, g in graded.items()}
