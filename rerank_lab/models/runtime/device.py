"""What this machine can compute with: threads, device, number format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Literal

from rerank_lab.core.errors import InvalidInput

Device = Literal["auto", "cpu", "cuda"]
DEVICES: tuple[Device, ...] = ("auto", "cpu", "cuda")
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
    if threads.isdigit() and int(threads) > 0:
        return int(threads)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def choose_device(device: str) -> str:
    """The device: "cuda" when there is one and it is not declined, else "cpu".

    Imports torch, which takes seconds, only where there may be a CUDA device.

    Raises InvalidInput when CUDA is asked for and there is none.
    """
    if device == "cpu" or (device == "auto" and not has_cuda()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise InvalidInput(
            "There is no CUDA device here.", hint='Use device="auto" or device="cpu".'
        )
    return "cpu"


def torch_dtype(device: str) -> str:
    """The number format that torch computes in: bfloat16 on CUDA, exact float32 on a CPU."""
    return "bfloat16" if device == "cuda" else "float32"


def has_cuda() -> bool:
    """Whether a CUDA device is likely here, without importing torch (that takes seconds)."""
    return os.path.exists("/dev/nvidia0") or os.path.exists("/dev/nvidiactl") or os.name == "nt"


def has_int8_dot_products() -> bool:
    """Whether the processor adds up int8 products in 32 bits; assumed where it is unknown."""
    try:
        processor = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return True
    return "avx2" not in processor or "_vnni" in processor


def int8_form() -> str:
    """What digests say of how int8 is computed here: "" as a rule, ":7bit" without dot products."""
    return "" if has_int8_dot_products() else ":7bit"
