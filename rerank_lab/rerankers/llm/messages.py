"""What a language model is asked, whatever runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rerank_lab.core.work import Work
from rerank_lab.remote.responses import Completion
from rerank_lab.rerankers.llm.prompts import Messages

CHARS_A_TOKEN = 3.6
"""For estimates only: English text has about four characters a token, ids and code fewer."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question.

    `max_tokens` is for the answer, reasoning apart. `top_logprobs` asks for so many alternatives of
    the first token, `schema` for JSON of that schema.
    """

    messages: Messages
    max_tokens: int
    top_logprobs: int = 0
    schema: dict[str, Any] | None = None


class LanguageModel(Protocol):
    """A language model behind an endpoint, or in this process. Counts into `work` as it goes."""

    def chat(self, request: ChatRequest, work: Work) -> Completion:
        """The answer to a question."""
        ...

    def likelihood(self, before: str, text: str, work: Work) -> float:
        """The mean log-probability of a token of `text` when it follows `before`."""
        ...


def tokens(messages: Messages) -> int:
    """About how many tokens a prompt has."""
    return round(sum(len(text) / CHARS_A_TOKEN + 4 for _, text in messages))


def plain(messages: Messages) -> str:
    """The turns as one text, for models that are asked to go on writing."""
    return "\n\n".join(text for _, text in messages)


def mean_of(values: Sequence[float]) -> float:
    """The arithmetic mean of at least one value."""
    return sum(values) / len(values)
