"""What a command may spend, in money and in time, as a context."""

from __future__ import annotations

import argparse

from rerank_lab.cli.output import Output
from rerank_lab.core.context import Context
from rerank_lab.core.spend import SpendMeter
from rerank_lab.pipeline.engine import Engine

PROVIDER_TIMEOUT_S = 600.0
"""For what asks a provider, unless --timeout says otherwise."""


def job_context(arguments: argparse.Namespace, output: Output, engine: Engine) -> Context:
    """The context of a command that asks many queries: each bounded, the whole not."""
    return Context(
        cache=None if getattr(arguments, "no_cache", False) else engine.scores,
        progress=output.progress,
        spend=SpendMeter(arguments.spend_limit),
        remote_stage_s=PROVIDER_TIMEOUT_S if arguments.timeout is None else arguments.timeout,
    )
