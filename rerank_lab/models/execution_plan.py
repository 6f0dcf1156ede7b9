"""How a model that is here will run: which backend, which files, which key in the store.

On a CPU a graph that came as ONNX is run as it is, and a full-precision cross-encoder is converted
to int8 once. With CUDA, or when asked, torch runs the safetensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Literal, TypeVar

from rerank_lab.core.context import Context
from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.core.machine import has_cuda
from rerank_lab.models.convert import cross_encoder as conversion_to_int8
from rerank_lab.models.convert import embedding, fused_graph, late_interaction
from rerank_lab.models.convert import sparse as sparse_conversion
from rerank_lab.models.convert.conversion import (
    VECTORS_FORM,
    VECTORS_VERSION,
    Conversion,
    converted_folder,
    read_conversion,
)
from rerank_lab.models.convert.precision import FULL, INT8
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.onnx.encoders import OnnxMultiVector, OnnxSparse
from rerank_lab.models.onnx.openvino_session import require_openvino
from rerank_lab.models.onnx.tasks import OnnxEmbedder, OnnxScorer, OnnxTokenEmbedder
from rerank_lab.models.relevance_head import Head, head_of, require_trained_head
from rerank_lab.models.runtime.device import choose_device, int8_form, torch_dtype
from rerank_lab.models.runtime.engine import (
    ModelEngine,
    PairEngine,
    SparseEngine,
    TextEngine,
    TokenEngine,
)
from rerank_lab.models.runtime.request import ModelOptions
from rerank_lab.models.torch import sentence_transformer
from rerank_lab.models.torch.sparse import load_sparse, require_sparse

E_co = TypeVar("E_co", bound=ModelEngine, covariant=True)
E = TypeVar("E", bound=ModelEngine)
Task = Literal["score", "embed", "tokens", "sparse", "prompt", "fused", "context"]

_VECTOR_TASKS = ("embed", "tokens", "sparse")

MARKERS = ("[unused0]", "[unused1]")
"""Query and document markers of ColBERT models trained from BERT vocabularies."""


@dataclass(frozen=True, slots=True)
class ExecutionPlan(Generic[E_co]):
    """How to load and run one model for one task. `size` is the memory to expect in bytes.

    The fields from `query_prefix` on are what else its output depends on, where the task has them.
    """

    located: LocatedModel
    task: Task
    backend: str
    load: Callable[[], E_co]
    size: int
    dimension: int = 0
    query_prefix: str = ""
    passage_prefix: str = ""
    pooling: str = ""
    template_digest: str = ""
    adapter_digest: str = ""
    reads_attention: bool = False
    first_token: bool = False
    warning: str = ""

    @property
    def key(self) -> str:
        """Which loaded engine it uses: plans with one key share it."""
        return self.digest

    @property
    def digest(self) -> str:
        """Stands for everything that its output depends on, batches apart.

        Vectors are kept under it: how they are made is a part of it.
        """
        prefixes = (self.query_prefix, self.passage_prefix)
        parts: list[object] = [self.located.digest, self.task, self.backend, prefixes, self.pooling]
        if self.task in _VECTOR_TASKS:
            parts.append(f"{VECTORS_VERSION}{int8_form()}")
        extra = [self.template_digest, self.adapter_digest, self.reads_attention]
        return hashlib.sha256(
            json.dumps(parts + (extra if any(extra) else [])).encode()
        ).hexdigest()


def plan_scorer(
    located: LocatedModel, options: ModelOptions, ctx: Context
) -> ExecutionPlan[PairEngine]:
    """How to run a cross-encoder. Raises ModelUnavailable when it is none, or cannot run so."""
    head = head_of(located)
    if options.backend == "openvino":
        return _openvino_plan(located, head, options, ctx)
    graph = _graph_to_run(located, options)
    if graph is not None:
        return _onnx_plan(located, "score", graph, ctx, lambda g, t, b: OnnxScorer(g, t, b, head))

    def load(device: str, dtype: str) -> PairEngine:
        require_trained_head(located)
        return sentence_transformer.load_scorer(located, device, dtype, head)

    plan = torch_plan(located, "score", options, load)
    if _converts(plan, options):
        return _converted_scorer_plan(plan, head, ctx)
    return plan


def plan_encoder(
    located: LocatedModel, options: ModelOptions, ctx: Context
) -> ExecutionPlan[TextEngine]:
    """How to run a bi-encoder. Raises ModelUnavailable when it cannot run so."""
    pooling, prefixes = pooling_of(located), prefixes_of(located)
    graph = _graph_to_run(located, options)
    plan: ExecutionPlan[TextEngine]
    if graph is not None:
        plan = _onnx_plan(
            located,
            "embed",
            graph,
            ctx,
            lambda g, t, b: OnnxEmbedder(g, t, b, pooling, prefixes),
            vectors=pooling == "cls",
        )
    else:
        plan = torch_plan(
            located,
            "embed",
            options,
            lambda device, dtype: sentence_transformer.load_embedder(
                located, device, dtype, prefixes
            ),
        )
    query_prefix, passage_prefix = prefixes
    plan = replace(plan, query_prefix=query_prefix, passage_prefix=passage_prefix, pooling=pooling)
    if graph is None and _converts(plan, options):
        return _converted_encoder_plan(plan, ctx)
    return plan


def plan_token_encoder(
    located: LocatedModel, options: ModelOptions, ctx: Context
) -> ExecutionPlan[TokenEngine]:
    """How to run a late-interaction encoder. Raises ModelUnavailable when it cannot run so."""
    graph = _graph_to_run(located, options)
    if graph is not None:
        return _onnx_plan(
            located, "tokens", graph, ctx, lambda g, t, b: OnnxTokenEmbedder(g, t, b, MARKERS)
        )
    plan: ExecutionPlan[TokenEngine] = torch_plan(
        located,
        "tokens",
        options,
        lambda device, dtype: sentence_transformer.load_token_embedder(located, device, dtype),
    )
    if _converts(plan, options) and late_interaction.convertible(located):
        conversion = late_interaction.convert_token_encoder(located, ctx)
        return _converted_vectors_plan(plan, conversion, OnnxMultiVector)
    return plan


def plan_sparse_encoder(
    located: LocatedModel, options: ModelOptions, ctx: Context
) -> ExecutionPlan[SparseEngine]:
    """How to run a learned sparse encoder. Raises ModelUnavailable when it is none."""
    require_sparse(located)
    plan: ExecutionPlan[SparseEngine] = torch_plan(
        located,
        "sparse",
        options,
        lambda device, dtype: load_sparse(located, device, dtype),
        memory_factor=1.5,
    )
    if _converts(plan, options) and sparse_conversion.convertible(located):
        conversion = sparse_conversion.convert_sparse_encoder(located, ctx)
        return _converted_vectors_plan(plan, conversion, OnnxSparse)
    return plan


def torch_plan(
    located: LocatedModel,
    task: Task,
    options: ModelOptions,
    load: Callable[[str, str], E],
    memory_factor: float = 1.3,
) -> ExecutionPlan[E]:
    """A plan for torch; `load` is called with device and number format ("cpu", "float32").

    On a CPU torch is the fallback and the reference, so it stays exact: int8 is the fast way.
    """
    device = choose_device(options.device)
    dtype = torch_dtype(device)
    return ExecutionPlan(
        located,
        task,
        f"torch {dtype} {device}",
        lambda: load(device, dtype),
        size=int(located.weights_size * memory_factor),
        dimension=dimension_of(located),
    )


def pooling_of(located: LocatedModel) -> str:
    """The mode, such as "cls" or "mean": by the catalogue, else by the model's own files."""
    if located.entry is not None and located.entry.pooling:
        return located.entry.pooling
    config = located.json("1_Pooling/config.json")
    if config.get("pooling_mode_cls_token"):
        return "cls"
    return str(config.get("pooling_mode") or "mean")


def prefixes_of(located: LocatedModel) -> tuple[str, str]:
    """What is put before a query and before a passage: catalogue, else the model's own prompts."""
    if located.entry is not None:
        return located.entry.query_prefix, located.entry.passage_prefix
    prompts = located.json("config_sentence_transformers.json").get("prompts") or {}
    passage = prompts.get("passage") or prompts.get("document") or ""
    return str(prompts.get("query") or ""), str(passage)


def dimension_of(located: LocatedModel) -> int:
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


def _graph_to_run(located: LocatedModel, options: ModelOptions) -> Path | None:
    """The ONNX graph of the model where ONNX Runtime is to run it.

    Raises ModelUnavailable when there is nothing else to run.
    """
    graph = located.onnx_file
    if located.has_safetensors and options.backend != "onnx":
        by_itself = options.device == "cpu" or not has_cuda()
        return graph if options.backend == "auto" and by_itself else None
    if graph is not None and options.backend != "torch":
        return graph
    if located.has_safetensors:
        return None
    raise ModelUnavailable(
        f"{located.name} has no weights for the backend {options.backend!r} here.",
        hint='Use backend="auto".',
    )


def _converts(plan: ExecutionPlan[E], options: ModelOptions) -> bool:
    return plan.backend.endswith(" cpu") and options.backend != "torch"


def _onnx_plan(
    located: LocatedModel,
    task: Task,
    graph: Path,
    ctx: Context,
    load: Callable[[Path, Path, str], E],
    vectors: bool = False,
) -> ExecutionPlan[E]:
    """A plan for a graph that came as a file; `load` is called with graph, tokenizer, backend."""
    tokenizer = located.folder / "tokenizer.json"
    if not tokenizer.is_file():
        raise ModelUnavailable(
            f"{located.name} lacks tokenizer.json.",
            hint="An ONNX model needs model.onnx and tokenizer.json in its folder.",
        )
    runs = fused_graph.fused_graph(located, graph, tokenizer, ctx, vectors)
    entry = located.entry
    backend = entry.weights if entry and entry.weights.startswith("onnx") else "onnx"
    return ExecutionPlan(
        located,
        task,
        backend,
        lambda: load(runs.path, tokenizer, backend),
        size=int(located.weights_size * 1.5),
        dimension=dimension_of(located),
        first_token=runs.first_token,
    )


def _converted_scorer_plan(
    plan: ExecutionPlan[PairEngine], head: Head, ctx: Context
) -> ExecutionPlan[PairEngine]:
    """The model converted to ONNX once, or `plan` where that does not work for it."""
    located = plan.located
    folder = converted_folder(located)
    conversion = read_conversion(folder)
    if conversion is None:
        require_trained_head(located)
        if not conversion_to_int8.convertible(located):
            return plan
        conversion = conversion_to_int8.convert(located, head, ctx)
    if conversion.precision == "none":
        return replace(plan, warning=conversion.warning)
    graph = folder / (INT8 if conversion.precision == "int8" else FULL)
    backend = f"onnx {conversion.precision}"
    return replace(
        plan,
        backend=backend,
        load=lambda: OnnxScorer(graph, folder / "tokenizer.json", backend, head),
        size=int(graph.stat().st_size * 1.5),
        warning=conversion.warning,
    )


def _openvino_plan(
    located: LocatedModel, head: Head, options: ModelOptions, ctx: Context
) -> ExecutionPlan[PairEngine]:
    """The model unquantised in OpenVINO. Raises ModelUnavailable where that does not work."""
    require_openvino()
    if options.device == "cuda" or not conversion_to_int8.convertible(located):
        where = "on a CUDA device" if options.device == "cuda" else "for it"
        raise ModelUnavailable(
            f'{located.name} cannot use backend="openvino" {where}.',
            hint="OpenVINO runs cross-encoders on the CPU that have weights as safetensors: "
            'use backend="auto".',
        )
    folder = converted_folder(located, conversion_to_int8.OPENVINO_FORM)
    conversion = read_conversion(folder)
    if conversion is None:
        require_trained_head(located)
        conversion = conversion_to_int8.convert_unquantised(located, head, ctx)
    if conversion.precision == "none":
        raise ModelUnavailable(
            f"{located.name} cannot run in OpenVINO: {conversion.reason}.",
            hint='Use backend="auto".',
        )
    graph, backend = folder / FULL, f"openvino {conversion.precision}"
    return ExecutionPlan(
        located,
        "score",
        backend,
        lambda: OnnxScorer(graph, folder / "tokenizer.json", backend, head, "openvino"),
        size=int(graph.stat().st_size * 1.5),
        first_token=conversion.first_token,
    )


def _converted_encoder_plan(
    plan: ExecutionPlan[TextEngine], ctx: Context
) -> ExecutionPlan[TextEngine]:
    located, pooling = plan.located, plan.pooling
    conversion = read_conversion(converted_folder(located, VECTORS_FORM))
    if conversion is None:
        if not embedding.convertible(located, pooling):
            return plan
        conversion = embedding.convert_encoder(located, pooling, ctx)
    prefixes = (plan.query_prefix, plan.passage_prefix)

    def load(graph: Path, backend: str) -> TextEngine:
        return OnnxEmbedder(graph, graph.parent / "tokenizer.json", backend, pooling, prefixes)

    return _converted_vectors_plan(plan, conversion, load)


def _converted_vectors_plan(
    plan: ExecutionPlan[E], conversion: Conversion, load: Callable[[Path, str], E]
) -> ExecutionPlan[E]:
    """The converted form of an encoder, `load` called with graph and backend, or `plan` itself."""
    if conversion.precision == "none":
        return plan
    folder = converted_folder(plan.located, VECTORS_FORM)
    graph = folder / (INT8 if conversion.precision == "int8" else FULL)
    backend = f"onnx {conversion.precision}"
    return replace(
        plan,
        backend=backend,
        load=lambda: load(graph, backend),
        size=int(graph.stat().st_size * 1.5),
        first_token=conversion.first_token,
    )
