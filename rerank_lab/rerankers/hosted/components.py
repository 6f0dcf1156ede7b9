"""The hosted rerankers as components: one a provider of the data, made when it is asked for."""

from __future__ import annotations

from rerank_lab.components.registry import ComponentSet
from rerank_lab.remote.providers import Provider, providers


def _reranker(provider: Provider) -> type:
    """The component class of a provider."""
    from rerank_lab.rerankers.hosted.base import HostedReranker
    from rerank_lab.rerankers.hosted.bedrock import BedrockReranker
    from rerank_lab.rerankers.hosted.options import hosted_info

    base = BedrockReranker if provider.protocol == "bedrock" else HostedReranker
    members = {"provider": provider, "info": hosted_info(provider), "__module__": __name__}
    return type(f"{base.__name__}[{provider.name}]", (base,), members)


hosted = ComponentSet(lambda: tuple(providers()), lambda name: _reranker(providers()[name]))
"""What the entry point group `rerank_lab.reranker_sets` finds."""
