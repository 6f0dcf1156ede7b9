"""A component that got a new name: its old one is understood, and what was saved stays its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab import Pipeline, load_corpus
from rerank_lab.components import aliases, registry
from rerank_lab.components.aliases import ALIASES, first_spec
from rerank_lab.components.registry import current_spec, infos, resolve, resolve_stages
from rerank_lab.core.spec import parse
from rerank_lab.evaluation.experiments import delete_experiment, load_experiment, plan, run
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.rerankers.rules.identity import Identity
from rerank_lab.rerankers.rules.long_context_reorder import LongContextReorder
from rerank_lab.services.comparisons.records import comparison_of, to_bytes
from rerank_lab.views.compare import PipelineOutcome
from rerank_lab.views.saved import comparison
from rerank_lab.views.topic import Topic
from tests.evaluation.experiments.old_folders import write_old_folder

OLD, NEW = "bm25(k=20) >> both-ends(top=5)", "bm25(k=20) >> long-context-reorder(top=5)"


def test_every_alias_leads_to_a_component_that_is_not_an_alias() -> None:
    names = {info.name for kind in ("retriever", "fusion", "reranker") for info in infos(kind)}
    assert set(ALIASES.values()) <= names
    assert not set(ALIASES) & names


@pytest.mark.parametrize("old", [OLD, OLD.replace("both-ends", " both-ends")])
def test_an_old_name_is_understood_and_written_as_the_new_one(old: str) -> None:
    assert str(Pipeline(old)) == str(resolve(old)) == NEW
    assert str(resolve_stages("mmr >> both-ends")) == "mmr >> long-context-reorder"
    fused = "bm25 >> rrf(overlap,both-ends)"
    assert str(resolve(fused)) == "bm25 >> rrf(overlap,long-context-reorder)"


def test_a_saved_spec_is_read_with_the_new_name_and_others_as_they_are() -> None:
    assert current_spec(OLD) == NEW
    assert current_spec("both-ends") == "long-context-reorder"
    for text in ('bm25 >> cross-encoder(model="both-ends")', "both-ends >>", "bm25 >> gone"):
        assert current_spec(text) == text


def test_a_plugin_that_has_the_old_name_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ALIASES", {"overlap": "identity"})
    monkeypatch.setattr(registry, "current_name", {"overlap": "identity"}.get)
    assert current_spec("bm25 >> overlap") == "bm25 >> overlap"


def test_identities_are_those_of_the_first_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_spec(resolve(f"{NEW} >> rrf(mmr,long-context-reorder)")) == (
        "bm25(k=20) >> both-ends(top=5) >> rrf(mmr,both-ends)"
    )
    assert LongContextReorder().identity == "both-ends"
    assert Identity().identity == "identity"
    with_alias = LongContextReorder().fingerprint()
    monkeypatch.setattr(aliases, "ALIASES", {})
    assert LongContextReorder().fingerprint() != with_alias


def test_an_experiment_saved_under_the_old_name_is_the_one_that_is_planned_now(home: Path) -> None:
    corpus = load_corpus("helpdesk")
    queries = corpus.queries[:3]
    done = run(plan(corpus, [NEW], queries=queries, measures=["RR@10"]), engine=default_engine())
    delete_experiment(done.id)
    cells = write_old_folder(home, done.design, done.cells.values())
    for file in (cells, cells.with_name("manifest.json")):
        text = file.read_text("utf-8")
        assert "long-context-reorder" in text
        file.write_text(text.replace("long-context-reorder", "both-ends"), "utf-8")
    planned = plan(corpus, [OLD], queries=queries, measures=["RR@10"])
    assert planned.id == done.id
    again = load_experiment(done.id)
    assert again.design.pipelines == (NEW,)
    assert again.finished
    assert again.outcomes[0].measures == done.outcomes[0].measures
    resumed = run(planned, engine=default_engine(), on_cell=lambda cell: pytest.fail("ran again"))
    assert resumed.finished


def test_a_comparison_saved_under_the_old_name_opens_under_the_new_one() -> None:
    corpus = load_corpus("helpdesk")
    topic = Topic.of("forgot password iphone app", corpus)
    results = [PipelineOutcome(parse(NEW), Pipeline(NEW).run(topic.query, corpus))]
    written = to_bytes(comparison(topic, results, 50, 10, ()))
    old = written.replace(b"long-context-reorder", b"both-ends")
    assert old != written
    assert comparison_of(old) == comparison_of(written)
    assert comparison_of(old).header.pipelines == (NEW,)
