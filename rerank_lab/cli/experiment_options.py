"""The actions and options of `rerank-lab experiment`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from rerank_lab.cli.options import CommandParser, add_spending, amount
from rerank_lab.cli.workers import add_workers

_REFERENCE = "the id of a kept experiment, the first characters of one, or an experiment file"
_MAX_SEED = 2**32 - 1
"""As in experiment files."""


def add_experiment_actions(parser: CommandParser, common: CommandParser) -> None:
    """Give the parser of `experiment` its actions; `common` has the options of every command."""
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, parser_class=CommandParser
    )

    def add(name: str, text: str, description: str = "") -> CommandParser:
        action: CommandParser = actions.add_parser(
            name,
            help=text,
            description=description or f"{text[:1].upper()}{text[1:]}.",
            parents=[common],
            allow_abbrev=False,
        )
        return action

    _add_run(add)
    resume = add("resume", "go on with an experiment that stopped")
    _add_experiment(resume)
    _add_asking(resume)
    _add_gate_output(resume)
    add("list", "list the kept experiments, the latest first")
    _add_experiment(add("show", "show the results of a kept experiment"))
    _add_compare(add("compare", "compare an experiment with another one, on the same queries"))
    report = add("report", "write the decision report of an experiment as one file")
    _add_experiment(report)
    report.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="report.html or report.md"
    )
    _add_gate(add)


def _add_run(add: Callable[..., CommandParser]) -> None:
    run = add(
        "run",
        "run an experiment file and hold its gates",
        "Run an experiment file, hold its gates, and say what changed since its last run. "
        "Exit code 1 when a gate fails.",
    )
    run.add_argument("file", metavar="FILE", help="an experiment file in YAML: see docs/gates.md")
    _add_asking(run)
    run.add_argument(
        "--last",
        metavar="FILE",
        help="where the answers of the last run are kept for comparison (default: in the data "
        "folder); it is written anew",
    )
    _add_gate_output(run)


def _add_compare(compare: CommandParser) -> None:
    compare.add_argument("first", metavar="A", help=_REFERENCE)
    compare.add_argument("second", metavar="B", help="the one whose pipelines are compared")
    compare.add_argument(
        "-m", "--measure", default="", help="default: the first that both have measured"
    )
    compare.add_argument(
        "--baseline",
        default="",
        metavar="PIPELINE",
        help="the pipeline of A to compare with, by name or spec (default: its baseline, or first)",
    )


def _add_gate(add: Callable[..., CommandParser]) -> None:
    gate = add(
        "gate",
        "hold the gates of a kept experiment again, without running anything",
        "Hold gates against a kept experiment, without running anything. Exit code 1 when one "
        "fails.",
    )
    _add_experiment(gate)
    gate.add_argument(
        "--gate",
        dest="gates",
        action="append",
        default=[],
        metavar="LINE",
        help="such as 'nDCG@10 >= 0.45', in place of those of its file; may be repeated",
    )
    gate.add_argument(
        "--seed",
        type=_seed,
        metavar="N",
        help="of tests and intervals (default: that of its file, else 0)",
    )
    _add_gate_output(gate)


def _seed(text: str) -> int:
    """A seed as experiment files take it."""
    if not text.isdecimal() or int(text) > _MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to {_MAX_SEED:,}")
    return int(text)


def _add_experiment(parser: CommandParser) -> None:
    parser.add_argument("experiment", metavar="EXPERIMENT", help=_REFERENCE)


def _add_asking(parser: CommandParser) -> None:
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="ask every model again, so that times are true and a model that changed is noticed",
    )
    parser.add_argument(
        "--timeout",
        type=amount,
        metavar="SECONDS",
        help="give up on what a provider is asked for one query after so long (default: 600)",
    )
    add_spending(parser)
    add_workers(parser)


def _add_gate_output(parser: CommandParser) -> None:
    parser.add_argument(
        "--allow-undecided",
        action="store_true",
        help="do not fail for a gate that cannot be decided by what is known",
    )
    parser.add_argument("--junit", metavar="FILE", help="write the gates as JUnit XML")
    parser.add_argument(
        "--markdown",
        metavar="FILE",
        help="add a summary in Markdown to the end of a file, such as $GITHUB_STEP_SUMMARY",
    )
