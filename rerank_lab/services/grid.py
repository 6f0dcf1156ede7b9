"""The grid as a use case: which reranker behind which first stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rerank_lab.components.registry import resolve, resolve_stages
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.grid.run import GridDesign, study_grid
from rerank_lab.evaluation.grid.study import GRID_KIND, GridStudy
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.resolution import at_depth, candidate_limit
from rerank_lab.services.access import Action, needs
from rerank_lab.services.cost_estimates import CANDIDATES, Estimates, query_set_estimates
from rerank_lab.services.judged_queries import judged_queries
from rerank_lab.services.own_pipelines import own_pipelines
from rerank_lab.services.session import Session
from rerank_lab.services.study_jobs import StudyKey, jobs_of_kind, kept_studies, start_study

MAX_PAIRS = 60


@dataclass(frozen=True, slots=True)
class GridRequest:
    """Put every reranker behind every first stage.

    Attributes:
        first_stages: one node each.
        rerankers: stages without a first stage, one or more each.
        measure: by which pairs are compared.
        limit: ask the first so many judged queries only.
    """

    first_stages: tuple[PipelineSpec, ...]
    rerankers: tuple[PipelineSpec, ...]
    measure: str = "nDCG@10"
    limit: int | None = None

    def to_json(self) -> dict[str, object]:
        """What is kept of it with the study."""
        return {
            "first_stages": [str(spec) for spec in self.first_stages],
            "rerankers": [str(spec) for spec in self.rerankers],
            "measure": self.measure,
            "limit": self.limit,
        }


def parts_of(evaluation: Evaluation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """First stages and rerankers of the pipelines of an evaluation, each once."""
    specs = own_pipelines(evaluation)
    firsts = dict.fromkeys(str(spec.source) for spec in specs)
    rerankers = dict.fromkeys(str(PipelineSpec(spec.stages)) for spec in specs if spec.stages)
    return tuple(firsts), tuple(rerankers)


def request_for(
    first_stages: Iterable[str],
    rerankers: Iterable[str],
    measure: str = "nDCG@10",
    *,
    depth: int = CANDIDATES,
    limit: int | None = None,
) -> GridRequest:
    """The request for first stages and rerankers as text.

    Args:
        depth: candidates wherever a first stage does not say its own number.

    Raises:
        InvalidInput: one of them cannot be read, or a first stage brings a reranker.
    """
    firsts = tuple(dict.fromkeys(at_depth(resolve(text), depth) for text in first_stages))
    for spec in firsts:
        if spec.stages:
            raise InvalidInput(
                f"{str(spec)!r} is more than a first stage.",
                hint="Name first stages and rerankers apart from each other.",
            )
    chains = tuple(dict.fromkeys(resolve_stages(text) for text in rerankers))
    return GridRequest(firsts, chains, measure, limit)


def depth_of(evaluation: Evaluation) -> int:
    """The number of candidates of the first pipeline that has one."""
    limits = (candidate_limit(spec) for spec in evaluation.design.pipelines)
    return next((limit for limit in limits if limit), CANDIDATES)


def designed(
    request: GridRequest, corpus: Corpus, evaluation: Evaluation | None = None
) -> GridDesign:
    """What a request asks for, checked without any work.

    Args:
        request: rows and columns.
        corpus: the documents, and the queries where no evaluation is given.
        evaluation: asks the queries of an experiment by its judgments, and has answers already.

    Raises:
        InvalidInput: nothing to combine, too many pairs, no judged query, or no such measure.
    """
    pairs = len(request.first_stages) * (1 + len(request.rerankers))
    if not request.first_stages or not request.rerankers:
        raise InvalidInput(
            "A grid needs at least one first stage and one reranker.", hint="Name one of each."
        )
    if pairs > MAX_PAIRS:
        raise InvalidInput(
            f"These are {pairs} pairs; at most {MAX_PAIRS} are run at once.", hint="Take fewer."
        )
    queries, qrels = judged_queries(corpus, evaluation, request.measure, request.limit)
    return GridDesign(
        tuple(spec.source for spec in request.first_stages),
        tuple(spec.nodes for spec in request.rerankers),
        queries,
        qrels,
        request.measure,
        {} if evaluation is None else evaluation.cells,
    )


def _pipelines(design: GridDesign) -> tuple[Pipeline, ...]:
    return tuple(map(Pipeline, design.pipelines().values()))


def cost_estimates(
    request: GridRequest, corpus: Corpus, engine: Engine, evaluation: Evaluation | None = None
) -> Mapping[str, Estimates]:
    """By pair, what it would take of the providers that it asks at most."""
    design = designed(request, corpus, evaluation)
    specs = [pipeline.spec for pipeline in _pipelines(design)]
    return query_set_estimates(specs, design.queries, corpus, CANDIDATES, engine)


def run(
    request: GridRequest,
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
    evaluation: Evaluation | None = None,
) -> GridStudy:
    """Run the grid here and now.

    Raises:
        InvalidInput: as `designed`.
        Cancelled: scores of models that were asked are kept.
    """
    return study_grid(designed(request, corpus, evaluation), corpus, ctx, engine)


@dataclass(frozen=True, slots=True)
class GridKey(StudyKey[GridRequest, GridStudy]):
    """A grid of an experiment."""


@needs(Action.EDIT)
def start(
    request: GridRequest, evaluation: Evaluation, corpus: Corpus, session: Session
) -> Job[GridStudy]:
    """The job of a grid, which is kept with the experiment once it is done.

    Raises:
        InvalidInput: as `designed`.
    """
    pipelines = _pipelines(designed(request, corpus, evaluation))
    engine = session.engine

    return start_study(
        GridKey(evaluation.id, request, session.bound(pipelines)),
        lambda ctx: run(request, corpus, ctx, engine, evaluation),
        session,
        kind=GRID_KIND,
        name=f"First stages and rerankers on {corpus.name}",
        ctx=session.context(pipelines),
    )


def jobs_of(experiment_id: str, session: Session) -> list[Job[GridStudy]]:
    """The grid jobs of an experiment, oldest first."""
    return jobs_of_kind(GridKey, experiment_id, session)


def grid_studies(experiment_id: str, home: Path | None = None) -> tuple[GridStudy, ...]:
    """The kept grids of an experiment, the newest first."""
    return kept_studies(GRID_KIND, GridStudy.from_json, experiment_id, home)
