"""The decision report: what an experiment, its decision and its studies say, section by section.

Pure, as all views: the same evidence gives the same bytes. A missing part is said, never invented.
"""

from __future__ import annotations

from typing import Literal

from rerank_lab.decision.report.document import ReportDocument, Verbatim, Words
from rerank_lab.decision.report.html import report_html
from rerank_lab.decision.report.markdown import report_markdown
from rerank_lab.services.report import ReportEvidence
from rerank_lab.views.report.context import ReportContext
from rerank_lab.views.report.cost import cost
from rerank_lab.views.report.doubts import ceilings, doubts
from rerank_lab.views.report.facts import facts
from rerank_lab.views.report.numbers import count
from rerank_lab.views.report.origin import origin
from rerank_lab.views.report.queries import examples, tags
from rerank_lab.views.report.recommendation import recommendation
from rerank_lab.views.report.results import differences, ledger, results
from rerank_lab.views.report.studies import depth, further

ReportFormat = Literal["html", "md"]


def report_file(report: ReportEvidence | ReportDocument, kind: ReportFormat) -> bytes:
    """The report as one file.

    Args:
        report: what it shows, or the document that was made of it.
        kind: "html" for one self-contained page, "md" for Markdown.
    """
    write = report_html if kind == "html" else report_markdown
    document = report if isinstance(report, ReportDocument) else report_document(report)
    return write(document).encode()


def report_document(evidence: ReportEvidence) -> ReportDocument:
    """All sections: the answer, then what it stands on, then what could be wrong with it."""
    context = ReportContext(evidence)
    design = evidence.evaluation.design
    several = len(design.pipelines) > 1
    subtitle: Words = (
        count(len(design.queries), "count", "queries"),
        " query, " if len(design.queries) == 1 else " queries, ",
        count(len(design.pipelines), "count", "pipelines"),
        " pipelines" if several else " pipeline", " by ", Verbatim(evidence.primary),
        *((", against ", context.name(evidence.baseline)) if several else ()), ". Evaluated ",
        Verbatim(design.created_at[:10]), ".",
    )  # fmt: skip
    sections = [recommendation(context), results(context)]
    if design.qrels:
        sections += [differences(context)] if several else []
        sections += [facts(context), ceilings(context)]
        sections += [doubts(context)] if several else []
        if evidence.costs:
            sections.append(cost(context))
        sections += [depth(context), tags(context), examples(context)]
    sections += [further(context), ledger(context), origin(context)]
    return ReportDocument(f"Which reranker: {design.corpus}", subtitle, tuple(sections))
