"""The options of `rerank-lab score`."""

from __future__ import annotations

from rerank_lab.cli.options import CommandParser, add_spending, amount, positive
from rerank_lab.cli.workers import add_workers


def add_score(parser: CommandParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "pairs",
        metavar="PAIRS",
        help="a Parquet, CSV, TSV or JSON lines file with a query and a document in each row",
    )
    parser.add_argument(
        "--out", metavar="FILE", required=True, help="where the scores go; it ends in .parquet"
    )
    parser.add_argument(
        "-p",
        "--reranker",
        metavar="SPEC",
        default="ms-marco-minilm-l12",
        help="a reranker that scores each document by itself (default: ms-marco-minilm-l12)",
    )
    parser.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="ROLE=COLUMN,...",
        help="which column means what: query, document, title, query_id, document_id",
    )
    parser.add_argument(
        "--part-rows",
        type=positive,
        default=2048,
        metavar="N",
        help="pairs kept at a time; what a kill can cost at most (default: 2048)",
    )
    parser.add_argument("--replace", action="store_true", help="take the place of FILE")
    parser.add_argument(
        "--no-cache", action="store_true", help="read no earlier score, and keep none"
    )
    parser.add_argument(
        "--timeout",
        type=amount,
        metavar="SECONDS",
        help="give up on what a provider is asked for one query after so long (default: 600)",
    )
    add_spending(parser)
    add_workers(parser)
