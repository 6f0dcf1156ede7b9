"""The pools of the sample corpora: each document that a preset puts among a query's first ten.

They are kept in `pools/`, one file a sample, with what they were made from, so that a test can tell
at no cost whether each pooled pair is judged and whether the pools are those of the present texts
and presets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rerank_lab.corpora import Corpus
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.presets import DEFAULT_DEPTH, PRESETS

SAMPLES = ("helpdesk", "science-answers", "multilingual-faq")
TOP = 10
DEPTHS = (DEFAULT_DEPTH, 100)
"""Candidates: the app's default and the command line's."""

Pool = Mapping[str, Mapping[str, int]]
"""Query id -> document id -> its best rank, from 1 to TOP, over presets and depths."""


def made_from(corpus: Corpus) -> dict[str, Any]:
    """What decides a pool: texts of documents and queries, presets, depths, and how far it goes."""
    digest = hashlib.sha256(corpus.content_hash.encode())
    for query in corpus.queries:
        for part in (query.id, query.text):
            digest.update(b"\x00" + part.encode("utf-8"))
    return {
        "content": digest.hexdigest(),
        "presets": [str(Pipeline(preset.spec)) for preset in PRESETS],
        "depths": list(DEPTHS),
        "top": TOP,
    }


def pool_file(name: str) -> Path:
    return Path(__file__).parent / "pools" / f"{name}.json"


def write_pool(name: str, corpus: Corpus, pool: Pool) -> None:
    """Keep a pool: one line for each query, best ranks first, so that changes can be read."""
    lines = []
    for query in corpus.queries:
        ranked = sorted(pool.get(query.id, {}).items(), key=lambda pair: (pair[1], pair[0]))
        lines.append(f"  {json.dumps(query.id)}: {json.dumps(dict(ranked))}")
    head = json.dumps(made_from(corpus), indent=1)
    text = head.removesuffix("\n}") + ',\n "pool": {\n' + ",\n".join(lines) + "\n }\n}\n"
    pool_file(name).parent.mkdir(exist_ok=True)
    pool_file(name).write_text(text, "utf-8")


def read_pool(name: str) -> tuple[dict[str, Any], Pool]:
    """A kept pool: what it was made from, and its pairs."""
    kept = json.loads(pool_file(name).read_text("utf-8"))
    return kept, kept.pop("pool")


def unjudged_pairs(corpus: Corpus, pool: Pool) -> dict[str, list[str]]:
    """Query id -> pooled documents without a judgment, for the queries that have any."""
    missing = {q: sorted(set(docs) - set(corpus.qrels.get(q, {}))) for q, docs in pool.items()}
    return {query: docs for query, docs in missing.items() if docs}
