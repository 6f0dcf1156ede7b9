"""The columns of a table of results: the page, CSV, JSON and the command line are made from them.

A column is one entry of `result_columns`. Where it stands follows from the names that it has: a
heading for tables that people read, a name for CSV, a path for JSON. See
docs/add-a-results-column.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rerank_lab.core.types import Status
from rerank_lab.evaluation.experiments.cells import of_another_system
from rerank_lab.evaluation.experiments.outcomes import Outcome
from rerank_lab.evaluation.statistics import Paired

Unit = Literal["text", "count", "measure", "share", "seconds", "difference", "p"]
"""What a value is. Each unit is written in one way: see rerank_lab.views.results_table."""
Value = str | int | float | bool | None
Screen = Literal["page", "terminal", "paper"]
"""Tables that people read: the page, the command line, and LaTeX or Markdown for a text."""
DASH = "–"


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One pipeline of a table, with everything that a column may show of it.

    `best` marks the best group: the best mean and those not shown to differ from it. `paired`
    compares it with the baseline on the primary measure, None for the baseline itself. `unjudged`
    is the share, 0 to 1, of its first `judging_depth` documents that nobody judged. `candidates`
    is how many documents its first stage hands over at most, None without a limit; `beyond` are
    the measures that look deeper than that.
    """

    outcome: Outcome
    label: str
    baseline: bool
    best: bool
    paired: Paired | None
    unjudged: float | None
    judging_depth: int
    candidates: int | None
    beyond: tuple[str, ...]

    @property
    def spec(self) -> str:
        """The pipeline."""
        return self.outcome.pipeline

    @property
    def values(self) -> Mapping[str, float | None]:
        """Its means by measure; None where nothing was measured."""
        return self.outcome.measures

    @property
    def measured(self) -> int:
        """The queries that its means are over."""
        return self.outcome.measured

    @property
    def p50(self) -> float | None:
        """Median latency in seconds."""
        return self.outcome.latency.p50

    @property
    def untimed(self) -> str:
        """Why there is no latency, in a word; "" where there is one."""
        if self.p50 is not None:
            return ""
        if not self.outcome.answered:
            return "no answer"
        return "another system" if of_another_system(self.spec) else "cached"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One column.

    Attributes:
        value: What it shows of a row, unrounded; None where there is nothing.
        unit: What the value is, which decides how it is written.
        heading: Above the column in tables that people read; "" keeps it out of them.
        csv: The name in CSV; "" leaves it out.
        json: The path in the JSON of an evaluation, from `results` or `comparison` on, without the
            place in the list; () leaves it out.
        screens: The tables that have room for it.
        absence: What stands where there is no value.
        remark: What stands beside a value that needs it, in a few words.
    """

    value: Callable[[ResultRow], Value]
    unit: Unit
    heading: str = ""
    csv: str = ""
    json: tuple[str, ...] = ()
    screens: tuple[Screen, ...] = ("page", "terminal", "paper")
    absence: Callable[[ResultRow], str] = lambda row: DASH
    remark: Callable[[ResultRow], str] = lambda row: ""


@dataclass(frozen=True, slots=True)
class ResultTable:
    """The results of an evaluation as rows and columns.

    `primary` is the measure that pipelines are compared by, against `baseline`, on `common`
    queries: those that all of them answered.
    """

    primary: str
    baseline: str
    common: int
    rows: tuple[ResultRow, ...]
    columns: tuple[ResultColumn, ...]

    def on(self, screen: Screen) -> tuple[ResultColumn, ...]:
        """The columns of a table for people."""
        return tuple(c for c in self.columns if c.heading and screen in c.screens)

    def to_json(self) -> dict[str, Any]:
        """`results` and `comparison` of the JSON of an evaluation."""
        results: list[dict[str, Any]] = [{} for _ in self.rows]
        comparison: list[dict[str, Any]] = [{"pipeline": row.spec} for row in self.rows]
        sections = {"results": results, "comparison": comparison}
        for column in self.columns:
            if not column.json:
                continue
            section, *path, last = column.json
            for row, values in zip(self.rows, sections[section], strict=True):
                for name in path:
                    values = values.setdefault(name, {})
                values[last] = column.value(row)
        return {
            "results": results,
            "comparison": {
                "measure": self.primary,
                "baseline": self.baseline,
                "queries": self.common,
                "results": comparison,
            },
        }


def result_columns(
    measures: Sequence[str], primary: str, compared_queries: int
) -> tuple[ResultColumn, ...]:
    """All columns in their order; new ones come last, so that files keep their order.

    Args:
        measures: Those of the evaluation.
        primary: The measure that pipelines are compared by.
        compared_queries: On how many queries; 0 when nothing is compared.
    """
    difference = [_difference(primary, compared_queries)] if compared_queries else []
    statuses = [_status(status) for status in Status]
    compared = "comparison"
    return (
        ResultColumn(lambda row: row.spec, "text", "Pipeline", "pipeline", ("results", "pipeline")),
        ResultColumn(
            lambda row: row.outcome.queries, "count", csv="queries", json=("results", "queries")
        ),
        ResultColumn(
            lambda row: row.measured, "count", "measured", "measured", screens=("terminal",)
        ),
        *map(_mean, measures),
        *difference,
        *statuses,
        _latency("p50 a query", "p50", lambda row: row.p50),
        _latency("p95", "p95", lambda row: row.outcome.latency.p95),
        ResultColumn(
            lambda row: row.outcome.latency.cells, "count", csv="timed", json=(compared, "timed")
        ),
        ResultColumn(
            lambda row: row.candidates, "count", csv="candidates", json=(compared, "candidates")
        ),
        ResultColumn(
            lambda row: " ".join(row.beyond),
            "text",
            csv="deeper_than_candidates",
            json=(compared, "deeper_than_candidates"),
        ),
        ResultColumn(
            lambda row: row.unjudged, "share", csv="unjudged", json=(compared, "unjudged")
        ),
        ResultColumn(
            lambda row: row.judging_depth,
            "count",
            csv="unjudged_of_top",
            json=(compared, "unjudged_of_top"),
        ),
        *_paired_columns(),
    )


def _mean(name: str) -> ResultColumn:
    """The mean of a measure; beside it, how few candidates it is over when it looks deeper."""
    return ResultColumn(
        lambda row: row.values.get(name),
        "measure",
        name,
        name,
        ("results", "measures", name),
        remark=lambda row: f"from {row.candidates}" if name in row.beyond else "",
    )


def _difference(primary: str, queries: int) -> ResultColumn:
    noun = "query" if queries == 1 else "queries"
    return ResultColumn(
        lambda row: row.paired.difference if row.paired else None,
        "difference",
        f"{primary} against the baseline, 95 %, on {queries:,} {noun}",
        screens=("page",),
        absence=lambda row: "baseline" if row.baseline else DASH,
    )


def _status(status: Status) -> ResultColumn:
    return ResultColumn(
        lambda row: row.outcome.status.get(status, 0),
        "count",
        csv=status.value,
        json=("results", "status", status.value),
    )


def _latency(heading: str, name: str, value: Callable[[ResultRow], float | None]) -> ResultColumn:
    return ResultColumn(
        value,
        "seconds",
        heading,
        f"{name}_s",
        ("results", "latency", name),
        absence=lambda row: row.untimed,
    )


def _paired_columns() -> list[ResultColumn]:
    """What the comparison with the baseline came to; empty for the baseline itself."""

    def column(name: str, unit: Unit, value: Callable[[Paired], Value]) -> ResultColumn:
        return ResultColumn(
            lambda row: value(row.paired) if row.paired else None,
            unit,
            csv=name,
            json=("comparison", name),
        )

    return [
        column("baseline", "text", lambda paired: paired.a),
        column("compared_queries", "count", lambda paired: paired.queries),
        column("difference", "difference", lambda paired: paired.difference),
        column("low", "difference", lambda paired: paired.low),
        column("high", "difference", lambda paired: paired.high),
        column("p_holm", "p", lambda paired: paired.p_holm),
        column("wins", "count", lambda paired: paired.wins),
        column("losses", "count", lambda paired: paired.losses),
        column("ties", "count", lambda paired: paired.ties),
        ResultColumn(lambda row: row.best, "text", csv="best_group", json=("comparison", "best")),
    ]
