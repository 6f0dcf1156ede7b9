"""Which pipeline to take, as a use case: from an evaluation and what a team can accept."""

from __future__ import annotations

from dataclasses import dataclass

from rerank_lab.core.errors import InvalidInput
from rerank_lab.decision.choice import (
    Contender,
    Leader,
    NextStep,
    PipelineDecision,
    leader,
    queries_needed,
)
from rerank_lab.decision.facts import PipelineFacts, pipeline_facts
from rerank_lab.decision.frontier import Pairs, all_pairs, dominated
from rerank_lab.decision.requirements import Requirements, unmet
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.measure_names import cutoff_of


@dataclass(frozen=True, slots=True)
class Survey:
    """What takes a moment to find out, and does not depend on what a team can accept.

    `facts` are in the order of the evaluation's pipelines. `unjudged` counts the documents among
    the first of any pipeline, down to the measure's cut-off, that nobody judged.
    """

    measure: str
    facts: tuple[PipelineFacts, ...]
    pairs: Pairs
    unjudged: int


def survey(evaluation: Evaluation, measure: str = "") -> Survey:
    """Facts and comparisons of an evaluation.

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
    return Survey(
        measure,
        tuple(pipeline_facts(evaluation, spec, measure) for spec in evaluation.design.pipelines),
        all_pairs(evaluation, measure),
        len(evaluation.unjudged_pairs(cutoff_of(measure) or 10)),
    )


def decide(
    evaluation: Evaluation, required: Requirements = Requirements(), known: Survey | None = None
) -> PipelineDecision:
    """Who remains, who falls and why, and which pipeline to take, or what would decide.

    Args:
        evaluation: Finished or not; unfinished ones decide nothing and say so.
        required: What the team can accept.
        known: The survey of this evaluation by this measure, where it is at hand already.

    Raises:
        InvalidInput: As `survey`.
    """
    known = known or survey(evaluation, required.measure)
    dominating = dominated(evaluation, known.facts, known.pairs, required.margin)
    contenders = tuple(
        Contender(facts, unmet(facts, required), dominating[facts.pipeline])
        for facts in known.facts
    )
    remaining = {one.pipeline: one.facts for one in contenders if one.remains}
    first = leader(remaining, known.pairs, required.margin)
    return PipelineDecision(
        evaluation.id,
        evaluation.design.corpus,
        len(evaluation.common),
        known.measure,
        required,
        contenders,
        first.verdict,
        first.pipeline,
        first.rivals,
        tuple(known.pairs[other, first.pipeline] for other in remaining if other != first.pipeline),
        _steps(first, known),
    )


def _steps(first: Leader, known: Survey) -> tuple[NextStep, ...]:
    """What would decide between the leader and its rivals."""
    if first.verdict != "undecided":
        return ()
    steps = []
    needed = [queries_needed(known.pairs[rival, first.pipeline]) for rival in first.rivals]
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
    if known.unjudged:
        steps.append(
            NextStep(
                "judgments",
                f"{known.unjudged:,} documents near the top are not judged; judging them costs no "
                "new query.",
                known.unjudged,
            )
        )
    return tuple(steps)
