"""What is asked of a language model and what it says, whatever runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rerank_lab.rerankers.base import Work
from rerank_lab.rerankers.llm.prompts import Messages

CHARS_A_TOKEN = 3.6
"""For estimates only: English text has about four characters a token, ids and code fewer."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question. `top` asks for so many alternatives of the first token; `schema` for JSON."""

    messages: Messages
    max_tokens: int
    top: int = 0
    schema: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One answer. `first` holds (token, log-probability) pairs, most likely first.

    None there means that no probabilities were given. `cut_short`: stopped by the token limit.
    """

    text: str
    cut_short: bool = False
    refused: bool = False
    first: tuple[tuple[str, float], ...] | None = None


class Model(Protocol):
    """A language model behind an endpoint, or in this process. Counts into `work` as it goes."""

    def ask(self, ask: Ask, work: Work) -> Said: ...

    def likelihood(self, before: str, text: str, work: Work) -> float:
        """The mean log-probability of a token of `text` when it follows `before`."""
        ...


def tokens(messages: Messages) -> int:
    """About how many tokens a prompt has."""
    return round(sum(len(text) / CHARS_A_TOKEN + 4 for _, text in messages))


def plain(messages: Messages) -> str:
    """The turns as one text, for models that are asked to go on writing."""
    return "\n\n".join(text for _, text in messages)


def mean_of(found: Sequence[float]) -> float:
    return sum(found) / len(found)
