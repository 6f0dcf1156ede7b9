"""What unjudged documents could change: bounds, condensed lists, and the judgments that decide.

A measure counts an unjudged document as not relevant. Here the same rankings are measured as if all
of them were relevant, and without them (condensed lists: Sakai, "Alternatives to Bpref", SIGIR
2007). Only documents among the first k matter, k being the measure's cut-off. "Relevant" means the
highest grade that these judgments hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Qrels, Ranking
from rerank_lab.evaluation.experiments.evaluation import JUDGING_DEPTH, Evaluation
from rerank_lab.evaluation.first_stage import common_rankings
from rerank_lab.evaluation.measure_names import cutoff_of
from rerank_lab.evaluation.measures import average, measure
from rerank_lab.evaluation.statistics import Settings

IRRELEVANT, RELEVANT, CONDENSED = "irrelevant", "relevant", "condensed"
_TIED = Settings().tolerance
_Pairs = Mapping[str, frozenset[str]]
"""Query id -> documents that are taken for relevant."""
Rankings = Mapping[str, Ranking]
"""Query id -> ranking."""


@dataclass(frozen=True, slots=True)
class PipelineBounds:
    """One pipeline: `low` with its unjudged documents irrelevant, `high` with its own relevant.

    `condensed` is measured without unjudged documents; `judged` is Judged@k, the share of its first
    k that is judged. A relevant document far down can lower nDCG, and so can one that only others
    retrieved: `lowest` and `highest` take for each query what is worst and best for the pipeline.
    """

    pipeline: str
    judged: float
    low: float
    high: float
    condensed: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """Means by pipeline if all unjudged documents are irrelevant, relevant, or not there."""

    name: str
    means: Mapping[str, float]

    @property
    def winner(self) -> str:
        """The pipeline with the best mean; the first of those that tie."""
        return max(self.means, key=lambda spec: self.means[spec])


@dataclass(frozen=True, slots=True)
class UnjudgedBounds:
    """An evaluation by one measure, with what its unjudged documents could make of it.

    `depth` is the k looked at, `grade` what "relevant" stands for, `unjudged` how many documents
    of any first k nobody judged. `threats` are pipelines that would be ahead of the winner if just
    the unjudged documents that they place higher were relevant.
    """

    measure: str
    depth: int
    grade: int
    queries: int
    unjudged: int
    pipelines: tuple[PipelineBounds, ...]
    scenarios: tuple[Scenario, ...]
    threats: tuple[str, ...]

    @property
    def winner(self) -> str:
        """The winner as it is reported: unjudged documents are irrelevant."""
        return self.scenarios[0].winner

    @property
    def overtaken(self) -> tuple[Scenario, ...]:
        """The scenarios in which another pipeline is ahead of the winner; a tie is not ahead."""
        winner = self.winner
        return tuple(
            one for one in self.scenarios if max(one.means.values()) - one.means[winner] > _TIED
        )

    @property
    def winner_changes(self) -> bool:
        """Whether another pipeline is ahead of the winner in a scenario."""
        return bool(self.overtaken)

    def to_json(self) -> dict[str, Any]:
        """Its fields by name, with the winner of each scenario."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        for scenario, one in zip(written["scenarios"], self.scenarios, strict=True):
            scenario["winner"] = one.winner
        return written | {"winner": self.winner, "winner_changes": self.winner_changes}


@dataclass(frozen=True, slots=True)
class DecidingDocument:
    """An unjudged document and what its relevance would do to the leader's lead.

    `effect` is by how much the lead, a difference of means, would shrink; `leader_rank` and
    `challenger_rank` are its ranks among the first k, None below.
    """

    query_id: str
    doc_id: str
    leader_rank: int | None
    challenger_rank: int | None
    effect: float


@dataclass(frozen=True, slots=True)
class FlipRisk:
    """Whether judgments could put a challenger ahead of the leader.

    `lead` is the leader's mean minus the challenger's now; `worst` what is left of it if all
    `documents` were relevant. `needed` is how many of them, from the first on, already suffice to
    end the lead; None when all do not.
    """

    measure: str
    leader: str
    challenger: str
    lead: float
    worst: float
    needed: int | None
    documents: tuple[DecidingDocument, ...]

    def to_json(self) -> dict[str, Any]:
        """Its fields by name."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written


def unjudged_bounds(
    evaluation: Evaluation, primary: str = "", ctx: Context | None = None
) -> UnjudgedBounds | None:
    """The bounds by the primary measure; None where no judged query was answered by all."""
    name = evaluation.compared_by(primary)[0]
    tops = _Tops.of(evaluation, name)
    if not tops.rankings:
        return None
    every = tops.unjudged(tops.rankings)
    scenarios = (
        Scenario(IRRELEVANT, {spec: tops.mean(spec) for spec in tops.rankings}),
        Scenario(RELEVANT, {spec: tops.mean(spec, every) for spec in tops.rankings}),
        Scenario(CONDENSED, {spec: tops.condensed(spec) for spec in tops.rankings}),
    )
    leader = scenarios[0].winner
    bounds: list[PipelineBounds] = []
    threats: list[str] = []
    for spec in tops.rankings:
        if ctx is not None:
            ctx.checkpoint()
            ctx.report("measuring with other judgments", len(bounds), len(tops.rankings))
        bounds.append(tops.bounds(spec, every))
        if spec != leader and tops.overtakes(spec, leader):
            threats.append(spec)
    return UnjudgedBounds(
        name,
        tops.depth,
        tops.grade,
        len(tops.qrels),
        sum(map(len, every.values())),
        tuple(bounds),
        scenarios,
        tuple(threats),
    )


def judged_at(qrels: Qrels, rankings: Rankings, depth: int) -> float:
    """Judged@k, the share of the first `depth` documents that is judged, mean over queries.

    As ir_measures has it for each query; those for which nothing was retrieved do not count. 1 when
    no query has a document.
    """
    tops = {query_id: one.doc_ids[:depth] for query_id, one in rankings.items() if len(one)}
    shares = [sum(d in qrels[q] for d in top) / len(top) for q, top in tops.items()]
    return sum(shares) / len(shares) if shares else 1.0


def flip_risk(evaluation: Evaluation, leader: str, challenger: str, primary: str = "") -> FlipRisk:
    """The unjudged documents that the challenger places higher, those that matter most first.

    Raises:
        InvalidInput: one of the two answered no common query.
    """
    name = evaluation.compared_by(primary)[0]
    tops = _Tops.of(evaluation, name)
    missing = [spec for spec in (leader, challenger) if spec not in tops.rankings]
    if missing:
        raise InvalidInput(
            f"{missing[0]} answered no judged query that all others answered.",
            hint="Choose another pipeline.",
        )
    documents = [one for one in tops.effects(leader, challenger) if one.effect > 0]
    documents.sort(key=lambda one: (-one.effect, one.query_id, one.doc_id))
    lead = tops.mean(leader) - tops.mean(challenger)
    pairs = [(one.query_id, one.doc_id) for one in documents]

    def left(count: int) -> float:
        relevant = _by_query(pairs[:count])
        return tops.mean(leader, relevant) - tops.mean(challenger, relevant)

    worst = left(len(pairs)) if pairs else lead
    needed = _fewest(lead, [one.effect for one in documents], left)
    return FlipRisk(name, leader, challenger, lead, worst, needed, tuple(documents))


def _fewest(lead: float, effects: Sequence[float], left: Callable[[int], float]) -> int | None:
    """How many documents, from the first on, end the lead; effects of a query need not add up."""
    count, rest = 0, lead
    while count < len(effects) and rest > _TIED:
        rest -= effects[count]
        count += 1
    while left(count) > _TIED:
        if count == len(effects):
            return None
        count = min(len(effects), count + max(1, count // 10))
    return count


@dataclass(frozen=True, slots=True)
class _Tops:
    """The first k of every pipeline on the common queries, to be measured with more judgments."""

    name: str
    depth: int
    grade: int
    qrels: Qrels
    rankings: Mapping[str, Rankings]
    """As deep as the measure looks."""
    whole: Mapping[str, Rankings]

    @classmethod
    def of(cls, evaluation: Evaluation, name: str) -> _Tops:
        qrels = {query_id: evaluation.design.qrels[query_id] for query_id in evaluation.common}
        cutoff = cutoff_of(name)
        ranked = {spec: common_rankings(evaluation, spec) for spec in evaluation.design.pipelines}
        ranked = {spec: rankings for spec, rankings in ranked.items() if rankings}
        highest = max((grade for row in qrels.values() for grade in row.values()), default=1)
        return cls(
            name,
            cutoff or JUDGING_DEPTH,
            max(1, highest),
            qrels,
            {
                spec: {query_id: one.top(cutoff or len(one)) for query_id, one in rankings.items()}
                for spec, rankings in ranked.items()
            },
            ranked,
        )

    def unjudged(self, specs: Iterable[str]) -> dict[str, frozenset[str]]:
        """Query id -> unjudged documents among the first k of these pipelines."""
        chosen = list(specs)
        return {
            query_id: frozenset(
                doc_id
                for spec in chosen
                for doc_id in self.rankings[spec][query_id].doc_ids[: self.depth]
                if doc_id not in grades
            )
            for query_id, grades in self.qrels.items()
        }

    def bounds(self, spec: str, every: _Pairs) -> PipelineBounds:
        """Of one pipeline; `every` are the unjudged documents of all pipelines."""
        own = self.unjudged([spec])
        others = {query_id: every[query_id] - own[query_id] for query_id in self.qrels}
        now, best, worst = (self.values(spec, relevant) for relevant in ({}, own, others))
        lowest = {query_id: min(value, worst[query_id]) for query_id, value in now.items()}
        highest = {query_id: max(value, best[query_id]) for query_id, value in now.items()}
        share = judged_at(self.qrels, self.rankings[spec], self.depth)
        low, high, at_worst, at_best = map(self._mean, (now, best, lowest, highest))
        return PipelineBounds(spec, share, low, high, self.condensed(spec), at_worst, at_best)

    def values(self, spec: str, relevant: _Pairs) -> dict[str, float]:
        """By query, the value of a pipeline if these documents were relevant too."""
        qrels = self._with(relevant)
        per_query = measure(qrels, self.rankings[spec], [self.name]).per_query
        return {query_id: row[self.name] for query_id, row in per_query.items()}

    def mean(self, spec: str, relevant: _Pairs | None = None) -> float:
        """The mean of a pipeline if these documents were relevant too."""
        return self._mean(self.values(spec, relevant or {}))

    def _mean(self, values: Mapping[str, float]) -> float:
        return average({q: {self.name: value} for q, value in values.items()}, [self.name])[
            self.name
        ]

    def condensed(self, spec: str) -> float:
        """The mean of a pipeline whose unjudged documents are taken out."""
        rankings = {
            query_id: self.whole[spec][query_id].among(grades.keys())
            for query_id, grades in self.qrels.items()
        }
        return measure(self.qrels, rankings, [self.name]).measures[self.name]

    def overtakes(self, challenger: str, leader: str) -> bool:
        """Whether it is ahead if unjudged documents that it places higher are relevant.

        For each query all of them or none, whichever suits it more.
        """
        relevant = {
            query_id: frozenset(
                d for d in unjudged if self._higher(query_id, d, challenger, leader)
            )
            for query_id, unjudged in self.unjudged([challenger]).items()
        }
        now, then = (
            {q: mine[q] - theirs[q] for q in mine}
            for mine, theirs in (
                (self.values(challenger, case), self.values(leader, case))
                for case in ({}, relevant)
            )
        )
        return sum(max(now[query_id], then[query_id]) for query_id in now) > _TIED

    def effects(self, leader: str, challenger: str) -> list[DecidingDocument]:
        """Each unjudged document that the challenger places higher, and its effect if relevant.

        Each makes a query of its own, so that all are measured in one call.
        """
        cases = {
            f"{place}": (query_id, doc_id)
            for place, (query_id, doc_id) in enumerate(
                (query_id, doc_id)
                for query_id, unjudged in self.unjudged([challenger]).items()
                for doc_id in sorted(unjudged)
                if self._higher(query_id, doc_id, challenger, leader)
            )
        }
        if not cases:
            return []
        qrels = {case: {**self.qrels[q], d: self.grade} for case, (q, d) in cases.items()}
        now, then = {}, {}
        for spec in (leader, challenger):
            rankings = {case: self.rankings[spec][q] for case, (q, _) in cases.items()}
            then[spec] = measure(qrels, rankings, [self.name]).per_query
            now[spec] = measure(self.qrels, self.rankings[spec], [self.name]).per_query
        documents = []
        for case, (query_id, doc_id) in cases.items():
            before = now[leader][query_id][self.name] - now[challenger][query_id][self.name]
            after = then[leader][case][self.name] - then[challenger][case][self.name]
            documents.append(
                DecidingDocument(
                    query_id,
                    doc_id,
                    self._rank(query_id, doc_id, leader),
                    self._rank(query_id, doc_id, challenger),
                    (before - after) / len(self.qrels),
                )
            )
        return documents

    def _rank(self, query_id: str, doc_id: str, spec: str) -> int | None:
        top = self.rankings[spec][query_id].doc_ids[: self.depth]
        return top.index(doc_id) + 1 if doc_id in top else None

    def _higher(self, query_id: str, doc_id: str, challenger: str, leader: str) -> bool:
        mine, theirs = (self._rank(query_id, doc_id, spec) for spec in (challenger, leader))
        return mine is not None and (theirs is None or mine < theirs)

    def _with(self, relevant: _Pairs) -> Qrels:
        return {
            query_id: {**grades, **dict.fromkeys(relevant.get(query_id, ()), self.grade)}
            for query_id, grades in self.qrels.items()
        }


def _by_query(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    grouped: dict[str, set[str]] = {}
    for query_id, doc_id in pairs:
        grouped.setdefault(query_id, set()).add(doc_id)
    return {query_id: frozenset(doc_ids) for query_id, doc_ids in grouped.items()}
