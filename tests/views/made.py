"""Small corpora and results put together by hand, so that every number in a test can be checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rerank_lab.components.registry import resolve
from rerank_lab.core.errors import BackendError, LabError
from rerank_lab.core.spec import parse
from rerank_lab.core.types import Document, Query, Ranking, Status, Trace
from rerank_lab.corpora import Corpus
from rerank_lab.pipeline.results import Result, StageResult, result_of
from rerank_lab.views.compare import CompareOptions, CompareView, PipelineOutcome, compare
from rerank_lab.views.topic import Topic

QUERY = Query("q1", "turn off weekly emails")


def corpus(n: int = 30, grades: dict[str, int] | None = None) -> Corpus:
    documents = tuple(
        Document(f"d{i:02}", f"text number {i}", f"Title {i}") for i in range(1, n + 1)
    )
    qrels = {"q1": grades} if grades else {}
    return Corpus("small", documents, (QUERY,), qrels)


def ids(*numbers: int) -> list[str]:
    return [f"d{number:02}" for number in numbers]


def ranking(doc_ids: Sequence[str], scale: str = "bm25") -> Ranking:
    scores = {doc_id: float(len(doc_ids) - place) for place, doc_id in enumerate(doc_ids)}
    return Ranking.from_scores("q1", scores, scale)


def outcome_of(
    spec: str,
    result: Result | None = None,
    error: LabError | None = None,
    **progress: Any,
) -> PipelineOutcome:
    """An outcome of the pipeline of that text; `progress` as PipelineOutcome takes it."""
    return PipelineOutcome(parse(spec), result, error, **progress)


def result(
    spec: str,
    orders: Sequence[Sequence[str] | Ranking],
    traces: Sequence[Trace] = (),
    corpus: Corpus | None = None,
) -> Result:
    """A result whose stages have these orders; the scale of all but the first is logit."""
    nodes = resolve(spec).nodes
    stages = []
    for place, (node, order) in enumerate(zip(nodes, orders, strict=True)):
        scale = "logit" if place else "bm25"
        made = order if isinstance(order, Ranking) else ranking(order, scale)
        trace = traces[place] if traces else Trace(compute_s=0.01 * (place + 1))
        stages.append(StageResult(node, Status.OK, trace, made))
    return result_of(str(resolve(spec)), QUERY, stages, corpus or globals()["corpus"]())


def failed(spec: str, first: Sequence[str]) -> Result:
    nodes = resolve(spec).nodes
    error = BackendError("The model fell over.", hint="Choose another one.", details="line 7")
    return Result(
        spec,
        QUERY,
        (
            StageResult(nodes[0], Status.OK, Trace(), ranking(first)),
            StageResult(nodes[1], Status.FAILED, error=error),
        ),
        None,
    )


def view(
    outcomes: Sequence[PipelineOutcome], made: Corpus, options: CompareOptions | None = None
) -> CompareView:
    return compare(Topic(QUERY, made), outcomes, options or CompareOptions())
