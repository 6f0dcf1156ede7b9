"""What every benchmark prints: its figures, and the machine and versions they were measured on."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

from rerank_lab.core.machine import processor_name, usable_cores

PACKAGES = (
    *("pyarrow", "lmdb", "tantivy", "msgspec", "numba"),
    *("numpy", "bm25s", "rank-bm25", "faiss-cpu", "onnxruntime", "torch"),
    *("sentence-transformers", "tokenizers", "flashrank", "streamlit", "sqlalchemy", "psycopg"),
)


def report(name: str, figures: dict[str, Any]) -> None:
    """Print one JSON object: benchmark, figures, machine, versions."""
    shown = {
        "benchmark": name,
        "figures": figures,
        "machine": machine(),
        "versions": versions(),
    }
    print(json.dumps(shown, indent=2, default=float))


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory in bytes, system."""
    import psutil

    return {
        "processor": processor_name(),
        "cores": usable_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
    }


def peak_mb() -> float:
    """The most memory this process has held, in MB, on Linux; of its own, not of who started it."""
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
