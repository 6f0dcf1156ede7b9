"""The tables of the deeper questions as files: values as they are, a row for what was tried.

CSV, Parquet and JSON hold every column in full; Markdown and LaTeX are for a text, with four
figures a number. Same study, same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rerank_lab.core.table_cells import harmless_cell
from rerank_lab.decision.cost import CostStudy
from rerank_lab.decision.report.markdown import markdown_table, markdown_text
from rerank_lab.evaluation.depth.study import DepthStudy
from rerank_lab.evaluation.grid.study import GridStudy
from rerank_lab.evaluation.load.study import LoadStudy, Percentile
from rerank_lab.evaluation.rag.study import (
    AnswerFigures,
    ContextFigures,
    GradeFigures,
    RagStudy,
)
from rerank_lab.evaluation.robustness.study import RobustnessStudy
from rerank_lab.evaluation.statistics import Paired
from rerank_lab.evaluation.tuning.study import SearchStudy
from rerank_lab.views.evaluate_export import parquet_file
from rerank_lab.views.evaluate_tables import latex_text

AnyStudy = DepthStudy | GridStudy | SearchStudy | RobustnessStudy | RagStudy | LoadStudy | CostStudy
Cell = str | int | float | bool | None
Row = dict[str, Cell]


@dataclass(frozen=True, slots=True)
class StudyTable:
    """Rows by column name; a row that lacks a column has no value there."""

    caption: str
    rows: tuple[Row, ...]

    @property
    def columns(self) -> dict[str, list[Cell]]:
        """Values by column, in the order in which rows bring them."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        return {name: [row.get(name) for row in self.rows] for name in names}


def study_table(*studies: AnyStudy) -> StudyTable:
    """The table of one study, or of several of one kind below each other.

    Raises:
        KeyError: for a study of a kind that has no table.
    """
    caption, rows_of = _KINDS[type(studies[0])]
    return StudyTable(caption, tuple(row for study in studies for row in rows_of(study)))


def table_csv(table: StudyTable) -> bytes:
    """One line a row; an empty field is a value that is not known."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    columns = table.columns
    lines.writerow(columns)
    for values in zip(*columns.values(), strict=True):
        lines.writerow([_written(value) for value in values])
    return out.getvalue().encode()


def table_json(table: StudyTable) -> bytes:
    """A list with an object a row."""
    return (json.dumps(list(table.rows), ensure_ascii=False, indent=1) + "\n").encode()


def table_parquet(table: StudyTable) -> bytes:
    """What `table_csv` holds, as values; a column of words and numbers is one of words."""
    return parquet_file({name: _of_one_kind(values) for name, values in table.columns.items()})


def table_markdown(table: StudyTable) -> bytes:
    """A table for a text."""
    columns, numbers = table.columns, _numeric(table)
    rows = [[markdown_text(name) for name in columns]]
    rows += [
        [markdown_text(_brief(value)) for value in values]
        for values in zip(*columns.values(), strict=True)
    ]
    return f"{markdown_table(rows, numbers)}\n\n{markdown_text(table.caption)}\n".encode()


def table_latex(table: StudyTable) -> bytes:
    r"""A `table` with booktabs rules, ready for `\input`."""
    columns = table.columns
    places = "".join("r" if number else "l" for number in _numeric(table))
    heads = " & ".join(rf"\textbf{{{latex_text(name)}}}" for name in columns)
    body = [
        rf"{' & '.join(latex_text(_brief(value)) for value in values)} \\"
        for values in zip(*columns.values(), strict=True)
    ]
    lines = [
        r"% Preamble: \usepackage[T1]{fontenc} \usepackage{textcomp} \usepackage{booktabs}",
        r"\begin{table}[ht]",
        r"\centering",
        rf"\caption{{{latex_text(table.caption)}}}",
        rf"\begin{{tabular}}{{{places}}}",
        r"\toprule",
        rf"{heads} \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
        "",
    ]
    return "\n".join(lines).encode()


TABLE_FILES: Mapping[str, Callable[[StudyTable], bytes]] = {
    ".csv": table_csv,
    ".json": table_json,
    ".md": table_markdown,
    ".parquet": table_parquet,
    ".tex": table_latex,
}
"""What writes the table of a study, by the ending of a file's name."""


def _written(value: Cell) -> str:
    if value is None:
        return ""
    return harmless_cell(value) if isinstance(value, str) else repr(value)


def _of_one_kind(values: list[Cell]) -> list[Cell]:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) < 2 or kinds == {int, float}:
        return values
    return [None if value is None else str(value) for value in values]


def _brief(value: Cell) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _numeric(table: StudyTable) -> tuple[bool, ...]:
    """By column, whether it holds numbers."""
    return tuple(
        any(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        for values in table.columns.values()
    )


def _paired(one: Paired | None, name: str = "") -> Row:
    """A comparison as columns; all empty where there is none."""
    lead = f"{name}_" if name else ""
    fields = ("difference", "low", "high", "p", "p_holm", "wins", "losses", "ties")
    return {
        f"{lead}{field}" if field != "low" and field != "high" else f"{lead}difference_{field}":
        None if one is None else getattr(one, field)
        for field in fields
    }  # fmt: skip


def _depth(study: DepthStudy) -> Iterator[Row]:
    for curve in study.curves:
        for point in curve.points:
            yield {
                "pipeline": curve.pipeline,
                "depth": point.depth,
                "candidates": point.candidates,
                study.measure: point.value,
                "low": point.low,
                "high": point.high,
                "best_order": point.oracle,
                "recall": point.recall,
                "p50_s": point.p50,
                "p95_s": point.p95,
                "timing": curve.timing,
                "usd_per_1000": point.usd,
                "replayed": curve.replayed,
                "knee": point == curve.knee,
                "queries": study.queries,
                **_paired(point.against_deepest, "against_deepest"),
            }


def _grid(study: GridStudy) -> Iterator[Row]:
    for pair in study.pairs:
        ceiling = study.ceiling(pair.first)
        yield {
            "first_stage": pair.first,
            "reranker": pair.reranker,
            "pipeline": pair.pipeline,
            study.measure: pair.value,
            "low": pair.low,
            "high": pair.high,
            "p95_s": pair.p95,
            "candidates": None if ceiling is None else ceiling.candidates,
            "recall": None if ceiling is None else ceiling.recall,
            "best_order": None if ceiling is None else ceiling.oracle,
            "limited_by_first_stage": study.limited_by_first_stage(pair),
            "among_best": pair.pipeline in study.best,
            "queries": study.queries,
            **_paired(pair.gain, "against_first_stage"),
        }


def _search(study: SearchStudy) -> Iterator[Row]:
    for trial in study.trials:
        held_out = study.held_out if trial.pipeline == study.best else None
        yield {
            "pipeline": trial.pipeline,
            **dict(trial.settings),
            f"{study.measure}_train": trial.train,
            "start": trial.pipeline == study.start,
            "best": trial.pipeline == study.best,
            "train_queries": study.train_queries,
            "held_out_queries": study.held_out_queries,
            **_paired(held_out, "held_out"),
        }


def _robustness(study: RobustnessStudy) -> Iterator[Row]:
    for of_pipeline in study.pipelines:
        for effect in of_pipeline.effects:
            movement, target = effect.movement, effect.target
            yield {
                "pipeline": of_pipeline.pipeline,
                "change": effect.perturbation,
                "queries": effect.queries,
                "unchanged": effect.unchanged,
                "failed": effect.failed,
                **_paired(effect.measure, study.measure),
                "moved": None if movement is None else movement.moved,
                "rbo": None if movement is None else movement.rbo,
                "tau": None if movement is None else movement.tau,
                "other_first": None if movement is None else movement.top_changed,
                "target_first": None if target is None else target.first,
                "target_top_10": None if target is None else target.top_10,
                "target_entered_top_10": None if target is None else target.entered_top_10,
                **_paired(None if target is None else target.ranks, "target_rank"),
                **_paired(effect.order_bias, "order_bias"),
            }


def _rag(study: RagStudy) -> Iterator[Row]:
    for one in study.pipelines:
        sides = (
            ("reranked", one.reranked, one.answers, one.grades),
            ("first stage", one.first_stage, one.first_stage_answers, one.first_stage_grades),
        )
        for context, figures, answers, grades in sides:
            if figures is None:
                continue
            row: Row = {"pipeline": one.pipeline, "context": context, **_context(figures)}
            row |= _answers(answers) | _grades(grades)
            compared = one.differences if context == "reranked" else {}
            for name in ("precision", "recall", "right_tokens", "tempted"):
                row |= _paired(compared.get(name), name)
            right, graded = one.answers_difference, one.grades_difference
            if context != "reranked":
                right = graded = None
            yield row | _paired(right, "answers_right") | _paired(graded, "graded_right")


def _context(figures: ContextFigures) -> Row:
    names = (
        "queries", "precision", "recall", "holding", "tempted", "tempting_queries", "unjudged",
        "tokens", "tokens_p95", "right_tokens", "middle", "middle_reordered",
    )  # fmt: skip
    return {name: getattr(figures, name) for name in names}


def _answers(figures: AnswerFigures | None) -> Row:
    names = ("queries", "right", "wrong", "abstained", "unusable", "overlap")
    return {f"answers_{n}": None if figures is None else getattr(figures, n) for n in names}


def _grades(figures: GradeFigures | None) -> Row:
    names = ("queries", "right", "ungraded", "agreement")
    return {f"grades_{n}": None if figures is None else getattr(figures, n) for n in names}


def _load(study: LoadStudy) -> Iterator[Row]:
    for step in study.steps:
        row: Row = {
            "pipeline": study.pipeline,
            "rate": step.rate,
            "workers": study.workers,
            "arrivals": study.arrivals,
            "seconds": step.seconds,
            "due": step.due,
            "answered": step.answered,
            "failed": step.failed,
            "unfinished": step.unfinished,
            "mean_s": step.mean_s,
        }
        for name, percentile in (("p50", step.p50), ("p95", step.p95), ("p99", step.p99)):
            row |= _percentile(name, percentile)
        yield row | {
            "waiting_s": step.waiting_s,
            "busy": step.busy,
            "late_s": step.late_s,
            "queries_per_s": step.queries_per_s,
            "documents_per_s": step.documents_per_s,
            "tokens_per_s": step.tokens_per_s,
            "processor": study.machine.processor,
            "cores": study.machine.cores,
        }


def _percentile(name: str, percentile: Percentile | None) -> Row:
    return {
        f"{name}_s": None if percentile is None else percentile.seconds,
        f"{name}_low_s": None if percentile is None else percentile.low,
        f"{name}_high_s": None if percentile is None else percentile.high,
        f"{name}_at_least": None if percentile is None else percentile.at_least,
    }


def _cost(study: CostStudy) -> Iterator[Row]:
    for one in study.costs:
        yield {
            "pipeline": one.pipeline,
            "queries_per_month": one.terms.queries_per_month,
            "peak": one.terms.peak,
            "usd_per_hour": one.terms.usd_per_hour,
            "usd_per_1000": one.usd_per_thousand,
            "usd_per_month": one.usd_per_month,
            "provider_usd_per_query": one.provider_usd,
            "machines": one.machines,
            "queries_per_s_a_machine": one.capacity.queries_per_s,
            "candidates": one.candidates,
            "as_of": one.as_of,
            "unknown": "; ".join(one.unknown),
        }


_KINDS: Mapping[type, tuple[str, Callable[[Any], Iterator[Row]]]] = {
    DepthStudy: ("Depth: how many candidates are reranked.", _depth),
    GridStudy: ("First stages and rerankers.", _grid),
    SearchStudy: ("Settings tried, the best on the train queries first.", _search),
    RobustnessStudy: ("Small changes of queries and documents.", _robustness),
    RagStudy: ("Contexts for language models.", _rag),
    LoadStudy: ("Latency and throughput under load.", _load),
    CostStudy: ("Costs at a load.", _cost),
}
"""By the type of a study, what its table is of, and its rows."""
