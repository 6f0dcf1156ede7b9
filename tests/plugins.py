"""Components for tests, registered as a third party registers them: by entry points on disk."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from rerank_lab.components import registry

MODULE = '''
import time

from rerank_lab.core.errors import LabError
from rerank_lab.components.base import Info, Param
from rerank_lab.rerankers.base import TOP, PointwiseReranker, Reranker
from rerank_lab.retrievers.base import Retriever
from rerank_lab.core.types import Ranking, Status

CALLS = []

class ByLength(PointwiseReranker):
    """Longer texts first."""
    info = Info("by-length", "reranker", "test", "Longer first.", "characters",
                (TOP, Param("sign", 1, "1 or -1", choices=(1, -1))))
    def _load(self, ctx):
        CALLS.append(("load", "by-length"))
    def score(self, query, texts, work):
        CALLS.append(("by-length", len(texts)))
        return [self.options["sign"] * float(len(text)) for text in texts]

class Slow(PointwiseReranker):
    """Takes five seconds; notes whether it was stopped before."""
    info = Info("slow", "reranker", "test", "Takes its time.", "logit", (TOP,))
    def score(self, query, texts, work):
        CALLS.append(("slow", "started"))
        for _ in range(500):
            try:
                work.checkpoint()
            except LabError:
                CALLS.append(("slow", "stopped"))
                raise
            time.sleep(0.01)
        return [0.0] * len(texts)

class Faulty(PointwiseReranker):
    info = Info("faulty", "reranker", "test", "Always raises.", "logit", (TOP,))
    def score(self, query, texts, work):
        raise ZeroDivisionError("no such luck")

class NotANumber(PointwiseReranker):
    info = Info("not-a-number", "reranker", "test", "Gives NaN.", "logit", (TOP,))
    def score(self, query, texts, work):
        return [float("nan")] * len(texts)

class Short(PointwiseReranker):
    info = Info("short", "reranker", "test", "One score too few.", "logit", (TOP,))
    def score(self, query, texts, work):
        return [1.0] * (len(texts) - 1)

class Fetched(ByLength):
    info = Info("fetched", "reranker", "test", "Weights come on demand.", "characters", (TOP,))
    def __init__(self, **options):
        super().__init__(**options)
        self.here = False
    def prepare(self, ctx):
        self.here = True
    def weights_digest(self):
        assert self.here, "asked for the digest of weights that are not here"
        return "digest"
    def score(self, query, texts, work):
        return [float(len(text)) for text in texts]

class Loses(Reranker):
    info = Info("loses", "reranker", "test", "Loses documents.", "order", (TOP,))
    def _rank(self, query, docs, work):
        return Ranking.from_order(query.id, [doc.id for doc in docs[1:]]), Status.OK

class WithoutInfo:
    pass

class AsGiven(Retriever):
    """Every document, in the order of the corpus."""
    info = Info("as-given", "retriever", "test", "Corpus order.", "count",
                (Param("k", 100, "How many", low=1),))
    def _build(self, corpus, folder, ctx):
        CALLS.append(("build", len(corpus)))
        self.ids = [doc.id for doc in corpus.documents]
    def _search(self, query, k, ctx):
        CALLS.append(("search", query.text))
        n = len(self.ids)
        return Ranking.from_scores(query.id, {d: float(n - i) for i, d in enumerate(self.ids)},
                                   "count", limit=k)
'''
ENTRY_POINTS = """
[rerank_lab.rerankers]
by-length = lab_test_plugin:ByLength
slow = lab_test_plugin:Slow
faulty = lab_test_plugin:Faulty
not-a-number = lab_test_plugin:NotANumber
short = lab_test_plugin:Short
fetched = lab_test_plugin:Fetched
loses = lab_test_plugin:Loses
broken = lab_test_plugin:ThereIsNoSuchName
without-info = lab_test_plugin:WithoutInfo
misnamed = lab_test_plugin:ByLength
leaves = lab_test_plugin_that_leaves:Anything

[rerank_lab.retrievers]
as-given = lab_test_plugin:AsGiven
bm25 = lab_test_plugin:ImpostorOfBM25
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """Put the package on the path; returns the list in which its components note their calls."""
    info = folder / "lab_test_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-test-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "lab_test_plugin.py").write_text(MODULE)
    (folder / "lab_test_plugin_that_leaves.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop("lab_test_plugin", None)
    registry.entry_points.cache_clear()
    registry.load.cache_clear()
    calls: list[tuple[str, object]] = importlib.import_module("lab_test_plugin").CALLS
    return calls


def uninstall() -> None:
    sys.modules.pop("lab_test_plugin", None)
    registry.entry_points.cache_clear()
    registry.load.cache_clear()
