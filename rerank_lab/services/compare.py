"""Comparing as a use case: one query through one pipeline, each a job of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.storage import MEMORY
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.results import Result, StageStarted, result_of
from rerank_lab.pipeline.stages import RETRIEVAL_LANE
from rerank_lab.remote.recordings import Recording
from rerank_lab.services.cost_estimates import Estimates, calls_out, stage_estimates
from rerank_lab.services.session import Bound, Session

if TYPE_CHECKING:
    from rerank_lab.rerankers.llm.base import LLMReranker

Describe = Callable[[Estimates], str]
"""Puts into words what a stage would take of its provider."""


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """Rank the documents of a corpus for a query by a pipeline.

    `depth` is how many candidates a first stage hands over that does not say a number itself; None
    leaves that to the first stage. `afresh` takes no score from the cache.
    """

    query: Query
    pipeline: PipelineSpec
    depth: int | None = None
    afresh: bool = False

    @property
    def deepened(self) -> Pipeline:
        """The pipeline at this depth."""
        pipeline = Pipeline(self.pipeline)
        return pipeline if self.depth is None else pipeline.at_depth(self.depth)


def run(request: CompareRequest, corpus: Corpus, ctx: Context, engine: Engine) -> Result:
    """Rank here and now. Never raises for a failed stage: see `Result.status` and `.error`."""
    if request.afresh:
        ctx = replace(ctx, cache=None)
    return request.deepened.run(request.query, corpus, ctx, engine)


@dataclass(frozen=True, slots=True)
class CompareKey(JobKey[Result]):
    """One pipeline for one query. `attempt` tells runs apart that were asked for again.

    `prompts` are digests of the edited prompts that the pipeline uses.
    """

    request: CompareRequest
    corpus_hash: str
    attempt: str
    prompts: tuple[str, ...]
    session: Bound


def job_key(
    request: CompareRequest, corpus: Corpus, session: Session, attempt: str = ""
) -> CompareKey:
    """The key of the job that `start` would give."""
    pipeline = Pipeline(request.pipeline)
    prompts = prompt_digests(pipeline, session.engine)
    return CompareKey(request, corpus.content_hash, attempt, prompts, session.bound([pipeline]))


def start(
    request: CompareRequest,
    corpus: Corpus,
    session: Session,
    *,
    attempt: str = "",
    describe: Describe = lambda _: "",
    name: str = "",
) -> Job[Result]:
    """The job of a pipeline: the one at work or done, else a new one.

    What providers answer is recorded in the job's context.

    Args:
        attempt: another one than before runs it again.
        describe: words for what each hosted stage would take; its progress carries them.
        name: of the job on screen; that of the pipeline when empty.
    """
    engine, pipeline = session.engine, request.deepened
    asks = calls_out(request.pipeline)

    def work(ctx: Context) -> Result:
        if asks:
            return _run_with_estimates(request, corpus, ctx, engine, describe)
        return run(request, corpus, ctx, engine)

    ctx = session.context([pipeline], afresh=request.afresh)
    return session.jobs.submit(
        job_key(request, corpus, session, attempt),
        work,
        lane=RETRIEVAL_LANE,
        by_stage=True,
        name=name or str(request.pipeline),
        waiter=session.waiter,
        ctx=replace(ctx, recording=Recording(MEMORY, whole=False)) if asks else ctx,
    )


def _run_with_estimates(
    request: CompareRequest, corpus: Corpus, ctx: Context, engine: Engine, describe: Describe
) -> Result:
    """As `Pipeline.run`; before each hosted stage, progress says what it would take."""
    pipeline, query = request.deepened, request.query
    ahead = ""

    def progress(now: Progress) -> None:
        ctx.progress(replace(now, message=f"{now.message} ({ahead})") if ahead else now)

    stages = []
    reporting = replace(ctx, progress=progress)
    for event in pipeline.events(query, corpus, reporting, engine):
        if not isinstance(event, StageStarted):
            stages.append(event.result)
            continue
        before = stages[-1].ranking if stages else None
        docs = [corpus.by_id[doc_id] for doc_id in before.doc_ids] if before else []
        try:
            ahead = describe(stage_estimates([event.node], query, docs, engine)) if docs else ""
        except LabError:  # the stage cannot run: its own error says why
            ahead = ""
        if ahead:
            reporting.report("asking")
    return result_of(str(pipeline), query, stages, corpus)


def prompt_digests(pipeline: Pipeline, engine: Engine) -> tuple[str, ...]:
    """Of the edited prompts that a pipeline uses: they change with the words, not the name."""
    from rerank_lab.rerankers.llm.prompts import is_own

    digests = []
    for node, kind in pipeline.leaves:
        reranker = llm_reranker_of(node, engine) if kind == "reranker" else None
        if reranker is not None and is_own(str(reranker.options["prompt"])):
            try:
                digests.append(reranker.prompt.digest)
            except LabError as error:
                digests.append(error.message)
    return tuple(digests)


def llm_reranker_of(node: Node, engine: Engine) -> LLMReranker | None:
    """The language model's reranker of a stage; None for any other, or one that cannot be made."""
    from rerank_lab.rerankers.llm.base import LLMReranker

    if node.sources:
        return None
    try:
        reranker = engine.reranker(node)
    except LabError:
        return None
    return reranker if isinstance(reranker, LLMReranker) else None
