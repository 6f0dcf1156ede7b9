"""The Compare page as values: columns, cards, verdict. Every number on the screen comes from here.

view = compare(Topic(query, corpus), [PipelineOutcome(spec, result), ...], CompareOptions())
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Document, Ranking, Spans, Status, Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.measures import ceiling, query_measures
from rerank_lab.pipeline.results import Result
from rerank_lab.views.answers import fault_words, manner_words
from rerank_lab.views.formatting import counted
from rerank_lab.views.hosted import facts_line
from rerank_lab.views.judging import JudgedTop, judging_caveat
from rerank_lab.views.labels import last_stages, short_labels
from rerank_lab.views.rank_changes import Movement, moves, stage_ranking
from rerank_lab.views.text import Rarity, Segment, marker, shorten
from rerank_lab.views.topic import Topic

MEASURE = "nDCG@10"
JUDGED_DEPTH = 10
"""So many first documents `MEASURE` looks at."""
_TITLE_CHARS = 140


@dataclass(frozen=True, slots=True)
class PipelineOutcome:
    """What is known of one pipeline now: a result, an error, or what it is doing."""

    spec: PipelineSpec
    result: Result | None = None
    error: LabError | None = None
    doing: str = ""
    done: int = 0
    total: int = 0
    elapsed_s: float = 0.0

    @property
    def waiting(self) -> bool:
        """Whether no result and no error is there yet."""
        return self.result is None and self.error is None

    @property
    def ranking(self) -> Ranking | None:
        """The final ranking, when there is one."""
        return self.result.ranking if self.result else None

    @property
    def failure(self) -> LabError | None:
        """What went wrong, when something did."""
        return self.error or (self.result.error if self.result else None)


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """`show` cards a column; `pin` is a document followed everywhere.

    `rarity` tells how rare words are in the corpus; None while its index is not ready.
    """

    show: int = 10
    pin: str = ""
    rarity: Rarity | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """One document in one column. `movement` is None for a pipeline without a reranker."""

    doc_id: str
    rank: int
    movement: Movement | None
    title: str
    snippet: tuple[Segment, ...]
    grade: int | None
    score: float | None
    scale: str
    passage: str
    pinned: bool


@dataclass(frozen=True, slots=True)
class Quality:
    """Judged measures of one ranking; None where nothing is judged.

    `ceiling` is the best nDCG@10 that any order of these candidates could reach; `headroom` what
    is still missing to it. `judged` counts the judged among the first 10 (or fewer) documents.
    """

    ndcg: float | None
    ceiling: float | None
    rr: float | None
    judged: int
    of: int

    @property
    def headroom(self) -> float | None:
        """How much a perfect order of the same candidates would add; None without a ceiling."""
        return None if self.ndcg is None or self.ceiling is None else self.ceiling - self.ndcg


@dataclass(frozen=True, slots=True)
class CompareColumn:
    """One pipeline. Exactly one of waiting, failure and cards has something to show."""

    spec: PipelineSpec
    label: str
    outcome: PipelineOutcome
    status: Status | None
    failure: LabError | None
    cards: tuple[Card, ...]
    quality: Quality | None
    trace: Trace
    cached: bool
    warnings: tuple[str, ...]
    candidates: int
    calls: str = ""
    """What calls to providers took, and how many passages were scored, in words."""

    @property
    def waiting(self) -> bool:
        """Whether no result and no error is there yet."""
        return self.outcome.waiting

    @property
    def scale(self) -> str:
        """What the scores shown are."""
        ranking = self.outcome.ranking
        return ranking.scale if ranking else ""


@dataclass(frozen=True, slots=True)
class CompareView:
    """Everything above the tabs of the Compare page."""

    topic: Topic
    columns: tuple[CompareColumn, ...]
    verdict: str
    judged: bool

    @property
    def pending(self) -> bool:
        """Whether some pipeline is still at work."""
        return any(column.waiting for column in self.columns)

    @property
    def ready(self) -> tuple[CompareColumn, ...]:
        """The columns that have a result."""
        return tuple(column for column in self.columns if column.outcome.ranking is not None)


def compare(
    topic: Topic, outcomes: Sequence[PipelineOutcome], options: CompareOptions
) -> CompareView:
    """The view of what is known so far; call it again when more is known."""
    labels = short_labels([outcome.spec for outcome in outcomes])
    columns = tuple(column(topic, o, labels[o.spec], options) for o in outcomes)
    judged = bool(topic.grades)
    return CompareView(topic, columns, verdict(topic, columns), judged)


def column(
    topic: Topic, outcome: PipelineOutcome, label: str, options: CompareOptions
) -> CompareColumn:
    """One pipeline's column."""
    result, ranking = outcome.result, outcome.ranking
    return CompareColumn(
        spec=outcome.spec,
        label=label,
        outcome=outcome,
        status=result.status if result else None,
        failure=outcome.failure,
        cards=_cards(topic, result, options) if result else (),
        quality=quality(topic.grades, ranking) if ranking is not None else None,
        trace=result.trace if result else Trace(),
        cached=bool(result and result.status is Status.CACHED),
        warnings=_warnings(result) if result else (),
        candidates=len(ranking) if ranking is not None else 0,
        calls=_calls(result) if result else "",
    )


def quality(grades: Mapping[str, int], ranking: Ranking) -> Quality:
    """The judged measures of a ranking that holds all candidates."""
    head = ranking.doc_ids[:JUDGED_DEPTH]
    judged = sum(doc_id in grades for doc_id in head)
    if not grades:
        return Quality(None, None, None, 0, len(head))
    values = query_measures(grades, ranking, [MEASURE, "RR@10"])
    best = ceiling(grades, ranking.doc_ids, MEASURE)
    return Quality(values[MEASURE], best, values["RR@10"], judged, len(head))


def verdict(topic: Topic, columns: Sequence[CompareColumn]) -> str:
    """One sentence about the pipeline that changes most for the better, or "" when none is ready.

    With judgments that is the one with the best nDCG@10, without them the first that reranks.
    """
    ready = [c for c in columns if c.outcome.ranking is not None]
    if not ready:
        return ""
    reranking = [c for c in ready if c.outcome.result and len(c.outcome.result.stages) > 1]
    best = max(reranking or ready, key=_worth)
    name = last_stages([c.spec for c in columns])[best.spec]
    if not best.candidates:
        if not reranking:
            return f"{name} found no document."
        if best.outcome.result is not None and _cut_off(best.outcome.result):
            return f"{name} left nothing: no document scored high enough for this query."
        return f"The first stage found no document, so there is nothing for {name} to rerank."
    alone = _first_stage_alone(ready, best)
    parts = [f"{name} {_moved(best, topic)}" if reranking else f"{name} is a first stage"]
    if topic.grades:
        ranks = _best_answer_ranks(best, topic)
        parts.append(_best_answer(ranks, moved=bool(reranking)))
        parts += _measured(best, alone, ranks if reranking else None)
    sentence = "; ".join(parts) + "."
    if alone is not None and (caveat := _judging(best, name, alone)):
        sentence += f" {caveat}"
    left = best.quality.headroom if best.quality else None
    if left is not None:
        what = "Headroom left" if reranking else "Headroom for a reranker"
        sentence += f" {what}: {left:.2f} {MEASURE}."
    elif not topic.grades:
        sentence += " This query is not judged, so nothing says which order is better."
    return sentence


def _worth(column: CompareColumn) -> tuple[bool, float]:
    """A pipeline that found documents before one that found none, then by nDCG@10."""
    return column.candidates > 0, (column.quality and column.quality.ndcg) or 0.0


def _first_stage_alone(ready: Sequence[CompareColumn], best: CompareColumn) -> CompareColumn | None:
    """The column of the first stage by itself, when it is on screen too."""
    assert best.outcome.result is not None
    source = str(best.outcome.result.stages[0].node)
    of_source = (c for c in ready if c.outcome.result and c.outcome.result.spec == source)
    alone = next(of_source, None)
    return None if alone is best else alone


def _judging(best: CompareColumn, name: str, alone: CompareColumn) -> str:
    """A word of caution where the two are judged unevenly and their measures differ."""
    if best.quality is None or alone.quality is None:
        return ""
    before, after = alone.quality.ndcg, best.quality.ndcg
    if before is None or after is None or before == after:
        return ""
    tops = [
        JudgedTop(label, 1 - quality.judged / quality.of if quality.of else None, quality.of)
        for label, quality in ((name, best.quality), (alone.label, alone.quality))
    ]
    return judging_caveat(*(tops if after > before else reversed(tops)))


def _measured(
    best: CompareColumn, alone: CompareColumn | None, ranks: tuple[int | None, int] | None
) -> list[str]:
    """`nDCG@10 0.21 → 0.67`, when the first stage by itself is on screen too.

    `ranks` are those of the best answer; where the measure goes the other way, that is said.
    """
    if alone is None or alone.quality is None or best.quality is None:
        return []
    before, after = alone.quality.ndcg, best.quality.ndcg
    if before is None or after is None:
        return []
    way = f"{MEASURE} {before:.2f} → {after:.2f}"
    old_rank, new_rank = ranks or (None, 0)
    fell = 0 if old_rank is None else new_rank - old_rank
    return [f"yet {way}" if fell * (after - before) > 0 else way]


def _moved(column: CompareColumn, topic: Topic) -> str:
    assert column.outcome.result is not None
    head = moves(column.outcome.result, topic.corpus)[:10]
    moved = sum(move.up != 0 for move in head)
    return f"moves {moved} of the top {len(head)}"


def _best_answer_ranks(column: CompareColumn, topic: Topic) -> tuple[int | None, int] | None:
    """Rank before (None: not at hand) and after of the best answer that now stands highest.

    Both are those of one document. None when no best answer is ranked.
    """
    assert column.outcome.result is not None
    top = max(topic.grades.values())
    relevant_moves = [
        move
        for move in moves(column.outcome.result, topic.corpus)
        if topic.grades.get(move.doc_id, -1) == top
    ]
    ranked = [(move.after, move.before) for move in relevant_moves if move.after]
    if top <= 0 or not ranked:
        return None
    after, before = min(ranked, key=lambda ranks: ranks[0])
    return before, after


def _best_answer(ranks: tuple[int | None, int] | None, *, moved: bool) -> str:
    if ranks is None:
        return "the best judged answer is not among its candidates"
    before, after = ranks
    if not moved or before is None or before == after:
        return f"the best judged answer {'stays' if moved else 'is'} at {after}"
    return f"the best judged answer {'rises' if after < before else 'falls'} {before} → {after}"


def _cards(topic: Topic, result: Result, options: CompareOptions) -> tuple[Card, ...]:
    if result.ranking is None:
        return ()
    reranks = len(result.stages) > 1
    movements = moves(result, topic.corpus)
    mark = marker(topic.query.text, topic.language)
    spans = result.trace.relevant_spans
    cards = []
    for hit, move in list(zip(result.ranking.hits, movements, strict=True))[: options.show]:
        document = shown_document(topic.corpus, result, hit.doc_id)
        cards.append(
            Card(
                doc_id=hit.doc_id,
                rank=hit.rank,
                movement=move if reranks else None,
                # Not the beginning of the text, which stands right below.
                title=shorten(document.title, _TITLE_CHARS) or hit.doc_id,
                snippet=mark.snippet(
                    document.text, relevant=_in_text(spans, document), rarity=options.rarity
                ),
                grade=topic.grades.get(hit.doc_id),
                score=hit.score,
                scale=result.ranking.scale,
                passage=document.id if document.parent else "",
                pinned=hit.doc_id == options.pin,
            )
        )
    return tuple(cards)


def _in_text(spans_by_unit: Mapping[str, Spans], document: Document) -> Spans:
    """What models call relevant in a document, in characters of its text, which follows a title."""
    lead = len(document.content) - len(document.text)
    spans = spans_by_unit.get(document.id, ())
    return tuple((max(0, start - lead), end - lead) for start, end in spans if end > lead)


def shown_document(corpus: Corpus, result: Result | None, doc_id: str) -> Document:
    """The document of that id, or the passage that earned it its place."""
    unit = result.passages.get(doc_id, doc_id) if result else doc_id
    return corpus.document(unit)


def title_of(document: Document) -> str:
    """The title, or the beginning of the text, or the id: never empty."""
    title = shorten(document.title, _TITLE_CHARS)
    return title or shorten(document.text, 70) or document.id


def _calls(result: Result) -> str:
    counts = result.trace.counts
    passages, documents = int(counts.get("passages", 0)), int(counts.get("long_documents", 0))
    read = f"{counted(passages, 'passage')} of {counted(documents, 'long document')} scored"
    marked = len(result.trace.relevant_spans)
    underlined = f"relevant parts of {counted(marked, 'document')} underlined" if marked else ""
    lines = (facts_line(result), read if passages else "", manner_words(counts), underlined)
    return "; ".join(line for line in lines if line)


def _cut_off(result: Result) -> bool:
    """Whether the first stage of an empty result had found something: a threshold took it away."""
    return bool(result.stages[0].ranking)


def _warnings(result: Result) -> tuple[str, ...]:
    trace = result.trace
    warnings = list(trace.warnings)
    warnings += [cut.sentence for cut in result.cut_texts]
    if trace.repairs:
        warnings.append(f"{counted(trace.repairs, 'repair')} of the model's answers")
    warnings += [words for words in (fault_words(trace.counts),) if words]
    if result.status is Status.FALLBACK:
        warnings.append("the model did not answer; this is the order of the stage before")
    if result.ranking is not None and not len(result.ranking):
        cut_off = _cut_off(result)
        warnings.append("no document scored high enough" if cut_off else "no document matches")
    return tuple(dict.fromkeys(warnings))


def first_stage(result: Result, corpus: Corpus) -> Ranking | None:
    """The ranking that the rerankers of this pipeline were given."""
    return stage_ranking(result.stages[0], corpus)
