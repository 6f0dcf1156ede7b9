"""`rerank-lab labels judge`: a language model grades documents, and is compared with people."""

from __future__ import annotations

import argparse

from rerank_lab.cli.language_model import agree, check_model_named, judge_model
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import open_collection
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.judging.llm_judge.prompts import judge_prompt_text
from rerank_lab.judging.scales import SCALES, Scale
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import pipelines
from rerank_lab.services import llm_judging, llm_trust
from rerank_lab.views.llm_judge import outcome_lines, trust_lines


def judge_labels(arguments: argparse.Namespace, output: Output) -> int:
    """Judge to a depth, or with --trust compare with people; the cost is told first."""
    if arguments.print_prompt:
        output.line(judge_prompt_text(arguments.prompt).rstrip())
        return 0
    check_model_named(arguments)
    engine = default_engine()
    corpus = open_collection(arguments)
    store = JudgmentStore.open(engine.home)
    if arguments.trust:
        return _compare(arguments, corpus, store, engine, output)
    ctx = job_context(arguments, output, engine)
    request = llm_judging.LLMJudgingRequest(
        judge_model(arguments, prompt=arguments.prompt),
        tuple(pipeline.spec for pipeline in pipelines(arguments.pipelines)),
        depth=arguments.depth,
        scale=_scale(arguments),
        limit=arguments.limit,
        retry_abstained=arguments.retry_abstained,
    )
    planned = llm_judging.plan(request, corpus, ctx, engine, store)
    before = planned.pool - len(planned.keys)
    output.note(
        f"{planned.judge.name}: {planned.pool:,} documents in the pool, {before:,} judged before."
    )
    agree(arguments, planned.estimate, output)
    outcome = llm_judging.run(planned, corpus, ctx, store)
    allowed = outcome.judge in llm_judging.allowed_judges(corpus.name, store)
    if output.as_json:
        output.json(
            {
                "judge": outcome.judge,
                "pool": outcome.pool,
                "before": outcome.before,
                "graded": outcome.graded,
                "abstained": outcome.abstained,
                "failed": outcome.failed,
                "cost_usd": outcome.cost,
                "failures": list(outcome.failures),
                "may_enter_qrels": allowed,
            }
        )
        return 0
    for line in outcome_lines(outcome, allowed):
        output.line(line)
    return 0


def _compare(
    arguments: argparse.Namespace,
    corpus: Corpus,
    store: JudgmentStore,
    engine: Engine,
    output: Output,
) -> int:
    request = llm_trust.TrustRequest(
        judge_model(arguments, prompt=arguments.prompt),
        tuple(pipeline.spec for pipeline in pipelines(arguments.pipelines)),
        scale=_scale(arguments),
        against=arguments.against or "",
        sample=arguments.sample,
        probes=arguments.probes,
        seed=arguments.seed,
    )
    planned = llm_trust.plan(request, corpus, engine, store)
    output.note(
        f"{planned.judge.name}: {len(planned.sample):,} documents that people graded, "
        f"{len(planned.missing):,} of them to be asked about."
    )
    agree(arguments, planned.estimate, output)
    ctx = job_context(arguments, output, engine)
    trust = llm_trust.run(request, planned, corpus, ctx, store)
    if output.as_json:
        output.json(trust.to_json())
        return 0
    for line in trust_lines(trust):
        output.line(line)
    return 0


def _scale(arguments: argparse.Namespace) -> Scale:
    name = arguments.scale or ("umbrela" if arguments.prompt == "umbrela" else "graded")
    return SCALES[name]
