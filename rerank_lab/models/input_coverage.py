"""What a model reads of a document, as stretches of its content: for rerankers and first stages."""

from __future__ import annotations

from rerank_lab.core.input_coverage import InputCoverage
from rerank_lab.models.token_budget import TokenBudget, text_token_budget


def head_coverage(content: str, budget: TokenBudget) -> InputCoverage:
    """What a model reads that is handed a whole text and cuts it at its end."""
    spans = ((0, _head_end(content, budget)),)
    return InputCoverage(spans, len(content), estimated=budget.estimated)


def indexed_coverage(model: str, content: str) -> InputCoverage | None:
    """What an encoder read of a text when it was indexed, by its tokenizer alone.

    None where the tokenizer cannot tell. Raises ModelUnavailable when the model is not here.
    """
    from rerank_lab.models.execution_plan import prefixes_of
    from rerank_lab.models.locate.resolve import locate

    located = locate(model)
    budget = text_token_budget(located.folder, located.max_length, prefixes_of(located)[1])
    return None if budget is None else head_coverage(content, budget)


def _head_end(content: str, budget: TokenBudget) -> int:
    """Where a model stops that is handed the whole text."""
    if budget.estimated:
        # Only what is surely beyond its budget, at five bytes a token, is called unread.
        within = content.encode("utf-8", "replace")[: 5 * max(0, budget.limit)]
        return min(len(content), len(within.decode("utf-8", "ignore")))
    tokens = budget.spans(content)
    if len(tokens) <= budget.limit:
        return len(content)
    return tokens[budget.limit - 1][1] if budget.limit > 0 else 0
