"""Answers in other tools' shapes, read by those tools' own models where they are at hand."""

from __future__ import annotations

import datetime
import json
import math
from pathlib import Path
from typing import Any

import pytest

import rerank_lab as rl
from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.core.types import Document
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.reranking import rerank_documents
from rerank_lab.views.compare import CompareOptions, compare
from rerank_lab.views.export import to_lines
from rerank_lab.views.response_formats import plain, to_cohere, to_rerankers
from rerank_lab.views.topic import Topic
from tests.views.made import outcome_of

pytestmark = pytest.mark.usefixtures("plugin")
TEXTS = ["heat pump", "a heat pump moves heat", "heat"]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path / "engine")


def cohere_reads(shown: dict[str, Any]) -> Any:
    """The answer as Cohere's own client holds it; every field is checked by its model."""
    cohere = pytest.importorskip("cohere")
    from cohere.core.unchecked_base_model import construct_type

    text = json.dumps(shown, allow_nan=False)
    strict = cohere.V2RerankResponse.model_validate_json(text)
    loose = construct_type(type_=cohere.V2RerankResponse, object_=json.loads(text))
    assert strict == loose
    return loose


def rerankers_reads(shown: dict[str, Any]) -> Any:
    """The answer in the classes of `rerankers`, which check that a score or a rank is there."""
    rerankers = pytest.importorskip("rerankers")
    results = pytest.importorskip("rerankers.results")
    made = [
        results.Result(rerankers.Document(**one["document"]), one["score"], one["rank"])
        for one in json.loads(json.dumps(shown, allow_nan=False))["results"]
    ]
    return results.RankedResults(made, shown["query"], shown["has_scores"])


def test_cohere_reads_its_shape_and_its_index_finds_the_text_given(engine: Engine) -> None:
    result = rerank_documents("by-length", "pump", TEXTS, engine=engine)
    read = cohere_reads(to_cohere(result, TEXTS))
    assert [(r.index, r.relevance_score) for r in read.results] == [(1, 22.0), (0, 9.0), (2, 4.0)]
    assert [r.document["text"] for r in read.results] == [TEXTS[r.index] for r in read.results]
    assert read.id
    assert read.meta.api_version.version == "2"
    assert (read.meta.pipeline, read.meta.scale) == ("by-length", "characters")
    assert read.meta.warnings == [
        "The scores are on the scale 'characters', not between 0 and 1 as Cohere's are."
    ]


def test_the_same_result_gives_the_same_answer_another_one_another_id(engine: Engine) -> None:
    first, again, other = (
        to_cohere(rerank_documents("by-length", query, TEXTS, engine=engine), TEXTS)
        for query in ("pump", "pump", "heat")
    )
    assert first == again
    assert first["id"] != other["id"]


def test_cohere_gets_no_score_that_is_not_there(engine: Engine) -> None:
    part = rerank_documents("by-length(top=2)", "pump", TEXTS, engine=engine)
    shown = to_cohere(part, TEXTS)
    assert [one["index"] for one in shown["results"]] == [1, 0]
    assert "1 of 3 documents are left out" in shown["meta"]["warnings"][0]
    order = rerank_documents("by-length >> mmr", "pump", TEXTS, engine=engine)
    with pytest.raises(InvalidInput, match="order without scores") as caught:
        to_cohere(order, TEXTS)
    assert "rerankers" in caught.value.hint
    none = rerank_documents("mmr", "pump", [], engine=engine)
    assert to_cohere(none, [])["results"] == []


def test_scores_between_0_and_1_need_no_warning(engine: Engine) -> None:
    result = rerank_documents("by-length", "q", ["y", "x"], engine=engine)
    assert "warnings" not in to_cohere(result, ["y", "x"])["meta"]


def test_rerankers_reads_its_shape(engine: Engine) -> None:
    documents = [
        Document("b", "heat", "Pumps", {"page": 3}),
        Document("a", "a heat pump moves heat"),
        Document("c", "cold"),
    ]
    result = rerank_documents("by-length(top=2)", "pump", documents, engine=engine)
    shown = to_rerankers(result, documents)
    assert (shown["has_scores"], shown["scale"]) == (True, "characters")
    read = rerankers_reads(shown)
    assert [one.doc_id for one in read.top_k(3)] == ["a", "b", "c"]
    assert [one.score for one in read] == [22.0, 10.0, None]
    assert [one.rank for one in read] == [1, 2, 3]
    assert read[1].text == "Pumps heat"
    assert read[1].metadata == {"page": 3, "title": "Pumps"}
    assert read.query == "pump"


def test_rerankers_takes_an_order_without_scores(engine: Engine) -> None:
    result = rerank_documents("by-length >> both-ends", "pump", TEXTS, engine=engine)
    shown = to_rerankers(result, TEXTS, 2)
    assert not shown["has_scores"]
    assert [one["score"] for one in shown["results"]] == [None, None]
    assert [one.doc_id for one in rerankers_reads(shown).top_k(2)] == ["1", "2"]


@pytest.mark.parametrize("make", [to_cohere, to_rerankers])
def test_passages_speak_for_their_documents(make: Any, engine: Engine) -> None:
    corpus = Corpus(
        "c",
        (
            Document("d1#0", "x", parent="d1"),
            Document("d1#1", "the longest passage", parent="d1"),
            Document("d2#0", "middling", parent="d2"),
        ),
    )
    result = Pipeline("as-given >> by-length(sign=-1)").run("q", corpus, engine=engine)
    longest = Pipeline("as-given >> by-length").run("q", corpus, engine=engine)
    first = make(result, corpus)["results"][0]["document"]
    last = make(longest, corpus)["results"]
    assert first["text"] == "x"
    assert last[0]["document"]["text"] == "the longest passage"
    assert [one["document"].get("id", one["document"].get("doc_id")) for one in last] == [
        "d1",
        "d2",
    ]
    if make is to_cohere:
        assert [one["index"] for one in last] == [0, 1]


@pytest.mark.parametrize("make", [to_cohere, to_rerankers])
def test_a_failed_pipeline_is_its_error(make: Any, engine: Engine) -> None:
    result = rerank_documents("faulty", "q", TEXTS, engine=engine)
    with pytest.raises(BackendError, match="faulty"):
        make(result, TEXTS)


def test_other_documents_than_those_reranked_are_told(engine: Engine) -> None:
    result = rerank_documents("by-length", "q", TEXTS, engine=engine)
    with pytest.raises(InvalidInput, match="no document"):
        rl.to_rerankers(result, TEXTS[:1])


def test_what_json_has_no_word_for_becomes_text() -> None:
    day = datetime.date(2026, 1, 2)
    odd = {1: day, "n": math.nan, "t": (True, None, {"x": {2.5}})}
    assert plain(odd) == {"1": "2026-01-02", "n": None, "t": [True, None, {"x": [2.5]}]}


def test_a_comparison_as_lines_leaves_out_what_has_no_scores(engine: Engine) -> None:
    corpus = Corpus("c", tuple(Document(str(n), text) for n, text in enumerate(TEXTS)))
    specs = ["as-given >> by-length", "as-given >> mmr", "as-given >> faulty"]
    outcomes = [outcome_of(s, Pipeline(s).run("q", corpus, engine=engine)) for s in specs]
    view = compare(Topic(outcomes[0].result.query, corpus), outcomes, CompareOptions())  # type: ignore[union-attr]
    (line,) = to_lines(view, "cohere").splitlines()
    assert json.loads(line)["meta"]["pipeline"] == "as-given >> by-length"
    read = cohere_reads(json.loads(line))
    assert [one.index for one in read.results] == [1, 0, 2]
    lines = [json.loads(line) for line in to_lines(view, "rerankers").splitlines()]
    assert [one["pipeline"] for one in lines] == specs[:2]
