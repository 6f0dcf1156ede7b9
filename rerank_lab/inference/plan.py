"""How a model found here will run: which backend, which files, which key in the store.

On a CPU a graph that came as ONNX is run as it is, and a full-precision cross-encoder is converted
to int8 once. With CUDA, or when asked, torch runs the safetensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from rerank_lab.context import Context
from rerank_lab.errors import ModelUnavailable
from rerank_lab.inference.call import Options
from rerank_lab.inference.device import choose_device, cpu_dtype, has_cuda
from rerank_lab.inference.resolve import Located

Task = Literal["score", "embed", "tokens"]


@dataclass(frozen=True, slots=True)
class Plan:
    """`size` is the memory to expect in bytes; `prefixes` are those of queries and of passages."""

    located: Located
    task: Task
    backend: str
    key: str
    load: Callable[[Context], Any]
    size: int
    dimension: int = 0
    prefixes: tuple[str, str] = ("", "")
    pooling: str = ""

    @property
    def digest(self) -> str:
        """Stands for everything that its output depends on, batches apart."""
        parts = [self.located.digest, self.task, self.backend, self.prefixes, self.pooling]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def make_plan(located: Located, task: Task, options: Options) -> Plan:
    """Decide how to run. Raises ModelUnavailable when this model cannot do that task here."""
    if runs_on_onnx(located, options):
        return _onnx_plan(located, task)
    from rerank_lab.inference.torch_backend import torch_plan

    device = choose_device(options.device)
    dtype = "bfloat16" if device == "cuda" else cpu_dtype()
    return torch_plan(located, task, device, dtype)


def runs_on_onnx(located: Located, options: Options) -> bool:
    """Whether the ONNX graph that came with the model is what runs."""
    if options.backend == "onnx" or not located.has_safetensors:
        if located.onnx_file is None or options.backend == "torch":
            raise ModelUnavailable(
                f"{located.name} has no weights for the backend {options.backend!r} here.",
                hint='Use backend="auto".',
            )
        return True
    on_cpu = options.device == "cpu" or not has_cuda()
    return options.backend == "auto" and on_cpu and located.onnx_file is not None


def pooling_of(located: Located) -> str:
    """ "cls", "mean" or another mode, by the catalogue, else by the model's own files."""
    if located.entry is not None and located.entry.pooling:
        return located.entry.pooling
    config = located.json("1_Pooling/config.json")
    if config.get("pooling_mode_cls_token") or config.get("pooling_mode") == "cls":
        return "cls"
    if config.get("pooling_mode_mean_tokens") or config.get("pooling_mode") == "mean":
        return "mean"
    return str(config.get("pooling_mode", "mean"))


def prefixes_of(located: Located) -> tuple[str, str]:
    """What is put before a query and before a passage: catalogue, else the model's own prompts."""
    if located.entry is not None:
        return located.entry.query_prefix, located.entry.passage_prefix
    prompts = located.json("config_sentence_transformers.json").get("prompts") or {}
    passage = prompts.get("passage") or prompts.get("document") or ""
    return str(prompts.get("query") or ""), str(passage)


def _onnx_plan(located: Located, task: Task) -> Plan:
    from rerank_lab.inference import onnx_tasks

    graph, tokenizer = located.onnx_file, located.folder / "tokenizer.json"
    if graph is None or not tokenizer.is_file():
        raise ModelUnavailable(
            f"{located.name} lacks {'a graph' if graph is None else 'tokenizer.json'}.",
            hint="An ONNX model needs model.onnx and tokenizer.json in its folder.",
        )
    entry = located.entry
    backend = entry.weights if entry and entry.weights.startswith("onnx") else "onnx"
    pooling = pooling_of(located)
    makers: dict[str, Callable[[], Any]] = {
        "score": lambda: onnx_tasks.OnnxScorer(graph, tokenizer, backend),
        "embed": lambda: onnx_tasks.OnnxEmbedder(graph, tokenizer, backend, pooling),
        "tokens": lambda: onnx_tasks.OnnxTokenEmbedder(graph, tokenizer, backend, MARKERS),
    }
    return Plan(
        located,
        task,
        backend,
        key=f"{located.digest}:{task}:{backend}",
        load=lambda ctx: makers[task](),
        size=int(located.weights_size * 1.5),
        dimension=_dimension(located),
        prefixes=prefixes_of(located) if task == "embed" else ("", ""),
        pooling=pooling if task == "embed" else "",
    )


MARKERS = ("[unused0]", "[unused1]")
"""Query and document markers of ColBERT models trained from BERT vocabularies."""


def _dimension(located: Located) -> int:
    if located.entry is not None and located.entry.dimension:
        return located.entry.dimension
    for name, key in (
        ("1_Pooling/config.json", "word_embedding_dimension"),
        ("1_Pooling/config.json", "embedding_dimension"),
        ("config.json", "hidden_size"),
        ("config.json", "dim"),
    ):
        value = located.json(name).get(key)
        if isinstance(value, int):
            return value
    return 0
