"""`load_corpus`: a sample, an imported corpus, a path in any accepted format, or ir_datasets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.bundle import (
    Bundle,
    CollectionOptions,
    checked_judgments,
    lost,
    opened,
    read_judged,
    read_own_judged,
    read_parts,
    refuse_losses,
)
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.exclusions import with_exclusions
from rerank_lab.corpora.ir_datasets import PREFIX, load_ir_dataset
from rerank_lab.corpora.layouts import Parts
from rerank_lab.corpora.live import LiveCorpus
from rerank_lab.corpora.live_opening import engine_node, open_live
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.source import Source
from rerank_lab.corpora.store import (
    CorpusEntry,
    check_name,
    find_entry,
    read_engine,
    read_summary,
    save_live,
    stored_judged,
    unknown_corpus,
)
from rerank_lab.corpora.stored_documents import (
    CORPUS,
    blank_numbers,
    lasting,
    stored_documents,
    usual_documents,
)
from rerank_lab.remote.objects.address import is_address, parse_address

_log = logging.getLogger(__name__)
PathLike = str | Path
"""A path of this machine, or an address."""


def load_corpus(
    reference: PathLike,
    *,
    queries: PathLike | None = None,
    qrels: PathLike | None = None,
    exclude_identical: bool | None = None,
    options: CollectionOptions | None = None,
    ctx: Context | None = None,
) -> Corpus:
    """The corpus that `reference` names: a sample, an imported one, a path, an address, or
    `ir_datasets:<id>`.

    An address is a file or folder elsewhere: `s3://`, `gs://` or `https://`. `queries` and `qrels`
    are files that take the place of the corpus' own. Rows that cannot be
    used are left out, logged as a warning and listed in `corpus.meta["problems"]`; how each file
    was read stands in `corpus.meta["readings"]`. Raises
    InvalidInput when nothing is usable, or when no corpus or file has that name.

    `exclude_identical` says whether a query excludes the document with its own id, as BEIR does;
    None means: where queries and documents of the same id have the same text.

    `options` says how the files are to be read where that is not found out; what is stored already
    takes none. In strict mode any loss raises InvalidInput. `ctx` is told how much of an address
    has come, and can cancel it: `Context(progress=print)`.
    """
    options, ctx = options or CollectionOptions(), ctx or Context()
    log = ProblemLog(options.documents.limits.problems)
    with ExitStack() as stack:
        judged_sources = (
            _source_of(queries, "query", stack, ctx),
            _source_of(qrels, "judgment", stack, ctx),
        )
        extra = Parts((), *judged_sources)
        live = _live(str(reference), options, log, extra)
        if live is not None:
            return with_exclusions(live, exclude_identical)
        name, bundle, meta = _read(reference, options, log, extra.qrels, ctx)
        read_judged(bundle, extra, options, log)
    corpus = finished(name, bundle, meta, log, strict=qrels is not None)
    if options.strict:
        refuse_losses(name, log)
    if lost(log):
        _log.warning("Left out while loading %s:\n%s", name, "\n".join(log.lines()))
    return with_exclusions(corpus, exclude_identical)


def corpus_from_texts(texts: str, name: str = "pasted list") -> Corpus:
    """A pasted list, one document a line, with the ids d1, d2, ... Raises InvalidInput if empty."""
    options, log = CollectionOptions(ReadOptions(format="lines")), ProblemLog()
    source = Source(name, data=texts.encode("utf-8", "replace"))
    if not texts.strip():
        raise InvalidInput("The list is empty.", hint="Paste one document a line.")
    bundle = read_parts(Parts((source,)), options, log)
    return finished(name, bundle, {"source": name, "format": bundle.format}, log)


def finished(
    name: str, bundle: Bundle, meta: Mapping[str, Any], log: ProblemLog, *, strict: bool = False
) -> Corpus:
    """A corpus whose judgments were checked against its documents and queries.

    Judgments that fit nothing raise InvalidInput when `strict`; otherwise they are reported and
    left out: the documents are worth having without them.
    """
    qrels = bundle.qrels
    if qrels:
        try:
            qrels = checked_judgments(bundle, log)
        except InvalidInput as error:
            if strict:
                raise
            log.error(error.message, error.hint)
            qrels = {}
    return Corpus(
        name,
        lasting(bundle.documents),
        tuple(bundle.queries),
        qrels,
        dict(meta)
        | {
            "problems": log.problems,
            "readings": tuple(bundle.readings),
            "judged_readings": tuple(bundle.judged_readings),
        },
    )


def connect_live(
    name: str,
    engine: str,
    *,
    queries: PathLike | None = None,
    qrels: PathLike | None = None,
    replace: bool = False,
) -> LiveCorpus:
    """Keep a search engine as a live corpus: its spec, with queries and judgments beside it.

    Args:
        name: what the corpus is to be called.
        engine: such as `postgres(dsn_env="RERANK_LAB_ENGINE_DSN",table="articles")`.
        queries: a file, in any shape that a corpus' queries may have.
        qrels: a file of judgments.
        replace: take the place of a corpus of that name.

    Raises:
        LabError: the engine cannot be asked, a file is unusable, or the name is taken.
    """
    slug = check_name(name, replace=replace)
    log, bundle = ProblemLog(), Bundle()
    with ExitStack() as stack:
        judged_sources = (_source_of(queries, "query", stack), _source_of(qrels, "judgment", stack))
        read_judged(bundle, Parts((), *judged_sources), CollectionOptions(), log)
    corpus = open_live(name.strip(), engine, bundle, {"kind": "live"}, log)
    summary = {
        "name": corpus.name,
        "documents": corpus.counted,
        "queries": len(corpus.queries),
        "judgments": sum(map(len, corpus.qrels.values())),
        "languages": dict(corpus.languages),
        "content_hash": corpus.identity,
        "connected_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    save_live(corpus, corpus.engine, summary, slug=slug, replace=replace)
    return corpus


def _live(
    reference: str, options: CollectionOptions, log: ProblemLog, extra: Parts
) -> Corpus | None:
    """The live corpus of that name, or of that engine's spec; None for any other reference."""
    node, entry = engine_node(reference), None
    if node is None:
        entry = find_entry(reference)
        if entry is None or entry.kind != "live":
            return None
    if options.documents != ReadOptions():
        raise InvalidInput(
            f"{reference} is a search engine: there is no file to read.",
            hint="Leave format, encoding and columns out; the engine's options name its fields.",
        )
    bundle = Bundle()
    if entry is not None:
        read_judged(bundle, stored_judged(entry.path), CollectionOptions(), log)
    read_judged(bundle, extra, options, log)
    name, spec = (entry.name, read_engine(entry.path)) if entry else (reference, reference)
    meta = {"source": "search engine", "kind": "live"}
    corpus = open_live(name, spec, bundle, meta, log)
    if options.strict:
        refuse_losses(name, log)
    return corpus


def _read(
    reference: PathLike,
    options: CollectionOptions,
    log: ProblemLog,
    judgments: Source | None,
    ctx: Context,
) -> tuple[str, Bundle, dict[str, Any]]:
    text = str(reference)
    entry = find_entry(text) if isinstance(reference, str) else None
    if (entry or text.startswith(PREFIX)) and options.documents != ReadOptions():
        raise InvalidInput(
            f"{text} is no file: its format, encoding and columns are known.",
            hint="Leave them out, or give the path of a file.",
        )
    if text.startswith(PREFIX):
        return text, load_ir_dataset(text.removeprefix(PREFIX), log), {"source": text}
    if entry is not None:
        bundle = _read_stored(entry, log) or _read_path(entry.path, CollectionOptions(), log, None)
        return entry.name, bundle, _entry_meta(entry)
    if is_address(reference):
        from rerank_lab.corpora.addresses import brought

        with brought(text, limits=options.documents.limits, ctx=ctx) as source:
            bundle = _read_source(source, options, log, judgments)
            name = parse_address(text).name
            name = name if source.path is None or source.path.is_dir() else Path(name).stem
            meta = {"source": source.name, "format": bundle.format, "origin": source.origin}
            return name, bundle, meta
    path = user_path(reference)
    if not path.exists():
        raise unknown_corpus(text)
    bundle = _read_path(path, options, log, judgments)
    name = path.resolve().name if path.is_dir() else path.stem
    return name, bundle, {"source": text, "format": bundle.format}


def _read_stored(entry: CorpusEntry, log: ProblemLog) -> Bundle | None:
    """An imported corpus, whose documents stay on the disk, or a sample; None for unusual files.

    The same is said of documents without text as when a reader goes through them.
    """
    imported = entry.kind == "imported"
    documents = stored_documents(entry.path) if imported else usual_documents(entry.path)
    if documents is None:
        return None
    for number in blank_numbers(documents):
        doc_id = documents[number].id
        log.note(f"Document {doc_id!r} has no text; kept.", file=CORPUS, line=number + 1)
    bundle = Bundle(documents=documents)
    read_own_judged(bundle, stored_judged(entry.path), CollectionOptions(), log)
    return bundle


def _read_path(
    path: Path, options: CollectionOptions, log: ProblemLog, judgments: Source | None
) -> Bundle:
    return _read_source(Source.of(path), options, log, judgments)


def _read_source(
    source: Source, options: CollectionOptions, log: ProblemLog, judgments: Source | None
) -> Bundle:
    with opened(source, options.documents.limits) as parts:
        return read_parts(parts, options, log, judgments=judgments)


def _entry_meta(entry: CorpusEntry) -> dict[str, Any]:
    about = read_summary(entry.path)
    meta = {name: about[name] for name in ("languages", "licence", "source") if about.get(name)}
    return {"source": entry.kind} | meta | {"kind": entry.kind}


def _source_of(
    path: PathLike | None, what: str, stack: ExitStack, ctx: Context | None = None
) -> Source | None:
    """The file of queries or judgments, brought here until the stack is left if it is elsewhere."""
    if path is None:
        return None
    if is_address(path):
        from rerank_lab.corpora.addresses import brought_file

        return stack.enter_context(brought_file(str(path), ctx=ctx))
    file = user_path(path)
    if not file.is_file():
        raise InvalidInput(f"There is no {what} file {path}.", hint="Check the path.")
    return Source.of(file)
