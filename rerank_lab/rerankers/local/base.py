"""What the rerankers with a local model share: their options, and how a call meets the trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, Generic, TypeVar

from rerank_lab.components.base import Param
from rerank_lab.components.model_state import Availability
from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.work import Work
from rerank_lab.models import (
    BACKENDS,
    DEVICES,
    Backend,
    ModelOptions,
    Usage,
    availability,
    fetch,
    model_digest,
)
from rerank_lab.models.local_model import LocalModel
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.token_budget import TokenBudget, text_token_budget
from rerank_lab.rerankers.base import TOP, PointwiseReranker, Reranker
from rerank_lab.rerankers.long_documents import LONG, estimated_token_budget

_SURELY_FITS = 64
"""Characters of a query that need not be counted in tokens."""

M = TypeVar("M", bound=LocalModel[Any])


def local_params(model: str, backends: tuple[Backend, ...] = BACKENDS) -> tuple[Param, ...]:
    """The options of a reranker with a local model, `model` being its default.

    `device` and `backend` stay in the fingerprint: int8, bf16 and fp32 give scores that differ by
    more than rounding. `batch_tokens` does not: full-precision scores differ by rounding only, and
    int8 graphs are run one text at a time whatever it says.
    """
    return (
        TOP,
        Param(
            "model", model, "Catalogue name, local folder, or hub id.", label="Model", local=True
        ),
        Param("device", "auto", "Where it runs.", choices=DEVICES, label="Device"),
        Param(
            "backend",
            "auto",
            "What runs it: ONNX Runtime (int8, CPU) or torch."
            if backends == BACKENDS
            else "What runs it: ONNX Runtime (int8, CPU), OpenVINO (unquantised, CPU) or torch.",
            choices=backends,
            label="Backend",
        ),
        Param(
            "max_length",
            0,
            "Tokens read of query and text together; 0 for the model's own limit.",
            low=0,
            high=131_072,
            unit="tokens",
            label="Longest input",
            automatic="automatic",
        ),
        Param(
            "batch_tokens",
            0,
            "Tokens that torch computes at once; 0 chooses by device.",
            low=0,
            high=1_000_000,
            unit="tokens",
            label="Batch",
            execution=True,
            automatic="automatic, by device",
        ),
    )


def pointwise_params(model: str, backends: tuple[Backend, ...] = BACKENDS) -> tuple[Param, ...]:
    """Those options, and what becomes of a document that does not fit."""
    return (*local_params(model, backends), LONG)


class UsesModel(Reranker, Generic[M]):
    """A reranker of any kind over a model that `_open` gives."""

    compares_vectors: ClassVar[bool] = False
    """Whether the model embeds each text by itself, as indexes do."""

    _opened: M | None = None
    _digest: str = ""

    def _open(self, model: str, ctx: Context, options: ModelOptions) -> M:
        raise NotImplementedError

    @property
    def opened(self) -> M:
        """The opened model. Only after `load`."""
        if self._opened is None:
            raise RuntimeError("load() comes before opened")
        return self._opened

    @property
    def model(self) -> str:
        """The catalogue name, folder or hub id of the model."""
        return str(self.options["model"])

    @property
    def note(self) -> str:
        """A standing remark to be shown beside every result of this model, or ""."""
        return self._opened.note if self._opened else ""

    def prepare(self, ctx: Context) -> None:
        """Download the model when it is not here; progress and cancel go through `ctx`."""
        if not self._digest:
            fetch(self.model, ctx)

    def availability(self) -> Availability:
        """Whether it can run here and now: cheap, without network."""
        return availability(self.model)

    def weights_digest(self) -> str:
        """Digest of the model's files and of how they are converted here.

        The same before and after loading. Raises ModelUnavailable when the files are not here.
        """
        if not self._digest:
            self._digest = model_digest(self.model, vectors=self.compares_vectors)
        return self._digest

    def _load(self, ctx: Context) -> None:
        self._opened = self._open(self.model, ctx, _options(self.options))

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.unload()
        self._opened = None

    @contextmanager
    def _used(self, work: Work) -> Iterator[Usage]:
        """Collects what the model used, and writes it to the trace and the truncation marks."""
        usage = Usage()
        try:
            yield usage
        finally:
            work.add(
                queue_s=usage.queue_s,
                load_s=usage.load_s,
                tokenise_s=usage.tokenise_s,
                tokens_in=usage.tokens,
                backend=usage.backend,
                model_served=self.model,
                warnings=tuple(usage.warnings),
            )


class LocalReranker(UsesModel[M], PointwiseReranker):
    """A pointwise reranker over a local model, which makes its own batches."""

    batch_size: ClassVar[int | None] = None

    def token_budget(self, query: str) -> TokenBudget:
        """Raises ModelUnavailable when the model's files are not here."""
        located = locate(self.model)
        limit = int(self.options["max_length"]) or located.max_length
        budget = self._token_budget(located, query, limit)
        # Without a tokenizer of the fast kind: room for special tokens, and a guess at the query.
        return budget or estimated_token_budget(
            limit - 8 - len(query.encode("utf-8", "replace")) // 3
        )

    def cuts_query(self, query: str) -> bool:
        """By the tokenizer, against the room for a text beside no query."""
        if len(query) <= _SURELY_FITS:
            return False
        with suppress(LabError):
            budget = self.token_budget("")
            return not budget.estimated and len(budget.spans(query)) > budget.limit
        return False

    def _token_budget(self, located: LocatedModel, query: str, limit: int) -> TokenBudget | None:
        """By the model's own tokenizer; by default that of a model which reads each text alone."""
        return text_token_budget(located.folder, limit)


def _options(options: Mapping[str, object]) -> ModelOptions:
    return ModelOptions(
        device=str(options["device"]),
        backend=str(options.get("backend", "torch")),
        max_length=int(str(options["max_length"])),
        batch_tokens=int(str(options.get("batch_tokens", 0))),
    )
