"""What is known of the components of a pipeline: by the catalogue, providers and this machine."""

from __future__ import annotations

from collections.abc import Mapping

from rerank_lab.components.base import Info
from rerank_lab.components.catalogue import catalogue
from rerank_lab.components.registry import expand, pipeline_leaves, resolve
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Literal as Value
from rerank_lab.decision.facts import StageFacts
from rerank_lab.models import availability
from rerank_lab.remote import urls
from rerank_lab.remote.providers import providers
from rerank_lab.rerankers.llm.chat import chat_provider

_PROVIDER_TERMS = "the provider's terms"
"""The licence of a hosted model whose weights are not open."""


def stage_facts(pipeline: str) -> tuple[StageFacts, ...]:
    """The facts of each component of a pipeline; none for a pipeline that is not of this lab."""
    try:
        expanded = [expand(node, kind) for node, kind in pipeline_leaves(resolve(pipeline))]
    except LabError:
        return ()
    if any(info.name == "run" for info, _ in expanded):
        return ()
    return tuple(_of_component(info, options) for info, options in expanded)


def _of_component(info: Info, options: Mapping[str, Value]) -> StageFacts:
    model, lane = str(options.get("model") or ""), info.lane_of(options)
    address = str(options.get("base_url") or "").strip()
    remote = lane == "network"
    entry = catalogue().get(model)
    return StageFacts(
        model,
        remote,
        asks_for_gpu=lane == "gpu" or options.get("device") == "cuda",
        licence=_hosted_licence(info.name, model, address) if remote else _licence(model),
        languages=frozenset(entry.languages) if entry else frozenset(),
        receivers=_receivers(info, address, str(options.get("key_variable") or "")),
        size=(entry.size if entry and entry.size else availability(model).size) if model else 0,
    )


def _licence(model: str) -> str:
    entry = catalogue().get(model)
    return entry.licence if entry else ""


def _hosted_licence(name: str, model: str, address: str) -> str:
    """Of a model behind an API: nobody knows it where the server is in the house."""
    if name in providers():
        return providers()[name].model(model).licence or _PROVIDER_TERMS
    return "" if address and urls.is_private(address) else _PROVIDER_TERMS


def _receivers(info: Info, address: str, key_variable: str) -> tuple[str, ...]:
    """Who gets texts from a component that sends some; nobody when the server is in the house."""
    if address and urls.is_private(address):
        return ()
    if info.name in providers():
        return (urls.host_of(address) if address else providers()[info.name].title,)
    if info.family == "llm":
        return (chat_provider(address, key_variable).title or urls.host_of(address),)
    return (urls.host_of(address) if address else info.name,)
