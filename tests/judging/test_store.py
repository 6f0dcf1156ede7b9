"""The store of judgments, on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from msgspec import structs

from rerank_lab.core.errors import InvalidInput
from rerank_lab.judging.records import (
    ArenaSide,
    ArenaVote,
    JudgeKind,
    JudgingPair,
    Judgment,
    LabelSession,
    LabQuery,
    LabQuerySet,
    QueryOrigin,
)
from rerank_lab.judging.scales import BINARY, own_scale
from rerank_lab.judging.store import JudgmentStore

AT = datetime(2026, 5, 4, 10, 30, 15, 123456, tzinfo=UTC)
BURST = Path(__file__).with_name("label_burst.py")


@pytest.fixture
def store(lab_database: str) -> JudgmentStore:
    return JudgmentStore.open()


def judgment(doc_id: str = "d1", grade: int | None = 1, judge: str = "ann", **more: object):
    values = {"corpus": "c", "query_id": "q1", "kind": JudgeKind.HUMAN, "at": AT} | more
    return Judgment(doc_id=doc_id, grade=grade, judge=judge, **values)


def session(session_id: str = "s1", **more: object) -> LabelSession:
    values = {
        "corpus": "c", "title": "First", "pipelines": ("bm25",), "depth": 10,
        "pairs": (JudgingPair("q1", "d1"),), "created_at": AT,
    }  # fmt: skip
    return LabelSession(session_id=session_id, **(values | more))


def in_threads(*work: Callable[[], None]) -> None:
    errors = []

    def run(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


def test_what_is_stored_is_read_back_field_by_field(store: JudgmentStore) -> None:
    full = judgment(
        note="<b>Größe</b> '; drop table judgments; --", seconds=2.5, content_hash="ab",
        passage_id="p", position=3, session_id="s1", token="t",
    )  # fmt: skip
    cannot_tell = judgment("d2", None, at=AT.astimezone(timezone(timedelta(hours=2))))
    stored = store.append([full, cannot_tell])
    assert [structs.replace(row, row_id=0) for row in stored] == [full, cannot_tell]
    assert stored[0].row_id < stored[1].row_id
    assert store.rows("c") == stored
    assert all(row.at.utcoffset() == timedelta() for row in store.rows("c", judge="ann"))
    assert store.rows("c", query_id="q2") == store.rows("other") == []
    assert store.rows("c", session_id="s1") == stored[:1]


def test_the_newest_row_of_a_judge_counts_and_an_undone_one_never(store: JudgmentStore) -> None:
    first, second, other = store.append([judgment(), judgment(grade=3), judgment(judge="bob")])
    assert store.current("c") == [second, other]
    undoing = store.undo(second.row_id, "ann", AT)
    assert (undoing.undoes, undoing.grade, undoing.judge) == (second.row_id, None, "ann")
    assert store.current("c") == [first, other]
    assert store.undo(second.row_id, "ann", AT) == undoing
    assert store.rows("c") == [first, second, other, undoing]


def test_a_row_is_taken_back_by_its_judge_only(store: JudgmentStore) -> None:
    row = store.append([judgment()])[0]
    with pytest.raises(InvalidInput, match="of 'ann', not of 'bob'"):
        store.undo(row.row_id, "bob", AT)
    with pytest.raises(InvalidInput, match="no row 999"):
        store.undo(999, "ann", AT)
    undoing = store.undo(row.row_id, "ann", AT)
    with pytest.raises(InvalidInput, match="no row"):
        store.undo(undoing.row_id, "ann", AT)
    with pytest.raises(InvalidInput, match="undoes another"):
        store.append([undoing])


def test_a_label_that_a_browser_sends_again_is_stored_once(store: JudgmentStore) -> None:
    sent = judgment(token="press-1")
    first = store.append([sent, judgment("d2"), sent])
    assert store.append([sent]) == first[:1]
    assert first[0] == first[2]
    assert len(store.rows("c")) == 2
    in_threads(*[lambda: store.append([judgment("d3", token="press-2")]) for _ in range(4)])
    assert [row.doc_id for row in store.rows("c")].count("d3") == 1


def test_all_rows_of_a_call_are_stored_or_none(store: JudgmentStore) -> None:
    for unusable in (judgment(judge=""), judgment("d\x00"), judgment(at=datetime(2026, 1, 1))):
        with pytest.raises(InvalidInput):
            store.append([judgment(), unusable])
    assert store.rows("c") == []
    assert store.append([judgment(note="a\x00b\ud800")])[0].note == "ab�"


def test_the_version_follows_every_row_of_its_corpus(store: JudgmentStore) -> None:
    versions = [store.version("c")]
    row = store.append([judgment()])[0]
    versions.append(store.version("c"))
    store.undo(row.row_id, "ann", AT)
    versions.append(store.version("c"))
    store.append([judgment(corpus="other")])
    assert store.version("c") == versions[-1]
    assert len(set(versions)) == 3
    assert versions[0] == ""


def test_two_databases_with_the_same_rows_agree_on_the_version(
    tmp_path: Path, lab_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = JudgmentStore.open()
    monkeypatch.delenv("RERANK_LAB_DATABASE", raising=False)
    there = JudgmentStore.open(tmp_path / "another")
    for store in (here, there):
        store.append([judgment(seconds=1.0), judgment("d2")])
    assert here.version("c") == there.version("c") != ""


def test_two_writers_lose_nothing_and_a_reader_sees_rows_in_order(store: JudgmentStore) -> None:
    def write(judge: str) -> Callable[[], None]:
        return lambda: [store.append([judgment(f"d{n}", judge=judge)]) for n in range(25)]  # type: ignore[return-value]

    def read() -> None:
        before: list[Judgment] = []
        while len(before) < 50:
            rows = store.rows("c")
            assert rows[: len(before)] == before
            before = rows

    in_threads(write("ann"), write("bob"), read)
    assert len(store.current("c")) == 50


def test_killed_in_the_middle_nothing_acknowledged_is_lost(store: JudgmentStore) -> None:
    judges = ("ann", "bob")
    processes = [
        subprocess.Popen(
            [sys.executable, str(BURST), judge, "5000"], stdout=subprocess.PIPE, text=True
        )
        for judge in judges
    ]
    acknowledged: dict[str, list[int]] = {}
    for judge, process in zip(judges, processes, strict=True):
        assert process.stdout is not None
        acknowledged[judge] = [int(process.stdout.readline()) for _ in range(5)]
        process.kill()
    for judge, process in zip(judges, processes, strict=True):
        assert process.stdout is not None
        acknowledged[judge] += [int(line) for line in process.stdout if line.endswith("\n")]
        process.wait()
        stored = {row.row_id for row in store.rows("corpus", judge=judge)}
        assert set(acknowledged[judge]) <= stored
        assert len(stored) < 5000


def test_two_people_never_get_the_same_pair(store: JudgmentStore) -> None:
    pairs = [(JudgingPair("q1", f"d{n}"), 1) for n in range(20)]
    claimed: dict[str, list[JudgingPair]] = {"ann": [], "bob": []}

    def claim(judge: str) -> Callable[[], None]:
        def work() -> None:
            for start in (0, 5, 10, 15):
                claimed[judge] += store.claim_many(session(), judge, pairs[start : start + 5], 60)

        return work

    in_threads(claim("ann"), claim("bob"))
    everything = claimed["ann"] + claimed["bob"]
    assert sorted(pair.doc_id for pair in everything) == sorted(pair.doc_id for pair, _ in pairs)
    holders = {doc_id: judges for (_, doc_id), judges in store.claims("s1").items()}
    assert all(holders[pair.doc_id] == {"ann"} for pair in claimed["ann"])
    assert store.claims("s2") == {}


def test_a_pair_is_taken_again_when_its_lease_ends_or_overlap_wants_it(
    store: JudgmentStore,
) -> None:
    pair = JudgingPair("q1", "d1")
    assert store.claim_many(session(), "ann", [(pair, 1)], 60) == [pair]
    assert store.claim_many(session(), "ann", [(pair, 1)], 60) == [pair]
    assert store.claim_many(session(), "bob", [(pair, 1)], 60) == []
    assert store.claim_many(session(), "bob", [(pair, 2)], 60) == [pair]
    assert store.claim_many(session(), "eve", [(pair, 2)], 60) == []
    assert store.claim_many(session("s2"), "eve", [(pair, 1)], -1) == [pair]
    assert store.claim_many(session("s2"), "bob", [(pair, 1)], 60) == [pair]


def test_a_pair_that_somebody_graded_is_claimed_by_nobody_else(store: JudgmentStore) -> None:
    pair = JudgingPair("q1", "d1")
    row = store.append([judgment(session_id="s1")])[0]
    assert store.claim_many(session(), "bob", [(pair, 1)], 60) == []
    assert store.claim_many(session(), "ann", [(pair, 1)], -1) == [pair]
    store.undo(row.row_id, "ann", AT)
    assert store.claim_many(session(), "bob", [(pair, 1)], 60) == [pair]


def test_a_session_is_kept_whole_and_fixed_once_it_is_judged(store: JudgmentStore) -> None:
    first = session(runs={"bm25": {"q1": ("d1", "d2")}}, scale=own_scale(("no", "yes")))
    second = session("s2", created_at=AT + timedelta(1), scale=BINARY, corpus="other")
    store.save_session(first)
    store.save_session(second)
    assert store.session("s1") == first
    assert store.sessions() == [second, first]
    assert store.sessions("c") == [first]
    store.save_session(replace(first, title="Second thoughts"))
    store.append([judgment(session_id="s1")])
    with pytest.raises(InvalidInput, match="has begun"):
        store.save_session(first)
    store.save_session(replace(first, title="Second thoughts"))
    with pytest.raises(InvalidInput, match="no labelling session"):
        store.session("s3")


def test_votes_are_kept_and_taken_back(store: JudgmentStore) -> None:
    vote = ArenaVote("c", "q1", "bm25", "dense", ArenaSide.TIE, "ann", JudgeKind.HUMAN, AT)
    first, again = store.add_votes([vote, replace(vote, token="t", outcome=ArenaSide.LEFT)])
    assert replace(first, row_id=0) == vote
    assert store.add_votes([replace(again, row_id=0)]) == [again]
    undoing = store.undo_vote(first.row_id, "ann", AT)
    assert undoing == store.undo_vote(first.row_id, "ann", AT)
    assert store.votes("c") == [first, again, undoing]


def test_a_query_set_takes_the_place_of_the_one_with_its_name(store: JudgmentStore) -> None:
    queries = (LabQuery("1", "how?", QueryOrigin.TYPED, ("head",)),)
    store.save_query_set(LabQuerySet("c", "mine", (), AT))
    store.save_query_set(LabQuerySet("c", "mine", queries, AT))
    assert store.query_sets("c") == [LabQuerySet("c", "mine", queries, AT)]


def test_queries_that_two_people_type_at_once_are_both_kept(store: JudgmentStore) -> None:
    def typed(name: str) -> Callable[[], None]:
        def add() -> None:
            for n in range(10):
                query = LabQuery(f"{name}{n}", f"{name} {n}", QueryOrigin.TYPED)
                store.add_query("c", "Typed", query, AT)
                store.add_query("c", "Elsewhere", query, AT)

        return add

    in_threads(typed("ann"), typed("ben"))
    (query_set,) = store.query_sets("c")
    assert {query.query_id for query in query_set.queries} == {
        f"{name}{n}" for name in ("ann", "ben") for n in range(10)
    }
