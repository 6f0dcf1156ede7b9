"""Which judgments count: the choice, in words and in links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from rerank_lab.core.judgment_basis import BOTH, LAB, OWN, JudgmentBasis, Policy
from rerank_lab.services.qrels import JudgmentSource

JudgmentChoice = Literal["lab over own", "own over lab", "lab only", "own only"]
"""As the screen and links write it; the first is the default where the lab has labels."""
CHOICES: tuple[JudgmentChoice, ...] = get_args(JudgmentChoice)
LABEL = "Judgments"
ABOUT = (
    "Which judgments count in Compare, Evaluate, Calibrate and Train: those that came with the "
    "corpus, labels made or imported in this lab, or both, and whose grade stands where both judge "
    "a document."
)
POLICY_LABEL = "Several labels of a document"
ABOUT_POLICIES = (
    "Which grade a document gets that several people judged: the latest label, the grade of the "
    "majority, the median, or an imported label before all others (gold-first). Of two that are "
    "equal the lower counts."
)
POLICIES = tuple(policy.value for policy in Policy)
"""Policies as links write them; the first is the default."""
POLICY_TITLES = {
    Policy.LATEST: "The latest grade of each pair",
    Policy.MAJORITY: "The majority of the judges",
    Policy.MEDIAN: "The median of the judges",
    Policy.GOLD_FIRST: "Imported labels first, then the majority",
}
_SOURCES: Mapping[JudgmentChoice, tuple[str, str]] = {
    "lab over own": (BOTH, LAB),
    "own over lab": (BOTH, OWN),
    "lab only": (LAB, LAB),
    "own only": (OWN, LAB),
}


def source_of_choice(
    choice: str | None, policy: str | None, llm_judges: Sequence[str]
) -> JudgmentSource | None:
    """What a choice on the screen means; None for the default, and for what nobody can choose."""
    rule = Policy(policy) if policy in POLICIES else Policy.LATEST
    source, winner = next((_SOURCES[one] for one in CHOICES if one == choice), (BOTH, LAB))
    chosen = JudgmentSource(source, winner, rule, tuple(sorted(llm_judges)))
    return None if chosen == JudgmentSource() else chosen


def choice_of_basis(basis: JudgmentBasis) -> JudgmentChoice:
    """The choice under which judgments stood on this basis."""
    sides = (basis.source, basis.winner or LAB)
    return next(choice for choice, both in _SOURCES.items() if both == sides)
