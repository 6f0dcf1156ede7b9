"""Seconds that `import rerank_lab` takes in a fresh process, and which heavy packages it brings.

python benchmarks/import_time.py [rounds]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import Any

from _report import report

HEAVY = ("torch", "transformers", "onnxruntime", "streamlit", "openai", "cohere", "pandas", "numpy")
CODE = (
    "import json, sys, time; start = time.perf_counter(); import rerank_lab; "
    "spent = time.perf_counter() - start; "
    f"print(json.dumps([spent, [n for n in {HEAVY!r} if n in sys.modules]]))"
)


def main(rounds: int) -> None:
    runs = [_once() for _ in range(rounds + 1)][1:]  # the first one fills the disk's cache
    seconds = [spent for spent, _ in runs]
    report(
        "import_time",
        {
            "rounds": rounds,
            "import_s": {"median": statistics.median(seconds), "max": max(seconds)},
            "heavy packages": sorted({name for _, names in runs for name in names}),
        },
    )


def _once() -> tuple[float, list[str]]:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    found: Any = json.loads(done.stdout)
    return found[0], found[1]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
