"""A language model that judges or writes queries: how it is reached, asked, and what is kept."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, MissingExtra
from rerank_lab.core.spec import Literal
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.text import problems_line
from rerank_lab.core.work import Work
from rerank_lab.judging.llm_judge.answers import AnswerCache
from rerank_lab.remote.access import replayed
from rerank_lab.remote.responses import Completion
from rerank_lab.remote.urls import host_of
from rerank_lab.rerankers.llm.chat import ChatEndpoint
from rerank_lab.rerankers.llm.local_chat import LocalChatModel
from rerank_lab.rerankers.llm.messages import ChatRequest, LanguageModel
from rerank_lab.rerankers.llm.options import CONNECTION, EXECUTION, PROMPTING
from rerank_lab.rerankers.llm.prompts import Messages

ANSWER_TOKENS = 200
"""The longest answer that is waited for, reasoning apart."""
_EXECUTION_NAMES = frozenset(param.name for param in EXECUTION)


@dataclass(frozen=True, slots=True)
class JudgeModel:
    """Which language model judges, and how it is asked. The options of the LLM rerankers.

    Attributes:
        backend: "endpoint" or "local".
        base_url: address of the endpoint; "" for OpenAI's own.
        key_variable: environment variable of the key.
        prompt: name or .yaml file of a prompt of the kind "grade".
        instruction: a wish that is added to the prompt.
        passage_words: words of a document that are shown; the rest is cut, and its note says so.
        reasoning_tokens: tokens for thinking, on top of those for the answer.
        price_in, price_out: USD for a million tokens read and written; -1 for the price list.
        concurrency: calls side by side.
    """

    model: str
    base_url: str = ""
    backend: str = "endpoint"
    key_variable: str = "OPENAI_API_KEY"
    prompt: str = "umbrela"
    instruction: str = ""
    passage_words: int = 1000
    reasoning_tokens: int = 0
    temperature: float = 0.0
    seed: int = 0
    timeout_s: float = 60.0
    retries: int = 3
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    price_in: float = -1.0
    price_out: float = -1.0
    concurrency: int = 4

    @property
    def local(self) -> bool:
        """Whether the model runs in this process."""
        return self.backend == "local"

    def options(self) -> dict[str, Literal]:
        """The options as endpoints and local models take them.

        Raises:
            InvalidInput: with every option that is wrong.
        """
        values: dict[str, Literal] = asdict(self)
        del values["concurrency"]
        params = (*CONNECTION, *PROMPTING, *EXECUTION)
        problems = [what for param in params if (what := param.check(values[param.name])[1])]
        if not self.model.strip():
            problems.append("model must name a model")
        if not 1 <= self.concurrency <= 64:
            problems.append(f"concurrency must be from 1 to 64, not {self.concurrency}")
        if problems:
            raise InvalidInput(
                f"The LLM judge cannot be set up: {problems_line(problems)}",
                hint="Correct these options.",
                problems=problems,
            )
        return values


class AskedModel:
    """A language model with its options. Instant to construct; safe for many threads."""

    def __init__(self, settings: JudgeModel, answers: AnswerCache | None = None) -> None:
        """`answers` keeps what was said.

        Raises:
            InvalidInput: an option is wrong.
        """
        self.settings = settings
        self.options = settings.options()
        self._answers = answers

    @cached_property
    def model(self) -> LanguageModel:
        """The model, loaded or not."""
        if self.settings.local:
            return LocalChatModel(self.options)
        return ChatEndpoint(self.options)

    @cached_property
    def identity(self) -> tuple[object, ...]:
        """All that an answer depends on beside the prompt.

        Raises:
            ModelUnavailable: the files of a local model are not here.
        """
        left_out = _EXECUTION_NAMES | {"prompt", "key_variable", "base_url"}
        deciding = {name: value for name, value in self.options.items() if name not in left_out}
        local = LocalChatModel(self.options).digest() if self.settings.local else ""
        return deciding, host_of(self.settings.base_url.strip()), local

    def check(self, ctx: Context) -> None:
        """Raise what would stop it from answering here: packages, address, key, its files."""
        needed = ("yaml", "transformers") if self.settings.local else ("httpcore", "certifi")
        if any(importlib.util.find_spec(name) is None for name in needed):
            raise MissingExtra.of("The LLM judge", "llm")
        if self.settings.local:
            LocalChatModel(self.options).load(ctx)
        elif not replayed(ctx):
            ChatEndpoint(self.options).access(ctx)

    def estimate(self, calls: int, read: int) -> CostEstimate:
        """What so many questions take that have `read` tokens in all, none being answered yet."""
        written = calls * (ANSWER_TOKENS + self.settings.reasoning_tokens)
        if self.settings.local:
            return CostEstimate(calls, read + written, "tokens", 0.0)
        return ChatEndpoint(self.options).estimate(calls, read, written)

    def answer(self, messages: Messages, repeat: int, work: Work) -> tuple[Completion, str]:
        """The answer to a prompt, kept or asked for now, and the key that `keep` takes."""
        parts = (self.identity, messages, repeat)
        key = sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        whole = work.ctx.recording is not None and work.ctx.recording.whole
        known = self._answers.get(key) if self._answers and not whole else None
        if known is not None:
            work.add(cache_hits=1)
            return Completion(known, False), key
        answer = self.model.chat(ChatRequest(messages, ANSWER_TOKENS), work)
        work.add(calls=1)
        return answer, key

    def keep(self, key: str, answer: Completion) -> None:
        """Keep an answer, so that the same is not asked again."""
        if self._answers:
            self._answers.put(key, answer.text)
