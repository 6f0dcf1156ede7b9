"""Options of the commands that study pipelines beyond an evaluation."""

from __future__ import annotations

import argparse

from rerank_lab.cli.label_judge_options import add_agreement, add_asking, add_model
from rerank_lab.cli.options import (
    CommandParser,
    add_corpus,
    add_judged,
    add_judgment_source,
    add_specs,
    add_spending,
    add_table,
    positive,
)


def _add_experiment(parser: CommandParser) -> None:
    """`--experiment`, and pipelines in place of its own."""
    add_specs(parser, required=False)
    parser.add_argument(
        "--experiment",
        default="",
        metavar="ID",
        help="study the pipelines, queries and judgments of this experiment of the corpus, and "
        "keep the result with it, for Evaluate and the report",
    )


def add_robustness(parser: CommandParser) -> None:
    """`rerank-lab robustness`; the language model writes paraphrases, where one is named."""
    add_table(parser)
    add_corpus(parser)
    _add_experiment(parser)
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
    add_model(parser)
    add_asking(parser)
    add_agreement(parser)


def add_depth(parser: CommandParser) -> None:
    """`rerank-lab depth`."""
    add_table(parser)
    add_corpus(parser)
    add_specs(parser)
    parser.add_argument(
        "-m",
        "--measure",
        default="nDCG@10",
        metavar="MEASURE",
        help="by which depths are compared (default: nDCG@10)",
    )
    parser.add_argument(
        "--depths",
        type=numbers,
        default=(5, 10, 20, 50, 100),
        metavar="N,N,...",
        help="numbers of candidates, 1 to 1,000 (default: 5,10,20,50,100)",
    )
    add_judged(parser)
    add_judgment_source(parser)


def add_grid(parser: CommandParser) -> None:
    """`rerank-lab grid`."""
    add_table(parser)
    add_corpus(parser)
    parser.add_argument(
        "--first",
        dest="first_stages",
        metavar="SPEC",
        nargs="+",
        action="extend",
        required=True,
        help='first stages, such as bm25 "rrf(bm25,dense)"',
    )
    parser.add_argument(
        "--rerank",
        dest="rerankers",
        metavar="SPEC",
        nargs="+",
        action="extend",
        required=True,
        help='rerankers, such as overlap "ms-marco-minilm-l6(top=50)"',
    )
    parser.add_argument(
        "-m",
        "--measure",
        default="nDCG@10",
        metavar="MEASURE",
        help="by which pairs are compared (default: nDCG@10)",
    )
    parser.add_argument(
        "--candidates",
        type=positive,
        default=100,
        metavar="N",
        help="of each first stage that does not say its own number (default: 100)",
    )
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="compute everything afresh, so that the times are true",
    )
    add_spending(parser)
    add_judged(parser)
    add_judgment_source(parser)


def add_tune(parser: CommandParser) -> None:
    """`rerank-lab tune`."""
    add_table(parser)
    add_corpus(parser)
    parser.add_argument(
        "-p", "--pipeline", metavar="SPEC", required=True, help="the pipeline to begin with"
    )
    parser.add_argument(
        "--try",
        dest="ranges",
        metavar=("OPTION", "VALUE"),
        nargs="+",
        action="append",
        required=True,
        help="an option and the values to try, such as rrf.k 10 30 60, weighted.weights 0.3,0.7 "
        "0.7,0.3 or ms-marco-minilm-l6.top 20 50; several times for several options",
    )
    parser.add_argument(
        "-m",
        "--measure",
        default="nDCG@10",
        metavar="MEASURE",
        help="what is to grow (default: nDCG@10)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the split into train and held-out queries (default: 0)",
    )
    parser.add_argument(
        "--trials",
        type=positive,
        default=200,
        metavar="N",
        help="at most so many combinations, sampled by the seed (default: 200)",
    )
    add_spending(parser)
    add_judged(parser)
    add_judgment_source(parser)


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers above 0 between commas, for `type=`."""
    values = tuple(int(part) for part in text.split(","))
    if min(values) < 1:
        raise argparse.ArgumentTypeError(f"{text} holds a number below 1")
    return values


numbers.__name__ = "list of whole numbers"


def add_rag(parser: CommandParser) -> None:
    """`rerank-lab rag`."""
    add_table(parser)
    add_corpus(parser)
    _add_experiment(parser)
    parser.add_argument(
        "--documents",
        type=positive,
        default=5,
        metavar="N",
        help="documents in a context (default: 5)",
    )
    parser.add_argument(
        "--budget",
        type=positive,
        default=0,
        metavar="TOKENS",
        help="words and punctuation marks in a context at most (default: no bound)",
    )
    parser.add_argument(
        "--answers",
        type=positive,
        default=30,
        metavar="N",
        help="with --model: queries with reference answers that it is asked (default: 30)",
    )
    parser.add_argument(
        "--grader",
        metavar="NAME",
        help="with --model: a model at the same endpoint that grades the answers by what they mean",
    )
    add_judged(parser)
    add_judgment_source(parser)
    add_model(parser)
    add_asking(parser)
    add_agreement(parser)
