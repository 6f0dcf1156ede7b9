"""`rerank-lab corpora connect` and `preview`: a search engine of the user's own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rerank_lab.cli.output import Output, cut, number, pad, screen_width
from rerank_lab.cli.reading import print_problems
from rerank_lab.core.context import Context
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services import engines
from rerank_lab.views.formatting import corpus_size, counted


def connect(arguments: argparse.Namespace, output: Output) -> int:
    """Ask the engine once, and keep it as a corpus."""
    request = engines.ConnectRequest(
        arguments.name,
        arguments.engine,
        Path(arguments.queries) if arguments.queries else None,
        Path(arguments.qrels) if arguments.qrels else None,
        arguments.replace,
    )
    corpus = engines.connect(request, default_engine())
    judgments = sum(map(len, corpus.qrels.values()))
    if output.as_json:
        output.json(
            {
                "name": corpus.name,
                "engine": corpus.engine,
                "documents": corpus.counted,
                "languages": dict(corpus.languages),
                "sampled": len(corpus.sample),
                "queries": len(corpus.queries),
                "judgments": judgments,
                "problems": [problem.to_json() for problem in corpus.meta["problems"]],
            }
        )
        return 0
    for judged in corpus.meta["judged_readings"]:
        output.line(judged.sentence)
    output.line(
        f"{corpus.name}: {corpus_size(corpus.size, 0, live=True)}, "
        f"{counted(len(corpus.queries), 'query', 'queries')}, {counted(judgments, 'judgment')}; "
        "nothing was copied"
    )
    print_problems(corpus.meta["problems"], output)
    name = json.dumps(corpus.name, ensure_ascii=False)
    output.line(f'next: rerank-lab rank {name} "your query" -p "live >> ms-marco-minilm-l12"')
    return 0


def preview(arguments: argparse.Namespace, output: Output) -> int:
    """Show what the engine is asked for a query, and the first hits."""
    request = engines.PreviewRequest(arguments.engine, arguments.query)
    answer = engines.preview(request, default_engine(), Context(progress=output.progress))
    if output.as_json:
        hits = [
            {
                "doc_id": hit.document.id,
                "score": hit.score,
                "title": hit.document.title,
                "text": hit.document.text,
            }
            for hit in answer.hits
        ]
        output.json({"request": answer.request, "hits": hits})
        return 0
    output.line(answer.request)
    output.line()
    for warning in answer.warnings:
        output.line(f"note: {warning}")
    if not answer.hits:
        output.line("nothing found")
    for rank, hit in enumerate(answer.hits, 1):
        head = f"{pad(str(rank), 4, True)}  {pad(number(hit.score, 3), 8, True)}  {hit.document.id}"
        text = " — ".join(part for part in (hit.document.title, hit.document.text) if part)
        output.line(f"{head}  {cut(text, max(20, screen_width() - len(head) - 2))}")
    return 0
