"""The base of all hosted rerankers: keys, limits, retries, cost, order; a family sends one request.

A key is taken from the context when a request is made and is gone when it returns: the object is
shared between sessions and keeps none.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from rerank_lab.core.context import Context, StoredScore
from rerank_lab.core.errors import BackendError, InvalidInput, LabError, MissingExtra
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.models.token_budget import TokenBudget
from rerank_lab.remote import urls
from rerank_lab.remote.access import Access, access_of, server_of
from rerank_lab.remote.errors import (
    LONGEST_RETRY_AFTER_S,
    Fault,
    error_of,
    pause,
    pause_before,
    retry_after,
)
from rerank_lab.remote.gather import gather
from rerank_lab.remote.limits import limiter_of
from rerank_lab.remote.providers import HostedModel, Limits, Provider
from rerank_lab.rerankers.base import PointwiseReranker, Work
from rerank_lab.rerankers.hosted.responses import Answer
from rerank_lab.rerankers.hosted.split import (
    Batch,
    estimated_tokens,
    sendable,
    split,
    surely_longer,
)
from rerank_lab.rerankers.long_documents import estimated_token_budget

if TYPE_CHECKING:
    from rerank_lab.remote.transport import Line


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt at one request. `timeout_s` already heeds the deadline."""

    query: str
    texts: Sequence[str]
    access: Access
    timeout_s: float
    ctx: Context


@dataclass(frozen=True, slots=True)
class Done:
    """An answer and what it took to get it, in seconds."""

    answer: Answer
    units: float
    cost: float
    queue_s: float
    network_s: float
    retries: int


class HostedReranker(PointwiseReranker):
    """A reranker behind an HTTP API. `send` makes one attempt; everything else is here."""

    provider: ClassVar[Provider]
    modules: ClassVar[tuple[str, ...]] = ("httpx",)
    """What `load` imports, so that the first request is not slower than others. From the extra."""
    batch_size: ClassVar[int | None] = None

    @abstractmethod
    def send(self, call: Call) -> Answer:
        """One attempt. Raises Fault for no or a non-2xx answer, LabError for a useless one."""

    def line(self, call: Call) -> Line:
        """What the request of this attempt may do."""
        from rerank_lab.remote.transport import Line

        access, place = call.access, str(self.options["base_url"])
        return Line(
            self.info.name, call.timeout_s, access.secrets, call.ctx.recording, access.own, place
        )

    @property
    def model(self) -> str:
        return str(self.options["model"])

    @property
    def known(self) -> HostedModel:
        """What the catalogue knows of the model in use."""
        return self.provider.model(self.model)

    @property
    def listwise(self) -> bool:
        """True when scores depend on the other documents: such a model is never split."""
        return self.provider.is_listwise(self.model)

    @property
    def scores_alone(self) -> bool:
        return not self.listwise

    @property
    def limits(self) -> Limits:
        """Of one request, the model's own where it has some."""
        limits = self.provider.limits
        return replace(limits, documents=self.known.documents or limits.documents)

    def problems(self) -> list[LabError]:
        found: list[LabError] = []
        if not self._installed():
            found.append(MissingExtra.of(self.provider.title, "hosted"))
        try:
            self.base_url()
        except InvalidInput as error:
            found.append(error)
        return found

    def base_url(self, key: str = "") -> str:
        """Where requests go. Raises InvalidInput when no usable address is given."""
        given = str(self.options.get("base_url", "")).strip()
        if given:
            urls.check_form(given)
            return given
        if not self.provider.base_url:
            raise InvalidInput(
                f"{self.provider.title} runs on a server of your own; its address is not given.",
                hint=f'Say where: {self.info.name}(base_url="https://rerank.example.com").',
            )
        for prefix, base in self.provider.key_bases.items():
            if key.startswith(prefix):
                return base
        return self.provider.base_url

    def access(self, ctx: Context) -> Access:
        """Key and address for one query. Raises MissingKey or InvalidInput with the next step."""
        if ctx.recording is not None and ctx.recording.replaying:
            # Nothing is sent, so no address is refused: a recording opens on any machine.
            given = str(self.options.get("base_url", "")).strip()
            return Access(given or self.provider.base_url or "http://recording", "none", False, ())
        return access_of(self.provider, self.base_url, ctx)

    def missing_key(self, ctx: Context) -> LabError | None:
        """Why no key can be used for this reranker in this session, or None when one can."""
        try:
            self.access(ctx)
        except LabError as error:
            return error
        return None

    def estimate(self, query: Query, docs: Sequence[Document]) -> CostEstimate:
        """What reranking these would take, nothing being cached. Raises as `rerank` would."""
        once = {self.unit(doc): doc for doc in docs}.values()
        cuts = self.cuts(query.text, list(once), Work(Context()))
        texts = [sendable(text) for text in dict.fromkeys(t for cut in cuts for t in cut.texts)]
        return self._estimate(self._batches(self.instructed(query.text), texts))

    def instructed(self, query: str) -> str:
        """The query as it is sent; where a provider has no field for it, with an instruction."""
        return query

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        sent = [sendable(text) for text in texts]
        asked = sendable(self.instructed(query))
        batches = self._batches(asked, sent)
        access = self.access(work.ctx)
        work.ctx.report(f"asking {self.provider.title}", 0, len(batches))
        start = time.perf_counter()
        paid: dict[int, Done] = {}

        def ask(batch: Batch, ctx: Context) -> Done:
            return self._ask(asked, sent[batch.start : batch.end], batch, access, ctx)

        def keep(index: int, done: Done) -> None:
            paid[index] = done
            work.ctx.report("answered", len(paid), len(batches))

        try:
            results = gather(batches, ask, work.ctx, int(self.options.get("concurrency", 4)), keep)
        except LabError:
            self._keep_paid(query, texts, {batches[i]: done for i, done in paid.items()}, work)
            raise
        self._trace(results, time.perf_counter() - start, work)
        self._note_texts(texts, sent, work)
        return [score for done in results for score in done.answer.scores]

    def _keep_paid(
        self, query: str, texts: Sequence[str], paid: Mapping[Batch, Done], work: Work
    ) -> None:
        """A query that fails half-way: what was answered is not asked and billed again."""
        if work.ctx.cache is None or self.listwise:
            return
        kept: dict[str, StoredScore] = {}
        for batch, done in paid.items():
            part = texts[batch.start : batch.end]
            for text, score in zip(part, done.answer.scores, strict=True):
                digest = Document("", text).content_hash
                kept[self.cache_key(query, digest)] = StoredScore(score, self._cut(sendable(text)))
        if kept:
            work.ctx.cache.put_many(kept)

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        if work.ctx.recording is not None and work.ctx.recording.whole:
            # A recording holds whole requests, not only what no cache answered.
            work.ctx = replace(work.ctx, cache=None)
        if self.listwise:
            return self._rank_together(query, docs, work)
        return super()._rank(query, docs, work)

    def _rank_together(
        self, query: Query, docs: Sequence[Document], work: Work
    ) -> tuple[Ranking, Status]:
        """Scores that hold only among these documents, so they are kept for this list only."""
        every = hashlib.sha256("".join(self.unit(doc) for doc in docs).encode()).hexdigest()
        keys = [self.cache_key(query.text, f"{every} {i}") for i in range(len(docs))]
        cache = work.ctx.cache
        found = cache.get_many(keys) if cache else {}
        hit = all(key in found for key in keys)
        if not hit:
            fresh, _ = self._score_documents(query.text, docs, work)
            found = dict(zip(keys, fresh, strict=True))
            if cache:
                cache.put_many(found)
        stored: list[StoredScore] = [found[key] for key in keys]
        cut = sum(s.truncated for s in stored)
        work.add(cache_hits=len(docs) if hit else 0, truncated=cut)
        scores = {doc.id: s.score for doc, s in zip(docs, stored, strict=True)}
        order = [doc.id for doc in docs]
        ranking = Ranking.from_scores(query.id, scores, self.info.scale, previous=order)
        plain = Status.CACHED if hit else Status.OK
        return ranking, Status.TRUNCATED if cut else plain

    def _load(self, ctx: Context) -> None:
        if not self._installed():
            raise MissingExtra.of(self.provider.title, "hosted")
        for module in (*self.modules, "rerank_lab.remote.transport"):
            importlib.import_module(module)

    def _installed(self) -> bool:
        wanted = {"httpx", *(module.split(".")[0] for module in self.modules)}
        return all(importlib.util.find_spec(package) is not None for package in wanted)

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
        return self.provider.estimate(self.model, sizes, float(self.options.get("price", -1.0)))

    def _ask(
        self, query: str, texts: Sequence[str], batch: Batch, access: Access, ctx: Context
    ) -> Done:
        """One request, tried until it succeeds, cannot succeed, or has been tried often enough."""
        estimate = self._estimate([batch])
        replaying = ctx.recording is not None and ctx.recording.replaying
        attempts = 1 if replaying else 1 + int(self.options.get("retries", 3))
        limiter = self._limiter(access)
        queue_s = network_s = 0.0
        sent = f"{batch.documents} documents, about {batch.tokens:,} tokens"
        for attempt in range(attempts):
            queue_s += 0.0 if replaying else limiter.acquire(batch.tokens, ctx)
            call = Call(query, texts, access, self._timeout(ctx), ctx)
            start = time.perf_counter()
            try:
                done = self._metered(call, estimate, replaying)
            except Fault as fault:
                network_s += time.perf_counter() - start
                asked = retry_after(fault.headers) or 0.0
                last = attempt + 1 == attempts or asked > LONGEST_RETRY_AFTER_S
                if not fault.retryable or last:
                    raise self._refusal(fault, access, attempt + 1, sent) from None
                wait = pause_before(attempt, fault)
                if fault.status == 429:
                    limiter.hold(asked)
                pause(wait, ctx, self.provider.title)
                queue_s += wait
            else:
                network_s += time.perf_counter() - start
                return replace(done, queue_s=queue_s, network_s=network_s, retries=attempt)
        raise AssertionError("unreachable")

    def _refusal(self, fault: Fault, access: Access, attempts: int, sent: str) -> LabError:
        error = error_of(fault, self.provider, access.secrets, attempts, sent)
        if fault.status in (401, 403) and self.provider.key_optional and not access.key:
            error.hint = (
                f"The server wants a key: enter one for {self.provider.key} on the Models page. "
                f"One in the environment is sent only to hosts named in {urls.KEY_HOSTS}."
            )
        return error

    def _metered(self, call: Call, estimate: CostEstimate, replaying: bool) -> Done:
        """One attempt within the spend limit. One that timed out counts: it may be billed."""
        meter = call.ctx.spend
        if replaying:
            answer = self.send(call)
            return Done(answer, *self._billed(answer, estimate), 0.0, 0.0, 0)
        reserved = meter.reserve(estimate, f"A request to {self.provider.title}")
        billed = 0.0
        try:
            answer = self.send(call)
            units, billed = self._billed(answer, estimate)
            return Done(answer, units, billed, 0.0, 0.0, 0)
        except Fault as fault:
            billed = reserved if fault.kind == "timeout" else 0.0
            raise
        except BackendError:
            billed = reserved
            raise
        finally:
            meter.settle(reserved, billed)

    def _billed(self, answer: Answer, estimate: CostEstimate) -> tuple[float, float]:
        """Units and money, by the reply where it says so, else by the estimate."""
        units = answer.units
        if units is None and self.provider.unit == "tokens" and answer.tokens:
            units = float(answer.tokens)
        if units is None:
            units = estimate.units
        price = self.provider.price(self.model, float(self.options.get("price", -1.0)))
        return units, price.of(units) if price else 0.0

    def _limiter(self, access: Access) -> Any:
        limits = self.provider.limits
        rpm = int(self.options.get("requests_per_minute", 0)) or limits.rpm
        tpm = int(self.options.get("tokens_per_minute", 0)) or limits.tpm
        return limiter_of(self.info.name, server_of(access.base), access.key, rpm, tpm)

    def _timeout(self, ctx: Context) -> float:
        timeout = float(self.options.get("timeout_s", 30.0))
        if ctx.deadline is None:
            return timeout
        ctx.checkpoint()
        return max(0.05, min(timeout, ctx.deadline - time.monotonic()))

    def _trace(self, results: Sequence[Done], wall_s: float, work: Work) -> None:
        """Requests run side by side: their wall time is shared out as queue and network."""
        queue_s = min(wall_s, max((done.queue_s for done in results), default=0.0))
        served = {done.answer.model for done in results if done.answer.model}
        price = self.provider.price(self.model, float(self.options.get("price", -1.0)))
        work.add(
            queue_s=queue_s,
            network_s=wall_s - queue_s,
            server_s=max((done.answer.server_s for done in results), default=0.0),
            calls=len(results) - 1,  # the base counts one
            retries=sum(done.retries for done in results),
            tokens_in=sum(done.answer.tokens for done in results),
            units=sum(done.units for done in results),
            unit=self.provider.unit,
            cost=sum(done.cost for done in results),
            cost_unit=price.currency if price else "",
            model_asked=self.model,
            model_served=", ".join(sorted(served)),
            backend=self.provider.title,
        )
        others = sorted(served - {self.model}) if self.model else []
        if others:
            work.warn(f"Asked for {self.model}, answered by {', '.join(others)}.")
        for note in dict.fromkeys(note for done in results for note in done.answer.notes):
            work.warn(note)

    def _note_texts(self, texts: Sequence[str], sent: Sequence[str], work: Work) -> None:
        blank = sum(not text.strip() for text in texts)
        if blank:
            work.warn(f"{blank} empty documents were sent as a dash.")
        work.truncated.update(i for i, text in enumerate(sent) if self._cut(text))

    def _cut(self, text: str) -> bool:
        """Whether the provider reads only a part of the text, even by a low estimate."""
        longest = self.reads()
        return bool(longest) and self.provider.truncates and surely_longer(text, longest)

    def reads(self) -> int:
        """Tokens of a document that the model reads, 0 when not known."""
        return self.known.context

    def token_budget(self, query: str) -> TokenBudget | None:
        """An estimate: providers keep their tokenizers to themselves."""
        longest = self.reads()
        return (
            estimated_token_budget(longest - self.beside(self.instructed(query)))
            if longest
            else None
        )

    def beside(self, query: str) -> int:
        """Tokens that a query takes of what `reads` says, at most."""
        return estimated_tokens(query)
