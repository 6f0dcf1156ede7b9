"""What a command would ask of providers, noted before it asks."""

from __future__ import annotations

from collections.abc import Mapping

from rerank_lab.cli.output import Output
from rerank_lab.services.cost_estimates import Estimates
from rerank_lab.views.hosted import estimates_words


def note_cost_estimates(estimates: Mapping[str, Estimates], output: Output) -> None:
    """One remark a pipeline that asks a provider."""
    for spec, of_stages in estimates.items():
        output.note(f"{spec} asks for up to {estimates_words(of_stages)}")
