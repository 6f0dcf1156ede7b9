"""Effectiveness measures from ranks and judgments, as ir_measures computes them.

Names follow ir_measures: `nDCG@10`, `RR@10`, `AP`, `P(rel=2)@5`, `Judged@10`, ... A higher value is
better; unjudged documents count as not relevant, as in trec_eval, and `Judged@k` says how many of
the first k were judged at all. The usual measures are computed here for all queries at once (see
`array_measures`), as is `IPrec` (see `_interpolated_precision`); ir_measures computes the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from subprocess import SubprocessError
from typing import Any

import numpy as np

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Qrels, Ranking
from rerank_lab.evaluation.array_measures import computable, measured_together
from rerank_lab.evaluation.measure_names import MAX_GRADE, check_grades, parse_measures

DEFAULT_MEASURES = ("nDCG@10", "RR@10", "AP", "P@5", "P@10", "R@10", "R@100", "Judged@10")
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
        """The shape that `measure --json` prints."""
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
    return PreparedJudgments.of(qrels, measures).measure(rankings, averaging)


@dataclass(frozen=True, slots=True)
class PreparedJudgments:
    """Judgments and measures that are read once, for several runs.

    Attributes:
        qrels: of the queries that are judged; how far below 0 a grade is says nothing.
        parsed: measures of ir_measures, by name.
    """

    qrels: Mapping[str, Mapping[str, int]]
    parsed: Mapping[str, Any]

    @classmethod
    def of(cls, qrels: Qrels, measures: Sequence[str]) -> PreparedJudgments:
        """Raises InvalidInput for names that do not exist or cannot be computed here."""
        parsed = parse_measures(measures)
        judged = {
            q: {d: int(g) for d, g in grades.items()} for q, grades in qrels.items() if grades
        }
        return cls(judged, parsed)

    def measure(
        self, rankings: Mapping[str, Ranking], averaging: Averaging = Averaging()
    ) -> Measured:
        """The measures of a run (by query id).

        Raises:
            InvalidInput: no query of it is judged, or a grade is above what a measure takes.
        """
        judged = self.qrels
        missing = tuple(q for q in judged if q not in rankings)
        unjudged = tuple(q for q in rankings if q not in judged)
        counted = {q: g for q, g in judged.items() if averaging.complete or q in rankings}
        check_grades(counted, self.parsed)
        if len(missing) == len(judged):
            raise InvalidInput(
                f"None of the {len(rankings):,} ranked queries is among the {len(judged):,} judged "
                "ones.",
                hint="Check that run and judgments use the same query ids.",
            )
        order = _trec_order if averaging.trec_order else _rank_order
        run = {q: order(rankings[q]) for q in counted if q in rankings}
        per_query = _per_query(counted, run, self.parsed)
        return Measured(_means(per_query, self.parsed), per_query, missing, unjudged)


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
    return dict(measure({query_id: grades}, {query_id: ranking}, names).per_query[query_id])


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

    `candidates` are the ids that the first stage retrieved (default: those in the ranking).
    """
    best = ceiling(grades, ranking.doc_ids if candidates is None else candidates, name)
    return None if best is None else best - query_measures(grades, ranking, [name])[name]


def _per_query(
    qrels: Mapping[str, Mapping[str, int]],
    run: Mapping[str, Sequence[str]],
    parsed: Mapping[str, Any],
) -> dict[str, dict[str, float]]:
    """Values by query and measure. Queries that `run` lacks or has empty retrieved nothing."""
    every = {query_id: run.get(query_id, ()) for query_id in qrels}
    retrieved = {query_id: doc_ids for query_id, doc_ids in every.items() if doc_ids}
    distinct = dict.fromkeys(parsed.values())
    together = [one for one in distinct if computable(one)]
    own = [one for one in distinct if one.NAME == "IPrec"]
    rest = set(distinct).difference(together, own)
    from_qrels = {one for one in rest if one.NAME in _FROM_QRELS}
    values: dict[Any, Mapping[str, float]] = {one: {} for one in distinct}
    columns = measured_together(together, [qrels[q] for q in retrieved], [*retrieved.values()])
    for one, column in zip(together, columns, strict=True):
        values[one] = dict(zip(retrieved, column, strict=True))
    for one in own:
        values[one] = {
            query_id: _interpolated_precision(grades, every[query_id], one)
            for query_id, grades in qrels.items()
        }
    for group, ranked in ((rest - from_qrels, retrieved), (from_qrels, every)):
        if group:
            values |= _calculate(sorted(group, key=str), qrels, ranked)
    # Accuracy has no value where nothing relevant was retrieved: it takes that of an empty run.
    columns_of = [(name, values[one], float(one.DEFAULT)) for name, one in parsed.items()]
    return {
        query_id: {name: column.get(query_id, default) for name, column, default in columns_of}
        for query_id in qrels
    }


def _calculate(
    group: list[Any],
    qrels: Mapping[str, Mapping[str, int]],
    run: Mapping[str, Sequence[str]],
) -> dict[Any, dict[str, float]]:
    """By measure, the value of each query, by ir_measures.

    Queries and documents are numbered for the call: trec_eval ends an id at a NUL, and gdeval
    splits ids at spaces and takes numeric ones only.
    """
    import ir_measures

    if not run:  # some providers divide by the number of queries
        return {one: dict.fromkeys(qrels, float(one.DEFAULT)) for one in group}
    query_ids = {str(number): query_id for number, query_id in enumerate(qrels, 1)}
    graded, scored = {}, {}
    for number, query_id in query_ids.items():
        ranked = run.get(query_id, ())
        doc_ids = dict.fromkeys((*qrels[query_id], *ranked))
        numbers = {doc_id: str(place) for place, doc_id in enumerate(doc_ids, 1)}
        # trec_eval reads outside its memory for a query whose grades are all below 0.
        lowest = 0 if max(qrels[query_id].values()) < 0 else -MAX_GRADE
        graded[number] = {numbers[d]: max(lowest, grade) for d, grade in qrels[query_id].items()}
        if query_id in run:
            # Scores n..1, exact as 32-bit floats, so that no tie rule of any tool has a say.
            scored[number] = {
                numbers[doc_id]: float(len(ranked) - place) for place, doc_id in enumerate(ranked)
            }
    try:
        metrics = list(ir_measures.iter_calc(group, graded, scored))
    except (OSError, RuntimeError, ValueError, ArithmeticError, SubprocessError) as error:
        raise InvalidInput(
            f"{', '.join(map(str, group))} cannot be computed here: {error}.",
            hint="Leave out the measure that needs a program or package that is not installed.",
        ) from error
    values: dict[Any, dict[str, float]] = {one: {} for one in group}
    for metric in metrics:
        values[metric.measure][query_ids[metric.query_id]] = float(metric.value)
    return values


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


def _rank_order(ranking: Ranking) -> tuple[str, ...]:
    return ranking.doc_ids


def _trec_order(ranking: Ranking) -> tuple[str, ...]:
    """As trec_eval sorts; where a document has no score, ranks are all there is to go by."""
    scored = [
        (np.float32(score), doc_id.encode())
        for doc_id, score in zip(ranking.doc_ids, ranking.scores, strict=True)
        if score is not None
    ]
    if len(scored) < len(ranking):
        return ranking.doc_ids
    return tuple(doc_id.decode() for _, doc_id in sorted(scored, reverse=True))
