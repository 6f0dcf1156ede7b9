"""What perturbations did to pipelines, as values that are kept and shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from rerank_lab.evaluation.statistics import Paired

STUDY_KIND = "robustness"
"""Under which it is kept among the studies of an experiment."""


@dataclass(frozen=True, slots=True)
class RankMovement:
    """How far documents move, as means over queries.

    Attributes:
        moved: ranks by which the first ten documents move, up or down. One that is gone counts as
            standing just below the list.
        rbo: rank-biased overlap before and after (p = 0.9), None for empty lists.
        tau: Kendall's tau-b of the documents in both lists, None where it is never defined.
        top_changed: share of queries whose first document is another one afterwards.
    """

    moved: float
    rbo: float | None
    tau: float | None
    top_changed: float


@dataclass(frozen=True, slots=True)
class TargetMovement:
    """Where the one changed document goes.

    Attributes:
        ranks: before (a) and after (b); a negative difference is a rise. One that a pipeline drops
            counts as standing just below the list.
        first: share of queries where it stands first afterwards.
        top_10: share of queries where it stands among the first ten afterwards.
        entered_top_10: share of queries where it stood below the first ten, and no longer does.
    """

    ranks: Paired
    first: float
    top_10: float
    entered_top_10: float


@dataclass(frozen=True, slots=True)
class PerturbedExample:
    """One query and one document of it, before and after. Texts are cut to be read in a list.

    Attributes:
        query, changed_query: equal where the documents were changed.
        text, changed_text: of the document; equal where it was not changed itself.
        rank, changed_rank: counted from 1; None where it is not in the list.
        value, changed_value: of the measure, None without judgments.
    """

    query_id: str
    query: str
    changed_query: str
    doc_id: str
    text: str
    changed_text: str
    rank: int | None
    changed_rank: int | None
    value: float | None
    changed_value: float | None


@dataclass(frozen=True, slots=True)
class PerturbationEffect:
    """What one perturbation did to one pipeline.

    Attributes:
        perturbation: its name.
        queries: how many were compared before and after.
        unchanged: queries to which it does not apply, such as capitals in a script without them.
        failed: queries that the pipeline answered only before, or not at all.
        measure: of the measure before (a) and after (b), None without judgments.
        movement: None when nothing was compared.
        target: None unless one document was changed.
        order_bias: final ranks of the documents handed over in the first half (a) and the second
            half (b) of a shuffled list; a difference above 0 favours what is read first.
    """

    perturbation: str
    queries: int
    unchanged: int
    failed: int
    measure: Paired | None = None
    movement: RankMovement | None = None
    target: TargetMovement | None = None
    order_bias: Paired | None = None
    examples: tuple[PerturbedExample, ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineRobustness:
    """The effects on one pipeline, in the order of the perturbations.

    Attributes:
        answered: how many queries it answered before any change.
        problem: why it did not answer, the last time; "" when it always did.
        untried: why no candidates were changed for it, such as a pipeline without a reranker.
    """

    pipeline: str
    effects: tuple[PerturbationEffect, ...]
    answered: int = 0
    problem: str = ""
    untried: str = ""


@dataclass(frozen=True, slots=True)
class RobustnessStudy:
    """Perturbations against pipelines on the same queries.

    p-values are Holm-corrected over all comparisons of their kind in the study: of the measure, of
    target ranks, of order bias.

    Attributes:
        corpus, corpus_hash: what was searched.
        measure: name of the measure.
        query_ids: the queries that were asked, a sample by `seed`.
        candidates: how many candidates were handed to rerankers at most.
        perturbations: names, in the order of the registry.
        rewriter: the language model that wrote the paraphrases, "" for none.
    """

    corpus: str
    corpus_hash: str
    measure: str
    seed: int
    query_ids: tuple[str, ...]
    candidates: int
    perturbations: tuple[str, ...]
    pipelines: tuple[PipelineRobustness, ...]
    rewriter: str = ""

    def effects(self, perturbation: str) -> Iterator[tuple[str, PerturbationEffect]]:
        """Each pipeline and what a perturbation did to it, where it was tried."""
        for of_pipeline in self.pipelines:
            for effect in of_pipeline.effects:
                if effect.perturbation == perturbation:
                    yield of_pipeline.pipeline, effect

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values; `from_json` reads it back."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written

    @classmethod
    def from_json(cls, written: object) -> RobustnessStudy:
        """The study of JSON values. Raises ValueError for anything else."""
        return msgspec.convert(written, cls)
