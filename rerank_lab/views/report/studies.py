"""What was studied beyond the evaluation, and what was not yet."""

from __future__ import annotations

from datetime import UTC, datetime

from rerank_lab.decision.report.document import (
    Block,
    Bullets,
    Paragraph,
    ReportSection,
    Verbatim,
    Words,
)
from rerank_lab.views.report.context import ReportContext

_QUESTIONS = {
    "depth": "how quality, time and cost go with the number of candidates",
    "grid": "the same rerankers over other first stages",
    "search": "better settings, searched on one part of the queries and tried on another",
    "robustness": "typos, negation, injected text and other disturbances",
    "rag": "what a language model would be given",
    "load": "latency when queries come faster than one at a time",
}


def other_studies(context: ReportContext) -> ReportSection:
    """The studies without a section of their own, and the questions nobody asked yet."""
    known = {one.kind: one for one in reversed(context.evidence.studies)}
    blocks: list[Block] = []
    done: list[Words] = []
    missing: list[Words] = []
    for kind, question in _QUESTIONS.items():
        if kind in known:
            moment = datetime.fromtimestamp(known[kind].created_at, UTC).strftime("%Y-%m-%d")
            done.append((f"{kind}: {question} (studied ", Verbatim(moment), ")"))
        else:
            missing.append((f"{kind}: {question}",))
    if done:
        blocks += [
            Paragraph(("Studied; values are among the exported files:",)),
            Bullets(tuple(done)),
        ]
    if missing:
        blocks += [
            Paragraph(("Not studied yet; each is a question below the results on Evaluate:",)),
            Bullets(tuple(missing)),
        ]
    return ReportSection("studies", "Further questions", tuple(blocks))
