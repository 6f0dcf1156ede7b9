"""What every registered first stage keeps to, whatever it does inside."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rerank_lab.components import registry
from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import BackendError, Cancelled, InvalidInput
from rerank_lab.core.spec import Node, PipelineSpec, parse
from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.retrievers.base import Retriever
from tests.contract.engines import VECTOR_DATABASES, engine_options

CTX = Context()
TEXTS = (
    "The fox jumps over the lazy dog.",
    "Reset the password in getUserName or E-2104.",
    "Reset the password in getUserName or E-2104.",
    "東京は日本の首都です。",
    "Привет, мир! Быстрая лиса.",
    "🙂🙃 fox",
    "",
    "a dog and a fox and a dog",
)
DOCUMENTS = tuple(Document(f"d{i}", text) for i, text in enumerate(TEXTS))
QUERIES = (
    Query("q1", "fox dog"),
    Query("q2", "password E-2104"),
    Query("q3", "日本"),
    Query("q4", "лиса"),
)
CORPUS = Corpus("contract", DOCUMENTS, QUERIES)

Make = Callable[..., Retriever]
NEED_WEIGHTS = ("dense", "splade", *VECTOR_DATABASES)


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.models if name in NEED_WEIGHTS else [])
        for name in registry.entry_points("retriever")
        if name != "live"  # the engine of a live corpus under a short name: tests/retrievers
    ]
)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes a first stage of the kind under test; a run file lists every document.

    A search engine holds all documents, however few the corpus has.
    """
    name = request.param
    engine = engine_options(name, DOCUMENTS, request)

    def made(**options: str | int) -> Retriever:
        if name == "run":
            file = tmp_path / "given.trec"
            lines = [
                f"{query.id} Q0 d{number} {number + 1} {len(TEXTS) - number} given\n"
                for query in QUERIES
                for number in range(len(TEXTS))
            ]
            file.write_text("".join(lines))
            options["path"] = str(file)
        options = {**engine, **options}
        retriever: Retriever = registry.load("retriever", name)(**options)
        return retriever

    return made


@pytest.fixture
def ready(make: Make) -> Retriever:
    retriever = make()
    retriever.build(CORPUS, CTX)
    return retriever


def search(retriever: Retriever, query: Query, k: int | None = None) -> Ranking:
    return retriever.search(query, k, CTX).ranking


def test_answers_with_documents_of_the_corpus_on_its_own_scale(ready: Retriever) -> None:
    for query in QUERIES:
        found = ready.search(query, None, CTX)
        assert found.ranking.query_id == query.id
        assert found.ranking.scale == ready.info.scale
        assert 0 < len(found.ranking) <= len(CORPUS)
        assert set(found.ranking.doc_ids) <= set(CORPUS.by_id)
        assert found.trace.documents == len(found.ranking)
        assert found.trace.compute_s >= 0


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_query_has_an_empty_answer(ready: Retriever, text: str) -> None:
    assert len(search(ready, Query.of(text))) == 0


@pytest.mark.parametrize(
    "text", ["the and of", "🙂🙃", "\x00", "x" * 20_000, "fox " * 2000, "\ud800"]
)
def test_odd_queries_do_not_break_it(ready: Retriever, text: str) -> None:
    if ready.info.name == "run":
        with pytest.raises(BackendError, match="no candidates"):
            search(ready, Query.of(text))
    else:
        assert len(search(ready, Query.of(text))) <= len(CORPUS)


@pytest.mark.parametrize("k", [1, 3, 10_000])
def test_k_bounds_the_answer_and_shorter_ones_begin_longer_ones(ready: Retriever, k: int) -> None:
    for query in QUERIES:
        whole = search(ready, query, 100)
        assert search(ready, query, k).hits == whole.hits[:k]


def test_the_option_k_is_the_depth_when_nobody_says_otherwise(make: Make) -> None:
    retriever = make(k=2)
    retriever.build(CORPUS, CTX)
    assert len(search(retriever, QUERIES[0])) == 2
    assert len(search(retriever, QUERIES[0], 1)) == 1


def test_duplicates_are_both_found_and_tie(ready: Retriever) -> None:
    ranking = search(ready, QUERIES[1])
    ranks = ranking.ranks
    assert ranks["d2"] == ranks["d1"] + 1
    if ready.info.name != "run":
        assert ranking.hits[ranks["d1"] - 1].score == ranking.hits[ranks["d2"] - 1].score


@pytest.mark.parametrize("text", ["fox", ""])
def test_a_corpus_of_one_document(make: Make, text: str) -> None:
    retriever = make()
    retriever.build(Corpus("one", (Document("d0", text),), QUERIES), CTX)
    assert search(retriever, QUERIES[0]).doc_ids in [("d0",), ()]
    if text:
        assert len(search(retriever, QUERIES[0])) == 1


def test_a_corpus_without_documents_is_refused(make: Make) -> None:
    with pytest.raises(InvalidInput, match="no documents"):
        make().build(Corpus("none", ()), CTX)


def test_searching_before_building_says_what_to_do(make: Make) -> None:
    with pytest.raises(BackendError) as caught:
        make().search(QUERIES[0], None, CTX)
    assert "build" in caught.value.hint


def test_the_same_question_has_the_same_answer(make: Make, ready: Retriever) -> None:
    other = make()
    other.build(CORPUS, CTX)
    for query in QUERIES:
        first = search(ready, query)
        assert first == search(ready, query) == search(other, query)


def test_many_threads_get_the_answers_that_one_gets(ready: Retriever) -> None:
    alone = [search(ready, query) for query in QUERIES]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda query: search(ready, query), QUERIES * 10))
    assert together == alone * 10


def test_many_queries_at_once(ready: Retriever) -> None:
    found = [one.ranking for one in ready.search_many(QUERIES, 5, CTX)]
    assert found == [search(ready, query, 5) for query in QUERIES]


def test_cancelled_work_stops(make: Make, ready: Retriever) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        ready.search(QUERIES[0], None, Context(cancel=token))
    if ready.info.name != "run":
        with pytest.raises(Cancelled):
            make().build(CORPUS, Context(cancel=token))


def test_an_index_is_built_once_and_then_opened(make: Make, tmp_path: Path) -> None:
    indexes = tmp_path / "indexes"
    first = make()
    first.build(CORPUS, CTX, indexes)
    kept = {path: path.stat().st_mtime_ns for path in indexes.rglob("*") if path.is_file()}
    seen: list[Progress] = []
    second = make()
    second.build(CORPUS, Context(progress=seen.append), indexes)
    if kept:
        assert not [progress for progress in seen if progress.total]
    assert {p: p.stat().st_mtime_ns for p in indexes.rglob("*") if p.is_file()} == kept
    for query in QUERIES:
        assert search(first, query) == search(second, query)


def test_closing_and_building_again(ready: Retriever) -> None:
    before = search(ready, QUERIES[0])
    ready.close()
    with pytest.raises(BackendError):
        search(ready, QUERIES[0])
    ready.build(CORPUS, CTX)
    assert search(ready, QUERIES[0]) == before


def test_its_spec_parses_back(ready: Retriever) -> None:
    node = Node(ready.info.name, tuple(ready.options.items()))
    assert parse(str(node)) == PipelineSpec((node,))
    resolved = registry.resolve(node)
    assert registry.resolve(str(resolved)) == resolved
    assert registry.expand(resolved.source, "retriever")[1] == dict(ready.options)


def test_its_options_are_described_for_people(make: Make) -> None:
    info = make().info
    assert info.kind == "retriever"
    assert info.summary.endswith(".")
    for param in info.params:
        assert param.label, param.name
        assert param.help.endswith("."), param.name
        assert param.check(param.default) == (param.default, ""), param.name
