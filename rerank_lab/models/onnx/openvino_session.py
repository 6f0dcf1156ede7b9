"""OpenVINO on the CPU: graphs in bf16 where the processor computes in it, else in full precision.

bf16 has the range of full precision with 8 bits of it, so that nothing is quantised and no scale is
looked for: an order close to full precision, in about half of its time.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rerank_lab.core.errors import ModelUnavailable

EXTRA = "openvino"
_TELEMETRY = "openvino_telemetry"


def is_installed() -> bool:
    """Whether the `openvino` extra is here."""
    return find_spec("openvino") is not None


def require_openvino() -> None:
    """Raises ModelUnavailable when the extra is not installed."""
    if not is_installed():
        raise ModelUnavailable(
            'backend="openvino" needs OpenVINO, which is not installed.',
            hint=f"Install it with: pip install 'rerank-lab[{EXTRA}]', or use backend=\"auto\".",
        )


def precision() -> str:
    """What OpenVINO computes in on this processor: "bf16" or "fp32"."""
    capabilities = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in capabilities else "fp32"


class OpenVinoSession:
    """A compiled graph. Any number of threads up to `workers` may run it at once."""

    def __init__(self, graph: Path, workers: int) -> None:
        try:
            core = _core()
            model = core.read_model(str(graph))
            hint = {"bf16": "bf16", "fp32": "f32"}[precision()]
            settings = {
                "INFERENCE_PRECISION_HINT": hint,
                "INFERENCE_NUM_THREADS": workers,
                "NUM_STREAMS": workers,
            }
            self._compiled = core.compile_model(model, "CPU", settings)
        except Exception as error:
            raise ModelUnavailable(
                f"OpenVINO cannot read {graph.name}: {error}",
                hint='Use backend="auto".',
            ) from error
        self._local = threading.local()

    def inputs(self) -> set[str]:
        """Names of the inputs."""
        return {value.get_any_name() for value in self._compiled.inputs}

    def outputs(self) -> list[tuple[str, list[Any]]]:
        """Name and shape of each output; a dimension that varies is a name."""
        return [
            (value.get_any_name(), [_dimension(d) for d in value.get_partial_shape()])
            for value in self._compiled.outputs
        ]

    def run(self, output: str, feed: dict[str, Any]) -> Any:
        """The value of one output, a batch of one."""
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        request.infer(feed)
        return request.get_tensor(output).data.copy()


def _core() -> Any:
    with _without_telemetry():
        import openvino

    return openvino.Core()


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Importing OpenVINO sends an event to its maker; without this package it has nothing to send.

    OpenVINO itself goes without where the package is missing. One that is already imported, by
    somebody who uses OpenVINO for something else, is left alone.
    """
    modules: dict[str, Any] = sys.modules
    if _TELEMETRY in modules:
        yield
        return
    modules[_TELEMETRY] = None
    try:
        yield
    finally:
        modules.pop(_TELEMETRY, None)


def _dimension(dimension: Any) -> int | str:
    return int(dimension.get_length()) if dimension.is_static else "any"
