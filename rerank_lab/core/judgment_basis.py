"""What the judgments of a corpus stand on: its own, labels of the lab, or both."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

OWN, LAB, BOTH = "own", "lab", "both"
"""Where judgments come from: the corpus itself, the lab's database, or the two together."""
SOURCES = (OWN, LAB, BOTH)


class Policy(StrEnum):
    """How the grades that several judges gave one pair become one grade.

    latest: the newest. majority: the one most judges gave; of two with as many votes the lower.
    median: the middle one; of the two in the middle of an even number the lower. gold-first: the
    newest imported one or one of a judge who counts as gold; where there is none, the majority.
    """

    LATEST = "latest"
    MAJORITY = "majority"
    MEDIAN = "median"
    GOLD_FIRST = "gold-first"


@dataclass(frozen=True, slots=True)
class JudgmentBasis:
    """Where the judgments of a corpus come from, and how many of each kind there are.

    Attributes:
        source: "own", "lab" or "both".
        winner: whose grade counts where both judge a pair: "own" or "lab"; "" unless `source` is
            "both".
        policy: how several labels of a pair become one grade; "" where no label of the lab enters.
        llm_judges: the LLM judges whose labels were let in, by name.
        own: pairs whose grade is the corpus' own.
        lab: pairs whose grade is the lab's.
        overridden: pairs that both judge with different grades; the winner's stands.
        stale: labels left out because the document's text has changed since.
        unchecked: labels that count though nobody knows which text they were given for.
        unknown: labels left out because corpus and lab have no such query or document.
        digest: SHA-256 of the grades, the source and the policy; "" for the corpus' own.
    """

    source: str = OWN
    winner: str = ""
    policy: str = ""
    llm_judges: tuple[str, ...] = ()
    own: int = 0
    lab: int = 0
    overridden: int = 0
    stale: int = 0
    unchecked: int = 0
    unknown: int = 0
    digest: str = ""

    @property
    def with_labels(self) -> bool:
        """Whether labels of the lab were asked for."""
        return self.source != OWN

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as they are written to files and to `--json`."""
        import msgspec

        values: dict[str, Any] = msgspec.to_builtins(self)
        return values


OWN_JUDGMENTS = JudgmentBasis()
"""The basis of a corpus as it was loaded."""
