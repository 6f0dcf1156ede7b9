"""The decision itself: who meets the requirements, which pipeline to take, or what is missing.

A pipeline is recommended when, against each other one that meets the requirements, it is shown to
be better, or shown not to be worse by more than the margin that the team states while it is neither
slower (p95) nor dearer. Where no pipeline is, the data cannot decide, and the next steps say what
would. Nothing is recommended against a decisive objection (`decision.objections`), nor for being
"not worse" while the pipeline itself is not shown to be better than no answer at all by the margin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from rerank_lab.core.html_text import html_table
from rerank_lab.decision.comparisons import ComparedPair, Comparisons
from rerank_lab.decision.facts import PipelineFacts
from rerank_lab.decision.frontier import not_dearer, not_slower
from rerank_lab.decision.objections import Objection
from rerank_lab.decision.requirements import Requirements, UnmetRequirement

Outlook = Literal["recommended", "undecided", "none"]
"""none: no pipeline meets the requirements."""
StepKind = Literal[
    "finish", "data", "measure", "queries", "judgments", "times", "price", "load", "requirement"
]
"""What would help: the rest of the answers, data that belong together, a measure of quality, judged
queries, judgments of documents, timed answers, a price, a load study, or one requirement less."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One pipeline of a decision.

    `unmet` is empty for one that remains. `dominated_by` are the pipelines that are shown to be as
    good, faster and no dearer, whether they meet the requirements or not.
    """

    facts: PipelineFacts
    unmet: tuple[UnmetRequirement, ...]
    dominated_by: tuple[str, ...]

    @property
    def pipeline(self) -> str:
        """The canonical spec."""
        return self.facts.pipeline

    @property
    def remains(self) -> bool:
        """Whether it meets every requirement."""
        return not self.unmet


@dataclass(frozen=True, slots=True)
class NextStep:
    """What would help to decide. `count` is how many queries or documents it takes, where known."""

    kind: StepKind
    sentence: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class PipelineDecision:
    """What comes of an evaluation under requirements. The page, CLI, report and gate read it.

    Attributes:
        experiment_id: Of the evaluation.
        corpus: Its name.
        queries: Those that all pipelines answered and somebody judged; the statistics are on them.
        measure: What quality is.
        required: The requirements, as they were read.
        contenders: Every pipeline, in the order of the evaluation.
        verdict: Whether one is recommended.
        pipeline: The recommended one; where the data cannot decide, the one with the best mean of
            those that remain; "" where none remains, or the data cannot decide about any.
        rivals: Those that remain and cannot be ruled out against `pipeline`.
        comparisons: `pipeline` (as `b`) against each other that remains, corrected for all pairs of
            the evaluation.
        steps: What would decide, the most useful first.
        objections: Why the data cannot decide about any, or what to know of the decision.
    """

    experiment_id: str
    corpus: str
    queries: int
    measure: str
    required: Requirements
    contenders: tuple[Contender, ...]
    verdict: Outlook
    pipeline: str
    rivals: tuple[str, ...]
    comparisons: tuple[ComparedPair, ...]
    steps: tuple[NextStep, ...] = ()
    objections: tuple[Objection, ...] = ()

    @property
    def remaining(self) -> tuple[Contender, ...]:
        """The pipelines that meet every requirement."""
        return tuple(one for one in self.contenders if one.remains)

    @property
    def fallen(self) -> tuple[Contender, ...]:
        """The pipelines that do not, or are not known to."""
        return tuple(one for one in self.contenders if not one.remains)

    def contender(self, pipeline: str) -> Contender:
        """The contender of that spec. Raises KeyError for any other."""
        return {one.pipeline: one for one in self.contenders}[pipeline]

    def to_frame(self) -> Any:
        """A pandas frame with a row a pipeline; what is not known is empty."""
        import pandas as pd

        rows = [
            {
                "pipeline": one.pipeline,
                "remains": one.remains,
                self.measure: one.facts.quality.value and one.facts.quality.value.value,
                "p95_s": one.facts.p95.value and one.facts.p95.value.value,
                "usd_per_1000": one.facts.price.value,
                "unmet": "; ".join(unmet.sentence for unmet in one.unmet),
                "dominated_by": ", ".join(one.dominated_by),
            }
            for one in self.contenders
        ]
        return pd.DataFrame(rows).set_index("pipeline")

    def __repr__(self) -> str:
        about = f" {self.pipeline!r}" if self.pipeline else ""
        remaining = f"{len(self.remaining)} of {len(self.contenders)} remain"
        return (
            f"PipelineDecision({self.verdict}{about} by {self.measure}; {remaining}, "
            f"{self.queries} queries)"
        )

    def _repr_html_(self) -> str:
        """Who remains and who falls for what, for notebooks."""
        rows = [
            [one.pipeline, "remains" if one.remains else "; ".join(u.sentence for u in one.unmet)]
            for one in self.contenders
        ]
        return html_table(["pipeline", "outcome"], rows, repr(self))

    def to_json(self) -> dict[str, Any]:
        """The fields by name; who remains is a list of specs under `remaining`."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written | {"remaining": [one.pipeline for one in self.remaining]}


@dataclass(frozen=True, slots=True)
class Leader:
    """The pipeline that a decision is about, and what stands in its way."""

    verdict: Outlook
    pipeline: str
    rivals: tuple[str, ...]


def leader(
    facts: Mapping[str, PipelineFacts],
    comparisons: Comparisons,
    margin: float,
    objections: Sequence[Objection] = (),
) -> Leader:
    """Who is recommended of those that remain; else the best mean, and whom it is not ahead of.

    Args:
        facts: Of the pipelines that remain, by spec; the quality of each is known.
        comparisons: Of all pipelines of the evaluation.
        margin: A difference of the measure up to this does not matter.
        objections: Nobody leads where one is decisive.
    """
    if not facts:
        return Leader("none", "", ())
    if any(one.decisive for one in objections):
        return Leader("undecided", "", ())
    by_quality = sorted(facts, key=lambda spec: -_mean(facts[spec]))
    for spec in by_quality:
        if not _in_the_way(spec, facts, comparisons, margin):
            return Leader("recommended", spec, ())
    best = by_quality[0]
    return Leader("undecided", best, _in_the_way(best, facts, comparisons, margin))


def _in_the_way(
    spec: str, facts: Mapping[str, PipelineFacts], comparisons: Comparisons, margin: float
) -> tuple[str, ...]:
    """The others that a pipeline is neither better than, nor as good as at no more cost.

    A pipeline that an empty list might equal is not called as good as another (assay sensitivity).
    """
    quality = facts[spec].quality.value
    sensitive = quality is not None and quality.low is not None and quality.low > margin
    return tuple(
        other
        for other in facts
        if other != spec
        and not comparisons.better(spec, other)
        and not (
            sensitive
            and not_slower(facts[spec], facts[other])
            and not_dearer(facts[spec], facts[other])
            and comparisons.not_worse(spec, other, margin)
        )
    )


def _mean(facts: PipelineFacts) -> float:
    return facts.quality.value.value if facts.quality.value is not None else -math.inf
