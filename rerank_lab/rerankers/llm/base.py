"""What all rerankers over a language model share: prompts, passages, questions, counting faults."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from string import ascii_uppercase
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError, MissingExtra
from rerank_lab.core.input_coverage import InputCoverage
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.core.work import Work
from rerank_lab.models.token_budget import TokenBudget
from rerank_lab.remote.access import replayed
from rerank_lab.remote.responses import Completion
from rerank_lab.rerankers.base import Reranker
from rerank_lab.rerankers.comparative import accepted
from rerank_lab.rerankers.llm.chat import ChatEndpoint
from rerank_lab.rerankers.llm.local_chat import LocalChatModel
from rerank_lab.rerankers.llm.messages import ChatRequest, LanguageModel, tokens
from rerank_lab.rerankers.llm.prompts import KINDS, Messages, PromptTemplate, load_prompt
from rerank_lab.rerankers.llm.sanitise import cut, sanitised, word_spans
from rerank_lab.rerankers.long_documents import HEAD, LongDocuments
from rerank_lab.rerankers.parsing import Fault, Reading, thought

SANITISED_VERSION = 1
"""Raise it when `sanitised` or `cut` changes what models see: answers kept before then miss."""


class LLMReranker(Reranker):
    """A reranker that puts questions to a language model."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """The kind of prompt it needs; see `prompts.KINDS`."""

    @property
    @abstractmethod
    def default_prompt(self) -> str:
        """The name of the prompt that is used when none is given."""

    @property
    def prompt(self) -> PromptTemplate:
        """The prompt in use. Raises InvalidInput when it cannot be used."""
        prompt = load_prompt(str(self.options["prompt"]) or self.default_prompt, self.kind)
        prompt.check_instruction(self.instruction)
        return prompt

    @property
    def instruction(self) -> str:
        """The wish that goes into the prompt, "" for none."""
        return str(self.options["instruction"]).strip()

    @property
    def local(self) -> bool:
        """Whether the model runs in this process."""
        return self.options["backend"] == "local"

    @property
    def model(self) -> LanguageModel:
        """The model in use, loaded or not."""
        return LocalChatModel(self.options) if self.local else ChatEndpoint(self.options)

    def weights_digest(self) -> str:
        """Digest of all but the options that an answer depends on, the prompt's words included."""
        weights = LocalChatModel(self.options).digest() if self.local else ""
        parts = (weights, self.prompt.digest, str(SANITISED_VERSION))
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()

    def problems(self) -> list[LabError]:
        """What would stop it from running here: packages, prompt, model or address."""
        return self._problems(Context())

    def _problems(self, ctx: Context) -> list[LabError]:
        problems: list[LabError] = []
        needed = ("yaml", "transformers") if self.local else ("yaml", "httpcore", "certifi")
        if any(importlib.util.find_spec(name) is None for name in needed):
            return [MissingExtra.of(f"The reranker {self.info.name}", "llm")]
        try:
            _ = self.prompt
        except LabError as error:
            problems.append(error)
        try:
            if self.local:
                LocalChatModel(self.options).digest()
            elif not replayed(ctx):
                ChatEndpoint(self.options).base_url()
        except LabError as error:
            problems.append(error)
        return problems

    def missing_key(self, ctx: Context) -> LabError | None:
        """Why the endpoint cannot be called with the keys of this session, or None when it can."""
        if self.local:
            return None
        try:
            ChatEndpoint(self.options).access(ctx)
        except LabError as error:
            return error
        return None

    def calls(self, n: int) -> tuple[int, int]:
        """The fewest and the most questions that n documents take, if no answer is unusable.

        Each unusable answer adds one; answers in the cache take none.
        """
        groups = self.groups(n)
        return sum(fewest for _, fewest, _ in groups), sum(most for _, _, most in groups)

    @abstractmethod
    def groups(self, n: int) -> list[tuple[int, int, int]]:
        """What n documents take, as (documents shown, fewest, most questions of that size)."""

    def cost_estimate(self, query: Query, docs: Sequence[Document]) -> CostEstimate:
        """What reranking these would take at most, nothing being cached and no answer unusable."""
        texts = [self._prepared(text)[0] for text in self.texts(query.text, docs)]
        mean = sum(tokens((("", text),)) for text in texts) / max(1, len(texts))
        frame = tokens(self._messages(query.text, [], {}))
        groups = self.groups(len(texts))
        read = sum(most * (frame + size * mean) for size, _, most in groups)
        written = sum(most * self.answer_tokens(size) for size, _, most in groups)
        calls = sum(most for _, _, most in groups)
        if self.local:
            return CostEstimate(calls, read + written, "tokens", 0.0)
        return ChatEndpoint(self.options).estimate(calls, read, written)

    def example(
        self, query: str, texts: Sequence[str], prompt: PromptTemplate | None = None
    ) -> Messages:
        """The first question about these texts, as it would be sent, by this prompt or its own.

        A kind that shows one passage at a time is shown the first text. A tournament's example
        asks for the better half.
        """
        prepared = [self._prepared(text)[0] for text in texts]
        if KINDS[self.kind].one:
            more = {"passage": prepared[0] if prepared else ""}
            return self._messages(query, [], more, prompt=prompt)
        labelled = numbered(prepared) if self.kind in ("listwise", "select") else lettered(prepared)
        more = {"keep": str(max(1, len(prepared) // 2))}
        return self._messages(query, labelled, more, prompt=prompt)

    def texts(self, query: str, docs: Sequence[Document]) -> list[str]:
        """What is asked about: a text for each document, or for each of its passages."""
        return [doc.content for doc in docs]

    def answer_tokens(self, size: int) -> int:
        """The longest answer that is waited for, in tokens, reasoning apart."""
        return 16

    def _load(self, ctx: Context) -> None:
        problems = self._problems(ctx)
        if problems:
            raise problems[0]
        if self.local:
            LocalChatModel(self.options).load(ctx)
        else:
            # It counts as loading, not as the first answer's time.
            importlib.import_module("rerank_lab.remote.transport")

    def _close(self) -> None:
        if self.local:
            LocalChatModel(self.options).unload()

    def _prepared(self, text: str) -> tuple[str, bool]:
        """What the model is shown of a text, and whether something was cut off."""
        return _prepared_text(text, int(self.options["passage_words"]))

    def token_budget(self, query: str) -> TokenBudget:
        """The words of a text that are shown; the query takes nothing of them."""
        return TokenBudget(int(self.options["passage_words"]), word_spans)

    def _messages(
        self,
        query: str,
        passages: Sequence[tuple[str, str]],
        more: dict[str, str],
        again: str = "",
        prompt: PromptTemplate | None = None,
    ) -> Messages:
        values = {
            "query": sanitised(query),
            "instruction": sanitised(self.instruction) if self.instruction else "",
            "count": str(len(passages)),
            **more,
        }
        return (prompt or self.prompt).messages(values, passages, again)

    def _chat(self, messages: Messages, size: int, work: Work, **extra: Any) -> Completion:
        return self.model.chat(ChatRequest(messages, self.answer_tokens(size), **extra), work)

    def _read(self, reading: Reading, answer: Completion, work: Work) -> list[int]:
        """The positions of a usable reading. Counts every fault; raises UnusableAnswer."""
        if answer.refused and not reading.usable:
            reading = replace(reading, faults=(Fault.REFUSED,))
        if thought(answer.text):
            work.add(counts={"reasoning": 1.0})
        hint = "Use a stronger model, another form, or more tokens for reasoning."
        return accepted(reading, str(self.options["model"]), hint, work)


class ComparativeLLMReranker(LLMReranker):
    """Shows several documents at once; what is cut of them is counted once a query."""

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        if work.ctx.recording is not None and work.ctx.recording.whole:
            # A recording holds every question, not only those that no cache answered.
            work.ctx = replace(work.ctx, cache=None)
        ranking, status = self._ranked(query, docs, work)
        words = int(self.options["passage_words"])
        was_cut = sum(cut(doc.content, words)[1] for doc in docs)
        work.add(truncated=was_cut)
        if was_cut and status in (Status.OK, Status.CACHED):
            return ranking, Status.TRUNCATED
        return ranking, status

    def input_coverage(self, query: str, document: Document, ctx: Context) -> InputCoverage:
        """The words of a document that are shown, the others being cut."""
        return LongDocuments(HEAD).coverage(document, self.token_budget(query))

    @abstractmethod
    def _ranked(
        self, query: Query, docs: Sequence[Document], work: Work
    ) -> tuple[Ranking, Status]: ...


@lru_cache(maxsize=1024)
def _prepared_text(text: str, words: int) -> tuple[str, bool]:
    """Kept, because windows overlap and sorts ask about the same documents again and again."""
    head, was_cut = cut(text, words)
    return sanitised(head), was_cut


def numbered(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Texts with the identifiers 1, 2, ..."""
    return [(str(i), text) for i, text in enumerate(texts, 1)]


def lettered(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Texts with the identifiers A, B, ...; at most 26."""
    return list(zip(ascii_uppercase, texts, strict=False))
