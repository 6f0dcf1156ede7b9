"""What the Arena page and `rerank-lab arena` say: sides without names, ratings, verdicts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerank_lab.core.table_cells import harmless_cell
from rerank_lab.corpora import Corpus
from rerank_lab.judging.arena.ratings import MIN_QUERIES, ArenaRatings, Rating
from rerank_lab.judging.arena.showing import ArenaMode
from rerank_lab.judging.arena.tallies import winner_of
from rerank_lab.judging.arena.verdict import ArenaVerdict, PairEvidence
from rerank_lab.judging.records import ArenaSide, ArenaVote, JudgeKind
from rerank_lab.services.arena import ArenaStandings
from rerank_lab.services.arena_llm import VotingOutcome
from rerank_lab.views.calibration import percent
from rerank_lab.views.formatting import counted
from rerank_lab.views.labels import short_labels, without_depth
from rerank_lab.views.text import Segment, marker, shorten
from rerank_lab.views.topic import Topic

FULL_CHARS = 6_000
"""Characters of a document that is compared with another one; a list shows snippets."""
_LIST_CHARS = 340
_ONE_SIDED, _MIN_DECIDED = 0.15, 20
"""A share of left wins this far from one half, over so many votes, is said to be a habit."""
MODE_NAMES = {
    ArenaMode.LISTS: "Two lists",
    ArenaMode.DOCUMENTS: "Two documents",
    ArenaMode.INTERLEAVED: "One mixed list",
}
KIND_NAMES = {
    JudgeKind.HUMAN: "People",
    JudgeKind.LLM: "Language models",
    JudgeKind.IMPORTED: "Imported",
    JudgeKind.SIMULATED: "Simulated",
    JudgeKind.DECIDED: "Decided",
}
OUTCOME_WORDS = {
    ArenaSide.LEFT: "left",
    ArenaSide.RIGHT: "right",
    ArenaSide.TIE: "a tie",
    ArenaSide.BOTH_BAD: "both bad",
}


@dataclass(frozen=True, slots=True)
class ArenaCard:
    """A document as a voter sees it: no score, no grade, no pipeline."""

    doc_id: str
    title: str
    text: tuple[Segment, ...]
    cut: bool


def arena_cards(topic: Topic, doc_ids: Sequence[str], *, full: bool) -> tuple[ArenaCard, ...]:
    """The documents of a side: snippets around the query's words, or the text itself."""
    return tuple(_card(topic, doc_id, full=full) for doc_id in doc_ids)


def _card(topic: Topic, doc_id: str, *, full: bool) -> ArenaCard:
    document = topic.corpus.whole_document(doc_id)
    words = marker(topic.query.text, topic.language)
    limit = FULL_CHARS if full else _LIST_CHARS
    text = (
        words.segments(document.text[:limit])
        if full
        else words.snippet(document.text, limit=_LIST_CHARS)
    )
    title = document.title or shorten(document.text, 70)
    return ArenaCard(doc_id, title, text, full and len(document.text) > limit)


def arena_labels(specs: Sequence[str]) -> dict[str, str]:
    """A short name for each pipeline; what all of them share is left out."""
    without, _ = without_depth(specs)
    labels = short_labels([without[spec] for spec in specs])
    names = {spec: labels[without[spec]] for spec in specs}
    return names if len(set(names.values())) == len(names) else {spec: spec for spec in specs}


def vote_line(vote: ArenaVote, labels: Mapping[str, str]) -> str:
    """The names behind a vote, once it is given."""
    left, right = labels.get(vote.left, vote.left), labels.get(vote.right, vote.right)
    winner = winner_of(vote)
    if winner is None:
        return f"Your last vote: {OUTCOME_WORDS[vote.outcome]}. Left was {left}, right was {right}."
    loser = left if winner == vote.right else right
    return f"Your last vote: {labels.get(winner, winner)} over {loser}."


def verdict_sentence(standings: ArenaStandings, labels: Mapping[str, str]) -> str:
    """Who is better, where that was shown; else that it was not, and what would help."""
    verdict, ratings = standings.verdict, standings.ratings
    rate = _rate_words(verdict)
    ground = f"{counted(ratings.votes, 'vote')} on {counted(ratings.queries, 'query', 'queries')}"
    if verdict.winner is not None:
        return (
            f"{labels.get(verdict.winner, verdict.winner)} is better than every other pipeline "
            f"here ({ground}; wrong at most {rate} of the time)."
        )
    shown = [pair for pair in verdict.pairs if pair.better is not None]
    if not shown:
        return f"Not yet distinguishable: {ground} name no winner."
    best = "; ".join(_better_words(pair, labels) for pair in shown[:3])
    more = f"; and {len(shown) - 3} more" if len(shown) > 3 else ""
    return (
        f"No single winner yet ({ground}). Shown so far: {best}{more} (all of it wrong at most "
        f"{rate} of the time)."
    )


def _rate_words(verdict: ArenaVerdict) -> str:
    return f"{100 * verdict.error_rate:g} %"


def _better_words(pair: PairEvidence, labels: Mapping[str, str]) -> str:
    other = pair.second if pair.better == pair.first else pair.first
    return f"{labels.get(pair.better or '', pair.better)} is better than {labels.get(other, other)}"


def arena_notes(standings: ArenaStandings) -> tuple[str, ...]:
    """What a reader of the ratings should know."""
    ratings = standings.ratings
    notes = []
    if standings.kind is JudgeKind.SIMULATED:
        notes.append("These votes are simulated: nobody gave them.")
    if ratings.groups > 1:
        notes.append(
            f"The pipelines fall into {ratings.groups} groups that never met. Strengths compare "
            "within a group only; a vote between two groups would join them."
        )
    if ratings.queries < MIN_QUERIES:
        notes.append(f"An interval needs votes on at least {MIN_QUERIES} queries.")
    if len(standings.modes) > 1:
        counts = ", ".join(f"{mode} {count:,}" for mode, count in sorted(standings.modes.items()))
        notes.append(
            f"Votes of several modes are rated together ({counts}). Choose one to part them."
        )
    if ratings.both_bad:
        notes.append(
            f"{counted(ratings.both_bad, 'vote')} said that both were bad. Such a vote counts as a "
            "tie: it does not tell who is better, but that neither is good."
        )
    decided = sum(pair.first_wins + pair.second_wins for pair in ratings.pairs)
    share = ratings.left_share
    if share is not None and decided >= _MIN_DECIDED and abs(share - 0.5) > _ONE_SIDED:
        side = "left" if share > 0.5 else "right"
        notes.append(
            f"{percent(max(share, 1 - share))} of the decided votes went to the {side} side. Sides "
            "are drawn by chance, so this is a habit of the voters; it blurs the ratings."
        )
    return tuple(notes)


RATING_HEADS = ("Pipeline", "Strength", "95 % interval", "Votes", "Won", "Lost", "Tied", "Both bad")


@dataclass(frozen=True, slots=True)
class RatingMark:
    """A pipeline's strength in log-odds against the mean of its group, with its interval."""

    pipeline: str
    label: str
    strength: float
    low: float | None
    high: float | None
    votes: int


def rating_marks(ratings: ArenaRatings, labels: Mapping[str, str]) -> tuple[RatingMark, ...]:
    """One a pipeline, in the order of the ratings."""
    return tuple(
        RatingMark(
            one.pipeline,
            labels.get(one.pipeline, one.pipeline),
            one.strength,
            one.low,
            one.high,
            one.votes,
        )
        for one in ratings.ratings
    )


def rating_rows(ratings: ArenaRatings, labels: Mapping[str, str]) -> list[tuple[str, ...]]:
    """A row a pipeline under RATING_HEADS, groups one after another."""
    return [
        (
            labels.get(one.pipeline, one.pipeline),
            signed(one.strength),
            interval_words(one),
            *(f"{n:,}" for n in (one.votes, one.wins, one.losses, one.ties, one.both_bad)),
        )
        for one in ratings.ratings
    ]


def signed(strength: float) -> str:
    """`+0.31`; `0.00` for what rounds to nothing."""
    text = f"{strength:+.2f}"
    return text if float(text) else "0.00"


def interval_words(rating: Rating) -> str:
    """`[-0.31, +0.92]`; a dash where there is none."""
    if rating.low is None or rating.high is None:
        return "–"
    return f"[{rating.low:+.2f}, {rating.high:+.2f}]"


PAIR_HEADS = ("Pair", "First won", "Second won", "Tied", "Queries", "Evidence", "p (corrected)")


def pair_rows(standings: ArenaStandings, labels: Mapping[str, str]) -> list[tuple[str, ...]]:
    """A row a pair under PAIR_HEADS: votes that were given, and what their queries show."""
    tallies = {(pair.first, pair.second): pair for pair in standings.ratings.pairs}
    rows: list[tuple[str, ...]] = []
    for pair in standings.verdict.pairs:
        tally = tallies.get((pair.first, pair.second))
        wins = (tally.first_wins, tally.second_wins, tally.ties) if tally else (0, 0, 0)
        queries = pair.first_queries + pair.second_queries + pair.tied_queries
        names = (labels.get(name, name) for name in (pair.first, pair.second))
        rows.append(
            (
                " vs ".join(names),
                *(f"{count:,}" for count in (*wins, queries)),
                _evidence_words(pair),
                f"{pair.p:.3f}",
            )
        )
    return rows


def _evidence_words(pair: PairEvidence) -> str:
    value = f"{pair.e_value:,.1f}" if pair.e_value < 1e6 else f"{pair.e_value:.0e}"
    return f"{value} : 1"


SLICE_HEADS = ("", "Votes", "Queries", "Tied", "Left side won", "Strongest", "Its strength")


def slice_rows(
    slices: Mapping[str, ArenaRatings], labels: Mapping[str, str]
) -> list[tuple[str, ...]]:
    """A row a judge, or a tag, under SLICE_HEADS: figures without a verdict."""
    rows: list[tuple[str, ...]] = []
    for name, ratings in slices.items():
        best = ratings.ratings[0]
        ties = sum(pair.ties for pair in ratings.pairs) / ratings.votes
        left = "–" if ratings.left_share is None else percent(ratings.left_share)
        rows.append(
            (
                name,
                f"{ratings.votes:,}",
                f"{ratings.queries:,}",
                percent(ties),
                left,
                labels.get(best.pipeline, best.pipeline),
                f"{signed(best.strength)} {interval_words(best)}",
            )
        )
    return rows


def method_words(verdict: ArenaVerdict) -> str:
    """How the figures come about, for below the table."""
    return (
        "Strength is on the log-odds scale of the Bradley-Terry model with ties (Davidson); "
        "0 is the mean, and a difference of 1 means that the stronger one wins 2.7 times as often. "
        "Intervals draw the queries again. A pair is called better only by a test that holds "
        f"however often one looks, corrected for all pairs: {_rate_words(verdict)} is the "
        "chance that anything said here is wrong. It counts the first vote on each query."
    )


def standings_json(standings: ArenaStandings) -> dict[str, object]:
    """The votes of one kind of judge as `rerank-lab arena ratings --json` gives them."""
    ratings, verdict = standings.ratings, standings.verdict
    return {
        "ratings": [_rating_json(one) for one in ratings.ratings],
        "distinguishable": verdict.distinguishable,
        "winner": verdict.winner,
        "error_rate": verdict.error_rate,
        "votes": ratings.votes,
        "queries": ratings.queries,
        "both_bad": ratings.both_bad,
        "groups": ratings.groups,
        "left_share": ratings.left_share,
        "level": ratings.level,
        "modes": dict(standings.modes),
        "pairs": [_pair_json(pair) for pair in verdict.pairs],
        "judges": {
            name: [_rating_json(one) for one in of_judge.ratings]
            for name, of_judge in standings.judges.items()
        },
        "tags": {
            name: [_rating_json(one) for one in of_tag.ratings]
            for name, of_tag in standings.tags.items()
        },
        "notes": list(arena_notes(standings)),
    }


def _rating_json(rating: Rating) -> dict[str, object]:
    names = (
        *("pipeline", "strength", "low", "high", "votes", "wins", "losses", "ties", "both_bad"),
        "group",
    )
    return {name: getattr(rating, name) for name in names}


def _pair_json(pair: PairEvidence) -> dict[str, object]:
    names = (
        *("first", "second", "first_queries", "second_queries", "tied_queries", "e_value", "p"),
        "better",
    )
    return {name: getattr(pair, name) for name in names}


def nothing_json() -> dict[str, object]:
    """The head of the ratings where no person has voted."""
    return {"ratings": [], "distinguishable": False, "winner": None, "votes": 0, "both_bad": 0}


_VOTE_FIELDS = (
    *("row_id", "corpus", "query_id", "left", "right", "outcome", "judge", "kind", "at", "mode"),
    *("seconds", "shown_hash", "undoes"),
)


def vote_json(vote: ArenaVote) -> dict[str, object]:
    """A row of votes; `undoes` is the row that it takes back."""
    return {name: getattr(vote, name) for name in _VOTE_FIELDS} | {"at": vote.at.isoformat()}


def votes_jsonl(votes: Sequence[ArenaVote]) -> str:
    """One JSON object a line, in the order of the rows."""
    return "".join(json.dumps(vote_json(vote)) + "\n" for vote in votes)


def votes_csv(votes: Sequence[ArenaVote]) -> str:
    """The rows as CSV; no cell is one that a spreadsheet would run."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_VOTE_FIELDS)
    for vote in votes:
        values = vote_json(vote)
        writer.writerow(
            [
                "" if values[name] is None else harmless_cell(str(values[name]))
                for name in _VOTE_FIELDS
            ]
        )
    return out.getvalue()


def no_queries(corpus: Corpus) -> str:
    """What an arena on a corpus without queries is told."""
    return (
        f"{corpus.name} has no queries. The arena shows what two pipelines answer to a query; add "
        "a file of queries to this corpus, or choose one of the samples."
    )


def voting_json(outcome: VotingOutcome) -> dict[str, Any]:
    """What came of a language model's voting, for `--json`."""
    values = {n: getattr(outcome, n) for n in ("judge", "before", "votes", "abstained", "failed")}
    return values | {
        "swap": outcome.swap.to_json(),
        "cost_usd": outcome.cost,
        "failures": list(outcome.failures),
    }


def voting_lines(outcome: VotingOutcome) -> list[str]:
    """What came of a language model's voting, for people."""
    lines = [
        f"{outcome.judge}: {outcome.votes:,} votes stored, {outcome.abstained:,} abstained, "
        f"{outcome.failed:,} failed, {outcome.before:,} from before."
    ]
    swap = outcome.swap
    if swap.share is not None and swap.interval is not None:
        low, high = swap.interval
        lines.append(
            f"It named the same side in both orders in {swap.same:,} of {swap.asked:,} battles "
            f"({swap.share:.0%}, [{low:.0%}, {high:.0%}]); the others are no votes."
        )
    lines.extend(outcome.failures)
    return [*lines, "Ratings by these votes stand apart from people's: rerank-lab arena ratings"]
