"""A language model in this process, with the same face as one behind an endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rerank_lab.core.context import Context
from rerank_lab.core.spec import Literal
from rerank_lab.core.work import Work
from rerank_lab.models.runtime.request import Usage
from rerank_lab.models.torch.causal import CausalModel
from rerank_lab.remote.responses import Completion
from rerank_lab.rerankers.llm.messages import ChatRequest


@dataclass(frozen=True, slots=True)
class LocalChatModel:
    """A transformers model by catalogue name, folder or hub id. It always takes the likeliest word.

    A JSON schema is not enforced here: the answer is read as strictly all the same.
    """

    options: Mapping[str, Literal]

    @property
    def causal(self) -> CausalModel:
        """The model, loaded or not."""
        return CausalModel(str(self.options["model"]))

    def digest(self) -> str:
        """Digest of its files. Raises ModelUnavailable when they are not here."""
        return self.causal.digest()

    def load(self, ctx: Context) -> None:
        """Bring the model into memory."""
        self.causal.load(ctx)

    def unload(self) -> None:
        """Free the model's memory."""
        self.causal.unload()

    def chat(self, request: ChatRequest, work: Work) -> Completion:
        """The likeliest answer to a question."""
        limit = request.max_tokens + int(self.options["reasoning_tokens"])
        with self._used(work) as usage:
            generated = self.causal.generate(
                request.messages, limit, request.top_logprobs, work.ctx, usage
            )
        work.add(tokens_out=generated.tokens_out)
        return Completion(generated.text, generated.cut_short, first_token=generated.first or None)

    def likelihood(self, before: str, text: str, work: Work) -> float:
        """The mean log-probability of a token of `text` when it follows `before`."""
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
