"""Reranking 100 candidates on a CPU: ours in each mode beside its peers, measured in turns.

    python benchmarks/rerank_speed.py [rounds]

(a) A full-precision cross-encoder of MiniLM-L6 shape: ours (int8, and unquantised in OpenVINO),
    sentence-transformers with its defaults and in bf16, and what its OpenVINO and ONNX backends run
    (`_peers.py`), each with Kendall's tau to full precision.
(b) The carried int8 file of ms-marco-minilm-l12: FlashRank, plain ONNX Runtime, and ours.

Needs `pip install openvino nncf`; without them their arms are left out. Candidates are made of
sentences of the sample corpora, 134 tokens with the query on average. Processor seconds of the
whole process stay comparable on a machine that is busy with other work; seconds are wall clock. No
score cache takes part.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import _peers
from _models import minilm_l6_cross_encoder, ranked_documents
from _report import report

from rerank_lab.core.context import Context
from rerank_lab.models import ModelOptions, Scorer, Usage, open_scorer
from rerank_lab.models.convert.precision import compare
from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.runtime.tokenizer import FastTokenizer

CANDIDATES, TOKENS, SEED = 100, 134, 1
L12 = "ms-marco-minilm-l12"
OURS = {"l6": "rerank lab int8", "l12": "rerank lab"}


def main(rounds: int) -> None:
    query, texts = candidates()
    with tempfile.TemporaryDirectory() as work:
        l6 = _l6_arms(query, texts, Path(work))
        l12 = _l12_arms(query, texts, Path(work))
        taken, scores = _in_turns(l6 | l12, rounds)
        exact = list(scores["sentence-transformers, defaults"])
        orders = {name: compare([list(scores[name])], [exact]) for name in l6}
    report(
        "rerank_speed",
        {
            "candidates": len(texts),
            "mean_tokens": _mean_tokens(open_scorer(L12, Context()), query, texts),
            "rounds": rounds,
            "l6": {
                name: _summary(taken, name, OURS["l6"])
                | {"kendall_tau": orders[name][0], "largest_difference_logits": orders[name][1]}
                for name in l6
            },
            "l12": {name: _summary(taken, name, OURS["l12"]) for name in l12},
        },
    )


def _l6_arms(query: str, texts: list[str], work: Path) -> dict[str, _peers.Scoring]:
    folder = minilm_l6_cross_encoder()
    ours = open_scorer(str(folder), Context())
    arms: dict[str, _peers.Scoring] = {
        OURS["l6"]: lambda: ours.score(query, texts, Context()),
        "sentence-transformers, defaults": _peers.sentence_transformers(folder, query, texts),
        "sentence-transformers, bf16, sorted": _peers.sentence_transformers_bf16(
            folder, query, texts
        ),
        "ONNX Runtime dynamic int8, sorted": _peers.onnx_int8(folder, query, texts, work),
    }
    if find_spec("openvino") is not None:
        options = ModelOptions(device="cpu", backend="openvino")
        faithful = open_scorer(str(folder), Context(), options)
        arms["rerank lab, OpenVINO"] = lambda: faithful.score(query, texts, Context())
    if find_spec("nncf") is not None:
        for name, int8 in (("OpenVINO NNCF int8", True), ("OpenVINO unquantised", False)):
            arms[f"{name}, sorted"] = _peers.openvino(folder, query, texts, work, int8)
    return arms


def _l12_arms(query: str, texts: list[str], work: Path) -> dict[str, _peers.Scoring]:
    carried, ours = locate(L12).folder, open_scorer(L12, Context())
    tokenizer = carried / "tokenizer.json"
    return {
        OURS["l12"]: lambda: ours.score(query, texts, Context()),
        "FlashRank": _peers.flashrank(carried, work, query, texts),
        "ONNX Runtime, sorted": _peers.onnx_file(carried / "model.onnx", tokenizer, query, texts),
    }


def candidates() -> tuple[str, list[str]]:
    """A question, and texts of 40 to 230 tokens, question included, `TOKENS` on average.

    The texts are what a first stage would hand over: sample documents by the words they share with
    the question, each lengthened with sentences of others, or cut, to its share of tokens.
    """
    query, documents = ranked_documents()
    sentences = [s.strip() for text in documents for s in text.split(". ") if s.strip()]
    tokens = FastTokenizer(locate("all-minilm-l6").folder / "tokenizer.json")
    chance = random.Random(SEED)
    lengths = [2 * TOKENS * (n + 20) / (CANDIDATES + 39) for n in range(CANDIDATES)]
    chance.shuffle(lengths)
    texts = []
    for document, wanted in zip(documents, lengths, strict=False):
        text = document
        while len(tokens.pairs(query, [text], 512)[0]) < wanted - 8:
            text = f"{text} {chance.choice(sentences)}."
        while len(tokens.pairs(query, [text], 512)[0]) > wanted + 8:
            text = text.rsplit(" ", 4)[0]
        texts.append(text)
    return query, texts


Spent = list[tuple[float, float]]
"""Wall and processor seconds of each round."""


def _in_turns(
    turns: dict[str, _peers.Scoring], rounds: int
) -> tuple[dict[str, Spent], dict[str, Any]]:
    """What every arm took in each round, and what it gave in the last."""
    scores: dict[str, Any] = {}
    taken: dict[str, Spent] = {name: [] for name in turns}
    for number in range(rounds + 1):
        for name, run in turns.items():
            wall, processor = time.perf_counter(), time.process_time()
            scores[name] = run()
            if number:  # the first round warms up
                spent = (time.perf_counter() - wall, time.process_time() - processor)
                taken[name].append(spent)
    return taken, scores


def _summary(taken: dict[str, Spent], name: str, ours: str) -> dict[str, float]:
    """Medians over rounds; the multiple of ours is that within a round, by processor time."""
    pairs = zip(taken[name], taken[ours], strict=True)
    return {
        "processor_seconds": statistics.median(p for _, p in taken[name]),
        "seconds": statistics.median(w for w, _ in taken[name]),
        "multiple_of_ours": statistics.median(theirs[1] / mine[1] for theirs, mine in pairs),
    }


def _mean_tokens(scorer: Scorer, query: str, texts: list[str]) -> float:
    usage = Usage()
    scorer.score(query, texts, Context(), usage)
    return usage.tokens / len(texts)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
