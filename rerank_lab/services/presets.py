"""What the app offers before anybody chooses: pipelines, depths, sample queries. Pure data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """A pipeline, written in canonical form, and in a few words what it is for."""

    spec: str
    about: str


PRESETS: tuple[Preset, ...] = (
    Preset("bm25", "Keywords only: the first stage to beat"),
    Preset("dense", "Embeddings only"),
    Preset("rrf(bm25,dense)", "Keywords and embeddings, fused by rank"),
    Preset("bm25 >> ms-marco-minilm-l12", "Keywords, then a cross-encoder"),
    Preset("rrf(bm25,dense) >> ms-marco-minilm-l12", "Hybrid, then a cross-encoder"),
    Preset("rrf(bm25,dense) >> colbert-small-encoder", "Hybrid, then late interaction"),
    Preset("bm25 >> colbert-small-encoder", "Keywords, then late interaction"),
    Preset("bm25 >> bge-small-en", "Keywords, then a bi-encoder as reranker"),
    Preset("bm25 >> all-minilm-l6", "Keywords, then an older bi-encoder"),
)
"""Offered in this order. Judgments of the sample corpora cover the pools of all of them."""

DEFAULT_PIPELINES: tuple[str, ...] = (
    "bm25",
    "bm25 >> ms-marco-minilm-l12",
    "rrf(bm25,dense) >> ms-marco-minilm-l12",
)
LIVE_PRESETS: tuple[Preset, ...] = (
    Preset("live", "The search engine's own order: the first stage to beat"),
    Preset("live >> ms-marco-minilm-l12", "The engine, then a cross-encoder"),
    Preset("live >> colbert-small-encoder", "The engine, then late interaction"),
    Preset("live >> bge-small-en", "The engine, then a bi-encoder as reranker"),
)
"""Offered on a live corpus, whose documents stay in a search engine."""


def default_pipelines(*, live: bool) -> tuple[str, ...]:
    """What is compared before anybody chooses, on a live corpus or any other."""
    return tuple(one.spec for one in LIVE_PRESETS[:2]) if live else DEFAULT_PIPELINES


def presets(*, live: bool) -> tuple[Preset, ...]:
    """What "Add pipeline" offers, on a live corpus or any other."""
    return LIVE_PRESETS if live else PRESETS


DEFAULT_CORPUS = "helpdesk"
MAX_PIPELINES = 6

DEPTHS: tuple[int, ...] = (10, 20, 50, 100, 200, 500)
DEFAULT_DEPTH = 50
"""Candidates a first stage hands over, unless the pipeline says its own number."""

SHOWS: tuple[int, ...] = (5, 10, 20, 50)
DEFAULT_SHOW = 10
"""Documents shown in each column."""

SAMPLE_QUERIES: dict[str, tuple[str, ...]] = {
    "helpdesk": ("hd-q20", "hd-q24", "hd-q43", "hd-q17", "hd-q15"),
    "science-answers": ("sa-q08", "sa-q23", "sa-q46", "sa-q39", "sa-q04"),
    "multilingual-faq": ("faq-q03", "faq-q01", "faq-q08", "faq-q44", "faq-q36"),
}
"""Ids of queries that show well what reranking does; others fill up the row."""
