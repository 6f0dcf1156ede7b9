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
from rerank_lab.core.errors import InvalidInput, LabError, MissingExtra
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.models.token_budget import TokenBudget
from rerank_lab.rerankers import long_documents as long
from rerank_lab.rerankers.base import Reranker, Work
from rerank_lab.rerankers.comparative import accepted
from rerank_lab.rerankers.llm.chat import Endpoint
from rerank_lab.rerankers.llm.local_chat import LocalModel
from rerank_lab.rerankers.llm.messages import Ask, Model, Said, tokens
from rerank_lab.rerankers.llm.prompts import KINDS, Messages, Prompt, load_prompt
from rerank_lab.rerankers.llm.sanitise import cut, shown, word_spans
from rerank_lab.rerankers.parsing import Fault, Reading, thought

SHOWN_VERSION = 1
"""Raise it when `shown` or `cut` changes what models see: answers kept from before then miss."""


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
    def prompt(self) -> Prompt:
        """The prompt in use. Raises InvalidInput when it cannot be used."""
        found = load_prompt(str(self.options["prompt"]) or self.default_prompt, self.kind)
        if self.instruction and not found.takes_instruction:
            raise InvalidInput(
                "This prompt takes no instruction.",
                hint="Add the placeholder {instruction} to it, or leave the instruction out.",
            )
        return found

    @property
    def instruction(self) -> str:
        return str(self.options["instruction"]).strip()

    @property
    def local(self) -> bool:
        return self.options["backend"] == "local"

    @property
    def model(self) -> Model:
        return LocalModel(self.options) if self.local else Endpoint(self.options)

    def weights_digest(self) -> str:
        """Digest of all but the options that an answer depends on, the prompt's words included."""
        weights = LocalModel(self.options).digest() if self.local else ""
        parts = (weights, self.prompt.digest, str(SHOWN_VERSION))
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()

    def problems(self) -> list[LabError]:
        return self._problems(Context())

    def _problems(self, ctx: Context) -> list[LabError]:
        found: list[LabError] = []
        needed = ("yaml", "transformers") if self.local else ("yaml", "openai", "httpx")
        if any(importlib.util.find_spec(name) is None for name in needed):
            return [MissingExtra.of(f"The reranker {self.info.name}", "llm")]
        try:
            _ = self.prompt
        except LabError as error:
            found.append(error)
        try:
            if self.local:
                LocalModel(self.options).digest()
            elif ctx.recording is None or not ctx.recording.replaying:
                Endpoint(self.options).base_url()
        except LabError as error:
            found.append(error)
        return found

    def missing_key(self, ctx: Context) -> LabError | None:
        """Why the endpoint cannot be called with the keys of this session, or None when it can."""
        if self.local:
            return None
        try:
            Endpoint(self.options).access(ctx)
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

    def estimate(self, query: Query, docs: Sequence[Document]) -> CostEstimate:
        """What reranking these would take at most, nothing being cached and no answer unusable."""
        texts = [self._seen(text)[0] for text in self.texts(query.text, docs)]
        mean = sum(tokens((("", text),)) for text in texts) / max(1, len(texts))
        frame = tokens(self._messages(query.text, [], {}))
        groups = self.groups(len(texts))
        read = sum(most * (frame + size * mean) for size, _, most in groups)
        written = sum(most * self.answer_tokens(size) for size, _, most in groups)
        calls = sum(most for _, _, most in groups)
        if self.local:
            return CostEstimate(calls, read + written, "tokens", 0.0)
        return Endpoint(self.options).estimate(calls, read, written)

    def example(self, query: str, texts: Sequence[str], prompt: Prompt | None = None) -> Messages:
        """The first question about these texts, as it would be sent, by this prompt or its own.

        A kind that shows one passage at a time is shown the first text. A tournament's example
        asks for the better half.
        """
        seen = [self._seen(text)[0] for text in texts]
        if KINDS[self.kind].one:
            more = {"passage": seen[0] if seen else ""}
            return self._messages(query, [], more, prompt=prompt)
        labelled = numbered(seen) if self.kind in ("listwise", "select") else lettered(seen)
        more = {"keep": str(max(1, len(seen) // 2))}
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
            LocalModel(self.options).load(ctx)
        else:
            # A second or more: it counts as loading, not as the first answer's time.
            importlib.import_module("openai")
            importlib.import_module("rerank_lab.rerankers.llm.sdk")

    def _close(self) -> None:
        if self.local:
            LocalModel(self.options).unload()

    def _seen(self, text: str) -> tuple[str, bool]:
        """What the model is shown of a text, and whether something was cut off."""
        return _shown_of(text, int(self.options["passage_words"]))

    def token_budget(self, query: str) -> TokenBudget:
        """The words of a text that are shown; the query takes nothing of them."""
        return TokenBudget(int(self.options["passage_words"]), word_spans)

    def _messages(
        self,
        query: str,
        passages: Sequence[tuple[str, str]],
        more: dict[str, str],
        again: str = "",
        prompt: Prompt | None = None,
    ) -> Messages:
        values = {
            "query": shown(query),
            "instruction": shown(self.instruction) if self.instruction else "",
            "count": str(len(passages)),
            **more,
        }
        return (prompt or self.prompt).messages(values, passages, again)

    def _say(self, messages: Messages, size: int, work: Work, **extra: Any) -> Said:
        return self.model.ask(Ask(messages, self.answer_tokens(size), **extra), work)

    def _read(self, reading: Reading, said: Said, work: Work) -> list[int]:
        """The positions of a usable reading. Counts every fault; raises UnusableAnswer."""
        if said.refused and not reading.usable:
            reading = replace(reading, faults=(Fault.REFUSED,))
        if thought(said.text):
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

    def input_coverage(self, query: str, document: Document, ctx: Context) -> long.InputCoverage:
        return long.input_coverage(document, self.token_budget(query), long.HEAD)

    @abstractmethod
    def _ranked(
        self, query: Query, docs: Sequence[Document], work: Work
    ) -> tuple[Ranking, Status]: ...


@lru_cache(maxsize=1024)
def _shown_of(text: str, words: int) -> tuple[str, bool]:
    """Kept, because windows overlap and sorts ask about the same documents again and again."""
    kept, was_cut = cut(text, words)
    return shown(kept), was_cut


def numbered(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Texts with the identifiers 1, 2, ..."""
    return [(str(i), text) for i, text in enumerate(texts, 1)]


def lettered(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Texts with the identifiers A, B, ...; at most 26."""
    return list(zip(ascii_uppercase, texts, strict=False))
