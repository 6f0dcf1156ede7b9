"""What callers hold: light handles whose engine lives in the model store and may be unloaded.

A handle can be used from any thread; calls on the same loaded model take turns, and the time spent
waiting for a turn is reported apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.models.execution_plan import Plan
from rerank_lab.models.onnx.session import Floats
from rerank_lab.models.runtime.memory import Usage, store
from rerank_lab.models.runtime.request import Call, Kind, Options


@dataclass(frozen=True, slots=True)
class Handle:
    """A model opened for one task. `digest` stands for weights and all that changes its output."""

    plan: Plan
    options: Options

    @property
    def name(self) -> str:
        return self.plan.located.name

    @property
    def digest(self) -> str:
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
        return self.options.max_length or self.plan.located.max_length

    @contextmanager
    def call(self, ctx: Context, into: Usage | None) -> Iterator[tuple[Any, Call]]:
        """The engine, for this caller alone; what the call took is added to `into`."""
        plan = self.plan
        held = store().hold(plan.key, lambda: plan.load(ctx), ctx, name=self.name, size=plan.size)
        with held as (engine, usage):
            usage.warnings += [plan.warning] if plan.warning else []
            try:
                yield engine, Call(ctx, usage, self.max_length, self.options.batch_tokens)
            finally:
                if into is not None:
                    _add(usage, into)

    def load(self, ctx: Context) -> Usage:
        """Bring it into memory now. Raises ModelUnavailable."""
        usage = Usage()
        with self.call(ctx, usage):
            pass
        return usage

    def unload(self) -> bool:
        """Free its memory unless it is in use."""
        return store().unload(self.plan.key)


class Scorer(Handle):
    """A cross-encoder: pairs of query and text to raw logits."""

    __slots__ = ()

    def score(
        self, query: str, texts: Sequence[str], ctx: Context, usage: Usage | None = None
    ) -> list[float]:
        """One raw logit a text, higher is more relevant, in the order given.

        Raises Cancelled or DeadlineExceeded between batches, BackendError when the model fails.
        """
        if not texts:
            return []
        with self.call(ctx, usage) as (engine, call):
            scores: list[float] = engine.score(query, texts, call)
            return scores


class Encoder(Handle):
    """A bi-encoder: texts to vectors of length 1, whose inner product is their cosine."""

    __slots__ = ()

    @property
    def dimension(self) -> int:
        return self.plan.dimension

    def encode(
        self,
        texts: Sequence[str],
        kind: Kind,
        ctx: Context,
        on_truncated: Callable[[int], None] | None = None,
        usage: Usage | None = None,
    ) -> Floats:
        """Float32 of shape (texts, dimension), rows of length 1.

        `kind` chooses the prefix that the model was trained with. `on_truncated` is called with
        the index of each text that did not fit.
        """
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        used = Usage() if usage is None else usage
        with self.call(ctx, used) as (engine, call):
            vectors: Floats = engine.embed(texts, kind, call)
            cut = sorted(call.usage.truncated)
        if on_truncated is not None:
            for index in cut:
                on_truncated(index)
        return vectors


class TokenEncoder(Handle):
    """A late-interaction encoder: texts to one vector of length 1 a token, for MaxSim."""

    __slots__ = ()

    def encode(
        self, texts: Sequence[str], kind: Kind, ctx: Context, usage: Usage | None = None
    ) -> list[Floats]:
        """A float32 array of shape (tokens, dimension) for each text."""
        if not texts:
            return []
        with self.call(ctx, usage) as (engine, call):
            vectors: list[Floats] = engine.embed_tokens(texts, kind, call)
            return vectors


def _add(usage: Usage, into: Usage) -> None:
    into.queue_s += usage.queue_s
    into.load_s += usage.load_s
    into.tokens += usage.tokens
    into.truncated |= usage.truncated
    into.cut |= usage.cut
    into.warnings += usage.warnings
    into.backend = usage.backend
