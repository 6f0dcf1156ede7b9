"""Which pipeline to take, as a use case: from an evaluation and what a team can accept."""

from __future__ import annotations

from collections.abc import Mapping

from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.decision.choice import Contender, PipelineDecision, leader
from rerank_lab.decision.comparisons import Comparisons, all_pairs
from rerank_lab.decision.cost import DEFAULT_TERMS, CostTerms
from rerank_lab.decision.facts import PipelineFacts, pipeline_facts
from rerank_lab.decision.frontier import dominated
from rerank_lab.decision.latency import pipeline_latency
from rerank_lab.decision.next_steps import next_steps
from rerank_lab.decision.objections import objections
from rerank_lab.decision.requirements import OPEN, Requirements, unmet
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.memory import memory_peaks
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.cost import cost_study, pipeline_costs
from rerank_lab.services.load import load_studies
from rerank_lab.services.stage_facts import stage_facts


def compared(evaluation: Evaluation, measure: str = "") -> Comparisons:
    """Every pipeline of an evaluation against every other.

    Args:
        evaluation: Finished or not.
        measure: One of its measures, "" for the first that says which pipeline is better.

    Raises:
        InvalidInput: It has no such measure, or the measure only counts where others do not.
    """
    measures = evaluation.measures_of_quality
    if measure and measure not in evaluation.design.measures:
        raise InvalidInput(
            f"This evaluation did not measure {measure!r}.",
            hint=f"Choose one of {', '.join(measures)}, or evaluate again with it.",
        )
    measure = measure or measures[0]
    if measure not in measures:
        raise InvalidInput(
            f"{measure} counts documents; it does not say which pipeline is better.",
            hint="Evaluate with a measure of quality, such as nDCG@10.",
        )
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
        corpus: The documents of the evaluation; without them, what providers bill is unknown, and
            so is why nothing relevant is retrieved, where nothing is.
        comparisons: Those of this evaluation by the required measure, where they are at hand.

    Raises:
        InvalidInput: As `compared`.
    """
    comparisons = comparisons or compared(evaluation, required.measure)
    facts = _facts(evaluation, engine, comparisons.measure, required, corpus)
    against_it = objections(evaluation, comparisons, required.margin, corpus)
    dominating: Mapping[str, tuple[str, ...]] = dict.fromkeys(facts, ())
    if not any(one.decisive for one in against_it):
        dominating = dominated(facts, comparisons, required.margin)
    contenders = tuple(
        Contender(one, unmet(one, required), dominating[spec]) for spec, one in facts.items()
    )
    remaining = {one.pipeline: one.facts for one in contenders if one.remains}
    first = leader(remaining, comparisons, required.margin, against_it)
    others = [spec for spec in remaining if first.pipeline and spec != first.pipeline]
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
        next_steps(evaluation, first, contenders, comparisons, required, against_it),
        against_it,
    )


def kept_terms(experiment_id: str, engine: Engine) -> CostTerms:
    """The load and the prices that the team has typed for an experiment; else the usual ones."""
    study = cost_study(experiment_id, engine.home)
    return DEFAULT_TERMS if study is None else study.terms


def _facts(
    evaluation: Evaluation,
    engine: Engine,
    measure: str,
    required: Requirements,
    corpus: Corpus | None,
) -> Mapping[str, PipelineFacts]:
    """What is known of each pipeline, by its load studies where there are some."""
    studies = load_studies(evaluation.id, engine.home)
    costs = pipeline_costs(evaluation, engine, required.terms, corpus=corpus, load_studies=studies)
    peaks = memory_peaks(evaluation.id, engine.home)
    facts = {}
    for spec in evaluation.design.pipelines:
        latency = pipeline_latency(evaluation, spec, studies)
        facts[spec] = pipeline_facts(
            evaluation, measure, latency, costs[spec], stage_facts(spec), peaks.get(spec)
        )
    return facts
