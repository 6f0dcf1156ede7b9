"""What the first page needs is imported while the browser still loads its own part of the app.

Python 3.11 can fail when several threads import the same big packages for the first time (seen: a
deadlock error from numpy, a standard module "not found"), so that one thread imports them, and
pages wait for it.
"""

from __future__ import annotations

import importlib
import threading
from contextlib import suppress

_MODULES = (
    "numpy", "pandas", "psutil", "faiss", "onnxruntime", "tokenizers", "Stemmer", "ir_measures",
    "plotly.graph_objects", "rerank_lab.ui.compare.page", "rerank_lab.ui.shared.frame",
)  # fmt: skip
_lock = threading.Lock()
_finished = threading.Event()


def begin() -> None:
    """Import in the background. Call it once, as the server starts."""
    threading.Thread(target=finish, name="rerank-lab-imports", daemon=True).start()


def finish() -> None:
    """Return when all is imported: at once, after the first time."""
    if _finished.is_set():
        return
    with _lock:
        if not _finished.is_set():
            for module in _MODULES:
                with suppress(ImportError):
                    importlib.import_module(module)
            _finished.set()
