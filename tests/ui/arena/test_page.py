"""The Arena page: blind battles, votes that are stored, ratings that follow from them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.corpora import import_corpus
from rerank_lab.judging.arena.tallies import standing
from rerank_lab.judging.records import ArenaSide, ArenaVote, JudgeKind
from rerank_lab.judging.store import JudgmentStore
from tests.judging.arena.votes import decided
from tests.ui import pages
from tests.ui.pages import drawn, open_page, words

SPECS = ["bm25", "bm25 >> overlap"]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def voting(mode: str = "lists", corpus: str = "helpdesk", p: list[str] = SPECS) -> AppTest:
    at = open_page("arena", corpus=corpus, p=p, judge="ada", mode=mode)
    at.button(key="arena_start").click()
    return answered(drawn(at))


def answered(at: AppTest) -> AppTest:
    """Draw again, as a polling browser does, until both answers of the battle are there."""
    end = time.monotonic() + 60
    while "waiting for both answers" in words(at):
        assert time.monotonic() < end
        time.sleep(0.1)
        drawn(at)
    return at


def press(at: AppTest, start: str) -> AppTest:
    next(button for button in at.button if (button.key or "").startswith(start)).click()
    return answered(drawn(at))


def html(at: AppTest) -> str:
    return "\n".join(str(element.proto.body) for element in at.get("html"))


def stored(corpus: str = "helpdesk") -> list[ArenaVote]:
    return JudgmentStore.open().votes(corpus)


def test_before_the_first_battle_the_page_says_what_is_missing() -> None:
    at = open_page("arena", corpus="helpdesk", p=["bm25"])
    assert "at least two pipelines" in words(at)
    assert "Which answer is better?" in words(at)
    assert "your name" in words(open_page("arena", corpus="helpdesk", p=SPECS))


def test_a_vote_is_stored_and_the_next_battle_comes() -> None:
    at = voting()
    before = html(at)
    press(at, "vote_left")
    (vote,) = stored()
    assert (vote.outcome, vote.judge, vote.kind) == (ArenaSide.LEFT, "ada", JudgeKind.HUMAN)
    assert {vote.left, vote.right} == {"bm25(k=50)", "bm25(k=50) >> overlap"}
    assert len(vote.shown_hash) == 64
    assert html(at) != before
    assert "1 vote by ada" in words(at)


def test_nothing_on_a_battle_tells_which_side_is_which_pipeline() -> None:
    at = voting()
    shown = html(at)
    assert shown.count('<div class="rl-side">') == 10
    for text in (">> overlap", "bm25", "k=50", "rl-score", "rl-rank", "rl-grade"):
        assert text not in shown.split("</style>")[-1]
    keys = [button.key or "" for button in at.button if "vote_" in (button.key or "")]
    assert len(keys) == 4
    assert not any("bm25" in key for key in keys)


def test_names_come_only_after_a_vote_and_only_if_asked_for() -> None:
    at = voting()
    assert "last vote" not in words(at)
    press(at, "vote_right")
    assert "last vote" not in words(at)
    at.toggle(key="arena_reveal").set_value(True)
    drawn(at)
    assert "Your last vote: bm25" in words(at)


def test_undo_brings_the_battle_back() -> None:
    at = voting()
    before = html(at)
    press(at, "vote_both-bad")
    assert html(at) != before
    press(at, "undo_")
    assert html(at) == before
    assert standing(stored()) == ()
    press(at, "vote_tie")
    assert [vote.outcome for vote in standing(stored())] == [ArenaSide.TIE]


def test_two_documents_are_those_on_which_the_lists_first_differ() -> None:
    at = voting("documents")
    assert html(at).count('class="rl-side"') == 2


def test_a_mixed_list_credits_the_side_whose_documents_help() -> None:
    at = voting("interleaved")
    assert len(at.checkbox) == 5
    at.checkbox[0].check()
    drawn(at)
    press(at, "vote_mixed")
    (vote,) = stored()
    assert vote.outcome in (ArenaSide.LEFT, ArenaSide.RIGHT)
    assert vote.mode == "interleaved"


def test_a_pipeline_that_fails_neither_wins_nor_loses() -> None:
    at = voting(p=["bm25", "bm25 >> cohere"])
    assert "did not answer this query" in words(at)
    assert not [button for button in at.button if (button.key or "").startswith("vote_")]
    press(at, "skip_")
    assert stored() == []


def test_hostile_markup_is_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)> :red[x] cats"
    rows = [{"_id": f"d{n}", "title": evil, "text": f"{evil} cats " * (n + 1)} for n in range(6)]
    queries = [{"_id": f"q{n}", "text": f"{evil} {n}"} for n in range(2)]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, queries)))
    import_corpus(tmp_path / "d.jsonl", name="evil", queries=tmp_path / "q.jsonl")
    for mode in ("lists", "interleaved"):
        at = voting(mode, "evil", ["bm25", "bm25 >> long-context-reorder"])
        assert "alert" in html(at)
        body = html(at).split("</style>")[-1]
        assert "<script>" not in body
        assert "<img" not in body
    assert all("<img" not in (box.label or "").replace("\\<", "") for box in at.checkbox)


def test_ratings_say_that_nothing_is_shown_yet_and_later_who_won() -> None:
    at = open_page("arena", corpus="helpdesk", part="Ratings")
    assert "No votes on helpdesk yet" in words(at)
    store = JudgmentStore.open()
    votes = decided("bm25(k=50) >> overlap", "bm25(k=50)", 12)
    rows = [replace(vote, row_id=0) for vote in votes]
    store.add_votes(rows[:6])
    assert "Not yet distinguishable: 6 votes on 6 queries" in words(drawn(at))
    store.add_votes(rows[6:])
    assert "bm25 >> overlap is better than every other pipeline" in words(drawn(at))
    assert "wrong at most 5 % of the time" in words(at)


def test_votes_of_models_stand_apart_from_those_of_people() -> None:
    people = [replace(vote, row_id=0) for vote in decided("bm25(k=50)", "rm3(k=50)", 6)]
    models = [
        replace(vote, row_id=0, judge="gpt", kind=JudgeKind.LLM)
        for vote in decided("rm3(k=50)", "bm25(k=50)", 12)
    ]
    JudgmentStore.open().add_votes([*people, *models])
    at = open_page("arena", corpus="helpdesk", part="Ratings")
    assert "6 votes on 6 queries" in words(at)
    at.segmented_control(key="arena_kind").set_value(JudgeKind.LLM)
    drawn(at)
    assert "Language models: rm3 is better than every other pipeline" in words(at)


def test_a_corpus_without_queries_is_told_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "docs.jsonl").write_text('{"_id": "1", "text": "one"}')
    import_corpus(tmp_path / "docs.jsonl", name="plain")
    assert "plain has no queries yet" in words(open_page("arena", corpus="plain", p=SPECS))


def test_older_pipelines_can_be_left_out_of_the_ratings() -> None:
    new, base = "bm25(k=50) >> overlap", "bm25(k=50)"
    votes = [*decided(new, base, 12), *decided("rm3(k=50)", base, 2, 50)]
    JudgmentStore.open().add_votes([replace(vote, row_id=0) for vote in votes])
    at = open_page("arena", corpus="helpdesk", part="Ratings", p=SPECS)
    assert "No single winner yet" in words(at)
    at.toggle(key="arena_only").set_value(True)
    assert "bm25 >> overlap is better than every other pipeline" in words(drawn(at))
