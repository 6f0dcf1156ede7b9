"""Train by a plan: gather, validate, fit on everything, keep."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
from collections.abc import Sequence

from rerank_lab.core.context import Context
from rerank_lab.core.types import Qrels
from rerank_lab.fusion.learned.learners import fit, load_library
from rerank_lab.fusion.learned.model import LearnedModel, Origin, importances, query_digest
from rerank_lab.fusion.learned.store import save_model
from rerank_lab.learning.gather import Example, gather, stacked
from rerank_lab.learning.plan import Plan
from rerank_lab.learning.validate import cross_validate
from rerank_lab.pipeline.engine import Engine, default_engine


def train(plan: Plan, ctx: Context | None = None, engine: Engine | None = None) -> LearnedModel:
    """Train and keep the model under its name. The same plan gives the same model.

    Progress counts queries, folds and the last training. Raises Cancelled and the errors of
    sources; nothing is kept then but the scores of models that were asked.
    """
    engine = engine or default_engine()
    ctx = engine.context(ctx)
    queries = len(plan.queries)
    total = queries + plan.folds + 1
    examples = gather(plan, ctx, engine, total)
    validation = cross_validate(
        examples,
        plan.features.names,
        plan.qrels,
        plan.settings,
        plan.folds,
        plan.corpus.parent_of,
        ctx,
        (queries, total),
    )
    ctx.checkpoint()
    ctx.report("training on all queries", total - 1, total)
    trees = fit(*stacked(examples), plan.settings)
    model = LearnedModel(
        plan.name,
        plan.features,
        plan.settings,
        _origin(plan, examples),
        validation,
        importances(plan.features.names, trees.importances()),
        trees.text(),
    )
    save_model(model, replace=plan.replace)
    ctx.report("kept", total, total)
    return model


def _origin(plan: Plan, examples: Sequence[Example]) -> Origin:
    learner = plan.settings.learner
    scales = [example.before.scale for example in examples if len(example.before)]
    return Origin(
        corpus=plan.corpus.name,
        corpus_hash=plan.corpus.content_hash,
        qrels_hash=_qrels_hash(plan.qrels),
        before=str(plan.before),
        scale=scales[0],
        query_ids=tuple(query.id for query in plan.queries),
        query_digests=frozenset(query_digest(query) for query in plan.queries),
        documents=sum(len(example.grades) for example in examples),
        relevant=sum(grade > 0 for example in examples for grade in example.grades),
        unjudged=sum(example.unjudged for example in examples),
        created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        versions={
            "rerank-lab": importlib.metadata.version("rerank-lab"),
            learner: str(load_library(learner).__version__),
        },
        basis=plan.corpus.basis,
    )


def _qrels_hash(qrels: Qrels) -> str:
    rows = sorted((q, sorted(grades.items())) for q, grades in qrels.items())
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
