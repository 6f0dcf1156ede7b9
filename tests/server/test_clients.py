"""Real clients over real sockets: SDKs, frameworks, and the hosted components of this project."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cohere
import pytest
import rerankers
from haystack import Document as HaystackDocument
from haystack.utils import Secret
from langchain_core.documents import Document as LangChainDocument
from llama_index.core.schema import NodeWithScore, TextNode

import rerank_lab as rl
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.server.keys import ApiKeys
from tests.server.conftest import QUERY, SCORES, TEXTS, listening

KEY = "a-key-of-thirty-two-characters-00"
Scored = list[tuple[int, float]]
"""Place in the list of documents, and score, best first."""


@pytest.fixture
def address(home: Path) -> Iterator[str]:
    with listening(home, keys=ApiKeys([KEY])) as address:
        yield address


def cohere_v2(address: str) -> Scored:
    client = cohere.ClientV2(KEY, base_url=address)
    answer = client.rerank(model="rerank-v3.5", query=QUERY, documents=TEXTS)
    return [(result.index, result.relevance_score) for result in answer.results]


def cohere_v1(address: str) -> Scored:
    answer = cohere.Client(KEY, base_url=address).rerank(query=QUERY, documents=TEXTS)
    return [(result.index, result.relevance_score) for result in answer.results]


def cohere_v2_async(address: str) -> Scored:
    async def ask() -> Scored:
        async with cohere.AsyncClientV2(KEY, base_url=address) as client:
            answer = await client.rerank(model="m", query=QUERY, documents=TEXTS)
        return [(result.index, result.relevance_score) for result in answer.results]

    return asyncio.run(ask())


def cohere_v1_async(address: str) -> Scored:
    async def ask() -> Scored:
        async with cohere.AsyncClient(KEY, base_url=address) as client:
            answer = await client.rerank(query=QUERY, documents=[{"text": t} for t in TEXTS])
        return [(result.index, result.relevance_score) for result in answer.results]

    return asyncio.run(ask())


def langchain(address: str) -> Scored:
    langchain_cohere = pytest.importorskip("langchain_cohere")
    compressor = langchain_cohere.CohereRerank(
        base_url=address, cohere_api_key=KEY, model="m", top_n=None
    )
    documents = [LangChainDocument(text, metadata={"n": n}) for n, text in enumerate(TEXTS)]
    ranked = compressor.compress_documents(documents, QUERY)
    return [(item.metadata["n"], item.metadata["relevance_score"]) for item in ranked]


def nodes() -> list[NodeWithScore]:
    return [NodeWithScore(node=TextNode(text=text, id_=str(n))) for n, text in enumerate(TEXTS)]


def llama_index(address: str) -> Scored:
    # Which with LangChain's holds Cohere's SDK back: `make test` installs both without their pins.
    cohere_rerank = pytest.importorskip("llama_index.postprocessor.cohere_rerank")
    postprocessor = cohere_rerank.CohereRerank(api_key=KEY, base_url=address, top_n=3)
    ranked = postprocessor.postprocess_nodes(nodes(), query_str=QUERY)
    return [(int(item.node_id), item.score) for item in ranked]


def llama_index_jina(address: str) -> Scored:
    from llama_index.postprocessor.jinaai_rerank import JinaRerank

    postprocessor = JinaRerank(api_key=KEY, base_url=f"{address}/v1", top_n=3)
    ranked = postprocessor.postprocess_nodes(nodes(), query_str=QUERY)
    return [(int(item.node_id), item.score) for item in ranked]


def llama_index_tei(address: str) -> Scored:
    from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

    postprocessor = TextEmbeddingInference(base_url=address, auth_token=f"Bearer {KEY}")
    ranked = postprocessor.postprocess_nodes(nodes(), query_str=QUERY)
    return [(int(item.node_id), item.score) for item in ranked]


def haystack(address: str) -> Scored:
    from haystack_integrations.components.rankers.cohere import CohereRanker

    ranker = CohereRanker(api_key=Secret.from_token(KEY), api_base_url=address)
    ranker.warm_up()
    documents = [HaystackDocument(id=str(n), content=text) for n, text in enumerate(TEXTS)]
    ranked = ranker.run(query=QUERY, documents=documents)["documents"]
    return [(int(document.id), document.score) for document in ranked]


def litellm(provider: str) -> Callable[[str], Scored]:
    def ask(address: str) -> Scored:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it asks GitHub for prices otherwise
        import litellm

        answer = litellm.rerank(
            model=f"{provider}/any",
            query=QUERY,
            documents=TEXTS,
            # For infinity it expects documents as plain texts, for vLLM as objects.
            api_base=f"{address}/infinity" if provider == "infinity" else address,
            api_key=KEY,
        )
        assert answer.results is not None
        return [(result["index"], result["relevance_score"]) for result in answer.results]

    ask.__name__ = f"litellm_{provider}"
    return ask


def rerankers_of(provider: str, path: str) -> Callable[[str], Scored]:
    def ask(address: str) -> Scored:
        ranker = rerankers.Reranker(
            "any",
            model_type="APIRanker",
            api_provider=provider,
            api_key=KEY,
            verbose=0,
            url=address + path,
        )
        ranked = ranker.rank(QUERY, TEXTS, doc_ids=[0, 1, 2])
        return [(result.document.doc_id, result.score) for result in ranked]

    ask.__name__ = f"rerankers_{provider}"
    return ask


CLIENTS = [
    cohere_v2,
    cohere_v1,
    cohere_v2_async,
    cohere_v1_async,
    langchain,
    llama_index,
    llama_index_jina,
    llama_index_tei,
    haystack,
    *map(litellm, ["cohere", "jina_ai", "infinity", "hosted_vllm", "huggingface"]),
    rerankers_of("cohere", "/v1/rerank"),
    rerankers_of("jina", "/v1/rerank"),
    rerankers_of("text-embeddings-inference", "/rerank"),
]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_a_client_gets_the_order_and_scores_that_python_gives(
    address: str, client: Callable[[str], Scored]
) -> None:
    result = rl.rerank_documents("overlap", QUERY, TEXTS)
    assert result.ranking is not None
    expected = [(int(hit.doc_id), hit.score) for hit in result.ranking]
    assert dict(expected) == pytest.approx(SCORES)
    assert client(address) == expected


def test_coheres_sdk_reads_a_cut_list_texts_and_errors(address: str) -> None:
    second = cohere.ClientV2(KEY, base_url=address)
    answer = second.rerank(model="rerank-v3.5", query=QUERY, documents=TEXTS, top_n=2)
    assert [result.index for result in answer.results] == [1, 2]
    first = cohere.Client(KEY, base_url=address)
    with_texts = first.rerank(query=QUERY, documents=TEXTS, return_documents=True)
    document = with_texts.results[0].document
    assert document is not None
    assert document.text == TEXTS[1]
    with pytest.raises(cohere.errors.UnauthorizedError):
        cohere.ClientV2("wrong", base_url=address).rerank(model="m", query=QUERY, documents=TEXTS)


@pytest.mark.parametrize("name", ["cohere", "jina", "tei", "vllm", "infinity"])
def test_the_hosted_components_get_the_scores_of_the_pipeline(
    address: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    monkeypatch.setenv(f"{name.upper()}_API_KEY", KEY)
    base_url = f"{address}/infinity" if name == "infinity" else address
    result = rl.rerank_documents(f'{name}(base_url="{base_url}")', QUERY, TEXTS)
    assert result.error is None
    assert result.ranking is not None
    assert {int(hit.doc_id): hit.score for hit in result.ranking} == pytest.approx(SCORES)
