"""Options that several commands share, and the parser that reports mistakes as our errors."""

from __future__ import annotations

import argparse
import math
from typing import NoReturn

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.judgment_basis import LAB, OWN, SOURCES, Policy


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose mistakes are `LabError`s, as everything else's are."""

    def error(self, message: str) -> NoReturn:
        """Raise InvalidInput with the usage as its hint."""
        hint = f"See: {self.prog} --help"
        if "arguments are required" in message:
            hint += ". Put -- before a text that begins with -"
        raise InvalidInput(f"{self.prog}: {message}.", hint=hint)


def positive(text: str) -> int:
    """A whole number above 0, for `type=`."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return value


positive.__name__ = "whole number"


def port_number(text: str) -> int:
    """A TCP port, 0 for any that is free, for `type=`."""
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: they go from 0 to 65535")
    return value


port_number.__name__ = "port"


def amount(text: str) -> float:
    """An amount of 0 or more, for `type=`."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not an amount of 0 or more")
    return value


amount.__name__ = "amount"


_CORPUS = "a sample's name, an imported corpus' name, or a path in any accepted format"


def add_corpus(parser: CommandParser) -> None:
    """The positional CORPUS."""
    parser.add_argument("corpus", metavar="CORPUS", help=_CORPUS)


def add_specs(
    parser: CommandParser,
    *,
    required: bool = True,
    purpose: str = 'a pipeline such as "bm25 >> ms-marco-minilm-l12(top=50)"; several may follow',
) -> None:
    """`-p SPEC...`, and what goes with asking pipelines."""
    parser.add_argument(
        "-p",
        "--pipeline",
        dest="pipelines",
        metavar="SPEC",
        nargs="+",
        action="extend",
        required=required,
        default=None if required else [],
        help=purpose,
    )
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="compute everything afresh, so that the times are true",
    )
    add_spending(parser)


def add_spending(parser: CommandParser) -> None:
    """`--spend-limit`."""
    parser.add_argument(
        "--spend-limit",
        type=amount,
        metavar="USD",
        help="send no request to a provider that could take the command above this; a model of "
        "unknown price is refused",
    )


def add_reading(parser: CommandParser, files: str) -> None:
    """How files are read where that is not found out; `files` names them for the help."""
    parser.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="[FILE=]NAME",
        help=f"how to read a file ({files}), such as letor",
    )
    parser.add_argument(
        "--encoding",
        action="append",
        default=[],
        metavar="[FILE=]NAME",
        help="the text encoding of a file, such as cp1252",
    )
    parser.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="[FILE.]ROLE=COLUMN,...",
        help="which column means what, such as grade=label or queries.text=question",
    )
    parser.add_argument(
        "--strict", action="store_true", help="refuse files of which anything would be lost"
    )


def add_judged(parser: CommandParser) -> None:
    """Options of the commands that ask judged queries."""
    parser.add_argument(
        "--timeout",
        type=amount,
        metavar="SECONDS",
        help="give up on what a provider is asked for one query after so long (default: 600)",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N queries")
    parser.add_argument(
        "--query-set",
        metavar="SET",
        help="only the queries of this set: see labels queries",
    )
    parser.add_argument(
        "--query-tag", default="", metavar="TAG", help="of the query set, only those with this tag"
    )
    parser.add_argument("--queries", metavar="FILE", help="queries in place of the corpus' own")
    parser.add_argument("--qrels", metavar="FILE", help="judgments in place of the corpus' own")
    add_exclusion(parser)
    add_reading(parser, "corpus, queries, qrels")


def add_judgment_source(parser: CommandParser) -> None:
    """Which judgments count: the corpus' own, labels of the lab, or both."""
    parser.add_argument(
        "--judgments",
        choices=SOURCES,
        help="the corpus' own, labels made or imported in the lab, or both (default: both where "
        "the lab has labels of this corpus; own with --qrels)",
    )
    parser.add_argument(
        "--winner",
        choices=(LAB, OWN),
        help="whose grade counts where both judge a document (default: lab)",
    )
    parser.add_argument(
        "--policy",
        choices=[policy.value for policy in Policy],
        help="how labels of several judges become one grade (default: latest)",
    )
    parser.add_argument(
        "--llm-judge",
        dest="llm_judges",
        action="append",
        default=[],
        metavar="NAME",
        help="let the labels of this LLM judge count where no human has judged",
    )


def add_exclusion(parser: CommandParser) -> None:
    """`--exclude-identical` and its opposite."""
    parser.add_argument(
        "--exclude-identical",
        action=argparse.BooleanOptionalAction,
        help="leave out of a query's ranking the document with the query's own id, as BEIR does "
        "(default: where queries and documents of the same id have the same text)",
    )


def add_table(parser: CommandParser) -> None:
    """`--table`, of the commands that study pipelines."""
    parser.add_argument(
        "--table",
        default="",
        metavar="FILE",
        help="also write the table there, by the ending of the name: .csv, .json, .md, .parquet "
        "or .tex",
    )
