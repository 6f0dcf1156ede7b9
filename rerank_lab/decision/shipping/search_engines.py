"""A pipeline as requests to Elasticsearch or OpenSearch, where those have its stages.

Elasticsearch: the `text_similarity_reranker` retriever over an inference endpoint of the task
`rerank`. OpenSearch: a search pipeline with the `rerank` response processor. Both know one
reranking stage that scores query and text together, after a query of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerank_lab.components.catalogue import catalogue
from rerank_lab.components.registry import expand
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.decision.shipping.shipment import Shipment, ShippedFile, ShippingForm, file_stem

_SERVICES = {"cohere": "cohere", "jina": "jinaai", "voyage": "voyageai"}
"""Hosted rerankers that both have -> the name of Elasticsearch's inference service."""
_BM25_DEFAULTS = (1.2, 0.75)
"""k1 and b of an index that says nothing else."""
_INDEX, _FIELD, _QUERY = "my-index", "content", "the words to search for"
_PUBLISHED = {
    "cross-encoder/ms-marco-MiniLM-L-6-v2": "huggingface/cross-encoders/ms-marco-MiniLM-L-6-v2",
    "cross-encoder/ms-marco-MiniLM-L-12-v2": "huggingface/cross-encoders/ms-marco-MiniLM-L-12-v2",
}
"""Hub id -> the name of the cross-encoders that OpenSearch itself publishes."""


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One request: method, path, and a JSON body. `purpose` is a line of our own words."""

    purpose: str
    method: str
    path: str
    body: Mapping[str, Any]


def elasticsearch_requests(spec: PipelineSpec, name: str) -> Shipment:
    """An inference endpoint and a search with `text_similarity_reranker`."""
    sentence = (
        "For Kibana's console: put your index, field and key in. Elasticsearch's own analysis and "
        "weights find the candidates and score them, so orders may differ a little."
    )
    absence = _absence(spec, "Elasticsearch")
    if absence:
        return Shipment("elasticsearch", "Elasticsearch", sentence, absence=absence)
    first = {"standard": {"query": {"match": {_FIELD: _QUERY}}}}
    requests = _similarity(spec.source)
    retriever: dict[str, Any] = first
    if spec.stages:
        info, options = expand(spec.stages[0], "reranker")
        endpoint = f"{file_stem(name).replace('_', '-')}-rerank"
        requests.append(_inference(endpoint, info.name, str(options["model"])))
        retriever = {
            "text_similarity_reranker": {
                "retriever": first,
                "field": _FIELD,
                "inference_id": endpoint,
                "inference_text": _QUERY,
                "rank_window_size": _window(spec.source, options["top"]),
            }
        }
    body = {"retriever": retriever, "size": 10}
    requests.append(EngineRequest("Search.", "POST", f"/{_INDEX}/_search", body))
    return _shipped("elasticsearch", "Elasticsearch", sentence, name, requests)


def opensearch_requests(spec: PipelineSpec, name: str) -> Shipment:
    """A search pipeline with the `rerank` processor, and a search through it."""
    sentence = (
        "For OpenSearch's console: put your index, field and the id of the model in. Its own "
        "analysis and weights find the candidates and score them, so orders may differ a little."
    )
    absence = _absence(spec, "OpenSearch")
    if absence:
        return Shipment("opensearch", "OpenSearch", sentence, absence=absence)
    query = {"match": {_FIELD: _QUERY}}
    if not spec.stages:
        plain = EngineRequest("Search.", "POST", f"/{_INDEX}/_search", {"query": query, "size": 10})
        requests = [*_similarity(spec.source), plain]
        return _shipped("opensearch", "OpenSearch", sentence, name, requests)
    info, options = expand(spec.stages[0], "reranker")
    pipeline = f"{file_stem(name)}_rerank"
    processor = {
        "rerank": {
            "ml_opensearch": {"model_id": "THE_ID_OF_THE_DEPLOYED_MODEL"},
            "context": {"document_fields": [_FIELD]},
        }
    }
    requests = [
        *_similarity(spec.source),
        _registration(info.name, str(options["model"])),
        EngineRequest(
            "Make the search pipeline, with the id that the deployed model was given.",
            "PUT",
            f"/_search/pipeline/{pipeline}",
            {"response_processors": [processor]},
        ),
        EngineRequest(
            "Search. All hits of this size are reranked.",
            "POST",
            f"/{_INDEX}/_search?search_pipeline={pipeline}",
            {
                "query": query,
                "size": _window(spec.source, options["top"]),
                "ext": {"rerank": {"query_context": {"query_text": _QUERY}}},
            },
        ),
    ]
    return _shipped("opensearch", "OpenSearch", sentence, name, requests)


def _absence(spec: PipelineSpec, engine: str) -> str:
    """Why the engine has no such request; "" when it has."""
    if spec.source.sources or expand(spec.source, "retriever")[0].name != "bm25":
        return (
            f"The first stage {spec.source} has no counterpart in a plain query of {engine}; only "
            "bm25 has one here."
        )
    if len(spec.stages) > 1:
        return f"{engine} reranks once, and the pipeline has {len(spec.stages)} reranking stages."
    return _absence_of_stage(spec.stages[0], engine) if spec.stages else ""


def _absence_of_stage(stage: Node, engine: str) -> str:
    if stage.sources:
        return f"{engine} has no counterpart of the fusion {stage.name} as a reranking stage."
    info, options = expand(stage, "reranker")
    if info.name == "cross-encoder":
        return ""
    if info.name in _SERVICES and not options.get("base_url"):
        return ""
    known = f"cross-encoders and {', '.join(sorted(_SERVICES))}"
    return f"{engine} has no counterpart of the stage {info.name}; this form exists for {known}."


def _similarity(source: Node) -> list[EngineRequest]:
    """The weights of BM25 for a new index, where they are not those that engines begin with."""
    options = expand(source, "retriever")[1]
    k1, b = float(options["k1"]), float(options["b"])
    if (k1, b) == _BM25_DEFAULTS:
        return []
    similarity = {"default": {"type": "BM25", "k1": k1, "b": b}}
    body = {"settings": {"index": {"similarity": similarity}}}
    return [EngineRequest("Make the index with these weights of BM25.", "PUT", f"/{_INDEX}", body)]


def _window(source: Node, top: object) -> int:
    """So many candidates are reranked: no more than the first stage hands over."""
    return min(int(str(top)), int(expand(source, "retriever")[1]["k"]))


def _inference(endpoint: str, reranker: str, model: str) -> EngineRequest:
    """The inference endpoint of Elasticsearch for a hosted or an uploaded model."""
    if reranker in _SERVICES:
        settings: dict[str, Any] = {"api_key": "YOUR_KEY", "model_id": model}
        service, purpose = _SERVICES[reranker], "Make the inference endpoint, once."
    else:
        hub = _hub(model)
        settings = {
            "model_id": hub.replace("/", "__").casefold(),
            "num_allocations": 1,
            "num_threads": 1,
        }
        service = "elasticsearch"
        purpose = (
            "Make the inference endpoint, once the model was uploaded with eland_import_hub_model "
            "and --task-type text_similarity."
        )
    body = {"service": service, "service_settings": settings}
    return EngineRequest(purpose, "PUT", f"/_inference/rerank/{endpoint}", body)


def _registration(reranker: str, model: str) -> EngineRequest:
    """How OpenSearch is given the model."""
    hub = _hub(model)
    path = "/_plugins/_ml/models/_register?deploy=true"
    if reranker == "cross-encoder" and hub in _PUBLISHED:
        body: dict[str, Any] = {
            "name": _PUBLISHED[hub],
            "version": "1.0.2",
            "model_format": "TORCH_SCRIPT",
        }
        return EngineRequest("Register the model and note its id.", "POST", path, body)
    if reranker == "cross-encoder":
        body = {
            "name": hub,
            "version": "1.0.0",
            "function_name": "TEXT_SIMILARITY",
            "model_format": "TORCH_SCRIPT",
            "model_content_hash_value": "THE_SHA256_OF_YOUR_ZIP",
            "url": "THE_ADDRESS_OF_YOUR_ZIP",
            "model_config": {
                "model_type": "bert",
                "embedding_dimension": 1,
                "framework_type": "huggingface_transformers",
            },
        }
        purpose = "Register the model, exported as TorchScript, and note its id."
        return EngineRequest(purpose, "POST", path, body)
    body = {"name": model, "function_name": "remote", "connector_id": "THE_ID_OF_YOUR_CONNECTOR"}
    purpose = f"Register the model behind a connector to {reranker}, and note its id."
    return EngineRequest(purpose, "POST", path, body)


def _hub(model: str) -> str:
    return catalogue()[model].hub if model in catalogue() else model


def _shipped(
    form: ShippingForm, title: str, sentence: str, name: str, requests: Sequence[EngineRequest]
) -> Shipment:
    """The requests as a console reads them: a comment, method and path, a JSON body."""
    parts = [
        f"# {one.purpose}\n{one.method} {one.path}\n{json.dumps(one.body, indent=2)}\n"
        for one in requests
    ]
    file = ShippedFile.text(f"{file_stem(name)}_{form}.txt", "\n".join(parts))
    return Shipment(form, title, sentence, (file,))
