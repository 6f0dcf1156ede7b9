"""Which commands and options there are."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from rerank_lab.cli.options import CommandParser
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.version import VERSION

COMMANDS = {
    "rank": ("rank", "rank"),
    "evaluate": ("evaluate", "evaluate"),
    "measure": ("evaluate", "measure"),
    "choose": ("choose", "choose"),
    "experiment": ("experiment", "experiment"),
    "report": ("report", "report"),
    "ship": ("ship", "ship"),
    "calibrate": ("calibrate", "calibrate"),
    "depth": ("depth", "depth"),
    "grid": ("grid", "grid"),
    "tune": ("tune", "tune"),
    "robustness": ("robustness", "robustness"),
    "load": ("load", "load"),
    "rag": ("rag", "rag"),
    "cost": ("cost", "cost"),
    "train": ("train", "train"),
    "corpora": ("manage", "corpora"),
    "index": ("index", "index"),
    "labels": ("labels", "labels"),
    "arena": ("arena", "arena"),
    "models": ("manage", "models"),
    "doctor": ("doctor", "doctor"),
    "score": ("score", "score"),
    "serve": ("serve", "serve"),
    "app": ("manage", "app"),
}
"""Command -> module of this package and function in it."""


@dataclass(frozen=True, slots=True)
class CommandHelp:
    """What the parser has to know of a command before it is called.

    Attributes:
        text: a sentence for `--help`.
        module: of this package; imported only when the command is named, so that help is quick.
        function: in it, which adds the command's options to its parser.
        has_actions: whether it takes the options that all commands share, for its actions.
    """

    text: str
    module: str = ""
    function: str = ""
    has_actions: bool = False

    def add_options(self, parser: CommandParser, common: CommandParser) -> None:
        """Give the parser of the command its options; `common` has those of all."""
        if not self.module:
            return
        add = getattr(importlib.import_module(f"rerank_lab.cli.{self.module}"), self.function)
        if self.has_actions:
            add(parser, common)
        else:
            add(parser)


HELP = {
    "rank": CommandHelp(
        "Rank a corpus for one query, by one or more pipelines.", "main_options", "add_rank"
    ),
    "evaluate": CommandHelp(
        "Run a query set through pipelines and measure them.", "main_options", "add_evaluate"
    ),
    "measure": CommandHelp(
        "Measure a run file against judgments, as trec_eval does.", "main_options", "add_measure"
    ),
    "choose": CommandHelp(
        "Say which pipeline of a kept experiment to take, and why.", "choose_options", "add_choose"
    ),
    "experiment": CommandHelp(
        "Run experiment files with gates, and look at kept experiments.",
        "experiment_options",
        "add_experiment_actions",
        has_actions=True,
    ),
    "ship": CommandHelp(
        "Write a pipeline as code, requests and golden cases.", "ship_options", "add_ship"
    ),
    "report": CommandHelp(
        "Write the decision report of a kept experiment as one file.", "main_options", "add_report"
    ),
    "calibrate": CommandHelp(
        "Read a pipeline's scores as probabilities, by judgments.", "main_options", "add_calibrate"
    ),
    "depth": CommandHelp(
        "Try how many candidates pipelines should rerank.", "study_options", "add_depth"
    ),
    "grid": CommandHelp(
        "Put the same rerankers behind several first stages.", "study_options", "add_grid"
    ),
    "tune": CommandHelp(
        "Search options on half of the queries, and report on the others.",
        "study_options",
        "add_tune",
    ),
    "robustness": CommandHelp(
        "Change queries and documents a little, and see which rankings hold.",
        "study_options",
        "add_robustness",
    ),
    "load": CommandHelp(
        "Latency and throughput under load, and the largest load that is kept.",
        "load_options",
        "add_load",
    ),
    "rag": CommandHelp(
        "See what is put before a language model, and whether reranking helps it.",
        "study_options",
        "add_rag",
    ),
    "cost": CommandHelp(
        "What pipelines cost at a load, hosted or on your own hardware.", "load_options", "add_cost"
    ),
    "train": CommandHelp(
        "Train a learned fusion from judgments, validated by query.", "main_options", "add_train"
    ),
    "corpora": CommandHelp(
        "List, import, connect or delete corpora.", "main_options", "add_corpora", has_actions=True
    ),
    "index": CommandHelp(
        "Build the indexes that pipelines need beforehand; goes on where it was stopped.",
        "main_options",
        "add_index",
    ),
    "labels": CommandHelp(
        "Relevance labels: import, agreement, what is next.",
        "labels",
        "add_label_actions",
        has_actions=True,
    ),
    "arena": CommandHelp(
        "Blind votes between pipelines: ratings and export.",
        "arena_options",
        "add_arena_actions",
        has_actions=True,
    ),
    "models": CommandHelp("List models and components, and what can run here now."),
    "doctor": CommandHelp("Check this installation: packages, data folder, models, processor."),
    "score": CommandHelp(
        "Score a file of (query, document) pairs, as large as it may be, into Parquet.",
        "score_options",
        "add_score",
    ),
    "serve": CommandHelp(
        "Serve pipelines as a rerank API: Cohere's, Jina's and TEI's shapes.",
        "serve_options",
        "add_serve",
    ),
    "app": CommandHelp(
        "Start the app. Other options go to streamlit, such as --server.port 8502.",
        "serve_options",
        "add_app",
    ),
}
"""What `--help` says of each command, in its order, and where its options are."""

_EXAMPLES = """examples:
  rerank-lab rank helpdesk "turn off weekly emails" -p bm25 "bm25 >> ms-marco-minilm-l12"
  rerank-lab evaluate helpdesk -p bm25 "rrf(bm25,dense)" -m nDCG@10 AP --json
  rerank-lab measure qrels.txt run.trec -m nDCG@10
  rerank-lab train helpdesk -p "bm25 >> ltr(bm25,dense,overlap)" --name my-model
  rerank-lab arena ratings helpdesk
  rerank-lab app
"""


def read_arguments(words: Sequence[str]) -> argparse.Namespace:
    """The arguments of one command. Raises InvalidInput for what cannot be understood."""
    parser = _parser([name for name in COMMANDS if name in words])
    try:
        arguments, rest = parser.parse_known_args(words)
    except InvalidInput:
        from rerank_lab.cli.positionals import rearranged

        for attempt in rearranged(words):
            with suppress(InvalidInput):
                arguments, rest = parser.parse_known_args(attempt)
                break
        else:
            raise
    if arguments.command == "app":
        arguments.rest = rest
    elif rest:
        raise InvalidInput(
            f"rerank-lab {arguments.command}: unrecognized arguments: {' '.join(rest)}.",
            hint=f"See: rerank-lab {arguments.command} --help",
        )
    return arguments


def _parser(named: Sequence[str]) -> CommandParser:
    """The parser of all commands; only those that are `named` have their options."""
    common = CommandParser(add_help=False)
    common.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,  # so that an inner parser does not undo an outer one
        help="print JSON, errors too",
    )
    parser = CommandParser(
        prog="rerank-lab",
        description="Explore, compare, judge and choose rerankers on your own corpus.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        parents=[common],
    )
    parser.add_argument("--version", action="version", version=f"rerank-lab {VERSION}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=CommandParser
    )

    for name, about in HELP.items():
        command = commands.add_parser(
            name, help=about.text, description=about.text, parents=[common], allow_abbrev=False
        )
        if name in named:
            about.add_options(command, common)
    return parser
