"""The options of `rerank-lab ship`."""

from __future__ import annotations

from rerank_lab.cli.options import CommandParser, positive

FORMS = (
    "yaml",
    "python",
    "sentence-transformers",
    "langchain",
    "llama-index",
    "haystack",
    "elasticsearch",
    "opensearch",
    "golden",
)


def add_ship(parser: CommandParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "source",
        metavar="EXPERIMENT|SPEC",
        help="the id of a kept experiment, an experiment file, or a pipeline",
    )
    parser.add_argument(
        "--as",
        dest="forms",
        nargs="+",
        action="extend",
        choices=FORMS,
        metavar="FORM",
        help=f"which forms (default: all that exist for the pipeline): {', '.join(FORMS)}",
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", required=True, help="the folder that the files go to"
    )
    parser.add_argument(
        "-p",
        "--pipeline",
        default="",
        metavar="PIPELINE",
        help="which pipeline of the experiment, by name or spec (default: the one to take)",
    )
    parser.add_argument(
        "--queries", type=positive, default=20, metavar="N", help="golden cases (default: 20)"
    )
    parser.add_argument(
        "--places",
        type=int,
        choices=range(11),
        default=0,
        metavar="N",
        help="by how many places a document of a golden case may move (default: 0)",
    )
