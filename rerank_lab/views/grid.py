"""First stages by rerankers in words: which pairs add up, where the first stage is the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.evaluation.grid.study import GridPair, GridStudy
from rerank_lab.views.evaluate import pipeline_labels
from rerank_lab.views.formatting import counted
from rerank_lab.views.labels import fraction, seconds
from rerank_lab.views.results_table import p_words, signed

ALONE = "alone"
"""What stands above the column of first stages without a reranker."""


@dataclass(frozen=True, slots=True)
class GridCell:
    """One pair as it is drawn: `words` has the value, `detail` all that is known of it."""

    value: float | None
    p95: float | None
    words: str
    detail: str


@dataclass(frozen=True, slots=True)
class GridView:
    """What a grid says.

    Attributes:
        answer: the best pair, then a sentence for each first stage.
        rows, columns: names of first stages and of rerankers, "alone" first.
        cells: by row and column.
        notes: how to read it.
        problems: pairs without a value, and why.
    """

    answer: tuple[str, ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[GridCell, ...], ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]


def grid_view(study: GridStudy) -> GridView:
    """The grid in words. First stages are named without the depth that all of them share."""
    named = {text: text for text in study.rerankers}
    named |= pipeline_labels(study.first_stages)[0]
    columns = ("", *study.rerankers)
    answers = [_best(study, named), *(_of_first(study, one, named) for one in study.first_stages)]
    return GridView(
        tuple(answer for answer in answers if answer),
        tuple(named[one] for one in study.first_stages),
        tuple(named[one] if one else ALONE for one in columns),
        tuple(
            tuple(_cell(study, first, reranker) for reranker in columns)
            for first in study.first_stages
        ),
        _notes(study, named),
        tuple(f"{spec}: {reason}" for spec, reason in study.problems.items()),
    )


def _pair_name(pair: GridPair, named: Mapping[str, str]) -> str:
    first = named[pair.first]
    return f"{first} >> {named[pair.reranker]}" if pair.reranker else f"{first} alone"


def _best(study: GridStudy, named: Mapping[str, str]) -> str:
    by_spec = {pair.pipeline: pair for pair in study.pairs}
    if not study.best:
        return "No pair answered."
    best, *others = (by_spec[spec] for spec in study.best)
    words = f"Best: {_pair_name(best, named)}, {study.measure} {fraction(best.value)}."
    if others:
        alike = ", ".join(_pair_name(pair, named) for pair in others[:4])
        more = f" and {len(others) - 4} more" if len(others) > 4 else ""
        words += f" Not shown to be worse: {alike}{more}."
    return words


def _of_first(study: GridStudy, first: str, named: Mapping[str, str]) -> str:
    """What reranking adds to a first stage, and what limits the best pair."""
    pairs = [pair for pair in study.pairs if pair.first == first and pair.reranker]
    ceiling = study.ceiling(first)
    if not pairs or ceiling is None:
        return ""
    adding = [pair for pair in pairs if pair.adds_up]
    harming = [pair for pair in pairs if pair.harms]
    parts = []
    if adding:
        gains = ", ".join(f"{named[one.reranker]} {_gain(one)}" for one in adding)
        parts.append(f"it adds up with {gains}")
    if harming:
        losses = ", ".join(f"{named[one.reranker]} {_gain(one)}" for one in harming)
        parts.append(f"it loses with {losses}")
    rest = [pair for pair in pairs if pair not in adding and pair not in harming]
    if rest:
        parts.append(f"no change is shown with {', '.join(named[one.reranker] for one in rest)}")
    best = max(pairs, key=lambda pair: pair.value)
    missed, order = study.ideal - ceiling.oracle, ceiling.oracle - best.value
    if study.limited_by_first_stage(best):
        limit = (
            f"The first stage is the bottleneck: what it misses costs {missed:.3f}, "
            f"the order of the best pair {order:.3f}."
        )
    else:
        limit = (
            f"The order is the limit: {order:.3f} could be gained with these candidates, "
            f"{missed:.3f} with a better first stage."
        )
    return f"{named[first]}: {'; '.join(parts)}. {limit}"


def _gain(pair: GridPair) -> str:
    if pair.gain is None:
        return ""
    return f"({signed(pair.gain.difference)}, {p_words(pair.gain.p_holm)})"


def _cell(study: GridStudy, first: str, reranker: str) -> GridCell:
    pair = study.pair(first, reranker)
    if pair is None:
        return GridCell(None, None, "–", "no value")
    details = []
    if pair.low is not None and pair.high is not None:
        details.append(f"95 % interval {pair.low:.3f} to {pair.high:.3f}")
    if pair.gain is not None:
        details.append(f"{signed(pair.gain.difference)} to {ALONE} ({p_words(pair.gain.p_holm)})")
    details.append("p95 not timed" if pair.p95 is None else f"p95 {seconds(pair.p95)}")
    if pair.reranker and study.limited_by_first_stage(pair):
        details.append("limited by the first stage")
    mark = "↑" if pair.adds_up else "↓" if pair.harms else ""
    return GridCell(
        pair.value, pair.p95, f"{fraction(pair.value)} {mark}".rstrip(), "; ".join(details)
    )


def _notes(study: GridStudy, named: Mapping[str, str]) -> tuple[str, ...]:
    ceilings = "; ".join(_ceiling(study, first, named[first]) for first in study.first_stages)
    return (
        f"Over {counted(study.queries, 'judged query', 'judged queries')} that every pair "
        "answered. ↑ and ↓: shown to be better or worse than the first stage alone "
        "(randomisation test, Holm-corrected over the grid).",
        f"Ceilings: {ceilings}.",
    )


def _ceiling(study: GridStudy, first: str, name: str) -> str:
    ceiling = study.ceiling(first)
    if ceiling is None:
        return f"{name} answered nothing"
    return (
        f"{name} finds {ceiling.recall:.0%} of the relevant documents, in best order "
        f"{fraction(ceiling.oracle)}"
    )


def grid_rows(view: GridView) -> Sequence[Sequence[str]]:
    """The grid as rows of text, headings first."""
    heads = ["first stage", *view.columns]
    lines = zip(view.rows, view.cells, strict=True)
    return [heads, *([row, *(cell.words for cell in cells)] for row, cells in lines)]
