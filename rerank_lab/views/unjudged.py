"""What nobody judged, in words and tables: whether it matters, and which documents decide."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from rerank_lab.core.table_cells import harmless_cell
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.unjudged import (
    CONDENSED,
    IRRELEVANT,
    RELEVANT,
    FlipRisk,
    UnjudgedBounds,
)
from rerank_lab.views.document_titles import Titles
from rerank_lab.views.formatting import counted
from rerank_lab.views.text import shorten

_READINGS = {
    IRRELEVANT: "if all unjudged documents are irrelevant",
    RELEVANT: "if all are relevant",
    CONDENSED: "if only judged documents count",
}
MOST_DOCUMENTS = 500
"""So many deciding documents are listed on the page; the file has all of them."""
_QUERY_CHARS = 90


def unjudged_sentence(bounds: UnjudgedBounds, labels: Mapping[str, str]) -> str:
    """Whether the winner depends on what nobody judged."""
    if not bounds.unjudged:
        return f"All documents in the top {bounds.depth} are judged: nothing is left open here."
    winner = labels[bounds.winner]
    if len(bounds.pipelines) == 1:
        only = bounds.pipelines[0]
        return (
            f"{winner} reaches {only.lowest:.3f} to {only.highest:.3f} {bounds.measure}, "
            "whatever its unjudged documents are."
        )
    if bounds.winner_changes:
        parts = [f"{labels[one.winner]} {_READINGS[one.name]}" for one in bounds.scenarios]
        return f"The winner depends on what nobody judged: {', '.join(parts)}."
    if bounds.threats:
        names = " and ".join(labels[spec] for spec in bounds.threats)
        return (
            f"{winner} wins in all three readings, but {names} would be ahead if just unjudged "
            "documents that it places higher were relevant."
        )
    return (
        f"{winner} wins in all three readings, and still if just unjudged documents that another "
        "pipeline places higher were relevant."
    )


def unjudged_line(bounds: UnjudgedBounds) -> str:
    """How much is unjudged, how deep, and what "relevant" stands for."""
    unjudged = counted(bounds.unjudged, "document is", "documents are")
    return (
        f"{unjudged} unjudged in the top {bounds.depth} of "
        f"{counted(bounds.queries, 'query', 'queries')}. “Relevant” means grade {bounds.grade}, "
        "the highest that these judgments hold."
    )


def bounds_table(bounds: UnjudgedBounds, labels: Mapping[str, str]) -> dict[str, list[object]]:
    """A row a pipeline: Judged@k, and its mean in each reading."""
    irrelevant, relevant, condensed = bounds.scenarios
    rows = bounds.pipelines
    return {
        "Pipeline": [labels[row.pipeline] for row in rows],
        f"Judged@{bounds.depth}": [f"{row.judged:.1%}" for row in rows],
        "All irrelevant": [irrelevant.means[row.pipeline] for row in rows],
        "All relevant": [relevant.means[row.pipeline] for row in rows],
        "Judged only": [condensed.means[row.pipeline] for row in rows],
        "Lowest": [row.lowest for row in rows],
        "Highest": [row.highest for row in rows],
    }


def risk_sentence(risk: FlipRisk, labels: Mapping[str, str]) -> str:
    """How few judgments could put the challenger ahead."""
    leader, challenger = labels[risk.leader], labels[risk.challenger]
    if not risk.documents:
        return f"No unjudged document speaks for {challenger} against {leader}."
    documents = counted(len(risk.documents), "unjudged document")
    if risk.needed is None:
        return (
            f"{documents} could narrow the lead of {leader} over {challenger} from "
            f"{risk.lead:.3f} to {risk.worst:.3f} {risk.measure}, but not end it."
        )
    needed = counted(risk.needed, "document")
    verb = "is" if risk.needed == 1 else "are"
    return (
        f"If {needed} of {len(risk.documents):,} {verb} relevant, the lead of {leader} over "
        f"{challenger} ({risk.lead:.3f} {risk.measure}) is gone."
    )


def risk_table(
    risk: FlipRisk, evaluation: Evaluation, labels: Mapping[str, str], titles: Titles
) -> dict[str, list[object]]:
    """The documents that matter most first, with their ranks and what each would do."""
    texts = {query.id: query.text for query in evaluation.design.queries}
    rows = risk.documents[:MOST_DOCUMENTS]
    return {
        "Query": [shorten(texts[row.query_id], _QUERY_CHARS) for row in rows],
        "Document": [titles.of(row.doc_id) for row in rows],
        f"Rank in {labels[risk.challenger]}": [row.challenger_rank for row in rows],
        f"Rank in {labels[risk.leader]}": [row.leader_rank for row in rows],
        "Lead shrinks by": [row.effect for row in rows],
    }


def risk_csv(risk: FlipRisk) -> str:
    """All deciding documents as CSV."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["query_id", "doc_id", "leader", "challenger", "leader_rank", "challenger_rank",
                   "effect"])  # fmt: skip
    for one in risk.documents:
        rows.writerow(
            [
                harmless_cell(one.query_id),
                harmless_cell(one.doc_id),
                risk.leader,
                risk.challenger,
                "" if one.leader_rank is None else one.leader_rank,
                "" if one.challenger_rank is None else one.challenger_rank,
                repr(one.effect),
            ]
        )
    return out.getvalue()


def default_challenger(bounds: UnjudgedBounds) -> str:
    """The pipeline to set against the winner first: a threat, else the next best; "" for none."""
    means = bounds.scenarios[1].means
    rivals = bounds.threats or [spec for spec in means if spec != bounds.winner]
    return max(rivals, key=lambda spec: means[spec], default="")
