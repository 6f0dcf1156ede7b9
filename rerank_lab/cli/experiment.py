"""`rerank-lab experiment`: run experiment files, hold their gates, look at what is kept.

Exit code 0 when every gate passed, 1 when one failed or could not be decided, 2 for errors.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.evaluate import print_results
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output, number
from rerank_lab.cli.reading import print_basis, print_problems, readings_json
from rerank_lab.cli.workers import chosen_workers
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.core.storage import disk_errors, write_file
from rerank_lab.corpora import Corpus
from rerank_lab.decision.gates import parse_gates
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.services import evaluate as evaluations
from rerank_lab.services import experiment_runs as runs
from rerank_lab.services.changes import changes_since
from rerank_lab.services.cost_estimates import CANDIDATES
from rerank_lab.services.experiment_files import ExperimentFile, read_experiment_file
from rerank_lab.services.experiment_runs import ExperimentRun
from rerank_lab.services.experiments import AcrossRequest, ExperimentFilter, compare, listed
from rerank_lab.views.across import across_view
from rerank_lab.views.changes import changes_sentences
from rerank_lab.views.formatting import corpus_size
from rerank_lab.views.gates import drift_lines, gate_verdict, junit_xml, summary_markdown

_YAML = (".yaml", ".yml")
_FAILED_GATE = 1


def experiment(arguments: argparse.Namespace, output: Output) -> int:
    """Carry out one of the actions."""
    return _ACTIONS[arguments.action](arguments, output)


def _run(arguments: argparse.Namespace, output: Output) -> int:
    return _asked(read_experiment_file(arguments.file), arguments, output)


def _resume(arguments: argparse.Namespace, output: Output) -> int:
    engine = default_engine()
    if _is_file(arguments.experiment):
        return _asked(read_experiment_file(arguments.experiment), arguments, output)
    experiment_id = named_experiment(arguments.experiment, engine)
    evaluation = runs.load_run(experiment_id, engine).evaluation
    terms = runs.terms_of(evaluation, engine.home)
    if not terms.path:
        raise InvalidInput(
            f"Experiment {experiment_id} was not run from a file.",
            hint="Go on with it on the page Evaluate, or run an experiment file.",
        )
    file = read_experiment_file(terms.path)
    planned = evaluations.planned(runs.evaluation_request(file.terms), runs.opened(file), engine).id
    if planned != experiment_id:
        raise InvalidInput(
            f"{Path(terms.path).name}, or what it stands on, has changed since experiment "
            f"{experiment_id} began.",
            hint=f"Run it anew: rerank-lab experiment run {terms.path}",
        )
    return _asked(file, arguments, output)


def _asked(file: ExperimentFile, arguments: argparse.Namespace, output: Output) -> int:
    """Run a file, and write what came of it; 2 when no pipeline answered a single query."""
    files = _files(arguments)
    engine = default_engine()
    corpus = runs.opened(file)
    request = runs.evaluation_request(file.terms)
    note_cost_estimates(evaluations.cost_estimates(request, corpus, CANDIDATES, engine), output)
    for note in evaluations.notes_on_languages(request, corpus):
        output.note(note)
    ctx = job_context(arguments, output, engine)
    workers = chosen_workers(arguments, output).opened()
    done = runs.run(file, corpus, ctx, engine, files.last, workers)
    if done.evaluation.unkept:
        output.note(f"Results are not kept. {done.evaluation.unkept}")
    if output.as_json:
        output.json(done.to_json() | readings_json(corpus.meta))
    else:
        _print_corpus(corpus, output)
        _print(done, arguments, output)
        output.line()
        for line in drift_lines(done.drift):
            output.line(line)
    files.write(done, arguments, output)
    if not any(outcome.answered for outcome in done.evaluation.outcomes):
        return 2
    return _code(done, arguments)


def _list(arguments: argparse.Namespace, output: Output) -> int:
    entries = listed(ExperimentFilter(), default_engine().home)
    if output.as_json:
        output.json(
            [
                {
                    "id": one.id,
                    "name": one.name,
                    "tags": list(one.tags),
                    "corpus": one.design.corpus,
                    "created_at": one.design.created_at,
                    "pipelines": list(one.design.pipelines),
                    "queries": len(one.design.queries),
                    "cells": one.cells,
                    "size": one.design.size,
                }
                for one in entries
            ]
        )
        return 0
    if not entries:
        output.line("No experiment is kept yet: rerank-lab experiment run FILE")
        return 0
    rows = [
        [
            one.id,
            one.design.created_at[:16].replace("T", " "),
            one.name or one.design.corpus,
            str(len(one.design.pipelines)),
            str(len(one.design.queries)),
            "finished" if one.cells >= one.design.size else f"{one.cells} of {one.design.size}",
        ]
        for one in entries
    ]
    heads = ["id", "begun (UTC)", "name", "pipelines", "queries", "cells"]
    output.table([heads, *rows], right=[3, 4])
    return 0


def _show(arguments: argparse.Namespace, output: Output) -> int:
    engine = default_engine()
    done = runs.load_run(named_experiment(arguments.experiment, engine), engine)
    corpus = runs.corpus_now(done.evaluation, engine.home)
    changes = changes_sentences(changes_since(done.evaluation.design, corpus, engine))
    if output.as_json:
        output.json(done.to_json() | {"changes": list(changes)})
        return 0
    _print(done, argparse.Namespace(allow_undecided=False), output)
    for line in changes:
        output.line(f"since then: {line}")
    return 0


def _gate(arguments: argparse.Namespace, output: Output) -> int:
    files = _files(arguments)
    engine = default_engine()
    done = runs.load_run(named_experiment(arguments.experiment, engine), engine)
    if arguments.gates or arguments.seed is not None:
        gates = parse_gates(arguments.gates) if arguments.gates else done.terms.parsed_gates
        checked = runs.kept_gates(done.evaluation, gates, engine, arguments.seed)
        done = ExperimentRun(done.terms, done.evaluation, checked)
    if not done.gates:
        raise InvalidInput(
            f"Experiment {done.evaluation.id} has no gate.",
            hint="State one: --gate 'nDCG@10 >= 0.45'",
        )
    if output.as_json:
        passed = done.passed(allow_undecided=arguments.allow_undecided)
        output.json({"passed": passed, "gates": [one.to_json() for one in done.gates]})
    else:
        _print_gates(done, arguments, output)
    files.write(done, arguments, output)
    return _code(done, arguments)


def _report(arguments: argparse.Namespace, output: Output) -> int:
    from rerank_lab.cli.report import report

    engine = default_engine()
    experiment_id = named_experiment(arguments.experiment, engine)
    done = runs.load_run(experiment_id, engine)
    terms = done.terms
    words = argparse.Namespace(
        experiment=experiment_id,
        output=arguments.output,
        measure=terms.measures[0],
        baseline=terms.pipelines.get(terms.baseline, ""),
        corpus=None,
        files=None,
    )
    return report(words, output)


def _compare(arguments: argparse.Namespace, output: Output) -> int:
    engine = default_engine()
    first, second = (named_experiment(one, engine) for one in (arguments.first, arguments.second))
    terms = runs.load_run(first, engine).terms
    named = arguments.baseline or terms.baseline
    baseline = terms.pipelines.get(named, named)
    comparison = compare(AcrossRequest(first, second, arguments.measure, baseline), engine.home)
    if output.as_json:
        output.json(comparison.to_json())
        return 0
    names = dict(runs.load_run(second, engine).terms.names) | dict(terms.names)
    view = across_view(comparison, names)
    output.line(view.sentence)
    output.line()
    heads = ["pipeline", comparison.measure, "difference", "95 % interval", "p", "queries"]
    rows = [
        [row.pipeline, number(row.mean), row.difference, row.interval, row.p, row.wins]
        for row in view.rows
    ]
    output.table([heads, *rows], right=[1, 2])
    for note in view.notes:
        output.line(note)
    return 0


_ACTIONS = {
    "compare": _compare,
    "run": _run,
    "resume": _resume,
    "list": _list,
    "show": _show,
    "gate": _gate,
    "report": _report,
}


@dataclass(frozen=True, slots=True)
class _Files:
    """Where gates and answers go; None for nowhere."""

    junit: Path | None
    markdown: Path | None
    last: Path | None

    def write(self, done: ExperimentRun, arguments: argparse.Namespace, output: Output) -> None:
        allowed = arguments.allow_undecided
        if self.junit is not None:
            write_file(self.junit, junit_xml(done, allow_undecided=allowed))
            output.note(f"wrote {self.junit}")
        if self.markdown is not None:
            with disk_errors(self.markdown), self.markdown.open("a", encoding="utf-8") as stream:
                stream.write(summary_markdown(done, allow_undecided=allowed))
            output.note(f"added a summary to {self.markdown}")


def _files(arguments: argparse.Namespace) -> _Files:
    """The files named. Raises InvalidInput now for what could not be written in the end."""
    paths = {}
    for option in ("junit", "markdown", "last"):
        name = getattr(arguments, option, None)
        paths[option] = user_path(name) if name else None
        if (path := paths[option]) is not None:
            if path.is_dir():
                raise InvalidInput(f"--{option}: {path} is a folder.", hint="Name a file.")
            if not path.parent.is_dir():
                raise InvalidInput(
                    f"--{option}: there is no folder {path.parent}.", hint="Make it first."
                )
    return _Files(**paths)


def _is_file(reference: str) -> bool:
    return reference.casefold().endswith(_YAML)


def named_experiment(reference: str, engine: Engine) -> str:
    """The id of the experiment that is meant. Raises InvalidInput for none, or several."""
    if _is_file(reference):
        file = read_experiment_file(reference)
        request = runs.evaluation_request(file.terms)
        return evaluations.planned(request, runs.opened(file), engine).id
    entries = listed(ExperimentFilter(archived=True), engine.home)
    ids = [one.id for one in entries if one.id.startswith(reference)]
    if len(ids) == 1 and reference:
        return ids[0]
    if not ids:
        raise InvalidInput(
            f"There is no experiment {reference!r} in the data folder.",
            hint="See: rerank-lab experiment list",
        )
    raise InvalidInput(
        f"{len(ids)} experiments begin with {reference!r}.", hint="Write more of the id."
    )


def _print_corpus(corpus: Corpus, output: Output) -> None:
    size = corpus_size(corpus.size, 0, live=corpus.live)
    output.line(f"{corpus.name} · {size}")
    for reading in corpus.meta.get("judged_readings", ()):
        output.line(reading.sentence)
    print_basis(corpus.basis, output)
    print_problems(corpus.meta.get("problems", ()), output)


def _print(done: ExperimentRun, arguments: argparse.Namespace, output: Output) -> None:
    evaluation, terms = done.evaluation, done.terms
    answered = f"{len(evaluation.cells):,} of {evaluation.design.size:,} cells"
    output.line(f"experiment {evaluation.id} · {answered}")
    output.line()
    baseline = terms.pipelines.get(terms.baseline, "")
    print_results(evaluation, output, terms.names, terms.measures[0], baseline)
    output.line()
    _print_gates(done, arguments, output)


def _print_gates(done: ExperimentRun, arguments: argparse.Namespace, output: Output) -> None:
    for one in done.gates:
        about = "" if one.gate.pipeline else f"{one.name}: "
        output.line(f"{one.result.value}: {about}{one.gate.line}")
        output.line(f"    {one.sentence}")
    output.line(gate_verdict(done.gates, allow_undecided=arguments.allow_undecided))


def _code(done: ExperimentRun, arguments: argparse.Namespace) -> int:
    return 0 if done.passed(allow_undecided=arguments.allow_undecided) else _FAILED_GATE
