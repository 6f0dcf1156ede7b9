"""What each change to a carried int8 graph gains: processor seconds of 40 texts, in turns.

    python benchmarks/graph_forms.py [rounds]

Forms of ms-marco-minilm-l12: as it came; without ONNX Runtime's fusion of sums and layer norms;
with its attention fused; both; and with the last layer for the first token only. One thread; the
texts are those of rerank_speed.py.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _report import report
from rerank_speed import L12, candidates

from rerank_lab.models.convert.attention import fuse_attention
from rerank_lab.models.convert.first_token import keep_first_token
from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.onnx.session import SLOWER_FUSIONS
from rerank_lab.models.runtime.tokenizer import FastTokenizer, Tokenized

TEXTS = 40


def main(rounds: int) -> None:
    folder = locate(L12).folder
    query, texts = candidates()
    inputs = FastTokenizer(folder / "tokenizer.json").pairs(query, texts[:TEXTS], 512)
    graph = folder / "model.onnx"
    with tempfile.TemporaryDirectory() as home:
        fused = Path(shutil.copy(graph, Path(home) / "fused.onnx"))
        layers = fuse_attention(fused)
        narrow = Path(shutil.copy(fused, Path(home) / "narrow.onnx"))
        keep_first_token(narrow)
        forms = {
            "as it came": _session(graph, []),
            "sum and layer norm apart": _session(graph, SLOWER_FUSIONS),
            "attention fused": _session(fused, []),
            "both": _session(fused, SLOWER_FUSIONS),
            "both, last layer for the first token": _session(narrow, SLOWER_FUSIONS),
        }
        taken, scores = _in_turns(forms, inputs, rounds)
    first = scores["as it came"]
    report(
        "graph_forms",
        {
            "texts": len(inputs),
            "layers fused": layers,
            "processor seconds, median": {n: statistics.median(t) for n, t in taken.items()},
            "correlation of scores with the graph as it came": {
                name: float(np.asarray(np.corrcoef(first, values))[0, 1])
                for name, values in scores.items()
            },
        },
    )


def _session(graph: Path, disabled: list[str]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_mem_pattern = False
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(
        str(graph), options, providers=providers, disabled_optimizers=disabled
    )


def _in_turns(
    forms: dict[str, Any], inputs: list[Tokenized], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    taken: dict[str, list[float]] = {name: [] for name in forms}
    scores: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name, session in forms.items():
            start = time.process_time()
            scores[name] = [_score(session, item) for item in inputs]
            if number:  # the first round warms up
                taken[name].append(time.process_time() - start)
    return taken, scores


def _score(session: Any, item: Tokenized) -> float:
    feed = {
        "input_ids": item.ids[None],
        "attention_mask": np.ones((1, len(item)), np.int64),
        "token_type_ids": item.types[None],
    }
    return float(session.run(None, feed)[0].ravel()[0])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
