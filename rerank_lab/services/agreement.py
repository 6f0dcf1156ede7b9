"""How far the judges of a corpus or a session agree, as a use case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Qrels
from rerank_lab.corpora import Corpus
from rerank_lab.judging.agreement import AgreementSettings, Grades, JudgeAgreement, agreement
from rerank_lab.judging.judge_influence import InfluenceSettings, JudgeInfluence, judge_influence
from rerank_lab.judging.policies import qrels_of
from rerank_lab.judging.pools import MissedRelevant, PipelineRuns, missed_relevant
from rerank_lab.judging.records import JudgeKind, Judgment
from rerank_lab.services.qrels import lab_labels, lab_store


@dataclass(frozen=True, slots=True)
class AgreementRequest:
    """Whose grades are compared.

    Attributes:
        session_id: only those of this session; "" for all labels of the corpus that are not stale.
        judges: only these judges; all when empty.
    """

    session_id: str = ""
    judges: tuple[str, ...] = ()


def judge_agreement(
    request: AgreementRequest, corpus: Corpus, home: Path | None = None
) -> JudgeAgreement:
    """Compare the judges. Simulated ones count in their own session only.

    Raises:
        InvalidInput: a judge is named who graded nothing.
        LabError: the lab database cannot be read.
    """
    by_judge = _by_judge(request, corpus, home)
    return agreement(by_judge, AgreementSettings(grades=_scale(by_judge)))


def influence_of_judges(
    request: AgreementRequest,
    corpus: Corpus,
    runs: PipelineRuns,
    measure: str = "nDCG@10",
    home: Path | None = None,
) -> JudgeInfluence:
    """What the disagreement does to the ranking of pipelines.

    Raises:
        InvalidInput: nothing is graded, or the measure cannot be reckoned from grades alone.
        LabError: the lab database cannot be read.
    """
    by_judge = _by_judge(request, corpus, home)
    settings = InfluenceSettings(measure=measure, grades=_scale(by_judge))
    return judge_influence(runs, {j: _qrels(grades) for j, grades in by_judge.items()}, settings)


def missed_by_pool(
    session_id: str, corpus: Corpus, home: Path | None = None
) -> MissedRelevant | None:
    """What the pool of a session misses; None without a graded document from below the pool.

    Raises:
        InvalidInput: there is no such session.
        LabError: the lab database cannot be read.
    """
    store = lab_store(home)
    if store is None:
        return None
    session = store.session(session_id)
    rows = store.current(corpus.name, session_id=session_id)
    return missed_relevant(session.pairs, qrels_of(rows, simulated=session.simulated))


def _by_judge(request: AgreementRequest, corpus: Corpus, home: Path | None) -> dict[str, Grades]:
    by_judge: dict[str, dict[tuple[str, str], int | None]] = defaultdict(dict)
    for row in _rows(request, corpus, home):
        if row.kind is JudgeKind.DECIDED:  # what judges differed on stays a difference
            continue
        if not request.judges or row.judge in request.judges:
            by_judge[row.judge][row.query_id, row.doc_id] = row.grade
    missing = [judge for judge in request.judges if judge not in by_judge]
    if missing:
        raise InvalidInput(
            f"{', '.join(missing)} graded nothing in {corpus.name}.",
            hint="Name judges as they stand in the labels, or leave the names out.",
        )
    return dict(by_judge)


def _rows(request: AgreementRequest, corpus: Corpus, home: Path | None) -> Iterable[Judgment]:
    store = lab_store(home)
    if store is None:
        return ()
    if not request.session_id:
        return lab_labels(corpus, home).usable
    simulated = store.session(request.session_id).simulated
    rows = store.current(corpus.name, session_id=request.session_id)
    return [row for row in rows if simulated or row.kind is not JudgeKind.SIMULATED]


def _scale(by_judge: Mapping[str, Grades]) -> tuple[int, ...]:
    """Every grade from the lowest to the highest that was given; weights need those between."""
    grades = [g for judged in by_judge.values() for g in judged.values() if g is not None]
    return tuple(range(min(grades, default=0), max(grades, default=0) + 1))


def _qrels(grades: Grades) -> Qrels:
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    for (query_id, doc_id), grade in grades.items():
        if grade is not None:
            qrels[query_id][doc_id] = grade
    return dict(qrels)
