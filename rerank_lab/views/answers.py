"""What is said of a language model's answers: how many were faulty, in what way, and biased."""

from __future__ import annotations

from collections.abc import Mapping

from rerank_lab.rerankers.llm.listwise import position_bias
from rerank_lab.rerankers.parsing import Fault
from rerank_lab.views.formatting import counted

_WORDS = {
    Fault.EMPTY: "empty",
    Fault.REFUSED: "refused",
    Fault.TRUNCATED: "cut off at the token limit",
    Fault.WRONG_FORMAT: "not in the form asked for",
    Fault.TOO_FEW: "with fewer than half of the documents",
    Fault.MISSING: "with documents missing",
    Fault.REPETITION: "with repeated identifiers",
    Fault.INVENTED: "with invented identifiers",
}


def fault_words(counts: Mapping[str, float]) -> str:
    """`Of 9 answers: 2 refused, 1 with invented identifiers; 2 could not be used`; "" for none."""
    phrases = [
        f"{int(counts[fault])} {words}" for fault, words in _WORDS.items() if counts.get(fault)
    ]
    if not phrases:
        return ""
    lost = int(counts.get("unusable", 0))
    ending = f"; {lost} could not be used" if lost else ""
    return f"Of {counted(int(counts.get('answers', 0)), 'answer')}: {', '.join(phrases)}{ending}"


def manner_words(counts: Mapping[str, float]) -> str:
    """Answers that reasoned first, and the position bias that shuffles found; "" for neither."""
    phrases = []
    if counts.get("reasoning"):
        phrases.append(f"{counted(int(counts['reasoning']), 'answer')} with a reasoning trace")
    bias = position_bias(counts)
    if bias is not None:
        phrases.append(f"position bias {bias:.2f} over {int(counts['shuffled_orders'])} orders")
    return ", ".join(phrases)
