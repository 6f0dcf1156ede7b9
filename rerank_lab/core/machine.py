"""The machine that this process runs on: its processor, the threads it may use, its GPU."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

THREADS_VARIABLE = "RERANK_LAB_THREADS"

_limit: ContextVar[int] = ContextVar("threads", default=0)


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """ONNX models that this thread opens inside the block compute on so many threads."""
    token = _limit.set(threads)
    try:
        yield
    finally:
        _limit.reset(token)


def cpu_threads() -> int:
    """Threads for one model: `RERANK_LAB_THREADS`, else the cores that this process may use."""
    if _limit.get():
        return _limit.get()
    threads = os.environ.get(THREADS_VARIABLE, "").strip()
    return int(threads) if threads.isdigit() and int(threads) > 0 else usable_cores()


def usable_cores() -> int:
    """The cores that this process may use; those of the machine where that is not known."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_name() -> str:
    """The processor as it calls itself, at least its architecture, such as `x86_64`."""
    return _cpu_field("model name") or platform.processor() or platform.machine()


def cpu_flags() -> frozenset[str]:
    """The instruction sets of the processor as Linux names them; empty where it is unknown."""
    return frozenset(_cpu_field("flags").split())


def has_cuda() -> bool:
    """Whether a CUDA device is likely here, without importing torch (that takes seconds)."""
    return os.path.exists("/dev/nvidia0") or os.path.exists("/dev/nvidiactl") or os.name == "nt"


def _cpu_field(name: str) -> str:
    """What Linux says of the first core under this name, "" where it says nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return ""
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(values, "")
