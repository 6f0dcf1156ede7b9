"""What goes wrong now and then: a missing package, an odd reply, orders that were half answered."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, MissingExtra
from rerank_lab.core.types import Status
from rerank_lab.rerankers.hosted.probe import probe
from rerank_lab.rerankers.llm.listwise import Listwise
from rerank_lab.rerankers.llm.pairwise import Pairwise
from rerank_lab.rerankers.llm.prompts import prompt_text
from rerank_lab.rerankers.llm.setwise import Setwise
from rerank_lab.testing.chat_server import FakeChat, Question, Reply, sorter

from .conftest import QUERY, Serve, by_value, documents, make

DOCS = documents([1, 3, 2])
DOCS_IN_ORDER = documents([1, 2, 3])


def altered(server: FakeChat, change: Any) -> FakeChat:
    """The server, with `change` made to every good reply."""
    answer = server.answer

    def changed(path: str, headers: Any, body: Any) -> tuple[int, Any]:
        status, payload = answer(path, headers, body)
        change(payload)
        return status, payload

    server.answer = changed  # type: ignore[method-assign]
    return server


def test_a_missing_package_is_said_before_any_work_and_when_it_runs(
    serve: Serve, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "httpcore" else find(name, *a)
    )
    server = serve()
    reranker = make(Listwise, server)
    (problem,) = reranker.problems()
    assert isinstance(problem, MissingExtra)
    assert "llm" in problem.hint
    with pytest.raises(MissingExtra):
        reranker.rerank(QUERY, DOCS, ctx)
    assert not server.requests


def test_a_model_in_this_process_wants_no_key_and_costs_nothing() -> None:
    local = Listwise(backend="local", price_in=5.0, price_out=5.0)
    assert local.missing_key(Context()) is None
    estimate = local.cost_estimate(QUERY, DOCS)
    assert estimate.amount == 0.0
    assert estimate.units > 0


def test_a_model_in_this_process_tells_every_letter_apart() -> None:
    assert Listwise(form="first", window=26, backend="local").window == 26
    assert Listwise(form="first", window=26).window == 20


def test_a_reply_without_a_message_is_an_empty_answer(serve: Serve, ctx: Context) -> None:
    def silent(payload: Any) -> None:
        payload["choices"][0]["message"] = None

    done = make(Listwise, altered(serve(), silent)).rerank(QUERY, DOCS, ctx)
    assert done.status is Status.FALLBACK
    assert done.trace.counts["empty"] == 2


@pytest.mark.parametrize("n", [2, 3, 5, 7, 11])
def test_no_tournament_asks_about_those_who_go_on_anyway(
    serve: Serve, ctx: Context, n: int
) -> None:
    server = serve()
    reranker = make(Listwise, server, form="tourrank", window=2, step=1)
    reranker.rerank(QUERY, documents(range(n)), ctx)
    assert reranker.calls(n) == (len(server.requests),) * 2  # type: ignore[attr-defined]


def test_orders_that_were_answered_count_and_the_rest_is_told(serve: Serve, ctx: Context) -> None:
    first: list[str] = []

    def mind(question: Question) -> Reply:
        """Answers only when the order shown is not the first one it saw."""
        shown = " ".join(text for _, text in question.passages)
        first.append(shown)
        return Reply("?") if shown == first[0] else sorter(by_value)(question)

    done = make(Listwise, serve(mind), shuffles=4).rerank(QUERY, documents([1, 2, 3, 4]), ctx)
    assert done.status is Status.FALLBACK
    assert done.ranking.doc_ids == ("d4", "d3", "d2", "d1")
    assert "3 of 4 shuffled orders were answered." in done.trace.warnings


def test_a_check_of_an_endpoint_tells_an_answer_that_is_none_from_an_odd_one(
    serve: Serve, ctx: Context
) -> None:
    silent = probe(make(Listwise, serve(lambda q: Reply("Hello!"))), ctx)
    assert (silent.works, silent.sensible, silent.kind) == (True, False, "no_order")
    lazy = probe(make(Listwise, serve(lambda q: Reply("[1] > [2]"))), ctx)
    assert (lazy.works, lazy.sensible, lazy.kind) == (True, False, "odd_order")


@pytest.mark.parametrize(
    ("said", "repairs"),
    [("[3, 2, 1]", 1), ("[3, 3]", 1), ("[3, 2]", 0)],
    ids=["more", "fewer", "as"],
)
def test_a_choice_of_more_or_fewer_than_asked_for_is_counted_as_repaired(
    serve: Serve, ctx: Context, said: str, repairs: int
) -> None:
    def mind(question: Question) -> Reply:
        return Reply(said) if question.keep == 2 else sorter(by_value)(question)

    done = make(Listwise, serve(mind), form="tourrank").rerank(QUERY, DOCS_IN_ORDER, ctx)
    assert done.trace.repairs == repairs
    assert (done.status is Status.REPAIRED) is bool(repairs)
    assert sorted(done.ranking.doc_ids) == ["d1", "d2", "d3"]


def test_only_first_is_bound_by_the_probabilities_that_are_told() -> None:
    assert Listwise(window=40, step=20).window == 40


def test_a_step_that_does_not_fit_is_found_before_any_work(serve: Serve) -> None:
    (problem,) = make(Listwise, serve(), window=5, step=7).problems()
    assert "does not fit" in problem.message


def test_picks_need_no_probabilities(serve: Serve, ctx: Context) -> None:
    done = make(Setwise, serve(logprobs=0)).rerank(QUERY, DOCS, ctx)
    assert done.ranking.doc_ids[0] == "d3"


def test_a_sort_of_pairs_asks_less_than_all_pairs_and_gives_no_scores(
    serve: Serve, ctx: Context
) -> None:
    server = serve()
    done = make(Pairwise, server, sort="heapsort", keep=1).rerank(QUERY, documents(range(9)), ctx)
    assert done.ranking.doc_ids[0] == "d8"
    assert all(hit.score is None for hit in done.ranking)
    assert len(server.requests) < 9 * 8


def test_what_a_sort_of_pairs_takes_is_announced() -> None:
    assert Pairwise(sort="allpairs").calls(100) == (9900, 9900)
    # One pass brings the best up; both orders of each pair are asked.
    assert Pairwise(sort="bubblesort", keep=1).calls(9) == (16, 16)


def test_the_text_of_a_prompt_that_is_not_there(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("kind: lïstwise".encode("latin-1"))
    for name in ("nothing-of-the-kind", str(tmp_path / "none.yaml"), str(latin)):
        with pytest.raises(InvalidInput, match="no prompt"):
            prompt_text(name)
