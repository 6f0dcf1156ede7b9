"""Why the data of an evaluation cannot decide at all, and what to know of a decision beside it.

"Not worse than another by more than a margin" says something only where the other is itself better
than no answer: an empty result list passes that test against a pipeline whose mean is within the
margin of 0 (in trials of non-inferiority this is assay sensitivity, ICH E10). So where no pipeline
comes above the margin nothing is recommended, and what is likely to be wrong is said instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rerank_lab.core.languages import language_name
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.languages import query_languages
from rerank_lab.decision.comparisons import ALPHA, Comparisons
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.experiments.evaluation import JUDGING_DEPTH
from rerank_lab.evaluation.measure_names import parse_measures, tells_quality

ObjectionKind = Literal[
    "measure", "judgments", "relevance", "retrieval", "mismatch", "language", "depth",
    "queries", "partial", "alike",
]  # fmt: skip
"""measure: it is not of quality. judgments: there are none. relevance: nothing is judged relevant.
retrieval: nothing relevant is retrieved. mismatch: judged documents are not in the corpus.
language: queries and documents differ in theirs. depth: relevant documents stand below the cutoff.
queries: too few, or most say nothing. partial: not all judged queries are compared. alike: no
pipeline differs from another.
"""
_SAMPLED = 200
"""So many queries, evenly spaced, whose language is looked at."""
_MOST = 0.5
"""The share of texts from which a language is that of most of them."""
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Objection:
    """What stands against a decision, or is to be known of it.

    Attributes:
        kind: What it is about.
        sentence: In words, without names of pipelines.
        counts: The numbers of queries and documents in the sentence, in its order.
        decisive: Whether nothing can be recommended for it.
        ids: Ids of documents in the sentence.
    """

    kind: ObjectionKind
    sentence: str
    counts: tuple[int, ...] = ()
    decisive: bool = False
    ids: tuple[str, ...] = ()


def objections(
    evaluation: Evaluation, comparisons: Comparisons, margin: float, corpus: Corpus | None = None
) -> tuple[Objection, ...]:
    """What stands against any decision by these results, the decisive first.

    Args:
        evaluation: Finished or not.
        comparisons: Of its pipelines, by the measure that decides.
        margin: A difference of the measure up to this does not matter.
        corpus: The documents, where they are here: they tell why nothing is retrieved.
    """
    measure = comparisons.measure
    if not tells_quality(measure):
        sentence = f"{measure} counts queries or documents and says nothing of quality."
        return (Objection("measure", sentence, decisive=True),)
    if not evaluation.judged_asked:
        return (Objection("judgments", "No query is judged.", decisive=True),)
    if not evaluation.common:
        return ()
    level = _relevance_level(measure)
    if not any(_relevant(evaluation, query_id, level) for query_id in evaluation.common):
        return (_nothing_judged_relevant(evaluation, level),)
    best = max(
        (sum(values.values()) / len(values) for values in comparisons.values.values()), default=0.0
    )
    if best <= margin:
        empty = _about_zero(evaluation, measure, best, margin)
        return (empty, *_causes(evaluation, measure, level, corpus))
    return tuple(_notes(evaluation, comparisons))


def _relevance_level(measure: str) -> int:
    """The grade from which the measure takes a document for relevant."""
    (parsed,) = parse_measures([measure]).values()
    return int(parsed.params.get("rel", 1))


def _relevant(evaluation: Evaluation, query_id: str, level: int) -> list[str]:
    grades = evaluation.design.qrels.get(query_id, {})
    return [doc_id for doc_id, grade in grades.items() if grade >= level]


def _nothing_judged_relevant(evaluation: Evaluation, level: int) -> Objection:
    common = len(evaluation.common)
    queries = "the one query" if common == 1 else f"any of the {common:,} queries"
    grade = "" if level == 1 else f" (grade {level} or above)"
    return Objection(
        "relevance",
        f"No document is judged relevant{grade} for {queries} that all pipelines answered.",
        () if common == 1 else (common,),
        decisive=True,
    )


def _about_zero(evaluation: Evaluation, measure: str, best: float, margin: float) -> Objection:
    common = len(evaluation.common)
    if best == 0:
        queries = "the one query" if common == 1 else f"all {common:,} queries"
        sentence = f"Every pipeline has {measure} 0 on {queries}."
        return Objection("retrieval", sentence, () if common == 1 else (common,), decisive=True)
    sentence = (
        f"No pipeline has a {measure} above {margin:g}, the difference that does not matter: an "
        "empty result list would do as well."
    )
    return Objection("retrieval", sentence, decisive=True)


def _causes(
    evaluation: Evaluation, measure: str, level: int, corpus: Corpus | None
) -> Iterator[Objection]:
    """Why nothing relevant is near the top, as far as the data tell."""
    relevant = {
        (query_id, doc_id)
        for query_id in evaluation.common
        for doc_id in _relevant(evaluation, query_id, level)
    }
    doc_ids = sorted({doc_id for _, doc_id in relevant})
    if corpus is not None and not corpus.live:
        missing = [doc_id for doc_id in doc_ids if doc_id not in corpus.document_ids]
        if missing:
            yield _mismatch(missing, len(doc_ids), corpus)
        if len(missing) == len(doc_ids):
            return
        yield from _foreign_language(evaluation, corpus)
    yield _retrieved(evaluation, measure, relevant)


def _mismatch(missing: Sequence[str], total: int, corpus: Corpus) -> Objection:
    counts: tuple[int, ...] = (total,)
    if total == 1:
        what, counts = "The one document judged relevant is not", ()
    elif len(missing) == total:
        what = f"None of the {total:,} documents judged relevant is"
    else:
        what = f"{len(missing):,} of the {total:,} documents judged relevant are not"
        counts = (len(missing), total)
    ids: tuple[str, ...] = (missing[0],)
    example = f"“{missing[0]}” is not there"
    if corpus.ids:
        example += f", while its first document is called “{corpus.ids[0]}”"
        ids += (corpus.ids[0],)
    return Objection(
        "mismatch",
        f"{what} in the corpus ({example}): judgments and corpus do not belong together, or ids "
        "changed.",
        counts,
        ids=ids,
    )


def _foreign_language(evaluation: Evaluation, corpus: Corpus) -> Iterator[Objection]:
    """Queries that look to be in another language than the corpus."""
    texts = [query.text for query in evaluation.design.queries if query.id in evaluation.common]
    sample = texts[:: max(1, len(texts) // _SAMPLED)]
    shares: Counter[str] = Counter()
    for text in sample:
        shares.update({code: share / len(sample) for code, share in query_languages(text).items()})
    query_language, document_language = _most_common(shares), _most_common(corpus.languages)
    if query_language and document_language and query_language != document_language:
        yield Objection(
            "language",
            f"The queries look {language_name(query_language)}, the documents "
            f"{language_name(document_language)}: a "
            "first stage that goes by words finds nothing across languages.",
        )


def _most_common(shares: Mapping[str, float]) -> str:
    code = max(shares, key=lambda one: shares[one], default="")
    return code if code and shares[code] >= _MOST else ""


def _retrieved(evaluation: Evaluation, measure: str, relevant: set[tuple[str, str]]) -> Objection:
    """How far down relevant documents stand, and whether anybody judged what stands above."""
    (parsed,) = parse_measures([measure]).values()
    cutoff = int(parsed.params.get("cutoff", 0))
    depth = cutoff or JUDGING_DEPTH
    reached, judged = set(), False
    for (query_id, _), cell in evaluation.cells.items():
        if cell.ranking is None or not cell.answered or query_id not in evaluation.common:
            continue
        grades = evaluation.design.qrels.get(query_id, {})
        judged = judged or any(doc_id in grades for doc_id in cell.ranking.doc_ids[:depth])
        if any((query_id, doc_id) in relevant for doc_id in cell.ranking.doc_ids):
            reached.add(query_id)
    common = len(evaluation.common)
    unjudged = "" if judged else f" Nothing among the first {depth} is judged at all."
    counts = () if judged else (depth,)
    if not reached:
        return Objection(
            "retrieval",
            f"No pipeline retrieves a document that is judged relevant, at any rank.{unjudged}",
            counts,
        )
    where = "mostly below the ranks that count" if cutoff else "mostly far down"
    return Objection(
        "depth",
        f"Documents judged relevant are retrieved for {len(reached):,} of {common:,} queries, "
        f"{where}.{unjudged}",
        (len(reached), common, *counts),
    )


def _notes(evaluation: Evaluation, comparisons: Comparisons) -> Iterator[Objection]:
    """What to know of a decision that the data allow."""
    common = len(evaluation.common)
    least = _least_queries(max(1, len(comparisons.pairs) // 2))
    if len(comparisons.values) > 1 and common < least:
        noun = "query" if common == 1 else "queries"
        yield Objection(
            "queries",
            f"On {common:,} {noun} the test can show no difference, however large; it needs "
            f"{least:,} or more.",
            (common, least),
        )
    judged = evaluation.judged_asked
    if common < judged and evaluation.finished:
        yield Objection(
            "partial",
            f"Compared on {common:,} of the {judged:,} judged queries: those that every pipeline "
            "answered.",
            (common, judged),
        )
    silent = sum(
        all(values[query_id] == 0 for values in comparisons.values.values())
        for query_id in evaluation.common
    )
    if silent >= _HALF * common:
        yield Objection(
            "queries",
            f"On {silent:,} of {common:,} queries every pipeline has {comparisons.measure} 0; the "
            "others alone decide.",
            (silent, common),
        )
    yield from _alike(evaluation, comparisons)


def _least_queries(pairs: int) -> int:
    """The queries from which the corrected sign-flip test can reach its level at all."""
    queries = 2
    while pairs * 2.0 ** (1 - queries) >= ALPHA:
        queries += 1
    return queries


def _alike(evaluation: Evaluation, comparisons: Comparisons) -> Iterator[Objection]:
    """That pipelines differ on no query, whether or not their rankings do."""
    columns = [
        [values[query_id] for query_id in evaluation.common]
        for values in comparisons.values.values()
    ]
    if len(columns) < 2 or any(column != columns[0] for column in columns[1:]):
        return
    specs = tuple(comparisons.values)
    rankings = [
        [
            cell.ranking.doc_ids if (cell := evaluation.cells[query_id, spec]).ranking else ()
            for query_id in evaluation.common
        ]
        for spec in specs
    ]
    if all(one == rankings[0] for one in rankings[1:]):
        sentence = (
            "All pipelines give the same documents in the same order on every query: only speed "
            "and price differ."
        )
    elif set(columns[0]) == {1.0}:
        sentence = (
            f"Every pipeline has {comparisons.measure} 1 on every query: these queries are too "
            "easy to tell them apart."
        )
    else:
        sentence = f"No pipeline differs from another in {comparisons.measure} on any query."
    yield Objection("alike", sentence)
