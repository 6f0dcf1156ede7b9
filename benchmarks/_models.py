"""Full-precision cross-encoders of MiniLM shape, made here because none is carried.

L12: ms-marco-minilm-l12 itself, the weights of its int8 graph written back as numbers. L6: the
encoder of all-minilm-l6 with a relevance head, distilled from ms-marco-minilm-l12 on the questions
of a sample corpus (seeded, a few minutes on two cores, kept for the next run). A randomly
initialised model of the same shape would do for timing, but not for comparing orders: its scores
hardly differ from one another.
"""

from __future__ import annotations

import json
import random
import shutil
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


def minilm_l12_cross_encoder() -> Path:
    """The folder of ms-marco-minilm-l12 in fp32 safetensors, made at the first call.

    Its matrices are those of the carried int8 graph, so every engine computes the same model.
    """
    folder = data_home() / "benchmarks" / "minilm-l12-cross-encoder"
    if not (folder / "config.json").is_file():
        _write_back(Path(locate("ms-marco-minilm-l12").folder), folder)
    return folder


def _write_back(source: Path, folder: Path) -> None:
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    weights = _weights_of(source / "model.onnx")
    words, hidden = weights["bert.embeddings.word_embeddings.weight"].shape
    wide = weights["bert.encoder.layer.0.intermediate.dense.weight"].shape[0]
    config = BertConfig(
        vocab_size=words,
        hidden_size=hidden,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=wide,
        num_labels=1,
    )
    model = BertForSequenceClassification(config)
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    missing = model.load_state_dict(tensors, strict=False).missing_keys
    assert not missing, missing
    model.save_pretrained(str(folder))
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copyfile(source / name, folder / name)


def _weights_of(path: Path) -> dict[str, Any]:
    """The weights of a dynamically quantised BERT by the names they have in transformers."""
    import numpy as np
    from onnx import load, numpy_helper

    graph = load(str(path)).graph
    stored = {item.name: numpy_helper.to_array(item) for item in graph.initializer}

    def value(name: str) -> Any:
        steps = stored[f"{name}_quantized"].astype(np.float32) - stored[f"{name}_zero_point"]
        return (steps * stored[f"{name}_scale"]).astype(np.float32)

    suffix = "_quantized"
    weights = {name: array for name, array in stored.items() if name.endswith((".bias", ".weight"))}
    for name in stored:
        if name.startswith("bert.embeddings.") and name.endswith(suffix):
            weights[name.removesuffix(suffix)] = value(name.removesuffix(suffix))
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            module = node.name.removeprefix("/").rpartition("/")[0].replace("/", ".")
            weights[f"{module}.weight"] = value(node.input[1].removesuffix(suffix)).T
    return {name: np.array(array, np.float32, order="C") for name, array in weights.items()}


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
