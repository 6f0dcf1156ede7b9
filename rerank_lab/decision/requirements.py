"""What a team can accept of a pipeline, and which of it a pipeline does not meet, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from rerank_lab.core.languages import language_name
from rerank_lab.core.text import dollars, duration_words, megabytes
from rerank_lab.decision.cost import DEFAULT_TERMS, CostTerms
from rerank_lab.decision.facts import MANY_LANGUAGES, KnownFact, PipelineFacts

Licensing = Literal["any", "commercial", "open"]
"""commercial: may be used in a business. open: an open source licence, weights in your hands."""
RequirementName = Literal[
    "quality", "answers", "p95", "price", "licence", "languages", "local", "gpu", "memory"
]

_FAILED_AT_MOST = 0.05
"""The share of its queries that a pipeline may leave without an answer of its own, one in any case:
means are over the queries that were answered, which are rarely the hard ones."""
_OPEN_LICENCES = frozenset({"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause"})
_NOT_COMMERCIAL = ("NC", "non-commercial")


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a team can accept. Everything is open until it is set.

    Attributes:
        measure: What quality is, of the evaluation's measures; "" for its first.
        margin: A difference of the measure up to this does not matter to the team.
        p95: At most so many seconds a query.
        price: At most so many USD for 1,000 queries.
        licence: What licences must allow.
        languages: ISO 639-1 codes that every model must know.
        local: Texts must not leave the house.
        no_gpu: It must run without a GPU.
        memory: At most so many bytes, of the process where that was measured, else of models.
        terms: The load and the prices that a price is reckoned for.
    """

    measure: str = ""
    margin: float = 0.02
    p95: float | None = None
    price: float | None = None
    licence: Licensing = "any"
    languages: tuple[str, ...] = ()
    local: bool = False
    no_gpu: bool = False
    memory: int | None = None
    terms: CostTerms = DEFAULT_TERMS


OPEN = Requirements()
"""Everything is acceptable."""


@dataclass(frozen=True, slots=True)
class UnmetRequirement:
    """Why a pipeline falls. `known` is False when it falls only because a fact is missing."""

    name: RequirementName
    sentence: str
    known: bool = True


def unmet(facts: PipelineFacts, required: Requirements) -> tuple[UnmetRequirement, ...]:
    """What of the requirements a pipeline does not meet, or is not known to meet."""
    checks: tuple[tuple[RequirementName, KnownFact[Any], str], ...] = (
        ("quality", facts.quality, ""),
        ("answers", facts.quality, _failing(facts)),
        ("p95", facts.p95, _too_slow(facts, required)),
        ("price", facts.price, _too_dear(facts, required)),
        ("licence", facts.licences, _forbidden(facts, required)),
        ("languages", facts.languages, _foreign(facts, required)),
        ("local", facts.sends_to, _leaves(facts)),
        ("gpu", facts.gpu, f"it needs a GPU: {facts.gpu.source}" if facts.gpu.value else ""),
        ("memory", facts.memory, _too_large(facts, required)),
    )
    missed: list[UnmetRequirement] = []
    for name, fact, sentence in checks:
        if not _ASKED[name](required) or (name == "answers" and not fact.known):
            continue
        if not fact.known:
            missed.append(UnmetRequirement(name, f"{_NOUNS[name]} not known. {fact.source}", False))
        elif sentence:
            missed.append(UnmetRequirement(name, sentence))
    return tuple(missed)


_ASKED: dict[RequirementName, Callable[[Requirements], bool]] = {
    "quality": lambda required: True,
    "answers": lambda required: True,
    "p95": lambda required: required.p95 is not None,
    "price": lambda required: required.price is not None,
    "licence": lambda required: required.licence != "any",
    "languages": lambda required: bool(required.languages),
    "local": lambda required: required.local,
    "gpu": lambda required: required.no_gpu,
    "memory": lambda required: required.memory is not None,
}
_NOUNS: dict[RequirementName, str] = {
    "quality": "its quality is",
    "answers": "how often it answers is",
    "p95": "its p95 is",
    "price": "its price is",
    "licence": "its licence is",
    "languages": "its languages are",
    "local": "where its texts go is",
    "gpu": "whether it needs a GPU is",
    "memory": "its memory is",
}


def _failing(facts: PipelineFacts) -> str:
    if facts.failed <= max(1.0, _FAILED_AT_MOST * facts.queries):
        return ""
    return f"it gave no answer of its own to {facts.failed:,} of {facts.queries:,} queries"


def _too_slow(facts: PipelineFacts, required: Requirements) -> str:
    p95, limit = facts.p95.value, required.p95
    if p95 is None or limit is None or p95.value <= limit:
        return ""
    return f"p95 is {duration_words(p95.value)}, above {duration_words(limit)}"


def _too_dear(facts: PipelineFacts, required: Requirements) -> str:
    price, limit = facts.price.value, required.price
    if price is None or limit is None:
        return ""
    if price <= limit:
        return ""
    return f"1,000 queries cost {dollars(price)}, above {dollars(limit)}"


def _forbidden(facts: PipelineFacts, required: Requirements) -> str:
    licences = facts.licences.value or ()
    if required.licence == "open":
        wrong = [one for one in licences if one.licence not in _OPEN_LICENCES]
        why = "is not open source"
    else:
        wrong = [one for one in licences if any(part in one.licence for part in _NOT_COMMERCIAL)]
        why = "forbids commercial use"
    return "; ".join(f"the licence of {one.model} ({one.licence}) {why}" for one in wrong)


def _foreign(facts: PipelineFacts, required: Requirements) -> str:
    known = facts.languages.value or ()
    missing = [code for code in required.languages if code not in known]
    if not missing or MANY_LANGUAGES in known:
        return ""
    names = " and ".join(map(language_name, missing))
    of = ", ".join(map(language_name, known)) or "no language in common"
    return f"its models were not made for {names} (but for {of})"


def _leaves(facts: PipelineFacts) -> str:
    receivers = facts.sends_to.value
    return f"it sends texts to {' and '.join(receivers)}" if receivers else ""


def _too_large(facts: PipelineFacts, required: Requirements) -> str:
    memory, limit = facts.memory.value, required.memory
    if memory is None or limit is None or memory <= limit:
        return ""
    what = "it takes" if facts.memory.source.startswith("measured") else "its models take"
    return f"{what} {megabytes(memory)}, above {megabytes(limit)}"
