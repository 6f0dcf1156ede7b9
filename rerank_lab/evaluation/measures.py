"""Effectiveness measures, computed by ir_measures from ranks and judgments.

Names follow ir_measures: `nDCG@10`, `RR@10`, `AP`, `P(rel=2)@5`, `Judged@10`, ... A higher value is
better; unjudged documents count as not relevant, as in trec_eval, and `Judged@k` says how many of
the first k were judged at all. `IPrec` alone is computed here: see `_interpolated_precision`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from rerank_lab.core.errors import InvalidInput, nearest
from rerank_lab.core.types import Qrels, Ranking

DEFAULT_MEASURES = ("nDCG@10", "RR@10", "AP", "P@5", "P@10", "R@10", "R@100", "Judged@10")
_HINT = "Write measures as nDCG@10, RR@10, AP, P@5, P(rel=2)@10, R@100, Success@1 or Judged@10."
_FROM_QRELS = ("NumQ", "NumRel")
"""Measures that a query has even when nothing was retrieved for it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over queries, and each query's values; floats as computed, not rounded.

    `missing` are judged queries that have no ranking: with `complete` they count as an empty
    answer, else they are left out. `unjudged` are ranked queries without any judgment: they are
    never part of a mean.
    """

    measures: Mapping[str, float]
    per_query: Mapping[str, Mapping[str, float]]
    missing: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        per_query = {query_id: dict(values) for query_id, values in self.per_query.items()}
        return {"measures": dict(self.measures), "per_query": per_query}


@dataclass(frozen=True, slots=True)
class Averaging:
    """Which queries a mean is over, and what decides the order of tied documents.

    complete: True averages over every judged query, one without a ranking counting as an empty
    answer (`trec_eval -c`, and ir_measures' own way); False over the judged queries that have a
    ranking (`trec_eval`). trec_order: False takes the ranks as they are; True sorts anew as
    trec_eval does, by 32-bit score and then document id, both descending, for run files whose
    scores say more than their ranks.
    """

    complete: bool = True
    trec_order: bool = False


def measure(
    qrels: Qrels,
    rankings: Mapping[str, Ranking],
    measures: Sequence[str] = DEFAULT_MEASURES,
    averaging: Averaging = Averaging(),
) -> Measured:
    """The measures of rankings (by query id) against judgments, per query and as means.

    Raises InvalidInput for measure names that do not exist or cannot be computed here (all at
    once), and when not one ranked query is judged.
    """
    parsed = parse_measures(measures)
    judged = {q: {d: int(g) for d, g in grades.items()} for q, grades in qrels.items() if grades}
    missing = tuple(q for q in judged if q not in rankings)
    unjudged = tuple(q for q in rankings if q not in judged)
    counted = {q: g for q, g in judged.items() if averaging.complete or q in rankings}
    if len(missing) == len(judged):
        raise InvalidInput(
            f"None of the {len(rankings):,} ranked queries is among the {len(judged):,} judged "
            "ones.",
            hint="Check that run and judgments use the same query ids.",
        )
    order = _trec_order if averaging.trec_order else _rank_order
    run = {q: order(rankings[q]) for q in counted if q in rankings}
    per_query = _per_query(counted, run, parsed)
    return Measured(_means(per_query, parsed), per_query, missing, unjudged)


def parse_measures(names: Iterable[str]) -> dict[str, Any]:
    """ir_measures objects by the names given. Raises InvalidInput naming every bad one."""
    parsed: dict[str, Any] = {}
    problems: list[str] = []
    for name in names:
        found, problem = _parse(name.strip())
        if problem:
            problems.append(problem)
        else:
            parsed[name.strip()] = found
    if problems:
        raise InvalidInput("; ".join(problems) + ".", hint=_HINT, problems=problems)
    if not parsed:
        raise InvalidInput("No measure is named.", hint=_HINT)
    return parsed


def average(per_query: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> dict[str, float]:
    """The means (or sums, for counts such as NumRet) of values already measured."""
    return _means(per_query, parse_measures(names))


def query_measures(
    grades: Mapping[str, int], ranking: Ranking, names: Sequence[str] = DEFAULT_MEASURES
) -> dict[str, float]:
    """The measures of one ranking, given the grades of its query; none when nothing is judged."""
    if not grades:
        return {}
    query_id = ranking.query_id
    done = measure({query_id: grades}, {query_id: ranking}, names)
    return dict(done.per_query[query_id])


def ceiling(
    grades: Mapping[str, int], candidates: Iterable[str], name: str = "nDCG@10"
) -> float | None:
    """The best value that any reranker could reach with these candidates.

    That of the candidates in order of their grades, against all that is judged for the query:
    below 1 when the first stage missed relevant documents. None when nothing is judged.
    """
    if not grades:
        return None
    unique = list(dict.fromkeys(candidates))
    ideal = sorted(unique, key=lambda doc_id: -grades.get(doc_id, 0))
    return query_measures(grades, Ranking.from_order("q", ideal), [name])[name]


def headroom(
    grades: Mapping[str, int],
    ranking: Ranking,
    candidates: Iterable[str] | None = None,
    name: str = "nDCG@10",
) -> float | None:
    """How much a perfect reranker of the same candidates would add to this ranking's value.

    `candidates` are the ids that the first stage found (default: those in the ranking).
    """
    best = ceiling(grades, ranking.doc_ids if candidates is None else candidates, name)
    return None if best is None else best - query_measures(grades, ranking, [name])[name]


def _per_query(
    qrels: Mapping[str, Mapping[str, int]],
    run: Mapping[str, Mapping[str, float]],
    parsed: Mapping[str, Any],
) -> dict[str, dict[str, float]]:
    """Values by query and measure. Queries absent from `run`, or empty there, found nothing."""
    values: dict[str, dict[str, float]] = {query_id: {} for query_id in qrels}
    from_qrels = {m for m in parsed.values() if m.NAME in _FROM_QRELS}
    found = {q: dict(scores) for q, scores in run.items() if scores}
    asked = {q: found.get(q, {}) for q in qrels}
    names: dict[Any, list[str]] = {}
    for name, one in parsed.items():
        names.setdefault(one, []).append(name)
    own = {m for m in parsed.values() if m.NAME == "IPrec"}
    for one in own:
        for query_id, grades in qrels.items():
            value = _interpolated_precision(grades, list(asked[query_id]), one)
            values[query_id].update(dict.fromkeys(names[one], value))
    for group, ranked in ((names.keys() - from_qrels - own, found), (from_qrels, asked)):
        if not group:
            continue
        for metric in _calculate(sorted(group, key=str), qrels, ranked):
            for name in names[metric.measure]:
                values[metric.query_id][name] = float(metric.value)
    return {q: {name: found[name] for name in parsed} for q, found in values.items()}


def _calculate(
    group: list[Any], qrels: Mapping[str, Mapping[str, int]], run: dict[str, dict[str, float]]
) -> list[Any]:
    import ir_measures

    if not run:  # some providers divide by the number of queries
        return [ir_measures.Metric(q, one, one.DEFAULT) for q in qrels for one in group]
    try:
        return list(ir_measures.iter_calc(group, {q: dict(g) for q, g in qrels.items()}, run))
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidInput(
            f"{', '.join(map(str, group))} cannot be computed here: {error}.",
            hint="Leave out the measure that needs a program or package that is not installed.",
        ) from error


def _interpolated_precision(grades: Mapping[str, int], ranked: Sequence[str], one: Any) -> float:
    """The best precision at or below the rank where the given recall is reached.

    The number of relevant documents for that recall is rounded half up, as trec_eval does; the
    package under ir_measures carries an older trec_eval that adds 0.9 instead.
    """
    if one["judged_only"] is True:
        ranked = [doc_id for doc_id in ranked if doc_id in grades]
    relevant = {doc_id for doc_id, grade in grades.items() if grade >= one["rel"]}
    at = [rank for rank, doc_id in enumerate(ranked, 1) if doc_id in relevant]
    precisions = [place / rank for place, rank in enumerate(at, 1)]
    needed = max(1, int(one["recall"] * len(relevant) + 0.5))
    return max(precisions[needed - 1 :], default=0.0)


def _means(
    per_query: Mapping[str, Mapping[str, float]], parsed: Mapping[str, Any]
) -> dict[str, float]:
    means: dict[str, float] = {}
    for name, one in parsed.items():
        total = one.aggregator()
        for values in per_query.values():
            total.add(values[name])
        means[name] = float(total.result())
    return means


@lru_cache(maxsize=256)
def _parse(name: str) -> tuple[Any, str]:
    """The measure, or what is wrong with its name."""
    import ir_measures

    known = ir_measures.measures.registry
    try:
        parsed = ir_measures.parse_measure(name)
        supported = ir_measures.DefaultPipeline.supports(parsed)
    except NameError:
        word = name.split("@")[0].split("(")[0].strip()
        near = nearest(word, known) or _ignoring_case(word, known)
        return None, f"there is no measure {name!r}{near}"
    except (ValueError, TypeError, AssertionError, KeyError) as error:
        return None, f"the measure {name!r} cannot be read ({_reason(error)})"
    return (parsed, "") if supported else (None, f"{name!r} needs a package that is not installed")


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no option {error}"
    text = str(error).partition("=<")[0]
    return "it needs a cutoff, as in P@10" if text.startswith("invalid param cutoff") else text


def _ignoring_case(word: str, known: Iterable[str]) -> str:
    same = [name for name in known if name.casefold() == word.casefold()]
    return f"; did you mean {same[0]}?" if same else ""


def _rank_order(ranking: Ranking) -> dict[str, float]:
    return _decreasing(ranking.doc_ids)


def _trec_order(ranking: Ranking) -> dict[str, float]:
    """As trec_eval sorts; where a document has no score, ranks are all there is to go by."""
    scored = [(hit.doc_id, hit.score) for hit in ranking.hits if hit.score is not None]
    if len(scored) < len(ranking):
        return _rank_order(ranking)
    rows = sorted(((np.float32(score), doc_id.encode()) for doc_id, score in scored), reverse=True)
    return _decreasing([doc_id.decode() for _, doc_id in rows])


def _decreasing(doc_ids: Sequence[str]) -> dict[str, float]:
    """Scores n..1, exact as 32-bit floats, so that no tie rule of any tool has a say."""
    return {doc_id: float(len(doc_ids) - place) for place, doc_id in enumerate(doc_ids)}
