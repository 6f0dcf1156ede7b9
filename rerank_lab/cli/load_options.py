"""Options of `rerank-lab load` and of what it costs."""

from __future__ import annotations

import argparse
import re

from rerank_lab.cli.options import (
    CommandParser,
    add_corpus,
    add_judged,
    add_specs,
    add_table,
    amount,
    positive,
)

_TIME = re.compile(r"(\d+\.?\d*|\.\d+)\s*(ms|s|)")


def short_time(text: str) -> float:
    """Seconds of `300ms`, `0.3s` or `0.3`, for `type=`."""
    match = _TIME.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text} is not a time such as 300ms or 1.5s")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


short_time.__name__ = "time"


def add_load(parser: CommandParser) -> None:
    """The options of the command."""
    add_table(parser)
    add_corpus(parser)
    add_specs(parser, required=False)
    _add_address(parser)
    _add_rates(parser)
    parser.add_argument(
        "--experiment",
        default="",
        metavar="ID",
        help="measure the pipelines of this experiment (all, or those of -p), and keep the "
        "studies with it",
    )
    add_judged(parser)


def _add_address(parser: CommandParser) -> None:
    """What is asked in place of pipelines."""
    parser.add_argument(
        "--address",
        metavar="URL",
        default="",
        help="measure the rerank API at this address in place of pipelines: each query is posted "
        "with --depth documents of the corpus",
    )
    parser.add_argument("--depth", type=positive, default=50, metavar="N", help="default: 50")
    parser.add_argument(
        "--key-variable",
        default="",
        metavar="NAME",
        help="with --address: the environment variable whose value is sent as a bearer token",
    )


def _add_rates(parser: CommandParser) -> None:
    """How queries arrive, and what is looked for."""
    parser.add_argument(
        "--rate", type=amount, default=5.0, metavar="N", help="queries a second (default: 5)"
    )
    parser.add_argument(
        "--seconds", type=amount, default=20.0, metavar="S", help="for each rate (default: 20)"
    )
    parser.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="answered at once (default: 1)"
    )
    parser.add_argument(
        "--arrivals", choices=("poisson", "fixed"), default="poisson", help="default: poisson"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the arrivals")
    parser.add_argument(
        "--p95",
        type=short_time,
        metavar="TIME",
        help="look for the largest rate that keeps p95 within this, such as 300ms",
    )
    parser.add_argument(
        "--tries", type=int, default=6, metavar="N", help="further rates with --p95 (default: 6)"
    )
    parser.add_argument(
        "--by-core", action="store_true", help="throughput with models on 1, 2, 4, ... threads"
    )


def add_cost(parser: CommandParser) -> None:
    """The options of `rerank-lab cost`."""
    add_table(parser)
    parser.add_argument(
        "corpus", metavar="CORPUS", nargs="?", default="", help="what is searched; with "
        "--experiment, in place of its own",
    )  # fmt: skip
    parser.add_argument(
        "-p", "--pipeline", dest="pipelines", metavar="SPEC", nargs="+", action="extend",
        default=[], help="pipelines to reckon with",
    )  # fmt: skip
    parser.add_argument(
        "--experiment", default="", metavar="ID",
        help="the pipelines of this experiment, by what it and its load studies measured; the "
        "result is kept with it",
    )  # fmt: skip
    parser.add_argument(
        "--queries-per-month", type=positive, default=100_000, metavar="N", help="default: 100000"
    )
    parser.add_argument(
        "--peak", type=amount, default=1.0, metavar="X",
        help="how many times the mean comes in the busiest hour (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--usd-per-hour", type=amount, metavar="USD", help="of one machine like the one measured"
    )
    parser.add_argument(
        "--capacity", type=amount, metavar="N",
        help="queries a second that one machine answers, in place of what was measured",
    )  # fmt: skip
    parser.add_argument(
        "--price", action="append", default=[], metavar="MODEL[:OPTION]=USD",
        help="a price in place of the dated list: for one unit billed, or with :price_in and "
        ":price_out for a million tokens of an LLM",
    )  # fmt: skip
