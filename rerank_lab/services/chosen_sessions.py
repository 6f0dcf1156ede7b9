"""Labelling sessions for what is on another page: a query of Compare, the gaps of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rerank_lab.core.types import Query, Ranking
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.unjudged import FlipRisk
from rerank_lab.judging.agreement import JudgeAgreement
from rerank_lab.judging.records import JudgingPair, LabelSession, PairOrigin
from rerank_lab.services.labelling import session_of_pairs
from rerank_lab.services.qrels import lab_labels, stale_pairs

_TITLE_CHARS = 60


def query_session(
    query: Query,
    rankings: Mapping[str, Ranking],
    depth: int,
    corpus: Corpus,
    home: Path | None = None,
) -> LabelSession:
    """A stored session for one query: the first `depth` documents of every ranking, by spec.

    All of them, also what was judged with ranks in sight: here they are judged without.

    Raises:
        InvalidInput: no ranking holds a document.
    """
    runs = {spec: {query.id: ranking.doc_ids} for spec, ranking in rankings.items()}
    pairs = [
        JudgingPair(query.id, doc_id, PairOrigin.CHOSEN)
        for ranking in rankings.values()
        for doc_id in ranking.doc_ids[:depth]
    ]
    queries = {query.id: query.text}
    return session_of_pairs(
        f"Query: {query.text[:_TITLE_CHARS]}", pairs, corpus, home, queries=queries, runs=runs
    )


def unjudged_pairs(evaluation: Evaluation, corpus: Corpus) -> tuple[JudgingPair, ...]:
    """What nobody has judged yet of the first ten documents of an evaluation's pipelines.

    Args:
        evaluation: of this corpus.
        corpus: with the judgments that count now.
    """
    return tuple(
        JudgingPair(query_id, doc_id, PairOrigin.CHOSEN)
        for query_id, doc_id in evaluation.unjudged_pairs()
        if doc_id in corpus.document_ids and doc_id not in corpus.qrels.get(query_id, {})
    )


def unjudged_session(
    evaluation: Evaluation, corpus: Corpus, home: Path | None = None
) -> LabelSession:
    """A stored session for the `unjudged_pairs` of an evaluation.

    Raises:
        InvalidInput: there are none.
    """
    count = len(evaluation.design.queries)
    title = f"Unjudged in the top 10 of {count:,} {'query' if count == 1 else 'queries'}"
    return _session_of(evaluation, title, unjudged_pairs(evaluation, corpus), corpus, home)


def deciding_pairs(risk: FlipRisk, corpus: Corpus, most: int = 0) -> tuple[JudgingPair, ...]:
    """The documents whose judgment could end a lead, the weightiest first.

    Args:
        risk: of an evaluation of this corpus.
        corpus: with the judgments that count now.
        most: so many of them; 0 for all.
    """
    pairs = [
        JudgingPair(one.query_id, one.doc_id, PairOrigin.CHOSEN)
        for one in risk.documents
        if one.doc_id in corpus.document_ids
        and one.doc_id not in corpus.qrels.get(one.query_id, {})
    ]
    return tuple(pairs[: most or None])


def deciding_session(
    evaluation: Evaluation,
    risk: FlipRisk,
    corpus: Corpus,
    home: Path | None = None,
    most: int = 0,
) -> LabelSession:
    """A stored session for the `deciding_pairs` of an evaluation.

    Raises:
        InvalidInput: there are none.
    """
    title = f"Documents that decide between two pipelines by {risk.measure}"
    return _session_of(evaluation, title, deciding_pairs(risk, corpus, most), corpus, home)


def _session_of(
    evaluation: Evaluation,
    title: str,
    pairs: Sequence[JudgingPair],
    corpus: Corpus,
    home: Path | None,
) -> LabelSession:
    runs = {
        spec: {query_id: one.doc_ids for query_id, one in evaluation.run(spec).rankings.items()}
        for spec in map(str, evaluation.design.pipelines)
    }
    queries = {query.id: query.text for query in evaluation.design.queries}
    return session_of_pairs(title, pairs, corpus, home, queries=queries, runs=runs)


def stale_session(corpus: Corpus, home: Path | None = None) -> LabelSession:
    """A stored session for labels whose document has another text now.

    Raises:
        InvalidInput: there are none.
    """
    labels = lab_labels(corpus, home)
    texts = {query.id: query.text for query in labels.queries}
    pairs = stale_pairs(labels)
    return session_of_pairs("Labels of changed documents", pairs, corpus, home, queries=texts)


def disputed_session(
    labels: LabelSession, agreement: JudgeAgreement, corpus: Corpus, home: Path | None = None
) -> LabelSession:
    """A stored session for the pairs that the judges of another one graded differently.

    Under the policy "latest" what is said there settles them.

    Raises:
        InvalidInput: there are none.
    """
    pairs = [JudgingPair(one.query_id, one.doc_id, PairOrigin.CHOSEN) for one in agreement.disputed]
    return session_of_pairs(
        f"Disputed: {labels.title[:_TITLE_CHARS]}",
        pairs,
        corpus,
        home,
        queries=labels.queries,
        runs=labels.runs,
        scale=labels.scale,
    )
