"""The reranker behind a hosted API: what is sent, in which requests, and what becomes of a reply.

How a provider is spoken to is data (`remote/providers.toml`); how anything is sent is
`remote.caller`. A key is taken from the context when a request is made and is gone when it
returns: the object is shared between sessions and keeps none.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import quote

from rerank_lab.core.context import Context, Response, StoredScore
from rerank_lab.core.errors import BackendError, InvalidInput, LabError, MissingExtra
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.types import Document, Query, Ranking, Spans, Status
from rerank_lab.core.work import Work
from rerank_lab.models.token_budget import TokenBudget
from rerank_lab.remote import urls
from rerank_lab.remote.access import Access, access_of
from rerank_lab.remote.caller import CallResult, RemoteCaller, Request, RequestPolicy
from rerank_lab.remote.gather import gather
from rerank_lab.remote.providers import HostedModel, Price, Provider, ProviderLimits, ProviderOption
from rerank_lab.remote.refusals import RemoteError
from rerank_lab.remote.responses import (
    RelevantSpan,
    RerankResponse,
    at,
    parse_json,
    rerank_response,
    token_count,
)
from rerank_lab.rerankers.base import PointwiseReranker
from rerank_lab.rerankers.hosted.split import (
    Batch,
    estimated_tokens,
    sendable,
    split,
    surely_longer,
)
from rerank_lab.rerankers.long_documents import estimated_token_budget

_MAX_PAGES = 100
_LARGEST_SCORE = 1.0 + 1e-6
_UNIT_SCALES = frozenset({"probability", "relevance"})
Answered = CallResult[RerankResponse]


@dataclass(frozen=True, slots=True)
class _Sent:
    """What one call of `score` sends, whichever batch it goes in."""

    query: str
    texts: Sequence[str]
    caller: RemoteCaller


class TooLongText(RemoteError):
    """A server refuses a text for its length; `text` is the longest of the request."""

    text = ""


class HostedReranker(PointwiseReranker):
    """A reranker behind an HTTP API, described by its `provider`'s data."""

    provider: ClassVar[Provider]
    batch_size: ClassVar[int | None] = None

    @property
    def model(self) -> str:
        """The model's name as the provider writes it."""
        return str(self.options["model"])

    @property
    def known(self) -> HostedModel:
        """What the data says of the model in use."""
        return self.provider.model(self.model)

    @property
    def listwise(self) -> bool:
        """True when scores depend on the other documents: such a model is never split."""
        return self.provider.is_listwise(self.model)

    @property
    def scores_jointly(self) -> bool:
        """True when scores hold only among the documents of one request."""
        return self.listwise

    @property
    def limits(self) -> ProviderLimits:
        """Of one request: an option's, the model's own, or the provider's."""
        limits = self.provider.limits
        documents = self._set_by_option("documents") or self.known.documents or limits.documents
        return replace(limits, documents=documents)

    @property
    def typed_address(self) -> str:
        """The address that somebody typed, "" for the provider's own."""
        return str(self.options["base_url"]).strip()

    @property
    def price(self) -> Price | None:
        """What a unit costs: as the user stated it, else by the dated list; None if unknown."""
        return self.provider.price(self.model, float(self.options["price"]), self.typed_address)

    def problems(self) -> list[LabError]:
        """What would stop it from running here: a missing package, an unusable address."""
        problems: list[LabError] = []
        if not _installed():
            problems.append(MissingExtra.of(self.provider.title, "hosted"))
        try:
            self.base_url()
        except InvalidInput as error:
            problems.append(error)
        return problems

    def base_url(self, key: str = "") -> str:
        """Where requests with that key go. Raises InvalidInput when no usable address is given."""
        if self.typed_address:
            urls.check_form(self.typed_address)
            return self.typed_address
        if not self.provider.base_url:
            raise InvalidInput(
                f"{self.provider.title} runs on a server of your own; its address is not given.",
                hint=f'Say where: {self.info.name}(base_url="https://rerank.example.com").',
            )
        bases = self.provider.key_bases.items()
        return next(
            (base for start, base in bases if key.startswith(start)), self.provider.base_url
        )

    def access(self, ctx: Context) -> Access:
        """Key and address for one query. Raises MissingKey or InvalidInput with the next step."""
        return access_of(self.provider, self.base_url, ctx, self.typed_address)

    def missing_key(self, ctx: Context) -> LabError | None:
        """Why no key can be used for this reranker in this session, or None when one can."""
        try:
            self.access(ctx)
        except LabError as error:
            return error
        return None

    def cost_estimate(self, query: Query, docs: Sequence[Document]) -> CostEstimate:
        """What reranking these would take, nothing being cached. Raises as `rerank` would."""
        once = {self.long_documents.cache_unit(doc): doc for doc in docs}.values()
        inputs = self.model_inputs(query.text, list(once), Work(Context()))
        texts = [sendable(text) for text in dict.fromkeys(t for one in inputs for t in one.texts)]
        return self._estimate(self._batches(self.instructed(query.text), texts))

    def instructed(self, query: str) -> str:
        """The query as it is sent: with the instruction, where the provider has no field for it."""
        layout, instruction = self.provider.instruction_layout, self._instruction
        if not layout or not instruction:
            return query
        parts = {"query": query, "instruction": instruction}
        return re.sub(r"\{(query|instruction)\}", lambda m: parts[m[1]], layout)

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """Send the texts in as many requests as the limits ask for, side by side."""
        caller = RemoteCaller(self._policy(work.ctx))
        clean = [sendable(text) for text in texts]
        sent = _Sent(sendable(self.instructed(query)), clean, caller)
        batches = self._batches(sent.query, clean)
        work.ctx.report(f"asking {self.provider.title}", 0, len(batches))
        start = time.perf_counter()
        answered: dict[int, Answered] = {}

        def rerank_batch(batch: Batch, ctx: Context) -> Answered:
            return self._rerank_batch(sent, batch, ctx)

        def keep(index: int, result: Answered) -> None:
            answered[index] = result
            work.ctx.report("answered", len(answered), len(batches))

        try:
            width = int(self.options["concurrency"])
            results = gather(batches, rerank_batch, work.ctx, width, keep)
        except LabError:
            paid = {batches[i]: result for i, result in answered.items()}
            self._keep_paid(query, texts, paid, work)
            raise
        self._trace(results, time.perf_counter() - start, work)
        spans = [spans for result in results for spans in result.value.spans]
        work.relevant_spans.update(enumerate(map(_as_spans, spans)))
        work.truncated.update(i for i, text in enumerate(clean) if self._cut(text))
        return [score for result in results for score in result.value.scores]

    def body(self, query: str, texts: Sequence[str]) -> dict[str, Any]:
        """The JSON to send. Null fields are never sent."""
        names, provider = self.provider.request, self.provider
        body: dict[str, Any] = {}
        if names.model and self.model:
            body[names.model] = self.model
        body[names.query] = {names.wrap_query: query} if names.wrap_query else query
        body[names.documents] = [{names.wrap: t} if names.wrap else t for t in texts]
        if provider.top:
            body[provider.top] = len(texts)
        body |= provider.fixed
        for option in provider.options:
            self._put_option(body, option)
        return body

    def url(self, base: str) -> str:
        """The full address of the endpoint."""
        path = self.provider.path
        if self.provider.hosted_path and not self.typed_address:
            path = self.provider.hosted_path
        model = quote(self.model, safe="")
        return urls.joined(
            base, path.format(model=model, model_name=quote(self.model.replace(".", "_")))
        )

    def context_tokens(self) -> int:
        """Tokens of a document that the model reads, 0 when not known."""
        return self._set_by_option("context") or self.known.context

    def token_budget(self, query: str) -> TokenBudget | None:
        """An estimate: providers keep their tokenizers to themselves."""
        longest = self.context_tokens()
        if not longest:
            return None
        beside = 0 if self._set_by_option("context") else estimated_tokens(self.instructed(query))
        return estimated_token_budget(longest - beside)

    def sign(self, access: Access, url: str, content: bytes) -> Mapping[str, str] | None:
        """Headers that authorise a request; None where the key is simply sent along."""
        return None

    def recorded_place(self) -> str:
        """What tells recordings of two servers apart. Fixed: recordings are found by it."""
        return str(self.options["base_url"])

    @property
    def _instruction(self) -> str:
        """On one line, "" for none."""
        return " ".join(str(self.options.get("instruction", "")).split())

    def _policy(self, ctx: Context) -> RequestPolicy:
        limits = self.provider.limits
        return RequestPolicy(
            name=self.info.name,
            provider=self.provider,
            access=self.access(ctx),
            recorded_place=self.recorded_place(),
            timeout_s=float(self.options["timeout_s"]),
            retries=int(self.options["retries"]),
            requests_per_minute=int(self.options["requests_per_minute"]) or limits.rpm,
            tokens_per_minute=int(self.options["tokens_per_minute"]) or limits.tpm,
        )

    def _put_option(self, body: dict[str, Any], option: ProviderOption) -> None:
        value = self.options[option.name]
        if option.name == "instruction":
            value = self._instruction
        refused = bool(option.not_for) and self.model.startswith(option.not_for)
        if not option.field or refused or (value == option.default and not option.always):
            return
        *outer, last = option.field.split(".")
        inside = body
        for part in outer:
            inside = inside.setdefault(part, {})
        inside[last] = value

    def _set_by_option(self, name: str) -> int:
        """What an option sets in place of a limit; 0 where none does."""
        options = (option for option in self.provider.options if option.sets == name)
        return next((int(self.options[option.name]) for option in options), 0)

    def _rerank_batch(self, sent: _Sent, batch: Batch, ctx: Context) -> Answered:
        """The scores of one batch, page by page where the provider gives pages."""
        texts = sent.texts[batch.start : batch.end]
        earlier: list[Any] = []
        spent = _NOTHING
        page: dict[str, Any] = {}
        for number in range(_MAX_PAGES):
            request = self._request(sent, texts, batch, page, first=number == 0)

            def read(response: Response) -> RerankResponse | str:
                return self._read(response, batch, earlier)

            try:
                result = sent.caller.call(request, read, self._cost, ctx)
            except RemoteError as error:
                raise _with_text(error, texts) from None
            spent = _added(spent, result)
            if isinstance(result.value, RerankResponse):
                return replace(spent, value=result.value)
            page = {self.provider.reply.next_page: result.value}
        raise BackendError(
            f"{self.provider.title} gave more than {_MAX_PAGES} pages of results.",
            hint="Check that the base URL is a rerank endpoint.",
        )

    def _request(
        self, sent: _Sent, texts: Sequence[str], batch: Batch, page: Mapping[str, Any], first: bool
    ) -> Request:
        access = sent.caller.policy.access
        estimate = self._estimate([batch]) if first else CostEstimate(1, 0.0, "", 0.0)
        signs = self.provider.protocol != ""

        def sign(url: str, content: bytes) -> Mapping[str, str]:
            return self.sign(access, url, content) or {}

        return Request(
            url=self.url(access.base),
            body={**self.body(sent.query, texts), **page},
            estimate=estimate,
            tokens=batch.tokens if first else 0,
            summary=f"{batch.documents} documents, about {batch.tokens:,} tokens",
            sign=sign if signs else None,
        )

    def _read(self, response: Response, batch: Batch, earlier: list[Any]) -> RerankResponse | str:
        """The scores in a reply, or the token of the next page; its results go to `earlier`."""
        payload = parse_json(response.body, self.provider.title)
        fields = self.provider.reply
        if fields.next_page and isinstance(payload, dict):
            listed, token = payload.get(fields.results), payload.get(fields.next_page)
            if isinstance(listed, list):
                earlier += listed
                payload = {**payload, fields.results: earlier}
                if isinstance(token, str) and token:
                    return token
        answer = rerank_response(payload, batch.documents, self.provider)
        if fields.tokens_header:
            tokens = _number(response.headers.get(fields.tokens_header, ""))
            answer = replace(answer, tokens=token_count(tokens))
        if fields.server_ms_header:
            server_ms = _number(response.headers.get(fields.server_ms_header, ""))
            answer = replace(answer, server_s=max(0.0, server_ms) / 1000)
        notes = (*answer.notes, *self._notes(payload))
        return replace(answer, units=self._units(batch, answer), notes=notes)

    def _notes(self, payload: object) -> list[str]:
        """Remarks on what the provider made of the options."""
        provider, notes = self.provider, []
        if self._instruction and provider.instruction_layout:
            listed = {model.id for model in provider.models} - set(provider.follows_instructions)
            if self.model in listed:
                notes.append(
                    f"{self.model} follows no instruction: it is only more words of the query."
                )
        for option in provider.options:
            value = at(payload, option.echo) if option.echo else None
            if isinstance(value, str) and value != self.options[option.name]:
                notes.append(
                    f"{provider.title} ran in {value} mode, {self.options[option.name]} was asked "
                    "for."
                )
        return notes

    def _cost(self, answer: RerankResponse | str) -> float:
        """What a query was billed; its last page tells."""
        units = answer.units if isinstance(answer, RerankResponse) else None
        price = self.price
        return price.of(units) if price and units else 0.0

    def _units(self, batch: Batch, answer: RerankResponse) -> float:
        """What was billed, by the reply where it says so, else by the estimate."""
        if answer.units is not None:
            return answer.units
        if self.provider.unit == "tokens" and answer.tokens:
            return float(answer.tokens)
        return self._estimate([batch]).units

    def _keep_paid(
        self, query: str, texts: Sequence[str], paid: Mapping[Batch, Answered], work: Work
    ) -> None:
        """A query that fails half-way: what was answered is not asked and billed again."""
        if work.ctx.cache is None or self.listwise:
            return
        stored: dict[str, StoredScore] = {}
        for batch, result in paid.items():
            part = texts[batch.start : batch.end]
            spans = result.value.spans or [()] * len(part)
            for text, score, of_text in zip(part, result.value.scores, spans, strict=True):
                digest = Document("", text).content_hash
                key = self.cache_key(query, digest)
                cut = self._cut(sendable(text))
                stored[key] = StoredScore(score, cut, _as_spans(of_text))
        if stored:
            work.ctx.cache.put_many(stored)

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        if work.ctx.recording is not None and work.ctx.recording.whole:
            # A recording holds whole requests, not only what no cache answered.
            work.ctx = replace(work.ctx, cache=None)
        try:
            ranking, status = super()._rank(query, docs, work)
        except TooLongText as error:
            raise _naming_document(error, docs) from None
        return self._on_its_scale(ranking, work), status

    def _on_its_scale(self, ranking: Ranking, work: Work) -> Ranking:
        """The scale is looked at, not believed: what leaves 0 to 1 is neither of the two."""
        if ranking.scale not in _UNIT_SCALES:
            return ranking
        outside = [hit.score for hit in ranking if hit.score is not None and _outside(hit.score)]
        if not outside:
            return ranking
        worst = max(outside, key=abs)
        work.warn(
            f"{self.provider.title} gave scores outside 0 to 1, such as {worst:.4g}: they are "
            f"no {ranking.scale} and are shown as logits."
        )
        return ranking.rescaled("logit")

    def _load(self, ctx: Context) -> None:
        if not _installed():
            raise MissingExtra.of(self.provider.title, "hosted")
        # Imported here, so that the first request is not slower than others.
        importlib.import_module("rerank_lab.remote.transport")

    def _batches(self, query: str, texts: Sequence[str]) -> list[Batch]:
        batches = split(query, texts, self.limits, self.provider.title)
        if self.listwise and len(batches) > 1:
            raise InvalidInput(
                f"{self.model} compares all documents in one request, and {len(texts)} do not fit "
                f"into one; scores of separate requests could not be compared.",
                hint=f"Rerank fewer candidates: top={batches[0].documents} or less.",
            )
        return batches

    def _estimate(self, batches: Sequence[Batch]) -> CostEstimate:
        sizes = [(batch.documents, batch.tokens) for batch in batches]
        return self.provider.estimate(self.model, sizes, self.price)

    def _trace(self, results: Sequence[Answered], wall_s: float, work: Work) -> None:
        """Requests run side by side: their wall time is shared out as queue and network."""
        answers = [result.value for result in results]
        queue_s = min(wall_s, max((result.queue_s for result in results), default=0.0))
        served = {answer.model for answer in answers if answer.model}
        price = self.price
        work.add(
            queue_s=queue_s,
            network_s=wall_s - queue_s,
            server_s=max((answer.server_s for answer in answers), default=0.0),
            calls=len(results) - 1,  # the base counts one
            retries=sum(result.retries for result in results),
            tokens_in=sum(answer.tokens for answer in answers),
            units=sum(answer.units or 0.0 for answer in answers),
            unit=self.provider.unit,
            cost=sum(result.cost for result in results),
            cost_unit=price.currency if price else "",
            model_asked=self.model,
            model_served=", ".join(sorted(served)),
            backend=self.provider.title,
        )
        others = sorted(served - {self.model}) if self.model else []
        if others:
            work.warn(f"Asked for {self.model}, answered by {', '.join(others)}.")
        for note in dict.fromkeys(note for answer in answers for note in answer.notes):
            work.warn(note)

    def _cut(self, text: str) -> bool:
        """Whether the provider reads only a part of the text, even by a low estimate."""
        longest = self.context_tokens()
        return bool(longest) and self.provider.truncates and surely_longer(text, longest)


_NOTHING: CallResult[Any] = CallResult(None, 0.0, 0.0, 0.0, 0)


def _added(before: CallResult[Any], page: CallResult[Any]) -> CallResult[Any]:
    return CallResult(
        page.value,
        before.cost + page.cost,
        before.queue_s + page.queue_s,
        before.network_s + page.network_s,
        before.retries + page.retries,
    )


def _as_spans(relevant: Sequence[RelevantSpan]) -> Spans:
    return tuple((span.start, span.end) for span in relevant)


def _outside(score: float) -> bool:
    return not 0.0 <= score <= _LARGEST_SCORE


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


def _with_text(error: RemoteError, texts: Sequence[str]) -> RemoteError:
    """The error with the text that is too long, where the server refuses one for its length."""
    if not error.cause.too_long:
        return error
    named = TooLongText(error.message, hint=error.hint, cause=error.cause, details=error.details)
    named.text = max(texts, key=len)
    return named


def _naming_document(error: TooLongText, docs: Sequence[Document]) -> RemoteError:
    holders = (doc for doc in docs if error.text in sendable(doc.content))
    longest = next(holders, None) or max(docs, key=lambda doc: len(doc.content))
    error.hint = (
        f"Document {longest.id!r} has {len(longest.content):,} characters, more than the server "
        "reads: import the corpus cut into passages, or start the server so that it cuts."
    )
    return error


def _installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("httpcore", "certifi"))
