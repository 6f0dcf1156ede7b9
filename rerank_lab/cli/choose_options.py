"""The options of `rerank-lab choose`: what a team can accept."""

from __future__ import annotations

import argparse
import re

from rerank_lab.cli.options import CommandParser, amount, positive
from rerank_lab.core.languages import LANGUAGE_NAMES

_UNITS = {"ms": 0.001, "s": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]+)")


def seconds(text: str) -> float:
    """`300ms` or `1.5s` in seconds, for `type=`."""
    return _quantity(text, ("ms", "s"), "a time such as 300ms or 1.5s")


def n_bytes(text: str) -> int:
    """`500MB` or `2GB` in bytes, for `type=`."""
    return round(_quantity(text, ("KB", "MB", "GB"), "a size such as 500MB or 2GB"))


def language(text: str) -> str:
    """An ISO 639-1 code, for `type=`."""
    if text not in LANGUAGE_NAMES:
        raise argparse.ArgumentTypeError(f"{text} is not an ISO 639-1 code such as de or en")
    return text


def add_choose(parser: CommandParser) -> None:
    """The experiment, and the limits."""
    parser.add_argument("experiment", metavar="EXPERIMENT", help="the id of a kept experiment")
    parser.add_argument("-m", "--measure", metavar="MEASURE", help="what quality is")
    parser.add_argument("--p95", type=seconds, metavar="TIME", help="at most, such as 300ms")
    parser.add_argument("--price", type=amount, metavar="USD", help="of 1,000 queries, at most")
    parser.add_argument(
        "--licence",
        choices=("any", "commercial", "open"),
        default="any",
        help="commercial: models that may be used in a business; open: open source ones",
    )
    parser.add_argument(
        "--languages",
        type=language,
        nargs="+",
        action="extend",
        metavar="CODE",
        help="languages that every model must know, such as de fr",
    )
    parser.add_argument("--local", action="store_true", help="texts stay in the house")
    parser.add_argument("--no-gpu", action="store_true", help="it must run without a GPU")
    parser.add_argument(
        "--memory",
        type=n_bytes,
        metavar="SIZE",
        help="where it was measured, of the process; else of the models. Such as 500MB",
    )
    parser.add_argument(
        "--measure-memory",
        action="store_true",
        help="first measure what each pipeline takes, in a process of its own, and keep it",
    )
    parser.add_argument(
        "--margin",
        type=amount,
        default=0.02,
        metavar="DIFFERENCE",
        help="a difference of the measure that does not matter (default 0.02)",
    )
    _add_load_and_place(parser)


def _add_load_and_place(parser: CommandParser) -> None:
    """The load that is paid for, and where the documents are."""
    parser.add_argument(
        "--queries-per-month",
        type=positive,
        metavar="N",
        help="default: as kept by rerank-lab cost, else 100000",
    )
    parser.add_argument(
        "--usd-per-hour", type=amount, metavar="USD", help="the price of one machine like this one"
    )
    parser.add_argument(
        "--corpus", default="", help="where the documents are, if not under the same name"
    )


def _quantity(text: str, units: tuple[str, ...], what: str) -> float:
    match = _QUANTITY.fullmatch(text.strip())
    unit = next((u for u in units if match and match[2].casefold() == u.casefold()), "")
    if match is None or not unit:
        raise argparse.ArgumentTypeError(f"{text} is not {what}")
    return float(match[1]) * _UNITS[unit]
