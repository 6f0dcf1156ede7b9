"""Dense retrieval: query and passages as vectors of one bi-encoder, ranked by cosine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab import models
from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import LabError, ModelUnavailable
from rerank_lab.core.spec import Literal
from rerank_lab.core.text import load_json
from rerank_lab.core.types import Query, Ranking, Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.models.token_budget import long_query_warning
from rerank_lab.retrievers import ann
from rerank_lab.retrievers.base import DEPTH, MANIFEST, DamagedIndex, Retriever, stored_index
from rerank_lab.retrievers.cut_texts import CutTexts
from rerank_lab.retrievers.embeddings import EmbeddingStore

_BATCH = 256
_SAMPLE = 200
_INDEX = "index.faiss"
_OF_KIND = {"hnsw": {"m", "ef"}, "ivf": {"nlist", "nprobe"}}


class Dense(Retriever):
    """Any bi-encoder of the catalogue, the hub or a folder, over an exact or approximate index.

    Passages with the same content share one vector, hence one score. Vectors are kept beside the
    indexes, in `embeddings/`, one file for each encoder; HNSW and IVF indexes carry their measured
    recall against exact search in `facts`.
    """

    info = Info(
        name="dense",
        kind="retriever",
        family="dense",
        summary="Finds passages of similar meaning by the cosine of sentence embeddings.",
        scale="cosine",
        params=(
            DEPTH,
            Param(
                "model",
                "bge-small-en",
                "A catalogue name, a hub id, or a folder with a sentence-transformers bi-encoder.",
                label="Model",
                local=True,
            ),
            Param(
                "index",
                "flat",
                "flat is exact; hnsw and ivf are faster on large corpora and may miss some.",
                choices=ann.KINDS,
                label="Index",
            ),
            Param("m", 32, "HNSW: links of each node.", low=4, high=128, label="HNSW links"),
            Param("ef", 256, "HNSW: width of the search.", low=8, high=4096, label="HNSW width"),
            Param(
                "nlist",
                0,
                "IVF: number of clusters; 0 chooses by the size of the corpus.",
                low=0,
                high=65_536,
                label="IVF clusters",
                automatic="automatic, by corpus size",
            ),
            Param(
                "nprobe",
                32,
                "IVF: clusters looked into for a query.",
                low=1,
                high=65_536,
                label="IVF clusters probed",
            ),
            Param(
                "device",
                "auto",
                "Where the model runs: auto takes a GPU when there is one.",
                choices=models.DEVICES,
                label="Device",
                execution=True,
            ),
        ),
    )

    def __init__(self, **options: Literal) -> None:
        super().__init__(**options)
        self.facts: Mapping[str, Any] = {}
        """Known once built: dimension, truncated passages, recall of an approximate index."""

    @property
    def model(self) -> str:
        """The bi-encoder's name, hub id or folder."""
        return str(self.options["model"])

    @property
    def shape(self) -> ann.Shape:
        """Kind of index and its numbers, from the options."""
        numbers = {name: int(self.options[name]) for name in ("m", "ef", "nlist", "nprobe")}
        return ann.Shape(str(self.options["index"]), **numbers)

    @property
    def index_options(self) -> dict[str, Literal]:
        """Without the options of the other kinds of index, which change nothing."""
        mine = _OF_KIND.get(self.shape.kind, set())
        others = {name for names in _OF_KIND.values() for name in names} - mine
        return {k: v for k, v in super().index_options.items() if k not in others}

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

    def index_folder(self, corpus: Corpus, indexes: Path) -> Path:
        """By encoder too: the same weights on another backend give slightly other vectors."""
        folder = super().index_folder(corpus, indexes)
        return folder.with_name(f"{folder.name}-{self._encoder.digest[:8]}")

    def build(self, corpus: Corpus, ctx: Context, indexes: Path | None = None) -> None:
        """As the base says; the encoder is opened first."""
        ctx.report("loading model")
        self._encoder = models.open_encoder(self.model, ctx, str(self.options["device"]))
        super().build(corpus, ctx, indexes)

    def _build(self, corpus: Corpus, folder: Path | None, ctx: Context) -> None:
        texts: dict[str, str] = {}
        self._ids: list[list[str]] = []
        row_of: dict[str, int] = {}
        self._blank_rows: set[int] = set()
        for document in corpus.documents:
            content = document.content_hash
            if content not in row_of:
                row_of[content] = len(self._ids)
                self._ids.append([])
                texts[content] = document.content
                if document.blank:
                    self._blank_rows.add(row_of[content])
            self._ids[row_of[content]].append(document.id)
        if folder is not None and (folder / MANIFEST).exists():
            self._open(folder)
            return
        store = None
        if folder is not None:
            place = folder.parents[2] / "embeddings" / f"{self._encoder.digest[:32]}.sqlite"
            store = EmbeddingStore(place, self._encoder.dimension)
        vectors, truncated = self._embed(texts, store, ctx)
        self._cut = CutTexts(i for h in truncated for i in self._ids[row_of[h]])
        index = ann.build(vectors, self.shape, ctx)
        facts = {"dimension": self._encoder.dimension, "truncated": len(truncated)}
        self.facts = facts | self._measured(index, vectors, corpus, ctx)
        self._index = index
        if folder is not None:
            with stored_index(folder, {**self._manifest(corpus), **self.facts}) as unfinished:
                ann.save(index, unfinished / _INDEX)
                self._cut.save(unfinished, self._document_ids)

    def _open(self, folder: Path) -> None:
        try:
            self._index = ann.read(folder / _INDEX)
            facts = load_json((folder / MANIFEST).read_text("utf-8"))
        except (OSError, ValueError, EOFError) as error:
            raise DamagedIndex.of(self.info.name, folder, str(error)) from error
        if (self._index.ntotal, self._index.d) != (len(self._ids), self._encoder.dimension):
            raise DamagedIndex.of(self.info.name, folder, "it holds other vectors than it should")
        self.facts = {k: v for k, v in facts.items() if k in _FACTS}
        self._cut = CutTexts.read(folder, self._document_ids)

    @property
    def _document_ids(self) -> Iterator[str]:
        """All ids, those of one text together."""
        return chain.from_iterable(self._ids)

    def _embed(
        self, texts: Mapping[str, str], store: EmbeddingStore | None, ctx: Context
    ) -> tuple[NDArray[np.float32], set[str]]:
        """Vectors of `texts` (by content hash) and the hashes of those that were cut."""
        known = store.known(list(texts)) if store else set()
        missing = [content for content in texts if content not in known]
        fresh: dict[str, NDArray[np.float32]] = {}
        cut: set[str] = set()
        for start in range(0, len(missing), _BATCH):
            ctx.checkpoint()
            done = len(texts) - len(missing) + start
            batch = missing[start : start + _BATCH]
            truncated: set[int] = set()
            usage = models.Usage()
            batch_vectors = self._encoder.encode(
                [texts[content] for content in batch],
                "passage",
                replace(ctx, progress=_counting(ctx, done, len(texts))),
                truncated.add,
                usage,
            )
            self.build_trace += Trace(load_s=usage.load_s, queue_s=usage.queue_s)
            if store:
                store.add(batch, batch_vectors, truncated)
            else:
                fresh |= zip(batch, batch_vectors, strict=True)
                cut |= {batch[row] for row in truncated}
            ctx.report("embedding documents", done + len(batch), len(texts))
        if store:
            return store.read(list(texts))
        return np.stack([fresh[content] for content in texts]), cut

    def _measured(
        self, index: Any, vectors: NDArray[np.float32], corpus: Corpus, ctx: Context
    ) -> dict[str, Any]:
        """Recall at 10 and 100 against exact search, by queries of the corpus where it has any."""
        if self.shape.kind == "flat":
            return {}
        ctx.report("measuring recall")
        rng = random.Random(ctx.seed)
        query_texts = [query.text for query in corpus.queries]
        if query_texts:
            sample = rng.sample(query_texts, min(_SAMPLE, len(query_texts)))
            usage = models.Usage()
            queries = self._encoder.encode(sample, "query", ctx, None, usage)
            self.build_trace += Trace(load_s=usage.load_s, queue_s=usage.queue_s)
        else:
            queries = vectors[rng.sample(range(len(vectors)), min(_SAMPLE, len(vectors)))]
        recalls = {
            f"recall@{k}": ann.recall(index, self.shape, vectors, queries, k) for k in (10, 100)
        }
        return recalls | {
            "recall_queries": len(queries),
            "recall_by": "queries" if query_texts else "documents",
        }

    def _search(self, query: Query, k: int, ctx: Context) -> Ranking:
        return self._traced(query, k, ctx)[0]

    def _traced(self, query: Query, k: int, ctx: Context) -> tuple[Ranking, Trace]:
        if not query.text.strip():
            return Ranking.from_scores(query.id, {}, self.info.scale), Trace()
        usage = models.Usage()
        quiet = replace(ctx, progress=_ignore)
        vector = self._encoder.encode([query.text], "query", quiet, None, usage)[0]
        scores = {
            doc_id: score
            for row, score in ann.search(self._index, vector, k + len(self._blank_rows), self.shape)
            if row not in self._blank_rows
            for doc_id in self._ids[row]
        }
        ranking = Ranking.from_scores(query.id, scores, self.info.scale, limit=k)
        trace = Trace(
            load_s=usage.load_s,
            queue_s=usage.queue_s,
            tokens_in=usage.tokens,
            truncated=len(usage.truncated),
            model_asked=self.model,
            model_served=self.model,
            backend=usage.backend,
            warnings=(
                *usage.warnings,
                *([long_query_warning(self.model)] if usage.truncated else []),
                *self._cut.warnings(ranking, self.model),
            ),
        )
        return ranking, trace

    def close(self) -> None:
        """Let go of the index."""
        super().close()
        self.__dict__.pop("_index", None)
        self.__dict__.pop("_ids", None)


_FACTS = {"dimension", "truncated", "recall@10", "recall@100", "recall_queries", "recall_by"}


def _counting(ctx: Context, done: int, total: int) -> Any:
    """Progress inside a batch, counted over all passages."""
    return lambda inside: ctx.report("embedding documents", done + inside.done, total)


def _ignore(_: Progress) -> None:
    """A query's own encoding is too short to report."""
