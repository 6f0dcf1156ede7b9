"""Dense retrieval: query and passages as vectors of one bi-encoder, ranked by cosine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab import models
from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context, Progress
from rerank_lab.core.input_coverage import InputCoverage
from rerank_lab.core.spec import Literal
from rerank_lab.core.text import load_json
from rerank_lab.core.types import Document, Query, Ranking, Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.models.input_coverage import indexed_coverage
from rerank_lab.models.token_budget import long_query_warning
from rerank_lab.retrievers import ann
from rerank_lab.retrievers.base import (
    DEPTH,
    MANIFEST,
    DamagedIndex,
    names_of,
    stored_index,
)
from rerank_lab.retrievers.cut_texts import CutTexts
from rerank_lab.retrievers.distinct_texts import DistinctTexts, distinct_texts
from rerank_lab.retrievers.embeddings import (
    BATCH,
    BLOCK,
    Embedding,
    EmbeddingStore,
    embed_missing,
    hexadecimal,
)
from rerank_lab.retrievers.encoded import EncodedRetriever

_SAMPLE = 200
_INDEX = "index.faiss"
_OF_KIND = {"hnsw": {"m", "ef"}, "ivf": {"nlist", "nprobe"}}


class Dense(EncodedRetriever):
    """Any bi-encoder of the catalogue, the hub or a folder, over an exact or approximate index.

    Passages with the same content share one vector, hence one score. Vectors are kept beside the
    indexes, in `embeddings/`, one file for each encoder; HNSW and IVF indexes carry their measured
    recall against exact search in `facts`.
    """

    _encoder: models.Encoder

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

    def index_folder(self, corpus: Corpus, indexes: Path) -> Path:
        """By encoder too: the same weights on another backend give slightly other vectors."""
        folder = super().index_folder(corpus, indexes)
        return folder.with_name(f"{folder.name}-{self._encoder.digest[:8]}")

    def _open_encoder(self, ctx: Context) -> None:
        ctx.report("loading model")
        self._encoder = models.open_encoder(self.model, ctx, str(self.options["device"]))

    def _store(self, folder: Path) -> EmbeddingStore:
        """Where the vectors stay for the index in a folder."""
        place = folder.parents[2] / "embeddings" / f"{self._encoder.digest[:32]}.sqlite"
        return EmbeddingStore(place, self._encoder.dimension)

    def _build(self, corpus: Corpus, folder: Path | None, ctx: Context) -> None:
        self._names = corpus.ids
        if folder is not None and (folder / MANIFEST).exists():
            self._open(corpus, folder, ctx)
            return
        texts, digests = distinct_texts(corpus.documents, ctx)
        if folder is None:
            self._texts = texts
            vectors, cut = self._embedded(corpus, texts, ctx)
            self._cut = CutTexts(self._flags(texts, cut))
            self._index = ann.build(vectors, self.shape, ctx)
            self.facts = self._facts(cut) | self._measured(self._index, vectors, corpus, ctx)
            return
        store, manifest = self._store(folder), self._manifest(corpus)
        embed_missing(Embedding(corpus, texts, digests, store), self._encoded, ctx)
        with stored_index(folder, manifest) as unfinished:
            manifest |= self._write_index(corpus, texts, digests, store, unfinished, ctx)
        self._open(corpus, folder, ctx)

    def _write_index(
        self,
        corpus: Corpus,
        texts: DistinctTexts,
        digests: NDArray[np.uint8],
        store: EmbeddingStore,
        folder: Path,
        ctx: Context,
    ) -> dict[str, Any]:
        """Write the index of stored vectors; what is known of it. An exact one is not in memory."""
        cut = np.zeros(len(texts), np.bool_)
        shape = (len(texts), self._encoder.dimension)
        blocks = _stored_blocks(store, digests, cut, ctx)
        if self.shape.kind == "flat":
            ann.write_flat(blocks, shape, folder / _INDEX)
            measured = {}
        else:
            file = folder / "vectors.npy"
            vectors = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
            start = 0
            for block in blocks:
                vectors[start : start + len(block)] = block
                start += len(block)
            index = ann.build(vectors, self.shape, ctx)
            ann.save(index, folder / _INDEX)
            measured = self._measured(index, vectors, corpus, ctx)
            del vectors
            file.unlink()
        texts.save(folder)
        CutTexts(self._flags(texts, cut)).save(folder)
        return self._facts(cut) | measured

    def _open(self, corpus: Corpus, folder: Path, ctx: Context) -> None:
        try:
            self._index = ann.read(folder / _INDEX)
            facts = load_json((folder / MANIFEST).read_text("utf-8"))
        except (OSError, ValueError, EOFError) as error:
            raise DamagedIndex.of(self.info.name, folder, str(error)) from error
        try:
            self._texts = DistinctTexts.open(folder, len(corpus))
        except (OSError, ValueError):  # as stored until version 0.1
            self._texts, _ = distinct_texts(corpus.documents, ctx)
            with suppress(OSError):
                self._texts.save(folder)
        if (self._index.ntotal, self._index.d) != (len(self._texts), self._encoder.dimension):
            raise DamagedIndex.of(self.info.name, folder, "it holds other vectors than it should")
        self.facts = {k: v for k, v in facts.items() if k in _FACTS}
        self._cut = CutTexts.open(folder, len(corpus))

    def _facts(self, cut: NDArray[np.bool_]) -> dict[str, Any]:
        return {"dimension": self._encoder.dimension, "truncated": int(cut.sum())}

    @staticmethod
    def _flags(texts: DistinctTexts, cut: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A flag for each document, those of one text together, from one for each text."""
        return np.repeat(cut, np.diff(texts.starts))

    def _embedded(
        self, corpus: Corpus, texts: DistinctTexts, ctx: Context
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The vectors of all texts, and which of these were cut; nothing is stored."""
        vectors = np.empty((len(texts), self._encoder.dimension), np.float32)
        cut = np.zeros(len(texts), np.bool_)
        contents = _contents(corpus, texts)
        for start in range(0, len(texts), BATCH):
            batch = list(islice(contents, BATCH))
            rows, truncated = self._encoded(batch, start, len(texts), ctx)
            vectors[start : start + len(batch)] = rows
            cut[[start + row for row in truncated]] = True
        return vectors, cut

    def _encoded(
        self, batch: list[str], done: int, total: int, ctx: Context
    ) -> tuple[NDArray[np.float32], set[int]]:
        """The vectors of a batch of texts, and the places in it of those that were cut."""
        ctx.checkpoint()
        truncated: set[int] = set()
        usage = models.Usage()
        counting = replace(ctx, progress=_counting(ctx, done, total))
        vectors = self._encoder.encode(batch, "passage", counting, truncated.add, usage)
        self.build_trace += Trace(load_s=usage.load_s, queue_s=usage.queue_s)
        return vectors, truncated

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
            sampled = rng.sample(range(len(vectors)), min(_SAMPLE, len(vectors)))
            queries = np.asarray(vectors[sampled])
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
        blank = self._texts.blank
        rows = ann.search(self._index, vector, k + len(blank), self.shape)
        if len(blank):
            without = set(blank.tolist())
            rows = [(row, score) for row, score in rows if row not in without]
        scores: dict[str, float] = {}
        places: dict[str, int] = {}
        for row, score in rows:
            for doc_id in names_of(self._names, self._texts.of_row(row)):
                scores[doc_id], places[doc_id] = score, int(self._texts.starts[row])
        ranking = Ranking.from_scores(query.id, scores, self.info.scale, limit=k)
        trace = Trace(
            load_s=usage.load_s,
            queue_s=usage.queue_s,
            tokens_in=usage.tokens,
            truncated=self._cut.count([places[hit.doc_id] for hit in ranking]),
            model_asked=self.model,
            model_served=self.model,
            backend=usage.backend,
            warnings=(
                *usage.warnings,
                *([long_query_warning(self.model)] if usage.truncated else []),
            ),
        )
        return ranking, trace

    def input_coverage(self, document: Document) -> InputCoverage | None:
        """What the encoder read of a document when it was indexed."""
        return indexed_coverage(self.model, document.content)

    def close(self) -> None:
        """Let go of the index."""
        super().close()
        self.__dict__.pop("_index", None)
        for name in ("_names", "_texts", "_cut"):
            self.__dict__.pop(name, None)


_FACTS = {"dimension", "truncated", "recall@10", "recall@100", "recall_queries", "recall_by"}


def _contents(corpus: Corpus, texts: DistinctTexts) -> Iterator[str]:
    """The texts of all rows, in their order."""
    for number in texts.first_documents().tolist():
        yield corpus.documents[number].content


def _stored_blocks(
    store: EmbeddingStore, digests: NDArray[np.uint8], cut: NDArray[np.bool_], ctx: Context
) -> Iterator[NDArray[np.float32]]:
    """The stored vectors, in blocks; `cut` takes which of their texts were cut."""
    for start in range(0, len(digests), BLOCK):
        ctx.checkpoint()
        ctx.report("reading vectors", start, len(digests))
        contents = hexadecimal(digests[start : start + BLOCK])
        vectors, truncated = store.read(contents)
        if truncated:
            cut[start : start + len(contents)] = [content in truncated for content in contents]
        yield vectors


def _counting(ctx: Context, done: int, total: int) -> Any:
    """Progress inside a batch, counted over all passages."""
    return lambda inside: ctx.report("embedding documents", done + inside.done, total)


def _ignore(_: Progress) -> None:
    """A query's own encoding is too short to report."""
