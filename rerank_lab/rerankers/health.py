"""Is this reranker doing its work at all? Asked before any of its numbers is shown.

Most silent failures of local rerankers are a head that was never trained, an embedding model
loaded in its place, scores squeezed to one value, or a wrong template. Each shows on a dozen small
questions with known answers, in about the time of one query.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rerank_lab.components.catalogue import catalogue
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, ContractViolation, LabError, ModelUnavailable
from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.models import availability
from rerank_lab.models.probes import PROBES, ProbeQuestion
from rerank_lab.rerankers.base import Reranker

State = Literal["healthy", "suspect", "broken", "unchecked"]
_GRAVITY: dict[State, int] = {"healthy": 0, "unchecked": 1, "suspect": 2, "broken": 3}

# Against answers to other questions, a coin wins 25 or more of 36 in 1 % of trials. The decoys are
# meant to be hard: a sound small model loses some, so that only losing most of them counts.
_RANDOM_SHARE, _WEAK_SHARE, _WEAK_WINS = 0.7, 0.85, 6
_OTHERS = 3
_SAME = 1e-4
"""Scores this close, relative to the spread of all scores, are the same score."""


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One thing that was found: what, and what to do. `state` is how bad it is by itself."""

    code: str
    message: str
    hint: str
    state: State = "broken"


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict. A broken reranker's rankings mean nothing; a suspect one's need a look."""

    state: State
    findings: tuple[HealthFinding, ...] = ()

    @classmethod
    def of(cls, findings: Iterable[HealthFinding]) -> Health:
        """The verdict from all findings: as bad as the worst."""
        collected = tuple(findings)
        worst: State = "healthy"
        for finding in collected:
            worst = max(worst, finding.state, key=lambda state: _GRAVITY[state])
        return cls(worst, collected)


_known: dict[str, Health] = {}
_guard = threading.Lock()


def check(reranker: Reranker, ctx: Context) -> Health:
    """Check a reranker, once a fingerprint and process.

    Loads the model. Rerankers that cost money a call, or give no scores, are left unchecked.
    Raises Cancelled or DeadlineExceeded; any other failure is a finding.
    """
    unchecked = _why_unchecked(reranker)
    if unchecked is not None:
        return Health.of(unchecked)
    quiet = replace(ctx, cache=None, progress=lambda _: None)
    try:
        reranker.load(ctx)
        key = reranker.fingerprint()
    except ModelUnavailable as error:
        return Health.of([_unavailable(reranker, error)])
    with _guard:
        known = _known.get(key)
    if known is None:
        known = Health.of(_examine(reranker, quiet))
        with _guard:
            _known[key] = known
    return known


def compare_with_first_stage(pairs: Iterable[tuple[Ranking, Ranking]]) -> HealthFinding | None:
    """A finding when the reranker never changed the order of what it was given.

    `pairs` are (first stage, reranked) rankings of different queries; those with fewer than three
    scored documents say nothing. A single query can agree by chance; from two on it is suspect.
    """
    seen = 0
    for first, reranked in pairs:
        ids = [hit.doc_id for hit in reranked if hit.score is not None]
        if len(ids) < 3:
            continue
        seen += 1
        if [doc_id for doc_id in first.doc_ids if doc_id in set(ids)] != ids:
            return None
    if seen < 2:
        return None
    return HealthFinding(
        "first-stage-order",
        f"It left the order of the first stage as it was for all {seen} queries.",
        "Check that scores differ at all, and that higher means more relevant.",
        "suspect",
    )


def _why_unchecked(reranker: Reranker) -> list[HealthFinding] | None:
    if not reranker.info.has_model:  # nothing that could be broken
        return []
    if reranker.info.key_variable or reranker.info.lane != "cpu":
        reason = "Checking it would send requests that may cost money."
    elif reranker.info.scale == "order":
        reason = "It gives an order without scores, which this check does not read."
    elif not reranker.scores_alone:
        reason = "Its scores depend on what stands beside a document: this check reads others."
    else:
        return None
    return [
        HealthFinding("unchecked", reason, "Compare it on judged queries instead.", "unchecked")
    ]


def _unavailable(reranker: Reranker, error: ModelUnavailable) -> HealthFinding:
    here = availability(str(reranker.options.get("model", ""))).state == "ready"
    state: State = "broken" if here else "unchecked"
    return HealthFinding("cannot-load" if here else "not-here", error.message, error.hint, state)


def _examine(reranker: Reranker, ctx: Context) -> list[HealthFinding]:
    findings = _standing(reranker)
    try:
        rows = [_scores(reranker, probe, _texts(i), ctx) for i, probe in enumerate(PROBES)]
        again = _scores(reranker, PROBES[0], _texts(0), ctx)
        turned = _scores(reranker, PROBES[0], _texts(0)[::-1][:-1], ctx)
    except (BackendError, ContractViolation) as error:
        return [*findings, HealthFinding("fails", error.message, error.hint)]
    except LabError:
        raise
    except Exception as error:
        message = f"It fails on plain questions: {type(error).__name__}: {error}"
        return [*findings, HealthFinding("fails", message, "See the details of the error.")]
    flat = [score for row in rows for score in row]
    spread = max(flat) - min(flat)
    squeezed = _squeezed(flat, spread)
    if squeezed is not None:
        return [*findings, squeezed]
    if _reads_english(reranker):
        findings += _sanity(rows)
    if not _same(rows[0], again, spread):
        findings.append(_NOT_REPEATABLE)
    elif not _same(rows[0][1:][::-1], turned, spread):
        findings.append(_COMPANY)
    findings += _prefers_blank(reranker, rows, ctx)
    return findings


def _prefers_blank(
    reranker: Reranker, rows: Sequence[Sequence[float]], ctx: Context
) -> list[HealthFinding]:
    """What it would make of a text without words, which pipelines do not show it."""
    try:
        blank = reranker.score_of_text(PROBES[0].query, "", ctx)
    except Exception:  # it may refuse an empty text: nothing is ranked by that
        return []
    unrelated = max(rows[0][2:])
    if blank is None or not blank > unrelated:
        return []
    return [
        HealthFinding(
            "prefers-blank",
            f"It scores a text without words {blank:.2f}, above texts on other matters "
            f"({unrelated:.2f}).",
            "Documents without text come last in every pipeline here; where you use it elsewhere, "
            "leave them out.",
            "healthy",
        )
    ]


def _texts(number: int) -> list[str]:
    """The probe's answer and decoy, then answers to other questions."""
    probe = PROBES[number]
    others = [PROBES[(number + step) % len(PROBES)].answer for step in range(1, _OTHERS + 1)]
    return [probe.answer, probe.decoy, *others]


def _scores(
    reranker: Reranker, probe: ProbeQuestion, texts: Sequence[str], ctx: Context
) -> list[float]:
    docs = [Document(str(i), text) for i, text in enumerate(texts)]
    ranking = reranker.rerank(Query.of(probe.query), docs, ctx).ranking
    by_id = {hit.doc_id: hit.score for hit in ranking}
    scores = [by_id[doc.id] for doc in docs]
    return [math.nan if score is None else score for score in scores]


def _squeezed(scores: Sequence[float], spread: float) -> HealthFinding | None:
    largest = max(abs(score) for score in scores)
    if spread <= 1e-6 * max(1.0, largest):
        return HealthFinding(
            "constant",
            "Every document gets the same score, whatever the question.",
            "A softmax over one output, or weights that were not loaded, does this.",
        )
    distinct = len({round(score / (_SAME * spread)) for score in scores})
    if distinct * 2 < len(scores):
        return HealthFinding(
            "saturated",
            f"{len(scores)} different texts share {distinct} scores.",
            "Look for a sigmoid applied twice, or a number format too coarse for the head.",
        )
    return None


def _sanity(rows: Sequence[Sequence[float]]) -> list[HealthFinding]:
    wins = sum(row[0] > row[1] for row in rows)
    against_others = sum(row[0] > other for row in rows for other in row[2:])
    easy = against_others / (len(rows) * _OTHERS)
    counted = (
        f"the answer came above a passage that only repeats its words in {wins} of {len(rows)}"
    )
    if easy < 1 - _RANDOM_SHARE and wins < _WEAK_WINS:
        return [
            HealthFinding(
                "reversed",
                f"Its order is upside down on small questions: {counted}.",
                "Its scores may mean distance, or the wrong label is read.",
            )
        ]
    if easy < _RANDOM_SHARE:
        return [
            HealthFinding(
                "near-random",
                f"Its order is close to chance on small questions: {counted}.",
                "The head may be untrained, or the model needs a template that it was not given.",
            )
        ]
    if easy < _WEAK_SHARE or wins < _WEAK_WINS:
        return [
            HealthFinding(
                "weak",
                f"It is weak on small questions: {counted}.",
                "Look at a few of its rankings before trusting its averages.",
                "suspect",
            )
        ]
    return []


def _reads_english(reranker: Reranker) -> bool:
    entry = catalogue().get(str(reranker.options.get("model", "")))
    return entry is None or not entry.languages or bool({"en", "multilingual"} & {*entry.languages})


def _standing(reranker: Reranker) -> list[HealthFinding]:
    note = str(getattr(reranker, "note", ""))
    if not note:
        return []
    entry = catalogue().get(str(reranker.options.get("model", "")))
    return [HealthFinding("standing", note, entry.note if entry else "", "suspect")]


def _same(one: Sequence[float], other: Sequence[float], spread: float) -> bool:
    return all(abs(a - b) <= _SAME * spread for a, b in zip(one, other, strict=True))


_NOT_REPEATABLE = HealthFinding(
    "not-repeatable",
    "The same question and documents got other scores the second time.",
    "Look for dropout left on, or weights drawn anew at each load.",
    "suspect",
)
_COMPANY = HealthFinding(
    "depends-on-company",
    "A document's score depends on which others it is scored with, or on their order.",
    "Scores of such a model cannot be cached or compared between runs of different depth.",
    "suspect",
)
