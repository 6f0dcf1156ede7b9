"""Health checks of rerankers as a use case: each once a process, whoever asks."""

from __future__ import annotations

from dataclasses import dataclass

from rerank_lab.components.registry import expand, pipeline_leaves
from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Node, Options, PipelineSpec
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.rerankers.health import Health, check
from rerank_lab.services.session import Session


@dataclass(frozen=True, slots=True)
class HealthRequest(JobKey[Health]):
    """Check a reranker with its options. How many candidates it takes makes no difference."""

    reranker: str
    options: Options

    @classmethod
    def of(cls, node: Node) -> HealthRequest:
        """Raises LabError for a component or an option that does not exist."""
        component, options = expand(node, "reranker")
        return cls(
            component.name, tuple(item for item in sorted(options.items()) if item[0] != "top")
        )


def requests(spec: PipelineSpec) -> tuple[HealthRequest, ...]:
    """One for each reranker of a pipeline with something to check.

    Reading scores or counting words takes no model, and is not checked.
    """
    checkable = []
    for node, kind in pipeline_leaves(spec):
        try:
            if kind == "reranker" and expand(node, kind)[0].has_model:
                checkable.append(HealthRequest.of(node))
        except LabError:
            continue
    return tuple(checkable)


def start(request: HealthRequest, session: Session) -> Job[Health]:
    """The job of a check: the one at work or done, else a new one."""
    node = Node(request.reranker, request.options)

    def work(ctx: Context) -> Health:
        return check(session.engine.reranker(node), ctx)

    model = str(node.values.get("model") or request.reranker)
    return session.jobs.submit(
        request,
        work,
        lane="cpu",
        name=f"Checking {model}",
        waiter=session.waiter,
        detached=True,
    )
