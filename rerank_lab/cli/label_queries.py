"""`rerank-lab labels queries`: query sets, from text, files, logs and documents."""

from __future__ import annotations

import argparse

from rerank_lab.cli.language_model import agree, judge_model
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import print_problems
from rerank_lab.core.paths import user_path
from rerank_lab.corpora import load_corpus
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.judging.query_sets import log_sample, typed_queries
from rerank_lab.judging.records import LabQuery, LabQuerySet
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.services import query_sets
from rerank_lab.services.query_sets import MadeQueries
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
    queries: list[LabQuery] = list(typed_queries(arguments.text, arguments.tag))
    if arguments.file:
        rows, log = query_sets.imported(user_path(arguments.file), arguments.tag)
        queries += rows
        if not output.as_json:
            print_problems(log.problems, output)
    if arguments.log:
        counts = query_sets.read_log(user_path(arguments.log))
        queries += log_sample(counts, arguments.size, seed=arguments.seed, tags=arguments.tag)
    made = _made(arguments, corpus, engine, output) if arguments.generate else None
    queries += made.queries if made else ()
    query_set = query_sets.saved(corpus.name, arguments.name or "", queries, store)
    if output.as_json:
        more = {"leaking": made.leaking, "without_query": made.none} if made else {}
        output.json({"added": len(queries), **more, "set": query_sets.to_json(query_set)})
        return 0
    if made:
        output.line(made_words(made))
    output.line(f"{counted(len(queries), 'query', 'queries')} added. {set_words(query_set)}")
    return 0


def _made(
    arguments: argparse.Namespace, corpus: Corpus, engine: Engine, output: Output
) -> MadeQueries:
    size, seed, tags = arguments.generate, arguments.seed, arguments.tag
    if not arguments.model:
        return query_sets.made_by_template(corpus, size, seed=seed, tags=tags)
    model = judge_model(arguments)
    agree(arguments, query_sets.writing_estimate(model, corpus, size, seed=seed), output)
    ctx = job_context(arguments, output, engine)
    return query_sets.made_by_llm(model, corpus, size, ctx, engine, seed=seed, tags=tags)


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
