"""How far one pair's int8 score moves with what else is in its batch, and that ours does not.

    python benchmarks/batch_tolerance.py

Batched: the carried L12 graph run the usual way, padded batches of 1 to 32 pairs. Ours: the same
pairs through `open_scorer`, in differing company. Texts are those of the helpdesk sample.
"""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
from _models import sample_pairs
from _report import report

from rerank_lab.core.context import Context
from rerank_lab.models import open_scorer
from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.runtime.tokenizer import FastTokenizer, Tokenized

MODEL = "ms-marco-minilm-l12"
PAIRS, REPEATS, SEED = 64, 4, 0


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


if __name__ == "__main__":
    main()
