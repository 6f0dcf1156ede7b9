"""What a process keeps between queries: built indexes, loaded rerankers, results of shared stages.

One `Engine` serves many threads. Work on the same key is done once; others wait for it.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from rerank_lab.components.base import Info
from rerank_lab.components.registry import expand, load
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, Cancelled, InvalidInput, LabError
from rerank_lab.core.paths import FOLDERS_VARIABLE, data_home, is_within, names_a_path
from rerank_lab.core.spec import Node
from rerank_lab.core.types import Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.rerankers.base import Reranker
from rerank_lab.rerankers.score_cache import ScoreCache
from rerank_lab.retrievers.base import Retriever

T = TypeVar("T")
_POLL_S = 0.05


def _keep(_: object) -> None:
    """Nothing to free when a value is dropped."""


class SingleFlight(Generic[T]):
    """A bounded least-recently-used memo in which each key is computed by one thread at a time."""

    def __init__(self, limit: int, on_drop: Callable[[T], None] = _keep) -> None:
        self._limit = limit
        self._on_drop = on_drop
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._busy: set[Hashable] = set()
        self._changed = threading.Condition()

    def get(self, key: Hashable, compute: Callable[[], T], ctx: Context) -> tuple[T, bool]:
        """The value and whether it was there already. Waiting for another thread is cancellable.

        When the thread at work fails or is cancelled, the next one waiting takes over.
        """
        with self._changed:
            while key not in self._values and key in self._busy:
                self._changed.wait(_POLL_S)
                ctx.checkpoint()
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key], True
            self._busy.add(key)
        dropped: list[T] = []
        try:
            value = compute()
            with self._changed:
                self._values[key] = value
                while len(self._values) > self._limit:
                    dropped.append(self._values.popitem(last=False)[1])
        finally:
            with self._changed:
                self._busy.discard(key)
                self._changed.notify_all()
        for old in dropped:
            self._on_drop(old)
        return value, False

    def clear(self) -> None:
        with self._changed:
            self._values.clear()


class Engine:
    """Components ready to work, and the memo of stage results. `home` holds indexes and cache.

    `readable` are the folders whose files a pipeline may name; None, as on the command line and in
    Python, means all: whoever writes the pipeline there reads with rights of their own.
    """

    def __init__(self, home: Path | None = None, *, indexes: int = 12, results: int = 512) -> None:
        self.home = home or data_home()
        self.readable: Sequence[Path] | None = None
        self.scores = ScoreCache(self.home / "scores.sqlite")
        self.results: SingleFlight[Any] = SingleFlight(results)
        self._retrievers: SingleFlight[Retriever] = SingleFlight(indexes)
        self._rerankers: SingleFlight[Reranker] = SingleFlight(64, Reranker.close)

    def _check_places(self, info: Info, options: Mapping[str, object]) -> None:
        """Raises InvalidInput for a file or folder that a visitor may not have read."""
        if self.readable is None:
            return
        elsewhere = options.get("backend") == "endpoint"
        for param in info.params:
            if elsewhere and param.name == "model":
                continue
            value = str(options.get(param.name, "")) if param.local else ""
            if names_a_path(value) and not is_within(value, self.readable):
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
        self._check_places(info, options)
        with lab_errors(f"The first stage {node}"):
            made: Retriever = load("retriever", info.name)(**options)
        return made

    def built(self, node: Node, corpus: Corpus, ctx: Context) -> Retriever:
        """The retriever of a node, built for the corpus; built once, whoever asks."""
        return self.opened(node, corpus, ctx)[0]

    def opened(self, node: Node, corpus: Corpus, ctx: Context) -> tuple[Retriever, Trace]:
        """As `built`, and the time until it was there: loading, building, waiting for a model.

        Who waits for another's building waits for the same things, in the same proportions.
        """
        start = time.perf_counter()
        wanted = self.retriever(node)
        wanted.prepare(ctx)
        options = tuple((k, v) for k, v in sorted(wanted.options.items()) if k != "k")
        key = (corpus.content_hash, wanted.fingerprint(), options)

        def build() -> Retriever:
            wanted.build(corpus, ctx, self.home / "indexes")
            return wanted

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

    def reranker(self, node: Node) -> Reranker:
        """The reranker of a canonical node; equal nodes (whatever their `top`) share one."""
        info, options = expand(node, "reranker")
        self._check_places(info, options)
        key = (info.name, tuple((k, v) for k, v in sorted(options.items()) if k != "top"))

        def make() -> Reranker:
            with lab_errors(f"The reranker {node}"):
                made: Reranker = load("reranker", info.name)(**options)
            return made

        return self._rerankers.get(key, make, Context())[0]

    def forget(self) -> None:
        """Drop everything held in memory; what is on disk stays."""
        self.results.clear()
        self._retrievers.clear()
        self._rerankers.clear()


@contextmanager
def lab_errors(what: str) -> Iterator[None]:
    """Turn any other exception from a component into a LabError that names it."""
    try:
        yield
    except LabError:
        raise
    except KeyboardInterrupt:
        raise Cancelled from None
    except MemoryError as error:
        raise BackendError(
            f"{what} ran out of memory.", hint="Use a smaller model, corpus or batch."
        ) from error
    except Exception as error:
        raise BackendError(
            f"{what} failed: {type(error).__name__}: {error}",
            hint="See the details; another component may do, and the defect is worth reporting.",
            details=traceback.format_exc(),
        ) from error


@cache
def default_engine() -> Engine:
    """The engine of this process over the data folder."""
    return Engine()
