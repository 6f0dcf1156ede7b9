"""What the commands that ask a language model share: its options, and who agrees to its cost."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from rerank_lab.cli.output import Output
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spend import CostEstimate
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.views.hosted import estimates_words

_OPTIONS = (
    "base_url", "instruction", "passage_words", "key_variable", "reasoning_tokens", "temperature",
    "concurrency", "price_in", "price_out",
)  # fmt: skip


def agree(arguments: argparse.Namespace, estimate: CostEstimate, output: Output) -> None:
    """Tell the cost, and ask whether to go on where nobody has said so.

    Raises:
        InvalidInput: nobody can be asked, or the answer was no.
    """
    if not estimate.calls:
        return
    output.note(f"It asks for up to {estimates_words((estimate,))}.")
    if arguments.yes or arguments.spend_limit is not None or estimate.amount == 0:
        return
    if output.as_json or not sys.stdin.isatty():
        raise InvalidInput(
            f"Nobody has agreed to what the judge costs: up to {estimates_words((estimate,))}.",
            hint="Add --yes, or a limit such as --limit-usd 1.",
        )
    sys.stderr.write("Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InvalidInput("Nothing was asked.", hint="Answer y to go on, or add --yes.")


def check_model_named(arguments: argparse.Namespace) -> None:
    """Raises InvalidInput where --model is left out and nothing can be done without it."""
    if not arguments.model:
        raise InvalidInput(
            "No model is named.", hint="Name one with --model, such as gpt-4.1-mini."
        )


def judge_model(arguments: argparse.Namespace, **more: Any) -> JudgeModel:
    """The model that the options name, with `more` options; those left out have their defaults."""
    options = {name: value for name in _OPTIONS if (value := getattr(arguments, name)) is not None}
    backend = "local" if arguments.local else "endpoint"
    return JudgeModel(arguments.model, backend=backend, **options, **more)
