"""Where the time of an int8 cross-encoder goes, and its share of the processor's int8 speed.

    python benchmarks/int8_share.py

One thread. The reference is the fastest of several large int8 products of ONNX Runtime on this
machine, in billion operations a second; the share is that of a model's int8 products, quantising of
their inputs included. Times are by ONNX Runtime's profiler, the smallest of each node's rounds:
other work on the machine takes turns with them.
"""

from __future__ import annotations

import collections
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _models import minilm_l6_cross_encoder
from _report import report
from rerank_speed import L12, candidates

from rerank_lab.core.context import Context
from rerank_lab.models import open_scorer
from rerank_lab.models.convert.conversion import converted_folder
from rerank_lab.models.convert.samples import Feed, feed_of
from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.onnx.session import SLOWER_FUSIONS
from rerank_lab.models.runtime.tokenizer import FastTokenizer

TEXTS, ROUNDS, LARGE = 20, 5, 1024
PRODUCTS = ("DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MatMulInteger")
QUANTISING = ("DynamicQuantizeLinear",)


def main() -> None:
    query, texts = candidates()
    fastest = _fastest_product()
    figures: dict[str, Any] = {"int8 reference, billion operations a second": fastest / 1e9}
    for model in (str(minilm_l6_cross_encoder()), L12):
        open_scorer(model, Context())
        located = locate(model)
        folder = converted_folder(located)
        graph = next(folder.glob("*.onnx"))
        pairs = FastTokenizer(located.folder / "tokenizer.json").pairs(query, texts[:TEXTS], 512)
        figures[Path(model).name] = _profile(graph, [feed_of(pair) for pair in pairs], fastest)
    report("int8_share", figures)


def _profile(graph: Path, feeds: list[Feed], fastest: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as work:
        session = _session(str(graph), Path(work) / "profile")
        inputs = {value.name for value in session.get_inputs()}
        for _ in range(ROUNDS):
            for feed in feeds:
                session.run(None, {k: v for k, v in feed.items() if k in inputs})
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    nodes: dict[tuple[str, str], list[dict[str, Any]]] = collections.defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("kernel_time"):
            nodes[event["args"]["op_name"], event["name"]].append(event)
    seconds: dict[str, float] = collections.Counter()
    operations = 0.0
    for (kind, _), runs in nodes.items():
        for text in range(len(feeds)):
            rounds = runs[text :: len(feeds)]
            seconds[kind] += min(run["dur"] for run in rounds) / 1e6
            operations += _operations(rounds[0]) if kind in PRODUCTS else 0.0
    products = sum(seconds[kind] for kind in (*PRODUCTS, *QUANTISING))
    total = sum(seconds.values())
    shares = sorted(seconds.items(), key=lambda item: -item[1])
    return {
        "milliseconds a text": 1000 * total / len(feeds),
        "share of time": {kind: value / total for kind, value in shares[:10]},
        "products, share of the reference": operations / products / fastest,
        "whole model, share of the reference": operations / total / fastest,
    }


def _operations(event: dict[str, Any]) -> float:
    """Multiplications and additions of a product, by the shapes that the profiler gives."""
    rows = next(iter(event["args"]["input_type_shape"][0].values()))
    result = next(iter(event["args"]["output_type_shape"][0].values()))
    return 2.0 * float(np.prod(rows)) * float(result[-1])


def _fastest_product() -> float:
    """Operations a second of a large product of int8."""
    from onnx import helper

    a, b = ("a", 2, [LARGE, LARGE]), ("b", 3, [LARGE, LARGE])
    node = helper.make_node("MatMulInteger", ["a", "b"], ["out"])
    random = np.random.default_rng(0)
    weights = random.integers(-127, 127, (LARGE, LARGE)).astype(np.int8)
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info(*a)],
        [helper.make_tensor_value_info("out", 6, [LARGE, LARGE])],
        [helper.make_tensor(b[0], b[1], b[2], weights.tobytes(), raw=True)],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    session = _session(model.SerializeToString())
    rows = random.integers(0, 255, (LARGE, LARGE)).astype(np.uint8)
    times = []
    for _ in range(30):
        start = time.thread_time()
        session.run(None, {"a": rows})
        times.append(time.thread_time() - start)
    return float(2.0 * LARGE**3 / min(times))


def _session(graph: str | bytes, profile: Path | None = None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = os.fspath(profile)
    return onnxruntime.InferenceSession(
        graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER_FUSIONS
    )


if __name__ == "__main__":
    main()
