"""A real server in OpenAI's format whose model is a function, and a judge that asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.context import Context
from rerank_lab.judging.llm_judge.answers import AnswerCache
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.judging.llm_judge.judge import LLMJudge
from rerank_lab.judging.scales import UMBRELA, Scale
from rerank_lab.testing.chat_server import FakeChat, Mind, Question, Reply
from rerank_lab.testing.provider_servers import KEY

Serve = Callable[..., FakeChat]


@pytest.fixture(autouse=True)
def operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator allows this machine's own addresses; no key of the machine is around."""
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    monkeypatch.setattr("rerank_lab.remote.retries.FIRST_PAUSE_S", 0.001)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "RERANK_LAB_KEY_HOSTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(mind: Mind, **options: Any) -> FakeChat:
            return stack.enter_context(FakeChat(mind, **options))

        yield start


@pytest.fixture
def ctx() -> Context:
    return Context(secrets={"OPENAI_API_KEY": KEY})


@pytest.fixture
def answers(tmp_path: Path) -> AnswerCache:
    return AnswerCache(tmp_path / "answers.sqlite")


def model_at(server: FakeChat, **options: Any) -> JudgeModel:
    return JudgeModel("test-model", base_url=server.url, **options)


def judge_at(
    server: FakeChat, scale: Scale = UMBRELA, answers: AnswerCache | None = None, **options: Any
) -> LLMJudge:
    return LLMJudge(model_at(server, **options), scale, answers=answers)


def saying(*texts: str) -> Mind:
    """A model that gives these answers, one after another, the last for ever."""
    left = list(texts)

    def answer(question: Question) -> Reply:
        return Reply(left.pop(0) if len(left) > 1 else left[0])

    return answer
