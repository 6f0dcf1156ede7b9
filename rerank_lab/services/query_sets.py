"""Query sets as a use case: build them from text, files, logs and documents; ask them."""

from __future__ import annotations

import csv
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import Problem, ProblemLog
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.storage import disk_errors
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.judged import read_queries
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.source import Source
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.judging import query_sets
from rerank_lab.judging.llm_judge.answers import AnswerCache
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.judging.llm_judge.query_writer import QueryWriter
from rerank_lab.judging.records import LabQuery, LabQuerySet, QueryOrigin
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import Engine
from rerank_lab.remote.gather import gather
from rerank_lab.services.access import Action, needs
from rerank_lab.services.model_answers import bound_with, context_with
from rerank_lab.services.session import Bound, Session

_TEXT_COLUMNS = ("query", "text", "search", "q")
_COUNT_COLUMNS = ("frequency", "count", "n", "searches")


@dataclass(frozen=True, slots=True)
class MadeQueries:
    """Queries made from documents.

    Attributes:
        queries: those that are kept, tagged as synthetic.
        leaking: how many repeated their document and were left out.
        none: documents for which there is no query.
    """

    queries: tuple[LabQuery, ...]
    leaking: int
    none: int


@dataclass(frozen=True, slots=True)
class QuerySetRequest:
    """Add queries to a set of a corpus, from one source or several.

    Attributes:
        name: of the set, which is made when there is none.
        lines: queries as they are typed or pasted, one each.
        file: a file of queries in any format that corpora take.
        log: a log, of which `log_size` queries are drawn: head, torso and tail.
        documents: from how many random documents queries are made; 0 for none.
        writer: the language model that writes these; None for the template.
        tags: of all queries that are added.
        seed: of the samples.
    """

    name: str
    lines: tuple[str, ...] = ()
    file: Path | None = None
    log: Path | None = None
    log_size: int = 60
    documents: int = 0
    writer: JudgeModel | None = None
    tags: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ExtendedQuerySet:
    """A set after queries were added.

    Attributes:
        added: how many queries came in, those that the set had already among them.
        from_documents: what became of the documents that queries were made from; None for none.
        problems: what could not be read of a file, and why.
    """

    query_set: LabQuerySet
    added: int
    from_documents: MadeQueries | None = None
    problems: tuple[Problem, ...] = ()


def extend(
    request: QuerySetRequest, corpus: Corpus, ctx: Context, engine: Engine, store: JudgmentStore
) -> ExtendedQuerySet:
    """Add queries to a set and store it.

    Raises:
        InvalidInput: there is no query, no name, or something of a file cannot be read.
        LabError: the language model cannot be asked; what it wrote by then is not paid for again.
    """
    if not request.name.strip():
        raise InvalidInput("The query set has no name.", hint="Give it one.")
    queries = list(query_sets.typed_queries(request.lines, request.tags))
    problems: tuple[Problem, ...] = ()
    if request.file is not None:
        rows, log = imported(request.file, request.tags)
        queries += rows
        problems = log.problems
    if request.log is not None:
        queries += query_sets.log_sample(
            read_log(request.log), request.log_size, seed=request.seed, tags=request.tags
        )
    from_documents = _from_documents(request, corpus, ctx, engine)
    if from_documents is not None:
        queries += from_documents.queries
    query_set = saved(corpus.name, request.name, queries, store)
    return ExtendedQuerySet(query_set, len(queries), from_documents, problems)


def _from_documents(
    request: QuerySetRequest, corpus: Corpus, ctx: Context, engine: Engine
) -> MadeQueries | None:
    size, seed, tags = request.documents, request.seed, request.tags
    if not size:
        return None
    if request.writer is None:
        return made_by_template(corpus, size, seed=seed, tags=tags)
    return made_by_llm(request.writer, corpus, size, ctx, engine, seed=seed, tags=tags)


@dataclass(frozen=True, slots=True)
class QuerySetKey(JobKey[ExtendedQuerySet]):
    """One press of a session on the button that adds queries, in nanoseconds since 1970."""

    request: QuerySetRequest
    corpus_hash: str
    session: Bound
    begun_ns: int


@needs(Action.EDIT)
def start_extending(
    request: QuerySetRequest, corpus: Corpus, session: Session
) -> Job[ExtendedQuerySet]:
    """The job that adds queries to a set. Always a new one."""
    engine = session.engine

    def work(ctx: Context) -> ExtendedQuerySet:
        return extend(request, corpus, ctx, engine, JudgmentStore.open(engine.home))

    outside = request.writer is not None and not request.writer.local
    return session.jobs.submit(
        QuerySetKey(
            request, corpus.content_hash, bound_with(session, (), request.writer), time.time_ns()
        ),
        work,
        lane="network" if outside else "batch",
        name=f"Adding queries to {request.name.strip()}",
        ctx=context_with(session, (), request.writer),
        waiter=session.waiter,
    )


@needs(Action.EDIT)
def without_queries(
    query_set: LabQuerySet, query_ids: Collection[str], store: JudgmentStore
) -> LabQuerySet:
    """Take queries out of a set; labels given for them stay.

    Raises:
        InvalidInput: none would be left.
    """
    rest = tuple(query for query in query_set.queries if query.query_id not in query_ids)
    if not rest:
        raise InvalidInput(
            f"{query_set.name} would have no query left.",
            hint="Leave one, or add others first.",
        )
    smaller = replace(query_set, queries=rest, created_at=datetime.now(UTC))
    store.save_query_set(smaller)
    return smaller


@needs(Action.EDIT)
def with_tag(
    query_set: LabQuerySet, query_ids: Collection[str], tag: str, store: JudgmentStore
) -> LabQuerySet:
    """Tag queries of a set.

    Raises:
        InvalidInput: the tag is empty.
    """
    tag = tag.strip()
    if not tag:
        raise InvalidInput("There is no tag to give.", hint="Type one.")
    queries = tuple(
        replace(query, tags=tuple(dict.fromkeys((*query.tags, tag))))
        if query.query_id in query_ids
        else query
        for query in query_set.queries
    )
    tagged = replace(query_set, queries=queries, created_at=datetime.now(UTC))
    store.save_query_set(tagged)
    return tagged


def repeated_words(query: LabQuery, corpus: Corpus) -> int | None:
    """How many words in a row a synthetic query repeats of the document it was made from.

    None for a query of people, and where the document is gone.
    """
    if not query.source_doc or query.source_doc not in corpus.document_ids:
        return None
    text = corpus.whole_document(query.source_doc).content
    return query_sets.longest_common_run(query.text, text)


def saved(corpus: str, name: str, queries: Sequence[LabQuery], store: JudgmentStore) -> LabQuerySet:
    """Add queries to the set of that name, which is made when there is none.

    Raises:
        InvalidInput: there is no query, or no name.
    """
    if not queries or not name.strip():
        raise InvalidInput(
            "There is nothing to store." if not queries else "The query set has no name.",
            hint="Give at least one query, and a name for the set.",
        )
    now = datetime.now(UTC)
    earlier = next(
        (one for one in store.query_sets(corpus) if one.name == name.strip()),
        LabQuerySet(corpus, name.strip(), (), now),
    )
    query_set = query_sets.joined(earlier, queries, now)
    store.save_query_set(query_set)
    return query_set


def imported(path: Path, tags: Sequence[str] = ()) -> tuple[tuple[LabQuery, ...], ProblemLog]:
    """The queries of a file in any format that corpora take, and what was wrong with it.

    Raises:
        InvalidInput: not one query can be read.
    """
    _there(path)
    log = ProblemLog()
    rows = read_queries(Source.of(path), ReadOptions(), log).queries
    queries = (
        query_sets.lab_query(
            query_sets.checked_text(query.text), QueryOrigin.IMPORTED, tags, query_id=query.id
        )
        for query in rows
    )
    return tuple(queries), log


def read_log(path: Path) -> dict[str, int]:
    """Query text -> how often, of a log.

    A CSV or TSV file has a column `query` and may have `frequency`; any other file has a query a
    line, perhaps with a tab and a number behind it. A query without a number counts once a row.

    Raises:
        InvalidInput: a row cannot be read, with its number.
    """
    _there(path)
    with disk_errors(path), path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        counts = query_sets.counted_log(_log_rows(path, lines))
    if not counts:
        raise InvalidInput(f"{path.name} holds no query.", hint="Give a log with a query a line.")
    return counts


def made_by_template(
    corpus: Corpus, size: int, *, seed: int = 0, tags: Sequence[str] = ()
) -> MadeQueries:
    """Keyword queries from random documents: each names the three rarest words of one."""
    frequencies = query_sets.document_frequencies(corpus.examples)
    sample = query_sets.sampled_documents(corpus.examples, size, seed)
    texts = [query_sets.keyword_query(document, frequencies) for document in sample]
    return _made(sample, texts, QueryOrigin.TEMPLATE, tags)


def writing_estimate(
    model: JudgeModel, corpus: Corpus, size: int, *, seed: int = 0
) -> CostEstimate:
    """What it takes to have queries written for that many documents."""
    sample = query_sets.sampled_documents(corpus.examples, size, seed)
    return QueryWriter(model).estimate([document.content for document in sample])


def made_by_llm(
    model: JudgeModel,
    corpus: Corpus,
    size: int,
    ctx: Context,
    engine: Engine,
    *,
    seed: int = 0,
    tags: Sequence[str] = (),
) -> MadeQueries:
    """Queries that a language model writes for random documents.

    Raises:
        LabError: the model cannot be asked; what it wrote by then is not paid for again.
    """
    writer = QueryWriter(model, AnswerCache(engine.home / "llm-answers.sqlite"))
    writer.asked.check(ctx)
    sample = query_sets.sampled_documents(corpus.examples, size, seed)

    def one(document: Document, inner: Context) -> str:
        return writer.write(document.content, inner.for_remote_stage())

    def count(index: int, _text: str) -> None:
        ctx.report("writing queries", index + 1, len(sample))

    width = 1 if model.local else model.concurrency
    texts = gather(sample, one, ctx, width, count)
    return _made(sample, texts, QueryOrigin.LLM, tags)


def with_query_set(corpus: Corpus, name: str, store: JudgmentStore, tag: str = "") -> Corpus:
    """The corpus with the queries of a lab set in place of its own; judgments stay.

    Args:
        name: of the set.
        tag: only the queries with this tag; "" for all.

    Raises:
        InvalidInput: there is no such set, or no query of it has the tag.
    """
    sets = {one.name: one for one in store.query_sets(corpus.name)}
    if name not in sets:
        known = ", ".join(sets) or "none yet"
        raise InvalidInput(
            f"{corpus.name} has no query set {name!r} in the lab.", hint=f"Its sets: {known}."
        )
    chosen = [query for query in sets[name].queries if not tag or tag in query.tags]
    if not chosen:
        raise InvalidInput(
            f"No query of {name!r} has the tag {tag!r}.", hint="See `rerank-lab labels queries`."
        )
    own = {query.id: query for query in corpus.queries}
    queries = tuple(_asked(one, own.get(one.query_id)) for one in chosen)
    ids = {query.id for query in queries}
    qrels = {query_id: grades for query_id, grades in corpus.qrels.items() if query_id in ids}
    return corpus.with_judgments(queries, qrels, corpus.basis)


def _asked(query: LabQuery, own: Query | None) -> Query:
    """A query of a set with its tags and frequency; the corpus' own query where it has that id."""
    columns: dict[str, Any] = {"tags": list(query.tags)}
    if query.frequency:
        columns["frequency"] = query.frequency
    if own is None:
        return Query(query.query_id, query.text, columns)
    return replace(own, meta={**own.meta, **columns})


def to_json(query_set: LabQuerySet) -> dict[str, Any]:
    """A set as `labels queries --json` prints it."""
    return {
        "corpus": query_set.corpus,
        "name": query_set.name,
        "queries": [
            {
                "query_id": query.query_id,
                "text": query.text,
                "origin": query.origin.value,
                "synthetic": query.origin in (QueryOrigin.TEMPLATE, QueryOrigin.LLM),
                "tags": list(query.tags),
                "frequency": query.frequency,
                "source_doc": query.source_doc,
            }
            for query in query_set.queries
        ],
    }


def _there(path: Path) -> None:
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}.", hint="Check the path.")


def _made(
    documents: Sequence[Document], texts: Sequence[str], origin: QueryOrigin, tags: Sequence[str]
) -> MadeQueries:
    queries: dict[str, LabQuery] = {}
    leaking = none = 0
    for document, text in zip(documents, texts, strict=True):
        if not text or len(text) > query_sets.MAX_QUERY_CHARS:
            none += 1
        elif query_sets.copies_document(text, document.content):
            leaking += 1
        else:
            query = query_sets.lab_query(
                text, origin, (query_sets.SYNTHETIC, *tags), source_doc=document.document_id
            )
            queries.setdefault(query.query_id, query)
    return MadeQueries(tuple(queries.values()), leaking, none)


def _log_rows(path: Path, lines: Iterator[str]) -> Iterator[tuple[str, int]]:
    if path.suffix.lower() in (".csv", ".tsv"):
        reader = csv.DictReader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        names = {name.strip().lower(): name for name in reader.fieldnames or ()}
        text_column = next((names[n] for n in _TEXT_COLUMNS if n in names), None)
        count_column = next((names[n] for n in _COUNT_COLUMNS if n in names), None)
        if text_column is None:
            raise InvalidInput(
                f"{path.name} has no column of queries: {', '.join(names) or 'it is empty'}.",
                hint="Name the columns query and frequency in the first line.",
            )
        for number, row in enumerate(reader, 2):
            yield row[text_column] or "", _frequency(row, count_column, path, number)
        return
    for number, line in enumerate(lines, 1):
        text, tab, count = line.rstrip("\r\n").rpartition("\t")
        yield (text, _whole(count, path, number)) if tab else (count, 1)


def _frequency(row: Mapping[str, str | None], column: str | None, path: Path, number: int) -> int:
    return 1 if column is None else _whole(row[column] or "", path, number)


def _whole(text: str, path: Path, number: int) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(
            f"{path.name}:{number}: {text[:40]!r} is no frequency.",
            hint="Give a whole number above 0.",
        ) from None
