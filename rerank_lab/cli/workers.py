"""`--workers`: who does the work of a command that asks many queries."""

from __future__ import annotations

import argparse

from rerank_lab.cli.options import CommandParser
from rerank_lab.cli.output import Output
from rerank_lab.jobs.workers import InThisThread, Threads, Workers

_MOST_THREADS = 256


def add_workers(parser: CommandParser) -> None:
    """`--workers`."""
    parser.add_argument(
        "--workers",
        type=worker_count,
        default=1,
        metavar="N",
        help="work on so many queries at a time, in threads of this process (default: 1); for "
        "providers and servers, which answer several at once. Times are then those of a busy "
        "machine",
    )


def worker_count(text: str) -> int:
    """A number of threads, for `type=`."""
    count = int(text)
    if not 1 <= count <= _MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to {_MOST_THREADS}")
    return count


worker_count.__name__ = "number of workers"


def chosen_workers(arguments: argparse.Namespace, output: Output) -> Workers:
    """Who works, as the command line says."""
    workers = InThisThread() if arguments.workers == 1 else Threads(arguments.workers)
    if workers.words:
        output.note(f"Working with {workers.words}; times are those of a busy machine.")
    return workers
