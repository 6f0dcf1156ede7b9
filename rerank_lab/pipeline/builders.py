"""Pipelines composed in Python: small functions that make spec nodes, joined with `>>`."""

from __future__ import annotations

from rerank_lab.core.spec import Literal, Node


def retrieve(name: str, **options: Literal) -> Node:
    """Any registered first stage, or a catalogue name that fills one."""
    return Node(name, tuple(options.items()))


def rerank(name: str, **options: Literal) -> Node:
    """Any registered reranker, or a catalogue name: `rerank("ms-marco-minilm-l12", top=50)`."""
    return Node(name, tuple(options.items()))


def bm25(**options: Literal) -> Node:
    """BM25 over the words of the documents."""
    return Node("bm25", tuple(options.items()))


def dense(model: str = "", **options: Literal) -> Node:
    """A bi-encoder over FAISS; `model` is a catalogue name, hub id or folder."""
    return Node(
        "dense", tuple(({"model": model} if model else {}).items()) + tuple(options.items())
    )


def rrf(*sources: Node, **options: Literal) -> Node:
    """Reciprocal rank fusion of first stages (Cormack, Clarke and Büttcher, 2009)."""
    return Node("rrf", tuple(options.items()), sources)


def weighted(*sources: Node, **options: Literal) -> Node:
    """Weighted sum of normalised scores of first stages."""
    return Node("weighted", tuple(options.items()), sources)
