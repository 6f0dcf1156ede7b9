"""Workers embed a corpus: the index is that of one process, and nothing that was made is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from rerank_lab import models
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Document
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.jobs.workers import Threads
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.embedding_work import EmbeddingWork
from rerank_lab.services.indexes import build_all

SPEC = Pipeline("dense").spec
CORPUS = Corpus("many", tuple(Document(f"d{n}", f"word{n} topic{n % 9}") for n in range(900)))


@dataclass
class LengthEncoder:
    """A vector of the text's bytes; it fails on a text that holds `spoilt`."""

    spoilt: str = "\0"
    digest: str = "0" * 64
    dimension: int = 8
    encoded: list[str] = field(default_factory=list)

    def encode(
        self,
        texts: Sequence[str],
        kind: str,
        ctx: Context,
        on_cut: Callable[[int], None],
        _: object,
    ) -> np.ndarray:
        if any(self.spoilt in text for text in texts):
            raise BackendError("The encoder failed.", hint="Try again.")
        self.encoded += texts
        on_cut(0)
        rows = [np.frombuffer(text.encode().ljust(8)[:8], np.uint8) for text in texts]
        return np.stack(rows).astype(np.float32)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> LengthEncoder:
    encoder = LengthEncoder()
    monkeypatch.setattr(models, "open_encoder", lambda *_: encoder)
    monkeypatch.setattr(models, "model_digest", lambda _, vectors: encoder.digest)
    return encoder


def index_files(home: Path) -> dict[str, bytes]:
    [folder] = (home / "indexes").glob("*/dense-*")
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix != ".json"}


def test_the_index_is_that_of_one_process(encoder: LengthEncoder, tmp_path: Path) -> None:
    here, there = Engine(tmp_path / "here"), Engine(tmp_path / "there")
    build_all([SPEC], CORPUS, Context(), here)
    reports: list[tuple[int, int]] = []
    ctx = Context(progress=lambda now: reports.append((now.done, now.total)))
    encoder.encoded.clear()
    [state] = build_all([SPEC], CORPUS, ctx, there, Threads(3))
    assert state.built
    assert index_files(there.home) == index_files(here.home)
    assert sorted(encoder.encoded) == sorted(document.content for document in CORPUS.documents)
    assert (900, 900) in reports
    assert not build_all([SPEC], CORPUS, Context(), there, Threads(3))[0].built


def test_what_was_embedded_before_a_failure_is_kept(encoder: LengthEncoder, tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    encoder.spoilt = "word899"
    [state] = build_all([SPEC], CORPUS, Context(), engine, Threads(1))
    assert state.error is not None
    first = list(encoder.encoded)
    assert len(first) >= 256
    encoder.spoilt = "\0"
    assert build_all([SPEC], CORPUS, Context(), engine, Threads(2))[0].built
    assert len(encoder.encoded) == 900
    assert not set(first) & set(encoder.encoded[len(first) :])


def test_first_stages_without_a_model_need_no_worker(tmp_path: Path) -> None:
    specs: list[PipelineSpec] = [Pipeline("bm25").spec]
    [state] = build_all(specs, CORPUS, Context(), Engine(tmp_path), Threads(2))
    assert state.built


def test_a_worker_with_another_encoder_refuses(encoder: LengthEncoder) -> None:
    engine = Engine()
    node = SPEC.nodes[0]
    retriever = engine.retriever(node)
    work = EmbeddingWork(node, retriever.fingerprint(), retriever.encoder_digest(Context()))
    work.open(engine)
    encoder.digest = "1" * 64
    with pytest.raises(InvalidInput, match="another state"):
        work.open(Engine())
