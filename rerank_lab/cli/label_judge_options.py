"""The options of `rerank-lab labels judge`, apart from what it runs, so that help is quick."""

from __future__ import annotations

from rerank_lab.cli.options import (
    CommandParser,
    add_corpus,
    add_judged,
    add_specs,
    amount,
    positive,
)
from rerank_lab.judging.scales import SCALES


def judge_options(parser: CommandParser) -> None:
    """The corpus, the pipelines to pool, the judge, and what may be spent."""
    add_corpus(parser)
    add_specs(parser)
    add_judged(parser)
    add_model(parser)
    add_asking(parser)
    parser.add_argument(
        "--depth",
        type=positive,
        default=10,
        metavar="K",
        help="judge the first K documents of each pipeline (default: 10)",
    )
    _add_judging(parser)
    add_agreement(parser)
    _add_comparison(parser)


def add_model(parser: CommandParser) -> None:
    """Which language model, and where it runs."""
    parser.add_argument("--model", metavar="NAME", help="the language model")
    parser.add_argument(
        "--base-url", metavar="URL", help="its OpenAI-compatible endpoint (default: OpenAI's own)"
    )
    parser.add_argument(
        "--local",
        action="store_true",
        help="run the model here: a catalogue name, folder or hub id",
    )
    parser.add_argument("--key-variable", metavar="NAME", help="environment variable of the key")


def add_asking(parser: CommandParser) -> None:
    """How the model is asked, and at which price."""
    parser.add_argument("--instruction", metavar="TEXT", help="a wish that goes into the prompt")
    parser.add_argument(
        "--passage-words",
        type=positive,
        metavar="N",
        help="words of a document that are shown (default: 1000)",
    )
    parser.add_argument(
        "--reasoning-tokens",
        type=positive,
        metavar="N",
        help="tokens for thinking, beside those for the answer",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="0 for the likeliest words (default), -1 to send none",
    )
    parser.add_argument("--concurrency", type=positive, metavar="N", help="calls side by side")
    parser.add_argument(
        "--price-in",
        type=amount,
        metavar="USD",
        help="price of a million tokens read, where the list has none",
    )
    parser.add_argument(
        "--price-out", type=amount, metavar="USD", help="price of a million tokens written"
    )


def _add_judging(parser: CommandParser) -> None:
    parser.add_argument(
        "--prompt",
        default="umbrela",
        metavar="NAME",
        help="umbrela, direct, an edited prompt's name, or a .yaml file",
    )
    parser.add_argument(
        "--print-prompt",
        action="store_true",
        help="print the prompt's YAML, to be copied and edited, and stop",
    )
    parser.add_argument("--scale", choices=tuple(SCALES), help="the grades (default: the prompt's)")
    parser.add_argument(
        "--retry-abstained", action="store_true", help="ask again about documents that got no grade"
    )


def add_agreement(parser: CommandParser) -> None:
    """What may be spent."""
    parser.add_argument(
        "--limit-usd",
        dest="spend_limit",
        type=amount,
        metavar="USD",
        help="the same as --spend-limit",
    )
    parser.add_argument("--yes", action="store_true", help="go on whatever it costs")


def _add_comparison(parser: CommandParser) -> None:
    parser.add_argument(
        "--trust",
        action="store_true",
        help="compare the judge with people on a sample, in place of judging",
    )
    parser.add_argument(
        "--against",
        choices=("lab", "corpus"),
        help="whose grades count as people's (default: the lab's, if any)",
    )
    parser.add_argument(
        "--sample",
        type=positive,
        default=200,
        metavar="N",
        help="documents to compare on, at most (default: 200)",
    )
    parser.add_argument(
        "--probes",
        type=positive,
        default=20,
        metavar="N",
        help="how many are asked about again and in pairs (default: 20)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the sample")
