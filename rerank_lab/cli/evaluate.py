"""`rerank-lab evaluate` and `rerank-lab measure`: pipelines and run files against judgments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.output import Output, number, seconds
from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Status
from rerank_lab.corpora import load_corpus
from rerank_lab.corpora.judged import read_qrels
from rerank_lab.corpora.runs import read_run
from rerank_lab.evaluation.experiments import Evaluation, Failure, Outcome, asked_queries, plan, run
from rerank_lab.evaluation.measure_names import parse_measures
from rerank_lab.evaluation.measures import DEFAULT_MEASURES, Averaging, Measured
from rerank_lab.evaluation.measures import measure as measured
from rerank_lab.evaluation.statistics import Paired, against
from rerank_lab.pipeline.engine import default_engine

_KEEP_ORDER = (".jsonl", ".parquet")
"""Run files of this program keep the order itself; in a TREC run scores decide, as in trec_eval."""


def evaluate(arguments: argparse.Namespace, output: Output) -> int:
    """Run and measure; 2 when no pipeline answered a single query."""
    names = arguments.measures or DEFAULT_MEASURES
    parse_measures(names)
    engine = default_engine()
    corpus = load_corpus(
        arguments.corpus,
        queries=arguments.queries,
        qrels=arguments.qrels,
        exclude_identical=arguments.exclude_identical,
    )
    queries = asked_queries(corpus.queries, corpus.qrels)[: arguments.limit]
    experiment = plan(corpus, arguments.pipelines, queries=queries, measures=names, engine=engine)
    ctx = Context(
        cache=None if arguments.no_cache else engine.scores,
        progress=output.progress,
        spend=SpendMeter(arguments.spend_limit),
    )
    note_cost_estimates(arguments.pipelines, queries, corpus, engine, output)
    done = run(experiment, ctx, engine)
    if done.unkept:
        output.note(f"Results are not kept. {done.unkept}")
    if output.as_json:
        readings = [reading.to_json() for reading in corpus.meta.get("judged_readings", ())]
        output.json(done.to_json() | {"readings": readings})
    if any(outcome.answered for outcome in done.outcomes):
        if not output.as_json:
            output.line(f"{corpus.name} · {len(corpus):,} documents · {len(queries):,} queries")
            for reading in corpus.meta.get("judged_readings", ()):
                output.line(reading.sentence)
            output.line()
            _print(done, output)
        return 0
    _complain(done, output)
    return 2


def measure(arguments: argparse.Namespace, output: Output) -> int:
    """Measure a run file."""
    names = arguments.measures or DEFAULT_MEASURES
    parse_measures(names)
    judgments = read_qrels(Path(arguments.qrels).expanduser())
    file = Path(arguments.run).expanduser()
    averaging = Averaging(arguments.complete, trec_order=file.suffix not in _KEEP_ORDER)
    rankings = read_run(file).rankings
    own = sum(query_id in ranking.doc_ids for query_id, ranking in rankings.items())
    if arguments.exclude_identical:
        rankings = {q: ranking.without({q}) for q, ranking in rankings.items()}
    done = measured(judgments.qrels, rankings, names, averaging)
    if output.as_json:
        output.json(
            done.to_json()
            | {"missing": list(done.missing), "unjudged": list(done.unjudged)}
            | {"judgments": judgments.reading.to_json()}
        )
        return 0
    output.line(judgments.reading.sentence)
    _print_measured(done, arguments.complete, arguments.per_query, output)
    if own:
        what = "were left out" if arguments.exclude_identical else "count; see --exclude-identical"
        output.line(f"{own:,} rankings hold a document with the id of their query: these {what}")
    return 0


def _print_measured(done: Measured, complete: bool, per_query: bool, output: Output) -> None:
    if per_query:
        heads = ["query", *done.measures]
        rows = [[q, *(number(v) for v in values.values())] for q, values in done.per_query.items()]
        means = ["all", *(number(value) for value in done.measures.values())]
        output.table([heads, *rows, means], right=range(1, len(heads)))
    else:
        rows = [[name, number(value)] for name, value in done.measures.items()]
        output.table([["measure", "mean"], *rows], right=[1])
    output.line()
    output.line(f"over {len(done.per_query):,} queries")
    if done.missing:
        what = "counted as 0" if complete else "left out"
        output.line(
            f"{len(done.missing):,} judged queries have no ranking ({what}): {_some(done.missing)}"
        )
    if done.unjudged:
        output.line(f"{len(done.unjudged):,} ranked queries are not judged (left out)")


def _print(done: Evaluation, output: Output) -> None:
    names = list(done.design.measures)
    head = ["pipeline", "measured", *names, "p50", "p95"]
    rows = [
        [
            outcome.pipeline,
            str(outcome.measured),
            *(number(outcome.measures[name]) for name in names),
            seconds(outcome.latency.p50),
            seconds(outcome.latency.p95),
        ]
        for outcome in done.outcomes
    ]
    output.table([head, *rows], right=range(1, len(head)))
    _print_comparisons(done, names[0], output)
    for outcome in done.outcomes:
        _print_ledger(outcome, output)
    if done.design.excluding:
        output.line(
            f"{done.design.excluding:,} queries exclude documents, such as themselves; "
            "--no-exclude-identical ranks a query's own document"
        )
    unasked = done.design.unasked
    if unasked:
        output.line(f"{len(unasked):,} judged queries have no text: {_some(unasked)}")


def _print_comparisons(done: Evaluation, name: str, output: Output) -> None:
    """Each pipeline against the first, on the queries that all of them answered."""
    values = {one.pipeline: done.values(one.pipeline, name, common=True) for one in done.outcomes}
    values = {pipeline: comparison for pipeline, comparison in values.items() if comparison}
    baseline = done.outcomes[0].pipeline
    if baseline not in values or len(values) < 2:
        return
    output.line()
    output.line(f"against {baseline}, on the {len(done.common):,} queries that all answered:")
    for comparison in against(baseline, values):
        output.line(f"  {_sentence(comparison, name)}")


def _sentence(comparison: Paired, name: str) -> str:
    between = ""
    if comparison.low is not None and comparison.high is not None:
        between = f" [{comparison.low:+.3f}, {comparison.high:+.3f}]"
    p = "" if comparison.p_holm is None else f"; Holm p {_p(comparison.p_holm)}"
    return (
        f"{comparison.b}: {comparison.difference:+.3f} {name}{between}{p}; "
        f"{comparison.wins} wins, {comparison.losses} losses, {comparison.ties} ties"
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def _print_ledger(outcome: Outcome, output: Output) -> None:
    odd = {status: n for status, n in outcome.status.items() if status is not Status.OK}
    if odd:
        listed = ", ".join(f"{n} {status.value}" for status, n in odd.items())
        output.line()
        output.line(
            f"{outcome.pipeline}: {outcome.answered} of {outcome.queries} answered ({listed})"
        )
    for text, warned in outcome.warnings.items():
        output.line(f"  note, on {warned} of {outcome.queries}: {text}")
    reasons: dict[Failure, list[str]] = {}
    for group in outcome.errors:
        count = f"{len(group.query_ids)} {group.status.value}"
        reasons.setdefault(group.failure, []).append(count)
    for failure, counts in reasons.items():
        output.line(f"  {', '.join(counts)}: {failure.message}")
        output.line(f"  hint: {failure.hint}")


def _complain(done: Evaluation, output: Output) -> None:
    for outcome in done.outcomes:
        failure = outcome.errors[0].failure if outcome.errors else None
        if failure is not None:
            error = LabError(f"{outcome.pipeline}: {failure.message}", hint=failure.hint)
            error.kind = failure.kind
            output.error(error)


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")
