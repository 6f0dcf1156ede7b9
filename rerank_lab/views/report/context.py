"""What every section of a report needs: the evidence, names of pipelines, the table of results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from rerank_lab.decision.report.document import Inline, ReportNumber, Verbatim, Words
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.experiments.columns import ResultRow
from rerank_lab.services.report import ReportEvidence
from rerank_lab.views.evaluate import EvaluateView, evaluate_view, pipeline_labels
from rerank_lab.views.evaluate_tables import letter
from rerank_lab.views.report.numbers import Places, annotated


@dataclass(frozen=True)
class ReportContext:
    """The evidence, and what is derived from it once for all sections."""

    evidence: ReportEvidence

    @property
    def evaluation(self) -> Evaluation:
        """The experiment."""
        return self.evidence.evaluation

    @cached_property
    def view(self) -> EvaluateView:
        """What the Evaluate page says of it."""
        return evaluate_view(self.evaluation, self.evidence.primary, self.evidence.baseline)

    @cached_property
    def places(self) -> Places:
        """The places of pipelines, by which quantities name them."""
        return Places.of(self.evaluation)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """What pipelines are called, by spec."""
        return {
            **pipeline_labels(self.evaluation.design.pipelines)[0],
            **self.evidence.names,
        }

    @cached_property
    def rows(self) -> Mapping[str, ResultRow]:
        """The rows of the table of results, by spec."""
        return {row.spec: row for row in self.view.rows}

    def name(self, spec: str) -> Verbatim:
        """What a pipeline is called."""
        return Verbatim(self.names[spec])

    def lettered(self, spec: str) -> Words:
        """`b  bm25 >> l12`: the letter of a pipeline and its name."""
        return (Verbatim(letter(self.places[spec])), "\u00a0", self.name(spec))

    def sentence(self, text: str, numbers: list[ReportNumber], *more: str) -> tuple[Inline, ...]:
        """A sentence with its numbers marked; names of pipelines and measures are no numbers."""
        design = self.evaluation.design
        brief = pipeline_labels(design.pipelines, brief=True)[0]
        full = pipeline_labels(design.pipelines)[0]
        names = (
            *self.names.values(),
            *full.values(),
            *brief.values(),
            *design.pipelines,
            *design.measures,
        )
        return annotated(text, numbers, (*names, design.corpus, *more))
