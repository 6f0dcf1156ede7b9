"""The options that all hosted rerankers share, and how their Info is made from the data."""

from __future__ import annotations

from rerank_lab.components.base import Info, Param
from rerank_lab.remote.providers import Provider, ProviderOption
from rerank_lab.rerankers.base import TOP
from rerank_lab.rerankers.long_documents import LONG

MAX_CONCURRENCY = 16


def hosted_info(provider: Provider) -> Info:
    """The Info of a provider's component: the shared options and those of its data."""
    own = (_own(option) for option in provider.options)
    return Info(
        name=provider.name,
        kind="reranker",
        family="hosted",
        summary=provider.summary or f"{provider.title}'s rerank API.",
        scale=provider.scale,
        params=(TOP, *_connection(provider), LONG, *own, *_execution(provider)),
        extra="hosted",
        key_variable=provider.key,
        lane="network",
        deterministic=False,
    )


def _own(option: ProviderOption) -> Param:
    """An option of the provider's, which is sent under its own name."""
    return Param(
        option.name,
        option.default,
        option.help,
        low=option.low,
        high=option.high,
        choices=option.choices,
        unit=option.unit,
        label=option.label,
        execution=option.execution,
        automatic=option.automatic,
    )


def _connection(provider: Provider) -> tuple[Param, ...]:
    where = provider.base_url or "the address of your server"
    return (
        Param("model", provider.default, "Model name, as the provider writes it.", label="Model"),
        Param("base_url", "", f"Another address than {where}.", label="Base URL"),
    )


def _most(limit: int) -> str:
    return f"{limit:,}, the provider's" if limit else "no limit"


def _execution(provider: Provider) -> tuple[Param, ...]:
    limits = provider.limits
    return (
        Param("timeout_s", 30.0, "Longest wait for one request, further attempts included.",
              0.1, 600.0, unit="seconds", label="Timeout", execution=True),
        Param("retries", 3, "How often a request is sent again when the fault may pass.", 0, 8,
              label="Retries", execution=True),
        Param("concurrency", 4, "Requests of one query side by side.", 1, MAX_CONCURRENCY,
              label="Side by side", execution=True),
        Param("requests_per_minute", 0,
              f"Your plan's limit; 0 for {limits.rpm or 'none'}.", 0, 1_000_000,
              label="Requests a minute", execution=True, automatic=_most(limits.rpm)),
        Param("tokens_per_minute", 0,
              f"Your plan's limit; 0 for {limits.tpm or 'none'}.", 0, 1_000_000_000,
              label="Tokens a minute", execution=True, automatic=_most(limits.tpm)),
        Param("price", -1.0,
              f"USD for one of the {provider.unit} billed; -1 for the dated price list.",
              -1.0, 1000.0, unit="USD", label="Price", execution=True,
              automatic="by the price list"),
    )  # fmt: skip
