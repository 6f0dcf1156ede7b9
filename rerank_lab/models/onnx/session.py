"""Graphs on the CPU, by ONNX Runtime or by OpenVINO.

Each text goes through the network by itself, and the texts of a call are shared out to
single-threaded workers that use one session together. Dynamically quantised (int8) networks choose
the scale of their activations from the whole batch, so that batching moves a pair's score by up to
0.3 logits; one text at a time makes a score depend on its own text only, to the last bit, and is
as fast on a CPU because nothing is padded (`benchmarks/batch_tolerance.py`).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, ModelUnavailable
from rerank_lab.core.machine import cpu_threads
from rerank_lab.models.onnx.openvino_session import OpenVinoSession
from rerank_lab.models.runtime.engine import Floats
from rerank_lab.models.runtime.tokenizer import FastTokenizer, Tokenized

T = TypeVar("T")
Runtime = Literal["onnxruntime", "openvino"]

_POLL_S = 0.02
SLOWER_FUSIONS = ["SkipLayerNormFusion"]
"""On a CPU the fused operator is slower than its two parts (benchmarks/graph_forms.py)."""

_OVERHEAD = 1.5
"""Memory of a session for each byte of its file: weights, packed weights, one run's activations."""


class GraphSession(Protocol):
    """A graph that is ready to run."""

    def inputs(self) -> set[str]:
        """Names of the inputs."""

    def outputs(self) -> list[tuple[str, list[Any]]]:
        """Name and shape of each output; a dimension that varies is a name."""

    def run(self, output: str, feed: dict[str, Any]) -> Any:
        """The value of one output, a batch of one."""


class OnnxEngine:
    """A graph and its tokenizer. One caller at a time; `close` stops its workers."""

    def __init__(
        self, graph: Path, tokenizer: Path, backend: str, runtime: Runtime = "onnxruntime"
    ) -> None:
        self.backend = backend
        self.size = int(graph.stat().st_size * _OVERHEAD)
        self.tokens = FastTokenizer(tokenizer)
        self._workers = cpu_threads()
        self._session: GraphSession | None = (
            OpenVinoSession(graph, self._workers) if runtime == "openvino" else _OrtSession(graph)
        )
        self._inputs = self._session.inputs()
        self.outputs = self._session.outputs()
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="onnx")

    def run(
        self,
        inputs: Sequence[Tokenized],
        ctx: Context,
        finish: Callable[[Floats, Tokenized], T],
        output: int = 0,
    ) -> list[T]:
        """`finish(values, input)` of each input, where values is one item of the output's batch.

        Raises Cancelled or DeadlineExceeded within one text of the cancel.
        """
        results: list[Any] = [None] * len(inputs)
        longest_first = sorted(range(len(inputs)), key=lambda i: -len(inputs[i]))
        queue, guard, stop = iter(longest_first), threading.Lock(), threading.Event()
        done = itertools.count(1)
        finished = 0

        def work() -> None:
            nonlocal finished
            while not stop.is_set():
                with guard:
                    index = next(queue, None)
                if index is None:
                    return
                results[index] = finish(self._forward(inputs[index], output), inputs[index])
                finished = next(done)

        futures = [self._pool.submit(work) for _ in range(min(self._workers, len(inputs)))]
        try:
            while futures and not all(future.done() for future in futures):
                ctx.checkpoint()
                wait(futures, timeout=_POLL_S, return_when=FIRST_EXCEPTION)
                ctx.report("scoring", finished, len(inputs))
        finally:
            stop.set()
            wait(futures)
        for future in futures:
            future.result()
        return results

    def close(self) -> None:
        """Stop the workers and free the session."""
        self._pool.shutdown()
        self._session = None

    def _forward(self, item: Tokenized, output: int) -> Floats:
        feed: dict[str, NDArray[np.int64]] = {"input_ids": item.ids[None]}
        if "attention_mask" in self._inputs:
            feed["attention_mask"] = np.ones((1, len(item)), np.int64)
            feed["attention_mask"][0, len(item) - item.unread :] = 0
        if "token_type_ids" in self._inputs:
            feed["token_type_ids"] = item.types[None]
        assert self._session is not None, "a closed engine is not used again"
        try:
            values = self._session.run(self.outputs[output][0], feed)[0]
        except Exception as error:
            raise BackendError(
                f"{self.backend} failed on a text of {len(item)} tokens: {error}",
                hint='Try backend="torch", or a smaller max_length.',
            ) from error
        return np.asarray(values, np.float32)


class _OrtSession:
    """A graph in ONNX Runtime, which any number of threads may run at once."""

    def __init__(self, graph: Path) -> None:
        self._session = _session(graph)

    def inputs(self) -> set[str]:
        return {item.name for item in self._session.get_inputs()}

    def outputs(self) -> list[tuple[str, list[Any]]]:
        return [(item.name, item.shape) for item in self._session.get_outputs()]

    def run(self, output: str, feed: dict[str, Any]) -> Any:
        return self._session.run([output], feed)[0]


def _session(graph: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False
    try:
        return onnxruntime.InferenceSession(
            str(graph),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=SLOWER_FUSIONS,
        )
    except Exception as error:
        raise ModelUnavailable(
            f"ONNX Runtime cannot read {graph.name}: {error}",
            hint="The file may be damaged or made for a newer version: fetch or convert it again.",
        ) from error
