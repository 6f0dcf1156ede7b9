"""The machine that something was measured on, as far as it tells."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from rerank_lab.evaluation.load.study import Machine
from rerank_lab.models.runtime.device import has_cuda


def this_machine() -> Machine:
    """Its processor, the cores that this process may use, its load now, and its GPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return Machine(_processor(), cores or 1, load, _gpu())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _gpu() -> str:
    """The name of the GPU that models would use, "" without any."""
    if not has_cuda():
        return ""
    try:
        import torch
    except (ImportError, OSError):
        return ""
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
