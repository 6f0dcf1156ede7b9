"""Dense retrieval with an invented encoder where speed matters, and with the real one."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rerank_lab import models
from rerank_lab.components.registry import resolve
from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import Cancelled, ModelUnavailable
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.retrievers.dense import Dense

CTX = Context()
MODEL = "invented"


@dataclass
class WordEncoder:
    """Adds up one pseudo-random vector a word: texts that share words are near each other."""

    digest: str = "0" * 64
    dimension: int = 16
    encoded: list[str] = field(default_factory=list)

    def encode(
        self,
        texts: Sequence[str],
        kind: str,
        ctx: Context,
        on_truncated: Callable[[int], None] | None = None,
        usage: object = None,
    ) -> np.ndarray:
        self.encoded += [text for text in texts if kind == "passage"]
        rows = np.stack([sum(map(self._word, text.split()), self._word("")) for text in texts])
        for i, text in enumerate(texts):
            if len(text) > 200 and on_truncated:
                on_truncated(i)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows.astype(np.float32)

    def _word(self, word: str) -> np.ndarray:
        seed = int.from_bytes(word.encode()[:8].ljust(8, b"\0"), "little")
        return np.random.default_rng(seed).normal(size=self.dimension)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> WordEncoder:
    made = WordEncoder()
    monkeypatch.setattr(models, "open_encoder", lambda *_: made)
    monkeypatch.setattr(models, "model_digest", lambda _, vectors: made.digest)
    return made


def corpus_of(n: int) -> Corpus:
    texts = [f"topic{i % 50} word{i} thing{i % 7}" for i in range(n)]
    return Corpus("invented", tuple(Document(f"d{i:04}", text) for i, text in enumerate(texts)))


def built(corpus: Corpus, indexes: Path | None = None, **options: str | int) -> Dense:
    retriever = Dense(model=MODEL, **options)
    retriever.build(corpus, CTX, indexes)
    return retriever


def ids(retriever: Dense, text: str, k: int = 10) -> list[str]:
    return list(retriever.search(Query.of(text), k, CTX).ranking.doc_ids)


def test_near_texts_come_first_with_their_cosine(encoder: WordEncoder) -> None:
    corpus = corpus_of(200)
    ranking = built(corpus).search(Query.of("topic3 word53 thing4"), 5, CTX).ranking
    assert ranking.hits[0].doc_id == "d0053"
    assert ranking.hits[0].score == pytest.approx(1.0, abs=1e-5)
    assert ranking.scale == "cosine"


def test_equal_passages_share_a_vector_and_a_score(encoder: WordEncoder) -> None:
    texts = {"b": "same words", "a": "same words", "c": "other things"}
    corpus = Corpus("twins", tuple(Document(name, text) for name, text in texts.items()))
    ranking = built(corpus).search(Query.of("same words"), 3, CTX).ranking
    assert ranking.doc_ids == ("a", "b", "c")
    assert ranking.hits[0].score == ranking.hits[1].score
    assert len(encoder.encoded) == 2


def test_vectors_are_computed_once_for_all_corpora_and_kinds_of_index(
    encoder: WordEncoder, tmp_path: Path
) -> None:
    built(corpus_of(300), tmp_path / "indexes")
    built(corpus_of(300), tmp_path / "indexes", index="hnsw")
    assert len(encoder.encoded) == 300
    built(corpus_of(310), tmp_path / "indexes")
    assert len(encoder.encoded) == 310
    assert len(list((tmp_path / "embeddings").glob("*.sqlite"))) == 1


def test_another_encoder_has_vectors_and_an_index_of_its_own(
    encoder: WordEncoder, tmp_path: Path
) -> None:
    built(corpus_of(20), tmp_path / "indexes")
    encoder.digest = "1" * 64
    built(corpus_of(20), tmp_path / "indexes")
    assert len(encoder.encoded) == 40
    assert len(list((tmp_path / "indexes").glob("*/dense-*"))) == 2


def test_an_index_is_opened_again(encoder: WordEncoder, tmp_path: Path) -> None:
    first = built(corpus_of(100), tmp_path / "indexes", index="ivf")
    (next((tmp_path / "embeddings").iterdir())).unlink()
    again = built(corpus_of(100), tmp_path / "indexes", index="ivf")
    assert len(encoder.encoded) == 100
    assert ids(again, "topic3 thing4") == ids(first, "topic3 thing4")
    assert again.facts == first.facts


def twins_of(n: int) -> Corpus:
    """Documents of which some have the same text, and some none."""
    texts = [" " if i % 29 == 3 else f"topic{i % 50} word{i % 70} thing{i % 7}" for i in range(n)]
    return Corpus(
        "twins", tuple(Document(f"d{i * 7 % n:04}", text) for i, text in enumerate(texts))
    )


@pytest.mark.parametrize("index", ["flat", "hnsw", "ivf"])
def test_an_index_on_the_disk_answers_as_one_in_memory(
    encoder: WordEncoder, tmp_path: Path, index: str
) -> None:
    corpus = twins_of(641)
    memory = built(corpus, index=index)
    built(corpus, tmp_path / "indexes", index=index)
    stored = built(corpus, tmp_path / "indexes", index=index)
    assert stored.facts == memory.facts
    for text in ("topic3 word53 thing4", "word1", "thing2 topic2"):
        for k in (1, 7, 100):
            first, again = (one.search(Query.of(text), k, CTX).ranking for one in (memory, stored))
            assert first == again


class Unread(Sequence[Document]):
    """Documents that nobody may look at."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, number: Any) -> Any:
        raise AssertionError("a document was looked at")


def test_opening_an_index_walks_through_no_documents(encoder: WordEncoder, tmp_path: Path) -> None:
    corpus = twins_of(641)
    first = built(corpus, tmp_path / "indexes")
    unread = Corpus("unread", Unread(641))
    vars(unread).update(content_hash=corpus.content_hash, ids=corpus.ids)
    assert ids(built(unread, tmp_path / "indexes"), "topic3") == ids(first, "topic3")


def test_an_index_without_the_table_of_texts_is_taken_over(
    encoder: WordEncoder, tmp_path: Path
) -> None:
    corpus = twins_of(641)
    first = built(corpus, tmp_path / "indexes")
    [folder] = (tmp_path / "indexes").glob("*/dense-*")
    for file in folder.glob("text-*.npy"):
        file.unlink()
    encoder.encoded.clear()
    assert ids(built(corpus, tmp_path / "indexes"), "topic3") == ids(first, "topic3")
    assert encoder.encoded == []
    assert len(list(folder.glob("text-*.npy"))) == 3


def test_loading_the_model_building_the_index_and_searching_are_told_apart(
    encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain, loading = encoder.encode, iter([0.3])

    def encode(texts: Sequence[str], kind: str, ctx: Context, *more: Any) -> np.ndarray:
        if kind == "passage":
            time.sleep(0.2)
            if wait := next(loading, 0.0):
                time.sleep(wait)
                more[1].load_s += wait
        return plain(texts, kind, ctx)

    monkeypatch.setattr(encoder, "encode", encode)
    corpus, node = corpus_of(20), resolve(f'dense(model="{MODEL}")').source
    engine = Engine(tmp_path)
    first = Pipeline(node).run("topic3", corpus, Context(), engine).trace
    assert first.build_s >= 0.2
    assert first.load_s >= 0.3
    assert first.build_s + first.load_s < first.total_s
    assert first.warm_s == pytest.approx(first.compute_s + first.queue_s)
    again = Pipeline(node).run("topic4", corpus, Context(), engine).trace
    assert again.build_s + again.load_s < 0.1
    reopened = Pipeline(node).run("topic4", corpus, Context(), Engine(tmp_path)).trace
    assert reopened.build_s == 0
    assert reopened.load_s > 0


def test_who_waits_for_the_building_of_another_waits_for_building(
    encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain, begun = encoder.encode, threading.Event()

    def encode(texts: Sequence[str], kind: str, ctx: Context, *more: Any) -> np.ndarray:
        begun.set()
        time.sleep(0.3)
        return plain(texts, kind, ctx)

    monkeypatch.setattr(encoder, "encode", encode)
    corpus, node = corpus_of(20), resolve(f'dense(model="{MODEL}")').source
    engine = Engine(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(engine.opened, node, corpus, CTX)
        assert begun.wait(10)
        waited = engine.opened(node, corpus, CTX)[1]
        assert building.result()[1].build_s >= 0.3
    assert waited.build_s > 0.1


def test_options_of_another_kind_of_index_do_not_build_it_anew(
    encoder: WordEncoder, tmp_path: Path
) -> None:
    built(corpus_of(50), tmp_path / "indexes")
    built(corpus_of(50), tmp_path / "indexes", m=8, nprobe=3, k=7, device="cpu")
    built(corpus_of(50), tmp_path / "indexes", index="hnsw", m=8)
    built(corpus_of(50), tmp_path / "indexes", index="hnsw", m=9)
    assert len(list((tmp_path / "indexes").glob("*/dense-*"))) == 3


@pytest.mark.parametrize("index", ["hnsw", "ivf"])
def test_an_approximate_index_says_what_it_misses(
    encoder: WordEncoder, tmp_path: Path, index: str
) -> None:
    retriever = built(corpus_of(600), tmp_path / "indexes", index=index)
    assert 0.5 < retriever.facts["recall@10"] <= 1
    assert retriever.facts["recall_by"] == "documents"
    assert built(corpus_of(100)).facts.keys() == {"dimension", "truncated"}


def test_truncated_passages_are_counted_once_and_remembered(
    encoder: WordEncoder, tmp_path: Path
) -> None:
    corpus = Corpus("long", (Document("a", "word " * 100), Document("b", "word")))
    assert built(corpus).facts["truncated"] == 1
    assert built(corpus, tmp_path / "indexes").facts["truncated"] == 1
    assert built(corpus, tmp_path / "indexes", index="hnsw").facts["truncated"] == 1


@pytest.mark.models
@pytest.mark.parametrize("spec", ["dense", "splade"])
def test_texts_that_were_indexed_in_part_are_told_with_the_answer(
    spec: str, tmp_path: Path
) -> None:
    documents = (Document("a", "a word or two " * 300), Document("b", "a word"))
    corpus = Corpus("long", documents, meta={"languages": ["en"]})
    for _ in ("built", "opened"):
        result = Pipeline(spec).run("word", corpus, engine=Engine(tmp_path))
        (cut,) = result.cut_texts
        assert (cut.cut, cut.texts, cut.indexed) == (1, 2, True)
        assert "1 of 2 texts were cut to the model's length when they were indexed" in cut.sentence
    retriever = Engine(tmp_path).retriever(result.stages[0].node)
    coverages = [retriever.input_coverage(document) for document in documents]
    assert [coverage is not None and coverage.whole for coverage in coverages] == [False, True]


def test_cancel_keeps_what_is_done(encoder: WordEncoder, tmp_path: Path) -> None:
    cancel = CancelToken()
    seen: list[Progress] = []

    def watch(progress: Progress) -> None:
        seen.append(progress)
        if progress.message == "embedding documents" and progress.done >= 512:
            cancel.cancel()

    corpus, indexes = corpus_of(1000), tmp_path / "indexes"
    with pytest.raises(Cancelled):
        Dense(model=MODEL).build(corpus, Context(cancel=cancel, progress=watch), indexes)
    assert len(encoder.encoded) == 512
    assert seen[-1] == Progress("embedding documents", 512, 1000)
    encoder.encoded.clear()
    built(corpus, indexes)
    assert len(encoder.encoded) == 488


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_dense import WordEncoder, corpus_of, MODEL
from rerank_lab import models
from rerank_lab.core.context import Context
from rerank_lab.retrievers.dense import Dense

class Dying(WordEncoder):
    def encode(self, texts, *rest):
        if len(self.encoded) >= 512:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(texts, *rest)

models.open_encoder = lambda *_: Dying()
models.model_digest = lambda _, vectors: "0" * 64
Dense(model=MODEL).build(corpus_of(1000), Context(), Path(sys.argv[1]))
"""


def test_a_build_that_was_killed_goes_on_where_it_was(encoder: WordEncoder, tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "indexes"), here]
    assert subprocess.run(arguments, check=False).returncode == -9
    retriever = built(corpus_of(1000), tmp_path / "indexes")
    assert len(encoder.encoded) == 488
    assert ids(retriever, "topic3 word53 thing4", k=1) == ["d0053"]


def test_a_damaged_index_is_built_anew(encoder: WordEncoder, tmp_path: Path) -> None:
    first = ids(built(corpus_of(50), tmp_path / "indexes"), "topic3 word5", k=5)
    [file] = (tmp_path / "indexes").glob("*/dense-*/index.faiss")
    file.write_bytes(file.read_bytes()[:100])
    again = built(corpus_of(50), tmp_path / "indexes")
    assert "damaged and is built anew" in again.build_trace.warnings[0]
    assert ids(again, "topic3 word5", k=5) == first


def test_documents_without_text_are_not_found(encoder: WordEncoder) -> None:
    blank = (Document("blank", ""), Document("blank-2", " "))
    corpus = Corpus("c", (*blank, *corpus_of(5).documents))
    assert set(ids(built(corpus), "word1", k=5)) == {d.id for d in corpus_of(5).documents}


def test_a_model_that_is_nowhere_is_known_before_any_work(tmp_path: Path) -> None:
    retriever = Dense(model=str(tmp_path / "no-such-model"))
    [problem] = retriever.problems(None)
    assert isinstance(problem, ModelUnavailable)
    assert problem.hint
    with pytest.raises(ModelUnavailable):
        retriever.build(corpus_of(2), CTX)


@pytest.mark.models
def test_the_real_model_finds_by_meaning() -> None:
    texts = {
        "heat": "A heat pump moves warmth from outdoor air into a house.",
        "bread": "Sourdough rises because wild yeast makes carbon dioxide.",
        "whale": "Blue whales are the largest animals that have ever lived.",
    }
    corpus = Corpus("three", tuple(Document(name, text) for name, text in texts.items()))
    retriever = Dense()
    retriever.build(corpus, CTX)
    found = retriever.search(Query.of("How do I bake a loaf?"), None, CTX)
    assert found.ranking.doc_ids[0] == "bread"
    assert all(-1 <= (hit.score or 0) <= 1 for hit in found.ranking)
    assert found.trace.tokens_in > 5
    assert found.trace.backend
