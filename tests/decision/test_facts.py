"""What is known of a pipeline, where it is from, and that nothing unknown is guessed."""

from __future__ import annotations

import pytest

from rerank_lab.decision.cost import DEFAULT_TERMS, PipelineCost
from rerank_lab.decision.facts import ModelLicence, PipelineFacts, pipeline_facts
from rerank_lab.decision.latency import pipeline_latency
from rerank_lab.services.stage_facts import stage_facts
from tests.decision.timed import timed

L12 = "bm25 >> ms-marco-minilm-l12"


def facts_of(spec: str, backend: str = "") -> PipelineFacts:
    evaluation = timed({spec: [1, 2, 1, 4]}, {spec: 0.5}, backend)
    latency = pipeline_latency(evaluation, spec)
    return pipeline_facts(
        evaluation, "RR@10", latency, PipelineCost(spec, DEFAULT_TERMS), stage_facts(spec)
    )


def test_quality_and_time_come_from_the_answers_and_say_so() -> None:
    facts = facts_of(L12)
    assert facts.quality.value is not None
    assert facts.p95.value is not None
    assert facts.quality.value.value == pytest.approx(0.6875)
    assert facts.quality.value.low < 0.6875 < facts.quality.value.high  # type: ignore[operator]
    assert facts.quality.source == "mean RR@10 over the 4 queries that all pipelines answered"
    assert 0.5 < facts.p95.value.value < 0.502
    assert facts.p95.source == (
        "4 timed answers of this evaluation, one query at a time; too few to bound it from above"
    )


def test_a_local_model_has_the_facts_of_the_catalogue() -> None:
    facts = facts_of(L12, "onnx int8")
    assert facts.licences.value == (ModelLicence("ms-marco-minilm-l12", "Apache-2.0"),)
    assert facts.languages.value == ("en",)
    assert facts.sends_to.value == ()
    assert facts.gpu.value is False
    assert facts.memory.value == 34_001_604
    assert "come on top, and are not measured" in facts.memory.source


def test_a_pipeline_without_a_model_asks_for_nothing() -> None:
    facts = facts_of("bm25")
    assert (facts.licences.value, facts.memory.value, facts.gpu.value) == ((), 0, False)
    assert facts.languages.value == ("multilingual",)


def test_hosted_stages_send_texts_out_unless_the_server_is_in_the_house() -> None:
    assert facts_of("bm25 >> cohere").sends_to.value == ("Cohere",)
    assert facts_of('bm25 >> cohere(base_url="http://10.0.0.7:80")').sends_to.value == ()
    assert facts_of("bm25 >> cohere").licences.value == (
        ModelLicence("rerank-v4.0-fast", "the provider's terms"),
    )


def test_times_on_a_gpu_mean_that_it_needs_one() -> None:
    facts = facts_of(L12, "torch bfloat16 cuda")
    assert facts.gpu.value is True
    assert facts.gpu.source == "its answers and times here were made on one"
    assert facts_of(L12).gpu.value is None


def test_what_the_catalogue_does_not_know_is_unknown_with_the_reason() -> None:
    facts = facts_of('bm25 >> cross-encoder(model="owner/other")')
    for fact in (facts.licences, facts.languages, facts.memory):
        assert fact.value is None
        assert "owner/other" in fact.source


def test_rankings_of_another_system_are_compared_and_nothing_else_is_known_of_them() -> None:
    facts = facts_of("their-system")
    assert facts.quality.known
    assert not facts.sends_to.known
    assert facts.licences.source.startswith("These rankings come from another system")
