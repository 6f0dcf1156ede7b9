"""What every registered fusion keeps to; one that is trained is trained for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from rerank_lab.components import registry
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import parse
from rerank_lab.core.types import Query, Ranking, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.fusion.base import Fusion
from rerank_lab.fusion.learned.settings import LearnerSettings
from rerank_lab.learning import plan, train
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from tests.fusion.learned.made import corpus

pytestmark = pytest.mark.usefixtures("home")
NAMES = list(registry.entry_points("fusion"))
SOURCES = "bm25,overlap"
Made = tuple[str, Corpus, Engine]


@pytest.fixture(params=NAMES)
def made(request: pytest.FixtureRequest) -> Made:
    """A stage with the fusion under test behind BM25, in a data folder of its own."""
    name, engine, judged = request.param, Engine(), corpus()
    spec = f"{name}({SOURCES},top=5)"
    if name == "ltr":
        wanted = plan(
            judged, f"bm25 >> {name}({SOURCES})", "mine", settings=LearnerSettings(rounds=5)
        )
        train(wanted, Context(), engine)
        spec = f'{name}({SOURCES},model="mine",top=5)'
    return f"bm25 >> {spec}", judged, engine


def ask(made: Made, number: int = 0) -> Ranking:
    spec, judged, engine = made
    result = Pipeline(spec).run(judged.queries[number], judged, Context(), engine)
    assert result.error is None, result.error
    ranking = result.ranking
    assert ranking is not None
    return ranking


def first(made: Made, number: int = 0) -> Ranking:
    return ask(("bm25", *made[1:]), number)


def test_as_a_stage_it_keeps_every_candidate_and_reranks_its_top(made: Made) -> None:
    for number in range(3):
        before, after = first(made, number), ask(made, number)
        assert sorted(after.doc_ids) == sorted(before.doc_ids)
        assert set(after.doc_ids[:5]) == set(before.doc_ids[:5])
        assert after.doc_ids[5:] == before.doc_ids[5:]
        assert len(set(after.doc_ids)) == len(after)
        scores = [hit.score for hit in after.hits[:5] if hit.score is not None]
        assert scores == sorted(scores, reverse=True)


def test_the_same_question_has_the_same_answer_in_every_thread(made: Made) -> None:
    alone = ask(made)
    others = [(made[0], made[1], Engine()) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, others)) == [alone] * 4


def test_without_candidates_the_answer_is_empty(made: Made) -> None:
    spec, judged, engine = made
    result = Pipeline(spec).run(Query("none", "zzzz"), judged, Context(), engine)
    assert result.status is not Status.FAILED
    assert result.ranking is not None
    assert len(result.ranking) == 0


def test_its_spec_parses_back(made: Made) -> None:
    resolved = registry.resolve(made[0])
    assert registry.resolve(str(resolved)) == resolved
    assert parse(str(resolved)) == resolved


@pytest.mark.parametrize("name", NAMES)
def test_it_describes_itself_and_refuses_what_it_does_not_know(name: str) -> None:
    kind = cast(type[Fusion], registry.load("fusion", name))
    assert (kind.info.name, kind.info.kind) == (name, "fusion")
    assert kind.info.summary.endswith(".")
    for param in kind.info.params:
        assert param.help.endswith("."), param.name
        assert param.check(param.default) == (param.default, ""), param.name
    with pytest.raises(InvalidInput, match="no_such_option"):
        kind((), no_such_option=1)
