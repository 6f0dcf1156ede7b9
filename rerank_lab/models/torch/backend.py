"""Torch: full precision on a CPU, bf16 with SDPA on CUDA, in batches of a token budget.

Models are loaded by sentence-transformers, so that every architecture and module it knows works,
and run in batches of our own: cancel between them, and halve them when memory runs out.
`trust_remote_code` stays off and only safetensors are read.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from rerank_lab.core.errors import BackendError, LabError, ModelUnavailable
from rerank_lab.models.convert.heads import Head
from rerank_lab.models.locate.resolve import Located
from rerank_lab.models.onnx.session import Floats
from rerank_lab.models.onnx.tasks import normalised
from rerank_lab.models.runtime.batching import halving, token_budget_batches
from rerank_lab.models.runtime.request import Call, Kind
from rerank_lab.models.runtime.tokens import clipped

T = TypeVar("T")

_BATCH_TOKENS = {"cpu": 1_024, "cuda": 32_768}


class TorchEngine:
    """A sentence-transformers model on a device. One caller at a time."""

    def __init__(self, model: Any, device: str, dtype: str) -> None:
        self.backend = f"torch {dtype} {device}"
        self.device = device
        self.model: Any = model.eval()
        self.size = sum(p.numel() * p.element_size() for p in model.parameters())

    def close(self) -> None:
        self.model = None
        if self.device == "cuda":
            import torch

            torch.cuda.empty_cache()

    def batches(
        self, inputs: Sequence[Any], call: Call, run: Callable[[list[Any]], list[T]], limit: int
    ) -> list[T]:
        """`run` over token-budget batches of `inputs` (texts or pairs), in the order given."""
        lengths = self._lengths(inputs)
        call.count([min(n, limit) for n in lengths], [n > limit for n in lengths])
        budget = call.batch_tokens or _BATCH_TOKENS[self.device]
        results: dict[int, T] = {}
        for batch in token_budget_batches([min(n, limit) for n in lengths], budget):
            call.ctx.checkpoint()
            values = self._run_batch(batch, lambda some: run([inputs[i] for i in some]))
            results |= dict(zip(batch, values, strict=True))
            call.ctx.report("scoring", len(results), len(inputs))
        return [results[i] for i in range(len(inputs))]

    def _run_batch(self, batch: list[int], run: Callable[[Sequence[int]], list[T]]) -> list[T]:
        import torch

        try:
            with torch.inference_mode():
                return halving(batch, run, self._is_full)
        except LabError:
            raise
        except Exception as error:
            full = self._is_full(error)
            hint = "Choose a smaller model or max_length." if full else 'Try backend="onnx".'
            reason = "ran out of memory on a single text" if full else f"failed: {error}"
            raise BackendError(f"torch {reason}.", hint=hint, details=repr(error)) from error

    def _is_full(self, error: Exception) -> bool:
        import torch

        full = isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
        if full and self.device == "cuda":
            torch.cuda.empty_cache()
        return full

    def _lengths(self, inputs: Sequence[Any]) -> list[int]:
        first, second = inputs, None
        if inputs and isinstance(inputs[0], tuple):
            first, second = [pair[0] for pair in inputs], [pair[1] for pair in inputs]
        encoded = self.model.tokenizer(
            list(first), second, truncation=False, padding=False, verbose=False
        )
        return [len(ids) for ids in encoded["input_ids"]]

    def _features(self, batch: list[Any], **kwargs: Any) -> Any:
        from sentence_transformers.util import batch_to_device

        return batch_to_device(self.model.preprocess(batch, **kwargs), self.model.device)


class TorchScorer(TorchEngine):
    """Pairs to raw logits, whatever activation the model's configuration names."""

    def __init__(self, model: Any, device: str, dtype: str, head: Head) -> None:
        super().__init__(model, device, dtype)
        self._head = head
        self._prompt = model.prompts.get(model.default_prompt_name) or None

    def score(self, query: str, texts: Sequence[str], call: Call) -> list[float]:
        """One raw logit a text; of two outputs, the relevant one less the other."""
        self.model.max_seq_length = call.max_length
        question = clipped(query, call.max_length)[0]
        pairs = [(question, clipped(text, call.max_length)[0]) for text in texts]
        return self.batches(pairs, call, self._logits, call.max_length)

    def _logits(self, pairs: list[tuple[str, str]]) -> list[float]:
        features = self._features(pairs, prompt=self._prompt)
        logits = self.model(features)["scores"].float().cpu().numpy()
        logits = logits.reshape(len(pairs), -1)
        scores = logits[:, self._head.relevant]
        if self._head.labels == 2:
            scores = scores - logits[:, 1 - self._head.relevant]
        return [float(score) for score in scores]


class TorchEmbedder(TorchEngine):
    """Texts to one vector each, through all modules of a sentence-transformers model."""

    def __init__(self, model: Any, device: str, dtype: str, prefixes: tuple[str, str]) -> None:
        super().__init__(model, device, dtype)
        self._prefixes = prefixes
        self._takes_task = "task" in model.get_model_kwargs()

    def embed(self, texts: Sequence[str], kind: Kind, call: Call) -> Floats:
        """Shape (texts, dimension), each row of length 1."""
        self.model.max_seq_length = call.max_length
        inputs = [clipped(text, call.max_length)[0] for text in texts]
        run = functools.partial(self._vectors, kind=kind)
        rows: list[Floats] = self.batches(inputs, call, run, call.max_length)
        return normalised(np.stack(rows))

    def _vectors(self, texts: list[str], kind: Kind) -> list[Floats]:
        prompt = self._prefixes[kind == "passage"] or None
        task = {"task": _TASKS[kind]} if self._takes_task else {}
        features = self._features(texts, prompt=prompt, **task)
        return list(self.model(features, **task)["sentence_embedding"].float().cpu().numpy())


class TorchTokenEmbedder(TorchEngine):
    """Texts to one vector a token: PyLate and sentence-transformers multi-vector models."""

    def embed_tokens(self, texts: Sequence[str], kind: Kind, call: Call) -> list[Floats]:
        """A (tokens, dimension) array a text, each row of length 1."""
        own = getattr(self.model[0], f"{_TASKS[kind]}_length", None)
        limit = min(call.max_length, own or call.max_length)
        inputs = [clipped(text, call.max_length)[0] for text in texts]
        return self.batches(inputs, call, functools.partial(self._vectors, kind=kind), limit)

    def _vectors(self, texts: list[str], kind: Kind) -> list[Floats]:
        encode = self.model.encode_query if kind == "query" else self.model.encode_document
        vectors = encode(
            texts, batch_size=len(texts), convert_to_numpy=True, show_progress_bar=False
        )
        return [normalised(np.asarray(rows, np.float32)) for rows in vectors]


_TASKS: dict[Kind, str] = {"query": "query", "passage": "document"}


def load_scorer(located: Located, device: str, dtype: str, head: Head) -> TorchScorer:
    from sentence_transformers import CrossEncoder

    model = _load(CrossEncoder, located, device, dtype)
    if dtype != "float32":
        # A head computed in bf16 has 256 values between two powers of two: ties, decided by nobody.
        model.set_keep_in_fp32_modules(_last_linear(model, head.labels))
    return TorchScorer(model, device, dtype, head)


def load_embedder(
    located: Located, device: str, dtype: str, prefixes: tuple[str, str]
) -> TorchEmbedder:
    from sentence_transformers import SentenceTransformer

    return TorchEmbedder(
        _load(SentenceTransformer, located, device, dtype), device, dtype, prefixes
    )


def load_token_embedder(located: Located, device: str, dtype: str) -> TorchTokenEmbedder:
    from sentence_transformers import MultiVectorEncoder

    return TorchTokenEmbedder(_load(MultiVectorEncoder, located, device, dtype), device, dtype)


def _load(kind: Callable[..., Any], located: Located, device: str, dtype: str) -> Any:
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        return kind(
            str(located.folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": getattr(torch, dtype), "use_safetensors": True},
        )
    except Exception as error:
        raise ModelUnavailable(
            f"{located.name} cannot be loaded: {type(error).__name__}: {error}",
            hint="Check that the folder is a complete sentence-transformers model.",
            details=repr(error),
        ) from error


def _last_linear(model: Any, labels: int) -> list[str]:
    import torch

    found = [
        name
        for name, module in model.named_modules()
        if type(module) is torch.nn.Linear and module.out_features == labels
    ]
    return found[-1:]
