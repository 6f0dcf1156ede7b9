"""The health badge: what is known of a model before one believes its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rerank_lab.components.registry import expand, resolve
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.pipeline.results import Result
from rerank_lab.rerankers.health import compare_with_first_stage
from rerank_lab.views.labels import short_labels

_GRAVITY = {"healthy": 0, "unchecked": 1, "checking": 2, "suspect": 3, "broken": 4}


@dataclass(frozen=True, slots=True)
class Badge:
    """`state`: healthy, checking, unchecked, suspect or broken; `reasons`: why and what to do."""

    state: str
    reasons: tuple[str, ...] = ()

    @property
    def gravity(self) -> int:
        """0 for healthy, higher for worse: badges are sorted by it."""
        return _GRAVITY.get(self.state, 1)


def badge(report: Any, error: LabError | None = None) -> Badge:
    """The badge of a health report (None: still being checked). A failed check is no verdict."""
    if error is not None:
        return Badge("unchecked", (f"{error.message} {error.hint}",))
    if report is None:
        return Badge("checking")
    reasons = tuple(_told(f.message, f.hint) for f in report.findings)
    return Badge(str(report.state), reasons)


def _told(message: str, hint: str) -> str:
    """A finding in one line; a remark that is no sentence leads to its explanation."""
    if not hint:
        return message
    return f"{message}{'' if message.endswith(('.', '!', '?', ':')) else ':'} {hint}"


def doubted(verdict: Badge) -> tuple[str, ...]:
    """Why not to trust these numbers, in sentences to be read beside them."""
    return verdict.reasons if verdict.state in ("suspect", "broken") else ()


Orders = tuple[tuple[Ranking, Ranking], ...]
"""Of one query, for each reranker of a pipeline: the order that it was given, and its own."""


def orders(result: Result) -> Orders:
    """What each reranker of a finished pipeline was given and made of it; baselines left out."""
    pairs = []
    for before, after in zip(result.stages, result.stages[1:], strict=False):
        if before.ranking is not None and after.ranking is not None and _reorders(after.node):
            pairs.append((before.ranking, after.ranking))
    return tuple(pairs)


def kept_order(queries: Iterable[Orders]) -> Badge | None:
    """A suspect badge when one of the rerankers changed no order in any of these queries."""
    for pairs in zip(*queries, strict=False):
        finding = compare_with_first_stage(pairs)
        if finding is not None:
            return Badge(finding.state, (f"{finding.message} {finding.hint}",))
    return None


def kept_orders(evaluation: Evaluation) -> tuple[str, ...]:
    """A sentence for each pipeline whose last reranker changed nothing in any query.

    Only a pipeline whose stages before that one were evaluated too can be looked at.
    """
    specs = evaluation.design.pipelines
    labels, sentences = short_labels(specs), []
    for spec in specs:
        nodes = resolve(spec).nodes
        before = str(PipelineSpec(nodes[:-1])) if len(nodes) > 1 else ""
        if before not in specs or not _reorders(nodes[-1]):
            continue
        finding = compare_with_first_stage(_pairs(evaluation, before, spec))
        if finding is not None:
            sentences.append(f"{labels[spec]}: {finding.message} {finding.hint}")
    return tuple(sentences)


def worst(badges: Iterable[Badge | None]) -> Badge | None:
    """The gravest of several badges, with the reasons of all as grave; None for none."""
    present: Sequence[Badge] = [one for one in badges if one is not None]
    if not present:
        return None
    top = max(present, key=lambda one: one.gravity)
    reasons = [reason for one in present if one.gravity == top.gravity for reason in one.reasons]
    return Badge(top.state, tuple(dict.fromkeys(reasons)))


def _pairs(evaluation: Evaluation, before: str, after: str) -> list[tuple[Ranking, Ranking]]:
    pairs = []
    for query in evaluation.design.queries:
        cells = [evaluation.cells.get((query.id, spec)) for spec in (before, after)]
        rankings = [cell.ranking for cell in cells if cell and cell.ranking is not None]
        if len(rankings) == 2:
            pairs.append((rankings[0], rankings[1]))
    return pairs


def _reorders(node: Node) -> bool:
    """False for what is there to leave the order alone."""
    return bool(node.sources) or expand(node, "reranker")[0].has_model
