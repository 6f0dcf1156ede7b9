"""What each model read of one document: the text with the parts that it never saw, and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rerank_lab.components.base import Kind
from rerank_lab.components.registry import expand, source_kind
from rerank_lab.core.errors import LabError
from rerank_lab.core.input_coverage import InputCoverage
from rerank_lab.core.spec import Node
from rerank_lab.core.types import Document, Ranking, Span, Spans
from rerank_lab.pipeline.results import StageResult
from rerank_lab.rerankers.long_documents import FIRST, HEAD, MEAN
from rerank_lab.views.compare import CompareColumn
from rerank_lab.views.formatting import counted
from rerank_lab.views.labels import stage_label
from rerank_lab.views.text import Marker, Segment, divided, with_relevant

_DEPTHS = ("top", "k")
"""Options that say how many documents are read, not how."""
CoverageLookup = Callable[[Node, Document], InputCoverage | None]
"""What the model of a stage read of a document, for the query on screen; None if not known."""


@dataclass(frozen=True, slots=True)
class Read:
    """One model that did not read the document in one piece or not all of it, or marked parts.

    `sentences` say so, `shaded` holds by unit id the spans that it did not read and the
    one that decided, in characters of the unit's text. `beyond` are passages that decided and lie
    behind what is shown of the text, each with its place in words. `relevant` holds by unit id
    what it calls relevant.
    """

    label: str
    sentences: tuple[str, ...]
    shaded: tuple[tuple[str, tuple[Span, ...], Span | None], ...]
    beyond: tuple[tuple[str, tuple[Segment, ...]], ...] = ()
    relevant: tuple[tuple[str, Spans], ...] = ()

    def shade(self, unit_id: str, segments: Sequence[Segment]) -> tuple[Segment, ...]:
        """The segments of a unit's text, with what was unread and what decided marked as such."""
        segments = with_relevant(segments, dict(self.relevant).get(unit_id, ()))
        for shaded_id, unread, decided in self.shaded:
            if shaded_id == unit_id:
                return shaded(segments, unread, decided)
        return segments

    def with_beyond(self, units: Sequence[Document], visible: int, mark: Marker) -> Read:
        """With what decided behind the first `visible` characters of all units together."""
        passages = []
        for unit in units:
            decided = next((span for key, _, span in self.shaded if key == unit.id), None)
            if decided is not None and decided[0] >= visible:
                parts = mark.segments(unit.text[slice(*decided)])
                place = f"{unit.id}, {_range(decided)}" if unit.parent else _range(decided)
                passages.append((place, shaded(parts, (), (0, decided[1] - decided[0]))))
            visible = max(0, visible - len(unit.text))
        return replace(self, beyond=tuple(passages))


def reads(
    columns: Sequence[CompareColumn], units: Sequence[Document], coverage_of: CoverageLookup
) -> list[Read]:
    """One `Read` for each model on screen that cut one of these units or marked parts of it.

    First stages that embed documents come first, then rerankers.
    """
    ids_by_model: dict[str, tuple[Node, Kind, set[str]]] = {}
    marked: dict[str, dict[str, Spans]] = {}
    for column in columns:
        for stage, kind in _models(column):
            options = tuple(p for p in stage.node.options if p[0] not in _DEPTHS)
            node = Node(stage.node.name, options)
            *_, ids = ids_by_model.setdefault(str(node), (node, kind, set()))
            ids |= _scored(stage, units)
            marked.setdefault(str(node), {}).update(stage.trace.relevant_spans)
    labels = [stage_label(node, kind) for node, kind, _ in ids_by_model.values()]
    read_units = []
    for (node, _, ids), label in zip(ids_by_model.values(), labels, strict=True):
        scored_units = [unit for unit in units if unit.id in ids]
        coverages = [
            (unit, coverage)
            for unit in scored_units
            if (coverage := coverage_of(node, unit)) is not None
        ]
        coverages = [
            (unit, coverage)
            for unit, coverage in coverages
            if not coverage.whole or coverage.passages
        ]
        relevant = _relevant(scored_units, marked[str(node)])
        if coverages or relevant:
            name = str(node) if labels.count(label) > 1 else label
            read_units.append(_read(name, policy_of(node), coverages, relevant))
    return read_units


def policy_of(node: Node) -> str:
    """What the reranker of a node does with long documents."""
    try:
        return str(expand(node, "reranker")[1].get("long", HEAD))
    except LabError:
        return HEAD


def shaded(
    segments: Sequence[Segment], unread: Sequence[Span], decided: Span | None
) -> tuple[Segment, ...]:
    """Segments cut where these spans begin and end. Joined, they are the same text."""
    edges = (edge for span in (*unread, *([decided] if decided else [])) for edge in span)
    return tuple(
        replace(
            piece,
            unread=any(start <= at < end for start, end in unread),
            decided=decided is not None and decided[0] <= at < decided[1],
        )
        for at, piece in divided(segments, edges)
    )


def _models(column: CompareColumn) -> Iterator[tuple[StageResult, Kind]]:
    """The stages that read documents, and their kinds: rerankers, and first stages that embed."""
    stages = column.outcome.result.stages if column.outcome.result else ()
    for place, stage in enumerate(stages):
        if not stage.node.sources and (place or _embeds(stage.node)):
            yield stage, "reranker" if place else "retriever"
        for part in stage.parts:
            kind = source_kind(part.node)
            if kind == "reranker" or (kind == "retriever" and _embeds(part.node)):
                yield part, kind


def _embeds(node: Node) -> bool:
    """Whether a first stage has a model of its own."""
    try:
        return bool(expand(node, "retriever")[1].get("model"))
    except LabError:
        return False


def _scored(stage: StageResult, units: Sequence[Document]) -> set[str]:
    """The units that were handed to the reranker, and not left below its `top`."""
    ranking = stage.ranking
    if ranking is None:
        return set()
    wanted = {unit.id for unit in units}
    top = _top(stage.node, ranking)
    handed = (hit for hit in ranking if hit.score is not None or hit.rank <= top)
    return {hit.doc_id for hit in handed if hit.doc_id in wanted}


def _top(node: Node, ranking: Ranking) -> int:
    if ranking.scale != "order":
        return 0
    try:
        return int(expand(node, "reranker")[1].get("top", len(ranking)))
    except LabError:
        return 0


def _relevant(
    units: Sequence[Document], spans_by_unit: Mapping[str, Spans]
) -> tuple[tuple[str, Spans], ...]:
    """By unit id, the relevant spans in characters of the unit's text."""
    return tuple(
        (unit.id, spans)
        for unit in units
        if (spans := _moved(spans_by_unit.get(unit.id, ()), len(unit.content) - len(unit.text)))
    )


def _read(
    label: str,
    policy: str,
    coverages: Sequence[tuple[Document, InputCoverage]],
    relevant: tuple[tuple[str, Spans], ...],
) -> Read:
    sentences, parts = [], []
    for unit, coverage in coverages:
        # Models read the title before the text; here it stands above it.
        lead = len(unit.content) - len(unit.text)
        spans = _moved(coverage.spans, lead)
        passages = _moved(coverage.passages, lead)
        decided = passages[coverage.decided] if coverage.decided is not None else None
        unread = _gaps(spans, len(unit.text))
        where = f"{unit.id}: " if unit.parent else ""
        sentences.append(where + _sentence(policy, coverage, spans, decided, len(unit.text)))
        parts.append((unit.id, unread, decided))
    count = sum(len(spans) for _, spans in relevant)
    if count:
        sentences.append(f"calls {counted(count, 'part')} of the text relevant: underlined here.")
    return Read(label, tuple(sentences), tuple(parts), relevant=relevant)


def _sentence(
    policy: str, coverage: InputCoverage, spans: Sequence[Span], decided: Span | None, length: int
) -> str:
    count = len(coverage.passages)
    about = "by an estimate, for its tokenizer is not here" if coverage.estimated else ""
    if count > 1 or (count and coverage.whole):
        each = f"read whole, in {count} passages{', ' + about if about else ''}"
        if policy == MEAN:
            return f"{each}; the mean of their scores counts."
        if decided is None or coverage.decided is None:
            return f"{each}; the best score of them counts."
        return (
            f"{each}; the marked one, number {coverage.decided + 1} ({_range(decided)}), decided."
        )
    part = "the first passage only, " if policy == FIRST and count else ""
    share = sum(end - start for start, end in spans) / max(1, length)
    ranges = " and ".join(_range(span) for span in spans) or "nothing of the text"
    sentence = (
        f"read {part}{ranges} of {length:,} ({share:.0%}). The grey part never reached the model"
    )
    return f"{sentence}, {about}." if about else f"{sentence}."


def _range(span: Span) -> str:
    return f"characters {span[0] + 1:,}–{span[1]:,}"


def _moved(spans: Sequence[Span], lead: int) -> tuple[Span, ...]:
    return tuple((max(0, a - lead), b - lead) for a, b in spans if b > lead)


def _gaps(spans: Sequence[Span], length: int) -> tuple[Span, ...]:
    edges = [0, *(edge for span in spans for edge in span), length]
    return tuple((a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a)
