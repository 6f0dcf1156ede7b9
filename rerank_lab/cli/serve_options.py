"""The options of `rerank-lab serve`."""

from __future__ import annotations

from rerank_lab.cli.options import CommandParser, amount, port_number, positive


def add_serve(parser: CommandParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "pipeline",
        metavar="SPEC",
        nargs="?",
        default="",
        help='a pipeline such as "bm25 >> ms-marco-minilm-l12"; documents that come with a request '
        "take the place of its first stage",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        default="",
        help="several pipelines in place of SPEC, from YAML: pipelines: {NAME: SPEC, ...}",
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine only")
    parser.add_argument(
        "--port",
        type=port_number,
        default=8000,
        metavar="N",
        help="default: 8000; 0 takes a free one",
    )
    parser.add_argument(
        "--corpus", metavar="CORPUS", default="", help="what /v1/search searches: as for rank"
    )
    parser.add_argument(
        "--api-key-file",
        metavar="FILE",
        default="",
        help="keys that open the API, one a line, with a name and what it opens; without it "
        "whoever reaches the API may ask",
    )
    _add_bounds(parser)
    _add_connection_bounds(parser)


def _add_bounds(parser: CommandParser) -> None:
    """How much is taken at a time."""
    parser.add_argument(
        "--workers",
        type=positive,
        default=2,
        metavar="N",
        help="requests that are worked on at a time, in batches together (default: 2)",
    )
    parser.add_argument(
        "--queue",
        type=positive,
        default=64,
        metavar="N",
        help="requests that may wait; further ones get 429 (default: 64)",
    )
    parser.add_argument(
        "--max-documents",
        type=positive,
        default=1000,
        metavar="N",
        help="of a request (default: 1000)",
    )
    parser.add_argument(
        "--max-tokens",
        type=positive,
        default=1_000_000,
        metavar="N",
        help="of a request, query and documents together (default: 1000000)",
    )
    parser.add_argument(
        "--deadline",
        type=amount,
        default=60.0,
        metavar="SECONDS",
        help="after which a request is given up with 504 (default: 60)",
    )
    parser.add_argument(
        "--spend-limit",
        type=amount,
        metavar="USD",
        help="send no request to a provider that could take the whole server above this; a model "
        "of unknown price is refused",
    )


def _add_connection_bounds(parser: CommandParser) -> None:
    """How many connections there are, and how they end."""
    parser.add_argument(
        "--max-connections",
        type=positive,
        default=512,
        metavar="N",
        help="open at a time; where all are, the one that waits longest without a whole request is "
        "closed (default: 512)",
    )
    parser.add_argument(
        "--grace",
        type=amount,
        default=60.0,
        metavar="SECONDS",
        help="to finish what was taken, when the server is asked to end (default: 60)",
    )


def add_app(parser: CommandParser) -> None:
    """The options of `rerank-lab app` that make it serve pipelines as well."""
    parser.add_argument(
        "--serve",
        metavar="SPEC",
        nargs="+",
        action="extend",
        default=[],
        help="pipelines behind a rerank API on the app's own port, as with rerank-lab serve",
    )
    parser.add_argument(
        "--serve-config",
        metavar="FILE",
        default="",
        help="pipelines to serve by name, from YAML: pipelines: {NAME: SPEC, ...}",
    )
    parser.add_argument(
        "--serve-corpus", metavar="CORPUS", default="", help="what /v1/search searches"
    )
    parser.add_argument(
        "--api-key-file",
        metavar="FILE",
        default="",
        help="keys that open the API, one a line; the app's pages are not asked for them",
    )
