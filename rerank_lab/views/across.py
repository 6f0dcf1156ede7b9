"""Pipelines of one evaluation against a pipeline of another, in words and rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rerank_lab.evaluation.experiments import ExperimentEntry
from rerank_lab.evaluation.experiments.across import AcrossComparison
from rerank_lab.evaluation.statistics import Paired
from rerank_lab.views.evaluate import ALPHA, interval, pipeline_labels
from rerank_lab.views.formatting import counted
from rerank_lab.views.results_table import p_words, signed


@dataclass(frozen=True, slots=True)
class AcrossRow:
    """One pipeline of the other evaluation, ready to show; `mean` is over the shared queries."""

    pipeline: str
    mean: float
    difference: str
    interval: str
    p: str
    wins: str


@dataclass(frozen=True, slots=True)
class AcrossView:
    """The comparison: a sentence, its rows, and what they could not be about."""

    sentence: str
    rows: tuple[AcrossRow, ...]
    notes: tuple[str, ...]


def across_view(comparison: AcrossComparison, names: Mapping[str, str] | None = None) -> AcrossView:
    """The comparison in words. P-values are corrected for the number of rows.

    Args:
        comparison: of two evaluations.
        names: what the team calls pipelines, by spec; a spec that is its own name has none.
    """
    others = [row.b for row in comparison.rows] + list(comparison.unmeasured)
    labels = pipeline_labels([*dict.fromkeys([comparison.baseline, *others])])[0]
    labels |= {s: n for s, n in (names or {}).items() if s in labels and n != s}
    rows = tuple(
        AcrossRow(
            labels[row.b],
            row.mean_b,
            signed(row.difference),
            interval(row),
            p_words(row.p_holm),
            f"{row.wins} better, {row.losses} worse, {row.ties} the same",
        )
        for row in comparison.rows
    )
    notes = tuple(f"{labels[spec]} answered no judged query." for spec in comparison.unmeasured)
    return AcrossView(_sentence(comparison, labels[comparison.baseline], labels), rows, notes)


def entry_name(entry: ExperimentEntry) -> str:
    """What an evaluation is called in a list to choose from: its name, pipelines and date."""
    pipelines = " | ".join(pipeline_labels(entry.design.pipelines)[0].values())
    day = entry.design.created_at[:16].replace("T", " ")
    return " · ".join(part for part in (entry.name, pipelines, day) if part)


def _sentence(comparison: AcrossComparison, baseline: str, labels: dict[str, str]) -> str:
    """`Of the other evaluation, dense is better than bm25 here, on 60 queries: +0.05 nDCG@10.`"""
    if not comparison.rows:
        return "No pipeline of the other evaluation answered a judged query."
    best = comparison.rows[0]
    name, queries = labels[best.b], counted(best.queries, "query", "queries")
    where = f"{baseline} here, on {queries}"
    numbers = f"{signed(best.difference)} {comparison.measure}, {p_words(best.p_holm)}"
    if _differs(best) and best.difference > 0:
        return f"Of the other evaluation, {name} is better than {where}: {numbers}."
    nearest = f" The highest is {name}: {numbers}."
    return f"No pipeline of the other evaluation is shown to be better than {where}.{nearest}"


def _differs(row: Paired) -> bool:
    return row.p_holm is not None and row.p_holm < ALPHA
