"""The bump chart as values: which documents are drawn, where, and in which colour class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Ranking
from rerank_lab.pipeline.results import Result
from rerank_lab.views.compare import CompareColumn, CompareView, first_stage, title_of
from rerank_lab.views.labels import stage_label
from rerank_lab.views.rank_changes import Movement, moves
from rerank_lab.views.topic import Topic

MAX_LINES = 40


@dataclass(frozen=True, slots=True)
class Axis:
    """One upright of the chart. `spec` is None for a first stage that is no pipeline itself."""

    spec: PipelineSpec | None
    label: str
    depth: int


@dataclass(frozen=True, slots=True)
class BumpLine:
    """One document. `places` are its ranks by axis, as cards show them; None if absent.

    `key` is what decides its colour: `grade:0` to `grade:3`, `unjudged`, or without judgments
    `up`, `down`, `still`. `movement` is what its card in the last axis' column says: against that
    pipeline's own first stage, which need not be the first axis; None where no card says any.
    """

    doc_id: str
    title: str
    places: tuple[int | None, ...]
    key: str
    grade: int | None
    pinned: bool
    movement: Movement | None = None


@dataclass(frozen=True, slots=True)
class Bump:
    """`k` is the rank to cross; `left_out` counts documents in some top k that never cross it."""

    axes: tuple[Axis, ...]
    lines: tuple[BumpLine, ...]
    k: int
    left_out: int
    judged: bool

    @property
    def lowest(self) -> int:
        """The largest rank that is drawn."""
        places = [place for line in self.lines for place in line.places if place is not None]
        return max([*places, min(self.k, max((axis.depth for axis in self.axes), default=1))])

    @property
    def left_out_words(self) -> str:
        """Which documents are not drawn."""
        return (
            f"Off: only documents that cross rank {self.k} or are judged relevant; "
            f"{self.left_out} more are in some top {self.k}."
        )

    def nothing_crosses(self, *, so_far: bool) -> str:
        """Why there are no lines; `so_far` while pipelines are still at work."""
        if so_far:
            return f"No document crosses rank {self.k} so far."
        return f"No document crosses rank {self.k}: all pipelines show the same ones."


def bump(view: CompareView, *, k: int = 10, pin: str = "", everything: bool = False) -> Bump | None:
    """Documents that cross rank `k` between the axes, those judged relevant (grade 2 or more) and
    the pinned one; None with fewer than two axes.

    The first axis is the first stage of the first pipeline that reranks (or the first pipeline).
    With `everything`, all documents of any top k are drawn.
    """
    axes, rankings = _axes(view)
    if len(axes) < 2:
        return None
    places = [ranking.ranks for ranking in rankings]
    in_some_top = dict.fromkeys(d for ranking in rankings for d in ranking.doc_ids[:k])
    heads = [set(ranking.doc_ids[:k]) for ranking in rankings]
    grades = view.topic.grades
    relevant = [d for place in places for d in place if grades.get(d, 0) >= 2]
    crossing = [d for d in in_some_top if not all(d in head for head in heads)]
    chosen = [*relevant, *(in_some_top if everything else crossing)]
    return bump_of(view, chosen, k=k, pin=pin)


def has_chart(specs: Sequence[PipelineSpec]) -> bool:
    """Whether these pipelines will have a chart: with a first stage and something to set beside."""
    return len(specs) > 1 or any(spec.stages for spec in specs)


def bump_of(
    view: CompareView, doc_ids: Sequence[str], *, k: int = 10, pin: str = ""
) -> Bump | None:
    """These documents, up to MAX_LINES of them, and the pinned one; None with fewer than two axes.

    Documents that no axis has are left out.
    """
    axes, rankings = _axes(view)
    if len(axes) < 2:
        return None
    places = [ranking.ranks for ranking in rankings]
    in_some_top = dict.fromkeys(d for ranking in rankings for d in ranking.doc_ids[:k])
    ranked = [d for d in dict.fromkeys(doc_ids) if any(d in place for place in places)]
    chosen = ranked[:MAX_LINES]
    if pin and pin not in chosen and any(pin in place for place in places):
        chosen.append(pin)
    movements = _movements(view, axes[-1])
    lines = tuple(
        _line(view.topic, d, [place.get(d) for place in places], movements.get(d), d == pin)
        for d in chosen
    )
    return Bump(axes, lines, k, len(in_some_top.keys() - set(chosen)), bool(view.topic.grades))


def _axes(view: CompareView) -> tuple[tuple[Axis, ...], list[Ranking]]:
    ready = view.ready
    if not ready:
        return (), []
    start = next((c for c in ready if len(_result(c).stages) > 1), ready[0])
    source = first_stage(_result(start), view.topic.corpus)
    axes: list[Axis] = []
    rankings: list[Ranking] = []
    node = _result(start).stages[0].node
    first, name = str(node), stage_label(node, "retriever")
    if source is not None:
        own = next((c for c in ready if _result(c).spec == first), None)
        axes.append(Axis(own.spec if own else None, own.label if own else name, len(source)))
        rankings.append(source)
    for column in ready:
        if column.outcome.ranking is not None and column.spec != (axes[0].spec if axes else None):
            axes.append(Axis(column.spec, column.label, len(column.outcome.ranking)))
            rankings.append(column.outcome.ranking)
    return tuple(axes), rankings


def _movements(view: CompareView, axis: Axis) -> dict[str, Movement]:
    """Movement by document in the pipeline of this axis; empty when it does not rerank."""
    result = next((_result(c) for c in view.ready if c.spec == axis.spec), None)
    if result is None or len(result.stages) < 2:
        return {}
    return {move.doc_id: move for move in moves(result, view.topic.corpus)}


def _result(column: CompareColumn) -> Result:
    assert column.outcome.result is not None
    return column.outcome.result


def _line(
    topic: Topic,
    doc_id: str,
    places: Sequence[int | None],
    movement: Movement | None,
    pinned: bool,
) -> BumpLine:
    grade = topic.grades.get(doc_id)
    line = BumpLine(doc_id, _title(topic, doc_id), tuple(places), "", grade, pinned, movement)
    return replace(line, key=_key(topic, line))


def _key(topic: Topic, line: BumpLine) -> str:
    if topic.grades:
        return "unjudged" if line.grade is None else f"grade:{max(0, min(3, line.grade))}"
    first, last = line.places[0], line.places[-1]
    if line.movement is not None:
        first, last = line.movement.before, line.movement.after
    if first == last:
        return "still"
    return "up" if last is not None and (first is None or last < first) else "down"


def _title(topic: Topic, doc_id: str) -> str:
    corpus = topic.corpus
    if doc_id in corpus.by_id:
        return title_of(corpus.by_id[doc_id])
    first = next(iter(corpus.passages_of.get(doc_id, ())), None)
    return title_of(first) if first else doc_id
