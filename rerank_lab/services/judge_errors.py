"""Whether the differences of an evaluation are larger than its LLM judge's errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rerank_lab.core.types import Qrels, Ranking
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.judging.llm_judge.error import SAMPLES, JudgeError, judge_error
from rerank_lab.judging.llm_judge.trust import JudgeTrust
from rerank_lab.services.qrels import grades_of, lab_labels, lab_store, source_of


def judge_errors(
    done: Evaluation,
    corpus: Corpus,
    *,
    primary: str = "",
    baseline: str = "",
    home: Path | None = None,
    samples: int = SAMPLES,
) -> Mapping[str, JudgeError]:
    """By pipeline, its difference from the baseline under the judge's errors.

    Where several LLM judges count, the one that agrees least with people stands for all.

    Args:
        done: an evaluation.
        corpus: as it was loaded, with its own judgments alone.
        primary, baseline: the measure and the pipeline that others are compared with.
        home: the data folder; None for the usual one.
        samples: how often people's grades are drawn.

    Returns:
        Nothing when no LLM judge counts, or too few queries are common to compare.
    """
    basis = done.design.basis
    store = lab_store(home)
    trust = _least_trusted(store.comparisons(corpus.name), basis.llm_judges) if store else None
    table = done.table(primary, baseline)
    compared = [row.spec for row in table.rows if row.paired is not None]
    if trust is None or not compared:
        return {}
    _, llm = grades_of(lab_labels(corpus, home), source_of(basis), corpus.qrels)
    people = _without(done.design.qrels, llm, done.common)
    common = {query_id: llm[query_id] for query_id in done.common if query_id in llm}
    first = _rankings(done, table.baseline)
    return {
        spec: judge_error(
            trust, people, common, (first, _rankings(done, spec)), table.primary, samples=samples
        )
        for spec in compared
    }


def _least_trusted(comparisons: list[JudgeTrust], judges: tuple[str, ...]) -> JudgeTrust | None:
    counting = [one for one in comparisons if one.judge in judges and one.kappa is not None]
    return min(counting, key=lambda one: one.kappa or 0.0, default=None)


def _without(qrels: Qrels, llm: Qrels, query_ids: tuple[str, ...]) -> Qrels:
    """The grades of common queries that no LLM judge gave."""
    return {
        query_id: {
            doc_id: grade
            for doc_id, grade in qrels.get(query_id, {}).items()
            if doc_id not in llm.get(query_id, {})
        }
        for query_id in query_ids
    }


def _rankings(done: Evaluation, spec: str) -> Mapping[str, Ranking]:
    return {q: r for q, r in done.run(spec).rankings.items() if q in set(done.common)}
