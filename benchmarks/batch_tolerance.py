"""How far one pair's int8 score moves with what else is in its batch, and that ours does not.

    python benchmarks/batch_tolerance.py

Batched: the carried L12 graph run the usual way, padded batches of 1 to 32 pairs. Ours: the same
pairs through `open_scorer`, in differing company. Served: eight queries at once over the same
texts, whose calls go through the model together (`server/batching.py`), int8 and on torch.
Texts are those of the helpdesk sample.
"""

from __future__ import annotations

import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from _models import minilm_l6_cross_encoder, sample_pairs
from _report import report

from rerank_lab.core.context import Context
from rerank_lab.models import ModelOptions, open_scorer
from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.runtime.tokenizer import FastTokenizer, Tokenized
from rerank_lab.server.batching import CallBatches

MODEL = "ms-marco-minilm-l12"
PAIRS, REPEATS, SEED, QUERIES = 64, 4, 0, 8


def main() -> None:
    query, texts = _question_and_texts()
    report(
        "batch_tolerance",
        {
            "model": MODEL,
            "pairs": len(texts),
            "unit": "logits",
            "padded_batches": _batched(query, texts),
            "rerank_lab": _ours(query, texts),
            "served_int8": _served(MODEL, "auto", texts),
            "served_torch_l6": _served(str(minilm_l6_cross_encoder()), "torch", texts),
        },
    )


def _question_and_texts() -> tuple[str, list[str]]:
    pairs = sample_pairs()
    query = pairs[0][0]
    return query, list(dict.fromkeys(text for _, text in pairs))[:PAIRS]


def _batched(query: str, texts: list[str]) -> dict[str, float]:
    import onnxruntime

    folder = locate(MODEL).folder
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    items = FastTokenizer(folder / "tokenizer.json").pairs(query, texts, 512)
    alone = np.array([_run(session, [item])[0] for item in items])
    moved: dict[str, float] = {}
    chance = random.Random(SEED)
    for size in (2, 8, 32):
        largest = 0.0
        for _ in range(REPEATS):
            order = chance.sample(range(len(items)), len(items))
            for batch in (
                itertools.batched(order, size)
                if hasattr(itertools, "batched")
                else (order[i : i + size] for i in range(0, len(order), size))
            ):
                scores = _run(session, [items[i] for i in batch])
                largest = max(largest, float(np.abs(scores - alone[list(batch)]).max()))
        moved[f"largest_difference_in_batches_of_{size}"] = largest
    return moved


def _run(session: Any, items: list[Tokenized]) -> Any:
    width = max(len(item) for item in items)
    feed = {
        name: np.zeros((len(items), width), np.int64)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    }
    for row, item in enumerate(items):
        feed["input_ids"][row, : len(item)] = item.ids
        feed["attention_mask"][row, : len(item)] = 1
        feed["token_type_ids"][row, : len(item)] = item.types
    return session.run(None, feed)[0][:, 0]


def _ours(query: str, texts: list[str]) -> dict[str, float]:
    scorer, ctx = open_scorer(MODEL, Context()), Context()
    alone = {text: scorer.score(query, [text], ctx)[0] for text in texts}
    chance, largest = random.Random(SEED), 0.0
    for _ in range(REPEATS):
        some = chance.sample(texts, chance.randint(2, len(texts)))
        scores = scorer.score(query, some, ctx)
        largest = max(largest, *(abs(s - alone[t]) for s, t in zip(scores, some, strict=True)))
    return {"largest_difference": largest}


def _served(model: str, backend: str, texts: list[str]) -> dict[str, float]:
    """Queries one after the other, and the same all at once through shared calls."""
    options = ModelOptions(device="cpu", backend=backend)
    scorer = open_scorer(model, Context(), options)
    queries = list(dict.fromkeys(query for query, _ in sample_pairs()))[:QUERIES]
    alone = [scorer.score(query, texts, Context()) for query in queries]
    batches = CallBatches()
    with ThreadPoolExecutor(QUERIES) as threads:
        together = list(
            threads.map(lambda q: scorer.score(q, texts, Context(sharing=batches)), queries)
        )
    differences = np.abs(np.array(alone) - np.array(together))
    return {"queries": len(queries), "largest_difference": float(differences.max())}


if __name__ == "__main__":
    main()
