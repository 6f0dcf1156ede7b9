"""A model that does not know the language of corpus or query is said so."""

from __future__ import annotations

import pytest

from rerank_lab.components.model_languages import language_warnings
from rerank_lab.core.context import Context
from rerank_lab.core.types import Document
from rerank_lab.corpora import Corpus
from rerank_lab.pipeline.pipeline import Pipeline


@pytest.mark.parametrize(
    ("model", "languages", "count"),
    [
        ("ms-marco-minilm-l12", {"ja": 0.96, "en": 0.04}, 1),
        ("ms-marco-minilm-l12", {"en": 0.9, "de": 0.1}, 0),
        ("ms-marco-minilm-l12", {"und": 1.0}, 0),
        ("ms-marco-minilm-l12", {}, 0),
        ("./a/folder", {"ja": 1.0}, 0),
    ],
)
def test_only_a_model_of_known_other_languages_is_warned_of(
    model: str, languages: dict[str, float], count: int
) -> None:
    assert len(language_warnings(model, languages, "the corpus")) == count


def test_a_pipeline_warns_of_the_corpus_and_of_the_query() -> None:
    documents = (Document("a", "東京は日本の首都です"), Document("b", "猫は魚が好きです"))
    corpus = Corpus("ja", documents, meta={"languages": {"ja": 1.0}})
    warnings = Pipeline("bm25 >> ms-marco-minilm-l12").run("東京の首都", corpus).trace.warnings
    assert any("the corpus is mostly in ja" in text for text in warnings)
    assert any("the query is mostly in" in text for text in warnings)
    assert not Pipeline("bm25").run("東京の首都", corpus, Context()).trace.warnings
