"""What is shown of hosted rerankers, as plain values: providers, keys, estimates, calls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from rerank_lab.context import Context
from rerank_lab.engine import Engine
from rerank_lab.errors import LabError
from rerank_lab.pipeline import Pipeline, Result
from rerank_lab.registry import expand, load
from rerank_lab.rerank.base import Reranker
from rerank_lab.rerank.hosted.base import HostedReranker
from rerank_lab.rerank.hosted.bedrock import KEY_ID, SECRET, TOKEN
from rerank_lab.rerank.llm.asking import Asking
from rerank_lab.spec import Node
from rerank_lab.spend import Estimate
from rerank_lab.types import Document, Query, Status, Trace
from rerank_lab.views.words import counted
from rerank_lab.wire.providers import HostedModel, Provider, providers

KEY_STATES = {
    "session": "entered in this session",
    "environment": "set where the app runs",
    "optional": "not needed by every server",
    "missing": "not set",
}


@dataclass(frozen=True, slots=True)
class KeyField:
    """One key to ask for. `state` is session, environment, optional or missing; never the key."""

    variable: str
    title: str
    state: str

    @property
    def state_words(self) -> str:
        return KEY_STATES[self.state]


@dataclass(frozen=True, slots=True)
class HostedModelLine:
    """A model of the dated list; `price` in words, with its date, or that none is known."""

    id: str
    context: str
    licence: str
    price: str


@dataclass(frozen=True, slots=True)
class ProviderLine:
    """One provider. `problem` and `hint` are empty when a request could be sent now."""

    name: str
    title: str
    summary: str
    address: str
    keys: tuple[KeyField, ...]
    models: tuple[HostedModelLine, ...]
    default_model: str
    unit: str
    as_of: str
    source: str
    problem: str
    hint: str

    @property
    def ready(self) -> bool:
        return not self.problem


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What one column's calls were: words for each, "" where there is nothing to say."""

    status: str
    model: str
    other_model: bool
    calls: str
    retries: str
    repairs: str
    tokens: str
    units: str
    cost: str
    server: str
    cache: str


def provider_lines(ctx: Context) -> tuple[ProviderLine, ...]:
    """Every provider, those that could be used now first. Nothing is sent."""
    lines = [_line(name, provider, ctx) for name, provider in providers().items()]
    return tuple(sorted(lines, key=lambda line: not line.ready))


def key_fields(provider: Provider, ctx: Context) -> tuple[KeyField, ...]:
    """The keys that a provider takes, each with where it stands."""
    names = (KEY_ID, SECRET, TOKEN) if provider.key == SECRET else (provider.key,)
    return tuple(
        KeyField(name, provider.title, _state(name, provider.key_optional or name == TOKEN, ctx))
        for name in names
    )


def estimate(
    pipeline: Pipeline, query: Query, docs: Sequence[Document], engine: Engine
) -> tuple[Estimate, ...]:
    """What the hosted stages of a pipeline would take for one query with these candidates.

    Raises LabError when a stage could not run on them at all.
    """
    return _estimates(pipeline.spec.stages, query, docs, engine)


def _estimates(
    nodes: Sequence[Node], query: Query, docs: Sequence[Document], engine: Engine
) -> tuple[Estimate, ...]:
    found = []
    for node in nodes:
        reranker = engine.reranker(node)
        if isinstance(reranker, HostedReranker | Asking) and _outside(reranker):
            # Of the node, not of the reranker: one serves every depth.
            top = int(expand(node, "reranker")[1]["top"])
            found.append(reranker.estimate(query, docs[:top]))
    return tuple(found)


def _outside(reranker: Reranker) -> bool:
    return not (isinstance(reranker, Asking) and reranker.local)


def calls_out(pipeline: Pipeline) -> bool:
    """Whether a stage sends texts to a provider or server, perhaps with a key."""
    lanes = (expand(node, "reranker")[0].lane for node in pipeline.spec.stages)
    return "network" in lanes


def expected_words(
    nodes: Sequence[Node], query: Query, docs: Sequence[Document], engine: Engine
) -> str:
    """What these stages would take for these candidates, in words; "" for local ones.

    Also "" when a stage cannot run on them: its own error says why when it does.
    """
    try:
        found = _estimates(nodes, query, docs, engine)
    except LabError:
        return ""
    return "; ".join(estimate_words(one) for one in found)


def estimate_words(estimate: Estimate, queries: int = 1) -> str:
    """`300 requests, about 420,000 tokens, about $0.021 at prices of 2026-07-27`."""
    calls, units = estimate.calls * queries, estimate.units * queries
    parts = [counted(calls, "request"), f"about {units:,.0f} {estimate.unit}"]
    if estimate.unit == "requests":
        parts.pop()
    if estimate.cost is None:
        return ", ".join(parts) + ", price not known"
    if estimate.cost == 0:
        return ", ".join(parts) + ", no charge"
    dated = f" at prices of {estimate.as_of}" if estimate.as_of else ""
    return ", ".join(parts) + f", about {money(estimate.cost * queries, estimate.currency)}{dated}"


def call_facts(trace: Trace, status: Status) -> CallFacts:
    """The facts of a hosted stage's trace in words."""
    asked, served = trace.model_asked, trace.model_served
    other = bool(asked and served and asked != served)
    return CallFacts(
        status=str(status),
        model=f"{served} (asked for {asked})" if other else served or asked,
        other_model=other,
        calls=counted(trace.calls, "request") if trace.calls else "",
        retries=counted(trace.retries, "retry", "retries") if trace.retries else "",
        repairs=counted(trace.repairs, "repair") if trace.repairs else "",
        tokens=f"{trace.tokens_in:,} tokens" if trace.tokens_in else "",
        units=_units_words(trace),
        cost=_cost_words(trace),
        server=f"{trace.server_s * 1000:.0f} ms of it at the server" if trace.server_s else "",
        cache=f"{trace.cache_hits} of {trace.documents} from cache" if trace.cache_hits else "",
    )


def facts_line(result: Result) -> str:
    """`rerank-v4.0-fast · 1 request · 1 search unit · price not known`, or "" without any call.

    What was cut, repaired or left as it was is told among the warnings.
    """
    lines = []
    for stage in result.stages:
        trace = stage.trace
        if not (trace.units or trace.network_s or trace.model_asked):
            continue
        facts = call_facts(trace, stage.status)
        units = "" if facts.units == facts.tokens else facts.units
        told = (facts.model, facts.calls, facts.retries, facts.tokens, units, facts.cost,
                facts.server, facts.cache)  # fmt: skip
        lines.append(" · ".join(fact for fact in told if fact))
    return "; ".join(line for line in lines if line)


def money(amount: float, currency: str = "USD") -> str:
    """`$0.021`, `$1.20`, `EUR 3.00`: two digits that mean something, however small."""
    sign = "$" if currency == "USD" else f"{currency} "
    if amount == 0 or amount >= 1:
        return f"{sign}{amount:,.2f}"
    return f"{sign}{float(f'{amount:.2g}'):.10f}".rstrip("0")


def _units_words(trace: Trace) -> str:
    if not trace.units:
        return ""
    unit = trace.unit.removesuffix("s") if trace.units == 1 else trace.unit
    return f"{trace.units:,g} {unit}"


def _cost_words(trace: Trace) -> str:
    if not trace.units:
        return ""
    return money(trace.cost, trace.cost_unit) if trace.cost_unit else "price not known"


def _line(name: str, provider: Provider, ctx: Context) -> ProviderLine:
    reranker: HostedReranker = load("reranker", name)()
    problem = next(iter(reranker.problems()), None) or reranker.missing_key(ctx)
    return ProviderLine(
        name=name,
        title=provider.title,
        summary=reranker.info.summary,
        address=_address(reranker),
        keys=key_fields(provider, ctx),
        models=tuple(_model_line(provider, model) for model in provider.models),
        default_model=provider.default,
        unit=provider.unit,
        as_of=provider.as_of,
        source=provider.source,
        problem=problem.message if problem else "",
        hint=problem.hint if problem else "",
    )


def _address(reranker: HostedReranker) -> str:
    try:
        return reranker.base_url()
    except LabError:
        return ""


def _model_line(provider: Provider, model: HostedModel) -> HostedModelLine:
    price = provider.price(model.id)
    words = "price not known"
    if provider.free:
        words = "your own server"
    elif price:
        words = f"{money(price.amount, price.currency)} for {price.per:,.0f} {provider.unit}"
        words += f" ({price.source}, {price.as_of})"
    context = f"{model.context:,} tokens" if model.context else ""
    return HostedModelLine(model.id, context, model.licence, words)


def _state(variable: str, optional: bool, ctx: Context) -> str:
    if ctx.secrets.get(variable, "").strip():
        return "session"
    if os.environ.get(variable, "").strip():
        return "environment"
    return "optional" if optional else "missing"
