"""`rerank-lab arena`: what the votes on a corpus say, and the votes themselves."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rerank_lab.cli.language_model import agree, check_model_named, judge_model
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import open_collection
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.storage import write_file
from rerank_lab.corpora import load_corpus
from rerank_lab.judging.arena.ratings import RatingSettings
from rerank_lab.judging.arena.showing import ArenaMode
from rerank_lab.judging.arena.tallies import pipelines_of
from rerank_lab.judging.records import JudgeKind
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import Pipeline, pipelines
from rerank_lab.services import arena as votings
from rerank_lab.services import arena_llm
from rerank_lab.services.arena import ArenaStandings
from rerank_lab.services.presets import DEFAULT_DEPTH
from rerank_lab.views import arena as views


def arena(arguments: argparse.Namespace, output: Output) -> int:
    """Run the action that was named."""
    actions = {"export": _export, "judge": _judge, "ratings": _rate}
    return actions[arguments.action](arguments, output)


def _judge(arguments: argparse.Namespace, output: Output) -> int:
    """Let a language model vote; the cost is told first."""
    check_model_named(arguments)
    engine = default_engine()
    corpus = open_collection(arguments)
    store = JudgmentStore.open(engine.home)
    ctx = job_context(arguments, output, engine)
    request = arena_llm.LLMVotingRequest(
        judge_model(arguments),
        tuple(one.at_depth(DEFAULT_DEPTH).spec for one in pipelines(arguments.pipelines)),
        limit=arguments.limit,
        seed=arguments.seed,
    )
    planned = arena_llm.plan(request, corpus, ctx, engine, store)
    output.note(
        f"{planned.judge.voter}: {len(planned.battles):,} battles to vote on, each in both orders; "
        f"{planned.before:,} have its vote already."
    )
    agree(arguments, planned.estimate, output)
    outcome = arena_llm.run(planned, corpus, ctx, store)
    if output.as_json:
        output.json(views.voting_json(outcome))
        return 0
    for line in views.voting_lines(outcome):
        output.line(line)
    return 0


def _rate(arguments: argparse.Namespace, output: Output) -> int:
    corpus = load_corpus(arguments.corpus)
    votes = JudgmentStore.open().votes(corpus.name)
    voted_on = pipelines_of(votes)
    by_kind = votings.standings(
        votes,
        votings.query_tags(corpus),
        ArenaMode(arguments.mode) if arguments.mode else None,
        _chosen(arguments.pipelines or (), voted_on),
        RatingSettings(seed=arguments.seed),
    )
    if output.as_json:
        kinds = {kind.value: views.standings_json(one) for kind, one in by_kind.items()}
        people = kinds.get(JudgeKind.HUMAN) or views.nothing_json()
        output.json({"corpus": corpus.name} | people | {"kinds": kinds})
        return 0
    if not by_kind:
        output.line(f"There are no such votes on {corpus.name}. Vote on the Arena page of the app.")
    labels = views.arena_labels(voted_on)
    for standings in by_kind.values():
        _print(standings, labels, output)
    return 0


def _chosen(specs: Sequence[str], voted_on: Sequence[str]) -> tuple[str, ...]:
    """The pipelines that were named, as the votes name them: at the app's depth where none is said.

    Raises:
        InvalidInput: one was not voted on.
    """
    chosen = []
    for text in specs:
        pipeline = Pipeline(text)
        forms = (str(pipeline), str(pipeline.at_depth(DEFAULT_DEPTH)))
        name = next((form for form in forms if form in voted_on), None)
        if name is None:
            raise InvalidInput(
                f"Nobody voted on {text}.",
                hint="Votes name: " + ("; ".join(voted_on) or "none yet") + ".",
            )
        chosen.append(name)
    return tuple(chosen)


def _print(standings: ArenaStandings, labels: dict[str, str], output: Output) -> None:
    output.line(f"{views.KIND_NAMES[standings.kind]}: {views.verdict_sentence(standings, labels)}")
    output.line()
    rows = views.rating_rows(standings.ratings, labels)
    output.table([views.RATING_HEADS, *rows], right=range(1, len(views.RATING_HEADS)))
    output.line()
    for note in views.arena_notes(standings):
        output.line(f"  note: {note}")
    output.line(views.method_words(standings.verdict))
    output.line()


def _export(arguments: argparse.Namespace, output: Output) -> int:
    corpus = load_corpus(arguments.corpus)
    votes = JudgmentStore.open().votes(corpus.name)
    text = views.votes_csv(votes) if arguments.format == "csv" else views.votes_jsonl(votes)
    if arguments.output is None:
        if output.as_json:
            output.json({"corpus": corpus.name, "votes": [views.vote_json(vote) for vote in votes]})
        else:
            for line in text.splitlines():
                output.line(line)
        return 0
    write_file(arguments.output, text)
    if output.as_json:
        output.json({"file": str(arguments.output), "votes": len(votes)})
    else:
        output.line(f"{len(votes):,} rows in {arguments.output}")
    return 0
