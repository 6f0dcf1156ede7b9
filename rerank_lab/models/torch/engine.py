"""What every torch engine shares: batches of a token budget, halved when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, LabError
from rerank_lab.models.runtime.batching import halving, token_budget_batches
from rerank_lab.models.runtime.request import InferenceRequest

T = TypeVar("T")

_BATCH_TOKENS = {"cpu": 1_024, "cuda": 32_768}


class TorchEngine:
    """A model on a device. One caller at a time."""

    def __init__(self, model: Any, device: str, dtype: str) -> None:
        self.backend = f"torch {dtype} {device}"
        self.device = device
        self.model: Any = model.eval()
        self.size = sum(p.numel() * p.element_size() for p in model.parameters())

    def close(self) -> None:
        """Free its memory."""
        self.model = None
        if self.device == "cuda":
            import torch

            torch.cuda.empty_cache()

    def batches(
        self,
        inputs: Sequence[Any],
        request: InferenceRequest,
        run: Callable[[list[Any]], list[T]],
        limit: int,
    ) -> list[T]:
        """`run` over token-budget batches of `inputs` (texts or pairs), in the order given."""
        with request.tokenising():
            lengths = self._lengths(inputs)
        request.count([min(n, limit) for n in lengths], [n > limit for n in lengths])
        budget = request.batch_tokens or _BATCH_TOKENS[self.device]
        results: dict[int, T] = {}
        for batch in token_budget_batches([min(n, limit) for n in lengths], budget):
            request.ctx.checkpoint()
            values = self.run_batch(batch, lambda some: run([inputs[i] for i in some]))
            results |= dict(zip(batch, values, strict=True))
            request.ctx.report("scoring", len(results), len(inputs))
        return [results[i] for i in range(len(inputs))]

    def run_batch(self, batch: list[int], run: Callable[[Sequence[int]], list[T]]) -> list[T]:
        """`run` on these indexes, in halves where memory asks for it. Raises BackendError."""
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
        """Tokens of each input, before anything is cut."""
        raise NotImplementedError


class StopOnCancel:
    """A transformers stopping criterion: a cancel or deadline ends a generation between tokens."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Of shape [n_sequences], False for each: nothing has to stop."""
        import torch

        self.ctx.checkpoint()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)
