"""What ships, as a use case: the chosen pipeline as code, requests and golden cases."""

from __future__ import annotations

from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.decision.shipping.golden import (
    DEFAULT_GOLDEN,
    GOLDEN_TITLE,
    GoldenTerms,
    golden_cases,
)
from rerank_lab.decision.shipping.python_files import (
    framework_module,
    python_module,
    sentence_transformers_module,
)
from rerank_lab.decision.shipping.search_engines import (
    elasticsearch_requests,
    opensearch_requests,
)
from rerank_lab.decision.shipping.shipment import Shipment
from rerank_lab.decision.shipping.yaml_file import experiment_yaml
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.measures import DEFAULT_MEASURES

_NO_CORPUS = "my-corpus"


def shipments(
    pipeline: PipelineSpec,
    evaluation: Evaluation | None = None,
    corpus: Corpus | None = None,
    name: str = "",
    golden: GoldenTerms = DEFAULT_GOLDEN,
) -> tuple[Shipment, ...]:
    """The pipeline in every form; those that it cannot take say why. No model is loaded.

    Args:
        pipeline: The chosen one.
        evaluation: That it was chosen by; without it there are no golden cases.
        corpus: The documents of the evaluation, kept with the golden cases when small enough.
        name: How it is called in files; "" for the names of its stages.
        golden: How many golden cases, and how strict.
    """
    name = name or "-".join(node.name for node in pipeline.nodes)
    spec = str(pipeline)
    corpus_name = evaluation.design.corpus if evaluation is not None else _NO_CORPUS
    return (
        experiment_yaml(spec, _safe(name), corpus_name, *_measured(spec, evaluation)),
        python_module(pipeline, name, corpus_name),
        sentence_transformers_module(pipeline, name),
        framework_module(pipeline, name, "langchain"),
        framework_module(pipeline, name, "llama-index"),
        framework_module(pipeline, name, "haystack"),
        elasticsearch_requests(pipeline, name),
        opensearch_requests(pipeline, name),
        golden_cases(evaluation, spec, name, corpus, golden)
        if evaluation is not None
        else Shipment(
            "golden",
            GOLDEN_TITLE,
            "Queries with the order that their documents must keep.",
            absence="Golden cases come from an evaluation: run one with this pipeline first.",
        ),
    )


def _measured(spec: str, evaluation: Evaluation | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The measures, and a gate that the pipeline is as good as it was, a little rounded down."""
    if evaluation is None or spec not in evaluation.by_pipeline:
        return DEFAULT_MEASURES, ()
    measures = evaluation.design.measures
    primary = evaluation.measures_of_quality[0]
    mean = evaluation.by_pipeline[spec].measures.get(primary)
    if mean is None or mean < 0.01:
        return measures, ()
    return measures, (f"{primary} >= {int(mean * 100) / 100:.2f}",)


def _safe(name: str) -> str:
    """The name as an experiment file takes it."""
    plain = "".join(
        " " if letter in ":<>=≥≤" or not letter.isprintable() else letter for letter in name
    )
    plain = " ".join(plain.split())[:80].strip()
    return f"{plain} pipeline"[:80] if plain in ("", "baseline") else plain
