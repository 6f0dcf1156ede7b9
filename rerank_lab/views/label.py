"""What the Label page shows, as plain values: the documents of a judge, sentences, the lead's view.

Nothing here tells a judge where a document came from: no pipeline, rank, score or document id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import quote

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document
from rerank_lab.corpora import Corpus
from rerank_lab.corpora.passages import PassageOptions, passage_spans
from rerank_lab.judging.agreement import DisputedPair, JudgeAgreement
from rerank_lab.judging.next_best import Decision
from rerank_lab.judging.records import JudgingOrder, JudgingPair, Judgment, LabelSession
from rerank_lab.judging.sessions import PairKey, SessionProgress, StopReason, key_of
from rerank_lab.services.judgments import ImportedJudgments
from rerank_lab.services.labelling import EffortEstimate
from rerank_lab.views.formatting import counted
from rerank_lab.views.next_best import decision_sentences
from rerank_lab.views.text import Marker, Segment, marker, shorten

LONG_CHARS = 1500
"""Longer documents begin with their best passage."""
_PASSAGE = PassageOptions(max_tokens=220, overlap=0)
_FULL_CHARS = 40_000
_CARDS = 2_000
WAITING = "Other judges have what is left on their screens. This page looks again by itself."
ORDERS = {
    JudgingOrder.QUERY_BY_QUERY: "One query at a time",
    JudgingOrder.NEXT_BEST: "Next best: what could change who wins",
    JudgingOrder.UNCERTAINTY: "What is least certain",
    JudgingOrder.DISAGREEMENT: "What the pipelines disagree on",
}
JsonSegments = list[tuple[str, bool]]


def card_id(query_id: str, doc_id: str) -> str:
    """A name for a pair on the screen, from which nobody learns the document's id."""
    text = f"{query_id}\x00{doc_id}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class LabelCard:
    """One document as its judge sees it.

    `full` is the whole text where `text` is only its best passage; `passage` that passage's id in a
    corpus that was cut. `position` is its place in the judge's queue.
    """

    query_id: str
    doc_id: str
    place: str
    query: str
    title: tuple[Segment, ...]
    text: tuple[Segment, ...]
    full: tuple[Segment, ...] | None
    more: str
    content_hash: str
    passage: str
    position: int

    def to_json(self, answers: Sequence[Judgment] = ()) -> dict[str, Any]:
        """For the browser, with the answers that this judge gave and did not take back."""
        last = answers[-1] if answers else None
        return {
            "id": card_id(self.query_id, self.doc_id),
            "query_id": card_id(self.query_id, ""),
            "place": self.place,
            "query": self.query,
            "title": _json(self.title),
            "text": _json(self.text),
            "full": None if self.full is None else _json(self.full),
            "more": self.more,
            "hash": self.content_hash,
            "passage": self.passage,
            "position": self.position,
            "answers": [{"grade": row.grade, "row": row.row_id} for row in answers],
            "note": last.note if last else "",
        }


class CardDeck:
    """The cards of a session, each made once; the same for all its judges."""

    def __init__(self, labels: LabelSession, corpus: Corpus) -> None:
        self._labels = labels
        self._corpus = corpus
        self._cards: dict[PairKey, LabelCard] = {}

    @cached_property
    def pairs(self) -> dict[str, JudgingPair]:
        """By the name on the screen."""
        return {card_id(*key_of(pair)): pair for pair in self._labels.pairs}

    @cached_property
    def query_ids(self) -> dict[str, str]:
        """By the name on the screen, the ids of queries."""
        return {card_id(query_id, ""): query_id for query_id in self._labels.queries}

    @cached_property
    def places(self) -> dict[str, str]:
        """By query id where a judge is: `Query 3 of 12`, in the order in which they come.

        "Query" alone where the documents that tell most come first, whatever their query.
        """
        query_ids = list(dict.fromkeys(pair.query_id for pair in self._labels.pairs))
        if self._labels.order is not JudgingOrder.QUERY_BY_QUERY:
            return dict.fromkeys(query_ids, "Query")
        return {
            query_id: f"Query {number:,} of {len(query_ids):,}"
            for number, query_id in enumerate(query_ids, 1)
        }

    def card(self, pair: JudgingPair, position: int) -> LabelCard:
        """The card of a pair, at a place in the judge's queue."""
        key = key_of(pair)
        card = self._cards.get(key)
        if card is None:
            place = self.places[pair.query_id]
            card = label_card(self._labels, pair, self._corpus, position, place)
            while len(self._cards) >= _CARDS:
                self._cards.pop(next(iter(self._cards)), None)
            self._cards[key] = card
        return card if card.position == position else replace(card, position=position)


def label_card(
    labels: LabelSession, pair: JudgingPair, corpus: Corpus, position: int, place: str
) -> LabelCard:
    """The card of a pair, `place` being one of `CardDeck.places`.

    A document that the corpus no longer has is shown as empty.
    """
    query = labels.queries.get(pair.query_id, pair.query_id)
    languages = corpus.languages
    words = marker(query, next(iter(languages)) if len(languages) == 1 else "")
    known = pair.doc_id in corpus.document_ids
    document = corpus.whole_document(pair.doc_id) if known else Document(pair.doc_id, "")
    passage, start, end = _best_passage(document, corpus, words)
    whole = (start, end) == (0, len(document.text))
    cut = len(document.text) > _FULL_CHARS
    count = "the first 40,000 characters" if cut else "the full text"
    return LabelCard(
        pair.query_id,
        pair.doc_id,
        place,
        query,
        words.segments(document.title) if document.title else (),
        words.segments(document.text[start:end]) if known else (Segment("(no longer there)"),),
        None if whole else words.segments(document.text[:_FULL_CHARS]),
        f"Show {count}",
        corpus.document_hash(pair.doc_id),
        passage,
        position,
    )


def _best_passage(document: Document, corpus: Corpus, words: Marker) -> tuple[str, int, int]:
    """The passage with the most different words of the query: its id where there is one, its place.

    Which passage a pipeline went by is not asked: the judge is not to know.
    """
    text = document.text
    if len(text) <= LONG_CHARS:
        return "", 0, len(text)
    spans = [("", start, end) for start, end in passage_spans(text[:_FULL_CHARS], _PASSAGE)]
    passages = corpus.passages_of.get(document.id, [])
    if passages and all("passage_span" in passage.meta for passage in passages):
        spans = [(p.id, *p.meta["passage_span"]) for p in passages]

    def weight(span: tuple[str, int, int]) -> tuple[int, int]:
        part = text[span[1] : span[2]]
        matches = [part[start:end].casefold() for start, end in words.spans(part)]
        return len(set(matches)), len(matches)

    return max(spans, key=weight)


def _json(segments: Iterable[Segment]) -> JsonSegments:
    return [(segment.text, segment.marked) for segment in segments]


def pace_words(progress: SessionProgress, judge: str) -> list[str]:
    """`9 s each`, `about 8 min left`: of this judge, as far as they are known."""
    mine = next((one for one in progress.judges if one.judge == judge), None)
    if mine is None or mine.pace_s is None:
        return []
    active = max(1, sum(one.grades > 0 for one in progress.judges))
    minutes = progress.left * mine.pace_s / 60 / active
    each = f"{'under 1' if mine.pace_s < 1 else f'{mine.pace_s:.0f}'} s each"
    return [each, f"{about_minutes(minutes)} left"] if progress.left else [each]


def minutes_words(minutes: float) -> str:
    """`under a minute`, `12 min`, `1.5 h`."""
    if minutes < 1:
        return "under a minute"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def about_minutes(minutes: float) -> str:
    """`under a minute`, `about 12 min`."""
    return minutes_words(minutes) if minutes < 1 else f"about {minutes_words(minutes)}"


def stop_words(stop: StopReason) -> tuple[str, str]:
    """Title and sentence of the screen on which there is nothing more to judge."""
    if stop is StopReason.BUDGET:
        return "That was the budget", "All grades that were planned are given. Thank you."
    if stop is StopReason.ALL_JUDGED:
        return "All judged", "Every document of this session has its grade. Thank you."
    return "", ""


def estimate_words(effort: EffortEstimate) -> str:
    """`200 to 480 grades at about 11 s each: 37 to 88 minutes of judging in all.`"""
    grades = _range(*effort.grades)
    low, high = (max(1, round(minutes)) for minutes in effort.minutes)
    basis = "the pace on this corpus so far" if effort.measured else "by the length of the texts"
    return (
        f"{grades} grades at about {effort.seconds_per_grade:.0f} s each ({basis}): "
        f"{_range(low, high)} minutes of judging, all judges together."
    )


def _range(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def queries_left(labels: LabelSession, left: Mapping[str, int]) -> list[dict[str, str]]:
    """Each query of the session with how much this judge has `left` of it."""
    return [
        {
            "id": card_id(query_id, ""),
            "text": text,
            "left": f"{left[query_id]:,} left" if left.get(query_id) else "done",
        }
        for query_id, text in labels.queries.items()
    ]


def session_line(labels: LabelSession) -> str:
    """`148 documents, 12 queries · 2026-01-02 · simulated judges`."""
    size = counted(len(labels.pairs), "document")
    queries = counted(len({pair.query_id for pair in labels.pairs}), "query", "queries")
    line = f"{size}, {queries} · {labels.created_at:%Y-%m-%d %H:%M} UTC"
    return f"{line} · simulated judges" if labels.simulated else line


def welcome(labels: LabelSession) -> str:
    """What a judge who opens a link is told first."""
    queries = counted(len({pair.query_id for pair in labels.pairs}), "query", "queries")
    return (
        f"You will see {queries}, each with one document after another. Say how well each "
        "document answers. There are keys for everything; **?** lists them. You may stop at any "
        "moment and go on later by the same link: each answer is kept at once."
    )


def unknown_judge(labels: LabelSession, judge: str) -> InvalidInput:
    """That a link names somebody who is not a judge of the session."""
    return InvalidInput(
        f"{judge} is not one of the judges of {labels.title}.",
        hint="Choose your name below, or ask the lead for your own link.",
    )


def progress_sentence(progress: SessionProgress) -> str:
    """`64 of 148 grades (52 of 120 documents) in 22 min of judging; about 30 min left.`"""
    documents = f"{progress.pairs_judged:,} of {counted(progress.pairs, 'document')}"
    spent = f"{progress.grades:,} of {counted(progress.planned, 'grade')} ({documents})"
    if progress.grades:
        spent += f" in {minutes_words(progress.minutes_spent)} of judging"
    left = progress.minutes_left
    if progress.stop is StopReason.BUDGET:
        return f"{spent}. The budget is used up."
    if progress.stop is StopReason.ALL_JUDGED:
        return f"{spent}. Everything is judged."
    return f"{spent}; {about_minutes(left)} left." if left is not None else f"{spent}."


def judge_rows(progress: SessionProgress) -> dict[str, Sequence[str | float | None]]:
    """The table of judges by column; controls only where there are any."""
    judges = progress.judges
    columns: dict[str, Sequence[str | float | None]] = {
        "Judge": [one.judge for one in judges],
        "Grades": [one.grades for one in judges],
        "Cannot tell": [one.unsure for one in judges],
        "Minutes": [round(one.seconds / 60, 1) for one in judges],
        "Seconds a grade": [None if one.pace_s is None else round(one.pace_s, 1) for one in judges],
    }
    if any(one.controls for one in judges):
        columns["Controls passed"] = [
            f"{one.controls_passed} of {one.controls}" if one.controls else "" for one in judges
        ]
    return columns


CHANGE = "Expected change"
_WORTH_ROWS = 20


def worth_rows(
    decision: Decision, labels: LabelSession, corpus: Corpus
) -> dict[str, list[str] | list[float]]:
    """The unjudged documents worth most, by column."""
    first = decision.candidates[:_WORTH_ROWS]
    return {
        "Query": [labels.queries.get(one.query_id, one.query_id) for one in first],
        "Document": [_title(one.doc_id, corpus) for one in first],
        CHANGE: [one.expected_change for one in first],
    }


def _title(doc_id: str, corpus: Corpus) -> str:
    if doc_id not in corpus.document_ids:
        return doc_id
    document = corpus.whole_document(doc_id)
    return shorten(document.title or document.text, 80)


def decision_words(decision: Decision | None) -> str:
    """Which pipeline leads in a session, how sure that is, and what would make it surer."""
    if decision is None:
        return "Too few labels, or one pipeline alone: nobody leads yet."
    return " ".join(decision_sentences(decision, "nDCG@10"))


def import_sentence(report: ImportedJudgments) -> str:
    """`41 of 44 rows stored, 2 unknown, 1 in conflict.`"""
    return (
        f"{report.accepted:,} of {counted(report.rows, 'row')} stored, {report.unknown:,} unknown, "
        f"{report.conflicts:,} in conflict."
    )


def judge_links(labels: LabelSession, address: str) -> list[tuple[str, str]]:
    """Each judge with a link of their own; one for everybody where the session has no names."""
    base = f"{address.split('?')[0]}?session={labels.session_id}"
    if not labels.judges:
        return [("Anybody", base)]
    return [(judge, f"{base}&judge={quote(judge)}") for judge in labels.judges]


def agreement_sentence(agreement: JudgeAgreement | None) -> str:
    """`On 31 documents that two judged: Krippendorff's alpha 0.71 [0.52, 0.86].`"""
    if agreement is None:
        return "No document has two grades yet, so agreement is not known."
    pairs = counted(agreement.pairs, "document")
    alpha = agreement.measures["krippendorff_alpha"]
    if alpha.value is None:
        return f"On {pairs} that two judged, agreement is not defined: {alpha.reason}"
    bounds = "" if alpha.low is None else f" [{alpha.low:.2f}, {alpha.high:.2f}]"
    disputed = counted(len(agreement.disputed), "pair")
    return (
        f"On {pairs} that two judged, Krippendorff's alpha is {alpha.value:.2f}{bounds} "
        f"(1: they always agree, 0: as by chance). They differ on {disputed}."
    )


def disputed_rows(
    agreement: JudgeAgreement, labels: LabelSession, corpus: Corpus
) -> list[dict[str, str]]:
    """What judges differ on, the widest gap first, with each one's grade; "" for none."""
    rows = []
    for pair in agreement.disputed[:50]:
        grades = {judge: str(pair.grades.get(judge, "")) for judge in agreement.judges}
        query = labels.queries.get(pair.query_id, pair.query_id)
        rows.append({"Query": query, "Document": _title(pair.doc_id, corpus)} | grades)
    return rows


def open_disputes(
    agreement: JudgeAgreement, settled: Mapping[PairKey, Judgment]
) -> list[DisputedPair]:
    """What judges graded differently and nobody has decided yet, the widest gap first."""
    return [one for one in agreement.disputed if (one.query_id, one.doc_id) not in settled]


def disputes_left(disputes: int, unsettled: int) -> str:
    """`3 of 7 settled`."""
    return f"{disputes - unsettled:,} of {disputes:,} settled"


@dataclass(frozen=True, slots=True)
class DisputedGrade:
    """What one judge said of a disputed document."""

    judge: str
    grade: str
    note: str


def disputed_grades(
    pair: DisputedPair, labels: LabelSession, judgments: Iterable[Judgment]
) -> list[DisputedGrade]:
    """What each judge said of a pair, the lowest grade first; who could not tell comes last."""
    names = {one.value: f"{one.value} · {one.label}" for one in labels.scale.grades}
    rows = [row for row in judgments if key_of(row) == (pair.query_id, pair.doc_id)]
    rows.sort(key=lambda row: (row.grade is None, row.grade or 0, row.judge))
    return [
        DisputedGrade(
            row.judge,
            "Cannot tell" if row.grade is None else names.get(row.grade, str(row.grade)),
            row.note,
        )
        for row in rows
    ]
