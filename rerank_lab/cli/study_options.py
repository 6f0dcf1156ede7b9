"""Options of the commands that study pipelines beyond an evaluation."""

from __future__ import annotations

from rerank_lab.cli.options import (
    CommandParser,
    add_corpus,
    add_judged,
    add_judgment_source,
    add_specs,
    positive,
)


def add_robustness(parser: CommandParser) -> None:
    """`rerank-lab robustness`."""
    add_corpus(parser)
    add_specs(parser)
    parser.add_argument(
        "-m",
        "--measure",
        default="nDCG@10",
        metavar="MEASURE",
        help="by which rankings are compared (default: nDCG@10)",
    )
    parser.add_argument(
        "--perturbations",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="only these, such as typos injected (default: all)",
    )
    parser.add_argument(
        "--sample",
        type=positive,
        default=30,
        metavar="N",
        help="queries that are drawn at random, each to be asked many times (default: 30)",
    )
    parser.add_argument(
        "--candidates",
        type=positive,
        default=50,
        metavar="N",
        help="candidates that rerankers are given where documents are changed (default: 50)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of sample and changes (default: 0)"
    )
    add_judged(parser)
    add_judgment_source(parser)
