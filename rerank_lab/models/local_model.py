"""What callers hold: light objects whose engine lives in the model store and may be unloaded.

A model can be used from any thread; calls on the same loaded model take turns, and the time spent
waiting for a turn is reported apart.
"""

from __future__ import annotations

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
    TextEngine,
    TokenEngine,
)
from rerank_lab.models.runtime.memory import store
from rerank_lab.models.runtime.request import InferenceRequest, Kind, ModelOptions, Usage

if TYPE_CHECKING:
    from rerank_lab.models.execution_plan import ExecutionPlan

E = TypeVar("E", bound=ModelEngine)


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
        if not texts:
            return []
        with self.engine(ctx, usage) as (engine, request):
            return engine.score(query, texts, request)


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
        with self.engine(ctx, usage) as (engine, request):
            vectors = engine.embed(texts, kind, request)
            truncated = sorted(request.usage.truncated)
        if on_truncated is not None:
            for index in truncated:
                on_truncated(index)
        return vectors


class TokenEncoder(LocalModel[TokenEngine]):
    """A late-interaction encoder: texts to one vector of length 1 a token, for MaxSim."""

    __slots__ = ()

    def encode(
        self, texts: Sequence[str], kind: Kind, ctx: Context, usage: Usage | None = None
    ) -> list[Floats]:
        """A float32 array of shape [n_tokens, dimension] for each text."""
        if not texts:
            return []
        with self.engine(ctx, usage) as (engine, request):
            return engine.embed_tokens(texts, kind, request)
