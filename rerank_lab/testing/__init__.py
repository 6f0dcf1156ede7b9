"""Contracts, fake components and servers for tests, of this project and of plugins.

    from rerank_lab.testing import reranker_contract

    TestMine = reranker_contract(MyReranker, model="some-model")

What is imported here is the public part; servers and wire formats are imported from their modules.
"""

from rerank_lab.testing.contracts import (
    QUERY,
    TEXTS,
    CancelledAfter,
    ReferenceContract,
    failure_of,
    reranker_contract,
)
from rerank_lab.testing.fake_rerankers import (
    FailingReranker,
    FakeReranker,
    MalformedReranker,
    NonFiniteReranker,
    SlowReranker,
)

__all__ = [
    "QUERY",
    "TEXTS",
    "CancelledAfter",
    "FailingReranker",
    "FakeReranker",
    "MalformedReranker",
    "NonFiniteReranker",
    "ReferenceContract",
    "SlowReranker",
    "failure_of",
    "reranker_contract",
]
