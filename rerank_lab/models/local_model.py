"""What callers hold: light objects whose engine lives in the model store and may be unloaded.

A model can be used from any thread; calls on the same loaded model take turns, and the time spent
waiting for a turn is reported apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.models.runtime.engine import (
    Floats,
    ModelEngine,
    PairEngine,
    Sparse,
    SparseEngine,
    TextEngine,
    TokenEngine,
)
from rerank_lab.models.runtime.memory import store
from rerank_lab.models.runtime.request import InferenceRequest, Kind, ModelOptions, Usage

if TYPE_CHECKING:
    from rerank_lab.models.execution_plan import ExecutionPlan

E = TypeVar("E", bound=ModelEngine)
Item = TypeVar("Item")
Value = TypeVar("Value")
_CHARS_PER_TOKEN = 4
"""A guess, for the share of a call in what is computed together."""


@dataclass(frozen=True, slots=True)
class _EngineCall:
    """A call of an engine that several callers may have shared; `seconds` are of computing."""

    usage: Usage
    seconds: float


@dataclass(frozen=True, slots=True)
class _Output(Generic[Value]):
    """What came out for one item, and its place in the call that it went through."""

    value: Value
    call: _EngineCall
    place: int


@dataclass(frozen=True, slots=True)
class LocalModel(Generic[E]):
    """A model opened for one task. `digest` stands for weights and all that changes its output."""

    plan: ExecutionPlan[E]
    options: ModelOptions

    @property
    def name(self) -> str:
        """The reference that it was opened by."""
        return self.plan.located.name

    @property
    def digest(self) -> str:
        """Changes with whatever its output depends on, batches apart."""
        return self.plan.digest

    @property
    def backend(self) -> str:
        """How it runs, such as "onnx int8" or "torch float32 cpu"."""
        return self.plan.backend

    @property
    def note(self) -> str:
        """A standing remark on the model, to be shown beside its results, or ""."""
        entry = self.plan.located.entry
        return str(entry.extra.get("standing", "")) if entry else ""

    @property
    def max_length(self) -> int:
        """Tokens that it reads at most."""
        return self.options.max_length or self.plan.located.max_length

    @contextmanager
    def engine(self, ctx: Context, into: Usage | None) -> Iterator[tuple[E, InferenceRequest]]:
        """The engine, for this caller alone; what the call took is added to `into`."""
        plan = self.plan
        loaded = store().hold(plan.key, plan.load, ctx, name=self.name, size=plan.size)
        with loaded as (engine, usage):
            usage.warnings += [plan.warning] if plan.warning else []
            try:
                request = InferenceRequest(ctx, usage, self.max_length, self.options.batch_tokens)
                yield engine, request
            finally:
                if into is not None:
                    into.add(usage)

    def computed(
        self,
        items: Sequence[Item],
        characters: Sequence[int],
        call: Callable[[E, Sequence[Item], InferenceRequest], Sequence[Value]],
        ctx: Context,
        usage: Usage | None,
        part: str = "",
    ) -> list[Value]:
        """One output an item, in their order; with those of other queries where `ctx` shares calls.

        Args:
            items: What the engine computes; an output must not depend on the other items.
            characters: Of each item.
            call: Has the engine compute items of this model and part, those of others too.
            ctx: Cancel, deadline, and with whom calls are shared.
            usage: Filled in with what these items took.
            part: Which of the model's ways to read a text, where there are several.
        """
        if not items:
            return []
        if ctx.sharing is None:
            with self.engine(ctx, usage) as (engine, request):
                return list(call(engine, items, request))

        def together(some: Sequence[Item], shared: Context) -> list[_Output[Value]]:
            with self.engine(shared, None) as (engine, request):
                begun = time.perf_counter()
                values = call(engine, some, request)
                one_call = _EngineCall(request.usage, time.perf_counter() - begun)
            return [_Output(value, one_call, place) for place, value in enumerate(values)]

        start = time.perf_counter()
        key = (self.plan.key, self.max_length, self.options.batch_tokens, part)
        tokens = [min(self.max_length, 1 + n // _CHARS_PER_TOKEN) for n in characters]
        outputs = ctx.sharing.run(key, items, tokens, together, ctx)
        if usage is not None:
            usage.add(_usage_of(outputs, time.perf_counter() - start))
        return [output.value for output in outputs]

    def load(self, ctx: Context) -> Usage:
        """Bring it into memory now. Raises ModelUnavailable."""
        usage = Usage()
        with self.engine(ctx, usage):
            pass
        return usage

    def unload(self) -> bool:
        """Free its memory unless it is in use."""
        return store().unload(self.plan.key)


class Scorer(LocalModel[PairEngine]):
    """A cross-encoder: pairs of query and text to raw logits."""

    __slots__ = ()

    def score(
        self, query: str, texts: Sequence[str], ctx: Context, usage: Usage | None = None
    ) -> list[float]:
        """One raw logit a text, higher is more relevant, in the order given.

        Raises Cancelled or DeadlineExceeded between batches, BackendError when the model fails.
        """
        return self.computed(
            [(query, text) for text in texts],
            [len(query) + len(text) for text in texts],
            lambda engine, pairs, request: engine.score_pairs(pairs, request),
            ctx,
            usage,
        )


class Encoder(LocalModel[TextEngine]):
    """A bi-encoder: texts to vectors of length 1, whose inner product is their cosine."""

    __slots__ = ()

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.plan.dimension

    def encode(
        self,
        texts: Sequence[str],
        kind: Kind,
        ctx: Context,
        on_truncated: Callable[[int], None] | None = None,
        usage: Usage | None = None,
    ) -> Floats:
        """Float32 of shape [n_texts, dimension], rows of length 1.

        Args:
            texts: What to embed.
            kind: Chooses the prefix that the model was trained with.
            ctx: Cancel, deadline and progress.
            on_truncated: Called with the index of each text that did not fit.
            usage: Filled in with what the call took.
        """
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        usage = Usage() if usage is None else usage
        if ctx.sharing is None:
            with self.engine(ctx, usage) as (engine, request):
                vectors = engine.embed(texts, kind, request)
                truncated = sorted(request.usage.truncated)
        else:
            own = Usage()
            vectors = np.stack(self._rows(texts, kind, ctx, own))
            usage.add(own)
            truncated = sorted(own.truncated)
        if on_truncated is not None:
            for index in truncated:
                on_truncated(index)
        return vectors

    def _rows(self, texts: Sequence[str], kind: Kind, ctx: Context, usage: Usage) -> list[Floats]:
        return self.computed(
            texts,
            [len(text) for text in texts],
            lambda engine, some, request: list(engine.embed(some, kind, request)),
            ctx,
            usage,
            part=kind,
        )


class TokenEncoder(LocalModel[TokenEngine]):
    """A late-interaction encoder: texts to one vector of length 1 a token, for MaxSim."""

    __slots__ = ()

    def encode(
        self, texts: Sequence[str], kind: Kind, ctx: Context, usage: Usage | None = None
    ) -> list[Floats]:
        """A float32 array of shape [n_tokens, dimension] for each text."""
        return self.computed(
            texts,
            [len(text) for text in texts],
            lambda engine, some, request: engine.embed_tokens(some, kind, request),
            ctx,
            usage,
            part=kind,
        )


class SparseEncoder(LocalModel[SparseEngine]):
    """A SPLADE model: texts to sparse vectors, to be compared by inner product."""

    __slots__ = ()

    def encode(
        self, texts: Sequence[str], kind: Kind, ctx: Context, usage: Usage | None = None
    ) -> list[Sparse]:
        """A sparse vector for each text, in the order given."""
        return self.computed(
            texts,
            [len(text) for text in texts],
            lambda engine, some, request: engine.embed_sparse(some, kind, request),
            ctx,
            usage,
            part=kind,
        )


def _usage_of(outputs: Sequence[_Output[Value]], elapsed_s: float) -> Usage:
    """What one caller's items took: its tokens and cuts, the whole time of the calls they were in.

    What is left of `elapsed_s` it waited for its turns.
    """
    calls = list({id(output.call): output.call for output in outputs}.values())
    usage = Usage()
    for call in calls:
        usage.load_s += call.usage.load_s
        usage.tokenise_s += call.usage.tokenise_s
        usage.warnings += [w for w in call.usage.warnings if w not in usage.warnings]
        usage.backend = call.usage.backend
    computing_s = sum(call.seconds for call in calls)
    usage.queue_s = max(0.0, elapsed_s - computing_s - usage.load_s)
    documents_cut: dict[int, dict[int, list[int]]] = {}
    for call in calls:
        by_input = documents_cut.setdefault(id(call), {})
        for place, document in call.usage.cut:
            by_input.setdefault(place, []).append(document)
    for index, output in enumerate(outputs):
        usage.tokens += output.call.usage.lengths[output.place]
        if output.place in output.call.usage.truncated:
            usage.truncated.add(index)
        for document in documents_cut[id(output.call)].get(output.place, ()):
            usage.cut.add((index, document))
    return usage
