"""A language model in this process, with the same face as one behind an endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rerank_lab.core.context import Context
from rerank_lab.core.spec import Literal
from rerank_lab.models.runtime.memory import Usage
from rerank_lab.models.torch.causal import CausalModel
from rerank_lab.rerankers.base import Work
from rerank_lab.rerankers.llm.messages import Ask, Said


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A transformers model by catalogue name, folder or hub id. It always takes the likeliest word.

    A JSON schema is not enforced here: the answer is read as strictly all the same.
    """

    options: Mapping[str, Literal]

    @property
    def causal(self) -> CausalModel:
        return CausalModel(str(self.options["model"]))

    def digest(self) -> str:
        """Digest of its files. Raises ModelUnavailable when they are not here."""
        return self.causal.digest()

    def load(self, ctx: Context) -> None:
        self.causal.load(ctx)

    def unload(self) -> None:
        self.causal.unload()

    def ask(self, ask: Ask, work: Work) -> Said:
        limit = ask.max_tokens + int(self.options["reasoning_tokens"])
        with self._used(work) as usage:
            made = self.causal.generate(ask.messages, limit, ask.top, work.ctx, usage)
        work.add(tokens_out=made.tokens_out)
        return Said(made.text, made.cut_short, first=made.first or None)

    def likelihood(self, before: str, text: str, work: Work) -> float:
        with self._used(work) as usage:
            return self.causal.likelihood(before, text, work.ctx, usage)

    @contextmanager
    def _used(self, work: Work) -> Iterator[Usage]:
        usage = Usage()
        try:
            yield usage
        finally:
            name = str(self.options["model"])
            work.add(
                queue_s=usage.queue_s,
                load_s=usage.load_s,
                tokens_in=usage.tokens,
                backend=usage.backend,
                model_asked=name,
                model_served=name,
            )
