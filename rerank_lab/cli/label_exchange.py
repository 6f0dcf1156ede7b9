"""`rerank-lab labels import` and `labels export`."""

from __future__ import annotations

import argparse

from rerank_lab.cli.output import Output
from rerank_lab.core.errors import InvalidInput


def import_labels(arguments: argparse.Namespace, output: Output) -> int:
    """Read judgments of files, store those that fit, and say what became of every row."""
    raise InvalidInput(
        "Labels cannot be imported yet.",
        hint="Attach the file to the corpus: rerank-lab corpora import.",
    )
