"""The Label page without a browser: set-up, sessions, names, errors, the lead's view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.core.judgment_basis import Policy
from rerank_lab.core.storage import StorageError
from rerank_lab.corpora import load_corpus
from rerank_lab.judging.policies import qrels_of
from rerank_lab.judging.records import (
    JudgeKind,
    JudgingOrder,
    JudgingPair,
    Judgment,
    LabelSession,
    PairOrigin,
)
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.services.label_desk import LabelDesk
from rerank_lab.services.labelling import session_of_pairs
from rerank_lab.services.qrels import with_judgments
from rerank_lab.ui.label.judge import screen_data, take_in
from rerank_lab.views.label import card_id
from tests.ui import pages
from tests.ui.pages import drawn, open_page, until, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def small_session(documents: int = 4) -> LabelSession:
    corpus = load_corpus("helpdesk")
    query = corpus.queries[0]
    pairs = [JudgingPair(query.id, one.id) for one in corpus.documents[:documents]]
    return session_of_pairs("Small", pairs, corpus)


def desk(labels: LabelSession) -> LabelDesk:
    return LabelDesk(labels, load_corpus("helpdesk"), JudgmentStore.open())


def test_a_session_is_set_up_with_defaults_and_its_effort_is_told_first() -> None:
    at = open_page("label", corpus="helpdesk", p=["bm25"])
    assert "grades at about" in words(at)
    at.selectbox(key="label_depth").set_value(3)
    at.button(key="label_start").click()
    until(drawn(at), "Links for judges")
    (labels,) = JudgmentStore.open().sessions("helpdesk")
    assert len(labels.pairs) == 60 * 3
    assert labels.pipelines == ("bm25(k=50)",)
    assert at.query_params["session"] == labels.session_id
    assert at.query_params["view"] == "lead"


def test_the_link_of_a_query_chooses_it() -> None:
    query = load_corpus("helpdesk").queries[3]
    at = open_page("label", corpus="helpdesk", query=query.id, p=["bm25"])
    assert "5 to 6 grades" in words(at) or "6 grades" in words(at)


def test_a_link_to_nowhere_says_so() -> None:
    at = open_page("label", session="nothing")
    assert "There is no labelling session" in words(at)
    at.button(key="label_all").click()
    assert "New session" in str(drawn(at).expander)


def test_a_judge_without_a_name_is_asked_for_it() -> None:
    labels = small_session()
    at = open_page("label", session=labels.session_id)
    assert "Say how well each document answers" in words(at)
    at.text_input(key="label_own_name").set_value("Ada")
    at.button(key="label_begin").click()
    drawn(at)
    assert at.query_params["judge"] == "Ada"
    assert "Judge the document for the" in words(at)


def test_the_sample_fills_the_lead_s_view_and_counts_nowhere_else() -> None:
    at = open_page("label", corpus="helpdesk", p=["bm25"])
    at.button(key="label_sample").click()
    until(drawn(at), "These judges are simulated")
    assert "leads with an expected nDCG@10" in words(at)
    tables = [table.value for table in at.dataframe]
    (worth,) = [table["Expected change"] for table in tables if "Expected change" in table]
    assert 0 < len(worth) <= 20
    assert list(worth) == sorted(worth, reverse=True)
    (table,) = [table for table in tables if "Judge" in table]
    assert "Krippendorff" in words(at)
    assert list(table["Judge"]) == ["Ada (simulated)", "Ben (simulated)"]
    rows = JudgmentStore.open().rows("helpdesk")
    assert {row.kind for row in rows} == {JudgeKind.SIMULATED}
    corpus = load_corpus("helpdesk")
    assert with_judgments(corpus).qrels == corpus.qrels


def event(labels: LabelSession, place: int, grade: object, token: str) -> dict[str, object]:
    pair = labels.pairs[place]
    name = card_id(pair.query_id, pair.doc_id)
    return {"kind": "grade", "card": name, "grade": grade, "token": token, "seconds": 3.5}


def test_a_message_that_comes_twice_is_stored_once() -> None:
    labels = small_session()
    message = {"events": [event(labels, 0, 2, "t1"), event(labels, 1, None, "t2")]}
    assert take_in(desk(labels), "Ada", message) == (["t1", "t2"], "")
    undo = {"kind": "undo", "undoes": "t1", "token": "t3"}
    again = {"events": [*message["events"], undo, undo]}
    assert take_in(desk(labels), "Ada", again)[0] == ["t1", "t2", "t3", "t3"]
    assert len(JudgmentStore.open().rows(labels.corpus)) == 3
    assert [row.grade for row in desk(labels).judgments()] == [None]


def test_what_a_browser_sends_is_not_trusted() -> None:
    labels = small_session()
    nonsense: list[object] = [
        7, {"token": 1}, event(labels, 0, 9, "a"), {"token": "b", "kind": "grade", "card": "x"},
        event(labels, 0, 1, "c") | {"seconds": float("nan"), "position": "first", "note": 5},
    ]  # fmt: skip
    tokens, problem = take_in(desk(labels), "Ada", {"events": nonsense})
    assert tokens == ["a", "b", "c"]
    assert problem.startswith("Not saved")
    (row,) = JudgmentStore.open().rows(labels.corpus)
    assert (row.grade, row.seconds, row.position, row.note) == (1, 0.0, 0, "5")


def test_what_could_not_be_stored_is_not_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = small_session()
    table = desk(labels)

    def full(_: object) -> None:
        raise StorageError("The disk is full.", hint="Make room.")

    monkeypatch.setattr(table._store, "append", full)
    tokens, problem = take_in(table, "Ada", {"events": [event(labels, 0, 1, "t")]})
    assert (tokens, problem) == ([], "Not saved: The disk is full. Make room.")


def test_the_judge_learns_nothing_of_where_a_document_comes_from() -> None:
    labels = small_session()
    data = screen_data(desk(labels), "Ada", {}, [])
    text = str(data)
    assert len(data["cards"]) == 3
    assert not any(pair.doc_id in text for pair in labels.pairs)
    assert "pool" not in text
    assert {"rank", "score", "pipeline", "origin"}.isdisjoint(data["cards"][0])


def test_by_worth_the_order_follows_the_grades() -> None:
    corpus = load_corpus("helpdesk")
    queries = corpus.queries[:4]
    ids = [document.id for document in corpus.documents[:12]]
    runs = {
        "bm25": {query.id: tuple(ids) for query in queries},
        "dense": {query.id: (*ids[:6], *reversed(ids[6:])) for query in queries},
    }
    pairs = [JudgingPair(query.id, doc_id) for query in queries for doc_id in ids]
    control = JudgingPair(queries[0].id, corpus.documents[20].id, PairOrigin.CONTROL, known_grade=0)
    labels = replace(
        session_of_pairs("Worth", [*pairs, control], corpus),
        order=JudgingOrder.NEXT_BEST, runs=runs, pipelines=tuple(runs),
    )  # fmt: skip
    first = desk(labels).next_pairs("Ada", 8)
    assert {pair.doc_id for pair in first if pair.origin is not PairOrigin.CONTROL} <= set(ids[6:])
    assert control in first


def test_labels_of_another_tool_come_in_with_what_does_not_fit_and_go_out_again() -> None:
    at = open_page("label", corpus="helpdesk", part="Import and export", p=["bm25"])
    assert not at.get("download_button")
    corpus = load_corpus("helpdesk")
    query, document = corpus.queries[0].id, corpus.documents[0].id
    lines = f"{query} 0 {document} 2\n{query} 0 nowhere 1\n"
    at.file_uploader(key="label_import_files").upload("ours.qrels", lines.encode())
    at.text_input(key="label_import_judge").set_value("Ada")
    at.button(key="label_import_go").click()
    drawn(at)
    assert "1 of 2 rows stored, 1 unknown" in words(at)
    assert "nowhere" in at.dataframe[0].value.to_string()
    (row,) = JudgmentStore.open().rows("helpdesk")
    assert (row.query_id, row.doc_id, row.grade, row.judge) == (query, document, 2, "Ada")
    assert '"Download 1 label"' in str(at.get("download_button")[0].proto)


def disputed_session() -> LabelSession:
    """Ada and Ben differ on the first two of three documents; Ben says why."""
    labels = small_session()
    grades = ((0, "Ada", 0, ""), (0, "Ben", 3, "<b>names</b> the fix"), (1, "Ada", 1, ""),
              (1, "Ben", 2, ""), (2, "Ada", 1, ""), (2, "Ben", 1, ""))  # fmt: skip
    JudgmentStore.open().append(
        [
            Judgment(labels.corpus, labels.pairs[place].query_id, labels.pairs[place].doc_id, grade,
                     judge, JudgeKind.HUMAN, datetime.now(UTC), note,
                     session_id=labels.session_id)
            for place, judge, grade, note in grades
        ]
    )  # fmt: skip
    return labels


def test_what_two_judges_dispute_is_judged_again_in_a_session_of_its_own() -> None:
    labels = disputed_session()
    at = open_page("label", session=labels.session_id, view="lead")
    at.button(key="lead_again").click()
    drawn(at)
    (again,) = [one for one in JudgmentStore.open().sessions("helpdesk") if one != labels]
    assert [pair.doc_id for pair in again.pairs] == [pair.doc_id for pair in labels.pairs[:2]]
    assert again.scale == labels.scale
    assert at.query_params["session"] == again.session_id


def press(at: AppTest, begins: str) -> None:
    next(one for one in at.button if str(one.key).startswith(begins)).click()
    drawn(at)


def test_disputes_are_settled_side_by_side_and_the_decision_counts_under_every_policy() -> None:
    labels = disputed_session()
    at = open_page("label", session=labels.session_id, view="lead")
    assert "0 of 2 settled" in words(at)
    agreed = desk(labels).agreement()
    at.button(key="lead_settle").click()
    shown = words(drawn(at))
    assert at.query_params["view"] == "settle"
    for part in ("Dispute 1 of 2", "0 · not relevant", "3 ·", "Ada", "Ben", "<b>names</b> the fix"):
        assert part in shown
    next(one for one in at.text_input if str(one.key).startswith("settle_note_")).set_value("half")
    press(at, "settle_1_")
    assert "Dispute 2 of 2. 1 of 2 settled" in words(at)
    press(at, "settle_2_")
    assert "Everything that judges differ on is settled" in words(at)
    pair = labels.pairs[0]
    decided = desk(labels).settled()[pair.query_id, pair.doc_id]
    assert (decided.grade, decided.judge, decided.note) == (1, "Lead (decides)", "half")
    rows = JudgmentStore.open().rows(labels.corpus)
    for policy in Policy:
        assert qrels_of(rows, policy)[pair.query_id][pair.doc_id] == 1
    assert desk(labels).agreement() == agreed
    assert [one.grades for one in desk(labels).progress().judges] == [3, 3]

    press(at, "settle_to_Previous")
    assert "Decided by Lead (decides): half" in words(at)
    press(at, "settle_undo_")
    assert "1 of 2 settled" in words(at)
    assert (pair.query_id, pair.doc_id) not in desk(labels).settled()


def test_disputes_of_a_sample_can_be_settled_and_count_nowhere_else() -> None:
    at = open_page("label", corpus="helpdesk", p=["bm25"])
    at.button(key="label_sample").click()
    until(drawn(at), "These judges are simulated")
    at.button(key="lead_settle").click()
    drawn(at)
    press(at, "settle_2_")
    assert "1 of" in words(at)
    assert {row.kind for row in JudgmentStore.open().rows("helpdesk")} == {JudgeKind.SIMULATED}


def test_queries_are_numbered_in_the_order_in_which_the_judge_meets_them() -> None:
    corpus = load_corpus("helpdesk")
    pairs = [JudgingPair(query.id, corpus.documents[0].id) for query in corpus.queries[:6]]
    labels = session_of_pairs("Six", pairs, corpus)
    cards = screen_data(desk(labels), "Ada", {}, [])["cards"]
    assert len(cards) > 2
    numbers = range(1, 1 + len(cards))
    assert [card["place"] for card in cards] == [f"Query {number} of 6" for number in numbers]
