from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rerank_lab as rl
from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.pipeline.builders import rerank
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.reranking import Stages, rerank_documents
from rerank_lab.views.rank_changes import moves

Calls = list[tuple[str, Any]]
pytestmark = pytest.mark.usefixtures("plugin")
TEXTS = ["heat pump", "a heat pump moves heat", "heat"]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path / "engine")


def ids(result: rl.Result) -> tuple[str, ...]:
    assert result.ranking is not None, result.error
    return result.ranking.doc_ids


def test_texts_are_reranked_by_their_place_in_the_list(engine: Engine) -> None:
    result = rerank_documents("by-length", "pump", TEXTS, engine=engine)
    assert ids(result) == ("1", "0", "2")
    assert result.ranking is not None
    assert [hit.score for hit in result.ranking] == [22.0, 9.0, 4.0]
    assert result.ranking.scale == "characters"
    assert result.spec == "by-length"
    assert [move.shown for move in moves(result)] == ["▲ 1", "▼ 1", "="]


def test_stages_make_what_a_pipeline_makes_of_the_same_candidates(engine: Engine) -> None:
    corpus = rl.Corpus("c", tuple(Document(f"d{n}", "x" * (n % 4 + 1)) for n in range(8)))
    spec = "by-length(top=5) >> mmr(top=3) >> by-length(sign=-1,top=2)"
    whole = Pipeline(f"as-given >> {spec}").run("q", corpus, engine=engine)
    alone = rerank_documents(spec, "q", corpus.documents, engine=engine)
    assert alone.ranking == whole.ranking
    assert len(alone.stages) == 4
    assert alone.spec == str(Stages(spec)) == spec.replace('"', "")


def test_an_order_has_no_scores(engine: Engine) -> None:
    result = rerank_documents("by-length >> both-ends", "q", TEXTS, engine=engine)
    assert result.ranking is not None
    assert result.ranking.scale == "order"
    assert {hit.score for hit in result.ranking} == {None}


def test_documents_keep_their_ids_and_equal_texts_stay_two(engine: Engine) -> None:
    documents = [Document("b", "same"), Document("a", "same"), "longest of all"]
    assert ids(rerank_documents("by-length", "q", documents, engine=engine)) == ("2", "b", "a")


def test_no_documents_make_an_empty_ranking_without_loading(engine: Engine, plugin: Calls) -> None:
    result = rerank_documents("by-length >> mmr", "q", [], engine=engine)
    assert ids(result) == ()
    assert result.status is Status.OK
    assert plugin == []
    absent = 'cross-encoder(model="no/such-model")'
    assert ids(rerank_documents(absent, "q", [], engine=engine)) == ()


def test_a_failed_stage_is_told_and_ends_it(engine: Engine) -> None:
    result = rerank_documents("faulty >> by-length", "q", TEXTS, engine=engine)
    assert result.ranking is None
    assert result.status is Status.FAILED
    assert [stage.status.value for stage in result.stages] == ["ok", "failed", "skipped"]
    assert result.error is not None
    assert "faulty" in result.error.message
    assert result.error.hint


def test_a_cancelled_call_is_cancelled(engine: Engine) -> None:
    cancel = CancelToken()
    cancel.cancel()
    result = rerank_documents("by-length", "q", TEXTS, Context(cancel=cancel), engine)
    assert result.status is Status.CANCELLED


def test_scores_are_kept_but_not_whole_stages(engine: Engine, plugin: Calls) -> None:
    first = rerank_documents("by-length", "q", TEXTS, engine=engine)
    plugin.clear()
    again = rerank_documents("by-length", "q", TEXTS, engine=engine)
    assert again.ranking == first.ranking
    assert again.status is Status.CACHED
    assert not again.reused
    assert plugin == []


FIRST = [
    "as-given >> by-length(top=5)",
    "as-given",
    "rrf(as-given,bm25)",
    "rrf(bm25,as-given) >> by-length(top=5)",
    "weighted(mmr,as-given) >> by-length(top=5)",
]


@pytest.mark.parametrize("spec", FIRST)
def test_a_first_stage_is_refused_with_the_stages_that_would_do(spec: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Stages(spec)
    assert re.search("is a first stage, not a reranker|are first stages", caught.value.message)
    assert len(caught.value.problems) == 1
    offered = caught.value.hint.split("alone: ")[1].split(" - or")[0]
    if "by-length" in spec:
        assert offered == "by-length(top=5)"
    Stages(offered)


def test_rerankers_fused_over_the_candidates(engine: Engine, plugin: Calls) -> None:
    stages = Stages("rrf(by-length,by-length(sign=-1),fetched)")
    result = stages.rerank("q", TEXTS, engine=engine)
    assert ids(result) == ("1", "0", "2")
    assert result.ranking is not None
    assert (result.ranking.scale, stages.scale) == ("rrf", "rrf")
    assert stages.check(engine) == []
    plugin.clear()
    stages.load(engine=Engine(engine.home / "other"))
    assert len(plugin) == 3


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        Stages("by-lenght >> mmr(balance=2.0)")
    assert len(caught.value.problems) == 2
    assert "by-length" in caught.value.message
    assert "first stage" not in caught.value.message


def test_the_first_stage_of_a_pipeline_is_left_out() -> None:
    pipeline = Pipeline("as-given >> by-length(top=5) >> mmr")
    assert Stages(pipeline) == Stages("by-length(top=5) >> mmr")
    assert hash(Stages(pipeline)) == hash(Stages(Stages(pipeline)))
    with pytest.raises(InvalidInput, match="no reranker"):
        Stages(Pipeline("as-given"))


def test_a_name_of_both_kinds_is_the_reranker_here() -> None:
    assert [node.name for node in Stages("splade >> mmr").spec.nodes] == ["splade-tiny", "mmr"]
    assert Stages(rerank("by-length", top=5) >> rerank("mmr")) == Stages("by-length(top=5) >> mmr")


@pytest.mark.parametrize("query", ["", "  \n", Query("q1", " ")])
def test_an_empty_query_is_refused(query: Query | str, engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="query is empty"):
        rerank_documents("by-length", query, TEXTS, engine=engine)


def test_an_id_used_twice_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="'a'"):
        rerank_documents("mmr", "q", [Document("a", "x"), Document("a", "y")], engine=engine)


def test_check_and_load_say_what_is_missing(engine: Engine, plugin: Calls) -> None:
    assert Stages("by-length >> mmr").check(engine) == []
    (problem,) = Stages("by-length >> tei").check(engine)
    assert "address" in problem.message
    absent = Stages('by-length >> cross-encoder(model="no/such-model")')
    with pytest.raises(rl.LabError, match="no/such-model"):
        absent.load(engine=engine)
    plugin.clear()
    Stages("fetched >> mmr").load(engine=engine)
    assert plugin == [("load", "by-length")]
    assert (Stages("mmr >> by-length").scale, Stages("by-length >> mmr").scale) == (
        "characters",
        "order",
    )


@settings(max_examples=25)
@given(st.lists(st.text(max_size=6), max_size=12), st.integers(1, 12))
def test_nothing_is_lost_or_made_up(texts: Sequence[str], top: int) -> None:
    result = rerank_documents(f"overlap(top={top}) >> mmr(top={top})", "a b", texts, Context())
    assert sorted(ids(result), key=int) == [str(n) for n in range(len(texts))]
