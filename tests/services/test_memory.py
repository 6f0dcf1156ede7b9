"""The memory of pipelines, measured in processes of their own."""

from __future__ import annotations

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled
from rerank_lab.corpora import load_corpus
from rerank_lab.decision.requirements import Requirements
from rerank_lab.evaluation.experiments import Evaluation, evaluate
from rerank_lab.evaluation.memory import memory_peaks
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services.decide import decide
from rerank_lab.services.memory import measure


@pytest.fixture
def evaluation() -> Evaluation:
    corpus = load_corpus("helpdesk")
    specs = ["bm25(k=10)", "bm25(k=10) >> overlap"]
    return evaluate(corpus, specs, queries=corpus.queries[:2], measures=["RR@10"])


def test_a_process_of_its_own_tells_what_each_pipeline_takes(evaluation: Evaluation) -> None:
    engine = default_engine()
    before = decide(evaluation, engine).contenders[0].facts.memory
    assert (before.value, "not measured" in before.source) == (0, True)
    study = measure(evaluation, Context(), engine)
    assert study.problems == {}
    assert list(study.peaks) == list(evaluation.design.pipelines)
    assert all(20e6 < one.peak < 2e9 and one.queries == 2 for one in study.peaks.values())
    assert memory_peaks(evaluation.id, engine.home) == study.peaks
    decision = decide(evaluation, engine, Requirements(memory=10_000_000))
    assert [one.facts.memory.value for one in decision.contenders] == [
        one.peak for one in study.peaks.values()
    ]
    assert all("measured: the peak of a process" in one.facts.memory.source
               for one in decision.contenders)  # fmt: skip
    assert decision.contenders[0].unmet[0].sentence.startswith("it takes ")


def test_a_run_of_another_system_and_a_lost_corpus_are_told(evaluation: Evaluation) -> None:
    study = measure(evaluation, Context(), default_engine(), "no-such-corpus")
    assert study.peaks == {}
    assert all("no-such-corpus" in problem for problem in study.problems.values())


def test_it_can_be_cancelled(evaluation: Evaluation) -> None:
    ctx = Context()
    ctx.cancel.cancel()
    with pytest.raises(Cancelled):
        measure(evaluation, ctx, default_engine())
    assert memory_peaks(evaluation.id) == {}
