"""A process that answers queries by one pipeline and says how much memory it has held.

`python -m rerank_lab.services.memory_process` reads a request as JSON from its input and writes
`{"peak": bytes, "queries": n}`, or `{"error": "..."}`, as the last line of its output.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.corpora import load_corpus
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import Pipeline


def main() -> None:
    """Answer the queries, every model afresh, and tell the peak."""
    request = json.load(sys.stdin)
    try:
        answer: dict[str, object] = {
            "queries": _answered(request["corpus"], request["queries"], request["pipeline"]),
            "peak": _peak(),
        }
    except LabError as error:
        answer = {"error": error.message}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


def _answered(reference: str, queries: list[str], spec: str) -> int:
    """How many queries were answered; the score cache is not asked. Raises the last error."""
    corpus, pipeline, engine = load_corpus(reference), Pipeline(spec), default_engine()
    results = [pipeline.run(query, corpus, Context(cache=None), engine) for query in queries]
    answered = sum(result.error is None for result in results)
    if not answered and results and results[-1].error is not None:
        raise results[-1].error
    return answered


def _peak() -> int:
    """The most resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage: on Linux that counts the process that started this one.
        lines = status.read_text("utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(size if sys.platform == "darwin" else size * 1024)


if __name__ == "__main__":
    main()
