"""Bi-encoder, late interaction and SPLADE over 100 candidates on a CPU, beside their own library.

    python benchmarks/encoder_speed.py [rounds]

Ours as they run by default (int8 where the order survives), and sentence-transformers: its
defaults, in bf16 with texts sorted in batches of 8 (its best setting in torch that we know), and
sorted in batches of 8 in full precision for SPLADE, whose logits over the vocabulary fill memory
otherwise. Late interaction has the body of all-minilm-l6 and a random projection (seeded), since no
published model is carried. All arms take turns in one process; printed are medians of processor
seconds, multiples of ours within a round, and Kendall's tau of the order of the candidates to the
first arm of sentence-transformers.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _report import report
from rerank_speed import candidates

from rerank_lab import models
from rerank_lab.core.context import Context
from rerank_lab.models.convert.precision import compare
from rerank_lab.models.locate.resolve import locate
from rerank_lab.rerankers.local.late_interaction import maxsim
from rerank_lab.rerankers.local.splade import inner

Arm = Callable[[str, list[str]], list[float]]
OURS, EXACT = "rerank lab", "sentence-transformers, defaults"
BF16 = "sentence-transformers, bf16, batches of 8"
SEED, WIDTH = 7, 96


def main(rounds: int) -> None:
    query, texts = candidates()
    with tempfile.TemporaryDirectory() as folder:
        kinds = {
            "bi-encoder, all-minilm-l6": _bi_encoder(),
            "late interaction, MiniLM-L6 shape": _late_interaction(Path(folder)),
            "splade-tiny": _splade(),
        }
        figures = {name: _measured(arms, query, texts, rounds) for name, arms in kinds.items()}
    report("encoder_speed", {"candidates": len(texts), "rounds": rounds, **figures})


def _measured(arms: dict[str, Arm], query: str, texts: list[str], rounds: int) -> dict[str, Any]:
    taken: dict[str, list[float]] = {name: [] for name in arms}
    scores: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name, arm in arms.items():
            before = time.process_time()
            scores[name] = arm(query, texts)
            if number:  # the first round warms up
                taken[name].append(time.process_time() - before)
    return {
        name: {
            "processor_seconds": statistics.median(taken[name]),
            "multiple_of_ours": statistics.median(
                theirs / ours for theirs, ours in zip(taken[name], taken[OURS], strict=True)
            ),
            "kendall_tau": compare([scores[name]], [scores[EXACT]])[0],
        }
        for name in arms
    }


def _bi_encoder() -> dict[str, Arm]:
    import torch
    from sentence_transformers import SentenceTransformer

    folder, ctx = str(locate("all-minilm-l6").folder), Context()
    ours = models.open_encoder("all-minilm-l6", ctx)
    exact = SentenceTransformer(folder, device="cpu")
    bf16 = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.bfloat16})

    def cosines(encode: Callable[[list[str]], Any]) -> Arm:
        def score(query: str, texts: list[str]) -> list[float]:
            rows = np.asarray(encode([query, *texts]), np.float32)
            return [float(value) for value in rows[1:] @ rows[0]]

        return score

    return {
        OURS: cosines(lambda texts: ours.encode(texts, "passage", ctx)),
        EXACT: cosines(lambda texts: exact.encode(texts, normalize_embeddings=True)),
        BF16: cosines(lambda texts: _halves(bf16, texts)),
    }


def _halves(model: Any, texts: list[str]) -> Any:
    vectors = model.encode(texts, batch_size=8, normalize_embeddings=True, convert_to_tensor=True)
    return vectors.float().numpy()


def _late_interaction(work: Path) -> dict[str, Arm]:
    import torch
    from sentence_transformers import MultiVectorEncoder

    torch.manual_seed(SEED)
    folder = str(work / "late-interaction")
    MultiVectorEncoder(str(locate("all-minilm-l6").folder), device="cpu").save(folder)
    ctx = Context()
    ours = models.open_token_encoder(folder, ctx)
    exact = MultiVectorEncoder(folder, device="cpu")
    bf16 = MultiVectorEncoder(folder, device="cpu", model_kwargs={"dtype": torch.bfloat16})

    def theirs(model: Any, batch: int) -> Arm:
        def score(query: str, texts: list[str]) -> list[float]:
            options = {"batch_size": batch, "show_progress_bar": False, "convert_to_numpy": False}
            question = model.encode_query([query], **options)[0].float().numpy()
            documents = model.encode_document(texts, **options)
            return maxsim(question, [rows.float().numpy() for rows in documents])

        return score

    def score(query: str, texts: list[str]) -> list[float]:
        question = ours.encode([query], "query", ctx)[0]
        return maxsim(question, ours.encode(texts, "passage", ctx))

    return {OURS: score, EXACT: theirs(exact, 32), BF16: theirs(bf16, 8)}


def _splade() -> dict[str, Arm]:
    from sentence_transformers import SparseEncoder

    ctx = Context()
    ours = models.open_sparse_encoder("splade-tiny", ctx)
    exact = SparseEncoder(str(locate("splade-tiny").folder), device="cpu")

    def score(query: str, texts: list[str]) -> list[float]:
        question = ours.encode([query], "query", ctx)[0]
        return [inner(question, document) for document in ours.encode(texts, "passage", ctx)]

    def theirs(batch: int) -> Arm:
        def score(query: str, texts: list[str]) -> list[float]:
            question = exact.encode_query([query], show_progress_bar=False)
            documents = exact.encode_document(texts, batch_size=batch, show_progress_bar=False)
            return [float(value) for value in exact.similarity(question, documents)[0]]

        return score

    return {
        OURS: score,
        EXACT: theirs(32),
        "sentence-transformers, batches of 8": theirs(8),
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
