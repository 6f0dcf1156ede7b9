"""`rerank-lab labels queries`: query sets, from text, files, logs and documents."""

from __future__ import annotations

import argparse

from rerank_lab.cli.language_model import agree, judge_model
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import print_problems
from rerank_lab.core.paths import user_path
from rerank_lab.corpora import load_corpus
from rerank_lab.judging.records import LabQuerySet
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services import query_sets
from rerank_lab.services.query_sets import MadeQueries, QuerySetRequest
from rerank_lab.views.formatting import counted
from rerank_lab.views.query_sets import made_words, set_words


def label_queries(arguments: argparse.Namespace, output: Output) -> int:
    """Add queries to a set, or list the sets of a corpus."""
    engine = default_engine()
    corpus = load_corpus(arguments.corpus)
    store = JudgmentStore.open(engine.home)
    if not (arguments.text or arguments.file or arguments.log or arguments.generate):
        _list(store.query_sets(corpus.name), arguments.name, output)
        return 0
    request = _request(arguments)
    if request.writer is not None:
        estimate = query_sets.writing_estimate(
            request.writer, corpus, request.documents, seed=request.seed
        )
        agree(arguments, estimate, output)
    ctx = job_context(arguments, output, engine)
    extended = query_sets.extend(request, corpus, ctx, engine, store)
    documents, query_set = extended.from_documents, extended.query_set
    if output.as_json:
        more = _left_out(documents)
        output.json({"added": extended.added, **more, "set": query_sets.to_json(query_set)})
        return 0
    print_problems(extended.problems, output)
    if documents:
        output.line(made_words(documents))
    output.line(f"{counted(extended.added, 'query', 'queries')} added. {set_words(query_set)}")
    return 0


def _request(arguments: argparse.Namespace) -> QuerySetRequest:
    by_model = arguments.generate and arguments.model
    return QuerySetRequest(
        arguments.name or "",
        tuple(arguments.text),
        user_path(arguments.file) if arguments.file else None,
        user_path(arguments.log) if arguments.log else None,
        arguments.size,
        arguments.generate or 0,
        judge_model(arguments) if by_model else None,
        tuple(arguments.tag),
        arguments.seed,
    )


def _left_out(documents: MadeQueries | None) -> dict[str, int]:
    if documents is None:
        return {}
    return {"leaking": documents.leaking, "without_query": documents.none}


def _list(sets: list[LabQuerySet], name: str | None, output: Output) -> None:
    chosen = [one for one in sets if name in (None, one.name)]
    if output.as_json:
        output.json({"sets": [query_sets.to_json(one) for one in chosen]})
        return
    for one in chosen:
        output.line(set_words(one))
        if name is not None:
            rows = [[query.query_id, query.text, ", ".join(query.tags)] for query in one.queries]
            output.table([["id", "query", "tags"], *rows])
    if not chosen:
        output.line("There is no such query set." if name else "There is no query set yet.")
