"""`rerank-lab serve`: pipelines behind a rerank API."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from rerank_lab.cli.output import Output
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import is_loopback
from rerank_lab.corpora import load_corpus
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.server.app import ServerStatus
from rerank_lab.server.connections import ConnectionLimits
from rerank_lab.server.keys import ApiKeys, read_keys
from rerank_lab.server.limits import RequestLimits
from rerank_lab.server.mounting import LOOPBACK_NAMES, ServerSettings, api_of
from rerank_lab.server.pipelines import ServedPipelines, read_config, served_pipelines
from rerank_lab.server.run import bound_socket, run_until_asked, server_of


def serve(arguments: argparse.Namespace, output: Output) -> int:
    """Load everything, then listen until the process is asked to end."""
    if bool(arguments.pipeline) == bool(arguments.config):
        raise InvalidInput(
            "Name either a pipeline or a --config file.",
            hint='For example: rerank-lab serve "bm25 >> ms-marco-minilm-l12"',
        )
    limits = RequestLimits(
        documents=arguments.max_documents,
        tokens=arguments.max_tokens,
        deadline_s=arguments.deadline,
    )
    keys = read_keys(arguments.api_key_file) if arguments.api_key_file else ApiKeys()
    pipelines = served_pipelines(_specs(arguments), limits.documents)
    engine = default_engine()
    corpus = load_corpus(arguments.corpus) if arguments.corpus else None
    with bound_socket(arguments.host, arguments.port) as bound:
        _make_ready(pipelines, corpus, engine, output)
        local = is_loopback(arguments.host)
        if not (local or keys.needed):
            output.note("warning: whoever reaches this address may ask; see --api-key-file")
        settings = ServerSettings(
            limits,
            arguments.workers,
            arguments.queue,
            keys,
            # A page of another site could give its own name to this machine's address.
            LOOPBACK_NAMES if local and not keys.needed else (),
            arguments.spend_limit,
        )
        api = api_of(pipelines, engine, corpus, settings)
        _log_requests()
        bound.listen()  # whoever reads that it serves may connect at once
        host, port = bound.getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        names = ", ".join(served.name for served in pipelines)
        output.note(f"serving {names} at {address}; Ctrl+C ends it")
        bounds = ConnectionLimits(arguments.max_connections)
        run_until_asked(server_of(api.application(), bounds, arguments.grace), bound)
    return _end(api.status(), output)


def _end(status: ServerStatus, output: Output) -> int:
    """The exit code: 0 when all that was taken is finished."""
    if status.given_up:
        output.note(f"requests given up because they took longer than --grace: {status.given_up}")
    code = min(status.given_up, 1)
    if status.pending or status.unnoticed:
        # Python would wait for their threads, which may wait for a provider.
        os._exit(code)
    return code


def _specs(arguments: argparse.Namespace) -> dict[str, str]:
    """Specs by name; a single one is called as it is written."""
    if arguments.config:
        return read_config(arguments.config)
    return {arguments.pipeline: arguments.pipeline}


def _make_ready(
    pipelines: ServedPipelines, corpus: Corpus | None, engine: Engine, output: Output
) -> None:
    """Check all pipelines, then load their models and indexes."""
    problems = [error for served in pipelines for error in served.problems(corpus, engine)]
    if problems:
        raise problems[0]
    for served in pipelines:
        served.load(corpus, Context(progress=output.progress), engine)


def _log_requests() -> None:
    """One line of JSON a request on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("rerank_lab.server")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
