"""`rerank-lab score`: a file of pairs in, Parquet with their scores out."""

from __future__ import annotations

import argparse
from pathlib import Path

from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import print_problems
from rerank_lab.cli.workers import chosen_workers
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.corpora.addresses import file_here
from rerank_lab.corpora.limits import LOCAL_LIMITS
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.services import bulk_scoring
from rerank_lab.services.bulk_scoring import ScorePairsRequest


def score(arguments: argparse.Namespace, output: Output) -> int:
    """Score and say what was written."""
    engine = default_engine()
    ctx = job_context(arguments, output, engine)
    with file_here(arguments.pairs, limits=LOCAL_LIMITS, ctx=ctx) as pairs:
        return _score(arguments, output, pairs, ctx, engine)


def _score(
    arguments: argparse.Namespace, output: Output, pairs: Path, ctx: Context, engine: Engine
) -> int:
    request = ScorePairsRequest(
        pairs,
        user_path(arguments.out),
        arguments.reranker,
        columns=_columns(arguments.columns),
        part_rows=arguments.part_rows,
        replace=arguments.replace,
    )
    workers = chosen_workers(arguments, output).opened()
    scored = bulk_scoring.run(request, ctx, engine, workers)
    if output.as_json:
        output.json(scored.to_json())
        return 0
    output.line(f"{scored.pairs:,} pairs scored by {scored.reranker} ({scored.scale})")
    if scored.reused:
        output.line(f"{scored.reused:,} of them by an earlier run of this command")
    if scored.blank:
        output.line(f"{scored.blank:,} documents have no text, and no score")
    if scored.left_out:
        output.line(f"{scored.left_out:,} rows were left out")
    print_problems(scored.problems, output)
    output.line(f"wrote {scored.out}")
    return 0


def _columns(words: list[str]) -> tuple[tuple[str, str], ...]:
    """`query=question,document=body` as pairs."""
    columns = []
    for part in (part for word in words for part in word.split(",")):
        role, equals, column = part.partition("=")
        if not (equals and role.strip() and column.strip()):
            raise InvalidInput(
                f"--columns: {part!r} is not ROLE=COLUMN.",
                hint="For example: --columns query=question,document=body",
            )
        columns.append((role.strip(), column.strip()))
    return tuple(columns)
