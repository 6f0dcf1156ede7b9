"""Team-draft interleaving: one list out of two, and which of the two earned the clicks.

Radlinski, Kurup and Joachims, "How does clickthrough data reflect retrieval quality?" (CIKM 2008).
In each round a coin says which ranking picks first; each then adds its best document that is not in
the list yet, which joins its team. Where the rankings are equally good each is as likely to get a
click, since the coin and not the ranking decides who comes first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from rerank_lab.judging.records import ArenaSide


@dataclass(frozen=True, slots=True)
class InterleavedList:
    """Documents of two rankings in one order, best first.

    Attributes:
        teams: for each document the side whose pick it was, LEFT or RIGHT.
    """

    doc_ids: tuple[str, ...]
    teams: tuple[ArenaSide, ...]

    def credit(self, chosen: Collection[str]) -> tuple[int, int]:
        """How many of the chosen documents each side picked: (left, right)."""
        sides = [
            team for doc_id, team in zip(self.doc_ids, self.teams, strict=True) if doc_id in chosen
        ]
        return sides.count(ArenaSide.LEFT), sides.count(ArenaSide.RIGHT)

    def outcome(self, chosen: Collection[str]) -> ArenaSide:
        """The vote that choosing these documents is. Choosing none says that both are bad."""
        left, right = self.credit(chosen)
        if left == right:
            return ArenaSide.TIE if left else ArenaSide.BOTH_BAD
        return ArenaSide.LEFT if left > right else ArenaSide.RIGHT


def team_draft(left: Sequence[str], right: Sequence[str], depth: int, seed: int) -> InterleavedList:
    """Interleave two rankings of document ids down to `depth`.

    The two teams are of the same size, or differ by one, as long as neither ranking runs out.
    """
    coin = np.random.default_rng(seed)
    rankings = {ArenaSide.LEFT: list(left), ArenaSide.RIGHT: list(right)}
    picked: dict[str, ArenaSide] = {}
    while len(picked) < depth:
        sides = [ArenaSide.LEFT, ArenaSide.RIGHT]
        if coin.integers(2):
            sides.reverse()
        before = len(picked)
        for side in sides:
            pick = next((doc_id for doc_id in rankings[side] if doc_id not in picked), None)
            if pick is not None and len(picked) < depth:
                picked[pick] = side
        if len(picked) == before:
            break
    return InterleavedList(tuple(picked), tuple(picked.values()))
