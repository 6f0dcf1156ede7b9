"""Where language models and rerankers come from, as far as their names tell.

A judge may favour what its own maker trained. The names of models are all that is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_PATTERNS: tuple[tuple[str, str], ...] = (
    ("OpenAI", r"gpt-|(?<![a-z0-9])o[134](?:-|$)|chatgpt|text-embedding-(?:3|ada)"),
    ("Anthropic", r"claude"),
    ("Google", r"gemini|gemma|google/"),
    ("Meta", r"llama"),
    ("Mistral", r"mistral|mixtral|ministral"),
    ("Cohere", r"cohere|command-[ar]|rerank-(?:english|multilingual|v\d)"),
    ("Alibaba", r"qwen|alibaba|gte-"),
    ("DeepSeek", r"deepseek"),
    ("Microsoft", r"phi-\d|microsoft/"),
    ("NVIDIA", r"nemotron|nvidia"),
    ("BAAI", r"bge-|baai"),
    ("Jina AI", r"jina"),
    ("Voyage AI", r"voyage|(?<![a-z])rerank-(?:2|lite)"),
    ("Mixedbread", r"mxbai|mixedbread"),
    ("ZeroEntropy", r"zerank|zeroentropy"),
    ("Contextual AI", r"ctxl|contextual"),
    ("Amazon", r"amazon|nova-"),
    ("Hugging Face", r"smollm"),
)


def vendors_of(name: str) -> frozenset[str]:
    """The makers that a model's name speaks of; a model built upon another names both."""
    text = name.lower()
    return frozenset(vendor for vendor, pattern in _PATTERNS if re.search(pattern, text))


def shared_vendors(judge_model: str, models: Iterable[str]) -> tuple[str, ...]:
    """A warning for each model that comes from where the judge comes from."""
    makers = vendors_of(judge_model)
    warnings = []
    for model in dict.fromkeys(models):
        common = sorted(makers & vendors_of(model))
        if common:
            warnings.append(
                f"The judge {judge_model} and {model} both come from {' and '.join(common)}: its "
                "grades may favour that model."
            )
    return tuple(warnings)
