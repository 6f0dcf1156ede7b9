"""Which pipeline to take, as a use case: from an evaluation and what a team can accept."""

from __future__ import annotations

from collections.abc import Mapping

from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.decision.choice import (
    Contender,
    Leader,
    NextStep,
    PipelineDecision,
    leader,
)
from rerank_lab.decision.comparisons import Comparisons, all_pairs
from rerank_lab.decision.facts import PipelineFacts, pipeline_facts
from rerank_lab.decision.frontier import dominated
from rerank_lab.decision.latency import pipeline_latency
from rerank_lab.decision.requirements import OPEN, Requirements, unmet
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.measure_names import cutoff_of
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.cost import pipeline_costs

_JUDGING_DEPTH = 10
"""So many first documents are looked at for judgments when a measure has no cut-off."""


def compared(evaluation: Evaluation, measure: str = "") -> Comparisons:
    """Every pipeline of an evaluation against every other.

    Args:
        evaluation: Finished or not.
        measure: One of its measures, "" for the first.

    Raises:
        InvalidInput: It has no such measure.
    """
    measures = evaluation.design.measures
    if measure and measure not in measures:
        raise InvalidInput(
            f"This evaluation did not measure {measure!r}.",
            hint=f"Choose one of {', '.join(measures)}, or evaluate again with it.",
        )
    measure = measure or measures[0]
    return all_pairs(evaluation, measure)


def decide(
    evaluation: Evaluation,
    engine: Engine,
    required: Requirements = OPEN,
    *,
    corpus: Corpus | None = None,
    comparisons: Comparisons | None = None,
) -> PipelineDecision:
    """Who remains, who falls and why, and which pipeline to take, or what would decide.

    Args:
        evaluation: Finished or not.
        engine: Where components come from; nothing is sent and no model is loaded.
        required: What the team can accept.
        corpus: The documents of the evaluation; without them, what providers bill is unknown.
        comparisons: Those of this evaluation by the required measure, where they are at hand.

    Raises:
        InvalidInput: As `compared`.
    """
    comparisons = comparisons or compared(evaluation, required.measure)
    facts = _facts(evaluation, engine, comparisons.measure, required, corpus)
    dominating = dominated(evaluation, facts, comparisons, required.margin)
    contenders = tuple(
        Contender(one, unmet(one, required), dominating[spec]) for spec, one in facts.items()
    )
    remaining = {one.pipeline: one.facts for one in contenders if one.remains}
    first = leader(remaining, comparisons, required.margin)
    others = (spec for spec in remaining if spec != first.pipeline)
    return PipelineDecision(
        evaluation.id,
        evaluation.design.corpus,
        len(evaluation.common),
        comparisons.measure,
        required,
        contenders,
        first.verdict,
        first.pipeline,
        first.rivals,
        tuple(comparisons.against(other, first.pipeline, required.margin) for other in others),
        _steps(evaluation, first, comparisons),
    )


def _facts(
    evaluation: Evaluation,
    engine: Engine,
    measure: str,
    required: Requirements,
    corpus: Corpus | None,
) -> Mapping[str, PipelineFacts]:
    costs = pipeline_costs(evaluation, engine, required.terms, corpus=corpus)
    return {
        spec: pipeline_facts(evaluation, measure, pipeline_latency(evaluation, spec), costs[spec])
        for spec in evaluation.design.pipelines
    }


def _steps(evaluation: Evaluation, first: Leader, comparisons: Comparisons) -> tuple[NextStep, ...]:
    """What would decide between the leader and its rivals."""
    if first.verdict != "undecided":
        return ()
    steps = []
    needed = [comparisons.queries_needed(rival, first.pipeline) for rival in first.rivals]
    counts = [count for count in needed if count is not None]
    if counts:
        steps.append(
            NextStep(
                "queries",
                f"About {max(counts):,} judged queries would tell the observed difference from "
                "chance.",
                max(counts),
            )
        )
    depth = cutoff_of(comparisons.measure) or _JUDGING_DEPTH
    unjudged = len(evaluation.unjudged_pairs(depth))
    if unjudged:
        steps.append(
            NextStep(
                "judgments",
                f"{unjudged:,} documents among the first {depth} of a pipeline are not judged; "
                "judging them asks no new query.",
                unjudged,
            )
        )
    return tuple(steps)
