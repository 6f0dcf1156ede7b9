from __future__ import annotations

from rerank_lab.core.types import Ranking
from rerank_lab.views.bump import bump
from tests.views.made import corpus, ids, outcome_of, result, view

TWO = "bm25 >> identity"
FIRST = ids(*range(1, 13))
SECOND = ids(12, *range(1, 12))


def _made(grades: dict[str, int] | None = None, pin: str = "", everything: bool = False):
    outcomes = [
        outcome_of("bm25", result("bm25", [FIRST])),
        outcome_of(TWO, result(TWO, [FIRST, SECOND])),
    ]
    return bump(view(outcomes, corpus(grades=grades)), pin=pin, everything=everything)


def test_only_documents_that_cross_rank_ten_are_drawn() -> None:
    data = _made()
    assert data is not None
    assert [(line.doc_id, line.places) for line in data.lines] == [
        ("d10", (10, 11)),
        ("d12", (12, 1)),
    ]
    assert data.left_out == 9
    told = "cross rank 10 or are judged relevant; 9 more are in some top 10."
    assert data.left_out_words.endswith(told)


def test_a_chart_without_lines_says_why() -> None:
    same = [
        outcome_of("bm25", result("bm25", [FIRST])),
        outcome_of(TWO, result(TWO, [FIRST, FIRST])),
    ]
    data = bump(view(same, corpus()))
    assert data is not None
    assert data.lines == ()
    assert data.nothing_crosses(so_far=True) == "No document crosses rank 10 so far."
    assert data.nothing_crosses(so_far=False) == (
        "No document crosses rank 10: all pipelines show the same ones."
    )


def test_the_first_stage_is_drawn_once_when_it_is_a_pipeline_itself() -> None:
    data = _made()
    assert data is not None
    assert [str(axis.spec) for axis in data.axes] == ["bm25", TWO]


def test_a_first_stage_that_is_no_pipeline_gets_an_upright_of_its_own() -> None:
    data = bump(view([outcome_of(TWO, result(TWO, [FIRST, SECOND]))], corpus()))
    assert data is not None
    assert [(axis.spec and str(axis.spec), axis.label) for axis in data.axes] == [
        (None, "bm25"),
        (TWO, TWO),
    ]


def test_a_pinned_document_is_drawn_though_it_crosses_nothing() -> None:
    data = _made(pin="d03")
    assert data is not None
    pinned = [line for line in data.lines if line.pinned]
    assert [(line.doc_id, line.places) for line in pinned] == [("d03", (3, 4))]


def test_relevant_documents_are_drawn_wherever_they_stay() -> None:
    data = _made(grades={"d02": 3, "d12": 1})
    assert data is not None
    assert {line.doc_id: line.key for line in data.lines} == {
        "d02": "grade:3",
        "d10": "unjudged",
        "d12": "grade:1",
    }


def test_without_judgments_colour_follows_movement() -> None:
    data = _made()
    assert data is not None
    assert {line.doc_id: line.key for line in data.lines} == {"d10": "down", "d12": "up"}


def test_everything_draws_the_whole_top() -> None:
    data = _made(everything=True)
    assert data is not None
    assert len(data.lines) == 11
    assert data.left_out == 0


def test_tied_documents_stand_where_their_cards_do() -> None:
    tied = Ranking.from_scores("q1", dict.fromkeys(FIRST, 1.0), "logit")
    shown = view([outcome_of(TWO, result(TWO, [FIRST, tied]))], corpus())
    data = bump(shown, everything=True)
    assert data is not None
    places = [line.places[-1] for line in data.lines]
    assert places == [tied.ranks[line.doc_id] for line in data.lines]
    assert len(set(places)) == len(places) > 1


def test_a_document_that_one_pipeline_lacks_has_no_place_there() -> None:
    other = "rank-bm25 >> identity"
    outcomes = [
        outcome_of(TWO, result(TWO, [ids(1, 2), ids(2, 1)])),
        outcome_of(other, result(other, [ids(1, 3), ids(3, 1)])),
    ]
    data = bump(view(outcomes, corpus()))
    assert data is not None
    assert {line.doc_id: line.places for line in data.lines} == {
        "d02": (2, 1, None),
        "d03": (None, None, 1),
    }


def test_one_list_alone_makes_no_chart() -> None:
    assert bump(view([outcome_of("bm25", result("bm25", [FIRST]))], corpus())) is None
    assert bump(view([outcome_of("bm25", doing="waiting")], corpus())) is None


def test_movement_at_the_end_is_what_the_cards_of_the_last_column_say() -> None:
    last = "dense >> identity"
    outcomes = [
        outcome_of(TWO, result(TWO, [FIRST, SECOND])),
        outcome_of(last, result(last, [ids(13, 12, *range(1, 9)), ids(12, 13, *range(1, 9))])),
    ]
    shown = view(outcomes, corpus())
    data = bump(shown, everything=True)
    assert data is not None
    cards = {card.doc_id: card.movement for card in shown.columns[-1].cards}
    lines = {line.doc_id: line for line in data.lines}
    assert {d: lines[d].movement for d in cards} == cards
    movement = lines["d12"].movement
    assert movement is not None
    assert movement.shown == "▲ 1"
    assert lines["d12"].places == (12, 1, 1)
    assert lines["d01"].key == "still"


def test_a_last_column_that_reranks_nothing_has_no_movement() -> None:
    outcomes = [
        outcome_of(TWO, result(TWO, [FIRST, SECOND])),
        outcome_of("dense", result("dense", [SECOND])),
    ]
    data = bump(view(outcomes, corpus()))
    assert data is not None
    assert {line.movement for line in data.lines} == {None}
