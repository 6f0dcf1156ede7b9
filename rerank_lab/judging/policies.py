"""From the rows of several judges to one grade for each pair: which rows count, and by which rule.

A pair is one query with one document. Nothing here depends on the order in which rows are given:
what is newer is told by `row_id`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from rerank_lab.core.judgment_basis import Policy
from rerank_lab.core.types import Qrels
from rerank_lab.judging.records import JudgeKind, Judgment


@dataclass(frozen=True, slots=True)
class PairDecision:
    """The grade of a pair under a policy, and the rows that decided it.

    Attributes:
        rows: of each judge that counts for the pair the current one, ascending by row id.
        tied: the policy alone left two grades equal, and the lower was taken.
    """

    query_id: str
    doc_id: str
    grade: int
    rows: tuple[Judgment, ...]
    tied: bool = False

    @property
    def by_llm(self) -> bool:
        """Whether language models alone decided."""
        return all(row.kind is JudgeKind.LLM for row in self.rows)


def current_rows(rows: Iterable[Judgment]) -> list[Judgment]:
    """Of each judge and pair the newest row that is not undone, in ascending order of `row_id`.

    Args:
        rows: of one corpus, in any order, with the rows that undo others.
    """
    ascending = sorted(rows, key=lambda row: row.row_id)
    undone = {row.undoes for row in ascending if row.undoes is not None}
    newest: dict[tuple[str, str, str], Judgment] = {}
    for row in ascending:
        if row.undoes is None and row.row_id not in undone:
            key = (row.query_id, row.doc_id, row.judge)
            newest.pop(key, None)
            newest[key] = row
    return list(newest.values())


def pair_decisions(
    rows: Iterable[Judgment],
    policy: Policy = Policy.LATEST,
    *,
    llm_judges: Set[str] = frozenset(),
    gold_judges: Set[str] = frozenset(),
    simulated: bool = False,
) -> list[PairDecision]:
    """One decision for each pair that has a grade, by query and document id.

    "Cannot tell" is no grade. Where a person graded a pair, language models have no say in it, and
    where a dispute was decided, that decision stands under every policy.

    Args:
        rows: of one corpus, in any order.
        policy: the rule.
        llm_judges: the language models whose grades count where no person's do.
        gold_judges: who comes first under `gold-first`, besides imported judgments.
        simulated: whether simulated judges count: in their own sample session only.
    """
    by_pair: dict[tuple[str, str], list[Judgment]] = defaultdict(list)
    for row in current_rows(rows):
        if row.grade is not None and _counts(row, llm_judges, simulated):
            by_pair[row.query_id, row.doc_id].append(row)
    decisions = []
    for (query_id, doc_id), graded in sorted(by_pair.items()):
        people = [row for row in graded if row.kind is not JudgeKind.LLM]
        deciding = people or graded
        grade, tied = _decided(deciding, policy, gold_judges)
        decisions.append(PairDecision(query_id, doc_id, grade, tuple(deciding), tied))
    return decisions


def qrels_of(
    rows: Iterable[Judgment],
    policy: Policy = Policy.LATEST,
    *,
    llm_judges: Set[str] = frozenset(),
    gold_judges: Set[str] = frozenset(),
    simulated: bool = False,
) -> Qrels:
    """Query id -> document id -> grade, by `pair_decisions`."""
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    for decision in pair_decisions(
        rows, policy, llm_judges=llm_judges, gold_judges=gold_judges, simulated=simulated
    ):
        qrels[decision.query_id][decision.doc_id] = decision.grade
    return dict(qrels)


def _counts(row: Judgment, llm_judges: Set[str], simulated: bool) -> bool:
    if row.kind is JudgeKind.LLM:
        return row.judge in llm_judges
    return simulated or row.kind is not JudgeKind.SIMULATED


def _decided(rows: Sequence[Judgment], policy: Policy, gold_judges: Set[str]) -> tuple[int, bool]:
    """The grade, and whether two grades were equal; rows ascend and all have grades."""
    settled = [row.grade for row in rows if row.kind is JudgeKind.DECIDED]
    if settled and settled[-1] is not None:
        return settled[-1], False
    grades = [row.grade for row in rows if row.grade is not None]
    if policy is Policy.LATEST:
        return grades[-1], False
    if policy is Policy.MEDIAN:
        ordered = sorted(grades)
        lower, upper = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
        return lower, lower != upper
    if policy is Policy.GOLD_FIRST:
        gold = [
            row.grade
            for row in rows
            if row.grade is not None
            and (row.kind is JudgeKind.IMPORTED or row.judge in gold_judges)
        ]
        if gold:
            return gold[-1], False
    counts = Counter(grades)
    most = max(counts.values())
    winners = [grade for grade, count in counts.items() if count == most]
    return min(winners), len(winners) > 1
