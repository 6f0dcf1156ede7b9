"""`rerank-lab labels import` and `labels export`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import print_problems, read_options
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.judgment_basis import Policy
from rerank_lab.core.paths import user_path
from rerank_lab.core.storage import write_file
from rerank_lab.corpora import load_corpus
from rerank_lab.corpora.source import Source
from rerank_lab.judging.exchange.formats import ExchangeFormat
from rerank_lab.judging.records import JudgeKind
from rerank_lab.judging.scales import SCALES
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.services.judgments import (
    COUNTED_KINDS,
    JudgmentExport,
    JudgmentImport,
    export_judgments,
    import_judgments,
)
from rerank_lab.views.label import import_sentence


def import_labels(arguments: argparse.Namespace, output: Output) -> int:
    """Read judgments of files, store those that fit, and say what became of every row.

    The exit code is 2 when rows were refused and none was stored.
    """
    corpus = load_corpus(arguments.corpus)
    options = read_options(arguments, "qrels")["qrels"]
    request = JudgmentImport(
        tuple(Source.of(_existing(name)) for name in arguments.files),
        judge=arguments.judge,
        kind=JudgeKind(arguments.kind),
        scale=SCALES[arguments.scale] if arguments.scale else None,
        options=replace(options, delimiter=arguments.separator),
        replace=arguments.replace,
        strict=arguments.strict,
    )
    report = import_judgments(request, corpus, JudgmentStore.open())
    if output.as_json:
        output.json(report.to_json())
    else:
        for reading in report.readings:
            output.line(f"read {reading}")
        output.line(f"{corpus.name}: {import_sentence(report)}")
        print_problems(report.problems, output)
    refused = any(problem.severity == "error" for problem in report.problems)
    return 2 if refused and not report.accepted else 0


def export_labels(arguments: argparse.Namespace, output: Output) -> int:
    """Write the labels of a corpus into a file, or print them."""
    corpus = load_corpus(arguments.corpus)
    request = JudgmentExport(
        ExchangeFormat(arguments.format),
        policy=None if arguments.by_judge else Policy(arguments.policy),
        judges=frozenset(arguments.judges),
        session_id=arguments.session,
        kinds=frozenset(map(JudgeKind, arguments.kinds)) or COUNTED_KINDS,
    )
    exported = export_judgments(request, corpus, JudgmentStore.open())
    values = {"format": request.format.value, "policy": request.policy and request.policy.value}
    if arguments.output is not None:
        write_file(user_path(arguments.output), exported.content)
        values["file"] = str(arguments.output)
    else:
        values["content"] = exported.content
    if output.as_json:
        output.json(values | exported.to_json())
        return 0
    if arguments.output is None:
        output.line(exported.content.removesuffix("\n"))
    else:
        output.line(
            f"{arguments.output}: {exported.judgments:,} judgments of {exported.queries:,} queries"
        )
    for note in exported.notes:
        output.note(f"note: {note}")
    return 0


def _existing(name: str) -> Path:
    path = user_path(name)
    if not path.is_file():
        raise InvalidInput(f"There is no file {name}.", hint="Check the path.")
    return path
