"""A full-precision cross-encoder of MiniLM-L6 shape, made here because none is carried.

The encoder of all-minilm-l6 with a relevance head, distilled from ms-marco-minilm-l12 on the
questions of a sample corpus (seeded, a few minutes on two cores, kept for the next run). A randomly
initialised model of the same shape would do for timing, but not for comparing orders: its scores
hardly differ from one another.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.paths import data_home, samples_home
from rerank_lab.models import open_scorer
from rerank_lab.models.locate.resolve import locate

STEPS, BATCH, SEED = 140, 16, 0
SAMPLES = ("helpdesk", "science-answers")


def minilm_l6_cross_encoder() -> Path:
    """The folder of the model, made at the first call."""
    folder = data_home() / "benchmarks" / f"minilm-l6-cross-encoder-{STEPS}x{BATCH}"
    if not (folder / "config.json").is_file():
        _distil(folder)
    return folder


def _distil(folder: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(SEED)
    source = str(locate("all-minilm-l6").folder)
    config = AutoConfig.from_pretrained(source, num_labels=1)
    model = AutoModelForSequenceClassification.from_pretrained(source, config=config)
    tokenizer = AutoTokenizer.from_pretrained(source)
    pairs = random.Random(SEED).sample(sample_pairs(), STEPS * BATCH)
    logits = _taught(pairs)
    head = [p for n, p in model.named_parameters() if n.startswith(("classifier", "bert.pooler"))]
    body = [p for n, p in model.named_parameters() if n.startswith("bert.e")]
    optimiser = torch.optim.AdamW([{"params": head, "lr": 1e-3}, {"params": body, "lr": 5e-5}])
    model.eval()  # no dropout: the teacher's scores carry no noise either
    for start in range(0, len(pairs), BATCH):
        chosen = slice(start, start + BATCH)
        loss = _loss(model, tokenizer, pairs[chosen], logits[chosen])
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))


def _loss(model: Any, tokenizer: Any, pairs: list[tuple[str, str]], logits: list[float]) -> Any:
    import torch

    queries, texts = [q for q, _ in pairs], [t for _, t in pairs]
    inputs = tokenizer(
        queries, texts, padding=True, truncation=True, max_length=80, return_tensors="pt"
    )
    given = model(**inputs).logits[:, 0]
    return torch.nn.functional.mse_loss(given, torch.tensor(logits) / 4)


def sample_pairs() -> list[tuple[str, str]]:
    """Questions of the sample corpora, each with the texts most like it and some drawn by lot."""
    chance = random.Random(SEED)
    pairs = []
    for name in SAMPLES:
        texts = _texts(name)
        for query in _lines(name, "queries.jsonl"):
            ranked = _by_shared_words(query["text"], texts)
            chosen = ranked[:20] + chance.sample(ranked[20:], 12)
            pairs += [(query["text"], text) for text in chosen]
    return pairs


def ranked_documents() -> tuple[str, list[str]]:
    """A question of a sample, and all documents of the samples by the words they share with it."""
    query = _lines(SAMPLES[0], "queries.jsonl")[0]["text"]
    texts = [text for name in SAMPLES for text in _texts(name)]
    return query, _by_shared_words(query, texts)


def _by_shared_words(query: str, texts: list[str]) -> list[str]:
    words = set(query.lower().split())
    return sorted(texts, key=lambda text: -len(words & set(text.lower().split())))


def _texts(name: str) -> list[str]:
    return [f"{d.get('title', '')} {d['text']}".strip() for d in _lines(name, "corpus.jsonl")]


def _taught(pairs: list[tuple[str, str]]) -> list[float]:
    ctx = Context()
    teacher = open_scorer("ms-marco-minilm-l12", ctx)
    by_query: dict[str, list[str]] = {}
    for query, text in pairs:
        by_query.setdefault(query, []).append(text)
    scores = {q: iter(teacher.score(q, texts, ctx)) for q, texts in by_query.items()}
    return [next(scores[query]) for query, _ in pairs]


def _lines(name: str, file: str) -> list[dict[str, Any]]:
    with (samples_home() / name / file).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
