"""Pointwise reranking by a language model's probabilities: yes or no, or the query's likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.core.work import Work
from rerank_lab.remote.gather import gather
from rerank_lab.rerankers.base import PointwiseReranker
from rerank_lab.rerankers.llm.base import LLMReranker
from rerank_lab.rerankers.llm.chat import no_probabilities
from rerank_lab.rerankers.llm.messages import plain
from rerank_lab.rerankers.llm.options import llm_info
from rerank_lab.rerankers.llm.sanitise import one_line
from rerank_lab.rerankers.long_documents import LONG

FORMS = ("yesno", "likelihood")
_TOP = 20
_BATCH = 16


class PointwiseLLM(LLMReranker, PointwiseReranker):
    """Scores each document by itself.

    "yesno": log P(yes) - log P(no) of the first token of the answer (a logit). "likelihood": the
    mean log-probability of the query's tokens given the passage (Sachan et al. 2022, UPR). Both
    need probabilities; an endpoint that gives none is refused rather than guessed at.
    """

    info: ClassVar[Info] = llm_info(
        "pointwise-llm",
        "A language model's probabilities score each document by itself.",
        "logit or logprob",
        Param("form", "yesno", "What is scored.", choices=FORMS, label="Form"),
        LONG,
        Param(
            "concurrency",
            4,
            "Calls of one query side by side.",
            1,
            16,
            execution=True,
            label="Calls side by side",
        ),
    )
    batch_size: ClassVar[int | None] = _BATCH

    @property
    def form(self) -> str:
        """How the question is put."""
        return str(self.options["form"])

    @property
    def kind(self) -> str:
        """The kind of prompt that its questions need."""
        return self.form

    @property
    def default_prompt(self) -> str:
        """The prompt of its form."""
        return self.form

    @property
    def scale(self) -> str:
        """What its scores are: "logit" or "logprob"."""
        return "logit" if self.form == "yesno" else "logprob"

    def groups(self, n: int) -> list[tuple[int, int, int]]:
        """What n documents take, as (documents shown, fewest, most questions of that size)."""
        return [(1, n, n)]

    def texts(self, query: str, docs: Sequence[Document]) -> list[str]:
        """The texts to score: a document, or its passages, as its policy for long ones says."""
        inputs = self.model_inputs(query, docs, Work(Context()))
        return [text for one in inputs for text in one.texts]

    def answer_tokens(self, size: int) -> int:
        """The longest answer that is waited for, in tokens, reasoning apart."""
        return 1

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """Ask about each text by itself."""

        def one(text: str, ctx: Context) -> tuple[float, Work]:
            part = Work(ctx)
            return self._score(query, text, part), part

        if self.local:
            done = [one(text, work.ctx) for text in texts]
        else:
            with work.timed("network_s"):
                width = int(self.options["concurrency"])
                done = gather(texts, one, work.ctx, width, lambda *_: None)
        # Calls run side by side: their wall time, measured here, is what counts, not their sum.
        for _, part in done:
            work.trace = work.trace + replace(part.trace, network_s=0.0, queue_s=0.0)
        work.add(calls=len(texts) - 1)  # the base counts one a batch
        work.truncated |= {i for i, text in enumerate(texts) if self._prepared(text)[1]}
        return [score for score, _ in done]

    def _score(self, query: str, text: str, work: Work) -> float:
        prepared, _ = self._prepared(text)
        messages = self._messages(query, [], {"passage": prepared})
        if self.form == "likelihood":
            return self.model.likelihood(plain(messages), one_line(query), work)
        answer = self._chat(messages, 1, work, top_logprobs=_TOP)
        if answer.first_token is None:
            raise no_probabilities(str(self.options["base_url"]), "token probabilities")
        return self._yes_less_no(answer.first_token, work)

    def _yes_less_no(self, first: Sequence[tuple[str, float]], work: Work) -> float:
        """The logit of yes against no. One that is not among the alternatives is bounded by them.

        Its probability can be no larger than that of the last alternative; that bound is used and
        counted as `clipped`. With neither there, the model does not answer the question.
        """
        sums = {"yes": 0.0, "no": 0.0}
        for token, logprob in first:
            word = token.strip(" \n.\"'*▁Ġ").lower()
            if word in sums:
                sums[word] += math.exp(logprob)
        if not any(sums.values()):
            raise BackendError(
                f"{self.options['model']} begins its answer with neither yes nor no.",
                hint='Use a stronger model, or form="likelihood".',
            )
        bound = math.exp(min(logprob for _, logprob in first))
        if not all(sums.values()):
            work.add(counts={"clipped": 1.0})
        yes, no = (max(value or bound, 1e-30) for value in sums.values())
        return math.log(yes) - math.log(no)

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        if work.ctx.recording is not None and work.ctx.recording.whole:
            work.ctx = replace(work.ctx, cache=None)
        ranking, status = PointwiseReranker._rank(self, query, docs, work)
        return ranking.rescaled(self.scale), status
