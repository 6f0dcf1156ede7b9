"""First stages whose index is made of a model's vectors: they are opened and embedded alike."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rerank_lab import models
from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError, ModelUnavailable
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.retrievers.base import MANIFEST, Retriever
from rerank_lab.retrievers.distinct_texts import distinct_texts
from rerank_lab.retrievers.embeddings import Embedding, VectorStore


class EncodedRetriever(Retriever):
    """A retriever whose documents are read by `model`, once each, into a store of vectors."""

    _encoder: models.Encoder | models.SparseEncoder

    @property
    def model(self) -> str:
        """The model's catalogue name, hub id or folder."""
        return str(self.options["model"])

    def prepare(self, ctx: Context) -> None:
        """Download the model when it is not here; progress and cancel go through `ctx`."""
        if models.availability(self.model).state == "downloadable":
            models.fetch(self.model, ctx)

    def weights_digest(self) -> str:
        """Digest of the model's files. Raises ModelUnavailable when they are not here."""
        return models.model_digest(self.model, vectors=True)

    def problems(self, corpus: Corpus | None = None) -> list[LabError]:
        """A model that is not here and cannot be downloaded."""
        availability = models.availability(self.model)
        if availability.state != "missing":
            return []
        return [ModelUnavailable(availability.reason, hint=availability.hint)]

    def build(self, corpus: Corpus, ctx: Context, indexes: Path | None = None) -> None:
        """As the base says; the encoder is opened first."""
        self._open_encoder(ctx)
        super().build(corpus, ctx, indexes)

    def embedding(self, corpus: Corpus, ctx: Context, indexes: Path) -> Embedding[Any] | None:
        """As the base says. The encoder is opened first: the folder may be named by it."""
        self._open_encoder(ctx)
        folder = self.index_folder(corpus, indexes)
        if (folder / MANIFEST).exists():
            return None
        texts, digests = distinct_texts(corpus.documents, ctx)
        return Embedding(corpus, texts, digests, self._store(folder))

    def encoder_digest(self, ctx: Context) -> str:
        """As the base says."""
        self._open_encoder(ctx)
        return self._encoder.digest

    def embed(self, texts: Sequence[str], ctx: Context) -> tuple[Any, set[int]]:
        """As the base says, after `encoder_digest` or `build`."""
        return self._encoded(list(texts), 0, len(texts), ctx)

    @abstractmethod
    def _open_encoder(self, ctx: Context) -> None:
        """Set `_encoder`."""

    @abstractmethod
    def _store(self, folder: Path) -> VectorStore[Any]:
        """Where the vectors stay for the index in a folder."""

    @abstractmethod
    def _encoded(
        self, batch: list[str], done: int, total: int, ctx: Context
    ) -> tuple[Any, set[int]]:
        """The vectors of a batch of texts, and the places in it of those that were cut."""
