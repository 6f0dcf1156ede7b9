"""The data behind a report as files, from which docs/recompute_report.py computes its numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from rerank_lab.decision.report.document import (
    Bullets,
    Inline,
    Paragraph,
    ReportDocument,
    ReportTable,
    Strong,
    Verbatim,
    Words,
)
from rerank_lab.evaluation.by_tag import groups_of
from rerank_lab.evaluation.statistics import RESAMPLED_FROM, Settings
from rerank_lab.pipeline.resolution import candidate_limit
from rerank_lab.services.report import ReportEvidence
from rerank_lab.views.evaluate import ALPHA
from rerank_lab.views.evaluate_export import QUERY_FILES, RESULT_FILES, run_files, zipped
from rerank_lab.views.report import report_document, report_file

FORMAT = "rerank-lab-report-1"


def report_zip(evidence: ReportEvidence) -> bytes:
    """The report as one page, and the files of its data in a folder beside it."""
    document = report_document(evidence)
    page = ("report.html", report_file(document, "html"))
    data = ((f"files/{name}", content) for name, content in data_files(evidence, document))
    return zipped((page, *data))


def data_files(
    evidence: ReportEvidence, document: ReportDocument | None = None
) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file, the last one with the SHA-256 of the others.

    `manifest.json` says what was evaluated and how, `qrels.json` and `runs/` hold judgments and
    rankings, `queries.json` the status, time and values of each query and pipeline, `groups.json`
    the kinds of queries, `decision.json`, `costs.json`, `environments.json` and `studies/` what
    else the report stands on, and `texts.json` the texts that it shows as they stand.

    Args:
        evidence: what the report shows.
        document: the report made of it, where it is at hand.
    """
    hashes = []
    for name, data in _files(evidence, document or report_document(evidence)):
        hashes.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
        yield name, data
    yield "SHA256SUMS", "".join(hashes).encode()


def _files(evidence: ReportEvidence, document: ReportDocument) -> Iterator[tuple[str, bytes]]:
    evaluation = evidence.evaluation
    compared_by = (evidence.primary, evidence.baseline)
    runs = dict(run_files(evaluation))
    yield "manifest.json", _json(_manifest(evidence, list(runs)))
    yield "qrels.json", _json(evaluation.design.qrels)
    for name, data in runs.items():
        yield f"runs/{name}", data
    for stem, exports in (("results", RESULT_FILES), ("queries", QUERY_FILES)):
        for suffix, export in exports.items():
            content = export(evaluation, *compared_by)
            yield f"{stem}{suffix}", content.encode() if isinstance(content, str) else content
    groups = {group.name: group.tags for group in groups_of(evaluation)}
    yield "groups.json", _json(groups)
    yield "decision.json", _json(evidence.decision.to_json())
    yield "costs.json", _json(msgspec.to_builtins(evidence.costs))
    yield "environments.json", _json(msgspec.to_builtins(evidence.environments))
    for study in evidence.studies:
        yield f"studies/{study.kind}-{study.digest}.json", _json(msgspec.to_builtins(study))
    yield "texts.json", _json(sorted(set(_texts(document))))


def _manifest(evidence: ReportEvidence, runs: list[str]) -> dict[str, Any]:
    evaluation, design, settings = evidence.evaluation, evidence.evaluation.design, Settings()
    return {
        "format": FORMAT,
        "experiment": evaluation.id,
        "created_at": design.created_at,
        "corpus": design.corpus,
        "corpus_hash": design.corpus_hash,
        "pipelines": list(design.pipelines),
        "candidates": [candidate_limit(spec) for spec in design.pipelines],
        "runs": {name.split("-")[0]: f"runs/{name}" for name in runs},
        "measures": list(design.measures),
        "primary": evidence.primary,
        "baseline": evidence.baseline,
        "queries": [query.id for query in design.queries],
        "settings": {
            "level": settings.level,
            "resamples": settings.resamples,
            "resampled_from": RESAMPLED_FROM,
            "seed": settings.seed,
            "power": settings.power,
            "tolerance": settings.tolerance,
            "alpha": ALPHA,
        },
    }


def _json(values: Any) -> bytes:
    return (json.dumps(values, ensure_ascii=True, indent=1) + "\n").encode()


def _texts(report: ReportDocument) -> Iterator[str]:
    """What a report shows as it stands: texts from outside, whose digits are no results."""
    yield from _verbatim(report.subtitle)
    for section in report.sections:
        for block in section.blocks:
            match block:
                case Paragraph(words, _):
                    yield from _verbatim(words)
                case Bullets(items):
                    for item in items:
                        yield from _verbatim(item)
                case ReportTable(headings, rows):
                    for row in (headings, *rows):
                        for cell in row:
                            yield from _verbatim(cell)
                case _:
                    continue


def _verbatim(words: Words) -> Iterator[str]:
    for word in words:
        part: Inline = word.part if isinstance(word, Strong) else word
        if isinstance(part, Verbatim):
            yield part.text
