"""The actions and options of `rerank-lab arena`."""

from __future__ import annotations

from pathlib import Path

from rerank_lab.cli.label_judge_options import add_agreement, add_asking, add_model
from rerank_lab.cli.options import CommandParser, add_corpus, add_judged, add_specs


def add_arena_actions(parser: CommandParser, common: CommandParser) -> None:
    """Give the parser of `arena` its actions; `common` has the options of every command."""
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, parser_class=CommandParser
    )
    ratings = actions.add_parser(
        "ratings",
        help="rate pipelines by the votes on a corpus",
        description="Rate pipelines by the votes on a corpus, people and models apart.",
        parents=[common],
        allow_abbrev=False,
    )
    add_corpus(ratings)
    _add_which(ratings)
    ratings.add_argument(
        "--seed", type=int, default=0, help="of the draws behind the intervals (default: 0)"
    )
    judge = actions.add_parser(
        "judge",
        help="let a language model vote on pipelines, two by two",
        description="Let a language model vote, blind and in both orders. Its votes are rated "
        "apart from people's.",
        parents=[common],
        allow_abbrev=False,
    )
    _add_judging(judge)
    export = actions.add_parser(
        "export",
        help="write the votes on a corpus to a file",
        description="Write every row of votes on a corpus, those taken back too.",
        parents=[common],
        allow_abbrev=False,
    )
    add_corpus(export)
    export.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="default: csv")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: the terminal")


def _add_judging(parser: CommandParser) -> None:
    """The pipelines, the model, and what may be spent."""
    add_corpus(parser)
    add_specs(parser)
    add_model(parser)
    add_asking(parser)
    add_judged(parser)
    add_agreement(parser)
    parser.add_argument("--seed", type=int, default=0, help="of who stands on the left")


def _add_which(parser: CommandParser) -> None:
    parser.add_argument(
        "-p",
        "--pipeline",
        dest="pipelines",
        metavar="SPEC",
        nargs="+",
        action="extend",
        help="only votes between these pipelines (default: all that were voted on)",
    )
    parser.add_argument(
        "--mode",
        choices=("lists", "documents", "interleaved"),
        help="only votes of this mode (default: all)",
    )
