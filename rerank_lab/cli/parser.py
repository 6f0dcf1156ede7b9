"""Which commands and options there are."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import suppress

from rerank_lab.cli.arena_options import add_arena_actions
from rerank_lab.cli.choose_options import add_choose
from rerank_lab.cli.experiment_options import add_experiment_actions
from rerank_lab.cli.labels import add_label_actions
from rerank_lab.cli.load_options import add_cost, add_load
from rerank_lab.cli.options import (
    CommandParser,
    add_corpus,
    add_exclusion,
    add_judged,
    add_judgment_source,
    add_reading,
    add_specs,
    add_spending,
    amount,
    positive,
)
from rerank_lab.cli.positionals import rearranged
from rerank_lab.cli.serve_options import add_app, add_serve
from rerank_lab.cli.ship_options import add_ship
from rerank_lab.cli.study_options import add_depth, add_grid, add_rag, add_robustness, add_tune
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.languages import LANGUAGES
from rerank_lab.fusion.learned.settings import LEARNERS

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
    "labels": ("labels", "labels"),
    "arena": ("arena", "arena"),
    "models": ("manage", "models"),
    "doctor": ("doctor", "doctor"),
    "serve": ("serve", "serve"),
    "app": ("manage", "app"),
}
"""Command -> module of this package and function in it."""

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
    parser = _parser()
    try:
        arguments, rest = parser.parse_known_args(words)
    except InvalidInput:
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


def _parser() -> CommandParser:
    from rerank_lab import __version__

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
    parser.add_argument("--version", action="version", version=f"rerank-lab {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=CommandParser
    )

    def add(name: str, text: str) -> CommandParser:
        command = commands.add_parser(
            name, help=text, description=text, parents=[common], allow_abbrev=False
        )
        return command

    _add_commands(add, common)
    return parser


def _add_commands(add: Callable[[str, str], CommandParser], common: CommandParser) -> None:
    """Every command; `add` makes the parser of one, `common` has the options of all."""
    _add_rank(add("rank", "Rank a corpus for one query, by one or more pipelines."))
    _add_evaluate(add("evaluate", "Run a query set through pipelines and measure them."))
    _add_measure(add("measure", "Measure a run file against judgments, as trec_eval does."))
    add_choose(add("choose", "Say which pipeline of a kept experiment to take, and why."))
    add_experiment_actions(
        add("experiment", "Run experiment files with gates, and look at kept experiments."), common
    )
    add_ship(add("ship", "Write a pipeline as code, requests and golden cases."))
    _add_report(add("report", "Write the decision report of a kept experiment as one file."))
    _add_calibrate(add("calibrate", "Read a pipeline's scores as probabilities, by judgments."))
    add_depth(add("depth", "Try how many candidates pipelines should rerank."))
    add_grid(add("grid", "Put the same rerankers behind several first stages."))
    add_tune(add("tune", "Search options on half of the queries, and report on the others."))
    add_robustness(
        add("robustness", "Change queries and documents a little, and see which rankings hold.")
    )
    add_load(add("load", "Latency and throughput under load, and the largest load that is kept."))
    add_rag(add("rag", "See what is put before a language model, and whether reranking helps it."))
    add_cost(add("cost", "What pipelines cost at a load, hosted or on your own hardware."))
    _add_train(add("train", "Train a learned fusion from judgments, validated by query."))
    _add_corpora(add("corpora", "List, import, connect or delete corpora."), common)
    add_label_actions(add("labels", "Relevance labels: import, agreement, what is next."), common)
    add_arena_actions(add("arena", "Blind votes between pipelines: ratings and export."), common)
    add("models", "List models and components, and what can run here now.")
    add("doctor", "Check this installation: packages, data folder, models, processor.")
    add_serve(add("serve", "Serve pipelines as a rerank API: Cohere's, Jina's and TEI's shapes."))
    add_app(add("app", "Start the app. Other options go to streamlit, such as --server.port 8502."))


def _add_measures(parser: CommandParser) -> None:
    parser.add_argument(
        "-m",
        "--measure",
        dest="measures",
        metavar="MEASURE",
        nargs="+",
        action="extend",
        help="measures in ir_measures' notation, such as nDCG@10 'P(rel=2)@5' AP",
    )


def _add_rank(parser: CommandParser) -> None:
    add_corpus(parser)
    parser.add_argument("query", metavar="QUERY", help="the query's text")
    add_specs(parser)
    add_judgment_source(parser)
    add_exclusion(parser)
    parser.add_argument(
        "--timeout",
        type=amount,
        metavar="SECONDS",
        help="give a pipeline up after so long (600 for one that asks a provider, else never)",
    )
    parser.add_argument(
        "--record",
        metavar="FILE",
        default="",
        help="keep the results and every provider's answer in a file, without any key; the app "
        "opens it under Saved comparisons",
    )
    parser.add_argument(
        "--replay",
        metavar="FILE",
        default="",
        help="take providers' answers from such a file: neither key nor network is used for them",
    )
    parser.add_argument(
        "-k",
        "--top",
        type=positive,
        metavar="N",
        help="hits to show (default: 10, with --json or --format all)",
    )
    parser.add_argument(
        "--format",
        choices=("cohere", "rerankers"),
        help="print answers as Cohere's rerank API or the package rerankers gives them: "
        "one line of JSON a pipeline",
    )


def _add_evaluate(parser: CommandParser) -> None:
    add_corpus(parser)
    add_specs(parser)
    _add_measures(parser)
    add_judged(parser)
    add_judgment_source(parser)
    parser.add_argument(
        "--runs",
        metavar="DIR",
        help="write the rankings of each pipeline as a TREC run file into this folder",
    )
    parser.add_argument(
        "--table",
        metavar="FILE",
        help="write the table of results; the name ends in .csv, .json, .md, .parquet or .tex "
        "(.md and .tex with marks of significance)",
    )
    parser.add_argument(
        "--per-query",
        metavar="FILE",
        help="write the values of each query and pipeline, as JSON or Parquet for a name that ends "
        "in .json or .parquet, else as CSV",
    )
    parser.add_argument(
        "--by-tag",
        metavar="GROUP",
        default="",
        help="measures by tag of the queries as well: of one group (a column of the query file, "
        "traffic, language or length), or all",
    )
    parser.add_argument(
        "--bounds",
        action="store_true",
        help="whether unjudged documents could change the winner, and which to judge first",
    )


def _add_measure(parser: CommandParser) -> None:
    parser.add_argument("qrels", metavar="QRELS", help="judgments: TREC, or a table with a header")
    parser.add_argument(
        "run", metavar="RUN", help="a TREC run, or one exported as JSONL or Parquet"
    )
    _add_measures(parser)
    parser.add_argument(
        "--complete",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="average over every judged query, one without a ranking counting as 0 "
        "(default, trec_eval -c); --no-complete: over those with a ranking (trec_eval)",
    )
    parser.add_argument(
        "--exclude-identical",
        action="store_true",
        help="leave out of every ranking the document with the query's own id, as BEIR does",
    )
    parser.add_argument("--per-query", action="store_true", help="show each query as well")
    add_reading(parser, "qrels, run")


def _add_report(parser: CommandParser) -> None:
    parser.add_argument("experiment", metavar="EXPERIMENT", help="the id of a kept experiment")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        required=True,
        help="where the report goes: a name that ends in .html (one page, opens offline) or .md",
    )
    parser.add_argument(
        "--files",
        metavar="DIR",
        help="write what the numbers are computed from: judgments, runs, values and times of each "
        "query, decision, studies",
    )
    parser.add_argument(
        "-m", "--measure", metavar="MEASURE", help="what decides (default: the experiment's first)"
    )
    parser.add_argument(
        "--baseline",
        metavar="SPEC",
        help="the pipeline that others are compared with (default: the experiment's first)",
    )
    parser.add_argument(
        "--corpus",
        metavar="CORPUS",
        help="where the documents are, if not under the experiment's corpus name",
    )


def _add_calibrate(parser: CommandParser) -> None:
    add_corpus(parser)
    parser.add_argument(
        "-p",
        "--pipeline",
        metavar="SPEC",
        required=True,
        help="a pipeline whose last stage gives scores",
    )
    add_judged(parser)
    add_judgment_source(parser)
    parser.add_argument(
        "--grade", type=positive, default=1, help="grade from which on a document is relevant"
    )
    parser.add_argument("--method", choices=("platt", "isotonic"), help="default: the better one")
    parser.add_argument(
        "--precision", type=float, default=0.8, help="wanted of what is kept, 0 to 1 (default 0.8)"
    )
    parser.add_argument("--folds", type=positive, default=5, help="default 5, by query")
    parser.add_argument("--seed", type=int, default=0, help="of the folds (default 0)")
    add_spending(parser)


def _add_train(parser: CommandParser) -> None:
    add_corpus(parser)
    parser.add_argument(
        "-p",
        "--pipeline",
        metavar="SPEC",
        required=True,
        help='what to train, as in "bm25 >> ltr(bm25,dense,overlap)"',
    )
    parser.add_argument("--name", required=True, help="the name the model is to have")
    parser.add_argument("--replace", action="store_true", help="take the place of one so named")
    parser.add_argument("--learner", choices=LEARNERS, default=LEARNERS[0])
    parser.add_argument("--folds", type=positive, default=5, metavar="N", help="default: 5")
    parser.add_argument("--rounds", type=positive, metavar="N", help="trees (default: 100)")
    parser.add_argument("--leaves", type=positive, metavar="N", help="of a tree (default: 7)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--language",
        choices=LANGUAGES,
        default="english",
        metavar="NAME",
        help="whose stemmer the word features use (default: english)",
    )
    add_judged(parser)
    add_judgment_source(parser)
    add_spending(parser)


def _add_engine(parser: CommandParser) -> None:
    parser.add_argument(
        "engine",
        metavar="ENGINE",
        help='its spec, such as postgres(dsn_env="RERANK_LAB_ENGINE_DSN",table="articles")',
    )


def _add_corpora(parser: CommandParser, common: CommandParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", parser_class=CommandParser)
    importing = actions.add_parser("import", help="import a file or folder", parents=[common])
    importing.add_argument("path", metavar="PATH")
    importing.add_argument("--name", required=True, help="the name it is to have")
    importing.add_argument("--queries", metavar="FILE", help="a query file to go with it")
    importing.add_argument("--qrels", metavar="FILE", help="a judgment file to go with it")
    importing.add_argument(
        "--passages",
        type=positive,
        metavar="TOKENS",
        help="cut documents into passages of at most so many tokens",
    )
    importing.add_argument("--replace", action="store_true", help="take the place of one so named")
    add_reading(importing, "corpus, queries, qrels")
    connecting = actions.add_parser(
        "connect", help="keep a search engine of your own as a live corpus", parents=[common]
    )
    connecting.add_argument("name", metavar="NAME", help="the name it is to have")
    _add_engine(connecting)
    connecting.add_argument("--queries", metavar="FILE", help="a query file to go with it")
    connecting.add_argument("--qrels", metavar="FILE", help="a judgment file to go with it")
    connecting.add_argument("--replace", action="store_true", help="take the place of one so named")
    trying = actions.add_parser(
        "preview", help="what a search engine is asked for a query, and its hits", parents=[common]
    )
    _add_engine(trying)
    trying.add_argument("query", metavar="QUERY", help="the query's text")
    deleting = actions.add_parser(
        "delete", help="delete an imported or live corpus", parents=[common]
    )
    deleting.add_argument("name", metavar="NAME")
