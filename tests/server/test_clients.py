"""Real clients over real sockets: Cohere's SDK, and the hosted components of this project."""

from __future__ import annotations

from pathlib import Path

import cohere
import pytest

import rerank_lab as rl
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.server.keys import ApiKeys
from tests.server.conftest import QUERY, SCORES, TEXTS, listening

KEY = "a-key-of-thirty-two-characters-00"


def test_coheres_sdk_reads_answers_and_errors(home: Path) -> None:
    with listening(home, keys=ApiKeys([KEY])) as address:
        second = cohere.ClientV2(KEY, base_url=address)
        answer = second.rerank(model="rerank-v3.5", query=QUERY, documents=TEXTS, top_n=2)
        assert [(r.index, r.relevance_score) for r in answer.results] == [
            (1, 1.0),
            (2, pytest.approx(1 / 3)),
        ]
        first = cohere.Client(KEY, base_url=address)
        with_texts = first.rerank(query=QUERY, documents=TEXTS, return_documents=True)
        document = with_texts.results[0].document
        assert document is not None
        assert document.text == TEXTS[1]
        with pytest.raises(cohere.errors.UnauthorizedError):
            cohere.ClientV2("wrong", base_url=address).rerank(
                model="m", query=QUERY, documents=TEXTS
            )


@pytest.mark.parametrize("name", ["cohere", "jina", "tei", "vllm"])
def test_the_hosted_components_get_the_scores_of_the_pipeline(
    home: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    monkeypatch.setenv(f"{name.upper()}_API_KEY", KEY)
    with listening(home, keys=ApiKeys([KEY])) as address:
        result = rl.rerank_documents(f'{name}(base_url="{address}")', QUERY, TEXTS)
    assert result.error is None
    assert result.ranking is not None
    assert {int(hit.doc_id): hit.score for hit in result.ranking} == pytest.approx(SCORES)
