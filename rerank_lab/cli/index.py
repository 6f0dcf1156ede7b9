"""`rerank-lab index`: the indexes that pipelines need, built beforehand."""

from __future__ import annotations

import argparse

from rerank_lab.cli.output import Output
from rerank_lab.cli.workers import chosen_workers
from rerank_lab.core.context import Context
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import load_corpus
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import pipelines
from rerank_lab.services import indexes
from rerank_lab.views.formatting import model_size, rough_duration


def index(arguments: argparse.Namespace, output: Output) -> int:
    """Build what is missing; 2 when a first stage failed (the others are built all the same)."""
    specs: list[PipelineSpec] = [
        pipeline.spec for pipeline in pipelines(arguments.pipelines or [indexes.KEYWORDS])
    ]
    corpus = load_corpus(arguments.corpus)
    engine = default_engine()
    ctx = Context(cache=engine.scores, progress=output.progress)
    workers = chosen_workers(arguments, output).opened()
    states = indexes.build_all(specs, corpus, ctx, engine, workers if workers.words else None)
    failed = [state for state in states if state.error is not None]
    if output.as_json:
        left_out = [state.to_json() for state in states if not state.folder]
        listed = [state.to_json() for state in states if state.folder]
        output.json({"corpus": corpus.name, "indexes": listed, "left_out": left_out})
    else:
        for state in states:
            if state.folder:
                times = rough_duration(state.seconds)
                doing = f"built in {times}" if state.built else f"was there, opened in {times}"
                output.line(f"{state.retriever}: {doing}, {model_size(state.size)}")
            elif state.error is None:
                output.line(f"{state.retriever}: {state.reason}")
            for warning in state.warnings:
                output.note(warning)
    for state in failed:
        if state.error is not None:
            output.error(state.error)
    return 2 if failed else 0
