"""How far judges agree, beyond what they would by chance.

Cohen's kappa (Educational and Psychological Measurement 20, 1960) and its weighted forms (Cohen,
Psychological Bulletin 70, 1968) for two judges come from scikit-learn, Fleiss' kappa (Psychological
Bulletin 76, 1971) for pairs that every judge graded from statsmodels, Krippendorff's alpha
("Content Analysis", 2004, chapter 11) for any number of judges and any gaps from the krippendorff
package.
Intervals are percentiles of a bootstrap over queries, since the grades of one query depend on each
other. In the resamples all coefficients are computed at once, from sums over queries.

"Cannot tell" is no grade. A coefficient that the grades do not define has no value and says why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.errors import InvalidInput

Pair = tuple[str, str]
"""A query id and a document id."""
Grades = Mapping[Pair, int | None]
"""What one judge said; None for "cannot tell"."""
Floats = NDArray[np.floating[Any]]
_Statistic = Callable[[Floats], Floats]
"""From sums over queries, [resamples, ...], to values, [resamples]; NaN where undefined."""
_Distance = Literal["nominal", "ordinal", "interval"]

_NO_OVERLAP = "No pair was graded by two judges."
_NOT_BY_ALL = "No pair was graded by every judge."
_ONE_GRADE = "All grades are the same, so agreement by chance would be complete."


@dataclass(frozen=True, slots=True)
class AgreementSettings:
    """How agreement is computed.

    Attributes:
        grades: the values of the scale, ascending.
        level: of the intervals.
        resamples: of the bootstrap.
        seed: same input and seed, same intervals.
        over: what is drawn anew: whole queries, or single pairs where queries do not matter.
        each_two: whether more than two judges are compared two by two as well.
    """

    grades: tuple[int, ...] = (0, 1, 2, 3)
    level: float = 0.95
    resamples: int = 2000
    seed: int = 0
    over: Literal["query", "pair"] = "query"
    each_two: bool = True


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A coefficient of agreement with its interval.

    Attributes:
        value: None where the grades do not define it; `reason` says why.
        low, high: the interval; None where there are fewer than two queries to draw from, or where
            most resamples leave the coefficient undefined.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class TwoJudges:
    """Two judges on the pairs that both graded.

    Attributes:
        pairs: how many both graded.
        confusion: rows for the grades of `a`, columns for those of `b`, in the order of the scale.
        measures: "observed_agreement", "cohen_kappa", "cohen_kappa_linear",
            "cohen_kappa_quadratic".
        bias: the mean of b's grade minus a's; None where they share no pair.
    """

    a: str
    b: str
    pairs: int
    confusion: tuple[tuple[int, ...], ...]
    measures: Mapping[str, Coefficient]
    bias: float | None


@dataclass(frozen=True, slots=True)
class DisputedPair:
    """A pair with different grades, for adjudication. `gap` is the highest less the lowest."""

    query_id: str
    doc_id: str
    grades: Mapping[str, int]
    gap: int


@dataclass(frozen=True)
class JudgeAgreement:
    """How far judges agree.

    Attributes:
        judges: by name, how many grades each gave.
        cannot_tell: by name, for how many pairs each could not tell.
        pairs: pairs graded by two judges or more.
        measures: the coefficients of `TwoJudges` where there are two judges, "fleiss_kappa",
            "krippendorff_alpha" (ordinal, for grades), "krippendorff_alpha_nominal" and
            "krippendorff_alpha_interval".
        between: each two judges; empty for more than two where the settings say so.
        disputed: pairs with different grades, the widest gap first.
    """

    judges: Mapping[str, int]
    cannot_tell: Mapping[str, int]
    pairs: int
    measures: Mapping[str, Coefficient]
    between: tuple[TwoJudges, ...]
    disputed: tuple[DisputedPair, ...]


def agreement(
    by_judge: Mapping[str, Grades], settings: AgreementSettings = AgreementSettings()
) -> JudgeAgreement:
    """Compare the grades of judges.

    Raises:
        InvalidInput: a grade is none of the scale's.
    """
    graded = {judge: _only_grades(grades, settings) for judge, grades in by_judge.items()}
    by_pair: dict[Pair, dict[str, int]] = defaultdict(dict)
    for judge, grades in graded.items():
        for pair, grade in grades.items():
            by_pair[pair][judge] = grade
    shared = {pair: grades for pair, grades in sorted(by_pair.items()) if len(grades) > 1}
    between = tuple(
        two_judges((a, graded[a]), (b, graded[b]), settings)
        for a, b in combinations(graded, 2)
        if settings.each_two or len(graded) == 2
    )
    if len(graded) == 2:
        measures = dict(between[0].measures)
    else:
        reason = "It compares two judges; see each two of them." if graded else "Nothing is graded."
        reason = "There is one judge." if len(graded) == 1 else reason
        names = ("observed_agreement", *(name for name, _ in _COHEN))
        measures = {name: Coefficient(None, reason=reason) for name in names}
    measures["fleiss_kappa"] = _fleiss(shared, len(graded), settings)
    for name, distance in _ALPHA:
        measures[name] = _alpha(shared, distance, settings)
    return JudgeAgreement(
        judges={judge: len(grades) for judge, grades in graded.items()},
        cannot_tell={j: sum(g is None for g in grades.values()) for j, grades in by_judge.items()},
        pairs=len(shared),
        measures=measures,
        between=between,
        disputed=_disputed(shared),
    )


def two_judges(
    first: tuple[str, Grades],
    second: tuple[str, Grades],
    settings: AgreementSettings = AgreementSettings(),
) -> TwoJudges:
    """Compare two judges, each a name with grades, on the pairs that both graded.

    Raises:
        InvalidInput: a grade is none of the scale's.
    """
    (a, of_a), (b, of_b) = first, second
    grades_a, grades_b = _only_grades(of_a, settings), _only_grades(of_b, settings)
    pairs = sorted(grades_a.keys() & grades_b.keys())
    x, y = [grades_a[pair] for pair in pairs], [grades_b[pair] for pair in pairs]
    place = {grade: number for number, grade in enumerate(settings.grades)}
    cells = np.zeros((len(pairs), len(place), len(place)))
    for row, (one, other) in enumerate(zip(x, y, strict=True)):
        cells[row, place[one], place[other]] = 1
    measures = {"observed_agreement": _observed(pairs, cells, settings)}
    for name, weights in _COHEN:
        measures[name] = _cohen(pairs, x, y, cells, weights, settings)
    confusion = tuple(tuple(int(cell) for cell in row) for row in cells.sum(axis=0))
    bias = float(np.mean(np.subtract(y, x))) if pairs else None
    return TwoJudges(a, b, len(pairs), confusion, measures, bias)


_COHEN: tuple[tuple[str, Literal["linear", "quadratic"] | None], ...] = (
    ("cohen_kappa", None),
    ("cohen_kappa_linear", "linear"),
    ("cohen_kappa_quadratic", "quadratic"),
)
_ALPHA: tuple[tuple[str, _Distance], ...] = (
    ("krippendorff_alpha", "ordinal"),
    ("krippendorff_alpha_nominal", "nominal"),
    ("krippendorff_alpha_interval", "interval"),
)


def _only_grades(grades: Grades, settings: AgreementSettings) -> dict[Pair, int]:
    """Without "cannot tell". Raises InvalidInput for a grade outside the scale."""
    graded = {pair: grade for pair, grade in grades.items() if grade is not None}
    odd = next((pair for pair, grade in graded.items() if grade not in settings.grades), None)
    if odd is not None:
        scale = ", ".join(map(str, settings.grades))
        raise InvalidInput(
            f"Document {odd[1]!r} has grade {graded[odd]} for query {odd[0]!r}; the scale has "
            f"{scale}.",
            hint="Compare judges who used one scale, or choose the scale that has this grade.",
        )
    return graded


def _disputed(shared: Mapping[Pair, Mapping[str, int]]) -> tuple[DisputedPair, ...]:
    disputed = [
        DisputedPair(*pair, grades, max(grades.values()) - min(grades.values()))
        for pair, grades in shared.items()
        if len(set(grades.values())) > 1
    ]
    return tuple(sorted(disputed, key=lambda pair: -pair.gap))


def _observed(pairs: Sequence[Pair], cells: Floats, settings: AgreementSettings) -> Coefficient:
    if not pairs:
        return Coefficient(None, reason=_NO_OVERLAP)
    value = float(cells.trace(axis1=1, axis2=2).mean())

    def share(tables: Floats) -> Floats:
        agreed: Floats = tables.trace(axis1=1, axis2=2) / tables.sum(axis=(1, 2))
        return agreed

    return Coefficient(value, *_interval(pairs, cells, share, settings))


def _cohen(
    pairs: Sequence[Pair],
    x: Sequence[int],
    y: Sequence[int],
    cells: Floats,
    weights: Literal["linear", "quadratic"] | None,
    settings: AgreementSettings,
) -> Coefficient:
    """Cohen's kappa. Weights go by the places of the grades in the scale, as usual."""
    from sklearn.metrics import cohen_kappa_score

    if not pairs:
        return Coefficient(None, reason=_NO_OVERLAP)
    if len({*x, *y}) == 1:
        return Coefficient(None, reason=_ONE_GRADE)
    labels = list(settings.grades)
    value = float(cohen_kappa_score(x, y, labels=labels, weights=weights))
    gaps = np.abs(np.subtract.outer(np.arange(len(labels)), np.arange(len(labels))))
    costs = {None: gaps > 0, "linear": gaps, "quadratic": gaps**2}[weights].astype(float)

    def kappa(tables: Floats) -> Floats:
        expected = tables.sum(axis=2)[:, :, None] * tables.sum(axis=1)[:, None, :]
        total = tables.sum(axis=(1, 2))
        by_chance = (expected * costs).sum(axis=(1, 2)) / total
        return _one_minus((tables * costs).sum(axis=(1, 2)), by_chance)

    return Coefficient(value, *_interval(pairs, cells, kappa, settings))


def _fleiss(
    shared: Mapping[Pair, Mapping[str, int]], judges: int, settings: AgreementSettings
) -> Coefficient:
    from statsmodels.stats.inter_rater import fleiss_kappa

    by_all = {pair: grades for pair, grades in shared.items() if len(grades) == judges}
    if not by_all:
        return Coefficient(None, reason=_NOT_BY_ALL if judges > 1 else _NO_OVERLAP)
    counts = _counts(by_all, settings)
    if np.count_nonzero(counts.sum(axis=0)) == 1:
        return Coefficient(None, reason=_ONE_GRADE)
    agreeing = ((counts**2).sum(axis=1) - judges) / (judges * (judges - 1))
    sums = np.column_stack((counts, 1 - agreeing))

    def kappa(totals: Floats) -> Floats:
        subjects = totals[:, :-1].sum(axis=1) / judges
        shares = totals[:, :-1] / (subjects * judges)[:, None]
        return _one_minus(totals[:, -1] / subjects, 1 - (shares**2).sum(axis=1))

    value = float(fleiss_kappa(counts))
    return Coefficient(value, *_interval(list(by_all), sums, kappa, settings))


def _alpha(
    shared: Mapping[Pair, Mapping[str, int]], distance: _Distance, settings: AgreementSettings
) -> Coefficient:
    import krippendorff

    if not shared:
        return Coefficient(None, reason=_NO_OVERLAP)
    counts = _counts(shared, settings)
    if np.count_nonzero(counts.sum(axis=0)) == 1:
        return Coefficient(None, reason=_ONE_GRADE)
    value = float(
        krippendorff.alpha(
            value_counts=counts,
            value_domain=list(settings.grades),
            level_of_measurement=distance,
        )
    )
    diagonal = np.eye(len(settings.grades)) * counts[:, None, :]
    together = counts[:, :, None] * counts[:, None, :] - diagonal
    coincidences = together / (counts.sum(axis=1) - 1)[:, None, None]

    def alpha(tables: Floats) -> Floats:
        margins = tables.sum(axis=2)
        squared = _distances(margins, distance, settings.grades)
        pairs = margins[:, :, None] * margins[:, None, :]
        by_chance = (pairs * squared).sum(axis=(1, 2)) / (margins.sum(axis=1) - 1)
        return _one_minus((tables * squared).sum(axis=(1, 2)), by_chance)

    return Coefficient(value, *_interval(list(shared), coincidences, alpha, settings))


def _distances(margins: Floats, distance: _Distance, grades: Sequence[int]) -> Floats:
    """Krippendorff's squared distances of grades, [resamples or 1, grades, grades]."""
    if distance == "ordinal":
        between = np.cumsum(margins, axis=1) - margins / 2
    elif distance == "interval":
        between = np.array([grades], dtype=float)
    else:
        return (1 - np.eye(len(grades)))[None]
    squared: Floats = (between[:, :, None] - between[:, None, :]) ** 2
    return squared


def _counts(shared: Mapping[Pair, Mapping[str, int]], settings: AgreementSettings) -> Floats:
    """How many judges gave each grade: [pairs, grades]."""
    place = {grade: number for number, grade in enumerate(settings.grades)}
    width = len(place)
    cells = [
        number * width + place[grade]
        for number, grades in enumerate(shared.values())
        for grade in grades.values()
    ]
    counts = np.bincount(cells, minlength=len(shared) * width)
    return counts.reshape(len(shared), width).astype(float)


def _one_minus(observed: Floats, by_chance: Floats) -> Floats:
    """1 - observed / expected disagreement; NaN where none is expected."""
    possible = by_chance > 1e-12
    ratio = observed / np.where(possible, by_chance, 1)
    value: Floats = np.where(possible, 1 - ratio, np.nan)
    return value


def _interval(
    pairs: Sequence[Pair], parts: Floats, statistic: _Statistic, settings: AgreementSettings
) -> tuple[float | None, float | None]:
    """The bootstrap interval of a statistic of sums of `parts`, which has one entry a pair."""
    units = [pair[0] if settings.over == "query" else pair for pair in pairs]
    numbers = {unit: number for number, unit in enumerate(dict.fromkeys(units))}
    if len(numbers) < 2:
        return None, None
    places = np.fromiter((numbers[unit] for unit in units), np.int64, len(units))
    columns = parts.reshape(len(parts), -1)
    by_unit = np.stack(
        [np.bincount(places, column, len(numbers)) for column in columns.T], axis=1
    ).reshape(len(numbers), *parts.shape[1:])
    drawn = _draws(len(numbers), settings.resamples, settings.seed)
    values = statistic(np.tensordot(drawn, by_unit, axes=1))
    defined = values[~np.isnan(values)]
    if len(defined) < settings.resamples / 2:
        return None, None
    tail = (1 - settings.level) / 2
    low, high = np.quantile(defined, (tail, 1 - tail))
    return float(low), float(high)


@lru_cache(maxsize=2)
def _draws(units: int, resamples: int, seed: int) -> Floats:
    """How often each unit is drawn: [resamples, units]. The coefficients of a call share it."""
    generator = np.random.default_rng(seed)
    even = np.full(units, 1 / units)
    return generator.multinomial(units, even, resamples).astype(float)
