"""Numbers in words."""

from __future__ import annotations

import pytest

from rerank_lab.views.formatting import figures


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (53.62, "53.6"),
        (99.96, "100"),
        (1437.2, "1,437"),
        (2e6, "2,000,000"),
    ],
)
def test_three_figures_and_never_an_exponent(value: float, words: str) -> None:
    assert figures(value) == words
