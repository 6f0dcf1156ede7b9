"""A load study in words."""

from __future__ import annotations

from dataclasses import replace

from rerank_lab.charts.figures import DARK
from rerank_lab.charts.load import rate_chart, spread_chart
from rerank_lab.evaluation.load.study import ColdStart, LoadStep, LoadStudy, Machine, Percentile
from rerank_lab.views.formatting import figures
from rerank_lab.views.load import (
    HEADINGS,
    load_notes,
    load_sentence,
    machine_line,
    rate_words,
    start_line,
    step_rows,
)
from tests.charts.validated import validated


def step(rate: float, p95: float, *, unfinished: int = 0, low: float | None = 0.2) -> LoadStep:
    high = None if low is None else 2 * p95
    latency = Percentile(p95, low, high, at_least=unfinished > 0)
    return LoadStep(
        rate, 20.0, 100, 100 - unfinished, 0, unfinished, 10, 0.1, Percentile(0.12), latency,
        latency, 0.02, 0.6, 0.0002, rate, 50 * rate, 0.0, tuple(n / 100 for n in range(101)),
    )  # fmt: skip


STUDY = LoadStudy(
    "bm25", "small", 5.0, 20.0, 2, "poisson", 0, (step(5.0, 0.25), step(8.5, 0.4)),
    cold=ColdStart(3.0, 2.5, 0.1), warm=Percentile(0.11), bound=0.3, sustained=5.0, broken=8.5,
    machine=Machine("Some processor", 2, 0.3),
)  # fmt: skip


def test_the_sentence_gives_latency_at_the_rate_and_the_largest_load() -> None:
    assert load_sentence(STUDY) == (
        "At 5 queries a second, half of the answers come within 0.12 s and 95 % within 0.25 s "
        "[0.20 s, 0.50 s]. p95 stays within 0.30 s up to 5 queries a second; at 8.5 it no longer "
        "does."
    )
    assert load_sentence(replace(STUDY, bound=None)).endswith("[0.20 s, 0.50 s].")
    assert "the most tried" in load_sentence(replace(STUDY, broken=None))
    assert "No rate" in load_sentence(replace(STUDY, sustained=None))
    drowned = replace(STUDY, steps=(step(5.0, 0.9, unfinished=40),), sustained=None)
    assert "does not keep up" in load_sentence(drowned)
    assert step_rows(drowned)[0][2] == "more than 0.90 s"


def test_no_rate_is_written_as_a_power_of_ten() -> None:
    assert rate_words(1440.0) == "1,440 queries a second"
    assert rate_words(0.25) == "0.25 queries a second"
    assert figures(12_345.6, 4) == "12,346"


def test_rows_say_for_each_rate_whether_it_keeps_the_bound() -> None:
    rows = step_rows(STUDY)
    assert [row[-1] for row in rows] == ["yes", "no"]
    assert all(len(row) == len(HEADINGS) for row in rows)
    assert start_line(STUDY).startswith("First query 3.00 s, of it 2.50 s loading")


def test_what_makes_the_numbers_doubtful_is_said() -> None:
    assert load_notes(STUDY) == []
    busy = replace(STUDY, machine=Machine("", 2, 7.5), steps=(step(5.0, 0.2, low=None),))
    notes = " ".join(load_notes(busy))
    assert "busy with other work (7.5" in notes
    assert "fewer than 20 queries" in notes
    assert "no GPU" in machine_line(busy.machine)


def test_the_charts_hold_the_bound_and_every_rate() -> None:
    figure = validated(rate_chart(STUDY, DARK))
    assert [list(trace.x) for trace in figure.data] == [[5.0, 8.5]] * 3
    assert figure.layout.shapes[0].y0 == 0.3
    assert len(validated(spread_chart(STUDY, DARK)).data[0].x) == 101
