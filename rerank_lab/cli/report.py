"""`rerank-lab report`: the decision report of a kept experiment as one file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rerank_lab.cli.output import Output
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.core.storage import write_file
from rerank_lab.corpora.load import load_corpus
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services.report import ReportRequest, evidence
from rerank_lab.views.formatting import counted
from rerank_lab.views.report import report_document, report_file
from rerank_lab.views.report.files import data_files

if TYPE_CHECKING:
    from rerank_lab.views.report import ReportFormat

_FORMATS: dict[str, ReportFormat] = {".html": "html", ".htm": "html", ".md": "md"}


def report(arguments: argparse.Namespace, output: Output) -> int:
    """Write the report, and its data where a folder is named."""
    file = user_path(arguments.output)
    kind = _FORMATS.get(file.suffix.casefold())
    if kind is None:
        raise InvalidInput(
            f"--output: {file.name} does not say what kind of file it is to be.",
            hint="End its name in .html or .md.",
        )
    if not file.parent.is_dir():
        raise InvalidInput(f"--output: there is no folder {file.parent}.", hint="Make it first.")
    if arguments.files and user_path(arguments.files).is_file():
        raise InvalidInput(f"--files: {arguments.files} is a file.", hint="Name a folder.")
    engine = default_engine()
    corpus = load_corpus(arguments.corpus) if arguments.corpus else None
    request = ReportRequest(
        arguments.experiment,
        primary=arguments.measure or "",
        baseline=arguments.baseline or "",
        corpus=corpus,
    )
    collected = evidence(request, engine)
    written: list[Path] = [file]
    document = report_document(collected)
    write_file(file, report_file(document, kind))
    for name, data in data_files(collected, document) if arguments.files else ():
        written.append(user_path(arguments.files) / name)
        write_file(written[-1], data)
    if output.as_json:
        output.json({"written": [str(path) for path in written]})
    output.note(f"wrote {file}")
    if arguments.files:
        output.note(f"wrote {counted(len(written) - 1, 'file')} into {arguments.files}")
    return 0
