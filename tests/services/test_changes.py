"""What changed since an experiment ran: noticed, named, and nothing said where nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Design, plan, run
from rerank_lab.evaluation.experiments.environment import ComponentState, Environment
from rerank_lab.evaluation.experiments.store import ExperimentRecord
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.services.changes import Change, ChangeKind, changes_since, environments
from rerank_lab.views.changes import changes_sentences


@pytest.fixture(autouse=True)
def fresh_process(home: Path) -> Iterator[None]:
    default_engine.cache_clear()
    yield
    default_engine.cache_clear()


def corpus() -> Corpus:
    documents = tuple(Document(f"d{number}", f"word{number} and more") for number in range(4))
    queries = tuple(Query(f"q{number}", f"word{number}") for number in range(3))
    return Corpus("tiny", documents, queries, {query.id: {"d1": 1} for query in queries})


def evaluated(*specs: str) -> Design:
    return run(plan(corpus(), specs, measures=["RR"])).design


def kinds(design: Design, of: Corpus | None = None) -> list[ChangeKind]:
    return [change.kind for change in changes_since(design, of or corpus(), Engine())]


def rewrite(design: Design, **changes: object) -> None:
    """The record as if the experiment had run in another environment."""
    record = ExperimentRecord(design.id)
    [environment] = record.environments()
    record.add_environment(replace(environment, **changes), alone=True)  # type: ignore[arg-type]


def test_where_everything_is_as_it_was_nothing_is_said() -> None:
    design = evaluated("bm25", "bm25 >> overlap")
    assert changes_since(design, corpus(), Engine()) == ()
    [environment] = environments(design.id)
    assert set(environment.components) == {"bm25", "overlap"}
    assert environment.libraries["numpy"]
    run(plan(corpus(), ["bm25", "bm25 >> overlap"], measures=["RR"]))
    assert environments(design.id) == (environment,), "a run without work records nothing"


def test_documents_judgments_and_a_run_file_that_changed_are_named(tmp_path: Path) -> None:
    file = tmp_path / "other.run"
    file.write_text("".join(f"q{number} Q0 d1 1 2.0 tag\n" for number in range(3)))
    design = evaluated(f'run(path="{file}")')
    assert kinds(design) == []

    graded = replace(corpus(), qrels=corpus().qrels | {"q1": {"d1": 2}})
    [change] = changes_since(design, graded, Engine())
    assert (change.kind, change.count) == (ChangeKind.JUDGMENTS, 1)
    assert kinds(design, replace(corpus(), documents=corpus().documents[:2])) == [ChangeKind.CORPUS]
    assert [c.kind for c in changes_since(design, None, Engine())] == [ChangeKind.CORPUS_GONE]
    file.write_text("q0 Q0 d2 1 2.0 tag\n")
    assert kinds(design) == [ChangeKind.FILES]
    file.unlink()
    assert kinds(design) == [ChangeKind.MISSING]


def test_judgments_that_were_never_of_the_corpus_are_not_compared_with_it() -> None:
    own = {"q0": {"d2": 1}}
    design = run(plan(corpus(), ["bm25"], qrels=own, measures=["RR"])).design
    assert kinds(design) == []


def test_prompts_packages_and_code_that_changed_are_named() -> None:
    design = evaluated("bm25")
    [recorded] = environments(design.id)
    state = recorded.components["bm25"]
    rewrite(design, components={"bm25": ComponentState("x", "words", state.weights)})
    assert kinds(design) == [ChangeKind.PROMPT]
    rewrite(design, components={"bm25": replace(state, fingerprint="x")})
    assert kinds(design) == [ChangeKind.COMPONENT]
    rewrite(design, components=recorded.components, libraries={"numpy": "0.1", "gone-lab": "1"})
    changes = changes_since(design, corpus(), Engine())
    assert [(c.subject, c.before, bool(c.after)) for c in changes] == [
        ("numpy", "0.1", True), ("gone-lab", "1", False),
    ]  # fmt: skip


def test_a_provider_that_serves_another_model_is_named() -> None:
    design, later = evaluated("bm25"), evaluated("bm25(b=0.1)")
    rewrite(design, served={"chat": ("chat-may",)}, recorded_at="2026-05-01T00:00:00+00:00")
    assert kinds(design) == []
    rewrite(later, served={"chat": ("chat-june",)}, recorded_at="2026-06-01T00:00:00+00:00")
    [change] = changes_since(design, corpus(), Engine())
    assert change == Change(ChangeKind.SERVED, "chat", "chat-may", "chat-june")
    assert kinds(later) == []
    rewrite(later, served={"chat": ("chat-june", "chat-may")})
    assert kinds(later) == [ChangeKind.SERVED]


def test_answers_from_two_environments_are_named_until_all_are_run_again() -> None:
    design = evaluated("bm25")
    record = ExperimentRecord(design.id)
    [environment] = record.environments()
    record.add_environment(replace(environment, recorded_at="later"))
    assert record.environments() == (environment,), "the same environment is kept once"
    record.add_environment(replace(environment, python="3.99"))
    assert kinds(design) == [ChangeKind.MIXED]
    from rerank_lab.core.context import Context

    run(plan(corpus(), ["bm25"], measures=["RR"]), Context(cache=None))
    assert kinds(design) == []


def test_an_experiment_without_a_record_is_compared_by_its_documents_alone() -> None:
    design = evaluated("bm25")
    record = ExperimentRecord("f" * 20)
    record.open(replace(design, id="f" * 20))
    assert record.environments() == ()
    assert kinds(replace(design, id="f" * 20)) == []


def test_changes_in_words() -> None:
    sentences = changes_sentences(
        [
            Change(ChangeKind.JUDGMENTS, "shop", count=2),
            Change(ChangeKind.LIBRARY, "numpy", "1", "2"),
            Change(ChangeKind.LIBRARY, "torch", "2"),
            Change(ChangeKind.PROMPT, "listwise"),
        ]
    )
    assert sentences == (
        "The judgments of 2 queries are others now.",
        "The prompt of listwise has other words now.",
        "Other versions of packages: numpy 1 → 2, torch 2 → gone.",
    )


def test_an_environment_goes_through_json() -> None:
    import msgspec

    environment = Environment(
        "t", "3", "s", 2, {"a": "1"}, {"b": ComponentState("x")}, {"c": ("d",)}
    )
    assert msgspec.convert(environment.to_json(), Environment) == environment
