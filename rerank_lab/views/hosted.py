"""What is shown of hosted rerankers, as plain values: providers, keys, estimates, calls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from rerank_lab.components.registry import load
from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.types import Status, Trace
from rerank_lab.pipeline.results import Result
from rerank_lab.remote.providers import HostedModel, Provider, providers
from rerank_lab.rerankers.base import Reranker
from rerank_lab.rerankers.hosted.base import HostedReranker
from rerank_lab.rerankers.hosted.bedrock import KEY_ID, SECRET, TOKEN
from rerank_lab.rerankers.llm.chat import ChatProvider, chat_providers
from rerank_lab.views.formatting import counted

KEY_STATES = {
    "session": "entered in this session",
    "environment": "set where the app runs",
    "optional": "not needed by every server",
    "missing": "not set",
}


LANGUAGE_MODEL = "language models"
OWN_SERVER = "your own server"
SHORT_STATES = {
    "session": "This session",
    "environment": "Environment",
    "optional": "Optional",
    "missing": "Missing",
}


@dataclass(frozen=True, slots=True)
class KeyField:
    """One key to ask for. `state` is session, environment, optional or missing; never the key."""

    variable: str
    title: str
    state: str

    @property
    def state_words(self) -> str:
        """The state in words."""
        return KEY_STATES[self.state]


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """A price for people: `$0.05 for 1,000,000 tokens`, where it was read, and when."""

    text: str
    source: str = ""
    as_of: str = ""

    def __str__(self) -> str:
        return f"{self.text} ({self.source}, {self.as_of})" if self.source else self.text


UNKNOWN_PRICE, FREE_PRICE = ListedPrice("price not known"), ListedPrice(OWN_SERVER)


@dataclass(frozen=True, slots=True)
class HostedModelLine:
    """A model of the dated list."""

    id: str
    context: str
    licence: str
    price: ListedPrice
    note: str = ""


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
    role: str = "hosted reranker"
    free: bool = False

    @property
    def ready(self) -> bool:
        """Whether a request could be sent now."""
        return not self.problem

    @property
    def key_variables(self) -> str:
        """`COHERE_API_KEY`; several with commas."""
        return ", ".join(field.variable for field in self.keys)

    @property
    def key_state(self) -> str:
        """In words, of all keys together: the one that is missing counts, if any is."""
        states = [field.state for field in self.keys]
        first = next((s for s in ("missing", "session", "environment") if s in states), "optional")
        return SHORT_STATES[first]

    @property
    def price(self) -> str:
        """Of the default model, without its source, or that none is known."""
        return self._priced.text

    @property
    def price_as_of(self) -> str:
        """When the price was read: `2026-07-27`; "" without one."""
        return self._priced.as_of

    @property
    def _priced(self) -> ListedPrice:
        if self.free:
            return FREE_PRICE
        prices = (model.price for model in self.models if model.id == self.default_model)
        return next(prices, UNKNOWN_PRICE)


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


def endpoint_lines(ctx: Context) -> tuple[ProviderLine, ...]:
    """The known endpoints of language models, and any other that speaks the same format."""
    return tuple(_endpoint_line(known, ctx) for known in chat_providers())


def testable(line: ProviderLine, model: str, address: str) -> Reranker:
    """The reranker that a test of this provider asks; "" for what the provider's own are.

    Raises LabError for a model or address that cannot be used.
    """
    options = {"model": model.strip(), "base_url": address.strip()}
    name = line.name
    if line.role == LANGUAGE_MODEL:
        name = "listwise"
        options["base_url"] = options["base_url"] or line.address
        options["key_variable"] = line.keys[0].variable
    component = load("reranker", name)
    stated = {k: v for k, v in options.items() if v and component.info.param(k) is not None}
    reranker: Reranker = component(**stated)
    return reranker


def key_fields(provider: Provider, ctx: Context) -> tuple[KeyField, ...]:
    """The keys that a provider takes, each with where it stands."""
    names = (KEY_ID, SECRET, TOKEN) if provider.key == SECRET else (provider.key,)
    return tuple(
        KeyField(name, provider.title, _state(name, provider.key_optional or name == TOKEN, ctx))
        for name in names
    )


def estimate_words(total: CostEstimate) -> str:
    """`300 requests, about 420,000 tokens, about $0.021 at prices of 2026-07-27`."""
    unit = total.unit.removesuffix("s") if round(total.units) == 1 else total.unit
    parts = [counted(total.calls, "request"), f"about {total.units:,.0f} {unit}"]
    if total.unit == "requests":
        parts.pop()
    if total.amount is None:
        return ", ".join(parts) + ", price not known"
    if total.amount == 0:
        return ", ".join(parts) + ", no charge"
    dated = f" at prices of {total.as_of}" if total.as_of else ""
    return ", ".join(parts) + f", about {money(total.amount, total.currency)}{dated}"


def estimates_words(estimates: Sequence[CostEstimate]) -> str:
    """What all stages would take, in words; "" for none."""
    return "; ".join(map(estimate_words, estimates))


def editor_words(estimates: Sequence[CostEstimate]) -> str:
    """`A query here takes up to 1 request, ...`; "" where nobody is asked."""
    words = estimates_words(estimates)
    return f"A query here takes up to {words}." if words else ""


def call_facts(trace: Trace, status: Status) -> CallFacts:
    """The facts of a hosted stage's trace in words."""
    wanted, served = trace.model_asked, trace.model_served
    other = bool(wanted and served and wanted != served)
    return CallFacts(
        status=str(status),
        model=f"{served} (asked for {wanted})" if other else served or wanted,
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
    """What answered in each stage that has a model, and what it took.

    `rerank-v4.0-fast · 1 request · 1 search unit · price not known` for a provider, `bge-small-en ·
    on this machine, onnx int8 · 25 tokens` for a model here; "" where there is none. What was cut,
    repaired or left as it was is told among the warnings.
    """
    lines = (facts_of(stage.trace, stage.status) for stage in result.stages)
    return "; ".join(line for line in lines if line)


def facts_of(trace: Trace, status: Status = Status.OK) -> str:
    """The same of one stage."""
    facts = call_facts(trace, status)
    if _ran_here(trace):
        here = f"on this machine, {trace.backend}"
        return " · ".join(fact for fact in (facts.model, here, facts.tokens, facts.cache) if fact)
    if not (trace.units or trace.network_s or trace.model_asked):
        return ""
    units = "" if facts.units == facts.tokens else facts.units
    if facts.tokens and units.endswith(" tokens"):
        units += " in all"  # what was written is counted, too
    listed = (facts.model, facts.calls, facts.retries, facts.tokens, units, facts.cost,
              facts.server, facts.cache)  # fmt: skip
    return " · ".join(fact for fact in listed if fact)


def _ran_here(trace: Trace) -> bool:
    """Whether a model of this process was at work: nothing was sent, nothing is billed."""
    return bool(trace.backend and trace.calls and not (trace.units or trace.network_s))


def money(amount: float, currency: str = "USD") -> str:
    """`$0.021`, `$1.20`, `EUR 3.00`: two digits that mean something, however small."""
    sign = "$" if currency == "USD" else f"{currency} "
    if amount == 0 or amount >= 1:
        return f"{sign}{amount:,.2f}"
    whole, _, part = f"{float(f'{amount:.2g}'):.10f}".rstrip("0").partition(".")
    return f"{sign}{whole}.{part:0<2}"


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
        free=provider.free,
    )


def _endpoint_line(known: ChatProvider, ctx: Context) -> ProviderLine:
    provider = known.provider
    default = load("reranker", "listwise").info.param("model")
    models = [
        HostedModelLine(
            name,
            "",
            "",
            ListedPrice(
                f"{money(read)} read, {money(written)} written for 1,000,000 tokens",
                known.source,
                known.as_of,
            ),
        )
        for name, (read, written) in known.models.items()
    ]
    keys = key_fields(provider, ctx)
    problem = keys[0].state == "missing"
    return ProviderLine(
        name=provider.name,
        title=provider.title,
        summary="Language models that rerank: listwise, setwise, pairwise, pointwise-llm.",
        address=provider.base_url,
        keys=keys,
        models=tuple(models),
        default_model=str(default.default) if default and default.default in known.models else "",
        unit="tokens",
        as_of=provider.as_of,
        source=provider.source,
        problem=f"No key is set: {keys[0].variable}." if problem else "",
        hint="Enter it here, or set it in the environment." if problem else "",
        role=LANGUAGE_MODEL,
    )


def _address(reranker: HostedReranker) -> str:
    try:
        return reranker.base_url()
    except LabError:
        return ""


def _model_line(provider: Provider, model: HostedModel) -> HostedModelLine:
    price = provider.price(model.id)
    listed = UNKNOWN_PRICE
    if provider.free:
        listed = FREE_PRICE
    elif price:
        amount = f"{money(price.amount, price.currency)} for {price.per:,.0f} {provider.unit}"
        listed = ListedPrice(amount, price.source, price.as_of)
    context = f"{model.context:,} tokens" if model.context else ""
    return HostedModelLine(model.id, context, model.licence, listed, model.note)


def _state(variable: str, optional: bool, ctx: Context) -> str:
    if ctx.secrets.get(variable, "").strip():
        return "session"
    if os.environ.get(variable, "").strip():
        return "environment"
    return "optional" if optional else "missing"
