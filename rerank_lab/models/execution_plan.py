"""How a model found here will run: which backend, which files, which key in the store.

On a CPU a graph that came as ONNX is run as it is, and a full-precision cross-encoder is converted
to int8 once. With CUDA, or when asked, torch runs the safetensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rerank_lab.core.context import Context
from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.models.convert.heads import Head, head_of, require_trained_head
from rerank_lab.models.locate.resolve import Located
from rerank_lab.models.runtime.device import choose_device, has_cuda, torch_dtype
from rerank_lab.models.runtime.request import Options

Task = Literal["score", "embed", "tokens", "sparse", "prompt", "fused", "context"]

MARKERS = ("[unused0]", "[unused1]")
"""Query and document markers of ColBERT models trained from BERT vocabularies."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`size` is the memory to expect in bytes; `prefixes` are those of queries and of passages."""

    located: Located
    task: Task
    backend: str
    load: Callable[[Context], Any]
    size: int
    dimension: int = 0
    prefixes: tuple[str, str] = ("", "")
    pooling: str = ""
    warning: str = ""

    @property
    def key(self) -> str:
        """Which loaded engine it uses."""
        return f"{self.located.digest}:{self.task}:{self.backend}:{self.prefixes}"

    @property
    def digest(self) -> str:
        """Stands for everything that its output depends on, batches apart."""
        parts = [self.located.digest, self.task, self.backend, self.prefixes, self.pooling]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def make_plan(located: Located, task: Task, options: Options, ctx: Context) -> Plan:
    """Decide how to run. Raises ModelUnavailable when this model cannot do that task here."""
    head = head_of(located) if task == "score" else Head()
    graph = located.onnx_file
    if graph is not None and _prefers_onnx(located, options):
        return _onnx_plan(located, task, graph, head, ctx)
    if not located.has_safetensors:
        raise ModelUnavailable(
            f"{located.name} has no weights for the backend {options.backend!r} here.",
            hint='Use backend="auto".',
        )
    device = choose_device(options.device)
    if device == "cpu" and options.backend != "torch":
        if task == "score":
            return _converted_plan(located, head, ctx)
        if task == "embed":
            return _converted_encoder_plan(located, ctx)
    return _torch_plan(located, task, device, head)


def _prefers_onnx(located: Located, options: Options) -> bool:
    if not located.has_safetensors or options.backend == "onnx":
        return options.backend != "torch"
    return options.backend == "auto" and (options.device == "cpu" or not has_cuda())


def pooling_of(located: Located) -> str:
    """ "cls", "mean" or another mode, by the catalogue, else by the model's own files."""
    if located.entry is not None and located.entry.pooling:
        return located.entry.pooling
    config = located.json("1_Pooling/config.json")
    if config.get("pooling_mode_cls_token"):
        return "cls"
    return str(config.get("pooling_mode") or "mean")


def prefixes_of(located: Located) -> tuple[str, str]:
    """What is put before a query and before a passage: catalogue, else the model's own prompts."""
    if located.entry is not None:
        return located.entry.query_prefix, located.entry.passage_prefix
    prompts = located.json("config_sentence_transformers.json").get("prompts") or {}
    passage = prompts.get("passage") or prompts.get("document") or ""
    return str(prompts.get("query") or ""), str(passage)


def dimension_of(located: Located) -> int:
    """Length of a vector, by the catalogue, else by the model's own files; 0 when unknown."""
    if located.entry is not None and located.entry.dimension:
        return located.entry.dimension
    for name, key in (
        ("2_Dense/config.json", "out_features"),
        ("1_Dense/config.json", "out_features"),
        ("1_Pooling/config.json", "word_embedding_dimension"),
        ("1_Pooling/config.json", "embedding_dimension"),
        ("config.json", "hidden_size"),
        ("config.json", "dim"),
    ):
        value = located.json(name).get(key)
        if isinstance(value, int):
            return value
    return 0


def _onnx_plan(located: Located, task: Task, graph: Path, head: Head, ctx: Context) -> Plan:
    from rerank_lab.models.onnx import fused
    from rerank_lab.models.onnx import tasks as onnx_tasks

    tokenizer = located.folder / "tokenizer.json"
    if not tokenizer.is_file():
        raise ModelUnavailable(
            f"{located.name} lacks tokenizer.json.",
            hint="An ONNX model needs model.onnx and tokenizer.json in its folder.",
        )
    graph = fused.fused_graph(located, graph, tokenizer, ctx)
    entry = located.entry
    backend = entry.weights if entry and entry.weights.startswith("onnx") else "onnx"
    pooling, prefixes = _embedding(located, task)
    loaders: dict[str, Callable[[Context], Any]] = {
        "score": lambda _: onnx_tasks.OnnxScorer(graph, tokenizer, backend, head),
        "embed": lambda _: onnx_tasks.OnnxEmbedder(graph, tokenizer, backend, pooling, prefixes),
        "tokens": lambda _: onnx_tasks.OnnxTokenEmbedder(graph, tokenizer, backend, MARKERS),
    }
    return Plan(
        located,
        task,
        backend,
        loaders[task],
        size=int(located.weights_size * 1.5),
        dimension=dimension_of(located),
        prefixes=prefixes,
        pooling=pooling,
    )


def _converted_plan(located: Located, head: Head, ctx: Context) -> Plan:
    from rerank_lab.models.convert import export as convert
    from rerank_lab.models.onnx import tasks as onnx_tasks

    folder = convert.converted_folder(located)
    found = convert.read_conversion(folder)
    if found is None:
        require_trained_head(located)
        if not convert.convertible(located):
            return _torch_plan(located, "score", "cpu", head)
        found = convert.convert(located, head, ctx)
    if found.precision == "none":
        return replace(_torch_plan(located, "score", "cpu", head), warning=found.warning)
    graph = folder / ("int8.onnx" if found.precision == "int8" else "full.onnx")
    backend = f"onnx {found.precision}"
    return Plan(
        located,
        "score",
        backend,
        lambda _: onnx_tasks.OnnxScorer(graph, folder / "tokenizer.json", backend, head),
        size=int(graph.stat().st_size * 1.5),
        warning=found.warning,
    )


def _converted_encoder_plan(located: Located, ctx: Context) -> Plan:
    from rerank_lab.models.convert import encoder as convert_encoder
    from rerank_lab.models.convert import export as convert
    from rerank_lab.models.onnx import tasks as onnx_tasks

    pooling, prefixes = _embedding(located, "embed")
    torch_plan = _torch_plan(located, "embed", "cpu", Head())
    folder = convert.converted_folder(located)
    found = convert.read_conversion(folder)
    if found is None:
        if not convert_encoder.convertible(located, pooling):
            return torch_plan
        found = convert_encoder.convert_encoder(located, pooling, ctx)
    if found.precision == "none":
        return torch_plan
    graph, tokenizer = folder / "full.onnx", folder / "tokenizer.json"
    backend = "onnx fp32"
    return replace(
        torch_plan,
        backend=backend,
        load=lambda _: onnx_tasks.OnnxEmbedder(graph, tokenizer, backend, pooling, prefixes),
        size=int(graph.stat().st_size * 1.5),
    )


def _torch_plan(located: Located, task: Task, device: str, head: Head) -> Plan:
    from rerank_lab.models.torch import backend as torch_backend

    # On a CPU torch is the fallback and the reference, so it stays exact: int8 is the fast way.
    dtype = torch_dtype(device)
    pooling, prefixes = _embedding(located, task)

    def scorer(_: Context) -> Any:
        require_trained_head(located)
        return torch_backend.load_scorer(located, device, dtype, head)

    loaders: dict[str, Callable[[Context], Any]] = {
        "score": scorer,
        "embed": lambda _: torch_backend.load_embedder(located, device, dtype, prefixes),
        "tokens": lambda _: torch_backend.load_token_embedder(located, device, dtype),
    }
    return Plan(
        located,
        task,
        f"torch {dtype} {device}",
        loaders[task],
        size=int(located.weights_size * 1.3),
        dimension=dimension_of(located),
        prefixes=prefixes,
        pooling=pooling,
    )


def _embedding(located: Located, task: Task) -> tuple[str, tuple[str, str]]:
    if task != "embed":
        return "", ("", "")
    return pooling_of(located), prefixes_of(located)
