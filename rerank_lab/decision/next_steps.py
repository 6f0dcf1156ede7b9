"""What would decide, where the data cannot; and what would make a decision surer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rerank_lab.decision.choice import Contender, Leader, NextStep, StepKind
from rerank_lab.decision.comparisons import Comparisons
from rerank_lab.decision.frontier import not_dearer
from rerank_lab.decision.objections import Objection, ObjectionKind
from rerank_lab.decision.requirements import OPEN, Requirements, unmet
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.experiments.evaluation import JUDGING_DEPTH
from rerank_lab.evaluation.measure_names import cutoff_of

_LIMITS = {
    "p95": "the limit on p95",
    "price": "the limit on the price",
    "licence": "the wish for the licence",
    "languages": "the wish for the languages",
    "local": "the wish that texts stay in the house",
    "no_gpu": "the wish to do without a GPU",
    "memory": "the limit on memory",
}
"""The fields of `Requirements` that rule pipelines out, in words."""


_REMEDIES: dict[ObjectionKind, tuple[StepKind, str]] = {
    "measure": ("measure", "Choose a measure of quality, such as nDCG@10."),
    "judgments": ("judgments", "Judge documents, or bring judgments with the queries."),
    "relevance": ("judgments", "Judge documents of other queries, or check the grades."),
    "mismatch": ("data", "Bring the judgments of these very documents, and evaluate again."),
    "language": (
        "data",
        "Bring queries in the language of the documents, or begin with a first stage for several "
        "languages, such as dense retrieval with a multilingual model.",
    ),
    "depth": ("judgments", "Judge what stands first: until then it counts as not relevant."),
    "retrieval": (
        "data",
        "Check that queries, judgments and documents belong together, and try another first stage.",
    ),
}  # fmt: skip
"""What helps against an objection."""


def next_steps(
    evaluation: Evaluation,
    first: Leader,
    contenders: Sequence[Contender],
    comparisons: Comparisons,
    required: Requirements,
    objections: Sequence[Objection] = (),
) -> tuple[NextStep, ...]:
    """The steps that apply, the most useful first; () when nothing is open."""
    steps: list[NextStep] = []
    missing = evaluation.design.size - len(evaluation.cells)
    if missing:
        sentence = f"Finish the evaluation: {missing:,} of its answers are missing."
        steps.append(NextStep("finish", sentence, missing))
    if failed := sum(_failures(one) for one in contenders):
        sentence = f"Ask the {failed:,} failed queries again, once what broke is mended."
        steps.append(NextStep("finish", sentence, failed))
    if any(one.decisive for one in objections):
        return (*steps, *_against(objections))
    if first.verdict == "none":
        steps += _without_one_requirement(contenders, required)
    if first.verdict == "undecided":
        steps += _between(evaluation, first, contenders, comparisons)
    leading = [one.facts for one in contenders if one.pipeline == first.pipeline]
    if required.p95 is not None and any(one.p95.known and not one.under_load for one in leading):
        sentence = "Its p95 is of one query at a time: a load study tells it under your load."
        steps.append(NextStep("load", sentence))
    return tuple(steps)


def _failures(contender: Contender) -> int:
    """The queries that a pipeline failed on, where it falls for that."""
    fell = any(one.name == "answers" for one in contender.unmet)
    return contender.facts.failed if fell else 0


def _against(objections: Sequence[Objection]) -> Iterator[NextStep]:
    """What helps against objections: against the causes where there are some, else what is seen."""
    causes = [one for one in objections if not one.decisive] or objections
    for kind, sentence in dict.fromkeys(_REMEDIES[one.kind] for one in causes):
        yield NextStep(kind, sentence)


def _without_one_requirement(
    contenders: Sequence[Contender], required: Requirements
) -> Iterator[NextStep]:
    """Which single requirement stands in the way of how many pipelines."""
    for name, words in _LIMITS.items():
        easier = replace(required, **{name: getattr(OPEN, name)})
        count = sum(not unmet(one.facts, easier) for one in contenders)
        if count:
            noun = "pipeline" if count == 1 else "pipelines"
            sentence = f"Without {words}, {count} {noun} would remain."
            yield NextStep("requirement", sentence, count)


def _between(
    evaluation: Evaluation,
    first: Leader,
    contenders: Sequence[Contender],
    comparisons: Comparisons,
) -> Iterator[NextStep]:
    """What would decide between the leader and its rivals."""
    depth = cutoff_of(comparisons.measure) or JUDGING_DEPTH
    unjudged = len(evaluation.unjudged_pairs(depth))
    if unjudged:
        yield NextStep(
            "judgments",
            f"Judge documents: {unjudged:,} among the first {depth} of a pipeline "
            f"{'is not judged, and counts' if unjudged == 1 else 'are not judged, and count'} as "
            "not relevant.",
            unjudged,
        )
    needed = [comparisons.queries_needed(rival, first.pipeline) for rival in first.rivals]
    counts = [count for count in needed if count is not None]
    if counts:
        yield NextStep(
            "queries",
            f"Add judged queries: about {max(counts):,} in all would tell the observed difference "
            "from chance, four times as many one half as large; there are "
            f"{len(evaluation.common):,}.",
            max(counts),
        )
    facts = {one.pipeline: one.facts for one in contenders}
    leading, rivals = facts[first.pipeline], [facts[rival] for rival in first.rivals]
    if not all(one.p95.known for one in (leading, *rivals)):
        yield NextStep("times", "Measure times afresh: the speed of one of them is not known.")
    if any(not (not_dearer(leading, one) or not_dearer(one, leading)) for one in rivals):
        yield NextStep("price", "Type in the prices: that of one of them is not known.")
