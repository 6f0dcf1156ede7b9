"""Votes counted: which stand, of which kind, and how often each pair of pipelines met."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rerank_lab.judging.records import ArenaSide, ArenaVote, JudgeKind

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class PairTally:
    """How two pipelines did against each other: numbers of votes.

    `first` is the alphabetically smaller of the two. `ties` counts "both bad" too, of which there
    are `both_bad`.
    """

    first: str
    second: str
    first_wins: int
    second_wins: int
    ties: int
    both_bad: int

    @property
    def votes(self) -> int:
        """All votes on the pair."""
        return self.first_wins + self.second_wins + self.ties


def standing(votes: Iterable[ArenaVote]) -> tuple[ArenaVote, ...]:
    """The votes that nobody took back, without the rows that take one back.

    Rows count in whatever order they come. A row takes back a vote of its own judge only.
    """
    rows = tuple(votes)
    undone = {(vote.undoes, vote.judge, vote.kind) for vote in rows if vote.undoes is not None}
    return tuple(
        vote
        for vote in rows
        if vote.undoes is None and (vote.row_id, vote.judge, vote.kind) not in undone
    )


def winner_of(vote: ArenaVote) -> str | None:
    """The pipeline that a vote prefers; None for a tie and for "both bad"."""
    if vote.outcome is ArenaSide.LEFT:
        return vote.left
    return vote.right if vote.outcome is ArenaSide.RIGHT else None


def pair_of(vote: ArenaVote) -> tuple[str, str]:
    """The two pipelines of a vote in alphabetical order."""
    return (vote.left, vote.right) if vote.left < vote.right else (vote.right, vote.left)


def pipelines_of(votes: Iterable[ArenaVote]) -> tuple[str, ...]:
    """Every pipeline that was voted on, in alphabetical order."""
    return tuple(sorted({spec for vote in votes for spec in (vote.left, vote.right)}))


def by_kind(votes: Iterable[ArenaVote]) -> dict[JudgeKind, tuple[ArenaVote, ...]]:
    """The votes of people, language models and simulated judges apart."""
    return _grouped(votes, lambda vote: (vote.kind,))


def grouped(
    votes: Iterable[ArenaVote], keys: Callable[[ArenaVote], Sequence[str]]
) -> dict[str, tuple[ArenaVote, ...]]:
    """The votes by each of their keys, keys in alphabetical order: by judge, or by query tag."""
    return dict(sorted(_grouped(votes, keys).items()))


def pair_tallies(votes: Iterable[ArenaVote]) -> tuple[PairTally, ...]:
    """One tally for each pair that met, in alphabetical order."""
    pairs: dict[tuple[str, str], list[ArenaVote]] = defaultdict(list)
    for vote in votes:
        pairs[pair_of(vote)].append(vote)
    return tuple(_tally(pair, pairs[pair]) for pair in sorted(pairs))


def _tally(pair: tuple[str, str], votes: Sequence[ArenaVote]) -> PairTally:
    winners = Counter(winner_of(vote) for vote in votes)
    both_bad = sum(vote.outcome is ArenaSide.BOTH_BAD for vote in votes)
    return PairTally(*pair, winners[pair[0]], winners[pair[1]], winners[None], both_bad)


def _grouped(
    votes: Iterable[ArenaVote], keys: Callable[[ArenaVote], Sequence[Key]]
) -> dict[Key, tuple[ArenaVote, ...]]:
    groups: dict[Key, list[ArenaVote]] = defaultdict(list)
    for vote in votes:
        for key in keys(vote):
            groups[key].append(vote)
    return {key: tuple(members) for key, members in groups.items()}
