"""`--workers`: who does the work of a command that asks many queries."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rerank_lab.cli.options import CommandParser
from rerank_lab.cli.output import Output
from rerank_lab.core.errors import InvalidInput

if TYPE_CHECKING:
    from rerank_lab.jobs.workers import Workers

_MOST_THREADS = 256


@dataclass(frozen=True, slots=True)
class WorkersOption:
    """What `--workers` says: a number of threads, or of workers on Ray (0 for as many as fit)."""

    count: int = 1
    on_ray: bool = False


def add_workers(parser: CommandParser) -> None:
    """`--workers` and `--ray-address`."""
    parser.add_argument(
        "--workers",
        type=workers_option,
        default=WorkersOption(),
        metavar="N|ray[:N]",
        help="work on several queries at a time: N threads of this process (default: 1), for "
        "providers and servers; or processes on Ray, on one machine or many, one model each. "
        "Times are then those of a busy machine",
    )
    parser.add_argument(
        "--ray-address",
        default="",
        metavar="ADDRESS",
        help="a running Ray cluster for --workers ray, such as auto, host:6379 or "
        "ray://host:10001 (default: one on this machine, which ends with the command)",
    )


def workers_option(text: str) -> WorkersOption:
    """`N`, `ray` or `ray:N`, for `type=`."""
    kind, colon, number = text.strip().rpartition(":")
    if text.strip() == "ray":
        return WorkersOption(0, on_ray=True)
    if (colon and kind != "ray") or not number.isdigit() or int(number) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not N, ray or ray:N, with N from 1")
    if not colon and int(number) > _MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text} is more than {_MOST_THREADS} threads")
    return WorkersOption(int(number), on_ray=bool(colon))


workers_option.__name__ = "workers"


def chosen_workers(arguments: argparse.Namespace, output: Output) -> Workers:
    """Who works, as the command line says.

    Raises:
        InvalidInput: an address of Ray is of no use without `--workers ray`.
    """
    from rerank_lab.jobs.workers import InThisThread, RayWorkers, Threads

    option: WorkersOption = arguments.workers
    if arguments.ray_address and not option.on_ray:
        raise InvalidInput("--ray-address is for --workers ray.", hint="Add --workers ray.")
    workers: Workers = InThisThread()
    if option.on_ray:
        workers = RayWorkers(option.count, arguments.ray_address)
    elif option.count > 1:
        workers = Threads(option.count)
    if workers.words:
        output.note(f"Working with {workers.words}; times are those of a busy machine.")
    return workers
