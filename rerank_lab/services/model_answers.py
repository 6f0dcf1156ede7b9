"""Many questions to a language model, several at a time, read strictly and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError
from rerank_lab.core.work import Work
from rerank_lab.judging.llm_judge.answers import AnswerCache
from rerank_lab.judging.llm_judge.asking import AskedModel, JudgeModel
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.remote.gather import gather
from rerank_lab.remote.responses import Completion
from rerank_lab.remote.urls import host_of
from rerank_lab.rerankers.llm.prompts import Messages
from rerank_lab.services.session import Bound, Session

A = TypeVar("A")
MOST_FAILURES = 5
"""Failures one after another, after which the endpoint is taken to be out of order."""


def asked_model(model: JudgeModel, engine: Engine) -> AskedModel:
    """The model, with the answers that the data folder keeps; its `prompt` is not looked at.

    Raises:
        InvalidInput: an option is wrong.
    """
    return AskedModel(model, AnswerCache(engine.home / "llm-answers.sqlite"))


def model_answers(
    asked: AskedModel,
    prompts: Sequence[Messages],
    read: Callable[[Completion], A | None],
    ctx: Context,
    message: str,
) -> list[A | None]:
    """The answer to each prompt; None where the call failed or the answer cannot be used.

    Args:
        asked: what is asked; usable answers are kept, and not asked for again.
        prompts: the questions.
        read: the meaning of an answer, None for one that has not the form that was asked for.
        ctx: keys, spend limit, cancel and progress.
        message: what is reported to be going on.

    Raises:
        SpendLimit, MissingKey, Cancelled: what was answered by then is kept.
        BackendError: several calls in a row failed, or all of them.
    """
    answers: list[A | None] = [None] * len(prompts)
    failures = 0

    def one(prompt: Messages, inner: Context) -> A | BackendError | None:
        try:
            completion, key = asked.answer(prompt, 0, Work(inner.for_remote_stage()))
        except BackendError as error:
            return error
        answer = read(completion)
        if answer is not None:
            asked.keep(key, completion)
        return answer

    def store(index: int, answer: A | BackendError | None) -> None:
        nonlocal failures
        ctx.report(message, index + 1, len(prompts))
        if not isinstance(answer, BackendError):
            failures, answers[index] = 0, answer
            return
        failures += 1
        if failures >= min(MOST_FAILURES, len(prompts)):
            raise answer

    asked.check(ctx)
    gather(prompts, one, ctx, 1 if asked.settings.local else asked.settings.concurrency, store)
    return answers


def context_with(
    session: Session, pipelines: Sequence[Pipeline], model: JudgeModel | None
) -> Context:
    """What pipelines run with beside a language model: the session's keys and spend limit.

    No key goes to an address that the session distrusts.
    """
    ctx = session.context(pipelines)
    if model is None:
        return ctx
    secrets = session.secrets_for(pipelines)
    if host_of(model.base_url.strip()) in session.distrusted_hosts:
        secrets = {}
    return replace(ctx, secrets=secrets, spend=session.spend)


def bound_with(session: Session, pipelines: Sequence[Pipeline], model: JudgeModel | None) -> Bound:
    """What keeps such a job to its session: () when nobody outside is asked."""
    if model is None:
        return session.bound(pipelines)
    return session.waiter, str(session.key_version)
