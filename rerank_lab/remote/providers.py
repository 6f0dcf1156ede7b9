"""Providers as dated data, read from `providers.toml`: addresses, field names, limits, prices."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from rerank_lab.core.spend import CostEstimate
from rerank_lab.remote import urls


@dataclass(frozen=True, slots=True)
class Price:
    """`amount` of `currency` for `per` units, as read from the domain `source` on `as_of`."""

    amount: float
    per: float
    currency: str
    as_of: str
    source: str

    def of(self, units: float) -> float:
        """What so many units cost."""
        return self.amount * units / self.per


@dataclass(frozen=True, slots=True)
class HostedModel:
    """`context` in tokens and `documents` a request, 0 when not known.

    `note` says what is not confirmed of it.
    """

    id: str
    context: int = 0
    documents: int = 0
    licence: str = ""
    price: Price | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """Of one request, and requests and tokens a minute; 0 where none is known."""

    documents: int = 1000
    tokens: int = 0
    bytes: int = 8_000_000
    rpm: int = 0
    tpm: int = 0


@dataclass(frozen=True, slots=True)
class RequestMap:
    """Field names of a request. "" leaves a field out; a `wrap` makes `{wrap: text}` of a text."""

    model: str = "model"
    query: str = "query"
    documents: str = "documents"
    wrap: str = ""
    wrap_query: str = ""


@dataclass(frozen=True, slots=True)
class ReplyMap:
    """Where things stand in a reply, as dotted paths; "" where there is no such thing.

    `tokens_header` and `server_ms_header` are headers; `next_page` is the token of a further page.
    """

    results: str = ""
    index: str = "index"
    score: str = "relevance_score"
    model: str = ""
    tokens: str = ""
    units: str = ""
    warnings: str = ""
    server_s: str = ""
    spans: str = ""
    error: str = ""
    next_page: str = ""
    tokens_header: str = ""
    server_ms_header: str = ""


@dataclass(frozen=True, slots=True)
class ProviderOption:
    """An option of one provider's reranker beside those that all share.

    `field` is where its value goes in a request, as a dotted path; a value at its default is left
    out, unless `always`. `not_for` are prefixes of models that refuse the field. `sets` names what
    the value decides in place of a field: "documents" of a request, or "context", the tokens that
    are read of a document. `echo` is where a reply repeats the value that was in force.
    """

    name: str
    default: str | int | float | bool
    help: str
    label: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    automatic: str = ""
    execution: bool = False
    field: str = ""
    always: bool = False
    not_for: tuple[str, ...] = ()
    sets: Literal["", "documents", "context"] = ""
    echo: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider. See the head of `providers.toml` for what each field means."""

    name: str
    title: str
    path: str
    scale: str
    unit: str
    default: str
    as_of: str
    source: str
    reply: ReplyMap
    summary: str = ""
    key: str = ""
    key_optional: bool = False
    base_url: str = ""
    hosted_path: str = ""
    auth_header: str = "Authorization"
    auth_prefix: str = "Bearer "
    headers: Mapping[str, str] = field(default_factory=dict)
    request: RequestMap = field(default_factory=RequestMap)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    top: str = ""
    options: tuple[ProviderOption, ...] = ()
    instruction_layout: str = ""
    follows_instructions: tuple[str, ...] = ()
    limits: ProviderLimits = field(default_factory=ProviderLimits)
    listwise: tuple[str, ...] = ()
    truncates: bool = False
    documents_per_unit: int = 0
    free: bool = False
    key_bases: Mapping[str, str] = field(default_factory=dict)
    models: tuple[HostedModel, ...] = ()
    protocol: Literal["", "bedrock", "chat"] = ""
    recorded_path: bool = True

    def model(self, model_id: str) -> HostedModel:
        """What is known of a model; nothing is known of one that is not listed."""
        return next((m for m in self.models if m.id == model_id), HostedModel(model_id))

    @property
    def hosts(self) -> set[str]:
        """The provider's own hosts."""
        bases = [self.base_url, *self.key_bases.values()]
        return {urls.host_of(base) for base in bases if base}

    def is_listwise(self, model_id: str) -> bool:
        """True when a document's score depends on the others in the request."""
        return any(model_id.split("/")[-1].startswith(prefix) for prefix in self.listwise)

    def units(self, documents: int, tokens: int) -> float:
        """What one request of that size is billed, as far as can be told before it."""
        if self.documents_per_unit:
            return float(math.ceil(documents / self.documents_per_unit))
        return float(tokens) if self.unit == "tokens" else 1.0

    def price(self, model_id: str, stated: float = -1.0, address: str = "") -> Price | None:
        """The price of a unit, None when it is not known.

        Args:
            model_id: The model in use.
            stated: The price that a user stated; negative for none.
            address: The address that a user typed, if any. A server of one's own is free on this
                machine or network; elsewhere somebody may bill it. The listed prices are those at
                the provider's own addresses: what a gateway bills is not known.
        """
        if stated >= 0:
            return Price(stated, 1.0, "USD", "", "you")
        if self.free and (not address or urls.is_private(address)):
            return Price(0.0, 1.0, "USD", self.as_of, "own server")
        elsewhere = bool(address) and urls.host_of(address) not in self.hosts
        return None if self.free or elsewhere else self.model(model_id).price

    def estimate(
        self, model_id: str, requests: Sequence[tuple[int, int]], price: Price | None
    ) -> CostEstimate:
        """What requests of (documents, tokens) each would take at that price of a unit."""
        units = sum(self.units(documents, tokens) for documents, tokens in requests)
        return CostEstimate(
            len(requests),
            units,
            self.unit,
            price.of(units) if price else None,
            price.currency if price else "USD",
            price.as_of if price else "",
            () if price else (f"the price of {model_id or self.title}",),
        )


@cache
def providers() -> Mapping[str, Provider]:
    """All providers by name, in the order of the file."""
    entries = tomllib.loads(Path(__file__).with_name("providers.toml").read_text("utf-8"))
    return MappingProxyType(
        {name: msgspec.convert(entry | {"name": name}, Provider) for name, entry in entries.items()}
    )
