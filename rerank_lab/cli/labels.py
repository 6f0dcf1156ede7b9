"""`rerank-lab labels`: which actions it has. Each one is a function of a module of this package."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass

from rerank_lab.cli.label_judge_options import judge_options
from rerank_lab.cli.label_queries_options import queries_options
from rerank_lab.cli.options import (
    CommandParser,
    add_corpus,
    add_judged,
    add_judgment_source,
    add_reading,
    add_specs,
    amount,
    positive,
)
from rerank_lab.cli.output import Output


@dataclass(frozen=True, slots=True)
class LabelAction:
    """One action of `labels`.

    Attributes:
        help: a sentence for `--help`.
        module: of `rerank_lab.cli`; imported only when the action runs, so that help is quick.
        function: in it, of (arguments, output), which gives the exit code.
        add_options: adds the action's arguments to its parser.
    """

    help: str
    module: str
    function: str
    add_options: Callable[[CommandParser], None]


def add_label_actions(parser: CommandParser, common: CommandParser) -> None:
    """Give the parser of `labels` one parser an action; `common` has the options of all."""
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, parser_class=CommandParser
    )
    for name, action in LABEL_ACTIONS.items():
        options = actions.add_parser(
            name, help=action.help, description=action.help, parents=[common], allow_abbrev=False
        )
        action.add_options(options)


def labels(arguments: argparse.Namespace, output: Output) -> int:
    """Run the action that was named."""
    action = LABEL_ACTIONS[arguments.action]
    module = importlib.import_module(f"rerank_lab.cli.{action.module}")
    run: Callable[[argparse.Namespace, Output], int] = getattr(module, action.function)
    return run(arguments, output)


def _import_options(parser: CommandParser) -> None:
    add_corpus(parser)
    parser.add_argument("files", metavar="FILE", nargs="+", help="files of judgments")
    parser.add_argument(
        "--judge", metavar="NAME", default="", help="who judged, where a file does not say "
        "(default: the file's name)",
    )  # fmt: skip
    parser.add_argument(
        "--kind",
        choices=("imported", "human", "llm"),
        default="imported",
        help="what the judges are, where a file does not say (default: imported)",
    )
    parser.add_argument(
        "--scale",
        choices=("graded", "binary", "five", "umbrela"),
        help="refuse grades that this scale lacks (default: any from 0 to 9)",
    )
    parser.add_argument(
        "--separator", metavar="CHAR", default="", help="between the cells of a CSV file"
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="where the lab has another grade of the same judge, take the file's",
    )
    add_reading(parser, "qrels")


def _export_options(parser: CommandParser) -> None:
    add_corpus(parser)
    parser.add_argument(
        "--format",
        choices=("trec", "csv", "jsonl", "letor", "quepid", "opensearch"),
        default="trec",
        help="default: trec",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--policy",
        choices=("latest", "majority", "median", "gold-first"),
        default="latest",
        help="how the grades of several judges become one (default: latest)",
    )
    how.add_argument(
        "--by-judge",
        action="store_true",
        help="a row for each judge in place of a policy (csv, jsonl, quepid)",
    )
    parser.add_argument(
        "--judge", dest="judges", metavar="NAME", action="append", default=[], help="only this one"
    )
    parser.add_argument("--session", metavar="ID", help="only labels of this session")
    parser.add_argument(
        "--kind",
        dest="kinds",
        choices=("human", "imported", "llm", "simulated"),
        action="append",
        default=[],
        help="which kinds of judges count (default: human and imported)",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="default: print it")


def _agreement_options(parser: CommandParser) -> None:
    add_corpus(parser)
    parser.add_argument("--session", default="", metavar="ID", help="only labels of this session")
    parser.add_argument(
        "--judge",
        dest="judges",
        action="append",
        default=[],
        metavar="NAME",
        help="only this judge; can be given several times",
    )
    add_specs(
        parser, required=False, purpose="say what the disagreement does to these, at least two"
    )
    parser.add_argument(
        "-m",
        "--measure",
        default="nDCG@10",
        help="with -p: what decides between pipelines (default nDCG@10)",
    )
    _add_asking(parser)


def _next_options(parser: CommandParser) -> None:
    add_corpus(parser)
    add_specs(parser)
    add_judged(parser)
    add_judgment_source(parser)
    parser.add_argument(
        "-n", "--pairs", type=positive, default=20, metavar="N", help="how many pairs (default 20)"
    )
    parser.add_argument(
        "-m",
        "--measure",
        default="nDCG@10",
        help="what decides: nDCG, AP, RR, P, R or Success, at any cutoff (default nDCG@10)",
    )


def _add_asking(parser: CommandParser) -> None:
    """Of how many queries pipelines are asked, and how long each may take."""
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="only the first N queries of the corpus"
    )
    parser.add_argument(
        "--timeout",
        type=amount,
        metavar="SECONDS",
        help="give a query that asks a provider up after so long (default 600)",
    )


LABEL_ACTIONS = {
    "import": LabelAction(
        "Read judgments of files into the lab's store.",
        "label_exchange",
        "import_labels",
        _import_options,
    ),
    "agreement": LabelAction(
        "Say how far the judges agree, and what they dispute.",
        "label_agreement",
        "label_agreement",
        _agreement_options,
    ),
    "next": LabelAction(
        "Say which pipeline leads, how sure that is, and which labels would make it surer.",
        "label_next",
        "next_labels",
        _next_options,
    ),
    "judge": LabelAction(
        "Let a language model grade documents, or compare it with people.",
        "label_judge",
        "judge_labels",
        judge_options,
    ),
    "queries": LabelAction(
        "Build query sets: typed, imported, from a log, or made from documents.",
        "label_queries",
        "label_queries",
        queries_options,
    ),
    "export": LabelAction(
        "Write the lab's labels as judgments of other tools.",
        "label_exchange",
        "export_labels",
        _export_options,
    ),
}
"""Action -> what it is. The order is that of `--help`."""
