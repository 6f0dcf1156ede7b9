"""`rerank-lab labels agreement`: how far judges agree, and what they dispute."""

from __future__ import annotations

import argparse
from typing import Any

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output, number
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.judging.agreement import JudgeAgreement, TwoJudges
from rerank_lab.judging.judge_influence import JudgeInfluence
from rerank_lab.judging.pools import MissedRelevant
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import pipelines
from rerank_lab.services.agreement import (
    AgreementRequest,
    influence_of_judges,
    judge_agreement,
    missed_by_pool,
)
from rerank_lab.services.cost_estimates import CANDIDATES, query_set_estimates
from rerank_lab.services.pipeline_runs import pipeline_runs

_DISPUTED = 20


def label_agreement(arguments: argparse.Namespace, output: Output) -> int:
    """Print coefficients with intervals, each two judges, and the pairs with different grades."""
    corpus = load_corpus(arguments.corpus)
    request = AgreementRequest(arguments.session, tuple(arguments.judges))
    compared = judge_agreement(request, corpus)
    influence = _influence(request, corpus, arguments, output) if arguments.pipelines else None
    missed = missed_by_pool(arguments.session, corpus) if arguments.session else None
    if output.as_json:
        ranking = {} if influence is None else {"ranking": _influence_json(influence)}
        below = {} if missed is None else {"missed_by_pool": _missed_json(missed)}
        output.json(_json(compared) | ranking | below)
        return 0
    _print(compared, output)
    if missed is not None:
        output.line()
        output.line(
            f"below the pool: about {missed.estimate:.0f} relevant documents missed "
            f"[{missed.low:.0f}, {missed.high:.0f}], from {missed.judged:,} of "
            f"{missed.population:,.0f}; the pool holds {missed.pooled:,}"
        )
    if influence is not None:
        _print_influence(influence, output)
    return 0


def _influence(
    request: AgreementRequest, corpus: Corpus, arguments: argparse.Namespace, output: Output
) -> JudgeInfluence:
    engine = default_engine()
    specs = tuple(pipeline.spec for pipeline in pipelines(arguments.pipelines))
    queries = corpus.queries[: arguments.limit]
    note_cost_estimates(query_set_estimates(specs, queries, corpus, CANDIDATES, engine), output)
    ctx = job_context(arguments, output, engine)
    runs = pipeline_runs(specs, corpus, ctx, engine, arguments.limit)
    return influence_of_judges(request, corpus, runs, arguments.measure)


def _json(compared: JudgeAgreement) -> dict[str, Any]:
    measures = compared.measures.items()
    return {
        "judges": dict(compared.judges),
        "cannot_tell": dict(compared.cannot_tell),
        "pairs": compared.pairs,
        "measures": {name: coefficient.value for name, coefficient in measures},
        "intervals": {
            name: None if coefficient.low is None else [coefficient.low, coefficient.high]
            for name, coefficient in measures
        },
        "undefined": {name: c.reason for name, c in measures if c.value is None},
        "between": [_two_json(two) for two in compared.between],
        "disputed": [
            {"query_id": pair.query_id, "doc_id": pair.doc_id, "grades": dict(pair.grades)}
            for pair in compared.disputed
        ],
    }


def _two_json(two: TwoJudges) -> dict[str, Any]:
    return {
        "judges": [two.a, two.b],
        "pairs": two.pairs,
        "confusion": [list(row) for row in two.confusion],
        "bias": two.bias,
        "measures": {name: coefficient.value for name, coefficient in two.measures.items()},
    }


def _missed_json(missed: MissedRelevant) -> dict[str, Any]:
    return {
        "estimate": missed.estimate,
        "interval": [missed.low, missed.high],
        "level": missed.level,
        "sampled": missed.sampled,
        "judged": missed.judged,
        "population": missed.population,
        "pooled_relevant": missed.pooled,
        "recall": missed.recall,
    }


def _influence_json(influence: JudgeInfluence) -> dict[str, Any]:
    return {
        "order": list(influence.order),
        "winner_holds": influence.winner_holds,
        "order_holds": influence.order_holds,
        "judges_alone": influence.judges_alone,
        "by_judge": [
            {
                "judge": one.judge,
                "queries": one.queries,
                "winners": list(one.winners),
                "means": dict(one.means),
            }
            for one in influence.by_judge
        ],
    }


def _print_influence(influence: JudgeInfluence, output: Output) -> None:
    output.line()
    for one in influence.by_judge:
        best = " and ".join(one.winners) or "unknown"
        output.line(f"{one.judge}: best is {best}, on {one.queries:,} queries")
    output.line(
        f"{influence.order[0]} stays best in {influence.winner_holds:.0%} of draws of judges and "
        f"queries, in {influence.judges_alone:.0%} of draws of judges alone; the whole order "
        f"stays in {influence.order_holds:.0%}"
    )


def _print(compared: JudgeAgreement, output: Output) -> None:
    for judge, count in compared.judges.items():
        unsure = compared.cannot_tell[judge]
        more = f", cannot tell {unsure:,}" if unsure else ""
        output.line(f"{judge}: {count:,} grades{more}")
    output.line(f"{compared.pairs:,} pairs graded by two judges or more")
    output.line()
    rows = []
    for name, one in compared.measures.items():
        if one.value is None:
            rows.append([name, "-", one.reason])
        else:
            ends = "" if one.low is None else f"[{number(one.low)}, {number(one.high or 0.0)}]"
            rows.append([name, number(one.value), ends])
    output.table([["measure", "value", "95% interval"], *rows], right=[1])
    if compared.disputed:
        output.line()
        output.line(f"{len(compared.disputed):,} pairs with different grades, widest gap first:")
        for pair in compared.disputed[:_DISPUTED]:
            grades = ", ".join(f"{judge} {grade}" for judge, grade in pair.grades.items())
            output.line(f"  {pair.query_id}  {pair.doc_id}  {grades}")
