"""Depth by replay against a fresh run at each depth: the same rankings, and how long both take.

    python benchmarks/depth_replay.py [corpus] [queries] [pipelines...]

Fresh runs use neither the score cache nor results of earlier stages, as whoever asks at one depth
after the other without them. Every ranking, scores and all, must be equal bit for bit.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import load_corpus
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.replay import at_depths, with_candidates

sys.path.insert(0, os.path.dirname(__file__))
from _report import report

DEPTHS = (5, 10, 20, 50, 100)
PIPELINES = ("bm25 >> overlap", "bm25 >> ms-marco-minilm-l12")


def compared(spec: str, corpus: Corpus, count: int, home: Path) -> dict[str, Any]:
    """Seconds of both ways, and how many rankings are equal bit for bit."""
    engine, afresh = Engine(home), Context(cache=None)
    by_depth: dict[int, PipelineSpec] = {
        depth: with_candidates(Pipeline(spec).spec, depth) for depth in DEPTHS
    }
    queries = corpus.queries[:count]
    Pipeline(by_depth[DEPTHS[0]]).run("warm up", corpus, afresh, engine)
    seconds = {"fresh": 0.0, "replay": 0.0}
    equal = 0
    for query in queries:
        start = time.perf_counter()
        replayed = at_depths(by_depth, query, corpus, afresh, engine).results
        middle = time.perf_counter()
        fresh = {
            depth: Pipeline(one).run(query, corpus, afresh, engine)
            for depth, one in by_depth.items()
        }
        seconds["replay"] += middle - start
        seconds["fresh"] += time.perf_counter() - middle
        equal += sum(
            replayed[depth].ranking == fresh[depth].ranking is not None for depth in DEPTHS
        )
    return {
        "queries": len(queries),
        "depths": DEPTHS,
        "rankings": len(queries) * len(DEPTHS),
        "equal_bit_for_bit": equal,
        "replay_s": seconds["replay"],
        "fresh_s": seconds["fresh"],
        "times_faster": seconds["fresh"] / seconds["replay"],
    }


def main() -> None:
    """Print both times for each pipeline."""
    name, count, *specs = [*sys.argv[1:], *("helpdesk", "20")[len(sys.argv) - 1 :]]
    corpus = load_corpus(name)
    with tempfile.TemporaryDirectory() as folder:
        figures = {
            spec: compared(spec, corpus, int(count), Path(folder)) for spec in specs or PIPELINES
        }
    report("depth_replay", figures)


if __name__ == "__main__":
    main()
