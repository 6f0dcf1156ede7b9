"""Each shape is answered as the service it is named after answers."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rerank_lab.rerankers.rules.overlap import Overlap
from tests.server.conftest import QUERY, SCORES, TEXTS, MakeClient

BODY = {"model": "any", "query": QUERY, "documents": TEXTS}


@pytest.mark.parametrize(("path", "version"), [("/v2/rerank", "2"), ("/v1/rerank", "1")])
def test_documents_are_ordered_with_their_scores(
    client: MakeClient, path: str, version: str
) -> None:
    answer = client().post(path, json=BODY)
    assert answer.status_code == 200
    values = answer.json()
    assert [result["index"] for result in values["results"]] == list(SCORES)
    assert {r["index"]: r["relevance_score"] for r in values["results"]} == pytest.approx(SCORES)
    assert all("document" not in result for result in values["results"])
    assert values["meta"] == {
        "api_version": {"version": version}, "pipeline": "words", "scale": "share",
    }  # fmt: skip
    assert values["model"] == "words"
    assert values["id"]
    assert float(answer.headers["x-total-time"]) >= float(answer.headers["x-inference-time"]) > 0


@pytest.mark.models
def test_headers_and_metrics_say_where_the_time_went(client: MakeClient) -> None:
    api = client(specs={"l12": "bm25 >> ms-marco-minilm-l12"})
    api.post("/v2/rerank", json=BODY)
    headers = api.post("/v2/rerank", json={**BODY, "documents": TEXTS * 20}).headers
    parts = [float(headers[f"x-{part}-time"]) for part in ("queue", "tokenization", "inference")]
    assert parts[1] > 0
    assert parts[2] > parts[1]
    assert sum(parts) <= float(headers["x-total-time"]) + 0.3
    text = api.get("/metrics").text
    assert 'rerank_lab_part_seconds_total{part="tokenise"} 0.' in text
    assert 'rerank_lab_part_seconds_total{part="compute"} 0.000000' not in text


def test_so_many_as_asked_for_come_back_with_their_texts(client: MakeClient) -> None:
    objects = [{"text": text, "author": "x"} for text in TEXTS]
    body = {**BODY, "documents": objects, "top_n": 1, "return_documents": True, "user": None}
    (result,) = client().post("/v1/rerank", json=body).json()["results"]
    assert result["index"] == 1
    assert result["document"] == {"text": TEXTS[1]}


def test_vllm_and_tei_share_a_path(client: MakeClient) -> None:
    api = client()
    vllm = api.post("/rerank", json={**BODY, "truncate_prompt_tokens": 512})
    assert [result["index"] for result in vllm.json()["results"]] == list(SCORES)
    tei = api.post("/rerank", json={"query": QUERY, "texts": TEXTS, "return_text": True})
    assert tei.json() == [
        {"index": place, "score": pytest.approx(score), "text": TEXTS[place]}
        for place, score in SCORES.items()
    ]
    errors = [
        api.post("/rerank", json={"query": QUERY, "documents": []}).json(),
        api.post("/rerank", json={"query": QUERY, "texts": []}).json(),
    ]
    assert errors[0]["error"]["code"] == 422
    assert errors[1]["error_type"] == "Validation"


def test_infinity_answers_with_plain_texts(client: MakeClient) -> None:
    """As infinity-emb 0.0.77 answered, asked with the same body; its usage counts characters."""
    api = client()
    body = {"model": "any", "query": "pump", "documents": ["a pump", "bread"], "top_n": 1}
    values = api.post("/infinity/rerank", json={**body, "return_documents": True}).json()
    assert set(values) == {"object", "results", "model", "usage", "id", "created"}
    assert values["results"] == [{"index": 0, "relevance_score": 1.0, "document": "a pump"}]
    assert values["usage"] == {"prompt_tokens": 19, "total_tokens": 19}
    error = api.post("/infinity/rerank", json={**body, "documents": []}).json()["error"]
    assert (error["code"], error["message"]) == (422, "documents: there are none.")


def test_only_teis_and_infinitys_shapes_turn_logits_into_probabilities(
    client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = [-800.0, 2.0, 0.0]
    target = "rerank_lab.rerankers.rules.overlap.Overlap"
    monkeypatch.setattr(f"{target}.score", lambda *_: logits)
    monkeypatch.setattr(f"{target}.info", replace(Overlap.info, scale="logit"))
    body = {"query": QUERY, "texts": TEXTS}
    plain = client().post("/rerank", json=body).json()
    raw = client().post("/rerank", json={**body, "raw_scores": True}).json()
    infinity = [
        [
            hit["relevance_score"]
            for hit in client().post("/infinity/rerank", json=asked).json()["results"]
        ]
        for asked in (BODY, {**BODY, "raw_scores": True})
    ]
    cohere = client().post("/v2/rerank", json=BODY).json()
    assert [hit["score"] for hit in raw] == [2.0, 0.0, -800.0]
    assert [hit["score"] for hit in plain] == pytest.approx([1 / (1 + math.exp(-2)), 0.5, 0.0])
    assert infinity == [[hit["score"] for hit in plain], [hit["score"] for hit in raw]]
    assert [hit["relevance_score"] for hit in cohere["results"]] == [2.0, 0.0, -800.0]
    assert cohere["meta"]["scale"] == "logit"


def test_a_document_without_a_score_is_left_out_and_that_is_said(client: MakeClient) -> None:
    values = client().post("/v2/rerank", json={**BODY, "documents": [*TEXTS, " "]}).json()
    assert {result["index"] for result in values["results"]} == set(SCORES)
    assert values["meta"]["warnings"][-1] == ("1 of 4 documents are left out: they have no score.")


def test_every_document_is_scored_unless_the_spec_says_how_many(client: MakeClient) -> None:
    many = [f"pump {n}" for n in range(150)]
    body = {**BODY, "documents": many}
    assert len(client().post("/v2/rerank", json=body).json()["results"]) == 150
    bounded = client(specs={"few": "bm25 >> overlap(top=100)"})
    assert len(bounded.post("/v2/rerank", json=body).json()["results"]) == 100


def test_an_order_without_scores_is_refused(client: MakeClient) -> None:
    answer = client(specs={"order": "bm25 >> mmr"}).post("/v2/rerank", json=BODY)
    assert answer.status_code == 422
    assert "order without scores" in answer.json()["message"]


def test_a_single_pipeline_answers_to_every_name_and_several_do_not(client: MakeClient) -> None:
    several = client(specs={"a": "bm25 >> overlap", "b": 'bm25 >> overlap(measure="jaccard")'})
    by_b = several.post("/v2/rerank", json={**BODY, "model": "b"}).json()
    assert by_b["model"] == "b"
    assert by_b["results"][0]["relevance_score"] < 1
    unknown = several.post("/v2/rerank", json=BODY)
    assert unknown.status_code == 404
    assert unknown.json()["message"].endswith("there are a, b.")
    models = several.get("/v1/models").json()["data"]
    assert [model["id"] for model in models] == ["a", "b"]
