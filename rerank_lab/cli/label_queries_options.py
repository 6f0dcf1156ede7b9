"""The options of `rerank-lab labels queries`, apart from what it runs, so that help is quick."""

from __future__ import annotations

from rerank_lab.cli.label_judge_options import add_agreement, add_asking, add_model
from rerank_lab.cli.options import CommandParser, add_corpus, add_spending, positive


def queries_options(parser: CommandParser) -> None:
    """The corpus, the set, and where its queries come from; with none of these, list the sets."""
    add_corpus(parser)
    parser.add_argument("--name", metavar="SET", help="the set that queries are added to")
    parser.add_argument("--text", nargs="+", default=[], metavar="QUERY", help="queries as text")
    parser.add_argument("--file", metavar="FILE", help="queries in any format that corpora take")
    parser.add_argument(
        "--log", metavar="FILE", help="a log: columns query and frequency, or a query a line"
    )
    parser.add_argument(
        "--size",
        type=positive,
        default=60,
        metavar="N",
        help="queries from a log, a third each from head, torso and tail (default: 60)",
    )
    parser.add_argument(
        "--generate",
        type=positive,
        metavar="N",
        help="make queries from N random documents: by --model, else by a template",
    )
    parser.add_argument(
        "--tag", action="append", default=[], metavar="TAG", help="of all queries that are added"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the samples")
    add_model(parser)
    add_asking(parser)
    add_spending(parser)
    add_agreement(parser)
    parser.set_defaults(timeout=None)
