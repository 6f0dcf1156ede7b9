"""Providers as dated data, read from `providers.toml`: addresses, field names, limits, prices."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rerank_lab.core.spend import CostEstimate


@dataclass(frozen=True, slots=True)
class Price:
    """`amount` of `currency` for `per` units, as read from the domain `source` on `as_of`."""

    amount: float
    per: float
    currency: str
    as_of: str
    source: str

    def of(self, units: float) -> float:
        return self.amount * units / self.per


@dataclass(frozen=True, slots=True)
class HostedModel:
    """`context` in tokens and `documents` a request, 0 when not known."""

    id: str
    context: int = 0
    documents: int = 0
    licence: str = ""
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Limits:
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
    """Where things stand in a reply, as dotted paths; "" where there is no such thing."""

    results: str
    index: str
    score: str
    model: str = ""
    tokens: str = ""
    units: str = ""
    warnings: str = ""
    server_s: str = ""
    mode: str = ""
    error: str = ""


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
    key: str = ""
    key_optional: bool = False
    base_url: str = ""
    auth_header: str = "Authorization"
    auth_prefix: str = "Bearer "
    headers: Mapping[str, str] = field(default_factory=dict)
    request: RequestMap = field(default_factory=RequestMap)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    top: str = ""
    limits: Limits = field(default_factory=Limits)
    listwise: tuple[str, ...] = ()
    truncates: bool = False
    documents_per_unit: int = 0
    free: bool = False
    key_bases: Mapping[str, str] = field(default_factory=dict)
    models: tuple[HostedModel, ...] = ()

    def model(self, model_id: str) -> HostedModel:
        """What is known of a model; nothing is known of one that is not listed."""
        return next((m for m in self.models if m.id == model_id), HostedModel(model_id))

    def is_listwise(self, model_id: str) -> bool:
        """True when a document's score depends on the others in the request."""
        return any(model_id.split("/")[-1].startswith(prefix) for prefix in self.listwise)

    def units(self, documents: int, tokens: int) -> float:
        """What one request of that size is billed, as far as can be told before it."""
        if self.documents_per_unit:
            return float(math.ceil(documents / self.documents_per_unit))
        return float(tokens) if self.unit == "tokens" else 1.0

    def price(self, model_id: str, given: float = -1.0) -> Price | None:
        """The price of a unit: `given` when not negative, else the catalogue's, else None."""
        if given >= 0:
            return Price(given, 1.0, "USD", "", "you")
        if self.free:
            return Price(0.0, 1.0, "USD", self.as_of, "own server")
        return self.model(model_id).price

    def estimate(
        self, model_id: str, requests: Sequence[tuple[int, int]], given: float = -1.0
    ) -> CostEstimate:
        """For requests of (documents, tokens) each."""
        units = sum(self.units(documents, tokens) for documents, tokens in requests)
        price = self.price(model_id, given)
        return CostEstimate(
            len(requests),
            units,
            self.unit,
            price.of(units) if price else None,
            price.currency if price else "USD",
            price.as_of if price else "",
        )


@cache
def providers() -> Mapping[str, Provider]:
    """All providers by name, in the order of the file."""
    raw = tomllib.loads(Path(__file__).with_name("providers.toml").read_text("utf-8"))
    return MappingProxyType({name: _provider(name, entry) for name, entry in raw.items()})


def _provider(name: str, entry: dict[str, Any]) -> Provider:
    entry["reply"] = ReplyMap(**entry["reply"])
    entry["request"] = RequestMap(**entry.get("request", {}))
    entry["limits"] = Limits(**entry.get("limits", {}))
    entry["listwise"] = tuple(entry.get("listwise", ()))
    entry["models"] = tuple(_model(model) for model in entry.get("models", ()))
    return Provider(name=name, **entry)


def _model(entry: dict[str, Any]) -> HostedModel:
    price = entry.pop("price", None)
    return HostedModel(price=Price(**price) if price else None, **entry)
