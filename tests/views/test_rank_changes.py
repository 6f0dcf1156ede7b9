"""What the Compare page says, without a browser: every number, word and order on it."""

from __future__ import annotations

import pytest

from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.core.types import Document, Query, Ranking, Status, Trace
from rerank_lab.corpora import Corpus
from rerank_lab.corpora.load import corpus_from_texts
from rerank_lab.pipeline.results import result_of
from rerank_lab.views.compare import CompareOptions, compare
from rerank_lab.views.health import badge
from rerank_lab.views.labels import last_stages, pipeline_colours, seconds, short_labels
from rerank_lab.views.rank_changes import moves
from rerank_lab.views.topic import Topic
from tests.views.made import QUERY, corpus, failed, ids, outcome_of, ranking, result, view

TWO = "bm25 >> identity"


def test_movement_is_counted_against_the_pipelines_own_first_stage() -> None:
    done = result(TWO, [ids(1, 2, 3, 4), ids(4, 2, 1, 3)])
    assert [(m.doc_id, m.before, m.after, m.up) for m in moves(done)] == [
        ("d04", 4, 1, 3),
        ("d02", 2, 2, 0),
        ("d01", 1, 3, -2),
        ("d03", 3, 4, -1),
    ]
    assert [m.shown for m in moves(done)] == ["▲ 3", "=", "▼ 2", "▼ 1"]


def test_a_failed_pipeline_moves_nothing() -> None:
    assert moves(failed(TWO, ids(1, 2))) == []


def test_passages_are_folded_before_movement_is_counted() -> None:
    cut = Corpus(
        "cut",
        (
            Document("a#1", "x", parent="a"),
            Document("a#2", "x", parent="a"),
            Document("b#1", "x", parent="b"),
        ),
    )
    done = result(TWO, [["a#1", "a#2", "b#1"], ["b#1", "a#2", "a#1"]], corpus=cut)
    assert [(m.doc_id, m.before, m.after) for m in moves(done, cut)] == [("b", 2, 1), ("a", 1, 2)]
    with pytest.raises(InvalidInput, match="cut into passages"):
        moves(done)


def test_a_card_carries_what_is_known_of_the_document() -> None:
    made = corpus(grades={"d04": 3, "d02": 0})
    done = result(TWO, [ids(1, 2, 3, 4), ids(4, 2, 1, 3)])
    shown = view([outcome_of(TWO, done)], made, CompareOptions(show=3, pin="d02"))
    first, second, third = shown.columns[0].cards
    assert (first.doc_id, first.rank, first.title, first.grade) == ("d04", 1, "Title 4", 3)
    assert first.movement is not None
    assert first.movement.shown == "▲ 3"
    assert (first.score, first.scale) == (4.0, "logit")
    assert (second.grade, second.pinned, first.pinned) == (0, True, False)
    assert third.grade is None


def test_a_card_without_a_title_shows_the_id_and_the_text_once() -> None:
    pasted = corpus_from_texts("Heat pumps move heat\nGas burns")
    shown = view([outcome_of("bm25", result("bm25", [["d2", "d1"]], corpus=pasted))], pasted)
    card = shown.columns[0].cards[0]
    assert (card.title, "".join(part.text for part in card.snippet)) == ("d2", "Gas burns")


def test_a_first_stage_alone_shows_no_movement() -> None:
    shown = view([outcome_of("bm25", result("bm25", [ids(1, 2)]))], corpus())
    assert [card.movement for card in shown.columns[0].cards] == [None, None]


def test_a_cut_document_is_shown_by_the_passage_that_earned_its_place() -> None:
    cut = Corpus(
        "cut",
        (
            Document("a#1", "the introduction", "Manual", parent="a"),
            Document("a#2", "weekly emails are here", "Manual", parent="a"),
        ),
    )
    done = result("bm25", [["a#2", "a#1"]], corpus=cut)
    card = (
        compare(Topic(QUERY, cut), [outcome_of("bm25", done)], CompareOptions()).columns[0].cards[0]
    )
    assert (card.doc_id, card.passage) == ("a", "a#2")
    assert "weekly" in "".join(part.text for part in card.snippet)


def test_quality_is_measured_with_ceiling_and_headroom() -> None:
    # One document of grade 1 at rank 2: DCG 1/log2(3). Its best place is rank 1: DCG 1.
    made = corpus(grades={"d02": 1, "d01": 0})
    column = view([outcome_of("bm25", result("bm25", [ids(1, 2, 3)]))], made).columns[0]
    assert column.quality is not None
    assert column.quality.ndcg == pytest.approx(0.63093, abs=1e-5)
    assert column.quality.ceiling == pytest.approx(1.0)
    assert column.quality.headroom == pytest.approx(0.36907, abs=1e-5)
    assert column.quality.rr == pytest.approx(0.5)
    assert (column.quality.judged, column.quality.of) == (2, 3)


def test_the_ceiling_counts_what_the_first_stage_missed() -> None:
    made = corpus(grades={"d02": 1, "d20": 1})
    column = view([outcome_of("bm25", result("bm25", [ids(2, 1)]))], made).columns[0]
    assert column.quality is not None
    assert column.quality.ceiling == pytest.approx(1 / (1 + 0.63093), abs=1e-4)
    assert column.quality.headroom == pytest.approx(0.0, abs=1e-9)


def test_nothing_judged_gives_no_measures() -> None:
    column = view([outcome_of("bm25", result("bm25", [ids(1, 2)]))], corpus()).columns[0]
    assert column.quality is not None
    assert (column.quality.ndcg, column.quality.ceiling, column.quality.headroom) == (None,) * 3


def test_the_verdict_names_moves_best_answer_gain_and_headroom() -> None:
    made = corpus(grades={"d14": 3, "d02": 1})
    first = ids(*range(1, 15))
    second = ids(14, *range(1, 14))
    shown = view(
        [
            outcome_of("bm25", result("bm25", [first])),
            outcome_of(TWO, result(TWO, [first, second])),
        ],
        made,
    )
    assert shown.verdict == (
        "identity moves 10 of the top 10; the best judged answer rises 14 → 1; "
        "nDCG@10 0.17 → 0.96. Headroom left: 0.04 nDCG@10."
    )


def test_the_verdict_says_when_the_best_answer_falls_or_is_missing() -> None:
    worse = result(TWO, [ids(1, 2, 3), ids(2, 3, 1)])
    assert "falls 1 → 3" in view([outcome_of(TWO, worse)], corpus(grades={"d01": 2})).verdict
    missing = view([outcome_of(TWO, worse)], corpus(grades={"d29": 2})).verdict
    assert "the best judged answer is not among its candidates" in missing


def test_the_verdict_of_an_unjudged_query_says_so() -> None:
    verdict = view([outcome_of(TWO, result(TWO, [ids(1, 2), ids(2, 1)]))], corpus()).verdict
    assert verdict.startswith("identity moves 2 of the top 2.")
    assert "not judged" in verdict


def test_there_is_no_verdict_while_nothing_is_ready() -> None:
    assert view([outcome_of("bm25", doing="waiting")], corpus()).verdict == ""


def test_a_waiting_column_says_what_is_happening_and_the_others_are_drawn() -> None:
    shown = view(
        [
            outcome_of("bm25", result("bm25", [ids(1, 2)])),
            outcome_of(TWO, doing="scoring", done=40, total=100, elapsed_s=2.1),
        ],
        corpus(),
    )
    assert shown.pending
    assert [column.waiting for column in shown.columns] == [False, True]
    assert len(shown.columns[0].cards) == 2
    assert shown.columns[1].quality is None


def test_a_failed_column_keeps_its_reason_and_spares_the_others() -> None:
    shown = view(
        [
            outcome_of("bm25", result("bm25", [ids(1, 2)])),
            outcome_of(TWO, failed(TWO, ids(1, 2))),
        ],
        corpus(),
    )
    assert not shown.pending
    failure = shown.columns[1].failure
    assert failure is not None
    assert failure.hint == "Choose another one."
    assert shown.columns[1].cards == ()
    assert [column.label for column in shown.ready] == ["bm25"]


def test_an_error_of_the_job_itself_is_a_failure_too() -> None:
    error = BackendError("Out of memory.", hint="Use less.")
    column = view([outcome_of("bm25", error=error)], corpus()).columns[0]
    assert column.failure is error
    assert not column.waiting


def test_warnings_tell_of_cut_texts_and_empty_answers() -> None:
    cut = result("bm25", [ids(1, 2)], [Trace(documents=50, truncated=3, warnings=("old index",))])
    empty = result("bm25", [Ranking.from_order("q1", ())])
    columns = view([outcome_of("bm25", cut), outcome_of(TWO, empty)], corpus()).columns
    assert columns[0].warnings == (
        "old index",
        "3 of 50 texts were cut to the model's length when they were indexed",
    )
    assert columns[1].warnings == ("no document matches",)


def test_a_typed_query_that_is_the_corpus_own_gets_its_judgments() -> None:
    made = corpus(grades={"d01": 2})
    assert Topic.of("  turn off   weekly emails ", made).grades == {"d01": 2}
    assert Topic.of("something else", made).grades == {}


def test_titles_are_never_empty() -> None:
    made = Corpus("t", (Document("d01", "Some words without a title"), Document("d02", "")))
    shown = compare(
        Topic(QUERY, made), [outcome_of("bm25", result("bm25", [ids(1, 2)]))], CompareOptions()
    )
    assert [c.title for c in shown.columns[0].cards] == ["d01", "d02"]


def test_labels_are_as_short_as_they_can_be_told_apart() -> None:
    a, b = "bm25 >> ms-marco-minilm-l12", "rrf(bm25,dense) >> ms-marco-minilm-l12"
    assert last_stages(["bm25", a]) == {"bm25": "bm25", a: "ms-marco-minilm-l12"}
    assert last_stages([a, b]) == {a: a, b: b}
    assert short_labels([a, b]) == {a: a, b: b}
    deep = "bm25(k=50) >> ms-marco-minilm-l12"
    assert short_labels([a, deep]) == {a: a, deep: deep}


def test_labels_show_the_options_in_which_pipelines_differ() -> None:
    sharp, soft = "bm25(b=0.5,k1=0.9) >> mmr", "bm25(b=0.5,k1=2.0) >> mmr"
    assert short_labels([sharp, soft]) == {
        sharp: "bm25(k1=0.9) >> mmr",
        soft: "bm25(k1=2.0) >> mmr",
    }
    # A first stage that differs is named where the names alone would tell the pipelines apart too.
    assert short_labels(["bm25", soft])[soft] == "bm25(b=0.5,k1=2.0) >> mmr"
    assert short_labels([sharp, "bm25(b=0.5,k1=0.9)"])[sharp] == "bm25 >> mmr"
    inside = "rrf(bm25(k1=2.0),dense)"
    assert short_labels(["rrf(bm25,dense)", inside])[inside] == inside
    hosted = [f'bm25 >> cohere(model="rerank-x",top={top})' for top in (5, 9)]
    assert short_labels(hosted)[hosted[0]] == "bm25 >> rerank-x(top=5)"
    assert last_stages([sharp, f"{sharp} >> mmr(top=3)"])[f"{sharp} >> mmr(top=3)"] == "mmr(top=3)"


def test_a_pipeline_keeps_its_colour_while_others_come_and_go() -> None:
    first = pipeline_colours(["a", "b", "c"], {}, 6)
    assert first == {"a": 0, "b": 1, "c": 2}
    later = pipeline_colours(["d", "c", "a"], first, 6)
    assert (later["a"], later["c"], later["d"]) == (0, 2, 1)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0004, "0.4 ms"), (0.0123, "12 ms"), (0.94, "0.94 s"), (12.34, "12.3 s")],
)
def test_times_carry_their_unit(value: float, shown: str) -> None:
    assert seconds(value) == shown


def test_a_health_check_that_failed_is_no_verdict_on_the_model() -> None:
    found = badge(None, BackendError("No memory.", hint="Use less."))
    assert found.state == "unchecked"
    assert badge(None).state == "checking"


def test_scores_of_the_unscored_rest_are_shown_as_none() -> None:
    head = ranking(ids(3, 2), "logit").followed_by(ids(1))
    shown = view([outcome_of(TWO, result(TWO, [ids(1, 2, 3), head]))], corpus())
    assert [card.score for card in shown.columns[0].cards] == [2.0, 1.0, None]


def test_cached_means_that_no_model_had_to_score() -> None:
    done = result(TWO, [ids(1, 2), ids(2, 1)])
    last = done.stages[1]
    stages = (done.stages[0], type(last)(last.node, Status.CACHED, last.trace, last.ranking))
    cached = result_of(TWO, QUERY, stages, corpus())
    assert view([outcome_of(TWO, cached)], corpus()).columns[0].cached
    assert not view([outcome_of(TWO, done)], corpus()).columns[0].cached


def test_a_query_id_is_stable_for_a_typed_text() -> None:
    assert Topic.of("hello there", corpus()).query == Query.of("hello there")
