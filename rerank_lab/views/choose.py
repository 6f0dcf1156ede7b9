"""What the page Choose shows: the decision in words, the points of its chart, who remains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from rerank_lab.core.languages import LANGUAGE_NAMES
from rerank_lab.core.text import dollars, duration_words, megabytes
from rerank_lab.core.types import Bounded
from rerank_lab.decision.choice import Contender, PipelineDecision
from rerank_lab.decision.cost import DEFAULT_TERMS, CostTerms
from rerank_lab.decision.facts import MANY_LANGUAGES, KnownFact, PipelineFacts
from rerank_lab.decision.requirements import Licensing, Requirements
from rerank_lab.decision.wording import headline, joined, reasons
from rerank_lab.evaluation.experiments import ExperimentEntry
from rerank_lab.views.evaluate import experiment_line, pipeline_labels
from rerank_lab.views.formatting import language_names

Value = TypeVar("Value")
ANY = "any"
P95_LIMITS: Mapping[str, float | None] = {
    "10 ms": 0.01, "20 ms": 0.02, "50 ms": 0.05, "100 ms": 0.1, "200 ms": 0.2, "300 ms": 0.3,
    "500 ms": 0.5, "1 s": 1.0, "2 s": 2.0, "5 s": 5.0, "10 s": 10.0, ANY: None,
}  # fmt: skip
"""What the slider of the limit on p95 offers, in seconds."""
MEMORY_LIMITS: Mapping[str, int | None] = {
    "50 MB": 50_000_000, "100 MB": 100_000_000, "250 MB": 250_000_000, "500 MB": 500_000_000,
    "1 GB": 1_000_000_000, "2 GB": 2_000_000_000, "4 GB": 4_000_000_000, "8 GB": 8_000_000_000,
    "16 GB": 16_000_000_000, ANY: None,
}  # fmt: skip
"""What the slider of the limit on memory offers, in bytes."""
LICENCES: Mapping[str, Licensing] = {
    "Any": "any", "Commercial use allowed": "commercial", "Open source": "open",
}  # fmt: skip
Axis = Literal["p95", "price"]
AXES: Mapping[str, Axis] = {"Quality and p95": "p95", "Quality and price": "price"}
Standing = Literal["recommended", "leading", "remains", "dominated", "fallen"]
"""leading: the best mean of those that remain, where the data cannot decide."""
_DASH = "–"


@dataclass(frozen=True, slots=True)
class LimitChoices:
    """What the widgets of the page say, as its link holds it."""

    measure: str = ""
    margin: float = 0.02
    p95: str = ANY
    price: float | None = None
    licence: str = "Any"
    languages: tuple[str, ...] = ()
    local: bool = False
    no_gpu: bool = False
    memory: str = ANY
    queries_per_month: int = 100_000
    usd_per_hour: float | None = None
    kept_terms: CostTerms = DEFAULT_TERMS
    """What the team has typed for this evaluation before, such as prices of providers."""

    @property
    def required(self) -> Requirements:
        """The requirements that they state."""
        codes = language_choices()
        return Requirements(
            self.measure,
            self.margin,
            P95_LIMITS.get(self.p95),
            self.price,
            LICENCES.get(self.licence, "any"),
            tuple(codes[name] for name in self.languages if name in codes),
            self.local,
            self.no_gpu,
            MEMORY_LIMITS.get(self.memory),
            replace(
                self.kept_terms,
                queries_per_month=self.queries_per_month,
                usd_per_hour=self.usd_per_hour,
            ),
        )


def language_choices() -> dict[str, str]:
    """Name -> ISO 639-1 code of every language, by name; the first code where several share it."""
    codes: dict[str, str] = {}
    for code, name in LANGUAGE_NAMES.items():
        if code not in (MANY_LANGUAGES, "und"):
            codes.setdefault(name, code)
    return dict(sorted(codes.items()))


@dataclass(frozen=True, slots=True)
class ChoicePoint:
    """A pipeline in the chart. `x` is seconds or USD; `about` says all of it, a line each."""

    pipeline: str
    label: str
    standing: Standing
    x: Bounded
    y: Bounded
    about: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChoiceChart:
    """The chart of quality against p95 or price.

    `front` are the best of the points that nothing dominates, from the quickest (cheapest) on.
    `limit` is that on the axis. `absent` are labels of pipelines without a value on it.
    """

    axis: Axis
    measure: str
    points: tuple[ChoicePoint, ...]
    front: tuple[ChoicePoint, ...]
    limit: float | None
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContenderLine:
    """A pipeline beside the chart: its figures where it remains, its reasons where it fell."""

    pipeline: str
    label: str
    standing: Standing
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FactCell:
    """One fact in words, and where it is from or why it is not known."""

    text: str
    source: str
    known: bool


@dataclass(frozen=True, slots=True)
class FactColumn:
    """One column of the table of facts."""

    heading: str
    cell: Callable[[PipelineFacts], FactCell]


@dataclass(frozen=True, slots=True)
class ChooseView:
    """Everything on the page. `rows` hold a label and the cells of `headings`."""

    headline: str
    reasons: tuple[str, ...]
    steps: tuple[str, ...]
    remaining: tuple[ContenderLine, ...]
    fallen: tuple[ContenderLine, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[FactCell, ...]], ...]


def choose_view(decision: PipelineDecision) -> ChooseView:
    """The view of a decision."""
    specs = [one.pipeline for one in decision.contenders]
    names = pipeline_labels(specs)[0]
    columns = fact_columns(decision.measure)
    return ChooseView(
        headline(decision, pipeline_labels(specs, brief=True)[0]),
        reasons(decision, names),
        tuple(step.sentence for step in decision.steps),
        tuple(_line(decision, one, names) for one in _by_quality(decision.remaining)),
        tuple(_line(decision, one, names) for one in _by_quality(decision.fallen)),
        tuple(column.heading for column in columns),
        tuple(
            (one.pipeline, names[one.pipeline], tuple(c.cell(one.facts) for c in columns))
            for one in decision.contenders
        ),
    )


def choice_chart(decision: PipelineDecision, axis: Axis) -> ChoiceChart:
    """The points of a decision whose quality and p95 (or price) are known."""
    labels = pipeline_labels([one.pipeline for one in decision.contenders], brief=True)[0]
    points: list[ChoicePoint] = []
    absent: list[str] = []
    for one in decision.contenders:
        x, y = _on_axis(one.facts, axis), one.facts.quality.value
        label = labels[one.pipeline]
        if x is None or y is None:
            absent.append(label)
            continue
        about = tuple(
            f"{column.heading}: {cell.text}"
            for column in fact_columns(decision.measure)[:3]
            if (cell := column.cell(one.facts)).known
        )
        points.append(ChoicePoint(one.pipeline, label, standing(decision, one), x, y, about))
    points.sort(key=lambda point: (point.x.value, -point.y.value))
    front: list[ChoicePoint] = []
    for point in points:
        if point.standing != "dominated" and (not front or point.y.value > front[-1].y.value):
            front.append(point)
    limit = decision.required.p95 if axis == "p95" else decision.required.price
    return ChoiceChart(axis, decision.measure, tuple(points), tuple(front), limit, tuple(absent))


def standing(decision: PipelineDecision, one: Contender) -> Standing:
    """How a pipeline stands in a decision; what fell has fallen, whatever dominates it."""
    if not one.remains:
        return "fallen"
    if one.pipeline == decision.pipeline:
        return "recommended" if decision.verdict == "recommended" else "leading"
    return "dominated" if one.dominated_by else "remains"


def experiment_choice(entry: ExperimentEntry) -> str:
    """`2026-11-21 08:40 UTC · 60 queries, all answers in · bm25 | dense`."""
    line = experiment_line(entry)
    return f"{line.when} · {line.progress} · {line.pipelines}"


def fact_columns(measure: str) -> tuple[FactColumn, ...]:
    """The table of what is known of each pipeline; the first three are the axes of the front."""
    return (
        FactColumn(measure, lambda facts: _cell(facts.quality, _quality_words)),
        FactColumn("p95", lambda facts: _cell(facts.p95, _p95_words)),
        FactColumn("1,000 queries", lambda facts: _cell(facts.price, dollars)),
        FactColumn(
            "Licence",
            lambda facts: _cell(
                facts.licences, lambda all_: _listed([one.licence for one in all_], "no model")
            ),
        ),
        FactColumn("Languages", lambda facts: _cell(facts.languages, _language_words)),
        FactColumn(
            "Texts go to", lambda facts: _cell(facts.sends_to, lambda who: _listed(who, "nobody"))
        ),
        FactColumn("GPU", lambda facts: _cell(facts.gpu, lambda gpu: "yes" if gpu else "no")),
        FactColumn(
            "Memory",
            lambda facts: _cell(facts.memory, lambda size: megabytes(size) if size else "no model"),
        ),
    )


def _cell(fact: KnownFact[Value], words: Callable[[Value], str]) -> FactCell:
    if fact.value is None:
        return FactCell("not known", fact.source, known=False)
    return FactCell(words(fact.value), fact.source, known=True)


def _quality_words(quality: Bounded) -> str:
    if quality.low is None or quality.high is None:
        return f"{quality.value:.3f}"
    return f"{quality.value:.3f} [{quality.low:.3f}, {quality.high:.3f}]"


def _p95_words(p95: Bounded) -> str:
    low = _DASH if p95.low is None else duration_words(p95.low)
    high = "?" if p95.high is None else duration_words(p95.high)
    return f"{duration_words(p95.value)} [{low}, {high}]"


def _language_words(codes: Sequence[str]) -> str:
    if MANY_LANGUAGES in codes:
        return "many"
    return language_names(codes) or "none in common"


def _listed(names: Sequence[str], none: str) -> str:
    return joined(list(dict.fromkeys(names))) if names else none


def _on_axis(facts: PipelineFacts, axis: Axis) -> Bounded | None:
    if axis == "p95":
        return facts.p95.value
    return None if facts.price.value is None else Bounded(facts.price.value)


def _by_quality(contenders: Sequence[Contender]) -> list[Contender]:
    def mean(one: Contender) -> float:
        return one.facts.quality.value.value if one.facts.quality.value is not None else -1.0

    return sorted(contenders, key=lambda one: -mean(one))


def _line(decision: PipelineDecision, one: Contender, names: Mapping[str, str]) -> ContenderLine:
    stands = standing(decision, one)
    figures = tuple(
        f"{column.heading} {cell.text}" if place != 2 else f"{cell.text} for {column.heading}"
        for place, column in enumerate(fact_columns(decision.measure)[:3])
        if (cell := column.cell(one.facts)).known
    )
    if stands == "fallen":
        lines: tuple[str, ...] = tuple(why.sentence for why in one.unmet)
    else:
        lines = (" · ".join(figures),)
    if one.dominated_by:
        better = joined([names[spec] for spec in one.dominated_by])
        verb = "is" if len(one.dominated_by) == 1 else "are"
        how = f"as good (up to {decision.required.margin:g})"
        how += ", faster and no dearer" if one.facts.price.known else " and faster"
        lines += (f"dominated: {better} {verb} shown to be {how}",)
    return ContenderLine(one.pipeline, names[one.pipeline], stands, lines)
