"""A load study in words and rows."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.evaluation.load.search import keeps
from rerank_lab.evaluation.load.study import LoadStep, LoadStudy, Machine, Percentile
from rerank_lab.views.formatting import counted, figures
from rerank_lab.views.labels import seconds

ABSENT = "–"


def rate_words(rate: float) -> str:
    """`5 queries a second`, `1 query a second`, `0.25 queries a second`."""
    return f"{figures(rate)} {'query' if rate == 1 else 'queries'} a second"


def percentile_words(one: Percentile | None) -> str:
    """`310 ms [250 ms, 420 ms]`, `310 ms` without an interval, `more than 2.1 s`."""
    if one is None:
        return ABSENT
    if one.at_least:
        return f"more than {seconds(one.seconds)}"
    if one.low is None or one.high is None:
        return seconds(one.seconds)
    return f"{seconds(one.seconds)} [{seconds(one.low)}, {seconds(one.high)}]"


def load_sentence(study: LoadStudy) -> str:
    """The answer: how long queries take at the rate asked for, and how much it can take."""
    step = study.at_rate
    if step is None or step.p50 is None or step.p95 is None:
        return "No query was answered, so nothing was timed."
    if step.p95.at_least:
        return (
            f"At {rate_words(study.rate)} it does not keep up: queries come in faster than they "
            f"are answered. {_largest_sentence(study)}"
        ).strip()
    sentence = (
        f"At {rate_words(study.rate)}, half of the answers come within {seconds(step.p50.seconds)} "
        f"and 95 % within {percentile_words(step.p95)}. {_largest_sentence(study)}"
    )
    return sentence.strip()


def _largest_sentence(study: LoadStudy) -> str:
    """Between which rates p95 passes the bound; "" where none was given."""
    if study.bound is None:
        return ""
    bound = seconds(study.bound)
    if study.sustained is None:
        tried = min(step.rate for step in study.steps)
        return f"No rate that was tried, down to {rate_words(tried)}, keeps p95 within {bound}."
    if study.broken is None:
        return f"p95 stays within {bound} up to {rate_words(study.sustained)}, the most tried."
    return (
        f"p95 stays within {bound} up to {rate_words(study.sustained)}; at "
        f"{figures(study.broken)} it no longer does."
    )


HEADINGS = (
    "Queries a second",
    "p50",
    "p95",
    "p99",
    "Mean",
    "Mean wait",
    "Workers busy",
    "Answered",
    "Within the bound",
)


def step_rows(study: LoadStudy) -> list[tuple[str, ...]]:
    """A row a rate, under `HEADINGS`."""
    return [_step_row(step, study.bound) for step in study.steps]


def _step_row(step: LoadStep, bound: float | None) -> tuple[str, ...]:
    within = ABSENT if bound is None else "yes" if keeps(step, bound) else "no"
    return (
        figures(step.rate),
        percentile_words(step.p50),
        percentile_words(step.p95),
        percentile_words(step.p99),
        ABSENT if step.mean_s is None else seconds(step.mean_s),
        ABSENT if step.waiting_s is None else seconds(step.waiting_s),
        f"{step.busy:.0%}",
        f"{step.answered:,} of {step.due:,}",
        within,
    )


def start_line(study: LoadStudy) -> str:
    """The first query and a warm one; "" where neither was measured."""
    parts = []
    if study.cold is not None:
        parts.append(
            f"First query {seconds(study.cold.total_s)}, of it "
            f"{seconds(study.cold.load_s)} loading and {seconds(study.cold.build_s)} building"
        )
    if study.warm is not None:
        parts.append(f"a warm query alone {seconds(study.warm.seconds)}")
    line = "; ".join(parts)
    return f"{line[:1].upper()}{line[1:]}." if line else ""


def throughput_lines(study: LoadStudy) -> list[str]:
    """What gets done without a pause, a line for each way it was measured."""
    lines = []
    for one in study.saturated:
        who = counted(one.workers, "worker")
        if one.threads is not None:
            who += f", models on {counted(one.threads, 'thread')}"
        line = f"{who}: {rate_words(one.queries_per_s)}, {one.documents_per_s:,.0f} documents"
        lines.append(line + (f", {one.tokens_per_s:,.0f} tokens" if one.tokens_per_s else ""))
    return lines


def machine_line(machine: Machine) -> str:
    """`AMD EPYC, 2 cores, no GPU; load average 1.8 before it began`."""
    gpu = machine.gpu or "no GPU"
    name = machine.processor or "an unnamed processor"
    line = f"{name}, {counted(machine.cores, 'core')}, {gpu}"
    return line if machine.load is None else f"{line}; load average {machine.load:.1f} beforehand"


def conditions_line(study: LoadStudy) -> str:
    """How it was measured, in one line."""
    how = "at random moments (Poisson)" if study.arrivals == "poisson" else "at equal distances"
    return (
        f"{study.seconds:g} s a rate or longer, queries due {how}, "
        f"{counted(study.workers, 'worker')}, seed {study.seed}; latency from the moment a "
        "query is due, the first tenth left out."
    )


def load_notes(study: LoadStudy) -> list[str]:
    """What a reader must know before trusting the numbers."""
    notes = []
    machine = study.machine
    if machine.load is not None and machine.load > 0.5 * machine.cores:
        notes.append(
            f"The machine was busy with other work ({machine.load:.1f} processes on "
            f"{counted(machine.cores, 'core')}): on a quiet one it is faster."
        )
    late = [step.late_s for step in study.steps if step.late_s is not None]
    if late and max(late) > 0.01:
        notes.append(f"A free worker began up to {seconds(max(late))} late: that is in the times.")
    unsure = any(step.p95 is not None and step.p95.low is None for step in study.steps)
    if unsure:
        notes.append(
            "Where there is no interval, fewer than 20 queries were answered or some were given "
            "up. Such a rate is not taken to keep the bound."
        )
    failed = sum(step.failed for step in study.steps)
    if failed:
        reasons = "; ".join(study.errors)
        notes.append(f"{counted(failed, 'query', 'queries')} failed and have no time: {reasons}")
    return notes


def newest_by_pipeline(studies: Sequence[LoadStudy]) -> dict[str, LoadStudy]:
    """The newest study of each pipeline; `studies` are newest first."""
    newest: dict[str, LoadStudy] = {}
    for study in studies:
        newest.setdefault(study.pipeline, study)
    return newest
