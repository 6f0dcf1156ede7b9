"""Options about input: how the files of a command are read, and which judgments count."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rerank_lab.cli.output import Output
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.judgment_basis import OWN, JudgmentBasis, Policy
from rerank_lab.core.problems import Problem
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.corpora.bundle import CollectionOptions
from rerank_lab.corpora.readers.base import COLUMN_ROLES, ReadOptions
from rerank_lab.services.qrels import JudgmentSource, with_judgments
from rerank_lab.views.judgment_basis import basis_sentence, left_out

_PAIRS = re.compile(r",(?=[a-z.]+=)")
_SHOWN = 20


def read_options(arguments: argparse.Namespace, *files: str) -> dict[str, ReadOptions]:
    """What the user says of each file (corpus, queries, qrels, run).

    `FILE=VALUE` speaks of one file. A format or encoding without a file is that of the first one, a
    column that of the first file which has its role.

    Raises:
        InvalidInput: a file or role is none, or an option cannot be understood.
    """
    options = dict.fromkeys(files, ReadOptions())
    for name, values in (("format", arguments.format), ("encoding", arguments.encoding)):
        for value in values:
            file, _, chosen = value.rpartition("=")
            file = file or files[0]
            if file not in options or not chosen:
                raise _not_understood(f"--{name} {value}", f"--{name} {files[-1]}=NAME")
            options[file] = replace(options[file], **{name: chosen})
    for text in arguments.columns:
        for part in _PAIRS.split(text):
            file, role, column = _column(part, files)
            columns = {**options[file].columns, role: column}
            options[file] = replace(options[file], columns=columns)
    return options


def collection_options(arguments: argparse.Namespace) -> CollectionOptions:
    """What the user says of a corpus, its queries and its judgments.

    Raises:
        InvalidInput: something cannot be understood, or speaks of a file that is not given.
    """
    options = read_options(arguments, "corpus", "queries", "qrels")
    for file, path in (("queries", arguments.queries), ("qrels", arguments.qrels)):
        if options[file] != ReadOptions() and path is None and not Path(arguments.corpus).exists():
            raise InvalidInput(
                f"There is no file of {file} that the options speak of.",
                hint=f"Name it with --{file} FILE.",
            )
    return CollectionOptions(
        options["corpus"], options["queries"], options["qrels"], arguments.strict
    )


def open_collection(arguments: argparse.Namespace) -> Corpus:
    """The corpus of a command with the queries and judgments that it names, read as it says."""
    return _in_query_set(_loaded(arguments), arguments)


def _loaded(arguments: argparse.Namespace) -> Corpus:
    return load_corpus(
        arguments.corpus,
        queries=arguments.queries,
        qrels=arguments.qrels,
        exclude_identical=arguments.exclude_identical,
        options=collection_options(arguments),
    )


def judgment_source(arguments: argparse.Namespace) -> JudgmentSource | None:
    """What `--judgments`, `--winner`, `--policy` and `--llm-judge` say; None for the default.

    Judgments of a file that is named are what counts, unless labels are asked for.
    """
    rules: dict[str, Any] = {"llm_judges": tuple(arguments.llm_judges)}
    if arguments.winner:
        rules["winner"] = arguments.winner
    if arguments.policy:
        rules["policy"] = Policy(arguments.policy)
    if arguments.judgments:
        return JudgmentSource(arguments.judgments, **rules)
    if any(rules.values()):
        return JudgmentSource(**rules)
    return JudgmentSource(OWN) if getattr(arguments, "qrels", None) else None


def judged_collection(arguments: argparse.Namespace) -> Corpus:
    """The corpus of a command with the judgments that count by its options."""
    judged = with_judgments(_loaded(arguments), judgment_source(arguments))
    return _in_query_set(judged, arguments)


def _in_query_set(corpus: Corpus, arguments: argparse.Namespace) -> Corpus:
    """The corpus with the queries of `--query-set` alone, where there is one."""
    if not arguments.query_set:
        return corpus
    from rerank_lab.judging.store import JudgmentStore  # SQLAlchemy takes its time
    from rerank_lab.services.query_sets import with_query_set

    return with_query_set(corpus, arguments.query_set, JudgmentStore.open(), arguments.query_tag)


def print_basis(basis: JudgmentBasis, output: Output) -> None:
    """What the judgments stand on, where labels of the lab are among them or were left out."""
    if basis.with_labels or left_out(basis):
        output.line(f"judgments: {basis_sentence(basis)}")


def _column(part: str, files: Sequence[str]) -> tuple[str, str, str]:
    """(file, role, column) of `grade=label` or `qrels.grade=label`."""
    name, equals, column = part.partition("=")
    file_name, _, role = name.rpartition(".")
    fitting = [file for file in files if role in COLUMN_ROLES[file] and file_name in ("", file)]
    if not (equals and column and fitting):
        roles = ", ".join(f"{file}.{role}" for file in files for role in COLUMN_ROLES[file])
        raise _not_understood(f"--columns {part}", f"--columns ROLE=COLUMN, with ROLE from {roles}")
    return fitting[0], role, column


def _not_understood(text: str, usage: str) -> InvalidInput:
    return InvalidInput(f"{text} cannot be understood.", hint=f"Write {usage}.")


def print_problems(problems: Sequence[Problem], output: Output) -> None:
    """The problems of files, a line each."""
    for problem in problems[:_SHOWN]:
        output.line(f"  {problem.severity.value}: {problem}")
    if len(problems) > _SHOWN:
        output.line(f"  ... and {len(problems) - _SHOWN:,} more, see --json")


def readings_json(meta: Mapping[str, Any]) -> dict[str, Any]:
    """How the files of a corpus were read, and what was left out of them and why."""
    return {
        "files": [reading.to_json() for reading in meta.get("readings", ())],
        "readings": [reading.to_json() for reading in meta.get("judged_readings", ())],
        "problems": [problem.to_json() for problem in meta.get("problems", ())],
    }
