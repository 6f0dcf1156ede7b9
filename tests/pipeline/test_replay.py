"""Replay at several depths: the same as a fresh run at each, and every text is scored once."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.components.registry import resolve
from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.replay import DepthResults, at_depths, replayed, with_candidates

Calls = list[tuple[str, Any]]
pytestmark = pytest.mark.usefixtures("plugin")
DEPTHS = (1, 3, 5, 12, 40)
QUERY = Query("q", "heat pump noise")


def _corpus(passages: bool) -> Corpus:
    """Forty texts of a few words each, some of them equal, some blank."""
    drawn = random.Random(7)
    words = ["heat", "pump", "noise", "water", "garden", "the", "of", "a", "quiet", "winter"]
    texts = [" ".join(drawn.choices(words, k=drawn.randint(0, 9))) for _ in range(40)]
    parents = [f"p{n % 13}" if passages else "" for n in range(40)]
    return Corpus(
        "c",
        tuple(
            Document(f"d{n:02}", text, parent=parent)
            for n, (text, parent) in enumerate(zip(texts, parents, strict=True))
        ),
    )


def _replay(spec: str, corpus: Corpus, folder: Path) -> DepthResults:
    specs = {depth: with_candidates(resolve(spec), depth) for depth in DEPTHS}
    engine = Engine(folder)
    return at_depths(specs, QUERY, corpus, engine.context(), engine)


@pytest.mark.parametrize("passages", [False, True])
@pytest.mark.parametrize(
    "spec",
    [
        "bm25",
        "as-given >> by-length",
        "bm25 >> overlap",
        "rrf(bm25,as-given) >> overlap >> by-length(top=4)",
        "as-given >> overlap(top=7) >> mmr >> by-length",
        "bm25 >> rrf(overlap,by-length)",
    ],
)
def test_each_depth_is_bit_for_bit_what_a_fresh_run_gives(
    spec: str, passages: bool, tmp_path: Path
) -> None:
    corpus = _corpus(passages)
    kept = _replay(spec, corpus, tmp_path / "replay")
    for depth in DEPTHS:
        fresh = Engine(tmp_path / f"fresh-{depth}")
        pipeline = Pipeline(with_candidates(resolve(spec), depth))
        afresh = pipeline.run(QUERY, corpus, Context(cache=None), fresh)
        assert afresh.ranking is not None
        assert kept.results[depth].ranking == afresh.ranking
        assert kept.results[depth].passages == afresh.passages
        assert kept.results[depth].status.answered


def test_a_pointwise_model_reads_every_text_once(tmp_path: Path, plugin: Calls) -> None:
    corpus = Corpus("c", tuple(Document(f"d{n}", "x" * (n + 1)) for n in range(40)))
    kept = _replay("as-given >> by-length", corpus, tmp_path)
    read = [n for name, n in plugin if name == "by-length"]
    assert sum(read) == 40
    assert {depth for depth in DEPTHS if kept.seconds[depth] > 0} == set(DEPTHS)
    again = _replay("as-given >> by-length", corpus, tmp_path)
    assert not again.seconds  # from the score cache, so that nobody knows how long it took
    assert again.results == {
        depth: one for depth, one in again.results.items() if one.ranking is not None
    }


def test_which_pipelines_are_replayed(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    assert replayed(resolve("bm25 >> overlap >> by-length"), engine)
    assert not replayed(resolve("bm25 >> overlap >> mmr"), engine)
    assert not replayed(resolve("bm25 >> rrf(overlap,by-length)"), engine)


def test_a_depth_is_taken_whatever_the_pipeline_says(tmp_path: Path) -> None:
    spec = resolve("rrf(bm25(k=7),as-given,top=9) >> overlap(top=3) >> by-length(top=2)")
    deep = with_candidates(spec, 50)
    assert str(deep) == (
        "rrf(bm25(k=50),as-given(k=50),top=50) >> overlap(top=50) >> by-length(top=2)"
    )


def test_what_fails_fails_at_every_depth(tmp_path: Path) -> None:
    kept = _replay("as-given >> faulty >> by-length", _corpus(False), tmp_path)
    assert {one.status for one in kept.results.values()} == {Status.FAILED}
    assert {one.stages[-1].status for one in kept.results.values()} == {Status.SKIPPED}
