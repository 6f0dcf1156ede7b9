from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import BackendError, Cancelled, ContractViolation, InvalidInput
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline, pipelines
from rerank_lab.pipeline.results import StageDone, StageFailed, StageStarted
from rerank_lab.pipeline.single_flight import SingleFlight

Calls = list[tuple[str, Any]]
pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def corpus() -> Corpus:
    return Corpus("c", tuple(Document(f"d{n}", "x" * (n % 4 + 1)) for n in range(8)))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path / "engine")


def test_a_pipeline_runs_stage_by_stage(corpus: Corpus, engine: Engine) -> None:
    events = list(Pipeline("as-given >> by-length").events("q", corpus, engine=engine))
    kinds = [type(event) for event in events]
    assert kinds == [StageStarted, StageDone, StageStarted, StageDone]
    result = Pipeline("as-given >> by-length").run("q", corpus, engine=engine)
    assert result.ranking is not None
    assert result.ranking.doc_ids == ("d3", "d7", "d2", "d6", "d1", "d5", "d0", "d4")
    assert result.ranking.scale == "characters"
    assert result.status is Status.OK


def test_only_the_top_is_reranked_and_the_rest_keeps_its_order(
    corpus: Corpus, engine: Engine
) -> None:
    result = Pipeline("as-given >> by-length(top=3)").run("q", corpus, engine=engine)
    assert result.ranking is not None
    assert result.ranking.doc_ids == ("d2", "d1", "d0", "d3", "d4", "d5", "d6", "d7")
    assert [hit.score for hit in result.ranking][:4] == [3.0, 2.0, 1.0, None]


def test_pipelines_that_share_a_prefix_run_it_once(
    corpus: Corpus, engine: Engine, plugin: Calls
) -> None:
    for spec in ("as-given", "as-given >> by-length", "as-given >> by-length(sign=-1)"):
        Pipeline(spec).run("q", corpus, engine=engine)
    assert plugin.count(("build", 8)) == 1
    assert plugin.count(("search", "q")) == 1


def test_a_repeated_query_is_answered_without_any_work(
    corpus: Corpus, engine: Engine, plugin: Calls
) -> None:
    first = Pipeline("as-given >> by-length").run("q", corpus, engine=engine)
    before = len(plugin)
    again = Pipeline("as-given >> by-length").run("q", corpus, engine=engine)
    assert len(plugin) == before
    assert again.reused
    assert again.ranking == first.ranking
    assert again.trace == first.trace


def test_scores_outlive_the_process(corpus: Corpus, tmp_path: Path, plugin: Calls) -> None:
    Pipeline("as-given >> by-length").run("q", corpus, engine=Engine(tmp_path / "e"))
    plugin.clear()
    later = Pipeline("as-given >> by-length").run("q", corpus, engine=Engine(tmp_path / "e"))
    assert later.status is Status.CACHED
    assert not [call for call in plugin if call[0] in ("by-length", "load")]
    assert later.stages[1].trace.cache_hits == 4  # eight documents, four different texts


def test_measuring_afresh_uses_neither_memo_nor_cache(
    corpus: Corpus, engine: Engine, plugin: Calls
) -> None:
    for _ in range(2):
        Pipeline("as-given >> by-length").run("q", corpus, Context(), engine)
    assert plugin.count(("search", "q")) == 2
    assert plugin.count(("by-length", 4)) == 2


def test_another_depth_reuses_the_scores_it_knows(
    corpus: Corpus, engine: Engine, plugin: Calls
) -> None:
    Pipeline("as-given >> by-length(top=8)").run("q", corpus, engine=engine)
    plugin.clear()
    result = Pipeline("as-given >> by-length(top=4)").run("q", corpus, engine=engine)
    assert plugin == []
    assert result.status is Status.CACHED


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("faulty", BackendError, "ZeroDivisionError: no such luck"),
        ("not-a-number", BackendError, "not a number"),
        ("short", ContractViolation, "returned 3 scores for 4 documents"),
        ("loses", ContractViolation, "permutation"),
    ],
)
def test_a_failing_reranker_is_a_failed_cell_with_its_reason(
    corpus: Corpus, engine: Engine, name: str, kind: type[Exception], words: str
) -> None:
    result = Pipeline(f"as-given >> {name} >> by-length").run("q", corpus, engine=engine)
    assert result.ranking is None
    assert [stage.status for stage in result.stages] == [Status.OK, Status.FAILED, Status.SKIPPED]
    assert result.status is Status.FAILED
    assert isinstance(result.error, kind)
    assert words in result.error.message
    assert result.error.hint


def test_a_failure_is_tried_again_the_next_time(
    corpus: Corpus, engine: Engine, plugin: Calls
) -> None:
    pipeline = Pipeline("as-given >> faulty")
    assert pipeline.run("q", corpus, engine=engine).status is Status.FAILED
    events = list(pipeline.events("q", corpus, engine=engine))
    assert isinstance(events[-1], StageFailed)


def test_weights_are_fetched_before_results_are_kept_under_them(
    corpus: Corpus, engine: Engine
) -> None:
    result = Pipeline("as-given >> fetched").run("q", corpus, engine=engine)
    assert (result.status, result.error) == (Status.OK, None)


def test_a_cancelled_query_says_so(corpus: Corpus, engine: Engine) -> None:
    token = CancelToken()
    token.cancel()
    result = Pipeline("as-given >> by-length").run("q", corpus, Context(cancel=token), engine)
    assert result.status is Status.CANCELLED
    assert isinstance(result.error, Cancelled)


def test_a_deadline_stops_the_pipeline(corpus: Corpus, engine: Engine) -> None:
    late = Context(deadline=time.monotonic() - 1)
    result = Pipeline("as-given").run("q", corpus, late, engine)
    assert result.status is Status.FAILED
    assert result.error is not None
    assert result.error.kind == "deadline_exceeded"


def test_passages_are_folded_to_their_documents(engine: Engine) -> None:
    passages = (
        Document("a#p1", "x", parent="a"),
        Document("a#p2", "xxxx", parent="a"),
        Document("b#p1", "xxx", parent="b"),
    )
    result = Pipeline("as-given >> by-length").run("q", Corpus("c", passages), engine=engine)
    assert result.ranking is not None
    assert result.ranking.doc_ids == ("a", "b")
    assert result.passages == {"a": "a#p2", "b": "b#p1"}
    inner = result.stages[-1].ranking
    assert inner is not None
    assert inner.doc_ids == ("a#p2", "b#p1", "a#p1")


def test_fusion_keeps_its_parts_for_the_picture(corpus: Corpus, engine: Engine) -> None:
    result = Pipeline("rrf(as-given,as-given(k=3))").run("q", corpus, engine=engine)
    parts = result.stages[0].parts
    assert [len(part.ranking or ()) for part in parts] == [8, 3]
    assert result.ranking is not None
    assert result.ranking.scale == "rrf"


def test_rerankers_are_fused_over_the_same_candidates(corpus: Corpus, engine: Engine) -> None:
    spec = "as-given >> rrf(by-length,by-length(sign=-1),top=4)"
    result = Pipeline(spec).run("q", corpus, engine=engine)
    assert result.ranking is not None
    # d0..d3 are 1 to 4 long, so the orders are opposite: the ends tie, and the middle ties below.
    assert result.ranking.doc_ids == ("d0", "d3", "d1", "d2", "d4", "d5", "d6", "d7")
    assert result.ranking.scale == "rrf"
    assert [hit.score for hit in result.ranking][4:] == [None] * 4
    parts = result.stages[1].parts
    assert [part.ranking.doc_ids for part in parts if part.ranking] == [
        ("d3", "d2", "d1", "d0"),
        ("d0", "d1", "d2", "d3"),
    ]


def test_a_fused_reranker_counts_only_with_what_it_reranked(corpus: Corpus, engine: Engine) -> None:
    spec = "as-given >> weighted(by-length,by-length(top=2))"
    result = Pipeline(spec).run("q", corpus, engine=engine)
    assert result.ranking is not None, result.error
    # The second list holds d1 and d0 only: d1 gains half a point by it, d0 nothing.
    assert dict(zip(result.ranking.doc_ids, result.ranking, strict=True))["d1"].score == (
        pytest.approx(0.5 * (1 / 3) + 0.5)
    )


def test_scores_of_a_first_stage_take_part_in_a_fusion_of_rerankers(
    corpus: Corpus, engine: Engine
) -> None:
    spec = "as-given(k=4) >> rrf(by-length,as-given)"
    result = Pipeline(spec).run("q", corpus, engine=engine)
    assert result.ranking is not None
    assert sorted(result.ranking.doc_ids) == ["d0", "d1", "d2", "d3"]
    searched = result.stages[1].parts[1].ranking
    assert searched is not None
    assert len(searched) == 8  # deeper than the candidates, so that all of them are found


def test_a_fusion_shares_the_work_of_its_rerankers(
    corpus: Corpus, engine: Engine, plugin: Calls
) -> None:
    Pipeline("as-given >> by-length").run("q", corpus, engine=engine)
    assert plugin.count(("by-length", 4)) == 1
    result = Pipeline("as-given >> rrf(by-length,by-length(sign=-1))").run(
        "q", corpus, engine=engine
    )
    assert [part.reused for part in result.stages[1].parts] == [True, False]
    assert plugin.count(("by-length", 4)) == 2  # only the other sign scored anew


def test_a_fusion_fails_with_the_reranker_that_failed(corpus: Corpus, engine: Engine) -> None:
    result = Pipeline("as-given >> rrf(by-length,loses)").run("q", corpus, engine=engine)
    assert result.ranking is None
    assert result.status is Status.FAILED
    assert isinstance(result.error, ContractViolation)


def test_leaves_tell_what_each_component_is_used_as() -> None:
    spec = "rrf(as-given,as-given(k=3)) >> weighted(by-length,rrf(as-given,as-given(k=9)))"
    assert [(str(node), kind) for node, kind in Pipeline(spec).leaves] == [
        ("as-given", "retriever"),
        ("as-given(k=3)", "retriever"),
        ("by-length", "reranker"),
        ("as-given", "retriever"),
        ("as-given(k=9)", "retriever"),
    ]


def test_what_is_unknown_inside_a_fusion_of_rerankers_is_called_a_reranker() -> None:
    with pytest.raises(InvalidInput, match="there is no reranker 'by-lenth'"):
        Pipeline("as-given >> rrf(by-length,by-lenth)")


def test_an_empty_corpus_is_explained(engine: Engine) -> None:
    result = Pipeline("as-given").run("q", Corpus("void", ()), engine=engine)
    assert isinstance(result.error, InvalidInput)
    assert "no documents" in result.error.message


def test_depth_fills_in_only_what_is_not_said() -> None:
    assert str(Pipeline("as-given").at_depth(50)) == "as-given(k=50)"
    assert str(Pipeline("as-given(k=7)").at_depth(50)) == "as-given(k=7)"
    deep = Pipeline("rrf(as-given,as-given(k=7)) >> by-length").at_depth(50)
    assert str(deep) == "rrf(as-given(k=50),as-given(k=7),top=50) >> by-length"


def test_pipelines_compose_and_compare_by_their_spec() -> None:
    assert Pipeline("as-given") >> "by-length(top=5)" == Pipeline("as-given >> by-length(top=5)")
    assert len({Pipeline("as-given"), Pipeline("as-given(k=100)")}) == 1


def test_many_specs_are_checked_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        pipelines(["as-given", "as-gven", "as-given >> by-lenth"])
    assert len(caught.value.problems) == 2


def test_two_users_asking_the_same_compute_it_once(
    corpus: Corpus, engine: Engine, plugin: Calls
) -> None:
    pipeline, query = Pipeline("as-given >> by-length"), Query("q1", "same")
    threads = [
        threading.Thread(target=lambda: pipeline.run(query, corpus, engine=engine))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert plugin.count(("search", "same")) == 1
    assert plugin.count(("by-length", 4)) == 1


def test_when_the_one_at_work_is_cancelled_the_next_takes_over() -> None:
    memo: SingleFlight[str] = SingleFlight(4)
    working, token, got = threading.Event(), CancelToken(), []

    def slow() -> str:
        working.set()
        while not token.cancelled:
            time.sleep(0.005)
        raise Cancelled

    def first() -> None:
        with pytest.raises(Cancelled):
            memo.get("k", slow, Context())

    def second() -> None:
        got.append(memo.get("k", lambda: "mine", Context()))

    threads = [threading.Thread(target=first)]
    threads[0].start()
    working.wait(5)
    threads.append(threading.Thread(target=second))
    threads[1].start()
    time.sleep(0.05)
    token.cancel()
    for thread in threads:
        thread.join(5)
    assert got == [("mine", False)]


def test_a_memo_holds_no_more_than_its_limit() -> None:
    dropped: list[int] = []
    memo: SingleFlight[int] = SingleFlight(2, dropped.append)
    for n in range(4):
        memo.get(n, lambda n=n: n, Context())  # type: ignore[misc]
    assert dropped == [0, 1]
    assert memo.get(3, lambda: -1, Context()) == (3, True)
