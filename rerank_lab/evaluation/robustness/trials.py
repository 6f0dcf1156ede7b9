"""One query before and after one perturbation, and what many of these come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.core.similarity import kendall_tau, rbo
from rerank_lab.core.types import Query, Ranking
from rerank_lab.evaluation.robustness.perturbations import Perturbation
from rerank_lab.evaluation.robustness.study import (
    PerturbationEffect,
    PerturbedExample,
    RankMovement,
    TargetMovement,
)
from rerank_lab.evaluation.statistics import Paired, paired

_HEAD = 10
EXAMPLES = 3
EXAMPLE_CHARS = 400


@dataclass(frozen=True, slots=True)
class PerturbationTrial:
    """A pipeline's rankings of one query before and after.

    Attributes:
        changed_query: as it was asked afterwards.
        before, after: rankings in the same units: documents for a changed query, candidates (that
            is passages where the corpus was cut) for changed candidates.
        value, changed_value: of the measure, None without judgments.
        texts, changed_texts: of the documents by id, as the rankers read them.
        target: id of the one document that was changed, "" without one.
        handed_over: ids in the order in which the changed candidates came; () for a changed query.
    """

    query: Query
    changed_query: str
    before: Ranking
    after: Ranking
    value: float | None
    changed_value: float | None
    texts: Mapping[str, str]
    changed_texts: Mapping[str, str]
    target: str = ""
    handed_over: tuple[str, ...] = ()

    def rank_after(self, doc_id: str) -> int:
        """The rank afterwards; just below the list for a document that is not in it."""
        return self.after.ranks.get(doc_id, len(self.after) + 1)

    @property
    def moved(self) -> float:
        """Mean ranks by which the first ten documents move; 0 for an empty ranking."""
        head, ranks = self.before.doc_ids[:_HEAD], self.after.ranks
        below = len(self.after) + 1
        steps = [abs(ranks.get(doc_id, below) - rank) for rank, doc_id in enumerate(head, 1)]
        return sum(steps) / len(steps) if steps else 0.0

    @property
    def loss(self) -> float:
        """How much the measure falls; 0 where nothing can be measured."""
        if self.value is None or self.changed_value is None:
            return 0.0
        return self.value - self.changed_value


def effect_of(
    perturbation: Perturbation, trials: Sequence[PerturbationTrial], unchanged: int, failed: int
) -> PerturbationEffect:
    """What a perturbation did, over the queries to which it applied."""
    name = perturbation.name
    if not trials:
        return PerturbationEffect(name, 0, unchanged, failed)
    targeted = [trial for trial in trials if trial.target]
    return PerturbationEffect(
        name,
        len(trials),
        unchanged,
        failed,
        measure=_measured(trials) if perturbation.judged else None,
        movement=_movement(trials),
        target=_target(targeted) if targeted else None,
        order_bias=_order_bias(trials) if name == "shuffled" else None,
        examples=tuple(map(_example, _most_telling(trials)[:EXAMPLES])),
    )


def _measured(trials: Sequence[PerturbationTrial]) -> Paired | None:
    before = {one.query.id: one.value for one in trials if one.value is not None}
    after = {one.query.id: one.changed_value for one in trials if one.changed_value is not None}
    if not before.keys() & after.keys():
        return None
    return paired(before, after, ("before", "after"))


def _movement(trials: Sequence[PerturbationTrial]) -> RankMovement:
    overlaps = [rbo(trial.before, trial.after) for trial in trials]
    taus = [kendall_tau(trial.before, trial.after) for trial in trials]
    other_top = [trial.before.doc_ids[:1] != trial.after.doc_ids[:1] for trial in trials]
    return RankMovement(
        moved=sum(trial.moved for trial in trials) / len(trials),
        rbo=_mean([value for value in overlaps if value is not None]),
        tau=_mean([value for value in taus if value is not None]),
        top_changed=sum(other_top) / len(trials),
    )


def _target(trials: Sequence[PerturbationTrial]) -> TargetMovement:
    before = {one.query.id: float(one.before.ranks[one.target]) for one in trials}
    after = {one.query.id: float(one.rank_after(one.target)) for one in trials}
    entered = [after[query_id] <= _HEAD < rank for query_id, rank in before.items()]
    return TargetMovement(
        paired(before, after, ("before", "after")),
        first=sum(rank == 1 for rank in after.values()) / len(trials),
        top_10=sum(rank <= _HEAD for rank in after.values()) / len(trials),
        entered_top_10=sum(entered) / len(trials),
    )


def _order_bias(trials: Sequence[PerturbationTrial]) -> Paired | None:
    """Mean final ranks of what was handed over in the first and in the second half."""
    halves: tuple[dict[str, float], dict[str, float]] = {}, {}
    for trial in trials:
        middle = len(trial.handed_over) // 2
        parts = trial.handed_over[:middle], trial.handed_over[-middle:]
        if not middle:
            continue
        for of_query, part in zip(halves, parts, strict=True):
            of_query[trial.query.id] = sum(map(trial.rank_after, part)) / middle
    return paired(*halves, ("first half", "second half")) if halves[0] else None


def _most_telling(trials: Sequence[PerturbationTrial]) -> list[PerturbationTrial]:
    """Those where most happens, first; those where nothing does are left out."""

    def happening(trial: PerturbationTrial) -> tuple[float, float]:
        if trial.target:
            step = abs(trial.before.ranks[trial.target] - trial.rank_after(trial.target))
            return float(step), trial.loss
        return trial.loss, trial.moved

    some = [trial for trial in trials if trial.before.doc_ids != trial.after.doc_ids]
    return sorted(some, key=lambda trial: (*happening(trial), trial.query.id), reverse=True)


def _example(trial: PerturbationTrial) -> PerturbedExample:
    """The changed document, or the one of the first ten that moves most."""
    head = trial.before.doc_ids[:_HEAD] or trial.after.doc_ids[:_HEAD]
    ranks = trial.before.ranks
    doc_id = trial.target or max(head, key=lambda d: abs(trial.rank_after(d) - ranks.get(d, 0)))
    text = trial.texts.get(doc_id, "")
    return PerturbedExample(
        trial.query.id,
        trial.query.text,
        trial.changed_query,
        doc_id,
        text[:EXAMPLE_CHARS],
        trial.changed_texts.get(doc_id, text)[:EXAMPLE_CHARS],
        ranks.get(doc_id),
        trial.after.ranks.get(doc_id),
        trial.value,
        trial.changed_value,
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
