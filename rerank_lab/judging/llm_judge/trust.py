"""How far an LLM judge may be trusted: its grades beside those of people for the same documents.

Agreement beyond chance (weighted kappa with an interval), bias by grade, and whether it says the
same again: of the same document, of two documents in turned order, and of a document to which a
plea for a good grade was added. Pure: who asks the judge is `services.llm_judging`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.calibration.figures import wilson
from rerank_lab.judging.agreement import AgreementSettings, two_judges

MIN_PAIRS = 30
"""Documents that people and the judge both graded before its labels may enter qrels."""
LEVEL = 0.95
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class GradePair:
    """One document with the grade of people and that of the judge; None where it abstained."""

    query_id: str
    doc_id: str
    human: int
    llm: int | None


@dataclass(frozen=True, slots=True)
class Consistency:
    """How often a judge says the same when asked again: `same` of `asked` times."""

    asked: int = 0
    same: int = 0

    @property
    def share(self) -> float | None:
        """From 0 to 1; None when nothing was asked."""
        return self.same / self.asked if self.asked else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval of the share at 95 %; None when nothing was asked."""
        return wilson(self.same, self.asked) if self.asked else None

    def to_json(self) -> dict[str, Any]:
        """As `labels judge --trust --json` prints it."""
        low, high = self.interval or (None, None)
        return {"asked": self.asked, "same": self.same, "share": self.share, "low": low,
                "high": high}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GradeBias:
    """What the judge makes of documents that people gave one grade.

    `mean` is the mean of its grade less theirs: above 0 it is too kind; None without documents.
    """

    grade: int
    pairs: int
    mean: float | None


@dataclass(frozen=True)
class JudgeTrust:
    """The comparison of an LLM judge with people on one corpus.

    Attributes:
        judge: its name in rows.
        corpus: the corpus whose documents were graded.
        against: whose grades they are: "lab" for people's labels, "corpus" for its own judgments.
        grades: the grades of the scale, ascending.
        confusion: how often people gave a grade (row) and the judge another (column).
        abstained: documents that people graded and the judge did not.
        kappa, low, high: quadratic weighted kappa and its interval at 95 %, queries resampled; None
            where it has no value, as when everything has one grade.
        bias: mean of the judge's grade less people's, all documents together.
        repeat: the same document asked about again.
        swap: two documents compared in both orders.
        swap_right: of these, those with different grades by people that it ordered as they do.
        plea: documents whose grade did not rise when a plea for the best grade stood in them.
        vendors: warnings: a reranker comes from where the judge comes from.
        compared_at: when, in UTC.
    """

    judge: str
    corpus: str
    against: str
    grades: tuple[int, ...]
    confusion: tuple[tuple[int, ...], ...]
    queries: int
    abstained: int
    kappa: float | None
    low: float | None
    high: float | None
    bias: float | None
    bias_by_grade: tuple[GradeBias, ...]
    compared_at: datetime
    repeat: Consistency = Consistency()
    swap: Consistency = Consistency()
    swap_right: Consistency = Consistency()
    plea: Consistency = Consistency()
    vendors: tuple[str, ...] = field(default=())

    @property
    def pairs(self) -> int:
        """Documents that both graded."""
        return sum(map(sum, self.confusion))

    @property
    def exact(self) -> float | None:
        """The share of documents that got the same grade from both."""
        right = sum(row[place] for place, row in enumerate(self.confusion))
        return right / self.pairs if self.pairs else None

    @property
    def refusal(self) -> str:
        """Why its labels may not enter qrels; "" when they may."""
        if self.pairs < MIN_PAIRS:
            return (
                f"people and the judge both graded {self.pairs} documents; {MIN_PAIRS} are needed"
            )
        if not self.repeat.asked:
            return "it was never asked the same twice"
        if self.low is None or self.low <= 0:
            return "its agreement with people cannot be told from chance"
        return ""

    def to_json(self) -> dict[str, Any]:
        """As `labels judge --trust --json` prints it."""
        return {
            "judge": self.judge,
            "corpus": self.corpus,
            "against": self.against,
            "pairs": self.pairs,
            "queries": self.queries,
            "abstained": self.abstained,
            "grades": list(self.grades),
            "confusion": [list(row) for row in self.confusion],
            "exact": self.exact,
            "weighted_kappa": self.kappa,
            "interval": None if self.low is None else [self.low, self.high],
            "bias": self.bias,
            "bias_by_grade": [
                {"grade": one.grade, "pairs": one.pairs, "bias": one.mean}
                for one in self.bias_by_grade
            ],
            "repeat": self.repeat.to_json(),
            "swap": self.swap.to_json(),
            "swap_right": self.swap_right.to_json(),
            "plea": self.plea.to_json(),
            "warnings": list(self.vendors),
            "compared_at": self.compared_at.isoformat(),
            "may_enter_qrels": not self.refusal,
            "refusal": self.refusal,
        }


def compare_with_people(
    pairs: Sequence[GradePair],
    grades: Sequence[int],
    *,
    judge: str,
    corpus: str,
    against: str,
    compared_at: datetime,
    seed: int = 0,
) -> JudgeTrust:
    """The comparison, without the repeated questions: add these with `dataclasses.replace`.

    Args:
        grades: The grades of the scale, ascending.
        seed: Of the resampled queries behind the interval.

    Raises:
        InvalidInput: people used a grade that the scale has not.
    """
    strange = sorted({pair.human for pair in pairs} - set(grades))
    if strange:
        raise InvalidInput(
            f"People gave the grade {strange[0]}, which the judge's scale has not: "
            f"{', '.join(map(str, grades))}.",
            hint="Let the judge use the scale that people used.",
        )
    people = {(pair.query_id, pair.doc_id): pair.human for pair in pairs}
    of_judge = {(pair.query_id, pair.doc_id): pair.llm for pair in pairs}
    settings = AgreementSettings(tuple(grades), LEVEL, _RESAMPLES, seed)
    both = two_judges(("people", people), (judge, of_judge), settings)
    kappa = both.measures["cohen_kappa_quadratic"]
    graded = [pair for pair in pairs if pair.llm is not None]
    return JudgeTrust(
        judge=judge,
        corpus=corpus,
        against=against,
        grades=tuple(grades),
        confusion=both.confusion,
        queries=len({pair.query_id for pair in graded}),
        abstained=len(pairs) - len(graded),
        kappa=kappa.value,
        low=kappa.low,
        high=kappa.high,
        bias=both.bias,
        bias_by_grade=tuple(
            _bias(grade, [p.llm for p in graded if p.human == grade and p.llm is not None])
            for grade in grades
        ),
        compared_at=compared_at,
    )


def allowed_llm_judges(comparisons: Sequence[JudgeTrust], corpus: str) -> frozenset[str]:
    """The LLM judges whose labels may enter the qrels of a corpus, by what they were compared.

    The newest comparison of a judge decides.
    """
    newest: dict[str, JudgeTrust] = {}
    for comparison in sorted(comparisons, key=lambda one: one.compared_at):
        if comparison.corpus == corpus:
            newest[comparison.judge] = comparison
    return frozenset(judge for judge, one in newest.items() if not one.refusal)


def _bias(grade: int, llm_grades: Sequence[int]) -> GradeBias:
    mean = sum(llm_grades) / len(llm_grades) - grade if llm_grades else None
    return GradeBias(grade, len(llm_grades), mean)
