"""Other ways to run the same cross-encoder on a CPU, each in the best setting known for it.

Every function gives a callable that scores all texts and returns raw logits in their order.
sentence-transformers' OpenVINO and ONNX backends go through optimum; what they run is built here
by the same calls (NNCF's static quantisation with a transformer preset, ONNX Runtime's dynamic
quantisation), so that the arms stand for them without their overhead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rerank_lab.core.machine import cpu_threads
from rerank_lab.models.convert import torch_export
from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.runtime.tokenizer import FastTokenizer, Tokenized

Scoring = Callable[[], Any]
BATCH, CALIBRATION = 32, 40


def sentence_transformers(folder: Path, query: str, texts: list[str]) -> Scoring:
    """`CrossEncoder.predict` with its defaults."""
    import torch
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu")
    pairs = [(query, text) for text in texts]
    return lambda: model.predict(pairs, activation_fn=torch.nn.Identity())


def sentence_transformers_bf16(folder: Path, query: str, texts: list[str]) -> Scoring:
    """`CrossEncoder.predict` in bf16, texts sorted by length, in batches of 8."""
    import torch
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu", model_kwargs={"dtype": torch.bfloat16})
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    pairs = [(query, texts[i]) for i in order]

    def score() -> Any:
        scores = model.predict(pairs, activation_fn=torch.nn.Identity(), batch_size=8)
        return np.asarray(scores, np.float32)[np.argsort(order)]

    return score


def openvino(folder: Path, query: str, texts: list[str], work: Path, int8: bool) -> Scoring:
    """OpenVINO for throughput, in padded batches sorted by length; int8 by NNCF, else bf16."""
    import nncf
    from openvino import Core

    tokens, core = FastTokenizer(folder / "tokenizer.json"), Core()
    model = core.read_model(str(_exported(folder, work)))
    if int8:
        chosen = [_batch([pair]) for pair in tokens.pairs(query, texts[:CALIBRATION], 512)]
        model = nncf.quantize(
            model,
            nncf.Dataset(chosen),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=CALIBRATION,
        )
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_NUM_THREADS": cpu_threads()}
    compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    return _batched(tokens, query, texts, lambda feed: request.infer(feed)[compiled.output(0)])


def onnx_int8(folder: Path, query: str, texts: list[str], work: Path) -> Scoring:
    """ONNX Runtime with dynamic int8 per channel, in padded batches sorted by length."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    target = work / "dynamic.onnx"
    quantize_dynamic(
        str(_exported(folder, work)), str(target), weight_type=QuantType.QInt8, per_channel=True
    )
    return onnx_file(target, folder / "tokenizer.json", query, texts)


def onnx_file(graph: Path, tokenizer: Path, query: str, texts: list[str]) -> Scoring:
    """A graph as it is in ONNX Runtime, in padded batches sorted by length."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cpu_threads()
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return _batched(FastTokenizer(tokenizer), query, texts, lambda feed: session.run(None, feed)[0])


def flashrank(carried: Path, home: Path, query: str, texts: list[str]) -> Scoring:
    """FlashRank on a carried file, in the layout that it would have downloaded."""
    from flashrank import Ranker, RerankRequest

    folder = home / "ms-marco-MiniLM-L-12-v2"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        (folder / name).symlink_to(carried / name)
    (folder / "flashrank-MiniLM-L-12-v2_Q.onnx").symlink_to(carried / "model.onnx")
    (folder / "config.json").write_text('{"pad_token_id": 0}', "utf-8")
    ranker = Ranker("ms-marco-MiniLM-L-12-v2", str(home), max_length=512, log_level="ERROR")
    passages = [{"id": i, "text": text} for i, text in enumerate(texts)]
    return lambda: ranker.rerank(RerankRequest(query=query, passages=passages))


def _exported(folder: Path, work: Path) -> Path:
    """The model as an ordinary graph for padded batches."""
    import torch

    path = work / "batched.onnx"
    if path.exists():
        return path
    source = torch_export.load_source(locate(str(folder)), "AutoModelForSequenceClassification")
    source.model.set_attn_implementation("eager")
    names = ["input_ids", "attention_mask", "token_type_ids"]

    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = source.model

        def forward(self, ids: Any, mask: Any, types: Any) -> Any:
            return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).logits

    ids = torch.full((2, 24), 5, dtype=torch.long)
    torch.onnx.export(
        Wrapped().eval(),
        (ids, torch.ones_like(ids), torch.zeros_like(ids)),
        str(path),
        dynamo=False,
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "sequence"} for name in names},
        opset_version=17,
    )
    return path


def _batched(
    tokens: FastTokenizer, query: str, texts: list[str], run: Callable[[dict[str, Any]], Any]
) -> Scoring:
    def score() -> Any:
        inputs = tokens.pairs(query, texts, 512)
        order = sorted(range(len(inputs)), key=lambda i: -len(inputs[i]))
        scores = np.zeros(len(inputs), np.float32)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            scores[rows] = np.asarray(run(_batch([inputs[i] for i in rows])))[:, 0]
        return scores

    return score


def _batch(inputs: Sequence[Tokenized]) -> dict[str, Any]:
    """Arrays of shape [n_texts, n_tokens of the longest], padded with zeros."""
    width = max(map(len, inputs))
    feed = {
        name: np.zeros((len(inputs), width), np.int64)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    }
    for row, item in enumerate(inputs):
        feed["input_ids"][row, : len(item)] = item.ids
        feed["attention_mask"][row, : len(item)] = 1
        feed["token_type_ids"][row, : len(item)] = item.types
    return feed
