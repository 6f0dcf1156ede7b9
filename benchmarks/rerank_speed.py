"""Reranking 100 candidates on a CPU: ours beside the libraries people use, measured in turns.

    python benchmarks/rerank_speed.py [rounds]

(a) A full-precision cross-encoder of MiniLM-L6 shape: `CrossEncoder.predict` of
    sentence-transformers with its defaults, and ours (converted to int8 at first use).
(b) The carried int8 file of ms-marco-minilm-l12: FlashRank, and ours.

Candidates are made of sentences of the sample corpora, 134 tokens with the query on average.
Seconds are wall clock; the processor seconds of the whole process are given as well, since they
stay comparable on a machine that is busy with other work. No score cache takes part.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _models import minilm_l6_cross_encoder, ranked_documents
from _report import report

from rerank_lab.core.context import Context
from rerank_lab.models import Scorer, Usage, open_scorer
from rerank_lab.models.convert.cross_encoder import compare
from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.runtime.tokenizer import FastTokenizer

CANDIDATES, TOKENS, SEED = 100, 134, 1
L12 = "ms-marco-minilm-l12"


def main(rounds: int) -> None:
    query, texts = candidates()
    folder = minilm_l6_cross_encoder()
    l6, l12 = open_scorer(str(folder), Context()), open_scorer(L12, Context())
    exact = _sentence_transformers(folder, query, texts)
    flash = _flashrank(query, texts)
    turns: dict[str, Callable[[], Any]] = {
        "sentence_transformers_l6": exact,
        "rerank_lab_l6": lambda: l6.score(query, texts, Context()),
        "flashrank_l12": flash,
        "rerank_lab_l12": lambda: l12.score(query, texts, Context()),
    }
    taken = _in_turns(turns, rounds)
    tau, difference = compare([l6.score(query, texts, Context())], [exact()])
    figures = {name: _summary(seconds) for name, seconds in taken.items()}
    report(
        "rerank_speed",
        {
            "candidates": len(texts),
            "mean_tokens": _mean_tokens(l12, query, texts),
            "rounds": rounds,
            "seconds": figures,
            "l6_backend": l6.backend,
            "l6_kendall_tau_to_full_precision": tau,
            "l6_largest_difference_logits": difference,
            "times_faster_than_sentence_transformers": _ratio(taken, *list(taken)[:2]),
            "times_faster_than_flashrank": _ratio(taken, *list(taken)[2:]),
        },
    )


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


def _sentence_transformers(folder: Path, query: str, texts: list[str]) -> Callable[[], Any]:
    import torch
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu")
    pairs = [(query, text) for text in texts]
    identity = torch.nn.Identity()
    return lambda: model.predict(pairs, activation_fn=identity)


def _flashrank(query: str, texts: list[str]) -> Callable[[], Any]:
    """FlashRank on the carried file, in the layout that it would have downloaded."""
    from flashrank import Ranker, RerankRequest

    carried = locate(L12).folder
    home = Path(tempfile.mkdtemp())
    folder = home / "ms-marco-MiniLM-L-12-v2"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        (folder / name).symlink_to(carried / name)
    (folder / "flashrank-MiniLM-L-12-v2_Q.onnx").symlink_to(carried / "model.onnx")
    (folder / "config.json").write_text('{"pad_token_id": 0}', "utf-8")
    ranker = Ranker("ms-marco-MiniLM-L-12-v2", str(home), max_length=512, log_level="ERROR")

    def rank() -> Any:
        passages = [{"id": i, "text": text} for i, text in enumerate(texts)]
        return ranker.rerank(RerankRequest(query=query, passages=passages))

    return rank


def _in_turns(turns: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Any]:
    taken: dict[str, Any] = {name: [] for name in turns}
    for number in range(rounds + 1):
        for name, run in turns.items():
            wall, processor = time.perf_counter(), time.process_time()
            run()
            if number:  # the first round warms up
                spent = (time.perf_counter() - wall, time.process_time() - processor)
                taken[name].append(spent)
    return taken


def _summary(spent: list[tuple[float, float]]) -> dict[str, float]:
    wall = [w for w, _ in spent]
    return {
        "median": statistics.median(wall),
        "fastest": min(wall),
        "median_processor": statistics.median(p for _, p in spent),
    }


def _ratio(taken: dict[str, Any], slow: str, fast: str) -> dict[str, float]:
    """Median over rounds of the ratio within a round, and the ratio of the fastest rounds."""
    pairs = list(zip(taken[slow], taken[fast], strict=True))
    return {
        "median_of_rounds": statistics.median(s[0] / f[0] for s, f in pairs),
        "fastest": min(s[0] for s, _ in pairs) / min(f[0] for _, f in pairs),
        "processor": statistics.median(s[1] / f[1] for s, f in pairs),
    }


def _mean_tokens(scorer: Scorer, query: str, texts: list[str]) -> float:
    usage = Usage()
    scorer.score(query, texts, Context(), usage)
    return usage.tokens / len(texts)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
