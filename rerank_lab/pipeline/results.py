"""What a pipeline makes of a query: events while it runs, a result for each stage and for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rerank_lab.components.registry import source_kind
from rerank_lab.core.errors import Cancelled, LabError
from rerank_lab.core.html_text import escaped
from rerank_lab.core.spec import Node
from rerank_lab.core.types import Query, Ranking, Status, Trace
from rerank_lab.corpora.corpus import Corpus


@dataclass(frozen=True, slots=True)
class StageResult:
    """One stage of one query: its ranking when it has one, else the error that says why not.

    `reused` means that the result is an earlier one, with the times measured then. `parts` holds
    the sources of a fusion. Rankings here speak of the corpus' own units (passages when cut).
    """

    node: Node
    status: Status
    trace: Trace = field(default_factory=Trace)
    ranking: Ranking | None = None
    error: LabError | None = None
    reused: bool = False
    parts: tuple[StageResult, ...] = ()


class CutTextCount(NamedTuple):
    """How many of the texts that a stage read were longer than its model reads."""

    stage: str
    cut: int
    texts: int
    indexed: bool
    """Whether the model is that of a first stage, which read them when they were indexed."""

    @property
    def sentence(self) -> str:
        """`3 of 50 texts were cut to the model's length`."""
        when = " when they were indexed" if self.indexed else ""
        return f"{self.cut} of {self.texts} texts were cut to the model's length{when}"


@dataclass(frozen=True, slots=True)
class StageStarted:
    """The stage at this place of the pipeline begins."""

    index: int
    node: Node


@dataclass(frozen=True, slots=True)
class StageDone:
    """The stage at this place has a ranking."""

    index: int
    result: StageResult


@dataclass(frozen=True, slots=True)
class StageFailed:
    """The stage at this place failed, was cancelled, or was skipped after one that did."""

    index: int
    result: StageResult


Event = StageStarted | StageDone | StageFailed


@dataclass(frozen=True, slots=True)
class Result:
    """What a pipeline made of a query.

    `ranking` is the last stage's, folded to documents (None when a stage failed); `passages` maps
    each document to the passage that earned its place, and is empty when nothing was cut.
    """

    spec: str
    query: Query
    stages: tuple[StageResult, ...]
    ranking: Ranking | None
    passages: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """The gravest status among the stages; cached only when every model stage was."""
        return gravest(self.stages)

    @property
    def trace(self) -> Trace:
        """What all stages took together."""
        return sum((stage.trace for stage in self.stages), Trace())

    @property
    def cut_texts(self) -> tuple[CutTextCount, ...]:
        """The stages, first stages and sources of fusions included, that cut texts."""
        stages = [
            (stage, place == 0 or source_kind(stage.node) == "retriever")
            for place, outer in enumerate(self.stages)
            for stage in outer.parts or (outer,)
        ]
        return tuple(
            CutTextCount(str(stage.node), stage.trace.truncated, stage.trace.documents, indexed)
            for stage, indexed in stages
            if stage.trace.truncated
        )

    @property
    def reused(self) -> bool:
        """Whether every stage is an earlier one's result."""
        return all(stage.reused for stage in self.stages)

    @property
    def error(self) -> LabError | None:
        """Why there is no ranking; None when there is one."""
        return next((stage.error for stage in self.stages if stage.error), None)

    def __repr__(self) -> str:
        answer = self.ranking if self.ranking is not None else self.error
        return f"Result({self.spec!r}, {self.status}, {answer!r})"

    def _repr_html_(self) -> str:
        """The ranking as a table, or why there is none, for notebooks."""
        if self.ranking is not None:
            return f"<p>{escaped(self.spec)}: {self.status}</p>{self.ranking._repr_html_()}"
        return f"<p>{escaped(f'{self.spec}: {self.status}. {self.error}')}</p>"


_GRAVEST_FIRST = (
    Status.CANCELLED,
    Status.FAILED,
    Status.SKIPPED,
    Status.FALLBACK,
    Status.REPAIRED,
    Status.TRUNCATED,
)


def gravest(stages: Sequence[StageResult]) -> Status:
    """The worst status among the stages; cached only when the last stage was."""
    statuses = {stage.status for stage in stages}
    for status in _GRAVEST_FIRST:
        if status in statuses:
            return status
    return Status.CACHED if stages[-1].status is Status.CACHED else Status.OK


def result_of(spec: str, query: Query, stages: Sequence[StageResult], corpus: Corpus) -> Result:
    """Collect stage results into a Result, folding passages to their documents."""
    last = stages[-1].ranking
    if last is None or not corpus.parent_of:
        return Result(spec, query, tuple(stages), last)
    folded, passages = last.folded(corpus.parent_of)
    return Result(spec, query, tuple(stages), folded, passages)


def ranking_of(result: StageResult) -> Ranking:
    """The ranking of a stage. Raises its error where it has none."""
    if result.ranking is None:
        raise result.error or Cancelled()
    return result.ranking
