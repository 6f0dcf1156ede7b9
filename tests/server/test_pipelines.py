"""Pipelines are loaded and tried before anybody asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError
from rerank_lab.pipeline.engine import Engine
from rerank_lab.server.pipelines import ServedPipeline


def test_a_pipeline_that_fails_stops_the_server_at_its_start(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("broken weights")

    served = ServedPipeline.of("words", "bm25 >> overlap", 10)
    served.load(None, Context(), Engine(home))
    monkeypatch.setattr("rerank_lab.rerankers.rules.overlap.Overlap.score", fail)
    with pytest.raises(BackendError, match="broken weights"):
        served.load(None, Context(), Engine(home))


def test_a_provider_is_not_asked_at_the_start(home: Path) -> None:
    """There is no key here and no network: asking would fail."""
    ServedPipeline.of("paid", "bm25 >> cohere", 10).load(None, Context(), Engine(home))
