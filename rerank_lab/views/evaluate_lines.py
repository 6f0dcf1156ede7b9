"""The lines around the table of an evaluation: what was asked, what is open, what is marked."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.types import Status
from rerank_lab.evaluation.experiments import Design
from rerank_lab.evaluation.experiments.columns import ResultRow
from rerank_lab.evaluation.statistics import Paired
from rerank_lab.judging.pools import estimated_minutes
from rerank_lab.services.workers import WorkersChoice
from rerank_lab.views.evaluate import EvaluateView, QueryLine, interval, ledger
from rerank_lab.views.formatting import counted
from rerank_lab.views.judgment_basis import basis_sentence
from rerank_lab.views.own_documents import excluding_words
from rerank_lab.views.results_table import p_words, signed

_ANSWERED = frozenset(status.value for status in Status if status.answered)


def ahead_line(judged: int) -> str:
    """What an evaluation on this corpus would be, before anything is pressed."""
    verb = "is" if judged == 1 else "are"
    scope = f"{counted(judged, 'judged query', 'judged queries')} {verb} asked of each pipeline"
    if not judged:
        scope = "Nothing is judged here: answers and times are kept, but cannot be scored"
    return (
        f"{scope}. Results are kept as they come: close the tab, cancel, restart, and go on later."
    )


def amount_words(count: int, of: int) -> str:
    """`all 300` or `first 50`: how many of the queries are asked."""
    return f"all {count:,}" if count == of else f"first {count:,}"


def design_line(design: Design, candidates: int | None) -> str:
    """`helpdesk · 60 queries · 100 candidates each · 2026-11-21 09:30 UTC`.

    It also says how many queries leave documents out, and what the judgments stand on where labels
    of the lab count.
    """
    own = f" · {words}" if (words := excluding_words(design)) else ""
    basis = design.basis
    judgments = f" · judgments: {basis_sentence(basis)}" if basis.with_labels else ""
    depth = f" · {counted(candidates, 'candidate')} each" if candidates else ""
    return (
        f"{design.corpus} · {counted(len(design.queries), 'query', 'queries')}{own}{depth} · "
        f"{design.created_at[:16].replace('T', ' ')} UTC{judgments}"
    )


def open_line(view: EvaluateView) -> str:
    """How much of an unfinished evaluation is in."""
    return f"{view.done:,} of {view.size:,} answers are in. Everything below is over these."


def effort_words(pairs: int) -> str:
    """`about 12 minutes for one judge`: what it takes to judge so many documents."""
    minutes = max(1, round(estimated_minutes(pairs)))
    return f"about {counted(minutes, 'minute')} for one judge"


def tags(row: ResultRow, rows: Sequence[ResultRow]) -> tuple[str, ...]:
    """`baseline`, and `best` or `best group` when several cannot be told apart."""
    labels = ["baseline"] if row.baseline and len(rows) > 1 else []
    if row.best:
        labels.append("best" if sum(other.best for other in rows) == 1 else "best group")
    return tuple(labels)


def ledger_line(row: ResultRow) -> str:
    """The answers of a pipeline by what became of them, and how much of its top is unjudged."""
    unjudged = (
        ""
        if row.unjudged is None
        else f" · {row.unjudged:.0%} of the top {row.judging_depth} unjudged"
    )
    return f"{ledger(row.outcome)}{unjudged}"


def difference_line(paired: Paired, p: float | None) -> str:
    """`+0.031 [0.004, 0.058] p = 0.012`: the difference, its interval, and the p-value given."""
    return f"{signed(paired.difference)} {interval(paired)} {p_words(p)}"


def unanswered(line: QueryLine, rows: Sequence[ResultRow]) -> str:
    """`cross-encoder: failed, dense: skipped`: who gave no answer to a query; "" when all did."""
    answers = zip(rows, line.values, line.statuses, strict=True)
    return ", ".join(
        f"{row.label}: {status}"
        for row, value, status in answers
        if value is None and status not in _ANSWERED
    )


def workers_words(choice: WorkersChoice) -> str:
    """`1 query`, `8 queries`, `Ray` or `Ray, 8 workers`."""
    if choice.on_ray:
        return f"Ray, {choice.count} workers" if choice.count else "Ray"
    return "1 query" if choice.count == 1 else f"{choice.count} queries"
