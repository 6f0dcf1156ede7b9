"""The machine that something was measured on, as far as it tells."""

from __future__ import annotations

import os

from rerank_lab.core.machine import has_cuda, processor_name, usable_cores
from rerank_lab.evaluation.load.study import Machine


def this_machine() -> Machine:
    """Its processor, the cores that this process may use, its load now, and its GPU."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return Machine(processor_name(), usable_cores(), load, _gpu())


def _gpu() -> str:
    """The name of the GPU that models would use, "" without any."""
    if not has_cuda():
        return ""
    try:
        import torch
    except (ImportError, OSError):
        return ""
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
