"""Are the sample corpora judged for the pools of every preset pipeline? And what do these score?

    python benchmarks/sample_pools.py [--unjudged FILE] [SAMPLE ...]

A pool is the top 10 of a preset for every query of a sample, over 50 candidates (the app's default)
and over 100 (the command line's). Prints nDCG@10 and Judged@10 of the latter by sample and preset,
and the number of (query, document) pairs that nobody judged, which must be 0.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from _report import report

from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.measures import measure
from rerank_lab.pipeline import Pipeline
from rerank_lab.presets import DEFAULT_DEPTH, PRESETS
from rerank_lab.types import Ranking

SAMPLES = ("helpdesk", "science-answers", "multilingual-faq")
DEPTH = 10


def pool(corpus: Corpus, pipeline: Pipeline, unjudged: dict[str, set[str]]) -> dict[str, Any]:
    """Measures of one pipeline on one sample; adds what is unjudged to `unjudged`."""
    rankings: dict[str, Ranking] = {}
    for query in corpus.queries:
        result = pipeline.run(query, corpus)
        if result.ranking is None:
            raise SystemExit(f"{pipeline} on {query.id}: {result.error}")
        rankings[query.id] = result.ranking
        judged = corpus.qrels.get(query.id, {})
        missing = {hit.doc_id for hit in result.ranking.top(DEPTH)} - set(judged)
        unjudged.setdefault(query.id, set()).update(missing)
    return dict(measure(corpus.qrels, rankings, ["nDCG@10", "Judged@10"]).measures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", nargs="*", default=SAMPLES)
    parser.add_argument("--unjudged", type=Path, help="write the unjudged pairs there as JSON")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    left: dict[str, dict[str, list[str]]] = {}
    for name in arguments.samples:
        corpus, unjudged = load_corpus(name), {}
        by_preset = {}
        for preset in PRESETS:
            pipeline = Pipeline(preset.spec)
            by_preset[preset.spec] = pool(corpus, pipeline, unjudged)
            pool(corpus, pipeline.at_depth(DEFAULT_DEPTH), unjudged)
            sys.stderr.write(f"{name}: {preset.spec}: {by_preset[preset.spec]}\n")
        left[name] = {query: sorted(docs) for query, docs in unjudged.items() if docs}
        pairs = sum(map(len, left[name].values()))
        figures[name] = {"presets": by_preset, "unjudged pairs": pairs}
    if arguments.unjudged:
        arguments.unjudged.write_text(json.dumps(left, indent=1), "utf-8")
    report("sample_pools", figures)


if __name__ == "__main__":
    main()
