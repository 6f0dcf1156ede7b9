"""Rank fusion: several rankings of one query made into one. Pure, and blind to input order.

A document that a ranking lacks gets nothing from it. Sums are exact (`math.fsum`), so that the
order in which sources are named cannot change a result; ties go to the earlier place before the
fusion where there is one (a fusion of rerankers), else to the smaller document id.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.components.base import Component, Info, Param
from rerank_lab.core.errors import ContractViolation, InvalidInput, LabError
from rerank_lab.core.spec import Literal, Node
from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.rerankers.base import Work

NORMALISERS = ("min-max", "z-score", "none")
_WEIGHTS_HINT = 'Write one weight for each source, such as weights="0.7,0.3".'


def reciprocal_rank(
    rankings: Sequence[Ranking],
    k: int = 60,
    limit: int | None = None,
    previous: Sequence[str] = (),
) -> Ranking:
    """Sum of 1 / (k + rank) over the rankings that hold the document (Cormack et al. 2009)."""
    parts = [{hit.doc_id: 1 / (k + hit.rank) for hit in ranking} for ranking in rankings]
    return _sum(rankings, parts, "rrf", limit, previous)


def weighted(
    rankings: Sequence[Ranking],
    weights: Sequence[float] = (),
    normalise: str = "min-max",
    limit: int | None = None,
    previous: Sequence[str] = (),
) -> Ranking:
    """Weighted sum of normalised scores; weights are divided by their sum, and equal by default.

    `min-max` maps each ranking to 0..1, and a ranking whose scores are all equal to 1: a document
    at the bottom of a list gains no more than one that is absent. `z-score` subtracts the mean and
    divides by the standard deviation (population; 0 when all are equal): an absent document then
    counts like an average one of that list. `none` adds raw scores and is refused when the
    rankings' scales differ. Raises InvalidInput for that, for wrong weights and missing scores.
    """
    for problem in weight_problems(weights, len(rankings)):
        raise problem
    scales = sorted({ranking.scale for ranking in rankings if len(ranking)})
    if normalise == "none" and len(scales) > 1:
        raise InvalidInput(
            f"Scores on different scales ({', '.join(scales)}) cannot be added as they are.",
            hint='Choose a normaliser: normalise="min-max" or normalise="z-score".',
        )
    shares = [weight / math.fsum(weights) for weight in weights] or [1 / len(rankings)] * len(
        rankings
    )
    normaliser = _NORMALISERS[normalise]
    parts = [
        {doc_id: share * value for doc_id, value in normaliser(_scores(ranking)).items()}
        for ranking, share in zip(rankings, shares, strict=True)
    ]
    return _sum(rankings, parts, "weighted", limit, previous)


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a fusion that is a stage works on.

    `docs` are the documents that the stage before left, in the order of its ranking `before`;
    `rankings` what each source makes of them, in the order of the sources.
    """

    query: Query
    docs: tuple[Document, ...]
    before: Ranking
    rankings: tuple[Ranking, ...]


class Fusion(Component):
    """What the registered fusions have in common. Instant to construct, without state."""

    def __init__(self, sources: Sequence[Node] = (), **options: Literal) -> None:
        self.sources = tuple(sources)
        super().__init__(**options)

    def fingerprint(self) -> str:
        """What its results depend on beside sources and options, such as the digest of a model."""
        return self.weights_digest()

    def rerank(self, candidates: Candidates, work: Work) -> Ranking:
        """As a stage: one ranking of the candidates. Override to read more than rankings."""
        return self.fuse(candidates.rankings, candidates.before.doc_ids)

    def fuse(self, rankings: Sequence[Ranking], previous: Sequence[str] = ()) -> Ranking:
        """One ranking of at most `top` documents; ties go by place in `previous`, then by id.

        Raises InvalidInput for unusable options.
        """
        raise NotImplementedError


TOP = Param(
    "top",
    100,
    "First: how many of the fused documents are kept. As a stage: how many candidates it reranks.",
    low=1,
    high=10_000,
    unit="documents",
    label="Candidates",
)


class ReciprocalRankFusion(Fusion):
    """Reciprocal rank fusion: needs no scores, so any first stages go together."""

    info = Info(
        name="rrf",
        kind="fusion",
        family="fusion",
        summary="Adds up 1 / (k + rank): documents that several lists rank high come first.",
        scale="rrf",
        params=(
            TOP,
            Param(
                "k",
                60,
                "Larger values make top ranks count less against agreement between lists.",
                low=0,
                high=100_000,
                label="Rank constant k",
            ),
        ),
    )

    def fuse(self, rankings: Sequence[Ranking], previous: Sequence[str] = ()) -> Ranking:
        k, top = int(self.options["k"]), int(self.options["top"])
        return reciprocal_rank(rankings, k, top, previous)


class WeightedFusion(Fusion):
    """Weighted sum of normalised scores."""

    info = Info(
        name="weighted",
        kind="fusion",
        family="fusion",
        summary="Adds up normalised scores, each source with a weight of its own.",
        scale="weighted",
        params=(
            TOP,
            Param(
                "weights",
                "",
                "One number for each source, in their order: 0.7,0.3. Empty weighs all equally.",
                label="Weights",
            ),
            Param(
                "normalise",
                "min-max",
                "How scores become comparable: to 0..1, to mean 0 and deviation 1, or as they are.",
                choices=NORMALISERS,
                label="Normaliser",
            ),
        ),
    )

    def problems(self) -> list[LabError]:
        try:
            weights = parse_weights(str(self.options["weights"]))
            return list(weight_problems(weights, len(self.sources)))
        except InvalidInput as error:
            return [error]

    def fuse(self, rankings: Sequence[Ranking], previous: Sequence[str] = ()) -> Ranking:
        weights, normalise = parse_weights(str(self.options["weights"])), self.options["normalise"]
        return weighted(rankings, weights, str(normalise), int(self.options["top"]), previous)


def parse_weights(text: str) -> tuple[float, ...]:
    """`"0.7,0.3"` as numbers; empty text gives none. Raises InvalidInput."""
    if not text.strip():
        return ()
    try:
        return tuple(float(cell) for cell in text.split(","))
    except ValueError:
        raise InvalidInput(
            f"The weights {text!r} are not numbers separated by commas.", hint=_WEIGHTS_HINT
        ) from None


def weight_problems(weights: Sequence[float], sources: int) -> list[InvalidInput]:
    """What is wrong with `weights` for that many sources; none at all means equal weights."""
    problems = []
    if weights and len(weights) != sources:
        problems.append(
            InvalidInput(
                f"There are {len(weights)} weights for {sources} sources.", hint=_WEIGHTS_HINT
            )
        )
    if any(not math.isfinite(weight) or weight < 0 for weight in weights):
        problems.append(
            InvalidInput("Weights must be finite and not negative.", hint=_WEIGHTS_HINT)
        )
    elif weights and not math.fsum(weights):
        problems.append(InvalidInput("All weights are 0.", hint=_WEIGHTS_HINT))
    return problems


def _sum(
    rankings: Sequence[Ranking],
    parts: Sequence[Mapping[str, float]],
    scale: str,
    limit: int | None,
    previous: Sequence[str],
) -> Ranking:
    queries = sorted({ranking.query_id for ranking in rankings})
    if len(queries) != 1:
        raise ContractViolation(
            f"Fusion needs rankings of one query, not of {len(queries)}.",
            hint="Fuse the rankings of each query by themselves.",
        )
    terms: dict[str, list[float]] = defaultdict(list)
    for part in parts:
        for doc_id, value in part.items():
            terms[doc_id].append(value)
    scores = {doc_id: math.fsum(values) for doc_id, values in terms.items()}
    return Ranking.from_scores(queries[0], scores, scale, previous, limit)


def _scores(ranking: Ranking) -> dict[str, float]:
    scores = {hit.doc_id: hit.score for hit in ranking if hit.score is not None}
    if len(scores) != len(ranking):
        raise InvalidInput(
            f"A ranking with {len(ranking) - len(scores)} documents without a score cannot be "
            "weighted.",
            hint="Fuse by rank instead: rrf(...).",
        )
    return scores


def _min_max(scores: Mapping[str, float]) -> dict[str, float]:
    low, high = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
    if low == high:
        return dict.fromkeys(scores, 1.0)
    return {doc_id: (score - low) / (high - low) for doc_id, score in scores.items()}


def _z_score(scores: Mapping[str, float]) -> dict[str, float]:
    if not scores or min(scores.values()) == max(scores.values()):
        return dict.fromkeys(scores, 0.0)
    mean = math.fsum(scores.values()) / len(scores)
    variance = math.fsum((score - mean) ** 2 for score in scores.values()) / len(scores)
    if not variance:  # closer together than squares of doubles can tell
        return dict.fromkeys(scores, 0.0)
    return {doc_id: (score - mean) / math.sqrt(variance) for doc_id, score in scores.items()}


_NORMALISERS: Mapping[str, Callable[[Mapping[str, float]], dict[str, float]]] = {
    "min-max": _min_max,
    "z-score": _z_score,
    "none": dict,
}
