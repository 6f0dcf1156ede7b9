"""`--workers`: who does the work of a command that asks many queries."""

from __future__ import annotations

import argparse
from dataclasses import replace

from rerank_lab.cli.options import CommandParser
from rerank_lab.cli.output import Output
from rerank_lab.core.errors import InvalidInput
from rerank_lab.services.workers import ONE, WorkersChoice


def add_workers(parser: CommandParser) -> None:
    """`--workers` and `--ray-address`."""
    parser.add_argument(
        "--workers",
        type=workers_option,
        default=ONE,
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


def workers_option(text: str) -> WorkersChoice:
    """`N`, `ray` or `ray:N`, for `type=`."""
    try:
        return WorkersChoice.parse(text)
    except InvalidInput as error:
        raise argparse.ArgumentTypeError(error.message.rstrip(".")) from None


workers_option.__name__ = "workers"


def chosen_workers(arguments: argparse.Namespace, output: Output) -> WorkersChoice:
    """Who works, as the command line says.

    Raises:
        InvalidInput: an address of Ray is of no use without `--workers ray`.
    """
    choice: WorkersChoice = arguments.workers
    if arguments.ray_address and not choice.on_ray:
        raise InvalidInput("--ray-address is for --workers ray.", hint="Add --workers ray.")
    choice = replace(choice, address=arguments.ray_address)
    if words := choice.opened().words:
        output.note(f"Working with {words}; times are those of a busy machine.")
    return choice
