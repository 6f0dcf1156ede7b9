"""`rerank-lab evaluate` and `rerank-lab measure`: pipelines and run files against judgments."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.evaluate_questions import print_questions, questions_json
from rerank_lab.cli.files import output_file, table_file
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output, number
from rerank_lab.cli.reading import (
    judged_collection,
    open_collection,
    print_basis,
    print_problems,
    read_options,
    readings_json,
)
from rerank_lab.cli.workers import chosen_workers
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.paths import user_path
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.storage import disk_errors, write_file
from rerank_lab.core.types import Status
from rerank_lab.corpora.addresses import file_here
from rerank_lab.corpora.bundle import refuse_losses
from rerank_lab.corpora.judged import read_qrels
from rerank_lab.corpora.limits import LOCAL_LIMITS
from rerank_lab.corpora.runs import read_run_file
from rerank_lab.evaluation.experiments import Evaluation, Failure, Outcome
from rerank_lab.evaluation.experiments.columns import ResultColumn, ResultRow, ResultTable
from rerank_lab.evaluation.measure_names import parse_measures
from rerank_lab.evaluation.measures import DEFAULT_MEASURES, Averaging, Measured
from rerank_lab.evaluation.measures import measure as measured
from rerank_lab.evaluation.statistics import Paired
from rerank_lab.judging.llm_judge.error import JudgeError
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import pipelines
from rerank_lab.services import evaluate as evaluations
from rerank_lab.services.cost_estimates import CANDIDATES
from rerank_lab.services.evaluate import EvaluationRequest
from rerank_lab.services.judge_errors import judge_errors
from rerank_lab.views.evaluate import comparison_caveat, interval_note
from rerank_lab.views.evaluate_export import QUERY_FILES, RESULT_FILES, run_files
from rerank_lab.views.evaluate_notes import basis, shallow
from rerank_lab.views.formatting import corpus_size, counted
from rerank_lab.views.labels import numbered
from rerank_lab.views.results_table import TERMINAL_DIGITS, cell_text, p_words

_KEEP_ORDER = (".jsonl", ".parquet")
"""Run files of this program keep the order itself; in a TREC run scores decide, as in trec_eval."""


def evaluate(arguments: argparse.Namespace, output: Output) -> int:
    """Run and measure; 2 when no pipeline answered a single query."""
    names = arguments.measures or DEFAULT_MEASURES
    parse_measures(names)
    files = _files(arguments)
    engine = default_engine()
    corpus = judged_collection(arguments)
    request = EvaluationRequest(
        tuple(pipeline.spec for pipeline in pipelines(arguments.pipelines)),
        measures=tuple(names),
        limit=arguments.limit,
    )
    ctx = job_context(arguments, output, engine)
    note_cost_estimates(evaluations.cost_estimates(request, corpus, CANDIDATES, engine), output)
    for note in evaluations.notes_on_languages(request, corpus):
        output.note(note)
    workers = chosen_workers(arguments, output).opened()
    done = evaluations.run(request, corpus, ctx, engine, workers)
    if done.unkept:
        output.note(f"Results are not kept. {done.unkept}")
    errors = _judge_errors(arguments, done)
    if output.as_json:
        of_judge = {spec: error.to_json() for spec, error in errors.items()}
        more = {"judge_error": of_judge} if of_judge else {}
        more |= questions_json(done, arguments)
        output.json(done.to_json() | readings_json(corpus.meta) | more)
    if any(outcome.answered for outcome in done.outcomes):
        if not output.as_json:
            passages = len(corpus) if corpus.parent_of else 0
            size = corpus_size(corpus.size, passages, live=corpus.live)
            output.line(
                f"{corpus.name} · {size} · {counted(len(done.design.queries), 'query', 'queries')}"
            )
            for reading in corpus.meta.get("judged_readings", ()):
                output.line(reading.sentence)
            print_basis(corpus.basis, output)
            print_problems(corpus.meta.get("problems", ()), output)
            output.line()
            print_results(done, output)
            for spec, error in errors.items():
                output.line(f"{numbered(done.design.pipelines)[spec]}: {error.sentence}")
            print_questions(done, arguments, output)
        files.write(done, output)
        return 0
    _complain(done, output)
    return 2


def _judge_errors(arguments: argparse.Namespace, done: Evaluation) -> Mapping[str, JudgeError]:
    """What the errors of the LLM judges that count do to the differences; {} without any."""
    if not done.design.basis.llm_judges:
        return {}
    return judge_errors(done, open_collection(arguments))


@dataclass(frozen=True, slots=True)
class _Files:
    """Where rankings, the table of results and the values of each query go; None for nowhere."""

    runs: Path | None
    table: Path | None
    per_query: Path | None

    def write(self, done: Evaluation, output: Output) -> None:
        written = []
        if self.runs is not None:
            with disk_errors(self.runs):
                self.runs.mkdir(parents=True, exist_ok=True)
            for name, data in run_files(done):
                write_file(self.runs / name, data)
                written.append(self.runs / name)
        if self.table is not None:
            write_file(self.table, RESULT_FILES[self.table.suffix.casefold()](done, "", ""))
            written.append(self.table)
        if self.per_query is not None:
            export = QUERY_FILES.get(self.per_query.suffix.casefold(), QUERY_FILES[".csv"])
            write_file(self.per_query, export(done, "", ""))
            written.append(self.per_query)
        for path in written:
            output.note(f"wrote {path}")


def _files(arguments: argparse.Namespace) -> _Files:
    """The files asked for. Raises InvalidInput now for what could not be written in the end."""
    runs = user_path(arguments.runs) if arguments.runs else None
    if runs is not None and runs.exists() and not runs.is_dir():
        raise InvalidInput(f"--runs: {runs} is a file.", hint="Name a folder.")
    per_query = output_file("--per-query", arguments.per_query)
    return _Files(runs, table_file(arguments.table), per_query)


def measure(arguments: argparse.Namespace, output: Output) -> int:
    """Measure a run file."""
    ctx = Context(progress=output.progress)
    with (
        file_here(arguments.qrels, limits=LOCAL_LIMITS, ctx=ctx) as qrels,
        file_here(arguments.run, limits=LOCAL_LIMITS, ctx=ctx) as run,
    ):
        return _measure(arguments, output, qrels, run)


def _measure(arguments: argparse.Namespace, output: Output, qrels: Path, file: Path) -> int:
    names = arguments.measures or DEFAULT_MEASURES
    parse_measures(names)
    options, log = read_options(arguments, "qrels", "run"), ProblemLog()
    judgments = read_qrels(qrels, options["qrels"], log)
    averaging = Averaging(arguments.complete, trec_order=file.suffix not in _KEEP_ORDER)
    run_file = read_run_file(file, options["run"], log)
    if arguments.strict:
        refuse_losses(f"{qrels.name} or {file.name}", log)
    rankings = run_file.run.rankings
    own = sum(query_id in ranking.doc_ids for query_id, ranking in rankings.items())
    if arguments.exclude_identical:
        rankings = {q: ranking.without({q}) for q, ranking in rankings.items()}
    done = measured(judgments.qrels, rankings, names, averaging)
    if output.as_json:
        output.json(
            done.to_json()
            | {"missing": list(done.missing), "unjudged": list(done.unjudged)}
            | {"judgments": judgments.reading.to_json(), "run": run_file.reading.to_json()}
            | {"problems": [problem.to_json() for problem in log.problems]}
        )
        return 0
    output.line(judgments.reading.sentence)
    output.line(run_file.reading.sentence)
    print_problems(log.problems, output)
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


def print_results(
    done: Evaluation,
    output: Output,
    names: Mapping[str, str] | None = None,
    primary: str = "",
    baseline: str = "",
) -> None:
    """The table, what to know of it, each pipeline against the baseline, and what went wrong.

    Args:
        done: The evaluation.
        output: Where to write.
        names: How pipelines are called, by spec; without them by their specs, or by numbers.
        primary: The measure that they are compared by; "" for the first.
        baseline: The spec of the one that others are compared with; "" for the first.
    """
    labels = names or numbered(done.design.pipelines)
    table = done.table(primary, baseline)
    rows = [replace(row, label=labels[row.spec]) for row in table.rows]
    columns = table.on("terminal")
    lines = [[_cell(column, row) for column in columns] for row in rows]
    output.table(
        [[column.heading for column in columns], *lines],
        right=[place for place, column in enumerate(columns) if column.unit != "text"],
    )
    _print_legend(labels, output)
    for note in shallow(rows, labels):
        output.line(note)
    for row in rows:
        if row.untimed == "cached":
            output.line(
                f"{row.label}: every answer came from the score cache and has no time of its own; "
                "--no-cache measures it"
            )
    _print_comparisons(done, table, rows, output)
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


def _cell(column: ResultColumn, row: ResultRow) -> str:
    if column.csv == "pipeline":
        return row.label
    return f"{cell_text(column, row, TERMINAL_DIGITS)} {column.remark(row)}".rstrip()


def _print_legend(labels: Mapping[str, str], output: Output) -> None:
    """Which pipeline a number stands for."""
    for spec, label in labels.items():
        if label != spec:
            output.line(f"{label}  {spec}")


def _print_comparisons(
    done: Evaluation, table: ResultTable, rows: Sequence[ResultRow], output: Output
) -> None:
    """Each pipeline against the first, on the queries that all of them answered."""
    labels = {row.spec: row.label for row in rows}
    by_spec = {row.spec: row for row in rows}
    paired = [row.paired for row in rows if row.paired is not None]
    if not paired:
        if len(rows) > 1 and done.design.qrels:
            output.line()
            output.line("too few queries were answered by all to compare the pipelines")
        return
    output.line()
    baseline = labels[table.baseline]
    output.line(f"against {baseline}, on the {table.common:,} queries that all answered:")
    for comparison in paired:
        output.line(f"  {_sentence(comparison, table.primary, labels)}")
        a, b = by_spec[comparison.a], by_spec[comparison.b]
        if caveat := comparison_caveat(comparison, a, b, labels):
            output.line(f"    {caveat}")
        if note := interval_note(comparison):
            output.line(f"    {note}")
    if narrow := basis(done, labels):
        output.line(narrow)


def _sentence(comparison: Paired, name: str, labels: Mapping[str, str]) -> str:
    between = ""
    if comparison.low is not None and comparison.high is not None:
        between = f" [{comparison.low:+.3f}, {comparison.high:+.3f}]"
    p = "" if comparison.p_holm is None else f"; Holm {p_words(comparison.p_holm)}"
    return (
        f"{labels[comparison.b]}: {comparison.difference:+.3f} {name}{between}{p}; "
        f"{comparison.wins} wins, {comparison.losses} losses, {comparison.ties} ties"
    )


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
    more = f" and {len(ids) - 5:,} more" if len(ids) > 5 else ""
    return ", ".join(ids[:5]) + more
