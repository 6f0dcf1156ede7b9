"""What a process keeps between queries: built indexes, loaded rerankers, results of shared stages.

One `Engine` serves many threads. Work on the same key is done once; others wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rerank_lab.components.base import Info
from rerank_lab.components.registry import expand, load
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.guard import lab_errors
from rerank_lab.core.paths import FOLDERS_VARIABLE, data_home, is_within, names_a_path
from rerank_lab.core.spec import Literal, Node
from rerank_lab.core.types import Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.single_flight import SingleFlight
from rerank_lab.rerankers.base import Reranker
from rerank_lab.rerankers.shared_scores import score_store
from rerank_lab.retrievers.base import Retriever

ENGINE_VARIABLES = "RERANK_LAB_ENGINE_"
"""How the environment variables begin that a visitor's pipeline may name."""


class Engine:
    """Components ready to work, and the memo of stage results. `home` holds indexes and cache.

    `readable` are the folders whose files a pipeline may name; None, as on the command line and in
    Python, means all: whoever writes the pipeline there reads with rights of their own.
    """

    def __init__(self, home: Path | None = None, *, indexes: int = 12, results: int = 512) -> None:
        self.home = home or data_home()
        self.readable: Sequence[Path] | None = None
        self.scores = score_store(self.home)
        self.results: SingleFlight[Any] = SingleFlight(results)
        self._retrievers: SingleFlight[Retriever] = SingleFlight(indexes)
        self._rerankers: SingleFlight[Reranker] = SingleFlight(64, Reranker.close)

    def check_places(self, info: Info, options: Mapping[str, object]) -> None:
        """Raises InvalidInput for a file, folder or variable that a visitor may not have read.

        Args:
            info: of a component.
            options: all of its options.
        """
        if self.readable is None:
            return
        elsewhere = options.get("backend") == "endpoint"
        check_variables(info, options)
        for param in info.params:
            if elsewhere and param.name == "model":
                continue
            value = str(options.get(param.name, "")) if param.local else ""
            is_address = "://" in value
            if is_address or (names_a_path(value) and not is_within(value, self.readable)):
                raise InvalidInput(
                    f"The app may not read {value!r}, which {info.name} names as its {param.name}.",
                    hint="Put it into the data folder, or start the app with "
                    f"{FOLDERS_VARIABLE} naming the folder it is in.",
                )

    def context(self, ctx: Context | None = None) -> Context:
        """The context given, or a plain one that uses this engine's score cache."""
        return ctx if ctx is not None else Context(cache=self.scores)

    def retriever(self, node: Node) -> Retriever:
        """A new, unbuilt retriever for a canonical node."""
        info, options = expand(node, "retriever")
        self.check_places(info, options)
        with lab_errors(f"The first stage {node}"):
            retriever: Retriever = load("retriever", info.name)(**options)
        return retriever

    def built(self, node: Node, corpus: Corpus, ctx: Context) -> Retriever:
        """The retriever of a node, built for the corpus; built once, whoever asks."""
        return self.opened(node, corpus, ctx)[0]

    def opened(
        self,
        node: Node,
        corpus: Corpus,
        ctx: Context,
        prepared: tuple[Retriever, str] | None = None,
    ) -> tuple[Retriever, Trace]:
        """As `built`, and the time until it was there: loading, building, waiting for a model.

        Who waits for another's building waits for the same things, in the same proportions.

        Args:
            node: a canonical node.
            corpus: to search in.
            ctx: of the query.
            prepared: the node's retriever and its fingerprint, where somebody has just made them.
        """
        start = time.perf_counter()
        retriever, fingerprint = prepared or self.prepared(node, ctx)
        key = (corpus.content_hash, fingerprint, _without_depth(retriever))

        def build() -> Retriever:
            retriever.build(corpus, ctx, self.home / "indexes")
            return retriever

        ready, was_there = self._retrievers.get(key, build, ctx)
        seconds, took = time.perf_counter() - start, ready.build_trace
        share = seconds / max(took.total_s, seconds, 1e-9) if was_there else 1.0
        build_s, queue_s = took.build_s * share, took.queue_s * share
        return ready, Trace(
            load_s=max(0.0, seconds - build_s - queue_s),
            build_s=build_s,
            queue_s=queue_s,
            warnings=() if was_there else took.warnings,
        )

    def prepared(self, node: Node, ctx: Context) -> tuple[Retriever, str]:
        """A new retriever that has fetched what it needs, and its fingerprint."""
        retriever = self.retriever(node)
        retriever.prepare(ctx)
        return retriever, retriever.fingerprint()

    def reranker(self, node: Node) -> Reranker:
        """The reranker of a canonical node; equal nodes (whatever their `top`) share one."""
        info, options = expand(node, "reranker")
        self.check_places(info, options)
        depth = info.depth_option
        key = (info.name, tuple((k, v) for k, v in sorted(options.items()) if k != depth))

        def make() -> Reranker:
            with lab_errors(f"The reranker {node}"):
                reranker: Reranker = load("reranker", info.name)(**options)
            return reranker

        return self._rerankers.get(key, make, Context())[0]

    def forget(self) -> None:
        """Drop everything held in memory; what is on disk stays."""
        self.results.clear()
        self._retrievers.clear()
        self._rerankers.clear()


def check_variables(info: Info, options: Mapping[str, object]) -> None:
    """Raises InvalidInput for an environment variable that a visitor of the app may not name.

    Otherwise anybody could open a database whose address stands in the environment for something
    else, such as the lab's own.
    """
    for param in info.params:
        value = str(options.get(param.name, "")) if param.variable else ""
        if value and not value.startswith(ENGINE_VARIABLES):
            raise InvalidInput(
                f"The app may not use the environment variable {value[:80]!r} for {info.name}.",
                hint=f"Whoever runs the app sets one whose name begins with {ENGINE_VARIABLES}.",
            )


def _without_depth(retriever: Retriever) -> tuple[tuple[str, Literal], ...]:
    options = sorted(retriever.options.items())
    return tuple(item for item in options if item[0] != retriever.info.depth_option)


@cache
def default_engine() -> Engine:
    """The engine of this process over the data folder."""
    return Engine()
