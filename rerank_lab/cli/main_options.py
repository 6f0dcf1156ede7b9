"""Options of the commands that have no module of their own for them."""

from __future__ import annotations

import argparse

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
from rerank_lab.cli.workers import add_workers
from rerank_lab.core.languages import LANGUAGES
from rerank_lab.fusion.learned.settings import LEARNERS


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


def add_rank(parser: CommandParser) -> None:
    """`rerank-lab rank`."""
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


def add_index(parser: CommandParser) -> None:
    """`rerank-lab index`."""
    add_corpus(parser)
    add_workers(parser)
    parser.add_argument(
        "-p",
        "--pipeline",
        dest="pipelines",
        metavar="SPEC",
        nargs="+",
        action="extend",
        default=[],
        help="pipelines whose first stages are to have their indexes (default: bm25)",
    )


def add_evaluate(parser: CommandParser) -> None:
    """`rerank-lab evaluate`."""
    add_corpus(parser)
    add_specs(parser)
    add_workers(parser)
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
        "--tag-weights",
        metavar="TAG=SHARE",
        nargs="+",
        action="extend",
        default=[],
        help="the mean in which tags count by these shares, such as head=50 torso=30 tail=20 with "
        "--by-tag traffic; others do not count; or column, for the column weight of the queries",
    )
    parser.add_argument(
        "--bounds",
        action="store_true",
        help="whether unjudged documents could change the winner, and which to judge first",
    )


def add_measure(parser: CommandParser) -> None:
    """`rerank-lab measure`."""
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


def add_report(parser: CommandParser) -> None:
    """`rerank-lab report`."""
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


def add_calibrate(parser: CommandParser) -> None:
    """`rerank-lab calibrate`."""
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


def add_train(parser: CommandParser) -> None:
    """`rerank-lab train`."""
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


def add_corpora(parser: CommandParser, common: CommandParser) -> None:
    """`rerank-lab corpora` with its actions; `common` has the options of all."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", parser_class=CommandParser)
    importing = actions.add_parser(
        "import", help="import a file or folder, from here or from elsewhere", parents=[common]
    )
    importing.add_argument(
        "path", metavar="PATH", help="a path, or an address: s3://, gs:// or https://"
    )
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
    changes = actions.add_parser(
        "changes",
        help="what is another, at the address a corpus was imported from, since then",
        parents=[common],
    )
    changes.add_argument("name", metavar="NAME")
    deleting = actions.add_parser(
        "delete", help="delete an imported or live corpus", parents=[common]
    )
    deleting.add_argument("name", metavar="NAME")
