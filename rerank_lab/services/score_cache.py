"""The shared score cache as a use case: is it there, and does it answer?"""

from __future__ import annotations

import os
from dataclasses import dataclass

from rerank_lab.rerankers.shared_scores import CACHE_VARIABLE, shared_scores


@dataclass(frozen=True, slots=True)
class ScoreCacheState:
    """The cache by its address without a password; `fault` says why it does not answer, "" if not.

    `variable` is where its address stands.
    """

    name: str
    variable: str
    fault: str = ""


def check() -> ScoreCacheState | None:
    """Ask the cache that is named for this machine; None where none is.

    Raises:
        InvalidInput, MissingExtra: its address cannot be used here.
    """
    address = os.environ.get(CACHE_VARIABLE, "").strip()
    if not address:
        return None
    cache = shared_scores(address)
    return ScoreCacheState(cache.name, CACHE_VARIABLE, cache.fault())
