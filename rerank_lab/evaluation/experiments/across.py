"""Pipelines of one experiment against a pipeline of another, query by query.

That is fair only where both asked the same queries of the same documents and were measured by the
same judgments: `obstacles` says in words what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Qrels
from rerank_lab.evaluation.experiments.cells import Design
from rerank_lab.evaluation.experiments.evaluation import Evaluation
from rerank_lab.evaluation.statistics import Paired, against

_NAMED = 3
_BASE = "baseline"


@dataclass(frozen=True, slots=True)
class AcrossComparison:
    """The pipelines of an experiment against a pipeline of another one.

    Attributes:
        baseline_id: the experiment of the baseline.
        baseline: the pipeline that is compared with.
        other_id: the experiment whose pipelines are compared.
        measure: what they are compared by.
        rows: `a` is the baseline and `b` a pipeline of the other experiment, best first. P-values
            are corrected by Holm over all rows.
        unmeasured: pipelines of the other experiment that share no measured query with it.
    """

    baseline_id: str
    baseline: str
    other_id: str
    measure: str
    rows: tuple[Paired, ...]
    unmeasured: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields by name, for `--json` and files."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values


def obstacles(a: Design, b: Design) -> tuple[str, ...]:
    """What keeps two experiments from being compared, a sentence each; none for a fair comparison.

    Measures are no obstacle here: see `shared_measures`.
    """
    if a.corpus_hash != b.corpus_hash:
        if a.corpus != b.corpus:
            return (f"One ran on {a.corpus}, the other on {b.corpus}.",)
        return (f"{a.corpus} held other documents when the second one ran.",)
    queries = _queries_sentence(a, b)
    if queries:
        return (queries,)
    judgments = _judgments_sentence(a.qrels, b.qrels)
    return (judgments,) if judgments else ()


def shared_measures(a: Design, b: Design) -> tuple[str, ...]:
    """The measures of both, in the order of the first."""
    return tuple(name for name in a.measures if name in b.measures)


def compare_across(a: Evaluation, b: Evaluation, measure: str, baseline: str) -> AcrossComparison:
    """The pipelines of `b` against the pipeline `baseline` of `a`.

    Raises:
        InvalidInput: they differ in more than their pipelines, the measure is not of both, or the
            baseline answered none of the queries.
    """
    different = obstacles(a.design, b.design)
    if different:
        raise InvalidInput(
            "These two evaluations cannot be compared. " + " ".join(different),
            hint="Evaluate the pipelines of both together, or choose another evaluation.",
        )
    if measure not in shared_measures(a.design, b.design):
        raise InvalidInput(
            f"{measure} was not measured in both evaluations.",
            hint="Compare by a measure of both, or evaluate again with the measures you need.",
        )
    values: dict[str, Mapping[str, float]] = {_BASE: a.values(baseline, measure)}
    if not values[_BASE]:
        raise InvalidInput(
            f"{baseline} answered no judged query.", hint="Choose another pipeline to compare with."
        )
    # One pipeline may be in both: each has a key of its own here.
    keys = {f"{place}": spec for place, spec in enumerate(b.design.pipelines)}
    values |= {key: b.values(spec, measure) for key, spec in keys.items()}
    compared = {one.b: replace(one, a=baseline, b=keys[one.b]) for one in against(_BASE, values)}
    return AcrossComparison(
        a.id,
        baseline,
        b.id,
        measure,
        tuple(sorted(compared.values(), key=lambda one: -one.difference)),
        tuple(spec for key, spec in keys.items() if key not in compared),
    )


def _queries_sentence(a: Design, b: Design) -> str:
    """What tells the queries of two experiments apart; "" when they are the same."""
    ours = {query.id: (query.text, query.excluded) for query in a.queries}
    theirs = {query.id: (query.text, query.excluded) for query in b.queries}
    shared = ours.keys() & theirs.keys()
    if not shared:
        return "They have no query in common."
    changed = sorted(one for one in shared if ours[one] != theirs[one])
    if changed:
        others = "another text or leave other documents out"
        return f"{len(changed):,} of their queries have {others}, such as {_some(changed)}."
    if ours.keys() != theirs.keys():
        return (
            f"One asks {len(ours):,} queries and the other {len(theirs):,}, of which "
            f"{len(shared):,} are the same."
        )
    return ""


def _judgments_sentence(ours: Qrels, theirs: Qrels) -> str:
    """What tells the judgments of two experiments apart; "" when they are the same."""
    changed = [
        query_id
        for query_id in dict.fromkeys((*ours, *theirs))
        if dict(ours.get(query_id, {})) != dict(theirs.get(query_id, {}))
    ]
    if not changed:
        return ""
    noun = "query differ" if len(changed) == 1 else "queries differ"
    return f"The judgments of {len(changed):,} {noun}, such as those of {_some(changed)}."


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:_NAMED])
