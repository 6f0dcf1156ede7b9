"""Are the sample corpora judged for the pools of every preset pipeline? And what do these score?

    python benchmarks/sample_pools.py [--unjudged FILE] [--only SPEC]... [SAMPLE ...]

A pool is the top 10 of a preset for every query of a sample, over 50 candidates (the app's default)
and over 100 (the command line's). Prints nDCG@10 and Judged@10 of the latter by sample and preset,
and the number of (query, document) pairs that nobody judged, which must be 0. The pools are kept in
`benchmarks/pools/`, where a test compares them with the judgments. Scores are kept in the data
folder: a run that was stopped goes on where it was. With `--only`, some presets are measured, and
no pools are written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _pools import DEPTHS, SAMPLES, TOP, unjudged_pairs, write_pool
from _report import report

from rerank_lab.core.types import Ranking
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.evaluation.measures import measure
from rerank_lab.models import Encoder, TokenEncoder
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.presets import PRESETS

MEASURES = ("nDCG@10", "Judged@10")


def encode_once(encode: Callable[..., Any]) -> Callable[..., Any]:
    """Keep what a model makes of a document: every query meets the same few hundred of them.

    Graphs run one text at a time, so that the vectors are those of a fresh run to the last bit.
    """
    kept: dict[tuple[int, str], Any] = {}

    def encoded(self: Any, texts: Sequence[str], kind: str, *rest: Any, **named: Any) -> Any:
        if kind == "query":
            return encode(self, texts, kind, *rest, **named)
        new = [text for text in dict.fromkeys(texts) if (id(self), text) not in kept]
        if new:
            made = encode(self, new, kind, *rest, **named)
            kept.update(zip(((id(self), text) for text in new), made, strict=True))
        vectors = [kept[id(self), text] for text in texts]
        return np.stack(vectors) if isinstance(self, Encoder) else vectors

    return encoded


def rankings_of(corpus: Corpus, pipeline: Pipeline) -> dict[str, Ranking]:
    """Rankings of one pipeline by query."""
    rankings: dict[str, Ranking] = {}
    for query in corpus.queries:
        result = pipeline.run(query, corpus)
        if result.ranking is None:
            raise SystemExit(f"{pipeline} on {query.id}: {result.error}")
        rankings[query.id] = result.ranking
    return rankings


def add_to(pool: dict[str, dict[str, int]], rankings: dict[str, Ranking]) -> None:
    for query_id, ranking in rankings.items():
        best = pool.setdefault(query_id, {})
        for hit in ranking.top(TOP):
            best[hit.doc_id] = min(hit.rank, best.get(hit.doc_id, TOP))


def run_presets(
    name: str, corpus: Corpus, only: Sequence[str]
) -> tuple[dict[str, Any], dict[str, dict[str, int]]]:
    """Measures by preset over the largest depth, and the pool over all depths."""
    measured: dict[str, Any] = {}
    pool: dict[str, dict[str, int]] = {}
    for preset in PRESETS:
        if only and preset.spec not in only:
            continue
        for depth in DEPTHS:
            rankings = rankings_of(corpus, Pipeline(preset.spec).at_depth(depth))
            add_to(pool, rankings)
            if depth == max(DEPTHS):
                means = measure(corpus.qrels, rankings, MEASURES).measures
                measured[preset.spec] = dict(means)
        sys.stderr.write(f"{name}: {preset.spec}: {measured[preset.spec]}\n")
    return measured, pool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", nargs="*", default=SAMPLES)
    parser.add_argument("--unjudged", type=Path, help="write the unjudged pairs there as JSON")
    parser.add_argument("--only", action="append", default=[], help="the spec of a preset")
    arguments = parser.parse_args()
    for kind in (Encoder, TokenEncoder):
        kind.encode = encode_once(kind.encode)  # type: ignore[method-assign]
    figures: dict[str, Any] = {}
    left: dict[str, dict[str, list[str]]] = {}
    for name in arguments.samples:
        corpus = load_corpus(name)
        measured, pool = run_presets(name, corpus, arguments.only)
        if not arguments.only:
            write_pool(name, corpus, pool)
        left[name] = unjudged_pairs(corpus, pool)
        pairs = sum(map(len, left[name].values()))
        figures[name] = {"presets": measured, "unjudged pairs": pairs}
    if arguments.unjudged:
        arguments.unjudged.write_text(json.dumps(left, indent=1), "utf-8")
    report("sample_pools", figures)


if __name__ == "__main__":
    main()
