"""How much of a text a model reads beside a query, told by its tokenizer alone: nothing is scored.

The tokenizers here are their own instances, never told to cut or to pad, so that any thread may
use them while the model's own is at work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rerank_lab.core.text import load_json
from rerank_lab.core.types import Span
from rerank_lab.models.prompt_templates import BOS, EOS, Template, split_limit
from rerank_lab.models.runtime.tokenizer import clipped

_MARK = "\x00"


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """What a model reads of any text beside one query: the first `limit` tokens.

    `spans` gives [start, end) in characters for every token of a text; `estimated` says that they
    are not the model's own tokens.
    """

    limit: int
    spans: Callable[[str], list[Span]]
    estimated: bool = False


def long_query_warning(model: str) -> str:
    """What is said of a query that does not fit into a model by itself."""
    return f"The query is longer than {model} reads: its end was left out."


def pair_token_budget(folder: Path, query: str, max_length: int) -> TokenBudget | None:
    """Of a model that reads query and text together, the longer one being cut first.

    None when the folder holds no tokenizer.json.
    """
    tokenizer = _tokenizer_of(folder)
    if tokenizer is None:
        return None
    query_tokens = len(_ids(tokenizer, clipped(query, max_length)[0]))
    both = max_length - tokenizer.num_special_tokens_to_add(True)
    # A query longer than half leaves the other half: one token less than a text longer still gets.
    return TokenBudget(max(both - query_tokens, both // 2), lambda text: _spans(tokenizer, text))


def text_token_budget(
    folder: Path, max_length: int, prefix: str = "", markers: int = 0
) -> TokenBudget | None:
    """Of a model that reads a text by itself, after `prefix` and with `markers` tokens of its own.

    None when the folder holds no tokenizer.json.
    """
    tokenizer = _tokenizer_of(folder)
    if tokenizer is None:
        return None
    before = len(_inside(tokenizer, prefix, "")[0])
    limit = max_length - tokenizer.num_special_tokens_to_add(False) - markers - before
    return TokenBudget(limit, lambda text: _inside(tokenizer, prefix, text)[1])


def prompt_token_budget(
    folder: Path, template: Template, query: str, instruction: str, max_length: int
) -> TokenBudget | None:
    """Of a language model that is shown query and text in a template.

    None when the folder holds no tokenizer.json.
    """
    tokenizer = _tokenizer_of(folder)
    if tokenizer is None:
        return None
    values = {"query": clipped(query, max_length)[0], "instruction": instruction}
    parts = template.filled({**values, "document": _MARK})
    sizes = [
        (_size(tokenizer, folder, text.replace(_MARK, "")), document, query_part)
        for text, document, query_part in parts
    ]
    prefix = next((text[: text.rindex(_MARK)] for text, document, _ in parts if document), "")
    before = len(_inside(tokenizer, prefix, "a")[0])
    limit = split_limit(sizes, max_length)[1] - before
    return TokenBudget(limit, lambda text: _inside(tokenizer, prefix, text)[1])


def _tokenizer_of(folder: Path) -> Any:
    path = folder / "tokenizer.json"
    return _opened(str(path), path.stat().st_mtime_ns) if path.is_file() else None


@lru_cache(maxsize=8)
def _opened(path: str, _changed: int) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _spans(tokenizer: Any, text: str) -> list[Span]:
    # Tokenizers refuse lone surrogates; each becomes one other character, so that places stay.
    clean = text.encode("utf-8", "replace").decode("utf-8")
    offsets: list[Span] = tokenizer.encode(clean, add_special_tokens=False).offsets
    return offsets


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


def _inside(tokenizer: Any, prefix: str, text: str) -> tuple[list[Span], list[Span]]:
    """The tokens of a prefix, and those of the text after it at their places in the text."""
    if not prefix:
        return [], _spans(tokenizer, text)
    spans = _spans(tokenizer, prefix + text)
    start = len(prefix)
    within = [(max(0, a - start), b - start) for a, b in spans if b > start]
    return [span for span in spans if span[1] <= start], within


def _size(tokenizer: Any, folder: Path, text: str) -> int:
    if text in (BOS, EOS):
        return int(_has_end(folder, "bos_token" if text == BOS else "eos_token"))
    return len(_ids(tokenizer, text))


def _has_end(folder: Path, name: str) -> bool:
    try:
        read = load_json((folder / "tokenizer_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return True
    return not isinstance(read, dict) or read.get(name) is not None
