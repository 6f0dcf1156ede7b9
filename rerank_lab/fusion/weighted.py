"""Weighted sums of normalised scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from rerank_lab.components.base import Info, Param
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.types import Ranking
from rerank_lab.fusion.base import TOP, Fusion, summed

NORMALISERS = ("min-max", "z-score", "none")
_WEIGHTS_HINT = 'Write one weight for each source, such as weights="0.7,0.3".'


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
    return summed(rankings, parts, "weighted", limit, previous)


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
        """Weights that cannot be read, or do not go with the sources."""
        try:
            weights = parse_weights(str(self.options["weights"]))
            return list(weight_problems(weights, len(self.sources)))
        except InvalidInput as error:
            return [error]

    def fuse(self, rankings: Sequence[Ranking], previous: Sequence[str] = ()) -> Ranking:
        """Weighted sum of normalised scores; see `weighted`."""
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
